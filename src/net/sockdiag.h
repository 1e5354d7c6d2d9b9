/*
 * Does anything of this machine listen on a port? Asked of the kernel (sock_diag(7)), which knows
 * the sockets of all users and needs no privileges; nothing is connected to.
 */
#pragma once

#include "base/ipaddr.h"

enum sockdiag_listens {
	SOCKDIAG_NOBODY,
	SOCKDIAG_LOOPBACK, /* on 127.0.0.1 or ::1 alone */
	SOCKDIAG_YES,	   /* on this address, or on every one */
};

/*
 * at   in: an address of ours with the port
 *
 * -ERR_FAILED: the kernel does not tell.
 */
int sockdiag_listens(uint8_t protocol, const struct ipaddr *at, enum sockdiag_listens *ret,
		     struct err *e) MUST_CHECK;

/* "no", "loopback", "yes". */
const char *sockdiag_name(enum sockdiag_listens listens);
