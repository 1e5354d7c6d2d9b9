/*
 * One HTTP/1.1 connection, as a client to a local server: one request at a time, kept open between
 * them.
 *
 *	http_client_new(loop, stream, &handler, x, &client, &e);
 *	http_client_request(client, head, HTTP_BODY_LENGTH, length, 0);
 *	while (http_client_can_write(client) && more)
 *		http_client_write(client, bytes, n);
 *	http_client_finish(client);
 *		... on_response: the head; then
 *	n = http_client_read(client, bytes, len);	until 0
 *	if (http_client_reusable(client))
 *		http_client_request(...)
 */
#pragma once

#include "http/response.h"
#include "http/writer.h"

#define HTTP_CLIENT_INFORMS_MAX 16 /* informational heads before an answer */

/* Called from the loop, never from inside an http_client_* function. None may free the client. */
struct http_client_handler {
	/* A head: informational ones (100, 103), then the answer; 101 makes the connection raw. */
	void (*on_response)(void *arg, const struct http_response *r);
	/* Reading or writing is worth trying (enum stream_event). */
	void (*on_ready)(void *arg, unsigned events);
	/*
	 * Nothing more can be had from this connection: closed, broken, or not HTTP. Once, at the
	 * latest when the body cannot be completed; also while it is idle. The client is still to
	 * be freed.
	 */
	void (*on_failed)(void *arg, int r, const struct err *e);
};

enum http_client_flag {
	HTTP_CLIENT_HEAD = 1,	 /* the method is HEAD: no body in the answer */
	HTTP_CLIENT_UPGRADE = 2, /* 101 is welcome */
};

struct http_client;

/* Takes the stream; on failure it is closed. */
int http_client_new(struct loop *loop, struct stream *stream,
		    const struct http_client_handler *handler, void *arg,
		    struct http_client **ret_client, struct err *e) MUST_CHECK;

/* Closes the connection; not from inside the handler. NULL is fine. */
void http_client_free(struct http_client *c);

/* Send a request: its whole head with the blank line, then a body of that kind. Only when new or
 * reusable. -ERR_NOMEM. */
int http_client_request(struct http_client *c, struct str head, enum http_body body,
			uint64_t length, unsigned flags) MUST_CHECK;

/* As of an exchange (http/exchange.h). When the server takes no more they drop what they get: its
 * answer may still come. Raw bytes behind a 101 go the same way; finish ends our half then. */
bool http_client_can_write(struct http_client *c);
void http_client_write(struct http_client *c, const void *bytes, size_t n);
void http_client_finish(struct http_client *c);

/* Of the answer's body, after on_response: > 0 bytes; 0 it is complete; -ERR_AGAIN; -ERR_RESET it
 * will not be (on_failed follows or has come). */
ssize_t http_client_read(struct http_client *c, void *bytes, size_t len) MUST_CHECK;

/* Answer and request are complete and the server keeps the connection. */
bool http_client_reusable(const struct http_client *c);

/* Whether a byte of the present answer has come. */
bool http_client_answered(const struct http_client *c);
