/*
 * A cap on bytes a second, shared fairly by all streams behind it, in each direction on its own.
 *
 *	shaper_new(loop, 10 << 20, NULL, &line, &e);		the whole line
 *	shaper_new(loop, 2 << 20, line, &service, &e);		one service on it
 *	shaper_stream_new(service, socket, &stream, &e);	as `socket`, but not faster
 *
 * A stream asks for a quantum of bytes before it reads (or writes) any. While there are tokens it
 * has it at once; else it waits in line behind the others, and at the end of the line again for the
 * next one: so all who want bytes get equal shares, and who wants few hardly waits. With a parent
 * both must grant. What a stream could not use it gives back.
 *
 *	            tokens, nobody waits
 *	  (wants) ─────────────────────────▶ may move a quantum ──▶ (wants)
 *	     └──▶ in line ── its turn ──────────────▲
 *
 * Memory: nothing but a place in line for each stream; bytes wait where they are.
 */
#pragma once

#include "net/stream.h"

struct shaper;

/* rate: bytes a second, 0: no cap of its own. The parent, which has none itself, is
 * referenced. -ERR_NOMEM. */
int shaper_new(struct loop *loop, uint64_t rate, struct shaper *parent, struct shaper **ret_shaper,
	       struct err *e) MUST_CHECK;

/* Its streams may live on; they keep what they need. NULL is fine. */
void shaper_free(struct shaper *shaper);

/* From now on, also for the streams that are there. */
void shaper_set_rate(struct shaper *shaper, uint64_t rate);
uint64_t shaper_rate(const struct shaper *shaper);

/* Whether it or a parent has a cap: without one, streams need not be wrapped. */
bool shaper_is_capped(const struct shaper *shaper);

/* How often a stream had to wait here. */
uint64_t shaper_waits(const struct shaper *shaper);

/* A stream over `below`, which is taken; on failure it is reset. What is read from it and what is
 * written to it count. It stays on its loop. -ERR_NOMEM. */
int shaper_stream_new(struct shaper *shaper, struct stream *below, struct stream **ret_stream,
		      struct err *e) MUST_CHECK;
