/*
 * How often a provider may be asked for something, in one place: intervals, budgets, and how long
 * trouble makes one wait. Times are seconds of the wall clock, because they outlive the process.
 */
#pragma once

#include "dns/provider.h"

#define DNS_INTERVAL_DEFAULT_S 30
#define DNS_INTERVAL_OWN_S     1 /* at a name server that takes signed updates: that is its work */
#define DNS_WAIT_MAX_S	       (24 * 3600) /* nobody is believed who asks for more */
#define DNS_PENDING_MAX	       8   /* looks at something that should long be done: 21 minutes */
#define DNS_TRIES_MAX	       3   /* of answers nobody understands, then a person is asked */
#define DNS_SETTLE_S	       300 /* until then a record may still come that nobody has confirmed */
#define DNS_SETTLE_OWN_S       10  /* at a name server that takes signed updates */

struct dns_rules {
	unsigned interval_s; /* between two requests for one name and family */
	unsigned burst;	     /* as many may come at once, if none came for as long */
	unsigned per_day;    /* in any 24 hours; 0: no limit */
	unsigned refresh_s;  /* an unchanged record is sent again after that; 0: never */
	unsigned remind_s;   /* a person is reminded after that; 0: never */
	unsigned settle_s;   /* what was sent is published by then, or never */
	bool looks_first;    /* an update changes nothing when nothing is to be changed */
	bool claims;	     /* it may be taken away again: looked at after each start */
	bool unaskable;	     /* the name is none of the DNS: nobody can say what is published */
	bool asks_once;	     /* in doubt and without an answer it is sent: nobody minds there */
};

void dns_rules_of(const struct dns_provider *provider, struct dns_rules *ret);

/*
 * A limit on how often: as many at once as `burst`, one more each `interval_s`. *spent is what the
 * limit remembers (0 at first), a time; it may be stored.
 */
int64_t dns_limit_next(int64_t spent, unsigned interval_s, unsigned burst, int64_t now);
void dns_limit_spend(int64_t *spent, unsigned interval_s, int64_t now);

/* How the day's budget is such a limit: half of it at once, the rest over the day, so that no 24
 * hours see more than all of it. per_day > 1. */
unsigned dns_budget_interval_s(unsigned per_day);
unsigned dns_budget_burst(unsigned per_day);

/* Whether b after a goes on with the same trouble; the ways not to get an answer are one. */
bool dns_same_trouble(enum dns_verdict a, enum dns_verdict b);

/*
 * The provider's limits on one account, whatever the names: spent is what they remember, one for each, 0 at
 * first. Made of its numbers as the day's budget is.
 */
int64_t dns_account_next(const struct dns_provider *provider,
			 const int64_t spent[static DNS_ACCOUNT_LIMITS_MAX], int64_t now);
/* What a clock that was ahead has left there is cut to what can be. */
void dns_account_mend(const struct dns_provider *p, int64_t spent[static DNS_ACCOUNT_LIMITS_MAX],
		      int64_t now);
void dns_account_spend(const struct dns_provider *provider,
		       int64_t spent[static DNS_ACCOUNT_LIMITS_MAX], int64_t now);

/* How long to wait after this verdict, of class WAIT, the `fails`th in a row (from 1). retry_after_s
 * 0: the provider did not say. With a jitter, upwards. */
unsigned dns_wait_s(enum dns_verdict verdict, unsigned fails, unsigned retry_after_s);

/* Whether the verdict, the `fails`th in a row, is to be taken as one that parks. */
bool dns_gives_up(enum dns_verdict verdict, unsigned fails);
