#include "net/netwatch.h"

#include <errno.h>
#include <linux/fib_rules.h>
#include <net/if.h>
#include <sys/socket.h>

#include "base/htable.h"
#include "base/log.h"
#include "net/rtnl.h"

#define NETWATCH_SETTLE_MAX (500 * USEC_PER_MS) /* a burst without end is told all the same */
#define NETWATCH_FACTS_MAX  512 /* more than that is not remembered, every message counts then */
#define NETWATCH_LEARN_MAX  384 /* of those, what was there first: a router has many routes */
#define NETWATCH_RECV_MAX   64	/* messages in a row, before others get their turn */
#define NETWATCH_LOOPBACK   1	/* its interface index, in every network namespace */

/*
 * What is known of a link, address, route or rule: `key` says of which, `value` is what matters of it.
 * The kernel repeats itself when a lifetime is renewed (each router advertisement) or a radio
 * reports its signal: a message that changes no value is none.
 */
struct fact {
	uint64_t key, value;
};

struct netwatch {
	int fd; /* owned */
	struct watch *watch;
	struct timer settle;
	usec_t first_at;    /* of the burst that is settling */
	struct fact *facts; /* owned array */
	size_t n_facts;
	void (*on_change)(void *arg);
	void *arg;
};

/* ── facts ── */

static struct fact *fact_find(const struct netwatch *w, uint64_t key)
{
	for (size_t i = 0; i < w->n_facts; i++)
		if (w->facts[i].key == key)
			return &w->facts[i];
	return NULL;
}

/* True when it was not known, or differently. */
static bool fact_put(struct netwatch *w, struct fact fact)
{
	struct fact *known = fact_find(w, fact.key);

	if (known) {
		bool changed = known->value != fact.value;

		known->value = fact.value;
		return changed;
	}
	if (w->n_facts < NETWATCH_FACTS_MAX)
		w->facts[w->n_facts++] = fact;
	return true;
}

static void fact_remove(struct netwatch *w, uint64_t key)
{
	struct fact *known = fact_find(w, key);

	if (known)
		*known = w->facts[--w->n_facts];
}

static bool fact_note(struct netwatch *w, struct fact fact, bool gone)
{
	if (!gone)
		return fact_put(w, fact);
	fact_remove(w, fact.key);
	return true;
}

/* ── messages (rtnetlink(7)) ── */

/* The hash of those attributes whose bit is set in `types`, in their order. */
static uint64_t attrs_hash(struct cursor attrs, uint64_t types, uint64_t seed)
{
	struct rtnl_attr a;

	while (rtnl_attr_next(&attrs, &a))
		if (a.type < 64 && types >> a.type & 1)
			seed = htable_hash(a.value.at, cursor_left(&a.value), seed + a.type);
	return seed;
}

#define ATTR(type) ((uint64_t)1 << (type))
#define ATTRS_ALL  UINT64_MAX

/* Up, with a carrier; another hardware address is another neighbourhood. */
static bool link_changed(struct netwatch *w, struct rtnl_message *m)
{
	struct ifinfomsg link;
	uint64_t key[2] = {RTM_NEWLINK};
	struct fact fact;

	if (!rtnl_header(m, &link, sizeof(link)) || link.ifi_flags & IFF_LOOPBACK)
		return false;
	key[1] = (uint64_t)link.ifi_index;
	fact.key = htable_hash(key, sizeof(key), 0);
	fact.value = attrs_hash(m->body, ATTR(IFLA_ADDRESS) | ATTR(IFLA_IFNAME),
				link.ifi_flags & (IFF_UP | IFF_RUNNING));
	return fact_note(w, fact, m->type == RTM_DELLINK);
}

/* What of an address decides how it may be used. The kernel takes DEPRECATED away and sets it again
 * whenever a router repeats that an address is no longer preferred. */
static uint64_t address_value(const struct ifaddrmsg *addr, struct cursor attrs)
{
	struct ifa_cacheinfo times = {.ifa_prefered = UINT32_MAX};
	uint32_t flags = addr->ifa_flags;

	rtnl_u32(attrs, IFA_FLAGS, &flags);
	rtnl_get(attrs, IFA_CACHEINFO, &times, sizeof(times));
	if (times.ifa_prefered == 0)
		flags |= IFA_F_DEPRECATED;
	return flags & (IFA_F_TEMPORARY | IFA_F_DEPRECATED | IFA_F_TENTATIVE | IFA_F_OPTIMISTIC |
			IFA_F_DADFAILED);
}

static bool addr_changed(struct netwatch *w, struct rtnl_message *m)
{
	struct ifaddrmsg addr;
	uint64_t key[4] = {RTM_NEWADDR};
	struct fact fact;
	bool unusable;

	if (!rtnl_header(m, &addr, sizeof(addr)) || addr.ifa_index == NETWATCH_LOOPBACK)
		return false;
	key[1] = addr.ifa_index;
	key[2] = addr.ifa_family;
	key[3] = addr.ifa_prefixlen;
	fact.key = attrs_hash(m->body, ATTR(IFA_ADDRESS) | ATTR(IFA_LOCAL),
			      htable_hash(key, sizeof(key), 0));
	fact.value = address_value(&addr, m->body);
	unusable = fact.value & IFA_F_TENTATIVE &&
		   !(fact.value & (IFA_F_OPTIMISTIC | IFA_F_DADFAILED));
	if (m->type == RTM_NEWADDR && unusable && !fact_find(w, fact.key))
		return false; /* not yet: a second message follows */
	return fact_note(w, fact, m->type == RTM_DELADDR);
}

static bool route_changed(struct netwatch *w, struct rtnl_message *m)
{
	struct rtmsg route;
	uint32_t table, out = 0;
	uint64_t key[4] = {RTM_NEWROUTE};
	struct fact fact;

	if (!rtnl_header(m, &route, sizeof(route)))
		return false;
	table = route.rtm_table;
	rtnl_u32(m->body, RTA_TABLE, &table);
	rtnl_u32(m->body, RTA_OIF, &out);
	/* The local table follows the addresses; cloned routes are the kernel's notes. */
	if (table == RT_TABLE_LOCAL || route.rtm_flags & RTM_F_CLONED || out == NETWATCH_LOOPBACK)
		return false;
	key[1] = route.rtm_family;
	key[2] = (uint64_t)route.rtm_dst_len << 8 | route.rtm_src_len;
	key[3] = table;
	fact.key = attrs_hash(m->body,
			      ATTR(RTA_DST) | ATTR(RTA_SRC) | ATTR(RTA_OIF) | ATTR(RTA_GATEWAY) |
				      ATTR(RTA_VIA) | ATTR(RTA_PRIORITY),
			      htable_hash(key, sizeof(key), 0));
	fact.value = attrs_hash(m->body, ATTR(RTA_PREFSRC) | ATTR(RTA_MULTIPATH) | ATTR(RTA_PREF),
				route.rtm_type);
	return fact_note(w, fact, m->type == RTM_DELROUTE);
}

/* Which routing table is asked for what: a rule is all that it says. */
static bool rule_changed(struct netwatch *w, struct rtnl_message *m)
{
	struct fib_rule_hdr rule;
	struct fact fact;

	if (!rtnl_header(m, &rule, sizeof(rule)))
		return false;
	fact.key = attrs_hash(m->body, ATTRS_ALL, htable_hash(&rule, sizeof(rule), RTM_NEWRULE));
	fact.value = 1;
	return fact_note(w, fact, m->type == RTM_DELRULE);
}

/* A router announces a prefix, again and again: only whether it may be used counts. What it is used
 * for, addresses and routes, is told in messages of its own, so the first time is no change. */
static bool prefix_changed(struct netwatch *w, struct rtnl_message *m)
{
	struct prefixmsg prefix;
	struct prefix_cacheinfo times = {0};
	uint64_t key[3] = {RTM_NEWPREFIX};
	struct fact fact;
	bool known;

	if (!rtnl_header(m, &prefix, sizeof(prefix)))
		return false;
	rtnl_get(m->body, PREFIX_CACHEINFO, &times, sizeof(times));
	key[1] = (uint64_t)prefix.prefix_ifindex;
	key[2] = prefix.prefix_len;
	fact.key = attrs_hash(m->body, ATTR(PREFIX_ADDRESS), htable_hash(key, sizeof(key), 0));
	fact.value = (uint64_t)prefix.prefix_flags << 2 |
		     (uint64_t)(times.preferred_time > 0) << 1 | (times.valid_time > 0);
	known = fact_find(w, fact.key);
	if (!known && w->n_facts >= NETWATCH_LEARN_MAX)
		return false; /* anybody in this network can announce prefixes */
	return fact_put(w, fact) && known;
}

static bool message_changed(struct netwatch *w, struct rtnl_message *m)
{
	switch (m->type) {
	case RTM_NEWLINK:
	case RTM_DELLINK:
		return link_changed(w, m);
	case RTM_NEWADDR:
	case RTM_DELADDR:
		return addr_changed(w, m);
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		return route_changed(w, m);
	case RTM_NEWRULE:
	case RTM_DELRULE:
		return rule_changed(w, m);
	case RTM_NEWPREFIX:
		return prefix_changed(w, m);
	default:
		return false;
	}
}

/* ── what is there already ── */

static int on_dumped(void *arg, struct rtnl_message *m)
{
	struct netwatch *w = arg;

	message_changed(w, m);
	return w->n_facts < NETWATCH_LEARN_MAX ? 0 : -ERR_LIMIT;
}

/* Without it, the first renewal of everything would count. What cannot be learned is not missed
 * otherwise; what changes meanwhile is told by the socket, which is open. */
static void learn(struct netwatch *w)
{
	static const struct {
		uint16_t type;
		unsigned char family;
		size_t len; /* of the type's header */
	} dumps[] = {
		{RTM_GETLINK, AF_UNSPEC, sizeof(struct ifinfomsg)},
		{RTM_GETADDR, AF_INET, sizeof(struct ifaddrmsg)},
		{RTM_GETADDR, AF_INET6, sizeof(struct ifaddrmsg)},
		{RTM_GETRULE, AF_INET, sizeof(struct fib_rule_hdr)},
		{RTM_GETRULE, AF_INET6, sizeof(struct fib_rule_hdr)},
		{RTM_GETROUTE, AF_INET, sizeof(struct rtmsg)},
		{RTM_GETROUTE, AF_INET6, sizeof(struct rtmsg)},
	};

	for (size_t i = 0; i < ARRAY_LEN(dumps); i++) {
		uint8_t request[sizeof(struct ifinfomsg)] = {dumps[i].family};
		struct err e = {0};
		int r = rtnl_dump(dumps[i].type, request, dumps[i].len, on_dumped, w, &e);

		if (r < 0 && r != -ERR_LIMIT)
			log_debug("watching the network: %s", e.text);
	}
}

/* ── the socket ── */

static void netwatch_on_settled(void *arg)
{
	struct netwatch *w = arg;

	w->first_at = 0;
	w->on_change(w->arg);
}

/* Another message of a burst, or the first. */
static void netwatch_changed(struct netwatch *w)
{
	usec_t now = loop_now(w->settle.loop);

	if (!w->first_at)
		w->first_at = now;
	timer_start_at(&w->settle, MIN(now + NETWATCH_SETTLE, w->first_at + NETWATCH_SETTLE_MAX));
}

static void netwatch_on_watch(void *arg, unsigned events)
{
	struct netwatch *w = arg;
	bool changed = false;

	for (int i = 0; i < NETWATCH_RECV_MAX; i++) {
		uint8_t bytes[16384]; /* the kernel makes none longer for events */
		struct sockaddr_nl from = {0};
		socklen_t from_len = sizeof(from);
		ssize_t n = recvfrom(w->fd, bytes, sizeof(bytes), 0, (struct sockaddr *)&from,
				     &from_len);
		struct cursor datagram = cursor_over(bytes, n > 0 ? (size_t)n : 0);
		struct rtnl_message m;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == ENOBUFS) { /* some were lost: what is known may be wrong */
			w->n_facts = 0;
			learn(w);
			changed = true;
			continue;
		}
		if (n < 0)
			break;
		if (from.nl_pid != 0)
			continue; /* not the kernel */
		while (rtnl_next(&datagram, &m))
			changed |= message_changed(w, &m);
	}
	if (changed)
		netwatch_changed(w);
	if (!watch_events(w->watch)) /* an error switches a watch off: an overrun is one */
		watch_set(w->watch, WATCH_READ);
}

#define GROUP(number) (1U << ((number)-1))

static int netwatch_open(struct err *e)
{
	struct sockaddr_nl at = {
		.nl_family = AF_NETLINK,
		.nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR |
			     RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE | RTMGRP_IPV4_RULE |
			     GROUP(RTNLGRP_IPV6_RULE) | RTMGRP_IPV6_PREFIX,
	};
	AUTO(closep)
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE);
	int taken;

	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0)
		return err_set_errno(e, ERR_FAILED, "watching the network (netlink)");
	taken = fd;
	fd = -1;
	return taken;
}

int netwatch_new(struct loop *loop, void (*on_change)(void *arg), void *arg,
		 struct netwatch **ret_netwatch, struct err *e)
{
	struct netwatch *w;
	int fd = netwatch_open(e);
	int r;

	if (fd < 0)
		return fd;
	w = calloc(1, sizeof(*w));
	if (w)
		w->facts = calloc(NETWATCH_FACTS_MAX, sizeof(struct fact));
	if (!w || !w->facts) {
		close(fd);
		free(w);
		return err_set(e, ERR_NOMEM, "watching the network");
	}
	w->fd = fd;
	w->on_change = on_change;
	w->arg = arg;
	timer_init(&w->settle, loop, netwatch_on_settled, w);
	r = watch_new(loop, fd, netwatch_on_watch, w, &w->watch, e);
	if (r < 0) {
		netwatch_free(w);
		return r;
	}
	watch_set(w->watch, WATCH_READ);
	learn(w);
	*ret_netwatch = w;
	return 0;
}

void netwatch_free(struct netwatch *w)
{
	if (!w)
		return;
	watch_free(w->watch);
	timer_stop(&w->settle);
	close(w->fd);
	free(w->facts);
	free(w);
}
