#include "agent/visit.h"

#include <stdio.h>

#include "agent/agent.h"
#include "base/log.h"

#define VISIT_CONNECT_TIMEOUT (5 * USEC_PER_S)

struct visit {
	struct list node;
	struct service *service;      /* borrowed; its list holds this */
	struct link_visitor *v;	      /* borrowed; NULL: over */
	struct edge_opening *opening; /* owned; the service's edge */
	struct sock_connect *connect; /* owned; the lender */
	char line[VISIT_LINE_MAX + 1];
};

static void visit_free(struct visit *visit)
{
	edge_open_cancel(visit->opening);
	sock_connect_cancel(visit->connect);
	if (visit->v)
		link_visitor_abort(visit->v);
	list_remove(&visit->node);
	visit->service->n_visits--;
	free(visit);
}

static void turn_away(struct visit *visit, unsigned status, const char *reason)
{
	log_debug("service %s: visitor turned away (%u): %s", visit->service->wish.id, status,
		  reason);
	link_visitor_refuse(TAKE(visit->v), status, reason);
	visit_free(visit);
}

static void on_closed(void *arg, const struct link_visitor_totals *totals)
{
	struct visit *visit = arg;

	visit->v = NULL;
	visit_free(visit);
}

static const struct link_visitor_handler visitor_handler = {.on_closed = on_closed};

static unsigned status_of(int r)
{
	return r == -ERR_DENIED ? 403 : r == -ERR_LIMIT ? 503 : 502;
}

/* Join him to his stream, which is wrapped only where a cap is set. */
static void accept_visitor(struct visit *visit, struct stream *s)
{
	struct shaper *shaper = visit->service->shaper;
	struct stream *shaped = s;
	struct err e = {0};

	if (shaper_is_capped(shaper) && shaper_stream_new(shaper, s, &shaped, &e) < 0)
		turn_away(visit, 503, e.text);
	else
		link_visitor_accept(visit->v, shaped);
}

static void on_opened(void *arg, int r, struct stream *s, const struct err *e)
{
	struct visit *visit = arg;

	visit->opening = NULL;
	if (r < 0)
		turn_away(visit, status_of(r), e->text);
	else
		accept_visitor(visit, s);
}

/* ── on loan ── */

/* The path was named by a client: what answers there must be his own. */
static bool is_lender(struct stream *s, uid_t uid)
{
	struct ucred peer;

	return sock_peer(sock_stream_fd(s), &peer) && peer.uid == uid;
}

static void on_connected(void *arg, int r, struct stream *s, const struct err *e)
{
	struct visit *visit = arg;
	size_t len = strlen(visit->line);
	struct err why = {0};

	visit->connect = NULL;
	if (r < 0) {
		turn_away(visit, status_of(r), e->text);
		return;
	}
	if (!is_lender(s, visit->service->lender.uid)) {
		stream_close(s);
		turn_away(visit, 502, "the service's socket belongs to somebody else");
		return;
	}
	/* A fresh socket has room for a line. */
	if (stream_write(s, visit->line, len, &why) != (ssize_t)len) {
		stream_close(s);
		turn_away(visit, 502, why.text);
		return;
	}
	accept_visitor(visit, s);
}

/* ── both ── */

void visit_describe(const struct forwarded *who, struct edge_visitor *ret)
{
	*ret = (struct edge_visitor){.addr = who->addr};
	str_copy(ret->host, sizeof(ret->host), str_of(who->host));
	str_copy(ret->proto, sizeof(ret->proto), str_of(who->proto));
}

static int connect_edge(struct visit *visit, const struct forwarded *who, struct err *e)
{
	struct origin *origin = visit->service->origin;
	struct edge_service *edge = origin_edge(origin);
	struct edge_visitor visitor;

	if (!edge)
		return err_set(e, ERR_REFUSED, "%s",
			       *origin_why(origin) ? origin_why(origin) : "not ready yet");
	visit_describe(who, &visitor);
	return edge_open(edge, &visitor, on_opened, visit, &visit->opening, e);
}

static int connect_lender(struct visit *visit, const struct forwarded *who, struct err *e)
{
	struct service *service = visit->service;
	char element[FORWARDED_TEXT_MAX];

	snprintf(visit->line, sizeof(visit->line), "%s\n", forwarded_format(element, who));
	return sock_connect_visitor(agent_loop(service->agent), &service->lender.at,
				    VISIT_CONNECT_TIMEOUT, on_connected, visit, &visit->connect, e);
}

void visit_start(struct service *service, struct link_visitor *v, const struct forwarded *who)
{
	struct visit *visit = calloc(1, sizeof(*visit));
	struct err e = {0};
	int r;

	if (!visit) {
		link_visitor_refuse(v, 503, "no memory");
		return;
	}
	visit->service = service;
	visit->v = v;
	list_push(&service->visits, &visit->node);
	service->n_visits++;
	link_visitor_set_handler(v, &visitor_handler, visit);
	r = service_on_loan(service) ? connect_lender(visit, who, &e)
				     : connect_edge(visit, who, &e);
	if (r < 0)
		turn_away(visit, status_of(r), e.text);
}

void visits_end(struct service *service)
{
	struct visit *visit, *next;

	list_for_each_safe (visit, next, &service->visits, node)
		visit_free(visit);
}
