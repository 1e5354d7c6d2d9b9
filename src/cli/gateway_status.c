#include <stdio.h>

#include "base/ustime.h"
#include "cli/gateway_commands.h"
#include "cli/gateway_common.h"

struct status_options {
	struct gateway_common common;
	bool json;
};

static const struct option_row status_rows[] = {
	{"json", 0, OPTION_FLAG, offsetof(struct status_options, json),
	 .help = "print JSON, for programs"},
};

static void line(const char *what, const char *text)
{
	printf("%-12s %s\n", what, text);
}

/* "1.5 GiB" */
static const char *bytes_text(char text[static 32], json_int_t bytes)
{
	static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB"};
	double n = (double)bytes;
	size_t unit = 0;

	for (; n >= 1024 && unit + 1 < ARRAY_LEN(units); unit++)
		n /= 1024;
	snprintf(text, 32, unit ? "%.1f %s" : "%.0f %s", n, units[unit]);
	return text;
}

static void print_listeners(const json_t *listeners)
{
	const json_t *listener;
	size_t i;

	json_array_foreach(listeners, i, listener)
	{
		char text[160];

		snprintf(text, sizeof(text), "%s (%s)", gateway_common_text(listener, "address"),
			 gateway_common_text(listener, "kind"));
		line(i ? "" : "listens on", text);
	}
}

/* What was turned away, and why; nothing that did not happen. */
static void print_refusals(const char *what, const json_t *connections)
{
	const char *const prefix = "refused_";
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)connections, name, value)
	{
		char text[96];

		if (strncmp(name, prefix, strlen(prefix)) != 0 || json_integer_value(value) == 0)
			continue;
		snprintf(text, sizeof(text), "%lld (%s%s)", (long long)json_integer_value(value),
			 what, name + strlen(prefix));
		line("refused", text);
	}
}

static void print_traffic(const json_t *answer)
{
	const json_t *visitors = json_object_get(answer, "visitors");
	const json_t *bytes = json_object_get(answer, "bytes");
	char in[32], out[32], text[128];

	snprintf(text, sizeof(text), "%lld now, %lld since the start",
		 (long long)gateway_common_number(visitors, "now"),
		 (long long)gateway_common_number(visitors, "total"));
	line("visitors", text);
	snprintf(text, sizeof(text), "%s to agents, %s to visitors",
		 bytes_text(in, gateway_common_number(bytes, "to_agents")),
		 bytes_text(out, gateway_common_number(bytes, "to_visitors")));
	line("bytes", text);
}

/* Nothing where no UDP service ever had a visitor. */
static void print_udp(const json_t *udp)
{
	json_int_t dropped = gateway_common_number(udp, "dropped_full") +
			     gateway_common_number(udp, "dropped_limit");
	char text[160];

	if (gateway_common_number(udp, "flows_total") == 0)
		return;
	snprintf(text, sizeof(text),
		 "%lld flows now, %lld since the start; %lld datagrams in, %lld out, %lld dropped",
		 (long long)gateway_common_number(udp, "flows"),
		 (long long)gateway_common_number(udp, "flows_total"),
		 (long long)gateway_common_number(udp, "datagrams_in"),
		 (long long)gateway_common_number(udp, "datagrams_out"), (long long)dropped);
	line("udp", text);
}

static void print_for_person(const json_t *answer)
{
	const json_t *agents = json_object_get(answer, "agents");
	char span[USTIME_TEXT_MAX], text[128];

	line("domain", gateway_common_text(answer, "domain"));
	line("key", gateway_common_text(answer, "key"));
	line("running for",
	     ustime_format_span(span,
				(usec_t)gateway_common_number(answer, "uptime_s") * USEC_PER_S));
	print_listeners(json_object_get(answer, "listeners"));
	snprintf(text, sizeof(text), "%lld online of %lld",
		 (long long)gateway_common_number(agents, "online"),
		 (long long)gateway_common_number(agents, "known"));
	line("agents", text);
	print_traffic(answer);
	print_udp(json_object_get(answer, "udp"));
	print_refusals("", json_object_get(answer, "connections"));
	print_refusals("agent ", agents);
	print_refusals("handshake ", json_object_get(answer, "handshakes"));
}

static int status_run(const void *options, const struct option_args *args)
{
	const struct status_options *o = options;
	json_t *answer = NULL;
	int r = 0;

	if (gateway_common_ask(&o->common, json_pack("{s:s}", "command", "status"), &answer) < 0)
		return 1;
	if (o->json)
		r = gateway_common_print_json(answer);
	else
		print_for_person(answer);
	json_decref(answer);
	return r;
}

const struct command gateway_command_status = {
	.name = "status",
	.summary = "show what the running gateway does",
	.details = "Refused: limit (too many from one source), unknown (a name that is nobody's), "
		   "invalid (neither TLS nor HTTP), proxy (no PROXY header from a network of "
		   "trust-proxy), timeout (silent), offline (the agent is away), "
		   "service (what is shared does not answer), busy (the agent takes no more). Of "
		   "the busy ones: agent full (as many visitors "
		   "as one agent may have are there), agent fast (more new ones a second). "
		   "Handshake: of agents, whose TLS came to nothing.",
	.example = "homeport-gateway status --json",
	OPTION_ROWS(status_rows, struct status_options),
	.run = status_run,
};
