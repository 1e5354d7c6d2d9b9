#include <stdio.h>

#include "cli/columns.h"
#include "cli/gateway_commands.h"
#include "cli/gateway_common.h"

struct names_options {
	struct gateway_common common;
	bool json;
};

static const struct option_row names_rows[] = {
	{"json", 0, OPTION_FLAG, offsetof(struct names_options, json),
	 .help = "print JSON, for programs"},
};

static void print_table(const json_t *names)
{
	struct columns c = {0};
	const json_t *name;
	size_t i;

	if (json_array_size(names) == 0) {
		printf("No names are in use.\n");
		return;
	}
	columns_row(&c, "NAME", "AGENT", "SERVICE", "KIND", "STATE", NULL);
	json_array_foreach(names, i, name) columns_row(
		&c, gateway_common_text(name, "name"), gateway_common_text(name, "agent"),
		gateway_common_text(name, "service"), gateway_common_text(name, "kind"),
		gateway_common_text(name, "state"), NULL);
	columns_print(&c, stdout);
	columns_done(&c);
}

static int names_run(const void *options, const struct option_args *args)
{
	const struct names_options *o = options;
	json_t *answer = NULL;
	int r = 0;

	if (gateway_common_ask(&o->common, json_pack("{s:s}", "command", "names"), &answer) < 0)
		return 1;
	if (o->json)
		r = gateway_common_print_json(answer);
	else
		print_table(json_object_get(answer, "names"));
	json_decref(answer);
	return r;
}

const struct command gateway_command_names = {
	.name = "names",
	.summary = "list the public names and ports, and whose they are",
	.details = "A name without a service was granted, and its agent does not use it now.",
	.example = "homeport-gateway names",
	OPTION_ROWS(names_rows, struct names_options),
	.run = names_run,
};
