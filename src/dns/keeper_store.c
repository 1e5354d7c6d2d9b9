#include <pthread.h>
#include <stdio.h>

#include "dns/keeper_private.h"
#include "state/folder.h"

struct keeper_store {
	struct job job;
	struct dns_keeper *keeper; /* borrowed; NULL: gone meanwhile */
	char *folder;		   /* owned */
	struct buf text;
	pthread_mutex_t lock; /* of what follows: a keeper that ends does the work itself */
	bool written;
	int r;
	struct err err;
};

void keeper_ledger_key(const struct keeper_side *side, char key[static DNS_LEDGER_KEY_MAX])
{
	const struct keeper_name *name = side->name;
	const char *provider = name->entry.provider->name;
	char own[DNS_LEDGER_KEY_MAX - HOSTNAME_MAX - 8];

	if (!dns_provider_find(str_of(provider))) { /* there may be several of that name */
		snprintf(own, sizeof(own), "%s/%s", provider, name->label);
		provider = own;
	}
	dns_ledger_key(key, provider, name->entry.host, side->family);
}

void keeper_put(struct keeper_side *side)
{
	struct dns_keeper *k = side->name->keeper;
	char key[DNS_LEDGER_KEY_MAX];

	keeper_ledger_key(side, key);
	if (dns_ledger_put(&k->ledger, key, &side->machine) == 0)
		k->dirty = true;
}

/* ── on disk ── */

/* What cannot be stored is sent all the same; it is told once. */
static void note_stored(struct dns_keeper *k, int r, const struct err *e)
{
	if (r < 0 && !k->cannot_store)
		keeper_tell_state(k, e);
	k->cannot_store = r < 0;
}

static void store_free(struct keeper_store *s)
{
	pthread_mutex_destroy(&s->lock);
	buf_done(&s->text);
	free(s->folder);
	free(s);
}

static void store_freep(struct keeper_store **s)
{
	if (*s)
		store_free(*s);
}

/* On whichever thread comes first. */
static void write_once(struct keeper_store *s)
{
	pthread_mutex_lock(&s->lock);
	if (!s->written)
		s->r = state_write(s->folder, DNS_LEDGER_FILE, buf_str(&s->text), &s->err);
	s->written = true;
	pthread_mutex_unlock(&s->lock);
}

static void on_store_job(struct job *job)
{
	write_once(container_of(job, struct keeper_store, job));
}

static void set_stored(struct dns_keeper *k)
{
	for (size_t i = 0; i < k->n_names; i++)
		if (k->names[i].stage == STAGE_STORING)
			keeper_set_stage(&k->names[i], STAGE_STORED);
}

static void on_stored(struct job *job)
{
	struct keeper_store *s = container_of(job, struct keeper_store, job);
	struct dns_keeper *k = s->keeper;

	if (k) {
		k->store = NULL;
		note_stored(k, s->r, &s->err);
		set_stored(k);
		keeper_run_soon(k);
	}
	store_free(s);
}

static int store_new(struct dns_keeper *k, struct keeper_store **ret_store, struct err *e)
{
	AUTO(store_freep) struct keeper_store *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return err_set(e, ERR_NOMEM, DNS_LEDGER_FILE);
	pthread_mutex_init(&s->lock, NULL);
	s->keeper = k;
	s->folder = str_dup(str_of(k->settings.folder));
	r = s->folder ? dns_ledger_encode(&k->ledger, keeper_now_s(k), &s->text) : -ERR_NOMEM;
	if (r < 0)
		return err_set(e, -r, DNS_LEDGER_FILE);
	*ret_store = TAKE(s);
	return 0;
}

void keeper_store_run(struct dns_keeper *k)
{
	bool disk = k->settings.folder && !k->settings.only_look;
	struct keeper_store *s = NULL;
	struct err e = {0};
	int r;

	if (!k->dirty || k->store)
		return;
	k->dirty = false;
	for (size_t i = 0; i < k->n_names; i++)
		if (k->names[i].stage == STAGE_TO_STORE)
			keeper_set_stage(&k->names[i], disk ? STAGE_STORING : STAGE_STORED);
	if (!disk)
		return;
	r = store_new(k, &s, &e);
	if (r == 0)
		r = job_start(&s->job, k->loop, on_store_job, on_stored, &e);
	if (r == 0) {
		k->store = s;
		return;
	}
	store_freep(&s);
	note_stored(k, r, &e);
	set_stored(k);
}

/* ── begin and end ── */

void keeper_store_open(struct dns_keeper *k)
{
	AUTO(buf_donep) struct buf text = {0};
	AUTO(store_freep) struct keeper_store *s = NULL;
	struct err e = {0};
	int r;

	if (!k->settings.folder)
		return;
	r = state_read(k->settings.folder, DNS_LEDGER_FILE, &text, &e);
	if (r == 0)
		r = dns_ledger_decode(&k->ledger, buf_str(&text), &e);
	if (r < 0 && r != -ERR_NOT_FOUND)
		keeper_tell_state(k, &e);
	if (k->settings.only_look)
		return;
	r = store_new(k, &s, &e);
	if (r == 0) {
		write_once(s);
		r = s->r;
		e = s->err;
	}
	note_stored(k, r, &e);
	k->may_be_stale = r < 0;
}

void keeper_store_close(struct dns_keeper *k)
{
	AUTO(store_freep) struct keeper_store *last = NULL;

	if (k->store) {
		write_once(k->store);
		k->store->keeper = NULL; /* its job ends by itself */
	}
	/* what failed before may go now: a disk that was full */
	if ((k->dirty || k->cannot_store) && k->settings.folder && !k->settings.only_look &&
	    store_new(k, &last, NULL) == 0)
		write_once(last);
}
