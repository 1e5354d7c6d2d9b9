/*
 * What kind of address it is: public, or one of the special ones (IANA's special-purpose address
 * registries for IPv4 and IPv6, RFC 6890 and what came after).
 *
 * An address that is not public reaches nobody from outside, whatever else works. More special goes
 * before special: 192.0.0.2 is DS-Lite, not reserved.
 */
#pragma once

#include <stdbool.h>

#include "base/ipaddr.h"

/* Name, its word for programs, words for people that fit behind "the address is ". */
#define IPCLASSES(X)                                                                               \
	X(NONE, "none", "none at all")                                                             \
	X(PUBLIC, "public", "public")                                                              \
	X(PRIVATE, "private", "private (RFC 1918)")                                                \
	X(CGNAT, "cgnat", "shared by the provider (100.64.0.0/10)")                                \
	X(DSLITE, "ds-lite", "of a DS-Lite line, whose IPv4 the provider shares (192.0.0.0/29)")   \
	X(LINK_LOCAL, "link-local", "valid on its own link only")                                  \
	X(LOOPBACK, "loopback", "this machine itself")                                             \
	X(ULA, "ula", "private (unique local, fc00::/7)")                                          \
	X(DOCUMENTATION, "documentation", "for examples in texts")                                 \
	X(BENCHMARK, "benchmark", "for measurements in laboratories")                              \
	X(TEREDO, "teredo", "of a Teredo tunnel (2001::/32)")                                      \
	X(6TO4, "6to4", "of a 6to4 tunnel")                                                        \
	X(NAT64, "nat64", "IPv4 seen through a translator (NAT64)")                                \
	X(ORCHID, "orchid", "an identifier and no place (ORCHID)")                                 \
	X(DISCARD, "discard", "for what is to be thrown away (100::/64)")                          \
	X(MULTICAST, "multicast", "of a group (multicast)")                                        \
	X(UNSPECIFIED, "unspecified", "unspecified")                                               \
	X(RESERVED, "reserved", "reserved")

enum ipclass {
#define X(name, word, words) IPCLASS_##name,
	IPCLASSES(X)
#undef X
};

/* Port and scope do not count; family 0 is NONE, IPv4 in IPv6's clothes is what the IPv4 is. */
enum ipclass ipclass_of(const struct ipaddr *a);

bool ipclass_is_public(const struct ipaddr *a);

/* "cgnat": for JSON. */
const char *ipclass_name(enum ipclass class);

/* "shared by the provider (100.64.0.0/10)": for people. */
const char *ipclass_words(enum ipclass class);
