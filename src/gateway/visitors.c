/*
 *	ACCEPTED ──▶ on the owner's loop ──▶ OPENING ──▶ carried by the link ──▶ on_closed
 *	                    │                   └─ on_returned ─┐
 *	                    ├─ agent away ──────────────────────┴──▶ front_refuse
 *	                    └─ it may come back (comeback.h) ──▶ OPENING, or front_refuse
 */
#include "gateway/visitors.h"

#include "base/log.h"
#include "gateway/admission.h"
#include "gateway/comeback.h"
#include "gateway/registry.h"
#include "gateway/worker.h"

#define AGENT_BUSY 503 /* docs/protocol.md §3.2 */

struct visitor {
	struct worker *owner; /* borrowed: who has his agent's link */
	struct ipaddr peer;
	enum front_kind kind;
	struct registry_stats *stats; /* borrowed: his agent's */
	struct front_visitor *front;  /* owned, until the agent has taken him: many are idle long */
};

static void count(uint64_t *counter, uint64_t n)
{
	__atomic_fetch_add(counter, n, __ATOMIC_RELAXED);
}

static void visitor_free(struct visitor *v)
{
	if (v->stats)
		admission_leave(v->stats);
	free(v->front);
	free(v);
}

/* He is gone, and his stream too. */
static void forget(struct visitor *v)
{
	worker_count_visitor_gone(v->owner, &v->peer, v->kind);
	visitor_free(v);
}

/* His stream is on the owner's loop. */
static void refuse(struct visitor *v, enum front_refusal why)
{
	struct front *front = v->owner->front;

	if (v->stats && why != FRONT_REFUSE_PLAIN)
		count(&v->stats->refused, 1);
	if (!front) { /* the gateway is stopping */
		stream_close(v->front->stream);
		forget(v);
		return;
	}
	front_refuse(front, v->front, why);
	visitor_free(v);
}

static void on_opened(void *arg)
{
	struct visitor *v = arg;

	free(v->front);
	v->front = NULL;
}

static void on_returned(void *arg, struct stream *local, int r, unsigned status, const char *reason)
{
	struct visitor *v = arg;
	const struct front_route *route = &v->front->route;
	char text[LOG_TEXT_MAX];

	v->front->stream = local;
	if (r != -ERR_REFUSED) {
		refuse(v, r == -ERR_TIMEOUT ? FRONT_REFUSE_OFFLINE : FRONT_REFUSE_BUSY);
		return;
	}
	log_debug("agent %llu, service %s: visitor refused, %u: %s",
		  (unsigned long long)route->owner, route->service, status,
		  log_text(text, str_of(reason ? reason : "")));
	refuse(v, status == AGENT_BUSY ? FRONT_REFUSE_BUSY : FRONT_REFUSE_SERVICE);
}

static void on_closed(void *arg, const struct link_visitor_totals *totals)
{
	forget(arg);
}

static const struct link_visitor_handler handler = {
	.on_opened = on_opened,
	.on_returned = on_returned,
	.on_closed = on_closed,
};

static void describe(const struct front_visitor *front, struct forwarded *who)
{
	static const char *const protos[] = {
		[FRONT_HTTPS] = "https",
		[FRONT_HTTP] = "http",
		[FRONT_RAW] = "tcp",
		[FRONT_UDP] = "udp",
	};

	*who = (struct forwarded){.addr = front->peer};
	strcpy(who->host, front->host);
	strcpy(who->proto, protos[front->kind]);
}

static void open_at_service(struct visitor *v)
{
	const struct front_route *route = &v->front->route;
	struct link_hub *hub = v->owner->hub;
	struct forwarded who;

	describe(v->front, &who);
	if (link_hub_open(hub, route->owner, route->service, &who, v->front->stream, &handler, v,
			  NULL) < 0)
		forget(v);
}

static unsigned serves_of(enum front_kind kind)
{
	return kind == FRONT_HTTP ? FRONT_SERVES_HTTP : FRONT_SERVES_TLS;
}

/* The name has a service by now, and the same agent. */
static bool find_service(struct visitor *v)
{
	struct front_route route;

	if (front_routes_find(v->owner->shared->routes, str_of(v->front->host), serves_of(v->kind),
			      &route) < 0 ||
	    route.owner != v->front->route.owner || !route.service[0])
		return false;
	v->front->route = route;
	return true;
}

/* False: the agent is still not there. */
static bool try_again(struct visitor *v)
{
	const struct front_route *route = &v->front->route;

	if (!find_service(v) || !link_hub_online(v->owner->hub, route->owner))
		return false;
	if (route->serves & serves_of(v->kind))
		open_at_service(v);
	else
		refuse(v, v->kind == FRONT_HTTP ? FRONT_REFUSE_PLAIN : FRONT_REFUSE_OFFLINE);
	return true;
}

static bool look_again(void *arg, bool last)
{
	if (try_again(arg))
		return true;
	if (last)
		refuse(arg, FRONT_REFUSE_OFFLINE);
	return last;
}

/* An agent that has not been here since the start may be on its way; one that has left is not. */
static bool wait_for_agent(struct visitor *v)
{
	const struct worker *owner = v->owner;
	struct registry_agent agent;

	return owner->comeback &&
	       registry_find(owner->shared->registry, v->front->route.owner, &agent) == 0 &&
	       agent.observed.family == 0 &&
	       comeback_wait(owner->comeback, agent.id, look_again, v);
}

static void open_at_agent(struct visitor *v)
{
	const struct front_route *route = &v->front->route;

	/* The name may have got a service while he was on his way to this loop. */
	if (!route->service[0] && try_again(v))
		return;
	if (route->service[0] && link_hub_online(v->owner->hub, route->owner))
		open_at_service(v);
	else if (!wait_for_agent(v))
		refuse(v, FRONT_REFUSE_OFFLINE);
}

static void arrive(void *arg)
{
	struct visitor *v = arg;

	if (stream_attach(v->front->stream, v->owner->loop, NULL) < 0) {
		stream_close(v->front->stream);
		forget(v);
		return;
	}
	open_at_agent(v);
}

/* He is not counted with the agent; his stream is still here. */
static void turn_away(struct worker *here, const struct front_visitor *front)
{
	if (here->front) {
		front_refuse(here->front, front, FRONT_REFUSE_BUSY);
		return;
	}
	stream_close(front->stream);
	worker_count_visitor_gone(here, &front->peer, front->kind);
}

static struct visitor *visitor_new(const struct front_visitor *front, struct worker *owner,
				   struct registry_stats *stats)
{
	struct visitor *v = malloc(sizeof(*v));
	struct front_visitor *copy = malloc(sizeof(*copy));

	if (!v || !copy) {
		free(v);
		free(copy);
		return NULL;
	}
	*copy = *front;
	*v = (struct visitor){.owner = owner,
			      .peer = front->peer,
			      .kind = front->kind,
			      .stats = stats,
			      .front = copy};
	return v;
}

void visitors_on_visitor(void *arg, const struct front_visitor *front)
{
	struct worker *here = arg;
	struct worker *owner = worker_of(here->shared, front->route.owner);
	struct registry_stats *stats = registry_stats(here->shared->registry, front->route.owner);
	const struct limits_section *config = &here->shared->config->limits;
	struct admission_limits limits = {(unsigned)config->visitors_per_agent,
					  (unsigned)config->new_per_agent_s};
	struct visitor *v;

	if (stats && admission_enter(stats, &limits, loop_now(here->loop)) != ADMISSION_GRANTED) {
		turn_away(here, front);
		return;
	}
	v = visitor_new(front, owner, stats);
	if (!v) {
		if (stats)
			admission_leave(stats);
		stream_close(front->stream);
		worker_count_visitor_gone(here, &front->peer, front->kind);
		return;
	}
	if (owner == here) {
		open_at_agent(v);
		return;
	}
	stream_detach(front->stream);
	worker_run(owner, here, arrive, v);
}
