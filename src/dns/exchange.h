/*
 * DNS messages to one server over one TCP connection (RFC 7766), one after the other.
 *
 *	r = dns_exchange_start(loop, &server, message, on_answer, x, &exchange, &e);
 *
 * on_answer is called for each message that comes until it returns true, or once with r < 0.
 */
#pragma once

#include "net/sock.h"

#define DNS_EXCHANGE_TIMEOUT (10 * USEC_PER_S) /* from the start to the answer */

struct dns_exchange;

#define DNS_EXCHANGE_MESSAGES_MAX 8 /* that are not the one */

/*
 * r 0: a message; true ends the exchange, false waits for the next one. r < 0: none came, the return
 * value does not matter: -ERR_REFUSED, -ERR_TIMEOUT, -ERR_RESET, -ERR_FAILED as of sock_connect_start;
 * *sent tells whether the server may have got the request. The exchange is gone when this returns
 * true or r < 0; it must not be cancelled from inside.
 */
typedef bool dns_exchange_fn(void *arg, int r, struct str message, bool sent, const struct err *e);

/* message is copied; at most 64 KiB - 1. */
int dns_exchange_start(struct loop *loop, const struct sock_addr *server, struct str message,
		       dns_exchange_fn *on_answer, void *arg, struct dns_exchange **ret_exchange,
		       struct err *e) MUST_CHECK;

/* Before the end: without on_answer. NULL is fine. */
void dns_exchange_cancel(struct dns_exchange *x);
