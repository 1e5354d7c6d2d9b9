#include "test.h"

#include "net/backoff.h"

static void assert_about(usec_t got, usec_t want)
{
	assert_in_range(got, want - want / 5, want + want / 5);
}

static void test_doubles_up_to_most(void **state)
{
	struct backoff b = {.first = USEC_PER_S, .most = 10 * USEC_PER_S};
	static const int want_s[] = {1, 2, 4, 8, 10, 10, 10};

	for (size_t i = 0; i < sizeof(want_s) / sizeof(want_s[0]); i++)
		assert_about(backoff_next(&b), (usec_t)want_s[i] * USEC_PER_S);
	backoff_reset(&b);
	assert_about(backoff_next(&b), USEC_PER_S);
}

static void test_extremes(void **state)
{
	struct backoff constant = {.first = 700 * USEC_PER_MS, .most = 700 * USEC_PER_MS};
	struct backoff most_below_first = {.first = 9, .most = 5};
	struct backoff huge = {.first = USEC_MAX / 4, .most = USEC_MAX / 2};

	for (int i = 0; i < 100; i++) {
		assert_about(backoff_next(&constant), 700 * USEC_PER_MS);
		assert_about(backoff_next(&most_below_first), 5);
		assert_true(backoff_next(&huge) >= USEC_MAX / 4 / 5 * 4);
	}
	assert_int_equal(backoff_jitter(0), 0);
}

static void test_jitter_spreads(void **state)
{
	usec_t least = USEC_MAX, most = 0;

	for (int i = 0; i < 1000; i++) {
		usec_t span = backoff_jitter(1000);

		assert_in_range(span, 800, 1200);
		least = span < least ? span : least;
		most = span > most ? span : most;
	}
	assert_true(least < 850 && most > 1150);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_doubles_up_to_most),
		cmocka_unit_test(test_extremes),
		cmocka_unit_test(test_jitter_spreads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
