#include "net/pump.h"

#define READS_PER_TURN 8 /* then others get their turn */

/* One direction:  OPEN ── end read ──▶ ENDED (kept bytes go out) ── written ──▶ SHUT  */
struct way {
	struct stream *from, *to; /* owned by the pump; NULL: closed */
	struct buf kept;	  /* read, and not taken by `to` */
	uint64_t bytes;		  /* delivered */
	bool drained;		  /* the last read was short: an event follows */
	bool blocked;		  /* the last write was short: an event follows */
	bool ended, shut;
};

struct pump {
	struct loop *loop; /* borrowed */
	struct way ways[2];
	struct defer defer;
	void (*done)(void *arg, const struct pump_ending *ending);
	void *arg;
	bool over, complete;
};

static struct stream *side(struct pump *p, int i)
{
	return p->ways[i].from;
}

static void close_both(struct pump *p, bool reset)
{
	for (int i = 0; i < 2; i++) {
		if (reset)
			stream_reset(side(p, i));
		else
			stream_close(side(p, i));
		buf_done(&p->ways[i].kept);
	}
	for (int i = 0; i < 2; i++)
		p->ways[i].from = p->ways[i].to = NULL;
}

static void finish(struct pump *p, bool complete)
{
	close_both(p, !complete);
	p->complete = complete;
	p->over = true;
	defer_call(&p->defer); /* done */
}

/* Write; what is not taken is kept. Each step returns 0, or a negative error: all is over. */
static int way_write(struct way *w, const uint8_t *bytes, size_t n)
{
	ssize_t taken = stream_write(w->to, bytes, n, NULL);

	if (taken < 0 && taken != -ERR_AGAIN)
		return (int)taken;
	taken = MAX(taken, 0);
	w->bytes += (uint64_t)taken;
	w->blocked = (size_t)taken < n;
	return w->blocked ? buf_append(&w->kept, bytes + taken, n - (size_t)taken) : 0;
}

static int way_write_kept(struct way *w)
{
	ssize_t taken = stream_write(w->to, buf_head(&w->kept), buf_len(&w->kept), NULL);

	if (taken < 0 && taken != -ERR_AGAIN)
		return (int)taken;
	taken = MAX(taken, 0);
	w->bytes += (uint64_t)taken;
	buf_consume(&w->kept, (size_t)taken);
	w->blocked = buf_len(&w->kept) > 0;
	buf_release_if_empty(&w->kept);
	return 0;
}

static int way_read(struct pump *p, struct way *w)
{
	uint8_t *bytes = loop_scratch(p->loop, LOOP_SCRATCH_COPY);
	ssize_t n = stream_read(w->from, bytes, PUMP_KEPT_MAX, NULL);

	w->drained = n < (ssize_t)PUMP_KEPT_MAX;
	w->ended = n == 0;
	if (n == 0 || n == -ERR_AGAIN)
		return 0;
	return n < 0 ? (int)n : way_write(w, bytes, (size_t)n);
}

static int way_shut(struct way *w)
{
	w->shut = true;
	return stream_shutdown(w->to, NULL);
}

/* Move what can be moved. */
static int way_run(struct pump *p, struct way *w)
{
	int r = 0;

	for (int reads = 0; r == 0 && !w->blocked && !w->shut;) {
		if (buf_len(&w->kept) > 0) {
			r = way_write_kept(w);
		} else if (w->ended) {
			r = way_shut(w);
		} else if (w->drained) {
			break;
		} else if (reads++ == READS_PER_TURN) {
			defer_call(&p->defer);
			break;
		} else {
			r = way_read(p, w);
		}
	}
	return r;
}

static void pump_run(struct pump *p)
{
	if (way_run(p, &p->ways[0]) < 0 || way_run(p, &p->ways[1]) < 0)
		finish(p, false);
	else if (p->ways[0].shut && p->ways[1].shut)
		finish(p, true);
}

/* An event of the stream that `reads` comes from and `writes` goes to. */
static void on_ready(struct pump *p, struct way *reads, struct way *writes, unsigned events)
{
	if (p->over)
		return;
	if (events & STREAM_READABLE)
		reads->drained = false;
	if (events & STREAM_WRITABLE)
		writes->blocked = false;
	pump_run(p);
}

static void on_a_ready(void *arg, unsigned events)
{
	struct pump *p = arg;

	on_ready(p, &p->ways[0], &p->ways[1], events);
}

static void on_b_ready(void *arg, unsigned events)
{
	struct pump *p = arg;

	on_ready(p, &p->ways[1], &p->ways[0], events);
}

void pump_count(const struct pump *p, struct pump_ending *ret)
{
	*ret = (struct pump_ending){
		.a_to_b = p->ways[0].bytes,
		.b_to_a = p->ways[1].bytes,
		.complete = p->complete,
	};
}

static void pump_on_defer(void *arg)
{
	struct pump *p = arg;
	struct pump_ending ending;

	if (!p->over) {
		pump_run(p);
		return;
	}
	pump_count(p, &ending);
	p->done(p->arg, &ending);
}

int pump_new(struct loop *loop, struct stream *a, struct stream *b,
	     void (*done)(void *arg, const struct pump_ending *ending), void *arg,
	     struct pump **ret_pump, struct err *e)
{
	struct pump *p = calloc(1, sizeof(*p));

	if (!p) {
		stream_reset(a);
		stream_reset(b);
		return err_set(e, ERR_NOMEM, "connection");
	}
	p->loop = loop;
	p->done = done;
	p->arg = arg;
	p->ways[0] = (struct way){.from = a, .to = b, .kept = {.max = PUMP_KEPT_MAX}};
	p->ways[1] = (struct way){.from = b, .to = a, .kept = {.max = PUMP_KEPT_MAX}};
	defer_init(&p->defer, loop, pump_on_defer, p);
	stream_set_handler(a, on_a_ready, p);
	stream_set_handler(b, on_b_ready, p);
	defer_call(&p->defer); /* nothing says yet what is there */
	*ret_pump = p;
	return 0;
}

void pump_free(struct pump *p)
{
	if (!p)
		return;
	defer_cancel(&p->defer);
	close_both(p, true);
	free(p);
}
