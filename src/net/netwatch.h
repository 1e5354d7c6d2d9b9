/*
 * The machine's network changed: a link, address, route or routing rule came or went, or is another
 * than before (rtnetlink(7) multicast groups). Of an address count temporary, deprecated (or
 * preferred no longer), tentative, optimistic and the failure of duplicate address detection; of a
 * prefix that a router announces, whether it may be used; lifetimes being renewed do not count. Works
 * without privileges; not on the virtual clock. net/netstate says what it is like now.
 */
#pragma once

#include "net/loop.h"

struct netwatch;

#define NETWATCH_SETTLE (50 * USEC_PER_MS) /* events of one change come in bursts */

/*
 * on_change is called once a burst, when it has settled (a burst without end: twice a second).
 * Changes of the loopback interface do not count. An address that is tentative counts when it can be
 * used, or is found to be a duplicate.
 */
int netwatch_new(struct loop *loop, void (*on_change)(void *arg), void *arg,
		 struct netwatch **ret_netwatch, struct err *e) MUST_CHECK;
void netwatch_free(struct netwatch *w); /* NULL is fine */
