/*
 * HTTP requests to anybody but the gateway's link: routers (SOAP), providers of dynamic DNS, services
 * that tell one's address. libcurl on the loop, loaded when the first request is made: who makes none
 * pays nothing for it.
 *
 *	struct httpc_request request = {
 *		.method = "GET", .url = "https://update.example.net/nic/update?hostname=a.example.net",
 *		.user = "ann", .password = password, .timeout = 20 * USEC_PER_S, .https_only = true};
 *
 *	r = httpc_start(httpc, &request, on_done, x, &x->call, &e);
 *
 * One call is one request and one answer, HTTP/1.1, over a connection of its own. No redirect is
 * followed, no proxy used, no cookie kept, no file of the user's read, nothing decompressed. A
 * status of 400 or more is an answer like any other. What comes back is bounded in size and time.
 *
 * Secrets: copies of a request are wiped when the call ends, libcurl's too. What stands in errors and
 * logs is the scheme, host and port of a URL, never its path or query, nor a header or a password.
 */
#pragma once

#include "base/ipaddr.h"
#include "net/loop.h"

#define HTTPC_CALLS_MAX	      64 /* of one httpc at once */
#define HTTPC_URL_MAX	      4096
#define HTTPC_HEADERS_MAX     32
#define HTTPC_REQUEST_MAX     ((size_t)1024 * 1024) /* body sent */
#define HTTPC_BODY_MAX	      ((size_t)64 * 1024)   /* default of body_max */
#define HTTPC_HEAD_MAX	      ((size_t)16 * 1024)   /* default of head_max */
#define HTTPC_CONNECT_TIMEOUT (10 * USEC_PER_S)	    /* default of connect_timeout */
#define HTTPC_TIMEOUT	      (30 * USEC_PER_S)	    /* default of timeout */

struct httpc;
struct httpc_call;

int httpc_new(struct loop *loop, struct httpc **ret_httpc, struct err *e) MUST_CHECK;

/* At any time, also inside on_done: cancels every call. Does not wait for name lookups. NULL is
 * fine. */
void httpc_free(struct httpc *httpc);

struct httpc_header {
	const char *name;  /* a token */
	const char *value; /* no control characters but the tab; may be "" */
};

/* All of it is borrowed until httpc_start returns. What is not set has its default. */
struct httpc_request {
	const char *method; /* a token; NULL: GET without a body, POST with one */
	/* http:// or https://, a host name or address, without a user or zone. */
	const char *url;
	/* Besides Host, Accept, User-Agent and Connection, which are sent unless they are given here,
	 * and Content-Length, which may not be. There is a Content-Type only if it is given. */
	const struct httpc_header *headers;
	size_t n_headers;
	struct str body;
	const char *user, *password; /* basic authentication (RFC 7617); user NULL: none */

	const struct ipaddr *source; /* send from it (port 0: any); NULL: kernel's choice */
	/* Connect to exactly this address and port (0: the URL's), whatever host the URL names, which
	 * is not looked up. With source, of its family. A link-local IPv6 one needs its scope. */
	const struct ipaddr *peer;
	unsigned family;	    /* 4 or 6 only; 0: source's or peer's, else both */
	const char *interface_name; /* bind to it (SO_BINDTODEVICE); NULL: do not. Prefer source */

	const char *ca_file; /* PEM: who may sign the server's certificate; NULL: as the system */
	bool https_only;     /* refuse another URL */
	/* Over a connection that an earlier one kept (10 s at most), and keep it. Ignored where source,
	 * peer, family or interface_name is set. */
	bool keep;
	usec_t connect_timeout; /* lookup, TCP and TLS together */
	usec_t timeout;		/* all of it */
	size_t body_max;	/* longer: -ERR_LIMIT */
	size_t head_max;	/* likewise, of all header fields and status lines */
};

/* Borrowed until on_done returns. */
struct httpc_answer {
	/*
	 * 0		   an answer came, whole
	 * -ERR_TIMEOUT	   connect_timeout or timeout is over
	 * -ERR_REFUSED	   nobody listens there
	 * -ERR_NOT_FOUND  the host has no address (of that family), or no name server answered
	 * -ERR_DENIED	   the certificate is not good for that host
	 * -ERR_LIMIT	   head_max or body_max
	 * -ERR_RESET	   the connection broke in the middle of it, or the answer ended early
	 * -ERR_INVALID	   what came is not HTTP
	 * -ERR_FAILED	   source is not an address of this machine, no route, no libcurl, ...
	 */
	int r;
	struct err err;	 /* when r is not 0 */
	unsigned status; /* 200; 0: none came. Can be set when r is not 0, for people to read */
	struct str body; /* empty when r is not 0 */
	struct str head; /* header fields as they came, a line each; see httpc_answer_header */
	struct ipaddr peer, local; /* of the connection; family 0: there was none */
	usec_t took;		   /* from httpc_start */
};

/*
 * on_done is called once, from the loop, never inside httpc_start; the call is gone afterwards.
 * Inside it everything is allowed, httpc_free too. -ERR_INVALID (a request that cannot be sent as
 * it is: e says what), -ERR_LIMIT (HTTPC_CALLS_MAX, HTTPC_REQUEST_MAX), -ERR_NOMEM, -ERR_FAILED.
 * ret_call may be NULL.
 */
int httpc_start(struct httpc *httpc, const struct httpc_request *request,
		void (*on_done)(void *arg, const struct httpc_answer *answer), void *arg,
		struct httpc_call **ret_call, struct err *e) MUST_CHECK;

/* Before on_done: ends it without. The request may have arrived. NULL is fine. */
void httpc_cancel(struct httpc_call *call);

/* The value of the first field of that name, without blanks around it; at is NULL: there is none. */
struct str httpc_answer_header(const struct httpc_answer *answer, const char *name);

/* ── for tests ── */

/*
 * Without a network, also on a virtual clock: every request is checked and copied as usual and then
 * given to `serve`, later, from the loop. serve may call httpc_sim_answer or httpc_sim_fail, once;
 * else the request's timeout ends it.
 */
int httpc_new_sim(struct loop *loop,
		  void (*serve)(void *arg, struct httpc_call *call,
				const struct httpc_request *request),
		  void *arg, struct httpc **ret_httpc, struct err *e) MUST_CHECK;

/* The answer comes `delay` later, unless the timeout or a cancel comes before it. head: "Name:
 * value\r\n" each, or NULL. Longer than the limits: -ERR_LIMIT, as in earnest. */
void httpc_sim_answer(struct httpc_call *call, usec_t delay, unsigned status, const char *head,
		      struct str body);
void httpc_sim_fail(struct httpc_call *call, usec_t delay, int code, const char *text);
