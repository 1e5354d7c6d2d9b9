/* The table of flows on the virtual clock; the link is played by whoever holds the streams. */
#include "test.h"

#include <stdlib.h>
#include <string.h>

#include "front/flows.h"
#include "net/dgram.h"

#define STREAMS_MAX 1024

struct world {
	struct loop *loop;
	struct front_sources *sources;
	struct front_flows *flows;
	struct front_udp_counters counters;
	struct taken {
		struct stream *stream;
		struct ipaddr peer;
	} taken[STREAMS_MAX];
	unsigned n_taken;
	bool refuse;
	/* the last that was sent */
	const void *via;
	struct ipaddr peer, local;
	unsigned sent;
};

static int via_a, via_b; /* two sockets */

static void on_visitor(void *arg, const struct front_visitor *visitor)
{
	struct world *w = arg;

	assert_int_equal(visitor->kind, FRONT_UDP);
	assert_int_equal(visitor->local_port, 20000);
	assert_string_equal(visitor->route.service, "game");
	if (w->refuse) {
		stream_reset(visitor->stream);
		front_sources_leave_flow(w->sources, &visitor->peer);
		return;
	}
	assert_true(w->n_taken < STREAMS_MAX);
	w->taken[w->n_taken++] = (struct taken){visitor->stream, visitor->peer};
}

static unsigned on_send(void *arg, void *via, const struct ipaddr *peer, const struct ipaddr *local,
			const struct iovec *list, unsigned n)
{
	struct world *w = arg;

	w->via = via;
	w->peer = *peer;
	w->local = *local;
	w->sent += n;
	return n;
}

static const struct front_flows_handler handler = {.on_visitor = on_visitor, .send = on_send};

static void start(struct world *w, const struct front_limits *limits)
{
	struct front_flows_config config = {.port = 20000, .route = {.service = "game"}};

	assert_int_equal(front_sources_new(limits, &w->sources, NULL), 0);
	config.sources = w->sources;
	config.counters = &w->counters;
	assert_int_equal(front_flows_new(w->loop, &config, &handler, w, &w->flows, NULL), 0);
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_int_equal(loop_new_sim(&w->loop, NULL), 0);
	*state = w;
	return 0;
}

static void let_go(struct world *w, unsigned i)
{
	if (w->taken[i].stream) {
		stream_close(TAKE(w->taken[i].stream));
		front_sources_leave_flow(w->sources, &w->taken[i].peer);
	}
}

static int teardown(void **state)
{
	struct world *w = *state;

	front_flows_free(w->flows);
	for (unsigned i = 0; i < w->n_taken; i++)
		let_go(w, i);
	assert_int_equal(w->counters.flows, 0);
	front_sources_free(w->sources);
	loop_free(w->loop);
	free(w);
	return 0;
}

static struct ipaddr visitor(unsigned i)
{
	return (struct ipaddr){
		.family = 4, .bytes = {198, 51, (uint8_t)(i >> 8), (uint8_t)i}, .port = 5000};
}

static const struct ipaddr ours = {.family = 4, .bytes = {192, 0, 2, 1}};

static void arrive(struct world *w, unsigned i)
{
	struct udp_datagram d = {visitor(i), ours, (const uint8_t *)"hello", 5};

	front_flows_take(w->flows, &via_a, &d);
}

/* The service sends one datagram to who holds stream i. */
static void answer(struct world *w, unsigned i)
{
	assert_int_equal(stream_write(w->taken[i].stream, "\0\2\0x", 4, NULL), 4);
}

static bool has_ended(struct world *w, unsigned i)
{
	uint8_t bytes[65536];
	ssize_t n;

	while ((n = stream_read(w->taken[i].stream, bytes, sizeof(bytes), NULL)) > 0)
		;
	return n != -ERR_AGAIN;
}

static void one_flow_each(void **state)
{
	struct world *w = *state;
	struct udp_datagram d = {visitor(1), ours, (const uint8_t *)"x", 1};
	uint8_t bytes[64];

	start(w, NULL);
	arrive(w, 1);
	arrive(w, 1);
	arrive(w, 2);
	assert_int_equal(w->n_taken, 2);
	assert_int_equal(w->counters.flows, 2);
	assert_int_equal(w->counters.datagrams_in, 3);
	assert_int_equal(stream_read(w->taken[0].stream, bytes, sizeof(bytes), NULL), 16);
	assert_memory_equal(bytes, "\0\6\0hello\0\6\0hello", 16);
	answer(w, 1);
	assert_ptr_equal(w->via, &via_a);
	assert_memory_equal(&w->peer, &w->taken[1].peer, sizeof(w->peer));
	assert_true(ipaddr_equal(&w->local, &ours));
	assert_int_equal(w->counters.datagrams_out, 1);
	/* Another port of his, another address or socket of ours: another flow. */
	d.peer.port++;
	front_flows_take(w->flows, &via_a, &d);
	assert_int_equal(w->n_taken, 3);
	d.local.bytes[3]++;
	front_flows_take(w->flows, &via_a, &d);
	assert_int_equal(w->n_taken, 4);
	front_flows_take(w->flows, &via_b, &d);
	assert_int_equal(w->n_taken, 5);
	answer(w, 4);
	assert_ptr_equal(w->via, &via_b);
	assert_true(ipaddr_equal(&w->local, &d.local));
}

static void idle_flows_end(void **state)
{
	struct world *w = *state;

	start(w, NULL);
	arrive(w, 1);
	arrive(w, 2);
	answer(w, 1);
	loop_sim_advance(w->loop, 29 * USEC_PER_S);
	assert_int_equal(w->counters.flows, 2);
	arrive(w, 1); /* not idle */
	loop_sim_advance(w->loop, 29 * USEC_PER_S);
	assert_int_equal(w->counters.flows, 2);
	loop_sim_advance(w->loop, 3 * USEC_PER_S);
	assert_int_equal(w->counters.flows, 1);
	assert_true(has_ended(w, 0));
	assert_false(has_ended(w, 1));
	loop_sim_advance(w->loop, 50 * USEC_PER_S);
	answer(w, 1); /* 111 s after the last one */
	loop_sim_advance(w->loop, 119 * USEC_PER_S);
	assert_int_equal(w->counters.flows, 1);
	loop_sim_advance(w->loop, 3 * USEC_PER_S);
	assert_int_equal(w->counters.flows, 0);
	assert_true(has_ended(w, 1));
	answer(w, 1); /* too late: for nobody */
	assert_int_equal(w->counters.datagrams_out, 2);
	arrive(w, 2); /* begins anew */
	assert_int_equal(w->counters.flows, 1);
	assert_int_equal(w->n_taken, 3);
}

/* The oldest without an answer makes room; who has an answer stays. */
static void one_more_than_there_is_room_for(void **state)
{
	struct world *w = *state;

	start(w, NULL);
	for (unsigned i = 0; i < FRONT_FLOWS_MAX; i++)
		arrive(w, i);
	assert_int_equal(w->counters.flows, FRONT_FLOWS_MAX);
	answer(w, 0);
	arrive(w, 1000); /* nobody is old enough to go */
	assert_int_equal(w->n_taken, FRONT_FLOWS_MAX);
	assert_int_equal(w->counters.dropped_limit, 1);
	loop_sim_advance(w->loop, FRONT_FLOWS_YOUNG);
	arrive(w, 1); /* activity does not make it younger */
	arrive(w, 1000);
	assert_int_equal(w->n_taken, FRONT_FLOWS_MAX + 1);
	assert_int_equal(w->counters.flows, FRONT_FLOWS_MAX);
	assert_false(has_ended(w, 0));
	assert_true(has_ended(w, 1));
	assert_false(has_ended(w, 2));
	for (unsigned i = 0; i <= FRONT_FLOWS_MAX; i++)
		answer(w, i);
	loop_sim_advance(w->loop, FRONT_FLOWS_YOUNG);
	arrive(w, 1001);
	assert_int_equal(w->n_taken, FRONT_FLOWS_MAX + 1);
	assert_int_equal(w->counters.dropped_limit, 2);
	let_go(w, 5);
	arrive(w, 1001);
	assert_int_equal(w->n_taken, FRONT_FLOWS_MAX + 2);
}

/* 100 000 strangers in 10 s cost no more than the table has places. */
static void strangers(void **state)
{
	struct world *w = *state;

	start(w, NULL);
	arrive(w, 65535);
	answer(w, 0);
	for (unsigned i = 0; i < 100000; i++) {
		arrive(w, i % 65535);
		if (i % 10 == 0)
			loop_sim_advance(w->loop, USEC_PER_MS);
		for (; w->n_taken > 700; w->n_taken--) /* as the link does with those that ended */
			let_go(w, w->n_taken - 1);
		assert_true(w->counters.flows <= FRONT_FLOWS_MAX);
	}
	assert_false(has_ended(w, 0));
	assert_true(w->counters.flows_total <= 1 + FRONT_FLOWS_MAX * 400);
	assert_true(front_sources_count(w->sources) <= 65536);
}

static void limits_of_a_source(void **state)
{
	struct front_limits limits = FRONT_LIMITS_DEFAULT;
	struct world *w = *state;
	struct udp_datagram d = {visitor(1), ours, (const uint8_t *)"x", 1};

	limits.conns_per_source_max = 3;
	start(w, &limits);
	for (int i = 0; i < 5; i++) {
		front_flows_take(w->flows, &via_a, &d);
		d.peer.port++;
	}
	assert_int_equal(w->n_taken, 3);
	assert_int_equal(w->counters.dropped_limit, 2);
	arrive(w, 2); /* another source */
	assert_int_equal(w->n_taken, 4);
	let_go(w, 0);
	front_flows_take(w->flows, &via_a, &d);
	assert_int_equal(w->n_taken, 5);
}

/* A quarter of the places at most; the next flow costs the source its own longest idle one, answered or
 * not, and nobody else's. */
static void places_of_a_source(void **state)
{
	struct world *w = *state;
	struct udp_datagram d = {visitor(1), ours, (const uint8_t *)"x", 1};

	start(w, NULL);
	arrive(w, 2);
	for (unsigned i = 0; i < FRONT_FLOWS_PER_SOURCE_MAX; i++, d.peer.port++) {
		front_flows_take(w->flows, &via_a, &d);
		answer(w, i + 1);
	}
	assert_int_equal(w->counters.flows, 1 + FRONT_FLOWS_PER_SOURCE_MAX);
	front_flows_take(w->flows, &via_a, &d);
	assert_int_equal(w->counters.dropped_limit, 1);
	arrive(w, 3); /* another source */
	assert_int_equal(w->counters.flows, 2 + FRONT_FLOWS_PER_SOURCE_MAX);

	loop_sim_advance(w->loop, FRONT_FLOWS_YOUNG);
	for (unsigned i = 1; i <= FRONT_FLOWS_PER_SOURCE_MAX; i++)
		if (i != 2) /* all others are not idle */
			answer(w, i);
	front_flows_take(w->flows, &via_a, &d);
	assert_int_equal(w->counters.flows, 2 + FRONT_FLOWS_PER_SOURCE_MAX);
	assert_false(has_ended(w, 0));
	assert_false(has_ended(w, 1));
	assert_true(has_ended(w, 2));
	for (unsigned i = 3; i < w->n_taken; i++)
		assert_false(has_ended(w, i));
}

/* As when the agent is away: every datagram is a new try, and nothing is left of it. */
static void turned_away_at_once(void **state)
{
	struct world *w = *state;

	start(w, NULL);
	w->refuse = true;
	for (int i = 0; i < 100; i++)
		arrive(w, 1);
	assert_int_equal(w->counters.flows, 0);
	assert_int_equal(w->counters.flows_total, 100);
	w->refuse = false;
	arrive(w, 1);
	assert_int_equal(w->n_taken, 1);
}

static void a_link_that_takes_nothing(void **state)
{
	struct world *w = *state;

	start(w, NULL);
	for (int i = 0; i < 10000; i++)
		arrive(w, 1);
	assert_int_equal(w->counters.datagrams_in, DGRAM_QUEUE_MAX / 8);
	assert_int_equal(w->counters.dropped_full, 10000 - DGRAM_QUEUE_MAX / 8);
}

static void no_new_ones(void **state)
{
	struct world *w = *state;

	start(w, NULL);
	arrive(w, 1);
	front_flows_stop(w->flows);
	arrive(w, 1);
	arrive(w, 2);
	assert_int_equal(w->n_taken, 1);
	assert_int_equal(w->counters.datagrams_in, 2);
	loop_sim_advance(w->loop, USEC_PER_S);
	answer(w, 0);
	loop_sim_advance(w->loop, USEC_PER_S);
	assert_int_equal(w->counters.flows, 1);
	loop_sim_advance(w->loop, 2 * USEC_PER_S);
	assert_int_equal(w->counters.flows, 0);
	assert_true(has_ended(w, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(one_flow_each),
		TEST(idle_flows_end),
		TEST(one_more_than_there_is_room_for),
		TEST(strangers),
		TEST(limits_of_a_source),
		TEST(places_of_a_source),
		TEST(turned_away_at_once),
		TEST(a_link_that_takes_nothing),
		TEST(no_new_ones),
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
