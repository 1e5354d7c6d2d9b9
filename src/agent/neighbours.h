/*
 * Who is in the same network as this machine: itself, private and link-local addresses (RFC 1918,
 * RFC 3927, RFC 4193, RFC 4291 §2.5.6), and those behind the prefixes of its own interfaces.
 */
#pragma once

#include <ifaddrs.h>

#include "base/cidr.h"

#define NEIGHBOURS_MAX 64 /* prefixes of interfaces; those beyond it do not count */

struct neighbours {
	struct cidr prefixes[NEIGHBOURS_MAX];
	size_t n;
};

/* The prefixes of the interfaces as they are now; none if the kernel does not tell. */
void neighbours_find(struct neighbours *ret);

/* The same from a list of getifaddrs(3). */
void neighbours_read(struct neighbours *ret, const struct ifaddrs *all);

bool neighbours_include(const struct neighbours *neighbours, const struct ipaddr *addr);
