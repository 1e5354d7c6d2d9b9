/* The commands of homeport, one file each. */
#pragma once

#include "conf/options.h"

extern const struct command command_share, command_join, command_up, command_status, command_ip,
	command_map, command_dns, command_import, command_config;

/* All of them, as a table: for main() and for what is made from it when it is built (man/). */
struct program program_homeport(void);
