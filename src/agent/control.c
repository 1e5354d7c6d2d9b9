#include "agent/control.h"

#include <stdio.h>

#include "agent/loan.h"
#include "agent/status.h"
#include "state/folder.h"

struct control {
	struct agent *agent;	   /* borrowed */
	struct ctl_server *server; /* owned */
	int (*reload)(void *arg, struct err *e);
	void *arg;
};

/* What a client is about; both are his, and go with him. */
struct session {
	struct loan *loan;
	struct status *status;
};

static void answer_reload(struct control *control, struct ctl_client *client)
{
	struct err e = {0};

	if (!control->reload)
		ctl_reply_error(client,
				"a homeport share without homeport up has no configuration");
	else if (control->reload(control->arg, &e) < 0)
		ctl_reply_error(client, "%s", e.text);
	else
		ctl_reply(client, json_pack("{s:b}", "ok", 1));
}

static void answer_share(struct control *control, struct ctl_client *client,
			 struct session *session, const json_t *request)
{
	if (session->loan)
		ctl_reply_error(client, "this connection lends a service already");
	else if (loan_new(control->agent, client, request, &session->loan) < 0)
		ctl_close(client);
}

static void answer_status(struct control *control, struct ctl_client *client,
			  struct session *session)
{
	status_free(TAKE(session->status));
	if (status_start(control->agent, client, &session->status) < 0)
		ctl_close(client);
}

static struct session *session_of(struct ctl_client *client)
{
	struct session *session = ctl_client_data(client);

	if (session)
		return session;
	session = calloc(1, sizeof(*session));
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
	else
		ctl_reply_error(client,
				"this homeport knows the commands status, reload and share");
}

static void on_gone(void *arg, struct ctl_client *client)
{
	struct session *session = ctl_client_data(client);

	if (!session)
		return;
	status_free(session->status);
	loan_free(session->loan);
	free(session);
}

static const struct ctl_handler handler = {.on_request = on_request, .on_gone = on_gone};

int control_new(struct agent *agent, const char *path, int (*reload)(void *arg, struct err *e),
		void *arg, struct control **ret_control, struct err *e)
{
	struct control *control = calloc(1, sizeof(*control));
	int r;

	if (!control)
		return err_set(e, ERR_NOMEM, "control socket");
	control->agent = agent;
	control->reload = reload;
	control->arg = arg;
	r = ctl_server_new(agent_loop(agent), path, &handler, control, &control->server, e);
	if (r < 0) {
		free(control);
		return r;
	}
	*ret_control = control;
	return 0;
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
