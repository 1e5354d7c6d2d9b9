/*
 * The agent's side of a loan: a `homeport share` beside this process lends a service for as long as
 * its connection to the control socket is open.
 *
 *	share ─▶ {"command":"share","service":{"id","kind","names","port"},"socket":PATH}
 *	      ◀─ {"ok":true,"agent":…,"domain":…,"owner":"up" or "share"}, or {"ok":false,"error":…}
 *	      ◀─ {"event":"link","state":"up","text":…}			now and at every change
 *	      ◀─ {"event":"grant","granted":true,"names":[…],"urls":[…],"port":0}
 *		 {"event":"grant","granted":false,"reason":…,"text":…}	when known, at every change
 *	      ◀─ {"event":"ended","text":…,"go_on":false,"wait":false}	the agent gives it back
 *		 "go_on": it goes itself, and may be replaced; "wait": a homeport up will do that
 *
 * For each visitor the agent connects to PATH, writes the visitor's Forwarded element and '\n', and
 * then his bytes.
 */
#pragma once

#include "agent/agent.h"
#include "net/ctl.h"

struct loan;

/* Answers the request, for better or worse. owner: which command the agent is of. *ret_loan is
 * written only on success. */
int loan_new(struct agent *agent, const char *owner, struct ctl_client *client,
	     const json_t *request, struct loan **ret_loan) MUST_CHECK;

/* The client is gone: withdraws the service, if it is still there. NULL is fine. */
void loan_free(struct loan *loan);
