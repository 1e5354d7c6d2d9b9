#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "cli/columns.h"
#include "cli/map_run.h"

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
			 ipclass_words(map_class_of(external, &address)), *text ? "; " : "", text);
	else if (told)
		snprintf(says, sizeof(says), "it has no address outside%s%.200s", *text ? "; " : "",
			 text);
	else
		snprintf(says, sizeof(says), "%.200s", text);
	columns_row(c, map_title_of(offer), json_text(offer, "state"), took, says, NULL);
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

void map_look_probed(struct map_run *run, const json_t *answer)
{
	const json_t *routers = json_object_get(answer, "routers"), *router;
	bool any = false;
	size_t i;

	if (json_array_size(routers) == 0) {
		map_fail_without_network(run, "");
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
	map_leave(run);
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
		    *external ? external : port, open ? map_title_of(door) : "",
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

void map_look_list(struct map_run *run, const json_t *answer)
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
