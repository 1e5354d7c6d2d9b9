#include "test.h"

#include <stdio.h>

#include "proto/proxyv2.h"
#include "world.h"

static void start(struct world *w)
{
	struct edge_spec spec = {.kind = EDGE_TCP};

	world_init(w);
	world_serve(w, &spec);
}

static bool has_backend(struct world *w)
{
	return w->n_backends > 0;
}

static bool backend_got_ping(struct world *w)
{
	return has_backend(w) && strcmp(peer_got(&w->backends[0]), "ping") == 0;
}

static bool backend_ended(struct world *w)
{
	return w->backends[0].eof;
}

static bool backend_reset(struct world *w)
{
	return w->backends[0].reset;
}

static bool visitor_got_pong(struct world *w)
{
	return strcmp(peer_got(&w->visitor), "pong!") == 0;
}

static bool visitor_ended(struct world *w)
{
	return w->visitor.eof;
}

static bool visitor_reset(struct world *w)
{
	return w->visitor.reset;
}

static bool is_reported(struct world *w)
{
	return w->requests > 0;
}

static bool nobody_left(struct world *w)
{
	return edge_service_visitors(w->service) == 0;
}

/* Both halves, each with its own end. */
static void talk(struct world *w)
{
	w->visitor.ends = true;
	peer_send(&w->visitor, "ping");
	WAIT(backend_got_ping);
	WAIT(backend_ended);
	w->backends[0].ends = true;
	peer_send(&w->backends[0], "pong!");
	WAIT(visitor_got_pong);
	WAIT(visitor_ended);
}

static void assert_reported(struct world *w)
{
	WAIT(is_reported);
	assert_int_equal(w->requests, 1);
	assert_int_equal(w->bytes_in, 4);
	assert_int_equal(w->bytes_out, 5);
	assert_string_equal(w->note, "");
	WAIT(nobody_left);
}

static void lends_the_connection(void **state)
{
	struct world world, *w = &world;

	start(w);
	world_visit(w);
	assert_int_equal(w->opened, 0);
	assert_int_equal(edge_service_visitors(w->service), 1);
	talk(w);
	assert_int_equal(w->requests, 0);
	peer_done(&w->visitor);
	assert_reported(w);
	world_done(w);
}

static void serve(struct world *w)
{
	struct edge_visitor visitor = world_who();
	struct stream *a, *b;

	assert_int_equal(mem_pair_new(w->loop, 0, &a, &b, NULL), 0);
	peer_init(&w->visitor, w->loop, a);
	edge_serve(w->service, &visitor, b);
}

static void joins_a_direct_visitor(void **state)
{
	struct world world, *w = &world;

	start(w);
	serve(w);
	talk(w);
	assert_reported(w);
	world_done(w);
}

static void on_stale(void *arg, unsigned events)
{
	fail_msg("whoever gave the stream away is told of it");
}

/* Who served him before may be gone when his bytes come, while the connection is being made. */
static void forgets_whose_the_stream_was(void **state)
{
	struct edge_visitor visitor = world_who();
	struct world world, *w = &world;
	struct stream *a, *b;
	char byte;

	start(w);
	assert_int_equal(mem_pair_new(w->loop, 0, &a, &b, NULL), 0);
	stream_set_handler(b, on_stale, NULL);
	assert_int_equal(stream_read(b, &byte, 1, NULL), -ERR_AGAIN);
	peer_init(&w->visitor, w->loop, a);
	edge_serve(w->service, &visitor, b);
	talk(w);
	assert_reported(w);
	world_done(w);
}

static void says_that_nobody_listens(void **state)
{
	struct world world, *w = &world;
	char expected[128];

	start(w);
	world_unlisten(w);
	snprintf(expected, sizeof(expected), "connect to 127.0.0.1:%u: Connection refused",
		 w->at.ip.port);
	world_visit(w);
	assert_int_equal(w->opened, -ERR_REFUSED);
	assert_string_equal(w->why, expected);
	assert_int_equal(w->requests, 1);
	assert_string_equal(w->note, expected);
	serve(w);
	peer_run(&w->visitor);
	WAIT(visitor_reset);
	assert_int_equal(w->requests, 2);
	world_listen(w); /* and now somebody does */
	peer_done(&w->visitor);
	world_visit(w);
	assert_int_equal(w->opened, 0);
	world_done(w);
}

static void a_reset_goes_through(void **state)
{
	struct world world, *w = &world;

	start(w);
	world_visit(w);
	peer_send(&w->visitor, "ping");
	WAIT(backend_got_ping);
	peer_reset(&w->visitor);
	WAIT(backend_reset);
	WAIT(nobody_left);
	world_done(w);
}

static void the_service_may_go(void **state)
{
	struct world world, *w = &world;

	for (int direct = 0; direct < 2; direct++) {
		start(w);
		if (direct)
			serve(w);
		else
			world_visit(w);
		peer_send(&w->visitor, "ping");
		WAIT(backend_got_ping);
		edge_service_free(w->service);
		w->service = NULL;
		WAIT(visitor_reset);
		WAIT(backend_reset);
		world_done(w);
	}
}

static void the_service_may_go_while_connecting(void **state)
{
	struct edge_visitor visitor = world_who();
	struct world world, *w = &world;

	start(w);
	w->opened = 1;
	assert_int_equal(edge_open(w->service, &visitor, world_on_open, w, &w->opening, NULL), 0);
	edge_service_free(w->service);
	w->service = NULL;
	assert_int_equal(w->opened, 1);
	WAIT(is_open);
	assert_int_equal(w->opened, -ERR_RESET);
	world_done(w);

	start(w); /* the same, and nobody wants it any more */
	assert_int_equal(edge_open(w->service, &visitor, world_on_open, w, &w->opening, NULL), 0);
	edge_service_free(w->service);
	w->service = NULL;
	edge_open_cancel(w->opening);
	w->opening = NULL;
	WAIT(a_moment);
	world_done(w);
}

static void an_opening_may_be_cancelled(void **state)
{
	struct edge_visitor visitor = world_who();
	struct world world, *w = &world;

	start(w);
	w->opened = 1;
	assert_int_equal(edge_open(w->service, &visitor, world_on_open, w, &w->opening, NULL), 0);
	assert_int_equal(edge_service_visitors(w->service), 1);
	edge_open_cancel(w->opening);
	w->opening = NULL;
	assert_int_equal(edge_service_visitors(w->service), 0);
	WAIT(a_moment);
	assert_int_equal(w->opened, 1);
	world_done(w);
}

static void a_retired_service_takes_nobody_new(void **state)
{
	struct edge_visitor visitor = world_who();
	struct world world, *w = &world;

	start(w);
	world_visit(w);
	edge_service_retire(w->service);
	assert_int_equal(edge_open(w->service, &visitor, world_on_open, w, &w->opening, NULL),
			 -ERR_REFUSED);
	talk(w);
	peer_done(&w->visitor);
	serve(w);
	peer_run(&w->visitor);
	WAIT(visitor_reset);
	WAIT(nobody_left);
	world_done(w);
}

/* ── who the visitor is ── */

static bool backend_has_all(struct world *w)
{
	return w->n_backends > 0 && buf_len(&w->backends[0].got) >= 28 + 4;
}

static void assert_introduced(struct world *w)
{
	struct edge_visitor who = world_who();
	const struct buf *got = &w->backends[0].got;
	struct proxyv2 header;

	WAIT(backend_has_all);
	assert_int_equal(proxyv2_decode(buf_head(got), buf_len(got), &header), 28);
	assert_false(header.local);
	assert_true(ipaddr_equal(&header.source, &who.addr));
	assert_true(ipaddr_equal(&header.target, &w->at.ip));
	assert_memory_equal(buf_head(got) + 28, "ping", 4);
}

static void tells_who_the_visitor_is(void **state)
{
	struct edge_spec spec = {.kind = EDGE_TCP, .proxy_protocol = true};
	struct world world, *w = &world;

	for (int direct = 0; direct < 2; direct++) {
		world_init(w);
		world_serve(w, &spec);
		if (direct)
			serve(w);
		else
			world_visit(w);
		peer_send(&w->visitor, "ping");
		assert_introduced(w);
		world_done(w);
	}
}

/* ── allow-lists ── */

static struct cidr network(const char *text)
{
	struct cidr cidr;

	assert_int_equal(cidr_parse(str_of(text), &cidr, NULL), 0);
	return cidr;
}

static void denies(struct world *w, const char *allowed)
{
	struct cidr list[] = {network("2001:db8::/32"), network(allowed)};
	struct edge_spec spec = {.kind = EDGE_TCP, .allow = list, .n_allow = ARRAY_LEN(list)};
	struct edge_visitor visitor = world_who();
	struct edge_opening *opening;
	struct err e = {0};

	world_init(w);
	world_serve(w, &spec);
	assert_int_equal(edge_open(w->service, &visitor, world_on_open, w, &opening, &e),
			 -ERR_DENIED);
	assert_string_equal(e.text, "not on the allow-list");
	assert_int_equal(w->requests, 1);
	assert_true(w->denied);
	serve(w);
	peer_run(&w->visitor);
	WAIT(visitor_reset);
	assert_int_equal(w->requests, 2);
	assert_int_equal(w->n_backends, 0);
	world_done(w);
}

static void only_those_on_the_list_may_visit(void **state)
{
	struct cidr list[] = {network("2001:db8::/32"), network("192.0.2.0/24")};
	struct edge_spec spec = {.kind = EDGE_TCP, .allow = list, .n_allow = ARRAY_LEN(list)};
	struct world world, *w = &world;

	denies(w, "192.0.2.8");
	denies(w, "192.0.3.0/24");
	world_init(w);
	world_serve(w, &spec);
	world_visit(w);
	talk(w);
	assert_false(w->denied);
	world_done(w);
}

/* ── checks ── */

static void on_checked(void *arg, int r, const struct err *e)
{
	struct world *w = arg;

	w->opened = r;
	snprintf(w->why, sizeof(w->why), "%s", e->text);
}

static void check(struct world *w)
{
	struct edge_check *check;

	w->opened = 1;
	assert_int_equal(edge_check_start(w->service, on_checked, w, &check, NULL), 0);
	assert_int_equal(w->opened, 1);
}

static void a_check_can_be_cancelled(void **state)
{
	struct world world, *w = &world;
	struct edge_check *check;

	start(w);
	w->opened = 1;
	assert_int_equal(edge_check_start(w->service, on_checked, w, &check, NULL), 0);
	edge_check_cancel(check);
	edge_check_cancel(NULL);
	world_done(w);
	assert_int_equal(w->opened, 1);
}

static void checks_that_somebody_listens(void **state)
{
	struct world world, *w = &world;
	char expected[64];

	start(w);
	check(w);
	WAIT(is_open);
	assert_int_equal(w->opened, 0);
	world_unlisten(w);
	check(w);
	WAIT(is_open);
	assert_int_equal(w->opened, -ERR_REFUSED);
	snprintf(expected, sizeof(expected), "nothing listens on 127.0.0.1:%u", w->at.ip.port);
	assert_string_equal(w->why, expected);
	check(w);
	edge_service_free(w->service); /* the answer comes all the same */
	w->service = NULL;
	WAIT(is_open);
	world_done(w);
}

static bool backend_has_header(struct world *w)
{
	return has_backend(w) && buf_len(&w->backends[0].got) >= 16;
}

static void a_check_says_that_it_is_one(void **state)
{
	struct edge_spec spec = {.kind = EDGE_TCP, .proxy_protocol = true};
	struct world world, *w = &world;
	struct proxyv2 header;

	world_init(w);
	world_serve(w, &spec);
	check(w);
	WAIT(is_open);
	assert_int_equal(w->opened, 0);
	WAIT(backend_has_header);
	assert_int_equal(proxyv2_decode(buf_head(&w->backends[0].got), 16, &header), 16);
	assert_true(header.local);
	world_done(w);
}

static void checks_that_the_folder_is_there(void **state)
{
	struct edge_spec spec = {.kind = EDGE_FILES, .path = "/tmp/homeport-no-such-folder"};
	struct world world, *w = &world;
	struct err e = {0};
	char folder[] = "/tmp/homeport-test-XXXXXX";

	world_init(w);
	spec.id = "site";
	assert_int_equal(edge_service_new(w->loop, &spec, &world_events, w, &w->service, &e),
			 -ERR_NOT_FOUND);
	assert_string_equal(e.text, "service site: open /tmp/homeport-no-such-folder: "
				    "No such file or directory");
	spec.path = mkdtemp(folder);
	world_serve(w, &spec);
	check(w);
	WAIT(is_open);
	assert_int_equal(w->opened, 0);
	rmdir(folder);
	check(w);
	WAIT(is_open);
	assert_int_equal(w->opened, -ERR_NOT_FOUND);
	world_done(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lends_the_connection),
		cmocka_unit_test(joins_a_direct_visitor),
		cmocka_unit_test(forgets_whose_the_stream_was),
		cmocka_unit_test(says_that_nobody_listens),
		cmocka_unit_test(a_reset_goes_through),
		cmocka_unit_test(the_service_may_go),
		cmocka_unit_test(the_service_may_go_while_connecting),
		cmocka_unit_test(an_opening_may_be_cancelled),
		cmocka_unit_test(a_retired_service_takes_nobody_new),
		cmocka_unit_test(tells_who_the_visitor_is),
		cmocka_unit_test(only_those_on_the_list_may_visit),
		cmocka_unit_test(a_check_can_be_cancelled),
		cmocka_unit_test(a_check_says_that_it_is_one),
		cmocka_unit_test(checks_that_somebody_listens),
		cmocka_unit_test(checks_that_the_folder_is_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
