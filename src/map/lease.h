/*
 * One door at one router: asked for by the methods that it offers, in their order; kept; given back.
 *
 *	           offered          granted
 *	 PROBING ───────────▶ ASKING ───────▶ OPEN ─┐ renewed, verified
 *	    ▲  ▲ nothing left   │ all refused  │ ◀──┘
 *	    │  │                ▼              │ expired, lost, the router has restarted
 *	    │  └──────────── REFUSED           │
 *	    └───────────────────────────────────┘
 *	 lease_close from any: CLOSING ──▶ CLOSED	told once, then free it
 *
 * What is granted is renewed at half of its life (map/schedule). A lease of UPnP is looked up after
 * 3 s and 30 s (some routers drop it at once: then only a permanent one holds there), and every ten
 * minutes.
 */
#pragma once

#include "map/ask.h"
#include "map/ledger.h"

#define LEASE_CLOSE_TIME    (1500 * USEC_PER_MS) /* for the router to take it back */
#define LEASE_VERIFY_FIRST  (3 * USEC_PER_S)
#define LEASE_VERIFY_SECOND (30 * USEC_PER_S)
#define LEASE_VERIFY	    (600 * USEC_PER_S)
#define LEASE_WHY_MAX	    512

#define LEASE_STATES(X)                                                                            \
	X(PROBING, "probing")                                                                      \
	X(ASKING, "asking")                                                                        \
	X(OPEN, "open")                                                                            \
	X(REFUSED, "refused")                                                                      \
	X(CLOSING, "closing")                                                                      \
	X(CLOSED, "closed")

enum lease_state {
#define X(name, word) LEASE_##name,
	LEASE_STATES(X)
#undef X
};

const char *lease_state_name(enum lease_state state);

struct lease;

struct lease_handler {
	/* State, grant or reason is another one. From the loop; the lease must not be freed in it. */
	void (*on_change)(void *arg);
	void *arg;
};

/* What a lease stands on. */
struct lease_ground {
	struct loop *loop;
	struct router *router; /* borrowed; must outlive the lease */
	struct ledger *ledger; /* borrowed */
	const char *id;	       /* of our UPnP entries; borrowed */
};

/* Begins to ask. wish: copied. -ERR_LIMIT: the ledger is full; -ERR_NOMEM. */
int lease_new(const struct lease_ground *ground, const struct map_wish *wish,
	      const struct lease_handler *handler, struct lease **ret_lease,
	      struct err *e) MUST_CHECK;

/* One that a former process has left: only to be given back. entry: of the ledger. -ERR_NOMEM. */
int lease_new_orphan(const struct lease_ground *ground, struct ledger_entry *entry,
		     const struct lease_handler *handler, struct lease **ret_lease,
		     struct err *e) MUST_CHECK;

/* Forgets it, without a word to the router: it expires, or is given back by the next process. NULL is
 * fine. */
void lease_free(struct lease *lease);

/* Give it back: CLOSED comes later, within LEASE_CLOSE_TIME. */
void lease_close(struct lease *lease);

/* Keep what is granted until it expires, and no longer. For a place that is on its way out. */
void lease_retire(struct lease *lease);

/* For the owner of the router: an offer is known; it has forgotten all doors; it is to be asked at
 * once whatever was refused. */
void lease_on_offer(struct lease *lease);
void lease_on_restart(struct lease *lease);
/* It may have forgotten: a lease of UPnP is looked up. */
void lease_check(struct lease *lease);
void lease_retry(struct lease *lease);
/* Another port than the wished one was granted, and that may be free by now: what is had is given
 * back, and the wished one asked for. */
void lease_go_home(struct lease *lease);

enum lease_state lease_state(const struct lease *lease);
const struct map_wish *lease_wish(const struct lease *lease);
const struct ledger_entry *lease_entry(const struct lease *lease);

/* With OPEN (also CLOSING): what is granted. */
const struct map_grant *lease_grant(const struct lease *lease);
/* Boot-time clock; OPEN: USEC_MAX when it is permanent. */
usec_t lease_expires(const struct lease *lease);
/* REFUSED: why, and what else was tried; PROBING, ASKING, OPEN: why it is not better, or "". */
const char *lease_why(const struct lease *lease);
/* REFUSED: when it is asked for again. */
usec_t lease_retry_at(const struct lease *lease);
