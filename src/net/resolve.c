#include "net/resolve.h"

#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* What the thread needs; the last of the two who hold it frees it. */
struct lookup {
	unsigned held; /* atomic */
	int done_fd;   /* owned: an eventfd; -1: no thread */
	char *host;    /* owned */
	uint16_t port;
	int r;
	struct err e;
	struct ipaddr addrs[RESOLVE_ADDRS_MAX];
	size_t n;
};

/*
 *	KNOWN ──▶ done			the answer needs no looking up
 *	WAITING ──▶ LOOKING ──▶ done	with a thread
 */
enum resolve_state { RESOLVE_KNOWN, RESOLVE_WAITING, RESOLVE_LOOKING };

struct resolve {
	struct list node;  /* WAITING, LOOKING: in the loop's */
	struct loop *loop; /* borrowed */
	enum resolve_state state;
	struct lookup *lookup; /* held */
	struct watch *watch;   /* owned; LOOKING */
	struct defer known;
	bool cancelled; /* LOOKING */
	void (*done)(void *arg, int r, const struct ipaddr *addrs, size_t n, const struct err *e);
	void *arg;
};

static void lookup_release(struct lookup *lookup)
{
	if (__atomic_sub_fetch(&lookup->held, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	if (lookup->done_fd >= 0)
		close(lookup->done_fd);
	free(lookup->host);
	free(lookup);
}

static void resolve_free(struct resolve *r)
{
	watch_free(r->watch);
	list_remove(&r->node);
	defer_cancel(&r->known);
	lookup_release(r->lookup);
	free(r);
}

static void resolve_finish(void *arg)
{
	struct resolve *r = arg;
	struct lookup *lookup = r->lookup;

	if (!r->cancelled)
		r->done(r->arg, lookup->r, lookup->addrs, lookup->n, &lookup->e);
	resolve_free(r);
}

/* The kernel's resolver orders by RFC 6724; a family that does not work must not keep the other
 * one waiting behind all its addresses (RFC 8305 §4). */
static void alternate_families(struct ipaddr *addrs, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		size_t j = i;
		struct ipaddr other;

		while (j < n && addrs[j].family == addrs[i - 1].family)
			j++;
		if (j == n)
			return;
		other = addrs[j];
		memmove(&addrs[i + 1], &addrs[i], (j - i) * sizeof(other));
		addrs[i] = other;
	}
}

/* ── looking up, on the thread ── */

static int lookup_error(struct lookup *r, int error)
{
	switch (error) {
	case EAI_NONAME:
		return err_set(&r->e, ERR_NOT_FOUND,
			       "%s: no such name (is it spelled right, is it in the DNS?)",
			       r->host);
	case EAI_NODATA:
	case EAI_ADDRFAMILY:
		return err_set(&r->e, ERR_NOT_FOUND, "%s: the name has no address", r->host);
	case EAI_AGAIN:
		return err_set(&r->e, ERR_AGAIN,
			       "%s: no answer from a name server (is this machine online?)",
			       r->host);
	case EAI_MEMORY:
		return err_set(&r->e, ERR_NOMEM, "%s: name lookup", r->host);
	case EAI_SYSTEM:
		return err_set_errno(&r->e, ERR_FAILED, "%s: name lookup", r->host);
	default:
		return err_set(&r->e, ERR_FAILED, "%s: name lookup: %s", r->host,
			       gai_strerror(error));
	}
}

static void look_up(struct lookup *r)
{
	struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
	struct addrinfo *list;
	int error = getaddrinfo(r->host, NULL, &hints, &list);

	if (error) {
		r->r = lookup_error(r, error);
		return;
	}
	for (struct addrinfo *a = list; a && r->n < RESOLVE_ADDRS_MAX; a = a->ai_next) {
		struct ipaddr *addr = &r->addrs[r->n];

		ipaddr_from_sockaddr(addr, a->ai_addr);
		addr->port = r->port;
		if (addr->family)
			r->n++;
	}
	freeaddrinfo(list);
	if (r->n == 0)
		r->r = lookup_error(r, EAI_NODATA);
	alternate_families(r->addrs, r->n);
}

static void *run(void *arg)
{
	struct lookup *lookup = arg;

	look_up(lookup);
	if (eventfd_write(lookup->done_fd, 1) < 0)
		abort(); /* cannot be: the counter was 0 */
	lookup_release(lookup);
	return NULL;
}

/* ── the loop's part ── */

static void start_waiting(struct resolves *all);

static void on_looked_up(void *arg, unsigned events)
{
	struct resolve *r = arg;
	struct resolves *all = loop_resolves(r->loop);

	all->running--;
	list_remove(&r->node);
	start_waiting(all);
	resolve_finish(r);
}

static int start_thread(struct lookup *lookup, struct err *e)
{
	sigset_t every, before;
	pthread_t thread;
	int error;

	sigfillset(&every);
	pthread_sigmask(SIG_SETMASK, &every, &before); /* signals are the loop's */
	__atomic_add_fetch(&lookup->held, 1, __ATOMIC_RELAXED);
	error = pthread_create(&thread, NULL, run, lookup);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (error) {
		lookup_release(lookup);
		return err_set(e, ERR_FAILED, "%s: name lookup: no thread: %s", lookup->host,
			       strerror(error));
	}
	pthread_detach(thread);
	return 0;
}

static int start_looking(struct resolve *r, struct err *e)
{
	struct resolves *all = loop_resolves(r->loop);
	struct lookup *lookup = r->lookup;
	int error;

	lookup->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (lookup->done_fd < 0)
		return err_set_errno(e, ERR_FAILED, "%s: name lookup", lookup->host);
	error = watch_new(r->loop, lookup->done_fd, on_looked_up, r, &r->watch, e);
	if (error == 0)
		error = start_thread(lookup, e);
	if (error < 0)
		return error;
	watch_set(r->watch, WATCH_READ);
	r->state = RESOLVE_LOOKING;
	all->running++;
	list_push(&all->looking, &r->node);
	return 0;
}

/* One that cannot be started has its answer: at the end of the turn, as all others. */
static void start_waiting(struct resolves *all)
{
	while (all->running < RESOLVE_THREADS_MAX && !list_empty(&all->waiting)) {
		struct resolve *r = list_entry(all->waiting.next, struct resolve, node);
		struct err e = {0};
		int error;

		list_remove(&r->node);
		error = start_looking(r, &e);
		if (error == 0)
			continue; /* the lookup is the thread's now */
		r->lookup->r = error;
		r->lookup->e = e;
		r->state = RESOLVE_KNOWN;
		defer_call(&r->known);
	}
}

void resolves_init(struct resolves *all)
{
	*all = (struct resolves){0};
	list_init(&all->looking);
	list_init(&all->waiting);
}

static void free_all(struct list *list)
{
	while (!list_empty(list))
		resolve_free(list_entry(list->next, struct resolve, node));
}

void resolves_done(struct resolves *all)
{
	free_all(&all->looking);
	free_all(&all->waiting);
}

/* ── what needs no looking up ── */

/* An address literal, or this machine by name: "localhost" and names under it never ask the DNS
 * (RFC 6761 §6.3). */
static bool is_known(struct lookup *r)
{
	static const char *const loopback[] = {"127.0.0.1", "::1"};
	struct str host = str_of(r->host);

	if (ipaddr_parse(host, &r->addrs[0]) == 0) {
		r->addrs[0].port = r->port;
		r->n = 1;
		return true;
	}
	if (!str_eq_nocase(host, STR("localhost")) && !str_ends_nocase(host, STR(".localhost")))
		return false;
	for (r->n = 0; r->n < ARRAY_LEN(loopback); r->n++) {
		if (ipaddr_parse(str_of(loopback[r->n]), &r->addrs[r->n]) < 0)
			return false;
		r->addrs[r->n].port = r->port;
	}
	return true;
}

static struct resolve *resolve_new(struct loop *loop, const char *host, uint16_t port)
{
	struct resolve *r = calloc(1, sizeof(*r));
	struct lookup *lookup = calloc(1, sizeof(*lookup));

	if (lookup)
		lookup->host = str_dup(str_of(host));
	if (!r || !lookup || !lookup->host) {
		if (lookup)
			free(lookup->host);
		free(lookup);
		free(r);
		return NULL;
	}
	lookup->held = 1;
	lookup->done_fd = -1;
	lookup->port = port;
	list_init(&r->node);
	r->loop = loop;
	r->lookup = lookup;
	defer_init(&r->known, loop, resolve_finish, r);
	return r;
}

int resolve_start(struct loop *loop, const char *host, uint16_t port,
		  void (*done)(void *arg, int r, const struct ipaddr *addrs, size_t n,
			       const struct err *e),
		  void *arg, struct resolve **ret_resolve, struct err *e)
{
	struct resolves *all = loop_resolves(loop);
	struct resolve *r = resolve_new(loop, host, port);
	int started = 0;

	if (!r)
		return err_set(e, ERR_NOMEM, "%s: name lookup", host);
	r->done = done;
	r->arg = arg;
	if (is_known(r->lookup)) {
		defer_call(&r->known);
	} else if (all->running < RESOLVE_THREADS_MAX) {
		started = start_looking(r, e);
	} else {
		r->state = RESOLVE_WAITING;
		list_push(&all->waiting, &r->node);
	}
	if (started < 0) {
		resolve_free(r);
		return started;
	}
	*ret_resolve = r;
	return 0;
}

void resolve_cancel(struct resolve *r)
{
	if (!r)
		return;
	r->cancelled = true;
	if (r->state != RESOLVE_LOOKING) /* else its thread counts until it is through */
		resolve_free(r);
}
