/*
 * The service side at home: what a visitor reaches. A service is a folder, a local HTTP server, any
 * local TCP server, or a local UDP server.
 *
 *	edge_service_new(loop, &spec, &events, arg, &service, &e);
 *	edge_open(service, &visitor, done, arg, &opening, &e);	for the link: a stream to hand a
 * visitor's bytes to
 *	edge_serve(service, &visitor, stream);			for a visitor who connected to this
 * machine directly
 *
 * HTTP services check the Host of every request against the service's names (421 and close
 * otherwise), put the forwarding headers on every request to a local server, and report every
 * finished request. TCP services see the visitor's bytes untouched. A visitor of a UDP service is a
 * flow: his stream carries capsules (net/dgram.h), the local server sees the datagrams.
 */
#pragma once

#include "base/cidr.h"
#include "net/sock.h"

enum edge_kind {
	EDGE_FILES, /* a folder */
	EDGE_HTTP,  /* a local HTTP server */
	EDGE_TCP,   /* a local TCP server, TLS or not */
	EDGE_UDP,   /* a local UDP server */
};

enum edge_host {
	EDGE_HOST_PRESERVE, /* the local server sees the visitor's Host */
	EDGE_HOST_LOCAL, /* it sees the address that homeport connects to, for servers that refuse
			    foreign names */
	EDGE_HOST_NAME,	 /* it sees host_name */
};

#define EDGE_NAMES_MAX 32

/* What a service is; edge_service_new copies it. */
struct edge_spec {
	enum edge_kind kind;
	const char *id;	     /* the service's name in the configuration, for logs and errors */
	const char *path;    /* EDGE_FILES: the folder */
	struct sock_addr to; /* but EDGE_FILES: numeric address, or (not EDGE_UDP) Unix socket */
	enum edge_host host;
	const char *host_name; /* EDGE_HOST_NAME */
	bool proxy_protocol;   /* EDGE_TCP: the server gets a PROXY v2 header in front of the
				  visitor's bytes */
	const char *names[EDGE_NAMES_MAX]; /* host names of the service, lower case; "*.x.y"
					      allowed; none: any Host */
	size_t n_names;
	bool local_names; /* besides: addresses, and names without a dot; for a network of one's
			     own, where no stranger's DNS leads to this machine */
	/* Visitors from elsewhere are turned away, on every path; none: nobody is. One without an
	 * address is from elsewhere. */
	const struct cidr *allow;
	size_t n_allow;
};

/* Who visits, as the gateway or the accepting socket tells. */
struct edge_visitor {
	struct ipaddr addr;
	char host[256]; /* host he was routed by; "" if none */
	char proto[8];	/* "http", "https", "tcp", "udp" */
};

/* One finished request (HTTP) or connection (TCP), for the request log. Texts are borrowed and
 * unescaped: log_text. */
struct edge_request {
	const char *service;
	enum edge_kind kind; /* of the service */
	struct ipaddr visitor;
	struct str method, target; /* empty for TCP */
	struct str host;
	unsigned status;     /* 0 for TCP */
	uint64_t bytes_in;   /* from the visitor: body, or all bytes of a TCP connection */
	uint64_t bytes_out;  /* to the visitor, likewise */
	usec_t started_wall; /* wall clock */
	usec_t duration;
	const char *note; /* what went wrong ("connect to 127.0.0.1:8000: Connection refused", "the
			     visitor left" before the answer was complete), or NULL */
	bool denied;	  /* he is not on the allow-list: nothing is wrong at home */
};

/* Called from the loop. Nothing of the edge may be freed inside. */
struct edge_events {
	void (*on_request)(void *arg, const struct edge_request *request);
};

struct edge_service;

/* -ERR_NOT_FOUND: no such folder; -ERR_INVALID: not a folder, too many names; e names the path. */
int edge_service_new(struct loop *loop, const struct edge_spec *spec,
		     const struct edge_events *events, void *arg, struct edge_service **ret_service,
		     struct err *e) MUST_CHECK;

/* Ends its visitors' connections (reset) and goes, without further events; openings under way fail
 * later. NULL is fine. */
void edge_service_free(struct edge_service *service);

/* No new visitors from now on; those who are there stay, and are served what they asked for. The
 * owner frees it when edge_service_visitors is 0. */
void edge_service_retire(struct edge_service *service);
unsigned edge_service_visitors(const struct edge_service *service);

struct edge_check;

/*
 * Whether the other end is there: 0, or why not ("nothing listens on 127.0.0.1:8000"; the folder is
 * gone); -ERR_AGAIN: nobody knows (a UDP server on another machine). Asynchronous, done is called
 * once, later, even if the service is freed before; edge_check_cancel before that ends it.
 */
int edge_check_start(struct edge_service *service,
		     void (*done)(void *arg, int r, const struct err *e), void *arg,
		     struct edge_check **ret_check, struct err *e) MUST_CHECK;
void edge_check_cancel(struct edge_check *check); /* NULL is fine */

struct edge_opening;

/*
 * A stream for a visitor who comes over the link. done is called once, later: r = 0 and a stream
 * (the callee's), or -ERR_REFUSED (the local server does not accept), -ERR_LIMIT, -ERR_FAILED,
 * -ERR_RESET (the service was freed) and e. edge_open_cancel before that ends it. -ERR_REFUSED at
 * once: the service is retired, or only one of both speaks UDP; -ERR_DENIED: he is not on its
 * allow-list (but who comes with requests gets a stream, and a page that says so).
 */
int edge_open(struct edge_service *service, const struct edge_visitor *visitor,
	      void (*done)(void *arg, int r, struct stream *s, const struct err *e), void *arg,
	      struct edge_opening **ret_opening, struct err *e) MUST_CHECK;
void edge_open_cancel(struct edge_opening *opening); /* NULL is fine */

/* Serve a visitor on his own connection; takes the stream. */
void edge_serve(struct edge_service *service, const struct edge_visitor *visitor,
		struct stream *stream);
