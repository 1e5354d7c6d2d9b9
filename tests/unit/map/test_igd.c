#include "test.h"

#include <netinet/in.h>

#include "device.h"
#include "map/igd.h"
#include "net/httpc.h"

static struct loop *loop;
static struct httpc *httpc;
static struct map_place place;
static struct device router;
static struct igd *igd;
static bool own_network;

/* ── what the device says ── */

static const char *description = "description/miniupnpd";

/* The description to a GET, and to an action the seed that is set. */
static const char *status, *answer_seed;

static void respond(struct visit *v)
{
	if (device_was_asked(v, "GET "))
		device_say_seed(v, "200 OK", description);
	else
		device_say_seed(v, status, answer_seed);
}

static void answers_with(const char *new_status, const char *name)
{
	status = new_status;
	answer_seed = name;
}

/* ── what is told ── */

static int found_r;
static struct igd_device found;
static char found_text[512];
static unsigned n_found;

static void on_found(void *arg, int r, const struct igd_device *device, const struct err *e)
{
	found_r = r;
	n_found++;
	snprintf(found_text, sizeof(found_text), "%s", r < 0 ? e->text : "");
	assert_true((r == 0) == (device != NULL));
	assert_ptr_equal(igd_device(igd), device);
	if (device)
		found = *device;
	loop_stop(loop);
}

/* 0, or why not. */
static int discover(void)
{
	n_found = 0;
	assert_int_equal(igd_discover(igd, on_found, NULL, NULL), 0);
	assert_null(igd_device(igd));
	loop_run(loop);
	assert_int_equal(n_found, 1);
	return found_r;
}

static struct igd_answer got;
static unsigned n_answers, wanted;
static char order[128]; /* of the answers, by their args */

static void on_answer(void *arg, const struct igd_answer *answer)
{
	got = *answer;
	if (arg)
		strcat(order, arg);
	if (++n_answers == wanted)
		loop_stop(loop);
}

static const struct igd_then then = {on_answer, NULL};

static struct igd_then named(const char *name)
{
	return (struct igd_then){on_answer, (void *)name};
}

static void expect(unsigned n)
{
	wanted = n;
	n_answers = 0;
	order[0] = '\0';
}

/* What one action was answered. */
static int answered(int asked)
{
	assert_int_equal(asked, 0);
	expect(1);
	loop_run(loop);
	return got.r;
}

/* The last request that the device got. */
static const struct visit *last(void)
{
	return &router.visits[router.n_visits - 1];
}

static void asked(const char *part)
{
	if (!device_was_asked(last(), part))
		fail_msg("\"%s\" is not in %s", part, device_got(last()));
}

static int setup_at(void (*where)(struct map_place *))
{
	where(&place);
	description = "description/miniupnpd";
	if (loop_new(&loop, NULL) < 0 || httpc_new(loop, &httpc, NULL) < 0)
		return -1;
	device_start(&router, loop, &place.router);
	router.respond = respond;
	return igd_new(loop, httpc, &place, &igd, NULL);
}

static int setup(void **state)
{
	return setup_at(device_place);
}

static int teardown(void **state)
{
	igd_free(TAKE(igd));
	httpc_free(httpc);
	device_stop(&router);
	loop_free(loop);
	return 0;
}

/* ── finding ── */

static void finds_and_describes(void **state)
{
	assert_int_equal(discover(), 0);
	assert_string_equal(found.name, "Lab router");
	assert_string_equal(found.manufacturer, "Debian");
	assert_string_equal(found.model, "Debian router");
	assert_string_equal(found.server, "Test/1 UPnP/1.1");
	assert_true(ipaddr_equal(&found.control, &router.at));
	assert_false(found.other);
	assert_string_equal(found.connection, "WANIPConnection:2");
	assert_int_equal(found.n_connections, 1);
	assert_true(found.firewall);
	assert_true(found.answered <= found.described && found.described < USEC_PER_S);
	asked("GET /igd/root.xml HTTP/1.1\r\n");
	asked("Connection: close\r\n");
	/* from our address, which no other way would have chosen */
	assert_memory_equal(last()->from.bytes, place.address.bytes, 4);
}

static void whatever_host_the_description_names(void **state)
{
	description = "description/many-wans"; /* http://198.51.100.N/ctl/N */
	answers_with("200 OK", "soap/status");
	assert_int_equal(discover(), 0);
	assert_string_equal(found.name, "Two lines & more");
	assert_int_equal(found.n_connections, 16);
	assert_true(ipaddr_equal(&found.control, &router.at));
	asked("POST /ctl/");
	asked("Host: 127.");
}

/* An answer that cannot be used: the device is not spoken to any further. */
static const char *bytes;
static size_t n_bytes;

static void respond_bytes(struct visit *v)
{
	assert_int_equal(buf_append(&v->answer, bytes, n_bytes), 0);
}

static void describes(const char *text, int r, const char *why)
{
	bytes = text;
	n_bytes = strlen(text);
	router.respond = respond_bytes;
	assert_int_equal(discover(), r);
	assert_null(igd_device(igd));
	if (!strstr(found_text, why))
		fail_msg("\"%s\" is not in \"%s\"", why, found_text);
}

static void descriptions_that_are_none(void **state)
{
	describes("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", -ERR_FAILED,
		  "HTTP status 404");
	describes("HTTP/1.1 302 Found\r\nLocation: http://198.51.100.1/\r\n"
		  "Content-Length: 0\r\n\r\n",
		  -ERR_FAILED, "HTTP status 302");
	describes("HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n<root><device>", -ERR_FAILED, "");
	describes("HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n<root><device>", -ERR_FAILED,
		  "no element found");
	describes("HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n<!DOCTYPE a []><a/>\n", -ERR_FAILED,
		  "has a document type");
	describes("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", -ERR_FAILED, "empty");
	describes("HTTP/1.1 200 OK\r\nContent-Length: 22\r\n\r\n<root><device/></root>",
		  -ERR_REFUSED, "offers no WANIPConnection or WANPPPConnection");
	describes("220 mail.example.org ESMTP\r\n", -ERR_FAILED, "");
	assert_int_equal(router.n_visits, 8); /* one each, and none for the redirect */
}

static void a_bomb(void **state)
{
	description = "description/entity-bomb";
	assert_int_equal(discover(), -ERR_FAILED);
	assert_non_null(strstr(found_text, "has a document type"));
}

/* Whatever is behind the document, as many bytes. */
static size_t padded_to;

static void respond_padded(struct visit *v)
{
	AUTO(buf_donep) struct buf body = seed(description);

	while (buf_len(&body) < padded_to)
		assert_int_equal(buf_append(&body, "\n", 1), 0);
	device_say(v, "200 OK", buf_head(&body), buf_len(&body));
}

static void large_and_too_large(void **state)
{
	router.respond = respond_padded;
	padded_to = 128 * 1024;
	assert_int_equal(discover(), 0);
	padded_to = 128 * 1024 + 1;
	assert_int_equal(discover(), -ERR_FAILED);
	padded_to = 200 * 1024;
	assert_int_equal(discover(), -ERR_FAILED);
}

/* The same document in pieces of 100 bytes. */
static void respond_chunked(struct visit *v)
{
	AUTO(buf_donep) struct buf body = seed(description);

	assert_int_equal(
		buf_printf(&v->answer, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), 0);
	while (buf_len(&body)) {
		size_t n = MIN(buf_len(&body), (size_t)100);

		assert_int_equal(buf_printf(&v->answer, "%zx;x=y\r\n", n), 0);
		assert_int_equal(buf_append(&v->answer, buf_head(&body), n), 0);
		assert_int_equal(buf_append(&v->answer, "\r\n", 2), 0);
		buf_consume(&body, n);
	}
	assert_int_equal(buf_printf(&v->answer, "0\r\n\r\n"), 0);
}

static void a_chunked_one(void **state)
{
	router.respond = respond_chunked;
	assert_int_equal(discover(), 0);
	assert_string_equal(found.name, "Lab router");
}

/* A media server on the router's address, before the gateway device. */
static void respond_by_path(struct visit *v)
{
	if (device_was_asked(v, "GET /media.xml"))
		device_say_text(v, "200 OK",
				"<root><device><friendlyName>M</friendlyName></device>"
				"</root>");
	else
		respond(v);
}

static void the_description_with_a_service(void **state)
{
	router.answers[0] = (struct device_answer){DEVICE_IGD "1", "/media.xml"};
	router.answers[1] = (struct device_answer){DEVICE_IGD "1", "/igd/root.xml"};
	router.respond = respond_by_path;
	assert_int_equal(discover(), 0);
	assert_string_equal(found.name, "Lab router");
	assert_int_equal(router.n_visits, 2);
	/* and when there is none, the first one's reason is told */
	router.answers[1].path = "/media.xml?2";
	assert_int_equal(discover(), -ERR_REFUSED);
	assert_string_equal(found_text, "M offers no WANIPConnection or WANPPPConnection");
}

static void no_more_than_four_descriptions(void **state)
{
	static const char *const paths[] = {"/1", "/2", "/3", "/4", "/5", "/6"};

	for (size_t i = 0; i < ARRAY_LEN(paths); i++)
		router.answers[i] = (struct device_answer){DEVICE_IGD "1", paths[i]};
	describes("HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", -ERR_FAILED, "HTTP status 500");
	assert_int_equal(router.n_visits, 4);
}

static void started_over(void **state)
{
	assert_int_equal(igd_discover(igd, on_found, NULL, NULL), 0);
	assert_int_equal(discover(), 0); /* on_found was called once */
	assert_int_equal(router.n_visits, 1);
}

/* ── several connections ── */

/* "disconnected private public …", by the number in /ctl/N */
static const char *const *lines;

static void respond_line(struct visit *v)
{
	const char *at = strstr(device_got(v), "POST /ctl/");
	const char *line = at ? lines[atoi(at + 10)] : "";
	bool about_status = device_was_asked(v, "#GetStatusInfo\"");

	if (!at)
		device_say_seed(v, "200 OK", "description/many-wans");
	else if (strcmp(line, "broken") == 0)
		device_say_seed(v, "500 Internal Server Error", "soap/fault-606");
	else if (about_status && strcmp(line, "down") == 0)
		device_say_text(v, "200 OK",
				"<e><Body><GetStatusInfoResponse><NewConnectionStatus>Disconnected"
				"</NewConnectionStatus></GetStatusInfoResponse></Body></e>");
	else if (about_status)
		device_say_seed(v, "200 OK", "soap/status");
	else if (strcmp(line, "private") == 0)
		device_say_text(v, "200 OK",
				"<e><Body><XResponse><NewExternalIPAddress>192.168.0.2"
				"</NewExternalIPAddress></XResponse></Body></e>");
	else
		device_say_seed(v, "200 OK", "soap/external");
}

/* Of 1, 3, 5 and 7, which are WANIPConnections and the first four in order. Which one is chosen is
 * seen in what is asked afterwards. */
static void chooses(const char *of1, const char *of3, const char *of5, const char *of7,
		    const char *path)
{
	const char *const list[20] = {[1] = of1, [3] = of3, [5] = of5, [7] = of7};

	lines = list;
	router.respond = respond_line;
	assert_int_equal(discover(), 0);
	assert_string_equal(found.connection, "WANIPConnection:1");
	answered(igd_external_address(igd, then, NULL, NULL));
	asked(path);
}

static void chooses_the_best_connection(void **state)
{
	chooses("public", "public", "public", "public", "POST /ctl/1 ");
	chooses("down", "private", "public", "public", "POST /ctl/5 ");
	chooses("down", "private", "broken", "private", "POST /ctl/3 ");
	chooses("broken", "broken", "down", "down", "POST /ctl/5 ");
	chooses("broken", "broken", "broken", "broken", "POST /ctl/1 ");
	chooses("broken", "broken", "broken", "public", "POST /ctl/7 ");
}

/* ── actions ── */

static void external_addresses(void **state)
{
	static const struct {
		const char *text, *address;
	} cases[] = {
		{"203.0.113.4", "203.0.113.4"},
		{"100.64.0.2", "100.64.0.2"},
		{"", "none"},
		{"0.0.0.0", "none"},
		{"127.0.0.1", "none"},
		{"none yet", "none"},
		{"2001:db8::1", "none"},
	};
	char body[512], text[IPADDR_TEXT_MAX];

	assert_int_equal(discover(), 0);
	answers_with("200 OK", "soap/external");
	assert_int_equal(answered(igd_external_address(igd, then, NULL, NULL)), 0);
	assert_string_equal(ipaddr_format(text, &got.external), "11.0.113.50");
	assert_string_equal(got.text, "");
	asked("POST /ctl/IPConn HTTP/1.1\r\n");
	asked("\r\nSOAPAction: \"urn:schemas-upnp-org:service:WANIPConnection:2#"
	      "GetExternalIPAddress\"\r\n");
	asked("\r\nContent-Type: text/xml; charset=\"utf-8\"\r\n");
	asked("\r\nConnection: close\r\n");
	asked("<u:GetExternalIPAddress "
	      "xmlns:u=\"urn:schemas-upnp-org:service:WANIPConnection:2\">");
	assert_memory_equal(last()->from.bytes, place.address.bytes, 4);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		snprintf(body, sizeof(body),
			 "HTTP/1.1 200 OK\r\n\r\n<e><Body><XResponse><NewExternalIPAddress>%s"
			 "</NewExternalIPAddress></XResponse></Body></e>",
			 cases[i].text);
		bytes = body;
		n_bytes = strlen(body);
		router.respond = respond_bytes;
		assert_int_equal(answered(igd_external_address(igd, then, NULL, NULL)), 0);
		assert_string_equal(ipaddr_format(text, &got.external), cases[i].address);
	}
}

static void mappings(void **state)
{
	struct igd_mapping m = {.protocol = IPPROTO_UDP,
				.external_port = 8443,
				.client = place.address,
				.description = "homeport-<1>",
				.lease_s = 7200};
	char client[IPADDR_TEXT_MAX], part[80];

	m.client.port = 8080;
	assert_int_equal(discover(), 0);
	answers_with("200 OK", "soap/added");
	assert_int_equal(answered(igd_add_mapping(igd, &m, then, NULL, NULL)), 0);
	asked("<NewRemoteHost></NewRemoteHost><NewExternalPort>8443</NewExternalPort>"
	      "<NewProtocol>UDP</NewProtocol><NewInternalPort>8080</NewInternalPort>");
	snprintf(part, sizeof(part), "<NewInternalClient>%s</NewInternalClient>",
		 ipaddr_format(client, &place.address));
	asked(part);
	asked("<NewEnabled>1</NewEnabled><NewPortMappingDescription>homeport-&lt;1&gt;"
	      "</NewPortMappingDescription><NewLeaseDuration>7200</NewLeaseDuration>");
	answers_with("200 OK", "soap/entry");
	assert_int_equal(answered(igd_lookup(igd, IPPROTO_TCP, 443, then, NULL, NULL)), 0);
	asked("#GetSpecificPortMappingEntry\"");
	asked("<NewRemoteHost></NewRemoteHost><NewExternalPort>443</NewExternalPort>"
	      "<NewProtocol>TCP</NewProtocol></u:");
	assert_int_equal(got.mapping.protocol, IPPROTO_TCP);
	assert_int_equal(got.mapping.external_port, 443);
	assert_string_equal(ipaddr_format_port(client, &got.mapping.client), "192.168.1.10:8080");
	assert_string_equal(got.mapping.description, "homeport-1 <x>");
	assert_true(got.mapping.enabled);
	assert_int_equal(got.mapping.lease_s, 7200);
	bytes = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"; /* some say nothing more */
	n_bytes = strlen(bytes);
	router.respond = respond_bytes;
	assert_int_equal(answered(igd_delete_mapping(igd, IPPROTO_TCP, 443, then, NULL, NULL)), 0);
	asked("#DeletePortMapping\"");
	assert_int_equal(answered(igd_lookup(igd, IPPROTO_TCP, 443, then, NULL, NULL)),
			 -ERR_FAILED);
}

static void entries_of_odd_routers(void **state)
{
	char client[IPADDR_TEXT_MAX];

	assert_int_equal(discover(), 0);
	router.respond = respond_bytes;
	bytes = "HTTP/1.1 200 OK\r\n\r\n<e><Body><xResponse>"
		"<NewInternalClient>laptop.lan</NewInternalClient>"
		"<NewInternalPort>80</NewInternalPort><NewEnabled>0</NewEnabled>"
		"<NewPortMappingDescription>&#9;\xc2\x9b\xe2\x82\xac 5678901234567890123456789012"
		"</NewPortMappingDescription></xResponse></Body></e>";
	n_bytes = strlen(bytes);
	assert_int_equal(answered(igd_lookup(igd, IPPROTO_TCP, 443, then, NULL, NULL)), 0);
	assert_string_equal(ipaddr_format(client, &got.mapping.client), "none");
	assert_int_equal(got.mapping.client.port, 80);
	assert_false(got.mapping.enabled);
	assert_int_equal(got.mapping.lease_s, 0);
	assert_string_equal(got.mapping.description, "\\xc2\\x9b\xe2\x82\xac 56789012345678901234");
	bytes = "HTTP/1.1 200 OK\r\n\r\n<e><Body><xResponse>"
		"<NewInternalClient>192.168.1.2</NewInternalClient>"
		"<NewInternalPort>65536</NewInternalPort></xResponse></Body></e>";
	n_bytes = strlen(bytes);
	assert_int_equal(answered(igd_lookup(igd, IPPROTO_TCP, 443, then, NULL, NULL)),
			 -ERR_FAILED);
	assert_non_null(strstr(got.text, "without its values"));
}

static void refusals(void **state)
{
	assert_int_equal(discover(), 0);
	answers_with("500 Internal Server Error", "soap/fault-718");
	assert_int_equal(answered(igd_delete_mapping(igd, IPPROTO_TCP, 443, then, NULL, NULL)),
			 -ERR_REFUSED);
	assert_int_equal(got.upnp_code, 718);
	assert_int_equal(got.http_status, 500);
	assert_string_equal(got.text, "ConflictInMappingEntry");
	answers_with("200 OK", "soap/fault-725"); /* some put it so */
	assert_int_equal(answered(igd_delete_mapping(igd, IPPROTO_TCP, 443, then, NULL, NULL)),
			 -ERR_REFUSED);
	assert_int_equal(got.upnp_code, 725);
	answers_with("401 Unauthorized", "soap/html");
	assert_int_equal(answered(igd_external_address(igd, then, NULL, NULL)), -ERR_REFUSED);
	assert_int_equal(got.upnp_code, 0);
	assert_int_equal(got.http_status, 401);
	assert_string_equal(got.text, "HTTP status 401");
	answers_with("200 OK", "soap/html");
	assert_int_equal(answered(igd_external_address(igd, then, NULL, NULL)), -ERR_FAILED);
	answers_with("200 OK", "soap/bomb");
	assert_int_equal(answered(igd_external_address(igd, then, NULL, NULL)), -ERR_FAILED);
	answers_with("200 OK", "soap/truncated");
	assert_int_equal(answered(igd_external_address(igd, then, NULL, NULL)), -ERR_FAILED);
	assert_non_null(igd_device(igd)); /* it is there all the same */
}

static void what_it_does_not_have(void **state)
{
	struct err e = {0};

	assert_int_equal(igd_external_address(igd, then, NULL, &e), -ERR_NOT_FOUND);
	assert_int_equal(discover(), 0);
	assert_int_equal(igd_add_pinhole(igd, IPPROTO_TCP, 8080, 60, then, NULL, &e),
			 -ERR_NOT_FOUND); /* over IPv4 nobody gets one */
	assert_string_equal(e.text, "AddPinhole: no device that makes pinholes was found");
}

/* ── IPv6 ── */

static int setup6(void **state)
{
	return setup_at(own_network ? device_place6 : device_place);
}

static void pinholes(void **state)
{
	if (!own_network)
		skip(); /* without a network of our own, ::1 port 1900 may be somebody else's */
	assert_int_equal(discover(), 0);
	answers_with("200 OK", "soap/firewall");
	assert_int_equal(answered(igd_firewall_status(igd, then, NULL, NULL)), 0);
	assert_true(got.firewall.enabled);
	assert_false(got.firewall.inbound_allowed);
	asked("POST /ctl/IP6FCtl HTTP/1.1\r\nHost: [::1]:");
	answers_with("200 OK", "soap/pinhole");
	assert_int_equal(answered(igd_add_pinhole(igd, IPPROTO_UDP, 8080, 86400, then, NULL, NULL)),
			 0);
	assert_int_equal(got.pinhole, 65535);
	asked("#AddPinhole\"");
	asked("<RemoteHost></RemoteHost><RemotePort>0</RemotePort><InternalClient>::1"
	      "</InternalClient><InternalPort>8080</InternalPort><Protocol>17</Protocol>"
	      "<LeaseTime>86400</LeaseTime>");
	answers_with("200 OK", "soap/added");
	assert_int_equal(answered(igd_update_pinhole(igd, 65535, 1, then, NULL, NULL)), 0);
	asked("<UniqueID>65535</UniqueID><NewLeaseTime>1</NewLeaseTime>");
	answers_with("200 OK", "soap/packets");
	assert_int_equal(answered(igd_pinhole_packets(igd, 0, then, NULL, NULL)), 0);
	assert_int_equal(got.packets, 17);
	answers_with("500 Internal Server Error", "soap/fault-606");
	assert_int_equal(answered(igd_delete_pinhole(igd, 1, then, NULL, NULL)), -ERR_REFUSED);
	assert_int_equal(got.upnp_code, 606);
}

static void no_firewall_to_open(void **state)
{
	if (!own_network)
		skip();
	description = "description/huawei";
	assert_int_equal(discover(), -ERR_REFUSED);
	assert_string_equal(found_text, "HG8145V5 offers no WANIPv6FirewallControl");
}

/* ── the line ── */

static void ask(const char *name, struct igd_call **ret_call)
{
	assert_int_equal(igd_external_address(igd, named(name), ret_call, NULL), 0);
}

static unsigned at_once;

static void respond_counting(struct visit *v)
{
	unsigned open = 0;

	for (unsigned i = 0; i < router.n_visits; i++)
		open += router.visits[i].s != NULL;
	at_once = MAX(at_once, open);
	respond(v);
}

static void one_after_the_other(void **state)
{
	assert_int_equal(discover(), 0);
	answers_with("200 OK", "soap/external");
	router.respond = respond_counting;
	at_once = 0;
	expect(3);
	ask("a", NULL);
	ask("b", NULL);
	ask("c", NULL);
	loop_run(loop);
	assert_string_equal(order, "abc");
	assert_int_equal(at_once, 1);
}

static void cancelled_calls(void **state)
{
	struct igd_call *a, *b, *c;

	assert_int_equal(discover(), 0);
	answers_with("200 OK", "soap/external");
	expect(2);
	ask("a", &a);
	ask("b", &b);
	ask("c", &c);
	ask("d", NULL);
	igd_cancel(b); /* waits */
	igd_cancel(a); /* is under way */
	igd_cancel(NULL);
	loop_run(loop);
	assert_string_equal(order, "cd");
}

static void the_line_has_an_end(void **state)
{
	struct igd_call *first;
	struct err e = {0};

	assert_int_equal(discover(), 0);
	answers_with("200 OK", "soap/external");
	ask("a", &first);
	for (int i = 1; i < IGD_CALLS_MAX; i++)
		ask("b", NULL);
	assert_int_equal(igd_external_address(igd, then, NULL, &e), -ERR_LIMIT);
	assert_string_equal(e.text, "GetExternalIPAddress: 64 actions wait for the router already");
	igd_cancel(first);
	ask("c", NULL);
	expect(IGD_CALLS_MAX);
	order[0] = '\0';
	loop_run(loop);
	assert_int_equal(strlen(order) > 0 ? order[strlen(order) - 1] : 0, 'c');
}

/* The last one of a line is told, too, when its owner frees everything at the first. */
static void on_answer_free(void *arg, const struct igd_answer *answer)
{
	n_answers++;
	igd_free(TAKE(igd));
	loop_stop(loop);
}

static void freed_inside(void **state)
{
	assert_int_equal(discover(), 0);
	answers_with("200 OK", "soap/external");
	expect(0);
	assert_int_equal(
		igd_external_address(igd, (struct igd_then){on_answer_free, NULL}, NULL, NULL), 0);
	ask("b", NULL);
	loop_run(loop);
	assert_int_equal(n_answers, 1);
	assert_string_equal(order, "");
}

static void on_found_free(void *arg, int r, const struct igd_device *device, const struct err *e)
{
	n_found++;
	igd_free(TAKE(igd));
	loop_stop(loop);
}

static void freed_when_found(void **state)
{
	n_found = 0;
	assert_int_equal(igd_discover(igd, on_found_free, NULL, NULL), 0);
	loop_run(loop);
	assert_int_equal(n_found, 1);
}

/* Somebody is being asked how he is, and does not say. */
static void respond_when_asked(struct visit *v)
{
	if (device_was_asked(v, "GET ")) {
		respond(v);
	} else {
		v->hangs = true;
		loop_stop(loop);
	}
}

static void choosing(void)
{
	description = "description/many-wans";
	router.respond = respond_when_asked;
	n_found = 0;
	assert_int_equal(igd_discover(igd, on_found, NULL, NULL), 0);
	loop_run(loop);
	assert_int_equal(n_found, 0);
	assert_int_equal(router.n_visits, 2);
}

static void freed_while_choosing(void **state)
{
	choosing();
	igd_free(TAKE(igd));
}

static void discovered_while_choosing(void **state)
{
	choosing();
	assert_int_equal(igd_external_address(igd, then, NULL, NULL), -ERR_NOT_FOUND);
	answers_with("200 OK", "soap/status");
	router.respond = respond;
	assert_int_equal(discover(), 0);
	answers_with("200 OK", "soap/external");
	assert_int_equal(answered(igd_external_address(igd, then, NULL, NULL)), 0);
}

static void freed_under_way(void **state)
{
	assert_int_equal(discover(), 0);
	expect(0);
	ask("a", NULL);
	ask("b", NULL);
	igd_free(TAKE(igd)); /* and the sanitizer sees that nothing is left */
	assert_int_equal(n_answers, 0);
}

/* ── it moves ── */

/* As routers do when they restart: another port. */
static void move(void)
{
	sock_listener_free(router.listener);
	device_listen(&router);
}

static void moved(void **state)
{
	uint16_t before;

	assert_int_equal(discover(), 0);
	before = router.at.port;
	move();
	assert_int_not_equal(router.at.port, before);
	answers_with("200 OK", "soap/external");
	expect(3);
	ask("a", NULL);
	ask("b", NULL);
	ask("c", NULL);
	loop_run(loop);
	assert_string_equal(order, "abc");
	assert_int_equal(got.r, -ERR_NOT_FOUND);
	assert_string_equal(got.text, "the device is no longer there");
	assert_null(igd_device(igd));
	assert_int_equal(router.n_visits, 1); /* nobody else was asked */
	assert_int_equal(igd_external_address(igd, then, NULL, NULL), -ERR_NOT_FOUND);
	assert_int_equal(discover(), 0);
	assert_int_equal(found.control.port, router.at.port);
	assert_int_equal(answered(igd_external_address(igd, then, NULL, NULL)), 0);
}

static void no_longer_at_that_path(void **state)
{
	assert_int_equal(discover(), 0);
	answers_with("404 Not Found", "soap/html");
	assert_int_equal(answered(igd_external_address(igd, then, NULL, NULL)), -ERR_NOT_FOUND);
	assert_null(igd_device(igd));
}

static void on_moved_discover(void *arg, const struct igd_answer *answer)
{
	on_answer(arg, answer);
	if (n_answers == 1)
		assert_int_equal(igd_discover(igd, on_found, NULL, NULL), 0);
}

/* The first that is told looks for it; the others are told, and the search goes on. */
static void discovered_inside(void **state)
{
	assert_int_equal(discover(), 0);
	move();
	n_found = 0;
	expect(0);
	assert_int_equal(igd_external_address(igd,
					      (struct igd_then){on_moved_discover, (void *)"a"},
					      NULL, NULL),
			 0);
	ask("b", NULL);
	loop_run(loop);
	assert_int_equal(n_found, 1);
	assert_int_equal(found_r, 0);
	assert_string_equal(order, "ab");
}

static void discovered_anew_with_a_line(void **state)
{
	assert_int_equal(discover(), 0);
	expect(0);
	ask("a", NULL);
	ask("b", NULL);
	assert_int_equal(discover(), 0);
	assert_string_equal(order, "ab");
	assert_int_equal(got.r, -ERR_NOT_FOUND);
	assert_string_equal(got.text, "the device is being looked for anew");
}

/* ── slow ones ── */

static void respond_never(struct visit *v)
{
	if (device_was_asked(v, "GET "))
		respond(v);
	else
		v->hangs = true;
}

static void respond_crumb(struct visit *v)
{
	v->hangs = true; /* behind this */
	assert_int_equal(buf_printf(&v->answer, "HTTP/1.1 200 OK\r\n\r\n<root>"), 0);
}

/* An action that is not answered, and a description that never ends, at the same time. */
static void slow_ones_are_given_up(void **state)
{
	struct map_place other_place = place;
	struct igd *first = igd, *other;
	struct device other_router;
	usec_t began;

	assert_int_equal(discover(), 0);
	router.respond = respond_never;
	other_place.address.bytes[3] = 20;
	other_place.router.bytes[3] = 2;
	device_start(&other_router, loop, &other_place.router);
	other_router.respond = respond_crumb;
	assert_int_equal(igd_new(loop, httpc, &other_place, &other, NULL), 0);
	began = loop_now(loop);
	expect(1);
	ask("a", NULL);
	n_found = 0;
	igd = other; /* whom on_found is about */
	assert_int_equal(igd_discover(igd, on_found, NULL, NULL), 0);
	while (n_found == 0 || n_answers == 0)
		loop_run(loop);
	assert_int_equal(found_r, -ERR_TIMEOUT);
	igd = first;
	assert_int_equal(got.r, -ERR_TIMEOUT);
	assert_true(loop_now(loop) - began < IGD_CALL_TIME + 2 * USEC_PER_S);
	assert_non_null(igd_device(igd)); /* it may be back at any time */
	igd_free(other);
	device_stop(&other_router);
}

/* Connections that do not say how they are: the first one will do. */
static void silent_connections(void **state)
{
	description = "description/many-wans";
	router.respond = respond_never;
	assert_int_equal(discover(), 0);
	assert_string_equal(found.connection, "WANIPConnection:1");
	assert_true(found.described < 3 * USEC_PER_S);
	answers_with("200 OK", "soap/external");
	router.respond = respond;
	assert_int_equal(answered(igd_external_address(igd, then, NULL, NULL)), 0);
	asked("POST /ctl/1 ");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(finds_and_describes),
		TEST(whatever_host_the_description_names),
		TEST(descriptions_that_are_none),
		TEST(a_bomb),
		TEST(large_and_too_large),
		TEST(a_chunked_one),
		TEST(the_description_with_a_service),
		TEST(no_more_than_four_descriptions),
		TEST(started_over),
		TEST(chooses_the_best_connection),
		TEST(external_addresses),
		TEST(mappings),
		TEST(entries_of_odd_routers),
		TEST(refusals),
		TEST(what_it_does_not_have),
		cmocka_unit_test_setup_teardown(pinholes, setup6, teardown),
		cmocka_unit_test_setup_teardown(no_firewall_to_open, setup6, teardown),
		TEST(one_after_the_other),
		TEST(cancelled_calls),
		TEST(the_line_has_an_end),
		TEST(freed_inside),
		TEST(freed_when_found),
		TEST(freed_under_way),
		TEST(freed_while_choosing),
		TEST(discovered_while_choosing),
		TEST(moved),
		TEST(no_longer_at_that_path),
		TEST(discovered_inside),
		TEST(discovered_anew_with_a_line),
		TEST(slow_ones_are_given_up),
		TEST(silent_connections),
	};

	own_network = device_own_network();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
