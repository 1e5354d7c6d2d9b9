/*
 * The agent's side of the link: dials the gateway, keeps its carriers up, says which services it
 * has, and hands visitors to its owner. It never gives up and never hammers (docs/protocol.md §5).
 *
 *	link_dial_new(loop, &config, &events, arg, &dial, &e);
 *	link_dial_set_services(dial, &services);	again after every change
 *	... events.on_visitor(arg, v, ...)		link_visitor_accept or link_visitor_refuse
 *	link_dial_stop(dial, grace, done);		lets visitors finish, or withdraws the services
 *	link_dial_free(dial);
 */
#pragma once

#include "link/message.h"
#include "link/visitor.h"
#include "proto/forwarded.h"

/*
 * How to get a connection; for tests on the virtual clock. done once, later: r = 0 and a TLS-like
 * stream whose handshake is done, and the other side's key; or the failure.
 */
struct link_connector {
	int (*start)(void *arg, struct loop *loop,
		     void (*done)(void *done_arg, int r, struct stream *s,
				  const struct tls_key_hash *peer, const struct err *e),
		     void *done_arg, void **ret_attempt, struct err *e);
	void (*cancel)(void *arg, void *attempt);
	/* Whether somebody at the other end answered already; NULL: not told. */
	bool (*answered)(void *arg, void *attempt);
	void *arg;
};

struct link_dial_config {
	const char *host; /* copied */
	uint16_t port;
	struct tls_key_hash gateway, next_gateway; /* the second only if has_next */
	bool has_next;
	const struct tls_identity *identity;	/* borrowed */
	unsigned carriers;			/* 1..LINK_CARRIERS_MAX */
	const struct link_connector *connector; /* NULL: resolve, connect, TLS */
};

enum link_dial_state {
	LINK_DIAL_CONNECTING, /* not yet, or not any more; it keeps trying */
	LINK_DIAL_UP,	      /* at least one carrier is welcome */
	LINK_DIAL_REPLACED,   /* another process uses this key; tries again after 60 s */
	LINK_DIAL_REFUSED, /* only a person can mend it: unknown or revoked key, wrong gateway key,
			      version */
	LINK_DIAL_STOPPED,
};

const char *link_dial_state_name(enum link_dial_state state);

struct link_dial_events {
	/* why: what went wrong and when the next try is, for people; NULL when up. Only on changes
	 * of state or of the reason. */
	void (*on_state)(void *arg, enum link_dial_state state, const struct err *why);
	/* The gateway's answer to the services, after every connect and every change. Borrowed. */
	void (*on_welcome)(void *arg, const struct link_welcome *welcome);
	void (*on_grants)(void *arg, const struct link_grants *grants);
	void (*on_notice)(void *arg, const char *text);
	/* The owner answers by link_visitor_accept or _refuse, now or later; set the handler first.
	 */
	void (*on_visitor)(void *arg, struct link_visitor *v, const char *service,
			   const struct forwarded *who);
};

struct link_dial;

int link_dial_new(struct loop *loop, const struct link_dial_config *config,
		  const struct link_dial_events *events, void *arg, struct link_dial **ret_dial,
		  struct err *e) MUST_CHECK;

/* All services from now on (copied; the revision is counted here). Before the first call nothing is
 * dialled. -ERR_LIMIT: more than fit a control message (64 KiB); the old ones stay. */
int link_dial_set_services(struct link_dial *dial, const struct link_services *services) MUST_CHECK;

/* The machine's network changed, or time jumped: ask the links if they live, dial now if there are
 * none. */
void link_dial_network_changed(struct link_dial *dial);

/*
 * Go. grace 0: for good, the services are withdrawn and all is closed at once. Else visitors have
 * that long to finish, 30 s at most, 2 s where the line is dead, and the gateway lets new ones wait
 * a moment, as for any link that was lost: the process may be started again. done is called once,
 * later.
 */
void link_dial_stop(struct link_dial *dial, usec_t grace, void (*done)(void *arg), void *arg);
void link_dial_free(
	struct link_dial *dial); /* NULL is fine; visitors are reset without on_closed being lost */

struct link_dial_info {
	enum link_dial_state state;
	unsigned carriers_up, visitors;
	bool at_work;		/* has a connection, or will try; or nothing but a person helps */
	usec_t since;		/* loop time of the last change of state */
	struct ipaddr observed; /* family 0: never up */
	struct ipaddr local;	/* ours at the connection that was observed; family 0: not known */
	unsigned rtt_us;	/* 0: unknown */
	char why[512];		/* the last trouble, "" if none */
};
void link_dial_info(const struct link_dial *dial, struct link_dial_info *ret);

/* ── pairing ── */

struct link_pair;

/*
 * Redeem a pairing code with this identity. done once, later: r = 0 and what the gateway said, or
 * -ERR_DENIED (code used, expired, unknown: e says which), -ERR_EXISTS (this key was revoked:
 * another may join), -ERR_REFUSED, -ERR_TIMEOUT (gateway not
 * reached within 15 s), -ERR_INVALID (wrong key).
 */
int link_pair_start(struct loop *loop, const struct link_code *code,
		    const struct tls_identity *identity,
		    void (*done)(void *arg, int r, const struct link_joined *joined,
				 const struct err *e),
		    void *arg, struct link_pair **ret_pair, struct err *e) MUST_CHECK;
void link_pair_cancel(struct link_pair *pair); /* NULL is fine */
