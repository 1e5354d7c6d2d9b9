/*
 * One change by DNS UPDATE, at the server of an entry: its name looked up, the message signed and sent,
 * the answer read.
 *
 *	r = dns_updater_start(&updater, loop, &entry, &change, now_s, on_done, x, &e);
 */
#pragma once

#include "dns/exchange.h"
#include "dns/request.h"
#include "dns/rfc2136.h"
#include "net/resolve.h"

/* Caller's memory, zeroed before the first start. */
struct dns_updater {
	struct loop *loop;			/* borrowed */
	const struct dns_entry *entry;		/* borrowed */
	struct dns_change change;		/* its texts are borrowed */
	struct ipaddr addrs[RESOLVE_ADDRS_MAX]; /* of the server */
	size_t n_addrs, addr;			/* the one that is tried */
	char key_text[HOSTNAME_MAX + 16];
	struct dns_key key;
	struct dns_update_sent sent;
	int64_t now_s;
	struct resolve *resolve;       /* owned */
	struct dns_exchange *exchange; /* owned */
	void (*done)(void *arg, const struct dns_reply *reply);
	void *arg;
};

/* done is called once, later. -ERR_INVALID: the entry, or the change, is wrong; -ERR_NOMEM, -ERR_FAILED. now_s: the
 * wall clock, to tell by how much clocks differ. */
int dns_updater_start(struct dns_updater *u, struct loop *loop, const struct dns_entry *entry,
		      const struct dns_change *change, int64_t now_s,
		      void (*done)(void *arg, const struct dns_reply *reply), void *arg,
		      struct err *e) MUST_CHECK;

/* Before done: ends it without. At any time. */
void dns_updater_cancel(struct dns_updater *u);
