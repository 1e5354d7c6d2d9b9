#include "test.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net/loop.h"

#define MS(n)	 ((n)*USEC_PER_MS)
#define DEADLINE (20 * USEC_PER_S)

/* What happened, a letter each. */
struct world {
	struct loop *loop;
	struct timer deadline;
	char log[64];
};

struct timed {
	struct world *w;
	struct timer timer;
	struct timer *start; /* by the handler, with `span` */
	struct timer *stop;
	usec_t span;
	int starts_max;
	bool last; /* the handler ends loop_run when nothing is left to start */
	char letter;
};

static void note(struct world *w, char letter)
{
	size_t len = strlen(w->log);

	assert_true(len < sizeof(w->log) - 1);
	w->log[len] = letter;
}

static void too_late(void *arg)
{
	fail_msg("waited too long");
}

static void real_init(struct world *w)
{
	memset(w, 0, sizeof(*w));
	assert_int_equal(loop_new(&w->loop, NULL), 0);
	timer_init(&w->deadline, w->loop, too_late, w);
	timer_start(&w->deadline, DEADLINE);
}

static void sim_init(struct world *w)
{
	memset(w, 0, sizeof(*w));
	assert_int_equal(loop_new_sim(&w->loop, NULL), 0);
}

static void world_done(struct world *w)
{
	timer_stop(&w->deadline);
	loop_free(w->loop);
}

static void on_timed(void *arg)
{
	struct timed *t = arg;

	note(t->w, t->letter);
	if (t->starts_max > 0)
		timer_start(t->start, t->span);
	if (t->last && t->starts_max == 0)
		loop_stop(t->w->loop);
	t->starts_max--;
	if (t->stop)
		timer_stop(t->stop);
}

static struct timed *timed_init(struct timed *t, struct world *w, char letter, usec_t span)
{
	*t = (struct timed){.w = w, .letter = letter};
	timer_init(&t->timer, w->loop, on_timed, t);
	timer_start(&t->timer, span);
	return t;
}

static void stop(void *arg)
{
	struct world *w = arg;

	loop_stop(w->loop);
}

static void note_stop(void *arg)
{
	struct world *w = arg;

	note(w, '.');
	loop_stop(w->loop);
}

/* ── timers ── */

static void test_timers_in_order(void **state)
{
	struct timed a, b, c;
	struct timer end;
	struct world w;

	real_init(&w);
	timed_init(&c, &w, 'c', MS(3));
	timed_init(&a, &w, 'a', MS(1));
	timed_init(&b, &w, 'b', MS(2));
	timer_init(&end, w.loop, stop, &w);
	timer_start(&end, MS(4));
	loop_run(w.loop);
	assert_string_equal(w.log, "abc");
	assert_false(timer_running(&a.timer));
	world_done(&w);
}

static void test_timers_never_early(void **state)
{
	struct timer end;
	struct world w;
	usec_t start;

	real_init(&w);
	start = loop_now(w.loop);
	timer_init(&end, w.loop, stop, &w);
	timer_start(&end, MS(5));
	loop_run(w.loop);
	assert_true(ustime_boot() - start >= MS(5));
	/* Between two runs the clock is not that of the last turn. */
	start = ustime_boot();
	assert_true(loop_now(w.loop) >= start);
	world_done(&w);
}

/* Random starts, restarts and stops against a plain array: the heap keeps its order. */
static void test_many_timers(void **state)
{
	enum { N = 200 };
	static struct timed t[N];
	struct world w;
	unsigned seed = 1;

	sim_init(&w);
	for (int i = 0; i < N; i++)
		timer_init(&t[i].timer, w.loop, NULL, NULL);
	for (int step = 0; step < 20000; step++) {
		int i = rand_r(&seed) % N;

		if (rand_r(&seed) % 3 == 0)
			timer_stop(&t[i].timer);
		else
			timer_start(&t[i].timer, (usec_t)(rand_r(&seed) % 1000));
	}
	for (usec_t at = 0; at < 1000; at++) {
		/* Only what is due now may fire; calling NULL would crash. */
		for (int i = 0; i < N; i++) {
			if (timer_running(&t[i].timer) && t[i].timer.at == loop_now(w.loop) + 1)
				timer_stop(&t[i].timer);
		}
		loop_sim_advance(w.loop, 1);
	}
	world_done(&w);
}

static void test_restart_in_handler_waits_a_turn(void **state)
{
	struct timed a, b;
	struct world w;

	sim_init(&w);
	timed_init(&a, &w, 'a', MS(1));
	timed_init(&b, &w, 'b', MS(1));
	a.start = &a.timer; /* with no span: must not starve b */
	a.starts_max = 3;
	loop_sim_advance(w.loop, MS(2));
	assert_int_equal(strlen(w.log), 5);
	assert_true(strncmp(w.log, "ab", 2) == 0 || strncmp(w.log, "ba", 2) == 0);
	world_done(&w);
}

static void test_restart_in_handler_real(void **state)
{
	struct timed a;
	struct world w;

	real_init(&w);
	timed_init(&a, &w, 'a', 0);
	a.start = &a.timer;
	a.starts_max = 5;
	a.last = true;
	loop_run(w.loop);
	assert_string_equal(w.log, "aaaaaa");
	world_done(&w);
}

static void test_stop_in_handler(void **state)
{
	struct timed a, b;
	struct world w;

	sim_init(&w);
	timed_init(&a, &w, 'a', MS(1));
	timed_init(&b, &w, 'b', MS(1) + 1);
	a.stop = &b.timer;
	loop_sim_advance(w.loop, MS(5));
	assert_string_equal(w.log, "a");
	timer_stop(&a.timer); /* twice, and never started */
	timer_stop(&(struct timer){0});
	world_done(&w);
}

static void test_timer_for_ever(void **state)
{
	struct timed a;
	struct world w;

	sim_init(&w);
	timed_init(&a, &w, 'a', USEC_MAX);
	assert_int_equal(a.timer.at, USEC_MAX);
	loop_sim_advance(w.loop, 1000000 * USEC_PER_S);
	assert_string_equal(w.log, "");
	world_done(&w);
	real_init(&w);
	timed_init(&a, &w, 'a', USEC_MAX);
	timer_stop(&w.deadline);
	timer_init(&w.deadline, w.loop, stop, &w);
	timer_start(&w.deadline, MS(1)); /* earlier than what is armed */
	loop_run(w.loop);
	assert_string_equal(w.log, "");
	world_done(&w);
}

/* ── deferred calls ── */

struct deferred {
	struct world *w;
	struct defer defer;
	struct defer *call, *cancel;
	char letter;
	bool last;
};

static void on_deferred(void *arg)
{
	struct deferred *d = arg;

	note(d->w, d->letter);
	if (d->call)
		defer_call(d->call);
	if (d->cancel)
		defer_cancel(d->cancel);
	if (d->last)
		loop_stop(d->w->loop);
}

static void deferred_init(struct deferred *d, struct world *w, char letter)
{
	*d = (struct deferred){.w = w, .letter = letter};
	defer_init(&d->defer, w->loop, on_deferred, d);
}

static void deferred_scenario(struct world *w, bool real)
{
	struct deferred a, b, c, d;

	deferred_init(&a, w, 'a');
	deferred_init(&b, w, 'b');
	deferred_init(&c, w, 'c');
	deferred_init(&d, w, 'd');
	defer_call(&a.defer);
	defer_call(&b.defer);
	defer_call(&c.defer);
	defer_call(&a.defer); /* waits already */
	a.cancel = &b.defer;
	a.call = &d.defer;
	d.last = real;
	if (real)
		loop_run(w->loop);
	else
		loop_sim_advance(w->loop, 0);
	assert_string_equal(w->log, "acd");
	defer_cancel(&(struct defer){0});
}

static void test_deferred_calls(void **state)
{
	struct world w;

	real_init(&w);
	deferred_scenario(&w, true);
	world_done(&w);
	sim_init(&w);
	deferred_scenario(&w, false);
	world_done(&w);
}

static void call_again(void *arg)
{
	defer_call(arg);
}

/* One that calls itself for ever: descriptors and timers still get their turn. */
static void test_deferred_calls_do_not_starve(void **state)
{
	struct world w;
	struct defer again;

	real_init(&w);
	defer_init(&again, w.loop, call_again, &again);
	defer_call(&again);
	timer_stop(&w.deadline);
	timer_init(&w.deadline, w.loop, stop, &w);
	timer_start(&w.deadline, MS(1));
	loop_run(w.loop);
	defer_cancel(&again);
	world_done(&w);
}

/* ── other threads ── */

static void *post_from_thread(void *arg)
{
	struct world *w = arg;

	assert_int_equal(loop_post(w->loop, note_stop, w), 0);
	return NULL;
}

static void test_post_from_another_thread(void **state)
{
	struct world w;
	pthread_t thread;

	real_init(&w);
	assert_int_equal(pthread_create(&thread, NULL, post_from_thread, &w), 0);
	loop_run(w.loop);
	pthread_join(thread, NULL);
	assert_string_equal(w.log, ".");
	world_done(&w);
}

static void test_stop_before_run(void **state)
{
	struct world w;

	real_init(&w);
	loop_stop(w.loop);
	loop_run(w.loop);
	assert_int_equal(loop_post(w.loop, stop, &w), 0); /* never runs: freed with the loop */
	world_done(&w);
	sim_init(&w);
	assert_int_equal(loop_post(w.loop, note_stop, &w), 0);
	loop_sim_advance(w.loop, 0);
	assert_string_equal(w.log, ".");
	world_done(&w);
}

struct work {
	struct world *w;
	struct job job;
	pthread_t thread;
};

static void work_there(struct job *job)
{
	container_of(job, struct work, job)->thread = pthread_self();
}

static void work_done(struct job *job)
{
	struct work *work = container_of(job, struct work, job);

	note(work->w, pthread_equal(work->thread, pthread_self()) ? 's' : 't');
	loop_stop(work->w->loop);
	free(work); /* done is the last that is heard of a job */
}

static void start_work(struct world *w)
{
	struct work *work = calloc(1, sizeof(*work));

	work->w = w;
	assert_int_equal(job_start(&work->job, w->loop, work_there, work_done, NULL), 0);
	assert_string_equal(w->log, ""); /* never from inside job_start */
}

static void test_jobs(void **state)
{
	struct world w;

	real_init(&w);
	start_work(&w);
	loop_run(w.loop);
	assert_string_equal(w.log, "t");
	world_done(&w);
	real_init(&w);
	start_work(&w);
	loop_free(w.loop); /* waits for it */
	assert_string_equal(w.log, "t");
	sim_init(&w);
	start_work(&w);
	loop_sim_advance(w.loop, 0);
	assert_string_equal(w.log, "s");
	world_done(&w);
}

static void test_signals(void **state)
{
	struct world w;

	real_init(&w);
	assert_int_equal(loop_on_signal(w.loop, SIGUSR1, note_stop, &w, NULL), 0);
	raise(SIGUSR1);
	loop_run(w.loop);
	raise(SIGUSR1);
	loop_run(w.loop);
	assert_string_equal(w.log, "..");
	world_done(&w);
}

/* ── descriptors ── */

struct piped {
	struct world *w;
	struct watch *watch;
	int fds[2];
};

static void on_pipe(void *arg, unsigned events)
{
	struct piped *p = arg;

	assert_int_equal(events, WATCH_READ);
	note(p->w, 'r');
	if (strlen(p->w->log) == 2) { /* level-triggered: told again until it is read */
		watch_free(TAKE(p->watch));
		close(p->fds[0]);
		loop_stop(p->w->loop);
	}
}

static void test_watch(void **state)
{
	struct world w;
	struct piped p = {.w = &w};

	real_init(&w);
	assert_int_equal(pipe(p.fds), 0);
	assert_int_equal(watch_new(w.loop, p.fds[0], on_pipe, &p, &p.watch, NULL), 0);
	assert_int_equal(write(p.fds[1], "x", 1), 1);
	watch_set(p.watch, WATCH_READ);
	assert_int_equal(watch_events(p.watch), WATCH_READ);
	loop_run(w.loop);
	assert_string_equal(w.log, "rr");
	close(p.fds[1]);
	watch_free(NULL);
	world_done(&w);
}

/* What defers itself again and again, and a descriptor that is ready all the time. */
struct turns {
	struct world *w;
	struct defer again;
	struct watch *watch;
	unsigned calls, calls_seen, calls_most, ready;
};

static void on_again(void *arg)
{
	struct turns *t = arg;

	t->calls++;
	defer_call(&t->again);
}

static void on_always_ready(void *arg, unsigned events)
{
	struct turns *t = arg;

	t->calls_most = MAX(t->calls_most, t->calls - t->calls_seen);
	t->calls_seen = t->calls;
	if (++t->ready == 10)
		loop_stop(t->w->loop);
}

static void test_descriptors_between_deferred_calls(void **state)
{
	struct world w;
	struct turns t = {.w = &w};
	int fds[2];

	real_init(&w);
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(write(fds[1], "x", 1), 1);
	assert_int_equal(watch_new(w.loop, fds[0], on_always_ready, &t, &t.watch, NULL), 0);
	watch_set(t.watch, WATCH_READ);
	defer_init(&t.again, w.loop, on_again, &t);
	defer_call(&t.again);
	loop_run(w.loop);
	assert_true(t.ready >= 10);
	assert_true(t.calls >= 9);
	assert_int_equal(t.calls_most, 1);
	defer_cancel(&t.again);
	watch_free(t.watch);
	close(fds[0]);
	close(fds[1]);
	world_done(&w);
}

/* ── virtual clock ── */

static void test_sim_time(void **state)
{
	struct timed a, b;
	struct world w;
	usec_t start;

	sim_init(&w);
	start = loop_now(w.loop);
	assert_true(start > 0);
	timed_init(&a, &w, 'a', MS(10));
	timed_init(&b, &w, 'b', MS(500));
	a.start = &a.timer;
	a.span = MS(10);
	a.starts_max = 2;
	loop_sim_advance(w.loop, MS(10) - 1);
	assert_string_equal(w.log, "");
	loop_sim_advance(w.loop, 1);
	assert_string_equal(w.log, "a");
	loop_sim_advance(w.loop, MS(90));
	assert_string_equal(w.log, "aaa");
	assert_int_equal(loop_now(w.loop), start + MS(100));
	loop_sim_advance(w.loop, MS(400));
	assert_string_equal(w.log, "aaab");
	world_done(&w);
}

struct jumped {
	struct world *w;
	struct timed *victim; /* owned: freed by the handler */
	usec_t span;
	int calls;
};

static void on_jump(void *arg, usec_t span)
{
	struct jumped *j = arg;

	j->span = span;
	j->calls++;
	note(j->w, 'j');
	if (j->victim)
		timer_stop(&j->victim->timer);
	free(TAKE(j->victim));
}

static void test_sim_jump(void **state)
{
	struct world w;
	struct jumped first = {.w = &w}, second = {.w = &w};
	struct timed *a = malloc(sizeof(*a)), b;

	sim_init(&w);
	loop_on_jump(w.loop, on_jump, &first);
	loop_on_jump(w.loop, on_jump, &second);
	timed_init(a, &w, 'a', USEC_PER_S);
	timed_init(&b, &w, 'b', USEC_PER_S + 1);
	first.victim = a; /* a handler may free the very timer that was late */
	loop_sim_sleep(w.loop, 60 * USEC_PER_S);
	assert_string_equal(w.log, "jjb");
	assert_int_equal(first.span, 59 * USEC_PER_S);
	assert_int_equal(second.span, 59 * USEC_PER_S);
	/* Time that passes is no jump, a little lateness neither. */
	timed_init(&b, &w, 'b', USEC_PER_S);
	loop_sim_advance(w.loop, 60 * USEC_PER_S);
	timed_init(&b, &w, 'b', USEC_PER_S);
	loop_sim_sleep(w.loop, 2 * USEC_PER_S);
	assert_int_equal(first.calls, 1);
	world_done(&w);
}

static void test_scratch(void **state)
{
	struct world w;
	uint8_t *p;

	sim_init(&w);
	p = loop_scratch(w.loop, LOOP_SCRATCH_COPY);
	p[LOOP_SCRATCH_LEN - 1] = 1;
	assert_ptr_equal(p, loop_scratch(w.loop, LOOP_SCRATCH_COPY));
	assert_ptr_not_equal(p, loop_scratch(w.loop, LOOP_SCRATCH_PLAIN_IN));
	world_done(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_timers_in_order),
		cmocka_unit_test(test_timers_never_early),
		cmocka_unit_test(test_many_timers),
		cmocka_unit_test(test_restart_in_handler_waits_a_turn),
		cmocka_unit_test(test_restart_in_handler_real),
		cmocka_unit_test(test_stop_in_handler),
		cmocka_unit_test(test_timer_for_ever),
		cmocka_unit_test(test_deferred_calls),
		cmocka_unit_test(test_deferred_calls_do_not_starve),
		cmocka_unit_test(test_post_from_another_thread),
		cmocka_unit_test(test_stop_before_run),
		cmocka_unit_test(test_jobs),
		cmocka_unit_test(test_signals),
		cmocka_unit_test(test_watch),
		cmocka_unit_test(test_descriptors_between_deferred_calls),
		cmocka_unit_test(test_sim_time),
		cmocka_unit_test(test_sim_jump),
		cmocka_unit_test(test_scratch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
