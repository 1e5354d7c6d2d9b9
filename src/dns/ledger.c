#include "dns/ledger.h"

#include <stdio.h>
#include <string.h>

#include "base/baseenc.h"
#include "base/cleanup.h"
#include "base/rand.h"
#include "dns/txt.h"
#include "state/folder.h"

#define DNS_LEDGER_TEXT_MAX (HOSTNAME_MAX + DNS_TXT_VALUE_MAX + 2)
#define VERSION		    1

void dns_ledger_init(struct dns_ledger *ledger)
{
	*ledger = (struct dns_ledger){.names = json_object(),
				      .accounts = json_object(),
				      .used = json_object(),
				      .texts = json_object()};
	rand_bytes(ledger->salt, sizeof(ledger->salt));
}

void dns_ledger_done(struct dns_ledger *ledger)
{
	json_decref(ledger->names);
	json_decref(ledger->accounts);
	json_decref(ledger->used);
	json_decref(ledger->texts);
	*ledger = (struct dns_ledger){0};
}

static int64_t number(const json_t *object, const char *field)
{
	return json_integer_value(json_object_get(object, field));
}

static int64_t get_time(const json_t *object, const char *field)
{
	int64_t t = number(object, field);

	return t > 0 && t < (int64_t)1 << 40 ? t : 0;
}

/* ── accounts ── */

static void get_spent(const json_t *list, int64_t spent[static DNS_ACCOUNT_LIMITS_MAX])
{
	for (size_t i = 0; i < DNS_ACCOUNT_LIMITS_MAX; i++) {
		int64_t t = json_integer_value(json_array_get(list, i));

		spent[i] = t > 0 && t < (int64_t)1 << 40 ? t : 0;
	}
}

void dns_ledger_get_account(const struct dns_ledger *ledger, const char *account,
			    int64_t spent[static DNS_ACCOUNT_LIMITS_MAX])
{
	get_spent(json_object_get(ledger->accounts, account), spent);
}

int dns_ledger_put_account(struct dns_ledger *ledger, const char *account,
			   const int64_t spent[static DNS_ACCOUNT_LIMITS_MAX])
{
	json_t *list;

	if (strlen(account) > DNS_LEDGER_ACCOUNT_MAX ||
	    (json_object_size(ledger->accounts) >= DNS_LEDGER_ACCOUNTS_MAX &&
	     !json_object_get(ledger->accounts, account)))
		return -ERR_LIMIT;
	list = json_array();
	for (size_t i = 0; i < DNS_ACCOUNT_LIMITS_MAX; i++)
		if (json_array_append_new(list, json_integer(spent[i])) < 0)
			break;
	return json_object_set_new(ledger->accounts, account, list) < 0 ? -ERR_NOMEM : 0;
}

/* What is damaged among them is left out. */
static void take_accounts(struct dns_ledger *ledger, json_t *from)
{
	int64_t spent[DNS_ACCOUNT_LIMITS_MAX];
	const char *account;
	json_t *list;

	json_object_clear(ledger->accounts);
	json_object_foreach(from, account, list)
	{
		get_spent(list, spent);
		if (dns_ledger_put_account(ledger, account, spent) < 0)
			continue;
	}
}

/* What their limits have forgotten. */
static void drop_accounts(struct dns_ledger *ledger, int64_t now)
{
	int64_t spent[DNS_ACCOUNT_LIMITS_MAX];
	const char *account;
	json_t *list;
	void *next;

	json_object_foreach_safe(ledger->accounts, next, account, list)
	{
		bool forgotten = true;

		get_spent(list, spent);
		for (size_t i = 0; i < DNS_ACCOUNT_LIMITS_MAX; i++)
			forgotten &= spent[i] <= now;
		if (forgotten)
			json_object_del(ledger->accounts, account);
	}
}

/* ── TXT values ── */

bool dns_ledger_text(const char *key, struct str *ret_name, struct str *ret_value)
{
	*ret_value = str_of(key);
	*ret_name = str_split(ret_value, ' ');
	return hostname_valid(*ret_name) && dns_txt_value_valid(*ret_value);
}

static const char *text_key(char key[static DNS_LEDGER_TEXT_MAX], const char *name,
			    const char *value)
{
	snprintf(key, DNS_LEDGER_TEXT_MAX, "%s %s", name, value);
	return key;
}

int dns_ledger_put_text(struct dns_ledger *ledger, const char *name, const char *value,
			int64_t until_s)
{
	char key[DNS_LEDGER_TEXT_MAX];

	text_key(key, name, value);
	if (json_object_size(ledger->texts) >= DNS_LEDGER_TEXTS_MAX &&
	    !json_object_get(ledger->texts, key))
		return -ERR_LIMIT;
	return json_object_set_new(ledger->texts, key, json_integer(until_s)) < 0 ? -ERR_NOMEM : 0;
}

void dns_ledger_drop_text(struct dns_ledger *ledger, const char *name, const char *value)
{
	char key[DNS_LEDGER_TEXT_MAX];

	json_object_del(ledger->texts, text_key(key, name, value));
}

/* What is damaged among them is left out. */
static void take_texts(struct dns_ledger *ledger, const json_t *from)
{
	struct str name, value;
	const char *key;
	json_t *until;

	json_object_clear(ledger->texts);
	json_object_foreach((json_t *)from, key, until)
	{
		if (json_object_size(ledger->texts) < DNS_LEDGER_TEXTS_MAX &&
		    json_is_integer(until) && json_integer_value(until) >= 0 &&
		    dns_ledger_text(key, &name, &value) &&
		    json_object_set(ledger->texts, key, until) < 0)
			break;
	}
}

/* Without one the hashes are of no use: every configuration is another one. */
static void take_salt(struct dns_ledger *ledger, const json_t *from)
{
	const char *text = json_string_value(from);
	uint8_t salt[DNS_LEDGER_SALT_LEN];

	if (text && hex_decode(str_of(text), salt, sizeof(salt)) == 0)
		memcpy(ledger->salt, salt, sizeof(salt));
}

int dns_ledger_decode(struct dns_ledger *ledger, struct str text, struct err *e)
{
	json_t *root = json_loadb(text.at ? text.at : "", text.len, JSON_REJECT_DUPLICATES, NULL);
	json_t *names = json_object_get(root, "names");
	int64_t version = number(root, "version");
	bool good = version == VERSION && json_is_object(names) &&
		    json_object_size(names) <= DNS_LEDGER_NAMES_MAX;

	if (good) {
		json_incref(names);
		json_decref(ledger->names);
		ledger->names = names;
		take_salt(ledger, json_object_get(root, "salt"));
		take_accounts(ledger, json_object_get(root, "accounts"));
		take_texts(ledger, json_object_get(root, "texts"));
		json_object_clear(ledger->used);
		ledger->written_s = get_time(root, "written");
	}
	json_decref(root);
	return good ? 0
		    : err_set(e, ERR_INVALID,
			      "what was known of the names at providers is lost (" DNS_LEDGER_FILE
			      " is %s): they are asked for",
			      version > VERSION ? "of a later version of homeport" : "damaged");
}

/* ── what is not configured ── */

static int64_t last_heard_of(const json_t *entry)
{
	return MAX(get_time(entry, "confirmed"), get_time(entry, "attempted"));
}

static void drop_old(struct dns_ledger *ledger, int64_t now)
{
	const char *key;
	json_t *entry;
	void *next;

	json_object_foreach_safe(ledger->names, next, key, entry)
	{
		int64_t last = last_heard_of(entry);

		if (last && last + DNS_LEDGER_KEEP_S < now && !json_object_get(ledger->used, key))
			json_object_del(ledger->names, key);
	}
}

/* False: there is none. */
static bool drop_oldest(struct dns_ledger *ledger)
{
	const char *key, *oldest = NULL;
	int64_t least = INT64_MAX;
	json_t *entry;

	json_object_foreach(ledger->names, key, entry)
	{
		int64_t last = last_heard_of(entry);

		if (last < least && !json_object_get(ledger->used, key)) {
			oldest = key;
			least = last;
		}
	}
	return oldest && json_object_del(ledger->names, oldest) == 0;
}

/* Several, because the text is made again after that. */
static bool drop_some(struct dns_ledger *ledger)
{
	unsigned n = 0;

	while (n < 64 && drop_oldest(ledger))
		n++;
	return n;
}

static char *text_of(const struct dns_ledger *ledger, int64_t now)
{
	char salt[HEX_TEXT_LEN(DNS_LEDGER_SALT_LEN)];
	json_t *root;
	bool good;
	char *text;

	hex_encode(salt, ledger->salt, sizeof(ledger->salt));
	root = json_pack("{s:i s:I s:s s:O s:O}", "version", VERSION, "written",
			 (json_int_t)MAX(now, ledger->written_s), "salt", salt, "names",
			 ledger->names, "accounts", ledger->accounts);
	good = root && (json_object_size(ledger->texts) == 0 ||
			json_object_set(root, "texts", ledger->texts) == 0);
	text = good ? json_dumps(root, JSON_COMPACT | JSON_SORT_KEYS) : NULL;

	json_decref(root);
	return text;
}

int dns_ledger_encode(struct dns_ledger *ledger, int64_t now, struct buf *out)
{
	AUTO(freep) char *text = NULL;

	drop_old(ledger, now);
	drop_accounts(ledger, now);
	text = text_of(ledger, now);
	while (text && strlen(text) > STATE_FILE_MAX) {
		if (!drop_some(ledger))
			return -ERR_LIMIT;
		free(text);
		text = text_of(ledger, now);
	}
	return text ? buf_append_str(out, str_of(text)) : -ERR_NOMEM;
}

const char *dns_ledger_key(char key[static DNS_LEDGER_KEY_MAX], const char *provider,
			   const char *host, int family)
{
	snprintf(key, DNS_LEDGER_KEY_MAX, "%s %s %s", provider, host, family == 6 ? "AAAA" : "A");
	return key;
}

/* ── one machine ── */

static bool get_address(const json_t *object, const char *field, struct ipaddr *ret)
{
	const char *text = json_string_value(json_object_get(object, field));

	*ret = (struct ipaddr){0};
	return !text || !*text || ipaddr_parse(str_of(text), ret) == 0;
}

static bool get_state(const json_t *object, enum dns_state *ret)
{
	const char *text = json_string_value(json_object_get(object, "state"));

	for (int s = 0; text && s <= DNS_STATE_PARKED; s++)
		if (strcmp(text, dns_state_name((enum dns_state)s)) == 0) {
			*ret = (enum dns_state)s;
			return true;
		}
	return false;
}

static bool get_verdict(const json_t *object, enum dns_verdict *ret)
{
	const char *text = json_string_value(json_object_get(object, "verdict"));

	return text && dns_verdict_parse(str_of(text), ret);
}

static bool get_config(const json_t *object, uint8_t config[static DNS_CONFIG_LEN])
{
	const char *text = json_string_value(json_object_get(object, "config"));

	return text && hex_decode(str_of(text), config, DNS_CONFIG_LEN) == 0;
}

static unsigned get_count(const json_t *object, const char *field)
{
	int64_t n = number(object, field);

	return n > 0 && n < 1000 ? (unsigned)n : 0;
}

static int mark_used(struct dns_ledger *ledger, const char *key)
{
	return json_object_set_new(ledger->used, key, json_true());
}

bool dns_ledger_get(struct dns_ledger *ledger, const char *key, struct dns_machine *m)
{
	const json_t *o = json_object_get(ledger->names, key);
	struct dns_machine read = *m;
	const char *text = json_string_value(json_object_get(o, "text"));

	if (!json_is_object(o) || !get_state(o, &read.state) || !get_verdict(o, &read.verdict) ||
	    !get_config(o, read.config) || !get_address(o, "published", &read.published) ||
	    !get_address(o, "attempt", &read.attempt) || mark_used(ledger, key) < 0)
		return false;
	read.sure = json_is_true(json_object_get(o, "sure"));
	read.confirmed_s = get_time(o, "confirmed");
	read.attempted_s = get_time(o, "attempted");
	read.not_before_s = get_time(o, "not_before");
	read.interval_spent = get_time(o, "interval_spent");
	read.budget_spent = get_time(o, "budget_spent");
	read.since_s = get_time(o, "since");
	read.fails = get_count(o, "fails");
	read.nochgs = get_count(o, "nochgs");
	if (!text || !str_copy(read.text, sizeof(read.text), str_of(text)))
		read.text[0] = '\0';
	*m = read;
	return true;
}

/* A provider's words may be no UTF-8, which JSON must be. */
static void printable(char to[static DNS_REPLY_TEXT_MAX], const char *text)
{
	size_t n = 0;

	for (; *text && n < DNS_REPLY_TEXT_MAX - 1; text++)
		to[n++] = (unsigned char)*text >= 0x20 && (unsigned char)*text < 0x7f ? *text : '?';
	to[n] = '\0';
}

/* NULL: none, which needs no place in the file. */
static const char *address_text(char text[static IPADDR_TEXT_MAX], const struct ipaddr *a)
{
	return a->family ? ipaddr_format(text, a) : NULL;
}

int dns_ledger_put(struct dns_ledger *ledger, const char *key, const struct dns_machine *m)
{
	char published[IPADDR_TEXT_MAX], attempt[IPADDR_TEXT_MAX], text[DNS_REPLY_TEXT_MAX];
	char config[HEX_TEXT_LEN(DNS_CONFIG_LEN)];
	json_t *o;

	if (json_object_size(ledger->names) >= DNS_LEDGER_NAMES_MAX &&
	    !json_object_get(ledger->names, key) && !drop_oldest(ledger))
		return -ERR_LIMIT;
	hex_encode(config, m->config, DNS_CONFIG_LEN);
	printable(text, m->text);
	o = json_pack("{s:s s:s s:s s:s* s:s* s:s* s:b s:I s:I s:I s:I s:I s:I s:i s:i}", "state",
		      dns_state_name(m->state), "verdict", dns_verdict_word(m->verdict), "config",
		      config, "published", address_text(published, &m->published), "attempt",
		      address_text(attempt, &m->attempt), "text", *text ? text : NULL, "sure",
		      m->sure, "confirmed", (json_int_t)m->confirmed_s, "attempted",
		      (json_int_t)m->attempted_s, "not_before", (json_int_t)m->not_before_s,
		      "interval_spent", (json_int_t)m->interval_spent, "budget_spent",
		      (json_int_t)m->budget_spent, "since", (json_int_t)m->since_s, "fails",
		      (int)m->fails, "nochgs", (int)m->nochgs);
	if (!o || json_object_set_new(ledger->names, key, o) < 0 || mark_used(ledger, key) < 0)
		return -ERR_NOMEM;
	return 0;
}
