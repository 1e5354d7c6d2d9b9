/* Raw ports: stable, never two services on one, and never lost. */
#include "test.h"

#include "gateway/ports.h"

#define NOW (1000 * USEC_PER_S)

enum { LAPTOP = 1, NAS = 2 };

static struct ports *ports_of_three(void)
{
	struct ports *ports;

	assert_int_equal(ports_new(20000, 20002, 3, &ports, NULL), 0);
	return ports;
}

static uint16_t take(struct ports *ports, uint64_t agent, const char *service, uint16_t wished)
{
	uint16_t port;
	bool new;

	assert_int_equal(ports_take(ports, agent, service, wished, NOW, &port, &new), 0);
	return port;
}

static int try(struct ports *ports, uint64_t agent, const char *service, uint16_t wished)
{
	uint16_t port = 7;
	bool new;
	int r = ports_take(ports, agent, service, wished, NOW, &port, &new);

	if (r < 0)
		assert_int_equal(port, 7);
	return r;
}

static void test_stable(void **state)
{
	struct ports *ports = ports_of_three();
	uint16_t port;
	bool new;

	assert_int_equal(take(ports, LAPTOP, "ssh", 0), 20000);
	assert_int_equal(take(ports, NAS, "ssh", 0), 20001);
	ports_release(ports, LAPTOP, 20000);
	assert_int_equal(take(ports, NAS, "git", 0), 20002);
	assert_int_equal(ports_take(ports, LAPTOP, "ssh", 0, NOW, &port, &new), 0);
	assert_int_equal(port, 20000);
	assert_false(new);
	ports_free(ports);
}

static void test_full(void **state)
{
	struct ports *ports = ports_of_three();

	take(ports, LAPTOP, "a", 0);
	take(ports, LAPTOP, "b", 0);
	take(ports, LAPTOP, "c", 0);
	assert_int_equal(try(ports, LAPTOP, "d", 0), -ERR_LIMIT);
	ports_release(ports, LAPTOP, 20001);
	ports_release(ports, LAPTOP, 20000);
	assert_int_equal(take(ports, NAS, "ssh", 0), 20001); /* unused for longer */
	assert_int_equal(take(ports, LAPTOP, "b", 0), 20000);
	assert_int_equal(try(ports, LAPTOP, "a", 0), -ERR_LIMIT);
	ports_free(ports);
}

static void test_wishes(void **state)
{
	struct ports *ports = ports_of_three();

	assert_int_equal(take(ports, LAPTOP, "ssh", 20002), 20002);
	assert_int_equal(try(ports, NAS, "ssh", 20002), -ERR_EXISTS);
	assert_int_equal(try(ports, LAPTOP, "git", 20002), -ERR_EXISTS);
	ports_release(ports, LAPTOP, 20002);
	assert_int_equal(try(ports, NAS, "ssh", 20002), -ERR_EXISTS); /* reserved */
	assert_int_equal(take(ports, LAPTOP, "git", 20002), 20002);
	assert_int_equal(take(ports, LAPTOP, "git", 20001), 20001); /* and 20002 is free now */
	assert_int_equal(take(ports, NAS, "ssh", 20002), 20002);
	assert_int_equal(try(ports, NAS, "ssh", 22), -ERR_EXISTS);
	ports_free(ports);
}

static void test_restore(void **state)
{
	struct ports *ports = ports_of_three();

	ports_restore(ports, LAPTOP, "ssh", 20000);
	ports_restore(ports, NAS, "ssh", 20000);  /* taken */
	ports_restore(ports, NAS, "git", 30000);  /* outside of the range now */
	ports_restore(ports, LAPTOP, "x", 20001); /* once more, elsewhere: the last one counts */
	ports_restore(ports, LAPTOP, "x", 20002);
	assert_int_equal(take(ports, NAS, "ssh", 0), 20001);
	assert_int_equal(take(ports, LAPTOP, "ssh", 0), 20000);
	assert_int_equal(take(ports, LAPTOP, "x", 0), 20002);
	ports_free(ports);
}

static void test_blocked_and_forgotten(void **state)
{
	struct ports *ports = ports_of_three();

	take(ports, LAPTOP, "ssh", 0);
	ports_block(ports, 20000, false, NOW);
	assert_int_equal(take(ports, LAPTOP, "ssh", 0), 20001);
	assert_int_equal(take(ports, LAPTOP, "git", 0), 20002);
	assert_int_equal(try(ports, NAS, "ssh", 0), -ERR_LIMIT);
	ports_forget(ports, LAPTOP);
	assert_int_equal(take(ports, NAS, "ssh", 0), 20001);
	assert_int_equal(take(ports, NAS, "git", 20000), 20000); /* a wish tries it again */
	ports_free(ports);
}

static void test_blocked_one_comes_back(void **state)
{
	struct ports *ports = ports_of_three();
	usec_t later = NOW + PORTS_BLOCKED;
	uint16_t port;
	bool new;

	take(ports, LAPTOP, "ssh", 0);
	ports_block(ports, 20000, true, NOW);
	assert_int_equal(take(ports, LAPTOP, "ssh", 0), 20001); /* meanwhile another */
	assert_int_equal(try(ports, NAS, "ssh", 20000), -ERR_EXISTS);
	ports_release(ports, LAPTOP, 20001);
	assert_int_equal(ports_take(ports, NAS, "x", 0, later, &port, &new), 0);
	assert_int_equal(port, 20002);
	ports_claim(ports, LAPTOP, "ssh");
	assert_int_equal(ports_take(ports, LAPTOP, "ssh", 0, later, &port, &new), 0);
	assert_int_equal(port, 20000);
	assert_true(new); /* the store knows the other one */
	assert_int_equal(take(ports, NAS, "y", 0), 20001);
	ports_free(ports);
}

static void test_blocked_is_free_again(void **state)
{
	struct ports *ports = ports_of_three();
	uint16_t port;
	bool new;

	for (uint16_t i = 20000; i <= 20002; i++)
		ports_block(ports, i, false, NOW);
	assert_int_equal(try(ports, LAPTOP, "ssh", 0), -ERR_LIMIT);
	assert_int_equal(ports_take(ports, LAPTOP, "ssh", 0, NOW + PORTS_BLOCKED, &port, &new), 0);
	assert_int_equal(port, 20000);
	ports_block(ports, 20000, true, NOW);
	ports_forget(ports, LAPTOP);
	assert_int_equal(ports_take(ports, NAS, "ssh", 20000, NOW + PORTS_BLOCKED, &port, &new), 0);
	ports_free(ports);
}

static void test_one_agent_leaves_room(void **state)
{
	struct ports *ports;

	assert_int_equal(ports_new(20000, 20004, 2, &ports, NULL), 0);
	ports_restore(ports, NAS, "ssh", 20000);
	ports_restore(ports, NAS, "git", 20001);
	ports_restore(ports, NAS, "old", 20002); /* the limit was lowered */
	assert_int_equal(take(ports, LAPTOP, "a", 0), 20002);
	assert_int_equal(take(ports, LAPTOP, "b", 0), 20003);
	assert_int_equal(try(ports, LAPTOP, "c", 0), -ERR_DENIED);
	assert_int_equal(try(ports, LAPTOP, "c", 20004), -ERR_DENIED);
	assert_int_equal(take(ports, LAPTOP, "a", 20004), 20004); /* another for what it has */
	ports_release(ports, LAPTOP, 20003);
	ports_release(ports, LAPTOP, 20004);
	assert_int_equal(take(ports, LAPTOP, "c", 0), 20003); /* its own oldest goes */
	assert_int_equal(take(ports, LAPTOP, "d", 20002), 20002);
	assert_int_equal(take(ports, 3, "x", 0), 20004); /* which is free now */
	assert_int_equal(take(ports, NAS, "ssh", 0), 20000);
	assert_int_equal(take(ports, NAS, "git", 0), 20001);
	ports_free(ports);
}

static void test_claim(void **state)
{
	struct ports *ports = ports_of_three();

	ports_restore(ports, LAPTOP, "a", 20000);
	ports_restore(ports, LAPTOP, "b", 20001);
	ports_restore(ports, LAPTOP, "c", 20002);
	ports_claim(ports, LAPTOP, "a");
	ports_claim(ports, LAPTOP, "new");
	assert_int_equal(take(ports, LAPTOP, "new", 0), 20001);
	assert_int_equal(take(ports, LAPTOP, "a", 0), 20000);
	ports_free(ports);
}

static void test_none(void **state)
{
	struct ports *ports;

	assert_int_equal(ports_new(0, 0, 3, &ports, NULL), 0);
	ports_restore(ports, LAPTOP, "ssh", 20000);
	assert_int_equal(try(ports, LAPTOP, "ssh", 0), -ERR_LIMIT);
	assert_int_equal(try(ports, LAPTOP, "ssh", 20000), -ERR_EXISTS);
	ports_free(ports);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stable),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_wishes),
		cmocka_unit_test(test_restore),
		cmocka_unit_test(test_blocked_and_forgotten),
		cmocka_unit_test(test_blocked_one_comes_back),
		cmocka_unit_test(test_blocked_is_free_again),
		cmocka_unit_test(test_one_agent_leaves_room),
		cmocka_unit_test(test_claim),
		cmocka_unit_test(test_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
