/* For the tests of net/httpc: a client on a loop, servers that say what they are told to, and a
 * name server that may hang. */
#pragma once

#include <dlfcn.h>
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/httpc.h"
#include "net/sock.h"
#include "unit/http/peer.h"

#define DEADLINE   (20 * USEC_PER_S)
#define VISITS_MAX 8

struct world {
	struct loop *loop;
	struct httpc *httpc;
	struct timer deadline;
	int awaited; /* answers, until run returns */
};

static inline void on_deadline(void *arg)
{
	fail_msg("nothing more happens");
}

static inline int world_init(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	*state = w;
	if (loop_new(&w->loop, NULL) < 0 || httpc_new(w->loop, &w->httpc, NULL) < 0)
		return -1;
	timer_init(&w->deadline, w->loop, on_deadline, w);
	return 0;
}

static inline int world_done(void **state)
{
	struct world *w = *state;

	httpc_free(w->httpc);
	loop_free(w->loop);
	free(w);
	return 0;
}

/* Until something calls loop_stop. */
static inline void run(struct world *w)
{
	timer_start(&w->deadline, DEADLINE);
	loop_run(w->loop);
	timer_stop(&w->deadline);
}

/* ── an answer ── */

struct got {
	struct world *w;
	int calls;
	struct httpc_answer answer; /* with copies of what it borrows */
	struct buf body, head;
};

static inline void got_init(struct got *got, struct world *w)
{
	*got = (struct got){.w = w};
}

static inline void got_done(struct got *got)
{
	buf_done(&got->body);
	buf_done(&got->head);
}

static inline void on_done(void *arg, const struct httpc_answer *answer)
{
	struct got *got = arg;

	got->calls++;
	got->answer = *answer;
	assert_int_equal(buf_append_str(&got->body, answer->body), 0);
	assert_int_equal(buf_append_str(&got->head, answer->head), 0);
	got->answer.body = buf_str(&got->body);
	got->answer.head = buf_str(&got->head);
	assert_int_equal(answer->err.code, -answer->r);
	if (--got->w->awaited == 0)
		loop_stop(got->w->loop);
}

static inline struct httpc_call *start(struct got *got, const struct httpc_request *request)
{
	struct httpc_call *call;
	struct err e = {0};

	if (httpc_start(got->w->httpc, request, on_done, got, &call, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(got->calls, 0);
	got->w->awaited++;
	return call;
}

static inline void ask(struct got *got, struct world *w, const struct httpc_request *request)
{
	got_init(got, w);
	start(got, request);
	run(w);
	assert_int_equal(got->calls, 1);
}

#define assert_str(s, expected)                                                                    \
	do {                                                                                       \
		struct str s_ = (s);                                                               \
		assert_int_equal(s_.len, strlen(expected));                                        \
		assert_memory_equal(s_.at ? s_.at : "", expected, s_.len);                         \
	} while (0)

#define assert_good(got, code, expected)                                                           \
	do {                                                                                       \
		assert_string_equal((got)->answer.err.text, "");                                   \
		assert_int_equal((got)->answer.r, 0);                                              \
		assert_int_equal((got)->answer.status, code);                                      \
		assert_str((got)->answer.body, expected);                                          \
	} while (0)

/* It failed with that code, and words with that in them. */
#define assert_bad(got, code, words)                                                               \
	do {                                                                                       \
		if (!strstr((got)->answer.err.text, words))                                        \
			fail_msg("%s: not about: %s", (got)->answer.err.text, words);              \
		assert_int_equal((got)->answer.r, -(code));                                        \
		assert_int_equal((got)->answer.body.len, 0);                                       \
	} while (0)

/* ── a server ── */

enum then { CLOSES, STAYS, RESETS };

struct visit {
	struct server *server;
	struct peer peer;
	int wakes; /* until the request was whole */
	bool answered;
};

struct server {
	struct world *w;
	struct sock_listener *listener;
	uint16_t port;
	const char *greeting; /* before any request; NULL: none */
	const char *answer;   /* NULL: none */
	enum then then;
	bool hangs_up; /* at the first bytes */

	int n_visits, n_requests, n_gone;
	struct visit visits[VISITS_MAX];
	struct ipaddr from;
	char request[8192]; /* the last one, whole */
	int wakes;
};

/* Bytes of the request at the beginning of what came; 0: it is not whole yet. */
static inline size_t request_len(const char *text)
{
	const char *end = strstr(text, "\r\n\r\n"),
		   *length = strcasestr(text, "\r\nContent-Length:");
	size_t len;

	if (!end)
		return 0;
	len = (size_t)(end + 4 - text);
	if (length && length < end)
		len += (size_t)atoi(length + 17);
	return strlen(text) >= len ? len : 0;
}

static inline void visit_take(struct visit *v)
{
	struct server *s = v->server;
	size_t len;

	assert_int_equal(buf_append(&v->peer.got, "", 1), 0);
	v->peer.got.tail--;
	len = request_len((char *)buf_head(&v->peer.got));
	v->wakes++;
	if (len == 0)
		return;
	assert_true(len < sizeof(s->request));
	memcpy(s->request, buf_head(&v->peer.got), len);
	s->request[len] = '\0';
	buf_consume(&v->peer.got, len);
	s->wakes = v->wakes;
	v->wakes = 0;
	v->answered = true;
	s->n_requests++;
	if (s->answer)
		peer_send(&v->peer, s->answer);
}

static inline void visit_on_ready(void *arg, unsigned events)
{
	struct visit *v = arg;

	peer_run(&v->peer);
	if (v->server->hangs_up && buf_len(&v->peer.got) > 0)
		peer_reset(&v->peer);
	else if (buf_len(&v->peer.got) > 0)
		visit_take(v);
	if (v->answered && v->server->answer && buf_len(&v->peer.to_send) == 0) {
		if (v->server->then == CLOSES)
			peer_done(&v->peer);
		if (v->server->then == RESETS)
			peer_reset(&v->peer);
		v->answered = false;
	}
	if (v->peer.s && (v->peer.eof || v->peer.reset)) {
		peer_done(&v->peer);
		v->server->n_gone++;
	}
}

static inline void server_on_accept(void *arg, int fd, const struct ipaddr *from)
{
	struct server *s = arg;
	struct visit *v = &s->visits[s->n_visits];
	struct stream *stream;

	assert_true(s->n_visits++ < VISITS_MAX);
	s->from = *from;
	v->server = s;
	assert_int_equal(sock_stream_new(s->w->loop, fd, &stream, NULL), 0);
	peer_init(&v->peer, s->w->loop, stream);
	stream_set_handler(stream, visit_on_ready, v);
	if (s->greeting)
		peer_send(&v->peer, s->greeting);
	visit_on_ready(v, STREAM_READABLE);
}

static inline void server_says(struct server *s, const char *answer, enum then then)
{
	s->answer = answer;
	s->then = then;
}

/* False: this machine has no such address. */
static inline bool server_open_at(struct server *s, struct world *w, struct ipaddr at)
{
	struct sock_addr address = {.ip = at};

	*s = (struct server){.w = w};
	if (sock_listen(w->loop, &address, 0, server_on_accept, s, &s->listener, NULL) < 0)
		return false;
	s->port = sock_listener_addr(s->listener)->ip.port;
	return true;
}

static inline struct ipaddr address(const char *text)
{
	struct ipaddr a;

	assert_int_equal(ipaddr_parse(str_of(text), &a), 0);
	return a;
}

static inline void server_open(struct server *s, struct world *w, const char *answer,
			       enum then then)
{
	assert_true(server_open_at(s, w, address("127.0.0.1")));
	server_says(s, answer, then);
}

static inline void server_close(struct server *s)
{
	sock_listener_free(s->listener);
	for (int i = 0; i < s->n_visits; i++) {
		if (s->visits[i].peer.s)
			peer_done(&s->visits[i].peer);
		buf_done(&s->visits[i].peer.got);
		buf_done(&s->visits[i].peer.to_send);
	}
}

#define URL_TEXT_MAX 128

static inline const char *server_url(char text[static URL_TEXT_MAX], const struct server *s,
				     const char *path)
{
	snprintf(text, URL_TEXT_MAX, "http://127.0.0.1:%u%s", s->port, path);
	return text;
}

/* ── what the C library does for libcurl ── */

static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int lookups;
	int waiting; /* in a lookup of hangs.example */
	bool let_go;
	bool no_libcurl;
} libc = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

/* hangs.example hangs, here.example is 127.0.0.1, no other name is known. */
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
		struct addrinfo **ret)
{
	int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
	struct ipaddr literal;

	*(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
	if (node && ipaddr_parse(str_of(node), &literal) == 0)
		return real(node, service, hints, ret);
	pthread_mutex_lock(&libc.lock);
	libc.lookups++;
	if (strcmp(node, "hangs.example") == 0) {
		libc.waiting++;
		pthread_cond_broadcast(&libc.changed);
		while (!libc.let_go)
			pthread_cond_wait(&libc.changed, &libc.lock);
		libc.waiting--;
		pthread_cond_broadcast(&libc.changed);
	}
	pthread_mutex_unlock(&libc.lock);
	return strcmp(node, "here.example") == 0 ? real("127.0.0.1", service, hints, ret)
						 : EAI_NONAME;
}

void *dlopen(const char *name, int flags)
{
	void *(*real)(const char *, int);

	*(void **)&real = dlsym(RTLD_NEXT, "dlopen");
	if (libc.no_libcurl && name && strcmp(name, "libcurl.so.4") == 0)
		name = "libcurl-that-is-not-there.so.4";
	return real(name, flags);
}
