/*
 * Whether a provider would take a name's update, asked without changing anything there; and which requests
 * the update would be. For dns/trial.
 *
 *	several requests	the first ones, which only read, are made: they prove token and zone
 *	DNS UPDATE		one that changes nothing is made: it proves key, secret, clock, zone and that the
 *				key may change this name
 *	one request		there is none that is harmless: nothing is made
 *
 * A person may ask again and again, and for many names at once: no more than DNS_CHECK_BURST requests at once
 * go to one account, and one more each DNS_CHECK_INTERVAL_S.
 */
#pragma once

#include <stdbool.h>

#include <jansson.h>

#include "base/err.h"

#define DNS_CHECK_BURST	     20
#define DNS_CHECK_INTERVAL_S 3

struct keeper_name;
struct dns_check;

/* What came of it, the caller's to take. */
struct dns_check_result {
	json_t *requests; /* [{"changes":BOOL,"method":…,"url":…,"headers":[…],"body":…} or
			   *  {"changes":BOOL,"update":TEXT}], secrets replaced */
	json_t *checks; /* [{"check":WORD,"family":…,"good":BOOL or null,"answer":WORD,"text":…}] */
	bool refused; /* for what concerns the whole account */
};

/*
 * sides  in: bit 0: IPv4, bit 1: IPv6; not 0. Those whose address is not known are looked at, too.
 *
 * done is called once, later; the check is gone then. -ERR_NOMEM.
 */
int dns_check_start(struct keeper_name *name, unsigned sides,
		    void (*done)(void *arg, struct dns_check_result *result), void *arg,
		    struct dns_check **ret_check, struct err *e) MUST_CHECK;
void dns_check_cancel(struct dns_check *check); /* without done; NULL is fine */
