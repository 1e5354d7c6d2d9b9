/*
 *          request            connected         head             sent
 *  IDLE ───────────▶ CONNECTING ─────▶ ASKING ───────▶ ANSWERING ─────▶ (on_end) IDLE
 *   │ kept connection     │             │ ▲ │ 101          │
 *   └─────────────────────┼─────────────┘ │ └──▶ ANSWERING │ lost: the visitor is cut off
 *                         │ refused       │ lost before any byte, may be repeated: once more
 *                         ▼               ▼
 *                        502 ◀──────── lost, late
 *
 * All work is done in forward_run, from the loop: the callbacks of client and server only ask for
 * it. So either may be freed there.
 */
#include "edge/forward.h"

#include <stdio.h>

#include "base/log.h"
#include "edge/rewrite.h"
#include "http/client.h"
#include "http/page.h"

#define IDLE_MAX	 (30 * USEC_PER_S) /* an unused connection to the local server is kept */
#define FRESH_MAX	 USEC_PER_S	   /* idle for less, it is surely open still */
#define EXPECT_MAX	 USEC_PER_S	   /* for a server that ignores "Expect: 100-continue" */
#define TICK		 (60 * USEC_PER_S)
#define ANSWER_TICKS_MAX 10	    /* of silence, for an answer to begin */
#define HALF_TICKS_MAX	 2	    /* of silence, when one side has ended its half */
#define RAW_TICKS_MAX	 15	    /* the same behind a 101 */
#define LEFT_TICK	 USEC_PER_S /* while a browser may have closed */
#define LEFT_TICKS_MAX	 5	    /* of silence, then it has */
#define PIECES_PER_TURN	 8

#define FORWARD_STATES(X) X(IDLE) X(CONNECTING) X(ASKING) X(ANSWERING)

enum forward_state {
#define X(name) FORWARD_##name,
	FORWARD_STATES(X)
#undef X
};

static const char *const state_names[] = {
#define X(name) #name,
	FORWARD_STATES(X)
#undef X
};

struct edge_forward {
	struct edge_service *service;	    /* borrowed */
	const struct edge_visitor *visitor; /* borrowed */
	enum forward_state state;
	struct http_exchange *x;      /* borrowed; NULL: no request */
	struct http_client *client;   /* owned; NULL: no connection */
	struct sock_connect *connect; /* owned; in CONNECTING */
	struct buf head;	      /* of the request, until an answer comes */
	char *note;		      /* owned */
	bool lost;		      /* the client failed: to be seen to */
	char *why;		      /* owned: how; may be missing */
	struct defer run;
	struct timer timer;
	struct timer left; /* while he may have left */
	usec_t idle_since;
	uint64_t seen;	    /* progress at the last tick */
	uint64_t left_seen; /* and at the last one of `left` */
	unsigned ticks, left_ticks;
	bool reused;	 /* the connection carried a request before */
	bool repeatable; /* idempotent, without a body */
	bool may_send;	 /* the body need not wait for a 100 */
	bool sent, received;
};

static void set_state(struct edge_forward *f, enum forward_state to)
{
	log_debug("forward %p: %s -> %s", (void *)f, state_names[f->state], state_names[to]);
	f->state = to;
}

static void set_note(struct edge_forward *f, const char *text)
{
	if (!f->note)
		f->note = strdup(text);
}

static void drop_client(struct edge_forward *f)
{
	http_client_free(TAKE(f->client));
	free(TAKE(f->why));
	f->lost = false;
}

/* ── trouble ── */

static void answer_trouble(struct edge_forward *f, unsigned status, const char *note)
{
	set_note(f, note);
	drop_client(f);
	if (f->x->status) {
		http_exchange_abort(f->x);
		return;
	}
	set_state(f, FORWARD_ANSWERING);
	f->sent = f->received = true;
	http_page_respond(f->x, status, NULL, "The service behind this name is not answering.");
}

/* ── connecting ── */

static void ask(struct edge_forward *f);

static void on_connected(void *arg, int r, struct stream *s, const struct err *e);
static const struct http_client_handler client_handler;

static void connect_to(struct edge_forward *f)
{
	struct err e = {0};
	int r;

	drop_client(f);
	f->reused = false;
	set_state(f, FORWARD_CONNECTING);
	r = sock_connect_visitor(f->service->loop, &f->service->to, EDGE_CONNECT_TIMEOUT,
				 on_connected, f, &f->connect, &e);
	if (r < 0)
		answer_trouble(f, r == -ERR_LIMIT ? 503 : 502, e.text);
}

static void on_connected(void *arg, int r, struct stream *s, const struct err *e)
{
	struct edge_forward *f = arg;
	struct err why = {0};

	f->connect = NULL;
	if (r < 0)
		answer_trouble(f, 502, e->text);
	else if (http_client_new(f->service->loop, s, &client_handler, f, &f->client, &why) < 0)
		answer_trouble(f, 502, why.text);
	else
		ask(f);
}

static enum http_body request_body(const struct httphead *head)
{
	if (head->chunked)
		return HTTP_BODY_CHUNKED;
	return httphead_has_body(head) ? HTTP_BODY_LENGTH : HTTP_BODY_NONE;
}

static void ask(struct edge_forward *f)
{
	const struct httphead *head = http_exchange_head(f->x);
	enum http_body body = request_body(head);
	unsigned flags = 0;

	if (str_eq(head->method, STR("HEAD")))
		flags |= HTTP_CLIENT_HEAD;
	if (edge_rewrite_upgrade(head).at)
		flags |= HTTP_CLIENT_UPGRADE;
	set_state(f, FORWARD_ASKING);
	f->sent = body == HTTP_BODY_NONE;
	f->received = false;
	f->may_send = !head->expect_continue;
	f->ticks = 0;
	timer_start(&f->timer, f->may_send ? TICK : EXPECT_MAX);
	if (http_client_request(f->client, buf_str(&f->head), body, head->content_length, flags) <
	    0) {
		answer_trouble(f, 502, "out of memory");
		return;
	}
	defer_call(&f->run);
}

/* ── what the local server says ── */

static void begin_answer(struct edge_forward *f, const struct http_response *r)
{
	AUTO(http_fields_donep) struct http_fields fields = {0};
	bool has_length = r->length != HTTPHEAD_NO_LENGTH && r->body != HTTP_BODY_RAW;

	edge_rewrite_answer(r, &fields);
	if (r->status < 200 && r->status != 101) {
		http_exchange_inform(f->x, r->status, &fields);
		return;
	}
	set_state(f, FORWARD_ANSWERING);
	buf_done(&f->head);
	if (r->status == 101) {
		f->sent = false; /* raw bytes now */
		http_exchange_upgrade(f->x, &fields);
		return;
	}
	http_exchange_respond(f->x, r->status, &fields,
			      has_length ? r->length : HTTP_LENGTH_UNKNOWN);
}

static void on_response(void *arg, const struct http_response *r)
{
	struct edge_forward *f = arg;

	if (!f->x)
		return;
	if (r->status == 100)
		f->may_send = true;
	else
		begin_answer(f, r);
	defer_call(&f->run);
}

static void on_ready(void *arg, unsigned events)
{
	struct edge_forward *f = arg;

	defer_call(&f->run);
}

static void on_failed(void *arg, int r, const struct err *e)
{
	struct edge_forward *f = arg;
	char text[sizeof(e->text) + 160];

	snprintf(text, sizeof(text), "%s: %s", f->service->to_text, e->text);
	free(f->why);
	f->why = strdup(text);
	f->lost = true;
	defer_call(&f->run);
}

static const struct http_client_handler client_handler = {on_response, on_ready, on_failed};

/* ── moving bytes ── */

/* The visitor's body (or raw bytes) to the local server. False: this direction waits. */
static bool move_up(struct edge_forward *f)
{
	uint8_t *bytes = loop_scratch(f->service->loop, LOOP_SCRATCH_COPY);
	ssize_t n;

	if (f->sent || !f->may_send || !http_client_can_write(f->client))
		return false;
	n = http_exchange_read(f->x, bytes, HTTP_WRITE_MAX);
	if (n > 0)
		http_client_write(f->client, bytes, (size_t)n);
	if (n == 0) {
		f->sent = true;
		http_client_finish(f->client);
	}
	return n > 0;
}

/* The answer to the visitor. */
static bool move_down(struct edge_forward *f)
{
	uint8_t *bytes = loop_scratch(f->service->loop, LOOP_SCRATCH_COPY);
	ssize_t n;

	if (f->state != FORWARD_ANSWERING || f->received || !http_exchange_can_write(f->x))
		return false;
	n = http_client_read(f->client, bytes, HTTP_WRITE_MAX);
	if (n > 0)
		http_exchange_write(f->x, bytes, (size_t)n);
	if (n == 0) {
		f->received = true;
		http_exchange_finish(f->x);
	}
	return n > 0;
}

/* The connection to the local server is no more. */
static void see_to_loss(struct edge_forward *f)
{
	AUTO(freep) char *why = TAKE(f->why);
	bool again = f->x && f->state == FORWARD_ASKING && f->reused && f->repeatable &&
		     !http_client_answered(f->client);

	if (!f->x || f->received) {
		drop_client(f);
	} else if (again) {
		f->repeatable = false; /* once */
		connect_to(f);
	} else {
		answer_trouble(f, 502, why ? why : "out of memory");
	}
}

static void forward_run(void *arg)
{
	struct edge_forward *f = arg;
	bool up = true, down = true;

	if (f->lost)
		see_to_loss(f);
	if (!f->x || !f->client || f->state < FORWARD_ASKING)
		return;
	for (int i = 0; i < PIECES_PER_TURN && (up || down); i++) {
		down = down && move_down(f);
		up = up && move_up(f);
	}
	if (up || down)
		defer_call(&f->run);
}

/* ── deadlines ── */

static void on_tick(struct edge_forward *f)
{
	const struct http_exchange *x = f->x;
	uint64_t moved = x->bytes_in + x->bytes_out;
	/* One side has ended its half, and the other one is not known to be there any more. */
	bool half = x->in->eof ? !f->received : x->upgraded && f->received;

	f->ticks = moved == f->seen ? f->ticks + 1 : 0;
	f->seen = moved;
	if (f->state == FORWARD_ASKING && f->ticks >= ANSWER_TICKS_MAX)
		answer_trouble(f, 504, "the local service did not answer in time");
	else if (half && f->ticks >= (x->upgraded ? RAW_TICKS_MAX : HALF_TICKS_MAX))
		http_exchange_abort(f->x);
	timer_start(&f->timer, TICK);
}

/*
 * A browser that closes a page sends a FIN, the same as a visitor who ends his half on purpose and
 * waits. The latter says that he will not ask again (HTTP/1.0, Connection: close) or has a body to
 * end; who kept the connection for more and ended it has left, unless there is something to give
 * him: a local server that serves one at a time must not be held by a page that was reloaded.
 */
static bool may_have_left(const struct edge_forward *f)
{
	const struct httphead *head;

	if (!f->x || f->x->upgraded || f->received)
		return false;
	head = http_exchange_head(f->x);
	return f->x->in->eof && head->keep_alive && head->minor == 1 && !httphead_has_body(head);
}

static void watch_for_leaving(struct edge_forward *f)
{
	if (!may_have_left(f) || timer_running(&f->left))
		return;
	f->left_ticks = 0;
	timer_start(&f->left, LEFT_TICK);
}

static void on_left(void *arg)
{
	struct edge_forward *f = arg;
	/* What is still under way to him has a deadline of its own. */
	bool silent = f->x->out->sent == f->left_seen && !f->x->out->blocked;

	f->left_ticks = silent ? f->left_ticks + 1 : 0;
	f->left_seen = f->x->out->sent;
	if (!may_have_left(f))
		return;
	if (f->left_ticks >= LEFT_TICKS_MAX)
		http_exchange_abort(f->x);
	else
		timer_start(&f->left, LEFT_TICK);
}

static void on_timer(void *arg)
{
	struct edge_forward *f = arg;

	if (!f->x) {
		drop_client(f);
	} else if (!f->may_send) {
		f->may_send = true;
		timer_start(&f->timer, TICK);
		defer_call(&f->run);
	} else {
		on_tick(f);
	}
}

/* ── requests ── */

static bool is_repeatable(const struct httphead *head)
{
	static const struct str methods[] = {{"GET", 3},     {"HEAD", 4},   {"PUT", 3},
					     {"OPTIONS", 7}, {"DELETE", 6}, {"TRACE", 5}};

	if (httphead_has_body(head) || edge_rewrite_upgrade(head).at)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(methods); i++)
		if (str_eq(head->method, methods[i]))
			return true;
	return false;
}

static int make_head(struct edge_forward *f, const struct httphead *head)
{
	struct edge_rewrite how = {
		.host = f->service->host == EDGE_HOST_PRESERVE ? NULL : f->service->host_name,
		.fallback = f->service->host_name,
		.visitor = f->visitor->addr,
		.proto = strcmp(f->visitor->proto, "https") == 0 ? "https" : "http",
	};

	buf_done(&f->head);
	buf_init(&f->head, 2 * HTTPHEAD_MAX);
	return edge_rewrite_request(head, &how, &f->head);
}

void edge_forward_start(struct edge_forward *f, struct http_exchange *x)
{
	const struct httphead *head = http_exchange_head(x);
	usec_t idle = loop_now(f->service->loop) - f->idle_since;

	f->x = x;
	f->seen = 0;
	f->left_seen = x->out->sent;
	f->received = false;
	f->repeatable = is_repeatable(head);
	if (make_head(f, head) < 0) {
		answer_trouble(f, 502, "request head too large, or out of memory");
		return;
	}
	/* What cannot be repeated does not go where the other side may just be closing. */
	if (f->client && http_client_reusable(f->client) && (f->repeatable || idle < FRESH_MAX)) {
		f->reused = true;
		ask(f);
	} else {
		connect_to(f);
	}
	watch_for_leaving(f);
}

void edge_forward_ready(struct edge_forward *f)
{
	watch_for_leaving(f);
	defer_call(&f->run);
}

void edge_forward_end(struct edge_forward *f)
{
	f->x = NULL;
	timer_stop(&f->left);
	sock_connect_cancel(TAKE(f->connect));
	buf_done(&f->head);
	free(TAKE(f->note));
	set_state(f, FORWARD_IDLE);
	if (f->client && !http_client_reusable(f->client))
		drop_client(f);
	f->idle_since = loop_now(f->service->loop);
	if (f->client)
		timer_start(&f->timer, IDLE_MAX);
	else
		timer_stop(&f->timer);
}

const char *edge_forward_note(const struct edge_forward *f)
{
	return f->note;
}

struct edge_forward *edge_forward_new(struct edge_service *service,
				      const struct edge_visitor *visitor)
{
	struct edge_forward *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->service = service;
	f->visitor = visitor;
	defer_init(&f->run, service->loop, forward_run, f);
	timer_init(&f->timer, service->loop, on_timer, f);
	timer_init(&f->left, service->loop, on_left, f);
	return f;
}

void edge_forward_free(struct edge_forward *f)
{
	if (!f)
		return;
	timer_stop(&f->timer);
	timer_stop(&f->left);
	defer_cancel(&f->run);
	sock_connect_cancel(f->connect);
	drop_client(f);
	buf_done(&f->head);
	free(f->note);
	free(f);
}
