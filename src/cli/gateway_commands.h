/* The commands of homeport-gateway, one file each. */
#pragma once

#include "conf/options.h"

extern const struct command gateway_command_run, gateway_command_invite, gateway_command_agents,
	gateway_command_revoke, gateway_command_names, gateway_command_status,
	gateway_command_config;

/* All of them, as a table: for main() and for what is made from it when it is built (man/). */
struct program program_homeport_gateway(void);
