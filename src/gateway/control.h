/*
 * The gateway's control socket (net/ctl.h): what homeport-gateway's other commands ask for.
 *
 *	{"command": "invite", "agent": "laptop", "names": ["blog.example.org"], "valid_s": 86400}
 *	{"command": "agents"}
 *	{"command": "revoke", "agent": "laptop"}
 *	{"command": "names"}
 *	{"command": "status"}
 *
 * The answers to agents and names come in pages (net/ctl.h).
 * A request that waits for the store or for the workers is a struct request until it is answered.
 */
#pragma once

#include "gateway/worker.h"

#define GATEWAY_CONTROL_VALID_S_DEFAULT (24 * 3600)
#define GATEWAY_CONTROL_VALID_S_MAX	(30 * 24 * 3600)

struct gateway_control;

/* Everything is borrowed. path: the socket; its folder is made if need be. */
struct gateway_control_config {
	struct loop *loop; /* of worker 0 */
	const char *path;
	struct worker_shared *shared;
	const char *version;
};

/* Errors as ctl_server_new. */
int gateway_control_new(const struct gateway_control_config *config,
			struct gateway_control **ret_control, struct err *e) MUST_CHECK;

/* Stop answering. What waits for the store or the workers is freed when they have answered, which
 * must be while the loop runs. NULL is fine. */
void gateway_control_free(struct gateway_control *control);
