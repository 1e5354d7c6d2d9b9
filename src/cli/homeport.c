#include "cli/commands.h"

int main(int argc, char **argv)
{
	const struct program program = program_homeport();

	return options_main(&program, argc, argv);
}
