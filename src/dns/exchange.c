#include "dns/exchange.h"

#include "base/cleanup.h"
#include "base/secret.h"

#define LENGTH 2 /* in front of each message */

struct dns_exchange {
	struct loop *loop;	      /* borrowed */
	struct sock_connect *connect; /* owned; NULL: done */
	struct stream *stream;	      /* owned; NULL: not yet */
	struct timer timer;
	struct buf out, in;
	bool sent;	  /* a byte of ours has left */
	unsigned refused; /* messages that on_answer did not want */
	dns_exchange_fn *on_answer;
	void *arg;
};

static void exchange_free(struct dns_exchange *x)
{
	sock_connect_cancel(x->connect);
	stream_close(x->stream);
	timer_stop(&x->timer);
	buf_done(&x->out);
	buf_done(&x->in);
	free(x);
}

static void fail(struct dns_exchange *x, int r, const struct err *e)
{
	x->on_answer(x->arg, r, (struct str){0}, x->sent, e);
	exchange_free(x);
}

static void on_timeout(void *arg)
{
	struct err e = {0};

	fail(arg, err_set(&e, ERR_TIMEOUT, "no answer of the name server within 10 s"), &e);
}

/* The messages that are there whole. False: the exchange is over. */
static bool take_messages(struct dns_exchange *x)
{
	for (;;) {
		const uint8_t *at = buf_head(&x->in);
		struct err e = {0};
		size_t len;

		if (buf_len(&x->in) < LENGTH)
			return true;
		len = (size_t)at[0] << 8 | at[1];
		if (buf_len(&x->in) < LENGTH + len)
			return true;
		if (x->on_answer(x->arg, 0, str_n((const char *)at + LENGTH, len), true, NULL)) {
			exchange_free(x);
			return false;
		}
		buf_consume(&x->in, LENGTH + len);
		if (++x->refused == DNS_EXCHANGE_MESSAGES_MAX) {
			fail(x, err_set(&e, ERR_INVALID, "the name server talks nonsense"), &e);
			return false;
		}
	}
}

/* False: the exchange is over. */
static bool receive(struct dns_exchange *x)
{
	for (;;) {
		uint8_t *to = buf_reserve(&x->in, 4096);
		struct err e = {0};
		ssize_t n;

		if (!to) {
			fail(x, err_set(&e, ERR_NOMEM, "answer"), &e);
			return false;
		}
		n = stream_read(x->stream, to, 4096, &e);
		if (n == -ERR_AGAIN)
			return true;
		if (n <= 0) {
			fail(x,
			     n < 0 ? (int)n
				   : err_set(&e, ERR_RESET,
					     "the name server hung up without an answer"),
			     &e);
			return false;
		}
		buf_commit(&x->in, (size_t)n);
		if (!take_messages(x))
			return false;
		if (n < 4096)
			return true;
	}
}

static void transmit(struct dns_exchange *x)
{
	struct err e = {0};
	ssize_t n;

	if (!buf_len(&x->out))
		return;
	n = stream_write(x->stream, buf_head(&x->out), buf_len(&x->out), &e);
	if (n > 0) {
		x->sent = true;
		buf_consume(&x->out, (size_t)n);
	}
	/* what is broken for writing is told by the next read */
}

static void on_ready(void *arg, unsigned events)
{
	struct dns_exchange *x = arg;

	if (events & STREAM_WRITABLE)
		transmit(x);
	if (events & STREAM_READABLE)
		receive(x);
}

static void on_connect(void *arg, int r, struct stream *s, const struct err *e)
{
	struct dns_exchange *x = arg;

	x->connect = NULL;
	if (r < 0) {
		fail(x, r, e);
		return;
	}
	x->stream = s;
	stream_set_handler(s, on_ready, x);
	transmit(x);
	receive(x);
}

int dns_exchange_start(struct loop *loop, const struct sock_addr *server, struct str message,
		       dns_exchange_fn *on_answer, void *arg, struct dns_exchange **ret_exchange,
		       struct err *e)
{
	uint8_t length[LENGTH] = {(uint8_t)(message.len >> 8), (uint8_t)message.len};
	struct dns_exchange *x;
	int r;

	if (message.len > UINT16_MAX)
		return err_set(e, ERR_LIMIT, "the message is too long");
	x = calloc(1, sizeof(*x));
	if (!x)
		return err_set(e, ERR_NOMEM, "exchange");
	x->loop = loop;
	x->on_answer = on_answer;
	x->arg = arg;
	x->in.max = 2 * (LENGTH + UINT16_MAX);
	timer_init(&x->timer, loop, on_timeout, x);
	r = buf_append(&x->out, length, LENGTH);
	if (r == 0)
		r = buf_append_str(&x->out, message);
	if (r < 0)
		r = err_set(e, ERR_NOMEM, "exchange");
	else
		r = sock_connect_start(loop, server, DNS_EXCHANGE_TIMEOUT, on_connect, x,
				       &x->connect, e);
	if (r < 0) {
		exchange_free(x);
		return r;
	}
	timer_start(&x->timer, DNS_EXCHANGE_TIMEOUT);
	*ret_exchange = x;
	return 0;
}

void dns_exchange_cancel(struct dns_exchange *x)
{
	if (x)
		exchange_free(x);
}
