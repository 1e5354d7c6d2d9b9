#include "http/writer.h"

#include <assert.h>
#include <stdio.h>

/* A head of 80 KiB twice (one of them informational), a piece, the gathered ones, framing. */
#define KEPT_MAX ((size_t)256 * 1024)

void http_writer_init(struct http_writer *w, struct stream *stream)
{
	*w = (struct http_writer){.stream = stream};
	buf_init(&w->kept, KEPT_MAX);
}

void http_writer_done(struct http_writer *w)
{
	buf_done(&w->kept);
}

static void keep(struct http_writer *w, const void *bytes, size_t n)
{
	if (!w->broken && n > 0 && buf_append(&w->kept, bytes, n) < 0)
		w->broken = true; /* without memory the message cannot be finished */
}

/* To the stream, nothing in between. Returns how much it took. */
static size_t pass(struct http_writer *w, const void *bytes, size_t n)
{
	ssize_t r = stream_write(w->stream, bytes, n, NULL);

	if (r < 0 && r != -ERR_AGAIN)
		w->broken = true;
	w->blocked = !w->broken && r < (ssize_t)n;
	if (r <= 0)
		return 0;
	w->sent += (uint64_t)r;
	return (size_t)r;
}

int http_writer_flush(struct http_writer *w)
{
	size_t n = buf_len(&w->kept);

	if (!w->broken && n > 0) {
		buf_consume(&w->kept, pass(w, buf_head(&w->kept), n));
		buf_release_if_empty(&w->kept);
	}
	if (w->broken)
		return -ERR_RESET;
	if (buf_len(&w->kept) > 0)
		return -ERR_AGAIN;
	w->blocked = false;
	return 0;
}

void http_writer_text(struct http_writer *w, struct str text)
{
	keep(w, text.at, text.len);
}

void http_writer_start(struct http_writer *w, enum http_body kind, uint64_t length)
{
	w->kind = kind;
	w->left = kind == HTTP_BODY_LENGTH ? length : 0;
}

bool http_writer_ready(struct http_writer *w)
{
	if (w->blocked || buf_len(&w->kept) > HTTP_GATHER_MAX)
		return http_writer_flush(w) == 0;
	return !w->broken;
}

/* A large piece: what is gathered and its first bytes leave together, the rest as it is. */
static void send_large(struct http_writer *w, const uint8_t *bytes, size_t n)
{
	size_t first = buf_len(&w->kept) > 0 ? MIN(n, HTTP_GATHER_MAX) : 0;

	keep(w, bytes, first);
	if (http_writer_flush(w) == 0 && first < n)
		first += pass(w, bytes + first, n - first);
	keep(w, bytes + first, n - first);
}

void http_writer_body(struct http_writer *w, const void *bytes, size_t n)
{
	char size_line[16];

	assert(n > 0 && n <= HTTP_WRITE_MAX);
	if (w->kind == HTTP_BODY_NONE)
		return;
	if (w->kind == HTTP_BODY_LENGTH) {
		assert(n <= w->left);
		w->left -= n;
	}
	if (w->kind == HTTP_BODY_CHUNKED)
		keep(w, size_line, (size_t)snprintf(size_line, sizeof(size_line), "%zx\r\n", n));
	if (buf_len(&w->kept) + n <= HTTP_GATHER_MAX)
		keep(w, bytes, n);
	else
		send_large(w, bytes, n);
	if (w->kind == HTTP_BODY_CHUNKED)
		keep(w, "\r\n", 2);
}

bool http_writer_end(struct http_writer *w)
{
	if (w->kind == HTTP_BODY_CHUNKED)
		keep(w, "0\r\n\r\n", 5);
	return w->kind != HTTP_BODY_LENGTH || w->left == 0;
}
