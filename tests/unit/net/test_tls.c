#include "test.h"

#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/mem.h"
#include "net/sock.h"
#include "net/tls.h"

#define ALPN	 "homeport/1"
#define DEADLINE (30 * USEC_PER_S)
#define MIB	 ((uint64_t)1024 * 1024)

/* One end of a connection: what it still has to send and get, and what became of it. */
struct side {
	struct world *w;
	struct stream *s;
	uint8_t seed; /* of the bytes it sends */
	size_t step;  /* at most that many at once */
	uint64_t to_send, sent, got;
	bool end;  /* stream_shutdown behind the last byte */
	bool hold; /* does not read */
	bool shut, ended, can_read, can_write;
	unsigned events, calls;
	int r; /* how it broke, 0 if it did not */
	struct err e;
};

struct world {
	struct loop *loop;
	bool virtual;
	struct timer deadline;
	bool too_late;
	struct tls_identity *agent, *gateway;
	struct side a, g; /* a: TLS client */
	uint32_t random;
};

/* ── a world ── */

static void on_deadline(void *arg)
{
	struct world *w = arg;

	w->too_late = true;
	loop_stop(w->loop);
}

static void world_init(struct world *w, bool virtual)
{
	*w = (struct world){.virtual = virtual, .random = 12345};
	assert_int_equal(virtual ? loop_new_sim(&w->loop, NULL) : loop_new(&w->loop, NULL), 0);
	assert_int_equal(tls_identity_new(&w->agent, NULL), 0);
	assert_int_equal(tls_identity_new(&w->gateway, NULL), 0);
	timer_init(&w->deadline, w->loop, on_deadline, w);
	w->a = (struct side){.w = w, .seed = 1, .step = 65536};
	w->g = (struct side){.w = w, .seed = 2, .step = 65536};
}

static void world_done(struct world *w)
{
	stream_close(w->a.s);
	stream_close(w->g.s);
	timer_stop(&w->deadline);
	if (w->virtual)
		loop_sim_advance(w->loop, USEC_PER_MS);
	loop_free(w->loop);
	tls_identity_free(w->agent);
	tls_identity_free(w->gateway);
}

static void run_until(struct world *w, bool (*done)(struct world *w))
{
	if (w->virtual) {
		for (int i = 0; i < 1000000 && !done(w); i++)
			loop_sim_advance(w->loop, USEC_PER_MS);
		assert_true(done(w));
		return;
	}
	timer_start(&w->deadline, DEADLINE);
	while (!done(w) && !w->too_late)
		loop_run(w->loop);
	timer_stop(&w->deadline);
	assert_false(w->too_late);
}

/* A pair of plain streams: in memory, or TCP over loopback. */
static void plain_pair(struct world *w, struct stream **ret_a, struct stream **ret_b)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	struct ipaddr localhost = {.family = 4, .bytes = {127, 0, 0, 1}};
	int listener, a, b;

	if (w->virtual) {
		assert_int_equal(mem_pair_new(w->loop, 0, ret_a, ret_b, NULL), 0);
		return;
	}
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	len = ipaddr_to_sockaddr(&localhost, &ss);
	assert_int_equal(bind(listener, (struct sockaddr *)&ss, len), 0);
	assert_int_equal(listen(listener, 1), 0);
	len = sizeof(ss);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&ss, &len), 0);
	a = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(a, (struct sockaddr *)&ss, len), 0);
	b = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	assert_true(b >= 0);
	close(listener);
	assert_int_equal(fcntl(a, F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(sock_stream_new(w->loop, a, ret_a, NULL), 0);
	assert_int_equal(sock_stream_new(w->loop, b, ret_b, NULL), 0);
}

/* ── sides that send and check bytes of which every one is known ── */

static uint32_t random_next(struct world *w)
{
	w->random = w->random * 1664525u + 1013904223u;
	return w->random >> 8;
}

#define PERIOD	65521 /* a prime: no buffer's size divides it */
#define AT_ONCE (512 * 1024)

static uint8_t all_bytes[PERIOD + AT_ONCE];

/* AT_ONCE bytes of those that a side with this seed sends, from the at-th on. */
static const uint8_t *bytes_at(uint8_t seed, uint64_t at)
{
	return all_bytes + (at + seed * 977u) % PERIOD;
}

static int make_bytes(void **state)
{
	for (uint32_t i = 0; i < sizeof(all_bytes); i++)
		all_bytes[i] = (uint8_t)((i % PERIOD) * 2654435761u >> 24);
	return 0;
}

static void side_break(struct side *side, ssize_t r)
{
	side->r = (int)r;
	side->can_read = side->can_write = false;
}

static void side_write(struct side *side)
{
	while (side->can_write && side->sent < side->to_send) {
		size_t len = 1 + random_next(side->w) % side->step;
		ssize_t n;

		len = MIN(len, side->to_send - side->sent);
		n = stream_write(side->s, bytes_at(side->seed, side->sent), len, &side->e);
		if (n == -ERR_AGAIN)
			n = 0;
		if (n < 0) {
			side_break(side, n);
			return;
		}
		side->sent += (uint64_t)n;
		side->can_write = n == (ssize_t)len;
	}
	if (side->can_write && side->end && !side->shut) {
		side->shut = true;
		assert_int_equal(stream_shutdown(side->s, &side->e), 0);
	}
}

static void side_read(struct side *side)
{
	static _Thread_local uint8_t bytes[AT_ONCE];
	const struct side *other = side == &side->w->a ? &side->w->g : &side->w->a;

	while (side->can_read && !side->hold) {
		size_t len = 1 + random_next(side->w) % side->step;
		ssize_t n = stream_read(side->s, bytes, len, &side->e);

		if (n == -ERR_AGAIN) {
			side->can_read = false;
		} else if (n < 0) {
			side_break(side, n);
		} else if (n == 0) {
			side->ended = true;
			side->can_read = false;
		} else {
			assert_memory_equal(bytes, bytes_at(other->seed, side->got), (size_t)n);
			side->got += (uint64_t)n;
			side->can_read = n == (ssize_t)len;
		}
	}
}

static void side_go(struct side *side)
{
	side_write(side);
	side_read(side);
}

static void side_on_ready(void *arg, unsigned events)
{
	struct side *side = arg;

	side->events |= events;
	side->calls++;
	side->can_read |= events & STREAM_READABLE && !side->ended && !side->r;
	side->can_write |= (events & STREAM_WRITABLE) != 0 && !side->r;
	side_go(side);
	loop_stop(side->w->loop);
}

static void take(struct side *side, struct stream *s)
{
	side->s = s;
	side->can_read = side->can_write = true;
	stream_set_handler(s, side_on_ready, side);
}

static void client_on(struct world *w, struct stream *lower)
{
	struct stream *s;

	assert_int_equal(tls_client_new(lower, w->agent, ALPN, "gw.example.org", &s, NULL), 0);
	take(&w->a, s);
}

static void server_on(struct world *w, struct stream *lower)
{
	struct stream *s;

	assert_int_equal(tls_server_new(lower, w->gateway, ALPN, &s, NULL), 0);
	take(&w->g, s);
}

static bool both_ready(struct world *w)
{
	return tls_stream_ready(w->a.s) && tls_stream_ready(w->g.s);
}

static void connect_sides(struct world *w)
{
	struct stream *a, *g;

	plain_pair(w, &a, &g);
	client_on(w, a);
	server_on(w, g);
	side_go(&w->a);
	side_go(&w->g);
	run_until(w, both_ready);
}

static void assert_same_key(const struct tls_key_hash *a, const struct tls_key_hash *b)
{
	assert_memory_equal(a->bytes, b->bytes, TLS_KEY_HASH_LEN);
}

/* Most tests run twice: in memory on the virtual clock, and over TCP. */
static void both_worlds(void (*test)(struct world *w))
{
	for (int virtual = 0; virtual < 2; virtual ++) {
		struct world w;

		world_init(&w, virtual);
		test(&w);
		world_done(&w);
	}
}

/* ── handshake ── */

static void handshake(struct world *w)
{
	connect_sides(w);
	assert_same_key(tls_stream_peer(w->a.s), tls_identity_hash(w->gateway));
	assert_same_key(tls_stream_peer(w->g.s), tls_identity_hash(w->agent));
	assert_non_null(tls_stream_lower(w->a.s));
	assert_null(tls_stream_lower(tls_stream_lower(w->a.s)));
}

static void test_handshake_tells_each_side_the_other_key(void **state)
{
	both_worlds(handshake);
}

static bool both_broken(struct world *w)
{
	return w->a.r && w->g.r;
}

static void alpn_mismatch(struct world *w)
{
	struct stream *a, *g;

	plain_pair(w, &a, &g);
	assert_int_equal(tls_client_new(a, w->agent, "http/1.1", NULL, &a, NULL), 0);
	take(&w->a, a);
	server_on(w, g);
	side_go(&w->a);
	side_go(&w->g);
	run_until(w, both_broken);
	assert_int_equal(w->a.r, -ERR_INVALID);
	assert_int_equal(w->g.r, -ERR_INVALID);
	assert_non_null(strstr(w->a.e.text, "application protocol"));
	assert_non_null(strstr(w->g.e.text, "application protocol"));
	assert_false(tls_stream_ready(w->g.s));
}

static void test_another_protocol_is_refused(void **state)
{
	both_worlds(alpn_mismatch);
}

static bool accept_none(void *arg, const struct tls_key_hash *key)
{
	(*(int *)arg)++;
	return false;
}

/* Somebody in between learns nothing of the client, not even its key. */
static void wrong_key(struct world *w)
{
	static const struct tls_key_hash nobody;
	struct stream *a, *g;
	int asked = 0;

	plain_pair(w, &a, &g);
	client_on(w, a);
	tls_client_set_accept(w->a.s, accept_none, &asked);
	server_on(w, g);
	side_go(&w->a);
	side_go(&w->g);
	run_until(w, both_broken);
	assert_int_equal(asked, 1);
	assert_int_equal(w->a.r, -ERR_DENIED);
	assert_same_key(tls_stream_peer(w->a.s), tls_identity_hash(w->gateway));
	assert_same_key(tls_stream_peer(w->g.s), &nobody);
	assert_false(tls_stream_ready(w->g.s));
}

static void test_a_wrong_key_is_told_nothing(void **state)
{
	both_worlds(wrong_key);
}

/* A client made of OpenSSL alone, over the other end of a pair in memory. */
struct foreign {
	SSL_CTX *ctx;
	SSL *ssl;
	BIO *net; /* the network's end */
	struct stream *s;
};

static void foreign_init(struct foreign *f, struct stream *s)
{
	BIO *inner;

	f->s = s;
	f->ctx = SSL_CTX_new(TLS_client_method());
	f->ssl = SSL_new(f->ctx);
	assert_int_equal(BIO_new_bio_pair(&inner, 65536, &f->net, 65536), 1);
	SSL_set_bio(f->ssl, inner, inner);
	SSL_set_connect_state(f->ssl);
}

static void foreign_done(struct foreign *f)
{
	SSL_free(f->ssl);
	BIO_free(f->net);
	SSL_CTX_free(f->ctx);
	stream_close(f->s);
}

static void foreign_turn(struct foreign *f, struct world *w)
{
	char bytes[65536], plain[4096];
	int n;
	ssize_t got;

	if (SSL_is_init_finished(f->ssl))
		(void)!SSL_read(f->ssl, plain, sizeof(plain));
	else
		(void)!SSL_do_handshake(f->ssl);
	while ((n = BIO_read(f->net, bytes, sizeof(bytes))) > 0)
		assert_int_equal(stream_write(f->s, bytes, (size_t)n, NULL), n);
	loop_sim_advance(w->loop, USEC_PER_MS);
	got = stream_read(f->s, bytes, sizeof(bytes), NULL);
	if (got > 0)
		assert_int_equal(BIO_write(f->net, bytes, (int)got), got);
}

static void foreign_run(struct foreign *f, struct world *w)
{
	side_go(&w->g);
	for (int i = 0; i < 50 && !w->g.r; i++)
		foreign_turn(f, w);
}

static void offer_alpn(struct foreign *f)
{
	assert_int_equal(SSL_set_alpn_protos(f->ssl, (const uint8_t *)"\x0ahomeport/1", 11), 0);
}

static void test_tls_12_is_refused(void **state)
{
	struct foreign f;
	struct stream *end, *g;
	struct world w;

	world_init(&w, true);
	plain_pair(&w, &end, &g);
	server_on(&w, g);
	foreign_init(&f, end);
	offer_alpn(&f);
	SSL_set_max_proto_version(f.ssl, TLS1_2_VERSION);
	foreign_run(&f, &w);
	assert_int_equal(w.g.r, -ERR_INVALID);
	assert_non_null(strstr(w.g.e.text, "unsupported protocol"));
	foreign_done(&f);
	world_done(&w);
}

static void test_a_client_without_certificate_is_refused(void **state)
{
	struct foreign f;
	struct stream *end, *g;
	struct world w;

	world_init(&w, true);
	plain_pair(&w, &end, &g);
	server_on(&w, g);
	foreign_init(&f, end);
	offer_alpn(&f);
	foreign_run(&f, &w);
	assert_int_equal(w.g.r, -ERR_INVALID);
	assert_non_null(strstr(w.g.e.text, "certificate"));
	assert_false(tls_stream_ready(w.g.s));
	foreign_done(&f);
	world_done(&w);
}

static void test_a_client_without_alpn_is_refused(void **state)
{
	struct foreign f;
	struct stream *end, *g;
	struct world w;
	struct buf pem = {0};
	BIO *bio;
	EVP_PKEY *key;

	world_init(&w, true);
	plain_pair(&w, &end, &g);
	server_on(&w, g);
	foreign_init(&f, end);
	/* With a certificate, so that nothing else is missing. */
	assert_int_equal(tls_identity_format(w.agent, &pem, NULL), 0);
	bio = BIO_new_mem_buf(buf_head(&pem), (int)buf_len(&pem));
	key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
	X509 *certificate = X509_new();
	X509_set_pubkey(certificate, key);
	X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
	X509_gmtime_adj(X509_getm_notAfter(certificate), 60);
	X509_sign(certificate, key, EVP_sha256());
	assert_int_equal(SSL_use_certificate(f.ssl, certificate), 1);
	assert_int_equal(SSL_use_PrivateKey(f.ssl, key), 1);
	foreign_run(&f, &w);
	assert_int_equal(w.g.r, -ERR_INVALID);
	assert_non_null(strstr(w.g.e.text, "does not speak the link protocol"));
	assert_false(tls_stream_ready(w.g.s));
	X509_free(certificate);
	EVP_PKEY_free(key);
	BIO_free(bio);
	buf_done(&pem);
	foreign_done(&f);
	world_done(&w);
}

static void test_garbage_instead_of_a_handshake(void **state)
{
	static const struct str garbage[] = {
		{"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n", 32},
		{"GET / HTTP/1.1\r\nHost: gw.example.org\r\n\r\n", 40},
		{"\x16\x03\x01\x50\x01 a record longer than a record can be", 40},
		{"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00 a hello with nothing in it", 38},
	};

	for (size_t i = 0; i < ARRAY_LEN(garbage); i++) {
		struct stream *end, *g;
		struct world w;

		world_init(&w, true);
		plain_pair(&w, &end, &g);
		server_on(&w, g);
		side_go(&w.g);
		assert_int_equal(stream_write(end, garbage[i].at, garbage[i].len, NULL),
				 garbage[i].len);
		stream_close(end);
		loop_sim_advance(w.loop, USEC_PER_MS);
		assert_true(w.g.r < 0);
		assert_true(w.g.e.text[0]);
		assert_int_equal(stream_write(w.g.s, "x", 1, NULL), w.g.r);
		world_done(&w);
	}
}

static void test_closed_during_the_handshake(void **state)
{
	struct stream *end, *g;
	struct world w;

	world_init(&w, true);
	plain_pair(&w, &end, &g);
	server_on(&w, g);
	side_go(&w.g);
	stream_close(end);
	loop_sim_advance(w.loop, USEC_PER_MS);
	assert_int_equal(w.g.r, -ERR_RESET);
	assert_non_null(strstr(w.g.e.text, "during the TLS handshake"));
	world_done(&w);
}

/* ── the end ── */

static bool a_over(struct world *w)
{
	return w->a.r || w->a.ended;
}

static void truncation(struct world *w)
{
	struct stream *raw;

	connect_sides(w);
	w->g.to_send = 1000;
	side_go(&w->g);
	/* The other side vanishes without saying that this was all. */
	raw = tls_stream_lower(w->g.s);
	assert_int_equal(stream_shutdown(raw, NULL), 0);
	run_until(w, a_over);
	assert_int_equal(w->a.got, 1000);
	assert_false(w->a.ended);
	assert_int_equal(w->a.r, -ERR_RESET);
	assert_string_equal(w->a.e.text, "the other side closed the connection");
	assert_int_equal(stream_write(w->a.s, "x", 1, NULL), -ERR_RESET);
}

static void test_truncation_is_an_error(void **state)
{
	both_worlds(truncation);
}

static bool g_ended(struct world *w)
{
	return w->g.ended;
}

static bool a_ended(struct world *w)
{
	return w->a.ended;
}

static void half_close(struct world *w)
{
	connect_sides(w);
	w->a.to_send = 100000;
	w->a.end = true;
	side_go(&w->a);
	run_until(w, g_ended);
	assert_int_equal(w->g.got, 100000);
	assert_false(w->a.ended);
	w->g.to_send = 200000; /* the other direction goes on */
	w->g.end = true;
	side_go(&w->g);
	run_until(w, a_ended);
	assert_int_equal(w->a.got, 200000);
	assert_int_equal(w->a.r, 0);
	assert_int_equal(w->g.r, 0);
	assert_int_equal(stream_shutdown(w->a.s, NULL), 0); /* again: nothing happens */
}

static void test_half_close(void **state)
{
	both_worlds(half_close);
}

/* ── bytes ── */

static bool all_exchanged(struct world *w)
{
	return w->a.got == w->g.to_send && w->g.got == w->a.to_send && w->a.ended && w->g.ended;
}

static void exchange(struct world *w, uint64_t bytes, size_t a_step, size_t g_step)
{
	w->a.step = a_step;
	w->g.step = g_step;
	w->a.end = w->g.end = true;
	w->a.to_send = w->g.to_send = bytes;
	side_go(&w->a);
	side_go(&w->g);
	run_until(w, all_exchanged);
	assert_int_equal(w->a.r, 0);
	assert_int_equal(w->g.r, 0);
	assert_int_equal(stream_unsent(w->a.s), 0);
}

static void ten_mib(struct world *w)
{
	connect_sides(w);
	exchange(w, 10 * MIB, 100000, 70001);
}

/* One reads into buffers of a few bytes: the rest of what was received has to wait. */
static void small_buffers(struct world *w)
{
	connect_sides(w);
	exchange(w, MIB / 2, 17, 300000);
}

/* Both use the largest buffers there are. */
static void large_buffers(struct world *w)
{
	connect_sides(w);
	exchange(w, 10 * MIB, 512 * 1024, 512 * 1024);
}

static void test_ten_mib_both_ways(void **state)
{
	both_worlds(ten_mib);
}

static void test_small_buffers(void **state)
{
	both_worlds(small_buffers);
}

static void test_large_buffers(void **state)
{
	both_worlds(large_buffers);
}

/* Everything that came at once is there for a reader who takes it byte by byte, with no event in
 * between. */
static void test_a_reader_with_one_byte(void **state)
{
	struct world w;
	struct err e;
	uint8_t byte;

	world_init(&w, true);
	connect_sides(&w);
	w.a.hold = true;
	w.a.can_read = true;
	w.g.to_send = 40000;
	w.g.end = true;
	side_go(&w.g);
	loop_sim_advance(w.loop, USEC_PER_MS);
	for (int i = 0; i < 40000; i++) {
		assert_int_equal(stream_read(w.a.s, &byte, 1, &e), 1);
		assert_int_equal(byte, *bytes_at(w.g.seed, (uint64_t)i));
	}
	assert_int_equal(stream_read(w.a.s, &byte, 1, &e), 0);
	assert_int_equal(stream_read(w.a.s, &byte, 1, &e), 0);
	world_done(&w);
}

static bool a_writes_again(struct world *w)
{
	return w->a.sent == w->a.to_send;
}

static bool a_blocked(struct world *w)
{
	return !w->a.can_write;
}

static void blocked(struct world *w)
{
	uint64_t sent;

	connect_sides(w);
	w->g.hold = true;
	w->a.to_send = 64 * MIB;
	side_go(&w->a);
	run_until(w, a_blocked);
	sent = w->a.sent;
	assert_true(sent > 0 && sent < 64 * MIB);
	assert_int_equal(stream_write(w->a.s, "", 0, NULL), -ERR_AGAIN);
	assert_true(stream_unsent(w->a.s) > 0);
	w->a.to_send = sent + MIB;
	w->g.hold = false;
	w->g.can_read = true;
	w->a.events = 0;
	side_go(&w->g);
	run_until(w, a_writes_again);
	assert_true(w->a.events & STREAM_WRITABLE);
}

static void test_a_blocked_write_goes_on(void **state)
{
	both_worlds(blocked);
}

static void test_a_write_is_taken_whole_or_not(void **state)
{
	static uint8_t bytes[1024 * 1024];
	struct world w;
	ssize_t n;

	world_init(&w, true);
	connect_sides(&w);
	n = stream_write(w.a.s, bytes, sizeof(bytes), NULL); /* the pair holds 64 KiB */
	assert_int_equal(n, 256 * 1024);
	assert_true(stream_unsent(w.a.s) > 256 * 1024);
	assert_int_equal(stream_write(w.a.s, bytes, 1, NULL), -ERR_AGAIN);
	world_done(&w);
}

static void test_close_notify_waits_behind_the_bytes(void **state)
{
	struct world w;

	world_init(&w, true);
	connect_sides(&w);
	w.g.hold = true;
	w.a.step = 200000;
	w.a.to_send = 200000;
	side_go(&w.a);
	w.a.to_send = w.a.sent;
	assert_int_equal(stream_shutdown(w.a.s, NULL), 0);
	w.g.hold = false;
	w.g.can_read = true;
	side_go(&w.g);
	run_until(&w, g_ended);
	assert_int_equal(w.g.got, w.a.sent);
	assert_int_equal(w.g.r, 0);
	world_done(&w);
}

/* ── another thread ── */

struct move {
	struct world *w;
	struct loop *loop; /* of the thread */
	int r;
};

static void *other_thread(void *arg)
{
	struct move *m = arg;
	struct timer deadline;

	m->r = stream_attach(m->w->g.s, m->loop, NULL);
	if (m->r < 0)
		return NULL;
	timer_init(&deadline, m->loop, on_deadline, m->w);
	stream_set_handler(m->w->g.s, side_on_ready, &m->w->g);
	m->w->g.can_read = m->w->g.can_write = true;
	timer_start(&deadline, DEADLINE);
	side_go(&m->w->g);
	while (!(m->w->g.ended && m->w->g.shut) && !m->w->g.r && !m->w->too_late)
		loop_run(m->loop);
	timer_stop(&deadline);
	return NULL;
}

/* The gateway's end moves to a thread's loop; the agent's stays. Each thread has a world of its
 * own, so that nothing is shared but the connection. */
static void move_to_thread(bool ready)
{
	struct world here, there;
	struct stream *a, *g;
	struct move m = {.w = &there};
	pthread_t thread;

	world_init(&here, false);
	world_init(&there, false);
	plain_pair(&here, &a, &g);
	client_on(&here, a);
	assert_int_equal(tls_server_new(g, here.gateway, ALPN, &here.g.s, NULL), 0);
	stream_set_handler(here.g.s, side_on_ready, &here.g);
	here.g.hold = true;
	if (ready) {
		side_go(&here.a);
		run_until(&here, both_ready);
		here.a.to_send = 50000; /* some of it may be on the old loop's side already */
		side_go(&here.a);
		there.g.got = stream_read(here.g.s, &(uint8_t){0}, 1, NULL) == 1;
	}
	here.a.to_send = MIB;
	here.a.end = true;
	there.g.s = TAKE(here.g.s);
	there.g.to_send = MIB;
	there.g.end = true;
	stream_detach(there.g.s);
	m.loop = there.loop;
	assert_int_equal(pthread_create(&thread, NULL, other_thread, &m), 0);
	side_go(&here.a);
	timer_start(&here.deadline, DEADLINE);
	while (!here.a.ended && !here.a.r && !here.too_late)
		loop_run(here.loop);
	timer_stop(&here.deadline);
	pthread_join(thread, NULL);
	assert_int_equal(m.r, 0);
	assert_int_equal(here.a.r, 0);
	assert_int_equal(there.g.r, 0);
	assert_int_equal(here.a.got, MIB);
	assert_int_equal(there.g.got, MIB);
	world_done(&there);
	world_done(&here);
}

static void test_move_to_another_thread(void **state)
{
	move_to_thread(true);
}

static void test_move_before_the_handshake(void **state)
{
	move_to_thread(false);
}

/* ── identities ── */

static void test_identity_round_trip(void **state)
{
	struct tls_identity *made, *read;
	struct buf pem = {0}, again = {0};
	char text[TLS_KEY_HASH_TEXT_MAX];

	assert_int_equal(tls_identity_new(&made, NULL), 0);
	assert_int_equal(tls_identity_format(made, &pem, NULL), 0);
	assert_true(str_starts(buf_str(&pem), STR("-----BEGIN PRIVATE KEY-----\n")));
	assert_int_equal(tls_identity_parse(buf_str(&pem), &read, NULL), 0);
	assert_same_key(tls_identity_hash(made), tls_identity_hash(read));
	assert_int_equal(tls_identity_format(read, &again, NULL), 0);
	assert_true(str_eq(buf_str(&pem), buf_str(&again)));
	assert_int_equal(strlen(tls_key_hash_format(text, tls_identity_hash(made))), 64 + 15);
	assert_int_equal(text[4], ' ');
	tls_identity_free(made);
	tls_identity_free(read);
	buf_done(&pem);
	buf_done(&again);
}

static void test_damaged_identities(void **state)
{
	static const char *const damaged[] = {
		"",
		"\n",
		"no key at all",
		"-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n",
		"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
		"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
	};
	struct tls_identity *made, *read = NULL;
	struct buf pem = {0};
	struct err e;

	for (size_t i = 0; i < ARRAY_LEN(damaged); i++) {
		e = (struct err){0};
		assert_int_equal(tls_identity_parse(str_of(damaged[i]), &read, &e), -ERR_INVALID);
		assert_true(e.text[0]);
		assert_null(read);
	}
	assert_int_equal(tls_identity_new(&made, NULL), 0);
	assert_int_equal(tls_identity_format(made, &pem, NULL), 0);
	for (size_t len = 0; len + 2 < buf_len(&pem); len++) {
		assert_int_equal(tls_identity_parse(str_n((char *)buf_head(&pem), len), &read, &e),
				 -ERR_INVALID);
		assert_null(strstr(e.text, "MIG")); /* the key's first letters */
	}
	tls_identity_free(made);
	buf_done(&pem);
}

/* A key that can exchange secrets but not sign is of no use. */
static void test_a_key_that_cannot_sign(void **state)
{
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
	BIO *bio = BIO_new(BIO_s_mem());
	struct tls_identity *read = NULL;
	char *bytes;
	long len;

	assert_int_equal(PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL), 1);
	len = BIO_get_mem_data(bio, &bytes);
	assert_int_equal(tls_identity_parse(str_n(bytes, (size_t)len), &read, NULL), -ERR_INVALID);
	assert_null(read);
	BIO_free(bio);
	EVP_PKEY_free(key);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_handshake_tells_each_side_the_other_key),
		cmocka_unit_test(test_another_protocol_is_refused),
		cmocka_unit_test(test_a_wrong_key_is_told_nothing),
		cmocka_unit_test(test_tls_12_is_refused),
		cmocka_unit_test(test_a_client_without_certificate_is_refused),
		cmocka_unit_test(test_a_client_without_alpn_is_refused),
		cmocka_unit_test(test_garbage_instead_of_a_handshake),
		cmocka_unit_test(test_closed_during_the_handshake),
		cmocka_unit_test(test_truncation_is_an_error),
		cmocka_unit_test(test_half_close),
		cmocka_unit_test(test_ten_mib_both_ways),
		cmocka_unit_test(test_small_buffers),
		cmocka_unit_test(test_large_buffers),
		cmocka_unit_test(test_a_reader_with_one_byte),
		cmocka_unit_test(test_a_blocked_write_goes_on),
		cmocka_unit_test(test_a_write_is_taken_whole_or_not),
		cmocka_unit_test(test_close_notify_waits_behind_the_bytes),
		cmocka_unit_test(test_move_to_another_thread),
		cmocka_unit_test(test_move_before_the_handshake),
		cmocka_unit_test(test_identity_round_trip),
		cmocka_unit_test(test_damaged_identities),
		cmocka_unit_test(test_a_key_that_cannot_sign),
	};

	return cmocka_run_group_tests(tests, make_bytes, NULL);
}
