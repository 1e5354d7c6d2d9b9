/*
 * The names at providers, kept right: takes what the sources say of our addresses, drives each name's
 * machine, sends what is due over httpc or DNS UPDATE, and keeps the ledger on disk.
 *
 *	dns_keeper_new(loop, httpc, &settings, &keeper, &e);
 *	dns_keeper_report(keeper, DNS_SOURCE_INTERFACE, 6, DNS_WISH_ADDRESS, &address);
 *	...
 *	dns_keeper_free(keeper);
 *
 * A change is sent when nothing more has been reported for DNS_KEEPER_QUIET, DNS_KEEPER_SETTLE after the
 * first report at the latest: addresses come in bursts (net/netwatch has put those of one interface
 * together already; the gateway's word and the other family's come a little later). Nothing runs while
 * nothing changes; one timer waits for the soonest name. Of one account one request is under way at a
 * time, so a wrong password is sent once and not once for every name. Names of one DNS UPDATE key and zone
 * go in one message.
 */
#pragma once

#include <jansson.h>

#include "dns/choose.h"
#include "dns/request.h"
#include "net/httpc.h"
#include "net/loop.h"

#define DNS_KEEPER_NAMES_MAX 1024
#define DNS_KEEPER_QUIET     (250 * USEC_PER_MS)
#define DNS_KEEPER_SETTLE    (1 * USEC_PER_S)
/* A clock that is behind the ledger is not set yet, or the ledger's was ahead; who does not set it in
 * that time never will. */
#define DNS_KEEPER_CLOCK_WAIT (600 * USEC_PER_S)
#define DNS_KEEPER_CLOCK_LOOK (10 * USEC_PER_S)
#define DNS_KEEPER_STEP_S     5 /* a smaller difference is no setting */

#define DNS_KEEPER_CALLS_MAX 8	/* requests at once */
#define DNS_KEEPER_ASKS_MAX  16 /* questions at once of what is published */

/* Finds out what is published: done is called once, later. published NULL: could not be found out;
 * family 0: nothing, for certain. A cancelled one is not called. NULL as function: nobody can tell. */
struct dns_asker {
	void *(*start)(void *arg, const char *host, int family,
		       void (*done)(void *done_arg, const struct ipaddr *published),
		       void *done_arg);
	void (*cancel)(void *arg, void *question);
	void *arg;
};

/* One name as configured; its strings are copied. */
struct dns_keeper_name {
	const char *label;	/* what people call it: the section; NULL: the host */
	struct dns_entry entry; /* checked by dns_entry_check before */
	struct dns_asker asker; /* of this one; start NULL: that of all */
	const char *sealed;	/* with only_look: why its secret is not known; NULL: it is */
	bool may_be_right;	/* with that: another user may know it */
	bool no4, no6;
	struct ipaddr fixed4, fixed6; /* published as they are; family 0: what is chosen */
	struct ipaddr suffix;	      /* IPv6 of another device: these last bits; family 0: ours */
	unsigned prefix_bits;	      /* for suffix and prefix; 0: 64 */
	bool prefix; /* of IPv6 the network's prefix, where the provider knows the suffixes
		      * (DNS_CAN_PREFIX) */
};

enum dns_event_kind {
	DNS_EVENT_CHANGED, /* published, and something else was before, as far as is known */
	DNS_EVENT_KEPT,	   /* published as before: a refresh, or a person wanted it sent */
	DNS_EVENT_PARKED,  /* a person is needed */
	DNS_EVENT_TROUBLE, /* tried again at retry_s */
	DNS_EVENT_REMIND,  /* a person must confirm the name at the provider's */
	DNS_EVENT_STATE,   /* the ledger cannot be read or written; label is NULL */
	DNS_EVENT_CLOCK,   /* all wait for the machine's clock to be set; likewise */
};

/* Borrowed until on_event returns. */
struct dns_event {
	enum dns_event_kind kind;
	const char *label, *host, *provider;
	int family; /* 4 or 6 */
	struct ipaddr address;
	enum dns_verdict verdict;
	const char *text; /* the provider's words (a stranger's bytes), or the error's; may be "" */
	int64_t retry_s;  /* seconds from now */
};

struct dns_keeper;

struct dns_lookup_settings;
struct dns_txt_result;

struct dns_keeper_settings {
	const char *folder; /* of the state; NULL: none is kept */
	const struct dns_keeper_name *names;
	size_t n_names;
	struct dns_asker asker;
	bool allow_documentation;
	bool only_look; /* nothing is sent, asked or stored: for dns/trial without a homeport that runs */
	bool double_nat;     /* dns/choose.h */
	const char *ca_file; /* tests: who signs the providers' certificates */
	const struct ipaddr *(*peer)(void *arg,
				     const char *url); /* tests: where a URL leads instead */
	int64_t (*wall_s)(void *arg);		       /* seconds since 1970; NULL: the kernel's */
	void (*on_event)(void *arg, const struct dns_event *event); /* may not free the keeper */
	/* dns/keeper_txt.h: how a section's zone is asked for; NULL: it is not. And what became of each
	 * value; NULL: nobody wants to know */
	const struct dns_lookup_settings *(*lookups)(void *arg, const char *label);
	void (*on_txt)(void *arg, const struct dns_txt_result *result);
	void *arg; /* of those above */
};

/* Reads the ledger: blocks for a moment. -ERR_LIMIT, -ERR_NOMEM, -ERR_FAILED. */
int dns_keeper_new(struct loop *loop, struct httpc *httpc,
		   const struct dns_keeper_settings *settings, struct dns_keeper **ret_keeper,
		   struct err *e) MUST_CHECK;
void dns_keeper_free(struct dns_keeper *k); /* NULL is fine */

/* What a source says; see dns_chooser_report. */
void dns_keeper_report(struct dns_keeper *k, enum dns_source source, int family, enum dns_wish wish,
		       const struct ipaddr *address);

/* Whether more sources would help: dns_chooser_wants_more. */
bool dns_keeper_wants_more(const struct dns_keeper *k, int family);

/* Another line by which questions leave: dns_chooser_forget. */
void dns_keeper_moved(struct dns_keeper *k);

/* Whether somebody in front translates: dns_chooser_is_behind. */
bool dns_keeper_is_behind(const struct dns_keeper *k);

/* The network changed: what only failed on the way is tried at once. */
void dns_keeper_network(struct dns_keeper *k);

/* A person asks: names of that label or host, all if NULL. False: there is none. force: send though
 * nothing changed. */
bool dns_keeper_update(struct dns_keeper *k, const char *label, bool force);

/* A person has confirmed the name at the provider's: no reminder for a while. */
bool dns_keeper_confirmed(struct dns_keeper *k, const char *label);

/* What is with each name: an array of objects with stable keys, nothing secret in it. NULL: no memory. */
json_t *dns_keeper_status(struct dns_keeper *k);
