/*
 * The gateway's side of all links on one loop: takes connections whose TLS handshake is done, keeps
 * each agent's carriers, opens visitors on the best of them, and carries pairing, succession,
 * takeover and drain (docs/protocol.md §2).
 *
 *	link_hub_take(hub, tls_stream, ...)   a connection of an agent, or of an unknown key (0)
 *	  on_join      ─▶ link_hub_joined     a key redeems a code; or link_hub_refuse
 *	  on_services  ─▶ link_hub_grant      hello, or a changed service list
 *	link_hub_open(hub, agent, ...)        a visitor
 *
 * Answers may come later: they name a connection or agent by number, and one that is gone by then
 * is ignored.
 */
#pragma once

#include "link/message.h"
#include "link/visitor.h"
#include "proto/forwarded.h"

#define LINK_WAIT                                                                                  \
	(2 * USEC_PER_S) /* how long a visitor waits for an agent whose link was just lost */

struct link_hub_handler {
	/* The code was shown by a key; answer with link_hub_joined or link_hub_refuse(connection).
	 */
	void (*on_join)(void *arg, uint64_t connection, const struct tls_key_hash *key,
			const uint8_t secret[static LINK_SECRET_LEN]);
	/* What agent wants from now on (borrowed); answer with link_hub_grant. */
	void (*on_services)(void *arg, uint64_t agent, const struct link_services *services);
	/* First carrier welcome, or last one gone. observed is the address of the newest carrier.
	 */
	void (*on_online)(void *arg, uint64_t agent, bool online, const struct ipaddr *observed);
	/* Third takeover within 10 minutes: two machines use this key. */
	void (*on_conflict)(void *arg, uint64_t agent, const struct ipaddr *one,
			    const struct ipaddr *other);
	/* A connection ended (any, also one that was never welcome): its source can be counted
	 * down. */
	void (*on_gone)(void *arg, const struct ipaddr *observed);
};

struct link_hub_config {
	const char *domain;   /* copied: for welcome and joined */
	size_t window_budget; /* bytes by which all streams' windows may grow in sum */
	const struct tls_key_hash *next_key; /* borrowed; NULL: none announced */
};

struct link_hub;

int link_hub_new(struct loop *loop, const struct link_hub_config *config,
		 const struct link_hub_handler *handler, void *arg, struct link_hub **ret_hub,
		 struct err *e) MUST_CHECK;
void link_hub_free(
	struct link_hub *hub); /* NULL is fine: closes all links, visitors get on_closed */

/* A connection: takes the stream. agent: number from the registry, with the agent's name; 0 and
 * NULL for an unknown key. */
int link_hub_take(struct link_hub *hub, struct stream *tls, const struct tls_key_hash *key,
		  uint64_t agent, const char *agent_name, const struct ipaddr *observed,
		  struct err *e) MUST_CHECK;

void link_hub_joined(struct link_hub *hub, uint64_t connection, const struct link_joined *joined);
void link_hub_refuse(struct link_hub *hub, uint64_t connection, const char *reason,
		     const char *text);
void link_hub_grant(struct link_hub *hub, uint64_t agent, const struct link_grants *grants);

/*
 * Open a visitor at an agent's service; takes the stream. If the agent has no carrier now the
 * visitor waits up to LINK_WAIT for one. The handler's on_returned or on_closed comes exactly once,
 * later. *ret_visitor may be NULL. -ERR_NOMEM (stream closed).
 */
int link_hub_open(struct link_hub *hub, uint64_t agent, const char *service,
		  const struct forwarded *who, struct stream *local,
		  const struct link_visitor_handler *handler, void *arg, struct err *e) MUST_CHECK;

/* Whether the agent has a carrier that takes visitors, or lost its last one less than LINK_WAIT
 * ago. */
bool link_hub_online(const struct link_hub *hub, uint64_t agent);

/* Whether its SETTINGS allow flows of UDP (docs/protocol.md §3.7). */
bool link_hub_takes_udp(const struct link_hub *hub, uint64_t agent);

/* Tell the agent `refused` with that reason and close its connections: revoked. */
void link_hub_expel(struct link_hub *hub, uint64_t agent, const char *reason, const char *text);

/* Ask all agents to dial a successor (this process is about to go). Connections that do not answer
 * within 2 s are closed: nobody can finish there. */
void link_hub_drain(struct link_hub *hub);

struct link_hub_info {
	unsigned agents, carriers, visitors, waiting;
	uint64_t bytes_to_agents, bytes_to_visitors, visitors_total;
};
void link_hub_info(const struct link_hub *hub, struct link_hub_info *ret);

struct link_hub_agent_info {
	unsigned carriers, visitors;
	unsigned rtt_us;
	char instance[LINK_INSTANCE_LEN + 1];
};
/* -ERR_NOT_FOUND: no carrier now. */
int link_hub_agent_info(const struct link_hub *hub, uint64_t agent,
			struct link_hub_agent_info *ret) MUST_CHECK;
