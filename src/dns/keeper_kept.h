/*
 * The TXT values that keeper_txt.c has added, until they are taken away: by whoever wished them, or by itself after a
 * while (keeper_txt_take_away), once more each DNS_TXT_RETRY if that fails. The ledger knows of them, so another keeper
 * goes on with them.
 */
#pragma once

#include "dns/keeper_private.h"

struct keeper_kept;

int keeper_kept_new(struct dns_keeper *k, struct keeper_kept **ret_kept, struct err *e) MUST_CHECK;
void keeper_kept_free(struct keeper_kept *all); /* NULL is fine; the ledger keeps what it knows */

/* What the ledger has, when it and the names are there. */
void keeper_kept_resume(struct keeper_kept *all);

/* Added with the credentials of `by`, which lives as long as the keeper; keep 0: for good. Or wished for longer. */
void keeper_kept_put(struct keeper_kept *all, struct keeper_name *by, const char *name,
		     const char *value, usec_t keep);

/* It is gone, or shall stay and nobody need know. */
void keeper_kept_drop(struct keeper_kept *all, const char *name, const char *value);

/* It could not be taken away. */
void keeper_kept_failed(struct keeper_kept *all, const char *name, const char *value);

/* Another value by the same section. */
bool keeper_kept_has_another(const struct keeper_kept *all, const struct keeper_name *by,
			     const char *value);

bool keeper_kept_is_full(const struct keeper_kept *all);
