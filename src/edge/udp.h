/* A visitor of a local UDP server: a flow of datagrams, in capsules on the visitor's side. */
#pragma once

#include "edge/service.h"

/* A stream of capsules for somebody else to drive, over a socket of the flow's own; the callee's.
 */
int edge_udp_open(struct edge_service *service, const struct edge_visitor *visitor,
		  struct stream **ret_stream, struct err *e) MUST_CHECK;

/* The same joined to the visitor's stream of capsules, which is taken. */
int edge_udp_serve(struct edge_service *service, const struct edge_visitor *visitor,
		   struct stream *stream, struct err *e) MUST_CHECK;

/*
 * Whether a UDP socket is open at that address, from what the kernel lists; nothing is sent. For
 * addresses of this machine's loopback: 0, or -ERR_REFUSED; for all others, and when the kernel
 * does not tell, -ERR_AGAIN: not known. Blocks for as long as reading a file of /proc takes.
 */
int edge_udp_look(const struct ipaddr *at) MUST_CHECK;
