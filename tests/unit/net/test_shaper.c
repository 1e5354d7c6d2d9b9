/* Streams behind a cap, on the virtual clock. */
#include "test.h"

#include <string.h>

#include "net/mem.h"
#include "net/shaper.h"

#define MIB	((uint64_t)1 << 20)
#define STREAMS 64

/* One visitor: `far` is a local server that sends as much as it can; we read what the shaper lets
 * through. Or the other way round. */
struct visitor {
	struct stream *far, *near;
	uint64_t got, to_send;
	bool writes; /* we write, and far reads */
	bool ended;
	int broken;
};

struct world {
	struct loop *loop;
	struct shaper *line, *service;
	struct visitor visitors[STREAMS];
	unsigned n;
};

static uint8_t noise[64 * 1024];

static void pour(struct visitor *v, struct stream *to)
{
	while (v->to_send) {
		ssize_t n = stream_write(to, noise, MIN(v->to_send, sizeof(noise)), NULL);

		if (n <= 0) {
			v->broken = n == -ERR_AGAIN ? 0 : (int)n;
			return;
		}
		v->to_send -= (uint64_t)n;
	}
}

static void drink(struct visitor *v, struct stream *from)
{
	while (!v->ended && !v->broken) {
		ssize_t n = stream_read(from, noise, 16 * 1024, NULL);

		if (n == -ERR_AGAIN)
			return;
		v->ended = n == 0;
		v->broken = n < 0 ? (int)n : 0;
		v->got += (uint64_t)MAX(n, 0);
	}
}

static void on_far(void *arg, unsigned events)
{
	struct visitor *v = arg;

	if (v->writes)
		drink(v, v->far);
	else
		pour(v, v->far);
}

static void on_near(void *arg, unsigned events)
{
	struct visitor *v = arg;

	if (v->writes)
		pour(v, v->near);
	else
		drink(v, v->near);
}

static struct visitor *add(struct world *w, struct shaper *shaper, uint64_t bytes, bool writes)
{
	struct visitor *v = &w->visitors[w->n++];
	struct stream *below;

	*v = (struct visitor){.to_send = bytes, .writes = writes};
	assert_int_equal(mem_pair_new(w->loop, 0, &v->far, &below, NULL), 0);
	assert_int_equal(shaper_stream_new(shaper, below, &v->near, NULL), 0);
	stream_set_handler(v->far, on_far, v);
	stream_set_handler(v->near, on_near, v);
	on_far(v, 0);
	on_near(v, 0);
	return v;
}

static void start(struct world *w, uint64_t line, uint64_t service)
{
	memset(w, 0, sizeof(*w));
	assert_int_equal(loop_new_sim(&w->loop, NULL), 0);
	assert_int_equal(shaper_new(w->loop, line, NULL, &w->line, NULL), 0);
	assert_int_equal(shaper_new(w->loop, service, w->line, &w->service, NULL), 0);
}

static void leave(struct visitor *v)
{
	stream_close(v->near);
	stream_close(v->far);
	v->near = v->far = NULL;
}

static void stop(struct world *w)
{
	shaper_free(w->service);
	shaper_free(w->line); /* streams may live on */
	for (unsigned i = 0; i < w->n; i++)
		leave(&w->visitors[i]);
	loop_sim_advance(w->loop, USEC_PER_S);
	loop_free(w->loop);
}

static void assert_about(uint64_t value, uint64_t wanted, unsigned percent)
{
	if (value < wanted - wanted * percent / 100 || value > wanted + wanted * percent / 100)
		fail_msg("%llu is not %llu +- %u %%", (unsigned long long)value,
			 (unsigned long long)wanted, percent);
}

static uint64_t sum(const struct world *w)
{
	uint64_t bytes = 0;

	for (unsigned i = 0; i < w->n; i++)
		bytes += w->visitors[i].got;
	return bytes;
}

/* Rates from a modem's to a fast line's: the cap holds, and all have the same. */
static void caps_and_shares(void **state)
{
	static const uint64_t rates[] = {8 * 1024, 100 * 1000, MIB, 20 * MIB, 500 * MIB};
	static const unsigned counts[] = {1, 2, 5, STREAMS};

	for (size_t i = 0; i < ARRAY_LEN(rates) * ARRAY_LEN(counts); i++) {
		uint64_t rate = rates[i / ARRAY_LEN(counts)];
		unsigned n = counts[i % ARRAY_LEN(counts)];
		unsigned span = rate < MIB ? 100 : rate > 100 * MIB ? 1 : 4;
		struct world world, *w = &world;

		for (int writes = 0; writes < 2; writes++) {
			start(w, 0, rate);
			for (unsigned k = 0; k < n; k++)
				add(w, w->service, UINT64_MAX, writes);
			loop_sim_advance(w->loop, USEC_PER_S); /* the beginning's burst is over */
			for (unsigned k = 0; k < n; k++)
				w->visitors[k].got = 0;
			loop_sim_advance(w->loop, span * USEC_PER_S);
			assert_about(sum(w), rate * span, 2);
			for (unsigned k = 0; k < n; k++)
				assert_about(w->visitors[k].got, rate * span / n,
					     rate == rates[0] && n == STREAMS ? 20 : 5);
			if (n > 1)
				assert_true(shaper_waits(w->service) > 0);
			stop(w);
		}
	}
}

/* The line has a cap, and so has one of its services: the other one has what is left. */
static void services_share_the_line(void **state)
{
	struct world world, *w = &world;
	struct shaper *other;

	start(w, MIB, MIB / 4);
	assert_int_equal(shaper_new(w->loop, 0, w->line, &other, NULL), 0);
	for (int i = 0; i < 4; i++)
		add(w, i % 2 ? other : w->service, UINT64_MAX, false);
	loop_sim_advance(w->loop, 20 * USEC_PER_S);
	assert_about(w->visitors[0].got + w->visitors[2].got, 20 * MIB / 4, 4);
	assert_about(w->visitors[1].got + w->visitors[3].got, 20 * MIB * 3 / 4, 4);
	assert_about(w->visitors[1].got, w->visitors[3].got, 4);
	shaper_free(other);
	stop(w);
}

/* Both directions have the cap, each for itself. */
static void directions_do_not_share(void **state)
{
	struct world world, *w = &world;

	start(w, 0, MIB);
	add(w, w->service, UINT64_MAX, false);
	add(w, w->service, UINT64_MAX, true);
	loop_sim_advance(w->loop, 10 * USEC_PER_S);
	assert_about(w->visitors[0].got, 10 * MIB, 2);
	assert_about(w->visitors[1].got, 10 * MIB, 2);
	stop(w);
}

/* A page of 20 KB beside 20 large downloads: its share of the cap, not its place behind them. */
static void a_page_view_does_not_starve(void **state)
{
	struct world world, *w = &world;
	struct visitor *page;
	usec_t asked;

	start(w, 0, MIB);
	for (int i = 0; i < 20; i++)
		add(w, w->service, UINT64_MAX, false);
	loop_sim_advance(w->loop, 5 * USEC_PER_S);
	page = add(w, w->service, 20000, false);
	asked = loop_now(w->loop);
	while (page->got < 20000)
		loop_sim_advance(w->loop, USEC_PER_MS);
	assert_true(loop_now(w->loop) - asked < 500 * USEC_PER_MS); /* 21 shares of 20 KB: 0.4 s */
	stop(w);
}

/* What the idle do not use is the others'. */
static void the_idle_take_nothing(void **state)
{
	struct world world, *w = &world;
	struct visitor *quiet, *loud;

	start(w, 0, MIB);
	quiet = add(w, w->service, 0, false);
	loud = add(w, w->service, UINT64_MAX, false);
	for (int i = 0; i < 40; i++)
		add(w, w->service, 0, false);
	loop_sim_advance(w->loop, 10 * USEC_PER_S);
	assert_about(loud->got, 10 * MIB, 2);
	quiet->to_send = 100; /* a keystroke now and then */
	on_far(quiet, 0);
	loop_sim_advance(w->loop, 20 * USEC_PER_MS);
	assert_int_equal(quiet->got, 100);
	stop(w);
}

/* Slower than the cap: as if there was none, and nobody ever waits. */
static void below_the_cap_it_is_not_felt(void **state)
{
	struct world world, *w = &world;
	struct visitor *v;

	start(w, 0, MIB);
	v = add(w, w->service, 0, false);
	for (int i = 0; i < 1000; i++) {
		v->to_send = 1000;
		on_far(v, 0);
		loop_sim_advance(w->loop, 2 * USEC_PER_MS);
		assert_int_equal(v->got, 1000 * ((uint64_t)i + 1));
	}
	assert_int_equal(shaper_waits(w->service), 0);
	stop(w);
}

static void the_rate_may_change(void **state)
{
	struct world world, *w = &world;
	uint64_t before;

	start(w, 0, 100 * MIB);
	assert_true(shaper_is_capped(w->service));
	assert_false(shaper_is_capped(w->line));
	for (int i = 0; i < 3; i++)
		add(w, w->service, UINT64_MAX, i % 2);
	loop_sim_advance(w->loop, USEC_PER_S);
	shaper_set_rate(w->service, 10000); /* while all wait for much larger shares */
	before = sum(w);
	loop_sim_advance(w->loop, 200 * USEC_PER_S);
	/* 10 kB/s each way, but for what was waiting when it changed: they were promised more */
	assert_true(sum(w) - before > 2 * 1500000 && sum(w) - before <= 2 * 2100000);
	shaper_set_rate(w->line, 50 * MIB);
	shaper_set_rate(w->service, 0);
	loop_sim_advance(w->loop, USEC_PER_S);
	before = sum(w);
	loop_sim_advance(w->loop, 2 * USEC_PER_S);
	assert_about(sum(w) - before, 2 * 2 * 50 * MIB, 4);
	stop(w);
}

static void ends_and_resets_come_through(void **state)
{
	struct world world, *w = &world;
	struct visitor *v;

	start(w, 0, MIB);
	v = add(w, w->service, 3 * MIB / 2, false);
	while (v->to_send)
		loop_sim_advance(w->loop, USEC_PER_MS);
	assert_int_equal(stream_shutdown(v->far, NULL), 0);
	loop_sim_advance(w->loop, 2 * USEC_PER_S);
	assert_true(v->ended);
	assert_int_equal(v->got, 3 * MIB / 2);
	assert_int_equal(stream_shutdown(v->near, NULL), 0);
	loop_sim_advance(w->loop, 0);
	assert_int_equal(stream_read(v->far, noise, 1, NULL), 0);
	v = add(w, w->service, UINT64_MAX, false);
	loop_sim_advance(w->loop, USEC_PER_S);
	stream_reset(TAKE(v->far));
	loop_sim_advance(w->loop, USEC_PER_S);
	assert_int_equal(v->broken, -ERR_RESET);
	v = add(w, w->service, UINT64_MAX, true);
	loop_sim_advance(w->loop, USEC_PER_S);
	stream_reset(TAKE(v->far));
	loop_sim_advance(w->loop, USEC_PER_S);
	assert_int_equal(v->broken, -ERR_RESET);
	stop(w);
}

/* Visitors come and go while others wait: the cap is used all the time. */
static void those_who_leave_free_their_place(void **state)
{
	struct world world, *w = &world;
	uint64_t gone = 0;

	start(w, 4 * MIB, MIB);
	for (int i = 0; i < STREAMS; i++)
		add(w, w->service, UINT64_MAX, false);
	for (int i = 0; i < STREAMS - 1; i++) {
		loop_sim_advance(w->loop, 100 * USEC_PER_MS);
		gone = sum(w);
		leave(&w->visitors[i]);
	}
	assert_about(gone, MIB * (STREAMS - 1) / 10, 8);
	loop_sim_advance(w->loop, USEC_PER_S);
	assert_about(sum(w) - gone, MIB, 4);
	stop(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(caps_and_shares),
		cmocka_unit_test(services_share_the_line),
		cmocka_unit_test(directions_do_not_share),
		cmocka_unit_test(a_page_view_does_not_starve),
		cmocka_unit_test(the_idle_take_nothing),
		cmocka_unit_test(below_the_cap_it_is_not_felt),
		cmocka_unit_test(the_rate_may_change),
		cmocka_unit_test(ends_and_resets_come_through),
		cmocka_unit_test(those_who_leave_free_their_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
