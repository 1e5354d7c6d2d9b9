/*
 * What an agent gets of what it wants: the decision on each service, and the sentence when it is
 * no. Pure: who may use which name and which port is free is asked through struct grants_policy.
 *
 *	grants_decide(services, &policy, &grants, &e)	names and ports of each service
 *	...						what fails in practice: grants_refuse
 *	grants_add_urls(services, &policy, &grants, &e)	for those that are left
 *
 * grants->list[i] is about services->list[i].
 */
#pragma once

#include "link/message.h"

#define GRANTS_NAMES_MAX 256 /* of all services of one agent */

/* docs/protocol.md §2.3 */
#define GRANTS_REASONS(X)                                                                          \
	X(NAME_TAKEN, "name-taken")                                                                \
	X(NAME_NOT_ALLOWED, "name-not-allowed")                                                    \
	X(PORT_TAKEN, "port-taken")                                                                \
	X(PORT_NOT_ALLOWED, "port-not-allowed")                                                    \
	X(NO_PORTS, "no-ports")                                                                    \
	X(NOT_SUPPORTED, "not-supported")                                                          \
	X(LIMIT, "limit")

enum grants_reason {
#define X(name, word) GRANTS_##name,
	GRANTS_REASONS(X)
#undef X
};

struct grants_policy {
	const char *agent;		/* borrowed: its name */
	const char *domain;		/* borrowed */
	uint16_t http_port;		/* public ports, for URLs; 0: no such listener */
	uint16_t https_port;		/* the same */
	uint16_t first_port, last_port; /* raw ports; both 0: none */
	unsigned ports_max;		/* for the sentence */
	bool takes_udp;			/* its link can carry flows */
	void *arg;

	/* Whether the agent may use this name: 0; -ERR_EXISTS: it is another's; other errors: it
	 * may not. e says what to do. */
	int (*may_use)(void *arg, const char *name, struct err *e);

	/* A raw port for this service: 0; -ERR_EXISTS: the wished one is another's; -ERR_LIMIT: all
	 * are taken; -ERR_DENIED: the agent has ports_max of them; others: none can be opened now.
	 * service->port is 0 (the callee's choice) or within the range. */
	int (*take_port)(void *arg, const struct link_service *service, uint16_t *ret_port);
};

/* -ERR_NOMEM. ret is the caller's to be done with. */
int grants_decide(const struct link_services *services, const struct grants_policy *policy,
		  struct link_grants *ret, struct err *e) MUST_CHECK;

/* Turn a grant into a refusal: its names and port are gone. */
void grants_refuse(struct link_grant *grant, enum grants_reason reason, const char *fmt, ...)
	PRINTF(3, 4);

/* -ERR_NOMEM. */
int grants_add_urls(const struct link_services *services, const struct grants_policy *policy,
		    struct link_grants *grants, struct err *e) MUST_CHECK;
