/*
 * What `homeport status` shows: the link, every service, looked after at this moment, the doors and the names.
 */
#pragma once

#include "agent/agent.h"
#include "agent/doors.h"
#include "agent/names.h"
#include "net/ctl.h"

struct status;

/* Looks at every service, then answers the client. agent NULL: no gateway is joined; doors, names
 * NULL: there are none. -ERR_NOMEM: answered already. */
int status_start(struct loop *loop, struct agent *agent, struct doors *doors, struct names *names,
		 struct ctl_client *client, struct status **ret_status) MUST_CHECK;

/* The client is gone, or was answered. NULL is fine. */
void status_free(struct status *status);
