#include "test.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/rand.h"
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

static void test_one_voice_says_it_again(void **state)
{
	struct dns_chooser c = {0};

	says(&c, DNS_SOURCE_STUN, "8.8.4.4", 1 * S);
	check(&c, 4, 31 * S, ""); /* once is not enough, however long ago */
	says(&c, DNS_SOURCE_STUN, "8.8.4.4", 30 * S);
	check(&c, 4, 30 * S, "");
	says(&c, DNS_SOURCE_STUN, "8.8.4.4", 31 * S);
	check(&c, 4, 31 * S, "8.8.4.4");
}

/* It may be behind another router, and anybody in the house can speak for it. */
static void test_the_router_alone_is_never_believed(void **state)
{
	struct dns_chooser c = {0};

	for (usec_t t = 1; t < 1000; t += 10) {
		says(&c, DNS_SOURCE_ROUTER, "8.8.4.4", t * S);
		check(&c, 4, t * S, "");
	}
	assert_true(dns_chooser_wants_more(&c, 4, 1000 * S));
	says(&c, DNS_SOURCE_STUN, "8.8.4.4", 1000 * S);
	assert_false(dns_chooser_wants_more(&c, 4, 1000 * S)); /* nobody has decided yet */
	check(&c, 4, 1000 * S, "8.8.4.4");
	assert_false(dns_chooser_wants_more(&c, 4, 1000 * S));
	dns_chooser_report(&c, DNS_SOURCE_STUN, 4, DNS_WISH_UNKNOWN, NULL, 1001 * S);
	check(&c, 4, 1001 * S, "8.8.4.4"); /* nothing new */
}

static void test_old_voices_are_no_news(void **state)
{
	struct dns_chooser c = {0};

	says(&c, DNS_SOURCE_STUN, "8.8.4.4", 1 * S);
	says(&c, DNS_SOURCE_ECHO, "8.8.4.4", 1 * S);
	check(&c, 4, 1 * S, "8.8.4.4");
	says(&c, DNS_SOURCE_GATEWAY, "8.8.4.5", 5000 * S);
	check(&c, 4, 5000 * S, "8.8.4.5");
	dns_chooser_report(&c, DNS_SOURCE_GATEWAY, 4, DNS_WISH_UNKNOWN, NULL, 5001 * S);
	check(&c, 4, 5001 * S, ""); /* not back to what it was in the morning */
	assert_true(dns_chooser_wants_more(&c, 4, 5001 * S));
	says(&c, DNS_SOURCE_STUN, "8.8.4.5", 5002 * S);
	check(&c, 4, 5002 * S, "8.8.4.5");
	/* the interface tells when it changes, so its word stands */
	says(&c, DNS_SOURCE_INTERFACE, "1.1.1.1", 5002 * S);
	check(&c, 4, 5002 * S, "1.1.1.1");
	says(&c, DNS_SOURCE_GATEWAY, "8.8.4.5", 5003 * S);
	check(&c, 4, 5003 * S, "8.8.4.5");
	dns_chooser_report(&c, DNS_SOURCE_GATEWAY, 4, DNS_WISH_UNKNOWN, NULL, 5004 * S);
	check(&c, 4, 5004 * S, "1.1.1.1");
	dns_chooser_report(&c, DNS_SOURCE_INTERFACE, 4, DNS_WISH_NONE, NULL, 5004 * S);
	check(&c, 4, 5004 * S, "");
	/* but it may come back */
	says(&c, DNS_SOURCE_STUN, "8.8.4.4", 5005 * S);
	says(&c, DNS_SOURCE_ECHO, "8.8.4.4", 5005 * S);
	check(&c, 4, 5005 * S, "8.8.4.4");
}

static void test_news_that_two_agree_on(void **state)
{
	struct dns_chooser c = {0};

	says(&c, DNS_SOURCE_ROUTER, "8.8.4.4", 1 * S);
	says(&c, DNS_SOURCE_STUN, "8.8.4.4", 1 * S);
	check(&c, 4, 1 * S, "8.8.4.4");
	says(&c, DNS_SOURCE_STUN, "8.8.4.5", 30 * S);
	check(&c, 4, 30 * S, "8.8.4.4");
	assert_true(dns_chooser_wants_more(&c, 4, 30 * S));
	says(&c, DNS_SOURCE_ECHO, "8.8.4.5", 30 * S);
	check(&c, 4, 30 * S, "8.8.4.4"); /* the router said so half a minute ago */
	says(&c, DNS_SOURCE_STUN, "8.8.4.5", 62 * S);
	check(&c, 4, 62 * S, "8.8.4.5"); /* but has not said it again */

	says(&c, DNS_SOURCE_ROUTER, "8.8.4.5", 63 * S);
	says(&c, DNS_SOURCE_ECHO, "1.1.1.1", 200 * S);
	says(&c, DNS_SOURCE_RESOLVER, "1.1.1.1", 200 * S);
	check(&c, 4, 200 * S, "1.1.1.1"); /* although two said otherwise long ago */
}

/* ── what people read ── */

static void reads(struct dns_chooser *c, int family, usec_t now, const char *expected)
{
	char text[DNS_CHOOSER_TEXT_MAX];
	enum dns_source source = DNS_SOURCE_GATEWAY;
	struct ipaddr a;
	usec_t at;
	enum dns_wish wish = dns_chooser_decide(c, family, now, &a, &source, &at);

	assert_string_equal(dns_chooser_text(text, c, family, wish, source), expected);
}

static void test_words(void **state)
{
	struct dns_chooser c = {.allow_documentation = true};

	reads(&c, 4, 1 * S, "nobody has told one yet");
	reads(&c, 6, 1 * S, "nobody has told one yet");
	dns_chooser_report(&c, DNS_SOURCE_INTERFACE, 6, DNS_WISH_NONE, NULL, 1 * S);
	reads(&c, 6, 1 * S, "the interface has none");
	says(&c, DNS_SOURCE_GATEWAY, "2001:db8::5", 1 * S);
	reads(&c, 6, 1 * S, "2001:db8::5 from the gateway is none that the interface says to have");
	says(&c, DNS_SOURCE_INTERFACE, "2001:db8::5", 1 * S);
	reads(&c, 6, 1 * S, "2001:db8::5 from the interface, confirmed by the gateway");

	says(&c, DNS_SOURCE_INTERFACE, "192.168.1.5", 1 * S);
	says(&c, DNS_SOURCE_ROUTER, "100.64.1.2", 1 * S);
	says(&c, DNS_SOURCE_STUN, "203.0.113.7", 1 * S);
	reads(&c, 4, 1 * S,
	      "192.168.1.5 from the interface is private (RFC 1918); 100.64.1.2 from the router is "
	      "shared by the provider (100.64.0.0/10); 203.0.113.7 from a STUN server is not ours; "
	      "another router or the provider translates (if it is a router whose ports lead here: "
	      "double-nat = yes)");
	assert_false(dns_chooser_is_shared(&c));
	c.double_nat = true;
	reads(&c, 4, 1 * S,
	      "192.168.1.5 from the interface is private (RFC 1918); 100.64.1.2 from the router is "
	      "shared by the provider (100.64.0.0/10); 203.0.113.7 from a STUN server is said by "
	      "nobody else yet");
	says(&c, DNS_SOURCE_ECHO, "203.0.113.7", 1 * S);
	reads(&c, 4, 1 * S,
	      "203.0.113.7 from a STUN server, confirmed by echo services; the router itself has "
	      "100.64.1.2: another router or the provider translates");
	assert_true(dns_chooser_is_shared(&c));
	says(&c, DNS_SOURCE_ROUTER, "203.0.113.7", 2 * S);
	assert_false(dns_chooser_is_shared(&c));
	reads(&c, 4, 2 * S,
	      "203.0.113.7 from the router, confirmed by a STUN server, echo services");
}

static void test_behind_another_nat(void **state)
{
	struct dns_chooser c = {0};

	says(&c, DNS_SOURCE_INTERFACE, "192.168.1.5", 1 * S);
	says(&c, DNS_SOURCE_STUN, "8.8.4.4", 1 * S);
	says(&c, DNS_SOURCE_ECHO, "8.8.4.4", 1 * S);
	check(&c, 4, 1 * S, "8.8.4.4");
	/* the router has none: what the others see is somebody else's, the gateway too */
	dns_chooser_report(&c, DNS_SOURCE_ROUTER, 4, DNS_WISH_NONE, NULL, 2 * S);
	says(&c, DNS_SOURCE_GATEWAY, "8.8.4.5", 2 * S);
	assert_true(dns_chooser_is_behind(&c));
	check(&c, 4, 2 * S, "");
	check(&c, 4, 10000 * S, "");
	assert_true(dns_chooser_wants_more(&c, 4, 2 * S));
	reads(&c, 4, 2 * S,
	      "8.8.4.5 from the gateway is not ours; 192.168.1.5 from the interface is private "
	      "(RFC "
	      "1918); the router says that it has none; 8.8.4.4 from a STUN server is not ours; "
	      "8.8.4.4 from echo services is not ours; another router or the provider translates "
	      "(if "
	      "it is a router whose ports lead here: double-nat = yes)");
	/* it was only starting */
	says(&c, DNS_SOURCE_ROUTER, "8.8.4.5", 3 * S);
	assert_false(dns_chooser_is_behind(&c));
	check(&c, 4, 3 * S, "8.8.4.5");
	/* one that does not say is none that has none */
	dns_chooser_report(&c, DNS_SOURCE_ROUTER, 4, DNS_WISH_UNKNOWN, NULL, 4 * S);
	check(&c, 4, 4 * S, "8.8.4.5");

	c.double_nat = true;
	dns_chooser_report(&c, DNS_SOURCE_ROUTER, 4, DNS_WISH_NONE, NULL, 5 * S);
	check(&c, 4, 5 * S, "8.8.4.5");
}

/* The machine's own line is such a one: a mobile network's. */
static void test_an_interface_with_a_shared_address(void **state)
{
	struct dns_chooser c = {0};

	says(&c, DNS_SOURCE_INTERFACE, "100.64.7.8", 1 * S);
	says(&c, DNS_SOURCE_GATEWAY, "8.8.4.4", 1 * S);
	check(&c, 4, 1 * S, "");
	says(&c, DNS_SOURCE_INTERFACE, "8.8.4.4", 2 * S);
	check(&c, 4, 2 * S, "8.8.4.4");
	/* what a router said that no longer has a say */
	dns_chooser_report(&c, DNS_SOURCE_ROUTER, 4, DNS_WISH_NONE, NULL, 3 * S);
	check(&c, 4, 3 * S, "8.8.4.4");
}

static void test_another_line(void **state)
{
	struct dns_chooser c = {0};

	says(&c, DNS_SOURCE_ROUTER, "8.8.4.4", 1 * S);
	says(&c, DNS_SOURCE_STUN, "8.8.4.4", 1 * S);
	says(&c, DNS_SOURCE_ECHO, "8.8.4.4", 1 * S);
	check(&c, 4, 1 * S, "8.8.4.4");
	dns_chooser_forget(&c);
	check(&c, 4, 2 * S, "");
	assert_true(dns_chooser_wants_more(&c, 4, 2 * S));
	/* no minute of waiting: nobody on the new line has said the former address */
	says(&c, DNS_SOURCE_STUN, "8.8.4.5", 3 * S);
	check(&c, 4, 3 * S, "");
	says(&c, DNS_SOURCE_ROUTER, "8.8.4.5", 3 * S);
	check(&c, 4, 3 * S, "8.8.4.5");
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
	dns_chooser_report(&c, DNS_SOURCE_ROUTER, 4, DNS_WISH_UNKNOWN, NULL, 9000 * S);
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
	check(&c, 6, 701 * S, ""); /* the gateway saw one, of whatever kind */
	dns_chooser_report(&c, DNS_SOURCE_GATEWAY, 6, DNS_WISH_UNKNOWN, NULL, 701 * S);
	check(&c, 6, 701 * S, "none");
	says(&c, DNS_SOURCE_INTERFACE, "2606:4700::2", 702 * S);
	check(&c, 6, 702 * S, "2606:4700::2");
}

/* ── whatever is reported ── */

struct history {
	usec_t since[DNS_SOURCES_COUNT], last[DNS_SOURCES_COUNT];
	char says[DNS_SOURCES_COUNT]; /* index of an address; -1: none */
};

static const char *const candidates[] = {"8.8.4.4",  "8.8.4.5",	   "1.1.1.1",
					 "10.0.0.1", "100.64.0.1", "192.0.2.1"};
#define PUBLIC_CANDIDATES 3

/* By rule, written down once more: may a new address be believed? */
static bool may_be_new(const struct history *h, int which)
{
	unsigned n = 0;

	if (h->says[DNS_SOURCE_GATEWAY] == which || h->says[DNS_SOURCE_INTERFACE] == which)
		return true;
	for (int s = 0; s < DNS_SOURCES_COUNT; s++) {
		if (h->says[s] != which)
			continue;
		n++;
		if (s != DNS_SOURCE_ROUTER && h->last[s] - h->since[s] >= DNS_CHOOSE_WHILE)
			return true;
	}
	return n >= 2;
}

static void report_at_random(struct dns_chooser *c, struct history *h, usec_t now)
{
	int source = (int)rand_below(DNS_SOURCES_COUNT);
	int which = (int)rand_below(ARRAY_LEN(candidates) + 2);
	struct ipaddr a;

	/* sources that are certain come and go, else they would decide all the time */
	if (source <= DNS_SOURCE_INTERFACE && rand_below(3))
		which = (int)ARRAY_LEN(candidates);
	if (which >= (int)ARRAY_LEN(candidates)) {
		dns_chooser_report(c, (enum dns_source)source, 4,
				   which % 2 ? DNS_WISH_UNKNOWN : DNS_WISH_NONE, NULL, now);
		which = -1;
	} else {
		a = ip(candidates[which]);
		dns_chooser_report(c, (enum dns_source)source, 4, DNS_WISH_ADDRESS, &a, now);
	}
	if (h->says[source] != which)
		h->since[source] = now;
	h->says[source] = (char)which;
	h->last[source] = now;
}

static int which_is(const struct ipaddr *a)
{
	char text[IPADDR_TEXT_MAX];

	ipaddr_format(text, a);
	for (int i = 0; i < (int)ARRAY_LEN(candidates); i++)
		if (strcmp(candidates[i], text) == 0)
			return i;
	return -1;
}

static bool anybody_says(const struct history *h, int which)
{
	return memchr(h->says, which, sizeof(h->says));
}

static void test_whatever_is_reported(void **state)
{
	unsigned changes = 0, unknown = 0;

	for (int round = 0; round < 300; round++) {
		struct dns_chooser c = {0};
		struct history h;
		usec_t now = 0;
		int former = -1;

		memset(&h, 0, sizeof(h));
		memset(h.says, -1, sizeof(h.says));
		for (int step = 0; step < 200; step++) {
			enum dns_source source, again_source;
			struct ipaddr a, again;
			char text[DNS_CHOOSER_TEXT_MAX];
			enum dns_wish wish;
			usec_t at, again_at;
			int which;

			now += rand_below(25) * S;
			report_at_random(&c, &h, now);
			wish = dns_chooser_decide(&c, 4, now, &a, &source, &at);
			assert_true(at == 0 || at > now);
			assert_true(strlen(dns_chooser_text(text, &c, 4, wish, source)) > 0);
			assert_int_equal(
				dns_chooser_decide(&c, 4, now, &again, &again_source, &again_at),
				wish);
			if (dns_chooser_is_behind(&c)) {
				assert_int_equal(wish, DNS_WISH_UNKNOWN);
				continue;
			}
			if (wish != DNS_WISH_ADDRESS) {
				assert_int_equal(wish, DNS_WISH_UNKNOWN);
				/* nobody says what was believed, or he would be believed */
				assert_true(former < 0 || !anybody_says(&h, former));
				assert_true(dns_chooser_wants_more(&c, 4, now));
				/* nor is anybody there who is believed at once */
				for (int i = 0; i < PUBLIC_CANDIDATES; i++)
					assert_true(h.says[DNS_SOURCE_GATEWAY] != i &&
						    h.says[DNS_SOURCE_INTERFACE] != i);
				unknown++;
				continue;
			}
			assert_true(ipaddr_equal(&a, &again));
			assert_int_equal(source, again_source);
			which = which_is(&a);
			assert_in_range(which, 0, PUBLIC_CANDIDATES - 1);
			assert_int_equal(h.says[source], which);
			if (which != former) {
				assert_true(may_be_new(&h, which));
				changes++;
			}
			former = which;
		}
	}
	assert_true(changes > 1000 && unknown > 1000); /* both were tried */
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
		cmocka_unit_test(test_one_voice_says_it_again),
		cmocka_unit_test(test_the_router_alone_is_never_believed),
		cmocka_unit_test(test_old_voices_are_no_news),
		cmocka_unit_test(test_news_that_two_agree_on),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_behind_another_nat),
		cmocka_unit_test(test_an_interface_with_a_shared_address),
		cmocka_unit_test(test_another_line),
		cmocka_unit_test(test_a_flapping_source_never_wins_alone),
		cmocka_unit_test(test_what_fails_takes_nothing_away),
		cmocka_unit_test(test_what_is_never_published),
		cmocka_unit_test(test_an_address_of_the_wrong_family),
		cmocka_unit_test(test_ipv6_is_what_the_interface_has),
		cmocka_unit_test(test_whatever_is_reported),
		cmocka_unit_test(test_suffix),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
