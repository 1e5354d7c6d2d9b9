/*
 * The sockets of the two common ports. They are tried out first, alone, so that a port in use is an
 * error and not a port shared with somebody else; then every worker opens its own.
 */
#pragma once

#include "front/front.h"
#include "gateway/config.h"

#define LISTENERS_MAX (2 * GATEWAY_LISTEN_MAX)

struct listeners {
	struct listener_spec {
		enum front_kind kind; /* FRONT_HTTPS or FRONT_HTTP */
		struct sock_addr at;  /* with the port as bound */
	} list[LISTENERS_MAX];
	size_t n;
	uint16_t https_port, http_port; /* the first of each; 0: none */
};

/* Find out what can be listened on. Errors as front_listen, naming the key. */
int listeners_probe(struct loop *loop, const struct gateway_config *config, struct listeners *ret,
		    struct err *e) MUST_CHECK;

/* Open them all on a front. sock_flags: SOCK_LISTEN_SHARED if there are several fronts. */
int listeners_open(const struct listeners *listeners, struct front *front, unsigned sock_flags,
		   struct err *e) MUST_CHECK;
