/*
 * One connection of a link: HTTP/2 with reversed roles over a stream, its control channel, its
 * visitors, its liveness (docs/protocol.md §1-4). The gateway's end is the HTTP/2 client. dial and
 * hub decide about carriers; a carrier decides nothing, it reports.
 *
 *	        SETTINGS, control open     GOAWAY sent or received
 *	OPENING ──────────────────────▶ OPEN ────────────────▶ DRAINING
 *	   │                             │                        │ no visitors left, or 30 s
 *	   └─────────────┬───────────────┴────────────────────────┤ carrier_close
 *	                 │ broken, silent                         ▼
 *	                 └───────────────▶ DEAD ◀───────────── CLOSING
 *	                                  on_dead
 *
 * How bytes move: what arrives in a turn is decrypted at once and DATA goes from that buffer
 * straight into the visitors' streams. What leaves is gathered at the end of a turn: visitors'
 * streams are read right into the batch, behind their frame headers, as far as windows and the batch
 * allow; the batch is written at once. A batch is large while the line takes everything and small as
 * soon as it does not: what is encrypted cannot be overtaken.
 */
#pragma once

#include <jansson.h>

#include "link/visitor.h"
#include "proto/forwarded.h"

enum carrier_side { CARRIER_GATEWAY, CARRIER_AGENT };

#define CARRIER_STREAMS_MAX  1024		 /* the agent's SETTINGS_MAX_CONCURRENT_STREAMS */
#define CARRIER_WINDOW_START ((size_t)64 * 1024) /* of a stream */
#define CARRIER_WINDOW_MAX   ((size_t)4 * 1024 * 1024)
/* Of the connection; given back on receipt. */
#define CARRIER_WINDOW_ALL ((size_t)16 * 1024 * 1024)
#define CARRIER_FRAME_MAX  ((size_t)256 * 1024)
#define CARRIER_BATCH_MIN  ((size_t)16 * 1024)
#define CARRIER_BATCH_MAX  ((size_t)256 * 1024)
#define CARRIER_REPLAY_MAX ((size_t)16 * 1024) /* a visitor's bytes before the agent's answer */
#define CARRIER_HEADER_MAX 4096
#define CARRIER_LINE_FROM_AGENT                                                                    \
	((size_t)64 * 1024) /* of the control channel; answers may be NDJSON_LINE_MAX */
#define CARRIER_DRAIN_MAX   (30 * USEC_PER_S)
#define CARRIER_BUDGET	    ((size_t)8 * 1024 * 1024)

/* Bytes by which windows may still grow; a chain: connection, then the whole process. */
struct carrier_budget {
	size_t left;
	struct carrier_budget *parent; /* borrowed; NULL at the end */
};

struct carrier;

struct carrier_handler {
	/* The control channel is open; at the gateway also the agent's SETTINGS are known. */
	void (*on_open)(void *arg);
	/* A control message (borrowed). < 0: the other side broke the protocol; the carrier ends
	 * with e. */
	int (*on_object)(void *arg, json_t *object, struct err *e);
	/* Agent: a visitor; set its handler. */
	void (*on_visitor)(void *arg, struct link_visitor *v, const char *service,
			   const struct forwarded *who);
	/* An urgent question (carrier_ask) found no answer in 2 s. */
	void (*on_missed)(void *arg);
	/* It takes no more visitors: GOAWAY came. */
	void (*on_going)(void *arg);
	/* It is over; once, last. The owner frees it (may do so right here). r = 0: closed in good
	 * order. */
	void (*on_dead)(void *arg, int r, const struct err *why);
};

/* Takes the stream (also on failure), whose handshake is done. budget is borrowed. */
int carrier_new(struct loop *loop, enum carrier_side side, struct stream *transport,
		struct carrier_budget *budget, const struct carrier_handler *handler, void *arg,
		struct carrier **ret_carrier, struct err *e) MUST_CHECK;

/*
 * Closes the connection. Visitors that were answered end with on_closed (reset), the others at the
 * gateway with on_returned(-ERR_AGAIN), from inside this call. No on_dead. NULL is fine.
 */
void carrier_free(struct carrier *c);

/* Send a control message; takes the reference (NULL: -ERR_NOMEM). Before on_open it waits. */
int carrier_send(struct carrier *c, json_t *object) MUST_CHECK;

/* Bytes the control channel may receive in all; for keys that are not known yet. 0: no limit. */
void carrier_limit_control(struct carrier *c, size_t bytes);

/* How many RST_STREAM a second the agent bears; the burst is 30 times that. Gateway; default 30. */
void carrier_set_resets(struct carrier *c, unsigned per_s);

/*
 * Gateway: open a visitor; takes local unless it fails. who->proto "udp": a flow, whose local
 * stream speaks capsules. -ERR_LIMIT: as many as the agent takes; -ERR_REFUSED: a flow, and the
 * agent takes none; -ERR_AGAIN: this carrier takes none (any more); -ERR_NOMEM. on_returned gets r
 * = -ERR_AGAIN too: try another carrier.
 */
int carrier_open(struct carrier *c, const char *service, const struct forwarded *who,
		 struct stream *local, const struct link_visitor_handler *handler, void *arg,
		 struct link_visitor **ret_visitor, struct err *e) MUST_CHECK;

/*
 * Gateway: take a visitor back whom the agent has not answered for, or all of them: on_returned(r)
 * follows. Nothing once it has answered.
 */
void carrier_withdraw(struct link_visitor *v, int r);
void carrier_withdraw_all(struct carrier *c, int r);

/* carrier_ask for the one that has this visitor. */
void carrier_ask_for(struct link_visitor *v);

/* Agent: no more visitors on this one (GOAWAY); those who are there finish, CARRIER_DRAIN_MAX at
 * most, then on_dead. */
void carrier_drain(struct carrier *c);

/* Agent: end the flows of UDP now: they have no last byte to wait for, and the next datagram begins
 * a new one elsewhere. */
void carrier_end_flows(struct carrier *c);

/* After what is queued: GOAWAY, close, on_dead (r = 0). Visitors are reset. */
void carrier_close(struct carrier *c);

/* Is the other side there? Ask now: on_missed after 2 s, on_dead after 10 s without a sign. */
void carrier_ask(struct carrier *c);

bool carrier_takes_visitors(const struct carrier *c);
/* An urgent question was missed, and nothing has come since. */
bool carrier_is_doubtful(const struct carrier *c);
bool carrier_has_room(const struct carrier *c);	 /* fewer visitors than the agent takes at once */
bool carrier_takes_udp(const struct carrier *c); /* gateway, from on_open on */
unsigned carrier_visitors(const struct carrier *c);
size_t carrier_unsent(struct carrier *c); /* here and in the kernel; asked once a turn */
unsigned carrier_rtt_us(const struct carrier *c);
void carrier_local(const struct carrier *c, struct ipaddr *ret); /* family 0: not known */

struct carrier_totals {
	uint64_t visitors, to_link, from_link;
};
void carrier_totals(const struct carrier *c, struct carrier_totals *add_to);
