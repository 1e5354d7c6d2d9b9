/* An agent's connection on its way to the worker that owns the agent: handshake where it was
 * accepted, look-up of its key, hand-over. */
#pragma once

#include "base/ipaddr.h"
#include "net/stream.h"

/* Of struct front_handler, handshakes_handler and link_hub_handler; arg is the worker. */
void links_on_link(void *arg, struct stream *stream, const struct ipaddr *peer);
void links_on_handshake(void *arg, struct stream *tls, const struct ipaddr *peer);
void links_on_gone(void *arg, const struct ipaddr *peer);
void links_on_conflict(void *arg, uint64_t agent, const struct ipaddr *one,
		       const struct ipaddr *other);
