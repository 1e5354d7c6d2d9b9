/*
 * One TXT value at a name, beside those that others have put there, at a provider with an interface for
 * records: added, or taken away again. No other value of the name is changed, and no address. Both are
 * idempotent: what is as it should be already ends with DNS_NOCHG before anything is sent that changes. No
 * I/O: give the answers, get the next request.
 *
 *	r = dns_txt_start(&txt, &entry, "_acme-challenge.home.example.org", "gfj9Xq...Rg85nM", false, &e);
 *	while (!dns_txt_ended(&txt)) {
 *		r = dns_txt_request(&txt, &request, &e);
 *		... send it ...
 *		dns_txt_answer(&txt, &answer);
 *	}
 *	txt.reply.verdict
 *	dns_txt_done(&txt);
 *
 * One row for each provider that can. Most have records with a number each: the list is read, one is made, or
 * the one with our value is deleted. Others have sets: the set is read, and written with our value more or
 * less. DuckDNS holds one value a name (DNS_TXT_SINGLE): whoever calls must know whether another one is there.
 */
#pragma once

#include "dns/request.h"

#define DNS_TXT_VALUE_MAX  255	/* bytes of a value: one string of the DNS */
#define DNS_TXT_RAW_MAX	   1024 /* of one that is there, as the provider writes it */
#define DNS_TXT_VALUES_MAX 32	/* at one name, ours too */
#define DNS_TXT_ID_MAX	   64	/* of a record's number */
#define DNS_TXT_STEPS_MAX  8

/* When a step is made; without a bit of a pair, in both cases. */
#define DNS_TXT_ADD    1u
#define DNS_TXT_REMOVE 2u
#define DNS_TXT_ALONE  4u /* the name has no value beside ours */
#define DNS_TXT_BESIDE 8u

/*
 * The records that an answer lists. {record} is then the number of the one that holds our value, {values} what
 * the set has to be: `item` of the row for each of the others, and for ours if it is added.
 */
struct dns_txt_list {
	const char *path; /* of the JSON list; NULL: the answer is none */
	/* "type=TXT,name={sub0}": of which elements; NULL: all are of the name */
	const char *where;
	const char *id; /* path in them; "": the element itself; NULL: it has none */
	/* likewise; NULL: it is not told, and each is asked for by the next step (each) */
	const char *value;
	const char *ttl;  /* path: what the others have becomes {ttl}. NULL: ours stays */
	const char *none; /* "path=value": there is no list, as it would be empty; NULL: never */
	bool verbatim;	  /* the others go into {values} as they are */
	bool xml;	  /* of Route 53 */
};

struct dns_txt_step {
	struct dns_step step;
	unsigned when; /* DNS_TXT_* */
	struct dns_txt_list list;
	const char *each; /* made for each number of the list until this member holds our value */
};

enum dns_txt_scope {
	DNS_TXT_ZONE,	/* every name of the section's zone */
	DNS_TXT_BELOW,	/* the section's host is the zone */
	DNS_TXT_ASKED,	/* the provider says which zone it is; the section's host is in it */
	DNS_TXT_SINGLE, /* one value for the section's host and everything below it */
};

struct dns_txt_row {
	const char *provider;
	enum dns_txt_scope scope;
	bool quoted;			   /* values as in a zone file: "v=1", with the quotes */
	const char *item;		   /* of {values}, with {each}; NULL: there are no sets */
	const char *header;		   /* instead of the provider's headers; NULL: those */
	const struct dns_grammar *grammar; /* NULL: the provider's */
	struct dns_txt_step steps[DNS_TXT_STEPS_MAX];
};

/* NULL: the provider has none, or only DNS UPDATE (dns/rfc2136.h). */
const struct dns_txt_row *dns_txt_row_find(const struct dns_provider *provider);

/* Whether that may be a value: 1 to DNS_TXT_VALUE_MAX printable ASCII characters. */
bool dns_txt_value_valid(struct str value);

/* Whether the name can have a value with this section's credentials. `name` in lower case. The longer what they
 * have in common, the better: how many characters; 0: not at all. */
size_t dns_txt_serves(const struct dns_entry *entry, const char *name);

struct dns_txt {
	const struct dns_txt_row *row;
	struct dns_entry entry; /* its host is the name of the record */
	bool remove;
	char host[HOSTNAME_MAX], zone[HOSTNAME_MAX];
	char plain[DNS_TXT_VALUE_MAX + 1];	      /* the value */
	char value[2 * DNS_TXT_VALUE_MAX + 3];	      /* as the provider writes it */
	char ids[DNS_TXT_VALUES_MAX][DNS_TXT_ID_MAX]; /* of those with our value, or of all */
	unsigned n_ids, id;			      /* the one it is about */
	unsigned n_others;
	bool found;	   /* our value is there */
	struct buf values; /* owned: the set as it has to be */
	char taken[4][DNS_TXT_ID_MAX + HOSTNAME_MAX];
	unsigned n_taken;
	struct dns_vars vars;
	struct dns_vars_text text;
	unsigned step;
	bool ended;
	struct dns_reply reply; /* of the last answer; the result when ended */
};

/* -ERR_INVALID: the entry cannot have it, e says why: nothing to free. entry's strings are borrowed, name and
 * value copied. */
int dns_txt_start(struct dns_txt *txt, const struct dns_entry *entry, const char *name,
		  const char *value, bool remove, struct err *e) MUST_CHECK;
void dns_txt_done(struct dns_txt *txt); /* wipes */

static inline bool dns_txt_ended(const struct dns_txt *txt)
{
	return txt->ended;
}

/* As dns_plan_request: into a zeroed *ret that the caller frees, also after an error, which ends it with
 * DNS_REFUSED. */
int dns_txt_request(struct dns_txt *txt, struct dns_request *ret, struct err *e) MUST_CHECK;

void dns_txt_answer(struct dns_txt *txt, const struct dns_answer *answer);

/* No answer came. */
void dns_txt_fail(struct dns_txt *txt, const char *why);
