#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "cli/map_run.h"

#define NETWORK_PATIENCE (3 * USEC_PER_S) /* for an address and a router to be there */

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
	enum ipclass class = map_class_of(outside, &external);
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

/* This family's will not come, and never did. */
static void give_up(struct map_run *run, unsigned family)
{
	run->refused |= family;
	if (run->refused != run->wanted)
		return;
	run->exit_code = 1;
	map_leave(run);
}

static void tell_open(struct map_run *run, const json_t *door)
{
	const char *external = json_text(door, "external");
	usec_t life = (usec_t)json_number(door, "lifetime_s") * USEC_PER_S;
	char text[512], span[USTIME_TEXT_MAX], port[64];
	bool fresh = !(run->open & family_bit(door));

	snprintf(port, sizeof(port), "port %lld of the router", json_number(door, "external_port"));
	snprintf(text, sizeof(text), "%s %s leads to %s (%s%s%s)", json_text(door, "protocol"),
		 *external ? external : port, json_text(door, "internal"), map_title_of(door),
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

void map_hold_on_no_network(void *arg)
{
	struct map_run *run = arg;

	if (run->lacking == run->wanted)
		map_fail_without_network(run, run->why[run->wanted == 2].text);
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

void map_hold_start(struct map_run *run)
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

static void tell_json(struct map_run *run, const json_t *object)
{
	const char *state = json_text(object, "state");

	json_dumpf(object, stdout, JSON_COMPACT);
	printf("\n");
	fflush(stdout);
	if (strcmp(json_text(object, "event"), "door") != 0)
		return;
	if (strcmp(state, "open") == 0)
		run->open |= family_bit(object);
	else if (strcmp(state, "refused") == 0 && !(run->open & family_bit(object)))
		give_up(run, family_bit(object));
}

void map_hold_on_event(struct map_run *run, const json_t *object)
{
	bool is_door = strcmp(json_text(object, "event"), "door") == 0;

	if (is_door)
		note_network(run, object);
	if (run->options->json)
		tell_json(run, object);
	else if (is_door)
		tell_door_state(run, object);
}
