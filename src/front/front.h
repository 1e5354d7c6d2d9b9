/*
 * A public side on one loop: accepts connections, reads just enough of each to know where it goes
 * (the TLS ClientHello on the https port, the request head on the http port), and hands it over
 * with those bytes still unread in its stream. A gateway has one on every thread
 * (SOCK_LISTEN_SHARED), all over the same routes and sources; an agent that takes direct visitors
 * has one.
 *
 *	visitor ──▶ accept ──▶ limits ──▶ READING ──▶ verdict ──▶ on_visitor / on_link
 *	                         │        │ 16 KiB (http: 32)  │
 *	                         │        │ 5 s                ├─▶ LINGERING ──▶ closed
 *	                         └ reset  └─▶ closed, or 408 ──┘   alert, 400, 421, 431, redirect
 *
 * Strangers get bounded bytes, bounded time and a bounded number by source. Memory for what a
 * connection sent exists only once it has sent something that is not enough to decide.
 *
 * The handlers are called on the front's loop and must not free the front; everything here belongs
 * to that loop's thread, but front_gone and front_count.
 */
#pragma once

#include "base/cidr.h"
#include "front/opening.h"
#include "front/routes.h"
#include "front/sources.h"
#include "net/sock.h"

/* A visitor whose destination is known. */
struct front_visitor {
	struct stream *stream; /* the callee's; what was read is unread again: read it first.
				  FRONT_UDP: of capsules, and it stays on its loop */
	struct ipaddr peer;
	enum front_kind kind;
	uint16_t local_port;
	char host[FRONT_NAME_MAX]; /* server name or Host he asked for, lower case; "" for raw ports
				    */
	struct front_route route;  /* as it was in that moment; raw ports: as given to front_listen
				    */
};

struct front_handler {
	/* A visitor for one of the routes (online or not: the callee decides whether to wait for
	 * the agent). */
	void (*on_visitor)(void *arg, const struct front_visitor *visitor);
	/* A TLS connection that offers the link's ALPN; NULL: none are taken. The stream is the
	 * callee's, with the ClientHello unread. */
	void (*on_link)(void *arg, struct stream *stream, const struct ipaddr *peer);
};

struct front_config {
	struct front_routes *routes;   /* borrowed; may be shared by several fronts */
	struct front_sources *sources; /* borrowed; the same */
	const char *link_alpn; /* borrowed: the ALPN that makes a TLS connection a link; NULL with
				  on_link NULL */
	uint16_t https_port;   /* as visitors see it, for redirects; 0: 443 */
	/* Borrowed: load balancers. Each connection from there must begin with a PROXY v2 header,
	 * on every kind of port, and its source is the visitor, with the visitor's limits; from
	 * anywhere else such a header is just bytes. LOCAL and UNSPEC: the peer is the visitor. */
	const struct cidr *proxies;
	size_t n_proxies;
	usec_t reading_timeout; /* 0: FRONT_READING_TIMEOUT */
};
#define FRONT_READING_TIMEOUT (5 * USEC_PER_S)

#define FRONT_COUNTERS(X)                                                                          \
	X(accepted)                                                                                \
	X(routed)	   /* visitors handed over */                                              \
	X(links)	   /* links handed over */                                                 \
	X(redirected)	   /* to https */                                                          \
	X(left)		   /* closed before anything could be decided */                           \
	X(refused_limit)   /* a limit of the source, or of all */                                  \
	X(refused_unknown) /* a name that is not known here */                                     \
	X(refused_invalid) /* neither TLS nor HTTP */                                              \
	X(refused_proxy)   /* no good PROXY header from where one must come */                     \
	X(refused_timeout) /* silent, or too slow */                                               \
	X(refused_offline) /* front_refuse */                                                      \
	X(refused_busy)	   /* front_refuse */                                                      \
	X(refused_service) /* front_refuse */

/* All numbers count from the beginning. */
struct front_counters {
#define X(name) uint64_t name;
	FRONT_COUNTERS(X)
#undef X
};

struct front;

/* handler is copied. -ERR_NOMEM. */
int front_new(struct loop *loop, const struct front_config *config,
	      const struct front_handler *handler, void *arg, struct front **ret_front,
	      struct err *e) MUST_CHECK;

/* NULL is fine. Connections being read or lingering are closed; those handed over may outlive it,
 * and are then left with front_sources_leave. */
void front_free(struct front *front);

/*
 * Listen.
 *
 * sock_flags  SOCK_LISTEN_*
 * raw_route   FRONT_RAW: the route all its visitors take (copied); else NULL
 * ret_port    gets the port bound; may be NULL
 *
 * Errors as sock_listen, with text that says what to do: -ERR_EXISTS (port in use), -ERR_DENIED (no
 * right to a port below 1024), -ERR_FAILED (such an address is not on this machine; front_stop was
 * called), -ERR_NOMEM.
 */
int front_listen(struct front *front, enum front_kind kind, const struct sock_addr *at,
		 unsigned sock_flags, const struct front_route *raw_route, uint16_t *ret_port,
		 struct err *e) MUST_CHECK;

/* Listen on a socket that is bound already; FRONT_HTTPS or FRONT_HTTP. Takes fd, also on failure.
 * -ERR_NOMEM, -ERR_FAILED. */
int front_listen_fd(struct front *front, enum front_kind kind, int fd, struct err *e) MUST_CHECK;

/* Stop listening on that kind and port (raw ports that were withdrawn), in both families. */
void front_unlisten(struct front *front, enum front_kind kind, uint16_t port);

/* Stop accepting on every listener; visitors being read are still routed. For draining. */
void front_stop(struct front *front);

/* Whether connections are still being read or wait for their last word to arrive. Never long: their
 * deadlines are FRONT_READING_TIMEOUT and 5 s. */
bool front_busy(const struct front *front);

/* From any thread: the connection of a visitor or link that was handed over has ended. Once for
 * each, or limits fill up; not after front_refuse. */
void front_gone(struct front *front, const struct ipaddr *peer);

/*
 * Turn a visitor away who was handed over (by any front with the same sources) but cannot be
 * served. His stream, which must be on this front's loop, is taken: the answer is sent, lingering 5
 * s at most, and he counts as gone.
 *
 *	          http                                          https                      raw
 * OFFLINE    503, Retry-After, "known here, offline since"   alert unrecognized_name    reset
 * BUSY       503, Retry-After                                alert internal_error       reset
 * SERVICE    502                                             alert internal_error       reset
 * PLAIN      redirect to https                               -                          -
 *
 * "Since" is visitor->route.offline_since_wall: the callee may fill in what it knows better.
 */
enum front_refusal {
	FRONT_REFUSE_OFFLINE,
	FRONT_REFUSE_BUSY,
	FRONT_REFUSE_SERVICE,
	FRONT_REFUSE_PLAIN, /* of kind FRONT_HTTP; the name turned out to take TLS only */
};
void front_refuse(struct front *front, const struct front_visitor *visitor, enum front_refusal why);

/* From any thread: add this front's counters to *add_to. */
void front_count(const struct front *front, struct front_counters *add_to);
