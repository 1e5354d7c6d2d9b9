/* What carrier.c (the connection) and visitor.c (its streams) share; nobody else includes this. */
#pragma once

#include <nghttp2/nghttp2.h>

#include "link/carrier.h"
#include "link/liveness.h"
#include "net/ndjson.h"
#include "net/sock.h"

#define FRAME_HEADER_LEN 9 /* RFC 9113 §4.1 */

#define CARRIER_STATES(X) X(OPENING) X(OPEN) X(DRAINING) X(CLOSING) X(DEAD)
enum carrier_state {
#define X(name) CARRIER_##name,
	CARRIER_STATES(X)
#undef X
};

struct carrier {
	/* configuration */
	struct loop *loop; /* borrowed */
	enum carrier_side side;
	const struct carrier_handler *handler;
	void *arg;
	struct carrier_budget budget; /* of this connection; its parent is the process's */

	/* connection */
	struct stream *transport; /* owned */
	const struct stream
		*socket;	  /* borrowed, for TCP_INFO: what is under the transport; or NULL */
	nghttp2_session *session; /* owned */
	enum carrier_state state;
	struct liveness liveness;
	struct timer deadline; /* of DRAINING and CLOSING */
	struct timer soft_end; /* visitors who end over the rate of resets: visitor_on_soft_end */
	struct defer work;     /* callbacks to the owner, then the flush */
	bool *freed;	       /* set while the owner is called back */
	bool readable;	       /* the transport has more for the next turn */
	bool got_settings, got_goaway, sent_goaway, terminated, shut;
	bool gone; /* DRAINING: the other side has closed, local sides still take what came */
	bool tell_going, told_dead;
	int dead_r;
	struct err dead_why;

	/* the batch of a flush */
	uint8_t *batch; /* LOOP_SCRATCH_PLAIN_OUT, during a flush */
	size_t batch_len, batch_limit;
	uint32_t lowat;	 /* unsent bytes that the kernel may hold */
	usec_t lowat_at; /* when that was reckoned last */
	struct buf out;	 /* what a transport other than TLS did not take */

	/* control channel */
	int32_t control_id;		    /* 0: not there yet */
	bool control_open, control_waiting; /* waiting: the data source is deferred */
	struct buf control_out, control_in;
	struct ndjson control_lines;
	size_t control_left; /* bytes that may still come; SIZE_MAX: no limit */

	/* visitors */
	struct list visitors; /* with an HTTP/2 stream */
	struct list fresh;    /* agent: on_visitor is due */
	struct list opened;   /* gateway: on_opened is due (opened_node) */
	struct list ended;    /* the last callback is due */
	unsigned n_visitors;
	double reset_tokens, resets_per_s;
	usec_t reset_at;
	usec_t rtt_at, unsent_at; /* when these were asked last */
	size_t unsent;
	unsigned rtt_us;
	struct carrier_totals totals;
};

/* A visitor's life: see visitor.h. */
struct link_visitor {
	struct list node;	 /* in one of the carrier's lists */
	struct list opened_node; /* in carrier.opened */
	struct carrier *carrier;
	int32_t id;
	struct stream *local; /* owned; NULL: not there yet, or gone */
	const struct link_visitor_handler *handler;
	void *arg;

	struct buf rx; /* came over the link, not yet taken by local */
	size_t window; /* the stream's receive window */
	size_t window_used;
	usec_t window_at; /* when this window's worth of bytes began */
	bool window_fast; /* the last one was used up in no time: it grows if local keeps up */

	struct buf replay; /* gateway, until the answer: what was sent */
	struct link_visitor_totals totals;

	unsigned status; /* gateway: of the answer; 0: none yet */
	bool answered;	 /* 2xx was received, or sent */
	bool udp;	 /* a flow: its bytes are capsules */
	bool tx_waiting; /* the data source is deferred */
	bool tx_dry;	 /* local read short: nothing there until it says so */
	bool tx_end;	 /* END_STREAM is on its way */
	bool rx_end;	 /* END_STREAM came */
	bool rx_shut;	 /* local was told */
	bool refused;	 /* gateway: the agent never saw it, or said so: open it elsewhere */
	bool discarding; /* gateway: aborted by END_STREAM; the rest is read and dropped */
	bool ended;	 /* in the list of those whose last callback is due */
	int returned;	 /* -ERR_*: on_returned is due with this; 0: on_closed */
	char *reason;	 /* owned; of a refusal */
	struct agent_request *request; /* owned; agent: what the headers said, until on_visitor */
};

/* What the headers of a visitor's stream say. */
struct agent_request {
	char service[64];
	struct forwarded who;
	bool connect, udp, control, bad;
	size_t header_bytes;
};

void carrier_schedule(struct carrier *c); /* callbacks and flush at the end of this turn */
void carrier_fail(struct carrier *c, int code, const char *fmt, ...) PRINTF(3, 4);

/* visitor.c, for carrier.c */
ssize_t visitor_read(nghttp2_session *session, int32_t id, uint8_t *unused, size_t len,
		     uint32_t *flags, nghttp2_data_source *source, void *arg);
int visitor_begin(struct carrier *c, int32_t id);
void visitor_header(struct link_visitor *v, struct str name, struct str value);
void visitor_headers_done(struct link_visitor *v);
void visitor_data(struct link_visitor *v, const uint8_t *bytes, size_t len);
void visitor_remote_end(struct link_visitor *v);
void visitor_stream_closed(struct link_visitor *v, uint32_t error);
void visitor_lost(struct link_visitor *v);   /* the connection is gone */
void visitor_finish(struct link_visitor *v); /* call the owner back the last time, and free */
void visitor_announce(struct link_visitor *v);
void visitor_on_soft_end(void *carrier);
void visitor_forget(struct link_visitor *v); /* agent: it is the control channel, no visitor */
