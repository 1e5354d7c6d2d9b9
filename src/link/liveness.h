/*
 * Is the other side still there? (docs/protocol.md §4)
 *
 *	              5 s without a sign: PING
 *	   QUIET ───────────────────────────────▶ ASKED ── 10 s without a sign ──▶ on_dead
 *	     ▲ ▲           a sign                   │
 *	     │ └────────────────────────────────────┘
 *	     │ a sign                      2 s: on_missed, once
 *	     └──────────── URGENT ◀── liveness_ask (network changed, clock jumped): PING now
 *
 * A sign is any byte received, or bytes of ours that the other side's TCP acknowledged while more
 * of them wait: on a slow line a full send queue delays PING by seconds, but the queue itself moves.
 * When all is acknowledged, the PING too, a process must answer: 15 s after the last byte one that
 * is stopped is dead, although its kernel lives.
 */
#pragma once

#include "net/loop.h"

#define LIVENESS_QUIET	(5 * USEC_PER_S)
#define LIVENESS_DEAD	(10 * USEC_PER_S)
#define LIVENESS_URGENT (2 * USEC_PER_S)

struct liveness_handler {
	void (*ping)(void *arg);
	/* A count that moves when the other side's TCP acknowledges bytes of ours; *ret_pending:
	 * some still wait for that. */
	uint64_t (*acked)(void *arg, bool *ret_pending);
	void (*on_missed)(void *arg); /* an urgent question found no answer in 2 s; NULL is fine */
	void (*on_dead)(void *arg);
};

#define LIVENESS_STATES(X) X(STOPPED) X(QUIET) X(ASKED) X(URGENT)
enum liveness_state {
#define X(name) LIVENESS_STATE_##name,
	LIVENESS_STATES(X)
#undef X
};

struct liveness {
	struct loop *loop; /* borrowed */
	const struct liveness_handler *handler;
	void *arg;
	struct timer timer;
	enum liveness_state state;
	usec_t last_sign;
	usec_t asked_at;
	uint64_t signs, asked_signs; /* how often bytes came; the same when it was asked */
	uint64_t acked;		     /* when it was asked */
	bool missed;		     /* on_missed was called for this question */
	bool drained; /* all of ours was acknowledged, the PING too, and still nothing came */
	bool again;   /* the question before it is open too: it gives no more time */
};

void liveness_init(struct liveness *l, struct loop *loop, const struct liveness_handler *handler,
		   void *arg);
void liveness_start(struct liveness *l);
void liveness_stop(struct liveness *l);

/* A byte came. Cheap: called for every read. */
static inline void liveness_heard(struct liveness *l)
{
	l->last_sign = loop_now(l->loop);
	l->signs++;
}

/* Ask now, and tell within LIVENESS_URGENT if there is no answer. */
void liveness_ask(struct liveness *l);

/* An urgent question was missed, and no sign has come since. */
bool liveness_is_doubtful(const struct liveness *l);

const char *liveness_state_name(enum liveness_state state);
