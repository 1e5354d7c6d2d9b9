/*
 * A look at a DNS message before ldns reads it. ldns 1.8 forgets (and leaks) a TSIG or OPT record when
 * another one follows, so a stranger could have memory for nothing.
 */
#pragma once

#include <stdbool.h>

#include "base/str.h"

/* Whether the message is walked through to its end, with at most one OPT and `tsigs` TSIG records. */
bool dns_message_is_plain(struct str message, unsigned tsigs);
