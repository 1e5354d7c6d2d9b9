#include "test.h"

#include "map/description.h"
#include "seed.h"

static struct description d;

static void parse(const char *name)
{
	AUTO(buf_donep) struct buf body = seed(name);
	struct err e = {0};

	if (description_parse(buf_str(&body), STR("/desc/root.xml?x=/y"), &d, &e) < 0)
		fail_msg("%s: %s", name, e.text);
}

static void refuses(const char *name, int code, const char *text)
{
	AUTO(buf_donep) struct buf body = seed(name);
	struct err e = {0};

	d.n_services = 77;
	assert_int_equal(description_parse(buf_str(&body), STR("/"), &d, &e), -code);
	assert_int_equal(d.n_services, 77); /* nothing is written */
	assert_non_null(strstr(e.text, text));
}

static void service(unsigned i, enum description_type type, const char *name, const char *path)
{
	assert_true(i < d.n_services);
	assert_int_equal(d.services[i].type, type);
	assert_string_equal(description_service_name(&d.services[i]), name);
	assert_string_equal(d.services[i].path, path);
}

/* URLBase has an address, and comes last. */
static void mikrotik(void **state)
{
	parse("description/mikrotik");
	assert_string_equal(d.name, "MikroTik Router");
	assert_string_equal(d.manufacturer, "MikroTik");
	assert_string_equal(d.model, "Router OS");
	assert_int_equal(d.n_services, 2);
	service(0, DESCRIPTION_WAN_PPP_1, "WANPPPConnection:1",
		"/upnp/control/yomkmsnooi/wanpppconn-1");
	service(1, DESCRIPTION_WAN_IP_1, "WANIPConnection:1",
		"/upnp/control/xxnnjlaqsn/wanipconn-7");
	assert_string_equal(d.services[1].urn, "urn:schemas-upnp-org:service:WANIPConnection:1");
}

static void fritzbox(void **state)
{
	parse("description/fritzbox-igd2");
	assert_string_equal(d.name, "FRITZ!Box 7590 AX");
	assert_string_equal(d.manufacturer, "AVM Berlin");
	assert_int_equal(d.n_services, 2);
	service(0, DESCRIPTION_WAN_IP_2, "WANIPConnection:2", "/igd2upnp/control/WANIPConn1");
	service(1, DESCRIPTION_IPV6_FIREWALL, "WANIPv6FirewallControl:1",
		"/igd2upnp/control/WANIPv6Firewall1");
}

static void miniupnpd(void **state)
{
	parse("description/miniupnpd");
	assert_string_equal(d.name, "Lab router");
	assert_int_equal(d.n_services, 2);
	service(0, DESCRIPTION_WAN_IP_2, "WANIPConnection:2", "/ctl/IPConn");
	service(1, DESCRIPTION_IPV6_FIREWALL, "WANIPv6FirewallControl:1", "/ctl/IP6FCtl");
}

/* Relative to URLBase, not to where the description was. */
static void huawei(void **state)
{
	parse("description/huawei");
	assert_string_equal(d.model, "EchoLife \"HG8145V5\"");
	assert_int_equal(d.n_services, 1);
	service(0, DESCRIPTION_WAN_PPP_1, "WANPPPConnection:1", "/ctrlt/WANPPPConnection_1");
}

static void legacy(void **state)
{
	parse("description/legacy-dslforum");
	assert_int_equal(d.n_services, 2);
	service(0, DESCRIPTION_LEGACY_WAN_PPP, "WANPPPConnection:1",
		"/uuid:739f75f0/WANPPPConnection:1");
	assert_string_equal(d.services[0].urn, "urn:dslforum-org:service:WANPPPConnection:1");
	service(1, DESCRIPTION_LEGACY_WAN_IP, "WANIPConnection:1",
		"/upnp/control/wanipconnection1?dev=1");
}

/* No more than are kept; and whoever's host they name, the path is all that is taken. */
static void many_services(void **state)
{
	parse("description/many-wans");
	assert_string_equal(d.name, "Two lines & more");
	assert_int_equal(d.n_services, DESCRIPTION_SERVICES_MAX);
	service(0, DESCRIPTION_WAN_PPP_1, "WANPPPConnection:1", "/ctl/0");
	service(15, DESCRIPTION_WAN_IP_1, "WANIPConnection:1", "/ctl/15");
}

static void odd_encoding(void **state)
{
	parse("description/odd-encoding");
	assert_int_equal(d.n_services, 1);
	service(0, DESCRIPTION_WAN_IP_1, "WANIPConnection:1", "/ipc");
}

static void undeclared_prefix(void **state)
{
	parse("description/undeclared-prefix");
	assert_string_equal(d.name, "Prefix");
	assert_int_equal(d.n_services, 1);
	service(0, DESCRIPTION_WAN_IP_2, "WANIPConnection:2", "/?ctl");
}

/* What could not stand in a request is left out; a later version than we know is the last known. */
static void what_cannot_be_asked_for(void **state)
{
	parse("description/control-characters");
	assert_int_equal(d.n_services, 1);
	service(0, DESCRIPTION_WAN_IP_2, "WANIPConnection:3", "/ok");
	assert_int_equal(strlen(d.model), DESCRIPTION_TEXT_MAX - 2); /* é is two bytes */
	assert_null(strchr(d.manufacturer, '\x9b'));
	assert_string_equal(d.name, "a\\x09b");
}

static void refused(void **state)
{
	refuses("description/entity-bomb", ERR_DENIED, "has a document type");
	refuses("description/external-dtd", ERR_DENIED, "has a document type");
	refuses("description/too-deep", ERR_LIMIT, "nested deeper");
	refuses("description/truncated", ERR_INVALID, "unclosed token");
	refuses("description/not-a-device", ERR_INVALID, "it has no device");
	refuses("soap/external", ERR_INVALID, "it has no device");
	parse("description/deep-enough");
	assert_int_equal(d.n_services, 0);
}

/* The path that a control URL has, in a document from `from` with this URLBase. */
static const char *path_of(const char *from, const char *base, const char *url)
{
	char body[2048];

	snprintf(body, sizeof(body),
		 "<root>%s%s%s<device><serviceList><service><serviceType>urn:schemas-upnp-org:"
		 "service:WANIPConnection:1</serviceType><controlURL>%s</controlURL></service>"
		 "</serviceList></device></root>",
		 base ? "<URLBase>" : "", base ? base : "", base ? "</URLBase>" : "", url);
	assert_int_equal(description_parse(str_of(body), str_of(from), &d, NULL), 0);
	return d.n_services ? d.services[0].path : "none";
}

static void control_urls(void **state)
{
	static const struct {
		const char *from, *base, *url, *path;
	} cases[] = {
		{"/root.xml", NULL, "/ctl", "/ctl"},
		{"/root.xml", NULL, "ctl", "/ctl"},
		{"/a/b/root.xml", NULL, "ctl", "/a/b/ctl"},
		{"/a/root.xml?q=/c/d", NULL, "ctl?x=1", "/a/ctl?x=1"},
		{"/a/root.xml", NULL, "/ctl#part", "/ctl"},
		{"/root.xml", NULL, "http://198.51.100.1:1/ctl", "/ctl"},
		{"/root.xml", NULL, "HTTP://u:p@198.51.100.1/ctl", "/ctl"},
		{"/root.xml", NULL, "https://example.org/ctl", "/ctl"},
		{"/root.xml", NULL, "//example.org/ctl", "/ctl"},
		{"/root.xml", NULL, "http://198.51.100.1", "/"},
		{"/root.xml", NULL, "http://198.51.100.1?a", "/?a"},
		{"/a/root.xml", "http://198.51.100.1/b/", "ctl", "/b/ctl"},
		{"/a/root.xml", "http://198.51.100.1/b/x.xml", "ctl", "/b/ctl"},
		{"/a/root.xml", "http://198.51.100.1:80", "ctl", "/ctl"},
		{"/a/root.xml", "http://198.51.100.1/b/", "/ctl", "/ctl"},
		{"/a/root.xml", "", "ctl", "/a/ctl"},
		{"/a/root.xml", "no good", "ctl", "/a/ctl"},
		{"/root.xml", NULL, "", "none"},
		{"/root.xml", NULL, "#", "none"},
		{"/root.xml", NULL, "/c\xc3\xa9", "none"},
		{"/root.xml", NULL, "/c&#127;", "none"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_string_equal(path_of(cases[i].from, cases[i].base, cases[i].url),
				    cases[i].path);
}

/* A path is kept up to its limit, and never a part of one. */
static void long_paths(void **state)
{
	char url[DESCRIPTION_PATH_MAX + 1];

	memset(url, 'x', sizeof(url));
	url[0] = '/';
	url[DESCRIPTION_PATH_MAX - 1] = '\0';
	assert_string_equal(path_of("/", NULL, url), url);
	assert_string_equal(path_of("/", NULL, url + 1), url); /* "/" in front */
	assert_string_equal(path_of("/a/", NULL, url + 1), "none");
	url[DESCRIPTION_PATH_MAX - 1] = 'x';
	url[DESCRIPTION_PATH_MAX] = '\0';
	assert_string_equal(path_of("/", NULL, url), "none");
}

static void other_types(void **state)
{
	static const char *const types[] = {
		"urn:schemas-upnp-org:service:WANIPConnection:0",
		"urn:schemas-upnp-org:service:WANIPConnection:",
		"urn:schemas-upnp-org:service:WANIPConnection:1x",
		"urn:schemas-upnp-org:service:WANIPConnection:100",
		"urn:schemas-upnp-org:service:WANCommonInterfaceConfig:1",
		"urn:example-org:service:WANIPConnection:1",
		"",
	};
	char body[1024];

	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		snprintf(body, sizeof(body),
			 "<root><device><service><serviceType>%s</serviceType><controlURL>/c"
			 "</controlURL></service></device></root>",
			 types[i]);
		assert_int_equal(description_parse(str_of(body), STR("/"), &d, NULL), 0);
		assert_int_equal(d.n_services, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mikrotik),
		cmocka_unit_test(fritzbox),
		cmocka_unit_test(miniupnpd),
		cmocka_unit_test(huawei),
		cmocka_unit_test(legacy),
		cmocka_unit_test(many_services),
		cmocka_unit_test(odd_encoding),
		cmocka_unit_test(undeclared_prefix),
		cmocka_unit_test(what_cannot_be_asked_for),
		cmocka_unit_test(refused),
		cmocka_unit_test(control_urls),
		cmocka_unit_test(long_paths),
		cmocka_unit_test(other_types),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
