#include "net/rtnl.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#define RTNL_REQUEST_MAX 128

/* ── messages ── */

/* What stands between two messages or attributes, which begin at multiples of 4; the last one need
 * not be followed by it. */
static void skip_padding(struct cursor *c, size_t len)
{
	cursor_take(c, MIN((4 - len % 4) % 4, cursor_left(c)));
}

bool rtnl_next(struct cursor *datagram, struct rtnl_message *ret)
{
	const uint8_t *at = cursor_take(datagram, sizeof(struct nlmsghdr));
	struct nlmsghdr head;
	struct cursor body;

	if (!at)
		return false;
	memcpy(&head, at, sizeof(head));
	if (head.nlmsg_len < sizeof(head))
		return false;
	body = cursor_sub(datagram, head.nlmsg_len - sizeof(head));
	if (!cursor_ok(&body))
		return false;
	skip_padding(datagram, head.nlmsg_len);
	*ret = (struct rtnl_message){head.nlmsg_type, head.nlmsg_flags, head.nlmsg_seq, body};
	return true;
}

bool rtnl_header(struct rtnl_message *m, void *ret, size_t size)
{
	const uint8_t *at = cursor_take(&m->body, size);

	if (!at)
		return false;
	memcpy(ret, at, size);
	skip_padding(&m->body, size);
	return true;
}

bool rtnl_attr_next(struct cursor *attrs, struct rtnl_attr *ret)
{
	const uint8_t *at = cursor_take(attrs, sizeof(struct rtattr));
	struct rtattr head;
	struct cursor value;

	if (!at)
		return false;
	memcpy(&head, at, sizeof(head));
	if (head.rta_len < sizeof(head))
		return false;
	value = cursor_sub(attrs, head.rta_len - sizeof(head));
	if (!cursor_ok(&value))
		return false;
	skip_padding(attrs, head.rta_len);
	*ret = (struct rtnl_attr){head.rta_type & NLA_TYPE_MASK, value};
	return true;
}

bool rtnl_attr_find(struct cursor attrs, unsigned type, struct cursor *ret)
{
	struct rtnl_attr a;

	while (rtnl_attr_next(&attrs, &a)) {
		if (a.type == type) {
			*ret = a.value;
			return true;
		}
	}
	return false;
}

bool rtnl_get(struct cursor attrs, unsigned type, void *ret, size_t size)
{
	struct cursor value;

	if (!rtnl_attr_find(attrs, type, &value) || cursor_left(&value) != size)
		return false;
	memcpy(ret, value.at, size);
	return true;
}

/* ── dumps ── */

struct dump {
	int fd;		/* owned */
	uint8_t *bytes; /* owned */
	uint8_t family;
	bool interrupted;
	bool done;
	int (*on_message)(void *arg, struct rtnl_message *m);
	void *arg;
};

static void dump_done(struct dump *d)
{
	closep(&d->fd);
	free(d->bytes);
}

static int dump_open(struct dump *d, struct err *e)
{
	const int on = 1;

	d->bytes = malloc(RTNL_DATAGRAM_MAX);
	if (!d->bytes)
		return err_set(e, ERR_NOMEM, "reading the network's state");
	d->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (d->fd < 0)
		return err_set_errno(e, ERR_FAILED, "reading the network's state (netlink)");
	/* The kernel then sorts out what was not asked for. One that cannot tells more. */
	setsockopt(d->fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof(on));
	return 0;
}

static int dump_ask(struct dump *d, uint16_t type, const void *request, size_t len, struct err *e)
{
	uint8_t packet[RTNL_REQUEST_MAX] = {0};
	struct nlmsghdr head = {
		.nlmsg_len = (uint32_t)(sizeof(head) + len),
		.nlmsg_type = type,
		.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
		.nlmsg_seq = 1,
	};

	if (head.nlmsg_len > sizeof(packet))
		return err_set(e, ERR_FAILED, "a request for netlink that is too long");
	memcpy(packet, &head, sizeof(head));
	memcpy(packet + sizeof(head), request, len);
	if (send(d->fd, packet, head.nlmsg_len, 0) < 0)
		return err_set_errno(e, ERR_FAILED, "asking for the network's state (netlink)");
	return 0;
}

/* The end, or a refusal: both begin with an errno, negative. */
static int dump_end(struct dump *d, struct rtnl_message *m, struct err *e)
{
	int error = 0;

	d->done = true;
	if (rtnl_header(m, &error, sizeof(error)) && error < 0) {
		errno = -error;
		return err_set_errno(e, ERR_FAILED, "asking for the network's state (netlink)");
	}
	return 0;
}

static int dump_message(struct dump *d, struct rtnl_message *m, struct err *e)
{
	if (m->seq != 1)
		return 0;
	d->interrupted |= (m->flags & NLM_F_DUMP_INTR) != 0;
	if (m->type == NLMSG_DONE || m->type == NLMSG_ERROR)
		return dump_end(d, m, e);
	if (m->type < NLMSG_MIN_TYPE || cursor_left(&m->body) == 0 || m->body.at[0] != d->family)
		return 0;
	return d->on_message(d->arg, m);
}

static int dump_datagram(struct dump *d, struct err *e)
{
	struct sockaddr_nl from = {0};
	socklen_t from_len = sizeof(from);
	ssize_t n = recvfrom(d->fd, d->bytes, RTNL_DATAGRAM_MAX, MSG_TRUNC,
			     (struct sockaddr *)&from, &from_len);
	struct cursor datagram;
	struct rtnl_message m;
	int r = 0;

	if (n < 0 && errno == EINTR)
		return 0;
	if (n < 0)
		return err_set_errno(e, ERR_FAILED, "reading the network's state (netlink)");
	if (n > RTNL_DATAGRAM_MAX)
		return err_set(e, ERR_FAILED, "netlink's answer is too long");
	if (from.nl_pid != 0)
		return 0; /* not the kernel */
	datagram = cursor_over(d->bytes, (size_t)n);
	while (r == 0 && !d->done && rtnl_next(&datagram, &m))
		r = dump_message(d, &m, e);
	return r;
}

int rtnl_dump(uint16_t type, const void *request, size_t len,
	      int (*on_message)(void *arg, struct rtnl_message *m), void *arg, struct err *e)
{
	AUTO(dump_done)
	struct dump d = {
		.fd = -1,
		.family = *(const uint8_t *)request,
		.on_message = on_message,
		.arg = arg,
	};
	int r = dump_open(&d, e);

	if (r == 0)
		r = dump_ask(&d, type, request, len, e);
	while (r == 0 && !d.done)
		r = dump_datagram(&d, e);
	if (r == 0 && d.interrupted)
		return err_set(e, ERR_AGAIN, "the network changes while it is looked at");
	return r;
}
