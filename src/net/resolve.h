/*
 * Host names to addresses, with getaddrinfo(3). It cannot be interrupted and hangs for as long as no
 * name server answers, so each call has a thread of its own: a loop that ends leaves it behind,
 * which one of the pool (net/loop.h) would not allow.
 */
#pragma once

#include "base/ipaddr.h"
#include "net/loop.h"

#define RESOLVE_ADDRS_MAX   16
#define RESOLVE_THREADS_MAX 8 /* of one loop; further names wait for one of them */

struct resolve;

/*
 * Look `host` (a name or an address literal, NUL-terminated) up; done is called once, later: r = 0
 * and 1..n addresses with `port`, in the order in which to try them (RFC 6724, families alternating
 * after the first; "localhost" and names under it are 127.0.0.1 and ::1, RFC 6761 §6.3);
 * -ERR_NOT_FOUND (no such name; e says what to check), -ERR_AGAIN (the resolver could not be
 * reached), -ERR_FAILED. The array is borrowed; the object is gone after done. Not on a virtual
 * clock, but for what needs no looking up.
 */
int resolve_start(struct loop *loop, const char *host, uint16_t port,
		  void (*done)(void *arg, int r, const struct ipaddr *addrs, size_t n,
			       const struct err *e),
		  void *arg, struct resolve **ret_resolve, struct err *e) MUST_CHECK;

/* Before done: ends it without done. NULL is fine. */
void resolve_cancel(struct resolve *r);

/* ── for the loop ── */

struct resolves {
	unsigned running;
	struct list looking, waiting; /* owned: struct resolve */
};

void resolves_init(struct resolves *all);

/* Ends all of them, without done; threads that hang go on, and clean up behind themselves. */
void resolves_done(struct resolves *all);
