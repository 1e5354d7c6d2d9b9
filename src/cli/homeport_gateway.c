#include <malloc.h>

#include "cli/gateway_commands.h"

int main(int argc, char **argv)
{
	const struct program program = program_homeport_gateway();

	/* Large buffers go back to the system when they are freed; left alone, glibc learns from
	 * the first of them to keep the next. */
	mallopt(M_MMAP_THRESHOLD, 128 * 1024);
	return options_main(&program, argc, argv);
}
