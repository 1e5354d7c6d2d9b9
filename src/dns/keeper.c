#include "dns/keeper.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/secret.h"
#include "dns/batch.h"
#include "dns/keeper_private.h"

/* ── small things ── */

static void on_step(struct dns_keeper *k, int64_t step)
{
	for (size_t i = 0; i < k->n_names; i++)
		for (int s = 0; s < 2; s++)
			if (k->names[i].sides[s].machine.run_s) {
				dns_machine_on_step(&k->names[i].sides[s].machine, step);
				keeper_put(&k->names[i].sides[s]);
			}
}

int64_t keeper_now_s(struct dns_keeper *k)
{
	int64_t now_s = k->settings.wall_s ? k->settings.wall_s(k->settings.arg)
					   : (int64_t)(ustime_wall() / USEC_PER_S);
	int64_t offset_s = now_s - (int64_t)(loop_now(k->loop) / USEC_PER_S);
	int64_t step = k->offset_s ? offset_s - k->offset_s : 0;

	k->offset_s = offset_s;
	if (step >= DNS_KEEPER_STEP_S || step <= -DNS_KEEPER_STEP_S)
		on_step(k, step);
	return now_s;
}

static void say(const struct dns_keeper *k, const struct dns_event *event)
{
	if (k->settings.on_event)
		k->settings.on_event(k->settings.arg, event);
}

/* Before it is, what is remembered would be misjudged: a wait that is over, a limit that has been kept. */
static bool clock_is_set(struct dns_keeper *k, int64_t now_s)
{
	usec_t waited = loop_now(k->loop) - k->born;
	struct dns_event event = {.kind = DNS_EVENT_CLOCK, .text = ""};

	k->waits_for_clock =
		now_s < DNS_CLOCK_SET_S ||
		(now_s + DNS_KEEPER_STEP_S < k->ledger.written_s && waited < DNS_KEEPER_CLOCK_WAIT);
	if (!k->waits_for_clock)
		k->ledger.written_s = 0; /* it is this clock's now */
	else if (!k->told_clock && waited >= DNS_CLOCK_LOOK_S * USEC_PER_S) {
		k->told_clock = true;
		say(k, &event);
	}
	return !k->waits_for_clock;
}

void keeper_set_stage(struct keeper_name *name, enum keeper_stage stage)
{
	struct keeper_name *first = &name->keeper->names[name->account];
	unsigned begins = stage != STAGE_IDLE, began = name->stage != STAGE_IDLE;

	first->n_begun += begins - began;
	first->n_sent += (stage == STAGE_SENT) - (unsigned)(name->stage == STAGE_SENT);
	if (!name->entry.provider->rfc2136)
		name->keeper->n_calls += begins - began;
	name->stage = stage;
}

static struct dns_event event_of(const struct keeper_side *side, enum dns_event_kind kind)
{
	const struct keeper_name *name = side->name;
	const struct dns_machine *m = &side->machine;

	return (struct dns_event){
		.kind = kind,
		.label = name->label,
		.host = name->entry.host,
		.provider = name->entry.provider->name,
		.family = side->family,
		.address = m->published,
		.verdict = m->verdict,
		.text = m->text,
		.retry_s = MAX(m->not_before_s - keeper_now_s(name->keeper), 0),
	};
}

static void tell(const struct keeper_side *side, enum dns_event_kind kind)
{
	struct dns_event event = event_of(side, kind);

	say(side->name->keeper, &event);
}

/* The answer was lost, but the request was not. */
static void tell_arrived(const struct keeper_side *side)
{
	struct dns_event event = event_of(side, DNS_EVENT_CHANGED);

	event.verdict = DNS_GOOD;
	event.text = "";
	say(side->name->keeper, &event);
}

void keeper_tell_state(const struct dns_keeper *k, const struct err *e)
{
	struct dns_event event = {.kind = DNS_EVENT_STATE, .text = e->text};

	say(k, &event);
}

/* ── the end of a request ── */

static bool is_about_the_account(enum dns_verdict verdict)
{
	return dns_verdict_is_credentials(verdict) || verdict == DNS_OUTAGE || verdict == DNS_RATE;
}

static void tell_account(struct keeper_name *name, const struct dns_reply *reply, int64_t until_s)
{
	struct dns_keeper *k = name->keeper;
	struct keeper_name *first = &k->names[name->account];

	if (dns_verdict_class(reply->verdict) == DNS_CLASS_WAIT)
		first->txt_not_before_s = MAX(first->txt_not_before_s, until_s);
	for (size_t i = 0; i < k->n_names; i++)
		for (int s = 0; s < 2; s++) {
			struct keeper_side *other = &k->names[i].sides[s];

			if (!other->on || !keeper_same_account(&k->names[i], name) ||
			    other->machine.state == DNS_STATE_PARKED ||
			    other->machine.state == DNS_STATE_SENT)
				continue;
			if (dns_verdict_class(reply->verdict) == DNS_CLASS_WAIT) {
				dns_machine_hold(&other->machine, reply, until_s);
			} else {
				dns_machine_park(&other->machine, reply);
				tell(other, DNS_EVENT_PARKED);
			}
			keeper_put(other);
		}
}

void keeper_tell_account(struct keeper_name *name, const struct dns_reply *reply, int64_t until_s)
{
	if (is_about_the_account(reply->verdict))
		tell_account(name, reply, until_s);
}

/* before: what it was before the answer. */
static void tell_result(struct keeper_side *side, const struct dns_machine *before)
{
	const struct dns_machine *m = &side->machine;
	bool kept = ipaddr_same_host(&before->published, &m->published) ||
		    (m->verdict == DNS_NOCHG && !before->sure && !before->published.family);

	if (m->state == DNS_STATE_PARKED)
		tell(side, DNS_EVENT_PARKED);
	else if (dns_verdict_class(m->verdict) != DNS_CLASS_OK)
		tell(side, DNS_EVENT_TROUBLE);
	else
		tell(side, kept ? DNS_EVENT_KEPT : DNS_EVENT_CHANGED);
}

/* Whether the other family's requests count for it, too. */
static bool has_twin(const struct keeper_side *side)
{
	return side->on && side->name->entry.provider->hard_interval;
}

void keeper_finish(struct keeper_name *name, const struct dns_reply *reply, unsigned retry_after_s)
{
	struct dns_keeper *k = name->keeper;
	int64_t until_s = 0;

	keeper_set_stage(name, STAGE_IDLE);
	name->call = NULL;
	for (int s = 0; s < 2; s++) {
		struct keeper_side *side = &name->sides[s];
		struct dns_machine before = side->machine;

		if (!side->sending) {
			if (has_twin(side) && reply->verdict == DNS_NETWORK)
				dns_machine_twin_failed(&side->machine);
			continue;
		}
		side->sending = false;
		side->answers++;
		dns_machine_answer(&side->machine, reply, retry_after_s, keeper_now_s(k));
		keeper_put(side);
		tell_result(side, &before);
		until_s = MAX(until_s, side->machine.not_before_s);
	}
	if (reply->verdict == DNS_NETWORK)
		keeper_account_refund(name);
	if (retry_after_s && dns_verdict_class(reply->verdict) == DNS_CLASS_WAIT)
		tell_account(name, reply, until_s); /* whatever the trouble is */
	else
		keeper_tell_account(name, reply, until_s);
	keeper_run_soon(k);
}

/* ── sending ── */

/* What was stored may leave. */
static void transmit(struct dns_keeper *k)
{
	for (size_t i = 0; i < k->n_names; i++) {
		struct keeper_name *name = &k->names[i];

		if (name->stage != STAGE_STORED)
			continue;
		if (name->entry.provider->rfc2136) {
			keeper_batch_start(k, i);
		} else {
			keeper_set_stage(name, STAGE_SENT);
			keeper_http_start(name);
		}
	}
}

static bool account_is_busy(const struct dns_keeper *k, const struct keeper_name *name)
{
	const struct keeper_name *first = &k->names[name->account];

	/* of DNS UPDATE, what is not sent yet goes together in one message */
	return (name->entry.provider->rfc2136 ? first->n_sent : first->n_begun) ||
	       keeper_txt_is_busy(k, name);
}

/* Whether a request with both addresses may be sent now: of one that is not due it says what the
 * provider has already. */
static bool can_send_both(const struct keeper_name *name, unsigned due)
{
	for (int s = 0; s < 2; s++) {
		const struct dns_machine *m = &name->sides[s].machine;

		if (!name->sides[s].on || m->wish != DNS_WISH_ADDRESS ||
		    (!(due & 1u << s) && m->state != DNS_STATE_IDLE))
			return false;
	}
	return true;
}

static bool is_asking(const struct keeper_name *name)
{
	return name->sides[0].question || name->sides[1].question;
}

/* Which request sends these sides (bit 0: IPv4, bit 1: IPv6); 0: none can now. */
static unsigned choose_request(struct keeper_name *name, unsigned due)
{
	unsigned can = dns_provider_can(name->entry.provider);

	if (can & DNS_CAN_BOTH && is_asking(name) && !name->prefix)
		return 0;	       /* perhaps the other one goes with it */
	if (can & DNS_CAN_ONLY_BOTH) { /* one alone would harm the other's record */
		name->what = DNS_BOTH;
		return can_send_both(name, due) ? due : 0;
	}
	if (due == 3 && (can & DNS_CAN_BOTH) && !name->prefix) {
		name->what = DNS_BOTH;
		return due;
	}
	name->what = due & 1 ? DNS_A : name->prefix ? DNS_PREFIX : DNS_AAAA;
	return due & 1 ? 1 : 2;
}

static void begin(struct keeper_name *name, unsigned due, int64_t now)
{
	struct dns_keeper *k = name->keeper;
	unsigned sides = choose_request(name, due);

	if (!sides)
		return;
	for (int s = 0; s < 2; s++) {
		struct keeper_side *side = &name->sides[s];

		side->to_send = side->machine.wanted;
		if (sides & 1u << s) {
			side->sending = true;
			dns_machine_sending(&side->machine, now);
			keeper_put(side);
		} else if (has_twin(side)) {
			dns_machine_twin_sending(&side->machine, now);
			keeper_put(side);
		}
	}
	keeper_account_spend(name, now);
	keeper_set_stage(name, STAGE_TO_STORE);
	k->dirty = true;
}

/* ── asking ── */

static const struct ipaddr no_suffix = {.family = 6};

static void on_asked(void *arg, const struct ipaddr *published)
{
	struct keeper_side *side = arg;
	const struct keeper_name *name = side->name;
	struct dns_machine *m = &side->machine;
	struct ipaddr network, before = m->published, sent = m->attempt;

	side->question = NULL;
	name->keeper->n_questions--;
	/* what is published is an address; its network is what we can compare */
	if (side->family == 6 && name->prefix && published && published->family &&
	    dns_suffix_apply(published, name->prefix_bits, &no_suffix, &network))
		published = &network;
	dns_machine_asked(m, published, keeper_now_s(name->keeper));
	keeper_put(side);
	if (m->sure && sent.family && ipaddr_same_host(&m->published, &sent) &&
	    !ipaddr_same_host(&before, &sent))
		tell_arrived(side);
	keeper_run_soon(name->keeper);
}

static void ask(struct keeper_side *side, int64_t now)
{
	struct dns_keeper *k = side->name->keeper;
	const struct dns_asker *asker = &side->name->asker;

	if (k->n_questions == DNS_KEEPER_ASKS_MAX)
		return; /* one of them ends, and then it is looked again */
	dns_machine_asking(&side->machine);
	if (asker->start)
		side->question = asker->start(asker->arg, side->name->entry.host, side->family,
					      on_asked, side);
	if (side->question)
		k->n_questions++;
	else
		dns_machine_asked(&side->machine, NULL, now);
}

/* ── what is to be done ── */

static void wish(struct keeper_side *side, const struct keeper_choice *choice, int64_t now)
{
	const struct keeper_name *name = side->name;
	const struct ipaddr *fixed = side->family == 6 ? &name->fixed6 : &name->fixed4;
	struct ipaddr address = choice->address;
	enum dns_wish wish = choice->wish;

	if (fixed->family) {
		address = *fixed;
		wish = DNS_WISH_ADDRESS;
	} else if (side->family == 6 && name->suffix.family && wish == DNS_WISH_ADDRESS &&
		   !dns_suffix_apply(&choice->address, name->prefix_bits, &name->suffix,
				     &address)) {
		wish = DNS_WISH_UNKNOWN;
	}
	if (side->family == 6 && name->prefix && wish == DNS_WISH_ADDRESS &&
	    !dns_suffix_apply(&address, name->prefix_bits, &no_suffix, &address))
		wish = DNS_WISH_UNKNOWN;
	dns_machine_on_wish(&side->machine, wish, wish == DNS_WISH_ADDRESS ? &address : NULL, now);
}

static void remind(struct keeper_side *side, int64_t now, int64_t *soonest)
{
	const struct dns_machine *m = &side->machine;
	int64_t at = m->since_s + (int64_t)m->rules->remind_s;

	bool twin =
		side->family == 6 && side->name->sides[0].on; /* it is the name that is confirmed */

	if (!m->rules->remind_s || !m->since_s || twin)
		return;
	if (dns_machine_reminds(m, now) && now >= side->remind_at) {
		side->remind_at = now + 24 * 3600;
		tell(side, DNS_EVENT_REMIND);
	}
	*soonest = MIN(*soonest, MAX(at, side->remind_at));
}

/* One name: what is due now is begun, what is due later counts for *soonest. */
static void look(struct keeper_name *name, int64_t now, int64_t *soonest)
{
	struct dns_keeper *k = name->keeper;
	unsigned due = 0;
	int64_t allowed;

	for (int s = 0; s < 2; s++) {
		struct keeper_side *side = &name->sides[s];
		int64_t at = INT64_MAX;

		if (!side->on)
			continue;
		wish(side, &k->choices[s], now);
		if (k->settings.only_look)
			continue;
		if (dns_machine_next(&side->machine, now, &at) == DNS_ASK)
			ask(side, now);
		switch (dns_machine_next(&side->machine, now, &at)) {
		case DNS_SEND:
			due |= 1u << s;
			break;
		case DNS_LATER:
			*soonest = MIN(*soonest, at);
			break;
		case DNS_ASK:
		case DNS_NOTHING:
			break;
		}
		remind(side, now, soonest);
	}
	if (!due || name->stage != STAGE_IDLE)
		return;
	allowed = keeper_account_next(name, now);
	if (allowed > now)
		*soonest = MIN(*soonest, allowed);
	else if (!account_is_busy(k, name) &&
		 (name->entry.provider->rfc2136 || k->n_calls < DNS_KEEPER_CALLS_MAX))
		begin(name, due, now);
}

/* ── the whole ── */

/* While reports come in, what was chosen before stays. */
static usec_t choose(struct dns_keeper *k)
{
	usec_t now = loop_now(k->loop), soonest = 0;

	if (timer_running(&k->settle))
		return 0;
	for (int i = 0; i < 2; i++) {
		struct keeper_choice *c = &k->choices[i];
		usec_t at;

		c->wish = dns_chooser_decide(&k->chooser, i ? 6 : 4, now, &c->address, &c->source,
					     &at);
		if (at && (!soonest || at < soonest))
			soonest = at;
	}
	return soonest;
}

static void run(void *arg)
{
	struct dns_keeper *k = arg;
	int64_t now_s = keeper_now_s(k), soonest_s = INT64_MAX;
	usec_t soonest = choose(k), now = loop_now(k->loop);

	keeper_txt_run(k);
	if (clock_is_set(k, now_s))
		for (size_t i = 0; i < k->n_names; i++)
			look(&k->names[i], now_s, &soonest_s);
	keeper_store_run(k);
	transmit(k);
	keeper_trials_run(k);
	if (k->waits_for_clock)
		soonest = now + (now < k->born + DNS_KEEPER_CLOCK_WAIT
					 ? DNS_KEEPER_CLOCK_LOOK
					 : DNS_CLOCK_LOOK_S * USEC_PER_S);
	if (soonest_s < INT64_MAX) {
		/* the wall clock may be set meanwhile: look at least once an hour */
		int64_t span = MIN(MAX(soonest_s - now_s, 1), 3600);
		usec_t at = now + (usec_t)span * USEC_PER_S;

		soonest = soonest ? MIN(soonest, at) : at;
	}
	timer_stop(&k->timer);
	if (soonest)
		timer_start_at(&k->timer, soonest);
}

void keeper_run_soon(struct dns_keeper *k)
{
	defer_call(&k->defer);
}

/* Another report of a burst, or the first. */
static void settle(struct dns_keeper *k)
{
	usec_t now = loop_now(k->loop);

	if (!timer_running(&k->settle))
		k->settle_by = now + DNS_KEEPER_SETTLE;
	timer_start_at(&k->settle, MIN(now + DNS_KEEPER_QUIET, k->settle_by));
}

void dns_keeper_report(struct dns_keeper *k, enum dns_source source, int family, enum dns_wish wish,
		       const struct ipaddr *address)
{
	dns_chooser_report(&k->chooser, source, family, wish, address, loop_now(k->loop));
	settle(k);
}

bool dns_keeper_wants_more(const struct dns_keeper *k, int family)
{
	return dns_chooser_wants_more(&k->chooser, family, loop_now(k->loop));
}

void dns_keeper_moved(struct dns_keeper *k)
{
	dns_chooser_forget(&k->chooser);
}

bool dns_keeper_is_behind(const struct dns_keeper *k)
{
	return dns_chooser_is_behind(&k->chooser);
}

void dns_keeper_network(struct dns_keeper *k)
{
	int64_t now = keeper_now_s(k);

	for (size_t i = 0; i < k->n_names; i++)
		for (int s = 0; s < 2; s++)
			if (k->names[i].sides[s].on)
				dns_machine_on_network(&k->names[i].sides[s].machine, now);
	settle(k);
}

bool keeper_is_called(const struct keeper_name *name, const char *label)
{
	return !label || strcmp(name->label, label) == 0 || strcmp(name->entry.host, label) == 0;
}

bool keeper_name_update(struct keeper_name *name, bool force)
{
	int64_t now = keeper_now_s(name->keeper);
	bool found = false;

	for (int s = 0; s < 2; s++)
		if (name->sides[s].on) {
			dns_machine_unblock(&name->sides[s].machine, force, now);
			keeper_put(&name->sides[s]);
			found = true;
		}
	keeper_run_soon(name->keeper);
	return found;
}

bool dns_keeper_update(struct dns_keeper *k, const char *label, bool force)
{
	bool found = false;

	for (size_t i = 0; i < k->n_names; i++)
		if (keeper_is_called(&k->names[i], label))
			found |= keeper_name_update(&k->names[i], force);
	keeper_txt_forgive(k);
	return found;
}

bool dns_keeper_confirmed(struct dns_keeper *k, const char *label)
{
	int64_t now = keeper_now_s(k);
	bool found = false;

	for (size_t i = 0; i < k->n_names; i++)
		for (int s = 0; s < 2; s++)
			if (k->names[i].sides[s].on && keeper_is_called(&k->names[i], label)) {
				dns_machine_reminded(&k->names[i].sides[s].machine, now);
				keeper_put(&k->names[i].sides[s]);
				found = true;
			}
	keeper_run_soon(k);
	return found;
}

/* ── birth and end ── */

static int add_names(struct dns_keeper *k, const struct dns_keeper_settings *settings,
		     struct err *e)
{
	if (settings->n_names > DNS_KEEPER_NAMES_MAX)
		return err_set(e, ERR_LIMIT, "more than %d names at providers",
			       DNS_KEEPER_NAMES_MAX);
	k->names = calloc(MAX(settings->n_names, 1), sizeof(*k->names));
	if (!k->names)
		return err_set(e, ERR_NOMEM, "names");
	for (size_t i = 0; i < settings->n_names; i++) {
		int r = keeper_name_init(&k->names[k->n_names++], k, &settings->names[i], e);

		if (r < 0)
			return r;
	}
	return 0;
}

int dns_keeper_new(struct loop *loop, struct httpc *httpc,
		   const struct dns_keeper_settings *settings, struct dns_keeper **ret_keeper,
		   struct err *e)
{
	struct dns_keeper *k = calloc(1, sizeof(*k));
	int r;

	if (!k)
		return err_set(e, ERR_NOMEM, "names");
	k->loop = loop;
	k->httpc = httpc;
	k->settings = *settings;
	k->settings.names = NULL;
	k->folder = settings->folder ? str_dup(str_of(settings->folder)) : NULL;
	k->settings.folder = k->folder;
	k->chooser.allow_documentation = settings->allow_documentation;
	k->chooser.double_nat = settings->double_nat;
	k->born = loop_now(loop);
	list_init(&k->batches);
	list_init(&k->trials);
	timer_init(&k->timer, loop, run, k);
	timer_init(&k->settle, loop, run, k);
	defer_init(&k->defer, loop, run, k);
	dns_ledger_init(&k->ledger);
	r = keeper_txt_new(k, e);
	if (r < 0) {
		dns_keeper_free(k);
		return r;
	}
	if ((settings->folder && !k->folder) || !k->ledger.names || !k->ledger.used ||
	    !k->ledger.texts) {
		dns_keeper_free(k);
		return err_set(e, ERR_NOMEM, "names");
	}
	keeper_store_open(k);
	r = add_names(k, settings, e);
	if (r < 0) {
		dns_keeper_free(k);
		return r;
	}
	keeper_txt_resume(k);
	keeper_run_soon(k);
	*ret_keeper = k;
	return 0;
}

void dns_keeper_free(struct dns_keeper *k)
{
	if (!k)
		return;
	keeper_txt_free(k);
	timer_stop(&k->timer);
	timer_stop(&k->settle);
	defer_cancel(&k->defer);
	keeper_batches_cancel(k);
	keeper_store_close(k);
	for (size_t i = 0; i < k->n_names; i++)
		keeper_name_done(&k->names[i]);
	free(k->names);
	dns_ledger_done(&k->ledger);
	free(k->folder);
	free(k);
}
