#include "http/reader.h"

#include <string.h>

void http_reader_init(struct http_reader *r, struct stream *stream)
{
	*r = (struct http_reader){.stream = stream, .ended = true};
	buf_init(&r->ahead, HTTP_AHEAD_MAX);
}

void http_reader_done(struct http_reader *r)
{
	buf_done(&r->ahead);
}

void http_reader_start(struct http_reader *r, enum http_body kind, uint64_t length)
{
	r->kind = kind;
	r->left = length;
	r->chunked = (struct http_chunked){0};
	r->ended = kind == HTTP_BODY_NONE || (kind == HTTP_BODY_LENGTH && length == 0);
}

void http_reader_wake(struct http_reader *r)
{
	r->drained = false;
}

void http_reader_consume(struct http_reader *r, size_t n)
{
	buf_consume(&r->ahead, n);
	buf_release_if_empty(&r->ahead);
}

/* From the stream itself. */
static ssize_t read_stream(struct http_reader *r, void *bytes, size_t len, struct err *e)
{
	ssize_t n;

	if (r->eof)
		return 0;
	if (r->drained)
		return -ERR_AGAIN;
	n = stream_read(r->stream, bytes, len, e);
	if (n == 0)
		r->eof = true;
	else if (n < (ssize_t)len)
		r->drained = n > 0 || n == -ERR_AGAIN;
	return n;
}

static ssize_t read_raw(struct http_reader *r, void *bytes, size_t len, struct err *e)
{
	size_t n = MIN(len, buf_len(&r->ahead));

	if (n == 0)
		return read_stream(r, bytes, len, e);
	memcpy(bytes, buf_head(&r->ahead), n);
	http_reader_consume(r, n);
	return (ssize_t)n;
}

ssize_t http_reader_fill(struct http_reader *r, size_t n, struct err *e)
{
	uint8_t *to = buf_reserve(&r->ahead, n);
	ssize_t got;

	if (n == 0)
		return 0;
	if (!to)
		return err_set(e, ERR_NOMEM, "reading ahead");
	got = read_stream(r, to, n, e);
	if (got > 0)
		buf_commit(&r->ahead, (size_t)got);
	else
		buf_release_if_empty(&r->ahead);
	return got;
}

static ssize_t truncated(struct err *e)
{
	return err_set(e, ERR_RESET, "the connection ended in the middle of a body");
}

/* What came behind the end of the body is kept ahead; `ahead` was empty. */
static int keep_ahead(struct http_reader *r, const uint8_t *bytes, size_t n, struct err *e)
{
	if (n > 0 && buf_append(&r->ahead, bytes, n) < 0)
		return err_set(e, ERR_NOMEM, "reading ahead");
	return 0;
}

/* Near the end more than the body is asked for: the short read that follows saves asking again
 * whether more is there. */
static ssize_t read_length(struct http_reader *r, uint8_t *bytes, size_t len, struct err *e)
{
	size_t want = r->left < len ? MIN(len, (size_t)r->left + HTTP_AHEAD_MAX) : len;
	ssize_t n;
	int kept;

	if (buf_len(&r->ahead) > 0)
		want = (size_t)MIN(want, r->left);
	n = read_raw(r, bytes, want, e);
	if (n == 0)
		return truncated(e);
	if (n < 0)
		return n;
	if ((uint64_t)n > r->left) {
		kept = keep_ahead(r, bytes + r->left, (size_t)n - (size_t)r->left, e);
		if (kept < 0)
			return kept;
		n = (ssize_t)r->left;
	}
	r->left -= (uint64_t)n;
	r->ended = r->left == 0;
	return n;
}

/* One portion through the decoder, in the caller's memory: the data is never longer than its
 * coding. What lies behind the end of the body is kept ahead. 0: none of it was data. */
static ssize_t read_chunks(struct http_reader *r, uint8_t *bytes, size_t len, struct err *e)
{
	bool from_ahead = buf_len(&r->ahead) > 0;
	const void *from = from_ahead ? buf_head(&r->ahead) : bytes;
	ssize_t got, n;
	size_t used = 0;

	len = MIN(len, HTTP_AHEAD_MAX);
	got = from_ahead ? (ssize_t)MIN(len, buf_len(&r->ahead)) : read_stream(r, bytes, len, e);
	if (got == 0)
		return truncated(e);
	if (got < 0)
		return got;
	n = http_chunked_decode(&r->chunked, bytes, from, (size_t)got, &used, e);
	if (n < 0)
		return n;
	r->ended = http_chunked_ended(&r->chunked);
	if (from_ahead)
		http_reader_consume(r, used);
	else if (keep_ahead(r, bytes + used, (size_t)got - used, e) < 0)
		return -ERR_NOMEM;
	return n;
}

ssize_t http_reader_read(struct http_reader *r, void *bytes, size_t len, struct err *e)
{
	ssize_t n;

	while (!r->ended) {
		switch (r->kind) {
		case HTTP_BODY_NONE:
			return 0;
		case HTTP_BODY_LENGTH:
			return read_length(r, bytes, len, e);
		case HTTP_BODY_CHUNKED:
			n = read_chunks(r, bytes, len, e);
			if (n != 0)
				return n;
			break;
		case HTTP_BODY_RAW:
			n = read_raw(r, bytes, len, e);
			r->ended = n == 0;
			return n;
		}
	}
	return 0;
}
