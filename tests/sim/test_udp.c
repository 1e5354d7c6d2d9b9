/*
 * Datagrams through both ends of the link, the real code on the virtual clock: a table of flows at
 * the gateway, the hub, two carriers over pairs in memory, the dialler, and a flow's stream at
 * home.
 */
#include "test.h"

#include <string.h>

#include "front/flows.h"
#include "link/dial.h"
#include "link/hub.h"
#include "net/dgram.h"
#include "net/mem.h"

#define STREAMS_MAX 16
#define LINES_MAX   16

struct world {
	struct loop *loop;
	struct tls_identity *key;
	struct link_hub *hub;
	struct link_dial *dial;
	struct stream *lines[LINES_MAX]; /* the agent's ends; borrowed */
	unsigned n_lines;
	bool net_down;

	/* gateway */
	struct front_sources *sources;
	struct front_flows *flows;
	struct front_udp_counters counters;
	struct buf sent; /* payloads, joined */
	unsigned n_sent;
	bool visitor_net_full;
	unsigned opened, closed, returned;
	int returned_r;
	struct stream *visitor; /* of the TCP service: his end */

	/* home */
	enum { ECHO, DEAF } does;
	struct home {
		struct world *w;
		struct stream *capsules;
		unsigned closed;
	} homes[STREAMS_MAX];
	unsigned n_homes;
	struct stream *deaf;  /* DEAF: what the local side would read */
	struct stream *local; /* of the TCP service */
	struct buf got;	      /* at home, payloads joined */
	unsigned n_got;
};

/* ── network ── */

struct attempt {
	struct world *w;
	struct timer timer;
	void (*done)(void *done_arg, int r, struct stream *s, const struct tls_key_hash *peer,
		     const struct err *e);
	void *done_arg;
};

static struct tls_key_hash gateway_key;

static void attempt_end(void *arg)
{
	struct attempt a = *(struct attempt *)arg;
	struct ipaddr observed = {.family = 4, .bytes = {198, 51, 100, 7}, .port = 4000};
	struct stream *agent_end, *gateway_end;
	struct world *w = a.w;
	struct err e = {0};

	free(arg);
	if (w->net_down) {
		err_set(&e, ERR_REFUSED, "connect: Connection refused");
		a.done(a.done_arg, -ERR_REFUSED, NULL, NULL, &e);
		return;
	}
	assert_int_equal(mem_pair_new(w->loop, 1 << 20, &agent_end, &gateway_end, NULL), 0);
	assert_true(w->n_lines < LINES_MAX);
	w->lines[w->n_lines++] = agent_end;
	assert_int_equal(link_hub_take(w->hub, gateway_end, tls_identity_hash(w->key), 1, "laptop",
				       &observed, NULL),
			 0);
	a.done(a.done_arg, 0, agent_end, &gateway_key, &e);
}

static int connector_start(void *arg, struct loop *loop,
			   void (*done)(void *done_arg, int r, struct stream *s,
					const struct tls_key_hash *peer, const struct err *e),
			   void *done_arg, void **ret_attempt, struct err *e)
{
	struct attempt *a = calloc(1, sizeof(*a));

	*a = (struct attempt){.w = arg, .done = done, .done_arg = done_arg};
	timer_init(&a->timer, loop, attempt_end, a);
	timer_start(&a->timer, 10 * USEC_PER_MS);
	*ret_attempt = a;
	return 0;
}

static void connector_cancel(void *arg, void *attempt)
{
	timer_stop(&((struct attempt *)attempt)->timer);
	free(attempt);
}

/* ── home ── */

static void home_on_send(void *arg, const struct iovec *list, unsigned n)
{
	struct home *home = arg;

	for (unsigned i = 0; i < n; i++, home->w->n_got++) {
		assert_int_equal(buf_append(&home->w->got, list[i].iov_base, list[i].iov_len), 0);
		if (!dgram_stream_push(home->capsules, list[i].iov_base, list[i].iov_len))
			continue; /* lost, as it may be */
	}
}

static void home_on_closed(void *arg)
{
	((struct home *)arg)->closed++;
}

static const struct dgram_handler home_handler = {.send = home_on_send, .closed = home_on_closed};

static void on_agent_closed(void *arg, const struct link_visitor_totals *totals)
{
}

static const struct link_visitor_handler agent_visitor = {.on_closed = on_agent_closed};

static void on_visitor(void *arg, struct link_visitor *v, const char *service,
		       const struct forwarded *who)
{
	struct world *w = arg;
	struct stream *local;

	link_visitor_set_handler(v, &agent_visitor, w);
	if (strcmp(service, "ssh") == 0) {
		assert_string_equal(who->proto, "tcp");
		assert_int_equal(mem_pair_new(w->loop, 0, &local, &w->local, NULL), 0);
	} else if (w->does == DEAF) {
		stream_close(w->deaf);
		assert_int_equal(mem_pair_new(w->loop, 0, &local, &w->deaf, NULL), 0);
	} else {
		struct home *home = &w->homes[w->n_homes++];

		assert_string_equal(service, "game");
		assert_string_equal(who->proto, "udp");
		home->w = w;
		assert_int_equal(
			dgram_stream_new(w->loop, &home_handler, home, &home->capsules, NULL), 0);
		local = home->capsules;
	}
	link_visitor_accept(v, local);
}

static void on_state(void *arg, enum link_dial_state state, const struct err *why)
{
}

static void on_welcome(void *arg, const struct link_welcome *welcome)
{
}

static void on_grants(void *arg, const struct link_grants *grants)
{
}

static const struct link_dial_events dial_events = {.on_state = on_state,
						    .on_welcome = on_welcome,
						    .on_grants = on_grants,
						    .on_visitor = on_visitor};

/* ── gateway ── */

static void on_services(void *arg, uint64_t agent, const struct link_services *services)
{
	struct world *w = arg;
	struct link_grants grants = {.revision = services->revision};

	assert_true(link_hub_takes_udp(w->hub, agent));
	for (size_t i = 0; i < services->n; i++)
		link_grants_add(&grants, str_of(services->list[i].id))->granted = true;
	link_hub_grant(w->hub, agent, &grants);
	link_grants_done(&grants);
}

static void on_join(void *arg, uint64_t connection, const struct tls_key_hash *key,
		    const uint8_t secret[static LINK_SECRET_LEN])
{
}

static const struct link_hub_handler hub_handler = {.on_join = on_join, .on_services = on_services};

static void on_opened(void *arg)
{
	((struct world *)arg)->opened++;
}

static void on_returned(void *arg, struct stream *local, int r, unsigned status, const char *reason)
{
	struct world *w = arg;

	w->returned++;
	w->returned_r = r;
	stream_reset(local);
}

static void on_closed(void *arg, const struct link_visitor_totals *totals)
{
	((struct world *)arg)->closed++;
}

static const struct link_visitor_handler gateway_visitor = {
	.on_opened = on_opened, .on_returned = on_returned, .on_closed = on_closed};

static const struct ipaddr us = {.family = 4, .bytes = {192, 0, 2, 1}};

static struct ipaddr visitor(uint8_t i)
{
	return (struct ipaddr){.family = 4, .bytes = {198, 51, 100, i}, .port = 5000};
}

static void on_flow(void *arg, const struct front_visitor *front)
{
	struct world *w = arg;
	struct forwarded who = {.addr = front->peer, .proto = "udp"};

	assert_int_equal(
		link_hub_open(w->hub, 1, "game", &who, front->stream, &gateway_visitor, w, NULL),
		0);
}

static unsigned flows_on_send(void *arg, void *via, const struct ipaddr *peer,
			      const struct ipaddr *local, const struct iovec *list, unsigned n)
{
	struct world *w = arg;

	if (w->visitor_net_full)
		return 0;
	for (unsigned i = 0; i < n; i++, w->n_sent++)
		assert_int_equal(buf_append(&w->sent, list[i].iov_base, list[i].iov_len), 0);
	return n;
}

static const struct front_flows_handler flows_handler = {.on_visitor = on_flow,
							 .send = flows_on_send};

static void arrive(struct world *w, uint8_t from, const void *bytes, size_t len)
{
	struct udp_datagram d = {visitor(from), us, bytes, len};

	front_flows_take(w->flows, NULL, &d);
}

static void visit_tcp(struct world *w)
{
	struct forwarded who = {.addr = visitor(99), .proto = "tcp"};
	struct stream *front;

	assert_int_equal(mem_pair_new(w->loop, 0, &front, &w->visitor, NULL), 0);
	assert_int_equal(link_hub_open(w->hub, 1, "ssh", &who, front, &gateway_visitor, w, NULL),
			 0);
}

/* ── the world ── */

static void pass(struct world *w, usec_t span)
{
	loop_sim_advance(w->loop, span);
}

static void start_agent(struct world *w)
{
	struct link_connector connector = {
		.start = connector_start, .cancel = connector_cancel, .arg = w};
	struct link_dial_config config = {.host = "gw.example.org",
					  .port = 443,
					  .gateway = gateway_key,
					  .identity = w->key,
					  .carriers = 2,
					  .connector = &connector};
	struct link_services services = {0};
	struct link_hub_agent_info info;

	assert_int_equal(link_dial_new(w->loop, &config, &dial_events, w, &w->dial, NULL), 0);
	link_services_add(&services, STR("game"))->kind = LINK_UDP;
	link_services_add(&services, STR("ssh"))->kind = LINK_TCP;
	assert_int_equal(link_dial_set_services(w->dial, &services), 0);
	link_services_done(&services);
	for (int i = 0; i < 100; i++)
		pass(w, 10 * USEC_PER_MS);
	assert_int_equal(link_hub_agent_info(w->hub, 1, &info), 0);
	assert_int_equal(info.carriers, 2);
}

static int setup(void **state)
{
	struct link_hub_config config = {.domain = "example.org", .window_budget = 64 << 20};
	struct front_flows_config flows = {.port = 20000};
	struct world *w = calloc(1, sizeof(*w));

	memset(&gateway_key, 7, sizeof(gateway_key));
	assert_int_equal(loop_new_sim(&w->loop, NULL), 0);
	assert_int_equal(tls_identity_new(&w->key, NULL), 0);
	assert_int_equal(link_hub_new(w->loop, &config, &hub_handler, w, &w->hub, NULL), 0);
	assert_int_equal(front_sources_new(NULL, &w->sources, NULL), 0);
	flows.sources = w->sources;
	flows.counters = &w->counters;
	assert_int_equal(front_flows_new(w->loop, &flows, &flows_handler, w, &w->flows, NULL), 0);
	start_agent(w);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	link_dial_free(w->dial);
	front_flows_free(w->flows);
	link_hub_free(w->hub);
	stream_close(w->deaf);
	stream_close(w->local);
	stream_close(w->visitor);
	pass(w, 0);
	front_sources_free(w->sources);
	tls_identity_free(w->key);
	buf_done(&w->sent);
	buf_done(&w->got);
	loop_free(w->loop);
	free(w);
	return 0;
}

static uint8_t *noise(size_t len)
{
	uint8_t *bytes = malloc(len + 1);

	for (size_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)(i * 37 + i / 256);
	return bytes;
}

/* ── scenarios ── */

static void test_there_and_back(void **state)
{
	static const size_t sizes[] = {0, 1, 1200, 1472, 9000, 65507};
	uint8_t *bytes = noise(65507);
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		arrive(w, 1, bytes, sizes[i]);
		for (int k = 0; k < 20; k++)
			pass(w, USEC_PER_MS);
		assert_int_equal(w->n_got, i + 1);
		assert_int_equal(w->n_sent, i + 1);
		assert_int_equal(buf_len(&w->got), sizes[i]);
		assert_int_equal(buf_len(&w->sent), sizes[i]);
		if (sizes[i]) {
			assert_memory_equal(buf_head(&w->got), bytes, sizes[i]);
			assert_memory_equal(buf_head(&w->sent), bytes, sizes[i]);
		}
		buf_done(&w->got);
		buf_done(&w->sent);
	}
	assert_int_equal(w->opened, 1);
	assert_int_equal(w->n_homes, 1);
	arrive(w, 2, "x", 1);
	pass(w, 10 * USEC_PER_MS);
	assert_int_equal(w->n_homes, 2);
	free(bytes);
}

/* Whole capsules, or nothing at all: what a reader finds who comes late. */
static unsigned read_deaf(struct world *w, size_t size)
{
	static uint8_t bytes[1 << 20];
	struct capsule_decoder d = {0};
	size_t len = 0, at = 0, so_far = 0;
	unsigned n_whole = 0;

	for (int i = 0; i < 200; i++) {
		ssize_t n = stream_read(w->deaf, bytes + len, sizeof(bytes) - len, NULL);

		if (n > 0)
			len += (size_t)n;
		pass(w, USEC_PER_MS);
	}
	while (at < len) {
		struct capsule_piece piece;
		ssize_t n = capsule_decode(&d, bytes + at, len - at, &piece);

		assert_true(n > 0);
		at += (size_t)n;
		if (piece.kind != CAPSULE_PIECE)
			continue;
		assert_int_equal(piece.total, size);
		so_far += piece.len;
		if (piece.last) {
			assert_int_equal(so_far, size);
			so_far = 0;
			n_whole++;
		}
	}
	assert_int_equal(so_far, 0);
	return n_whole;
}

/* The home side does not read: datagrams are dropped and counted, the stream lives on, and a
 * visitor of another service on the same carriers notices nothing. */
static void test_a_closed_window(void **state)
{
	uint8_t *bytes = noise(1200);
	struct world *w = *state;
	char text[16];
	unsigned got;

	w->does = DEAF;
	visit_tcp(w);
	for (int i = 0; i < 2000; i++) {
		arrive(w, 1, bytes, 1200);
		if (i % 10)
			continue;
		pass(w, USEC_PER_MS);
		if (w->visitor && i % 100 == 0) {
			assert_int_equal(stream_write(w->visitor, "ping", 4, NULL), 4);
			pass(w, USEC_PER_MS);
			assert_int_equal(stream_read(w->local, text, sizeof(text), NULL), 4);
			assert_int_equal(stream_write(w->local, "pong", 4, NULL), 4);
			pass(w, USEC_PER_MS);
			assert_int_equal(stream_read(w->visitor, text, sizeof(text), NULL), 4);
		}
	}
	/* The window, the local side's buffer, and one queue's worth. */
	assert_in_range(w->counters.datagrams_in, 100, 400);
	assert_int_equal(w->counters.datagrams_in + w->counters.dropped_full, 2000);
	assert_int_equal(w->counters.flows, 1);
	got = read_deaf(w, 1200);
	assert_int_equal(got, w->counters.datagrams_in);
	/* It goes on. */
	for (int i = 0; i < 10; i++)
		arrive(w, 1, bytes, 1200);
	assert_int_equal(read_deaf(w, 1200), 10);
	assert_int_equal(w->closed, 0);
	free(bytes);
}

/* 12 MB/s there and back over a line of 20 ms: more than the first window carries, so it grows, and
 * then nothing is lost any more. */
static void test_windows_grow(void **state)
{
	uint8_t *bytes = noise(1200);
	struct world *w = *state;
	uint64_t lost = 0, sent = 0;

	for (unsigned i = 0; i < w->n_lines; i++)
		mem_pair_set_delay(w->lines[i], 10 * USEC_PER_MS);
	for (int ms = 0; ms < 3000; ms++) {
		for (int i = 0; i < 10; i++)
			arrive(w, 1, bytes, 1200);
		pass(w, USEC_PER_MS);
		if (ms == 1000) {
			lost = w->counters.dropped_full;
			sent = w->n_sent;
		}
		buf_done(&w->got);
		buf_done(&w->sent);
	}
	pass(w, 100 * USEC_PER_MS);
	assert_int_equal(w->counters.dropped_full, lost);
	assert_in_range(w->n_sent - sent, 20000, 21000);
	free(bytes);
}

/* The network towards the visitor takes nothing: lost and counted, and nobody is held up. */
static void test_a_full_network(void **state)
{
	struct world *w = *state;

	w->visitor_net_full = true;
	for (int i = 0; i < 20; i++) {
		arrive(w, 1, "hello", 5);
		pass(w, 10 * USEC_PER_MS);
	}
	assert_int_equal(w->n_got, 20);
	assert_int_equal(w->counters.datagrams_out, 0);
	assert_int_equal(w->counters.dropped_full, 20);
	w->visitor_net_full = false;
	arrive(w, 1, "hello", 5);
	pass(w, 10 * USEC_PER_MS);
	assert_int_equal(w->n_sent, 1);
	assert_int_equal(w->counters.flows, 1);
}

/* An idle flow's end reaches home, in good order, and his next datagram begins a new one. */
static void test_idle(void **state)
{
	struct world *w = *state;

	arrive(w, 1, "a", 1);
	pass(w, 100 * USEC_PER_MS);
	assert_int_equal(w->n_sent, 1);
	pass(w, 122 * USEC_PER_S);
	assert_int_equal(w->counters.flows, 0);
	assert_int_equal(w->homes[0].closed, 1);
	assert_int_equal(w->closed, 1);
	arrive(w, 1, "b", 1);
	pass(w, 100 * USEC_PER_MS);
	assert_int_equal(w->n_homes, 2);
	assert_int_equal(w->n_sent, 2);
}

/* The agent's end of a flow ends it here. */
static void test_home_ends_it(void **state)
{
	struct world *w = *state;

	arrive(w, 1, "a", 1);
	pass(w, 100 * USEC_PER_MS);
	dgram_stream_end(w->homes[0].capsules);
	pass(w, 100 * USEC_PER_MS);
	assert_int_equal(w->counters.flows, 0);
	assert_int_equal(w->closed, 1);
	arrive(w, 1, "b", 1);
	pass(w, 100 * USEC_PER_MS);
	assert_int_equal(w->n_sent, 2);
}

/* A link that is lost takes its flows with it; who comes while it is dialled again waits. */
static void test_a_lost_link(void **state)
{
	struct world *w = *state;

	arrive(w, 1, "a", 1);
	pass(w, 100 * USEC_PER_MS);
	for (unsigned i = 0; i < w->n_lines; i++)
		mem_pair_cut(w->lines[i]);
	w->n_lines = 0;
	w->net_down = true;
	for (int i = 0; i < 11000 && w->counters.flows; i++)
		pass(w, USEC_PER_MS);
	assert_int_equal(w->counters.flows, 0);
	arrive(w, 1, "b", 1);
	arrive(w, 1, "c", 1);
	w->net_down = false;
	for (int i = 0; i < 1500; i++)
		pass(w, USEC_PER_MS);
	assert_int_equal(w->n_got, 3);
	assert_int_equal(w->n_sent, 3);
	assert_memory_equal(buf_head(&w->sent), "abc", 3);
}

/* The agent is away: tries come back, and nothing is left of them. */
static void test_nobody_there(void **state)
{
	struct world *w = *state;

	link_dial_free(TAKE(w->dial));
	w->n_lines = 0;
	pass(w, 5 * USEC_PER_S);
	for (int i = 0; i < 100; i++) {
		arrive(w, 1, "a", 1);
		pass(w, 50 * USEC_PER_MS);
	}
	assert_int_equal(w->counters.flows, 0);
	assert_int_equal(w->returned, 100);
	assert_int_equal(w->returned_r, -ERR_TIMEOUT);
	start_agent(w);
	arrive(w, 1, "b", 1);
	pass(w, 100 * USEC_PER_MS);
	assert_int_equal(w->n_sent, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(test_there_and_back), TEST(test_a_closed_window),
		TEST(test_windows_grow),   TEST(test_a_full_network),
		TEST(test_idle),	   TEST(test_home_ends_it),
		TEST(test_a_lost_link),	   TEST(test_nobody_there),
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
