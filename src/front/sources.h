/*
 * What one source may take of a public side: how many connections at once, how many that have not
 * said yet where they want to go, how many new ones a second. A source is an IPv4 address or an
 * IPv6 /64. The table is shared by all threads of a gateway, so that the limits are what they say
 * however the kernel spreads connections over threads.
 *
 *	if (!front_sources_enter(sources, &peer, loop_now(loop)))
 *		return close_at_once(fd);
 *	...					he says where he wants to go
 *	front_sources_read(sources, &peer);
 *	...					his connection ends
 *	front_sources_leave(sources, &peer);
 *
 * The table is bounded: a source without connections is forgotten some time after its allowance
 * for new ones is full again; when the table is full, the longest idle one is forgotten earlier,
 * and if all have connections, a new source is refused.
 */
#pragma once

#include <stdbool.h>

#include "base/ipaddr.h"
#include "base/ustime.h"

struct front_limits {
	unsigned reading_max;		 /* connections not yet routed, all sources */
	unsigned reading_per_source_max; /* the same of one source */
	unsigned conns_per_source_max;	 /* routed or not, of one source */
	unsigned new_per_source_s; /* new connections a second of one source; 10 s worth at once */
	unsigned sources_max;	   /* entries of the table */
};
#define FRONT_LIMITS_DEFAULT                                                                       \
	((struct front_limits){.reading_max = 4096,                                                \
			       .reading_per_source_max = 64,                                       \
			       .conns_per_source_max = 1024,                                       \
			       .new_per_source_s = 500,                                            \
			       .sources_max = 65536})
#define FRONT_SOURCES_BURST (10 * USEC_PER_S)

struct front_sources;

/* limits: each at least 1; NULL: FRONT_LIMITS_DEFAULT. -ERR_NOMEM. */
int front_sources_new(const struct front_limits *limits, struct front_sources **ret_sources,
		      struct err *e) MUST_CHECK;
void front_sources_free(struct front_sources *sources); /* NULL is fine */

/* All below may be called from any thread. `now` is loop_now of any loop: they show one clock. */

/* Count a new connection of the source that `peer` belongs to, as one that is being read. False: a
 * limit says no, and nothing was counted. */
bool front_sources_enter(struct front_sources *sources, const struct ipaddr *peer, usec_t now);

/* Whether as many connections of all sources are being read as may be. */
bool front_sources_crowded(struct front_sources *sources);

/* One of its connections is not being read any more; it still counts as a connection. */
void front_sources_read(struct front_sources *sources, const struct ipaddr *peer);

/*
 * A connection whose visitor will be named by a proxy in front of us: being read, but of no source
 * yet. False: as many are read already as may be. Then either front_sources_name gives it to a
 * source as front_sources_enter does (false: a limit of that source, the connection stays unnamed),
 * or front_sources_leave_unnamed ends it.
 */
bool front_sources_enter_unnamed(struct front_sources *sources);
bool front_sources_name(struct front_sources *sources, const struct ipaddr *visitor, usec_t now);
void front_sources_leave_unnamed(struct front_sources *sources);

/* One of its connections (read) has ended. */
void front_sources_leave(struct front_sources *sources, const struct ipaddr *peer);

/*
 * A flow of datagrams, and its end. It counts as a connection does, but in a table of its own:
 * senders of datagrams can be invented, and nobody's connections may be shut out in his name.
 */
bool front_sources_enter_flow(struct front_sources *sources, const struct ipaddr *peer, usec_t now);
void front_sources_leave_flow(struct front_sources *sources, const struct ipaddr *peer);

/* Entries of both tables. */
unsigned front_sources_count(struct front_sources *sources);
