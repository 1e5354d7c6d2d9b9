/*
 * Heads on their way between a visitor and a local HTTP server: written anew from what was parsed,
 * without what belongs to one connection only, and with who the visitor is. Pure.
 */
#pragma once

#include "http/fields.h"
#include "http/response.h"

struct edge_rewrite {
	const char *host; /* what the local server sees as Host; NULL: what the visitor asked for */
	const char *fallback; /* Host for a visitor of HTTP/1.0 who named none */
	struct ipaddr visitor;
	const char *proto; /* "http" or "https", as the visitor speaks */
};

/*
 * The request's head, with its blank line, behind what is in `to`. Left out are: hop-by-hop fields
 * (Connection and what it names, Keep-Alive, Proxy-*, TE, Trailer, Upgrade), the framing, which is
 * written anew, and everything that claims to know the visitor (Forwarded, X-Forwarded-*,
 * X-Real-IP), also with '_' for '-', as some servers read names. -ERR_LIMIT, -ERR_NOMEM.
 */
int edge_rewrite_request(const struct httphead *head, const struct edge_rewrite *how,
			 struct buf *to) MUST_CHECK;

/* The protocol to upgrade to, if the request may ask the local server for it: one protocol, no
 * body, and not HTTP/2 or TLS, behind which requests would pass unseen. `at` NULL: none. */
struct str edge_rewrite_upgrade(const struct httphead *head);

/* The fields of the answer: without the hop-by-hop ones, the framing, and Alt-Svc. For a 101 the
 * Upgrade field stays. */
void edge_rewrite_answer(const struct http_response *r, struct http_fields *to);
