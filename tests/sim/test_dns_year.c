/*
 * A year in the life of one name at a strict provider, in milliseconds: the address changes, the line
 * and the provider fail, answers get lost, the program restarts, crashes between "sent" and
 * "stored", loses its state. The provider counts every request that breaks a rule of its own.
 */
#include "test.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "dns/ledger.h"

#define BEGIN ((int64_t)1800000000)
#define DAY   86400
#define YEAR  (365 * DAY)

#define REQUESTS_MAX 20000

struct world {
	const struct dns_provider *provider;
	struct dns_rules rules;
	uint64_t seed;
	int64_t now;

	/* home */
	struct dns_machine m;
	struct dns_ledger ledger; /* the disk */
	struct ipaddr address;
	bool line_down;
	int64_t skew; /* its clock is so much ahead */
	int64_t restarted_at;
	int64_t cautious_until; /* what it remembers of a process before is of another clock */

	/* provider */
	struct ipaddr record;
	struct ipaddr shown; /* by its name server, one to four minutes later */
	int64_t shown_at;
	enum { WELL, OUTAGE, BROKEN, DEAF, LIMITS } health;
	int64_t silence_until; /* it has asked for that, and was heard */
	int64_t amnesia_until; /* the home has lost its state: it cannot know how often it asked */
	int64_t times[REQUESTS_MAX];
	unsigned n_requests, needless, refreshes, too_soon, changes, questions;
	unsigned reminders;	     /* heard, and followed */
	int64_t last_change, latest; /* longest from a change to its request, all being well */
	bool hindered;		     /* since the last change something was not well */
};

static uint64_t roll(struct world *w, uint64_t below)
{
	w->seed = w->seed * 6364136223846793005u + 1442695040888963407u;
	return (w->seed >> 33) % below;
}

static bool same(const struct ipaddr *a, const struct ipaddr *b)
{
	return a->family == b->family && memcmp(a->bytes, b->bytes, 16) == 0;
}

/* ── provider ── */

static unsigned requests_since(const struct world *w, int64_t since)
{
	unsigned n = 0;

	while (n < w->n_requests && w->times[w->n_requests - 1 - n] > since)
		n++;
	return n;
}

static bool too_soon(const struct world *w)
{
	const struct dns_rules *r = &w->rules;

	return requests_since(w, w->now - r->interval_s) >= r->burst ||
	       (r->per_day && requests_since(w, w->now - DAY) >= r->per_day) ||
	       w->now < w->silence_until;
}

static void check_rules(struct world *w, const struct ipaddr *address)
{
	if (too_soon(w) && w->now >= w->amnesia_until)
		w->too_soon++;
	if (same(address, &w->record) && !w->rules.looks_first) {
		if (w->m.refresh_only)
			w->refreshes++;
		else
			w->needless++;
	}
	assert_true(w->n_requests < REQUESTS_MAX);
	w->times[w->n_requests++] = w->now;
}

static enum dns_verdict take(struct world *w, const struct ipaddr *address)
{
	if (same(address, &w->record))
		return DNS_NOCHG;
	w->record = *address;
	w->shown_at = w->now + 60 + (int64_t)roll(w, 180);
	return DNS_GOOD;
}

static enum dns_verdict receive(struct world *w, const struct ipaddr *address)
{
	static const enum dns_verdict broken[] = {DNS_SERVER, DNS_PAGE, DNS_SERVER, DNS_DNSERR};
	enum dns_verdict verdict = broken[roll(w, ARRAY_LEN(broken))];

	check_rules(w, address);
	switch (w->health) {
	case OUTAGE:
		return DNS_OUTAGE;
	case LIMITS:
		return DNS_RATE;
	case BROKEN: /* somewhere: before it has taken it, or behind that */
	case DEAF:
		if (roll(w, 2))
			take(w, address);
		return w->health == DEAF ? DNS_LOST : verdict;
	case WELL:
		return take(w, address);
	}
	return DNS_UNKNOWN;
}

static void ask_for_silence(struct world *w, enum dns_verdict verdict)
{
	if (verdict == DNS_OUTAGE || verdict == DNS_DNSERR)
		w->silence_until = w->now + 1800;
	if (verdict == DNS_RATE)
		w->silence_until = w->now + 600;
}

static const struct ipaddr *look_up(struct world *w)
{
	if (w->now >= w->shown_at)
		w->shown = w->record;
	return w->line_down ? NULL : &w->shown;
}

/* ── home ── */

static int64_t home(const struct world *w)
{
	return w->now + w->skew;
}

/* The home's clock is set. */
static void set_clock(struct world *w, int64_t skew)
{
	if (skew == w->skew)
		return;
	dns_machine_on_step(&w->m, skew - w->skew);
	assert_int_equal(dns_ledger_put(&w->ledger, "k", &w->m), 0);
	w->skew = skew;
	w->cautious_until = w->now + 2 * DAY;
	if (w->now < w->restarted_at + DAY) /* of the process before it knows only by a clock */
		w->amnesia_until = w->now + DAY;
}

static const uint8_t config[DNS_CONFIG_LEN] = {7};

static void store(struct world *w)
{
	assert_int_equal(dns_ledger_put(&w->ledger, "k", &w->m), 0);
}

static void tell(struct world *w)
{
	if (w->line_down)
		dns_machine_on_wish(&w->m, DNS_WISH_UNKNOWN, NULL, home(w));
	else
		dns_machine_on_wish(&w->m, DNS_WISH_ADDRESS, &w->address, home(w));
}

/* As from disk: through the text. */
static void restart(struct world *w)
{
	AUTO(buf_donep) struct buf text = {0};

	assert_int_equal(dns_ledger_encode(&w->ledger, home(w), &text), 0);
	assert_int_equal(dns_ledger_decode(&w->ledger, buf_str(&text), NULL), 0);
	w->restarted_at = w->now;
	dns_machine_init(&w->m, &w->rules, config);
	dns_ledger_get(&w->ledger, "k", &w->m);
	dns_machine_resume(&w->m, config, home(w));
	tell(w);
}

static void note_delay(struct world *w)
{
	int64_t delay = w->now - w->last_change;

	if (!w->hindered && delay > w->latest)
		w->latest = delay;
	w->hindered = true; /* the next request is not the first after the change */
}

static void send_update(struct world *w)
{
	struct dns_reply reply = {0};
	uint64_t fate = roll(w, 100);

	note_delay(w);
	dns_machine_sending(&w->m, home(w));
	store(w);
	if (w->line_down || fate < 3) { /* does not get out */
		reply.verdict = DNS_NETWORK;
	} else if (fate < 6) { /* arrives, or not, and no answer comes */
		if (fate < 5)
			receive(w, &w->m.attempt);
		reply.verdict = DNS_LOST;
	} else if (fate < 10 && !w->skew) { /* the crash */
		if (fate < 8)
			receive(w, &w->m.attempt);
		w->now += 1 + (int64_t)roll(w, 20);
		restart(w);
		return;
	} else {
		reply.verdict = receive(w, &w->m.attempt);
		ask_for_silence(w, reply.verdict);
	}
	dns_machine_answer(&w->m, &reply, reply.verdict == DNS_RATE ? 600 : 0, home(w));
	store(w);
}

/* All that is to be done now; the time of the next thing. */
static int64_t act(struct world *w)
{
	for (int guard = 0; guard < 100; guard++) {
		int64_t at = INT64_MAX;

		switch (dns_machine_next(&w->m, home(w), &at)) {
		case DNS_NOTHING:
			return INT64_MAX;
		case DNS_LATER:
			return at - w->skew;
		case DNS_ASK:
			w->questions++;
			dns_machine_asking(&w->m);
			dns_machine_asked(&w->m, look_up(w), home(w));
			store(w);
			break;
		case DNS_SEND:
			send_update(w);
			break;
		}
	}
	fail_msg("busy at one moment");
	return 0;
}

/* Whether the home's own limits leave room for a request now. */
static bool has_room(const struct world *w)
{
	const struct dns_rules *r = &w->rules;

	return !requests_since(w, w->now - r->interval_s) &&
	       (!r->per_day || requests_since(w, w->now - DAY) < r->per_day / 2);
}

static void change_address(struct world *w)
{
	w->changes++;
	w->address = (struct ipaddr){.family = 4,
				     .bytes = {198, 18, (uint8_t)roll(w, 4), (uint8_t)roll(w, 8)}};
	w->last_change = w->now;
	w->hindered = w->line_down || w->now < w->cautious_until || w->health != WELL ||
		      !has_room(w) || w->m.state != DNS_STATE_IDLE || !w->m.sure ||
		      w->m.not_before_s > w->now ||
		      same(&w->address, &w->record); /* nothing to be done */
	tell(w);
}

static void happen(struct world *w)
{
	uint64_t what = roll(w, 100);

	if (what < 40) {
		change_address(w);
	} else if (what < 50) { /* the line goes and comes back with another address */
		w->line_down = !w->line_down;
		w->hindered = true;
		if (!w->line_down) {
			dns_machine_on_network(&w->m, home(w));
			change_address(w);
		}
		tell(w);
	} else if (what < 75) {
		set_clock(w, 0);
		restart(w);
	} else if (what < 90) {
		w->health = what < 78	? OUTAGE
			    : what < 81 ? BROKEN
			    : what < 83 ? LIMITS
			    : what < 85 ? DEAF
					: WELL;
		w->hindered = true;
	} else if (what < 93) { /* an hour in which the line flaps */
		for (int i = 0; i < 10; i++) {
			change_address(w);
			act(w);
			w->now += (int64_t)roll(w, 60);
		}
	} else if (what == 93 && w->now >= w->shown_at) {
		/* The disk is lost; not in the minute in which nobody can see what was sent. */
		dns_ledger_done(&w->ledger);
		dns_ledger_init(&w->ledger);
		w->hindered = true;
		set_clock(w, 0);
		w->amnesia_until = w->now + (w->rules.per_day ? DAY : 1800);
		restart(w);
	} else if (what > 95) { /* the clock runs wrong for a while */
		set_clock(w, w->skew ? 0 : (int64_t)roll(w, 80 * DAY) - 40 * DAY);
	} else if (what == 94) { /* a person who does not want to wait */
		dns_machine_unblock(&w->m, false, home(w));
		w->hindered = true;
	}
}

static void live(struct world *w, int64_t until)
{
	int64_t next_event = w->now;

	while (w->now < until) {
		int64_t at = act(w);

		if (w->health != WELL && roll(w, 20) == 0)
			w->health = WELL;
		if (w->now >= next_event) {
			happen(w);
			next_event = w->now + 1 + (int64_t)roll(w, 8 * 3600);
			continue;
		}
		at = MIN(at, next_event);
		w->now = MAX(at, w->now + (at == w->now));
	}
}

/* A world that knows nothing and in which all is well. */
static void begin(struct world *w, const char *provider, uint64_t seed)
{
	memset(w, 0, sizeof(*w));
	w->provider = dns_provider_find(str_of(provider));
	w->seed = seed;
	w->now = BEGIN;
	w->hindered = true;
	w->address = (struct ipaddr){.family = 4, .bytes = {198, 18, 0, 1}};
	dns_rules_of(w->provider, &w->rules);
	dns_ledger_init(&w->ledger);
	restart(w);
}

/* What a day without trouble has. */
static void pass_a_day(struct world *w)
{
	for (int64_t end = w->now + DAY; w->now < end;) {
		int64_t at = act(w);

		w->now = MIN(MAX(at, w->now + 1), end);
	}
	if (dns_machine_reminds(&w->m, home(w))) {
		w->reminders++;
		dns_machine_reminded(&w->m, home(w));
		store(w);
	}
}

static void year(const char *provider, uint64_t seed)
{
	static struct world w; /* large */
	unsigned most_refreshes;

	begin(&w, provider, seed);
	live(&w, BEGIN + YEAR);

	/* all well again: within a day the record is right, two if the clock was set back while it
	 * had to wait, and then nothing more is sent */
	w.line_down = false;
	w.health = WELL;
	if (w.m.state == DNS_STATE_PARKED) /* three dnserr: a person was asked */
		dns_machine_unblock(&w.m, false, home(&w));
	tell(&w);
	pass_a_day(&w);
	if (!same(&w.record, &w.address))
		pass_a_day(&w);
	print_message("%s: a year, %u changes of address, %u requests, %u of them refreshes, %u "
		      "needless, "
		      "%u too soon, %u questions, %lld s at most when all was well\n",
		      provider, w.changes, w.n_requests, w.refreshes, w.needless, w.too_soon,
		      w.questions, (long long)w.latest);
	assert_true(same(&w.record, &w.address));
	assert_int_equal(w.needless, 0);
	assert_int_equal(w.too_soon, 0);
	assert_true(w.latest <= 0);
	assert_in_range(w.questions, 0, w.n_requests * 2);
	assert_true(w.changes > 300 && w.n_requests > 200);
	most_refreshes = w.rules.refresh_s ? YEAR / w.rules.refresh_s + 1 : 0;
	assert_in_range(w.refreshes, 0, most_refreshes);
	dns_ledger_done(&w.ledger);
}

static void test_a_year_at_each_strict_provider(void **state)
{
	static const char *const names[] = {
		"dyn",	 "noip",  "desec",	"easydns", "zoneedit",
		"ipv64", "dy.fi", "cloudflare", "strato",  "domaindiscount24"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		for (uint64_t seed = 1; seed <= 2; seed++)
			year(names[i], seed * 1000 + i);
}

/* It takes connections, and nothing comes back, for a month: less and less is sent. */
static void test_a_deaf_month(void **state)
{
	static struct world w; /* large */

	begin(&w, "strato", 7);
	w.health = DEAF;
	for (int day = 0; day < 30; day++) {
		w.address.bytes[3]++;
		tell(&w);
		pass_a_day(&w);
	}
	print_message("strato: deaf for 30 days, %u requests, %u questions\n", w.n_requests,
		      w.questions);
	assert_int_equal(w.needless, 0);
	assert_in_range(w.n_requests, 30, 30 * 49);
	dns_ledger_done(&w.ledger);
}

/* The same address all the year, and a restart each day. */
static void test_a_quiet_year(void **state)
{
	static const struct {
		const char *provider;
		unsigned least, most; /* refreshes */
		unsigned reminders;   /* each followed at once */
	} cases[] = {
		{"dyn", 12, 13, 0}, {"dy.fi", 55, 61, 0}, {"nsupdate.info", 1, 1, 0},
		{"desec", 0, 0, 0}, {"noip", 0, 0, 15},	  {"strato", 0, 0, 0},
	};
	static struct world w; /* large */

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		begin(&w, cases[i].provider, i);
		for (int day = 0; day < 365; day++) {
			pass_a_day(&w);
			restart(&w);
		}
		print_message("%s: a quiet year, %u requests, %u of them refreshes\n",
			      cases[i].provider, w.n_requests, w.refreshes);
		assert_in_range(w.refreshes, cases[i].least, cases[i].most);
		assert_int_equal(w.needless, 0);
		assert_int_equal(w.reminders, cases[i].reminders);
		dns_ledger_done(&w.ledger);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_year_at_each_strict_provider),
		cmocka_unit_test(test_a_deaf_month),
		cmocka_unit_test(test_a_quiet_year),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
