#include "http/exchange.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "http/date.h"
#include "http/status.h"

/* ── the copy of the head ── */

/* The same slice in the copy; what is not of the original (a literal) stays. */
static struct str moved(struct str s, const char *from, size_t len, const char *to)
{
	uintptr_t at = (uintptr_t)s.at, start = (uintptr_t)from;

	if (at < start || at > start + len)
		return s;
	return str_n(to + (at - start), s.len);
}

struct http_exchange *http_exchange_new(const struct httphead *head, const char *bytes)
{
	size_t fields = head->n_fields * sizeof(head->fields[0]);
	size_t fixed = offsetof(struct http_exchange, head) + offsetof(struct httphead, fields);
	struct http_exchange *x = malloc(fixed + fields + head->len);
	char *copy;

	if (!x)
		return NULL;
	memset(x, 0, offsetof(struct http_exchange, head));
	memcpy(&x->head, head, offsetof(struct httphead, fields) + fields);
	copy = memcpy((char *)x + fixed + fields, bytes, head->len);
	x->head.method = moved(head->method, bytes, head->len, copy);
	x->head.target = moved(head->target, bytes, head->len, copy);
	x->head.path = moved(head->path, bytes, head->len, copy);
	for (size_t i = 0; i < head->n_fields; i++) {
		struct httphead_field *f = &x->head.fields[i];

		f->name = moved(f->name, bytes, head->len, copy);
		f->value = moved(f->value, bytes, head->len, copy);
	}
	x->keep_alive = head->keep_alive;
	x->expects = head->expect_continue;
	return x;
}

/* ── answering ── */

static void text(struct http_exchange *x, const char *fmt, ...) PRINTF(2, 3);

static void text(struct http_exchange *x, const char *fmt, ...)
{
	char line[128];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	http_writer_text(x->out, str_n(line, (size_t)n));
}

static void begin_head(struct http_exchange *x, unsigned status, const struct http_fields *fields)
{
	text(x, "HTTP/1.1 %u %s\r\n", status, http_status_reason(status));
	if (fields && buf_len(&fields->text))
		http_writer_text(x->out, buf_str(&fields->text));
}

static void refuse(struct http_exchange *x, unsigned status)
{
	if (!x->refuse)
		x->refuse = status;
	x->changed(x->server);
}

static bool has_no_body(const struct http_exchange *x, unsigned status)
{
	return str_eq(x->head.method, STR("HEAD")) || status == 204 || status == 304;
}

/* RFC 9112 §6.3, from the sender's side: how the other one will find the end. */
static enum http_body choose_framing(struct http_exchange *x, unsigned status, uint64_t length)
{
	if (has_no_body(x, status))
		return HTTP_BODY_NONE;
	if (length != HTTP_LENGTH_UNKNOWN)
		return HTTP_BODY_LENGTH;
	if (x->head.minor == 1)
		return HTTP_BODY_CHUNKED;
	x->keep_alive = false;
	return HTTP_BODY_RAW;
}

void http_exchange_respond(struct http_exchange *x, unsigned status,
			   const struct http_fields *fields, uint64_t length)
{
	char date[HTTP_DATE_MAX];
	enum http_body framing;

	assert(!x->status && status >= 200 && status <= 999);
	if (x->refuse || x->aborted)
		return;
	if (fields && fields->failed) {
		refuse(x, 500);
		return;
	}
	x->status = status;
	framing = choose_framing(x, status, length);
	/* A body that waits for our 100 may come or not come now: nobody can tell what follows. */
	if (x->expects || x->in->eof)
		x->keep_alive = false;
	begin_head(x, status, fields);
	if (!fields || !fields->has_date)
		text(x, "Date: %s\r\n",
		     http_date_format(date, (int64_t)(ustime_wall() / USEC_PER_S)));
	if (framing == HTTP_BODY_CHUNKED)
		text(x, "Transfer-Encoding: chunked\r\n");
	else if (length != HTTP_LENGTH_UNKNOWN && status != 204)
		text(x, "Content-Length: %" PRIu64 "\r\n", length);
	if (!x->keep_alive)
		text(x, "Connection: close\r\n");
	else if (x->head.minor == 0)
		text(x, "Connection: keep-alive\r\n");
	text(x, "\r\n");
	http_writer_start(x->out, framing, length);
	x->changed(x->server);
}

void http_exchange_inform(struct http_exchange *x, unsigned status,
			  const struct http_fields *fields)
{
	if (x->status || x->refuse || x->aborted || x->head.minor == 0 ||
	    (fields && fields->failed))
		return;
	begin_head(x, status, fields);
	text(x, "\r\n");
	x->changed(x->server);
}

void http_exchange_continue(struct http_exchange *x)
{
	if (!x->expects || x->status)
		return;
	x->expects = false;
	http_exchange_inform(x, 100, NULL);
}

void http_exchange_upgrade(struct http_exchange *x, const struct http_fields *fields)
{
	assert(!x->status && x->head.upgrade && x->in->ended);
	if (x->refuse || x->aborted)
		return;
	if (fields && fields->failed) {
		refuse(x, 500);
		return;
	}
	x->status = 101;
	x->upgraded = true;
	x->keep_alive = false;
	begin_head(x, 101, fields);
	text(x, "Connection: Upgrade\r\n\r\n");
	http_reader_start(x->in, HTTP_BODY_RAW, 0);
	http_writer_start(x->out, HTTP_BODY_RAW, 0);
	x->changed(x->server);
}

bool http_exchange_can_write(struct http_exchange *x)
{
	x->want_write = !http_writer_ready(x->out);
	if (x->out->broken)
		x->changed(x->server);
	return !x->want_write;
}

void http_exchange_write(struct http_exchange *x, const void *bytes, size_t n)
{
	if (!x->status || x->aborted)
		return;
	assert(!x->finished);
	http_writer_body(x->out, bytes, n);
	if (x->out->kind != HTTP_BODY_NONE)
		x->bytes_out += n;
	x->changed(x->server);
}

void http_exchange_finish(struct http_exchange *x)
{
	if (!x->status || x->finished)
		return;
	if (http_writer_end(x->out))
		x->finished = true;
	else
		x->aborted = true;
	x->changed(x->server);
}

void http_exchange_abort(struct http_exchange *x)
{
	x->aborted = true;
	x->changed(x->server);
}

void http_exchange_close_after(struct http_exchange *x)
{
	x->keep_alive = false;
}

/* ── the request's body ── */

ssize_t http_exchange_read(struct http_exchange *x, void *bytes, size_t len)
{
	ssize_t n;

	if (x->refuse || x->aborted)
		return -ERR_RESET;
	if (!x->in->ended)
		http_exchange_continue(x);
	n = http_reader_read(x->in, bytes, len, NULL);
	x->want_read = n == -ERR_AGAIN;
	if (n > 0)
		x->bytes_in += (uint64_t)n;
	if (n == 0 && x->upgraded)
		x->changed(x->server); /* his half has ended, and that may have been the last */
	if (n >= 0)
		return n;
	x->changed(x->server); /* a deadline begins, or it is over */
	if (n == -ERR_AGAIN)
		return n;
	if (x->in->eof || n != -ERR_RESET)
		refuse(x, 400);
	else
		x->aborted = true;
	return -ERR_RESET;
}
