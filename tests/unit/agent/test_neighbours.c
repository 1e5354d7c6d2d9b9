#include "test.h"

#include <net/if.h>
#include <netinet/in.h>
#include <string.h>

#include "agent/neighbours.h"

/* An interface as getifaddrs tells of it. */
struct interface {
	struct ifaddrs entry;
	struct sockaddr_storage addr, mask;
};

static void interface_init(struct interface *i, const char *addr, const char *mask, unsigned flags)
{
	struct ipaddr ip;

	assert_int_equal(ipaddr_parse(str_of(addr), &ip), 0);
	ipaddr_to_sockaddr(&ip, &i->addr);
	assert_int_equal(ipaddr_parse(str_of(mask), &ip), 0);
	ipaddr_to_sockaddr(&ip, &i->mask);
	i->entry = (struct ifaddrs){.ifa_addr = (struct sockaddr *)&i->addr,
				    .ifa_netmask = (struct sockaddr *)&i->mask,
				    .ifa_flags = flags};
}

static bool includes(const struct neighbours *n, const char *text)
{
	struct ipaddr ip;

	assert_int_equal(ipaddr_parse(str_of(text), &ip), 0);
	ip.port = 12345;
	return neighbours_include(n, &ip);
}

static void private_addresses(void **state)
{
	static const char *const inside[] = {"127.0.0.9",   "10.1.2.3",	   "172.31.255.1",
					     "192.168.1.7", "169.254.1.1", "::1",
					     "fe80::1",	    "fd12::1"};
	static const char *const outside[] = {"172.32.0.1", "100.64.0.1",  "8.8.8.8",
					      "0.0.0.0",    "2001:db8::1", "::"};
	struct neighbours none = {0};

	for (size_t i = 0; i < ARRAY_LEN(inside); i++)
		assert_true(includes(&none, inside[i]));
	for (size_t i = 0; i < ARRAY_LEN(outside); i++)
		assert_false(includes(&none, outside[i]));
}

static void prefixes_of_interfaces(void **state)
{
	struct interface list[4];
	struct neighbours n;

	interface_init(&list[0], "203.0.113.130", "255.255.255.128", IFF_UP);
	interface_init(&list[1], "2001:db8:1:2::7", "ffff:ffff:ffff:ffff::", IFF_UP);
	interface_init(&list[2], "198.51.100.1", "255.255.255.0", 0);
	interface_init(&list[3], "192.0.2.1", "0.0.0.0", IFF_UP);
	for (size_t i = 0; i + 1 < ARRAY_LEN(list); i++)
		list[i].entry.ifa_next = &list[i + 1].entry;
	neighbours_read(&n, &list[0].entry);
	assert_true(includes(&n, "203.0.113.200"));
	assert_false(includes(&n, "203.0.113.5"));
	assert_true(includes(&n, "2001:db8:1:2:aaaa::1"));
	assert_false(includes(&n, "2001:db8:1:3::1"));
	assert_false(includes(&n, "198.51.100.9")); /* down */
	assert_false(includes(&n, "8.8.8.8"));	    /* a prefix of everything is none */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(private_addresses),
		cmocka_unit_test(prefixes_of_interfaces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
