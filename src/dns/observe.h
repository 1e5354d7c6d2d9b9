/*
 * What the world sees of our addresses: STUN servers and HTTPS services that tell one's address,
 * asked from a given address of ours. Nothing is asked unless somebody wants to know, and no service
 * more often than its interval: they belong to others.
 *
 *	settings = (struct dns_observer_settings){.services = dns_services,
 *		.n_services = dns_services_count, .on_told = on_told, .arg = x};
 *	r = dns_observer_new(loop, httpc, &settings, &observer, &e);
 *	r = dns_observer_ask(observer, 4, &place.address, DNS_ASK_ALL, &e);
 *	...
 *	on_told: STUN, 203.0.113.7		dns_keeper_report(keeper, told->source, ...)
 *	on_told: ECHO, 203.0.113.7, two of them say so
 *
 * Of STUN servers one is believed by whoever asks, or not (dns/choose.h). Of echo services
 * DNS_OBSERVE_QUORUM must agree, if there are as many: one may lie, be behind a proxy, or show a
 * login page. They are taken in turn, and DNS_OBSERVE_TRIES of them are asked at most.
 */
#pragma once

#include "dns/choose.h"
#include "net/httpc.h"

#define DNS_SERVICES_MAX      16
#define DNS_OBSERVE_QUORUM    2
#define DNS_OBSERVE_TRIES     3			/* of one kind for one question */
#define DNS_OBSERVE_QUESTIONS 8			/* at once: uplinks and families */
#define DNS_OBSERVE_TIMEOUT   (10 * USEC_PER_S) /* of an echo service */
#define DNS_ECHO_MAX	      64		/* bytes of its answer */

/* Who is asked. */
#define DNS_ASK_STUN 1u
#define DNS_ASK_ECHO 2u
#define DNS_ASK_ALL  (DNS_ASK_STUN | DNS_ASK_ECHO)

#define DNS_OVER_IPV4 1u
#define DNS_OVER_IPV6 2u

struct dns_service {
	enum dns_source source; /* STUN or ECHO */
	const char *at;		/* "HOST[:PORT]"; https URL */
	unsigned families;	/* DNS_OVER_* */
	unsigned interval_s;	/* between two questions of one family */
};

/* Those that are asked when nothing else is configured. */
extern const struct dns_service dns_services[];
extern const size_t dns_services_count;

/* Borrowed until on_told returns. */
struct dns_told {
	enum dns_source source;
	int family;
	struct ipaddr from;	    /* the address of ours it was asked from; family 0: any */
	struct ipaddr address;	    /* family 0: nobody told, or they disagree */
	char who[2 * HOSTNAME_MAX]; /* "icanhazip.com, ident.me"; "": nobody */
	struct err why;		    /* with no address; ERR_AGAIN: nobody was asked */
	usec_t again;		    /* before that it is no use to ask again; 0: at any time */
};

struct dns_observer;

struct dns_observer_settings {
	const struct dns_service *services; /* copied */
	size_t n_services;
	const char *ca_file; /* who may sign their certificates; NULL: as the system */
	/* tests: where a URL leads instead; NULL, or a function that may return NULL */
	const struct ipaddr *(*peer)(void *arg, const char *url);
	void (*on_told)(void *arg, const struct dns_told *told); /* may free the observer */
	void *arg;						 /* of both */
};

/* -ERR_INVALID: a service that cannot be one; -ERR_LIMIT: DNS_SERVICES_MAX; -ERR_NOMEM. */
int dns_observer_new(struct loop *loop, struct httpc *httpc,
		     const struct dns_observer_settings *settings,
		     struct dns_observer **ret_observer, struct err *e) MUST_CHECK;
void dns_observer_free(struct dns_observer *o); /* NULL is fine; ends all questions */

/* Questions leave by this interface from now on, whatever the routes prefer: a VPN or a second line
 * would tell its own address. "": by any. */
void dns_observer_bind(struct dns_observer *o, const char *interface);

/*
 * Ask now. on_told is called once for each kind that was asked and of which services are configured,
 * later. A question that is under way already changes nothing.
 *
 * from    in: of that family; NULL: any
 * kinds   in: DNS_ASK_*
 *
 * -ERR_NOT_FOUND: no service for that; -ERR_LIMIT; -ERR_NOMEM.
 */
int dns_observer_ask(struct dns_observer *o, int family, const struct ipaddr *from, unsigned kinds,
		     struct err *e) MUST_CHECK;

/* The answer of an echo service: an address literal of that family, blanks and line ends around it,
 * nothing else. -ERR_INVALID. */
int dns_echo_parse(struct str body, int family, struct ipaddr *ret, struct err *e) MUST_CHECK;
