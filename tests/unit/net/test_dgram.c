#include "test.h"

#include <string.h>

#include "net/dgram.h"

struct world {
	struct loop *loop;
	struct stream *s;
	unsigned told; /* readable, to the user */
	unsigned sent, batches, closed;
	struct buf got; /* all datagrams sent, each behind its length */
};

static void on_ready(void *arg, unsigned events)
{
	struct world *w = arg;

	assert_int_equal(events, STREAM_READABLE);
	w->told++;
}

static void on_send(void *arg, const struct iovec *list, unsigned n)
{
	struct world *w = arg;

	assert_in_range(n, 1, DGRAM_BATCH_MAX);
	w->batches++;
	for (unsigned i = 0; i < n; i++, w->sent++) {
		uint32_t len = (uint32_t)list[i].iov_len;

		assert_int_equal(buf_append(&w->got, &len, sizeof(len)), 0);
		assert_int_equal(buf_append(&w->got, list[i].iov_base, len), 0);
	}
}

static void on_closed(void *arg)
{
	((struct world *)arg)->closed++;
}

static const struct dgram_handler handler = {.send = on_send, .closed = on_closed};

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_int_equal(loop_new_sim(&w->loop, NULL), 0);
	assert_int_equal(dgram_stream_new(w->loop, &handler, w, &w->s, NULL), 0);
	stream_set_handler(w->s, on_ready, w);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	stream_close(w->s);
	buf_done(&w->got);
	loop_free(w->loop);
	free(w);
	return 0;
}

static ssize_t read_some(struct world *w, void *bytes, size_t len)
{
	return stream_read(w->s, bytes, len, NULL);
}

static void assert_got(struct world *w, const void *bytes, uint32_t len)
{
	uint32_t n;

	assert_true(buf_len(&w->got) >= sizeof(n) + len);
	memcpy(&n, buf_head(&w->got), sizeof(n));
	assert_int_equal(n, len);
	buf_consume(&w->got, sizeof(n));
	if (len)
		assert_memory_equal(buf_head(&w->got), bytes, len);
	buf_consume(&w->got, len);
}

static void push_and_read(void **state)
{
	static const uint8_t wanted[] = {0, 6, 0, 'h', 'e', 'l', 'l', 'o', 0, 1, 0};
	struct world *w = *state;
	uint8_t bytes[64];

	assert_int_equal(read_some(w, bytes, sizeof(bytes)), -ERR_AGAIN);
	assert_true(dgram_stream_push(w->s, "hello", 5));
	assert_true(dgram_stream_push(w->s, NULL, 0));
	assert_int_equal(w->told, 0);
	loop_sim_advance(w->loop, 0);
	assert_int_equal(w->told, 1);
	assert_int_equal(read_some(w, bytes, 4), 4);
	assert_int_equal(read_some(w, bytes + 4, sizeof(bytes) - 4), sizeof(wanted) - 4);
	assert_memory_equal(bytes, wanted, sizeof(wanted));
	loop_sim_advance(w->loop, 0);
	assert_int_equal(w->told, 1);
}

/* Nobody reads: one datagram of full size fits, or many small ones; the rest is lost. */
static void full_queue(void **state)
{
	struct world *w = *state;
	uint8_t *bytes = calloc(2, CAPSULE_DATAGRAM_MAX);
	unsigned n = 0;

	assert_true(dgram_stream_push(w->s, bytes, CAPSULE_DATAGRAM_MAX));
	assert_false(dgram_stream_push(w->s, bytes, 0));
	assert_int_equal(dgram_stream_dropped(w->s), 1);
	assert_int_equal(read_some(w, bytes, 2 * CAPSULE_DATAGRAM_MAX), DGRAM_QUEUE_MAX);
	assert_false(dgram_stream_push(w->s, bytes, CAPSULE_DATAGRAM_MAX + 1));
	while (dgram_stream_push(w->s, bytes, 1200))
		n++;
	assert_int_equal(n, DGRAM_QUEUE_MAX / 1204);
	assert_int_equal(dgram_stream_dropped(w->s), 3);
	free(bytes);
}

static void written_however_cut(void **state)
{
	struct world *w = *state;
	size_t large = 40000, len = 0;
	uint8_t *bytes = malloc(large), *stream = malloc(3 * large);

	for (size_t i = 0; i < large; i++)
		bytes[i] = (uint8_t)(i * 7 + i / 256);
	for (int i = 0; i < 2; i++) {
		len += capsule_encode_head(stream + len, large);
		memcpy(stream + len, bytes, large);
		len += large;
	}
	len += capsule_encode_head(stream + len, 0);
	for (size_t step = 1; step <= 2 * len; step = step * 5 + 1) {
		for (size_t at = 0; at < len; at += MIN(step, len - at)) {
			ssize_t n = (ssize_t)MIN(step, len - at);

			assert_int_equal(stream_write(w->s, stream + at, (size_t)n, NULL), n);
		}
		assert_got(w, bytes, (uint32_t)large);
		assert_got(w, bytes, (uint32_t)large);
		assert_got(w, NULL, 0);
		assert_int_equal(buf_len(&w->got), 0);
	}
	assert_int_equal(dgram_stream_dropped(w->s), 0);
	free(stream);
	free(bytes);
}

/* What comes whole in one write leaves in batches. */
static void batches(void **state)
{
	struct world *w = *state;
	struct buf stream = {0};
	uint8_t head[CAPSULE_HEAD_MAX];

	for (int i = 0; i < DGRAM_BATCH_MAX + 1; i++) {
		assert_int_equal(buf_append(&stream, head, capsule_encode_head(head, 2)), 0);
		assert_int_equal(buf_append(&stream, "ab", 2), 0);
	}
	assert_int_equal(stream_write(w->s, buf_head(&stream), buf_len(&stream), NULL),
			 buf_len(&stream));
	assert_int_equal(w->sent, DGRAM_BATCH_MAX + 1);
	assert_int_equal(w->batches, 2);
	buf_done(&stream);
}

static void not_a_capsule(void **state)
{
	struct world *w = *state;

	assert_int_equal(stream_write(w->s, "\0\2\0x\0\0", 6, NULL), -ERR_INVALID);
	assert_got(w, "x", 1);
}

/* The user's other half is over: so is this one, behind what is queued. */
static void shut_down(void **state)
{
	struct world *w = *state;
	uint8_t bytes[64];

	assert_int_equal(read_some(w, bytes, sizeof(bytes)), -ERR_AGAIN);
	assert_true(dgram_stream_push(w->s, "x", 1));
	assert_int_equal(stream_shutdown(w->s, NULL), 0);
	assert_false(dgram_stream_push(w->s, "y", 1));
	loop_sim_advance(w->loop, 0);
	assert_int_equal(w->told, 1);
	assert_int_equal(read_some(w, bytes, sizeof(bytes)), 4);
	loop_sim_advance(w->loop, 0);
	assert_int_equal(w->told, 2);
	assert_int_equal(read_some(w, bytes, sizeof(bytes)), 0);
	stream_close(TAKE(w->s));
	assert_int_equal(w->closed, 1);
}

static void owner_goes(void **state)
{
	struct world *w = *state;
	uint8_t bytes[64];

	assert_true(dgram_stream_push(w->s, "lost", 4));
	dgram_stream_end(w->s);
	assert_int_equal(read_some(w, bytes, sizeof(bytes)), 0);
	assert_int_equal(stream_write(w->s, "\0\2\0x", 4, NULL), 4);
	assert_int_equal(w->sent, 0);
	stream_close(TAKE(w->s));
	assert_int_equal(w->closed, 0);
}

/* A capsule of which a part was read cannot end well. */
static void owner_goes_in_the_middle(void **state)
{
	struct world *w = *state;
	uint8_t bytes[64];

	assert_true(dgram_stream_push(w->s, "hello", 5));
	assert_true(dgram_stream_push(w->s, "again", 5));
	assert_int_equal(read_some(w, bytes, 10), 10);
	assert_true(dgram_stream_push(w->s, "third", 5));
	dgram_stream_end(w->s);
	assert_int_equal(read_some(w, bytes, sizeof(bytes)), -ERR_RESET);
}

static void owner_goes_between_two(void **state)
{
	struct world *w = *state;
	uint8_t bytes[64];

	assert_true(dgram_stream_push(w->s, "hello", 5));
	assert_true(dgram_stream_push(w->s, "again", 5));
	assert_int_equal(read_some(w, bytes, 8), 8);
	dgram_stream_end(w->s);
	assert_int_equal(read_some(w, bytes, sizeof(bytes)), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(push_and_read),
		TEST(full_queue),
		TEST(written_however_cut),
		TEST(batches),
		TEST(not_a_capsule),
		TEST(shut_down),
		TEST(owner_goes),
		TEST(owner_goes_in_the_middle),
		TEST(owner_goes_between_two),
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
