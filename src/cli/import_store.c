#include "cli/import_store.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/secret.h"
#include "cli/import_file.h"
#include "dns/ledger.h"
#include "state/folder.h"
#include "state/lock.h"

#define SECRETS_FOLDER "secrets"

/* ── secrets ── */

static bool first_of_secret(const struct dns_import *import, size_t i,
			    char file[static DNS_IMPORT_PATH_MAX])
{
	char other[DNS_IMPORT_PATH_MAX];

	if (!dns_import_secret_file(file, import, i))
		return false;
	for (size_t j = 0; j < i; j++)
		if (dns_import_secret_file(other, import, j) && strcmp(other, file) == 0)
			return false;
	return true;
}

/* It is there, absolute, and belongs to whom the folder above it belongs. */
static int make_folder(struct import_store *store, struct err *e)
{
	AUTO(freep) char *path = TAKE(store->folder);
	AUTO(freep) char *above = NULL;
	AUTO(closep) int fd = -1;
	bool new;
	int r = store->secrets ? 0 : state_folder_prepare(store->state, e);

	if (r < 0)
		return r;
	new = access(path, F_OK) < 0;
	r = state_folder_prepare(path, e);
	if (r < 0)
		return r;
	store->folder = realpath(path, NULL);
	above = store->folder ? import_file_folder(store->folder) : NULL;
	fd = store->folder ? open(store->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	if (!above || fd < 0)
		return err_set_errno(e, ERR_FAILED, "%s", path);
	if (new)
		state_give(above, fd);
	return 0;
}

int import_store_prepare(struct import_store *store, struct err *e)
{
	char file[DNS_IMPORT_PATH_MAX];

	for (size_t i = 0; i < store->import->n; i++)
		store->n_secrets += first_of_secret(store->import, i, file);
	if (store->secrets)
		store->folder = strdup(store->secrets);
	else if (asprintf(&store->folder, "%s/" SECRETS_FOLDER, store->state) < 0)
		store->folder = NULL;
	if (!store->folder)
		return err_set(e, ERR_NOMEM, "folder of secrets");
	return store->n_secrets ? make_folder(store, e) : 0;
}

void import_store_done(struct import_store *store)
{
	free(store->folder);
	store->folder = NULL;
}

static char *secret_path(const struct import_store *store, const char *file)
{
	char *path;

	return asprintf(&path, "%s/%s", store->folder, file) < 0 ? NULL : path;
}

/* Whether that secret is there already, and only its owner can read it. */
static bool is_stored(const char *path, const char *pass)
{
	AUTO(import_file_wipep) struct buf b = {0};
	struct str text;
	struct stat st;

	if (import_file_read(path, true, &b, &st, NULL) < 0 || st.st_mode & 077)
		return false;
	text = buf_str(&b);
	if (text.len && text.at[text.len - 1] == '\n')
		text.len--;
	return str_eq(text, str_of(pass));
}

static int store_secret(const struct import_store *store, const char *file, const char *pass,
			struct err *e)
{
	char line[DNS_IMPORT_VALUE_MAX + 1];
	AUTO(freep) char *path = secret_path(store, file);
	int n, r;

	if (!path)
		return err_set(e, ERR_NOMEM, "%s", file);
	if (is_stored(path, pass))
		return 0;
	n = snprintf(line, sizeof(line), "%s\n", pass);
	r = import_file_write(path, 0600, str_n(line, (size_t)n), store->force, e);
	secret_wipe(line, sizeof(line));
	return r;
}

static int store_secrets(const struct import_store *store, struct err *e)
{
	char file[DNS_IMPORT_PATH_MAX];
	int r = 0;

	for (size_t i = 0; r == 0 && i < store->import->n; i++)
		if (first_of_secret(store->import, i, file))
			r = store_secret(store, file, store->import->names[i].pass, e);
	return r;
}

/* Nothing is written when something of it is there. */
static int find_obstacles(const struct import_store *store, struct err *e)
{
	char file[DNS_IMPORT_PATH_MAX];

	if (store->force)
		return 0;
	if (store->output && access(store->output, F_OK) == 0)
		return err_set(e, ERR_EXISTS, "%s is there already (--force overwrites it)",
			       store->output);
	for (size_t i = 0; i < store->import->n; i++) {
		AUTO(freep) char *path = NULL;

		if (!first_of_secret(store->import, i, file))
			continue;
		path = secret_path(store, file);
		if (!path)
			return err_set(e, ERR_NOMEM, "%s", file);
		if (access(path, F_OK) == 0 && !is_stored(path, store->import->names[i].pass))
			return err_set(e, ERR_EXISTS,
				       "%s is there already with another secret (--force "
				       "overwrites it, --secrets chooses another folder)",
				       path);
	}
	return 0;
}

/* ── what was published ── */

static bool anything_published(const struct dns_import *import)
{
	for (size_t i = 0; i < import->n; i++)
		if (import->names[i].published4.family || import->names[i].published6.family)
			return true;
	return false;
}

static int merge_ledger(const struct import_store *store, struct dns_ledger *ledger, struct err *e)
{
	AUTO(buf_donep) struct buf old = {0};
	AUTO(buf_donep) struct buf text = {0};
	int r = state_read(store->state, DNS_LEDGER_FILE, &old, e);

	if (r == 0)
		r = dns_ledger_decode(ledger, buf_str(&old), e);
	if (r == -ERR_NOT_FOUND || (r == -ERR_INVALID && store->force))
		r = 0;
	if (r == 0)
		r = dns_import_ledger(store->import, ledger, store->force);
	if (r == 0)
		r = dns_ledger_encode(ledger, time(NULL), &text);
	if (r == 0)
		r = state_write(store->state, DNS_LEDGER_FILE, buf_str(&text), e);
	return r;
}

/* So that the first thing homeport does is nothing. */
static int keep_published(const struct import_store *store, struct err *e)
{
	AUTO(closep) int lock = -1;
	struct dns_ledger ledger;
	int r;

	if (!anything_published(store->import))
		return 0;
	r = state_folder_prepare(store->state, e);
	if (r == 0)
		r = state_lock(store->state, &lock, e);
	if (r == -ERR_EXISTS) {
		fprintf(stderr,
			"homeport import: an agent is running, so what %s has published is not "
			"taken over: homeport will ask the name servers for it once\n",
			store->client);
		return 0;
	}
	if (r < 0)
		return r;
	dns_ledger_init(&ledger);
	r = merge_ledger(store, &ledger, e);
	dns_ledger_done(&ledger);
	return r;
}

int import_store_write(const struct import_store *store, struct str text, struct err *e)
{
	int r = find_obstacles(store, e);

	if (r == 0)
		r = store_secrets(store, e);
	if (r == 0)
		r = keep_published(store, e);
	if (r == 0 && store->output)
		r = import_file_write(store->output, 0644, text, store->force, e);
	return r;
}
