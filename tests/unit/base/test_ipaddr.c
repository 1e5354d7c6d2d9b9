#include "test.h"

#include <netinet/in.h>
#include <string.h>

#include "base/ipaddr.h"

static struct ipaddr parse(const char *text)
{
	struct ipaddr a = {0};

	assert_int_equal(ipaddr_parse(str_of(text), &a), 0);
	return a;
}

static void assert_text(const struct ipaddr *a, const char *want, const char *want_port)
{
	char text[IPADDR_TEXT_MAX];

	assert_string_equal(ipaddr_format(text, a), want);
	assert_string_equal(ipaddr_format_port(text, a), want_port);
}

static void test_text(void **state)
{
	struct ipaddr a = parse("192.0.2.1");

	assert_int_equal(a.family, 4);
	assert_text(&a, "192.0.2.1", "192.0.2.1");
	a.port = 65535;
	assert_text(&a, "192.0.2.1", "192.0.2.1:65535");
	a = parse("2001:DB8:0:0::1");
	assert_text(&a, "2001:db8::1", "[2001:db8::1]");
	a = parse("[2001:db8::1]");
	a.port = 80;
	assert_text(&a, "2001:db8::1", "[2001:db8::1]:80");
	assert_text(&(struct ipaddr){0}, "none", "none");
}

static void test_what_is_no_address(void **state)
{
	static const char *const bad[] = {
		"",	"1.2.3", "1.2.3.256", "01.2.3.4", "1.2.3.4 ",	"::g", "[1.2.3.4]",
		"[::1", "::1]",	 "fe80::1%1", "host",	  "1.2.3.4:80", "[]",  "1:2:3:4:5:6:7:8:9"};
	struct ipaddr a = {.port = 7};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(ipaddr_parse(str_of(bad[i]), &a), -ERR_INVALID);
	assert_int_equal(ipaddr_parse(str_n("1.2.3.4\0", 8), &a), -ERR_INVALID);
	assert_int_equal(a.port, 7);
}

static void test_with_port(void **state)
{
	static const char *const bad[] = {"192.0.2.1", "192.0.2.1:",	  "192.0.2.1:0",
					  "::1:80:",   "192.0.2.1:65536", "[::1]",
					  "[::1]80",   "host:80",	  ":80"};
	struct ipaddr a;

	assert_int_equal(ipaddr_parse_port(STR("192.0.2.1:80"), &a), 0);
	assert_text(&a, "192.0.2.1", "192.0.2.1:80");
	assert_int_equal(ipaddr_parse_port(STR("[::1]:80"), &a), 0);
	assert_text(&a, "::1", "[::1]:80");
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(ipaddr_parse_port(str_of(bad[i]), &a), -ERR_INVALID);
}

static void test_one_spelling_for_mapped_addresses(void **state)
{
	struct ipaddr plain = parse("192.0.2.1"), mapped = parse("::ffff:192.0.2.1");
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(80)};
	struct ipaddr from;

	assert_true(ipaddr_equal(&plain, &mapped));
	in6.sin6_addr.s6_addr[10] = in6.sin6_addr.s6_addr[11] = 0xff;
	memcpy(in6.sin6_addr.s6_addr + 12, plain.bytes, 4);
	ipaddr_from_sockaddr(&from, (struct sockaddr *)&in6);
	plain.port = 80;
	assert_true(ipaddr_equal(&plain, &from));
}

static void test_sockaddr_and_back(void **state)
{
	struct sockaddr_storage ss;
	struct ipaddr a = parse("192.0.2.1"), b;

	a.port = 4711;
	assert_int_equal(ipaddr_to_sockaddr(&a, &ss), sizeof(struct sockaddr_in));
	ipaddr_from_sockaddr(&b, (struct sockaddr *)&ss);
	assert_true(ipaddr_equal(&a, &b));
	a = parse("fe80::1");
	a.port = 1;
	a.scope = 3;
	assert_int_equal(ipaddr_to_sockaddr(&a, &ss), sizeof(struct sockaddr_in6));
	ipaddr_from_sockaddr(&b, (struct sockaddr *)&ss);
	assert_true(ipaddr_equal(&a, &b));
	b.scope = 4;
	assert_false(ipaddr_equal(&a, &b));
	ss.ss_family = AF_UNIX;
	ipaddr_from_sockaddr(&b, (struct sockaddr *)&ss);
	assert_int_equal(b.family, 0);
}

static void test_kinds(void **state)
{
	struct ipaddr a;

	a = parse("127.9.9.9");
	assert_true(ipaddr_is_loopback(&a));
	a = parse("::1");
	assert_true(ipaddr_is_loopback(&a));
	a = parse("128.0.0.1");
	assert_false(ipaddr_is_loopback(&a));
	assert_false(ipaddr_is_loopback(&(struct ipaddr){0}));
	a = parse("0.0.0.0");
	assert_true(ipaddr_is_unspecified(&a));
	a = parse("::");
	assert_true(ipaddr_is_unspecified(&a));
	assert_false(ipaddr_is_loopback(&a));
	a = parse("0.0.0.1");
	assert_false(ipaddr_is_unspecified(&a));
}

static void test_source(void **state)
{
	struct ipaddr a = parse("2001:db8:1:2:3::4"), b = parse("2001:db8:1:2::"), s;

	a.port = 80;
	s = ipaddr_source(&a);
	assert_true(ipaddr_equal(&s, &b));
	assert_true(ipaddr_hash(&s, 1) == ipaddr_hash(&b, 1));
	assert_true(ipaddr_hash(&s, 1) != ipaddr_hash(&b, 2));
	a = parse("192.0.2.1");
	b = a;
	a.port = 80;
	assert_true(ipaddr_hash(&a, 1) != ipaddr_hash(&b, 1));
	s = ipaddr_source(&a);
	assert_true(ipaddr_equal(&s, &b));
}

static void test_hostport(void **state)
{
	static const struct {
		const char *text, *host;
		uint16_t port; /* 0: none there */
	} good[] = {
		{"gw.example.org:443", "gw.example.org", 443},
		{"gw.example.org", "gw.example.org", 0},
		{"192.0.2.1:1", "192.0.2.1", 1},
		{"192.0.2.1", "192.0.2.1", 0},
		{"[::1]:65535", "::1", 65535},
		{"[::1]", "::1", 0},
		{"::1", "::1", 0},
		{"2001:db8::1:80", "2001:db8::1:80", 0}, /* an address, as it stands */
		{"[::ffff:192.0.2.1]:80", "::ffff:192.0.2.1", 80},
	};
	static const char *const bad[] = {
		"",	    ":80",	"host:",	 "host:0", "host:65536",
		"[::1",	    "[::1]x",	"[host]:80",	 "[]:80",  "host:80:90",
		"host: 80", "host:+80", "[192.0.2.1]:80"};
	struct str host;
	uint16_t port;

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		port = 7;
		assert_int_equal(hostport_split(str_of(good[i].text), &host, &port), 0);
		assert_true(str_eq(host, str_of(good[i].host)));
		assert_int_equal(port, good[i].port ? good[i].port : 7);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(hostport_split(str_of(bad[i]), &host, &port), -ERR_INVALID);
}

static void test_hostnames(void **state)
{
	static const char *const good[] = {
		"a", "a.b", "xn--bcher-kva.example", "_acme.a-b.example", "1.2.3", "A.B"};
	static const char *const bad[] = {"",	  ".",	  "a.",	 ".a",	"a..b",		 "-a", "a-",
					  "a-.b", "a.-b", "a b", "a/b", "b\303\274cher", "a:b"};
	char name[HOSTNAME_MAX], text[300];

	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_true(hostname_valid(str_of(good[i])));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(hostname_valid(str_of(bad[i])));
	memset(text, 'a', sizeof(text));
	assert_true(hostname_valid(str_n(text, 63)));
	assert_false(hostname_valid(str_n(text, 64)));
	text[63] = text[127] = text[191] = '.';
	assert_true(hostname_valid(str_n(text, 253)));
	assert_false(hostname_valid(str_n(text, 254)));
	assert_true(hostname_copy(name, STR("Blog.Example.ORG.")));
	assert_string_equal(name, "blog.example.org");
	assert_false(hostname_copy(name, STR("a..")));
	assert_string_equal(name, "");
}

static void test_authority(void **state)
{
	static const struct {
		const char *text, *host;
		uint16_t port;
	} good[] = {
		{"Example.ORG", "example.org", 0},
		{"example.org.:8080", "example.org", 8080},
		{"192.0.2.1:80", "192.0.2.1", 80},
		{"[2001:DB8:0::1]", "[2001:db8::1]", 0},
		{"[2001:db8::1]:443", "[2001:db8::1]", 443},
		{"[::ffff:192.0.2.1]:80", "192.0.2.1", 80},
	};
	static const char *const bad[] = {"", "::1", "user@host", "a b", "host:", "[x]:1", "h:1:2"};
	char host[HOSTNAME_MAX] = "as it was";
	uint16_t port = 7;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(authority_parse(str_of(bad[i]), host, &port), -ERR_INVALID);
	assert_string_equal(host, "as it was");
	assert_int_equal(port, 7);
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		assert_int_equal(authority_parse(str_of(good[i].text), host, &port), 0);
		assert_string_equal(host, good[i].host);
		assert_int_equal(port, good[i].port);
	}
}

static struct ipaddr literal(const char *text)
{
	struct ipaddr a;

	assert_int_equal(ipaddr_parse(str_of(text), &a), 0);
	return a;
}

static void test_hosts(void **state)
{
	struct ipaddr a = literal("192.0.2.1"), b = a, other = literal("192.0.2.2");
	struct ipaddr low = literal("fe80::1"), high = literal("febf::1"),
		      none = literal("fec0::1");

	b.port = 80;
	assert_true(ipaddr_same_host(&a, &b));
	assert_false(ipaddr_equal(&a, &b));
	assert_false(ipaddr_same_host(&a, &other));
	assert_false(ipaddr_same_host(&a, &low));
	assert_true(ipaddr_is_link_local6(&low) && ipaddr_is_link_local6(&high));
	assert_false(ipaddr_is_link_local6(&none) || ipaddr_is_link_local6(&a));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_what_is_no_address),
		cmocka_unit_test(test_with_port),
		cmocka_unit_test(test_one_spelling_for_mapped_addresses),
		cmocka_unit_test(test_sockaddr_and_back),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_source),
		cmocka_unit_test(test_hostport),
		cmocka_unit_test(test_hostnames),
		cmocka_unit_test(test_hosts),
		cmocka_unit_test(test_authority),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
