#include "gateway/worker.h"

#include <signal.h>
#include <stdio.h>

#include "base/log.h"
#include "gateway/comeback.h"
#include "gateway/links.h"
#include "gateway/listeners.h"
#include "gateway/pairing.h"
#include "gateway/services.h"
#include "gateway/visitors.h"

#define WINDOW_BUDGET                                                                              \
	((size_t)256 * 1024 * 1024) /* of all streams' windows, beyond the first 64 KiB */

/* Shared by the workers' hubs; what they do is in links.c, services.c and pairing.c. */
static const struct link_hub_handler hub_handler = {
	.on_join = pairing_on_join,
	.on_services = services_on_list,
	.on_online = services_on_online,
	.on_conflict = links_on_conflict,
	.on_gone = links_on_gone,
};

static const struct front_handler front_handler = {
	.on_visitor = visitors_on_visitor,
	.on_link = links_on_link,
};

static const struct handshakes_handler handshakes_handler = {
	.on_done = links_on_handshake,
	.on_gone = links_on_gone,
};

static int init_front(struct worker *worker, struct err *e)
{
	const struct worker_shared *shared = worker->shared;
	struct front_config config = {
		.routes = shared->routes,
		.sources = shared->sources,
		.link_alpn = LINK_ALPN,
		.https_port = shared->listeners->https_port,
		.proxies = shared->config->proxies,
		.n_proxies = shared->config->n_proxies,
	};

	return front_new(worker->loop, &config, &front_handler, worker, &worker->front, e);
}

static int init_hub(struct worker *worker, struct err *e)
{
	const struct worker_shared *shared = worker->shared;
	struct link_hub_config config = {
		.domain = shared->config->domain,
		.window_budget = WINDOW_BUDGET / shared->n_workers,
		.next_key = shared->next_key,
	};

	return link_hub_new(worker->loop, &config, &hub_handler, worker, &worker->hub, e);
}

int worker_init(struct worker *worker, struct worker_shared *shared, unsigned index,
		struct loop *loop, struct err *e)
{
	int r = 0;

	*worker = (struct worker){.shared = shared, .index = index, .loop = loop};
	if (!loop)
		r = loop_new(&worker->loop, e);
	if (r == 0)
		r = init_front(worker, e);
	if (r == 0)
		r = front_udp_new(worker->loop, shared->sources, visitors_on_visitor, worker,
				  &worker->udp, e);
	if (r == 0)
		r = handshakes_new(worker->loop, shared->identity, LINK_ALPN, &handshakes_handler,
				   worker, &worker->handshakes, e);
	if (r == 0)
		r = comeback_new(worker->loop, &worker->comeback, e);
	if (r == 0)
		r = services_new(worker, &worker->services, e);
	if (r == 0)
		r = init_hub(worker, e);
	if (r < 0)
		worker_done(worker);
	return r;
}

/* ── threads ── */

static void *run(void *arg)
{
	struct worker *worker = arg;

	loop_run(worker->loop);
	return NULL;
}

int worker_start(struct worker *worker, struct err *e)
{
	sigset_t all, old;
	int error;

	if (worker->index == 0)
		return 0;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old); /* signals are the main thread's */
	error = pthread_create(&worker->thread, NULL, run, worker);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (error)
		return err_set(e, ERR_FAILED, "cannot start a thread: %s", strerror(error));
	worker->running = true;
	return 0;
}

void worker_close_front(struct worker *worker)
{
	comeback_free(TAKE(worker->comeback));
	front_udp_free(worker->udp);
	worker->udp = NULL;
	front_free(worker->front);
	worker->front = NULL;
	handshakes_free(worker->handshakes);
	worker->handshakes = NULL;
}

void worker_close_links(struct worker *worker)
{
	link_hub_free(worker->hub);
	worker->hub = NULL;
}

void worker_join(struct worker *worker)
{
	if (!worker->running)
		return;
	loop_stop(worker->loop);
	pthread_join(worker->thread, NULL);
	worker->running = false;
}

void worker_done(struct worker *worker)
{
	worker_join(worker);
	worker_close_front(worker);
	worker_close_links(worker);
	services_free(worker->services);
	if (worker->index != 0)
		loop_free(worker->loop);
	*worker = (struct worker){0};
}

/* ── from one thread to another ── */

struct worker *worker_of(struct worker_shared *shared, uint64_t agent)
{
	return &shared->workers[agent % shared->n_workers];
}

void worker_run(struct worker *worker, const struct worker *from, void (*fn)(void *arg), void *arg)
{
	if (worker == from)
		fn(arg);
	else if (loop_post(worker->loop, fn, arg) < 0)
		abort(); /* 24 bytes; a message that is lost would be a hang */
}

/* A message that visits all workers and comes home. */
struct round {
	struct worker_shared *shared; /* borrowed */
	unsigned next;
	void (*fn)(struct worker *worker, void *arg);
	void (*done)(void *arg);
	void *arg;
};

static void round_go_on(void *arg);

static void round_post(struct round *round)
{
	const struct worker_shared *shared = round->shared;
	unsigned to = round->next < shared->n_workers ? round->next : 0;

	worker_run(&shared->workers[to], NULL, round_go_on, round);
}

static void round_go_on(void *arg)
{
	struct round *round = arg;

	if (round->next < round->shared->n_workers) {
		round->fn(&round->shared->workers[round->next++], round->arg);
		round_post(round);
		return;
	}
	round->done(round->arg);
	free(round);
}

void workers_each(struct worker_shared *shared, void (*fn)(struct worker *worker, void *arg),
		  void (*done)(void *arg), void *arg)
{
	struct round *round = malloc(sizeof(*round));

	if (!round)
		abort(); /* as in worker_run */
	*round = (struct round){.shared = shared, .fn = fn, .done = done, .arg = arg};
	round_post(round);
}

void worker_count_gone(struct worker *worker, const struct ipaddr *peer)
{
	front_sources_leave(worker->shared->sources, peer); /* the front may be gone already */
}

void worker_count_visitor_gone(struct worker *worker, const struct ipaddr *peer,
			       enum front_kind kind)
{
	if (kind == FRONT_UDP)
		front_sources_leave_flow(worker->shared->sources, peer);
	else
		worker_count_gone(worker, peer);
}
