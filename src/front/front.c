/*
 * A connection's way (struct visit):
 *
 *	accept ─▶ READING ─▶ handed over ─ front_gone ──▶ gone
 *	             │           └─────── front_refuse ─┐
 *	             ├─ verdict with an answer ──────▶ LINGERING (linger.c) ─▶ gone
 *	             └─ garbage, end, 5 s without a byte ─────────────────▶ gone
 *
 * When as many are being read as may be, the oldest that has said nothing makes room for the next.
 * It counts with its source as being read until it leaves READING, and as a connection until gone.
 * One from a load balancer is PROXIED before READING: of no source until a header named the
 * visitor. The last descriptors are for links and commands: visitors are turned away.
 */
#include "front/front.h"

#include <assert.h>

#include "front/linger.h"
#include "front/refuse.h"
#include "net/fdlimit.h"
#include "proto/proxyv2.h"

enum counter {
#define X(name) COUNT_##name,
	FRONT_COUNTERS(X)
#undef X
		COUNTERS
};

struct listener {
	struct front *front; /* borrowed */
	struct list node;
	struct sock_listener *sock; /* owned */
	enum front_kind kind;
	uint16_t port;
	struct front_route route; /* raw */
};

/* A connection that is being read. */
struct visit {
	struct front *front; /* borrowed */
	struct list node;
	struct list silent;    /* among those that have said nothing */
	struct stream *stream; /* owned */
	struct ipaddr peer;    /* PROXIED: the proxy */
	uint16_t local_port;
	bool proxied;		 /* PROXIED: a header that names the visitor must come first */
	bool last_fds;		 /* his descriptor is one of the last: only for a link */
	struct front_route *raw; /* owned; of a raw port, behind a proxy */
	usec_t deadline;
	struct front_opening opening;
	struct buf bytes; /* all so far, once it is known that they are not enough */
};

struct front {
	struct loop *loop; /* borrowed */
	struct front_config config;
	struct front_handler handler;
	void *arg;

	struct list listeners; /* owned */
	bool stopped;	       /* no further ones */
	struct list visits;    /* owned, oldest first: all have the same time */
	struct list silent;    /* of them, oldest first */
	struct timer timer;    /* for the oldest; may fire early */
	struct front_linger linger;
	uint64_t counters[COUNTERS]; /* atomic */
};

static void count(struct front *front, enum counter which)
{
	__atomic_fetch_add(&front->counters[which], 1, __ATOMIC_RELAXED);
}

void front_count(const struct front *front, struct front_counters *add_to)
{
#define X(name) add_to->name += __atomic_load_n(&front->counters[COUNT_##name], __ATOMIC_RELAXED);
	FRONT_COUNTERS(X)
#undef X
}

/* ── the end of a visit ── */

/* Out of READING: what remains is the stream, the caller's now. */
static struct stream *visit_release(struct visit *visit)
{
	struct stream *stream = visit->stream;

	stream_set_handler(stream, NULL,
			   NULL); /* whoever has it next may leave it alone for long */
	list_remove(&visit->node);
	list_remove(&visit->silent);
	if (visit->proxied)
		front_sources_leave_unnamed(visit->front->config.sources);
	else
		front_sources_read(visit->front->config.sources, &visit->peer);
	buf_done(&visit->bytes);
	free(visit->raw);
	free(visit);
	return stream;
}

static void visit_drop(struct visit *visit, enum counter why)
{
	struct front *front = visit->front;
	struct ipaddr peer = visit->peer;
	bool proxied = visit->proxied;

	count(front, why);
	stream_close(visit_release(visit));
	if (!proxied)
		front_gone(front, &peer);
}

/* Send the word (taken) and linger; without memory for it, just close. */
static void visit_answer(struct visit *visit, struct buf *word, enum counter why)
{
	struct front *front = visit->front;
	struct ipaddr peer = visit->peer;

	count(front, why);
	front_linger_add(&front->linger, visit_release(visit), &peer, word);
}

static void on_linger_gone(void *arg, const struct ipaddr *peer)
{
	front_gone(arg, peer);
}

static bool is_head_request(struct str bytes)
{
	return str_starts(bytes, STR("HEAD "));
}

/* What he sent (bytes) is needed only to tell HEAD from the rest. */
static void visit_answer_http(struct visit *visit, enum front_answer which,
			      struct front_answer_about about, struct str bytes, enum counter why)
{
	struct buf word;

	buf_init(&word, FRONT_ANSWER_MAX);
	about.now_wall = ustime_wall();
	about.head_only = is_head_request(bytes);
	if (front_answer_http(&word, which, &about) < 0) {
		buf_done(&word);
		visit_drop(visit, why);
		return;
	}
	visit_answer(visit, &word, why);
}

static void visit_answer_alert(struct visit *visit, enum counter why)
{
	struct buf word;

	buf_init(&word, FRONT_ANSWER_MAX);
	if (front_answer_tls_name(&word) < 0)
		visit_drop(visit, why);
	else
		visit_answer(visit, &word, why);
}

/* ── handing over ── */

static void visit_hand_over(struct visit *visit, struct str bytes, const char *host,
			    const struct front_route *route)
{
	struct front *front = visit->front;
	struct front_visitor visitor = {
		.peer = visit->peer,
		.kind = visit->opening.kind,
		.local_port = visit->local_port,
		.route = *route,
	};

	if (visit->last_fds) {
		visit_drop(visit, COUNT_refused_limit);
		return;
	}
	if (stream_unread(visit->stream, bytes.at, bytes.len) < 0) {
		visit_drop(visit, COUNT_left);
		return;
	}
	strcpy(visitor.host, host);
	visitor.stream = visit_release(visit);
	count(front, COUNT_routed);
	front->handler.on_visitor(front->arg, &visitor);
}

static void visit_hand_over_link(struct visit *visit, struct str bytes)
{
	struct front *front = visit->front;
	struct ipaddr peer = visit->peer;

	if (stream_unread(visit->stream, bytes.at, bytes.len) < 0) {
		visit_drop(visit, COUNT_left);
		return;
	}
	count(front, COUNT_links);
	front->handler.on_link(front->arg, visit_release(visit), &peer);
}

/* A name that takes no TLS is refused as one that does not exist: a page cannot be shown. */
static void visit_route_tls(struct visit *visit, struct str bytes, const struct front_asked *asked)
{
	struct front_route route;

	if (front_routes_find(visit->front->config.routes, str_of(asked->host), FRONT_SERVES_TLS,
			      &route) < 0 ||
	    !(route.serves & FRONT_SERVES_TLS))
		visit_answer_alert(visit, COUNT_refused_unknown);
	else
		visit_hand_over(visit, bytes, asked->host, &route);
}

static struct front_answer_about about_redirect(const struct front *front,
						const struct front_asked *asked)
{
	struct front_answer_about about = {
		.host = str_of(asked->host),
		.path = asked->path,
		.https_port = front->config.https_port,
	};

	if (about.path.at[0] != '/') /* OPTIONS * */
		about.path = STR("/");
	return about;
}

static void visit_redirect(struct visit *visit, struct str bytes, const struct front_asked *asked)
{
	visit_answer_http(visit, FRONT_ANSWER_REDIRECT, about_redirect(visit->front, asked), bytes,
			  COUNT_redirected);
}

static void visit_route_http(struct visit *visit, struct str bytes, const struct front_asked *asked)
{
	struct front_route route;

	if (front_routes_find(visit->front->config.routes, str_of(asked->host), FRONT_SERVES_HTTP,
			      &route) < 0)
		visit_answer_http(visit, FRONT_ANSWER_MISDIRECTED, (struct front_answer_about){0},
				  bytes, COUNT_refused_unknown);
	else if (route.serves & FRONT_SERVES_HTTP)
		visit_hand_over(visit, bytes, asked->host, &route);
	else
		visit_redirect(visit, bytes, asked);
}

static void visit_answer_invalid(struct visit *visit, enum front_answer which, struct str bytes)
{
	visit_answer_http(visit, which, (struct front_answer_about){0}, bytes,
			  COUNT_refused_invalid);
}

/* The visit is gone after this, unless the verdict is MORE. */
static void visit_decide(struct visit *visit, enum front_opening_verdict verdict, struct str bytes,
			 const struct front_asked *asked)
{
	switch (verdict) {
	case FRONT_OPENING_MORE:
		return;
	case FRONT_OPENING_LINK:
		visit_hand_over_link(visit, bytes);
		return;
	case FRONT_OPENING_TLS:
		visit_route_tls(visit, bytes, asked);
		return;
	case FRONT_OPENING_HTTP:
		visit_route_http(visit, bytes, asked);
		return;
	case FRONT_OPENING_PLAIN_HTTP:
		visit_answer_invalid(visit, FRONT_ANSWER_PLAIN_ON_TLS, bytes);
		return;
	case FRONT_OPENING_BAD_REQUEST:
		visit_answer_invalid(visit, FRONT_ANSWER_BAD_REQUEST, bytes);
		return;
	case FRONT_OPENING_HEAD_TOO_LONG:
		visit_answer_invalid(visit, FRONT_ANSWER_HEAD_TOO_LONG, bytes);
		return;
	case FRONT_OPENING_GARBAGE:
		visit_drop(visit, COUNT_refused_invalid);
		return;
	}
}

/* ── reading ── */

/* The scratch buffer holds what was read just now, and behind it is room for the decoder. */
#define SCRATCH_HELLO_AT ((size_t)64 * 1024)
static_assert(SCRATCH_HELLO_AT >= HTTPHEAD_MAX && SCRATCH_HELLO_AT >= CLIENTHELLO_MAX &&
		      SCRATCH_HELLO_AT + CLIENTHELLO_MAX <= LOOP_SCRATCH_LEN,
	      "both fit");

/* Look at n more bytes. False: the visit is gone. */
static bool visit_take(struct visit *visit, const uint8_t *news, size_t n)
{
	uint8_t *scratch = loop_scratch(visit->front->loop, LOOP_SCRATCH_COPY) + SCRATCH_HELLO_AT;
	struct str bytes = str_n((const char *)news, n);
	bool first = buf_len(&visit->bytes) == 0;
	enum front_opening_verdict verdict;
	struct front_asked asked = {0};
	int r = 0;

	if (!first) {
		r = buf_append(&visit->bytes, news, n);
		bytes = buf_str(&visit->bytes);
	}
	if (r == 0) {
		verdict = front_opening_read(&visit->opening, (const uint8_t *)bytes.at, bytes.len,
					     scratch, &asked);
		visit_decide(visit, verdict, bytes, &asked);
		if (verdict != FRONT_OPENING_MORE)
			return false;
		if (first)
			r = buf_append(&visit->bytes, news, n);
	}
	if (r < 0)
		visit_drop(visit, COUNT_left); /* no memory */
	return r == 0;
}

/* The header says who he is. False: the visit is gone. */
static bool visit_name(struct visit *visit, const struct proxyv2 *header)
{
	struct front *front = visit->front;
	const struct ipaddr *peer = header->source.family ? &header->source : &visit->peer;

	if (!front_sources_name(front->config.sources, peer, loop_now(front->loop))) {
		count(front, COUNT_refused_limit);
		stream_reset(visit_release(visit));
		return false;
	}
	visit->peer = *peer;
	visit->proxied = false;
	return true;
}

/* What came behind the header, as if it came just now. False: the visit is gone. */
static bool visit_take_rest(struct visit *visit)
{
	uint8_t *scratch = loop_scratch(visit->front->loop, LOOP_SCRATCH_COPY);
	size_t rest = buf_len(&visit->bytes);
	struct front_route route;

	if (visit->raw) {
		route = *visit->raw;
		visit_hand_over(visit, buf_str(&visit->bytes), "", &route);
		return false;
	}
	if (rest == 0)
		return true;
	memcpy(scratch, buf_head(&visit->bytes), rest);
	buf_consume(&visit->bytes, rest);
	return visit_take(visit, scratch, rest);
}

/* PROXIED. False: wait for more, or the visit is gone. */
static bool visit_read_header(struct visit *visit)
{
	uint8_t *scratch = loop_scratch(visit->front->loop, LOOP_SCRATCH_COPY);
	struct proxyv2 header;
	ssize_t n;

	n = stream_read(visit->stream, scratch, PROXYV2_MAX - buf_len(&visit->bytes), NULL);
	if (n == -ERR_AGAIN)
		return false;
	list_remove(&visit->silent);
	if (n <= 0 || buf_append(&visit->bytes, scratch, (size_t)n) < 0) {
		visit_drop(visit, COUNT_left);
		return false;
	}
	n = proxyv2_decode(buf_head(&visit->bytes), buf_len(&visit->bytes), &header);
	if (n == -ERR_AGAIN)
		return false; /* PROXYV2_MAX is not reached, so that read was short */
	if (n < 0) {
		visit_drop(visit, COUNT_refused_proxy);
		return false;
	}
	buf_consume(&visit->bytes, (size_t)n);
	return visit_name(visit, &header) && visit_take_rest(visit);
}

static void visit_read(struct visit *visit)
{
	uint8_t *scratch = loop_scratch(visit->front->loop, LOOP_SCRATCH_COPY);

	if (visit->proxied && !visit_read_header(visit))
		return;
	for (;;) {
		size_t want = front_opening_max(visit->opening.kind) - buf_len(&visit->bytes);
		ssize_t n = stream_read(visit->stream, scratch, want, NULL);

		if (n == -ERR_AGAIN)
			return;
		list_remove(&visit->silent);
		if (n <= 0) {
			visit_drop(visit, COUNT_left);
			return;
		}
		if (!visit_take(visit, scratch, (size_t)n) || (size_t)n < want)
			return;
	}
}

static void visit_on_ready(void *arg, unsigned events)
{
	visit_read(arg);
}

static struct visit *oldest_visit(struct front *front)
{
	return list_empty(&front->visits) ? NULL
					  : list_entry(front->visits.next, struct visit, node);
}

/* Who has begun a request is told; who has said nothing (a browser's spare connection, a scanner)
 * is not: he would take it for the answer to what he asks next. */
static void visit_expire(struct visit *visit)
{
	if (visit->opening.kind == FRONT_HTTP && !visit->proxied && buf_len(&visit->bytes) > 0)
		visit_answer_http(visit, FRONT_ANSWER_TIMEOUT, (struct front_answer_about){0},
				  buf_str(&visit->bytes), COUNT_refused_timeout);
	else
		visit_drop(visit, COUNT_refused_timeout);
}

static void on_timer(void *arg)
{
	struct front *front = arg;
	struct visit *visit;

	while ((visit = oldest_visit(front)) && visit->deadline <= loop_now(front->loop))
		visit_expire(visit);
	if (visit)
		timer_start_at(&front->timer, visit->deadline);
}

/* ── accepting ── */

/* Of the connection that on_accept counted, and that is not going to be read. */
static void uncount(struct front *front, const struct ipaddr *peer, bool proxied)
{
	if (proxied) {
		front_sources_leave_unnamed(front->config.sources);
		return;
	}
	front_sources_read(front->config.sources, peer);
	front_gone(front, peer);
}

static struct visit *visit_new(const struct listener *l, struct stream *stream,
			       const struct ipaddr *peer, bool proxied)
{
	struct front *front = l->front;
	struct visit *visit = calloc(1, sizeof(*visit));
	struct front_route *raw = l->kind == FRONT_RAW ? malloc(sizeof(*raw)) : NULL;

	if (!visit || (l->kind == FRONT_RAW && !raw)) {
		free(visit);
		free(raw);
		return NULL;
	}
	if (raw)
		*raw = l->route; /* the listener may go first */
	visit->front = front;
	visit->stream = stream;
	visit->peer = *peer;
	visit->local_port = l->port;
	visit->proxied = proxied;
	visit->raw = raw;
	visit->deadline = loop_now(front->loop) + front->config.reading_timeout;
	if (l->kind == FRONT_RAW)
		visit->opening.kind = FRONT_RAW; /* nothing is read but the header */
	else
		front_opening_init(&visit->opening, l->kind,
				   front->handler.on_link ? str_of(front->config.link_alpn)
							  : STR(""));
	buf_init(&visit->bytes, MAX(front_opening_max(l->kind), PROXYV2_MAX));
	return visit;
}

static void visit_start(struct listener *l, struct stream *stream, const struct ipaddr *peer,
			bool proxied, bool last_fds)
{
	struct front *front = l->front;
	struct visit *visit = visit_new(l, stream, peer, proxied);

	if (!visit) {
		count(front, COUNT_left);
		stream_close(stream);
		uncount(front, peer, proxied);
		return;
	}
	visit->last_fds = last_fds;
	list_push(&front->visits, &visit->node);
	list_push(&front->silent, &visit->silent);
	if (!timer_running(&front->timer))
		timer_start_at(&front->timer, visit->deadline);
	stream_set_handler(stream, visit_on_ready, visit);
	visit_read(visit);
}

/* A raw port's visitor needs no reading. */
static void accept_raw(struct listener *l, struct stream *stream, const struct ipaddr *peer)
{
	struct front *front = l->front;
	struct front_visitor visitor = {
		.stream = stream,
		.peer = *peer,
		.kind = FRONT_RAW,
		.local_port = l->port,
		.route = l->route,
	};

	front_sources_read(front->config.sources, peer);
	count(front, COUNT_routed);
	front->handler.on_visitor(front->arg, &visitor);
}

/* A reset costs neither side anything more, and says "not now" clearly enough. */
static void refuse_fd(int fd)
{
	struct linger linger = {.l_onoff = 1, .l_linger = 0};

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	close(fd);
}

static bool enter(struct front *front, const struct ipaddr *peer, bool proxied)
{
	if (proxied)
		return front_sources_enter_unnamed(front->config.sources);
	return front_sources_enter(front->config.sources, peer, loop_now(front->loop));
}

/* Some dozens of addresses that connect and say nothing must not shut everybody out. */
static bool may_enter(struct front *front, const struct ipaddr *peer, bool proxied)
{
	if (enter(front, peer, proxied))
		return true;
	if (list_empty(&front->silent) || !front_sources_crowded(front->config.sources))
		return false;
	visit_drop(list_entry(front->silent.next, struct visit, silent), COUNT_refused_limit);
	return enter(front, peer, proxied);
}

static void on_accept(void *arg, int fd, const struct ipaddr *peer)
{
	struct listener *l = arg;
	struct front *front = l->front;
	bool proxied = cidr_list_contains(front->config.proxies, front->config.n_proxies, peer);
	bool last_fds = fdlimit_reserved(fd);
	struct stream *stream;

	count(front, COUNT_accepted);
	if ((last_fds && l->kind != FRONT_HTTPS) || !may_enter(front, peer, proxied)) {
		count(front, COUNT_refused_limit);
		refuse_fd(fd);
		return;
	}
	if (sock_stream_new(front->loop, fd, &stream, NULL) < 0) {
		count(front, COUNT_left);
		uncount(front, peer, proxied);
		return;
	}
	if (l->kind == FRONT_RAW && !proxied)
		accept_raw(l, stream, peer);
	else
		visit_start(l, stream, peer, proxied, last_fds);
}

static void listener_free(struct listener *l)
{
	list_remove(&l->node);
	sock_listener_free(l->sock);
	free(l);
}

/* What a person can do about it. */
static int explain_listen(int r, struct err *e)
{
	struct err why = {0};

	if (!e)
		return r;
	why = *e;
	if (r == -ERR_EXISTS)
		return err_set(
			e, ERR_EXISTS,
			"%.300s: another program has this port; stop that program, or choose "
			"another address or port",
			why.text);
	if (r == -ERR_DENIED)
		return err_set(e, ERR_DENIED,
			       "%.300s: ports below 1024 need root or the capability "
			       "CAP_NET_BIND_SERVICE; or choose a port from 1024",
			       why.text);
	return r;
}

static struct listener *listener_new(struct front *front, enum front_kind kind,
				     const struct front_route *raw_route)
{
	struct listener *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->front = front;
	l->kind = kind;
	list_init(&l->node);
	if (raw_route)
		l->route = *raw_route;
	return l;
}

/* Visitors that vanish without a word are found out after two minutes. */
#define PROBE_IDLE     (60 * USEC_PER_S)
#define PROBE_INTERVAL (15 * USEC_PER_S)
#define PROBES	       4

static void listener_add(struct front *front, struct listener *l)
{
	sock_listener_keepalive(l->sock, PROBE_IDLE, PROBE_INTERVAL, PROBES);
	l->port = sock_listener_addr(l->sock)->ip.port;
	list_push(&front->listeners, &l->node);
}

int front_listen(struct front *front, enum front_kind kind, const struct sock_addr *at,
		 unsigned sock_flags, const struct front_route *raw_route, uint16_t *ret_port,
		 struct err *e)
{
	struct listener *l = listener_new(front, kind, raw_route);
	int r;

	assert((kind == FRONT_RAW) == (raw_route != NULL));
	if (!l)
		return err_set(e, ERR_NOMEM, "listener");
	if (front->stopped)
		r = err_set(e, ERR_FAILED, "stopping");
	else
		r = sock_listen(front->loop, at, sock_flags, on_accept, l, &l->sock, e);
	if (r < 0) {
		free(l);
		return explain_listen(r, e);
	}
	listener_add(front, l);
	if (ret_port)
		*ret_port = l->port;
	return 0;
}

int front_listen_fd(struct front *front, enum front_kind kind, int fd, struct err *e)
{
	struct listener *l = listener_new(front, kind, NULL);
	int r;

	assert(kind != FRONT_RAW);
	if (!l) {
		close(fd);
		return err_set(e, ERR_NOMEM, "listener");
	}
	r = sock_listen_fd(front->loop, fd, on_accept, l, &l->sock, e);
	if (r < 0) {
		free(l);
		return r;
	}
	listener_add(front, l);
	return 0;
}

void front_unlisten(struct front *front, enum front_kind kind, uint16_t port)
{
	struct listener *l, *tmp;

	list_for_each_safe (l, tmp, &front->listeners, node)
		if (l->kind == kind && l->port == port)
			listener_free(l);
}

void front_stop(struct front *front)
{
	struct listener *l, *tmp;

	front->stopped = true;
	list_for_each_safe (l, tmp, &front->listeners, node)
		listener_free(l);
}

bool front_busy(const struct front *front)
{
	return !list_empty(&front->visits) || front->linger.n > 0;
}

/* ── handed over ── */

void front_gone(struct front *front, const struct ipaddr *peer)
{
	front_sources_leave(front->config.sources, peer);
}

static int refusal_http(struct front *front, const struct front_visitor *visitor,
			enum front_answer which, struct buf *word)
{
	uint8_t *scratch = loop_scratch(front->loop, LOOP_SCRATCH_COPY);
	ssize_t n = stream_read(visitor->stream, scratch, HTTPHEAD_MAX, NULL);
	struct str bytes = str_n((const char *)scratch, (size_t)MAX(n, 0));
	struct front_answer_about about = {
		.host = str_of(visitor->host),
		.offline_since_wall = visitor->route.offline_since_wall,
	};
	struct front_opening opening;
	struct front_asked asked;

	if (which == FRONT_ANSWER_REDIRECT) {
		front_opening_init(&opening, FRONT_HTTP, STR(""));
		if (front_opening_read(&opening, scratch, bytes.len, scratch + SCRATCH_HELLO_AT,
				       &asked) != FRONT_OPENING_HTTP)
			return -ERR_FAILED; /* he is gone */
		about = about_redirect(front, &asked);
	}
	about.now_wall = ustime_wall();
	about.head_only = is_head_request(bytes);
	return front_answer_http(word, which, &about);
}

void front_refuse(struct front *front, const struct front_visitor *visitor, enum front_refusal why)
{
	static const struct {
		enum front_answer page;
		int (*alert)(struct buf *to);
		enum counter counter;
	} ways[] = {
		[FRONT_REFUSE_OFFLINE] = {FRONT_ANSWER_OFFLINE, front_answer_tls_name,
					  COUNT_refused_offline},
		[FRONT_REFUSE_BUSY] = {FRONT_ANSWER_BUSY, front_answer_tls_busy,
				       COUNT_refused_busy},
		[FRONT_REFUSE_SERVICE] = {FRONT_ANSWER_SERVICE, front_answer_tls_busy,
					  COUNT_refused_service},
		[FRONT_REFUSE_PLAIN] = {FRONT_ANSWER_REDIRECT, front_answer_tls_name,
					COUNT_redirected},
	};
	struct buf word;
	int r = -ERR_FAILED;

	buf_init(&word, FRONT_ANSWER_MAX);
	count(front, ways[why].counter);
	switch (visitor->kind) {
	case FRONT_HTTP:
		r = refusal_http(front, visitor, ways[why].page, &word);
		break;
	case FRONT_HTTPS:
		r = ways[why].alert(&word);
		break;
	case FRONT_RAW:
	case FRONT_UDP:
		break;
	}
	if (r == 0) {
		front_linger_add(&front->linger, visitor->stream, &visitor->peer, &word);
		return;
	}
	buf_done(&word);
	stream_reset(visitor->stream);
	if (visitor->kind == FRONT_UDP)
		front_sources_leave_flow(front->config.sources, &visitor->peer);
	else
		front_gone(front, &visitor->peer);
}

/* ── the whole ── */

int front_new(struct loop *loop, const struct front_config *config,
	      const struct front_handler *handler, void *arg, struct front **ret_front,
	      struct err *e)
{
	struct front *front = calloc(1, sizeof(*front));

	assert(!handler->on_link || config->link_alpn);
	if (!front)
		return err_set(e, ERR_NOMEM, "public side");
	front->loop = loop;
	front->config = *config;
	if (front->config.reading_timeout == 0)
		front->config.reading_timeout = FRONT_READING_TIMEOUT;
	front->handler = *handler;
	front->arg = arg;
	list_init(&front->listeners);
	list_init(&front->visits);
	list_init(&front->silent);
	timer_init(&front->timer, loop, on_timer, front);
	front_linger_init(&front->linger, loop, on_linger_gone, front);
	*ret_front = front;
	return 0;
}

void front_free(struct front *front)
{
	struct visit *visit;

	if (!front)
		return;
	front_stop(front);
	while ((visit = oldest_visit(front)))
		visit_drop(visit, COUNT_left);
	front_linger_done(&front->linger);
	timer_stop(&front->timer);
	free(front);
}
