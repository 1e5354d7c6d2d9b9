/*
 * The router of one place: which ways to open a door it offers, and what it says the world sees. All
 * ways are asked in parallel; what was learned is trusted for ROUTER_TRUST.
 *
 *	router_new(loop, httpc, &place, delay, &handler, arg, &router, &e);
 *	router_probe(router);		on_offer at each answer, and when all is known
 *
 * Doors (map/lease) speak to it through router_pmp and router_igd.
 */
#pragma once

#include "map/door.h"
#include "map/igd.h"
#include "map/pmp.h"

#define ROUTER_FIRST_ANSWER (250 * USEC_PER_MS) /* what comes later does not hold up the others */
#define ROUTER_DECISION	    (3 * USEC_PER_S)
#define ROUTER_TRUST	    (600 * USEC_PER_S)
#define ROUTER_TEXT_MAX	    192

#define ROUTER_OFFERS(X)                                                                           \
	X(UNKNOWN, "unknown") /* not asked, or no answer yet */                                    \
	X(THERE, "offered")   /* it answers in this protocol */                                    \
	X(ABSENT, "absent")   /* it says that there is none */                                     \
	X(SILENT, "silent")   /* no answer */                                                      \
	X(NOT_FOR, "not for this family")

enum router_offer_state {
#define X(name, word) ROUTER_##name,
	ROUTER_OFFERS(X)
#undef X
};

const char *router_offer_state_name(enum router_offer_state state);

struct router_offer {
	enum router_offer_state state;
	usec_t took;		/* until it was known */
	bool told;		/* the external address was asked for, and this is the answer: */
	struct ipaddr external; /* no port; family 0: it says that it has none */
	char text[ROUTER_TEXT_MAX]; /* what it said that is worth reading; "" */
};

struct router;

struct router_handler {
	/* An offer or an external address is known now, or not any more; router_decided tells
	 * whether more is to come. */
	void (*on_offer)(void *arg);
	/* It has forgotten all doors that were opened by PCP and NAT-PMP (and, being one program
	 * in most routers, by UPnP). */
	void (*on_restart)(void *arg);
};

/*
 * place    copied
 * stagger  how long the search for a UPnP device waits, for the other family's sake (map/igd.h)
 *
 * Handlers are called from the loop, never from inside a call; they must not free the router.
 * -ERR_FAILED: the place's address is not this machine's (any more).
 */
int router_new(struct loop *loop, struct httpc *httpc, const struct map_place *place,
	       usec_t stagger, const struct router_handler *handler, void *arg,
	       struct router **ret_router, struct err *e) MUST_CHECK;
void router_free(struct router *router); /* NULL is fine */

/* Ask, unless that is going on or was done within ROUTER_TRUST. */
void router_probe(struct router *router);
/* Ask again, whatever is known. */
void router_probe_again(struct router *router);
/* Somebody says that it has restarted (map/announce): ask it for its epoch. */
void router_check(struct router *router);
/* IPv4: nothing but its address outside is wanted. What no door has asked for yet is not looked for
 * unless NAT-PMP does not tell: UPnP takes an HTTP client. on_offer follows. */
void router_ask_external(struct router *router);
/* Look for the UPnP device again: it is not where it was. */
void router_find_igd(struct router *router);

const struct map_place *router_place(const struct router *router);
const struct router_offer *router_offer(const struct router *router, enum map_method method);
/* Every offer is known. */
bool router_decided(const struct router *router);
/* Since the probe began; USEC_MAX: never. */
usec_t router_probe_age(const struct router *router);

struct pmp *router_pmp(struct router *router);
struct igd *router_igd(struct router *router);

/* A door's answer told it: the external address by this method; family 0: none. */
void router_note_external(struct router *router, enum map_method method,
			  const struct ipaddr *external);
