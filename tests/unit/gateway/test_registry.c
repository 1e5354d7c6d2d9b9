#include "test.h"

#include <pthread.h>

#include "gateway/registry.h"

static struct store_agent agent_of(uint64_t id, const char *name, bool revoked)
{
	struct store_agent agent = {.id = id, .revoked = revoked, .last_seen_wall = id * 100};

	strcpy(agent.name, name);
	agent.key.bytes[0] = (uint8_t)id;
	return agent;
}

static struct tls_key_hash key_of(uint8_t id)
{
	return (struct tls_key_hash){{id}};
}

/* laptop (1) has blog.example.net and x.nas.home.test; nas (2) has nothing; old (3) is revoked. */
static int set_up(void **state)
{
	struct store_agent agents[] = {agent_of(1, "laptop", false), agent_of(2, "nas", false),
				       agent_of(3, "laptop", true)};
	struct store_name names[] = {{"blog.example.net", 1}, {"x.nas.home.test", 1}};
	struct store_image image = {.agents = agents, .names = names, .n_agents = 3, .n_names = 2};
	struct registry *registry;

	if (registry_new("Home.test.", &registry, NULL) < 0 ||
	    registry_load(registry, &image, NULL) < 0)
		return -1;
	*state = registry;
	return 0;
}

static int tear_down(void **state)
{
	registry_free(*state);
	return 0;
}

static void finds_agents(void **state)
{
	struct registry_agent agent = {0};
	struct tls_key_hash laptop = key_of(1), old = key_of(3), nobody = key_of(9);

	assert_int_equal(registry_find_key(*state, &laptop, &agent), 0);
	assert_int_equal(agent.id, 1);
	assert_string_equal(agent.name, "laptop");
	assert_int_equal(agent.n_names, 2);
	assert_int_equal(agent.since_wall, 100);
	assert_false(agent.online);
	assert_int_equal(registry_find_key(*state, &old, &agent), -ERR_DENIED);
	assert_int_equal(agent.id, 3);
	assert_int_equal(registry_find_key(*state, &nobody, NULL), -ERR_NOT_FOUND);
	assert_int_equal(registry_find_name(*state, "laptop", &agent), 0);
	assert_int_equal(agent.id, 1); /* not the revoked one */
	assert_int_equal(registry_find(*state, 3, &agent), 0);
	assert_true(agent.revoked);
	assert_int_equal(registry_find(*state, 4, &agent), -ERR_NOT_FOUND);
}

static void decides_who_may_use_a_name(void **state)
{
	static const struct {
		uint64_t id;
		const char *name;
		int r;
	} cases[] = {
		{1, "blog.example.net", 0},
		{1, "BLOG.example.net.", 0},
		{2, "blog.example.net", -ERR_EXISTS},
		{1, "a.blog.example.net", -ERR_DENIED},
		{1, "a.laptop.home.test", 0},
		{1, "a.b.laptop.home.test", 0},
		{2, "a.laptop.home.test", -ERR_EXISTS},
		{1, "laptop.home.test", -ERR_DENIED}, /* must be given */
		{1, "home.test", -ERR_DENIED},
		{1, "a.home.test", -ERR_DENIED},
		{1, "a.laptophome.test", -ERR_DENIED},
		{1, "a.laptop.home.test.evil.test", -ERR_DENIED},
		{2, "y.nas.home.test", 0},
		{2, "x.nas.home.test", -ERR_EXISTS}, /* given to another one */
		{1, "x.nas.home.test", 0},
		{1, "y.nas.home.test", -ERR_EXISTS},
		{3, "a.laptop.home.test", -ERR_DENIED}, /* revoked */
		{9, "a.laptop.home.test", -ERR_DENIED},
		{1, "a b", -ERR_INVALID},
		{1, "", -ERR_INVALID},
		{1, "*.laptop.home.test", -ERR_INVALID},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e;
		int r = registry_may_use(*state, cases[i].id, cases[i].name, &e);

		if (r != cases[i].r)
			fail_msg("agent %d, %s: %s", (int)cases[i].id, cases[i].name, err_name(r));
	}
}

static void tells_whose_a_name_is(void **state)
{
	struct registry_agent agent;

	assert_int_equal(registry_owner(*state, "x.nas.home.test", &agent), 0);
	assert_string_equal(agent.name, "laptop");
	assert_int_equal(registry_owner(*state, "y.nas.home.test", &agent), 0);
	assert_string_equal(agent.name, "nas");
	assert_int_equal(registry_owner(*state, "nas.home.test", &agent), -ERR_NOT_FOUND);
}

static void a_redeemed_invite_adds(void **state)
{
	struct store_agent fresh = agent_of(4, "pi", false), known = agent_of(2, "nas", false);
	struct store_name names[] = {{"p.example.net", 4}}, more[] = {{"n.example.net", 2}};
	struct registry_agent agent;

	assert_int_equal(registry_redeemed(*state, &fresh, names, 1, NULL), 0);
	assert_int_equal(registry_redeemed(*state, &fresh, names, 1, NULL), 0); /* again */
	assert_int_equal(registry_redeemed(*state, &known, more, 1, NULL), 0);
	assert_int_equal(registry_find_name(*state, "pi", &agent), 0);
	assert_int_equal(agent.n_names, 1);
	assert_int_equal(registry_may_use(*state, 4, "p.example.net", NULL), 0);
	assert_int_equal(registry_may_use(*state, 2, "n.example.net", NULL), 0);
}

static void a_revoked_agent_loses_all(void **state)
{
	struct tls_key_hash laptop = key_of(1);
	struct store_agent again = agent_of(1, "laptop", false);
	struct store_agent next = agent_of(5, "laptop", false);
	struct store_name names[] = {{"blog.example.net", 1}};
	struct registry_agent agent;

	registry_revoke(*state, 1);
	registry_revoke(*state, 1);
	registry_revoke(*state, 77);
	assert_int_equal(registry_find_key(*state, &laptop, NULL), -ERR_DENIED);
	assert_int_equal(registry_find_name(*state, "laptop", &agent), -ERR_NOT_FOUND);
	assert_int_equal(registry_may_use(*state, 1, "blog.example.net", NULL), -ERR_DENIED);
	assert_int_equal(registry_owner(*state, "blog.example.net", &agent), -ERR_NOT_FOUND);
	/* An answer of the store that comes late does not bring it back. */
	assert_int_equal(registry_redeemed(*state, &again, names, 1, NULL), 0);
	assert_int_equal(registry_owner(*state, "blog.example.net", &agent), -ERR_NOT_FOUND);
	/* Another key may have the name. */
	assert_int_equal(registry_redeemed(*state, &next, NULL, 0, NULL), 0);
	assert_int_equal(registry_find_name(*state, "laptop", &agent), 0);
	assert_int_equal(agent.id, 5);
}

static void knows_how_they_fare(void **state)
{
	struct ipaddr here = {.family = 4, .bytes = {192, 0, 2, 1}, .port = 9};
	struct ipaddr there = {.family = 4, .bytes = {192, 0, 2, 2}, .port = 9};
	struct registry_stats *stats = registry_stats(*state, 1);
	struct registry_agent agent;

	assert_null(registry_stats(*state, 9));
	registry_set_online(*state, 1, &here, 1000);
	registry_set_online(*state, 1, &there, 2000); /* another link of it */
	registry_set_online(*state, 9, &here, 1000);
	registry_set_conflict(*state, 1, &here, &there, 3000);
	__atomic_fetch_add(&stats->visitors, 3, __ATOMIC_RELAXED);
	assert_int_equal(registry_find(*state, 1, &agent), 0);
	assert_true(agent.online);
	assert_int_equal(agent.since_wall, 1000);
	assert_true(ipaddr_equal(&agent.observed, &there));
	assert_int_equal(agent.conflict_wall, 3000);
	assert_true(ipaddr_equal(&agent.conflict[1], &there));
	assert_int_equal(agent.stats.visitors, 3);
	assert_int_equal(registry_count_online(*state), 1);
	registry_set_offline(*state, 1, 4000);
	registry_set_offline(*state, 1, 5000);
	assert_int_equal(registry_find(*state, 1, &agent), 0);
	assert_false(agent.online);
	assert_int_equal(agent.since_wall, 4000);
	assert_int_equal(registry_count_online(*state), 0);
}

static void lists_in_order(void **state)
{
	AUTO(freep) struct registry_agent *agents = NULL;
	AUTO(freep) struct store_name *names = NULL;
	size_t n;

	assert_int_equal(registry_list(*state, &agents, &n), 0);
	assert_int_equal(n, 3);
	assert_int_equal(agents[0].id, 1);
	assert_int_equal(agents[1].id, 2);
	assert_int_equal(agents[2].id, 3);
	assert_int_equal(registry_list_names(*state, &names, &n), 0);
	assert_int_equal(n, 2);
	assert_string_equal(names[0].name, "blog.example.net");
	assert_int_equal(names[1].agent, 1);
}

static void lists_the_names_of_one(void **state)
{
	for (uint64_t id = 0; id < 5; id++) {
		AUTO(freep) struct store_name *names = NULL;
		size_t n;

		assert_int_equal(registry_names_of(*state, id, &names, &n), 0);
		assert_int_equal(n, id == 1 ? 2 : 0);
	}
}

static void an_empty_one_has_empty_lists(void **state)
{
	AUTO(freep) struct registry_agent *agents = NULL;
	AUTO(freep) struct store_name *names = NULL;
	struct registry *registry;
	size_t n;

	assert_int_equal(registry_new("not a domain", &registry, NULL), -ERR_INVALID);
	assert_int_equal(registry_new("home.test", &registry, NULL), 0);
	assert_int_equal(registry_list(registry, &agents, &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(registry_list_names(registry, &names, &n), 0);
	assert_int_equal(n, 0);
	registry_free(registry);
}

static void *read_often(void *arg)
{
	struct tls_key_hash key = key_of(2);
	struct registry_agent agent;
	size_t hits = 0;

	for (int i = 0; i < 20000; i++)
		hits += registry_find_key(arg, &key, &agent) == 0;
	return (void *)hits;
}

static void readers_are_not_disturbed(void **state)
{
	pthread_t reader;
	void *hits;

	pthread_create(&reader, NULL, read_often, *state);
	for (uint64_t id = 10; id < 250; id++) {
		struct store_agent agent = agent_of(id, "x", true);

		assert_int_equal(registry_redeemed(*state, &agent, NULL, 0, NULL), 0);
	}
	pthread_join(reader, &hits);
	assert_int_equal((size_t)hits, 20000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(finds_agents, set_up, tear_down),
		cmocka_unit_test_setup_teardown(decides_who_may_use_a_name, set_up, tear_down),
		cmocka_unit_test_setup_teardown(tells_whose_a_name_is, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_redeemed_invite_adds, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_revoked_agent_loses_all, set_up, tear_down),
		cmocka_unit_test_setup_teardown(knows_how_they_fare, set_up, tear_down),
		cmocka_unit_test_setup_teardown(lists_in_order, set_up, tear_down),
		cmocka_unit_test_setup_teardown(lists_the_names_of_one, set_up, tear_down),
		cmocka_unit_test(an_empty_one_has_empty_lists),
		cmocka_unit_test_setup_teardown(readers_are_not_disturbed, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
