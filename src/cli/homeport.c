#include "cli/commands.h"
#include "cli/common.h"

int main(int argc, char **argv)
{
	static const struct command *const commands[] = {
		&command_share, &command_join, &command_up, &command_status, &command_config,
	};
	const struct program program = {
		.name = "homeport",
		.version = HOMEPORT_VERSION,
		.summary = "puts a folder or a service of this machine on the internet",
		.commands = commands,
		.n_commands = ARRAY_LEN(commands),
		.common = common_rows,
		.n_common = common_count,
	};

	return options_main(&program, argc, argv);
}
