/*
 * An update at a provider, as many requests as its row has: give the answers, get the next request.
 * No I/O.
 *
 *	r = dns_plan_start(&plan, &entry, DNS_A, &target, &e);
 *	while (!dns_plan_ended(&plan)) {
 *		r = dns_plan_request(&plan, &request, &e);
 *		... send it ...
 *		dns_plan_answer(&plan, &answer);
 *	}
 *	plan.reply.verdict
 *
 * A record that is already as it should be ends the plan with DNS_NOCHG before anything is changed.
 */
#pragma once

#include "dns/request.h"

#define DNS_TAKEN_MAX	   4
#define DNS_TAKEN_TEXT_MAX 256

struct dns_plan {
	const struct dns_entry *entry; /* borrowed */
	enum dns_what what;
	struct dns_target target;
	struct dns_vars vars;
	struct dns_vars_text text;
	char taken[DNS_TAKEN_MAX][DNS_TAKEN_TEXT_MAX];
	unsigned n_taken;
	unsigned step;	 /* the one to be sent */
	bool has_record; /* one of this type is there */
	bool ended;
	struct dns_reply reply; /* of the last answer; the result when ended */
};

/* -ERR_INVALID: the entry or its row cannot do that. target's text is borrowed. */
int dns_plan_start(struct dns_plan *plan, const struct dns_entry *entry, enum dns_what what,
		   const struct dns_target *target, struct err *e) MUST_CHECK;

static inline bool dns_plan_ended(const struct dns_plan *plan)
{
	return plan->ended;
}

/* The next request, into a zeroed *ret that the caller frees, also after an error. An error ends
 * the plan with DNS_REFUSED. */
int dns_plan_request(struct dns_plan *plan, struct dns_request *ret, struct err *e) MUST_CHECK;

/* Whether the next request changes nothing at the provider's. */
bool dns_plan_reads(const struct dns_plan *plan);

/* The next request for people, with *** for all that is secret; otherwise as dns_plan_request, but the plan
 * stays as it is. */
int dns_plan_show(const struct dns_plan *plan, struct dns_request *ret, struct err *e) MUST_CHECK;

/* On to the next request, as if this one had been made and had changed what it should. */
void dns_plan_pass(struct dns_plan *plan);

void dns_plan_answer(struct dns_plan *plan, const struct dns_answer *answer);

/* No answer came. */
void dns_plan_fail(struct dns_plan *plan, const char *why);
