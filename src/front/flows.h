/*
 * The flows of one public UDP port: who speaks with the service, each by a stream of capsules
 * (net/dgram.h) that is handed over like any visitor's. A flow is a visitor's address and port, and
 * the address of ours that he sent to.
 *
 *	       datagram of somebody new                 answer
 *	(none) ────────────────────────▶ UNANSWERED ─────────────▶ ANSWERED
 *	   ▲                                 │ 30 s idle, or displaced  │ 120 s idle
 *	   └─────────────────────────────────┴──────────────────────────┘ or its stream was closed
 *
 * Bounded: FRONT_FLOWS_MAX flows, each with one queue that exists only while it holds bytes, and
 * new ones of a source within its limits (front/sources.h). When all places are taken the oldest
 * flow without an answer makes room, once it is FRONT_FLOWS_YOUNG old; so strangers with invented
 * addresses do not disturb who has an answer, and cost no more than as many new streams a second.
 * A source has FRONT_FLOWS_PER_SOURCE_MAX of the places: its next flow costs it the one that has
 * been idle for longest, answered or not, once that has been idle for FRONT_FLOWS_YOUNG.
 * Nothing is ever sent that did not come from the service.
 */
#pragma once

#include "front/front.h"
#include "net/udp.h"

#define FRONT_FLOWS_MAX		   256
#define FRONT_FLOWS_PER_SOURCE_MAX 64
#define FRONT_FLOWS_UNANSWERED	   (30 * USEC_PER_S)  /* idle, then it ends */
#define FRONT_FLOWS_ANSWERED	   (120 * USEC_PER_S) /* the same, once there was an answer */
#define FRONT_FLOWS_YOUNG	   (1 * USEC_PER_S)   /* to get an answer */
#define FRONT_FLOWS_STOPPED	   (2 * USEC_PER_S)   /* idle, behind front_flows_stop */

#define FRONT_UDP_COUNTERS(X)                                                                      \
	X(flows)	 /* now */                                                                 \
	X(flows_total)	 /* since the start */                                                     \
	X(datagrams_in)	 /* handed on to agents */                                                 \
	X(datagrams_out) /* sent to visitors */                                                    \
	X(dropped_full)	 /* the link takes no more now, or the network towards the visitor */      \
	X(dropped_limit) /* no new flow: a limit of the source, or its or all places are taken */

/* Atomic. */
struct front_udp_counters {
#define X(name) uint64_t name;
	FRONT_UDP_COUNTERS(X)
#undef X
};

struct front_flows_handler {
	/* A new flow, kind FRONT_UDP. It counts with its source, as a connection does: whoever
	 * takes it calls front_sources_leave_flow when its stream is closed. */
	void (*on_visitor)(void *arg, const struct front_visitor *visitor);
	/* Datagrams for a visitor, out of `via` and from `local`: how many were sent. */
	unsigned (*send)(void *arg, void *via, const struct ipaddr *peer,
			 const struct ipaddr *local, const struct iovec *list, unsigned n);
};

struct front_flows_config {
	struct front_sources *sources;	     /* borrowed */
	struct front_udp_counters *counters; /* borrowed */
	struct front_route route;	     /* of all its visitors */
	uint16_t port;
};

struct front_flows;

/* handler and arg are borrowed. -ERR_NOMEM. */
int front_flows_new(struct loop *loop, const struct front_flows_config *config,
		    const struct front_flows_handler *handler, void *arg,
		    struct front_flows **ret_flows, struct err *e) MUST_CHECK;

/* Ends all flows: their streams come to an end. NULL is fine. */
void front_flows_free(struct front_flows *flows);

/* No new flows from now on, and those there are end when they are idle for a moment: whoever comes
 * back to the next process loses nothing. */
void front_flows_stop(struct front_flows *flows);

/* A datagram came in by `via`. */
void front_flows_take(struct front_flows *flows, void *via, const struct udp_datagram *d);
