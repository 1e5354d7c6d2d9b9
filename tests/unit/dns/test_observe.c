/* STUN against servers on the loopback interface, Debian's among them; echo services on a virtual
 * clock. */
#include "test.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "dns/ask_stun.h"
#include "dns/observe.h"
#include "net/sock.h"
#include "net/udp.h"
#include "proto/put.h"
#include "proto/stun.h"

#define STUND "/usr/sbin/stund"

static struct ipaddr address(const char *text)
{
	struct ipaddr a;

	assert_int_equal(ipaddr_parse(str_of(text), &a), 0);
	return a;
}

/* ── a STUN server that does as it is told ── */

enum how { ANSWER, CLEAR, ERROR_420, OTHER_FAMILY, OTHER_ID, GARBAGE, NOTHING };

struct server {
	struct loop *loop;
	int fd;
	struct watch *watch;
	struct ipaddr at;
	const enum how *script; /* for each request; the last goes on */
	size_t n_script, n;
	uint8_t first_id[STUN_ID_LEN];
	bool ids_differ;
	struct ipaddr peer; /* of the last request */
};

/* 203.0.113.7 or 2001:db8::7 */
static size_t make_answer(uint8_t pkt[static 64], const uint8_t *request, enum how how, int family)
{
	static const uint8_t v4[] = {203, 0, 113, 7}, v6[16] = {0x20, 1, 0xd, 0xb8, [15] = 7};
	int n = (family == 6) != (how == OTHER_FAMILY) ? 16 : 4;
	uint8_t *p = put_u16(pkt, how == ERROR_420 ? 0x111 : 0x101);

	p = put_u16(p, (uint16_t)(how == ERROR_420 ? 8 : n + 8));
	p = put_bytes(p, request + 4, 16);
	if (how == OTHER_ID)
		p[-1] ^= 1;
	if (how == ERROR_420)
		return (size_t)(put_u32(put_u32(p, 0x00090004), 0x00000414) - pkt);
	p = put_u16(p, how == CLEAR ? 0x0001 : 0x0020);
	p = put_u16(p, (uint16_t)(n + 4));
	p = put_u16(p, n == 4 ? 1 : 2);
	p = put_u16(p, how == CLEAR ? 5000 : 5000 ^ 0x2112);
	for (int i = 0; i < n; i++)
		*p++ = (n == 4 ? v4 : v6)[i] ^ (how == CLEAR ? 0 : request[4 + i]);
	return (size_t)(p - pkt);
}

static void serve(void *arg, unsigned events)
{
	struct server *s = arg;
	struct udp_datagram got[UDP_BATCH_MAX];
	int n = udp_receive(s->loop, s->fd, UDP_BATCH_MAX, got, NULL);

	for (int i = 0; i < n; i++) {
		enum how how = s->script[MIN(s->n, s->n_script - 1)];
		uint8_t pkt[64] = {1};
		struct iovec iov = {.iov_base = pkt, .iov_len = 7};

		assert_int_equal(got[i].len, STUN_REQUEST_LEN);
		if (s->n == 0)
			memcpy(s->first_id, got[i].bytes + 8, STUN_ID_LEN);
		s->ids_differ |= memcmp(s->first_id, got[i].bytes + 8, STUN_ID_LEN) != 0;
		s->peer = got[i].peer;
		s->n++;
		if (how == NOTHING)
			continue;
		if (how != GARBAGE)
			iov.iov_len = make_answer(pkt, got[i].bytes, how, s->at.family);
		udp_send(s->fd, &got[i].peer, &got[i].local, &iov, 1);
	}
}

static void server_start(struct server *s, struct loop *loop, const char *at,
			 const enum how *script, size_t n_script)
{
	struct ipaddr a = address(at);

	*s = (struct server){.loop = loop, .script = script, .n_script = n_script};
	assert_int_equal(udp_bind(&a, &s->fd, NULL), 0);
	sock_local_addr(s->fd, &s->at);
	assert_int_equal(watch_new(loop, s->fd, serve, s, &s->watch, NULL), 0);
	watch_set(s->watch, WATCH_READ);
}

static void server_stop(struct server *s)
{
	watch_free(s->watch);
	close(s->fd);
}

/* ── one STUN server asked ── */

struct result {
	struct loop *loop;
	int r;
	struct ipaddr address;
	struct err e;
	unsigned calls;
	usec_t began, took;
};

static void on_done(void *arg, int r, const struct ipaddr *a, const struct err *e)
{
	struct result *result = arg;

	result->r = r;
	if (r == 0)
		result->address = *a;
	else
		result->e = *e;
	result->calls++;
	result->took = loop_now(result->loop) - result->began;
	loop_stop(result->loop);
}

static struct result ask(struct loop *loop, const char *host, uint16_t port, uint8_t family,
			 const char *source)
{
	struct result result = {.loop = loop, .began = loop_now(loop)};
	struct ipaddr from = source ? address(source) : (struct ipaddr){0};
	struct dns_ask_stun *x;
	struct err e = {0};

	if (dns_ask_stun_start(loop, host, port, family, source ? &from : NULL, NULL, on_done, &result,
			       &x, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(result.calls, 0);
	loop_run(loop);
	assert_int_equal(result.calls, 1);
	return result;
}

static void says(const struct result *result, const char *text)
{
	char said[IPADDR_TEXT_MAX];

	if (result->r < 0)
		fail_msg("%s", result->e.text);
	assert_string_equal(ipaddr_format_port(said, &result->address), text);
}

#define SCRIPT(...) (const enum how[]){__VA_ARGS__}, ARRAY_LEN(((const enum how[]){__VA_ARGS__}))

static struct loop *loop;

static int setup(void **state)
{
	return loop_new(&loop, NULL);
}

static int teardown(void **state)
{
	loop_free(loop);
	return 0;
}

static void stun_answers(void **state)
{
	struct server s;
	struct result result;

	server_start(&s, loop, "127.0.0.1", SCRIPT(ANSWER));
	result = ask(loop, "127.0.0.1", s.at.port, 4, NULL);
	says(&result, "203.0.113.7");
	result = ask(loop, "localhost", s.at.port, 4, "127.0.0.7");
	says(&result, "203.0.113.7");
	assert_int_equal(s.peer.bytes[3], 7); /* the source that was asked for */
	assert_true(s.ids_differ);	      /* of different questions */
	assert_int_equal(s.n, 2);
	server_stop(&s);
	server_start(&s, loop, "127.0.0.1", SCRIPT(CLEAR));
	result = ask(loop, "127.0.0.1", s.at.port, 4, NULL);
	says(&result, "203.0.113.7");
	server_stop(&s);
}

static void stun_over_ipv6(void **state)
{
	struct ipaddr a = address("::1");
	struct server s;
	struct result result;
	int fd;

	if (udp_bind(&a, &fd, NULL) < 0)
		skip();
	close(fd);
	server_start(&s, loop, "::1", SCRIPT(ANSWER));
	result = ask(loop, "::1", s.at.port, 6, "::1");
	assert_int_equal(result.r, 0);
	assert_int_equal(result.address.family, 6);
	assert_int_equal(result.address.bytes[15], 7);
	server_stop(&s);
}

static void stun_through_loss_and_noise(void **state)
{
	struct server s;
	struct result result;

	server_start(&s, loop, "127.0.0.1", SCRIPT(NOTHING, GARBAGE, OTHER_ID, ANSWER));
	result = ask(loop, "127.0.0.1", s.at.port, 4, NULL);
	says(&result, "203.0.113.7");
	assert_int_equal(s.n, 4);
	assert_false(s.ids_differ); /* of one question */
	/* the fourth leaves after 100 + 200 + 400 ms */
	assert_in_range(result.took, 7 * DNS_ASK_STUN_FIRST, DNS_ASK_STUN_TIMEOUT);
	server_stop(&s);
}

static void stun_refusals(void **state)
{
	struct server s;
	struct result result;

	server_start(&s, loop, "127.0.0.1", SCRIPT(ERROR_420));
	result = ask(loop, "127.0.0.1", s.at.port, 4, NULL);
	assert_int_equal(result.r, -ERR_REFUSED);
	assert_string_equal(result.e.text, "it answers with error 420");
	server_stop(&s);
	server_start(&s, loop, "127.0.0.1", SCRIPT(OTHER_FAMILY));
	result = ask(loop, "127.0.0.1", s.at.port, 4, NULL);
	assert_int_equal(result.r, -ERR_INVALID);
	server_stop(&s);
	result = ask(loop, "127.0.0.1", s.at.port, 4, NULL); /* nobody is there */
	assert_int_equal(result.r, -ERR_REFUSED);
	result = ask(loop, "127.0.0.1", 9, 6, NULL);
	assert_int_equal(result.r, -ERR_NOT_FOUND);
	result = ask(loop, "127.0.0.1", 9, 4, "203.0.113.5"); /* not ours */
	assert_true(result.r < 0);
}

static void stun_timeout(void **state)
{
	struct server s;
	struct result result;

	server_start(&s, loop, "127.0.0.1", SCRIPT(NOTHING));
	result = ask(loop, "127.0.0.1", s.at.port, 4, NULL);
	assert_int_equal(result.r, -ERR_TIMEOUT);
	assert_in_range(result.took, DNS_ASK_STUN_TIMEOUT, 2 * DNS_ASK_STUN_TIMEOUT);
	assert_in_range(s.n, 4, 5); /* 0, 100, 300, 700, 1500 ms */
	server_stop(&s);
}

static void stun_cancelled(void **state)
{
	struct result result = {.loop = loop};
	struct dns_ask_stun *x;

	assert_int_equal(
		dns_ask_stun_start(loop, "127.0.0.1", 9, 4, NULL, NULL, on_done, &result, &x, NULL), 0);
	dns_ask_stun_cancel(x);
	dns_ask_stun_cancel(NULL);
	assert_int_equal(result.calls, 0);
}

static void stop(void *arg)
{
	loop_stop(arg);
}

/* A server of RFC 3489's time, by somebody else. */
static void stun_by_debian(void **state)
{
	struct ipaddr a = address("127.0.0.1");
	struct result result = {0};
	char port[8], other[8];
	struct ipaddr at;
	struct timer pause;
	pid_t pid;
	int fd;

	if (access(STUND, X_OK) < 0)
		skip();
	assert_int_equal(udp_bind(&a, &fd, NULL), 0);
	sock_local_addr(fd, &at);
	close(fd);
	snprintf(port, sizeof(port), "%u", at.port);
	snprintf(other, sizeof(other), "%u", at.port > 60000 ? at.port - 1 : at.port + 1);
	pid = fork();
	if (pid == 0) {
		if (!freopen("/dev/null", "w", stdout) || !freopen("/dev/null", "w", stderr))
			_exit(126);
		execl(STUND, STUND, "-h", "127.0.0.1", "-a", "127.0.0.2", "-p", port, "-o", other,
		      NULL);
		_exit(127);
	}
	timer_init(&pause, loop, stop, loop);
	for (int i = 0; i < 100; i++) { /* while it starts it refuses */
		result = ask(loop, "127.0.0.1", at.port, 4, "127.0.0.1");
		if (result.r == 0)
			break;
		assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
		timer_start(&pause, 50 * USEC_PER_MS);
		loop_run(loop);
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	says(&result, "127.0.0.1");
}

/* ── echo services ── */

static void echo_grammar(void **state)
{
	static const struct {
		const char *body;
		int family;
		const char *address; /* NULL: refused */
	} rows[] = {
		{"203.0.113.7", 4, "203.0.113.7"},
		{"203.0.113.7\n", 4, "203.0.113.7"},
		{" 203.0.113.7\r\n\r\n", 4, "203.0.113.7"},
		{"2001:db8::7\n", 6, "2001:db8::7"},
		{"2001:DB8:0:0:0:0:0:7", 6, "2001:db8::7"},
		{"::ffff:203.0.113.7", 4, "203.0.113.7"},
		{"203.0.113.7", 6, NULL},
		{"2001:db8::7", 4, NULL},
		{"", 4, NULL},
		{"\n", 4, NULL},
		{"203.0.113.7 203.0.113.8", 4, NULL},
		{"203.0.113.7\n203.0.113.8\n", 4, NULL},
		{"203.0.113", 4, NULL},
		{"203.0.113.07", 4, NULL},
		{"203.0.113.7:80", 4, NULL},
		{"[2001:db8::7]", 6, NULL},
		{"fe80::1%eth0", 6, NULL},
		{"<html>203.0.113.7</html>", 4, NULL},
		{"ip=203.0.113.7", 4, NULL},
		{"{\"ip\":\"203.0.113.7\"}", 4, NULL},
		{"203.0.113.7                                                      ", 4, NULL},
	};
	char text[IPADDR_TEXT_MAX];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct ipaddr a = {0};
		struct err e = {0};
		int r = dns_echo_parse(str_of(rows[i].body), rows[i].family, &a, &e);

		assert_int_equal(r, rows[i].address ? 0 : -ERR_INVALID);
		assert_int_equal(e.code, -r);
		if (rows[i].address)
			assert_string_equal(ipaddr_format(text, &a), rows[i].address);
	}
	assert_int_equal(dns_echo_parse(str_n("203.0.113.7\0", 12), 4, &(struct ipaddr){0}, NULL),
			 -ERR_INVALID);
}

/* What the service of this letter (https://X.example/) answers, after how long. */
struct script {
	const char *body; /* NULL: nothing, ever */
	unsigned status;
	usec_t delay;
};

struct bench {
	struct loop *loop;
	struct httpc *httpc;
	struct dns_observer *observer;
	struct script scripts[26];
	char asked[64]; /* letters in order */
	struct ipaddr source;
	unsigned family;
	struct dns_told told;
	unsigned n_told;
	bool free_it; /* in on_told */
};

static void serve_echo(void *arg, struct httpc_call *call, const struct httpc_request *request)
{
	struct bench *b = arg;
	char letter = request->url[strlen("https://")];
	const struct script *s = &b->scripts[letter - 'a'];

	assert_true(request->https_only);
	assert_int_equal(request->body_max, DNS_ECHO_MAX);
	assert_null(request->user);
	b->family = request->family;
	b->source = request->source ? *request->source : (struct ipaddr){0};
	b->asked[strlen(b->asked)] = letter;
	if (s->body)
		httpc_sim_answer(call, s->delay, s->status ? s->status : 200, NULL,
				 str_of(s->body));
	else if (s->status)
		httpc_sim_fail(call, s->delay, ERR_DENIED, "certificate");
}

static void on_told(void *arg, const struct dns_told *told)
{
	struct bench *b = arg;

	b->told = *told;
	b->n_told++;
	if (b->free_it) {
		dns_observer_free(b->observer);
		b->observer = NULL;
	}
}

/* letters: the services' */
static void bench_start(struct bench *b, const char *letters)
{
	struct dns_service services[26];
	char urls[26][32];
	struct dns_observer_settings settings = {
		.services = services, .n_services = strlen(letters), .on_told = on_told, .arg = b};

	*b = (struct bench){0};
	for (size_t i = 0; letters[i]; i++) {
		snprintf(urls[i], sizeof(urls[i]), "https://%c.example/ip", letters[i]);
		services[i] = (struct dns_service){DNS_SOURCE_ECHO, urls[i],
						   DNS_OVER_IPV4 | DNS_OVER_IPV6, 600};
	}
	assert_int_equal(loop_new_sim(&b->loop, NULL), 0);
	assert_int_equal(httpc_new_sim(b->loop, serve_echo, b, &b->httpc, NULL), 0);
	assert_int_equal(dns_observer_new(b->loop, b->httpc, &settings, &b->observer, NULL), 0);
}

static void bench_stop(struct bench *b)
{
	dns_observer_free(b->observer);
	httpc_free(b->httpc);
	loop_free(b->loop);
}

static void question(struct bench *b, int family)
{
	b->n_told = 0;
	memset(b->asked, 0, sizeof(b->asked));
	assert_int_equal(dns_observer_ask(b->observer, family, NULL, DNS_ASK_ALL, NULL), 0);
	loop_sim_advance(b->loop, 60 * USEC_PER_S);
	assert_int_equal(b->n_told, 1);
	assert_int_equal(b->told.source, DNS_SOURCE_ECHO);
	assert_int_equal(b->told.family, family);
}

static void told(const struct bench *b, const char *text, const char *who)
{
	char said[IPADDR_TEXT_MAX];

	if (text) {
		if (!b->told.address.family)
			fail_msg("nothing: %s", b->told.why.text);
		assert_string_equal(ipaddr_format(said, &b->told.address), text);
		assert_int_equal(b->told.why.code, 0);
	} else {
		assert_int_equal(b->told.address.family, 0);
		assert_true(b->told.why.code != 0);
	}
	assert_string_equal(b->told.who, who);
}

#define SAYS(x, ...)                                                                               \
	b.scripts[(x) - 'a'] = (struct script)                                                     \
	{                                                                                          \
		__VA_ARGS__                                                                        \
	}

static void two_agree(void **state)
{
	struct ipaddr from = address("192.168.1.5");
	struct bench b;

	bench_start(&b, "abcd");
	SAYS('a', "203.0.113.7\n");
	SAYS('b', "203.0.113.7", .delay = USEC_PER_S);
	assert_int_equal(dns_observer_ask(b.observer, 4, &from, DNS_ASK_ALL, NULL), 0);
	assert_int_equal(b.n_told, 0);
	assert_int_equal(dns_observer_ask(b.observer, 4, &from, DNS_ASK_ALL, NULL),
			 0); /* under way */
	loop_sim_advance(b.loop, 60 * USEC_PER_S);
	assert_int_equal(b.n_told, 1);
	told(&b, "203.0.113.7", "a.example, b.example");
	assert_string_equal(b.asked, "ab");
	assert_int_equal(b.source.bytes[3], 5);
	assert_int_equal(b.family, 4);
	assert_int_equal(b.told.from.bytes[3], 5);
	bench_stop(&b);
}

static void two_of_three(void **state)
{
	static const struct script liars[] = {
		{"203.0.113.99"},
		{"<html>Log in to the network first</html>"},
		{"2001:db8::7"},
		{"203.0.113.7", .status = 302},
		{"203.0.113.7", .status = 500},
		{"203.0.113.7 and so much else that it is no answer of an echo service any more"},
		{NULL},		     /* silence */
		{NULL, .status = 1}, /* a certificate that is not good */
	};

	for (size_t i = 0; i < ARRAY_LEN(liars); i++) {
		struct bench b;

		bench_start(&b, "abcd");
		SAYS('a', "203.0.113.7");
		b.scripts[1] = liars[i];
		SAYS('c', "203.0.113.7");
		question(&b, 4);
		told(&b, "203.0.113.7", "a.example, c.example");
		assert_string_equal(b.asked, "abc");
		bench_stop(&b);
	}
}

static void nobody_agrees(void **state)
{
	struct bench b;

	bench_start(&b, "abcd");
	SAYS('a', "203.0.113.1");
	SAYS('b', "203.0.113.2");
	SAYS('c', "203.0.113.3");
	SAYS('d', "203.0.113.3");
	question(&b, 4);
	told(&b, NULL, "");
	assert_string_equal(b.told.why.text, "they disagree");
	assert_string_equal(b.asked, "abc"); /* three at most */
	bench_stop(&b);

	bench_start(&b, "ab");
	SAYS('a', "203.0.113.1");
	SAYS('b', "error", .status = 503);
	question(&b, 4);
	told(&b, NULL, "");
	assert_string_equal(b.told.why.text, "b.example: it answers with status 503");
	bench_stop(&b);
}

static void one_is_all_there_is(void **state)
{
	struct bench b;

	bench_start(&b, "a");
	SAYS('a', "2001:db8::7");
	question(&b, 6);
	told(&b, "2001:db8::7", "a.example");
	assert_int_equal(b.family, 6);
	bench_stop(&b);
}

/* No service is asked twice within its interval; they are taken in turn. */
static void intervals(void **state)
{
	struct bench b;

	bench_start(&b, "abcde");
	for (char c = 'a'; c <= 'e'; c++)
		SAYS(c, "203.0.113.7");
	question(&b, 4);
	assert_string_equal(b.asked, "ab");
	assert_int_equal(b.told.again, 0);
	question(&b, 4);
	assert_string_equal(b.asked, "cd");
	question(&b, 4);
	assert_string_equal(b.asked, "e"); /* and one voice is not enough */
	told(&b, NULL, "");
	assert_string_equal(b.told.why.text, "only one of them could be asked");
	question(&b, 4);
	assert_string_equal(b.asked, "");
	told(&b, NULL, "");
	assert_int_equal(b.told.why.code, ERR_AGAIN);
	assert_true(b.told.again > loop_now(b.loop));
	loop_sim_advance(b.loop, b.told.again - loop_now(b.loop));
	question(&b, 4);
	assert_string_equal(b.asked, "ab");
	bench_stop(&b);
}

/* A day of a line that changes its address every minute: no service hears of it more often than its
 * interval allows. */
static void a_nervous_line(void **state)
{
	unsigned counts[26] = {0};
	struct bench b;

	bench_start(&b, "abc");
	for (char c = 'a'; c <= 'c'; c++)
		SAYS(c, "203.0.113.7");
	for (int minute = 0; minute < 24 * 60; minute++) {
		question(&b, 4);
		for (const char *c = b.asked; *c; c++)
			counts[*c - 'a']++;
	}
	for (int i = 0; i < 3; i++)
		assert_in_range(counts[i], 100, 24 * 6);
	bench_stop(&b);
}

static void ends_at_any_time(void **state)
{
	struct bench b;

	bench_start(&b, "ab");
	SAYS('a', "203.0.113.7");
	SAYS('b', "203.0.113.7");
	b.free_it = true;
	question(&b, 4);
	assert_null(b.observer);
	bench_stop(&b);

	bench_start(&b, "ab");
	SAYS('a', "203.0.113.7");
	assert_int_equal(dns_observer_ask(b.observer, 4, NULL, DNS_ASK_ALL, NULL), 0);
	assert_int_equal(dns_observer_ask(b.observer, 6, NULL, DNS_ASK_ALL, NULL), 0);
	loop_sim_advance(b.loop, USEC_PER_S);
	bench_stop(&b); /* b is still being asked */
	assert_int_equal(b.n_told, 0);
}

/* What is being asked is not asked again, what is not may be. */
static void kinds(void **state)
{
	struct dns_service services[] = {{DNS_SOURCE_ECHO, "https://a.example/", 3, 0}};
	struct dns_observer_settings settings = {
		.services = services, .n_services = 1, .on_told = on_told};
	struct dns_observer *o;
	struct bench b;

	bench_start(&b, "a");
	SAYS('a', "203.0.113.7");
	settings.arg = &b;
	assert_int_equal(dns_observer_new(b.loop, b.httpc, &settings, &o, NULL), 0);
	assert_int_equal(dns_observer_ask(o, 4, NULL, DNS_ASK_STUN, NULL), -ERR_NOT_FOUND);
	assert_int_equal(dns_observer_ask(o, 4, NULL, DNS_ASK_ECHO, NULL), 0);
	assert_int_equal(dns_observer_ask(o, 4, NULL, DNS_ASK_ALL, NULL), 0);
	loop_sim_advance(b.loop, USEC_PER_S);
	assert_int_equal(b.n_told, 1);
	assert_string_equal(b.asked, "a");
	assert_int_equal(dns_observer_ask(o, 4, NULL, DNS_ASK_ALL, NULL), 0);
	loop_sim_advance(b.loop, USEC_PER_S);
	assert_int_equal(b.n_told, 2);
	dns_observer_free(o);
	bench_stop(&b);
}

static void limits(void **state)
{
	struct dns_service services[DNS_SERVICES_MAX + 1];
	struct dns_observer_settings settings = {.services = services, .on_told = on_told};
	struct dns_observer *o;
	struct bench b;

	bench_start(&b, "a");
	for (int i = 0; i < DNS_OBSERVE_QUESTIONS; i++) {
		struct ipaddr from = {.family = 4, .bytes = {10, 0, 0, (uint8_t)i}};

		assert_int_equal(dns_observer_ask(b.observer, 4, &from, DNS_ASK_ALL, NULL), 0);
	}
	assert_int_equal(dns_observer_ask(b.observer, 4, NULL, DNS_ASK_ALL, NULL), -ERR_LIMIT);
	assert_int_equal(
		dns_observer_ask(b.observer, 6, &(struct ipaddr){.family = 4}, DNS_ASK_ALL, NULL),
		-ERR_INVALID);
	for (size_t i = 0; i <= DNS_SERVICES_MAX; i++)
		services[i] = (struct dns_service){DNS_SOURCE_STUN, "stun.example", 1, 0};
	settings.n_services = DNS_SERVICES_MAX + 1;
	assert_int_equal(dns_observer_new(b.loop, b.httpc, &settings, &o, NULL), -ERR_LIMIT);
	settings.n_services = 1;
	assert_int_equal(dns_observer_new(b.loop, b.httpc, &settings, &o, NULL), 0);
	assert_int_equal(dns_observer_ask(o, 6, NULL, DNS_ASK_ALL, NULL), -ERR_NOT_FOUND);
	dns_observer_free(o);
	services[0] = (struct dns_service){DNS_SOURCE_ECHO, "http://plain.example/", 1, 0};
	assert_int_equal(dns_observer_new(b.loop, b.httpc, &settings, &o, NULL), -ERR_INVALID);
	services[0] = (struct dns_service){DNS_SOURCE_ROUTER, "x", 1, 0};
	assert_int_equal(dns_observer_new(b.loop, b.httpc, &settings, &o, NULL), -ERR_INVALID);
	services[0] = (struct dns_service){DNS_SOURCE_STUN, "x:0", 1, 0};
	assert_int_equal(dns_observer_new(b.loop, b.httpc, &settings, &o, NULL), -ERR_INVALID);
	bench_stop(&b);
}

static void public_services(void **state)
{
	struct dns_observer_settings settings = {
		.services = dns_services, .n_services = dns_services_count, .on_told = on_told};
	unsigned echo[2] = {0};
	struct dns_observer *o;
	struct bench b;

	bench_start(&b, "a");
	assert_int_equal(dns_observer_new(b.loop, b.httpc, &settings, &o, NULL), 0);
	dns_observer_free(o);
	for (size_t i = 0; i < dns_services_count; i++) {
		bool stun = dns_services[i].source == DNS_SOURCE_STUN;

		assert_true(dns_services[i].interval_s >= (stun ? 10 : 600));
		if (stun)
			continue;
		echo[0] += (dns_services[i].families & DNS_OVER_IPV4) != 0;
		echo[1] += (dns_services[i].families & DNS_OVER_IPV6) != 0;
	}
	assert_true(echo[0] >= DNS_OBSERVE_TRIES && echo[1] >= DNS_OBSERVE_TRIES);
	bench_stop(&b);
}

/* ── both kinds ── */

struct both {
	struct loop *loop;
	struct dns_told told[2];
	unsigned n;
};

static void on_both(void *arg, const struct dns_told *told_)
{
	struct both *x = arg;

	x->told[x->n++] = *told_;
	if (x->n == 2)
		loop_stop(x->loop);
}

static void stun_and_echo(void **state)
{
	struct bench b = {0};
	struct both both = {.loop = loop};
	struct server silent, good;
	char where[3][64];
	struct dns_service services[] = {{DNS_SOURCE_STUN, where[0], 3, 0},
					 {DNS_SOURCE_STUN, where[1], 3, 0},
					 {DNS_SOURCE_ECHO, "https://a.example/", 3, 0}};
	struct dns_observer_settings settings = {
		.services = services, .n_services = 3, .on_told = on_both, .arg = &both};
	struct dns_observer *o;

	server_start(&silent, loop, "127.0.0.1", SCRIPT(ERROR_420));
	server_start(&good, loop, "127.0.0.1", SCRIPT(ANSWER));
	snprintf(where[0], sizeof(where[0]), "127.0.0.1:%u", silent.at.port);
	snprintf(where[1], sizeof(where[1]), "127.0.0.1:%u", good.at.port);
	SAYS('a', "203.0.113.7");
	assert_int_equal(httpc_new_sim(loop, serve_echo, &b, &b.httpc, NULL), 0);
	assert_int_equal(dns_observer_new(loop, b.httpc, &settings, &o, NULL), 0);
	assert_int_equal(dns_observer_ask(o, 4, NULL, DNS_ASK_ALL, NULL), 0);
	loop_run(loop);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(both.told[i].address.bytes[3], 7);
		assert_string_equal(both.told[i].who, both.told[i].source == DNS_SOURCE_STUN
							      ? "127.0.0.1"
							      : "a.example");
	}
	assert_true(both.told[0].source != both.told[1].source);
	both.n = 1;
	b.asked[0] = '\0';
	assert_int_equal(dns_observer_ask(o, 4, NULL, DNS_ASK_STUN, NULL), 0);
	loop_run(loop);
	assert_int_equal(both.told[1].source, DNS_SOURCE_STUN);
	assert_string_equal(b.asked, ""); /* and nobody else */
	dns_observer_free(o);
	httpc_free(b.httpc);
	server_stop(&silent);
	server_stop(&good);
}

/* ── over TLS, from an address of ours ── */

#define CERTIFICATE "DNS:one.example,DNS:two.example"

struct https {
	SSL_CTX *context;
	int listener;
	struct ipaddr at;
	pthread_t thread;
	char ca_file[64];
	uint8_t peers[8][4]; /* whose address asked */
	unsigned n;
};

static void https_answer(SSL *ssl)
{
	static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n203.0.113.7\n";
	char request[4096] = "";
	int len = 0, n;

	if (SSL_accept(ssl) <= 0)
		return;
	while (!strstr(request, "\r\n\r\n")) {
		n = SSL_read(ssl, request + len, (int)sizeof(request) - 1 - len);
		if (n <= 0)
			return;
		len += n;
	}
	SSL_write(ssl, answer, sizeof(answer) - 1);
	SSL_shutdown(ssl);
}

static void *https_serve(void *arg)
{
	struct https *h = arg;
	struct sockaddr_in peer;
	socklen_t len = sizeof(peer);
	sigset_t pipe;
	int fd;

	sigemptyset(&pipe);
	sigaddset(&pipe, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &pipe, NULL);
	while ((fd = accept4(h->listener, (struct sockaddr *)&peer, &len, SOCK_CLOEXEC)) >= 0) {
		struct timeval most = {.tv_sec = 10};
		SSL *ssl = SSL_new(h->context);

		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof(most));
		memcpy(h->peers[h->n++ % 8], &peer.sin_addr, 4);
		SSL_set_fd(ssl, fd);
		https_answer(ssl);
		SSL_free(ssl);
		close(fd);
	}
	return NULL;
}

static X509 *self_signed(EVP_PKEY *key)
{
	X509 *x = X509_new();
	X509_EXTENSION *names;

	X509_set_version(x, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	X509_gmtime_adj(X509_getm_notBefore(x), -3600);
	X509_gmtime_adj(X509_getm_notAfter(x), 3600);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
				   (const unsigned char *)"echo", -1, -1, 0);
	X509_set_issuer_name(x, X509_get_subject_name(x));
	X509_set_pubkey(x, key);
	names = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, CERTIFICATE);
	X509_add_ext(x, names, -1);
	X509_EXTENSION_free(names);
	assert_true(X509_sign(x, key, EVP_sha256()) > 0);
	return x;
}

static void https_start(struct https *h)
{
	struct sock_addr at = {.ip = address("127.0.0.1")};
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *certificate = self_signed(key);
	int fd;
	FILE *f;

	*h = (struct https){.ca_file = "/tmp/homeport-observe-XXXXXX"};
	fd = mkstemp(h->ca_file);
	f = fdopen(fd, "w");
	assert_non_null(f);
	PEM_write_X509(f, certificate);
	fclose(f);
	h->context = SSL_CTX_new(TLS_server_method());
	SSL_CTX_use_certificate(h->context, certificate);
	SSL_CTX_use_PrivateKey(h->context, key);
	X509_free(certificate);
	EVP_PKEY_free(key);
	h->listener = sock_listen_open(&at, 0, NULL);
	assert_true(h->listener >= 0);
	fcntl(h->listener, F_SETFL, fcntl(h->listener, F_GETFL) & ~O_NONBLOCK);
	sock_local_addr(h->listener, &h->at);
	assert_int_equal(pthread_create(&h->thread, NULL, https_serve, h), 0);
}

static void https_stop(struct https *h)
{
	shutdown(h->listener, SHUT_RDWR);
	pthread_join(h->thread, NULL);
	close(h->listener);
	SSL_CTX_free(h->context);
	unlink(h->ca_file);
}

struct https_bench {
	struct https server;
	struct dns_told told;
};

static const struct ipaddr *to_server(void *arg, const char *url)
{
	return &((struct https_bench *)arg)->server.at;
}

static void on_https(void *arg, const struct dns_told *told_)
{
	((struct https_bench *)arg)->told = *told_;
	loop_stop(loop);
}

static struct dns_told ask_https(struct https_bench *b, const char *first, const char *second)
{
	struct dns_service services[] = {{DNS_SOURCE_ECHO, first, 1, 0},
					 {DNS_SOURCE_ECHO, second, 1, 0}};
	struct dns_observer_settings settings = {.services = services,
						 .n_services = 2,
						 .ca_file = b->server.ca_file,
						 .peer = to_server,
						 .on_told = on_https,
						 .arg = b};
	struct ipaddr from = address("127.0.0.9");
	struct dns_observer *o;
	struct httpc *httpc;
	struct err e = {0};

	assert_int_equal(httpc_new(loop, &httpc, NULL), 0);
	if (dns_observer_new(loop, httpc, &settings, &o, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(dns_observer_ask(o, 4, &from, DNS_ASK_ALL, NULL), 0);
	loop_run(loop);
	dns_observer_free(o);
	httpc_free(httpc);
	return b->told;
}

static void echo_over_tls(void **state)
{
	static const uint8_t from[4] = {127, 0, 0, 9};
	struct https_bench b;
	struct dns_told t;

	https_start(&b.server);
	t = ask_https(&b, "https://one.example/", "https://two.example/ip");
	if (!t.address.family)
		fail_msg("%s", t.why.text);
	assert_int_equal(t.address.bytes[3], 7);
	assert_string_equal(t.who, "one.example, two.example");
	assert_int_equal(b.server.n, 2);
	assert_memory_equal(b.server.peers[0], from, 4);
	assert_memory_equal(b.server.peers[1], from, 4);

	/* one of them is somebody else */
	t = ask_https(&b, "https://one.example/", "https://three.example/");
	assert_int_equal(t.address.family, 0);
	assert_int_equal(t.why.code, ERR_DENIED);
	assert_ptr_equal(strstr(t.why.text, "three.example: "), t.why.text);
	https_stop(&b.server);
}

#define ON_LOOP(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_LOOP(stun_answers),
		ON_LOOP(stun_over_ipv6),
		ON_LOOP(stun_through_loss_and_noise),
		ON_LOOP(stun_refusals),
		ON_LOOP(stun_timeout),
		ON_LOOP(stun_cancelled),
		ON_LOOP(stun_by_debian),
		cmocka_unit_test(echo_grammar),
		cmocka_unit_test(two_agree),
		cmocka_unit_test(two_of_three),
		cmocka_unit_test(nobody_agrees),
		cmocka_unit_test(one_is_all_there_is),
		cmocka_unit_test(intervals),
		cmocka_unit_test(a_nervous_line),
		cmocka_unit_test(ends_at_any_time),
		cmocka_unit_test(kinds),
		cmocka_unit_test(limits),
		cmocka_unit_test(public_services),
		ON_LOOP(stun_and_echo),
		ON_LOOP(echo_over_tls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
