#include "net/loop.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include <uv.h>

#include "net/lane.h"
#include "net/resolve.h"

#define DEFER_LAPS_MAX                                                                             \
	16 /* deferred calls that defer further ones, before descriptors get their turn */

struct posted {
	struct posted *next;
	void (*fn)(void *arg);
	void *arg;
};

struct signal_watch {
	uv_signal_t uv;
	void (*fn)(void *arg);
	void *arg;
	struct signal_watch *next; /* owned */
};

struct loop {
	bool sim;
	bool uv_made;
	uv_loop_t uv;
	uv_prepare_t prepare;
	uv_check_t check;
	uv_idle_t idle; /* active while deferred calls wait: the poll must not block then */
	uv_async_t async;
	uv_poll_t watches_poll;
	struct watches *watches; /* owned */
	struct watch *timer_watch;
	int timer_fd;
	usec_t armed; /* what timer_fd is set to; 0: nothing */

	usec_t now;
	bool now_valid;
	bool running;	  /* in loop_run: the clock is read once a turn */
	usec_t firing_at; /* in run_timers: what is started there waits for a later turn */

	struct timer **heap; /* owned array from index 1 */
	size_t heap_count, heap_size;

	struct list deferred;
	uint64_t turn; /* counts polls */
	struct lanes lanes;
	struct resolves resolves;

	pthread_mutex_t lock; /* guards posted */
	struct posted *posted;
	struct posted **posted_tail;

	struct {
		void (*fn)(void *arg, usec_t span);
		void *arg;
	} jump[LOOP_JUMP_HANDLERS_MAX];
	unsigned n_jump;

	struct signal_watch *signals; /* owned */
	uint8_t *scratch[LOOP_SCRATCH_COUNT];
};

/* ── clock ── */

usec_t loop_now(struct loop *loop)
{
	if (!loop->now_valid) {
		loop->now = ustime_boot();
		loop->now_valid = loop->running;
	}
	return loop->now;
}

void loop_on_jump(struct loop *loop, void (*fn)(void *arg, usec_t span), void *arg)
{
	assert(loop->n_jump < LOOP_JUMP_HANDLERS_MAX);
	loop->jump[loop->n_jump].fn = fn;
	loop->jump[loop->n_jump++].arg = arg;
}

/* ── timers: a binary heap, the earliest at index 1 ── */

static void heap_put(struct loop *loop, size_t i, struct timer *t)
{
	loop->heap[i] = t;
	t->index = i;
}

static void heap_up(struct loop *loop, size_t i, struct timer *t)
{
	while (i > 1 && loop->heap[i / 2]->at > t->at) {
		heap_put(loop, i, loop->heap[i / 2]);
		i /= 2;
	}
	heap_put(loop, i, t);
}

static void heap_down(struct loop *loop, size_t i, struct timer *t)
{
	for (;;) {
		size_t child = 2 * i;

		if (child > loop->heap_count)
			break;
		if (child < loop->heap_count && loop->heap[child + 1]->at < loop->heap[child]->at)
			child++;
		if (loop->heap[child]->at >= t->at)
			break;
		heap_put(loop, i, loop->heap[child]);
		i = child;
	}
	heap_put(loop, i, t);
}

static void heap_grow(struct loop *loop)
{
	size_t size = loop->heap_size ? loop->heap_size * 2 : 64;
	struct timer **heap = realloc(loop->heap, size * sizeof(struct timer *));

	if (!heap)
		abort(); /* a lost timeout would be a hang; 8 bytes a timer are the last thing to
			    run out */
	loop->heap = heap;
	loop->heap_size = size;
}

void timer_init(struct timer *t, struct loop *loop, void (*fn)(void *arg), void *arg)
{
	*t = (struct timer){.loop = loop, .fn = fn, .arg = arg};
}

void timer_start_at(struct timer *t, usec_t at)
{
	struct loop *loop = t->loop;

	if (loop->firing_at && at <= loop->firing_at)
		at = loop->firing_at + 1;
	if (t->index) {
		bool later = at > t->at;

		t->at = at;
		if (later)
			heap_down(loop, t->index, t);
		else
			heap_up(loop, t->index, t);
		return;
	}
	if (loop->heap_count + 1 >= loop->heap_size)
		heap_grow(loop);
	t->at = at;
	heap_up(loop, ++loop->heap_count, t);
}

void timer_start(struct timer *t, usec_t span)
{
	usec_t now = loop_now(t->loop);

	timer_start_at(t, span > USEC_MAX - now ? USEC_MAX : now + span);
}

void timer_stop(struct timer *t)
{
	struct loop *loop = t->loop;
	size_t i = t->index;
	struct timer *last;

	if (i == 0)
		return;
	t->index = 0;
	last = loop->heap[loop->heap_count--];
	if (last == t)
		return;
	if (i > 1 && loop->heap[i / 2]->at > last->at)
		heap_up(loop, i, last);
	else
		heap_down(loop, i, last);
}

static struct timer *timer_first(struct loop *loop)
{
	return loop->heap_count ? loop->heap[1] : NULL;
}

/* The machine slept, or the process was stopped. */
static void tell_jump(struct loop *loop, usec_t span)
{
	for (unsigned i = 0; i < loop->n_jump; i++)
		loop->jump[i].fn(loop->jump[i].arg, span);
}

/* Run what is due now. A timer that is started by a handler waits for the next turn, even with
 * nothing to wait for: no timer can keep the others from running. */
static void run_timers(struct loop *loop)
{
	usec_t now = loop_now(loop);
	struct timer *t = timer_first(loop);

	if (!t || t->at > now)
		return;
	loop->firing_at = now;
	if (now - t->at >= LOOP_JUMP_MIN)
		tell_jump(loop, now - t->at);
	while ((t = timer_first(loop)) && t->at <= now) {
		timer_stop(t);
		t->fn(t->arg);
	}
	loop->firing_at = 0;
}

/* ── deferred calls ── */

static void on_idle(uv_idle_t *idle)
{
}

void defer_init(struct defer *d, struct loop *loop, void (*fn)(void *arg), void *arg)
{
	*d = (struct defer){.loop = loop, .fn = fn, .arg = arg};
	list_init(&d->node);
}

void defer_call(struct defer *d)
{
	if (d->pending)
		return;
	d->pending = true;
	list_push(&d->loop->deferred, &d->node);
}

void defer_cancel(struct defer *d)
{
	if (!d->pending)
		return;
	d->pending = false;
	list_remove(&d->node);
}

/*
 * What defers itself again has more to do than it wants to do at once: that waits for the next turn,
 * since others may have become ready.
 */
static void run_deferred(struct loop *loop)
{
	struct list later;

	list_init(&later);
	for (int lap = 0; lap < DEFER_LAPS_MAX && !list_empty(&loop->deferred); lap++) {
		struct list batch;

		list_init(&batch);
		list_splice(&batch, &loop->deferred);
		while (!list_empty(&batch)) {
			struct defer *d = list_entry(batch.next, struct defer, node);

			list_remove(&d->node);
			if (d->turn == loop->turn) {
				list_push(&later, &d->node);
				continue;
			}
			d->pending = false;
			d->turn = loop->turn;
			d->fn(d->arg);
		}
	}
	list_splice(&loop->deferred, &later);
}

/* ── the turn ── */

static void arm_timer_fd(struct loop *loop)
{
	struct timer *t = timer_first(loop);
	struct itimerspec spec = {0};
	usec_t at;

	if (!t || (loop->armed && loop->armed <= t->at))
		return; /* it fires early enough; a wake-up for nothing re-arms it */
	at = MAX(t->at, 1);
	spec.it_value.tv_sec = (time_t)MIN(at / USEC_PER_S, (usec_t)INT32_MAX * 64);
	spec.it_value.tv_nsec = (long)(at % USEC_PER_S * 1000);
	timerfd_settime(loop->timer_fd, TFD_TIMER_ABSTIME, &spec, NULL);
	loop->armed = at;
}

static void on_prepare(uv_prepare_t *prepare)
{
	struct loop *loop = prepare->data;

	run_deferred(loop);
	if (list_empty(&loop->deferred))
		uv_idle_stop(&loop->idle);
	else
		uv_idle_start(&loop->idle, on_idle);
	arm_timer_fd(loop);
	loop->now_valid = false;
}

static void on_check(uv_check_t *check)
{
	struct loop *loop = check->data;

	loop->turn++;
	run_deferred(loop);
}

static void on_timer_fd(void *arg, unsigned events)
{
	struct loop *loop = arg;
	uint64_t expirations;

	if (read(loop->timer_fd, &expirations, sizeof(expirations)) < 0)
		return;
	loop->armed = 0;
	run_timers(loop);
}

static void on_async(uv_async_t *async)
{
	struct loop *loop = async->data;
	struct posted *p;

	pthread_mutex_lock(&loop->lock);
	p = loop->posted;
	loop->posted = NULL;
	loop->posted_tail = &loop->posted;
	pthread_mutex_unlock(&loop->lock);
	while (p) {
		struct posted *next = p->next;

		p->fn(p->arg);
		free(p);
		p = next;
	}
}

int loop_post(struct loop *loop, void (*fn)(void *arg), void *arg)
{
	struct posted *p = malloc(sizeof(*p));

	if (!p)
		return -ERR_NOMEM;
	*p = (struct posted){.fn = fn, .arg = arg};
	pthread_mutex_lock(&loop->lock);
	*loop->posted_tail = p;
	loop->posted_tail = &p->next;
	pthread_mutex_unlock(&loop->lock);
	if (!loop->sim)
		uv_async_send(&loop->async);
	return 0;
}

static void on_watches(uv_poll_t *poll, int status, int events)
{
	struct loop *loop = poll->data;

	watches_dispatch(loop->watches);
}

static int loop_init_timer(struct loop *loop, struct err *e)
{
	int r;

	loop->timer_fd = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	if (loop->timer_fd < 0)
		return err_set_errno(e, ERR_FAILED, "timerfd");
	r = watch_new(loop, loop->timer_fd, on_timer_fd, loop, &loop->timer_watch, e);
	if (r == 0)
		watch_set(loop->timer_watch, WATCH_READ);
	return r;
}

/* On failure the caller frees what is there. */
static int loop_init(struct loop *loop, struct err *e)
{
	int r = watches_new(&loop->watches, e);

	if (r == 0)
		r = loop_init_timer(loop, e);
	if (r < 0)
		return r;
	r = uv_loop_init(&loop->uv);
	if (r < 0)
		return err_set(e, ERR_FAILED, "event loop: %s", uv_strerror(r));
	loop->uv_made = true;
	uv_prepare_init(&loop->uv, &loop->prepare);
	uv_check_init(&loop->uv, &loop->check);
	uv_idle_init(&loop->uv, &loop->idle);
	uv_async_init(&loop->uv, &loop->async, on_async);
	uv_poll_init(&loop->uv, &loop->watches_poll, watches_fd(loop->watches));
	loop->prepare.data = loop->check.data = loop->idle.data = loop->async.data =
		loop->watches_poll.data = loop;
	uv_prepare_start(&loop->prepare, on_prepare);
	uv_check_start(&loop->check, on_check);
	uv_poll_start(&loop->watches_poll, UV_READABLE, on_watches);
	return 0;
}

static struct loop *loop_alloc(bool sim)
{
	struct loop *loop = calloc(1, sizeof(*loop));

	if (!loop)
		return NULL;
	loop->sim = sim;
	loop->timer_fd = -1;
	list_init(&loop->deferred);
	loop->turn = 1;
	list_init(&loop->lanes.waiting);
	resolves_init(&loop->resolves);
	pthread_mutex_init(&loop->lock, NULL);
	loop->posted_tail = &loop->posted;
	return loop;
}

int loop_new(struct loop **ret_loop, struct err *e)
{
	struct loop *loop = loop_alloc(false);
	int r;

	if (!loop)
		return err_set(e, ERR_NOMEM, "event loop");
	r = loop_init(loop, e);
	if (r < 0) {
		loop_free(loop);
		return r;
	}
	*ret_loop = loop;
	return 0;
}

int loop_new_sim(struct loop **ret_loop, struct err *e)
{
	struct loop *loop = loop_alloc(true);

	if (!loop)
		return err_set(e, ERR_NOMEM, "event loop");
	loop->now = 1000 * USEC_PER_S; /* not 0: "never" and "at the beginning" must differ */
	loop->now_valid = true;
	*ret_loop = loop;
	return 0;
}

static void close_uv(struct loop *loop)
{
	uv_close((uv_handle_t *)&loop->prepare, NULL);
	uv_close((uv_handle_t *)&loop->check, NULL);
	uv_close((uv_handle_t *)&loop->idle, NULL);
	uv_close((uv_handle_t *)&loop->async, NULL);
	uv_close((uv_handle_t *)&loop->watches_poll, NULL);
	for (struct signal_watch *s = loop->signals; s; s = s->next)
		uv_close((uv_handle_t *)&s->uv, NULL);
	uv_run(&loop->uv, UV_RUN_DEFAULT);
	int r = uv_loop_close(&loop->uv);
	assert(r == 0); /* else somebody left a job behind */
	(void)r;
}

void loop_free(struct loop *loop)
{
	if (!loop)
		return;
	resolves_done(&loop->resolves);
	if (loop->uv_made)
		close_uv(loop);
	watch_free(loop->timer_watch);
	if (loop->timer_fd >= 0)
		close(loop->timer_fd);
	watches_free(loop->watches);
	while (loop->signals) {
		struct signal_watch *next = loop->signals->next;

		free(loop->signals);
		loop->signals = next;
	}
	while (loop->posted) {
		struct posted *next = loop->posted->next;

		free(loop->posted);
		loop->posted = next;
	}
	for (int i = 0; i < LOOP_SCRATCH_COUNT; i++)
		free(loop->scratch[i]);
	pthread_mutex_destroy(&loop->lock);
	free(loop->heap);
	free(loop);
}

void loop_run(struct loop *loop)
{
	assert(!loop->sim);
	loop->running = true;
	uv_run(&loop->uv, UV_RUN_DEFAULT);
	loop->running = loop->now_valid = false;
}

static void stop_here(void *arg)
{
	struct loop *loop = arg;

	uv_stop(&loop->uv);
}

void loop_stop(struct loop *loop)
{
	if (loop_post(loop, stop_here, loop) < 0)
		abort(); /* without memory for 24 bytes nothing can be stopped in good order */
}

/* ── signals ── */

static void on_signal(uv_signal_t *uv, int signal)
{
	struct signal_watch *s = uv->data;

	s->fn(s->arg);
}

int loop_on_signal(struct loop *loop, int signal, void (*fn)(void *arg), void *arg, struct err *e)
{
	struct signal_watch *s;
	int r;

	assert(!loop->sim);
	s = calloc(1, sizeof(*s));
	if (!s)
		return err_set(e, ERR_NOMEM, "signal handler");
	s->fn = fn;
	s->arg = arg;
	s->uv.data = s;
	uv_signal_init(&loop->uv, &s->uv);
	s->next = loop->signals;
	loop->signals = s;
	r = uv_signal_start(&s->uv, on_signal, signal);
	if (r < 0)
		return err_set(e, ERR_FAILED, "signal %d: %s", signal, uv_strerror(r));
	return 0;
}

/* ── virtual clock ── */

static void sim_settle(struct loop *loop)
{
	do {
		on_async(&loop->async);
		loop->turn++;
		run_deferred(loop);
	} while (!list_empty(&loop->deferred) || loop->posted);
}

void loop_sim_advance(struct loop *loop, usec_t span)
{
	usec_t until = loop->now + span;

	assert(loop->sim);
	loop->async.data = loop;
	sim_settle(loop);
	for (;;) {
		struct timer *t = timer_first(loop);

		if (!t || t->at > until)
			break;
		loop->now = MAX(loop->now, t->at);
		run_timers(loop);
		sim_settle(loop);
	}
	loop->now = until;
}

void loop_sim_sleep(struct loop *loop, usec_t span)
{
	assert(loop->sim);
	loop->now += span;
	loop_sim_advance(loop, 0);
}

/* ── scratch ── */

uint8_t *loop_scratch(struct loop *loop, enum loop_scratch which)
{
	if (!loop->scratch[which]) {
		loop->scratch[which] = malloc(which == LOOP_SCRATCH_DATAGRAMS
						      ? LOOP_SCRATCH_DATAGRAMS_LEN
						      : LOOP_SCRATCH_LEN);
		if (!loop->scratch[which])
			abort();
	}
	return loop->scratch[which];
}

/* ── jobs ── */

void loop_size_pool(void)
{
	char threads[16];

	snprintf(threads, sizeof(threads), "%d", LOOP_POOL_THREADS);
	setenv("UV_THREADPOOL_SIZE", threads, 1);
}

struct resolves *loop_resolves(struct loop *loop)
{
	return &loop->resolves;
}

struct lanes *loop_lanes(struct loop *loop)
{
	return &loop->lanes;
}

static void on_job_work(uv_work_t *request)
{
	struct job *job = request->data;

	job->work(job);
}

static void on_job_done(uv_work_t *request, int status)
{
	struct job *job = request->data;

	job->request = NULL;
	free(request);
	job->done(job);
}

static void on_sim_job_done(void *arg)
{
	struct job *job = arg;

	job->done(job);
}

int job_start(struct job *job, struct loop *loop, void (*work)(struct job *job),
	      void (*done)(struct job *job), struct err *e)
{
	uv_work_t *request;

	*job = (struct job){.loop = loop, .work = work, .done = done};
	if (loop->sim) {
		work(job);
		defer_init(&job->finished, loop, on_sim_job_done, job);
		defer_call(&job->finished);
		return 0;
	}
	request = calloc(1, sizeof(*request));
	if (!request)
		return err_set(e, ERR_NOMEM, "background job");
	request->data = job;
	job->request = request;
	uv_queue_work(&loop->uv, request, on_job_work, on_job_done);
	return 0;
}

/* ── descriptors ── */

struct watches *loop_watches(struct loop *loop)
{
	assert(!loop->sim);
	return loop->watches;
}
