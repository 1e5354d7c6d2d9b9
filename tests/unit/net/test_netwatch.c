#include "test.h"

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/netwatch.h"

#include "announce.h"

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

/* Up, with a carrier; the kernel takes up to a second to see it. */
static bool runs(const char *name)
{
	struct ifreq request = {0};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool runs;

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	runs = ioctl(fd, SIOCGIFFLAGS, &request) == 0 && request.ifr_flags & IFF_RUNNING;
	close(fd);
	return runs;
}

static void settle(struct world *w, const char *name)
{
	for (int i = 0; !runs(name); i++) {
		assert_true(i < 500);
		calls_within(w, 20 * USEC_PER_MS);
	}
	while (calls_within(w, QUIET))
		;
}

/* A pair of interfaces that are up, with carriers. */
static void make_links(struct world *w)
{
	ip("link add name nw0 type veth peer name nw1");
	ip("link set nw1 up addrgenmode none"); /* no link-local addresses that come later */
	ip("link set nw0 up addrgenmode none");
	settle(w, "nw0");
	settle(w, "nw1");
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

/* What was there before the watch is known to it. */
static void test_the_first_renewal_does_not_count(void **state)
{
	struct world *w = *state;

	if (!own_network)
		skip();
	make_links(w);
	ip("addr add 2001:db8::1/64 dev nw0 nodad valid_lft 1000 preferred_lft 500");
	ip("route add default via 2001:db8::ff");
	assert_change(w);
	netwatch_free(w->watch);
	assert_int_equal(netwatch_new(w->loop, on_change, w, &w->watch, NULL), 0);
	ip("addr change 2001:db8::1/64 dev nw0 nodad valid_lft 2000 preferred_lft 900");
	ip("route replace default via 2001:db8::ff");
	ip("link set nw0 mtu 1400");
	assert_silence(w);
	ip("link del nw0");
	assert_change(w);
}

static void test_names_and_rules_count(void **state)
{
	struct world *w = *state;

	if (!own_network)
		skip();
	make_links(w);
	ip("rule add from 192.0.2.1 lookup 51820");
	assert_change(w);
	ip("rule del from 192.0.2.1 lookup 51820");
	assert_change(w);
	ip("-6 rule add fwmark 7 lookup 51820");
	assert_change(w);
	ip("-6 rule del fwmark 7 lookup 51820");
	assert_change(w);
	ip("link set nw0 down");
	assert_change(w);
	ip("link set nw0 name nw2");
	assert_change(w);
	ip("link del nw2");
	assert_change(w);
}

/* The other end of the cable goes to another machine, and so does this thread until neighbour_end.
 * Returns that machine's network, which lives until it is closed. */
static int neighbour_begin(int *ret_here)
{
	char command[128];
	int there;

	*ret_here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	there = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	assert_int_equal(setns(*ret_here, CLONE_NEWNET), 0);
	snprintf(command, sizeof(command), "link set nw1 netns /proc/%d/fd/%d", getpid(), there);
	ip(command);
	assert_int_equal(setns(there, CLONE_NEWNET), 0);
	ip("link set nw1 up");
	return there;
}

static void neighbour_end(int here)
{
	assert_int_equal(setns(here, CLONE_NEWNET), 0);
	close(here);
}

static void test_a_duplicate_counts(void **state)
{
	struct world *w = *state;
	int here, there;

	if (!own_network)
		skip();
	make_links(w);
	there = neighbour_begin(&here);
	ip("addr add 2001:db8::1/64 dev nw1 nodad");
	while (!runs("nw1"))
		sched_yield();
	neighbour_end(here);
	settle(w, "nw0");				     /* its carrier went, and came back */
	ip("addr add 2001:db8::1/64 dev nw0 noprefixroute"); /* a route would count for itself */
	assert_change(w);
	assert_int_equal(system("ip addr show dev nw0 | grep -q dadfailed"), 0);
	ip("link del nw0");
	assert_change(w);
	close(there);
}

static void sysctl(const char *link, const char *name, const char *value)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/%s", link, name);
	file = fopen(path, "w");
	if (!file || fputs(value, file) < 0 || fclose(file) != 0)
		fail_msg("%s", path);
}

static int count_temporary(void)
{
	FILE *lines = popen("ip -6 -o addr show dev nw0 temporary", "r");
	char line[512];
	int n = 0;

	while (fgets(line, sizeof(line), lines))
		n++;
	pclose(lines);
	return n;
}

/* The kernel makes the next one a while before the old one is deprecated. */
static void test_a_temporary_address_rotates(void **state)
{
	struct world *w = *state;

	if (!own_network)
		skip();
	make_links(w);
	sysctl("nw0", "accept_dad", "0"); /* it takes a second, more or less */
	sysctl("nw0", "use_tempaddr", "2");
	sysctl("nw0", "max_desync_factor", "0");
	sysctl("nw0", "temp_prefered_lft", "4");
	sysctl("nw0", "temp_valid_lft", "60");
	ip("addr add 2001:db8::1/64 dev nw0 nodad mngtmpaddr valid_lft 1000 preferred_lft 900");
	assert_int_equal(calls_within(w, 20 * USEC_PER_S), 1);
	if (count_temporary() == 0)
		assert_int_equal(calls_within(w, 20 * USEC_PER_S), 1);
	assert_int_equal(count_temporary(), 1);
	while (count_temporary() < 2)
		assert_int_equal(calls_within(w, 20 * USEC_PER_S), 1);
	ip("link del nw0");
	assert_change(w);
}

/* Within this, from the moment something happens. */
#define TOLD_MAX USEC_PER_S

static void test_router_announcements(void **state)
{
	struct world *w = *state;
	usec_t begun;

	if (!own_network)
		skip();
	make_links(w);
	sysctl("nw0", "accept_dad", "0"); /* it takes a second, more or less */
	sysctl("nw1", "accept_ra", "0");
	ip("addr add fe80::1/64 dev nw1 nodad");
	ip("addr add fe80::2/64 dev nw0 nodad");
	ip("link set nw0 addrgenmode eui64");
	assert_change(w);
	announce("nw1", 7200, 3600);
	assert_change(w); /* an address and a route */
	assert_int_equal(system("ip addr show dev nw0 | grep -q 2001:db8:1:"), 0);
	announce("nw1", 7000, 3500);
	announce("nw1", 7200, 3600);
	assert_silence(w);
	announce("nw1", 7200, 0); /* the prefix is on its way out */
	begun = ustime_boot();
	assert_int_equal(calls_within(w, 20 * USEC_PER_S), 1);
	print_message("deprecated: told after %.1f ms\n", (double)(ustime_boot() - begun) / 1000);
	assert_true(ustime_boot() - begun <= TOLD_MAX);
	assert_int_equal(system("ip addr show dev nw0 | grep -q deprecated"), 0);
	assert_silence(w);
	announce("nw1", 7200, 0); /* and it still is */
	assert_silence(w);
	announce("nw1", 7200, 3600);
	assert_change(w);
	ip("link del nw0");
	assert_change(w);
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
		cmocka_unit_test_setup_teardown(test_the_first_renewal_does_not_count, world_init,
						world_done),
		cmocka_unit_test_setup_teardown(test_names_and_rules_count, world_init, world_done),
		cmocka_unit_test_setup_teardown(test_a_duplicate_counts, world_init, world_done),
		cmocka_unit_test_setup_teardown(test_a_temporary_address_rotates, world_init,
						world_done),
		cmocka_unit_test_setup_teardown(test_router_announcements, world_init, world_done),
	};

	own_network = unshare(CLONE_NEWNET) == 0 && access("/sbin/ip", X_OK) == 0;
	if (!own_network)
		fprintf(stderr, "skipped: a network namespace of its own needs root and ip(8)\n");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
