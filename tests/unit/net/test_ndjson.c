#include "test.h"

#include <string.h>

#include "net/mem.h"
#include "net/ndjson.h"

/* ── bytes -> objects ── */

/* What came out, as compact JSON, one a line. */
struct got {
	struct buf text;
	int refuse_at; /* the n-th object is refused; 0: none */
	int n;
};

static int got_object(void *arg, json_t *object, struct err *e)
{
	struct got *got = arg;

	if (++got->n == got->refuse_at)
		return err_set(e, ERR_DENIED, "no");
	return ndjson_append(&got->text, object);
}

static void assert_got(struct got *got, const char *text)
{
	assert_true(str_eq(buf_str(&got->text), str_of(text)));
	buf_done(&got->text);
}

/* Feed all at once to a decoder of its own. */
static int feed_text(struct got *got, const char *text, size_t len, size_t max)
{
	struct ndjson n;
	struct err e = {0};
	int r;

	ndjson_init(&n, max);
	r = ndjson_feed(&n, text, len, got_object, got, &e);
	ndjson_done(&n);
	assert_int_equal(e.code, -r);
	assert_true(r == 0 || e.text[0]);
	return r;
}

static int feed(const char *text)
{
	struct got got = {0};
	int r = feed_text(&got, text, strlen(text), NDJSON_LINE_MAX);

	buf_done(&got.text);
	return r;
}

static void test_split_at_every_byte(void **state)
{
	static const char text[] =
		"{\"a\":1}\n\n \r\n{\"b\":[\"x\\ny\",{\"c\":\"\xc3\xa4\"}]}\r\n{}\n";
	static const char want[] = "{\"a\":1}\n{\"b\":[\"x\\ny\",{\"c\":\"\xc3\xa4\"}]}\n{}\n";

	for (size_t cut = 0; cut < sizeof(text); cut++) {
		struct got got = {0};
		struct ndjson n;

		ndjson_init(&n, NDJSON_LINE_MAX);
		assert_int_equal(ndjson_feed(&n, text, cut, got_object, &got, NULL), 0);
		assert_int_equal(
			ndjson_feed(&n, text + cut, sizeof(text) - 1 - cut, got_object, &got, NULL),
			0);
		assert_got(&got, want);
		ndjson_done(&n);
	}
}

static void test_byte_by_byte(void **state)
{
	static const char text[] = "{\"a\":1}\n{\"b\":2}\n";
	struct got got = {0};
	struct ndjson n;

	ndjson_init(&n, NDJSON_LINE_MAX);
	for (size_t i = 0; i < sizeof(text) - 1; i++)
		assert_int_equal(ndjson_feed(&n, text + i, 1, got_object, &got, NULL), 0);
	assert_null(n.line.bytes); /* nothing is kept between lines */
	assert_got(&got, text);
	ndjson_done(&n);
}

static void test_line_limit(void **state)
{
	struct got got = {0};
	struct ndjson n;

	assert_int_equal(feed_text(&got, "{\"a\":1}\n", 8, 7), 0);
	assert_int_equal(feed_text(&got, "{\"a\":12}\n", 9, 7), -ERR_LIMIT);
	assert_int_equal(feed_text(&got, "{\"a\":12}", 8, 7), -ERR_LIMIT); /* before its end */
	assert_got(&got, "{\"a\":1}\n");

	ndjson_init(&n, 7);
	assert_int_equal(ndjson_feed(&n, "{\"a\":", 5, got_object, &got, NULL), 0);
	assert_int_equal(ndjson_feed(&n, "12}\n", 4, got_object, &got, NULL), -ERR_LIMIT);
	ndjson_done(&n);
}

static void test_depth_limit(void **state)
{
	char text[128] = "{\"a\":";

	for (int arrays = 1; arrays <= NDJSON_DEPTH_MAX; arrays++) {
		char *at = text + 5;

		memset(at, '[', (size_t)arrays);
		memset(at + arrays, ']', (size_t)arrays);
		strcpy(at + 2 * arrays, "}\n");
		assert_int_equal(feed(text), arrays < NDJSON_DEPTH_MAX ? 0 : -ERR_INVALID);
	}
	/* brackets in strings are none, behind an escaped quotation mark too */
	assert_int_equal(feed("{\"a\":\"[[[[[[[[[[[[[[[[[[\\\"[[[[[[\",\"b\":\"\\\\\"}\n"), 0);
}

static void test_what_is_no_object(void **state)
{
	static const char *const bad[] = {
		"[]\n",
		"1\n",
		"\"text\"\n",
		"null\n",
		"{\n",
		"{}}\n",
		"{} {}\n",
		"{\"a\":1,\"a\":2}\n",
		"{\"a\":\"\\u0000\"}\n",
		"{\"a\":\"\xff\"}\n",
		"{\"a\":1e999}\n",
		"{\"a\":99999999999999999999}\n",
		"{'a':1}\n",
		"{\"a\":\"\x01\"}\n",
	};
	struct got got = {0};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(feed(bad[i]), -ERR_INVALID);
	assert_int_equal(feed_text(&got, "{\"a\":\"\0\"}\n", 10, 64), -ERR_INVALID);
	assert_int_equal(feed_text(&got, "{}\0\n", 4, 64), -ERR_INVALID);
	assert_int_equal(feed_text(&got, "\0\n", 2, 64), -ERR_INVALID);
	assert_int_equal(got.n, 0);
}

static void test_an_error_text_is_printable(void **state)
{
	struct got got = {0};
	struct err e = {0};
	struct ndjson n;

	ndjson_init(&n, 64);
	assert_int_equal(ndjson_feed(&n, "{\x1b[31m\n", 7, got_object, &got, &e), -ERR_INVALID);
	assert_null(strchr(e.text, '\x1b'));
	ndjson_done(&n);
}

static void test_a_refused_object_stops(void **state)
{
	struct got got = {.refuse_at = 2};

	assert_int_equal(feed_text(&got, "{}\n{}\n{}\n", 9, 64), -ERR_DENIED);
	assert_int_equal(got.n, 2);
	assert_got(&got, "{}\n");
}

static void test_append_limit(void **state)
{
	static char long_text[NDJSON_LINE_MAX];
	AUTO(buf_donep) struct buf b = {0};
	json_t *object;

	memset(long_text, 'x', sizeof(long_text));
	object = json_pack("{s:s#}", "a", long_text,
			   (int)(NDJSON_LINE_MAX - strlen("{\"a\":\"\"}")));
	assert_int_equal(ndjson_append(&b, object), 0);
	assert_int_equal(buf_len(&b), NDJSON_LINE_MAX + 1);
	json_decref(object);
	object = json_pack("{s:s#}", "a", long_text, (int)sizeof(long_text) - 1);
	assert_int_equal(ndjson_append(&b, object), -ERR_LIMIT);
	assert_int_equal(buf_len(&b), NDJSON_LINE_MAX + 1);
	json_decref(object);
}

/* ── over a stream ── */

struct world {
	struct loop *loop;
	struct ndjson_conn *conn;
	struct stream *peer;
	struct got got;
	bool free_in_object, answer, close_in_object;
	int closed;
	struct err why;
};

static int conn_got_object(void *arg, json_t *object, struct err *e)
{
	struct world *w = arg;

	if (w->free_in_object) {
		ndjson_conn_free(TAKE(w->conn));
		return 0;
	}
	if (w->answer)
		assert_int_equal(ndjson_conn_send(w->conn, object), 0);
	if (w->close_in_object)
		ndjson_conn_close_when_sent(w->conn);
	return got_object(&w->got, object, e);
}

static void conn_got_closed(void *arg, const struct err *why)
{
	struct world *w = arg;

	w->closed++;
	w->why = *why;
	ndjson_conn_free(TAKE(w->conn));
}

static const struct ndjson_conn_handler conn_handler = {conn_got_object, conn_got_closed};

static void world_init(struct world *w)
{
	struct stream *s;

	memset(w, 0, sizeof(*w));
	assert_int_equal(loop_new_sim(&w->loop, NULL), 0);
	assert_int_equal(mem_pair_new(w->loop, 0, &s, &w->peer, NULL), 0);
	assert_int_equal(ndjson_conn_new(s, &conn_handler, w, &w->conn, NULL), 0);
}

static void turn(struct world *w)
{
	loop_sim_advance(w->loop, 0);
}

static void world_done(struct world *w)
{
	stream_close(w->peer);
	ndjson_conn_free(w->conn);
	turn(w);
	buf_done(&w->got.text);
	loop_free(w->loop);
}

static void peer_puts(struct world *w, const char *text)
{
	assert_int_equal(stream_write(w->peer, text, strlen(text), NULL), strlen(text));
}

static void assert_peer_gets(struct world *w, const char *text)
{
	char got[256] = "";
	ssize_t n = stream_read(w->peer, got, sizeof(got) - 1, NULL);

	assert_int_equal(n, text[0] ? (ssize_t)strlen(text) : -ERR_AGAIN);
	assert_string_equal(got, text);
}

static void test_conn_talks(void **state)
{
	struct world w;
	json_t *object = json_pack("{s:i}", "hello", 1);

	world_init(&w);
	peer_puts(&w, "{\"early\":1}\n{\"ha"); /* before anybody looked */
	assert_int_equal(ndjson_conn_send(w.conn, object), 0);
	turn(&w);
	assert_peer_gets(&w, "{\"hello\":1}\n");
	peer_puts(&w, "lf\":2}\n");
	turn(&w);
	assert_got(&w.got, "{\"early\":1}\n{\"half\":2}\n");
	json_decref(object);
	world_done(&w);
	assert_int_equal(w.closed, 0);
}

static void test_conn_answers_a_peer_that_ended(void **state)
{
	struct world w;

	world_init(&w);
	w.answer = true;
	peer_puts(&w, "{\"q\":1}\n");
	assert_int_equal(stream_shutdown(w.peer, NULL), 0);
	turn(&w);
	assert_peer_gets(&w, "{\"q\":1}\n");
	assert_int_equal(w.closed, 1);
	assert_int_equal(w.why.code, 0);
	assert_string_equal(w.why.text, "closed by the other side");
	world_done(&w);
}

static void test_conn_ended_in_a_line(void **state)
{
	struct world w;

	world_init(&w);
	peer_puts(&w, "{\"q\":");
	assert_int_equal(stream_shutdown(w.peer, NULL), 0);
	turn(&w);
	assert_int_equal(w.closed, 1);
	assert_int_equal(w.why.code, ERR_RESET);
	world_done(&w);
}

static void test_conn_reset(void **state)
{
	struct world w;

	world_init(&w);
	turn(&w);
	stream_reset(TAKE(w.peer));
	turn(&w);
	assert_int_equal(w.closed, 1);
	assert_int_equal(w.why.code, ERR_RESET);
	world_done(&w);
}

static void test_conn_refuses(void **state)
{
	struct world w;

	world_init(&w);
	w.got.refuse_at = 1;
	peer_puts(&w, "{}\n{}\n");
	turn(&w);
	assert_int_equal(w.closed, 1);
	assert_int_equal(w.why.code, ERR_DENIED);
	assert_string_equal(w.why.text, "no");
	assert_int_equal(w.got.n, 1);
	world_done(&w);

	world_init(&w);
	peer_puts(&w, "garbage\n");
	turn(&w);
	assert_int_equal(w.why.code, ERR_INVALID);
	world_done(&w);
}

static void test_conn_freed_in_its_handler(void **state)
{
	struct world w;

	world_init(&w);
	w.free_in_object = true;
	peer_puts(&w, "{}\n{}\n");
	turn(&w);
	assert_null(w.conn);
	assert_int_equal(w.closed, 0);
	world_done(&w);
}

static void test_conn_close_when_sent(void **state)
{
	struct world w;
	char byte;

	world_init(&w);
	w.answer = w.close_in_object = true;
	peer_puts(&w, "{\"last\":1}\n{\"late\":2}\n");
	turn(&w);
	assert_int_equal(w.got.n, 1);
	assert_int_equal(w.closed, 0); /* until the other side has ended too */
	assert_peer_gets(&w, "{\"last\":1}\n");
	assert_int_equal(stream_read(w.peer, &byte, 1, NULL), 0);
	assert_int_equal(stream_shutdown(w.peer, NULL), 0);
	turn(&w);
	assert_int_equal(w.closed, 1);
	assert_int_equal(w.why.code, 0);
	world_done(&w);
}

static void test_conn_close_is_not_waited_for_for_ever(void **state)
{
	struct world w;

	world_init(&w);
	ndjson_conn_close_when_sent(w.conn);
	turn(&w);
	assert_int_equal(w.closed, 0);
	loop_sim_advance(w.loop, 10 * USEC_PER_S);
	assert_int_equal(w.closed, 1);
	world_done(&w);
}

static void test_conn_slow_peer(void **state)
{
	static char long_text[NDJSON_LINE_MAX / 8];
	struct world w;
	json_t *object;
	size_t sent = 0, got = 0;

	memset(long_text, 'x', sizeof(long_text));
	object = json_pack("{s:s#}", "a", long_text, (int)sizeof(long_text));
	world_init(&w);
	for (; sent < 10; sent++)
		assert_int_equal(ndjson_conn_send(w.conn, object), 0);
	for (;;) { /* all of it arrives, in pieces */
		char bytes[5000];
		ssize_t n;

		turn(&w);
		n = stream_read(w.peer, bytes, sizeof(bytes), NULL);
		if (n < 0)
			break;
		got += (size_t)n;
	}
	assert_int_equal(got, 10 * (sizeof(long_text) + strlen("{\"a\":\"\"}\n")));
	for (int r = 0; r == 0; sent++) { /* then nothing is read any more */
		assert_true(sent < 100);
		r = ndjson_conn_send(w.conn, object);
		assert_true(r == 0 || r == -ERR_LIMIT);
	}
	turn(&w);
	assert_int_equal(w.closed, 1);
	assert_int_equal(w.why.code, ERR_LIMIT);
	json_decref(object);
	world_done(&w);
}

static void test_conn_many_messages_at_once(void **state)
{
	struct world w;

	world_init(&w);
	for (int i = 0; i < 6000; i++)
		peer_puts(&w, "{\"n\":1}\n");
	turn(&w);
	assert_int_equal(w.got.n, 6000);
	world_done(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_split_at_every_byte),
		cmocka_unit_test(test_byte_by_byte),
		cmocka_unit_test(test_line_limit),
		cmocka_unit_test(test_depth_limit),
		cmocka_unit_test(test_what_is_no_object),
		cmocka_unit_test(test_an_error_text_is_printable),
		cmocka_unit_test(test_a_refused_object_stops),
		cmocka_unit_test(test_append_limit),
		cmocka_unit_test(test_conn_talks),
		cmocka_unit_test(test_conn_answers_a_peer_that_ended),
		cmocka_unit_test(test_conn_ended_in_a_line),
		cmocka_unit_test(test_conn_reset),
		cmocka_unit_test(test_conn_refuses),
		cmocka_unit_test(test_conn_freed_in_its_handler),
		cmocka_unit_test(test_conn_close_when_sent),
		cmocka_unit_test(test_conn_close_is_not_waited_for_for_ever),
		cmocka_unit_test(test_conn_slow_peer),
		cmocka_unit_test(test_conn_many_messages_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
