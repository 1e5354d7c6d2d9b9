/*
 * The public UDP ports of one loop: sockets, and behind each port a table of flows (front/flows.h).
 * The counterpart of a front for datagrams; it belongs to its loop's thread, but front_udp_count.
 */
#pragma once

#include "front/flows.h"
#include "net/sock.h"

struct front_udp;

/* sources is borrowed; on_visitor as in struct front_flows_handler. -ERR_NOMEM. */
int front_udp_new(struct loop *loop, struct front_sources *sources,
		  void (*on_visitor)(void *arg, const struct front_visitor *visitor), void *arg,
		  struct front_udp **ret_udp, struct err *e) MUST_CHECK;

/* Closes all ports; flows come to their end. NULL is fine. */
void front_udp_free(struct front_udp *udp);

/*
 * Take datagrams for a service at `at`, whose port is not 0. A port on several addresses has one
 * table of flows. Errors as udp_bind, -ERR_FAILED behind front_udp_stop, and -ERR_NOMEM; what the
 * port had before stays.
 */
int front_udp_listen(struct front_udp *udp, const struct ipaddr *at,
		     const struct front_route *route, struct err *e) MUST_CHECK;

/* Close the port on all its addresses, with its flows. */
void front_udp_unlisten(struct front_udp *udp, uint16_t port);

/* No new flows; those that are there go on as long as they are busy. For draining. */
void front_udp_stop(struct front_udp *udp);

/* From any thread: add this one's counters to *add_to. */
void front_udp_count(const struct front_udp *udp, struct front_udp_counters *add_to);
