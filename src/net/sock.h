/*
 * Sockets: streams over TCP and Unix sockets, connecting, listening. Everything is non-blocking and
 * close-on-exec.
 */
#pragma once

#include "net/stream.h"

/* Where a listener binds or a connection goes: an IP address with port, or a Unix socket path. */
struct sock_addr {
	struct ipaddr ip; /* family 0: see path */
	char path[108];	  /* Unix socket, when ip.family is 0 */
};

/* "127.0.0.1:80" or "unix:/run/x.sock". */
const char *sock_addr_format(char text[static 128], const struct sock_addr *a);

/* ── streams ── */

/* A stream over a connected socket; takes the descriptor, also on failure. What was accepted or
 * connected here has TCP_NODELAY. */
int sock_stream_new(struct loop *loop, int fd, struct stream **ret_stream,
		    struct err *e) MUST_CHECK;

/* The descriptor of such a stream (borrowed), for socket options and TCP_INFO; -1 for other kinds
 * of streams. */
int sock_stream_fd(const struct stream *s);

/* What the kernel knows of a TCP connection (TCP_INFO); zeros where it does not tell.
 */
struct sock_info {
	uint64_t bytes_acked; /* moves while the other side is alive, even if it says nothing */
	uint32_t rtt_us;      /* smoothed */
	uint64_t pacing_Bps;  /* bytes a second at which it sends now; 0: unknown */
	bool pending;	      /* bytes of ours are not acknowledged yet, or not even sent */
};
void sock_stream_info(const struct stream *s, struct sock_info *ret);

/* TCP_NOTSENT_LOWAT: how many bytes may wait unsent in the kernel before it says "full". */
void sock_stream_set_lowat(struct stream *s, uint32_t bytes);

/* ── connecting ── */

struct sock_connect;

/*
 * Connect; done is called exactly once, later, never from inside sock_connect_start: with r = 0 and
 * a stream that is the callee's, or with -ERR_REFUSED (nobody listens), -ERR_TIMEOUT, -ERR_DENIED
 * (local policy), -ERR_FAILED and e. The object is gone after done; sock_connect_cancel before that
 * ends it without done.
 */
int sock_connect_start(struct loop *loop, const struct sock_addr *to, usec_t timeout,
		       void (*done)(void *arg, int r, struct stream *s, const struct err *e),
		       void *arg, struct sock_connect **ret_connect, struct err *e) MUST_CHECK;

/* The same for a visitor, who gets none of the last descriptors (net/fdlimit.h): -ERR_LIMIT. */
int sock_connect_visitor(struct loop *loop, const struct sock_addr *to, usec_t timeout,
			 void (*done)(void *arg, int r, struct stream *s, const struct err *e),
			 void *arg, struct sock_connect **ret_connect, struct err *e) MUST_CHECK;
void sock_connect_cancel(struct sock_connect *c); /* NULL is fine */

/* ── listening ── */

struct sock_listener;

#define SOCK_ACCEPT_PER_TURN 64
#define SOCK_BACKLOG	     4096

enum sock_listen_flag {
	SOCK_LISTEN_SHARED =
		1, /* SO_REUSEPORT: several threads, each its own socket on the same port */
};

/*
 * Listen and hand out each accepted connection: on_accept owns fd. IPv6 sockets are IPv6 only, a
 * Unix socket gets mode 0660 and replaces a dead one of the same path (-ERR_EXISTS when somebody
 * answers on it). At the descriptor limit it pauses for 100 ms at a time and takes what waits in
 * the backlog afterwards. Errors: -ERR_EXISTS port in use, -ERR_DENIED no right to the port,
 * -ERR_FAILED; text says which address.
 */
int sock_listen(struct loop *loop, const struct sock_addr *at, unsigned flags,
		void (*on_accept)(void *arg, int fd, const struct ipaddr *peer), void *arg,
		struct sock_listener **ret_listener, struct err *e) MUST_CHECK;

/* The same in two steps: a socket that listens, and a listener on one, which takes fd, also on
 * failure. The socket may be another process's work (net/inherited.h). */
int sock_listen_open(const struct sock_addr *at, unsigned flags, struct err *e) MUST_CHECK;
int sock_listen_fd(struct loop *loop, int fd,
		   void (*on_accept)(void *arg, int fd, const struct ipaddr *peer), void *arg,
		   struct sock_listener **ret_listener, struct err *e) MUST_CHECK;

/* The address it is bound to, with the port the kernel chose when 0 was asked. */
const struct sock_addr *sock_listener_addr(const struct sock_listener *l);

/* Connections accepted from now on are probed when nothing has come for `idle`, each `interval`,
 * and broken after so many probes without an answer. Whole seconds. */
void sock_listener_keepalive(struct sock_listener *l, usec_t idle, usec_t interval, int probes);

void sock_listener_free(struct sock_listener *l); /* NULL is fine; removes a Unix socket's path */

/* Who is at the other end of a Unix socket (SO_PEERCRED). */
bool sock_peer(int fd, struct ucred *ret);

/* The local address of a connected socket; family 0 for Unix sockets. */
void sock_local_addr(int fd, struct ipaddr *ret);
