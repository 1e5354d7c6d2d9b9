#include <openssl/evp.h>
#include <string.h>

#include "base/secret.h"
#include "dns/keeper_private.h"
#include "dns/naming.h"

/* With its NUL: "ab","c" is not "a","bc". */
static void hash_text(EVP_MD_CTX *ctx, const char *text)
{
	EVP_DigestUpdate(ctx, text ? text : "", strlen(text ? text : "") + 1);
}

/* What a user wrote of a provider is configuration; the table's rows may change with a release. */
static void hash_row(EVP_MD_CTX *ctx, const struct dns_provider *row)
{
	const char *const texts[] = {row->url, row->method, row->body, row->header, row->basic};

	hash_text(ctx, row->name);
	if (dns_provider_find(str_of(row->name)))
		return;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		hash_text(ctx, texts[i]);
	for (size_t i = 0; i < row->grammar->n_words; i++) {
		EVP_DigestUpdate(ctx, &row->grammar->words[i].verdict,
				 sizeof(row->grammar->words[i].verdict));
		hash_text(ctx, row->grammar->words[i].pattern);
	}
}

/* Salted: nobody who reads the ledger finds its hashes in a table that was made before. */
static void hash(uint8_t to[static DNS_CONFIG_LEN], const struct keeper_name *name,
		 const char *const *texts, size_t n)
{
	const struct dns_ledger *ledger = &name->keeper->ledger;
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	unsigned len;

	memset(to, 0, DNS_CONFIG_LEN);
	if (ctx && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1) {
		EVP_DigestUpdate(ctx, ledger->salt, sizeof(ledger->salt));
		hash_row(ctx, name->entry.provider);
		for (size_t i = 0; i < n; i++)
			hash_text(ctx, texts[i]);
		EVP_DigestFinal_ex(ctx, to, &len);
	}
	EVP_MD_CTX_free(ctx);
}

static const char *copy(const char *text, bool *ok)
{
	char *made = text ? str_dup(str_of(text)) : NULL;

	*ok &= !text || made;
	return made;
}

static void drop(const char *text)
{
	if (text)
		secret_wipe((char *)(uintptr_t)text, strlen(text));
	free((char *)(uintptr_t)text);
}

static bool copy_entry(struct keeper_name *name, const struct dns_keeper_name *from)
{
	const struct dns_entry *e = &from->entry;
	bool ok = true;

	name->entry = (struct dns_entry){
		.provider = e->provider,
		.host = copy(e->host, &ok),
		.zone = copy(e->zone, &ok),
		.server = copy(e->server, &ok),
		.user = copy(e->user, &ok),
		.pass = copy(e->pass, &ok),
		.key = copy(e->key, &ok),
		.ttl_s = e->ttl_s,
	};
	name->label = copy(from->label ? from->label : e->host, &ok);
	name->sealed = copy(from->sealed, &ok);
	name->may_be_right = from->may_be_right;
	return ok;
}

static void find_account(struct keeper_name *name)
{
	const struct keeper_name *names = name->keeper->names;

	while (&names[name->account] != name &&
	       memcmp(names[name->account].account_hash, name->account_hash, DNS_CONFIG_LEN) != 0)
		name->account++;
}

static void init_sides(struct keeper_name *name, const struct dns_keeper_name *from, int64_t now)
{
	const struct dns_entry *e = &name->entry;
	const char *const config[] = {e->host, e->zone, e->server, e->user, e->pass, e->key};
	const char *const account[] = {e->server, e->user, e->pass,
				       e->provider->rfc2136 ? e->zone : NULL};
	unsigned can = dns_provider_can(e->provider);
	uint8_t hashed[DNS_CONFIG_LEN];

	hash(hashed, name, config, ARRAY_LEN(config));
	hash(name->account_hash, name, account, ARRAY_LEN(account));
	find_account(name);
	name->sides[0].on = !from->no4 && (can & DNS_CAN_A);
	name->sides[1].on = !from->no6 && (can & (from->prefix ? DNS_CAN_PREFIX : DNS_CAN_AAAA));
	for (int s = 0; s < 2; s++) {
		struct keeper_side *side = &name->sides[s];
		char key[DNS_LEDGER_KEY_MAX];

		side->name = name;
		side->family = s ? 6 : 4;
		dns_machine_init(&side->machine, &name->rules, hashed);
		keeper_ledger_key(side, key);
		dns_ledger_get(&name->keeper->ledger, key, &side->machine);
		/* where nobody can be asked it is the best there is */
		side->machine.sure &= !name->keeper->may_be_stale || name->rules.unaskable;
		dns_machine_resume(&side->machine, hashed, now);
	}
}

int keeper_name_init(struct keeper_name *name, struct dns_keeper *k,
		     const struct dns_keeper_name *from, struct err *e)
{
	name->keeper = k;
	name->fixed4 = from->fixed4;
	name->fixed6 = from->fixed6;
	name->suffix = from->suffix;
	name->prefix_bits = from->prefix_bits ? from->prefix_bits : 64;
	name->prefix = from->prefix;
	name->asker = from->asker.start ? from->asker : k->settings.asker;
	if (!copy_entry(name, from))
		return err_set(e, ERR_NOMEM, "names");
	dns_rules_of(name->entry.provider, &name->rules);
	name->rules.unaskable = !dns_naming_is_host(name->entry.provider, str_of(name->entry.host));
	init_sides(name, from, keeper_now_s(k));
	keeper_account_resume(name);
	return 0;
}

void keeper_name_done(struct keeper_name *name)
{
	const struct dns_asker *asker = &name->asker;

	httpc_cancel(name->call);
	for (int s = 0; s < 2; s++)
		if (name->sides[s].question)
			asker->cancel(asker->arg, name->sides[s].question);
	drop(name->label);
	drop(name->sealed);
	drop(name->entry.host);
	drop(name->entry.zone);
	drop(name->entry.server);
	drop(name->entry.user);
	drop(name->entry.pass);
	drop(name->entry.key);
	secret_wipe(&name->plan, sizeof(name->plan));
}
