/*
 * Two streams joined: what comes from one goes to the other, both ways, each half ending on its
 * own. Memory: what one read brought and the other side did not take (PUMP_KEPT_MAX a direction),
 * only while it is blocked.
 */
#pragma once

#include "net/stream.h"

#define PUMP_KEPT_MAX ((size_t)64 * 1024)

struct pump;

struct pump_ending {
	uint64_t a_to_b, b_to_a; /* bytes delivered */
	bool complete;		 /* both halves ended; else one side broke */
};

/*
 * Takes both streams (also on failure: they are reset). done is called once, from the loop, when
 * both are closed: orderly if both halves ended, else reset. The pump is then still to be freed,
 * which done may do.
 */
int pump_new(struct loop *loop, struct stream *a, struct stream *b,
	     void (*done)(void *arg, const struct pump_ending *ending), void *arg,
	     struct pump **ret_pump, struct err *e) MUST_CHECK;

/* Resets what is still open, without done. NULL is fine. */
void pump_free(struct pump *p);

/* Bytes delivered so far, as in the ending. */
void pump_count(const struct pump *p, struct pump_ending *ret);
