/*
 * TXT values at the keeper's providers, for those who prove by one that a name is theirs (certificates by DNS-01).
 * The section of the configuration that serves a name is the one whose host it is or is below, else one of the same
 * zone; its credentials are used, its provider's rules heeded: of one account one request is under way at a time, and
 * where a provider has refused the account, or wants to be left alone, nothing is sent.
 *
 *	r = dns_keeper_txt(keeper, &wish, on_done, x, &txt, &e);
 *
 *	          account is free           answered well             all of the zone's name servers have it
 *	WAITING ───────────────────▶ SENDING ─────────────▶ WATCHING ─────────────────────────────────────▶ (done)
 *	   │ DNS_TXT_PATIENCE           │ not so               │ not in time
 *	   └────────────────────────────┴──────────────────────┴─────────────────────────────────────────▶ (done)
 *
 * What was added is taken away again after a while; the ledger knows of it.
 */
#pragma once

#include "dns/keeper.h"
#include "dns/served.h"

#define DNS_TXT_CHANGES_MAX 32	/* at once */
#define DNS_TXT_KEPT_MAX    256 /* to be taken away later */
#define DNS_TXT_PATIENCE    (120 * USEC_PER_S)
#define DNS_TXT_WAIT_MAX    (1800 * USEC_PER_S)
#define DNS_TXT_BLIND	    (30 * USEC_PER_S)	/* where no name server can be asked */
#define DNS_TXT_RESUME	    (60 * USEC_PER_S)	/* after a start, at the soonest */
#define DNS_TXT_RETRY	    (3600 * USEC_PER_S) /* of what could not be taken away */
#define DNS_TXT_TRIES_MAX   24

#define DNS_TXT_STATES(X) X(WAITING) X(SENDING) X(WATCHING)

enum dns_txt_state {
#define X(name) DNS_TXT_##name,
	DNS_TXT_STATES(X)
#undef X
};

/* Borrowed until dns_keeper_txt returns. */
struct dns_txt_wish {
	const char *name, *value;
	bool remove;
	usec_t wait; /* so long at most for the zone's name servers; 0: they are not asked */
	usec_t keep; /* an added one is taken away after so long; 0: it stays */
};

/* Borrowed until done returns. */
struct dns_txt_result {
	/*
	 * 0		 it is as wished; of the name servers see served
	 * -ERR_DENIED	 only a person can mend it: e says what
	 * -ERR_AGAIN	 nobody can help but time
	 * -ERR_TIMEOUT	 done, but not all of the zone's name servers have it yet
	 */
	int r;
	struct err err;
	const char *name, *value;
	const char *label, *provider; /* the section that serves it */
	bool remove;
	bool changed;	/* else it was so already; by DNS UPDATE nobody can tell: true */
	bool by_itself; /* it was kept long enough */
	bool watched;	/* the name servers were asked */
	struct dns_served_result served;
};

struct dns_txt_change;

/*
 * done (may be NULL) is called once, later, also when the keeper goes first (-ERR_AGAIN). -ERR_INVALID: no name or
 * value; -ERR_NOT_FOUND: no section serves the name; -ERR_DENIED, -ERR_AGAIN: as above, known before anything is sent;
 * -ERR_EXISTS: the provider has one value a name, and another one was added here; in the result too, if that came
 * meanwhile; -ERR_LIMIT, -ERR_NOMEM.
 */
int dns_keeper_txt(struct dns_keeper *k, const struct dns_txt_wish *wish,
		   void (*done)(void *arg, const struct dns_txt_result *result), void *arg,
		   struct dns_txt_change **ret_change, struct err *e) MUST_CHECK;

/* done is not called any more; what was begun goes on. NULL is fine. */
void dns_keeper_txt_forget(struct dns_txt_change *change);
