/*
 * What one router offers, on the virtual clock: map/pmp and map/igd are played here, question by
 * question.
 */
#include "test.h"

#include <stdio.h>
#include <string.h>

#include "map/router.h"

#define S	   USEC_PER_S
#define MS	   USEC_PER_MS
#define ASKED_MAX  256
#define NEVER	   USEC_MAX
#define SILENCE	   (3750 * MS)
#define KIND_COUNT (PMP_NATPMP_MAP + 1)

struct pmp {
	struct pmp_handler handler;
	void *arg;
};

struct igd {
	struct timer search, external;
	void (*on_found)(void *arg, int r, const struct igd_device *device, const struct err *e);
	void *found_arg;
	struct igd_then then;
	bool asking;
};

/* How each is answered. */
static struct {
	usec_t after;
	struct pmp_answer answer;
} pmp_says[KIND_COUNT];
static struct {
	usec_t after;
	int r;
	struct igd_device device;
	struct igd_answer external;
} igd_says;

static struct loop *loop;
static struct pmp pmp;
static struct igd igd;
static struct router *router;
static unsigned pmp_asked[KIND_COUNT], searches, externals, offered, restarts;
static usec_t searched_at;
static bool pmp_full;

/* ── the model of map/pmp ── */

int pmp_new(struct loop *l, const struct map_place *place, const struct pmp_handler *handler,
	    void *arg, struct pmp **ret_pmp, struct err *e)
{
	if (!place->ifindex)
		return err_set(e, ERR_FAILED, "no such address");
	pmp = (struct pmp){*handler, arg};
	*ret_pmp = &pmp;
	return 0;
}

void pmp_free(struct pmp *p)
{
}

static void on_pmp(void *arg)
{
	struct pmp_request *rq = arg;

	rq->pmp = NULL;
	rq->done(rq, &pmp_says[rq->kind].answer);
}

int pmp_ask(struct pmp *p, struct pmp_request *rq)
{
	assert_null(rq->pmp);
	if (pmp_full)
		return -ERR_LIMIT;
	rq->pmp = p;
	pmp_asked[rq->kind]++;
	timer_init(&rq->again, loop, on_pmp, rq);
	if (pmp_says[rq->kind].after != NEVER)
		timer_start(&rq->again, pmp_says[rq->kind].after);
	return 0;
}

void pmp_cancel(struct pmp_request *rq)
{
	timer_stop(&rq->again);
	rq->pmp = NULL;
}

/* ── the model of map/igd ── */

static void on_searched(void *arg)
{
	const struct err e = {.code = ERR_REFUSED, .text = "it offers nothing"};

	igd.on_found(igd.found_arg, igd_says.r, igd_says.r ? NULL : &igd_says.device,
		     igd_says.r ? &e : NULL);
}

static void on_external(void *arg)
{
	igd.asking = false;
	igd.then.fn(igd.then.arg, &igd_says.external);
}

int igd_new(struct loop *l, struct httpc *httpc, const struct map_place *place,
	    struct igd **ret_igd, struct err *e)
{
	timer_init(&igd.search, loop, on_searched, NULL);
	timer_init(&igd.external, loop, on_external, NULL);
	*ret_igd = &igd;
	return 0;
}

void igd_free(struct igd *i)
{
	if (!i)
		return;
	timer_stop(&igd.search);
	timer_stop(&igd.external);
}

int igd_discover(struct igd *i,
		 void (*on_found)(void *arg, int r, const struct igd_device *device,
				  const struct err *e),
		 void *arg, struct err *e)
{
	searches++;
	searched_at = loop_now(loop);
	igd.on_found = on_found;
	igd.found_arg = arg;
	timer_start(&igd.search, igd_says.after);
	return 0;
}

int igd_external_address(struct igd *i, struct igd_then then, struct igd_call **ret_call,
			 struct err *e)
{
	assert_false(igd.asking);
	externals++;
	igd.asking = true;
	igd.then = then;
	timer_start(&igd.external, 20 * MS);
	*ret_call = (struct igd_call *)&igd;
	return 0;
}

void igd_cancel(struct igd_call *call)
{
	if (!call)
		return;
	igd.asking = false;
	timer_stop(&igd.external);
}

/* ── the world ── */

static void on_offer(void *arg)
{
	offered++;
}

static void on_restart(void *arg)
{
	restarts++;
}

static void at(uint8_t family, usec_t stagger)
{
	static const struct router_handler handler = {on_offer, on_restart};
	const struct map_place place = {
		.ifindex = 2, .address = {.family = family}, .router = {.family = family}};

	router_free(router);
	assert_int_equal(router_new(loop, NULL, &place, stagger, &handler, NULL, &router, NULL), 0);
}

static int setup(void **state)
{
	assert_int_equal(loop_new_sim(&loop, NULL), 0);
	for (int i = 0; i < KIND_COUNT; i++) {
		pmp_says[i].after = SILENCE;
		pmp_says[i].answer = (struct pmp_answer){.r = -ERR_TIMEOUT};
		pmp_asked[i] = 0;
	}
	memset(&igd_says, 0, sizeof(igd_says));
	igd_says.after = IGD_SEARCH_TIME;
	igd_says.r = -ERR_NOT_FOUND;
	searches = externals = offered = restarts = 0;
	pmp_full = false;
	at(4, 0);
	return 0;
}

static int teardown(void **state)
{
	router_free(router);
	router = NULL;
	loop_free(loop);
	return 0;
}

static void advance(usec_t span)
{
	loop_sim_advance(loop, span);
}

static enum router_offer_state offer(enum map_method method)
{
	return router_offer(router, method)->state;
}

static void pmp_answers(enum pmp_kind kind, usec_t after, int r)
{
	pmp_says[kind].after = after;
	pmp_says[kind].answer.r = r;
}

static void device_there(usec_t after)
{
	igd_says.after = after;
	igd_says.r = 0;
	strcpy(igd_says.device.name, "Box");
	strcpy(igd_says.device.connection, "WANIPConnection:1");
	igd_says.external.external = (struct ipaddr){.family = 4, .bytes = {203, 0, 113, 7}};
}

static void all_at_once(void **state)
{
	pmp_answers(PMP_PCP_ANNOUNCE, 10 * MS, 0);
	pmp_answers(PMP_NATPMP_ADDRESS, 20 * MS, 0);
	pmp_says[PMP_NATPMP_ADDRESS].answer.external =
		(struct ipaddr){.family = 4, .bytes = {203, 0, 113, 9}};
	device_there(100 * MS);
	assert_true(router_probe_age(router) == USEC_MAX);
	router_probe(router);
	assert_int_equal(offered, 0); /* never from inside */
	assert_false(router_decided(router));
	advance(15 * MS);
	assert_int_equal(offer(MAP_PCP), ROUTER_THERE);
	assert_int_equal(offer(MAP_NATPMP), ROUTER_UNKNOWN);
	assert_int_equal(offered, 1);
	advance(200 * MS);
	assert_true(router_decided(router));
	assert_int_equal(offer(MAP_IGD), ROUTER_THERE);
	assert_string_equal(router_offer(router, MAP_IGD)->text, "Box");
	assert_int_equal(router_offer(router, MAP_NATPMP)->external.bytes[3], 9);
	assert_int_equal(router_offer(router, MAP_IGD)->external.bytes[3], 7);
	assert_false(router_offer(router, MAP_PCP)->told);
	assert_in_range(router_offer(router, MAP_IGD)->took, 100 * MS, 101 * MS);
	/* what is known is not asked again */
	router_probe(router);
	advance(599 * S);
	router_probe(router);
	assert_int_equal(searches, 1);
	assert_int_equal(pmp_asked[PMP_PCP_ANNOUNCE], 1);
	advance(2 * S);
	router_probe(router);
	advance(S);
	assert_int_equal(searches, 2);
	assert_int_equal(pmp_asked[PMP_PCP_ANNOUNCE], 2);
}

static void the_address_alone(void **state)
{
	pmp_answers(PMP_NATPMP_ADDRESS, 20 * MS, 0);
	pmp_says[PMP_NATPMP_ADDRESS].answer.external =
		(struct ipaddr){.family = 4, .bytes = {203, 0, 113, 9}};
	device_there(100 * MS);
	router_ask_external(router);
	advance(10 * S);
	assert_int_equal(router_offer(router, MAP_NATPMP)->external.bytes[3], 9);
	assert_int_equal(offered, 1);
	assert_int_equal(searches, 0);
	router_ask_external(router);
	router_check(router); /* somebody says that it has restarted */
	advance(10 * S);
	assert_int_equal(pmp_asked[PMP_NATPMP_ADDRESS], 2);
	assert_int_equal(searches, 0);
	router_probe(router); /* a door wants to know more */
	advance(4 * S);
	assert_true(router_decided(router));
	assert_int_equal(searches, 1);
	router_ask_external(router);
	advance(S);
	assert_int_equal(externals, 2);
	assert_int_equal(searches, 1);
}

static void the_address_by_the_long_way(void **state)
{
	device_there(100 * MS);
	router_ask_external(router);
	advance(ROUTER_FIRST_ANSWER + 200 * MS);
	assert_int_equal(searches, 1);
	assert_int_equal(router_offer(router, MAP_IGD)->external.bytes[3], 7);
	advance(10 * S);
	assert_true(router_decided(router));
}

static void decided_after_three_seconds(void **state)
{
	pmp_answers(PMP_PCP_ANNOUNCE, NEVER, 0);
	igd_says.after = 5 * S; /* a slow description */
	device_there(5 * S);
	router_probe(router);
	advance(ROUTER_DECISION - MS);
	assert_false(router_decided(router));
	advance(MS);
	assert_true(router_decided(router));
	assert_int_equal(offer(MAP_PCP), ROUTER_SILENT);
	assert_int_equal(offer(MAP_IGD), ROUTER_SILENT);
	advance(3 * S); /* it does answer, later */
	assert_int_equal(offer(MAP_IGD), ROUTER_THERE);
}

static void refusals_tell_that_it_is_there(void **state)
{
	pmp_answers(PMP_PCP_ANNOUNCE, MS, -ERR_REFUSED);
	pmp_answers(PMP_NATPMP_ADDRESS, MS, -ERR_REFUSED);
	pmp_says[PMP_NATPMP_ADDRESS].answer.result = 3;
	igd_says.r = -ERR_REFUSED;
	igd_says.after = MS;
	router_probe(router);
	advance(10 * MS);
	assert_int_equal(offer(MAP_PCP), ROUTER_THERE);
	assert_int_equal(offer(MAP_NATPMP), ROUTER_THERE);
	assert_true(router_offer(router, MAP_NATPMP)->told); /* it says that it has no address */
	assert_int_equal(router_offer(router, MAP_NATPMP)->external.family, 0);
	assert_string_equal(router_offer(router, MAP_NATPMP)->text, "it has no public address");
	assert_int_equal(offer(MAP_IGD), ROUTER_ABSENT);
	assert_string_equal(router_offer(router, MAP_IGD)->text, "it offers nothing");
}

static void nobody_listens(void **state)
{
	pmp_answers(PMP_PCP_ANNOUNCE, MS, -ERR_NOT_FOUND);
	pmp_answers(PMP_NATPMP_ADDRESS, MS, -ERR_NOT_FOUND);
	router_probe(router);
	advance(10 * MS);
	assert_int_equal(offer(MAP_PCP), ROUTER_ABSENT);
	assert_int_equal(offer(MAP_NATPMP), ROUTER_ABSENT);
	assert_false(router_offer(router, MAP_NATPMP)->told);
}

static void pinholes(void **state)
{
	at(6, 300 * MS);
	device_there(MS);
	igd_says.device.firewall = true;
	router_probe(router);
	assert_int_equal(offer(MAP_NATPMP), ROUTER_NOT_FOR);
	advance(299 * MS);
	assert_int_equal(searches, 0); /* the other family's turn */
	advance(10 * MS);
	assert_int_equal(searches, 1);
	assert_int_equal(offer(MAP_IGD), ROUTER_THERE);
	assert_int_equal(externals, 0);
	assert_int_equal(pmp_asked[PMP_NATPMP_ADDRESS], 0);
	igd_says.device.firewall = false;
	router_probe_again(router);
	advance(S);
	assert_int_equal(offer(MAP_IGD), ROUTER_ABSENT);
}

/* That there is nothing is not believed for long, and ever longer. */
static void nothing_is_looked_for_again(void **state)
{
	unsigned probes;

	router_probe(router);
	advance(4 * S);
	assert_true(router_decided(router));
	router_probe(router);
	advance(3 * S);
	router_probe(router);
	assert_int_equal(searches, 1); /* started in the next turn */
	advance(4 * S);
	assert_int_equal(searches, 2);
	for (unsigned i = 0; i < 3600; i++) {
		router_probe(router);
		advance(S);
	}
	probes = searches;
	assert_in_range(probes, 8, 20);
	for (unsigned i = 0; i < 3600; i++) {
		router_probe(router);
		advance(S);
	}
	assert_in_range(searches - probes, 5, 7); /* ROUTER_TRUST */
}

static void announced_when_there_was_nothing(void **state)
{
	router_check(router);
	assert_int_equal(pmp_asked[PMP_PCP_ANNOUNCE], 0); /* nobody wants to know anything yet */
	router_probe(router);
	advance(4 * S);
	pmp_answers(PMP_PCP_ANNOUNCE, MS, 0);
	router_check(router);
	router_check(router); /* under way */
	advance(10 * MS);
	assert_int_equal(offer(MAP_PCP), ROUTER_THERE);
	assert_int_equal(pmp_asked[PMP_PCP_ANNOUNCE], 2);
}

static void checked(void **state)
{
	pmp_answers(PMP_PCP_ANNOUNCE, 10 * MS, 0);
	device_there(10 * MS);
	router_probe(router);
	advance(4 * S);
	offered = 0;
	router_check(router);
	router_check(router);
	advance(S);
	assert_int_equal(pmp_asked[PMP_PCP_ANNOUNCE], 2);
	assert_int_equal(pmp_asked[PMP_NATPMP_ADDRESS], 2); /* silent once is not for ever */
	assert_int_equal(externals, 2);
	assert_in_range(router_offer(router, MAP_PCP)->took, 10 * MS, 11 * MS);
	pmp.handler.on_restart(pmp.arg);
	assert_int_equal(restarts, 1);
}

static void found_again(void **state)
{
	device_there(10 * MS);
	router_probe(router);
	advance(4 * S);
	router_find_igd(router);
	router_find_igd(router);
	assert_int_equal(offer(MAP_IGD), ROUTER_UNKNOWN);
	advance(5 * MS);
	router_find_igd(router);
	assert_int_equal(searches, 2);
	advance(S);
	assert_int_equal(searches, 2);
	assert_int_equal(offer(MAP_IGD), ROUTER_THERE);
}

/* What PCP said of the outside came with a door; a probe does not bring it back. */
static void what_doors_were_told_stays(void **state)
{
	const struct ipaddr outside = {.family = 4, .bytes = {203, 0, 113, 7}, .port = 80};

	pmp_answers(PMP_PCP_ANNOUNCE, 10 * MS, 0);
	router_probe(router);
	advance(S);
	offered = 0;
	router_note_external(router, MAP_PCP, &outside);
	router_note_external(router, MAP_PCP, &outside); /* no news */
	advance(0);
	assert_int_equal(offered, 1);
	assert_int_equal(router_offer(router, MAP_PCP)->external.port, 0);
	router_probe_again(router);
	advance(S);
	assert_true(router_offer(router, MAP_PCP)->told);
	assert_int_equal(router_offer(router, MAP_PCP)->external.bytes[3], 7);
	router_note_external(router, MAP_PCP, &(struct ipaddr){.family = 4});
	assert_int_equal(router_offer(router, MAP_PCP)->external.family, 0);
	assert_true(router_offer(router, MAP_PCP)->told);
}

static void too_many_questions(void **state)
{
	pmp_full = true;
	router_probe(router);
	assert_int_equal(offer(MAP_PCP), ROUTER_SILENT);
	assert_int_equal(offered, 0);
	advance(4 * S);
	assert_true(router_decided(router));
}

static void no_such_address(void **state)
{
	static const struct router_handler handler = {on_offer, on_restart};
	const struct map_place place = {.address = {.family = 4}};
	struct router *other = NULL;
	struct err e = {0};

	assert_int_equal(router_new(loop, NULL, &place, 0, &handler, NULL, &other, &e),
			 -ERR_FAILED);
	assert_null(other);
	assert_string_equal(e.text, "no such address");
}

static void freed_in_the_midst(void **state)
{
	device_there(10 * MS);
	router_probe(router);
	advance(15 * MS); /* the external address is being asked for */
	assert_true(igd.asking);
	router_free(TAKE(router));
	assert_false(igd.asking);
	advance(10 * S);
	assert_int_equal(offered, 1);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(all_at_once),
		T(the_address_alone),
		T(the_address_by_the_long_way),
		T(decided_after_three_seconds),
		T(refusals_tell_that_it_is_there),
		T(nobody_listens),
		T(pinholes),
		T(nothing_is_looked_for_again),
		T(announced_when_there_was_nothing),
		T(checked),
		T(found_again),
		T(what_doors_were_told_stays),
		T(too_many_questions),
		T(no_such_address),
		T(freed_in_the_midst),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
