#include "test.h"

#include <stdio.h>

#include "http/server.h"
#include "peer.h"

#define S(n) ((n)*USEC_PER_S)

/*
 * A server whose handler answers by target:
 *	/hello		"hello"
 *	/echo		the request's body, chunked
 *	/count		reads the body, answers with its length
 *	/big		BIG bytes with a length
 *	/endless	as many as are taken
 *	/short		promises more than it sends
 *	/ignore		answers without reading the body
 *	/wait		nothing
 *	/upgrade	101 and what comes back
 *	/farewell	101 and the end of our half; what comes is read when the test likes
 */
#define BIG ((size_t)300 * 1000)

struct world {
	struct loop *loop;
	struct http_server *server;
	struct http_exchange *x;
	struct peer peer;
	size_t made, read;
	bool body_ended;
	bool hold; /* do not read bodies */
	unsigned requests, endings, complete;
	unsigned status; /* of the last ending */
	uint64_t bytes_in, bytes_out;
	char targets[2048];
	bool closed;
};

static bool is(struct world *w, const char *target)
{
	return w->x && str_eq(http_exchange_head(w->x)->path, str_of(target));
}

static void send_text(struct world *w, const char *text)
{
	http_exchange_respond(w->x, 200, NULL, strlen(text));
	if (*text)
		http_exchange_write(w->x, text, strlen(text));
	http_exchange_finish(w->x);
}

static void make_bytes(uint8_t *to, size_t from, size_t n)
{
	for (size_t i = 0; i < n; i++)
		to[i] = (uint8_t)((from + i) * 31 >> 3);
}

static void make_big(struct world *w, size_t total)
{
	static uint8_t bytes[HTTP_WRITE_MAX];

	while (w->made < total && http_exchange_can_write(w->x)) {
		size_t n = MIN(sizeof(bytes), total - w->made);

		make_bytes(bytes, w->made, n);
		http_exchange_write(w->x, bytes, n);
		w->made += n;
	}
	if (w->made == total)
		http_exchange_finish(w->x);
}

static void echo(struct world *w)
{
	uint8_t bytes[1000];
	ssize_t n;

	while (!w->body_ended && http_exchange_can_write(w->x)) {
		n = http_exchange_read(w->x, bytes, sizeof(bytes));
		if (n < 0)
			return;
		if (n > 0)
			http_exchange_write(w->x, bytes, (size_t)n);
		w->body_ended = n == 0;
	}
	if (w->body_ended)
		http_exchange_finish(w->x);
}

static void count(struct world *w)
{
	uint8_t bytes[1000];
	char text[32];
	ssize_t n;

	while ((n = http_exchange_read(w->x, bytes, sizeof(bytes))) > 0)
		w->read += (size_t)n;
	if (n < 0)
		return;
	snprintf(text, sizeof(text), "%zu", w->read);
	send_text(w, text);
}

static void on_ready(void *arg, unsigned events)
{
	struct world *w = arg;

	if (is(w, "/big"))
		make_big(w, BIG);
	else if (is(w, "/endless"))
		make_big(w, SIZE_MAX);
	else if (is(w, "/echo") || is(w, "/upgrade"))
		echo(w);
	else if (is(w, "/count") && !w->hold)
		count(w);
}

static void on_request(void *arg, struct http_exchange *x)
{
	struct world *w = arg;
	AUTO(http_fields_donep) struct http_fields fields = {0};

	w->x = x;
	w->made = w->read = 0;
	w->body_ended = false;
	w->requests++;
	strncat(w->targets, http_exchange_head(x)->target.at, http_exchange_head(x)->target.len);
	strcat(w->targets, " ");
	if (is(w, "/hello") || is(w, "/ignore"))
		send_text(w, "hello");
	else if (is(w, "/empty"))
		send_text(w, "");
	else if (is(w, "/big"))
		http_exchange_respond(x, 200, NULL, BIG);
	else if (is(w, "/endless") || is(w, "/echo"))
		http_exchange_respond(x, 200, NULL, HTTP_LENGTH_UNKNOWN);
	else if (is(w, "/none"))
		http_exchange_respond(x, 204, NULL, 0), http_exchange_finish(x);
	else if (is(w, "/bad"))
		http_fields_add(&fields, STR("A"), STR("b\r\nc")),
			http_exchange_respond(x, 200, &fields, 0);
	else if (is(w, "/short")) {
		http_exchange_respond(x, 200, NULL, 10);
		http_exchange_write(x, "12345", 5);
		http_exchange_finish(x);
	} else if (is(w, "/upgrade") || is(w, "/farewell")) {
		http_fields_add(&fields, STR("Upgrade"), STR("echo"));
		http_exchange_upgrade(x, &fields);
		if (is(w, "/farewell"))
			http_exchange_finish(x);
	}
	on_ready(w, 0);
}

static void on_end(void *arg, const struct http_ending *ending)
{
	struct world *w = arg;

	w->x = NULL;
	w->endings++;
	w->complete += ending->complete;
	w->status = ending->status;
	w->bytes_in = ending->bytes_in;
	w->bytes_out = ending->bytes_out;
}

static void on_closed(void *arg)
{
	struct world *w = arg;

	assert_null(w->x);
	http_server_free(w->server);
	w->server = NULL;
	w->closed = true;
}

static const struct http_handler handler = {on_request, on_ready, on_end, on_closed};

static void world_init(struct world *w, size_t buffer_max)
{
	struct stream *a, *b;

	memset(w, 0, sizeof(*w));
	assert_int_equal(loop_new_sim(&w->loop, NULL), 0);
	assert_int_equal(mem_pair_new(w->loop, buffer_max, &a, &b, NULL), 0);
	peer_init(&w->peer, w->loop, a);
	assert_int_equal(http_server_new(w->loop, b, &handler, w, &w->server, NULL), 0);
}

static void run(struct world *w)
{
	loop_sim_advance(w->loop, 0);
}

static void world_done(struct world *w)
{
	peer_done(&w->peer);
	run(w);
	http_server_free(w->server);
	loop_free(w->loop);
}

static void say(struct world *w, const char *text)
{
	peer_send(&w->peer, text);
	run(w);
}

static void assert_ends_with(const char *text, const char *end)
{
	size_t a = strlen(text), b = strlen(end);

	if (a < b || strcmp(text + a - b, end) != 0)
		fail_msg("\"%s\" does not end with \"%s\"", text, end);
}

#define GET(target) "GET " target " HTTP/1.1\r\nHost: a\r\n\r\n"

/* ── requests and answers ── */

static void answers(void **state)
{
	static const struct {
		const char *request, *answer;
	} table[] = {
		{GET("/hello"), "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"},
		{GET("/empty"), "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"},
		{GET("/none"), "HTTP/1.1 204 No Content\r\n\r\n"},
		{"HEAD /hello HTTP/1.1\r\nHost: a\r\n\r\n",
		 "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"},
		{"HEAD /echo HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n"},
		{"GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
		 "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello"},
		{"GET /hello HTTP/1.0\r\n\r\n",
		 "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello"},
		{"GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
		 "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\nhello"},
		{"POST /echo HTTP/1.0\r\nContent-Length: 3\r\nConnection: keep-alive\r\n\r\nabc",
		 "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabc"},
		{"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
		 "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"},
		{"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
		 "2;x=y\r\nab\r\n1\r\nc\r\n0\r\nTrailer: dropped\r\n\r\n",
		 "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"},
		{"POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
		 "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n0"},
		{GET("/bad"), "HTTP/1.1 500 Internal Server Error\r\nContent-Type: text/plain\r\n"
			      "Content-Length: 26\r\nConnection: close\r\n\r\n"
			      "500 Internal Server Error\n"},
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct world w;

		world_init(&w, 0);
		say(&w, table[i].request);
		assert_string_equal(peer_got(&w.peer), table[i].answer);
		assert_int_equal(w.endings, 1);
		assert_int_equal(w.complete, 1);
		world_done(&w);
	}
}

static void refuses_bad_requests(void **state)
{
#define START	 "POST /count HTTP/1.1\r\nHost: a\r\n"
#define ZEROS64	 "0000000000000000000000000000000000000000000000000000000000000000"
#define ZEROS256 ZEROS64 ZEROS64 ZEROS64 ZEROS64
	static const struct {
		const char *request;
		unsigned status;
	} table[] = {
		{"\026\003\001", 400},
		{"garbage\r\n\r\n", 400},
		{"GET / HTTP/1.1\r\n\r\n", 400},
		{"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400},
		{"GET / HTTP/1.1\nHost: a\n\n", 400},
		{"GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505},
		{"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
		{"GET / HTTP/1.7\r\nHost: a\r\n\r\n", 400},
		{START "Content-Length: 1\r\nContent-Length: 1\r\n\r\nx", 400},
		{START "Content-Length: 1, 1\r\n\r\nx", 400},
		{START "Content-Length: +1\r\n\r\nx", 400},
		{START "Content-Length: 99999999999999999999\r\n\r\nx", 400},
		{START "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
		{START "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400},
		{START "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 400},
		{START "Transfer-Encoding:\v chunked\r\n\r\n0\r\n\r\n", 400},
		{START "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400},
		{START "A: b\r\n c\r\n\r\n", 400},
		{"POST /count HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
		/* bad bodies */
		{START "Transfer-Encoding: chunked\r\n\r\n0x1\r\nx\r\n0\r\n\r\n", 400},
		{START "Transfer-Encoding: chunked\r\n\r\n1\nx\r\n0\r\n\r\n", 400},
		{START "Transfer-Encoding: chunked\r\n\r\n1\r\nxyz0\r\n\r\n", 400},
		{START "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nx", 400},
		{START "Transfer-Encoding: chunked\r\n\r\n1;" ZEROS256 "\r\nx\r\n0\r\n\r\n", 400},
		{START "Transfer-Encoding: chunked\r\n\r\n" ZEROS256 "1\r\nx\r\n0\r\n\r\n", 400},
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct world w;
		char line[32];

		world_init(&w, 0);
		say(&w, table[i].request);
		snprintf(line, sizeof(line), "HTTP/1.1 %u ", table[i].status);
		if (!str_starts(str_of(peer_got(&w.peer)), str_of(line)))
			fail_msg("case %zu: %s", i, peer_got(&w.peer));
		assert_non_null(strstr(peer_got(&w.peer), "\r\nConnection: close\r\n"));
		assert_null(strstr(peer_got(&w.peer), "homeport"));
		assert_int_equal(w.endings, 1);
		assert_int_equal(w.status, table[i].status);
		assert_true(w.peer.eof);
		say(&w, GET("/hello")); /* not looked at any more */
		assert_int_equal(w.endings, 1);
		loop_sim_advance(w.loop, S(3));
		assert_true(w.closed);
		world_done(&w);
	}
}

static void limits_heads(void **state)
{
	struct world w;

	world_init(&w, 0);
	peer_send(&w.peer, "GET /");
	for (int i = 0; i < 40; i++) {
		char bytes[1000];

		memset(bytes, 'x', sizeof(bytes));
		peer_send_n(&w.peer, bytes, sizeof(bytes));
		run(&w);
	}
	assert_int_equal(w.status, 431);
	world_done(&w);

	world_init(&w, 0);
	peer_send(&w.peer, "GET / HTTP/1.1\r\nHost: a\r\n");
	for (int i = 0; i < HTTPHEAD_FIELDS_MAX; i++)
		peer_send(&w.peer, "A: b\r\n");
	say(&w, "\r\n");
	assert_int_equal(w.status, 431);
	world_done(&w);
}

/* Several requests in one go, cut in two at every place. */
static void pipelining_in_any_pieces(void **state)
{
	static const char text[] =
		GET("/hello") "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n12345"
			      "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
			      "3\r\nabc\r\n0\r\n\r\n"
			      "HEAD /hello HTTP/1.1\r\nHost: a\r\n\r\n"
			      "POST /ignore HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody"
			      "GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
			      "GET /never HTTP/1.1\r\nHost: a\r\n\r\n";
#define OK "HTTP/1.1 200 OK\r\n"
	for (size_t cut = 0; cut < sizeof(text); cut++) {
		struct world w;

		world_init(&w, 0);
		peer_send_n(&w.peer, text, cut);
		run(&w);
		peer_send_n(&w.peer, text + cut, sizeof(text) - 1 - cut);
		loop_sim_advance(w.loop, S(1));
		assert_string_equal(w.targets, "/hello /echo /echo /hello /ignore /hello ");
		/* the echo may come in other chunks */
		assert_true(str_starts(str_of(peer_got(&w.peer)),
				       STR(OK "Content-Length: 5\r\n\r\nhello" OK
					      "Transfer-Encoding: chunked\r\n\r\n")));
		assert_ends_with(peer_got(&w.peer),
				 "0\r\n\r\n" OK "Content-Length: 5\r\n\r\n" OK
				 "Content-Length: 5\r\n\r\nhello" OK
				 "Content-Length: 5\r\nConnection: close\r\n\r\nhello");
		assert_int_equal(w.complete, 6);
		assert_true(w.peer.eof);
		world_done(&w);
	}
}

static void many_requests_byte_by_byte(void **state)
{
	static const char text[] = GET("/hello");
	struct world w;

	world_init(&w, 0);
	for (int i = 0; i < 100; i++)
		peer_send(&w.peer, text);
	run(&w);
	assert_int_equal(w.complete, 100);
	for (const char *c = text; *c; c++) {
		peer_send_n(&w.peer, c, 1);
		run(&w);
	}
	assert_int_equal(w.complete, 101);
	world_done(&w);
}

/* ── bodies ── */

static void waits_for_the_visitor(void **state)
{
	struct world w;
	uint8_t *expected = malloc(BIG);
	const char *body;

	world_init(&w, 1000);
	w.peer.deaf = true;
	say(&w, GET("/big"));
	assert_true(w.made <= HTTP_WRITE_MAX + 1000); /* one piece, no more */
	loop_sim_advance(w.loop, S(30));
	w.peer.deaf = false;
	peer_run(&w.peer);
	run(&w);
	assert_int_equal(w.complete, 1);
	assert_int_equal(w.bytes_out, BIG);
	make_bytes(expected, 0, BIG);
	body = strstr(peer_got(&w.peer), "\r\n\r\n") + 4;
	assert_int_equal((const char *)w.peer.got.bytes + w.peer.got.tail - body, BIG);
	assert_memory_equal(body, expected, BIG);
	free(expected);
	world_done(&w);
}

static void body_is_read_only_when_wanted(void **state)
{
	struct world w;
	char bytes[5000];

	memset(bytes, 'x', sizeof(bytes));
	world_init(&w, 1000);
	w.hold = true;
	w.made = 0;
	say(&w, "POST /wait HTTP/1.1\r\nHost: a\r\nContent-Length: 50000\r\n\r\n");
	for (int i = 0; i < 10; i++)
		peer_send_n(&w.peer, bytes, sizeof(bytes));
	loop_sim_advance(w.loop, S(300)); /* our slowness is not the visitor's fault */
	assert_int_equal(w.requests, 1);
	assert_true(buf_len(&w.peer.to_send) >= 50000 - 1000 - 4096);
	assert_non_null(w.x);
	count(&w);
	run(&w);
	on_ready(&w, 0);
	world_done(&w);
}

static void asks_for_the_body_when_it_is_wanted(void **state)
{
	struct world w;

	world_init(&w, 0);
	say(&w, "POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n"
		"Expect: 100-continue\r\n\r\n");
	assert_string_equal(peer_got(&w.peer), "HTTP/1.1 100 Continue\r\n\r\n");
	say(&w, "abc" GET("/hello"));
	assert_int_equal(w.complete, 2);
	world_done(&w);

	/* not wanted: the answer at once, and the end */
	world_init(&w, 0);
	say(&w, "POST /ignore HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n"
		"Expect: 100-continue\r\n\r\n");
	assert_string_equal(peer_got(&w.peer), "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n"
					       "Connection: close\r\n\r\nhello");
	assert_true(w.peer.eof);
	say(&w, "abc" GET("/hello"));
	assert_int_equal(w.requests, 1);
	world_done(&w);
}

static void a_long_unwanted_body_ends_the_connection(void **state)
{
	struct world w;
	char bytes[10000];

	memset(bytes, 'x', sizeof(bytes));
	world_init(&w, 0);
	say(&w, "POST /ignore HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n");
	for (int i = 0; i < 10 && w.peer.s; i++) {
		peer_send_n(&w.peer, bytes, sizeof(bytes));
		run(&w);
	}
	assert_true(w.peer.eof);
	assert_int_equal(w.complete, 1);
	loop_sim_advance(w.loop, S(3));
	assert_true(w.closed);
	world_done(&w);
}

static void too_little_is_a_cut_connection(void **state)
{
	struct world w;

	world_init(&w, 0);
	say(&w, GET("/short"));
	assert_true(w.peer.reset);
	assert_int_equal(w.endings, 1);
	assert_int_equal(w.complete, 0);
	assert_true(w.closed);
	world_done(&w);
}

static void a_body_that_ends_early_is_refused(void **state)
{
	struct world w;

	world_init(&w, 0);
	w.peer.ends = true;
	say(&w, "POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345");
	assert_int_equal(w.status, 400);
	loop_sim_advance(w.loop, S(3));
	assert_true(w.closed);
	world_done(&w);
}

static void a_visitor_who_ended_his_half_is_answered(void **state)
{
	struct world w;

	world_init(&w, 0);
	w.peer.ends = true;
	say(&w, GET("/hello") GET("/hello"));
	assert_int_equal(w.complete, 2);
	assert_true(w.peer.eof && !w.peer.reset);
	assert_true(w.closed);
	world_done(&w);
}

/* ── upgrades ── */

#define UPGRADE "GET /upgrade HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"

static void upgrades_to_raw_bytes(void **state)
{
	struct world w;

	world_init(&w, 0);
	say(&w, UPGRADE "early");
	assert_string_equal(peer_got(&w.peer),
			    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\n"
			    "Connection: Upgrade\r\n\r\nearly");
	peer_forget(&w.peer);
	say(&w, "one");
	loop_sim_advance(w.loop, S(100000)); /* silence is fine */
	say(&w, GET("/"));
	assert_string_equal(peer_got(&w.peer), "one" GET("/"));
	w.peer.ends = true;
	say(&w, "last");
	assert_ends_with(peer_got(&w.peer), "last");
	assert_true(w.peer.eof);
	assert_int_equal(w.complete, 1);
	assert_int_equal(w.status, 101);
	assert_int_equal(w.bytes_in, w.bytes_out);
	assert_true(w.closed);
	world_done(&w);
}

/* As the local side of a WebSocket does: it ends its half first, and the handler learns of the
 * visitor's end in his own time. */
static void our_half_of_raw_bytes_ends_first(void **state)
{
	uint8_t bytes[16];
	struct world w;

	world_init(&w, 0);
	say(&w,
	    "GET /farewell HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n");
	assert_true(w.peer.eof);
	assert_int_equal(http_exchange_read(w.x, bytes, sizeof(bytes)), -ERR_AGAIN);
	w.peer.ends = true;
	say(&w, "last");
	assert_int_equal(http_exchange_read(w.x, bytes, sizeof(bytes)), 4);
	run(&w);
	assert_int_equal(http_exchange_read(w.x, bytes, sizeof(bytes)), 0);
	run(&w);
	assert_int_equal(w.complete, 1);
	assert_int_equal(w.status, 101);
	assert_true(w.closed);
	world_done(&w);
}

/* ── deadlines ── */

static void deadlines(void **state)
{
	struct world w;

	world_init(&w, 0); /* silence */
	loop_sim_advance(w.loop, HTTP_SERVER_IDLE_TIMEOUT - 1);
	assert_false(w.closed);
	loop_sim_advance(w.loop, 1);
	assert_true(w.closed);
	assert_int_equal(w.endings, 0);
	world_done(&w);

	world_init(&w, 0); /* a head, drop by drop */
	for (int i = 0; i < 9; i++) {
		say(&w, i ? "A: b\r\n" : "GET / HTTP/1.1\r\n");
		loop_sim_advance(w.loop, S(1));
	}
	assert_int_equal(w.endings, 0);
	loop_sim_advance(w.loop, S(1));
	assert_int_equal(w.status, 408);
	assert_true(str_starts(str_of(peer_got(&w.peer)), STR("HTTP/1.1 408 ")));
	loop_sim_advance(w.loop, S(3));
	assert_true(w.closed);
	world_done(&w);

	world_init(&w, 0); /* a body that stalls; every byte counts as progress */
	say(&w, "POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n1");
	for (int i = 0; i < 5; i++) {
		loop_sim_advance(w.loop, HTTP_SERVER_STALL_TIMEOUT - 1);
		say(&w, "x");
	}
	assert_int_equal(w.endings, 0);
	loop_sim_advance(w.loop, HTTP_SERVER_STALL_TIMEOUT);
	assert_int_equal(w.status, 408);
	world_done(&w);

	world_init(&w, 1000); /* a visitor who stops reading */
	w.peer.deaf = true;
	say(&w, GET("/endless"));
	loop_sim_advance(w.loop, HTTP_SERVER_STALL_TIMEOUT - 1);
	assert_false(w.closed);
	loop_sim_advance(w.loop, 1);
	assert_true(w.closed);
	assert_int_equal(w.complete, 0);
	world_done(&w);

	world_init(&w, 0); /* ours to be slow: no deadline */
	say(&w, GET("/wait"));
	loop_sim_advance(w.loop, S(100000));
	assert_false(w.closed);
	world_done(&w);
}

/* ── going away ── */

static void retires_when_idle_or_answered(void **state)
{
	struct world w;

	world_init(&w, 0);
	say(&w, GET("/hello"));
	http_server_retire(w.server);
	run(&w);
	assert_true(w.closed && w.peer.eof);
	world_done(&w);

	world_init(&w, 0);
	say(&w, GET("/wait"));
	http_server_retire(w.server);
	run(&w);
	assert_false(w.closed);
	http_exchange_close_after(w.x);
	send_text(&w, "done");
	run(&w);
	assert_ends_with(peer_got(&w.peer), "Connection: close\r\n\r\ndone");
	assert_true(w.peer.eof);
	world_done(&w);
}

/* The visitor goes away, or the server is freed, behind every byte. */
static void may_end_at_any_byte(void **state)
{
	static const char *const scripts[] = {
		GET("/hello") GET("/big") GET("/hello"),
		"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
		"3\r\nabc\r\n0\r\n\r\n" GET("/wait"),
		"POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n"
		"Expect: 100-continue\r\n\r\n12345" GET("/endless"),
		UPGRADE "12345",
		"POST /ignore HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n12345",
		"bad\r\n\r\nmore",
	};

	for (size_t i = 0; i < ARRAY_LEN(scripts); i++)
		for (size_t cut = 0; cut <= strlen(scripts[i]); cut++)
			for (int how = 0; how < 4; how++) {
				struct world w;

				world_init(&w, how & 1 ? 100 : 0);
				w.peer.deaf = strstr(scripts[i], "endless");
				peer_send_n(&w.peer, scripts[i], cut);
				run(&w);
				if (how < 2) {
					peer_reset(&w.peer);
					loop_sim_advance(w.loop, S(200));
					assert_true(w.closed);
					assert_int_equal(w.endings >= w.requests, 1);
				}
				world_done(&w);
			}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers),
		cmocka_unit_test(refuses_bad_requests),
		cmocka_unit_test(limits_heads),
		cmocka_unit_test(pipelining_in_any_pieces),
		cmocka_unit_test(many_requests_byte_by_byte),
		cmocka_unit_test(waits_for_the_visitor),
		cmocka_unit_test(body_is_read_only_when_wanted),
		cmocka_unit_test(asks_for_the_body_when_it_is_wanted),
		cmocka_unit_test(a_long_unwanted_body_ends_the_connection),
		cmocka_unit_test(too_little_is_a_cut_connection),
		cmocka_unit_test(a_body_that_ends_early_is_refused),
		cmocka_unit_test(a_visitor_who_ended_his_half_is_answered),
		cmocka_unit_test(upgrades_to_raw_bytes),
		cmocka_unit_test(our_half_of_raw_bytes_ends_first),
		cmocka_unit_test(deadlines),
		cmocka_unit_test(retires_when_idle_or_answered),
		cmocka_unit_test(may_end_at_any_byte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
