#include <stdio.h>

#include "base/log.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "conf/value.h"
#include "net/ctl.h"

struct status_options {
	struct common common;
	bool json;
};

static const struct option_row status_rows[] = {
	{"json", 0, OPTION_FLAG, offsetof(struct status_options, json),
	 .help = "print JSON, for programs"},
};

/* ── the link ── */

static void print_link(const json_t *answer)
{
	const json_t *link = json_object_get(answer, "link");
	usec_t since = (usec_t)json_number(link, "since_s") * USEC_PER_S;
	double rtt = json_real_value(json_object_get(link, "rtt_ms"));
	char span[USTIME_TEXT_MAX], text[LOG_TEXT_MAX];
	bool up = strcmp(json_text(link, "state"), "up") == 0;

	printf("gateway    %s\n", json_text(link, "gateway"));
	printf("this is    %s.%s\n", json_text(answer, "agent"), json_text(answer, "domain"));
	printf("this key   %s\n", json_text(answer, "key"));
	printf("its key    %s\n", json_text(answer, "gateway_key"));
	printf("link       %s for %s", json_text(link, "state"), ustime_format_span(span, since));
	if (up)
		printf(", %lld connections, %lld visitors", json_number(link, "carriers"),
		       json_number(link, "visitors"));
	if (up && rtt > 0)
		printf(", %.1f ms away", rtt);
	printf("\n");
	if (*json_text(link, "why"))
		printf("           %s\n", log_text(text, str_of(json_text(link, "why"))));
	if (*json_text(link, "observed"))
		printf("seen from  %s\n", json_text(link, "observed"));
}

/* ── doors ── */

static void print_door(const json_t *door)
{
	const char *state = json_text(door, "state"), *external = json_text(door, "external");
	char text[LOG_TEXT_MAX], port[32];

	snprintf(port, sizeof(port), "port %lld of the router", json_number(door, "external_port"));
	printf("door       %s port %lld%s: ", json_text(door, "protocol"),
	       json_number(door, "internal_port"),
	       json_number(door, "family") == 6 ? " over IPv6" : "");
	if (strcmp(state, "open") == 0)
		printf("open at %s\n", *external ? external : port);
	else if (*json_text(door, "why"))
		printf("%s: %s\n", state, log_text(text, str_of(json_text(door, "why"))));
	else
		printf("%s\n", state);
}

/* ── services ── */

static void print_public(const json_t *s)
{
	const json_t *granted = json_object_get(s, "granted"), *url;
	char text[LOG_TEXT_MAX];
	size_t i;

	if (json_is_false(granted))
		printf("  public   no: %s\n", log_text(text, str_of(json_text(s, "text"))));
	else if (!json_is_true(granted))
		printf("  public   not yet: the gateway has not answered\n");
	json_array_foreach(json_object_get(s, "urls"), i, url)
		printf("  public   %s\n", log_text(text, str_of(json_string_value(url))));
}

static void print_allowed(const json_t *s)
{
	const json_t *allow = json_object_get(s, "allow"), *network;
	size_t i;

	if (json_array_size(allow) == 0)
		return;
	printf("  allowed ");
	json_array_foreach(allow, i, network) printf(" %s", json_string_value(network));
	printf("; %lld others turned away\n", json_number(s, "denied"));
}

static void print_rate(const char *before, const json_t *of)
{
	char text[VALUE_NUMBER_MAX];

	if (json_number(of, "rate"))
		printf("%s%s at most; a visitor's bytes waited %lld times\n", before,
		       value_number(text, CONF_RATE, json_number(of, "rate")),
		       json_number(of, "rate_waits"));
}

static void print_service(const json_t *s)
{
	const json_t *reachable = json_object_get(s, "reachable");
	char text[LOG_TEXT_MAX];

	printf("\nservice %s\n", json_text(s, "id"));
	printf("  to       %s%s\n", log_text(text, str_of(json_text(s, "to"))),
	       json_is_true(json_object_get(s, "on_loan")) ? " (a homeport share)" : "");
	if (json_is_false(reachable))
		printf("  at home  no: %s\n", log_text(text, str_of(json_text(s, "why"))));
	else if (json_is_true(reachable))
		printf("  at home  yes\n");
	print_public(s);
	print_allowed(s);
	print_rate("  rate     ", s);
	if (strcmp(json_text(s, "kind"), "udp") == 0)
		printf("  flows    %lld now, %lld since the start\n", json_number(s, "visitors"),
		       json_number(s, "visitors_total"));
	else
		printf("  visits   %lld now, %lld since the start, %lld requests\n",
		       json_number(s, "visitors"), json_number(s, "visitors_total"),
		       json_number(s, "requests"));
}

static void print_answer(const json_t *answer)
{
	const json_t *services = json_object_get(answer, "services"), *s;
	const json_t *doors = json_object_get(answer, "doors"), *door;
	size_t i;

	if (json_is_null(json_object_get(answer, "link")))
		printf("gateway    none is joined\n");
	else
		print_link(answer);
	print_rate("rate       ", answer);
	json_array_foreach(doors, i, door) print_door(door);
	if (json_array_size(services) == 0 && json_array_size(doors) == 0)
		printf("\nno services\n");
	json_array_foreach(services, i, s) print_service(s);
}

/* ── without an agent ── */

static void print_configured(const struct common *common)
{
	AUTO(freep) char *path = NULL;
	struct agent_config config;
	struct err e = {0};

	if (common_config(common, &config, &path, &e) < 0) {
		fprintf(stderr, "%s\n", e.text);
		return;
	}
	for (size_t i = 0; i < config.n_wishes; i++)
		printf("configured: service %s to %s\n", config.wishes[i].id,
		       config.wishes[i].target.text);
	agent_config_done(&config);
}

static int say_no_agent(const struct status_options *o, const struct places *places)
{
	struct joined joined;
	struct err e = {0};

	if (o->json)
		printf("{\"running\": false}\n");
	else
		print_configured(&o->common);
	if (common_joined(places, &joined, &e) < 0)
		return complain("status", "homeport is not running here (nobody answers on %s); %s",
				places->socket, e.text);
	return complain("status",
			"homeport is not running here (nobody answers on %s); joined is the "
			"gateway %s:%u. Start it with: homeport up",
			places->socket, joined.host, joined.port);
}

static int status_run(const void *options, const struct option_args *args)
{
	const struct status_options *o = options;
	AUTO(places_done) struct places places = {0};
	json_t *answer = NULL, *request;
	struct err e = {0};
	int r = places_find(&o->common, &places, &e);

	if (r < 0)
		return complain("status", "%s", e.text);
	request = json_pack("{s:s}", "command", "status");
	r = ctl_ask(places.socket, request, &answer, &e);
	json_decref(request);
	if (r == -ERR_REFUSED)
		return say_no_agent(o, &places);
	if (r < 0)
		return complain("status", "%s", e.text);
	if (o->json) {
		json_object_set_new(answer, "running", json_true());
		json_object_del(answer, "ok");
		json_dumpf(answer, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
		putchar('\n');
	} else {
		print_answer(answer);
	}
	json_decref(answer);
	return 0;
}

const struct command command_status = {
	.name = "status",
	.summary = "show the link and the services of the homeport that runs here",
	.details = "Asks the agent (homeport up, or a homeport share) that runs on this state "
		   "folder. Every service is looked after at this moment. The exit code is 1 when "
		   "no agent runs.",
	.example = "homeport status\n"
		   "homeport status --json | jq .link.state",
	OPTION_ROWS(status_rows, struct status_options),
	.run = status_run,
};
