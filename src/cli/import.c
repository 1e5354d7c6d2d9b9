#include "dns/import.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "cli/import_file.h"
#include "cli/import_store.h"

#define CACHE_FILES_MAX 1024

struct import_options {
	struct common common;
	const char *from, *cache, *output, *secrets;
	bool force;
};

static const struct option_row import_rows[] = {
	{"from", 0, OPTION_TEXT, offsetof(struct import_options, from),
	 .arg = "ddclient|inadyn|noip2", .help = "whose file it is (default: what it looks like)"},
	{"cache", 0, OPTION_TEXT, offsetof(struct import_options, cache), .arg = "PATH",
	 .help = "where that client keeps what it has published: ddclient.cache, or inadyn's "
		 "folder (default: where FILE says, or the usual place, for a FILE below /etc)"},
	{"output", 'o', OPTION_TEXT, offsetof(struct import_options, output), .arg = "FILE",
	 .help = "write the configuration there instead of printing it"},
	{"secrets", 0, OPTION_TEXT, offsetof(struct import_options, secrets), .arg = "FOLDER",
	 .help = "where passwords and tokens go, a file each that only its owner can read "
		 "(default: the folder \"secrets\" in the state folder)"},
	{"force", 'f', OPTION_FLAG, offsetof(struct import_options, force),
	 .help = "overwrite what is there"},
};

enum client { DDCLIENT, INADYN, NOIP2, CLIENTS };

static const struct {
	const char *name, *file_name; /* a part of it */
	const char *cache;	      /* NULL: in the file itself */
} clients[CLIENTS] = {
	[DDCLIENT] = {"ddclient", "ddclient", "/var/cache/ddclient/ddclient.cache"},
	[INADYN] = {"inadyn", "inadyn", "/var/cache/inadyn"},
	[NOIP2] = {"noip2", "no-ip2", NULL},
};

struct import_run {
	const struct import_options *o; /* borrowed */
	const char *path;		/* borrowed: FILE */
	struct dns_import import;
	enum client client;
	struct buf text; /* owned: the configuration made */
	struct places places;
	struct import_store store;
};

/* ── reading ── */

static const char *name_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* "~" is the home of whoever imports. */
static int include(void *arg, const char *path, struct buf *text, struct err *e)
{
	AUTO(freep) char *expanded = NULL;
	const char *home = getenv("HOME");
	struct stat st;

	if (path[0] == '~' && path[1] == '/' && home) {
		if (asprintf(&expanded, "%s%s", home, path + 1) < 0) {
			expanded = NULL;
			return err_set(e, ERR_NOMEM, "%s", path);
		}
		path = expanded;
	}
	return import_file_read(path, true, text, &st, e);
}

static void start_import(struct import_run *run)
{
	dns_import_init(&run->import);
	run->import.include = include;
}

static int parse(struct import_run *run, enum client client, struct str text, struct err *e)
{
	switch (client) {
	case DDCLIENT:
		return dns_import_ddclient(&run->import, text, e);
	case INADYN:
		return dns_import_inadyn(&run->import, text, e);
	case NOIP2:
	case CLIENTS:
		break;
	}
	return dns_import_noip2(&run->import, text, e);
}

/* A section of inadyn's, even in a file that is broken elsewhere. */
static bool has_section(struct str text)
{
	while (text.len) {
		struct str line = str_split(&text, '\n'), rest = str_trim(line);
		struct str word = str_split(&rest, ' ');

		if ((str_eq(word, STR("provider")) || str_eq(word, STR("custom"))) &&
		    str_find(rest, '{') >= 0)
			return true;
	}
	return false;
}

/* Whose file it is: said, in its name, or the first whose reader finds names in it. */
static enum client guess_client(struct import_run *run, struct str text)
{
	static const enum client order[] = {NOIP2, INADYN};
	const char *name = name_of(run->path);

	for (int i = 0; i < CLIENTS; i++)
		if (strstr(name, clients[i].file_name))
			return (enum client)i;
	if (has_section(text))
		return INADYN;
	for (size_t i = 0; i < ARRAY_LEN(order); i++) {
		bool good = parse(run, order[i], text, NULL) == 0 && run->import.n;

		dns_import_done(&run->import);
		start_import(run);
		if (good)
			return order[i];
	}
	return DDCLIENT;
}

static int find_client(struct import_run *run, struct str text, struct err *e)
{
	if (!run->o->from) {
		run->client = guess_client(run, text);
		return 0;
	}
	for (int i = 0; i < CLIENTS; i++)
		if (strcmp(clients[i].name, run->o->from) == 0) {
			run->client = (enum client)i;
			return 0;
		}
	return err_set(e, ERR_INVALID, "--from: must be ddclient, inadyn or noip2");
}

/* What noip2 has published stands in its configuration, without a time. */
static void date_published(struct dns_import *import, int64_t modified_s)
{
	for (size_t i = 0; i < import->n; i++)
		if (import->names[i].published4.family && !import->names[i].confirmed_s)
			import->names[i].confirmed_s = modified_s;
}

static int read_configuration(struct import_run *run, struct err *e)
{
	AUTO(import_file_wipep) struct buf b = {0};
	struct stat st;
	int r = import_file_read(run->path, false, &b, &st, e);

	if (r < 0)
		return r;
	r = find_client(run, buf_str(&b), e);
	if (r < 0)
		return r;
	if (run->o->cache && !clients[run->client].cache)
		return err_set(e, ERR_INVALID, "--cache: noip2 keeps that in FILE itself");
	r = parse(run, run->client, buf_str(&b), e);
	if (r < 0)
		return err_wrap(e, r, "%s", run->path);
	if (run->import.n == 0)
		return err_set(e, ERR_FAILED, "%s: no names are in it, read as a file of %s",
			       run->path, clients[run->client].name);
	date_published(&run->import, st.st_mtime);
	return 0;
}

/* ── caches ── */

/* What cannot be read is told, and costs that file only. */
static void read_inadyn_file(struct dns_import *import, const char *folder, const char *name)
{
	AUTO(freep) char *path = NULL;
	AUTO(import_file_wipep) struct buf b = {0};
	struct err e = {0};
	struct stat st;

	if (asprintf(&path, "%s/%s", folder, name) < 0)
		path = NULL;
	else if (import_file_read(path, true, &b, &st, &e) < 0)
		dns_import_note(import, 0, "%s", e.text);
	else
		dns_import_inadyn_cache(import, str_of(name), buf_str(&b), st.st_mtime);
}

static int read_inadyn_cache(struct dns_import *import, const char *folder, struct err *e)
{
	DIR *dir = opendir(folder);
	const struct dirent *entry;

	if (!dir)
		return err_set_errno(e, ERR_NOT_FOUND, "%s", folder);
	for (int n = 0; n < CACHE_FILES_MAX && (entry = readdir(dir));) {
		if (!str_ends_nocase(str_of(entry->d_name), STR(".cache")))
			continue;
		read_inadyn_file(import, folder, entry->d_name);
		n++;
	}
	closedir(dir);
	return 0;
}

static int read_ddclient_cache(struct dns_import *import, const char *path, struct err *e)
{
	AUTO(import_file_wipep) struct buf b = {0};
	struct stat st;
	int r = import_file_read(path, true, &b, &st, e);

	return r < 0 ? r : dns_import_ddclient_cache(import, buf_str(&b), e);
}

static bool is_installed(const char *path)
{
	AUTO(freep) char *real = realpath(path, NULL);

	return real && (str_starts(str_of(real), STR("/etc/")) ||
			str_starts(str_of(real), STR("/usr/local/etc/")));
}

static int read_cache(struct import_run *run, struct err *e)
{
	const char *path = run->o->cache;
	int r;

	if (!path && !is_installed(run->path))
		return 0;
	if (!path)
		path = *run->import.cache ? run->import.cache : clients[run->client].cache;
	if (!path || (!run->o->cache && access(path, F_OK) < 0))
		return 0;
	r = run->client == INADYN ? read_inadyn_cache(&run->import, path, e)
				  : read_ddclient_cache(&run->import, path, e);
	return r < 0 ? err_wrap(e, r, "cache of %s", clients[run->client].name) : 0;
}

/* ── the command ── */

static void print_place(const struct import_run *run, unsigned line)
{
	if (line)
		fprintf(stderr, "%s:%u: ", run->path, line);
	else
		fprintf(stderr, "%s: ", run->path);
}

/* What of a name could not be carried over. */
static void print_obstacle(const struct import_run *run, size_t i)
{
	const struct dns_imported *name = &run->import.names[i];
	char host[LOG_TEXT_MAX], text[LOG_TEXT_MAX];
	struct err why = {0};

	log_text(host, str_of(name->host));
	if (!dns_import_usable(&run->import, i, &why)) {
		print_place(run, name->line);
		fprintf(stderr, "%s is a comment only: %s\n", host,
			log_text(text, str_of(why.text)));
	}
}

/* Told once for each interface. */
static void print_interface(const struct import_run *run, size_t i)
{
	const struct dns_imported *names = run->import.names;
	char text[LOG_TEXT_MAX];

	for (size_t j = 0; j < i; j++)
		if (strcmp(names[j].interface, names[i].interface) == 0)
			return;
	if (!names[i].interface[0])
		return;
	print_place(run, names[i].line);
	fprintf(stderr,
		"interface %s is not carried over: the address that the world has to come to is "
		"published (\"homeport ip\" shows it)\n",
		log_text(text, str_of(names[i].interface)));
}

static void print_notes(const struct import_run *run)
{
	const struct dns_import *import = &run->import;

	for (size_t i = 0; i < import->n_notes; i++) {
		print_place(run, import->notes[i].line);
		fprintf(stderr, "%s\n", import->notes[i].text);
	}
	if (import->lost_notes)
		fprintf(stderr, "%s: and %zu notes more\n", run->path, import->lost_notes);
	for (size_t i = 0; i < import->n; i++) {
		print_obstacle(run, i);
		print_interface(run, i);
	}
}

static void print_end(const struct import_run *run)
{
	size_t usable = 0;

	for (size_t i = 0; i < run->import.n; i++)
		usable += dns_import_usable(&run->import, i, NULL);
	fprintf(stderr, "homeport import: %zu of %zu names of %s can be used", usable,
		run->import.n, clients[run->client].name);
	if (run->store.n_secrets)
		fprintf(stderr, "; secrets are in %s", run->store.folder);
	fprintf(stderr, ". Stop %s before homeport keeps them.\n", clients[run->client].name);
}

static int print_text(struct str text, struct err *e)
{
	fwrite(text.at, 1, text.len, stdout);
	return fflush(stdout) == 0 ? 0 : err_set(e, ERR_FAILED, "the output could not be written");
}

static int import_all(struct import_run *run, struct err *e)
{
	struct import_store *store = &run->store;
	int r = read_configuration(run, e);

	if (r == 0)
		r = read_cache(run, e);
	if (r < 0)
		return r;
	print_notes(run);
	*store = (struct import_store){.import = &run->import,
				       .state = run->places.state,
				       .client = clients[run->client].name,
				       .secrets = run->o->secrets,
				       .output = run->o->output,
				       .force = run->o->force};
	r = import_store_prepare(store, e);
	if (r == 0 && dns_import_write(&run->import, store->folder, &run->text) < 0)
		r = err_set(e, ERR_NOMEM, "%s", run->path);
	if (r == 0)
		r = import_store_write(store, buf_str(&run->text), e);
	if (r == 0 && !run->o->output)
		r = print_text(buf_str(&run->text), e);
	if (r == 0)
		print_end(run);
	return r;
}

static int import_run(const void *options, const struct option_args *args)
{
	const struct import_options *o = options;
	struct import_run run = {.o = o, .path = args->at[0]};
	struct err e = {0};
	int r;

	start_import(&run);
	r = places_find(&o->common, &run.places, &e);
	if (r == 0)
		r = import_all(&run, &e);
	if (r < 0)
		complain("import", "%s", e.text);
	dns_import_done(&run.import);
	places_done(&run.places);
	buf_done(&run.text);
	import_store_done(&run.store);
	return r < 0 ? 1 : 0;
}

const struct command command_import = {
	.name = "import",
	.args = "FILE",
	.min_args = 1,
	.max_args = 1,
	.summary = "take over the names of ddclient, inadyn or noip2",
	.details =
		"Reads the configuration of another client of dynamic DNS and prints one for "
		"homeport that keeps the same names. What could not be carried over is told line "
		"by line on stderr. Passwords and tokens are never printed: they go to files of "
		"their own. What that client has published is remembered, so that moving here "
		"sends no provider a request that is not needed.",
	.example = "homeport import /etc/ddclient.conf\n"
		   "homeport import /etc/inadyn.conf --output dns.conf\n"
		   "homeport import /usr/local/etc/no-ip2.conf --secrets ./secrets",
	OPTION_ROWS(import_rows, struct import_options),
	.run = import_run,
};
