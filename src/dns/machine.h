/*
 * One name, one address family, at one provider: what the provider has, what it should have, and
 * when to say so. Events decide, actions act; the clock is a parameter (seconds since 1970, because
 * what is remembered outlives the process).
 *
 *                wish                 it differs            dns_machine_sending
 *	IDLE ───────────────▶ DOUBT ───────────────▶ DUE ───────────────────────▶ SENT
 *	 ▲ ▲  ▲ nothing to do  │ ▲ ASKING             ▲ ▲                           │
 *	 │ │  └────────────────┘ │ (one question)     │ │ trouble, after a while     │
 *	 │ └─────────────────────┘                    │ └────────────────────────────┤
 *	 │    it has the address                      │ no answer: DOUBT             │
 *	 └────────────────────────────────────────────┼──────────────────────────────┘ good, nochg
 *	                            PARKED ◀──────────┘ what only a person can mend
 *
 * DOUBT is what saves a name from being banned: after a lost state, a crash between "sent" and
 * "stored", an answer that never came or one that says nothing (an error of the server's), the machine
 * asks what is published (once, of the authoritative server) before it sends. A provider that is looked
 * at before each change (rules.looks_first) needs no doubt. A name that is none of the DNS
 * (rules.unaskable) cannot be asked about: after a lost state one interval passes, so that no number of
 * restarts makes requests follow each other sooner than the provider allows; then it is sent.
 *
 * Whoever drives it:
 *
 *	switch (dns_machine_next(m, now, &at)) {
 *	case DNS_NOTHING:			an event will come
 *	case DNS_LATER:				look again at `at`
 *	case DNS_ASK:	dns_machine_asking(m);	then dns_machine_asked
 *	case DNS_SEND:	dns_machine_sending(m, now); store it (dns/ledger.h); send; dns_machine_answer
 *	}
 */
#pragma once

#include "base/ipaddr.h"
#include "dns/rules.h"

#define DNS_STATES(X) X(IDLE) X(DOUBT) X(ASKING) X(DUE) X(SENT) X(PARKED)

enum dns_state {
#define X(name) DNS_STATE_##name,
	DNS_STATES(X)
#undef X
};

/* What is known of our own address. Neither NONE nor UNKNOWN ever changes a record. */
enum dns_wish { DNS_WISH_UNKNOWN, DNS_WISH_NONE, DNS_WISH_ADDRESS };

enum dns_action { DNS_NOTHING, DNS_LATER, DNS_ASK, DNS_SEND };

#define DNS_CONFIG_LEN	 32
#define DNS_ASKS_MAX	 5	    /* questions without an answer, then it is sent unasked */
#define DNS_CLOCK_SET_S	 1735689600 /* 2025: before that it is not set yet, and nothing is done */
#define DNS_CLOCK_LOOK_S 60	    /* how often it is looked at until then */

struct dns_machine {
	const struct dns_rules *rules; /* borrowed */

	/* durable: dns/ledger.h */
	enum dns_state state;
	uint8_t config[DNS_CONFIG_LEN]; /* hash of what is configured, credentials too */
	struct ipaddr published;	/* what the provider has, if sure; family 0: nothing */
	bool sure;
	struct ipaddr attempt; /* in SENT, and as long as nobody knows whether it arrived */
	int64_t confirmed_s;   /* the provider last said that it has it; 0: never. Found there by a
				* question in a lost state: when that may have been */
	int64_t attempted_s;   /* last request */
	int64_t not_before_s;  /* trouble: next request or question */
	int64_t interval_spent, budget_spent; /* of the limits */
	int64_t since_s;		      /* since when a person was not reminded */
	enum dns_verdict verdict;	      /* last answer */
	char text[DNS_REPLY_TEXT_MAX];	      /* with it: a stranger's bytes */
	unsigned fails, nochgs;		      /* in a row */

	/* not durable */
	enum dns_wish wish;
	struct ipaddr wanted;
	unsigned asks;				/* in a row, without an answer */
	int64_t run_s;				/* the first dns_machine_next; 0: not yet */
	int64_t interval_before, budget_before; /* the limits before the request under way */
	bool refresh_only;			/* the request is no change */
	bool bidden;				/* not_before_s is the provider's own wish */
	bool forced;				/* a person wants it sent, needed or not */
};

void dns_machine_init(struct dns_machine *m, const struct dns_rules *rules,
		      const uint8_t config[static DNS_CONFIG_LEN]);

/* After the durable fields were read: another configuration than the stored one makes the record
 * unknown and ends parking; what was sent without an answer is in doubt. The limits stay. A stored
 * one of zeros is another client's (dns/import.h): what it published counts for the first of ours. */
void dns_machine_resume(struct dns_machine *m, const uint8_t config[static DNS_CONFIG_LEN],
			int64_t now);

/* address: with DNS_WISH_ADDRESS only, else NULL. */
void dns_machine_on_wish(struct dns_machine *m, enum dns_wish wish, const struct ipaddr *address,
			 int64_t now);

/* What to do. *ret_at with DNS_LATER. */
enum dns_action dns_machine_next(struct dns_machine *m, int64_t now, int64_t *ret_at);

void dns_machine_asking(struct dns_machine *m);

/* published: NULL: could not be found out; family 0: for certain there is no record. */
void dns_machine_asked(struct dns_machine *m, const struct ipaddr *published, int64_t now);

/* From here on the request may have arrived, whatever happens: to be stored before it is sent. */
void dns_machine_sending(struct dns_machine *m, int64_t now);
void dns_machine_answer(struct dns_machine *m, const struct dns_reply *reply,
			unsigned retry_after_s, int64_t now);

/* Another name of the account was answered with what concerns the account (badauth): the same would
 * come here. Nothing happens in SENT. */
void dns_machine_park(struct dns_machine *m, const struct dns_reply *reply);

/* Likewise with what is to be waited for (911, 429): no request before until_s. */
void dns_machine_hold(struct dns_machine *m, const struct dns_reply *reply, int64_t until_s);

/* The wall clock was set, by so many seconds, since the last call: what was noted since the process
 * began goes with it, so that nobody is asked sooner, or much later, than he wants. */
void dns_machine_on_step(struct dns_machine *m, int64_t step);

/* Where a provider states an interval it is the name's, not the family's: the other one's request counts
 * here, too; and does not if it never got there. */
void dns_machine_twin_sending(struct dns_machine *m, int64_t now);
void dns_machine_twin_failed(struct dns_machine *m);

/* The network changed: what only failed on the way may be tried at once. */
void dns_machine_on_network(struct dns_machine *m, int64_t now);

/* A person has mended it. With force: to be sent although nothing changed. What the provider wants
 * waited for is waited for all the same. */
void dns_machine_unblock(struct dns_machine *m, bool force, int64_t now);

/* Whether a person must do something at the provider's web site by now (free names of No-IP). */
bool dns_machine_reminds(const struct dns_machine *m, int64_t now);
void dns_machine_reminded(struct dns_machine *m, int64_t now);

/* What it would do now, for people; name, word for programs. */
#define DNS_PROSPECTS(X)                                                                           \
	X(NOTHING, "nothing")		/* the provider has the address */                         \
	X(NO_ADDRESS, "no-address")	/* none is known, or there is none */                      \
	X(PARKED, "parked")		/* until a person has mended it */                         \
	X(NOW, "now")			/* it is sent */                                           \
	X(ASKS, "asks")			/* what is published is asked first */                     \
	X(UNDER_WAY, "under-way")	/* an answer is awaited */                                 \
	X(TROUBLE, "trouble")		/* sent or asked later, after what went wrong */           \
	X(INTERVAL, "interval")		/* sent later: the provider's interval */                  \
	X(BUDGET, "budget")		/* sent later: the provider's budget for a day */          \
	X(OTHER_FAMILY, "other-family") /* only both addresses at once (DNS_CAN_ONLY_BOTH) */

enum dns_prospect {
#define X(name, word) DNS_PROSPECT_##name,
	DNS_PROSPECTS(X)
#undef X
};

/* Changes nothing. *ret_at: with TROUBLE, INTERVAL and BUDGET. */
enum dns_prospect dns_machine_prospect(const struct dns_machine *m, int64_t now, int64_t *ret_at);
const char *dns_prospect_word(enum dns_prospect prospect);

const char *dns_state_name(enum dns_state state);
