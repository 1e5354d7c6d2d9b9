/*
 * `homeport dns test`: by the homeport that runs here, which knows the sources and what was sent; without one
 * from the configuration, with the sources that are at hand.
 */
#pragma once

#include "cli/common.h"

struct dns_test_options {
	const struct common *common;
	const char *name; /* NULL: all */
	bool json, send, force;
};

/* The exit code: 0 nothing speaks against any of them, 1 something does. */
int dns_test_run(const struct dns_test_options *options);
