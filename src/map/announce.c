#include "map/announce.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/log.h"
#include "net/udp.h"
#include "proto/natpmp.h"
#include "proto/pcp.h"

#define ANNOUNCE_RECEIVES 8 /* a turn */

struct ear {
	struct announce *announce; /* borrowed */
	int fd;			   /* owned; -1: none */
	struct watch *watch;	   /* owned */
	unsigned joined[ANNOUNCE_LINKS_MAX];
	size_t n_joined;
};

struct announce {
	struct loop *loop; /* borrowed */
	void (*on_hint)(void *arg, const struct ipaddr *who);
	void *arg;
	struct ear v4, v6;
};

/* Somebody's words that look like an announcement. */
static bool is_announcement(const uint8_t *bytes, size_t len)
{
	struct natpmp_reply natpmp;
	struct pcp_reply pcp;

	if (pcp_decode_reply(bytes, len, &pcp, NULL) == 0)
		return pcp.opcode == PCP_ANNOUNCE;
	return natpmp_decode_reply(bytes, len, &natpmp, NULL) == 0 && natpmp.op == NATPMP_ADDRESS;
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
		if (is_announcement(list[i].bytes, list[i].len))
			announce->on_hint(announce->arg, &who);
	}
}

/* Each program that listens there must be willing to share. */
static int open_shared(uint8_t family)
{
	int one = 1, zero = 0;
	int fd = socket(family == 6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
			0);
	const struct ipaddr any = {.family = family, .port = PCP_ANNOUNCE_PORT};
	struct sockaddr_storage ss;
	socklen_t len = ipaddr_to_sockaddr(&any, &ss);

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
	/* Only groups that this socket joined, on those links. */
	setsockopt(fd, IPPROTO_IP, IP_MULTICAST_ALL, &zero, sizeof(zero));
	if (family == 6) {
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
		setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_ALL, &zero, sizeof(zero));
	}
	if (bind(fd, (struct sockaddr *)&ss, len) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static void open_ear(struct announce *announce, struct ear *ear, uint8_t family)
{
	ear->announce = announce;
	ear->fd = open_shared(family);
	if (ear->fd < 0) {
		log_debug("routers' announcements cannot be heard: UDP port %u is taken",
			  PCP_ANNOUNCE_PORT);
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
	open_ear(announce, &announce->v4, 4);
	open_ear(announce, &announce->v6, 6);
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
	free(announce);
}

static int join4(int fd, unsigned ifindex)
{
	const struct ip_mreqn group = {.imr_multiaddr.s_addr = htonl(INADDR_ALLHOSTS_GROUP),
				       .imr_ifindex = (int)ifindex};

	return setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof(group));
}

static int join6(int fd, unsigned ifindex)
{
	const struct ipv6_mreq group = {.ipv6mr_multiaddr = {.s6_addr = {0xff, 0x02, [15] = 1}},
					.ipv6mr_interface = ifindex};

	return setsockopt(fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, &group, sizeof(group));
}

void announce_join(struct announce *announce, uint8_t family, unsigned ifindex)
{
	struct ear *ear = family == 6 ? &announce->v6 : &announce->v4;

	for (size_t i = 0; i < ear->n_joined; i++)
		if (ear->joined[i] == ifindex)
			return;
	if (ear->fd < 0 || ear->n_joined >= ANNOUNCE_LINKS_MAX)
		return;
	if ((family == 6 ? join6 : join4)(ear->fd, ifindex) == 0)
		ear->joined[ear->n_joined++] = ifindex;
}
