#include "net/libcurl.h"

#include <assert.h>
#include <dirent.h>
#include <dlfcn.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "base/str.h"

#define TRIM_AFTER (2 * USEC_PER_S)

/* A descriptor of libcurl's. */
struct socket {
	struct libcurl *libcurl; /* borrowed */
	curl_socket_t fd;	 /* borrowed */
	struct watch *watch;	 /* owned */
	unsigned wanted;	 /* enum watch_event */
	struct list node;
};

struct libcurl {
	struct loop *loop;		       /* borrowed */
	const struct libcurl_handler *handler; /* borrowed */
	void *arg;

	struct job job;
	bool loading; /* the pool has it, until on_load_done */
	bool freed;   /* meanwhile */
	int r;
	struct err e;
	void *library;
	struct libcurl_api api;
	bool finds_certificates;

	CURLM *multi; /* owned; NULL: nothing under way and no connection kept */
	unsigned count;
	bool keeps;	    /* connections may be kept in it */
	struct timer timer; /* libcurl's */
	struct timer idle;  /* until kept connections are closed */
	struct timer trim;  /* until memory is given back */
	struct list sockets;
};

/* ── memory: whatever libcurl gives back may have been a request with a password in it ── */

static void wiping_free(void *p)
{
	if (p)
		secret_wipe(p, malloc_usable_size(p));
	free(p);
}

static void *wiping_realloc(void *p, size_t size)
{
	void *bigger;

	if (p && size && size <= malloc_usable_size(p))
		return p;
	bigger = malloc(size);
	if (bigger && p)
		memcpy(bigger, p, MIN(size, malloc_usable_size(p)));
	if (bigger)
		wiping_free(p);
	return bigger;
}

/* ── the library ── */

static int find_functions(struct libcurl *l, struct err *e)
{
	static const struct {
		const char *name;
		size_t offset;
	} functions[] = {
#define X(name) {"curl_" #name, offsetof(struct libcurl_api, name)},
		LIBCURL_FUNCTIONS(X)
#undef X
	};

	for (size_t i = 0; i < ARRAY_LEN(functions); i++) {
		void *function = dlsym(l->library, functions[i].name);

		if (!function)
			return err_set(e, ERR_FAILED, "libcurl.so.4 has no %s", functions[i].name);
		memcpy((char *)&l->api + functions[i].offset, &function, sizeof(function));
	}
	return 0;
}

/* "0a1b2c3d.0", as openssl-rehash(1) names the certificates. */
static bool is_hash_name(const char *name)
{
	int digits = 0;

	while (str_hex_digit(name[digits]) >= 0)
		digits++;
	return digits == 8 && strcmp(name + digits, ".0") == 0;
}

static bool has_hash_names(const char *path)
{
	DIR *directory = path ? opendir(path) : NULL;
	const struct dirent *entry;
	bool found = false;

	if (!directory)
		return false;
	while (!found && (entry = readdir(directory)))
		found = is_hash_name(entry->d_name);
	closedir(directory);
	return found;
}

static int load(struct libcurl *l, struct err *e)
{
	const curl_version_info_data *info;
	int r;

	/* Never unloaded: threads of its own may still wait for a name server. */
	l->library = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
	if (!l->library)
		return err_set(
			e, ERR_FAILED,
			"HTTP requests need libcurl.so.4 (Debian: apt-get install libcurl4): %s",
			dlerror());
	r = find_functions(l, e);
	if (r < 0)
		return r;
	info = l->api.version_info(CURLVERSION_NOW);
	if (info->version_num < LIBCURL_VERSION_LEAST || !(info->features & CURL_VERSION_ASYNCHDNS))
		return err_set(e, ERR_FAILED,
			       "libcurl %s is too old, or looks names up without a thread: 7.87 or "
			       "newer is needed",
			       info->version);
	if (l->api.global_init_mem(CURL_GLOBAL_DEFAULT, malloc, wiping_free, wiping_realloc, strdup,
				   calloc) != CURLE_OK)
		return err_set(e, ERR_FAILED, "libcurl cannot be used");
	l->finds_certificates = has_hash_names(info->capath);
	return 0;
}

static void on_load(struct job *job)
{
	struct libcurl *l = container_of(job, struct libcurl, job);

	l->r = load(l, &l->e);
}

static void on_load_done(struct job *job)
{
	struct libcurl *l = container_of(job, struct libcurl, job);

	l->loading = false;
	if (l->freed)
		libcurl_free(l);
	else
		l->handler->on_loaded(l->arg, l->r, &l->e);
}

/* ── what libcurl waits for ── */

static void libcurl_act(struct libcurl *l, curl_socket_t fd, int events);

static void on_ready(void *arg, unsigned events)
{
	struct socket *s = arg;

	watch_set(s->watch,
		  s->wanted); /* an error switches it off, and there may be more to read */
	libcurl_act(s->libcurl, s->fd,
		    (events & WATCH_READ ? CURL_CSELECT_IN : 0) |
			    (events & WATCH_WRITE ? CURL_CSELECT_OUT : 0));
}

static void socket_free(struct socket *s)
{
	if (!s)
		return;
	list_remove(&s->node);
	watch_free(s->watch);
	free(s);
}

static struct socket *socket_new(struct libcurl *l, curl_socket_t fd)
{
	struct socket *s = calloc(1, sizeof(*s));

	if (!s || watch_new(l->loop, fd, on_ready, s, &s->watch, NULL) < 0) {
		free(s);
		return NULL;
	}
	s->libcurl = l;
	s->fd = fd;
	list_push(&l->sockets, &s->node);
	l->api.multi_assign(l->multi, fd, s);
	return s;
}

/* CURLMOPT_SOCKETFUNCTION */
static int on_want(CURL *easy, curl_socket_t fd, int what, void *arg, void *assigned)
{
	struct libcurl *l = arg;
	struct socket *s = assigned;

	if (what == CURL_POLL_REMOVE) {
		socket_free(s);
		return 0;
	}
	if (!s)
		s = socket_new(l, fd);
	if (!s)
		return -1;
	s->wanted =
		(what & CURL_POLL_IN ? WATCH_READ : 0) | (what & CURL_POLL_OUT ? WATCH_WRITE : 0);
	watch_set(s->watch, s->wanted);
	return 0;
}

/* CURLMOPT_TIMERFUNCTION */
static int on_want_timer(CURLM *multi, long timeout_ms, void *arg)
{
	struct libcurl *l = arg;

	if (timeout_ms < 0)
		timer_stop(&l->timer);
	else
		timer_start(&l->timer, (usec_t)timeout_ms * USEC_PER_MS);
	return 0;
}

static void on_timer(void *arg)
{
	libcurl_act(arg, CURL_SOCKET_TIMEOUT, 0);
}

/* ── transfers ── */

static void on_trim(void *arg)
{
	const struct libcurl *l = arg;

	if (!l->multi)
		malloc_trim(0);
}

/* Nothing is under way for now. What a request needed is given back to the kernel, too: it may be the only
 * one of the day, and is 300 KiB or so of a process that has 2 MiB. */
static void close_multi(void *arg)
{
	struct libcurl *l = arg;

	timer_stop(&l->idle);
	if (l->multi) {
		l->api.multi_cleanup(l->multi);
		timer_start(&l->trim, TRIM_AFTER);
	}
	l->multi = NULL;
	l->keeps = false;
	timer_stop(&l->timer);
	while (!list_empty(&l->sockets))
		socket_free(list_entry(l->sockets.next, struct socket, node));
}

static int open_multi(struct libcurl *l, struct err *e)
{
	CURLM *multi = l->api.multi_init();

	if (!multi)
		return err_set(e, ERR_NOMEM, "libcurl");
	l->api.multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_want);
	l->api.multi_setopt(multi, CURLMOPT_SOCKETDATA, l);
	l->api.multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_want_timer);
	l->api.multi_setopt(multi, CURLMOPT_TIMERDATA, l);
	l->api.multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)LIBCURL_KEPT_MAX);
	l->multi = multi;
	return 0;
}

int libcurl_add(struct libcurl *l, CURL *easy, bool keep, struct err *e)
{
	int r = l->multi ? 0 : open_multi(l, e);

	if (r < 0)
		return r;
	if (l->api.multi_add_handle(l->multi, easy) != CURLM_OK) {
		if (l->count == 0)
			close_multi(l);
		return err_set(e, ERR_NOMEM, "libcurl");
	}
	l->count++;
	l->keeps |= keep;
	timer_stop(&l->idle);
	return 0;
}

void libcurl_remove(struct libcurl *l, CURL *easy)
{
	l->api.multi_remove_handle(l->multi, easy);
	if (--l->count > 0)
		return;
	if (l->keeps)
		timer_start(&l->idle, LIBCURL_IDLE);
	else
		close_multi(l);
}

static void libcurl_act(struct libcurl *l, curl_socket_t fd, int events)
{
	CURLMsg *message;
	int n;

	if (l->api.multi_socket_action(l->multi, fd, events, &n) != CURLM_OK) {
		l->handler->on_over(l->arg, NULL, CURLE_OUT_OF_MEMORY);
		return;
	}
	while (l->multi && (message = l->api.multi_info_read(l->multi, &n))) {
		CURL *easy = message->easy_handle;
		CURLcode result = message->data.result;

		if (message->msg != CURLMSG_DONE)
			continue;
		libcurl_remove(l, easy);
		l->handler->on_over(l->arg, easy, result);
	}
}

int libcurl_new(struct loop *loop, const struct libcurl_handler *handler, void *arg,
		struct libcurl **ret_libcurl, struct err *e)
{
	struct libcurl *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return err_set(e, ERR_NOMEM, "libcurl");
	l->loop = loop;
	l->handler = handler;
	l->arg = arg;
	list_init(&l->sockets);
	timer_init(&l->timer, loop, on_timer, l);
	timer_init(&l->idle, loop, close_multi, l);
	timer_init(&l->trim, loop, on_trim, l);
	r = job_start(&l->job, loop, on_load, on_load_done, e);
	if (r < 0) {
		free(l);
		return r;
	}
	l->loading = true;
	*ret_libcurl = l;
	return 0;
}

void libcurl_free(struct libcurl *l)
{
	if (!l)
		return;
	if (l->loading) {
		l->freed = true; /* on_load_done comes back */
		return;
	}
	assert(l->count == 0);
	close_multi(l);
	timer_stop(&l->trim);
	if (l->library)
		dlclose(l->library);
	free(l);
}

const struct libcurl_api *libcurl_api(const struct libcurl *l)
{
	return &l->api;
}

bool libcurl_finds_certificates(const struct libcurl *l)
{
	return l->finds_certificates;
}
