#include "cli/commands.h"

#include "cli/common.h"

struct program program_homeport(void)
{
	static const struct command *const commands[] = {
		&command_share, &command_join, &command_up,	&command_status, &command_ip,
		&command_map,	&command_dns,  &command_import, &command_config,
	};

	return (struct program){
		.name = "homeport",
		.version = HOMEPORT_VERSION,
		.summary = "puts a folder or a service of this machine on the internet",
		.commands = commands,
		.n_commands = ARRAY_LEN(commands),
		.common = common_rows,
		.n_common = common_count,
	};
}
