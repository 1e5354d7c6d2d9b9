#include "front/linger.h"

struct conn {
	struct front_linger *linger; /* borrowed */
	struct list node;
	struct stream *stream; /* owned */
	struct ipaddr peer;
	struct buf word; /* what is not sent yet */
	usec_t deadline;
	size_t drained;
	bool ended; /* he will send no more */
};

static void conn_end(struct conn *conn)
{
	struct front_linger *l = conn->linger;
	struct ipaddr peer = conn->peer;

	list_remove(&conn->node);
	l->n--;
	stream_close(conn->stream);
	buf_done(&conn->word);
	free(conn);
	l->on_gone(l->arg, &peer);
}

/* 0: all is sent, and our side ended; -ERR_AGAIN: on_ready follows. */
static int conn_send(struct conn *conn)
{
	size_t len = buf_len(&conn->word);
	ssize_t n;

	if (len == 0)
		return stream_shutdown(conn->stream, NULL);
	n = stream_write(conn->stream, buf_head(&conn->word), len, NULL);
	if (n < 0)
		return (int)n;
	buf_consume(&conn->word, (size_t)n);
	if ((size_t)n < len)
		return -ERR_AGAIN;
	buf_done(&conn->word);
	return stream_shutdown(conn->stream, NULL);
}

/* 0: he will send no more; -ERR_AGAIN: on_ready follows. */
static int conn_drain(struct conn *conn)
{
	uint8_t *scratch = loop_scratch(conn->linger->loop, LOOP_SCRATCH_COPY);

	while (!conn->ended) {
		ssize_t n = stream_read(conn->stream, scratch, LOOP_SCRATCH_LEN, NULL);

		if (n < 0)
			return (int)n;
		conn->ended = n == 0;
		conn->drained += (size_t)n;
		if (conn->drained > FRONT_LINGER_DRAIN_MAX)
			return -ERR_LIMIT;
		if (n > 0 && (size_t)n < LOOP_SCRATCH_LEN)
			return -ERR_AGAIN;
	}
	return 0;
}

static void conn_step(struct conn *conn)
{
	int sent = conn_send(conn);
	int drained = conn_drain(conn);
	bool broken = (sent < 0 && sent != -ERR_AGAIN) || (drained < 0 && drained != -ERR_AGAIN);

	if (broken || (sent == 0 && drained == 0))
		conn_end(conn);
}

static void conn_on_ready(void *arg, unsigned events)
{
	conn_step(arg);
}

static struct conn *oldest(struct front_linger *l)
{
	return list_empty(&l->conns) ? NULL : list_entry(l->conns.next, struct conn, node);
}

static void on_timer(void *arg)
{
	struct front_linger *l = arg;
	struct conn *conn;

	while ((conn = oldest(l)) && conn->deadline <= loop_now(l->loop))
		conn_end(conn);
	if (conn)
		timer_start_at(&l->timer, conn->deadline);
}

void front_linger_init(struct front_linger *l, struct loop *loop,
		       void (*on_gone)(void *arg, const struct ipaddr *peer), void *arg)
{
	*l = (struct front_linger){.loop = loop, .on_gone = on_gone, .arg = arg};
	list_init(&l->conns);
	timer_init(&l->timer, loop, on_timer, l);
}

void front_linger_done(struct front_linger *l)
{
	struct conn *conn;

	while ((conn = oldest(l)))
		conn_end(conn);
	timer_stop(&l->timer);
}

void front_linger_add(struct front_linger *l, struct stream *stream, const struct ipaddr *peer,
		      struct buf *word)
{
	struct conn *conn = calloc(1, sizeof(*conn));

	if (!conn) {
		stream_close(stream);
		buf_done(word);
		l->on_gone(l->arg, peer);
		return;
	}
	if (l->n >= FRONT_LINGER_MAX)
		conn_end(oldest(l));
	conn->linger = l;
	conn->stream = stream;
	conn->peer = *peer;
	conn->word = *word;
	buf_init(word, word->max);
	conn->deadline = loop_now(l->loop) + FRONT_LINGER_TIMEOUT;
	list_push(&l->conns, &conn->node);
	l->n++;
	if (!timer_running(&l->timer))
		timer_start_at(&l->timer, conn->deadline);
	stream_set_handler(stream, conn_on_ready, conn);
	conn_step(conn);
}
