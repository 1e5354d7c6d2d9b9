/*
 * One door by PCP and NAT-PMP: what is asked of a router after each of its answers. map/pmp is a
 * script: a line is what must be asked next, and the answer.
 */
#include "test.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "map/ask.h"

struct pmp {
	int unused;
};

struct router {
	struct map_place place;
};

struct line {
	const char *what; /* "pcp 80 7200": by which, suggested port, lifetime */
	struct pmp_answer answer;
};

static struct loop *loop;
static struct pmp pmp;
static struct router router;
static struct ask ask;
static struct ask_answer answer;
static unsigned answered, noted;
static struct ipaddr outside;
static const struct line *script;
static bool full;
static struct pmp_request *under_way;

static const uint8_t nonce[PCP_NONCE_LEN] = "abcdefghijk";

/* ── the models ── */

struct pmp *router_pmp(struct router *r)
{
	return &pmp;
}

struct igd *router_igd(struct router *r)
{
	return NULL;
}

const struct map_place *router_place(const struct router *r)
{
	return &r->place;
}

void router_find_igd(struct router *r)
{
}

void router_note_external(struct router *r, enum map_method method, const struct ipaddr *external)
{
	assert_int_equal(method, MAP_PCP);
	noted++;
	outside = *external;
}

static void on_answered(void *arg)
{
	struct pmp_request *rq = arg;
	const struct pmp_answer a = (script - 1)->answer;

	rq->pmp = NULL;
	under_way = NULL;
	rq->done(rq, &a);
}

int pmp_ask(struct pmp *p, struct pmp_request *rq)
{
	char what[64];

	if (full)
		return -ERR_LIMIT;
	assert_true(rq->kind == PMP_PCP_MAP || rq->kind == PMP_NATPMP_MAP);
	assert_int_equal(rq->protocol, IPPROTO_UDP);
	assert_int_equal(rq->internal_port, 8000);
	assert_memory_equal(rq->nonce, nonce, sizeof(nonce));
	snprintf(what, sizeof(what), "%s %u %u%s", rq->kind == PMP_PCP_MAP ? "pcp" : "nat-pmp",
		 rq->suggested.port, rq->lifetime_s, rq->prefer_failure ? " exactly" : "");
	if (!script->what || strcmp(script->what, what) != 0)
		fail_msg("asked \"%s\" instead of \"%s\"", what,
			 script->what ? script->what : "nothing");
	script++;
	rq->pmp = p;
	under_way = rq;
	timer_init(&rq->again, loop, on_answered, rq);
	timer_start(&rq->again, 0);
	return 0;
}

void pmp_cancel(struct pmp_request *rq)
{
	if (!rq->pmp)
		return;
	timer_stop(&rq->again);
	rq->pmp = NULL;
	under_way = NULL;
}

/* ── the world ── */

static void on_answer(void *arg, const struct ask_answer *a)
{
	answer = *a;
	answered++;
}

static void begin(uint8_t family)
{
	const struct map_wish wish = {.family = family,
				      .protocol = IPPROTO_UDP,
				      .internal_port = 8000,
				      .external_port = family == 6 ? 8000 : 80,
				      .lifetime_s = 7200};

	router.place = (struct map_place){
		.address = {.family = family, .bytes = {0x2a, 0x0e, [15] = 5}, .scope = 0}};
	answered = noted = 0;
	ask_init(&ask, loop, &router, &wish, "homeport-test", on_answer, NULL);
}

static int setup(void **state)
{
	full = false;
	assert_int_equal(loop_new_sim(&loop, NULL), 0);
	begin(4);
	return 0;
}

static int teardown(void **state)
{
	ask_cancel(&ask);
	assert_null(under_way);
	loop_free(loop);
	return 0;
}

static struct map_grant had(enum map_method method, uint16_t port)
{
	struct map_grant grant = {.method = method, .external.port = port, .lifetime_s = 7200};

	memcpy(grant.nonce, nonce, sizeof(nonce));
	return grant;
}

static void finish(void)
{
	unsigned before = answered;

	assert_true(ask_busy(&ask));
	loop_sim_advance(loop, 10);
	assert_int_equal(answered, before + 1);
	assert_false(ask_busy(&ask));
	if (script->what)
		fail_msg("\"%s\" was not asked", script->what);
}

static void opens(const struct line *lines, enum map_method method, uint16_t port)
{
	const struct map_grant grant = had(method, port);

	script = lines;
	ask_open(&ask, method, &grant);
	finish();
}

static void closes(const struct line *lines, enum map_method method)
{
	const struct map_grant grant = had(method, 80);

	script = lines;
	ask_close(&ask, &grant);
	finish();
}

#define SCRIPT(...)                                                                                \
	(const struct line[])                                                                      \
	{                                                                                          \
		__VA_ARGS__,                                                                       \
		{                                                                                  \
			0                                                                          \
		}                                                                                  \
	}
#define YES(port_, lifetime)                                                                       \
	{                                                                                          \
		.external = {.family = 4, .bytes = {203, 0, 113, 7}, .port = port_},               \
		.lifetime_s = lifetime                                                             \
	}
#define NO(number)                                                                                 \
	{                                                                                          \
		.r = -ERR_REFUSED, .result = number                                                \
	}

/* ── opening ── */

static void by_pcp(void **state)
{
	opens(SCRIPT({"pcp 80 7200", YES(80, 3600)}), MAP_PCP, 0);
	assert_int_equal(answer.r, 0);
	assert_int_equal(answer.grant.method, MAP_PCP);
	assert_int_equal(answer.grant.external.port, 80);
	assert_int_equal(answer.grant.external.bytes[0], 203);
	assert_int_equal(answer.grant.lifetime_s, 3600);
	assert_false(answer.grant.permanent);
	assert_memory_equal(answer.grant.nonce, nonce, sizeof(nonce));
	assert_int_equal(noted, 1);
	assert_int_equal(outside.bytes[3], 7);
	/* what is had is what is asked for */
	opens(SCRIPT({"pcp 81 7200", YES(81, 7200)}), MAP_PCP, 81);
	assert_int_equal(answer.r, 0);
}

static void by_natpmp(void **state)
{
	opens(SCRIPT({"nat-pmp 80 7200", {.external.port = 443, .lifetime_s = UINT32_MAX}}),
	      MAP_NATPMP, 0);
	assert_int_equal(answer.r, 0);
	assert_int_equal(answer.grant.external.port, 443); /* another port will do */
	assert_int_equal(answer.grant.external.family, 0);
	assert_int_equal(answer.grant.lifetime_s, 604800); /* no router promises that */
	assert_int_equal(noted, 0);
}

static void granted_for_no_time(void **state)
{
	opens(SCRIPT({"pcp 80 7200", YES(80, 0)}), MAP_PCP, 0);
	assert_int_equal(answer.r, -ERR_REFUSED);
	opens(SCRIPT({"nat-pmp 80 7200", {.lifetime_s = 7200}}), MAP_NATPMP, 0);
	assert_int_equal(answer.r, -ERR_REFUSED);
}

static void the_wrong_port(void **state)
{
	ask.wish.exactly = true;
	opens(SCRIPT({"pcp 80 7200 exactly", YES(443, 7200)}, {"pcp 0 0", {0}}), MAP_PCP, 0);
	assert_int_equal(answer.r, -ERR_REFUSED);
	assert_string_equal(answer.why,
			    "PCP: port 80 is not to be had, the router gave 443 instead");
	/* also when the router keeps it */
	opens(SCRIPT({"nat-pmp 80 7200 exactly", {.external.port = 443, .lifetime_s = 7200}},
		     {"nat-pmp 0 0", {.r = -ERR_TIMEOUT}}),
	      MAP_NATPMP, 0);
	assert_int_equal(answer.r, -ERR_REFUSED);
	assert_string_equal(answer.why,
			    "NAT-PMP: port 80 is not to be had, the router gave 443 instead");
}

static void a_pinhole(void **state)
{
	struct line line = {"pcp 8000 7200", {.lifetime_s = 7200}};
	struct line lines[3] = {line, {"pcp 0 0", {0}}, {0}};

	begin(6);
	lines[0].answer.external = router.place.address;
	lines[0].answer.external.port = 8000;
	lines[1].what = NULL;
	opens(lines, MAP_PCP, 0);
	assert_int_equal(answer.r, 0);
	assert_int_equal(noted, 0); /* it is our own address */
	/* for another address of ours, or another port: of no use, given back */
	lines[1].what = "pcp 0 0";
	lines[0].answer.external.bytes[15] = 9;
	opens(lines, MAP_PCP, 0);
	assert_int_equal(answer.r, -ERR_REFUSED);
	assert_string_equal(answer.why, "PCP: the router opened [2a0e::9]:8000 instead of 2a0e::5 "
					"port 8000");
	lines[0].answer.external = router.place.address;
	lines[0].answer.external.port = 8001;
	opens(lines, MAP_PCP, 0);
	assert_int_equal(answer.r, -ERR_REFUSED);
}

static void refused(void **state)
{
	struct pmp_answer no = NO(2);

	no.lifetime_s = 900;
	no.external = (struct ipaddr){.family = 4, .bytes = {100, 64, 0, 2}};
	opens(SCRIPT({"pcp 80 7200", no}), MAP_PCP, 0);
	assert_int_equal(answer.r, -ERR_REFUSED);
	assert_int_equal(answer.wait_s, 900);
	assert_non_null(strstr(answer.why, "NOT_AUTHORIZED"));
	assert_int_equal(outside.bytes[0], 100); /* evidence all the same */
	opens(SCRIPT({"pcp 80 7200", {.r = -ERR_TIMEOUT}}), MAP_PCP, 0);
	assert_int_equal(answer.r, -ERR_TIMEOUT);
	assert_int_equal(answer.wait_s, 0);
	opens(SCRIPT({"nat-pmp 80 7200", {.r = -ERR_NOT_FOUND}}), MAP_NATPMP, 0);
	assert_int_equal(answer.r, -ERR_NOT_FOUND);
}

/* Some cannot renew: deleted and made anew, once. */
static void no_resources_at_renewal(void **state)
{
	opens(SCRIPT({"pcp 80 7200", NO(8)}, {"pcp 0 0", {0}}, {"pcp 80 7200", YES(80, 7200)}),
	      MAP_PCP, 80);
	assert_int_equal(answer.r, 0);
	opens(SCRIPT({"pcp 80 7200", NO(8)}, {"pcp 0 0", NO(8)}, {"pcp 80 7200", NO(8)}), MAP_PCP,
	      80);
	assert_int_equal(answer.r, -ERR_REFUSED);
	/* what was not had cannot be in the way */
	opens(SCRIPT({"pcp 80 7200", NO(8)}), MAP_PCP, 0);
	assert_int_equal(answer.r, -ERR_REFUSED);
}

static void too_many_at_once(void **state)
{
	full = true;
	opens(SCRIPT({0}), MAP_PCP, 0);
	assert_int_equal(answer.r, -ERR_TIMEOUT);
	closes(SCRIPT({0}), MAP_PCP);
	assert_int_equal(answer.r, -ERR_TIMEOUT);
}

static void cancelled(void **state)
{
	const struct map_grant grant = had(MAP_PCP, 80);

	script = SCRIPT({"pcp 80 7200", YES(80, 7200)});
	ask_open(&ask, MAP_PCP, &grant);
	ask_cancel(&ask);
	loop_sim_advance(loop, USEC_PER_S);
	assert_int_equal(answered, 0);
	opens(SCRIPT({"pcp 80 7200", YES(80, 7200)}), MAP_PCP, 0);
	assert_int_equal(answer.r, 0);
}

/* ── closing ── */

static void given_back(void **state)
{
	closes(SCRIPT({"pcp 0 0", {0}}), MAP_PCP);
	assert_int_equal(answer.r, 0);
	closes(SCRIPT({"pcp 0 0", NO(8)}), MAP_PCP); /* there is none */
	assert_int_equal(answer.r, 0);
	closes(SCRIPT({"pcp 0 0", NO(2)}), MAP_PCP); /* another nonce: not ours any more */
	assert_int_equal(answer.r, -ERR_REFUSED);
	closes(SCRIPT({"nat-pmp 0 0", {0}}), MAP_NATPMP);
	assert_int_equal(answer.r, 0);
	closes(SCRIPT({"nat-pmp 0 0", NO(4)}), MAP_NATPMP);
	assert_int_equal(answer.r, -ERR_REFUSED);
	closes(SCRIPT({"nat-pmp 0 0", {.r = -ERR_TIMEOUT}}), MAP_NATPMP);
	assert_int_equal(answer.r, -ERR_TIMEOUT);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(by_pcp),    T(by_natpmp),  T(granted_for_no_time),	 T(the_wrong_port),
		T(a_pinhole), T(refused),    T(no_resources_at_renewal), T(too_many_at_once),
		T(cancelled), T(given_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
