/* Who waits for an agent after a restart, on the virtual clock. */
#include "test.h"

#include "gateway/comeback.h"
#include "link/hub.h"

struct visitor {
	unsigned looked;
	bool ready, last;
};

static bool look(void *arg, bool last)
{
	struct visitor *v = arg;

	v->looked++;
	v->last = last;
	return v->ready;
}

struct fixture {
	struct loop *loop;
	struct comeback *comeback;
	struct visitor a, b;
};

static void start(struct fixture *f)
{
	*f = (struct fixture){0};
	assert_int_equal(loop_new_sim(&f->loop, NULL), 0);
	assert_int_equal(comeback_new(f->loop, &f->comeback, NULL), 0);
}

static void stop(struct fixture *f)
{
	comeback_free(f->comeback);
	loop_free(f->loop);
}

static void waits_until_the_agent_is_there(void **state)
{
	struct fixture f;

	start(&f);
	assert_true(comeback_wait(f.comeback, 1, look, &f.a));
	assert_true(comeback_wait(f.comeback, 2, look, &f.b));
	assert_int_equal(comeback_waiting(f.comeback), 2);
	comeback_look(f.comeback, 1); /* with another service than his */
	assert_int_equal(f.a.looked, 1);
	assert_int_equal(comeback_waiting(f.comeback), 2);
	f.a.ready = true;
	comeback_look(f.comeback, 1);
	assert_int_equal(f.a.looked, 2);
	assert_false(f.a.last);
	assert_int_equal(f.b.looked, 0);
	assert_int_equal(comeback_waiting(f.comeback), 1);
	stop(&f);
	assert_int_equal(f.a.looked, 2);
	assert_true(f.b.looked == 1 && f.b.last); /* nobody is forgotten */
}

static void waits_2_s(void **state)
{
	struct fixture f;

	start(&f);
	assert_true(comeback_wait(f.comeback, 1, look, &f.a));
	loop_sim_advance(f.loop, USEC_PER_S);
	assert_true(comeback_wait(f.comeback, 1, look, &f.b));
	loop_sim_advance(f.loop, LINK_WAIT - USEC_PER_S - 1);
	assert_int_equal(f.a.looked, 0);
	loop_sim_advance(f.loop, 1);
	assert_true(f.a.looked == 1 && f.a.last);
	assert_int_equal(f.b.looked, 0);
	loop_sim_advance(f.loop, USEC_PER_S);
	assert_true(f.b.looked == 1 && f.b.last);
	assert_int_equal(comeback_waiting(f.comeback), 0);
	stop(&f);
}

static void expects_nobody_later(void **state)
{
	struct fixture f;

	start(&f);
	loop_sim_advance(f.loop, COMEBACK_FOR - 1);
	assert_true(comeback_wait(f.comeback, 1, look, &f.a));
	loop_sim_advance(f.loop, 1);
	assert_false(comeback_wait(f.comeback, 1, look, &f.b));
	stop(&f);
	assert_int_equal(f.b.looked, 0);
}

static void so_many_wait_at_most(void **state)
{
	struct fixture f;
	unsigned n = 0;

	start(&f);
	for (uint64_t agent = 1; agent <= 5; agent++)
		for (int i = 0; i < 2 * COMEBACK_PER_MAX; i++)
			n += comeback_wait(f.comeback, agent, look, &f.a);
	assert_int_equal(n, COMEBACK_MAX);
	loop_sim_advance(f.loop, LINK_WAIT);
	assert_int_equal(f.a.looked, COMEBACK_MAX);
	for (int i = 0; i < 2 * COMEBACK_PER_MAX; i++)
		n += comeback_wait(f.comeback, 1, look, &f.a);
	assert_int_equal(n, COMEBACK_MAX + COMEBACK_PER_MAX);
	stop(&f);
	assert_int_equal(f.a.looked, n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(waits_until_the_agent_is_there),
		cmocka_unit_test(waits_2_s),
		cmocka_unit_test(expects_nobody_later),
		cmocka_unit_test(so_many_wait_at_most),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
