#include "dns/rules.h"

#include "base/cleanup.h"
#include "base/rand.h"

#define MINUTE 60u
#define HOUR   3600u
#define DAY    86400u

void dns_rules_of(const struct dns_provider *provider, struct dns_rules *ret)
{
	unsigned least = provider->rfc2136 ? DNS_INTERVAL_OWN_S : DNS_INTERVAL_DEFAULT_S;

	*ret = (struct dns_rules){
		.interval_s = MAX(provider->min_interval_s, least),
		.burst = provider->hard_interval ? 1 : 2,
		.per_day = provider->per_day,
		.refresh_s = provider->refresh_days * DAY,
		.remind_s = provider->remind_days * DAY,
		.settle_s = provider->rfc2136 ? DNS_SETTLE_OWN_S : DNS_SETTLE_S,
		.looks_first = dns_provider_looks_first(provider),
		.claims = provider->claim != NULL,
		.asks_once = provider->rfc2136,
	};
}

/* The generic cell rate algorithm: `spent` is when the limit will have forgotten all. */
int64_t dns_limit_next(int64_t spent, unsigned interval_s, unsigned burst, int64_t now)
{
	int64_t at = spent - (int64_t)interval_s * (burst - 1);

	return MAX(at, now);
}

void dns_limit_spend(int64_t *spent, unsigned interval_s, int64_t now)
{
	*spent = MAX(*spent, now) + interval_s;
}

static unsigned interval_of(unsigned n, unsigned span_s)
{
	unsigned rest = n - n / 2;

	return (span_s + rest - 1) / rest;
}

unsigned dns_budget_burst(unsigned per_day)
{
	return per_day / 2;
}

unsigned dns_budget_interval_s(unsigned per_day)
{
	return interval_of(per_day, DAY);
}

static unsigned burst_of(const struct dns_account_limit *limit)
{
	return MAX(limit->n / 2, 1);
}

/* A clock that was set back must not hold an account up for long: no longer than all spent now would. */
static int64_t remembered(const struct dns_account_limit *limit, int64_t spent, int64_t now)
{
	return MIN(spent, now + (int64_t)interval_of(limit->n, limit->span_s) * burst_of(limit));
}

int64_t dns_account_next(const struct dns_provider *p,
			 const int64_t spent[static DNS_ACCOUNT_LIMITS_MAX], int64_t now)
{
	int64_t at = now;

	for (unsigned i = 0; i < DNS_ACCOUNT_LIMITS_MAX && p->account[i].n; i++) {
		const struct dns_account_limit *l = &p->account[i];

		at = MAX(at, dns_limit_next(remembered(l, spent[i], now),
					    interval_of(l->n, l->span_s), burst_of(l), now));
	}
	return at;
}

void dns_account_mend(const struct dns_provider *p, int64_t spent[static DNS_ACCOUNT_LIMITS_MAX],
		      int64_t now)
{
	for (unsigned i = 0; i < DNS_ACCOUNT_LIMITS_MAX && p->account[i].n; i++)
		spent[i] = remembered(&p->account[i], spent[i], now);
}

void dns_account_spend(const struct dns_provider *p, int64_t spent[static DNS_ACCOUNT_LIMITS_MAX],
		       int64_t now)
{
	for (unsigned i = 0; i < DNS_ACCOUNT_LIMITS_MAX && p->account[i].n; i++) {
		const struct dns_account_limit *l = &p->account[i];

		spent[i] = remembered(l, spent[i], now);
		dns_limit_spend(&spent[i], interval_of(l->n, l->span_s), now);
	}
}

static unsigned doubled(unsigned first, unsigned times, unsigned most)
{
	while (times-- && first < most)
		first *= 2;
	return MIN(first, most);
}

static bool is_of_the_way(enum dns_verdict v)
{
	return v == DNS_NETWORK || v == DNS_LOST || v == DNS_PAGE || v == DNS_SERVER ||
	       v == DNS_TIME;
}

bool dns_same_trouble(enum dns_verdict a, enum dns_verdict b)
{
	return a == b || (is_of_the_way(a) && is_of_the_way(b));
}

unsigned dns_wait_s(enum dns_verdict verdict, unsigned fails, unsigned retry_after_s)
{
	unsigned wait;

	switch (verdict) {
	case DNS_OUTAGE:
	case DNS_DNSERR: /* 30 min, 30 min, 1 h .. 6 h */
		wait = fails < 2 ? 30 * MINUTE : doubled(30 * MINUTE, fails - 2, 6 * HOUR);
		break;
	case DNS_RATE:
		wait = retry_after_s ? 0 : 30 * MINUTE;
		break;
	case DNS_UNKNOWN:
		wait = HOUR;
		break;
	case DNS_PENDING: /* 10 s .. 30 min */
		wait = doubled(10, fails ? fails - 1 : 0, 30 * MINUTE);
		break;
	default: /* the way there, or a server out of order: 1 min .. 30 min */
		wait = doubled(MINUTE, fails ? fails - 1 : 0, 30 * MINUTE);
	}
	wait = MAX(wait, MIN(retry_after_s, DNS_WAIT_MAX_S));
	return wait + (unsigned)rand_below(wait / 5 + 1);
}

bool dns_gives_up(enum dns_verdict verdict, unsigned fails)
{
	if (verdict == DNS_PENDING)
		return fails >= DNS_PENDING_MAX;
	return (verdict == DNS_UNKNOWN || verdict == DNS_DNSERR) && fails >= DNS_TRIES_MAX;
}
