/* Visitors who reach the worker of their agent, on the virtual clock: a real link, whose network is
 * streams in memory. */
#include "test.h"

#include "front/sources.h"
#include "gateway/registry.h"
#include "gateway/visitors.h"
#include "gateway/worker.h"
#include "link/dial.h"
#include "net/mem.h"

#define AGENT 1
#define NAME  "blog.example.org"

struct world {
	struct loop *loop;
	struct gateway_config config;
	struct worker_shared shared;
	struct worker worker;
	struct tls_identity *key;
	struct tls_key_hash gateway_key;
	struct link_dial *dial;
	struct stream *local_end; /* the local service's end of the last visitor */
	unsigned visitors;	  /* who have come to the agent */
};

/* ── the agent ── */

struct attempt {
	struct world *w;
	struct defer connected;
	void (*done)(void *arg, int r, struct stream *s, const struct tls_key_hash *peer,
		     const struct err *e);
	void *arg;
};

static void on_connected(void *arg)
{
	struct attempt copy = *(struct attempt *)arg;
	struct world *w = copy.w;
	struct ipaddr observed = {.family = 4, .bytes = {198, 51, 100, 7}, .port = 4000};
	struct stream *agent_end, *gateway_end;

	free(arg);
	assert_int_equal(mem_pair_new(w->loop, 0, &agent_end, &gateway_end, NULL), 0);
	assert_int_equal(link_hub_take(w->worker.hub, gateway_end, tls_identity_hash(w->key), AGENT,
				       "laptop", &observed, NULL),
			 0);
	copy.done(copy.arg, 0, agent_end, &w->gateway_key, NULL);
}

static int connector_start(void *arg, struct loop *loop,
			   void (*done)(void *done_arg, int r, struct stream *s,
					const struct tls_key_hash *peer, const struct err *e),
			   void *done_arg, void **ret_attempt, struct err *e)
{
	struct attempt *attempt = calloc(1, sizeof(*attempt));

	attempt->w = arg;
	attempt->done = done;
	attempt->arg = done_arg;
	defer_init(&attempt->connected, loop, on_connected, attempt);
	defer_call(&attempt->connected);
	*ret_attempt = attempt;
	return 0;
}

static void connector_cancel(void *arg, void *attempt)
{
	defer_cancel(&((struct attempt *)attempt)->connected);
	free(attempt);
}

static void on_state(void *arg, enum link_dial_state state, const struct err *why)
{
}

static void on_welcome(void *arg, const struct link_welcome *welcome)
{
}

static void on_grants(void *arg, const struct link_grants *grants)
{
}

static void on_visitor(void *arg, struct link_visitor *v, const char *service,
		       const struct forwarded *who)
{
	struct world *w = arg;
	struct stream *local;

	w->visitors++;
	assert_string_equal(service, "blog");
	assert_string_equal(who->host, NAME);
	stream_close(w->local_end);
	assert_int_equal(mem_pair_new(w->loop, 0, &local, &w->local_end, NULL), 0);
	link_visitor_accept(v, local);
}

static const struct link_dial_events dial_events = {.on_state = on_state,
						    .on_welcome = on_welcome,
						    .on_grants = on_grants,
						    .on_visitor = on_visitor};

static void start_agent(struct world *w)
{
	struct link_connector connector = {
		.start = connector_start, .cancel = connector_cancel, .arg = w};
	struct link_dial_config config = {.host = "gw.example.org",
					  .port = 443,
					  .gateway = w->gateway_key,
					  .identity = w->key,
					  .carriers = 1,
					  .connector = &connector};
	struct link_services services = {0};

	assert_int_equal(link_dial_new(w->loop, &config, &dial_events, w, &w->dial, NULL), 0);
	assert_non_null(link_services_add(&services, STR("blog")));
	assert_int_equal(link_dial_set_services(w->dial, &services), 0);
	link_services_done(&services);
	loop_sim_advance(w->loop, USEC_PER_S);
	assert_true(link_hub_online(w->worker.hub, AGENT));
}

/* ── the gateway ── */

static void on_services(void *arg, uint64_t agent, const struct link_services *services)
{
	struct world *w = arg;
	struct link_grants grants = {.revision = services->revision};

	for (size_t i = 0; i < services->n; i++)
		link_grants_add(&grants, str_of(services->list[i].id))->granted = true;
	link_hub_grant(w->worker.hub, agent, &grants);
	link_grants_done(&grants);
}

static void on_online(void *arg, uint64_t agent, bool online, const struct ipaddr *observed)
{
}

static const struct link_hub_handler hub_handler = {.on_services = on_services,
						    .on_online = on_online};

static int setup(void **state)
{
	struct link_hub_config hub = {.domain = "example.org", .window_budget = 64 << 20};
	struct world *w = calloc(1, sizeof(*w));

	*state = w;
	assert_int_equal(loop_new_sim(&w->loop, NULL), 0);
	w->shared =
		(struct worker_shared){.config = &w->config, .workers = &w->worker, .n_workers = 1};
	assert_int_equal(registry_new("example.org", &w->shared.registry, NULL), 0);
	assert_int_equal(front_routes_new(&w->shared.routes, NULL), 0);
	assert_int_equal(front_sources_new(NULL, &w->shared.sources, NULL), 0);
	w->worker.shared = &w->shared;
	w->worker.loop = w->loop;
	assert_int_equal(link_hub_new(w->loop, &hub, &hub_handler, w, &w->worker.hub, NULL), 0);
	assert_int_equal(tls_identity_new(&w->key, NULL), 0);
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	link_dial_free(w->dial);
	link_hub_free(w->worker.hub);
	stream_close(w->local_end);
	front_sources_free(w->shared.sources);
	front_routes_free(w->shared.routes);
	registry_free(w->shared.registry);
	tls_identity_free(w->key);
	loop_free(w->loop);
	free(w);
	return 0;
}

/* ── scenarios ── */

/* The agent has come while the visitor was on his way here from the worker that read his opening
 * bytes: what that one knew of the name is not true any more. */
static void his_agent_came_while_he_was_on_his_way(void **state)
{
	struct front_route route = {
		.owner = AGENT, .service = "blog", .name = NAME, .serves = FRONT_SERVES_HTTP};
	struct front_visitor visitor = {
		.peer = {.family = 4, .bytes = {198, 51, 100, 20}, .port = 5000},
		.kind = FRONT_HTTP,
		.host = NAME,
		.route = {.owner = AGENT, .name = NAME, .serves = FRONT_SERVES_HTTP},
	};
	struct world *w = *state;
	struct stream *end;

	start_agent(w);
	assert_int_equal(front_routes_set(w->shared.routes, AGENT, &route, 1, NULL, NULL), 0);
	assert_true(front_sources_enter(w->shared.sources, &visitor.peer, loop_now(w->loop)));
	front_sources_read(w->shared.sources, &visitor.peer);
	assert_int_equal(mem_pair_new(w->loop, 0, &visitor.stream, &end, NULL), 0);
	visitors_on_visitor(&w->worker, &visitor);
	loop_sim_advance(w->loop, USEC_PER_S);
	assert_int_equal(w->visitors, 1);
	stream_close(end);
	loop_sim_advance(w->loop, USEC_PER_S);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(his_agent_came_while_he_was_on_his_way, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
