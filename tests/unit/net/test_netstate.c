#include "test.h"

#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/ustime.h"
#include "net/netstate.h"

#include "announce.h"

/* Only in a network namespace of its own, which needs root. */
static bool own_network;

/* ── messages as the kernel sends them ── */

struct message {
	uint8_t bytes[1024];
	size_t len;
};

static void put(struct message *m, const void *bytes, size_t len)
{
	size_t padded = (len + 3) & ~(size_t)3;

	assert_true(m->len + padded <= sizeof(m->bytes));
	memset(m->bytes + m->len, 0, padded);
	memcpy(m->bytes + m->len, bytes, len);
	m->len += padded;
}

static void put_attr(struct message *m, unsigned type, const void *value, size_t len)
{
	const struct rtattr head = {(unsigned short)(sizeof(head) + len), (unsigned short)type};

	put(m, &head, sizeof(head));
	put(m, value, len);
}

static void put_u32(struct message *m, unsigned type, uint32_t value)
{
	put_attr(m, type, &value, sizeof(value));
}

static struct ipaddr ip(const char *text)
{
	struct ipaddr a;

	assert_int_equal(ipaddr_parse(str_of(text), &a), 0);
	return a;
}

static void put_ip(struct message *m, unsigned type, const char *text)
{
	struct ipaddr a = ip(text);

	put_attr(m, type, a.bytes, a.family == 4 ? 4 : 16);
}

static struct message begin(unsigned type, const void *header, size_t len)
{
	const struct nlmsghdr head = {.nlmsg_type = (unsigned short)type};
	struct message m = {0};

	put(&m, &head, sizeof(head));
	put(&m, header, len);
	return m;
}

static struct netstate decode(struct message *m)
{
	struct netstate state = {0};
	uint32_t len = (uint32_t)m->len;

	memcpy(m->bytes, &len, sizeof(len));
	assert_int_equal(netstate_decode(&state, m->bytes, m->len), 0);
	return state;
}

static const char *text(const struct ipaddr *a)
{
	static char text[IPADDR_TEXT_MAX];

	return ipaddr_format(text, a);
}

static void decodes_a_link(void **state)
{
	const struct ifinfomsg head = {.ifi_type = 0xfffe,
				       .ifi_index = 7,
				       .ifi_flags = IFF_UP | IFF_RUNNING | IFF_POINTOPOINT};
	const struct rtattr kind = {sizeof(kind) + 10, IFLA_INFO_KIND};
	struct message m = begin(RTM_NEWLINK, &head, sizeof(head)), info = {0};
	AUTO(netstate_done) struct netstate s = {0};

	put_attr(&m, IFLA_IFNAME, "wg0", 4);
	put(&info, &kind, sizeof(kind));
	put(&info, "wireguard", 10);
	put_attr(&m, IFLA_LINKINFO | NLA_F_NESTED, info.bytes, info.len);
	s = decode(&m);
	assert_int_equal(s.n_links, 1);
	assert_string_equal(s.links[0].name, "wg0");
	assert_string_equal(s.links[0].kind, "wireguard");
	assert_int_equal(s.links[0].type, 0xfffe);
	assert_true(s.links[0].up && s.links[0].running && s.links[0].point_to_point);
	assert_false(s.links[0].loopback);
	assert_int_equal(s.links[0].accept_ra, -1);
	assert_ptr_equal(netstate_find_link(&s, 7), &s.links[0]);
	assert_ptr_equal(netstate_find_name(&s, "wg0"), &s.links[0]);
	assert_null(netstate_find_link(&s, 8));
	assert_null(netstate_find_name(&s, "wg"));
}

static void flags_of_32_bits_win(void **state)
{
	const struct ifaddrmsg head = {AF_INET6, 64, IFA_F_PERMANENT, RT_SCOPE_UNIVERSE, 2};
	const struct ifa_cacheinfo times = {1800, 3600, 100, 200};
	struct message m = begin(RTM_NEWADDR, &head, sizeof(head));
	AUTO(netstate_done) struct netstate s = {0};

	put_ip(&m, IFA_ADDRESS, "2a0e:2:0:1::50");
	put_attr(&m, IFA_CACHEINFO, &times, sizeof(times));
	put_u32(&m, IFA_FLAGS, IFA_F_MANAGETEMPADDR);
	put_attr(&m, IFA_PROTO, "\x02", 1);
	s = decode(&m);
	assert_int_equal(s.n_addresses, 1);
	assert_string_equal(text(&s.addresses[0].address), "2a0e:2:0:1::50");
	assert_int_equal(s.addresses[0].flags, IFA_F_MANAGETEMPADDR);
	assert_int_equal(s.addresses[0].preferred_s, 1800);
	assert_int_equal(s.addresses[0].valid_s, 3600);
	assert_int_equal(s.addresses[0].created_cs, 100);
	assert_int_equal(s.addresses[0].updated_cs, 200);
	assert_int_equal(s.addresses[0].protocol, IFAPROT_KERNEL_RA);
	assert_int_equal(s.addresses[0].prefix_len, 64);
	assert_int_equal(s.addresses[0].peer.family, 0);
	assert_int_equal(s.addresses[0].address.scope, 0);
}

static void ends_of_a_point_to_point_link(void **state)
{
	const struct ifaddrmsg head = {AF_INET, 32, IFA_F_PERMANENT, 0, 3};
	struct message m = begin(RTM_NEWADDR, &head, sizeof(head));
	AUTO(netstate_done) struct netstate s = {0};

	put_ip(&m, IFA_ADDRESS, "10.64.64.64"); /* in this order: the peer, then this machine */
	put_ip(&m, IFA_LOCAL, "100.80.1.2");
	s = decode(&m);
	assert_string_equal(text(&s.addresses[0].address), "100.80.1.2");
	assert_string_equal(text(&s.addresses[0].peer), "10.64.64.64");
	assert_int_equal(s.addresses[0].valid_s, NETSTATE_FOREVER); /* nothing was said of it */
}

static struct rtmsg default_of(unsigned char family)
{
	return (struct rtmsg){
		.rtm_family = family, .rtm_type = RTN_UNICAST, .rtm_table = RT_TABLE_MAIN};
}

static void a_route_by_an_ipv6_router(void **state)
{
	const struct rtmsg head = default_of(AF_INET);
	const struct ipaddr router = ip("fe80::1");
	struct message m = begin(RTM_NEWROUTE, &head, sizeof(head));
	uint8_t via[18];
	const uint16_t family = AF_INET6;
	AUTO(netstate_done) struct netstate s = {0};

	memcpy(via, &family, sizeof(family));
	memcpy(via + 2, router.bytes, 16);
	put_attr(&m, RTA_VIA, via, sizeof(via));
	put_u32(&m, RTA_OIF, 4);
	put_u32(&m, RTA_TABLE, 51820);
	s = decode(&m);
	assert_int_equal(s.n_routes, 1);
	assert_int_equal(s.routes[0].family, 4);
	assert_int_equal(s.routes[0].gateway.family, 6);
	assert_string_equal(text(&s.routes[0].gateway), "fe80::1");
	assert_int_equal(s.routes[0].gateway.scope, 4);
	assert_int_equal(s.routes[0].table, 51820);
}

static void a_route_of_several_hops(void **state)
{
	const struct rtmsg head = default_of(AF_INET);
	struct message m = begin(RTM_NEWROUTE, &head, sizeof(head)), hops = {0};
	AUTO(netstate_done) struct netstate s = {0};

	for (int i = 0; i < 3; i++) {
		const struct rtnexthop hop = {
			.rtnh_len = sizeof(hop) + 8,
			.rtnh_flags = i == 1 ? RTNH_F_DEAD : 0,
			.rtnh_ifindex = 2 + i,
		};
		char gateway[32];

		snprintf(gateway, sizeof(gateway), "192.168.%d.1", i);
		put(&hops, &hop, sizeof(hop));
		put_ip(&hops, RTA_GATEWAY, gateway);
	}
	put_u32(&m, RTA_PRIORITY, 100);
	put_attr(&m, RTA_MULTIPATH, hops.bytes, hops.len);
	s = decode(&m);
	assert_int_equal(s.n_routes, 2);
	assert_string_equal(text(&s.routes[0].gateway), "192.168.0.1");
	assert_string_equal(text(&s.routes[1].gateway), "192.168.2.1");
	assert_int_equal(s.routes[1].ifindex, 4);
	assert_int_equal(s.routes[1].metric, 100);
}

static void preference_and_source(void **state)
{
	struct rtmsg head = default_of(AF_INET6);
	AUTO(netstate_done) struct netstate s = {0};
	struct message m;
	char cidr[CIDR_TEXT_MAX];

	head.rtm_src_len = 56;
	m = begin(RTM_NEWROUTE, &head, sizeof(head));
	put_ip(&m, RTA_SRC, "2a0e:2:0:100::");
	put_ip(&m, RTA_GATEWAY, "fe80::1");
	put_ip(&m, RTA_PREFSRC, "2a0e:2:0:100::9");
	put_u32(&m, RTA_OIF, 2);
	put_attr(&m, RTA_PREF, "\x03", 1);
	s = decode(&m);
	assert_string_equal(cidr_format(cidr, &s.routes[0].from), "2a0e:2:0:100::/56");
	assert_string_equal(text(&s.routes[0].source), "2a0e:2:0:100::9");
	assert_int_equal(s.routes[0].preference, -1);
}

static void routes_that_do_not_count(void **state)
{
	static const struct rtmsg heads[] = {
		{.rtm_family = AF_INET, .rtm_type = RTN_UNICAST, .rtm_dst_len = 1},
		{.rtm_family = AF_INET6, .rtm_type = RTN_UNREACHABLE},
		{.rtm_family = AF_INET6, .rtm_type = RTN_UNICAST, .rtm_flags = RTM_F_CLONED},
		{.rtm_family = AF_INET, .rtm_type = RTN_UNICAST, .rtm_flags = RTNH_F_LINKDOWN},
		{.rtm_family = AF_INET, .rtm_type = RTN_UNICAST, .rtm_table = RT_TABLE_LOCAL},
		{.rtm_family = 28 /* MPLS */, .rtm_type = RTN_UNICAST},
	};

	for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
		struct message m = begin(RTM_NEWROUTE, &heads[i], sizeof(heads[i]));
		AUTO(netstate_done) struct netstate s = {0};

		put_u32(&m, RTA_OIF, 2);
		s = decode(&m);
		assert_int_equal(s.n_routes, 0);
	}
}

/* Cut anywhere, it is read up to there and no further. */
static void damaged_messages(void **state)
{
	const struct ifaddrmsg head = {AF_INET6, 200, 0, 0, 2};
	struct message m = begin(RTM_NEWADDR, &head, sizeof(head));
	uint32_t len;

	put_attr(&m, IFA_LOCAL, "short", 5);
	put_ip(&m, IFA_ADDRESS, "2a0e::1");
	len = (uint32_t)m.len;
	for (size_t cut = 0; cut <= m.len; cut++) {
		uint8_t *copy = malloc(cut ? cut : 1);
		AUTO(netstate_done) struct netstate s = {0};
		uint32_t said = (uint32_t)cut;

		memcpy(copy, m.bytes, cut);
		if (cut >= sizeof(said))
			memcpy(copy, &said, sizeof(said));
		assert_int_equal(netstate_decode(&s, copy, cut), 0);
		assert_int_equal(s.n_addresses, cut == m.len);
		if (cut == m.len)
			assert_int_equal(s.addresses[0].prefix_len, 128);
		free(copy);
	}
	for (size_t cut = 0; cut < m.len; cut++) { /* it says more than there is */
		AUTO(netstate_done) struct netstate s = {0};

		memcpy(m.bytes, &len, sizeof(len));
		assert_int_equal(netstate_decode(&s, m.bytes, cut), 0);
		assert_int_equal(s.n_addresses, 0);
	}
}

static void what_is_too_much_is_left_out(void **state)
{
	AUTO(buf_donep) struct buf many = {0};
	AUTO(netstate_done) struct netstate s = {0};

	for (int i = 1; i <= NETSTATE_LINKS_MAX + 2; i++) {
		const struct ifinfomsg head = {.ifi_index = i};
		struct message m = begin(RTM_NEWLINK, &head, sizeof(head));
		uint32_t len = (uint32_t)m.len;

		memcpy(m.bytes, &len, sizeof(len));
		assert_int_equal(buf_append(&many, m.bytes, m.len), 0);
	}
	assert_int_equal(netstate_decode(&s, buf_str(&many).at, buf_len(&many)), 0);
	assert_int_equal(s.n_links, NETSTATE_LINKS_MAX);
	assert_true(s.incomplete);
}

/* ── this machine ── */

static void reads_this_machine(void **state)
{
	AUTO(netstate_done) struct netstate s = {0};
	struct err e = {0};

	if (netstate_read(&s, &e) < 0)
		fail_msg("%s", e.text);
	assert_true(s.n_links >= 1);
	assert_non_null(netstate_find_name(&s, "lo"));
	assert_true(netstate_find_name(&s, "lo")->loopback);
	for (size_t i = 0; i < s.n_addresses; i++)
		assert_non_null(netstate_find_link(&s, s.addresses[i].ifindex));
}

static void sh(const char *command)
{
	if (system(command) != 0)
		fail_msg("%s", command);
}

static const struct netstate_address *find(const struct netstate *s, const char *address)
{
	for (size_t i = 0; i < s->n_addresses; i++)
		if (strcmp(text(&s->addresses[i].address), address) == 0)
			return &s->addresses[i];
	return NULL;
}

static void make_links(void)
{
	sh("ip link set lo up");
	sh("ip link add name ns0 type veth peer name ns1");
	sh("ip link set ns0 up addrgenmode none && ip link set ns1 up addrgenmode none");
}

static void reads_what_ip_made(void **state)
{
	AUTO(netstate_done) struct netstate s = {0};
	const struct netstate_address *a;
	const struct netstate_link *link;

	if (!own_network)
		skip();
	make_links();
	sh("ip addr add 11.22.33.4/24 dev ns0 valid_lft 3000 preferred_lft 0");
	sh("ip addr add 11.0.0.2 peer 11.0.0.1 dev ns1");
	sh("ip addr add 2a0e:2:0:1::50/64 dev ns0 nodad noprefixroute valid_lft 900 preferred_lft "
	   "600");
	sh("ip addr add fe80::50/64 dev ns0 nodad");
	sh("ip route add default via 11.22.33.1 dev ns0 metric 100");
	sh("ip route add default dev ns1 table 51820");
	sh("ip -6 route add default metric 7 nexthop via fe80::1 dev ns0 nexthop via fe80::2 dev "
	   "ns0");
	sh("ip -6 route add unreachable default metric 9000");
	assert_int_equal(netstate_read(&s, NULL), 0);
	assert_false(s.incomplete);
	link = netstate_find_name(&s, "ns0");
	assert_string_equal(link->kind, "veth");
	assert_true(link->up && link->accept_ra >= 0 && link->forwarding6 == 0);
	a = find(&s, "11.22.33.4");
	assert_true(a && a->prefix_len == 24 && a->preferred_s == 0);
	assert_true(a->valid_s > 2900 && a->valid_s <= 3000);
	assert_true(a->flags & IFA_F_DEPRECATED);
	a = find(&s, "11.0.0.2");
	assert_string_equal(text(&a->peer), "11.0.0.1");
	a = find(&s, "2a0e:2:0:1::50");
	assert_true(a && a->flags & IFA_F_NOPREFIXROUTE && a->preferred_s <= 600);
	assert_int_equal(find(&s, "fe80::50")->address.scope, link->ifindex);
	assert_int_equal(s.n_routes, 4);
	for (size_t i = 0; i < s.n_routes; i++) {
		const struct netstate_route *route = &s.routes[i];

		if (route->family == 6)
			assert_true(route->gateway.scope == link->ifindex && route->metric == 7);
		else if (route->table == RT_TABLE_MAIN)
			assert_true(route->metric == 100 && route->ifindex == link->ifindex);
		else
			assert_true(route->table == 51820 && route->gateway.family == 0);
	}
	sh("ip link del ns0");
}

static const struct netstate_address *announced(const struct netstate *s)
{
	for (size_t i = 0; i < s->n_addresses; i++)
		if (strncmp(text(&s->addresses[i].address), "2001:db8:1:", 11) == 0)
			return &s->addresses[i];
	return NULL;
}

/* What uplink/ takes for the router's silence: an announcement moves the time of the last change, not
 * the one of the first. */
static void announcements_are_told_by_their_times(void **state)
{
	const usec_t end = ustime_boot() + 20 * USEC_PER_S;
	uint32_t created = 0, updated = 0;
	bool moved = false;

	if (!own_network)
		skip();
	sh("ip link add name ns0 type veth peer name ns1");
	sh("ip link set ns1 up addrgenmode none && ip link set ns0 up addrgenmode none");
	sh("echo 0 > /proc/sys/net/ipv6/conf/ns1/accept_ra");
	sh("echo 0 > /proc/sys/net/ipv6/conf/ns0/accept_dad");
	sh("ip addr add fe80::1/64 dev ns1 nodad && ip addr add fe80::2/64 dev ns0 nodad");
	sh("ip link set ns0 addrgenmode eui64");
	while (!moved) {
		AUTO(netstate_done) struct netstate s = {0};
		const struct netstate_address *a;

		assert_true(ustime_boot() < end);
		announce("ns1", 7200, 3600);
		assert_int_equal(netstate_read(&s, NULL), 0);
		a = announced(&s);
		if (!a)
			continue;
		assert_true(created == 0 || a->created_cs == created);
		created = a->created_cs;
		updated = a->updated_cs;
		moved = updated > created;
		assert_int_equal(a->protocol, IFAPROT_KERNEL_RA);
		assert_true(a->flags & IFA_F_MANAGETEMPADDR);
	}
	sh("ip link del ns0");
}

/* A router with many routes: its default route is found, and there is an end to reading. */
static void reads_a_large_table(void **state)
{
	AUTO(netstate_done) struct netstate s = {0};
	usec_t begun;

	if (!own_network)
		skip();
	make_links();
	sh("ip addr add 11.22.33.4/24 dev ns0");
	sh("seq 70000 | awk '{printf \"route add 12.%d.%d.%d via 11.22.33.1\\n\", $1 / 65536, "
	   "$1 / 256 % 256, $1 % 256}' | ip -batch -");
	sh("ip route add default via 11.22.33.1");
	begun = ustime_boot();
	assert_int_equal(netstate_read(&s, NULL), 0);
	print_message("70000 routes: read in %.1f ms\n", (double)(ustime_boot() - begun) / 1000);
	assert_int_equal(s.n_routes, 1);
	assert_true(s.incomplete);
	sh("ip link del ns0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decodes_a_link),
		cmocka_unit_test(flags_of_32_bits_win),
		cmocka_unit_test(ends_of_a_point_to_point_link),
		cmocka_unit_test(a_route_by_an_ipv6_router),
		cmocka_unit_test(a_route_of_several_hops),
		cmocka_unit_test(preference_and_source),
		cmocka_unit_test(routes_that_do_not_count),
		cmocka_unit_test(damaged_messages),
		cmocka_unit_test(what_is_too_much_is_left_out),
		cmocka_unit_test(reads_this_machine),
		cmocka_unit_test(reads_what_ip_made),
		cmocka_unit_test(announcements_are_told_by_their_times),
		cmocka_unit_test(reads_a_large_table),
	};

	own_network = unshare(CLONE_NEWNET) == 0 && access("/sbin/ip", X_OK) == 0;
	if (!own_network)
		fprintf(stderr, "skipped: a network namespace of its own needs root and ip(8)\n");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
