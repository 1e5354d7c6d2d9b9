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
 * A visitor begins with one byte that says which. "up" ends in a half-close, and the service
 * answers with what it got: what counts is what came out of the far end, from its first byte to
 * its last.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CHUNK	     ((size_t)128 * 1024)
#define STREAMS_MAX  64
#define PINGS_MAX    100000
#define PING_EVERY   ((uint64_t)10 * 1000000)
#define HELD_MAX     10000
#define HELD_AT_ONCE 50

enum way { UP = 'u', DOWN = 'd', PING = 'p' };

/* What the receiving end saw. */
struct sight {
	uint64_t bytes, nanoseconds;
};

static _Thread_local uint8_t chunk[CHUNK];

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

/* Until the other side ends, or until `end` (0: never). */
static struct sight receive(int fd, uint64_t end)
{
	struct sight sight = {0};
	uint64_t start = 0, last = 0;
	ssize_t n;

	while ((n = recv(fd, chunk, CHUNK, 0)) > 0) {
		last = now_ns();
		if (start)
			sight.bytes += (size_t)n; /* the first bytes only start the clock */
		else
			start = last;
		if (end && last >= end)
			break;
	}
	sight.nanoseconds = last - start;
	return sight;
}

/* Until the other side is gone, or until `end` (0: never). */
static void send_all(int fd, uint64_t end)
{
	memset(chunk, 'x',
	       CHUNK); /* memory of its own, as data has: not the kernel's page of zeros */
	while (!end || now_ns() < end)
		if (send(fd, chunk, CHUNK, MSG_NOSIGNAL) < 0)
			return;
}

/* ── service ── */

static void echo(int fd)
{
	ssize_t n;

	while ((n = recv(fd, chunk, CHUNK, 0)) > 0)
		if (send(fd, chunk, (size_t)n, MSG_NOSIGNAL) < 0)
			return;
}

static void serve_one(int fd)
{
	struct sight sight;
	char way;

	no_delay(fd);
	if (recv(fd, &way, 1, 0) != 1)
		return; /* somebody only looked whether the service is there */
	if (way == DOWN) {
		send_all(fd, 0);
	} else if (way == PING) {
		echo(fd);
	} else {
		sight = receive(fd, 0);
		if (send(fd, &sight, sizeof(sight), MSG_NOSIGNAL) < 0)
			perror("bulk: answer");
	}
}

static void serve(const char *address)
{
	struct sockaddr_in at = {.sin_family = AF_INET};
	socklen_t len = sizeof(at);
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	if (inet_pton(AF_INET, address, &at.sin_addr) != 1) {
		fprintf(stderr, "bulk: %s is no IPv4 address\n", address);
		exit(2);
	}
	if (listener < 0 || bind(listener, (struct sockaddr *)&at, len) < 0 ||
	    listen(listener, 4096) < 0 || getsockname(listener, (struct sockaddr *)&at, &len) < 0)
		die("listen");
	signal(SIGCHLD, SIG_IGN);
	printf("%d\n", ntohs(at.sin_port));
	fflush(stdout);
	for (;;) {
		int fd = accept(listener, NULL, NULL);

		if (fd < 0)
			die("accept");
		if (fork() == 0) {
			close(listener);
			serve_one(fd);
			_exit(0);
		}
		close(fd);
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

struct visit {
	pthread_t thread;
	const char *at;
	char way;
	uint64_t end;
	struct sight sight;
};

static void *visit(void *arg)
{
	struct visit *v = arg;
	int fd = connect_to(v->at, v->way);

	if (v->way == DOWN) {
		v->sight = receive(fd, v->end);
	} else {
		send_all(fd, v->end);
		shutdown(fd, SHUT_WR);
		if (recv(fd, &v->sight, sizeof(v->sight), MSG_WAITALL) != sizeof(v->sight)) {
			fprintf(stderr, "bulk: no answer from the service\n");
			exit(1);
		}
	}
	close(fd);
	return NULL;
}

/* So many visitors at once, on threads of their own, until `end`. */
static void visits_start(struct visit *visits, unsigned n, char way, const char *at, uint64_t end)
{
	for (unsigned i = 0; i < n; i++) {
		visits[i] = (struct visit){.at = at, .way = way, .end = end};
		errno = pthread_create(&visits[i].thread, NULL, visit, &visits[i]);
		if (errno)
			die("pthread_create");
	}
}

/* All bytes, over the longest time that one of them took. */
static struct sight visits_join(struct visit *visits, unsigned n)
{
	struct sight sum = {0};

	for (unsigned i = 0; i < n; i++) {
		pthread_join(visits[i].thread, NULL);
		sum.bytes += visits[i].sight.bytes;
		if (visits[i].sight.nanoseconds > sum.nanoseconds)
			sum.nanoseconds = visits[i].sight.nanoseconds;
	}
	if (sum.bytes == 0) {
		fprintf(stderr, "bulk: nothing came\n");
		exit(1);
	}
	return sum;
}

static void fill(char way, const char *at, double seconds, unsigned streams)
{
	struct visit visits[STREAMS_MAX];
	struct sight sum;

	if (streams == 0 || streams > STREAMS_MAX) {
		fprintf(stderr, "bulk: 1 to %d streams\n", STREAMS_MAX);
		exit(2);
	}
	visits_start(visits, streams, way, at, after(seconds));
	sum = visits_join(visits, streams);
	printf("%llu %.6f\n", (unsigned long long)sum.bytes, (double)sum.nanoseconds / 1e9);
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
	struct visit bulk;
	struct sight sight;
	int fd;

	visits_start(&bulk, 1, way, at, end);
	sleep_until(begin);
	fd = connect_to(at, PING); /* a visitor who comes while the line is full */
	ping_us(fd);
	pings(fd, end);
	close(fd);
	sight = visits_join(&bulk, 1);
	printf("%llu %.6f\n", (unsigned long long)sight.bytes, (double)sight.nanoseconds / 1e9);
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
