/* A front on its own thread, clients with blocking sockets on this one. */
#include "test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/time.h>

#include "front/front.h"
#include "hello.h"

#define PROXY 200 /* 127.0.0.200 says who its visitors are */

/* ── the gateway's part: greets each visitor with what is known of him, then echoes ── */

struct fixture {
	struct loop *loop;
	struct front_routes *routes;
	struct front_sources *sources;
	struct front *front;
	struct list guests;	      /* loop's thread */
	struct front_visitor waiting; /* the same: for "later.test" */
	pthread_t thread;
	uint16_t https, http, raw;
	int probe_idle_s; /* of the newest visitor; 0: never */
};

struct guest {
	struct fixture *f;
	struct list node;
	struct stream *stream;
	struct ipaddr peer;
};

static void guest_end(struct guest *guest)
{
	front_gone(guest->f->front, &guest->peer);
	stream_close(guest->stream);
	list_remove(&guest->node);
	free(guest);
}

static void guest_on_ready(void *arg, unsigned events)
{
	struct guest *guest = arg;
	uint8_t bytes[4096];

	for (;;) {
		ssize_t n = stream_read(guest->stream, bytes, sizeof(bytes), NULL);

		if (n == -ERR_AGAIN)
			return;
		if (n <= 0) {
			guest_end(guest);
			return;
		}
		if (stream_write(guest->stream, bytes, (size_t)n, NULL) != n)
			abort(); /* tests echo less than the kernel buffers */
	}
}

/* Visitors of the tests come from loopback, but for those whom a proxy names. */
static const char *name_of(const struct ipaddr *peer, char text[static IPADDR_TEXT_MAX])
{
	if (ipaddr_is_loopback(peer))
		return "";
	return ipaddr_format_port(text, peer);
}

static int probe_idle_of(const struct stream *stream)
{
	int fd = sock_stream_fd(stream), on = 0, idle_s = 0;
	socklen_t len = sizeof(int);

	getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, &len);
	getsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, &len);
	return on ? idle_s : 0;
}

static void welcome(struct fixture *f, struct stream *stream, const struct ipaddr *peer,
		    const char *greeting)
{
	struct guest *guest = calloc(1, sizeof(*guest));

	f->probe_idle_s = probe_idle_of(stream);
	guest->f = f;
	guest->stream = stream;
	guest->peer = *peer;
	list_push(&f->guests, &guest->node);
	if (stream_write(stream, greeting, strlen(greeting), NULL) < 0)
		abort();
	stream_set_handler(stream, guest_on_ready, guest);
	guest_on_ready(guest, STREAM_READABLE);
}

static void on_visitor(void *arg, const struct front_visitor *visitor)
{
	static const char *const kinds[] = {"https", "http", "raw"};
	struct fixture *f = arg;
	char greeting[512], name[IPADDR_TEXT_MAX];

	if (strcmp(visitor->route.service, "away") == 0) {
		front_refuse(f->front, visitor, FRONT_REFUSE_OFFLINE);
		return;
	}
	if (strcmp(visitor->route.service, "broken") == 0) {
		front_refuse(f->front, visitor, FRONT_REFUSE_SERVICE);
		return;
	}
	if (strcmp(visitor->route.service, "full") == 0) {
		front_refuse(f->front, visitor, FRONT_REFUSE_BUSY);
		return;
	}
	if (strcmp(visitor->route.service, "moved") == 0) {
		front_refuse(f->front, visitor, FRONT_REFUSE_PLAIN);
		return;
	}
	if (strcmp(visitor->route.service, "later") == 0) {
		f->waiting = *visitor;
		return;
	}
	snprintf(greeting, sizeof(greeting), "[%s %s %s]%s", kinds[visitor->kind],
		 visitor->route.service, visitor->host, name_of(&visitor->peer, name));
	welcome(f, visitor->stream, &visitor->peer, greeting);
}

static void on_link(void *arg, struct stream *stream, const struct ipaddr *peer)
{
	char greeting[IPADDR_TEXT_MAX + 8], name[IPADDR_TEXT_MAX];

	snprintf(greeting, sizeof(greeting), "[link]%s", name_of(peer, name));
	welcome(arg, stream, peer, greeting);
}

static void *run_loop(void *arg)
{
	loop_run(arg);
	return NULL;
}

static void add_routes(struct fixture *f)
{
	static const struct front_route list[] = {
		{1, "web", "both.test", FRONT_SERVES_HTTP | FRONT_SERVES_TLS, true, 0},
		{1, "plain", "plain.test", FRONT_SERVES_HTTP, true, 0},
		{1, "secure", "*.secure.test", FRONT_SERVES_TLS, true, 0},
		{1, "away", "away.test", FRONT_SERVES_HTTP | FRONT_SERVES_TLS, false, 1},
		{1, "broken", "broken.test", FRONT_SERVES_HTTP | FRONT_SERVES_TLS, true, 0},
		{1, "moved", "moved.test", FRONT_SERVES_HTTP, true, 0},
		{1, "later", "later.test", FRONT_SERVES_HTTP, true, 0},
		{1, "full", "full.test", FRONT_SERVES_HTTP | FRONT_SERVES_TLS, true, 0},
	};

	assert_int_equal(front_routes_set(f->routes, 1, list, ARRAY_LEN(list), NULL, NULL), 0);
}

static uint16_t listen_on(struct fixture *f, enum front_kind kind)
{
	static const struct front_route raw = {.owner = 1, .service = "ssh"};
	struct sock_addr at = {0};
	uint16_t port;
	struct err e;

	assert_int_equal(ipaddr_parse(STR("127.0.0.1"), &at.ip), 0);
	at.ip.port = 0;
	if (front_listen(f->front, kind, &at, 0, kind == FRONT_RAW ? &raw : NULL, &port, &e) < 0)
		fail_msg("%s", e.text);
	return port;
}

static struct fixture *start(struct front_limits limits, usec_t timeout)
{
	static const struct front_handler handler = {on_visitor, on_link};
	static const struct cidr proxies[] = {{{.family = 4, .bytes = {127, 0, 0, PROXY}}, 32}};
	struct fixture *f = calloc(1, sizeof(*f));
	struct front_config config;
	struct err e;

	list_init(&f->guests);
	assert_int_equal(loop_new(&f->loop, &e), 0);
	assert_int_equal(front_routes_new(&f->routes, &e), 0);
	assert_int_equal(front_sources_new(&limits, &f->sources, &e), 0);
	config = (struct front_config){.routes = f->routes,
				       .sources = f->sources,
				       .link_alpn = "homeport/1",
				       .https_port = 8443,
				       .proxies = proxies,
				       .n_proxies = ARRAY_LEN(proxies),
				       .reading_timeout = timeout};
	assert_int_equal(front_new(f->loop, &config, &handler, f, &f->front, &e), 0);
	add_routes(f);
	f->https = listen_on(f, FRONT_HTTPS);
	f->http = listen_on(f, FRONT_HTTP);
	f->raw = listen_on(f, FRONT_RAW);
	pthread_create(&f->thread, NULL, run_loop, f->loop);
	return f;
}

static void stop(struct fixture *f)
{
	loop_stop(f->loop);
	pthread_join(f->thread, NULL);
	while (!list_empty(&f->guests))
		guest_end(list_entry(f->guests.next, struct guest, node));
	front_free(f->front);
	front_sources_free(f->sources);
	front_routes_free(f->routes);
	loop_free(f->loop);
	free(f);
}

/* ── the visitors' part ── */

/* From 127.0.0.`source`. */
static int dial_from(int source, uint16_t port)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct sockaddr_in from = {.sin_family = AF_INET};
	struct timeval limit = {.tv_sec = 20};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int one = 1;

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	from.sin_addr.s_addr = htonl(0x7f000000u + (uint32_t)source);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	assert_int_equal(bind(fd, (struct sockaddr *)&from, sizeof(from)), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

static int dial(uint16_t port)
{
	return dial_from(1, port);
}

static void say(int fd, const void *bytes, size_t len)
{
	assert_int_equal(send(fd, bytes, len, MSG_NOSIGNAL), (ssize_t)len);
}

static void say_text(int fd, const char *text)
{
	say(fd, text, strlen(text));
}

/* Everything until the end; NUL-terminated. Fails on anything but an orderly end. */
static const char *hear(int fd, size_t *ret_len)
{
	static char text[256 * 1024];
	size_t len = 0;

	for (;;) {
		ssize_t n = recv(fd, text + len, sizeof(text) - 1 - len, 0);

		if (n < 0)
			fail_msg("receive: %s", strerror(errno));
		if (n == 0)
			break;
		len += (size_t)n;
	}
	text[len] = '\0';
	if (ret_len)
		*ret_len = len;
	close(fd);
	return text;
}

static bool is_reset(int fd)
{
	char byte;
	ssize_t n = recv(fd, &byte, 1, 0);
	bool reset = n < 0 && errno == ECONNRESET;

	close(fd);
	return reset;
}

static void assert_has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("\"%s\" is not in:\n%s", part, text);
}

/* The visitor gets the greeting, and his own bytes back. */
static void assert_served(int fd, const void *bytes, size_t len, const char *greeting)
{
	const char *text;
	size_t n;

	shutdown(fd, SHUT_WR);
	text = hear(fd, &n);
	assert_int_equal(n, strlen(greeting) + len);
	assert_memory_equal(text, greeting, strlen(greeting));
	assert_memory_equal(text + strlen(greeting), bytes, len);
}

static void ask(struct fixture *f, const char *request, const char *greeting)
{
	int fd = dial(f->http);

	say_text(fd, request);
	assert_served(fd, request, strlen(request), greeting);
}

static void ask_tls(struct fixture *f, const char *name, const char *alpn, const char *greeting)
{
	uint8_t hello[4096];
	size_t len = make_hello(hello, sizeof(hello), name, alpn);
	int fd = dial(f->https);

	say(fd, hello, len);
	assert_served(fd, hello, len, greeting);
}

static const char *ask_refused(uint16_t port, const void *bytes, size_t len, size_t *ret_len)
{
	int fd = dial(port);

	say(fd, bytes, len);
	return hear(fd, ret_len);
}

static struct front_counters counted(struct fixture *f)
{
	struct front_counters c = {0};

	front_count(f->front, &c);
	return c;
}

/* Counters move behind the visitor's back. */
static void await(struct fixture *f, bool (*done)(const struct front_counters *c))
{
	for (int i = 0; i < 2000; i++) {
		struct front_counters c = counted(f);

		if (done(&c))
			return;
		poll(NULL, 0, 10);
	}
	fail_msg("it did not come to that in 20 s");
}

#define PATIENT (60 * USEC_PER_S)

/* ── tests ── */

static void visitors_that_vanish_are_found_out(void **state)
{
	struct fixture *f = start(FRONT_LIMITS_DEFAULT, PATIENT);

	ask(f, "GET / HTTP/1.1\r\nHost: plain.test\r\n\r\n", "[http plain plain.test]");
	assert_int_equal(f->probe_idle_s, 60);
	f->probe_idle_s = 0;
	assert_served(dial(f->raw), "", 0, "[raw ssh ]");
	assert_int_equal(f->probe_idle_s, 60);
	stop(f);
}

static void hands_visitors_over_with_all_their_bytes(void **state)
{
	struct fixture *f = start(FRONT_LIMITS_DEFAULT, PATIENT);
	struct front_counters c;
	int fd;

	ask(f, "GET / HTTP/1.1\r\nHost: Both.test:8080\r\n\r\n", "[http web both.test]");
	ask(f, "POST /x HTTP/1.1\r\nHost: plain.test\r\nContent-Length: 5\r\n\r\nhelloGET /",
	    "[http plain plain.test]");
	ask_tls(f, "both.test", "\x02h2", "[https web both.test]");
	ask_tls(f, "A.B.secure.test", NULL, "[https secure a.b.secure.test]");
	ask_tls(f, "gw.test", "\x0ahomeport/1", "[link]");
	fd = dial(f->raw);
	say_text(fd, "SSH-2.0-x\r\n");
	assert_served(fd, "SSH-2.0-x\r\n", 11, "[raw ssh ]");
	c = counted(f);
	assert_int_equal(c.accepted, 6);
	assert_int_equal(c.routed, 5);
	assert_int_equal(c.links, 1);
	stop(f);
}

static bool one_was_routed(const struct front_counters *c)
{
	return c->routed == 1;
}

static void welcome_the_waiting(void *arg)
{
	struct fixture *f = arg;

	welcome(f, f->waiting.stream, &f->waiting.peer, "[at last]");
}

/* Whoever gets a visitor may leave his stream alone: what he sends meanwhile is told to nobody. */
static void who_waits_may_go_on_speaking(void **state)
{
	static const char head[] = "GET / HTTP/1.1\r\nHost: later.test\r\n\r\n";
	static const char other[] = "GET / HTTP/1.1\r\nHost: plain.test\r\n\r\n";
	struct fixture *f = start(FRONT_LIMITS_DEFAULT, PATIENT);
	char all[2 * sizeof(head)];
	int fd = dial(f->http);

	say_text(fd, head);
	await(f, one_was_routed);
	say_text(fd, head);
	ask(f, other, "[http plain plain.test]"); /* so the loop has seen that */
	assert_int_equal(loop_post(f->loop, welcome_the_waiting, f), 0);
	snprintf(all, sizeof(all), "%s%s", head, head);
	assert_served(fd, all, strlen(all), "[at last]");
	stop(f);
}

static void hands_raw_visitors_over_before_they_speak(void **state)
{
	struct fixture *f = start(FRONT_LIMITS_DEFAULT, PATIENT);
	int fd = dial(f->raw);
	char banner[16] = "";

	assert_int_equal(recv(fd, banner, 10, MSG_WAITALL), 10);
	assert_string_equal(banner, "[raw ssh ]");
	close(fd);
	stop(f);
}

static void refuses_unknown_names(void **state)
{
	static const char *const names[] = {"nobody.test", "plain.test", "secure.test", NULL};
	struct fixture *f = start(FRONT_LIMITS_DEFAULT, PATIENT);
	const char *text;
	size_t len;

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		uint8_t hello[4096];

		len = make_hello(hello, sizeof(hello), names[i], "\x02h2");
		text = ask_refused(f->https, hello, len, &len);
		assert_int_equal(len, 7);
		assert_memory_equal(text, "\x15\x03\x03\x00\x02\x02\x70", 7);
	}
	text = ask_refused(f->http, "GET / HTTP/1.1\r\nHost: nobody.test\r\n\r\n", 37, NULL);
	assert_has(text, "HTTP/1.1 421 Misdirected Request\r\n");
	assert_null(strstr(text, "nobody"));
	text = ask_refused(f->http, "GET / HTTP/1.0\r\n\r\n", 18, NULL);
	assert_has(text, "HTTP/1.1 421 ");
	assert_int_equal(counted(f).refused_unknown, 6);
	stop(f);
}

static void redirects_names_that_speak_only_https(void **state)
{
	struct fixture *f = start(FRONT_LIMITS_DEFAULT, PATIENT);
	static const char get[] = "GET /a?b HTTP/1.1\r\nHost: x.secure.test:8080\r\n\r\n";
	static const char options[] = "OPTIONS * HTTP/1.1\r\nHost: x.secure.test\r\n\r\n";
	static const char moved[] = "POST /c?d HTTP/1.1\r\nHost: moved.test\r\n\r\nbody";
	const char *text = ask_refused(f->http, get, sizeof(get) - 1, NULL);

	assert_has(text, "HTTP/1.1 308 ");
	assert_has(text, "\r\nLocation: https://x.secure.test:8443/a?b\r\n");
	text = ask_refused(f->http, options, sizeof(options) - 1, NULL);
	assert_has(text, "\r\nLocation: https://x.secure.test:8443/\r\n");
	text = ask_refused(f->http, moved, sizeof(moved) - 1, NULL); /* found out later */
	assert_has(text, "HTTP/1.1 308 ");
	assert_has(text, "\r\nLocation: https://moved.test:8443/c?d\r\n");
	stop(f);
}

static void answers_strangers_in_their_language(void **state)
{
	struct fixture *f = start(FRONT_LIMITS_DEFAULT, PATIENT);
	static char big[40 * 1024];
	const char *text;

	text = ask_refused(f->https, "GET / HTTP/1.1\r\n\r\n", 18, NULL);
	assert_has(text, "HTTP/1.1 400 ");
	assert_has(text, "https://");
	text = ask_refused(f->http, "GET / HTTP/1.1\r\nHost : a\r\n\r\n", 28, NULL);
	assert_has(text, "HTTP/1.1 400 ");
	text = ask_refused(f->http, "HEAD / HTTP/1.1\r\nHost: nobody.test\r\n\r\n", 38, NULL);
	assert_string_equal(strstr(text, "\r\n\r\n"), "\r\n\r\n");
	memset(big, 'a', sizeof(big));
	memcpy(big, "GET /", 5);
	text = ask_refused(f->http, big, sizeof(big), NULL);
	assert_has(text, "HTTP/1.1 431 ");
	stop(f);
}

static void an_answer_survives_a_body_nobody_reads(void **state)
{
	struct fixture *f = start(FRONT_LIMITS_DEFAULT, PATIENT);
	static char body[600 * 1024];
	int fd = dial(f->http);

	say_text(fd, "POST / HTTP/1.1\r\nHost: away.test\r\nContent-Length: 614400\r\n\r\n");
	say(fd, body, sizeof(body));
	assert_has(hear(fd, NULL), "</html>\n");
	stop(f);
}

static bool one_was_pushed_out(const struct front_counters *c)
{
	return c->refused_limit == 1;
}

static void the_silent_make_room(void **state)
{
	static const char request[] = "GET / HTTP/1.1\r\nHost: plain.test\r\n\r\n";
	struct front_limits limits = FRONT_LIMITS_DEFAULT;
	struct fixture *f;
	int begun, first, second;

	limits.reading_max = 3;
	f = start(limits, PATIENT);
	begun = dial_from(2, f->http);
	say_text(begun, "GET / HT");
	ask(f, request, "[http plain plain.test]"); /* so that those bytes are read */
	first = dial_from(3, f->http);
	second = dial_from(4, f->http);
	ask(f, request, "[http plain plain.test]");
	await(f, one_was_pushed_out);
	assert_int_equal(recv(first, &(char){0}, 1, 0), 0);
	close(first);
	say(second, request, sizeof(request) - 1);
	assert_served(second, request, sizeof(request) - 1, "[http plain plain.test]");
	say_text(begun, "TP/1.1\r\nHost: plain.test\r\n\r\n");
	assert_served(begun, request, sizeof(request) - 1, "[http plain plain.test]");
	stop(f);
}

static void refuses_visitors_of_those_who_are_away(void **state)
{
	struct fixture *f = start(FRONT_LIMITS_DEFAULT, PATIENT);
	static const char away[] = "GET / HTTP/1.1\r\nHost: away.test\r\n\r\n";
	static const char broken[] = "GET / HTTP/1.1\r\nHost: broken.test\r\n\r\n";
	static const char full[] = "HEAD / HTTP/1.1\r\nHost: full.test\r\n\r\n";
	uint8_t hello[4096];
	const char *text = ask_refused(f->http, away, sizeof(away) - 1, NULL);
	size_t len;

	assert_has(text, "HTTP/1.1 503 ");
	assert_has(text, "away.test</h1>");
	assert_has(text, "offline since 1970-01-01 00:00 UTC");
	text = ask_refused(f->http, full, sizeof(full) - 1, NULL);
	assert_has(text, "HTTP/1.1 503 ");
	assert_string_equal(strstr(text, "\r\n\r\n"), "\r\n\r\n");
	len = make_hello(hello, sizeof(hello), "away.test", NULL);
	assert_memory_equal(ask_refused(f->https, hello, len, NULL) + 5, "\x02\x70", 2);
	len = make_hello(hello, sizeof(hello), "full.test", NULL);
	assert_memory_equal(ask_refused(f->https, hello, len, NULL) + 5, "\x02\x50", 2);
	assert_int_equal(counted(f).refused_offline, 2);
	assert_int_equal(counted(f).refused_busy, 2);
	text = ask_refused(f->http, broken, sizeof(broken) - 1, NULL);
	assert_has(text, "HTTP/1.1 502 Bad Gateway\r\n");
	assert_has(text, "does not answer at the moment");
	assert_int_equal(counted(f).refused_service, 1);
	assert_int_equal(counted(f).refused_busy, 2);
	stop(f);
}

static void reads_bytes_that_come_one_by_one(void **state)
{
	static const char request[] = "GET / HTTP/1.1\r\nHost: both.test\r\n\r\n";
	struct fixture *f = start(FRONT_LIMITS_DEFAULT, PATIENT);
	uint8_t hello[4096], wire[8192];
	size_t len = make_hello(hello, sizeof(hello), "both.test", NULL);
	int tls = dial(f->https), http = dial(f->http);

	len = cut_hello(wire, hello, len, 20);
	for (size_t i = 0; i < MAX(len, sizeof(request) - 1); i++) {
		if (i < len)
			say(tls, wire + i, 1);
		if (i < sizeof(request) - 1)
			say(http, request + i, 1);
		poll(NULL, 0, i % 16 == 0);
	}
	assert_served(tls, wire, len, "[https web both.test]");
	assert_served(http, request, sizeof(request) - 1, "[http web both.test]");
	stop(f);
}

static bool four_timeouts(const struct front_counters *c)
{
	return c->refused_timeout == 4;
}

static void strangers_do_not_hold_up_others(void **state)
{
	struct fixture *f = start(FRONT_LIMITS_DEFAULT, 300 * USEC_PER_MS);
	int silent_tls = dial(f->https), silent_http = dial(f->http);
	int slow_tls = dial(f->https), slow_http = dial(f->http);
	int garbage = dial(f->https), left = dial(f->https);

	say_text(slow_tls, "\x16\x03\x01");
	say_text(slow_http, "GET / HTT");
	say_text(garbage, "\x01\x02\x03\x04");
	close(left);
	ask(f, "GET / HTTP/1.1\r\nHost: both.test\r\n\r\n", "[http web both.test]");
	ask_tls(f, "both.test", NULL, "[https web both.test]");
	assert_string_equal(hear(silent_tls, NULL), "");
	assert_string_equal(hear(silent_http, NULL), ""); /* not a 408 for what he never asked */
	assert_string_equal(hear(slow_tls, NULL), "");
	assert_has(hear(slow_http, NULL), "HTTP/1.1 408 ");
	assert_string_equal(hear(garbage, NULL), "");
	await(f, four_timeouts);
	assert_int_equal(counted(f).refused_invalid, 1);
	assert_int_equal(counted(f).left, 1);
	stop(f);
}

static bool one_limited(const struct front_counters *c)
{
	return c->refused_limit == 1;
}

static void one_source_cannot_take_all(void **state)
{
	struct front_limits limits = FRONT_LIMITS_DEFAULT;
	struct fixture *f;
	int first, second, third, other;

	limits.reading_per_source_max = 2;
	f = start(limits, PATIENT);
	first = dial_from(2, f->http);
	second = dial_from(2, f->http);
	third = dial_from(2, f->http);
	assert_true(is_reset(third));
	await(f, one_limited);
	other = dial_from(3, f->http);
	say_text(other, "GET / HTTP/1.1\r\nHost: both.test\r\n\r\n");
	assert_served(other, "GET / HTTP/1.1\r\nHost: both.test\r\n\r\n", 35,
		      "[http web both.test]");
	say_text(first, "GET / HTTP/1.1\r\nHost: both.test\r\n\r\n"); /* is not read any more */
	assert_served(first, "GET / HTTP/1.1\r\nHost: both.test\r\n\r\n", 35,
		      "[http web both.test]");
	third = dial_from(2, f->http);
	say_text(third, "GET / HTTP/1.1\r\nHost: both.test\r\n\r\n");
	assert_served(third, "GET / HTTP/1.1\r\nHost: both.test\r\n\r\n", 35,
		      "[http web both.test]");
	close(second);
	stop(f);
}

/* A held connection to the raw port. */
static int hold(struct fixture *f)
{
	int fd = dial(f->raw);
	char greeting[10];

	assert_int_equal(recv(fd, greeting, sizeof(greeting), MSG_WAITALL), sizeof(greeting));
	return fd;
}

static void connections_are_counted_until_they_are_gone(void **state)
{
	struct front_limits limits = FRONT_LIMITS_DEFAULT;
	struct fixture *f;
	int held[16];

	limits.conns_per_source_max = ARRAY_LEN(held);
	f = start(limits, PATIENT);
	for (size_t i = 0; i < ARRAY_LEN(held); i++)
		held[i] = hold(f);
	assert_true(is_reset(dial(f->raw)));
	for (size_t i = 1; i < ARRAY_LEN(held); i++)
		assert_served(held[i], "", 0, "");
	for (int i = 0; i < 50; i++) { /* every way to end gives its place back */
		assert_served(hold(f), "", 0, "");
		ask_refused(f->http, "GET / HTTP/1.1\r\nHost: away.test\r\n\r\n", 35, NULL);
		ask_refused(f->http, "GET / HTTP/1.1\r\nHost: nobody.test\r\n\r\n", 37, NULL);
		ask_refused(f->http, "bad\r\n\r\n", 7, NULL);
	}
	close(held[0]);
	stop(f);
}

static void stops_listening(void **state)
{
	static const struct front_handler handler = {on_visitor, NULL};
	struct fixture f = {0};
	struct front_config config;
	struct sock_addr at = {0};
	struct err e = {0};

	list_init(&f.guests);
	assert_int_equal(loop_new(&f.loop, &e), 0);
	assert_int_equal(front_routes_new(&f.routes, &e), 0);
	assert_int_equal(front_sources_new(NULL, &f.sources, &e), 0);
	config = (struct front_config){.routes = f.routes, .sources = f.sources};
	assert_int_equal(front_new(f.loop, &config, &handler, &f, &f.front, &e), 0);
	f.raw = listen_on(&f, FRONT_RAW);
	f.http = listen_on(&f, FRONT_HTTP);
	at.ip = (struct ipaddr){.family = 4, .bytes = {127, 0, 0, 1}, .port = f.raw};
	assert_int_equal(front_listen(f.front, FRONT_HTTP, &at, 0, NULL, NULL, &e), -ERR_EXISTS);
	assert_has(e.text, "Address already in use: another program has this port");
	front_unlisten(f.front, FRONT_HTTP, f.raw); /* another kind */
	assert_int_equal(front_listen(f.front, FRONT_HTTP, &at, 0, NULL, NULL, &e), -ERR_EXISTS);
	front_unlisten(f.front, FRONT_RAW, f.raw);
	assert_int_equal(front_listen(f.front, FRONT_HTTP, &at, 0, NULL, NULL, &e), 0);
	front_stop(f.front);
	front_stop(f.front);
	front_free(f.front);
	front_sources_free(f.sources);
	front_routes_free(f.routes);
	loop_free(f.loop);
}

/* ── behind a proxy ── */

#define SIGNATURE   "\x0d\x0a\x0d\x0a\0\x0d\x0a\x51\x55\x49\x54\x0a"
#define FROM_LOCAL  SIGNATURE "\x20\0\0\0"
#define FROM_UNSPEC SIGNATURE "\x21\0\0\0"
#define FROM_NAMED  SIGNATURE "\x21\x11\0\x0c\xc6\x33\x64\x07\xc0\0\x02\x01\xc8\x22\x01\xbb"
#define NAMED	    "198.51.100.7:51234"

#define SAY(fd, literal) say(fd, literal, sizeof(literal) - 1)

static const char both[] = "GET / HTTP/1.1\r\nHost: both.test\r\n\r\n";

/* Nothing came back but the end, hard or soft. */
static void assert_dropped(int fd)
{
	char byte;

	assert_true(recv(fd, &byte, 1, 0) <= 0);
	close(fd);
}

static void a_proxy_names_the_visitor(void **state)
{
	struct fixture *f = start(FRONT_LIMITS_DEFAULT, PATIENT);
	uint8_t hello[4096];
	size_t len = make_hello(hello, sizeof(hello), "both.test", "\x02h2");
	int fd = dial_from(PROXY, f->http);

	SAY(fd, FROM_NAMED);
	say_text(fd, both);
	assert_served(fd, both, strlen(both), "[http web both.test]" NAMED);
	fd = dial_from(PROXY, f->https);
	SAY(fd, FROM_NAMED);
	say(fd, hello, len);
	assert_served(fd, hello, len, "[https web both.test]" NAMED);
	len = make_hello(hello, sizeof(hello), "gw.test", "\x0ahomeport/1");
	fd = dial_from(PROXY, f->https);
	SAY(fd, FROM_NAMED);
	say(fd, hello, len);
	assert_served(fd, hello, len, "[link]" NAMED);
	fd = dial_from(PROXY, f->raw); /* who may wait for the server to speak first */
	SAY(fd, FROM_NAMED);
	assert_served(fd, "", 0, "[raw ssh ]" NAMED);
	fd = dial_from(PROXY, f->raw);
	SAY(fd, FROM_NAMED "SSH-2.0-x\r\n");
	assert_served(fd, "SSH-2.0-x\r\n", 11, "[raw ssh ]" NAMED);
	stop(f);
}

static void a_proxy_speaks_for_itself(void **state)
{
	struct fixture *f = start(FRONT_LIMITS_DEFAULT, PATIENT);
	int fd = dial_from(PROXY, f->http);

	SAY(fd, FROM_LOCAL);
	say_text(fd, both);
	assert_served(fd, both, strlen(both), "[http web both.test]");
	fd = dial_from(PROXY, f->http);
	SAY(fd, FROM_UNSPEC);
	say_text(fd, both);
	assert_served(fd, both, strlen(both), "[http web both.test]");
	stop(f);
}

static void a_header_may_come_byte_by_byte(void **state)
{
	struct fixture *f = start(FRONT_LIMITS_DEFAULT, PATIENT);
	int fd = dial_from(PROXY, f->http);

	for (size_t i = 0; i < sizeof(FROM_NAMED) - 1; i++) {
		say(fd, &FROM_NAMED[i], 1);
		poll(NULL, 0, 1);
	}
	for (size_t i = 0; i < strlen(both); i++)
		say(fd, both + i, 1);
	assert_served(fd, both, strlen(both), "[http web both.test]" NAMED);
	stop(f);
}

static bool dropped_two(const struct front_counters *c)
{
	return c->refused_proxy == 2;
}

static void a_proxy_must_say_something_good(void **state)
{
	struct fixture *f = start(FRONT_LIMITS_DEFAULT, PATIENT);
	int fd = dial_from(PROXY, f->http);

	say_text(fd, both);
	assert_dropped(fd);
	fd = dial_from(PROXY, f->raw);
	say_text(fd, "PROXY TCP4 198.51.100.7 192.0.2.1 1 2\r\nhello");
	assert_dropped(fd);
	await(f, dropped_two);
	stop(f);
}

/* From anybody else the header is bytes, and not good ones. */
static void strangers_name_nobody(void **state)
{
	struct fixture *f = start(FRONT_LIMITS_DEFAULT, PATIENT);
	int fd = dial(f->raw);

	SAY(fd, FROM_NAMED "x");
	assert_served(fd, FROM_NAMED "x", sizeof(FROM_NAMED), "[raw ssh ]");
	fd = dial(f->https);
	SAY(fd, FROM_NAMED);
	assert_dropped(fd);
	assert_int_equal(counted(f).refused_invalid, 1);
	stop(f);
}

static bool refused_one(const struct front_counters *c)
{
	return c->refused_limit == 1;
}

/* The named visitor's limits, not the proxy's. */
static void the_source_is_who_was_named(void **state)
{
	struct fixture *f = start((struct front_limits){100, 100, 2, 100, 100}, PATIENT);
	int fds[4];

	for (int i = 0; i < 3; i++) {
		fds[i] = dial_from(PROXY, f->raw);
		SAY(fds[i], FROM_NAMED);
	}
	await(f, refused_one);
	fds[3] = dial_from(PROXY, f->raw);
	SAY(fds[3], SIGNATURE "\x21\x11\0\x0c\xc6\x33\x64\x08\xc0\0\x02\x01\xc8\x22\x01\xbb");
	assert_served(fds[3], "", 0, "[raw ssh ]198.51.100.8:51234");
	for (int i = 0; i < 3; i++)
		close(fds[i]);
	stop(f);
}

static bool timed_out(const struct front_counters *c)
{
	return c->refused_timeout == 2;
}

static void a_silent_proxy_is_not_waited_for(void **state)
{
	struct fixture *f = start((struct front_limits){2, 2, 9, 100, 100}, 50 * USEC_PER_MS);
	int a = dial_from(PROXY, f->http), b = dial_from(PROXY, f->raw), c;

	say(a, FROM_NAMED, 5);
	await(f, timed_out);
	assert_dropped(a);
	assert_dropped(b);
	c = dial(f->raw); /* their places are free again */
	assert_served(c, "", 0, "[raw ssh ]");
	stop(f);
	f = start(FRONT_LIMITS_DEFAULT, PATIENT); /* the end finds one that waits */
	a = dial_from(PROXY, f->raw);
	say(a, FROM_NAMED, 5);
	c = dial(f->raw);
	assert_served(c, "", 0, "[raw ssh ]");
	stop(f);
	close(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(visitors_that_vanish_are_found_out),
		cmocka_unit_test(hands_visitors_over_with_all_their_bytes),
		cmocka_unit_test(who_waits_may_go_on_speaking),
		cmocka_unit_test(hands_raw_visitors_over_before_they_speak),
		cmocka_unit_test(refuses_unknown_names),
		cmocka_unit_test(redirects_names_that_speak_only_https),
		cmocka_unit_test(answers_strangers_in_their_language),
		cmocka_unit_test(an_answer_survives_a_body_nobody_reads),
		cmocka_unit_test(the_silent_make_room),
		cmocka_unit_test(refuses_visitors_of_those_who_are_away),
		cmocka_unit_test(reads_bytes_that_come_one_by_one),
		cmocka_unit_test(strangers_do_not_hold_up_others),
		cmocka_unit_test(one_source_cannot_take_all),
		cmocka_unit_test(connections_are_counted_until_they_are_gone),
		cmocka_unit_test(stops_listening),
		cmocka_unit_test(a_proxy_names_the_visitor),
		cmocka_unit_test(a_proxy_speaks_for_itself),
		cmocka_unit_test(a_header_may_come_byte_by_byte),
		cmocka_unit_test(a_proxy_must_say_something_good),
		cmocka_unit_test(strangers_name_nobody),
		cmocka_unit_test(the_source_is_who_was_named),
		cmocka_unit_test(a_silent_proxy_is_not_waited_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
