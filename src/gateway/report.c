#include "gateway/report.h"

#include <stdio.h>

#include "gateway/comeback.h"
#include "gateway/listeners.h"
#include "gateway/registry.h"
#include "gateway/services.h"

#define NUMBER_TEXT_MAX 24

static const char *number_text(char text[static NUMBER_TEXT_MAX], uint64_t n)
{
	snprintf(text, NUMBER_TEXT_MAX, "%llu", (unsigned long long)n);
	return text;
}

/* ── collecting ── */

void report_collect(struct report *report, struct worker *worker, bool services)
{
	struct link_hub_info links = {0};

	if (!worker->front || !worker->hub)
		return; /* the gateway is stopping */
	link_hub_info(worker->hub, &links);
	report->links.carriers += links.carriers;
	report->links.visitors += links.visitors;
	report->links.waiting += links.waiting + comeback_waiting(worker->comeback);
	report->links.bytes_to_agents += links.bytes_to_agents;
	report->links.bytes_to_visitors += links.bytes_to_visitors;
	report->links.visitors_total += links.visitors_total;
	front_count(worker->front, &report->connections);
	front_udp_count(worker->udp, &report->udp);
	handshakes_count(worker->handshakes, &report->handshakes);
	if (services && !report->services)
		report->services = json_object();
	if (services)
		services_describe(worker->services, report->services);
}

void report_done(struct report *report)
{
	json_decref(report->services);
	report->services = NULL;
}

/* ── agents ── */

static const char *state_of(const struct registry_agent *agent)
{
	return agent->revoked ? "revoked" : agent->online ? "online" : "offline";
}

/* The names of each agent, by number: {"12": ["blog.example.org"]}. */
static json_t *names_by_agent(struct registry *registry)
{
	AUTO(freep) struct store_name *names = NULL;
	json_t *by_agent = json_object();
	char number[NUMBER_TEXT_MAX];
	size_t n = 0;

	if (registry_list_names(registry, &names, &n) < 0)
		return by_agent;
	for (size_t i = 0; i < n; i++) {
		json_t *list = json_object_get(by_agent, number_text(number, names[i].agent));

		if (!list) {
			list = json_array();
			json_object_set_new(by_agent, number, list);
		}
		json_array_append_new(list, json_string(names[i].name));
	}
	return by_agent;
}

static void add_times(json_t *to, const struct registry_agent *agent)
{
	char text[USTIME_TEXT_MAX];

	json_object_set_new(to, "joined",
			    json_string(ustime_format_wall(text, agent->created_wall)));
	if (agent->since_wall)
		json_object_set_new(to, "since",
				    json_string(ustime_format_wall(text, agent->since_wall)));
	if (agent->conflict_wall)
		json_object_set_new(to, "conflict",
				    json_string(ustime_format_wall(text, agent->conflict_wall)));
}

static json_t *describe_agent(const struct registry_agent *agent, json_t *names)
{
	char key[TLS_KEY_HASH_TEXT_MAX], address[IPADDR_TEXT_MAX] = "";
	json_t *object;

	if (agent->observed.family)
		ipaddr_format(address, &agent->observed);
	object = json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I}", "name", agent->name,
			   "state", state_of(agent), "address", address, "key",
			   tls_key_hash_format(key, &agent->key), "visitors",
			   (json_int_t)agent->stats.visitors, "visitors_total",
			   (json_int_t)agent->stats.visitors_total, "refused",
			   (json_int_t)agent->stats.refused, "refused_full",
			   (json_int_t)agent->stats.refused_full, "refused_fast",
			   (json_int_t)agent->stats.refused_fast);
	add_times(object, agent);
	json_object_set_new(object, "names", names ? json_incref(names) : json_array());
	return object;
}

json_t *report_agents(struct registry *registry)
{
	AUTO(freep) struct registry_agent *agents = NULL;
	json_t *list = json_array(), *names;
	char number[NUMBER_TEXT_MAX];
	size_t n = 0;

	if (registry_list(registry, &agents, &n) < 0) {
		json_decref(list);
		return NULL;
	}
	names = names_by_agent(registry);
	for (size_t i = 0; i < n; i++)
		json_array_append_new(
			list,
			describe_agent(&agents[i],
				       json_object_get(names, number_text(number, agents[i].id))));
	json_decref(names);
	return list;
}

/* ── names ── */

static json_t *describe_name(const char *name, const char *agent, const char *service,
			     const char *kind, const char *state)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:s}", "name", name, "agent", agent, "service",
			 service, "kind", kind, "state", state);
}

static void add_service(json_t *list, json_t *used, const struct registry_agent *agent,
			const json_t *service, const char *domain)
{
	const char *id = json_string_value(json_object_get(service, "id"));
	const char *kind = json_string_value(json_object_get(service, "kind"));
	json_int_t port = json_integer_value(json_object_get(service, "port"));
	const json_t *name;
	char text[HOSTNAME_MAX + 8];
	size_t i;

	json_array_foreach(json_object_get(service, "names"), i, name)
	{
		const char *host = json_string_value(name);

		json_array_append_new(list,
				      describe_name(host, agent->name, id, kind, state_of(agent)));
		json_object_set_new(used, host, json_true());
	}
	if (port == 0)
		return;
	snprintf(text, sizeof(text), "%s:%d", domain, (int)port);
	json_array_append_new(list, describe_name(text, agent->name, id, kind, state_of(agent)));
}

static void add_unused(json_t *list, const json_t *used, struct registry *registry)
{
	AUTO(freep) struct store_name *names = NULL;
	struct registry_agent agent;
	size_t n = 0;

	if (registry_list_names(registry, &names, &n) < 0)
		return;
	for (size_t i = 0; i < n; i++)
		if (!json_object_get(used, names[i].name) &&
		    registry_find(registry, names[i].agent, &agent) == 0)
			json_array_append_new(
				list, describe_name(names[i].name, agent.name, "", "", "not used"));
}

json_t *report_names(const struct report *report, const struct worker_shared *shared)
{
	json_t *list = json_array(), *used = json_object();
	const char *number;
	json_t *services;

	json_object_foreach(report->services, number, services)
	{
		struct registry_agent agent;
		const json_t *service;
		uint64_t id;
		size_t i;

		if (!str_to_u64(str_of(number), UINT64_MAX, &id) ||
		    registry_find(shared->registry, id, &agent) < 0)
			continue;
		json_array_foreach(services, i, service)
			add_service(list, used, &agent, service, shared->config->domain);
	}
	add_unused(list, used, shared->registry);
	json_decref(used);
	return list;
}

/* ── status ── */

static json_t *describe_listeners(const struct listeners *listeners)
{
	json_t *list = json_array();
	char text[128];

	for (size_t i = 0; i < listeners->n; i++)
		json_array_append_new(
			list, json_pack("{s:s, s:s}", "kind",
					listeners->list[i].kind == FRONT_HTTPS ? "https" : "http",
					"address", sock_addr_format(text, &listeners->list[i].at)));
	return list;
}

static json_t *describe_agents(struct registry *registry)
{
	AUTO(freep) struct registry_agent *agents = NULL;
	uint64_t full = 0, fast = 0;
	size_t n = 0, known = 0;

	if (registry_list(registry, &agents, &n) < 0)
		n = 0;
	for (size_t i = 0; i < n; i++) {
		known += !agents[i].revoked;
		full += agents[i].stats.refused_full;
		fast += agents[i].stats.refused_fast;
	}
	return json_pack("{s:I, s:I, s:I, s:I}", "known", (json_int_t)known, "online",
			 (json_int_t)registry_count_online(registry), "refused_full",
			 (json_int_t)full, "refused_fast", (json_int_t)fast);
}

static json_t *describe_connections(const struct front_counters *counters)
{
	json_t *object = json_object();

#define X(name) json_object_set_new(object, #name, json_integer((json_int_t)counters->name));
	FRONT_COUNTERS(X)
#undef X
	return object;
}

static json_t *describe_udp(const struct front_udp_counters *counters)
{
	json_t *object = json_object();

#define X(name) json_object_set_new(object, #name, json_integer((json_int_t)counters->name));
	FRONT_UDP_COUNTERS(X)
#undef X
	return object;
}

static json_t *describe_handshakes(const struct handshakes_counters *counters)
{
	json_t *object = json_object();

#define X(name) json_object_set_new(object, #name, json_integer((json_int_t)counters->name));
	HANDSHAKES_COUNTERS(X)
#undef X
	return object;
}

json_t *report_status(const struct report *report, const struct worker_shared *shared)
{
	const struct link_hub_info *links = &report->links;
	char key[TLS_KEY_HASH_TEXT_MAX];
	json_t *visitors =
		json_pack("{s:I, s:I, s:I}", "now", (json_int_t)links->visitors, "waiting",
			  (json_int_t)links->waiting, "total", (json_int_t)links->visitors_total);
	json_t *bytes = json_pack("{s:I, s:I}", "to_agents", (json_int_t)links->bytes_to_agents,
				  "to_visitors", (json_int_t)links->bytes_to_visitors);

	tls_key_hash_format(key, tls_identity_hash(shared->identity));
	return json_pack(
		"{s:b, s:s, s:i, s:I, s:s, s:s, s:i, s:o, s:o, s:I, s:o, s:o, s:o, s:o, s:o}", "ok",
		1, "version", report->version, "pid", (int)getpid(), "uptime_s",
		(json_int_t)report->uptime_s, "domain", shared->config->domain, "key", key,
		"workers", (int)shared->n_workers, "listeners",
		describe_listeners(shared->listeners), "agents", describe_agents(shared->registry),
		"links", (json_int_t)links->carriers, "visitors", visitors, "bytes", bytes,
		"connections", describe_connections(&report->connections), "udp",
		describe_udp(&report->udp), "handshakes", describe_handshakes(&report->handshakes));
}
