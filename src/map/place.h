/*
 * One place at the home network from which doors are asked for: an address of this machine and the
 * router behind it, both of one family. What uplink/ found, handed over by the role.
 */
#pragma once

#include <net/if.h>

#include "base/ipaddr.h"

struct map_place {
	unsigned ifindex;
	char ifname[IF_NAMESIZE];
	struct ipaddr address; /* ours, the one a door leads to; port 0 */
	uint8_t prefix_len;    /* how many bits of it are the link's: who is on-link */
	struct ipaddr router;  /* next hop of the default route, port 0; fe80:: with its scope */
};
