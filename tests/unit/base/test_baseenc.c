#include "test.h"

#include <string.h>

#include "base/baseenc.h"
#include "base/rand.h"

static void test_hex(void **state)
{
	static const uint8_t bytes[] = {0x00, 0x1f, 0xa0, 0xff};
	uint8_t back[4];
	char text[HEX_TEXT_LEN(4)];

	hex_encode(text, bytes, 4);
	assert_string_equal(text, "001fa0ff");
	assert_int_equal(hex_decode(STR("001FA0ff"), back, 4), 0);
	assert_memory_equal(back, bytes, 4);
	assert_int_equal(hex_decode(STR("001fa0f"), back, 4), -ERR_INVALID);
	assert_int_equal(hex_decode(STR("001fa0ff0"), back, 4), -ERR_INVALID);
	assert_int_equal(hex_decode(STR("001fa0fg"), back, 4), -ERR_INVALID);
	assert_int_equal(hex_decode(str_n("001fa0f\0", 8), back, 4), -ERR_INVALID);
	hex_encode(text, bytes, 0);
	assert_string_equal(text, "");
	assert_int_equal(hex_decode((struct str){0}, back, 0), 0);
}

/* RFC 4648 §10, without the padding. */
static void test_base64url_vectors(void **state)
{
	static const char *const vectors[][2] = {{"", ""},
						 {"f", "Zg"},
						 {"fo", "Zm8"},
						 {"foo", "Zm9v"},
						 {"foob", "Zm9vYg"},
						 {"fooba", "Zm9vYmE"},
						 {"foobar", "Zm9vYmFy"},
						 {"\xfb\xff", "-_8"}};
	char text[16], back[16];

	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		size_t len = strlen(vectors[i][0]);

		base64url_encode(text, vectors[i][0], len);
		assert_string_equal(text, vectors[i][1]);
		assert_int_equal(BASE64URL_TEXT_LEN(len), strlen(text) + 1);
		assert_int_equal(base64url_decode(str_of(text), back, len), 0);
		if (len)
			assert_memory_equal(back, vectors[i][0], len);
	}
}

static void test_base64url_refuses(void **state)
{
	uint8_t back[4];

	assert_int_equal(base64url_decode(STR("Zm8="), back, 2), -ERR_INVALID); /* padding */
	assert_int_equal(base64url_decode(STR("Zm9"), back, 2), -ERR_INVALID);	/* stray bits */
	assert_int_equal(base64url_decode(STR("Zh"), back, 1), -ERR_INVALID);
	assert_int_equal(base64url_decode(STR("Z+"), back, 1), -ERR_INVALID);
	assert_int_equal(base64url_decode(STR("Z/"), back, 1), -ERR_INVALID);
	assert_int_equal(base64url_decode(str_n("Z\0", 2), back, 1), -ERR_INVALID);
	assert_int_equal(base64url_decode(STR("Zg"), back, 2), -ERR_INVALID);
	assert_int_equal(base64url_decode(STR("Zm9v"), back, 2), -ERR_INVALID);
}

static void test_there_and_back(void **state)
{
	uint8_t bytes[100], back[100];
	char text[HEX_TEXT_LEN(100)];

	for (size_t len = 0; len <= sizeof(bytes); len++) {
		rand_bytes(bytes, len);
		base64url_encode(text, bytes, len);
		assert_int_equal(base64url_decode(str_of(text), back, len), 0);
		assert_memory_equal(bytes, back, len);
		hex_encode(text, bytes, len);
		assert_int_equal(hex_decode(str_of(text), back, len), 0);
		assert_memory_equal(bytes, back, len);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hex),
		cmocka_unit_test(test_base64url_vectors),
		cmocka_unit_test(test_base64url_refuses),
		cmocka_unit_test(test_there_and_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
