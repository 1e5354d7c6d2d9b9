#include "agent/loan.h"

struct loan {
	struct agent *agent;	   /* borrowed */
	struct ctl_client *client; /* borrowed */
	struct service *service;   /* borrowed: the agent's; NULL: given back */
};

/* ── what the lender is told ── */

static void tell_grant(void *arg, const struct service *s)
{
	struct loan *loan = arg;
	const struct link_grant *g = &s->grant;

	if (s->granted == GRANT_YES)
		ctl_reply(loan->client,
			  json_pack("{s:s s:b s:o s:o s:i}", "event", "grant", "granted", 1,
				    "names", wish_names_json(g->names, g->n_names), "urls",
				    wish_names_json(g->urls, g->n_urls), "port", (int)g->port));
	else if (s->granted == GRANT_NO)
		ctl_reply(loan->client,
			  json_pack("{s:s s:b s:s s:o}", "event", "grant", "granted", 0, "reason",
				    g->reason, "text", ndjson_text(g->text)));
}

static void tell_link(void *arg, const struct service *s)
{
	struct loan *loan = arg;
	struct link_dial_info info;

	agent_link(loan->agent, &info);
	ctl_reply(loan->client,
		  json_pack("{s:s s:s s:o}", "event", "link", "state",
			    link_dial_state_name(info.state), "text", ndjson_text(info.why)));
}

static void tell_ended(void *arg, const char *why, enum service_after after)
{
	struct loan *loan = arg;

	loan->service = NULL;
	ctl_reply(loan->client,
		  json_pack("{s:s s:s s:b s:b}", "event", "ended", "text", why, "go_on",
			    after != SERVICE_AFTER_NOTHING, "wait", after == SERVICE_AFTER_WAIT));
	ctl_close(loan->client);
}

/* ── the request ── */

static bool read_kind(const char *text, enum link_kind *ret)
{
	static const enum link_kind kinds[] = {LINK_HTTP, LINK_TLS, LINK_TCP, LINK_UDP};

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (strcmp(text, link_kind_name(kinds[i])) == 0) {
			*ret = kinds[i];
			return true;
		}
	}
	return false;
}

static int read_names(const json_t *names, struct wish *wish, struct err *e)
{
	const json_t *item;
	size_t i;

	if (names && !json_is_array(names))
		return err_set(e, ERR_INVALID, "names: not a list");
	json_array_foreach(names, i, item)
	{
		const char *text = json_string_value(item);
		char name[HOSTNAME_MAX];

		if (!text || !hostname_copy(name, str_of(text)))
			return err_set(e, ERR_INVALID, "names: not a host name");
		if (link_texts_add(&wish->names, &wish->n_names, str_of(name)) < 0)
			return err_set(e, ERR_LIMIT, "names: more than %d", LINK_NAMES_MAX);
	}
	return 0;
}

static int read_wish(const json_t *service, struct wish *wish, struct err *e)
{
	const char *id = json_string_value(json_object_get(service, "id"));
	const char *kind = json_string_value(json_object_get(service, "kind"));
	json_int_t port = json_integer_value(json_object_get(service, "port"));

	if (!id || !link_service_id_valid(str_of(id)))
		return err_set(e, ERR_INVALID, "id: 1-%d of a-z 0-9 - _", LINK_SERVICE_ID_MAX);
	if (!kind || !read_kind(kind, &wish->target.link))
		return err_set(e, ERR_INVALID, "kind: http, tls, tcp or udp");
	if (port < 0 || port > UINT16_MAX)
		return err_set(e, ERR_INVALID, "port: 0-65535");
	strcpy(wish->id, id);
	wish->port = (uint16_t)port;
	wish->target.text = strdup("on loan");
	if (!wish->target.text)
		return err_set(e, ERR_NOMEM, "service");
	return read_names(json_object_get(service, "names"), wish, e);
}

static int borrow(struct loan *loan, const json_t *request, struct err *e)
{
	const char *path = json_string_value(json_object_get(request, "socket"));
	struct service_lender lender = {
		.uid = ctl_client_uid(loan->client),
		.pid = ctl_client_pid(loan->client),
		.on_grant = tell_grant,
		.on_link = tell_link,
		.on_ended = tell_ended,
		.arg = loan,
	};
	AUTO(wish_done) struct wish wish = {0};
	int r = read_wish(json_object_get(request, "service"), &wish, e);

	if (r < 0)
		return r;
	if (!path || path[0] != '/' ||
	    !str_copy(lender.at.path, sizeof(lender.at.path), str_of(path)))
		return err_set(e, ERR_INVALID, "socket: an absolute path of at most %zu bytes",
			       sizeof(lender.at.path) - 1);
	return agent_borrow(loan->agent, &wish, &lender, &loan->service, e);
}

int loan_new(struct agent *agent, const char *owner, struct ctl_client *client,
	     const json_t *request, struct loan **ret_loan)
{
	struct loan *loan = calloc(1, sizeof(*loan));
	const struct joined *joined = agent_joined(agent);
	struct err e = {.text = "no memory"};
	int r = -ERR_NOMEM;

	if (loan) {
		loan->agent = agent;
		loan->client = client;
		r = borrow(loan, request, &e);
	}
	if (r < 0) {
		free(loan);
		ctl_reply_error(client, "%s", e.text);
		return r;
	}
	ctl_reply(client, json_pack("{s:b s:s s:s s:s}", "ok", 1, "agent", joined->agent, "domain",
				    joined->domain, "owner", owner));
	tell_link(loan, loan->service);
	*ret_loan = loan;
	return 0;
}

void loan_free(struct loan *loan)
{
	if (!loan)
		return;
	if (loan->service)
		agent_return(loan->agent, loan->service);
	free(loan);
}
