#include "test.h"

#include <stdio.h>

#include "conf/ini.h"

static void reads_items(void **state)
{
	static const char text[] = "\xef\xbb\xbf# comment\n"
				   "  ; another\r\n"
				   "\n"
				   "[gateway]\n"
				   " address = gw.example.org \t\r\n"
				   "\t[ service  blog two ]\n"
				   "to=http://127.0.0.1/?a=b#c ; d \"e\"\n"
				   "na-me_1.x = \xc3\xbc \xff\n"
				   "empty =\n"
				   "last = 1";
	static const struct {
		enum ini_kind kind;
		unsigned line;
		const char *key, *value;
	} want[] = {
		{INI_SECTION, 4, "gateway", ""},
		{INI_PAIR, 5, "address", "gw.example.org"},
		{INI_SECTION, 6, "service", "blog two"},
		{INI_PAIR, 7, "to", "http://127.0.0.1/?a=b#c ; d \"e\""},
		{INI_PAIR, 8, "na-me_1.x", "\xc3\xbc \xff"},
		{INI_PAIR, 9, "empty", ""},
		{INI_PAIR, 10, "last", "1"},
	};
	struct ini ini = ini_over(str_n(text, sizeof(text) - 1));
	struct ini_item item;
	struct err e = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		assert_int_equal(ini_next(&ini, &item, &e), 1);
		assert_int_equal(item.kind, want[i].kind);
		assert_int_equal(item.line, want[i].line);
		assert_true(str_eq(item.key, str_of(want[i].key)));
		assert_true(str_eq(item.value, str_of(want[i].value)));
	}
	assert_int_equal(ini_next(&ini, &item, &e), 0);
	assert_int_equal(ini_next(&ini, &item, &e), 0);
	assert_int_equal(ini.line, 10);
}

static void refuses(void **state)
{
	static const struct {
		struct str text;
		unsigned line;
		const char *error;
	} cases[] = {
		{STR("word"), 1, "expected \"key = value\" or \"[section]\""},
		{STR("\n\n= b"), 3, "bad key in front of \"=\""},
		{STR("a b = c"), 1, "bad key in front of \"=\""},
		{STR("a\xc3\xbc = c"), 1, "bad key in front of \"=\""},
		{STR("[a"), 1, "\"[\" without \"]\""},
		{STR("[a] # b"), 1, "text behind \"]\" (a comment has its own line)"},
		{STR("[]"), 1, "bad section name"},
		{STR("[ ]"), 1, "bad section name"},
		{STR("[a/b c]"), 1, "bad section name"},
		{STR("#\n# \0\n"), 2, "control character 0x00"},
		{STR("a = b\x1b[2J"), 1, "control character 0x1b"},
		{STR("a = b\r\r\n"), 1, "control character 0x0d"},
		{STR("a = b\rc = d\n"), 1, "control character 0x0d"},
		{STR("a = \x7f"), 1, "control character 0x7f"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct ini ini = ini_over(cases[i].text);
		struct ini_item item = {.line = 99};
		struct err e = {0};

		assert_int_equal(ini_next(&ini, &item, &e), -ERR_INVALID);
		assert_string_equal(e.text, cases[i].error);
		assert_int_equal(ini.line, cases[i].line);
		assert_int_equal(item.line, 99);
	}
}

static void has_a_longest_line(void **state)
{
	char text[INI_LINE_MAX + 16];
	struct ini_item item;
	struct ini ini;
	struct err e;

	(void)state;
	memset(text, 'x', sizeof(text));
	memcpy(text, "a = ", 4);
	memcpy(text + INI_LINE_MAX, "\r\n", 2);
	ini = ini_over(str_n(text, INI_LINE_MAX + 2));
	assert_int_equal(ini_next(&ini, &item, &e), 1);
	assert_int_equal(item.value.len, INI_LINE_MAX - 4);

	ini = ini_over(str_n(text + 1, sizeof(text) - 1));
	text[1] = 'a';
	memcpy(text + INI_LINE_MAX, "xx\n", 3);
	assert_int_equal(ini_next(&ini, &item, &e), -ERR_INVALID);
	assert_string_equal(e.text, "line is longer than 4096 bytes");
}

static void reads_nothing(void **state)
{
	struct ini_item item;
	struct ini ini = ini_over((struct str){0});

	(void)state;
	assert_int_equal(ini_next(&ini, &item, NULL), 0);
	assert_int_equal(ini.line, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_items),
		cmocka_unit_test(refuses),
		cmocka_unit_test(has_a_longest_line),
		cmocka_unit_test(reads_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
