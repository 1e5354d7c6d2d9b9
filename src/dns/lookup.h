/*
 * What is published under a name, from the zone's own name servers: nobody's cache and nobody's view of
 * the house's own network in between. One question, for machines in doubt; never to decide whether an
 * address changed.
 *
 *	resolver: SOA of the name ─▶ its zone ─▶ NS of the zone ─▶ their addresses ─▶ the question itself
 *
 * Everything over TCP. Where the resolver does not speak that, the system is asked what the name's
 * address is.
 */
#pragma once

#include "dns/exchange.h"
#include "dns/keeper.h"

#define DNS_LOOKUP_SERVERS_MAX 4

struct dns_lookup_settings {
	struct loop *loop;	   /* borrowed */
	struct sock_addr resolver; /* ip.family 0: as /etc/resolv.conf says at each question */
	uint16_t port;		   /* of the zone's servers; 0: 53 */
	bool direct;		   /* resolver is a server of the zone: it alone is asked */
};

/* For a keeper: settings is borrowed as long as the keeper lives. */
struct dns_asker dns_lookup_asker(struct dns_lookup_settings *settings);
