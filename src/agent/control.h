/*
 * The agent's control socket (net/ctl): {"command": …} with
 *
 *	status	the link and the services (agent/status)
 *	reload	read the configuration again: {"ok":true}, or why not; then all is as before
 *	share	a service on loan, for as long as the connection is open (agent/loan)
 */
#pragma once

#include "agent/agent.h"

struct control;

/* reload: 0, or < 0 and the sentence in e; NULL: this agent has no configuration. Errors as
 * ctl_server_new. */
int control_new(struct agent *agent, const char *path, int (*reload)(void *arg, struct err *e),
		void *arg, struct control **ret_control, struct err *e) MUST_CHECK;

/* Before the agent goes. NULL is fine. */
void control_free(struct control *control);

/* The socket's path: with a state folder that the user chose (or none) in that folder, else in the
 * runtime folder. The caller frees; NULL: no memory. */
char *control_path(const char *state, bool chosen);
