/*
 * The names of an agent that has nothing public, or has not come back since the gateway started:
 * routes that lead to no service, so that visitors are told "known here, but offline" instead of
 * "not here". They last until the agent's next list of services.
 */
#pragma once

#include "base/err.h"
#include "base/ustime.h"

struct front_routes;
struct registry;

/*
 * Replace the agent's routes: the names that invites gave it, and "*.AGENT.domain".
 *
 * since_wall  in: shown to visitors; 0: never seen
 *
 * 0, also when a name cannot be had (it is another agent's by now); -ERR_NOT_FOUND, -ERR_NOMEM.
 */
int away_routes_set(struct front_routes *routes, struct registry *registry, const char *domain,
		    uint64_t agent, usec_t since_wall, struct err *e) MUST_CHECK;
