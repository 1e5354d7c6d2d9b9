#include "map/ledger.h"

#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/baseenc.h"
#include "base/log.h"
#include "base/rand.h"
#include "state/folder.h"
#include "state/lock.h"

#define DOORS_FOLDER "doors"
#define DOORS_FILE   "doors.json"
#define ID_LEN	     8
#define ADOPTED_MAX  64 /* folders of processes that are gone, looked at in one start */

struct ledger {
	struct loop *loop;   /* borrowed */
	char *folder;	     /* owned: this process's; NULL: nothing survives */
	int lock;	     /* owned; -1 without a folder */
	struct list entries; /* of struct ledger_entry, owned */
	size_t n;
	struct list waits; /* of struct ledger_wait, borrowed */
	uint64_t version;  /* counts changes */
	uint64_t written;  /* the version on disk */
	bool failed;	   /* the last write, which is told once */
	struct defer write;
	struct writing *writing; /* NULL: no job runs */
};

/* One write, on the pool; it may outlive its ledger. */
struct writing {
	struct job job;
	struct ledger *ledger; /* borrowed; NULL: closed */
	char *folder;	       /* owned, as text */
	char *text;
	uint64_t version;
	pthread_mutex_t mutex; /* over obsolete, and while it writes */
	bool obsolete;	       /* there is something newer on disk */
	int r;
	struct err e;
};

/* ── JSON ── */

static json_t *entry_json(const struct ledger_entry *entry)
{
	char internal[IPADDR_TEXT_MAX], router[IPADDR_TEXT_MAX],
		nonce[HEX_TEXT_LEN(LEDGER_NONCE_LEN)];

	hex_encode(nonce, entry->nonce, LEDGER_NONCE_LEN);
	return json_pack("{s:s s:s s:s s:s s:s s:i s:i s:b s:I}", "protocol",
			 map_protocol_name(entry->protocol), "internal",
			 ipaddr_format_port(internal, &entry->internal), "router",
			 ipaddr_format(router, &entry->router), "nonce", nonce, "method",
			 map_method_name(entry->method), "external_port", (int)entry->external_port,
			 "pinhole", (int)entry->pinhole, "permanent", entry->permanent, "expires_s",
			 (json_int_t)entry->expires_s);
}

static bool port_of(const json_t *object, const char *key, uint16_t *ret)
{
	json_int_t value = json_integer_value(json_object_get(object, key));

	if (value < 0 || value > 65535)
		return false;
	*ret = (uint16_t)value;
	return true;
}

static struct str text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return str_of(text ? text : "");
}

/* False: a file that a person has edited, or of another version. */
static bool entry_parse(const json_t *object, struct ledger_entry *ret)
{
	struct ledger_entry entry = {0};
	struct str protocol = text_of(object, "protocol"), nonce = text_of(object, "nonce");
	const char *method = json_string_value(json_object_get(object, "method"));
	json_int_t expires = json_integer_value(json_object_get(object, "expires_s"));

	if (ipaddr_parse_port(text_of(object, "internal"), &entry.internal) < 0 ||
	    ipaddr_parse(text_of(object, "router"), &entry.router) < 0 ||
	    entry.router.family != entry.internal.family || !entry.internal.port)
		return false;
	if (hex_decode(nonce, entry.nonce, LEDGER_NONCE_LEN) < 0)
		return false;
	if (!port_of(object, "external_port", &entry.external_port) ||
	    !port_of(object, "pinhole", &entry.pinhole) || expires < 0)
		return false;
	entry.protocol = str_eq(protocol, STR("udp")) ? IPPROTO_UDP : IPPROTO_TCP;
	entry.method = map_method_parse(method ? method : "");
	entry.permanent = json_is_true(json_object_get(object, "permanent"));
	entry.expires_s = (uint64_t)expires;
	*ret = entry;
	return true;
}

/* Of one process's folder; 0 also when it has no file yet. */
static int each_entry(const char *folder, void (*each)(void *arg, const struct ledger_entry *),
		      void *arg, struct err *e)
{
	AUTO(buf_donep) struct buf b = {0};
	struct ledger_entry entry;
	json_t *root, *object;
	json_error_t error;
	size_t i;
	int r = state_read(folder, DOORS_FILE, &b, e);

	if (r < 0)
		return r == -ERR_NOT_FOUND ? 0 : r;
	root = json_loadb((const char *)buf_head(&b), buf_len(&b), JSON_REJECT_DUPLICATES, &error);
	if (!root)
		return err_set(e, ERR_INVALID, "%s/" DOORS_FILE ": not understood", folder);
	json_array_foreach(json_object_get(root, "doors"), i,
			   object) if (i < LEDGER_MAX && entry_parse(object, &entry))
		each(arg, &entry);
	json_decref(root);
	return 0;
}

/* ── entries ── */

struct ledger_entry *ledger_next(struct ledger *ledger, const struct ledger_entry *after)
{
	const struct list *node = after ? after->node.next : ledger->entries.next;

	return node == &ledger->entries ? NULL : list_entry(node, struct ledger_entry, node);
}

struct ledger_entry *ledger_find(struct ledger *ledger, uint8_t protocol,
				 const struct ipaddr *internal, const struct ipaddr *router)
{
	struct ledger_entry *entry;

	list_for_each (entry, &ledger->entries, node)
		if (entry->protocol == protocol && entry->internal.port == internal->port &&
		    ipaddr_same_host(&entry->internal, internal) &&
		    ipaddr_same_host(&entry->router, router))
			return entry;
	return NULL;
}

static struct ledger_entry *append(struct ledger *ledger, const struct ledger_entry *from)
{
	struct ledger_entry *entry = ledger->n < LEDGER_MAX ? malloc(sizeof(*entry)) : NULL;

	if (!entry)
		return NULL;
	*entry = *from;
	entry->internal.scope = entry->router.scope = 0;
	entry->router.port = 0;
	list_push(&ledger->entries, &entry->node);
	ledger->n++;
	return entry;
}

struct ledger_entry *ledger_add(struct ledger *ledger, const struct ledger_entry *from)
{
	struct ledger_entry *entry = append(ledger, from);

	if (!entry)
		return NULL;
	rand_bytes(entry->nonce, sizeof(entry->nonce));
	ledger_touch(ledger);
	return entry;
}

void ledger_remove(struct ledger *ledger, struct ledger_entry *entry)
{
	list_remove(&entry->node);
	ledger->n--;
	free(entry);
	ledger_touch(ledger);
}

/* ── writing ── */

static char *all_text(const struct ledger *ledger)
{
	json_t *doors = json_array(), *root;
	const struct ledger_entry *entry;
	char *text;

	list_for_each (entry, &ledger->entries, node)
		json_array_append_new(doors, entry_json(entry));
	root = json_pack("{s:o}", "doors", doors);
	text = root ? json_dumps(root, JSON_INDENT(1)) : NULL;
	json_decref(root);
	return text;
}

static void write_work(struct job *job)
{
	struct writing *w = container_of(job, struct writing, job);

	pthread_mutex_lock(&w->mutex);
	if (!w->obsolete)
		w->r = state_write(w->folder, DOORS_FILE, str_of(w->text), &w->e);
	pthread_mutex_unlock(&w->mutex);
}

static void writing_free(struct writing *w)
{
	pthread_mutex_destroy(&w->mutex);
	free(w->folder);
	free(w->text);
	free(w);
}

static void tell_waits(struct ledger *ledger, uint64_t version, int r, const struct err *e)
{
	struct ledger_wait *wait, *tmp;
	struct list due;

	list_init(&due);
	list_for_each_safe (wait, tmp, &ledger->waits, node) {
		if (wait->version > version)
			continue;
		list_remove(&wait->node);
		list_push(&due, &wait->node);
	}
	while (!list_empty(&due)) {
		wait = list_entry(due.next, struct ledger_wait, node);
		list_remove(&wait->node);
		wait->done(wait->arg, r, e);
	}
}

static void write_done(struct job *job)
{
	struct writing *w = container_of(job, struct writing, job);
	struct ledger *ledger = w->ledger;

	if (!ledger) {
		writing_free(w);
		return;
	}
	ledger->writing = NULL;
	if (w->r == 0)
		ledger->written = w->version;
	else if (!ledger->failed)
		log_warning("doors cannot be remembered: %s", w->e.text);
	ledger->failed = w->r < 0;
	tell_waits(ledger, w->version, w->r, &w->e);
	if (ledger->version > w->version) /* those who wait for what came later, too */
		defer_call(&ledger->write);
	writing_free(w);
}

static int start_writing(struct ledger *ledger, struct err *e)
{
	struct writing *w = calloc(1, sizeof(*w));
	int r = -ERR_NOMEM;

	if (!w)
		return err_set(e, ERR_NOMEM, "doors");
	pthread_mutex_init(&w->mutex, NULL);
	w->ledger = ledger;
	w->version = ledger->version;
	w->text = all_text(ledger);
	w->folder = strdup(ledger->folder);
	if (w->text && w->folder)
		r = job_start(&w->job, ledger->loop, write_work, write_done, e);
	if (r < 0) {
		writing_free(w);
		return err_set(e, -r, "doors: no memory to write them down");
	}
	ledger->writing = w;
	return 0;
}

static void on_write(void *arg)
{
	struct ledger *ledger = arg;
	struct err e = {0};
	int r;

	if (ledger->writing)
		return; /* its end looks for what came after it */
	if (!ledger->folder) {
		ledger->written = ledger->version;
		tell_waits(ledger, ledger->version, 0, &e);
		return;
	}
	r = start_writing(ledger, &e);
	if (r < 0)
		tell_waits(ledger, ledger->version, r, &e);
}

void ledger_touch(struct ledger *ledger)
{
	ledger->version++;
	defer_call(&ledger->write);
}

void ledger_sync(struct ledger *ledger, struct ledger_wait *wait)
{
	wait->version = ledger->version;
	list_init(&wait->node);
	list_push(&ledger->waits, &wait->node);
	defer_call(&ledger->write);
}

void ledger_sync_cancel(struct ledger_wait *wait)
{
	if (wait->node.next)
		list_remove(&wait->node);
}

/* ── folders ── */

struct adoption {
	struct ledger *ledger; /* borrowed */
	bool incomplete;       /* there was no place for all */
};

static void adopt_entry(void *arg, const struct ledger_entry *entry)
{
	struct adoption *adoption = arg;
	struct ledger *ledger = adoption->ledger;
	bool over = !entry->permanent && entry->expires_s &&
		    entry->expires_s < ustime_wall() / USEC_PER_S;

	if (!over && !ledger_find(ledger, entry->protocol, &entry->internal, &entry->router) &&
	    !append(ledger, entry))
		adoption->incomplete = true;
}

/* What its process was just writing when it was killed. */
static void remove_unfinished(const char *folder)
{
	const struct dirent *d;
	DIR *dir = opendir(folder);

	while (dir && (d = readdir(dir)))
		if (strncmp(d->d_name, DOORS_FILE ".", strlen(DOORS_FILE ".")) == 0)
			unlinkat(dirfd(dir), d->d_name, 0);
	if (dir)
		closedir(dir);
}

static void remove_folder(const char *folder)
{
	AUTO(freep) char *lock = NULL;

	if (state_remove(folder, DOORS_FILE, NULL) < 0 || asprintf(&lock, "%s/lock", folder) < 0)
		return;
	remove_unfinished(folder);
	unlink(lock);
	rmdir(folder);
}

/* Of a process that is gone: into ours, which is on disk before theirs is removed. */
static void adopt(struct ledger *ledger, const char *folder)
{
	AUTO(freep) char *text = NULL;
	AUTO(closep) int lock = -1;
	struct adoption adoption = {.ledger = ledger};
	struct err e = {0};
	size_t before = ledger->n;

	if (state_lock(folder, &lock, &e) < 0)
		return;
	if (each_entry(folder, adopt_entry, &adoption, &e) < 0) {
		log_warning("doors of an earlier process: %s", e.text);
		return;
	}
	if (ledger->n > before) {
		text = all_text(ledger);
		if (!text || state_write(ledger->folder, DOORS_FILE, str_of(text), &e) < 0) {
			log_warning("doors of an earlier process: %s", e.text);
			return;
		}
	}
	if (!adoption.incomplete) /* else the rest is for the next process */
		remove_folder(folder);
}

/* Each process's folder, but `mine`. */
static void each_folder(const char *doors, const char *mine, unsigned most,
			void (*each)(void *arg, const char *folder), void *arg)
{
	const struct dirent *d;
	DIR *dir = opendir(doors);

	while (dir && most && (d = readdir(dir))) {
		AUTO(freep) char *folder = NULL;

		if (strlen(d->d_name) != ID_LEN ||
		    asprintf(&folder, "%s/%s", doors, d->d_name) < 0 ||
		    (mine && strcmp(folder, mine) == 0))
			continue;
		each(arg, folder);
		most--;
	}
	if (dir)
		closedir(dir);
}

static void adopt_each(void *arg, const char *folder)
{
	adopt(arg, folder);
}

/* Processes begin one at a time: a folder that is made and not locked yet is none that was left. */
static int open_folder(struct ledger *ledger, const char *state, struct err *e)
{
	AUTO(freep) char *doors = NULL;
	AUTO(closep) int alone = -1;
	uint8_t id[ID_LEN / 2];
	char text[HEX_TEXT_LEN(ID_LEN / 2)];
	int r;

	rand_bytes(id, sizeof(id));
	hex_encode(text, id, sizeof(id));
	if (asprintf(&doors, "%s/" DOORS_FOLDER, state) < 0 ||
	    asprintf(&ledger->folder, "%s/%s", doors, text) < 0)
		return err_set(e, ERR_NOMEM, "%s", state);
	r = state_folder_prepare(doors, e);
	if (r == 0)
		r = state_lock_wait(doors, &alone, e);
	if (r == 0)
		r = state_folder_prepare(ledger->folder, e);
	if (r == 0)
		r = state_lock(ledger->folder, &ledger->lock, e);
	if (r == 0)
		each_folder(doors, ledger->folder, ADOPTED_MAX, adopt_each, ledger);
	return r;
}

int ledger_open(struct loop *loop, const char *state, struct ledger **ret_ledger, struct err *e)
{
	struct ledger *ledger = calloc(1, sizeof(*ledger));
	int r = 0;

	if (!ledger)
		return err_set(e, ERR_NOMEM, "doors");
	ledger->loop = loop;
	ledger->lock = -1;
	list_init(&ledger->entries);
	list_init(&ledger->waits);
	defer_init(&ledger->write, loop, on_write, ledger);
	if (state)
		r = open_folder(ledger, state, e);
	if (r < 0) {
		ledger_close(ledger);
		return r;
	}
	*ret_ledger = ledger;
	return 0;
}

/* The last word: what is still to be written is written here, and nothing after it. */
static void finish(struct ledger *ledger)
{
	AUTO(freep) char *text = NULL;
	struct err e = {0};

	if (ledger->writing) {
		pthread_mutex_lock(&ledger->writing->mutex);
		ledger->writing->obsolete = true;
		pthread_mutex_unlock(&ledger->writing->mutex);
		ledger->writing->ledger = NULL;
	}
	if (!ledger->folder || ledger->lock < 0)
		return;
	if (list_empty(&ledger->entries)) {
		remove_folder(ledger->folder);
		return;
	}
	text = all_text(ledger);
	if (text && state_write(ledger->folder, DOORS_FILE, str_of(text), &e) < 0)
		log_warning("doors cannot be remembered: %s", e.text);
}

void ledger_close(struct ledger *ledger)
{
	struct ledger_entry *entry, *tmp;

	if (!ledger)
		return;
	defer_cancel(&ledger->write);
	finish(ledger);
	list_for_each_safe (entry, tmp, &ledger->entries, node)
		free(entry);
	if (ledger->lock >= 0)
		close(ledger->lock);
	free(ledger->folder);
	free(ledger);
}

/* ── for people ── */

struct look {
	void (*each)(void *arg, const struct ledger_entry *entry, pid_t holder);
	void *arg;
	pid_t holder;
};

static void look_entry(void *arg, const struct ledger_entry *entry)
{
	struct look *look = arg;

	look->each(look->arg, entry, look->holder);
}

static void look_folder(void *arg, const char *folder)
{
	struct look *look = arg;

	look->holder = state_lock_holder(folder);
	if (each_entry(folder, look_entry, look, NULL) < 0)
		return;
}

void ledger_look(const char *state,
		 void (*each)(void *arg, const struct ledger_entry *entry, pid_t holder), void *arg)
{
	struct look look = {each, arg, 0};
	AUTO(freep) char *doors = NULL;

	if (asprintf(&doors, "%s/" DOORS_FOLDER, state) >= 0)
		each_folder(doors, NULL, UINT32_MAX, look_folder, &look);
}
