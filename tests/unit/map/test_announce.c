/*
 * Announcements of routers, by real multicast in a network of our own (what is sent to a
 * group comes back to those who are in it). Without the right to have one, the tests are skipped.
 */
#include "test.h"

#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "map/announce.h"
#include "net/udp.h"

#define LINKS	 10
#define DEADLINE (20 * USEC_PER_S)

static bool own_network;
static struct loop *loop;
static struct announce *announce;
static unsigned hints, until;
static struct ipaddr who;

/* A link with ten addresses, and others with one each. */
static bool make_network(void)
{
	char command[256];

	if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
		return false;
	if (system("exec 2>/dev/null; ip link set lo up") != 0)
		return false;
	for (unsigned i = 0; i < LINKS; i++) {
		snprintf(command, sizeof(command),
			 "exec 2>/dev/null; ip link add d%u type veth peer name p%u && "
			 "ip link set d%u addrgenmode none && ip link set d%u up && "
			 "ip link set p%u up && "
			 "ip addr add 10.9.%u.1/24 dev d%u && "
			 "ip addr add fe80::1/64 dev d%u nodad",
			 i, i, i, i, i, i, i, i);
		if (system(command) != 0)
			return false;
	}
	for (unsigned i = 2; i <= 10; i++) {
		snprintf(command, sizeof(command), "ip addr add 10.9.0.%u/24 dev d0", i);
		if (system(command) != 0)
			return false;
	}
	return true;
}

static void on_hint(void *arg, const struct ipaddr *from)
{
	hints++;
	who = *from;
	assert_int_equal(from->port, 0);
	if (hints >= until)
		loop_stop(loop);
}

static int setup(void **state)
{
	hints = 0;
	assert_int_equal(loop_new(&loop, NULL), 0);
	assert_int_equal(announce_new(loop, on_hint, NULL, &announce, NULL), 0);
	return 0;
}

static int teardown(void **state)
{
	announce_free(announce);
	loop_free(loop);
	return 0;
}

static unsigned link_number(unsigned i)
{
	char name[IF_NAMESIZE];

	snprintf(name, sizeof(name), "d%u", i);
	return if_nametoindex(name);
}

/* From the address 10.9.LINK.LAST, or fe80::1 of that link. */
static void say(uint8_t family, unsigned link, uint8_t last, const char *group, uint16_t port,
		const void *bytes, size_t len)
{
	struct ipaddr from = {.family = 4, .bytes = {10, 9, (uint8_t)link, last}}, to;
	const struct iovec piece = {(void *)bytes, len};
	int index = (int)link_number(link), fd;
	const struct ip_mreqn out = {.imr_ifindex = index};

	if (family == 6)
		from = (struct ipaddr){
			.family = 6, .bytes = {0xfe, 0x80, [15] = 1}, .scope = (uint32_t)index};
	assert_int_equal(ipaddr_parse(str_of(group), &to), 0);
	to.port = port;
	to.scope = family == 6 ? (uint32_t)index : 0;
	assert_int_equal(udp_bind(&from, &fd, NULL), 0);
	if (family == 6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, &index, sizeof(index));
	else
		setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &out, sizeof(out));
	assert_int_equal(udp_send(fd, &to, NULL, &piece, 1), 1);
	close(fd);
}

static const uint8_t pcp[24] = {2, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9};
static const uint8_t natpmp[12] = {0, 0x80, 0, 0, 0, 0, 0, 9, 203, 0, 113, 7};

static void say_pmp(unsigned link, const void *bytes, size_t len)
{
	say(4, link, 1, "224.0.0.1", 5350, bytes, len);
}

static void on_deadline(void *arg)
{
	fail_msg("not heard");
}

/* As many hints in all, and no more of what was sent before. */
static void heard(unsigned n)
{
	struct timer deadline;

	timer_init(&deadline, loop, on_deadline, NULL);
	timer_start(&deadline, DEADLINE);
	until = n;
	while (hints < n)
		loop_run(loop);
	timer_stop(&deadline);
	assert_int_equal(hints, n);
}

static void by_pcp_and_natpmp(void **state)
{
	if (!own_network)
		skip();
	announce_join(announce, 4, link_number(0));
	announce_join(announce, 4, link_number(0)); /* again is fine */
	say_pmp(0, pcp, sizeof(pcp));
	heard(1);
	assert_int_equal(who.family, 4);
	assert_memory_equal(who.bytes, "\x0a\x09\x00\x01", 4);
	say_pmp(0, natpmp, sizeof(natpmp));
	heard(2);
}

static void over_ipv6(void **state)
{
	if (!own_network)
		skip();
	announce_join(announce, 6, link_number(0));
	say(6, 0, 1, "ff02::1", 5350, pcp, sizeof(pcp));
	heard(1);
	assert_int_equal(who.family, 6);
	assert_int_equal(who.bytes[0], 0xfe);
	assert_int_equal(who.bytes[15], 1);
}

static void only_on_links_that_are_ours(void **state)
{
	if (!own_network)
		skip();
	announce_join(announce, 4, link_number(0));
	say_pmp(1, pcp, sizeof(pcp));
	say_pmp(0, pcp, sizeof(pcp));
	heard(1);
	assert_int_equal(who.bytes[2], 0);
}

static void nothing_else_is_one(void **state)
{
	static const uint8_t request[24] = {2, 0};
	/* of the answer to somebody's MAP nothing is wrong but that it is one */
	static const uint8_t map[60] = {
		2,	   0x81,       [7] = 120,  [36] = 6,   [40] = 31,  [41] = 64, [42] = 31,
		[43] = 64, [54] = 255, [55] = 255, [56] = 203, [58] = 113, [59] = 7};
	static const uint8_t natpmp_map[16] = {0, 0x81};
	static const char gateway[] = "NOTIFY * HTTP/1.1\r\n\r\n";

	if (!own_network)
		skip();
	announce_join(announce, 4, link_number(0));
	announce_join_upnp(announce, link_number(0));
	say_pmp(0, request, sizeof(request));
	say_pmp(0, map, sizeof(map));
	say_pmp(0, natpmp_map, sizeof(natpmp_map));
	say_pmp(0, pcp, 23);
	say_pmp(0, "", 0);
	say_pmp(0, gateway, sizeof(gateway) - 1);
	say(4, 0, 1, "239.255.255.250", 1900, pcp, sizeof(pcp));
	say(4, 0, 1, "239.255.255.250", 1900, gateway, sizeof(gateway) - 1);
	say_pmp(0, pcp, sizeof(pcp));
	heard(1);
}

/* ── UPnP ── */

static void notify(uint8_t last, const char *what, const char *type, unsigned boot)
{
	char text[600];
	int len = snprintf(text, sizeof(text),
			   "NOTIFY * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\n"
			   "CACHE-CONTROL: max-age=1800\r\n"
			   "LOCATION: http://10.9.0.%u:5000/rootDesc.xml\r\n"
			   "NT: urn:schemas-upnp-org:device:%s:1\r\nNTS: ssdp:%s\r\n"
			   "USN: uuid:1::urn:schemas-upnp-org:device:%s:1\r\n"
			   "BOOTID.UPNP.ORG: %u\r\n\r\n",
			   last, type, what, type, boot);

	say(4, 0, last, "239.255.255.250", 1900, text, (size_t)len);
}

#define GATEWAY "InternetGatewayDevice"

static void only_who_wants_upnp_is_woken_by_it(void **state)
{
	if (!own_network)
		skip();
	announce_join(announce, 4, link_number(0));
	notify(1, "alive", GATEWAY, 1);
	notify(1, "alive", GATEWAY, 2);
	say_pmp(0, pcp, sizeof(pcp));
	heard(1);
	announce_join_upnp(announce, link_number(0));
	notify(1, "alive", GATEWAY, 3); /* perhaps it was another before */
	heard(2);
}

static void another_number_after_a_restart(void **state)
{
	if (!own_network)
		skip();
	announce_join(announce, 4, link_number(0));
	announce_join_upnp(announce, link_number(0));
	notify(1, "alive", "MediaServer", 1);
	notify(1, "alive", GATEWAY, 1); /* perhaps it was another before */
	heard(1);
	notify(1, "alive", GATEWAY, 1);
	notify(1, "alive", GATEWAY, 1);
	notify(1, "alive", "MediaServer", 2);
	notify(1, "alive", GATEWAY, 2);
	heard(2);
	notify(1, "alive", GATEWAY, 2);
	notify(1, "byebye", GATEWAY, 2); /* nobody is there to be asked */
	notify(1, "byebye", GATEWAY, 2);
	notify(1, "alive", GATEWAY, 2);
	heard(3);
	notify(1, "alive", GATEWAY, 2);
	say_pmp(0, pcp, sizeof(pcp)); /* what comes last */
	heard(4);
}

static void so_many_devices(void **state)
{
	if (!own_network)
		skip();
	announce_join(announce, 4, link_number(0));
	announce_join_upnp(announce, link_number(0));
	for (uint8_t i = 1; i <= ANNOUNCE_DEVICES_MAX; i++)
		notify(i, "alive", GATEWAY, 1);
	heard(ANNOUNCE_DEVICES_MAX);
	notify(ANNOUNCE_DEVICES_MAX + 1, "alive", GATEWAY, 1); /* instead of the first */
	notify(ANNOUNCE_DEVICES_MAX + 1, "alive", GATEWAY, 1);
	heard(ANNOUNCE_DEVICES_MAX + 1);
	notify(2, "alive", GATEWAY, 1);
	notify(1, "alive", GATEWAY, 1); /* not known any more: a hint is the safe side */
	heard(ANNOUNCE_DEVICES_MAX + 2);
	assert_int_equal(who.bytes[3], 1);
}

/* ── limits ── */

static void so_many_links(void **state)
{
	if (!own_network)
		skip();
	for (unsigned i = 0; i < LINKS; i++)
		announce_join(announce, 4, link_number(i));
	/* the last ones are heard, the first are not any more */
	for (unsigned i = 0; i < LINKS; i++)
		say_pmp(i, pcp, sizeof(pcp));
	heard(ANNOUNCE_LINKS_MAX);
	assert_int_equal(who.bytes[2], LINKS - 1);
	announce_join(announce, 4, link_number(0));
	say_pmp(0, pcp, sizeof(pcp));
	heard(ANNOUNCE_LINKS_MAX + 1);
}

static void a_link_that_is_not_there(void **state)
{
	if (!own_network)
		skip();
	announce_join(announce, 4, 4711);
	announce_join_upnp(announce, 4711);
	announce_join(announce, 6, 4711);
	announce_join(announce, 4, link_number(0));
	announce_join_upnp(announce, link_number(0));
	say_pmp(0, pcp, sizeof(pcp));
	heard(1);
}

/* Another program has the port for itself. */
static void a_port_that_is_taken(void **state)
{
	struct ipaddr any = {.family = 4, .port = 5350};
	struct announce *second = NULL;
	int fd;

	if (!own_network)
		skip();
	announce_free(TAKE(announce));
	assert_int_equal(udp_bind(&any, &fd, NULL), 0);
	assert_int_equal(announce_new(loop, on_hint, NULL, &announce, NULL), 0);
	announce_join(announce, 4, link_number(0));
	announce_join_upnp(announce, link_number(0));
	announce_join(announce, 6, link_number(0));
	say(6, 0, 1, "ff02::1", 5350, pcp, sizeof(pcp));
	heard(1);
	close(fd);
	/* and two of us hear both */
	announce_free(TAKE(announce));
	assert_int_equal(announce_new(loop, on_hint, NULL, &announce, NULL), 0);
	assert_int_equal(announce_new(loop, on_hint, NULL, &second, NULL), 0);
	announce_join(announce, 4, link_number(0));
	announce_join_upnp(announce, link_number(0));
	announce_join(second, 4, link_number(0));
	announce_join_upnp(second, link_number(0));
	say_pmp(0, pcp, sizeof(pcp));
	heard(3);
	announce_free(second);
}

/* A media server on this machine is asked on port 1900 of its own address. */
static void what_is_sent_to_others_is_theirs(void **state)
{
	const struct ipaddr any = {.family = 4, .port = 1900};
	const int one = 1;
	int server = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct sockaddr_storage ss;
	socklen_t len = ipaddr_to_sockaddr(&any, &ss);
	char got[64];

	if (!own_network)
		skip();
	setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(server, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
	assert_int_equal(bind(server, (struct sockaddr *)&ss, len), 0);
	for (uint8_t i = 2; i <= 10; i++) {
		say(4, 0, i, "10.9.0.1", 1900, "search", 6);
		assert_int_equal(recv(server, got, sizeof(got), 0), 6);
	}
	close(server);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(by_pcp_and_natpmp),
		T(over_ipv6),
		T(only_on_links_that_are_ours),
		T(nothing_else_is_one),
		T(only_who_wants_upnp_is_woken_by_it),
		T(another_number_after_a_restart),
		T(so_many_devices),
		T(so_many_links),
		T(a_link_that_is_not_there),
		T(what_is_sent_to_others_is_theirs),
		T(a_port_that_is_taken),
	};

	own_network = make_network();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
