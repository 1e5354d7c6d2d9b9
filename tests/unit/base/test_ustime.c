#include "test.h"

#include "base/cleanup.h"
#include "base/ustime.h"

static void test_spans(void **state)
{
	static const struct {
		usec_t span;
		const char *text;
	} rows[] = {
		{0, "0 s"},
		{350 * USEC_PER_MS, "350 ms"},
		{USEC_PER_S - 1, "999 ms"},
		{USEC_PER_S, "1 s"},
		{1500 * USEC_PER_MS, "1.5 s"},
		{9999 * USEC_PER_MS, "9.9 s"}, /* "10.0 s" would be another kind of number */
		{10 * USEC_PER_S, "10 s"},
		{119 * USEC_PER_S, "119 s"},
		{120 * USEC_PER_S, "2 min"},
		{7199 * USEC_PER_S, "119 min"},
		{7200 * USEC_PER_S, "2 h"},
		{47 * 3600 * USEC_PER_S, "47 h"},
		{48 * 3600 * USEC_PER_S, "2 d"},
		{USEC_MAX, "213503982 d"},
	};
	char text[USTIME_TEXT_MAX];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_string_equal(ustime_format_span(text, rows[i].span), rows[i].text);
}

static void test_wall(void **state)
{
	char text[USTIME_TEXT_MAX];

	assert_string_equal(ustime_format_wall(text, 0), "1970-01-01T00:00:00Z");
	assert_string_equal(ustime_format_wall(text, 1769903999 * USEC_PER_S + 999999),
			    "2026-01-31T23:59:59Z");
}

static void test_clocks(void **state)
{
	usec_t boot = ustime_boot();

	assert_true(boot > 0);
	assert_true(ustime_boot() >= boot);
	assert_true(ustime_wall() > 1700000000 * USEC_PER_S);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_spans),
		cmocka_unit_test(test_wall),
		cmocka_unit_test(test_clocks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
