/*
 * A gateway device in a test: answers searches and HTTP requests on an address of its own, as a
 * script says, and keeps what it was asked.
 */
#pragma once

#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ioctl.h>

#include "map/place.h"
#include "net/sock.h"
#include "net/udp.h"
#include "seed.h"

#define DEVICE_VISITS_MAX  256
#define DEVICE_ANSWERS_MAX 8

/* To a search: what it is, and where its description is. */
struct device_answer {
	const char *target, *path;
};

struct device;

struct visit {
	struct device *device;
	struct stream *s; /* owned; NULL: over */
	struct buf got;	  /* the request */
	struct buf answer;
	bool answered;
	bool hangs; /* nothing will come */
	struct ipaddr from;
};

struct device {
	struct loop *loop;
	struct ipaddr at; /* port of the listener */
	int udp;
	struct watch *watch;
	struct sock_listener *listener;
	struct visit visits[DEVICE_VISITS_MAX];
	unsigned n_visits;
	unsigned n_searches;
	struct ipaddr searched_from;

	/* the script */
	bool silent; /* to searches */
	/* To each search; none: an IGD's of the version that is searched for. */
	struct device_answer answers[DEVICE_ANSWERS_MAX];
	/* Bytes for visit->answer; visit->got is NUL-terminated. */
	void (*respond)(struct visit *visit);
};

/* ── HTTP ── */

/* "HTTP/1.1 200 OK" with a body. */
static inline void device_say(struct visit *v, const char *status, const void *body, size_t len)
{
	assert_int_equal(buf_printf(&v->answer,
				    "HTTP/1.1 %s\r\nContent-Type: text/xml\r\nContent-Length: "
				    "%zu\r\nConnection: close\r\n\r\n",
				    status, len),
			 0);
	if (len)
		assert_int_equal(buf_append(&v->answer, body, len), 0);
}

static inline void device_say_text(struct visit *v, const char *status, const char *body)
{
	device_say(v, status, body, strlen(body));
}

static inline void device_say_seed(struct visit *v, const char *status, const char *name)
{
	AUTO(buf_donep) struct buf body = seed(name);

	device_say(v, status, buf_head(&body), buf_len(&body));
}

static inline const char *device_got(const struct visit *v)
{
	return (const char *)buf_head(&v->got);
}

static inline bool device_was_asked(const struct visit *v, const char *part)
{
	return strstr(device_got(v), part) != NULL;
}

static inline bool request_is_whole(struct visit *v)
{
	const char *end = strstr(device_got(v), "\r\n\r\n");
	const char *length = strstr(device_got(v), "Content-Length: ");

	if (!end)
		return false;
	return !length || strlen(end + 4) >= (size_t)atoi(length + 16);
}

static inline void visit_end(struct visit *v)
{
	stream_close(TAKE(v->s));
}

static inline void visit_run(void *arg, unsigned events)
{
	struct visit *v = arg;
	char bytes[4096];
	ssize_t n;

	while ((n = stream_read(v->s, bytes, sizeof(bytes), NULL)) > 0) {
		v->got.tail -= v->got.tail > 0; /* the NUL */
		assert_int_equal(buf_append(&v->got, bytes, (size_t)n), 0);
		assert_int_equal(buf_append(&v->got, "", 1), 0);
	}
	if (n != -ERR_AGAIN) {
		visit_end(v);
		return;
	}
	if (!v->answered && buf_len(&v->got) && request_is_whole(v)) {
		v->answered = true;
		v->device->respond(v);
	}
	while (buf_len(&v->answer) > 0) {
		n = stream_write(v->s, buf_head(&v->answer), buf_len(&v->answer), NULL);
		if (n == -ERR_AGAIN)
			return;
		if (n < 0) {
			visit_end(v);
			return;
		}
		buf_consume(&v->answer, (size_t)n);
	}
	if (v->answered && !v->hangs)
		visit_end(v);
}

static inline void device_on_accept(void *arg, int fd, const struct ipaddr *peer)
{
	struct device *d = arg;
	struct visit *v = &d->visits[d->n_visits];

	assert_true(d->n_visits < DEVICE_VISITS_MAX);
	d->n_visits++;
	v->device = d;
	v->from = *peer;
	assert_int_equal(sock_stream_new(d->loop, fd, &v->s, NULL), 0);
	stream_set_handler(v->s, visit_run, v);
	visit_run(v, 0);
}

/* ── SSDP ── */

#define DEVICE_IGD "urn:schemas-upnp-org:device:InternetGatewayDevice:"

static inline void device_send(struct device *d, const struct device_answer *answer,
			       const struct ipaddr *to)
{
	char host[IPADDR_TEXT_MAX], text[1024];
	struct iovec iov = {.iov_base = text};

	iov.iov_len =
		(size_t)snprintf(text, sizeof(text),
				 "HTTP/1.1 200 OK\r\nST: %s\r\nUSN: uuid:1::x\r\n"
				 "SERVER: Test/1 UPnP/1.1\r\nLOCATION: http://%s%s\r\n\r\n",
				 answer->target, ipaddr_format_port(host, &d->at), answer->path);
	udp_send(d->udp, to, NULL, &iov, 1);
}

static inline void device_on_search(void *arg, unsigned events)
{
	static const struct device_answer igd_1 = {DEVICE_IGD "1", "/igd/root.xml"},
					  igd_2 = {DEVICE_IGD "2", "/igd/root.xml"};
	struct udp_datagram list[UDP_BATCH_MAX];
	struct device *d = arg;
	int n = udp_receive(d->loop, d->udp, UDP_BATCH_MAX, list, NULL);

	for (int i = 0; i < n; i++) {
		struct ipaddr from = list[i].peer;
		bool version_2 = memmem(list[i].bytes, list[i].len, "Device:2", 8);

		d->searched_from = from;
		d->n_searches++;
		if (d->silent)
			continue;
		if (!d->answers[0].target)
			device_send(d, version_2 ? &igd_2 : &igd_1, &from);
		for (size_t k = 0; k < DEVICE_ANSWERS_MAX && d->answers[k].target; k++)
			device_send(d, &d->answers[k], &from);
	}
}

/* ── beginning and end ── */

static inline void device_listen(struct device *d)
{
	struct sock_addr at = {.ip = d->at};

	at.ip.port = 0;
	assert_int_equal(sock_listen(d->loop, &at, 0, device_on_accept, d, &d->listener, NULL), 0);
	d->at.port = sock_listener_addr(d->listener)->ip.port;
}

static inline void device_start(struct device *d, struct loop *loop, const struct ipaddr *at)
{
	struct ipaddr ssdp = *at;

	memset(d, 0, sizeof(*d));
	d->loop = loop;
	d->at = *at;
	ssdp.port = 1900;
	assert_int_equal(udp_bind(&ssdp, &d->udp, NULL), 0);
	assert_int_equal(watch_new(loop, d->udp, device_on_search, d, &d->watch, NULL), 0);
	watch_set(d->watch, WATCH_READ);
	device_listen(d);
}

static inline void device_stop(struct device *d)
{
	for (unsigned i = 0; i < d->n_visits; i++) {
		stream_close(d->visits[i].s);
		buf_done(&d->visits[i].got);
		buf_done(&d->visits[i].answer);
	}
	sock_listener_free(d->listener);
	watch_free(d->watch);
	close(d->udp);
}

/* ── where ── */

/* Ports of our own, where that is allowed: true. Else others may be on ::1, too. */
static inline bool device_own_network(void)
{
	struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	bool up;
	int fd;

	if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
		return false;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	up = ioctl(fd, SIOCSIFFLAGS, &lo) == 0;
	close(fd);
	return up;
}

/* A home of our own on loopback: nobody else has the process's number. */
static inline void device_place(struct map_place *place)
{
	unsigned pid = (unsigned)getpid();

	*place = (struct map_place){.ifname = "lo", .prefix_len = 24};
	place->ifindex = if_nametoindex("lo");
	place->address = (struct ipaddr){
		.family = 4, .bytes = {127, (uint8_t)(64 + pid / 256 % 128), (uint8_t)pid, 10}};
	place->router = place->address;
	place->router.bytes[3] = 1;
}

static inline void device_place6(struct map_place *place)
{
	*place = (struct map_place){.ifname = "lo", .prefix_len = 128};
	place->ifindex = if_nametoindex("lo");
	place->address = place->router = (struct ipaddr){.family = 6, .bytes = {[15] = 1}};
}
