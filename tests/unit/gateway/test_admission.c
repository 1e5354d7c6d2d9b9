#include "test.h"

#include <pthread.h>

#include "gateway/admission.h"

#define NOW (1000 * USEC_PER_S)

static void limits_visitors_at_once(void **state)
{
	struct admission_limits limits = {.visitors_max = 2, .new_s = 1000};
	struct registry_stats stats = {0};

	assert_int_equal(admission_enter(&stats, &limits, NOW), ADMISSION_GRANTED);
	assert_int_equal(admission_enter(&stats, &limits, NOW), ADMISSION_GRANTED);
	assert_int_equal(admission_enter(&stats, &limits, NOW), ADMISSION_FULL);
	admission_leave(&stats);
	assert_int_equal(admission_enter(&stats, &limits, NOW), ADMISSION_GRANTED);
	assert_int_equal(stats.visitors, 2);
	assert_int_equal(stats.visitors_total, 3);
	assert_int_equal(stats.refused_full, 1);
	assert_int_equal(stats.refused_fast, 0);
}

static unsigned come(struct registry_stats *stats, unsigned n, usec_t now)
{
	struct admission_limits limits = {.visitors_max = 100000, .new_s = 50};
	unsigned granted = 0;

	for (unsigned i = 0; i < n; i++)
		granted += admission_enter(stats, &limits, now) == ADMISSION_GRANTED;
	return granted;
}

static void limits_new_visitors_a_second(void **state)
{
	struct registry_stats stats = {0};

	assert_in_range(come(&stats, 1000, NOW), 500, 501); /* ten seconds' worth */
	assert_int_equal(come(&stats, 1000, NOW), 0);
	assert_int_equal(come(&stats, 1000, NOW + USEC_PER_S), 50);
	assert_in_range(come(&stats, 1000, NOW + 100 * USEC_PER_S), 500, 501);
	assert_int_equal(stats.visitors, stats.visitors_total);
	assert_int_equal(stats.refused_fast + stats.visitors_total, 4000);
}

/* ── from all threads ── */

static void *crowd(void *arg)
{
	struct admission_limits limits = {.visitors_max = 3, .new_s = 1000000};
	struct registry_stats *stats = arg;

	for (int i = 0; i < 20000; i++)
		if (admission_enter(stats, &limits, NOW + (usec_t)i) == ADMISSION_GRANTED)
			admission_leave(stats);
	return NULL;
}

static void threads_agree(void **state)
{
	struct registry_stats stats = {0};
	pthread_t threads[4];

	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, crowd, &stats), 0);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(stats.visitors, 0);
	assert_int_equal(stats.visitors_total + stats.refused_full + stats.refused_fast, 80000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(limits_visitors_at_once),
		cmocka_unit_test(limits_new_visitors_a_second),
		cmocka_unit_test(threads_agree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
