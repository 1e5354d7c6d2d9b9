/* The real way to the gateway behind struct link_connector (link/dial.h): resolve, connect, TLS
 * with the link's ALPN. */
#pragma once

#include "link/dial.h"

struct connector {
	const char *host; /* borrowed */
	uint16_t port;
	const struct tls_identity *identity;			   /* borrowed */
	bool (*accept)(void *arg, const struct tls_key_hash *key); /* the gateway's key */
	void *accept_arg;
};

/* The connector must outlive the attempts. A key that is not accepted: done(-ERR_DENIED) with the
 * key it was. */
struct link_connector connector_interface(struct connector *connector);
