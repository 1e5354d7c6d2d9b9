#include "net/dgram.h"

#include <assert.h>
#include <string.h>

struct dgram {
	struct stream stream;
	const struct dgram_handler *handler; /* NULL: the owner has gone */
	void *arg;

	struct buf queue;  /* capsules to be read */
	size_t first_left; /* of the queue's first capsule, which was read in part; 0: none was */
	struct defer tell;
	bool want_readable; /* a read was short */
	bool ended;	    /* behind the queue is the end */
	bool cut;	    /* ended in the middle of a capsule: as a reset */
	uint64_t dropped;

	struct capsule_decoder decoder; /* of what is written */
	struct buf joined;		/* a datagram that is written in pieces */
	bool lost;			/* that one is: no memory */
};

/* Datagrams that were found whole in one write. */
struct batch {
	struct dgram *d; /* borrowed */
	struct iovec list[DGRAM_BATCH_MAX];
	unsigned n;
};

static struct dgram *dgram_of(const struct stream *s)
{
	return container_of(s, struct dgram, stream);
}

/* ── reading: capsules ── */

static void on_tell(void *arg)
{
	struct dgram *d = arg;

	if (!d->want_readable)
		return;
	d->want_readable = false;
	if (d->stream.on_ready)
		d->stream.on_ready(d->stream.arg, STREAM_READABLE);
}

/* At the end of the turn, so that what came in it is read together. */
static void wake(struct dgram *d)
{
	if (d->want_readable)
		defer_call(&d->tell);
}

/* Length of the capsule at the queue's head: one of ours. */
static size_t first_capsule(const struct dgram *d)
{
	const uint8_t *length = buf_head(&d->queue) + 1; /* behind the type */

	return 1 + capsule_varint_len(*length) + (size_t)capsule_varint_decode(length);
}

/* n bytes of the queue are read. */
static void consume(struct dgram *d, size_t n)
{
	while (n) {
		size_t left = d->first_left ? d->first_left : first_capsule(d);
		size_t part = MIN(left, n);

		buf_consume(&d->queue, part);
		d->first_left = left - part;
		n -= part;
	}
	buf_release_if_empty(&d->queue);
}

static ssize_t dgram_read(struct stream *s, void *bytes, size_t len, struct err *e)
{
	struct dgram *d = dgram_of(s);
	size_t n = MIN(len, buf_len(&d->queue));

	if (d->cut)
		return err_set(e, ERR_RESET, "the datagrams end here");
	if (n == 0 && d->ended)
		return 0;
	d->want_readable = n < len;
	if (d->ended)
		wake(d); /* the end comes next */
	if (n == 0)
		return -ERR_AGAIN;
	memcpy(bytes, buf_head(&d->queue), n);
	consume(d, n);
	return (ssize_t)n;
}

bool dgram_stream_push(struct stream *s, const void *bytes, size_t len)
{
	struct dgram *d = dgram_of(s);
	uint8_t head[CAPSULE_HEAD_MAX];
	size_t head_len;
	uint8_t *to;

	if (d->ended)
		return false;
	if (len > CAPSULE_DATAGRAM_MAX)
		goto lost;
	head_len = capsule_encode_head(head, len);
	if (buf_len(&d->queue) + head_len + len > DGRAM_QUEUE_MAX)
		goto lost;
	to = buf_reserve(&d->queue, head_len + len);
	if (!to)
		goto lost;
	memcpy(to, head, head_len);
	if (len)
		memcpy(to + head_len, bytes, len);
	buf_commit(&d->queue, head_len + len);
	wake(d);
	return true;
lost:
	d->dropped++;
	return false;
}

/* ── writing: datagrams ── */

static void batch_send(struct batch *batch)
{
	struct dgram *d = batch->d;

	if (batch->n && d->handler)
		d->handler->send(d->arg, batch->list, batch->n);
	batch->n = 0;
}

static void batch_add(struct batch *batch, const uint8_t *bytes, size_t len)
{
	batch->list[batch->n++] = (struct iovec){.iov_base = (void *)bytes, .iov_len = len};
	if (batch->n == DGRAM_BATCH_MAX)
		batch_send(batch);
}

/* A piece of a datagram that does not come at once. */
static void join(struct batch *batch, const struct capsule_piece *piece)
{
	struct dgram *d = batch->d;

	if (piece->first)
		d->lost = false;
	if (!d->lost && buf_append(&d->joined, piece->bytes, piece->len) < 0) {
		d->lost = true;
		d->dropped++;
	}
	if (!piece->last)
		return;
	if (!d->lost) {
		batch_add(batch, buf_head(&d->joined), buf_len(&d->joined));
		batch_send(batch); /* before its memory is used for another */
	}
	buf_done(&d->joined);
}

static void take(struct batch *batch, const struct capsule_piece *piece)
{
	if (piece->kind == CAPSULE_SKIPPED)
		batch->d->dropped++;
	if (piece->kind != CAPSULE_PIECE || !batch->d->handler)
		return;
	if (piece->first && piece->last)
		batch_add(batch, piece->bytes, piece->len);
	else
		join(batch, piece);
}

static ssize_t dgram_write(struct stream *s, const void *bytes, size_t len, struct err *e)
{
	struct dgram *d = dgram_of(s);
	struct batch batch = {.d = d};
	const uint8_t *at = bytes;
	size_t left = len;

	while (left) {
		struct capsule_piece piece;
		ssize_t n = capsule_decode(&d->decoder, at, left, &piece);

		if (n < 0) {
			batch_send(&batch);
			return err_set(e, ERR_INVALID, "not a capsule (RFC 9297)");
		}
		take(&batch, &piece);
		at += n;
		left -= (size_t)n;
	}
	batch_send(&batch);
	return (ssize_t)len;
}

/* ── the end ── */

static void end(struct dgram *d)
{
	d->ended = true;
	wake(d);
}

static int dgram_shutdown(struct stream *s, struct err *e)
{
	end(dgram_of(s));
	return 0;
}

void dgram_stream_end(struct stream *s)
{
	struct dgram *d = dgram_of(s);

	d->handler = NULL;
	d->cut = d->first_left > 0;
	d->first_left = 0;
	buf_done(&d->queue);
	buf_done(&d->joined);
	end(d);
}

static size_t dgram_unsent(struct stream *s)
{
	return 0;
}

static void dgram_free(struct stream *s, bool reset)
{
	struct dgram *d = dgram_of(s);
	const struct dgram_handler *handler = TAKE(d->handler);

	defer_cancel(&d->tell);
	if (handler)
		handler->closed(d->arg);
	buf_done(&d->queue);
	buf_done(&d->joined);
	free(d);
}

static const struct stream_ops dgram_ops = {
	.name = "datagrams",
	.read = dgram_read,
	.write = dgram_write,
	.shutdown = dgram_shutdown,
	.unsent = dgram_unsent,
	.free = dgram_free,
};

int dgram_stream_new(struct loop *loop, const struct dgram_handler *handler, void *arg,
		     struct stream **ret_stream, struct err *e)
{
	struct dgram *d = calloc(1, sizeof(*d));

	if (!d)
		return err_set(e, ERR_NOMEM, "flow of datagrams");
	d->stream.ops = &dgram_ops;
	d->stream.loop = loop;
	d->handler = handler;
	d->arg = arg;
	buf_init(&d->queue, DGRAM_QUEUE_MAX);
	buf_init(&d->joined, CAPSULE_DATAGRAM_MAX);
	capsule_decoder_init(&d->decoder);
	defer_init(&d->tell, loop, on_tell, d);
	*ret_stream = &d->stream;
	return 0;
}

uint64_t dgram_stream_dropped(const struct stream *s)
{
	return dgram_of(s)->dropped;
}
