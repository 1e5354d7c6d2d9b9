#include "test.h"

#include <pthread.h>
#include <stdio.h>

#include "front/routes.h"

static struct front_route route(uint64_t owner, const char *name, const char *service)
{
	struct front_route r = {.owner = owner, .serves = FRONT_SERVES_HTTP};

	strcpy(r.name, name);
	strcpy(r.service, service);
	return r;
}

static const char *find(struct front_routes *routes, const char *host)
{
	static struct front_route found;

	return front_routes_find(routes, str_of(host), FRONT_SERVES_HTTP, &found) == 0
		       ? found.service
		       : "none";
}

static int set_up(void **state)
{
	struct front_routes *routes;

	if (front_routes_new(&routes, NULL) < 0)
		return -1;
	*state = routes;
	return 0;
}

static int tear_down(void **state)
{
	front_routes_free(*state);
	return 0;
}

static void finds_the_name_then_the_nearest_wildcard(void **state)
{
	struct front_routes *routes = *state;
	struct front_route list[] = {
		route(1, "*.home.example.org", "far"),
		route(1, "*.laptop.home.example.org", "near"),
		route(1, "Blog.laptop.home.example.org.", "exact"),
	};

	assert_int_equal(front_routes_set(routes, 1, list, 3, NULL, NULL), 0);
	assert_int_equal(front_routes_count(routes), 3);
	assert_string_equal(find(routes, "blog.laptop.home.example.org"), "exact");
	assert_string_equal(find(routes, "BLOG.Laptop.home.example.org."), "exact");
	assert_string_equal(find(routes, "x.laptop.home.example.org"), "near");
	assert_string_equal(find(routes, "x.blog.laptop.home.example.org"), "near");
	assert_string_equal(find(routes, "laptop.home.example.org"), "far");
	assert_string_equal(find(routes, "home.example.org"), "none");
	assert_string_equal(find(routes, "example.org"), "none");
	assert_string_equal(find(routes, "org"), "none");
	assert_string_equal(find(routes, ""), "none");
	assert_string_equal(find(routes, "*.home.example.org"), "none"); /* no host name */
	assert_string_equal(find(routes, "[::1]"), "none");
}

static void replaces_all_of_one_owner(void **state)
{
	struct front_routes *routes = *state;
	struct front_route mine[] = {route(1, "a.org", "a"), route(1, "b.org", "b")};
	struct front_route other = route(2, "c.org", "c");
	struct front_route later[] = {route(1, "b.org", "b2"), route(1, "d.org", "d")};

	assert_int_equal(front_routes_set(routes, 1, mine, 2, NULL, NULL), 0);
	assert_int_equal(front_routes_set(routes, 2, &other, 1, NULL, NULL), 0);
	assert_int_equal(front_routes_set(routes, 1, later, 2, NULL, NULL), 0);
	assert_string_equal(find(routes, "a.org"), "none");
	assert_string_equal(find(routes, "b.org"), "b2");
	assert_string_equal(find(routes, "c.org"), "c");
	assert_int_equal(front_routes_set(routes, 1, NULL, 0, NULL, NULL), 0);
	assert_int_equal(front_routes_set(routes, 3, NULL, 0, NULL, NULL), 0);
	assert_string_equal(find(routes, "b.org"), "none");
	assert_int_equal(front_routes_count(routes), 1);
}

static void a_conflict_changes_nothing(void **state)
{
	struct front_routes *routes = *state;
	struct front_route mine[] = {route(1, "a.org", "a"), route(1, "b.org", "b")};
	struct front_route other = route(2, "c.org", "c");
	struct front_route greedy[] = {route(1, "x.org", "x"), route(1, "b.org", "b2"),
				       route(1, "C.org", "c2")};
	struct front_route twice[] = {route(3, "y.org", "y"), route(3, "Y.org", "y2")};
	struct front_route bad[] = {route(3, "y.org", "y"), route(3, "y y", "y2")};
	size_t conflict = 99;
	struct err e;

	assert_int_equal(front_routes_set(routes, 1, mine, 2, NULL, NULL), 0);
	assert_int_equal(front_routes_set(routes, 2, &other, 1, NULL, NULL), 0);
	assert_int_equal(front_routes_set(routes, 1, greedy, 3, &conflict, &e), -ERR_EXISTS);
	assert_int_equal(conflict, 2);
	assert_string_equal(e.text, "service c2: the name C.org is taken");
	assert_int_equal(front_routes_set(routes, 3, twice, 2, &conflict, NULL), -ERR_EXISTS);
	assert_int_equal(conflict, 1);
	assert_int_equal(front_routes_set(routes, 3, bad, 2, &conflict, NULL), -ERR_INVALID);
	assert_int_equal(conflict, 1);
	assert_string_equal(find(routes, "a.org"), "a");
	assert_string_equal(find(routes, "b.org"), "b");
	assert_string_equal(find(routes, "c.org"), "c");
	assert_string_equal(find(routes, "x.org"), "none");
	assert_string_equal(find(routes, "y.org"), "none");
	assert_int_equal(front_routes_count(routes), 3);
}

static void knows_since_when_an_owner_is_offline(void **state)
{
	struct front_routes *routes = *state;
	struct front_route mine = route(1, "a.org", "a"), found;

	assert_int_equal(front_routes_set(routes, 1, &mine, 1, NULL, NULL), 0);
	front_routes_set_online(routes, 1, true, 10);
	assert_int_equal(front_routes_find(routes, STR("a.org"), FRONT_SERVES_HTTP, &found), 0);
	assert_true(found.online);
	front_routes_set_online(routes, 1, false, 20);
	front_routes_set_online(routes, 1, false, 30);
	front_routes_set_online(routes, 7, false, 30);
	assert_int_equal(front_routes_find(routes, STR("a.org"), FRONT_SERVES_HTTP, &found), 0);
	assert_false(found.online);
	assert_int_equal(found.offline_since_wall, 20);
}

static void an_owner_has_a_bounded_number(void **state)
{
	struct front_route list[FRONT_ROUTES_PER_OWNER_MAX + 1];

	for (int i = 0; i <= FRONT_ROUTES_PER_OWNER_MAX; i++) {
		list[i] = route(1, "", "s");
		snprintf(list[i].name, sizeof(list[i].name), "n%d.org", i);
	}
	assert_int_equal(front_routes_set(*state, 1, list, ARRAY_LEN(list), NULL, NULL),
			 -ERR_LIMIT);
	assert_int_equal(front_routes_set(*state, 1, list, FRONT_ROUTES_PER_OWNER_MAX, NULL, NULL),
			 0);
}

static void *look_up_often(void *arg)
{
	struct front_route found;
	size_t hits = 0;

	for (int i = 0; i < 20000; i++)
		if (front_routes_find(arg, STR("a.org"), FRONT_SERVES_HTTP, &found) == 0)
			hits += found.service[0] == 'a';
	return (void *)hits;
}

static void a_replaced_route_is_never_missing(void **state)
{
	struct front_routes *routes = *state;
	struct front_route mine[] = {route(1, "a.org", "a"), route(1, "b.org", "b")};
	pthread_t reader;
	void *hits;

	assert_int_equal(front_routes_set(routes, 1, mine, 2, NULL, NULL), 0);
	pthread_create(&reader, NULL, look_up_often, routes);
	for (int i = 0; i < 2000; i++)
		assert_int_equal(front_routes_set(routes, 1, mine, (size_t)(1 + i % 2), NULL, NULL),
				 0);
	pthread_join(reader, &hits);
	assert_int_equal((size_t)hits, 20000);
}

/* A home server with TLS of its own and a plain one beside it: one name, two services. */
static void one_name_serves_each_protocol_with_its_own_service(void **state)
{
	struct front_routes *routes = *state;
	struct front_route list[] = {route(1, "a.org", "plain"), route(1, "a.org", "tls")};
	struct front_route other = route(2, "a.org", "other");
	struct front_route found;

	list[1].serves = other.serves = FRONT_SERVES_TLS;
	assert_int_equal(front_routes_set(routes, 1, list, 2, NULL, NULL), 0);
	assert_string_equal(find(routes, "a.org"), "plain");
	assert_int_equal(front_routes_find(routes, STR("a.org"), FRONT_SERVES_TLS, &found), 0);
	assert_string_equal(found.service, "tls");

	/* Of a name with one protocol the other is answered by what there is: a redirect to https.
	 */
	assert_int_equal(front_routes_set(routes, 1, list + 1, 1, NULL, NULL), 0);
	assert_string_equal(find(routes, "a.org"), "tls");

	/* The name stays its owner's for every protocol. */
	assert_int_equal(front_routes_set(routes, 1, list, 1, NULL, NULL), 0);
	assert_int_equal(front_routes_set(routes, 2, &other, 1, NULL, NULL), -ERR_EXISTS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(finds_the_name_then_the_nearest_wildcard, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(one_name_serves_each_protocol_with_its_own_service,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(replaces_all_of_one_owner, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_conflict_changes_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(knows_since_when_an_owner_is_offline, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(an_owner_has_a_bounded_number, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_replaced_route_is_never_missing, set_up,
						tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
