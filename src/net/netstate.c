#include "net/netstate.h"

#include <linux/if_link.h>
#include <linux/ipv6.h>
#include <stdlib.h>
#include <string.h>

#include "net/rtnl.h"

#define NETSTATE_TRIES 4 /* to read something that does not change meanwhile */

/* ── arrays that grow ── */

/* Room for one more in an array of n. -ERR_LIMIT: there are max. */
static int grow(void *array, size_t n, size_t max, size_t size, void **ret)
{
	if (n >= max)
		return -ERR_LIMIT;
	*ret = array;
	if (n & (n - 1)) /* only at a power of two is the array full */
		return 0;
	*ret = reallocarray(array, n ? 2 * n : 1, size);
	return *ret ? 0 : -ERR_NOMEM;
}

/* What is beyond a limit is left out. */
static int limited(struct netstate *state, int r)
{
	if (r != -ERR_LIMIT)
		return r;
	state->incomplete = true;
	return 0;
}

#define ADD(state, array, n, max, item)                                                            \
	({                                                                                         \
		void *grown_;                                                                      \
		int add_ = grow((state)->array, (state)->n, max, sizeof(item), &grown_);           \
		if (add_ == 0) {                                                                   \
			(state)->array = grown_;                                                   \
			(state)->array[(state)->n++] = item;                                       \
		}                                                                                  \
		limited(state, add_);                                                              \
	})

/* ── what attributes hold ── */

static uint8_t family_number(unsigned char family)
{
	return family == AF_INET ? 4 : family == AF_INET6 ? 6 : 0;
}

static bool set_address(struct ipaddr *ret, uint8_t family, struct cursor value)
{
	size_t len = family == 4 ? 4 : 16;

	if (family == 0 || cursor_left(&value) != len)
		return false;
	*ret = (struct ipaddr){.family = family};
	memcpy(ret->bytes, value.at, len);
	return true;
}

static bool get_address(struct ipaddr *ret, uint8_t family, struct cursor attrs, unsigned type)
{
	struct cursor value;

	return rtnl_attr_find(attrs, type, &value) && set_address(ret, family, value);
}

static void scope_to(struct ipaddr *a, unsigned ifindex)
{
	if (ipaddr_is_link_local6(a))
		a->scope = ifindex;
}

/* Text with or without its NUL; what does not fit is left out. */
static void get_text(struct cursor attrs, unsigned type, char *ret, size_t size)
{
	struct cursor value;

	if (rtnl_attr_find(attrs, type, &value))
		str_copy(ret, size,
			 str_n((const char *)value.at,
			       strnlen((const char *)value.at, cursor_left(&value))));
}

/* ── links ── */

/* IFLA_AF_SPEC, in it AF_INET6, in it the interface's sysctls as an array of int. */
static void decode_sysctls(struct netstate_link *link, struct cursor attrs)
{
	struct cursor families, inet6, conf;
	int32_t values[DEVCONF_USE_TEMPADDR + 1];

	if (!rtnl_attr_find(attrs, IFLA_AF_SPEC, &families) ||
	    !rtnl_attr_find(families, AF_INET6, &inet6) ||
	    !rtnl_attr_find(inet6, IFLA_INET6_CONF, &conf) || cursor_left(&conf) < sizeof(values))
		return;
	memcpy(values, conf.at, sizeof(values));
	link->forwarding6 = values[DEVCONF_FORWARDING];
	link->accept_ra = values[DEVCONF_ACCEPT_RA];
	link->use_tempaddr = values[DEVCONF_USE_TEMPADDR];
}

static int decode_link(struct netstate *state, struct rtnl_message *m)
{
	struct netstate_link link = {.forwarding6 = -1, .accept_ra = -1, .use_tempaddr = -1};
	struct ifinfomsg head;
	struct cursor info;

	if (!rtnl_header(m, &head, sizeof(head)) || head.ifi_index <= 0)
		return 0;
	link.ifindex = (unsigned)head.ifi_index;
	link.type = head.ifi_type;
	link.up = head.ifi_flags & IFF_UP;
	link.running = link.up && head.ifi_flags & IFF_RUNNING;
	link.loopback = head.ifi_flags & IFF_LOOPBACK;
	link.point_to_point = head.ifi_flags & IFF_POINTOPOINT;
	get_text(m->body, IFLA_IFNAME, link.name, sizeof(link.name));
	if (rtnl_attr_find(m->body, IFLA_LINKINFO, &info))
		get_text(info, IFLA_INFO_KIND, link.kind, sizeof(link.kind));
	decode_sysctls(&link, m->body);
	return ADD(state, links, n_links, NETSTATE_LINKS_MAX, link);
}

/* ── addresses ── */

/* IFA_LOCAL is the machine's own; without it IFA_ADDRESS is, which else is the peer's. */
static bool decode_ends(struct netstate_address *a, uint8_t family, struct cursor attrs)
{
	struct ipaddr other;
	bool has_other = get_address(&other, family, attrs, IFA_ADDRESS);

	if (!get_address(&a->address, family, attrs, IFA_LOCAL)) {
		a->address = other;
		return has_other;
	}
	if (has_other && !ipaddr_equal(&other, &a->address))
		a->peer = other;
	return true;
}

static int decode_address(struct netstate *state, struct rtnl_message *m)
{
	struct netstate_address a = {0};
	struct ifa_cacheinfo times = {.ifa_prefered = NETSTATE_FOREVER,
				      .ifa_valid = NETSTATE_FOREVER};
	struct ifaddrmsg head;

	if (!rtnl_header(m, &head, sizeof(head)) ||
	    !decode_ends(&a, family_number(head.ifa_family), m->body))
		return 0;
	a.ifindex = head.ifa_index;
	a.prefix_len = MIN(head.ifa_prefixlen, a.address.family == 4 ? 32 : 128);
	a.scope = head.ifa_scope;
	a.flags = head.ifa_flags;
	rtnl_u32(m->body, IFA_FLAGS, &a.flags);
	rtnl_get(m->body, IFA_PROTO, &a.protocol, sizeof(a.protocol));
	rtnl_get(m->body, IFA_CACHEINFO, &times, sizeof(times));
	a.preferred_s = times.ifa_prefered;
	a.valid_s = times.ifa_valid;
	a.created_cs = times.cstamp;
	a.updated_cs = times.tstamp;
	scope_to(&a.address, a.ifindex);
	scope_to(&a.peer, a.ifindex);
	return ADD(state, addresses, n_addresses, NETSTATE_ADDRESSES_MAX, a);
}

/* ── routes ── */

/* RTA_GATEWAY is of the route's family; RTA_VIA says of which. */
static void decode_gateway(struct netstate_route *route, struct cursor attrs)
{
	struct cursor via;
	struct rtvia head;
	const uint8_t *at;

	if (!get_address(&route->gateway, route->family, attrs, RTA_GATEWAY) &&
	    rtnl_attr_find(attrs, RTA_VIA, &via) && (at = cursor_take(&via, sizeof(head)))) {
		memcpy(&head, at, sizeof(head));
		set_address(&route->gateway, family_number((unsigned char)head.rtvia_family), via);
	}
	if (ipaddr_is_unspecified(&route->gateway))
		route->gateway = (struct ipaddr){0};
	scope_to(&route->gateway, route->ifindex);
}

static int add_route(struct netstate *state, const struct netstate_route *route)
{
	if (route->ifindex == 0)
		return 0;
	return ADD(state, routes, n_routes, NETSTATE_ROUTES_MAX, *route);
}

static int decode_multipath(struct netstate *state, const struct netstate_route *route,
			    struct cursor hops)
{
	const uint8_t *at;
	int r = 0;

	while (r == 0 && (at = cursor_take(&hops, sizeof(struct rtnexthop)))) {
		struct netstate_route one = *route;
		struct rtnexthop hop;
		struct cursor attrs;

		memcpy(&hop, at, sizeof(hop));
		if (hop.rtnh_len < sizeof(hop))
			break;
		attrs = cursor_sub(&hops, hop.rtnh_len - sizeof(hop));
		if (!cursor_ok(&attrs))
			break;
		if (hop.rtnh_flags & (RTNH_F_DEAD | RTNH_F_LINKDOWN))
			continue;
		one.ifindex = (unsigned)hop.rtnh_ifindex;
		decode_gateway(&one, attrs);
		r = add_route(state, &one);
	}
	return r;
}

/* The higher two bits of a router's announcement, as the kernel keeps them (RFC 4191 §2.1). */
static int8_t preference_of(uint8_t pref)
{
	switch (pref) {
	case 1:
		return 1;
	case 3:
		return -1;
	default:
		return 0;
	}
}

static int decode_route(struct netstate *state, struct rtnl_message *m)
{
	struct netstate_route route = {0};
	struct rtmsg head;
	struct cursor hops;
	uint8_t pref = 0;
	struct ipaddr source;

	if (!rtnl_header(m, &head, sizeof(head)) || head.rtm_dst_len != 0 ||
	    head.rtm_type != RTN_UNICAST || head.rtm_flags & (RTM_F_CLONED | RTNH_F_DEAD))
		return 0;
	route.family = family_number(head.rtm_family);
	route.table = head.rtm_table;
	rtnl_u32(m->body, RTA_TABLE, &route.table);
	if (route.family == 0 || route.table == RT_TABLE_LOCAL)
		return 0;
	route.protocol = head.rtm_protocol;
	rtnl_u32(m->body, RTA_PRIORITY, &route.metric);
	rtnl_get(m->body, RTA_PREF, &pref, sizeof(pref));
	route.preference = preference_of(pref);
	get_address(&route.source, route.family, m->body, RTA_PREFSRC);
	if (head.rtm_src_len && get_address(&source, route.family, m->body, RTA_SRC))
		route.from = (struct cidr){source, head.rtm_src_len};
	if (rtnl_attr_find(m->body, RTA_MULTIPATH, &hops))
		return decode_multipath(state, &route, hops);
	if (head.rtm_flags & RTNH_F_LINKDOWN)
		return 0;
	rtnl_u32(m->body, RTA_OIF, &route.ifindex);
	decode_gateway(&route, m->body);
	return add_route(state, &route);
}

/* ── messages ── */

static int decode_message(struct netstate *state, struct rtnl_message *m)
{
	switch (m->type) {
	case RTM_NEWLINK:
		return decode_link(state, m);
	case RTM_NEWADDR:
		return decode_address(state, m);
	case RTM_NEWROUTE:
		return decode_route(state, m);
	default:
		return 0;
	}
}

int netstate_decode(struct netstate *state, const void *bytes, size_t len)
{
	struct cursor datagram = cursor_over(bytes, len);
	struct rtnl_message m;
	int r = 0;

	while (r == 0 && rtnl_next(&datagram, &m))
		r = decode_message(state, &m);
	return r;
}

/* ── reading ── */

struct reading {
	struct netstate *state;
	size_t n; /* messages of this dump */
};

static int on_message(void *arg, struct rtnl_message *m)
{
	struct reading *reading = arg;

	if (++reading->n > NETSTATE_DUMP_MAX)
		return -ERR_LIMIT;
	return decode_message(reading->state, m);
}

static int read_one(struct netstate *state, uint16_t type, const void *request, size_t len,
		    struct err *e)
{
	struct reading reading = {.state = state};
	int r = rtnl_dump(type, request, len, on_message, &reading, e);

	if (r == -ERR_NOMEM)
		return err_set(e, ERR_NOMEM, "reading the network's state");
	return limited(state, r);
}

static int read_links(struct netstate *state, struct err *e)
{
	struct {
		struct ifinfomsg head;
		struct rtattr attr;
		uint32_t mask;
	} request = {
		.attr = {.rta_len = RTA_LENGTH(sizeof(uint32_t)), .rta_type = IFLA_EXT_MASK},
		.mask = RTEXT_FILTER_SKIP_STATS,
	};

	return read_one(state, RTM_GETLINK, &request, sizeof(request), e);
}

static int read_addresses(struct netstate *state, unsigned char family, struct err *e)
{
	const struct ifaddrmsg request = {.ifa_family = family};

	return read_one(state, RTM_GETADDR, &request, sizeof(request), e);
}

static int read_routes(struct netstate *state, unsigned char family, struct err *e)
{
	const struct rtmsg request = {.rtm_family = family, .rtm_type = RTN_UNICAST};

	return read_one(state, RTM_GETROUTE, &request, sizeof(request), e);
}

static int read_all(struct netstate *state, struct err *e)
{
	static const unsigned char families[] = {AF_INET, AF_INET6};
	int r = read_links(state, e);

	for (size_t i = 0; r == 0 && i < ARRAY_LEN(families); i++)
		r = read_addresses(state, families[i], e);
	for (size_t i = 0; r == 0 && i < ARRAY_LEN(families); i++)
		r = read_routes(state, families[i], e);
	return r;
}

int netstate_read(struct netstate *ret, struct err *e)
{
	int r = -ERR_AGAIN;

	for (int i = 0; i < NETSTATE_TRIES && r == -ERR_AGAIN; i++) {
		AUTO(netstate_done) struct netstate state = {0};

		r = read_all(&state, e);
		if (r == 0) {
			*ret = state;
			state = (struct netstate){0};
		}
	}
	return r;
}

void netstate_done(struct netstate *state)
{
	free(state->links);
	free(state->addresses);
	free(state->routes);
	*state = (struct netstate){0};
}

const struct netstate_link *netstate_find_link(const struct netstate *state, unsigned ifindex)
{
	for (size_t i = 0; i < state->n_links; i++)
		if (state->links[i].ifindex == ifindex)
			return &state->links[i];
	return NULL;
}

const struct netstate_link *netstate_find_name(const struct netstate *state, const char *name)
{
	for (size_t i = 0; i < state->n_links; i++)
		if (strcmp(state->links[i].name, name) == 0)
			return &state->links[i];
	return NULL;
}
