/* What this home's routers say when they are asked what they offer and what the world sees: one look, for
 * commands that end. */
#pragma once

#include <jansson.h>

#include "cli/common.h"

/*
 * The list of agent/doors_json, by the running agent or, without one, by this process; 4 s at most, no
 * longer than 0.3 s behind the last answer. Nothing is opened. interface: NULL: where the way out is. The
 * caller frees *ret_routers.
 */
int router_look(const struct places *places, const char *interface, json_t **ret_routers,
		struct err *e) MUST_CHECK;
