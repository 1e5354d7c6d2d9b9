#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "net/sock.h"

#define DEADLINE (20 * USEC_PER_S)

struct world {
	struct loop *loop;
	struct timer deadline;
	bool too_late;
};

static void on_deadline(void *arg)
{
	struct world *w = arg;

	w->too_late = true;
	loop_stop(w->loop);
}

static int world_init(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	*state = w;
	if (loop_new(&w->loop, NULL) < 0)
		return -1;
	timer_init(&w->deadline, w->loop, on_deadline, w);
	return 0;
}

static int world_done(void **state)
{
	struct world *w = *state;

	timer_stop(&w->deadline);
	loop_free(w->loop);
	free(w);
	return 0;
}

/* Runs until something calls loop_stop; false when nothing does in `span`. */
static bool run_for(struct world *w, usec_t span)
{
	w->too_late = false;
	timer_start(&w->deadline, span);
	loop_run(w->loop);
	timer_stop(&w->deadline);
	return !w->too_late;
}

static void run(struct world *w)
{
	assert_true(run_for(w, DEADLINE));
}

static usec_t cpu_time(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (usec_t)ts.tv_sec * USEC_PER_S + (usec_t)ts.tv_nsec / 1000;
}

/* Nothing can be waited for: time for several turns of the loop, which must not all be used. */
static bool runs_quietly(struct world *w)
{
	const usec_t span = 30 * USEC_PER_MS;
	usec_t start = cpu_time();

	return !run_for(w, span) && cpu_time() - start < span / 2;
}

/* ── an end of a connection, and what it is told ── */

struct end {
	struct world *w;
	struct stream *s;
	unsigned events; /* all since they were looked at */
	int calls;
};

static void on_ready(void *arg, unsigned events)
{
	struct end *end = arg;

	end->events |= events;
	end->calls++;
	loop_stop(end->w->loop);
}

static void end_init(struct end *end, struct world *w, int fd)
{
	*end = (struct end){.w = w};
	assert_int_equal(sock_stream_new(w->loop, fd, &end->s, NULL), 0);
	stream_set_handler(end->s, on_ready, end);
}

static unsigned told(struct end *end)
{
	unsigned events;

	run(end->w);
	events = end->events;
	end->events = 0;
	return events;
}

/* A stream, and the bare descriptor at the other end of its connection. */
static int tcp_pair(struct world *w, struct end *end)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(at);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int peer = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(listener, (struct sockaddr *)&at, len), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &len), 0);
	assert_int_equal(connect(peer, (struct sockaddr *)&at, len), 0);
	end_init(end, w, accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC));
	close(listener);
	return peer;
}

static void reset_fd(int fd)
{
	struct linger linger = {.l_onoff = 1, .l_linger = 0};

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	close(fd);
}

static ssize_t get(struct end *end, char *bytes, size_t len)
{
	struct err e = {0};
	ssize_t n = stream_read(end->s, bytes, len, &e);

	assert_int_equal(e.code, n < 0 && n != -ERR_AGAIN ? -n : 0);
	return n;
}

static void assert_gets(struct end *end, const char *text)
{
	char got[256] = "";

	assert_int_equal(get(end, got, sizeof(got) - 1), strlen(text));
	assert_string_equal(got, text);
}

static void assert_get(struct end *end, ssize_t r)
{
	char got[64];

	assert_int_equal(get(end, got, sizeof(got)), r);
}

static void fd_puts(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* ── readiness, as stream.h promises it ── */

static void test_readable_follows_a_short_read_once(void **state)
{
	struct world *w = *state;
	struct end a;
	int peer = tcp_pair(w, &a);
	char byte;

	assert_get(&a, -ERR_AGAIN);
	fd_puts(peer, "one");
	assert_int_equal(told(&a), STREAM_READABLE);
	assert_true(runs_quietly(w)); /* told once, although it is still there */
	fd_puts(peer, "two");
	assert_true(runs_quietly(w)); /* and the watch is off: no turns burnt */
	assert_int_equal(get(&a, &byte, 1), 1);
	assert_true(runs_quietly(w)); /* a full read: he will try again */
	assert_gets(&a, "netwo");
	assert_int_equal(a.calls, 1);
	fd_puts(peer, "three"); /* the watch is on again: no lost wake-up */
	assert_int_equal(told(&a), STREAM_READABLE);
	assert_gets(&a, "three");
	stream_close(a.s);
	close(peer);
}

/* Bytes that come between a short read and the next turn of the loop are not overlooked. */
static void test_no_lost_wake_up(void **state)
{
	struct world *w = *state;
	struct end a;
	int peer = tcp_pair(w, &a);

	assert_get(&a, -ERR_AGAIN);
	for (int i = 0; i < 5; i++) {
		fd_puts(peer, "x");
		assert_int_equal(told(&a), STREAM_READABLE);
		assert_gets(&a, "x");
	}
	stream_close(a.s);
	close(peer);
}

static void test_the_end_is_told_once(void **state)
{
	struct world *w = *state;
	struct end a;
	int peer = tcp_pair(w, &a);

	assert_get(&a, -ERR_AGAIN);
	fd_puts(peer, "last");
	shutdown(peer, SHUT_WR);
	assert_int_equal(told(&a), STREAM_READABLE);
	assert_gets(&a, "last");
	assert_int_equal(told(&a), STREAM_READABLE);
	assert_get(&a, 0);
	assert_true(runs_quietly(w)); /* readable for ever, but that is known */
	assert_get(&a, 0);
	assert_true(runs_quietly(w));
	stream_close(a.s);
	close(peer);
}

static void test_half_close(void **state)
{
	struct world *w = *state;
	struct end a;
	int peer = tcp_pair(w, &a);
	char got[16] = "";

	assert_int_equal(stream_write(a.s, "request", 7, NULL), 7);
	assert_int_equal(stream_shutdown(a.s, NULL), 0);
	assert_int_equal(stream_shutdown(a.s, NULL), 0);
	assert_int_equal(recv(peer, got, sizeof(got), MSG_WAITALL), 7);
	assert_get(&a, -ERR_AGAIN);
	fd_puts(peer, "answer");
	assert_int_equal(told(&a), STREAM_READABLE);
	assert_gets(&a, "answer");
	close(peer);
	assert_int_equal(told(&a), STREAM_READABLE);
	assert_get(&a, 0);
	assert_true(
		runs_quietly(w)); /* both directions ended: the kernel says HUP, no turns burnt */
	stream_close(a.s);
}

static void test_short_write(void **state)
{
	struct world *w = *state;
	struct end a;
	int peer = tcp_pair(w, &a);
	static char block[1 << 20];
	size_t sent = 0, got = 0;
	ssize_t n;

	fcntl(peer, F_SETFL, O_NONBLOCK);
	do {
		n = stream_write(a.s, block, sizeof(block), NULL);
		sent += n > 0 ? (size_t)n : 0;
	} while (n == sizeof(block));
	assert_true(n == -ERR_AGAIN || n > 0);
	assert_true(runs_quietly(w));
	assert_true(stream_unsent(a.s) > 0);
	while (!(a.events & STREAM_WRITABLE)) {
		while ((n = recv(peer, block, sizeof(block), 0)) > 0)
			got += (size_t)n;
		run_for(w, USEC_PER_MS);
		assert_true(got <= sent);
	}
	assert_int_equal(a.events, STREAM_WRITABLE);
	assert_int_equal(a.calls, 1);
	assert_true(runs_quietly(w));
	stream_close(a.s);
	close(peer);
}

static void test_reset_by_the_other_side(void **state)
{
	struct world *w = *state;
	struct end a;
	int peer = tcp_pair(w, &a);
	struct err e = {0};
	char byte;

	assert_get(&a, -ERR_AGAIN);
	reset_fd(peer);
	assert_int_equal(told(&a), STREAM_READABLE);
	assert_int_equal(stream_read(a.s, &byte, 1, &e), -ERR_RESET);
	assert_string_equal(e.text, "receive: Connection reset by peer");
	assert_int_equal(stream_write(a.s, "x", 1, &e), -ERR_RESET);
	assert_string_equal(e.text, "send: Connection reset by peer"); /* the reason stays */
	assert_true(runs_quietly(w));
	stream_close(a.s);
}

static void test_reset_behind_the_end(void **state)
{
	struct world *w = *state;
	struct end a;
	int peer = tcp_pair(w, &a);
	struct err e = {0};
	char byte;

	assert_get(&a, -ERR_AGAIN);
	shutdown(peer, SHUT_WR);
	assert_int_equal(told(&a), STREAM_READABLE);
	assert_get(&a, 0);
	assert_true(runs_quietly(w));
	reset_fd(peer);
	assert_int_equal(told(&a), STREAM_READABLE);
	assert_int_equal(stream_read(a.s, &byte, 1, &e), -ERR_RESET);
	assert_string_equal(e.text, "receive: Connection reset by peer");
	assert_true(runs_quietly(w));
	stream_close(a.s);
}

/* He ended in good order before it: that is told first. */
static void test_reset_before_the_end_is_read(void **state)
{
	struct world *w = *state;
	struct end a;
	int peer = tcp_pair(w, &a);

	assert_get(&a, -ERR_AGAIN);
	fd_puts(peer, "last");
	shutdown(peer, SHUT_WR);
	assert_int_equal(told(&a), STREAM_READABLE);
	reset_fd(peer);
	assert_true(runs_quietly(w));
	assert_gets(&a, "last");
	assert_int_equal(told(&a), STREAM_READABLE);
	assert_get(&a, 0);
	assert_int_equal(told(&a), STREAM_READABLE);
	assert_get(&a, -ERR_RESET);
	stream_close(a.s);
}

static void test_reset_of_a_blocked_writer(void **state)
{
	struct world *w = *state;
	struct end a;
	int peer = tcp_pair(w, &a);
	static char block[1 << 20];

	while (stream_write(a.s, block, sizeof(block), NULL) == sizeof(block))
		;
	reset_fd(peer);
	while (!(a.events & STREAM_WRITABLE))
		run(w);
	assert_int_equal(stream_write(a.s, "x", 1, NULL), -ERR_RESET);
	stream_close(a.s);
}

/* A server that answers early and hangs up while the upload goes on: its answer must not be lost
 * with the upload. */
static void test_what_came_before_a_reset_is_read(void **state)
{
	struct world *w = *state;
	struct end a;
	int peer = tcp_pair(w, &a);
	static char block[1 << 16];
	char got[16];

	assert_get(&a, -ERR_AGAIN);
	assert_int_equal(stream_write(a.s, block, sizeof(block), NULL), sizeof(block));
	assert_int_equal(write(peer, "early", 5), 5);
	close(peer); /* with bytes unread: a reset follows the answer */
	assert_true(told(&a) & STREAM_READABLE);
	while (stream_write(a.s, block, sizeof(block), NULL) >= 0)
		;
	assert_int_equal(stream_read(a.s, got, sizeof(got), NULL), 5);
	assert_int_equal(stream_read(a.s, got, sizeof(got), NULL), -ERR_RESET);
	stream_close(a.s);
}

static void test_reset_of_ours(void **state)
{
	struct world *w = *state;
	struct end a;
	int peer = tcp_pair(w, &a);
	char byte;

	stream_reset(a.s);
	assert_int_equal(recv(peer, &byte, 1, 0), -1);
	assert_int_equal(errno, ECONNRESET);
	close(peer);
}

static void test_reset_behind_given_back_bytes(void **state)
{
	struct world *w = *state;
	struct end a;
	int peer = tcp_pair(w, &a);

	reset_fd(peer);
	assert_int_equal(told(&a), STREAM_READABLE); /* nobody reads: the watch is off now */
	assert_int_equal(stream_unread(a.s, "hello", 5), 0);
	assert_gets(&a, "hello");
	assert_int_equal(told(&a), STREAM_READABLE);
	assert_get(&a, -ERR_RESET);
	stream_close(a.s);
}

static void test_unread(void **state)
{
	struct world *w = *state;
	struct end a;
	int peer = tcp_pair(w, &a);

	assert_get(&a, -ERR_AGAIN);
	fd_puts(peer, "456");
	assert_int_equal(told(&a), STREAM_READABLE);
	assert_int_equal(stream_unread(a.s, "0123", 4), 0);
	assert_gets(&a, "0123456"); /* what is given back and what waits, in one read */
	assert_int_equal(stream_unread(a.s, "789", 3), 0);
	assert_gets(&a, "789");
	fd_puts(peer, "next");
	assert_int_equal(told(&a), STREAM_READABLE);
	assert_gets(&a, "next");
	stream_close(a.s);
	close(peer);
}

/* ── moving to another thread's loop ── */

struct moved {
	struct stream *s;
	struct world w;
	struct end end;
	bool ok;
};

static void *other_thread(void *arg)
{
	struct moved *m = arg;
	char got[32];
	size_t len = 0;

	/* No assertions here: cmocka's belong to the main thread. */
	if (loop_new(&m->w.loop, NULL) < 0 || stream_attach(m->s, m->w.loop, NULL) < 0)
		return NULL;
	timer_init(&m->w.deadline, m->w.loop, on_deadline, &m->w);
	m->end = (struct end){.w = &m->w, .s = m->s};
	stream_set_handler(m->s, on_ready, &m->end);
	while (len < 5) {
		ssize_t n = stream_read(m->s, got + len, sizeof(got) - len, NULL);

		if (n > 0)
			len += (size_t)n;
		if ((n < 0 && n != -ERR_AGAIN) || (n < 0 && !run_for(&m->w, DEADLINE)))
			break;
	}
	m->ok = len == 5 && memcmp(got, "hello", 5) == 0 &&
		stream_write(m->s, "there", 5, NULL) == 5;
	stream_close(m->s);
	loop_free(m->w.loop);
	return NULL;
}

static void test_move_to_another_loop(void **state)
{
	struct world *w = *state;
	struct moved m = {0};
	struct end a;
	pthread_t thread;
	int peer = tcp_pair(w, &a);
	char got[8];

	assert_get(&a, -ERR_AGAIN);
	fd_puts(peer, "hel");
	assert_int_equal(told(&a), STREAM_READABLE);
	assert_gets(&a, "hel");
	assert_int_equal(stream_unread(a.s, "hel", 3), 0);
	stream_detach(a.s);
	m.s = a.s;
	assert_int_equal(pthread_create(&thread, NULL, other_thread, &m), 0);
	fd_puts(peer, "lo");
	assert_int_equal(recv(peer, got, 5, MSG_WAITALL), 5);
	pthread_join(thread, NULL);
	assert_true(m.ok);
	assert_int_equal(a.calls, 1); /* the old user heard no more */
	close(peer);
}

/* ── listening and connecting ── */

struct meeting {
	struct world *w;
	struct sock_listener *listener;
	struct sock_connect *connect;
	struct end client, server;
	int r, accepted, connected;
	struct ipaddr peer;
	struct err e;
	bool free_in_accept;
};

static void meeting_check(struct meeting *m)
{
	if (m->accepted && m->connected)
		loop_stop(m->w->loop);
}

static void on_accept(void *arg, int fd, const struct ipaddr *peer)
{
	struct meeting *m = arg;

	m->accepted++;
	m->peer = *peer;
	if (m->free_in_accept)
		sock_listener_free(TAKE(m->listener));
	end_init(&m->server, m->w, fd);
	meeting_check(m);
}

static void on_connect(void *arg, int r, struct stream *s, const struct err *e)
{
	struct meeting *m = arg;

	m->connect = NULL;
	m->connected++;
	m->r = r;
	if (r < 0) {
		m->e = *e;
		loop_stop(m->w->loop);
		return;
	}
	m->client = (struct end){.w = m->w, .s = s};
	stream_set_handler(s, on_ready, &m->client);
	meeting_check(m);
}

static void meeting_listen(struct meeting *m, struct world *w, const struct sock_addr *at)
{
	*m = (struct meeting){.w = w};
	assert_int_equal(sock_listen(w->loop, at, 0, on_accept, m, &m->listener, NULL), 0);
}

static void meeting_connect(struct meeting *m, const struct sock_addr *to)
{
	assert_int_equal(sock_connect_start(m->w->loop, to, USEC_PER_S * 10, on_connect, m,
					    &m->connect, NULL),
			 0);
	assert_int_equal(m->connected, 0); /* never from inside */
}

static void meeting_done(struct meeting *m)
{
	stream_close(m->client.s);
	stream_close(m->server.s);
	sock_listener_free(m->listener);
	sock_connect_cancel(m->connect);
}

static struct sock_addr loopback(const char *text)
{
	struct sock_addr at = {0};

	assert_int_equal(ipaddr_parse(str_of(text), &at.ip), 0);
	return at;
}

static void assert_nodelay(const struct stream *s)
{
	int on = 0;
	socklen_t len = sizeof(on);

	assert_int_equal(getsockopt(sock_stream_fd(s), IPPROTO_TCP, TCP_NODELAY, &on, &len), 0);
	assert_true(on);
}

static void meet(struct world *w, const struct sock_addr *at)
{
	struct meeting m;

	meeting_listen(&m, w, at);
	meeting_connect(&m, sock_listener_addr(m.listener));
	run(w);
	assert_int_equal(m.r, 0);
	assert_int_equal(m.peer.family, at->ip.family);
	if (at->ip.family) {
		assert_nodelay(m.client.s);
		assert_nodelay(m.server.s);
	}
	assert_int_equal(stream_write(m.client.s, "ping", 4, NULL), 4);
	if (stream_read(m.server.s, (char[1]){0}, 1, NULL) == -ERR_AGAIN)
		run(w);
	else
		assert_int_equal(stream_unread(m.server.s, "p", 1), 0);
	assert_gets(&m.server, "ping");
	meeting_done(&m);
}

static void test_tcp4(void **state)
{
	struct sock_addr at = loopback("127.0.0.1");

	meet(*state, &at);
}

static void test_tcp6(void **state)
{
	struct sock_addr at = loopback("::1");
	struct sock_listener *l;

	if (sock_listen(((struct world *)*state)->loop, &at, 0, on_accept, NULL, &l, NULL) < 0)
		skip(); /* no IPv6 on this machine */
	sock_listener_free(l);
	meet(*state, &at);
}

static struct sock_addr unix_addr(void)
{
	struct sock_addr at = {0};

	snprintf(at.path, sizeof(at.path), "%s/homeport-test-%d.sock",
		 getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp", getpid());
	return at;
}

static void test_unix_socket(void **state)
{
	struct world *w = *state;
	struct sock_addr at = unix_addr();
	struct sock_listener *first, *second;
	struct stat st;
	struct err e = {0};
	char text[128], want[256];

	meet(w, &at);
	assert_int_equal(access(at.path, F_OK), -1); /* removed with the listener */

	assert_int_equal(sock_listen(w->loop, &at, 0, on_accept, NULL, &first, NULL), 0);
	assert_int_equal(stat(at.path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
	assert_int_equal(sock_listen(w->loop, &at, 0, on_accept, NULL, &second, &e), -ERR_EXISTS);
	snprintf(want, sizeof(want), "unix:%s", at.path);
	assert_string_equal(sock_addr_format(text, &at), want);
	assert_non_null(strstr(e.text, at.path));
	sock_listener_free(first);
}

static void test_dead_unix_socket_is_replaced(void **state)
{
	struct world *w = *state;
	struct sock_addr at = unix_addr();
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	memcpy(un.sun_path, at.path, sizeof(un.sun_path));
	assert_int_equal(bind(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	close(fd); /* as a killed process leaves it */
	meet(w, &at);
}

static void test_refused_connect(void **state)
{
	struct world *w = *state;
	struct sock_addr at = loopback("127.0.0.1");
	struct meeting m;
	char text[128], want[256];

	meeting_listen(&m, w, &at);
	at = *sock_listener_addr(m.listener);
	sock_listener_free(TAKE(m.listener));
	meeting_connect(&m, &at);
	run(w);
	assert_int_equal(m.r, -ERR_REFUSED);
	snprintf(want, sizeof(want), "connect to %s: Connection refused",
		 sock_addr_format(text, &at));
	assert_string_equal(m.e.text, want);
	meeting_done(&m);

	at = unix_addr();
	m = (struct meeting){.w = w};
	meeting_connect(&m, &at);
	run(w);
	assert_int_equal(m.r, -ERR_REFUSED);
	meeting_done(&m);
}

/* A listener whose backlog is full does not answer: nothing else on loopback is silent. */
static void test_connect_timeout_and_cancel(void **state)
{
	struct world *w = *state;
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(in);
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	int fill[8];
	struct meeting m = {.w = w};
	struct sock_connect *cancelled;
	struct sock_addr at = {0};

	assert_int_equal(bind(listener, (struct sockaddr *)&in, len), 0);
	assert_int_equal(listen(listener, 0), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&in, &len), 0);
	ipaddr_from_sockaddr(&at.ip, (struct sockaddr *)&in);
	for (size_t i = 0; i < ARRAY_LEN(fill); i++) {
		fill[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		if (connect(fill[i], (struct sockaddr *)&in, len) < 0)
			assert_int_equal(errno, EINPROGRESS);
	}
	assert_int_equal(
		sock_connect_start(w->loop, &at, DEADLINE, on_connect, &m, &cancelled, NULL), 0);
	assert_int_equal(sock_connect_start(w->loop, &at, 20 * USEC_PER_MS, on_connect, &m,
					    &m.connect, NULL),
			 0);
	run(w);
	assert_int_equal(m.r, -ERR_TIMEOUT);
	assert_non_null(strstr(m.e.text, "Connection timed out"));
	sock_connect_cancel(cancelled);
	sock_connect_cancel(NULL);
	assert_int_equal(m.connected, 1);
	for (size_t i = 0; i < ARRAY_LEN(fill); i++)
		close(fill[i]);
	close(listener);
}

static void test_port_in_use(void **state)
{
	struct world *w = *state;
	struct sock_addr at = loopback("127.0.0.1");
	struct sock_listener *l;
	struct meeting m;
	struct err e = {0};
	char text[128], want[256];

	meeting_listen(&m, w, &at);
	at = *sock_listener_addr(m.listener);
	assert_true(at.ip.port > 0);
	assert_int_equal(sock_listen(w->loop, &at, 0, on_accept, NULL, &l, &e), -ERR_EXISTS);
	snprintf(want, sizeof(want), "listen on %s: Address already in use",
		 sock_addr_format(text, &at));
	assert_string_equal(e.text, want);
	meeting_done(&m);
	/* After a restart the port is free at once, whatever the old connections do. */
	assert_int_equal(sock_listen(w->loop, &at, 0, on_accept, NULL, &l, &e), 0);
	sock_listener_free(l);
}

static void test_several_threads_share_a_port(void **state)
{
	struct world *w = *state;
	struct sock_addr at = loopback("127.0.0.1");
	struct sock_listener *first, *second;

	assert_int_equal(
		sock_listen(w->loop, &at, SOCK_LISTEN_SHARED, on_accept, NULL, &first, NULL), 0);
	at = *sock_listener_addr(first);
	assert_int_equal(
		sock_listen(w->loop, &at, SOCK_LISTEN_SHARED, on_accept, NULL, &second, NULL), 0);
	sock_listener_free(first);
	sock_listener_free(second);
}

static void test_listener_freed_in_its_handler(void **state)
{
	struct world *w = *state;
	struct sock_addr at = loopback("127.0.0.1");
	struct meeting m;

	meeting_listen(&m, w, &at);
	m.free_in_accept = true;
	meeting_connect(&m, sock_listener_addr(m.listener));
	run(w);
	assert_null(m.listener);
	meeting_done(&m);
}

/* The service manager may keep a duplicate: connections that wait there are not ours any more. */
static void test_listener_that_lives_on_elsewhere(void **state)
{
	struct world *w = *state;
	struct sock_addr at = loopback("127.0.0.1");
	struct meeting m = {.w = w};
	int kept = sock_listen_open(&at, 0, NULL);
	struct sockaddr_in to;
	socklen_t len = sizeof(to);
	int visitor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(kept >= 0);
	assert_int_equal(sock_listen_fd(w->loop, dup(kept), on_accept, &m, &m.listener, NULL), 0);
	assert_true(runs_quietly(w));
	sock_listener_free(TAKE(m.listener));
	assert_int_equal(getsockname(kept, (struct sockaddr *)&to, &len), 0);
	assert_int_equal(connect(visitor, (struct sockaddr *)&to, len), 0);
	assert_true(runs_quietly(w));
	assert_int_equal(m.accepted, 0);
	close(visitor);
	close(kept);
}

static void test_what_the_kernel_knows(void **state)
{
	struct world *w = *state;
	struct sock_info info;
	struct ipaddr local;
	struct end a;
	int peer = tcp_pair(w, &a);

	sock_local_addr(sock_stream_fd(a.s), &local);
	assert_int_equal(local.family, 4);
	assert_true(ipaddr_is_loopback(&local));
	assert_int_equal(stream_write(a.s, "12345", 5, NULL), 5);
	do
		sock_stream_info(a.s, &info);
	while (info.bytes_acked < 5); /* on loopback it is there when send returns, or nearly */
	sock_stream_set_lowat(a.s, 16384);
	stream_close(a.s);
	close(peer);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_init, world_done)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_readable_follows_a_short_read_once),
		TEST(test_no_lost_wake_up),
		TEST(test_the_end_is_told_once),
		TEST(test_half_close),
		TEST(test_short_write),
		TEST(test_reset_by_the_other_side),
		TEST(test_reset_behind_the_end),
		TEST(test_reset_before_the_end_is_read),
		TEST(test_reset_of_a_blocked_writer),
		TEST(test_what_came_before_a_reset_is_read),
		TEST(test_reset_of_ours),
		TEST(test_reset_behind_given_back_bytes),
		TEST(test_unread),
		TEST(test_move_to_another_loop),
		TEST(test_tcp4),
		TEST(test_tcp6),
		TEST(test_unix_socket),
		TEST(test_dead_unix_socket_is_replaced),
		TEST(test_refused_connect),
		TEST(test_connect_timeout_and_cancel),
		TEST(test_port_in_use),
		TEST(test_several_threads_share_a_port),
		TEST(test_listener_freed_in_its_handler),
		TEST(test_listener_that_lives_on_elsewhere),
		TEST(test_what_the_kernel_knows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
