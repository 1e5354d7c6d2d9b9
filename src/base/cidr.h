/*
 * Networks: an address and how many of its bits count (RFC 4632, RFC 4291 §2.3).
 *
 *	r = cidr_parse(STR("192.168.0.0/16"), &cidr, &e);
 *	if (cidr_list_contains(list, n, &visitor))
 */
#pragma once

#include "base/ipaddr.h"

struct cidr {
	struct ipaddr addr; /* no port, no scope; the bits that do not count are 0 */
	uint8_t bits;
};

#define CIDR_TEXT_MAX 52

/*
 * "192.0.2.7" (it alone), "192.168.0.0/16", "2001:db8::/32". IPv4 in its IPv6 clothes
 * ("::ffff:192.0.2.0/120") is IPv4. -ERR_INVALID: none of these, or bits behind the prefix, for
 * which e names what was probably meant; the text fits behind "key = value: ".
 */
int cidr_parse(struct str s, struct cidr *ret, struct err *e) MUST_CHECK;

/* As it is parsed; an address alone without "/32". Returns text. */
const char *cidr_format(char text[static CIDR_TEXT_MAX], const struct cidr *cidr);

bool cidr_contains(const struct cidr *cidr, const struct ipaddr *addr);
bool cidr_equal(const struct cidr *a, const struct cidr *b);

/* Whether any of them does; none of an empty list. */
bool cidr_list_contains(const struct cidr *list, size_t n, const struct ipaddr *addr);
