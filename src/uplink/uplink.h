/*
 * Which addresses this machine has, what each is good for, and which one of each family the world
 * can use: the place where doors are asked for, whose address names lead to. A pure function of a
 * snapshot (net/netstate); uplink/watch keeps it up to date.
 *
 *	netstate_read(&state, &e);
 *	uplink_look(&state, &settings, NULL, &view, &e);
 *	if (view.v6.address.family)
 *		... view.v6.address at view.v6.router
 *	uplink_done(&view);
 *
 * The choice, per family: first the interface, by what the default routes prefer, tunnels left out
 * and dial-up lines last, so that a VPN's default route does not hide the router of the home; then
 * of its addresses one that stays: not temporary, deprecated, tentative or a duplicate (RFC 8981,
 * RFC 4862), and the one that was chosen before as long as that is so. A private IPv4 address is
 * chosen, too: it is the one that the router sends visitors to.
 */
#pragma once

#include "base/ipclass.h"
#include "net/netstate.h"

/* Verdict on an address, its word for programs, and for people behind "the address: ". */
#define UPLINK_VERDICTS(X)                                                                         \
	X(USABLE, "usable", "the world can use it")                                                \
	X(PRIVATE, "private", "the world gets to it only through the router")                      \
	X(SHARED, "shared", "the provider shares its public address among customers")              \
	X(OUTRANKED, "outranked", "another address is used")                                       \
	X(OTHER_INTERFACE, "other-interface", "another interface is used")                         \
	X(TEMPORARY, "temporary", "temporary, soon replaced by another (RFC 8981)")                \
	X(DEPRECATED, "deprecated", "deprecated, not for new connections")                         \
	X(STALE, "stale", "the router announces other addresses since")                            \
	X(TENTATIVE, "tentative", "not known yet to be the only one in the network")               \
	X(DUPLICATE, "duplicate", "another machine in the network has it")                         \
	X(TUNNEL, "tunnel", "of a tunnel")                                                         \
	X(NO_ROUTE, "no-default-route", "no default route leaves by its interface")                \
	X(DOWN, "down", "its interface is down")                                                   \
	X(UNIQUE_LOCAL, "unique-local", "for the own network only")                                \
	X(DOCUMENTATION, "documentation", "for examples in texts, not routed anywhere")            \
	X(SPECIAL, "special", "not routed on the internet")                                        \
	X(LINK_LOCAL, "link-local", "for its own link only")                                       \
	X(LOOPBACK, "loopback", "for this machine only")

enum uplink_verdict {
#define X(name, word, words) UPLINK_##name,
	UPLINK_VERDICTS(X)
#undef X
};

/* What the chosen address has that this one lacks. */
#define UPLINK_REASONS(X)                                                                          \
	X(NONE, "")                                                                                \
	X(INTERFACE_SET, "that interface is set")                                                  \
	X(KIND, "this one dials up or is virtual")                                                 \
	X(MAIN_TABLE, "its default route is in the main table")                                    \
	X(METRIC, "its default route has the smaller metric")                                      \
	X(PREFERENCE, "its router says that it is preferred")                                      \
	X(ROUTERS_NETWORK, "the router is in its network")                                         \
	X(FORMER, "it was chosen before and is still good")                                        \
	X(ROUTE_SOURCE, "the default route names it as the source")                                \
	X(ANNOUNCED, "the router announces its prefix")                                            \
	X(STATIC, "it never expires")                                                              \
	X(CLASS, "it is more public")                                                              \
	X(PRIMARY, "it is the interface's first")                                                  \
	X(AUTOCONF, "it is self-configured, which routers know better")                            \
	X(LIFETIME, "it stays preferred longer")                                                   \
	X(ORDER, "one had to be chosen")

enum uplink_reason {
#define X(name, words) UPLINK_BY_##name,
	UPLINK_REASONS(X)
#undef X
};

struct uplink_settings {
	char interface[IF_NAMESIZE]; /* only this one, even if it is a tunnel; "": any */
	bool allow_documentation;    /* as if it were public: for tests in namespaces */
};

struct uplink_address {
	struct netstate_address net;
	char ifname[IF_NAMESIZE];
	char kind[NETSTATE_KIND_MAX]; /* of the interface */
	enum ipclass class;
	enum uplink_verdict verdict;
	enum uplink_reason reason; /* OUTRANKED, OTHER_INTERFACE */
	bool chosen;
};

struct uplink_place {
	struct ipaddr address; /* family 0: none; no port, no scope */
	uint8_t prefix_len;
	unsigned ifindex;
	char ifname[IF_NAMESIZE];
	char kind[NETSTATE_KIND_MAX];
	enum uplink_verdict verdict; /* USABLE, PRIVATE, SHARED */
	struct ipaddr router; /* next hop of its default route, fe80:: with scope; or the other end
			       * of a point-to-point link; family 0: none */

	/* There is none: the one that lacks least, borrowed from the view; NULL: none does. */
	const struct uplink_address *nearest;
};

struct uplink_view {
	struct uplink_address *addresses; /* owned; by interface, family, address */
	size_t n;
	struct uplink_place v4, v6;
	bool unsure;	 /* an address may be stale, which only time tells: look again */
	bool incomplete; /* the machine has more than was read */

	/* Interfaces with a trouble; "": none has it. */
	char missing[IF_NAMESIZE]; /* it is set, and not there */
	char deaf[IF_NAMESIZE];	   /* ignores routers' announcements: it forwards, accept_ra is 1 */
};

/*
 * state     in:  links, addresses, default routes
 * settings  in:  NULL: none
 * former    in:  what was chosen before; NULL: nothing
 * ret       out: the caller's, uplink_done. May not be former.
 *
 * -ERR_NOMEM.
 */
int uplink_look(const struct netstate *state, const struct uplink_settings *settings,
		const struct uplink_view *former, struct uplink_view *ret,
		struct err *e) MUST_CHECK;
void uplink_done(struct uplink_view *view); /* a zeroed one is fine */

/* The same addresses with the same verdicts, and the same places; lifetimes do not count. */
bool uplink_equal(const struct uplink_view *a, const struct uplink_view *b);

const struct uplink_place *uplink_place(const struct uplink_view *view, uint8_t family);

/* ── words ── */

#define UPLINK_WORDS_MAX 320

const char *uplink_verdict_name(enum uplink_verdict verdict);

/* Why an address is used or not: "another address is used: it stays preferred longer". Returns text.
 */
const char *uplink_words(char text[static UPLINK_WORDS_MAX], const struct uplink_address *a);

/* Why there is no place of a family, and what helps; "" when there is one. Returns text. */
const char *uplink_lack(char text[static UPLINK_WORDS_MAX], const struct uplink_view *view,
			uint8_t family);
