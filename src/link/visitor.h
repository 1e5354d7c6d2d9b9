/*
 * One visitor on a link: an HTTP/2 CONNECT stream, joined to a local stream (docs/protocol.md §3).
 * The link drives both: it reads the local stream only when a batch has room, and writes to it as
 * DATA arrives.
 *
 *	gateway                                          agent
 *	hub opens: CONNECT ─────────────────────────────▶ on_visitor
 *	bytes of the visitor (16 KiB until the answer) ─▶ wait here
 *	on_opened ◀────────────────────────────── 200 ── link_visitor_accept(v, local)
 *	            bytes both ways, half-close, resets
 *	on_closed                                         on_closed
 */
#pragma once

#include "net/stream.h"

struct link_visitor;

struct link_visitor_totals {
	uint64_t to_link;   /* bytes read from the local stream */
	uint64_t from_link; /* bytes written to it */
	bool reset;	    /* ended by a reset of either side, or with the link */
};

struct link_visitor_handler {
	/* Gateway: the agent answered 2xx; before on_closed of a visitor who ended in good order. NULL is
	 * fine. */
	void (*on_opened)(void *arg);
	/*
	 * Gateway: not opened; local is the callee's again with everything the visitor sent unread.
	 * r: -ERR_REFUSED (the agent answered `status`, `reason` for people), -ERR_LIMIT (as many
	 * visitors as the agent takes), -ERR_TIMEOUT (no link within the wait).
	 */
	void (*on_returned)(void *arg, struct stream *local, int r, unsigned status,
			    const char *reason);
	/* It is over; the local stream is closed. The last call. At the agent also when it was
	 * never accepted. */
	void (*on_closed)(void *arg, const struct link_visitor_totals *totals);
};

/* ── agent ── */

/* Whoever gets a visitor sets this first. */
void link_visitor_set_handler(struct link_visitor *v, const struct link_visitor_handler *handler,
			      void *arg);

/* The local side is connected: answers 200 and takes the stream. */
void link_visitor_accept(struct link_visitor *v, struct stream *local);

/* Turn away with 403, 404, 502 or 503 and a reason for the log (may be NULL). v is gone; no
 * on_closed. */
void link_visitor_refuse(struct link_visitor *v, unsigned status, const char *reason);

/* ── both ── */

/* End it now: resets both sides. v is gone; no on_closed. */
void link_visitor_abort(struct link_visitor *v);
