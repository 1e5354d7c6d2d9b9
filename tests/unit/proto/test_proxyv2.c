#include "test.h"

#include <string.h>

#include "proto/proxyv2.h"

#define SIGNATURE "\x0d\x0a\x0d\x0a\0\x0d\x0a\x51\x55\x49\x54\x0a"
#define TCP4	  SIGNATURE "\x21\x11\0\x0c\xc6\x33\x64\x07\xc0\0\x02\x01\xc8\x22\x01\xbb"

static struct ipaddr addr(const char *text)
{
	struct ipaddr a;

	if (ipaddr_parse_port(str_of(text), &a) < 0)
		fail_msg("%s", text);
	return a;
}

static void encodes(void **state)
{
	struct proxyv2 header = {.source = addr("198.51.100.7:51234"),
				 .target = addr("192.0.2.1:443")};
	uint8_t bytes[PROXYV2_ENCODED_MAX];

	assert_int_equal(proxyv2_encode(bytes, &header), 28);
	assert_memory_equal(bytes, TCP4, 28);
	header.target = addr("[2001:db8::1]:443"); /* has no place there */
	assert_int_equal(proxyv2_encode(bytes, &header), 28);
	assert_memory_equal(bytes + 20, "\0\0\0\0\xc8\x22\x01\xbb", 8);
	header.source = addr("[2001:db8::7]:1");
	assert_int_equal(proxyv2_encode(bytes, &header), 52);
	assert_memory_equal(bytes + 12, "\x21\x21\0\x24", 4);
	assert_memory_equal(bytes + 16, header.source.bytes, 16);
	assert_memory_equal(bytes + 32, header.target.bytes, 16);
	header.source = (struct ipaddr){0};
	assert_int_equal(proxyv2_encode(bytes, &header), 16);
	assert_memory_equal(bytes + 12, "\x21\0\0\0", 4);
	header.local = true;
	assert_int_equal(proxyv2_encode(bytes, &header), 16);
	assert_memory_equal(bytes + 12, "\x20\0\0\0", 4);
}

static void decodes_what_it_encodes(void **state)
{
	static const char *const sources[] = {"198.51.100.7:51234", "[2001:db8::7]:65535"};
	static const char *const targets[] = {"192.0.2.1:443", "[2001:db8::1]:1"};

	for (size_t i = 0; i < ARRAY_LEN(sources); i++) {
		struct proxyv2 header = {.source = addr(sources[i]), .target = addr(targets[i])};
		uint8_t bytes[PROXYV2_ENCODED_MAX + 1] = {0};
		size_t len = proxyv2_encode(bytes, &header);
		struct proxyv2 got;

		for (size_t cut = 0; cut < len; cut++)
			assert_int_equal(proxyv2_decode(bytes, cut, &got), -ERR_AGAIN);
		assert_int_equal(proxyv2_decode(bytes, len + 1, &got), len);
		assert_false(got.local);
		assert_true(ipaddr_equal(&got.source, &header.source));
		assert_true(ipaddr_equal(&got.target, &header.target));
	}
}

#define CASE(text, length, from)                                                                   \
	{                                                                                          \
		text, sizeof(text) - 1, length, from                                               \
	}

static void decodes(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		int r; /* the header's length, or an error */
		const char *source;
	} cases[] = {
		CASE(TCP4 "GET / HTTP/1.1", 28, "198.51.100.7:51234"),
		CASE(SIGNATURE "\x21\0\0\0hello", 16, NULL),
		CASE(SIGNATURE "\x20\0\0\0hello", 16, NULL),
		/* LOCAL: whatever else it says */
		CASE(SIGNATURE "\x20\x11\0\x02xyhello", 18, NULL),
		/* a mapped address is the IPv4 one */
		CASE(SIGNATURE "\x21\x21\0\x24\0\0\0\0\0\0\0\0\0\0\xff\xff\xc6\x33\x64\x07"
			       "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\x02\x01\xc8\x22\x01\xbb",
		     52, "198.51.100.7:51234"),
		/* TLVs: an authority; then one that runs over the end; then half a head */
		CASE(SIGNATURE "\x21\x11\0\x13\xc6\x33\x64\x07\xc0\0\x02\x01\xc8\x22\x01\xbb"
			       "\x02\0\x04"
			       "abcd",
		     35, "198.51.100.7:51234"),
		CASE(SIGNATURE "\x21\x11\0\x13\xc6\x33\x64\x07\xc0\0\x02\x01\xc8\x22\x01\xbb"
			       "\x02\0\x05"
			       "abcde",
		     -ERR_INVALID, NULL),
		CASE(SIGNATURE "\x21\x11\0\x0e\xc6\x33\x64\x07\xc0\0\x02\x01\xc8\x22\x01\xbb"
			       "\x02\0",
		     -ERR_INVALID, NULL),
		/* a checksum: right, wrong, of a wrong length */
		CASE(SIGNATURE "\x21\x11\0\x26\xc6\x33\x64\x07\xc0\0\x02\x01\xc8\x22\x01\xbb"
			       "\x02\0\x10"
			       "blog.example.org"
			       "\x03\0\x04!!!!",
		     -ERR_INVALID, NULL),
		CASE(SIGNATURE "\x21\x11\0\x12\xc6\x33\x64\x07\xc0\0\x02\x01\xc8\x22\x01\xbb"
			       "\x03\0\x03xyz",
		     -ERR_INVALID, NULL),
		/* addresses too short for their family */
		CASE(SIGNATURE "\x21\x11\0\x0b\xc6\x33\x64\x07\xc0\0\x02\x01\xc8\x22\x01\xbb",
		     -ERR_INVALID, NULL),
		CASE(SIGNATURE "\x21\x31\0\x02xy", -ERR_INVALID, NULL),
		/* versions, commands and families that are none */
		CASE(SIGNATURE "\x11\x11", -ERR_INVALID, NULL),
		CASE(SIGNATURE "\x31\x11", -ERR_INVALID, NULL),
		CASE(SIGNATURE "\x22\x11", -ERR_INVALID, NULL),
		CASE(SIGNATURE "\x21\x41\0\0", -ERR_INVALID, NULL),
		CASE(SIGNATURE "\x21\x12\0\x0c\xc6\x33\x64\x07\xc0\0\x02\x01\xc8\x22\x01\xbb",
		     -ERR_INVALID, NULL),
		CASE("PROXY TCP4 198.51.100.7 192.0.2.1 1 2\r\n", -ERR_INVALID, NULL),
		CASE("\x0d\x0a\x0d\x0a\0\x0d\x0aQUIX", -ERR_INVALID, NULL),
		CASE("\x0d", -ERR_AGAIN, NULL),
		CASE("", -ERR_AGAIN, NULL),
		/* more than anybody needs */
		CASE(SIGNATURE "\x21\x11\x0f\xf1", -ERR_LIMIT, NULL),
		CASE(SIGNATURE "\x21\x11\x0f\xf0", -ERR_AGAIN, NULL),
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct proxyv2 got = {0};
		struct ipaddr none = {0};
		struct ipaddr wanted = cases[i].source ? addr(cases[i].source) : none;

		if (proxyv2_decode((const uint8_t *)cases[i].bytes, cases[i].len, &got) !=
			    cases[i].r ||
		    !ipaddr_equal(&got.source, &wanted))
			fail_msg("case %zu", i);
	}
}

/* Computed by another program. */
static void checks_the_checksum(void **state)
{
	static const char text[] =
		SIGNATURE "\x21\x11\0\x26\xc6\x33\x64\x07\xc0\0\x02\x01\xc8\x22\x01\xbb"
			  "\x02\0\x10"
			  "blog.example.org"
			  "\x03\0\x04!!!!";
	uint8_t bytes[sizeof(text) - 1];
	struct proxyv2 got;

	memcpy(bytes, text, sizeof(bytes));
	memcpy(bytes + sizeof(bytes) - 4, "\x01\x82\x07\xa5", 4);
	assert_int_equal(proxyv2_decode(bytes, sizeof(bytes), &got), sizeof(bytes));
	for (size_t i = 16; i < sizeof(bytes); i++) {
		if (i == sizeof(bytes) - 7)
			continue; /* its type: then there is none */
		bytes[i] ^= 1;
		assert_int_equal(proxyv2_decode(bytes, sizeof(bytes), &got), -ERR_INVALID);
		bytes[i] ^= 1;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(encodes),
		cmocka_unit_test(decodes_what_it_encodes),
		cmocka_unit_test(decodes),
		cmocka_unit_test(checks_the_checksum),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
