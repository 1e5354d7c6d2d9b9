#include "gateway/exposition.h"

#include <inttypes.h>
#include <stdio.h>

#include "gateway/registry.h"

/* Where it goes, and the first failure. */
struct out {
	struct buf *to;
	int r;
};

static void family(struct out *out, const char *name, const char *type, const char *help)
{
	if (out->r == 0)
		out->r = buf_printf(out->to, "# HELP homeport_%s %s\n# TYPE homeport_%s %s\n", name,
				    help, name, type);
}

static void plain(struct out *out, const char *name, uint64_t value)
{
	if (out->r == 0)
		out->r = buf_printf(out->to, "homeport_%s %" PRIu64 "\n", name, value);
}

/* Label values are words of ours and names of agents, which need no escaping: letters, digits, '-',
 * '_' and '.'. */
static void labelled(struct out *out, const char *name, const char *label, const char *of,
		     uint64_t value)
{
	if (out->r == 0)
		out->r = buf_printf(out->to, "homeport_%s{%s=\"%s\"} %" PRIu64 "\n", name, label,
				    of, value);
}

static void gauge(struct out *out, const char *name, const char *help, uint64_t value)
{
	family(out, name, "gauge", help);
	plain(out, name, value);
}

static void counter(struct out *out, const char *name, const char *help, uint64_t value)
{
	family(out, name, "counter", help);
	plain(out, name, value);
}

/* ── the whole ── */

static void format_gateway(struct out *out, const struct report *report, size_t known,
			   const struct worker_shared *shared)
{
	const struct link_hub_info *links = &report->links;

	family(out, "build_info", "gauge", "Always 1; the version is a label.");
	labelled(out, "build_info", "version", report->version, 1);
	gauge(out, "uptime_seconds", "Since the gateway was started.", report->uptime_s);
	gauge(out, "workers", "Threads that carry visitors and links.", shared->n_workers);
	gauge(out, "agents", "Agents that have joined and were not revoked.", known);
	gauge(out, "agents_online", "Of them, those that are connected.",
	      registry_count_online(shared->registry));
	gauge(out, "links", "Connections to agents.", links->carriers);
	gauge(out, "visitors", "Visitors on links, flows of UDP among them.", links->visitors);
	gauge(out, "visitors_waiting", "Visitors who wait for an agent that was just lost.",
	      links->waiting);
	counter(out, "visitors_total", "Visitors that were given to links.", links->visitors_total);
	family(out, "link_bytes_total", "counter", "Bytes of visitors on links.");
	labelled(out, "link_bytes_total", "to", "agents", links->bytes_to_agents);
	labelled(out, "link_bytes_total", "to", "visitors", links->bytes_to_visitors);
}

/* ── connections, handshakes, datagrams ── */

struct count {
	const char *name;
	uint64_t value;
};

#define REFUSED "refused_"

/* What was refused is one family, by the reason behind the prefix. */
static void format_refused(struct out *out, const char *name, const struct count *counts, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strncmp(counts[i].name, REFUSED, strlen(REFUSED)) == 0)
			labelled(out, name, "reason", counts[i].name + strlen(REFUSED),
				 counts[i].value);
}

static void format_connections(struct out *out, const struct front_counters *c)
{
	const struct count counts[] = {
#define X(name) {#name, c->name},
		FRONT_COUNTERS(X)
#undef X
	};

	counter(out, "connections_total", "TCP connections that were accepted.", c->accepted);
	counter(out, "connections_routed_total",
		"Connections that were visitors' and found a name.", c->routed);
	counter(out, "connections_links_total", "Connections that were agents'.", c->links);
	counter(out, "connections_redirected_total", "Requests sent on to https.", c->redirected);
	counter(out, "connections_left_total", "Closed before it was known what they are.",
		c->left);
	family(out, "connections_refused_total", "counter",
	       "Connections that were turned away: limit (of a source), unknown (a name that is "
	       "nobody's), invalid (neither TLS nor HTTP), proxy (no PROXY header), timeout, "
	       "offline "
	       "(the agent is away), busy (a limit of the agent), service (it does not answer, or "
	       "does not want this visitor).");
	format_refused(out, "connections_refused_total", counts, ARRAY_LEN(counts));
}

static void format_handshakes(struct out *out, const struct handshakes_counters *c)
{
	const struct count counts[] = {
#define X(name) {#name, c->name},
		HANDSHAKES_COUNTERS(X)
#undef X
	};

	gauge(out, "handshakes", "TLS handshakes of agents that are under way.", c->now);
	counter(out, "handshakes_done_total", "TLS handshakes of agents that came to an end.",
		c->done);
	family(out, "handshakes_refused_total", "counter",
	       "TLS handshakes that came to nothing: limit (too many, also of one source), failed, "
	       "timeout.");
	format_refused(out, "handshakes_refused_total", counts, ARRAY_LEN(counts));
}

static void format_udp(struct out *out, const struct front_udp_counters *c)
{
	gauge(out, "udp_flows", "Who speaks with a UDP service.", c->flows);
	counter(out, "udp_flows_opened_total", "Flows that were given to links.", c->flows_total);
	family(out, "udp_datagrams_total", "counter", "Datagrams that were passed on.");
	labelled(out, "udp_datagrams_total", "to", "agents", c->datagrams_in);
	labelled(out, "udp_datagrams_total", "to", "visitors", c->datagrams_out);
	family(out, "udp_datagrams_dropped_total", "counter",
	       "Datagrams that were not: full (no room on the way), limit (of flows).");
	labelled(out, "udp_datagrams_dropped_total", "reason", "full", c->dropped_full);
	labelled(out, "udp_datagrams_dropped_total", "reason", "limit", c->dropped_limit);
}

/* ── agents ── */

static void format_agents_of(struct out *out, const char *name, const char *type, const char *help,
			     const struct registry_agent *agents, size_t n,
			     uint64_t (*value)(const struct registry_agent *agent))
{
	family(out, name, type, help);
	for (size_t i = 0; i < n; i++)
		labelled(out, name, "agent", agents[i].name, value(&agents[i]));
}

static uint64_t is_online(const struct registry_agent *agent)
{
	return agent->online;
}

static uint64_t visitors_now(const struct registry_agent *agent)
{
	return agent->stats.visitors;
}

static uint64_t visitors_total(const struct registry_agent *agent)
{
	return agent->stats.visitors_total;
}

static void refused_of(struct out *out, const char *agent, const char *reason, uint64_t value)
{
	if (out->r == 0)
		out->r = buf_printf(
			out->to,
			"homeport_agent_refused_total{agent=\"%s\",reason=\"%s\"} %" PRIu64 "\n",
			agent, reason, value);
}

static void format_agents(struct out *out, const struct registry_agent *agents, size_t n)
{
	format_agents_of(out, "agent_online", "gauge", "Whether the agent is connected.", agents, n,
			 is_online);
	format_agents_of(out, "agent_visitors", "gauge", "Visitors of the agent.", agents, n,
			 visitors_now);
	format_agents_of(out, "agent_visitors_total", "counter",
			 "Visitors of the agent since the start.", agents, n, visitors_total);
	family(out, "agent_refused_total", "counter",
	       "Visitors of the agent that were turned away: full (more at once than may be), fast "
	       "(more new ones a second), agent (by itself, or while it was away).");
	for (size_t i = 0; i < n; i++) {
		refused_of(out, agents[i].name, "full", agents[i].stats.refused_full);
		refused_of(out, agents[i].name, "fast", agents[i].stats.refused_fast);
		refused_of(out, agents[i].name, "agent", agents[i].stats.refused);
	}
}

int exposition_format(struct buf *to, const struct report *report,
		      const struct worker_shared *shared)
{
	AUTO(freep) struct registry_agent *agents = NULL;
	struct out out = {.to = to};
	size_t n = 0, known = 0, shown;
	int r = registry_list(shared->registry, &agents, &n);

	if (r < 0)
		return r;
	while (known < n && !agents[known].revoked) /* who are revoked come last */
		known++;
	shown = MIN(known, EXPOSITION_AGENTS_MAX);
	format_gateway(&out, report, known, shared);
	format_connections(&out, &report->connections);
	format_handshakes(&out, &report->handshakes);
	format_udp(&out, &report->udp);
	format_agents(&out, agents, shown);
	gauge(&out, "agents_left_out", "Agents that have no numbers of their own here.",
	      known - shown);
	return out.r;
}
