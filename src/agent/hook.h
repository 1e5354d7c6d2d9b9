/*
 * A program of the user's, started when something happens: data in its environment, nothing on its
 * command line, its output to our stderr, HOOK_TIME at most. No shell; its folder is "/".
 *
 *	const struct hook_value values[] = {{"HOMEPORT_NAME", name}, {"HOMEPORT_ADDRESS", address}};
 *	hook_run(&hooks, "/usr/local/bin/changed", values, ARRAY_LEN(values));
 */
#pragma once

#include "net/loop.h"

#define HOOK_TIME	(30 * USEC_PER_S) /* then it is killed */
#define HOOK_VALUES_MAX 12
#define HOOKS_MAX	4 /* at once; more are left out, and logged */

/* Those that run. Must outlive the loop. */
struct hooks {
	struct loop *loop; /* borrowed */
	unsigned running;
};

struct hook_value {
	const char *name, *value;
};

/* Never waits: it runs on a thread of the pool, and how it ended is logged when it was not well. All is
 * copied. */
void hook_run(struct hooks *hooks, const char *program, const struct hook_value *values, size_t n);
