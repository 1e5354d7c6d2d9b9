/*
 * Listening sockets that this process was started with: what an earlier run gave into the service
 * manager's keeping (notify_store), or those of a socket unit (sd_listen_fds(3)).
 *
 *	inherited_collect(&inherited);		before anything else opens a descriptor for long
 *	n = inherited_count(&inherited, &at);
 *	fd = inherited_dup(&inherited, &at, i);	i from 0 to n - 1
 *	inherited_forget(&inherited);		what nobody asked for
 *	inherited_done(&inherited);
 *
 * Connections that came in the meantime wait in their backlog.
 */
#pragma once

#include "net/sock.h"

#define INHERITED_MAX	   4096 /* sockets; more are not looked at */
#define INHERITED_NAME_MAX 256

struct inherited_sock {
	int fd; /* owned */
	struct sock_addr at;
	bool dual; /* [::], and takes IPv4 as well */
	bool used; /* somebody asked for it */
	char name[INHERITED_NAME_MAX];
};

struct inherited {
	struct inherited_sock *list; /* owned */
	size_t n;
};

/* From LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES, which are removed from the environment. What is
 * not a listening TCP socket is closed. Without memory for the list: none. */
void inherited_collect(struct inherited *ret);

/* How many of them listen on that address. */
size_t inherited_count(const struct inherited *in, const struct sock_addr *at);

/* Whether one takes the connections of that address besides its own: "every address" of IPv6 may
 * include IPv4. */
bool inherited_covers(const struct inherited *in, const struct sock_addr *at);

/* A duplicate of socket i of that address, which the caller owns. -ERR_FAILED: no descriptors. */
int inherited_dup(struct inherited *in, const struct sock_addr *at, size_t i,
		  struct err *e) MUST_CHECK;

/* Those that were never asked for leave the manager's keeping: a socket that nobody accepts on
 * would let its visitors wait forever. Once all is well: a start that fails is to be tried again.
 */
void inherited_forget(const struct inherited *in);

/* Close all. Harmless on a zeroed one. */
void inherited_done(struct inherited *in);
