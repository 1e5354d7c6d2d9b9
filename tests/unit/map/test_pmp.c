/*
 * PCP and NAT-PMP over real UDP on loopback, against a router that is scripted here, byte by byte:
 * nothing of it is made by the codecs under test.
 */
#include "test.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "map/pmp.h"
#include "net/udp.h"

#define DEADLINE (20 * USEC_PER_S)
#define SEEN_MAX 256
#define PKT_MAX	 80

struct packet {
	uint8_t bytes[PKT_MAX];
	size_t len;
};

struct world {
	struct loop *loop;
	struct map_place place;
	struct pmp *pmp;
	unsigned restarts;

	/* the router */
	int fd;
	struct watch *watch;
	void (*serve)(struct world *w, const struct packet *asked, const struct ipaddr *from);
	struct packet seen[SEEN_MAX];
	usec_t seen_at[SEEN_MAX];
	unsigned n_seen;
	uint32_t epoch;
	uint8_t result; /* PCP and NAT-PMP */
	uint16_t port;	/* what is granted; 0: as suggested */

	/* what a test waits for */
	unsigned n_answers, until_answers, until_seen, until_restarts;
	struct timer deadline;
	bool late;
};

struct question {
	struct pmp_request rq;
	struct world *w;
	struct pmp_answer answer;
	unsigned answered;
	void (*then)(struct question *q);
	struct question *other;
};

static bool is_there(const struct world *w)
{
	return w->n_answers >= w->until_answers && w->n_seen >= w->until_seen &&
	       w->restarts >= w->until_restarts;
}

static void look(struct world *w)
{
	if (is_there(w))
		loop_stop(w->loop);
}

static void on_deadline(void *arg)
{
	struct world *w = arg;

	w->late = true;
	loop_stop(w->loop);
}

/* So many answers, packets at the router and restarts in all. */
static void run(struct world *w, unsigned answers, unsigned seen, unsigned restarts)
{
	w->until_answers = answers;
	w->until_seen = seen;
	w->until_restarts = restarts;
	timer_start(&w->deadline, DEADLINE);
	while (!is_there(w) && !w->late)
		loop_run(w->loop);
	timer_stop(&w->deadline);
	assert_false(w->late);
}

static void on_restart(void *arg)
{
	struct world *w = arg;

	w->restarts++;
	look(w);
}

static void on_router_ready(void *arg, unsigned events)
{
	struct udp_datagram list[UDP_BATCH_MAX];
	struct packet copies[UDP_BATCH_MAX];
	struct world *w = arg;
	int n = udp_receive(w->loop, w->fd, UDP_BATCH_MAX, list, NULL);

	for (int i = 0; i < n; i++) {
		assert_true(list[i].len <= PKT_MAX);
		copies[i].len = list[i].len;
		memcpy(copies[i].bytes, list[i].bytes, list[i].len);
	}
	for (int i = 0; i < n; i++) {
		assert_true(w->n_seen < SEEN_MAX);
		w->seen[w->n_seen] = copies[i];
		w->seen_at[w->n_seen++] = loop_now(w->loop);
		if (w->serve)
			w->serve(w, &copies[i], &list[i].peer);
	}
	look(w);
}

/* Every test process has addresses of its own: others ask routers on loopback, too. */
static struct ipaddr our_own(uint8_t last)
{
	unsigned pid = (unsigned)getpid();

	return (struct ipaddr){.family = 4,
			       .bytes = {127, (uint8_t)(64 + (pid >> 14 & 63)), (uint8_t)(pid >> 6),
					 (uint8_t)((pid & 63) * 4 + last)}};
}

static void open_router(struct world *w)
{
	struct ipaddr at = w->place.router;

	at.port = 5351;
	assert_int_equal(udp_bind(&at, &w->fd, NULL), 0);
	assert_int_equal(watch_new(w->loop, w->fd, on_router_ready, w, &w->watch, NULL), 0);
	watch_set(w->watch, WATCH_READ);
}

static void close_router(struct world *w)
{
	watch_free(w->watch);
	w->watch = NULL;
	if (w->fd >= 0)
		close(w->fd);
	w->fd = -1;
}

static int setup(void **state)
{
	static const struct pmp_handler handler = {.on_restart = on_restart};
	struct world *w = calloc(1, sizeof(*w));

	w->fd = -1;
	w->epoch = 1000;
	w->place = (struct map_place){.ifname = "lo", .address = our_own(1), .router = our_own(2)};
	assert_int_equal(loop_new(&w->loop, NULL), 0);
	timer_init(&w->deadline, w->loop, on_deadline, w);
	assert_int_equal(pmp_new(w->loop, &w->place, &handler, w, &w->pmp, NULL), 0);
	open_router(w);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	pmp_free(w->pmp);
	close_router(w);
	loop_free(w->loop);
	free(w);
	return 0;
}

/* ── questions ── */

static void on_done(struct pmp_request *rq, const struct pmp_answer *answer)
{
	struct question *q = rq->arg;

	q->answer = *answer;
	q->answered++;
	q->w->n_answers++;
	if (q->then)
		q->then(q);
	look(q->w);
}

static struct question question(struct world *w, enum pmp_kind kind, uint16_t port)
{
	return (struct question){.w = w,
				 .rq = {.kind = kind,
					.protocol = IPPROTO_TCP,
					.internal_port = port,
					.suggested.port = port,
					.lifetime_s = 7200,
					.nonce = "12345678901",
					.done = on_done}};
}

static void ask(struct question *q)
{
	q->rq.arg = q;
	assert_int_equal(pmp_ask(q->w->pmp, &q->rq), 0);
}

/* ── what routers say ── */

static void put16(uint8_t *to, uint16_t v)
{
	to[0] = (uint8_t)(v >> 8);
	to[1] = (uint8_t)v;
}

static void put32(uint8_t *to, uint32_t v)
{
	put16(to, (uint16_t)(v >> 16));
	put16(to + 2, (uint16_t)v);
}

static uint16_t get16(const uint8_t *from)
{
	return (uint16_t)(from[0] << 8 | from[1]);
}

static void say(struct world *w, const struct ipaddr *to, const void *bytes, size_t len)
{
	const struct iovec piece = {(void *)bytes, len};

	assert_int_equal(udp_send(w->fd, to, NULL, &piece, 1), 1);
}

/* RFC 6887 §7.2, §11.1 */
static size_t pcp_reply(const struct world *w, const struct packet *asked, uint8_t to[PKT_MAX])
{
	memcpy(to, asked->bytes, asked->len);
	to[0] = 2;
	to[1] |= 0x80;
	to[2] = 0;
	to[3] = w->result;
	put32(to + 8, w->epoch);
	memset(to + 12, 0, 12);
	if (asked->len < 60)
		return 24;
	if (w->port)
		put16(to + 42, w->port);
	memcpy(to + 44, "\0\0\0\0\0\0\0\0\0\0\xff\xff\xcb\x00\x71\x07", 16); /* 203.0.113.7 */
	return 60;
}

/* RFC 6886 §3.2, §3.3 */
static size_t natpmp_reply(const struct world *w, const struct packet *asked, uint8_t to[PKT_MAX])
{
	memset(to, 0, 16);
	to[1] = asked->bytes[1] | 0x80;
	put16(to + 2, w->result);
	put32(to + 4, w->epoch);
	if (asked->bytes[1] == 0) {
		memcpy(to + 8, "\xcb\x00\x71\x07", 4);
		return 12;
	}
	memcpy(to + 8, asked->bytes + 4, 4);
	memcpy(to + 12, asked->bytes + 8, 4);
	if (w->port)
		put16(to + 10, w->port);
	return 16;
}

static void serve_both(struct world *w, const struct packet *asked, const struct ipaddr *from)
{
	uint8_t pkt[PKT_MAX];

	if (asked->bytes[0] == 2)
		say(w, from, pkt, pcp_reply(w, asked, pkt));
	else
		say(w, from, pkt, natpmp_reply(w, asked, pkt));
}

/* ── the tests ── */

static void a_mapping_by_pcp(void **state)
{
	struct world *w = *state;
	struct question q = question(w, PMP_PCP_MAP, 8000);
	struct ipaddr us = w->place.address;

	w->serve = serve_both;
	q.rq.prefer_failure = true;
	ask(&q);
	assert_int_equal(q.answered, 0); /* never from inside */
	run(w, 1, 1, 0);
	assert_int_equal(q.answer.r, 0);
	assert_int_equal(q.answer.external.family, 4);
	assert_int_equal(q.answer.external.port, 8000);
	assert_memory_equal(q.answer.external.bytes, "\xcb\x00\x71\x07", 4);
	assert_int_equal(q.answer.lifetime_s, 7200);
	/* what it was asked: our address, the nonce, the option */
	assert_int_equal(w->seen[0].len, 64);
	assert_memory_equal(w->seen[0].bytes + 20, us.bytes, 4);
	assert_memory_equal(w->seen[0].bytes + 24, q.rq.nonce, 12);
	assert_int_equal(w->seen[0].bytes[60], 2);
	assert_null(q.rq.pmp);
}

static void a_mapping_by_natpmp(void **state)
{
	struct world *w = *state;
	struct question q = question(w, PMP_NATPMP_MAP, 8000),
			where = question(w, PMP_NATPMP_ADDRESS, 0);

	w->serve = serve_both;
	w->port = 8001;
	ask(&q);
	ask(&where);
	run(w, 2, 2, 0);
	assert_int_equal(q.answer.r, 0);
	assert_int_equal(q.answer.external.port, 8001);
	assert_int_equal(q.answer.external.family, 0); /* it tells the port alone */
	assert_int_equal(where.answer.r, 0);
	assert_memory_equal(where.answer.external.bytes, "\xcb\x00\x71\x07", 4);
}

static void silence_is_asked_four_times(void **state)
{
	static const usec_t spans_ms[] = {250, 500, 1000};
	struct world *w = *state;
	struct question q = question(w, PMP_PCP_ANNOUNCE, 0);

	ask(&q);
	run(w, 1, 4, 0);
	assert_int_equal(q.answer.r, -ERR_TIMEOUT);
	assert_int_equal(w->n_seen, 4);
	assert_true(q.answer.took >= 3750 * USEC_PER_MS);
	for (unsigned i = 0; i < 3; i++) {
		usec_t span = w->seen_at[i + 1] - w->seen_at[i];

		assert_memory_equal(w->seen[i].bytes, w->seen[3].bytes, 24);
		/* the machine may be late, but not early by more than a datagram's way */
		assert_true(span + 100 * USEC_PER_MS >= spans_ms[i] * USEC_PER_MS);
	}
}

static void serve_second(struct world *w, const struct packet *asked, const struct ipaddr *from)
{
	if (w->n_seen == 2)
		serve_both(w, asked, from);
}

static void a_lost_datagram_is_made_good(void **state)
{
	struct world *w = *state;
	struct question q = question(w, PMP_PCP_MAP, 8000);

	w->serve = serve_second;
	ask(&q);
	run(w, 1, 2, 0);
	assert_int_equal(q.answer.r, 0);
	assert_true(q.answer.took >= 250 * USEC_PER_MS);
}

/* Everything that is not the answer, then the answer: only that is taken. */
static void serve_wrong_then_right(struct world *w, const struct packet *asked,
				   const struct ipaddr *from)
{
	uint8_t pkt[PKT_MAX];
	size_t len;

	w->port = 6666;
	len = pcp_reply(w, asked, pkt);
	if (asked->bytes[0] == 2) {
		pkt[24] ^= 1; /* nonce */
		say(w, from, pkt, len);
		pkt[24] ^= 1;
		pkt[35] ^= 1; /* its last byte */
		say(w, from, pkt, len);
		pkt[35] ^= 1;
		pkt[36] = IPPROTO_UDP;
		say(w, from, pkt, len);
		pkt[36] = IPPROTO_TCP;
		pkt[41] ^= 1; /* internal port */
		say(w, from, pkt, len);
		pkt[41] ^= 1;
		pkt[1] = 0x80; /* an announcement */
		say(w, from, pkt, 24);
		pkt[1] = 0x01; /* a request */
		say(w, from, pkt, len);
		pkt[1] = 0x81;
		say(w, from, pkt, len - 4); /* cut */
		say(w, from, "", 0);
	} else {
		len = natpmp_reply(w, asked, pkt);
		pkt[1] ^= 3; /* UDP */
		say(w, from, pkt, len);
		pkt[1] ^= 3;
		pkt[9] ^= 1; /* internal port */
		say(w, from, pkt, len);
		pkt[9] ^= 1;
		say(w, from, pkt, len - 1);
	}
	w->port = 0;
	serve_both(w, asked, from);
}

static void what_answers_something_else_is_ignored(void **state)
{
	struct world *w = *state;
	struct question pcp = question(w, PMP_PCP_MAP, 8000),
			natpmp = question(w, PMP_NATPMP_MAP, 8000);

	w->serve = serve_wrong_then_right;
	ask(&pcp);
	run(w, 1, 1, 0);
	assert_int_equal(pcp.answer.r, 0);
	assert_int_equal(pcp.answer.external.port, 8000);
	ask(&natpmp);
	run(w, 2, 2, 0);
	assert_int_equal(natpmp.answer.r, 0);
	assert_int_equal(natpmp.answer.external.port, 8000);
}

/* A neighbour knows everything, but is not the router: another address, or another port of it. */
static void serve_spoofed(struct world *w, const struct packet *asked, const struct ipaddr *from)
{
	struct ipaddr neighbour = our_own(3), other_port = w->place.router;
	uint8_t pkt[PKT_MAX];
	struct iovec piece = {pkt, 0};
	int fd;

	neighbour.port = 5351;
	w->port = 6666;
	piece.iov_len = pcp_reply(w, asked, pkt);
	assert_int_equal(udp_bind(&neighbour, &fd, NULL), 0);
	assert_int_equal(udp_send(fd, from, NULL, &piece, 1), 1);
	close(fd);
	assert_int_equal(udp_bind(&other_port, &fd, NULL), 0);
	assert_int_equal(udp_send(fd, from, NULL, &piece, 1), 1);
	close(fd);
	w->port = 0;
	serve_both(w, asked, from);
}

static void only_the_router_is_heard(void **state)
{
	struct world *w = *state;
	struct question q = question(w, PMP_PCP_MAP, 8000);

	w->serve = serve_spoofed;
	ask(&q);
	run(w, 1, 1, 0);
	assert_int_equal(q.answer.r, 0);
	assert_int_equal(q.answer.external.port, 8000);
	assert_int_equal(w->n_seen, 1);
}

static void nobody_listens_there(void **state)
{
	struct world *w = *state;
	struct question pcp = question(w, PMP_PCP_ANNOUNCE, 0),
			natpmp = question(w, PMP_NATPMP_ADDRESS, 0);

	close_router(w);
	ask(&pcp);
	ask(&natpmp);
	run(w, 2, 0, 0);
	assert_int_equal(pcp.answer.r, -ERR_NOT_FOUND);
	assert_int_equal(natpmp.answer.r, -ERR_NOT_FOUND);
	assert_true(pcp.answer.took < USEC_PER_S); /* told, not waited for */
	/* and afterwards it goes on */
	open_router(w);
	w->serve = serve_both;
	ask(&pcp);
	run(w, 3, 1, 0);
	assert_int_equal(pcp.answer.r, 0);
}

/* RFC 6886 §3.5: NAT-PMP alone answers any other version with version 0, "unsupported". */
static void serve_natpmp_only(struct world *w, const struct packet *asked,
			      const struct ipaddr *from)
{
	uint8_t pkt[8] = {0, 0x80, 0, 1};

	if (asked->bytes[0] == 0) {
		serve_both(w, asked, from);
		return;
	}
	put32(pkt + 4, w->epoch);
	say(w, from, pkt, sizeof(pkt));
}

/* RFC 6887 §9: PCP alone answers version 0 with its own header and UNSUPP_VERSION. */
static void serve_pcp_only(struct world *w, const struct packet *asked, const struct ipaddr *from)
{
	uint8_t pkt[24] = {2, 0x80, 0, 1};

	if (asked->bytes[0] == 2) {
		serve_both(w, asked, from);
		return;
	}
	put32(pkt + 8, w->epoch);
	say(w, from, pkt, sizeof(pkt));
}

static void one_protocol_only(void (*serve)(struct world *, const struct packet *,
					    const struct ipaddr *),
			      struct world *w, int pcp_r, int natpmp_r)
{
	struct question announce = question(w, PMP_PCP_ANNOUNCE, 0),
			map = question(w, PMP_PCP_MAP, 8000),
			address = question(w, PMP_NATPMP_ADDRESS, 0),
			natpmp = question(w, PMP_NATPMP_MAP, 8000);

	w->serve = serve;
	ask(&announce);
	ask(&map);
	ask(&address);
	ask(&natpmp);
	run(w, 4, 4, 0);
	assert_int_equal(announce.answer.r, pcp_r);
	assert_int_equal(map.answer.r, pcp_r);
	assert_int_equal(address.answer.r, natpmp_r);
	assert_int_equal(natpmp.answer.r, natpmp_r);
	assert_int_equal(w->n_seen, 4); /* nothing had to be repeated */
}

static void natpmp_only(void **state)
{
	one_protocol_only(serve_natpmp_only, *state, -ERR_NOT_FOUND, 0);
}

static void pcp_only(void **state)
{
	one_protocol_only(serve_pcp_only, *state, 0, -ERR_NOT_FOUND);
}

static void refusals_say_why(void **state)
{
	struct world *w = *state;
	struct question pcp = question(w, PMP_PCP_MAP, 8000),
			natpmp = question(w, PMP_NATPMP_MAP, 8000);

	w->serve = serve_both;
	w->result = 8;
	ask(&pcp);
	run(w, 1, 1, 0);
	assert_int_equal(pcp.answer.r, -ERR_REFUSED);
	assert_int_equal(pcp.answer.result, 8);
	assert_int_equal(pcp.answer.lifetime_s, 7200); /* how long to wait */
	assert_memory_equal(pcp.answer.external.bytes, "\xcb\x00\x71\x07", 4); /* evidence */
	w->result = 3;
	ask(&natpmp);
	run(w, 2, 2, 0);
	assert_int_equal(natpmp.answer.r, -ERR_REFUSED);
	assert_int_equal(natpmp.answer.result, 3);
}

/* ── NAT-PMP's errors name no mapping: one question at a time, of each protocol ── */

struct held {
	struct packet pkt;
	struct ipaddr from;
};
static struct held held[8];
static unsigned n_held;

static void hold(struct world *w, const struct packet *asked, const struct ipaddr *from)
{
	held[n_held++] = (struct held){*asked, *from};
}

static void release(struct world *w, unsigned i)
{
	serve_both(w, &held[i].pkt, &held[i].from);
}

static void natpmp_asks_one_at_a_time(void **state)
{
	struct world *w = *state;
	struct question a = question(w, PMP_NATPMP_MAP, 8000),
			b = question(w, PMP_NATPMP_MAP, 8001),
			c = question(w, PMP_NATPMP_MAP, 8002), udp = question(w, PMP_NATPMP_MAP, 9);

	n_held = 0;
	w->serve = hold;
	udp.rq.protocol = IPPROTO_UDP;
	ask(&a);
	ask(&b);
	ask(&c);
	ask(&udp);
	run(w, 0, 2, 0);
	assert_int_equal(n_held, 2);
	assert_int_equal(get16(held[0].pkt.bytes + 4), 8000);
	assert_int_equal(get16(held[1].pkt.bytes + 4), 9);
	w->result = 2;
	release(w, 0); /* refuses the first, and no other */
	run(w, 1, 3, 0);
	assert_int_equal(a.answer.r, -ERR_REFUSED);
	assert_int_equal(b.answered, 0);
	assert_int_equal(get16(held[2].pkt.bytes + 4), 8001);
	pmp_cancel(&b.rq); /* makes place for the next */
	run(w, 1, 4, 0);
	assert_int_equal(get16(held[3].pkt.bytes + 4), 8002);
	w->result = 0;
	release(w, 3);
	release(w, 1);
	run(w, 3, 4, 0);
	assert_int_equal(c.answer.r, 0);
	assert_int_equal(udp.answer.r, 0);
	assert_int_equal(b.answered, 0);
}

/* ── restarts ── */

static void a_restart_is_told_once(void **state)
{
	struct world *w = *state;
	struct question q = question(w, PMP_PCP_ANNOUNCE, 0),
			natpmp = question(w, PMP_NATPMP_ADDRESS, 0);

	w->serve = serve_both;
	ask(&q);
	run(w, 1, 1, 0);
	assert_int_equal(w->restarts, 0);
	w->epoch = 3;
	ask(&q);
	run(w, 2, 2, 1);
	assert_int_equal(w->restarts, 1);
	ask(&q);
	run(w, 3, 3, 1);
	assert_int_equal(w->restarts, 1);
	/* NAT-PMP has a clock of its own, unknown so far */
	w->epoch = 500000;
	ask(&natpmp);
	run(w, 4, 4, 1);
	assert_int_equal(w->restarts, 1);
	w->epoch = 1;
	ask(&natpmp);
	run(w, 5, 5, 2);
	assert_int_equal(w->restarts, 2);
}

/* A late one, with a nonce that is not asked about any more, proves nothing. */
static void a_stray_reply_tells_nothing(void **state)
{
	struct world *w = *state;
	struct question q = question(w, PMP_PCP_MAP, 8000);

	n_held = 0;
	w->serve = hold;
	ask(&q);
	run(w, 0, 1, 0);
	release(w, 0);
	run(w, 1, 1, 0);
	q.rq.nonce[0]++;
	ask(&q);
	run(w, 1, 2, 0);
	w->epoch = 3;
	release(w, 0);
	w->epoch = 1000;
	release(w, 1);
	run(w, 2, 2, 0);
	assert_int_equal(q.answer.r, 0);
	assert_int_equal(w->restarts, 0);
}

static void ask_again(struct question *q)
{
	if (q->answered < 3)
		ask(q);
}

static struct question *to_cancel;

static void cancel_it(void *arg)
{
	struct world *w = arg;

	pmp_cancel(&to_cancel->rq);
	on_restart(w);
}

/* Who hears of a restart lets go of all that is asked, what told of it and the rest, and asks anew. */
static void a_restart_may_cancel_everything(enum pmp_kind kind, struct world *w)
{
	static const struct pmp_handler handler = {.on_restart = cancel_it};
	struct question q = question(w, kind, 8000), other = question(w, kind, 8001);

	pmp_free(w->pmp);
	assert_int_equal(pmp_new(w->loop, &w->place, &handler, w, &w->pmp, NULL), 0);
	w->serve = serve_both;
	ask(&q);
	run(w, 1, 1, 0);
	w->epoch = 0;
	w->serve = hold;
	n_held = 0;
	to_cancel = &other;
	ask(&q);
	ask(&other);
	run(w, 1, 2, 0);
	release(w, 0);
	run(w, 2, 2, 1);
	assert_null(q.rq.pmp);
	assert_null(other.rq.pmp);
	assert_int_equal(other.answered, 0);
	w->serve = serve_both;
	ask(&other);
	run(w, 3, 3, 1);
	assert_int_equal(other.answer.r, 0);
	assert_int_equal(w->restarts, 1);
}

static void a_restart_told_by_pcp(void **state)
{
	a_restart_may_cancel_everything(PMP_PCP_MAP, *state);
}

static void a_restart_told_by_natpmp(void **state)
{
	a_restart_may_cancel_everything(PMP_NATPMP_ADDRESS, *state);
}

static void cancel_same(void *arg)
{
	struct world *w = arg;

	pmp_cancel(&to_cancel->rq);
	on_restart(w);
}

/* The one whose answer tells of it may be asked again by then. */
static void a_restart_may_cancel_what_told_it(void **state)
{
	static const struct pmp_handler handler = {.on_restart = cancel_same};
	struct world *w = *state;
	struct question q = question(w, PMP_PCP_MAP, 8000);

	pmp_free(w->pmp);
	assert_int_equal(pmp_new(w->loop, &w->place, &handler, w, &w->pmp, NULL), 0);
	w->serve = serve_both;
	to_cancel = &q;
	ask(&q);
	run(w, 1, 1, 0);
	w->epoch = 0;
	q.then = ask_again;
	ask(&q);
	run(w, 2, 2, 1);
	assert_null(q.rq.pmp);
	assert_int_equal(q.answer.r, 0);
}

/* ── callers who do things in done ── */

static void cancel_other(struct question *q)
{
	pmp_cancel(&q->other->rq);
}

static void one_may_be_cancelled_in_done(void **state)
{
	struct world *w = *state;
	struct question a = question(w, PMP_PCP_MAP, 8000), b = question(w, PMP_PCP_MAP, 8001);

	n_held = 0;
	w->serve = hold;
	a.then = cancel_other;
	a.other = &b;
	ask(&a);
	ask(&b);
	run(w, 0, 2, 0);
	release(w, 0);
	release(w, 1); /* in the same batch */
	run(w, 1, 2, 0);
	assert_int_equal(a.answered, 1);
	ask(&a);
	a.then = NULL;
	run(w, 1, 3, 0);
	release(w, 2);
	run(w, 2, 3, 0);
	assert_int_equal(b.answered, 0);
}

static void the_same_may_be_asked_in_done(void **state)
{
	struct world *w = *state;
	struct question q = question(w, PMP_NATPMP_MAP, 8000);

	w->serve = serve_both;
	q.then = ask_again;
	ask(&q);
	run(w, 3, 3, 0);
	assert_int_equal(q.answered, 3);
}

/* A handler that asks at once, of a router that is not there: bounded, and no loop in one turn. */
static void nobody_there_and_asked_in_done(void **state)
{
	struct world *w = *state;
	struct question a = question(w, PMP_PCP_MAP, 8000), b = question(w, PMP_PCP_MAP, 8001);

	close_router(w);
	a.then = b.then = ask_again;
	ask(&a);
	ask(&b);
	run(w, 6, 0, 0);
	assert_int_equal(a.answered, 3);
	assert_int_equal(b.answered, 3);
}

static void so_many_and_no_more(void **state)
{
	static struct question many[PMP_REQUESTS_MAX + 1];
	struct world *w = *state;

	n_held = 0;
	for (unsigned i = 0; i <= PMP_REQUESTS_MAX; i++) {
		many[i] = question(w, PMP_PCP_MAP, (uint16_t)(8000 + i));
		many[i].rq.arg = &many[i];
		assert_int_equal(pmp_ask(w->pmp, &many[i].rq),
				 i < PMP_REQUESTS_MAX ? 0 : -ERR_LIMIT);
	}
	assert_null(many[PMP_REQUESTS_MAX].rq.pmp);
	pmp_cancel(&many[PMP_REQUESTS_MAX].rq); /* harmless */
	pmp_cancel(&many[5].rq);
	ask(&many[PMP_REQUESTS_MAX]);
	pmp_free(TAKE(w->pmp)); /* forgets them all */
	for (unsigned i = 0; i <= PMP_REQUESTS_MAX; i++) {
		assert_null(many[i].rq.pmp);
		assert_false(timer_running(&many[i].rq.again));
		assert_int_equal(many[i].answered, 0);
	}
}

static void an_address_that_is_not_ours(void **state)
{
	static const struct pmp_handler handler = {.on_restart = on_restart};
	struct world *w = *state;
	struct map_place place = w->place;
	struct pmp *pmp = NULL;
	struct err e = {0};

	place.address = (struct ipaddr){.family = 4, .bytes = {203, 0, 113, 99}};
	assert_int_equal(pmp_new(w->loop, &place, &handler, w, &pmp, &e), -ERR_FAILED);
	assert_null(pmp);
	assert_non_null(strstr(e.text, "203.0.113.99"));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_mapping_by_pcp),
		T(a_mapping_by_natpmp),
		T(silence_is_asked_four_times),
		T(a_lost_datagram_is_made_good),
		T(what_answers_something_else_is_ignored),
		T(only_the_router_is_heard),
		T(nobody_listens_there),
		T(natpmp_only),
		T(pcp_only),
		T(refusals_say_why),
		T(natpmp_asks_one_at_a_time),
		T(a_restart_is_told_once),
		T(a_stray_reply_tells_nothing),
		T(a_restart_told_by_pcp),
		T(a_restart_told_by_natpmp),
		T(a_restart_may_cancel_what_told_it),
		T(one_may_be_cancelled_in_done),
		T(the_same_may_be_asked_in_done),
		T(nobody_there_and_asked_in_done),
		T(so_many_and_no_more),
		T(an_address_that_is_not_ours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
