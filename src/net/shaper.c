#include "net/shaper.h"

#include <assert.h>

#define QUANTUM_SPAN_S (1.0 / 200) /* what a quantum takes at full rate */
#define QUANTUM_MIN    1460u
#define QUANTUM_MAX    (256u * 1024)
#define BURST_SPAN_S   (1.0 / 10) /* what may be made up for, when a turn of the loop was long */
#define BURST_QUANTA   4

enum { READING, WRITING, WAYS };

#define LEVELS 2 /* a shaper and its parent */

/* One direction of a shaper. */
struct gate {
	struct shaper *shaper; /* borrowed: holds this gate */
	struct gate *parent;   /* borrowed: of the shaper's parent */
	double tokens;	       /* bytes that may move now */
	usec_t at;	       /* when they were counted */
	struct list line;      /* of struct flow */
	struct timer timer;    /* for the first in line */
};

struct shaper {
	struct loop *loop;     /* borrowed */
	struct shaper *parent; /* a reference */
	unsigned refs;
	uint64_t rate;
	uint64_t waits;
	struct gate gates[WAYS];
};

/* One direction of a stream. */
struct flow {
	struct shaped *shaped; /* borrowed: holds this flow */
	size_t credit[LEVELS]; /* bytes that each gate on its way lets it move */
	struct list node;      /* in a gate's line */
	struct gate *waits_at; /* borrowed; NULL: in no line */
	unsigned level;	       /* of that gate */
	size_t quantum;	       /* what it waits for */
};

struct shaped {
	struct stream stream;
	struct stream *below;  /* owned */
	struct shaper *shaper; /* a reference */
	struct flow flows[WAYS];
	struct defer tell;
	unsigned events; /* to be told */
};

/* ── tokens ── */

static size_t quantum_of(const struct gate *gate)
{
	double bytes = (double)gate->shaper->rate * QUANTUM_SPAN_S;

	return (size_t)MIN(MAX(bytes, (double)QUANTUM_MIN), (double)QUANTUM_MAX);
}

static double burst_of(const struct gate *gate)
{
	double bytes = (double)gate->shaper->rate * BURST_SPAN_S;

	return MAX(bytes, (double)(BURST_QUANTA * quantum_of(gate)));
}

static void refill(struct gate *gate)
{
	usec_t now = loop_now(gate->shaper->loop);

	gate->tokens += (double)(now - gate->at) / USEC_PER_S * (double)gate->shaper->rate;
	gate->tokens = MIN(gate->tokens, burst_of(gate));
	gate->at = now;
}

/* The rate may have become lower than when it lined up: then tokens go below zero. */
static double needed(const struct gate *gate, const struct flow *flow)
{
	return MIN((double)flow->quantum, burst_of(gate));
}

/* For the first in line. */
static void set_timer(struct gate *gate)
{
	double missing = 0;

	if (list_empty(&gate->line)) {
		timer_stop(&gate->timer);
		return;
	}
	refill(gate);
	if (gate->shaper->rate)
		missing =
			needed(gate, list_entry(gate->line.next, struct flow, node)) - gate->tokens;
	timer_start(&gate->timer,
		    missing > 0 ? (usec_t)(missing * USEC_PER_S / (double)gate->shaper->rate) + 1
				: 0);
}

/* ── lines ── */

static void line_up(struct gate *gate, struct flow *flow)
{
	list_push(&gate->line, &flow->node);
	flow->waits_at = gate;
	gate->shaper->waits++;
	if (gate->line.next == &flow->node)
		set_timer(gate);
}

static void step_out(struct flow *flow)
{
	struct gate *gate = flow->waits_at;

	if (!gate)
		return;
	list_remove(&flow->node);
	flow->waits_at = NULL;
	set_timer(gate);
}

static bool gate_takes(struct gate *gate, const struct flow *flow)
{
	if (gate->shaper->rate == 0)
		return true;
	refill(gate);
	if (gate->tokens < needed(gate, flow))
		return false;
	gate->tokens -= (double)flow->quantum;
	return true;
}

static void tell(struct shaped *s, unsigned events)
{
	s->events |= events;
	defer_call(&s->tell);
}

static unsigned event_of(const struct flow *flow)
{
	return flow == &flow->shaped->flows[READING] ? STREAM_READABLE : STREAM_WRITABLE;
}

static struct gate *gate_at(const struct flow *flow, unsigned level)
{
	struct gate *gate = &flow->shaped->shaper->gates[flow - flow->shaped->flows];

	return level == 0 ? gate : gate->parent;
}

static bool is_capped(const struct gate *gate)
{
	return gate && gate->shaper->rate > 0;
}

/*
 * Credit of every gate on the way; false: it waits for it, at one of them. The parent's comes first
 * and is kept while waiting for the other: so each gate shares by its own quantum, and a stream
 * that is slow in one place does not lose its turn in the other.
 */
static bool flow_collect(struct flow *flow)
{
	for (unsigned level = LEVELS; level-- > 0;) {
		struct gate *gate = gate_at(flow, level);

		if (!is_capped(gate) || flow->credit[level])
			continue;
		flow->level = level;
		flow->quantum = quantum_of(gate);
		if (!list_empty(&gate->line) || !gate_takes(gate, flow)) {
			line_up(gate, flow);
			return false;
		}
		flow->credit[level] = flow->quantum;
	}
	return true;
}

/* Those whose turn it is. */
static void gate_run(void *arg)
{
	struct gate *gate = arg;

	while (!list_empty(&gate->line)) {
		struct flow *flow = list_entry(gate->line.next, struct flow, node);

		if (!gate_takes(gate, flow))
			break;
		list_remove(&flow->node);
		flow->waits_at = NULL;
		flow->credit[flow->level] = flow->quantum;
		if (flow_collect(flow))
			tell(flow->shaped, event_of(flow));
	}
	set_timer(gate);
}

/* How many bytes may be moved now; 0: none, and an event follows. */
static size_t flow_allowance(struct flow *flow)
{
	size_t bytes = SIZE_MAX;

	if (flow->waits_at || !flow_collect(flow))
		return 0;
	for (unsigned level = 0; level < LEVELS; level++)
		if (is_capped(gate_at(flow, level)))
			bytes = MIN(bytes, flow->credit[level]);
	return bytes;
}

static void flow_spend(struct flow *flow, size_t n)
{
	for (unsigned level = 0; level < LEVELS; level++)
		flow->credit[level] -= MIN(n, flow->credit[level]);
}

/* What it cannot use now is for others. */
static void flow_give_back(struct flow *flow)
{
	for (unsigned level = 0; level < LEVELS; level++) {
		struct gate *gate = gate_at(flow, level);

		if (!gate || !flow->credit[level])
			continue;
		gate->tokens = MIN(gate->tokens + (double)flow->credit[level], burst_of(gate));
		flow->credit[level] = 0;
		set_timer(gate);
	}
}

/* ── the stream ── */

static struct shaped *shaped_of(const struct stream *s)
{
	return container_of(s, struct shaped, stream);
}

/* After a short call the user waits for an event; one that found an error or the end has none to
 * come from below. */
static ssize_t ended(struct shaped *s, size_t done, ssize_t n, unsigned event)
{
	if (done == 0)
		return n;
	if (n != -ERR_AGAIN)
		tell(s, event);
	return (ssize_t)done;
}

static ssize_t shaped_read(struct stream *stream, void *bytes, size_t len, struct err *e)
{
	struct shaped *s = shaped_of(stream);
	struct flow *flow = &s->flows[READING];
	size_t done = 0, allowance;

	while (done < len && (allowance = flow_allowance(flow)) > 0) {
		size_t want = MIN(len - done, allowance);
		ssize_t n = stream_read(s->below, (uint8_t *)bytes + done, want, e);

		if (n > 0) {
			flow_spend(flow, (size_t)n);
			done += (size_t)n;
		}
		if (n < (ssize_t)want)
			flow_give_back(flow);
		if (n <= 0)
			return ended(s, done, n, STREAM_READABLE);
		if (n < (ssize_t)want)
			break;
	}
	return done ? (ssize_t)done : -ERR_AGAIN;
}

static ssize_t shaped_write(struct stream *stream, const void *bytes, size_t len, struct err *e)
{
	struct shaped *s = shaped_of(stream);
	struct flow *flow = &s->flows[WRITING];
	size_t done = 0, allowance;

	while (done < len && (allowance = flow_allowance(flow)) > 0) {
		size_t want = MIN(len - done, allowance);
		ssize_t n = stream_write(s->below, (const uint8_t *)bytes + done, want, e);

		if (n > 0) {
			flow_spend(flow, (size_t)n);
			done += (size_t)n;
		}
		if (n < (ssize_t)want)
			flow_give_back(flow);
		if (n < 0)
			return ended(s, done, n, STREAM_WRITABLE);
		if (n < (ssize_t)want)
			break;
	}
	return done || len == 0 ? (ssize_t)done : -ERR_AGAIN;
}

static int shaped_shutdown(struct stream *stream, struct err *e)
{
	return stream_shutdown(shaped_of(stream)->below, e);
}

static size_t shaped_unsent(struct stream *stream)
{
	return stream_unsent(shaped_of(stream)->below);
}

static void shaped_free(struct stream *stream, bool reset)
{
	struct shaped *s = shaped_of(stream);

	for (int i = 0; i < WAYS; i++) {
		step_out(&s->flows[i]);
		flow_give_back(&s->flows[i]);
	}
	defer_cancel(&s->tell);
	if (reset)
		stream_reset(s->below);
	else
		stream_close(s->below);
	shaper_free(s->shaper);
	free(s);
}

static const struct stream_ops shaped_ops = {
	.name = "shaper",
	.read = shaped_read,
	.write = shaped_write,
	.shutdown = shaped_shutdown,
	.unsent = shaped_unsent,
	.free = shaped_free,
};

static void on_tell(void *arg)
{
	struct shaped *s = arg;
	unsigned events = s->events;

	s->events = 0;
	if (s->stream.on_ready)
		s->stream.on_ready(s->stream.arg, events);
}

static void on_below_ready(void *arg, unsigned events)
{
	struct shaped *s = arg;

	if (s->stream.on_ready)
		s->stream.on_ready(s->stream.arg, events);
}

int shaper_stream_new(struct shaper *shaper, struct stream *below, struct stream **ret_stream,
		      struct err *e)
{
	struct shaped *s = calloc(1, sizeof(*s));

	if (!s) {
		stream_reset(below);
		return err_set(e, ERR_NOMEM, "connection");
	}
	s->stream.ops = &shaped_ops;
	s->stream.loop = shaper->loop;
	s->below = below;
	s->shaper = shaper;
	shaper->refs++;
	for (int i = 0; i < WAYS; i++)
		s->flows[i].shaped = s;
	defer_init(&s->tell, shaper->loop, on_tell, s);
	stream_set_handler(below, on_below_ready, s);
	*ret_stream = &s->stream;
	return 0;
}

/* ── the shaper ── */

int shaper_new(struct loop *loop, uint64_t rate, struct shaper *parent, struct shaper **ret_shaper,
	       struct err *e)
{
	struct shaper *shaper = calloc(1, sizeof(*shaper));

	if (!shaper)
		return err_set(e, ERR_NOMEM, "bandwidth cap");
	shaper->loop = loop;
	shaper->refs = 1;
	shaper->rate = rate;
	shaper->parent = parent;
	assert(!parent || !parent->parent);
	if (parent)
		parent->refs++;
	for (int i = 0; i < WAYS; i++) {
		struct gate *gate = &shaper->gates[i];

		gate->shaper = shaper;
		gate->parent = parent ? &parent->gates[i] : NULL;
		gate->at = loop_now(loop);
		gate->tokens = burst_of(gate);
		list_init(&gate->line);
		timer_init(&gate->timer, loop, gate_run, gate);
	}
	*ret_shaper = shaper;
	return 0;
}

void shaper_free(struct shaper *shaper)
{
	while (shaper && --shaper->refs == 0) {
		struct shaper *parent = shaper->parent;

		for (int i = 0; i < WAYS; i++) {
			assert(list_empty(&shaper->gates[i].line));
			timer_stop(&shaper->gates[i].timer);
		}
		free(shaper);
		shaper = parent;
	}
}

void shaper_set_rate(struct shaper *shaper, uint64_t rate)
{
	for (int i = 0; i < WAYS; i++)
		refill(&shaper->gates[i]); /* at the old rate */
	shaper->rate = rate;
	for (int i = 0; i < WAYS; i++) {
		struct gate *gate = &shaper->gates[i];

		gate->tokens = MIN(gate->tokens, burst_of(gate));
		if (!list_empty(&gate->line))
			timer_start(&gate->timer, 0);
	}
}

uint64_t shaper_rate(const struct shaper *shaper)
{
	return shaper->rate;
}

bool shaper_is_capped(const struct shaper *shaper)
{
	for (; shaper; shaper = shaper->parent)
		if (shaper->rate)
			return true;
	return false;
}

uint64_t shaper_waits(const struct shaper *shaper)
{
	return shaper->waits;
}
