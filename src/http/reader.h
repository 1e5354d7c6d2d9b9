/*
 * The receiving half of an HTTP/1 connection: bytes read ahead, and the body of a message with its
 * framing taken off. Server and client share it.
 */
#pragma once

#include "http/chunked.h"
#include "net/stream.h"

#define HTTP_AHEAD_MAX ((size_t)64 * 1024)

enum http_body {
	HTTP_BODY_NONE,	   /* nothing follows the head */
	HTTP_BODY_LENGTH,  /* Content-Length */
	HTTP_BODY_CHUNKED, /* Transfer-Encoding: chunked */
	HTTP_BODY_RAW,	   /* until the stream ends; also what follows a 101 */
};

struct http_reader {
	struct stream *stream; /* borrowed */
	struct buf ahead; /* read and not used yet; its memory exists only while it holds some */
	enum http_body kind;
	struct http_chunked chunked;
	uint64_t left; /* HTTP_BODY_LENGTH */
	bool ended;    /* the body is complete */
	bool eof;      /* the stream has ended */
	bool drained;  /* the last read was short: nothing more until STREAM_READABLE */
};

void http_reader_init(struct http_reader *r, struct stream *stream);
void http_reader_done(struct http_reader *r);

/* A new body begins; length matters for HTTP_BODY_LENGTH only. */
void http_reader_start(struct http_reader *r, enum http_body kind, uint64_t length);

/* To be called on STREAM_READABLE, before anything is read. */
void http_reader_wake(struct http_reader *r);

/*
 * > 0: bytes of the body; read on until something else comes. 0: the body is complete. -ERR_AGAIN:
 * STREAM_READABLE follows. -ERR_INVALID: bad framing; -ERR_RESET: the stream ended or
 * broke in the middle. len > 0.
 */
ssize_t http_reader_read(struct http_reader *r, void *bytes, size_t len, struct err *e) MUST_CHECK;

/* Read up to n more bytes ahead, for a head: > 0: so many came; 0: the stream has ended (or n is
 * 0); -ERR_AGAIN; -ERR_RESET and others: broken. */
ssize_t http_reader_fill(struct http_reader *r, size_t n, struct err *e) MUST_CHECK;

/* Bytes read ahead are used up. */
void http_reader_consume(struct http_reader *r, size_t n);
