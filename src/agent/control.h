/*
 * The agent's control socket (net/ctl): {"command": …} with
 *
 *	status	the link and the services (agent/status)
 *	reload	read the configuration again: {"ok":true}, or why not; then all is as before
 *	share	a service on loan, for as long as the connection is open (agent/loan)
 *	yield	of a homeport up that starts: a homeport share gives it the link
 *	map…	doors at the router, those asked for here as long as the connection is open
 *		(agent/doors_session)
 *	dns…	names at providers (agent/names)
 */
#pragma once

#include "agent/agent.h"
#include "agent/doors_session.h"
#include "agent/names.h"

struct control;

/* The command whose agent it is: one of both. */
struct control_owner {
	/* homeport up; 0, or < 0 and the sentence in e */
	int (*reload)(void *arg, struct err *e);
	/* homeport share; called from the loop: later, it goes */
	void (*yield)(void *arg);
	/* homeport up: the doors, made when the first are asked for; lives as long as the control
	 * socket. < 0 and the sentence in e. NULL: they are not to be had here */
	int (*doors)(void *arg, struct doors **ret_doors, struct err *e);
	/* Those that are there; NULL: none were asked for. May be NULL, too */
	struct doors *(*doors_now)(void *arg);
	/* The names; NULL: none are configured. May be NULL, too */
	struct names *(*names)(void *arg);
	void *arg;
};

/* agent: NULL without a gateway. owner: copied. Errors as ctl_server_new. */
int control_new(struct loop *loop, struct agent *agent, const char *path,
		const struct control_owner *owner, struct control **ret_control,
		struct err *e) MUST_CHECK;

/* The agent is about to go: nobody new, and services on loan go back to lenders who are told what
 * comes next. NULL is fine. */
void control_leave(struct control *control, const char *why, enum service_after after);

/* Before the agent goes. NULL is fine. */
void control_free(struct control *control);

/* The socket's path: with a state folder that the user chose (or none) in that folder, else in the
 * runtime folder. The caller frees; NULL: no memory. */
char *control_path(const char *state, bool chosen);
