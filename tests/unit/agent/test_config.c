#include "test.h"

#include <string.h>

#include "agent/config.h"

static void read_good(const char *text, struct agent_config *config)
{
	struct err e = {0};

	if (agent_config_read_text("/etc/homeport/homeport.conf", str_of(text), config, &e) < 0)
		fail_msg("%s", e.text);
}

static void services_become_wishes(void **state)
{
	struct agent_config config;

	read_good("[gateway]\n"
		  "address = gw.example.org:8443\n"
		  "[service blog]\n"
		  "to = 127.0.0.1:8000\n"
		  "name = Blog.example.org www.example.org\n"
		  "name = example.org\n"
		  "host = local\n"
		  "[service ssh]\n"
		  "to = tcp://localhost:22\n"
		  "port = 2222\n"
		  "[service files]\n"
		  "to = www\n",
		  &config);
	assert_true(config.gateway.address.set);
	assert_int_equal(config.gateway.address.port, 8443);
	assert_int_equal(config.gateway.carriers, 2);
	assert_int_equal(config.n_wishes, 3);
	assert_string_equal(config.wishes[0].id, "blog");
	assert_int_equal(config.wishes[0].n_names, 3);
	assert_string_equal(config.wishes[0].names[0], "blog.example.org");
	assert_int_equal(config.wishes[0].host, EDGE_HOST_LOCAL);
	assert_int_equal(config.wishes[1].port, 2222);
	assert_int_equal(config.wishes[1].target.link, LINK_TCP);
	assert_string_equal(config.wishes[2].target.text, "/etc/homeport/www");
	agent_config_done(&config);
}

static void an_empty_file_is_fine(void **state)
{
	struct agent_config config;

	read_good("", &config);
	assert_int_equal(config.n_wishes, 0);
	assert_int_equal(config.gateway.carriers, 2);
	assert_false(config.gateway.address.set);
	agent_config_done(&config);
	assert_int_equal(agent_config_init(&config, NULL), 0);
	agent_config_done(&config);
}

static void a_configuration_can_move(void **state)
{
	struct agent_config from, to;
	struct agent_service_section *s;
	size_t n = 0;

	read_good("[service a]\nto = 8000\nname = a.b\n[service b]\nto = 8001\n", &from);
	agent_config_move(&to, &from);
	assert_int_equal(to.n_wishes, 2);
	list_for_each (s, &to.services, head.list)
		n++;
	assert_int_equal(n, 2);
	agent_config_done(&from);
	agent_config_done(&to);
}

/* What reload compares. */
static void wishes_tell_changes_apart(void **state)
{
	static const char *const others[] = {
		"[service a]\nto = 8001\nname = a.b\n",
		"[service a]\nto = 8000\nname = a.b c.d\n",
		"[service a]\nto = 8000\nname = a.c\n",
		"[service a]\nto = 8000\n",
		"[service b]\nto = 8000\nname = a.b\n",
		"[service a]\nto = 8000\nname = a.b\nhost = local\n",
		"[service a]\nto = 8000\nname = a.b\nhost = x.y\n",
		"[service a]\nto = tcp://localhost:8000\n",
	};
	struct agent_config config, same;
	struct wish copy;

	read_good("[service a]\nto = 8000\nname = a.b\n", &config);
	read_good("# moved\n\n[service a]\nname = A.b\nto = http://localhost:8000\n", &same);
	assert_true(wish_equal(&config.wishes[0], &same.wishes[0]));
	assert_int_equal(wish_copy(&copy, &config.wishes[0]), 0);
	assert_true(wish_equal(&config.wishes[0], &copy));
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		struct agent_config other;

		read_good(others[i], &other);
		assert_false(wish_equal(&config.wishes[0], &other.wishes[0]));
		agent_config_done(&other);
	}
	wish_done(&copy);
	agent_config_done(&same);
	agent_config_done(&config);
}

struct bad {
	const char *text, *error;
};

static const struct bad bads[] = {
	{"[service a]\nto = 8000\nport = 80\n", "x.conf:3: port is for tcp:// and udp:// services"},
	{"[service a]\nto = tcp://h:1\nname = a.b\n", "x.conf:3: a tcp:// service is found by"},
	{"[service a]\nto = udp://h:1\nname = a.b\n", "x.conf:3: a udp:// service is found by"},
	{"[service a]\nhost = local\nto = /srv\n", "x.conf:2: host is for http:// services"},
	{"[service Blog]\nto = 8000\n", "x.conf:1: [service Blog]: a service's name"},
	{"[service a]\nto = 1\nname = a.b\n[service b]\nto = 2\nname = A.b\n",
	 "x.conf:6: the name a.b is that of [service a] already"},
	{"[service a]\nto = 1\nname = a.b a.b\n", "x.conf:3: the name a.b"},
	{"[service a]\nto = sctp://h:1\n", "x.conf:2: to = sctp://h:1: "},
	{"[service a]\nto = 1\nname = a..b\n", "x.conf:3: name = a..b: "},
	{"[dns a.example.org]\nprovider = dyn\nuser = a\npassword-file = s3cret\n",
	 "x.conf:4: password-file: must be the absolute path"},
};

static void says_file_and_line(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(bads); i++) {
		struct agent_config config;
		struct err e = {0};

		assert_int_equal(
			agent_config_read_text("x.conf", str_of(bads[i].text), &config, &e),
			-ERR_INVALID);
		if (!strstr(e.text, bads[i].error))
			fail_msg("expected: %s\ngot:      %s", bads[i].error, e.text);
		assert_null(strstr(e.text, "s3cret")); /* written in a wrong place */
	}
}

static void the_names_of_a_service_are_bounded(void **state)
{
	char text[4096] = "[service a]\nto = 8000\n";
	struct agent_config config;
	struct err e = {0};

	for (int i = 0; i < LINK_NAMES_MAX; i++)
		snprintf(text + strlen(text), 48, "name = n%d.example.org\n", i);
	read_good(text, &config);
	agent_config_done(&config);
	strcat(text, "name = one-more.example.org\n");
	assert_int_equal(agent_config_read_text("x.conf", str_of(text), &config, &e), -ERR_INVALID);
	assert_non_null(strstr(e.text, "more than 32 names"));
}

static void where_the_file_is(void **state)
{
	char *path;

	setenv("CONFIGURATION_DIRECTORY", "/etc/hp:/etc/other", 1);
	path = agent_config_default_path();
	assert_string_equal(path, "/etc/hp/homeport.conf");
	free(path);
	setenv("CONFIGURATION_DIRECTORY", "", 1);
	setenv("XDG_CONFIG_HOME", "/home/ann/xdg", 1);
	path = agent_config_default_path();
	assert_string_equal(path, geteuid() == 0 ? "/etc/homeport/homeport.conf"
						 : "/home/ann/xdg/homeport/homeport.conf");
	free(path);
	unsetenv("CONFIGURATION_DIRECTORY");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(services_become_wishes),
		cmocka_unit_test(an_empty_file_is_fine),
		cmocka_unit_test(a_configuration_can_move),
		cmocka_unit_test(wishes_tell_changes_apart),
		cmocka_unit_test(says_file_and_line),
		cmocka_unit_test(the_names_of_a_service_are_bounded),
		cmocka_unit_test(where_the_file_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
