#include "dns/ledger.h"

#include <stdio.h>
#include <string.h>

#include "base/baseenc.h"
#include "base/cleanup.h"

#define VERSION 1

void dns_ledger_init(struct dns_ledger *ledger)
{
	ledger->names = json_object();
}

void dns_ledger_done(struct dns_ledger *ledger)
{
	json_decref(ledger->names);
	ledger->names = NULL;
}

int dns_ledger_decode(struct dns_ledger *ledger, struct str text, struct err *e)
{
	json_t *root = json_loadb(text.at ? text.at : "", text.len, JSON_REJECT_DUPLICATES, NULL);
	json_t *names = json_object_get(root, "names");
	bool good = json_integer_value(json_object_get(root, "version")) == VERSION &&
		    json_is_object(names) && json_object_size(names) <= DNS_LEDGER_NAMES_MAX;

	if (good) {
		json_incref(names);
		json_decref(ledger->names);
		ledger->names = names;
	}
	json_decref(root);
	return good ? 0
		    : err_set(e, ERR_INVALID,
			      "what was known of the names at providers is lost (" DNS_LEDGER_FILE
			      " is damaged): they are asked for");
}

static int64_t number(const json_t *object, const char *field)
{
	return json_integer_value(json_object_get(object, field));
}

static void drop_old(json_t *names, int64_t now)
{
	const char *key;
	json_t *entry;
	void *next;

	json_object_foreach_safe(names, next, key, entry)
	{
		int64_t last = MAX(number(entry, "confirmed"), number(entry, "attempted"));

		if (last && last + DNS_LEDGER_KEEP_S < now)
			json_object_del(names, key);
	}
}

int dns_ledger_encode(struct dns_ledger *ledger, int64_t now, struct buf *out)
{
	AUTO(freep) char *text = NULL;
	json_t *root;

	if (!ledger->names)
		return -ERR_NOMEM;
	drop_old(ledger->names, now);
	root = json_pack("{s:i s:O}", "version", VERSION, "names", ledger->names);
	text = root ? json_dumps(root, JSON_INDENT(1) | JSON_SORT_KEYS) : NULL;
	json_decref(root);
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

static int64_t get_time(const json_t *object, const char *field)
{
	int64_t t = number(object, field);

	return t > 0 && t < (int64_t)1 << 40 ? t : 0;
}

static unsigned get_count(const json_t *object, const char *field)
{
	int64_t n = number(object, field);

	return n > 0 && n < 1000 ? (unsigned)n : 0;
}

bool dns_ledger_get(const struct dns_ledger *ledger, const char *key, struct dns_machine *m)
{
	const json_t *o = json_object_get(ledger->names, key);
	struct dns_machine read = *m;
	const char *text = json_string_value(json_object_get(o, "text"));

	if (!json_is_object(o) || !get_state(o, &read.state) || !get_verdict(o, &read.verdict) ||
	    !get_config(o, read.config) || !get_address(o, "published", &read.published) ||
	    !get_address(o, "attempt", &read.attempt))
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

static const char *address_text(char text[static IPADDR_TEXT_MAX], const struct ipaddr *a)
{
	if (!a->family)
		text[0] = '\0';
	else
		ipaddr_format(text, a);
	return text;
}

int dns_ledger_put(struct dns_ledger *ledger, const char *key, const struct dns_machine *m)
{
	char published[IPADDR_TEXT_MAX], attempt[IPADDR_TEXT_MAX], text[DNS_REPLY_TEXT_MAX];
	char config[HEX_TEXT_LEN(DNS_CONFIG_LEN)];
	json_t *o;

	if (json_object_size(ledger->names) >= DNS_LEDGER_NAMES_MAX &&
	    !json_object_get(ledger->names, key))
		return -ERR_LIMIT;
	hex_encode(config, m->config, DNS_CONFIG_LEN);
	printable(text, m->text);
	o = json_pack("{s:s s:s s:s s:s s:s s:s s:b s:I s:I s:I s:I s:I s:I s:i s:i}", "state",
		      dns_state_name(m->state), "verdict", dns_verdict_word(m->verdict), "config",
		      config, "published", address_text(published, &m->published), "attempt",
		      address_text(attempt, &m->attempt), "text", text, "sure", m->sure,
		      "confirmed", (json_int_t)m->confirmed_s, "attempted",
		      (json_int_t)m->attempted_s, "not_before", (json_int_t)m->not_before_s,
		      "interval_spent", (json_int_t)m->interval_spent, "budget_spent",
		      (json_int_t)m->budget_spent, "since", (json_int_t)m->since_s, "fails",
		      (int)m->fails, "nochgs", (int)m->nochgs);
	if (!o || json_object_set_new(ledger->names, key, o) < 0)
		return -ERR_NOMEM;
	return 0;
}
