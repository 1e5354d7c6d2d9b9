/* Visitors between two carriers: bytes, windows, answers, resets. */
#include "pair.h"

/* ── bytes ── */

static bool all_over(struct world *w)
{
	for (unsigned i = 0; i < w->n_visits; i++)
		if (!w->visits[i].closed || !w->visits[i].agent_closed)
			return false;
	return true;
}

static void test_300_visitors_with_pauses(void **state)
{
	struct world w;

	world_init(&w);
	mem_pair_set_delay(w.line, MS(3));
	for (int turn = 0; turn < 100000 && !(w.n_visits == 300 && all_over(&w)); turn++) {
		if (w.n_visits < 300 && random_next(&w) % 2)
			visit_new(&w, random_next(&w) % 150000, random_next(&w) % 150000);
		for (unsigned i = 0; i < w.n_visits; i++) {
			struct end *ends[] = {&w.visits[i].visitor, &w.visits[i].local};

			for (int k = 0; k < 2; k++)
				if (random_next(&w) % 8 == 0)
					ends[k]->pause = random_next(&w) % 3 != 0;
		}
		step(&w, MS(random_next(&w) % 5));
	}
	assert_true(all_over(&w));
	assert_alive(&w);
	for (unsigned i = 0; i < w.n_visits; i++) {
		struct visit *visit = &w.visits[i];

		visit->visitor.pause = visit->local.pause = false;
		end_go(&visit->visitor);
		end_go(&visit->local);
		assert_int_equal(visit->opened, 1);
		assert_int_equal(visit->visitor.got, visit->visitor.to_get);
		assert_int_equal(visit->local.got, visit->local.to_get);
		assert_true(visit->visitor.ended && visit->local.ended);
		assert_false(visit->totals.reset || visit->agent_totals.reset);
		assert_int_equal(visit->totals.to_link, visit->visitor.to_send);
		assert_int_equal(visit->totals.from_link, visit->visitor.to_get);
		assert_int_equal(visit->agent_totals.to_link, visit->visitor.to_get);
	}
	assert_int_equal(carrier_visitors(w.gateway.c), 0);
	assert_int_equal(carrier_visitors(w.agent.c), 0);
	world_done(&w);
}

static void test_one_direction_ends_long_before_the_other(void **state)
{
	struct world w;
	struct visit *visit;

	world_init(&w);
	visit = visit_new(&w, 5000, 0);
	visit->local.end = false;
	steps(&w, 50);
	assert_true(visit->local.ended);
	assert_int_equal(visit->local.got, 5000);
	assert_false(visit->visitor.ended);
	assert_int_equal(visit->closed, 0);
	visit->local.to_send = visit->visitor.to_get = 300000; /* long after the visitor's FIN */
	visit->local.end = true;
	steps(&w, 200);
	assert_true(visit->visitor.ended);
	assert_int_equal(visit->visitor.got, 300000);
	assert_true(visit->closed && !visit->totals.reset);
	world_done(&w);
}

/* What came before END_STREAM is delivered before the end, however slowly it is taken. */
static void test_last_bytes_for_a_slow_reader(void **state)
{
	struct world w;
	struct visit *visit;

	world_init(&w);
	visit = visit_new(&w, 0, 120000);
	visit->visitor.end = true;
	steps(&w, 2);
	visit->visitor.pause = true;
	steps(&w, 500);
	assert_true(visit->local.shut);
	assert_int_equal(visit->closed, 0);
	visit->visitor.pause = false;
	steps(&w, 20);
	assert_int_equal(visit->visitor.got, 120000);
	assert_true(visit->visitor.ended);
	assert_int_equal(visit->closed, 1);
	assert_false(visit->totals.reset);
	world_done(&w);
}

static void test_a_visitor_who_does_not_read_holds_up_nobody(void **state)
{
	struct world w;
	struct visit *fast;

	world_init(&w);
	for (int i = 0; i < 200; i++)
		visit_new(&w, 0, 1000000)->visitor.pause = true;
	steps(&w, 200);
	for (unsigned i = 0; i < 200; i++) /* what waits for each is a window and what pairs hold */
		assert_true(w.visits[i].local.sent <= CARRIER_WINDOW_START + 3 * MEM_BUFFER_MAX);
	fast = visit_new(&w, 300000, 5000000);
	steps(&w, 300);
	assert_int_equal(fast->visitor.got, 5000000);
	assert_int_equal(fast->local.got, 300000);
	assert_int_equal(fast->closed, 1);
	assert_alive(&w);
	world_done(&w);
}

static void test_windows_grow_within_the_budget(void **state)
{
	struct world w;
	size_t least = BUDGET;
	struct visit *visit;

	world_init(&w);
	visit = visit_new(&w, 0, 40000000);
	for (int i = 0; i < 3000 && !visit->closed; i++) {
		step(&w, MS(1));
		least = MIN(least, w.budget.left);
	}
	assert_true(visit->closed);
	assert_true(least < BUDGET); /* it grew */
	assert_true(BUDGET - least <= 2 * CARRIER_BUDGET);
	assert_int_equal(w.budget.left, BUDGET);
	world_done(&w);
}

/* A kernel takes megabytes for somebody who reads nothing: these are no reason to grow. */
static void test_no_growth_for_those_who_do_not_read(void **state)
{
	struct world w;
	struct visit *fast;
	size_t least;

	world_init(&w);
	w.visitor_buffer = (size_t)4 << 20;
	for (int i = 0; i < 20; i++) {
		struct visit *visit = visit_new(&w, 0, 10000000);

		visit->visitor.pause = true;
		steps(&w, 100);
		assert_true(visit->local.sent > w.visitor_buffer); /* it was swallowed */
	}
	assert_int_equal(w.budget.left, BUDGET);
	least = BUDGET;
	fast = visit_new(&w, 0, 40000000);
	for (int i = 0; i < 3000 && !fast->closed; i++) {
		step(&w, MS(1));
		least = MIN(least, w.budget.left);
	}
	steps(&w, 2);
	assert_int_equal(fast->visitor.got, 40000000);
	assert_true(BUDGET - least > CARRIER_WINDOW_START);
	world_done(&w);
}

/* On a busy machine the line is short and everything takes long: no reason to stay at 64 KiB. */
static void test_growth_while_processes_wait_for_their_turns(void **state)
{
	struct world w;
	struct visit *visit;
	size_t least = BUDGET;

	world_init(&w);
	mem_pair_set_delay(w.line, MS(8)); /* of which the kernel knows nothing */
	w.visitor_buffer = (size_t)4 << 20;
	visit = visit_new(&w, 0, 5000000);
	for (int i = 0; i < 3000 && !visit->closed; i++) {
		step(&w, MS(1));
		least = MIN(least, w.budget.left);
	}
	steps(&w, 20);
	assert_int_equal(visit->visitor.got, 5000000);
	assert_true(least < BUDGET);
	world_done(&w);
}

/* A fast one leaves half of what there is to those who come later. */
static void test_one_does_not_take_the_whole_budget(void **state)
{
	struct world w;
	struct visit *visit;
	size_t given, least;

	world_init(&w);
	given = w.budget.left - 300000;
	w.budget.left -= given;
	least = w.budget.left;
	visit = visit_new(&w, 0, 40000000);
	for (int i = 0; i < 3000 && !visit->closed; i++) {
		step(&w, MS(1));
		least = MIN(least, w.budget.left);
	}
	steps(&w, 2);
	assert_int_equal(visit->visitor.got, 40000000);
	assert_in_range(least, 150000, 299999); /* it grew, and not to the end */
	w.budget.left += given;
	world_done(&w);
}

static void test_no_growth_when_the_budget_is_spent(void **state)
{
	struct world w;
	size_t given;

	world_init(&w);
	given = w.budget.left - 200000; /* the rest of the process needs the others */
	w.budget.left -= given;
	for (int i = 0; i < 20; i++)
		visit_new(&w, 500000, 500000);
	for (int i = 0; i < 3000 && !all_over(&w); i++) {
		step(&w, MS(1));
		assert_true(w.budget.left <= 200000); /* never below 0 */
	}
	assert_true(all_over(&w));
	assert_int_equal(w.budget.left, 200000);
	w.budget.left += given;
	world_done(&w);
}

/* ── before the answer ── */

static void test_before_the_answer_16_kib(void **state)
{
	struct world w;
	struct visit *visit;

	world_init(&w);
	w.agent_does = LEAVE;
	visit = visit_new(&w, 200000, 1000);
	steps(&w, 50);
	assert_int_equal(visit->announced, 1);
	assert_int_equal(visit->opened, 0);
	assert_true(visit->visitor.sent <= CARRIER_REPLAY_MAX + MEM_BUFFER_MAX);
	visit_accept(visit);
	steps(&w, 100);
	assert_int_equal(visit->opened, 1);
	assert_int_equal(visit->local.got, 200000);
	assert_int_equal(visit->visitor.got, 1000);
	world_done(&w);
}

static void test_a_refused_visitor_comes_back_whole(void **state)
{
	struct world w;
	struct visit *visit;

	world_init(&w);
	w.agent_does = REFUSE;
	visit = visit_new(&w, 30000, 0);
	steps(&w, 50);
	assert_int_equal(visit->returned, 1);
	assert_int_equal(visit->returned_r, -ERR_REFUSED);
	assert_int_equal(visit->returned_status, 502);
	assert_string_equal(visit->reason, "nobody listens on 127.0.0.1:8000");
	assert_int_equal(visit->local.got, 30000); /* read again from its first byte */
	assert_true(visit->local.ended);
	world_done(&w);
}

static void test_a_lost_link_gives_unanswered_visitors_back(void **state)
{
	struct world w;
	struct visit *answered, *waiting;

	world_init(&w);
	answered = visit_new(&w, 1000, 1000);
	answered->visitor.end = answered->local.end = false;
	steps(&w, 10);
	w.agent_does = LEAVE;
	waiting = visit_new(&w, 40000, 0);
	steps(&w, 10);
	carrier_free(TAKE(w.agent.c));
	steps(&w, 10);
	assert_int_equal(w.gateway.dead, 1);
	assert_int_equal(w.gateway.dead_r, -ERR_RESET);
	assert_string_equal(w.gateway.why.text, "the other side closed the connection");
	assert_int_equal(answered->closed, 1);
	assert_true(answered->totals.reset);
	assert_true(answered->visitor.reset);
	assert_int_equal(waiting->returned, 1);
	assert_int_equal(waiting->returned_r, -ERR_AGAIN);
	assert_int_equal(waiting->local.got, 40000);
	world_done(&w);
}

static void test_as_many_as_the_agent_takes(void **state)
{
	struct world w;
	struct err e = {0};
	unsigned n = 0;

	world_init(&w);
	while (try_visit(&w, 10, 10, &e) == 0) {
		w.visits[n].visitor.end = w.visits[n].local.end = false;
		n++;
	}
	assert_int_equal(e.code, ERR_LIMIT);
	assert_int_equal(n, CARRIER_STREAMS_MAX - 1); /* the control channel is one */
	steps(&w, 20);
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(w.visits[i].opened, 1);
	assert_int_equal(try_visit(&w, 10, 10, &e), -ERR_LIMIT);
	stream_reset(TAKE(w.visits[7].visitor.s));
	steps(&w, 5);
	assert_int_equal(try_visit(&w, 10, 10, &e), 0);
	w.visits[n].visitor.end = false;
	assert_int_equal(try_visit(&w, 10, 10, &e), -ERR_LIMIT);
	steps(&w, 20);
	assert_int_equal(w.visits[n].opened, 1);
	assert_int_equal(carrier_visitors(w.agent.c), n);
	assert_alive(&w);
	world_done(&w);
}

/* ── resets ── */

static void test_resets_reach_the_other_side(void **state)
{
	struct world w;
	struct visit *leaves, *breaks;

	world_init(&w);
	leaves = visit_new(&w, 1000, 1000000);
	breaks = visit_new(&w, 1000, 1000);
	breaks->visitor.end = breaks->local.end = leaves->local.end = false;
	leaves->visitor.end = false;
	leaves->visitor.pause = true;
	steps(&w, 20);
	stream_reset(TAKE(leaves->visitor.s));
	stream_reset(TAKE(breaks->local.s));
	steps(&w, 20);
	assert_true(leaves->local.reset && breaks->visitor.reset);
	assert_true(leaves->totals.reset && leaves->agent_totals.reset);
	assert_true(breaks->totals.reset && breaks->agent_totals.reset);
	assert_alive(&w);
	world_done(&w);
}

static void test_the_agent_ends_a_visitor(void **state)
{
	struct world w;
	struct visit *visit;

	world_init(&w);
	w.agent_does = LEAVE;
	visit = visit_new(&w, 1000, 0);
	visit->visitor.end = false;
	steps(&w, 5);
	visit_accept(visit);
	steps(&w, 5);
	link_visitor_abort(visit->v);
	visit->agent_closed++; /* there is no on_closed after it */
	steps(&w, 5);
	assert_true(visit->visitor.reset || visit->totals.reset);
	assert_int_equal(visit->closed, 1);
	world_done(&w);
}

/* 60 visitors leave, of whom the agent's library bears 30 as resets: the others end softly. */
static void soft_ends(struct world *w)
{
	carrier_set_resets(w->gateway.c, 1);
	for (int i = 0; i < 60; i++) {
		struct visit *visit = visit_new(w, 1000, 300000);

		visit->visitor.end = visit->local.end = false;
		visit->visitor.pause = i % 2;
	}
	steps(w, 50);
	for (unsigned i = 0; i < 60; i++) {
		assert_int_equal(w->visits[i].opened, 1);
		stream_reset(TAKE(w->visits[i].visitor.s));
	}
	steps(w, 50);
}

static void test_too_many_resets_become_soft_ends(void **state)
{
	struct world w;
	unsigned resets = 0, soft = 0;

	world_init(&w);
	soft_ends(&w);
	for (unsigned i = 0; i < 60; i++) {
		struct visit *visit = &w.visits[i];

		assert_int_equal(visit->closed, 1);
		assert_true(visit->totals.reset);
		resets += visit->local.reset;
		soft += visit->local.ended && !visit->local.reset;
		/* The rest is read and dropped: the local service can finish. */
		if (!visit->local.reset)
			assert_int_equal(visit->local.sent, 300000);
	}
	assert_int_equal(resets, 30);
	assert_int_equal(soft, 30);
	assert_int_equal(carrier_visitors(w.gateway.c), 30);
	for (unsigned i = 0; i < 60; i++)
		w.visits[i].local.end = true;
	steps(&w, 20);
	assert_int_equal(carrier_visitors(w.gateway.c), 0);
	assert_int_equal(carrier_visitors(w.agent.c), 0);
	assert_alive(&w);
	world_done(&w);
}

/* A service that never finishes keeps no stream: what could not be reset at once is, as the rate
 * allows. */
static void test_soft_ends_do_not_stay_for_ever(void **state)
{
	struct world w;

	world_init(&w);
	soft_ends(&w);
	assert_int_equal(carrier_visitors(w.gateway.c), 30);
	loop_sim_advance(w.loop, 40 * USEC_PER_S); /* one a second */
	steps(&w, 50);
	assert_int_equal(carrier_visitors(w.gateway.c), 0);
	assert_int_equal(carrier_visitors(w.agent.c), 0);
	assert_alive(&w);
	world_done(&w);
}

static void test_closing_with_soft_ends_under_way(void **state)
{
	struct world w;

	world_init(&w);
	soft_ends(&w);
	carrier_close(w.gateway.c);
	steps(&w, 50);
	assert_int_equal(w.gateway.dead, 1);
	assert_int_equal(w.gateway.dead_r, 0);
	assert_int_equal(w.agent.dead, 1);
	world_done(&w);
}

static void test_losing_the_link_with_soft_ends_under_way(void **state)
{
	struct world w;

	world_init(&w);
	soft_ends(&w);
	mem_pair_cut(w.line);
	loop_sim_advance(w.loop, 30 * USEC_PER_S);
	assert_int_equal(w.gateway.dead, 1);
	assert_int_equal(w.agent.dead, 1);
	world_done(&w);
}

/* A refusal has to leave nothing behind, also where the agent cannot bear another reset. */
static void test_refusals_beyond_the_rate_of_resets(void **state)
{
	struct world w;

	world_init(&w);
	w.agent_does = REFUSE;
	carrier_set_resets(w.gateway.c, 1);
	for (int round = 0; round < 20; round++) {
		for (int i = 0; i < 100; i++)
			visit_new(&w, 100, 0)->visitor.end = false;
		steps(&w, 10);
	}
	for (unsigned i = 0; i < w.n_visits; i++)
		assert_int_equal(w.visits[i].returned_status, 502);
	assert_int_equal(carrier_visitors(w.gateway.c), 0);
	assert_int_equal(carrier_visitors(w.agent.c), 0);
	assert_alive(&w);
	world_done(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_300_visitors_with_pauses),
		cmocka_unit_test(test_one_direction_ends_long_before_the_other),
		cmocka_unit_test(test_last_bytes_for_a_slow_reader),
		cmocka_unit_test(test_a_visitor_who_does_not_read_holds_up_nobody),
		cmocka_unit_test(test_windows_grow_within_the_budget),
		cmocka_unit_test(test_no_growth_for_those_who_do_not_read),
		cmocka_unit_test(test_growth_while_processes_wait_for_their_turns),
		cmocka_unit_test(test_one_does_not_take_the_whole_budget),
		cmocka_unit_test(test_no_growth_when_the_budget_is_spent),
		cmocka_unit_test(test_before_the_answer_16_kib),
		cmocka_unit_test(test_a_refused_visitor_comes_back_whole),
		cmocka_unit_test(test_a_lost_link_gives_unanswered_visitors_back),
		cmocka_unit_test(test_as_many_as_the_agent_takes),
		cmocka_unit_test(test_resets_reach_the_other_side),
		cmocka_unit_test(test_the_agent_ends_a_visitor),
		cmocka_unit_test(test_too_many_resets_become_soft_ends),
		cmocka_unit_test(test_soft_ends_do_not_stay_for_ever),
		cmocka_unit_test(test_closing_with_soft_ends_under_way),
		cmocka_unit_test(test_losing_the_link_with_soft_ends_under_way),
		cmocka_unit_test(test_refusals_beyond_the_rate_of_resets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
