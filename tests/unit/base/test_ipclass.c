#include "test.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/ipclass.h"

static struct ipaddr addr(const char *text)
{
	struct ipaddr a;

	if (ipaddr_parse(str_of(text), &a) < 0)
		fail_msg("%s", text);
	return a;
}

static void check(const struct ipaddr *a, enum ipclass wanted)
{
	char text[IPADDR_TEXT_MAX];

	if (ipclass_of(a) != wanted)
		fail_msg("%s is %s, not %s", ipaddr_format(text, a), ipclass_name(ipclass_of(a)),
			 ipclass_name(wanted));
	assert_true(ipclass_is_public(a) == (wanted == IPCLASS_PUBLIC));
}

/* The next address; false: there is none. */
static bool step(struct ipaddr *a)
{
	for (int i = a->family == 4 ? 3 : 15; i >= 0; i--)
		if (++a->bytes[i])
			return true;
	return false;
}

/*
 * The registries in order, without a gap, as ranges: each one's first and last address belong to it,
 * and so the neighbours outside do not.
 */
static void follows_the_registries(void **state)
{
	static const struct {
		const char *first, *last;
		enum ipclass class;
	} ranges[] = {
		{"0.0.0.0", "0.0.0.0", IPCLASS_UNSPECIFIED},
		{"0.0.0.1", "0.255.255.255", IPCLASS_RESERVED},
		{"1.0.0.0", "9.255.255.255", IPCLASS_PUBLIC},
		{"10.0.0.0", "10.255.255.255", IPCLASS_PRIVATE},
		{"11.0.0.0", "100.63.255.255", IPCLASS_PUBLIC},
		{"100.64.0.0", "100.127.255.255", IPCLASS_CGNAT},
		{"100.128.0.0", "126.255.255.255", IPCLASS_PUBLIC},
		{"127.0.0.0", "127.255.255.255", IPCLASS_LOOPBACK},
		{"128.0.0.0", "169.253.255.255", IPCLASS_PUBLIC},
		{"169.254.0.0", "169.254.255.255", IPCLASS_LINK_LOCAL},
		{"169.255.0.0", "172.15.255.255", IPCLASS_PUBLIC},
		{"172.16.0.0", "172.31.255.255", IPCLASS_PRIVATE},
		{"172.32.0.0", "191.255.255.255", IPCLASS_PUBLIC},
		{"192.0.0.0", "192.0.0.7", IPCLASS_DSLITE},
		{"192.0.0.8", "192.0.0.255", IPCLASS_RESERVED},
		{"192.0.1.0", "192.0.1.255", IPCLASS_PUBLIC},
		{"192.0.2.0", "192.0.2.255", IPCLASS_DOCUMENTATION},
		{"192.0.3.0", "192.31.195.255", IPCLASS_PUBLIC},
		{"192.31.196.0", "192.31.196.255", IPCLASS_RESERVED},
		{"192.31.197.0", "192.52.192.255", IPCLASS_PUBLIC},
		{"192.52.193.0", "192.52.193.255", IPCLASS_RESERVED},
		{"192.52.194.0", "192.88.98.255", IPCLASS_PUBLIC},
		{"192.88.99.0", "192.88.99.255", IPCLASS_6TO4},
		{"192.88.100.0", "192.167.255.255", IPCLASS_PUBLIC},
		{"192.168.0.0", "192.168.255.255", IPCLASS_PRIVATE},
		{"192.169.0.0", "192.175.47.255", IPCLASS_PUBLIC},
		{"192.175.48.0", "192.175.48.255", IPCLASS_RESERVED},
		{"192.175.49.0", "198.17.255.255", IPCLASS_PUBLIC},
		{"198.18.0.0", "198.19.255.255", IPCLASS_BENCHMARK},
		{"198.20.0.0", "198.51.99.255", IPCLASS_PUBLIC},
		{"198.51.100.0", "198.51.100.255", IPCLASS_DOCUMENTATION},
		{"198.51.101.0", "203.0.112.255", IPCLASS_PUBLIC},
		{"203.0.113.0", "203.0.113.255", IPCLASS_DOCUMENTATION},
		{"203.0.114.0", "223.255.255.255", IPCLASS_PUBLIC},
		{"224.0.0.0", "239.255.255.255", IPCLASS_MULTICAST},
		{"240.0.0.0", "255.255.255.255", IPCLASS_RESERVED},

		{"::", "::", IPCLASS_UNSPECIFIED},
		{"::1", "::1", IPCLASS_LOOPBACK},
		{"::2", "::fffe:ffff:ffff", IPCLASS_RESERVED}, /* mapped IPv4 has no row here */
		{"::1:0:0:0", "64:ff9a:ffff:ffff:ffff:ffff:ffff:ffff", IPCLASS_RESERVED},
		{"64:ff9b::", "64:ff9b::255.255.255.255", IPCLASS_NAT64},
		{"64:ff9b::1:0:0", "64:ff9b:0:ffff:ffff:ffff:ffff:ffff", IPCLASS_RESERVED},
		{"64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff", IPCLASS_NAT64},
		{"64:ff9b:2::", "ff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", IPCLASS_RESERVED},
		{"100::", "100::ffff:ffff:ffff:ffff", IPCLASS_DISCARD},
		{"100:0:0:1::", "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", IPCLASS_RESERVED},
		{"2000::", "2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff", IPCLASS_PUBLIC},
		{"2001::", "2001:0:ffff:ffff:ffff:ffff:ffff:ffff", IPCLASS_TEREDO},
		{"2001:1::", "2001:1:ffff:ffff:ffff:ffff:ffff:ffff", IPCLASS_RESERVED},
		{"2001:2::", "2001:2:0:ffff:ffff:ffff:ffff:ffff", IPCLASS_BENCHMARK},
		{"2001:2:1::", "2001:f:ffff:ffff:ffff:ffff:ffff:ffff", IPCLASS_RESERVED},
		{"2001:10::", "2001:3f:ffff:ffff:ffff:ffff:ffff:ffff", IPCLASS_ORCHID},
		{"2001:40::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", IPCLASS_RESERVED},
		{"2001:200::", "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", IPCLASS_PUBLIC},
		{"2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", IPCLASS_DOCUMENTATION},
		{"2001:db9::", "2001:ffff:ffff:ffff:ffff:ffff:ffff:ffff", IPCLASS_PUBLIC},
		{"2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff", IPCLASS_6TO4},
		{"2003::", "2620:4f:7fff:ffff:ffff:ffff:ffff:ffff", IPCLASS_PUBLIC},
		{"2620:4f:8000::", "2620:4f:8000:ffff:ffff:ffff:ffff:ffff", IPCLASS_RESERVED},
		{"2620:4f:8001::", "3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff", IPCLASS_PUBLIC},
		{"3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", IPCLASS_DOCUMENTATION},
		{"3fff:1000::", "3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", IPCLASS_PUBLIC},
		{"4000::", "fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", IPCLASS_RESERVED},
		{"fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", IPCLASS_ULA},
		{"fe00::", "fe7f:ffff:ffff:ffff:ffff:ffff:ffff:ffff", IPCLASS_RESERVED},
		{"fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", IPCLASS_LINK_LOCAL},
		{"fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", IPCLASS_RESERVED},
		{"ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", IPCLASS_MULTICAST},
	};

	for (size_t i = 0; i < ARRAY_LEN(ranges); i++) {
		struct ipaddr first = addr(ranges[i].first), last = addr(ranges[i].last), next;

		check(&first, ranges[i].class);
		check(&last, ranges[i].class);
		if (!step(&last))
			continue;
		next = addr(ranges[i + 1].first);
		if (last.family == 6 && memcmp(last.bytes, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12) == 0)
			continue; /* ::ffff:0:0/96 is the other family */
		assert_true(ipaddr_equal(&last, &next));
	}
}

static void clothes_ports_and_scopes_do_not_count(void **state)
{
	struct ipaddr a = {.family = 6, .bytes = {[10] = 0xff, 0xff, 100, 64, 0, 1}};

	check(&a, IPCLASS_CGNAT);
	a = addr("fe80::1");
	a.port = 5351;
	a.scope = 2;
	check(&a, IPCLASS_LINK_LOCAL);
	a = (struct ipaddr){0};
	check(&a, IPCLASS_NONE);
}

static void names_and_words(void **state)
{
	for (int kind = IPCLASS_NONE; kind <= IPCLASS_RESERVED; kind++) {
		assert_true(*ipclass_name(kind) && *ipclass_words(kind));
		for (int other = IPCLASS_NONE; other < kind; other++)
			assert_string_not_equal(ipclass_name(kind), ipclass_name(other));
	}
	assert_string_equal(ipclass_name(IPCLASS_PUBLIC), "public");
	assert_string_equal(ipclass_name(IPCLASS_CGNAT), "cgnat");
	assert_string_equal(ipclass_words(IPCLASS_CGNAT), "shared by the provider (100.64.0.0/10)");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(follows_the_registries),
		cmocka_unit_test(clothes_ports_and_scopes_do_not_count),
		cmocka_unit_test(names_and_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
