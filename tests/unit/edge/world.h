/* A service in front of a fake local server on loopback, visitors in memory, on the real loop. */
#pragma once

#include "edge/service.h"
#include "unit/http/peer.h"

#define BACKENDS_MAX 8
#define PATIENCE     (10 * USEC_PER_S)

struct world {
	struct loop *loop;
	struct sock_listener *listener;
	struct sock_addr at;
	struct peer backends[BACKENDS_MAX]; /* connections the local server has taken */
	unsigned n_backends;
	bool deaf_backends;
	struct edge_service *service;
	struct edge_opening *opening;
	struct peer visitor;
	int opened; /* r of done; 1: not yet */
	char why[512];
	unsigned requests, status;
	uint64_t bytes_in, bytes_out;
	char line[256], note[512];
	bool denied;
	/* waiting */
	bool (*until)(struct world *w);
	struct timer tick;
	usec_t deadline;
};

static inline void world_on_request(void *arg, const struct edge_request *r)
{
	struct world *w = arg;

	w->requests++;
	w->status = r->status;
	w->bytes_in = r->bytes_in;
	w->denied = r->denied;
	w->bytes_out = r->bytes_out;
	snprintf(w->line, sizeof(w->line), "%.*s %.*s %.*s", STR_ARG(r->method), STR_ARG(r->target),
		 STR_ARG(r->host));
	snprintf(w->note, sizeof(w->note), "%s", r->note ? r->note : "");
}

static inline void world_on_accept(void *arg, int fd, const struct ipaddr *peer)
{
	struct world *w = arg;
	struct stream *s;

	assert_true(w->n_backends < BACKENDS_MAX);
	assert_int_equal(sock_stream_new(w->loop, fd, &s, NULL), 0);
	peer_init(&w->backends[w->n_backends], w->loop, s);
	w->backends[w->n_backends].deaf = w->deaf_backends;
	peer_run(&w->backends[w->n_backends++]);
}

static inline void world_listen(struct world *w)
{
	assert_int_equal(sock_listen(w->loop, &w->at, 0, world_on_accept, w, &w->listener, NULL),
			 0);
	w->at = *sock_listener_addr(w->listener);
}

static inline void world_unlisten(struct world *w)
{
	sock_listener_free(w->listener);
	w->listener = NULL;
}

static inline void world_on_tick(void *arg)
{
	struct world *w = arg;

	if (w->until(w) || loop_now(w->loop) > w->deadline)
		loop_stop(w->loop);
	else
		timer_start(&w->tick, USEC_PER_MS);
}

/* Run the loop until it is so; fails after PATIENCE. */
static inline void wait_until(struct world *w, bool (*until)(struct world *w), const char *what)
{
	w->until = until;
	w->deadline = loop_now(w->loop) + PATIENCE;
	timer_start(&w->tick, 0);
	loop_run(w->loop);
	if (!until(w))
		fail_msg("not so in time: %s", what);
}

#define WAIT(condition)                                                                            \
	do {                                                                                       \
		wait_until(w, condition, #condition);                                              \
	} while (0)

static inline bool a_moment(struct world *w)
{
	return loop_now(w->loop) + PATIENCE > w->deadline + 5 * USEC_PER_MS;
}

static const struct edge_events world_events = {.on_request = world_on_request};

static inline void world_serve(struct world *w, struct edge_spec *spec)
{
	spec->id = "blog";
	spec->to = w->at;
	assert_int_equal(edge_service_new(w->loop, spec, &world_events, w, &w->service, NULL), 0);
}

static inline void world_init(struct world *w)
{
	memset(w, 0, sizeof(*w));
	assert_int_equal(loop_new(&w->loop, NULL), 0);
	timer_init(&w->tick, w->loop, world_on_tick, w);
	w->at = (struct sock_addr){.ip = {.family = 4, .bytes = {127, 0, 0, 1}}};
	world_listen(w);
}

static inline void world_done(struct world *w)
{
	edge_open_cancel(w->opening);
	peer_done(&w->visitor);
	WAIT(a_moment);
	edge_service_free(w->service);
	for (unsigned i = 0; i < w->n_backends; i++)
		peer_done(&w->backends[i]);
	world_unlisten(w);
	WAIT(a_moment);
	timer_stop(&w->tick);
	loop_free(w->loop);
}

static inline void world_on_open(void *arg, int r, struct stream *s, const struct err *e)
{
	struct world *w = arg;

	w->opening = NULL;
	w->opened = r;
	if (r < 0)
		snprintf(w->why, sizeof(w->why), "%s", e->text);
	else
		peer_init(&w->visitor, w->loop, s);
}

static inline struct edge_visitor world_who(void)
{
	struct edge_visitor visitor = {.proto = "https"};

	assert_int_equal(ipaddr_parse(STR("192.0.2.7"), &visitor.addr), 0);
	return visitor;
}

static inline bool is_open(struct world *w)
{
	return w->opened <= 0;
}

static inline void world_visit(struct world *w)
{
	struct edge_visitor visitor = world_who();

	w->opened = 1;
	assert_int_equal(edge_open(w->service, &visitor, world_on_open, w, &w->opening, NULL), 0);
	WAIT(is_open);
}
