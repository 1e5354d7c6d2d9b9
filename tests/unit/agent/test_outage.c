#include "test.h"

#include "agent/outage.h"

static const usec_t S = USEC_PER_S;

static void an_attempt_is_no_news(void **state)
{
	struct outage o = {0};

	assert_true(outage_is_news(&o, "lost the gateway, trying again at once: closed", S));
	assert_true(outage_is_news(&o, "gateway gw: trying again in 0.7 s: refused", 2 * S));
	assert_false(outage_is_news(&o, "gateway gw: trying again in 2 s: refused", 3 * S));
	assert_false(outage_is_news(&o, "lost the gateway, trying again at once: closed", 4 * S));
	assert_true(outage_is_news(&o, "gateway gw: trying again in 4 s: timeout", 5 * S));
	assert_true(outage_is_news(&o, "taken over. Trying again in 60 s", 6 * S));
	assert_false(outage_is_news(&o, "taken over. Trying again in 59 s", 7 * S));
}

static void it_is_repeated_now_and_then(void **state)
{
	struct outage o = {0};
	unsigned told = 0;

	for (usec_t now = S; now <= 3600 * S; now += S)
		told += outage_is_news(&o,
				       now % 2 ? "refused, trying again in 1 s"
					       : "refused, trying again in 2 s",
				       now);
	assert_int_equal(told, 6);
	outage_over(&o);
	assert_true(outage_is_news(&o, "refused", 3601 * S));
}

static void many_causes_are_bounded(void **state)
{
	struct outage o = {0};
	char why[] = "a";

	for (usec_t now = S; now < 20 * S; now += S, why[0]++)
		assert_true(outage_is_news(&o, why, now));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_attempt_is_no_news),
		cmocka_unit_test(it_is_repeated_now_and_then),
		cmocka_unit_test(many_causes_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
