/*
 * Visitors of agents that may come back: for a while after the start of the gateway an agent that is
 * not here is most likely one whose link the restart has cut, and on its way. Who asks for it
 * meanwhile waits as he would for a link that was lost, LINK_WAIT at most.
 *
 *	comeback_wait(c, agent, look, v) ──▶ look(v, false)   the agent's services have changed
 *	                                 └─▶ look(v, true)    the time is over
 *
 * One on each worker, for the agents it owns.
 */
#pragma once

#include "net/loop.h"

/* The longest pause between two attempts of an agent to dial (docs/protocol.md §5). */
#define COMEBACK_FOR	 (10 * USEC_PER_S)
#define COMEBACK_MAX	 1024 /* visitors who wait, of all agents */
#define COMEBACK_PER_MAX 256  /* of one agent */

struct comeback;

/* The while begins now. -ERR_NOMEM. */
int comeback_new(struct loop *loop, struct comeback **ret_comeback, struct err *e) MUST_CHECK;

/* Those who wait get look(arg, true). NULL is fine. */
void comeback_free(struct comeback *comeback);

/*
 * Wait for the agent. look says whether that is over: true, and it is not called again; with `last`
 * it is over in any case. It must not call comeback_wait.
 *
 * False: nobody is expected any more, or too many wait already; look is not called.
 */
bool comeback_wait(struct comeback *comeback, uint64_t agent, bool (*look)(void *arg, bool last),
		   void *arg);

/* The agent's services have changed. */
void comeback_look(struct comeback *comeback, uint64_t agent);

unsigned comeback_waiting(const struct comeback *comeback);
