/*
 * One of the gateway's threads: a loop with a front (its own sockets on the common ports) and a
 * hub. All links of an agent live on one worker, its owner; whatever another worker accepts for that
 * agent is handed over. Worker 0 is the main thread; with one worker nothing is ever handed over.
 *
 *	 accepting worker                                    owner of the agent
 *	 front ─ on_link ──▶ handshakes ─ key known ───────▶ hub (links.c)
 *	 front ─ on_visitor ─ route says whose ────────────▶ hub ─▶ link (visitors.c)
 *	                                                     hub ─ on_services ─▶ services.c
 *	                                                     hub ─ on_join ─▶ pairing.c, the store
 *
 * The workers share only what struct worker_shared points to, all of it safe from any thread.
 */
#pragma once

#include <pthread.h>

#include "front/udp.h"
#include "gateway/config.h"
#include "gateway/handshakes.h"
#include "link/hub.h"

struct comeback;
struct listeners;
struct ports;
struct registry;
struct services;
struct store;

/* What all workers use; borrowed by them, never changed while they run. */
struct worker_shared {
	const struct gateway_config *config;
	const struct tls_identity *identity;
	const struct tls_key_hash *next_key; /* NULL: none announced */
	struct registry *registry;
	struct store *store;
	struct front_routes *routes;
	struct front_sources *sources;
	struct ports *ports;
	const struct listeners *listeners; /* the common ports, as bound */
	struct worker *workers;		   /* n_workers of them */
	unsigned n_workers;
};

struct worker {
	struct worker_shared *shared; /* borrowed */
	unsigned index;
	struct loop *loop; /* owned, except worker 0's */
	pthread_t thread;
	bool running; /* in a thread of its own */

	struct front *front;	       /* owned; NULL once it stops */
	struct front_udp *udp;	       /* owned; the same; ports of the agents it owns */
	struct handshakes *handshakes; /* owned; the same */
	struct comeback *comeback;     /* owned; the same */
	struct link_hub *hub;	       /* owned; NULL behind worker_close_links */
	struct services *services;     /* owned */
};

/* Make front and hub on `loop` (worker 0) or on a loop of its own (loop NULL). Not listening yet.
 */
int worker_init(struct worker *worker, struct worker_shared *shared, unsigned index,
		struct loop *loop, struct err *e) MUST_CHECK;

/* Let a worker run in its own thread; nothing to do for worker 0. */
int worker_start(struct worker *worker, struct err *e) MUST_CHECK;

/* The end, in two steps, each on its thread: take no more from strangers, neither new ones nor
 * those who have not said where they go; then close all links and visitors. Between the two, what
 * was handed over arrives. */
void worker_close_front(struct worker *worker);
void worker_close_links(struct worker *worker);

/* End its loop and wait for its thread; then free all it has. Harmless on a zeroed worker. */
void worker_join(struct worker *worker);
void worker_done(struct worker *worker);

/* Who carries the links of that agent. */
struct worker *worker_of(struct worker_shared *shared, uint64_t agent);

/*
 * Run fn(worker, arg) on every worker's thread, one after the other, and then done(arg) on the main
 * loop. Called on the main loop.
 */
void workers_each(struct worker_shared *shared, void (*fn)(struct worker *worker, void *arg),
		  void (*done)(void *arg), void *arg);

/* Run fn(arg) on that worker's thread: at once when we are `from` itself. */
void worker_run(struct worker *worker, const struct worker *from, void (*fn)(void *arg), void *arg);

/* A connection handed over has ended: its source may have another one. Any thread. */
void worker_count_gone(struct worker *worker, const struct ipaddr *peer);

/* The same of a visitor, which may be a flow. */
void worker_count_visitor_gone(struct worker *worker, const struct ipaddr *peer,
			       enum front_kind kind);
