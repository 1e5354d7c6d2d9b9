/*
 * Say a last word and close so that it arrives: send it, end our side, and throw away what the
 * other side still sends until it ends too. A plain close with bytes unread would be a reset, and a
 * reset takes the answer away from the visitor.
 *
 *	SENDING ── all sent ──▶ DRAINING ── he closed ──▶ gone
 *	   └──── 5 s, FRONT_LINGER_DRAIN_MAX bytes, broken, or pushed out by newer ones ───▶ gone
 */
#pragma once

#include "base/list.h"
#include "net/stream.h"

#define FRONT_LINGER_TIMEOUT   (5 * USEC_PER_S)
#define FRONT_LINGER_DRAIN_MAX ((size_t)1024 * 1024) /* thrown away at most */
#define FRONT_LINGER_MAX       1024		     /* connections; then the oldest goes */

struct front_linger {
	struct loop *loop; /* borrowed */
	struct list conns; /* owned, oldest first */
	unsigned n;
	struct timer timer; /* for the oldest; may fire early */
	void (*on_gone)(void *arg, const struct ipaddr *peer);
	void *arg;
};

/* on_gone is called once for each connection, when it is closed; also from inside
 * front_linger_add. */
void front_linger_init(struct front_linger *l, struct loop *loop,
		       void (*on_gone)(void *arg, const struct ipaddr *peer), void *arg);

/* Closes all that are left, with on_gone. */
void front_linger_done(struct front_linger *l);

/* Takes the stream, and the bytes of `word` (left empty). */
void front_linger_add(struct front_linger *l, struct stream *stream, const struct ipaddr *peer,
		      struct buf *word);
