#include "test.h"

#include <string.h>

#include "agent/target.h"

struct good {
	const char *text, *same; /* its one spelling */
	enum edge_kind edge;
	enum link_kind link;
	const char *to; /* sock_addr_format; NULL: to be looked up, or a folder */
	const char *id;
};

static const struct good goods[] = {
	{"8000", "http://localhost:8000", EDGE_HTTP, LINK_HTTP, "127.0.0.1:8000", "8000"},
	{"localhost:8000", "http://localhost:8000", EDGE_HTTP, LINK_HTTP, "127.0.0.1:8000", "8000"},
	{"0.0.0.0:8000", "http://0.0.0.0:8000", EDGE_HTTP, LINK_HTTP, "127.0.0.1:8000", "8000"},
	{"[::]:80", "http://[::]:80", EDGE_HTTP, LINK_HTTP, "[::1]:80", "80"},
	{"192.168.1.7:80", "http://192.168.1.7:80", EDGE_HTTP, LINK_HTTP, "192.168.1.7:80", "80"},
	{"NAS.lan:5000", "http://nas.lan:5000", EDGE_HTTP, LINK_HTTP, NULL, "5000"},
	{"http://127.0.0.1", "http://127.0.0.1:80", EDGE_HTTP, LINK_HTTP, "127.0.0.1:80", "80"},
	{"HTTP://[::1]:81/", "http://[::1]:81", EDGE_HTTP, LINK_HTTP, "[::1]:81", "81"},
	{"http://unix:/run/my_app.sock", "http://unix:/run/my_app.sock", EDGE_HTTP, LINK_HTTP,
	 "unix:/run/my_app.sock", "my-app-sock"},
	{"https://127.0.0.1", "https://127.0.0.1:443", EDGE_TCP, LINK_TLS, "127.0.0.1:443", "443"},
	{"tcp://127.0.0.1:22", "tcp://127.0.0.1:22", EDGE_TCP, LINK_TCP, "127.0.0.1:22", "22"},
	{"tcp://unix:/run/x", "tcp://unix:/run/x", EDGE_TCP, LINK_TCP, "unix:/run/x", "x"},
	{"udp://[::1]:53", "udp://[::1]:53", EDGE_UDP, LINK_UDP, "[::1]:53", "53"},
	{"./8000", "./8000", EDGE_FILES, LINK_HTTP, NULL, "8000"},
	{"/srv/My Site!/", "/srv/My Site!", EDGE_FILES, LINK_HTTP, NULL, "my-site"},
	{"/", "/", EDGE_FILES, LINK_HTTP, NULL, "site"},
	{"site", "site", EDGE_FILES, LINK_HTTP, NULL, "site"},
	{"a:b", "a:b", EDGE_FILES, LINK_HTTP, NULL, "a-b"},
	{"./a://b", "./a://b", EDGE_FILES, LINK_HTTP, NULL, "b"},
	{"Größe", "Größe", EDGE_FILES, LINK_HTTP, NULL, "gr-e"},
};

static void understands(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(goods); i++) {
		const struct good *good = &goods[i];
		char id[LINK_SERVICE_ID_MAX + 1], text[128];
		struct target t, copy;
		struct err e = {0};

		if (target_parse(str_of(good->text), &t, &e) < 0)
			fail_msg("%s: %s", good->text, e.text);
		assert_string_equal(t.text, good->same);
		assert_int_equal(t.edge, good->edge);
		assert_int_equal(t.link, good->link);
		target_default_id(&t, id);
		assert_string_equal(id, good->id);
		assert_true(link_service_id_valid(str_of(id)));
		if (good->to)
			assert_string_equal(sock_addr_format(text, &t.to), good->to);
		else
			assert_int_equal(t.to.ip.family, 0);
		assert_int_equal(target_copy(&copy, &t), 0);
		assert_true(target_equal(&copy, &t));
		target_done(&copy);
		target_done(&t);
	}
}

struct bad {
	const char *text, *why;
};

static const struct bad bads[] = {
	{"", "nothing is named"},
	{"0", "port from 1 to 65535"},
	{"65536", "port from 1 to 65535"},
	{"123456789012345678901234567890", "port from 1 to 65535"},
	{"localhost:99999", "port from 1 to 65535"},
	{":8000", "HOST:PORT"},
	{"udp://127.0.0.1", "udp:// needs a port"},
	{"udp://unix:/run/x", "udp:// needs HOST:PORT"},
	{"sctp://127.0.0.1:53", "must be http, https, tcp or udp"},
	{"://x", "must be http, https, tcp or udp"},
	{"tcp://127.0.0.1", "tcp:// needs a port"},
	{"http://127.0.0.1:8000/app", "not a path of it"},
	{"http://me:secret@127.0.0.1:80", "a user name has no place"},
	{"http://unix:app.sock", "http://unix:/path"},
	{"https://unix:/x", "https:// needs HOST:PORT"},
	{"http://", "HOST:PORT"},
	{"http://-x-.y_z.:", "HOST:PORT"},
};

static void says_what_is_wrong(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(bads); i++) {
		struct target t;
		struct err e = {0};

		assert_int_equal(target_parse(str_of(bads[i].text), &t, &e), -ERR_INVALID);
		if (!strstr(e.text, bads[i].why))
			fail_msg("%s: %s", bads[i].text, e.text);
	}
}

static void a_long_socket_path_is_refused(void **state)
{
	char text[256] = "http://unix:/";
	struct target t;

	memset(text + strlen(text), 'x', 150);
	assert_int_equal(target_parse(str_of(text), &t, NULL), -ERR_INVALID);
}

static void localhost_may_be_in_two_places(void **state)
{
	char text[IPADDR_TEXT_MAX];
	struct target t;

	assert_int_equal(target_parse(STR("8000"), &t, NULL), 0);
	assert_string_equal(ipaddr_format_port(text, &t.other), "[::1]:8000");
	target_done(&t);
	assert_int_equal(target_parse(STR("127.0.0.1:8000"), &t, NULL), 0);
	assert_int_equal(t.other.family, 0);
	target_done(&t);
}

static void folders_become_absolute(void **state)
{
	struct target t;

	assert_int_equal(target_parse(STR("site"), &t, NULL), 0);
	assert_int_equal(target_make_absolute(&t, "/etc/homeport"), 0);
	assert_string_equal(t.text, "/etc/homeport/site");
	assert_int_equal(target_make_absolute(&t, "/elsewhere"), 0);
	assert_string_equal(t.text, "/etc/homeport/site");
	target_done(&t);
	assert_int_equal(target_parse(STR("site"), &t, NULL), 0);
	assert_int_equal(target_make_absolute(&t, "/"), 0);
	assert_string_equal(t.text, "/site");
	target_done(&t);
}

static const char *warning(const char *text)
{
	const char *answer;
	struct target t;

	assert_int_equal(target_parse(str_of(text), &t, NULL), 0);
	answer = target_warning(&t);
	target_done(&t);
	return answer;
}

static void warns_of_services_that_trust_this_machine(void **state)
{
	assert_non_null(strstr(warning("6379"), "Redis"));
	assert_non_null(strstr(warning("tcp://localhost:6379"), "Redis"));
	assert_non_null(strstr(warning("http://[::1]:8888"), "Jupyter"));
	assert_non_null(strstr(warning("http://192.168.1.1"), "router"));
	assert_null(warning("8000"));
	assert_null(warning("192.168.1.7:80"));
	assert_null(warning("192.0.2.7:6379"));
	assert_null(warning("/srv/www"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(understands),
		cmocka_unit_test(says_what_is_wrong),
		cmocka_unit_test(a_long_socket_path_is_refused),
		cmocka_unit_test(localhost_may_be_in_two_places),
		cmocka_unit_test(folders_become_absolute),
		cmocka_unit_test(warns_of_services_that_trust_this_machine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
