/*
 * One door by UPnP: what is asked of a device after each of its answers. The device is a script: a
 * line is what must be asked next, and the answer.
 */
#include "test.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "map/ask.h"

#define OURS "homeport-7f3a"

struct igd {
	int unused;
};

struct router {
	struct map_place place;
};

/* A line of the script. */
struct line {
	const char *what; /* "add 8000 7200" */
	int r;
	unsigned code;
	struct igd_mapping mapping;
	uint16_t pinhole;
	bool allowed;
	int at_once; /* refused without being asked */
};

struct igd_call {
	struct defer tell;
	struct igd_then then;
	struct igd_answer answer;
};

static struct loop *loop;
static struct igd device;
static struct router router;
static struct ask ask;
static struct ask_answer answer;
static unsigned answered, found;
static const struct line *script;
static const struct line *first_look; /* the look before a port is asked for, if one is to come */
static unsigned n_calls;

/* ── the models ── */

struct pmp *router_pmp(struct router *r)
{
	fail();
	return NULL;
}

struct igd *router_igd(struct router *r)
{
	return &device;
}

const struct map_place *router_place(const struct router *r)
{
	return &r->place;
}

void router_find_igd(struct router *r)
{
	found++;
}

void router_note_external(struct router *r, enum map_method method, const struct ipaddr *external)
{
	fail();
}

static void on_tell(void *arg)
{
	struct igd_call *call = arg;
	struct igd_then then = call->then;
	struct igd_answer a = call->answer;

	free(call);
	n_calls--;
	then.fn(then.arg, &a);
}

static int call(const char *what, struct igd_then then, struct igd_call **ret_call, struct err *e)
{
	struct igd_call *c;

	if (!script->what || strcmp(script->what, what) != 0)
		fail_msg("asked \"%s\" instead of \"%s\"", what,
			 script->what ? script->what : "nothing");
	if (script->at_once)
		return err_set(e, -(script++)->at_once, "no device");
	c = calloc(1, sizeof(*c));
	c->then = then;
	c->answer = (struct igd_answer){.r = script->r, .upnp_code = script->code};
	c->answer.mapping = script->mapping;
	c->answer.pinhole = script->pinhole;
	c->answer.firewall.inbound_allowed = script->allowed;
	c->answer.firewall.enabled = true;
	defer_init(&c->tell, loop, on_tell, c);
	defer_call(&c->tell);
	script++;
	n_calls++;
	*ret_call = c;
	return 0;
}

#define CALL(...)                                                                                  \
	({                                                                                         \
		char what_[80];                                                                    \
		snprintf(what_, sizeof(what_), __VA_ARGS__);                                       \
		call(what_, then, ret_call, e);                                                    \
	})

int igd_add_mapping(struct igd *igd, const struct igd_mapping *mapping, struct igd_then then,
		    struct igd_call **ret_call, struct err *e)
{
	/* what is the same each time */
	assert_true(mapping->enabled);
	assert_string_equal(mapping->description, OURS);
	assert_memory_equal(mapping->client.bytes, router.place.address.bytes, 4);
	assert_int_equal(mapping->client.port, 8000);
	assert_int_equal(mapping->protocol, IPPROTO_TCP);
	assert_int_not_equal(mapping->external_port, 0);
	if (mapping->external_port >= 49152)
		return CALL("add high %u", mapping->lease_s);
	return CALL("add %u %u", mapping->external_port, mapping->lease_s);
}

int igd_delete_mapping(struct igd *igd, uint8_t protocol, uint16_t external_port,
		       struct igd_then then, struct igd_call **ret_call, struct err *e)
{
	return CALL("delete %u", external_port);
}

int igd_lookup(struct igd *igd, uint8_t protocol, uint16_t external_port, struct igd_then then,
	       struct igd_call **ret_call, struct err *e)
{
	const struct line *rest = script;
	int r;

	if (first_look) {
		script = TAKE(first_look);
		r = CALL("look %u", external_port);
		script = rest;
		return r;
	}
	if (external_port >= 49152)
		return CALL("look high");
	return CALL("look %u", external_port);
}

int igd_firewall_status(struct igd *igd, struct igd_then then, struct igd_call **ret_call,
			struct err *e)
{
	return CALL("firewall");
}

int igd_add_pinhole(struct igd *igd, uint8_t protocol, uint16_t port, uint32_t lease_s,
		    struct igd_then then, struct igd_call **ret_call, struct err *e)
{
	return CALL("pinhole %u %u", port, lease_s);
}

int igd_update_pinhole(struct igd *igd, uint16_t pinhole, uint32_t lease_s, struct igd_then then,
		       struct igd_call **ret_call, struct err *e)
{
	return CALL("update %u %u", pinhole, lease_s);
}

int igd_delete_pinhole(struct igd *igd, uint16_t pinhole, struct igd_then then,
		       struct igd_call **ret_call, struct err *e)
{
	return CALL("close %u", pinhole);
}

int igd_pinhole_packets(struct igd *igd, uint16_t pinhole, struct igd_then then,
			struct igd_call **ret_call, struct err *e)
{
	return CALL("packets %u", pinhole);
}

void igd_cancel(struct igd_call *c)
{
	if (!c)
		return;
	defer_cancel(&c->tell);
	free(c);
	n_calls--;
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
				      .protocol = IPPROTO_TCP,
				      .internal_port = 8000,
				      .external_port = family == 4 ? 80 : 8000,
				      .lifetime_s = 7200};

	router.place = (struct map_place){.address = {.family = family, .bytes = {192, 168, 1, 5}},
					  .router = {.family = family, .bytes = {192, 168, 1, 1}}};
	if (family == 6)
		router.place.address.bytes[0] = 0x2a;
	answered = found = 0;
	ask_init(&ask, loop, &router, &wish, OURS, on_answer, NULL);
}

static int setup(void **state)
{
	assert_int_equal(loop_new_sim(&loop, NULL), 0);
	begin(4);
	return 0;
}

static int teardown(void **state)
{
	ask_cancel(&ask);
	assert_int_equal(n_calls, 0);
	loop_free(loop);
	return 0;
}

static struct igd_mapping entry(uint8_t last, uint16_t port, const char *description,
				uint32_t lease_s)
{
	struct igd_mapping m = {.client = {.family = 4, .bytes = {192, 168, 1, last}, .port = port},
				.enabled = true,
				.lease_s = lease_s};

	snprintf(m.description, sizeof(m.description), "%s", description);
	return m;
}

#define NONE ((struct map_grant){.method = MAP_NONE})

static void finish(void)
{
	unsigned before = answered;

	assert_true(ask_busy(&ask)); /* never from inside */
	loop_sim_advance(loop, 0);
	assert_int_equal(answered, before + 1);
	assert_false(ask_busy(&ask));
	if (script->what)
		fail_msg("\"%s\" was not asked", script->what);
}

static void opens(const struct line *lines, const struct map_grant *grant)
{
	static const struct line nothing[] = {{"look 80", .r = -ERR_REFUSED, .code = 714}, {0}};

	script = lines;
	first_look = ask.wish.family == 4 && !grant->external.port ? nothing : NULL;
	ask_open(&ask, MAP_IGD, grant);
	finish();
	first_look = NULL;
}

/* Another answer than that nobody has the port. */
static void opens_after(const struct line *look, const struct line *lines)
{
	script = lines;
	first_look = look;
	ask_open(&ask, MAP_IGD, &(struct map_grant){.method = MAP_NONE});
	finish();
	assert_null(first_look);
}

static void closes(const struct line *lines, const struct map_grant *grant)
{
	script = lines;
	ask_close(&ask, grant);
	finish();
}

static void verifies(const struct line *lines, const struct map_grant *grant)
{
	script = lines;
	ask_verify(&ask, grant);
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
#define NO(number) .r = -ERR_REFUSED, .code = number

/* ── ports ── */

static void granted(void **state)
{
	opens(SCRIPT({"add 80 7200"}, {"look 80", .mapping = entry(5, 8000, OURS, 7199)}), &NONE);
	assert_int_equal(answer.r, 0);
	assert_int_equal(answer.grant.method, MAP_IGD);
	assert_int_equal(answer.grant.external.port, 80);
	assert_int_equal(answer.grant.external.family, 0);
	assert_int_equal(answer.grant.lifetime_s, 7199); /* what the router counts */
	assert_false(answer.grant.permanent);
	/* again for the port that is had */
	answer.grant.external.port = 81;
	opens(SCRIPT({"add 81 7200"}, {"look 81", NO(401)}), &answer.grant);
	assert_int_equal(answer.r, 0); /* it does not do look-ups: it is believed */
	assert_int_equal(answer.grant.lifetime_s, 7200);
}

/* It would be overwritten without a word. */
static void another_programs_port(void **state)
{
	const struct line theirs[] = {{"look 80", .mapping = entry(5, 9090, "Syncthing", 60)}, {0}};

	opens_after(theirs, SCRIPT({"add high 7200"}, {"look high", NO(714)}));
	assert_int_equal(answer.r, 0);
	assert_true(answer.grant.external.port >= 49152);
	ask.wish.exactly = true;
	opens_after(theirs, SCRIPT({0}));
	assert_int_equal(answer.r, -ERR_REFUSED);
	assert_string_equal(answer.why, "UPnP: port 80 is used by another program of this machine "
					"(Syncthing) (718)");
}

static void looked_at_before(void **state)
{
	/* this door already, by whomever; and another host's: the router has the last word */
	opens_after(SCRIPT({"look 80", .mapping = entry(5, 8000, "by hand", 0)}),
		    SCRIPT({"add 80 7200"}, {"look 80", NO(401)}));
	assert_int_equal(answer.r, 0);
	opens_after(SCRIPT({"look 80", .mapping = entry(9, 8000, "NAS", 0)}),
		    SCRIPT({"add 80 7200", NO(606)}));
	assert_int_equal(answer.r, -ERR_REFUSED);
	/* no answer to this question is none to the next one */
	opens_after(SCRIPT({"look 80", .r = -ERR_TIMEOUT}),
		    SCRIPT({"add 80 7200"}, {"look 80", NO(401)}));
	assert_int_equal(answer.r, 0);
	assert_int_equal(found, 0);
	opens_after(SCRIPT({"look 80", .r = -ERR_NOT_FOUND}), SCRIPT({0}));
	assert_int_equal(answer.r, -ERR_NOT_FOUND);
	assert_int_equal(found, 1);
}

static void success_that_is_none(void **state)
{
	opens(SCRIPT({"add 80 7200"}, {"look 80", .mapping = entry(9, 8000, "other", 0)}), &NONE);
	assert_int_equal(answer.r, -ERR_REFUSED);
	assert_string_equal(answer.why, "UPnP: the router says that port 80 is open, and leads it "
					"elsewhere");
	/* to us, but to another port */
	opens(SCRIPT({"add 80 7200"}, {"look 80", .mapping = entry(5, 80, OURS, 0)}), &NONE);
	assert_int_equal(answer.r, -ERR_REFUSED);
}

static void only_for_ever(void **state)
{
	static const unsigned codes[] = {725, 402, 501};

	for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
		ask.may_be_permanent = false;
		opens(SCRIPT({"add 80 7200", NO(codes[i])}), &NONE);
		assert_int_equal(answer.r, -ERR_AGAIN); /* first it must be remembered */
		ask.may_be_permanent = true;
		opens(SCRIPT({"add 80 7200", NO(codes[i])}, {"add 80 0"},
			     {"look 80", .mapping = entry(5, 8000, OURS, 0)}),
		      &NONE);
		assert_int_equal(answer.r, 0);
		assert_true(answer.grant.permanent);
		assert_int_equal(answer.grant.lifetime_s, 0);
	}
}

/* IGD 2 makes a week of "for ever". */
static void for_ever_is_a_week(void **state)
{
	ask.may_be_permanent = true;
	opens(SCRIPT({"add 80 7200", NO(725)}, {"add 80 0"},
		     {"look 80", .mapping = entry(5, 8000, OURS, 604800)}),
	      &NONE);
	assert_int_equal(answer.r, 0);
	assert_false(answer.grant.permanent);
	assert_int_equal(answer.grant.lifetime_s, 604800);
}

static void neither_short_nor_for_ever(void **state)
{
	ask.may_be_permanent = true;
	opens(SCRIPT({"add 80 7200", NO(402)}, {"add 80 0", NO(402)}, {"add 80 604800"},
		     {"look 80", NO(501)}),
	      &NONE);
	assert_int_equal(answer.r, 0);
	assert_false(answer.grant.permanent);
	assert_int_equal(answer.grant.lifetime_s, 604800);
	/* and when that is not to its taste either, it ends */
	opens(SCRIPT({"add 80 7200", NO(402)}, {"add 80 0", NO(402)}, {"add 80 604800", NO(402)}),
	      &NONE);
	assert_int_equal(answer.r, -ERR_REFUSED);
	assert_non_null(strstr(answer.why, "(402)"));
}

static void failed_altogether(void **state)
{
	ask.may_be_permanent = true;
	opens(SCRIPT({"add 80 7200", NO(501)}, {"add 80 0", NO(501)}), &NONE);
	assert_int_equal(answer.r, -ERR_REFUSED);
	assert_non_null(strstr(answer.why, "(501)"));
}

/* Leases vanish there: not even tried, and not for ever before that is remembered. */
static void must_be_permanent(void **state)
{
	ask.must_be_permanent = true;
	opens(SCRIPT({0}), &NONE);
	assert_int_equal(answer.r, -ERR_AGAIN);
	ask.may_be_permanent = true;
	opens(SCRIPT({"add 80 0"}, {"look 80", .mapping = entry(5, 8000, OURS, 0)}), &NONE);
	assert_int_equal(answer.r, 0);
	assert_true(answer.grant.permanent);
}

static void taken_by_another(void **state)
{
	ask.wish.exactly = true;
	opens(SCRIPT({"add 80 7200", NO(718)}, {"look 80", .mapping = entry(9, 80, "Skype", 0)}),
	      &NONE);
	assert_int_equal(answer.r, -ERR_REFUSED);
	assert_string_equal(answer.why, "UPnP: port 80 is used by 192.168.1.9 (Skype) (718)");
	opens(SCRIPT({"add 80 7200", NO(718)}, {"look 80", NO(606)}), &NONE);
	assert_string_equal(answer.why, "UPnP: port 80 is used by another device (718)");
	opens(SCRIPT({"add 80 7200", NO(718)}, {"look 80", .mapping = entry(5, 22, "ssh", 0)}),
	      &NONE);
	assert_string_equal(answer.why, "UPnP: port 80 is used by another program of this machine "
					"(ssh) (718)");
}

static void another_port_will_do(void **state)
{
	struct igd_mapping other = entry(9, 80, "Skype", 0);

	opens(SCRIPT({"add 80 7200", NO(718)}, {"look 80", .mapping = other},
		     {"add high 7200", NO(718)}, {"look high", .mapping = other}, {"add high 7200"},
		     {"look high", .mapping = entry(5, 8000, OURS, 7200)}),
	      &NONE);
	assert_int_equal(answer.r, 0);
	assert_in_range(answer.grant.external.port, 49152, 65535);
}

static void not_for_ever(void **state)
{
	struct igd_mapping other = entry(9, 80, "Skype", 0);

	opens(SCRIPT({"add 80 7200", NO(718)}, {"look 80", .mapping = other},
		     {"add high 7200", NO(718)}, {"look high", .mapping = other},
		     {"add high 7200", NO(718)}, {"look high", .mapping = other},
		     {"add high 7200", NO(718)}, {"look high", .mapping = other},
		     {"add high 7200", NO(718)}, {"look high", .mapping = other}),
	      &NONE);
	assert_int_equal(answer.r, -ERR_REFUSED);
	assert_non_null(strstr(answer.why, "(718)"));
}

/* The same door looks for the same ports: a router's table is not filled by each start. */
static void other_ports_are_the_same_each_time(void **state)
{
	uint16_t port;

	opens(SCRIPT({"add 80 7200", NO(729)}, {"add high 7200"}, {"look high", NO(401)}), &NONE);
	port = answer.grant.external.port;
	opens(SCRIPT({"add 80 7200", NO(729)}, {"add high 7200"}, {"look high", NO(401)}), &NONE);
	assert_int_equal(answer.grant.external.port, port);
}

/* By this machine's former address. */
static void ours_of_former_days(void **state)
{
	ask.wish.exactly = true;
	opens(SCRIPT({"add 80 7200", NO(718)}, {"look 80", .mapping = entry(77, 8000, OURS, 0)},
		     {"delete 80"}, {"add 80 7200"},
		     {"look 80", .mapping = entry(5, 8000, OURS, 7200)}),
	      &NONE);
	assert_int_equal(answer.r, 0);
	/* a router that lets only that address do it */
	opens(SCRIPT({"add 80 7200", NO(718)}, {"look 80", .mapping = entry(77, 8000, OURS, 0)},
		     {"delete 80", NO(606)}, {"add 80 7200", NO(718)},
		     {"look 80", .mapping = entry(77, 8000, OURS, 0)}),
	      &NONE);
	assert_int_equal(answer.r, -ERR_REFUSED);
	assert_non_null(strstr(answer.why, "former address 192.168.1.77"));
}

/* Two doors that want the same port: the second does not take it from the first. */
static void another_door_of_ours(void **state)
{
	ask.wish.exactly = true;
	opens(SCRIPT({"add 80 7200", NO(718)}, {"look 80", .mapping = entry(5, 8001, OURS, 0)}),
	      &NONE);
	assert_int_equal(answer.r, -ERR_REFUSED);
	assert_non_null(strstr(answer.why, "port 80 is used by another door of this machine"));
}

static void the_same_port_on_both_sides(void **state)
{
	opens(SCRIPT({"add 80 7200", NO(724)}, {"add 8000 7200"},
		     {"look 8000", .mapping = entry(5, 8000, OURS, 7200)}),
	      &NONE);
	assert_int_equal(answer.r, 0);
	assert_int_equal(answer.grant.external.port, 8000);
	ask.wish.exactly = true;
	opens(SCRIPT({"add 80 7200", NO(724)}), &NONE);
	assert_int_equal(answer.r, -ERR_REFUSED);
	assert_non_null(strstr(answer.why, "same port inside and outside (724)"));
}

static void a_rule_of_its_owner(void **state)
{
	ask.wish.exactly = true;
	opens(SCRIPT({"add 80 7200", NO(729)}), &NONE);
	assert_int_equal(answer.r, -ERR_REFUSED);
	assert_non_null(strstr(answer.why, "(729)"));
}

static void nobody_is_there(void **state)
{
	opens(SCRIPT({"add 80 7200", .at_once = -ERR_NOT_FOUND}), &NONE);
	assert_int_equal(answer.r, -ERR_NOT_FOUND);
	assert_int_equal(found, 1);
	opens(SCRIPT({"add 80 7200", .r = -ERR_NOT_FOUND}), &NONE);
	assert_int_equal(answer.r, -ERR_NOT_FOUND);
	assert_int_equal(found, 2);
	opens(SCRIPT({"add 80 7200", .at_once = -ERR_LIMIT}), &NONE);
	assert_int_equal(answer.r, -ERR_TIMEOUT);
	opens(SCRIPT({"add 80 7200", .r = -ERR_TIMEOUT}), &NONE);
	assert_int_equal(answer.r, -ERR_TIMEOUT);
	assert_int_equal(found, 2);
}

static void cancelled_at_any_point(void **state)
{
	script = SCRIPT({"look 80"});
	ask_open(&ask, MAP_IGD, &NONE);
	ask_cancel(&ask);
	loop_sim_advance(loop, 0);
	assert_int_equal(answered, 0);
	assert_int_equal(n_calls, 0);
	/* and it can be asked again */
	opens(SCRIPT({"add 80 7200"}, {"look 80", NO(401)}), &NONE);
	assert_int_equal(answer.r, 0);
}

/* ── closing ── */

static void given_back(void **state)
{
	const struct map_grant grant = {.method = MAP_IGD, .external.port = 80, .lifetime_s = 7200};

	closes(SCRIPT({"look 80", .mapping = entry(5, 8000, OURS, 100)}, {"delete 80"}), &grant);
	assert_int_equal(answer.r, 0);
	/* it is gone already */
	closes(SCRIPT({"look 80", NO(714)}), &grant);
	assert_int_equal(answer.r, 0);
	closes(SCRIPT({"look 80", .mapping = entry(5, 8000, OURS, 100)}, {"delete 80", NO(714)}),
	       &grant);
	assert_int_equal(answer.r, 0);
	/* of a router that does no look-ups */
	closes(SCRIPT({"look 80", NO(401)}, {"delete 80"}), &grant);
	assert_int_equal(answer.r, 0);
	/* by our former address */
	closes(SCRIPT({"look 80", .mapping = entry(77, 8000, OURS, 100)}, {"delete 80"}), &grant);
	assert_int_equal(answer.r, 0);
	closes(SCRIPT({"look 80", .mapping = entry(5, 8000, OURS, 100)}, {"delete 80", NO(606)}),
	       &grant);
	assert_int_equal(answer.r, -ERR_REFUSED);
	closes(SCRIPT({"look 80", .r = -ERR_TIMEOUT}), &grant);
	assert_int_equal(answer.r, -ERR_TIMEOUT);
}

static void not_what_is_somebody_elses(void **state)
{
	const struct map_grant grant = {.method = MAP_IGD, .external.port = 80, .lifetime_s = 7200};

	closes(SCRIPT({"look 80", .mapping = entry(9, 80, "Skype", 100)}), &grant);
	assert_int_equal(answer.r, 0);
	/* another door of ours has the port by now */
	closes(SCRIPT({"look 80", .mapping = entry(5, 8001, OURS, 100)}), &grant);
	assert_int_equal(answer.r, 0);
}

/* ── is it still there? ── */

static void looked_up(void **state)
{
	const struct map_grant grant = {.method = MAP_IGD, .external.port = 80, .lifetime_s = 7200};

	verifies(SCRIPT({"look 80", .mapping = entry(5, 8000, OURS, 100)}), &grant);
	assert_int_equal(answer.r, 0);
	verifies(SCRIPT({"look 80", NO(714)}), &grant);
	assert_int_equal(answer.r, -ERR_REFUSED);
	assert_string_equal(answer.why, "UPnP: the router has lost port 80");
	verifies(SCRIPT({"look 80", .mapping = entry(9, 8000, "other", 100)}), &grant);
	assert_int_equal(answer.r, -ERR_REFUSED);
	verifies(SCRIPT({"look 80", .mapping = entry(5, 8001, OURS, 100)}), &grant);
	assert_int_equal(answer.r, -ERR_REFUSED);
	verifies(SCRIPT({"look 80", NO(401)}), &grant); /* no news */
	assert_int_equal(answer.r, 0);
	verifies(SCRIPT({"look 80", .r = -ERR_TIMEOUT}), &grant);
	assert_int_equal(answer.r, -ERR_TIMEOUT);
	verifies(SCRIPT({"look 80", .r = -ERR_NOT_FOUND}), &grant);
	assert_int_equal(answer.r, -ERR_NOT_FOUND);
	assert_int_equal(found, 1);
}

/* ── pinholes ── */

static void a_pinhole(void **state)
{
	begin(6);
	opens(SCRIPT({"pinhole 8000 7200", .pinhole = 42}), &NONE);
	assert_int_equal(answer.r, 0);
	assert_int_equal(answer.grant.pinhole, 42);
	assert_int_equal(answer.grant.external.port, 8000);
	assert_memory_equal(answer.grant.external.bytes, router.place.address.bytes, 16);
	assert_int_equal(answer.grant.lifetime_s, 7200);
	assert_false(answer.grant.permanent);
	/* renewed */
	opens(SCRIPT({"update 42 7200"}), &answer.grant);
	assert_int_equal(answer.r, 0);
	assert_int_equal(answer.grant.pinhole, 42);
	/* gone: another one */
	opens(SCRIPT({"update 42 7200", NO(704)}, {"pinhole 8000 7200", .pinhole = 43}),
	      &answer.grant);
	assert_int_equal(answer.r, 0);
	assert_int_equal(answer.grant.pinhole, 43);
	verifies(SCRIPT({"packets 43"}), &answer.grant);
	assert_int_equal(answer.r, 0);
	verifies(SCRIPT({"packets 43", NO(704)}), &answer.grant);
	assert_int_equal(answer.r, -ERR_REFUSED);
	closes(SCRIPT({"close 43"}), &answer.grant);
	assert_int_equal(answer.r, 0);
	closes(SCRIPT({"close 43", NO(704)}), &answer.grant);
	assert_int_equal(answer.r, 0);
	closes(SCRIPT({"close 43", NO(606)}), &answer.grant);
	assert_int_equal(answer.r, -ERR_REFUSED);
}

/* Its number was never told: no other's is guessed. */
static void a_pinhole_without_a_number(void **state)
{
	const struct map_grant grant = {.method = MAP_IGD};

	begin(6);
	closes(SCRIPT({0}), &grant);
	assert_int_equal(answer.r, 0);
}

static void the_firewall_forbids_pinholes(void **state)
{
	begin(6);
	ask.wish.internal_port = 443;
	opens(SCRIPT({"pinhole 443 7200", NO(606)}, {"firewall", .allowed = false}), &NONE);
	assert_int_equal(answer.r, -ERR_REFUSED);
	assert_non_null(strstr(answer.why, "firewall allows this device no pinholes (606)"));
	opens(SCRIPT({"pinhole 443 7200", NO(606)}, {"firewall", .allowed = true}), &NONE);
	assert_string_equal(answer.why, "UPnP: the router refuses ports below 1024 (606)");
	opens(SCRIPT({"pinhole 443 7200", NO(606)}, {"firewall", .r = -ERR_TIMEOUT}), &NONE);
	assert_int_equal(answer.r, -ERR_REFUSED);
	assert_string_equal(answer.why, "UPnP: the router refuses ports below 1024 (606)");
	opens(SCRIPT({"pinhole 443 7200", NO(703)}), &NONE);
	assert_non_null(strstr(answer.why, "firewall allows this device no pinholes (703)"));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(granted),
		T(another_programs_port),
		T(looked_at_before),
		T(success_that_is_none),
		T(only_for_ever),
		T(for_ever_is_a_week),
		T(neither_short_nor_for_ever),
		T(failed_altogether),
		T(must_be_permanent),
		T(taken_by_another),
		T(another_port_will_do),
		T(not_for_ever),
		T(other_ports_are_the_same_each_time),
		T(ours_of_former_days),
		T(another_door_of_ours),
		T(the_same_port_on_both_sides),
		T(a_rule_of_its_owner),
		T(nobody_is_there),
		T(cancelled_at_any_point),
		T(given_back),
		T(not_what_is_somebody_elses),
		T(looked_up),
		T(a_pinhole),
		T(a_pinhole_without_a_number),
		T(the_firewall_forbids_pinholes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
