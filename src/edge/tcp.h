/* A visitor of a local TCP server: his bytes untouched. */
#pragma once

#include "edge/service.h"

/* A visitor whose stream somebody else will drive: done gets the connection to the local server.
 * As edge_open. */
int edge_tcp_open(struct edge_service *service, const struct edge_visitor *visitor,
		  void (*done)(void *arg, int r, struct stream *s, const struct err *e), void *arg,
		  struct edge_visit **ret_opening, struct err *e) MUST_CHECK;

/* Tell the local server, on a fresh connection, who the visitor is (PROXY v2); NULL: nobody, this
 * is a look whether it is there. -ERR_FAILED and what stream_write says. */
int edge_tcp_introduce(struct stream *socket, const struct ipaddr *visitor,
		       const struct sock_addr *to, struct err *e) MUST_CHECK;

/* Before done: no done will come. */
void edge_tcp_cancel(struct edge_visit *opening);

/* A visitor on his own connection: joined to the local server. Takes the stream. */
int edge_tcp_serve(struct edge_service *service, const struct edge_visitor *visitor,
		   struct stream *stream, struct err *e) MUST_CHECK;
