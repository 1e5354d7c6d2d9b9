#include "test.h"

#include <openssl/ssl.h>

#include "proto/clienthello.h"

static uint8_t scratch[CLIENTHELLO_MAX];

/* A hello as OpenSSL writes it: one record. Returns its length. */
static size_t make_hello(uint8_t *to, size_t size, const char *name, const char *alpn, int version)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL *ssl;
	BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
	int n;

	SSL_CTX_set_min_proto_version(ctx, version);
	SSL_CTX_set_max_proto_version(ctx, version);
	ssl = SSL_new(ctx);
	if (name)
		SSL_set_tlsext_host_name(ssl, name);
	if (alpn)
		SSL_set_alpn_protos(ssl, (const uint8_t *)alpn, (unsigned)strlen(alpn));
	SSL_set_bio(ssl, in, out);
	SSL_connect(ssl);
	n = BIO_read(out, to, (int)size);
	assert_true(n > 0);
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	return (size_t)n;
}

/* The same hello in records of at most `cut` bytes. */
static size_t cut_records(uint8_t *to, const uint8_t *hello, size_t len, size_t cut)
{
	size_t at = 5, n = 0;

	while (at < len) {
		size_t part = MIN(cut, len - at);

		memcpy(to + n, hello, 3);
		to[n + 3] = (uint8_t)(part >> 8);
		to[n + 4] = (uint8_t)part;
		memcpy(to + n + 5, hello + at, part);
		n += 5 + part;
		at += part;
	}
	return n;
}

static void parses_real_hellos(void **state)
{
	static const struct {
		const char *name, *alpn;
		int version;
		const char *want_name, *has, *has_not;
	} cases[] = {
		{"blog.example.org", "\x02h2\x08http/1.1", TLS1_3_VERSION, "blog.example.org", "h2",
		 "homeport/1"},
		{"Blog.Example.ORG", "\x0ahomeport/1", TLS1_3_VERSION, "blog.example.org",
		 "homeport/1", "homeport"},
		{NULL, NULL, TLS1_3_VERSION, "", NULL, "h2"},
		{"old.example.org", NULL, TLS1_2_VERSION, "old.example.org", NULL, "http/1.1"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint8_t hello[4096];
		struct clienthello got;
		struct err e;
		size_t len = make_hello(hello, sizeof(hello), cases[i].name, cases[i].alpn,
					cases[i].version);

		assert_true(clienthello_can_start(hello[0]));
		assert_int_equal(clienthello_parse(hello, len, scratch, &got, &e), 0);
		assert_string_equal(got.server_name, cases[i].want_name);
		if (cases[i].has)
			assert_true(clienthello_has_alpn(&got, str_of(cases[i].has)));
		assert_false(clienthello_has_alpn(&got, str_of(cases[i].has_not)));
		assert_false(clienthello_has_alpn(&got, STR("")));
	}
}

static void parses_across_records_byte_by_byte(void **state)
{
	static const size_t cuts[] = {1, 3, 4, 5, 17, 100, 16384};
	uint8_t hello[4096], wire[32768];
	size_t len = make_hello(hello, sizeof(hello), "a.example.org", "\x02h2", TLS1_3_VERSION);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cuts); i++) {
		size_t n = cut_records(wire, hello, len, cuts[i]);
		struct clienthello got = {.server_name = "untouched"};
		struct err e;

		for (size_t have = 0; have < n; have++) {
			uint8_t *copy = malloc(have + 1); /* one byte too many is seen */

			memcpy(copy, wire, have);
			assert_int_equal(clienthello_parse(copy, have, scratch, &got, &e),
					 -ERR_INCOMPLETE);
			free(copy);
		}
		assert_string_equal(got.server_name, "untouched");
		assert_int_equal(clienthello_parse(wire, n, scratch, &got, &e), 0);
		assert_string_equal(got.server_name, "a.example.org");
		assert_true(clienthello_has_alpn(&got, STR("h2")));
		wire[n] = 0x99; /* what follows is nobody's business here */
		assert_int_equal(clienthello_parse(wire, n + 1, scratch, &got, &e), 0);
	}
}

/* ── hellos built by hand ── */

struct made {
	uint8_t bytes[65536];
	size_t len;
};

static void put(struct made *m, const void *bytes, size_t n)
{
	memcpy(m->bytes + m->len, bytes, n);
	m->len += n;
}

static void put_u16(struct made *m, size_t n)
{
	put(m, (uint8_t[]){(uint8_t)(n >> 8), (uint8_t)n}, 2);
}

/* A minimal hello with these extensions, in one record; NULL: none at all. */
static void make(struct made *m, const struct str *extensions, size_t n)
{
	static const uint8_t start[] = {3, 3};
	static const uint8_t ciphers[] = {0, 2, 0x13, 1, 1, 0};
	uint8_t random[33] = {0}; /* and an empty session id behind it */
	size_t total = 0, body;

	for (size_t i = 0; i < n; i++)
		total += extensions[i].len;
	body = 2 + sizeof(random) + sizeof(ciphers) + (n ? 2 + total : 0);
	m->len = 0;
	put(m, "\x16\x03\x01", 3);
	put_u16(m, body + 4);
	put(m, "\x01\0", 2);
	put_u16(m, body);
	put(m, start, 2);
	put(m, random, sizeof(random));
	put(m, ciphers, sizeof(ciphers));
	if (n)
		put_u16(m, total);
	for (size_t i = 0; i < n; i++)
		put(m, extensions[i].at, extensions[i].len);
}

#define SNI(text) STR("\0\0\0\x0a\0\x08\0\0\x05" text)
#define ALPN_H2	  STR("\0\x10\0\x05\0\x03\x02h2")

static void judges_extensions(void **state)
{
	static const struct {
		struct str extensions[2];
		size_t n;
		int r;
		const char *name_or_text;
	} cases[] = {
		{.n = 0, .r = 0, .name_or_text = ""},
		{{SNI("a.b.c")}, 1, 0, "a.b.c"},
		{{SNI("A.bc.")}, 1, 0, "a.bc"},
		{{SNI("a.b.c"), ALPN_H2}, 2, 0, "a.b.c"},
		{{STR("\x2b\0\0\x01x")}, 1, 0, ""}, /* unknown: skipped */
		{{SNI("a.b.c"), SNI("d.e.f")}, 2, -ERR_INVALID, "TLS extension 0 twice"},
		{{ALPN_H2, ALPN_H2}, 2, -ERR_INVALID, "TLS extension 16 twice"},
		{{SNI("a b.c")}, 1, -ERR_INVALID, "the server name is not a host name"},
		{{SNI("a\0b.c")}, 1, -ERR_INVALID, "the server name is not a host name"},
		{{SNI("..a.b")}, 1, -ERR_INVALID, "the server name is not a host name"},
		{{STR("\0\0\0\0")}, 1, -ERR_INVALID, "bad server name extension"},
		{{STR("\0\0\0\x05\0\x03\0\0\0")},
		 1,
		 -ERR_INVALID,
		 "the server name is not a host name"},
		{{STR("\0\0\0\x06\0\x04\x01\0\x01x")},
		 1,
		 -ERR_INVALID,
		 "bad server name extension"},
		{{STR("\0\0\0\x0a\0\x08\0\0\x01xyyyy")},
		 1,
		 -ERR_INVALID,
		 "bad server name extension"},
		{{STR("\0\0\0\x06\0\x04\0\0\x02x")}, 1, -ERR_INVALID, "bad server name extension"},
		{{STR("\0\x10\0\x02\0\0")}, 1, -ERR_INVALID, "bad ALPN extension"},
		{{STR("\0\x10\0\x03\0\x01\0")}, 1, -ERR_INVALID, "bad ALPN extension"},
		{{STR("\0\x10\0\x04\0\x02\x02h")}, 1, -ERR_INVALID, "bad ALPN extension"},
		{{STR("\0\x10\0\x05\0\x02\x01hx")}, 1, -ERR_INVALID, "bad ALPN extension"},
		{{STR("\0\0\0")}, 1, -ERR_INVALID, "bad TLS extensions"},
		{{STR("\x2b\0\0\x05x")}, 1, -ERR_INVALID, "bad TLS extensions"},
	};
	static struct made m;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct clienthello got;
		struct err e = {0};
		int r;

		make(&m, cases[i].extensions, cases[i].n);
		r = clienthello_parse(m.bytes, m.len, scratch, &got, &e);
		assert_string_equal(r == 0 ? got.server_name : e.text, cases[i].name_or_text);
		assert_int_equal(r, cases[i].r);
	}
}

/* One byte of the minimal hello changed: offset, value, what is said. */
static void judges_bodies(void **state)
{
	static const struct {
		size_t at;
		uint8_t value;
		int r;
		const char *text;
	} cases[] = {
		{0, 'G', -ERR_INVALID, "not a TLS handshake"},
		{1, 2, -ERR_INVALID, "not a TLS version"},
		{2, 4, 0, NULL}, /* the minor version of a record means nothing */
		{5, 2, -ERR_INVALID, "not a ClientHello"},
		{6, 1, -ERR_LIMIT, "ClientHello over 16384 bytes"},
		{9, 2, -ERR_INVALID, "malformed ClientHello"},
		{43, 33, -ERR_INVALID, "malformed ClientHello"},
		{43, 1, -ERR_INVALID, "malformed ClientHello"},
		{45, 0, -ERR_INVALID, "malformed ClientHello"},
		{45, 1, -ERR_INVALID, "malformed ClientHello"},
		{48, 0, -ERR_INVALID, "malformed ClientHello"},
		{48, 2, -ERR_INVALID, "malformed ClientHello"},
	};
	static struct made m;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct clienthello got;
		struct err e = {0};
		int r;

		make(&m, NULL, 0);
		m.bytes[cases[i].at] = cases[i].value;
		r = clienthello_parse(m.bytes, m.len, scratch, &got, &e);
		if (cases[i].text)
			assert_string_equal(e.text, cases[i].text);
		assert_int_equal(r, cases[i].r);
	}
}

static void refuses_early(void **state)
{
	static const struct {
		struct str bytes;
		int r;
	} cases[] = {
		{STR(""), -ERR_INCOMPLETE},
		{STR("G"), -ERR_INVALID},
		{STR("\x16"), -ERR_INCOMPLETE},
		{STR("\x16\x05"), -ERR_INVALID},
		{STR("\x16\x03\x01\0\0"), -ERR_INVALID},     /* an empty record */
		{STR("\x16\x03\x01\x40\x01"), -ERR_INVALID}, /* a fragment over 16384 bytes */
		{STR("\x16\x03\x01\x40\0"), -ERR_INCOMPLETE},
		{STR("\x16\x03\x01\x01\0\x02"), -ERR_INVALID},
		{STR("\x16\x03\x01\x01\0\x01\0\x40\0"), -ERR_LIMIT},
		{STR("\x16\x03\x01\0\x01\x01\x17\x03\x03"), -ERR_INVALID}, /* another record type */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct clienthello got;

		assert_int_equal(clienthello_parse((const uint8_t *)cases[i].bytes.at,
						   cases[i].bytes.len, scratch, &got, NULL),
				 cases[i].r);
	}
}

/* A padded hello (RFC 7685) of n bytes on the wire, in one record. */
static void make_padded(struct made *m, size_t n)
{
	static char padding[CLIENTHELLO_MAX] = {0, 21};
	size_t content = n - 56;

	padding[2] = (char)(content >> 8);
	padding[3] = (char)content;
	make(m, &(struct str){padding, content + 4}, 1);
	assert_int_equal(m->len, n);
}

static void has_a_limit(void **state)
{
	static struct made m, cut;
	struct clienthello got;
	struct err e;

	(void)state;
	make_padded(&m, CLIENTHELLO_MAX);
	assert_int_equal(clienthello_parse(m.bytes, m.len, scratch, &got, &e), 0);
	make_padded(&m, CLIENTHELLO_MAX + 1);
	assert_int_equal(clienthello_parse(m.bytes, m.len, scratch, &got, &e), -ERR_LIMIT);
	assert_int_equal(clienthello_parse(m.bytes, 9, scratch, &got, &e), -ERR_LIMIT);

	/* Small enough by itself, but not with six bytes a byte. */
	make_padded(&m, 4000);
	cut.len = cut_records(cut.bytes, m.bytes, m.len, 1);
	assert_int_equal(clienthello_parse(cut.bytes, CLIENTHELLO_MAX - 1, scratch, &got, &e),
			 -ERR_INCOMPLETE);
	assert_int_equal(clienthello_parse(cut.bytes, CLIENTHELLO_MAX, scratch, &got, &e),
			 -ERR_LIMIT);
	assert_int_equal(clienthello_parse(cut.bytes, cut.len, scratch, &got, &e), -ERR_LIMIT);
	assert_string_equal(e.text, "ClientHello over 16384 bytes");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses_real_hellos),
		cmocka_unit_test(parses_across_records_byte_by_byte),
		cmocka_unit_test(judges_extensions),
		cmocka_unit_test(judges_bodies),
		cmocka_unit_test(refuses_early),
		cmocka_unit_test(has_a_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
