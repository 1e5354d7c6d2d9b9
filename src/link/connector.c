/*
 * Getting a connection to the gateway: resolve, connect, TLS.
 *
 *	RESOLVING ──▶ CONNECTING ──▶ HANDSHAKE ──▶ done(0)
 *	   │              │              │
 *	   └──────────────┴──────────────┴──▶ done(-ERR_*): failed, CONNECT_MAX or TLS_MAX is over
 *
 * Every 250 ms, or when one fails, the next address is tried beside those under way (RFC 8305).
 */
#include "link/connector.h"

#include <stdio.h>
#include <string.h>

#include "link/message.h"
#include "net/resolve.h"
#include "net/sock.h"

#define CONNECT_MAX (10 * USEC_PER_S)
#define TLS_MAX	    (5 * USEC_PER_S)
#define STAGGER	    (250 * USEC_PER_MS)

struct attempt;

struct
try {
	struct attempt *attempt;
	struct sock_connect *connect; /* owned; NULL: not under way */
};

struct attempt {
	const struct connector *connector; /* borrowed */
	struct loop *loop;
	void (*done)(void *arg, int r, struct stream *s, const struct tls_key_hash *peer,
		     const struct err *e);
	void *done_arg;
	struct resolve *resolve;
	struct ipaddr addrs[RESOLVE_ADDRS_MAX];
	struct try tries[RESOLVE_ADDRS_MAX];
	size_t n_addrs, next; /* next: the first address not tried yet */
	struct timer timer;   /* stagger, then TLS_MAX */
	struct timer deadline;
	struct stream *tls; /* owned */
	struct defer finish;
	int r;
	struct err why;
};

static void attempt_cancel(void *arg, void *handle)
{
	struct attempt *a = handle;

	resolve_cancel(a->resolve);
	for (size_t i = 0; i < a->n_addrs; i++)
		sock_connect_cancel(a->tries[i].connect);
	timer_stop(&a->timer);
	timer_stop(&a->deadline);
	defer_cancel(&a->finish);
	stream_close(a->tls);
	free(a);
}

static bool attempt_answered(void *arg, void *handle)
{
	const struct attempt *a = handle;

	return a->tls != NULL;
}

/* The end, told from the loop: never from inside an event of the stream that goes with it. */
static void finish(struct attempt *a, int r, const struct err *why)
{
	a->r = r;
	if (why)
		a->why = *why;
	timer_stop(&a->timer);
	timer_stop(&a->deadline);
	defer_call(&a->finish);
}

static void on_finish(void *arg)
{
	struct attempt *a = arg;
	struct stream *tls = a->r == 0 ? TAKE(a->tls) : NULL;
	void (*done)(void *, int, struct stream *, const struct tls_key_hash *,
		     const struct err *) = a->done;
	void *done_arg = a->done_arg;
	bool rejected = a->r == -ERR_DENIED && a->tls;
	struct tls_key_hash key = {0};
	struct err why = a->why;
	int r = a->r;

	if (tls || rejected)
		key = *tls_stream_peer(tls ? tls : a->tls);
	attempt_cancel(NULL, a);
	done(done_arg, r, tls, tls || rejected ? &key : NULL, &why);
}

static void on_tls(void *arg, unsigned events)
{
	struct attempt *a = arg;
	struct err why = {0};
	ssize_t r;
	uint8_t byte;

	if (tls_stream_ready(a->tls)) {
		stream_set_handler(a->tls, NULL, NULL);
		finish(a, 0, NULL);
		return;
	}
	r = stream_read(a->tls, &byte, 1, &why);
	if (r != -ERR_AGAIN)
		finish(a, r < 0 ? (int)r : -ERR_RESET, &why);
}

static void on_deadline(void *arg)
{
	struct attempt *a = arg;
	struct err why = {0};

	if (a->tls)
		err_set(&why, ERR_TIMEOUT,
			"the gateway did not finish the TLS handshake within 5 s");
	else if (a->n_addrs)
		err_set(&why, ERR_TIMEOUT, "the gateway did not answer within 10 s");
	else
		err_set(&why, ERR_TIMEOUT, "the gateway's name was not resolved within 10 s");
	finish(a, -ERR_TIMEOUT, &why);
}

static void start_tls(struct attempt *a, struct stream *tcp)
{
	struct str host = str_of(a->connector->host);
	struct ipaddr literal;
	const char *server_name = ipaddr_parse(host, &literal) < 0 ? a->connector->host : NULL;
	struct err why = {0};
	int r;

	for (size_t i = 0; i < a->n_addrs; i++)
		sock_connect_cancel(TAKE(a->tries[i].connect));
	a->next = a->n_addrs;
	timer_stop(&a->timer);
	r = tls_client_new(tcp, a->connector->identity, LINK_ALPN, server_name, &a->tls, &why);
	if (r < 0) {
		finish(a, r, &why);
		return;
	}
	tls_client_set_accept(a->tls, a->connector->accept, a->connector->accept_arg);
	stream_set_handler(a->tls, on_tls, a);
	timer_start(&a->deadline, TLS_MAX);
}

static void try_next(void *arg);

static bool under_way(const struct attempt *a)
{
	for (size_t i = 0; i < a->n_addrs; i++)
		if (a->tries[i].connect)
			return true;
	return false;
}

static void on_connected(void *arg, int r, struct stream *tcp, const struct err *e)
{
	struct try *try = arg;
	struct attempt *a = try->attempt;

	try->connect = NULL;
	if (r == 0) {
		start_tls(a, tcp);
		return;
	}
	if (a->next < a->n_addrs)
		try_next(a);
	else if (!under_way(a))
		finish(a, r, e);
}

static void try_next(void *arg)
{
	struct attempt *a = arg;
	struct sock_addr to = {0};
	struct err why = {0};
	struct try *try;
	int r;

	timer_stop(&a->timer); /* a failed address brings the next one forward */
	if (a->next >= a->n_addrs)
		return;
	try = &a->tries[a->next];
	to.ip = a->addrs[a->next];
	a->next++;
	r = sock_connect_start(a->loop, &to, CONNECT_MAX, on_connected, try, &try->connect, &why);
	if (a->next < a->n_addrs)
		timer_start(&a->timer, r < 0 ? 0 : STAGGER);
	else if (r < 0 && !under_way(a))
		finish(a, r, &why);
}

static void on_resolved(void *arg, int r, const struct ipaddr *addrs, size_t n, const struct err *e)
{
	struct attempt *a = arg;

	a->resolve = NULL;
	if (r < 0) {
		finish(a, r, e);
		return;
	}
	a->n_addrs = MIN(n, (size_t)RESOLVE_ADDRS_MAX);
	memcpy(a->addrs, addrs, a->n_addrs * sizeof(*addrs));
	try_next(a);
}

static int attempt_start(void *arg, struct loop *loop,
			 void (*done)(void *done_arg, int r, struct stream *s,
				      const struct tls_key_hash *peer, const struct err *e),
			 void *done_arg, void **ret_attempt, struct err *e)
{
	const struct connector *connector = arg;
	struct attempt *a = calloc(1, sizeof(*a));
	int r;

	if (!a)
		return err_set(e, ERR_NOMEM, "connection attempt");
	a->connector = connector;
	a->loop = loop;
	a->done = done;
	a->done_arg = done_arg;
	for (size_t i = 0; i < RESOLVE_ADDRS_MAX; i++)
		a->tries[i].attempt = a;
	timer_init(&a->timer, loop, try_next, a);
	timer_init(&a->deadline, loop, on_deadline, a);
	defer_init(&a->finish, loop, on_finish, a);
	r = resolve_start(loop, connector->host, connector->port, on_resolved, a, &a->resolve, e);
	if (r < 0) {
		free(a);
		return r;
	}
	timer_start(&a->deadline, CONNECT_MAX);
	*ret_attempt = a;
	return 0;
}

struct link_connector connector_interface(struct connector *connector)
{
	return (struct link_connector){.start = attempt_start,
				       .cancel = attempt_cancel,
				       .answered = attempt_answered,
				       .arg = connector};
}
