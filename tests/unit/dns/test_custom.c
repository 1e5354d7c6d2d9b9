#include "test.h"

#include <string.h>

#include "base/cleanup.h"
#include "dns/custom.h"
#include "dns/plan.h"

static const char *const good[] = {"updated ...", "OK"};
static const char *const nochg[] = {"unchanged"};
static const char *const fatal[] = {"error: bad key ..."};
static const char *const retry[] = {"busy"};

static struct dns_custom sample(void)
{
	return (struct dns_custom){
		.url = "https://ddns.example.net/update?host={host}&key={pass}&ip={value}",
		.good = {good, ARRAY_LEN(good)},
		.nochg = {nochg, ARRAY_LEN(nochg)},
		.fatal = {fatal, ARRAY_LEN(fatal)},
		.retry = {retry, ARRAY_LEN(retry)},
	};
}

static enum dns_verdict play(const struct dns_provider *row, enum dns_what what, int status,
			     const char *answer, const char *expected)
{
	struct dns_entry entry = {
		.provider = row, .host = "home.example.org", .user = "me", .pass = "p w"};
	struct dns_answer given = {.status = status, .body = str_of(answer)};
	struct dns_target target = {0};
	struct dns_request q = {0};
	struct dns_plan plan;
	struct err e = {0};

	assert_int_equal(ipaddr_parse(STR("192.0.2.1"), &target.ip4), 0);
	assert_int_equal(ipaddr_parse(STR("2001:db8::1"), &target.ip6), 0);
	if (dns_plan_start(&plan, &entry, what, &target, &e) < 0 ||
	    dns_plan_request(&plan, &q, &e) < 0)
		fail_msg("%s", e.text);
	assert_string_equal((char *)buf_head(&q.url), expected);
	dns_request_done(&q);
	dns_plan_answer(&plan, &given);
	assert_true(dns_plan_ended(&plan));
	return plan.reply.verdict;
}

static void test_a_url_with_any_address(void **state)
{
	static const char url4[] =
		"https://ddns.example.net/update?host=home.example.org&key=p%20w&ip=192.0.2.1";
	static const char url6[] =
		"https://ddns.example.net/update?host=home.example.org&key=p%20w&ip=2001:db8::1";
	struct dns_custom c = sample();
	struct dns_provider *row;
	struct err e = {0};

	assert_int_equal(dns_custom_new(&c, &row, &e), 0);
	assert_int_equal(dns_provider_can(row), DNS_CAN_A | DNS_CAN_AAAA);
	assert_int_equal(play(row, DNS_A, 200, "updated to 192.0.2.1\n", url4), DNS_GOOD);
	assert_int_equal(play(row, DNS_AAAA, 200, "hello\nok\n", url6), DNS_GOOD);
	assert_int_equal(play(row, DNS_A, 200, "unchanged", url4), DNS_NOCHG);
	assert_int_equal(play(row, DNS_A, 200, "OK\nerror: bad key", url4), DNS_REFUSED);
	assert_int_equal(play(row, DNS_A, 200, "busy", url4), DNS_SERVER);
	assert_int_equal(play(row, DNS_A, 200, "something else", url4), DNS_UNKNOWN);
	assert_int_equal(play(row, DNS_A, 200, "<html>OK</html>", url4), DNS_PAGE);
	assert_int_equal(play(row, DNS_A, 401, "", url4), DNS_BADAUTH);
	assert_int_equal(play(row, DNS_A, 500, "OK", url4), DNS_SERVER);
	dns_custom_free(row);
}

static void test_a_body_with_both_addresses(void **state)
{
	struct dns_entry entry = {.host = "home.example.org", .user = "me", .pass = "q\"uote"};
	struct dns_custom c = sample();
	struct dns_target target = {0};
	struct dns_request q = {0};
	struct dns_provider *row;
	struct dns_plan plan;

	c.url = "https://ddns.example.net/hook";
	c.method = "PUT";
	c.headers = "X-Token: {pass}\nX-Host: {host}";
	c.body = "{\"key\":\"{pass}\",\"a\":\"{ip4}\",\"aaaa\":\"{ip6}\"}";
	c.basic = true;
	assert_int_equal(dns_custom_new(&c, &row, NULL), 0);
	assert_int_equal(dns_provider_can(row),
			 DNS_CAN_A | DNS_CAN_AAAA | DNS_CAN_BOTH | DNS_CAN_ONLY_BOTH);
	entry.provider = row;
	assert_int_equal(ipaddr_parse(STR("192.0.2.1"), &target.ip4), 0);
	assert_int_equal(ipaddr_parse(STR("2001:db8::1"), &target.ip6), 0);
	assert_int_equal(dns_plan_start(&plan, &entry, DNS_BOTH, &target, NULL), 0);
	assert_int_equal(dns_plan_request(&plan, &q, NULL), 0);
	assert_string_equal(q.method, "PUT");
	assert_true(str_eq(
		buf_str(&q.body),
		STR("{\"key\":\"q\\\"uote\",\"a\":\"192.0.2.1\",\"aaaa\":\"2001:db8::1\"}")));
	assert_int_equal(buf_append(&q.headers, "", 1), 0);
	assert_non_null(
		strstr((char *)buf_head(&q.headers),
		       "Content-Type: application/json\r\nAuthorization: Basic bWU6cSJ1b3Rl\r\n"
		       "X-Token: q\"uote\r\nX-Host: home.example.org\r\n"));
	dns_request_done(&q);
	dns_custom_free(row);
}

static void refused(struct dns_custom c, const char *why)
{
	struct dns_provider *row;
	struct err e = {0};

	assert_int_equal(dns_custom_new(&c, &row, &e), -ERR_INVALID);
	if (!strstr(e.text, why))
		fail_msg("\"%s\" does not tell of \"%s\"", e.text, why);
}

static void test_what_is_wrong_is_said(void **state)
{
	static const char *const many[DNS_CUSTOM_PATTERNS_MAX + 1] = {"a", "a", "a", "a", "a", "a",
								      "a", "a", "a", "a", "a", "a",
								      "a", "a", "a", "a", "a"};
	struct dns_custom c = sample();

	c.url = "http://ddns.example.net/?{value}";
	refused(c, "https://");
	c.url = NULL;
	refused(c, "https://");
	c.url = "https://ddns.example.net/?{adress}";
	refused(c, "{adress}");
	c.url = "https://ddns.example.net/?{raw:adress}";
	refused(c, "{adress}");
	c.url = "https://ddns.example.net/?{host}";
	refused(c, "address is missing");
	c.url = "https://ddns.example.net/?a b={value}";
	refused(c, "character");
	c.url = "https://ddns.example.net/?{value}&{ip4}";
	refused(c, "address is missing");
	c = sample();
	c.headers = "no colon";
	refused(c, "Name: value");
	c.headers = "X-Good: a\nBad Name: b";
	refused(c, "Name: value");
	c = sample();
	c.good.n = 0;
	refused(c, "good");
	c.good = (struct dns_patterns){many, ARRAY_LEN(many)};
	refused(c, "more than 16");
}

static void test_the_entry_s_needs_are_known(void **state)
{
	struct dns_custom c = sample();
	struct dns_entry entry = {.host = "home.example.org"};
	struct dns_provider *row;
	struct err e = {0};

	assert_int_equal(dns_custom_new(&c, &row, &e), 0);
	entry.provider = row;
	assert_int_equal(dns_entry_check(&entry, &e), -ERR_INVALID);
	assert_non_null(strstr(e.text, "password-file"));
	dns_custom_free(row);
	dns_custom_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_url_with_any_address),
		cmocka_unit_test(test_a_body_with_both_addresses),
		cmocka_unit_test(test_what_is_wrong_is_said),
		cmocka_unit_test(test_the_entry_s_needs_are_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
