#include "test.h"

#include "link/liveness.h"

#define MS(n) ((usec_t)(n)*USEC_PER_MS)
#define S(n)  ((usec_t)(n)*USEC_PER_S)

struct world {
	struct loop *loop;
	struct liveness live;
	unsigned pings, missed, dead;
	uint64_t acked;
	bool pending;
	usec_t start, ping_at, missed_at, dead_at;
};

static usec_t now(struct world *w)
{
	return loop_now(w->loop) - w->start;
}

static void ping(void *arg)
{
	struct world *w = arg;

	w->pings++;
	w->ping_at = now(w);
}

static uint64_t acked(void *arg, bool *ret_pending)
{
	struct world *w = arg;

	*ret_pending = w->pending;
	return w->acked;
}

static void on_missed(void *arg)
{
	struct world *w = arg;

	w->missed++;
	w->missed_at = now(w);
}

static void on_dead(void *arg)
{
	struct world *w = arg;

	w->dead++;
	w->dead_at = now(w);
}

static const struct liveness_handler handler = {ping, acked, on_missed, on_dead};

static void world_init(struct world *w)
{
	*w = (struct world){0};
	assert_int_equal(loop_new_sim(&w->loop, NULL), 0);
	w->pending = true;
	w->start = loop_now(w->loop);
	liveness_init(&w->live, w->loop, &handler, w);
	liveness_start(&w->live);
	assert_int_equal(w->live.state, LIVENESS_STATE_QUIET);
}

static void world_done(struct world *w)
{
	liveness_stop(&w->live);
	assert_int_equal(w->live.state, LIVENESS_STATE_STOPPED);
	loop_sim_advance(w->loop, S(60)); /* stopped: nothing more */
	loop_free(w->loop);
}

static void test_silence(void **state)
{
	struct world w;

	world_init(&w);
	loop_sim_advance(w.loop, S(5) - 1);
	assert_int_equal(w.pings, 0);
	loop_sim_advance(w.loop, 1);
	assert_int_equal(w.pings, 1);
	assert_int_equal(w.live.state, LIVENESS_STATE_ASKED);
	loop_sim_advance(w.loop, S(5) - 1);
	assert_int_equal(w.dead, 0);
	loop_sim_advance(w.loop, 1);
	assert_int_equal(w.dead, 1);
	assert_int_equal(w.pings, 1);
	assert_int_equal(w.missed, 0);
	assert_int_equal(w.live.state, LIVENESS_STATE_STOPPED);
	loop_sim_advance(w.loop, S(100));
	assert_int_equal(w.dead, 1);
	world_done(&w);
}

/* Whoever is heard all the time is never asked. */
static void test_bytes_put_the_question_off(void **state)
{
	struct world w;

	world_init(&w);
	for (int i = 0; i < 100; i++) {
		loop_sim_advance(w.loop, S(4));
		liveness_heard(&w.live);
	}
	assert_int_equal(w.pings, 0);
	loop_sim_advance(w.loop, S(5));
	assert_int_equal(w.pings, 1);
	world_done(&w);
}

static void test_an_answer(void **state)
{
	struct world w;

	world_init(&w);
	loop_sim_advance(w.loop, MS(5300));
	liveness_heard(&w.live);
	loop_sim_advance(w.loop, MS(4900)); /* 10.2 s */
	assert_int_equal(w.dead, 0);
	loop_sim_advance(w.loop, MS(200)); /* 10.4 s: quiet for 5 s again */
	assert_int_equal(w.pings, 2);
	loop_sim_advance(w.loop, S(5));
	assert_int_equal(w.dead, 1);
	assert_int_equal(w.dead_at, MS(15300)); /* 10 s after the last sign */
	world_done(&w);
}

/* A full send queue delays the answer, but what the other side acknowledges is a sign too. */
static void test_acknowledged_bytes_are_a_sign(void **state)
{
	struct world w;

	world_init(&w);
	for (int i = 0; i < 60; i++) {
		loop_sim_advance(w.loop, S(1));
		w.acked += 1000;
	}
	assert_int_equal(w.dead, 0);
	assert_true(w.pings > 0);
	loop_sim_advance(w.loop, S(21));
	assert_int_equal(w.dead, 1);
	assert_true(w.dead_at <= S(80));
	world_done(&w);
}

/* A process that is stopped: its kernel acknowledges every PING, and that is all that ever comes.
 */
static void test_a_frozen_process_is_dead(void **state)
{
	struct world w;

	world_init(&w);
	w.pending = false;
	for (int i = 0; i < 300 && !w.dead; i++) {
		unsigned pings = w.pings;

		loop_sim_advance(w.loop, MS(100));
		if (w.pings != pings)
			w.acked += 17;
	}
	assert_int_equal(w.dead, 1);
	assert_int_equal(w.dead_at, S(15));
	world_done(&w);
}

/* A long queue that has just arrived: the answer to the PING behind it gets its time. */
static void test_an_answer_behind_a_long_queue(void **state)
{
	struct world w;

	world_init(&w);
	loop_sim_advance(w.loop, MS(9900));
	w.acked += 1000000;
	w.pending = false;
	loop_sim_advance(w.loop, S(3));
	assert_int_equal(w.dead, 0);
	liveness_heard(&w.live);
	loop_sim_advance(w.loop, S(3));
	assert_int_equal(w.dead, 0);
	assert_int_equal(w.live.state, LIVENESS_STATE_QUIET);
	world_done(&w);
}

/* What moved before the question says nothing about now. */
static void test_acknowledged_before_the_question(void **state)
{
	struct world w;

	world_init(&w);
	loop_sim_advance(w.loop, S(4));
	w.acked = 5000;
	loop_sim_advance(w.loop, S(6));
	assert_int_equal(w.dead, 1);
	world_done(&w);
}

static void test_urgent_and_answered(void **state)
{
	struct world w;

	world_init(&w);
	loop_sim_advance(w.loop, S(1));
	liveness_ask(&w.live);
	assert_int_equal(w.pings, 1);
	assert_int_equal(w.live.state, LIVENESS_STATE_URGENT);
	liveness_ask(&w.live); /* under way */
	assert_int_equal(w.pings, 1);
	loop_sim_advance(w.loop, S(1));
	liveness_heard(&w.live);
	loop_sim_advance(w.loop, S(1));
	assert_int_equal(w.live.state, LIVENESS_STATE_QUIET);
	assert_int_equal(w.missed, 0);
	loop_sim_advance(w.loop, S(4) - 1); /* 5 s after the sign */
	assert_int_equal(w.pings, 1);
	loop_sim_advance(w.loop, 1);
	assert_int_equal(w.pings, 2);
	world_done(&w);
}

/* A network that changes in two steps: the answer to the first question says nothing of the second. */
static void test_urgent_again_behind_an_answer(void **state)
{
	struct world w;

	world_init(&w);
	liveness_ask(&w.live);
	loop_sim_advance(w.loop, MS(10));
	liveness_heard(&w.live);
	loop_sim_advance(w.loop, MS(300));
	liveness_ask(&w.live);
	assert_int_equal(w.pings, 2);
	for (int i = 0; i < 5; i++) { /* without an answer it is one question, however often */
		loop_sim_advance(w.loop, MS(300));
		liveness_ask(&w.live);
	}
	assert_int_equal(w.pings, 2);
	loop_sim_advance(w.loop, S(2));
	assert_int_equal(w.missed, 1);
	assert_int_equal(w.missed_at, MS(2310));
	world_done(&w);
}

/* A sign that came before the urgent question is no answer to it. */
static void test_urgent_and_missed(void **state)
{
	struct world w;

	world_init(&w);
	loop_sim_advance(w.loop, S(3));
	liveness_heard(&w.live);
	liveness_ask(&w.live);
	loop_sim_advance(w.loop, S(2) - 1);
	assert_int_equal(w.missed, 0);
	loop_sim_advance(w.loop, 1);
	assert_int_equal(w.missed, 1);
	assert_int_equal(w.live.state, LIVENESS_STATE_ASKED);
	loop_sim_advance(w.loop, S(8) - 1);
	assert_int_equal(w.dead, 0);
	loop_sim_advance(w.loop, 1);
	assert_int_equal(w.dead, 1);
	assert_int_equal(w.dead_at, S(13));
	assert_int_equal(w.missed, 1);
	world_done(&w);
}

static void test_missed_and_answered_after_all(void **state)
{
	struct world w;

	world_init(&w);
	liveness_ask(&w.live);
	loop_sim_advance(w.loop, S(2));
	assert_int_equal(w.missed, 1);
	liveness_heard(&w.live);
	loop_sim_advance(w.loop, S(8));
	assert_int_equal(w.dead, 0);
	liveness_ask(&w.live); /* a new question may be missed anew */
	loop_sim_advance(w.loop, S(2));
	assert_int_equal(w.missed, 2);
	world_done(&w);
}

static void test_acknowledged_bytes_answer_an_urgent_question(void **state)
{
	struct world w;

	world_init(&w);
	liveness_ask(&w.live);
	loop_sim_advance(w.loop, S(1));
	w.acked++;
	loop_sim_advance(w.loop, S(1));
	assert_int_equal(w.missed, 0);
	assert_int_equal(w.live.state, LIVENESS_STATE_QUIET);
	world_done(&w);
}

/* Somebody asks again and again, faster than a dead link would be found out: it is found out. */
static void test_asking_again_does_not_keep_the_dead_alive(void **state)
{
	struct world w;

	world_init(&w);
	for (int i = 0; i < 10 && !w.dead; i++) {
		liveness_ask(&w.live);
		loop_sim_advance(w.loop, S(3));
	}
	assert_int_equal(w.dead, 1);
	assert_true(w.dead_at <= S(12));
	world_done(&w);
}

/* The process slept, not the other side: it gets time to answer. */
static void test_a_jump_of_the_clock(void **state)
{
	struct world w;

	world_init(&w);
	loop_sim_sleep(w.loop, S(3600));
	loop_sim_advance(w.loop, 0);
	assert_int_equal(w.dead, 0);
	assert_int_equal(w.pings, 1);
	liveness_heard(&w.live);
	loop_sim_advance(w.loop, S(9));
	assert_int_equal(w.dead, 0);
	world_done(&w);
}

static void test_stopped(void **state)
{
	struct world w;

	world_init(&w);
	liveness_stop(&w.live);
	liveness_stop(&w.live);
	liveness_ask(&w.live);
	loop_sim_advance(w.loop, S(60));
	assert_int_equal(w.pings + w.dead + w.missed, 0);
	world_done(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_silence),
		cmocka_unit_test(test_bytes_put_the_question_off),
		cmocka_unit_test(test_an_answer),
		cmocka_unit_test(test_acknowledged_bytes_are_a_sign),
		cmocka_unit_test(test_a_frozen_process_is_dead),
		cmocka_unit_test(test_an_answer_behind_a_long_queue),
		cmocka_unit_test(test_acknowledged_before_the_question),
		cmocka_unit_test(test_urgent_and_answered),
		cmocka_unit_test(test_urgent_again_behind_an_answer),
		cmocka_unit_test(test_urgent_and_missed),
		cmocka_unit_test(test_missed_and_answered_after_all),
		cmocka_unit_test(test_acknowledged_bytes_answer_an_urgent_question),
		cmocka_unit_test(test_asking_again_does_not_keep_the_dead_alive),
		cmocka_unit_test(test_a_jump_of_the_clock),
		cmocka_unit_test(test_stopped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
