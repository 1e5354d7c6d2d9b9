#include "test.h"

#include <string.h>

#include "http/response.h"

struct answer {
	int r;
	size_t used;
	struct http_response head;
	char names[1024]; /* "Name=value|..." */
};

static void parse(const char *text, size_t step, bool head_request, struct answer *a)
{
	struct http_response_parser *p = http_response_parser_new(head_request);
	size_t len = strlen(text);

	memset(a, 0, sizeof(*a));
	a->r = -ERR_INCOMPLETE;
	for (size_t at = 0; at < len && a->r == -ERR_INCOMPLETE; at += step) {
		size_t used;

		a->r = http_response_parse(p, text + at, MIN(step, len - at), &used, &a->head,
					   NULL);
		a->used += used;
	}
	for (size_t i = 0; a->r == 0 && i < a->head.n_fields; i++) {
		strncat(a->names, a->head.fields[i].name.at, a->head.fields[i].name.len);
		strcat(a->names, "=");
		strncat(a->names, a->head.fields[i].value.at, a->head.fields[i].value.len);
		strcat(a->names, "|");
	}
	http_response_parser_free(p);
}

static void parses_in_any_pieces(void **state)
{
	static const char text[] = "HTTP/1.1 404 Not there\r\nContent-Length: 5\r\nX-Empty:\r\n"
				   "Set-Cookie: a=b; c\r\nSet-Cookie: \t two \r\n\r\nhello";

	for (size_t step = 1; step < sizeof(text); step++) {
		struct answer a;

		parse(text, step, false, &a);
		assert_int_equal(a.r, 0);
		assert_int_equal(a.head.status, 404);
		assert_int_equal(a.head.minor, 1);
		assert_string_equal(a.names, "Content-Length=5|X-Empty=|Set-Cookie=a=b; c|"
					     "Set-Cookie=two|");
		assert_int_equal(a.head.body, HTTP_BODY_LENGTH);
		assert_int_equal(a.head.length, 5);
		assert_true(a.head.keep_alive);
		assert_string_equal(text + a.used, "hello");
	}
}

static void knows_where_the_body_ends(void **state)
{
	static const struct {
		const char *text;
		bool head_request;
		enum http_body body;
		bool keep_alive;
	} table[] = {
		{"HTTP/1.1 200 OK\r\n\r\n", false, HTTP_BODY_RAW, false},
		{"HTTP/1.1 200 OK\r\n\r\n", true, HTTP_BODY_NONE, true},
		{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", true, HTTP_BODY_NONE, true},
		{"HTTP/1.1 204 x\r\n\r\n", false, HTTP_BODY_NONE, true},
		{"HTTP/1.1 304 x\r\nContent-Length: 5\r\n\r\n", false, HTTP_BODY_NONE, true},
		{"HTTP/1.1 100 x\r\n\r\n", false, HTTP_BODY_NONE, true},
		{"HTTP/1.1 101 x\r\nUpgrade: y\r\nConnection: upgrade\r\n\r\n", false,
		 HTTP_BODY_NONE, true},
		{"HTTP/1.1 200\r\nTransfer-Encoding: Chunked\r\n\r\n", false, HTTP_BODY_CHUNKED,
		 true},
		{"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: x, Close\r\n\r\n", false,
		 HTTP_BODY_LENGTH, false},
		{"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", false, HTTP_BODY_LENGTH, false},
		{"HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n", false,
		 HTTP_BODY_LENGTH, true},
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct answer a;

		parse(table[i].text, 1000, table[i].head_request, &a);
		if (a.r != 0 || a.head.body != table[i].body ||
		    a.head.keep_alive != table[i].keep_alive)
			fail_msg("case %zu: %d, body %d, keep-alive %d", i, a.r, (int)a.head.body,
				 a.head.keep_alive);
	}
}

static void refuses_what_is_unclear(void **state)
{
	static const char *const bad[] = {
		"ICY 200 OK\r\n\r\n",
		"SSH-2.0-OpenSSH_9.2\r\n",
		"HTTP/2.0 200 OK\r\n\r\n",
		"HTTP/1.1 99 x\r\n\r\n",
		"HTTP/1.1 1000 x\r\n\r\n",
		"HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
		"HTTP/1.1 200 OK\r\nA: b\001\r\n\r\n",
		"HTTP/1.1 200 OK\r\nA: b\rX: c\r\n\r\n",
		"HTTP/1.1 200 OK\r\nA\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 3, 3\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: -3\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
		"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\n\r\n",
		("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\ntransfer-encoding: "
		 "chunked\r\n\r\n"),
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding:\r\n\r\n",
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct answer a;

		parse(bad[i], 1000, false, &a);
		if (a.r != -ERR_INVALID)
			fail_msg("case %zu: %d", i, a.r);
	}
}

static void limits_the_head(void **state)
{
	AUTO(buf_donep) struct buf text = {0};
	struct answer a;

	assert_int_equal(buf_append_str(&text, STR("HTTP/1.1 200 OK\r\n")), 0);
	for (int i = 0; i < HTTP_RESPONSE_FIELDS_MAX; i++)
		assert_int_equal(buf_append_str(&text, STR("A: b\r\n")), 0);
	assert_int_equal(buf_append(&text, "\r\n\0", 3), 0);
	parse((char *)buf_head(&text), 1000, false, &a);
	assert_int_equal(a.r, 0);
	text.tail -= 3;
	assert_int_equal(buf_append(&text, "A: b\r\n\r\n\0", 9), 0);
	parse((char *)buf_head(&text), 1000, false, &a);
	assert_int_equal(a.r, -ERR_LIMIT);

	buf_consume(&text, buf_len(&text));
	assert_int_equal(buf_append_str(&text, STR("HTTP/1.1 200 OK\r\nA: ")), 0);
	memset(buf_reserve(&text, HTTP_RESPONSE_MAX), 'x', HTTP_RESPONSE_MAX);
	buf_commit(&text, HTTP_RESPONSE_MAX);
	assert_int_equal(buf_append(&text, "\r\n\r\n\0", 5), 0);
	parse((char *)buf_head(&text), 1000, false, &a);
	assert_int_equal(a.r, -ERR_LIMIT);
	parse((char *)buf_head(&text), 1 << 20, false, &a);
	assert_true(a.r == -ERR_LIMIT || a.r == -ERR_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses_in_any_pieces),
		cmocka_unit_test(knows_where_the_body_ends),
		cmocka_unit_test(refuses_what_is_unclear),
		cmocka_unit_test(limits_the_head),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
