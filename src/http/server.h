/*
 * One HTTP/1.1 connection, as a server over any stream: heads (strictly, proto/httphead), bodies,
 * keep-alive, pipelining (one request at a time, in order), 100-continue, upgrades, deadlines, and
 * an end that lets the last answer arrive.
 *
 *	static const struct http_handler handler = {on_request, on_ready, on_end, on_closed};
 *
 *	http_server_new(loop, stream, &handler, x, &server, &e);
 *
 * Memory: an idle connection holds this object and nothing else; what a visitor sends ahead is
 * bounded (HTTP_AHEAD_MAX), and what he does not take (http/writer.h).
 */
#pragma once

#include "http/exchange.h"

#define HTTP_SERVER_IDLE_TIMEOUT   (75 * USEC_PER_S)	 /* for the first byte of a request */
#define HTTP_SERVER_HEAD_TIMEOUT   (10 * USEC_PER_S)	 /* from its first byte to its blank line */
#define HTTP_SERVER_STALL_TIMEOUT  (60 * USEC_PER_S)	 /* without a byte of a body we wait for */
#define HTTP_SERVER_LINGER_TIMEOUT (2 * USEC_PER_S)	 /* for the visitor to close, after us */
#define HTTP_SERVER_DRAIN_MAX	   ((uint64_t)64 * 1024) /* of a body nobody wants, kept open for */

/* An exchange that is over. */
struct http_ending {
	const struct httphead *head;  /* borrowed; NULL: what came was no good head */
	unsigned status;	      /* 0: none was sent */
	uint64_t bytes_in, bytes_out; /* of the bodies, or raw bytes */
	usec_t started_wall, duration;
	bool complete; /* the answer was sent whole */
};

/*
 * All are called from the loop, never from inside an http_* function, and none may free the server
 * but on_closed, which must.
 */
struct http_handler {
	/* A request. Its exchange stays valid until on_end. */
	void (*on_request)(void *arg, struct http_exchange *x);
	/* What the handler waits for (enum stream_event): reading or writing is worth trying. Also
	 * once when the visitor has ended his half (x->in->eof) before the answer was finished. */
	void (*on_ready)(void *arg, unsigned events);
	/* The exchange is over, or a head was refused by the server itself. */
	void (*on_end)(void *arg, const struct http_ending *ending);
	/* The connection is closed. */
	void (*on_closed)(void *arg);
};

struct http_server;

/* Takes the stream; on failure it is closed. The handler's table is borrowed. */
int http_server_new(struct loop *loop, struct stream *stream, const struct http_handler *handler,
		    void *arg, struct http_server **ret_server, struct err *e) MUST_CHECK;

/* Not from inside a handler but on_closed. An open connection is reset, without on_end. NULL is
 * fine. */
void http_server_free(struct http_server *s);

/* No further requests: closes when idle, else behind the answer being made. A visitor who has not
 * asked for anything yet may do so once. */
void http_server_retire(struct http_server *s);
