/*
 * Doors: what can be asked of a router, and by which protocol it was granted.
 */
#pragma once

#include "base/ipaddr.h"

#define MAP_DOORS_MAX 48

#define MAP_LIFETIME_MAX    7200u   /* two hours: a dead host's doors close by themselves */
#define MAP_LIFETIME_MIN    120u    /* what routers grant at least (RFC 6887 §15) */
#define MAP_LIFETIME_FORCED 604800u /* of a router that refuses both shorter and permanent ones */

/* In the order in which they are tried. */
#define MAP_METHODS(X)                                                                             \
	X(PCP, "pcp", "PCP")                                                                       \
	X(NATPMP, "nat-pmp", "NAT-PMP")                                                            \
	X(IGD, "upnp", "UPnP")

enum map_method {
	MAP_NONE = -1,
#define X(name, word, title) MAP_##name,
	MAP_METHODS(X)
#undef X
		MAP_METHOD_COUNT
};

/* "pcp", for JSON; "none". */
const char *map_method_name(enum map_method method);
/* "PCP", for sentences. */
const char *map_method_title(enum map_method method);
/* MAP_NONE for any other text. */
enum map_method map_method_parse(const char *name);

/* "tcp", "udp", for IPPROTO_TCP and IPPROTO_UDP. */
const char *map_protocol_name(uint8_t protocol);

/* Visitors look for mail and web servers there and nowhere else. */
static inline bool map_port_is_fixed(uint16_t port)
{
	return port == 25 || port == 80 || port == 443;
}

/* A door that is wanted. */
struct map_wish {
	uint8_t family;		/* 4: a port forwarded; 6: a pinhole in the firewall */
	uint8_t protocol;	/* IPPROTO_TCP, IPPROTO_UDP */
	uint16_t internal_port; /* 1 .. 65535 */
	uint16_t external_port; /* 1 .. 65535; IPv6: internal_port, nothing is translated there */
	bool exactly;		/* another external port is of no use */
	uint32_t lifetime_s;	/* MAP_LIFETIME_MIN .. MAP_LIFETIME_MAX, asked for and renewed */
};
