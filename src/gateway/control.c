#include "gateway/control.h"

#include <stdio.h>

#include "base/log.h"
#include "base/rand.h"
#include "base/secret.h"
#include "gateway/listeners.h"
#include "gateway/ports.h"
#include "gateway/registry.h"
#include "gateway/report.h"
#include "gateway/services.h"
#include "gateway/store.h"
#include "net/ctl.h"

struct gateway_control {
	struct gateway_control_config config;
	usec_t started;		   /* loop time */
	struct ctl_server *server; /* owned */
};

/* A question that is not answered yet. */
struct request {
	struct worker_shared *shared; /* borrowed */
	struct ctl_client *client;    /* borrowed; NULL: gone */
	struct store_op op;
	char invite_names[STORE_INVITE_NAMES_MAX][HOSTNAME_MAX];
	struct link_code code; /* invite */
	int64_t valid_s;       /* invite */
	bool names;	       /* the answer is about names, not about all */
	struct report report;

	/* Behind the first page of an answer: what is left. */
	json_t *list; /* owned; NULL: not answered yet */
	size_t next;
	const char *name; /* borrowed: of the list */
};
#define PAGE_MAX (NDJSON_LINE_MAX - 1024) /* items of one page, as text */

static struct request *request_new(struct gateway_control *control, struct ctl_client *client)
{
	struct request *request = NULL;

	if (!ctl_client_data(client))
		request = calloc(1, sizeof(*request));
	if (!request) {
		ctl_reply_error(client, "one question at a time");
		return NULL;
	}
	request->shared = control->config.shared;
	request->client = client;
	ctl_client_set_data(client, request);
	return request;
}

static void request_free(struct request *request)
{
	if (request->client)
		ctl_client_set_data(request->client, NULL);
	store_op_done(&request->op);
	secret_wipe(&request->code, sizeof(request->code));
	report_done(&request->report);
	json_decref(request->list);
	free(request);
}

static void request_answer(struct request *request, json_t *answer)
{
	if (request->client && answer)
		ctl_reply(request->client, answer);
	else if (request->client)
		ctl_reply_error(request->client, "out of memory");
	else
		json_decref(answer);
	request_free(request);
}

/* As many items of the list as one line can hold, and one at least. NULL without memory. */
static json_t *take_page(struct request *request)
{
	json_t *page = json_array();
	size_t len = 0, n = json_array_size(request->list), first = request->next;

	for (; request->next < n; request->next++) {
		json_t *item = json_array_get(request->list, request->next);

		len += json_dumpb(item, NULL, 0, JSON_COMPACT) + 1;
		if (len > PAGE_MAX && request->next > first)
			break;
		if (json_array_append(page, item) < 0) {
			json_decref(page);
			return NULL;
		}
	}
	return page;
}

/* The request is gone with the last page. */
static void request_answer_page(struct request *request)
{
	json_t *page = take_page(request);
	bool more = page && request->next < json_array_size(request->list);
	json_t *answer =
		page ? json_pack("{s:b, s:b, s:o}", "ok", 1, "more", more, request->name, page)
		     : NULL;

	if (more && answer)
		ctl_reply(request->client, answer);
	else
		request_answer(request, answer);
}

/* An answer that is a list with this name. Takes it. */
static void request_answer_list(struct request *request, const char *name, json_t *list)
{
	if (!request->client || !list) {
		json_decref(list);
		request_answer(request, NULL);
		return;
	}
	request->list = list;
	request->name = name;
	request_answer_page(request);
}

static void request_fail(struct request *request, const char *text)
{
	if (request->client)
		ctl_reply_error(request->client, "%s", text);
	request_free(request);
}

static void request_submit(struct request *request, void (*done)(struct store_op *op))
{
	request->op.now_wall = ustime_wall();
	request->op.loop = request->shared->workers[0].loop;
	request->op.done = done;
	if (store_submit(request->shared->store, &request->op) < 0)
		request_fail(request, "the gateway has too much to do; try again later");
}

/* ── invite ── */

static void on_invited(struct store_op *op)
{
	struct request *request = container_of(op, struct request, op);
	char code[LINK_CODE_TEXT_MAX];
	json_t *names;

	if (op->r < 0) {
		request_fail(request, op->e.text);
		return;
	}
	names = json_array();
	for (size_t i = 0; i < op->invite.n_names; i++)
		json_array_append_new(names, json_string(op->invite.names[i]));
	log_info("agent %s is invited", op->invite.agent);
	request_answer(request,
		       json_pack("{s:b, s:s, s:s, s:I, s:o}", "ok", 1, "agent", op->invite.agent,
				 "code", link_code_format(code, &request->code), "valid_s",
				 (json_int_t)request->valid_s, "names", names));
	secret_wipe(code, sizeof(code));
}

static void make_code(struct request *request)
{
	const struct gateway_config *config = request->shared->config;
	struct link_code *code = &request->code;

	strcpy(code->host, config->public_host);
	code->port =
		config->public_port ? config->public_port : request->shared->listeners->https_port;
	code->gateway = *tls_identity_hash(request->shared->identity);
	rand_bytes(code->secret, sizeof(code->secret));
	store_secret_hash(&request->op.invite.secret, code->secret, sizeof(code->secret));
}

static int read_names(const json_t *names, struct store_invite *invite, struct err *e)
{
	const json_t *name;
	size_t i;

	if (json_array_size(names) > STORE_INVITE_NAMES_MAX)
		return err_set(e, ERR_LIMIT, "more than %d names", STORE_INVITE_NAMES_MAX);
	json_array_foreach(names, i, name)
	{
		const char *text = json_string_value(name);

		if (!text || !hostname_copy(invite->names[i], str_of(text)))
			return err_set(e, ERR_INVALID, "\"%.255s\" is not a host name",
				       text ? text : "");
	}
	invite->n_names = json_array_size(names);
	return 0;
}

static int read_invite(const json_t *json, struct request *request, struct err *e)
{
	struct store_invite *invite = &request->op.invite;
	const char *agent = json_string_value(json_object_get(json, "agent"));
	const json_t *valid = json_object_get(json, "valid_s");

	request->valid_s = valid ? json_integer_value(valid) : GATEWAY_CONTROL_VALID_S_DEFAULT;
	if (!agent || !str_copy(invite->agent, sizeof(invite->agent), str_of(agent)))
		return err_set(e, ERR_INVALID,
			       "the agent's name must be letters, digits and '-', at most 63");
	if (request->valid_s < 1 || request->valid_s > GATEWAY_CONTROL_VALID_S_MAX)
		return err_set(e, ERR_INVALID, "a code is valid for 1 s to 30 days");
	invite->expires_wall = ustime_wall() + (usec_t)request->valid_s * USEC_PER_S;
	return read_names(json_object_get(json, "names"), invite, e);
}

static void do_invite(struct gateway_control *control, struct request *request, const json_t *json)
{
	struct err e = {0};

	request->op.verb = STORE_INVITE;
	request->op.invite.names = request->invite_names;
	if (read_invite(json, request, &e) < 0) {
		request_fail(request, e.text);
		return;
	}
	make_code(request);
	request_submit(request, on_invited);
}

/* ── revoke ── */

static void expel(struct worker *worker, void *arg)
{
	const struct request *request = arg;
	uint64_t agent = request->op.ret_agent.id;

	if (worker->hub && worker_of(worker->shared, agent) == worker)
		services_expel(worker->services, agent);
}

static void on_expelled(void *arg)
{
	struct request *request = arg;

	ports_forget(request->shared->ports, request->op.ret_agent.id);
	log_info("agent %s is revoked", request->op.ret_agent.name);
	request_answer(request, json_pack("{s:b}", "ok", 1));
}

static void on_revoked(struct store_op *op)
{
	struct request *request = container_of(op, struct request, op);

	if (op->r < 0) {
		request_fail(request, op->e.text);
		return;
	}
	registry_revoke(request->shared->registry, op->ret_agent.id);
	workers_each(request->shared, expel, on_expelled, request);
}

static void do_revoke(struct gateway_control *control, struct request *request, const json_t *json)
{
	const char *agent = json_string_value(json_object_get(json, "agent"));

	request->op.verb = STORE_REVOKE;
	if (!agent ||
	    !str_copy(request->op.revoke.agent, sizeof(request->op.revoke.agent), str_of(agent))) {
		request_fail(request, "no agent has such a name");
		return;
	}
	request_submit(request, on_revoked);
}

/* ── agents, names, status ── */

static void do_agents(struct gateway_control *control, struct request *request, const json_t *json)
{
	request_answer_list(request, "agents", report_agents(request->shared->registry));
}

static void collect(struct worker *worker, void *arg)
{
	struct request *request = arg;

	report_collect(&request->report, worker, request->names);
}

static void on_names(void *arg)
{
	struct request *request = arg;

	request_answer_list(request, "names", report_names(&request->report, request->shared));
}

static void do_names(struct gateway_control *control, struct request *request, const json_t *json)
{
	request->names = true;
	workers_each(request->shared, collect, on_names, request);
}

static void on_status(void *arg)
{
	struct request *request = arg;

	request_answer(request, report_status(&request->report, request->shared));
}

static void do_status(struct gateway_control *control, struct request *request, const json_t *json)
{
	request->report.version = control->config.version;
	request->report.uptime_s = (loop_now(control->config.loop) - control->started) / USEC_PER_S;
	workers_each(request->shared, collect, on_status, request);
}

/* ── the socket ── */

/* What is left of an answer: the next page, or nobody asks for it any more. Whether that was all
 * about this question. */
static bool go_on(struct ctl_client *client, const char *command)
{
	struct request *request = ctl_client_data(client);

	if (!request || !request->list)
		return false;
	if (strcmp(command, "more") == 0) {
		request_answer_page(request);
		return true;
	}
	request_free(request);
	return false;
}

static void on_request(void *arg, struct ctl_client *client, json_t *json)
{
	static const struct {
		const char *name;
		void (*run)(struct gateway_control *control, struct request *request,
			    const json_t *json);
	} commands[] = {
		{"invite", do_invite}, {"agents", do_agents}, {"revoke", do_revoke},
		{"names", do_names},   {"status", do_status},
	};
	struct gateway_control *control = arg;
	const char *name = json_string_value(json_object_get(json, "command"));
	struct request *request;

	if (go_on(client, name))
		return;
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		if (strcmp(name, commands[i].name) != 0)
			continue;
		request = request_new(control, client);
		if (request)
			commands[i].run(control, request, json);
		return;
	}
	ctl_reply_error(client, "the gateway knows no such command; is it an older version?");
}

static void on_gone(void *arg, struct ctl_client *client)
{
	struct request *request = ctl_client_data(client);

	if (!request)
		return;
	request->client = NULL;
	if (request->list) /* nobody else has it */
		request_free(request);
}

static const struct ctl_handler handler = {.on_request = on_request, .on_gone = on_gone};

int gateway_control_new(const struct gateway_control_config *config,
			struct gateway_control **ret_control, struct err *e)
{
	struct gateway_control *control = calloc(1, sizeof(*control));
	int r;

	if (!control)
		return err_set(e, ERR_NOMEM, "control socket");
	control->config = *config;
	control->started = loop_now(config->loop);
	r = ctl_server_new(config->loop, config->path, &handler, control, &control->server, e);
	if (r < 0) {
		free(control);
		return r;
	}
	*ret_control = control;
	return 0;
}

void gateway_control_free(struct gateway_control *control)
{
	if (!control)
		return;
	ctl_server_free(control->server);
	free(control);
}
