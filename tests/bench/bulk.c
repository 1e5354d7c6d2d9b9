/*
 * One connection full of bytes: a source and sink to measure a path with.
 *
 *	bulk serve		a service on a free loopback port, which it prints
 *	bulk up PORT SECONDS	as a visitor, send for so long
 *	bulk down PORT SECONDS	as a visitor, receive for so long
 *
 * A visitor begins with one byte that says which. "up" ends in a half-close, and the service
 * answers with what it got: what counts is what came out of the far end, from its first byte to
 * its last. Prints "BYTES SECONDS".
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CHUNK ((size_t)128 * 1024)

enum way { UP = 'u', DOWN = 'd' };

/* What the receiving end saw. */
struct sight {
	uint64_t bytes, nanoseconds;
};

static uint8_t chunk[CHUNK];

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
	while (!end || now_ns() < end)
		if (send(fd, chunk, CHUNK, MSG_NOSIGNAL) < 0)
			return;
}

/* ── service ── */

static void serve_one(int fd)
{
	struct sight sight;
	char way;

	if (recv(fd, &way, 1, 0) != 1)
		return; /* somebody only looked whether the service is there */
	if (way == DOWN) {
		send_all(fd, 0);
		return;
	}
	sight = receive(fd, 0);
	if (send(fd, &sight, sizeof(sight), MSG_NOSIGNAL) < 0)
		perror("bulk: answer");
}

static void serve(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(at);
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	if (listener < 0 || bind(listener, (struct sockaddr *)&at, len) < 0 ||
	    listen(listener, 16) < 0 || getsockname(listener, (struct sockaddr *)&at, &len) < 0)
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

/* ── visitor ── */

static int connect_to(const char *port)
{
	struct sockaddr_in at = {.sin_family = AF_INET,
				 .sin_port = htons((uint16_t)atoi(port)),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	int one = 1;

	if (fd < 0 || connect(fd, (struct sockaddr *)&at, sizeof(at)) < 0)
		die("connect");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

static void visit(char way, const char *port, double seconds)
{
	struct sight sight = {0};
	int fd = connect_to(port);
	uint64_t end;

	if (send(fd, &way, 1, MSG_NOSIGNAL) != 1)
		die("send");
	end = now_ns() + (uint64_t)(seconds * 1e9);
	if (way == DOWN) {
		sight = receive(fd, end);
	} else {
		send_all(fd, end);
		shutdown(fd, SHUT_WR);
		if (recv(fd, &sight, sizeof(sight), MSG_WAITALL) != sizeof(sight)) {
			fprintf(stderr, "bulk: no answer from the service\n");
			exit(1);
		}
	}
	if (sight.bytes == 0) {
		fprintf(stderr, "bulk: nothing came\n");
		exit(1);
	}
	printf("%llu %.6f\n", (unsigned long long)sight.bytes, (double)sight.nanoseconds / 1e9);
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "serve") == 0)
		serve();
	else if (argc == 4 && strcmp(argv[1], "up") == 0)
		visit(UP, argv[2], atof(argv[3]));
	else if (argc == 4 && strcmp(argv[1], "down") == 0)
		visit(DOWN, argv[2], atof(argv[3]));
	else {
		fprintf(stderr, "usage: bulk serve | bulk up|down PORT SECONDS\n");
		return 2;
	}
	return 0;
}
