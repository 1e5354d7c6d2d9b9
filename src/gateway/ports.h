/*
 * Who has which raw port. A number is one service's, for TCP and UDP alike, so that "20007" says
 * whose it is. A service keeps its port: it stays reserved while the service is
 * away, so that "ssh -p 20007" goes on working, until all ports are taken; then the one that was not
 * used for the longest time goes to a newcomer.
 *
 *	FREE ──▶ USED ──▶ RESERVED ──▶ USED (the same service, or, with no other left, a newcomer)
 *
 * An agent has so many ports at most, used and reserved: its next one costs it its own oldest
 * reserved one, so that nobody takes what is kept for the others.
 *
 * A port that another program on this machine has is left out for some minutes and then tried
 * again, by the service that had it, if one had.
 *
 * Safe from any thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/ustime.h"

#define PORTS_SERVICE_MAX 64
#define PORTS_BLOCKED	  (5 * 60 * USEC_PER_S)

struct ports;

/* first..last; both 0: none. -ERR_NOMEM. */
int ports_new(uint16_t first, uint16_t last, size_t per_agent_max, struct ports **ret_ports,
	      struct err *e) MUST_CHECK;
void ports_free(struct ports *ports); /* NULL is fine */

/* At start-up: what was reserved before. A port outside of the range is no longer,
 * nor is one more than the agent may have. */
void ports_restore(struct ports *ports, uint64_t agent, const char *service, uint16_t port);

/*
 * A port for that service; from now on it is in use.
 *
 * wished   0: the one it had, else any
 * now      of any loop
 * ret_new  true: it did not have this one before, or it had two
 *
 * -ERR_EXISTS: the wished one is used by, or reserved for, another service; -ERR_LIMIT: none left;
 * -ERR_DENIED: the agent uses as many as it may have.
 */
int ports_take(struct ports *ports, uint64_t agent, const char *service, uint16_t wished,
	       usec_t now, uint16_t *ret_port, bool *ret_new) MUST_CHECK;

/* What the service has reserved, if anything, is in use from now on: before newcomers of the same
 * list look for one. */
void ports_claim(struct ports *ports, uint64_t agent, const char *service);

/* The service does not use it now; it stays reserved. */
void ports_release(struct ports *ports, uint64_t agent, uint16_t port);

/* Another program on this machine has it: until PORTS_BLOCKED is over it is given only to who
 * wishes for it, as another try. keep: it stays the service's that took it. */
void ports_block(struct ports *ports, uint16_t port, bool keep, usec_t now);

/* The agent is revoked: all its ports are free. */
void ports_forget(struct ports *ports, uint64_t agent);
