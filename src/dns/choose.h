/*
 * Which address is published: what several sources say of one uplink, weighed. Pure; the role reports what
 * it learns from the gateway, the interfaces, the router and from servers that tell one's address.
 *
 * IPv4 is nothing that the world can come to when the router says that it has no public address, or the
 * interface's is one that the provider shares: then another router or the provider translates, and the
 * address outside leads to somebody else. Unless a person says that its ports lead here.
 *
 * Only public addresses count, of the family that is asked for. IPv6 is what the interface has: others
 * see the temporary address that we speak with. IPv4 is believed
 *
 *	at once		from the gateway (told over a link that nobody in between can change) and from the
 *			interface (it is ours), if it is public there
 *	at once		from two of the others that agree
 *	after a while	from one that says the same again DNS_CHOOSE_WHILE later, but the router: it may
 *			be behind another one, and on the home's own network anybody can speak for it
 *
 * and what was believed before stays so as long as any source says it, unless what others agree on is newer
 * by DNS_CHOOSE_ROUND. What a source said before the present address was taken, and has not said again,
 * is no news when that address is gone. When nobody is believed, the address is unknown, which takes none
 * away. "None" is certain only for IPv6, when the interface has had none for DNS_CHOOSE_NONE and nobody
 * sees one.
 */
#pragma once

#include <stdbool.h>

#include "base/ipaddr.h"
#include "base/ustime.h"
#include "dns/machine.h"

#define DNS_CHOOSE_WHILE (30 * USEC_PER_S)
#define DNS_CHOOSE_ROUND (60 * USEC_PER_S)
#define DNS_CHOOSE_NONE	 (600 * USEC_PER_S)

/* In the order in which they are preferred. Name, word for programs, for people. */
#define DNS_SOURCES(X)                                                                             \
	X(GATEWAY, "gateway", "the gateway")                                                       \
	X(INTERFACE, "interface", "the interface")                                                 \
	X(ROUTER, "router", "the router")                                                          \
	X(STUN, "stun", "a STUN server")                                                           \
	X(ECHO, "echo", "echo services")                                                           \
	X(RESOLVER, "resolver", "a name server")

enum dns_source {
#define X(name, word, words) DNS_SOURCE_##name,
	DNS_SOURCES(X)
#undef X
		DNS_SOURCES_COUNT
};

const char *dns_source_name(enum dns_source source);

struct dns_report {
	enum dns_wish wish;
	struct ipaddr address;
	struct ipaddr refused; /* said, and cannot be published; family 0: none such */
	usec_t since, last;    /* it has said the same from .. to */
};

/* Zeros: nothing is known. */
struct dns_chooser {
	struct dns_report reports[2][DNS_SOURCES_COUNT]; /* IPv4, IPv6 */
	struct ipaddr chosen[2];			 /* family 0: none yet */
	usec_t chosen_at[2];
	bool allow_documentation; /* for tests: as if they were public */
	bool double_nat;	  /* the router in front of the router leads here */
};

/* A source's word. address: with DNS_WISH_ADDRESS; one that cannot be published counts as NONE. */
void dns_chooser_report(struct dns_chooser *c, enum dns_source source, int family,
			enum dns_wish wish, const struct ipaddr *address, usec_t now);

/* What is to be published. *ret_source: who says so. *ret_at: when to look again though nobody reports
 * anything (or, with IPv4, to ask a source again); 0: never. */
enum dns_wish dns_chooser_decide(struct dns_chooser *c, int family, usec_t now,
				 struct ipaddr *ret_address, enum dns_source *ret_source,
				 usec_t *ret_at);

/* Whether more voices would help: nothing is believed, or somebody speaks of another address than the
 * one that is or would be chosen now. Ask them then (dns/observe.h). */
bool dns_chooser_wants_more(const struct dns_chooser *c, int family, usec_t now);

/* Another line by which questions leave: what was seen outside of the former says nothing of it. What
 * was chosen stays known. */
void dns_chooser_forget(struct dns_chooser *c);

/* Whether somebody in front translates, so that what is seen outside is not published. */
bool dns_chooser_is_behind(const struct dns_chooser *c);

/* Whether the router's own IPv4 address is another than the chosen one, so that a door at that router
 * does not lead here. False as long as either is not known. */
bool dns_chooser_is_shared(const struct dns_chooser *c);

/* For people, after dns_chooser_decide: "203.0.113.7 from the router, confirmed by a STUN server", or who
 * says what, and why it does not count. Returns text. */
#define DNS_CHOOSER_TEXT_MAX 400
const char *dns_chooser_text(char text[static DNS_CHOOSER_TEXT_MAX], const struct dns_chooser *c,
			     int family, enum dns_wish wish, enum dns_source source);

/* The address of another device of the house: the network part of ours, and its own last 64 bits. False:
 * prefix_bits over 64, or no IPv6. */
bool dns_suffix_apply(const struct ipaddr *ours, unsigned prefix_bits, const struct ipaddr *suffix,
		      struct ipaddr *ret);
