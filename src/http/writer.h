/*
 * The sending half of an HTTP/1 connection: heads, and bodies with their framing put on. Small
 * pieces are gathered, so that a head and a short body leave in one write; large ones go straight
 * to the stream. Server and client share it.
 *
 *	if (!http_writer_ready(w))
 *		return;				on STREAM_WRITABLE it may be
 *	http_writer_body(w, bytes, n);		taken whole
 *	...
 *	http_writer_end(w);
 *	http_writer_flush(w);			at the end of the turn at the latest
 *
 * What the stream does not take is kept: one piece and the gathered ones, HTTP_WRITE_MAX and
 * HTTP_GATHER_MAX and a head, and only while it is blocked.
 */
#pragma once

#include "http/reader.h"

#define HTTP_WRITE_MAX	((size_t)64 * 1024) /* one piece */
#define HTTP_GATHER_MAX ((size_t)16 * 1024)

struct http_writer {
	struct stream *stream; /* borrowed */
	struct buf kept;       /* taken, not written yet */
	enum http_body kind;
	uint64_t left; /* HTTP_BODY_LENGTH */
	bool blocked;  /* the stream did not take all: STREAM_WRITABLE follows */
	bool broken;   /* for good; what is given is dropped */
	uint64_t sent; /* bytes the stream took, ever: shows progress */
};

void http_writer_init(struct http_writer *w, struct stream *stream);
void http_writer_done(struct http_writer *w);

/* Bytes without framing: heads. */
void http_writer_text(struct http_writer *w, struct str text);

/* A body begins; of HTTP_BODY_NONE nothing is sent, whatever is given. */
void http_writer_start(struct http_writer *w, enum http_body kind, uint64_t length);

/* Whether a piece may be given now. */
bool http_writer_ready(struct http_writer *w);

/* 0 < n <= HTTP_WRITE_MAX; not more than was promised by the length. */
void http_writer_body(struct http_writer *w, const void *bytes, size_t n);

/* The body is complete. False: less than was promised. */
bool http_writer_end(struct http_writer *w);

/* 0: all is written; -ERR_AGAIN: STREAM_WRITABLE follows; -ERR_RESET: broken. */
int http_writer_flush(struct http_writer *w);
