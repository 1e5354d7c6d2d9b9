#include "test.h"

#include <string.h>

#include "agent/config.h"

struct services {
	struct agent_config config;
	struct dns_service at[DNS_SERVICES_MAX];
	size_t n;
};

static void read_services(struct services *s, const char *text)
{
	struct err e = {0};

	if (agent_config_read_text("x", str_of(text), &s->config, &e) < 0)
		fail_msg("%s", e.text);
	s->n = agent_observe_services(&s->config.observe, s->at);
}

static void services_done(struct services *s)
{
	agent_config_done(&s->config);
}

static void the_default_is_the_table(void **state)
{
	struct services s;

	read_services(&s, "");
	assert_int_equal(s.n, dns_services_count);
	for (size_t i = 0; i < s.n; i++)
		assert_string_equal(s.at[i].at, dns_services[i].at);
	services_done(&s);
}

/* The man page says so. */
static void the_help_names_them(void **state)
{
	for (size_t i = 0; i < dns_services_count; i++) {
		bool stun = dns_services[i].source == DNS_SOURCE_STUN;

		assert_non_null(strstr(agent_observe_rows[stun ? 0 : 1].help, dns_services[i].at));
	}
}

static void what_is_named_replaces_its_kind(void **state)
{
	struct services s;
	size_t echo = 0;

	read_services(&s, "[observe]\nstun = a.example [2001:db8::1]:3479\n");
	assert_string_equal(s.at[0].at, "a.example");
	assert_string_equal(s.at[1].at, "[2001:db8::1]:3479");
	assert_int_equal(s.at[0].source, DNS_SOURCE_STUN);
	for (size_t i = 2; i < s.n; i++)
		echo += s.at[i].source == DNS_SOURCE_ECHO;
	assert_true(echo >= 3 && echo == s.n - 2);
	services_done(&s);

	/* what is known of one stays */
	read_services(&s, "[observe]\nstun = none\necho = https://checkip.amazonaws.com/\n"
			  "echo = https://me.example/ip\n");
	assert_int_equal(s.n, 2);
	assert_int_equal(s.at[0].families, DNS_OVER_IPV4);
	assert_int_equal(s.at[1].families, DNS_OVER_IPV4 | DNS_OVER_IPV6);
	assert_int_equal(s.at[1].interval_s, 600);
	services_done(&s);

	read_services(&s, "[observe]\nstun = none\necho = none\n");
	assert_int_equal(s.n, 0);
	services_done(&s);
}

static void too_many(void **state)
{
	struct agent_config config;
	struct err e = {0};

	assert_int_equal(agent_config_read_text("x", STR("[observe]\nstun = a b c d e f g h i\n"),
						&config, &e),
			 -ERR_INVALID);
	assert_string_equal(e.text, "x:2: more than 8 for stun");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_default_is_the_table),
		cmocka_unit_test(the_help_names_them),
		cmocka_unit_test(what_is_named_replaces_its_kind),
		cmocka_unit_test(too_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
