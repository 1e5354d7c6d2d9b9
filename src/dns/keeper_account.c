#include <string.h>

#include "base/baseenc.h"
#include "dns/keeper_private.h"

/* Its first name remembers what is the account's. */
static struct keeper_name *first_of(const struct keeper_name *name)
{
	return &name->keeper->names[name->account];
}

static void key_of(const struct keeper_name *name, char key[static HEX_TEXT_LEN(DNS_CONFIG_LEN)])
{
	hex_encode(key, name->account_hash, DNS_CONFIG_LEN);
}

static void put(const struct keeper_name *first)
{
	struct dns_keeper *k = first->keeper;
	char key[HEX_TEXT_LEN(DNS_CONFIG_LEN)];

	key_of(first, key);
	if (dns_ledger_put_account(&k->ledger, key, first->account_spent) == 0)
		k->dirty = true;
}

void keeper_account_resume(struct keeper_name *name)
{
	char key[HEX_TEXT_LEN(DNS_CONFIG_LEN)];

	key_of(name, key);
	dns_ledger_get_account(&name->keeper->ledger, key, name->account_spent);
}

int64_t keeper_account_next(const struct keeper_name *name, int64_t now)
{
	int64_t *spent = first_of(name)->account_spent;

	dns_account_mend(name->entry.provider, spent, now);
	return dns_account_next(name->entry.provider, spent, now);
}

void keeper_account_spend(struct keeper_name *name, int64_t now)
{
	struct keeper_name *first = first_of(name);

	if (!name->entry.provider->account[0].n)
		return;
	memcpy(first->account_before, first->account_spent, sizeof(first->account_before));
	dns_account_spend(name->entry.provider, first->account_spent, now);
	put(first);
}

void keeper_account_refund(struct keeper_name *name)
{
	struct keeper_name *first = first_of(name);

	if (!name->entry.provider->account[0].n)
		return;
	memcpy(first->account_spent, first->account_before, sizeof(first->account_spent));
	put(first);
}
