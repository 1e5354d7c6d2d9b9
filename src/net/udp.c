#include "net/udp.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#define SLOT	 ((size_t)65536) /* no datagram is longer */
#define RECEIVES ((int)(1024 * 1024))

static_assert(UDP_BATCH_MAX * SLOT <= LOOP_SCRATCH_DATAGRAMS_LEN, "a batch fits");

/* Room for one of both kinds of packet info. */
union pktinfo {
	struct cmsghdr align;
	uint8_t v4[CMSG_SPACE(sizeof(struct in_pktinfo))];
	uint8_t v6[CMSG_SPACE(sizeof(struct in6_pktinfo))];
};

/* ── sockets ── */

static int open_socket(uint8_t family, struct err *e)
{
	int one = 1, room = RECEIVES;
	int fd = socket(family == 6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
			0);

	if (fd < 0)
		return err_set_errno(e, ERR_FAILED, "UDP socket");
	/* As much as the system lets us have: a turn of the loop may take a while. */
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	if (family == 6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	return fd;
}

static int code_of(int error)
{
	switch (error) {
	case EADDRINUSE:
		return ERR_EXISTS;
	case EACCES:
	case EPERM:
		return ERR_DENIED;
	case ECONNREFUSED:
		return ERR_REFUSED;
	default:
		return ERR_FAILED;
	}
}

static int want_local_address(int fd, uint8_t family)
{
	int one = 1;

	if (family == 6)
		return setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &one, sizeof(one));
	return setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &one, sizeof(one));
}

int udp_bind(const struct ipaddr *at, int *ret_fd, struct err *e)
{
	int fd = open_socket(at->family, e);
	char text[IPADDR_TEXT_MAX];
	struct sockaddr_storage ss;
	socklen_t len = ipaddr_to_sockaddr(at, &ss);
	int r;

	if (fd < 0)
		return fd;
	if (want_local_address(fd, at->family) < 0 || bind(fd, (struct sockaddr *)&ss, len) < 0) {
		r = err_set_errno(e, code_of(errno), "UDP on %s", ipaddr_format_port(text, at));
		close(fd);
		return r;
	}
	*ret_fd = fd;
	return 0;
}

int udp_connect_from(const struct ipaddr *from, const char *interface, const struct ipaddr *to,
		     int *ret_fd, struct err *e)
{
	int fd = open_socket(to->family, e);
	char text[IPADDR_TEXT_MAX];
	struct sockaddr_storage ss;
	socklen_t len;
	int r = 0;

	if (fd < 0)
		return fd;
	if (interface && setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, interface,
				    (socklen_t)strlen(interface)) < 0)
		r = err_set_errno(e, ERR_FAILED, "UDP by %s", interface);
	if (r == 0 && from) {
		len = ipaddr_to_sockaddr(from, &ss);
		if (bind(fd, (struct sockaddr *)&ss, len) < 0)
			r = err_set_errno(e, code_of(errno), "UDP from %s",
					  ipaddr_format_port(text, from));
	}
	len = ipaddr_to_sockaddr(to, &ss);
	if (r == 0 && connect(fd, (struct sockaddr *)&ss, len) < 0)
		r = err_set_errno(e, ERR_FAILED, "UDP to %s", ipaddr_format_port(text, to));
	if (r < 0) {
		close(fd);
		return r;
	}
	*ret_fd = fd;
	return 0;
}

int udp_connect(const struct ipaddr *to, int *ret_fd, struct err *e)
{
	return udp_connect_from(NULL, NULL, to, ret_fd, e);
}

/* ── receiving ── */

static void set_local(struct ipaddr *a, uint8_t family, const void *bytes)
{
	*a = (struct ipaddr){.family = family};
	memcpy(a->bytes, bytes, family == 6 ? 16 : 4);
}

/* The address of ours that was asked. A group's or a broadcast's is nobody's: then the one the
 * kernel would answer from (IPv4), or none. */
static void read_local(struct msghdr *msg, struct ipaddr *ret)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo info;

			memcpy(&info, CMSG_DATA(c), sizeof(info));
			set_local(ret, 4, &info.ipi_spec_dst);
		} else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
			struct in6_pktinfo info;

			memcpy(&info, CMSG_DATA(c), sizeof(info));
			if (!IN6_IS_ADDR_MULTICAST(&info.ipi6_addr))
				set_local(ret, 6, &info.ipi6_addr);
		}
	}
}

unsigned udp_next_batch(size_t room, const struct udp_datagram *list, int n)
{
	size_t longest = 1;

	for (int i = 0; i < n; i++)
		longest = MAX(longest, list[i].len);
	return (unsigned)MIN(MAX(room / longest, (size_t)1), (size_t)UDP_BATCH_MAX);
}

int udp_receive(struct loop *loop, int fd, unsigned most,
		struct udp_datagram ret[static UDP_BATCH_MAX], struct err *e)
{
	uint8_t *slots = loop_scratch(loop, LOOP_SCRATCH_DATAGRAMS);
	struct mmsghdr msgs[UDP_BATCH_MAX] = {0};
	struct sockaddr_storage peers[UDP_BATCH_MAX];
	union pktinfo infos[UDP_BATCH_MAX];
	struct iovec iovs[UDP_BATCH_MAX];
	int n;

	assert(most >= 1 && most <= UDP_BATCH_MAX);
	for (size_t i = 0; i < most; i++) {
		iovs[i] = (struct iovec){.iov_base = slots + i * SLOT, .iov_len = SLOT};
		msgs[i].msg_hdr = (struct msghdr){.msg_name = &peers[i],
						  .msg_namelen = sizeof(peers[i]),
						  .msg_iov = &iovs[i],
						  .msg_iovlen = 1,
						  .msg_control = &infos[i],
						  .msg_controllen = sizeof(infos[i])};
	}
	do
		n = recvmmsg(fd, msgs, most, MSG_DONTWAIT, NULL);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return -ERR_AGAIN;
	if (n < 0)
		return err_set_errno(e, code_of(errno), "receive");
	for (int i = 0; i < n; i++) {
		ret[i] = (struct udp_datagram){.bytes = slots + (size_t)i * SLOT,
					       .len = msgs[i].msg_len};
		if (msgs[i].msg_hdr.msg_namelen)
			ipaddr_from_sockaddr(&ret[i].peer, (struct sockaddr *)&peers[i]);
		read_local(&msgs[i].msg_hdr, &ret[i].local);
	}
	return n;
}

/* ── sending ── */

/* Say from which address. Returns the length of what was written. */
static size_t write_local(union pktinfo *info, const struct ipaddr *from)
{
	struct cmsghdr *c = &info->align;

	memset(info, 0, sizeof(*info));
	if (from->family == 6) {
		struct in6_pktinfo what = {0};

		memcpy(&what.ipi6_addr, from->bytes, 16);
		*c = (struct cmsghdr){.cmsg_level = IPPROTO_IPV6,
				      .cmsg_type = IPV6_PKTINFO,
				      .cmsg_len = CMSG_LEN(sizeof(what))};
		memcpy(CMSG_DATA(c), &what, sizeof(what));
		return CMSG_SPACE(sizeof(what));
	}
	struct in_pktinfo what = {0};

	memcpy(&what.ipi_spec_dst, from->bytes, 4);
	*c = (struct cmsghdr){.cmsg_level = IPPROTO_IP,
			      .cmsg_type = IP_PKTINFO,
			      .cmsg_len = CMSG_LEN(sizeof(what))};
	memcpy(CMSG_DATA(c), &what, sizeof(what));
	return CMSG_SPACE(sizeof(what));
}

/* An error stands for the first datagram of a call: that one is lost, the others are tried. */
static unsigned send_all(int fd, struct mmsghdr *msgs, unsigned n)
{
	unsigned at = 0, lost = 0;
	bool heard = false;

	while (at < n) {
		int r = sendmmsg(fd, msgs + at, n - at, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (r > 0) {
			at += (unsigned)r;
			continue;
		}
		if (errno == EINTR)
			continue;
		if (errno == EAGAIN || errno == ENOBUFS)
			break;
		if (errno == ECONNREFUSED && !heard) {
			heard = true; /* about an earlier datagram: this one was not sent yet */
			continue;
		}
		at++;
		lost++;
	}
	return at - lost;
}

unsigned udp_send(int fd, const struct ipaddr *to, const struct ipaddr *from,
		  const struct iovec *list, unsigned n)
{
	struct mmsghdr msgs[UDP_BATCH_MAX] = {0};
	struct sockaddr_storage peer;
	struct msghdr common = {0};
	union pktinfo info;

	assert(n <= UDP_BATCH_MAX);
	if (to) {
		common.msg_name = &peer;
		common.msg_namelen = ipaddr_to_sockaddr(to, &peer);
	}
	if (from && from->family) {
		common.msg_control = &info;
		common.msg_controllen = write_local(&info, from);
	}
	for (unsigned i = 0; i < n; i++) {
		msgs[i].msg_hdr = common;
		msgs[i].msg_hdr.msg_iov = (struct iovec *)&list[i];
		msgs[i].msg_hdr.msg_iovlen = 1;
	}
	return send_all(fd, msgs, n);
}
