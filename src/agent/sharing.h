/*
 * One service made public by this process, for as long as it runs (`homeport share`): lent to the
 * agent that runs on this state folder, or, when there is none, by being that agent.
 *
 *	          an agent answers              the agent is gone
 *	LOOKING ───────────────────▶ LENT ────────────────────────▶ LOOKING, if it was a homeport up
 *	   │  ▲ links closed							for 5 s
 *	   │  └──── YIELDING ◀── OWN    a homeport up starts, and asks for the link
 *	   │ nobody there                ▲ lock and control socket are ours: others lend to us
 *	   └─────────────────────────────┘
 *
 * The agent that dials holds the lock of the state folder, so that two never take the link from
 * each other.
 */
#pragma once

#include "agent/agent.h"

struct sharing;

struct sharing_setup {
	struct agent_setup agent; /* how to be the agent; its texts are borrowed for good */
	const char *socket;	  /* the control socket; borrowed for good */
	const char *folder;	  /* it is in; borrowed for good */
	const struct wish *wish;  /* borrowed for good */
};

struct sharing_events {
	/* Whether it is public, and where; again when that changes. Borrowed. */
	void (*on_grant)(void *arg, const struct link_grant *grant);
	/* The link to the gateway, whoever has it; why: what is wrong, "" if nothing. */
	void (*on_link)(void *arg, const char *state, const char *why);
	/* Whether the service is there; also repeats what was known. */
	void (*on_reach)(void *arg, enum origin_reach reach, const char *why);
	void (*on_request)(void *arg, const struct edge_request *request);
	/* It cannot be shared, for a reason that does not go by itself. Once. */
	void (*on_end)(void *arg, const struct err *why);
};

/* All events come later. */
int sharing_new(struct loop *loop, const struct sharing_setup *setup,
		const struct sharing_events *events, void *arg, struct sharing **ret_sharing,
		struct err *e) MUST_CHECK;

/* See agent_on_jump. */
void sharing_on_jump(struct sharing *sharing, usec_t span);

/* Withdraw it at once; done is called once, later. */
void sharing_stop(struct sharing *sharing, void (*done)(void *arg), void *arg);
void sharing_free(struct sharing *sharing); /* NULL is fine */
