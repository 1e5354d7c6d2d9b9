#include "net/ndjson.h"

#include <assert.h>
#include <stdio.h>

#include "base/log.h"

#define NDJSON_READ	 4096		   /* bytes taken from the stream at a time */
#define NDJSON_READS_MAX 16		   /* in a row, before others get their turn */
#define NDJSON_OUT_MAX	 ((size_t)1 << 20) /* output that waits */
#define NDJSON_LINGER	 (5 * USEC_PER_S)  /* from FLUSHING to CLOSED at most */

/* ── bytes -> objects ── */

void ndjson_init(struct ndjson *n, size_t line_max)
{
	*n = (struct ndjson){.max = line_max};
	buf_init(&n->line, line_max);
}

void ndjson_done(struct ndjson *n)
{
	buf_done(&n->line);
}

/* How deep objects and arrays are nested: jansson alone would go to 2048, on the stack. */
static int line_depth(struct str line)
{
	int depth = 0, most = 0;
	bool quoted = false;

	for (size_t i = 0; i < line.len; i++) {
		char c = line.at[i];

		if (quoted && c == '\\')
			i++;
		else if (c == '"')
			quoted = !quoted;
		else if (!quoted && (c == '{' || c == '['))
			depth++;
		else if (!quoted && (c == '}' || c == ']'))
			depth--;
		most = MAX(most, depth);
	}
	return most;
}

static bool line_is_empty(struct str line)
{
	for (size_t i = 0; i < line.len; i++)
		if (line.at[i] != ' ' && line.at[i] != '\t' && line.at[i] != '\r')
			return false;
	return true;
}

/* -ERR_INVALID; *ret stays NULL for an empty line. */
static int line_parse(struct str line, json_t **ret, struct err *e)
{
	char text[LOG_TEXT_MAX];
	json_error_t error;
	json_t *object;

	if (line_is_empty(line))
		return 0;
	if (line_depth(line) > NDJSON_DEPTH_MAX)
		return err_set(e, ERR_INVALID, "JSON nested deeper than %d", NDJSON_DEPTH_MAX);
	object = json_loadb(line.at, line.len, JSON_REJECT_DUPLICATES, &error);
	if (!object && json_error_code(&error) == json_error_out_of_memory)
		return err_set(e, ERR_NOMEM, "JSON");
	if (!object)
		return err_set(e, ERR_INVALID, "not JSON: %s", log_text(text, str_of(error.text)));
	if (!json_is_object(object)) {
		json_decref(object);
		return err_set(e, ERR_INVALID, "not a JSON object");
	}
	*ret = object;
	return 0;
}

int ndjson_feed(struct ndjson *n, const void *bytes, size_t len,
		int (*on_object)(void *arg, json_t *object, struct err *e), void *arg,
		struct err *e)
{
	struct str rest = str_n(bytes, len);

	while (rest.len) {
		ptrdiff_t end = str_find(rest, '\n');
		struct str line = str_n(rest.at, end < 0 ? rest.len : (size_t)end);
		json_t *object = NULL;
		int r = 0;

		if (line.len > n->max - buf_len(&n->line))
			return err_set(e, ERR_LIMIT, "a line over %zu bytes", n->max);
		if (end < 0 || buf_len(&n->line)) {
			r = buf_append_str(&n->line, line);
			if (r < 0)
				return err_set(e, -r, "JSON line");
		}
		if (end < 0)
			return 0;
		rest = str_n(rest.at + end + 1, rest.len - (size_t)end - 1);
		r = line_parse(buf_len(&n->line) ? buf_str(&n->line) : line, &object, e);
		buf_done(&n->line);
		if (r < 0)
			return r;
		if (object) {
			r = on_object(arg, object, e);
			json_decref(object);
			if (r < 0)
				return r; /* without a look at n: it may be gone */
		}
	}
	return 0;
}

/* ── objects -> bytes ── */

int ndjson_append(struct buf *b, const json_t *object)
{
	AUTO(freep) char *text = json_dumps(object, JSON_COMPACT);
	size_t len;

	if (!text)
		return -ERR_NOMEM;
	len = strlen(text);
	if (len > NDJSON_LINE_MAX)
		return -ERR_LIMIT;
	text[len] = '\n';
	return buf_append(b, text, len + 1);
}

json_t *ndjson_text(const char *text)
{
	json_t *string = json_string(text);
	char printable[LOG_TEXT_MAX];

	return string ? string : json_string(log_text(printable, str_of(text)));
}

/* ── over a stream ── */

/*
 *   OPEN ─────────────────────▶ FLUSHING ──────────▶ LINGERING ────────────────▶ CLOSED
 *     │ close_when_sent, or         │ all is written     │ the other side's end     ▲
 *     │ the other side's end        │ and our end told   │                          │
 *     └─────────────────────────────┴────────────────────┴──────────────────────────┘
 *       broken; OPEN: refused by on_object, too much waits; others: NDJSON_LINGER is over
 *
 * Closing at once could take back what was sent: the kernel resets a connection whose input was
 * not read. In CLOSED the stream goes and on_closed is called at the end of the turn.
 */
#define NDJSON_STATES(X)   X(OPEN) X(FLUSHING) X(LINGERING) X(CLOSED)
#define NDJSON_STATE(name) NDJSON_##name,
enum ndjson_state { NDJSON_STATES(NDJSON_STATE) };

struct ndjson_conn {
	enum ndjson_state state;
	struct stream *stream; /* owned; NULL once on_closed was called */
	struct ndjson in;
	struct buf out;
	bool out_blocked;    /* on_ready will say when to go on */
	struct defer work;   /* read and write at the end of the turn */
	struct defer closed; /* call on_closed */
	struct timer linger;
	struct err why;
	const struct ndjson_conn_handler *handler; /* borrowed */
	void *arg;
	bool *freed; /* set while the handler runs: it may free the connection */
};

static void conn_set_state(struct ndjson_conn *c, enum ndjson_state state)
{
	assert(state > c->state);
	c->state = state;
	switch (state) {
	case NDJSON_OPEN:
		break;
	case NDJSON_FLUSHING:
		timer_start(&c->linger, NDJSON_LINGER);
		defer_call(&c->work);
		break;
	case NDJSON_LINGERING: /* the time goes on */
		break;
	case NDJSON_CLOSED:
		timer_stop(&c->linger);
		defer_cancel(&c->work);
		defer_call(&c->closed);
		break;
	}
}

static void conn_fail(struct ndjson_conn *c, int r, const struct err *e)
{
	c->why = *e;
	c->why.code = -r;
	conn_set_state(c, NDJSON_CLOSED);
}

static void conn_on_end(struct ndjson_conn *c)
{
	switch (c->state) {
	case NDJSON_OPEN:
		snprintf(c->why.text, sizeof(c->why.text), "closed by the other side");
		if (buf_len(&c->in.line)) {
			snprintf(c->why.text, sizeof(c->why.text),
				 "closed by the other side in the middle of a line");
			c->why.code = ERR_RESET;
		}
		conn_set_state(c, NDJSON_FLUSHING);
		break;
	case NDJSON_FLUSHING: /* it may still read: found again in LINGERING */
		break;
	case NDJSON_LINGERING:
		conn_set_state(c, NDJSON_CLOSED);
		break;
	case NDJSON_CLOSED:
		break;
	}
}

static void conn_on_closed(void *arg)
{
	struct ndjson_conn *c = arg;

	stream_close(TAKE(c->stream));
	c->handler->on_closed(c->arg, &c->why);
}

static void conn_on_linger(void *arg)
{
	conn_fail(arg, -ERR_TIMEOUT, &(struct err){.text = "the other side does not end"});
}

static int conn_on_object(void *arg, json_t *object, struct err *e)
{
	struct ndjson_conn *c = arg;
	bool *freed = c->freed;
	int r = c->handler->on_object(c->arg, object, e);

	if (*freed)
		return -ERR_RESET;
	if (r < 0 && c->state != NDJSON_CLOSED)
		conn_fail(c, r, e);
	/* A handler that began to close wants no further objects. */
	return c->state == NDJSON_OPEN ? 0 : -ERR_RESET;
}

/* False: nothing more to read now, or c is gone. */
static bool conn_read_some(struct ndjson_conn *c)
{
	struct err e = {0};
	char bytes[NDJSON_READ];
	bool freed = false;
	ssize_t n = stream_read(c->stream, bytes, sizeof(bytes), &e);
	int r;

	if (n == -ERR_AGAIN)
		return false;
	if (n == 0)
		conn_on_end(c);
	if (n < 0)
		conn_fail(c, (int)n, &e);
	if (n <= 0)
		return false;
	if (c->state != NDJSON_OPEN)
		return n == sizeof(bytes); /* discarded */
	c->freed = &freed;
	r = ndjson_feed(&c->in, bytes, (size_t)n, conn_on_object, c, &e);
	if (freed)
		return false;
	c->freed = NULL;
	if (r < 0 && c->state == NDJSON_OPEN)
		conn_fail(c, r, &e);
	return n == sizeof(bytes) && c->state != NDJSON_CLOSED;
}

static void conn_write(struct ndjson_conn *c)
{
	struct err e = {0};

	while (buf_len(&c->out) && !c->out_blocked) {
		size_t len = buf_len(&c->out);
		ssize_t n = stream_write(c->stream, buf_head(&c->out), len, &e);

		if (n < 0 && n != -ERR_AGAIN) {
			conn_fail(c, (int)n, &e);
			return;
		}
		if (n > 0)
			buf_consume(&c->out, (size_t)n);
		c->out_blocked = n < (ssize_t)len;
	}
	buf_release_if_empty(&c->out);
	if (c->state == NDJSON_FLUSHING && buf_len(&c->out) == 0) {
		int r = stream_shutdown(c->stream, &e);

		if (r < 0) {
			conn_fail(c, r, &e);
			return;
		}
		conn_set_state(c, NDJSON_LINGERING);
	}
}

static void conn_on_work(void *arg)
{
	struct ndjson_conn *c = arg;

	conn_write(c);
	for (int i = 0; i < NDJSON_READS_MAX; i++) {
		if (c->state == NDJSON_CLOSED || !conn_read_some(c))
			return;
	}
	defer_call(&c->work);
}

static void conn_on_ready(void *arg, unsigned events)
{
	struct ndjson_conn *c = arg;

	if (c->state == NDJSON_CLOSED)
		return;
	if (events & STREAM_WRITABLE)
		c->out_blocked = false;
	defer_call(&c->work);
}

int ndjson_conn_new(struct stream *s, const struct ndjson_conn_handler *handler, void *arg,
		    struct ndjson_conn **ret_conn, struct err *e)
{
	struct ndjson_conn *c = calloc(1, sizeof(*c));

	if (!c) {
		stream_close(s);
		return err_set(e, ERR_NOMEM, "connection");
	}
	c->stream = s;
	c->handler = handler;
	c->arg = arg;
	ndjson_init(&c->in, NDJSON_LINE_MAX);
	buf_init(&c->out, NDJSON_OUT_MAX);
	defer_init(&c->work, s->loop, conn_on_work, c);
	defer_init(&c->closed, s->loop, conn_on_closed, c);
	timer_init(&c->linger, s->loop, conn_on_linger, c);
	stream_set_handler(s, conn_on_ready, c);
	defer_call(&c->work);
	*ret_conn = c;
	return 0;
}

int ndjson_conn_send(struct ndjson_conn *c, const json_t *object)
{
	size_t before = buf_len(&c->out);
	int r;

	if (c->state != NDJSON_OPEN)
		return -ERR_RESET;
	r = ndjson_append(&c->out, object);
	if (r == -ERR_LIMIT && before > NDJSON_OUT_MAX - NDJSON_LINE_MAX - 1) {
		conn_fail(c, r, &(struct err){.text = "the other side does not read"});
		return r;
	}
	if (r == 0)
		defer_call(&c->work);
	return r;
}

void ndjson_conn_close_when_sent(struct ndjson_conn *c)
{
	if (c->state != NDJSON_OPEN)
		return;
	conn_set_state(c, NDJSON_FLUSHING);
}

void ndjson_conn_free(struct ndjson_conn *c)
{
	if (!c)
		return;
	if (c->freed)
		*c->freed = true;
	timer_stop(&c->linger);
	defer_cancel(&c->work);
	defer_cancel(&c->closed);
	stream_close(c->stream);
	ndjson_done(&c->in);
	buf_done(&c->out);
	free(c);
}
