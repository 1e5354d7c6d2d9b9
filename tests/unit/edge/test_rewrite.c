#include "test.h"

#include <stdio.h>

#include "edge/rewrite.h"

static void rewrite(const char *request, const struct edge_rewrite *how, struct buf *to)
{
	struct httphead head;
	struct err e = {0};

	if (httphead_parse(request, strlen(request), &head, &e) != 0)
		fail_msg("%s: %s", request, e.text);
	assert_int_equal(edge_rewrite_request(&head, how, to), 0);
	assert_int_equal(buf_append(to, "", 1), 0);
}

static struct edge_rewrite visitor(void)
{
	struct edge_rewrite how = {.fallback = "127.0.0.1:8000", .proto = "https"};

	assert_int_equal(ipaddr_parse(STR("2001:db8::1"), &how.visitor), 0);
	return how;
}

#define WHO(host)                                                                                  \
	"X-Forwarded-For: 2001:db8::1\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: " host "\r" \
											      "\n"

static void requests(void **state)
{
	static const struct {
		const char *from, *to;
	} table[] = {
		{"GET /a?b HTTP/1.1\r\nHost: Blog.Example:8080\r\nAccept:  x \r\n\r\n",
		 "GET /a?b HTTP/1.1\r\nHost: blog.example:8080\r\nAccept: x\r\n" WHO(
			 "blog.example:8080") "\r\n"},
		{"GET http://a/x HTTP/1.1\r\nHost: a\r\n\r\n",
		 "GET /x HTTP/1.1\r\nHost: a\r\n" WHO("a") "\r\n"},
		{"GET http://a HTTP/1.1\r\nHost: a\r\n\r\n",
		 "GET / HTTP/1.1\r\nHost: a\r\n" WHO("a") "\r\n"},
		{"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
		 "OPTIONS * HTTP/1.1\r\nHost: a\r\n" WHO("a") "\r\n"},
		/* who the visitor is, is ours to say, however it is spelt */
		{"GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 6.6.6.6\r\nx_forwarded_for: 6\r\n"
		 "X_Forwarded-Proto: http\r\nX-FORWARDED-PORT: 1\r\nX_Real_IP: 6\r\nX-Real-Ip: "
		 "6\r\n"
		 "Forwarded: for=6.6.6.6\r\nX-Forwarded: 6\r\nX-Forwarded-Server: x\r\n"
		 "X-Forward: stays\r\n\r\n",
		 "GET / HTTP/1.1\r\nHost: a\r\nX-Forward: stays\r\n" WHO("a") "\r\n"},
		/* of this connection only */
		{"GET / HTTP/1.1\r\nHost: a\r\nConnection: close, X-Mine , TE\r\nX-Mine: 1\r\n"
		 "Keep-Alive: x\r\nProxy-Connection: x\r\nProxy-Authorization: x\r\nProxy: x\r\n"
		 "TE: trailers\r\nTrailer: x\r\nUpgrade: x\r\nHTTP2-Settings: x\r\nX-Yours: 2\r\n"
		 "\r\n",
		 "GET / HTTP/1.1\r\nHost: a\r\nX-Yours: 2\r\n" WHO("a") "\r\n"},
		/* naming our own fields in Connection changes nothing */
		{"GET / HTTP/1.1\r\nHost: a\r\nConnection: Host, X-Forwarded-For\r\n\r\n",
		 "GET / HTTP/1.1\r\nHost: a\r\n" WHO("a") "\r\n"},
		/* bodies */
		{"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 007\r\n\r\n",
		 "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\n" WHO("a") "\r\n"},
		{"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
		 "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n" WHO("a") "\r\n"},
		{"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n"
		 "Expect: 100-Continue\r\nContent_Length: 5\r\n\r\n",
		 "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
		 "Expect: 100-continue\r\n" WHO("a") "\r\n"},
		/* upgrades */
		{"GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\n"
		 "Upgrade: websocket\r\nSec-WebSocket-Key: k\r\n\r\n",
		 "GET / HTTP/1.1\r\nHost: a\r\nSec-WebSocket-Key: k\r\n" WHO(
			 "a") "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"},
		{"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\n"
		 "Upgrade: h2c\r\nHTTP2-Settings: x\r\n\r\n",
		 "GET / HTTP/1.1\r\nHost: a\r\n" WHO("a") "\r\n"},
		{"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket, h2c\r\n"
		 "\r\n",
		 "GET / HTTP/1.1\r\nHost: a\r\n" WHO("a") "\r\n"},
		{"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: TLS/1.0\r\n\r\n",
		 "GET / HTTP/1.1\r\nHost: a\r\n" WHO("a") "\r\n"},
		{"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n",
		 "GET / HTTP/1.1\r\nHost: a\r\n" WHO("a") "\r\n"},
		/* without a Host */
		{"GET / HTTP/1.0\r\n\r\n",
		 "GET / HTTP/1.1\r\nHost: 127.0.0.1:8000\r\nX-Forwarded-For: 2001:db8::1\r\n"
		 "X-Forwarded-Proto: https\r\n\r\n"},
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		AUTO(buf_donep) struct buf to = {0};
		struct edge_rewrite how = visitor();

		rewrite(table[i].from, &how, &to);
		assert_string_equal((char *)buf_head(&to), table[i].to);
	}
}

static void another_host(void **state)
{
	AUTO(buf_donep) struct buf to = {0};
	struct edge_rewrite how = visitor();

	how.host = "local.test";
	rewrite("GET / HTTP/1.1\r\nHost: a:81\r\n\r\n", &how, &to);
	assert_string_equal((char *)buf_head(&to),
			    "GET / HTTP/1.1\r\nHost: local.test\r\n" WHO("a:81") "\r\n");
}

static void answers(void **state)
{
	static const struct httphead_field fields[] = {
#define F(name, value)                                                                             \
	{                                                                                          \
		{name, sizeof(name) - 1},                                                          \
		{                                                                                  \
			value, sizeof(value) - 1                                                   \
		}                                                                                  \
	}
		F("Server", "x"),
		F("Connection", "X-Mine, close"),
		F("X-Mine", "1"),
		F("Keep-Alive", "1"),
		F("Proxy-Authenticate", "1"),
		F("Transfer-Encoding", "chunked"),
		F("Content-Length", "1"),
		F("Alt-Svc", "h3=\":443\""),
		F("alt-svc", "clear"),
		F("Trailer", "1"),
		F("Upgrade", "websocket"),
		F("Set-Cookie", "a"),
		F("Set-Cookie", "b"),
		F("Date", "d"),
#undef F
	};
	struct http_response r = {.status = 200, .n_fields = ARRAY_LEN(fields), .fields = fields};
	AUTO(http_fields_donep) struct http_fields to = {0}, raw = {0};

	edge_rewrite_answer(&r, &to);
	assert_true(str_eq(buf_str(&to.text),
			   STR("Server: x\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nDate: d\r\n")));
	assert_true(to.has_date);
	r.status = 101;
	edge_rewrite_answer(&r, &raw);
	assert_true(str_eq(buf_str(&raw.text),
			   STR("Server: x\r\nUpgrade: websocket\r\nSet-Cookie: a\r\n"
			       "Set-Cookie: b\r\nDate: d\r\n")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests),
		cmocka_unit_test(another_host),
		cmocka_unit_test(answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
