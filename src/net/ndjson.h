/*
 * JSON objects, one a line (application/x-ndjson), cut out of a byte stream: the language of the
 * link's control channel and of the local control sockets. Pure: bytes in, objects out; and over a
 * struct stream for the sockets.
 */
#pragma once

#include <jansson.h>

#include "base/buf.h"
#include "net/stream.h"

#define NDJSON_LINE_MAX	 ((size_t)256 * 1024) /* without its '\n' */
#define NDJSON_DEPTH_MAX 16		      /* objects and arrays inside each other */

/* ── bytes -> objects ── */

struct ndjson {
	struct buf line; /* an unfinished line, bounded by max */
	size_t max;
};

void ndjson_init(struct ndjson *n, size_t line_max);
void ndjson_done(struct ndjson *n);

/*
 * Feed bytes; each complete line that is a JSON object goes to on_object (borrowed). Empty lines
 * are skipped. Stops and returns what on_object returned if that is negative; on_object may then
 * have called ndjson_done. -ERR_LIMIT: a line over the maximum; -ERR_INVALID: not a JSON object,
 * duplicate keys, NUL, or nested deeper than NDJSON_DEPTH_MAX; -ERR_NOMEM. The decoder is of no
 * further use after an error.
 */
int ndjson_feed(struct ndjson *n, const void *bytes, size_t len,
		int (*on_object)(void *arg, json_t *object, struct err *e), void *arg,
		struct err *e) MUST_CHECK;

/* One object as a line, '\n' included, appended to b. -ERR_NOMEM, -ERR_LIMIT (line over
 * NDJSON_LINE_MAX). */
int ndjson_append(struct buf *b, const json_t *object) MUST_CHECK;

/* A string of a text that may be anything, a path for example: what is not UTF-8 is made printable
 * (log_text). A new reference, or NULL without memory. */
json_t *ndjson_text(const char *text);

/* ── over a stream ── */

struct ndjson_conn;

/* ndjson_conn_free is allowed inside both. */
struct ndjson_conn_handler {
	/* One message (borrowed); < 0 closes the connection for the reason in e. */
	int (*on_object)(void *arg, json_t *object, struct err *e);
	/* Once, at the end of a turn; code 0: in good order, by either side. */
	void (*on_closed)(void *arg, const struct err *why);
};

/*
 * Takes the stream, also on failure. When the other side ends its direction, what waits to be sent
 * is still sent. Output waits in a buffer of at most 1 MiB: beyond it the connection is closed with
 * -ERR_LIMIT.
 */
int ndjson_conn_new(struct stream *s, const struct ndjson_conn_handler *handler, void *arg,
		    struct ndjson_conn **ret_conn, struct err *e) MUST_CHECK;

/* Sent at the end of the turn. -ERR_RESET: closing or closed; -ERR_LIMIT: too much waits (closed),
 * or a line over NDJSON_LINE_MAX (nothing happened); -ERR_NOMEM (nothing happened). */
int ndjson_conn_send(struct ndjson_conn *c, const json_t *object) MUST_CHECK;

/* No further objects are taken; on_closed follows. */
void ndjson_conn_close_when_sent(struct ndjson_conn *c);

/* Closes what is open; no on_closed. NULL is fine. */
void ndjson_conn_free(struct ndjson_conn *c);
