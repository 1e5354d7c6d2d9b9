#include "map/announce.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/htable.h"
#include "base/log.h"
#include "net/udp.h"
#include "proto/natpmp.h"
#include "proto/pcp.h"
#include "proto/ssdp.h"

#define ANNOUNCE_RECEIVES 8 /* a turn */

struct ear {
	struct announce *announce; /* borrowed */
	bool (*tells)(struct announce *announce, const struct udp_datagram *datagram);
	const char *group;
	int fd;		     /* owned; -1: none */
	struct watch *watch; /* owned */
	unsigned joined[ANNOUNCE_LINKS_MAX];
	size_t n_joined;
};

/* A gateway device that was heard of. */
struct device {
	struct ipaddr who; /* port 0 */
	uint64_t number;   /* what it has until it restarts */
	bool gone;	   /* it said goodbye */
};

struct announce {
	struct loop *loop; /* borrowed */
	void (*on_hint)(void *arg, const struct ipaddr *who);
	void *arg;
	struct ear v4, v6, upnp;
	struct device devices[ANNOUNCE_DEVICES_MAX];
	size_t n_devices; /* so far */
};

/* ── what is said ── */

/* Words that look like an announcement of PCP or NAT-PMP. */
static bool tells_pmp(struct announce *announce, const struct udp_datagram *datagram)
{
	const uint8_t *bytes = datagram->bytes;
	size_t len = datagram->len;
	struct natpmp_reply natpmp;
	struct pcp_reply pcp;

	if (pcp_decode_reply(bytes, len, &pcp, NULL) == 0)
		return pcp.opcode == PCP_ANNOUNCE;
	return natpmp_decode_reply(bytes, len, &natpmp, NULL) == 0 && natpmp.op == NATPMP_ADDRESS;
}

static bool is_gateway(struct str target)
{
	return memmem(target.at, target.len, "InternetGatewayDevice",
		      sizeof("InternetGatewayDevice") - 1) != NULL;
}

/* Without a number of its own it has the place of its description, whose port changes with many. */
static uint64_t number_of(const struct ssdp_message *m)
{
	const struct str text = m->nls.len ? m->nls : m->location;

	return m->has_boot_id ? m->boot_id : htable_hash(text.at, text.len, 0);
}

static struct device *find_device(struct announce *announce, const struct ipaddr *who)
{
	for (size_t i = 0; i < MIN(announce->n_devices, ANNOUNCE_DEVICES_MAX); i++)
		if (ipaddr_equal(&announce->devices[i].who, who))
			return &announce->devices[i];
	return NULL;
}

/* The oldest makes room: a neighbour with many addresses costs a look at the router, no more. */
static void add_device(struct announce *announce, const struct ipaddr *who, uint64_t number)
{
	size_t i = announce->n_devices++ % ANNOUNCE_DEVICES_MAX;

	announce->devices[i] = (struct device){.who = *who, .number = number};
}

/* A gateway device that was not known, has another number than before, or is back after a goodbye. */
static bool tells_upnp(struct announce *announce, const struct udp_datagram *datagram)
{
	struct ipaddr who = datagram->peer;
	struct ssdp_message m;
	struct device *device;
	struct device before;

	who.port = 0;
	if (ssdp_decode(datagram->bytes, datagram->len, &m, NULL) < 0 || m.kind == SSDP_ANSWER ||
	    m.kind == SSDP_UPDATE || !is_gateway(m.target))
		return false;
	device = find_device(announce, &who);
	if (!device) {
		if (m.kind != SSDP_ALIVE)
			return false;
		add_device(announce, &who, number_of(&m));
		return true; /* perhaps it was another one before */
	}
	before = *device;
	device->gone = m.kind == SSDP_BYEBYE;
	if (device->gone)
		return false;
	device->number = number_of(&m);
	return before.gone || before.number != device->number;
}

/* ── hearing ── */

static bool is_joined(const struct ear *ear, unsigned ifindex)
{
	for (size_t i = 0; i < ear->n_joined; i++)
		if (ear->joined[i] == ifindex)
			return true;
	return false;
}

static void on_ready(void *arg, unsigned events)
{
	struct udp_datagram list[UDP_BATCH_MAX];
	struct ear *ear = arg;
	struct announce *announce = ear->announce;
	int n = udp_receive(announce->loop, ear->fd, ANNOUNCE_RECEIVES, list, NULL);

	for (int i = 0; i < n; i++) {
		struct ipaddr who = list[i].peer;

		who.port = 0;
		/* For IPv6 the kernel looks at the group alone, not at the link. */
		if (who.scope && !is_joined(ear, who.scope))
			continue;
		if (ear->tells(announce, &list[i]))
			announce->on_hint(announce->arg, &who);
	}
}

/* Each program that listens there must be willing to share. What is sent to one of our own addresses is
 * theirs (a media server is asked so): bound to the group, this socket never has it. */
static int open_shared(const struct ipaddr *at)
{
	int one = 1, zero = 0;
	int fd = socket(at->family == 6 ? AF_INET6 : AF_INET,
			SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct sockaddr_storage ss;
	socklen_t len = ipaddr_to_sockaddr(at, &ss);

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
	/* Only groups that this socket joined, on those links. */
	setsockopt(fd, IPPROTO_IP, IP_MULTICAST_ALL, &zero, sizeof(zero));
	if (at->family == 6) {
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
		setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_ALL, &zero, sizeof(zero));
	}
	if (bind(fd, (struct sockaddr *)&ss, len) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static void open_ear(struct announce *announce, struct ear *ear, const char *group, uint16_t port,
		     bool (*tells)(struct announce *, const struct udp_datagram *))
{
	struct ipaddr at;

	ear->group = group;
	ear->fd = -1;
	if (ipaddr_parse(str_of(group), &at) < 0)
		return;
	at.port = port;
	/* A socket can be bound to a group of IPv6 on one link only. */
	if (at.family == 6)
		memset(at.bytes, 0, sizeof(at.bytes));
	ear->announce = announce;
	ear->tells = tells;
	ear->fd = open_shared(&at);
	if (ear->fd < 0) {
		log_debug("routers' announcements cannot be heard: UDP port %u is taken", port);
		return;
	}
	if (watch_new(announce->loop, ear->fd, on_ready, ear, &ear->watch, NULL) == 0)
		watch_set(ear->watch, WATCH_READ);
}

int announce_new(struct loop *loop, void (*on_hint)(void *arg, const struct ipaddr *who), void *arg,
		 struct announce **ret_announce, struct err *e)
{
	struct announce *announce = calloc(1, sizeof(*announce));

	if (!announce)
		return err_set(e, ERR_NOMEM, "announcements");
	announce->loop = loop;
	announce->on_hint = on_hint;
	announce->arg = arg;
	open_ear(announce, &announce->v4, "224.0.0.1", PCP_ANNOUNCE_PORT, tells_pmp);
	open_ear(announce, &announce->v6, "ff02::1", PCP_ANNOUNCE_PORT, tells_pmp);
	open_ear(announce, &announce->upnp, "239.255.255.250", SSDP_PORT, tells_upnp);
	*ret_announce = announce;
	return 0;
}

static void close_ear(struct ear *ear)
{
	watch_free(ear->watch);
	if (ear->fd >= 0)
		close(ear->fd);
}

void announce_free(struct announce *announce)
{
	if (!announce)
		return;
	close_ear(&announce->v4);
	close_ear(&announce->v6);
	close_ear(&announce->upnp);
	free(announce);
}

static int member(const struct ear *ear, unsigned ifindex, bool leave)
{
	struct ip_mreqn wanted4 = {.imr_ifindex = (int)ifindex};
	struct ipv6_mreq wanted6 = {.ipv6mr_interface = ifindex};

	if (inet_pton(AF_INET, ear->group, &wanted4.imr_multiaddr) == 1)
		return setsockopt(ear->fd, IPPROTO_IP,
				  leave ? IP_DROP_MEMBERSHIP : IP_ADD_MEMBERSHIP, &wanted4,
				  sizeof(wanted4));
	inet_pton(AF_INET6, ear->group, &wanted6.ipv6mr_multiaddr);
	return setsockopt(ear->fd, IPPROTO_IPV6, leave ? IPV6_LEAVE_GROUP : IPV6_JOIN_GROUP,
			  &wanted6, sizeof(wanted6));
}

static void join(struct ear *ear, unsigned ifindex)
{
	if (ear->fd < 0 || is_joined(ear, ifindex))
		return;
	/* A link that comes back is another one each time: the oldest is gone most likely. */
	if (ear->n_joined == ANNOUNCE_LINKS_MAX) {
		member(ear, ear->joined[0], true);
		ear->n_joined--;
		memmove(ear->joined, ear->joined + 1, ear->n_joined * sizeof(*ear->joined));
	}
	if (member(ear, ifindex, false) == 0)
		ear->joined[ear->n_joined++] = ifindex;
}

void announce_join(struct announce *announce, uint8_t family, unsigned ifindex)
{
	if (family == 6) {
		join(&announce->v6, ifindex);
		return;
	}
	join(&announce->v4, ifindex);
}

void announce_join_upnp(struct announce *announce, unsigned ifindex)
{
	join(&announce->upnp, ifindex);
}
