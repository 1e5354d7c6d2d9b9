#include "test.h"

#include <string.h>

#include "http/chunked.h"

/* Decode `text` in pieces of `step` bytes. Returns the data's length or the error. */
static ptrdiff_t decode(const char *text, size_t len, size_t step, char *to, size_t *ret_used,
			bool *ret_ended)
{
	struct http_chunked c = {0};
	size_t made = 0, at = 0;

	while (at < len && !http_chunked_ended(&c)) {
		size_t n = MIN(step, len - at), used = 0;
		ptrdiff_t r = http_chunked_decode(&c, to + made, text + at, n, &used, NULL);

		if (r < 0)
			return r;
		made += (size_t)r;
		at += used;
		assert_true(used == n || http_chunked_ended(&c));
	}
	*ret_used = at;
	*ret_ended = http_chunked_ended(&c);
	return (ptrdiff_t)made;
}

static void decodes_in_any_pieces(void **state)
{
	static const char text[] = "3\r\nabc\r\nA;name=value;x=\"q;y\"\r\n0123456789\r\n"
				   "0000\r\nTrailer: x\r\nOther:\r\n\r\nGET / HTTP/1.1";
	char out[sizeof(text)];

	for (size_t step = 1; step < sizeof(text); step++) {
		size_t used;
		bool ended;

		assert_int_equal(decode(text, sizeof(text) - 1, step, out, &used, &ended), 13);
		assert_memory_equal(out, "abc0123456789", 13);
		assert_true(ended);
		assert_string_equal(text + used, "GET / HTTP/1.1");
	}
}

static void works_in_place(void **state)
{
	char text[] = "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
	struct http_chunked c = {0};
	size_t used;

	assert_int_equal(http_chunked_decode(&c, text, text, strlen(text), &used, NULL), 5);
	assert_memory_equal(text, "abcde", 5);
	assert_true(http_chunked_ended(&c));
}

static void refuses_bad_coding(void **state)
{
	static const char *const bad[] = {
		"\r\n",
		"3\nabc\r\n",
		"3\r\nabc\n0\r\n",
		"3\r\nabcX0\r\n\r\n",
		" 3\r\nabc\r\n",
		"3 \r\nabc\r\n",
		"3\t\r\nabc\r\n",
		"0x3\r\nabc\r\n",
		"+3\r\nabc\r\n",
		"-3\r\nabc\r\n",
		"3\rXabc\r\n",
		"3\r\rabc\r\n",
		"3;a\rXabc\r\n",
		"3;a\nabc\r\n",
		"3;\001\r\nabc",
		"3\r\nabc\rX0\r\n",
		"3\r\nabcXY0\r\n",
		"g\r\n",
		";a\r\n",
		"0\r\n\n",
		"0\r\nA: b\n\r\n",
		"0\r\nA: b\rX",
		"0\r\n A: b\r\n",
		"0\r\nA: \001\r\n",
		"0\r\nA: b\r\n\rX",
		"3\r\nabc\r\n\r\n",
		"3,\r\nabc",
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		for (size_t step = 1; step < 8; step++) {
			char out[64];
			size_t used;
			bool ended;

			if (decode(bad[i], strlen(bad[i]), step, out, &used, &ended) !=
			    -ERR_INVALID)
				fail_msg("case %zu is taken in steps of %zu", i, step);
		}
}

static void limits_sizes_lines_and_trailers(void **state)
{
	static const char *const large[] = {"ffffffffffffffff\r\n", "1000000000000000\r\n",
					    "10000000000000003\r\nabc"};
	char text[HTTP_CHUNKED_TRAILER_MAX + 100], out[sizeof(text)];
	size_t used;
	bool ended;

	for (size_t i = 0; i < ARRAY_LEN(large); i++)
		assert_int_equal(decode(large[i], strlen(large[i]), 5, out, &used, &ended),
				 -ERR_INVALID);
	memset(text, '0', sizeof(text)); /* leading zeros without end */
	assert_int_equal(decode(text, sizeof(text), 100, out, &used, &ended), -ERR_INVALID);
	memset(text, 'a', sizeof(text));
	memcpy(text, "3;", 2);
	assert_int_equal(decode(text, sizeof(text), 100, out, &used, &ended), -ERR_INVALID);
	memcpy(text, "0\r\n", 3);
	assert_int_equal(decode(text, sizeof(text), 100, out, &used, &ended), -ERR_INVALID);
	for (size_t i = 3; i + 4 <= sizeof(text); i += 4) /* many small trailer fields */
		memcpy(text + i, "a:\r\n", 4);
	assert_int_equal(decode(text, sizeof(text), 100, out, &used, &ended), -ERR_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decodes_in_any_pieces),
		cmocka_unit_test(works_in_place),
		cmocka_unit_test(refuses_bad_coding),
		cmocka_unit_test(limits_sizes_lines_and_trailers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
