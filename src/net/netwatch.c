#include "net/netwatch.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>

#include "base/htable.h"

#define NETWATCH_SETTLE_MAX (500 * USEC_PER_MS) /* a burst that does not end is told all the same  \
						 */
#define NETWATCH_FACTS_MAX 512 /* more than that is not remembered, every message counts then */
#define NETWATCH_RECV_MAX  64  /* messages in a row, before others get their turn */
#define NETWATCH_LOOPBACK  1   /* its interface index, in every network namespace */

/*
 * What is known of a link, address or route: `key` says of which, `value` is what matters of it.
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

/* True when it was not known, or differently. */
static bool fact_put(struct netwatch *w, struct fact fact)
{
	for (size_t i = 0; i < w->n_facts; i++) {
		if (w->facts[i].key == fact.key) {
			bool changed = w->facts[i].value != fact.value;

			w->facts[i].value = fact.value;
			return changed;
		}
	}
	if (w->n_facts < NETWATCH_FACTS_MAX)
		w->facts[w->n_facts++] = fact;
	return true;
}

static void fact_remove(struct netwatch *w, uint64_t key)
{
	for (size_t i = 0; i < w->n_facts; i++) {
		if (w->facts[i].key == key) {
			w->facts[i] = w->facts[--w->n_facts];
			return;
		}
	}
}

static bool fact_note(struct netwatch *w, struct fact fact, bool gone)
{
	if (!gone)
		return fact_put(w, fact);
	fact_remove(w, fact.key);
	return true;
}

/* ── messages (rtnetlink(7)), native byte order ── */

/* The hash of those attributes whose bit is set in `types`, in their order. */
static uint64_t attrs_hash(const struct rtattr *a, size_t len, uint64_t types, uint64_t seed)
{
	for (; RTA_OK(a, len); a = RTA_NEXT(a, len))
		if (a->rta_type < 64 && types >> a->rta_type & 1)
			seed = htable_hash(RTA_DATA(a), RTA_PAYLOAD(a), seed + a->rta_type);
	return seed;
}

static bool attrs_u32(const struct rtattr *a, size_t len, unsigned type, uint32_t *ret)
{
	for (; RTA_OK(a, len); a = RTA_NEXT(a, len)) {
		if (a->rta_type == type && RTA_PAYLOAD(a) == sizeof(*ret)) {
			memcpy(ret, RTA_DATA(a), sizeof(*ret));
			return true;
		}
	}
	return false;
}

#define ATTR(type) ((uint64_t)1 << (type))

/* Up, with a carrier; another hardware address is another neighbourhood. */
static bool link_changed(struct netwatch *w, const struct nlmsghdr *msg)
{
	const struct ifinfomsg *link = NLMSG_DATA(msg);
	unsigned flags;
	uint64_t key[2] = {RTM_NEWLINK};
	struct fact fact;

	if (msg->nlmsg_len < NLMSG_LENGTH(sizeof(*link)) || link->ifi_flags & IFF_LOOPBACK)
		return false;
	flags = link->ifi_flags & (IFF_UP | IFF_RUNNING);
	key[1] = (uint64_t)link->ifi_index;
	fact.key = htable_hash(key, sizeof(key), 0);
	fact.value = attrs_hash(IFLA_RTA(link), IFLA_PAYLOAD(msg), ATTR(IFLA_ADDRESS), flags);
	return fact_note(w, fact, msg->nlmsg_type == RTM_DELLINK);
}

static bool addr_changed(struct netwatch *w, const struct nlmsghdr *msg)
{
	const struct ifaddrmsg *addr = NLMSG_DATA(msg);
	uint32_t flags;
	uint64_t key[4] = {RTM_NEWADDR};
	struct fact fact;

	if (msg->nlmsg_len < NLMSG_LENGTH(sizeof(*addr)) || addr->ifa_index == NETWATCH_LOOPBACK)
		return false;
	flags = addr->ifa_flags;
	attrs_u32(IFA_RTA(addr), IFA_PAYLOAD(msg), IFA_FLAGS, &flags);
	if (msg->nlmsg_type == RTM_NEWADDR && flags & IFA_F_TENTATIVE &&
	    !(flags & IFA_F_OPTIMISTIC))
		return false; /* not usable yet: a second message follows */
	key[1] = addr->ifa_index;
	key[2] = addr->ifa_family;
	key[3] = addr->ifa_prefixlen;
	fact.key = attrs_hash(IFA_RTA(addr), IFA_PAYLOAD(msg), ATTR(IFA_ADDRESS) | ATTR(IFA_LOCAL),
			      htable_hash(key, sizeof(key), 0));
	fact.value = flags & (IFA_F_DEPRECATED | IFA_F_DADFAILED);
	return fact_note(w, fact, msg->nlmsg_type == RTM_DELADDR);
}

static bool route_changed(struct netwatch *w, const struct nlmsghdr *msg)
{
	const struct rtmsg *route = NLMSG_DATA(msg);
	uint32_t table, out = 0;
	uint64_t key[4] = {RTM_NEWROUTE};
	struct fact fact;

	if (msg->nlmsg_len < NLMSG_LENGTH(sizeof(*route)))
		return false;
	table = route->rtm_table;
	attrs_u32(RTM_RTA(route), RTM_PAYLOAD(msg), RTA_TABLE, &table);
	attrs_u32(RTM_RTA(route), RTM_PAYLOAD(msg), RTA_OIF, &out);
	/* The local table follows the addresses; cloned routes are the kernel's notes. */
	if (table == RT_TABLE_LOCAL || route->rtm_flags & RTM_F_CLONED || out == NETWATCH_LOOPBACK)
		return false;
	key[1] = route->rtm_family;
	key[2] = route->rtm_dst_len;
	key[3] = table;
	fact.key =
		attrs_hash(RTM_RTA(route), RTM_PAYLOAD(msg),
			   ATTR(RTA_DST) | ATTR(RTA_OIF) | ATTR(RTA_GATEWAY) | ATTR(RTA_PRIORITY),
			   htable_hash(key, sizeof(key), 0));
	fact.value = attrs_hash(RTM_RTA(route), RTM_PAYLOAD(msg),
				ATTR(RTA_PREFSRC) | ATTR(RTA_MULTIPATH), route->rtm_type);
	return fact_note(w, fact, msg->nlmsg_type == RTM_DELROUTE);
}

static bool message_changed(struct netwatch *w, const struct nlmsghdr *msg)
{
	switch (msg->nlmsg_type) {
	case RTM_NEWLINK:
	case RTM_DELLINK:
		return link_changed(w, msg);
	case RTM_NEWADDR:
	case RTM_DELADDR:
		return addr_changed(w, msg);
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		return route_changed(w, msg);
	default:
		return false;
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
		union {
			struct nlmsghdr first;
			char bytes[16384]; /* the kernel makes none longer for events */
		} u;
		struct sockaddr_nl from = {0};
		socklen_t from_len = sizeof(from);
		ssize_t n = recvfrom(w->fd, &u, sizeof(u), 0, (struct sockaddr *)&from, &from_len);
		size_t left = n > 0 ? (size_t)n : 0;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 &&
		    errno == ENOBUFS) { /* messages were lost: what is known may be wrong */
			w->n_facts = 0;
			changed = true;
			continue;
		}
		if (n < 0)
			break;
		if (from.nl_pid != 0)
			continue; /* not the kernel */
		for (struct nlmsghdr *msg = &u.first; NLMSG_OK(msg, left);
		     msg = NLMSG_NEXT(msg, left))
			changed |= message_changed(w, msg);
	}
	if (changed)
		netwatch_changed(w);
	if (!watch_events(w->watch)) /* an error switches a watch off: an overrun is one */
		watch_set(w->watch, WATCH_READ);
}

static int netwatch_open(struct err *e)
{
	struct sockaddr_nl at = {
		.nl_family = AF_NETLINK,
		.nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR |
			     RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE,
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
