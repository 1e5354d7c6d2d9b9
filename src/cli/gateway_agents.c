#include <stdio.h>

#include "cli/columns.h"
#include "cli/gateway_commands.h"
#include "cli/gateway_common.h"

struct agents_options {
	struct gateway_common common;
	bool json;
};

static const struct option_row agents_rows[] = {
	{"json", 0, OPTION_FLAG, offsetof(struct agents_options, json),
	 .help = "print JSON, for programs"},
};

/* "online since 2026-01-31T23:59:59Z" */
static const char *state_of(char text[static 64], const json_t *agent)
{
	const char *since = gateway_common_text(agent, "since");
	const char *state = gateway_common_text(agent, "state");

	snprintf(text, 64, *since ? "%.20s since %.32s" : "%.20s", state, since);
	return text;
}

static void add_row(struct columns *c, const json_t *agent)
{
	char state[64], visitors[24], names[GATEWAY_LIST_MAX];

	snprintf(visitors, sizeof(visitors), "%lld",
		 (long long)gateway_common_number(agent, "visitors"));
	columns_row(c, gateway_common_text(agent, "name"), state_of(state, agent),
		    gateway_common_text(agent, "address"), visitors,
		    gateway_common_list(names, json_object_get(agent, "names")),
		    gateway_common_text(agent, "key"), NULL);
}

static void print_table(const json_t *agents)
{
	struct columns c = {0};
	const json_t *agent;
	size_t i;

	if (json_array_size(agents) == 0) {
		printf("No agents yet. Invite one with: homeport-gateway invite NAME\n");
		return;
	}
	columns_row(&c, "AGENT", "STATE", "ADDRESS", "VISITORS", "NAMES", "KEY", NULL);
	json_array_foreach(agents, i, agent) add_row(&c, agent);
	columns_print(&c, stdout);
	columns_done(&c);
}

static int agents_run(const void *options, const struct option_args *args)
{
	const struct agents_options *o = options;
	json_t *answer = NULL;
	int r = 0;

	if (gateway_common_ask(&o->common, json_pack("{s:s}", "command", "agents"), &answer) < 0)
		return 1;
	if (o->json)
		r = gateway_common_print_json(answer);
	else
		print_table(json_object_get(answer, "agents"));
	json_decref(answer);
	return r;
}

const struct command gateway_command_agents = {
	.name = "agents",
	.summary = "list the machines that are paired with this gateway",
	.details = "NAMES are those that were granted with an invitation; every agent may also use "
		   "the names below its own. KEY is the agent's fingerprint; `homeport status` at "
		   "home shows the same.",
	.example = "homeport-gateway agents",
	OPTION_ROWS(agents_rows, struct agents_options),
	.run = agents_run,
};
