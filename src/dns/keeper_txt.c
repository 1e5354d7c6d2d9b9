#include "dns/keeper_txt.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "dns/keeper_kept.h"
#include "dns/keeper_private.h"
#include "dns/txt.h"
#include "dns/updater.h"

struct dns_txt_change {
	struct list node;
	struct dns_keeper *keeper; /* borrowed */
	struct keeper_name *by;	   /* borrowed: whose credentials */
	char name[HOSTNAME_MAX], value[DNS_TXT_VALUE_MAX + 1];
	bool remove, changed, by_itself;
	usec_t wait, keep;
	enum dns_txt_state state;
	struct timer patience;
	struct dns_txt txt;	    /* SENDING over HTTP */
	struct httpc_call *call;    /* owned */
	struct dns_updater updater; /* SENDING by DNS UPDATE */
	struct dns_served *served;  /* owned: WATCHING */
	struct timer timer; /* WAITING: the account's limits; WATCHING: nobody can be asked */
	void (*done)(void *arg, const struct dns_txt_result *result);
	void *arg;
};

struct keeper_txt {
	struct list changes; /* owned */
	unsigned n_changes;
	struct keeper_kept *kept; /* owned */
};

static const char *state_name(enum dns_txt_state state)
{
	static const char *const names[] = {
#define X(name) #name,
		DNS_TXT_STATES(X)
#undef X
	};

	return names[state];
}

static void set_state(struct dns_txt_change *c, enum dns_txt_state to, const char *why)
{
	assert(to == c->state + 1);
	log_debug("TXT of %s: %s -> %s: %s", c->name, state_name(c->state), state_name(to), why);
	c->state = to;
}

/* What is known of an account is with its first name. */
static struct keeper_name *account_of(const struct keeper_name *name)
{
	return &name->keeper->names[name->account];
}

static bool is_single(const struct keeper_name *name)
{
	const struct dns_txt_row *row = dns_txt_row_find(name->entry.provider);

	return row && row->scope == DNS_TXT_SINGLE;
}

static int refuse_another(const struct keeper_name *name, struct err *e)
{
	return err_set(e, ERR_EXISTS,
		       "%s has one TXT value for %s and all below it, and another one was added "
		       "here: remove that first",
		       name->entry.provider->title, name->entry.host);
}

/* Whether the interface for texts is the one for addresses, with its limits. */
static bool is_limited(const struct keeper_name *name)
{
	const struct dns_txt_row *row = dns_txt_row_find(name->entry.provider);

	return row && !row->header;
}

/* Every text of the account would be told the same, until a person has mended it. */
static bool refuses_all_texts(enum dns_verdict verdict)
{
	return dns_verdict_is_credentials(verdict) || verdict == DNS_ABUSE;
}

/* The account's refusal, of addresses or texts; DNS_GOOD: none. */
static enum dns_verdict refusal(const struct keeper_name *by)
{
	const struct dns_keeper *k = by->keeper;
	enum dns_verdict refused = account_of(by)->txt_refused;

	for (size_t i = by->account; i < k->n_names && !refused; i++)
		for (int s = 0; s < 2; s++) {
			const struct keeper_side *side = &k->names[i].sides[s];

			if (keeper_same_account(&k->names[i], by) && side->on &&
			    side->machine.state == DNS_STATE_PARKED &&
			    refuses_all_texts(side->machine.verdict))
				refused = side->machine.verdict;
		}
	return refused;
}

/* Whether the account may be sent something, which may not begin before `at`. */
static int check_account(const struct keeper_name *by, int64_t at, struct err *e)
{
	const char *title = by->entry.provider->title;
	enum dns_verdict refused = refusal(by);
	int64_t now = keeper_now_s(by->keeper);
	char span[USTIME_TEXT_MAX];

	if (refused)
		return err_set(e, ERR_DENIED,
			       "%s has refused this account: %s; nothing more is sent until the "
			       "configuration is another one, or \"homeport dns update %s\"",
			       title, dns_verdict_text(refused), by->label);
	if (at > now)
		return err_set(e, ERR_AGAIN, "%s wants to be left alone for %s more", title,
			       ustime_format_span(span, (usec_t)(at - now) * USEC_PER_S));
	return 0;
}

/* ── the end ── */

static void change_free(struct dns_txt_change *c)
{
	struct dns_keeper *k = c->keeper;

	timer_stop(&c->patience);
	timer_stop(&c->timer);
	httpc_cancel(c->call);
	dns_updater_cancel(&c->updater);
	dns_served_cancel(c->served);
	dns_txt_done(&c->txt);
	list_remove(&c->node);
	k->txt->n_changes--;
	free(c);
	keeper_run_soon(k);
}

static void end(struct dns_txt_change *c, int r, const struct err *e,
		const struct dns_served_result *served)
{
	struct dns_keeper *k = c->keeper;
	struct dns_txt_result result = {.r = r,
					.name = c->name,
					.value = c->value,
					.label = c->by->label,
					.provider = c->by->entry.provider->name,
					.remove = c->remove,
					.changed = c->changed,
					.by_itself = c->by_itself,
					.watched = served != NULL};

	if (r < 0)
		result.err = *e;
	if (served)
		result.served = *served;
	if (c->by_itself && r < 0)
		keeper_kept_failed(k->txt->kept, c->name, c->value);
	if (k->settings.on_txt)
		k->settings.on_txt(k->settings.arg, &result);
	if (c->done)
		c->done(c->arg, &result);
	change_free(c);
}

/* ── WATCHING ── */

/* Nobody tells when they have it: most have it after half a minute. */
static void wait_blindly(struct dns_txt_change *c)
{
	timer_start(&c->timer, MIN(c->wait, DNS_TXT_BLIND));
}

static void on_served(void *arg, const struct dns_served_result *result)
{
	struct dns_txt_change *c = arg;
	struct err e = {0};
	int r = 0;

	c->served = NULL;
	if (result->state == DNS_SERVED_UNKNOWN) {
		wait_blindly(c);
		return;
	}
	if (result->state == DNS_SERVED_NO)
		r = err_set(&e, ERR_TIMEOUT,
			    "it is done at the provider, but the name server %s %s", result->behind,
			    c->remove ? "still has it" : "does not have it yet");
	end(c, r, &e, result);
}

static void watch(struct dns_txt_change *c)
{
	const struct dns_keeper_settings *settings = &c->keeper->settings;
	const struct dns_lookup_settings *lookups =
		settings->lookups ? settings->lookups(settings->arg, c->by->label) : NULL;
	struct dns_served_wish wish = {
		.name = c->name, .value = c->value, .absent = c->remove, .wait = c->wait};

	if (!c->wait) {
		end(c, 0, NULL, NULL);
		return;
	}
	set_state(c, DNS_TXT_WATCHING, "the provider has it");
	if (!lookups || dns_served_start(lookups, &wish, on_served, c, &c->served, NULL) < 0)
		wait_blindly(c);
}

/* ── SENDING ── */

/* A wrong password may only be one for texts: addresses find that out by themselves. */
static void heed(struct dns_txt_change *c, const struct dns_reply *reply, unsigned retry_after_s)
{
	struct keeper_name *account = account_of(c->by);
	enum dns_verdict verdict = reply->verdict;
	int64_t until;

	if (refuses_all_texts(verdict))
		account->txt_refused = verdict;
	if (dns_verdict_class(verdict) != DNS_CLASS_WAIT || verdict == DNS_NETWORK ||
	    verdict == DNS_LOST || verdict == DNS_TIME)
		return;
	until = keeper_now_s(c->keeper) + dns_wait_s(verdict, 1, retry_after_s);
	account->txt_not_before_s = MAX(account->txt_not_before_s, until);
	keeper_tell_account(c->by, reply, until);
}

/* Nobody has told whether it arrived: if so, it is to be taken away, too. */
static void doubt(struct dns_txt_change *c)
{
	if (!c->remove && c->keep)
		keeper_kept_put(c->keeper->txt->kept, c->by, c->name, c->value, c->keep);
}

static void on_reply(struct dns_txt_change *c, const struct dns_reply *reply,
		     unsigned retry_after_s)
{
	char words[LOG_TEXT_MAX];
	struct err e = {0};
	int r = 0;

	if (dns_verdict_class(reply->verdict) != DNS_CLASS_OK) {
		bool parks = dns_verdict_class(reply->verdict) == DNS_CLASS_PARK;

		heed(c, reply, retry_after_s);
		if (reply->verdict == DNS_LOST)
			doubt(c);
		log_text(words, str_of(reply->text));
		r = err_set(&e, parks ? ERR_DENIED : ERR_AGAIN, "%s: %s%s%s%s",
			    c->by->entry.provider->title, dns_verdict_text(reply->verdict),
			    *words ? " (" : "", words, *words ? ")" : "");
		end(c, r, &e, NULL);
		return;
	}
	c->changed = reply->verdict == DNS_GOOD;
	if (!c->remove && (c->keep || is_single(c->by)))
		keeper_kept_put(c->keeper->txt->kept, c->by, c->name, c->value, c->keep);
	else
		keeper_kept_drop(c->keeper->txt->kept, c->name, c->value);
	keeper_run_soon(c->keeper); /* the account is free */
	watch(c);
}

static void next_request(struct dns_txt_change *c);

static void on_http(void *arg, const struct httpc_answer *answer)
{
	struct dns_txt_change *c = arg;
	struct dns_answer given = {.status = (int)answer->status, .body = answer->body};

	c->call = NULL;
	given.retry_after_s = keeper_retry_after(answer, keeper_now_s(c->keeper));
	if (answer->r < 0) {
		dns_txt_fail(&c->txt, answer->err.text);
		if (keeper_http_may_have_arrived(answer))
			c->txt.reply.verdict = DNS_LOST;
	} else {
		dns_txt_answer(&c->txt, &given);
	}
	if (dns_txt_ended(&c->txt))
		on_reply(c, &c->txt.reply, given.retry_after_s);
	else
		next_request(c);
}

static void next_request(struct dns_txt_change *c)
{
	struct dns_request q = {0};
	struct err e = {0};
	int r = dns_txt_request(&c->txt, &q, &e);

	if (r == 0)
		r = keeper_http_send(c->by, &q, on_http, c, &c->call, &e);
	dns_request_done(&q);
	if (r == 0)
		return;
	if (!dns_txt_ended(&c->txt))
		dns_txt_fail(&c->txt, e.text);
	else
		snprintf(c->txt.reply.text, sizeof(c->txt.reply.text), "%.*s",
			 (int)sizeof(c->txt.reply.text) - 1, e.text);
	on_reply(c, &c->txt.reply, 0);
}

static void on_update(void *arg, const struct dns_reply *reply)
{
	on_reply(arg, reply, 0);
}

static void refuse(struct dns_txt_change *c, int r, const struct err *e)
{
	struct dns_reply reply = {.verdict = r == -ERR_INVALID ? DNS_REFUSED : DNS_NETWORK};

	snprintf(reply.text, sizeof(reply.text), "%.*s", (int)sizeof(reply.text) - 1, e->text);
	on_reply(c, &reply, 0);
}

/* The provider has one value, and it is another one that was added here. */
static void keep_the_other(struct dns_txt_change *c)
{
	struct err e = {0};

	if (c->remove)
		end(c, 0, NULL, NULL);
	else
		end(c, refuse_another(c->by, &e), &e, NULL);
}

static void start(struct dns_txt_change *c)
{
	const struct dns_entry *entry = &c->by->entry;
	struct dns_change change = {.host = c->name,
				    .txt = c->value,
				    .remove = c->remove,
				    .ttl_s = entry->ttl_s ? entry->ttl_s : DNS_TTL_DEFAULT_S};
	struct err e = {0};
	int r = check_account(c->by, account_of(c->by)->txt_not_before_s, &e);

	if (r < 0) { /* told to another one, while this one waited */
		end(c, r, &e, NULL);
		return;
	}
	timer_stop(&c->patience);
	timer_stop(&c->timer);
	if (is_limited(c->by))
		keeper_account_spend(c->by, keeper_now_s(c->keeper));
	set_state(c, DNS_TXT_SENDING, "the account is free");
	if (is_single(c->by) && keeper_kept_has_another(c->keeper->txt->kept, c->by, c->value)) {
		keep_the_other(c);
		return;
	}
	if (entry->provider->rfc2136) {
		r = dns_updater_start(&c->updater, c->keeper->loop, entry, &change,
				      keeper_now_s(c->keeper), on_update, c, &e);
	} else {
		r = dns_txt_start(&c->txt, entry, c->name, c->value, c->remove, &e);
		if (r == 0)
			next_request(c);
	}
	if (r < 0)
		refuse(c, r, &e);
}

/* ── WAITING ── */

static void on_patience(void *arg)
{
	struct dns_txt_change *c = arg;
	struct err e = {0};

	end(c,
	    err_set(&e, ERR_AGAIN, "%s: other requests of this account take too long",
		    c->by->entry.provider->title),
	    &e, NULL);
}

bool keeper_txt_is_busy(const struct dns_keeper *k, const struct keeper_name *name)
{
	const struct dns_txt_change *c;

	list_for_each (c, &k->txt->changes, node)
		if (c->state == DNS_TXT_SENDING && keeper_same_account(c->by, name))
			return true;
	return false;
}

static bool is_free(struct dns_txt_change *c)
{
	const struct keeper_name *by = c->by;
	int64_t now = keeper_now_s(c->keeper),
		at = is_limited(by) ? keeper_account_next(by, now) : now;

	if (at > now && !timer_running(&c->timer))
		timer_start(&c->timer, (usec_t)(at - now) * USEC_PER_S);
	return at <= now && account_of(by)->n_begun == 0 && !keeper_txt_is_busy(c->keeper, by);
}

void keeper_txt_run(struct dns_keeper *k)
{
	struct dns_txt_change *c, *tmp;

	list_for_each_safe (c, tmp, &k->txt->changes, node)
		if (c->state == DNS_TXT_WAITING && is_free(c))
			start(c);
}

static void on_timer(void *arg)
{
	struct dns_served_result nobody = {.state = DNS_SERVED_UNKNOWN};
	struct dns_txt_change *c = arg;

	if (c->state == DNS_TXT_WAITING)
		keeper_run_soon(c->keeper);
	else
		end(c, 0, NULL, &nobody);
}

/* ── wishes ── */

struct keeper_name *keeper_txt_section(struct dns_keeper *k, const char *name)
{
	struct keeper_name *best = NULL;
	size_t most = 0;

	for (size_t i = 0; i < k->n_names; i++) {
		size_t serves = dns_txt_serves(&k->names[i].entry, name);

		if (serves > most) {
			most = serves;
			best = &k->names[i];
		}
	}
	return best;
}

/* When the day's budget has room; it is one with that of the name's addresses. */
static int64_t budget_at(const struct keeper_name *by, int64_t now)
{
	const struct dns_machine *m = &by->sides[by->sides[0].on ? 0 : 1].machine;
	unsigned per_day = by->rules.per_day;

	return per_day ? dns_limit_next(m->budget_spent, dns_budget_interval_s(per_day),
					dns_budget_burst(per_day), now)
		       : now;
}

static void spend(struct keeper_name *by, int64_t now)
{
	struct keeper_side *side = &by->sides[by->sides[0].on ? 0 : 1];

	if (!by->rules.per_day)
		return;
	dns_limit_spend(&side->machine.budget_spent, dns_budget_interval_s(by->rules.per_day), now);
	keeper_put(side);
}

static int check(struct dns_keeper *k, struct keeper_name *by, const struct dns_txt_wish *wish,
		 struct err *e)
{
	int r = check_account(
		by, MAX(account_of(by)->txt_not_before_s, budget_at(by, keeper_now_s(k))), e);

	if (r < 0)
		return r;
	if (k->txt->n_changes == DNS_TXT_CHANGES_MAX)
		return err_set(e, ERR_LIMIT, "%d changes are under way", DNS_TXT_CHANGES_MAX);
	if (!wish->remove && keeper_kept_is_full(k->txt->kept))
		return err_set(e, ERR_LIMIT, "%d values wait to be taken away", DNS_TXT_KEPT_MAX);
	if (!wish->remove && is_single(by) &&
	    keeper_kept_has_another(k->txt->kept, by, wish->value))
		return refuse_another(by, e);
	return 0;
}

static struct dns_txt_change *add(struct dns_keeper *k, struct keeper_name *by, const char *name,
				  const struct dns_txt_wish *wish)
{
	struct dns_txt_change *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->keeper = k;
	c->by = by;
	strcpy(c->name, name);
	str_copy(c->value, sizeof(c->value), str_of(wish->value));
	c->remove = wish->remove;
	c->wait = MIN(wish->wait, DNS_TXT_WAIT_MAX);
	c->keep = wish->keep;
	timer_init(&c->patience, k->loop, on_patience, c);
	timer_init(&c->timer, k->loop, on_timer, c);
	timer_start(&c->patience, DNS_TXT_PATIENCE);
	list_push(&k->txt->changes, &c->node);
	k->txt->n_changes++;
	spend(by, keeper_now_s(k));
	keeper_run_soon(k);
	return c;
}

int dns_keeper_txt(struct dns_keeper *k, const struct dns_txt_wish *wish,
		   void (*done)(void *arg, const struct dns_txt_result *result), void *arg,
		   struct dns_txt_change **ret_change, struct err *e)
{
	char name[HOSTNAME_MAX];
	struct keeper_name *by;
	struct dns_txt_change *c;
	int r;

	if (!hostname_copy(name, str_of(wish->name)))
		return err_set(e, ERR_INVALID, "this is no name");
	if (!dns_txt_value_valid(str_of(wish->value)))
		return err_set(e, ERR_INVALID, "a TXT value is 1 to %d printable ASCII characters",
			       DNS_TXT_VALUE_MAX);
	by = keeper_txt_section(k, name);
	if (!by)
		return err_set(e, ERR_NOT_FOUND,
			       "no [dns] section has this name or its zone, at a provider that "
			       "takes TXT values (homeport dns providers)");
	r = check(k, by, wish, e);
	if (r < 0)
		return r;
	c = add(k, by, name, wish);
	if (!c)
		return err_set(e, ERR_NOMEM, "change");
	c->done = done;
	c->arg = arg;
	*ret_change = c;
	return 0;
}

void dns_keeper_txt_forget(struct dns_txt_change *change)
{
	if (change)
		change->done = NULL;
}

bool keeper_txt_take_away(struct keeper_name *by, const char *name, const char *value)
{
	struct dns_txt_wish wish = {.name = name, .value = value, .remove = true};
	struct dns_txt_change *c = NULL;
	struct err e = {0};

	if (check(by->keeper, by, &wish, &e) == 0)
		c = add(by->keeper, by, name, &wish);
	if (c)
		c->by_itself = true;
	return c;
}

void keeper_txt_forgive(struct dns_keeper *k)
{
	for (size_t i = 0; i < k->n_names; i++) {
		k->names[i].txt_refused = DNS_GOOD;
		k->names[i].txt_not_before_s = 0;
	}
}

/* ── life ── */

int keeper_txt_new(struct dns_keeper *k, struct err *e)
{
	k->txt = calloc(1, sizeof(*k->txt));
	if (!k->txt)
		return err_set(e, ERR_NOMEM, "names");
	list_init(&k->txt->changes);
	return keeper_kept_new(k, &k->txt->kept, e);
}

void keeper_txt_resume(struct dns_keeper *k)
{
	keeper_kept_resume(k->txt->kept);
}

void keeper_txt_free(struct dns_keeper *k)
{
	struct dns_txt_change *c, *next;
	struct err e = {0};

	if (!k->txt)
		return;
	err_set(&e, ERR_AGAIN, "homeport stops, or reads its configuration: try again");
	list_for_each_safe (c, next, &k->txt->changes, node) {
		if (c->state == DNS_TXT_SENDING)
			doubt(c);
		c->by_itself = false; /* there is no later */
		end(c, -ERR_AGAIN, &e, NULL);
	}
	keeper_kept_free(k->txt->kept);
	free(TAKE(k->txt));
}
