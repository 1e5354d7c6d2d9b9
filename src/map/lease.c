#include "map/lease.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/rand.h"
#include "map/schedule.h"

#define FOLLOW_AT_ONCE 3 /* times in a row that a device is found and cannot be asked */
#define VERIFY_EARLY   2 /* verifications that tell whether the router does leases at all */

struct lease {
	/* ── configuration ── */
	struct lease_ground ground;
	struct map_wish wish;
	struct lease_handler handler;
	struct ledger_entry *entry; /* the ledger's */

	/* ── state ── */
	enum lease_state state;
	struct ask ask;
	struct timer timer; /* the state's next event */
	struct defer tell;
	struct ledger_wait wait; /* the entry is on its way to the disk */
	bool noted;		 /* it is there */
	bool retired;
	enum map_method method;			  /* being asked, or granted by */
	bool tried[MAP_METHOD_COUNT];		  /* since PROBING began */
	char whys[MAP_METHOD_COUNT][ASK_WHY_MAX]; /* of those; "" */
	char why[LEASE_WHY_MAX];
	bool denied;	   /* one of them did answer */
	uint32_t wait_s;   /* the longest that a router wanted to be left alone */
	unsigned refusals; /* in a row */
	usec_t retry_at;

	struct map_grant grant; /* external.port 0: nothing is granted */
	usec_t granted_at, expires_at;
	usec_t renew_at, verify_at;
	unsigned verified;
	unsigned dropped; /* times in a row that it was not there when it was looked up */
	bool verifying;
	bool moved;	 /* the UPnP device is elsewhere: to be looked up there */
	unsigned missed; /* times in a row that it was not found */
	unsigned found;	 /* times in a row that it was, and could not be asked */
	bool closing;	 /* the question under way is the last */
	bool going_home; /* what is had is given back, to ask for the wished port */
};

static const char *const state_names[] = {
#define X(name, word) [LEASE_##name] = word,
	LEASE_STATES(X)
#undef X
};

const char *lease_state_name(enum lease_state state)
{
	return state_names[state];
}

static usec_t now(const struct lease *lease)
{
	return loop_now(lease->ground.loop);
}

static uint32_t random32(void)
{
	return (uint32_t)rand_below(UINT64_C(1) << 32);
}

static void tell(struct lease *lease)
{
	defer_call(&lease->tell);
}

static void on_tell(void *arg)
{
	struct lease *lease = arg;

	lease->handler.on_change(lease->handler.arg);
}

static void set_state(struct lease *lease, enum lease_state state, const char *why)
{
	assert(lease->state != LEASE_CLOSED);
	assert(lease->state != LEASE_CLOSING || state == LEASE_CLOSED);
	if (lease->state != state)
		log_debug("door %s %u: %s -> %s: %s", map_protocol_name(lease->wish.protocol),
			  lease->wish.internal_port, state_names[lease->state], state_names[state],
			  why);
	lease->state = state;
	tell(lease);
}

/* ── the ledger ── */

static uint64_t wall_s(void)
{
	return ustime_wall() / USEC_PER_S;
}

static void note_grant(struct lease *lease)
{
	struct ledger_entry *entry = lease->entry;

	entry->method = lease->grant.method;
	entry->external_port = lease->grant.external.port;
	entry->pinhole = lease->grant.pinhole;
	entry->permanent = lease->grant.permanent;
	entry->expires_s = wall_s() + lease->grant.lifetime_s;
	ledger_touch(lease->ground.ledger);
}

/* ── the timer ── */

static void arm(struct lease *lease)
{
	usec_t at = MIN(MIN(lease->renew_at, lease->verify_at), lease->expires_at);

	if (at == USEC_MAX)
		timer_stop(&lease->timer);
	else
		timer_start_at(&lease->timer, at);
}

/* ── asking ── */

static void consider(struct lease *lease);

static void forget_refusals(struct lease *lease)
{
	memset(lease->tried, 0, sizeof(lease->tried));
	memset(lease->whys, 0, sizeof(lease->whys));
	lease->denied = false;
	lease->wait_s = 0;
}

static void probing(struct lease *lease, const char *why)
{
	forget_refusals(lease);
	set_state(lease, LEASE_PROBING, why);
	router_probe(lease->ground.router);
	consider(lease);
}

/* What was tried and refused, and what is not there at all. */
static void collect_whys(struct lease *lease, bool absent_too)
{
	size_t len = 0;

	*lease->why = '\0';
	for (int i = 0; i < MAP_METHOD_COUNT; i++) {
		enum map_method method = (enum map_method)i;
		const struct router_offer *offer = router_offer(lease->ground.router, method);
		const char *between = len ? "; " : "";

		if (*lease->whys[i])
			len += (size_t)snprintf(lease->why + len, sizeof(lease->why) - len, "%s%s",
						between, lease->whys[i]);
		else if (absent_too &&
			 (offer->state == ROUTER_ABSENT || offer->state == ROUTER_SILENT))
			len += (size_t)snprintf(lease->why + len, sizeof(lease->why) - len,
						"%s%s is not offered", between,
						map_method_title(method));
		len = MIN(len, sizeof(lease->why) - 1);
	}
}

static void refused(struct lease *lease)
{
	usec_t span = schedule_retry(++lease->refusals, random32());

	if (lease->denied)
		span = MAX(span, schedule_refused(lease->wait_s));
	collect_whys(lease, true);
	lease->retry_at = now(lease) + span;
	timer_start_at(&lease->timer, lease->retry_at);
	set_state(lease, LEASE_REFUSED, lease->why);
}

static void ask_by(struct lease *lease, enum map_method method)
{
	lease->method = method;
	lease->tried[method] = true;
	lease->ask.may_be_permanent = lease->entry->permanent && lease->noted;
	set_state(lease, LEASE_ASKING, map_method_title(method));
	timer_stop(&lease->timer);
	ask_open(&lease->ask, method, &lease->grant);
}

/* What does not expire is undone by who made it alone: another method would only add to it, and
 * take its place in the ledger. */
static bool is_there_for_ever(const struct lease *lease)
{
	return lease->grant.method == MAP_IGD && lease->grant.permanent && !lease->tried[MAP_IGD];
}

/*
 * The first method in order that is there and was not tried. One that has not answered yet is waited
 * for as long as a first answer takes, and longer only when there is no other.
 */
static void consider(struct lease *lease)
{
	usec_t age = router_probe_age(lease->ground.router);
	bool early = age < ROUTER_FIRST_ANSWER, waiting = false;

	if (lease->state != LEASE_PROBING || !lease->noted)
		return;
	if (is_there_for_ever(lease)) {
		enum router_offer_state state = router_offer(lease->ground.router, MAP_IGD)->state;

		if (state == ROUTER_THERE)
			ask_by(lease, MAP_IGD);
		else if (state == ROUTER_UNKNOWN)
			timer_stop(&lease->timer);
		if (state == ROUTER_THERE || state == ROUTER_UNKNOWN)
			return;
	}
	for (int i = 0; i < MAP_METHOD_COUNT; i++) {
		enum map_method method = (enum map_method)i;
		enum router_offer_state state = router_offer(lease->ground.router, method)->state;

		if (state == ROUTER_THERE && !lease->tried[i]) {
			ask_by(lease, method);
			return;
		}
		waiting |= state == ROUTER_UNKNOWN;
		if (state == ROUTER_UNKNOWN && early)
			break;
	}
	if (!waiting)
		refused(lease);
	else if (early)
		timer_start(&lease->timer, ROUTER_FIRST_ANSWER - age);
	else
		timer_stop(&lease->timer); /* the router's decision comes */
}

/* ── open ── */

/* The next renewal, if the one at this age gets no answer. */
static usec_t renewal_after(const struct lease *lease, usec_t age)
{
	usec_t next = schedule_renewal(lease->grant.lifetime_s, age, random32());

	return next == SCHEDULE_NEVER ? USEC_MAX : lease->granted_at + next;
}

/* A router that drops it again and again is not hammered with it. */
static usec_t verify_span(const struct lease *lease)
{
	if (lease->verified)
		return LEASE_VERIFY;
	return MIN(LEASE_VERIFY_FIRST << MIN(lease->dropped / 2, 16u), LEASE_VERIFY);
}

static void set_times(struct lease *lease)
{
	lease->expires_at = lease->renew_at = USEC_MAX;
	if (!lease->grant.permanent) {
		lease->expires_at = lease->granted_at + lease->grant.lifetime_s * USEC_PER_S;
		if (!lease->retired)
			lease->renew_at = renewal_after(lease, 0);
	}
	lease->verify_at = USEC_MAX;
	if (lease->grant.method == MAP_IGD && !lease->retired)
		lease->verify_at = lease->granted_at + verify_span(lease);
	arm(lease);
}

static void granted(struct lease *lease, const struct map_grant *grant)
{
	bool fresh = lease->state != LEASE_OPEN;

	lease->grant = *grant;
	lease->granted_at = now(lease);
	lease->refusals = 0;
	if (fresh)
		lease->verified = 0;
	collect_whys(lease, false); /* why it is not by a better method */
	note_grant(lease);
	set_times(lease);
	set_state(lease, LEASE_OPEN, "granted");
}

/* What was granted is there no more, or cannot be kept. */
static void lost(struct lease *lease, const char *why)
{
	log_debug("door %s %u: %s", map_protocol_name(lease->wish.protocol),
		  lease->wish.internal_port, why);
	lease->grant.pinhole = 0;
	lease->grant.lifetime_s = 0;
	lease->expires_at = lease->renew_at = lease->verify_at = USEC_MAX;
	if (lease->retired)
		lease_close(lease);
	else
		probing(lease, why);
}

static void renew(struct lease *lease)
{
	lease->renew_at = renewal_after(lease, now(lease) - lease->granted_at);
	lease->ask.may_be_permanent = lease->entry->permanent && lease->noted;
	ask_open(&lease->ask, lease->grant.method, &lease->grant);
}

static void verify(struct lease *lease)
{
	usec_t second = lease->granted_at + LEASE_VERIFY_SECOND;

	lease->verify_at = lease->verified + 1 < VERIFY_EARLY && second > now(lease)
				   ? second
				   : now(lease) + LEASE_VERIFY;
	lease->verifying = true;
	ask_verify(&lease->ask, &lease->grant);
}

static void on_open_timer(struct lease *lease)
{
	if (now(lease) >= lease->expires_at) {
		ask_cancel(&lease->ask);
		lease->verifying = false;
		lost(lease, "it has expired");
		return;
	}
	if (!ask_busy(&lease->ask) && now(lease) >= lease->renew_at)
		renew(lease);
	else if (!ask_busy(&lease->ask) && now(lease) >= lease->verify_at)
		verify(lease);
	if (ask_busy(&lease->ask))
		timer_start_at(&lease->timer, lease->expires_at); /* its answer arms the rest */
	else
		arm(lease);
}

static void on_timer(void *arg)
{
	struct lease *lease = arg;

	switch (lease->state) {
	case LEASE_PROBING:
		consider(lease);
		break;
	case LEASE_OPEN:
		on_open_timer(lease);
		break;
	case LEASE_REFUSED:
		probing(lease, "time to try again");
		break;
	case LEASE_ASKING: /* after a restart's pause */
		if (!ask_busy(&lease->ask))
			ask_by(lease, lease->method);
		break;
	case LEASE_CLOSING:
		ask_cancel(&lease->ask);
		lease->closing = false;
		set_state(lease, LEASE_CLOSED, "the router did not answer");
		break;
	case LEASE_CLOSED:
		break;
	}
}

/* ── answers ── */

static void on_noted(void *arg, int r, const struct err *e);

/* It may be there for ever: first it is remembered, then asked for. */
static void make_permanent(struct lease *lease)
{
	lease->entry->permanent = true;
	lease->entry->method = MAP_IGD; /* who is to give it back, should this process end now */
	if (!lease->entry->external_port)
		lease->entry->external_port = lease->wish.external_port;
	lease->noted = false;
	lease->tried[lease->method] = false;
	ledger_touch(lease->ground.ledger);
	lease->wait = (struct ledger_wait){.done = on_noted, .arg = lease};
	ledger_sync(lease->ground.ledger, &lease->wait);
	set_state(lease, LEASE_PROBING, "the router opens ports only for ever");
}

static void on_asked(struct lease *lease, const struct ask_answer *answer)
{
	if (answer->r == 0) {
		granted(lease, &answer->grant);
		return;
	}
	if (answer->r == -ERR_AGAIN) {
		make_permanent(lease);
		return;
	}
	/* No answer is none that says no: what may be open is given back at the end. A pinhole
	 * without its number cannot be. */
	if ((answer->r == -ERR_TIMEOUT || answer->r == -ERR_FAILED) &&
	    (lease->wish.family == 4 || lease->method != MAP_IGD) && !lease->grant.permanent)
		lease->grant.method = lease->method;
	snprintf(lease->whys[lease->method], ASK_WHY_MAX, "%s", answer->why);
	lease->wait_s = MAX(lease->wait_s, answer->wait_s);
	lease->denied |= answer->r == -ERR_REFUSED;
	if (lease->method == MAP_IGD && answer->r == -ERR_REFUSED)
		lease->entry->permanent = lease->grant.permanent = false;
	set_state(lease, LEASE_PROBING, answer->why);
	consider(lease);
}

static void on_renewed(struct lease *lease, const struct ask_answer *answer)
{
	if (answer->r == 0) {
		granted(lease, &answer->grant);
	} else if (answer->r == -ERR_REFUSED || answer->r == -ERR_AGAIN) {
		lost(lease, answer->why);
	} else {
		lease->moved = lease->grant.method == MAP_IGD && answer->r == -ERR_NOT_FOUND;
		arm(lease); /* silence: again at the next time, until it expires */
	}
}

static void on_verified(struct lease *lease, const struct ask_answer *answer)
{
	lease->verifying = false;
	if (answer->r == 0) {
		lease->verified++;
		lease->dropped = lease->missed = lease->found = 0;
		arm(lease);
	} else if (answer->r == -ERR_REFUSED) {
		lease->dropped++; /* once: it may have restarted */
		if (lease->dropped >= VERIFY_EARLY && !lease->grant.permanent) {
			log_debug("the router drops what it has granted for %u s",
				  lease->grant.lifetime_s);
			lease->ask.must_be_permanent = true;
		}
		lost(lease, answer->why);
	} else {
		lease->moved = answer->r == -ERR_NOT_FOUND;
		arm(lease);
	}
}

static void on_closed(struct lease *lease, const struct ask_answer *answer)
{
	lease->closing = false;
	timer_stop(&lease->timer);
	if (answer->r == 0 && lease->entry) {
		ledger_remove(lease->ground.ledger, lease->entry);
		lease->entry = NULL;
	}
	set_state(lease, LEASE_CLOSED, answer->r == 0 ? "given back" : answer->why);
}

/* Given back or not: the answer to the next question tells what is had. */
static void on_given_back(struct lease *lease)
{
	lease->going_home = false;
	lease->grant.external.port = 0;
	ask_by(lease, lease->grant.method);
}

static void on_answer(void *arg, const struct ask_answer *answer)
{
	struct lease *lease = arg;

	if (lease->closing)
		on_closed(lease, answer);
	else if (lease->going_home)
		on_given_back(lease);
	else if (lease->verifying)
		on_verified(lease, answer);
	else if (lease->state == LEASE_OPEN)
		on_renewed(lease, answer);
	else
		on_asked(lease, answer);
}

/* ── life ── */

static void on_noted(void *arg, int r, const struct err *e)
{
	struct lease *lease = arg;

	lease->noted = true;
	if (r < 0) /* what nobody remembers must expire by itself */
		lease->entry->permanent = false;
	if (r < 0 && lease->state == LEASE_PROBING && lease->method == MAP_IGD) {
		lease->tried[MAP_IGD] = true;
		snprintf(lease->whys[MAP_IGD], ASK_WHY_MAX,
			 "UPnP: the router opens ports only for ever, and that cannot be "
			 "remembered here: %.100s",
			 e->text);
	}
	consider(lease);
}

static struct lease *allocate(const struct lease_ground *ground, const struct map_wish *wish,
			      const struct lease_handler *handler)
{
	struct lease *lease = calloc(1, sizeof(*lease));

	if (!lease)
		return NULL;
	lease->ground = *ground;
	lease->wish = *wish;
	lease->handler = *handler;
	lease->method = MAP_NONE;
	lease->grant.method = MAP_NONE;
	lease->expires_at = lease->renew_at = lease->verify_at = USEC_MAX;
	timer_init(&lease->timer, ground->loop, on_timer, lease);
	defer_init(&lease->tell, ground->loop, on_tell, lease);
	ask_init(&lease->ask, ground->loop, ground->router, wish, ground->id, on_answer, lease);
	return lease;
}

/* What a former process, or this one at the same place, had of it. */
static void remember(struct lease *lease)
{
	const struct ledger_entry *entry = lease->entry;

	memcpy(lease->grant.nonce, entry->nonce, sizeof(lease->grant.nonce));
	lease->grant.method = entry->method;
	lease->grant.external.port = entry->external_port;
	lease->grant.pinhole = entry->pinhole;
	lease->grant.permanent = entry->permanent;
	lease->grant.lifetime_s = entry->method == MAP_NONE ? 0 : MAP_LIFETIME_MIN;
}

int lease_new(const struct lease_ground *ground, const struct map_wish *wish,
	      const struct lease_handler *handler, struct lease **ret_lease, struct err *e)
{
	const struct map_place *place = router_place(ground->router);
	struct ledger_entry fresh = {.protocol = wish->protocol,
				     .internal = place->address,
				     .router = place->router,
				     .method = MAP_NONE};
	struct lease *lease = allocate(ground, wish, handler);

	if (!lease)
		return err_set(e, ERR_NOMEM, "door");
	fresh.internal.port = wish->internal_port;
	lease->entry = ledger_find(ground->ledger, wish->protocol, &fresh.internal, &fresh.router);
	if (!lease->entry)
		lease->entry = ledger_add(ground->ledger, &fresh);
	if (!lease->entry) {
		lease_free(lease);
		return err_set(e, ERR_LIMIT, "%d doors are remembered already", LEDGER_MAX);
	}
	remember(lease);
	if (wish->exactly && lease->grant.external.port != wish->external_port)
		lease->grant.external.port = 0;
	lease->wait = (struct ledger_wait){.done = on_noted, .arg = lease};
	ledger_sync(ground->ledger, &lease->wait);
	probing(lease, "wanted");
	*ret_lease = lease;
	return 0;
}

/* Its process ended between asking and noting the answer: the first that it would have asked. */
static enum map_method likely_method(const struct router *router)
{
	for (int i = 0; i < MAP_METHOD_COUNT; i++)
		if (router_offer(router, (enum map_method)i)->state == ROUTER_THERE)
			return (enum map_method)i;
	return MAP_NONE;
}

int lease_new_orphan(const struct lease_ground *ground, struct ledger_entry *entry,
		     const struct lease_handler *handler, struct lease **ret_lease, struct err *e)
{
	const struct map_wish wish = {.family = entry->internal.family,
				      .protocol = entry->protocol,
				      .internal_port = entry->internal.port,
				      .external_port = entry->external_port ? entry->external_port
									    : entry->internal.port,
				      .lifetime_s = MAP_LIFETIME_MIN};
	struct lease *lease = allocate(ground, &wish, handler);

	if (!lease)
		return err_set(e, ERR_NOMEM, "door");
	lease->entry = entry;
	lease->noted = true;
	remember(lease);
	if (lease->grant.method == MAP_NONE)
		lease->grant.method = likely_method(ground->router);
	lease_close(lease);
	*ret_lease = lease;
	return 0;
}

void lease_free(struct lease *lease)
{
	if (!lease)
		return;
	ledger_sync_cancel(&lease->wait);
	ask_cancel(&lease->ask);
	timer_stop(&lease->timer);
	defer_cancel(&lease->tell);
	free(lease);
}

/* Nothing was ever asked for: there is nothing to give back. */
static bool never_asked(const struct lease *lease)
{
	return lease->grant.method == MAP_NONE && lease->state != LEASE_ASKING;
}

void lease_close(struct lease *lease)
{
	if (lease->state == LEASE_CLOSING || lease->state == LEASE_CLOSED)
		return;
	if (lease->grant.method == MAP_NONE && lease->state == LEASE_ASKING)
		lease->grant.method = lease->method; /* the answer may be on its way */
	ask_cancel(&lease->ask);
	ledger_sync_cancel(&lease->wait);
	lease->verifying = lease->going_home = false;
	if (never_asked(lease)) {
		ledger_remove(lease->ground.ledger, lease->entry);
		lease->entry = NULL;
		timer_stop(&lease->timer);
		set_state(lease, LEASE_CLOSED, "was not open");
		return;
	}
	set_state(lease, LEASE_CLOSING, "");
	lease->closing = true;
	timer_start(&lease->timer, LEASE_CLOSE_TIME);
	ask_close(&lease->ask, &lease->grant);
}

void lease_retire(struct lease *lease)
{
	lease->retired = true;
	if (lease->state == LEASE_OPEN && !lease->grant.permanent)
		set_times(lease);
	else
		lease_close(lease);
}

/* ── what the owner of the router tells ── */

/* A restarting router's UPnP device is not there for a while. */
static void follow(struct lease *lease)
{
	enum router_offer_state state = router_offer(lease->ground.router, MAP_IGD)->state;

	if (state == ROUTER_UNKNOWN)
		return;
	lease->moved = false;
	/* One that is found and cannot be asked is not looked for again and again. */
	if (state == ROUTER_THERE && lease->found++ < FOLLOW_AT_ONCE) {
		verify(lease);
		return;
	}
	lease->verify_at =
		MIN(lease->verify_at, now(lease) + schedule_retry(++lease->missed, random32()));
	arm(lease);
}

/* A method that was not there when all was refused. */
static bool is_news(const struct lease *lease)
{
	for (int i = 0; i < MAP_METHOD_COUNT; i++)
		if (!lease->tried[i] &&
		    router_offer(lease->ground.router, (enum map_method)i)->state == ROUTER_THERE)
			return true;
	return false;
}

void lease_on_offer(struct lease *lease)
{
	if (lease->state == LEASE_REFUSED && is_news(lease))
		set_state(lease, LEASE_PROBING, "the router offers more than it did");
	if (lease->state == LEASE_OPEN && lease->moved && !ask_busy(&lease->ask))
		follow(lease);
	consider(lease);
}

void lease_on_restart(struct lease *lease)
{
	if (lease->state != LEASE_OPEN && lease->state != LEASE_REFUSED)
		return;
	if (lease->state == LEASE_OPEN && !lease->retired) {
		/* By the same method; all doors of all clients come at once otherwise. */
		ask_cancel(&lease->ask);
		lease->verifying = false;
		forget_refusals(lease);
		lease->grant.lifetime_s = 0;
		lease->expires_at = lease->renew_at = lease->verify_at = USEC_MAX;
		set_state(lease, LEASE_ASKING, "the router has restarted");
		timer_start(&lease->timer, schedule_recreate(random32()));
	} else if (lease->state == LEASE_REFUSED) {
		probing(lease, "the router has restarted");
	}
}

void lease_check(struct lease *lease)
{
	if (lease->state != LEASE_OPEN || lease->grant.method != MAP_IGD || lease->retired)
		return;
	lease->verify_at = MIN(lease->verify_at, now(lease) + schedule_recreate(random32()));
	if (!ask_busy(&lease->ask))
		arm(lease);
}

void lease_retry(struct lease *lease)
{
	if (lease->state == LEASE_REFUSED)
		probing(lease, "asked to");
}

void lease_go_home(struct lease *lease)
{
	if (lease->state != LEASE_OPEN || lease->retired || lease->grant.permanent ||
	    lease->grant.external.port == lease->wish.external_port)
		return;
	ask_cancel(&lease->ask);
	lease->verifying = false;
	forget_refusals(lease);
	lease->expires_at = lease->renew_at = lease->verify_at = USEC_MAX;
	lease->going_home = true;
	set_state(lease, LEASE_ASKING, "the wished port may be free again");
	timer_stop(&lease->timer);
	ask_close(&lease->ask, &lease->grant);
}

/* ── looks ── */

enum lease_state lease_state(const struct lease *lease)
{
	return lease->state;
}

const struct map_wish *lease_wish(const struct lease *lease)
{
	return &lease->wish;
}

const struct ledger_entry *lease_entry(const struct lease *lease)
{
	return lease->entry;
}

const struct map_grant *lease_grant(const struct lease *lease)
{
	return &lease->grant;
}

usec_t lease_expires(const struct lease *lease)
{
	return lease->expires_at;
}

const char *lease_why(const struct lease *lease)
{
	return lease->why;
}

usec_t lease_retry_at(const struct lease *lease)
{
	return lease->retry_at;
}
