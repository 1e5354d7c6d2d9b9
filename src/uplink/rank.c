#include "uplink/rank.h"

#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <string.h>

#define LIFETIME_SLACK_S 60 /* and a tenth: lifetimes that differ by less are the same */

bool rank_same_network(const struct ipaddr *a, const struct ipaddr *b, uint8_t prefix_len)
{
	uint8_t rest = (uint8_t)(0xff00 >> prefix_len % 8);
	size_t whole = prefix_len / 8;

	if (a->family != b->family || memcmp(a->bytes, b->bytes, whole) != 0)
		return false;
	return rest == 0 || ((a->bytes[whole] ^ b->bytes[whole]) & rest) == 0;
}

bool rank_is_static(const struct netstate_address *a)
{
	return a->valid_s == NETSTATE_FOREVER && a->protocol != IFAPROT_KERNEL_RA &&
	       !(a->flags & IFA_F_MANAGETEMPADDR);
}

/* ── rules: more than 0 speaks for a, less for b ── */

typedef int rule_fn(const struct rank_candidate *a, const struct rank_candidate *b);

static int prefer(bool a, bool b)
{
	return (int)a - (int)b;
}

static int by_kind(const struct rank_candidate *a, const struct rank_candidate *b)
{
	return prefer(!a->secondary, !b->secondary);
}

static int by_main_table(const struct rank_candidate *a, const struct rank_candidate *b)
{
	return prefer(a->route->table == RT_TABLE_MAIN, b->route->table == RT_TABLE_MAIN);
}

static int by_metric(const struct rank_candidate *a, const struct rank_candidate *b)
{
	return prefer(a->route->metric < b->route->metric, b->route->metric < a->route->metric);
}

static int by_preference(const struct rank_candidate *a, const struct rank_candidate *b)
{
	return a->route->preference - b->route->preference;
}

static bool on_routers_network(const struct rank_candidate *c)
{
	const struct netstate_address *net = &c->address->net;

	return rank_same_network(&net->address, &c->route->gateway, net->prefix_len);
}

static int by_routers_network(const struct rank_candidate *a, const struct rank_candidate *b)
{
	return prefer(on_routers_network(a), on_routers_network(b));
}

static int by_former(const struct rank_candidate *a, const struct rank_candidate *b)
{
	return prefer(a->former, b->former);
}

/* Of IPv6 the prefix counts: the route may name a temporary address of it. */
static bool is_route_source(const struct rank_candidate *c)
{
	return rank_same_network(&c->address->net.address, &c->route->source,
				 c->route->family == 4 ? 32 : 64);
}

static int by_route_source(const struct rank_candidate *a, const struct rank_candidate *b)
{
	return prefer(is_route_source(a), is_route_source(b));
}

static int by_announced(const struct rank_candidate *a, const struct rank_candidate *b)
{
	return prefer(a->announced, b->announced);
}

static int by_static(const struct rank_candidate *a, const struct rank_candidate *b)
{
	return prefer(rank_is_static(&a->address->net), rank_is_static(&b->address->net));
}

/* The verdicts that an address can be chosen with are in this order. */
static int by_class(const struct rank_candidate *a, const struct rank_candidate *b)
{
	return prefer(a->address->verdict < b->address->verdict,
		      b->address->verdict < a->address->verdict);
}

static int by_primary(const struct rank_candidate *a, const struct rank_candidate *b)
{
	return prefer(!(a->address->net.flags & IFA_F_SECONDARY),
		      !(b->address->net.flags & IFA_F_SECONDARY));
}

/* Routers list the neighbours that they have seen, not the leases of another server: an address of
 * a prefix on the link is easier to find there than a single one of DHCPv6. */
static int by_autoconf(const struct rank_candidate *a, const struct rank_candidate *b)
{
	return prefer(a->address->net.prefix_len < 128, b->address->net.prefix_len < 128);
}

static bool lasts_longer(uint32_t a, uint32_t b)
{
	return a > b && a - b > LIFETIME_SLACK_S && a - b > a / 10;
}

static int by_lifetime(const struct rank_candidate *a, const struct rank_candidate *b)
{
	uint32_t left_a = a->address->net.preferred_s, left_b = b->address->net.preferred_s;

	return prefer(lasts_longer(left_a, left_b), lasts_longer(left_b, left_a));
}

static int by_order(const struct rank_candidate *a, const struct rank_candidate *b)
{
	return prefer(a->address < b->address, b->address < a->address); /* one sorted array */
}

/* First the interface, as replies leave by it; then an address that stays. */
static const struct {
	enum uplink_reason reason;
	uint8_t family; /* 0: both */
	rule_fn *compare;
} rules[] = {
	{UPLINK_BY_KIND, 0, by_kind},
	{UPLINK_BY_MAIN_TABLE, 0, by_main_table},
	{UPLINK_BY_METRIC, 0, by_metric},
	{UPLINK_BY_PREFERENCE, 6, by_preference},
	{UPLINK_BY_ROUTERS_NETWORK, 4, by_routers_network},
	{UPLINK_BY_FORMER, 0, by_former},
	{UPLINK_BY_ROUTE_SOURCE, 0, by_route_source},
	{UPLINK_BY_ANNOUNCED, 6, by_announced},
	{UPLINK_BY_STATIC, 6, by_static},
	{UPLINK_BY_CLASS, 4, by_class},
	{UPLINK_BY_PRIMARY, 4, by_primary},
	{UPLINK_BY_AUTOCONF, 6, by_autoconf},
	{UPLINK_BY_LIFETIME, 0, by_lifetime},
	{UPLINK_BY_ORDER, 0, by_order},
};

static int compare(const struct rank_candidate *a, const struct rank_candidate *b,
		   enum uplink_reason without, enum uplink_reason *ret_reason)
{
	for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
		int r;

		if (rules[i].reason == without ||
		    (rules[i].family && rules[i].family != a->route->family))
			continue;
		r = rules[i].compare(a, b);
		if (r) {
			*ret_reason = rules[i].reason;
			return r;
		}
	}
	return 0;
}

bool rank_better(const struct rank_candidate *a, const struct rank_candidate *b)
{
	enum uplink_reason reason;

	return compare(a, b, UPLINK_BY_NONE, &reason) > 0;
}

enum uplink_reason rank_reason(const struct rank_candidate *winner,
			       const struct rank_candidate *loser)
{
	enum uplink_reason reason = UPLINK_BY_NONE;

	return compare(winner, loser, UPLINK_BY_FORMER, &reason) > 0 ? reason : UPLINK_BY_FORMER;
}

bool rank_route_better(const struct netstate_route *a, const struct netstate_route *b)
{
	const struct rank_candidate one = {.route = a}, other = {.route = b};
	int r = by_main_table(&one, &other);

	if (r == 0)
		r = by_metric(&one, &other);
	if (r == 0)
		r = by_preference(&one, &other);
	return r > 0;
}
