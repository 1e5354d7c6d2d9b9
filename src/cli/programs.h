/* The two programs as tables: for their main() and for what is made from the tables when they are
 * built (man/). */
#pragma once

#include "conf/options.h"

struct program program_homeport(void);
struct program program_homeport_gateway(void);
