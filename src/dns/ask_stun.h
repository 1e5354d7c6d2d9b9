/*
 * One STUN server asked for our address (proto/stun.h), over UDP from an address of ours: sent again
 * after 100 ms, 200 ms, 400 ms, ... and given up after DNS_ASK_STUN_TIMEOUT.
 */
#pragma once

#include "net/loop.h"
#include "net/resolve.h"

#define DNS_ASK_STUN_TIMEOUT (3 * USEC_PER_S) /* the name's lookup apart */
#define DNS_ASK_STUN_FIRST   (100 * USEC_PER_MS)

struct dns_ask_stun;

/*
 * host    in: a name or an address literal
 * family  in: 4 or 6
 * source  in: send from this address of that family; NULL: the kernel's choice
 * interface in: and by this one, whatever the routes prefer; NULL: any
 *
 * done is called once, later: r = 0 and the address (no port), or -ERR_TIMEOUT, -ERR_REFUSED (nobody
 * is there, or it answers with an error), -ERR_NOT_FOUND (the name has no such address), -ERR_FAILED,
 * ... The object is gone when done is called; whatever is called from it is allowed.
 */
int dns_ask_stun_start(struct loop *loop, const char *host, uint16_t port, uint8_t family,
		       const struct ipaddr *source, const char *interface,
		       void (*done)(void *arg, int r, const struct ipaddr *address,
				    const struct err *e),
		       void *arg, struct dns_ask_stun **ret_ask, struct err *e) MUST_CHECK;

/* Before done: ends it without. NULL is fine. */
void dns_ask_stun_cancel(struct dns_ask_stun *ask);
