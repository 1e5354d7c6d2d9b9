#include "link/carrier.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "link/carrier_private.h"
#include "net/tls.h"

#define CONTROL_PATH	  "/homeport/v1/control"
#define CONTROL_TYPE	  "application/x-ndjson"
#define CONTROL_OUT_MAX	  ((size_t)1024 * 1024)
#define CONTROL_FRAME_MAX ((size_t)8 * 1024)
#define LOWAT_SPAN	  (2 * USEC_PER_MS)
#define LOWAT_EVERY	  (10 * USEC_PER_MS)
#define CLOSING_MAX	  (5 * USEC_PER_S)

static const char *carrier_state_name(enum carrier_state state)
{
	static const char *const names[] = {
#define X(name) [CARRIER_##name] = #name,
		CARRIER_STATES(X)
#undef X
	};

	return names[state];
}

/* The one place where the state changes; sets the deadline that belongs to it. */
static void set_state(struct carrier *c, enum carrier_state to, const char *why)
{
	if (to <= c->state) /* it only goes on: a late GOAWAY does not open what is closing */
		return;
	log_debug("carrier: %s -> %s (%s)", carrier_state_name(c->state), carrier_state_name(to),
		  why);
	c->state = to;
	switch (to) {
	case CARRIER_OPENING:
	case CARRIER_OPEN:
		break;
	case CARRIER_DRAINING:
		timer_start(&c->deadline, CARRIER_DRAIN_MAX);
		break;
	case CARRIER_CLOSING:
		timer_start(&c->deadline, CLOSING_MAX);
		break;
	case CARRIER_DEAD:
		timer_stop(&c->deadline);
		timer_stop(&c->soft_end);
		liveness_stop(&c->liveness);
		break;
	}
	carrier_schedule(c);
}

void carrier_schedule(struct carrier *c)
{
	defer_call(&c->work);
}

static void die(struct carrier *c, int r, const struct err *why)
{
	if (c->state == CARRIER_DEAD)
		return;
	c->dead_r = c->state == CARRIER_CLOSING ? 0 : r;
	if (why)
		c->dead_why = *why;
	set_state(c, CARRIER_DEAD, c->dead_why.text);
}

void carrier_fail(struct carrier *c, int code, const char *fmt, ...)
{
	struct err why = {.code = code};
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why.text, sizeof(why.text), fmt, ap);
	va_end(ap);
	die(c, -code, &why);
}

/* ── liveness ── */

static void live_ping(void *arg)
{
	struct carrier *c = arg;

	nghttp2_submit_ping(c->session, NGHTTP2_FLAG_NONE, NULL);
	carrier_schedule(c);
}

static uint64_t live_acked(void *arg, bool *ret_pending)
{
	struct carrier *c = arg;
	struct sock_info info;

	*ret_pending = false;
	if (!c->socket)
		return 0;
	sock_stream_info(c->socket, &info);
	*ret_pending = info.pending;
	return info.bytes_acked;
}

static void live_missed(void *arg)
{
	struct carrier *c = arg;

	if (c->handler->on_missed)
		c->handler->on_missed(c->arg);
}

static void live_dead(void *arg)
{
	carrier_fail(arg, ERR_TIMEOUT, "nothing was heard for 10 s");
}

static const struct liveness_handler live_handler = {live_ping, live_acked, live_missed, live_dead};

/* ── control channel ── */

static ssize_t control_read(nghttp2_session *session, int32_t id, uint8_t *to, size_t len,
			    uint32_t *flags, nghttp2_data_source *source, void *arg)
{
	struct carrier *c = arg;
	size_t n = MIN(len, buf_len(&c->control_out));

	n = MIN(n, CARRIER_BATCH_MIN); /* small enough for any batch */
	if (n == 0) {
		c->control_waiting = true;
		return NGHTTP2_ERR_DEFERRED;
	}
	memcpy(to, buf_head(&c->control_out), n);
	buf_consume(&c->control_out, n);
	buf_release_if_empty(&c->control_out);
	return (ssize_t)n;
}

static const nghttp2_data_provider control_source = {.read_callback = control_read};

static nghttp2_nv header(const char *name, const char *value)
{
	return (nghttp2_nv){.name = (uint8_t *)name,
			    .value = (uint8_t *)value,
			    .namelen = strlen(name),
			    .valuelen = strlen(value)};
}

int carrier_send(struct carrier *c, json_t *object)
{
	size_t before = buf_len(&c->control_out);
	int r = object ? ndjson_append(&c->control_out, object) : -ERR_NOMEM;

	json_decref(object);
	if (r < 0)
		return r;
	if (c->side == CARRIER_AGENT &&
	    buf_len(&c->control_out) - before > CARRIER_LINE_FROM_AGENT + 1) {
		c->control_out.tail = c->control_out.head + before;
		return -ERR_LIMIT;
	}
	if (c->control_waiting && c->session) {
		c->control_waiting = false;
		nghttp2_session_resume_data(c->session, c->control_id);
	}
	carrier_schedule(c);
	return 0;
}

void carrier_limit_control(struct carrier *c, size_t bytes)
{
	c->control_left = bytes ? bytes : SIZE_MAX;
}

static void control_data(struct carrier *c, const uint8_t *bytes, size_t len)
{
	nghttp2_session_consume_stream(c->session, c->control_id, len);
	if (len > c->control_left) {
		carrier_fail(c, ERR_LIMIT, "too many bytes on the control channel");
		return;
	}
	if (c->control_left != SIZE_MAX)
		c->control_left -= len;
	if (buf_append(&c->control_in, bytes, len) < 0)
		carrier_fail(c, ERR_LIMIT, "control messages come faster than they are worked off");
}

/* Gateway: ask for the control channel at once; the agent answers when it likes. */
static int control_request(struct carrier *c)
{
	nghttp2_nv headers[] = {header(":method", "POST"), header(":scheme", "https"),
				header(":authority", "homeport"), header(":path", CONTROL_PATH),
				header("content-type", CONTROL_TYPE)};

	c->control_id = nghttp2_submit_request(c->session, NULL, headers, ARRAY_LEN(headers),
					       &control_source, NULL);
	return c->control_id < 0 ? -ERR_NOMEM : 0;
}

/* Agent: the gateway asked for it. */
static void control_respond(struct carrier *c, int32_t id)
{
	nghttp2_nv headers[] = {header(":status", "200"), header("content-type", CONTROL_TYPE)};

	c->control_id = id;
	nghttp2_submit_response(c->session, id, headers, ARRAY_LEN(headers), &control_source);
	c->control_open = true;
	carrier_schedule(c);
}

/* ── what nghttp2 reports ── */

static struct link_visitor *visitor_of(struct carrier *c, int32_t id)
{
	return id == c->control_id ? NULL : nghttp2_session_get_stream_user_data(c->session, id);
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	struct carrier *c = arg;

	if (c->side == CARRIER_GATEWAY || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
		return 0;
	return visitor_begin(c, frame->hd.stream_id) < 0 ? NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE
							 : 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
		     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
		     void *arg)
{
	struct carrier *c = arg;
	struct link_visitor *v = visitor_of(c, frame->hd.stream_id);
	struct str n = str_n((const char *)name, name_len),
		   text = str_n((const char *)value, value_len);

	/* The control request is the gateway's only one with a path; it is no visitor after all. */
	if (c->side == CARRIER_AGENT && v && v->request && str_eq(n, STR(":path")) &&
	    str_eq(text, STR(CONTROL_PATH)))
		v->request->control = true;
	else if (v)
		visitor_header(v, n, text);
	return 0;
}

static void control_headers(struct carrier *c, const nghttp2_frame *frame)
{
	/* Gateway: whatever the agent answers but 200 ends the stream sooner or later, and with it
	 * the carrier. */
	if (!(frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
		c->control_open = true;
	carrier_schedule(c);
}

static void on_headers(struct carrier *c, const nghttp2_frame *frame)
{
	int32_t id = frame->hd.stream_id;
	struct link_visitor *v = visitor_of(c, id);

	if (c->side == CARRIER_GATEWAY && id == c->control_id) {
		control_headers(c, frame);
		return;
	}
	if (!v)
		return;
	if (v->request && v->request->control) {
		bool first = c->control_id == 0;

		visitor_forget(v);
		if (first)
			control_respond(c, id);
		else
			nghttp2_submit_rst_stream(c->session, NGHTTP2_FLAG_NONE, id,
						  NGHTTP2_REFUSED_STREAM);
		return;
	}
	visitor_headers_done(v);
}

static int on_frame_recv(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	struct carrier *c = arg;
	struct link_visitor *v;

	switch (frame->hd.type) {
	case NGHTTP2_HEADERS:
		on_headers(c, frame);
		break;
	case NGHTTP2_GOAWAY:
		c->got_goaway = c->tell_going = true;
		set_state(c, CARRIER_DRAINING, "the other side says goodbye");
		carrier_schedule(c);
		return 0;
	case NGHTTP2_SETTINGS:
		c->got_settings |= !(frame->hd.flags & NGHTTP2_FLAG_ACK);
		carrier_schedule(c);
		return 0;
	default:
		break;
	}
	if ((frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA) &&
	    frame->hd.flags & NGHTTP2_FLAG_END_STREAM) {
		v = visitor_of(c, frame->hd.stream_id);
		if (v)
			visitor_remote_end(v);
		else if (frame->hd.stream_id == c->control_id)
			carrier_fail(c, ERR_RESET, "the other side closed the control channel");
	}
	return 0;
}

static int on_frame_not_send(nghttp2_session *session, const nghttp2_frame *frame, int error,
			     void *arg)
{
	struct carrier *c = arg;
	struct link_visitor *v = visitor_of(c, frame->hd.stream_id);

	if (v && frame->hd.type == NGHTTP2_HEADERS)
		v->refused = true;
	return 0;
}

static int on_data_chunk(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *bytes,
			 size_t len, void *arg)
{
	struct carrier *c = arg;
	struct link_visitor *v;

	nghttp2_session_consume_connection(session, len);
	if (id == c->control_id) {
		control_data(c, bytes, len);
		return 0;
	}
	v = visitor_of(c, id);
	if (v)
		visitor_data(v, bytes, len);
	return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t error, void *arg)
{
	struct carrier *c = arg;
	struct link_visitor *v = visitor_of(c, id);

	if (v)
		visitor_stream_closed(v, error);
	else if (id == c->control_id && c->state < CARRIER_DRAINING)
		carrier_fail(c, ERR_RESET, "the other side closed the control channel");
	carrier_schedule(c);
	return 0;
}

/* ── the batch ── */

static ssize_t on_send(nghttp2_session *session, const uint8_t *bytes, size_t len, int flags,
		       void *arg)
{
	struct carrier *c = arg;

	if (c->batch_len + len > LOOP_SCRATCH_LEN)
		return NGHTTP2_ERR_WOULDBLOCK;
	memcpy(c->batch + c->batch_len, bytes, len);
	c->batch_len += len;
	return (ssize_t)len;
}

/* The payload is in the batch already (visitor_read); its frame header goes in front of it. */
static int on_send_data(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *frame_header,
			size_t len, nghttp2_data_source *source, void *arg)
{
	struct carrier *c = arg;

	memcpy(c->batch + c->batch_len, frame_header, FRAME_HEADER_LEN);
	c->batch_len += FRAME_HEADER_LEN + len;
	return 0;
}

static ssize_t on_frame_length(nghttp2_session *session, uint8_t type, int32_t id,
			       int32_t connection_window, int32_t stream_window, uint32_t max_frame,
			       void *arg)
{
	struct carrier *c = arg;
	/* nghttp2 keeps a buffer as long as the longest frame it was allowed; that of a session
	 * that carries nobody stays small. */
	size_t limit = id == c->control_id ? CONTROL_FRAME_MAX : CARRIER_FRAME_MAX;
	int32_t most = (int32_t)MIN(max_frame, (uint32_t)limit);

	return MAX(1, MIN(most, MIN(connection_window, stream_window)));
}

/* Whether the transport takes more now; otherwise it tells when. */
static bool transport_takes(struct carrier *c)
{
	struct err e = {0};
	ssize_t n;

	while (buf_len(&c->out)) {
		n = stream_write(c->transport, buf_head(&c->out), buf_len(&c->out), &e);
		if (n > 0)
			buf_consume(&c->out, (size_t)n);
		else
			goto stopped;
	}
	buf_release_if_empty(&c->out);
	n = stream_write(c->transport, "", 0, &e);
	if (n >= 0)
		return true;
stopped:
	if (n != -ERR_AGAIN)
		die(c, (int)n, &e);
	return false;
}

/*
 * How much the kernel may hold unsent: a batch, and what leaves in LOWAT_SPAN, since it asks for
 * more when half is gone. A TCP that often runs dry never learns how fast the line is: BBR takes
 * its sender for idle and goes on starting up, at thrice the line's rate.
 */
static void set_lowat(struct carrier *c)
{
	struct sock_info info;
	size_t lowat = c->batch_limit;

	if (!c->socket)
		return;
	c->lowat_at = loop_now(c->loop);
	sock_stream_info(c->socket, &info);
	lowat = MAX(lowat, MIN(info.pacing_Bps / (USEC_PER_S / LOWAT_SPAN), CARRIER_BATCH_MAX));
	if (lowat == c->lowat)
		return;
	c->lowat = (uint32_t)lowat;
	sock_stream_set_lowat((struct stream *)c->socket, c->lowat);
}

static void set_batch_limit(struct carrier *c, size_t limit)
{
	if (limit == c->batch_limit && loop_now(c->loop) - c->lowat_at < LOWAT_EVERY)
		return;
	c->batch_limit = limit;
	set_lowat(c);
}

/* Make one batch and write it. False: nothing more to do now. */
static bool flush_batch(struct carrier *c)
{
	struct err e = {0};
	ssize_t n;
	int r;

	if (!transport_takes(c)) {
		set_batch_limit(c, CARRIER_BATCH_MIN);
		return false;
	}
	c->batch = loop_scratch(c->loop, LOOP_SCRATCH_PLAIN_OUT);
	c->batch_len = 0;
	r = nghttp2_session_send(c->session);
	if (r != 0) {
		carrier_fail(c, ERR_FAILED, "HTTP/2: %s", nghttp2_strerror(r));
		return false;
	}
	if (c->batch_len == 0)
		return false;
	n = stream_write(c->transport, c->batch, c->batch_len, &e);
	if (n < 0 && n != -ERR_AGAIN) {
		die(c, (int)n, &e);
		return false;
	}
	n = MAX(n, 0);
	if ((size_t)n < c->batch_len &&
	    buf_append(&c->out, c->batch + n, c->batch_len - (size_t)n) < 0) {
		carrier_fail(c, ERR_NOMEM, "out of memory");
		return false;
	}
	if (c->batch_len + CARRIER_BATCH_MIN < c->batch_limit + FRAME_HEADER_LEN)
		return nghttp2_session_want_write(c->session);
	if (stream_write(c->transport, "", 0, NULL) >= 0)
		set_batch_limit(c, MIN(c->batch_limit * 2, CARRIER_BATCH_MAX));
	return true;
}

/* One full batch a turn, so that reading and the other carriers get their turn too. */
static void flush(struct carrier *c)
{
	if (c->state != CARRIER_DEAD && flush_batch(c))
		carrier_schedule(c);
}

/*
 * The other side has closed. Streams that are whole may still have bytes that their local sides are
 * slow to take: these get the rest of CARRIER_DRAIN_MAX. False: there are none.
 */
static bool finish_alone(struct carrier *c)
{
	struct link_visitor *v, *next;

	if (c->state != CARRIER_DRAINING)
		return false;
	list_for_each_safe (v, next, &c->visitors, node)
		if (v->id)
			visitor_lost(v);
	if (c->n_visitors == 0)
		return false;
	c->gone = true;
	liveness_stop(&c->liveness);
	return true;
}

static void receive(struct carrier *c)
{
	uint8_t *scratch = loop_scratch(c->loop, LOOP_SCRATCH_PLAIN_IN);
	struct err e = {0};
	ssize_t n = stream_read(c->transport, scratch, LOOP_SCRATCH_LEN, &e);

	c->readable = n == (ssize_t)LOOP_SCRATCH_LEN;
	if (n == -ERR_AGAIN)
		return;
	if (n == 0 && finish_alone(c))
		return;
	if (n <= 0) {
		if (n == 0)
			err_set(&e, ERR_RESET, "the other side closed the connection");
		die(c, n < 0 ? (int)n : -ERR_RESET, &e);
		return;
	}
	liveness_heard(&c->liveness);
	n = nghttp2_session_mem_recv(c->session, scratch, (size_t)n);
	if (n < 0)
		carrier_fail(c, ERR_INVALID, "HTTP/2: %s", nghttp2_strerror((int)n));
	carrier_schedule(c);
}

static void on_transport(void *arg, unsigned events)
{
	struct carrier *c = arg;

	if (c->state == CARRIER_DEAD)
		return;
	if (events & STREAM_READABLE)
		receive(c);
	if (events & STREAM_WRITABLE)
		carrier_schedule(c);
}

/* ── the work at the end of a turn ── */

static int on_control_object(void *arg, json_t *object, struct err *e)
{
	struct carrier *c = arg;
	bool *freed = c->freed;
	int r = c->handler->on_object(c->arg, object, e);

	return *freed ? -ERR_RESET : r;
}

/* Each of these calls the owner back and says whether the carrier is still there. */
static bool tell_control(struct carrier *c, bool *freed)
{
	AUTO(buf_donep) struct buf in = c->control_in;
	struct err e = {0};
	int r;

	buf_init(&c->control_in, CONTROL_OUT_MAX);
	if (buf_len(&in) == 0)
		return true;
	r = ndjson_feed(&c->control_lines, buf_head(&in), buf_len(&in), on_control_object, c, &e);
	if (*freed)
		return false;
	if (r < 0 && c->state != CARRIER_DEAD) {
		nghttp2_session_terminate_session(c->session, NGHTTP2_PROTOCOL_ERROR);
		flush_batch(c);
		err_wrap(&e, r, "control channel");
		die(c, r, &e);
	}
	return true;
}

static bool tell_visitors(struct carrier *c, bool *freed)
{
	while (!list_empty(&c->fresh)) {
		visitor_announce(list_entry(c->fresh.next, struct link_visitor, node));
		if (*freed)
			return false;
	}
	while (!list_empty(&c->ended)) {
		struct link_visitor *v = list_entry(c->ended.next, struct link_visitor, node);

		list_remove(&v->node);
		visitor_finish(v);
		if (*freed)
			return false;
	}
	return true;
}

/* The answers that came in this turn. */
static bool tell_opened(struct carrier *c, bool *freed)
{
	while (!list_empty(&c->opened)) {
		struct link_visitor *v =
			list_entry(c->opened.next, struct link_visitor, opened_node);

		list_remove(&v->opened_node);
		if (v->handler && v->handler->on_opened)
			v->handler->on_opened(v->arg);
		if (*freed)
			return false;
	}
	return true;
}

static void maybe_close(struct carrier *c)
{
	if (c->gone) {
		if (c->n_visitors == 0)
			die(c, 0, NULL);
		return;
	}
	if (c->state == CARRIER_DRAINING && c->n_visitors == 0 && c->got_goaway &&
	    c->side == CARRIER_GATEWAY)
		carrier_close(c);
	if (c->state == CARRIER_DRAINING && c->n_visitors == 0 && c->sent_goaway)
		carrier_close(c);
	if (c->state != CARRIER_CLOSING || c->terminated || buf_len(&c->control_out))
		return;
	c->terminated = true;
	nghttp2_session_terminate_session(c->session, NGHTTP2_NO_ERROR);
}

/* Closing is done when everything is written and the other side has closed too (or CLOSING_MAX is
 * over). */
static void finish_closing(struct carrier *c)
{
	if (c->state != CARRIER_CLOSING || !c->terminated ||
	    nghttp2_session_want_write(c->session) || buf_len(&c->out) || c->shut)
		return;
	c->shut = true;
	if (stream_shutdown(c->transport, NULL) < 0)
		carrier_fail(c, ERR_RESET, "closing");
}

/* nghttp2 found an error for which it ends the connection: its GOAWAY is out, and it deals with
 * nothing any more. */
static bool session_is_over(struct carrier *c)
{
	return !nghttp2_session_want_read(c->session) && !nghttp2_session_want_write(c->session);
}

static void on_work(void *arg)
{
	struct carrier *c = arg;
	bool freed = false;

	c->freed = &freed;
	if (c->readable && c->state != CARRIER_DEAD)
		receive(c);
	if (c->state == CARRIER_OPENING && c->control_open && c->got_settings) {
		set_state(c, CARRIER_OPEN, "control channel is open");
		c->handler->on_open(c->arg);
		if (freed)
			return;
	}
	if (!tell_control(c, &freed)) /* also what came right before the end */
		return;
	if (!tell_opened(c, &freed) || !tell_visitors(c, &freed))
		return;
	if (c->tell_going && c->handler->on_going) {
		c->tell_going = false;
		c->handler->on_going(c->arg);
		if (freed)
			return;
	}
	if (c->state != CARRIER_DEAD)
		maybe_close(c);
	if (c->state != CARRIER_DEAD && !c->gone)
		flush(c);
	if (c->state < CARRIER_CLOSING && session_is_over(c))
		carrier_fail(c, ERR_INVALID, "HTTP/2: the other side broke its rules");
	if (c->state == CARRIER_CLOSING && !c->terminated && buf_len(&c->control_out) == 0)
		carrier_schedule(c); /* the last words are out now: GOAWAY is next */
	if (c->state != CARRIER_DEAD)
		finish_closing(c);
	if (!tell_visitors(c, &freed))
		return;
	c->freed = NULL;
	if (c->state == CARRIER_DEAD && !c->told_dead) {
		c->told_dead = true;
		c->handler->on_dead(c->arg, c->dead_r, &c->dead_why);
	}
}

/* ── life ── */

static void on_deadline(void *arg)
{
	struct carrier *c = arg;

	if (c->state == CARRIER_DRAINING)
		carrier_close(c);
	else
		carrier_fail(c, ERR_TIMEOUT, "closing took too long");
}

static int session_new(struct carrier *c)
{
	nghttp2_session_callbacks *callbacks = NULL;
	nghttp2_option *option = NULL;
	int r = -ERR_NOMEM;

	if (nghttp2_session_callbacks_new(&callbacks) != 0 || nghttp2_option_new(&option) != 0)
		goto out;
	nghttp2_session_callbacks_set_send_callback(callbacks, on_send);
	nghttp2_session_callbacks_set_send_data_callback(callbacks, on_send_data);
	nghttp2_session_callbacks_set_data_source_read_length_callback(callbacks, on_frame_length);
	nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame_recv);
	nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks, on_frame_not_send);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data_chunk);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
	nghttp2_option_set_no_auto_window_update(option, 1);
	nghttp2_option_set_no_closed_streams(option, 1);
	/* The gateway is trusted with resets: a thousand impatient visitors are no attack. */
	nghttp2_option_set_stream_reset_rate_limit(option, 1000000, 1000000);
	if (c->side == CARRIER_GATEWAY)
		r = nghttp2_session_client_new2(&c->session, callbacks, c, option);
	else
		r = nghttp2_session_server_new2(&c->session, callbacks, c, option);
	r = r == 0 ? 0 : -ERR_NOMEM;
out:
	nghttp2_session_callbacks_del(callbacks);
	nghttp2_option_del(option);
	return r;
}

static int session_start(struct carrier *c)
{
	const nghttp2_settings_entry agent[] = {
		{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, CARRIER_STREAMS_MAX},
		{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, CARRIER_WINDOW_START},
		{NGHTTP2_SETTINGS_MAX_FRAME_SIZE, CARRIER_FRAME_MAX},
		{NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, CARRIER_HEADER_MAX},
		{NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1},
	};
	const nghttp2_settings_entry gateway[] = {
		{NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
		{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, CARRIER_WINDOW_START},
		{NGHTTP2_SETTINGS_MAX_FRAME_SIZE, CARRIER_FRAME_MAX},
		{NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, CARRIER_HEADER_MAX},
	};
	bool is_agent = c->side == CARRIER_AGENT;

	if (nghttp2_submit_settings(c->session, NGHTTP2_FLAG_NONE, is_agent ? agent : gateway,
				    is_agent ? ARRAY_LEN(agent) : ARRAY_LEN(gateway)) != 0 ||
	    nghttp2_session_set_local_window_size(c->session, NGHTTP2_FLAG_NONE, 0,
						  (int32_t)CARRIER_WINDOW_ALL) != 0)
		return -ERR_NOMEM;
	return is_agent ? 0 : control_request(c);
}

int carrier_new(struct loop *loop, enum carrier_side side, struct stream *transport,
		struct carrier_budget *budget, const struct carrier_handler *handler, void *arg,
		struct carrier **ret_carrier, struct err *e)
{
	struct carrier *c = calloc(1, sizeof(*c));

	if (!c) {
		stream_close(transport);
		return err_set(e, ERR_NOMEM, "link connection");
	}
	c->loop = loop;
	c->side = side;
	c->handler = handler;
	c->arg = arg;
	c->budget = (struct carrier_budget){CARRIER_BUDGET, budget};
	c->transport = transport;
	c->socket = tls_stream_lower(transport);
	c->control_left = SIZE_MAX;
	c->resets_per_s = 30;
	c->reset_tokens = 30 * 30;
	c->reset_at = loop_now(loop);
	list_init(&c->visitors);
	list_init(&c->fresh);
	list_init(&c->opened);
	list_init(&c->ended);
	buf_init(&c->control_out, CONTROL_OUT_MAX);
	buf_init(&c->control_in, CONTROL_OUT_MAX);
	ndjson_init(&c->control_lines,
		    side == CARRIER_GATEWAY ? CARRIER_LINE_FROM_AGENT : NDJSON_LINE_MAX);
	defer_init(&c->work, loop, on_work, c);
	timer_init(&c->deadline, loop, on_deadline, c);
	timer_init(&c->soft_end, loop, visitor_on_soft_end, c);
	liveness_init(&c->liveness, loop, &live_handler, c);
	if (session_new(c) < 0 || session_start(c) < 0) {
		carrier_free(c);
		return err_set(e, ERR_NOMEM, "link connection");
	}
	c->batch_limit = CARRIER_BATCH_MAX;
	set_batch_limit(c, CARRIER_BATCH_MIN);
	stream_set_handler(transport, on_transport, c);
	liveness_start(&c->liveness);
	c->readable = true; /* whoever takes a stream over tries first */
	carrier_schedule(c);
	*ret_carrier = c;
	return 0;
}

static void lose_visitors(struct list *list)
{
	while (!list_empty(list))
		visitor_lost(list_entry(list->next, struct link_visitor, node));
}

void carrier_free(struct carrier *c)
{
	if (!c)
		return;
	if (c->freed)
		*c->freed = true;
	c->state = CARRIER_DEAD;
	timer_stop(&c->deadline);
	timer_stop(&c->soft_end);
	liveness_stop(&c->liveness);
	stream_close(c->transport);
	nghttp2_session_del(c->session);
	c->session = NULL;
	lose_visitors(&c->fresh);
	lose_visitors(&c->visitors);
	while (!list_empty(&c->ended)) {
		struct link_visitor *v = list_entry(c->ended.next, struct link_visitor, node);

		list_remove(&v->node);
		visitor_finish(v);
	}
	defer_cancel(&c->work);
	buf_done(&c->out);
	buf_done(&c->control_out);
	buf_done(&c->control_in);
	ndjson_done(&c->control_lines);
	free(c);
}

void carrier_drain(struct carrier *c)
{
	if (c->state >= CARRIER_CLOSING || c->sent_goaway)
		return;
	c->sent_goaway = true;
	nghttp2_submit_goaway(c->session, NGHTTP2_FLAG_NONE,
			      nghttp2_session_get_last_proc_stream_id(c->session), NGHTTP2_NO_ERROR,
			      NULL, 0);
	set_state(c, CARRIER_DRAINING, "we say goodbye");
	carrier_schedule(c);
}

void carrier_close(struct carrier *c)
{
	if (c->state >= CARRIER_CLOSING)
		return;
	set_state(c, CARRIER_CLOSING, "closing");
	lose_visitors(&c->fresh);
	lose_visitors(&c->visitors);
}

void carrier_ask(struct carrier *c)
{
	if (c->state < CARRIER_CLOSING)
		liveness_ask(&c->liveness);
}

void carrier_set_resets(struct carrier *c, unsigned per_s)
{
	c->resets_per_s = per_s;
	c->reset_tokens = (double)per_s * 30;
}

bool carrier_is_doubtful(const struct carrier *c)
{
	return liveness_is_doubtful(&c->liveness);
}

bool carrier_has_room(const struct carrier *c)
{
	return c->n_visitors + 1 < nghttp2_session_get_remote_settings(
					   c->session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
}

bool carrier_takes_visitors(const struct carrier *c)
{
	return c->state == CARRIER_OPEN &&
	       nghttp2_session_get_next_stream_id(c->session) < INT32_MAX - 2;
}

bool carrier_takes_udp(const struct carrier *c)
{
	return nghttp2_session_get_remote_settings(c->session,
						   NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL) == 1;
}

unsigned carrier_visitors(const struct carrier *c)
{
	return c->n_visitors;
}

size_t carrier_unsent(struct carrier *c)
{
	usec_t now = loop_now(c->loop);

	if (c->unsent_at != now) {
		c->unsent = buf_len(&c->out) + stream_unsent(c->transport);
		c->unsent_at = now;
	}
	return c->unsent;
}

unsigned carrier_rtt_us(const struct carrier *c)
{
	struct sock_info info = {0};

	if (c->socket)
		sock_stream_info(c->socket, &info);
	return info.rtt_us;
}

void carrier_local(const struct carrier *c, struct ipaddr *ret)
{
	*ret = (struct ipaddr){0};
	if (c->socket)
		sock_local_addr(sock_stream_fd(c->socket), ret);
}

void carrier_totals(const struct carrier *c, struct carrier_totals *add_to)
{
	add_to->visitors += c->totals.visitors;
	add_to->to_link += c->totals.to_link;
	add_to->from_link += c->totals.from_link;
}
