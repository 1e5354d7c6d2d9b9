/* On the virtual clock, over streams in memory. */
#include "test.h"

#include "front/linger.h"
#include "net/mem.h"

static struct loop *loop;
static struct front_linger linger;
static unsigned gone;
static uint16_t last_gone; /* its port tells which */

static void on_gone(void *arg, const struct ipaddr *peer)
{
	gone++;
	last_gone = peer->port;
}

static int set_up(void **state)
{
	if (loop_new_sim(&loop, NULL) < 0)
		return -1;
	front_linger_init(&linger, loop, on_gone, NULL);
	gone = 0;
	return 0;
}

static int tear_down(void **state)
{
	front_linger_done(&linger);
	loop_sim_advance(loop, 0);
	loop_free(loop);
	return 0;
}

/* Let the other end of a pair linger with that word; returns ours. */
static struct stream *add(uint16_t number, size_t buffer_max, const void *word, size_t len)
{
	struct ipaddr peer = {.family = 4, .port = number};
	struct stream *here, *there;
	struct buf b;

	assert_int_equal(mem_pair_new(loop, buffer_max, &here, &there, NULL), 0);
	buf_init(&b, 0);
	assert_int_equal(buf_append(&b, word, len), 0);
	front_linger_add(&linger, there, &peer, &b);
	assert_int_equal(buf_len(&b), 0);
	return here;
}

static void waits_for_the_other_end(void **state)
{
	struct stream *here = add(1, 0, "bye", 3);
	char bytes[8];

	loop_sim_advance(loop, USEC_PER_S);
	assert_int_equal(gone, 0);
	assert_int_equal(stream_read(here, bytes, sizeof(bytes), NULL), 3);
	assert_memory_equal(bytes, "bye", 3);
	loop_sim_advance(loop, 0);
	assert_int_equal(stream_read(here, bytes, sizeof(bytes), NULL), 0); /* its end */
	assert_int_equal(stream_write(here, "more", 4, NULL), 4);
	loop_sim_advance(loop, 0);
	assert_int_equal(gone, 0);
	stream_close(here);
	loop_sim_advance(loop, 0);
	assert_int_equal(gone, 1);
}

static void not_longer_than_five_seconds(void **state)
{
	struct stream *first = add(1, 0, "bye", 3), *second;

	loop_sim_advance(loop, 2 * USEC_PER_S);
	second = add(2, 0, "bye", 3);
	loop_sim_advance(loop, 3 * USEC_PER_S + 1);
	assert_int_equal(gone, 1);
	assert_int_equal(last_gone, 1);
	loop_sim_advance(loop, 2 * USEC_PER_S + 1);
	assert_int_equal(gone, 2);
	stream_close(first);
	stream_close(second);
}

static void a_slow_reader_gets_it_all(void **state)
{
	static char word[10000], got[sizeof(word)];
	struct stream *here;
	size_t n = 0;

	memset(word, 'x', sizeof(word));
	word[sizeof(word) - 1] = 'y';
	here = add(1, 1000, word, sizeof(word));
	for (int i = 0; i < 100 && n < sizeof(got); i++) {
		ssize_t r = stream_read(here, got + n, 700, NULL);

		n += r > 0 ? (size_t)r : 0;
		loop_sim_advance(loop, USEC_PER_MS);
	}
	assert_int_equal(n, sizeof(word));
	assert_memory_equal(got, word, n);
	stream_close(here);
	loop_sim_advance(loop, 0);
	assert_int_equal(gone, 1);
}

static void does_not_drain_for_ever(void **state)
{
	static char flood[32 * 1024];
	struct stream *here = add(1, 0, "bye", 3);
	size_t sent = 0;

	while (gone == 0 && sent < 2 * FRONT_LINGER_DRAIN_MAX) {
		ssize_t r = stream_write(here, flood, sizeof(flood), NULL);

		sent += r > 0 ? (size_t)r : 0;
		loop_sim_advance(loop, 0);
	}
	assert_int_equal(gone, 1);
	assert_in_range(sent, FRONT_LINGER_DRAIN_MAX, FRONT_LINGER_DRAIN_MAX + 4 * sizeof(flood));
	stream_close(here);
}

static void when_full_the_oldest_goes(void **state)
{
	static struct stream *here[FRONT_LINGER_MAX + 1];

	for (uint16_t i = 0; i < FRONT_LINGER_MAX; i++)
		here[i] = add(i, 0, "bye", 3);
	assert_int_equal(gone, 0);
	here[FRONT_LINGER_MAX] = add(FRONT_LINGER_MAX, 0, "bye", 3);
	assert_int_equal(gone, 1);
	assert_int_equal(last_gone, 0);
	assert_int_equal(linger.n, FRONT_LINGER_MAX);
	front_linger_done(&linger);
	assert_int_equal(gone, FRONT_LINGER_MAX + 1);
	for (size_t i = 0; i < ARRAY_LEN(here); i++)
		stream_close(here[i]);
}

static void a_broken_connection_goes_at_once(void **state)
{
	struct stream *here = add(1, 0, "bye", 3);

	stream_reset(here);
	loop_sim_advance(loop, 0);
	assert_int_equal(gone, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(waits_for_the_other_end),	 TEST(not_longer_than_five_seconds),
		TEST(a_slow_reader_gets_it_all), TEST(does_not_drain_for_ever),
		TEST(when_full_the_oldest_goes), TEST(a_broken_connection_goes_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
