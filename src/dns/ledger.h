/*
 * What must not be forgotten about the names: the durable part of their machines, as JSON in the
 * state folder. It is written before a request leaves and after its answer came; nothing secret is
 * in it: configurations are told apart by salted hashes.
 *
 *	{"version": 1, "written": 1800000000, "salt": "5e1f...",
 *	 "names": {"dyn home.example.org A": {"state": "IDLE", ...}}}
 *
 * A file that is damaged, or of a later version, is as good as none: then the machines doubt, and
 * ask before they send. What was neither got nor put since it was read is of names that are not
 * configured now: it stays for DNS_LEDGER_KEEP_S and as long as there is room, because a name that is
 * taken out may come back.
 */
#pragma once

#include <jansson.h>

#include "base/buf.h"
#include "dns/machine.h"

#define DNS_LEDGER_FILE		"dns.json"
#define DNS_LEDGER_NAMES_MAX	2048
#define DNS_LEDGER_ACCOUNTS_MAX 512
#define DNS_LEDGER_TEXTS_MAX	512
#define DNS_LEDGER_KEY_MAX	(HOSTNAME_MAX + 160)

#define DNS_LEDGER_SALT_LEN 16
#define DNS_LEDGER_KEEP_S   (400ll * 24 * 3600)

struct dns_ledger {
	json_t *names;	  /* owned */
	json_t *accounts; /* owned: what the limits of accounts remember */
	json_t *used;	  /* owned: keys of those that are configured */
	json_t *texts;	  /* owned: TXT values to be taken away: "NAME VALUE", and when; 0: never */
	uint8_t salt[DNS_LEDGER_SALT_LEN]; /* of the hashes in it */
	int64_t written_s; /* when what was read was written; 0: never. Not earlier again */
};

/* With a new salt. Without memory every put fails. */
void dns_ledger_init(struct dns_ledger *ledger);
void dns_ledger_done(struct dns_ledger *ledger);

/* -ERR_INVALID: damaged, and *ledger (initialised) is empty. -ERR_NOMEM. */
int dns_ledger_decode(struct dns_ledger *ledger, struct str text, struct err *e) MUST_CHECK;

/* Append the text. What is not configured is left out after DNS_LEDGER_KEEP_S, or, the oldest first, when
 * the text is longer than a file of the state folder. -ERR_NOMEM, -ERR_LIMIT. */
int dns_ledger_encode(struct dns_ledger *ledger, int64_t now, struct buf *out) MUST_CHECK;

/* "PROVIDER HOST A|AAAA". Returns key. */
const char *dns_ledger_key(char key[static DNS_LEDGER_KEY_MAX], const char *provider,
			   const char *host, int family);

/* The durable fields of m, an initialised machine; false: nothing good is stored under that key, and
 * m is unchanged. dns_machine_resume follows. */
bool dns_ledger_get(struct dns_ledger *ledger, const char *key, struct dns_machine *m);

/* Where there is no room, the oldest that is not configured goes. -ERR_NOMEM; -ERR_LIMIT:
 * DNS_LEDGER_NAMES_MAX are configured. */
int dns_ledger_put(struct dns_ledger *ledger, const char *key,
		   const struct dns_machine *m) MUST_CHECK;

/* What the limits of an account remember (dns/rules.h), under a name for it; zeros if nothing is known. */
void dns_ledger_get_account(const struct dns_ledger *ledger, const char *account,
			    int64_t spent[static DNS_ACCOUNT_LIMITS_MAX]);

/* -ERR_NOMEM; -ERR_LIMIT: DNS_LEDGER_ACCOUNTS_MAX, or the name is longer than DNS_LEDGER_ACCOUNT_MAX. */
#define DNS_LEDGER_ACCOUNT_MAX 64
int dns_ledger_put_account(struct dns_ledger *ledger, const char *account,
			   const int64_t spent[static DNS_ACCOUNT_LIMITS_MAX]) MUST_CHECK;

/* A TXT value that was added, until it was taken away. -ERR_NOMEM, -ERR_LIMIT. */
int dns_ledger_put_text(struct dns_ledger *ledger, const char *name, const char *value,
			int64_t until_s) MUST_CHECK;
void dns_ledger_drop_text(struct dns_ledger *ledger, const char *name, const char *value);

/* The name and value of one in texts; both are borrowed from key. False: it is none. */
bool dns_ledger_text(const char *key, struct str *ret_name, struct str *ret_value);
