#include "front/flows.h"

#include "base/htable.h"
#include "net/dgram.h"

#define SWEEP_MIN USEC_PER_S /* between two looks for idle flows */

struct flow {
	struct front_flows *flows; /* borrowed */
	struct htable_node node, of_source;
	struct list age; /* in unanswered, oldest first, or in answered */
	void *via;	 /* borrowed */
	struct ipaddr peer, local;
	struct stream *stream; /* borrowed: his who took the flow */
	usec_t began, active;
	bool answered;
};

struct front_flows {
	struct loop *loop; /* borrowed */
	struct front_flows_config config;
	const struct front_flows_handler *handler;
	void *arg;
	struct htable table;   /* by peer */
	struct htable sources; /* by source, so that a flood of newcomers costs little */
	struct list unanswered, answered;
	struct timer sweep;
	bool stopped;
};

static void count(uint64_t *counter, uint64_t n)
{
	__atomic_fetch_add(counter, n, __ATOMIC_RELAXED);
}

static void flow_free(struct flow *flow)
{
	htable_remove(&flow->flows->table, &flow->node);
	htable_remove(&flow->flows->sources, &flow->of_source);
	list_remove(&flow->age);
	count(&flow->flows->config.counters->flows, (uint64_t)-1);
	free(flow);
}

/* Its user finds the end of the stream. */
static void flow_end(struct flow *flow)
{
	dgram_stream_end(flow->stream);
	flow_free(flow);
}

static usec_t flow_deadline(const struct flow *flow)
{
	if (flow->flows->stopped)
		return flow->active + FRONT_FLOWS_STOPPED;
	return flow->active + (flow->answered ? FRONT_FLOWS_ANSWERED : FRONT_FLOWS_UNANSWERED);
}

/* ── from the service ── */

static void on_send(void *arg, const struct iovec *list, unsigned n)
{
	struct flow *flow = arg;
	struct front_flows *flows = flow->flows;
	struct front_udp_counters *counters = flows->config.counters;
	unsigned sent =
		flows->handler->send(flows->arg, flow->via, &flow->peer, &flow->local, list, n);

	count(&counters->datagrams_out, sent);
	count(&counters->dropped_full, n - sent);
	flow->active = loop_now(flows->loop);
	if (flow->answered)
		return;
	flow->answered = true;
	list_remove(&flow->age);
	list_push(&flows->answered, &flow->age);
}

static void on_closed(void *arg)
{
	flow_free(arg);
}

static const struct dgram_handler dgram_handler = {.send = on_send, .closed = on_closed};

/* ── from visitors ── */

static struct flow *find(const struct front_flows *flows, const void *via,
			 const struct udp_datagram *d)
{
	struct htable_node *node =
		htable_find(&flows->table, ipaddr_hash(&d->peer, flows->table.seed));

	for (; node; node = htable_find_next(node)) {
		struct flow *flow = container_of(node, struct flow, node);

		if (flow->via == via && ipaddr_equal(&flow->peer, &d->peer) &&
		    ipaddr_equal(&flow->local, &d->local))
			return flow;
	}
	return NULL;
}

/* Who has to go for a newcomer; NULL: nobody may be asked to. */
static struct flow *who_goes(const struct front_flows *flows)
{
	struct flow *oldest;

	if (list_empty(&flows->unanswered))
		return NULL;
	oldest = list_entry(flows->unanswered.next, struct flow, age);
	return loop_now(flows->loop) - oldest->began < FRONT_FLOWS_YOUNG ? NULL : oldest;
}

static uint64_t source_hash(const struct front_flows *flows, const struct ipaddr *source)
{
	return ipaddr_hash(source, flows->sources.seed);
}

/* Whether the source has a place left; *ret_goes: who of its own has to go for that, or NULL. */
static bool source_has_place(const struct front_flows *flows, const struct ipaddr *peer,
			     struct flow **ret_goes)
{
	struct ipaddr source = ipaddr_source(peer);
	struct htable_node *node = htable_find(&flows->sources, source_hash(flows, &source));
	struct flow *idlest = NULL;
	unsigned n = 0;

	*ret_goes = NULL;
	for (; node; node = htable_find_next(node)) {
		struct flow *flow = container_of(node, struct flow, of_source);
		struct ipaddr other = ipaddr_source(&flow->peer);

		if (!ipaddr_equal(&other, &source))
			continue;
		n++;
		if (!idlest || flow->active < idlest->active)
			idlest = flow;
	}
	if (n < FRONT_FLOWS_PER_SOURCE_MAX)
		return true;
	if (loop_now(flows->loop) - idlest->active < FRONT_FLOWS_YOUNG)
		return false;
	*ret_goes = idlest;
	return true;
}

/* Into both tables, or into none. */
static int flow_enter(struct flow *flow)
{
	struct front_flows *flows = flow->flows;
	struct ipaddr source = ipaddr_source(&flow->peer);

	if (htable_add(&flows->table, &flow->node, ipaddr_hash(&flow->peer, flows->table.seed)) < 0)
		return -ERR_NOMEM;
	if (htable_add(&flows->sources, &flow->of_source, source_hash(flows, &source)) == 0)
		return 0;
	htable_remove(&flows->table, &flow->node);
	return -ERR_NOMEM;
}

/* A flow in the table, with a stream that nobody has yet. NULL without memory. */
static struct flow *flow_new(struct front_flows *flows, void *via, const struct udp_datagram *d)
{
	struct flow *flow = calloc(1, sizeof(*flow));

	if (!flow)
		return NULL;
	flow->flows = flows;
	flow->via = via;
	flow->peer = d->peer;
	flow->local = d->local;
	flow->began = flow->active = loop_now(flows->loop);
	if (dgram_stream_new(flows->loop, &dgram_handler, flow, &flow->stream, NULL) < 0) {
		free(flow);
		return NULL;
	}
	if (flow_enter(flow) < 0) {
		dgram_stream_end(flow->stream);
		stream_close(flow->stream);
		free(flow);
		return NULL;
	}
	list_push(&flows->unanswered, &flow->age);
	count(&flows->config.counters->flows, 1);
	count(&flows->config.counters->flows_total, 1);
	if (!timer_running(&flows->sweep))
		timer_start_at(&flows->sweep, flow_deadline(flow));
	return flow;
}

/* Room for one more, and the source's leave. */
static bool admit(struct front_flows *flows, const struct ipaddr *peer)
{
	bool full = flows->table.count >= FRONT_FLOWS_MAX;
	struct flow *oldest = full ? who_goes(flows) : NULL, *goes;

	if (flows->stopped || !source_has_place(flows, peer, &goes))
		return false;
	goes = goes ? goes : oldest;
	if ((full && !goes) ||
	    !front_sources_enter_flow(flows->config.sources, peer, loop_now(flows->loop)))
		return false;
	if (goes)
		flow_end(goes);
	return true;
}

static void push(struct flow *flow, const struct udp_datagram *d)
{
	struct front_udp_counters *counters = flow->flows->config.counters;

	if (dgram_stream_push(flow->stream, d->bytes, d->len))
		count(&counters->datagrams_in, 1);
	else
		count(&counters->dropped_full, 1);
}

/* A newcomer, with his first datagram. He may be turned away at once. */
static void begin(struct front_flows *flows, void *via, const struct udp_datagram *d)
{
	struct front_visitor visitor = {
		.peer = d->peer,
		.kind = FRONT_UDP,
		.local_port = flows->config.port,
		.route = flows->config.route,
	};
	struct flow *flow;

	if (!admit(flows, &d->peer)) {
		count(&flows->config.counters->dropped_limit, 1);
		return;
	}
	flow = flow_new(flows, via, d);
	if (!flow) {
		front_sources_leave_flow(flows->config.sources, &d->peer);
		return;
	}
	push(flow, d);
	visitor.stream = flow->stream;
	flows->handler->on_visitor(flows->arg, &visitor);
}

void front_flows_take(struct front_flows *flows, void *via, const struct udp_datagram *d)
{
	struct flow *flow = find(flows, via, d);

	if (!flow) {
		begin(flows, via, d);
		return;
	}
	flow->active = loop_now(flows->loop);
	push(flow, d);
}

/* ── time ── */

static usec_t sweep(struct front_flows *flows, struct list *list)
{
	usec_t now = loop_now(flows->loop), next = USEC_MAX;
	struct flow *flow, *tmp;

	list_for_each_safe (flow, tmp, list, age) {
		usec_t deadline = flow_deadline(flow);

		if (deadline <= now)
			flow_end(flow);
		else
			next = MIN(next, deadline);
	}
	return next;
}

static void on_sweep(void *arg)
{
	struct front_flows *flows = arg;
	usec_t unanswered = sweep(flows, &flows->unanswered);
	usec_t answered = sweep(flows, &flows->answered);
	usec_t next = MIN(unanswered, answered);

	if (next < USEC_MAX)
		timer_start_at(&flows->sweep, MAX(next, loop_now(flows->loop) + SWEEP_MIN));
}

/* ── life ── */

int front_flows_new(struct loop *loop, const struct front_flows_config *config,
		    const struct front_flows_handler *handler, void *arg,
		    struct front_flows **ret_flows, struct err *e)
{
	struct front_flows *flows = calloc(1, sizeof(*flows));

	if (!flows)
		return err_set(e, ERR_NOMEM, "table of flows");
	flows->loop = loop;
	flows->config = *config;
	flows->handler = handler;
	flows->arg = arg;
	htable_init(&flows->table);
	htable_init(&flows->sources);
	list_init(&flows->unanswered);
	list_init(&flows->answered);
	timer_init(&flows->sweep, loop, on_sweep, flows);
	*ret_flows = flows;
	return 0;
}

static void end_all(struct list *list)
{
	while (!list_empty(list))
		flow_end(list_entry(list->next, struct flow, age));
}

void front_flows_free(struct front_flows *flows)
{
	if (!flows)
		return;
	end_all(&flows->unanswered);
	end_all(&flows->answered);
	timer_stop(&flows->sweep);
	htable_done(&flows->table);
	htable_done(&flows->sources);
	free(flows);
}

void front_flows_stop(struct front_flows *flows)
{
	flows->stopped = true;
	timer_start(&flows->sweep, 0);
}
