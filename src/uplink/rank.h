/* Which of two addresses that could be used is the better one, and by which rule. */
#pragma once

#include "uplink/uplink.h"

struct rank_candidate {
	const struct uplink_address *address; /* borrowed */
	const struct netstate_route *route;   /* borrowed: the default route by its interface */
	bool secondary; /* its interface is a dial-up line, or one of software */
	bool announced; /* a router announces its prefix */
	bool former;	/* it was chosen before */
};

/* Whether a is better than b, which is of the same family. */
bool rank_better(const struct rank_candidate *a, const struct rank_candidate *b);

/* What the winner has that the loser lacks. That it was chosen before is only said where nothing
 * else speaks for it. */
enum uplink_reason rank_reason(const struct rank_candidate *winner,
			       const struct rank_candidate *loser);

/* Whether a default route is better than another one by the same interface. */
bool rank_route_better(const struct netstate_route *a, const struct netstate_route *b);

/* Whether both are of one /64, or of one network of IPv4. */
bool rank_same_network(const struct ipaddr *a, const struct ipaddr *b, uint8_t prefix_len);

/* Given by hand, for ever; an address from the router may last that long, too. */
bool rank_is_static(const struct netstate_address *a);
