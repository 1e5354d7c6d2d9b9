#include "test.h"

#include "device.h"
#include "map/search.h"

static struct loop *loop;
static struct map_place place;
static struct device router;
static bool own_network;

/* ── who is believed ── */

static struct ipaddr address(const char *text, uint32_t scope)
{
	struct ipaddr a;

	assert_int_equal(ipaddr_parse(str_of(text), &a), 0);
	a.scope = scope;
	return a;
}

static const struct map_place home = {
	.ifindex = 7,
	.ifname = "eth0",
	.address = {.family = 4, .bytes = {192, 168, 1, 10}},
	.prefix_len = 24,
	.router = {.family = 4, .bytes = {192, 168, 1, 1}},
};

static struct map_place home6(void)
{
	struct map_place p = home;

	p.address = address("2001:db8:100::50", 0);
	p.prefix_len = 64;
	p.router = address("fe80::1", 7);
	return p;
}

static struct search_answer answer;

static int believe(const struct map_place *at, const char *from, uint32_t scope,
		   const char *location)
{
	struct ipaddr source = address(from, scope);
	char text[1024];

	memset(&answer, 0x55, sizeof(answer));
	source.port = 40000; /* some answer from another port than 1900 */
	snprintf(text, sizeof(text),
		 "HTTP/1.1 200 OK\r\nST: urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\n"
		 "USN: uuid:1\r\nSERVER: a\xff b\r\nLOCATION: %s\r\n\r\n",
		 location);
	return search_believe(at, &source, text, strlen(text), &answer, NULL);
}

static void the_router(void **state)
{
	char text[IPADDR_TEXT_MAX];

	assert_int_equal(believe(&home, "192.168.1.1", 0, "http://192.168.1.1:5000/root.xml"), 0);
	assert_string_equal(ipaddr_format_port(text, &answer.at), "192.168.1.1:5000");
	assert_string_equal(answer.path, "/root.xml");
	assert_string_equal(answer.server, "a\\xff b");
	assert_false(answer.other);
	assert_int_equal(answer.rank, SEARCH_IGD_1);
	assert_int_equal(believe(&home, "192.168.1.1", 0, "http://192.168.1.1"), 0);
	assert_string_equal(ipaddr_format_port(text, &answer.at), "192.168.1.1:80");
	assert_string_equal(answer.path, "/");
}

static void others_on_the_link(void **state)
{
	assert_int_equal(believe(&home, "192.168.1.2", 0, "http://192.168.1.2:5000/x"), 0);
	assert_true(answer.other);
}

static void nobody_from_elsewhere(void **state)
{
	static const char *const from[] = {"192.168.2.1",  "192.0.2.1",	  "10.0.0.1",
					   "127.0.0.1",	   "0.0.0.0",	  "255.255.255.255",
					   "224.0.0.1",	   "169.254.1.1", "192.168.1.0",
					   "192.168.1.10", "fe80::1",	  "::1"};
	char location[80];

	for (size_t i = 0; i < ARRAY_LEN(from); i++) {
		snprintf(location, sizeof(location), "http://%s:5000/x", from[i]);
		assert_int_equal(believe(&home, from[i], 0, location), -ERR_DENIED);
		assert_int_equal(answer.rank, 0x55555555); /* nothing is written */
	}
}

static void no_location_elsewhere(void **state)
{
	static const char *const locations[] = {
		"http://192.168.1.2:5000/x",
		"http://192.0.2.1:5000/x",
		"http://192.0.2.1:5000@192.168.1.1/x",
		"http://192.168.1.1:5000@192.0.2.1/x",
		"http://127.0.0.1:5000/x",
		"http://router:5000/x",
		"http://router.example/x",
		"http://[::ffff:192.168.1.1]:5000/x",
		"http://[fe80::1]:5000/x",
		"http://192.168.1.1.example.org/x",
		"http://192.168.1.1:0/x",
		"http://192.168.1.1:5000/a b",
		"https://192.168.1.1:5000/x",
		"ftp://192.168.1.1/x",
		"//192.168.1.1/x",
		"/x",
		"192.168.1.1",
	};

	for (size_t i = 0; i < ARRAY_LEN(locations); i++)
		assert_int_equal(believe(&home, "192.168.1.1", 0, locations[i]), -ERR_DENIED);
}

/* It is spoken to where it answered from, whatever address of its own it names: that may be of a
 * prefix that is gone. */
static void a_router_over_ipv6(void **state)
{
	static const char *const locations[] = {
		"http://[fe80::1]:5000/x",
		"http://[fe80::1%25br-lan]:5000/x",
		"http://[2001:db8:100::1]:5000/x",
		"http://[2001:db8:dead::1]:5000/x",
	};
	struct map_place p = home6();

	for (size_t i = 0; i < ARRAY_LEN(locations); i++) {
		struct ipaddr expected = address("fe80::1", 7);

		expected.port = 5000;
		assert_int_equal(believe(&p, "fe80::1", 7, locations[i]), 0);
		assert_true(ipaddr_equal(&answer.at, &expected));
		assert_int_equal(answer.at.scope, 7);
		assert_false(answer.other);
	}
	assert_int_equal(believe(&p, "fe80::1", 7, "http://192.168.1.1:5000/x"), -ERR_DENIED);
	assert_int_equal(believe(&p, "fe80::1", 7, "http://router/x"), -ERR_DENIED);
}

static void others_over_ipv6(void **state)
{
	struct map_place p = home6();

	assert_int_equal(believe(&p, "fe80::2", 7, "http://[fe80::2]:5000/x"), 0);
	assert_true(answer.other);
	assert_int_equal(believe(&p, "2001:db8:100::1", 0, "http://[2001:db8:100::1]:5000/x"), 0);
	assert_true(answer.other);
	assert_int_equal(believe(&p, "fe80::2", 7, "http://[fe80::1]:5000/x"), -ERR_DENIED);
	assert_int_equal(believe(&p, "fe80::1", 8, "http://[fe80::1]:5000/x"), -ERR_DENIED);
	assert_int_equal(believe(&p, "2001:db8:101::1", 0, "http://[2001:db8:101::1]:5000/x"),
			 -ERR_DENIED);
	assert_int_equal(believe(&p, "2001:db8:100::50", 0, "http://[2001:db8:100::50]:5000/x"),
			 -ERR_DENIED); /* ourselves */
	assert_int_equal(believe(&p, "192.168.1.1", 0, "http://192.168.1.1:5000/x"), -ERR_DENIED);
}

static void only_answers(void **state)
{
	static const char notify[] =
		"NOTIFY * HTTP/1.1\r\nNT: upnp:rootdevice\r\nNTS: ssdp:alive\r\n"
		"LOCATION: http://192.168.1.1/\r\n\r\n";
	static const char search[] = "M-SEARCH * HTTP/1.1\r\nMAN: \"ssdp:discover\"\r\n"
				     "ST: ssdp:all\r\n\r\n";

	assert_int_equal(
		search_believe(&home, &home.router, notify, sizeof(notify) - 1, &answer, NULL),
		-ERR_INVALID);
	assert_int_equal(
		search_believe(&home, &home.router, search, sizeof(search) - 1, &answer, NULL),
		-ERR_INVALID);
	assert_int_equal(search_believe(&home, &home.router, NULL, 0, &answer, NULL), -ERR_INVALID);
}

static void paths_have_an_end(void **state)
{
	char location[SEARCH_PATH_MAX + 64];

	for (int len = SEARCH_PATH_MAX - 1; len <= SEARCH_PATH_MAX; len++) {
		snprintf(location, sizeof(location), "http://192.168.1.1/%0*d", len - 1, 7);
		assert_int_equal(believe(&home, "192.168.1.1", 0, location),
				 len < SEARCH_PATH_MAX ? 0 : -ERR_DENIED);
	}
}

static enum search_rank rank_of(const char *target)
{
	char text[1024];

	snprintf(text, sizeof(text),
		 "HTTP/1.1 200 OK\r\nST: %s\r\nLOCATION: http://192.168.1.1/x\r\n\r\n", target);
	assert_int_equal(search_believe(&home, &home.router, text, strlen(text), &answer, NULL), 0);
	return answer.rank;
}

static void ranks(void **state)
{
	assert_int_equal(rank_of("urn:schemas-upnp-org:device:InternetGatewayDevice:1"),
			 SEARCH_IGD_1);
	assert_int_equal(rank_of("urn:schemas-upnp-org:device:InternetGatewayDevice:2"),
			 SEARCH_IGD_2);
	assert_int_equal(rank_of("urn:dslforum-org:device:InternetGatewayDevice:1"), SEARCH_IGD_1);
	assert_int_equal(rank_of("urn:schemas-upnp-org:service:WANPPPConnection:1"), SEARCH_WAN);
	assert_int_equal(rank_of("urn:schemas-upnp-org:device:WANDevice:2"), SEARCH_WAN);
	assert_int_equal(rank_of("upnp:rootdevice"), SEARCH_ELSE);
	assert_int_equal(rank_of("urn:schemas-upnp-org:device:MediaServer:1"), SEARCH_ELSE);
}

/* ── what is kept ── */

static void keep(struct search_answers *list, enum search_rank rank, unsigned n)
{
	struct search_answer a = {.rank = rank, .at = home.router};

	snprintf(a.path, sizeof(a.path), "/%u", n);
	search_keep(list, &a);
}

static const char *kept(const struct search_answers *list)
{
	static char text[256];
	size_t len = 0;

	text[0] = '\0';
	for (unsigned i = 0; i < list->n; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%d%s ",
					(int)list->list[i].rank, list->list[i].path);
	return text;
}

static void the_best_first(void **state)
{
	struct search_answers list = {0};

	keep(&list, SEARCH_ELSE, 1);
	keep(&list, SEARCH_IGD_1, 2);
	keep(&list, SEARCH_IGD_1, 3);
	keep(&list, SEARCH_IGD_2, 4);
	keep(&list, SEARCH_WAN, 2); /* a part of one that is known */
	assert_string_equal(kept(&list), "0/4 1/2 1/3 3/1 ");
	keep(&list, SEARCH_IGD_2, 1); /* the same description under a better name */
	assert_string_equal(kept(&list), "0/4 0/1 1/2 1/3 ");
}

static void no_more_than_ten(void **state)
{
	struct search_answers list = {0};

	for (unsigned i = 0; i < 12; i++)
		keep(&list, SEARCH_WAN, i);
	assert_int_equal(list.n, SEARCH_ANSWERS_MAX);
	keep(&list, SEARCH_ELSE, 77);
	assert_string_equal(list.list[9].path, "/9");
	keep(&list, SEARCH_IGD_1, 78);
	assert_int_equal(list.n, SEARCH_ANSWERS_MAX);
	assert_string_equal(list.list[0].path, "/78");
	assert_string_equal(list.list[9].path, "/8");
	keep(&list, SEARCH_IGD_1, 8); /* known, and last */
	assert_string_equal(list.list[1].path, "/8");
	assert_string_equal(list.list[9].path, "/7");
	assert_int_equal(list.n, SEARCH_ANSWERS_MAX);
}

/* ── on loopback ── */

static struct search_answers got;
static unsigned done;

static void on_done(void *arg, const struct search_answers *answers)
{
	got = *answers;
	done++;
	loop_stop(loop);
}

static void search(void)
{
	struct search *s;

	done = 0;
	assert_int_equal(search_start(loop, &place, on_done, NULL, &s, NULL), 0);
	loop_run(loop);
	assert_int_equal(done, 1);
}

static int setup(void **state)
{
	device_place(&place);
	if (loop_new(&loop, NULL) < 0)
		return -1;
	device_start(&router, loop, &place.router);
	return 0;
}

static int teardown(void **state)
{
	device_stop(&router);
	loop_free(loop);
	return 0;
}

static void finds_the_router(void **state)
{
	search();
	assert_int_equal(got.n, 1);
	assert_int_equal(got.list[0].rank, SEARCH_IGD_2);
	assert_true(ipaddr_equal(&got.list[0].at, &router.at));
	assert_string_equal(got.list[0].path, "/igd/root.xml");
	assert_string_equal(got.list[0].server, "Test/1 UPnP/1.1");
	assert_true(got.list[0].took < USEC_PER_S);
	/* asked from the address that the door is for */
	assert_memory_equal(router.searched_from.bytes, place.address.bytes, 4);
}

/* The best is waited for as long as it may follow. */
static void waits_a_little_for_better_names(void **state)
{
	usec_t began = loop_now(loop);

	router.answers[0] = (struct device_answer){DEVICE_IGD "1", "/igd/root.xml"};
	search();
	assert_int_equal(got.n, 1);
	assert_int_equal(got.list[0].rank, SEARCH_IGD_1);
	assert_true(loop_now(loop) - began >= SEARCH_SETTLE);
}

static void two_descriptions(void **state)
{
	router.answers[0] = (struct device_answer){"upnp:rootdevice", "/media.xml"};
	router.answers[1] = (struct device_answer){DEVICE_IGD "2", "/igd/root.xml"};
	search();
	assert_int_equal(got.n, 2);
	assert_string_equal(got.list[0].path, "/igd/root.xml");
	assert_string_equal(got.list[1].path, "/media.xml");
}

static void finds_it_over_ipv6(void **state)
{
	if (!own_network)
		skip(); /* without a network of our own, ::1 port 1900 may be somebody else's */
	device_stop(&router);
	device_place6(&place);
	device_start(&router, loop, &place.router);
	search();
	assert_int_equal(got.n, 1);
	assert_true(ipaddr_equal(&got.list[0].at, &router.at));
}

/* A neighbour answers in the router's stead as soon as he hears us, or names another place: the
 * router is silent, so nobody is there; and it takes no longer than that. */
static struct device neighbour;

static void on_neighbour_hears(void *arg)
{
	static const struct device_answer lie = {DEVICE_IGD "2", "/lie.xml"};

	if (router.n_searches == 0) {
		timer_start(arg, USEC_PER_MS);
		return;
	}
	device_send(&neighbour, &lie, &router.searched_from);
	neighbour.at.bytes[3] = 1; /* the router's address in his Location */
	device_send(&neighbour, &lie, &router.searched_from);
}

static void believes_no_stranger(void **state)
{
	struct ipaddr at = place.router;
	struct timer hears;
	usec_t took;

	at.bytes[2] ^= 1; /* another link */
	at.bytes[3] = 66;
	device_start(&neighbour, loop, &at);
	router.silent = true;
	timer_init(&hears, loop, on_neighbour_hears, &hears);
	timer_start(&hears, USEC_PER_MS);
	took = loop_now(loop);
	search();
	took = loop_now(loop) - took;
	assert_int_equal(got.n, 0);
	assert_int_equal(router.n_searches, 6); /* two of each of three tries */
	assert_true(took >= SEARCH_TIME && took < SEARCH_TIME + USEC_PER_S);
	device_stop(&neighbour);
}

static void cancelled(void **state)
{
	struct search *s;

	done = 0;
	assert_int_equal(search_start(loop, &place, on_done, NULL, &s, NULL), 0);
	search_cancel(s);
	search_cancel(NULL);
	search(); /* another one's answer is the only one that is told */
	assert_int_equal(done, 1);
}

static void not_our_address(void **state)
{
	struct err e = {0};
	struct search *s;

	place.address = (struct ipaddr){.family = 4, .bytes = {192, 0, 2, 77}};
	assert_int_equal(search_start(loop, &place, on_done, NULL, &s, &e), -ERR_FAILED);
	assert_non_null(strstr(e.text, "192.0.2.77"));
}

int main(void)
{
#define ON_LOOPBACK(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_router),
		cmocka_unit_test(others_on_the_link),
		cmocka_unit_test(nobody_from_elsewhere),
		cmocka_unit_test(no_location_elsewhere),
		cmocka_unit_test(a_router_over_ipv6),
		cmocka_unit_test(others_over_ipv6),
		cmocka_unit_test(only_answers),
		cmocka_unit_test(paths_have_an_end),
		cmocka_unit_test(ranks),
		cmocka_unit_test(the_best_first),
		cmocka_unit_test(no_more_than_ten),
		ON_LOOPBACK(finds_the_router),
		ON_LOOPBACK(waits_a_little_for_better_names),
		ON_LOOPBACK(two_descriptions),
		ON_LOOPBACK(finds_it_over_ipv6),
		ON_LOOPBACK(believes_no_stranger),
		ON_LOOPBACK(cancelled),
		ON_LOOPBACK(not_our_address),
	};

	own_network = device_own_network();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
