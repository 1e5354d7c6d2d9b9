#include "test.h"

#include <pthread.h>
#include <string.h>

#include "net/lane.h"

#define JOBS	 10
#define DEADLINE (20 * USEC_PER_S)

/* A disk that stalls: jobs hang in here until it goes on. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool goes_on;
	unsigned hanging, most;
} disk = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

struct world {
	struct loop *loop;
	struct timer deadline;
	unsigned done, wanted;
};

struct slow {
	struct world *w;
	struct lane_job job;
	unsigned nth; /* to be done */
};

static void stall(void)
{
	disk.goes_on = false;
	disk.hanging = disk.most = 0;
}

static void go_on(void)
{
	pthread_mutex_lock(&disk.lock);
	disk.goes_on = true;
	pthread_cond_broadcast(&disk.changed);
	pthread_mutex_unlock(&disk.lock);
}

static void work(struct lane_job *job)
{
	pthread_mutex_lock(&disk.lock);
	disk.hanging++;
	disk.most = disk.hanging > disk.most ? disk.hanging : disk.most;
	while (!disk.goes_on)
		pthread_cond_wait(&disk.changed, &disk.lock);
	disk.hanging--;
	pthread_mutex_unlock(&disk.lock);
}

static void on_done(struct lane_job *job)
{
	struct slow *slow = container_of(job, struct slow, job);

	assert_false(job->lost);
	slow->nth = ++slow->w->done;
	if (slow->w->done == slow->w->wanted)
		loop_stop(slow->w->loop);
}

static void too_late(void *arg)
{
	go_on();
	fail_msg("waited too long");
}

static void world_init(struct world *w)
{
	memset(w, 0, sizeof(*w));
	stall();
	assert_int_equal(loop_new(&w->loop, NULL), 0);
	timer_init(&w->deadline, w->loop, too_late, w);
	timer_start(&w->deadline, DEADLINE);
}

static void world_done(struct world *w)
{
	timer_stop(&w->deadline);
	loop_free(w->loop);
}

static void start(struct world *w, struct lane *lane, struct slow *slow)
{
	slow->w = w;
	assert_int_equal(lane_start(lane, &slow->job, work, on_done, false, NULL), 0);
}

/* ── a name that is looked up meanwhile ── */

static void look_up(struct job *job)
{
}

static void on_looked_up(struct job *job)
{
	loop_stop(job->loop);
}

static void a_stalled_disk_leaves_threads_for_names(void **state)
{
	struct slow slow[3][JOBS] = {0};
	struct world world, *w = &world;
	struct lane lanes[3];
	struct job name;

	world_init(w);
	for (int i = 0; i < 3; i++) {
		lane_init(&lanes[i], w->loop);
		for (int n = 0; n < JOBS; n++)
			start(w, &lanes[i], &slow[i][n]);
	}
	assert_int_equal(job_start(&name, w->loop, look_up, on_looked_up, NULL), 0);
	loop_run(w->loop); /* ends: it is done though all the others hang */
	assert_int_equal(w->done, 0);
	assert_int_equal(lanes[0].running, LANE_RUNNING_MAX);
	assert_int_equal(lanes[1].running, LANE_RUNNING_MAX);
	assert_int_equal(lanes[2].running, 0);

	w->wanted = 3 * JOBS;
	go_on();
	loop_run(w->loop);
	assert_true(disk.most <= LANES_RUNNING_MAX);
	for (int i = 0; i < 3; i++)
		assert_int_equal(lanes[i].running, 0);
	/* The third had its turn: not behind all of the others. How far a thread of the pool gets
	 * between two looks at the clock is the system's business. */
	assert_true(slow[2][0].nth <= 2 * LANES_RUNNING_MAX + LOOP_POOL_THREADS);
	world_done(w);
}

static void what_waits_is_bounded(void **state)
{
	enum { MOST = LANE_RUNNING_MAX + LANE_WAITING_MAX };
	static struct slow slow[MOST + 2];
	struct world world, *w = &world;
	struct err e = {0};
	struct lane lane;

	world_init(w);
	lane_init(&lane, w->loop);
	for (int i = 0; i < MOST; i++)
		start(w, &lane, &slow[i]);
	slow[MOST].w = slow[MOST + 1].w = w;
	assert_int_equal(lane_start(&lane, &slow[MOST].job, work, on_done, false, &e), -ERR_LIMIT);
	assert_string_equal(e.text, "256 requests wait for the disk");
	/* what was begun goes on */
	assert_int_equal(lane_start(&lane, &slow[MOST].job, work, on_done, true, NULL), 0);
	/* who leaves makes room; who is being served cannot */
	assert_false(lane_cancel(&slow[0].job));
	assert_true(lane_cancel(&slow[MOST - 1].job));
	assert_false(lane_cancel(&slow[MOST - 1].job));
	start(w, &lane, &slow[MOST + 1]);
	w->wanted = MOST + 1;
	go_on();
	loop_run(w->loop);
	assert_int_equal(slow[MOST - 1].nth, 0);
	assert_int_equal(lane.n_waiting, 0);
	world_done(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_stalled_disk_leaves_threads_for_names),
		cmocka_unit_test(what_waits_is_bounded),
	};

	loop_size_pool();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
