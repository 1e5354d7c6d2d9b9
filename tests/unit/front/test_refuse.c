#include "test.h"

#include <stdio.h>

#include "front/refuse.h"

/* NUL-terminated, in a buffer that is used anew each time. */
static const char *answer(enum front_answer which, struct front_answer_about about)
{
	static char text[FRONT_ANSWER_MAX];
	AUTO(buf_donep) struct buf b;

	buf_init(&b, FRONT_ANSWER_MAX);
	assert_int_equal(front_answer_http(&b, which, &about), 0);
	memcpy(text, buf_head(&b), buf_len(&b));
	text[buf_len(&b)] = '\0';
	return text;
}

static void assert_has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("\"%s\" is not in:\n%s", part, text);
}

static void every_answer_is_complete(void **state)
{
	for (int which = 0; which <= FRONT_ANSWER_REDIRECT; which++) {
		const char *text = answer(
			which, (struct front_answer_about){.host = STR("a.org"), .path = STR("/")});
		const char *body = strstr(text, "\r\n\r\n");
		char length[64];

		assert_non_null(body);
		snprintf(length, sizeof(length), "\r\nContent-Length: %zu\r\n", strlen(body + 4));
		assert_has(text, length);
		assert_has(text, "\r\nConnection: close\r\n");
		assert_null(strstr(text, "Date:"));
		assert_null(strstr(text, "homeport"));
		assert_null(strstr(text, "(null)"));
	}
}

static void the_offline_page_tells_since_when(void **state)
{
	struct front_answer_about about = {
		.host = STR("blog.example.org"),
		.offline_since_wall = 951784199 * USEC_PER_S,
		.now_wall = 784111777 * USEC_PER_S,
	};
	const char *text = answer(FRONT_ANSWER_OFFLINE, about);

	assert_has(text, "HTTP/1.1 503 Service Unavailable\r\n");
	assert_has(text, "\r\nRetry-After: 30\r\n");
	assert_has(text, "\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"); /* RFC 9110 §5.6.7 */
	assert_has(text, "<h1>blog.example.org</h1>");
	assert_has(text, "known here, but offline since 2000-02-29 00:29 UTC.");
	about.offline_since_wall = 0;
	assert_has(answer(FRONT_ANSWER_OFFLINE, about), "known here, but offline.");
}

static void a_head_request_gets_no_page(void **state)
{
	const char *text = answer(FRONT_ANSWER_OFFLINE, (struct front_answer_about){
								.host = STR("a"),
								.head_only = true,
							});

	assert_string_equal(strstr(text, "\r\n\r\n"), "\r\n\r\n");
}

static void names_are_escaped(void **state)
{
	struct front_answer_about about = {.host = STR("<b>&\"'")};
	const char *text = answer(FRONT_ANSWER_OFFLINE, about);

	assert_has(text, "<h1>&lt;b&gt;&amp;&quot;&#39;</h1>");
	assert_null(strstr(text, "<b>"));
}

static void redirects_to_the_public_port(void **state)
{
	struct front_answer_about about = {.host = STR("a.org"), .path = STR("/x?y=%20")};

	assert_has(answer(FRONT_ANSWER_REDIRECT, about), "308 Permanent Redirect\r\n");
	assert_has(answer(FRONT_ANSWER_REDIRECT, about), "Location: https://a.org/x?y=%20\r\n");
	about.https_port = 443;
	assert_has(answer(FRONT_ANSWER_REDIRECT, about), "Location: https://a.org/x?y=%20\r\n");
	about.https_port = 8443;
	assert_has(answer(FRONT_ANSWER_REDIRECT, about),
		   "Location: https://a.org:8443/x?y=%20\r\n");
}

static void alerts_are_records(void **state)
{
	AUTO(buf_donep) struct buf b;

	buf_init(&b, 0);
	assert_int_equal(front_answer_tls_name(&b), 0);
	assert_int_equal(front_answer_tls_busy(&b), 0);
	assert_int_equal(buf_len(&b), 14);
	assert_memory_equal(buf_head(&b),
			    "\x15\x03\x03\x00\x02\x02\x70\x15\x03\x03\x00\x02\x02\x50", 14);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_answer_is_complete),
		cmocka_unit_test(the_offline_page_tells_since_when),
		cmocka_unit_test(a_head_request_gets_no_page),
		cmocka_unit_test(names_are_escaped),
		cmocka_unit_test(redirects_to_the_public_port),
		cmocka_unit_test(alerts_are_records),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
