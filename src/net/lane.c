#include "net/lane.h"

void lane_init(struct lane *lane, struct loop *loop)
{
	*lane = (struct lane){.loop = loop};
	list_init(&lane->node);
	list_init(&lane->waiting);
}

static bool may_run(const struct lane *lane)
{
	return lane->running < LANE_RUNNING_MAX &&
	       loop_lanes(lane->loop)->running < LANES_RUNNING_MAX;
}

/* ── waiting ── */

static void stop_waiting(struct lane_job *job)
{
	struct lane *lane = job->lane;

	job->waits = false;
	lane->n_waiting -= !job->goes_on;
	list_remove(&job->node);
	list_remove(&lane->node);
	if (!list_empty(&lane->waiting))
		list_push(&loop_lanes(lane->loop)->waiting, &lane->node);
}

static void wait_in_line(struct lane_job *job)
{
	struct lane *lane = job->lane;

	job->waits = true;
	lane->n_waiting += !job->goes_on;
	if (list_empty(&lane->waiting))
		list_push(&loop_lanes(lane->loop)->waiting, &lane->node);
	list_push(&lane->waiting, &job->node);
}

bool lane_cancel(struct lane_job *job)
{
	bool waited = job->waits;

	if (waited)
		stop_waiting(job);
	return waited;
}

/* ── running ── */

static void count(struct lane *lane, int by)
{
	lane->running += (unsigned)by;
	loop_lanes(lane->loop)->running += (unsigned)by;
}

static void on_work(struct job *job)
{
	struct lane_job *j = container_of(job, struct lane_job, job);

	j->work(j);
}

static struct lane_job *next_job(struct lanes *lanes)
{
	struct lane *lane;

	list_for_each (lane, &lanes->waiting, node)
		if (may_run(lane))
			return list_entry(lane->waiting.next, struct lane_job, node);
	return NULL;
}

static void on_done(struct job *job);

static int run(struct lane_job *job, struct err *e)
{
	int r = job_start(&job->job, job->lane->loop, on_work, on_done, e);

	if (r == 0)
		count(job->lane, 1);
	return r;
}

static void run_waiting(struct lanes *lanes)
{
	struct lane_job *job;

	while ((job = next_job(lanes))) {
		stop_waiting(job);
		if (run(job, NULL) < 0) {
			job->lost = true;
			job->done(job);
		}
	}
}

/* The job's own end comes last: the lane may go with it. */
static void on_done(struct job *job)
{
	struct lane_job *j = container_of(job, struct lane_job, job);

	count(j->lane, -1);
	run_waiting(loop_lanes(j->lane->loop));
	j->done(j);
}

int lane_start(struct lane *lane, struct lane_job *job, void (*work)(struct lane_job *job),
	       void (*done)(struct lane_job *job), bool goes_on, struct err *e)
{
	*job = (struct lane_job){.lane = lane, .work = work, .done = done, .goes_on = goes_on};
	if (list_empty(&lane->waiting) && may_run(lane))
		return run(job, e);
	if (!goes_on && lane->n_waiting >= LANE_WAITING_MAX)
		return err_set(e, ERR_LIMIT, "%d requests wait for the disk", LANE_WAITING_MAX);
	wait_in_line(job);
	return 0;
}
