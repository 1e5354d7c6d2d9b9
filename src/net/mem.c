#include "net/mem.h"

#include <assert.h>

/* A run of bytes that is still under way. */
struct mem_mark {
	usec_t at; /* when they arrive */
	size_t len;
};

/*
 * One direction. What its writer does reaches the reader at a time (…_at): 0 it has not been done,
 * USEC_MAX it never arrives. Times never go back, so that everything stays in order.
 */
struct mem_way {
	struct buf bytes; /* in order: `arrived` of them can be read, the rest is under way */
	struct buf marks; /* struct mem_mark each, for the bytes under way */
	size_t arrived;
	usec_t last_at;	  /* the latest arrival so far */
	usec_t shut_at;	  /* the end of the bytes */
	usec_t closed_at; /* the writer is gone, and reads no more */
	usec_t reset_at;
	struct timer timer; /* the next arrival */
};

struct mem_end {
	struct stream stream;
	struct mem_pair *pair; /* borrowed: holds this end */
	unsigned side;	       /* 0 or 1; writes to ways[side], reads from ways[!side] */
	struct defer tell;
	bool want_readable, want_writable; /* a read or write was short */
	bool at_end; /* the end was read: only a reset can follow, and is told */
	bool closed;
};

struct mem_pair {
	struct mem_end ends[2];
	struct mem_way ways[2];
	size_t max; /* bytes a way holds */
	usec_t delay;
	bool cut;
};

static struct mem_end *mem_end_of(const struct stream *s)
{
	return container_of(s, struct mem_end, stream);
}

static struct mem_way *mem_out(const struct mem_end *end)
{
	return &end->pair->ways[end->side];
}

static struct mem_way *mem_in(const struct mem_end *end)
{
	return &end->pair->ways[!end->side];
}

static struct mem_end *mem_peer(const struct mem_end *end)
{
	return &end->pair->ends[!end->side];
}

/* ── arrivals ── */

static bool way_seen(const struct mem_way *way, usec_t at)
{
	return at && at <= loop_now(way->timer.loop);
}

/* When something that is done now arrives. */
static usec_t way_arrival(struct mem_pair *pair, struct mem_way *way)
{
	if (pair->cut)
		return USEC_MAX;
	way->last_at = MAX(way->last_at, loop_now(way->timer.loop) + pair->delay);
	return way->last_at;
}

static void way_drop(struct mem_way *way)
{
	buf_done(&way->bytes);
	buf_done(&way->marks);
	way->arrived = 0;
}

static struct mem_mark *way_first_mark(struct mem_way *way)
{
	return buf_len(&way->marks) ? (struct mem_mark *)(void *)buf_head(&way->marks) : NULL;
}

/* The bytes that are due become readable. */
static void way_settle(struct mem_way *way)
{
	struct mem_mark *mark;

	if (way_seen(way, way->reset_at))
		way_drop(way);
	while ((mark = way_first_mark(way)) && way_seen(way, mark->at)) {
		way->arrived += mark->len;
		buf_consume(&way->marks, sizeof(*mark));
	}
	buf_release_if_empty(&way->marks);
}

/* Set the timer to the next arrival, if there is one to come. */
static void way_schedule(struct mem_way *way)
{
	struct mem_mark *mark = way_first_mark(way);
	usec_t at[] = {mark ? mark->at : 0, way->shut_at, way->closed_at, way->reset_at};
	usec_t now = loop_now(way->timer.loop), next = USEC_MAX;

	for (size_t i = 0; i < ARRAY_LEN(at); i++)
		if (at[i] > now)
			next = MIN(next, at[i]);
	if (next < USEC_MAX)
		timer_start_at(&way->timer, next);
	else
		timer_stop(&way->timer);
}

/* Bytes were appended that arrive at `at`. False without memory. */
static bool way_mark(struct mem_way *way, size_t len, usec_t at)
{
	struct mem_mark mark = {.at = at, .len = len};
	struct mem_mark *last;

	if (at == USEC_MAX)
		return true;
	if (buf_len(&way->marks) == 0 && way_seen(way, at)) {
		way->arrived += len;
		return true;
	}
	if (buf_len(&way->marks)) {
		last = (struct mem_mark *)(void *)(way->marks.bytes + way->marks.tail) - 1;
		if (last->at == at) {
			last->len += len;
			return true;
		}
	}
	return buf_append(&way->marks, &mark, sizeof(mark)) == 0;
}

/* ── events ── */

static bool mem_can_read(struct mem_end *end)
{
	struct mem_way *in = mem_in(end);

	way_settle(in);
	return in->arrived || way_seen(in, in->shut_at) || way_seen(in, in->reset_at);
}

/* Writing fails at once: the other side is gone. */
static bool mem_broken(struct mem_end *end)
{
	struct mem_way *in = mem_in(end);

	return way_seen(in, in->closed_at) || way_seen(in, in->reset_at);
}

static bool mem_can_write(struct mem_end *end)
{
	if (mem_broken(end))
		return true;
	/* Over a cut line nobody hears that there is room again. */
	return !end->pair->cut && buf_len(&mem_out(end)->bytes) < end->pair->max;
}

static bool mem_reset_behind_end(struct mem_end *end)
{
	return end->at_end && way_seen(mem_in(end), mem_in(end)->reset_at);
}

/* Tell the user of this end what he waits for, if it is there: at the end of the turn. */
static void mem_wake(struct mem_end *end)
{
	if (end->closed)
		return;
	if ((end->want_readable && mem_can_read(end)) || mem_reset_behind_end(end) ||
	    (end->want_writable && mem_can_write(end)))
		defer_call(&end->tell);
}

static void mem_on_tell(void *arg)
{
	struct mem_end *end = arg;
	unsigned events = 0;

	if ((end->want_readable && mem_can_read(end)) || mem_reset_behind_end(end))
		events |= STREAM_READABLE;
	if (end->want_writable && mem_can_write(end))
		events |= STREAM_WRITABLE;
	if (events & STREAM_READABLE)
		end->want_readable = end->at_end = false;
	if (events & STREAM_WRITABLE)
		end->want_writable = false;
	if (events && end->stream.on_ready)
		end->stream.on_ready(end->stream.arg, events);
}

/* Something arrived at this end. */
static void mem_on_arrival(void *arg)
{
	struct mem_end *end = arg;

	way_settle(mem_in(end));
	way_schedule(mem_in(end));
	mem_wake(end);
}

/* ── the stream ── */

static ssize_t mem_read(struct stream *s, void *bytes, size_t len, struct err *e)
{
	struct mem_end *end = mem_end_of(s);
	struct mem_way *in = mem_in(end);
	size_t n;

	way_settle(in);
	if (way_seen(in, in->reset_at))
		return err_set(e, ERR_RESET, "receive: reset by the other side");
	n = MIN(in->arrived, len);
	if (n == 0 && way_seen(in, in->shut_at)) {
		end->at_end = true;
		return 0;
	}
	end->want_readable = n < len;
	if (n == 0)
		return -ERR_AGAIN;
	memcpy(bytes, buf_head(&in->bytes), n);
	buf_consume(&in->bytes, n);
	buf_release_if_empty(&in->bytes);
	in->arrived -= n;
	mem_wake(end); /* the end may be there already */
	mem_wake(mem_peer(end));
	return (ssize_t)n;
}

static ssize_t mem_write(struct stream *s, const void *bytes, size_t len, struct err *e)
{
	struct mem_end *end = mem_end_of(s);
	struct mem_way *out = mem_out(end);
	size_t n = MIN(len, end->pair->max - buf_len(&out->bytes));

	if (mem_broken(end) || out->shut_at)
		return err_set(e, ERR_RESET, "send: %s",
			       out->shut_at ? "after the end" : "the other side is gone");
	end->want_writable = n < len;
	if (n == 0)
		return len ? -ERR_AGAIN : 0;
	if (buf_append(&out->bytes, bytes, n) < 0)
		return err_set(e, ERR_NOMEM, "send");
	if (!way_mark(out, n, way_arrival(end->pair, out))) {
		out->bytes.tail -= n;
		return err_set(e, ERR_NOMEM, "send");
	}
	way_schedule(out);
	mem_wake(mem_peer(end));
	return (ssize_t)n;
}

static int mem_shutdown(struct stream *s, struct err *e)
{
	struct mem_end *end = mem_end_of(s);
	struct mem_way *out = mem_out(end);

	if (out->shut_at)
		return 0;
	out->shut_at = way_arrival(end->pair, out);
	way_schedule(out);
	mem_wake(mem_peer(end));
	return 0;
}

static size_t mem_unsent(struct stream *s)
{
	return buf_len(&mem_out(mem_end_of(s))->bytes);
}

static void mem_pair_free(struct mem_pair *pair)
{
	for (int i = 0; i < 2; i++) {
		timer_stop(&pair->ways[i].timer);
		way_drop(&pair->ways[i]);
	}
	free(pair);
}

static void mem_free(struct stream *s, bool reset)
{
	struct mem_end *end = mem_end_of(s);
	struct mem_way *out = mem_out(end);

	end->closed = true;
	defer_cancel(&end->tell);
	if (mem_peer(end)->closed) {
		mem_pair_free(end->pair);
		return;
	}
	if (reset) {
		out->reset_at = way_arrival(end->pair, out);
	} else {
		out->closed_at = way_arrival(end->pair, out);
		if (!out->shut_at)
			out->shut_at = out->closed_at;
	}
	way_drop(mem_in(end)); /* nobody reads it any more */
	way_settle(out);
	way_schedule(out);
	mem_wake(mem_peer(end));
}

static const struct stream_ops mem_ops = {
	.name = "memory",
	.read = mem_read,
	.write = mem_write,
	.shutdown = mem_shutdown,
	.unsent = mem_unsent,
	.free = mem_free,
};

int mem_pair_new(struct loop *loop, size_t buffer_max, struct stream **ret_a, struct stream **ret_b,
		 struct err *e)
{
	struct mem_pair *pair = calloc(1, sizeof(*pair));

	if (!pair)
		return err_set(e, ERR_NOMEM, "connection");
	pair->max = buffer_max ? buffer_max : MEM_BUFFER_MAX;
	for (unsigned i = 0; i < 2; i++) {
		struct mem_end *end = &pair->ends[i];

		end->stream.ops = &mem_ops;
		end->stream.loop = loop;
		end->pair = pair;
		end->side = i;
		defer_init(&end->tell, loop, mem_on_tell, end);
		timer_init(&mem_in(end)->timer, loop, mem_on_arrival, end);
	}
	*ret_a = &pair->ends[0].stream;
	*ret_b = &pair->ends[1].stream;
	return 0;
}

/* ── for tests ── */

static struct mem_pair *mem_pair_of(struct stream *end)
{
	assert(end->ops == &mem_ops);
	return mem_end_of(end)->pair;
}

static void way_cut(struct mem_way *way)
{
	usec_t *at[] = {&way->shut_at, &way->closed_at, &way->reset_at};

	way_settle(way);
	buf_done(&way->marks); /* what is under way stays there for ever */
	for (size_t i = 0; i < ARRAY_LEN(at); i++)
		if (*at[i] && !way_seen(way, *at[i]))
			*at[i] = USEC_MAX;
	timer_stop(&way->timer);
}

void mem_pair_cut(struct stream *end)
{
	struct mem_pair *pair = mem_pair_of(end);

	pair->cut = true;
	way_cut(&pair->ways[0]);
	way_cut(&pair->ways[1]);
}

void mem_pair_set_delay(struct stream *end, usec_t delay)
{
	mem_pair_of(end)->delay = delay;
}
