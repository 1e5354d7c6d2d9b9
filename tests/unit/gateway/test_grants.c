/* Who gets which names and ports, and what the others are told. */
#include "test.h"

#include <string.h>

#include "gateway/grants.h"

/* The agent "laptop" was granted blog.example.org; nas.example.org and port 20001 is somebody
 * else's. */
struct world {
	uint16_t next_port;
	bool full, busy, takes_udp;
};

static int may_use(void *arg, const char *name, struct err *e)
{
	if (strcmp(name, "nas.example.org") == 0)
		return err_set(e, ERR_EXISTS, "%s is another's", name);
	if (!hostname_valid(str_of(name)))
		return err_set(e, ERR_INVALID, "%s is not a host name", name);
	if (strcmp(name, "blog.example.org") == 0 ||
	    str_ends_nocase(str_of(name), STR(".laptop.home.example.org")))
		return 0;
	return err_set(e, ERR_DENIED, "%s was not granted", name);
}

static int take_port(void *arg, const struct link_service *service, uint16_t *ret_port)
{
	uint16_t wished = service->port;
	struct world *world = arg;

	if (wished == 20001)
		return -ERR_EXISTS;
	if (world->busy)
		return -ERR_FAILED;
	if (world->full)
		return -ERR_LIMIT;
	*ret_port = wished ? wished : world->next_port++;
	return 0;
}

static struct grants_policy policy_of(struct world *world)
{
	return (struct grants_policy){
		.agent = "laptop",
		.domain = "home.example.org",
		.http_port = 80,
		.https_port = 8443,
		.first_port = 20000,
		.last_port = 20099,
		.arg = world,
		.may_use = may_use,
		.take_port = take_port,
		.takes_udp = world->takes_udp,
	};
}

static struct link_service *want(struct link_services *services, const char *id,
				 enum link_kind kind, const char *name)
{
	struct link_service *service = link_services_add(services, str_of(id));

	assert_non_null(service);
	service->kind = kind;
	if (name)
		assert_int_equal(link_texts_add(&service->names, &service->n_names, str_of(name)),
				 0);
	return service;
}

static struct link_grants decide(const struct link_services *services, struct world *world)
{
	struct grants_policy policy = policy_of(world);
	struct link_grants grants;

	assert_int_equal(grants_decide(services, &policy, &grants, NULL), 0);
	assert_int_equal(grants_add_urls(services, &policy, &grants, NULL), 0);
	assert_int_equal(grants.n, services->n);
	return grants;
}

/* One service alone: granted with this URL, or refused for this reason with a text that holds
 * `says`. */
static void expect(enum link_kind kind, const char *name, uint16_t port, const char *url,
		   const char *reason, const char *says)
{
	struct world world = {.next_port = 20010, .takes_udp = true};
	struct link_services services = {.revision = 7};
	struct link_grants grants;

	want(&services, "web", kind, name)->port = port;
	grants = decide(&services, &world);
	assert_int_equal(grants.revision, 7);
	assert_string_equal(grants.list[0].id, "web");
	assert_int_equal(grants.list[0].granted, url != NULL);
	if (url) {
		assert_int_equal(grants.list[0].n_urls, 1);
		assert_string_equal(grants.list[0].urls[0], url);
	} else {
		assert_string_equal(grants.list[0].reason, reason);
		assert_non_null(strstr(grants.list[0].text, says));
		assert_int_equal(grants.list[0].n_names, 0);
		assert_int_equal(grants.list[0].n_urls, 0);
		assert_int_equal(grants.list[0].port, 0);
	}
	link_grants_done(&grants);
	link_services_done(&services);
}

static void test_names(void **state)
{
	expect(LINK_HTTP, NULL, 0, "http://web.laptop.home.example.org/", NULL, NULL);
	expect(LINK_TLS, NULL, 0, "https://web.laptop.home.example.org:8443/", NULL, NULL);
	expect(LINK_HTTP, "blog.example.org", 0, "http://blog.example.org/", NULL, NULL);
	expect(LINK_HTTP, "a.b.laptop.home.example.org", 0, "http://a.b.laptop.home.example.org/",
	       NULL, NULL);
}

static void test_names_refused(void **state)
{
	expect(LINK_HTTP, "other.example.org", 0, NULL, "name-not-allowed", "was not granted");
	expect(LINK_HTTP, "nas.example.org", 0, NULL, "name-taken", "is another's");
	expect(LINK_TLS, "*.laptop.home.example.org", 0, NULL, "name-not-allowed",
	       "is not a host name");
}

static void test_ports(void **state)
{
	expect(LINK_TCP, NULL, 0, "tcp://home.example.org:20010", NULL, NULL);
	expect(LINK_TCP, NULL, 20050, "tcp://home.example.org:20050", NULL, NULL);
	expect(LINK_TCP, NULL, 20001, NULL, "port-taken", "port 20001 is used");
	expect(LINK_TCP, NULL, 22, NULL, "port-not-allowed", "20000-20099");
	expect(LINK_TCP, NULL, 20100, NULL, "port-not-allowed", "port 20100");
	expect(LINK_UDP, NULL, 0, "udp://home.example.org:20010", NULL, NULL);
	expect(LINK_UDP, NULL, 20050, "udp://home.example.org:20050", NULL, NULL);
	expect(LINK_UDP, NULL, 20001, NULL, "port-taken", "port 20001 is used");
}

/* An agent whose SETTINGS do not allow flows. */
static void test_no_udp(void **state)
{
	struct world world = {.next_port = 20010};
	struct link_services services = {0};
	struct link_grants grants;

	want(&services, "game", LINK_UDP, NULL);
	want(&services, "ssh", LINK_TCP, NULL);
	want(&services, "hologram", LINK_OTHER, NULL); /* a newer agent's: the rest is served */
	grants = decide(&services, &world);
	assert_false(grants.list[0].granted);
	assert_string_equal(grants.list[0].reason, "not-supported");
	assert_int_equal(grants.list[1].port, 20010);
	assert_false(grants.list[2].granted);
	assert_string_equal(grants.list[2].reason, "not-supported");
	link_grants_done(&grants);
	link_services_done(&services);
}

static void test_no_ports(void **state)
{
	struct world world = {.full = true};
	struct grants_policy policy = policy_of(&world);
	struct link_services services = {0};
	struct link_grants grants;

	want(&services, "ssh", LINK_TCP, NULL);
	grants = decide(&services, &world);
	assert_string_equal(grants.list[0].reason, "no-ports");
	link_grants_done(&grants);

	world.busy = true;
	grants = decide(&services, &world);
	assert_string_equal(grants.list[0].reason, "no-ports");
	assert_non_null(strstr(grants.list[0].text, "try again"));
	link_grants_done(&grants);

	policy.first_port = policy.last_port = 0;
	assert_int_equal(grants_decide(&services, &policy, &grants, NULL), 0);
	assert_string_equal(grants.list[0].reason, "no-ports");
	assert_non_null(strstr(grants.list[0].text, "[listen] ports"));
	link_grants_done(&grants);
	link_services_done(&services);
}

/* One refusal is no reason to refuse the next service. */
static void test_each_by_itself(void **state)
{
	struct world world = {.next_port = 20010};
	struct link_services services = {0};
	struct link_grants grants;

	want(&services, "a", LINK_HTTP, "blog.example.org");
	want(&services, "b", LINK_HTTP, "blog.example.org");
	want(&services, "c", LINK_TCP, NULL)->port = 20001;
	want(&services, "d", LINK_TCP, NULL);
	grants = decide(&services, &world);
	assert_true(grants.list[0].granted);
	assert_false(grants.list[1].granted);
	assert_string_equal(grants.list[1].reason, "name-taken");
	assert_string_equal(grants.list[1].text,
			    "blog.example.org is used by your service a already");
	assert_false(grants.list[2].granted);
	assert_int_equal(grants.list[3].port, 20010);
	link_grants_done(&grants);
	link_services_done(&services);
}

static void add_many_names(struct link_services *services, size_t total)
{
	struct link_service *service = NULL;
	char id[24], name[64];

	for (size_t i = 0; i < total; i++) {
		if (i % LINK_NAMES_MAX == 0) {
			snprintf(id, sizeof(id), "s%zu", i);
			service = want(services, id, LINK_HTTP, NULL);
		}
		snprintf(name, sizeof(name), "n%zu.laptop.home.example.org", i);
		assert_int_equal(link_texts_add(&service->names, &service->n_names, str_of(name)),
				 0);
	}
}

static void test_limit(void **state)
{
	struct world world = {0};
	struct link_services services = {0};
	struct link_grants grants;

	add_many_names(&services, GRANTS_NAMES_MAX);
	want(&services, "more", LINK_HTTP, NULL);
	grants = decide(&services, &world);
	assert_true(grants.list[grants.n - 2].granted);
	assert_false(grants.list[grants.n - 1].granted);
	assert_string_equal(grants.list[grants.n - 1].reason, "limit");
	link_grants_done(&grants);
	link_services_done(&services);
}

static void test_long_names(void **state)
{
	struct world world = {0};
	struct grants_policy policy = policy_of(&world);
	struct link_services services = {0};
	struct link_grants grants;
	char domain[HOSTNAME_MAX] = "";

	for (size_t len = 0; len < 240; len += 4)
		strcat(domain, len ? ".abc" : "abcd");
	policy.domain = domain;
	want(&services, "a-service-with-a-long-name", LINK_HTTP, NULL);
	assert_int_equal(grants_decide(&services, &policy, &grants, NULL), 0);
	assert_string_equal(grants.list[0].reason, "name-not-allowed");
	link_grants_done(&grants);
	link_services_done(&services);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),  cmocka_unit_test(test_names_refused),
		cmocka_unit_test(test_ports),  cmocka_unit_test(test_no_ports),
		cmocka_unit_test(test_no_udp), cmocka_unit_test(test_each_by_itself),
		cmocka_unit_test(test_limit),  cmocka_unit_test(test_long_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
