#include "agent/origin.h"

#include <stdio.h>

#include "base/log.h"
#include "net/resolve.h"

#define ORIGIN_AGAIN	  USEC_PER_S	   /* until something answers */
#define ORIGIN_AGAIN_SLOW (5 * USEC_PER_S) /* after ORIGIN_PATIENCE tries */
#define ORIGIN_PATIENCE	  120
#define ORIGIN_SWEEP	  USEC_PER_S

/* An edge that gets no new visitors; freed when the last one has left. */
struct retired {
	struct list node;
	struct edge_service *edge; /* owned */
};

/* One look whether the other end is there. */
struct look {
	struct edge_check *check;  /* owned; NULL: none is under way */
	struct edge_service *edge; /* borrowed; other: owned */
	struct sock_addr at;
	bool other; /* the second place where "localhost" may be */
};

struct origin {
	struct loop *loop; /* borrowed */
	struct wish wish;  /* owned */
	const struct origin_events *events;
	void *arg;
	struct edge_service *edge; /* owned; NULL: no address yet, no folder */
	struct sock_addr at;	   /* of the edge */
	struct list retired;	   /* owned */
	struct resolve *resolve;   /* owned; a name being looked up */
	struct look look;
	struct timer again, sweep;
	struct defer tell;
	struct list looks; /* struct origin_look: borrowed */
	unsigned misses;   /* in a row */
	enum origin_reach reach, told;
	char why[sizeof(((struct err *)0)->text)];
	uint64_t requests, denied;
};

static void start(struct origin *o);
static void look_at(struct origin *o, struct edge_service *edge, const struct sock_addr *at,
		    bool other);

static const char *reach_name(enum origin_reach reach)
{
#define REACH_NAME(name) [ORIGIN_##name] = #name,
	static const char *const names[] = {ORIGIN_REACHES(REACH_NAME)};

	return names[reach];
}

static void set_reach(struct origin *o, enum origin_reach reach, const char *why)
{
	if (reach != o->reach)
		log_debug("service %s: %s -> %s: %s", o->wish.id, reach_name(o->reach),
			  reach_name(reach), why);
	o->misses = reach == ORIGIN_NO ? o->misses + 1 : 0;
	o->reach = reach;
	if (why != o->why)
		snprintf(o->why, sizeof(o->why), "%s", why);
	if (reach == ORIGIN_NO)
		timer_start(&o->again,
			    o->misses > ORIGIN_PATIENCE ? ORIGIN_AGAIN_SLOW : ORIGIN_AGAIN);
	else
		timer_stop(&o->again);
	defer_call(&o->tell);
}

static void tell_looks(struct origin *o)
{
	struct list looks;

	list_init(&looks);
	list_splice(&looks, &o->looks);
	while (!list_empty(&looks)) {
		struct origin_look *look = list_entry(looks.next, struct origin_look, node);

		list_remove(&look->node);
		look->done(look->arg);
	}
}

static void on_tell(void *arg)
{
	struct origin *o = arg;

	tell_looks(o);
	if (o->told == o->reach)
		return;
	o->told = o->reach;
	if (o->events->on_reach)
		o->events->on_reach(o->arg, o);
}

/* ── edges ── */

static void on_sweep(void *arg)
{
	struct origin *o = arg;
	struct retired *r, *next;

	list_for_each_safe (r, next, &o->retired, node) {
		if (edge_service_visitors(r->edge) > 0)
			continue;
		list_remove(&r->node);
		edge_service_free(r->edge);
		free(r);
	}
	if (!list_empty(&o->retired))
		timer_start(&o->sweep, ORIGIN_SWEEP);
}

static void retire(struct origin *o, struct edge_service *edge)
{
	struct retired *r = edge ? calloc(1, sizeof(*r)) : NULL;

	if (!edge)
		return;
	edge_service_retire(edge);
	if (!r) {
		edge_service_free(edge); /* its visitors pay for the lack of memory */
		return;
	}
	r->edge = edge;
	list_push(&o->retired, &r->node);
	timer_start(&o->sweep, ORIGIN_SWEEP);
}

static void on_request(void *arg, const struct edge_request *request)
{
	struct origin *o = arg;

	o->requests++;
	o->denied += request->denied;
	if (o->events->on_request)
		o->events->on_request(o->arg, request);
	if (request->note && !request->denied && o->edge && !o->look.check && o->reach != ORIGIN_NO)
		look_at(o, o->edge, &o->at, false);
}

static const struct edge_events edge_events = {.on_request = on_request};

static int edge_new(struct origin *o, const struct sock_addr *at, struct edge_service **ret,
		    struct err *e)
{
	struct edge_spec spec = {
		.kind = o->wish.target.edge,
		.id = o->wish.id,
		.path = o->wish.target.edge == EDGE_FILES ? o->wish.target.text : NULL,
		.to = *at,
		.host = o->wish.host,
		.host_name = o->wish.host_name,
		.proxy_protocol = o->wish.proxy_protocol,
		.local_names = o->wish.local_names,
		.allow = o->wish.allow,
		.n_allow = o->wish.n_allow,
		.n_names = MIN(o->wish.n_names, EDGE_NAMES_MAX),
	};

	for (size_t i = 0; i < spec.n_names; i++)
		spec.names[i] = o->wish.names[i];
	return edge_service_new(o->loop, &spec, &edge_events, o, ret, e);
}

static void use_address(struct origin *o, const struct sock_addr *at)
{
	struct edge_service *edge = NULL;
	struct err e = {0};

	if (edge_new(o, at, &edge, &e) < 0) {
		set_reach(o, ORIGIN_NO, e.text);
		return;
	}
	retire(o, o->edge);
	o->edge = edge;
	o->at = *at;
	look_at(o, edge, at, false);
}

/* ── is it there? ── */

/* "localhost" is two addresses, and a server is often on one of them only. */
static bool look_elsewhere(struct origin *o)
{
	struct sock_addr at = {.ip = o->wish.target.other};
	struct edge_service *edge = NULL;

	if (!at.ip.family)
		return false;
	if (ipaddr_equal(&at.ip, &o->at.ip))
		at.ip = o->wish.target.to.ip;
	if (edge_new(o, &at, &edge, NULL) < 0)
		return false;
	look_at(o, edge, &at, true);
	return true;
}

static void look_missed(struct origin *o, const struct look *look, const struct err *why)
{
	if (look->other)
		retire(o, look->edge);
	else
		snprintf(o->why, sizeof(o->why), "%s", why->text);
	if (look->other || !look_elsewhere(o))
		set_reach(o, ORIGIN_NO, o->why);
}

static void on_looked(void *arg, int r, const struct err *e)
{
	struct origin *o = arg;
	struct look look = o->look;

	o->look = (struct look){0};
	if (r == -ERR_AGAIN) {
		set_reach(o, ORIGIN_UNKNOWN, "");
		return;
	}
	if (r < 0) {
		look_missed(o, &look, e);
		return;
	}
	if (look.other) {
		retire(o, o->edge);
		o->edge = look.edge;
		o->at = look.at;
	}
	set_reach(o, ORIGIN_YES, "");
}

static void look_at(struct origin *o, struct edge_service *edge, const struct sock_addr *at,
		    bool other)
{
	struct err e = {0};

	o->look = (struct look){.edge = edge, .at = *at, .other = other};
	if (edge_check_start(edge, on_looked, o, &o->look.check, &e) == 0)
		return;
	o->look = (struct look){0};
	if (other)
		retire(o, edge);
	set_reach(o, ORIGIN_NO, e.text);
}

static void look_forget(struct origin *o)
{
	edge_check_cancel(o->look.check);
	if (o->look.other)
		retire(o, o->look.edge);
	o->look = (struct look){0};
}

static void look(struct origin *o)
{
	bool fixed = o->wish.target.to.ip.family || o->wish.target.to.path[0];

	if (o->look.check || o->resolve)
		return;
	/* A folder that was made anew is another folder, and a name may have moved; but what
	 * answers has visitors, who stay. */
	if (o->edge && (fixed || o->reach != ORIGIN_NO))
		look_at(o, o->edge, &o->at, false);
	else
		start(o);
}

static void on_again(void *arg)
{
	look(arg);
}

/* ── where is it? ── */

static void on_resolved(void *arg, int r, const struct ipaddr *addrs, size_t n, const struct err *e)
{
	struct origin *o = arg;

	o->resolve = NULL;
	if (r < 0) {
		set_reach(o, ORIGIN_NO, e->text);
		return;
	}
	use_address(o, &(struct sock_addr){.ip = addrs[0]});
}

static void start(struct origin *o)
{
	const struct target *t = &o->wish.target;
	struct err e = {0};

	if (t->edge == EDGE_FILES || t->to.ip.family || t->to.path[0]) {
		use_address(o, &t->to);
		return;
	}
	if (resolve_start(o->loop, t->host, target_port(t), on_resolved, o, &o->resolve, &e) < 0)
		set_reach(o, ORIGIN_NO, e.text);
}

/* ── interface ── */

int origin_new(struct loop *loop, const struct wish *wish, const struct origin_events *events,
	       void *arg, struct origin **ret_origin, struct err *e)
{
	struct origin *o = calloc(1, sizeof(*o));

	if (!o || wish_copy(&o->wish, wish) < 0) {
		free(o);
		return err_set(e, ERR_NOMEM, "service %s", wish->id);
	}
	o->loop = loop;
	o->events = events;
	o->arg = arg;
	list_init(&o->retired);
	list_init(&o->looks);
	timer_init(&o->again, loop, on_again, o);
	timer_init(&o->sweep, loop, on_sweep, o);
	defer_init(&o->tell, loop, on_tell, o);
	start(o);
	*ret_origin = o;
	return 0;
}

void origin_free(struct origin *o)
{
	struct retired *r, *next;

	if (!o)
		return;
	resolve_cancel(o->resolve);
	look_forget(o);
	timer_stop(&o->again);
	timer_stop(&o->sweep);
	defer_cancel(&o->tell);
	tell_looks(o);
	edge_service_free(o->edge);
	list_for_each_safe (r, next, &o->retired, node) {
		edge_service_free(r->edge);
		free(r);
	}
	wish_done(&o->wish);
	free(o);
}

int origin_update(struct origin *o, const struct wish *wish)
{
	bool stays = target_equal(&o->wish.target, &wish->target) && o->edge;
	struct sock_addr at = o->at;
	struct wish copy;

	if (wish_equal(&o->wish, wish))
		return 0;
	if (wish_copy(&copy, wish) < 0)
		return -ERR_NOMEM;
	wish_done(&o->wish);
	o->wish = copy;
	resolve_cancel(TAKE(o->resolve));
	look_forget(o);
	retire(o, TAKE(o->edge));
	o->misses = 0;
	if (stays)
		use_address(o, &at);
	else
		start(o);
	return 0;
}

void origin_look(struct origin *o, struct origin_look *who)
{
	list_push(&o->looks, &who->node);
	look(o);
}

struct edge_service *origin_edge(const struct origin *o)
{
	return o->edge;
}

enum origin_reach origin_reach(const struct origin *o)
{
	return o->reach;
}

const char *origin_why(const struct origin *o)
{
	return o->reach == ORIGIN_NO ? o->why : "";
}

unsigned origin_visitors(const struct origin *o)
{
	unsigned n = o->edge ? edge_service_visitors(o->edge) : 0;
	struct retired *r;

	list_for_each (r, &o->retired, node)
		n += edge_service_visitors(r->edge);
	return n;
}

uint64_t origin_requests(const struct origin *o)
{
	return o->requests;
}

uint64_t origin_denied(const struct origin *o)
{
	return o->denied;
}
