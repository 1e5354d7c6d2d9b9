/*
 * The hub's inside: hub.c has the connections and what their agents say, hub_visitor.c the visitors who
 * are given to them, or wait.
 */
#pragma once

#include "base/htable.h"
#include "link/carrier.h"
#include "link/hub.h"

#define TAKEOVERS 3 /* within TAKEOVER_WINDOW: two machines */

struct agent {
	struct htable_node node; /* in hub.agents, by id */
	struct link_hub *hub;
	uint64_t id;
	char name[LINK_SERVICE_ID_MAX + 1];
	char instance[LINK_INSTANCE_LEN + 1];
	char replaced[LINK_INSTANCE_LEN + 1]; /* the one before it */
	usec_t replaced_at;
	struct list conns;
	struct list waiting; /* hub_visitor.c: visitors without a carrier */
	unsigned n_waiting;
	struct link_services services; /* the last list of this instance */
	struct link_grants grants;     /* the last answer */
	bool asked, granted;	       /* the owner was asked about services; and has answered */
	bool online;
	usec_t lost_at; /* when the last connection went; 0: never up */
	usec_t takeovers[TAKEOVERS];
	bool conflict;
	struct timer forget;
};

struct link_hub {
	struct loop *loop; /* borrowed */
	char domain[256];
	bool has_next_key;
	struct tls_key_hash next_key;
	const struct link_hub_handler *handler;
	void *arg;
	struct carrier_budget budget;
	struct htable conns, agents;
	uint64_t last_number;
	bool draining, closing;
	struct carrier_totals totals; /* of connections that are gone */
};

struct agent *hub_agent(const struct link_hub *hub, uint64_t id); /* NULL: none */
/* The carrier that takes a visitor best; NULL: none does now. */
struct carrier *hub_carrier(const struct agent *agent);

/* Those who wait are placed, as far as there is room. */
void hub_visitors_serve(struct agent *agent);
/* Those who wait get their streams back. */
void hub_visitors_return(struct agent *agent);
