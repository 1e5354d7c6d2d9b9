/*
 *        request             head             body read, request sent
 *  IDLE ─────────▶ AWAITING ──────▶ ANSWER ───────────────────────────▶ IDLE
 *   │                 │ 101          │  │ the server closes behind it
 *   │ closed          ├───▶ RAW      │  └──────▶ SPENT
 *   ▼                 ▼       │      ▼
 * FAILED ◀────────────┴───────┴──────┘  bad head, bad body, closed too early, broken
 */
#include "http/client.h"

#include <assert.h>

#include "base/log.h"

#define HEAD_STEP ((size_t)16 * 1024)

#define CLIENT_STATES(X) X(IDLE) X(AWAITING) X(ANSWER) X(RAW) X(SPENT) X(FAILED)

enum client_state {
#define X(name) CLIENT_##name,
	CLIENT_STATES(X)
#undef X
};

static const char *const state_names[] = {
#define X(name) #name,
	CLIENT_STATES(X)
#undef X
};

struct http_client {
	struct loop *loop;     /* borrowed */
	struct stream *stream; /* owned */
	const struct http_client_handler *handler;
	void *arg;
	enum client_state state;
	unsigned flags;	  /* of the request */
	unsigned informs; /* informational heads so far */
	bool running;	  /* inside a handler: must not be freed */
	bool sent;	  /* the request is complete, or in RAW our half */
	bool answered;	  /* a byte of the answer has come */
	bool keep_alive;
	bool shut;
	bool want_write;		     /* on_ready is due when the writer is free again */
	struct http_response_parser *parser; /* owned; in AWAITING */
	struct http_reader in;
	struct http_writer out;
	struct defer defer;
	struct err *failure; /* owned: for on_failed; NULL without memory */
	bool told;
};

static void set_state(struct http_client *c, enum client_state to, const char *why)
{
	log_debug("http client %p: %s -> %s: %s", (void *)c, state_names[c->state], state_names[to],
		  why);
	c->state = to;
	if (to != CLIENT_AWAITING) {
		http_response_parser_free(c->parser);
		c->parser = NULL;
	}
}

/* on_failed follows, from the loop. */
static void fail(struct http_client *c, const struct err *e)
{
	if (c->state == CLIENT_FAILED)
		return;
	c->failure = malloc(sizeof(*e));
	if (c->failure)
		*c->failure = *e;
	set_state(c, CLIENT_FAILED, e->text);
	defer_call(&c->defer);
}

static void fail_with(struct http_client *c, int code, const char *text)
{
	struct err e;

	err_set(&e, code, "%s", text);
	fail(c, &e);
}

/* ── the head of the answer ── */

static void on_head(struct http_client *c, const struct http_response *r)
{
	bool upgrade = r->status == 101;
	struct http_response_parser *parser;

	if (upgrade && !(c->flags & HTTP_CLIENT_UPGRADE)) {
		fail_with(c, ERR_INVALID, "switches protocols without being asked");
		return;
	}
	if (r->status < 200 && !upgrade) {
		if (++c->informs > HTTP_CLIENT_INFORMS_MAX) {
			fail_with(c, ERR_LIMIT, "too many informational answers");
			return;
		}
		c->handler->on_response(c->arg, r);
		http_response_parser_restart(c->parser);
		return;
	}
	c->keep_alive = r->keep_alive && !upgrade;
	http_reader_start(&c->in, upgrade ? HTTP_BODY_RAW : r->body, r->length);
	if (upgrade) {
		http_writer_start(&c->out, HTTP_BODY_RAW, 0);
		c->sent = false;
	}
	parser = TAKE(c->parser); /* its memory is the head's */
	set_state(c, upgrade ? CLIENT_RAW : CLIENT_ANSWER, "head");
	c->handler->on_response(c->arg, r);
	http_response_parser_free(parser);
}

/* Feed the parser what was read ahead. */
static void parse_ahead(struct http_client *c)
{
	while (c->state == CLIENT_AWAITING && buf_len(&c->in.ahead) > 0) {
		struct http_response response;
		struct err e = {0};
		size_t used;
		int r;

		c->answered = true;
		r = http_response_parse(c->parser, (const char *)buf_head(&c->in.ahead),
					buf_len(&c->in.ahead), &used, &response, &e);
		http_reader_consume(&c->in, used);
		if (r == 0)
			on_head(c, &response);
		else if (r != -ERR_INCOMPLETE)
			fail(c, &e);
	}
}

static void read_head(struct http_client *c)
{
	while (c->state == CLIENT_AWAITING) {
		struct err e = {0};
		ssize_t n = http_reader_fill(&c->in, HEAD_STEP, &e);

		if (n == -ERR_AGAIN)
			return;
		if (n == 0)
			err_set(&e, ERR_RESET, "closed the connection without an answer");
		if (n <= 0)
			fail(c, &e);
		else
			parse_ahead(c);
	}
}

/* Nothing may come while nothing is asked. */
static void read_idle(struct http_client *c)
{
	ssize_t n = http_reader_fill(&c->in, 1, NULL);

	if (buf_len(&c->in.ahead) > 0)
		fail_with(c, ERR_INVALID, "speaks without being asked");
	else if (n != -ERR_AGAIN)
		fail_with(c, ERR_RESET, "closed the idle connection");
}

/* ── the turn ── */

/* The handler learns that there is room, not only when the stream says so: what blocked may have
 * left in any flush. */
static void send_kept(struct http_client *c)
{
	bool free_again = http_writer_flush(&c->out) == 0 || c->out.broken;

	if (c->want_write && free_again && c->state != CLIENT_FAILED) {
		c->want_write = false;
		c->handler->on_ready(c->arg, STREAM_WRITABLE);
	}
}

static void client_on_ready(void *arg, unsigned events)
{
	struct http_client *c = arg;

	c->running = true;
	if (events & STREAM_READABLE)
		http_reader_wake(&c->in);
	if ((events & STREAM_READABLE) && c->state == CLIENT_AWAITING)
		read_head(c);
	else if ((events & STREAM_READABLE) && c->state == CLIENT_IDLE)
		read_idle(c);
	else if (events & STREAM_READABLE)
		c->handler->on_ready(c->arg, STREAM_READABLE);
	send_kept(c);
	defer_call(&c->defer);
	c->running = false;
}

static void end_half(struct http_client *c)
{
	if (c->state != CLIENT_RAW || !c->sent || c->shut || http_writer_flush(&c->out) < 0)
		return;
	c->shut = true;
	if (stream_shutdown(c->stream, NULL) < 0)
		c->out.broken = true;
}

static void tell_failure(struct http_client *c)
{
	static const struct err unknown = {ERR_NOMEM, "out of memory"};
	const struct err *e = c->failure ? c->failure : &unknown;

	if (c->told)
		return;
	c->told = true;
	c->handler->on_failed(c->arg, -e->code, e);
}

static void client_on_defer(void *arg)
{
	struct http_client *c = arg;

	c->running = true;
	if (c->state == CLIENT_FAILED) {
		tell_failure(c);
	} else {
		send_kept(c);
		end_half(c);
	}
	if (c->out.broken)
		http_reader_wake(&c->in); /* the reason shows when reading */
	if (c->state == CLIENT_AWAITING)
		read_head(c); /* nobody may have looked since the last answer */
	else if (c->state == CLIENT_IDLE)
		read_idle(c);
	c->running = false;
}

/* ── life ── */

int http_client_new(struct loop *loop, struct stream *stream,
		    const struct http_client_handler *handler, void *arg,
		    struct http_client **ret_client, struct err *e)
{
	struct http_client *c = calloc(1, sizeof(*c));

	if (!c) {
		stream_close(stream);
		return err_set(e, ERR_NOMEM, "connection");
	}
	c->loop = loop;
	c->stream = stream;
	c->handler = handler;
	c->arg = arg;
	c->keep_alive = true;
	http_reader_init(&c->in, stream);
	http_writer_init(&c->out, stream);
	defer_init(&c->defer, loop, client_on_defer, c);
	stream_set_handler(stream, client_on_ready, c);
	*ret_client = c;
	return 0;
}

void http_client_free(struct http_client *c)
{
	if (!c)
		return;
	assert(!c->running);
	defer_cancel(&c->defer);
	http_response_parser_free(c->parser);
	http_reader_done(&c->in);
	http_writer_done(&c->out);
	stream_close(c->stream);
	free(c->failure);
	free(c);
}

/* ── requests ── */

int http_client_request(struct http_client *c, struct str head, enum http_body body,
			uint64_t length, unsigned flags)
{
	assert(c->state == CLIENT_IDLE);
	c->parser = http_response_parser_new(flags & HTTP_CLIENT_HEAD);
	if (!c->parser)
		return -ERR_NOMEM;
	c->flags = flags;
	c->informs = 0;
	c->answered = false;
	c->sent = body == HTTP_BODY_NONE;
	set_state(c, CLIENT_AWAITING, "request");
	http_writer_text(&c->out, head);
	http_writer_start(&c->out, body, length);
	defer_call(&c->defer);
	return 0;
}

bool http_client_can_write(struct http_client *c)
{
	c->want_write = !c->out.broken && !http_writer_ready(&c->out);
	return !c->want_write;
}

void http_client_write(struct http_client *c, const void *bytes, size_t n)
{
	if (c->sent || c->state == CLIENT_FAILED)
		return;
	http_writer_body(&c->out, bytes, n);
	defer_call(&c->defer);
}

static void maybe_idle(struct http_client *c)
{
	if (c->state != CLIENT_ANSWER || !c->in.ended || !c->sent)
		return;
	if (c->keep_alive && !c->out.broken && !c->in.eof)
		set_state(c, CLIENT_IDLE, "answered");
	else
		set_state(c, CLIENT_SPENT, "last answer");
	defer_call(&c->defer);
}

void http_client_finish(struct http_client *c)
{
	if (c->sent)
		return;
	c->sent = true;
	if (!http_writer_end(&c->out))
		c->out.broken = true;
	defer_call(&c->defer);
	maybe_idle(c);
}

ssize_t http_client_read(struct http_client *c, void *bytes, size_t len)
{
	struct err e = {0};
	ssize_t n;

	if (c->state == CLIENT_AWAITING)
		return -ERR_AGAIN;
	if (c->state == CLIENT_FAILED)
		return -ERR_RESET;
	n = http_reader_read(&c->in, bytes, len, &e);
	if (n == 0)
		maybe_idle(c);
	if (n >= 0 || n == -ERR_AGAIN)
		return n;
	fail(c, &e);
	return -ERR_RESET;
}

bool http_client_reusable(const struct http_client *c)
{
	return c->state == CLIENT_IDLE && buf_len(&c->in.ahead) == 0;
}

bool http_client_answered(const struct http_client *c)
{
	return c->answered;
}
