#include "map/router.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ipclass.h"
#include "proto/natpmp.h"

struct router {
	struct loop *loop; /* borrowed */
	struct map_place place;
	usec_t stagger;
	struct router_handler handler;
	void *arg;
	struct pmp *pmp; /* owned */
	struct igd *igd; /* owned */
	struct router_offer offers[MAP_METHOD_COUNT];
	usec_t probed_at; /* 0: never */
	unsigned nothing; /* probes in a row that found no way at all */
	bool searching;	  /* for the UPnP device */
	struct pmp_request announce, address;
	struct igd_call *external_call; /* owned by the igd */
	struct timer search;		/* stagger */
	struct timer decision;
	struct timer external; /* patience for NAT-PMP's */
	struct defer tell;
};

static const char *const state_names[] = {
#define X(name, word) [ROUTER_##name] = word,
	ROUTER_OFFERS(X)
#undef X
};

const char *router_offer_state_name(enum router_offer_state state)
{
	return state_names[state];
}

/* ── what is known ── */

static void on_tell(void *arg)
{
	struct router *router = arg;

	router->handler.on_offer(router->arg);
}

static void set_offer(struct router *router, enum map_method method, enum router_offer_state state,
		      const char *text)
{
	struct router_offer *offer = &router->offers[method];

	if (offer->state != state) /* else it was a check, long after the probe */
		offer->took = loop_now(router->loop) - router->probed_at;
	offer->state = state;
	snprintf(offer->text, sizeof(offer->text), "%.*s", ROUTER_TEXT_MAX - 1, text);
	defer_call(&router->tell);
}

bool router_decided(const struct router *router)
{
	for (int i = 0; i < MAP_METHOD_COUNT; i++)
		if (router->offers[i].state == ROUTER_UNKNOWN)
			return false;
	return true;
}

/* 0.0.0.0 is how NAT-PMP and UPnP say "none". */
void router_note_external(struct router *router, enum map_method method,
			  const struct ipaddr *external)
{
	struct router_offer *offer = &router->offers[method];
	struct ipaddr address = *external;

	address.port = 0;
	if (ipaddr_is_unspecified(&address))
		address = (struct ipaddr){0};
	if (offer->told && ipaddr_equal(&offer->external, &address))
		return;
	offer->told = true;
	offer->external = address;
	defer_call(&router->tell);
}

/* ── PCP and NAT-PMP ── */

static void on_announce(struct pmp_request *rq, const struct pmp_answer *answer)
{
	struct router *router = rq->arg;

	switch (answer->r) {
	case 0:
	case -ERR_REFUSED:
		set_offer(router, MAP_PCP, ROUTER_THERE, "");
		break;
	case -ERR_NOT_FOUND:
		set_offer(router, MAP_PCP, ROUTER_ABSENT, "");
		break;
	default:
		set_offer(router, MAP_PCP, ROUTER_SILENT, "");
	}
}

static void on_address(struct pmp_request *rq, const struct pmp_answer *answer)
{
	static const struct ipaddr none = {0};
	struct router *router = rq->arg;

	switch (answer->r) {
	case 0:
		set_offer(router, MAP_NATPMP, ROUTER_THERE, "");
		router_note_external(router, MAP_NATPMP, &answer->external);
		break;
	case -ERR_REFUSED:
		set_offer(router, MAP_NATPMP, ROUTER_THERE, natpmp_result_words(answer->result));
		router_note_external(router, MAP_NATPMP, &none);
		break;
	case -ERR_NOT_FOUND:
		set_offer(router, MAP_NATPMP, ROUTER_ABSENT, "");
		break;
	default:
		set_offer(router, MAP_NATPMP, ROUTER_SILENT, "");
	}
}

static void ask(struct router *router, struct pmp_request *rq, enum pmp_kind kind,
		void (*done)(struct pmp_request *, const struct pmp_answer *))
{
	pmp_cancel(rq);
	*rq = (struct pmp_request){.kind = kind, .done = done, .arg = router};
	if (pmp_ask(router->pmp, rq) < 0)
		done(rq, &(struct pmp_answer){.r = -ERR_LIMIT});
}

static void on_restart(void *arg)
{
	struct router *router = arg;

	router->handler.on_restart(router->arg);
}

static const struct pmp_handler pmp_handler = {.on_restart = on_restart};

/* ── UPnP ── */

static void on_external(void *arg, const struct igd_answer *answer)
{
	struct router *router = arg;

	router->external_call = NULL;
	if (answer->r == 0)
		router_note_external(router, MAP_IGD, &answer->external);
	else if (answer->r == -ERR_REFUSED)
		router_note_external(router, MAP_IGD, &(struct ipaddr){0});
}

static void ask_external(struct router *router)
{
	const struct igd_then then = {on_external, router};
	struct err e;

	if (router->place.address.family == 4 && !router->external_call &&
	    igd_external_address(router->igd, then, &router->external_call, &e) < 0)
		router->external_call = NULL;
}

/* Whether the device can open doors of this family. */
static bool fits(const struct router *router, const struct igd_device *device)
{
	return router->place.address.family == 6 ? device->firewall : *device->connection != '\0';
}

static void on_found(void *arg, int r, const struct igd_device *device, const struct err *e)
{
	char text[ROUTER_TEXT_MAX];
	struct router *router = arg;

	router->searching = false;
	if (r == -ERR_NOT_FOUND) {
		set_offer(router, MAP_IGD, ROUTER_SILENT, "");
	} else if (r < 0) {
		set_offer(router, MAP_IGD, ROUTER_ABSENT, e->text);
	} else {
		snprintf(text, sizeof(text), "%s%s", device->name,
			 device->other ? " (it is not the router itself, which does not answer)"
				       : "");
		if (fits(router, device))
			set_offer(router, MAP_IGD, ROUTER_THERE, text);
		else
			set_offer(router, MAP_IGD, ROUTER_ABSENT,
				  router->place.address.family == 6
					  ? "the device does not offer pinholes"
					  : "the device does not forward ports");
		ask_external(router);
	}
}

static void on_search(void *arg)
{
	struct router *router = arg;
	struct err e = {0};

	igd_cancel(TAKE(router->external_call));
	router->searching = true;
	if (igd_discover(router->igd, on_found, router, &e) < 0) {
		router->searching = false;
		set_offer(router, MAP_IGD, ROUTER_SILENT, e.text);
	}
}

void router_find_igd(struct router *router)
{
	if (router->searching || timer_running(&router->search))
		return;
	router->offers[MAP_IGD].state = ROUTER_UNKNOWN;
	timer_start(&router->search, 0);
}

/* ── the probe ── */

/* What has not answered by now is silent, until it does. */
static void on_decision(void *arg)
{
	struct router *router = arg;

	for (int i = 0; i < MAP_METHOD_COUNT; i++)
		if (router->offers[i].state == ROUTER_UNKNOWN)
			set_offer(router, (enum map_method)i, ROUTER_SILENT, "");
}

static bool offers_something(const struct router *router)
{
	for (int i = 0; i < MAP_METHOD_COUNT; i++)
		if (router->offers[i].state == ROUTER_THERE)
			return true;
	return false;
}

void router_probe_again(struct router *router)
{
	router->probed_at = loop_now(router->loop);
	router->nothing = offers_something(router) ? 0 : router->nothing + 1;
	for (int i = 0; i < MAP_METHOD_COUNT; i++) {
		struct router_offer *offer = &router->offers[i];

		/* What PCP has told of the outside came with a door, and is not asked for here. */
		if (i == MAP_PCP)
			*offer = (struct router_offer){.told = offer->told,
						       .external = offer->external};
		else
			*offer = (struct router_offer){0};
	}
	timer_start(&router->decision, ROUTER_DECISION);
	ask(router, &router->announce, PMP_PCP_ANNOUNCE, on_announce);
	if (router->place.address.family == 4)
		ask(router, &router->address, PMP_NATPMP_ADDRESS, on_address);
	else
		router->offers[MAP_NATPMP].state = ROUTER_NOT_FOR;
	if (!router->searching)
		timer_start(&router->search, router->stagger);
}

/* That there is nothing is trusted less: a router that is starting is silent, too. */
static usec_t trust(const struct router *router)
{
	if (!router_decided(router) || offers_something(router))
		return ROUTER_TRUST;
	return MIN(ROUTER_DECISION << MIN(router->nothing, 16u), ROUTER_TRUST);
}

void router_probe(struct router *router)
{
	if (router_probe_age(router) >= trust(router))
		router_probe_again(router);
}

/* One that did not answer the last time may have been about to start. */
static bool is_known(const struct router *router, enum map_method method)
{
	enum router_offer_state state = router->offers[method].state;

	return state == ROUTER_THERE || state == ROUTER_ABSENT || state == ROUTER_SILENT;
}

void router_check(struct router *router)
{
	if (router->probed_at && router_decided(router) && !offers_something(router)) {
		router_probe_again(router);
		return;
	}
	if (is_known(router, MAP_PCP) && !router->announce.pmp)
		ask(router, &router->announce, PMP_PCP_ANNOUNCE, on_announce);
	if (is_known(router, MAP_NATPMP) && !router->address.pmp)
		ask(router, &router->address, PMP_NATPMP_ADDRESS, on_address);
	if (router->offers[MAP_IGD].state == ROUTER_THERE)
		ask_external(router);
}

static void on_no_external(void *arg)
{
	struct router *router = arg;

	if (!router->offers[MAP_NATPMP].told)
		router_probe(router);
}

void router_ask_external(struct router *router)
{
	if (router->probed_at) {
		router_check(router);
		return;
	}
	ask(router, &router->address, PMP_NATPMP_ADDRESS, on_address);
	timer_start(&router->external, ROUTER_FIRST_ANSWER);
}

/* ── life ── */

int router_new(struct loop *loop, struct httpc *httpc, const struct map_place *place,
	       usec_t stagger, const struct router_handler *handler, void *arg,
	       struct router **ret_router, struct err *e)
{
	struct router *router = calloc(1, sizeof(*router));
	int r;

	if (!router)
		return err_set(e, ERR_NOMEM, "router");
	router->loop = loop;
	router->place = *place;
	router->stagger = stagger;
	router->handler = *handler;
	router->arg = arg;
	timer_init(&router->search, loop, on_search, router);
	timer_init(&router->decision, loop, on_decision, router);
	timer_init(&router->external, loop, on_no_external, router);
	defer_init(&router->tell, loop, on_tell, router);
	r = pmp_new(loop, place, &pmp_handler, router, &router->pmp, e);
	if (r == 0)
		r = igd_new(loop, httpc, place, &router->igd, e);
	if (r < 0) {
		router_free(router);
		return r;
	}
	*ret_router = router;
	return 0;
}

void router_free(struct router *router)
{
	if (!router)
		return;
	timer_stop(&router->search);
	timer_stop(&router->decision);
	timer_stop(&router->external);
	defer_cancel(&router->tell);
	pmp_cancel(&router->announce);
	pmp_cancel(&router->address);
	igd_cancel(router->external_call);
	igd_free(router->igd);
	pmp_free(router->pmp);
	free(router);
}

const struct map_place *router_place(const struct router *router)
{
	return &router->place;
}

const struct router_offer *router_offer(const struct router *router, enum map_method method)
{
	return &router->offers[method];
}

usec_t router_probe_age(const struct router *router)
{
	return router->probed_at ? loop_now(router->loop) - router->probed_at : USEC_MAX;
}

struct pmp *router_pmp(struct router *router)
{
	return router->pmp;
}

struct igd *router_igd(struct router *router)
{
	return router->igd;
}
