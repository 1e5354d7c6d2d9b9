/* One service as the user wants it, from the configuration or the command line. */
#pragma once

#include "agent/target.h"

struct wish {
	char id[LINK_SERVICE_ID_MAX + 1];
	struct target target;
	enum edge_host host;
	char host_name[HOSTNAME_MAX]; /* EDGE_HOST_NAME */
	char **names;		      /* owned; lower case; none: the gateway gives one */
	size_t n_names;
	struct cidr *allow; /* owned; none: everybody may visit */
	size_t n_allow;
	uint64_t rate;	     /* bytes a second, in each direction; 0: no cap */
	bool local_names;    /* edge_spec.local_names */
	bool proxy_protocol; /* EDGE_TCP: the server wants PROXY v2 headers */
	uint16_t port;	     /* LINK_TCP, LINK_UDP: wished public port, 0: any */
};

#define WISH_ALLOW_MAX 64

void wish_done(struct wish *wish);
int wish_copy(struct wish *to, const struct wish *from) MUST_CHECK;

/* Whether nothing about the service is to change. */
bool wish_equal(const struct wish *a, const struct wish *b);

/* Whether two lists of names are the same, in the same order. */
bool wish_names_equal(char *const *a, size_t n_a, char *const *b, size_t n_b);
int wish_names_copy(char ***to, size_t *n_to, char *const *from, size_t n_from) MUST_CHECK;
void wish_names_done(char **names, size_t n);
json_t *wish_names_json(char *const *names, size_t n); /* a new array, or NULL */

/* One more network, as cidr_parse reads it. -ERR_INVALID, -ERR_LIMIT (over WISH_ALLOW_MAX): e says
 * so; -ERR_NOMEM. */
int wish_allow(struct wish *wish, struct str network, struct err *e) MUST_CHECK;
json_t *wish_allow_json(const struct wish *wish); /* a new array, or NULL */

/* "preserve", "local" or a host name, into host and host_name. -ERR_INVALID: neither. */
int wish_set_host(struct wish *wish, struct str text) MUST_CHECK;
