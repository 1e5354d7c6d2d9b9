/*
 * What a person names to be shared: `homeport share WHAT`, and `to = WHAT` in the configuration.
 *
 *	./site, /srv/www	a folder
 *	8000			a local HTTP server, as is http://localhost:8000
 *	nas.lan:8000		an HTTP server elsewhere at home
 *	http://HOST[:PORT], http://unix:/run/app.sock
 *	https://HOST[:PORT]	TLS of the user's own: bytes untouched, routed by server name
 *	tcp://HOST:PORT, tcp://unix:/path	bytes untouched, a port of its own
 *	udp://HOST:PORT		datagrams, a port of its own
 *
 * Parsing is pure: it looks at no disk and asks no resolver.
 */
#pragma once

#include "edge/edge.h"
#include "link/message.h"

struct target {
	enum edge_kind edge;
	enum link_kind link;
	char *text;		 /* owned: its one spelling; the folder, or a URL with port */
	char host[HOSTNAME_MAX]; /* name or address without brackets; empty: folder or Unix socket
				  */
	struct sock_addr to;	 /* not for folders; ip.family 0 and no path: look `host` up */
	struct ipaddr other;	 /* where else this host may be ("localhost"); family 0: nowhere */
};

/* -ERR_INVALID: e says what is wrong with it; -ERR_NOMEM. A folder stays as it was written. */
int target_parse(struct str text, struct target *ret, struct err *e) MUST_CHECK;
void target_done(struct target *target);
int target_copy(struct target *to, const struct target *from) MUST_CHECK;
/* What becomes of visitors while it is not there: "get an error page". */
const char *target_missed(const struct target *target);

/* What it does when it is there again: "answers now". */
const char *target_back(const struct target *target);

bool target_equal(const struct target *a, const struct target *b);

/* The port that is connected to, 0 for folders and Unix sockets. */
uint16_t target_port(const struct target *target);

/* A folder written relative to `base` becomes absolute; others stay as they are. -ERR_NOMEM. */
int target_make_absolute(struct target *target, const char *base) MUST_CHECK;

/* A service id after it: the folder's name or the port, of a-z 0-9 -. */
void target_default_id(const struct target *target, char ret[static LINK_SERVICE_ID_MAX + 1]);

/* Any text as such an id; "site" when nothing is left. */
void target_make_id(struct str text, char ret[static LINK_SERVICE_ID_MAX + 1]);

/* What to warn of: "Redis (port 6379) trusts whoever connects from this machine"; NULL: nothing
 * known. */
const char *target_warning(const struct target *target);
