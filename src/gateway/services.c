#include "gateway/services.h"

#include <stdio.h>

#include "base/htable.h"
#include "base/log.h"
#include "gateway/away.h"
#include "gateway/comeback.h"
#include "gateway/grants.h"
#include "gateway/listeners.h"
#include "gateway/ports.h"
#include "gateway/rawports.h"
#include "gateway/registry.h"
#include "gateway/store.h"
#include "gateway/worker.h"

struct services {
	struct worker *worker; /* borrowed */
	struct htable agents;  /* owned: of struct served */
};

/* An agent's lists are decided 25 at once and five a second: each looks at all its names and
 * ports, and an agent may send them as fast as its line goes. Of those that came too soon the
 * newest waits. A person who starts `homeport share` again and again, two lists each time, does not
 * meet the limit. */
#define LISTS_INTERVAL (200 * USEC_PER_MS)
#define LISTS_BURST    (24 * LISTS_INTERVAL)

/* An agent that was here since the start. */
struct served {
	struct services *all; /* borrowed */
	struct htable_node node;
	uint64_t agent;
	char name[LINK_SERVICE_ID_MAX + 1];
	struct rawports raw;
	struct link_services wanted; /* the last list */
	struct link_grants grants;   /* and the answer */

	usec_t full_at; /* the allowance for lists, as in front/sources.c */
	struct timer later;
	struct link_services waiting; /* while `later` runs */
};

static void on_later(void *arg);

/* ── the table ── */

int services_new(struct worker *worker, struct services **ret_services, struct err *e)
{
	struct services *all = calloc(1, sizeof(*all));

	if (!all)
		return err_set(e, ERR_NOMEM, "table of services");
	all->worker = worker;
	htable_init(&all->agents);
	*ret_services = all;
	return 0;
}

static uint64_t hash_of(const struct services *all, uint64_t agent)
{
	return htable_hash(&agent, sizeof(agent), all->agents.seed);
}

static struct served *find(const struct services *all, uint64_t agent)
{
	struct htable_node *node = htable_find(&all->agents, hash_of(all, agent));

	for (; node; node = htable_find_next(node)) {
		struct served *served = container_of(node, struct served, node);

		if (served->agent == agent)
			return served;
	}
	return NULL;
}

static struct served *add(struct services *all, uint64_t agent)
{
	struct registry_agent info;
	struct served *served;

	if (registry_find(all->worker->shared->registry, agent, &info) < 0)
		return NULL;
	served = calloc(1, sizeof(*served));
	if (!served)
		return NULL;
	served->all = all;
	served->agent = agent;
	strcpy(served->name, info.name);
	rawports_init(&served->raw, all->worker, agent);
	timer_init(&served->later, all->worker->loop, on_later, served);
	if (htable_add(&all->agents, &served->node, hash_of(all, agent)) < 0) {
		free(served);
		return NULL;
	}
	return served;
}

static struct served *find_or_add(struct services *all, uint64_t agent)
{
	struct served *served = find(all, agent);

	return served ? served : add(all, agent);
}

static void served_free(struct served *served)
{
	htable_remove(&served->all->agents, &served->node);
	timer_stop(&served->later);
	link_services_done(&served->waiting);
	rawports_done(&served->raw);
	link_services_done(&served->wanted);
	link_grants_done(&served->grants);
	free(served);
}

void services_free(struct services *all)
{
	struct htable_node *node;

	if (!all)
		return;
	while ((node = htable_next(&all->agents, NULL)))
		served_free(container_of(node, struct served, node));
	htable_done(&all->agents);
	free(all);
}

void services_expel(struct services *all, uint64_t agent)
{
	struct worker *worker = all->worker;
	struct served *served = find(all, agent);

	link_hub_expel(worker->hub, agent, "revoked",
		       "this machine's key was revoked at the gateway; ask its owner for a new "
		       "code, and type: homeport join");
	if (served)
		served_free(served);
	if (front_routes_set(worker->shared->routes, agent, NULL, 0, NULL, NULL) < 0)
		log_error("the names of a revoked agent stay until the gateway is restarted");
}

static bool is_revoked(const struct services *all, uint64_t agent)
{
	struct registry_agent info;

	return registry_find(all->worker->shared->registry, agent, &info) < 0 || info.revoked;
}

/* ── what an agent may have ── */

static int may_use(void *arg, const char *name, struct err *e)
{
	const struct served *served = arg;

	return registry_may_use(served->all->worker->shared->registry, served->agent, name, e);
}

static void on_port_stored(struct store_op *op)
{
	if (op->r < 0)
		log_warning("port %u of service %s will not be remembered: %s", op->port.port,
			    op->port.service, op->e.text);
	store_op_done(op);
	free(op);
}

/* Nobody waits for it: a port that is forgotten is a nuisance, not a fault. */
static void remember_port(const struct served *served, const char *service, uint16_t port)
{
	struct worker *worker = served->all->worker;
	struct store_op *op = calloc(1, sizeof(*op));

	if (!op)
		return;
	op->verb = STORE_PORT;
	op->now_wall = ustime_wall();
	op->port.port = port;
	op->port.agent = served->agent;
	strcpy(op->port.service, service);
	op->loop = worker->loop;
	op->done = on_port_stored;
	if (store_submit(worker->shared->store, op) < 0)
		free(op);
}

static int take_port(void *arg, const struct link_service *service, uint16_t *ret_port)
{
	struct served *served = arg;
	bool new = false;
	int r = rawports_open(&served->raw, service, ret_port, &new);

	if (r == 0 && new)
		remember_port(served, service->id, *ret_port);
	return r;
}

static struct grants_policy policy_of(struct served *served)
{
	const struct worker_shared *shared = served->all->worker->shared;

	return (struct grants_policy){
		.agent = served->name,
		.domain = shared->config->domain,
		.http_port = shared->listeners->http_port,
		.https_port = shared->listeners->https_port,
		.first_port = shared->config->first_port,
		.last_port = shared->config->last_port,
		.ports_max = (unsigned)shared->config->limits.ports_per_agent,
		.takes_udp = link_hub_takes_udp(served->all->worker->hub, served->agent),
		.arg = served,
		.may_use = may_use,
		.take_port = take_port,
	};
}

/* ── routes ── */

struct route_list {
	struct front_route routes[GRANTS_NAMES_MAX];
	size_t service[GRANTS_NAMES_MAX]; /* whose it is: index into the lists */
	size_t n;
};

static void add_routes(struct route_list *list, const struct served *served, size_t service,
		       const struct link_services *wanted, const struct link_grants *grants)
{
	const struct link_grant *grant = &grants->list[service];
	unsigned serves =
		wanted->list[service].kind == LINK_HTTP ? FRONT_SERVES_HTTP : FRONT_SERVES_TLS;

	for (size_t i = 0; i < grant->n_names; i++) {
		struct front_route *route = &list->routes[list->n];

		*route = (struct front_route){.owner = served->agent, .serves = serves};
		route->online = link_hub_online(served->all->worker->hub, served->agent);
		strcpy(route->service, grant->id);
		strcpy(route->name, grant->names[i]);
		list->service[list->n++] = service;
	}
}

/* Who has nothing public is known all the same. */
static int set_away_routes(const struct served *served, struct err *e)
{
	const struct worker_shared *shared = served->all->worker->shared;

	return away_routes_set(shared->routes, shared->registry, shared->config->domain,
			       served->agent, ustime_wall(), e);
}

/* Put the names into the table. One that another agent has costs its service the grant, and the
 * rest is tried again. */
static int set_routes(const struct served *served, const struct link_services *wanted,
		      struct link_grants *grants, struct err *e)
{
	AUTO(freep) struct route_list *list = calloc(1, sizeof(*list));
	size_t conflict;
	int r;

	if (wanted->n == 0)
		return set_away_routes(served, e);
	if (!list)
		return err_set(e, ERR_NOMEM, "routes");
	for (;;) {
		list->n = 0;
		for (size_t i = 0; i < grants->n; i++)
			add_routes(list, served, i, wanted, grants);
		r = front_routes_set(served->all->worker->shared->routes, served->agent,
				     list->routes, list->n, &conflict, e);
		if (r != -ERR_EXISTS && r != -ERR_INVALID)
			return r;
		grants_refuse(&grants->list[list->service[conflict]], GRANTS_NAME_TAKEN,
			      "%s belongs to another agent; choose another name, or on the "
			      "gateway see whose it is with: homeport-gateway names",
			      list->routes[conflict].name);
	}
}

/* ── a list ── */

static void log_refusals(const struct served *served, const struct link_grants *grants)
{
	for (size_t i = 0; i < grants->n; i++)
		if (!grants->list[i].granted)
			log_info("agent %s: service %s refused: %s", served->name,
				 grants->list[i].id, grants->list[i].text);
}

static int decide(struct served *served, const struct link_services *wanted,
		  struct link_grants *ret, struct err *e)
{
	struct grants_policy policy = policy_of(served);
	struct link_grants grants = {0};
	int r;

	rawports_keep(&served->raw, wanted);
	r = grants_decide(wanted, &policy, &grants, e);
	if (r == 0)
		r = set_routes(served, wanted, &grants, e);
	if (r == 0)
		r = grants_add_urls(wanted, &policy, &grants, e);
	if (r < 0) {
		link_grants_done(&grants);
		return r;
	}
	*ret = grants;
	return 0;
}

static void take_list(struct served *served, const struct link_services *wanted)
{
	struct link_services copy = {0};
	struct link_grants grants = {0};
	struct err e = {0};

	if (link_services_copy(&copy, wanted) < 0 || decide(served, wanted, &grants, &e) < 0) {
		log_error("agent %s: its services stay as they were: %s", served->name, e.text);
		link_services_done(&copy);
		return;
	}
	link_services_done(&served->wanted);
	link_grants_done(&served->grants);
	served->wanted = copy;
	served->grants = grants;
	log_refusals(served, &served->grants);
	link_hub_grant(served->all->worker->hub, served->agent, &served->grants);
	comeback_look(served->all->worker->comeback, served->agent);
}

static void take_now(struct served *served, const struct link_services *wanted)
{
	served->full_at =
		MAX(served->full_at, loop_now(served->all->worker->loop)) + LISTS_INTERVAL;
	take_list(served, wanted);
}

static void on_later(void *arg)
{
	struct served *served = arg;
	struct link_services wanted = served->waiting;

	served->waiting = (struct link_services){0};
	if (served->all->worker->front) /* else the gateway is stopping */
		take_now(served, &wanted);
	link_services_done(&wanted);
}

static void take_or_wait(struct served *served, const struct link_services *wanted)
{
	usec_t now = loop_now(served->all->worker->loop);
	struct link_services copy = {0};

	if (served->full_at <= now + LISTS_BURST) {
		timer_stop(&served->later); /* an older one */
		link_services_done(&served->waiting);
		take_now(served, wanted);
		return;
	}
	if (link_services_copy(&copy, wanted) < 0) {
		log_error("agent %s: no memory for its services", served->name);
		return;
	}
	link_services_done(&served->waiting);
	served->waiting = copy;
	timer_start_at(&served->later, served->full_at - LISTS_BURST);
}

void services_on_list(void *arg, uint64_t agent, const struct link_services *wanted)
{
	struct worker *worker = arg;
	struct served *served;

	if (!worker->front)
		return; /* the gateway is stopping */
	if (is_revoked(worker->services, agent)) {
		services_expel(worker->services, agent);
		return;
	}
	served = find_or_add(worker->services, agent);
	if (served)
		take_or_wait(served, wanted);
}

void services_reconsider(struct services *all, uint64_t agent)
{
	struct served *served = find(all, agent);

	if (served && all->worker->front && !timer_running(&served->later))
		take_list(served, &served->wanted);
}

static void came(struct worker *worker, uint64_t agent, const struct ipaddr *observed,
		 usec_t now_wall)
{
	const struct served *served = find(worker->services, agent);
	char text[IPADDR_TEXT_MAX];

	front_routes_set_online(worker->shared->routes, agent, true, now_wall);
	registry_set_online(worker->shared->registry, agent, observed, now_wall);
	if (served)
		log_info("agent %s is online, from %s", served->name,
			 ipaddr_format_port(text, observed));
}

static void went(struct worker *worker, uint64_t agent, usec_t now_wall)
{
	const struct served *served = find(worker->services, agent);

	front_routes_set_online(worker->shared->routes, agent, false, now_wall);
	registry_set_offline(worker->shared->registry, agent, now_wall);
	if (served)
		log_info("agent %s is offline", served->name);
}

void services_on_online(void *arg, uint64_t agent, bool online, const struct ipaddr *observed)
{
	struct worker *worker = arg;
	usec_t now_wall = ustime_wall();

	if (online && is_revoked(worker->services, agent)) {
		services_expel(worker->services, agent);
		return;
	}
	if (online)
		came(worker, agent, observed, now_wall);
	else
		went(worker, agent, now_wall);
	store_seen(worker->shared->store, agent, now_wall);
}

/* ── for people ── */

static json_t *describe_service(const struct link_service *service, const struct link_grant *grant)
{
	json_t *names = json_array();

	for (size_t i = 0; i < grant->n_names; i++)
		json_array_append_new(names, json_string(grant->names[i]));
	return json_pack("{s:s, s:s, s:b, s:o, s:i}", "id", service->id, "kind",
			 link_kind_name(service->kind), "granted", grant->granted, "names", names,
			 "port", (int)grant->port);
}

static json_t *describe(const struct served *served)
{
	json_t *services = json_array();

	for (size_t i = 0; i < served->wanted.n; i++)
		json_array_append_new(services, describe_service(&served->wanted.list[i],
								 &served->grants.list[i]));
	return services;
}

void services_describe(struct services *all, json_t *to)
{
	struct htable_node *node = NULL;

	while ((node = htable_next(&all->agents, node))) {
		const struct served *served = container_of(node, struct served, node);
		char number[24];

		snprintf(number, sizeof(number), "%llu", (unsigned long long)served->agent);
		json_object_set_new(to, number, describe(served));
	}
}
