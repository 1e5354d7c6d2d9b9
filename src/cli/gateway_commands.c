#include "cli/gateway_commands.h"

#include "cli/gateway_common.h"

struct program program_homeport_gateway(void)
{
	static const struct command *const commands[] = {
		&gateway_command_run,	 &gateway_command_invite, &gateway_command_agents,
		&gateway_command_revoke, &gateway_command_names,  &gateway_command_status,
		&gateway_command_config,
	};

	return (struct program){
		.name = "homeport-gateway",
		.version = HOMEPORT_VERSION,
		.summary = "the public side of homeport: takes links from home and visitors from "
			   "everywhere",
		.commands = commands,
		.n_commands = ARRAY_LEN(commands),
		.common = gateway_common_rows,
		.n_common = gateway_common_count,
	};
}
