/*
 * The running agent: keeps the link to the gateway, has services, joins visitors to them.
 *
 *	agent_new(loop, &setup, &events, arg, &agent, &e);
 *	agent_set_wishes(agent, wishes, n, &e);		at the start, and at every reload
 *	agent_stop(agent, grace, done, arg);		visitors finish
 *	agent_free(agent);
 *
 * It logs each change of the link and of a service once, and what happens next.
 */
#pragma once

#include "agent/joined.h"
#include "agent/service.h"
#include "link/dial.h"

struct agent;

struct agent_setup {
	const char *state;		     /* folder; copied */
	const struct joined *joined;	     /* copied */
	const struct tls_identity *identity; /* borrowed */
	const char *source;		     /* whose services it has, for people; borrowed */
	const char *host;		     /* where to dial; NULL: as joined; copied */
	uint16_t port;			     /* with host */
	unsigned carriers;
	uint64_t rate; /* bytes a second of all services, in each direction; 0: no cap */
	const struct link_connector *connector; /* for tests; NULL: the network */
};

/* Any may be NULL. Called at the end of a turn or from the loop, never from inside a call. */
struct agent_events {
	/* agent_link tells what is new. */
	void (*on_link)(void *arg);
	/* Its grant or its reach has changed. */
	void (*on_service)(void *arg, const struct service *service);
	void (*on_request)(void *arg, const struct edge_request *request);
};

int agent_new(struct loop *loop, const struct agent_setup *setup, const struct agent_events *events,
	      void *arg, struct agent **ret_agent, struct err *e) MUST_CHECK;

/*
 * What the agent has from now on, besides what is on loan. Services that are as before are not
 * touched; of one that changed, visitors stay; those of one that is gone are ended. One on loan
 * with an id that is wished now goes back. -ERR_NOMEM: part of it is done; call again.
 */
int agent_set_wishes(struct agent *agent, const struct wish *wishes, size_t n,
		     struct err *e) MUST_CHECK;

/*
 * Dial anew, by another setup of the same key and state folder: visitors are ended. On failure the
 * link stays as it was.
 */
int agent_rejoin(struct agent *agent, const struct agent_setup *setup, struct err *e) MUST_CHECK;

/* As in the setup, from now on. */
void agent_set_rate(struct agent *agent, uint64_t rate);

/* Take a service on loan. -ERR_EXISTS: its id or one of its names is in use here; -ERR_LIMIT. */
int agent_borrow(struct agent *agent, const struct wish *wish, const struct service_lender *lender,
		 struct service **ret_service, struct err *e) MUST_CHECK;

/* The agent is about to go: what is on loan goes back, to lenders who are told what comes next. */
void agent_end_loans(struct agent *agent, const char *why, enum service_after after);

/* The lender wants it back: it is withdrawn at once. */
void agent_return(struct agent *agent, struct service *service);

/* Time jumped (loop_on_jump, whose handlers stay as long as the loop: it is the owner's). */
void agent_on_jump(struct agent *agent, usec_t span);

/* Somebody says that our address outside is another one: is the link still alive? */
void agent_ask_link(struct agent *agent);

/* As link_dial_stop. */
void agent_stop(struct agent *agent, usec_t grace, void (*done)(void *arg), void *arg);
void agent_free(struct agent *agent); /* NULL is fine */

/* All services in order: start with NULL; NULL behind the last. */
struct service *agent_next_service(const struct agent *agent, const struct service *after);
struct service *agent_find(const struct agent *agent, const char *id); /* or NULL */

struct loop *agent_loop(const struct agent *agent);
struct shaper *agent_shaper(const struct agent *agent); /* of all services */
const struct joined *agent_joined(const struct agent *agent);
const struct tls_identity *agent_identity(const struct agent *agent);
void agent_link(const struct agent *agent, struct link_dial_info *ret);
void agent_address(const struct agent *agent, char ret[static HOSTNAME_MAX + 8]); /* HOST:PORT */
