/*
 *	          GET /metrics           all workers have added theirs
 *	IDLE ──────────────────▶ COUNTING ──────────────────────────────▶ SENDING ──▶ IDLE
 *	                            └─ the connection is gone ──▶ the count ends by itself
 */
#include "gateway/metrics.h"

#include "base/log.h"
#include "gateway/exposition.h"
#include "http/page.h"
#include "http/server.h"

struct metrics {
	struct metrics_config config;
	usec_t started;
	struct sock_listener *listener; /* owned */
	struct list conns;		/* owned: of struct conn */
	unsigned n_conns;
};

/* A look at the workers. Owned by itself. */
struct scrape {
	struct conn *conn; /* borrowed; NULL: gone */
	const struct worker_shared *shared;
	struct report report;
};

struct conn {
	struct metrics *metrics; /* borrowed */
	struct list node;
	struct http_server *server; /* owned */
	struct http_exchange *x;    /* borrowed; NULL: no request */
	struct scrape *scrape;	    /* borrowed; COUNTING */
	struct buf text;	    /* SENDING */
};

/* ── SENDING ── */

static void send_text(struct conn *conn)
{
	while (buf_len(&conn->text) && http_exchange_can_write(conn->x)) {
		size_t n = MIN(buf_len(&conn->text), HTTP_WRITE_MAX);

		http_exchange_write(conn->x, buf_head(&conn->text), n);
		buf_consume(&conn->text, n);
	}
	if (buf_len(&conn->text))
		return;
	buf_done(&conn->text);
	http_exchange_finish(conn->x);
}

static void answer(struct conn *conn, const struct scrape *scrape)
{
	AUTO(http_fields_donep) struct http_fields fields = {0};

	buf_init(&conn->text, EXPOSITION_MAX);
	if (exposition_format(&conn->text, &scrape->report, scrape->shared) < 0) {
		buf_done(&conn->text);
		http_page_respond(conn->x, 503, NULL, "There is no memory for all these numbers.");
		return;
	}
	http_fields_add(&fields, STR("Content-Type"),
			STR("text/plain; version=0.0.4; charset=utf-8"));
	http_fields_add(&fields, STR("Cache-Control"), STR("no-store"));
	http_exchange_respond(conn->x, 200, &fields, buf_len(&conn->text));
	send_text(conn);
}

/* ── COUNTING ── */

static void scrape_free(struct scrape *scrape)
{
	report_done(&scrape->report);
	free(scrape);
}

static void collect(struct worker *worker, void *arg)
{
	struct scrape *scrape = arg;

	report_collect(&scrape->report, worker, false);
}

static void on_collected(void *arg)
{
	struct scrape *scrape = arg;

	if (scrape->conn) {
		scrape->conn->scrape = NULL;
		answer(scrape->conn, scrape);
	}
	scrape_free(scrape);
}

static void scrape_start(struct conn *conn)
{
	const struct metrics *m = conn->metrics;
	struct scrape *scrape = calloc(1, sizeof(*scrape));

	if (!scrape) {
		http_page_respond(conn->x, 503, NULL, "There is no memory for all these numbers.");
		return;
	}
	scrape->conn = conn;
	scrape->shared = m->config.shared;
	scrape->report.version = m->config.version;
	scrape->report.uptime_s = (loop_now(m->config.loop) - m->started) / USEC_PER_S;
	conn->scrape = scrape;
	workers_each(m->config.shared, collect, on_collected, scrape);
}

/* ── requests ── */

static void on_request(void *arg, struct http_exchange *x)
{
	const struct httphead *head = http_exchange_head(x);
	AUTO(http_fields_donep) struct http_fields allow = {0};
	struct conn *conn = arg;
	struct str target = head->target;
	struct str path = str_split(&target, '?');

	conn->x = x;
	http_fields_add(&allow, STR("Allow"), STR("GET, HEAD"));
	if (!str_eq(path, STR("/metrics")))
		http_page_respond(x, 404, NULL, "The numbers are at /metrics.");
	else if (!str_eq(head->method, STR("GET")) && !str_eq(head->method, STR("HEAD")))
		http_page_respond(x, 405, &allow, "This can be read, and nothing else.");
	else
		scrape_start(conn);
}

static void on_ready(void *arg, unsigned events)
{
	struct conn *conn = arg;

	if (buf_len(&conn->text))
		send_text(conn);
}

static void forget_request(struct conn *conn)
{
	if (conn->scrape)
		conn->scrape->conn = NULL;
	conn->scrape = NULL;
	conn->x = NULL;
	buf_done(&conn->text);
}

static void on_end(void *arg, const struct http_ending *ending)
{
	forget_request(arg);
}

static void conn_free(struct conn *conn)
{
	forget_request(conn);
	http_server_free(conn->server);
	list_remove(&conn->node);
	conn->metrics->n_conns--;
	free(conn);
}

static void on_closed(void *arg)
{
	conn_free(arg);
}

static const struct http_handler handler = {on_request, on_ready, on_end, on_closed};

/* ── connections ── */

static int conn_new(struct metrics *m, int fd, struct err *e)
{
	struct conn *conn;
	struct stream *stream;
	int r = sock_stream_new(m->config.loop, fd, &stream, e);

	if (r < 0)
		return r;
	conn = calloc(1, sizeof(*conn));
	if (!conn || m->n_conns >= METRICS_CONNECTIONS_MAX) {
		free(conn);
		stream_reset(stream);
		return err_set(e, ERR_LIMIT, "too many connections");
	}
	conn->metrics = m;
	r = http_server_new(m->config.loop, stream, &handler, conn, &conn->server, e);
	if (r < 0) {
		free(conn);
		return r;
	}
	list_push(&m->conns, &conn->node);
	m->n_conns++;
	return 0;
}

static void on_accept(void *arg, int fd, const struct ipaddr *peer)
{
	struct err e = {0};

	if (conn_new(arg, fd, &e) < 0)
		log_debug("metrics: %s", e.text);
}

int metrics_new(const struct metrics_config *config, struct metrics **ret_metrics, struct err *e)
{
	struct metrics *m = calloc(1, sizeof(*m));
	char text[128];
	int r;

	if (!m)
		return err_set(e, ERR_NOMEM, "metrics");
	m->config = *config;
	m->started = loop_now(config->loop);
	list_init(&m->conns);
	r = sock_listen(config->loop, config->at, 0, on_accept, m, &m->listener, e);
	if (r < 0) {
		free(m);
		return err_wrap(e, r, "metrics");
	}
	log_info("metrics at http://%s/metrics",
		 sock_addr_format(text, sock_listener_addr(m->listener)));
	*ret_metrics = m;
	return 0;
}

void metrics_free(struct metrics *m)
{
	struct conn *conn, *next;

	if (!m)
		return;
	sock_listener_free(m->listener);
	list_for_each_safe (conn, next, &m->conns, node)
		conn_free(conn);
	free(m);
}
