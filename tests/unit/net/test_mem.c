#include "test.h"

#include <string.h>

#include "net/mem.h"

#define MS(n) ((n)*USEC_PER_MS)

/* One end and what its handler was told. */
struct end {
	struct stream *s;
	unsigned events; /* all since the last look */
	int calls;
};

struct world {
	struct loop *loop;
	struct end a, b;
};

static void on_ready(void *arg, unsigned events)
{
	struct end *end = arg;

	end->events |= events;
	end->calls++;
}

static void world_init(struct world *w, size_t max)
{
	memset(w, 0, sizeof(*w));
	assert_int_equal(loop_new_sim(&w->loop, NULL), 0);
	assert_int_equal(mem_pair_new(w->loop, max, &w->a.s, &w->b.s, NULL), 0);
	stream_set_handler(w->a.s, on_ready, &w->a);
	stream_set_handler(w->b.s, on_ready, &w->b);
}

static void world_done(struct world *w)
{
	stream_close(w->a.s);
	stream_close(w->b.s);
	loop_sim_advance(w->loop, MS(1));
	loop_free(w->loop);
}

/* What the end was told by the end of this turn. */
static unsigned told(struct world *w, struct end *end)
{
	unsigned events;

	loop_sim_advance(w->loop, 0);
	events = end->events;
	end->events = 0;
	return events;
}

static ssize_t put(struct end *end, const char *text)
{
	return stream_write(end->s, text, strlen(text), NULL);
}

/* Read with a buffer that is larger than what comes: a short read. */
static void assert_gets(struct end *end, const char *text)
{
	char got[256] = "";

	assert_int_equal(stream_read(end->s, got, sizeof(got) - 1, NULL), strlen(text));
	assert_string_equal(got, text);
}

static void assert_read(struct end *end, ssize_t r)
{
	char got[64];

	assert_int_equal(stream_read(end->s, got, sizeof(got), NULL), r);
}

static void test_bytes_go_both_ways(void **state)
{
	struct world w;

	world_init(&w, 0);
	assert_int_equal(put(&w.a, "to b"), 4);
	assert_int_equal(put(&w.b, "to a"), 4);
	assert_int_equal(stream_unsent(w.a.s), 4);
	assert_gets(&w.b, "to b");
	assert_gets(&w.a, "to a");
	assert_int_equal(stream_unsent(w.a.s), 0);
	assert_read(&w.a, -ERR_AGAIN);
	world_done(&w);
}

static void test_readable_follows_a_short_read_once(void **state)
{
	struct world w;
	char byte;

	world_init(&w, 0);
	put(&w.a, "before anybody read");
	assert_int_equal(told(&w, &w.b), 0); /* whoever takes a stream over tries first */
	assert_gets(&w.b, "before anybody read");
	put(&w.a, "1");
	put(&w.a, "2");
	assert_int_equal(w.b.calls, 0); /* never from inside a write */
	assert_int_equal(told(&w, &w.b), STREAM_READABLE);
	put(&w.a, "3");
	assert_int_equal(told(&w, &w.b), 0); /* told already */
	assert_int_equal(w.b.calls, 1);
	assert_int_equal(stream_read(w.b.s, &byte, 1, NULL), 1); /* full: he will try again */
	put(&w.a, "4");
	assert_int_equal(told(&w, &w.b), 0);
	assert_gets(&w.b, "234");
	put(&w.a, "5");
	assert_int_equal(told(&w, &w.b), STREAM_READABLE);
	world_done(&w);
}

static void test_no_event_for_what_was_read_meanwhile(void **state)
{
	struct world w;

	world_init(&w, 0);
	assert_read(&w.b, -ERR_AGAIN);
	put(&w.a, "x");
	assert_gets(&w.b, "x");
	assert_int_equal(told(&w, &w.b), 0);
	world_done(&w);
}

static void test_full_buffer_pushes_back(void **state)
{
	struct world w;

	world_init(&w, 8);
	assert_int_equal(put(&w.a, "0123456789"), 8);
	assert_int_equal(put(&w.a, "89"), -ERR_AGAIN);
	assert_int_equal(stream_unsent(w.a.s), 8);
	assert_int_equal(told(&w, &w.a), 0);
	assert_gets(&w.b, "01234567");
	assert_int_equal(w.a.calls, 0);
	assert_int_equal(told(&w, &w.a), STREAM_WRITABLE);
	assert_int_equal(put(&w.a, "89"), 2);
	assert_gets(&w.b, "89");
	assert_int_equal(told(&w, &w.a), 0); /* nothing was short */
	world_done(&w);
}

static void test_half_close(void **state)
{
	struct world w;

	world_init(&w, 0);
	assert_read(&w.b, -ERR_AGAIN);
	put(&w.a, "last");
	assert_int_equal(stream_shutdown(w.a.s, NULL), 0);
	assert_int_equal(stream_shutdown(w.a.s, NULL), 0);
	assert_int_equal(put(&w.a, "more"), -ERR_RESET);
	assert_int_equal(told(&w, &w.b), STREAM_READABLE);
	assert_gets(&w.b, "last"); /* short, and the end is there: it must be told */
	assert_int_equal(told(&w, &w.b), STREAM_READABLE);
	assert_read(&w.b, 0);
	assert_read(&w.b, 0);
	assert_int_equal(told(&w, &w.b), 0);
	assert_int_equal(put(&w.b, "answer"), 6); /* the other direction goes on */
	assert_gets(&w.a, "answer");
	world_done(&w);
}

static void test_close_leaves_the_rest(void **state)
{
	struct world w;

	world_init(&w, 8);
	assert_int_equal(put(&w.b, "0123456789"), 8); /* b waits for room that never comes */
	put(&w.a, "rest");
	stream_close(w.a.s);
	w.a.s = NULL;
	assert_int_equal(told(&w, &w.b), STREAM_WRITABLE); /* to find out */
	assert_int_equal(put(&w.b, "x"), -ERR_RESET);
	assert_int_equal(stream_unsent(w.b.s), 0);
	assert_gets(&w.b, "rest");
	assert_int_equal(told(&w, &w.b), STREAM_READABLE);
	assert_read(&w.b, 0);
	world_done(&w);
}

static void test_reset_breaks_both_directions(void **state)
{
	struct world w;
	struct err e = {0};
	char byte;

	world_init(&w, 0);
	assert_read(&w.b, -ERR_AGAIN);
	put(&w.a, "lost");
	stream_reset(w.a.s);
	w.a.s = NULL;
	assert_int_equal(told(&w, &w.b), STREAM_READABLE);
	assert_int_equal(stream_read(w.b.s, &byte, 1, &e), -ERR_RESET);
	assert_int_equal(e.code, ERR_RESET);
	assert_true(e.text[0]);
	assert_int_equal(put(&w.b, "x"), -ERR_RESET);
	world_done(&w);
}

static void test_both_ends_closed_with_bytes_held(void **state)
{
	struct world w;

	world_init(&w, 0);
	put(&w.a, "never read");
	put(&w.b, "neither");
	world_done(&w); /* the address sanitizer looks for leaks */
}

static void close_own_end(void *arg, unsigned events)
{
	struct end *end = arg;

	stream_close(end->s);
	end->s = NULL;
}

static void test_handler_may_close(void **state)
{
	struct world w;

	world_init(&w, 0);
	assert_read(&w.b, -ERR_AGAIN);
	assert_read(&w.a, -ERR_AGAIN);
	stream_set_handler(w.a.s, close_own_end, &w.a);
	stream_set_handler(w.b.s, close_own_end, &w.b);
	put(&w.a, "x");
	put(&w.b, "y");
	loop_sim_advance(w.loop, 0);
	assert_null(w.a.s);
	assert_null(w.b.s);
	world_done(&w);
}

static void test_close_with_an_event_pending(void **state)
{
	struct world w;

	world_init(&w, 0);
	assert_read(&w.b, -ERR_AGAIN);
	put(&w.a, "x");
	stream_close(w.b.s);
	w.b.s = NULL;
	assert_int_equal(told(&w, &w.b), 0);
	world_done(&w);
}

static void test_delay_keeps_order(void **state)
{
	struct world w;

	world_init(&w, 0);
	mem_pair_set_delay(w.a.s, MS(50));
	assert_read(&w.b, -ERR_AGAIN);
	put(&w.a, "one ");
	put(&w.a, "two ");
	loop_sim_advance(w.loop, MS(20));
	mem_pair_set_delay(w.a.s, 0); /* the line gets faster, bytes do not overtake */
	put(&w.a, "three");
	assert_int_equal(stream_shutdown(w.a.s, NULL), 0);
	loop_sim_advance(w.loop, MS(30) - 1);
	assert_int_equal(told(&w, &w.b), 0);
	assert_read(&w.b, -ERR_AGAIN);
	loop_sim_advance(w.loop, 1);
	assert_int_equal(told(&w, &w.b), STREAM_READABLE);
	assert_gets(&w.b, "one two three");
	assert_int_equal(told(&w, &w.b), STREAM_READABLE);
	assert_read(&w.b, 0);
	world_done(&w);
}

static void test_delay_pieces_arrive_in_their_time(void **state)
{
	struct world w;

	world_init(&w, 0);
	mem_pair_set_delay(w.a.s, MS(50));
	assert_read(&w.b, -ERR_AGAIN);
	put(&w.a, "one");
	loop_sim_advance(w.loop, MS(10));
	put(&w.a, "two");
	loop_sim_advance(w.loop, MS(40));
	assert_gets(&w.b, "one");
	loop_sim_advance(w.loop, MS(10));
	assert_int_equal(told(&w, &w.b), STREAM_READABLE);
	assert_gets(&w.b, "two");
	world_done(&w);
}

static void test_delayed_close_and_reset(void **state)
{
	struct world w;

	world_init(&w, 0);
	mem_pair_set_delay(w.a.s, MS(50));
	put(&w.a, "rest");
	stream_close(w.a.s);
	w.a.s = NULL;
	assert_int_equal(put(&w.b, "into the void"), 13);
	loop_sim_advance(w.loop, MS(50));
	assert_int_equal(put(&w.b, "x"), -ERR_RESET);
	assert_gets(&w.b, "rest");
	assert_read(&w.b, 0);
	world_done(&w);

	world_init(&w, 0);
	mem_pair_set_delay(w.a.s, MS(50));
	assert_read(&w.b, -ERR_AGAIN);
	stream_reset(w.a.s);
	w.a.s = NULL;
	assert_read(&w.b, -ERR_AGAIN);
	loop_sim_advance(w.loop, MS(50));
	assert_int_equal(told(&w, &w.b), STREAM_READABLE);
	assert_read(&w.b, -ERR_RESET);
	world_done(&w);
}

static void test_cut_line_is_silent(void **state)
{
	struct world w;

	world_init(&w, 8);
	mem_pair_set_delay(w.a.s, MS(50));
	put(&w.a, "here");
	loop_sim_advance(w.loop, MS(50));
	put(&w.a, "way"); /* under way when it is cut */
	mem_pair_cut(w.b.s);
	loop_sim_advance(w.loop, 3600 * USEC_PER_S);
	assert_gets(&w.b, "here");
	assert_read(&w.b, -ERR_AGAIN);
	assert_int_equal(put(&w.a, "0123456789"), 5); /* as a send buffer does, until it is full */
	assert_int_equal(put(&w.a, "x"), -ERR_AGAIN);
	assert_int_equal(stream_unsent(w.a.s), 8);
	stream_reset(w.a.s);
	w.a.s = NULL;
	loop_sim_advance(w.loop, 3600 * USEC_PER_S);
	assert_int_equal(told(&w, &w.b), 0);
	assert_read(&w.b, -ERR_AGAIN);
	assert_int_equal(put(&w.b, "x"), 1);
	world_done(&w);
}

static void test_cut_line_with_a_blocked_writer(void **state)
{
	struct world w;

	world_init(&w, 4);
	assert_int_equal(put(&w.a, "01234567"), 4);
	mem_pair_cut(w.a.s);
	assert_gets(&w.b, "0123"); /* had arrived */
	assert_int_equal(told(&w, &w.a), 0);
	world_done(&w);
}

static void test_unread_comes_first(void **state)
{
	struct world w;

	world_init(&w, 0);
	put(&w.a, "456");
	assert_int_equal(stream_unread(w.b.s, "23", 2), 0);
	assert_int_equal(stream_unread(w.b.s, "01", 2), 0);
	assert_gets(&w.b, "0123456");
	world_done(&w);
}

static void test_unread_does_not_hide_the_end(void **state)
{
	struct world w;

	world_init(&w, 0);
	assert_int_equal(stream_shutdown(w.a.s, NULL), 0);
	assert_int_equal(stream_unread(w.b.s, "x", 1), 0);
	assert_gets(&w.b, "x"); /* a short read: an event must follow */
	assert_int_equal(told(&w, &w.b), STREAM_READABLE);
	assert_read(&w.b, 0);
	world_done(&w);

	world_init(&w, 0);
	stream_reset(w.a.s);
	w.a.s = NULL;
	assert_int_equal(stream_unread(w.b.s, "x", 1), 0);
	assert_gets(&w.b, "x");
	assert_int_equal(told(&w, &w.b), STREAM_READABLE);
	assert_read(&w.b, -ERR_RESET);
	world_done(&w);
}

static void test_unread_limit(void **state)
{
	static char large[STREAM_PUSHBACK_MAX + 1];
	struct world w;
	char byte = 0;

	world_init(&w, 0);
	assert_int_equal(stream_unread(w.b.s, "z", 1), 0);
	assert_int_equal(stream_unread(w.b.s, large, STREAM_PUSHBACK_MAX), -ERR_LIMIT);
	assert_int_equal(stream_read(w.b.s, &byte, 1, NULL), 1); /* as it was */
	assert_int_equal(byte, 'z');
	assert_int_equal(stream_unread(w.b.s, large, STREAM_PUSHBACK_MAX), 0);
	world_done(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes_go_both_ways),
		cmocka_unit_test(test_readable_follows_a_short_read_once),
		cmocka_unit_test(test_no_event_for_what_was_read_meanwhile),
		cmocka_unit_test(test_full_buffer_pushes_back),
		cmocka_unit_test(test_half_close),
		cmocka_unit_test(test_close_leaves_the_rest),
		cmocka_unit_test(test_reset_breaks_both_directions),
		cmocka_unit_test(test_both_ends_closed_with_bytes_held),
		cmocka_unit_test(test_handler_may_close),
		cmocka_unit_test(test_close_with_an_event_pending),
		cmocka_unit_test(test_delay_keeps_order),
		cmocka_unit_test(test_delay_pieces_arrive_in_their_time),
		cmocka_unit_test(test_delayed_close_and_reset),
		cmocka_unit_test(test_cut_line_is_silent),
		cmocka_unit_test(test_cut_line_with_a_blocked_writer),
		cmocka_unit_test(test_unread_comes_first),
		cmocka_unit_test(test_unread_does_not_hide_the_end),
		cmocka_unit_test(test_unread_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
