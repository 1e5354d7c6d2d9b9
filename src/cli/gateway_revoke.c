#include <stdio.h>

#include "cli/gateway_commands.h"
#include "cli/gateway_common.h"

struct revoke_options {
	struct gateway_common common;
};

static int revoke_run(const void *options, const struct option_args *args)
{
	const struct revoke_options *o = options;
	json_t *answer = NULL;

	if (gateway_common_ask(&o->common,
			       json_pack("{s:s, s:s}", "command", "revoke", "agent", args->at[0]),
			       &answer) < 0)
		return 1;
	printf("%s is not let in any more; its names are free.\n", args->at[0]);
	json_decref(answer);
	return 0;
}

const struct command gateway_command_revoke = {
	.name = "revoke",
	.args = "AGENT",
	.min_args = 1,
	.max_args = 1,
	.summary = "take an agent's access away, at once",
	.details =
		"Its links and visitors are closed, and its key is refused from now on. Its names "
		"are free for others. A new invitation with the same name lets another key in.",
	.example = "homeport-gateway revoke laptop",
	.options_size = sizeof(struct revoke_options),
	.run = revoke_run,
};
