/*
 * Both ends of the link, the real code, on a virtual clock: pairs of streams in memory are the
 * network, which can be cut, refused or slow. What takes minutes in life takes microseconds here.
 */
#include "test.h"

#include <stdio.h>
#include <string.h>

#include "link/dial.h"
#include "link/hub.h"
#include "net/mem.h"

#define LINES_MAX 64

/* One connection of the network: the two ends of a pair, as long as it was not closed. */
struct line {
	struct stream *agent_end;
	bool used;
};

struct world {
	struct loop *loop;
	struct link_hub *hub;
	struct link_dial *dial[2];
	struct tls_identity *keys[2];

	/* network */
	enum { NET_UP, NET_SILENT, NET_REFUSES } net;
	struct line lines[LINES_MAX];
	unsigned n_lines, dials;
	usec_t dial_times[256];
	struct tls_key_hash gateway_key;

	/* what the agents saw */
	enum link_dial_state state[2];
	unsigned welcomes[2], visitors[2];
	struct err why[2];
	bool echo_off, refuse_visitors;
	struct link_visitor *held; /* a visitor that was not answered yet */
	struct stream *local_end;  /* the local service's end of the last accepted visitor */
	bool stopped[2];

	/* what the gateway saw */
	unsigned online_calls, conflicts, services_calls, opened, closed, returned;
	int returned_r;
	unsigned returned_status;
	bool online, silent_role;
	struct stream *visitor_end; /* the visitor's end of the last one opened */
	struct stream *given_back;
};

/* ── network ── */

struct attempt {
	struct world *w;
	struct timer timer;
	void (*done)(void *done_arg, int r, struct stream *s, const struct tls_key_hash *peer,
		     const struct err *e);
	void *done_arg;
	int agent;
	bool waited;
};

struct dialer {
	struct world *w;
	int agent;
} dialers[2];

static void attempt_end(void *arg)
{
	struct attempt *a = arg;
	struct attempt copy = *a;
	struct world *w = a->w;
	struct stream *agent_end, *gateway_end;
	struct err e = {0};
	struct ipaddr observed = {.family = 4, .bytes = {198, 51, 100, 7}, .port = 4000};

	if (w->net == NET_SILENT &&
	    !a->waited) { /* the SYN is lost; the real connector gives up after 10 s */
		a->waited = true;
		timer_start(&a->timer, 10 * USEC_PER_S);
		return;
	}
	free(a);
	if (w->net == NET_SILENT || copy.waited) {
		err_set(&e, ERR_TIMEOUT, "the gateway did not answer within 10 s");
		copy.done(copy.done_arg, -ERR_TIMEOUT, NULL, NULL, &e);
		return;
	}
	if (w->net == NET_REFUSES) {
		err_set(&e, ERR_REFUSED, "connect to 192.0.2.1:443: Connection refused");
		copy.done(copy.done_arg, -ERR_REFUSED, NULL, NULL, &e);
		return;
	}
	assert_int_equal(mem_pair_new(w->loop, 0, &agent_end, &gateway_end, &e), 0);
	assert_true(w->n_lines < LINES_MAX);
	w->lines[w->n_lines++] = (struct line){agent_end, true};
	observed.port = (uint16_t)(4000 + w->n_lines);
	if (w->hub)
		assert_int_equal(link_hub_take(w->hub, gateway_end,
					       tls_identity_hash(w->keys[copy.agent]), 1, "laptop",
					       &observed, &e),
				 0);
	else
		stream_close(gateway_end);
	copy.done(copy.done_arg, 0, agent_end, &w->gateway_key, &e);
}

static int connector_start(void *arg, struct loop *loop,
			   void (*done)(void *done_arg, int r, struct stream *s,
					const struct tls_key_hash *peer, const struct err *e),
			   void *done_arg, void **ret_attempt, struct err *e)
{
	struct dialer *dialer = arg;
	struct world *w = dialer->w;
	struct attempt *a = calloc(1, sizeof(*a));

	*a = (struct attempt){.w = w, .done = done, .done_arg = done_arg, .agent = dialer->agent};
	timer_init(&a->timer, loop, attempt_end, a);
	timer_start(&a->timer, 10 * USEC_PER_MS);
	if (w->dials < 256)
		w->dial_times[w->dials] = loop_now(loop);
	w->dials++;
	*ret_attempt = a;
	return 0;
}

static void connector_cancel(void *arg, void *attempt)
{
	struct attempt *a = attempt;

	timer_stop(&a->timer);
	free(a);
}

/* The line goes dead without a word, both ways, for everything that is connected now. */
static void cut_all(struct world *w)
{
	for (unsigned i = 0; i < w->n_lines; i++)
		if (w->lines[i].used)
			mem_pair_cut(w->lines[i].agent_end);
	w->n_lines = 0;
}

/* ── agent ── */

static int agent_of(void *arg)
{
	return ((struct dialer *)arg)->agent;
}

static void on_state(void *arg, enum link_dial_state state, const struct err *why)
{
	struct world *w = ((struct dialer *)arg)->w;

	w->state[agent_of(arg)] = state;
	if (why)
		w->why[agent_of(arg)] = *why;
}

static void on_welcome(void *arg, const struct link_welcome *welcome)
{
	struct world *w = ((struct dialer *)arg)->w;

	w->welcomes[agent_of(arg)]++;
	assert_string_equal(welcome->agent, "laptop");
}

static void on_grants(void *arg, const struct link_grants *grants)
{
}

static void on_agent_visitor_closed(void *arg, const struct link_visitor_totals *totals)
{
}

static const struct link_visitor_handler agent_visitor = {.on_closed = on_agent_visitor_closed};

static void on_visitor(void *arg, struct link_visitor *v, const char *service,
		       const struct forwarded *who)
{
	struct world *w = ((struct dialer *)arg)->w;
	struct stream *local, *end;

	w->visitors[agent_of(arg)]++;
	assert_string_equal(service, "blog");
	assert_string_equal(who->host, "blog.example.org");
	link_visitor_set_handler(v, &agent_visitor, w);
	if (w->refuse_visitors) {
		link_visitor_refuse(v, 502, "nobody listens");
		return;
	}
	if (w->echo_off) {
		w->held = v;
		return;
	}
	assert_int_equal(mem_pair_new(w->loop, 0, &local, &end, NULL), 0);
	stream_close(w->local_end);
	w->local_end = end;
	link_visitor_accept(v, local);
}

static const struct link_dial_events dial_events = {.on_state = on_state,
						    .on_welcome = on_welcome,
						    .on_grants = on_grants,
						    .on_visitor = on_visitor};

static void start_agent(struct world *w, int agent, unsigned carriers)
{
	struct link_connector connector = {
		.start = connector_start, .cancel = connector_cancel, .arg = &dialers[agent]};
	struct link_dial_config config = {.host = "gw.example.org",
					  .port = 443,
					  .gateway = w->gateway_key,
					  .identity = w->keys[agent],
					  .carriers = carriers,
					  .connector = &connector};
	struct link_services services = {0};
	struct link_service *service;
	struct err e = {0};

	dialers[agent] = (struct dialer){w, agent};
	assert_int_equal(
		link_dial_new(w->loop, &config, &dial_events, &dialers[agent], &w->dial[agent], &e),
		0);
	service = link_services_add(&services, STR("blog"));
	assert_int_equal(
		link_texts_add(&service->names, &service->n_names, STR("blog.example.org")), 0);
	assert_int_equal(link_dial_set_services(w->dial[agent], &services), 0);
	link_services_done(&services);
}

/* ── gateway ── */

static void on_join(void *arg, uint64_t connection, const struct tls_key_hash *key,
		    const uint8_t secret[static LINK_SECRET_LEN])
{
}

static void on_services(void *arg, uint64_t agent, const struct link_services *services)
{
	struct world *w = arg;
	struct link_grants grants = {.revision = services->revision};

	w->services_calls++;
	if (w->silent_role)
		return;
	for (size_t i = 0; i < services->n; i++)
		link_grants_add(&grants, str_of(services->list[i].id))->granted = true;
	link_hub_grant(w->hub, agent, &grants);
	link_grants_done(&grants);
}

static void on_online(void *arg, uint64_t agent, bool online, const struct ipaddr *observed)
{
	struct world *w = arg;

	w->online_calls++;
	w->online = online;
}

static void on_conflict(void *arg, uint64_t agent, const struct ipaddr *one,
			const struct ipaddr *other)
{
	struct world *w = arg;

	w->conflicts++;
}

static const struct link_hub_handler hub_handler = {.on_join = on_join,
						    .on_services = on_services,
						    .on_online = on_online,
						    .on_conflict = on_conflict};

static void start_hub(struct world *w)
{
	struct link_hub_config config = {.domain = "example.org", .window_budget = 64 << 20};

	assert_int_equal(link_hub_new(w->loop, &config, &hub_handler, w, &w->hub, NULL), 0);
}

static void on_opened(void *arg)
{
	((struct world *)arg)->opened++;
}

static void on_returned(void *arg, struct stream *local, int r, unsigned status, const char *reason)
{
	struct world *w = arg;

	w->returned++;
	w->returned_r = r;
	w->returned_status = status;
	stream_close(w->given_back);
	w->given_back = local;
}

static void on_closed(void *arg, const struct link_visitor_totals *totals)
{
	((struct world *)arg)->closed++;
}

static const struct link_visitor_handler gateway_visitor = {
	.on_opened = on_opened, .on_returned = on_returned, .on_closed = on_closed};

static void visit(struct world *w)
{
	struct forwarded who = {.addr = {.family = 4, .bytes = {198, 51, 100, 20}, .port = 5000},
				.host = "blog.example.org",
				.proto = "http"};
	struct stream *front, *end;

	assert_int_equal(mem_pair_new(w->loop, 0, &front, &end, NULL), 0);
	stream_close(w->visitor_end);
	w->visitor_end = end;
	assert_int_equal(link_hub_open(w->hub, 1, "blog", &who, front, &gateway_visitor, w, NULL),
			 0);
}

/* ── small words ── */

static void put(struct stream *s, const char *text)
{
	assert_int_equal(stream_write(s, text, strlen(text), NULL), strlen(text));
}

static void expect(struct stream *s, const char *text)
{
	char got[256] = "";
	ssize_t n = stream_read(s, got, sizeof(got) - 1, NULL);

	assert_true(n >= 0);
	got[n] = '\0';
	assert_string_equal(got, text);
}

static void pass(struct world *w, usec_t span)
{
	loop_sim_advance(w->loop, span);
}

/* Until the condition holds; yields how long it took. */
#define PASS_UNTIL(w, most, condition)                                                             \
	({                                                                                         \
		usec_t begin_ = loop_now((w)->loop);                                               \
		while (!(condition) && loop_now((w)->loop) - begin_ < (most))                      \
			pass(w, 10 * USEC_PER_MS);                                                 \
		assert_true(condition);                                                            \
		loop_now((w)->loop) - begin_;                                                      \
	})

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_int_equal(loop_new_sim(&w->loop, NULL), 0);
	assert_int_equal(tls_identity_new(&w->keys[0], NULL), 0);
	assert_int_equal(tls_identity_new(&w->keys[1], NULL), 0);
	memset(&w->gateway_key, 7, sizeof(w->gateway_key));
	start_hub(w);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	link_dial_free(w->dial[0]);
	link_dial_free(w->dial[1]);
	link_hub_free(w->hub);
	stream_close(w->visitor_end);
	stream_close(w->local_end);
	stream_close(w->given_back);
	pass(w, 0);
	tls_identity_free(w->keys[0]);
	tls_identity_free(w->keys[1]);
	loop_free(w->loop);
	free(w);
	return 0;
}

static void up(struct world *w, unsigned carriers)
{
	struct link_hub_agent_info info;

	start_agent(w, 0, carriers);
	PASS_UNTIL(w, 2 * USEC_PER_S,
		   link_hub_agent_info(w->hub, 1, &info) == 0 && info.carriers == carriers &&
			   w->state[0] == LINK_DIAL_UP);
}

/* ── the scenarios ── */

static void test_visitor_both_ways(void **state)
{
	struct world *w = *state;

	up(w, 2);
	visit(w);
	put(w->visitor_end, "hello");
	pass(w, USEC_PER_MS);
	expect(w->local_end, "hello");
	put(w->local_end, "world");
	pass(w, USEC_PER_MS);
	expect(w->visitor_end, "world");
	assert_int_equal(w->opened, 1);

	/* Half-close: the visitor is done sending, the answer still comes. */
	assert_int_equal(stream_shutdown(w->visitor_end, NULL), 0);
	pass(w, USEC_PER_MS);
	expect(w->local_end, "");
	put(w->local_end, "the rest");
	assert_int_equal(stream_shutdown(w->local_end, NULL), 0);
	pass(w, USEC_PER_MS);
	expect(w->visitor_end, "the rest");
	expect(w->visitor_end, "");
	assert_int_equal(w->closed, 1);
}

static void test_resets(void **state)
{
	struct world *w = *state;
	char byte;

	up(w, 2);
	visit(w);
	pass(w, USEC_PER_MS);
	stream_reset(w->local_end);
	w->local_end = NULL;
	pass(w, USEC_PER_MS);
	assert_int_equal(stream_read(w->visitor_end, &byte, 1, NULL), -ERR_RESET);
	assert_int_equal(w->closed, 1);

	visit(w);
	pass(w, USEC_PER_MS);
	stream_reset(w->visitor_end);
	w->visitor_end = NULL;
	pass(w, USEC_PER_MS);
	assert_int_equal(stream_read(w->local_end, &byte, 1, NULL), -ERR_RESET);
	assert_int_equal(w->closed, 2);
}

/* A visitor who was done sending and then goes away: nobody writes to him, so only the reset itself
 * can tell. */
static void test_reset_behind_a_half_close(void **state)
{
	struct world *w = *state;

	up(w, 2);
	visit(w);
	put(w->visitor_end, "GET /slow");
	assert_int_equal(stream_shutdown(w->visitor_end, NULL), 0);
	pass(w, 10 * USEC_PER_MS);
	expect(w->local_end, "GET /slow");
	assert_int_equal(w->closed, 0);
	stream_reset(w->visitor_end);
	w->visitor_end = NULL;
	pass(w, 10 * USEC_PER_MS);
	assert_int_equal(w->closed, 1);
}

static void test_refused_by_agent(void **state)
{
	struct world *w = *state;

	up(w, 1);
	w->refuse_visitors = true;
	visit(w);
	put(w->visitor_end, "GET / HTTP/1.1\r\n");
	pass(w, USEC_PER_MS);
	assert_int_equal(w->returned, 1);
	assert_int_equal(w->returned_r, -ERR_REFUSED);
	assert_int_equal(w->returned_status, 502);
	expect(w->given_back, "GET / HTTP/1.1\r\n"); /* nothing the visitor sent is lost */
}

/* Cut silently: found after 10 s, dialled every 0.7 s +- 20 %, up within a second of the line's
 * return. */
static void test_silence_and_redial(void **state)
{
	struct world *w = *state;
	usec_t took;
	unsigned before;

	up(w, 2);
	cut_all(w);
	w->net = NET_SILENT;
	took = PASS_UNTIL(w, 30 * USEC_PER_S, w->state[0] == LINK_DIAL_CONNECTING);
	assert_in_range(took, 5 * USEC_PER_S, 10 * USEC_PER_S + 100 * USEC_PER_MS);
	PASS_UNTIL(w, 10 * USEC_PER_S, !w->online);

	before = w->dials;
	pass(w, 30 * USEC_PER_S);
	assert_in_range(w->dials - before, 34, 56); /* 30 s / 0.7 s +- 20 % */
	for (unsigned i = before + 1; i < w->dials && i < 256; i++)
		assert_in_range(w->dial_times[i] - w->dial_times[i - 1], 560 * USEC_PER_MS,
				840 * USEC_PER_MS);

	w->net = NET_UP;
	took = PASS_UNTIL(w, 5 * USEC_PER_S, w->state[0] == LINK_DIAL_UP);
	print_message("line back -> link up: %llu ms\n", (unsigned long long)(took / USEC_PER_MS));
	assert_true(took <= USEC_PER_S);
	visit(w);
	put(w->visitor_end, "again");
	pass(w, USEC_PER_MS);
	expect(w->local_end, "again");
}

static void test_slow_redial_after_two_minutes(void **state)
{
	struct world *w = *state;
	unsigned before;
	usec_t took;

	up(w, 1);
	cut_all(w);
	w->net = NET_SILENT;
	pass(w, 150 * USEC_PER_S);
	before = w->dials;
	pass(w, 300 * USEC_PER_S);
	assert_in_range(w->dials - before, 28, 47); /* every 8.3 s +- 20 % */
	w->net = NET_UP;
	took = PASS_UNTIL(w, 30 * USEC_PER_S, w->state[0] == LINK_DIAL_UP);
	assert_true(took <= 10 * USEC_PER_S + 100 * USEC_PER_MS);
}

static void test_network_event_dials_at_once(void **state)
{
	struct world *w = *state;
	usec_t took;

	w->net = NET_REFUSES;
	start_agent(w, 0, 1);
	pass(w, 120 * USEC_PER_S); /* backed off to 10 s by now */
	w->net = NET_UP;
	link_dial_network_changed(w->dial[0]);
	took = PASS_UNTIL(w, 5 * USEC_PER_S, w->state[0] == LINK_DIAL_UP);
	assert_true(took <= 100 * USEC_PER_MS);
}

static void test_refused_backs_off(void **state)
{
	struct world *w = *state;

	w->net = NET_REFUSES;
	start_agent(w, 0, 1);
	pass(w, 60 * USEC_PER_S);
	assert_in_range(w->dials, 8,
			13); /* 0 0.7 2.1 4.9 10.5 18.8 27.1 35.4 43.7 52, with jitter */
	assert_non_null(strstr(w->why[0].text, "Connection refused"));
	assert_non_null(strstr(w->why[0].text, "trying again in"));
}

/* A network event while a link seems up but is dead: a second link within 2 s and a bit, not 10 s.
 */
static void test_network_event_on_dead_link(void **state)
{
	struct world *w = *state;
	unsigned dials;

	up(w, 1);
	dials = w->dials;
	cut_all(w);
	link_dial_network_changed(w->dial[0]);
	pass(w, 1900 * USEC_PER_MS);
	assert_int_equal(w->dials, dials);
	pass(w, 300 * USEC_PER_MS);
	assert_int_equal(w->dials, dials + 1);
	assert_int_equal(w->welcomes[0], 2);
	visit(w);
	put(w->visitor_end, "over the new one");
	pass(w, 10 * USEC_PER_MS);
	expect(w->local_end, "over the new one");
	pass(w, 60 * USEC_PER_S);
	assert_int_equal(w->dials, dials + 1); /* and it is quiet after that */
}

/* The same event on a link that lives changes nothing. */
static void test_network_event_on_live_link(void **state)
{
	struct world *w = *state;
	unsigned dials;

	up(w, 2);
	dials = w->dials;
	visit(w);
	pass(w, USEC_PER_MS);
	link_dial_network_changed(w->dial[0]);
	pass(w, 30 * USEC_PER_S);
	assert_int_equal(w->dials, dials);
	put(w->visitor_end, "still here");
	pass(w, USEC_PER_MS);
	expect(w->local_end, "still here");
}

static void test_sleep(void **state)
{
	struct world *w = *state;

	up(w, 2);
	loop_on_jump(w->loop, (void (*)(void *, usec_t))(void (*)(void))link_dial_network_changed,
		     w->dial[0]);
	/* Both ends sleep together here; a link that survived is kept. */
	loop_sim_sleep(w->loop, 3600 * USEC_PER_S);
	pass(w, 5 * USEC_PER_S);
	visit(w);
	put(w->visitor_end, "good morning");
	pass(w, 10 * USEC_PER_MS);
	expect(w->local_end, "good morning");
}

/* An idle link: a PING every 5 s a carrier, nothing more. */
static void test_idle_link_stays(void **state)
{
	struct world *w = *state;
	unsigned dials;

	up(w, 2);
	dials = w->dials;
	pass(w, 3600 * USEC_PER_S);
	assert_int_equal(w->dials, dials);
	assert_int_equal(w->state[0], LINK_DIAL_UP);
	assert_int_equal(w->online_calls, 1);
}

static void test_gateway_drain(void **state)
{
	struct world *w = *state;
	struct link_hub *old = w->hub;
	unsigned welcomes;

	up(w, 2);
	visit(w);
	put(w->visitor_end, "before");
	pass(w, USEC_PER_MS);
	expect(w->local_end, "before");

	/* Another process takes the connections from now on; the old one asks its agents to go
	 * there. */
	welcomes = w->welcomes[0];
	start_hub(w);
	link_hub_drain(old);
	PASS_UNTIL(w, 5 * USEC_PER_S, w->welcomes[0] == welcomes + 2);
	put(w->local_end, "the old stream goes on");
	pass(w, USEC_PER_MS);
	expect(w->visitor_end, "the old stream goes on");
	assert_int_equal(w->closed, 0);

	/* A new visitor at the new process. */
	struct stream *old_visitor = w->visitor_end, *old_local = w->local_end;

	w->visitor_end = w->local_end = NULL;
	visit(w);
	put(w->visitor_end, "after");
	pass(w, USEC_PER_MS);
	expect(w->local_end, "after");

	/* The old stream ends, and its connection with it. */
	stream_close(old_visitor);
	stream_close(old_local);
	pass(w, 2 * USEC_PER_S);
	struct link_hub_info info;

	link_hub_info(old, &info);
	assert_int_equal(info.carriers, 0);
	link_hub_free(old);
}

/* Who is on a carrier that has died unnoticed cannot be waited for. */
static void test_drain_with_a_dead_carrier(void **state)
{
	struct world *w = *state;

	up(w, 1);
	visit(w);
	put(w->visitor_end, "before");
	pass(w, USEC_PER_MS);
	expect(w->local_end, "before");
	cut_all(w);
	link_hub_drain(w->hub);
	pass(w, 1900 * USEC_PER_MS);
	assert_int_equal(w->closed, 0); /* it has its time to answer */
	pass(w, 200 * USEC_PER_MS);
	assert_int_equal(w->closed, 1);
}

static void test_drain_ends_after_30_s(void **state)
{
	struct world *w = *state;
	struct link_hub *old = w->hub;
	struct link_hub_info info;
	char byte;

	up(w, 1);
	visit(w);
	pass(w, USEC_PER_MS);
	start_hub(w);
	link_hub_drain(old);
	pass(w, 25 * USEC_PER_S);
	assert_int_equal(stream_read(w->visitor_end, &byte, 1, NULL), -ERR_AGAIN);
	pass(w, 12 * USEC_PER_S);
	assert_int_equal(stream_read(w->visitor_end, &byte, 1, NULL), -ERR_RESET);
	link_hub_info(old, &info);
	assert_int_equal(info.carriers, 0);
	link_hub_free(old);
}

static void test_takeover(void **state)
{
	struct world *w = *state;

	up(w, 2);
	start_agent(w, 1, 2); /* the same agent number, another instance */
	PASS_UNTIL(w, 5 * USEC_PER_S,
		   w->state[1] == LINK_DIAL_UP && w->state[0] == LINK_DIAL_REPLACED);
	assert_int_equal(w->conflicts, 0);
	visit(w);
	pass(w, USEC_PER_MS);
	assert_int_equal(w->visitors[1], 1);

	/* The loser parks 60 s, then takes it back; the third time within 10 minutes is told. */
	pass(w, 50 * USEC_PER_S);
	assert_int_equal(w->state[1], LINK_DIAL_UP);
	PASS_UNTIL(w, 20 * USEC_PER_S,
		   w->state[0] == LINK_DIAL_UP && w->state[1] == LINK_DIAL_REPLACED);
	PASS_UNTIL(w, 120 * USEC_PER_S,
		   w->state[1] == LINK_DIAL_UP && w->state[0] == LINK_DIAL_REPLACED);
	assert_int_equal(w->conflicts, 1);
	assert_non_null(strstr(w->why[0].text, "two machines"));
}

static void test_wrong_gateway_key(void **state)
{
	struct world *w = *state;

	up(w, 1);
	w->gateway_key.bytes[0] ^= 1;
	cut_all(w);
	PASS_UNTIL(w, 30 * USEC_PER_S, w->state[0] == LINK_DIAL_REFUSED);
	assert_non_null(strstr(w->why[0].text, "another key"));
	w->gateway_key.bytes[0] ^= 1; /* a captive portal that has gone */
	PASS_UNTIL(w, 90 * USEC_PER_S, w->state[0] == LINK_DIAL_UP);
}

static void test_expelled(void **state)
{
	struct world *w = *state;
	unsigned dials;

	up(w, 2);
	link_hub_expel(w->hub, 1, "revoked", "");
	PASS_UNTIL(w, 5 * USEC_PER_S, w->state[0] == LINK_DIAL_REFUSED);
	assert_non_null(strstr(w->why[0].text, "revoked"));
	dials = w->dials;
	pass(w, 7200 * USEC_PER_S);
	assert_int_equal(w->dials, dials); /* only a person can mend it: not repeated */
}

/* The link is lost before the agent answered: the visitor waits and is opened again with the same
 * bytes. */
static void test_visitor_is_opened_again(void **state)
{
	struct world *w = *state;

	up(w, 1);
	w->echo_off = true;
	visit(w);
	put(w->visitor_end, "POST / HTTP/1.1\r\n\r\nbody");
	pass(w, 10 * USEC_PER_MS);
	assert_int_equal(w->visitors[0], 1);
	w->echo_off = false;
	/* The agent process dies and starts again: its connections are closed. */
	link_dial_free(w->dial[0]);
	w->dial[0] = NULL;
	pass(w, 400 * USEC_PER_MS);
	put(w->visitor_end, ", the rest"); /* his stream is told to nobody now */
	pass(w, 100 * USEC_PER_MS);
	assert_int_equal(w->returned, 0);
	start_agent(w, 0, 1);
	PASS_UNTIL(w, 2 * USEC_PER_S, w->opened == 1);
	pass(w, USEC_PER_MS);
	expect(w->local_end, "POST / HTTP/1.1\r\n\r\nbody, the rest");
}

/* One of two carriers is dead and nobody knows yet: who is put on it is asked about after 2 s and
 * moved after 4. */
static void test_visitor_on_a_dead_carrier(void **state)
{
	struct world *w = *state;
	usec_t longest = 0;

	up(w, 2);
	mem_pair_cut(w->lines[0].agent_end);
	for (unsigned i = 0; i < 6; i++) {
		usec_t took;

		visit(w);
		took = PASS_UNTIL(w, 6 * USEC_PER_S, w->opened == i + 1);
		longest = MAX(longest, took);
	}
	print_message("longest wait beside a dead carrier: %llu ms\n",
		      (unsigned long long)(longest / USEC_PER_MS));
	assert_true(longest <= 4500 * USEC_PER_MS);
	assert_int_equal(w->returned, 0);
}

/* An agent that takes a visitor and never answers for him: he is given back in the end. */
static void test_visitor_without_an_answer(void **state)
{
	struct world *w = *state;
	usec_t took;

	up(w, 2);
	w->echo_off = true;
	visit(w);
	put(w->visitor_end, "GET / HTTP/1.1\r\n\r\n");
	took = PASS_UNTIL(w, 120 * USEC_PER_S, w->returned == 1);
	assert_int_equal(w->returned_r, -ERR_TIMEOUT);
	assert_in_range(took, 59 * USEC_PER_S, 61 * USEC_PER_S);
	assert_int_equal(w->state[0], LINK_DIAL_UP);
	expect(w->given_back, "GET / HTTP/1.1\r\n\r\n");
}

static void test_visitor_waits_two_seconds(void **state)
{
	struct world *w = *state;
	usec_t took;

	up(w, 1);
	link_dial_free(w->dial[0]);
	w->dial[0] = NULL;
	pass(w, 10 * USEC_PER_MS);
	visit(w);
	took = PASS_UNTIL(w, 5 * USEC_PER_S, w->returned == 1);
	assert_int_equal(w->returned_r, -ERR_TIMEOUT);
	assert_in_range(took, 1900 * USEC_PER_MS, 2100 * USEC_PER_MS);
	visit(w); /* by now it is known to be away: no wait */
	pass(w, USEC_PER_MS);
	assert_int_equal(w->returned, 2);
}

static void test_silent_role(void **state)
{
	struct world *w = *state;

	w->silent_role = true;
	start_agent(w, 0, 1);
	pass(w, 20 * USEC_PER_S);
	assert_int_not_equal(w->state[0], LINK_DIAL_UP);
	w->silent_role = false;
	PASS_UNTIL(w, 30 * USEC_PER_S, w->state[0] == LINK_DIAL_UP);
}

static void on_dial_stopped(void *arg)
{
	*(bool *)arg = true;
}

static void test_stop(void **state)
{
	struct world *w = *state;

	up(w, 2);
	link_dial_stop(w->dial[0], 0, on_dial_stopped, &w->stopped[0]);
	PASS_UNTIL(w, 2 * USEC_PER_S, w->stopped[0]);
	assert_false(w->online);
	assert_true(w->services_calls >= 2); /* the empty list came before the end */
}

/* One that will be started again withdraws nothing: who comes meanwhile waits for the next process. */
static void test_stop_for_a_restart(void **state)
{
	struct world *w = *state;

	up(w, 2);
	link_dial_stop(w->dial[0], 30 * USEC_PER_S, on_dial_stopped, &w->stopped[0]);
	PASS_UNTIL(w, 2 * USEC_PER_S, w->stopped[0]);
	assert_false(w->online);
	assert_int_equal(w->services_calls, 1);
	link_dial_free(w->dial[0]);
	w->dial[0] = NULL;
	visit(w);
	put(w->visitor_end, "in between");
	pass(w, 500 * USEC_PER_MS);
	assert_int_equal(w->returned, 0);
	start_agent(w, 0, 2);
	PASS_UNTIL(w, 2 * USEC_PER_S, w->opened == 1);
	pass(w, USEC_PER_MS);
	expect(w->local_end, "in between");
}

/* With visitors, on a line that is dead: what cannot be finished is not waited for. */
static void test_stop_on_a_dead_line(void **state)
{
	struct world *w = *state;
	usec_t before;

	up(w, 2);
	visit(w);
	pass(w, USEC_PER_MS);
	assert_int_equal(w->opened, 1);
	cut_all(w);
	before = loop_now(w->loop);
	link_dial_stop(w->dial[0], 30 * USEC_PER_S, on_dial_stopped, &w->stopped[0]);
	PASS_UNTIL(w, 30 * USEC_PER_S, w->stopped[0]);
	assert_in_range(loop_now(w->loop) - before, 0, 2500 * USEC_PER_MS);
}

/* While the line lives, a visitor has the time that was given. */
static void test_stop_waits_for_visitors(void **state)
{
	struct world *w = *state;

	up(w, 2);
	visit(w);
	pass(w, USEC_PER_MS);
	link_dial_stop(w->dial[0], 30 * USEC_PER_S, on_dial_stopped, &w->stopped[0]);
	pass(w, 20 * USEC_PER_S);
	assert_false(w->stopped[0]);
	put(w->visitor_end, "still here");
	pass(w, 100 * USEC_PER_MS);
	expect(w->local_end, "still here");
}

/* A visitor who does not read holds up nobody, and at most his window is kept for him. */
static void test_stalled_visitor(void **state)
{
	struct world *w = *state;
	struct stream *stalled, *stalled_service;
	size_t sent = 0;

	up(w, 1);
	visit(w);
	pass(w, USEC_PER_MS);
	stalled = w->visitor_end;
	stalled_service = w->local_end;
	w->visitor_end = w->local_end = NULL;
	for (int i = 0; i < 1000; i++) {
		static char block[4096];
		ssize_t n = stream_write(stalled_service, block, sizeof(block), NULL);

		if (n > 0)
			sent += (size_t)n;
		pass(w, USEC_PER_MS);
	}
	/* Three buffers of 64 KiB in memory pairs, and one window. */
	assert_in_range(sent, 64 * 1024, 5 * 64 * 1024);
	visit(w);
	put(w->visitor_end, "fast");
	pass(w, USEC_PER_MS);
	expect(w->local_end, "fast");
	stream_close(stalled);
	stream_close(stalled_service);
	pass(w, USEC_PER_MS);
	assert_int_equal(w->closed, 1);
}

static void test_many_resets(void **state)
{
	struct world *w = *state;

	up(w, 2);
	for (int i = 0; i < 5000; i++) {
		visit(w);
		put(w->visitor_end, "GET /");
		pass(w, USEC_PER_MS);
		stream_reset(w->visitor_end);
		w->visitor_end = NULL;
	}
	pass(w, USEC_PER_S);
	assert_int_equal(w->state[0], LINK_DIAL_UP);
	assert_int_equal(w->closed + w->returned, 5000);
	assert_int_equal(w->welcomes[0], 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)
		T(visitor_both_ways),
		T(resets),
		T(reset_behind_a_half_close),
		T(refused_by_agent),
		T(silence_and_redial),
		T(slow_redial_after_two_minutes),
		T(network_event_dials_at_once),
		T(refused_backs_off),
		T(network_event_on_dead_link),
		T(network_event_on_live_link),
		T(sleep),
		T(idle_link_stays),
		T(gateway_drain),
		T(drain_with_a_dead_carrier),
		T(drain_ends_after_30_s),
		T(takeover),
		T(wrong_gateway_key),
		T(expelled),
		T(visitor_is_opened_again),
		T(visitor_on_a_dead_carrier),
		T(visitor_without_an_answer),
		T(visitor_waits_two_seconds),
		T(silent_role),
		T(stop),
		T(stop_for_a_restart),
		T(stop_on_a_dead_line),
		T(stop_waits_for_visitors),
		T(stalled_visitor),
		T(many_resets),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
