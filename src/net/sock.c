#include "net/sock.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <linux/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "net/fdlimit.h"

const char *sock_addr_format(char text[static 128], const struct sock_addr *a)
{
	char ip[IPADDR_TEXT_MAX];

	if (a->ip.family)
		snprintf(text, 128, "%s", ipaddr_format_port(ip, &a->ip));
	else
		snprintf(text, 128, "unix:%s", a->path);
	return text;
}

static socklen_t sock_addr_to_sockaddr(const struct sock_addr *a, struct sockaddr_storage *ss)
{
	struct sockaddr_un *un = (struct sockaddr_un *)ss;

	if (a->ip.family)
		return ipaddr_to_sockaddr(&a->ip, ss);
	memset(ss, 0, sizeof(*ss));
	un->sun_family = AF_UNIX;
	memcpy(un->sun_path, a->path, sizeof(un->sun_path));
	return sizeof(*un);
}

bool sock_peer(int fd, struct ucred *ret)
{
	socklen_t len = sizeof(*ret);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, ret, &len) == 0;
}

void sock_local_addr(int fd, struct ipaddr *ret)
{
	struct sockaddr_storage ss = {0};
	socklen_t len = sizeof(ss);

	if (getsockname(fd, (struct sockaddr *)&ss, &len) < 0)
		ss.ss_family = AF_UNSPEC;
	ipaddr_from_sockaddr(ret, (struct sockaddr *)&ss);
}

static int errno_code(int error)
{
	switch (error) {
	case ECONNREFUSED:
	case ENOENT: /* Unix socket that is not there */
		return ERR_REFUSED;
	case ETIMEDOUT:
		return ERR_TIMEOUT;
	case ECONNRESET:
	case ENOTCONN: /* of a socket that was connected */
	case EPIPE:
		return ERR_RESET;
	case EACCES:
	case EPERM:
		return ERR_DENIED;
	case EADDRINUSE:
		return ERR_EXISTS;
	case ENOMEM:
	case ENOBUFS:
		return ERR_NOMEM;
	default:
		return ERR_FAILED;
	}
}

/* ── streams ── */

/*
 * The descriptor is watched edge-triggered, registered once in its life. A read that came short has
 * drained the socket, and the next byte makes the next event; only the end may have come together
 * with the last bytes, without an event of its own: after a hang-up a short read is followed by one
 * more on_ready. What breaks behind the end is told, too: a visitor that has ended his side may
 * still vanish while he is being answered.
 */
struct sock_stream {
	struct stream stream;
	struct watch *watch; /* owned; NULL while detached */
	int fd;
	bool told_readable; /* on_ready said so, and nothing was read since */
	bool want_writable; /* a write was short */
	bool hangup; /* the other side has ended or broken: nothing will make an event any more */
	int broken;  /* errno of the failure that was found; 0: none */
	int write_broken; /* the same found by a send: what came before it can still be read */
	bool ended;	  /* the other side's end was read */
	bool failed;	  /* the kernel has an error for us */
	bool shut;
};

static struct sock_stream *sock_stream_of(const struct stream *s)
{
	return container_of(s, struct sock_stream, stream);
}

static void sock_on_watch(void *arg, unsigned events)
{
	struct sock_stream *sock = arg;
	unsigned tell = 0;

	sock->hangup |= (events & WATCH_HANGUP) != 0;
	if (events & WATCH_ERROR && !sock->failed) {
		sock->failed = true;
		if (sock->ended)
			tell |= STREAM_READABLE;
	}
	if (events & (WATCH_READ | WATCH_HANGUP) && !sock->told_readable && !sock->ended) {
		sock->told_readable = true;
		tell |= STREAM_READABLE;
	}
	if (events & WATCH_WRITE && sock->want_writable) {
		sock->want_writable = false;
		tell |= STREAM_WRITABLE;
	}
	if (tell && sock->stream.on_ready)
		sock->stream.on_ready(sock->stream.arg, tell);
}

static int sock_fail(struct sock_stream *sock, int error, const char *what, struct err *e)
{
	sock->broken = error;
	errno = error;
	return err_set_errno(e, errno_code(error), "%s", what);
}

/* Behind the end: the kernel goes on saying "end", and has the error elsewhere. */
static ssize_t sock_read_ended(struct sock_stream *sock, struct err *e)
{
	socklen_t len = sizeof(int);
	int error = 0;

	if (!sock->failed)
		return 0;
	if (getsockopt(sock->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0 || error == 0)
		error = sock->write_broken; /* a send has taken it */
	return error ? sock_fail(sock, error == EPIPE ? ECONNRESET : error, "receive", e) : 0;
}

static ssize_t sock_read(struct stream *s, void *bytes, size_t len, struct err *e)
{
	struct sock_stream *sock = sock_stream_of(s);
	ssize_t n;

	if (sock->broken)
		return sock_fail(sock, sock->broken, "receive", e);
	if (sock->ended)
		return sock_read_ended(sock, e);
	do
		n = recv(sock->fd, bytes, len, 0);
	while (n < 0 && errno == EINTR);
	if (n == (ssize_t)len)
		return n;
	if (n < 0 && errno != EAGAIN)
		return sock_fail(sock, errno, "receive", e);
	if (n == 0 && sock->write_broken) /* the send has taken the error away from us */
		return sock_fail(sock, sock->write_broken, "receive", e);
	if (n == 0) {
		sock->ended = true;
		if (sock->failed)
			stream_tell_again(s);
		return 0;
	}
	if (sock->hangup && n > 0)
		stream_tell_again(s);
	else
		sock->told_readable = false;
	return n < 0 ? -ERR_AGAIN : n;
}

static ssize_t sock_write(struct stream *s, const void *bytes, size_t len, struct err *e)
{
	struct sock_stream *sock = sock_stream_of(s);
	ssize_t n;

	if (sock->broken || sock->write_broken) {
		errno = sock->write_broken ? sock->write_broken : sock->broken;
		return err_set_errno(e, errno_code(errno), "send");
	}
	do
		n = send(sock->fd, bytes, len, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n == (ssize_t)len)
		return n;
	if (n < 0 && errno != EAGAIN) {
		sock->write_broken = errno;
		return err_set_errno(e, errno_code(errno), "send");
	}
	sock->want_writable = true;
	return n < 0 ? -ERR_AGAIN : n;
}

static int sock_shutdown(struct stream *s, struct err *e)
{
	struct sock_stream *sock = sock_stream_of(s);

	if (sock->shut)
		return 0;
	sock->shut = true;
	if (shutdown(sock->fd, SHUT_WR) < 0)
		return err_set_errno(e, errno_code(errno), "shutdown");
	return 0;
}

static size_t sock_unsent(struct stream *s)
{
	int unsent = 0;

	if (ioctl(sock_stream_of(s)->fd, SIOCOUTQNSD, &unsent) < 0 || unsent < 0)
		return 0; /* a Unix socket: what was taken has arrived */
	return (size_t)unsent;
}

static void sock_free(struct stream *s, bool reset)
{
	struct sock_stream *sock = sock_stream_of(s);

	if (reset) {
		struct linger linger = {.l_onoff = 1, .l_linger = 0};

		setsockopt(sock->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	}
	watch_free_closing(sock->watch);
	close(sock->fd);
	free(sock);
}

static void sock_detach(struct stream *s)
{
	struct sock_stream *sock = sock_stream_of(s);

	watch_free(sock->watch);
	sock->watch = NULL;
}

/* A new watch reports first what is so already: nothing is lost on the way between two loops. */
static int sock_attach(struct stream *s, struct loop *loop, struct err *e)
{
	struct sock_stream *sock = sock_stream_of(s);

	sock->told_readable = false;
	return watch_edge(loop, sock->fd, sock_on_watch, sock, &sock->watch, e);
}

static const struct stream_ops sock_ops = {
	.name = "socket",
	.read = sock_read,
	.write = sock_write,
	.shutdown = sock_shutdown,
	.unsent = sock_unsent,
	.free = sock_free,
	.detach = sock_detach,
	.attach = sock_attach,
};

/* Of a listener: of all it accepts. Unix sockets have none. */
static void set_nodelay(int fd)
{
	int one = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

static struct sock_stream *sock_stream_make(struct loop *loop, int fd)
{
	struct sock_stream *sock = calloc(1, sizeof(*sock));

	if (!sock)
		return NULL;
	sock->stream.ops = &sock_ops;
	sock->stream.loop = loop;
	sock->fd = fd;
	return sock;
}

int sock_stream_new(struct loop *loop, int fd, struct stream **ret_stream, struct err *e)
{
	struct sock_stream *sock = sock_stream_make(loop, fd);
	int r = sock ? sock_attach(&sock->stream, loop, e) : err_set(e, ERR_NOMEM, "connection");

	if (r < 0) {
		close(fd);
		free(sock);
		return r;
	}
	*ret_stream = &sock->stream;
	return 0;
}

int sock_stream_fd(const struct stream *s)
{
	return s->ops == &sock_ops ? sock_stream_of(s)->fd : -1;
}

void sock_stream_info(const struct stream *s, struct sock_info *ret)
{
	struct tcp_info info = {0};
	socklen_t len = sizeof(info);
	int fd = sock_stream_fd(s);

	*ret = (struct sock_info){0};
	if (fd < 0)
		return;
	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0) {
		ret->bytes_acked = info.tcpi_bytes_acked;
		ret->rtt_us = info.tcpi_rtt;
		if (len > offsetof(struct tcp_info, tcpi_pacing_rate) &&
		    info.tcpi_pacing_rate != UINT64_MAX)
			ret->pacing_Bps = info.tcpi_pacing_rate;
		ret->pending = info.tcpi_unacked || info.tcpi_notsent_bytes;
	}
}

void sock_stream_set_lowat(struct stream *s, uint32_t bytes)
{
	int fd = sock_stream_fd(s);

	if (fd >= 0)
		setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &bytes, sizeof(bytes));
}

/* ── connecting ── */

struct sock_connect {
	struct loop *loop; /* borrowed */
	int fd;		   /* owned; -1 once handed on */
	int error;	   /* errno of a connect that failed at once */
	struct watch *watch;
	struct timer timer;
	struct defer defer; /* for results that are known at once */
	struct sock_addr to;
	void (*done)(void *arg, int r, struct stream *s, const struct err *e);
	void *arg;
};

void sock_connect_cancel(struct sock_connect *c)
{
	if (!c)
		return;
	watch_free_closing(c->watch);
	timer_stop(&c->timer);
	defer_cancel(&c->defer);
	if (c->fd >= 0)
		close(c->fd);
	free(c);
}

/* The watch goes on with the descriptor; what it reported already (events) goes with it. */
static int connect_to_stream(struct sock_connect *c, unsigned events, struct stream **ret_stream,
			     struct err *e)
{
	struct sock_stream *sock;

	if (!c->watch) { /* connected at once */
		int fd = c->fd;

		c->fd = -1;
		return sock_stream_new(c->loop, fd, ret_stream, e);
	}
	sock = sock_stream_make(c->loop, c->fd);
	if (!sock)
		return err_set(e, ERR_NOMEM, "connection");
	c->fd = -1;
	sock->watch = TAKE(c->watch);
	sock->hangup = (events & WATCH_HANGUP) != 0;
	watch_pass_on(sock->watch, sock_on_watch, sock);
	*ret_stream = &sock->stream;
	return 0;
}

static void connect_finish(struct sock_connect *c, int error, unsigned events)
{
	void (*done)(void *, int, struct stream *, const struct err *) = c->done;
	void *arg = c->arg;
	struct stream *s = NULL;
	struct err e = {0};
	char text[128];
	int r = 0;

	if (error) {
		errno = error;
		r = err_set_errno(&e, errno_code(error), "connect to %s",
				  sock_addr_format(text, &c->to));
	} else {
		r = connect_to_stream(c, events, &s, &e);
	}
	sock_connect_cancel(c);
	done(arg, r, s, &e);
}

static void connect_on_watch(void *arg, unsigned events)
{
	struct sock_connect *c = arg;
	socklen_t len = sizeof(c->error);

	if (events & (WATCH_ERROR | WATCH_HANGUP) &&
	    getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &c->error, &len) < 0)
		c->error = errno;
	connect_finish(c, c->error, events);
}

static void connect_on_timeout(void *arg)
{
	connect_finish(arg, ETIMEDOUT, 0);
}

static void connect_on_defer(void *arg)
{
	struct sock_connect *c = arg;

	connect_finish(c, c->error, 0);
}

static int connect_start(struct loop *loop, const struct sock_addr *to, usec_t timeout,
			 bool visitor,
			 void (*done)(void *arg, int r, struct stream *s, const struct err *e),
			 void *arg, struct sock_connect **ret_connect, struct err *e)
{
	struct sockaddr_storage ss;
	socklen_t len = sock_addr_to_sockaddr(to, &ss);
	struct sock_connect *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return err_set(e, ERR_NOMEM, "connection");
	c->loop = loop;
	c->to = *to;
	c->done = done;
	c->arg = arg;
	timer_init(&c->timer, loop, connect_on_timeout, c);
	defer_init(&c->defer, loop, connect_on_defer, c);
	c->fd = socket(ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0) {
		r = err_set_errno(e, ERR_FAILED, "socket");
		free(c);
		return r;
	}
	if (to->ip.family)
		set_nodelay(c->fd);
	if (visitor && fdlimit_reserved(c->fd)) {
		sock_connect_cancel(c);
		return err_set(e, ERR_LIMIT, "too many open files for another visitor");
	}
	*ret_connect = c;
	do
		r = connect(c->fd, (struct sockaddr *)&ss, len);
	while (r < 0 && errno == EINTR);
	if (r < 0 && errno == EINPROGRESS) {
		r = watch_edge(loop, c->fd, connect_on_watch, c, &c->watch, e);
		if (r < 0) {
			sock_connect_cancel(c);
			*ret_connect = NULL;
			return r;
		}
		timer_start(&c->timer, timeout);
		return 0;
	}
	c->error = r < 0 ? errno : 0;
	defer_call(&c->defer);
	return 0;
}

int sock_connect_start(struct loop *loop, const struct sock_addr *to, usec_t timeout,
		       void (*done)(void *arg, int r, struct stream *s, const struct err *e),
		       void *arg, struct sock_connect **ret_connect, struct err *e)
{
	return connect_start(loop, to, timeout, false, done, arg, ret_connect, e);
}

int sock_connect_visitor(struct loop *loop, const struct sock_addr *to, usec_t timeout,
			 void (*done)(void *arg, int r, struct stream *s, const struct err *e),
			 void *arg, struct sock_connect **ret_connect, struct err *e)
{
	return connect_start(loop, to, timeout, true, done, arg, ret_connect, e);
}

/* ── listening ── */

#define ACCEPT_PAUSE (100 * USEC_PER_MS)

struct sock_listener {
	int fd; /* owned */
	struct watch *watch;
	struct timer pause;
	struct sock_addr at;
	void (*on_accept)(void *arg, int fd, const struct ipaddr *peer);
	void *arg;
	bool accepting; /* on_accept may free the listener: its memory then goes after the round */
	bool closed;
};

static void listener_on_pause(void *arg)
{
	struct sock_listener *l = arg;

	watch_set(l->watch, WATCH_READ);
}

static void listener_on_watch(void *arg, unsigned events)
{
	struct sock_listener *l = arg;

	l->accepting = true;
	for (int i = 0; i < SOCK_ACCEPT_PER_TURN && !l->closed; i++) {
		struct sockaddr_storage ss = {0};
		socklen_t len = sizeof(ss);
		struct ipaddr peer;
		int fd = accept4(l->fd, (struct sockaddr *)&ss, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0 &&
		    (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)) {
			watch_set(l->watch, 0);
			timer_start(&l->pause, ACCEPT_PAUSE);
		}
		if (fd < 0 && (errno == ECONNABORTED || errno == EINTR))
			continue;
		if (fd < 0)
			break;
		ipaddr_from_sockaddr(&peer, (struct sockaddr *)&ss);
		l->on_accept(l->arg, fd, &peer);
	}
	l->accepting = false;
	if (l->closed)
		free(l);
}

/* A Unix socket's path may be left over from a process that was killed: only if nobody answers it
 * is removed. */
static int unlink_dead_socket(const struct sock_addr *at, struct err *e)
{
	struct sockaddr_storage ss;
	socklen_t len = sock_addr_to_sockaddr(at, &ss);
	AUTO(closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return err_set_errno(e, ERR_FAILED, "socket");
	if (connect(fd, (struct sockaddr *)&ss, len) == 0 || errno == EAGAIN)
		return err_set(e, ERR_EXISTS, "%s: another process answers there", at->path);
	if (errno == ECONNREFUSED)
		unlink(at->path);
	return 0;
}

int sock_listen_open(const struct sock_addr *at, unsigned flags, struct err *e)
{
	struct sockaddr_storage ss;
	socklen_t len = sock_addr_to_sockaddr(at, &ss);
	AUTO(closep) int fd = -1;
	char text[128];
	int one = 1;
	int taken;

	if (at->ip.family == 0) {
		int r = unlink_dead_socket(at, e);

		if (r < 0)
			return r;
	}
	fd = socket(ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_set_errno(e, ERR_FAILED, "listen on %s", sock_addr_format(text, at));
	if (at->ip.family) {
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
		if (flags & SOCK_LISTEN_SHARED)
			setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
		if (at->ip.family == 6)
			setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	}
	if (bind(fd, (struct sockaddr *)&ss, len) < 0 || listen(fd, SOCK_BACKLOG) < 0)
		return err_set_errno(e, errno_code(errno), "listen on %s",
				     sock_addr_format(text, at));
	if (at->ip.family == 0 && chmod(at->path, 0660) < 0)
		return err_set_errno(e, ERR_FAILED, "%s", at->path);
	taken = fd;
	fd = -1;
	return taken;
}

/* at: where fd is bound. Takes fd. */
static int listener_new(struct loop *loop, int fd, const struct sock_addr *at,
			void (*on_accept)(void *arg, int fd, const struct ipaddr *peer), void *arg,
			struct sock_listener **ret_listener, struct err *e)
{
	struct sock_listener *l = calloc(1, sizeof(*l));
	int r;

	if (!l) {
		close(fd);
		return err_set(e, ERR_NOMEM, "listener");
	}
	if (at->ip.family)
		set_nodelay(fd);
	l->fd = fd;
	l->at = *at;
	l->on_accept = on_accept;
	l->arg = arg;
	timer_init(&l->pause, loop, listener_on_pause, l);
	r = watch_new(loop, fd, listener_on_watch, l, &l->watch, e);
	if (r < 0) {
		sock_listener_free(l);
		return r;
	}
	watch_set(l->watch, WATCH_READ);
	*ret_listener = l;
	return 0;
}

int sock_listen_fd(struct loop *loop, int fd,
		   void (*on_accept)(void *arg, int fd, const struct ipaddr *peer), void *arg,
		   struct sock_listener **ret_listener, struct err *e)
{
	struct sock_addr at = {0};

	sock_local_addr(fd, &at.ip);
	return listener_new(loop, fd, &at, on_accept, arg, ret_listener, e);
}

int sock_listen(struct loop *loop, const struct sock_addr *at, unsigned flags,
		void (*on_accept)(void *arg, int fd, const struct ipaddr *peer), void *arg,
		struct sock_listener **ret_listener, struct err *e)
{
	struct sock_addr bound = *at;
	int fd = sock_listen_open(at, flags, e);

	if (fd < 0)
		return fd;
	if (at->ip.family)
		sock_local_addr(fd, &bound.ip);
	return listener_new(loop, fd, &bound, on_accept, arg, ret_listener, e);
}

const struct sock_addr *sock_listener_addr(const struct sock_listener *l)
{
	return &l->at;
}

void sock_listener_keepalive(struct sock_listener *l, usec_t idle, usec_t interval, int probes)
{
	int one = 1, idle_s = (int)(idle / USEC_PER_S), interval_s = (int)(interval / USEC_PER_S);

	setsockopt(l->fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
	setsockopt(l->fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof(idle_s));
	setsockopt(l->fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s, sizeof(interval_s));
	setsockopt(l->fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof(probes));
}

void sock_listener_free(struct sock_listener *l)
{
	if (!l)
		return;
	watch_free(l->watch); /* the socket may live on: in the service manager, as a duplicate */
	timer_stop(&l->pause);
	if (l->at.ip.family == 0 && l->at.path[0])
		unlink(l->at.path);
	close(l->fd);
	l->closed = true;
	if (!l->accepting)
		free(l);
}
