/*
 * Who the agents are and how they fare: the image of the store that all workers share, and what is
 * known of each agent while the gateway runs. In memory only; what changes is first written to the
 * store, then here.
 *
 *	registry_new("home.example.org", &registry, &e);
 *	registry_load(registry, &image, &e);
 *
 *	r = registry_find_key(registry, &key, &agent);		a link's key is known
 *	r = registry_may_use(registry, agent.id, "blog.home.example.org", &e);
 *	registry_set_online(registry, agent.id, &observed, ustime_wall());
 *	stats = registry_stats(registry, agent.id);		counters without a lock
 *
 * Safe from any thread: readers hold a read lock for the time of a copy. Agents are never removed,
 * only revoked, so an agent's number and counters stay good until registry_free.
 */
#pragma once

#include "gateway/store.h"

struct registry;

/* Counters of one agent: relaxed atomics, for __atomic_fetch_add and __atomic_load_n. */
struct registry_stats {
	uint64_t visitors;	 /* there now */
	uint64_t visitors_total; /* since the gateway started */
	uint64_t refused;	 /* visitors turned away: by the agent, or while it was away */
	uint64_t refused_full;	 /* more than may be there at once (admission.h) */
	uint64_t refused_fast;	 /* more new ones a second */
	uint64_t new_full_at;	 /* admission.c's */
};

/* An agent as it is now: a copy. */
struct registry_agent {
	uint64_t id;
	char name[STORE_AGENT_MAX];
	struct tls_key_hash key;
	usec_t created_wall;
	bool revoked;
	size_t n_names; /* given by invites */

	bool online;
	usec_t since_wall;	   /* online since; offline: last seen; 0: never seen */
	struct ipaddr observed;	   /* of its newest link; family 0: not since the gateway started */
	usec_t conflict_wall;	   /* two machines used this key, last at; 0: never */
	struct ipaddr conflict[2]; /* from these addresses */
	struct registry_stats stats;
};

/* domain: names below AGENT.domain are that agent's; copied. -ERR_NOMEM. */
int registry_new(const char *domain, struct registry **ret_registry, struct err *e) MUST_CHECK;
void registry_free(struct registry *registry); /* NULL is fine */

/* What the store has; once, at start. -ERR_NOMEM. */
int registry_load(struct registry *registry, const struct store_image *image,
		  struct err *e) MUST_CHECK;

/* A redeemed invite: who it made, with all names the agent has now (of STORE_REDEEM). A new agent
 * is added, a known one gets these names. -ERR_NOMEM. */
int registry_redeemed(struct registry *registry, const struct store_agent *agent,
		      const struct store_name *names, size_t n_names, struct err *e) MUST_CHECK;

/* The agent is refused from now on, and its names are free. */
void registry_revoke(struct registry *registry, uint64_t id);

/* ── look-ups ── */

/* Whose key it is: 0; -ERR_NOT_FOUND: nobody's; -ERR_DENIED: of an agent that was revoked (*ret is
 * written then too, for the log). ret may be NULL. */
int registry_find_key(struct registry *registry, const struct tls_key_hash *key,
		      struct registry_agent *ret) MUST_CHECK;

/* By number, revoked or not. -ERR_NOT_FOUND. */
int registry_find(struct registry *registry, uint64_t id, struct registry_agent *ret) MUST_CHECK;

/* By name; never a revoked one. -ERR_NOT_FOUND. */
int registry_find_name(struct registry *registry, const char *name,
		       struct registry_agent *ret) MUST_CHECK;

/* All agents, by name, the revoked ones last; the array is the caller's to free. -ERR_NOMEM. */
int registry_list(struct registry *registry, struct registry_agent **ret, size_t *ret_n) MUST_CHECK;

/* All names that were given, by name; likewise. */
int registry_list_names(struct registry *registry, struct store_name **ret,
			size_t *ret_n) MUST_CHECK;

/* Those of one agent, in no order; likewise. Of an unknown or revoked one there are none. */
int registry_names_of(struct registry *registry, uint64_t id, struct store_name **ret,
		      size_t *ret_n) MUST_CHECK;

unsigned registry_count_online(struct registry *registry);

/*
 * May agent `id` use a host name (any case)? Yes if an invite gave it to him, or if it lies below
 * AGENT.domain and no invite gave it to another agent.
 *
 * 0; -ERR_EXISTS: it is another agent's; -ERR_DENIED: it is nobody's, or he is revoked;
 * -ERR_INVALID: not a host name. e says what to do, naming no other agent.
 */
int registry_may_use(struct registry *registry, uint64_t id, const char *name,
		     struct err *e) MUST_CHECK;

/* Whose name it is, given or below AGENT.domain. -ERR_NOT_FOUND: nobody's. For people at the
 * gateway: it tells who. */
int registry_owner(struct registry *registry, const char *name,
		   struct registry_agent *ret) MUST_CHECK;

/* ── how they fare ── */

void registry_set_online(struct registry *registry, uint64_t id, const struct ipaddr *observed,
			 usec_t now_wall);
void registry_set_offline(struct registry *registry, uint64_t id, usec_t now_wall);
void registry_set_conflict(struct registry *registry, uint64_t id, const struct ipaddr *one,
			   const struct ipaddr *other, usec_t now_wall);

/* Borrowed until registry_free; NULL: no such agent. */
struct registry_stats *registry_stats(struct registry *registry, uint64_t id);
