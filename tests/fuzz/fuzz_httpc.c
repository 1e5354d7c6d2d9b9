/*
 * What a server on loopback answers, through libcurl. The first byte chooses the request's method
 * and limits; the rest is the answer, and then he closes.
 */
#include "fuzz.h"

#include <assert.h>

#include "net/httpc.h"
#include "net/sock.h"

#define BODY_MAX 2000
#define HEAD_MAX 1000

struct fuzz {
	struct loop *loop;
	struct httpc *httpc;
	struct sock_listener *listener;
	struct stream *visitor; /* NULL: gone */
	struct str answer;
	int told;
};

static void visitor_close(struct fuzz *f)
{
	stream_close(f->visitor);
	f->visitor = NULL;
}

/* His request is one small segment. */
static void on_ready(void *arg, unsigned events)
{
	struct fuzz *f = arg;
	char request[4096];
	ssize_t n = stream_read(f->visitor, request, sizeof(request), NULL);

	if (n == -ERR_AGAIN)
		return;
	if (n > 0) {
		n = stream_write(f->visitor, f->answer.at, f->answer.len, NULL);
		(void)n; /* what does not fit is cut off */
	}
	visitor_close(f);
}

static void on_accept(void *arg, int fd, const struct ipaddr *peer)
{
	struct fuzz *f = arg;

	if (sock_stream_new(f->loop, fd, &f->visitor, NULL) < 0)
		abort();
	stream_set_handler(f->visitor, on_ready, f);
	on_ready(f, STREAM_READABLE);
}

static void check_header(const struct httpc_answer *answer, const char *name)
{
	struct str value = httpc_answer_header(answer, name);

	assert(!value.at || (value.at >= answer->head.at &&
			     value.at + value.len <= answer->head.at + answer->head.len));
	assert(!memchr(value.at ? value.at : "", '\n', value.len));
}

static void on_done(void *arg, const struct httpc_answer *answer)
{
	struct fuzz *f = arg;

	f->told++;
	assert(answer->r <= 0 && answer->r != -ERR_TIMEOUT && answer->err.code == -answer->r);
	assert(answer->body.len <= BODY_MAX && answer->head.len <= HEAD_MAX);
	assert(answer->r == 0 || answer->body.len == 0);
	assert(answer->r < 0 || answer->status >= 100);
	check_header(answer, "Location");
	check_header(answer, "");
	loop_stop(f->loop);
}

static struct fuzz *fuzz_new(void)
{
	static struct fuzz f;
	struct sock_addr at = {.ip = {.family = 4, .bytes = {127, 0, 0, 1}}};

	if (!f.loop && (loop_new(&f.loop, NULL) < 0 || httpc_new(f.loop, &f.httpc, NULL) < 0 ||
			sock_listen(f.loop, &at, 0, on_accept, &f, &f.listener, NULL) < 0))
		abort();
	return &f;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct fuzz *f = fuzz_new();
	const struct ipaddr *at = &sock_listener_addr(f->listener)->ip;
	uint8_t kind = len ? bytes[0] : 0;
	struct httpc_request request = {
		.url = "http://router.example/",
		.peer = at,
		.method = kind & 1   ? "HEAD"
			  : kind & 2 ? "POST"
				     : "GET",
		.body_max = kind & 4 ? 10 : BODY_MAX,
		.head_max = kind & 8 ? 100 : HEAD_MAX,
	};

	f->answer = len ? str_n((const char *)bytes + 1, len - 1) : (struct str){0};
	f->told = 0;
	if (httpc_start(f->httpc, &request, on_done, f, NULL, NULL) < 0)
		abort();
	loop_run(f->loop);
	assert(f->told == 1);
	if (f->visitor)
		visitor_close(f);
	return 0;
}
