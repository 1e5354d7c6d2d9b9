/* The other side of a stream in a test: sends what it is given, collects what comes. */
#pragma once

#include <string.h>

#include "net/mem.h"

struct peer {
	struct loop *loop;
	struct stream *s;
	struct buf to_send;
	struct buf got;
	bool eof, reset; /* how receiving ended */
	bool deaf;	 /* does not read */
	bool ends;	 /* half-close behind what is to be sent */
};

static inline void peer_run(struct peer *p)
{
	uint8_t bytes[4096];
	ssize_t n;

	while (p->s && buf_len(&p->to_send) > 0) {
		n = stream_write(p->s, buf_head(&p->to_send), buf_len(&p->to_send), NULL);
		if (n < 0)
			break;
		buf_consume(&p->to_send, (size_t)n);
	}
	if (p->s && p->ends && buf_len(&p->to_send) == 0 && stream_shutdown(p->s, NULL) == 0)
		p->ends = false;
	while (p->s && !p->deaf && !p->eof && !p->reset) {
		n = stream_read(p->s, bytes, sizeof(bytes), NULL);
		if (n > 0)
			assert_int_equal(buf_append(&p->got, bytes, (size_t)n), 0);
		else if (n == -ERR_AGAIN)
			break;
		p->eof = n == 0;
		p->reset = n < 0;
	}
}

static inline void peer_on_ready(void *arg, unsigned events)
{
	peer_run(arg);
}

static inline void peer_init(struct peer *p, struct loop *loop, struct stream *s)
{
	*p = (struct peer){.loop = loop, .s = s};
	stream_set_handler(s, peer_on_ready, p);
}

static inline void peer_done(struct peer *p)
{
	stream_close(p->s);
	p->s = NULL;
	buf_done(&p->to_send);
	buf_done(&p->got);
}

static inline void peer_reset(struct peer *p)
{
	stream_reset(p->s);
	p->s = NULL;
}

static inline void peer_send_n(struct peer *p, const void *bytes, size_t n)
{
	assert_int_equal(buf_append(&p->to_send, bytes, n), 0);
	peer_run(p);
}

static inline void peer_send(struct peer *p, const char *text)
{
	peer_send_n(p, text, strlen(text));
}

/* What came so far, as text, without its Date fields. Valid until the next call. */
static inline const char *peer_got(struct peer *p)
{
	char *text, *date;

	assert_int_equal(buf_append(&p->got, "", 1), 0);
	p->got.tail--;
	text = (char *)buf_head(&p->got);
	while ((date = strstr(text, "\r\nDate: "))) {
		char *end = strstr(date + 2, "\r\n");
		size_t cut = (size_t)(end - date);

		memmove(date, end, (size_t)((char *)p->got.bytes + p->got.tail + 1 - end));
		p->got.tail -= cut;
	}
	return text;
}

static inline void peer_forget(struct peer *p)
{
	buf_consume(&p->got, buf_len(&p->got));
}
