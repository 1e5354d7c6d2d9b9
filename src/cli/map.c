#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/ipclass.h"
#include "base/log.h"
#include "cli/columns.h"
#include "cli/commands.h"
#include "cli/doors_client.h"
#include "conf/value.h"

#define NETWORK_PATIENCE (3 * USEC_PER_S) /* for an address and a router to be there */

struct map_options {
	struct common common;
	int64_t external;
	const char *lifetime, *router, *source, *interface;
	bool udp, ipv4, ipv6, json;
};

static const struct option_row map_rows[] = {
	{"external", 'e', OPTION_NUMBER, offsetof(struct map_options, external), .arg = "PORT",
	 .min = 1, .max = 65535,
	 .help = "the router's port, this one and no other (default: PORT, or what the router "
		 "gives)"},
	{"udp", 'u', OPTION_FLAG, offsetof(struct map_options, udp), .help = "UDP instead of TCP"},
	{"ipv4", '4', OPTION_FLAG, offsetof(struct map_options, ipv4),
	 .help = "a port of the router's IPv4 address (the default)"},
	{"ipv6", '6', OPTION_FLAG, offsetof(struct map_options, ipv6),
	 .help = "a pinhole in the router's IPv6 firewall; with --ipv4, both"},
	{"lifetime", 0, OPTION_TEXT, offsetof(struct map_options, lifetime), .arg = "TIME",
	 .help = "for how long it is asked for each time, such as 30m (default: 2h); it is "
		 "renewed, and closes by itself so long after this machine died"},
	{"interface", 'i', OPTION_TEXT, offsetof(struct map_options, interface), .arg = "NAME",
	 .help = "ask from this interface, without the agent"},
	{"router", 0, OPTION_TEXT, offsetof(struct map_options, router), .arg = "ADDRESS",
	 .help = "ask this router instead of the one that is the way out, without the agent"},
	{"source", 0, OPTION_TEXT, offsetof(struct map_options, source), .arg = "ADDRESS",
	 .help = "with --router: the address of this machine that the door leads to"},
	{"json", 0, OPTION_FLAG, offsetof(struct map_options, json),
	 .help = "print JSON, for programs; of a door that is held, an object a line"},
};

enum map_verb { VERB_HOLD, VERB_LIST, VERB_PROBE, VERB_DELETE };

struct map_run {
	const struct map_options *options; /* borrowed */
	enum map_verb verb;
	uint16_t port; /* 0: none was named */
	struct places places;
	struct doors_local local;
	uint32_t lifetime_s;
	struct loop *loop;
	struct doors_client *client;
	struct timer network; /* patience for it */
	unsigned lacking;     /* families without one: bit 0 IPv4, bit 1 IPv6 */
	struct err why[2];    /* of these */
	int exit_code;
	bool acked;  /* the first answer has come */
	bool probed; /* the routers' answers are there: now the list */
	bool leaving;
	unsigned wanted;  /* doors, likewise */
	unsigned open;	  /* of them, at least once */
	unsigned warned;  /* likewise: nothing listens there */
	unsigned refused; /* likewise: and never open */
	bool hinted;	  /* that Ctrl-C closes them */
	char *told[2];	  /* owned: the last line of each family's door */
};

/* ── words ── */

static unsigned family_bit(const json_t *door)
{
	return json_number(door, "family") == 6 ? 2 : 1;
}

/* In front of what is said of one of two doors. */
static const char *for_family(const json_t *door)
{
	return family_bit(door) == 2 ? "for IPv6: " : "for IPv4: ";
}

static void line(const char *label, const char *text)
{
	printf("%-9s %s\n", label, text);
	fflush(stdout);
}

/* A line about a door, once. */
static void tell_door(struct map_run *run, const json_t *door, const char *label, const char *text)
{
	char **told = &run->told[family_bit(door) - 1];
	char *whole = NULL;

	if (asprintf(&whole, "%s %s", label, text) < 0)
		return;
	if (*told && strcmp(*told, whole) == 0) {
		free(whole);
		return;
	}
	free(*told);
	*told = whole;
	line(label, text);
}

static const char *title_of(const json_t *object)
{
	return map_method_title(map_method_parse(json_text(object, "method")));
}

static enum ipclass class_of(const char *address, struct ipaddr *ret)
{
	if (ipaddr_parse(str_of(address), ret) < 0 && ipaddr_parse_port(str_of(address), ret) < 0)
		*ret = (struct ipaddr){0};
	return ipclass_of(ret);
}

/* ── a door that is held ── */

static void warn_listener(struct map_run *run, const json_t *door)
{
	const char *listening = json_text(door, "listening");
	char text[256];

	if (run->warned & family_bit(door) || !*listening || strcmp(listening, "yes") == 0)
		return;
	run->warned |= family_bit(door);
	if (strcmp(listening, "no") == 0)
		snprintf(text, sizeof(text),
			 "nothing listens on %s %s here: visitors will be refused",
			 json_text(door, "protocol"), json_text(door, "internal"));
	else
		snprintf(
			text, sizeof(text),
			"what listens on %s port %lld listens on this machine's own address alone; "
			"bind it to %s or to every address",
			json_text(door, "protocol"), json_number(door, "internal_port"),
			json_text(door, "internal"));
	line("warning", text);
}

static void warn_outside(const char *outside)
{
	struct ipaddr external;
	enum ipclass class = class_of(outside, &external);
	char address[IPADDR_TEXT_MAX], text[256];

	if (class == IPCLASS_PUBLIC || class == IPCLASS_NONE)
		return;
	external.port = 0;
	snprintf(text, sizeof(text),
		 "the router's own address outside, %s, is %s: the world cannot reach it there, "
		 "whatever the router opens; IPv6 (--ipv6) or a gateway can",
		 ipaddr_format(address, &external), ipclass_words(class));
	line("warning", text);
}

/* All that can be had now is. */
static void hint(struct map_run *run)
{
	if (!run->open || run->hinted || (run->open | run->refused) != run->wanted)
		return;
	run->hinted = true;
	line("", "Ctrl-C closes it");
}

static void leave(struct map_run *run);

/* This family's will not come, and never did. */
static void give_up(struct map_run *run, unsigned family)
{
	run->refused |= family;
	if (run->refused != run->wanted)
		return;
	run->exit_code = 1;
	leave(run);
}

static void tell_open(struct map_run *run, const json_t *door)
{
	const char *external = json_text(door, "external");
	usec_t life = (usec_t)json_number(door, "lifetime_s") * USEC_PER_S;
	char text[512], span[USTIME_TEXT_MAX], port[64];
	bool fresh = !(run->open & family_bit(door));

	snprintf(port, sizeof(port), "port %lld of the router", json_number(door, "external_port"));
	snprintf(text, sizeof(text), "%s %s leads to %s (%s%s%s)", json_text(door, "protocol"),
		 *external ? external : port, json_text(door, "internal"), title_of(door),
		 json_is_true(json_object_get(door, "permanent"))
			 ? ", permanent until it is closed"
			 : ", renewed while this runs, else for ",
		 json_is_true(json_object_get(door, "permanent")) ? ""
								  : ustime_format_span(span, life));
	tell_door(run, door, "open", text);
	run->open |= family_bit(door);
	if (!fresh)
		return;
	warn_outside(json_text(door, "external"));
	warn_listener(run, door);
	hint(run);
}

static void tell_refused(struct map_run *run, const json_t *door)
{
	char text[LOG_TEXT_MAX], span[USTIME_TEXT_MAX], whole[LOG_TEXT_MAX + 64];
	bool never = !(run->open & family_bit(door));
	usec_t again = (usec_t)json_number(door, "retry_in_s") * USEC_PER_S;

	log_text(text, str_of(json_text(door, "why")));
	if (!*text)
		snprintf(text, sizeof(text), "the router %s offers no way to open a door",
			 json_text(door, "router"));
	snprintf(whole, sizeof(whole), "%s%s%s%s", run->wanted == 3 ? for_family(door) : "", text,
		 never ? "" : "; asking again in ", never ? "" : ustime_format_span(span, again));
	tell_door(run, door, "refused", whole);
	if (!never)
		return;
	warn_outside(json_text(door, "outside"));
	give_up(run, family_bit(door));
	hint(run);
}

static void note_network(struct map_run *run, const json_t *door)
{
	unsigned family = family_bit(door);

	if (strcmp(json_text(door, "state"), "no network") == 0)
		err_set(&run->why[family - 1], ERR_FAILED, "%s", json_text(door, "why"));
	else
		run->lacking &= ~family;
	if (!run->lacking)
		timer_stop(&run->network);
}

static void tell_door_state(struct map_run *run, const json_t *door)
{
	const char *state = json_text(door, "state"), *why = json_text(door, "why");
	char text[LOG_TEXT_MAX + 64], escaped[LOG_TEXT_MAX];

	snprintf(text, sizeof(text), "%s port %lld%s%s", json_text(door, "protocol"),
		 json_number(door, "internal_port"), *why ? ": " : "",
		 log_text(escaped, str_of(why)));
	if (strcmp(state, "open") == 0)
		tell_open(run, door);
	else if (strcmp(state, "refused") == 0)
		tell_refused(run, door);
	else if (strcmp(state, "closed") == 0 && (run->open & family_bit(door)))
		tell_door(run, door, "closed", text);
	else if (strcmp(state, "no network") == 0 && (run->open & family_bit(door)))
		tell_door(run, door, "waiting", "for the network to come back");
}

static void fail_without_network(struct map_run *run, const char *why)
{
	run->exit_code = complain("map", "%s",
				  *why ? why
				       : "there is no network with a router here; "
					 "homeport ip shows what there is");
	leave(run);
}

/* Of one family: the other's door is told of by itself. */
static void tell_lacking(struct map_run *run, unsigned family)
{
	const char *why = run->why[family - 1].text;
	char text[LOG_TEXT_MAX + 64], escaped[LOG_TEXT_MAX];

	snprintf(text, sizeof(text), "for IPv%d: %s", family == 2 ? 6 : 4,
		 *why ? log_text(escaped, str_of(why)) : "there is no network with a router here");
	if (!run->options->json)
		line("waiting", text);
	give_up(run, family);
	if (!run->options->json)
		hint(run);
}

static void on_no_network(void *arg)
{
	struct map_run *run = arg;

	if (run->lacking == run->wanted)
		fail_without_network(run, run->why[run->wanted == 2].text);
	else
		tell_lacking(run, run->lacking);
}

static json_t *door_wish(const struct map_run *run, int family)
{
	const struct map_options *o = run->options;
	int64_t external = family == 6 || o->external == OPTION_UNSET ? run->port : o->external;

	return json_pack("{s:i s:s s:i s:i s:b s:i}", "family", family, "protocol",
			 o->udp ? "udp" : "tcp", "internal_port", (int)run->port, "external_port",
			 (int)external, "exactly",
			 o->external != OPTION_UNSET || map_port_is_fixed(run->port), "lifetime_s",
			 (int)run->lifetime_s);
}

static void ask_to_hold(struct map_run *run)
{
	json_t *doors = json_array();

	if (run->wanted & 1)
		json_array_append_new(doors, door_wish(run, 4));
	if (run->wanted & 2)
		json_array_append_new(doors, door_wish(run, 6));
	run->lacking = run->wanted;
	timer_start(&run->network, NETWORK_PATIENCE);
	doors_client_send(run->client, json_pack("{s:s s:o}", "command", "map", "doors", doors));
}

/* ── probe ── */

static void print_offer(struct columns *c, const json_t *offer)
{
	const char *external = json_text(offer, "external");
	char took[USTIME_TEXT_MAX], says[512] = "", text[LOG_TEXT_MAX];
	bool told = json_object_get(offer, "external") != NULL;
	struct ipaddr address;

	ustime_format_span(took,
			   (usec_t)(json_real_value(json_object_get(offer, "took_ms")) * 1000));
	log_text(text, str_of(json_text(offer, "text")));
	if (told && *external)
		snprintf(says, sizeof(says), "outside it is %s: %s%s%.200s", external,
			 ipclass_words(class_of(external, &address)), *text ? "; " : "", text);
	else if (told)
		snprintf(says, sizeof(says), "it has no address outside%s%.200s", *text ? "; " : "",
			 text);
	else
		snprintf(says, sizeof(says), "%.200s", text);
	columns_row(c, title_of(offer), json_text(offer, "state"), took, says, NULL);
}

static bool print_router(const json_t *router)
{
	const json_t *offers = json_object_get(router, "offers"), *offer;
	struct columns c = {0};
	bool any = false;
	size_t i;

	printf("router %s on %s, asked from %s\n", json_text(router, "router"),
	       json_text(router, "interface"), json_text(router, "address"));
	columns_row(&c, "WAY", "STATE", "AFTER", "IT SAYS", NULL);
	json_array_foreach(offers, i, offer)
	{
		print_offer(&c, offer);
		any |= strcmp(json_text(offer, "state"), "offered") == 0;
	}
	columns_print(&c, stdout);
	columns_done(&c);
	if (!any)
		printf("It opens no doors. If its own pages have a switch for UPnP or PCP, turn it "
		       "on, or forward the port there by hand.\n");
	return any;
}

static void on_probed(struct map_run *run, const json_t *answer)
{
	const json_t *routers = json_object_get(answer, "routers"), *router;
	bool any = false;
	size_t i;

	if (json_array_size(routers) == 0) {
		fail_without_network(run, "");
		return;
	}
	if (run->options->json)
		json_dumpf(routers, stdout, JSON_INDENT(2));
	json_array_foreach(routers, i, router)
	{
		if (!run->options->json)
			any |= print_router(router);
		if (!run->options->json && i + 1 < json_array_size(routers))
			printf("\n");
	}
	if (run->options->json)
		printf("\n");
	run->exit_code = any || run->options->json ? 0 : 1;
	leave(run);
}

/* ── list ── */

struct listing {
	json_t *doors;	 /* owned */
	long long agent; /* its process; 0: none */
};

/* Doors of homeports that are not the agent. */
static void add_remembered(void *arg, const struct ledger_entry *entry, pid_t holder)
{
	char internal[IPADDR_TEXT_MAX], router[IPADDR_TEXT_MAX];
	uint64_t now = ustime_wall() / USEC_PER_S;
	struct listing *listing = arg;
	bool over = !entry->permanent && entry->expires_s && entry->expires_s <= now;
	json_t *door;

	if ((holder && holder == listing->agent) || (over && !holder))
		return;
	door = json_pack(
		"{s:i s:s s:s s:i s:s s:s s:s s:i s:b s:i}", "family", (int)entry->internal.family,
		"protocol", map_protocol_name(entry->protocol), "internal",
		ipaddr_format_port(internal, &entry->internal), "internal_port",
		(int)entry->internal.port, "router", ipaddr_format(router, &entry->router), "state",
		!holder				    ? "left open"
		: entry->method == MAP_NONE || over ? "not open"
						    : "open",
		"method", map_method_name(entry->method), "external_port",
		(int)entry->external_port, "permanent", entry->permanent, "pid", (int)holder);
	if (door && !entry->permanent && entry->expires_s > now)
		json_object_set_new(door, "expires_in_s",
				    json_integer((json_int_t)(entry->expires_s - now)));
	json_array_append_new(listing->doors, door);
}

static void print_door(struct columns *c, const json_t *door)
{
	const char *external = json_text(door, "external"), *state = json_text(door, "state");
	usec_t life = (usec_t)json_number(door, "expires_in_s") * USEC_PER_S;
	char span[USTIME_TEXT_MAX], port[16] = "", whose[48], why[LOG_TEXT_MAX];
	bool permanent = json_is_true(json_object_get(door, "permanent"));
	bool open = strcmp(state, "open") == 0 || strcmp(state, "left open") == 0;

	if (json_number(door, "external_port"))
		snprintf(port, sizeof(port), "port %lld", json_number(door, "external_port"));
	if (*json_text(door, "of"))
		snprintf(whose, sizeof(whose), "agent, %s", json_text(door, "of"));
	else if (json_number(door, "pid"))
		snprintf(whose, sizeof(whose), "process %lld", json_number(door, "pid"));
	else
		snprintf(whose, sizeof(whose), "nobody");
	columns_row(c, json_text(door, "protocol"), json_text(door, "internal"), state,
		    *external ? external : port, open ? title_of(door) : "",
		    !open	? ""
		    : permanent ? "never"
				: ustime_format_span(span, life),
		    whose, log_text(why, str_of(json_text(door, "why"))), NULL);
}

static void print_entry(const struct map_run *run, const json_t *entry)
{
	char text[LOG_TEXT_MAX];
	const char *protocol = run->options->udp ? "udp" : "tcp";

	if (json_is_true(json_object_get(entry, "there")))
		printf("the router's UPnP entry for %s %u leads to %s, \"%s\", for %lld s%s\n",
		       protocol, run->port, json_text(entry, "client"),
		       log_text(text, str_of(json_text(entry, "description"))),
		       json_number(entry, "lease_s"),
		       json_is_true(json_object_get(entry, "enabled")) ? "" : " (switched off)");
	else if (json_number(entry, "code") == 714)
		printf("the router has no UPnP entry for %s %u\n", protocol, run->port);
	else
		printf("the router does not tell its UPnP entry for %s %u: %s\n", protocol,
		       run->port, log_text(text, str_of(json_text(entry, "text"))));
}

static void print_list(struct map_run *run, const json_t *answer)
{
	struct listing listing = {.agent = json_number(answer, "pid")};
	const json_t *entry = json_object_get(answer, "entry"), *door;
	struct columns c = {0};
	size_t i;

	listing.doors = json_deep_copy(json_object_get(answer, "doors"));
	if (!listing.doors)
		listing.doors = json_array();
	ledger_look(run->places.state, add_remembered, &listing);
	if (run->options->json) {
		json_t *all = json_pack("{s:O}", "doors", listing.doors);

		if (entry)
			json_object_set_new(all, "entry", json_deep_copy(entry));
		json_dumpf(all, stdout, JSON_INDENT(2));
		printf("\n");
		json_decref(all);
	} else {
		columns_row(&c, "DOOR", "LEADS TO", "STATE", "OUTSIDE", "BY", "EXPIRES", "KEPT BY",
			    "WHY", NULL);
		json_array_foreach(listing.doors, i, door) print_door(&c, door);
		if (json_array_size(listing.doors))
			columns_print(&c, stdout);
		else
			printf("no doors\n");
		columns_done(&c);
		if (entry)
			print_entry(run, entry);
	}
	json_decref(listing.doors);
}

/* ── delete ── */

static void on_deleted(struct map_run *run)
{
	const char *protocol = run->options->udp ? "udp" : "tcp";

	if (run->options->json)
		printf("{\"given_back\": true, \"family\": %d, \"protocol\": \"%s\", \"port\": "
		       "%u}\n",
		       run->wanted == 2 ? 6 : 4, protocol, run->port);
	else
		printf("%s port %u is given back\n", protocol, run->port);
	leave(run);
}

/* ── the conversation ── */

static void leave(struct map_run *run)
{
	if (run->leaving)
		return;
	run->leaving = true;
	timer_stop(&run->network);
	doors_client_close(run->client);
}

static void ask_list(struct map_run *run)
{
	json_t *request = json_pack("{s:s}", "command", "map-list");

	if (run->port)
		json_object_set_new(request, "entry",
				    json_pack("{s:s s:i}", "protocol",
					      run->options->udp ? "udp" : "tcp", "external_port",
					      (int)run->port));
	doors_client_send(run->client, request);
}

static void ask_delete(struct map_run *run)
{
	doors_client_send(run->client,
			  json_pack("{s:s s:i s:s s:i}", "command", "map-delete", "family",
				    run->wanted == 2 ? 6 : 4, "protocol",
				    run->options->udp ? "udp" : "tcp", "port", (int)run->port));
}

static void ask_probe(struct map_run *run)
{
	doors_client_send(run->client, json_pack("{s:s}", "command", "map-probe"));
}

static void on_ready(void *arg, bool local)
{
	struct map_run *run = arg;

	if (run->verb == VERB_HOLD)
		ask_to_hold(run);
	else if (run->verb == VERB_LIST && !run->port)
		ask_list(run);
	else
		ask_probe(run); /* what the router offers is to be known first */
}

static void on_answer(struct map_run *run, const json_t *answer)
{
	if (!json_is_true(json_object_get(answer, "ok"))) {
		run->exit_code = complain("map", "%s", json_text(answer, "error"));
		leave(run);
		return;
	}
	switch (run->verb) {
	case VERB_HOLD:
		break;
	case VERB_PROBE:
		on_probed(run, answer);
		break;
	case VERB_LIST:
		if (run->port && !run->probed) {
			run->probed = true;
			ask_list(run);
		} else {
			print_list(run, answer);
			leave(run);
		}
		break;
	case VERB_DELETE:
		if (!run->probed) {
			run->probed = true;
			ask_delete(run);
		} else {
			on_deleted(run);
		}
		break;
	}
}

static void on_object(void *arg, const json_t *object)
{
	struct map_run *run = arg;
	const char *event = json_text(object, "event");

	if (strcmp(event, "door") == 0)
		note_network(run, object);
	if (run->options->json && run->verb == VERB_HOLD && *event) {
		json_dumpf(object, stdout, JSON_COMPACT);
		printf("\n");
		fflush(stdout);
		if (strcmp(event, "door") != 0)
			return;
		if (strcmp(json_text(object, "state"), "open") == 0)
			run->open |= family_bit(object);
		else if (strcmp(json_text(object, "state"), "refused") == 0 &&
			 !(run->open & family_bit(object)))
			give_up(run, family_bit(object));
		return;
	}
	if (strcmp(event, "door") == 0)
		tell_door_state(run, object);
	else if (!*event && !run->leaving)
		on_answer(run, object);
}

static void on_end(void *arg, int r, const struct err *e)
{
	struct map_run *run = arg;

	if (r == -ERR_REFUSED && run->verb == VERB_LIST && !run->leaving)
		print_list(run, NULL); /* without an agent there are those that are remembered */
	else if (r == -ERR_RESET && !run->leaving)
		run->exit_code = complain("map", "the homeport that kept the door has ended, and "
						 "given it back");
	else if (r < 0 && !run->leaving)
		run->exit_code = complain("map", "%s", e->text);
	loop_stop(run->loop);
}

static void on_signal(void *arg)
{
	struct map_run *run = arg;

	if (run->leaving)
		loop_stop(run->loop);
	else
		leave(run);
}

static const struct doors_client_handler client_handler = {
	.on_ready = on_ready, .on_object = on_object, .on_end = on_end};

static int start(struct map_run *run, struct err *e)
{
	int r = loop_new(&run->loop, e);

	if (r == 0)
		r = loop_on_signal(run->loop, SIGINT, on_signal, run, e);
	if (r == 0)
		r = loop_on_signal(run->loop, SIGTERM, on_signal, run, e);
	if (r == 0) {
		timer_init(&run->network, run->loop, on_no_network, run);
		r = doors_client_new(run->loop, &run->places,
				     run->verb == VERB_LIST && !run->port ? NULL : &run->local,
				     &client_handler, run, &run->client, e);
	}
	return r;
}

/* ── what was typed ── */

static int parse_lifetime(struct map_run *run, struct err *e)
{
	static const struct conf_row row = {.type = CONF_DURATION,
					    .min = MAP_LIFETIME_MIN * (int64_t)USEC_PER_S,
					    .max = MAP_LIFETIME_MAX * (int64_t)USEC_PER_S};
	int64_t span = CONF_UNSET;

	run->lifetime_s = MAP_LIFETIME_MAX;
	if (!run->options->lifetime)
		return 0;
	if (value_parse(&row, &span, str_of(run->options->lifetime), STR(""), e) < 0)
		return err_wrap(e, -ERR_INVALID, "--lifetime %s", run->options->lifetime);
	run->lifetime_s = (uint32_t)(span / (int64_t)USEC_PER_S);
	return 0;
}

static int parse_address(const char *option, const char *text, struct ipaddr *ret, struct err *e)
{
	if (text && ipaddr_parse(str_of(text), ret) < 0)
		return err_set(e, ERR_INVALID, "%s %s: not an address", option, text);
	return 0;
}

static int parse_port(struct map_run *run, const char *text, struct err *e)
{
	uint64_t port;

	if (!str_to_u64(str_of(text), 65535, &port) || port == 0)
		return err_set(e, ERR_INVALID, "%s: not a port from 1 to 65535%s", text,
			       run->verb == VERB_HOLD ? ", and not list, probe or delete" : "");
	run->port = (uint16_t)port;
	return 0;
}

static int parse_words(struct map_run *run, const struct option_args *args, struct err *e)
{
	static const char *const verbs[] = {[VERB_HOLD] = "",
					    [VERB_LIST] = "list",
					    [VERB_PROBE] = "probe",
					    [VERB_DELETE] = "delete"};
	const char *port = args->at[0];

	for (int i = VERB_LIST; i <= VERB_DELETE; i++) {
		if (strcmp(args->at[0], verbs[i]) != 0)
			continue;
		run->verb = (enum map_verb)i;
		port = args->n > 1 ? args->at[1] : NULL;
	}
	if (run->verb == VERB_HOLD && args->n > 1)
		return err_set(e, ERR_INVALID, "%s: one port at a time", args->at[1]);
	if (run->verb == VERB_PROBE && port)
		return err_set(e, ERR_INVALID, "%s: probe asks for no port", port);
	if (run->verb == VERB_DELETE && !port)
		return err_set(e, ERR_INVALID, "delete which port? homeport map list shows them");
	return port ? parse_port(run, port, e) : 0;
}

static int parse(struct map_run *run, const struct option_args *args, struct err *e)
{
	const struct map_options *o = run->options;
	int r = parse_words(run, args, e);

	if (r == 0)
		r = parse_lifetime(run, e);
	if (r == 0)
		r = parse_address("--router", o->router, &run->local.setup.router, e);
	if (r == 0)
		r = parse_address("--source", o->source, &run->local.setup.source, e);
	if (r < 0)
		return r;
	if (o->source && !o->router)
		return err_set(e, ERR_INVALID, "--source goes with --router");
	if (o->source && run->local.setup.source.family != run->local.setup.router.family)
		return err_set(e, ERR_INVALID, "--source and --router are of one family");
	run->wanted = (o->ipv6 ? 2u : 0) | (o->ipv4 || !o->ipv6 ? 1u : 0);
	if (run->verb == VERB_DELETE && run->wanted == 3)
		return err_set(e, ERR_INVALID, "--ipv4 --ipv6: delete one of them, then the other");
	if (run->verb == VERB_LIST && run->port && run->wanted & 2)
		return err_set(e, ERR_INVALID, "--ipv6: routers tell their entries of IPv4 only");
	if (o->external != OPTION_UNSET && run->wanted & 2 && o->external != run->port)
		return err_set(e, ERR_INVALID,
			       "--external: ports of IPv6 are not translated; the "
			       "service itself must listen on %lld",
			       (long long)o->external);
	return 0;
}

static void run_done(struct map_run *run)
{
	timer_stop(&run->network);
	doors_client_free(run->client);
	loop_free(run->loop);
	places_done(&run->places);
	free(run->told[0]);
	free(run->told[1]);
}

static int map_command(const void *options, const struct option_args *args)
{
	const struct map_options *o = options;
	struct map_run run = {.options = o};
	struct err e = {0};
	int r = parse(&run, args, &e);

	if (r < 0) {
		fprintf(stderr, "homeport map: %s\n", e.text);
		return 2;
	}
	if (o->common.verbose)
		log_set_level(LOG_LEVEL_DEBUG);
	r = places_find(&o->common, &run.places, &e);
	if (r == 0)
		r = places_prepare(&run.places, &e);
	if (run.verb == VERB_HOLD || run.verb == VERB_DELETE)
		run.local.setup.state = run.places.state;
	run.local.setup.leave_leftovers = run.verb != VERB_HOLD;
	run.local.interface = o->interface;
	if (r == 0)
		r = start(&run, &e);
	if (r == 0)
		loop_run(run.loop);
	else
		run.exit_code = complain("map", "%s", e.text);
	run_done(&run);
	return run.exit_code;
}

const struct command command_map = {
	.name = "map",
	.args = "PORT|list [PORT]|probe|delete PORT",
	.min_args = 1,
	.max_args = 2,
	.summary = "open a door at the home's router",
	.details =
		"With a PORT: lets the internet in to that port of this machine, by PCP, "
		"NAT-PMP or UPnP, whichever the router offers, and closes it again at Ctrl-C. "
		"The ports 25, 80 and 443 are wanted as they are, of others the router may give "
		"another one. A running agent keeps the door for this command.\n\n"
		"Instead of a PORT: list shows the doors there are, with a PORT also the "
		"router's own UPnP entry for it; probe shows what the router offers; delete gives "
		"back what an earlier homeport left, or a UPnP entry that leads to this machine.",
	.example = "homeport map 8000\n"
		   "homeport map 8443 --external 443\n"
		   "homeport map 51820 --udp --ipv4 --ipv6\n"
		   "homeport map probe",
	OPTION_ROWS(map_rows, struct map_options),
	.run = map_command,
};
