/*
 * One element of a Forwarded field (RFC 7239 §4): who the visitor is, which host he asked for, how.
 * The gateway writes it on every visitor's stream; the agent reads it.
 *
 *	for="[2001:db8::1]:4711";host="blog.example.org";proto=https
 */
#pragma once

#include "base/err.h"
#include "base/ipaddr.h"
#include "base/str.h"

#define FORWARDED_PROTO_MAX 8
#define FORWARDED_TEXT_MAX  384 /* the longest element with its NUL, and some room */

struct forwarded {
	struct ipaddr addr;		 /* the visitor; port 0: not told */
	char host[HOSTNAME_MAX];	 /* lower case, no port; IPv6 in brackets; empty: none */
	char proto[FORWARDED_PROTO_MAX]; /* lower case, as "http", "https", "tcp"; empty: none */
};

/*
 * Write the element. `f` is our own: addr.family is 4 or 6, host and proto are as forwarded_parse
 * would give them. Returns text.
 */
const char *forwarded_format(char text[static FORWARDED_TEXT_MAX], const struct forwarded *f);

/*
 * Read one element. Parameter names are compared without case, their order is free, unknown ones
 * are skipped, values are tokens or quoted strings (with \-escapes). A port behind `host` is
 * dropped.
 *
 * -ERR_INVALID: no `for`, or one that is not an address ("unknown", "_hidden"); a known parameter
 * twice; a host that is none; blanks where the grammar has none; more than one element; anything
 * over 4096 bytes. `ret` is written on success only.
 */
int forwarded_parse(struct str s, struct forwarded *ret, struct err *e) MUST_CHECK;
