#include "test.h"

#include <dirent.h>
#include <net/if.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <sched.h>
#include <sys/socket.h>
#include <time.h>

#include "base/secret.h"
#include "unit/net/httpc_world.h"

#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

static bool own_network; /* in a namespace with nothing but a loopback, which has fe80::5, too */

/* ── what is sent ── */

/* The last request, but for its Host and User-Agent, which are what they should be. */
static void assert_request(struct server *s, const char *expected)
{
	char host[64], *at, *end;

	snprintf(host, sizeof(host), "\r\nHost: 127.0.0.1:%u\r\nUser-Agent: homeport/", s->port);
	at = strstr(s->request, host);
	assert_non_null(at);
	end = strstr(at + strlen(host), "\r\n");
	memmove(at, end, strlen(end) + 1);
	assert_string_equal(s->request, expected);
}

static void test_get(void **state)
{
	struct world *w = *state;
	char url[URL_TEXT_MAX];
	struct server s;
	struct got got;

	server_open(&s, w,
		    "HTTP/1.1 200 Fine\r\nServer:  a b \r\nX-Two: 1\r\nx-two: 2\r\nEmpty:\r\n"
		    "Content-Length: 5\r\n\r\nhello",
		    CLOSES);
	ask(&got, w, &(struct httpc_request){.url = server_url(url, &s, "/a/../b?c=d#e")});
	assert_good(&got, 200, "hello");
	assert_str(httpc_answer_header(&got.answer, "server"), "a b");
	assert_str(httpc_answer_header(&got.answer, "X-TWO"), "1");
	assert_non_null(httpc_answer_header(&got.answer, "Empty").at);
	assert_str(httpc_answer_header(&got.answer, "Empty"), "");
	assert_null(httpc_answer_header(&got.answer, "Location").at);
	assert_null(httpc_answer_header(&got.answer, "").at);
	assert_true(ipaddr_equal(&got.answer.peer, &sock_listener_addr(s.listener)->ip));
	assert_true(ipaddr_equal(&got.answer.local, &s.from));
	assert_true(got.answer.took > 0 && got.answer.took < DEADLINE);
	assert_request(&s, "GET /a/../b?c=d HTTP/1.1\r\nAccept: */*\r\nConnection: close\r\n\r\n");
	got_done(&got);
	server_close(&s);
}

/* Cheap routers want head and body in one segment, and no questions first. */
static void test_post(void **state)
{
	static const struct httpc_header fields[] = {
		{"Content-Type", "text/xml; charset=\"utf-8\""},
		{"SOAPAction", "\"urn:x:service:y:1#Do\""},
		{"X-Empty", ""},
		{"user-agent", "Ours/1"},
	};
	struct world *w = *state;
	char url[URL_TEXT_MAX], body[3001], expected[4096];
	struct server s;
	struct got got;
	struct httpc_request request = {
		.url = url, .headers = fields, .n_headers = ARRAY_LEN(fields)};

	memset(body, 'x', 3000);
	body[3000] = '\0';
	request.body = str_of(body);
	server_open(&s, w, OK, CLOSES);
	server_url(url, &s, "/control");
	ask(&got, w, &request);
	assert_good(&got, 200, "ok");
	snprintf(expected, sizeof(expected),
		 "POST /control HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nAccept: */*\r\n"
		 "Content-Type: text/xml; charset=\"utf-8\"\r\n"
		 "SOAPAction: \"urn:x:service:y:1#Do\"\r\nX-Empty:\r\nuser-agent: Ours/1\r\n"
		 "Connection: close\r\nContent-Length: 3000\r\n\r\n%s",
		 s.port, body);
	assert_string_equal(s.request, expected);
	assert_int_equal(s.wakes, 1);
	got_done(&got);
	server_close(&s);
}

static void test_methods(void **state)
{
	static const struct {
		const char *method, *body, *expected;
	} rows[] = {
		{NULL, "a=b",
		 "POST / HTTP/1.1\r\nAccept: */*\r\nConnection: close\r\nContent-Length: "
		 "3\r\n\r\na=b"},
		{"POST", "",
		 "POST / HTTP/1.1\r\nAccept: */*\r\nConnection: close\r\nContent-Length: "
		 "0\r\n\r\n"},
		{"PUT", "",
		 "PUT / HTTP/1.1\r\nAccept: */*\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"},
		{"PATCH", "{}",
		 "PATCH / HTTP/1.1\r\nAccept: */*\r\nConnection: close\r\nContent-Length: "
		 "2\r\n\r\n{}"},
		{"DELETE", "", "DELETE / HTTP/1.1\r\nAccept: */*\r\nConnection: close\r\n\r\n"},
		{"DELETE", "x",
		 "DELETE / HTTP/1.1\r\nAccept: */*\r\nConnection: close\r\nContent-Length: "
		 "1\r\n\r\nx"},
		{"M-POST", "x",
		 "M-POST / HTTP/1.1\r\nAccept: */*\r\nConnection: close\r\nContent-Length: "
		 "1\r\n\r\nx"},
	};
	struct world *w = *state;
	char url[URL_TEXT_MAX];
	struct server s;
	struct got got;

	server_open(&s, w, OK, CLOSES);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		ask(&got, w,
		    &(struct httpc_request){.url = server_url(url, &s, ""),
					    .method = rows[i].method,
					    .body = str_of(rows[i].body)});
		assert_good(&got, 200, "ok");
		assert_request(&s, rows[i].expected);
		got_done(&got);
	}
	server_close(&s);
}

static void test_head(void **state)
{
	struct world *w = *state;
	char url[URL_TEXT_MAX];
	struct server s;
	struct got got;

	server_open(&s, w, "HTTP/1.1 200 OK\r\nContent-Length: 9000000000\r\n\r\n", CLOSES);
	ask(&got, w, &(struct httpc_request){.url = server_url(url, &s, "/"), .method = "HEAD"});
	assert_good(&got, 200, "");
	assert_str(httpc_answer_header(&got.answer, "Content-Length"), "9000000000");
	assert_request(&s, "HEAD / HTTP/1.1\r\nAccept: */*\r\nConnection: close\r\n\r\n");
	got_done(&got);
	server_close(&s);
}

static void test_basic_authentication(void **state)
{
	struct world *w = *state;
	char url[URL_TEXT_MAX];
	struct server s;
	struct got got;

	server_open(
		&s, w,
		"HTTP/1.1 401 No\r\nWWW-Authenticate: Basic\r\nContent-Length: 7\r\n\r\nbadauth",
		CLOSES);
	ask(&got, w,
	    &(struct httpc_request){
		    .url = server_url(url, &s, "/"), .user = "a@b", .password = "p:w \xc3\xa4"});
	assert_good(&got, 401, "badauth");
	assert_non_null(strstr(s.request, "\r\nAuthorization: Basic YUBiOnA6dyDDpA==\r\n"));
	assert_int_equal(s.n_requests, 1); /* asked once: a second try would be hammering */
	got_done(&got);
	ask(&got, w, &(struct httpc_request){.url = server_url(url, &s, "/"), .user = "a"});
	assert_non_null(strstr(s.request, "\r\nAuthorization: Basic YTo=\r\n"));
	got_done(&got);
	server_close(&s);
}

/* Nothing of the user's environment has a say. */
static void test_environment(void **state)
{
	static const char *const names[] = {"http_proxy", "HTTPS_PROXY", "https_proxy", "all_proxy",
					    "ALL_PROXY"};
	struct world *w = *state;
	char url[URL_TEXT_MAX], home[] = "/tmp/homeport-httpc-XXXXXX", netrc[64];
	struct server s;
	struct got got;
	FILE *f;

	assert_non_null(mkdtemp(home));
	snprintf(netrc, sizeof(netrc), "%s/.netrc", home);
	f = fopen(netrc, "w");
	fputs("machine 127.0.0.1 login ann password secret\n", f);
	fclose(f);
	setenv("HOME", home, 1);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		setenv(names[i], "http://127.0.0.1:1", 1);
	server_open(&s, w, "HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 2\r\n\r\nok",
		    CLOSES);
	for (int i = 0; i < 2; i++) {
		ask(&got, w, &(struct httpc_request){.url = server_url(url, &s, "/")});
		assert_good(&got, 200, "ok");
		assert_request(&s, "GET / HTTP/1.1\r\nAccept: */*\r\nConnection: close\r\n\r\n");
		got_done(&got);
	}
	server_close(&s);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		unsetenv(names[i]);
	unlink(netrc);
	rmdir(home);
}

static char *filled(const char *before, char c, size_t n, const char *behind)
{
	size_t len = strlen(before);
	char *text = malloc(len + n + strlen(behind) + 1);

	memcpy(text, before, len);
	memset(text + len, c, n);
	strcpy(text + len + n, behind);
	return text;
}

/* ── what comes back ── */

/* One answer, and how it ends the call. */
static void answered_within(struct world *w, struct got *got, const char *answer, enum then then,
			    size_t head_max, size_t body_max)
{
	char url[URL_TEXT_MAX];
	struct server s;

	server_open(&s, w, answer, then);
	ask(got, w,
	    &(struct httpc_request){
		    .url = server_url(url, &s, "/"), .head_max = head_max, .body_max = body_max});
	server_close(&s);
}

static void answered(struct world *w, struct got *got, const char *answer, enum then then)
{
	answered_within(w, got, answer, then, 0, 0);
}

static void test_framing(void **state)
{
	static const struct {
		const char *answer, *body;
		unsigned status;
		enum then then;
	} rows[] = {
		{"HTTP/1.1 200 OK\r\n\r\nto the end", "to the end", 200, CLOSES},
		{"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nonetwo", "one", 200, CLOSES},
		{"HTTP/1.1 204 No\r\n\r\n", "", 204, STAYS},
		{"HTTP/1.1 304 Not\r\nContent-Length: 9\r\n\r\n", "", 304, STAYS},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: "
		 "chunked\r\n\r\n3;x=y\r\none\r\n3\r\ntwo\r\n0\r\n\r\n",
		 "onetwo", 200, STAYS},
		{"HTTP/1.1 500 No\r\nContent-Length: 5\r\n\r\n<xml>", "<xml>", 500, STAYS},
		{"HTTP/1.1 200 OK\nContent-Length: 2\n\nok", "ok", 200, STAYS},
		{"HTTP/1.1 100 Continue\r\nX: 1\r\n\r\nHTTP/1.1 103 Hints\r\nX: 2\r\n\r\n"
		 "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
		 "ok", 200, STAYS},
		/* not decoded: nobody asked for it */
		{"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n\x1f\x8b",
		 "\x1f\x8b", 200, STAYS},
	};
	struct got got;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		answered(*state, &got, rows[i].answer, rows[i].then);
		assert_good(&got, rows[i].status, rows[i].body);
		assert_null(httpc_answer_header(&got.answer, "X").at);
		got_done(&got);
	}
}

static void test_trailers_are_no_headers(void **state)
{
	struct got got;

	answered(*state, &got,
		 "HTTP/1.1 200 OK\r\nA: head\r\nTransfer-Encoding: chunked\r\n\r\n"
		 "0\r\nA: trailer\r\nB: trailer\r\nHTTP/1.1 200 OK\r\nC: trailer\r\n\r\n",
		 CLOSES);
	if (got.answer.r == 0)
		assert_str(httpc_answer_header(&got.answer, "A"), "head");
	assert_null(httpc_answer_header(&got.answer, "B").at);
	assert_null(httpc_answer_header(&got.answer, "C").at);
	got_done(&got);
	answered(*state, &got,
		 "HTTP/1.1 200 OK\r\nA: head\r\nTransfer-Encoding: chunked\r\n\r\n"
		 "2\r\nok\r\n0\r\nA: trailer\r\nB: trailer\r\n\r\n",
		 CLOSES);
	assert_good(&got, 200, "ok");
	assert_str(httpc_answer_header(&got.answer, "A"), "head");
	assert_null(httpc_answer_header(&got.answer, "B").at);
	got_done(&got);
}

static void test_bad_answers(void **state)
{
	static const struct {
		const char *answer;
		int code;
		unsigned status;
		enum then then;
	} rows[] = {
		{"", ERR_RESET, 0, CLOSES},
		{"", ERR_RESET, 0, RESETS},
		{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfour", ERR_RESET, 200, CLOSES},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfour", ERR_RESET, 200,
		 CLOSES},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfour\r\n", ERR_RESET,
		 200, CLOSES},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", ERR_RESET, 200,
		 STAYS},
		{"HTTP/1.1 101 Other\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", ERR_RESET, 101,
		 CLOSES},
		{"HTTP/1.1 20 OK\r\n\r\n", ERR_INVALID, 0, CLOSES},
		{"HTTP/2 20 OK\r\n\r\n", ERR_INVALID, 20, CLOSES},
		{"good 192.0.2.1\r\n", ERR_INVALID, 0, CLOSES},
		{"\x16\x03\x01 TLS perhaps", ERR_INVALID, 0, CLOSES},
		{"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", ERR_INVALID, 200, STAYS},
		{"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n", ERR_LIMIT, 200,
		 STAYS},
	};
	struct got got;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		answered(*state, &got, rows[i].answer, rows[i].then);
		assert_bad(&got, rows[i].code, "http://127.0.0.1:");
		assert_int_equal(got.answer.status, rows[i].status);
		got_done(&got);
	}
}

/* Both ways the connection breaks at once; whatever is still read, the call ends. */
static void test_reset_behind_the_answer(void **state)
{
	char *body = filled("HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n", 'x', 60000, "");
	struct got got;

	for (int i = 0; i < 20; i++) {
		answered(*state, &got, body, RESETS);
		assert_true(got.answer.r == 0 || got.answer.r == -ERR_RESET);
		got_done(&got);
	}
	free(body);
}

static void test_reset_while_sending(void **state)
{
	struct world *w = *state;
	char url[URL_TEXT_MAX], *body = filled("", 'x', HTTPC_REQUEST_MAX, "");
	struct server s;
	struct got got;

	server_open(&s, w, NULL, STAYS);
	s.hangs_up = true;
	ask(&got, w,
	    &(struct httpc_request){.url = server_url(url, &s, "/"), .body = str_of(body)});
	assert_bad(&got, ERR_RESET, "http://127.0.0.1:");
	got_done(&got);
	server_close(&s);
	free(body);
}

static void test_redirect_is_an_answer(void **state)
{
	struct world *w = *state;
	char url[URL_TEXT_MAX], answer[256];
	struct server s;
	struct got got;

	server_open(&s, w, NULL, CLOSES);
	snprintf(answer, sizeof(answer),
		 "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:%u/other\r\nContent-Length: "
		 "0\r\n\r\n",
		 s.port);
	server_says(&s, answer, CLOSES);
	ask(&got, w, &(struct httpc_request){.url = server_url(url, &s, "/")});
	assert_good(&got, 302, "");
	assert_non_null(strstr(httpc_answer_header(&got.answer, "Location").at, "/other"));
	assert_int_equal(s.n_requests, 1);
	got_done(&got);
	server_close(&s);
}

static void test_body_limit(void **state)
{
	const size_t most = 100 * 1024; /* more than libcurl reads at once */
	static const char *const heads[] = {
		"HTTP/1.1 200 OK\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1000000\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 16777216\r\n\r\n",
	};
	struct got got;
	char *answer;

	answer = filled("HTTP/1.1 200 OK\r\n\r\n", 'x', most, "");
	answered_within(*state, &got, answer, CLOSES, 0, most);
	assert_int_equal(got.answer.r, 0);
	assert_int_equal(got.answer.body.len, most);
	got_done(&got);
	free(answer);
	for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
		answer = filled(heads[i], 'x', most + 1, "");
		answered_within(*state, &got, answer, STAYS, 0, most);
		assert_bad(&got, ERR_LIMIT, "an answer of more than 102400 bytes");
		got_done(&got);
		free(answer);
	}
	answer = filled("HTTP/1.1 200 OK\r\n\r\n", 'x', HTTPC_BODY_MAX + 1, "");
	answered_within(*state, &got, answer, STAYS, 0, 0); /* the default is one */
	assert_bad(&got, ERR_LIMIT, "an answer of more than 65536 bytes");
	got_done(&got);
	free(answer);
}

/* All that the server says, over and over. */
static char *repeated(const char *text, size_t times)
{
	size_t len = strlen(text);
	char *all = malloc(len * times + 1);

	for (size_t i = 0; i < times; i++)
		memcpy(all + i * len, text, len);
	all[len * times] = '\0';
	return all;
}

static void test_head_limit(void **state)
{
	struct got got;
	char *answer;

	answer = filled("HTTP/1.1 200 OK\r\nX: ", 'x', HTTPC_HEAD_MAX - 64,
			"\r\nContent-Length: 2\r\n\r\nok");
	answered(*state, &got, answer, STAYS);
	assert_good(&got, 200, "ok");
	got_done(&got);
	free(answer);

	answer = filled("HTTP/1.1 200 OK\r\nX: ", 'x', HTTPC_HEAD_MAX, "\r\n\r\n");
	answered(*state, &got, answer, STAYS);
	assert_bad(&got, ERR_LIMIT, "more than 16384 bytes of header fields");
	got_done(&got);
	free(answer);

	answer = filled("HTTP/1.1 200 OK\r\nX: ", 'x', 1 << 20, ""); /* a line without end */
	answered(*state, &got, answer, STAYS);
	assert_int_equal(got.answer.r, -ERR_LIMIT);
	got_done(&got);
	free(answer);

	answer = repeated("HTTP/1.1 103 More\r\nX: y\r\n\r\n", 10000);
	answered(*state, &got, answer, STAYS);
	assert_bad(&got, ERR_LIMIT, "bytes of header fields");
	got_done(&got);
	free(answer);

	answered_within(*state, &got, "HTTP/1.1 200 OK\r\nA: b\r\n\r\n", STAYS, 20, 0);
	assert_bad(&got, ERR_LIMIT, "more than 20 bytes of header fields");
	got_done(&got);
}

/* ── time ── */

static void test_timeout(void **state)
{
	struct world *w = *state;
	char url[URL_TEXT_MAX];
	struct server s;
	struct got got;
	struct httpc_request request = {.url = url, .timeout = 50 * USEC_PER_MS};

	server_open(&s, w, NULL, STAYS);
	server_url(url, &s, "/secret");
	ask(&got, w, &request);
	assert_bad(&got, ERR_TIMEOUT, ": no answer within 50 ms");
	assert_null(strstr(got.answer.err.text, "secret"));
	assert_true(got.answer.took >= 50 * USEC_PER_MS);
	assert_int_equal(got.answer.status, 0);
	got_done(&got);

	request.timeout = 500 * USEC_PER_MS;
	server_says(&s, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfour", STAYS);
	ask(&got, w, &request);
	assert_bad(&got, ERR_TIMEOUT, ": no answer within 500 ms");
	assert_int_equal(got.answer.status, 200);
	got_done(&got);
	server_close(&s);
}

/* Somebody who takes the connection and then does not speak TLS. */
static void test_connect_timeout(void **state)
{
	struct world *w = *state;
	char url[URL_TEXT_MAX];
	struct server s;
	struct got got;

	server_open(&s, w, NULL, STAYS);
	snprintf(url, sizeof(url), "https://127.0.0.1:%u/", s.port);
	ask(&got, w, &(struct httpc_request){.url = url, .connect_timeout = 50 * USEC_PER_MS});
	assert_bad(&got, ERR_TIMEOUT, "no connection within 50 ms");
	got_done(&got);
	server_close(&s);
}

static usec_t cpu_time(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (usec_t)ts.tv_sec * USEC_PER_S + (usec_t)ts.tv_nsec / 1000;
}

static int n_descriptors(void)
{
	DIR *directory = opendir("/proc/self/fd");
	int n = 0;

	while (readdir(directory))
		n++;
	closedir(directory);
	return n;
}

/* While it waits it does not turn, and afterwards nothing is left: no descriptor, so nothing that
 * could wake anybody. */
static void test_quiet(void **state)
{
	struct world *w = *state;
	char url[URL_TEXT_MAX];
	struct server s;
	struct got got;
	usec_t cpu;
	int n;

	server_open(&s, w, OK, CLOSES);
	server_url(url, &s, "/");
	ask(&got, w, &(struct httpc_request){.url = url});
	got_done(&got);
	n = n_descriptors();
	ask(&got, w, &(struct httpc_request){.url = url});
	got_done(&got);
	assert_int_equal(n_descriptors(), n);
	server_says(&s, NULL, STAYS);
	cpu = cpu_time();
	ask(&got, w, &(struct httpc_request){.url = url, .timeout = 200 * USEC_PER_MS});
	assert_true(cpu_time() - cpu < 100 * USEC_PER_MS);
	got_done(&got);
	server_close(&s);
}

/* ── who is spoken to, and from where ── */

static void test_refused(void **state)
{
	struct world *w = *state;
	char url[URL_TEXT_MAX], words[128];
	struct server s;
	struct got got;

	server_open(&s, w, NULL, CLOSES);
	server_url(url, &s, "/secret?token=secret");
	snprintf(words, sizeof(words),
		 "http://127.0.0.1:%u: connect to 127.0.0.1:%u: Connection refused", s.port,
		 s.port);
	server_close(&s);
	ask(&got, w, &(struct httpc_request){.url = url, .user = "secret", .password = "secret"});
	assert_bad(&got, ERR_REFUSED, words);
	assert_null(strstr(got.answer.err.text, "secret"));
	assert_int_equal(got.answer.peer.family, 0);
	got_done(&got);
}

static void test_names(void **state)
{
	struct world *w = *state;
	char url[URL_TEXT_MAX];
	struct server s;
	struct got got;
	int lookups = libc.lookups;

	server_open(&s, w, OK, CLOSES);
	snprintf(url, sizeof(url), "http://here.example:%u/", s.port);
	for (int i = 1; i <= 2; i++) { /* nothing is remembered */
		ask(&got, w, &(struct httpc_request){.url = url});
		assert_good(&got, 200, "ok");
		assert_int_equal(libc.lookups, lookups + i);
		got_done(&got);
	}
	ask(&got, w, &(struct httpc_request){.url = "http://nowhere.example/secret"});
	assert_bad(&got, ERR_NOT_FOUND, "http://nowhere.example: no address for that name");
	assert_null(strstr(got.answer.err.text, "secret"));
	got_done(&got);
	server_close(&s);
}

static void test_source(void **state)
{
	struct world *w = *state;
	char url[URL_TEXT_MAX];
	struct ipaddr source = address("127.0.0.5"), elsewhere = address("192.0.2.1");
	struct server s;
	struct got got;

	server_open(&s, w, OK, CLOSES);
	server_url(url, &s, "/");
	ask(&got, w, &(struct httpc_request){.url = url, .source = &source});
	assert_good(&got, 200, "ok");
	assert_true(ipaddr_equal(&got.answer.local, &s.from));
	s.from.port = 0;
	assert_true(ipaddr_equal(&s.from, &source));
	got_done(&got);
	ask(&got, w, &(struct httpc_request){.url = url, .source = &elsewhere});
	assert_bad(&got, ERR_FAILED, ": 192.0.2.1 is no address of this machine");
	got_done(&got);
	assert_int_equal(s.n_requests, 1);
	server_close(&s);
}

static void test_family(void **state)
{
	struct world *w = *state;
	char url[URL_TEXT_MAX];
	struct ipaddr source = address("::1");
	struct server s;
	struct got got;

	server_open(&s, w, OK, CLOSES);
	server_url(url, &s, "/");
	ask(&got, w, &(struct httpc_request){.url = url, .family = 6});
	assert_bad(&got, ERR_NOT_FOUND, ": the host has no IPv6 address");
	got_done(&got);
	ask(&got, w, &(struct httpc_request){.url = url, .source = &source});
	assert_bad(&got, ERR_NOT_FOUND, ": the host has no IPv6 address");
	got_done(&got);
	snprintf(url, sizeof(url), "http://here.example:%u/", s.port);
	ask(&got, w, &(struct httpc_request){.url = url, .family = 4});
	assert_good(&got, 200, "ok");
	got_done(&got);
	ask(&got, w, &(struct httpc_request){.url = url, .family = 6});
	assert_bad(&got, ERR_NOT_FOUND, ": the host has no IPv6 address");
	got_done(&got);
	assert_int_equal(s.n_requests, 1);
	server_close(&s);
}

static void test_peer(void **state)
{
	static const char *const urls[] = {"http://router.example:5000/desc.xml",
					   "http://192.0.2.1:5000/desc.xml",
					   "http://[2001:db8::1]:5000/desc.xml"};
	static const char *const hosts[] = {"\r\nHost: router.example:5000\r\n",
					    "\r\nHost: 192.0.2.1:5000\r\n",
					    "\r\nHost: [2001:db8::1]:5000\r\n"};
	struct world *w = *state;
	struct ipaddr peer;
	struct server s;
	struct got got;
	int lookups = libc.lookups;

	server_open(&s, w, OK, CLOSES);
	peer = sock_listener_addr(s.listener)->ip;
	for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
		ask(&got, w, &(struct httpc_request){.url = urls[i], .peer = &peer});
		assert_good(&got, 200, "ok");
		assert_non_null(strstr(s.request, hosts[i]));
		assert_non_null(strstr(s.request, "GET /desc.xml HTTP/1.1\r\n"));
		assert_true(ipaddr_equal(&got.answer.peer, &peer));
		got_done(&got);
	}
	assert_int_equal(libc.lookups, lookups);
	server_close(&s);
}

static void test_peer_without_port(void **state)
{
	struct world *w = *state;
	char url[URL_TEXT_MAX];
	struct ipaddr peer = address("127.0.0.1"), source = address("127.0.0.7");
	struct server s;
	struct got got;

	server_open(&s, w, OK, CLOSES);
	snprintf(url, sizeof(url), "http://router.example:%u/", s.port);
	ask(&got, w, &(struct httpc_request){.url = url, .peer = &peer, .source = &source});
	assert_good(&got, 200, "ok");
	assert_int_equal(s.from.bytes[3], 7);
	got_done(&got);
	server_close(&s);
}

static void test_ipv6(void **state)
{
	struct world *w = *state;
	char url[URL_TEXT_MAX];
	struct ipaddr peer;
	struct server s;
	struct got got;

	if (!server_open_at(&s, w, address("::1")))
		skip();
	server_says(&s, OK, CLOSES);
	snprintf(url, sizeof(url), "http://[::1]:%u/", s.port);
	ask(&got, w, &(struct httpc_request){.url = url});
	assert_good(&got, 200, "ok");
	peer = sock_listener_addr(s.listener)->ip;
	assert_true(ipaddr_equal(&got.answer.peer, &peer));
	got_done(&got);
	ask(&got, w, &(struct httpc_request){.url = "http://router.example/", .peer = &peer});
	assert_good(&got, 200, "ok");
	assert_non_null(strstr(s.request, "\r\nHost: router.example\r\n"));
	got_done(&got);
	ask(&got, w, &(struct httpc_request){.url = url, .family = 4});
	assert_bad(&got, ERR_NOT_FOUND, ": the host has no IPv4 address");
	got_done(&got);
	server_close(&s);
}

/* A router's address is of this kind, and means nothing without its interface. */
static void test_link_local(void **state)
{
	struct world *w = *state;
	struct ipaddr at = address("fe80::5"), peer;
	struct server s;
	struct got got;

	if (!own_network)
		skip();
	at.scope = if_nametoindex("lo");
	assert_true(server_open_at(&s, w, at));
	server_says(&s, OK, CLOSES);
	peer = sock_listener_addr(s.listener)->ip;
	ask(&got, w,
	    &(struct httpc_request){
		    .url = "http://[fe80::5]:5000/desc.xml", .peer = &peer, .source = &at});
	assert_good(&got, 200, "ok");
	assert_true(ipaddr_equal(&got.answer.peer, &peer));
	assert_true(ipaddr_equal(&got.answer.local, &s.from));
	assert_int_equal(got.answer.peer.scope, at.scope);
	assert_non_null(strstr(s.request, "\r\nHost: [fe80::5]:5000\r\n"));
	got_done(&got);
	server_close(&s);
}

static void test_interface(void **state)
{
	struct world *w = *state;
	char url[URL_TEXT_MAX];
	struct server s;
	struct got got;

	if (!own_network)
		skip(); /* older kernels want a privilege */
	server_open(&s, w, OK, CLOSES);
	server_url(url, &s, "/");
	ask(&got, w, &(struct httpc_request){.url = url, .interface_name = "lo"});
	assert_good(&got, 200, "ok");
	got_done(&got);
	ask(&got, w, &(struct httpc_request){.url = url, .interface_name = "no-such-one"});
	assert_bad(&got, ERR_FAILED, "No such device");
	got_done(&got);
	server_close(&s);
}

static void test_kept_connection(void **state)
{
	struct world *w = *state;
	char url[URL_TEXT_MAX];
	struct ipaddr source = address("127.0.0.1");
	struct server s;
	struct got got;
	struct httpc_request request = {.url = url, .keep = true};

	server_open(&s, w, OK, STAYS);
	server_url(url, &s, "/");
	for (int i = 1; i <= 3; i++) {
		ask(&got, w, &request);
		assert_good(&got, 200, "ok");
		assert_int_equal(s.n_requests, i);
		assert_int_equal(s.n_visits, 1);
		assert_null(strstr(s.request, "Connection:"));
		got_done(&got);
	}
	request.source = &source; /* it matters which connection it is */
	ask(&got, w, &request);
	assert_int_equal(s.n_visits, 2);
	got_done(&got);
	request.source = NULL;
	request.keep = false;
	ask(&got, w, &request);
	assert_int_equal(s.n_visits, 3);
	got_done(&got);
	server_close(&s);
}

/* ── the end before the end ── */

static void test_cancel(void **state)
{
	struct world *w = *state;
	char url[URL_TEXT_MAX];
	struct server s;
	struct got got, other;
	struct httpc_call *call;

	httpc_cancel(NULL);
	server_open(&s, w, OK, CLOSES);
	server_url(url, &s, "/");
	got_init(&got, w);
	httpc_cancel(start(&got, &(struct httpc_request){.url = url})); /* before anything */
	w->awaited--;
	call = start(&got, &(struct httpc_request){.url = "http://127.0.0.1:1/"});
	ask(&other, w, &(struct httpc_request){.url = url, .timeout = DEADLINE});
	if (got.calls == 0) {
		httpc_cancel(call);
		w->awaited--;
	}
	assert_good(&other, 200, "ok");
	got_done(&got);
	got_done(&other);
	server_close(&s);
}

struct canceller {
	struct world *w;
	struct httpc_call *calls[2];
	int told;
	bool free_all;
};

/* Whoever is told first cancels both, himself too. */
static void on_done_cancel(void *arg, const struct httpc_answer *answer)
{
	struct canceller *c = arg;

	c->told++;
	for (int i = 0; i < 2; i++)
		httpc_cancel(c->calls[i]);
	assert_str(answer->body, "ok"); /* still there */
	if (c->free_all)
		httpc_free(TAKE(c->w->httpc));
	assert_str(answer->body, "ok");
	loop_stop(c->w->loop);
}

static void cancel_in_on_done(struct world *w, bool free_all)
{
	char url[URL_TEXT_MAX];
	struct server s;
	struct canceller c = {.w = w, .free_all = free_all};

	server_open(&s, w, OK, CLOSES);
	server_url(url, &s, "/");
	for (int i = 0; i < 2; i++)
		assert_int_equal(httpc_start(w->httpc, &(struct httpc_request){.url = url},
					     on_done_cancel, &c, &c.calls[i], NULL),
				 0);
	run(w);
	assert_int_equal(c.told, 1);
	server_close(&s);
}

static void test_cancel_in_on_done(void **state)
{
	cancel_in_on_done(*state, false);
}

static void test_free_in_on_done(void **state)
{
	cancel_in_on_done(*state, true);
}

static void on_done_ask_again(void *arg, const struct httpc_answer *answer)
{
	struct got *got = arg;
	char url[URL_TEXT_MAX];

	if (++got->calls == 3) {
		loop_stop(got->w->loop);
		return;
	}
	snprintf(url, sizeof(url), "http://127.0.0.1:%u/", answer->peer.port);
	assert_int_equal(httpc_start(got->w->httpc, &(struct httpc_request){.url = url},
				     on_done_ask_again, got, NULL, NULL),
			 0);
}

static void test_ask_in_on_done(void **state)
{
	struct world *w = *state;
	char url[URL_TEXT_MAX];
	struct server s;
	struct got got = {.w = w};

	server_open(&s, w, OK, CLOSES);
	assert_int_equal(httpc_start(w->httpc,
				     &(struct httpc_request){.url = server_url(url, &s, "/")},
				     on_done_ask_again, &got, NULL, NULL),
			 0);
	run(w);
	assert_int_equal(got.calls, 3);
	assert_int_equal(s.n_requests, 3);
	server_close(&s);
}

static void test_free_with_calls(void **state)
{
	struct world *w = *state;
	char url[URL_TEXT_MAX];
	struct server s;
	struct got got, silent;

	server_open(&s, w, OK, CLOSES);
	ask(&got, w, &(struct httpc_request){.url = server_url(url, &s, "/")});
	server_says(&s, NULL, STAYS);
	got_init(&silent, w);
	for (int i = 0; i < 3; i++) /* two of them on their way, one just begun */
		start(&silent, &(struct httpc_request){.url = url});
	httpc_free(TAKE(w->httpc));
	assert_int_equal(silent.calls, 0);
	w->awaited = 0;
	got_done(&got);
	server_close(&s);
}

static void test_most_calls(void **state)
{
	struct world *w = *state;
	struct httpc_request request = {.url = "http://127.0.0.1:1/"};
	struct got got;
	struct err e;

	got_init(&got, w);
	for (int i = 0; i < HTTPC_CALLS_MAX; i++)
		start(&got, &request);
	assert_int_equal(httpc_start(w->httpc, &request, on_done, &got, NULL, &e), -ERR_LIMIT);
	assert_string_equal(e.text, "64 HTTP requests are under way already");
	run(w);
	assert_int_equal(got.calls, HTTPC_CALLS_MAX);
	assert_int_equal(got.answer.r, -ERR_REFUSED);
	got.calls = 0;
	start(&got, &request);
	run(w);
	got_done(&got);
}

struct lookups {
	struct loop *loop;
	struct timer look;
	int n;
};

static void look_at_lookups(void *arg)
{
	struct lookups *l = arg;
	bool there;

	pthread_mutex_lock(&libc.lock);
	there = libc.waiting >= l->n;
	pthread_mutex_unlock(&libc.lock);
	if (there)
		loop_stop(l->loop);
	else
		timer_start(&l->look, USEC_PER_MS);
}

static void until_lookups_hang(struct world *w, int n)
{
	struct lookups l = {.loop = w->loop, .n = n};

	timer_init(&l.look, w->loop, look_at_lookups, &l);
	look_at_lookups(&l);
	run(w);
	timer_stop(&l.look);
}

/* A name server that does not answer holds up a thread, and nobody else. */
static void test_hanging_lookup(void **state)
{
	struct world *w = *state;
	struct got got;
	struct httpc_request request = {.url = "http://hangs.example/"};
	usec_t before;

	libc.let_go = false;
	got_init(&got, w);
	httpc_cancel(start(&got, &request)); /* while it is being loaded */
	start(&got, &request);
	httpc_cancel(start(&got, &request));
	until_lookups_hang(w, 1);
	w->awaited = 0;
	request.timeout = 50 * USEC_PER_MS;
	ask(&got, w, &request);
	assert_bad(&got, ERR_TIMEOUT, "no answer within 50 ms");
	got_done(&got);
	request.connect_timeout = 20 * USEC_PER_MS;
	ask(&got, w, &request);
	assert_bad(&got, ERR_TIMEOUT, "no connection within 20 ms");
	got_done(&got);
	until_lookups_hang(w, 3);
	before = ustime_boot();
	httpc_free(TAKE(w->httpc)); /* with one under way */
	assert_true(ustime_boot() - before < USEC_PER_S);
	pthread_mutex_lock(&libc.lock);
	assert_int_equal(libc.waiting, 3);
	libc.let_go = true;
	pthread_cond_broadcast(&libc.changed);
	while (libc.waiting > 0)
		pthread_cond_wait(&libc.changed, &libc.lock);
	pthread_mutex_unlock(&libc.lock);
}

static void test_without_libcurl(void **state)
{
	struct world *w = *state;
	char url[URL_TEXT_MAX];
	struct server s;
	struct got got, other;

	server_open(&s, w, OK, CLOSES);
	server_url(url, &s, "/");
	libc.no_libcurl = true;
	got_init(&other, w);
	start(&other, &(struct httpc_request){.url = url});
	ask(&got, w, &(struct httpc_request){.url = url});
	assert_bad(&got, ERR_FAILED,
		   "HTTP requests need libcurl.so.4 (Debian: apt-get install libcurl4)");
	assert_int_equal(other.answer.r, -ERR_FAILED);
	got_done(&got);
	got_done(&other);
	libc.no_libcurl = false; /* installed meanwhile */
	ask(&got, w, &(struct httpc_request){.url = url});
	assert_good(&got, 200, "ok");
	got_done(&got);
	got_init(&got, w);
	server_close(&s);
}

/* Freed while the pool is loading it; a new one at the same time. */
static void test_free_while_loading(void **state)
{
	struct world *w = *state;
	char url[URL_TEXT_MAX];
	struct server s;
	struct got got;

	server_open(&s, w, OK, CLOSES);
	server_url(url, &s, "/");
	got_init(&got, w);
	start(&got, &(struct httpc_request){.url = url});
	httpc_free(w->httpc);
	w->awaited = 0;
	assert_int_equal(httpc_new(w->loop, &w->httpc, NULL), 0);
	httpc_cancel(start(&got, &(struct httpc_request){.url = url}));
	w->awaited = 0;
	ask(&got, w, &(struct httpc_request){.url = url});
	assert_good(&got, 200, "ok");
	got_done(&got);
	server_close(&s);
}

/* ── secrets ── */

#define SECRET_LEN 32

/* Where a secret is, which stands masked in `needle`; -1: nowhere. */
static ssize_t find_masked(const char *bytes, size_t len, const char *needle)
{
	for (size_t i = 0; i + SECRET_LEN <= len; i++) {
		const char *first = memchr(bytes + i, needle[0] ^ 0x55, len - SECRET_LEN + 1 - i);
		size_t same = 1;

		if (!first)
			return -1;
		i = (size_t)(first - bytes);
		while (same < SECRET_LEN && (first[same] ^ 0x55) == needle[same])
			same++;
		if (same == SECRET_LEN)
			return (ssize_t)i;
	}
	return -1;
}

/* Whether it is anywhere in memory that can be written. */
static bool in_memory(const char *needle)
{
	static char chunk[1 << 20];
	FILE *maps = fopen("/proc/self/maps", "r");
	int memory = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
	char line[512], flags[8];
	unsigned long from, to;
	bool found = false;

	assert_true(maps && memory >= 0);
	while (fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%lx %7s", &from, &to, flags) != 3 || flags[1] != 'w' ||
		    to - from > (1UL << 28)) /* the sanitizer's books */
			continue;
		while (from + SECRET_LEN <= to) {
			size_t most = MIN(sizeof(chunk), to - from);
			ssize_t n = pread(memory, chunk, most, (off_t)from);

			if (n < SECRET_LEN)
				break;
			found |= find_masked(chunk, (size_t)n, needle) >= 0;
			from += (size_t)n - SECRET_LEN + 1; /* it may lie across */
		}
	}
	memset(chunk, 0, sizeof(chunk));
	fclose(maps);
	close(memory);
	return found;
}

/* To somebody who takes the request and does not read it, or the test would have a copy itself. */
static void test_secrets_are_wiped(void **state)
{
	struct world *w = *state;
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(at);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char password[SECRET_LEN + 1] = "", bearer[SECRET_LEN + 1] = "", url[URL_TEXT_MAX];
	char masked[3][SECRET_LEN], base64[SECRET_LEN + 1];
	struct httpc_header field = {"X-Key", bearer};
	struct got got;

	assert_int_equal(bind(listener, (struct sockaddr *)&at, len), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &len), 0);
	snprintf(url, sizeof(url), "http://127.0.0.1:%u/", ntohs(at.sin_port));
	for (int i = 0; i < SECRET_LEN; i++) {
		password[i] = (char)('A' + rand() % 26);
		bearer[i] = (char)('a' + rand() % 26);
		masked[0][i] = password[i] ^ 0x55;
		masked[1][i] = bearer[i] ^ 0x55;
	}
	EVP_EncodeBlock((unsigned char *)base64, (unsigned char *)password, SECRET_LEN / 4 * 3);
	for (int i = 0; i < SECRET_LEN; i++)
		masked[2][i] = base64[i] ^ 0x55;
	secret_wipe(base64, sizeof(base64));
	assert_true(in_memory(masked[0])); /* what is there is found */
	got_init(&got, w);
	start(&got, &(struct httpc_request){.url = url,
					    .user = "me", /* base64 begins anew behind "me:" */
					    .password = password,
					    .headers = &field,
					    .n_headers = 1,

					    .timeout = USEC_PER_S});
	secret_wipe(password, sizeof(password));
	secret_wipe(bearer, sizeof(bearer));
	run(w);
	assert_bad(&got, ERR_TIMEOUT, "no answer");
	assert_true(got.answer.peer.port == ntohs(at.sin_port)); /* it was sent */
	assert_false(in_memory(masked[0]));
	assert_false(in_memory(masked[1]));
	assert_false(in_memory(masked[2]));
	got_done(&got);
	close(listener);
}

/* ── what cannot be sent ── */

static void test_bad_requests(void **state)
{
	static const struct ipaddr four = {.family = 4}, six = {.family = 6}, none;
	static const struct httpc_header newline[] = {{"X-Secret", "a\r\nB: secret"}},
					 colon[] = {{"X:", "b"}}, no_name[] = {{"", "b"}},
					 no_value[] = {{"X", NULL}}, nul_name[] = {{NULL, "b"}},
					 length[] = {{"content-length", "5"}},
					 coding[] = {{"Transfer-Encoding", "chunked"}};
	static const struct {
		struct httpc_request request;
		const char *words;
	} rows[] = {
		{{.url = NULL}, "neither http"},
		{{.url = ""}, "neither http"},
		{{.url = "ftp://127.0.0.1/secret"}, "neither http"},
		{{.url = "file:///etc/passwd"}, "neither http"},
		{{.url = "127.0.0.1/secret"}, "neither http"},
		{{.url = "http://"}, "good host name"},
		{{.url = "http:///secret"}, "good host name"},
		{{.url = "http://?secret"}, "good host name"},
		{{.url = "http://a:b:c/"}, "good host name"},
		{{.url = "http://a:0/"}, "good host name"},
		{{.url = "http://a:65536/"}, "good host name"},
		{{.url = "http://user:secret@127.0.0.1/"}, "good host name"},
		{{.url = "http://127.0.0.1\\@secret.example/"}, "good host name"},
		{{.url = "http://[fe80::1%25lo]/"}, "good host name"},
		{{.url = "http://[::1/"}, "good host name"},
		{{.url = "http://%31/"}, "good host name"},
		{{.url = "http://127.0.0.1/a b"}, "blanks"},
		{{.url = "http://127.0.0.1/\r\nsecret"}, "blanks"},
		{{.url = "http://127.0.0.1/\x7f"}, "blanks"},
		{{.url = "http://b\xc3\xbc"
			 "cher.example/"},
		 "blanks"},
		{{.url = "http://a/", .https_only = true}, "not https"},
		{{.url = "http://a/", .method = "G T"}, "http://a: a method"},
		{{.url = "http://a/", .method = ""}, "http://a: a method"},
		{{.url = "http://a/", .method = "HEAD", .body = {"x", 1}}, "HEAD with a body"},
		{{.url = "http://a/", .headers = newline, .n_headers = 1}, "header field X-Secret"},
		{{.url = "http://a/", .headers = colon, .n_headers = 1}, "good name"},
		{{.url = "http://a/", .headers = no_name, .n_headers = 1}, "good name"},
		{{.url = "http://a/", .headers = nul_name, .n_headers = 1}, "good name"},
		{{.url = "http://a/", .headers = no_value, .n_headers = 1}, "header field X"},
		{{.url = "http://a/", .headers = length, .n_headers = 1}, "content-length"},
		{{.url = "http://a/", .headers = coding, .n_headers = 1}, "Transfer-Encoding"},
		{{.url = "http://a/", .user = "us:er"}, "colon"},
		{{.url = "http://a/", .user = "secret\n"}, "control character"},
		{{.url = "http://a/", .user = "x", .password = "secret\r"}, "control character"},
		{{.url = "http://a/", .family = 5}, "families"},
		{{.url = "http://a/", .source = &none}, "families"},
		{{.url = "http://a/", .peer = &none}, "families"},
		{{.url = "http://a/", .source = &four, .peer = &six}, "families"},
		{{.url = "http://a/", .source = &four, .family = 6}, "families"},
		{{.url = "http://a/", .peer = &six, .family = 4}, "families"},
		{{.url = "http://a/", .interface_name = ""}, "interface"},
		{{.url = "http://a/", .interface_name = "a-name-too-long-"}, "interface"},
	};
	struct world *w = *state;
	struct err e;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(httpc_start(w->httpc, &rows[i].request, on_done, NULL, NULL, &e),
				 -ERR_INVALID);
		if (!strstr(e.text, rows[i].words) || strstr(e.text, "secret"))
			fail_msg("%s: %s", rows[i].request.url, e.text);
	}
}

static void test_long_requests(void **state)
{
	struct world *w = *state;
	struct httpc_header fields[HTTPC_HEADERS_MAX + 1];
	char *url = filled("http://127.0.0.1:1/", 'x', HTTPC_URL_MAX - 19, "");
	char *body = malloc(HTTPC_REQUEST_MAX + 1);
	struct httpc_request request = {.url = url,
					.headers = fields,
					.n_headers = HTTPC_HEADERS_MAX,
					.body = {body, HTTPC_REQUEST_MAX}};
	struct got got;

	memset(body, 'x', HTTPC_REQUEST_MAX + 1);
	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		fields[i] = (struct httpc_header){"X", "y"};
	ask(&got, w, &request);
	assert_int_equal(got.answer.r, -ERR_REFUSED);
	got_done(&got);
	request.n_headers++;
	assert_int_equal(httpc_start(w->httpc, &request, on_done, NULL, NULL, NULL), -ERR_LIMIT);
	request.n_headers--;
	request.body.len++;
	assert_int_equal(httpc_start(w->httpc, &request, on_done, NULL, NULL, NULL), -ERR_LIMIT);
	request.body.len--;
	free(url);
	request.url = url = filled("http://127.0.0.1:1/", 'x', HTTPC_URL_MAX - 18, "");
	assert_int_equal(httpc_start(w->httpc, &request, on_done, NULL, NULL, NULL), -ERR_INVALID);
	free(url);
	free(body);
}

/* 1 MiB to somebody who does not read at first. */
static void test_long_body(void **state)
{
	struct world *w = *state;
	char url[URL_TEXT_MAX];
	char *body = filled("", 'x', 7000, "");
	struct server s;
	struct got got;

	server_open(&s, w, OK, CLOSES);
	ask(&got, w,
	    &(struct httpc_request){.url = server_url(url, &s, "/"), .body = str_of(body)});
	assert_good(&got, 200, "ok");
	assert_string_equal(strstr(s.request, "\r\n\r\n") + 4, body);
	got_done(&got);
	server_close(&s);
	free(body);
}

/* ── without a network ── */

struct desk {
	struct httpc_call *call;
	int served;
	struct httpc_request request; /* borrowed from the last call */
};

static void serve(void *arg, struct httpc_call *call, const struct httpc_request *request)
{
	struct desk *desk = arg;

	desk->served++;
	desk->call = call;
	desk->request = *request;
}

static void sim_start(struct world *w, struct got *got, struct httpc_request request)
{
	char secret[] = "secret";

	request.password = secret;
	got_init(got, w);
	start(got, &request);
	memset(secret, 'x', 6); /* they are copied */
}

static void sim_open(struct world *w, struct desk *desk)
{
	assert_int_equal(loop_new_sim(&w->loop, NULL), 0);
	assert_int_equal(httpc_new_sim(w->loop, serve, desk, &w->httpc, NULL), 0);
	w->awaited = 1000; /* no loop_stop there */
}

static void test_sim(void **state)
{
	static const struct httpc_header fields[] = {{"Authorization", "Bearer x"}};
	struct world w = {0};
	struct desk desk = {0};
	struct got got;
	struct httpc_request request = {.url = "https://a.example/b",
					.user = "ann",
					.headers = fields,
					.n_headers = 1,
					.body = STR("{}"),
					.head_max = 30,
					.body_max = 5};

	sim_open(&w, &desk);
	sim_start(&w, &got, request);
	assert_int_equal(desk.served, 0);
	loop_sim_advance(w.loop, 0);
	assert_int_equal(desk.served, 1);
	assert_string_equal(desk.request.method, "POST");
	assert_string_equal(desk.request.url, request.url);
	assert_string_equal(desk.request.user, "ann");
	assert_string_equal(desk.request.password, "secret");
	assert_string_equal(desk.request.headers[0].value, "Bearer x");
	assert_str(desk.request.body, "{}");
	httpc_sim_answer(desk.call, USEC_PER_S, 429, "Retry-After: 30\r\nX: y\r\n", STR("slow!"));
	loop_sim_advance(w.loop, USEC_PER_S - 1);
	assert_int_equal(got.calls, 0);
	loop_sim_advance(w.loop, 1);
	assert_int_equal(got.calls, 1);
	assert_good(&got, 429, "slow!");
	assert_str(httpc_answer_header(&got.answer, "retry-after"), "30");
	assert_int_equal(got.answer.took, USEC_PER_S);
	got_done(&got);

	sim_start(&w, &got, request);
	loop_sim_advance(w.loop, 0);
	httpc_sim_answer(desk.call, 0, 200, NULL, STR("longer"));
	loop_sim_advance(w.loop, 0);
	assert_bad(&got, ERR_LIMIT, "https://a.example: an answer of more than 5 bytes");
	got_done(&got);

	sim_start(&w, &got, request);
	loop_sim_advance(w.loop, 0);
	httpc_sim_answer(desk.call, 0, 200, "A: 7890123456789012345678901234567890\r\n", STR(""));
	loop_sim_advance(w.loop, 0);
	assert_bad(&got, ERR_LIMIT, "more than 30 bytes of header fields");
	got_done(&got);

	sim_start(&w, &got, request);
	loop_sim_advance(w.loop, 0);
	httpc_sim_fail(desk.call, USEC_PER_MS, ERR_REFUSED, "Connection refused");
	loop_sim_advance(w.loop, USEC_PER_MS);
	assert_bad(&got, ERR_REFUSED, "https://a.example: Connection refused");
	got_done(&got);
	httpc_free(w.httpc);
	loop_free(w.loop);
}

static void test_sim_endings(void **state)
{
	struct world w = {0};
	struct desk desk = {0};
	struct got got, other;
	struct httpc_request request = {.url = "https://a.example/b"};

	sim_open(&w, &desk);
	sim_start(&w, &got, request); /* nobody answers */
	loop_sim_advance(w.loop, HTTPC_TIMEOUT - 1);
	assert_int_equal(got.calls, 0);
	loop_sim_advance(w.loop, 1);
	assert_bad(&got, ERR_TIMEOUT, "no answer within 30 s");
	got_done(&got);

	request.timeout = USEC_PER_S; /* too late */
	sim_start(&w, &got, request);
	loop_sim_advance(w.loop, 0);
	httpc_sim_answer(desk.call, 2 * USEC_PER_S, 200, NULL, STR("late"));
	loop_sim_advance(w.loop, 2 * USEC_PER_S);
	assert_bad(&got, ERR_TIMEOUT, "no answer within 1 s");
	assert_int_equal(got.calls, 1);
	got_done(&got);

	sim_start(&w, &got, request); /* cancelled with the answer under way */
	loop_sim_advance(w.loop, 0);
	httpc_sim_answer(desk.call, USEC_PER_MS, 200, NULL, STR("never"));
	httpc_cancel(desk.call);
	sim_start(&w, &other, request); /* and before it was served */
	httpc_free(w.httpc);
	loop_sim_advance(w.loop, 10 * USEC_PER_S);
	assert_int_equal(got.calls + other.calls, 0);
	assert_int_equal(desk.served, 3);
	loop_free(w.loop);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, world_init, world_done)
	const struct CMUnitTest tests[] = {
		T(test_get),
		T(test_post),
		T(test_methods),
		T(test_head),
		T(test_basic_authentication),
		T(test_environment),
		T(test_framing),
		T(test_trailers_are_no_headers),
		T(test_bad_answers),
		T(test_reset_behind_the_answer),
		T(test_reset_while_sending),
		T(test_redirect_is_an_answer),
		T(test_body_limit),
		T(test_head_limit),
		T(test_timeout),
		T(test_connect_timeout),
		T(test_quiet),
		T(test_refused),
		T(test_names),
		T(test_source),
		T(test_family),
		T(test_peer),
		T(test_peer_without_port),
		T(test_ipv6),
		T(test_link_local),
		T(test_interface),
		T(test_kept_connection),
		T(test_cancel),
		T(test_cancel_in_on_done),
		T(test_free_in_on_done),
		T(test_ask_in_on_done),
		T(test_free_with_calls),
		T(test_most_calls),
		T(test_hanging_lookup),
		T(test_without_libcurl),
		T(test_free_while_loading),
		T(test_secrets_are_wiped),
		T(test_bad_requests),
		T(test_long_requests),
		T(test_long_body),
		cmocka_unit_test(test_sim),
		cmocka_unit_test(test_sim_endings),
	};
#undef T

	own_network = unshare(CLONE_NEWNET) == 0 && system("ip link set lo up") == 0 &&
		      system("ip address add fe80::5/64 dev lo") == 0;
	if (!own_network)
		fprintf(stderr, "skipped: link-local addresses need root and ip(8)\n");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
