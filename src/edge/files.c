/*
 *            open job               page cache              sent
 *  OPENING ───────────▶ SENDING ◀──────────────▶ (itself) ────────▶ OVER
 *     │ 304, 404, page     │  ▲ read job done                       ▲
 *     │                    ▼  │                                     │
 *     │                  READING ── file shorter than promised ─────┤ (cut)
 *     └─────────────────────────────────────────────────────────────┘
 *
 * While a job runs the request belongs to it: when the visitor leaves, the request is orphaned and
 * goes when the job is done.
 */
#include "edge/files.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "base/htable.h"
#include "edge/filepath.h"
#include "edge/folder.h"
#include "edge/listing.h"
#include "http/date.h"
#include "http/mime.h"
#include "http/page.h"
#include "http/range.h"
#include "net/fdlimit.h"

#define PIECES_PER_TURN 8

struct edge_files {
	struct loop *loop; /* borrowed */
	struct lane lane;  /* of all jobs of this folder */
	char *path;	   /* owned */
	unsigned refs;	   /* the service's, and one a request */
	unsigned folder_flags;
	bool uncached;
};

enum files_state { FILES_OPENING, FILES_SENDING, FILES_READING, FILES_OVER };

/* What the open job found. */
enum found { FOUND_NOTHING, FOUND_FILE, FOUND_LISTING, FOUND_FOLDER_WITHOUT_SLASH };

struct edge_files_request {
	struct edge_files *files; /* a reference */
	struct http_exchange *x;  /* borrowed; NULL: orphaned */
	enum files_state state;
	struct lane_job job;
	struct defer more; /* after PIECES_PER_TURN */
	/* what is sent */
	int fd; /* owned; -1: none */
	uint64_t at, left;
	bool cacheless;	 /* this file system cannot say what is cached */
	struct buf page; /* the listing, or what a read job brought */
	/* of the open job: its input and its result; the loop stays away while it runs */
	struct edge_filepath *path; /* owned; goes when the answer begins */
	enum found found;
	struct stat st;
	int error; /* 0, or -ERR_* */
	bool root_gone;
	struct err err; /* also the note */
};

/* ── life ── */

struct edge_files *edge_files_new(struct loop *loop, const char *path)
{
	struct edge_files *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->path = strdup(path);
	if (!f->path) {
		free(f);
		return NULL;
	}
	f->loop = loop;
	lane_init(&f->lane, loop);
	f->refs = 1;
	return f;
}

struct edge_files *edge_files_ref(struct edge_files *f)
{
	f->refs++;
	return f;
}

struct lane *edge_files_lane(struct edge_files *f)
{
	return &f->lane;
}

void edge_files_unref(struct edge_files *f)
{
	if (!f || --f->refs > 0)
		return;
	free(f->path);
	free(f);
}

void edge_files_set_walk(struct edge_files *f, bool walk)
{
	f->folder_flags = walk ? EDGE_FOLDER_WALK : 0;
}

void edge_files_set_uncached(struct edge_files *f, bool uncached)
{
	f->uncached = uncached;
}

static void request_free(struct edge_files_request *r)
{
	defer_cancel(&r->more);
	closep(&r->fd);
	buf_done(&r->page);
	free(r->path);
	edge_files_unref(r->files);
	free(r);
}

static bool job_runs(const struct edge_files_request *r)
{
	return r->state == FILES_OPENING || r->state == FILES_READING;
}

void edge_files_end(struct edge_files_request *r)
{
	if (!r)
		return;
	r->x = NULL;
	defer_cancel(&r->more);
	if (!job_runs(r) || lane_cancel(&r->job))
		request_free(r);
}

const char *edge_files_note(const struct edge_files_request *r)
{
	return !job_runs(r) && r->err.code ? r->err.text : NULL;
}

static void cut(struct edge_files_request *r)
{
	r->state = FILES_OVER;
	http_exchange_abort(r->x);
}

/* ── on the pool: opening ── */

static int take_file(struct edge_files_request *r, int fd)
{
	int err = 0;

	if (fstat(fd, &r->st) < 0)
		err = err_set_errno(&r->err, ERR_FAILED, "stat");
	else if (!S_ISREG(r->st.st_mode))
		err = err_set(&r->err, ERR_NOT_FOUND, "not a file");
	if (err < 0) {
		close(fd);
		return err;
	}
	r->fd = fd;
	r->found = FOUND_FILE;
	return 0;
}

/* index.html in the folder `dir`, if it is a file. */
static int open_index(struct edge_files_request *r, int root)
{
	char path[EDGE_FILEPATH_MAX + 16];
	int fd, err;

	snprintf(path, sizeof(path), "%s%sindex.html", r->path->text, r->path->len ? "/" : "");
	err = edge_folder_open(root, path, r->files->folder_flags, &fd, &r->err);
	return err < 0 ? err : take_file(r, fd);
}

static int open_folder(struct edge_files_request *r, int root)
{
	AUTO(closep) int dir = -1;
	unsigned flags = r->files->folder_flags;
	int err = edge_folder_open(root, r->path->text, flags | EDGE_FOLDER_ONLY, &dir, &r->err);

	if (err < 0)
		return err;
	err = open_index(r, root);
	if (err != -ERR_NOT_FOUND)
		return err;
	err = edge_listing_make(root, r->path->text, dir, flags, &r->page, &r->err);
	if (err == 0)
		r->found = FOUND_LISTING;
	return err;
}

static int open_file(struct edge_files_request *r, int root)
{
	int fd, err = edge_folder_open(root, r->path->text, r->files->folder_flags, &fd, &r->err);

	if (err < 0)
		return err;
	err = take_file(r, fd);
	if (err == -ERR_NOT_FOUND && S_ISDIR(r->st.st_mode)) {
		r->found = FOUND_FOLDER_WITHOUT_SLASH;
		err = 0;
	}
	return err;
}

static void work_open(struct lane_job *job)
{
	struct edge_files_request *r = container_of(job, struct edge_files_request, job);
	AUTO(closep) int root = -1;

	r->error = edge_folder_root(r->files->path, &root, &r->err);
	r->root_gone = r->error == -ERR_NOT_FOUND;
	if (r->error == 0 && fdlimit_reserved(root))
		r->error = err_set(&r->err, ERR_LIMIT, "too many open files for another visitor");
	if (r->error == 0)
		r->error = r->path->folder ? open_folder(r, root) : open_file(r, root);
}

/* ── sending ── */

/* Never wait for what is not there. */
static int became_shorter(struct edge_files_request *r)
{
	return err_set(&r->err, ERR_FAILED, "the file became shorter while it was sent");
}

static void work_read(struct lane_job *job)
{
	struct edge_files_request *r = container_of(job, struct edge_files_request, job);
	size_t want = (size_t)MIN(r->left, HTTP_WRITE_MAX);
	uint8_t *to = buf_reserve(&r->page, want);
	ssize_t n = -1;

	errno = ENOMEM;
	if (to)
		n = pread(r->fd, to, want, (off_t)r->at);
	if (n > 0)
		buf_commit(&r->page, (size_t)n);
	else if (n == 0)
		r->error = became_shorter(r);
	else
		r->error = err_set_errno(&r->err, ERR_FAILED, "read");
}

static void send_some(struct edge_files_request *r);

static void on_read(struct lane_job *job)
{
	struct edge_files_request *r = container_of(job, struct edge_files_request, job);

	r->state = FILES_SENDING;
	if (job->lost)
		r->error = err_set(&r->err, ERR_NOMEM, "background job");
	if (!r->x)
		request_free(r);
	else if (r->error < 0)
		cut(r);
	else
		send_some(r);
}

static void start_read(struct edge_files_request *r)
{
	r->state = FILES_READING;
	buf_release_if_empty(&r->page);
	buf_init(&r->page, HTTP_WRITE_MAX);
	if (lane_start(&r->files->lane, &r->job, work_read, on_read, true, &r->err) < 0)
		cut(r);
}

/* What a job brought, or what the page cache has. > 0: bytes in *ret; 0: the file ends here;
 * -ERR_AGAIN: a job must read. */
static ssize_t next_piece(struct edge_files_request *r, uint8_t **ret)
{
	size_t want = (size_t)MIN(r->left, HTTP_WRITE_MAX);
	struct iovec vec;
	ssize_t n;

	if (buf_len(&r->page) > 0) {
		*ret = buf_head(&r->page);
		return (ssize_t)MIN(want, buf_len(&r->page));
	}
	if (r->cacheless || r->files->uncached)
		return -ERR_AGAIN;
	*ret = loop_scratch(r->files->loop, LOOP_SCRATCH_COPY);
	vec = (struct iovec){*ret, want};
	n = preadv2(r->fd, &vec, 1, (off_t)r->at, RWF_NOWAIT);
	if (n >= 0)
		return n;
	r->cacheless = errno != EAGAIN;
	return -ERR_AGAIN;
}

static void send_piece(struct edge_files_request *r, const uint8_t *bytes, size_t n)
{
	http_exchange_write(r->x, bytes, n);
	r->at += n;
	r->left -= n;
	if (buf_len(&r->page) > 0) {
		buf_consume(&r->page, n);
		buf_release_if_empty(&r->page);
	}
}

static void finish(struct edge_files_request *r)
{
	r->state = FILES_OVER;
	http_exchange_finish(r->x);
}

static void send_some(struct edge_files_request *r)
{
	for (int pieces = 0; r->left > 0 && http_exchange_can_write(r->x); pieces++) {
		uint8_t *bytes;
		ssize_t n;

		if (pieces == PIECES_PER_TURN) {
			defer_call(&r->more);
			return;
		}
		n = next_piece(r, &bytes);
		if (n == -ERR_AGAIN && r->fd >= 0) {
			start_read(r);
			return;
		}
		if (n <= 0) {
			became_shorter(r);
			cut(r);
			return;
		}
		send_piece(r, bytes, (size_t)n);
	}
	if (r->left == 0)
		finish(r);
}

static void on_more(void *arg)
{
	edge_files_ready(arg);
}

void edge_files_ready(struct edge_files_request *r)
{
	if (r->x && r->state == FILES_SENDING)
		send_some(r);
}

/* ── the answer ── */

static void answer_page(struct edge_files_request *r, unsigned status, const char *sentence)
{
	http_page_respond(r->x, status, NULL, sentence);
	r->state = FILES_OVER;
}

static void answer_error(struct edge_files_request *r)
{
	if (r->root_gone) {
		answer_page(r, 503, "The folder behind this name is not there at the moment.");
		return;
	}
	switch (-r->error) {
	case ERR_NOT_FOUND:
		r->err.code = 0; /* not our trouble */
		answer_page(r, 404, "There is no such page here.");
		break;
	case ERR_DENIED:
		answer_page(r, 403, "This page may not be read.");
		break;
	case ERR_LIMIT:
		answer_page(r, 503, "Too much is going on here at the moment.");
		break;
	default:
		answer_page(r, 500, "This page cannot be read at the moment.");
		break;
	}
}

static struct str last_segment(const struct edge_files_request *r)
{
	struct str name = str_of(r->path->text);

	while (str_find(name, '/') >= 0)
		str_split(&name, '/');
	return name;
}

/* "./name/": relative, so that it holds behind any port and name, and can name no other host. */
static void answer_redirect(struct edge_files_request *r)
{
	AUTO(http_fields_donep) struct http_fields fields = {0};
	AUTO(buf_donep) struct buf to = {.max = HTTPHEAD_MAX + 3 * EDGE_FILEPATH_MAX};
	struct str rest = http_exchange_head(r->x)->path;

	str_split(&rest, '?');
	if (buf_append_str(&to, STR("./")) < 0 || edge_filepath_encode(&to, last_segment(r)) < 0 ||
	    buf_append_str(&to, STR("/")) < 0 ||
	    (rest.len > 0 && buf_append_str(&to, STR("?")) < 0) || buf_append_str(&to, rest) < 0)
		fields.failed = true;
	else
		http_fields_add(&fields, STR("Location"), buf_str(&to));
	http_page_respond(r->x, 301, &fields, "This is a folder: its address ends in a slash.");
	r->state = FILES_OVER;
}

static void answer_listing(struct edge_files_request *r)
{
	AUTO(http_fields_donep) struct http_fields fields = {0};

	http_fields_add(&fields, STR("Content-Type"), STR("text/html; charset=utf-8"));
	http_fields_add(&fields, STR("X-Content-Type-Options"), STR("nosniff"));
	http_fields_add(&fields, STR("Cache-Control"), STR("no-cache"));
	r->left = buf_len(&r->page);
	http_exchange_respond(r->x, 200, &fields, r->left);
	r->state = FILES_SENDING;
	send_some(r);
}

/* Strong: it changes with whatever changes the bytes. */
static void format_etag(char text[static 32], const struct stat *st)
{
	uint64_t key[] = {st->st_dev, st->st_ino, (uint64_t)st->st_size,
			  (uint64_t)st->st_mtim.tv_sec, (uint64_t)st->st_mtim.tv_nsec};

	snprintf(text, 32, "\"%016" PRIx64 "\"", htable_hash(key, sizeof(key), 1));
}

static struct str last_name(const struct edge_files_request *r)
{
	return r->path->folder ? STR("index.html") : last_segment(r);
}

/* A part, the whole, or that there is no such part. Yields the status. */
static unsigned choose_range(struct edge_files_request *r, const struct http_validators *v,
			     struct http_fields *fields)
{
	uint64_t size = (uint64_t)r->st.st_size, first, last;

	r->left = size;
	switch (http_range(http_exchange_head(r->x), v, size, &first, &last)) {
	case HTTP_RANGE_WHOLE:
		break;
	case HTTP_RANGE_PART:
		r->at = first;
		r->left = last - first + 1;
		http_fields_printf(fields, "Content-Range",
				   "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64, first, last, size);
		return 206;
	case HTTP_RANGE_UNSATISFIABLE:
		http_fields_printf(fields, "Content-Range", "bytes */%" PRIu64, size);
		return 416;
	}
	return 200;
}

static void send_file(struct edge_files_request *r, const struct http_validators *v,
		      struct http_fields *fields)
{
	unsigned status = choose_range(r, v, fields);

	if (status == 416) {
		http_page_respond(r->x, 416, fields, "The file has no such part.");
		r->state = FILES_OVER;
		return;
	}
	http_fields_add(fields, STR("Content-Type"), str_of(http_mime(last_name(r))));
	http_fields_add(fields, STR("X-Content-Type-Options"), STR("nosniff"));
	http_fields_add(fields, STR("Accept-Ranges"), STR("bytes"));
	http_exchange_respond(r->x, status, fields, r->left);
	if (str_eq(http_exchange_head(r->x)->method, STR("HEAD"))) {
		http_exchange_finish(r->x);
		return;
	}
	r->state = FILES_SENDING;
	send_some(r);
}

static void answer_file(struct edge_files_request *r)
{
	AUTO(http_fields_donep) struct http_fields fields = {0};
	char etag[32], date[HTTP_DATE_MAX];
	struct http_validators v;

	format_etag(etag, &r->st);
	v = (struct http_validators){
		.etag = str_of(etag),
		.modified_s = r->st.st_mtim.tv_sec,
		.now_s = (int64_t)(r->x->started_wall / USEC_PER_S),
	};
	http_fields_add(&fields, STR("ETag"), v.etag);
	http_fields_add(&fields, STR("Last-Modified"),
			str_of(http_date_format(date, v.modified_s)));
	r->state = FILES_OVER;
	switch (http_precondition(http_exchange_head(r->x), &v)) {
	case HTTP_SEND:
		send_file(r, &v, &fields);
		break;
	case HTTP_NOT_MODIFIED:
		http_exchange_respond(r->x, 304, &fields, HTTP_LENGTH_UNKNOWN);
		http_exchange_finish(r->x);
		break;
	case HTTP_PRECONDITION_FAILED:
		answer_page(r, 412, "The page has changed.");
		break;
	}
}

static void on_open(struct lane_job *job)
{
	struct edge_files_request *r = container_of(job, struct edge_files_request, job);

	r->state = FILES_OVER;
	if (job->lost)
		r->error = err_set(&r->err, ERR_LIMIT, "out of memory");
	if (!r->x) {
		request_free(r);
		return;
	}
	if (r->error < 0) {
		answer_error(r);
		return;
	}
	r->err.code = 0;
	switch (r->found) {
	case FOUND_FILE:
		answer_file(r);
		break;
	case FOUND_LISTING:
		answer_listing(r);
		break;
	case FOUND_FOLDER_WITHOUT_SLASH:
		answer_redirect(r);
		break;
	case FOUND_NOTHING:
		break;
	}
	free(TAKE(r->path));
}

/* ── the request ── */

/* What needs no disk: methods and bad paths. True when it was answered. */
static bool answer_at_once(struct http_exchange *x, struct edge_filepath *path)
{
	AUTO(http_fields_donep) struct http_fields fields = {0};
	const struct httphead *head = http_exchange_head(x);
	int r;

	if (str_eq(head->method, STR("OPTIONS"))) {
		http_fields_add(&fields, STR("Allow"), STR("GET, HEAD, OPTIONS"));
		http_exchange_respond(x, 204, &fields, 0);
		http_exchange_finish(x);
		return true;
	}
	if (!str_eq(head->method, STR("GET")) && !str_eq(head->method, STR("HEAD"))) {
		http_fields_add(&fields, STR("Allow"), STR("GET, HEAD, OPTIONS"));
		http_page_respond(x, 405, &fields,
				  "This is a folder of files: it can only be read.");
		return true;
	}
	r = edge_filepath_decode(head->path, path, NULL);
	if (r == -ERR_INVALID)
		http_page_respond(x, 400, NULL, "This address is not well-formed.");
	else if (r < 0)
		http_page_respond(x, 404, NULL, "There is no such page here.");
	return r < 0;
}

int edge_files_start(struct edge_files *f, struct http_exchange *x,
		     struct edge_files_request **ret_request, struct err *e)
{
	AUTO(freep) struct edge_filepath *path = malloc(sizeof(*path));
	struct edge_files_request *r;
	int err;

	*ret_request = NULL;
	if (!path)
		return err_set(e, ERR_NOMEM, "request");
	if (answer_at_once(x, path))
		return 0;
	r = calloc(1, sizeof(*r));
	if (!r)
		return err_set(e, ERR_NOMEM, "request");
	r->files = edge_files_ref(f);
	r->x = x;
	r->fd = -1;
	r->path = TAKE(path);
	defer_init(&r->more, f->loop, on_more, r);
	err = lane_start(&f->lane, &r->job, work_open, on_open, false, e);
	if (err < 0) {
		request_free(r);
		return err;
	}
	*ret_request = r;
	return 0;
}

int edge_files_check(const char *path, struct err *e)
{
	AUTO(closep) int fd = -1;

	return edge_folder_root(path, &fd, e);
}
