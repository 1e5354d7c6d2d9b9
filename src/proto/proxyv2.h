/*
 * The PROXY protocol, version 2: who the visitor is, in front of his bytes (HAProxy's
 * "The PROXY protocol, versions 1 & 2", §2.2).
 *
 *	 0                                 12      13      14        16
 *	+---------------------------------+-------+-------+---------+-----------+------+
 *	| 0d 0a 0d 0a 00 0d 0a 51 55 49 54 0a     |ver|cmd|fam|proto|  length | addresses | TLVs |
 *	+---------------------------------+-------+-------+---------+-----------+------+
 *	                                    2 | 0 LOCAL  1 | 1  TCP4    12: src dst sport dport
 *	                                        1 PROXY  2 | 1  TCP6    36: the same
 *	                                                 0   0  UNSPEC   0
 *
 * length counts what follows it. Version 1 (a line of text) is neither written nor read.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/ipaddr.h"

#define PROXYV2_ENCODED_MAX ((size_t)52)   /* what we write: TCP6, no TLVs */
#define PROXYV2_MAX	    ((size_t)4096) /* what we read, with TLVs */

struct proxyv2 {
	bool local;	      /* LOCAL: the connection is the sender's own, a health check */
	struct ipaddr source; /* family 0: not told (UNSPEC, Unix sockets, LOCAL) */
	struct ipaddr target; /* where he connected to; family 0 likewise */
};

/*
 * Write a header. A source without an address becomes UNSPEC; a target of another family than the
 * source's has no place in it, and is written as zeros with its port. Returns its length.
 */
size_t proxyv2_encode(uint8_t to[static PROXYV2_ENCODED_MAX], const struct proxyv2 *header);

/*
 * Read the header at the beginning of len bytes.
 *
 * > 0: its length, *ret is written. -ERR_AGAIN: a good beginning, more bytes are needed.
 * -ERR_INVALID: not such a header: signature, version, command, family, or lengths that do not
 * fit, or a CRC32C that is present and wrong. -ERR_LIMIT: over PROXYV2_MAX.
 */
ssize_t proxyv2_decode(const uint8_t *bytes, size_t len, struct proxyv2 *ret) MUST_CHECK;
