/*
 * Looking for an Internet Gateway Device at one place (SSDP; UPnP Device Architecture 1.1 §1.3):
 * the router is asked by itself first, which also teaches this machine's firewall to let its answers
 * in; then the group on that link, for devices that answer to nothing else.
 *
 * Anybody on the link may answer. Believed is what leads to who said it: the answer's source is on
 * this link, its Location an address literal, over IPv4 the source's own. The router's own answers
 * count; another device's only when the router itself stays silent, and are marked `other`.
 *
 * Over IPv6 a router is known by its link-local address, so it is asked from ours: then it answers
 * from there. Its Location may name another of its addresses, even one of a prefix that is gone,
 * and is not where it is spoken to.
 */
#pragma once

#include "map/place.h"
#include "net/loop.h"

#define SEARCH_ANSWERS_MAX 10
#define SEARCH_PATH_MAX	   256
#define SEARCH_SERVER_MAX  64
#define SEARCH_TIME	   (2500 * USEC_PER_MS)
#define SEARCH_SETTLE	   (100 * USEC_PER_MS) /* the router's other answers, after its first */

/* What an answer says it is; the better first. */
enum search_rank {
	SEARCH_IGD_2, /* InternetGatewayDevice:2 and later */
	SEARCH_IGD_1, /* InternetGatewayDevice:1 */
	SEARCH_WAN,   /* a part of one */
	SEARCH_ELSE,  /* some devices name no more than their first part */
};

struct search_answer {
	enum search_rank rank;
	struct ipaddr at; /* the answerer's own address, with its scope, and its Location's port */
	char path[SEARCH_PATH_MAX];	/* of the description */
	char server[SEARCH_SERVER_MAX]; /* SERVER: printable, cut */
	bool other;			/* not place.router */
	usec_t took;			/* since the search began */
};

/* The best first; each place and path once. */
struct search_answers {
	struct search_answer list[SEARCH_ANSWERS_MAX];
	unsigned n;
};

struct search;

/*
 * done is called once, later: as soon as the router has given its best answer, else after
 * SEARCH_TIME, with n = 0 when nobody was found. The object is gone after done; search_cancel
 * before that ends it without. -ERR_FAILED: no socket (the address is gone), -ERR_NOMEM. On
 * loopback nobody but the router is asked.
 */
int search_start(struct loop *loop, const struct map_place *place,
		 void (*done)(void *arg, const struct search_answers *answers), void *arg,
		 struct search **ret_search, struct err *e) MUST_CHECK;
void search_cancel(struct search *search); /* NULL is fine */

/* ── for search itself, and its tests: no I/O ── */

/* One datagram that came from `from`. -ERR_INVALID: no answer to a search; -ERR_DENIED: not
 * believed. took is not set. */
int search_believe(const struct map_place *place, const struct ipaddr *from, const void *bytes,
		   size_t len, struct search_answer *ret, struct err *e) MUST_CHECK;

/* Keep an answer where its rank belongs. When the list is full the last one goes. */
void search_keep(struct search_answers *answers, const struct search_answer *answer);
