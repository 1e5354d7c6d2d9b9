#include "test.h"

#include <dirent.h>
#include <dlfcn.h>
#include <netdb.h>
#include <poll.h>
#include <semaphore.h>
#include <string.h>

#include "net/resolve.h"

/* In place of the C library's: names under hangs.test hang until that is over. */
static sem_t they_asked, go_on;

int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
		struct addrinfo **ret)
{
	int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **) =
		(int (*)(const char *, const char *, const struct addrinfo *,
			 struct addrinfo **))dlsym(RTLD_NEXT, "getaddrinfo");
	const char *end = strstr(host, ".hangs.test");

	if (!end)
		return real(host, service, hints, ret);
	sem_post(&they_asked);
	sem_wait(&go_on);
	return EAI_NONAME;
}

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
	loop_free(a.loop);
	assert_int_equal(a.calls, 0);
}

static unsigned threads(void)
{
	DIR *tasks = opendir("/proc/self/task");
	unsigned n = 0;

	while (readdir(tasks))
		n++;
	closedir(tasks);
	return n - 2; /* . and .. */
}

static void await_threads(unsigned n)
{
	for (int i = 0; threads() != n; i++) {
		assert_true(i < 2000);
		poll(NULL, 0, 10);
	}
}

/* Name servers that do not answer hold up nobody's end. */
static void test_the_end_while_the_resolver_hangs(void **state)
{
	struct answer a = {0};
	struct resolve *cancelled, *left;

	await_threads(1); /* of tests before this one */
	assert_int_equal(loop_new(&a.loop, NULL), 0);
	assert_int_equal(
		resolve_start(a.loop, "a.hangs.test", 80, got_answer, &a, &cancelled, NULL), 0);
	assert_int_equal(resolve_start(a.loop, "b.hangs.test", 80, got_answer, &a, &left, NULL), 0);
	sem_wait(&they_asked);
	sem_wait(&they_asked);
	resolve_cancel(cancelled);
	loop_free(a.loop); /* would not return */
	assert_int_equal(threads(), 3);
	sem_post(&go_on);
	sem_post(&go_on);
	await_threads(1);
	assert_int_equal(a.calls, 0);
}

static void test_so_many_threads_at_most(void **state)
{
	struct answer a[20] = {0};
	struct resolve *cancelled = NULL, *r;

	await_threads(1); /* of tests before this one */
	assert_int_equal(loop_new(&a[0].loop, NULL), 0);
	for (size_t i = 0; i < ARRAY_LEN(a); i++) {
		a[i].loop = a[0].loop;
		assert_int_equal(
			resolve_start(a[0].loop, "c.hangs.test", 80, got_answer, &a[i], &r, NULL),
			0);
		if (i == 10)
			cancelled = r;
	}
	for (int i = 0; i < RESOLVE_THREADS_MAX; i++)
		sem_wait(&they_asked);
	assert_int_equal(threads(), 1 + RESOLVE_THREADS_MAX);
	resolve_cancel(cancelled); /* one that waits */
	for (size_t i = 0; i < ARRAY_LEN(a); i++)
		sem_post(&go_on);
	timer_init(&a[0].deadline, a[0].loop, too_late, a);
	timer_start(&a[0].deadline, 60 * USEC_PER_S);
	for (size_t i = 0; i < ARRAY_LEN(a); i++)
		while (i != 10 && a[i].calls == 0)
			loop_run(a[0].loop); /* until the next answer */
	assert_int_equal(a[10].calls, 0);
	for (size_t i = 0; i < ARRAY_LEN(a); i++)
		assert_int_equal(a[i].r, i == 10 ? 0 : -ERR_NOT_FOUND);
	timer_stop(&a[0].deadline);
	loop_free(a[0].loop);
	await_threads(1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_literals),
		cmocka_unit_test(test_localhost_needs_no_dns),
		cmocka_unit_test(test_a_name_that_cannot_be),
		cmocka_unit_test(test_cancel),
		cmocka_unit_test(test_the_end_while_the_resolver_hangs),
		cmocka_unit_test(test_so_many_threads_at_most),
	};

	sem_init(&they_asked, 0, 0);
	sem_init(&go_on, 0, 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
