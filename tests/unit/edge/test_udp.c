/* Flows to a real UDP socket on loopback, driven as the link would: capsules in and out. */
#include "test.h"

#include <stdio.h>
#include <string.h>

#include "edge/service.h"
#include "net/mem.h"
#include "net/sock.h"
#include "net/udp.h"
#include "proto/capsule.h"

#define PATIENCE (10 * USEC_PER_S)

struct world {
	struct loop *loop;
	struct sock_addr at;
	int server;
	struct edge_service *service;
	struct edge_opening *opening;
	struct stream *flow; /* the visitor's side */
	int opened;	     /* r of done; 1: not yet */
	unsigned requests;
	struct edge_request request;
	char note[512];
	struct timer tick;
	bool (*until)(struct world *w);
	usec_t deadline;
	uint8_t got[256];
	ssize_t n_got;
};

static void on_request(void *arg, const struct edge_request *r)
{
	struct world *w = arg;

	w->requests++;
	w->request = *r;
	snprintf(w->note, sizeof(w->note), "%s", r->note ? r->note : "");
}

static const struct edge_events events = {.on_request = on_request};

static void on_tick(void *arg)
{
	struct world *w = arg;

	if (w->until(w) || loop_now(w->loop) > w->deadline)
		loop_stop(w->loop);
	else
		timer_start(&w->tick, USEC_PER_MS);
}

static void wait_until(struct world *w, bool (*until)(struct world *w))
{
	w->until = until;
	w->deadline = loop_now(w->loop) + PATIENCE;
	timer_start(&w->tick, 0);
	loop_run(w->loop);
	assert_true(until(w));
}

static bool a_moment(struct world *w)
{
	return loop_now(w->loop) + PATIENCE > w->deadline + 5 * USEC_PER_MS;
}

static bool is_open(struct world *w)
{
	return w->opened <= 0;
}

static bool is_reported(struct world *w)
{
	return w->requests > 0;
}

/* Something was read from the flow, or its end. */
static bool has_read(struct world *w)
{
	if (w->n_got == -ERR_AGAIN)
		w->n_got = stream_read(w->flow, w->got, sizeof(w->got), NULL);
	return w->n_got != -ERR_AGAIN;
}

static void wait_read(struct world *w)
{
	w->n_got = -ERR_AGAIN;
	wait_until(w, has_read);
}

static void listen_again(struct world *w)
{
	assert_int_equal(udp_bind(&w->at.ip, &w->server, NULL), 0);
	sock_local_addr(w->server, &w->at.ip);
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct edge_spec spec = {.kind = EDGE_UDP, .id = "game"};

	assert_int_equal(loop_new(&w->loop, NULL), 0);
	timer_init(&w->tick, w->loop, on_tick, w);
	w->at = (struct sock_addr){.ip = {.family = 4, .bytes = {127, 0, 0, 1}}};
	listen_again(w);
	spec.to = w->at;
	assert_int_equal(edge_service_new(w->loop, &spec, &events, w, &w->service, NULL), 0);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	edge_open_cancel(w->opening);
	stream_close(w->flow);
	edge_service_free(w->service);
	wait_until(w, a_moment);
	close(w->server);
	loop_free(w->loop);
	free(w);
	return 0;
}

static void on_open(void *arg, int r, struct stream *s, const struct err *e)
{
	struct world *w = arg;

	w->opening = NULL;
	w->opened = r;
	w->flow = s;
}

static struct edge_visitor visitor_of(const char *proto)
{
	struct edge_visitor visitor = {.addr = {.family = 4, .bytes = {192, 0, 2, 7}}};

	strcpy(visitor.proto, proto);
	return visitor;
}

static void visit(struct world *w)
{
	struct edge_visitor visitor = visitor_of("udp");

	w->opened = 1;
	assert_int_equal(edge_open(w->service, &visitor, on_open, w, &w->opening, NULL), 0);
	assert_int_equal(w->opened, 1);
}

static void visit_and_open(struct world *w)
{
	visit(w);
	wait_until(w, is_open);
	assert_int_equal(w->opened, 0);
}

/* A capsule of one short datagram. */
static void put(struct stream *s, const char *text)
{
	uint8_t bytes[64];
	size_t n = capsule_encode_head(bytes, strlen(text));

	memcpy(bytes + n, text, strlen(text));
	n += strlen(text);
	assert_int_equal(stream_write(s, bytes, n, NULL), n);
}

static void server_answers(struct world *w, const char *expected, const char *answer)
{
	struct iovec iov = {.iov_base = (void *)answer, .iov_len = strlen(answer)};
	struct udp_datagram list[UDP_BATCH_MAX];
	struct ipaddr peer;

	assert_int_equal(udp_receive(w->loop, w->server, UDP_BATCH_MAX, list, NULL), 1);
	assert_int_equal(list[0].len, strlen(expected));
	assert_memory_equal(list[0].bytes, expected, list[0].len);
	peer = list[0].peer;
	assert_int_equal(udp_send(w->server, &peer, NULL, &iov, 1), 1);
}

static void expect(struct world *w, const char *text)
{
	wait_read(w);
	assert_int_equal(w->n_got, strlen(text) + 3);
	assert_memory_equal(w->got + 3, text, strlen(text));
}

static void there_and_back(void **state)
{
	struct world *w = *state;

	visit_and_open(w);
	assert_int_equal(edge_service_visitors(w->service), 1);
	put(w->flow, "question");
	server_answers(w, "question", "answer!");
	expect(w, "answer!");
	assert_int_equal(w->requests, 0);
	stream_close(TAKE(w->flow));
	assert_int_equal(w->requests, 1);
	assert_int_equal(w->request.kind, EDGE_UDP);
	assert_int_equal(w->request.bytes_in, 8);
	assert_int_equal(w->request.bytes_out, 7);
	assert_string_equal(w->note, "");
	assert_int_equal(edge_service_visitors(w->service), 0);
}

/* Its socket is closed while nobody listens, and opened again: the flow stays. */
static void nobody_listens(void **state)
{
	struct world *w = *state;
	char expected[64];

	visit_and_open(w);
	close(w->server);
	put(w->flow, "lost");
	wait_until(w, a_moment);
	listen_again(w);
	put(w->flow, "found");
	server_answers(w, "found", "yes");
	expect(w, "yes");
	close(w->server);
	put(w->flow, "lost");
	wait_until(w, a_moment);
	stream_close(TAKE(w->flow));
	snprintf(expected, sizeof(expected), "nothing listens on 127.0.0.1:%u (UDP)",
		 w->at.ip.port);
	assert_string_equal(w->note, expected);
	listen_again(w);
}

static void the_service_goes(void **state)
{
	struct world *w = *state;

	visit_and_open(w);
	edge_service_free(TAKE(w->service));
	wait_read(w);
	assert_int_equal(w->n_got, 0);
	put(w->flow, "too late");
}

static void the_service_goes_while_it_is_opened(void **state)
{
	struct world *w = *state;

	visit(w);
	edge_service_free(TAKE(w->service));
	wait_until(w, is_open);
	wait_read(w);
	assert_int_equal(w->n_got, 0);
}

static void opening_is_cancelled(void **state)
{
	struct world *w = *state;

	visit(w);
	edge_open_cancel(TAKE(w->opening));
	assert_int_equal(edge_service_visitors(w->service), 0);
}

static void served_over_a_stream(void **state)
{
	struct edge_visitor visitor = visitor_of("udp");
	struct world *w = *state;
	struct stream *theirs;

	assert_int_equal(mem_pair_new(w->loop, 0, &theirs, &w->flow, NULL), 0);
	edge_serve(w->service, &visitor, theirs);
	put(w->flow, "question");
	wait_until(w, a_moment);
	server_answers(w, "question", "answer!");
	expect(w, "answer!");
	assert_int_equal(stream_shutdown(w->flow, NULL), 0);
	wait_until(w, is_reported);
	assert_int_equal(w->request.bytes_in, 8);
	assert_int_equal(w->request.bytes_out, 7);
	wait_read(w);
	assert_int_equal(w->n_got, 0);
	assert_int_equal(edge_service_visitors(w->service), 0);
}

static void served_until_the_service_goes(void **state)
{
	struct edge_visitor visitor = visitor_of("udp");
	struct world *w = *state;
	struct stream *theirs;

	assert_int_equal(mem_pair_new(w->loop, 0, &theirs, &w->flow, NULL), 0);
	edge_serve(w->service, &visitor, theirs);
	edge_service_free(TAKE(w->service));
	wait_read(w);
	assert_int_equal(w->n_got, -ERR_RESET);
}

/* Bytes are not taken for datagrams, nor datagrams for bytes. */
static void only_udp(void **state)
{
	struct edge_visitor tcp = visitor_of("tcp"), udp = visitor_of("udp");
	struct edge_spec spec = {.kind = EDGE_TCP, .id = "ssh"};
	struct world *w = *state;
	struct edge_service *ssh;

	assert_int_equal(edge_open(w->service, &tcp, on_open, w, &w->opening, NULL), -ERR_REFUSED);
	spec.to = w->at;
	assert_int_equal(edge_service_new(w->loop, &spec, &events, w, &ssh, NULL), 0);
	assert_int_equal(edge_open(ssh, &udp, on_open, w, &w->opening, NULL), -ERR_REFUSED);
	edge_service_free(ssh);
}

static void on_checked(void *arg, int r, const struct err *e)
{
	struct world *w = arg;

	w->opened = r;
	snprintf(w->note, sizeof(w->note), "%s", e->text);
}

static int check(struct world *w)
{
	struct edge_check *check;

	w->opened = 1;
	assert_int_equal(edge_check_start(w->service, on_checked, w, &check, NULL), 0);
	wait_until(w, is_open);
	return w->opened;
}

static void is_it_there(void **state)
{
	struct edge_spec spec = {.kind = EDGE_UDP, .id = "far", .to.ip = {.family = 4, .port = 53}};
	struct world *w = *state;
	char expected[64];

	assert_int_equal(check(w), 0);
	close(w->server);
	assert_int_equal(check(w), -ERR_REFUSED);
	snprintf(expected, sizeof(expected), "nothing listens on 127.0.0.1:%u (UDP)",
		 w->at.ip.port);
	assert_string_equal(w->note, expected);
	listen_again(w);
	edge_service_free(TAKE(w->service));
	memcpy(spec.to.ip.bytes, (uint8_t[]){192, 0, 2, 1}, 4);
	assert_int_equal(edge_service_new(w->loop, &spec, &events, w, &w->service, NULL), 0);
	assert_int_equal(check(w), -ERR_AGAIN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(there_and_back),
		TEST(nobody_listens),
		TEST(the_service_goes),
		TEST(the_service_goes_while_it_is_opened),
		TEST(opening_is_cancelled),
		TEST(served_over_a_stream),
		TEST(served_until_the_service_goes),
		TEST(only_udp),
		TEST(is_it_there),
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
