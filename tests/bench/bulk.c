/*
 * Connections full of bytes, and small ones beside them: a service to measure a path with, and its
 * visitors. AT is [ADDRESS:]PORT.
 *
 *	bulk serve [ADDRESS]		a service on a free port, which it prints
 *	bulk up AT SECONDS STREAMS	send for so long on so many connections: "BYTES SECONDS"
 *	bulk down AT SECONDS STREAMS	receive for so long
 *	bulk ping AT SECONDS		a byte there and back every 10 ms: "P50 P99", microseconds
 *	bulk beside up|down AT SECONDS SETTLE
 *					pings beside one connection of bytes, from SETTLE on:
 *					"BYTES SECONDS P50 P99"
 *	bulk hold AT N			N connections, a byte there and back on each; says so and
 *					holds them until it is ended
 *
 * All streams of one side are on one thread, as iperf3 has it: the load takes as little of the
 * processors as it can, and direct connections are not measured on all of them.
 *
 * A visitor begins with one byte that says which. "up" ends in a half-close, and the service
 * answers with what it got: what counts is what came out of the far end, from its first byte to
 * its last.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CHUNK	     ((size_t)128 * 1024)
#define STREAMS_MAX  64
#define EVENTS	     64
#define PINGS_MAX    100000
#define PING_EVERY   ((uint64_t)10 * 1000000)
#define HELD_MAX     10000
#define HELD_AT_ONCE 50

enum way { UP = 'u', DOWN = 'd', PING = 'p' };

/* What the receiving end saw. */
struct sight {
	uint64_t bytes, nanoseconds;
};

static uint8_t chunk[CHUNK]; /* what is sent; what is received goes there, too, and is nothing */

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t after(double seconds)
{
	return now_ns() + (uint64_t)(seconds * 1e9);
}

static void sleep_until(uint64_t at)
{
	struct timespec t = {.tv_sec = (time_t)(at / 1000000000u),
			     .tv_nsec = (long)(at % 1000000000u)};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
		;
}

static void no_delay(int fd)
{
	int one = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

static void count(struct sight *sight, uint64_t *start, size_t n)
{
	uint64_t now = now_ns();

	if (*start)
		sight->bytes += n; /* the first bytes only start the clock */
	else
		*start = now;
	sight->nanoseconds = now - *start;
}

static void watch(int poller, int how, int fd, uint32_t events, void *what)
{
	struct epoll_event event = {.events = events, .data.ptr = what};

	if (epoll_ctl(poller, how, fd, &event) < 0)
		die("epoll_ctl");
}

/* ── service: all of them on one thread ── */

struct served {
	int fd;
	char way; /* 0: not said yet */
	struct sight sight;
	uint64_t start;
};

static void served_end(struct served *s)
{
	close(s->fd);
	free(s);
}

static void served_begin(int poller, struct served *s)
{
	if (recv(s->fd, &s->way, 1, 0) != 1)
		served_end(s); /* somebody only looked whether the service is there */
	else if (s->way == DOWN)
		watch(poller, EPOLL_CTL_MOD, s->fd, EPOLLOUT, s);
}

static void served_take(struct served *s)
{
	ssize_t n = recv(s->fd, chunk, CHUNK, 0);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n > 0 && s->way == UP) {
		count(&s->sight, &s->start, (size_t)n);
	} else if (n <= 0 || send(s->fd, chunk, (size_t)n, MSG_NOSIGNAL) != n) {
		if (n == 0 && s->way == UP)
			(void)!send(s->fd, &s->sight, sizeof(s->sight), MSG_NOSIGNAL);
		served_end(s);
	}
}

static void served_go(int poller, struct served *s)
{
	if (!s->way)
		served_begin(poller, s);
	else if (s->way != DOWN)
		served_take(s);
	else if (send(s->fd, chunk, CHUNK, MSG_NOSIGNAL) < 0 && errno != EAGAIN)
		served_end(s);
}

static void serve_new(int poller, int listener)
{
	struct served *s = calloc(1, sizeof(*s));

	if (!s)
		die("accept");
	s->fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (s->fd < 0)
		die("accept");
	no_delay(s->fd);
	watch(poller, EPOLL_CTL_ADD, s->fd, EPOLLIN, s);
}

static int serve_listen(const char *address)
{
	struct sockaddr_in at = {.sin_family = AF_INET};
	socklen_t len = sizeof(at);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (inet_pton(AF_INET, address, &at.sin_addr) != 1) {
		fprintf(stderr, "bulk: %s is no IPv4 address\n", address);
		exit(2);
	}
	if (listener < 0 || bind(listener, (struct sockaddr *)&at, len) < 0 ||
	    listen(listener, 4096) < 0 || getsockname(listener, (struct sockaddr *)&at, &len) < 0)
		die("listen");
	printf("%d\n", ntohs(at.sin_port));
	fflush(stdout);
	return listener;
}

static void serve(const char *address)
{
	int listener = serve_listen(address), poller = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event events[EVENTS];

	watch(poller, EPOLL_CTL_ADD, listener, EPOLLIN, NULL);
	for (;;) {
		int n = epoll_wait(poller, events, EVENTS, -1);

		for (int i = 0; i < n; i++)
			if (events[i].data.ptr)
				served_go(poller, events[i].data.ptr);
			else
				serve_new(poller, listener);
	}
}

/* ── visitors ── */

static int connect_to(const char *at, char way)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	const char *colon = strchr(at, ':');
	char host[INET_ADDRSTRLEN] = "";
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (colon && colon - at < (long)sizeof(host)) {
		memcpy(host, at, (size_t)(colon - at));
		inet_pton(AF_INET, host, &to.sin_addr);
	}
	to.sin_port = htons((uint16_t)atoi(colon ? colon + 1 : at));
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		die("connect");
	no_delay(fd);
	if (send(fd, &way, 1, MSG_NOSIGNAL) != 1)
		die("send");
	return fd;
}

/* Some visitors at once, all on one thread, until `end`. */
struct crowd {
	pthread_t thread;
	const char *at;
	char way;
	unsigned n;
	uint64_t end;
	struct sight sight; /* all bytes, over the longest time that one of them took */
};

struct visit {
	int fd;
	uint64_t start;
	struct sight sight;
};

static void visit_go(struct visit *v, char way)
{
	ssize_t n = way == UP ? send(v->fd, chunk, CHUNK, MSG_NOSIGNAL | MSG_DONTWAIT)
			      : recv(v->fd, chunk, CHUNK, MSG_DONTWAIT);

	if (n <= 0 && !(n < 0 && errno == EAGAIN)) {
		fprintf(stderr, "bulk: the connection ended early\n");
		exit(1);
	}
	if (n > 0 && way == DOWN)
		count(&v->sight, &v->start, (size_t)n);
}

/* The end of those who sent: what the service saw of each. */
static void visits_ask(struct visit *visits, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		shutdown(visits[i].fd, SHUT_WR);
	for (unsigned i = 0; i < n; i++)
		if (recv(visits[i].fd, &visits[i].sight, sizeof(visits[i].sight), MSG_WAITALL) !=
		    sizeof(visits[i].sight)) {
			fprintf(stderr, "bulk: no answer from the service\n");
			exit(1);
		}
}

static void *crowd_run(void *arg)
{
	struct crowd *c = arg;
	struct visit visits[STREAMS_MAX] = {0};
	struct epoll_event events[EVENTS];
	int poller = epoll_create1(EPOLL_CLOEXEC);

	for (unsigned i = 0; i < c->n; i++) {
		visits[i].fd = connect_to(c->at, c->way);
		watch(poller, EPOLL_CTL_ADD, visits[i].fd, c->way == UP ? EPOLLOUT : EPOLLIN,
		      &visits[i]);
	}
	while (now_ns() < c->end) {
		int n = epoll_wait(poller, events, EVENTS, 100);

		for (int i = 0; i < n; i++)
			visit_go(events[i].data.ptr, c->way);
	}
	if (c->way == UP)
		visits_ask(visits, c->n);
	for (unsigned i = 0; i < c->n; i++) {
		c->sight.bytes += visits[i].sight.bytes;
		if (visits[i].sight.nanoseconds > c->sight.nanoseconds)
			c->sight.nanoseconds = visits[i].sight.nanoseconds;
		close(visits[i].fd);
	}
	close(poller);
	return NULL;
}

static void crowd_start(struct crowd *c)
{
	errno = pthread_create(&c->thread, NULL, crowd_run, c);
	if (errno)
		die("pthread_create");
}

static void crowd_print(struct crowd *c)
{
	pthread_join(c->thread, NULL);
	if (c->sight.bytes == 0) {
		fprintf(stderr, "bulk: nothing came\n");
		exit(1);
	}
	printf("%llu %.6f\n", (unsigned long long)c->sight.bytes,
	       (double)c->sight.nanoseconds / 1e9);
}

static void fill(char way, const char *at, double seconds, unsigned streams)
{
	struct crowd crowd = {.at = at, .way = way, .n = streams, .end = after(seconds)};

	if (streams == 0 || streams > STREAMS_MAX) {
		fprintf(stderr, "bulk: 1 to %d streams\n", STREAMS_MAX);
		exit(2);
	}
	crowd_start(&crowd);
	crowd_print(&crowd);
}

/* ── small ones ── */

static uint32_t spans_us[PINGS_MAX];

static uint32_t ping_us(int fd)
{
	uint64_t start = now_ns();
	char byte = 1;

	if (send(fd, &byte, 1, MSG_NOSIGNAL) != 1 || recv(fd, &byte, 1, 0) != 1)
		die("ping");
	return (uint32_t)((now_ns() - start) / 1000);
}

static int by_span(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void pings(int fd, uint64_t end)
{
	unsigned n = 0;

	for (uint64_t next = now_ns(); next < end && n < PINGS_MAX; n++) {
		spans_us[n] = ping_us(fd);
		next += PING_EVERY;
		if (now_ns() < next)
			sleep_until(next);
		else
			next = now_ns(); /* they do not catch up */
	}
	if (n == 0)
		die("no pings");
	qsort(spans_us, n, sizeof(*spans_us), by_span);
	printf("%u %u\n", spans_us[n / 2], spans_us[(n * 99 - 1) / 100]);
}

static void beside(char way, const char *at, double seconds, double settle)
{
	uint64_t begin = after(settle), end = after(settle + seconds);
	struct crowd bulk = {.at = at, .way = way, .n = 1, .end = end};
	int fd;

	crowd_start(&bulk);
	sleep_until(begin);
	fd = connect_to(at, PING); /* a visitor who comes while the line is full */
	ping_us(fd);
	pings(fd, end);
	close(fd);
	crowd_print(&bulk);
}

static void hold(const char *at, int n)
{
	static int fds[HELD_MAX];
	char byte = 1;

	if (n < 1 || n > HELD_MAX) {
		fprintf(stderr, "bulk: 1 to %d connections\n", HELD_MAX);
		exit(2);
	}
	for (int first = 0; first < n; first += HELD_AT_ONCE) {
		int end = first + HELD_AT_ONCE < n ? first + HELD_AT_ONCE : n;

		for (int i = first; i < end; i++)
			fds[i] = connect_to(at, PING);
		for (int i = first; i < end; i++)
			if (send(fds[i], &byte, 1, MSG_NOSIGNAL) != 1)
				die("send");
		for (int i = first; i < end; i++)
			if (recv(fds[i], &byte, 1, 0) != 1)
				die("hold");
	}
	printf("%d\n", n);
	fflush(stdout);
	for (;;)
		pause();
}

static int usage(void)
{
	fprintf(stderr, "usage: bulk serve [ADDRESS] | up|down AT SECONDS STREAMS | "
			"ping AT SECONDS | beside up|down AT SECONDS SETTLE | hold AT N\n");
	return 2;
}

static char way_of(const char *word)
{
	return strcmp(word, "up") == 0 ? UP : strcmp(word, "down") == 0 ? DOWN : 0;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	memset(chunk, 'x', CHUNK); /* memory of its own, not the kernel's page of zeros */
	if (strcmp(what, "serve") == 0 && argc <= 3)
		serve(argc == 3 ? argv[2] : "127.0.0.1");
	else if (way_of(what) && argc == 5)
		fill(way_of(what), argv[2], atof(argv[3]), (unsigned)atoi(argv[4]));
	else if (strcmp(what, "ping") == 0 && argc == 4)
		pings(connect_to(argv[2], PING), after(atof(argv[3])));
	else if (strcmp(what, "beside") == 0 && argc == 6 && way_of(argv[2]))
		beside(way_of(argv[2]), argv[3], atof(argv[4]), atof(argv[5]));
	else if (strcmp(what, "hold") == 0 && argc == 4)
		hold(argv[2], atoi(argv[3]));
	else
		return usage();
	return 0;
}
