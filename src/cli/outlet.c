#include "cli/outlet.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"

#define LAST_WORDS_MS 100 /* for a reader who is slow, not gone */

struct outlet {
	int fd;		     /* borrowed, or our own */
	bool own;	     /* fd is closed at the end */
	struct watch *watch; /* owned; NULL: a file, which always takes everything */
	struct buf waiting;  /* owned */
	unsigned left_out;   /* lines, since the last one that was taken */
	bool broken;	     /* nobody will read it any more */
	void (*left_out_line)(char *line, size_t size, unsigned n);
};

static bool writable(const struct outlet *o, int timeout_ms)
{
	struct pollfd p = {.fd = o->fd, .events = POLLOUT};

	return !o->watch || poll(&p, 1, timeout_ms) > 0;
}

/* What poll calls writable takes PIPE_BUF bytes without waiting (pipe(7)). */
static bool write_piece(struct outlet *o, int timeout_ms)
{
	ssize_t n = -1;

	if (!writable(o, timeout_ms))
		return false;
	do
		n = write(o->fd, buf_head(&o->waiting), MIN(buf_len(&o->waiting), PIPE_BUF));
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno != EAGAIN)
		o->broken = true;
	if (n > 0)
		buf_consume(&o->waiting, (size_t)n);
	return n > 0;
}

static void flush(struct outlet *o, int timeout_ms)
{
	while (!o->broken && buf_len(&o->waiting) && write_piece(o, timeout_ms))
		;
	buf_release_if_empty(&o->waiting);
}

static void tell_left_out(struct outlet *o)
{
	char line[128];

	if (!o->left_out)
		return;
	o->left_out_line(line, sizeof(line), o->left_out);
	if (buf_append(&o->waiting, line, strlen(line)) == 0)
		o->left_out = 0;
}

static void on_watch(void *arg, unsigned events)
{
	struct outlet *o = arg;

	flush(o, 0);
	if (buf_len(&o->waiting) < OUTLET_MAX / 2)
		tell_left_out(o);
	flush(o, 0);
}

static unsigned count_lines(const char *text, size_t len)
{
	unsigned n = 0;

	for (size_t i = 0; i < len; i++)
		n += text[i] == '\n';
	return n;
}

void outlet_write(struct outlet *o, const char *text, size_t len)
{
	if (o->broken)
		return;
	if (o->left_out || buf_append(&o->waiting, text, len) < 0)
		o->left_out += count_lines(text, len);
	flush(o, 0);
}

/*
 * The same file opened once more is ours alone: there O_NONBLOCK disturbs nobody. Not all can be
 * (sockets, another user's terminal).
 */
static int open_own(int fd)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

int outlet_new(struct loop *loop, int fd, void (*left_out)(char *line, size_t size, unsigned n),
	       struct outlet **ret_outlet, struct err *e)
{
	struct outlet *o = calloc(1, sizeof(*o));

	if (!o)
		return err_set(e, ERR_NOMEM, "output");
	o->fd = fd;
	o->left_out_line = left_out;
	buf_init(&o->waiting, OUTLET_MAX);
	if (watch_edge(loop, fd, on_watch, o, &o->watch, NULL) == 0) {
		int own = open_own(fd);

		if (own >= 0) {
			watch_free(TAKE(o->watch));
			o->fd = own;
			o->own = true;
		}
		if (own >= 0 && watch_edge(loop, own, on_watch, o, &o->watch, e) < 0) {
			outlet_free(o);
			return -ERR_FAILED;
		}
	}
	*ret_outlet = o;
	return 0;
}

void outlet_free(struct outlet *o)
{
	if (!o)
		return;
	flush(o, LAST_WORDS_MS);
	tell_left_out(o);
	flush(o, 0);
	watch_free(o->watch);
	if (o->own)
		close(o->fd);
	buf_done(&o->waiting);
	free(o);
}
