/*
 * Routers that say they have restarted, or have another address outside: PCP and NAT-PMP announce
 * it to 224.0.0.1 and ff02::1, port 5350 (RFC 6887 §14.1.2, RFC 6886 §3.2.1); gateway devices of UPnP
 * notify 239.255.255.250, port 1900, every few minutes that they are there, with a number that is
 * another one after a restart (UPnP Device Architecture 1.1 §1.2; 01-NLS in 1.0). Anybody in the
 * local network can send such a thing: it is a hint, after which the router itself is asked.
 */
#pragma once

#include "base/ipaddr.h"
#include "net/loop.h"

#define ANNOUNCE_LINKS_MAX   8
#define ANNOUNCE_DEVICES_MAX 8 /* whose number is remembered; the oldest makes room */

struct announce;

/* on_hint(arg, who): from the loop; port 0. Without a port (another program has it for itself) its
 * hints do not come, and nothing else is different. -ERR_NOMEM. */
int announce_new(struct loop *loop, void (*on_hint)(void *arg, const struct ipaddr *who), void *arg,
		 struct announce **ret_announce, struct err *e) MUST_CHECK;
void announce_free(struct announce *announce); /* NULL is fine */

/* Listen on this link, too, for PCP and NAT-PMP, which speak when they have something to say. Again
 * and again is fine. */
void announce_join(struct announce *announce, uint8_t family, unsigned ifindex);

/* And for UPnP: every device in the network says every few minutes that it is there, miniupnpd a dozen
 * times twice a minute, which wakes us each time. */
void announce_join_upnp(struct announce *announce, unsigned ifindex);
