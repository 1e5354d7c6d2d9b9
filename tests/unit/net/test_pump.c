#include "test.h"

#include <string.h>

#include "net/mem.h"
#include "net/pump.h"

/* Visitor ══ a | pump | b ══ service, each pair of streams in memory. */
struct world {
	struct loop *loop;
	struct stream *visitor, *service;
	struct pump *pump;
	struct pump_ending ending;
	bool done;
};

static void on_done(void *arg, const struct pump_ending *ending)
{
	struct world *w = arg;

	assert_false(w->done);
	w->done = true;
	w->ending = *ending;
	pump_free(w->pump);
	w->pump = NULL;
}

static void world_init(struct world *w, size_t max)
{
	struct stream *a, *b;

	memset(w, 0, sizeof(*w));
	assert_int_equal(loop_new_sim(&w->loop, NULL), 0);
	assert_int_equal(mem_pair_new(w->loop, max, &w->visitor, &a, NULL), 0);
	assert_int_equal(mem_pair_new(w->loop, max, &w->service, &b, NULL), 0);
	assert_int_equal(pump_new(w->loop, a, b, on_done, w, &w->pump, NULL), 0);
}

static void run(struct world *w)
{
	loop_sim_advance(w->loop, 0);
}

static void world_done(struct world *w)
{
	stream_close(w->visitor);
	stream_close(w->service);
	run(w);
	pump_free(w->pump);
	loop_free(w->loop);
}

static ssize_t put(struct stream *s, const char *text)
{
	return stream_write(s, text, strlen(text), NULL);
}

static void assert_reads(struct stream *s, const char *text)
{
	char got[256] = "";

	assert_int_equal(stream_read(s, got, sizeof(got) - 1, NULL), strlen(text));
	assert_string_equal(got, text);
}

static ssize_t read_rest(struct stream *s)
{
	char byte;

	return stream_read(s, &byte, 1, NULL);
}

static void joins_both_ways(void **state)
{
	struct world w;

	world_init(&w, 0);
	assert_int_equal(put(w.visitor, "ping"), 4);
	run(&w);
	assert_reads(w.service, "ping");
	assert_int_equal(put(w.service, "pong!"), 5);
	run(&w);
	assert_reads(w.visitor, "pong!");
	assert_false(w.done);
	world_done(&w);
}

static void halves_end_on_their_own(void **state)
{
	struct world w;

	world_init(&w, 0);
	assert_int_equal(put(w.visitor, "last"), 4);
	assert_int_equal(stream_shutdown(w.visitor, NULL), 0);
	run(&w);
	assert_reads(w.service, "last");
	assert_int_equal(read_rest(w.service), 0);
	assert_false(w.done);
	assert_int_equal(put(w.service, "much later"), 10);
	run(&w);
	assert_reads(w.visitor, "much later");
	assert_int_equal(stream_shutdown(w.service, NULL), 0);
	run(&w);
	assert_int_equal(read_rest(w.visitor), 0);
	assert_true(w.done && w.ending.complete);
	assert_int_equal(w.ending.a_to_b, 4);
	assert_int_equal(w.ending.b_to_a, 10);
	world_done(&w);
}

static void a_reset_reaches_the_other_side(void **state)
{
	for (int i = 0; i < 2; i++) {
		struct world w;
		struct stream **gone, *left;

		world_init(&w, 0);
		run(&w);
		gone = i ? &w.visitor : &w.service;
		left = i ? w.service : w.visitor;
		stream_reset(*gone);
		*gone = NULL;
		run(&w);
		assert_int_equal(read_rest(left), -ERR_RESET);
		assert_true(w.done && !w.ending.complete);
		world_done(&w);
	}
}

/* A fast writer and a reader who takes a little at a time: every byte arrives, little is kept. */
static void waits_for_the_slow_side(void **state)
{
	enum { TOTAL = 1000000 };
	struct world w;
	size_t sent = 0, got = 0;
	static uint8_t bytes[TOTAL], back[TOTAL];
	ssize_t n;

	for (size_t i = 0; i < TOTAL; i++)
		bytes[i] = (uint8_t)(i * 31 >> 3);
	world_init(&w, 5000);
	for (int turn = 0; got < TOTAL && turn < 100000; turn++) {
		if (sent < TOTAL) {
			n = stream_write(w.visitor, bytes + sent, TOTAL - sent, NULL);
			sent += n > 0 ? (size_t)n : 0;
			if (sent == TOTAL)
				assert_int_equal(stream_shutdown(w.visitor, NULL), 0);
		}
		run(&w);
		assert_true(sent - got <= 2 * 5000 + PUMP_KEPT_MAX);
		n = stream_read(w.service, back + got, MIN(777, TOTAL - got), NULL);
		got += n > 0 ? (size_t)n : 0;
	}
	assert_int_equal(got, TOTAL);
	assert_memory_equal(bytes, back, TOTAL);
	run(&w);
	assert_int_equal(read_rest(w.service), 0);
	world_done(&w);
}

static void may_be_freed_at_any_time(void **state)
{
	for (int step = 0; step < 4; step++) {
		struct world w;

		world_init(&w, 10);
		if (step > 0)
			assert_int_equal(put(w.visitor, "0123456789"), 10);
		if (step > 1)
			run(&w);
		if (step > 2)
			assert_int_equal(put(w.visitor, "0123456789"), 10);
		pump_free(w.pump);
		w.pump = NULL;
		run(&w);
		assert_int_equal(read_rest(w.visitor), -ERR_RESET);
		assert_false(w.done);
		world_done(&w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(joins_both_ways),
		cmocka_unit_test(halves_end_on_their_own),
		cmocka_unit_test(a_reset_reaches_the_other_side),
		cmocka_unit_test(waits_for_the_slow_side),
		cmocka_unit_test(may_be_freed_at_any_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
