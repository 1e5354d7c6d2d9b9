/*
 * Doors on the virtual clock: map/map, map/lease and map/ledger as they are, on a router that is
 * played here. In place of map/router, map/ask and map/announce there are models: what the router
 * offers and when that is known; how it answers each question; which doors are open at it.
 */
#include "test.h"

#include <ftw.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "map/announce.h"
#include "map/map.h"
#include "map/schedule.h"

#define S	    USEC_PER_S
#define MS	    USEC_PER_MS
#define ASKED_MAX   4096
#define ROUTERS_MAX 8
#define OPENED_MAX  256
#define TIMERS_MAX  512
#define SILENCE	    (3750 * MS)

enum verb { OPEN, CLOSE, VERIFY };

/* A question that reached the router, or was lost on its way. */
struct asked {
	usec_t at;
	enum verb verb;
	enum map_method method;
	uint8_t protocol;
	uint16_t port, external;
	uint32_t lifetime_s;
	uint8_t nonce[PCP_NONCE_LEN];
	struct ipaddr from;
	bool noted; /* it was on disk that it may be permanent */
	int r;
};

/* A door that is open at the router. */
struct opened {
	enum map_method method;
	uint8_t protocol;
	struct ipaddr internal;
	uint16_t external;
	uint8_t nonce[PCP_NONCE_LEN];
	usec_t until; /* USEC_MAX: for ever */
};

struct way {
	enum router_offer_state state;
	usec_t known_after; /* the probe's beginning */
	int r;		    /* what it answers to "open": 0, -ERR_REFUSED, -ERR_TIMEOUT … */
	uint32_t wait_s;    /* with a refusal */
	uint32_t lifetime_s;
	uint16_t other_port; /* granted instead; 0: as asked */
	bool mute;	     /* no answer to anything */
	int look_r;	     /* what it answers to "is it there?"; 0: as it is */
	bool only_permanent, drops_leases, drops_all;
};

struct world {
	struct loop *loop;
	struct map *map;
	char state[64];
	const char *id;
	struct way ways[MAP_METHOD_COUNT];
	usec_t latency;
	struct router *routers[ROUTERS_MAX];
	unsigned n_routers;
	struct opened opened[OPENED_MAX];
	struct asked asked[ASKED_MAX];
	unsigned n_asked;
	unsigned checks;
	void (*on_hint)(void *arg, const struct ipaddr *who);
	void *hint_arg;

	unsigned n_door, n_closed, n_router, n_stopped;
	struct map_door *closed;
	bool inside; /* in a call: no handler may come */
	void (*then)(struct world *w, struct map_door *door);

	/* timers of what is tested, not of the models */
	struct counted {
		struct timer *t;
		void (*fn)(void *arg);
		void *arg;
		usec_t last, gap_min;
		unsigned fired;
	} timers[TIMERS_MAX];
	unsigned n_timers;
	unsigned fired;
	bool model;	/* the next timer_init is a model's */
	bool uncounted; /* nor are any others of interest */
};

static struct world *world;

/* ── counting timers: the linker sends timer_init here ── */

void __real_timer_init(struct timer *t, struct loop *loop, void (*fn)(void *arg), void *arg);
void __wrap_timer_init(struct timer *t, struct loop *loop, void (*fn)(void *arg), void *arg);

static void on_counted(void *arg)
{
	struct counted *c = arg;
	usec_t now = loop_now(world->loop);

	if (c->last)
		c->gap_min = MIN(c->gap_min, now - c->last);
	c->last = now;
	c->fired++;
	world->fired++;
	c->fn(c->arg);
}

void __wrap_timer_init(struct timer *t, struct loop *loop, void (*fn)(void *arg), void *arg)
{
	struct counted *c = NULL;

	if (!world || world->model || world->uncounted) {
		__real_timer_init(t, loop, fn, arg);
		return;
	}
	for (unsigned i = 0; i < world->n_timers && !c; i++)
		if (world->timers[i].t == t)
			c = &world->timers[i];
	if (!c) {
		assert_true(world->n_timers < TIMERS_MAX);
		c = &world->timers[world->n_timers++];
	}
	*c = (struct counted){.t = t, .fn = fn, .arg = arg, .gap_min = USEC_MAX};
	__real_timer_init(t, loop, on_counted, c);
}

static void forget_counts(struct world *w)
{
	w->fired = 0;
	for (unsigned i = 0; i < w->n_timers; i++) {
		w->timers[i].fired = 0;
		w->timers[i].last = 0;
		w->timers[i].gap_min = USEC_MAX;
	}
}

static usec_t shortest_gap(const struct world *w)
{
	usec_t gap = USEC_MAX;

	for (unsigned i = 0; i < w->n_timers; i++)
		gap = MIN(gap, w->timers[i].gap_min);
	return gap;
}

/* ── the model of map/router ── */

struct router {
	struct world *w;
	struct map_place place;
	struct router_handler handler;
	void *arg;
	struct router_offer offers[MAP_METHOD_COUNT];
	usec_t probed_at;
	struct timer known[MAP_METHOD_COUNT];
	struct defer tell;
	unsigned probes;
};

static void router_known(struct router *router, enum map_method method)
{
	router->offers[method].state = router->w->ways[method].state;
	defer_call(&router->tell);
}

static void on_known_pcp(void *arg)
{
	router_known(arg, MAP_PCP);
}

static void on_known_natpmp(void *arg)
{
	router_known(arg, MAP_NATPMP);
}

static void on_known_igd(void *arg)
{
	router_known(arg, MAP_IGD);
}

static void on_router_tell(void *arg)
{
	struct router *router = arg;

	router->handler.on_offer(router->arg);
}

const char *router_offer_state_name(enum router_offer_state state)
{
	return "";
}

int router_new(struct loop *loop, struct httpc *httpc, const struct map_place *place,
	       usec_t stagger, const struct router_handler *handler, void *arg,
	       struct router **ret_router, struct err *e)
{
	static void (*const on_known[])(void *) = {on_known_pcp, on_known_natpmp, on_known_igd};
	struct router *router = calloc(1, sizeof(*router));
	struct world *w = world;

	if (place->address.bytes[3] == 99) { /* one that the kernel has not made ready */
		free(router);
		return err_set(e, ERR_FAILED, "cannot assign requested address");
	}
	router->w = w;
	router->place = *place;
	router->handler = *handler;
	router->arg = arg;
	w->model = true;
	for (int i = 0; i < MAP_METHOD_COUNT; i++)
		timer_init(&router->known[i], loop, on_known[i], router);
	w->model = false;
	defer_init(&router->tell, loop, on_router_tell, router);
	assert_true(w->n_routers < ROUTERS_MAX);
	w->routers[w->n_routers++] = router;
	*ret_router = router;
	return 0;
}

void router_free(struct router *router)
{
	struct world *w;

	if (!router)
		return;
	w = router->w;
	for (int i = 0; i < MAP_METHOD_COUNT; i++)
		timer_stop(&router->known[i]);
	defer_cancel(&router->tell);
	for (unsigned i = 0; i < w->n_routers; i++)
		if (w->routers[i] == router)
			w->routers[i] = w->routers[--w->n_routers];
	free(router);
}

void router_probe_again(struct router *router)
{
	router->probes++;
	router->probed_at = loop_now(router->w->loop);
	for (int i = 0; i < MAP_METHOD_COUNT; i++) {
		router->offers[i] = (struct router_offer){0};
		timer_start(&router->known[i], router->w->ways[i].known_after);
	}
}

void router_probe(struct router *router)
{
	if (router_probe_age(router) >= ROUTER_TRUST)
		router_probe_again(router);
}

void router_check(struct router *router)
{
	router->w->checks++;
}

void router_find_igd(struct router *router)
{
	router->offers[MAP_IGD].state = ROUTER_UNKNOWN;
	timer_start(&router->known[MAP_IGD], 200 * MS);
}

const struct map_place *router_place(const struct router *router)
{
	return &router->place;
}

const struct router_offer *router_offer(const struct router *router, enum map_method method)
{
	return &router->offers[method];
}

bool router_decided(const struct router *router)
{
	for (int i = 0; i < MAP_METHOD_COUNT; i++)
		if (router->offers[i].state == ROUTER_UNKNOWN)
			return false;
	return true;
}

usec_t router_probe_age(const struct router *router)
{
	return router->probed_at ? loop_now(router->w->loop) - router->probed_at : USEC_MAX;
}

struct pmp *router_pmp(struct router *router)
{
	return NULL;
}

struct igd *router_igd(struct router *router)
{
	return NULL;
}

void router_note_external(struct router *router, enum map_method method,
			  const struct ipaddr *external)
{
}

/* ── the model of map/announce ── */

struct announce {
	int unused;
};

int announce_new(struct loop *loop, void (*on_hint)(void *arg, const struct ipaddr *who), void *arg,
		 struct announce **ret_announce, struct err *e)
{
	world->on_hint = on_hint;
	world->hint_arg = arg;
	*ret_announce = calloc(1, sizeof(**ret_announce));
	return 0;
}

void announce_free(struct announce *announce)
{
	free(announce);
}

void announce_join(struct announce *announce, uint8_t family, unsigned ifindex)
{
}

void announce_join_upnp(struct announce *announce, unsigned ifindex)
{
}

/* ── the model of map/ask, and of the doors at the router ── */

static bool same_host(const struct ipaddr *a, const struct ipaddr *b)
{
	return a->family == b->family && memcmp(a->bytes, b->bytes, 16) == 0;
}

static struct opened *find_opened(struct world *w, const struct ask *ask)
{
	const struct ipaddr *us = &router_place(ask->router)->address;

	for (unsigned i = 0; i < OPENED_MAX; i++) {
		struct opened *o = &w->opened[i];

		if (o->internal.port == ask->wish.internal_port &&
		    o->protocol == ask->wish.protocol && same_host(&o->internal, us) &&
		    o->until > loop_now(w->loop))
			return o;
	}
	return NULL;
}

static struct opened *place_for_one(struct world *w)
{
	for (unsigned i = 0; i < OPENED_MAX; i++)
		if (w->opened[i].until <= loop_now(w->loop))
			return &w->opened[i];
	fail();
	return NULL;
}

static void model_open(struct world *w, struct ask *ask, const struct way *way)
{
	bool permanent =
		way->only_permanent || (ask->grant.method == MAP_IGD && ask->must_be_permanent);
	struct opened *o = find_opened(w, ask);

	ask->answer.r = way->r;
	ask->answer.wait_s = way->wait_s;
	snprintf(ask->answer.why, sizeof(ask->answer.why), "%s: no",
		 map_method_title(ask->grant.method));
	if (way->r)
		return;
	if (permanent && !ask->may_be_permanent) {
		ask->answer.r = -ERR_AGAIN;
		return;
	}
	if (!o)
		o = place_for_one(w);
	*o = (struct opened){.method = ask->grant.method,
			     .protocol = ask->wish.protocol,
			     .internal = router_place(ask->router)->address,
			     .external = way->other_port ? way->other_port : ask->port};
	o->internal.port = ask->wish.internal_port;
	memcpy(o->nonce, ask->grant.nonce, sizeof(o->nonce));
	ask->grant.permanent = permanent;
	ask->grant.lifetime_s = permanent ? 0 : MIN(way->lifetime_s, ask->wish.lifetime_s);
	ask->grant.external.port = o->external;
	o->until = permanent ? USEC_MAX : loop_now(w->loop) + ask->grant.lifetime_s * S;
	if (way->drops_all || (way->drops_leases && !permanent))
		o->until = loop_now(w->loop) + S;
}

static void model_close(struct world *w, struct ask *ask)
{
	struct opened *o = find_opened(w, ask);

	if (o && o->method == ask->grant.method &&
	    (o->method != MAP_PCP || memcmp(o->nonce, ask->grant.nonce, PCP_NONCE_LEN) == 0))
		o->until = 0;
}

static struct asked *log_of(struct ask *ask)
{
	return &world->asked[ask->code];
}

static void on_model(void *arg)
{
	struct ask *ask = arg;
	struct world *w = world;
	struct way *way = &w->ways[ask->grant.method];
	struct asked *log = log_of(ask);

	ask->busy = false;
	if (ask->answer.r == 0 && log->verb == OPEN) {
		model_open(w, ask, way);
	} else if (ask->answer.r == 0 && log->verb == CLOSE) {
		model_close(w, ask);
	} else if (way->look_r) {
		ask->answer.r = way->look_r;
		if (way->look_r == -ERR_NOT_FOUND)
			router_find_igd(ask->router);
	} else if (ask->answer.r == 0 && !find_opened(w, ask)) {
		ask->answer.r = -ERR_REFUSED;
		snprintf(ask->answer.why, sizeof(ask->answer.why), "UPnP: lost");
	}
	if (ask->answer.r == 0)
		ask->answer.grant = ask->grant;
	log->r = ask->answer.r;
	ask->done(ask->arg, &ask->answer);
}

static void model_ask(struct ask *ask, enum verb verb, enum map_method method,
		      const struct map_grant *grant)
{
	struct world *w = world;
	const struct way *way = &w->ways[method];
	bool silent = way->mute || way->r == -ERR_TIMEOUT;

	assert_false(ask->busy);
	assert_int_not_equal(method, MAP_NONE);
	assert_true(w->n_asked < ASKED_MAX);
	ask->busy = true;
	ask->grant = *grant;
	ask->grant.method = method;
	ask->port = grant->external.port ? grant->external.port : ask->wish.external_port;
	ask->answer = (struct ask_answer){.r = silent ? -ERR_TIMEOUT : 0, .grant = ask->grant};
	if (silent)
		snprintf(ask->answer.why, sizeof(ask->answer.why), "%s: silence",
			 map_method_title(method));
	ask->code = w->n_asked;
	w->asked[w->n_asked++] = (struct asked){.at = loop_now(w->loop),
						.verb = verb,
						.method = method,
						.protocol = ask->wish.protocol,
						.port = ask->wish.internal_port,
						.external = ask->port,
						.lifetime_s = ask->wish.lifetime_s,
						.from = router_place(ask->router)->address,
						.noted = ask->may_be_permanent,
						.r = 1};
	memcpy(log_of(ask)->nonce, grant->nonce, PCP_NONCE_LEN);
	timer_start(&ask->rq.again, silent ? SILENCE : w->latency);
}

void ask_init(struct ask *ask, struct loop *loop, struct router *router,
	      const struct map_wish *wish, const char *id,
	      void (*done)(void *arg, const struct ask_answer *answer), void *arg)
{
	*ask = (struct ask){
		.router = router, .wish = *wish, .id = id, .done = done, .arg = arg, .loop = loop};
	world->model = true;
	timer_init(&ask->rq.again, loop, on_model, ask);
	world->model = false;
}

void ask_open(struct ask *ask, enum map_method method, const struct map_grant *grant)
{
	model_ask(ask, OPEN, method, grant);
}

void ask_close(struct ask *ask, const struct map_grant *grant)
{
	model_ask(ask, CLOSE, grant->method, grant);
}

void ask_verify(struct ask *ask, const struct map_grant *grant)
{
	assert_int_equal(grant->method, MAP_IGD);
	model_ask(ask, VERIFY, grant->method, grant);
}

void ask_cancel(struct ask *ask)
{
	timer_stop(&ask->rq.again);
	ask->busy = false;
}

void ask_finish(struct ask *ask, int r, const char *fmt, ...)
{
}

/* ── the world ── */

static void on_door(void *arg, struct map_door *door)
{
	struct world *w = arg;

	assert_false(w->inside);
	w->n_door++;
	if (w->then)
		w->then(w, door);
}

static void on_closed(void *arg, struct map_door *door)
{
	struct world *w = arg;

	assert_false(w->inside);
	w->n_closed++;
	w->closed = door;
}

static void on_router(void *arg, uint8_t family)
{
	struct world *w = arg;

	assert_false(w->inside);
	w->n_router++;
}

static void on_stopped(void *arg)
{
	struct world *w = arg;

	assert_false(w->inside);
	w->n_stopped++;
}

static void start(struct world *w)
{
	static const struct map_handler handler = {on_door, on_closed, on_router};
	const struct map_setup setup = {.state = w->state, .id = "homeport-test"};

	assert_int_equal(map_new(w->loop, &setup, &handler, w, &w->map, NULL), 0);
}

/* The process is killed; what it wrote is there. */
static void crash(struct world *w)
{
	char command[160];

	loop_sim_advance(w->loop, 0);
	/* map_free writes the ledger once more, as at an orderly end */
	snprintf(command, sizeof(command), "cp -a %s/doors %s/saved", w->state, w->state);
	assert_int_equal(system(command), 0);
	map_free(TAKE(w->map));
	snprintf(command, sizeof(command), "cd %s && rm -rf doors && mv saved doors", w->state);
	assert_int_equal(system(command), 0);
	loop_sim_advance(w->loop, 0);
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	world = w;
	w->latency = 10 * MS;
	for (int i = 0; i < MAP_METHOD_COUNT; i++)
		w->ways[i] = (struct way){
			.state = ROUTER_SILENT, .known_after = 2800 * MS, .lifetime_s = 7200};
	/* days of notes: where nobody waits for a disk */
	strcpy(w->state, "/dev/shm/homeport-doors-XXXXXX");
	if (!mkdtemp(w->state)) {
		strcpy(w->state, "/tmp/homeport-doors-XXXXXX");
		assert_non_null(mkdtemp(w->state));
	}
	assert_int_equal(loop_new_sim(&w->loop, NULL), 0);
	start(w);
	*state = w;
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static int teardown(void **state)
{
	struct world *w = *state;

	map_free(w->map);
	loop_sim_advance(w->loop, 0);
	assert_int_equal(w->n_routers, 0);
	loop_free(w->loop);
	nftw(w->state, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	free(w);
	world = NULL;
	return 0;
}

static void advance(struct world *w, usec_t span)
{
	loop_sim_advance(w->loop, span);
}

static void offers(struct world *w, enum map_method method, usec_t known_after)
{
	w->ways[method].state = ROUTER_THERE;
	w->ways[method].known_after = known_after;
}

static struct map_place place4(uint8_t last)
{
	return (struct map_place){.ifindex = 2,
				  .ifname = "eth0",
				  .address = {.family = 4, .bytes = {192, 168, 1, last}},
				  .prefix_len = 24,
				  .router = {.family = 4, .bytes = {192, 168, 1, 1}}};
}

static struct map_place place6(uint8_t prefix)
{
	return (struct map_place){
		.ifindex = 2,
		.ifname = "eth0",
		.address = {.family = 6, .bytes = {0x2a, 0x0e, prefix, [15] = 7}},
		.prefix_len = 64,
		.router = {.family = 6, .bytes = {0xfe, 0x80, [15] = 1}, .scope = 2}};
}

static void set_place(struct world *w, uint8_t family, const struct map_place *place)
{
	w->inside = true;
	map_set_place(w->map, family, place);
	w->inside = false;
}

static void at4(struct world *w, uint8_t last)
{
	const struct map_place place = place4(last);

	set_place(w, 4, &place);
}

static void at6(struct world *w, uint8_t prefix)
{
	const struct map_place place = place6(prefix);

	set_place(w, 6, &place);
}

static struct map_wish wish_of(uint8_t family, uint16_t port)
{
	return (struct map_wish){.family = family,
				 .protocol = IPPROTO_TCP,
				 .internal_port = port,
				 .external_port = port,
				 .lifetime_s = 7200};
}

static struct map_door *open_wish(struct world *w, const struct map_wish *wish)
{
	struct map_door *door = NULL;

	w->inside = true;
	assert_int_equal(map_open(w->map, wish, NULL, &door, NULL), 0);
	w->inside = false;
	return door;
}

static struct map_door *open4(struct world *w, uint16_t port)
{
	const struct map_wish wish = wish_of(4, port);

	return open_wish(w, &wish);
}

static struct map_door *open6(struct world *w, uint16_t port)
{
	const struct map_wish wish = wish_of(6, port);

	return open_wish(w, &wish);
}

/* At home, where the router does it this way: port 8000 is wanted. */
static struct map_door *open_by(struct world *w, enum map_method method)
{
	offers(w, method, 5 * MS);
	at4(w, 5);
	return open4(w, 8000);
}

static void close_door(struct world *w, struct map_door *door)
{
	w->inside = true;
	map_close(door);
	w->inside = false;
}

static void stop(struct world *w)
{
	w->inside = true;
	map_stop(w->map, on_stopped, w);
	w->inside = false;
}

static struct map_door_info info(const struct map_door *door)
{
	struct map_door_info info;

	map_door_info(door, &info);
	return info;
}

static enum lease_state state_of(const struct map_door *door)
{
	return info(door).state;
}

static unsigned count_open(struct world *w)
{
	unsigned n = 0;

	for (unsigned i = 0; i < OPENED_MAX; i++)
		n += w->opened[i].until > loop_now(w->loop);
	return n;
}

static struct opened *opened_port(struct world *w, uint16_t port, uint8_t last)
{
	for (unsigned i = 0; i < OPENED_MAX; i++)
		if (w->opened[i].until > loop_now(w->loop) && w->opened[i].internal.port == port &&
		    w->opened[i].internal.bytes[w->opened[i].internal.family == 6 ? 2 : 3] == last)
			return &w->opened[i];
	return NULL;
}

static unsigned count_asked(const struct world *w, enum verb verb, enum map_method method)
{
	unsigned n = 0;

	for (unsigned i = 0; i < w->n_asked; i++)
		n += w->asked[i].verb == verb && w->asked[i].method == method;
	return n;
}

static const struct asked *last_asked(const struct world *w)
{
	assert_true(w->n_asked > 0);
	return &w->asked[w->n_asked - 1];
}

/* The router loses everything, and PCP's epoch told it. */
static void restart_router(struct world *w)
{
	memset(w->opened, 0, sizeof(w->opened));
	for (unsigned i = 0; i < w->n_routers; i++)
		w->routers[i]->handler.on_restart(w->routers[i]->arg);
}

static void count_entry(void *arg, const struct ledger_entry *entry, pid_t holder)
{
	++*(unsigned *)arg;
}

/* What is remembered, on disk. */
static unsigned ledger_count(struct world *w)
{
	unsigned n = 0;

	ledger_look(w->state, count_entry, &n);
	return n;
}

/* What is on disk says "permanent". */
static bool disk_says_permanent(struct world *w)
{
	char command[160];

	snprintf(command, sizeof(command), "grep -qs '\"permanent\": true' %s/doors/*/doors.json",
		 w->state);
	return system(command) == 0;
}

/* ── opening: the order of the ways ── */

static void by_pcp(void **state)
{
	struct world *w = *state;
	struct map_door *door = open4(w, 8000);

	offers(w, MAP_PCP, 5 * MS);
	offers(w, MAP_NATPMP, 5 * MS);
	offers(w, MAP_IGD, 100 * MS);
	advance(w, S);
	assert_int_equal(state_of(door), LEASE_PROBING); /* there is no place yet */
	assert_null(info(door).place);
	assert_int_equal(w->n_asked, 0);
	at4(w, 5);
	advance(w, 20 * MS);
	assert_int_equal(state_of(door), LEASE_OPEN);
	assert_int_equal(info(door).grant.method, MAP_PCP);
	assert_int_equal(info(door).external.port, 8000);
	assert_true(info(door).took > 0);
	assert_string_equal(info(door).why, "");
	assert_int_equal(w->n_asked, 1);
	assert_true(w->n_router >= 1);
	assert_int_equal(w->n_door >= 1, 1);
	assert_int_equal(count_open(w), 1);
}

static void the_better_way_is_waited_for_a_moment(void **state)
{
	struct world *w = *state;
	struct map_door *door;

	offers(w, MAP_PCP, 200 * MS);
	door = open_by(w, MAP_NATPMP);
	advance(w, 150 * MS);
	assert_int_equal(w->n_asked, 0);
	advance(w, 100 * MS);
	assert_int_equal(info(door).grant.method, MAP_PCP);
}

static void but_no_longer(void **state)
{
	struct world *w = *state;
	struct map_door *door;

	offers(w, MAP_PCP, 400 * MS);
	door = open_by(w, MAP_NATPMP);
	advance(w, 245 * MS);
	assert_int_equal(w->n_asked, 0);
	advance(w, 20 * MS);
	assert_int_equal(state_of(door), LEASE_OPEN);
	assert_int_equal(info(door).grant.method, MAP_NATPMP);
	advance(w, 10 * S);
	assert_int_equal(w->n_asked, 1); /* it is not moved */
}

static void the_only_way_comes_last(void **state)
{
	struct world *w = *state;
	struct map_door *door;

	offers(w, MAP_IGD, 2400 * MS);
	w->ways[MAP_PCP].known_after = w->ways[MAP_NATPMP].known_after = 3000 * MS;
	at4(w, 5);
	door = open4(w, 8000);
	advance(w, 2420 * MS);
	assert_int_equal(state_of(door), LEASE_OPEN);
	assert_int_equal(info(door).grant.method, MAP_IGD);
}

static void refused_by_two_granted_by_the_third(void **state)
{
	struct world *w = *state;
	struct map_door *door;

	for (int i = 0; i < MAP_METHOD_COUNT; i++)
		offers(w, (enum map_method)i, 5 * MS);
	w->ways[MAP_PCP].r = w->ways[MAP_NATPMP].r = -ERR_REFUSED;
	at4(w, 5);
	door = open4(w, 8000);
	advance(w, 100 * MS);
	assert_int_equal(info(door).grant.method, MAP_IGD);
	assert_string_equal(info(door).why, "PCP: no; NAT-PMP: no");
	assert_int_equal(w->asked[0].method, MAP_PCP);
	assert_int_equal(w->asked[1].method, MAP_NATPMP);
	assert_int_equal(w->asked[2].method, MAP_IGD);
}

static void silent_ways_are_passed_over(void **state)
{
	struct world *w = *state;
	struct map_door *door;

	offers(w, MAP_NATPMP, 5 * MS);
	w->ways[MAP_PCP].mute = true;
	w->ways[MAP_IGD].state = ROUTER_ABSENT;
	door = open_by(w, MAP_PCP);
	advance(w, 4 * S);
	assert_int_equal(info(door).grant.method, MAP_NATPMP);
	assert_string_equal(info(door).why, "PCP: silence");
}

static void all_refuse_and_are_asked_again(void **state)
{
	struct world *w = *state;
	struct map_door *door;
	usec_t before = 0, span = 0;
	unsigned tries = 0;

	w->ways[MAP_PCP].r = -ERR_REFUSED;
	door = open_by(w, MAP_PCP);
	advance(w, 4 * S);
	assert_int_equal(state_of(door), LEASE_REFUSED);
	assert_string_equal(info(door).why, "PCP: no; NAT-PMP is not offered; UPnP is not offered");
	assert_true(info(door).retry_at > loop_now(w->loop));
	advance(w, 86400 * S);
	for (unsigned i = 0; i < w->n_asked; i++, tries++) {
		span = w->asked[i].at - before;
		if (i == 1) /* one that refused is left alone for 30 s at least */
			assert_in_range(span, 30 * S, 40 * S);
		before = w->asked[i].at;
	}
	assert_in_range(span, 900 * S, 1200 * S); /* grown to 1024 s */
	assert_in_range(tries, 80, 110);
	/* and when it does not refuse any more */
	w->ways[MAP_PCP].r = 0;
	advance(w, 1200 * S);
	assert_int_equal(state_of(door), LEASE_OPEN);
	assert_string_equal(info(door).why, "");
}

static void the_pause_it_wants(void **state)
{
	struct world *w = *state;

	w->ways[MAP_PCP].r = -ERR_REFUSED;
	w->ways[MAP_PCP].wait_s = 900;
	open_by(w, MAP_PCP);
	advance(w, 890 * S);
	assert_int_equal(w->n_asked, 1);
	advance(w, 20 * S);
	assert_int_equal(w->n_asked, 2);
}

static void nothing_offered(void **state)
{
	struct world *w = *state;
	struct map_door *door;

	w->ways[MAP_PCP].state = ROUTER_ABSENT;
	at4(w, 5);
	door = open4(w, 8000);
	advance(w, 3 * S);
	assert_int_equal(state_of(door), LEASE_REFUSED);
	assert_string_equal(info(door).why, "PCP is not offered; NAT-PMP is not offered; UPnP is "
					    "not offered");
	assert_int_equal(w->n_asked, 0);
	/* one that is silent is looked for sooner than one that refuses is asked */
	assert_true(info(door).retry_at - loop_now(w->loop) <= 4 * S);
}

/* An answer that comes when all was given up. */
static void better_late(void **state)
{
	struct world *w = *state;
	struct map_door *door;

	w->ways[MAP_PCP].r = -ERR_REFUSED;
	w->ways[MAP_PCP].wait_s = 1800;
	door = open_by(w, MAP_PCP);
	advance(w, 4 * S);
	assert_int_equal(state_of(door), LEASE_REFUSED);
	w->routers[0]->offers[MAP_IGD].state = ROUTER_THERE;
	defer_call(&w->routers[0]->tell);
	advance(w, 20 * MS);
	assert_int_equal(state_of(door), LEASE_OPEN);
	assert_int_equal(info(door).grant.method, MAP_IGD);
	assert_string_equal(info(door).why, "PCP: no"); /* which was not asked again */
	assert_int_equal(count_asked(w, OPEN, MAP_PCP), 1);
}

static void another_port_than_wished(void **state)
{
	struct world *w = *state;
	struct map_door *door;

	w->ways[MAP_PCP].other_port = 8001;
	door = open_by(w, MAP_PCP);
	advance(w, 20 * MS);
	assert_int_equal(info(door).external.port, 8001);
	w->ways[MAP_PCP].other_port = 0;
	advance(w, 7200 * S);
	assert_int_equal(last_asked(w)->external, 8001); /* what it has is what it asks for */
	assert_int_equal(info(door).external.port, 8001);
}

static void an_address_that_is_not_ready(void **state)
{
	struct world *w = *state;
	struct map_door *door = open4(w, 8000);

	at4(w, 99);
	advance(w, 0);
	assert_int_equal(w->n_door, 1);
	assert_int_equal(state_of(door), LEASE_PROBING);
	assert_string_equal(info(door).why, "cannot assign requested address");
	offers(w, MAP_PCP, 5 * MS);
	at4(w, 5);
	advance(w, 20 * MS);
	assert_int_equal(state_of(door), LEASE_OPEN);
	assert_string_equal(info(door).why, "");
}

/* ── keeping ── */

/* A day: it is never shut, renewed at half of its life, and nothing fires for nothing. */
static void a_day(struct world *w, enum map_method method, uint32_t lifetime_s, unsigned verifies)
{
	struct map_door *door;
	usec_t granted;
	unsigned before;

	w->ways[method].lifetime_s = lifetime_s;
	door = open_by(w, method);
	advance(w, 300 * S);
	assert_int_equal(state_of(door), LEASE_OPEN);
	forget_counts(w);
	before = w->n_asked;
	for (unsigned i = 0; i < 86400 / 30; i++) {
		advance(w, 30 * S);
		assert_int_equal(count_open(w), 1);
	}
	assert_int_equal(state_of(door), LEASE_OPEN);
	assert_true(w->fired <= 86400 / 60);
	assert_true(shortest_gap(w) >= 60 * S - 20 * MS || method == MAP_IGD);
	granted = w->asked[0].at;
	for (unsigned i = 0; i < w->n_asked; i++) {
		usec_t age = w->asked[i].at - granted;

		if (w->asked[i].verb != OPEN)
			continue;
		if (i > 0)
			assert_in_range(age, lifetime_s * S / 2, lifetime_s * S * 5 / 8 + S);
		assert_int_equal(w->asked[i].external, 8000);
		assert_memory_equal(w->asked[i].nonce, w->asked[0].nonce, PCP_NONCE_LEN);
		granted = w->asked[i].at;
	}
	assert_in_range(w->n_asked - before - verifies, 86400 / (lifetime_s * 5 / 8 + 1),
			86400 / (lifetime_s / 2));
	assert_int_equal(w->routers[0]->probes, 1);
}

static void a_day_of_pcp(void **state)
{
	a_day(*state, MAP_PCP, 7200, 0);
}

static void a_day_of_short_leases(void **state)
{
	a_day(*state, MAP_NATPMP, 120, 0);
}

/* With a look every ten minutes, at most. */
static void a_day_of_upnp(void **state)
{
	struct world *w = *state;
	unsigned looks;

	open_by(w, MAP_IGD);
	advance(w, 40 * S);
	assert_int_equal(count_asked(w, VERIFY, MAP_IGD), 2); /* after 3 s and 30 s */
	assert_in_range(w->asked[1].at - w->asked[0].at, 3 * S, 4 * S);
	assert_in_range(w->asked[2].at - w->asked[0].at, 30 * S, 31 * S);
	forget_counts(w);
	advance(w, 86400 * S);
	looks = count_asked(w, VERIFY, MAP_IGD);
	assert_in_range(looks, 86400 / 700, 86400 / 600 + 3);
	assert_in_range(count_asked(w, OPEN, MAP_IGD), 86400 / 4501, 86400 / 3600 + 1);
	assert_true(w->fired <= 2 * (looks + 30));
	assert_int_equal(count_open(w), 1);
}

static void a_day_without_a_router(void **state)
{
	struct world *w = *state;

	at4(w, 5);
	open4(w, 8000);
	advance(w, 3600 * S);
	forget_counts(w);
	advance(w, 86400 * S);
	assert_in_range(w->fired, 80, 86400 / 400);
}

static void silence_at_renewal(void **state)
{
	struct world *w = *state;
	struct map_door *door;

	offers(w, MAP_IGD, 5 * MS);
	door = open_by(w, MAP_PCP);
	advance(w, S);
	w->ways[MAP_PCP].mute = true;
	advance(w, 7190 * S);
	assert_int_equal(state_of(door), LEASE_OPEN); /* until it expires */
	assert_true(w->n_asked >= 4);
	assert_in_range(w->asked[1].at - w->asked[0].at, 3600 * S, 4500 * S);
	assert_in_range(w->asked[2].at - w->asked[0].at, 5400 * S, 5850 * S);
	assert_in_range(w->asked[3].at - w->asked[0].at, 6300 * S, 6525 * S);
	for (unsigned i = 1; i < w->n_asked; i++)
		assert_true(w->asked[i].at - w->asked[i - 1].at >= 4 * S);
	advance(w, 20 * S);
	assert_int_equal(state_of(door), LEASE_OPEN);
	assert_int_equal(info(door).grant.method, MAP_IGD);
	assert_int_equal(info(door).external.port, 8000);
}

static void refused_at_renewal(void **state)
{
	struct world *w = *state;
	struct map_door *door;

	offers(w, MAP_NATPMP, 5 * MS);
	door = open_by(w, MAP_PCP);
	advance(w, S);
	w->ways[MAP_PCP].r = -ERR_REFUSED;
	advance(w, 4600 * S);
	assert_int_equal(info(door).grant.method, MAP_NATPMP);
	assert_int_equal(state_of(door), LEASE_OPEN);
	assert_string_equal(info(door).why, "PCP: no");
}

static void the_machine_sleeps(void **state)
{
	struct world *w = *state;
	struct map_door *door = open_by(w, MAP_PCP);

	advance(w, S);
	loop_sim_sleep(w->loop, 5000 * S); /* it is late, but not too late */
	advance(w, 20 * MS);
	assert_int_equal(w->n_asked, 2);
	assert_int_equal(state_of(door), LEASE_OPEN);
	loop_sim_sleep(w->loop, 30000 * S);
	assert_int_equal(count_open(w), 0);
	advance(w, 100 * MS);
	assert_int_equal(state_of(door), LEASE_OPEN);
	assert_int_equal(count_open(w), 1);
}

static void asked_for_again_when_woken(void **state)
{
	struct world *w = *state;
	struct map_door *door;

	w->ways[MAP_PCP].r = -ERR_REFUSED;
	w->ways[MAP_PCP].wait_s = 1800;
	door = open_by(w, MAP_PCP);
	advance(w, 5 * S);
	w->ways[MAP_PCP].r = 0;
	map_wake(w->map);
	advance(w, 20 * MS);
	assert_int_equal(state_of(door), LEASE_OPEN);
	assert_int_equal(w->checks, 1);
}

static void hints_are_counted(void **state)
{
	struct world *w = *state;
	const struct map_place place = place4(5);
	struct ipaddr stranger = {.family = 4, .bytes = {192, 168, 1, 77}};

	at4(w, 5);
	w->on_hint(w->hint_arg, &stranger);
	advance(w, 10 * S);
	assert_int_equal(w->checks, 0);
	for (int i = 0; i < 100; i++) {
		w->on_hint(w->hint_arg, &place.router);
		advance(w, 100 * MS);
	}
	assert_in_range(w->checks, 9, 11); /* one a second */
	w->checks = 0;
	w->on_hint(w->hint_arg, &place.router);
	w->on_hint(w->hint_arg, &place.router);
	advance(w, 10 * S); /* what came too soon counts, too */
	assert_in_range(w->checks, 1, 2);
}

/* ── a router that starts anew ── */

static void all_come_back(void **state)
{
	struct world *w = *state;
	uint8_t nonces[MAP_DOORS_MAX][PCP_NONCE_LEN];
	struct map_door *doors[MAP_DOORS_MAX];

	offers(w, MAP_PCP, 5 * MS);
	at4(w, 5);
	for (unsigned i = 0; i < MAP_DOORS_MAX; i++)
		doors[i] = open4(w, (uint16_t)(8000 + i));
	advance(w, S);
	assert_int_equal(count_open(w), MAP_DOORS_MAX);
	for (unsigned i = 0; i < MAP_DOORS_MAX; i++)
		memcpy(nonces[i], info(doors[i]).grant.nonce, PCP_NONCE_LEN);
	assert_memory_not_equal(nonces[0], nonces[1], PCP_NONCE_LEN);
	advance(w, 500 * S);
	restart_router(w);
	assert_int_equal(count_open(w), 0);
	w->n_asked = 0;
	advance(w, 5 * S);
	assert_int_equal(count_open(w), MAP_DOORS_MAX);
	assert_int_equal(w->n_asked, MAP_DOORS_MAX);
	/* not all at once */
	assert_true(w->asked[MAP_DOORS_MAX - 1].at - w->asked[0].at > 200 * MS);
	for (unsigned i = 0; i < MAP_DOORS_MAX; i++) {
		assert_int_equal(state_of(doors[i]), LEASE_OPEN);
		assert_int_equal(info(doors[i]).external.port, 8000 + i);
		assert_memory_equal(info(doors[i]).grant.nonce, nonces[i], PCP_NONCE_LEN);
		assert_memory_equal(opened_port(w, (uint16_t)(8000 + i), 5)->nonce, nonces[i],
				    PCP_NONCE_LEN);
	}
}

static void a_restart_in_the_midst_of_a_renewal(void **state)
{
	struct world *w = *state;
	struct map_door *door;

	w->latency = 500 * MS;
	door = open_by(w, MAP_PCP);
	advance(w, S);
	while (w->n_asked < 2)
		advance(w, 100 * MS);
	restart_router(w);
	advance(w, 5 * S);
	assert_int_equal(state_of(door), LEASE_OPEN);
	assert_int_equal(count_open(w), 1);
}

/* Its answers say so each time, which no router does that is in its right mind. */
static void a_router_that_restarts_all_the_time(void **state)
{
	struct world *w = *state;
	struct map_door *door = open_by(w, MAP_PCP);

	advance(w, S);
	for (unsigned i = 0; i < 500; i++) {
		w->routers[0]->handler.on_restart(w->routers[0]->arg);
		advance(w, S);
	}
	assert_in_range(w->n_asked, 3, 8);
	assert_int_equal(state_of(door), LEASE_OPEN);
	advance(w, 200 * S);
	restart_router(w);
	advance(w, 3 * S);
	assert_int_equal(count_open(w), 1);
}

static void a_restart_while_it_is_refused(void **state)
{
	struct world *w = *state;
	struct map_door *door;

	w->ways[MAP_PCP].r = -ERR_REFUSED;
	w->ways[MAP_PCP].wait_s = 1800;
	door = open_by(w, MAP_PCP);
	advance(w, 5 * S);
	w->ways[MAP_PCP].r = 0;
	restart_router(w);
	advance(w, S);
	assert_int_equal(state_of(door), LEASE_OPEN);
}

/* ── UPnP's ways ── */

static void only_permanent(void **state)
{
	struct world *w = *state;
	struct map_door *door;

	w->ways[MAP_IGD].only_permanent = true;
	door = open_by(w, MAP_IGD);
	while (w->n_asked < 2)
		advance(w, MS);
	assert_false(w->asked[0].noted);
	assert_true(w->asked[1].noted);
	assert_true(disk_says_permanent(w)); /* before the router has it */
	assert_int_equal(count_open(w), 0);
	advance(w, 100 * MS);
	assert_int_equal(state_of(door), LEASE_OPEN);
	assert_true(info(door).grant.permanent);
	assert_true(info(door).expires == USEC_MAX);
	advance(w, 86400 * S);
	assert_int_equal(count_asked(w, OPEN, MAP_IGD), 2); /* there is nothing to renew */
	close_door(w, door);
	advance(w, S);
	assert_int_equal(w->n_closed, 1);
	assert_int_equal(count_open(w), 0);
	assert_int_equal(ledger_count(w), 0);
	assert_false(disk_says_permanent(w));
}

/* Killed between the question and the answer: the next process knows enough to give it back. */
static void killed_before_the_answer(void **state)
{
	struct world *w = *state;

	w->ways[MAP_IGD].only_permanent = true;
	open_by(w, MAP_IGD);
	while (w->n_asked < 2)
		advance(w, MS);
	assert_true(last_asked(w)->noted);
	crash(w);
	w->opened[0] = (struct opened){.method = MAP_IGD,
				       .protocol = IPPROTO_TCP,
				       .internal = place4(5).address,
				       .external = 8000,
				       .until = USEC_MAX};
	w->opened[0].internal.port = 8000;
	start(w);
	/* by now the router does better things, too */
	offers(w, MAP_PCP, 5 * MS);
	at4(w, 5);
	advance(w, 5 * S);
	assert_int_equal(count_open(w), 0);
	assert_int_equal(ledger_count(w), 0);
	assert_int_equal(last_asked(w)->verb, CLOSE);
	assert_int_equal(last_asked(w)->method, MAP_IGD);
}

/* What is there for ever is not forgotten for a better way. */
static void permanent_stays_where_it_is(void **state)
{
	struct world *w = *state;
	struct map_door *door;

	w->ways[MAP_IGD].only_permanent = true;
	open_by(w, MAP_IGD);
	advance(w, S);
	assert_int_equal(count_open(w), 1);
	crash(w);
	start(w);
	offers(w, MAP_IGD, 1000 * MS);
	door = open_by(w, MAP_PCP);
	advance(w, 2 * S);
	assert_int_equal(state_of(door), LEASE_OPEN);
	assert_int_equal(info(door).grant.method, MAP_IGD);
	stop(w);
	advance(w, 2 * S);
	assert_int_equal(count_open(w), 0);
}

static void no_permanence_without_a_memory(void **state)
{
	struct world *w = *state;
	struct map_door *door;
	char command[160];

	offers(w, MAP_IGD, 5 * MS);
	w->ways[MAP_IGD].only_permanent = true;
	at4(w, 5);
	snprintf(command, sizeof(command), "rm -rf %s/doors", w->state);
	assert_int_equal(system(command), 0);
	door = open4(w, 8000);
	advance(w, 5 * S);
	assert_int_equal(state_of(door), LEASE_REFUSED);
	assert_non_null(strstr(info(door).why, "cannot be remembered here"));
	assert_int_equal(count_open(w), 0);
	for (unsigned i = 0; i < w->n_asked; i++)
		assert_false(w->asked[i].noted);
}

static void leases_that_are_dropped_at_once(void **state)
{
	struct world *w = *state;
	struct map_door *door;

	w->ways[MAP_IGD].drops_leases = true;
	door = open_by(w, MAP_IGD);
	advance(w, 30 * S);
	assert_int_equal(state_of(door), LEASE_OPEN);
	assert_true(info(door).grant.permanent);
	assert_int_equal(count_open(w), 1);
	assert_true(disk_says_permanent(w));
	for (unsigned i = 0; i < w->n_asked; i++)
		if (w->asked[i].verb == OPEN && w->asked[i].r == 0 && i + 1 < w->n_asked)
			assert_int_equal(w->asked[i + 1].verb, VERIFY);
}

static void a_router_that_holds_nothing_is_not_hammered(void **state)
{
	struct world *w = *state;

	w->ways[MAP_IGD].drops_all = true;
	open_by(w, MAP_IGD);
	advance(w, 3600 * S);
	w->n_asked = 0;
	advance(w, 86400 * S);
	assert_true(w->n_asked <= 3 * 86400 / 600 + 10);
}

/* It granted, and was never heard again. */
static void a_device_that_falls_silent_is_not_hammered(void **state)
{
	struct world *w = *state;
	struct map_door *door = open_by(w, MAP_IGD);

	advance(w, S);
	w->ways[MAP_IGD].mute = true;
	advance(w, 3500 * S);
	assert_int_equal(state_of(door), LEASE_OPEN);
	assert_true(w->n_asked <= 10);
}

/* Found each time, and each time it is not where it was found. */
static void a_device_that_cannot_be_asked_is_not_hammered(void **state)
{
	struct world *w = *state;
	struct map_door *door = open_by(w, MAP_IGD);

	advance(w, 100 * S);
	w->ways[MAP_IGD].look_r = -ERR_NOT_FOUND;
	w->n_asked = 0;
	advance(w, 3400 * S);
	assert_int_equal(state_of(door), LEASE_OPEN);
	assert_in_range(w->n_asked, 5, 20);
	w->ways[MAP_IGD].look_r = 0;
	advance(w, 2000 * S);
	assert_int_equal(count_open(w), 1);
}

/* It has moved to another port, as it does when it restarts: its entries are made anew, at once. */
static void a_device_that_moves(void **state)
{
	struct world *w = *state;
	struct map_door *door = open_by(w, MAP_IGD);

	advance(w, 100 * S);
	memset(w->opened, 0, sizeof(w->opened));
	w->ways[MAP_IGD].look_r = -ERR_NOT_FOUND;
	w->n_asked = 0;
	while (!w->n_asked || last_asked(w)->r == 1)
		advance(w, MS);
	assert_int_equal(last_asked(w)->verb, VERIFY);
	w->ways[MAP_IGD].look_r = 0;
	advance(w, S);
	assert_int_equal(count_open(w), 1);
	assert_int_equal(state_of(door), LEASE_OPEN);
}

static void an_entry_that_gets_lost(void **state)
{
	struct world *w = *state;
	struct map_door *door = open_by(w, MAP_IGD);

	advance(w, 1000 * S);
	memset(w->opened, 0, sizeof(w->opened));
	advance(w, 610 * S);
	assert_int_equal(state_of(door), LEASE_OPEN);
	assert_int_equal(count_open(w), 1);
	assert_false(info(door).grant.permanent);
}

/* ── other places ── */

static void the_address_changes(void **state)
{
	struct world *w = *state;
	struct map_door *door = open_by(w, MAP_PCP);

	advance(w, S);
	at4(w, 6);
	advance(w, S);
	assert_int_equal(state_of(door), LEASE_OPEN);
	assert_non_null(opened_port(w, 8000, 6));
	assert_null(opened_port(w, 8000, 5)); /* given back */
	assert_int_equal(ledger_count(w), 1);
	assert_int_equal(w->n_routers, 1);
	assert_int_equal(w->n_closed, 0);
	at4(w, 6); /* the same */
	advance(w, S);
	assert_int_equal(count_asked(w, OPEN, MAP_PCP), 2);
}

static void the_former_address_is_gone(void **state)
{
	struct world *w = *state;
	struct map_door *door = open_by(w, MAP_PCP);

	advance(w, S);
	w->latency = 1600 * MS; /* longer than is waited for */
	at4(w, 6);
	advance(w, 2 * S);
	assert_int_equal(state_of(door), LEASE_OPEN);
	assert_int_equal(w->n_routers, 1);
	assert_int_equal(ledger_count(w), 2); /* it is remembered */
	w->latency = 10 * MS;
	/* and given back when we are there again, if nobody wants it */
	close_door(w, door);
	advance(w, 2 * S);
	at4(w, 5);
	advance(w, 10 * S);
	assert_int_equal(ledger_count(w), 0);
	assert_int_equal(count_open(w), 0);
}

/* The router holds the port for the former address, which cannot give it back: when that has expired
 * the door is where it was wished again. */
static void back_to_the_wished_port(void **state)
{
	struct world *w = *state;
	struct map_door *door = open_by(w, MAP_PCP);

	advance(w, S);
	w->latency = 1600 * MS; /* longer than is waited for */
	w->ways[MAP_PCP].other_port = 8001;
	at4(w, 6);
	advance(w, 5 * S);
	w->latency = 10 * MS;
	assert_int_equal(info(door).external.port, 8001);
	w->ways[MAP_PCP].other_port = 0;
	advance(w, 3600 * S);
	assert_int_equal(info(door).external.port, 8001);
	advance(w, 3600 * S);
	assert_int_equal(state_of(door), LEASE_OPEN);
	assert_int_equal(info(door).external.port, 8000);
	assert_int_equal(count_open(w), 1);
	assert_int_equal(count_asked(w, CLOSE, MAP_PCP), 2);
	advance(w, 86400 * S);
	assert_int_equal(count_asked(w, CLOSE, MAP_PCP), 2); /* once */
}

/* Somebody else has it now: another one is as good as the one before. */
static void the_wished_port_is_still_taken(void **state)
{
	struct world *w = *state;
	struct map_door *door = open_by(w, MAP_PCP);

	advance(w, S);
	w->latency = 1600 * MS;
	w->ways[MAP_PCP].other_port = 8001;
	at4(w, 6);
	advance(w, 5 * S);
	w->latency = 10 * MS;
	advance(w, 2 * 86400 * S);
	assert_int_equal(state_of(door), LEASE_OPEN);
	assert_int_equal(info(door).external.port, 8001);
	assert_int_equal(count_asked(w, CLOSE, MAP_PCP), 2);
}

static void the_prefix_changes(void **state)
{
	struct world *w = *state;
	struct map_door *door;
	unsigned asked;

	offers(w, MAP_PCP, 5 * MS);
	at6(w, 1);
	door = open6(w, 8000);
	advance(w, 1000 * S);
	at6(w, 2);
	advance(w, S);
	assert_int_equal(state_of(door), LEASE_OPEN);
	assert_int_equal(info(door).place->address.bytes[2], 2);
	/* visitors still have the former address: it stays as long as was granted, no longer */
	assert_non_null(opened_port(w, 8000, 1));
	assert_non_null(opened_port(w, 8000, 2));
	assert_int_equal(w->n_routers, 2);
	asked = w->n_asked;
	advance(w, 6190 * S);
	assert_non_null(opened_port(w, 8000, 1));
	for (unsigned i = asked; i < w->n_asked; i++)
		assert_int_equal(w->asked[i].from.bytes[2], 2);
	advance(w, 20 * S);
	assert_null(opened_port(w, 8000, 1));
	assert_int_equal(w->n_routers, 1);
	assert_int_equal(ledger_count(w), 1);
	assert_int_equal(state_of(door), LEASE_OPEN);
	assert_int_equal(w->n_closed, 0);
}

static void both_prefixes_are_closed_at_the_end(void **state)
{
	struct world *w = *state;

	offers(w, MAP_PCP, 5 * MS);
	at6(w, 1);
	open6(w, 8000);
	advance(w, 1000 * S);
	at6(w, 2);
	advance(w, S);
	assert_int_equal(count_open(w), 2);
	stop(w);
	advance(w, 2 * S);
	assert_int_equal(count_open(w), 0);
	assert_int_equal(w->n_stopped, 1);
	assert_int_equal(ledger_count(w), 0);
}

/* There and back: the one door there is must not be shut by what was on its way out. */
static void there_and_back(struct world *w, uint8_t family)
{
	const struct map_place a = family == 6 ? place6(1) : place4(1),
			       b = family == 6 ? place6(2) : place4(2);
	struct map_door *door;
	uint8_t nonce[PCP_NONCE_LEN];

	offers(w, MAP_PCP, 5 * MS);
	set_place(w, family, &a);
	door = family == 6 ? open6(w, 8000) : open4(w, 8000);
	advance(w, 1000 * S);
	memcpy(nonce, info(door).grant.nonce, PCP_NONCE_LEN);
	set_place(w, family, &b);
	advance(w, 2 * MS);
	set_place(w, family, &a);
	advance(w, S);
	assert_int_equal(state_of(door), LEASE_OPEN);
	assert_memory_equal(info(door).grant.nonce, nonce, PCP_NONCE_LEN);
	assert_int_equal(info(door).external.port, 8000);
	for (unsigned i = 0; i < 3 * 7200 / 30; i++) {
		advance(w, 30 * S);
		assert_non_null(opened_port(w, 8000, 1));
	}
	assert_int_equal(ledger_count(w), 1);
	assert_int_equal(w->n_routers, 1);
	set_place(w, family, &b);
	advance(w, 100 * S);
	set_place(w, family, &a);
	advance(w, 100 * S);
	set_place(w, family, &b);
	advance(w, 8000 * S);
	assert_non_null(opened_port(w, 8000, 2));
	assert_int_equal(count_open(w), 1);
	assert_int_equal(ledger_count(w), 1);
	stop(w);
	advance(w, 2 * S);
	assert_int_equal(count_open(w), 0);
	assert_int_equal(ledger_count(w), 0);
}

static void there_and_back_4(void **state)
{
	there_and_back(*state, 4);
}

static void there_and_back_6(void **state)
{
	there_and_back(*state, 6);
}

/* A laptop, or a line with another address each night, for months. */
static void more_places_than_are_remembered(void **state)
{
	struct world *w = *state;
	struct map_door *door;

	offers(w, MAP_PCP, 5 * MS);
	door = open4(w, 8000);
	for (uint8_t last = 100; last < 100 + LEDGER_MAX + 8; last++) {
		at4(w, last);
		advance(w, 7300 * S);
		assert_int_equal(state_of(door), LEASE_OPEN);
		set_place(w, 4, NULL);
		advance(w, S);
	}
	assert_int_equal(ledger_count(w), LEDGER_MAX);
}

static void the_network_is_down_for_a_while(void **state)
{
	struct world *w = *state;
	uint8_t nonce[PCP_NONCE_LEN];
	struct map_door *door;
	unsigned told;

	w->ways[MAP_PCP].other_port = 8765;
	door = open_by(w, MAP_PCP);
	advance(w, S);
	memcpy(nonce, info(door).grant.nonce, PCP_NONCE_LEN);
	w->ways[MAP_PCP].other_port = 0;
	told = w->n_door;
	set_place(w, 4, NULL);
	assert_int_equal(w->n_door, told); /* not from inside */
	assert_int_equal(state_of(door), LEASE_PROBING);
	advance(w, 100 * S);
	assert_true(w->n_door > told);
	assert_int_equal(w->n_asked, 1); /* nobody is there to be asked */
	assert_int_equal(w->n_routers, 0);
	at4(w, 5);
	advance(w, S);
	assert_int_equal(state_of(door), LEASE_OPEN);
	assert_int_equal(info(door).external.port, 8765);
	assert_memory_equal(info(door).grant.nonce, nonce, PCP_NONCE_LEN);
	assert_int_equal(ledger_count(w), 1);
}

static void exactly_is_exactly(void **state)
{
	struct map_wish wish = wish_of(4, 8000);
	struct world *w = *state;
	struct map_door *door;

	w->ways[MAP_PCP].other_port = 8765;
	open_by(w, MAP_PCP);
	advance(w, S);
	crash(w);
	start(w);
	w->ways[MAP_PCP].other_port = 0;
	wish.external_port = 80;
	wish.exactly = true;
	at4(w, 5);
	door = open_wish(w, &wish);
	advance(w, S);
	assert_int_equal(info(door).external.port, 80); /* not what the former process had */
}

/* ── what others have left ── */

static void orphans_are_given_back(void **state)
{
	struct world *w = *state;
	uint8_t nonce[PCP_NONCE_LEN];
	struct map_door *door = open_by(w, MAP_PCP);

	open4(w, 8001);
	open4(w, 8002);
	advance(w, S);
	memcpy(nonce, info(door).grant.nonce, PCP_NONCE_LEN);
	crash(w);
	assert_int_equal(count_open(w), 3);
	start(w);
	assert_int_equal(ledger_count(w), 3);
	door = open4(w, 8000); /* wanted as before */
	at4(w, 5);
	advance(w, 10 * S);
	assert_int_equal(count_open(w), 1);
	assert_non_null(opened_port(w, 8000, 5));
	assert_memory_equal(info(door).grant.nonce, nonce, PCP_NONCE_LEN);
	assert_int_equal(ledger_count(w), 1);
}

static void of_another_place_they_wait(void **state)
{
	struct world *w = *state;

	open_by(w, MAP_PCP);
	advance(w, S);
	crash(w);
	start(w);
	at4(w, 6);
	advance(w, 10 * S);
	assert_int_equal(ledger_count(w), 1);
	assert_int_equal(count_open(w), 1);
	at4(w, 5);
	advance(w, 10 * S);
	assert_int_equal(ledger_count(w), 0);
	assert_int_equal(count_open(w), 0);
}

/* The router comes later than we do: what is left is given back when it is there. */
static void orphans_wait_for_the_router(void **state)
{
	struct world *w = *state;

	w->ways[MAP_IGD].only_permanent = true;
	open_by(w, MAP_IGD);
	advance(w, S);
	crash(w);
	start(w);
	w->ways[MAP_IGD].state = ROUTER_SILENT;
	at4(w, 5);
	advance(w, 100 * S);
	assert_int_equal(ledger_count(w), 1);
	w->ways[MAP_IGD].state = ROUTER_THERE;
	router_probe_again(w->routers[0]);
	advance(w, 5 * S);
	assert_int_equal(ledger_count(w), 0);
	assert_int_equal(count_open(w), 0);
}

static void wanted_while_it_is_given_back(void **state)
{
	struct world *w = *state;
	struct map_door *door;

	open_by(w, MAP_PCP);
	advance(w, S);
	crash(w);
	start(w);
	w->latency = 800 * MS;
	w->n_asked = 0;
	at4(w, 5);
	while (!w->n_asked)
		advance(w, 10 * MS);
	assert_int_equal(last_asked(w)->verb, CLOSE);
	door = open4(w, 8000);
	advance(w, 10 * S);
	assert_int_equal(state_of(door), LEASE_OPEN);
	assert_int_equal(count_open(w), 1);
	assert_int_equal(ledger_count(w), 1);
	advance(w, 7200 * S);
	assert_int_equal(count_open(w), 1);
}

static void deleted_by_hand(void **state)
{
	struct world *w = *state;

	open_by(w, MAP_PCP);
	advance(w, S);
	assert_int_equal(map_delete(w->map, 4, IPPROTO_TCP, 8000, NULL), -ERR_NOT_FOUND);
	assert_int_equal(map_delete(w->map, 4, IPPROTO_TCP, 8001, NULL), -ERR_NOT_FOUND);
	crash(w);
	start(w);
	assert_int_equal(map_delete(w->map, 4, IPPROTO_TCP, 8000, NULL), -ERR_NOT_FOUND);
	at4(w, 5);
	assert_int_equal(map_delete(w->map, 6, IPPROTO_TCP, 8000, NULL), -ERR_NOT_FOUND);
	assert_int_equal(map_delete(w->map, 4, IPPROTO_UDP, 8000, NULL), -ERR_NOT_FOUND);
	assert_int_equal(map_delete(w->map, 4, IPPROTO_TCP, 8000, NULL), 0);
	assert_int_equal(map_delete(w->map, 4, IPPROTO_TCP, 8000, NULL), -ERR_NOT_FOUND);
	advance(w, S);
	assert_int_equal(count_open(w), 0);
	assert_int_equal(ledger_count(w), 0);
}

/* ── closing ── */

static void closed_without_a_place(void **state)
{
	struct world *w = *state;
	struct map_door *door = open4(w, 8000);

	close_door(w, door);
	assert_int_equal(w->n_closed, 0);
	advance(w, 0);
	assert_int_equal(w->n_closed, 1);
	assert_ptr_equal(w->closed, door);
}

static void closed_before_anything_was_asked(void **state)
{
	struct world *w = *state;
	struct map_door *door;

	at4(w, 5);
	door = open4(w, 8000);
	advance(w, S);
	close_door(w, door);
	close_door(w, door); /* twice is once */
	advance(w, 0);
	assert_int_equal(w->n_closed, 1);
	assert_int_equal(w->n_asked, 0);
	assert_int_equal(ledger_count(w), 0);
	assert_null(map_next_door(w->map, NULL));
}

static void closed_at_once(void **state)
{
	struct world *w = *state;

	offers(w, MAP_PCP, 5 * MS);
	at4(w, 5);
	close_door(w, open4(w, 8000)); /* its note is on its way to the disk */
	advance(w, S);
	assert_int_equal(w->n_closed, 1);
	assert_int_equal(ledger_count(w), 0);
}

static void closed_while_it_is_asked(void **state)
{
	struct world *w = *state;
	struct map_door *door;

	w->latency = 500 * MS;
	door = open_by(w, MAP_PCP);
	advance(w, 100 * MS);
	assert_int_equal(state_of(door), LEASE_ASKING);
	close_door(w, door);
	assert_int_equal(state_of(door), LEASE_CLOSING);
	advance(w, S);
	assert_int_equal(w->n_closed, 1);
	assert_int_equal(last_asked(w)->verb, CLOSE); /* its answer may have been on its way */
	assert_memory_equal(last_asked(w)->nonce, w->asked[0].nonce, PCP_NONCE_LEN);
	assert_int_equal(ledger_count(w), 0);
}

static void closed_in_the_pause_after_a_restart(void **state)
{
	struct world *w = *state;
	struct map_door *door = open_by(w, MAP_PCP);

	advance(w, S);
	restart_router(w);
	assert_int_equal(state_of(door), LEASE_ASKING);
	close_door(w, door);
	advance(w, 5 * S);
	assert_int_equal(w->n_closed, 1);
	assert_int_equal(count_open(w), 0);
	assert_int_equal(count_asked(w, OPEN, MAP_PCP), 1);
}

static void closed_while_it_is_refused(void **state)
{
	struct world *w = *state;
	struct map_door *door;

	w->ways[MAP_PCP].r = -ERR_REFUSED;
	door = open_by(w, MAP_PCP);
	advance(w, 5 * S);
	close_door(w, door);
	advance(w, 0);
	assert_int_equal(w->n_closed, 1);
	assert_int_equal(w->n_asked, 1);
	assert_int_equal(ledger_count(w), 0);
}

/* Closed while the router is away, and the process goes on: it is not forgotten. */
static void closed_without_an_answer(void **state)
{
	struct world *w = *state;
	struct map_door *door;

	w->ways[MAP_IGD].only_permanent = true;
	door = open_by(w, MAP_IGD);
	advance(w, 100 * S);
	w->ways[MAP_IGD].mute = true;
	close_door(w, door);
	advance(w, 2 * S);
	assert_int_equal(w->n_closed, 1);
	assert_int_equal(count_open(w), 1);
	assert_int_equal(ledger_count(w), 1);
	w->n_asked = 0;
	advance(w, 86400 * S);
	assert_in_range(count_asked(w, CLOSE, MAP_IGD), 30, 86400 / 1800); /* less and less often */
	w->ways[MAP_IGD].mute = false;
	advance(w, 3600 * S);
	assert_int_equal(count_open(w), 0);
	assert_int_equal(ledger_count(w), 0);
	forget_counts(w);
	advance(w, 86400 * S);
	assert_true(w->fired <= 1);
}

static void closed_in_a_verification(void **state)
{
	struct world *w = *state;
	struct map_door *door;

	w->latency = 300 * MS;
	door = open_by(w, MAP_IGD);
	while (w->n_asked < 2)
		advance(w, 10 * MS);
	assert_int_equal(last_asked(w)->verb, VERIFY);
	close_door(w, door);
	advance(w, 5 * S);
	assert_int_equal(w->n_closed, 1);
	assert_int_equal(count_open(w), 0);
	assert_int_equal(ledger_count(w), 0);
}

static void the_same_again_after_it_is_closed(void **state)
{
	const struct map_wish wish = wish_of(4, 8000);
	struct world *w = *state;
	struct map_door *door, *other;

	door = open_by(w, MAP_PCP);
	advance(w, S);
	assert_int_equal(map_open(w->map, &wish, NULL, &other, NULL), -ERR_EXISTS);
	close_door(w, door);
	assert_int_equal(map_open(w->map, &wish, NULL, &other, NULL), -ERR_EXISTS);
	advance(w, S);
	door = open4(w, 8000);
	advance(w, S);
	assert_int_equal(state_of(door), LEASE_OPEN);
}

static void a_router_that_never_answers_holds_nothing_up(void **state)
{
	struct world *w = *state;
	usec_t before;

	offers(w, MAP_PCP, 5 * MS);
	at4(w, 5);
	for (unsigned i = 0; i < MAP_DOORS_MAX; i++)
		open4(w, (uint16_t)(8000 + i));
	advance(w, S);
	w->ways[MAP_PCP].mute = true;
	before = loop_now(w->loop);
	stop(w);
	while (!w->n_stopped && loop_now(w->loop) < before + 10 * S)
		advance(w, 10 * MS);
	assert_true(loop_now(w->loop) - before <= LEASE_CLOSE_TIME + 10 * MS);
	assert_int_equal(w->n_closed, MAP_DOORS_MAX);
	assert_int_equal(ledger_count(w), MAP_DOORS_MAX); /* for the next process */
	w->n_asked = 0;
	advance(w, 100 * S);
	assert_int_equal(w->n_stopped, 1);
	assert_int_equal(w->n_asked, 0);
}

static void stopping_is_for_all(void **state)
{
	const struct map_wish wish = wish_of(4, 9000);
	struct world *w = *state;
	struct map_door *door;

	open_by(w, MAP_PCP);
	open6(w, 8000); /* has no place */
	advance(w, S);
	stop(w);
	assert_true(map_open(w->map, &wish, NULL, &door, NULL) < 0); /* it would never be closed */
	at6(w, 1);
	assert_int_equal(w->n_stopped, 0);
	advance(w, 20 * MS);
	assert_int_equal(w->n_stopped, 1);
	assert_int_equal(w->n_closed, 2);
	assert_int_equal(count_open(w), 0);
}

static void nothing_to_stop(void **state)
{
	struct world *w = *state;

	stop(w);
	assert_int_equal(w->n_stopped, 0); /* never from inside */
	advance(w, 0);
	assert_int_equal(w->n_stopped, 1);
}

static void so_many_doors(void **state)
{
	const struct map_wish wish = wish_of(4, 9000);
	struct world *w = *state;
	struct map_door *door = NULL;
	struct err e = {0};

	offers(w, MAP_PCP, 5 * MS);
	at4(w, 5);
	for (unsigned i = 0; i < MAP_DOORS_MAX; i++)
		open4(w, (uint16_t)(8000 + i));
	assert_int_equal(map_open(w->map, &wish, NULL, &door, &e), -ERR_LIMIT);
	assert_null(door);
	advance(w, S);
	assert_int_equal(count_open(w), MAP_DOORS_MAX);
	forget_counts(w);
	advance(w, 86400 * S);
	assert_int_equal(count_open(w), MAP_DOORS_MAX);
	assert_true(shortest_gap(w) >= 60 * S);
}

static void close_in_handler(struct world *w, struct map_door *door)
{
	w->then = NULL;
	map_close(door);
}

static void closed_by_the_handler(void **state)
{
	struct world *w = *state;

	w->then = close_in_handler;
	open_by(w, MAP_PCP);
	advance(w, 2 * S);
	assert_int_equal(w->n_closed, 1);
	assert_int_equal(count_open(w), 0);
}

static void leave_in_handler(struct world *w, struct map_door *door)
{
	if (state_of(door) != LEASE_OPEN)
		return;
	w->then = NULL;
	map_set_place(w->map, 4, NULL);
}

static void the_network_goes_in_the_handler(void **state)
{
	struct world *w = *state;
	struct map_door *door;

	w->then = leave_in_handler;
	door = open_by(w, MAP_PCP);
	advance(w, 2 * S);
	assert_int_equal(state_of(door), LEASE_PROBING);
	assert_null(info(door).place);
}

/* ── whatever happens ── */

static uint32_t dice_state;

static unsigned dice(unsigned below)
{
	dice_state = dice_state * 1664525 + 1013904223;
	return (dice_state >> 8) % below;
}

static void something_happens(struct world *w)
{
	const uint8_t family = dice(2) ? 4 : 6;
	const struct map_wish wish = wish_of(family, (uint16_t)(8000 + dice(6)));
	const struct map_place place = family == 6 ? place6(1) : place4(5);
	struct way *way = &w->ways[dice(MAP_METHOD_COUNT)];
	struct map_door *door = NULL;

	switch (dice(16)) {
	case 0:
		set_place(w, family, NULL);
		break;
	case 1:
	case 2:
		if (family == 6)
			at6(w, (uint8_t)(1 + dice(3)));
		else
			at4(w, (uint8_t)(5 + dice(3)));
		break;
	case 3:
	case 4:
	case 5:
		if (map_open(w->map, &wish, NULL, &door, NULL) < 0)
			assert_null(door);
		break;
	case 6:
	case 7:
		for (unsigned i = dice(6); i && (door = map_next_door(w->map, door)); i--)
			;
		if (door)
			close_door(w, door);
		break;
	case 8:
		restart_router(w);
		break;
	case 9:
		way->mute = !way->mute;
		break;
	case 10:
		way->r = way->r ? 0 : -ERR_REFUSED;
		break;
	case 11:
		way->state = dice(2) ? ROUTER_THERE : ROUTER_SILENT;
		for (unsigned i = 0; i < w->n_routers; i++)
			router_probe_again(w->routers[i]);
		break;
	case 12:
		w->ways[MAP_IGD].drops_leases = dice(2);
		w->ways[MAP_IGD].look_r = dice(2) ? 0 : -ERR_NOT_FOUND;
		break;
	case 13:
		map_wake(w->map);
		w->on_hint(w->hint_arg, &place.router);
		break;
	case 14:
		(void)!map_delete(w->map, family, IPPROTO_TCP, wish.internal_port, NULL);
		break;
	case 15:
		if (dice(4) == 0) {
			crash(w);
			start(w);
		} else {
			loop_sim_sleep(w->loop, dice(9000) * S);
		}
		break;
	}
}

/* Nothing is freed that is in use, nothing hangs, and in the end all is as it is wanted. */
static void whatever_happens(void **state)
{
	static const usec_t spans[] = {0, MS, 15 * MS, 300 * MS, S, 4 * S, 100 * S, 4000 * S};
	struct world *w = *state;

	w->uncounted = true;
	for (unsigned game = 0; game < 60; game++) {
		struct map_door *door = NULL;

		dice_state = game;
		for (unsigned step = 0; step < 120; step++) {
			something_happens(w);
			advance(w, spans[dice(ARRAY_LEN(spans))]);
			w->n_asked = w->n_asked > ASKED_MAX / 2 ? 0 : w->n_asked;
		}
		for (int i = 0; i < MAP_METHOD_COUNT; i++)
			w->ways[i] = (struct way){.state = ROUTER_THERE, .lifetime_s = 7200};
		at4(w, 5);
		at6(w, 1);
		for (unsigned i = 0; i < 12; i++) {
			w->n_asked = 0;
			advance(w, 900 * S);
		}
		while ((door = map_next_door(w->map, door)))
			if (state_of(door) != LEASE_OPEN)
				fail_msg("game %u: port %u is %s: %s", game,
					 info(door).wish->internal_port,
					 lease_state_name(state_of(door)), info(door).why);
		assert_true(w->n_routers <= 2);
		w->n_stopped = 0;
		stop(w);
		advance(w, 2 * S);
		assert_int_equal(w->n_stopped, 1);
		assert_null(map_next_door(w->map, NULL));
		map_free(TAKE(w->map));
		advance(w, 0);
		memset(w->opened, 0, sizeof(w->opened));
		start(w);
	}
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(by_pcp),
		T(the_better_way_is_waited_for_a_moment),
		T(but_no_longer),
		T(the_only_way_comes_last),
		T(refused_by_two_granted_by_the_third),
		T(silent_ways_are_passed_over),
		T(all_refuse_and_are_asked_again),
		T(the_pause_it_wants),
		T(nothing_offered),
		T(better_late),
		T(another_port_than_wished),
		T(an_address_that_is_not_ready),
		T(a_day_of_pcp),
		T(a_day_of_short_leases),
		T(a_day_of_upnp),
		T(a_day_without_a_router),
		T(silence_at_renewal),
		T(refused_at_renewal),
		T(the_machine_sleeps),
		T(asked_for_again_when_woken),
		T(hints_are_counted),
		T(all_come_back),
		T(a_restart_in_the_midst_of_a_renewal),
		T(a_router_that_restarts_all_the_time),
		T(a_restart_while_it_is_refused),
		T(only_permanent),
		T(killed_before_the_answer),
		T(permanent_stays_where_it_is),
		T(no_permanence_without_a_memory),
		T(leases_that_are_dropped_at_once),
		T(a_router_that_holds_nothing_is_not_hammered),
		T(a_device_that_falls_silent_is_not_hammered),
		T(a_device_that_cannot_be_asked_is_not_hammered),
		T(a_device_that_moves),
		T(an_entry_that_gets_lost),
		T(the_address_changes),
		T(the_former_address_is_gone),
		T(back_to_the_wished_port),
		T(the_wished_port_is_still_taken),
		T(the_prefix_changes),
		T(both_prefixes_are_closed_at_the_end),
		T(there_and_back_4),
		T(there_and_back_6),
		T(more_places_than_are_remembered),
		T(the_network_is_down_for_a_while),
		T(exactly_is_exactly),
		T(orphans_are_given_back),
		T(of_another_place_they_wait),
		T(orphans_wait_for_the_router),
		T(wanted_while_it_is_given_back),
		T(deleted_by_hand),
		T(closed_without_a_place),
		T(closed_before_anything_was_asked),
		T(closed_at_once),
		T(closed_while_it_is_asked),
		T(closed_in_the_pause_after_a_restart),
		T(closed_while_it_is_refused),
		T(closed_without_an_answer),
		T(closed_in_a_verification),
		T(the_same_again_after_it_is_closed),
		T(a_router_that_never_answers_holds_nothing_up),
		T(stopping_is_for_all),
		T(nothing_to_stop),
		T(so_many_doors),
		T(closed_by_the_handler),
		T(the_network_goes_in_the_handler),
		T(whatever_happens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
