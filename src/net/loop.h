/*
 * The event loop: libuv underneath, one per thread, with the clock, timers and deferred calls in
 * our own hands so that the same code runs on a virtual clock in tests (loop_new_sim).
 *
 *	struct loop *loop;
 *	r = loop_new(&loop, &e);
 *	timer_init(&x->timer, loop, x_on_timeout, x);
 *	timer_start(&x->timer, 5 * USEC_PER_S);
 *	loop_run(loop);			until loop_stop
 *	loop_free(loop);
 *
 * One turn of the loop: ready descriptors and expired timers call their handlers; then the deferred
 * calls run, in the order in which they were asked for. A handler must not free the object that
 * called it: it defers (defer_call) or relies on destructors that are safe at any time (timer_stop,
 * watch_free, stream_close are).
 *
 * Everything here belongs to the loop's own thread, but loop_post and loop_stop.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/list.h"
#include "base/ustime.h"
#include "net/watch.h"

struct loop;

int loop_new(struct loop **ret_loop, struct err *e) MUST_CHECK;

/* A loop on a virtual clock: no descriptors, jobs run at once. For tests; time moves with
 * loop_sim_advance. */
int loop_new_sim(struct loop **ret_loop, struct err *e) MUST_CHECK;

/* Every watch, listener and stream on it must be gone. Accepts NULL. */
void loop_free(struct loop *loop);

/* Runs until loop_stop. */
void loop_run(struct loop *loop);

/* Ends loop_run at the end of its turn. From any thread. */
void loop_stop(struct loop *loop);

/* Boot-time clock, read once a turn; outside loop_run at each call. */
usec_t loop_now(struct loop *loop);

/*
 * Called when time jumped: a timer ran LOOP_JUMP_MIN or more behind its deadline (the machine
 * slept, or the process was stopped). At most LOOP_JUMP_HANDLERS_MAX handlers.
 */
#define LOOP_JUMP_MIN	       (2 * USEC_PER_S)
#define LOOP_JUMP_HANDLERS_MAX 4
void loop_on_jump(struct loop *loop, void (*fn)(void *arg, usec_t span), void *arg);

/* Run fn(arg) on the loop's thread, soon. From any thread. -ERR_NOMEM. */
int loop_post(struct loop *loop, void (*fn)(void *arg), void *arg) MUST_CHECK;

/* fn(arg) at each delivery of the signal, on the loop. Until loop_free. */
int loop_on_signal(struct loop *loop, int signal, void (*fn)(void *arg), void *arg,
		   struct err *e) MUST_CHECK;

/* ── virtual clock ── */

/* Let time pass: timers and deferred calls run in order, each at its own time. */
void loop_sim_advance(struct loop *loop, usec_t span);

/* As if the machine slept: the clock jumps by span, then what was due runs late. */
void loop_sim_sleep(struct loop *loop, usec_t span);

/* ── scratch ── */

/*
 * Large buffers shared by everything on one loop, each with one user at a time: whoever fills it is
 * done with it when its function returns. They are touched only as far as they are used.
 */
enum loop_scratch {
	LOOP_SCRATCH_PLAIN_IN,	 /* carrier: decrypted bytes of one turn */
	LOOP_SCRATCH_PLAIN_OUT,	 /* carrier: the batch being made */
	LOOP_SCRATCH_CIPHER_IN,	 /* tls: bytes from the network */
	LOOP_SCRATCH_CIPHER_OUT, /* tls: records of one write */
	LOOP_SCRATCH_COPY,	 /* pump and http: one read, written at once */
	LOOP_SCRATCH_DATAGRAMS,	 /* udp: a batch as received; LOOP_SCRATCH_DATAGRAMS_LEN */
	LOOP_SCRATCH_COUNT,
};
#define LOOP_SCRATCH_LEN	   ((size_t)288 * 1024)
#define LOOP_SCRATCH_DATAGRAMS_LEN ((size_t)2 * 1024 * 1024)

/* LOOP_SCRATCH_LEN bytes; never NULL (aborts at start-up size without memory). */
uint8_t *loop_scratch(struct loop *loop, enum loop_scratch which);

/* ── timers ── */

struct timer {
	struct loop *loop; /* borrowed */
	void (*fn)(void *arg);
	void *arg;
	usec_t at;    /* deadline */
	size_t index; /* in the loop's heap, from 1; 0: not running */
};

void timer_init(struct timer *t, struct loop *loop, void (*fn)(void *arg), void *arg);

/* Fire once, `span` from now (or at `at`); restarts a running timer. What a timer's handler starts
 * fires in a later turn. */
void timer_start(struct timer *t, usec_t span);
void timer_start_at(struct timer *t, usec_t at);

/* Harmless when not running, and on a zeroed timer. */
void timer_stop(struct timer *t);

static inline bool timer_running(const struct timer *t)
{
	return t->index != 0;
}

/* ── deferred calls ── */

struct defer {
	struct loop *loop; /* borrowed */
	void (*fn)(void *arg);
	void *arg;
	struct list node;
	uint64_t turn; /* of the loop, when it ran last */
	bool pending;
};

void defer_init(struct defer *d, struct loop *loop, void (*fn)(void *arg), void *arg);

/* Call fn(arg) once at the end of this turn; asking again before that changes nothing. If it ran in
 * this turn already, at the end of the next, when descriptors have had their turn. */
void defer_call(struct defer *d);

/* Harmless when not pending, and on a zeroed one. */
void defer_cancel(struct defer *d);

/* ── jobs: what blocks, on libuv's thread pool; what may hang, in lanes (net/lane.h) ── */

#define LOOP_POOL_THREADS 8

/* Give the pool that many. At the start of main, before any job. */
void loop_size_pool(void);

struct lanes *loop_lanes(struct loop *loop);

/* Of net/resolve.h. */
struct resolves *loop_resolves(struct loop *loop);

struct job {
	struct loop *loop;	       /* borrowed */
	void (*work)(struct job *job); /* on a pool thread */
	void (*done)(struct job *job); /* on the loop, always; may free the job */
	struct defer finished;	       /* virtual clock */
	void *request;		       /* owned: libuv's */
};

/* Both functions get the job back; container_of leads to the caller's object, which must live until
 * done. */
int job_start(struct job *job, struct loop *loop, void (*work)(struct job *job),
	      void (*done)(struct job *job), struct err *e) MUST_CHECK;

/* ── descriptors: see net/watch.h ── */

struct watches *loop_watches(struct loop *loop);
