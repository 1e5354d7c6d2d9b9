#include "agent/status.h"

#include "agent/doors_json.h"

#define STATUS_PATIENCE (2 * USEC_PER_S) /* for services that do not answer at all */

struct status {
	struct agent *agent;	   /* borrowed; NULL: no gateway */
	struct doors *doors;	   /* borrowed; NULL: none */
	struct names *names;	   /* likewise */
	struct ctl_client *client; /* borrowed */
	struct timer patience;
	size_t waiting;
	size_t n;
	struct origin_look looks[];
};

/* ── the answer ── */

static json_t *link_json(const struct agent *agent)
{
	char observed[IPADDR_TEXT_MAX] = "", address[HOSTNAME_MAX + 8];
	struct link_dial_info info;
	usec_t age;

	agent_link(agent, &info);
	agent_address(agent, address);
	age = loop_now(agent_loop(agent)) - info.since;
	if (info.observed.family)
		ipaddr_format_port(observed, &info.observed);
	return json_pack("{s:s s:s s:I s:i s:i s:s s:f s:o}", "gateway", address, "state",
			 link_dial_state_name(info.state), "since_s",
			 (json_int_t)(age / USEC_PER_S), "carriers", (int)info.carriers_up,
			 "visitors", (int)info.visitors, "observed", observed, "rtt_ms",
			 info.rtt_us / 1000.0, "why", ndjson_text(info.why));
}

/* true, false, or null: not tested. */
static json_t *reach_json(const struct service *s)
{
	if (service_on_loan(s) || origin_reach(s->origin) == ORIGIN_UNKNOWN)
		return json_null();
	return json_boolean(origin_reach(s->origin) == ORIGIN_YES);
}

static json_t *grant_json(const struct service *s)
{
	return s->granted == GRANT_WAITING ? json_null() : json_boolean(s->granted == GRANT_YES);
}

static json_t *service_json(const struct service *s)
{
	bool loan = service_on_loan(s);
	const struct link_grant *g = &s->grant;

	return json_pack(
		"{s:s s:o s:s s:b s:o s:o s:o s:s s:o s:o s:o s:i s:i s:I s:I s:o s:I s:I s:I}",
		"id", s->wish.id, "to", ndjson_text(s->wish.target.text), "kind",
		link_kind_name(s->wish.target.link), "on_loan", loan, "reachable", reach_json(s),
		"why", ndjson_text(loan ? "" : origin_why(s->origin)), "granted", grant_json(s),
		"reason", g->reason, "text", ndjson_text(g->text), "names",
		wish_names_json(g->names, g->n_names), "urls", wish_names_json(g->urls, g->n_urls),
		"port", (int)g->port, "visitors", (int)s->n_visits, "visitors_total",
		(json_int_t)s->n_visitors, "requests",
		(json_int_t)(loan ? s->n_visitors : origin_requests(s->origin)), "allow",
		wish_allow_json(&s->wish), "denied",
		(json_int_t)(loan ? 0 : origin_denied(s->origin)), "rate",
		(json_int_t)shaper_rate(s->shaper), "rate_waits",
		(json_int_t)shaper_waits(s->shaper));
}

/* Without a gateway there are no services, and no link. */
static json_t *answer_alone(void)
{
	return json_pack("{s:b s:i s:n s:[]}", "ok", 1, "pid", (int)getpid(), "link", "services");
}

static json_t *answer(const struct agent *agent)
{
	char key[TLS_KEY_HASH_TEXT_MAX], gateway[TLS_KEY_HASH_TEXT_MAX];
	json_t *services = json_array();
	const struct service *s = NULL;

	while ((s = agent_next_service(agent, s)))
		json_array_append_new(services, service_json(s));
	tls_key_hash_format(key, tls_identity_hash(agent_identity(agent)));
	tls_key_hash_format(gateway, &agent_joined(agent)->gateway);
	return json_pack("{s:b s:i s:s s:s s:s s:s s:o s:o s:I s:I}", "ok", 1, "pid", (int)getpid(),
			 "agent", agent_joined(agent)->agent, "domain", agent_joined(agent)->domain,
			 "key", key, "gateway_key", gateway, "link", link_json(agent), "services",
			 services, "rate", (json_int_t)shaper_rate(agent_shaper(agent)),
			 "rate_waits", (json_int_t)shaper_waits(agent_shaper(agent)));
}

/* ── when all were looked at ── */

static void finish(struct status *status)
{
	json_t *all;

	timer_stop(&status->patience);
	for (size_t i = 0; i < status->n; i++)
		list_remove(&status->looks[i].node);
	all = status->agent ? answer(status->agent) : answer_alone();
	if (all && status->doors)
		json_object_set_new(all, "doors", doors_json_list(status->doors));
	if (all && status->names)
		json_object_set_new(all, "names", names_json(status->names));
	ctl_reply(status->client, all);
}

static void on_patience(void *arg)
{
	finish(arg);
}

static void on_looked(void *arg)
{
	struct status *status = arg;

	if (--status->waiting == 0)
		timer_start(&status->patience, 0);
}

/* None without a gateway. */
static struct service *next_service(const struct agent *agent, const struct service *after)
{
	return agent ? agent_next_service(agent, after) : NULL;
}

int status_start(struct loop *loop, struct agent *agent, struct doors *doors, struct names *names,
		 struct ctl_client *client, struct status **ret_status)
{
	struct service *s = NULL;
	struct status *status;
	size_t n = 0;

	while ((s = next_service(agent, s)))
		n++;
	status = calloc(1, sizeof(*status) + n * sizeof(*status->looks));
	if (!status) {
		ctl_reply_error(client, "no memory");
		return -ERR_NOMEM;
	}
	status->agent = agent;
	status->doors = doors;
	status->names = names;
	status->client = client;
	timer_init(&status->patience, loop, on_patience, status);
	while ((s = next_service(agent, s))) {
		struct origin_look *look = &status->looks[status->n];

		if (service_on_loan(s))
			continue;
		*look = (struct origin_look){.done = on_looked, .arg = status};
		status->n++;
		status->waiting++;
		origin_look(s->origin, look);
	}
	timer_start(&status->patience, status->waiting ? STATUS_PATIENCE : 0);
	*ret_status = status;
	return 0;
}

void status_free(struct status *status)
{
	if (!status)
		return;
	timer_stop(&status->patience);
	for (size_t i = 0; i < status->n; i++)
		list_remove(&status->looks[i].node);
	free(status);
}
