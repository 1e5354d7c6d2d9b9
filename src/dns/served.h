/*
 * Whether all name servers of a zone have a TXT value, or none has it any more: what a certificate authority
 * is going to see, which asks them itself.
 *
 *	resolver: SOA of the name ─▶ its zone ─▶ NS of the zone ─▶ their addresses ─▶ TXT of the name, of each
 *	                                                                  ▲                      │ not yet
 *	                                                                  └─── after a while ───┘
 *
 * Everything over TCP, as dns/lookup.h. Whoever says so is not asked again.
 */
#pragma once

#include "dns/lookup.h"

#define DNS_SERVED_SERVERS_MAX 8
#define DNS_SERVED_SOON	       (1 * USEC_PER_S) /* between the first rounds */
#define DNS_SERVED_LATER       (3 * USEC_PER_S)
#define DNS_SERVED_SOON_MAX    5
#define DNS_SERVED_SILENT_MAX  2 /* rounds in which nobody answered, and it is left at that */

enum dns_served_state {
	DNS_SERVED_UNKNOWN, /* nobody could be asked */
	DNS_SERVED_NO,	    /* one at least that answers is behind */
	DNS_SERVED_YES,	    /* all who answer */
};

/* Borrowed until dns_served_start returns. */
struct dns_served_wish {
	const char *name, *value;
	bool absent; /* it shall be gone */
	usec_t wait; /* for so long */
};

/* Borrowed until done returns. */
struct dns_served_result {
	enum dns_served_state state;
	unsigned n_servers, n_good; /* of the zone; who serve it as wished */
	const char *behind;	    /* with DNS_SERVED_NO: one of those who do not */
};

struct dns_served;

/* settings: borrowed as long as it runs; `direct`: the resolver is a server of the zone, and knows the others.
 * done is called once, later; it is gone then. -ERR_INVALID, -ERR_NOMEM. */
int dns_served_start(const struct dns_lookup_settings *settings, const struct dns_served_wish *wish,
		     void (*done)(void *arg, const struct dns_served_result *result), void *arg,
		     struct dns_served **ret_served, struct err *e) MUST_CHECK;

/* Before done: ends it without. NULL is fine. */
void dns_served_cancel(struct dns_served *s);
