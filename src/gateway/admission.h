/*
 * Whether one more visitor may come to an agent: how many there may be at once, and how many new
 * ones a second, so that one agent's crowd leaves room for the others'. Any thread; no lock.
 *
 *	verdict = admission_enter(stats, &limits, loop_now(loop));
 *	if (verdict != ADMISSION_GRANTED)
 *		turn him away, nothing is counted but that
 *	...
 *	admission_leave(stats);
 */
#pragma once

#include "base/ustime.h"
#include "gateway/registry.h"

struct admission_limits {
	unsigned visitors_max;
	unsigned new_s; /* a second; ADMISSION_BURST's worth at once */
};
#define ADMISSION_BURST (10 * USEC_PER_S)

enum admission {
	ADMISSION_GRANTED,
	ADMISSION_FULL, /* as many are there as may be */
	ADMISSION_FAST, /* too many new ones */
};

/* `now` is loop_now of any loop: they show one clock. */
enum admission admission_enter(struct registry_stats *stats, const struct admission_limits *limits,
			       usec_t now);
void admission_leave(struct registry_stats *stats);
