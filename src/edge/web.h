/* A visitor of a folder or a local HTTP server: the server's side of his connection. */
#pragma once

#include "edge/service.h"

/* Serve him; takes the stream. -ERR_NOMEM: the stream is reset. */
int edge_web_start(struct edge_service *service, const struct edge_visitor *visitor,
		   struct stream *stream, struct err *e) MUST_CHECK;

/* Whether one of the service's names covers `host` (lower case, no port). No names: any does. */
bool edge_web_host_allowed(const struct edge_service *service, const char *host);
