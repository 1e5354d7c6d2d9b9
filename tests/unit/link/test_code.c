#include "test.h"

#include <stdio.h>
#include <string.h>

#include "link/code.h"

#define SECRET "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4v"

static struct link_code sample(const char *host, uint16_t port)
{
	struct link_code code = {.port = port};

	strcpy(code.host, host);
	for (int i = 0; i < TLS_KEY_HASH_LEN; i++)
		code.gateway.bytes[i] = (uint8_t)i;
	for (int i = 0; i < LINK_SECRET_LEN; i++)
		code.secret[i] = (uint8_t)(32 + i);
	return code;
}

static void test_round_trip(void **state)
{
	static const struct {
		const char *host;
		uint16_t port;
		const char *text;
	} cases[] = {
		{"gw.example.org", 443, "hp1:gw.example.org:443/" SECRET},
		{"198.51.100.7", 8443, "hp1:198.51.100.7:8443/" SECRET},
		{"2001:db8::1", 443, "hp1:[2001:db8::1]:443/" SECRET},
		{"localhost", 65535, "hp1:localhost:65535/" SECRET},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct link_code code = sample(cases[i].host, cases[i].port), back = {0};
		char text[LINK_CODE_TEXT_MAX];
		struct err e = {0};

		assert_string_equal(link_code_format(text, &code), cases[i].text);
		assert_int_equal(link_code_parse(str_of(text), &back, &e), 0);
		assert_string_equal(back.host, code.host);
		assert_int_equal(back.port, code.port);
		assert_memory_equal(&back.gateway, &code.gateway, sizeof(code.gateway));
		assert_memory_equal(back.secret, code.secret, LINK_SECRET_LEN);
	}
}

static void test_the_longest_code_fits(void **state)
{
	char host[254], text[LINK_CODE_TEXT_MAX];
	struct link_code code, back;

	for (size_t i = 0; i < 253; i++)
		host[i] = i % 60 == 59 ? '.' : 'a';
	host[253] = '\0';
	code = sample(host, 65535);
	link_code_format(text, &code);
	assert_int_equal(link_code_parse(str_of(text), &back, NULL), 0);
	assert_string_equal(back.host, host);
	assert_memory_equal(back.secret, code.secret, LINK_SECRET_LEN);
}

static void test_what_people_paste(void **state)
{
	static const char *const texts[] = {
		"  hp1:gw.example.org:443/" SECRET "\n",
		"\r\n\thp1:gw.example.org:443/" SECRET " \r\n\n",
		("hp1:gw.example.org/" SECRET), /* the usual port */
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct link_code code = {0};

		assert_int_equal(link_code_parse(str_of(texts[i]), &code, NULL), 0);
		assert_string_equal(code.host, "gw.example.org");
		assert_int_equal(code.port, 443);
	}
}

#define NO_CODE "no pairing code (it begins with \"hp1:\")"
#define OTHER	"this is no pairing code: it begins with \"hp1:\""
#define ADDRESS "the pairing code's gateway address is damaged"
#define DAMAGED "the pairing code is damaged or incomplete: 64 characters follow the \"/\""

static void test_damaged_codes(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{"", NO_CODE},
		{" \r\n ", NO_CODE},
		{SECRET, OTHER},
		{"hp2:gw.example.org:443/" SECRET, OTHER},
		{"HP1:gw.example.org:443/" SECRET, OTHER},
		{"hp1:", ADDRESS},
		{"hp1:/" SECRET, ADDRESS},
		{"hp1::443/" SECRET, ADDRESS},
		{"hp1:gw.example.org:0/" SECRET, ADDRESS},
		{"hp1:gw.example.org:65536/" SECRET, ADDRESS},
		{"hp1:gw.example.org:443x/" SECRET, ADDRESS},
		{"hp1:gw example.org:443/" SECRET, ADDRESS},
		{"hp1:[2001:db8::1:443/" SECRET, ADDRESS},
		{"hp1:[2001:zz8::1]:443/" SECRET, ADDRESS},
		{"hp1:gw:x:y:443/" SECRET, ADDRESS},
		{"hp1:gw.example.org:443", DAMAGED},
		{"hp1:gw.example.org:443/", DAMAGED},
		{"hp1:gw.example.org:443/" SECRET "A", DAMAGED},
		{"hp1:gw.example.org:443/A " SECRET, DAMAGED},
		{"hp1:gw.example.org:443/" SECRET "/", DAMAGED},
		{"hp1:gw.example.org:443/" SECRET " " SECRET, DAMAGED},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct link_code code = {.port = 7};
		struct err e = {0};

		assert_int_equal(link_code_parse(str_of(cases[i].text), &code, &e), -ERR_INVALID);
		assert_string_equal(e.text, cases[i].why);
		assert_int_equal(code.port, 7); /* written on success only */
	}
}

/* Cut short or changed anywhere: refused, or another code; but never a word of it in the text. */
static void test_the_secret_is_never_repeated(void **state)
{
	static const char good[] = "hp1:gw.example.org:443/" SECRET;
	const size_t len = sizeof(good) - 1;

	for (size_t i = 0; i < len; i++) {
		struct link_code code;
		struct err e = {0};
		char text[sizeof(good)];

		memcpy(text, good, sizeof(good));
		assert_int_equal(link_code_parse(str_n(text, i), &code, &e), -ERR_INVALID);
		assert_null(strstr(e.text, "AAEC"));
		assert_null(strstr(e.text, "LS4v"));
		text[i] = '!';
		e = (struct err){0};
		assert_int_equal(link_code_parse(str_n(text, len), &code, &e), -ERR_INVALID);
		assert_null(strstr(e.text, "AAEC"));
		assert_null(strstr(e.text, "LS4v"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_the_longest_code_fits),
		cmocka_unit_test(test_what_people_paste),
		cmocka_unit_test(test_damaged_codes),
		cmocka_unit_test(test_the_secret_is_never_repeated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
