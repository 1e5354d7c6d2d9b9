/*
 * A stream that speaks capsules on one side and datagrams on the other: what is written to it is
 * decoded and sent as datagrams, what its owner pushes is read from it as capsules.
 *
 *	owner (a socket)                                   user (the link, a pump)
 *	dgram_stream_push(s, bytes, len) ─▶ one queue ───▶ stream_read
 *	handler.send(iov, n) ◀──────────── decoder ◀────── stream_write
 *	dgram_stream_end(s) ──────────────────────────────▶ stream_read: 0
 *	handler.closed ◀─────────────────────────────────── stream_close
 *
 * Datagrams are dropped, never kept waiting: the queue holds DGRAM_QUEUE_MAX bytes (one datagram of
 * full size, or dozens of usual ones), what does not fit is lost and counted, and writing always
 * takes everything. Memory for the queue, and for a datagram that was written in pieces, exists
 * only while there are bytes in it. The end of one direction is that of both.
 */
#pragma once

#include <sys/uio.h>

#include "net/stream.h"
#include "proto/capsule.h"

#define DGRAM_QUEUE_MAX (CAPSULE_HEAD_MAX + CAPSULE_DATAGRAM_MAX)
#define DGRAM_BATCH_MAX 32 /* datagrams in one call of send */

struct dgram_handler {
	/* Datagrams for the socket, n from 1 to DGRAM_BATCH_MAX. From inside stream_write. */
	void (*send)(void *arg, const struct iovec *list, unsigned n);
	/* The stream's user has closed it: the last call. */
	void (*closed)(void *arg);
};

/* The stream is the user's to close; it stays on its loop. -ERR_NOMEM. */
int dgram_stream_new(struct loop *loop, const struct dgram_handler *handler, void *arg,
		     struct stream **ret_stream, struct err *e) MUST_CHECK;

/* A datagram for the user. False: there is no room, it is lost. */
bool dgram_stream_push(struct stream *s, const void *bytes, size_t len) MUST_CHECK;

/* The owner goes: no more calls to him, and the user finds the end; what is queued is dropped. */
void dgram_stream_end(struct stream *s);

/* Datagrams lost so far for want of room (or memory). */
uint64_t dgram_stream_dropped(const struct stream *s);
