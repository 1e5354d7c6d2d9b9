/*
 * What the kernel knows of this machine's network now: links, addresses, default routes, in one
 * snapshot (rtnetlink(7)). net/netwatch says when to take a new one.
 *
 *	struct netstate state;
 *	r = netstate_read(&state, &e);
 *	link = netstate_find_link(&state, address->ifindex);
 *	netstate_done(&state);
 *
 * It does not wait for anybody: the kernel answers a dump at once. Works without privileges. Names
 * of links are the administrator's bytes: print them through log_text().
 */
#pragma once

#include <net/if.h>

#include "base/cidr.h"

#define NETSTATE_LINKS_MAX     1024
#define NETSTATE_ADDRESSES_MAX 2048
#define NETSTATE_ROUTES_MAX    256   /* default routes that are kept */
#define NETSTATE_DUMP_MAX      65536 /* messages of one dump that are looked at: a router's tables */

#define NETSTATE_KIND_MAX 16
#define NETSTATE_FOREVER  UINT32_MAX

struct netstate_link {
	unsigned ifindex;
	char name[IF_NAMESIZE];
	char kind[NETSTATE_KIND_MAX]; /* "veth", "wireguard", ...; "": hardware */
	uint16_t type;		      /* ARPHRD_* */
	bool up;		      /* wanted up */
	bool running;		      /* and has a carrier */
	bool loopback, point_to_point;

	/* net.ipv6.conf.LINK.*; -1: not told */
	int forwarding6, accept_ra, use_tempaddr;
};

struct netstate_address {
	unsigned ifindex;
	struct ipaddr address; /* scope: ifindex when it is link-local; no port */
	struct ipaddr peer;    /* of a point-to-point link; family 0: none */
	uint8_t prefix_len;
	uint8_t scope;			 /* RT_SCOPE_* */
	uint8_t protocol;		 /* IFAPROT_*: who made it; 0: not told */
	uint32_t flags;			 /* IFA_F_*; of IPv4, 0x01 is SECONDARY */
	uint32_t preferred_s, valid_s;	 /* left; NETSTATE_FOREVER */
	uint32_t created_cs, updated_cs; /* when, 1/100 s of the kernel's uptime; they wrap */
};

/* One next hop of a default route; one with several is as many of these. */
struct netstate_route {
	uint8_t family; /* 4, 6 */
	unsigned ifindex;
	struct ipaddr gateway; /* family 0: none; scope: ifindex when it is link-local. An IPv4
				* route may go by an IPv6 router (RFC 8950). */
	struct ipaddr source;  /* the address it prefers; family 0: none */
	struct cidr from;      /* only for what comes from there; addr.family 0: everything */
	uint32_t table;	       /* RT_TABLE_MAIN, ... */
	uint32_t metric;
	uint8_t protocol;  /* RTPROT_* */
	int8_t preference; /* of the router's announcement (RFC 4191): -1 low, 0, 1 high */
};

struct netstate {
	struct netstate_link *links; /* all three owned */
	struct netstate_address *addresses;
	struct netstate_route *routes;
	size_t n_links, n_addresses, n_routes;
	bool incomplete; /* there is more than the *_MAX above */
};

/*
 * Take a snapshot. -ERR_AGAIN: it changes faster than it can be read, ask again later; -ERR_FAILED:
 * the kernel does not tell, e says why; -ERR_NOMEM.
 */
int netstate_read(struct netstate *ret, struct err *e) MUST_CHECK;
void netstate_done(struct netstate *state);

/* NULL: there is none with this index, or name. */
const struct netstate_link *netstate_find_link(const struct netstate *state, unsigned ifindex);
const struct netstate_link *netstate_find_name(const struct netstate *state, const char *name);

/*
 * Add what is in the messages of one datagram from the kernel to a snapshot: RTM_NEWLINK,
 * RTM_NEWADDR and RTM_NEWROUTE; others and damaged ones are passed over, and what exceeds a *_MAX,
 * with state->incomplete. -ERR_NOMEM.
 */
int netstate_decode(struct netstate *state, const void *bytes, size_t len) MUST_CHECK;
