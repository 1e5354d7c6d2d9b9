/*
 * Links that are being born: the TLS handshake of each connection that asked for the link's ALPN,
 * on the thread that accepted it. A silent peer holds up nobody: 5 s each, bounded in number, by
 * source too.
 *
 *	handshakes_add ──▶ SHAKING ──▶ on_done (the stream is the callee's)
 *	                      └─ failed, 5 s, HANDSHAKES_MAX ──▶ closed, on_gone
 */
#pragma once

#include "net/tls.h"

#define HANDSHAKES_TIMEOUT	  (5 * USEC_PER_S)
#define HANDSHAKES_MAX		  1024
#define HANDSHAKES_PER_SOURCE_MAX 64

#define HANDSHAKES_COUNTERS(X)                                                                     \
	X(now)		   /* under way */                                                         \
	X(done)		   /* handed on */                                                         \
	X(refused_limit)   /* HANDSHAKES_MAX, HANDSHAKES_PER_SOURCE_MAX, or no memory */           \
	X(refused_failed)  /* ended by the other side, or by what it sent */                       \
	X(refused_timeout) /* HANDSHAKES_TIMEOUT */

/* All but `now` count from the beginning. */
struct handshakes_counters {
#define X(name) uint64_t name;
	HANDSHAKES_COUNTERS(X)
#undef X
};

struct handshakes_handler {
	/* Both sides know each other's key; the callee owns the stream, and its handler is unset.
	 */
	void (*on_done)(void *arg, struct stream *tls, const struct ipaddr *peer);
	/* It came to nothing; the connection is closed. */
	void (*on_gone)(void *arg, const struct ipaddr *peer);
};

struct handshakes;

/* identity and alpn are borrowed, handler is copied. -ERR_NOMEM. */
int handshakes_new(struct loop *loop, const struct tls_identity *identity, const char *alpn,
		   const struct handshakes_handler *handler, void *arg,
		   struct handshakes **ret_handshakes, struct err *e) MUST_CHECK;

/* NULL is fine; closes those under way, with on_gone. */
void handshakes_free(struct handshakes *h);

/* Takes the stream, whose ClientHello is unread. on_gone may come at once. */
void handshakes_add(struct handshakes *h, struct stream *stream, const struct ipaddr *peer);

/* Add the counters to *add_to. */
void handshakes_count(const struct handshakes *h, struct handshakes_counters *add_to);
