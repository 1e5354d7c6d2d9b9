/*
 * A byte stream both ways, whatever carries it: a TCP or Unix socket, TLS over another stream, one
 * end of a pair in memory. It is passive, like a non-blocking socket: its user reads, writes, and
 * is told when it is worth trying again.
 *
 *	stream_set_handler(s, x_on_ready, x);
 *	n = stream_read(s, bytes, len, &e);	what is there; less than len: on_ready follows
 *	n = stream_write(s, bytes, len, &e);	what it takes; less than len: on_ready follows
 *	stream_shutdown(s, &e);			no more from us; reading goes on (half-close)
 *	stream_close(s);			the end, the memory is gone
 *
 * Readiness is told once: after stream_read returned less than asked (also -ERR_AGAIN, but not 0)
 * on_ready(STREAM_READABLE) comes when more can be read, also for the end and for errors; after a
 * short stream_write on_ready(STREAM_WRITABLE) comes when it can be continued. Until a user has
 * read short, nothing says that bytes are there: whoever takes a stream over tries first. on_ready
 * may close the stream. It is not called from inside stream_read or stream_write.
 *
 * One user at a time; ownership passes with the pointer.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/ipaddr.h"
#include "net/loop.h"

enum stream_event { STREAM_READABLE = 1, STREAM_WRITABLE = 2 };

#define STREAM_PUSHBACK_MAX ((size_t)64 * 1024)

struct stream;

struct stream_ops {
	const char *name;
	ssize_t (*read)(struct stream *s, void *bytes, size_t len, struct err *e);
	ssize_t (*write)(struct stream *s, const void *bytes, size_t len, struct err *e);
	int (*shutdown)(struct stream *s, struct err *e);
	size_t (*unsent)(struct stream *s);
	void (*free)(struct stream *s, bool reset);
	void (*detach)(struct stream *s);				   /* NULL: cannot move */
	int (*attach)(struct stream *s, struct loop *loop, struct err *e); /* NULL: cannot move */
};

/* Common part, first member of every kind of stream. */
struct stream {
	const struct stream_ops *ops;
	struct loop *loop; /* borrowed */
	void (*on_ready)(void *arg, unsigned events);
	void *arg;
	struct buf pushback; /* what stream_unread gave back */
	struct defer again;  /* stream_tell_again */
};

void stream_set_handler(struct stream *s, void (*on_ready)(void *arg, unsigned events), void *arg);

/*
 * > 0: bytes read. 0: the other side will send no more. -ERR_AGAIN: nothing now. -ERR_RESET and
 * others: broken, for both directions; close it. That may also come, READABLE told, behind a 0.
 * len > 0.
 */
ssize_t stream_read(struct stream *s, void *bytes, size_t len, struct err *e) MUST_CHECK;

/* >= 0: bytes taken. -ERR_AGAIN: none now. -ERR_RESET and others: broken for writing; what the
 * other side sent before that may still be read. */
ssize_t stream_write(struct stream *s, const void *bytes, size_t len, struct err *e) MUST_CHECK;

/* Tell the other side that no more follows, behind what was written. Idempotent. */
int stream_shutdown(struct stream *s, struct err *e) MUST_CHECK;

/*
 * Give bytes back: the next stream_read yields them first. At most STREAM_PUSHBACK_MAX
 * (-ERR_LIMIT), or -ERR_NOMEM. It makes no event: whoever takes the stream over reads first anyway.
 */
int stream_unread(struct stream *s, const void *bytes, size_t len) MUST_CHECK;

/* Bytes that were taken but are still in this process or unsent in the kernel; close loses those of
 * the process. */
size_t stream_unsent(struct stream *s);

/* Close, orderly as far as the kernel goes; or abort, so that the other side sees a reset. NULL is
 * fine. */
void stream_close(struct stream *s);
void stream_reset(struct stream *s);

/* For kinds of streams: on_ready(STREAM_READABLE) at the end of this turn, though nothing new came
 * from outside. */
void stream_tell_again(struct stream *s);

static inline void stream_closep(struct stream **s)
{
	stream_close(*s);
}

/*
 * Move to another thread's loop: detach on the old thread (no events from then on), pass the
 * pointer, attach on the new one. The handler is set anew after that.
 */
void stream_detach(struct stream *s);
int stream_attach(struct stream *s, struct loop *loop, struct err *e) MUST_CHECK;
