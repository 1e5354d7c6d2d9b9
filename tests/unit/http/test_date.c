#include "test.h"

#include "base/cleanup.h"
#include "http/date.h"

static void formats_as_imf_fixdate(void **state)
{
	char text[HTTP_DATE_MAX];

	assert_string_equal(http_date_format(text, 784111777), "Sun, 06 Nov 1994 08:49:37 GMT");
	assert_string_equal(http_date_format(text, 0), "Thu, 01 Jan 1970 00:00:00 GMT");
	assert_string_equal(http_date_format(text, 1709210096), "Thu, 29 Feb 2024 12:34:56 GMT");
	assert_string_equal(http_date_format(text, INT64_MAX), "Thu, 01 Jan 1970 00:00:00 GMT");
}

static void reads_all_three_forms(void **state)
{
	static const char *const good[] = {"Sun, 06 Nov 1994 08:49:37 GMT",
					   "Sunday, 06-Nov-94 08:49:37 GMT",
					   "Sun Nov  6 08:49:37 1994"};

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		int64_t s = 0;

		assert_true(http_date_parse(str_of(good[i]), &s));
		assert_int_equal(s, 784111777);
	}
}

static void refuses_what_is_no_date(void **state)
{
	static const char *const bad[] = {
		"",
		"tomorrow",
		"784111777",
		"Sun, 06 Nov 1994 08:49:37",
		"Sun, 06 Nov 1994 08:49:37 GMT ",
		"Sun, 06 Nov 1994 08:49:37 CET",
		"Sun, 46 Nov 1994 08:49:37 GMT",
		"Sun, 06 Nov 1994 24:49:37 GMT",
		"Sun, 06 Nox 1994 08:49:37 GMT",
		"Sun, 06 Nov 1994 08:49:37 GMT and much more behind it",
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		int64_t s = 7;

		assert_false(http_date_parse(str_of(bad[i]), &s));
		assert_int_equal(s, 7);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(formats_as_imf_fixdate),
		cmocka_unit_test(reads_all_three_forms),
		cmocka_unit_test(refuses_what_is_no_date),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
