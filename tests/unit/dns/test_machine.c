#include "test.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "dns/machine.h"

#define T0 ((int64_t)1800000000)

struct bench {
	struct dns_rules rules;
	struct dns_machine m;
	int64_t now;
};

static const uint8_t config1[DNS_CONFIG_LEN] = {1}, config2[DNS_CONFIG_LEN] = {2};

static struct ipaddr ip(const char *text)
{
	struct ipaddr a;

	assert_int_equal(ipaddr_parse(str_of(text), &a), 0);
	return a;
}

static void setup(struct bench *b, const char *provider)
{
	*b = (struct bench){.now = T0};
	dns_rules_of(dns_provider_find(str_of(provider)), &b->rules);
	dns_machine_init(&b->m, &b->rules, config1);
	dns_machine_resume(&b->m, config1, b->now);
}

static void wish(struct bench *b, const char *address)
{
	struct ipaddr a = ip(address);

	dns_machine_on_wish(&b->m, DNS_WISH_ADDRESS, &a, b->now);
}

static enum dns_action next(struct bench *b, int64_t *ret_in)
{
	int64_t at = 0;
	enum dns_action action = dns_machine_next(&b->m, b->now, &at);

	if (ret_in)
		*ret_in = at - b->now;
	return action;
}

static void asked(struct bench *b, const char *published)
{
	struct ipaddr a = {0};

	assert_int_equal(next(b, NULL), DNS_ASK);
	dns_machine_asking(&b->m);
	assert_int_equal(next(b, NULL), DNS_NOTHING);
	if (published && *published)
		a = ip(published);
	dns_machine_asked(&b->m, published ? &a : NULL, b->now);
}

static void answered(struct bench *b, enum dns_verdict verdict, unsigned retry_after_s)
{
	struct dns_reply reply = {.verdict = verdict, .text = "words"};

	assert_int_equal(next(b, NULL), DNS_SEND);
	dns_machine_sending(&b->m, b->now);
	assert_int_equal(next(b, NULL), DNS_NOTHING);
	dns_machine_answer(&b->m, &reply, retry_after_s, b->now);
}

/* Where it is in doubt: it is told that the last request did nothing, as often as it asks. */
static void not_there(struct bench *b, const char *published)
{
	int64_t wait;

	for (int i = 0; b->m.state == DNS_STATE_DOUBT; i++) {
		assert_in_range(i, 0, 10);
		if (next(b, &wait) == DNS_LATER)
			b->now += wait;
		asked(b, published);
	}
}

/* A machine that knows that the provider has 192.0.2.1. */
static void settled(struct bench *b, const char *provider)
{
	setup(b, provider);
	wish(b, "192.0.2.1");
	if (next(b, NULL) == DNS_ASK)
		asked(b, "");
	answered(b, DNS_GOOD, 0);
	b->now += 3600;
}

static void test_a_new_name_asks_first(void **state)
{
	struct bench b;

	setup(&b, "dyn");
	assert_int_equal(next(&b, NULL), DNS_NOTHING);
	wish(&b, "192.0.2.1");
	asked(&b, "192.0.2.1");
	assert_int_equal(next(&b, NULL), DNS_LATER); /* the refresh, in weeks */
	assert_true(b.m.sure);

	setup(&b, "dyn");
	wish(&b, "192.0.2.1");
	asked(&b, "192.0.2.9");
	answered(&b, DNS_GOOD, 0);
	assert_int_equal(b.m.state, DNS_STATE_IDLE);

	setup(&b, "cloudflare"); /* looks at the record in its own steps */
	wish(&b, "192.0.2.1");
	answered(&b, DNS_NOCHG, 0);
	assert_int_equal(next(&b, NULL), DNS_NOTHING);
}

static void test_nobody_can_tell(void **state)
{
	struct bench b;
	int64_t begin, wait;

	setup(&b, "dyn");
	begin = b.now;
	wish(&b, "192.0.2.1");
	for (int i = 0; i < DNS_ASKS_MAX; i++) {
		asked(&b, NULL);
		assert_int_equal(next(&b, &wait), DNS_LATER);
		b.now += wait;
	}
	assert_true(b.now - begin > 1800); /* not a flood of restarts */
	answered(&b, DNS_NOCHG, 0);
	assert_true(b.m.sure);
}

/* One that answers no questions may take updates all the same, or says what is wrong with them. */
static void test_a_server_of_ones_own_is_told_at_once(void **state)
{
	struct bench b;

	setup(&b, "rfc2136");
	wish(&b, "192.0.2.1");
	asked(&b, NULL);
	assert_int_equal(next(&b, NULL), DNS_SEND);
	answered(&b, DNS_REFUSED, 0);
	assert_int_equal(b.m.state, DNS_STATE_PARKED);
}

static void test_a_change_goes_at_once(void **state)
{
	struct bench b;

	settled(&b, "dyn");
	assert_int_equal(next(&b, NULL), DNS_LATER);
	wish(&b, "192.0.2.2");
	answered(&b, DNS_GOOD, 0);
	assert_true(ipaddr_equal(&b.m.published,
				 &(struct ipaddr){.family = 4, .bytes = {192, 0, 2, 2}}));
}

static void test_unknown_and_none_change_nothing(void **state)
{
	struct bench b;

	settled(&b, "dyn");
	dns_machine_on_wish(&b.m, DNS_WISH_UNKNOWN, NULL, b.now);
	assert_int_equal(next(&b, NULL), DNS_NOTHING);
	dns_machine_on_wish(&b.m, DNS_WISH_NONE, NULL, b.now);
	assert_int_equal(next(&b, NULL), DNS_NOTHING);
	wish(&b, "192.0.2.1"); /* back again: the same */
	assert_int_equal(b.m.state, DNS_STATE_IDLE);
}

static void test_limits_hold(void **state)
{
	struct bench b;
	int64_t wait;

	settled(&b, "easydns"); /* ten minutes, and it means that */
	wish(&b, "192.0.2.2");
	answered(&b, DNS_GOOD, 0);
	b.now += 5;
	wish(&b, "192.0.2.3");
	assert_int_equal(next(&b, &wait), DNS_LATER);
	assert_int_equal(wait, 595);
	wish(&b, "192.0.2.2"); /* flapped back: nothing to do */
	assert_int_equal(b.m.state, DNS_STATE_IDLE);

	settled(&b, "gandi"); /* five minutes of courtesy: one change more goes at once */
	wish(&b, "192.0.2.2");
	answered(&b, DNS_GOOD, 0);
	b.now += 5;
	wish(&b, "192.0.2.3");
	answered(&b, DNS_GOOD, 0);
	b.now += 5;
	wish(&b, "192.0.2.4");
	assert_int_equal(next(&b, &wait), DNS_LATER);
	assert_int_equal(wait, 290);
}

static void test_the_day_s_budget(void **state)
{
	struct bench b;
	unsigned sent = 0;

	settled(&b, "ipv64"); /* 48 a day */
	b.now += 2 * 86400;
	for (int64_t end = b.now + 86400; b.now < end;) {
		char address[32];
		int64_t wait;

		snprintf(address, sizeof(address), "198.18.%u.%u", sent >> 8, (sent & 255) + 1);
		wish(&b, address);
		if (next(&b, &wait) == DNS_LATER) {
			b.now += wait;
			continue;
		}
		answered(&b, DNS_GOOD, 0);
		sent++;
	}
	assert_in_range(sent, 44, 48);
}

static void test_what_parks_stays_parked(void **state)
{
	for (int v = 0; v < DNS_VERDICTS_COUNT; v++) {
		struct bench b;

		if (dns_verdict_class((enum dns_verdict)v) != DNS_CLASS_PARK)
			continue;
		settled(&b, "dyn");
		wish(&b, "192.0.2.2");
		answered(&b, (enum dns_verdict)v, 0);
		assert_int_equal(b.m.state, DNS_STATE_PARKED);
		for (int day = 0; day < 400; day++) {
			b.now += 86400;
			wish(&b, day % 2 ? "192.0.2.3" : "192.0.2.4");
			dns_machine_on_network(&b.m, b.now);
			assert_int_equal(next(&b, NULL), DNS_NOTHING);
		}
		dns_machine_resume(&b.m, config1, b.now); /* a restart helps nothing */
		wish(&b, "192.0.2.5");
		assert_int_equal(next(&b, NULL), DNS_NOTHING);

		dns_machine_resume(&b.m, config2, b.now); /* another password does */
		wish(&b, "192.0.2.5");
		asked(&b, "192.0.2.1");
		answered(&b, DNS_GOOD, 0);
	}
}

static void test_unblocking_and_forcing(void **state)
{
	struct bench b;

	settled(&b, "dyn");
	wish(&b, "192.0.2.2");
	answered(&b, DNS_ABUSE, 0);
	b.now += 3600;
	dns_machine_unblock(&b.m, false, b.now);
	answered(&b, DNS_GOOD, 0);
	b.now += 3600;
	assert_int_equal(next(&b, NULL), DNS_LATER);
	dns_machine_unblock(&b.m, true, b.now);
	answered(&b, DNS_NOCHG, 0);
	assert_int_equal(next(&b, NULL), DNS_LATER);
}

/* A person insists, or his cron does: once more is one too many. */
static void test_forcing_again_and_again(void **state)
{
	struct bench b;
	int64_t wait;

	settled(&b, "dyn");
	for (int i = 0; i < 2; i++) {
		dns_machine_unblock(&b.m, true, b.now);
		answered(&b, DNS_NOCHG, 0);
		b.now += 3600;
	}
	dns_machine_unblock(&b.m, true, b.now);
	assert_int_equal(next(&b, &wait), DNS_LATER);
	assert_int_equal(wait, 23 * 3600);
	wish(&b, "192.0.2.2"); /* what is new is sent */
	answered(&b, DNS_GOOD, 0);
	b.now += 3600;
	dns_machine_unblock(&b.m, true, b.now);
	assert_int_equal(next(&b, NULL), DNS_SEND);

	settled(&b, "rfc2136");
	for (int i = 0; i < 5; i++) { /* nobody minds there; it does not say that nothing changed */
		dns_machine_unblock(&b.m, true, b.now);
		answered(&b, DNS_GOOD, 0);
		b.now += 60;
	}
}

static void test_waits(void **state)
{
	static const struct {
		enum dns_verdict verdict;
		unsigned retry_after_s, least[4];
	} cases[] = {
		{DNS_OUTAGE, 0, {1800, 1800, 3600, 7200}},
		{DNS_NETWORK, 0, {60, 120, 240, 480}},
		{DNS_SERVER, 0, {60, 120, 240, 480}},
		{DNS_PAGE, 0, {60, 120, 240, 480}},
		{DNS_RATE, 0, {1800, 1800, 1800, 1800}},
		{DNS_RATE, 77, {77, 77, 77, 77}},
		{DNS_SERVER, 7200, {7200, 7200, 7200, 7200}},
		{DNS_RATE, 1000000000, {86400, 86400, 86400, 86400}},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct bench b;

		settled(&b, "dynu");
		wish(&b, "192.0.2.2");
		for (int n = 0; n < 4; n++) {
			unsigned least = cases[i].least[n];
			int64_t wait;

			answered(&b, cases[i].verdict, cases[i].retry_after_s);
			assert_int_equal(next(&b, &wait), DNS_LATER);
			assert_in_range(wait, least, least + least / 5);
			b.now += wait;
			not_there(&b, "192.0.2.1");
		}
	}
}

static void test_what_nobody_understands_is_given_up(void **state)
{
	static const enum dns_verdict verdicts[] = {DNS_UNKNOWN, DNS_DNSERR};

	for (size_t i = 0; i < ARRAY_LEN(verdicts); i++) {
		struct bench b;

		settled(&b, "dyn");
		wish(&b, "192.0.2.2");
		for (int n = 0; n < DNS_TRIES_MAX; n++) { /* trouble of another kind counts not */
			b.now += 10 * 3600;
			not_there(&b, "192.0.2.1");
			answered(&b, DNS_NETWORK, 0);
		}
		for (int n = 0; n < DNS_TRIES_MAX; n++) {
			assert_int_equal(b.m.state, n ? DNS_STATE_DOUBT : DNS_STATE_DUE);
			b.now += 10 * 3600;
			not_there(&b, "192.0.2.1");
			answered(&b, verdicts[i], 0);
		}
		assert_int_equal(b.m.state, DNS_STATE_PARKED);
		assert_int_equal(b.m.verdict, verdicts[i]);
	}
}

static void test_a_network_event_tries_again_at_once(void **state)
{
	struct bench b;

	settled(&b, "dyn");
	wish(&b, "192.0.2.2");
	answered(&b, DNS_NETWORK, 0);
	assert_int_equal(next(&b, NULL), DNS_LATER);
	dns_machine_on_network(&b.m, b.now);
	assert_int_equal(next(&b, NULL), DNS_SEND);

	settled(&b, "dyn"); /* but not what the provider has said */
	wish(&b, "192.0.2.2");
	answered(&b, DNS_OUTAGE, 0);
	dns_machine_on_network(&b.m, b.now);
	assert_int_equal(next(&b, NULL), DNS_LATER);
}

static void test_an_answer_that_was_lost(void **state)
{
	struct bench b;
	int64_t wait;

	settled(&b, "dyn");
	wish(&b, "192.0.2.2");
	answered(&b, DNS_LOST, 0);
	assert_int_equal(next(&b, &wait), DNS_LATER);
	b.now += wait;
	asked(&b, "192.0.2.1"); /* perhaps not published yet */
	assert_int_equal(next(&b, &wait), DNS_LATER);
	b.now += wait;
	asked(&b, "192.0.2.2");
	assert_int_equal(b.m.state, DNS_STATE_IDLE);

	settled(&b, "dyn"); /* it did not arrive */
	wish(&b, "192.0.2.2");
	answered(&b, DNS_LOST, 0);
	for (int i = 0; b.m.state != DNS_STATE_DUE; i++) {
		assert_in_range(i, 0, 10);
		if (next(&b, &wait) == DNS_LATER)
			b.now += wait;
		if (b.m.state == DNS_STATE_DOUBT)
			asked(&b, "192.0.2.1");
	}
	assert_true(b.now - b.m.attempted_s >= DNS_SETTLE_S);
	assert_int_equal(b.m.fails, 1); /* asking is no success */

	settled(&b, "dyn"); /* and meanwhile a third address is wanted: that is needed anyhow */
	wish(&b, "192.0.2.2");
	answered(&b, DNS_LOST, 0);
	wish(&b, "192.0.2.3");
	assert_int_equal(b.m.state, DNS_STATE_DUE);
}

/* It accepts connections and says nothing, for a week: asking in between makes nobody impatient. */
static void test_a_provider_that_is_deaf(void **state)
{
	unsigned sent = 0;
	struct bench b;
	int64_t wait;

	settled(&b, "strato");
	wish(&b, "192.0.2.2");
	for (int64_t end = b.now + 7 * 86400; b.now < end;) {
		switch (next(&b, &wait)) {
		case DNS_LATER:
			b.now += wait;
			break;
		case DNS_ASK:
			asked(&b, "192.0.2.1");
			break;
		case DNS_SEND:
			answered(&b, DNS_LOST, 0);
			sent++;
			break;
		case DNS_NOTHING:
			fail();
		}
	}
	assert_in_range(sent, 7 * 40, 7 * 48 + 10); /* every half hour */
}

/* There and back while the provider is broken: the first of the two may be what it has. */
static void test_two_that_may_be_there(void **state)
{
	struct bench b;

	settled(&b, "strato");
	b.now += 3600;
	wish(&b, "192.0.2.2");
	answered(&b, DNS_SERVER, 0);
	b.now += 600;
	wish(&b, "192.0.2.3");
	answered(&b, DNS_SERVER, 0);
	b.now += 600;
	wish(&b, "192.0.2.2");
	asked(&b, "192.0.2.2");
	assert_int_equal(next(&b, NULL), DNS_NOTHING);
	wish(&b, "192.0.2.1"); /* nor is the one before them believed in */
	assert_int_equal(next(&b, NULL), DNS_SEND);
}

/* An error of the server's says nothing about the record: it may be there all the same. */
static void test_an_answer_that_leaves_it_open(void **state)
{
	static const enum dns_verdict verdicts[] = {DNS_SERVER, DNS_PAGE, DNS_DNSERR, DNS_UNKNOWN};
	int64_t wait;

	for (size_t i = 0; i < ARRAY_LEN(verdicts); i++) {
		struct bench b;

		settled(&b, "dyn");
		wish(&b, "192.0.2.2");
		answered(&b, verdicts[i], 0);
		assert_int_equal(next(&b, &wait), DNS_LATER);
		b.now += wait;
		asked(&b, "192.0.2.2");
		assert_int_equal(b.m.state, DNS_STATE_IDLE);
		assert_int_equal(b.m.confirmed_s, b.now);

		settled(&b, "cloudflare"); /* looks at the record itself */
		wish(&b, "192.0.2.2");
		answered(&b, verdicts[i], 0);
		assert_int_equal(next(&b, &wait), DNS_LATER);
		b.now += wait;
		assert_int_equal(next(&b, &wait), DNS_SEND);
	}
}

/* The answer to A is lost, and now P is wanted again, which is still published: A may come yet. */
static void test_what_was_sent_may_come_after_all(void **state)
{
	struct bench b;
	int64_t wait;

	settled(&b, "dyn");
	wish(&b, "192.0.2.2");
	answered(&b, DNS_LOST, 0);
	wish(&b, "192.0.2.1");
	assert_int_equal(next(&b, &wait), DNS_LATER);
	b.now += wait;
	asked(&b, "192.0.2.1");
	assert_int_equal(next(&b, &wait), DNS_LATER);
	b.now += wait;
	asked(&b, "192.0.2.2");
	assert_int_equal(b.m.state, DNS_STATE_DUE);
}

/* The way is there again: asking costs nobody anything. */
static void test_a_network_event_asks_again(void **state)
{
	struct bench b;
	int64_t wait;

	settled(&b, "dyn");
	wish(&b, "192.0.2.2");
	for (int i = 0; i < 6; i++) {
		answered(&b, DNS_LOST, 0);
		b.now += 3600;
		if (i < 5)
			not_there(&b, "192.0.2.1");
	}
	b.now = b.m.attempted_s + 5; /* the wait is half an hour by now */
	dns_machine_on_network(&b.m, b.now);
	assert_int_equal(next(&b, &wait), DNS_LATER);
	assert_int_equal(wait, DNS_SETTLE_S / 5 - 5);

	settled(&b, "dyn"); /* what the provider has asked for stands */
	wish(&b, "192.0.2.2");
	answered(&b, DNS_SERVER, 7200);
	dns_machine_on_network(&b.m, b.now);
	assert_int_equal(next(&b, &wait), DNS_LATER);
	assert_true(wait >= 7200);
}

/* Neither a person nor another password can wish an outage away. */
static void test_what_the_provider_waits_for_stands(void **state)
{
	static const enum dns_verdict verdicts[] = {DNS_OUTAGE, DNS_DNSERR, DNS_RATE};
	int64_t wait;

	for (size_t i = 0; i < ARRAY_LEN(verdicts); i++) {
		struct bench b;

		settled(&b, "dyn");
		wish(&b, "192.0.2.2");
		answered(&b, verdicts[i], 0);
		dns_machine_unblock(&b.m, i, b.now);
		assert_int_equal(next(&b, &wait), DNS_LATER);
		assert_true(wait >= 1800);
		dns_machine_resume(&b.m, config2, b.now);
		wish(&b, "192.0.2.2");
		assert_int_equal(next(&b, &wait), DNS_LATER);
		assert_true(wait >= 1800);
	}
}

/* Nor where the same trouble has come so often that the name is parked. */
static void test_what_the_provider_waits_for_outlives_parking(void **state)
{
	struct bench b;
	int64_t wait;

	settled(&b, "cloudflare");
	wish(&b, "192.0.2.2");
	for (int n = 0; n < DNS_TRIES_MAX; n++) {
		b.now += 10 * 3600;
		answered(&b, DNS_DNSERR, 0);
	}
	assert_int_equal(b.m.state, DNS_STATE_PARKED);
	b.now += 60;
	dns_machine_unblock(&b.m, false, b.now);
	assert_int_equal(next(&b, &wait), DNS_LATER);
	assert_true(wait >= 1740);
}

/* Another name of the account was told to wait while the zone's name servers were asked, who have no say in
 * that: whatever they answer, and if the network changes, too. */
static void test_an_account_that_is_held_while_it_asks(void **state)
{
	static const char *const published[] = {NULL, "192.0.2.1", "192.0.2.2"};
	const struct dns_reply reply = {.verdict = DNS_RATE, .text = "words"};
	int64_t wait;

	for (size_t i = 0; i < ARRAY_LEN(published); i++) {
		struct bench b;
		int64_t until;
		struct ipaddr a;

		settled(&b, "dyn");
		wish(&b, "192.0.2.2");
		answered(&b, DNS_LOST, 0);
		b.now = b.m.not_before_s;
		until = b.now + 7200;
		assert_int_equal(next(&b, NULL), DNS_ASK);
		dns_machine_asking(&b.m);
		dns_machine_hold(&b.m, &reply, until);
		if (published[i])
			a = ip(published[i]);
		dns_machine_asked(&b.m, published[i] ? &a : NULL, b.now);
		dns_machine_on_network(&b.m, b.now);
		wish(&b, "192.0.2.3");
		assert_int_equal(next(&b, &wait), DNS_LATER);
		assert_int_equal(b.now + wait, until);
	}
}

/* 503 with Retry-After is a wish, too; 503 without is none. */
static void test_what_a_person_may_cut_short(void **state)
{
	int64_t wait;

	for (unsigned retry_after_s = 0; retry_after_s <= 3600; retry_after_s += 3600) {
		struct bench b;

		settled(&b, "cloudflare");
		wish(&b, "192.0.2.2");
		answered(&b, DNS_SERVER, retry_after_s);
		dns_machine_unblock(&b.m, false, b.now);
		dns_machine_unblock(&b.m, false, b.now);
		assert_int_equal(next(&b, &wait), retry_after_s ? DNS_LATER : DNS_SEND);
	}
}

/* What a question finds after a lost state may have been there for as long as the provider allows. */
static void test_a_refresh_after_a_lost_state(void **state)
{
	struct bench b;
	int64_t wait;

	setup(&b, "dy.fi"); /* deletes after seven days, is refreshed after six */
	wish(&b, "192.0.2.1");
	asked(&b, "192.0.2.1");
	assert_int_equal(next(&b, &wait), DNS_LATER);
	assert_int_equal(wait, 86400);
	b.now += wait;
	answered(&b, DNS_NOCHG, 0);
	assert_int_equal(next(&b, &wait), DNS_LATER);
	assert_int_equal(wait, 6 * 86400);

	setup(&b, "noip"); /* and is to be confirmed from now on */
	wish(&b, "192.0.2.1");
	asked(&b, "192.0.2.1");
	assert_int_equal(next(&b, NULL), DNS_NOTHING);
	assert_false(dns_machine_reminds(&b.m, b.now + 22 * 86400));
	assert_true(dns_machine_reminds(&b.m, b.now + 23 * 86400));
}

static void test_a_crash_between_sent_and_stored(void **state)
{
	struct dns_machine stored;
	struct bench b;
	int64_t wait;

	settled(&b, "dyn");
	wish(&b, "192.0.2.2");
	assert_int_equal(next(&b, NULL), DNS_SEND);
	dns_machine_sending(&b.m, b.now);
	stored = b.m;

	b.now += 3;
	b.m = stored;
	dns_machine_resume(&b.m, config1, b.now);
	wish(&b, "192.0.2.2");
	assert_int_equal(next(&b, &wait), DNS_LATER);
	b.now += wait;
	asked(&b, "192.0.2.2");
	assert_int_equal(b.m.state, DNS_STATE_IDLE);
	assert_true(b.m.sure);
}

static void test_a_hundred_restarts(void **state)
{
	struct bench b;

	settled(&b, "dyn");
	for (int i = 0; i < 100; i++) {
		dns_machine_resume(&b.m, config1, ++b.now);
		wish(&b, "192.0.2.1");
		assert_int_equal(next(&b, NULL), DNS_LATER); /* the refresh */
	}
	for (int i = 0; i < 100; i++) { /* without state */
		dns_machine_init(&b.m, &b.rules, config1);
		dns_machine_resume(&b.m, config1, ++b.now);
		wish(&b, "192.0.2.1");
		asked(&b, "192.0.2.1");
		assert_int_equal(b.m.state, DNS_STATE_IDLE);
	}
}

static void test_the_clock_is_set_back(void **state)
{
	struct bench b;
	int64_t wait;

	settled(&b, "easydns");
	wish(&b, "192.0.2.2");
	answered(&b, DNS_OUTAGE, 0);
	b.now = DNS_CLOCK_SET_S + 1000; /* it was ahead by two years, in a process before */
	dns_machine_resume(&b.m, config1, b.now);
	b.m.run_s = 0;
	wish(&b, "192.0.2.2");
	assert_int_equal(next(&b, &wait), DNS_LATER);
	assert_in_range(wait, 0, DNS_WAIT_MAX_S * 6 / 5);
	b.now += wait;
	answered(&b, DNS_GOOD, 0);
	assert_int_equal(b.m.state, DNS_STATE_IDLE);
}

/* It boots in 1970, and learns the time a minute later: nothing is done before, and what is remembered
 * stands as it was. */
static void test_a_machine_without_a_battery(void **state)
{
	struct dns_machine stored;
	struct bench b;
	int64_t wait;

	settled(&b, "dyn");
	wish(&b, "192.0.2.2");
	answered(&b, DNS_OUTAGE, 7200);
	stored = b.m;
	for (int boot = 0; boot < 10; boot++) {
		int64_t then = b.now + 60;

		b.now = 60;
		b.m = stored;
		b.m.run_s = 0;
		dns_machine_resume(&b.m, config1, b.now);
		wish(&b, "192.0.2.2");
		assert_int_equal(next(&b, &wait), DNS_LATER);
		assert_int_equal(wait, DNS_CLOCK_LOOK_S);
		dns_machine_on_step(&b.m, then - b.now);
		b.now = then;
		assert_int_equal(next(&b, &wait), DNS_LATER);
		assert_int_equal(b.now + wait, stored.not_before_s);
		assert_int_equal(b.m.confirmed_s, stored.confirmed_s);
	}
}

/* The clock is set while it runs, to and fro: waits are as long as they were, limits what they were. */
static void test_the_clock_is_set_meanwhile(void **state)
{
	static const int64_t steps[] = {3600, -3600, 365 * 86400, -365 * 86400, 20};

	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		struct bench b;
		int64_t before, wait;

		settled(&b, "easydns");
		next(&b, NULL); /* it runs from here on */
		wish(&b, "192.0.2.2");
		answered(&b, DNS_OUTAGE, 0);
		assert_int_equal(next(&b, &before), DNS_LATER);
		b.now += steps[i];
		dns_machine_on_step(&b.m, steps[i]);
		assert_int_equal(next(&b, &wait), DNS_LATER);
		assert_int_equal(wait, before);
		b.now += wait;
		answered(&b, DNS_GOOD, 0);
		b.now += 5 + steps[i];
		dns_machine_on_step(&b.m, steps[i]);
		wish(&b, "192.0.2.3");
		assert_int_equal(next(&b, &wait), DNS_LATER);
		assert_int_equal(wait, 595);
		assert_int_equal(b.m.confirmed_s, b.now - 5);

		setup(&b, "noip"); /* a question nobody answers */
		wish(&b, "192.0.2.1");
		asked(&b, NULL);
		assert_int_equal(next(&b, &before), DNS_LATER);
		b.now += steps[i];
		dns_machine_on_step(&b.m, steps[i]);
		assert_int_equal(next(&b, &wait), DNS_LATER);
		assert_int_equal(wait, before);
	}
}

/* Signed with a time that is not set yet: it will be. */
static void test_a_clock_that_differs_is_waited_for(void **state)
{
	struct bench b;
	int64_t wait;

	settled(&b, "rfc2136");
	wish(&b, "192.0.2.2");
	answered(&b, DNS_TIME, 0);
	assert_int_equal(next(&b, &wait), DNS_LATER);
	assert_in_range(wait, 60, 72);
	b.now += wait;
	answered(&b, DNS_TIME, 0);
	assert_int_equal(next(&b, &wait), DNS_LATER);
	b.now += 7200;
	dns_machine_on_step(&b.m, 7200); /* now it is */
	answered(&b, DNS_GOOD, 0);
}

static void test_refresh_only_where_the_row_says_so(void **state)
{
	struct bench b;
	int64_t wait;

	settled(&b, "dy.fi");
	assert_int_equal(next(&b, &wait), DNS_LATER);
	assert_int_equal(wait, 6 * 86400 - 3600);
	b.now += wait;
	answered(&b, DNS_NOCHG, 0);
	assert_int_equal(b.m.nochgs, 0); /* it was asked for */
	settled(&b, "desec");
	b.now += 3ll * 365 * 86400;
	assert_int_equal(next(&b, NULL), DNS_NOTHING);
}

static void test_no_ip_reminds_and_never_pretends(void **state)
{
	struct bench b;

	settled(&b, "noip");
	b.now += 22 * 86400;
	assert_false(dns_machine_reminds(&b.m, b.now));
	b.now += 86400;
	assert_true(dns_machine_reminds(&b.m, b.now));
	assert_int_equal(next(&b, NULL), DNS_NOTHING);
	dns_machine_reminded(&b.m, b.now);
	assert_false(dns_machine_reminds(&b.m, b.now));
}

static void test_the_account_s_other_names_are_parked(void **state)
{
	struct dns_reply reply = {.verdict = DNS_BADAUTH};
	struct bench b;

	settled(&b, "dyn");
	wish(&b, "192.0.2.2");
	dns_machine_park(&b.m, &reply);
	assert_int_equal(next(&b, NULL), DNS_NOTHING);
	assert_int_equal(b.m.state, DNS_STATE_PARKED);
}

static void test_a_change_while_one_is_sent(void **state)
{
	struct dns_reply good = {.verdict = DNS_GOOD};
	struct bench b;

	settled(&b, "dyn");
	wish(&b, "192.0.2.2");
	dns_machine_next(&b.m, b.now, &(int64_t){0});
	dns_machine_sending(&b.m, b.now);
	wish(&b, "192.0.2.3");
	assert_int_equal(next(&b, NULL), DNS_NOTHING);
	dns_machine_answer(&b.m, &good, 0, b.now);
	assert_int_equal(b.m.state, DNS_STATE_DUE); /* the answer was about the other */
	assert_int_equal(b.m.published.bytes[3], 2);
}

/* Nobody can be asked what stands behind a tunnel's number. Restarts with a lost state, however many, never
 * make two requests come sooner than the provider allows. */
static void test_a_name_that_nobody_can_look_up(void **state)
{
	struct bench b;
	int64_t in;

	for (int i = 0; i < 10; i++, b.now += 299) {
		setup(&b, "tunnelbroker");
		b.rules.unaskable = true;
		dns_machine_resume(&b.m, config1, b.now);
		wish(&b, "192.0.2.1");
		assert_int_equal(next(&b, &in), DNS_LATER);
		assert_int_equal(in, 300);
	}
	b.now++;
	answered(&b, DNS_NOCHG, 0);
	assert_int_equal(next(&b, NULL), DNS_NOTHING);

	/* what is known stays known */
	dns_machine_resume(&b.m, config1, b.now);
	wish(&b, "192.0.2.1");
	assert_int_equal(next(&b, NULL), DNS_NOTHING);
	wish(&b, "192.0.2.2");
	b.now += 300;

	/* no answer came: it is sent once more, without a question */
	answered(&b, DNS_LOST, 0);
	assert_int_equal(next(&b, &in), DNS_LATER);
	assert_true(in >= 60);
	b.now += 600;
	answered(&b, DNS_NOCHG, 0);
	assert_int_equal(next(&b, NULL), DNS_NOTHING);
}

/* A reserved address: assigned after a look, and looked at again after each start, as somebody else may
 * have claimed it. In between nothing is sent. */
static void test_a_claim(void **state)
{
	struct bench b;
	int64_t in;

	setup(&b, "digitalocean-reserved-ip");
	wish(&b, "192.0.2.1");
	answered(&b, DNS_PENDING, 0);
	assert_int_equal(next(&b, &in), DNS_LATER);
	assert_int_equal(in, 30); /* the first after a lost state waits a whole interval */
	b.now += in;
	answered(&b, DNS_NOCHG, 0);
	assert_int_equal(next(&b, NULL), DNS_NOTHING);
	b.now += 400 * 86400;
	assert_int_equal(next(&b, NULL), DNS_NOTHING);
	dns_machine_resume(&b.m, config1, b.now);
	wish(&b, "192.0.2.1");
	answered(&b, DNS_NOCHG, 0);
	assert_int_equal(next(&b, NULL), DNS_NOTHING);
}

/* What is never done needs a person in the end. */
static void test_a_claim_that_nobody_grants(void **state)
{
	int64_t in = 0, began;
	struct bench b;
	unsigned n = 0;

	setup(&b, "digitalocean-reserved-ip");
	wish(&b, "192.0.2.1");
	for (began = b.now; b.m.state != DNS_STATE_PARKED; n++) {
		answered(&b, DNS_PENDING, 0);
		if (next(&b, &in) == DNS_LATER)
			b.now += in;
	}
	assert_int_equal(n, DNS_PENDING_MAX);
	assert_in_range(b.now - began, 21 * 60, 26 * 60);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_new_name_asks_first),
		cmocka_unit_test(test_nobody_can_tell),
		cmocka_unit_test(test_a_server_of_ones_own_is_told_at_once),
		cmocka_unit_test(test_a_change_goes_at_once),
		cmocka_unit_test(test_unknown_and_none_change_nothing),
		cmocka_unit_test(test_limits_hold),
		cmocka_unit_test(test_the_day_s_budget),
		cmocka_unit_test(test_what_parks_stays_parked),
		cmocka_unit_test(test_unblocking_and_forcing),
		cmocka_unit_test(test_forcing_again_and_again),
		cmocka_unit_test(test_waits),
		cmocka_unit_test(test_what_nobody_understands_is_given_up),
		cmocka_unit_test(test_a_network_event_tries_again_at_once),
		cmocka_unit_test(test_an_answer_that_was_lost),
		cmocka_unit_test(test_a_provider_that_is_deaf),
		cmocka_unit_test(test_two_that_may_be_there),
		cmocka_unit_test(test_an_answer_that_leaves_it_open),
		cmocka_unit_test(test_what_was_sent_may_come_after_all),
		cmocka_unit_test(test_a_network_event_asks_again),
		cmocka_unit_test(test_what_the_provider_waits_for_stands),
		cmocka_unit_test(test_what_the_provider_waits_for_outlives_parking),
		cmocka_unit_test(test_an_account_that_is_held_while_it_asks),
		cmocka_unit_test(test_what_a_person_may_cut_short),
		cmocka_unit_test(test_a_refresh_after_a_lost_state),
		cmocka_unit_test(test_a_crash_between_sent_and_stored),
		cmocka_unit_test(test_a_hundred_restarts),
		cmocka_unit_test(test_the_clock_is_set_back),
		cmocka_unit_test(test_a_machine_without_a_battery),
		cmocka_unit_test(test_the_clock_is_set_meanwhile),
		cmocka_unit_test(test_a_clock_that_differs_is_waited_for),
		cmocka_unit_test(test_refresh_only_where_the_row_says_so),
		cmocka_unit_test(test_no_ip_reminds_and_never_pretends),
		cmocka_unit_test(test_the_account_s_other_names_are_parked),
		cmocka_unit_test(test_a_change_while_one_is_sent),
		cmocka_unit_test(test_a_name_that_nobody_can_look_up),
		cmocka_unit_test(test_a_claim),
		cmocka_unit_test(test_a_claim_that_nobody_grants),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
