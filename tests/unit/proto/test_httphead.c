#include "test.h"

#include <stdio.h>

#include "proto/httphead.h"

#define HOST "Host: a.example\r\n"

static void reads_a_request(void **state)
{
	static const char text[] = "POST /a%20b?q=1|{2} HTTP/1.1\r\n"
				   "Host: Blog.Example.ORG.:8080\r\n"
				   "content-LENGTH: 5\r\n"
				   "Expect: 100-Continue\r\n"
				   "X-Text: \t caf\xc3\xa9 \t \r\n"
				   "X-Empty:\r\n"
				   "Connection: keep-alive , X-Text\r\n"
				   "\r\nhello";
	struct httphead head;
	struct err e;

	(void)state;
	assert_int_equal(httphead_parse(text, sizeof(text) - 1, &head, &e), 0);
	assert_int_equal(head.len, sizeof(text) - 1 - 5);
	assert_true(str_eq(head.method, STR("POST")));
	assert_true(str_eq(head.target, STR("/a%20b?q=1|{2}")));
	assert_true(str_eq(head.path, head.target));
	assert_int_equal(head.form, HTTPHEAD_ORIGIN);
	assert_int_equal(head.minor, 1);
	assert_string_equal(head.host, "blog.example.org");
	assert_int_equal(head.port, 8080);
	assert_int_equal(head.content_length, 5);
	assert_false(head.chunked);
	assert_true(head.keep_alive);
	assert_false(head.upgrade);
	assert_true(head.expect_continue);
	assert_true(httphead_has_body(&head));
	assert_int_equal(head.n_fields, 6);
	assert_true(str_eq(head.fields[1].name, STR("content-LENGTH")));
	assert_true(str_eq(httphead_field(&head, STR("x-text")), STR("caf\xc3\xa9")));
	assert_non_null(httphead_field(&head, STR("x-empty")).at);
	assert_null(httphead_field(&head, STR("x-none")).at);
	assert_true(httphead_connection_has(&head, STR("x-TEXT")));
	assert_false(httphead_connection_has(&head, STR("close")));
}

/* What the flags and the host come to. */
static void understands(void **state)
{
	static const struct {
		const char *text, *host, *path;
		unsigned port;
		enum httphead_form form;
		bool keep_alive, chunked, upgrade, expect, body;
	} cases[] = {
		{.text = "GET / HTTP/1.1\r\nHost: a\r\n\r\n", .host = "a", .keep_alive = true},
		{.text = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Close\r\n\r\n", .host = "a"},
		{.text = "GET / HTTP/1.1\r\nHost: a\r\nConnection: x\r\nConnection: close,\r\n\r\n",
		 .host = "a"},
		{.text = "GET / HTTP/1.0\r\n\r\n", .host = ""},
		{.text = "GET / HTTP/1.0\r\nHost: a\r\nConnection: Keep-Alive\r\n\r\n",
		 .host = "a",
		 .keep_alive = true},
		{.text = "GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", .host = ""},
		{.text = "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n",
		 .host = "a",
		 .keep_alive = true,
		 .chunked = true,
		 .body = true},
		{.text = "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
		 .host = "a",
		 .keep_alive = true},
		{.text = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"
			 "Connection: keep-alive, Upgrade\r\n\r\n",
		 .host = "a",
		 .keep_alive = true,
		 .upgrade = true},
		{.text = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n",
		 .host = "a",
		 .keep_alive = true},
		{.text = "GET / HTTP/1.0\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
		 .host = ""},
		{.text = "GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n",
		 .host = "a",
		 .keep_alive = true}, /* without a body nobody waits */
		{.text = "PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
			 "Content-Length: 1\r\n\r\n",
		 .host = "a",
		 .keep_alive = true,
		 .expect = true,
		 .body = true},
		{.text = "PUT / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n",
		 .host = "",
		 .body = true},
		{.text = "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
		 .host = "a",
		 .path = "*",
		 .form = HTTPHEAD_ASTERISK,
		 .keep_alive = true},
		{.text = "GET HTTP://A:80/x?y HTTP/1.1\r\nHost: a\r\n\r\n",
		 .host = "a",
		 .path = "/x?y",
		 .form = HTTPHEAD_ABSOLUTE,
		 .keep_alive = true},
		{.text = "GET https://a HTTP/1.1\r\nHost: a:443\r\n\r\n",
		 .host = "a",
		 .port = 443,
		 .form = HTTPHEAD_ABSOLUTE,
		 .keep_alive = true},
		{.text = "GET http://a:81/ HTTP/1.0\r\n\r\n",
		 .host = "a",
		 .port = 81,
		 .form = HTTPHEAD_ABSOLUTE},
		{.text = "GET //b/c HTTP/1.1\r\nHost: a\r\n\r\n",
		 .host = "a",
		 .path = "//b/c",
		 .keep_alive = true},
		{.text = "GET / HTTP/1.1\r\nHost: 192.0.2.1:8080\r\n\r\n",
		 .host = "192.0.2.1",
		 .port = 8080,
		 .keep_alive = true},
		{.text = "GET / HTTP/1.1\r\nHost: [2001:DB8::0:1]:81\r\n\r\n",
		 .host = "[2001:db8::1]",
		 .port = 81,
		 .keep_alive = true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *text = cases[i].text;
		struct httphead head;
		struct err e = {0};

		if (httphead_parse(text, strlen(text), &head, &e) < 0)
			fail_msg("%s: %s", text, e.text);
		assert_int_equal(head.len, strlen(text));
		assert_string_equal(head.host, cases[i].host);
		assert_true(str_eq(head.path, str_of(cases[i].path ? cases[i].path : "/")));
		assert_int_equal(head.port, cases[i].port);
		assert_int_equal(head.form, cases[i].form);
		assert_int_equal(head.keep_alive, cases[i].keep_alive);
		assert_int_equal(head.chunked, cases[i].chunked);
		assert_int_equal(head.upgrade, cases[i].upgrade);
		assert_int_equal(head.expect_continue, cases[i].expect);
		assert_int_equal(httphead_has_body(&head), cases[i].body);
	}
}

static const struct refused {
	struct str text;
	const char *error;
} refused[] = {
	/* framing */
	{STR("POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"),
	 "both Content-Length and Transfer-Encoding"},
	{STR("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n"),
	 "both Content-Length and Transfer-Encoding"},
	{STR("POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\nContent-Length: 5\r\n\r\n"),
	 "two Content-Length fields"},
	{STR("POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\ncontent-length: 6\r\n\r\n"),
	 "two Content-Length fields"},
	{STR("POST / HTTP/1.1\r\n" HOST "Content-Length: 5, 5\r\n\r\n"), "bad Content-Length"},
	{STR("POST / HTTP/1.1\r\n" HOST "Content-Length: +5\r\n\r\n"), "bad Content-Length"},
	{STR("POST / HTTP/1.1\r\n" HOST "Content-Length: -5\r\n\r\n"), "bad Content-Length"},
	{STR("POST / HTTP/1.1\r\n" HOST "Content-Length: 0x5\r\n\r\n"), "bad Content-Length"},
	{STR("POST / HTTP/1.1\r\n" HOST "Content-Length: 5 5\r\n\r\n"), "bad Content-Length"},
	{STR("POST / HTTP/1.1\r\n" HOST "Content-Length: \xa0"
	     "5\r\n\r\n"),
	 "bad Content-Length"},
	{STR("POST / HTTP/1.1\r\n" HOST "Content-Length:\r\n\r\n"), "bad Content-Length"},
	{STR("POST / HTTP/1.1\r\n" HOST "Content-Length: 9223372036854775808\r\n\r\n"),
	 "bad Content-Length"},
	{STR("POST / HTTP/1.1\r\n" HOST "Content-Length: 99999999999999999999999\r\n\r\n"),
	 "bad Content-Length"},
	{STR("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"),
	 "Transfer-Encoding in HTTP/1.0"},
	{STR("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip, chunked\r\n\r\n"),
	 "Transfer-Encoding other than chunked"},
	{STR("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked, identity\r\n\r\n"),
	 "Transfer-Encoding other than chunked"},
	{STR("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: identity\r\n\r\n"),
	 "Transfer-Encoding other than chunked"},
	{STR("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: xchunked\r\n\r\n"),
	 "Transfer-Encoding other than chunked"},
	{STR("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: \"chunked\"\r\n\r\n"),
	 "Transfer-Encoding other than chunked"},
	{STR("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked;q=1\r\n\r\n"),
	 "Transfer-Encoding other than chunked"},
	{STR("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: ,chunked\r\n\r\n"),
	 "Transfer-Encoding other than chunked"},
	{STR("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding:\r\n\r\n"),
	 "Transfer-Encoding other than chunked"},
	{STR("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: \x0b"
	     "chunked\r\n\r\n"),
	 "control character 0x0b"},
	{STR("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: \x85"
	     "chunked\r\n\r\n"),
	 "Transfer-Encoding other than chunked"},
	{STR("POST / HTTP/1.1\r\n" HOST
	     "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"),
	 "two Transfer-Encoding fields"},
	{STR("POST / HTTP/1.1\r\n" HOST
	     "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n"),
	 "two Transfer-Encoding fields"},
	/* lines */
	{STR("GET / HTTP/1.1\r\n" HOST "X: a\r\n b\r\n\r\n"),
	 "header field continued on another line"},
	{STR("GET / HTTP/1.1\r\n" HOST "X: a\r\n\tb\r\n\r\n"),
	 "header field continued on another line"},
	{STR("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding:\r\n chunked\r\n\r\n"),
	 "Transfer-Encoding other than chunked"},
	{STR("GET / HTTP/1.1\r\n X: a\r\n" HOST "\r\n"), "header field continued on another line"},
	{STR("GET / HTTP/1.1\r\n" HOST "X: a\r\n \r\n\r\n"),
	 "header field continued on another line"},
	{STR("GET / HTTP/1.1\r\n" HOST "X : a\r\n\r\n"),
	 "white space before the colon of a header field"},
	{STR("POST / HTTP/1.1\r\n" HOST "Content-Length\t: 5\r\n\r\n"),
	 "white space before the colon of a header field"},
	{STR("GET / HTTP/1.1\r\n" HOST "X Y: a\r\n\r\n"), "bad name of a header field"},
	{STR("GET / HTTP/1.1\r\n" HOST ": a\r\n\r\n"), "bad name of a header field"},
	{STR("GET / HTTP/1.1\r\n" HOST "X\xc3\xbc: a\r\n\r\n"), "bad name of a header field"},
	{STR("GET / HTTP/1.1\r\n" HOST "X[1]: a\r\n\r\n"), "bad name of a header field"},
	{STR("GET / HTTP/1.1\r\n" HOST "X\r\n\r\n"), "header line without a colon"},
	{STR("GET / HTTP/1.1\nHost: a\n\n"), "line feed without carriage return"},
	{STR("GET / HTTP/1.1\r\nHost: a\n\r\n"), "line feed without carriage return"},
	{STR("GET / HTTP/1.1\r\n" HOST "X: a\n"), "line feed without carriage return"},
	{STR("GET / HTTP/1.1\r\n" HOST "\n"), "line feed without carriage return"},
	{STR("GET / HTTP/1.1\r\n" HOST "X: a\rY: b\r\n\r\n"), "carriage return inside a line"},
	{STR("GET / HTTP/1.1\r\n" HOST "X: a\r\r\n\r\n"), "carriage return inside a line"},
	{STR("GET / HTTP/1.1\r\n" HOST "\r\r\n\r\n"), "carriage return inside a line"},
	{STR("GET / HTTP/1.1\r\n" HOST "X: a\0b\r\n\r\n"), "control character 0x00"},
	{STR("GET / HTTP/1.1\r\n" HOST "X: a\x7f\r\n\r\n"), "control character 0x7f"},
	{STR("GET / HTTP/1.1\r\n" HOST "X\0: a\r\n\r\n"), "control character 0x00"},
	{STR("GET /\x01 HTTP/1.1\r\n" HOST "\r\n"), "control character 0x01"},
	{STR("\r\nGET / HTTP/1.1\r\n" HOST "\r\n"), "empty line before the request"},
	{STR("\n"), "line feed without carriage return"},
	{STR(" GET / HTTP/1.1\r\n"), "not an HTTP request"},
	{STR("\x16\x03\x01"), "not an HTTP request"},
	/* request line */
	{STR("GET  / HTTP/1.1\r\n" HOST "\r\n"), "white space in the request target"},
	{STR("GET /  HTTP/1.1\r\n" HOST "\r\n"), "white space in the request target"},
	{STR("GET / HTTP/1.1 \r\n" HOST "\r\n"), "request line without HTTP/1.1 or HTTP/1.0"},
	{STR("GET /\tHTTP/1.1\r\n" HOST "\r\n"), "request line without HTTP/1.1 or HTTP/1.0"},
	{STR("GET\t/ HTTP/1.1\r\n" HOST "\r\n"), "bad request method"},
	{STR("GET /a b HTTP/1.1\r\n" HOST "\r\n"), "white space in the request target"},
	{STR("GET /a\tb HTTP/1.1\r\n" HOST "\r\n"), "white space in the request target"},
	{STR("GET /\xa0 HTTP/1.1\r\n" HOST "\r\n"),
	 "byte 0xa0 in the request target: percent-encode it"},
	{STR("GET /#x HTTP/1.1\r\n" HOST "\r\n"), "fragment in the request target"},
	{STR("GET  HTTP/1.1\r\n" HOST "\r\n"), "request line without a target"},
	{STR("GET HTTP/1.1\r\n" HOST "\r\n"), "request line without a target"},
	{STR("GET /\r\n\r\n"), "request line without HTTP/1.1 or HTTP/1.0"},
	{STR("GET\r\n\r\n"), "request line without HTTP/1.1 or HTTP/1.0"},
	{STR("GET / HTTP/2.0\r\n" HOST "\r\n"), "request line without HTTP/1.1 or HTTP/1.0"},
	{STR("GET / HTTP/1.2\r\n" HOST "\r\n"), "request line without HTTP/1.1 or HTTP/1.0"},
	{STR("GET / http/1.1\r\n" HOST "\r\n"), "request line without HTTP/1.1 or HTTP/1.0"},
	{STR("GET / HTTP/01.1\r\n" HOST "\r\n"), "request line without HTTP/1.1 or HTTP/1.0"},
	{STR("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), "request line without HTTP/1.1 or HTTP/1.0"},
	{STR("G(T / HTTP/1.1\r\n" HOST "\r\n"), "bad request method"},
	{STR("GETGETGETGETGETGETGETGETGETGETGET / HTTP/1.1\r\n" HOST "\r\n"), "bad request method"},
	{STR("CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n"), "CONNECT is not for this server"},
	{STR("GET a.example:80 HTTP/1.1\r\n" HOST "\r\n"),
	 "request target is neither a path nor an http URL"},
	{STR("GET ftp://a.example/ HTTP/1.1\r\n" HOST "\r\n"),
	 "request target is neither a path nor an http URL"},
	{STR("GET x HTTP/1.1\r\n" HOST "\r\n"), "request target is neither a path nor an http URL"},
	{STR("GET * HTTP/1.1\r\n" HOST "\r\n"), "target \"*\" without OPTIONS"},
	{STR("OPTIONS *x HTTP/1.1\r\n" HOST "\r\n"),
	 "request target is neither a path nor an http URL"},
	{STR("GET http://a.example?x HTTP/1.1\r\n" HOST "\r\n"),
	 "absolute-form target without a path"},
	/* Host */
	{STR("GET http://b.example/ HTTP/1.1\r\n" HOST "\r\n"),
	 "Host differs from the request target"},
	{STR("GET http://a.example:81/ HTTP/1.1\r\n" HOST "\r\n"),
	 "Host differs from the request target"},
	{STR("GET https://a.example/ HTTP/1.1\r\nHost: a.example:80\r\n\r\n"),
	 "Host differs from the request target"},
	{STR("GET http://u@a.example/ HTTP/1.1\r\n" HOST "\r\n"), "bad host in the request target"},
	{STR("GET http:/// HTTP/1.1\r\n" HOST "\r\n"), "bad host in the request target"},
	{STR("GET http://a.example/ HTTP/1.1\r\n\r\n"), "no Host field"},
	{STR("GET / HTTP/1.1\r\n\r\n"), "no Host field"},
	{STR("GET / HTTP/1.1\r\n" HOST HOST "\r\n"), "two Host fields"},
	{STR("GET / HTTP/1.0\r\n" HOST "hOST: b\r\n\r\n"), "two Host fields"},
	{STR("GET / HTTP/1.1\r\nHost:\r\n\r\n"), "bad Host field"},
	{STR("GET / HTTP/1.0\r\nHost:\r\n\r\n"), "bad Host field"},
	{STR("GET / HTTP/1.1\r\nHost: a b\r\n\r\n"), "bad Host field"},
	{STR("GET / HTTP/1.1\r\nHost: a, b\r\n\r\n"), "bad Host field"},
	{STR("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"), "bad Host field"},
	{STR("GET / HTTP/1.1\r\nHost: u@a\r\n\r\n"), "bad Host field"},
	{STR("GET / HTTP/1.1\r\nHost: a%2e\r\n\r\n"), "bad Host field"},
	{STR("GET / HTTP/1.1\r\nHost: a\\b\r\n\r\n"), "bad Host field"},
	{STR("GET / HTTP/1.1\r\nHost: .\r\n\r\n"), "bad Host field"},
	{STR("GET / HTTP/1.1\r\nHost: a..b\r\n\r\n"), "bad Host field"},
	{STR("GET / HTTP/1.1\r\nHost: \xc3\xbc.de\r\n\r\n"), "bad Host field"},
	{STR("GET / HTTP/1.1\r\nHost: a:\r\n\r\n"), "bad Host field"},
	{STR("GET / HTTP/1.1\r\nHost: a:0\r\n\r\n"), "bad Host field"},
	{STR("GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n"), "bad Host field"},
	{STR("GET / HTTP/1.1\r\nHost: a:80:80\r\n\r\n"), "bad Host field"},
	{STR("GET / HTTP/1.1\r\nHost: a:+80\r\n\r\n"), "bad Host field"},
	{STR("GET / HTTP/1.1\r\nHost: 2001:db8::1\r\n\r\n"), "bad Host field"},
	{STR("GET / HTTP/1.1\r\nHost: [2001:db8::1\r\n\r\n"), "bad Host field"},
	{STR("GET / HTTP/1.1\r\nHost: [192.0.2.1]\r\n\r\n"), "bad Host field"},
	{STR("GET / HTTP/1.1\r\nHost: [::1%25lo]\r\n\r\n"), "bad Host field"},
	{STR("GET / HTTP/1.1\r\nHost: [::1]x\r\n\r\n"), "bad Host field"},
};

static void refuses(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		struct httphead head;
		struct err e = {0};
		int r = httphead_parse(refused[i].text.at, refused[i].text.len, &head, &e);

		if (r != -ERR_INVALID || strcmp(e.text, refused[i].error) != 0)
			fail_msg("%.*s: got %d \"%s\", expected \"%s\"", STR_ARG(refused[i].text),
				 r, e.text, refused[i].error);
	}
}

static void waits_byte_by_byte(void **state)
{
	static const char text[] = "GET / HTTP/1.1\r\n" HOST "X: y\r\n\r\n";
	struct httphead head;
	struct err e;

	(void)state;
	for (size_t n = 0; n < sizeof(text) - 1; n++) {
		char *copy = malloc(n + 1);

		memcpy(copy, text, n);
		assert_int_equal(httphead_parse(copy, n, &head, &e), -ERR_INCOMPLETE);
		free(copy);
	}
	assert_int_equal(httphead_parse(text, sizeof(text) - 1, &head, &e), 0);
}

static void has_limits(void **state)
{
	static char text[2 * HTTPHEAD_MAX];
	struct httphead head;
	struct err e;
	size_t n;
	int start;

	(void)state;
	/* fields: Host and 99 more */
	n = (size_t)sprintf(text, "GET / HTTP/1.1\r\n" HOST);
	for (int i = 0; i < HTTPHEAD_FIELDS_MAX - 1; i++)
		n += (size_t)sprintf(text + n, "X%d: y\r\n", i);
	sprintf(text + n, "\r\n");
	assert_int_equal(httphead_parse(text, n + 2, &head, &e), 0);
	assert_int_equal(head.n_fields, HTTPHEAD_FIELDS_MAX);
	sprintf(text + n, "Y: z\r\n"); /* refused before its end has come */
	assert_int_equal(httphead_parse(text, n + 6, &head, &e), -ERR_LIMIT);
	assert_string_equal(e.text, "more than 100 header fields");

	/* bytes */
	start = sprintf(text, "GET / HTTP/1.1\r\n" HOST "X: ");
	memset(text + start, 'x', sizeof(text) - (size_t)start);
	assert_int_equal(httphead_parse(text, HTTPHEAD_MAX - 1, &head, &e), -ERR_INCOMPLETE);
	assert_int_equal(httphead_parse(text, HTTPHEAD_MAX, &head, &e), -ERR_LIMIT);
	assert_string_equal(e.text, "request head over 32768 bytes");
	memcpy(text + HTTPHEAD_MAX - 4, "\r\n\r\n", 4);
	assert_int_equal(httphead_parse(text, HTTPHEAD_MAX + 10, &head, &e), 0);
	assert_int_equal(head.len, HTTPHEAD_MAX);
	memcpy(text + HTTPHEAD_MAX - 4, "x\r\n\r\n", 5);
	assert_int_equal(httphead_parse(text, HTTPHEAD_MAX + 10, &head, &e), -ERR_LIMIT);
}

static void limits_what_connection_names(void **state)
{
	static const struct {
		const char *option, *between, *end;
		unsigned most; /* that fit */
	} table[] = {
		{"x,", "", "y\r\n", HTTPHEAD_OPTIONS_MAX - 1},
		{",", "", "y\r\n", HTTPHEAD_OPTIONS_MAX - 1},
		{"x", "\r\nconnection: ", "\r\n", HTTPHEAD_OPTIONS_MAX},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		for (unsigned more = 0; more < 2; more++) {
			char text[2048] = "GET / HTTP/1.1\r\n" HOST "Connection: ";
			struct httphead head;
			struct err e = {0};

			for (unsigned n = 0; n < table[i].most + more; n++) {
				strcat(text, n ? table[i].between : "");
				strcat(text, table[i].option);
			}
			strcat(text, table[i].end);
			strcat(text, "\r\n");
			assert_int_equal(httphead_parse(text, strlen(text), &head, &e),
					 more ? -ERR_INVALID : 0);
			if (more)
				assert_string_equal(e.text,
						    "Connection names more than 32 options");
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_a_request), cmocka_unit_test(understands),
		cmocka_unit_test(refuses),	   cmocka_unit_test(waits_byte_by_byte),
		cmocka_unit_test(has_limits),	   cmocka_unit_test(limits_what_connection_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
