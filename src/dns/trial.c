#include "dns/trial.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "dns/check.h"
#include "dns/keeper_private.h"
#include "net/ndjson.h"

/*
 *	        settled         a name          published      checked          at rest
 *	WAITING ───────▶ NEXT ─────────▶ LOOKING ───────▶ CHECKING ──────▶ SENDING ────┐
 *	                  ▲ ▲                                │ nothing to send         │
 *	                  │ └────────────────────────────────┘                         │
 *	                  └────────────────────────────────────────────────────────────┘
 */
enum trial_state { TRIAL_WAITING, TRIAL_NEXT, TRIAL_LOOKING, TRIAL_CHECKING, TRIAL_SENDING };

struct trial_side {
	struct dns_trial *trial; /* borrowed */
	void *question;		 /* owned: the asker's */
	bool known;
	struct ipaddr found;
};

struct dns_trial {
	struct list node;	   /* in the keeper's */
	struct dns_keeper *keeper; /* borrowed */
	char *label;		   /* owned; NULL: all */
	unsigned how;
	void (*on_name)(void *arg, json_t *name);
	void *arg;
	enum trial_state state;
	size_t next;		  /* name */
	struct keeper_name *name; /* borrowed: the one at hand */
	struct trial_side sides[2];
	struct dns_check *check; /* owned */
	struct dns_check_result result;
	bool sends;
	unsigned answers[2]; /* that there were before, of each family */
	bool *refused;	     /* owned: of each name, whether its account was */
	struct defer work;
	struct timer patience;
};

static void forget(struct dns_trial *t)
{
	const struct dns_asker *asker = t->name ? &t->name->asker : NULL;

	for (int s = 0; s < 2; s++)
		if (t->sides[s].question)
			asker->cancel(asker->arg, t->sides[s].question);
	memset(t->sides, 0, sizeof(t->sides));
	dns_check_cancel(TAKE(t->check));
	json_decref(TAKE(t->result.requests));
	json_decref(TAKE(t->result.checks));
	t->sends = false;
	timer_stop(&t->patience);
}

void dns_trial_cancel(struct dns_trial *t)
{
	if (!t)
		return;
	forget(t);
	defer_cancel(&t->work);
	list_remove(&t->node);
	free(t->refused);
	free(t->label);
	free(t);
}

static void go(struct dns_trial *t, enum trial_state to)
{
	t->state = to;
	defer_call(&t->work);
}

/* ── what is told of a name ── */

static int64_t prospect_of(const struct keeper_name *name, int s, enum dns_prospect *ret)
{
	const struct keeper_side *other = &name->sides[!s];
	int64_t now = keeper_now_s(name->keeper), at = now;

	*ret = dns_machine_prospect(&name->sides[s].machine, now, &at);
	if (*ret == DNS_PROSPECT_NOW &&
	    dns_provider_can(name->entry.provider) & DNS_CAN_ONLY_BOTH &&
	    other->machine.wish != DNS_WISH_ADDRESS)
		*ret = DNS_PROSPECT_OTHER_FAMILY;
	return MAX(at - now, 0);
}

static json_t *found_json(const struct trial_side *side)
{
	char text[IPADDR_TEXT_MAX];

	if (!side->known)
		return json_null();
	return json_string(side->found.family ? ipaddr_format(text, &side->found) : "");
}

static json_t *record_json(const struct dns_trial *t, int s)
{
	json_t *o = keeper_side_status(&t->name->sides[s], keeper_now_s(t->keeper));
	enum dns_prospect prospect;
	int64_t span = prospect_of(t->name, s, &prospect);

	if (!o)
		return NULL;
	json_object_del(o, "name");
	json_object_del(o, "host");
	json_object_del(o, "provider");
	if (!t->name->rules.unaskable)
		json_object_set_new(o, "found", found_json(&t->sides[s]));
	json_object_set_new(o, "send", json_string(dns_prospect_word(prospect)));
	if (span)
		json_object_set_new(o, "send_s", json_integer(span));
	return o;
}

static bool was_sent(const struct dns_trial *t, int s)
{
	return t->sends && t->name->sides[s].answers != t->answers[s];
}

static json_t *sent_json(const struct dns_trial *t, int s)
{
	const struct dns_machine *m = &t->name->sides[s].machine;
	char text[DNS_REPLY_TEXT_MAX + LOG_TEXT_MAX], said[LOG_TEXT_MAX];

	snprintf(text, sizeof(text), "%s%s%s%s", dns_verdict_text(m->verdict),
		 m->text[0] ? " (" : "", log_text(said, str_of(m->text)), m->text[0] ? ")" : "");
	return json_pack("{s:s s:b s:s s:o}", "family", s ? "ipv6" : "ipv4", "good",
			 dns_verdict_class(m->verdict) == DNS_CLASS_OK, "answer",
			 dns_verdict_word(m->verdict), "text", ndjson_text(text));
}

/* What decides: 1 it works, 0 it does not, -1 not proven; and the sentence. */
static int judge(const struct dns_trial *t, const json_t *sent, const char **ret_text)
{
	bool good = false, address = false, parked = false;
	const json_t *lists[] = {t->result.checks, sent}, *o;
	size_t i;

	for (size_t k = 0; k < ARRAY_LEN(lists); k++)
		json_array_foreach(lists[k], i, o)
		{
			if (json_is_false(json_object_get(o, "good"))) {
				*ret_text = json_string_value(json_object_get(o, "text"));
				return 0;
			}
			good |= json_is_true(json_object_get(o, "good"));
		}
	for (int s = 0; s < 2; s++) {
		const struct dns_machine *m = &t->name->sides[s].machine;

		address |= t->name->sides[s].on && m->wish == DNS_WISH_ADDRESS;
		good |= t->name->sides[s].answers &&
			dns_verdict_class(m->verdict) ==
				DNS_CLASS_OK; /* with what is configured now */
		parked |= t->name->sides[s].on && m->state == DNS_STATE_PARKED;
	}
	*ret_text = good ? "it works" : "nothing speaks against it; only an update would prove it";
	if (parked)
		*ret_text = good ? "the provider takes it now, but had refused: nothing is sent "
				   "before somebody says so (homeport dns update)"
				 : "the provider has refused: nothing is sent before somebody says "
				   "so (homeport dns update)";
	else if (!address)
		*ret_text = "no address is known that could be published";
	return parked || !address ? 0 : good ? 1 : -1;
}

static json_t *name_json(const struct dns_trial *t)
{
	const struct keeper_name *name = t->name;
	json_t *records = json_array(), *sent = json_array(), *o;
	const char *text = "";
	int works;

	for (int s = 0; s < 2; s++) {
		if (name->sides[s].on)
			json_array_append_new(records, record_json(t, s));
		if (was_sent(t, s))
			json_array_append_new(sent, sent_json(t, s));
	}
	works = judge(t, sent, &text);
	o = json_pack("{s:s s:s s:s s:O s:O s:O s:O s:o s:o}", "name", name->label, "host",
		      name->entry.host, "provider", name->entry.provider->name, "records", records,
		      "requests", t->result.requests, "checks", t->result.checks, "sent", sent,
		      "works", works < 0 ? json_null() : json_boolean(works), "text",
		      ndjson_text(text));
	json_decref(records);
	json_decref(sent);
	return o;
}

/* ── one name ── */

static void look(struct dns_trial *t);

static void tell(struct dns_trial *t)
{
	json_t *o = name_json(t);

	forget(t);
	go(t, TRIAL_NEXT); /* before: on_name may cancel */
	if (o)
		t->on_name(t->arg, o);
}

/* Whether it is sent in so short a time that it is waited for. */
static bool is_soon(const struct dns_trial *t, int s, enum dns_prospect prospect, int64_t span)
{
	usec_t at = loop_now(t->keeper->loop) + (usec_t)span * USEC_PER_S;

	return (prospect == DNS_PROSPECT_INTERVAL || prospect == DNS_PROSPECT_BUDGET) &&
	       !was_sent(t, s) && at < t->patience.at;
}

/* Whether nothing of the name is under way or about to be. */
static bool at_rest(const struct dns_trial *t)
{
	if (t->name->stage != STAGE_IDLE)
		return false;
	for (int s = 0; s < 2; s++) {
		enum dns_prospect prospect;
		int64_t span;

		if (!t->name->sides[s].on)
			continue;
		span = prospect_of(t->name, s, &prospect);
		if (is_soon(t, s, prospect, span) || prospect == DNS_PROSPECT_NOW ||
		    prospect == DNS_PROSPECT_ASKS || prospect == DNS_PROSPECT_UNDER_WAY)
			return false;
	}
	return true;
}

static void send_now(struct dns_trial *t)
{
	t->sends = true;
	for (int s = 0; s < 2; s++)
		t->answers[s] = t->name->sides[s].answers;
	keeper_name_update(t->name, t->how & DNS_TRIAL_FORCE);
	timer_start(&t->patience, DNS_TRIAL_WAIT);
	t->state = TRIAL_SENDING; /* the keeper's next run looks whether it is at rest */
}

static bool is_refused(const struct dns_trial *t)
{
	const struct dns_keeper *k = t->keeper;

	for (size_t i = 0; i < k->n_names; i++)
		if (t->refused[i] && keeper_same_account(&k->names[i], t->name))
			return true;
	return false;
}

static void on_checked(void *arg, struct dns_check_result *result)
{
	struct dns_trial *t = arg;
	bool bad = result->refused;
	json_t *o;
	size_t i;

	t->check = NULL;
	t->result.requests = TAKE(result->requests);
	t->result.checks = TAKE(result->checks);
	t->refused[t->name - t->keeper->names] = result->refused;
	json_array_foreach(t->result.checks, i, o) bad |= json_is_false(json_object_get(o, "good"));
	if (t->how & DNS_TRIAL_SEND && !bad) /* what was refused once is not sent again */
		send_now(t);
	else
		tell(t);
}

/* Those whose update differs from what is there; if none does, all that have an address; else one. */
static unsigned sides_to_check(const struct keeper_name *name)
{
	unsigned on = 0, due = 0, known = 0;

	for (int s = 0; s < 2; s++) {
		enum dns_prospect prospect;

		if (!name->sides[s].on)
			continue;
		prospect_of(name, s, &prospect);
		on |= 1u << s;
		if (prospect != DNS_PROSPECT_NO_ADDRESS)
			known |= 1u << s;
		if (prospect != DNS_PROSPECT_NO_ADDRESS && prospect != DNS_PROSPECT_NOTHING)
			due |= 1u << s;
	}
	return due ? due : known ? known : on & -on;
}

static void check(struct dns_trial *t)
{
	struct dns_check_result skipped = {0};
	unsigned sides = sides_to_check(t->name);
	struct err e = {.text = "no family of addresses is on"};

	t->state = TRIAL_CHECKING;
	if (is_refused(t))
		err_set(&e, ERR_REFUSED,
			"not asked: the provider has just refused another name of this account");
	else if (sides && dns_check_start(t->name, sides, on_checked, t, &t->check, &e) == 0)
		return;
	skipped.refused = is_refused(t);
	skipped.requests = json_array();
	skipped.checks = json_pack("[{s:s s:s s:n s:s}]", "check", "skipped", "family", "both",
				   "good", "text", e.text);
	on_checked(t, &skipped);
}

static void on_found(void *arg, const struct ipaddr *published)
{
	struct trial_side *side = arg;

	side->question = NULL;
	side->known = published;
	if (published)
		side->found = *published;
	defer_call(&side->trial->work);
}

static void look(struct dns_trial *t)
{
	const struct dns_asker *asker = &t->name->asker;

	for (int s = 0; s < 2; s++) {
		t->sides[s].trial = t;
		if (t->name->sides[s].on && asker->start && !t->name->rules.unaskable)
			t->sides[s].question = asker->start(asker->arg, t->name->entry.host,
							    s ? 6 : 4, on_found, &t->sides[s]);
	}
	go(t, TRIAL_LOOKING);
}

/* ── the whole ── */

static void next(struct dns_trial *t)
{
	struct dns_keeper *k = t->keeper;
	void (*on_name)(void *arg, json_t *name) = t->on_name;
	void *arg = t->arg;

	while (t->next < k->n_names && !keeper_is_called(&k->names[t->next], t->label))
		t->next++;
	if (t->next < k->n_names) {
		t->name = &k->names[t->next++];
		look(t);
		return;
	}
	dns_trial_cancel(t);
	on_name(arg, NULL);
}

static void work(void *arg)
{
	struct dns_trial *t = arg;

	switch (t->state) {
	case TRIAL_WAITING:
		if (!timer_running(&t->keeper->settle)) /* else the keeper's next run comes here */
			next(t);
		break;
	case TRIAL_NEXT:
		next(t);
		break;
	case TRIAL_LOOKING:
		if (!t->sides[0].question && !t->sides[1].question)
			check(t);
		break;
	case TRIAL_SENDING:
		if (at_rest(t))
			tell(t);
		break;
	case TRIAL_CHECKING:
		break;
	}
}

static void on_patience(void *arg)
{
	tell(arg);
}

void keeper_trials_run(struct dns_keeper *k)
{
	struct dns_trial *t;

	list_for_each (t, &k->trials, node)
		if (t->state == TRIAL_WAITING || t->state == TRIAL_SENDING)
			defer_call(&t->work);
}

int dns_trial_start(struct dns_keeper *k, const char *label, unsigned how,
		    void (*on_name)(void *arg, json_t *name), void *arg,
		    struct dns_trial **ret_trial, struct err *e)
{
	struct dns_trial *t;
	size_t n = 0, running = 0;

	list_for_each (t, &k->trials, node)
		running++;
	for (size_t i = 0; i < k->n_names; i++)
		n += keeper_is_called(&k->names[i], label);
	if (!n)
		return err_set(e, ERR_NOT_FOUND, "no such name in the configuration");
	if (running >= DNS_TRIALS_MAX)
		return err_set(e, ERR_LIMIT, "%d others are tested just now", DNS_TRIALS_MAX);
	t = calloc(1, sizeof(*t));
	if (!t)
		return err_set(e, ERR_NOMEM, "trial");
	list_push(&k->trials, &t->node);
	t->keeper = k;
	t->how = how;
	t->on_name = on_name;
	t->arg = arg;
	defer_init(&t->work, k->loop, work, t);
	timer_init(&t->patience, k->loop, on_patience, t);
	t->label = label ? str_dup(str_of(label)) : NULL;
	t->refused = calloc(k->n_names, sizeof(*t->refused));
	if ((label && !t->label) || !t->refused) {
		dns_trial_cancel(t);
		return err_set(e, ERR_NOMEM, "trial");
	}
	go(t, TRIAL_WAITING);
	*ret_trial = t;
	return 0;
}
