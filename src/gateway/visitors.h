/* A visitor's way through the gateway: from the front that accepted him to his agent's link. */
#pragma once

#include "front/front.h"

/* Of struct front_handler; arg is the accepting worker. */
void visitors_on_visitor(void *arg, const struct front_visitor *visitor);
