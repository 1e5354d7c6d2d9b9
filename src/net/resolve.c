#include "net/resolve.h"

#include <errno.h>
#include <netdb.h>
#include <string.h>

struct resolve {
	struct job job;
	struct defer known; /* the answer needs no looking up */
	char *host;	    /* owned */
	uint16_t port;
	bool looking; /* the pool has it, until resolve_on_job_done */
	bool cancelled;
	int r;
	struct err e;
	struct ipaddr addrs[RESOLVE_ADDRS_MAX];
	size_t n;
	void (*done)(void *arg, int r, const struct ipaddr *addrs, size_t n, const struct err *e);
	void *arg;
};

static void resolve_free(struct resolve *r)
{
	free(r->host);
	free(r);
}

static void resolve_finish(void *arg)
{
	struct resolve *r = arg;

	if (!r->cancelled)
		r->done(r->arg, r->r, r->addrs, r->n, &r->e);
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

/* ── looking up, on the thread pool ── */

static int resolve_error(struct resolve *r, int error)
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

static void resolve_on_job(struct job *job)
{
	struct resolve *r = container_of(job, struct resolve, job);
	struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
	struct addrinfo *list;
	int error = getaddrinfo(r->host, NULL, &hints, &list);

	if (error) {
		r->r = resolve_error(r, error);
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
		r->r = resolve_error(r, EAI_NODATA);
	alternate_families(r->addrs, r->n);
}

static void resolve_on_job_done(struct job *job)
{
	resolve_finish(container_of(job, struct resolve, job));
}

/* ── what needs no looking up ── */

/* An address literal, or this machine by name: "localhost" and names under it never ask the DNS
 * (RFC 6761 §6.3). */
static bool resolve_known(struct resolve *r)
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

int resolve_start(struct loop *loop, const char *host, uint16_t port,
		  void (*done)(void *arg, int r, const struct ipaddr *addrs, size_t n,
			       const struct err *e),
		  void *arg, struct resolve **ret_resolve, struct err *e)
{
	struct resolve *r = calloc(1, sizeof(*r));
	int started;

	if (r)
		r->host = str_dup(str_of(host));
	if (!r || !r->host) {
		free(r);
		return err_set(e, ERR_NOMEM, "%s: name lookup", host);
	}
	r->port = port;
	r->done = done;
	r->arg = arg;
	if (resolve_known(r)) {
		defer_init(&r->known, loop, resolve_finish, r);
		defer_call(&r->known);
	} else {
		r->looking = true;
		started = job_start(&r->job, loop, resolve_on_job, resolve_on_job_done, e);
		if (started < 0) {
			resolve_free(r);
			return started;
		}
	}
	*ret_resolve = r;
	return 0;
}

void resolve_cancel(struct resolve *r)
{
	if (!r)
		return;
	r->cancelled = true;
	if (r->looking)
		return; /* resolve_on_job_done frees it */
	defer_cancel(&r->known);
	resolve_free(r);
}
