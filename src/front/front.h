/*
 * A public side on one loop: accepts connections, reads just enough of each to know where it goes
 *(the TLS ClientHello on the https port, the request head on the http port), and hands it over with
 *those bytes still unread in its stream. A gateway has one on every thread (SOCK_LISTEN_SHARED); an
 *agent that takes direct visitors has one.
 *
 *	visitor ──▶ accept ──▶ limits ──▶ READING (16 KiB, 5 s) ──▶ route ──▶ on_visitor / on_link
 *	                          │             │                     │
 *	                          └ reset       └ close, 400/408      └ alert, 421, redirect,
 *offline page
 *
 * Strangers get nothing: bounded bytes, bounded time, bounded number by source (IPv4 address or
 *IPv6 /64).
 */
#pragma once

#include "front/routes.h"
#include "net/sock.h"

enum front_kind { FRONT_HTTPS, FRONT_HTTP, FRONT_RAW };

/* A visitor whose destination is known. */
struct front_visitor {
	struct stream *stream; /* the callee's; what was read is unread again */
	struct ipaddr peer;
	enum front_kind kind;
	uint16_t local_port;
	char host[FRONT_NAME_MAX]; /* server name or Host he asked for, lower case; "" for raw ports
				    */
	struct front_route route;
};

struct front_handler {
	/* A visitor for one of the routes (online or not: the callee decides whether to wait for
	 * the agent). */
	void (*on_visitor)(void *arg, const struct front_visitor *visitor);
	/* A TLS connection that offers the link's ALPN; NULL: none are taken. The stream is the
	 * callee's. */
	void (*on_link)(void *arg, struct stream *stream, const struct ipaddr *peer);
};

struct front_limits {
	unsigned reading_max;		 /* connections not yet routed, all sources; default 4096 */
	unsigned reading_per_source_max; /* default 64 */
	unsigned conns_per_source_max;	 /* routed and not, of one source; default 1024 */
	unsigned new_per_source_s; /* new connections a second of one source, burst of 10 s worth;
				      default 500 */
	usec_t reading_timeout;	   /* default 5 s */
};
#define FRONT_LIMITS_DEFAULT ((struct front_limits){4096, 64, 1024, 500, 5 * USEC_PER_S})

/* Counters, read from any thread while they run (relaxed atomics). */
struct front_counters {
	uint64_t accepted, routed, links;
	uint64_t refused_limit, refused_unknown, refused_offline, refused_invalid, refused_timeout;
};

struct front;

/* link_alpn: the ALPN that makes a TLS connection a link ("homeport/1"), or NULL. routes is
 * borrowed. */
int front_new(struct loop *loop, struct front_routes *routes, const char *link_alpn,
	      const struct front_limits *limits, const struct front_handler *handler, void *arg,
	      struct front **ret_front, struct err *e) MUST_CHECK;
void front_free(struct front *front); /* NULL is fine; connections being read are closed */

/*
 * Listen. FRONT_RAW needs the route all its visitors take (owner and service; copied). *ret_port
 * gets the port bound (may be NULL). Errors as sock_listen, with text that says what to do (port in
 * use, no right to a port below 1024).
 */
int front_listen(struct front *front, enum front_kind kind, const struct sock_addr *at,
		 unsigned sock_flags, const struct front_route *raw_route, uint16_t *ret_port,
		 struct err *e) MUST_CHECK;

/* Stop listening on that kind and port (raw ports that were withdrawn). */
void front_unlisten(struct front *front, enum front_kind kind, uint16_t port);

/* Stop accepting on every listener; visitors being read are still routed. For draining. */
void front_stop(struct front *front);

/* Must be called once for every visitor and link that was handed over, when its connection ends:
 * limits count it. */
void front_gone(struct front *front, const struct ipaddr *peer);

/*
 * Turn a visitor away who was handed over but cannot be served: closes (lingering until sent, 5 s
 * at most) and counts him gone. OFFLINE: HTTP 503 with Retry-After and a page "known here, offline
 * since ...", TLS alert unrecognized_name; BUSY: 503, TLS alert internal_error; raw ports: reset.
 */
enum front_refusal { FRONT_REFUSE_OFFLINE, FRONT_REFUSE_BUSY };
void front_refuse(struct front *front, const struct front_visitor *visitor, enum front_refusal why);

void front_count(const struct front *front, struct front_counters *add_to);
