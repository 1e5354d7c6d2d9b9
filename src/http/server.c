/*
 *         first byte            head whole           answer sent, body read
 *  IDLE ───────────▶ HEAD ─────────────▶ EXCHANGE ─────────────────────────▶ IDLE
 *   │ 75 s            │ 10 s: 408          │  │ answer sent, body not read
 *   │ end             │ bad: 4xx           │  ├──────────▶ DRAIN ── read ──▶ IDLE
 *   │                 ▼                    │  │              │ over 64 KiB, 2 s
 *   │               LINGER ◀───────────────┼──┴ last answer ◀┘
 *   ▼                 │ end, 2 s           ▼ broken, cut, both raw halves ended
 * CLOSED ◀────────────┴────────────────────┘
 *
 * In LINGER our half is shut and what still comes is dropped, so that no reset overtakes the
 * answer.
 */
#include "http/server.h"

#include <assert.h>
#include <stdio.h>

#include "base/log.h"
#include "http/status.h"

#define HEAD_STEP	   ((size_t)4096)
#define PIPELINED_MAX	   ((size_t)16 * 1024) /* read ahead while a request is being answered */
#define EXCHANGES_PER_TURN 16
#define LINGER_BYTES_MAX   ((uint64_t)1 << 20)

#define SERVER_STATES(X) X(IDLE) X(HEAD) X(EXCHANGE) X(DRAIN) X(LINGER) X(CLOSED)

enum server_state {
#define X(name) SERVER_##name,
	SERVER_STATES(X)
#undef X
};

static const char *const state_names[] = {
#define X(name) #name,
	SERVER_STATES(X)
#undef X
};

struct http_server {
	struct loop *loop;     /* borrowed */
	struct stream *stream; /* owned; NULL: closed */
	const struct http_handler *handler;
	void *arg;
	enum server_state state;
	bool retired;
	bool served;			/* at least one request */
	bool running;			/* inside a handler or about to be: must not be freed */
	bool shut;			/* our half is closed */
	uint64_t dropped;		/* bytes read and dropped in DRAIN and LINGER */
	uint64_t seen;			/* progress at the last look */
	usec_t head_started;		/* HEAD */
	struct http_exchange *exchange; /* owned; in EXCHANGE */
	struct http_reader in;
	struct http_writer out;
	struct timer timer; /* the deadline of the state */
	struct defer defer;
};

/* ── states ── */

static void set_state(struct http_server *s, enum server_state to, const char *why)
{
	log_debug("http server %p: %s -> %s: %s", (void *)s, state_names[s->state], state_names[to],
		  why);
	s->state = to;
	switch (to) {
	case SERVER_IDLE:
		timer_start(&s->timer, HTTP_SERVER_IDLE_TIMEOUT);
		break;
	case SERVER_HEAD:
		s->head_started = loop_now(s->loop);
		timer_start(&s->timer, HTTP_SERVER_HEAD_TIMEOUT);
		break;
	case SERVER_EXCHANGE:
	case SERVER_CLOSED:
		timer_stop(&s->timer);
		break;
	case SERVER_DRAIN:
	case SERVER_LINGER:
		s->dropped = 0;
		timer_start(&s->timer, HTTP_SERVER_LINGER_TIMEOUT);
		break;
	}
}

static void close_stream(struct http_server *s, bool reset, const char *why)
{
	set_state(s, SERVER_CLOSED, why);
	if (reset)
		stream_reset(s->stream);
	else
		stream_close(s->stream);
	s->stream = NULL;
	defer_call(&s->defer); /* on_closed */
}

/* ── the end of an exchange, and answers of our own ── */

static void end_exchange(struct http_server *s, bool complete)
{
	struct http_exchange *x = s->exchange;
	struct http_ending ending = {
		.head = &x->head,
		.status = x->status,
		.bytes_in = x->bytes_in,
		.bytes_out = x->bytes_out,
		.started_wall = x->started_wall,
		.duration = loop_now(s->loop) - x->started,
		.complete = complete,
	};

	s->exchange = NULL;
	s->handler->on_end(s->arg, &ending);
	free(x);
}

/* A short answer without detail, and no further request. */
static void send_refusal(struct http_server *s, unsigned status)
{
	char body[64], text[256];
	int len, n;

	len = snprintf(body, sizeof(body), "%u %s\n", status, http_status_reason(status));
	n = snprintf(text, sizeof(text),
		     "HTTP/1.1 %u %s\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n"
		     "Connection: close\r\n\r\n%s",
		     status, http_status_reason(status), len, body);
	http_writer_text(&s->out, str_n(text, (size_t)n));
	set_state(s, SERVER_LINGER, "request refused");
}

static void refuse_head(struct http_server *s, unsigned status)
{
	usec_t duration = loop_now(s->loop) - s->head_started;
	struct http_ending ending = {
		.status = status,
		.started_wall = ustime_wall() - duration,
		.duration = duration,
		.complete = true,
	};

	send_refusal(s, status);
	s->handler->on_end(s->arg, &ending);
}

static void refuse_exchange(struct http_server *s, unsigned status)
{
	s->exchange->status = status;
	end_exchange(s, true);
	send_refusal(s, status);
}

/* ── heads ── */

/* Another major version in an otherwise plausible request line deserves its own answer. */
static unsigned refusal_of(int r, struct str received)
{
	struct str line = str_split(&received, '\r'), version;

	if (r == -ERR_LIMIT)
		return 431;
	if (line.len > 9) {
		version = str_n(line.at + line.len - 9, 9);
		if (str_starts(version, STR(" HTTP/")) && version.at[7] == '.' &&
		    version.at[6] >= '2' && version.at[6] <= '9')
			return 505;
	}
	return 400;
}

static void on_changed(void *arg)
{
	struct http_server *s = arg;

	defer_call(&s->defer);
}

static void begin_exchange(struct http_server *s, const struct httphead *head)
{
	struct http_exchange *x = http_exchange_new(head, (const char *)buf_head(&s->in.ahead));
	enum http_body body = head->chunked		? HTTP_BODY_CHUNKED
			      : httphead_has_body(head) ? HTTP_BODY_LENGTH
							: HTTP_BODY_NONE;

	http_reader_consume(&s->in, head->len);
	if (!x) {
		send_refusal(s, 503);
		return;
	}
	http_reader_start(&s->in, body, head->content_length);
	x->in = &s->in;
	x->out = &s->out;
	x->changed = on_changed;
	x->server = s;
	x->started = loop_now(s->loop);
	x->started_wall = ustime_wall();
	if (s->retired)
		x->keep_alive = false;
	s->exchange = x;
	s->served = true;
	set_state(s, SERVER_EXCHANGE, "request");
	s->handler->on_request(s->arg, x);
}

/* Whether the bytes read ahead led to another state. */
static bool try_head(struct http_server *s)
{
	struct httphead head;
	int r;

	if (buf_len(&s->in.ahead) == 0)
		return false;
	if (s->state == SERVER_IDLE)
		set_state(s, SERVER_HEAD, "first byte");
	r = httphead_parse((const char *)buf_head(&s->in.ahead), buf_len(&s->in.ahead), &head,
			   NULL);
	if (r == -ERR_INCOMPLETE)
		return false;
	if (r == 0)
		begin_exchange(s, &head);
	else
		refuse_head(s, refusal_of(r, buf_str(&s->in.ahead)));
	return true;
}

/* IDLE and HEAD. Each run_* returns whether there may be more to do at once. */
static bool run_head(struct http_server *s)
{
	for (;;) {
		ssize_t n;

		if (try_head(s))
			return true;
		n = http_reader_fill(&s->in, MIN(HEAD_STEP, HTTPHEAD_MAX - buf_len(&s->in.ahead)),
				     NULL);
		if (n == -ERR_AGAIN && s->retired && s->served && s->state == SERVER_IDLE)
			close_stream(s, false, "retired");
		else if (n <= 0 && n != -ERR_AGAIN)
			close_stream(s, n < 0, "the visitor is gone");
		if (n <= 0)
			return false;
	}
}

/* ── exchanges ── */

/* While the handler works nobody reads: look ahead, or nobody would learn that the visitor left. */
static void look_ahead(struct http_server *s)
{
	ssize_t n;

	if (!s->in.ended || s->exchange->upgraded || s->in.eof ||
	    buf_len(&s->in.ahead) >= PIPELINED_MAX)
		return;
	n = http_reader_fill(&s->in, HEAD_STEP, NULL);
	if (n < 0 && n != -ERR_AGAIN)
		s->exchange->aborted = true;
}

/* The answer is out. */
static bool finish_exchange(struct http_server *s)
{
	struct http_exchange *x = s->exchange;
	bool upgraded = x->upgraded, keep_alive = x->keep_alive && !s->retired;

	if (upgraded && !s->shut) {
		s->shut = true;
		if (stream_shutdown(s->stream, NULL) < 0)
			s->out.broken = true;
	}
	if (upgraded && !s->in.ended)
		return s->out.broken;
	end_exchange(s, true);
	if (upgraded)
		close_stream(s, false, "both halves ended");
	else if (!keep_alive)
		set_state(s, SERVER_LINGER, "last answer sent");
	else if (!s->in.ended)
		set_state(s, SERVER_DRAIN, "answered before the body came");
	else
		set_state(s, SERVER_IDLE, "answered");
	return true;
}

static bool run_exchange(struct http_server *s)
{
	struct http_exchange *x = s->exchange;
	int r = http_writer_flush(&s->out);

	if (x->aborted || s->out.broken || (x->refuse && x->status)) {
		end_exchange(s, false);
		close_stream(s, true, "cut");
		return false;
	}
	if (x->refuse) {
		refuse_exchange(s, x->refuse);
		return true;
	}
	/* Not only when the stream says so: what blocked may have left in this flush. */
	if (x->want_write && !s->out.blocked) {
		x->want_write = false;
		s->handler->on_ready(s->arg, STREAM_WRITABLE);
		return true;
	}
	return x->finished && r == 0 && finish_exchange(s);
}

/* ── dropping what nobody wants ── */

/* Read and drop: 0 when the body (or the stream) has ended, -ERR_AGAIN, other errors. */
static ssize_t drop(struct http_server *s, uint64_t max)
{
	uint8_t *scratch = loop_scratch(s->loop, LOOP_SCRATCH_COPY);
	ssize_t n;

	while ((n = http_reader_read(&s->in, scratch, HTTP_AHEAD_MAX, NULL)) > 0) {
		s->dropped += (uint64_t)n;
		if (s->dropped > max)
			return -ERR_LIMIT;
	}
	return n;
}

static bool run_drain(struct http_server *s)
{
	ssize_t n = drop(s, HTTP_SERVER_DRAIN_MAX);

	if (n == -ERR_AGAIN)
		return false;
	if (n == 0)
		set_state(s, SERVER_IDLE, "rest of the body dropped");
	else
		set_state(s, SERVER_LINGER, "rest of the body too long or bad");
	return true;
}

static bool run_linger(struct http_server *s)
{
	int r = http_writer_flush(&s->out);
	ssize_t n;

	if (r == -ERR_AGAIN)
		return false;
	if (r == 0 && !s->shut) {
		s->shut = true;
		r = stream_shutdown(s->stream, NULL);
		http_reader_start(&s->in, HTTP_BODY_RAW, 0);
	}
	n = r < 0 ? r : drop(s, LINGER_BYTES_MAX);
	if (n != -ERR_AGAIN)
		close_stream(s, false, "done");
	return false;
}

/* ── the turn ── */

/* A deadline for the bodies: only while something is expected of the visitor, anew with every byte
 * that moves. Raw connections may be silent for ever, but must take what they get. */
static void watch_stall(struct http_server *s)
{
	struct http_exchange *x = s->exchange;
	bool waiting = s->out.blocked || (x->want_read && !x->upgraded);
	uint64_t moved = x->bytes_in + s->out.sent;

	if (!waiting)
		timer_stop(&s->timer);
	else if (!timer_running(&s->timer) || moved != s->seen)
		timer_start(&s->timer, HTTP_SERVER_STALL_TIMEOUT);
	s->seen = moved;
}

static bool run_state(struct http_server *s)
{
	switch (s->state) {
	case SERVER_IDLE:
	case SERVER_HEAD:
		return run_head(s);
	case SERVER_EXCHANGE:
		return run_exchange(s);
	case SERVER_DRAIN:
		return run_drain(s);
	case SERVER_LINGER:
		return run_linger(s);
	case SERVER_CLOSED:
		break;
	}
	return false;
}

static void server_run(struct http_server *s)
{
	int budget = EXCHANGES_PER_TURN * 3; /* states of one request */

	s->running = true;
	while (budget > 0 && run_state(s))
		budget--;
	if (budget == 0)
		defer_call(&s->defer);
	if (s->state == SERVER_EXCHANGE)
		watch_stall(s);
	s->running = false;
}

static void server_on_defer(void *arg)
{
	struct http_server *s = arg;

	if (s->state == SERVER_CLOSED)
		s->handler->on_closed(s->arg);
	else
		server_run(s);
}

static void on_readable(struct http_server *s)
{
	bool eof = s->in.eof;

	look_ahead(s);
	if (!s->exchange->want_read && (s->in.eof == eof || s->exchange->finished))
		return;
	s->exchange->want_read = false;
	s->handler->on_ready(s->arg, STREAM_READABLE);
}

static void server_on_ready(void *arg, unsigned events)
{
	struct http_server *s = arg;

	s->running = true;
	if (events & STREAM_READABLE)
		http_reader_wake(&s->in);
	if ((events & STREAM_READABLE) && s->state == SERVER_EXCHANGE)
		on_readable(s);
	server_run(s); /* flushes */
}

static void server_on_timeout(void *arg)
{
	struct http_server *s = arg;

	s->running = true;
	switch (s->state) {
	case SERVER_IDLE:
		close_stream(s, false, "idle too long");
		break;
	case SERVER_HEAD:
		refuse_head(s, 408);
		break;
	case SERVER_EXCHANGE:
		s->exchange->refuse = 408; /* cuts when an answer was begun */
		break;
	case SERVER_DRAIN:
		set_state(s, SERVER_LINGER, "body too slow");
		break;
	case SERVER_LINGER:
		close_stream(s, false, "lingered long enough");
		break;
	case SERVER_CLOSED:
		break;
	}
	server_run(s);
}

/* ── life ── */

int http_server_new(struct loop *loop, struct stream *stream, const struct http_handler *handler,
		    void *arg, struct http_server **ret_server, struct err *e)
{
	struct http_server *s = calloc(1, sizeof(*s));

	if (!s) {
		stream_close(stream);
		return err_set(e, ERR_NOMEM, "connection");
	}
	s->loop = loop;
	s->stream = stream;
	s->handler = handler;
	s->arg = arg;
	http_reader_init(&s->in, stream);
	http_writer_init(&s->out, stream);
	timer_init(&s->timer, loop, server_on_timeout, s);
	defer_init(&s->defer, loop, server_on_defer, s);
	stream_set_handler(stream, server_on_ready, s);
	set_state(s, SERVER_IDLE, "connected");
	defer_call(&s->defer); /* nothing says yet whether bytes are there */
	*ret_server = s;
	return 0;
}

void http_server_free(struct http_server *s)
{
	if (!s)
		return;
	assert(!s->running);
	timer_stop(&s->timer);
	defer_cancel(&s->defer);
	stream_reset(s->stream);
	http_reader_done(&s->in);
	http_writer_done(&s->out);
	free(s->exchange);
	free(s);
}

void http_server_retire(struct http_server *s)
{
	s->retired = true;
	defer_call(&s->defer);
}
