/*
 * Which address is published: what several sources say, weighed. Pure; the role reports what it learns
 * from the gateway, the interfaces, the router and from servers that tell one's address.
 *
 * Only public addresses count, of the family that is asked for. IPv6 is what the interface has: others
 * see the temporary address that we speak with. IPv4 is believed
 *
 *	at once		from the gateway (told over a link that nobody in between can change) and from the
 *			interface (it is ours), if it is public there
 *	at once		from two of the others that agree
 *	after a while	from one that says the same for DNS_CHOOSE_WHILE
 *
 * and what was believed before stays so as long as any source says it; when none does, it is unknown, which
 * takes no address away. "None" is certain only for IPv6, when the
 * interface has had none for DNS_CHOOSE_NONE.
 */
#pragma once

#include <stdbool.h>

#include "base/ipaddr.h"
#include "base/ustime.h"
#include "dns/machine.h"

#define DNS_CHOOSE_WHILE (30 * USEC_PER_S)
#define DNS_CHOOSE_NONE	 (600 * USEC_PER_S)

/* In the order in which they are preferred. */
#define DNS_SOURCES(X)                                                                             \
	X(GATEWAY, "gateway")                                                                      \
	X(INTERFACE, "interface")                                                                  \
	X(ROUTER, "router")                                                                        \
	X(STUN, "stun")                                                                            \
	X(ECHO, "echo")                                                                            \
	X(RESOLVER, "resolver")

enum dns_source {
#define X(name, word) DNS_SOURCE_##name,
	DNS_SOURCES(X)
#undef X
		DNS_SOURCES_COUNT
};

const char *dns_source_name(enum dns_source source);

struct dns_report {
	enum dns_wish wish;
	struct ipaddr address;
	usec_t since, last; /* it has said the same from .. to */
};

/* Zeros: nothing is known. */
struct dns_chooser {
	struct dns_report reports[2][DNS_SOURCES_COUNT]; /* IPv4, IPv6 */
	struct ipaddr chosen[2];			 /* family 0: none yet */
	bool allow_documentation;			 /* for tests: as if they were public */
};

/* A source's word. address: with DNS_WISH_ADDRESS; one that cannot be published counts as NONE. */
void dns_chooser_report(struct dns_chooser *c, enum dns_source source, int family,
			enum dns_wish wish, const struct ipaddr *address, usec_t now);

/* What is to be published. *ret_source: who says so. *ret_at: when to look again though nobody reports
 * anything; 0: never. */
enum dns_wish dns_chooser_decide(struct dns_chooser *c, int family, usec_t now,
				 struct ipaddr *ret_address, enum dns_source *ret_source,
				 usec_t *ret_at);

/* The address of another device of the house: the network part of ours, and its own last 64 bits. False:
 * prefix_bits over 64, or no IPv6. */
bool dns_suffix_apply(const struct ipaddr *ours, unsigned prefix_bits, const struct ipaddr *suffix,
		      struct ipaddr *ret);
