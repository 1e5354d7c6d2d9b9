/*
 * A line between two interfaces: so many bits a second, so long on its way, and a queue before it
 * that drops what does not fit. Both directions alike.
 *
 *	wire A B BITS_PER_S DELAY_US QUEUE_BYTES
 *
 *	A ══▶ queue ══▶ rate ══▶ delay ══▶ B	and the same back
 *
 * Frames are taken from and put on packet sockets as they are; what the kernel keeps beside a frame
 * (checksums still to be made, segments still to be cut) goes with it (PACKET_VNET_HDR, packet(7)).
 * A frame that holds several segments counts as long as it is. Prints "ready" when it carries.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define FRAME_MAX   ((size_t)128 * 1024)
#define FRAMES_MAX  16384 /* on the way in one direction */
#define FRAMES_TURN 64

struct frame {
	uint64_t due_ns;
	uint8_t *bytes; /* owned: header and frame */
	size_t len;
};

struct direction {
	int from, to;
	struct frame frames[FRAMES_MAX]; /* a ring */
	unsigned first, n;
	uint64_t free_ns; /* when the last bit that was let in has left the queue */
};

struct line {
	uint64_t bits_per_s, delay_ns, queue_ns; /* the queue, as the time it takes to empty */
};

static struct direction directions[2];

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

static int open_interface(const char *name)
{
	struct sockaddr_ll at = {.sll_family = AF_PACKET,
				 .sll_protocol = htons(ETH_P_ALL),
				 .sll_ifindex = (int)if_nametoindex(name)};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int one = 1, room = 8 * 1024 * 1024;

	if (fd < 0 || at.sll_ifindex == 0)
		die(name);
	if (setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one)) < 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room)) < 0 ||
	    bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0)
		die(name);
	return fd;
}

/* Into the queue, or nowhere. */
static void admit(struct direction *d, const struct line *line, const uint8_t *bytes, size_t len)
{
	uint64_t now = now_ns();
	uint64_t start = d->free_ns > now ? d->free_ns : now;
	size_t on_line = len - sizeof(struct virtio_net_hdr);
	struct frame *f = &d->frames[(d->first + d->n) % FRAMES_MAX];

	if (start - now > line->queue_ns || d->n == FRAMES_MAX)
		return;
	f->bytes = malloc(len);
	if (!f->bytes)
		return;
	memcpy(f->bytes, bytes, len);
	f->len = len;
	d->free_ns = start + on_line * 8 * 1000000000u / line->bits_per_s;
	f->due_ns = d->free_ns + line->delay_ns;
	d->n++;
}

static void take(struct direction *d, const struct line *line)
{
	static uint8_t bytes[FRAME_MAX];

	for (int i = 0; i < FRAMES_TURN; i++) {
		ssize_t n = recv(d->from, bytes, sizeof(bytes), 0);

		if (n < 0 && (errno == EAGAIN || errno == ENETDOWN))
			return;
		if (n < 0)
			die("recv");
		if ((size_t)n > sizeof(struct virtio_net_hdr) && (size_t)n < sizeof(bytes))
			admit(d, line, bytes, (size_t)n);
	}
}

static void deliver(struct direction *d)
{
	while (d->n && d->frames[d->first].due_ns <= now_ns()) {
		struct frame *f = &d->frames[d->first];

		/* What the interface does not take is lost, as on any line. */
		if (send(d->to, f->bytes, f->len, 0) < 0 && errno != ENOBUFS && errno != EAGAIN &&
		    errno != EINVAL && errno != ENETDOWN)
			die("send");
		free(f->bytes);
		d->first = (d->first + 1) % FRAMES_MAX;
		d->n--;
	}
}

/* Until the first frame is due; false: there is none. */
static bool wait_for(struct timespec *ret)
{
	uint64_t next = UINT64_MAX, now = now_ns(), span;

	for (int i = 0; i < 2; i++) {
		const struct direction *d = &directions[i];

		if (d->n && d->frames[d->first].due_ns < next)
			next = d->frames[d->first].due_ns;
	}
	if (next == UINT64_MAX)
		return false;
	span = next > now ? next - now : 0;
	*ret = (struct timespec){.tv_sec = (time_t)(span / 1000000000u),
				 .tv_nsec = (long)(span % 1000000000u)};
	return true;
}

static void run(const struct line *line)
{
	struct pollfd polls[2] = {{directions[0].from, POLLIN, 0}, {directions[1].from, POLLIN, 0}};

	for (;;) {
		struct timespec span;

		deliver(&directions[0]);
		deliver(&directions[1]);
		if (ppoll(polls, 2, wait_for(&span) ? &span : NULL, NULL) < 0 && errno != EINTR)
			die("ppoll");
		for (int i = 0; i < 2; i++)
			if (polls[i].revents)
				take(&directions[i], line);
	}
}

int main(int argc, char **argv)
{
	struct line line;

	if (argc != 6 || atoll(argv[3]) <= 0) {
		fprintf(stderr, "usage: wire A B BITS_PER_S DELAY_US QUEUE_BYTES\n");
		return 2;
	}
	line.bits_per_s = (uint64_t)atoll(argv[3]);
	line.delay_ns = (uint64_t)atoll(argv[4]) * 1000;
	line.queue_ns = (uint64_t)atoll(argv[5]) * 8 * 1000000000u / line.bits_per_s;
	directions[0].from = directions[1].to = open_interface(argv[1]);
	directions[1].from = directions[0].to = open_interface(argv[2]);
	prctl(PR_SET_TIMERSLACK, 1);
	/* A line does not wait for its turn on a processor. */
	sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){.sched_priority = 1});
	printf("ready\n");
	fflush(stdout);
	run(&line);
}
