#include "test.h"

#include "base/cleanup.h"
#include "map/schedule.h"

#define LEAST 0u
#define MOST  UINT32_MAX

#define S(n) ((usec_t)((n)*1e6))

static void expect(usec_t got, usec_t from, usec_t to)
{
	if (got < from || got > to)
		fail_msg("%ju is not in %ju..%ju", (uintmax_t)got, (uintmax_t)from, (uintmax_t)to);
}

/* The windows of RFC 6887 §11.2.1, from their beginning to their end, but a hair. */
static void renews_within_the_windows(void **state)
{
	static const struct {
		double from, to; /* of the lifetime */
	} windows[] = {
		{1 / 2.0, 5 / 8.0},
		{3 / 4.0, 13 / 16.0},
		{7 / 8.0, 29 / 32.0},
		{15 / 16.0, 61 / 64.0},
	};
	static const double lifetimes[] = {120, 7200, 86400};

	for (size_t i = 0; i < ARRAY_LEN(lifetimes); i++) {
		usec_t early = 0, late = 0;

		for (size_t n = 0; n < ARRAY_LEN(windows); n++) {
			usec_t from = S(lifetimes[i] * windows[n].from);
			usec_t to = S(lifetimes[i] * windows[n].to);

			early = schedule_renewal((uint32_t)lifetimes[i], early, LEAST);
			late = schedule_renewal((uint32_t)lifetimes[i], late, MOST);
			assert_int_equal(early, from);
			expect(late, to - USEC_PER_MS, to);
			/* one half of the randomness, one half of the window */
			if (n == 0)
				assert_int_equal(
					schedule_renewal((uint32_t)lifetimes[i], 0, 1u << 31),
					(from + to) / 2);
		}
	}
}

/* 120 s, nobody answers: 60, 90, 105, 112.5, then 4 s apart, none after the end. */
static void never_asks_in_a_flood(void **state)
{
	static const double ages[] = {60, 90, 105, 112.5, 116.5};
	usec_t age = 0;

	for (size_t i = 0; i < ARRAY_LEN(ages); i++) {
		age = schedule_renewal(120, age, LEAST);
		assert_int_equal(age, S(ages[i]));
	}
	assert_int_equal(schedule_renewal(120, age, LEAST), SCHEDULE_NEVER);
	assert_int_equal(schedule_renewal(120, age, MOST), SCHEDULE_NEVER);
}

static void keeps_its_distance_with_any_lifetime(void **state)
{
	static const uint32_t lifetimes[] = {
		1,	   2,	3,    4,    5,	   7,	   8,	   9,	     10,
		33,	   120, 3600, 7200, 86400, 604800, 604801, 1u << 31, UINT32_MAX - 1,
		UINT32_MAX};
	static const uint32_t randoms[] = {LEAST, 1u << 31, MOST};

	for (size_t i = 0; i < ARRAY_LEN(lifetimes) * ARRAY_LEN(randoms); i++) {
		uint32_t lifetime = lifetimes[i / ARRAY_LEN(randoms)];
		uint32_t random = randoms[i % ARRAY_LEN(randoms)];
		usec_t age = 0, next;
		int n;

		for (n = 0; n < 40; n++, age = next) {
			next = schedule_renewal(lifetime, age, random);
			if (next == SCHEDULE_NEVER)
				break;
			assert_true(next >= age + SCHEDULE_RENEWAL_GAP);
			assert_true(next < lifetime * USEC_PER_S || n == 0);
		}
		assert_in_range(n, 1, 39); /* asked for once at least, and it ends */
	}
}

static void a_lease_too_short(void **state)
{
	/* asked for anew although it ended long ago: but not ten times a second */
	assert_int_equal(schedule_renewal(1, 0, LEAST), S(4));
	assert_int_equal(schedule_renewal(1, 0, MOST), S(4));
	assert_int_equal(schedule_renewal(1, S(4), LEAST), SCHEDULE_NEVER);
	assert_int_equal(schedule_renewal(5, 0, LEAST), S(4));
	assert_int_equal(schedule_renewal(8, 0, LEAST), S(4));
	expect(schedule_renewal(8, 0, MOST), S(5) - USEC_PER_MS, S(5));
	/* the machine slept through its end */
	assert_int_equal(schedule_renewal(7200, S(90000), LEAST), SCHEDULE_NEVER);
	assert_int_equal(schedule_renewal(7200, S(7200), MOST), SCHEDULE_NEVER);
	assert_int_equal(schedule_renewal(7200, USEC_MAX - S(10), MOST), SCHEDULE_NEVER);
}

static void a_lease_without_end(void **state)
{
	usec_t week = S(SCHEDULE_LIFETIME_MAX_S);

	assert_int_equal(schedule_renewal(0, 0, LEAST), SCHEDULE_NEVER);
	assert_int_equal(schedule_renewal(UINT32_MAX, 0, LEAST), week / 2);
	expect(schedule_renewal(UINT32_MAX, 0, MOST), week / 8 * 5 - USEC_PER_MS, week / 8 * 5);
	assert_int_equal(schedule_renewal(604800, 0, LEAST), week / 2);
}

static void sends_again(void **state)
{
	assert_int_equal(schedule_resend(1), 250 * USEC_PER_MS);
	assert_int_equal(schedule_resend(2), 500 * USEC_PER_MS);
	assert_int_equal(schedule_resend(3), 1000 * USEC_PER_MS);
	assert_int_equal(schedule_resend(4), 2000 * USEC_PER_MS);
	assert_int_equal(schedule_resend(5), SCHEDULE_NEVER);
	assert_int_equal(schedule_resend(UINT32_MAX), SCHEDULE_NEVER);
}

static void tries_again(void **state)
{
	double span = 3;

	for (unsigned failures = 1; failures < 20; failures++) {
		assert_int_equal(schedule_retry(failures, LEAST), S(span * 0.9));
		expect(schedule_retry(failures, MOST), S(span * 1.1) - USEC_PER_MS, S(span * 1.1));
		span = MIN(span * 2, 1024);
	}
	assert_int_equal(schedule_retry(UINT32_MAX, LEAST), S(1024 * 0.9));
}

static void honours_a_pause(void **state)
{
	assert_int_equal(schedule_refused(0), S(30));
	assert_int_equal(schedule_refused(30), S(30));
	assert_int_equal(schedule_refused(31), S(31));
	assert_int_equal(schedule_refused(1800), S(1800));
	assert_int_equal(schedule_refused(1801), S(1800));
	assert_int_equal(schedule_refused(UINT32_MAX), S(1800));
}

static void creates_again(void **state)
{
	assert_int_equal(schedule_recreate(LEAST), 0);
	expect(schedule_recreate(MOST), SCHEDULE_RECREATE_MAX - USEC_PER_MS, SCHEDULE_RECREATE_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(renews_within_the_windows),
		cmocka_unit_test(never_asks_in_a_flood),
		cmocka_unit_test(keeps_its_distance_with_any_lifetime),
		cmocka_unit_test(a_lease_too_short),
		cmocka_unit_test(a_lease_without_end),
		cmocka_unit_test(sends_again),
		cmocka_unit_test(tries_again),
		cmocka_unit_test(honours_a_pause),
		cmocka_unit_test(creates_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
