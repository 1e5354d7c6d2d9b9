/*
 * Would the names' configuration work? For each of them, one after the other: the address that would be
 * published and who says so, what is published, what would be sent and when, and whether the provider would
 * take it (dns/check). Nothing is changed anywhere but by DNS_TRIAL_SEND: an update as of
 * dns_keeper_update, whose answer is awaited.
 *
 *	dns_trial_start(keeper, "home.example.org", 0, on_name, x, &trial, &e);
 *	on_name(x, object)	for each name
 *	on_name(x, NULL)	that was all; the trial is gone
 *
 * One name, for programs:
 *
 *	{"name":SECTION,"host":…,"provider":…,
 *	 "records":[{"family":"ipv4","wanted":ADDRESS,"source":WORD,"why":TEXT,	as of dns_keeper_status
 *	   "found":ADDRESS or "" (nothing) or null (could not be found out), or absent (no name of the DNS),
 *	   "send":WORD (dns_machine_prospect),"send_s":SECONDS,…}],
 *	 "requests":[…],"checks":[…],		as of dns/check
 *	 "sent":[{"family":…,"good":BOOL,"answer":WORD,"text":…}],	of DNS_TRIAL_SEND
 *	 "works":true, false, or null: not proven,"text":SENTENCE}
 */
#pragma once

#include "dns/keeper.h"

#define DNS_TRIAL_SEND	1u
#define DNS_TRIAL_FORCE 2u		  /* with SEND: though nothing changed */
#define DNS_TRIAL_WAIT	(60 * USEC_PER_S) /* for the answer to what was sent */
#define DNS_TRIALS_MAX	4		  /* of one keeper at once */

struct dns_trial;

/*
 * label    in: a label or host; NULL: all
 * on_name  may cancel the trial; the object is its own
 *
 * -ERR_NOT_FOUND: no such name; -ERR_LIMIT: DNS_TRIALS_MAX; -ERR_NOMEM. To be cancelled before the keeper
 * goes.
 */
int dns_trial_start(struct dns_keeper *k, const char *label, unsigned how,
		    void (*on_name)(void *arg, json_t *name), void *arg,
		    struct dns_trial **ret_trial, struct err *e) MUST_CHECK;
void dns_trial_cancel(struct dns_trial *trial); /* NULL is fine */
