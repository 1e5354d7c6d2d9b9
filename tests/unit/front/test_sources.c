#include "test.h"

#include <stdio.h>

#include "front/sources.h"

#define NOW (1000 * USEC_PER_S)

static struct front_sources *make(struct front_limits limits)
{
	struct front_sources *s;

	assert_int_equal(front_sources_new(&limits, &s, NULL), 0);
	return s;
}

static struct ipaddr addr(const char *text)
{
	struct ipaddr a;

	assert_int_equal(ipaddr_parse(str_of(text), &a), 0);
	a.port = 4711;
	return a;
}

static struct ipaddr nth(unsigned i)
{
	return (struct ipaddr){.family = 4,
			       .bytes = {10, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i}};
}

static void limits_what_one_source_reads_and_holds(void **state)
{
	struct front_sources *s = make((struct front_limits){100, 2, 3, 1000, 100});
	struct ipaddr a = addr("192.0.2.1"), b = addr("192.0.2.2");

	assert_true(front_sources_enter(s, &a, NOW));
	assert_true(front_sources_enter(s, &a, NOW));
	assert_false(front_sources_enter(s, &a, NOW)); /* two are being read */
	assert_true(front_sources_enter(s, &b, NOW));
	front_sources_read(s, &a);
	front_sources_read(s, &a);
	assert_true(front_sources_enter(s, &a, NOW));
	assert_false(front_sources_enter(s, &a, NOW)); /* three are there */
	front_sources_leave(s, &a);
	assert_true(front_sources_enter(s, &a, NOW));
	front_sources_free(s);
}

/* Datagrams that say they come from an agent's address do not shut the agent out. */
static void flows_are_counted_by_themselves(void **state)
{
	struct front_sources *s = make((struct front_limits){100, 2, 3, 1, 2});
	struct ipaddr a = addr("192.0.2.1"), b = addr("192.0.2.2"), c = addr("192.0.2.3");

	for (int i = 0; i < 3; i++)
		assert_true(front_sources_enter_flow(s, &a, NOW));
	assert_false(front_sources_enter_flow(s, &a, NOW));
	assert_true(front_sources_enter_flow(s, &b, NOW));
	assert_false(front_sources_enter_flow(s, &c, NOW)); /* the table is full */
	assert_true(front_sources_enter(s, &a, NOW));
	assert_true(front_sources_enter(s, &c, NOW));
	front_sources_leave_flow(s, &a);
	assert_true(front_sources_enter_flow(s, &a, NOW));
	front_sources_free(s);
}

static void limits_what_all_read(void **state)
{
	struct front_sources *s = make((struct front_limits){2, 2, 9, 1000, 100});
	struct ipaddr a = addr("192.0.2.1"), b = addr("192.0.2.2"), c = addr("192.0.2.3");

	assert_true(front_sources_enter(s, &a, NOW));
	assert_true(front_sources_enter(s, &b, NOW));
	assert_false(front_sources_enter(s, &c, NOW));
	front_sources_read(s, &b);
	assert_true(front_sources_enter(s, &c, NOW));
	front_sources_free(s);
}

/* A proxy's connections: of no source until the visitor has a name. */
static void counts_those_without_a_name(void **state)
{
	struct front_sources *s = make((struct front_limits){2, 2, 1, 1000, 100});
	struct ipaddr a = addr("192.0.2.1"), b = addr("192.0.2.2");

	assert_true(front_sources_enter_unnamed(s));
	assert_true(front_sources_enter_unnamed(s));
	assert_false(front_sources_enter_unnamed(s));
	assert_false(front_sources_enter(s, &a, NOW));
	assert_true(front_sources_name(s, &a, NOW));
	assert_false(front_sources_name(s, &a, NOW)); /* it has one already */
	assert_false(front_sources_enter_unnamed(s)); /* and still counts */
	front_sources_leave_unnamed(s);
	assert_true(front_sources_enter(s, &b, NOW));
	front_sources_read(s, &a);
	front_sources_leave(s, &a);
	front_sources_free(s);
}

static void a_source_is_an_ipv6_network(void **state)
{
	struct front_sources *s = make((struct front_limits){100, 1, 9, 1000, 100});
	struct ipaddr a = addr("2001:db8:0:1::1"), mate = addr("2001:db8:0:1:ffff::2"),
		      other = addr("2001:db8:0:2::1");

	assert_true(front_sources_enter(s, &a, NOW));
	assert_false(front_sources_enter(s, &mate, NOW));
	assert_true(front_sources_enter(s, &other, NOW));
	front_sources_free(s);
}

static unsigned enter_and_leave(struct front_sources *s, unsigned times, usec_t now)
{
	struct ipaddr a = addr("192.0.2.1");
	unsigned entered = 0;

	for (unsigned i = 0; i < times; i++) {
		if (!front_sources_enter(s, &a, now))
			continue;
		front_sources_read(s, &a);
		front_sources_leave(s, &a);
		entered++;
	}
	return entered;
}

static void limits_new_connections_a_second(void **state)
{
	struct front_sources *s = make((struct front_limits){100, 9, 9, 10, 100});

	assert_in_range(enter_and_leave(s, 1000, NOW), 100, 101); /* ten seconds' worth */
	assert_int_equal(enter_and_leave(s, 1000, NOW), 0);
	assert_int_equal(enter_and_leave(s, 1000, NOW + USEC_PER_S), 10);
	assert_in_range(enter_and_leave(s, 1000, NOW + 60 * USEC_PER_S), 100, 101);
	front_sources_free(s);
}

static void a_full_table_forgets_the_longest_idle(void **state)
{
	struct front_sources *s = make((struct front_limits){1000, 9, 9, 1, 4});
	struct ipaddr kept = nth(0);

	assert_true(front_sources_enter(s, &kept, NOW)); /* stays connected */
	for (unsigned i = 1; i < 1000; i++) {
		struct ipaddr a = nth(i);

		assert_true(front_sources_enter(s, &a, NOW));
		front_sources_read(s, &a);
		front_sources_leave(s, &a);
		assert_true(front_sources_count(s) <= 4);
	}
	front_sources_read(s, &kept);
	front_sources_leave(s, &kept);
	front_sources_free(s);
}

static void a_table_full_of_connected_sources_refuses_new_ones(void **state)
{
	struct front_sources *s = make((struct front_limits){1000, 9, 9, 1, 4});
	struct ipaddr first = nth(0), last = nth(4);

	for (unsigned i = 0; i < 4; i++) {
		struct ipaddr a = nth(i);

		assert_true(front_sources_enter(s, &a, NOW));
	}
	assert_false(front_sources_enter(s, &last, NOW));
	assert_true(front_sources_enter(s, &first, NOW)); /* one that is known */
	assert_int_equal(front_sources_count(s), 4);
	front_sources_free(s);
}

static void the_table_shrinks_while_it_is_used(void **state)
{
	struct front_sources *s = make((struct front_limits){10000, 9, 9, 1000, 10000});

	for (unsigned i = 0; i < 5000; i++) {
		struct ipaddr a = nth(i);

		assert_true(front_sources_enter(s, &a, NOW + i * 10 * USEC_PER_MS));
		front_sources_read(s, &a);
		front_sources_leave(s, &a);
	}
	assert_true(front_sources_count(s) < 10);
	front_sources_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(limits_what_one_source_reads_and_holds),
		cmocka_unit_test(flows_are_counted_by_themselves),
		cmocka_unit_test(limits_what_all_read),
		cmocka_unit_test(counts_those_without_a_name),
		cmocka_unit_test(a_source_is_an_ipv6_network),
		cmocka_unit_test(limits_new_connections_a_second),
		cmocka_unit_test(a_full_table_forgets_the_longest_idle),
		cmocka_unit_test(a_table_full_of_connected_sources_refuses_new_ones),
		cmocka_unit_test(the_table_shrinks_while_it_is_used),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
