/*
 * A service for this machine and its network, without a gateway (`homeport share --lan`): listens
 * on every address, and serves neighbours (agent/neighbours) who ask for it by an address, a name
 * without a dot, the machine's name, or a name of the wish. All others may be strangers: a web page
 * can lead a neighbour's browser here under a name of its own (DNS rebinding).
 */
#pragma once

#include "agent/origin.h"

#define LAN_URLS_MAX		 16
#define LAN_CONNS_MAX		 1024
#define LAN_CONNS_PER_SOURCE_MAX 256

struct lan;

/*
 * wish    in: copied
 * port    in: 0: the kernel's choice
 * events  in: of the origin
 *
 * -ERR_EXISTS: the port is in use; -ERR_DENIED: no right to it; others. IPv4 or IPv6 may be missing
 * on the machine, but not both.
 */
int lan_new(struct loop *loop, const struct wish *wish, uint16_t port,
	    const struct origin_events *events, void *arg, struct lan **ret_lan,
	    struct err *e) MUST_CHECK;

/* Ends the visitors. NULL is fine. */
void lan_free(struct lan *lan);

/* "http://192.168.1.7:8080/": one for each address of this machine that others can use, and
 * localhost last. The texts are the lan's. Returns how many. */
size_t lan_urls(const struct lan *lan, const char *ret[static LAN_URLS_MAX]);
