/*
 * The lending side of a loan (agent/loan): this process has the service, a running agent has the
 * link. Visitors come over a Unix socket of ours, each with a line that says who he is.
 *
 *	   new            connected, asked          {"ok":true}
 *	CONNECTING ───────────────────▶ ASKED ─────────────────▶ LENT
 *	    │ nobody there                 │ {"ok":false}          │ connection closed, "ended"
 *	    └──────────────────────────────┴───────────────────────┴──▶ on_end, once
 *					10 s
 */
#pragma once

#include "agent/origin.h"

struct lend;

struct lend_events {
	/* Asked and taken. */
	void (*on_lent)(void *arg, const char *agent, const char *domain);
	/* Whether the gateway lets it be public, and where. Borrowed. */
	void (*on_grant)(void *arg, const struct link_grant *grant);
	/* The agent's link: link_dial_state_name, and what is wrong. */
	void (*on_link)(void *arg, const char *state, const char *text);
	/* -ERR_REFUSED: no agent there; -ERR_FAILED: the agent does not want it or does not answer,
	 * e has the sentence; -ERR_RESET: it was lent, and the agent is gone; others: e. wait: a
	 * homeport up will be there soon. Free it then. */
	void (*on_end)(void *arg, int r, bool wait, const struct err *e);
};

/*
 * agent_socket  in: the agent's control socket
 * folder        in: where the visitors' socket goes; made by now
 * wish          in: borrowed until the agent was asked
 * origin        in: borrowed; where visitors are served
 *
 * The first event comes later, never from inside lend_new.
 */
int lend_new(struct loop *loop, const char *agent_socket, const char *folder,
	     const struct wish *wish, struct origin *origin, const struct lend_events *events,
	     void *arg, struct lend **ret_lend, struct err *e) MUST_CHECK;

/* Takes the service back at once. NULL is fine; allowed in all events. */
void lend_free(struct lend *lend);
