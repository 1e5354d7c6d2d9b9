/*
 * An IPv4 or IPv6 address with a port. IPv4-mapped IPv6 addresses become IPv4 on the way in, so
 * that one visitor has one spelling whatever socket he came through.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/str.h"

struct ipaddr {
	uint8_t family;	   /* 4, 6, or 0: none */
	uint8_t bytes[16]; /* network order; 4 bytes of it for IPv4 */
	uint16_t port;	   /* host order; 0: none */
	uint32_t scope;	   /* interface index of a link-local IPv6 address; 0: none */
};

#define IPADDR_TEXT_MAX 72 /* "[ffff:...%4294967295]:65535" and NUL */

void ipaddr_from_sockaddr(struct ipaddr *a, const struct sockaddr *sa);
socklen_t ipaddr_to_sockaddr(const struct ipaddr *a, struct sockaddr_storage *ss);

/* ::ffff:192.0.2.1 is 192.0.2.1; others stay. */
void ipaddr_unmap(struct ipaddr *a);

/* "192.0.2.1", "2001:db8::1": the address alone, no port. Returns text. */
const char *ipaddr_format(char text[static IPADDR_TEXT_MAX], const struct ipaddr *a);

/* "192.0.2.1:80", "[2001:db8::1]:80"; without port when it is 0 (brackets stay). Returns text. */
const char *ipaddr_format_port(char text[static IPADDR_TEXT_MAX], const struct ipaddr *a);

/* An address literal, IPv6 with or without brackets, no port, no zone. -ERR_INVALID otherwise. */
int ipaddr_parse(struct str s, struct ipaddr *ret) MUST_CHECK;

/* An address literal with port: "192.0.2.1:80", "[2001:db8::1]:80". -ERR_INVALID otherwise. */
int ipaddr_parse_port(struct str s, struct ipaddr *ret) MUST_CHECK;

bool ipaddr_equal(const struct ipaddr *a, const struct ipaddr *b); /* ports compared too */
/* Neither ports nor scopes count. */
bool ipaddr_same_host(const struct ipaddr *a, const struct ipaddr *b);
bool ipaddr_is_loopback(const struct ipaddr *a);
bool ipaddr_is_link_local6(const struct ipaddr *a); /* fe80::/10 */
bool ipaddr_is_unspecified(const struct ipaddr *a); /* 0.0.0.0, :: */

/* The unit of limits: an IPv4 address, or the /64 of an IPv6 address; port 0. */
struct ipaddr ipaddr_source(const struct ipaddr *a);

uint64_t ipaddr_hash(const struct ipaddr *a, uint64_t seed);

/*
 * Split "HOST:PORT", "[IPV6]:PORT", "HOST" or an IPv6 literal into its parts, without looking
 * anything up. *ret_port stays untouched when there is no port. -ERR_INVALID: empty host, or a port
 * not in 1..65535.
 */
int hostport_split(struct str s, struct str *ret_host, uint16_t *ret_port) MUST_CHECK;

/* A host name as RFC 1123 has it: labels of letters, digits, '-' (and '_'), 253 bytes at most; no
 * trailing dot. */
bool hostname_valid(struct str s);

#define HOSTNAME_MAX 256 /* a host name or a bracketed IPv6 literal, and NUL */

/* A host name as programs compare them: lower case, one trailing dot dropped. False (and an empty
 * string) when it is none. */
bool hostname_copy(char to[static HOSTNAME_MAX], struct str s);

/* What follows "//" in a URL and stands in a Host field (RFC 3986 §3.2, without userinfo): a host
 * name, IPv4 or "[IPV6]", and maybe ":PORT". Host comes out as hostname_copy has it, IPv6 in its
 * shortest spelling in brackets; no port is 0. -ERR_INVALID writes nothing. */
int authority_parse(struct str s, char ret_host[static HOSTNAME_MAX],
		    uint16_t *ret_port) MUST_CHECK;
