/*
 * A pair of streams in memory: what is written to one end is read from the other, each direction
 * with its own bounded buffer, half-close and reset. It joins two users that both want to drive a
 * stream (the link and an HTTP server), and it is the network of the tests on the virtual clock. A
 * buffer's memory exists only while it holds bytes.
 *
 * Closing an end: the other one reads the rest and then 0; its writes fail with -ERR_RESET.
 * Resetting it: both fail with -ERR_RESET, what was not read is lost. A pair stays on its loop.
 */
#pragma once

#include "net/stream.h"

#define MEM_BUFFER_MAX ((size_t)64 * 1024) /* default for each direction */

/* Both ends are the caller's; each is closed or reset on its own. buffer_max 0: MEM_BUFFER_MAX. */
int mem_pair_new(struct loop *loop, size_t buffer_max, struct stream **ret_a, struct stream **ret_b,
		 struct err *e) MUST_CHECK;

/* For tests: from now on nothing arrives at either end, not even what was under way or that an end
 * was closed, and nothing says so (a dead line). Writes are taken until the buffer is full. */
void mem_pair_cut(struct stream *end);

/* For tests: what is written, ended, closed or reset from now on arrives after `delay` (loop
 * timer), in order. 0: at once (the event comes at the end of the turn). */
void mem_pair_set_delay(struct stream *end, usec_t delay);
