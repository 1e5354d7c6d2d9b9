#include "dns/keeper_kept.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "dns/keeper_txt.h"
#include "dns/txt.h"

struct kept {
	struct list node;
	struct keeper_kept *all; /* borrowed */
	char name[HOSTNAME_MAX], value[DNS_TXT_VALUE_MAX + 1];
	struct keeper_name *by; /* borrowed */
	struct timer timer;	/* not running: it stays */
	unsigned tries;
};

struct keeper_kept {
	struct dns_keeper *keeper; /* borrowed */
	struct list list;	   /* owned */
	unsigned n;
};

/* ── one ── */

static void kept_free(struct kept *kept)
{
	timer_stop(&kept->timer);
	list_remove(&kept->node);
	kept->all->n--;
	free(kept);
}

static void forget(struct kept *kept)
{
	struct dns_keeper *k = kept->all->keeper;

	dns_ledger_drop_text(&k->ledger, kept->name, kept->value);
	k->dirty = true;
	keeper_run_soon(k);
	kept_free(kept);
}

static void try_later(struct kept *kept)
{
	if (++kept->tries < DNS_TXT_TRIES_MAX)
		timer_start(&kept->timer, DNS_TXT_RETRY);
	else
		forget(kept);
}

static void on_timer(void *arg)
{
	struct kept *kept = arg;

	if (!keeper_txt_take_away(kept->by, kept->name, kept->value))
		try_later(kept);
}

static struct kept *kept_new(struct keeper_kept *all, struct keeper_name *by, const char *name,
			     const char *value)
{
	struct kept *kept = calloc(1, sizeof(*kept));

	if (!kept)
		return NULL;
	kept->all = all;
	kept->by = by;
	snprintf(kept->name, sizeof(kept->name), "%s", name);
	snprintf(kept->value, sizeof(kept->value), "%s", value);
	timer_init(&kept->timer, all->keeper->loop, on_timer, kept);
	list_push(&all->list, &kept->node);
	all->n++;
	return kept;
}

static struct kept *find(const struct keeper_kept *all, const char *name, const char *value)
{
	struct kept *kept;

	list_for_each (kept, &all->list, node)
		if (strcmp(kept->name, name) == 0 && strcmp(kept->value, value) == 0)
			return kept;
	return NULL;
}

/* ── all ── */

void keeper_kept_put(struct keeper_kept *all, struct keeper_name *by, const char *name,
		     const char *value, usec_t keep)
{
	struct dns_keeper *k = all->keeper;
	struct kept *kept = find(all, name, value);
	int64_t until = keep ? keeper_now_s(k) + (int64_t)(keep / USEC_PER_S) : 0;

	if (!kept)
		kept = kept_new(all, by, name, value);
	if (!kept)
		return; /* it stays */
	kept->tries = 0;
	timer_stop(&kept->timer);
	if (keep)
		timer_start(&kept->timer, keep);
	if (dns_ledger_put_text(&k->ledger, name, value, until) == 0)
		k->dirty = true;
}

void keeper_kept_drop(struct keeper_kept *all, const char *name, const char *value)
{
	struct kept *kept = find(all, name, value);

	if (kept)
		forget(kept);
}

void keeper_kept_failed(struct keeper_kept *all, const char *name, const char *value)
{
	struct kept *kept = find(all, name, value);

	if (kept)
		try_later(kept);
}

bool keeper_kept_has_another(const struct keeper_kept *all, const struct keeper_name *by,
			     const char *value)
{
	const struct kept *kept;

	list_for_each (kept, &all->list, node)
		if (kept->by == by && strcmp(kept->value, value) != 0)
			return true;
	return false;
}

bool keeper_kept_is_full(const struct keeper_kept *all)
{
	return all->n >= DNS_TXT_KEPT_MAX;
}

/* One that an earlier process, or configuration, has added. False: nobody here can take it away. */
static bool resume(struct keeper_kept *all, struct str name, struct str value, int64_t until)
{
	char host[HOSTNAME_MAX], text[DNS_TXT_VALUE_MAX + 1];
	int64_t left = MAX(until - keeper_now_s(all->keeper), 0);
	struct keeper_name *by;
	struct kept *kept;

	str_copy(host, sizeof(host), name);
	str_copy(text, sizeof(text), value);
	by = keeper_txt_section(all->keeper, host);
	kept = by && !keeper_kept_is_full(all) ? kept_new(all, by, host, text) : NULL;
	if (kept && until)
		timer_start(&kept->timer,
			    MAX((usec_t)MIN(left, INT32_MAX) * USEC_PER_S, DNS_TXT_RESUME));
	return kept;
}

void keeper_kept_resume(struct keeper_kept *all)
{
	json_t *texts = all->keeper->ledger.texts, *until;
	const char *key;
	void *next;

	json_object_foreach_safe(texts, next, key, until)
	{
		struct str name, value;

		if (!dns_ledger_text(key, &name, &value) ||
		    !resume(all, name, value, json_integer_value(until)))
			json_object_del(texts, key);
	}
}

int keeper_kept_new(struct dns_keeper *k, struct keeper_kept **ret_kept, struct err *e)
{
	struct keeper_kept *all = calloc(1, sizeof(*all));

	if (!all)
		return err_set(e, ERR_NOMEM, "names");
	all->keeper = k;
	list_init(&all->list);
	*ret_kept = all;
	return 0;
}

void keeper_kept_free(struct keeper_kept *all)
{
	struct kept *kept, *next;

	if (!all)
		return;
	list_for_each_safe (kept, next, &all->list, node)
		kept_free(kept);
	free(all);
}
