#include "test.h"

#include "front/opening.h"
#include "hello.h"

static uint8_t scratch[CLIENTHELLO_MAX];

/* Feed the bytes in pieces; the verdict, and how many bytes it took. */
static const char *feed(enum front_kind kind, const void *bytes, size_t len, size_t piece,
			struct front_asked *asked, size_t *took)
{
	struct front_opening o;
	enum front_opening_verdict verdict = FRONT_OPENING_MORE;
	size_t n = 0;

	front_opening_init(&o, kind, STR("homeport/1"));
	while (n < len && verdict == FRONT_OPENING_MORE) {
		n = MIN(n + piece, len);
		verdict = front_opening_read(&o, bytes, n, scratch, asked);
	}
	*took = n;
	return front_opening_verdict_name(verdict);
}

static void reads_hellos_however_they_are_cut(void **state)
{
	static const size_t pieces[] = {1, 2, 5, 100, 100000};
	static const size_t cuts[] = {16, 100, 16384};
	uint8_t hello[4096], wire[16384];
	size_t len = make_hello(hello, sizeof(hello), "Blog.example.org", "\x02h2");

	for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
		for (size_t k = 0; k < ARRAY_LEN(cuts); k++) {
			size_t n = cut_hello(wire, hello, len, cuts[k]), took;
			struct front_asked asked;

			assert_string_equal(feed(FRONT_HTTPS, wire, n, pieces[i], &asked, &took),
					    "TLS");
			assert_string_equal(asked.host, "blog.example.org");
			assert_int_equal(took, n);
		}
	}
}

static void tells_links_by_their_alpn(void **state)
{
	uint8_t hello[4096];
	struct front_asked asked;
	struct front_opening o;
	size_t len = make_hello(hello, sizeof(hello), "gw.example.org", "\x0ahomeport/1"), took;

	assert_string_equal(feed(FRONT_HTTPS, hello, len, len, &asked, &took), "LINK");
	front_opening_init(&o, FRONT_HTTPS, STR(""));
	assert_int_equal(front_opening_read(&o, hello, len, scratch, &asked), FRONT_OPENING_TLS);
	len = make_hello(hello, sizeof(hello), NULL, NULL);
	assert_string_equal(feed(FRONT_HTTPS, hello, len, len, &asked, &took), "TLS");
	assert_string_equal(asked.host, "");
}

static void refuses_a_hello_in_crumbs(void **state)
{
	uint8_t hello[4096], wire[16384];
	size_t len = make_hello(hello, sizeof(hello), "a.example.org", NULL), took;
	struct front_asked asked;

	len = cut_hello(wire, hello, len, 1);
	assert_string_equal(feed(FRONT_HTTPS, wire, len, 1, &asked, &took), "GARBAGE");
	assert_true(took <= 6 * FRONT_OPENING_RECORDS_MAX + 1);
	assert_string_equal(feed(FRONT_HTTPS, wire, len, len, &asked, &took), "GARBAGE");
}

static void judges_what_is_not_a_hello(void **state)
{
	static const struct {
		enum front_kind kind;
		const char *bytes, *verdict;
	} cases[] = {
		{FRONT_HTTPS, "GET / HTTP/1.1\r\n", "PLAIN_HTTP"},
		{FRONT_HTTPS, "P", "MORE"},
		{FRONT_HTTPS, "POS", "MORE"},
		{FRONT_HTTPS, "POST /", "PLAIN_HTTP"},
		{FRONT_HTTPS, "PING", "GARBAGE"},
		{FRONT_HTTPS, "SSH-2.0-x\r\n", "GARBAGE"},
		{FRONT_HTTPS, "\x80\x2e\x01", "GARBAGE"},
		{FRONT_HTTPS, "\x16\x02\x01", "GARBAGE"},
		{FRONT_HTTPS, "\x16\x03\x01", "MORE"},
		{FRONT_HTTP, "\x16\x03\x01", "GARBAGE"},
		{FRONT_HTTP, "G", "MORE"},
		{FRONT_HTTP, "GET / HTTP/1.1\r\n", "MORE"},
		{FRONT_HTTP, "GET / HTTP/1.1\n", "BAD_REQUEST"},
		{FRONT_HTTP, "GET / HTTP/1.1\r\n\r\n", "BAD_REQUEST"},
		{FRONT_HTTP, "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "BAD_REQUEST"},
		{FRONT_HTTP, "GET / HTTP/1.1\r\nHost: A.org:80\r\n\r\n", "HTTP"},
		{FRONT_HTTP, "GET / HTTP/1.0\r\n\r\n", "HTTP"},
		{FRONT_HTTP, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "BAD_REQUEST"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		size_t len = strlen(cases[i].bytes), took;
		struct front_asked asked;

		assert_string_equal(feed(cases[i].kind, cases[i].bytes, len, len, &asked, &took),
				    cases[i].verdict);
		assert_string_equal(feed(cases[i].kind, cases[i].bytes, len, 1, &asked, &took),
				    cases[i].verdict);
	}
}

static void leaves_what_follows_the_head(void **state)
{
	static const char bytes[] = "POST /p?q HTTP/1.1\r\nHost: A.org:8080\r\n"
				    "Content-Length: 4\r\n\r\nbody";
	struct front_asked asked;
	size_t took;

	assert_string_equal(
		feed(FRONT_HTTP, bytes, sizeof(bytes) - 1, sizeof(bytes), &asked, &took), "HTTP");
	assert_string_equal(asked.host, "a.org");
	assert_true(str_eq(asked.path, STR("/p?q")));
	assert_string_equal(feed(FRONT_HTTP, bytes, sizeof(bytes) - 1, 1, &asked, &took), "HTTP");
	assert_int_equal(took, sizeof(bytes) - 1 - 4);
}

static void decides_at_the_latest_when_full(void **state)
{
	static uint8_t bytes[HTTPHEAD_MAX];
	struct front_asked asked;
	size_t took;

	memset(bytes, 'a', sizeof(bytes));
	memcpy(bytes, "GET /", 5);
	assert_string_equal(feed(FRONT_HTTP, bytes, sizeof(bytes), 1, &asked, &took),
			    "HEAD_TOO_LONG");
	assert_int_equal(took, HTTPHEAD_MAX);
	memcpy(bytes, "\x16\x03\x01\x40\x00\x01\x00\x3f\x00\x03\x03", 11);
	assert_string_equal(feed(FRONT_HTTPS, bytes, sizeof(bytes), 100, &asked, &took), "GARBAGE");
	assert_true(took <= CLIENTHELLO_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_hellos_however_they_are_cut),
		cmocka_unit_test(tells_links_by_their_alpn),
		cmocka_unit_test(refuses_a_hello_in_crumbs),
		cmocka_unit_test(judges_what_is_not_a_hello),
		cmocka_unit_test(leaves_what_follows_the_head),
		cmocka_unit_test(decides_at_the_latest_when_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
