/*
 * One question to a router about one door, by one of the methods: open it (or keep it open, which is
 * the same question), close it, is it still there? Each leads to one answer, however many messages
 * that takes (ask_pmp: PCP and NAT-PMP, ask_igd: UPnP).
 *
 *	ask_init(&ask, loop, router, &wish, id, on_answer, arg);
 *	ask_open(&ask, MAP_PCP, &grant);
 *	ask_cancel(&ask);		at any time; before its memory goes
 *
 * What a router calls success and is not what was asked for is given back here, and is a refusal.
 */
#pragma once

#include "map/router.h"

#define ASK_WHY_MAX   256
#define ASK_PORTS_MAX 4 /* other external ports that are tried when the wished one is taken */

/* What a router has granted, or had when the process before this one asked. */
struct map_grant {
	enum map_method method;
	struct ipaddr external; /* port; family 0: the address is not told with it */
	uint32_t lifetime_s;	/* from when it was granted */
	bool permanent;		/* it does not expire */
	uint16_t pinhole;	/* UniqueID of a UPnP pinhole */
	uint8_t nonce[PCP_NONCE_LEN];
};

struct ask_answer {
	/*
	 * 0: it is as asked; grant is written after ask_open and ask_verify.
	 * -ERR_REFUSED: the router does not want to; after ask_verify: the door is not there.
	 * -ERR_TIMEOUT: silence. -ERR_NOT_FOUND: nobody speaks this protocol (any more).
	 * -ERR_AGAIN: only a permanent door is to be had: ask with may_be_permanent.
	 */
	int r;
	struct map_grant grant;
	uint32_t wait_s;       /* the router wants not to be asked for so long; 0: not told */
	char why[ASK_WHY_MAX]; /* a sentence without its end; printable */
};

struct ask {
	/* ── the asker's ── */
	struct router *router; /* borrowed */
	struct map_wish wish;
	const char *id;		/* how our own UPnP entries are known; borrowed */
	bool may_be_permanent;	/* it is on disk that this door may not expire by itself */
	bool must_be_permanent; /* others vanish at this router (ask_igd) */
	void (*done)(void *arg, const struct ask_answer *answer);
	void *arg;

	/* ── the module's own ── */
	struct loop *loop;
	bool busy;
	struct map_grant grant;
	struct ask_answer answer;
	struct defer tell;
	struct pmp_request rq;
	bool again; /* a second try after a refusal that a deletion may mend */
	struct igd_call *call;
	uint16_t port;	/* external, being tried */
	unsigned ports; /* how many were */
	uint32_t lease_s;
	unsigned code; /* of a refusal that is being looked into */
};

void ask_init(struct ask *ask, struct loop *loop, struct router *router,
	      const struct map_wish *wish, const char *id,
	      void (*done)(void *arg, const struct ask_answer *answer), void *arg);

/*
 * grant   in: what is had or was had: its nonce, its external port (0: as wished) and pinhole
 *
 * One question at a time. The answer comes from the loop, never from inside.
 */
void ask_open(struct ask *ask, enum map_method method, const struct map_grant *grant);
void ask_close(struct ask *ask, const struct map_grant *grant);
void ask_verify(struct ask *ask, const struct map_grant *grant); /* MAP_IGD only */

/* done will not be called. Harmless when nothing is asked, and on a zeroed one. */
void ask_cancel(struct ask *ask);

static inline bool ask_busy(const struct ask *ask)
{
	return ask->busy;
}

/* ── for the two halves ── */

/* Answer with r and a sentence, at the end of the turn. */
void ask_finish(struct ask *ask, int r, const char *fmt, ...) PRINTF(3, 4);

void ask_pmp_open(struct ask *ask);
void ask_pmp_close(struct ask *ask);
void ask_igd_open(struct ask *ask);
void ask_igd_close(struct ask *ask);
void ask_igd_verify(struct ask *ask);
