#include "dns/import.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/log.h"
#include "base/secret.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "dns/ledger.h"
#include "state/folder.h"
#include "state/lock.h"

#define CACHE_FILES_MAX 1024
#define SECRETS_FOLDER	"secrets" /* in the state folder */

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
		 "folder (default: the usual place, for a FILE below /etc)"},
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
	[NOIP2] = {"noip2", "no-ip", NULL},
};

struct import_run {
	const struct import_options *o; /* borrowed */
	const char *path;		/* borrowed: FILE */
	struct dns_import import;
	enum client client;
	struct buf text; /* owned: the configuration made */
	char *folder;	 /* owned: of the secrets, absolute; NULL: there are none */
	size_t n_secrets;
	struct places places;
};

/* ── reading ── */

/* The whole file in one piece of memory, to be wiped. */
static int read_file(const char *path, struct buf *b, int64_t *ret_modified_s, struct err *e)
{
	AUTO(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	uint8_t *to;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set_errno(e, ERR_NOT_FOUND, "%s", path);
	if (S_ISDIR(st.st_mode))
		return err_set(e, ERR_INVALID, "%s is a folder", path);
	to = buf_reserve(b, DNS_IMPORT_FILE_MAX + 1);
	if (!to)
		return err_set(e, ERR_NOMEM, "%s", path);
	for (;;) {
		ssize_t n = read(fd, to + buf_len(b), DNS_IMPORT_FILE_MAX + 1 - buf_len(b));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set_errno(e, ERR_FAILED, "%s", path);
		if (n == 0)
			break;
		buf_commit(b, (size_t)n);
	}
	if (buf_len(b) > DNS_IMPORT_FILE_MAX)
		return err_set(e, ERR_LIMIT, "%s: longer than %zu KiB", path,
			       DNS_IMPORT_FILE_MAX / 1024);
	*ret_modified_s = st.st_mtime;
	return 0;
}

static void wipep(struct buf *b)
{
	if (b->bytes)
		secret_wipe(b->bytes, b->size);
	buf_done(b);
}

static const char *name_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
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
		dns_import_init(&run->import);
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
	AUTO(wipep) struct buf b = {0};
	int64_t modified_s;
	int r = read_file(run->path, &b, &modified_s, e);

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
	date_published(&run->import, modified_s);
	return 0;
}

/* ── caches ── */

static int read_inadyn_cache(struct dns_import *import, const char *folder, struct err *e)
{
	DIR *dir = opendir(folder);
	const struct dirent *entry;
	int r = 0;

	if (!dir)
		return err_set_errno(e, ERR_NOT_FOUND, "%s", folder);
	for (int n = 0; r == 0 && n < CACHE_FILES_MAX && (entry = readdir(dir)); n++) {
		AUTO(freep) char *path = NULL;
		AUTO(wipep) struct buf b = {0};
		int64_t modified_s;

		if (!str_ends_nocase(str_of(entry->d_name), STR(".cache")))
			continue;
		if (asprintf(&path, "%s/%s", folder, entry->d_name) < 0)
			r = err_set(e, ERR_NOMEM, "%s", folder);
		else
			r = read_file(path, &b, &modified_s, e);
		if (r == 0)
			dns_import_inadyn_cache(import, str_of(entry->d_name), buf_str(&b),
						modified_s);
	}
	closedir(dir);
	return r;
}

static int read_ddclient_cache(struct dns_import *import, const char *path, struct err *e)
{
	AUTO(wipep) struct buf b = {0};
	int64_t modified_s;
	int r = read_file(path, &b, &modified_s, e);

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
		path = clients[run->client].cache;
	if (!path || (!run->o->cache && access(path, F_OK) < 0))
		return 0;
	r = run->client == INADYN ? read_inadyn_cache(&run->import, path, e)
				  : read_ddclient_cache(&run->import, path, e);
	return r < 0 ? err_wrap(e, r, "cache of %s", clients[run->client].name) : 0;
}

/* ── files of ours ── */

/* A new file, whole or not at all; another one of that name stays as it is, unless forced. */
static int write_file(const char *folder, const char *path, mode_t mode, struct str bytes,
		      bool force, struct err *e)
{
	AUTO(freep) char *temporary = NULL;
	AUTO(closep) int fd = -1;
	bool good;

	if (asprintf(&temporary, "%s.%d.tmp", path, getpid()) < 0)
		return err_set(e, ERR_NOMEM, "%s", path);
	fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	if (fd < 0)
		return err_set_errno(e, ERR_FAILED, "write %s", path);
	state_give(folder, fd);
	good = true;
	while (good && bytes.len) {
		ssize_t n = write(fd, bytes.at, bytes.len);

		if (n > 0)
			bytes = str_n(bytes.at + n, bytes.len - (size_t)n);
		good = n > 0 || (n < 0 && errno == EINTR);
	}
	good = good && fsync(fd) == 0;
	if (good)
		good = (force ? rename(temporary, path) : link(temporary, path)) == 0;
	if (!good)
		err_set_errno(e, errno == EEXIST ? ERR_EXISTS : ERR_FAILED, "write %s", path);
	if (!good || !force)
		unlink(temporary);
	return good ? 0 : -ERR_FAILED;
}

/* The folder of a file: "." for a name alone. The caller frees it. */
static char *folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return strdup(".");
	return slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
}

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

/* The folder is there, absolute, and belongs to whom the folder above it belongs. */
static int prepare_secrets(struct import_run *run, struct err *e)
{
	AUTO(freep) char *path = NULL;
	AUTO(freep) char *above = NULL;
	AUTO(closep) int fd = -1;
	char file[DNS_IMPORT_PATH_MAX];
	bool new;
	int r;

	for (size_t i = 0; i < run->import.n; i++)
		run->n_secrets += first_of_secret(&run->import, i, file);
	if (run->n_secrets == 0)
		return 0;
	if (!run->o->secrets) {
		r = state_folder_prepare(run->places.state, e);
		if (r < 0)
			return r;
	}
	if (run->o->secrets)
		path = strdup(run->o->secrets);
	else if (asprintf(&path, "%s/" SECRETS_FOLDER, run->places.state) < 0)
		path = NULL;
	if (!path)
		return err_set(e, ERR_NOMEM, "folder of secrets");
	new = access(path, F_OK) < 0;
	r = state_folder_prepare(path, e);
	if (r < 0)
		return r;
	run->folder = realpath(path, NULL);
	above = run->folder ? folder_of(run->folder) : NULL;
	fd = run->folder ? open(run->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	if (!above || fd < 0)
		return err_set_errno(e, ERR_FAILED, "%s", path);
	if (new)
		state_give(above, fd);
	return 0;
}

static char *secret_path(const struct import_run *run, const char *file)
{
	char *path;

	return asprintf(&path, "%s/%s", run->folder, file) < 0 ? NULL : path;
}

/* Whether that secret is there already, and only its owner can read it. */
static bool is_stored(const char *path, const char *pass)
{
	AUTO(wipep) struct buf b = {0};
	struct str text;
	struct stat st;
	int64_t modified_s;

	if (stat(path, &st) < 0 || st.st_mode & 077 || read_file(path, &b, &modified_s, NULL) < 0)
		return false;
	text = buf_str(&b);
	if (text.len && text.at[text.len - 1] == '\n')
		text.len--;
	return str_eq(text, str_of(pass));
}

static int store_secret(const struct import_run *run, const char *file, const char *pass,
			struct err *e)
{
	char line[DNS_IMPORT_VALUE_MAX + 1];
	AUTO(freep) char *path = secret_path(run, file);
	int n, r;

	if (!path)
		return err_set(e, ERR_NOMEM, "%s", file);
	if (is_stored(path, pass))
		return 0;
	n = snprintf(line, sizeof(line), "%s\n", pass);
	r = write_file(run->folder, path, 0600, str_n(line, (size_t)n), run->o->force, e);
	secret_wipe(line, sizeof(line));
	return r;
}

static int store_secrets(const struct import_run *run, struct err *e)
{
	char file[DNS_IMPORT_PATH_MAX];
	int r = 0;

	for (size_t i = 0; r == 0 && i < run->import.n; i++)
		if (first_of_secret(&run->import, i, file))
			r = store_secret(run, file, run->import.names[i].pass, e);
	return r;
}

/* Nothing is written when something of it is there. */
static int find_obstacles(const struct import_run *run, struct err *e)
{
	char file[DNS_IMPORT_PATH_MAX];

	if (run->o->force)
		return 0;
	if (run->o->output && access(run->o->output, F_OK) == 0)
		return err_set(e, ERR_EXISTS, "%s is there already (--force overwrites it)",
			       run->o->output);
	for (size_t i = 0; i < run->import.n; i++) {
		AUTO(freep) char *path = NULL;

		if (!first_of_secret(&run->import, i, file))
			continue;
		path = secret_path(run, file);
		if (!path)
			return err_set(e, ERR_NOMEM, "%s", file);
		if (access(path, F_OK) == 0 && !is_stored(path, run->import.names[i].pass))
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

static int merge_ledger(const struct import_run *run, struct dns_ledger *ledger, struct err *e)
{
	AUTO(buf_donep) struct buf old = {0};
	AUTO(buf_donep) struct buf text = {0};
	int r = state_read(run->places.state, DNS_LEDGER_FILE, &old, e);

	if (r == 0)
		r = dns_ledger_decode(ledger, buf_str(&old), e);
	if (r == -ERR_NOT_FOUND || (r == -ERR_INVALID && run->o->force))
		r = 0;
	if (r == 0)
		r = dns_import_ledger(&run->import, ledger, run->o->force);
	if (r == 0)
		r = dns_ledger_encode(ledger, time(NULL), &text);
	if (r == 0)
		r = state_write(run->places.state, DNS_LEDGER_FILE, buf_str(&text), e);
	return r;
}

/* So that the first thing homeport does is nothing. */
static int keep_published(const struct import_run *run, struct err *e)
{
	AUTO(closep) int lock = -1;
	struct dns_ledger ledger;
	int r;

	if (!anything_published(&run->import))
		return 0;
	r = state_folder_prepare(run->places.state, e);
	if (r == 0)
		r = state_lock(run->places.state, &lock, e);
	if (r == -ERR_EXISTS) {
		fprintf(stderr,
			"homeport import: an agent is running, so what %s has published is not "
			"taken over: homeport will ask the name servers for it once\n",
			clients[run->client].name);
		return 0;
	}
	if (r < 0)
		return r;
	dns_ledger_init(&ledger);
	r = merge_ledger(run, &ledger, e);
	dns_ledger_done(&ledger);
	return r;
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
	if (run->n_secrets)
		fprintf(stderr, "; secrets are in %s", run->folder);
	fprintf(stderr, ". Stop %s before homeport keeps them.\n", clients[run->client].name);
}

static int write_output(const struct import_run *run, struct err *e)
{
	AUTO(freep) char *folder = NULL;

	if (!run->o->output) {
		fwrite(buf_head(&run->text), 1, buf_len(&run->text), stdout);
		return fflush(stdout) == 0
			       ? 0
			       : err_set(e, ERR_FAILED, "the output could not be written");
	}
	folder = folder_of(run->o->output);
	if (!folder)
		return err_set(e, ERR_NOMEM, "%s", run->o->output);
	return write_file(folder, run->o->output, 0644, buf_str(&run->text), run->o->force, e);
}

static int import_all(struct import_run *run, struct err *e)
{
	int r = read_configuration(run, e);

	if (r == 0)
		r = read_cache(run, e);
	if (r < 0)
		return r;
	print_notes(run);
	r = prepare_secrets(run, e);
	if (r == 0 && dns_import_write(&run->import, run->folder ? run->folder : SECRETS_FOLDER,
				       &run->text) < 0)
		r = err_set(e, ERR_NOMEM, "%s", run->path);
	if (r == 0)
		r = find_obstacles(run, e);
	if (r == 0)
		r = store_secrets(run, e);
	if (r == 0)
		r = keep_published(run, e);
	if (r == 0)
		r = write_output(run, e);
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

	dns_import_init(&run.import);
	r = places_find(&o->common, &run.places, &e);
	if (r == 0)
		r = import_all(&run, &e);
	if (r < 0)
		complain("import", "%s", e.text);
	dns_import_done(&run.import);
	places_done(&run.places);
	buf_done(&run.text);
	free(run.folder);
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
