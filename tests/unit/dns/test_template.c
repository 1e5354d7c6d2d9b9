#include "test.h"

#include "base/cleanup.h"
#include "dns/template.h"

static struct dns_vars sample(void)
{
	struct dns_vars vars = {0};

	dns_vars_set(&vars, "host", STR("home.example.org"));
	dns_vars_set(&vars, "pass", STR("a b&c=\"d\"\\/<\xc3\xbc>"));
	dns_vars_set(&vars, "evil", STR("x\r\nHost: other"));
	dns_vars_set(&vars, "empty", STR(""));
	dns_vars_set_plain(&vars, "ip6", STR("2001:db8::1"));
	return vars;
}

static void test_expanding(void **state)
{
	static const struct {
		const char *text;
		enum dns_encoding encoding;
		const char *expected; /* NULL: refused */
	} cases[] = {
		{"h={host}&i={ip6}", DNS_ENCODE_PERCENT, "h=home.example.org&i=2001:db8::1"},
		{"{pass}", DNS_ENCODE_PERCENT, "a%20b%26c%3D%22d%22%5C%2F%3C%C3%BC%3E"},
		{"{\"p\":\"{pass}\"}", DNS_ENCODE_JSON,
		 "{\"p\":\"a b&c=\\\"d\\\"\\\\/<\xc3\xbc>\"}"},
		{"<P>{pass}</P>", DNS_ENCODE_XML,
		 "<P>a b&amp;c=&quot;d&quot;\\/&lt;\xc3\xbc&gt;</P>"},
		{"X: {pass}", DNS_ENCODE_NONE, "X: a b&c=\"d\"\\/<\xc3\xbc>"},
		{"{raw:pass}", DNS_ENCODE_PERCENT, "a b&c=\"d\"\\/<\xc3\xbc>"},
		{"X: {evil}", DNS_ENCODE_NONE, NULL},
		{"/{raw:evil}", DNS_ENCODE_PERCENT, NULL},
		{"/{evil}", DNS_ENCODE_PERCENT, "/x%0D%0AHost%3A%20other"},
		{"{\"e\":\"{evil}\"}", DNS_ENCODE_JSON, "{\"e\":\"x\\u000d\\u000aHost: other\"}"},
		{"[{empty}]", DNS_ENCODE_PERCENT, "[]"},
		{"{nothing}", DNS_ENCODE_PERCENT, NULL},
		{"{", DNS_ENCODE_PERCENT, "{"},
		{"{}", DNS_ENCODE_PERCENT, "{}"},
		{"{host", DNS_ENCODE_PERCENT, "{host"},
		{"{Host}", DNS_ENCODE_PERCENT, "{Host}"},
		{"{raw:}", DNS_ENCODE_PERCENT, "{raw:}"},
		{"{{host}}", DNS_ENCODE_PERCENT, "{home.example.org}"},
		{"", DNS_ENCODE_PERCENT, ""},
	};
	struct dns_vars vars = sample();

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		AUTO(buf_donep) struct buf out = {0};
		struct err e = {0};
		int r = dns_template_expand(cases[i].text, &vars, cases[i].encoding, &out, &e);

		if ((r == 0) != (cases[i].expected != NULL) ||
		    (r == 0 && !str_eq(buf_str(&out), str_of(cases[i].expected))))
			fail_msg("%s: %d \"%.*s\"", cases[i].text, r, STR_ARG(buf_str(&out)));
		if (r < 0)
			assert_true(e.text[0]);
	}
}

static void test_what_is_missing_is_named(void **state)
{
	AUTO(buf_donep) struct buf out = {0};
	struct dns_vars vars = {0};
	struct err e = {0};

	assert_int_equal(dns_template_expand("{zone}", &vars, DNS_ENCODE_NONE, &out, &e),
			 -ERR_NOT_FOUND);
	assert_string_equal(e.text, "zone is not set");
}

static void test_limits(void **state)
{
	AUTO(buf_donep) struct buf out = {.max = 10};
	static char big[DNS_VAR_VALUE_MAX + 1];
	struct dns_vars vars = sample();

	assert_int_equal(dns_template_expand("{host}", &vars, DNS_ENCODE_NONE, &out, NULL),
			 -ERR_LIMIT);
	dns_vars_set(&vars, "host", str_n(big, sizeof(big)));
	assert_int_equal(dns_template_expand("{host}", &vars, DNS_ENCODE_JSON, &out, NULL),
			 -ERR_LIMIT);
}

static void test_setting_again_and_taking_away(void **state)
{
	struct dns_vars vars = sample();

	dns_vars_set(&vars, "host", STR("other"));
	assert_true(str_eq(dns_vars_get(&vars, STR("host"))->value, STR("other")));
	dns_vars_set(&vars, "host", (struct str){0});
	assert_null(dns_vars_get(&vars, STR("host")));
	assert_non_null(dns_vars_get(&vars, STR("ip6")));
}

static void test_uses(void **state)
{
	assert_true(dns_template_uses("a={ip4}&b={raw:pass}", "ip4"));
	assert_true(dns_template_uses("a={ip4}&b={raw:pass}", "pass"));
	assert_false(dns_template_uses("a={ip4}&b={raw:pass}", "ip"));
	assert_false(dns_template_uses("a={ip4}", "raw"));
	assert_false(dns_template_uses(NULL, "ip4"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_expanding),
		cmocka_unit_test(test_what_is_missing_is_named),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_setting_again_and_taking_away),
		cmocka_unit_test(test_uses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
