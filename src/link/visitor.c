#include <stdio.h>

#include "base/log.h"
#include "link/carrier_private.h"

#define RESET_BURST_S	30
#define SOFT_END_ROUND	USEC_PER_S
#define WINDOW_GROW	(20 * USEC_PER_MS) /* 3.3 MB/s in the first window */
#define WINDOW_GROW_UDP (50 * USEC_PER_MS) /* 1.3 MB/s */

/* ── ending ── */

static void budget_take(struct carrier_budget *b, size_t n)
{
	for (; b; b = b->parent)
		b->left -= n;
}

static void budget_give(struct carrier_budget *b, size_t n)
{
	for (; b; b = b->parent)
		b->left += n;
}

static bool budget_has(const struct carrier_budget *b, size_t n)
{
	for (; b; b = b->parent)
		if (b->left < n)
			return false;
	return true;
}

static void visitor_free(struct link_visitor *v)
{
	list_remove(&v->opened_node);
	buf_done(&v->rx);
	buf_done(&v->replay);
	free(v->reason);
	free(v->request);
	free(v);
}

/* From the list of those with a stream to another one. */
static void visitor_leave(struct link_visitor *v, struct list *to)
{
	struct carrier *c = v->carrier;

	list_remove(&v->node);
	c->n_visitors--;
	budget_give(&c->budget, v->window - CARRIER_WINDOW_START);
	v->window = CARRIER_WINDOW_START;
	if (v->id && c->session)
		nghttp2_session_set_stream_user_data(c->session, v->id, NULL);
	v->id = 0;
	if (to)
		list_push(to, &v->node);
	carrier_schedule(c);
}

static void close_local(struct link_visitor *v, bool reset)
{
	struct stream *local = TAKE(v->local);

	if (reset)
		stream_reset(local);
	else
		stream_close(local);
}

static void visitor_end(struct link_visitor *v, bool reset)
{
	v->totals.reset |= reset;
	close_local(v, reset);
	if (!v->ended)
		visitor_leave(v, &v->carrier->ended);
	v->ended = true;
}

/* Gateway, before the answer: the local stream goes back to the owner as it was. */
static void visitor_return(struct link_visitor *v, int r)
{
	if (stream_unread(v->local, buf_head(&v->replay), buf_len(&v->replay)) < 0) {
		visitor_end(v, true);
		return;
	}
	v->returned = r;
	v->ended = true;
	visitor_leave(v, &v->carrier->ended);
}

void visitor_finish(struct link_visitor *v)
{
	const struct link_visitor_handler *handler = v->handler;

	if (handler && v->returned)
		handler->on_returned(v->arg, TAKE(v->local), v->returned, v->status,
				     v->reason ? v->reason : "");
	else if (handler && handler->on_closed)
		handler->on_closed(v->arg, &v->totals);
	if (v->local) /* returned to nobody */
		close_local(v, true);
	visitor_free(v);
}

/* A token bucket: how many resets the agent's library bears. */
static bool may_reset(struct carrier *c)
{
	usec_t now = loop_now(c->loop);

	if (c->side == CARRIER_AGENT)
		return true;
	c->reset_tokens += (double)(now - c->reset_at) / 1e6 * c->resets_per_s;
	c->reset_tokens = MIN(c->reset_tokens, c->resets_per_s * RESET_BURST_S);
	c->reset_at = now;
	if (c->reset_tokens < 1)
		return false;
	c->reset_tokens -= 1;
	return true;
}

/* Tell the other side that the stream is over, the hard way. */
static void stream_abort(struct link_visitor *v)
{
	struct carrier *c = v->carrier;
	uint32_t error = c->side == CARRIER_GATEWAY ? NGHTTP2_CANCEL : NGHTTP2_CONNECT_ERROR;

	nghttp2_submit_rst_stream(c->session, NGHTTP2_FLAG_NONE, v->id, error);
}

/*
 * Over the agent's rate of resets: END_STREAM goes out instead, and a stand-in keeps the stream's
 * place and drops what still comes, until the agent has finished too. False without memory.
 */
static bool stream_end_softly(struct link_visitor *v)
{
	struct carrier *c = v->carrier;
	struct link_visitor *rest = calloc(1, sizeof(*rest));

	if (!rest)
		return false;
	list_init(&rest->opened_node);
	rest->carrier = c;
	rest->id = v->id;
	v->id = 0;
	rest->window = CARRIER_WINDOW_START;
	rest->discarding = rest->answered = true;
	rest->tx_end = v->tx_end;
	rest->rx_end = v->rx_end;
	buf_init(&rest->rx, 1);
	buf_init(&rest->replay, 1);
	list_push(&c->visitors, &rest->node);
	c->n_visitors++;
	nghttp2_session_set_stream_user_data(c->session, rest->id, rest);
	/* What nobody takes any more must not hold the agent back. */
	nghttp2_session_consume_stream(c->session, rest->id, buf_len(&v->rx));
	nghttp2_session_resume_data(c->session, rest->id);
	if (!timer_running(&c->soft_end))
		timer_start(&c->soft_end, SOFT_END_ROUND);
	return true;
}

/* An agent that neither finishes nor takes END_STREAM would keep the stand-ins' streams: they are
 * reset as the rate allows. */
void visitor_on_soft_end(void *arg)
{
	struct carrier *c = arg;
	struct link_visitor *v, *next;

	list_for_each_safe (v, next, &c->visitors, node) {
		if (!v->discarding)
			continue;
		if (!may_reset(c)) {
			timer_start(&c->soft_end, SOFT_END_ROUND);
			return;
		}
		stream_abort(v);
		visitor_forget(v);
	}
}

/* The local side broke off. */
static void visitor_break(struct link_visitor *v)
{
	if (may_reset(v->carrier) || !stream_end_softly(v))
		stream_abort(v);
	visitor_end(v, true);
}

void link_visitor_abort(struct link_visitor *v)
{
	v->handler = NULL;
	if (v->id && v->carrier->session)
		visitor_break(v);
	else
		visitor_end(v, true);
}

void visitor_forget(struct link_visitor *v)
{
	visitor_leave(v, NULL);
	visitor_free(v);
}

void visitor_lost(struct link_visitor *v)
{
	if (v->id && v->carrier->session)
		stream_abort(v);
	if (v->carrier->side == CARRIER_GATEWAY && !v->answered && v->local && v->handler)
		visitor_return(v, -ERR_AGAIN);
	else
		visitor_end(v, true);
}

/* ── from the local stream into the batch ── */

/* Bytes that may be read from local now: the batch, and before the answer what can be kept for
 * another try. */
static size_t tx_room(const struct link_visitor *v, size_t len)
{
	const struct carrier *c = v->carrier;

	if (c->side == CARRIER_GATEWAY && !v->answered)
		len = MIN(len, CARRIER_REPLAY_MAX - buf_len(&v->replay));
	return len;
}

/* visitor_read found that v cannot go on. */
static ssize_t tx_broken(struct link_visitor *v, int32_t id, uint32_t *flags)
{
	struct carrier *c = v->carrier;
	struct link_visitor *rest;

	visitor_break(v);
	rest = nghttp2_session_get_stream_user_data(c->session, id);
	if (!rest)
		return NGHTTP2_ERR_DEFERRED; /* RST_STREAM is on its way */
	rest->tx_end = true;
	*flags |= NGHTTP2_DATA_FLAG_EOF;
	return 0;
}

/*
 * nghttp2 asks for a DATA frame's payload. It is read from the local stream right behind the place
 * of the frame's header in the batch; carrier.c's send_data then writes the header
 * (NGHTTP2_DATA_FLAG_NO_COPY).
 */
ssize_t visitor_read(nghttp2_session *session, int32_t id, uint8_t *unused, size_t len,
		     uint32_t *flags, nghttp2_data_source *source, void *arg)
{
	struct carrier *c = arg;
	struct link_visitor *v = nghttp2_session_get_stream_user_data(session, id);
	uint8_t *to = c->batch + c->batch_len + FRAME_HEADER_LEN;
	ssize_t n;

	if (!v)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	if (v->discarding) {
		v->tx_end = true;
		*flags |= NGHTTP2_DATA_FLAG_EOF;
		return 0;
	}
	if (c->batch_len + FRAME_HEADER_LEN >= c->batch_limit)
		return NGHTTP2_ERR_PAUSE;
	len = MIN(len, c->batch_limit - c->batch_len - FRAME_HEADER_LEN);
	len = tx_room(v, len);
	if (len == 0 || v->tx_dry || !v->local) {
		v->tx_waiting = true;
		return NGHTTP2_ERR_DEFERRED;
	}
	n = stream_read(v->local, to, len, NULL);
	if (n == -ERR_AGAIN) {
		v->tx_dry = v->tx_waiting = true;
		return NGHTTP2_ERR_DEFERRED;
	}
	if (n < 0)
		return tx_broken(v, id, flags);
	if (n == 0) {
		v->tx_end = true;
		*flags |= NGHTTP2_DATA_FLAG_EOF;
		return 0;
	}
	v->tx_dry = (size_t)n < len;
	v->totals.to_link += (uint64_t)n;
	c->totals.to_link += (uint64_t)n;
	if (c->side == CARRIER_GATEWAY && !v->answered && buf_append(&v->replay, to, (size_t)n) < 0)
		return tx_broken(v, id, flags);
	*flags |= NGHTTP2_DATA_FLAG_NO_COPY;
	return n;
}

static void tx_resume(struct link_visitor *v)
{
	if (!v->tx_waiting || !v->id || !v->carrier->session)
		return;
	v->tx_waiting = false;
	nghttp2_session_resume_data(v->carrier->session, v->id);
	carrier_schedule(v->carrier);
}

/* ── from the link to the local stream ── */

static unsigned fresh_rtt_us(struct carrier *c)
{
	usec_t now = loop_now(c->loop);
	struct sock_info info;

	if (c->rtt_at && now - c->rtt_at < 100 * USEC_PER_MS)
		return c->rtt_us;
	if (c->socket) {
		sock_stream_info(c->socket, &info);
		c->rtt_us = info.rtt_us;
	}
	c->rtt_at = now;
	return c->rtt_us;
}

/* A stream whose window is used up in less than this is held back by it: in two round trips while
 * all goes well, and a lost packet holds up the whole carrier for one or two more. On a short line
 * it is the processes at both ends that wait for their turns. A flow's bytes cannot wait: what its
 * window has no room for is lost. */
static usec_t window_grow_within(struct link_visitor *v)
{
	usec_t trips = 4 * (usec_t)fresh_rtt_us(v->carrier);

	return MAX(trips, v->udp ? WINDOW_GROW_UDP : WINDOW_GROW);
}

/*
 * Double it while the budget lasts; one stream gets at most half of what is left, so that those who
 * come later find something, too. Decided at the delivery after the one that used the window up,
 * before anything is written: what local was given by then it has passed on, unless it is the slow
 * one. A kernel takes megabytes for a visitor who reads nothing, and these must not be budget.
 */
static void window_maybe_grow(struct link_visitor *v)
{
	struct carrier *c = v->carrier;
	size_t more = MIN(v->window, CARRIER_WINDOW_MAX - v->window);

	if (!v->window_fast || !v->id || !c->session)
		return;
	v->window_fast = false;
	if (more && budget_has(&c->budget, 2 * more) && stream_unsent(v->local) <= v->window / 4 &&
	    nghttp2_session_set_local_window_size(c->session, NGHTTP2_FLAG_NONE, v->id,
						  (int32_t)(v->window + more)) == 0) {
		budget_take(&c->budget, more);
		v->window += more;
	}
}

static void window_used_up(struct link_visitor *v)
{
	usec_t now = loop_now(v->carrier->loop);

	v->window_fast = now - v->window_at <= window_grow_within(v);
	v->window_used = 0;
	v->window_at = now;
}

/* n bytes are with the local side: the other end may send as many more. */
static void delivered(struct link_visitor *v, size_t n)
{
	struct carrier *c = v->carrier;

	v->totals.from_link += n;
	c->totals.from_link += n;
	if (!v->id || !c->session)
		return;
	nghttp2_session_consume_stream(c->session, v->id, n);
	v->window_used += n;
	if (v->window_used >= v->window)
		window_used_up(v);
	carrier_schedule(c);
}

/* Everything that came is delivered: pass the end on, and end when both directions did. */
static void rx_settle(struct link_visitor *v)
{
	if (buf_len(&v->rx) || !v->local)
		return;
	buf_release_if_empty(&v->rx);
	if (v->rx_end && v->tx_end && v->id)
		return; /* both directions have ended: the stream closes in a moment, and local with
			   it */
	if (v->rx_end && !v->rx_shut) {
		v->rx_shut = true;
		if (stream_shutdown(v->local, NULL) < 0 && v->id && v->carrier->session &&
		    !v->tx_end) {
			visitor_break(v);
			return;
		}
	}
	if (v->rx_shut && v->id == 0)
		visitor_end(v, false);
}

static void rx_flush(struct link_visitor *v)
{
	if (v->local)
		window_maybe_grow(v);
	while (v->local && buf_len(&v->rx)) {
		ssize_t n = stream_write(v->local, buf_head(&v->rx), buf_len(&v->rx), NULL);

		if (n == -ERR_AGAIN)
			return;
		if (n < 0) {
			if (v->id && v->carrier->session)
				visitor_break(v);
			else
				visitor_end(v, true);
			return;
		}
		buf_consume(&v->rx, (size_t)n);
		delivered(v, (size_t)n);
	}
	rx_settle(v);
}

void visitor_data(struct link_visitor *v, const uint8_t *bytes, size_t len)
{
	struct carrier *c = v->carrier;
	ssize_t n = 0;

	if (v->discarding) {
		nghttp2_session_consume_stream(c->session, v->id, len);
		return;
	}
	if (v->window_at == 0)
		v->window_at = loop_now(c->loop);
	if (v->local && buf_len(&v->rx) == 0) {
		window_maybe_grow(v);
		n = stream_write(v->local, bytes, len, NULL);
		if (n < 0 && n != -ERR_AGAIN) {
			visitor_break(v);
			return;
		}
		n = MAX(n, 0);
		if (n)
			delivered(v, (size_t)n);
	}
	if ((size_t)n < len && buf_append(&v->rx, bytes + n, len - (size_t)n) < 0)
		visitor_break(v);
}

void visitor_remote_end(struct link_visitor *v)
{
	v->rx_end = true;
	if (!v->discarding)
		rx_settle(v);
}

/* The local side had ended its direction; what can still come from there is a reset. */
static void behind_the_end(struct link_visitor *v)
{
	uint8_t byte;
	ssize_t n = stream_read(v->local, &byte, 1, NULL);

	if (n >= 0 || n == -ERR_AGAIN)
		rx_flush(v);
	else if (v->id && v->carrier->session)
		visitor_break(v);
	else
		visitor_end(v, true);
}

static void visitor_on_local(void *arg, unsigned events)
{
	struct link_visitor *v = arg;

	if (events & STREAM_READABLE && v->tx_end) {
		behind_the_end(v);
		return;
	}
	if (events & STREAM_READABLE) {
		v->tx_dry = false;
		tx_resume(v);
	}
	if (events & STREAM_WRITABLE)
		rx_flush(v);
}

/* ── the stream's own events ── */

void visitor_stream_closed(struct link_visitor *v, uint32_t error)
{
	if (v->discarding) {
		visitor_forget(v);
		return;
	}
	/* A reset with "no error" before the end is a reset: what came is not all there is. */
	if (error == NGHTTP2_NO_ERROR && v->rx_end &&
	    (v->answered || v->carrier->side == CARRIER_AGENT)) {
		if (buf_len(&v->rx) && v->local) { /* the local side has not taken everything yet */
			nghttp2_session_set_stream_user_data(v->carrier->session, v->id, NULL);
			v->id = 0;
			return;
		}
		visitor_end(v, false);
		return;
	}
	if (v->carrier->side == CARRIER_GATEWAY && !v->answered) {
		bool elsewhere = v->refused || error == NGHTTP2_REFUSED_STREAM;

		if (!elsewhere && v->status == 0)
			v->status = 502;
		visitor_return(v, elsewhere ? -ERR_AGAIN : -ERR_REFUSED);
		return;
	}
	visitor_end(v, true);
}

int visitor_begin(struct carrier *c, int32_t id)
{
	struct link_visitor *v = calloc(1, sizeof(*v));

	if (!v)
		return -ERR_NOMEM;
	v->request = calloc(1, sizeof(*v->request));
	if (!v->request) {
		free(v);
		return -ERR_NOMEM;
	}
	list_init(&v->opened_node);
	v->carrier = c;
	v->id = id;
	v->window = CARRIER_WINDOW_START;
	buf_init(&v->rx, 2 * CARRIER_WINDOW_MAX);
	buf_init(&v->replay, CARRIER_REPLAY_MAX);
	list_push(&c->visitors, &v->node);
	c->n_visitors++;
	c->totals.visitors++;
	nghttp2_session_set_stream_user_data(c->session, id, v);
	return 0;
}

void visitor_header(struct link_visitor *v, struct str name, struct str value)
{
	struct agent_request *request = v->request;

	if (v->carrier->side == CARRIER_GATEWAY) {
		uint64_t status = 0;

		if (str_eq(name, STR(":status")) && str_to_u64(value, 999, &status))
			v->status = (unsigned)status;
		else if (str_eq(name, STR("homeport-reason")) && !v->reason)
			v->reason = str_dup(str_n(value.at, MIN(value.len, (size_t)200)));
		return;
	}
	if (!request)
		return; /* trailers */
	request->header_bytes += name.len + value.len;
	if (request->header_bytes > CARRIER_HEADER_MAX)
		request->bad = true;
	else if (str_eq(name, STR(":method")))
		request->connect = str_eq(value, STR("CONNECT"));
	else if (str_eq(name, STR(":protocol")))
		request->bad |= !(request->udp = str_eq(value, STR("connect-udp")));
	else if (str_eq(name, STR(":authority")))
		request->bad |= !str_copy(request->service, sizeof(request->service), value);
	else if (str_eq(name, STR("forwarded")))
		request->bad |= forwarded_parse(value, &request->who, NULL) < 0;
}

/* Gateway: the answer is complete. */
static void answer_came(struct link_visitor *v)
{
	if (v->answered || v->discarding || v->status < 200)
		return;
	if (v->status < 300) {
		v->answered = true;
		list_push(&v->carrier->opened, &v->opened_node);
		buf_done(&v->replay);
		tx_resume(v);
		carrier_schedule(v->carrier);
		return;
	}
	if (may_reset(v->carrier) || !stream_end_softly(v))
		stream_abort(v);
	visitor_return(v, -ERR_REFUSED);
}

static bool request_good(const struct agent_request *request)
{
	return !request->bad && request->connect &&
	       request->udp == (strcmp(request->who.proto, "udp") == 0);
}

void visitor_headers_done(struct link_visitor *v)
{
	if (v->carrier->side == CARRIER_GATEWAY) {
		answer_came(v);
		return;
	}
	if (!v->request)
		return;
	if (!request_good(v->request)) {
		nghttp2_submit_rst_stream(v->carrier->session, NGHTTP2_FLAG_NONE, v->id,
					  NGHTTP2_PROTOCOL_ERROR);
		return; /* visitor_stream_closed follows */
	}
	list_remove(&v->node);
	list_push(&v->carrier->fresh, &v->node);
	carrier_schedule(v->carrier);
}

/* Agent: tell the owner of a fresh visitor. */
void visitor_announce(struct link_visitor *v)
{
	struct carrier *c = v->carrier;
	struct agent_request *request = TAKE(v->request);

	v->udp = request->udp;

	list_remove(&v->node);
	list_push(&c->visitors, &v->node);
	c->handler->on_visitor(c->arg, v, request->service, &request->who);
	free(request);
}

/* ── what owners call ── */

static nghttp2_nv header(const char *name, const char *value)
{
	return (nghttp2_nv){.name = (uint8_t *)name,
			    .value = (uint8_t *)value,
			    .namelen = strlen(name),
			    .valuelen = strlen(value)};
}

static const nghttp2_data_provider visitor_source = {.read_callback = visitor_read};

#define REQUEST_HEADERS_MAX 7
#define UDP_PATH	    "/.well-known/masque/udp/%s/1/" /* RFC 9298 §3 */

/* How a visitor's stream begins (docs/protocol.md §3.1), or a flow's (§3.7: udp_path is not NULL).
 * Returns how many headers it is. */
static size_t request_headers(nghttp2_nv to[static REQUEST_HEADERS_MAX], const char *service,
			      const char *forwarded, const char *udp_path)
{
	size_t n = 0;

	to[n++] = header(":method", "CONNECT");
	if (udp_path) {
		to[n++] = header(":protocol", "connect-udp");
		to[n++] = header(":scheme", "https");
		to[n++] = header(":path", udp_path);
	}
	to[n++] = header(":authority", service);
	if (udp_path)
		to[n++] = header("capsule-protocol", "?1");
	to[n++] = header("forwarded", forwarded);
	return n;
}

int carrier_open(struct carrier *c, const char *service, const struct forwarded *who,
		 struct stream *local, const struct link_visitor_handler *handler, void *arg,
		 struct link_visitor **ret_visitor, struct err *e)
{
	char forwarded[FORWARDED_TEXT_MAX], path[sizeof(UDP_PATH) + 64];
	nghttp2_nv headers[REQUEST_HEADERS_MAX];
	bool udp = strcmp(who->proto, "udp") == 0;
	struct link_visitor *v;
	size_t n_headers;
	int32_t id;

	if (!carrier_takes_visitors(c))
		return err_set(e, ERR_AGAIN, "this connection is closing");
	if (!carrier_has_room(c))
		return err_set(e, ERR_LIMIT, "the agent takes no more visitors at once");
	if (udp && !carrier_takes_udp(c))
		return err_set(e, ERR_REFUSED, "the agent takes no UDP");
	v = calloc(1, sizeof(*v));
	if (!v)
		return err_set(e, ERR_NOMEM, "visitor");
	forwarded_format(forwarded, who);
	snprintf(path, sizeof(path), UDP_PATH, service);
	n_headers = request_headers(headers, service, forwarded, udp ? path : NULL);
	id = nghttp2_submit_request(c->session, NULL, headers, n_headers, &visitor_source, v);
	if (id < 0) {
		free(v);
		return err_set(e, ERR_AGAIN, "opening a stream: %s", nghttp2_strerror(id));
	}
	list_init(&v->opened_node);
	v->carrier = c;
	v->id = id;
	v->local = local;
	v->udp = udp;
	v->handler = handler;
	v->arg = arg;
	v->window = CARRIER_WINDOW_START;
	buf_init(&v->rx, 2 * CARRIER_WINDOW_MAX);
	buf_init(&v->replay, CARRIER_REPLAY_MAX);
	stream_set_handler(local, visitor_on_local, v);
	list_push(&c->visitors, &v->node);
	c->n_visitors++;
	c->totals.visitors++;
	carrier_schedule(c);
	if (ret_visitor)
		*ret_visitor = v;
	return 0;
}

void carrier_withdraw(struct link_visitor *v, int r)
{
	if (v->answered || v->ended || v->id == 0 || !v->carrier->session)
		return;
	stream_abort(v);
	visitor_return(v, r);
}

void carrier_withdraw_all(struct carrier *c, int r)
{
	struct link_visitor *v, *next;

	list_for_each_safe (v, next, &c->visitors, node)
		carrier_withdraw(v, r);
}

void carrier_end_flows(struct carrier *c)
{
	struct link_visitor *v, *next;

	list_for_each_safe (v, next, &c->visitors, node)
		if (v->udp && v->id && c->session)
			visitor_break(v);
	carrier_schedule(c);
}

void carrier_ask_for(struct link_visitor *v)
{
	carrier_ask(v->carrier);
}

void link_visitor_set_handler(struct link_visitor *v, const struct link_visitor_handler *handler,
			      void *arg)
{
	v->handler = handler;
	v->arg = arg;
}

void link_visitor_accept(struct link_visitor *v, struct stream *local)
{
	struct carrier *c = v->carrier;
	nghttp2_nv headers[] = {header(":status", "200"), header("capsule-protocol", "?1")};

	if (v->id == 0 || !c->session) { /* gone meanwhile; on_closed is on its way */
		stream_reset(local);
		return;
	}
	v->local = local;
	v->answered = true;
	stream_set_handler(local, visitor_on_local, v);
	if (nghttp2_submit_response(c->session, v->id, headers, v->udp ? 2 : 1, &visitor_source) !=
	    0) {
		visitor_break(v);
		return;
	}
	rx_flush(v);
	carrier_schedule(c);
}

void link_visitor_refuse(struct link_visitor *v, unsigned status, const char *reason)
{
	struct carrier *c = v->carrier;
	char text[16];

	snprintf(text, sizeof(text), "%u", status);
	nghttp2_nv headers[] = {header(":status", text),
				header("homeport-reason", reason ? reason : "")};

	v->handler = NULL;
	if (v->id == 0 || !c->session)
		return; /* gone meanwhile */
	nghttp2_submit_response(c->session, v->id, headers, ARRAY_LEN(headers), NULL);
	visitor_end(v, true);
}
