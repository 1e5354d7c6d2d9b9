/* The real way to the gateway behind struct link_connector (link/dial.h): resolve, connect, TLS
 * with the link's ALPN. */
#pragma once

#include "link/dial.h"

struct connector {
	const char *host; /* borrowed */
	uint16_t port;
	const struct tls_identity *identity; /* borrowed */
};

/* The connector must outlive the attempts. */
struct link_connector connector_interface(struct connector *connector);
