/*
 * Questions to name servers: the message, and what stands in the answer. ldns makes and reads them; no I/O, but
 * for dns_query_resolver.
 */
#pragma once

#include <ldns/ldns.h>

#include "net/sock.h"

#define DNS_QUERY_PORT 53

/* Append a message with one question, of a random number. recursion: to a resolver. -ERR_INVALID: no name;
 * -ERR_NOMEM. */
int dns_query_encode(const char *name, ldns_rr_type type, bool recursion, struct buf *out,
		     uint16_t *ret_id) MUST_CHECK;

/* The answer to that message, without what stands behind its sections; the caller's (ldns_pkt_free). NULL: it is
 * none. */
ldns_pkt *dns_query_decode(struct str message, uint16_t id);

/* A name of the message as text, lower case, without the dot behind it. False: it is none of a host. */
bool dns_query_name(const ldns_rdf *name, char to[static HOSTNAME_MAX]);

/* The nth record of that type, from 0; NULL: there are fewer. Borrowed. */
const ldns_rr *dns_query_find(const ldns_rr_list *list, ldns_rr_type type, size_t nth);

/* The zone that host is in, by the answer to a question for its SOA record. */
bool dns_query_zone(const ldns_pkt *pkt, const char *host, char zone[static HOSTNAME_MAX]);

/* The names of NS records, the first `max`; how many. */
size_t dns_query_servers(const ldns_pkt *pkt, char (*servers)[HOSTNAME_MAX], size_t max);

/* Of an answer for A or AAAA: the first address. False: it has none. */
bool dns_query_address(const ldns_pkt *pkt, struct ipaddr *ret);

/* The system's resolver (resolv.conf). Reads a small file. */
bool dns_query_resolver(struct sock_addr *ret);

/* The first name server of a file like resolv.conf(5). False: none is named. */
bool dns_query_parse_resolv_conf(struct str text, struct ipaddr *ret);
