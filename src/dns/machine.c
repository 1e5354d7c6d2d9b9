#include "dns/machine.h"

#include <assert.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"

const char *dns_state_name(enum dns_state state)
{
	static const char *const names[] = {
#define X(name) [DNS_STATE_##name] = #name,
		DNS_STATES(X)
#undef X
	};

	return names[state];
}

#define BIT(name) (1u << DNS_STATE_##name)

static void set_state(struct dns_machine *m, enum dns_state to)
{
	static const unsigned edges[] = {
		[DNS_STATE_IDLE] = BIT(DOUBT) | BIT(DUE) | BIT(PARKED),
		[DNS_STATE_DOUBT] = BIT(IDLE) | BIT(ASKING) | BIT(DUE) | BIT(PARKED),
		[DNS_STATE_ASKING] = BIT(IDLE) | BIT(DOUBT) | BIT(DUE) | BIT(PARKED),
		[DNS_STATE_DUE] = BIT(IDLE) | BIT(DOUBT) | BIT(SENT) | BIT(PARKED),
		[DNS_STATE_SENT] = BIT(IDLE) | BIT(DOUBT) | BIT(DUE) | BIT(PARKED),
		[DNS_STATE_PARKED] = BIT(IDLE) | BIT(DOUBT) | BIT(DUE),
	};

	if (m->state == to)
		return;
	assert(edges[m->state] & 1u << to);
	log_debug("dns: %s to %s", dns_state_name(m->state), dns_state_name(to));
	m->state = to;
}

static bool refresh_is_due(const struct dns_machine *m, int64_t now)
{
	return m->rules->refresh_s && m->confirmed_s &&
	       now >= m->confirmed_s + (int64_t)m->rules->refresh_s;
}

/* Whether the provider may have the wanted address already, for all we know. */
static bool may_be_there(const struct dns_machine *m)
{
	if (m->sure)
		return ipaddr_same_host(&m->published, &m->wanted);
	return !m->attempt.family || ipaddr_same_host(&m->attempt, &m->wanted) ||
	       !m->published.family || ipaddr_same_host(&m->published, &m->wanted);
}

/* Whether the answer leaves open what the provider has now: a server that is out of order may have
 * done it all the same. */
static bool leaves_open(enum dns_verdict verdict)
{
	return verdict == DNS_LOST || verdict == DNS_SERVER || verdict == DNS_PAGE ||
	       verdict == DNS_DNSERR || verdict == DNS_UNKNOWN;
}

/* When it is worth looking again for what was sent. */
static int64_t look_again_at(const struct dns_machine *m, int64_t after)
{
	return after + MAX(m->rules->settle_s / 5, 1);
}

/* What the provider itself wants waited for. */
static bool is_providers_wish(enum dns_verdict verdict)
{
	return verdict == DNS_OUTAGE || verdict == DNS_DNSERR || verdict == DNS_RATE;
}

/* The state that follows from what is known, where nothing is under way. */
static void settle(struct dns_machine *m, int64_t now)
{
	if (m->state == DNS_STATE_ASKING || m->state == DNS_STATE_SENT ||
	    m->state == DNS_STATE_PARKED)
		return;
	m->refresh_only = false;
	if (m->wish != DNS_WISH_ADDRESS) {
		set_state(m, DNS_STATE_IDLE);
	} else if (m->forced || !may_be_there(m)) {
		set_state(m, DNS_STATE_DUE);
	} else if (!m->sure) {
		set_state(m, m->rules->looks_first || m->rules->unaskable ? DNS_STATE_DUE
									  : DNS_STATE_DOUBT);
	} else if (refresh_is_due(m, now)) {
		m->refresh_only = true;
		set_state(m, DNS_STATE_DUE);
	} else {
		set_state(m, DNS_STATE_IDLE);
	}
}

static void forget_trouble(struct dns_machine *m)
{
	m->not_before_s = 0;
	m->bidden = false;
	m->fails = 0;
	m->asks = 0;
}

/* The same by somebody who cannot speak for the provider. */
static void forgive(struct dns_machine *m)
{
	bool bidden = m->bidden || is_providers_wish(m->verdict);
	int64_t not_before_s = bidden ? m->not_before_s : 0;

	forget_trouble(m);
	m->not_before_s = not_before_s;
	m->bidden = bidden;
}

void dns_machine_init(struct dns_machine *m, const struct dns_rules *rules,
		      const uint8_t config[static DNS_CONFIG_LEN])
{
	*m = (struct dns_machine){.rules = rules};
	memcpy(m->config, config, DNS_CONFIG_LEN);
}

/* A clock that was set back must not hold a name up for years. */
static void mend_clock(struct dns_machine *m, int64_t now)
{
	int64_t most = now + DNS_WAIT_MAX_S + DNS_WAIT_MAX_S / 5;

	m->not_before_s = MIN(m->not_before_s, most);
	m->interval_spent =
		MIN(m->interval_spent, now + (int64_t)m->rules->interval_s * m->rules->burst);
	m->budget_spent = MIN(m->budget_spent, now + DNS_WAIT_MAX_S);
	m->attempted_s = MIN(m->attempted_s, now);
	m->confirmed_s = MIN(m->confirmed_s, now);
	m->since_s = MIN(m->since_s, now);
}

static void shift(const struct dns_machine *m, int64_t *time, int64_t step)
{
	if (*time >= m->run_s)
		*time += step;
}

void dns_machine_on_step(struct dns_machine *m, int64_t step)
{
	bool sent = m->attempted_s >= m->run_s;

	if (!m->run_s)
		return;
	if (sent) {
		m->interval_spent += step;
		m->budget_spent += step;
		m->interval_before += step;
		m->budget_before += step;
	}
	if (m->not_before_s && (sent || m->asks))
		m->not_before_s += step;
	if (m->verdict == DNS_TIME && m->fails) /* which was the reason */
		forget_trouble(m);
	shift(m, &m->attempted_s, step);
	shift(m, &m->confirmed_s, step);
	shift(m, &m->since_s, step);
	m->run_s += step;
}

void dns_machine_resume(struct dns_machine *m, const uint8_t config[static DNS_CONFIG_LEN],
			int64_t now)
{
	static const uint8_t foreign[DNS_CONFIG_LEN];
	bool changed;

	if (memcmp(m->config, foreign, DNS_CONFIG_LEN) == 0)
		memcpy(m->config, config, DNS_CONFIG_LEN);
	changed = memcmp(m->config, config, DNS_CONFIG_LEN) != 0;
	if (!m->attempted_s) /* nothing is known: perhaps there were requests lately */
		m->interval_spent = now + (int64_t)m->rules->interval_s * (m->rules->burst - 1);
	if (!m->attempted_s && m->rules->unaskable)
		m->interval_spent += m->rules->interval_s; /* nor can anybody be asked */
	if (m->state == DNS_STATE_SENT) {
		m->sure = false;
		m->not_before_s = MAX(m->not_before_s, look_again_at(m, m->attempted_s));
	}
	m->sure &= !m->rules->claims;
	if (m->state != DNS_STATE_PARKED || changed)
		m->state = DNS_STATE_IDLE; /* the wish is not known yet */
	if (!changed)
		return;
	memcpy(m->config, config, DNS_CONFIG_LEN);
	m->sure = false;
	m->published = m->attempt = (struct ipaddr){0};
	forgive(m);
}

void dns_machine_on_wish(struct dns_machine *m, enum dns_wish wish, const struct ipaddr *address,
			 int64_t now)
{
	struct ipaddr none = {0};

	m->wish = wish;
	m->wanted = wish == DNS_WISH_ADDRESS ? *address : none;
	m->wanted.port = 0;
	m->wanted.scope = 0;
	settle(m, now);
}

/* When the limits allow a request. */
static int64_t allowed_at(const struct dns_machine *m, int64_t now)
{
	const struct dns_rules *rules = m->rules;
	int64_t at = dns_limit_next(m->interval_spent, rules->interval_s, rules->burst, now);

	if (rules->per_day > 1)
		at = MAX(at, dns_limit_next(m->budget_spent, dns_budget_interval_s(rules->per_day),
					    dns_budget_burst(rules->per_day), now));
	/* Twice in a row there was nothing to change, and a person insists: that is what providers take for
	 * abuse. */
	if (m->nochgs >= 2 && m->sure && ipaddr_same_host(&m->published, &m->wanted) &&
	    !rules->looks_first && !m->refresh_only)
		at = MAX(at, m->attempted_s + 24 * 3600);
	return MAX(at, m->not_before_s);
}

static enum dns_action due(int64_t at, int64_t now, enum dns_action action, int64_t *ret_at)
{
	if (at <= now)
		return action;
	*ret_at = at;
	return DNS_LATER;
}

enum dns_action dns_machine_next(struct dns_machine *m, int64_t now, int64_t *ret_at)
{
	if (now < DNS_CLOCK_SET_S) { /* neither certificates nor signatures would be good */
		*ret_at = now + DNS_CLOCK_LOOK_S;
		return DNS_LATER;
	}
	if (!m->run_s)
		m->run_s = now;
	mend_clock(m, now);
	settle(m, now);
	switch (m->state) {
	case DNS_STATE_DOUBT:
		return due(m->not_before_s, now, DNS_ASK, ret_at);
	case DNS_STATE_DUE:
		return due(allowed_at(m, now), now, DNS_SEND, ret_at);
	case DNS_STATE_IDLE:
		if (m->wish == DNS_WISH_ADDRESS && m->rules->refresh_s && m->confirmed_s)
			return due(m->confirmed_s + m->rules->refresh_s, now, DNS_NOTHING, ret_at);
		return DNS_NOTHING;
	case DNS_STATE_ASKING:
	case DNS_STATE_SENT:
	case DNS_STATE_PARKED:
		return DNS_NOTHING;
	}
	return DNS_NOTHING;
}

void dns_machine_asking(struct dns_machine *m)
{
	set_state(m, DNS_STATE_ASKING);
}

/* It has the wanted address, and the question found that out. The name server does not say how long it
 * has been there; where that counts, it may be long. */
static void adopt(struct dns_machine *m, bool just_arrived, int64_t now)
{
	if (just_arrived)
		m->confirmed_s = now;
	else if (!m->confirmed_s)
		m->confirmed_s = now - (int64_t)m->rules->refresh_s / 6 * 5;
	if (!m->since_s)
		m->since_s = now;
	forgive(m); /* the name server does not speak for the provider */
}

/* No sooner than the provider wants, which it may have said meanwhile (dns_machine_hold). */
static void wait_until(struct dns_machine *m, int64_t at)
{
	m->not_before_s = m->bidden ? MAX(m->not_before_s, at) : at;
}

void dns_machine_asked(struct dns_machine *m, const struct ipaddr *published, int64_t now)
{
	bool arrived = published && m->attempt.family && ipaddr_same_host(published, &m->attempt);

	if (m->state != DNS_STATE_ASKING)
		return;
	set_state(m, DNS_STATE_DOUBT);
	if (!published) {
		m->asks++;
		if (!m->rules->asks_once)
			wait_until(m, now + dns_wait_s(DNS_NETWORK, m->asks, 0));
		/* nobody can tell: send it, as the limits allow */
		if (m->rules->asks_once || m->asks >= DNS_ASKS_MAX) {
			m->sure = true;
			m->published = m->attempt = (struct ipaddr){0};
			m->asks = 0;
		}
	} else if (m->attempt.family && !arrived && now < m->attempted_s + m->rules->settle_s) {
		wait_until(m, look_again_at(m, now)); /* it may still come */
	} else {
		m->sure = true;
		m->published = *published;
		m->attempt = (struct ipaddr){0};
		m->asks = 0;
		if (m->wish == DNS_WISH_ADDRESS && ipaddr_same_host(published, &m->wanted))
			adopt(m, arrived, now);
	}
	settle(m, now);
}

void dns_machine_sending(struct dns_machine *m, int64_t now)
{
	set_state(m, DNS_STATE_SENT);
	if (!m->sure && m->attempt.family && !ipaddr_same_host(&m->attempt, &m->wanted))
		m->published =
			(struct ipaddr){0}; /* that one may be there, or this, or none of them */
	m->attempt = m->wanted;
	m->attempted_s = now;
	m->forced = false;
	m->interval_before = m->interval_spent;
	m->budget_before = m->budget_spent;
	dns_limit_spend(&m->interval_spent, m->rules->interval_s, now);
	if (m->rules->per_day > 1)
		dns_limit_spend(&m->budget_spent, dns_budget_interval_s(m->rules->per_day), now);
}

static void take_success(struct dns_machine *m, int64_t now)
{
	bool nochg = m->verdict == DNS_NOCHG && !m->refresh_only;

	m->nochgs = nochg ? m->nochgs + 1 : 0;
	m->published = m->attempt;
	m->attempt = (struct ipaddr){0};
	m->sure = true;
	m->confirmed_s = now;
	if (!m->since_s)
		m->since_s = now;
	forget_trouble(m);
	set_state(m, DNS_STATE_IDLE);
}

static void take_trouble(struct dns_machine *m, enum dns_verdict before, unsigned retry_after_s,
			 int64_t now)
{
	m->fails = dns_same_trouble(before, m->verdict) ? m->fails + 1 : 1;
	if (m->verdict == DNS_NETWORK) { /* the provider has seen nothing of it */
		m->interval_spent = m->interval_before;
		m->budget_spent = m->budget_before;
	}
	if (leaves_open(m->verdict))
		m->sure = false;
	else
		m->attempt = (struct ipaddr){0};
	m->not_before_s = now + dns_wait_s(m->verdict, m->fails, retry_after_s);
	m->bidden = retry_after_s;
	if (dns_gives_up(m->verdict, m->fails))
		set_state(m, DNS_STATE_PARKED);
	else
		set_state(m, m->sure ? DNS_STATE_DUE : DNS_STATE_DOUBT);
}

void dns_machine_answer(struct dns_machine *m, const struct dns_reply *reply,
			unsigned retry_after_s, int64_t now)
{
	enum dns_verdict before = m->verdict;

	if (m->state != DNS_STATE_SENT)
		return;
	m->verdict = reply->verdict;
	memcpy(m->text, reply->text, sizeof(m->text));
	switch (dns_verdict_class(reply->verdict)) {
	case DNS_CLASS_OK:
		take_success(m, now);
		break;
	case DNS_CLASS_WAIT:
		take_trouble(m, before, retry_after_s, now);
		break;
	case DNS_CLASS_PARK:
		m->attempt = (struct ipaddr){0};
		set_state(m, DNS_STATE_PARKED);
		break;
	}
	settle(m, now);
}

void dns_machine_park(struct dns_machine *m, const struct dns_reply *reply)
{
	if (m->state == DNS_STATE_SENT || m->state == DNS_STATE_PARKED)
		return;
	m->verdict = reply->verdict;
	memcpy(m->text, reply->text, sizeof(m->text));
	set_state(m, DNS_STATE_PARKED);
}

void dns_machine_hold(struct dns_machine *m, const struct dns_reply *reply, int64_t until_s)
{
	if (m->state == DNS_STATE_SENT || m->state == DNS_STATE_PARKED)
		return;
	if (m->state != DNS_STATE_IDLE) {
		m->verdict = reply->verdict;
		memcpy(m->text, reply->text, sizeof(m->text));
	}
	m->not_before_s = MAX(m->not_before_s, until_s);
	m->bidden = true;
}

void dns_machine_twin_sending(struct dns_machine *m, int64_t now)
{
	m->interval_before = m->interval_spent;
	dns_limit_spend(&m->interval_spent, m->rules->interval_s, now);
}

void dns_machine_twin_failed(struct dns_machine *m)
{
	m->interval_spent = m->interval_before;
}

void dns_machine_on_network(struct dns_machine *m, int64_t now)
{
	if (m->state == DNS_STATE_DUE && m->fails && m->verdict == DNS_NETWORK)
		forget_trouble(m);
	if (m->state == DNS_STATE_DOUBT && !m->bidden && (m->asks || m->verdict == DNS_LOST))
		m->not_before_s = MIN(m->not_before_s, MAX(now, look_again_at(m, m->attempted_s)));
}

void dns_machine_unblock(struct dns_machine *m, bool force, int64_t now)
{
	if (m->state == DNS_STATE_PARKED)
		set_state(m, DNS_STATE_IDLE);
	forgive(m);
	m->forced |= force;
	settle(m, now);
}

bool dns_machine_reminds(const struct dns_machine *m, int64_t now)
{
	return m->rules->remind_s && m->since_s && now >= m->since_s + (int64_t)m->rules->remind_s;
}

void dns_machine_reminded(struct dns_machine *m, int64_t now)
{
	m->since_s = now;
}

/* ── for people ── */

const char *dns_prospect_word(enum dns_prospect prospect)
{
	static const char *const words[] = {
#define X(name, word) [DNS_PROSPECT_##name] = word,
		DNS_PROSPECTS(X)
#undef X
	};

	return words[prospect];
}

static enum dns_prospect why_later(const struct dns_machine *m, int64_t at)
{
	if (m->not_before_s == at)
		return DNS_PROSPECT_TROUBLE;
	return dns_limit_next(m->interval_spent, m->rules->interval_s, m->rules->burst, 0) == at
		       ? DNS_PROSPECT_INTERVAL
		       : DNS_PROSPECT_BUDGET;
}

enum dns_prospect dns_machine_prospect(const struct dns_machine *m, int64_t now, int64_t *ret_at)
{
	struct dns_machine then = *m;
	enum dns_action action = dns_machine_next(&then, now, ret_at);

	switch (then.state) {
	case DNS_STATE_PARKED:
		return DNS_PROSPECT_PARKED;
	case DNS_STATE_ASKING:
	case DNS_STATE_SENT:
		return DNS_PROSPECT_UNDER_WAY;
	case DNS_STATE_IDLE:
		return then.wish == DNS_WISH_ADDRESS ? DNS_PROSPECT_NOTHING
						     : DNS_PROSPECT_NO_ADDRESS;
	case DNS_STATE_DOUBT:
		return action == DNS_LATER ? DNS_PROSPECT_TROUBLE : DNS_PROSPECT_ASKS;
	case DNS_STATE_DUE:
		return action == DNS_LATER ? why_later(&then, *ret_at) : DNS_PROSPECT_NOW;
	}
	return DNS_PROSPECT_NOTHING;
}
