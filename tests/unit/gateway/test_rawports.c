/* Raw ports on real sockets: what the table of ports is told when one cannot be opened. */
#include "test.h"

#include <sys/resource.h>

#include "gateway/listeners.h"
#include "gateway/ports.h"
#include "gateway/rawports.h"
#include "gateway/worker.h"

#define AGENT	   7
#define FIRST_PORT 23450

struct world {
	struct front_routes *routes;
	struct front_sources *sources;
	struct gateway_config config;
	struct listeners listeners;
	struct worker_shared shared;
	struct worker worker;
	struct rawports raw;
};

static void on_visitor(void *arg, const struct front_visitor *visitor)
{
	stream_close(visitor->stream);
}

static int setup(void **state)
{
	static const struct front_handler handler = {.on_visitor = on_visitor};
	struct world *w = calloc(1, sizeof(*w));
	struct front_config config = {0};

	*state = w;
	assert_int_equal(front_routes_new(&w->routes, NULL), 0);
	assert_int_equal(front_sources_new(NULL, &w->sources, NULL), 0);
	w->listeners.n = 1;
	w->listeners.list[0].kind = FRONT_HTTPS;
	assert_int_equal(ipaddr_parse(STR("127.0.0.1"), &w->listeners.list[0].at.ip), 0);
	w->shared = (struct worker_shared){
		.config = &w->config, .listeners = &w->listeners, .workers = &w->worker};
	assert_int_equal(ports_new(FIRST_PORT, FIRST_PORT + 4, 32, &w->shared.ports, NULL), 0);
	w->worker.shared = &w->shared;
	assert_int_equal(loop_new(&w->worker.loop, NULL), 0);
	config.routes = w->routes;
	config.sources = w->sources;
	assert_int_equal(front_new(w->worker.loop, &config, &handler, NULL, &w->worker.front, NULL),
			 0);
	assert_int_equal(
		front_udp_new(w->worker.loop, w->sources, on_visitor, NULL, &w->worker.udp, NULL),
		0);
	rawports_init(&w->raw, &w->worker, AGENT);
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	rawports_done(&w->raw);
	front_udp_free(w->worker.udp);
	front_free(w->worker.front);
	loop_free(w->worker.loop);
	ports_free(w->shared.ports);
	front_sources_free(w->sources);
	front_routes_free(w->routes);
	free(w);
	return 0;
}

static int open_one(struct world *w, enum link_kind kind, const char *id, uint16_t *ret_port)
{
	struct link_service service = {.kind = kind};
	bool new;

	strcpy(service.id, id);
	return rawports_open(&w->raw, &service, ret_port, &new);
}

/* No descriptor is left. Returns what was allowed. */
static struct rlimit take_all_descriptors(void)
{
	struct rlimit old, none;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	none = old;
	none.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	return old;
}

static void test_a_shortage_costs_no_port(void **state)
{
	static const enum link_kind kinds[] = {LINK_TCP, LINK_UDP};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		const char *id = link_kind_name(kinds[i]);
		struct rlimit old = take_all_descriptors();
		uint16_t port = 0;

		assert_int_equal(open_one(w, kinds[i], id, &port), -ERR_FAILED);
		setrlimit(RLIMIT_NOFILE, &old);
		assert_int_equal(open_one(w, kinds[i], id, &port), 0);
		assert_int_equal(port, FIRST_PORT + i);
	}
}

static void test_another_programs_port_is_skipped(void **state)
{
	struct world *w = *state;
	struct sock_addr at = w->listeners.list[0].at;
	uint16_t port;
	int fd;

	at.ip.port = FIRST_PORT;
	fd = sock_listen_open(&at, 0, NULL);
	assert_true(fd >= 0);
	assert_int_equal(open_one(w, LINK_TCP, "ssh", &port), 0);
	assert_int_equal(port, FIRST_PORT + 1);
	close(fd);
	assert_int_equal(open_one(w, LINK_TCP, "git", &port), 0);
	assert_int_equal(port, FIRST_PORT + 2); /* not so soon */
}

static void test_none_is_opened_behind_the_stop(void **state)
{
	struct world *w = *state;
	uint16_t port, again;

	assert_int_equal(open_one(w, LINK_TCP, "ssh", &port), 0);
	front_stop(w->worker.front);
	front_udp_stop(w->worker.udp);
	assert_int_equal(open_one(w, LINK_TCP, "git", &again), -ERR_FAILED);
	assert_int_equal(open_one(w, LINK_UDP, "game", &again), -ERR_FAILED);
	assert_int_equal(open_one(w, LINK_TCP, "ssh", &again), 0); /* as before */
	assert_int_equal(again, port);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_a_shortage_costs_no_port, setup, teardown),
		cmocka_unit_test_setup_teardown(test_another_programs_port_is_skipped, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_none_is_opened_behind_the_stop, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
