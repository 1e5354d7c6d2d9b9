#include "test.h"

#include "http/fields.h"
#include "http/mime.h"
#include "http/page.h"

static void makes_lines(void **state)
{
	AUTO(http_fields_donep) struct http_fields f = {0};

	http_fields_add(&f, STR("A"), STR("b c"));
	http_fields_add(&f, STR("Empty"), STR(""));
	http_fields_printf(&f, "N", "%d/%s", 7, "x");
	assert_true(str_eq(buf_str(&f.text), STR("A: b c\r\nEmpty: \r\nN: 7/x\r\n")));
	assert_false(f.failed);
	assert_false(f.has_date);
	http_fields_add(&f, STR("date"), STR("now"));
	assert_true(f.has_date);
}

static void nothing_breaks_out_of_a_line(void **state)
{
	static const struct {
		struct str name, value;
	} bad[] = {
		{{"A", 1}, {"b\r\nC: d", 7}}, {{"A", 1}, {"b\nc", 3}}, {{"A", 1}, {"b\0c", 3}},
		{{"A", 1}, {"b\x7f", 2}},     {{"A:", 2}, {"b", 1}},   {{"", 0}, {"b", 1}},
		{{"A B", 3}, {"b", 1}},	      {{"A\r", 2}, {"b", 1}},
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		AUTO(http_fields_donep) struct http_fields f = {0};

		http_fields_add(&f, bad[i].name, bad[i].value);
		assert_true(f.failed);
		http_fields_add(&f, STR("Good"), STR("one"));
		assert_int_equal(buf_len(&f.text), 0);
	}
}

static void is_bounded(void **state)
{
	AUTO(http_fields_donep) struct http_fields f = {0};

	for (size_t i = 0; i <= HTTP_FIELDS_TEXT_MAX / 10; i++)
		http_fields_add(&f, STR("Name"), STR("1234"));
	assert_true(f.failed);
	assert_true(buf_len(&f.text) <= HTTP_FIELDS_TEXT_MAX);
}

static void knows_media_types(void **state)
{
	assert_string_equal(http_mime(STR("index.html")), "text/html; charset=utf-8");
	assert_string_equal(http_mime(STR("a.b.HTML")), "text/html; charset=utf-8");
	assert_string_equal(http_mime(STR("x.svg")), "image/svg+xml");
	assert_string_equal(http_mime(STR("x.tar.gz")), "application/gzip");
	assert_string_equal(http_mime(STR("README")), "application/octet-stream");
	assert_string_equal(http_mime(STR("x.unheard-of")), "application/octet-stream");
	assert_string_equal(http_mime(STR("trailing.")), "application/octet-stream");
	assert_string_equal(http_mime(STR("")), "application/octet-stream");
}

static void escapes_html(void **state)
{
	AUTO(buf_donep) struct buf b = {0};
	AUTO(buf_donep) struct buf small = {.max = 3};

	assert_int_equal(http_page_escape(&b, STR("<a href=\"x\">&'é")), 0);
	assert_true(str_eq(buf_str(&b), STR("&lt;a href=&quot;x&quot;&gt;&amp;&#39;é")));
	assert_int_equal(http_page_escape(&small, STR("<>")), -ERR_LIMIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(makes_lines),	cmocka_unit_test(nothing_breaks_out_of_a_line),
		cmocka_unit_test(is_bounded),	cmocka_unit_test(knows_media_types),
		cmocka_unit_test(escapes_html),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
