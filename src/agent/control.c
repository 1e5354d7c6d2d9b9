#include "agent/control.h"

#include <stdio.h>

#include "agent/loan.h"
#include "agent/names_txt.h"
#include "agent/status.h"
#include "state/folder.h"

struct control {
	struct loop *loop;	   /* borrowed */
	struct agent *agent;	   /* borrowed; NULL: no gateway */
	struct ctl_server *server; /* owned */
	struct control_owner owner;
};

/* What a client is about; both are his, and go with him. */
struct session {
	struct loan *loan;
	struct status *status;
	struct doors_session *doors;
	struct names_txt *txt;
	struct names_test *test;
	struct ctl_client *client; /* borrowed */
};

static void answer_reload(struct control *control, struct ctl_client *client)
{
	struct err e = {0};

	if (!control->owner.reload)
		ctl_reply_error(client,
				"a homeport share without homeport up has no configuration");
	else if (control->owner.reload(control->owner.arg, &e) < 0)
		ctl_reply_error(client, "%s", e.text);
	else
		ctl_reply(client, json_pack("{s:b}", "ok", 1));
}

static void answer_yield(struct control *control, struct ctl_client *client)
{
	if (!control->owner.yield) {
		ctl_reply_error(client, "it is a homeport up");
		return;
	}
	ctl_reply(client, json_pack("{s:b}", "ok", 1));
	control->owner.yield(control->owner.arg);
}

static void answer_share(struct control *control, struct ctl_client *client,
			 struct session *session, const json_t *request)
{
	if (!control->agent)
		ctl_reply_error(client, "the homeport that runs here has joined no gateway");
	else if (session->loan)
		ctl_reply_error(client, "this connection lends a service already");
	else if (loan_new(control->agent, control->owner.yield ? "share" : "up", client, request,
			  &session->loan) < 0)
		ctl_close(client);
}

static struct names *names_of(const struct control *control)
{
	return control->owner.names ? control->owner.names(control->owner.arg) : NULL;
}

static void answer_status(struct control *control, struct ctl_client *client,
			  struct session *session)
{
	struct doors *doors = NULL;

	if (control->owner.doors_now)
		doors = control->owner.doors_now(control->owner.arg);
	status_free(TAKE(session->status));
	if (status_start(control->loop, control->agent, doors, names_of(control), client,
			 &session->status) < 0)
		ctl_close(client);
}

static void on_doors(void *arg, json_t *object)
{
	ctl_reply(arg, object); /* NULL, without memory: he is not left waiting */
}

/* The command then looks after its doors by itself. */
static void refuse_doors(struct ctl_client *client, const char *text)
{
	ctl_reply(client, json_pack("{s:b s:s s:b}", "ok", 0, "error", text, "doors", 0));
}

static void answer_doors(struct control *control, struct ctl_client *client,
			 struct session *session, const json_t *request)
{
	struct doors *doors;
	struct err e = {0};

	if (!control->owner.doors) {
		refuse_doors(client, "a homeport share has no doors");
		return;
	}
	if (!session->doors) {
		if (control->owner.doors(control->owner.arg, &doors, &e) < 0) {
			ctl_reply_error(client, "%s", e.text);
			return;
		}
		if (doors_session_new(doors, on_doors, client, &session->doors) < 0) {
			ctl_reply_error(client, "no memory");
			return;
		}
	}
	doors_session_request(session->doors, request);
}

static void answer_names(struct control *control, struct ctl_client *client, const json_t *request)
{
	struct names *names = names_of(control);
	json_t *answer = names ? names_request(names, request) : NULL;

	if (!names)
		ctl_reply_error(client, "no names are configured: see [dns NAME] in homeport.conf");
	else if (!answer)
		ctl_reply_error(client, "no memory");
	else
		ctl_reply(client, answer);
}

static void on_txt(void *arg, json_t *answer)
{
	ctl_reply(arg, answer);
}

static void answer_txt(struct control *control, struct ctl_client *client, struct session *session,
		       const json_t *request)
{
	struct names *names = names_of(control);
	struct err e = {0};

	names_txt_free(TAKE(session->txt));
	if (!names)
		ctl_reply_error(client, "no names are configured: see [dns NAME] in homeport.conf");
	else if (names_txt_start(names_keeper(names), request, on_txt, client, &session->txt, &e) <
		 0)
		ctl_reply_error(client, "%s", e.text);
}

static void on_tested(void *arg, json_t *tested, const struct err *end)
{
	struct session *session = arg;

	if (tested) {
		ctl_reply(session->client, json_pack("{s:b s:o}", "ok", 1, "tested", tested));
		return;
	}
	session->test = NULL;
	if (end->code)
		ctl_reply_error(session->client, "%s", end->text);
	else
		ctl_reply(session->client, json_pack("{s:b s:b}", "ok", 1, "end", 1));
}

static void answer_test(struct control *control, struct ctl_client *client, struct session *session,
			const json_t *request)
{
	const char *name = json_string_value(json_object_get(request, "name"));
	bool send = json_is_true(json_object_get(request, "send"));
	bool force = json_is_true(json_object_get(request, "force"));
	struct names *names = names_of(control);
	unsigned how = (send ? DNS_TRIAL_SEND : 0) | (force ? DNS_TRIAL_FORCE : 0);
	struct err e = {0};

	if (!names) /* the command then reads the configuration itself */
		ctl_reply(client,
			  json_pack("{s:b s:s s:b}", "ok", 0, "error",
				    "the homeport that runs here has no names", "names", 0));
	else if (session->test)
		ctl_reply_error(client, "this connection waits for a test already");
	else if (names_test_start(names, name, how, on_tested, session, &session->test, &e) < 0)
		ctl_reply_error(client, "%s", e.text);
}

static struct session *session_of(struct ctl_client *client)
{
	struct session *session = ctl_client_data(client);

	if (session)
		return session;
	session = calloc(1, sizeof(*session));
	if (session)
		session->client = client;
	ctl_client_set_data(client, session);
	return session;
}

static void on_request(void *arg, struct ctl_client *client, json_t *request)
{
	const char *command = json_string_value(json_object_get(request, "command"));
	struct session *session = session_of(client);
	struct control *control = arg;

	if (!session)
		ctl_reply_error(client, "no memory");
	else if (strcmp(command, "status") == 0)
		answer_status(control, client, session);
	else if (strcmp(command, "reload") == 0)
		answer_reload(control, client);
	else if (strcmp(command, "share") == 0)
		answer_share(control, client, session, request);
	else if (strcmp(command, "yield") == 0)
		answer_yield(control, client);
	else if (doors_session_knows(command))
		answer_doors(control, client, session, request);
	else if (names_txt_knows(command))
		answer_txt(control, client, session, request);
	else if (strcmp(command, "dns-test") == 0)
		answer_test(control, client, session, request);
	else if (names_knows(command))
		answer_names(control, client, request);
	else
		ctl_reply_error(client, "this homeport knows the commands status, reload, share, "
					"yield, map and dns");
}

static void on_gone(void *arg, struct ctl_client *client)
{
	struct session *session = ctl_client_data(client);

	if (!session)
		return;
	status_free(session->status);
	loan_free(session->loan);
	doors_session_free(session->doors);
	names_txt_free(session->txt);
	names_test_cancel(session->test);
	free(session);
}

static const struct ctl_handler handler = {.on_request = on_request, .on_gone = on_gone};

int control_new(struct loop *loop, struct agent *agent, const char *path,
		const struct control_owner *owner, struct control **ret_control, struct err *e)
{
	struct control *control = calloc(1, sizeof(*control));
	int r;

	if (!control)
		return err_set(e, ERR_NOMEM, "control socket");
	control->loop = loop;
	control->agent = agent;
	control->owner = *owner;
	r = ctl_server_new(loop, path, &handler, control, &control->server, e);
	if (r < 0) {
		free(control);
		return r;
	}
	*ret_control = control;
	return 0;
}

void control_leave(struct control *control, const char *why, enum service_after after)
{
	if (!control)
		return;
	ctl_server_stop_listening(control->server);
	if (control->agent)
		agent_end_loans(control->agent, why, after);
}

void control_free(struct control *control)
{
	if (!control)
		return;
	ctl_server_free(control->server);
	free(control);
}

char *control_path(const char *state, bool chosen)
{
	AUTO(freep) char *folder = chosen ? strdup(state) : state_runtime_path("homeport", state);
	char *path = NULL;

	if (!folder || asprintf(&path, "%s/agent.sock", folder) < 0)
		return NULL;
	return path;
}
