#include "test.h"

#include <string.h>

#include "base/cleanup.h"
#include "dns/naming.h"
#include "dns/request.h"

static const struct dns_provider *row(const char *name)
{
	const struct dns_provider *p = dns_provider_find(str_of(name));

	assert_non_null(p);
	return p;
}

static void test_names(void **state)
{
	static const struct {
		const char *provider, *name, *expected; /* NULL: none */
		bool host;
	} cases[] = {
		{"dyn", "Home.Example.ORG.", "home.example.org", true},
		{"dyn", "home", NULL},
		{"dyn", "*.example.org", NULL},
		{"dyn", "192.0.2.1", NULL},
		{"dyn", "", NULL},
		{"cloudflare", "*.Example.org", "*.example.org", true},
		{"cloudflare", "example.org", "example.org", true},
		{"cloudflare", "*", NULL},
		{"cloudflare", "*.org", NULL},
		{"cloudflare", "a.*.example.org", NULL},
		{"cloudflare", "*.*.example.org", NULL},
		{"tunnelbroker", "1234567", "1234567"},
		{"tunnelbroker", "12a", NULL},
		{"tunnelbroker", "-1", NULL},
		{"tunnelbroker", "1234567890123456789", NULL},
		{"tunnelbroker", "home.example.org", NULL},
		{"opendns", "My House", "My House"},
		{"opendns", "a\"b", NULL},
		{"opendns", "a\nb", NULL},
		{"opendns", "home.example.org", NULL},
		{"noip", "home.ddns.net", "home.ddns.net", true},
		{"noip", "family", "family"},
		{"noip", "all.ddnskey.com", "all.ddnskey.com"},
		{"noip", "a..b", NULL},
		{"dnsomatic", "all.dnsomatic.com", "all.dnsomatic.com"},
		{"dnsomatic", "home.example.org", "home.example.org", true},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct dns_provider *p = row(cases[i].provider);
		char name[HOSTNAME_MAX];
		struct err e = {0};
		int r = dns_naming_copy(name, p, str_of(cases[i].name), &e);

		if (!cases[i].expected) {
			assert_int_equal(r, -ERR_INVALID);
			assert_non_null(strstr(e.text, p->name));
			assert_string_equal(name, "");
			continue;
		}
		if (r < 0)
			fail_msg("%s %s: %s", p->name, cases[i].name, e.text);
		assert_string_equal(name, cases[i].expected);
		if (dns_naming_is_host(p, str_of(name)) != cases[i].host)
			fail_msg("%s %s", p->name, name);
	}
}

static void test_addresses(void **state)
{
	static const struct dns_provider p = {.name = "x", .names = DNS_NAME_ADDRESS};
	char name[HOSTNAME_MAX];

	assert_int_equal(dns_naming_copy(name, &p, STR("2001:DB8:0:0::1"), NULL), 0);
	assert_string_equal(name, "2001:db8::1");
	assert_int_equal(dns_naming_copy(name, &p, STR("192.0.2.1"), NULL), 0);
	assert_string_equal(name, "192.0.2.1");
	assert_false(dns_naming_is_host(&p, str_of(name)));
	assert_int_equal(dns_naming_copy(name, &p, STR("192.0.2.1:80"), NULL), -ERR_INVALID);
}

/* What is longer than a name of the DNS may be fits nowhere. */
static void test_long_names(void **state)
{
	char text[400], name[HOSTNAME_MAX];

	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = i % 32 == 31 ? '.' : 'a';
	memcpy(text, "*.", 2);
	for (size_t len = 3; len < sizeof(text); len++) {
		struct str s = str_n(text + (len % 2 ? 2 : 0), len - (len % 2 ? 2 : 0));

		if (dns_naming_copy(name, row("cloudflare"), s, NULL) == 0)
			assert_int_equal(strlen(name), s.len - (s.at[s.len - 1] == '.'));
		else
			assert_string_equal(name, "");
	}
}

static void test_what_is_said(void **state)
{
	char text[DNS_NAMING_TEXT_MAX];

	assert_string_equal(dns_naming_text(text, row("dyn")), "a host name");
	assert_string_equal(dns_naming_text(text, row("noip")), "a host name or a word");
	assert_string_equal(
		dns_naming_text(text, &(struct dns_provider){.names = DNS_NAME_ANY}),
		"a host name or \"*.\" and a host name or a number or an address or a word");
}

/* A zone is the business of names that have one. */
static void test_an_entry(void **state)
{
	struct dns_entry entry = {.provider = row("noip"),
				  .host = "family",
				  .zone = "example.org",
				  .user = "u",
				  .pass = "p"};
	struct err e = {0};

	assert_int_equal(dns_entry_check(&entry, &e), 0);
	entry.host = "home.example.net";
	assert_int_equal(dns_entry_check(&entry, &e), -ERR_INVALID);
	assert_non_null(strstr(e.text, "not in the zone"));
	entry.provider = row("tunnelbroker");
	assert_int_equal(dns_entry_check(&entry, &e), -ERR_INVALID);
	assert_non_null(strstr(e.text, "home.example.net: not a number"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),	   cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_long_names), cmocka_unit_test(test_what_is_said),
		cmocka_unit_test(test_an_entry),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
