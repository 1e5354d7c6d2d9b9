#include "test.h"

#include <stdio.h>

#include "http/client.h"
#include "peer.h"

/* A client under test; the peer plays the local server. */
struct world {
	struct loop *loop;
	struct http_client *client;
	struct peer peer;
	unsigned heads, status; /* of the last head */
	char statuses[128];
	struct buf body;
	size_t to_send; /* bytes of the request's body still to be written */
	bool sending;	/* finish is due when to_send is 0 */
	bool hold;	/* do not read */
	bool body_ended, failed;
	struct err error;
};

static void pump(struct world *w)
{
	uint8_t bytes[HTTP_WRITE_MAX];
	ssize_t n;

	while (w->sending && http_client_can_write(w->client)) {
		n = (ssize_t)MIN(w->to_send, sizeof(bytes));
		memset(bytes, 'x', sizeof(bytes));
		if (n > 0)
			http_client_write(w->client, bytes, (size_t)n);
		w->to_send -= (size_t)n;
		if (w->to_send == 0) {
			w->sending = false;
			http_client_finish(w->client);
		}
	}
	while (!w->hold && !w->body_ended && w->status >= 101) {
		n = http_client_read(w->client, bytes, 1000);
		if (n > 0)
			assert_int_equal(buf_append(&w->body, bytes, (size_t)n), 0);
		w->body_ended = n == 0;
		if (n <= 0)
			break;
	}
}

static void on_response(void *arg, const struct http_response *r)
{
	struct world *w = arg;

	w->heads++;
	w->status = r->status;
	snprintf(w->statuses + strlen(w->statuses), 16, "%u ", r->status);
	if (r->status == 100)
		w->sending = true;
	pump(w);
}

static void on_ready(void *arg, unsigned events)
{
	pump(arg);
}

static void on_failed(void *arg, int r, const struct err *e)
{
	struct world *w = arg;

	assert_false(w->failed);
	w->failed = true;
	w->error = *e;
}

static const struct http_client_handler handler = {on_response, on_ready, on_failed};

static void world_init(struct world *w, size_t buffer_max)
{
	struct stream *a, *b;

	memset(w, 0, sizeof(*w));
	assert_int_equal(loop_new_sim(&w->loop, NULL), 0);
	assert_int_equal(mem_pair_new(w->loop, buffer_max, &a, &b, NULL), 0);
	peer_init(&w->peer, w->loop, a);
	assert_int_equal(http_client_new(w->loop, b, &handler, w, &w->client, NULL), 0);
	peer_run(&w->peer);
}

static void run(struct world *w)
{
	loop_sim_advance(w->loop, 0);
}

static void world_done(struct world *w)
{
	peer_done(&w->peer);
	run(w);
	http_client_free(w->client);
	loop_free(w->loop);
	buf_done(&w->body);
}

static void say(struct world *w, const char *text)
{
	peer_send(&w->peer, text);
	run(w);
}

#define GET "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

static void ask(struct world *w, enum http_body body, uint64_t length, unsigned flags)
{
	w->status = 0;
	w->body_ended = false;
	buf_consume(&w->body, buf_len(&w->body));
	assert_int_equal(http_client_request(w->client, STR(GET), body, length, flags), 0);
	run(w);
}

static bool body_is(struct world *w, const char *text)
{
	return buf_len(&w->body) == strlen(text) &&
	       (*text == 0 || memcmp(buf_head(&w->body), text, strlen(text)) == 0);
}

/* Answers of every framing, cut in two at every byte, and whether the connection can go on. */
static void reads_answers_in_any_pieces(void **state)
{
	static const struct {
		const char *text;
		unsigned flags;
		bool end;
		const char *statuses, *body;
		bool reusable;
	} table[] = {
		{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 0, false, "200 ", "hello",
		 true},
		{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello", 0, false,
		 "200 ", "hello", false},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n"
		 "0\r\nX: y\r\n\r\n",
		 0, false, "200 ", "hello", true},
		{"HTTP/1.1 200 OK\r\n\r\nhello", 0, true, "200 ", "hello", false},
		{"HTTP/1.0 200 OK\r\n\r\nhello", 0, true, "200 ", "hello", false},
		{"HTTP/1.1 204 OK\r\n\r\n", 0, false, "204 ", "", true},
		{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", HTTP_CLIENT_HEAD, false, "200 ",
		 "", true},
		{"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
		 "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno",
		 0, false, "100 103 404 ", "no", true},
		{"HTTP/1.1 101 Ok\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nraw",
		 HTTP_CLIENT_UPGRADE, true, "101 ", "raw", false},
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		for (size_t cut = 0; cut <= strlen(table[i].text); cut++) {
			struct world w;

			world_init(&w, 0);
			ask(&w, HTTP_BODY_NONE, 0, table[i].flags);
			assert_string_equal(peer_got(&w.peer), GET);
			peer_send_n(&w.peer, table[i].text, cut);
			run(&w);
			w.peer.ends = table[i].end;
			say(&w, table[i].text + cut);
			pump(&w);
			run(&w);
			assert_string_equal(w.statuses, table[i].statuses);
			assert_true(w.body_ended);
			assert_true(body_is(&w, table[i].body));
			assert_false(w.failed);
			assert_int_equal(http_client_reusable(w.client), table[i].reusable);
			if (table[i].reusable) {
				ask(&w, HTTP_BODY_NONE, 0, 0);
				say(&w, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
				assert_int_equal(w.status, 200);
			}
			world_done(&w);
		}
}

static void says_what_is_wrong(void **state)
{
	static const struct {
		const char *text;
		bool end;
		int code;
	} table[] = {
		{"", true, ERR_RESET},
		{"HTTP/1.1 200 OK\r\nContent-Le", true, ERR_RESET},
		{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", true, ERR_RESET},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n", true,
		 ERR_RESET},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nhello", false, ERR_INVALID},
		{"SSH-2.0-OpenSSH\r\n", false, ERR_INVALID},
		{"\025\003\003\000\002\002\050", false, ERR_INVALID},
		{"HTTP/1.1 101 Ok\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", false,
		 ERR_INVALID},
		{"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 unasked\r\n", false,
		 ERR_INVALID},
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct world w;

		world_init(&w, 0);
		ask(&w, HTTP_BODY_NONE, 0, 0);
		w.peer.ends = table[i].end;
		say(&w, table[i].text);
		if (!w.failed || w.error.code != table[i].code)
			fail_msg("case %zu: %d %s", i, w.error.code, w.error.text);
		assert_false(http_client_reusable(w.client));
		world_done(&w);
	}
}

static void counts_informational_answers(void **state)
{
	struct world w;

	world_init(&w, 0);
	ask(&w, HTTP_BODY_NONE, 0, 0);
	for (int i = 0; i <= HTTP_CLIENT_INFORMS_MAX; i++)
		say(&w, "HTTP/1.1 103 x\r\n\r\n");
	assert_true(w.failed);
	assert_int_equal(w.error.code, ERR_LIMIT);
	world_done(&w);
}

static void sends_bodies_as_they_are_taken(void **state)
{
	struct world w;

	world_init(&w, 1000);
	w.peer.deaf = true;
	w.to_send = 100000;
	w.sending = true;
	ask(&w, HTTP_BODY_LENGTH, 100000, 0);
	pump(&w);
	run(&w);
	assert_true(w.to_send >= 100000 - HTTP_WRITE_MAX);
	w.peer.deaf = false;
	peer_run(&w.peer);
	run(&w);
	assert_int_equal(w.to_send, 0);
	assert_int_equal(buf_len(&w.peer.got), strlen(GET) + 100000);
	say(&w, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	assert_true(http_client_reusable(w.client));
	peer_forget(&w.peer);

	w.to_send = 3;
	w.sending = true;
	ask(&w, HTTP_BODY_CHUNKED, 0, 0);
	pump(&w);
	run(&w);
	assert_string_equal(peer_got(&w.peer), GET "3\r\nxxx\r\n0\r\n\r\n");
	world_done(&w);
}

static void an_early_answer_does_not_free_the_connection(void **state)
{
	struct world w;

	world_init(&w, 0);
	ask(&w, HTTP_BODY_LENGTH, 10, 0);
	say(&w, "HTTP/1.1 413 no\r\nContent-Length: 0\r\n\r\n");
	assert_true(w.body_ended);
	assert_false(http_client_reusable(w.client));
	w.to_send = 10;
	w.sending = true;
	pump(&w);
	run(&w);
	assert_true(http_client_reusable(w.client));
	world_done(&w);
}

static void reads_only_what_is_wanted(void **state)
{
	struct world w;
	char bytes[10000];

	memset(bytes, 'y', sizeof(bytes));
	world_init(&w, 1000);
	w.hold = true;
	ask(&w, HTTP_BODY_NONE, 0, 0);
	say(&w, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
	for (int i = 0; i < 10; i++)
		peer_send_n(&w.peer, bytes, sizeof(bytes));
	run(&w);
	assert_true(buf_len(&w.peer.to_send) >= 100000 - 20 * 1024);
	w.hold = false;
	pump(&w);
	run(&w);
	assert_int_equal(buf_len(&w.body), 100000);
	assert_true(http_client_reusable(w.client));
	world_done(&w);
}

static void raw_halves_end_on_their_own(void **state)
{
	struct world w;

	world_init(&w, 0);
	ask(&w, HTTP_BODY_NONE, 0, HTTP_CLIENT_UPGRADE);
	say(&w, "HTTP/1.1 101 Ok\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n");
	peer_forget(&w.peer);
	http_client_write(w.client, "ping", 4);
	http_client_finish(w.client);
	run(&w);
	assert_string_equal(peer_got(&w.peer), "ping");
	assert_true(w.peer.eof);
	w.peer.ends = true;
	say(&w, "pong");
	assert_true(body_is(&w, "pong"));
	assert_true(w.body_ended);
	assert_false(w.failed);
	world_done(&w);
}

static void notices_that_an_idle_connection_was_closed(void **state)
{
	struct world w;

	world_init(&w, 0);
	ask(&w, HTTP_BODY_NONE, 0, 0);
	say(&w, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
	assert_true(http_client_reusable(w.client));
	w.peer.ends = true;
	peer_run(&w.peer);
	run(&w);
	assert_false(http_client_reusable(w.client));
	assert_true(w.failed);
	world_done(&w);
}

static void may_end_at_any_byte(void **state)
{
	static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n"
				   "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
				   "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n";

	for (size_t cut = 0; cut < sizeof(text); cut++)
		for (int how = 0; how < 3; how++) {
			struct world w;

			world_init(&w, 0);
			ask(&w, HTTP_BODY_LENGTH, 10, 0);
			peer_send_n(&w.peer, text, cut);
			run(&w);
			if (how == 0)
				peer_reset(&w.peer);
			if (how == 1)
				peer_done(&w.peer);
			run(&w);
			world_done(&w);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_answers_in_any_pieces),
		cmocka_unit_test(says_what_is_wrong),
		cmocka_unit_test(counts_informational_answers),
		cmocka_unit_test(sends_bodies_as_they_are_taken),
		cmocka_unit_test(an_early_answer_does_not_free_the_connection),
		cmocka_unit_test(reads_only_what_is_wanted),
		cmocka_unit_test(raw_halves_end_on_their_own),
		cmocka_unit_test(notices_that_an_idle_connection_was_closed),
		cmocka_unit_test(may_end_at_any_byte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
