#include <malloc.h>

#include "cli/commands.h"
#include "net/loop.h"

int main(int argc, char **argv)
{
	const struct program program = program_homeport();

	/* Large buffers go back to the system when they are freed; left alone, glibc learns from
	 * the first of them to keep the next. */
	mallopt(M_MMAP_THRESHOLD, 128 * 1024);
	loop_size_pool();
	return options_main(&program, argc, argv);
}
