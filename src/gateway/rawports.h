/* The raw ports, TCP and UDP, that one agent's services have open, on the worker that owns the
 * agent. */
#pragma once

#include "base/list.h"
#include "link/message.h"

struct worker;

/* Of one agent; zero it, then rawports_init. */
struct rawports {
	struct worker *worker; /* borrowed */
	uint64_t agent;
	struct list open; /* owned */
};

void rawports_init(struct rawports *raw, struct worker *worker, uint64_t agent);
void rawports_done(struct rawports *raw); /* closes them; they stay reserved */

/* Close those whose service is not in the list any more, or wishes for another port. The others are
 * not touched, and what a service of the list had before is kept for it. */
void rawports_keep(struct rawports *raw, const struct link_services *wanted);

/*
 * Listen for a service; the port it has when it has one. *ret_new: the service did not have it
 * before, which the store should know.
 *
 * -ERR_EXISTS: the wished port is another's; -ERR_LIMIT: none left; -ERR_DENIED: the
 * agent has as many as it may; -ERR_FAILED: this
 * machine cannot open one now (descriptors, memory); -ERR_NOMEM.
 */
int rawports_open(struct rawports *raw, const struct link_service *service, uint16_t *ret_port,
		  bool *ret_new) MUST_CHECK;
