/*
 * The machine's network changed: an address, route or link came or went (rtnetlink(7) multicast
 * groups RTMGRP_LINK, RTMGRP_IPV4_IFADDR, RTMGRP_IPV6_IFADDR, RTMGRP_IPV4_ROUTE,
 * RTMGRP_IPV6_ROUTE). Works without privileges; not on the virtual clock.
 */
#pragma once

#include "net/loop.h"

struct netwatch;

#define NETWATCH_SETTLE (50 * USEC_PER_MS) /* events of one change come in bursts */

/*
 * on_change is called once a burst, when it has settled (a burst without end: twice a second).
 * Changes of the loopback interface do not count, nor do lifetimes being renewed; the first
 * renewal of something that was there before the watch may.
 */
int netwatch_new(struct loop *loop, void (*on_change)(void *arg), void *arg,
		 struct netwatch **ret_netwatch, struct err *e) MUST_CHECK;
void netwatch_free(struct netwatch *w); /* NULL is fine */
