/*
 * One request and its answer, on the server's side. The server (http/server.h) makes it when a head
 * is whole and passes it to its handler, who answers now or later:
 *
 *	http_exchange_respond(x, 200, &fields, length);
 *	while (http_exchange_can_write(x) && more)
 *		http_exchange_write(x, bytes, n);	else go on when on_ready says WRITABLE
 *	http_exchange_finish(x);
 *
 * and reads the request's body, as far as he wants it and in his own time:
 *
 *	n = http_exchange_read(x, bytes, len);		until 0, or -ERR_AGAIN: on_ready says
 * READABLE
 *
 * Functions that send never fail: when the visitor is gone, on_end follows and until then bytes are
 * dropped. None of them calls a handler; all that follows comes from the loop.
 */
#pragma once

#include "http/fields.h"
#include "http/writer.h"
#include "proto/httphead.h"

#define HTTP_LENGTH_UNKNOWN UINT64_MAX

struct http_exchange {
	/* Of the connection. */
	struct http_reader *in;	 /* borrowed */
	struct http_writer *out; /* borrowed */
	void (*changed)(void *server);
	void *server; /* borrowed */

	/* What the server asks for. */
	unsigned status;	    /* of the answer that was begun; 0: none yet */
	unsigned refuse;	    /* answer with this status instead: the request went wrong */
	bool keep_alive;	    /* another request may follow */
	bool finished;		    /* the answer is complete, in raw bytes: our half */
	bool aborted;		    /* cut the connection */
	bool upgraded;		    /* raw bytes both ways */
	bool want_read, want_write; /* the handler waits for on_ready */
	bool expects;		    /* the visitor waits for 100 (Continue) */
	uint64_t bytes_in, bytes_out;
	usec_t started, started_wall;

	/* Last: memory reaches as far as there are fields; the head's bytes stand behind them. */
	struct httphead head;
};

/* A copy of the head with the bytes it borrows; free(3) ends it. NULL without memory. */
struct http_exchange *http_exchange_new(const struct httphead *head, const char *bytes);

/* The head, for as long as the exchange lives. */
static inline const struct httphead *http_exchange_head(const struct http_exchange *x)
{
	return &x->head;
}

/*
 * Begin the answer. status 200..999; fields may be NULL; length of the body in bytes, or
 * HTTP_LENGTH_UNKNOWN: chunked, or for HTTP/1.0 until the connection closes. For HEAD, and with 204
 * and 304, no body is sent whatever is written; length is told where it may be.
 */
void http_exchange_respond(struct http_exchange *x, unsigned status,
			   const struct http_fields *fields, uint64_t length);

/* An informational answer before it (103). Visitors of HTTP/1.0 do not get it. */
void http_exchange_inform(struct http_exchange *x, unsigned status,
			  const struct http_fields *fields);

/* Send the 100 (Continue) the visitor waits for, if he does; reading his body does it too. */
void http_exchange_continue(struct http_exchange *x);

/* Answer 101: from here on read and write carry raw bytes. Finish ends our half; read on until 0.
 * Only for a request whose head says `upgrade`, and has no body. fields: Upgrade is among them. */
void http_exchange_upgrade(struct http_exchange *x, const struct http_fields *fields);

/* > 0: bytes; 0: the body is complete; -ERR_AGAIN; -ERR_RESET: it will not be, on_end follows. */
ssize_t http_exchange_read(struct http_exchange *x, void *bytes, size_t len) MUST_CHECK;

/* Whether a piece may be written now; if not, on_ready(STREAM_WRITABLE) follows. */
bool http_exchange_can_write(struct http_exchange *x);

/* 0 < n <= HTTP_WRITE_MAX, only after http_exchange_can_write; not beyond the promised length. */
void http_exchange_write(struct http_exchange *x, const void *bytes, size_t n);

/* The answer is complete. Less than the promised length: the connection is cut. */
void http_exchange_finish(struct http_exchange *x);

/* Cut the connection: the visitor sees that the answer is not whole. */
void http_exchange_abort(struct http_exchange *x);

/* No further request on this connection; before the answer is begun. */
void http_exchange_close_after(struct http_exchange *x);
