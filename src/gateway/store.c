/*
 * The store's thread: takes what waits, does it in one transaction, tells the callers.
 *
 *	store_submit ─▶ queue ─▶ BEGIN; for each op: SAVEPOINT, apply, RELEASE (or ROLLBACK TO);
 *	                         COMMIT (fsync) ─▶ loop_post(op->done) for each
 *
 * An operation that fails takes only itself back. When the transaction itself is lost (disk full at
 * COMMIT), none of its operations happened, and all of them are told so.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "gateway/store_private.h"

#define POST_RETRY_US 10000

struct store {
	struct store_db db;
	pthread_mutex_t work; /* held by whoever works on db: the thread, or store_run */
	pthread_t thread;

	pthread_mutex_t lock; /* guards all below */
	pthread_cond_t wake;
	struct store_op *queue, **tail;
	size_t n_queued;
	bool closing;
};

/* ── a batch ── */

static void op_fail(struct store_op *op, int r, const struct err *why)
{
	store_op_done(op);
	op->r = r;
	if (&op->e != why)
		op->e = *why;
}

/* 0, also when the operation itself failed; < 0: the transaction is gone. */
static int apply_in_savepoint(struct store_db *db, struct store_op *op, struct err *e)
{
	int r = store_db_do(db, STORE_SQL_SAVEPOINT, e);

	if (r < 0)
		return r;
	op->r = store_op_apply(db, op);
	if (op->r >= 0)
		return store_db_do(db, STORE_SQL_RELEASE, e);
	op_fail(op, op->r, &op->e);
	if (sqlite3_get_autocommit(db->db)) { /* SQLite has rolled everything back by itself */
		*e = op->e;
		return op->r;
	}
	r = store_db_do(db, STORE_SQL_ROLLBACK_TO, e);
	return r < 0 ? r : store_db_do(db, STORE_SQL_RELEASE, e);
}

static int apply_in_transaction(struct store_db *db, struct store_op *batch, struct err *e)
{
	int r = store_db_do(db, STORE_SQL_BEGIN, e);

	for (struct store_op *op = batch; op && r == 0; op = op->next)
		r = apply_in_savepoint(db, op, e);
	if (r == 0)
		r = store_db_do(db, STORE_SQL_COMMIT, e);
	if (r < 0 && !sqlite3_get_autocommit(db->db) &&
	    store_db_do(db, STORE_SQL_ROLLBACK, NULL) < 0)
		return r; /* the next BEGIN will say why */
	return r;
}

static void apply_batch(struct store_db *db, struct store_op *batch)
{
	struct err e = {0};
	int r;

	for (struct store_op *op = batch; op; op = op->next) {
		op->r = 0;
		op->e = (struct err){0};
	}
	r = apply_in_transaction(db, batch, &e);
	for (struct store_op *op = batch; op && r < 0; op = op->next)
		if (op->r == 0)
			op_fail(op, r, &e);
}

/* ── the thread ── */

static void on_done(void *arg)
{
	struct store_op *op = arg;

	op->done(op);
}

/* An answer must not get lost for want of a few bytes: try until there are some. */
static void tell(struct store_op *op)
{
	if (!op->done) { /* store_seen */
		store_op_done(op);
		free(op);
		return;
	}
	while (loop_post(op->loop, on_done, op) < 0)
		usleep(POST_RETRY_US);
}

/* Up to STORE_BATCH_MAX operations, or NULL at the end. Waits for some. */
static struct store_op *take_batch(struct store *store)
{
	struct store_op *batch, *last;

	pthread_mutex_lock(&store->lock);
	while (!store->queue && !store->closing)
		pthread_cond_wait(&store->wake, &store->lock);
	batch = last = store->queue;
	for (size_t n = 1; last; n++) {
		store->n_queued--;
		if (n == STORE_BATCH_MAX || !last->next)
			break;
		last = last->next;
	}
	if (last) {
		store->queue = last->next;
		last->next = NULL;
	}
	if (!store->queue)
		store->tail = &store->queue;
	pthread_mutex_unlock(&store->lock);
	return batch;
}

static void *store_main(void *arg)
{
	struct store *store = arg;
	struct store_op *batch;

	while ((batch = take_batch(store))) {
		pthread_mutex_lock(&store->work);
		apply_batch(&store->db, batch);
		pthread_mutex_unlock(&store->work);
		while (batch) {
			struct store_op *op = batch;

			batch = op->next; /* op is its caller's again after tell */
			tell(op);
		}
	}
	return NULL;
}

int store_submit(struct store *store, struct store_op *op)
{
	int r = 0;

	op->next = NULL;
	pthread_mutex_lock(&store->lock);
	if (store->n_queued >= STORE_QUEUE_MAX) {
		r = -ERR_LIMIT;
	} else {
		*store->tail = op;
		store->tail = &op->next;
		store->n_queued++;
		pthread_cond_signal(&store->wake);
	}
	pthread_mutex_unlock(&store->lock);
	return r;
}

void store_seen(struct store *store, uint64_t agent, usec_t now_wall)
{
	struct store_op *op = calloc(1, sizeof(*op));

	if (!op)
		return;
	op->verb = STORE_SEEN;
	op->now_wall = now_wall;
	op->seen.agent = agent;
	if (store_submit(store, op) < 0)
		free(op);
}

int store_run(struct store *store, struct store_op *op)
{
	op->next = NULL;
	pthread_mutex_lock(&store->work);
	apply_batch(&store->db, op);
	pthread_mutex_unlock(&store->work);
	return op->r;
}

/* ── open and close ── */

/* Signals are the loops' business. */
static int start_thread(struct store *store, struct err *e)
{
	sigset_t all, old;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	error = pthread_create(&store->thread, NULL, store_main, store);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return error ? err_set(e, ERR_FAILED, "thread of the store: %s", strerror(error)) : 0;
}

static void store_free(struct store *store)
{
	store_db_close(&store->db);
	pthread_mutex_destroy(&store->work);
	pthread_mutex_destroy(&store->lock);
	pthread_cond_destroy(&store->wake);
	free(store);
}

int store_open(const char *folder, const struct store_options *options, struct store **ret_store,
	       struct store_image *ret_image, struct err *e)
{
	struct store *store = calloc(1, sizeof(*store));
	size_t bytes_max = options && options->bytes_max ? options->bytes_max : STORE_BYTES_MAX;
	struct store_image image = {0};
	int r;

	if (!store)
		return err_set(e, ERR_NOMEM, "store");
	pthread_mutex_init(&store->work, NULL);
	pthread_mutex_init(&store->lock, NULL);
	pthread_cond_init(&store->wake, NULL);
	store->tail = &store->queue;
	r = store_db_open(&store->db, folder, bytes_max, e);
	if (r == 0 && ret_image)
		r = store_load(&store->db, &image, e);
	if (r == 0)
		r = start_thread(store, e);
	if (r < 0) {
		store_image_done(&image);
		store_free(store);
		return r;
	}
	if (ret_image)
		*ret_image = image;
	*ret_store = store;
	return 0;
}

void store_close(struct store *store)
{
	if (!store)
		return;
	pthread_mutex_lock(&store->lock);
	store->closing = true;
	pthread_cond_signal(&store->wake);
	pthread_mutex_unlock(&store->lock);
	pthread_join(store->thread, NULL);
	store_free(store);
}
