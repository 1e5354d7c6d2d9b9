/*
 * JSON objects, one a line (application/x-ndjson), cut out of a byte stream: the language of the
 * link's control channel and of the local control sockets. Pure: bytes in, objects out; and over a
 * struct stream for the sockets.
 */
#pragma once

#include <jansson.h>

#include "base/buf.h"
#include "net/stream.h"

#define NDJSON_LINE_MAX ((size_t)64 * 1024)

/* ── bytes -> objects
 * ──────────────────────────────────────────────────────────────────────────────────────────── */

struct ndjson {
	struct buf line; /* an unfinished line, bounded by max */
	size_t max;
};

void ndjson_init(struct ndjson *n, size_t line_max);
void ndjson_done(struct ndjson *n);

/*
 * Feed bytes; each complete line that is a JSON object goes to on_object (borrowed). Empty lines
 * are skipped. Stops and returns what on_object returned if that is negative. -ERR_LIMIT: a line
 * over the maximum; -ERR_INVALID: not a JSON object, duplicate keys, NUL, or nested deeper than 16.
 * The decoder is of no further use after an error.
 */
int ndjson_feed(struct ndjson *n, const void *bytes, size_t len,
		int (*on_object)(void *arg, json_t *object, struct err *e), void *arg,
		struct err *e) MUST_CHECK;

/* One object as a line, '\n' included, appended to b. -ERR_NOMEM, -ERR_LIMIT (line over
 * NDJSON_LINE_MAX). */
int ndjson_append(struct buf *b, const json_t *object) MUST_CHECK;

/* ── over a stream
 * ───────────────────────────────────────────────────────────────────────────────────────────────
 */

struct ndjson_conn;

struct ndjson_conn_handler {
	int (*on_object)(void *arg, json_t *object, struct err *e); /* < 0 closes the connection */
	void (*on_closed)(void *arg, const struct err *why); /* once; the owner frees, deferred */
};

/* Takes the stream. Output waits in a buffer of at most 1 MiB; beyond it the connection is closed
 * with -ERR_LIMIT. */
int ndjson_conn_new(struct stream *s, const struct ndjson_conn_handler *handler, void *arg,
		    struct ndjson_conn **ret_conn, struct err *e) MUST_CHECK;
int ndjson_conn_send(struct ndjson_conn *c, const json_t *object) MUST_CHECK;
void ndjson_conn_close_when_sent(struct ndjson_conn *c); /* on_closed follows */
void ndjson_conn_free(struct ndjson_conn *c);		 /* NULL is fine; no on_closed */
