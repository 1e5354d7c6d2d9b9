/*
 * A visitor's requests to a local HTTP server: one connection to it for one connection of his, kept
 * open between his requests.
 */
#pragma once

#include "edge/service.h"
#include "http/exchange.h"

struct edge_forward;

/* service and visitor are borrowed. NULL without memory. */
struct edge_forward *edge_forward_new(struct edge_service *service,
				      const struct edge_visitor *visitor);
void edge_forward_free(struct edge_forward *f); /* NULL is fine */

/* on_request, on_ready and on_end of the visitor's server. */
void edge_forward_start(struct edge_forward *f, struct http_exchange *x);
void edge_forward_ready(struct edge_forward *f);
void edge_forward_end(struct edge_forward *f);

/* What went wrong at home with the present request, or NULL. */
const char *edge_forward_note(const struct edge_forward *f);
