/*
 * Read the ClientHello that opens a TLS connection: which server name, which protocols (ALPN).
 * Nothing is decrypted and nothing answered; the bytes go on, as they came, to whoever owns the
 * name.
 *
 *	uint8_t scratch[CLIENTHELLO_MAX];
 *	struct clienthello hello;
 *	int r = clienthello_parse(bytes, len, scratch, &hello, &e);
 *
 *	if (r == -ERR_INCOMPLETE)
 *		return wait_for_more();
 *	if (r < 0)
 *		return close_visitor(&e);
 *	if (clienthello_has_alpn(&hello, STR("homeport/1")))
 *		...
 *
 * RFC 8446 §4.1.2 and §5.1 (TLS 1.3), RFC 5246 §7.4.1.2 (TLS 1.2), RFC 6066 §3 (server name), RFC
 * 7301 (ALPN). Of an encrypted hello (ECH) it is the outer one that is read.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/ipaddr.h"
#include "base/str.h"

/* A hello with all its record headers; no browser comes near, with post-quantum keys neither. */
#define CLIENTHELLO_MAX 16384

struct clienthello {
	char server_name[HOSTNAME_MAX]; /* lower case, no trailing dot; empty: the visitor sent none
					 */
	struct str alpn; /* the ALPN list as on the wire; borrowed from scratch; may be empty */
};

/* The alert that refuses a name: fatal, unrecognized_name(112), as a plaintext record. */
#define CLIENTHELLO_ALERT_LEN 7
extern const uint8_t clienthello_alert_unrecognized_name[CLIENTHELLO_ALERT_LEN];

/* Whether a connection that starts with this byte can be TLS: a handshake record. No method of
 * HTTP and no SSH banner starts so. */
static inline bool clienthello_can_start(uint8_t first)
{
	return first == 0x16;
}

/*
 * Parse the hello at the beginning of a connection. It may be cut into any number of TLS records;
 * call again with all bytes so far when more have come. What follows the hello is not looked at.
 *
 * bytes, len  in:  everything received so far
 * scratch     out: the hello put together from its records; ret->alpn points into it
 * ret         out: written on success only
 *
 * 0;
 * -ERR_INCOMPLETE  a good beginning;
 * -ERR_LIMIT       longer than CLIENTHELLO_MAX, told as soon as its length field says so;
 * -ERR_INVALID     not TLS, malformed, or a server name that is no host name. Said as early as the
 *                  bytes allow.
 *
 * The wait for more costs a walk over the record headers, not a copy of the bytes.
 */
int clienthello_parse(const uint8_t *bytes, size_t len, uint8_t scratch[static CLIENTHELLO_MAX],
		      struct clienthello *ret, struct err *e) MUST_CHECK;

/* Whether the visitor offers exactly this protocol (compared byte by byte). */
bool clienthello_has_alpn(const struct clienthello *hello, struct str protocol);
