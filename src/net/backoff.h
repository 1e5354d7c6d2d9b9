/*
 * When to try again: the delay doubles from `first` to `most`, with a jitter of ± 20 % so that a
 * thousand clients of a gateway that restarts do not come back in the same instant.
 */
#pragma once

#include "base/ustime.h"

struct backoff {
	usec_t first, most; /* configuration */
	usec_t next;	    /* without jitter; 0: start over */
};

/* The delay before the next try. */
usec_t backoff_next(struct backoff *b);

/* After success, or when an event makes an early try worth it. */
void backoff_reset(struct backoff *b);

/* span ± 20 %. */
usec_t backoff_jitter(usec_t span);
