/* A key shows a pairing code: the store says who it is from now on. */
#pragma once

#include "link/message.h"

/* Of struct link_hub_handler; arg is the worker. */
void pairing_on_join(void *arg, uint64_t connection, const struct tls_key_hash *key,
		     const uint8_t secret[static LINK_SECRET_LEN]);
