#include "gateway/admission.h"

static uint64_t add(uint64_t *counter, uint64_t n)
{
	return __atomic_add_fetch(counter, n, __ATOMIC_RELAXED);
}

/* The allowance for new visitors as the time at which it is full again (as in front/sources.c):
 * each one moves it on by 1 s / rate, and it may be ADMISSION_BURST ahead of now at most. */
static bool take_turn(uint64_t *full_at, usec_t interval, usec_t now)
{
	uint64_t before = __atomic_load_n(full_at, __ATOMIC_RELAXED), after;

	do {
		if (before > now + ADMISSION_BURST)
			return false;
		after = MAX(before, now) + interval;
	} while (!__atomic_compare_exchange_n(full_at, &before, after, true, __ATOMIC_RELAXED,
					      __ATOMIC_RELAXED));
	return true;
}

enum admission admission_enter(struct registry_stats *stats, const struct admission_limits *limits,
			       usec_t now)
{
	if (add(&stats->visitors, 1) > limits->visitors_max) {
		admission_leave(stats);
		add(&stats->refused_full, 1);
		return ADMISSION_FULL;
	}
	if (!take_turn(&stats->new_full_at, USEC_PER_S / limits->new_s, now)) {
		admission_leave(stats);
		add(&stats->refused_fast, 1);
		return ADMISSION_FAST;
	}
	add(&stats->visitors_total, 1);
	return ADMISSION_GRANTED;
}

void admission_leave(struct registry_stats *stats)
{
	add(&stats->visitors, (uint64_t)-1);
}
