#include "net/sockdiag.h"

#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define DIAG_REPLY   32768
#define DIAG_REPLIES 1024 /* of one dump: some 100 000 sockets */

/* Kernel's states of sockets (net/tcp_states.h): a UDP socket without a peer is "closed". */
#define STATE_CLOSE  7
#define STATE_LISTEN 10

static int send_dump(int fd, uint8_t family, uint8_t protocol)
{
	struct {
		struct nlmsghdr head;
		struct inet_diag_req_v2 request;
	} m = {
		.head = {.nlmsg_len = sizeof(m),
			 .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			 .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
		.request = {.sdiag_family = family == 6 ? AF_INET6 : AF_INET,
			    .sdiag_protocol = protocol,
			    .idiag_states =
				    1u << (protocol == IPPROTO_UDP ? STATE_CLOSE : STATE_LISTEN)},
	};

	return send(fd, &m, sizeof(m), 0) == sizeof(m) ? 0 : -1;
}

/* What one socket means for the one who wants to reach `at`. */
static enum sockdiag_listens judge(const struct inet_diag_msg *m, const struct ipaddr *at)
{
	struct ipaddr bound = {.family = m->idiag_family == AF_INET6 ? 6 : 4};

	if (ntohs(m->id.idiag_sport) != at->port)
		return SOCKDIAG_NOBODY;
	memcpy(bound.bytes, m->id.idiag_src, bound.family == 6 ? 16 : 4);
	if (ipaddr_is_unspecified(&bound)) /* [::] takes IPv4, too, unless it is told not to */
		return SOCKDIAG_YES;
	ipaddr_unmap(&bound);
	if (bound.family == at->family && memcmp(bound.bytes, at->bytes, 16) == 0)
		return SOCKDIAG_YES;
	return ipaddr_is_loopback(&bound) ? SOCKDIAG_LOOPBACK : SOCKDIAG_NOBODY;
}

/* 1: there is more to come; 0: that was all; < 0: the kernel does not want to. */
static int read_reply(const uint8_t *bytes, size_t len, const struct ipaddr *at,
		      enum sockdiag_listens *best)
{
	const struct nlmsghdr *head = (const struct nlmsghdr *)bytes;

	for (; NLMSG_OK(head, len); head = NLMSG_NEXT(head, len)) {
		const struct inet_diag_msg *m = NLMSG_DATA(head);
		enum sockdiag_listens is;

		if (head->nlmsg_type == NLMSG_DONE)
			return 0;
		if (head->nlmsg_type == NLMSG_ERROR || head->nlmsg_len < NLMSG_LENGTH(sizeof(*m)))
			return -1;
		is = judge(m, at);
		*best = MAX(*best, is);
	}
	return 1;
}

static int dump(int fd, uint8_t family, uint8_t protocol, const struct ipaddr *at,
		enum sockdiag_listens *best)
{
	_Alignas(struct nlmsghdr) uint8_t bytes[DIAG_REPLY];
	int more = 1;

	if (send_dump(fd, family, protocol) < 0)
		return -1;
	for (int i = 0; i < DIAG_REPLIES && more > 0; i++) {
		ssize_t n = recv(fd, bytes, sizeof(bytes), 0);

		if (n <= 0)
			return -1;
		more = read_reply(bytes, (size_t)n, at, best);
	}
	return more < 0 ? -1 : 0;
}

int sockdiag_listens(uint8_t protocol, const struct ipaddr *at, enum sockdiag_listens *ret,
		     struct err *e)
{
	AUTO(closep)
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	const struct timeval patience = {.tv_sec = 1}; /* it answers at once, or never */
	enum sockdiag_listens best = SOCKDIAG_NOBODY;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0 ||
	    dump(fd, 6, protocol, at, &best) < 0 ||
	    (at->family == 4 && dump(fd, 4, protocol, at, &best) < 0))
		return err_set_errno(e, ERR_FAILED, "who listens here");
	*ret = best;
	return 0;
}

const char *sockdiag_name(enum sockdiag_listens listens)
{
	static const char *const names[] = {
		[SOCKDIAG_NOBODY] = "no",
		[SOCKDIAG_LOOPBACK] = "loopback",
		[SOCKDIAG_YES] = "yes",
	};

	return names[listens];
}
