#include "test.h"

#include <stdio.h>

#include "base/buf.h"
#include "map/xml.h"

/* Every element as it closes: "depth name=text;" */
static void on_open(void *arg, unsigned depth, struct str name)
{
}

static void on_close(void *arg, unsigned depth, struct str name, struct str text)
{
	assert_int_equal(buf_printf(arg, "%u %.*s=%.*s;", depth, STR_ARG(name), STR_ARG(text)), 0);
}

static int read_to(struct buf *to, struct str body, struct err *e)
{
	struct xml_handler handler = {.open = on_open, .close = on_close, .arg = to};

	return xml_read(body, &handler, e);
}

static void reads(struct str body, const char *expected)
{
	AUTO(buf_donep) struct buf got = {0};
	struct err e = {0};

	if (read_to(&got, body, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(buf_append(&got, "", 1), 0);
	assert_string_equal((char *)buf_head(&got), expected);
}

static void refuses(struct str body, int code, const char *text)
{
	AUTO(buf_donep) struct buf got = {0};
	struct err e = {0};

	assert_int_equal(read_to(&got, body, &e), -code);
	assert_non_null(strstr(e.text, text));
}

static void elements_and_text(void **state)
{
	reads(STR("<a><b> x y\t</b><c/><d>&lt;&amp;&#65;<![CDATA[<z>]]></d></a>"),
	      "2 b=x y;2 c=;2 d=<&A<z>;1 a=;");
	reads(STR("<a>text<b>x</b>more</a>"), "2 b=x;1 a=;"); /* only leaves have text */
	reads(STR("<s:a xmlns:s='x'><u:b>1</u:b></s:a>"), "2 b=1;1 a=;");
}

static void what_devices_send_around_it(void **state)
{
	reads(STR("\r\n\r\n<?xml version=\"1.0\"?><a>1</a>\n\0\0"), "1 a=1;");
	reads(STR("\xef\xbb\xbf<?xml version=\"1.0\"?><a>1</a>"), "1 a=1;");
	reads(STR("<?xml version=\"1.0\" encoding=\"utf8\"?><a>1</a>"), "1 a=1;");
	reads(STR("<?xml version=\"1.0\" encoding=\"GB2312\"?><a>x\xd3</a>"), "1 a=x\xc3\x93;");
	reads(STR("<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><a>\xe9</a>"), "1 a=\xc3\xa9;");
}

static void no_document_types(void **state)
{
	refuses(STR("<!DOCTYPE a><a/>"), ERR_DENIED, "document type in line 1");
	refuses(STR("<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>"), ERR_DENIED, "document type");
	refuses(STR("<!DOCTYPE a SYSTEM 'http://198.51.100.1/'><a/>"), ERR_DENIED, "document type");
	refuses(STR("<!DOCTYPE a [<!ENTITY % p SYSTEM 'file:///etc/passwd'> %p;]><a/>"), ERR_DENIED,
		"document type");
	refuses(STR("<a>&b;</a>"), ERR_INVALID, "undefined entity");
}

static void not_well_formed(void **state)
{
	refuses(STR(""), ERR_INVALID, "empty");
	refuses(STR(" \n\0"), ERR_INVALID, "empty");
	refuses(STR("<a>\n<b></a>"), ERR_INVALID, "mismatched tag in line 2");
	refuses(STR("<a><b>"), ERR_INVALID, "no element found");
	refuses(STR("<a>\xff</a>"), ERR_INVALID, "invalid token");
	refuses(STR("<a>x\0y</a>"), ERR_INVALID, "invalid token");
	refuses(STR("GET / HTTP/1.1"), ERR_INVALID, "syntax error");
}

/* <a><a>…</a></a>, so many deep. */
static void nested(struct buf *to, unsigned depth)
{
	for (unsigned i = 0; i < depth; i++)
		assert_int_equal(buf_append_str(to, STR("<a>")), 0);
	for (unsigned i = 0; i < depth; i++)
		assert_int_equal(buf_append_str(to, STR("</a>")), 0);
}

static void depth_has_an_end(void **state)
{
	AUTO(buf_donep) struct buf fits = {0}, too_deep = {0}, got = {0};

	nested(&fits, XML_DEPTH_MAX);
	assert_int_equal(read_to(&got, buf_str(&fits), NULL), 0);
	nested(&too_deep, XML_DEPTH_MAX + 1);
	refuses(buf_str(&too_deep), ERR_LIMIT, "nested deeper than 32");
	refuses(STR("<a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a>"
		    "<a><a><a><a><a><a><a/>"),
		ERR_LIMIT, "nested deeper than 32"); /* an empty one's end is told all the same */
}

/* A document of so many bytes, most of them in one element's text. */
static void filled(struct buf *to, size_t len)
{
	static const char before[] = "<a><b>", behind[] = "</b><c>1</c></a>";

	assert_int_equal(buf_append(to, before, sizeof(before) - 1), 0);
	for (size_t i = len - (sizeof(before) - 1) - (sizeof(behind) - 1); i > 0; i--)
		assert_int_equal(buf_append(to, "x", 1), 0);
	assert_int_equal(buf_append(to, behind, sizeof(behind) - 1), 0);
}

static void length_has_an_end(void **state)
{
	AUTO(buf_donep) struct buf fits = {0}, too_long = {0};

	filled(&fits, XML_BODY_MAX);
	reads(buf_str(&fits), "2 b=;2 c=1;1 a=;"); /* and what is too long for a text is none */
	filled(&too_long, XML_BODY_MAX + 1);
	refuses(buf_str(&too_long), ERR_LIMIT, "more than 128 KiB");
}

static void text_has_an_end(void **state)
{
	static const char before[] = "<a>", behind[] = "</a>";
	AUTO(buf_donep) struct buf got = {0};

	for (size_t len = XML_TEXT_MAX - 1; len <= XML_TEXT_MAX + 1; len++) {
		AUTO(buf_donep) struct buf doc = {0};

		assert_int_equal(buf_append(&doc, before, 3), 0);
		for (size_t i = 0; i < len; i++)
			assert_int_equal(buf_append(&doc, "x", 1), 0);
		assert_int_equal(buf_append(&doc, behind, 4), 0);
		buf_consume(&got, buf_len(&got));
		assert_int_equal(read_to(&got, buf_str(&doc), NULL), 0);
		assert_int_equal(buf_len(&got), len <= XML_TEXT_MAX ? len + 5 : 5);
	}
}

static void printable(const char *text, size_t size, const char *expected)
{
	char to[64];

	assert_string_equal(xml_printable(to, size, str_of(text)), expected);
}

static void text_for_people(void **state)
{
	printable("FRITZ!Box", 64, "FRITZ!Box");
	printable("a\tb\x1b[31m", 64, "a\\x09b\\x1b[31m");
	printable("abcdef", 4, "abc");
	printable("ab\xc3\xa9", 5, "ab\xc3\xa9");
	printable("ab\xc3\xa9", 4, "ab");
	printable("a\xe2\x82\xac", 4, "a");
	printable("", 4, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(elements_and_text), cmocka_unit_test(what_devices_send_around_it),
		cmocka_unit_test(no_document_types), cmocka_unit_test(not_well_formed),
		cmocka_unit_test(depth_has_an_end),  cmocka_unit_test(length_has_an_end),
		cmocka_unit_test(text_has_an_end),   cmocka_unit_test(text_for_people),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
