/*
 * The providers: one row each. A provider whose interface is one request has a URL and a piece per
 * family behind it; one with records to be found first has steps. Everything else (what can be
 * set, what is asked for in the configuration, what `homeport dns providers` prints) comes from the
 * row.
 *
 * Variables of the texts: {host} the whole name, {zone} and {sub} its parts ("@" where they are
 * equal), {sub0} the same ("" there), {user} {pass} {key} {server} what is configured, {ttl}
 * seconds, {sha} FreeDNS's hash of user and password, {ip4} {ip6} {prefix6} the addresses, {type} "A" "AAAA" "TXT" and {value} the record as
 * it should be; and what earlier steps took from their answers.
 */
#pragma once

#include "base/err.h"
#include "dns/reply.h"

#define DNS_STEPS_MAX 6
#define DNS_TAKES_MAX 2

#define DNS_ACCOUNT_LIMITS_MAX 2

/* What a row can, as bits. */
#define DNS_CAN_A	  1u
#define DNS_CAN_AAAA	  2u
#define DNS_CAN_BOTH	  4u  /* A and AAAA in one request */
#define DNS_CAN_ONLY_BOTH 8u  /* one alone would harm the other */
#define DNS_CAN_PREFIX	  16u /* the network's IPv6 prefix; the provider knows the suffixes */
#define DNS_CAN_TXT	  32u /* dns/txt.h, or DNS UPDATE */

/* What a row's names are, as bits. Only hosts and wildcards are names of the DNS. */
#define DNS_NAME_HOST	  1u
#define DNS_NAME_WILDCARD 2u /* "*.example.org" */
#define DNS_NAME_NUMBER	  4u /* of a record or a tunnel */
#define DNS_NAME_LABEL	  8u /* a word of the account's: a group, a network */
#define DNS_NAME_ADDRESS  16u
#define DNS_NAME_ANY	  31u

/*
 * STEP_IF_RECORD, STEP_IF_NONE  only when {record} was found, or was not
 * STEP_FIND    404 means that there is none; nothing is changed by this step
 * STEP_NEEDED  what it takes must be there, else the name is unknown to the provider (nohost)
 * STEP_UNSIGNED  without the row's header (OVH's clock)
 * STEP_READS   a POST that changes nothing; a GET that takes something never does (dns_step_reads)
 */
#define DNS_STEP_IF_RECORD 1u
#define DNS_STEP_IF_NONE   2u
#define DNS_STEP_FIND	   4u
#define DNS_STEP_NEEDED	   8u
#define DNS_STEP_UNSIGNED  16u
#define DNS_STEP_READS	   32u

struct dns_step {
	const char *method; /* NULL: GET */
	const char *url;
	const char *body;   /* NULL: none; its first character tells JSON, XML or a form */
	const char *header; /* one more; NULL: none */
	unsigned flags;	    /* DNS_STEP_* */
	const struct dns_grammar *grammar; /* of its answer; NULL: the row's */
	const char *within; /* url comes from an answer: it must be https, of this domain */

	/* Variables from the answer. "record" makes STEP_IF_RECORD true; "content" is compared with
	 * {value}: when they are equal nothing is left to do. */
	struct {
		/* As dns_json_at has it; "|2": of lines with "|" between fields, the third field
		 * of the one whose first is {host} and whose second is an address of {type}. */
		const char *name, *path;
	} take[DNS_TAKES_MAX];
};

enum dns_signature { DNS_SIGN_NONE, DNS_SIGN_OVH, DNS_SIGN_AWS };

struct dns_provider {
	const char *name;  /* in the configuration */
	const char *title; /* for people */

	/* one request: url and one of the pieces; NULL: the provider does not have that */
	const char *url, *v4, *v6, *both, *prefix;
	const char *method; /* NULL: GET */
	const char *body;

	/* several */
	struct dns_step steps[DNS_STEPS_MAX]; /* the end has no url */

	bool rfc2136; /* neither: dns/rfc2136.h */

	const char *basic;  /* "{user}:{pass}"; NULL: no Authorization: Basic */
	const char *header; /* "Name: value", several with "\n"; NULL: none */
	enum dns_signature signature;
	const struct dns_grammar *grammar;

	/*
	 * Where names are addresses (DNS_NAME_ADDRESS) nothing is published: what is kept right is to
	 * whom the address leads, and this variable says so. It is claimed once each time the agent
	 * starts, and when a person asks; not in between, or two that want it would take it from each
	 * other for ever.
	 */
	const char *claim;

	const char *zone;   /* the only one; NULL: as configured */
	const char *server; /* default of {server} */

	unsigned names;		/* DNS_NAME_*; 0: DNS_NAME_HOST */
	unsigned families;	/* of steps: DNS_CAN_A, DNS_CAN_AAAA; 0: both */
	const char *everything; /* a host name that is none, but all of the account; NULL: none */

	/* rules: 0 is the default of dns/rules.h */
	unsigned min_interval_s, per_day, refresh_days, remind_days, ttl_min_s;
	struct dns_account_limit {
		unsigned n, span_s;
	} account[DNS_ACCOUNT_LIMITS_MAX]; /* so many updates in so long, whatever the names */
	bool hard_interval; /* the provider states it, and refuses or punishes what comes sooner */

	const char *closed; /* refused, and why */
	const char *note;   /* quirks, for people */
	const char *source; /* where it is documented */
};

/* For dns/txt_rows.c, too. */
extern const struct dns_grammar dns_grammar_dnspod_list, dns_grammar_netcup_login;

extern const struct dns_provider dns_providers[];
extern const size_t dns_providers_count;

/* The row, or NULL. */
const struct dns_provider *dns_provider_find(struct str name);

/* DNS_CAN_*. */
unsigned dns_provider_can(const struct dns_provider *provider);

/* no4, no6: families that are not wanted; prefix: of IPv6 the prefix is. -ERR_INVALID: what is left of
 * them is none of the provider's, so nothing would ever be sent. */
int dns_provider_check_families(const struct dns_provider *provider, bool no4, bool no6,
				bool prefix, struct err *e) MUST_CHECK;

/* Whether a text of the row uses this variable. */
bool dns_provider_uses(const struct dns_provider *provider, const char *variable);

/* Whether the step changes nothing at the provider's, so that it may be made at any time. */
bool dns_step_reads(const struct dns_step *step);

/* Whether it looks at the record before it changes anything: then a needless request cannot
 * happen. */
bool dns_provider_looks_first(const struct dns_provider *provider);
