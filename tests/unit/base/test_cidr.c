#include "test.h"

#include "base/cidr.h"

static void parses(void **state)
{
	static const struct {
		const char *text, *formatted; /* NULL: the same */
	} cases[] = {
		{"192.0.2.7", NULL},
		{"192.0.2.7/32", "192.0.2.7"},
		{"192.168.0.0/16", NULL},
		{"0.0.0.0/0", NULL},
		{"10.0.0.0/9", NULL},
		{"2001:db8::/32", NULL},
		{"2001:db8::1", NULL},
		{"2001:DB8:0::0/33", "2001:db8::/33"},
		{"::/0", NULL},
		{"::ffff:192.0.2.0/120", "192.0.2.0/24"},
		{"::ffff:0.0.0.0/96", "0.0.0.0/0"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char text[CIDR_TEXT_MAX];
		struct cidr cidr;

		assert_int_equal(cidr_parse(str_of(cases[i].text), &cidr, NULL), 0);
		assert_string_equal(cidr_format(text, &cidr),
				    cases[i].formatted ? cases[i].formatted : cases[i].text);
	}
}

static void refuses(void **state)
{
	static const char *const cases[] = {
		"",
		"/",
		"/8",
		"10.0.0.0/",
		"10.0.0.0/33",
		"10.0.0.0/08",
		"10.0.0.0/-1",
		"10.0.0.0/+8",
		"10.0.0.0/8/8",
		"10/8",
		"10.0.0/8",
		"10.0.0.0/255.0.0.0",
		"2001:db8::/129",
		"[2001:db8::]/32",
		"2001:db8::/32 ",
		"example.org",
		"localhost",
		"all",
		"*",
		"::ffff:10.0.0.0/8",
		"010.0.0.0/8",
		"fe80::1%lo",
		"10.0.0.0-10.0.0.9",
		"10.0.0.0/0x8",
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct cidr cidr;
		struct err e = {0};

		if (cidr_parse(str_of(cases[i]), &cidr, &e) != -ERR_INVALID)
			fail_msg("%s", cases[i]);
		assert_non_null(strstr(e.text, " is no network such as "));
	}
}

static void says_what_was_meant(void **state)
{
	struct cidr cidr;
	struct err e = {0};

	assert_int_equal(cidr_parse(STR("192.168.1.7/24"), &cidr, &e), -ERR_INVALID);
	assert_string_equal(e.text, "192.168.1.7/24 has bits behind its prefix: is 192.168.1.0/24 meant?");
	assert_int_equal(cidr_parse(STR("2001:db8::1/33"), &cidr, &e), -ERR_INVALID);
	assert_string_equal(e.text, "2001:db8::1/33 has bits behind its prefix: is 2001:db8::/33 meant?");
}

static bool inside(const char *network, const char *address)
{
	struct cidr cidr;
	struct ipaddr addr;

	assert_int_equal(cidr_parse(str_of(network), &cidr, NULL), 0);
	assert_int_equal(ipaddr_parse(str_of(address), &addr), 0);
	addr.port = 4711;
	return cidr_list_contains(&cidr, 1, &addr);
}

static void contains(void **state)
{
	static const struct {
		const char *network, *in, *out;
	} cases[] = {
		{"192.0.2.7", "192.0.2.7", "192.0.2.6"},
		{"192.0.2.0/31", "192.0.2.1", "192.0.2.2"},
		{"10.128.0.0/9", "10.255.255.255", "10.127.255.255"},
		{"0.0.0.0/0", "255.255.255.255", "::1"},
		{"0.0.0.0/0", "::ffff:10.0.0.1", "2001:db8::1"},
		{"::/0", "2001:db8::1", "192.0.2.1"},
		{"2001:db8:8000::/33", "2001:db8:ffff::1", "2001:db8:7fff::1"},
		{"2001:db8::1", "2001:db8::1", "2001:db8::2"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_true(inside(cases[i].network, cases[i].in));
		assert_false(inside(cases[i].network, cases[i].out));
	}
	assert_false(cidr_list_contains(NULL, 0, &(struct ipaddr){.family = 4}));
}

/* Whoever has no address is in no network. */
static void nobody_is_nowhere(void **state)
{
	struct cidr all;

	assert_int_equal(cidr_parse(STR("0.0.0.0/0"), &all, NULL), 0);
	assert_false(cidr_contains(&all, &(struct ipaddr){0}));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses),
		cmocka_unit_test(refuses),
		cmocka_unit_test(says_what_was_meant),
		cmocka_unit_test(contains),
		cmocka_unit_test(nobody_is_nowhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
