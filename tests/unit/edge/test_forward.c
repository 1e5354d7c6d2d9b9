#include "test.h"

#include <stdio.h>

#include "world.h"

static void start(struct world *w)
{
	struct edge_spec spec = {.kind = EDGE_HTTP};

	world_init(w);
	world_serve(w, &spec);
	world_visit(w);
}

/* ── what is waited for ── */

static unsigned wanted_backends, wanted_requests;
static const char *wanted;

static bool enough_backends(struct world *w)
{
	return w->n_backends >= wanted_backends;
}

static bool enough_requests(struct world *w)
{
	return w->requests >= wanted_requests;
}

static bool last_backend_got(struct world *w)
{
	return w->n_backends >= wanted_backends &&
	       strstr(peer_got(&w->backends[w->n_backends - 1]), wanted);
}

static bool last_backend_ended(struct world *w)
{
	struct peer *p = &w->backends[w->n_backends - 1];

	return p->eof || p->reset;
}

static bool visitor_got(struct world *w)
{
	return strstr(peer_got(&w->visitor), wanted);
}

static bool visitor_ended(struct world *w)
{
	return w->visitor.eof || w->visitor.reset;
}

static bool visitor_reset(struct world *w)
{
	return w->visitor.reset;
}

static bool nobody_left(struct world *w)
{
	return edge_service_visitors(w->service) == 0;
}

/* The n-th connection to the local server gets a text. */
static struct peer *backend_gets(struct world *w, unsigned n, const char *text)
{
	wanted_backends = n;
	wanted = text;
	WAIT(last_backend_got);
	return &w->backends[n - 1];
}

static const char *visitor_gets(struct world *w, const char *text)
{
	wanted = text;
	WAIT(visitor_got);
	return peer_got(&w->visitor);
}

static void reports(struct world *w, unsigned n)
{
	wanted_requests = n;
	WAIT(enough_requests);
	assert_int_equal(w->requests, n);
}

#define GET(path) "GET " path " HTTP/1.1\r\nHost: blog.example\r\n\r\n"
#define WHO                                                                                        \
	"X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: https\r\n"                               \
	"X-Forwarded-Host: blog.example\r\n"
#define OK(text, length) "HTTP/1.1 200 OK\r\nContent-Length: " length "\r\n\r\n" text

/* ── requests and answers ── */

static void forwards_on_one_connection(void **state)
{
	struct world world, *w = &world;
	struct peer *backend;

	start(w);
	peer_send(&w->visitor, "GET /a?b HTTP/1.1\r\nHost: blog.example\r\nX-Forwarded-For: 6\r\n"
			       "Connection: keep-alive\r\nAccept: x\r\n\r\n");
	backend = backend_gets(w, 1, "\r\n\r\n");
	assert_string_equal(peer_got(backend), "GET /a?b HTTP/1.1\r\nHost: blog.example\r\n"
					       "Accept: x\r\n" WHO "\r\n");
	peer_forget(backend);
	peer_send(backend, "HTTP/1.1 201 Made\r\nServer: mine\r\nAlt-Svc: h3\r\n"
			   "Content-Length: 5\r\nKeep-Alive: timeout=5\r\n\r\nhello");
	visitor_gets(w, "hello");
	assert_string_equal(peer_got(&w->visitor), "HTTP/1.1 201 Created\r\nServer: mine\r\n"
						   "Content-Length: 5\r\n\r\nhello");
	peer_forget(&w->visitor);
	reports(w, 1);
	assert_string_equal(w->line, "GET /a?b blog.example");
	assert_int_equal(w->status, 201);
	assert_int_equal(w->bytes_out, 5);

	peer_send(&w->visitor, GET("/2") GET("/3")); /* one after the other */
	backend_gets(w, 1, "/2 HTTP");
	WAIT(a_moment);
	assert_null(strstr(peer_got(backend), "/3 HTTP"));
	peer_send(backend, OK("2", "1"));
	backend_gets(w, 1, "/3 HTTP");
	peer_send(backend, OK("3", "1"));
	visitor_gets(w, "\r\n\r\n3");
	reports(w, 3);
	assert_int_equal(w->n_backends, 1);
	world_done(w);
}

static void hosts(void **state)
{
	static const struct {
		enum edge_host host;
		const char *name, *expected;
	} table[] = {
		{EDGE_HOST_PRESERVE, NULL, "\r\nHost: blog.example\r\n"},
		{EDGE_HOST_LOCAL, NULL, "\r\nHost: 127.0.0.1:"},
		{EDGE_HOST_NAME, "other.test", "\r\nHost: other.test\r\n"},
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct edge_spec spec = {.kind = EDGE_HTTP,
					 .host = table[i].host,
					 .host_name = table[i].name,
					 .names = {"blog.example", "*.wild.example"},
					 .n_names = 2};
		struct world world, *w = &world;

		world_init(w);
		world_serve(w, &spec);
		world_visit(w);
		peer_send(&w->visitor, GET("/"));
		backend_gets(w, 1, "\r\n\r\n");
		assert_non_null(strstr(peer_got(&w->backends[0]), table[i].expected));
		assert_non_null(strstr(peer_got(&w->backends[0]), WHO));
		world_done(w);
	}
}

static void other_hosts_are_turned_away(void **state)
{
	static const struct {
		const char *host;
		bool allowed;
	} table[] = {
		{"blog.example", true},	    {"BLOG.example.:81", true},	  {"a.wild.example", true},
		{"a.b.wild.example", true}, {"wild.example", false},	  {"xwild.example", false},
		{"other.example", false},   {"blog.example.evil", false}, {"127.0.0.1", false},
	};
	struct edge_spec spec = {
		.kind = EDGE_HTTP, .names = {"blog.example", "*.wild.example"}, .n_names = 2};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct world world, *w = &world;
		char text[256];

		world_init(w);
		world_serve(w, &spec);
		world_visit(w);
		snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: %s\r\n\r\n" GET("/second"),
			 table[i].host);
		peer_send(&w->visitor, text);
		if (table[i].allowed) {
			backend_gets(w, 1, "\r\n\r\n");
		} else {
			WAIT(visitor_ended);
			assert_true(str_starts(str_of(peer_got(&w->visitor)),
					       STR("HTTP/1.1 421 Misdirected Request\r\n")));
			assert_non_null(strstr(peer_got(&w->visitor), "Connection: close\r\n"));
			assert_int_equal(w->n_backends, 0);
			reports(w, 1);
			assert_int_equal(w->status, 421);
		}
		world_done(w);
	}
}

static void answers_of_every_kind(void **state)
{
	static const struct {
		const char *request, *answer, *expected;
		bool ends; /* the local server closes behind it */
	} table[] = {
		{GET("/"),
		 "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x\r\nabc\r\n"
		 "0\r\nTrailer: x\r\n\r\n",
		 "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
		 false},
		{GET("/"), "HTTP/1.0 200 OK\r\n\r\nabc",
		 "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
		 true},
		{GET("/"), "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc",
		 "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", true},
		{"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n",
		 "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nX: y\r\n\r\n",
		 "HTTP/1.1 200 OK\r\nX: y\r\nContent-Length: 3\r\n\r\n", false},
		{"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n",
		 "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n",
		 false},
		{GET("/"), "HTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.1 204 No Content\r\n\r\n",
		 false},
		{GET("/"), "HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\n\r\n",
		 "HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\n\r\n", false},
		{GET("/"), "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" OK("abc", "3"),
		 "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" OK("abc", "3"), false},
		{"GET / HTTP/1.0\r\nHost: a\r\n\r\n",
		 "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
		 "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabc", false},
		{GET("/"),
		 "HTTP/1.1 302 Found\r\nLocation: /x\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n"
		 "Content-Length: 0\r\n\r\n",
		 "HTTP/1.1 302 Found\r\nLocation: /x\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n"
		 "Content-Length: 0\r\n\r\n",
		 false},
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct world world, *w = &world;
		struct peer *backend;

		start(w);
		peer_send(&w->visitor, table[i].request);
		backend = backend_gets(w, 1, "\r\n\r\n");
		backend->ends = table[i].ends;
		peer_send(backend, table[i].answer);
		reports(w, 1);
		WAIT(a_moment);
		assert_string_equal(peer_got(&w->visitor), table[i].expected);
		assert_string_equal(w->note, "");
		world_done(w);
	}
}

static void bodies_of_every_kind(void **state)
{
	static const struct {
		const char *request, *expected;
	} table[] = {
		{"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
		 "\r\nContent-Length: 5\r\n"},
		{"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nhe\r\n"
		 "3\r\nllo\r\n0\r\nTrailer: x\r\n\r\n",
		 "\r\nTransfer-Encoding: chunked\r\n"},
		{"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
		 "\r\nContent-Length: 0\r\n"},
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct world world, *w = &world;
		struct peer *backend;
		const char *got;

		start(w);
		peer_send(&w->visitor, table[i].request);
		backend = backend_gets(w, 1, "\r\n\r\n");
		WAIT(a_moment);
		got = peer_got(backend);
		assert_non_null(strstr(got, table[i].expected));
		if (i == 0)
			assert_string_equal(strstr(got, "\r\n\r\n"), "\r\n\r\nhello");
		if (i == 1) {
			assert_null(strstr(got, "Trailer"));
			assert_null(strstr(got, "x=y"));
			assert_string_equal(strstr(got, "\r\n\r\n"),
					    "\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
		}
		peer_send(backend, OK("ok", "2"));
		visitor_gets(w, "ok");
		reports(w, 1);
		assert_int_equal(w->bytes_in, i == 2 ? 0 : 5);
		world_done(w);
	}
}

/* ── 100 (Continue) ── */

#define EXPECTING "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"

static void the_local_server_decides_whether_the_body_comes(void **state)
{
	struct world world, *w = &world;
	struct peer *backend;

	start(w); /* yes */
	peer_send(&w->visitor, EXPECTING);
	backend = backend_gets(w, 1, "Expect: 100-continue\r\n");
	WAIT(a_moment);
	assert_string_equal(peer_got(&w->visitor), "");
	peer_send(backend, "HTTP/1.1 100 Continue\r\n\r\n");
	assert_string_equal(visitor_gets(w, "100"), "HTTP/1.1 100 Continue\r\n\r\n");
	peer_send(&w->visitor, "hello");
	backend_gets(w, 1, "\r\n\r\nhello");
	peer_send(backend, OK("ok", "2"));
	visitor_gets(w, "ok");
	world_done(w);

	start(w); /* no */
	peer_send(&w->visitor, EXPECTING);
	backend = backend_gets(w, 1, "\r\n\r\n");
	peer_send(backend, "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
	visitor_gets(w, "no");
	assert_null(strstr(peer_got(&w->visitor), "100 Continue"));
	WAIT(visitor_ended); /* whether the body comes nobody knows */
	world_done(w);

	start(w); /* never heard of it: after a second */
	peer_send(&w->visitor, EXPECTING);
	backend = backend_gets(w, 1, "\r\n\r\n");
	visitor_gets(w, "100 Continue");
	peer_send(&w->visitor, "hello");
	backend_gets(w, 1, "\r\n\r\nhello");
	world_done(w);
}

/* ── trouble ── */

static void says_502_until_something_listens(void **state)
{
	struct world world, *w = &world;
	char expected[128];
	struct peer *backend;

	start(w);
	world_unlisten(w);
	peer_send(&w->visitor, GET("/"));
	visitor_gets(w, "The service behind this name is not answering.");
	assert_true(str_starts(str_of(peer_got(&w->visitor)), STR("HTTP/1.1 502 Bad Gateway\r\n")));
	assert_null(strstr(peer_got(&w->visitor), "127.0.0.1"));
	assert_null(strstr(peer_got(&w->visitor), "refused"));
	reports(w, 1);
	snprintf(expected, sizeof(expected), "connect to 127.0.0.1:%u: Connection refused",
		 w->at.ip.port);
	assert_string_equal(w->note, expected);
	world_listen(w);
	peer_forget(&w->visitor);
	peer_send(&w->visitor, GET("/")); /* on the same connection */
	backend = backend_gets(w, 1, "\r\n\r\n");
	peer_send(backend, OK("back", "4"));
	visitor_gets(w, "back");
	reports(w, 2);
	assert_string_equal(w->note, "");
	world_done(w);
}

static void bad_answers_are_502(void **state)
{
	static const char *const bad[] = {
		"",
		"SSH-2.0-OpenSSH_9.2\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\n\r\n",
		"HTTP/1.1 200 OK\r\nA: b\rc\r\n\r\n",
		"HTTP/1.1 101 What\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Le",
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct world world, *w = &world;
		struct peer *backend;

		start(w);
		peer_send(&w->visitor, GET("/"));
		backend = backend_gets(w, 1, "\r\n\r\n");
		backend->ends = true;
		peer_send(backend, bad[i]);
		visitor_gets(w, "not answering");
		assert_true(str_starts(str_of(peer_got(&w->visitor)), STR("HTTP/1.1 502 ")));
		reports(w, 1);
		assert_true(str_starts(str_of(w->note), STR("127.0.0.1:")));
		world_done(w);
	}
}

static void a_broken_answer_cuts_the_visitor_off(void **state)
{
	static const char *const broken[] = {
		"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloxx",
	};

	for (size_t i = 0; i < ARRAY_LEN(broken); i++) {
		struct world world, *w = &world;
		struct peer *backend;

		start(w);
		peer_send(&w->visitor, GET("/"));
		backend = backend_gets(w, 1, "\r\n\r\n");
		backend->ends = true;
		peer_send(backend, broken[i]);
		WAIT(visitor_reset);
		reports(w, 1);
		assert_int_equal(w->status, 200);
		assert_true(str_starts(str_of(w->note), STR("127.0.0.1:")));
		world_done(w);
	}
}

static void repeats_once_what_may_be_repeated(void **state)
{
	struct world world, *w = &world;
	struct peer *backend;

	start(w);
	peer_send(&w->visitor, GET("/1"));
	backend = backend_gets(w, 1, "/1 HTTP");
	peer_send(backend, OK("1", "1"));
	reports(w, 1);
	/* The local server closes just when the next request comes. */
	peer_send(&w->visitor, GET("/2"));
	backend_gets(w, 1, "/2 HTTP");
	peer_done(backend);
	backend = backend_gets(w, 2, "/2 HTTP");
	peer_send(backend, OK("2", "1"));
	reports(w, 2);
	assert_int_equal(w->status, 200);

	/* A fresh connection that is closed is an answer: no second try. */
	peer_send(&w->visitor, GET("/3"));
	backend_gets(w, 2, "/3 HTTP");
	peer_done(backend);
	backend = backend_gets(w, 3, "/3 HTTP");
	peer_done(backend);
	reports(w, 3);
	assert_int_equal(w->status, 502);

	/* With a body it is not repeated. */
	peer_send(&w->visitor, GET("/4"));
	backend = backend_gets(w, 4, "/4 HTTP");
	peer_send(backend, OK("4", "1"));
	reports(w, 4);
	peer_send(&w->visitor, "POST /5 HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx");
	backend_gets(w, 4, "/5 HTTP");
	peer_done(backend);
	reports(w, 5);
	assert_int_equal(w->status, 502);
	assert_int_equal(w->n_backends, 4);
	world_done(w);
}

static void a_connection_closed_meanwhile_is_replaced(void **state)
{
	struct world world, *w = &world;
	struct peer *backend;

	start(w);
	peer_send(&w->visitor, GET("/1"));
	backend = backend_gets(w, 1, "/1 HTTP");
	peer_send(backend, OK("1", "1"));
	reports(w, 1);
	peer_done(backend);
	WAIT(a_moment);
	peer_send(&w->visitor, "POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx");
	backend = backend_gets(w, 2, "\r\n\r\nx");
	peer_send(backend, OK("2", "1"));
	reports(w, 2);
	assert_int_equal(w->status, 200);
	world_done(w);
}

static void an_early_answer_is_passed_on(void **state)
{
	struct world world, *w = &world;
	struct peer *backend;

	start(w);
	peer_send(&w->visitor, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nabc");
	backend = backend_gets(w, 1, "abc");
	backend->ends = true;
	peer_send(backend, "HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n"
			   "Connection: close\r\n\r\nbig");
	visitor_gets(w, "\r\n\r\nbig");
	reports(w, 1);
	assert_int_equal(w->status, 413);
	world_done(w);
}

/* ── upgrades ── */

#define WEBSOCKET                                                                                  \
	"GET /chat HTTP/1.1\r\nHost: blog.example\r\nConnection: Upgrade\r\n"                      \
	"Upgrade: websocket\r\nSec-WebSocket-Key: k\r\n\r\n"

static void websockets_pass(void **state)
{
	struct world world, *w = &world;
	struct peer *backend;

	start(w);
	peer_send(&w->visitor, WEBSOCKET);
	backend = backend_gets(w, 1, "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
	peer_forget(backend);
	peer_send(backend, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
			   "Connection: Upgrade\r\nSec-WebSocket-Accept: a\r\n\r\nfirst");
	visitor_gets(w, "first");
	assert_string_equal(peer_got(&w->visitor),
			    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
			    "Sec-WebSocket-Accept: a\r\nConnection: Upgrade\r\n\r\nfirst");
	peer_forget(&w->visitor);
	peer_send(&w->visitor, GET("/not-a-request"));
	backend_gets(w, 1, GET("/not-a-request"));
	w->visitor.ends = true;
	peer_send(&w->visitor, "bye");
	backend_gets(w, 1, "bye");
	WAIT(last_backend_ended);
	assert_false(w->visitor.eof); /* the other half is still open */
	backend->ends = true;
	peer_send(backend, "goodbye");
	visitor_gets(w, "goodbye");
	WAIT(visitor_ended);
	assert_false(w->visitor.reset);
	reports(w, 1);
	assert_int_equal(w->status, 101);
	WAIT(nobody_left);
	world_done(w);
}

static void an_upgrade_may_be_declined(void **state)
{
	struct world world, *w = &world;
	struct peer *backend;

	start(w);
	peer_send(&w->visitor, WEBSOCKET);
	backend = backend_gets(w, 1, "\r\n\r\n");
	peer_send(backend, OK("plain", "5"));
	visitor_gets(w, "plain");
	peer_send(&w->visitor, GET("/next"));
	backend_gets(w, 1, "/next");
	world_done(w);
}

/* ── much ── */

#define MUCH ((size_t)8 * 1000 * 1000)

static bool visitor_has_all(struct world *w)
{
	return w->visitor.got.tail - w->visitor.got.head >= MUCH;
}

static bool backend_has_all(struct world *w)
{
	return w->backends[0].got.tail - w->backends[0].got.head >= MUCH;
}

static uint8_t *much(void)
{
	uint8_t *bytes = malloc(MUCH);

	for (size_t i = 0; i < MUCH; i++)
		bytes[i] = (uint8_t)(i * 31 >> 3);
	return bytes;
}

static void assert_ends_with(struct peer *p, const uint8_t *bytes)
{
	assert_memory_equal(p->got.bytes + p->got.tail - MUCH, bytes, MUCH);
}

static void streams_large_answers(void **state)
{
	struct world world, *w = &world;
	uint8_t *bytes = much();
	struct peer *backend;

	start(w);
	w->visitor.deaf = true;
	peer_send(&w->visitor, GET("/"));
	backend = backend_gets(w, 1, "\r\n\r\n");
	peer_send(backend, "HTTP/1.1 200 OK\r\nContent-Length: 8000000\r\n\r\n");
	peer_send_n(backend, bytes, MUCH);
	WAIT(a_moment);
	assert_true(buf_len(&backend->to_send) > 0); /* it is not taken from him either */
	w->visitor.deaf = false;
	peer_run(&w->visitor);
	WAIT(visitor_has_all);
	assert_ends_with(&w->visitor, bytes);
	reports(w, 1);
	assert_int_equal(w->bytes_out, MUCH);
	free(bytes);
	world_done(w);
}

static void streams_large_bodies(void **state)
{
	struct world world, *w = &world;
	uint8_t *bytes = much();

	start(w);
	w->deaf_backends = true;
	peer_send(&w->visitor, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 8000000\r\n\r\n");
	peer_send_n(&w->visitor, bytes, MUCH);
	wanted_backends = 1;
	WAIT(enough_backends);
	WAIT(a_moment);
	assert_true(buf_len(&w->visitor.to_send) > 0);
	w->backends[0].deaf = false;
	peer_run(&w->backends[0]);
	WAIT(backend_has_all);
	WAIT(a_moment);
	assert_ends_with(&w->backends[0], bytes);
	peer_send(&w->backends[0], OK("ok", "2"));
	reports(w, 1);
	assert_int_equal(w->bytes_in, MUCH);
	free(bytes);
	world_done(w);
}

/* ── going away ── */

/* Behind every byte of the answer: the visitor, the local server, or the service. */
static void anyone_may_leave_at_any_byte(void **state)
{
	static const char *const answers[] = {
		"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
		"3\r\nabc\r\n0\r\n\r\n",
		"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nraw",
	};
	static const char *const requests[] = {EXPECTING, WEBSOCKET};

	for (size_t i = 0; i < ARRAY_LEN(answers); i++)
		for (size_t cut = 0; cut <= strlen(answers[i]); cut += 7)
			for (int who = 0; who < 4; who++) {
				struct world world, *w = &world;

				start(w);
				peer_send(&w->visitor, requests[i]);
				backend_gets(w, 1, "\r\n\r\n");
				peer_send_n(&w->backends[0], answers[i], cut);
				if (cut % 2)
					WAIT(a_moment);
				if (who == 0)
					peer_reset(&w->visitor);
				if (who == 1)
					peer_reset(&w->backends[0]);
				if (who == 2)
					peer_done(&w->backends[0]);
				if (who == 3) {
					edge_service_free(w->service);
					w->service = NULL;
				}
				if (who == 0)
					WAIT(nobody_left);
				if (who == 0 || who == 3)
					WAIT(last_backend_ended);
				world_done(w);
			}
}

#define SSE "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"

static const struct half {
	const char *request, *answer, *rest; /* the rest: when the others have been seen off */
	const char *last;		     /* what he gets; NULL: he is seen off */
} halves[] = {
	{GET("/"), "", "", NULL},
	{GET("/"), SSE "data: 1\n\n", "", NULL},
	{"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "", OK("abc", "3"), "abc"},
	{"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
	 "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na", "b", "ab"},
	{"GET / HTTP/1.0\r\nHost: a\r\n\r\n", "", OK("abc", "3"), "abc"},
	{"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx", "", OK("abc", "3"), "abc"},
};

/* A browser that closes a page, and a visitor who ends his half and waits, both send a FIN. */
static void a_page_that_was_closed_holds_no_server(void **state)
{
	struct peer visitors[ARRAY_LEN(halves)];
	struct world world, *w = &world;
	usec_t began;

	world_init(w);
	world_serve(w, &(struct edge_spec){.kind = EDGE_HTTP});
	for (unsigned i = 0; i < ARRAY_LEN(halves); i++) {
		world_visit(w);
		visitors[i] = w->visitor;
		stream_set_handler(visitors[i].s, peer_on_ready, &visitors[i]);
		visitors[i].ends = true;
		peer_send(&visitors[i], halves[i].request);
		peer_send(backend_gets(w, i + 1, "\r\n\r\n"), halves[i].answer);
	}
	w->visitor = (struct peer){0};
	began = loop_now(w->loop);
	reports(w, 2);
	assert_string_equal(w->note, "the visitor left");
	assert_true(loop_now(w->loop) - began < 8 * USEC_PER_S);
	for (unsigned i = 0; i < ARRAY_LEN(halves); i++) {
		assert_int_equal(visitors[i].reset, !halves[i].last);
		peer_send(&w->backends[i], halves[i].rest);
	}
	reports(w, ARRAY_LEN(halves));
	WAIT(a_moment);
	for (unsigned i = 0; i < ARRAY_LEN(halves); i++) {
		const char *got = peer_got(&visitors[i]);

		if (halves[i].last)
			assert_true(str_ends_nocase(str_of(got), str_of(halves[i].last)));
		peer_done(&visitors[i]);
	}
	world_done(w);
}

static void may_leave_while_connecting(void **state)
{
	struct world world, *w = &world;

	start(w);
	peer_send(&w->visitor, GET("/"));
	peer_reset(&w->visitor);
	WAIT(nobody_left);
	world_done(w);

	start(w);
	peer_send(&w->visitor, GET("/"));
	edge_service_free(w->service);
	w->service = NULL;
	WAIT(visitor_reset);
	world_done(w);
}

static void retires(void **state)
{
	struct world world, *w = &world;
	struct peer *backend;

	start(w);
	peer_send(&w->visitor, GET("/"));
	backend = backend_gets(w, 1, "\r\n\r\n");
	edge_service_retire(w->service);
	WAIT(a_moment);
	peer_send(backend, OK("last", "4"));
	visitor_gets(w, "last");
	WAIT(visitor_ended);
	peer_done(&w->visitor);
	WAIT(nobody_left);
	world_done(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forwards_on_one_connection),
		cmocka_unit_test(hosts),
		cmocka_unit_test(other_hosts_are_turned_away),
		cmocka_unit_test(answers_of_every_kind),
		cmocka_unit_test(bodies_of_every_kind),
		cmocka_unit_test(the_local_server_decides_whether_the_body_comes),
		cmocka_unit_test(says_502_until_something_listens),
		cmocka_unit_test(bad_answers_are_502),
		cmocka_unit_test(a_broken_answer_cuts_the_visitor_off),
		cmocka_unit_test(repeats_once_what_may_be_repeated),
		cmocka_unit_test(a_connection_closed_meanwhile_is_replaced),
		cmocka_unit_test(an_early_answer_is_passed_on),
		cmocka_unit_test(websockets_pass),
		cmocka_unit_test(an_upgrade_may_be_declined),
		cmocka_unit_test(streams_large_answers),
		cmocka_unit_test(streams_large_bodies),
		cmocka_unit_test(anyone_may_leave_at_any_byte),
		cmocka_unit_test(a_page_that_was_closed_holds_no_server),
		cmocka_unit_test(may_leave_while_connecting),
		cmocka_unit_test(retires),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
