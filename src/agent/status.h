/*
 * What `homeport status` shows: the link and every service, looked after at this moment.
 */
#pragma once

#include "agent/agent.h"
#include "net/ctl.h"

struct status;

/* Looks at every service, then answers the client. -ERR_NOMEM: answered already. */
int status_start(struct agent *agent, struct ctl_client *client,
		 struct status **ret_status) MUST_CHECK;

/* The client is gone, or was answered. NULL is fine. */
void status_free(struct status *status);
