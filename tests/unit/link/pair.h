/* Two carriers, or one and a peer made of nghttp2 alone, over a pair in memory on the virtual
 * clock. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "link/carrier.h"
#include "net/mem.h"

#define MS(n)	     ((usec_t)(n)*USEC_PER_MS)
#define VISITORS_MAX 2100
#define BUDGET	     ((size_t)64 * 1024 * 1024)

/* One end of a visitor's connection, outside of the link. */
struct end {
	struct visit *visit;
	struct stream *s;
	uint64_t seed, to_send, sent, got, to_get;
	bool end;   /* shut down behind the last byte */
	bool pause; /* neither reads nor writes */
	bool shut, ended, reset;
};

struct visit {
	struct world *w;
	struct end visitor, local;
	struct link_visitor *v; /* agent's; until accepted or refused */
	unsigned announced, opened, returned, closed, agent_closed;
	int returned_r;
	unsigned returned_status;
	char reason[256];
	struct link_visitor_totals totals, agent_totals;
};

/* What a carrier told its owner. */
struct owner {
	struct world *w;
	struct carrier *c;
	unsigned open, objects, missed, going, dead;
	int dead_r, object_r;
	bool keep; /* not freed in on_dead */
	bool free_at_object;
	struct err why;
	char last[128]; /* type of the last object */
};

struct world {
	struct loop *loop;
	struct owner agent, gateway;
	struct stream *line; /* borrowed: the agent's end of the transport, for cutting */
	struct carrier_budget budget;
	struct visit *visits;
	unsigned n_visits;
	size_t visitor_buffer; /* what a visitor's connection takes for him; 0: the default */
	enum { ACCEPT, REFUSE, LEAVE } agent_does;
	uint32_t random;
};

static uint32_t random_next(struct world *w)
{
	w->random = w->random * 1664525u + 1013904223u;
	return w->random >> 8;
}

/* ── ends ── */

#define PERIOD	65521 /* a prime: no buffer's size divides it */
#define AT_ONCE 20000

/* AT_ONCE bytes of those that a side with this seed sends, from the at-th on. */
static const uint8_t *bytes_at(uint64_t seed, uint64_t at)
{
	static uint8_t all[PERIOD + AT_ONCE];

	if (all[1] == 0)
		for (uint32_t i = 0; i < sizeof(all); i++)
			all[i] = (uint8_t)((i % PERIOD) * 2654435761u >> 24);
	return all + (at + seed * 977) % PERIOD;
}

static void end_write(struct end *end)
{
	while (end->sent < end->to_send) {
		size_t len = 1 + random_next(end->visit->w) % AT_ONCE;
		ssize_t n;

		len = MIN(len, end->to_send - end->sent);
		n = stream_write(end->s, bytes_at(end->seed, end->sent), len, NULL);
		if (n == -ERR_AGAIN)
			return;
		if (n < 0) {
			end->reset = true;
			return;
		}
		end->sent += (uint64_t)n;
		if (n < (ssize_t)len)
			return;
	}
	if (end->end && !end->shut) {
		end->shut = true;
		end->reset |= stream_shutdown(end->s, NULL) < 0;
	}
}

static void end_read(struct end *end)
{
	const struct end *other =
		end == &end->visit->visitor ? &end->visit->local : &end->visit->visitor;
	uint8_t bytes[AT_ONCE];

	while (!end->ended && !end->reset) {
		size_t len = 1 + random_next(end->visit->w) % sizeof(bytes);
		ssize_t n = stream_read(end->s, bytes, len, NULL);

		if (n == -ERR_AGAIN)
			return;
		end->reset |= n < 0;
		end->ended |= n == 0;
		if (n > 0)
			assert_memory_equal(bytes, bytes_at(other->seed, end->got), (size_t)n);
		end->got += n > 0 ? (uint64_t)n : 0;
	}
}

static void end_go(struct end *end)
{
	if (!end->s || end->pause)
		return;
	if (!end->reset)
		end_write(end);
	end_read(end);
}

/* Ends are looked at in every step; nothing depends on being told. */
static void step(struct world *w, usec_t span)
{
	for (unsigned i = 0; i < w->n_visits; i++) {
		end_go(&w->visits[i].visitor);
		end_go(&w->visits[i].local);
	}
	loop_sim_advance(w->loop, span);
}

static void steps(struct world *w, int n)
{
	while (n-- > 0)
		step(w, MS(1));
}

static void end_close(struct end *end)
{
	stream_close(TAKE(end->s));
}

/* ── owners ── */

static void on_open(void *arg)
{
	((struct owner *)arg)->open++;
}

static int on_object(void *arg, json_t *object, struct err *e)
{
	struct owner *o = arg;

	o->objects++;
	snprintf(o->last, sizeof(o->last), "%s",
		 json_string_value(json_object_get(object, "type")));
	if (o->free_at_object) {
		carrier_free(TAKE(o->c));
		return 0;
	}
	return o->object_r ? err_set(e, -o->object_r, "field \"x\": no") : 0;
}

static void on_agent_closed(void *arg, const struct link_visitor_totals *totals)
{
	struct visit *visit = arg;

	visit->agent_closed++;
	visit->agent_totals = *totals;
	visit->v = NULL;
}

static const struct link_visitor_handler agent_visitor = {.on_closed = on_agent_closed};

static void visit_accept(struct visit *visit)
{
	struct stream *inner;

	assert_int_equal(mem_pair_new(visit->w->loop, 0, &inner, &visit->local.s, NULL), 0);
	link_visitor_accept(visit->v, inner);
}

static void on_visitor(void *arg, struct link_visitor *v, const char *service,
		       const struct forwarded *who)
{
	struct world *w = ((struct owner *)arg)->w;
	unsigned i = (unsigned)atoi(service + 1);
	struct visit *visit = &w->visits[i];

	assert_true(service[0] == 's' && i < w->n_visits);
	assert_string_equal(who->host, "blog.example.org");
	assert_int_equal(who->addr.port, i + 1);
	visit->announced++;
	visit->v = v;
	link_visitor_set_handler(v, &agent_visitor, visit);
	if (w->agent_does == ACCEPT)
		visit_accept(visit);
	if (w->agent_does == REFUSE)
		link_visitor_refuse(v, 502, "nobody listens on 127.0.0.1:8000");
}

static void on_missed(void *arg)
{
	((struct owner *)arg)->missed++;
}

static void on_going(void *arg)
{
	((struct owner *)arg)->going++;
}

static void on_dead(void *arg, int r, const struct err *why)
{
	struct owner *o = arg;

	o->dead++;
	o->dead_r = r;
	o->why = *why;
	if (!o->keep)
		carrier_free(TAKE(o->c));
}

static const struct carrier_handler handler = {
	.on_open = on_open,
	.on_object = on_object,
	.on_visitor = on_visitor,
	.on_missed = on_missed,
	.on_going = on_going,
	.on_dead = on_dead,
};

/* ── the gateway's visitors ── */

static void on_opened(void *arg)
{
	((struct visit *)arg)->opened++;
}

static void on_returned(void *arg, struct stream *local, int r, unsigned status, const char *reason)
{
	struct visit *visit = arg;

	visit->returned++;
	visit->returned_r = r;
	visit->returned_status = status;
	snprintf(visit->reason, sizeof(visit->reason), "%s", reason);
	/* Everything that the visitor sent is unread again. */
	visit->local.s = local;
	visit->local.got = 0;
	stream_set_handler(local, NULL, NULL);
}

static void on_closed(void *arg, const struct link_visitor_totals *totals)
{
	struct visit *visit = arg;

	visit->closed++;
	visit->totals = *totals;
}

static const struct link_visitor_handler gateway_visitor = {
	.on_opened = on_opened, .on_returned = on_returned, .on_closed = on_closed};

/* A visitor who is going to send and get that many bytes. */
static int try_visit(struct world *w, uint64_t send, uint64_t get, struct err *e)
{
	struct visit *visit = &w->visits[w->n_visits];
	struct forwarded who = {.addr = {.family = 4, .bytes = {198, 51, 100, 20}},
				.host = "blog.example.org",
				.proto = "http"};
	char service[16];
	struct stream *inner;
	int r;

	assert_true(w->n_visits < VISITORS_MAX);
	snprintf(service, sizeof(service), "s%u", w->n_visits);
	who.addr.port = (uint16_t)(w->n_visits + 1);
	*visit = (struct visit){.w = w};
	visit->visitor = (struct end){
		.visit = visit, .seed = w->n_visits, .to_send = send, .to_get = get, .end = true};
	visit->local = (struct end){.visit = visit,
				    .seed = w->n_visits + 77,
				    .to_send = get,
				    .to_get = send,
				    .end = true};
	assert_int_equal(mem_pair_new(w->loop, w->visitor_buffer, &inner, &visit->visitor.s, NULL),
			 0);
	r = carrier_open(w->gateway.c, service, &who, inner, &gateway_visitor, visit, NULL, e);
	if (r < 0) {
		stream_close(inner);
		end_close(&visit->visitor);
		return r;
	}
	w->n_visits++;
	return 0;
}

static struct visit *visit_new(struct world *w, uint64_t send, uint64_t get)
{
	assert_int_equal(try_visit(w, send, get, NULL), 0);
	return &w->visits[w->n_visits - 1];
}

/* ── a world ── */

static void world_init(struct world *w)
{
	struct stream *a, *g;

	*w = (struct world){.random = 4711, .budget.left = BUDGET};
	w->visits = calloc(VISITORS_MAX, sizeof(*w->visits));
	w->agent.w = w->gateway.w = w;
	assert_int_equal(loop_new_sim(&w->loop, NULL), 0);
	assert_int_equal(mem_pair_new(w->loop, 0, &a, &g, NULL), 0);
	w->line = a;
	assert_int_equal(carrier_new(w->loop, CARRIER_GATEWAY, g, &w->budget, &handler, &w->gateway,
				     &w->gateway.c, NULL),
			 0);
	assert_int_equal(carrier_new(w->loop, CARRIER_AGENT, a, &w->budget, &handler, &w->agent,
				     &w->agent.c, NULL),
			 0);
	steps(w, 5);
	assert_int_equal(w->agent.open, 1);
	assert_int_equal(w->gateway.open, 1);
}

static void world_done(struct world *w)
{
	carrier_free(w->agent.c);
	carrier_free(w->gateway.c);
	assert_int_equal(w->budget.left, BUDGET); /* what windows grew by was given back */
	for (unsigned i = 0; i < w->n_visits; i++) {
		const struct visit *visit = &w->visits[i];

		/* Exactly one end for everybody, on both sides. */
		assert_int_equal(visit->returned + visit->closed, 1);
		if (visit->announced && w->agent_does != REFUSE)
			assert_int_equal(visit->agent_closed, visit->announced);
		end_close(&w->visits[i].visitor);
		end_close(&w->visits[i].local);
	}
	loop_sim_advance(w->loop, MS(1));
	loop_free(w->loop);
	free(w->visits);
}

static void assert_alive(struct world *w)
{
	assert_int_equal(w->agent.dead, 0);
	assert_int_equal(w->gateway.dead, 0);
}
