/*
 * A pair of streams in memory: what is written to one end is read from the other, each direction
 * with its own bounded buffer, half-close and reset. It joins two users that both want to drive a
 * stream (the link and an HTTP server), and it is the network of the tests on the virtual clock. A
 * buffer's memory exists only while it holds bytes.
 */
#pragma once

#include "net/stream.h"

#define MEM_BUFFER_MAX ((size_t)64 * 1024) /* default for each direction */

/* Both ends are the caller's; each is closed or reset on its own. buffer_max 0: MEM_BUFFER_MAX. */
int mem_pair_new(struct loop *loop, size_t buffer_max, struct stream **ret_a, struct stream **ret_b,
		 struct err *e) MUST_CHECK;

/* For tests: from now on nothing written to either end of the pair arrives, and nothing says so (a
 * dead line). */
void mem_pair_cut(struct stream *end);

/* For tests: bytes arrive only after `delay` (loop timer), in order. 0: at once (deferred to the
 * end of the turn). */
void mem_pair_set_delay(struct stream *end, usec_t delay);
