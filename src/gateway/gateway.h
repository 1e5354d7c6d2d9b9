/*
 * The gateway as a whole: makes everything at the start, ends it in good order.
 *
 *	r = gateway_new(&options, &config, &gateway, &e);	listens, answers on its socket
 *	gateway_run(gateway);					until SIGTERM or SIGINT
 *	gateway_free(gateway);
 */
#pragma once

#include "gateway/config.h"

struct gateway;

struct gateway_options {
	const char *state;  /* folder with key and database; made if need be */
	const char *socket; /* the control socket */
	const char *version;
};

/*
 * options and config are borrowed until gateway_free. -ERR_EXISTS: a gateway runs on that state, or
 * a port is in use; -ERR_DENIED, -ERR_FAILED; e says what to do.
 */
int gateway_new(const struct gateway_options *options, const struct gateway_config *config,
		struct gateway **ret_gateway, struct err *e) MUST_CHECK;

/* Serve until told to stop: then no new visitors, and those that are there have 30 s; a second
 * signal ends it at once. -ERR_FAILED: a thread could not be started. */
int gateway_run(struct gateway *gateway, struct err *e) MUST_CHECK;
void gateway_free(struct gateway *gateway); /* NULL is fine */
