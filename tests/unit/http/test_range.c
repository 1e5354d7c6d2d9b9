#include "test.h"

#include <stdio.h>
#include <string.h>

#include "http/date.h"
#include "http/range.h"

#define ETAG	 "\"abc\""
#define MODIFIED 784111777 /* Sun, 06 Nov 1994 08:49:37 GMT */
#define AT	 "Sun, 06 Nov 1994 08:49:37 GMT"
#define BEFORE	 "Sun, 06 Nov 1994 08:49:36 GMT"
#define AFTER	 "Sun, 06 Nov 1994 08:49:38 GMT"

static const struct http_validators validators = {
	{ETAG, sizeof(ETAG) - 1}, MODIFIED, MODIFIED + 60};

static void parse(const char *method, const char *fields, struct httphead *head, char *text)
{
	int n = sprintf(text, "%s / HTTP/1.1\r\nHost: a\r\n%s\r\n", method, fields);

	assert_int_equal(httphead_parse(text, (size_t)n, head, NULL), 0);
}

static void conditions(void **state)
{
	static const struct {
		const char *fields;
		enum http_verdict verdict;
	} table[] = {
		{"", HTTP_SEND},
		{"If-None-Match: " ETAG "\r\n", HTTP_NOT_MODIFIED},
		{"If-None-Match: W/" ETAG "\r\n", HTTP_NOT_MODIFIED},
		{"If-None-Match: \"x\", " ETAG "\r\n", HTTP_NOT_MODIFIED},
		{"If-None-Match: \"x\",," ETAG ",\"y\"\r\n", HTTP_NOT_MODIFIED},
		{"If-None-Match: \"x\"\r\nIf-None-Match: " ETAG "\r\n", HTTP_NOT_MODIFIED},
		{"If-None-Match: *\r\n", HTTP_NOT_MODIFIED},
		{"If-None-Match: \"x\"\r\n", HTTP_SEND},
		{"If-None-Match: abc\r\n", HTTP_SEND},
		{"If-None-Match: \"abc\r\n", HTTP_SEND},
		{"If-None-Match:\r\n", HTTP_SEND},
		/* an entity tag outweighs a date */
		{"If-None-Match: \"x\"\r\nIf-Modified-Since: " AT "\r\n", HTTP_SEND},
		{"If-Modified-Since: " AT "\r\n", HTTP_NOT_MODIFIED},
		{"If-Modified-Since: " AFTER "\r\n", HTTP_NOT_MODIFIED},
		{"If-Modified-Since: " BEFORE "\r\n", HTTP_SEND},
		{"If-Modified-Since: yesterday\r\n", HTTP_SEND},
		{"If-Match: " ETAG "\r\n", HTTP_SEND},
		{"If-Match: *\r\n", HTTP_SEND},
		{"If-Match: W/" ETAG "\r\n", HTTP_PRECONDITION_FAILED},
		{"If-Match: \"x\"\r\n", HTTP_PRECONDITION_FAILED},
		{"If-Match: \"x\"\r\nIf-None-Match: " ETAG "\r\n", HTTP_PRECONDITION_FAILED},
		{"If-Match: " ETAG "\r\nIf-Unmodified-Since: " BEFORE "\r\n", HTTP_SEND},
		{"If-Unmodified-Since: " AT "\r\n", HTTP_SEND},
		{"If-Unmodified-Since: " BEFORE "\r\n", HTTP_PRECONDITION_FAILED},
		{"If-Unmodified-Since: soon\r\n", HTTP_SEND},
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct httphead head;
		char text[512];

		parse("GET", table[i].fields, &head, text);
		if (http_precondition(&head, &validators) != table[i].verdict)
			fail_msg("%s", table[i].fields);
	}
}

static void ranges(void **state)
{
	enum { WHOLE = HTTP_RANGE_WHOLE, PART = HTTP_RANGE_PART, NONE = HTTP_RANGE_UNSATISFIABLE };
	static const struct {
		const char *fields;
		uint64_t size;
		int verdict;
		uint64_t first, last;
	} table[] = {
		{"", 100, WHOLE},
		{"Range: bytes=0-0\r\n", 100, PART, 0, 0},
		{"Range: bytes=0-99\r\n", 100, PART, 0, 99},
		{"Range: bytes=10-19\r\n", 100, PART, 10, 19},
		{"Range: BYTES=10-\r\n", 100, PART, 10, 99},
		{"Range: bytes=10-1000\r\n", 100, PART, 10, 99},
		{"Range: bytes=99-\r\n", 100, PART, 99, 99},
		{"Range: bytes=100-\r\n", 100, NONE},
		{"Range: bytes=100-200\r\n", 100, NONE},
		{"Range: bytes=-1\r\n", 100, PART, 99, 99},
		{"Range: bytes=-100\r\n", 100, PART, 0, 99},
		{"Range: bytes=-1000\r\n", 100, PART, 0, 99},
		{"Range: bytes=-0\r\n", 100, NONE},
		{"Range: bytes=18446744073709551615-\r\n", 100, NONE},
		{"Range: bytes=0-18446744073709551615\r\n", 100, PART, 0, 99},
		{"Range: bytes=0-0,5-6\r\n", 100, WHOLE},
		{"Range: bytes=19-10\r\n", 100, WHOLE},
		{"Range: bytes=-\r\n", 100, WHOLE},
		{"Range: bytes=\r\n", 100, WHOLE},
		{"Range: bytes\r\n", 100, WHOLE},
		{"Range: bytes=a-b\r\n", 100, WHOLE},
		{"Range: bytes=1-2-3\r\n", 100, WHOLE},
		{"Range: bytes=+1-2\r\n", 100, WHOLE},
		{"Range: bytes=99999999999999999999-\r\n", 100, WHOLE},
		{"Range: lines=1-2\r\n", 100, WHOLE},
		{"Range: bytes=0-\r\n", 0, WHOLE},
		{"Range: bytes=-5\r\n", 0, WHOLE},
		{"Range: bytes=0-0\r\nIf-Range: " ETAG "\r\n", 100, PART, 0, 0},
		{"Range: bytes=0-0\r\nIf-Range: W/" ETAG "\r\n", 100, WHOLE},
		{"Range: bytes=0-0\r\nIf-Range: \"x\"\r\n", 100, WHOLE},
		{"Range: bytes=0-0\r\nIf-Range: " AT "\r\n", 100, PART, 0, 0},
		{"Range: bytes=0-0\r\nIf-Range: " AFTER "\r\n", 100, WHOLE},
		{"Range: bytes=0-0\r\nIf-Range: " BEFORE "\r\n", 100, WHOLE},
		{"Range: bytes=0-0\r\nIf-Range: x\r\n", 100, WHOLE},
		{"Range: bytes=200-\r\nIf-Range: \"x\"\r\n", 100, WHOLE},
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		uint64_t first = 0, last = 0;
		struct httphead head;
		char text[512];
		int verdict;

		parse("GET", table[i].fields, &head, text);
		verdict = (int)http_range(&head, &validators, table[i].size, &first, &last);
		if (verdict != table[i].verdict || first != table[i].first || last != table[i].last)
			fail_msg("%s: %d %lu-%lu", table[i].fields, verdict, (unsigned long)first,
				 (unsigned long)last);
	}
}

static void a_range_is_for_get(void **state)
{
	struct httphead head;
	uint64_t first, last;
	char text[512];

	parse("HEAD", "Range: bytes=0-0\r\n", &head, text);
	assert_int_equal(http_range(&head, &validators, 100, &first, &last), HTTP_RANGE_WHOLE);
}

static void a_young_date_is_weak(void **state)
{
	struct http_validators young = validators;
	struct httphead head;
	uint64_t first, last;
	char text[512];

	parse("GET", "Range: bytes=0-0\r\nIf-Range: " AT "\r\n", &head, text);
	for (int age = -1; age < 60; age++) {
		young.now_s = MODIFIED + age;
		assert_int_equal(http_range(&head, &young, 100, &first, &last), HTTP_RANGE_WHOLE);
	}
	young.now_s = MODIFIED + 60;
	assert_int_equal(http_range(&head, &young, 100, &first, &last), HTTP_RANGE_PART);
	/* an entity tag is strong at any age */
	young.now_s = MODIFIED;
	parse("GET", "Range: bytes=0-0\r\nIf-Range: " ETAG "\r\n", &head, text);
	assert_int_equal(http_range(&head, &young, 100, &first, &last), HTTP_RANGE_PART);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(conditions),
		cmocka_unit_test(ranges),
		cmocka_unit_test(a_range_is_for_get),
		cmocka_unit_test(a_young_date_is_weak),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
