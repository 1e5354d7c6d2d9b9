/*
 * Datagrams: a service to measure a path with, and its visitor. AT is [ADDRESS:]PORT.
 *
 *	datagrams serve			a service on a free loopback port, which it prints
 *	datagrams send AT SECONDS SIZE	as fast as they can be sent: "SENT CAME SECONDS"
 *	datagrams echo AT SECONDS SIZE PER_S
 *					there and back, so many a second: "SENT CAME P50 P99",
 *					microseconds
 *
 * A datagram begins with what it is; an echo carries the time at which it was sent. The service
 * counts what is sent by its source, and says the count to whoever asks from there: how many, and
 * the nanoseconds from the first to the last.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SIZE_MIN     16
#define DATAGRAM_MAX 65507
#define BATCH	     32
#define SOURCES	     64
#define ECHOES_MAX   1000000
#define ASKS_MAX     40 /* of 100 ms */
#define ROOM	     (4 * 1024 * 1024)

enum what { COUNTED = 'c', ECHOED = 'e', QUESTION = 'q' };

struct head {
	uint8_t what;
	uint8_t unused[7];
	uint64_t sent_ns;
};

struct count {
	uint64_t datagrams, nanoseconds;
};

struct source {
	struct sockaddr_in at;
	uint64_t datagrams, first_ns, last_ns;
};

static uint8_t batch[BATCH][DATAGRAM_MAX];

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

static int open_socket(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int room = ROOM;

	if (fd < 0)
		die("socket");
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	return fd;
}

/* ── service ── */

static struct source *source_of(const struct sockaddr_in *at)
{
	static struct source sources[SOURCES];
	static unsigned next;
	struct source *s;

	for (unsigned i = 0; i < SOURCES; i++)
		if (sources[i].at.sin_port == at->sin_port &&
		    sources[i].at.sin_addr.s_addr == at->sin_addr.s_addr)
			return &sources[i];
	s = &sources[next++ % SOURCES];
	*s = (struct source){.at = *at};
	return s;
}

static void answer(int fd, const uint8_t *bytes, size_t len, const struct sockaddr_in *from)
{
	const void *reply = bytes;
	struct count count;
	struct source *s;

	if (bytes[0] == QUESTION) {
		s = source_of(from);
		count = (struct count){s->datagrams, s->last_ns - s->first_ns};
		reply = &count;
		len = sizeof(count);
	}
	/* What does not get out is lost, as datagrams are. */
	(void)!sendto(fd, reply, len, 0, (const struct sockaddr *)from, sizeof(*from));
}

static void on_datagram(int fd, const uint8_t *bytes, size_t len, const struct sockaddr_in *from)
{
	struct source *s;

	if (len == 0)
		return;
	if (bytes[0] != COUNTED) {
		answer(fd, bytes, len, from);
		return;
	}
	s = source_of(from);
	s->last_ns = now_ns();
	if (s->datagrams++ == 0)
		s->first_ns = s->last_ns;
}

static void serve(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_in from[BATCH];
	struct iovec parts[BATCH];
	struct mmsghdr messages[BATCH];
	socklen_t len = sizeof(at);
	int fd = open_socket();

	if (bind(fd, (struct sockaddr *)&at, len) < 0 ||
	    getsockname(fd, (struct sockaddr *)&at, &len) < 0)
		die("bind");
	printf("%d\n", ntohs(at.sin_port));
	fflush(stdout);
	for (;;) {
		int n;

		for (unsigned i = 0; i < BATCH; i++) {
			parts[i] = (struct iovec){batch[i], DATAGRAM_MAX};
			messages[i].msg_hdr = (struct msghdr){.msg_name = &from[i],
							      .msg_namelen = sizeof(from[i]),
							      .msg_iov = &parts[i],
							      .msg_iovlen = 1};
		}
		n = recvmmsg(fd, messages, BATCH, MSG_WAITFORONE, NULL);
		if (n < 0 && errno != ECONNREFUSED)
			die("recvmmsg");
		for (int i = 0; i < n; i++)
			on_datagram(fd, batch[i], messages[i].msg_len, &from[i]);
	}
}

/* ── visitor ── */

static int connect_to(const char *at)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	const char *colon = strchr(at, ':');
	char host[INET_ADDRSTRLEN] = "";
	int fd = open_socket();

	if (colon && colon - at < (long)sizeof(host)) {
		memcpy(host, at, (size_t)(colon - at));
		inet_pton(AF_INET, host, &to.sin_addr);
	}
	to.sin_port = htons((uint16_t)atoi(colon ? colon + 1 : at));
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		die("connect");
	return fd;
}

/* What came out at the far end; asks until there is an answer. */
static struct count ask(int fd)
{
	struct head question = {.what = QUESTION};
	struct pollfd p = {fd, POLLIN, 0};
	struct count count;

	for (int i = 0; i < ASKS_MAX; i++) {
		if (send(fd, &question, sizeof(question), 0) < 0 && errno != ECONNREFUSED)
			die("send");
		if (poll(&p, 1, 100) > 0 && recv(fd, &count, sizeof(count), 0) == sizeof(count))
			return count;
	}
	fprintf(stderr, "datagrams: no answer from the service\n");
	exit(1);
}

static void send_fast(const char *at, double seconds, size_t size)
{
	int fd = connect_to(at);
	uint64_t end, sent = 0;
	struct count count;

	ask(fd); /* the flow is open */
	end = now_ns() + (uint64_t)(seconds * 1e9);
	batch[0][0] = COUNTED;
	while (now_ns() < end)
		for (int i = 0; i < BATCH; i++)
			if (send(fd, batch[0], size, 0) >= 0)
				sent++;
	do { /* what is still on its way counts */
		count = ask(fd);
		usleep(100000);
	} while (ask(fd).datagrams != count.datagrams);
	count = ask(fd);
	if (count.datagrams == 0) {
		fprintf(stderr, "datagrams: nothing came\n");
		exit(1);
	}
	printf("%llu %llu %.6f\n", (unsigned long long)sent, (unsigned long long)count.datagrams,
	       (double)count.nanoseconds / 1e9);
}

static uint32_t spans_us[ECHOES_MAX];

static int by_span(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* Takes what has come back; returns the new count. */
static unsigned take_echoes(int fd, unsigned came)
{
	struct head head;

	while (recv(fd, &head, sizeof(head), MSG_DONTWAIT) == sizeof(head))
		if (head.what == ECHOED && came < ECHOES_MAX)
			spans_us[came++] = (uint32_t)((now_ns() - head.sent_ns) / 1000);
	return came;
}

static void echo(const char *at, double seconds, size_t size, double per_s)
{
	int fd = connect_to(at);
	struct pollfd p = {fd, POLLIN, 0};
	struct head head = {.what = ECHOED};
	uint64_t start, now;
	unsigned sent = 0, came = 0, due, total = (unsigned)(seconds * per_s);

	if (total == 0 || total > ECHOES_MAX) {
		fprintf(stderr, "datagrams: too few or too many\n");
		exit(2);
	}
	ask(fd);
	start = now_ns();
	while (sent < total) {
		now = now_ns();
		due = (unsigned)((double)(now - start) / 1e9 * per_s);
		for (; sent < due && sent < total; sent++) {
			head.sent_ns = now_ns();
			memcpy(batch[0], &head, sizeof(head));
			(void)!send(fd, batch[0], size, 0); /* not sent is lost, too */
		}
		poll(&p, 1, 1);
		came = take_echoes(fd, came);
	}
	while (came < sent && poll(&p, 1, 500) > 0)
		came = take_echoes(fd, came);
	if (came == 0) {
		fprintf(stderr, "datagrams: nothing came back\n");
		exit(1);
	}
	qsort(spans_us, came, sizeof(*spans_us), by_span);
	printf("%u %u %u %u\n", sent, came, spans_us[came / 2], spans_us[(came * 99 - 1) / 100]);
}

static size_t size_of(const char *text)
{
	int size = atoi(text);

	if (size < SIZE_MIN || size > DATAGRAM_MAX) {
		fprintf(stderr, "datagrams: %d to %d bytes\n", SIZE_MIN, DATAGRAM_MAX);
		exit(2);
	}
	return (size_t)size;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (strcmp(what, "serve") == 0 && argc == 2)
		serve();
	else if (strcmp(what, "send") == 0 && argc == 5)
		send_fast(argv[2], atof(argv[3]), size_of(argv[4]));
	else if (strcmp(what, "echo") == 0 && argc == 6)
		echo(argv[2], atof(argv[3]), size_of(argv[4]), atof(argv[5]));
	else {
		fprintf(stderr, "usage: datagrams serve | send AT SECONDS SIZE | "
				"echo AT SECONDS SIZE PER_S\n");
		return 2;
	}
	return 0;
}
