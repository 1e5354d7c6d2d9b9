/*
 * The home side of one service: an edge to its folder or local server, and whether that is there.
 *
 *	origin_new(loop, &wish, &events, arg, &origin, &e);
 *	edge_open(origin_edge(origin), ...)	for each visitor
 *	origin_update(origin, &wish);		visitors who are there keep what they have
 *	origin_free(origin);			ends its visitors
 *
 * It is looked after once at the start, and when a visitor found it broken; while nothing answers
 * it is tried again every second. A local server may come and go as it likes. Of a UDP server on
 * another machine nothing can be known without disturbing it: UNKNOWN it stays.
 *
 *	           found                    missed
 *	 UNKNOWN ─────────▶ YES ──────────────────────────▶ NO ◀─┐
 *	    │                ▲  a visitor's trouble: look    │   │ every second
 *	    │ missed         └───────────────────────────────┴───┘
 *	    └──────────────────────────────────────────────▶ NO
 */
#pragma once

#include "agent/wish.h"

#define ORIGIN_REACHES(X)  X(UNKNOWN) X(YES) X(NO)
#define ORIGIN_REACH(name) ORIGIN_##name,
enum origin_reach { ORIGIN_REACHES(ORIGIN_REACH) };

struct origin;

struct origin_events {
	/* A visitor's request (or connection) is over. */
	void (*on_request)(void *arg, const struct edge_request *request);
	/* origin_reach has changed; told at the end of the turn. */
	void (*on_reach)(void *arg, struct origin *origin);
};

/* The wish is copied; its `names` are those visitors may ask for, none: any. */
int origin_new(struct loop *loop, const struct wish *wish, const struct origin_events *events,
	       void *arg, struct origin **ret_origin, struct err *e) MUST_CHECK;
void origin_free(struct origin *origin); /* NULL is fine */

/* Make it so from now on. -ERR_NOMEM: as it was. */
int origin_update(struct origin *origin, const struct wish *wish) MUST_CHECK;

/* Where new visitors go; NULL: nowhere now, origin_why says why. */
struct edge_service *origin_edge(const struct origin *origin);
enum origin_reach origin_reach(const struct origin *origin);
const char *origin_why(const struct origin *origin); /* "" unless the reach is NO */

/* One who waits for an answer that is fresh; the caller's memory. */
struct origin_look {
	struct list node;
	void (*done)(void *arg);
	void *arg;
};

/* Look now whether it is there; done is called once, later, also when the origin goes. To wait no
 * longer, take look->node out of its list. */
void origin_look(struct origin *origin, struct origin_look *look);

unsigned origin_visitors(const struct origin *origin); /* now */
uint64_t origin_requests(const struct origin *origin); /* finished, in all */
uint64_t origin_denied(const struct origin *origin);   /* of them, turned away by the allow-list */
