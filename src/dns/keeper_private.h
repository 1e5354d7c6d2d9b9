/* The keeper's inside: keeper.c decides what is due, keeper_store.c has it on disk first, keeper_http.c
 * and batch.c send it. */
#pragma once

#include "dns/keeper.h"
#include "dns/ledger.h"
#include "dns/plan.h"

/*
 *	          due           the ledger is being     is on disk       request is made
 *	IDLE ────────▶ TO_STORE ──────────▶ STORING ──────────▶ STORED ──────────▶ SENT
 *	  ▲                       written                                            │ answer
 *	  └──────────────────────────────────────────────────────────────────────────┘
 */
enum keeper_stage { STAGE_IDLE, STAGE_TO_STORE, STAGE_STORING, STAGE_STORED, STAGE_SENT };

struct keeper_side {
	struct keeper_name *name; /* borrowed */
	int family;		  /* 4, 6 */
	bool on;		  /* configured, and the provider can */
	struct dns_machine machine;
	void *question;	       /* owned: the asker's */
	bool sending;	       /* the request under way is about this side */
	unsigned answers;      /* to its requests since the start; may wrap */
	struct ipaddr to_send; /* with it, though something else may be wanted since; family 0: not
				* known */
	int64_t remind_at;     /* not before */
};

struct keeper_name {
	struct dns_keeper *keeper; /* borrowed */
	const char *label;	   /* owned, as the entry's strings */
	const char *sealed;	   /* owned; NULL: its secret is known */
	bool may_be_right;	   /* sealed, but another user may know it */
	struct dns_entry entry;
	struct dns_rules rules;
	struct ipaddr fixed4, fixed6, suffix;
	unsigned prefix_bits; /* 64 at most; not 0 */
	bool prefix;	      /* IPv6 machines know the network's address, not ours */
	struct dns_asker asker;
	uint8_t account_hash[DNS_CONFIG_LEN]; /* of what an account is */
	size_t account;			      /* the first name of the same */
	unsigned n_begun, n_sent; /* of the account, with its first name: not in IDLE, in SENT */
	/* what its limits remember, now and before the request under way; with its first name */
	int64_t account_spent[DNS_ACCOUNT_LIMITS_MAX], account_before[DNS_ACCOUNT_LIMITS_MAX];
	struct keeper_side sides[2]; /* IPv4, IPv6 */
	enum keeper_stage stage;
	enum dns_what what;
	struct dns_plan plan;
	struct httpc_call *call; /* owned */
	int64_t looked_spent; /* of the account's limit of dns/check, if it is the account's first name */
	/* of TXT values of the account, if it is the account's first name */
	enum dns_verdict txt_refused; /* DNS_GOOD: not */
	int64_t txt_not_before_s;
};

struct keeper_choice {
	enum dns_wish wish;
	struct ipaddr address;
	enum dns_source source;
};

struct keeper_store;

struct dns_keeper {
	struct loop *loop;   /* borrowed */
	struct httpc *httpc; /* borrowed */
	struct dns_keeper_settings settings;
	char *folder;		   /* owned */
	struct keeper_name *names; /* owned */
	size_t n_names;
	struct dns_chooser chooser;
	struct keeper_choice choices[2];
	usec_t born;
	int64_t offset_s; /* of the wall clock from the loop's, when it was looked at last; 0: never */
	bool waits_for_clock, told_clock;
	unsigned n_questions; /* under way */
	unsigned n_calls;     /* names that are not in IDLE, those of DNS UPDATE apart */
	struct dns_ledger ledger;
	bool dirty;	   /* the ledger on disk is older */
	bool cannot_store; /* that was told */
	bool may_be_stale; /* what was read may be older than what was sent: it cannot be written */
	struct keeper_store *store; /* owned by its job; being written */
	struct list batches;	    /* of struct batch */
	struct list trials;	    /* of struct dns_trial, borrowed */
	struct keeper_txt *txt;	    /* owned */
	struct timer timer, settle;
	usec_t settle_by;
	struct defer defer;
};

/* The wall clock. All machines are told when it was set. */
int64_t keeper_now_s(struct dns_keeper *k);

static inline bool keeper_same_account(const struct keeper_name *a, const struct keeper_name *b)
{
	return a->account == b->account;
}

void keeper_set_stage(struct keeper_name *name, enum keeper_stage stage);

/* Whether a person means it; label NULL: all. */
bool keeper_is_called(const struct keeper_name *name, const char *label);

/* As of dns_keeper_update. False: nothing of it is on. */
bool keeper_name_update(struct keeper_name *name, bool force);

/* Something may have come to its end. */
void keeper_trials_run(struct dns_keeper *k);

/* One of dns_keeper_status. */
json_t *keeper_side_status(const struct keeper_side *side, int64_t now);

/* Look at all names again, from the loop. */
void keeper_run_soon(struct dns_keeper *k);

/* keeper_account.c: a provider's limits on an account, which its names share and which outlive the process:
 * taken up from the ledger; when an update may be sent; one is sent; that one has not reached the provider. */
void keeper_account_resume(struct keeper_name *name);
int64_t keeper_account_next(const struct keeper_name *name, int64_t now);
void keeper_account_spend(struct keeper_name *name, int64_t now);
void keeper_account_refund(struct keeper_name *name);

/* DNS_EVENT_STATE. */
void keeper_tell_state(const struct dns_keeper *k, const struct err *e);

/* keeper_store.c: what is remembered. */
void keeper_ledger_key(const struct keeper_side *side, char key[static DNS_LEDGER_KEY_MAX]);

/* The ledger gets what the side's machine knows. */
void keeper_put(struct keeper_side *side);

/* Read the ledger, and see whether it can be written. What is not there, or damaged, is told and makes the
 * machines doubt; it is no error. Blocks for a moment, as close does. */
void keeper_store_open(struct dns_keeper *k);

/* Write what changed, if nothing is being written; then what waited for it may go. */
void keeper_store_run(struct dns_keeper *k);

/* All that is known is on disk when this returns, if that takes it. */
void keeper_store_close(struct dns_keeper *k);

/* The answer to what is under way of this name. */
void keeper_finish(struct keeper_name *name, const struct dns_reply *reply, unsigned retry_after_s);

/* Zeroed before. On error too, keeper_name_done. Takes up what the ledger has of it. */
int keeper_name_init(struct keeper_name *name, struct dns_keeper *k,
		     const struct dns_keeper_name *from, struct err *e) MUST_CHECK;
void keeper_name_done(struct keeper_name *name);

/* What one name of an account was told is about all of it (429, a wrong password): the others would only be told the
 * same, and wait as long, or for the same person. */
void keeper_tell_account(struct keeper_name *name, const struct dns_reply *reply, int64_t until_s);

/* Begin what is stored of this name; ends in keeper_finish, perhaps before it returns. */
void keeper_http_start(struct keeper_name *name);

/* Any request of this name, signed if its row wants that. The request is of no further use then. */
int keeper_http_send(const struct keeper_name *name, struct dns_request *q,
		     void (*on_done)(void *arg, const struct httpc_answer *answer), void *arg,
		     struct httpc_call **ret_call, struct err *e) MUST_CHECK;

/* No answer came: once connected, to whom it was meant for, the request may have done its work. */
bool keeper_http_may_have_arrived(const struct httpc_answer *answer);

/* Seconds of Retry-After; 0: there is none. */
unsigned keeper_retry_after(const struct httpc_answer *answer, int64_t now_s);

/* keeper_txt.c: TXT values. Free ends what is under way, and may be called for a keeper that is half built. */
int keeper_txt_new(struct dns_keeper *k, struct err *e) MUST_CHECK;
void keeper_txt_free(struct dns_keeper *k);
void keeper_txt_resume(struct dns_keeper *k); /* when ledger and names are there */
void keeper_txt_run(struct dns_keeper *k);    /* begin what can begin */
bool keeper_txt_is_busy(const struct dns_keeper *k, const struct keeper_name *name);
void keeper_txt_forgive(struct dns_keeper *k); /* a person has mended something */

/* The name whose credentials serve this one; NULL: none. */
struct keeper_name *keeper_txt_section(struct dns_keeper *k, const char *name);

/* Begin to take a value away that nobody took away. False: not now. How it ends: keeper_kept.h. */
bool keeper_txt_take_away(struct keeper_name *by, const char *name, const char *value);
