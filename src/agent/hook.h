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
#define HOOKS_MAX	4    /* at once; more wait */
#define HOOKS_WAIT_MAX	2048 /* each family of each name; more are left out, and logged */

struct hooks {
	struct loop *loop;   /* borrowed */
	struct list waiting; /* owned */
	unsigned running, n_waiting;
	bool ended;
};

void hooks_init(struct hooks *hooks, struct loop *loop);

/* Those that wait are left out. *hooks must outlive the loop, for those that run; harmless on a zeroed
 * one. */
void hooks_done(struct hooks *hooks);

struct hook_value {
	const char *name, *value;
};

/* Returns at once: it runs on a thread of the pool, and how it ended is logged when it was not well. All is
 * copied. */
void hook_run(struct hooks *hooks, const char *program, const struct hook_value *values, size_t n);
