#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "cli/commands.h"
#include "cli/map_run.h"
#include "conf/value.h"

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

/* ── what both ways of telling need ── */

const char *map_title_of(const json_t *object)
{
	return map_method_title(map_method_parse(json_text(object, "method")));
}

enum ipclass map_class_of(const char *address, struct ipaddr *ret)
{
	if (ipaddr_parse(str_of(address), ret) < 0 && ipaddr_parse_port(str_of(address), ret) < 0)
		*ret = (struct ipaddr){0};
	return ipclass_of(ret);
}

void map_fail_without_network(struct map_run *run, const char *why)
{
	run->exit_code = complain("map", "%s",
				  *why ? why
				       : "there is no network with a router here; "
					 "homeport ip shows what there is");
	map_leave(run);
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
	map_leave(run);
}

/* ── the conversation ── */

void map_leave(struct map_run *run)
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
		map_hold_start(run);
	else if (run->verb == VERB_LIST && !run->port)
		ask_list(run);
	else
		ask_probe(run); /* what the router offers is to be known first */
}

static void on_answer(struct map_run *run, const json_t *answer)
{
	if (!json_is_true(json_object_get(answer, "ok"))) {
		run->exit_code = complain("map", "%s", json_text(answer, "error"));
		map_leave(run);
		return;
	}
	switch (run->verb) {
	case VERB_HOLD:
		break;
	case VERB_PROBE:
		map_look_probed(run, answer);
		break;
	case VERB_LIST:
		if (run->port && !run->probed) {
			run->probed = true;
			ask_list(run);
		} else {
			map_look_list(run, answer);
			map_leave(run);
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
	bool is_event = *json_text(object, "event");

	if (is_event && run->verb == VERB_HOLD)
		map_hold_on_event(run, object);
	else if (!is_event && !run->leaving)
		on_answer(run, object);
}

static void on_end(void *arg, int r, const struct err *e)
{
	struct map_run *run = arg;

	if (r == -ERR_REFUSED && run->verb == VERB_LIST && !run->leaving)
		map_look_list(run, NULL); /* without an agent there are those that are remembered */
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
		map_leave(run);
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
		timer_init(&run->network, run->loop, map_hold_on_no_network, run);
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

static const struct option_form map_forms[] = {
	{"PORT",
	 "let the internet in to that port of this machine, by PCP, NAT-PMP or UPnP, whichever "
	 "the router offers, until Ctrl-C"},
	{"list [PORT]", "the doors there are; with a PORT also the router's own UPnP entry for it"},
	{"probe", "what the router offers"},
	{"delete PORT",
	 "give back what an earlier homeport left, or a UPnP entry that leads to this "
	 "machine"},
};

const struct command command_map = {
	.name = "map",
	.args = "WHAT",
	.forms = map_forms,
	.n_forms = ARRAY_LEN(map_forms),
	.min_args = 1,
	.max_args = 2,
	.summary = "open a door at the home's router",
	.details = "The ports 25, 80 and 443 are wanted as they are, of others the router may give "
		   "another one. A running agent keeps the door for this command.",
	.example = "homeport map 8000\n"
		   "homeport map 8443 --external 443\n"
		   "homeport map 51820 --udp --ipv4 --ipv6\n"
		   "homeport map probe",
	OPTION_ROWS(map_rows, struct map_options),
	.run = map_command,
};
