/*
 * A flow: a socket connected to the local server, and a stream of capsules (net/dgram.h).
 *
 *	OPEN ── the stream's user closes it ──▶ reported, gone
 *	  └──── the service goes ─────────────▶ gone; the user finds the stream's end
 *
 * How long a flow may be idle, and how many there are, is the gateway's to say; here each costs a
 * descriptor, and a link has no more than its number of streams.
 */
#include "edge/udp.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "net/dgram.h"
#include "net/fdlimit.h"
#include "net/pump.h"
#include "net/udp.h"

struct flow {
	struct edge_visit visit; /* first */
	struct loop *loop;	 /* borrowed */
	int fd;			 /* owned; -1: closed */
	unsigned batch;		 /* how many datagrams to take in a turn */
	struct watch *watch;	 /* owned */
	struct stream *capsules; /* borrowed: its user's; NULL: closed */
	struct pump *pump;	 /* owned; served */
	bool served;
	struct ipaddr visitor;
	usec_t started, started_wall;
	uint64_t bytes_in, bytes_out;
	bool refused; /* the last that was heard: nobody listens */
};

static void report(struct flow *f)
{
	char note[160];
	struct edge_request request = {
		.visitor = f->visitor,
		.bytes_in = f->bytes_in,
		.bytes_out = f->bytes_out,
		.started_wall = f->started_wall,
		.duration = loop_now(f->loop) - f->started,
		.note = f->refused ? note : NULL,
	};

	if (!f->visit.service)
		return;
	snprintf(note, sizeof(note), "nothing listens on %s (UDP)", f->visit.service->to_text);
	edge_service_report(f->visit.service, &request);
}

static void socket_close(struct flow *f)
{
	watch_free(TAKE(f->watch));
	if (f->fd >= 0)
		close(f->fd);
	f->fd = -1;
}

static void flow_free(struct flow *f)
{
	edge_visit_leave(&f->visit);
	socket_close(f);
	pump_free(f->pump);
	if (f->capsules)
		dgram_stream_end(f->capsules);
	free(f);
}

/* ── datagrams ── */

static void on_send(void *arg, const struct iovec *list, unsigned n)
{
	struct flow *f = arg;

	if (f->fd < 0)
		return;
	for (unsigned i = 0; i < n; i++)
		f->bytes_in += list[i].iov_len;
	udp_send(f->fd, NULL, NULL, list, n); /* what finds no room is lost, as on any way */
}

static void on_closed(void *arg)
{
	struct flow *f = arg;

	f->capsules = NULL;
	report(f);
	if (f->served)
		socket_close(f); /* the pump tells that it is over in a moment */
	else
		flow_free(f);
}

static const struct dgram_handler handler = {.send = on_send, .closed = on_closed};

/* No more in a turn than the queue holds: at its end the stream's user takes what he can. */
static void on_readable(void *arg, unsigned events)
{
	struct udp_datagram list[UDP_BATCH_MAX];
	struct flow *f = arg;
	int n = udp_receive(f->loop, f->fd, f->batch, list, NULL);

	if (n == -ERR_REFUSED)
		f->refused = true; /* it may listen again tomorrow: the flow stays */
	for (int i = 0; i < n; i++)
		if (dgram_stream_push(f->capsules, list[i].bytes, list[i].len))
			f->bytes_out += list[i].len;
	if (n > 0) {
		f->refused = false;
		f->batch = udp_next_batch(DGRAM_QUEUE_MAX, list, n);
	}
	watch_set(f->watch, WATCH_READ); /* an error has switched it off */
}

/* ── life ── */

static void flow_end(struct edge_visit *visit)
{
	struct flow *f = container_of(visit, struct flow, visit);

	edge_visit_leave(visit);
	flow_free(f);
}

static int flow_connect(struct flow *f, const struct sock_addr *to, struct err *e)
{
	int r = udp_connect(&to->ip, &f->fd, e);

	if (r == 0)
		r = watch_new(f->loop, f->fd, on_readable, f, &f->watch, e);
	if (r == 0)
		watch_set(f->watch, WATCH_READ);
	return r;
}

static int flow_new(struct edge_service *service, const struct edge_visitor *visitor,
		    struct flow **ret, struct err *e)
{
	struct flow *f = calloc(1, sizeof(*f));
	int r;

	if (!f)
		return err_set(e, ERR_NOMEM, "flow");
	f->fd = -1;
	f->batch = UDP_BATCH_MAX;
	f->loop = service->loop;
	f->visitor = visitor->addr;
	f->started = loop_now(service->loop);
	f->started_wall = ustime_wall();
	r = flow_connect(f, &service->to, e);
	if (r == 0 && fdlimit_reserved(f->fd))
		r = err_set(e, ERR_LIMIT, "too many open files for another visitor");
	if (r == 0)
		r = dgram_stream_new(f->loop, &handler, f, &f->capsules, e);
	if (r < 0) {
		flow_free(f);
		return r;
	}
	edge_visit_enter(&f->visit, service, flow_end, NULL);
	*ret = f;
	return 0;
}

int edge_udp_open(struct edge_service *service, const struct edge_visitor *visitor,
		  struct stream **ret_stream, struct err *e)
{
	struct flow *f;
	int r = flow_new(service, visitor, &f, e);

	if (r == 0)
		*ret_stream = f->capsules;
	return r;
}

static void on_pumped(void *arg, const struct pump_ending *ending)
{
	flow_free(arg);
}

int edge_udp_serve(struct edge_service *service, const struct edge_visitor *visitor,
		   struct stream *stream, struct err *e)
{
	struct flow *f;
	int r = flow_new(service, visitor, &f, e);

	if (r < 0) {
		stream_reset(stream);
		return r;
	}
	f->served = true;
	r = pump_new(f->loop, stream, f->capsules, on_pumped, f, &f->pump, e);
	if (r < 0)
		flow_free(f); /* its stream was reset, and said so */
	return r;
}

/* ── is it there? ── */

/* "0100007F:CB1C 00000000:0000": an address as words in our byte order, and the port. */
static bool parse_place(struct str text, struct ipaddr *ret)
{
	size_t words = text.len == 13 ? 1 : text.len == 37 ? 4 : 0;
	unsigned port;

	if (words == 0)
		return false;
	*ret = (struct ipaddr){.family = words == 4 ? 6 : 4};
	for (size_t i = 0; i < words; i++) {
		char digits[9] = "";
		uint32_t word;

		memcpy(digits, text.at + i * 8, 8);
		word = (uint32_t)strtoul(digits, NULL, 16);
		memcpy(ret->bytes + i * 4, &word, 4);
	}
	if (sscanf(text.at + words * 8, ":%4x", &port) != 1)
		return false;
	ret->port = (uint16_t)port;
	return true;
}

/* Whether this line is of a socket that takes what is sent to `at`. */
static bool line_takes(struct str line, const struct ipaddr *at)
{
	struct str local, remote, rest = line;
	struct ipaddr a, b;

	do
		local = str_split(&rest, ' '); /* the number, in front of which are blanks */
	while (local.len == 0 && rest.len);
	local = str_split(&rest, ' ');
	remote = str_split(&rest, ' ');
	if (!parse_place(local, &a) || !parse_place(remote, &b) || a.port != at->port || b.port)
		return false;
	/* A socket on "::" takes IPv4 too, unless it says otherwise, which is not listed. */
	return ipaddr_is_unspecified(&a) || ipaddr_equal(&a, at);
}

static int look_in(const char *path, const struct ipaddr *at)
{
	FILE *file = fopen(path, "re");
	char line[256];
	int r = -ERR_REFUSED;

	if (!file)
		return -ERR_AGAIN;
	while (r != 0 && fgets(line, sizeof(line), file))
		if (line_takes(str_of(line), at))
			r = 0;
	fclose(file);
	return r;
}

int edge_udp_look(const struct ipaddr *at)
{
	int r = -ERR_REFUSED, r6;

	if (!ipaddr_is_loopback(at))
		return -ERR_AGAIN;
	if (at->family == 4)
		r = look_in("/proc/net/udp", at);
	if (r == 0)
		return 0;
	r6 = look_in("/proc/net/udp6", at);
	return r6 == -ERR_AGAIN && at->family == 4 ? r : r6;
}
