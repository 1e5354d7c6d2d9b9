#include "test.h"

#include <string.h>

#include "base/buf.h"
#include "edge/filepath.h"

static void decodes(void **state)
{
	static const struct {
		const char *from, *to;
		bool folder;
	} table[] = {
		{"/", "", true},
		{"//", "", true},
		{"/a", "a", false},
		{"/a/", "a", true},
		{"/a/b.txt", "a/b.txt", false},
		{"//a///b//", "a/b", true},
		{"/a?b/../c", "a", false},
		{"/?x", "", true},
		{"/a%20b%2Bc+d", "a b+c+d", false},
		{"/sch%C3%B6ne%20Gr%c3%bc%c3%9fe.txt",
		 "sch\xc3\xb6ne Gr\xc3\xbc\xc3\x9f"
		 "e.txt",
		 false},
		{"/%ff%fe", "\xff\xfe", false},	  /* names are bytes */
		{"/a\\..\\b", "a\\..\\b", false}, /* a backslash is a letter like any other */
		{"/a%5c..%5cb", "a\\..\\b", false},
		{"/a..b/c..", "a..b/c..", false},
		{"/a.", "a.", false},
		{"/%41", "A", false},
		{"/%2541", "%41", false}, /* once, not twice */
		{"/.well-known/acme-challenge/x", ".well-known/acme-challenge/x", false},
		{"/~user", "~user", false},
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct edge_filepath path;

		if (edge_filepath_decode(str_of(table[i].from), &path, NULL) != 0)
			fail_msg("%s", table[i].from);
		assert_string_equal(path.text, table[i].to);
		assert_int_equal(path.len, strlen(table[i].to));
		assert_int_equal(path.folder, table[i].folder);
	}
}

static void refuses_what_leaves_or_hides(void **state)
{
	static const struct {
		const char *from;
		int r;
	} table[] = {
		{"", -ERR_INVALID},
		{"*", -ERR_INVALID},
		{"a", -ERR_INVALID},
		{"/%", -ERR_INVALID},
		{"/%4", -ERR_INVALID},
		{"/%4g", -ERR_INVALID},
		{"/%zz", -ERR_INVALID},
		{"/a%00b", -ERR_INVALID},
		{"/%00", -ERR_INVALID},
		{"/..", -ERR_NOT_FOUND},
		{"/../etc/passwd", -ERR_NOT_FOUND},
		{"/a/../../etc/passwd", -ERR_NOT_FOUND},
		{"/a/..", -ERR_NOT_FOUND},
		{"/a/./b", -ERR_NOT_FOUND},
		{"/.", -ERR_NOT_FOUND},
		{"/%2e%2e/etc/passwd", -ERR_NOT_FOUND},
		{"/%2E./x", -ERR_NOT_FOUND},
		{"/.%2e", -ERR_NOT_FOUND},
		{"/..%2fetc", -ERR_NOT_FOUND},
		{"/a%2f..%2f..%2fetc", -ERR_NOT_FOUND},
		{"/a%2Fb", -ERR_NOT_FOUND},
		{"/%2fetc/passwd", -ERR_NOT_FOUND},
		{"/.git/config", -ERR_NOT_FOUND},
		{"/a/.htpasswd", -ERR_NOT_FOUND},
		{"/%2egit", -ERR_NOT_FOUND},
		{"/...", -ERR_NOT_FOUND},
		{"//.ssh", -ERR_NOT_FOUND},
		{"/a/.well-known/x", -ERR_NOT_FOUND},
		{"/.well-known/.x", -ERR_NOT_FOUND},
		{"/.well-knownx", -ERR_NOT_FOUND},
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct edge_filepath path;
		int r = edge_filepath_decode(str_of(table[i].from), &path, NULL);

		if (r != table[i].r)
			fail_msg("%s: %d", table[i].from, r);
	}
}

static void limits_the_length(void **state)
{
	char text[2 * EDGE_FILEPATH_MAX];
	struct edge_filepath path;

	memset(text, 'a', sizeof(text));
	text[0] = '/';
	for (size_t n = EDGE_FILEPATH_MAX - 10; n < sizeof(text); n++) {
		int r = edge_filepath_decode(str_n(text, n), &path, NULL);

		assert_true(r == (n <= EDGE_FILEPATH_MAX - 2 ? 0 : -ERR_LIMIT) ||
			    (r == 0 && path.len < EDGE_FILEPATH_MAX));
	}
	for (size_t i = 1; i < sizeof(text); i += 2) /* many short names */
		text[i] = '/';
	assert_int_equal(edge_filepath_decode(str_n(text, sizeof(text)), &path, NULL), -ERR_LIMIT);
}

static void encodes_one_name(void **state)
{
	AUTO(buf_donep) struct buf b = {0};
	struct edge_filepath path;

	assert_int_equal(edge_filepath_encode(&b, STR("a-._~Z9")), 0);
	assert_true(str_eq(buf_str(&b), STR("a-._~Z9")));
	buf_consume(&b, buf_len(&b));
	assert_int_equal(edge_filepath_encode(&b, STR("/x: %\"<ö")), 0);
	assert_true(str_eq(buf_str(&b), STR("%2Fx%3A%20%25%22%3C%C3%B6")));
	buf_consume(&b, buf_len(&b));
	assert_int_equal(buf_append_str(&b, STR("/")), 0);
	assert_int_equal(edge_filepath_encode(&b, STR("what? a #1.txt")), 0);
	assert_int_equal(edge_filepath_decode(buf_str(&b), &path, NULL), 0);
	assert_string_equal(path.text, "what? a #1.txt");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decodes),
		cmocka_unit_test(refuses_what_leaves_or_hides),
		cmocka_unit_test(limits_the_length),
		cmocka_unit_test(encodes_one_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
