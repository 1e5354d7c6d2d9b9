/*
 * provider = template: a row that somebody writes for a provider of his own.
 *
 *	url = https://ddns.example.net/update?host={host}&key={pass}&v4={ip4}
 *	good = updated ...	nochg = unchanged	fatal = error: bad key ...	retry = busy
 *
 * The address is {value} (of either family, a request each), or {ip4}, {ip6}, or both of these in one
 * request, in the URL, a header or the body. Other variables: dns/provider.h. The patterns are those of
 * dns/reply.h; any line of the answer may match, of several the worst counts. What matches none is no
 * success.
 */
#pragma once

#include "dns/provider.h"

#define DNS_CUSTOM_PATTERNS_MAX 16 /* of each kind */
#define DNS_CUSTOM_TEXT_MAX	2048

struct dns_patterns {
	const char *const *at; /* borrowed */
	size_t n;
};

/* All borrowed; what is not given is NULL, or n = 0. */
struct dns_custom {
	const char *url, *method, *body;
	const char *headers; /* "Name: value", several with "\n" */
	bool basic;	     /* Authorization: Basic with user and pass */
	struct dns_patterns good, nochg, fatal, retry;
	unsigned interval_s; /* 0: the default */
};

/*
 * The row; dns_custom_free. -ERR_INVALID: e says what is wrong with it: not https, an unknown variable, no
 * address anywhere, no pattern of success, a header that is none. -ERR_NOMEM.
 */
int dns_custom_new(const struct dns_custom *custom, struct dns_provider **ret,
		   struct err *e) MUST_CHECK;

/* NULL is fine. Only rows made here. */
void dns_custom_free(struct dns_provider *row);
