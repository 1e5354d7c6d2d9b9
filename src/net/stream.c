#include "net/stream.h"

#include <assert.h>
#include <string.h>

void stream_set_handler(struct stream *s, void (*on_ready)(void *arg, unsigned events), void *arg)
{
	s->on_ready = on_ready;
	s->arg = arg;
}

static void stream_on_again(void *arg)
{
	struct stream *s = arg;

	if (s->on_ready)
		s->on_ready(s->arg, STREAM_READABLE);
}

void stream_tell_again(struct stream *s)
{
	uint64_t turn = s->again.turn;

	defer_cancel(&s->again);
	defer_init(&s->again, s->loop, stream_on_again, s);
	s->again.turn = turn;
	defer_call(&s->again);
}

/* The bytes that were given back do not fill the read: what waits below comes with them. */
static ssize_t stream_read_joined(struct stream *s, uint8_t *bytes, size_t len)
{
	size_t back = buf_len(&s->pushback);
	ssize_t n;

	memcpy(bytes, buf_head(&s->pushback), back);
	buf_done(&s->pushback);
	n = s->ops->read(s, bytes + back, len - back, NULL);
	if (n == 0 || (n < 0 && n != -ERR_AGAIN)) {
		/* The end or an error was found, and the user waits for on_ready after this short
		 * read: he finds it again. */
		stream_tell_again(s);
	}
	return n > 0 ? (ssize_t)back + n : (ssize_t)back;
}

ssize_t stream_read(struct stream *s, void *bytes, size_t len, struct err *e)
{
	size_t back = buf_len(&s->pushback);

	if (back == 0)
		return s->ops->read(s, bytes, len, e);
	if (back < len)
		return stream_read_joined(s, bytes, len);
	memcpy(bytes, buf_head(&s->pushback), len);
	buf_consume(&s->pushback, len);
	buf_release_if_empty(&s->pushback);
	return (ssize_t)len;
}

ssize_t stream_write(struct stream *s, const void *bytes, size_t len, struct err *e)
{
	return s->ops->write(s, bytes, len, e);
}

int stream_shutdown(struct stream *s, struct err *e)
{
	return s->ops->shutdown(s, e);
}

int stream_unread(struct stream *s, const void *bytes, size_t len)
{
	size_t old = buf_len(&s->pushback);
	struct buf joined;
	int r;

	if (len == 0)
		return 0;
	buf_init(&joined, STREAM_PUSHBACK_MAX);
	r = buf_append(&joined, bytes, len);
	if (r == 0 && old)
		r = buf_append(&joined, buf_head(&s->pushback), old);
	if (r < 0) {
		buf_done(&joined);
		return r;
	}
	buf_done(&s->pushback);
	s->pushback = joined;
	return 0;
}

size_t stream_unsent(struct stream *s)
{
	return s->ops->unsent(s);
}

static void stream_end(struct stream *s, bool reset)
{
	if (!s)
		return;
	buf_done(&s->pushback);
	defer_cancel(&s->again);
	s->ops->free(s, reset);
}

void stream_close(struct stream *s)
{
	stream_end(s, false);
}

void stream_reset(struct stream *s)
{
	stream_end(s, true);
}

void stream_detach(struct stream *s)
{
	assert(s->ops->detach);
	s->on_ready = NULL;
	defer_cancel(&s->again);
	s->ops->detach(s);
	s->loop = NULL;
}

int stream_attach(struct stream *s, struct loop *loop, struct err *e)
{
	s->loop = loop;
	return s->ops->attach(s, loop, e);
}
