/*
 * One request to a provider, made from its row: method, URL, header lines and body, byte for byte.
 * They hold secrets: never logged.
 */
#pragma once

#include "base/baseenc.h"
#include "base/cidr.h"
#include "dns/provider.h"
#include "dns/template.h"

#define DNS_TTL_DEFAULT_S 60

/* One name as configured. The strings are the owner's. */
struct dns_entry {
	const struct dns_provider *provider;
	const char *host;	       /* the whole name, lower case */
	const char *zone;	       /* NULL: the row has one, or needs none */
	const char *server;	       /* NULL: the row's */
	const char *user, *pass, *key; /* NULL: not configured */
	unsigned ttl_s; /* 0: the least the row allows, DNS_TTL_DEFAULT_S if that is less */
};

enum dns_what { DNS_A, DNS_AAAA, DNS_BOTH, DNS_PREFIX, DNS_TXT /* dns/txt.h only */ };

/* What is to be published; what `what` does not name is ignored. */
struct dns_target {
	struct ipaddr ip4, ip6;
	struct cidr prefix6;
	const char *txt;
};

struct dns_request {
	const char *method; /* borrowed from the row */
	struct buf url;	    /* NUL-terminated; buf_len counts the NUL */
	struct buf headers; /* lines, each with CRLF */
	struct buf body;
	bool has_body;
	bool aws; /* to be signed for Route 53 with the entry's user and pass (AWS SigV4) */
};

void dns_request_done(struct dns_request *request); /* wipes */

/* Whether the entry has what its row needs. -ERR_INVALID: e says what is missing or why the row
 * cannot be used. */
int dns_entry_check(const struct dns_entry *entry, struct err *e) MUST_CHECK;

/* The name's part before the zone; empty when they are equal. False: it is not in the zone. */
bool dns_sub_of(const char *host, const char *zone, struct str *ret);

/* The variables of the entry and its target. What they point to lives in *text. */
struct dns_vars_text {
	char ip4[IPADDR_TEXT_MAX], ip6[IPADDR_TEXT_MAX], prefix6[CIDR_TEXT_MAX], ttl[12];
	char sub[HOSTNAME_MAX], sha[HEX_TEXT_LEN(20)];
};
void dns_entry_vars(const struct dns_entry *entry, enum dns_what what,
		    const struct dns_target *target, struct dns_vars_text *text,
		    struct dns_vars *ret);

/* The row's one request. ret zeroed; freed by the caller also after an error. -ERR_INVALID: the row
 * cannot do that. */
int dns_request_make(const struct dns_provider *row, enum dns_what what, struct dns_vars *vars,
		     struct dns_request *ret, struct err *e) MUST_CHECK;

/* One of its steps. */
int dns_request_make_step(const struct dns_provider *row, const struct dns_step *step,
			  struct dns_vars *vars, struct dns_request *ret, struct err *e) MUST_CHECK;

/* ── for people: what is secret is "***" ── */

#define DNS_HIDDEN     "***"
#define DNS_HIDDEN_LEN (sizeof(DNS_HIDDEN) - 1)

/* The secrets among the variables. */
void dns_vars_hide(struct dns_vars *vars);

/* What stands behind the host of a URL in that variable, which is a token. text: where it is written; at
 * least as long as the value and DNS_HIDDEN. */
void dns_vars_hide_path(struct dns_vars *vars, const char *name, char *text, size_t size);

/* What a request made of hidden variables has of encoded ones: basic authentication, signatures. -ERR_NOMEM. */
int dns_request_hide(struct dns_request *request, struct err *e) MUST_CHECK;

/* The entry's secrets in words of the provider's, which may repeat what it was asked: as they are, and as in a URL.
 * Of four bytes at least: a shorter one stands in any text. */
void dns_reply_hide(struct dns_reply *reply, const struct dns_entry *entry);
