/*
 * Visitors that an agent sends to the process which lends a service: a Unix socket on which each
 * connection begins with one Forwarded element and '\n' (agent/visit writes it).
 */
#pragma once

#include <sys/types.h>

#include "agent/origin.h"

#define ARRIVALS_MAX	1024		 /* that have not said yet who they are */
#define ARRIVAL_TIMEOUT (5 * USEC_PER_S) /* to say it */

struct arrivals;

/*
 * Listen in `folder`, or, for an agent that runs as another user and cannot look into our folders,
 * in a folder of its own below /tmp. Only that user, our own and root are let in.
 */
int arrivals_new(struct loop *loop, const char *folder, uid_t agent, struct origin *origin,
		 struct arrivals **ret_arrivals, struct err *e) MUST_CHECK;
const char *arrivals_path(const struct arrivals *arrivals);

/* Who arrived already stays until the origin goes. NULL is fine. */
void arrivals_free(struct arrivals *arrivals);
