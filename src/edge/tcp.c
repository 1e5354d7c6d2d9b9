/*
 *	edge_tcp_open    CONNECTING ──▶ LENT: the socket, in a stream that counts and tells its end
 *	edge_tcp_serve   CONNECTING ──▶ PUMPED: visitor and socket joined ──▶ reported
 *	                     └ refused ──▶ reported, done or reset
 */
#include "edge/tcp.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include "net/pump.h"
#include "proto/proxyv2.h"

struct tcp {
	struct edge_visit visit; /* first */
	struct stream stream;	 /* lent: what the visitor's side drives */
	struct stream *below;	 /* owned: lent: the socket; serving: the visitor, until pumped */
	struct sock_connect *connect; /* owned; CONNECTING */
	struct pump *pump;	      /* owned; PUMPED */
	void (*done)(void *arg, int r, struct stream *s, const struct err *e); /* NULL: serving */
	void *arg;
	struct defer defer; /* the service went: done must still be told, or the stream's user */
	struct loop *loop;  /* borrowed */
	struct ipaddr visitor;
	usec_t started, started_wall;
	uint64_t bytes_in, bytes_out; /* lent */
};

static void report(struct tcp *t, uint64_t in, uint64_t out, const char *note)
{
	struct edge_request request = {
		.visitor = t->visitor,
		.bytes_in = in,
		.bytes_out = out,
		.started_wall = t->started_wall,
		.duration = loop_now(t->loop) - t->started,
		.note = note,
	};

	if (t->visit.service)
		edge_service_report(t->visit.service, &request);
}

static void tcp_free(struct tcp *t)
{
	edge_visit_leave(&t->visit);
	defer_cancel(&t->defer);
	sock_connect_cancel(t->connect);
	pump_free(t->pump);
	stream_reset(t->below);
	free(t);
}

/* ── lent: a thin stream around the socket ── */

static struct tcp *tcp_of(const struct stream *s)
{
	return container_of(s, struct tcp, stream);
}

static int gone(struct err *e)
{
	return err_set(e, ERR_RESET, "the service was taken away");
}

static ssize_t lent_read(struct stream *s, void *bytes, size_t len, struct err *e)
{
	struct tcp *t = tcp_of(s);
	ssize_t n = t->below ? stream_read(t->below, bytes, len, e) : gone(e);

	if (n > 0)
		t->bytes_out += (uint64_t)n;
	return n;
}

static ssize_t lent_write(struct stream *s, const void *bytes, size_t len, struct err *e)
{
	struct tcp *t = tcp_of(s);
	ssize_t n = t->below ? stream_write(t->below, bytes, len, e) : gone(e);

	if (n > 0)
		t->bytes_in += (uint64_t)n;
	return n;
}

static int lent_shutdown(struct stream *s, struct err *e)
{
	struct tcp *t = tcp_of(s);

	return t->below ? stream_shutdown(t->below, e) : gone(e);
}

static size_t lent_unsent(struct stream *s)
{
	struct tcp *t = tcp_of(s);

	return t->below ? stream_unsent(t->below) : 0;
}

static void lent_free(struct stream *s, bool reset)
{
	struct tcp *t = tcp_of(s);

	report(t, t->bytes_in, t->bytes_out, NULL);
	if (!reset)
		stream_close(TAKE(t->below));
	tcp_free(t);
}

static const struct stream_ops lent_ops = {
	.name = "local service",
	.read = lent_read,
	.write = lent_write,
	.shutdown = lent_shutdown,
	.unsent = lent_unsent,
	.free = lent_free,
};

static void lent_on_ready(void *arg, unsigned events)
{
	struct tcp *t = arg;

	if (t->stream.on_ready)
		t->stream.on_ready(t->stream.arg, events);
}

static void lend(struct tcp *t, struct stream *socket)
{
	t->below = socket;
	t->stream.ops = &lent_ops;
	t->stream.loop = t->loop;
	stream_set_handler(socket, lent_on_ready, t);
	TAKE(t->done)(t->arg, 0, &t->stream, NULL);
}

/* ── pumped ── */

static void on_pumped(void *arg, const struct pump_ending *ending)
{
	struct tcp *t = arg;

	report(t, ending->a_to_b, ending->b_to_a, NULL);
	tcp_free(t);
}

static void join(struct tcp *t, struct stream *socket)
{
	struct err e = {0};

	if (pump_new(t->loop, TAKE(t->below), socket, on_pumped, t, &t->pump, &e) < 0) {
		report(t, 0, 0, e.text);
		tcp_free(t);
	}
}

/* ── connecting ── */

/* The public address he connected to is not known here: the target is the local server's own. */
int edge_tcp_introduce(struct stream *socket, const struct ipaddr *visitor,
		       const struct sock_addr *to, struct err *e)
{
	struct proxyv2 header = {.local = !visitor, .target = to->ip};
	uint8_t bytes[PROXYV2_ENCODED_MAX];
	ssize_t len, n;

	if (visitor)
		header.source = *visitor;
	len = (ssize_t)proxyv2_encode(bytes, &header);
	n = stream_write(socket, bytes, (size_t)len, e);
	if (n == len)
		return 0;
	/* A fresh socket has room for 52 bytes. */
	return n < 0 && n != -ERR_AGAIN ? (int)n : err_set(e, ERR_FAILED, "PROXY header not taken");
}

static void fail(struct tcp *t, int r, const struct err *e)
{
	void (*done)(void *, int, struct stream *, const struct err *) = t->done;
	void *done_arg = t->arg;

	report(t, 0, 0, e->text);
	tcp_free(t);
	if (done)
		done(done_arg, r, NULL, e);
}

static void on_connected(void *arg, int r, struct stream *socket, const struct err *e)
{
	struct tcp *t = arg;
	const struct edge_service *service = t->visit.service;
	struct err why = {0};

	t->connect = NULL;
	if (r == 0 && service->proxy_protocol) {
		r = edge_tcp_introduce(socket, &t->visitor, &service->to, &why);
		if (r < 0)
			stream_reset(socket);
		e = &why;
	}
	if (r < 0) {
		fail(t, r, e);
	} else if (t->done) {
		lend(t, socket);
	} else {
		join(t, socket);
	}
}

/* The service is gone: whoever drives the lent stream finds it broken; an opening fails. */
static void on_taken_away(void *arg)
{
	struct tcp *t = arg;
	struct err e = {0};
	int r = gone(&e);

	if (t->stream.ops)
		lent_on_ready(t, STREAM_READABLE | STREAM_WRITABLE);
	else
		fail(t, r, &e);
}

static void tcp_end(struct edge_visit *visit)
{
	struct tcp *t = container_of(visit, struct tcp, visit);

	edge_visit_leave(visit);
	if (!t->done && !t->stream.ops) { /* served: ours alone */
		tcp_free(t);
		return;
	}
	sock_connect_cancel(TAKE(t->connect));
	stream_reset(TAKE(t->below));
	defer_call(&t->defer);
}

static int start(struct edge_service *service, const struct edge_visitor *visitor, struct tcp **ret,
		 struct err *e)
{
	struct tcp *t = calloc(1, sizeof(*t));
	int r;

	if (!t)
		return err_set(e, ERR_NOMEM, "visitor");
	t->loop = service->loop;
	t->visitor = visitor->addr;
	t->started = loop_now(service->loop);
	t->started_wall = ustime_wall();
	defer_init(&t->defer, service->loop, on_taken_away, t);
	r = sock_connect_visitor(service->loop, &service->to, EDGE_CONNECT_TIMEOUT, on_connected, t,
				 &t->connect, e);
	if (r < 0) {
		free(t);
		return r;
	}
	edge_visit_enter(&t->visit, service, tcp_end, NULL);
	*ret = t;
	return 0;
}

int edge_tcp_open(struct edge_service *service, const struct edge_visitor *visitor,
		  void (*done)(void *arg, int r, struct stream *s, const struct err *e), void *arg,
		  struct edge_visit **ret_opening, struct err *e)
{
	struct tcp *t = NULL;
	int r = start(service, visitor, &t, e);

	if (r < 0)
		return r;
	t->done = done;
	t->arg = arg;
	*ret_opening = &t->visit;
	return 0;
}

void edge_tcp_cancel(struct edge_visit *opening)
{
	tcp_free(container_of(opening, struct tcp, visit));
}

int edge_tcp_serve(struct edge_service *service, const struct edge_visitor *visitor,
		   struct stream *stream, struct err *e)
{
	struct tcp *t = NULL;
	int r = start(service, visitor, &t, e);

	if (r < 0) {
		stream_reset(stream);
		return r;
	}
	/* The pump will read; until then nobody is told, who gave it away least of all. */
	stream_set_handler(stream, NULL, NULL);
	t->below = stream;
	return 0;
}
