/*
 * UDP sockets: batches of datagrams in and out, non-blocking and close-on-exec. A socket on "every
 * address" answers from the address that was asked: each datagram comes with it, and is sent with
 * it (else the kernel chooses one, on IPv6 a temporary one, and the visitor takes the answer for a
 * stranger's).
 */
#pragma once

#include <sys/uio.h>

#include "base/ipaddr.h"
#include "net/loop.h"

#define UDP_BATCH_MAX 32

/* A datagram that was received; bytes are borrowed until the loop's next udp_receive. */
struct udp_datagram {
	struct ipaddr peer;
	struct ipaddr local; /* the address it was sent to, port 0; family 0: not told */
	const uint8_t *bytes;
	size_t len;
};

/* -ERR_EXISTS: the port is in use; -ERR_DENIED: no right to it; -ERR_FAILED. IPv6 is IPv6 only.
 * port 0 is any. */
int udp_bind(const struct ipaddr *at, int *ret_fd, struct err *e) MUST_CHECK;

/* A socket that speaks with one address only. -ERR_FAILED: there is no way there. */
int udp_connect(const struct ipaddr *to, int *ret_fd, struct err *e) MUST_CHECK;

/* The same, from this address of ours (port 0: any; NULL: the kernel's choice), and by this interface
 * whatever the routes prefer (NULL: any). */
int udp_connect_from(const struct ipaddr *from, const char *interface, const struct ipaddr *to,
		     int *ret_fd, struct err *e) MUST_CHECK;

/*
 * What is there, `most` (1 to UDP_BATCH_MAX) at most: how many. -ERR_AGAIN: none now; -ERR_REFUSED:
 * connected sockets only, nobody listens there (ICMP), after which it goes on; -ERR_FAILED.
 */
int udp_receive(struct loop *loop, int fd, unsigned most,
		struct udp_datagram ret[static UDP_BATCH_MAX], struct err *e) MUST_CHECK;

/* How many to receive the next time so that they fit into `room` bytes, if they are no longer than
 * these n (> 0). What waits in the kernel for the next turn is not lost. */
unsigned udp_next_batch(size_t room, const struct udp_datagram *list, int n);

/*
 * Send n (at most UDP_BATCH_MAX) datagrams. to, from: where and from which of our addresses; both
 * NULL on a connected socket; from->family 0: the kernel's choice. How many the kernel took, which
 * may be fewer: it has no room, or one of them has no way (these are lost).
 */
unsigned udp_send(int fd, const struct ipaddr *to, const struct ipaddr *from,
		  const struct iovec *list, unsigned n);
