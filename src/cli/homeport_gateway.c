#include "cli/gateway_commands.h"

int main(int argc, char **argv)
{
	const struct program program = program_homeport_gateway();

	return options_main(&program, argc, argv);
}
