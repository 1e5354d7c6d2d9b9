/*
 * One service of the running agent: what was wished, what is at home, what the gateway made of it,
 * and who visits. Either of our own (an origin), or on loan from a `homeport share` beside this
 * process, whose Unix socket then takes the visitors.
 */
#pragma once

#include <sys/types.h>

#include "agent/origin.h"
#include "link/visitor.h"
#include "net/shaper.h"
#include "proto/forwarded.h"

enum grant_state {
	GRANT_WAITING, /* the gateway has not said */
	GRANT_YES,
	GRANT_NO,
};

struct agent;
struct service;

/* What a lender can do when the agent gives his service back. */
enum service_after {
	SERVICE_AFTER_NOTHING, /* this agent does not want it */
	SERVICE_AFTER_GO_ON,   /* the agent goes: whoever comes first takes its place */
	SERVICE_AFTER_WAIT,    /* the agent goes, and a homeport up takes its place soon */
};

/* Whoever a service is on loan from. */
struct service_lender {
	struct sock_addr at; /* where it takes visitors */
	uid_t uid;	     /* who must be listening there */
	pid_t pid;	     /* for the log */
	void (*on_grant)(void *arg, const struct service *service);
	void (*on_link)(void *arg, const struct service *service);
	/* Taken back by the agent; the service is gone. */
	void (*on_ended)(void *arg, const char *why, enum service_after after);
	void *arg;
};

struct service {
	struct list node;	      /* the agent's */
	struct agent *agent;	      /* borrowed */
	struct wish wish;	      /* owned; on loan: without a target */
	struct origin *origin;	      /* owned; NULL: on loan */
	struct service_lender lender; /* on loan */
	enum grant_state granted;
	struct link_grant grant; /* owned; nothing in it while waiting */
	struct list visits;	 /* of struct visit */
	struct shaper *shaper;	 /* owned; below that of the agent */
	bool missed;		 /* it was said that the origin does not answer */
	unsigned n_visits;
	uint64_t n_visitors; /* in all */
};

/* A service of our own; the origin's events get it as their argument. */
int service_new(struct agent *agent, const struct wish *wish, const struct origin_events *events,
		struct service **ret_service, struct err *e) MUST_CHECK;

/* One on loan. The lender is copied. */
int service_new_on_loan(struct agent *agent, const struct wish *wish,
			const struct service_lender *lender, struct service **ret_service,
			struct err *e) MUST_CHECK;

/* Ends its visitors. NULL is fine. Unlinks it from the agent's list. */
void service_free(struct service *service);

/* Another wish with the same id. -ERR_NOMEM: as it was. */
int service_update(struct service *service, const struct wish *wish) MUST_CHECK;

/* What the gateway said (borrowed); NULL: nothing yet. Whether that is news. */
bool service_set_grant(struct service *service, const struct link_grant *grant);

/* A visitor of the link: connect him, or turn him away. */
void service_visit(struct service *service, struct link_visitor *v, const struct forwarded *who);

static inline bool service_on_loan(const struct service *service)
{
	return !service->origin;
}
