/*
 * The sockets of the two common ports. They are tried out first, alone, so that a port in use is an
 * error and not a port shared with somebody else; then every worker opens its own.
 *
 * Sockets survive a restart where the service manager keeps them (net/notify.h): what is opened
 * here is given to it, and the next gateway starts with it and opens nothing anew on those
 * addresses.
 */
#pragma once

#include "front/front.h"
#include "gateway/config.h"
#include "net/inherited.h"

#define LISTENERS_MAX (2 * GATEWAY_LISTEN_MAX)

struct listeners {
	struct listener_spec {
		enum front_kind kind; /* FRONT_HTTPS or FRONT_HTTP */
		struct sock_addr at;  /* with the port as bound */
		bool covered;	      /* an inherited socket of another address serves it, too */
	} list[LISTENERS_MAX];
	size_t n;
	uint16_t https_port, http_port; /* the first of each; 0: none */
};

/* Find out what can be listened on besides what is inherited. Errors as front_listen, naming the
 * key. */
int listeners_probe(struct loop *loop, const struct gateway_config *config,
		    const struct inherited *inherited, struct listeners *ret,
		    struct err *e) MUST_CHECK;

/*
 * Open them all on front `index` of `n_fronts`. Inherited sockets are dealt out so that each is
 * accepted on, by several fronts if there are fewer of them; where there is none a socket is opened
 * (SOCK_LISTEN_SHARED if there are several fronts) and given into the manager's keeping.
 */
int listeners_open(const struct listeners *listeners, struct inherited *inherited,
		   struct front *front, unsigned index, unsigned n_fronts,
		   struct err *e) MUST_CHECK;
