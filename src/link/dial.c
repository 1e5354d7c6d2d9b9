/*
 * The agent keeps `carriers` slots; each slot has at most one connection that counts and some that
 * come or go.
 *
 *	DIALLING ──TCP, TLS──▶ GREETING ──welcome──▶ UP ──successor is up──▶ OLD ──▶ gone
 *	   │ failed               │ refused, silent   │ lost
 *	   └──────────────────────┴───────────────────┴──▶ gone; the slot dials again
 *
 * When a slot dials again:
 *
 *	lost to silence   every 0.7 s ± 20 % for 2 minutes, two attempts under way at most
 *	lost otherwise    at once
 *	failed, and then  0.7 s, doubling to 10 s
 *	told `replaced`   after 60 s, all slots
 *	another key       after 60 s; another version: after 10 minutes
 *	refused by key    never, until the process starts again
 *
 * A change of the network starts over. Slots beyond the first dial when the link is up.
 */
#include "link/dial.h"

#include <stdio.h>
#include <string.h>

#include "base/baseenc.h"
#include "base/log.h"
#include "base/rand.h"
#include "link/carrier.h"
#include "link/connector.h"
#include "net/backoff.h"

#define REDIAL_FIRST	(700 * USEC_PER_MS)
#define REDIAL_MOST	(8300 * USEC_PER_MS) /* 10 s with the jitter */
#define HANGING		(5 * USEC_PER_S) /* an attempt without an answer gets company after this */
#define REDIAL_FAST_FOR (120 * USEC_PER_S)
#define PARK_REPLACED	(60 * USEC_PER_S)
#define PARK_WRONG_KEY	(60 * USEC_PER_S)
#define PARK_VERSION	(600 * USEC_PER_S)
#define GREETING_MAX	(5 * USEC_PER_S)
#define ATTEMPTS_MAX	2
#define BUDGET_ALL	((size_t)16 * 1024 * 1024)

#define CONN_STATES(X) X(DIALLING) X(GREETING) X(UP) X(OLD)
enum conn_state {
#define X(name) CONN_##name,
	CONN_STATES(X)
#undef X
};

struct conn {
	struct list node; /* in the slot */
	struct slot *slot;
	enum conn_state state;
	void *attempt;		 /* owned: the connector's; DIALLING */
	struct carrier *carrier; /* owned; later */
	struct timer greeting;
	bool wants_successor; /* UP, but on its way out, or it did not answer when the network
				 changed */
};

struct slot {
	struct link_dial *dial;
	unsigned number;
	struct list conns;
	struct timer redial;
	struct backoff backoff;
	usec_t delay;	   /* until the next attempt, if this one fails */
	usec_t fast_until; /* 0: not lost to silence */
};

struct link_dial {
	/* configuration */
	struct loop *loop; /* borrowed */
	char host[256];
	struct tls_key_hash gateway, next_gateway;
	bool has_next;
	unsigned n_slots;
	struct connector real;
	struct link_connector connector;
	const struct link_dial_events *events;
	void *arg;

	/* state */
	char instance[LINK_INSTANCE_LEN + 1];
	struct slot slots[LINK_CARRIERS_MAX];
	struct link_services services; /* owned */
	bool started;
	enum link_dial_state state;
	usec_t since;
	struct err why;
	struct ipaddr observed, local;
	struct carrier_budget budget;
	struct timer park;    /* REPLACED, REFUSED: when it may be tried again */
	struct timer stop;    /* the end of stopping */
	struct defer stopped; /* tells it */
	void (*on_stopped)(void *arg);
	void *stop_arg;
};

static void slot_dial(struct slot *slot);
static void conn_free(struct conn *conn);

const char *link_dial_state_name(enum link_dial_state state)
{
	static const char *const names[] = {[LINK_DIAL_CONNECTING] = "connecting",
					    [LINK_DIAL_UP] = "up",
					    [LINK_DIAL_REPLACED] = "replaced",
					    [LINK_DIAL_REFUSED] = "refused",
					    [LINK_DIAL_STOPPED] = "stopped"};

	return names[state];
}

static void set_state(struct link_dial *d, enum link_dial_state to, const struct err *why)
{
	static const struct err none;
	bool same = d->state == to && strcmp(d->why.text, why ? why->text : "") == 0;

	if (same || d->state == LINK_DIAL_STOPPED)
		return;
	log_debug("link: %s -> %s (%s)", link_dial_state_name(d->state), link_dial_state_name(to),
		  why ? why->text : "");
	if (d->state != to)
		d->since = loop_now(d->loop);
	d->state = to;
	d->why = why ? *why : none;
	d->events->on_state(d->arg, to, why);
}

static struct conn *slot_current(const struct slot *slot)
{
	struct conn *conn;

	list_for_each (conn, &slot->conns, node)
		if (conn->state == CONN_UP)
			return conn;
	return NULL;
}

static struct conn *first_up(const struct link_dial *d)
{
	for (unsigned i = 0; i < d->n_slots; i++) {
		struct conn *conn = slot_current(&d->slots[i]);

		if (conn)
			return conn;
	}
	return NULL;
}

static bool active(const struct link_dial *d)
{
	return d->started && (d->state == LINK_DIAL_CONNECTING || d->state == LINK_DIAL_UP);
}

/* ── when to dial again ── */

static unsigned slot_under_way(const struct slot *slot)
{
	const struct conn *conn;
	unsigned n = 0;

	list_for_each (conn, &slot->conns, node)
		n += conn->state == CONN_DIALLING || conn->state == CONN_GREETING;
	return n;
}

static bool slot_is_fast(const struct slot *slot)
{
	return slot->fast_until && loop_now(slot->dial->loop) < slot->fast_until;
}

static void slot_redial_after(struct slot *slot, usec_t span)
{
	if (active(slot->dial) && (slot->number == 0 || slot->dial->state == LINK_DIAL_UP))
		timer_start(&slot->redial, span);
}

/* An attempt failed, or a connection that never was welcome. Returns the delay, for the sentence.
 */
static usec_t slot_failed(struct slot *slot)
{
	usec_t now = loop_now(slot->dial->loop);

	if (!slot_is_fast(slot) && slot_under_way(slot) == 0)
		slot_redial_after(slot, slot->delay);
	return timer_running(&slot->redial) ? slot->redial.at - MIN(slot->redial.at, now) : 0;
}

static void on_redial(void *arg)
{
	struct slot *slot = arg;
	struct conn *up = slot_current(slot);

	if (!up || up->wants_successor)
		slot_dial(slot);
}

/* Start over everywhere: the network is another one. */
static void dial_afresh(struct link_dial *d)
{
	for (unsigned i = 0; i < d->n_slots; i++) {
		struct slot *slot = &d->slots[i];
		struct conn *up = slot_current(slot);

		backoff_reset(&slot->backoff);
		if (up)
			carrier_ask(up->carrier);
		else if (slot->number == 0 || d->state == LINK_DIAL_UP)
			slot_dial(slot);
	}
}

/* ── a refusal ── */

static void drop_all(struct link_dial *d)
{
	for (unsigned i = 0; i < d->n_slots; i++) {
		struct slot *slot = &d->slots[i];
		struct conn *conn, *next;

		timer_stop(&slot->redial);
		list_for_each_safe (conn, next, &slot->conns, node)
			conn_free(conn);
	}
}

/* Everything is closed and stays so for `span` (0: for good). */
static void dial_park(struct link_dial *d, enum link_dial_state state, usec_t span,
		      const struct err *why)
{
	drop_all(d);
	if (span)
		timer_start(&d->park, span);
	set_state(d, state, why);
}

static void on_park_over(void *arg)
{
	struct link_dial *d = arg;

	set_state(d, LINK_DIAL_CONNECTING, NULL);
	slot_dial(&d->slots[0]);
}

static void on_refused(struct conn *conn, json_t *object)
{
	struct link_dial *d = conn->slot->dial;
	struct link_refused refused = {0};
	struct err why = {0};

	if (link_refused_decode(object, &refused, NULL) < 0)
		strcpy(refused.reason, "unknown");
	if (strcmp(refused.reason, "busy") == 0) {
		struct slot *slot = conn->slot;

		slot->delay = REDIAL_MOST;
		conn_free(conn);
		slot_failed(slot);
		return;
	}
	if (strcmp(refused.reason, "unknown-key") == 0)
		err_set(&why, ERR_DENIED,
			"the gateway does not know this machine's key; get a code with "
			"\"homeport-gateway invite\" there "
			"and use it here with \"homeport join\"");
	else if (strcmp(refused.reason, "revoked") == 0)
		err_set(&why, ERR_DENIED,
			"the gateway has revoked this machine's key; with a new code of its "
			"owner, \"homeport join\" makes another");
	else if (strcmp(refused.reason, "version") == 0)
		err_set(&why, ERR_DENIED,
			"the gateway speaks another version of the link protocol (%s): update "
			"homeport here, or "
			"homeport-gateway there, whichever is older. Trying again in 10 min",
			refused.text);
	else
		err_set(&why, ERR_DENIED, "the gateway refuses the link: %s",
			refused.text[0] ? refused.text : refused.reason);
	dial_park(d, LINK_DIAL_REFUSED, strcmp(refused.reason, "version") == 0 ? PARK_VERSION : 0,
		  &why);
}

static void on_replaced(struct conn *conn, json_t *object)
{
	bool conflict = json_is_true(json_object_get(object, "conflict"));
	struct err why = {0};

	err_set(&why, ERR_EXISTS,
		conflict ? "this key is used by two machines, each time one takes the link from "
			   "the other; run \"homeport "
			   "join\" with a code of its own on one of them. Trying again in 60 s"
			 : "another process took over the link with the same key; trying again in "
			   "60 s");
	dial_park(conn->slot->dial, LINK_DIAL_REPLACED, PARK_REPLACED, &why);
}

/* ── a connection's messages ── */

static void conn_send_services(struct conn *conn)
{
	if (carrier_send(conn->carrier, link_services_encode(&conn->slot->dial->services)) < 0)
		log_debug("link: services could not be sent");
}

/* The slot's other connections give way to this one. */
static void conn_retire_others(struct conn *winner)
{
	struct conn *conn, *next;

	list_for_each_safe (conn, next, &winner->slot->conns, node) {
		if (conn == winner || conn->state == CONN_OLD)
			continue;
		if (conn->state != CONN_UP) {
			conn_free(conn);
			continue;
		}
		conn->state = CONN_OLD;
		carrier_drain(conn->carrier);
	}
}

static int on_welcome(struct conn *conn, json_t *object, struct err *e)
{
	struct slot *slot = conn->slot;
	struct link_dial *d = slot->dial;
	struct link_welcome welcome;
	int r = link_welcome_decode(object, &welcome, e);

	if (r < 0)
		return r;
	if (conn->state != CONN_GREETING) {
		link_welcome_done(&welcome);
		return err_set(e, ERR_INVALID, "a second welcome");
	}
	conn->state = CONN_UP;
	timer_stop(&conn->greeting);
	timer_stop(&slot->redial);
	slot->fast_until = 0;
	backoff_reset(&slot->backoff);
	conn_retire_others(conn);
	d->observed = welcome.observed;
	carrier_local(conn->carrier, &d->local);
	if (welcome.has_next_key) {
		d->next_gateway = welcome.next_key;
		d->has_next = true;
	}
	if (welcome.grants.revision != d->services.revision)
		conn_send_services(conn);
	set_state(d, LINK_DIAL_UP, NULL);
	for (unsigned i = 1; i < d->n_slots; i++)
		if (!slot_current(&d->slots[i]) && slot_under_way(&d->slots[i]) == 0 &&
		    !timer_running(&d->slots[i].redial))
			slot_redial_after(&d->slots[i], 0);
	d->events->on_welcome(d->arg, &welcome);
	if (welcome.conflict && d->events->on_notice)
		d->events->on_notice(d->arg,
				     "this key was used by two machines in the last minutes");
	link_welcome_done(&welcome);
	return 0;
}

static int on_grants(struct conn *conn, json_t *object, struct err *e)
{
	struct link_dial *d = conn->slot->dial;
	struct link_grants grants;
	int r = link_grants_decode(object, &grants, e);

	if (r < 0)
		return r;
	if (grants.revision == d->services.revision)
		d->events->on_grants(d->arg, &grants);
	link_grants_done(&grants);
	return 0;
}

static void conn_wants_successor(struct conn *conn)
{
	if (conn->state != CONN_UP || !active(conn->slot->dial))
		return;
	conn->wants_successor = true;
	slot_dial(conn->slot);
}

static int conn_on_object(void *arg, json_t *object, struct err *e)
{
	struct conn *conn = arg;
	struct link_dial *d = conn->slot->dial;
	enum link_message_type type;
	const char *text;
	int r = link_message_type(object, &type, e);

	if (r < 0)
		return r;
	switch (type) {
	case LINK_MESSAGE_WELCOME:
		return on_welcome(conn, object, e);
	case LINK_MESSAGE_SERVICES:
		return on_grants(conn, object, e);
	case LINK_MESSAGE_REFUSED:
		on_refused(conn, object);
		return 0;
	case LINK_MESSAGE_REPLACED:
		on_replaced(conn, object);
		return 0;
	case LINK_MESSAGE_DRAIN:
		conn_wants_successor(conn);
		return 0;
	case LINK_MESSAGE_NOTICE:
		text = json_string_value(json_object_get(object, "text"));
		if (text && d->events->on_notice)
			d->events->on_notice(d->arg, text);
		return 0;
	case LINK_MESSAGE_UNKNOWN:
	case LINK_MESSAGE_HELLO:
	case LINK_MESSAGE_JOIN:
	case LINK_MESSAGE_JOINED:
		return 0; /* newer gateways may say what we do not know */
	}
	return 0;
}

/* ── a connection's life ── */

static void conn_free(struct conn *conn)
{
	struct link_dial *d = conn->slot->dial;

	if (conn->attempt)
		d->connector.cancel(d->connector.arg, conn->attempt);
	list_remove(&conn->node);
	timer_stop(&conn->greeting);
	carrier_free(TAKE(conn->carrier));
	free(conn);
}

static void conn_on_open(void *arg)
{
	struct conn *conn = arg;
	struct link_dial *d = conn->slot->dial;
	struct link_hello hello = {.version = LINK_VERSION,
				   .carrier = conn->slot->number,
				   .resets_per_s = 1000000,
				   .services = d->services}; /* borrowed: no hello_done */

	memcpy(hello.instance, d->instance, sizeof(hello.instance));
	if (carrier_send(conn->carrier, link_hello_encode(&hello)) < 0)
		carrier_close(conn->carrier);
}

static void conn_on_visitor(void *arg, struct link_visitor *v, const char *service,
			    const struct forwarded *who)
{
	struct link_dial *d = ((struct conn *)arg)->slot->dial;

	d->events->on_visitor(d->arg, v, service, who);
}

/* Nothing is left that could be finished. */
static void maybe_stopped(struct link_dial *d)
{
	if (d->state != LINK_DIAL_STOPPED || !d->on_stopped)
		return;
	for (unsigned i = 0; i < d->n_slots; i++) {
		const struct conn *conn;

		list_for_each (conn, &d->slots[i].conns, node)
			if (!conn->carrier || !carrier_is_doubtful(conn->carrier))
				return;
	}
	defer_call(&d->stopped);
}

static void conn_on_missed(void *arg)
{
	struct conn *conn = arg;

	conn_wants_successor(conn);
	maybe_stopped(conn->slot->dial);
}

static void conn_on_dead(void *arg, int r, const struct err *why)
{
	struct conn *conn = arg;
	struct slot *slot = conn->slot;
	struct link_dial *d = slot->dial;
	enum conn_state was = conn->state;
	char span[USTIME_TEXT_MAX];
	struct err story = *why;

	conn_free(conn);
	if (d->state == LINK_DIAL_STOPPED) {
		maybe_stopped(d);
		return;
	}
	if (was == CONN_OLD || !active(d))
		return;
	if (was == CONN_UP) {
		backoff_reset(
			&slot->backoff); /* it may have grown while a successor was looked for */
		slot->fast_until = r == -ERR_TIMEOUT ? loop_now(d->loop) + REDIAL_FAST_FOR : 0;
		if (slot_under_way(slot) == 0)
			slot_redial_after(slot,
					  r == -ERR_TIMEOUT ? 0 : rand_below(50 * USEC_PER_MS));
		if (!first_up(d)) {
			err_wrap(&story, r, "lost the gateway, trying again at once");
			set_state(d, LINK_DIAL_CONNECTING, &story);
			/* The other slots go on when the first is up again. */
			if (slot->number != 0) {
				timer_stop(&slot->redial);
				d->slots[0].fast_until = slot->fast_until;
				slot_redial_after(&d->slots[0], 0);
			}
		}
		return;
	}
	usec_t delay = slot_failed(slot);

	if (slot->number == 0 && d->state == LINK_DIAL_CONNECTING) {
		err_wrap(&story, r,
			 "the gateway closed the link before it was up, trying again in %s",
			 ustime_format_span(span, delay));
		set_state(d, LINK_DIAL_CONNECTING, &story);
	}
}

static const struct carrier_handler conn_handler = {
	.on_open = conn_on_open,
	.on_object = conn_on_object,
	.on_visitor = conn_on_visitor,
	.on_missed = conn_on_missed,
	.on_dead = conn_on_dead,
};

static void conn_on_greeting_over(void *arg)
{
	struct conn *conn = arg;
	struct err why = {0};

	err_set(&why, ERR_TIMEOUT, "the gateway did not welcome us within 5 s");
	conn_on_dead(conn, -ERR_TIMEOUT, &why);
}

static bool key_accepted(void *arg, const struct tls_key_hash *key)
{
	const struct link_dial *d = arg;

	return memcmp(key, &d->gateway, sizeof(*key)) == 0 ||
	       (d->has_next && memcmp(key, &d->next_gateway, sizeof(*key)) == 0);
}

static void on_wrong_key(struct link_dial *d, const struct tls_key_hash *key)
{
	char seen[TLS_KEY_HASH_TEXT_MAX], pinned[TLS_KEY_HASH_TEXT_MAX];
	struct err why = {0};

	err_set(&why, ERR_DENIED,
		"%s shows another key than the one this machine was paired with (now %.19s..., "
		"pinned %.19s...): somebody "
		"is in between, or the gateway was set up anew (then \"homeport join\" with a new "
		"code). Trying again in "
		"60 s",
		d->host, tls_key_hash_format(seen, key), tls_key_hash_format(pinned, &d->gateway));
	dial_park(d, LINK_DIAL_REFUSED, PARK_WRONG_KEY, &why);
}

static void conn_on_connected(void *arg, int r, struct stream *s, const struct tls_key_hash *key,
			      const struct err *e)
{
	struct conn *conn = arg;
	struct slot *slot = conn->slot;
	struct link_dial *d = slot->dial;
	char span[USTIME_TEXT_MAX];
	struct err story = {0};

	conn->attempt = NULL;
	if (key && !key_accepted(d, key)) {
		struct tls_key_hash seen = *key;

		stream_close(s);
		conn_free(conn);
		on_wrong_key(d, &seen);
		return;
	}
	if (r == 0) {
		conn->state = CONN_GREETING;
		r = carrier_new(d->loop, CARRIER_AGENT, s, &d->budget, &conn_handler, conn,
				&conn->carrier, &story);
		if (r == 0) {
			timer_start(&conn->greeting, GREETING_MAX);
			return;
		}
		e = &story;
	}
	story = *e;
	conn_free(conn);
	if (r != -ERR_TIMEOUT && r != -ERR_FAILED &&
	    slot->fast_until) { /* somebody answered: the line is back */
		slot->fast_until = 0;
		timer_stop(&slot->redial);
	}
	usec_t delay = slot_failed(slot);

	if (d->state == LINK_DIAL_CONNECTING && slot->number == 0) {
		err_wrap(&story, r, "gateway %s: trying again in %s", d->host,
			 ustime_format_span(span, delay));
		set_state(d, LINK_DIAL_CONNECTING, &story);
	}
}

/* The oldest attempt nobody has answered yet; on a line with a long way a handshake must not be cut
 * off. */
static struct conn *slot_hanging(const struct slot *slot)
{
	const struct link_connector *connector = &slot->dial->connector;
	struct conn *conn;

	list_for_each (conn, &slot->conns, node)
		if (conn->state == CONN_DIALLING &&
		    !(connector->answered && connector->answered(connector->arg, conn->attempt)))
			return conn;
	return NULL;
}

/* A fresh attempt beside what the slot has; the oldest one gives way to a third. */
static void slot_dial(struct slot *slot)
{
	struct link_dial *d = slot->dial;
	struct conn *conn;
	struct err e = {0};

	if (!active(d))
		return;
	slot->delay =
		slot_is_fast(slot) ? backoff_jitter(REDIAL_FIRST) : backoff_next(&slot->backoff);
	slot_redial_after(slot, slot_is_fast(slot) ? slot->delay : MAX(slot->delay, HANGING));
	if (slot_under_way(slot) >= ATTEMPTS_MAX) {
		conn = slot_hanging(slot);
		if (!conn)
			return; /* all are talking with somebody: wait for them */
		conn_free(conn);
	}
	conn = calloc(1, sizeof(*conn));
	if (!conn)
		return;
	conn->slot = slot;
	timer_init(&conn->greeting, d->loop, conn_on_greeting_over, conn);
	list_push(&slot->conns, &conn->node);
	if (d->connector.start(d->connector.arg, d->loop, conn_on_connected, conn, &conn->attempt,
			       &e) < 0)
		conn_free(conn);
}

/* ── the owner's calls ── */

static void on_stopped(void *arg)
{
	struct link_dial *d = arg;
	void (*done)(void *) = d->on_stopped;

	timer_stop(&d->stop);
	drop_all(d);
	d->on_stopped = NULL;
	if (done)
		done(d->stop_arg);
}

int link_dial_new(struct loop *loop, const struct link_dial_config *config,
		  const struct link_dial_events *events, void *arg, struct link_dial **ret_dial,
		  struct err *e)
{
	struct link_dial *d = calloc(1, sizeof(*d));
	uint8_t instance[LINK_INSTANCE_LEN / 2];

	if (!d)
		return err_set(e, ERR_NOMEM, "link");
	if (!str_copy(d->host, sizeof(d->host), str_of(config->host))) {
		free(d);
		return err_set(e, ERR_INVALID, "gateway name is too long");
	}
	d->loop = loop;
	d->gateway = config->gateway;
	d->next_gateway = config->next_gateway;
	d->has_next = config->has_next;
	d->n_slots = MAX(1u, MIN(config->carriers, (unsigned)LINK_CARRIERS_MAX));
	d->real = (struct connector){d->host, config->port, config->identity, key_accepted, d};
	d->connector = config->connector ? *config->connector : connector_interface(&d->real);
	d->events = events;
	d->arg = arg;
	d->since = loop_now(loop);
	d->budget.left = BUDGET_ALL;
	rand_bytes(instance, sizeof(instance));
	hex_encode(d->instance, instance, sizeof(instance));
	for (unsigned i = 0; i < LINK_CARRIERS_MAX; i++) {
		struct slot *slot = &d->slots[i];

		slot->dial = d;
		slot->number = i;
		slot->backoff = (struct backoff){.first = REDIAL_FIRST, .most = REDIAL_MOST};
		list_init(&slot->conns);
		timer_init(&slot->redial, loop, on_redial, slot);
	}
	timer_init(&d->park, loop, on_park_over, d);
	timer_init(&d->stop, loop, on_stopped, d);
	defer_init(&d->stopped, loop, on_stopped, d);
	*ret_dial = d;
	return 0;
}

/* hello is the longest message that carries them. */
static bool fits_a_line(const struct link_services *services)
{
	struct link_hello hello = {.version = LINK_VERSION, .services = *services}; /* borrowed */
	json_t *object = link_hello_encode(&hello);
	size_t len = json_dumpb(object, NULL, 0, JSON_COMPACT);

	json_decref(object);
	return len + 128 <= CARRIER_LINE_FROM_AGENT; /* the instance and larger numbers */
}

int link_dial_set_services(struct link_dial *d, const struct link_services *services)
{
	struct link_services copy;
	struct conn *up;
	int r = link_services_copy(&copy, services);

	if (r < 0)
		return r;
	copy.revision = d->services.revision + 1;
	if (!fits_a_line(&copy)) {
		link_services_done(&copy);
		return -ERR_LIMIT;
	}
	link_services_done(&d->services);
	d->services = copy;
	if (!d->started) {
		d->started = true;
		slot_dial(&d->slots[0]);
		return 0;
	}
	up = first_up(d);
	if (up)
		conn_send_services(up);
	return 0;
}

void link_dial_network_changed(struct link_dial *d)
{
	if (active(d))
		dial_afresh(d);
}

void link_dial_stop(struct link_dial *d, usec_t grace, void (*done)(void *arg), void *arg)
{
	struct conn *up = first_up(d);

	d->on_stopped = done;
	d->stop_arg = arg;
	link_services_done(&d->services);
	d->services.revision = INT64_MAX / 2; /* above any before it */
	if (up && grace == 0)
		conn_send_services(up);
	timer_stop(&d->park);
	d->state = LINK_DIAL_STOPPED;
	for (unsigned i = 0; i < d->n_slots; i++) {
		struct conn *conn, *next;

		timer_stop(&d->slots[i].redial);
		list_for_each_safe (conn, next, &d->slots[i].conns, node) {
			if (!conn->carrier) {
				conn_free(conn);
			} else if (grace) {
				carrier_end_flows(conn->carrier);
				carrier_drain(conn->carrier);
				carrier_ask(conn->carrier); /* a dead line has nothing to finish */
			} else {
				carrier_close(conn->carrier);
			}
		}
	}
	timer_start(&d->stop, MAX(grace, USEC_PER_S));
	maybe_stopped(d);
}

void link_dial_free(struct link_dial *d)
{
	if (!d)
		return;
	d->state = LINK_DIAL_STOPPED;
	drop_all(d);
	timer_stop(&d->park);
	timer_stop(&d->stop);
	defer_cancel(&d->stopped);
	link_services_done(&d->services);
	free(d);
}

/* It never gives up: there is always a connection, or a timer that makes one. */
static bool at_work(const struct link_dial *d)
{
	if (!d->started || d->state == LINK_DIAL_REFUSED || d->state == LINK_DIAL_STOPPED ||
	    timer_running(&d->park))
		return true;
	for (unsigned i = 0; i < d->n_slots; i++)
		if (!list_empty(&d->slots[i].conns) || timer_running(&d->slots[i].redial))
			return true;
	return false;
}

void link_dial_info(const struct link_dial *d, struct link_dial_info *ret)
{
	*ret = (struct link_dial_info){.state = d->state,
				       .at_work = at_work(d),
				       .since = d->since,
				       .observed = d->observed,
				       .local = d->local};
	memcpy(ret->why, d->why.text, sizeof(ret->why));
	for (unsigned i = 0; i < d->n_slots; i++) {
		const struct conn *conn;

		list_for_each (conn, &d->slots[i].conns, node) {
			if (!conn->carrier)
				continue;
			ret->visitors += carrier_visitors(conn->carrier);
			if (conn->state != CONN_UP)
				continue;
			ret->carriers_up++;
			if (!ret->rtt_us)
				ret->rtt_us = carrier_rtt_us(conn->carrier);
		}
	}
}
