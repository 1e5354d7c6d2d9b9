#include "test.h"

#include <sched.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "net/netwatch.h"

/* Only in a network namespace of its own, which needs root. */
static bool own_network;

struct world {
	struct loop *loop;
	struct netwatch *watch;
	struct timer wait;
	int calls;
	bool too_late;
};

static void on_change(void *arg)
{
	struct world *w = arg;

	w->calls++;
	loop_stop(w->loop);
}

static void on_wait(void *arg)
{
	struct world *w = arg;

	w->too_late = true;
	loop_stop(w->loop);
}

static void ip(const char *args)
{
	char command[256];

	snprintf(command, sizeof(command), "ip %s", args);
	if (system(command) != 0)
		fail_msg("%s", command);
}

static int world_init(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	*state = w;
	if (loop_new(&w->loop, NULL) < 0 ||
	    netwatch_new(w->loop, on_change, w, &w->watch, NULL) < 0)
		return -1;
	timer_init(&w->wait, w->loop, on_wait, w);
	return 0;
}

static int world_done(void **state)
{
	struct world *w = *state;

	timer_stop(&w->wait);
	netwatch_free(w->watch);
	loop_free(w->loop);
	free(w);
	return 0;
}

/* How often it was called until it was, or until `span` had passed. */
static int calls_within(struct world *w, usec_t span)
{
	w->calls = 0;
	w->too_late = false;
	timer_start(&w->wait, span);
	loop_run(w->loop);
	return w->calls;
}

/* Nothing can be waited for: longer than a burst takes to settle. */
#define QUIET (6 * NETWATCH_SETTLE)

/* It is called, and then no more: what follows is another change. */
static void assert_change(struct world *w)
{
	assert_int_equal(calls_within(w, 20 * USEC_PER_S), 1);
	while (calls_within(w, QUIET))
		;
}

static void assert_silence(struct world *w)
{
	assert_int_equal(calls_within(w, QUIET), 0);
}

/* A pair of interfaces that are up, with carriers. */
static void make_links(struct world *w)
{
	ip("link add name nw0 type veth peer name nw1");
	assert_change(w);
	ip("link set nw1 up addrgenmode none"); /* no link-local addresses that come later */
	ip("link set nw0 up addrgenmode none");
	while (calls_within(w, 1500 * USEC_PER_MS))
		; /* the kernel takes up to a second to tell of a carrier */
}

static void test_comes_and_goes(void **state)
{
	struct world *w = *state;

	if (!own_network)
		skip();
	make_links(w);
	ip("addr add 192.0.2.1/24 dev nw0");
	assert_change(w);
	ip("route add default via 192.0.2.254");
	assert_change(w);
	ip("route del default");
	assert_change(w);
	ip("addr del 192.0.2.1/24 dev nw0");
	assert_change(w);
	ip("link set nw1 down"); /* the cable is pulled */
	assert_change(w);
	ip("link del nw0");
	assert_change(w);
}

static void test_renewals_do_not_count(void **state)
{
	struct world *w = *state;

	if (!own_network)
		skip();
	make_links(w);
	ip("addr add 2001:db8::1/64 dev nw0 nodad valid_lft 1000 preferred_lft 500");
	ip("route add default via 2001:db8::ff");
	assert_change(w);
	ip("addr change 2001:db8::1/64 dev nw0 nodad valid_lft 2000 preferred_lft 900");
	ip("route replace default via 2001:db8::ff");
	ip("link set nw0 mtu 1400");
	assert_silence(w);
	ip("addr change 2001:db8::1/64 dev nw0 nodad valid_lft 2000 preferred_lft 0");
	assert_change(w); /* deprecated: new connections use another */
	ip("link del nw0");
	assert_change(w);
}

static void test_loopback_does_not_count(void **state)
{
	struct world *w = *state;

	if (!own_network)
		skip();
	ip("link set lo up");
	ip("addr add 127.0.0.2/8 dev lo");
	ip("addr del 127.0.0.2/8 dev lo");
	assert_silence(w);
}

static void test_works_without_privileges(void **state)
{
	assert_non_null(((struct world *)*state)->watch);
	netwatch_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_works_without_privileges, world_init,
						world_done),
		cmocka_unit_test_setup_teardown(test_comes_and_goes, world_init, world_done),
		cmocka_unit_test_setup_teardown(test_renewals_do_not_count, world_init, world_done),
		cmocka_unit_test_setup_teardown(test_loopback_does_not_count, world_init,
						world_done),
	};

	own_network = unshare(CLONE_NEWNET) == 0 && access("/sbin/ip", X_OK) == 0;
	if (!own_network)
		fprintf(stderr, "skipped: a network namespace of its own needs root and ip(8)\n");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
