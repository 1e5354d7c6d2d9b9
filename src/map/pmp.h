/*
 * PCP (RFC 6887) and NAT-PMP (RFC 6886) at one place: questions to its router, from one UDP socket
 * that is bound to the place's address and connected to the router's port 5351. The two protocols
 * share the port and differ in their first byte.
 *
 *	rq = (struct pmp_request){.kind = PMP_PCP_MAP, .protocol = IPPROTO_TCP,
 *				  .internal_port = 8000, .lifetime_s = 7200, .done = on_answer};
 *	pmp_ask(pmp, &rq);		repeated after 250, 500, 1000 and 2000 ms
 *	pmp_cancel(&rq);		at any time
 *
 * Only the router itself can answer, from that port (the kernel sees to it), and only with what was
 * asked: the same operation, protocol and internal port, and for PCP the same nonce.
 */
#pragma once

#include "base/list.h"
#include "map/place.h"
#include "net/loop.h"
#include "proto/pcp.h"

#define PMP_REQUESTS_MAX 64 /* at once; MAP_DOORS_MAX and what the probe asks */

enum pmp_kind {
	PMP_PCP_ANNOUNCE,   /* is PCP spoken, and since when? (RFC 6887 §14.1) */
	PMP_PCP_MAP,	    /* §11 */
	PMP_NATPMP_ADDRESS, /* the external address (RFC 6886 §3.2) */
	PMP_NATPMP_MAP,	    /* §3.3; IPv4 only */
};

struct pmp;

struct pmp_answer {
	/*
	 * 0: granted. -ERR_REFUSED: the router says no, `result` tells which. -ERR_TIMEOUT: silence.
	 * -ERR_NOT_FOUND: nobody listens there (ICMP), or not to this protocol (its version is
	 * refused).
	 */
	int r;
	unsigned result;	/* of the protocol, when it answered */
	struct ipaddr external; /* address, and port of a mapping; family 0: not told. In a refusal
				 * of PCP it is what the router has, and no promise */
	uint32_t lifetime_s;	/* granted; in a refusal how long to wait, 0: not told */
	usec_t took;		/* since it was first asked */
};

/* Caller's memory; its fields stay until done or pmp_cancel. */
struct pmp_request {
	enum pmp_kind kind;
	uint8_t protocol;	 /* IPPROTO_TCP, IPPROTO_UDP; of a mapping, as the rest */
	uint16_t internal_port;	 /* 1 .. 65535 */
	struct ipaddr suggested; /* external address and port; port 0: the router's choice */
	bool prefer_failure;	 /* PCP: rather nothing than another port */
	uint32_t lifetime_s;	 /* 0: delete it */
	uint8_t nonce[PCP_NONCE_LEN];

	/* From the loop, never from inside pmp_ask; the request may be asked again in it. */
	void (*done)(struct pmp_request *rq, const struct pmp_answer *answer);
	void *arg;

	/* ── the module's own ── */
	struct pmp *pmp; /* NULL: not being asked */
	struct list node;
	struct timer again;
	usec_t asked_at;
	unsigned tries;
};

struct pmp_handler {
	/* A router's epoch (RFC 6887 §8.5, RFC 6886 §3.6) says that it has forgotten all mappings.
	 * From the loop. */
	void (*on_restart)(void *arg);
};

/* place: copied. -ERR_FAILED: the address is not (or no longer) this machine's, or there is no way
 * to the router. */
int pmp_new(struct loop *loop, const struct map_place *place, const struct pmp_handler *handler,
	    void *arg, struct pmp **ret_pmp, struct err *e) MUST_CHECK;

/* Requests being asked are forgotten; done is not called. Not from inside done or on_restart. NULL
 * is fine. */
void pmp_free(struct pmp *pmp);

/* -ERR_LIMIT: PMP_REQUESTS_MAX are being asked. */
int pmp_ask(struct pmp *pmp, struct pmp_request *rq) MUST_CHECK;

/* Harmless when it is not being asked, and on a zeroed one. */
void pmp_cancel(struct pmp_request *rq);
