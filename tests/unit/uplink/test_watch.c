#include "test.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net/netwatch.h"
#include "uplink/watch.h"

#include "../net/announce.h"

/* Only in a network namespace of its own, which needs root. */
static bool own_network;

struct world {
	struct loop *loop;
	struct uplink_watch *watch;
	struct timer wait;
	int calls;
};

static void on_change(void *arg)
{
	struct world *w = arg;

	w->calls++;
	loop_stop(w->loop);
}

static void on_wait(void *arg)
{
	loop_stop(((struct world *)arg)->loop);
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
	const struct uplink_settings settings = {.allow_documentation = true};

	*state = w;
	if (loop_new(&w->loop, NULL) < 0 ||
	    uplink_watch_new(w->loop, &settings, on_change, w, &w->watch, NULL) < 0)
		return -1;
	timer_init(&w->wait, w->loop, on_wait, w);
	return 0;
}

static int world_done(void **state)
{
	struct world *w = *state;

	timer_stop(&w->wait);
	uplink_watch_free(w->watch);
	loop_free(w->loop);
	free(w);
	return 0;
}

static int calls_within(struct world *w, usec_t span)
{
	w->calls = 0;
	timer_start(&w->wait, span);
	loop_run(w->loop);
	return w->calls;
}

#define QUIET (6 * NETWATCH_SETTLE) /* longer than a burst takes to settle */

static void assert_silence(struct world *w)
{
	assert_int_equal(calls_within(w, QUIET), 0);
}

/* Changes are told until IPv6 is at home there; "none": nowhere. */
static void assert_v6(struct world *w, const char *address, const char *router)
{
	char text[IPADDR_TEXT_MAX];
	const struct uplink_view *view = uplink_watch_view(w->watch);

	while (strcmp(ipaddr_format(text, &view->v6.address), address) != 0)
		if (calls_within(w, 20 * USEC_PER_S) != 1)
			fail_msg("IPv6 is %s, and not %s", text, address);
	assert_string_equal(ipaddr_format(text, &view->v6.router), router);
	while (calls_within(w, QUIET))
		;
}

static void follows_the_network(void **state)
{
	struct world *w = *state;

	if (!own_network)
		skip();
	assert_v6(w, "none", "none");
	ip("link add name uw0 type veth peer name uw1");
	ip("link set uw1 up addrgenmode none");
	ip("link set uw0 up addrgenmode none");
	ip("addr add 2001:db8::1/64 dev uw0 nodad valid_lft 900 preferred_lft 600");
	ip("-6 route add default via fe80::1 dev uw0");
	assert_v6(w, "2001:db8::1", "fe80::1");
	ip("addr change 2001:db8::1/64 dev uw0 nodad valid_lft 950 preferred_lft 650");
	ip("link set uw0 mtu 1400");
	ip("-6 route add 2001:db8:7::/48 via fe80::1 dev uw0"); /* netwatch tells, the view stays */
	assert_silence(w);
	ip("addr add 2001:db8:0:7::1/64 dev uw0 nodad");
	assert_int_equal(calls_within(w, 20 * USEC_PER_S), 1); /* one more, the choice stays */
	assert_v6(w, "2001:db8::1", "fe80::1");
	ip("addr change 2001:db8::1/64 dev uw0 nodad valid_lft 900 preferred_lft 0");
	assert_v6(w, "2001:db8:0:7::1", "fe80::1");
	ip("-6 route replace default via fe80::2 dev uw0");
	assert_int_equal(calls_within(w, 20 * USEC_PER_S), 1);
	assert_v6(w, "2001:db8:0:7::1", "fe80::2");
	ip("link set uw1 down"); /* the cable is pulled */
	assert_v6(w, "none", "none");
	ip("link del uw0");
	while (uplink_watch_view(w->watch)->n > 2) /* lo is down or has 127.0.0.1 and ::1 */
		assert_int_equal(calls_within(w, 20 * USEC_PER_S), 1);
}

static bool has_prefix(const struct uplink_view *view, const char *prefix)
{
	char text[IPADDR_TEXT_MAX];

	ipaddr_format(text, &view->v6.address);
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

static void sh(const char *command)
{
	if (system(command) != 0)
		fail_msg("%s", command);
}

/* The router restarts with another prefix, and never says a word of the old one again. */
static void finds_out_that_a_prefix_is_stale(void **state)
{
	struct world *w = *state;
	const struct uplink_view *view = uplink_watch_view(w->watch);
	usec_t begun;

	if (!own_network)
		skip();
	ip("link add name uw0 type veth peer name uw1");
	ip("link set uw1 up addrgenmode none");
	ip("link set uw0 up addrgenmode none");
	sh("echo 0 > /proc/sys/net/ipv6/conf/uw1/accept_ra");
	sh("echo 0 > /proc/sys/net/ipv6/conf/uw0/accept_dad");
	ip("addr add fe80::1/64 dev uw1 nodad");
	ip("addr add fe80::2/64 dev uw0 nodad");
	ip("link set uw0 addrgenmode eui64");
	for (int i = 0; !has_prefix(view, "2001:db8:1:"); i++) {
		assert_true(i < 200); /* 20 s */
		announce_prefix("uw1", "2001:db8:1::", 90000, 80000);
		calls_within(w, 100 * USEC_PER_MS);
	}
	while (calls_within(w, QUIET))
		;
	begun = ustime_boot();
	while (has_prefix(view, "2001:db8:1:")) {
		assert_true(ustime_boot() - begun < 60 * USEC_PER_S);
		announce_prefix("uw1", "2001:db8:2::", 7200, 3600);
		calls_within(w, USEC_PER_S);
	}
	print_message("stale after %.1f s\n", (double)(ustime_boot() - begun) / USEC_PER_S);
	assert_true(has_prefix(view, "2001:db8:2:"));
	assert_false(view->unsure);
	ip("link del uw0");
}

static void follows_its_settings(void **state)
{
	struct world *w = *state;
	const struct uplink_settings other = {.interface = "uw7"};

	uplink_watch_look(w->watch);
	assert_silence(w);
	assert_string_equal(uplink_watch_view(w->watch)->missing, "");
	uplink_watch_free(w->watch);
	assert_int_equal(uplink_watch_new(w->loop, &other, on_change, w, &w->watch, NULL), 0);
	assert_string_equal(uplink_watch_view(w->watch)->missing, "uw7");
	uplink_watch_look(w->watch);
	assert_silence(w);
	uplink_watch_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(follows_its_settings, world_init, world_done),
		cmocka_unit_test_setup_teardown(follows_the_network, world_init, world_done),
		cmocka_unit_test_setup_teardown(finds_out_that_a_prefix_is_stale, world_init,
						world_done),
	};

	own_network = unshare(CLONE_NEWNET) == 0 && access("/sbin/ip", X_OK) == 0;
	if (!own_network)
		fprintf(stderr, "skipped: a network namespace of its own needs root and ip(8)\n");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
