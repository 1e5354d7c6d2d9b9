#include "test.h"

#include <string.h>

#include "base/cleanup.h"
#include "dns/choose.h"

#define S USEC_PER_S

static struct ipaddr ip(const char *text)
{
	struct ipaddr a;

	assert_int_equal(ipaddr_parse(str_of(text), &a), 0);
	return a;
}

static void says(struct dns_chooser *c, enum dns_source source, const char *text, usec_t now)
{
	struct ipaddr a = ip(text);

	dns_chooser_report(c, source, a.family, DNS_WISH_ADDRESS, &a, now);
}

static void check(struct dns_chooser *c, int family, usec_t now, const char *expected)
{
	char text[IPADDR_TEXT_MAX] = "";
	enum dns_source source;
	struct ipaddr a;
	usec_t at;

	switch (dns_chooser_decide(c, family, now, &a, &source, &at)) {
	case DNS_WISH_ADDRESS:
		ipaddr_format(text, &a);
		break;
	case DNS_WISH_NONE:
		strcpy(text, "none");
		break;
	case DNS_WISH_UNKNOWN:
		break;
	}
	assert_string_equal(text, expected);
}

static void test_the_gateway_is_believed_at_once(void **state)
{
	struct dns_chooser c = {0};

	check(&c, 4, 0, "");
	says(&c, DNS_SOURCE_GATEWAY, "8.8.4.4", 1 * S);
	check(&c, 4, 1 * S, "8.8.4.4");
	says(&c, DNS_SOURCE_GATEWAY, "8.8.4.5", 2 * S);
	check(&c, 4, 2 * S, "8.8.4.5");
}

static void test_others_need_a_second_voice_or_time(void **state)
{
	struct dns_chooser c = {0};
	enum dns_source source;
	struct ipaddr a;
	usec_t at;

	says(&c, DNS_SOURCE_ECHO, "8.8.4.4", 1 * S);
	check(&c, 4, 1 * S, "");
	assert_int_equal(dns_chooser_decide(&c, 4, 1 * S, &a, &source, &at), DNS_WISH_UNKNOWN);
	assert_int_equal(at, 31 * S);
	says(&c, DNS_SOURCE_STUN, "8.8.4.4", 2 * S);
	check(&c, 4, 2 * S, "8.8.4.4");
	says(&c, DNS_SOURCE_ECHO, "1.1.1.1",
	     3 * S); /* two exits of a provider: the old one stays */
	check(&c, 4, 3 * S, "8.8.4.4");
	says(&c, DNS_SOURCE_ECHO, "8.8.4.4", 4 * S);
	says(&c, DNS_SOURCE_ECHO, "1.1.1.1", 5 * S);
	check(&c, 4, 30 * S, "8.8.4.4");
	says(&c, DNS_SOURCE_STUN, "1.1.1.1", 31 * S);
	check(&c, 4, 31 * S, "1.1.1.1");
}

static void test_one_voice_for_a_while(void **state)
{
	struct dns_chooser c = {0};

	says(&c, DNS_SOURCE_ROUTER, "8.8.4.4", 1 * S);
	check(&c, 4, 30 * S, "");
	check(&c, 4, 31 * S, "8.8.4.4");
}

static void test_a_flapping_source_never_wins_alone(void **state)
{
	struct dns_chooser c = {0};

	for (usec_t t = 0; t < 1000; t += 20) {
		says(&c, DNS_SOURCE_ECHO, t % 40 ? "8.8.4.4" : "8.8.4.5", t * S);
		check(&c, 4, t * S, "");
	}
}

static void test_what_fails_takes_nothing_away(void **state)
{
	struct dns_chooser c = {0};

	says(&c, DNS_SOURCE_GATEWAY, "8.8.4.4", 1 * S);
	says(&c, DNS_SOURCE_STUN, "8.8.4.4", 1 * S);
	check(&c, 4, 1 * S, "8.8.4.4");
	dns_chooser_report(&c, DNS_SOURCE_GATEWAY, 4, DNS_WISH_UNKNOWN, NULL, 2 * S);
	check(&c, 4, 2 * S, "8.8.4.4"); /* one voice, and it was believed before */
	dns_chooser_report(&c, DNS_SOURCE_STUN, 4, DNS_WISH_NONE, NULL, 3 * S);
	check(&c, 4, 3 * S, ""); /* unknown, not none */
	check(&c, 4, 10000 * S, "");
}

static void test_what_is_never_published(void **state)
{
	static const char *const addresses[] = {
		"192.168.1.2", "10.0.0.1",  "172.16.0.1",   "100.64.0.1",  "127.0.0.1",
		"169.254.1.1", "192.0.2.1", "198.51.100.1", "203.0.113.1", "0.0.0.0",
		"224.0.0.1",   "240.0.0.1", "198.18.0.1",
	};
	static const char *const addresses6[] = {
		"fe80::1", "fd00::1",	       "::1",	  "2001:db8::1",
		"2001::1", "2002:c000:201::1", "ff02::1", "::",
	};
	struct dns_chooser c = {0};

	for (size_t i = 0; i < ARRAY_LEN(addresses); i++) {
		says(&c, DNS_SOURCE_GATEWAY, addresses[i], i * 100 * S);
		says(&c, DNS_SOURCE_ROUTER, addresses[i], i * 100 * S);
		check(&c, 4, i * 100 * S + 99 * S, "");
	}
	for (size_t i = 0; i < ARRAY_LEN(addresses6); i++) {
		struct dns_chooser c6 = {0};

		says(&c6, DNS_SOURCE_INTERFACE, addresses6[i], 1 * S);
		check(&c6, 6, 99 * S, "");
	}
	c.allow_documentation = true;
	says(&c, DNS_SOURCE_GATEWAY, "192.0.2.1", 9000 * S);
	check(&c, 4, 9000 * S, "192.0.2.1");
}

static void test_an_address_of_the_wrong_family(void **state)
{
	struct ipaddr a = ip("2606:4700::1");
	struct dns_chooser c = {0};

	dns_chooser_report(&c, DNS_SOURCE_GATEWAY, 4, DNS_WISH_ADDRESS, &a, 1 * S);
	check(&c, 4, 100 * S, "");
}

static void test_ipv6_is_what_the_interface_has(void **state)
{
	struct dns_chooser c = {0};

	says(&c, DNS_SOURCE_GATEWAY, "2606:4700::bad:1", 1 * S); /* the temporary one */
	check(&c, 6, 99 * S, "");
	says(&c, DNS_SOURCE_INTERFACE, "2606:4700::1", 100 * S);
	check(&c, 6, 100 * S, "2606:4700::1");
	dns_chooser_report(&c, DNS_SOURCE_INTERFACE, 6, DNS_WISH_NONE, NULL, 101 * S);
	check(&c, 6, 102 * S, ""); /* gone for a second: that deletes nothing */
	check(&c, 6, 700 * S, "");
	check(&c, 6, 701 * S, "none");
	says(&c, DNS_SOURCE_INTERFACE, "2606:4700::2", 702 * S);
	check(&c, 6, 702 * S, "2606:4700::2");
}

static void test_suffix(void **state)
{
	struct ipaddr ours = ip("2606:4700:1:2:3:4:5:6"), suffix = ip("::1234:abcd"), made;
	struct ipaddr wide = ip("::ff:0:0:0:1"), four = ip("8.8.8.8");

	assert_true(dns_suffix_apply(&ours, 64, &suffix, &made));
	assert_true(
		ipaddr_equal(&made, &(struct ipaddr){.family = 6,
						     .bytes = {0x26, 6, 0x47, 0, 0, 1, 0, 2, 0, 0,
							       0, 0, 0x12, 0x34, 0xab, 0xcd}}));
	assert_true(dns_suffix_apply(&ours, 56, &wide, &made)); /* another network of the house */
	assert_int_equal(made.bytes[6], 0);
	assert_int_equal(made.bytes[7], 0xff);
	assert_false(dns_suffix_apply(&ours, 65, &suffix, &made));
	assert_false(dns_suffix_apply(&four, 64, &suffix, &made));
	assert_false(dns_suffix_apply(&ours, 64, &four, &made));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_gateway_is_believed_at_once),
		cmocka_unit_test(test_others_need_a_second_voice_or_time),
		cmocka_unit_test(test_one_voice_for_a_while),
		cmocka_unit_test(test_a_flapping_source_never_wins_alone),
		cmocka_unit_test(test_what_fails_takes_nothing_away),
		cmocka_unit_test(test_what_is_never_published),
		cmocka_unit_test(test_an_address_of_the_wrong_family),
		cmocka_unit_test(test_ipv6_is_what_the_interface_has),
		cmocka_unit_test(test_suffix),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
