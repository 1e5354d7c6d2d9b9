/* What a web server of the user's is told, on a virtual clock. */
#include "test.h"

#include <stdio.h>
#include <string.h>

#include "agent/webhook.h"
#include "base/cleanup.h"

#define REQUESTS_MAX 512
#define URL	     "https://hooks.example.net/t/s3cret"

struct world {
	struct loop *loop;
	struct httpc *httpc;
	struct webhooks *webhooks;
	unsigned status; /* 0: nobody listens */
	const char *head;
	bool silent;
	usec_t delay;
	unsigned at_once, most_at_once;
	struct timer ended[REQUESTS_MAX];
	char urls[REQUESTS_MAX][64], bodies[REQUESTS_MAX][64];
	usec_t at[REQUESTS_MAX];
	unsigned n;
};

static void on_ended(void *arg)
{
	((struct world *)arg)->at_once--;
}

static void serve(void *arg, struct httpc_call *call, const struct httpc_request *request)
{
	struct world *w = arg;
	bool json = false;

	assert_true(w->n < REQUESTS_MAX);
	assert_string_equal(request->method, "POST");
	for (size_t i = 0; i < request->n_headers; i++)
		json |= strcmp(request->headers[i].name, "Content-Type") == 0 &&
			strcmp(request->headers[i].value, "application/json") == 0;
	assert_true(json);
	snprintf(w->urls[w->n], sizeof(w->urls[0]), "%s", request->url);
	snprintf(w->bodies[w->n], sizeof(w->bodies[0]), "%.*s", STR_ARG(request->body));
	w->at[w->n] = loop_now(w->loop);
	w->at_once++;
	w->most_at_once = MAX(w->most_at_once, w->at_once);
	timer_init(&w->ended[w->n], w->loop, on_ended, w);
	timer_start(&w->ended[w->n], (w->silent ? WEBHOOK_TIMEOUT : w->delay) - 1);
	w->n++;
	if (w->silent)
		return;
	if (w->status)
		httpc_sim_answer(call, w->delay, w->status, w->head, STR("thanks"));
	else
		httpc_sim_fail(call, w->delay, ERR_REFUSED, "nobody listens");
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_int_equal(loop_new_sim(&w->loop, NULL), 0);
	assert_int_equal(httpc_new_sim(w->loop, serve, w, &w->httpc, NULL), 0);
	assert_int_equal(webhooks_new(w->loop, w->httpc, &w->webhooks, NULL), 0);
	w->status = 200;
	w->delay = 100 * USEC_PER_MS;
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	webhooks_free(w->webhooks);
	for (unsigned i = 0; i < w->n; i++)
		timer_stop(&w->ended[i]);
	httpc_free(w->httpc);
	loop_sim_advance(w->loop, USEC_PER_S);
	loop_free(w->loop);
	free(w);
	return 0;
}

static void post(struct world *w, const char *topic, int n)
{
	webhook_send(w->webhooks, URL, topic, json_pack("{s:i}", "n", n));
}

static void test_is_posted_once(void **state)
{
	struct world *w = *state;

	post(w, "a", 1);
	loop_sim_advance(w->loop, 3600 * USEC_PER_S);
	assert_int_equal(w->n, 1);
	assert_string_equal(w->urls[0], URL);
	assert_string_equal(w->bodies[0], "{\"n\":1}\n");
}

static void test_what_time_may_mend_is_tried_again(void **state)
{
	static const unsigned statuses[] = {0, 408, 425, 429, 500, 503};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_LEN(statuses); i++) {
		w->status = statuses[i];
		w->n = 0;
		post(w, "a", 1);
		loop_sim_advance(w->loop, 3600 * USEC_PER_S);
		if (w->n != WEBHOOK_TRIES_MAX)
			fail_msg("status %u: %u tries", statuses[i], w->n);
		for (unsigned k = 1; k < w->n; k++) {
			usec_t wait = w->at[k] - w->at[k - 1] - w->delay;
			usec_t planned = WEBHOOK_WAIT_FIRST << (k - 1);

			assert_true(wait >= planned * 8 / 10 && wait <= planned * 12 / 10);
		}
	}
}

static void test_what_time_does_not_mend_is_not(void **state)
{
	static const unsigned statuses[] = {301, 302, 307, 400, 401, 404, 410};
	struct world *w = *state;

	w->head = "Location: https://elsewhere.example.net/\r\n";
	for (size_t i = 0; i < ARRAY_LEN(statuses); i++) {
		w->status = statuses[i];
		w->n = 0;
		post(w, "a", 1);
		loop_sim_advance(w->loop, 3600 * USEC_PER_S);
		assert_int_equal(w->n, 1);
		assert_string_equal(w->urls[0], URL);
	}
}

static void test_a_server_that_comes_back(void **state)
{
	struct world *w = *state;

	w->status = 0;
	post(w, "a", 1);
	loop_sim_advance(w->loop, USEC_PER_S);
	w->status = 204;
	loop_sim_advance(w->loop, 3600 * USEC_PER_S);
	assert_int_equal(w->n, 2);
}

static void test_one_that_says_nothing(void **state)
{
	struct world *w = *state;

	w->silent = true;
	post(w, "a", 1);
	loop_sim_advance(w->loop, WEBHOOK_TRIES_MAX * WEBHOOK_TIMEOUT +
					  2 * (WEBHOOK_WAIT_FIRST << (WEBHOOK_TRIES_MAX - 1)));
	assert_int_equal(w->n, WEBHOOK_TRIES_MAX);
	w->silent = false;
	post(w, "a", 2); /* nothing is left of it */
	loop_sim_advance(w->loop, USEC_PER_S);
	assert_int_equal(w->n, WEBHOOK_TRIES_MAX + 1);
}

/* A name's later address never comes before its earlier one; another name does not wait for it. */
static void test_one_topic_in_order(void **state)
{
	struct world *w = *state;

	w->status = 503;
	post(w, "a", 1);
	post(w, "a", 2);
	loop_sim_advance(w->loop, USEC_PER_S);
	assert_int_equal(w->n, 1);
	w->status = 200;
	post(w, "b", 3);
	loop_sim_advance(w->loop, USEC_PER_S);
	assert_int_equal(w->n, 2);
	assert_string_equal(w->bodies[1], "{\"n\":3}\n");
	loop_sim_advance(w->loop, 60 * USEC_PER_S);
	assert_int_equal(w->n, 4);
	assert_string_equal(w->bodies[2], "{\"n\":1}\n");
	assert_string_equal(w->bodies[3], "{\"n\":2}\n");
}

static void test_many(void **state)
{
	struct world *w = *state;
	char topic[16];

	w->silent = true;
	for (int i = 0; i < WEBHOOKS_MAX + 10; i++) {
		snprintf(topic, sizeof(topic), "%d", i);
		post(w, topic, i);
	}
	loop_sim_advance(w->loop, USEC_PER_S);
	assert_int_equal(w->n, WEBHOOK_CALLS_MAX);
	w->silent = false;
	loop_sim_advance(w->loop, 3600 * USEC_PER_S);
	/* those that were left out never came; the first ones were tried twice */
	assert_int_equal(w->n, WEBHOOKS_MAX + WEBHOOK_CALLS_MAX);
	assert_int_equal(w->most_at_once, WEBHOOK_CALLS_MAX);
}

static void test_ends_at_any_time(void **state)
{
	struct world *w = *state;

	w->status = 503;
	post(w, "waits for another try", 1);
	loop_sim_advance(w->loop, USEC_PER_S);
	w->silent = true;
	post(w, "is under way", 2);
	post(w, "is under way", 3);
	loop_sim_advance(w->loop, USEC_PER_S);
	webhooks_free(TAKE(w->webhooks));
	loop_sim_advance(w->loop, 3600 * USEC_PER_S);
	assert_int_equal(w->n, 2);
}

static void test_urls(void **state)
{
	static const char *const good[] = {
		"https://hooks.example.net/t/s3cret",
		"http://192.168.1.9:8123/api/webhook/x?y=1",
		"http://[fe80::1]:80/",
		"https://example.net",
	};
	static const char *const bad[] = {
		"",
		"hooks.example.net/s3cret",
		"ftp://example.net/s3cret",
		"https:/example.net/s3cret",
		"https:///s3cret",
		"https://ann:s3cret@example.net/",
		"https://example.net/s3cret and more",
		"https://example.net/s3cret\r\nX: y",
		"https://example.net:99999/s3cret",
	};
	struct err e = {0};

	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		if (webhook_check(str_of(good[i]), &e) < 0)
			fail_msg("%s: %s", good[i], e.text);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		if (webhook_check(str_of(bad[i]), &e) != -ERR_INVALID)
			fail_msg("\"%s\" is taken", bad[i]);
		assert_null(strstr(e.text, "s3cret"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_is_posted_once, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_time_may_mend_is_tried_again, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_what_time_does_not_mend_is_not, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_a_server_that_comes_back, setup, teardown),
		cmocka_unit_test_setup_teardown(test_one_that_says_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_one_topic_in_order, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ends_at_any_time, setup, teardown),
		cmocka_unit_test(test_urls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
