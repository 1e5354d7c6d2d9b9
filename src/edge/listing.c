#include "edge/listing.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "edge/filepath.h"
#include "edge/folder.h"
#include "http/page.h"

struct entry {
	char *name; /* owned */
	bool folder;
	uint64_t size;
	int64_t changed_s;
};

struct listing {
	int root_fd, dir_fd;
	const char *path;
	unsigned folder_flags;
	struct entry *entries; /* owned */
	size_t n, room;
	bool cut; /* not all are here */
};

static void listing_done(struct listing *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->entries[i].name);
	free(l->entries);
}

/* ── reading ── */

/* A symbolic link counts as what it leads to, if that lies in the shared folder. */
static bool stat_link(const struct listing *l, const char *name, struct stat *st)
{
	char path[EDGE_FILEPATH_MAX + 256];
	AUTO(closep) int fd = -1;

	if ((size_t)snprintf(path, sizeof(path), "%s%s%s", l->path, *l->path ? "/" : "", name) >=
	    sizeof(path))
		return false;
	return edge_folder_open(l->root_fd, path, l->folder_flags, &fd, NULL) == 0 &&
	       fstat(fd, st) == 0;
}

static bool stat_entry(const struct listing *l, const char *name, struct stat *st)
{
	if (fstatat(l->dir_fd, name, st, AT_SYMLINK_NOFOLLOW) < 0)
		return false;
	if (S_ISLNK(st->st_mode) && !stat_link(l, name, st))
		return false;
	return S_ISREG(st->st_mode) || S_ISDIR(st->st_mode);
}

static int add_entry(struct listing *l, const char *name, const struct stat *st)
{
	struct entry entry = {
		.folder = S_ISDIR(st->st_mode),
		.size = (uint64_t)st->st_size,
		.changed_s = st->st_mtim.tv_sec,
	};

	if (l->n == l->room) {
		size_t room = l->room ? l->room * 2 : 32;
		struct entry *grown = realloc(l->entries, room * sizeof(*grown));

		if (!grown)
			return -ERR_NOMEM;
		l->entries = grown;
		l->room = room;
	}
	entry.name = strdup(name);
	if (!entry.name)
		return -ERR_NOMEM;
	l->entries[l->n++] = entry;
	return 0;
}

static int read_entries(struct listing *l, DIR *dir)
{
	struct dirent *d;
	struct stat st;

	while ((d = readdir(dir))) {
		int r;

		if (edge_filepath_hidden(str_of(d->d_name)) || !stat_entry(l, d->d_name, &st))
			continue;
		if (l->n == EDGE_LISTING_ENTRIES_MAX) {
			l->cut = true;
			break;
		}
		r = add_entry(l, d->d_name, &st);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Folders first, then as a person would look for it: case matters last. */
static int compare(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int r;

	if (x->folder != y->folder)
		return x->folder ? -1 : 1;
	r = strcasecmp(x->name, y->name);
	return r ? r : strcmp(x->name, y->name);
}

/* ── writing ── */

static const char *format_size(char text[static 32], uint64_t size)
{
	static const char *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB"};
	double value = (double)size / 1024;
	size_t unit = 0;

	if (size < 1024) {
		snprintf(text, 32, "%" PRIu64 " B", size);
		return text;
	}
	for (; value >= 1024 && unit + 1 < ARRAY_LEN(units); unit++)
		value /= 1024;
	snprintf(text, 32, value < 10 ? "%.1f %s" : "%.0f %s", value, units[unit]);
	return text;
}

static const char *format_date(char text[static 32], int64_t s)
{
	time_t t = (time_t)s;
	struct tm tm;

	if (!gmtime_r(&t, &tm) || strftime(text, 32, "%Y-%m-%d %H:%M", &tm) == 0)
		*text = 0;
	return text;
}

static int write_entry(struct buf *page, const struct entry *entry)
{
	struct str name = str_of(entry->name);
	const char *slash = entry->folder ? "/" : "";
	char size[32], date[32];
	int r = buf_append_str(page, STR("<tr><td><a href=\""));

	if (r == 0)
		r = edge_filepath_encode(page, name);
	if (r == 0)
		r = buf_printf(page, "%s\">", slash);
	if (r == 0)
		r = http_page_escape(page, name);
	if (r == 0)
		r = buf_printf(page, "%s</a><td>%s<td>%s\n", slash,
			       entry->folder ? "" : format_size(size, entry->size),
			       format_date(date, entry->changed_s));
	return r;
}

static int write_top(struct buf *page, const char *path)
{
	static const char style[] =
		":root{color-scheme:light dark}"
		"body{font:1rem/1.6 system-ui,sans-serif;max-width:60rem;margin:2rem auto;"
		"padding:0 1rem}h1{font-size:1.3rem;overflow-wrap:anywhere}"
		"table{border-collapse:collapse;width:100%}"
		"th,td{text-align:left;padding:.15rem .6rem;border-bottom:1px solid #8883}"
		"td:first-child{overflow-wrap:anywhere}"
		"th+th,td+td{text-align:right;white-space:nowrap;opacity:.75;"
		"font-variant-numeric:tabular-nums}a{text-decoration:none}a:hover{text-"
		"decoration:underline}";
	int r = buf_printf(page,
			   "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n"
			   "<meta name=\"viewport\" content=\"width=device-width\">\n<title>/");

	if (r == 0)
		r = http_page_escape(page, str_of(path));
	if (r == 0)
		r = buf_printf(page, "%s</title>\n<style>%s</style>\n<h1>/", *path ? "/" : "",
			       style);
	if (r == 0)
		r = http_page_escape(page, str_of(path));
	if (r == 0)
		r = buf_printf(page, "%s</h1>\n<table>\n<tr><th>Name<th>Size<th>Changed (UTC)\n%s",
			       *path ? "/" : "",
			       *path ? "<tr><td><a href=\"../\">../</a><td><td>\n" : "");
	return r;
}

static int write_page(struct listing *l, struct buf *page)
{
	size_t end = EDGE_LISTING_BYTES_MAX - 4096; /* room for one entry and the end */
	int r = write_top(page, l->path);

	for (size_t i = 0; r == 0 && i < l->n; i++) {
		if (buf_len(page) > end) {
			l->cut = true;
			break;
		}
		r = write_entry(page, &l->entries[i]);
	}
	if (r == 0)
		r = buf_append_str(page, STR("</table>\n"));
	if (r == 0 && l->cut)
		r = buf_append_str(page, STR("<p>There is more in this folder than this page "
					     "lists.</p>\n"));
	return r;
}

int edge_listing_make(int root_fd, const char *path, int dir_fd, unsigned folder_flags,
		      struct buf *page, struct err *e)
{
	AUTO(listing_done)
	struct listing l = {
		.root_fd = root_fd, .dir_fd = dir_fd, .path = path, .folder_flags = folder_flags};
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	int r;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return err_set_errno(e, ERR_FAILED, "read folder /%s", path);
	}
	r = read_entries(&l, dir);
	closedir(dir);
	page->max = EDGE_LISTING_BYTES_MAX;
	if (r == 0) {
		if (l.n > 0)
			qsort(l.entries, l.n, sizeof(l.entries[0]), compare);
		r = write_page(&l, page);
	}
	if (r < 0)
		return err_set(e, -r, "list folder /%s", path);
	return 0;
}
