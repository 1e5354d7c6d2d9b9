/*
 * Jobs that may hang, on libuv's pool: a disk that stalls holds up the jobs of its own lane, and
 * never so many threads that nothing else is done any more.
 *
 *	lane_init(&folder->lane, loop);
 *	lane_start(&folder->lane, &request->job, work, done, false, &e);
 *
 * At most LANE_RUNNING_MAX jobs of a lane are on the pool at once and LANES_RUNNING_MAX of all
 * lanes of a loop; the others wait, in order, and lanes take turns.
 */
#pragma once

#include "base/list.h"
#include "net/loop.h"

#define LANE_RUNNING_MAX  3
#define LANE_WAITING_MAX  256			  /* jobs that begin something */
#define LANES_RUNNING_MAX (LOOP_POOL_THREADS - 2) /* the rest is for what is short */

/* Of one loop. */
struct lanes {
	unsigned running;
	struct list waiting; /* struct lane: those with jobs that wait; whose turn is next first */
};

struct lane {
	struct loop *loop; /* borrowed */
	struct list node;  /* in the loop's */
	struct list waiting;
	unsigned running;
	unsigned n_waiting; /* that begin something */
};

struct lane_job {
	struct lane *lane; /* borrowed */
	void (*work)(struct lane_job *job);
	void (*done)(struct lane_job *job);
	struct list node; /* while it waits */
	bool waits, goes_on;
	bool lost; /* for done: without memory, work was not called */
	struct job job;
};

/* In the caller's memory; without jobs there is nothing to be undone. */
void lane_init(struct lane *lane, struct loop *loop);

/*
 * As job_start; job and lane must live until done. goes_on: it goes on with what an earlier one
 * began, and is not refused. -ERR_LIMIT: LANE_WAITING_MAX wait; -ERR_NOMEM.
 */
int lane_start(struct lane *lane, struct lane_job *job, void (*work)(struct lane_job *job),
	       void (*done)(struct lane_job *job), bool goes_on, struct err *e) MUST_CHECK;

/* Whether it still waited: then it does no more, and done is not called. */
bool lane_cancel(struct lane_job *job);
