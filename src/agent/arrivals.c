#include "agent/arrivals.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "agent/visit.h"
#include "base/log.h"
#include "net/fdlimit.h"

struct arrivals {
	struct loop *loop;		/* borrowed */
	struct origin *origin;		/* borrowed */
	uid_t agent;			/* besides root and ourselves */
	struct sock_listener *listener; /* owned */
	struct sock_addr at;
	char folder[32];      /* a folder of ours to remove; empty: none */
	struct list arriving; /* owned */
	unsigned n;
};

struct arrival {
	struct list node;
	struct arrivals *arrivals; /* borrowed */
	struct stream *stream;	   /* owned; NULL: passed on */
	struct timer timeout;
	size_t len;
	char line[VISIT_LINE_MAX];
};

static void arrival_free(struct arrival *a)
{
	timer_stop(&a->timeout);
	stream_reset(a->stream);
	list_remove(&a->node);
	a->arrivals->n--;
	free(a);
}

static void arrival_on_timeout(void *arg)
{
	arrival_free(arg);
}

/* `line` without its '\n'; what follows it was given back to the stream. */
static int serve(struct arrival *a, struct str line, struct err *e)
{
	struct edge_service *edge = origin_edge(a->arrivals->origin);
	struct edge_visitor visitor;
	struct forwarded who;
	int r = forwarded_parse(line, &who, e);

	if (r < 0)
		return r;
	if (!edge)
		return err_set(e, ERR_REFUSED, "%s", origin_why(a->arrivals->origin));
	visit_describe(&who, &visitor);
	edge_serve(edge, &visitor, TAKE(a->stream));
	return 0;
}

/* 0: the line is not complete; 1: served. */
static int arrival_read(struct arrival *a, struct err *e)
{
	size_t room = sizeof(a->line) - a->len;
	ssize_t n = stream_read(a->stream, a->line + a->len, room, e);
	ptrdiff_t end;
	int r;

	if (n == -ERR_AGAIN)
		return 0;
	if (n <= 0)
		return n < 0 ? (int)n : err_set(e, ERR_RESET, "closed");
	a->len += (size_t)n;
	end = str_find(str_n(a->line, a->len), '\n');
	if (end < 0)
		return a->len < sizeof(a->line) ? 0 : err_set(e, ERR_LIMIT, "a line too long");
	r = 0;
	if (a->len > (size_t)end + 1)
		r = stream_unread(a->stream, a->line + end + 1, a->len - (size_t)end - 1);
	if (r == 0)
		r = serve(a, str_n(a->line, (size_t)end), e);
	return r < 0 ? r : 1;
}

static void arrival_on_ready(void *arg, unsigned events)
{
	struct arrival *a = arg;
	struct err e = {0};
	int r;

	if (!(events & STREAM_READABLE))
		return;
	r = arrival_read(a, &e);
	if (r < 0)
		log_debug("a visitor from the agent is not served: %s", e.text);
	if (r != 0)
		arrival_free(a);
}

static bool allowed(const struct arrivals *arrivals, int fd)
{
	struct ucred peer;

	if (!sock_peer(fd, &peer))
		return false;
	return peer.uid == 0 || peer.uid == geteuid() || peer.uid == arrivals->agent;
}

static void on_accept(void *arg, int fd, const struct ipaddr *peer)
{
	struct arrivals *arrivals = arg;
	struct arrival *a = NULL;

	if (allowed(arrivals, fd) && arrivals->n < ARRIVALS_MAX && !fdlimit_reserved(fd))
		a = calloc(1, sizeof(*a));
	if (!a) {
		close(fd);
		return;
	}
	a->arrivals = arrivals;
	list_push(&arrivals->arriving, &a->node);
	arrivals->n++;
	timer_init(&a->timeout, arrivals->loop, arrival_on_timeout, a);
	if (sock_stream_new(arrivals->loop, fd, &a->stream, NULL) < 0) {
		arrival_free(a);
		return;
	}
	stream_set_handler(a->stream, arrival_on_ready, a);
	timer_start(&a->timeout, ARRIVAL_TIMEOUT);
	arrival_on_ready(a, STREAM_READABLE);
}

/* ── where ── */

static int choose_path(struct arrivals *arrivals, const char *folder, struct err *e)
{
	bool foreign = arrivals->agent != 0 && arrivals->agent != geteuid();
	size_t size = sizeof(arrivals->at.path);
	int n;

	if (foreign) {
		strcpy(arrivals->folder, "/tmp/homeport-XXXXXX");
		if (!mkdtemp(arrivals->folder) || chmod(arrivals->folder, 0711) < 0)
			return err_set_errno(e, ERR_FAILED, "%s", arrivals->folder);
		folder = arrivals->folder;
	}
	n = snprintf(arrivals->at.path, size, "%s/share-%d.sock", folder, (int)getpid());
	if (n < 0 || (size_t)n >= size)
		return err_set(e, ERR_FAILED, "%s: too long for a socket", folder);
	return 0;
}

static int listen_there(struct arrivals *arrivals, struct err *e)
{
	/* Between bind and chmod only the mode differs: who comes is looked at. */
	mode_t mode = arrivals->folder[0] ? 0666 : 0600;
	int r = sock_listen(arrivals->loop, &arrivals->at, 0, on_accept, arrivals,
			    &arrivals->listener, e);

	if (r < 0)
		return r;
	if (chmod(arrivals->at.path, mode) < 0)
		return err_set_errno(e, ERR_FAILED, "%s", arrivals->at.path);
	return 0;
}

int arrivals_new(struct loop *loop, const char *folder, uid_t agent, struct origin *origin,
		 struct arrivals **ret_arrivals, struct err *e)
{
	struct arrivals *arrivals = calloc(1, sizeof(*arrivals));
	int r;

	if (!arrivals)
		return err_set(e, ERR_NOMEM, "socket");
	arrivals->loop = loop;
	arrivals->origin = origin;
	arrivals->agent = agent;
	list_init(&arrivals->arriving);
	r = choose_path(arrivals, folder, e);
	if (r == 0)
		r = listen_there(arrivals, e);
	if (r < 0) {
		arrivals_free(arrivals);
		return r;
	}
	*ret_arrivals = arrivals;
	return 0;
}

const char *arrivals_path(const struct arrivals *arrivals)
{
	return arrivals->at.path;
}

void arrivals_free(struct arrivals *arrivals)
{
	struct arrival *a, *next;

	if (!arrivals)
		return;
	sock_listener_free(arrivals->listener);
	list_for_each_safe (a, next, &arrivals->arriving, node)
		arrival_free(a);
	if (arrivals->folder[0])
		rmdir(arrivals->folder);
	free(arrivals);
}
