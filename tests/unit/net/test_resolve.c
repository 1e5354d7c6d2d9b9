#include "test.h"

#include <string.h>

#include "net/resolve.h"

struct answer {
	struct loop *loop;
	struct timer deadline;
	int calls, r;
	struct ipaddr addrs[RESOLVE_ADDRS_MAX];
	size_t n;
	struct err e;
};

static void got_answer(void *arg, int r, const struct ipaddr *addrs, size_t n, const struct err *e)
{
	struct answer *a = arg;

	a->calls++;
	a->r = r;
	a->n = n;
	memcpy(a->addrs, addrs, n * sizeof(*addrs));
	a->e = *e;
	loop_stop(a->loop);
}

static void too_late(void *arg)
{
	fail_msg("no answer");
}

static void look_up(struct answer *a, const char *host)
{
	struct resolve *r;

	memset(a, 0, sizeof(*a));
	assert_int_equal(loop_new(&a->loop, NULL), 0);
	timer_init(&a->deadline, a->loop, too_late, a);
	timer_start(&a->deadline, 60 * USEC_PER_S); /* a name server that is dead answers late */
	assert_int_equal(resolve_start(a->loop, host, 80, got_answer, a, &r, NULL), 0);
	assert_int_equal(a->calls, 0); /* later, always */
	loop_run(a->loop);
	timer_stop(&a->deadline);
	loop_free(a->loop);
	assert_int_equal(a->calls, 1);
}

static void assert_addr(const struct answer *a, size_t i, const char *text)
{
	char got[IPADDR_TEXT_MAX];

	assert_true(i < a->n);
	assert_string_equal(ipaddr_format_port(got, &a->addrs[i]), text);
}

static void test_literals(void **state)
{
	struct answer a;

	look_up(&a, "192.0.2.1");
	assert_int_equal(a.r, 0);
	assert_int_equal(a.n, 1);
	assert_addr(&a, 0, "192.0.2.1:80");
	look_up(&a, "2001:db8::1");
	assert_addr(&a, 0, "[2001:db8::1]:80");
	look_up(&a, "[2001:db8::1]");
	assert_addr(&a, 0, "[2001:db8::1]:80");
}

static void test_localhost_needs_no_dns(void **state)
{
	struct answer a;

	look_up(&a, "localhost");
	assert_int_equal(a.r, 0);
	assert_int_equal(a.n, 2);
	assert_addr(&a, 0, "127.0.0.1:80");
	assert_addr(&a, 1, "[::1]:80");
	look_up(&a, "gw.LocalHost");
	assert_addr(&a, 0, "127.0.0.1:80");
}

static void test_a_name_that_cannot_be(void **state)
{
	struct answer a;

	look_up(&a, "no..such..name"); /* refused by the resolver itself, nobody is asked */
	assert_int_equal(a.n, 0);
	assert_true(a.r == -ERR_NOT_FOUND || a.r == -ERR_AGAIN || a.r == -ERR_FAILED);
	assert_int_equal(a.e.code, -a.r);
	assert_memory_equal(a.e.text, "no..such..name: ", 16);
}

static void test_cancel(void **state)
{
	struct answer a = {0};
	struct resolve *known, *asked;

	assert_int_equal(loop_new(&a.loop, NULL), 0);
	assert_int_equal(resolve_start(a.loop, "127.0.0.1", 80, got_answer, &a, &known, NULL), 0);
	assert_int_equal(resolve_start(a.loop, "no..name", 80, got_answer, &a, &asked, NULL), 0);
	resolve_cancel(known);
	resolve_cancel(asked);
	resolve_cancel(NULL);
	loop_free(a.loop); /* waits for the pool */
	assert_int_equal(a.calls, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_literals),
		cmocka_unit_test(test_localhost_needs_no_dns),
		cmocka_unit_test(test_a_name_that_cannot_be),
		cmocka_unit_test(test_cancel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
