/*
 * The gateway's connections and agents.
 *
 *	a connection:  FRESH ──hello──▶ GREETED ──grant──▶ UP ──successor, drain──▶ OLD ──▶ gone
 *	                 │  └──join──▶ JOINING ──▶ joined or refused, closed
 *	                 └ 5 s without a first message, 4096 bytes from an unknown key: closed
 *
 * An agent exists here while it has connections, or visitors that wait for one.
 */
#include "link/hub.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "link/hub_private.h"

#define FIRST_MESSAGE_MAX   (5 * USEC_PER_S)
#define JOIN_MAX	    (10 * USEC_PER_S) /* the store's answer */
#define UNKNOWN_KEY_BYTES   4096
#define TAKEOVER_WINDOW	    (600 * USEC_PER_S)
#define OLD_CONNECTIONS_MAX 8		      /* of one agent, besides the current ones */
#define REPLACED_FOR	    (10 * USEC_PER_S) /* how long the loser of a takeover cannot take it back */

#define CONN_STATES(X) X(FRESH) X(JOINING) X(GREETED) X(UP) X(OLD)
enum conn_state {
#define X(name) CONN_##name,
	CONN_STATES(X)
#undef X
};

struct conn {
	struct htable_node node; /* in hub.conns, by number */
	struct list in_agent;	 /* in agent.conns, from hello on */
	struct link_hub *hub;
	uint64_t number;
	enum conn_state state;
	struct carrier *carrier; /* owned */
	struct timer timer;	 /* first message, join */
	struct tls_key_hash key;
	uint64_t agent_id; /* 0: unknown key */
	char agent_name[LINK_SERVICE_ID_MAX + 1];
	struct ipaddr observed;
	struct agent *agent; /* borrowed; from hello on */
	unsigned slot;
};

/* ── look-up ── */

static uint64_t hash_number(const struct htable *t, uint64_t number)
{
	return htable_hash(&number, sizeof(number), t->seed);
}

static struct conn *conn_find(const struct link_hub *hub, uint64_t number)
{
	struct htable_node *node = htable_find(&hub->conns, hash_number(&hub->conns, number));

	for (; node; node = htable_find_next(node)) {
		struct conn *conn = container_of(node, struct conn, node);

		if (conn->number == number)
			return conn;
	}
	return NULL;
}

struct agent *hub_agent(const struct link_hub *hub, uint64_t id)
{
	struct htable_node *node = htable_find(&hub->agents, hash_number(&hub->agents, id));

	for (; node; node = htable_find_next(node)) {
		struct agent *agent = container_of(node, struct agent, node);

		if (agent->id == id)
			return agent;
	}
	return NULL;
}

/* ── agents ── */

static void agent_free(struct agent *agent)
{
	htable_remove(&agent->hub->agents, &agent->node);
	timer_stop(&agent->forget);
	link_services_done(&agent->services);
	link_grants_done(&agent->grants);
	free(agent);
}

/* Nothing is left of an agent but the memory of its takeovers: keep that for a while. */
static void agent_on_forget(void *arg)
{
	struct agent *agent = arg;

	if (list_empty(&agent->conns) && list_empty(&agent->waiting))
		agent_free(agent);
	else
		timer_start(&agent->forget, TAKEOVER_WINDOW);
}

static struct agent *agent_get(struct link_hub *hub, uint64_t id)
{
	struct agent *agent = hub_agent(hub, id);

	if (agent)
		return agent;
	agent = calloc(1, sizeof(*agent));
	if (!agent)
		return NULL;
	agent->hub = hub;
	agent->id = id;
	list_init(&agent->conns);
	list_init(&agent->waiting);
	timer_init(&agent->forget, hub->loop, agent_on_forget, agent);
	if (htable_add(&hub->agents, &agent->node, hash_number(&hub->agents, id)) < 0) {
		free(agent);
		return NULL;
	}
	timer_start(&agent->forget, TAKEOVER_WINDOW);
	return agent;
}

static bool takes_visitors(const struct conn *conn)
{
	return conn->state == CONN_UP && carrier_takes_visitors(conn->carrier);
}

static bool is_good(const struct conn *conn)
{
	return carrier_has_room(conn->carrier) && !carrier_is_doubtful(conn->carrier);
}

/* Of those with room the one with the fewest unsent bytes. */
struct carrier *hub_carrier(const struct agent *agent)
{
	struct conn *conn, *best = NULL;
	size_t best_unsent = 0;
	unsigned candidates = 0, good = 0;

	list_for_each (conn, &agent->conns, in_agent) {
		candidates += takes_visitors(conn);
		good += takes_visitors(conn) && is_good(conn);
	}
	list_for_each (conn, &agent->conns, in_agent) {
		size_t unsent;

		if (!takes_visitors(conn) || (good && !is_good(conn)))
			continue;
		if (candidates == 1 || good == 1)
			return conn->carrier;
		unsent = carrier_unsent(conn->carrier);
		if (!best || unsent < best_unsent ||
		    (unsent == best_unsent &&
		     carrier_visitors(conn->carrier) < carrier_visitors(best->carrier))) {
			best = conn;
			best_unsent = unsent;
		}
	}
	return best ? best->carrier : NULL;
}

static void agent_update_online(struct agent *agent, const struct ipaddr *observed)
{
	struct link_hub *hub = agent->hub;
	const struct conn *conn;
	bool online = false;

	list_for_each (conn, &agent->conns, in_agent)
		online |= conn->state == CONN_UP;
	if (!online && agent->online)
		agent->lost_at = loop_now(hub->loop);
	if (online == agent->online)
		return;
	agent->online = online;
	if (!hub->closing && hub->handler->on_online)
		hub->handler->on_online(hub->arg, agent->id, online, observed);
}

/* ── connections ── */

static void conn_free(struct conn *conn)
{
	struct link_hub *hub = conn->hub;
	struct agent *agent = conn->agent;
	struct ipaddr observed = conn->observed;

	htable_remove(&hub->conns, &conn->node);
	list_remove(&conn->in_agent);
	timer_stop(&conn->timer);
	carrier_totals(conn->carrier, &hub->totals);
	carrier_free(conn->carrier);
	free(conn);
	if (agent && list_empty(&agent->conns))
		agent->asked =
			false; /* an answer that is still out is good, but nobody relies on it */
	if (agent)
		agent_update_online(agent, &observed);
	if (hub->handler->on_gone)
		hub->handler->on_gone(hub->arg, &observed);
}

static void conn_refuse(struct conn *conn, const char *reason, const char *text)
{
	conn->state = CONN_OLD;
	timer_stop(&conn->timer);
	if (carrier_send(conn->carrier, link_refused_encode(reason, text)) < 0)
		log_debug("link: a refusal could not be sent");
	carrier_close(conn->carrier);
}

static void conn_on_timer(void *arg)
{
	conn_free(arg);
}

static void conn_on_open(void *arg)
{
	/* The agent speaks first. */
}

/* ── takeover and succession ── */

static void count_takeover(struct agent *agent, const struct conn *winner, const struct conn *loser)
{
	struct link_hub *hub = agent->hub;
	usec_t now = loop_now(hub->loop);

	memmove(agent->takeovers, agent->takeovers + 1,
		sizeof(agent->takeovers) - sizeof(agent->takeovers[0]));
	agent->takeovers[TAKEOVERS - 1] = now;
	agent->conflict = agent->takeovers[0] && now - agent->takeovers[0] <= TAKEOVER_WINDOW;
	if (agent->conflict && hub->handler->on_conflict)
		hub->handler->on_conflict(hub->arg, agent->id, &winner->observed, &loser->observed);
}

static void conn_replaced(struct conn *conn, bool conflict)
{
	conn->state = CONN_OLD;
	timer_stop(&conn->timer);
	if (carrier_send(conn->carrier,
			 link_text_encode("replaced", "another process uses this key now",
					  conflict)) < 0)
		log_debug("link: `replaced` could not be sent");
	carrier_close(conn->carrier);
}

/* A connection that the loser had under way already does not take the agent back. */
static bool was_just_replaced(const struct agent *agent, const char *instance)
{
	return agent->replaced_at && strcmp(agent->replaced, instance) == 0 &&
	       strcmp(agent->instance, instance) != 0 &&
	       loop_now(agent->hub->loop) - agent->replaced_at < REPLACED_FOR;
}

/* Another process start with the same key: it wins at once. */
static void take_over(struct agent *agent, struct conn *winner, const char *instance)
{
	struct conn *conn;
	bool counted = false;

	if (strcmp(agent->instance, instance) == 0)
		return;
	list_for_each (conn, &agent->conns, in_agent) {
		if (conn == winner || conn->state == CONN_OLD)
			continue;
		if (!counted)
			count_takeover(agent, winner, conn);
		counted = true;
		conn_replaced(conn, agent->conflict);
	}
	link_services_done(&agent->services);
	link_grants_done(&agent->grants);
	agent->asked = agent->granted = false;
	memcpy(agent->replaced, agent->instance, sizeof(agent->replaced));
	agent->replaced_at = loop_now(agent->hub->loop);
	memcpy(agent->instance, instance, sizeof(agent->instance));
}

/* A newer connection of the same slot: no more visitors for the older ones, which stand before it.
 * Too many old ones: the oldest go. */
static void succeed(struct agent *agent, struct conn *winner)
{
	struct conn *conn, *next;
	unsigned old = 0;
	bool before = true;

	list_for_each (conn, &agent->conns, in_agent) {
		before &= conn != winner;
		if (before && conn->slot == winner->slot)
			conn->state = CONN_OLD;
		old += conn->state == CONN_OLD;
	}
	list_for_each_safe (conn, next, &agent->conns, in_agent) {
		if (old <= OLD_CONNECTIONS_MAX)
			return;
		if (conn->state == CONN_OLD) {
			old--;
			conn_free(conn);
		}
	}
}

/* ── messages ── */

static void conn_welcome(struct conn *conn)
{
	struct link_hub *hub = conn->hub;
	struct agent *agent = conn->agent;
	struct link_welcome welcome = {.observed = conn->observed,
				       .grants = agent->grants, /* borrowed: no welcome_done */
				       .has_next_key = hub->has_next_key,
				       .next_key = hub->next_key,
				       .conflict = agent->conflict};

	memcpy(welcome.agent, agent->name, sizeof(welcome.agent));
	memcpy(welcome.domain, hub->domain, sizeof(welcome.domain));
	if (carrier_send(conn->carrier, link_welcome_encode(&welcome)) < 0) {
		conn->state = CONN_OLD;
		carrier_close(conn->carrier);
		return;
	}
	timer_stop(&conn->timer);
	conn->state = CONN_UP;
	succeed(agent, conn);
	if (hub->draining && carrier_send(conn->carrier, link_drain_encode()) < 0)
		log_debug("link: `drain` could not be sent");
	agent_update_online(agent, &conn->observed);
	hub_visitors_serve(agent);
}

/* A new list (moved): what of it is granted is the owner's to say. */
static void agent_ask(struct agent *agent, struct link_services *services)
{
	struct link_hub *hub = agent->hub;

	link_services_done(&agent->services);
	agent->services = *services;
	agent->asked = true;
	agent->granted = false;
	hub->handler->on_services(hub->arg, agent->id, &agent->services);
}

static int on_hello(struct conn *conn, json_t *object, struct err *e)
{
	struct link_hub *hub = conn->hub;
	struct link_hello hello;
	struct agent *agent;
	int r;

	if (conn->agent_id == 0) {
		conn_refuse(conn, "unknown-key", "this key is not known here: pair first");
		return 0;
	}
	r = link_hello_decode(object, &hello, e);
	if (r < 0) {
		conn_refuse(conn, "invalid", e ? e->text : "");
		return 0;
	}
	if (hello.version != LINK_VERSION) {
		link_hello_done(&hello);
		conn_refuse(conn, "version", "this gateway speaks version 1 of the link protocol");
		return 0;
	}
	agent = agent_get(hub, conn->agent_id);
	if (!agent) {
		link_hello_done(&hello);
		conn_refuse(conn, "busy", "out of memory");
		return 0;
	}
	if (was_just_replaced(agent, hello.instance)) {
		link_hello_done(&hello);
		conn_replaced(conn, agent->conflict);
		return 0;
	}
	memcpy(agent->name, conn->agent_name, sizeof(agent->name));
	conn->agent = agent;
	conn->slot = hello.carrier;
	conn->state = CONN_GREETED;
	carrier_set_resets(conn->carrier, MAX(hello.resets_per_s, 1u));
	take_over(agent, conn, hello.instance);
	list_push(&agent->conns, &conn->in_agent);
	if (agent->granted && hello.services.revision <= agent->services.revision) {
		link_hello_done(&hello);
		conn_welcome(conn);
		return 0;
	}
	if (agent->asked && hello.services.revision <= agent->services.revision) {
		link_hello_done(&hello); /* the grant will welcome this connection too */
		return 0;
	}
	agent_ask(agent, &hello.services);
	return 0;
}

static int on_services(struct conn *conn, json_t *object, struct err *e)
{
	struct agent *agent = conn->agent;
	struct link_services services;
	int r;

	if (!agent || conn->state == CONN_OLD)
		return 0;
	r = link_services_decode(object, &services, e);
	if (r < 0)
		return r;
	if (services.revision <= agent->services.revision) {
		link_services_done(&services);
		if (agent->granted)
			return carrier_send(conn->carrier, link_grants_encode(&agent->grants));
		return 0;
	}
	agent_ask(agent, &services);
	return 0;
}

static int on_join(struct conn *conn, json_t *object, struct err *e)
{
	struct link_hub *hub = conn->hub;
	uint8_t secret[LINK_SECRET_LEN];
	unsigned version;
	int r = link_join_decode(object, &version, secret, e);

	if (r < 0) {
		conn_refuse(conn, "invalid", e ? e->text : "");
		return 0;
	}
	if (version != LINK_VERSION) {
		conn_refuse(conn, "version", "this gateway speaks version 1 of the link protocol");
		return 0;
	}
	conn->state = CONN_JOINING;
	timer_start(&conn->timer, JOIN_MAX);
	hub->handler->on_join(hub->arg, conn->number, &conn->key, secret);
	return 0;
}

static int conn_on_object(void *arg, json_t *object, struct err *e)
{
	struct conn *conn = arg;
	enum link_message_type type;
	int r = link_message_type(object, &type, e);

	if (r < 0)
		return r;
	if (conn->state == CONN_FRESH) {
		if (type == LINK_MESSAGE_HELLO)
			return on_hello(conn, object, e);
		if (type == LINK_MESSAGE_JOIN)
			return on_join(conn, object, e);
		return err_set(e, ERR_INVALID, "the first message is hello or join");
	}
	if (type == LINK_MESSAGE_SERVICES)
		return on_services(conn, object, e);
	return 0; /* `drain` too: the old connection serves until its successor is welcome */
}

static void conn_on_going(void *arg)
{
	struct conn *conn = arg;

	if (conn->state != CONN_UP)
		return;
	conn->state = CONN_OLD;
	agent_update_online(conn->agent, &conn->observed);
}

static void conn_on_dead(void *arg, int r, const struct err *why)
{
	struct conn *conn = arg;

	log_debug("link: connection of %s ended: %s",
		  conn->agent_name[0] ? conn->agent_name : "an unknown key",
		  why->text[0] ? why->text : "closed");
	conn_free(conn);
}

/* Visitors who wait for an answer on it go to another carrier; it gets no more until it is heard
 * again. A hub that drains has no time for that. */
static void conn_on_missed(void *arg)
{
	struct conn *conn = arg;

	carrier_withdraw_all(conn->carrier, -ERR_AGAIN);
	if (conn->hub->draining)
		carrier_close(conn->carrier);
}

static const struct carrier_handler conn_handler = {
	.on_missed = conn_on_missed,
	.on_open = conn_on_open,
	.on_object = conn_on_object,
	.on_going = conn_on_going,
	.on_dead = conn_on_dead,
};

int link_hub_take(struct link_hub *hub, struct stream *tls, const struct tls_key_hash *key,
		  uint64_t agent, const char *agent_name, const struct ipaddr *observed,
		  struct err *e)
{
	struct conn *conn = calloc(1, sizeof(*conn));
	int r;

	if (!conn) {
		stream_close(tls);
		return err_set(e, ERR_NOMEM, "link");
	}
	conn->hub = hub;
	conn->number = ++hub->last_number;
	conn->key = *key;
	conn->agent_id = agent;
	if (agent_name && !str_copy(conn->agent_name, sizeof(conn->agent_name), str_of(agent_name)))
		conn->agent_name[0] = '\0';
	conn->observed = *observed;
	list_init(&conn->in_agent);
	timer_init(&conn->timer, hub->loop, conn_on_timer, conn);
	r = carrier_new(hub->loop, CARRIER_GATEWAY, tls, &hub->budget, &conn_handler, conn,
			&conn->carrier, e);
	if (r < 0) {
		free(conn);
		return r;
	}
	if (htable_add(&hub->conns, &conn->node, hash_number(&hub->conns, conn->number)) < 0) {
		carrier_free(conn->carrier);
		free(conn);
		return err_set(e, ERR_NOMEM, "link");
	}
	if (agent == 0)
		carrier_limit_control(conn->carrier, UNKNOWN_KEY_BYTES);
	timer_start(&conn->timer, FIRST_MESSAGE_MAX);
	return 0;
}

/* ── answers of the role ── */

void link_hub_joined(struct link_hub *hub, uint64_t connection, const struct link_joined *joined)
{
	struct conn *conn = conn_find(hub, connection);

	if (!conn || conn->state != CONN_JOINING)
		return;
	timer_stop(&conn->timer);
	if (carrier_send(conn->carrier, link_joined_encode(joined)) < 0)
		log_debug("link: `joined` could not be sent");
	carrier_close(conn->carrier);
}

void link_hub_refuse(struct link_hub *hub, uint64_t connection, const char *reason,
		     const char *text)
{
	struct conn *conn = conn_find(hub, connection);

	if (conn)
		conn_refuse(conn, reason, text);
}

/* The first of those that wait to be welcomed, or NULL. */
static struct conn *agent_next_greeted(const struct agent *agent)
{
	struct conn *conn;

	list_for_each (conn, &agent->conns, in_agent)
		if (conn->state == CONN_GREETED)
			return conn;
	return NULL;
}

void link_hub_grant(struct link_hub *hub, uint64_t agent_id, const struct link_grants *grants)
{
	struct agent *agent = hub_agent(hub, agent_id);
	struct link_grants copy;
	struct conn *conn;
	bool told = false;

	if (!agent || grants->revision != agent->services.revision ||
	    link_grants_copy(&copy, grants) < 0)
		return; /* an answer to an older list: the newer one gets its own */
	link_grants_done(&agent->grants);
	agent->grants = copy;
	agent->granted = true;
	agent->asked = false;
	list_for_each (conn, &agent->conns, in_agent) {
		if (conn->state != CONN_UP || told)
			continue;
		told = carrier_send(conn->carrier, link_grants_encode(&agent->grants)) == 0;
	}
	while ((conn = agent_next_greeted(agent))) /* each may end others */
		conn_welcome(conn);
}

void link_hub_expel(struct link_hub *hub, uint64_t agent_id, const char *reason, const char *text)
{
	struct agent *agent = hub_agent(hub, agent_id);
	struct conn *conn, *next;

	if (!agent)
		return;
	list_for_each_safe (conn, next, &agent->conns, in_agent) {
		conn->state = CONN_OLD;
		conn_refuse(conn, reason, text);
	}
	agent_update_online(agent, &(struct ipaddr){0});
}

void link_hub_drain(struct link_hub *hub)
{
	hub->draining = true;
	for (struct htable_node *node = htable_next(&hub->conns, NULL); node;
	     node = htable_next(&hub->conns, node)) {
		struct conn *conn = container_of(node, struct conn, node);

		if (conn->state == CONN_UP && carrier_send(conn->carrier, link_drain_encode()) < 0)
			log_debug("link: `drain` could not be sent");
		carrier_ask(conn->carrier); /* visitors on a dead one are not waited for */
	}
}

bool link_hub_online(const struct link_hub *hub, uint64_t agent_id)
{
	const struct agent *agent = hub_agent(hub, agent_id);

	return agent && (agent->online ||
			 (agent->lost_at && loop_now(hub->loop) - agent->lost_at < LINK_WAIT));
}

bool link_hub_takes_udp(const struct link_hub *hub, uint64_t agent_id)
{
	const struct agent *agent = hub_agent(hub, agent_id);
	const struct conn *conn;

	if (!agent)
		return false;
	list_for_each (conn, &agent->conns, in_agent)
		if (conn->state != CONN_OLD && carrier_takes_udp(conn->carrier))
			return true;
	return false;
}

/* ── life ── */

int link_hub_new(struct loop *loop, const struct link_hub_config *config,
		 const struct link_hub_handler *handler, void *arg, struct link_hub **ret_hub,
		 struct err *e)
{
	struct link_hub *hub = calloc(1, sizeof(*hub));

	if (!hub)
		return err_set(e, ERR_NOMEM, "links");
	if (!str_copy(hub->domain, sizeof(hub->domain), str_of(config->domain))) {
		free(hub);
		return err_set(e, ERR_INVALID, "the domain is too long");
	}
	hub->loop = loop;
	hub->handler = handler;
	hub->arg = arg;
	hub->budget.left = config->window_budget;
	if (config->next_key) {
		hub->has_next_key = true;
		hub->next_key = *config->next_key;
	}
	htable_init(&hub->conns);
	htable_init(&hub->agents);
	*ret_hub = hub;
	return 0;
}

void link_hub_free(struct link_hub *hub)
{
	struct htable_node *node;

	if (!hub)
		return;
	hub->closing = true;
	while ((node = htable_next(&hub->conns, NULL)))
		conn_free(container_of(node, struct conn, node));
	while ((node = htable_next(&hub->agents, NULL))) {
		struct agent *agent = container_of(node, struct agent, node);

		hub_visitors_return(agent);
		agent_free(agent);
	}
	htable_done(&hub->conns);
	htable_done(&hub->agents);
	free(hub);
}

void link_hub_info(const struct link_hub *hub, struct link_hub_info *ret)
{
	struct carrier_totals totals = hub->totals;
	struct htable_node *node;

	*ret = (struct link_hub_info){0};
	for (node = htable_next(&hub->agents, NULL); node; node = htable_next(&hub->agents, node)) {
		const struct agent *agent = container_of(node, struct agent, node);

		ret->agents += agent->online;
		ret->waiting += agent->n_waiting;
	}
	for (node = htable_next(&hub->conns, NULL); node; node = htable_next(&hub->conns, node)) {
		const struct conn *conn = container_of(node, struct conn, node);

		ret->carriers++;
		ret->visitors += carrier_visitors(conn->carrier);
		carrier_totals(conn->carrier, &totals);
	}
	ret->bytes_to_agents = totals.to_link;
	ret->bytes_to_visitors = totals.from_link;
	ret->visitors_total = totals.visitors;
}

int link_hub_agent_info(const struct link_hub *hub, uint64_t agent_id,
			struct link_hub_agent_info *ret)
{
	const struct agent *agent = hub_agent(hub, agent_id);
	const struct conn *conn;

	if (!agent || !agent->online)
		return -ERR_NOT_FOUND;
	*ret = (struct link_hub_agent_info){0};
	memcpy(ret->instance, agent->instance, sizeof(ret->instance));
	list_for_each (conn, &agent->conns, in_agent) {
		ret->visitors += carrier_visitors(conn->carrier);
		if (conn->state != CONN_UP)
			continue;
		ret->carriers++;
		if (!ret->rtt_us)
			ret->rtt_us = carrier_rtt_us(conn->carrier);
	}
	return 0;
}
