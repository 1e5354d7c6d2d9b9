#include "test.h"

#include "base/cleanup.h"
#include "map/epoch.h"

/* Far from 0, as the clock of a machine is that has been up for some days. */
#define START (300000 * USEC_PER_S)

/* Whether a server that said `from` is thought to have lost its state when it says `to` a while
 * later. */
static bool lost(uint32_t from, usec_t passed, uint32_t to)
{
	struct epoch epoch = {0};

	assert_false(epoch_note(&epoch, START, from));
	return epoch_note(&epoch, START + passed, to);
}

static void the_first_is_never_a_loss(void **state)
{
	static const uint32_t values[] = {0, 1, 100, UINT32_MAX};

	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		struct epoch epoch = {0};

		assert_false(epoch_note(&epoch, 0, values[i]));
		epoch = (struct epoch){0};
		assert_false(epoch_note(&epoch, START, values[i]));
	}
}

static void time_goes_on(void **state)
{
	assert_false(lost(1000, 0, 1000));
	assert_false(lost(1000, 3600 * USEC_PER_S, 4600));
	assert_false(lost(0, 0, 0));
	assert_false(lost(0, 86400 * USEC_PER_S, 86400));
}

static void back_by_a_second_is_excused(void **state)
{
	assert_false(lost(1000, 0, 999));
	assert_true(lost(1000, 0, 998));
	assert_false(lost(1, 0, 0));
	assert_true(lost(2, 0, 0));
	/* 1 s back while 1 s passed: still within the 2 s; not while 2 s passed */
	assert_false(lost(1000, USEC_PER_S, 999));
	assert_true(lost(1000, 2 * USEC_PER_S, 999));
}

/* client_delta + 2 < server_delta - server_delta / 16 */
static void a_server_too_fast(void **state)
{
	/* 0 s passed: 2 - 0 = 2 is the most */
	assert_false(lost(1000, 0, 1002));
	assert_true(lost(1000, 0, 1003));
	/* 30 s: 34 - 2 = 32 */
	assert_false(lost(1000, 30 * USEC_PER_S, 1034));
	assert_true(lost(1000, 30 * USEC_PER_S, 1035));
	/* an hour: 3842 - 240 = 3602 */
	assert_false(lost(1000, 3600 * USEC_PER_S, 4842));
	assert_true(lost(1000, 3600 * USEC_PER_S, 4843));
}

/* server_delta + 2 < client_delta - client_delta / 16 */
static void a_server_too_slow(void **state)
{
	assert_false(lost(1000, 2 * USEC_PER_S, 1000));
	assert_true(lost(1000, 3 * USEC_PER_S, 1000));
	/* 34 s: 34 - 2 = 32 = 30 + 2 */
	assert_false(lost(1000, 34 * USEC_PER_S, 1030));
	assert_true(lost(1000, 35 * USEC_PER_S, 1030));
	/* an hour: 3600 - 225 = 3375 */
	assert_false(lost(1000, 3600 * USEC_PER_S, 4373));
	assert_true(lost(1000, 3600 * USEC_PER_S, 4372));
}

static void seconds_are_whole_ones(void **state)
{
	assert_false(lost(1000, 3 * USEC_PER_S - 1, 1000));
	assert_true(lost(1000, 3 * USEC_PER_S, 1000));
}

/* Restarted five minutes ago, and up for longer than before. */
static void a_restart_in_the_meantime(void **state)
{
	assert_true(lost(100, 3600 * USEC_PER_S, 300));
	assert_true(lost(100, 3600 * USEC_PER_S, 0));
	assert_true(lost(86400, 3600 * USEC_PER_S, 300));
}

/* 136 years: it has started anew rather than gone round. */
static void the_counters_end(void **state)
{
	assert_false(lost(UINT32_MAX - 1, USEC_PER_S, UINT32_MAX));
	assert_false(lost(UINT32_MAX, 0, UINT32_MAX - 1));
	assert_true(lost(UINT32_MAX, USEC_PER_S, 0));
	assert_true(lost(0, USEC_PER_S, UINT32_MAX));
	assert_false(lost(0, UINT32_MAX * USEC_PER_S, UINT32_MAX));
	assert_true(lost(0, UINT64_MAX - START, UINT32_MAX));
}

/* Each reply is compared with the one before, lost or not. */
static void remembers_the_last_one(void **state)
{
	struct epoch epoch = {0};

	assert_false(epoch_note(&epoch, START, 5000));
	assert_true(epoch_note(&epoch, START + 60 * USEC_PER_S, 10));
	assert_false(epoch_note(&epoch, START + 61 * USEC_PER_S, 11));
	assert_false(epoch_note(&epoch, START + 121 * USEC_PER_S, 71));
	assert_int_equal(epoch.server_s, 71);
	assert_int_equal(epoch.at, START + 121 * USEC_PER_S);
	epoch = (struct epoch){0}; /* another server */
	assert_false(epoch_note(&epoch, START + 122 * USEC_PER_S, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_is_never_a_loss),
		cmocka_unit_test(time_goes_on),
		cmocka_unit_test(back_by_a_second_is_excused),
		cmocka_unit_test(a_server_too_fast),
		cmocka_unit_test(a_server_too_slow),
		cmocka_unit_test(seconds_are_whole_ones),
		cmocka_unit_test(a_restart_in_the_meantime),
		cmocka_unit_test(the_counters_end),
		cmocka_unit_test(remembers_the_last_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
