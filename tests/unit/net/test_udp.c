#include "test.h"

#include <string.h>
#include <sys/socket.h>

#include "net/sock.h"
#include "net/udp.h"

static struct loop *loop;

static int setup(void **state)
{
	return loop_new(&loop, NULL);
}

static int teardown(void **state)
{
	loop_free(loop);
	return 0;
}

static struct ipaddr address(const char *text)
{
	struct ipaddr a;

	assert_int_equal(ipaddr_parse_port(str_of(text), &a), 0);
	return a;
}

/* On loopback what was sent is there. */
static int receive(int fd, struct udp_datagram got[static UDP_BATCH_MAX])
{
	return udp_receive(loop, fd, UDP_BATCH_MAX, got, NULL);
}

static unsigned send_one(int fd, const struct ipaddr *to, const void *bytes, size_t len)
{
	struct iovec iov = {.iov_base = (void *)bytes, .iov_len = len};

	return udp_send(fd, to, NULL, &iov, 1);
}

/* A server on every address answers from the one that was asked. */
static void answers_from_the_address_asked(const char *any, const char *asked)
{
	struct ipaddr at = {0}, to, bound;
	struct udp_datagram got[UDP_BATCH_MAX];
	struct iovec answer = {.iov_base = (void *)"answer", .iov_len = 6};
	int server, visitor;

	at.family = any[0] == '[' ? 6 : 4;
	assert_int_equal(udp_bind(&at, &server, NULL), 0);
	sock_local_addr(server, &bound);
	to = address(asked);
	to.port = bound.port;
	if (udp_connect(&to, &visitor, NULL) < 0) {
		close(server);
		skip();
	}
	assert_int_equal(send_one(visitor, NULL, "question", 8), 1);
	assert_int_equal(receive(server, got), 1);
	assert_int_equal(got[0].len, 8);
	assert_memory_equal(got[0].bytes, "question", 8);
	to.port = 0;
	assert_true(ipaddr_equal(&got[0].local, &to));
	struct ipaddr peer = got[0].peer, local = got[0].local;

	assert_int_equal(udp_send(server, &peer, &local, &answer, 1), 1);
	assert_int_equal(receive(visitor, got), 1); /* connected: only from there */
	assert_memory_equal(got[0].bytes, "answer", 6);
	assert_int_equal(receive(visitor, got), -ERR_AGAIN);
	close(server);
	close(visitor);
}

static void answers_ipv4(void **state)
{
	answers_from_the_address_asked("0.0.0.0:0", "127.0.0.77:1");
}

static void answers_ipv6(void **state)
{
	answers_from_the_address_asked("[::]:0", "[::1]:1");
}

static void all_sizes(void **state)
{
	static const size_t sizes[] = {0, 1, 1200, 1472, 9000, 65507};
	struct udp_datagram got[UDP_BATCH_MAX];
	struct ipaddr at = address("127.0.0.1:1"), bound;
	uint8_t *bytes = malloc(65507);
	int server, visitor;

	at.port = 0;
	for (size_t i = 0; i < 65507; i++)
		bytes[i] = (uint8_t)(i * 13 + i / 256);
	assert_int_equal(udp_bind(&at, &server, NULL), 0);
	sock_local_addr(server, &bound);
	assert_int_equal(udp_connect(&bound, &visitor, NULL), 0);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
		assert_int_equal(send_one(visitor, NULL, bytes, sizes[i]), 1);
	assert_int_equal(receive(server, got), ARRAY_LEN(sizes));
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		assert_int_equal(got[i].len, sizes[i]);
		if (sizes[i])
			assert_memory_equal(got[i].bytes, bytes, sizes[i]);
	}
	close(server);
	close(visitor);
	free(bytes);
}

/* One that no socket can send does not take the others with it. */
static void goes_on_behind_a_failure(void **state)
{
	struct udp_datagram got[UDP_BATCH_MAX];
	struct ipaddr at = address("127.0.0.1:1"), bound;
	uint8_t *bytes = calloc(1, 70000);
	struct iovec list[] = {{bytes, 1}, {bytes, 70000}, {bytes, 3}};
	int server, visitor;

	at.port = 0;
	assert_int_equal(udp_bind(&at, &server, NULL), 0);
	sock_local_addr(server, &bound);
	assert_int_equal(udp_connect(&bound, &visitor, NULL), 0);
	assert_int_equal(udp_send(visitor, NULL, NULL, list, 3), 2);
	assert_int_equal(receive(server, got), 2);
	assert_int_equal(got[1].len, 3);
	close(server);
	close(visitor);
	free(bytes);
}

/* What fits into a queue, by the longest that came. */
static void next_batch(void **state)
{
	struct udp_datagram list[] = {{.len = 0}, {.len = 1200}, {.len = 9000}, {.len = 65507}};

	assert_int_equal(udp_next_batch(65513, list, 1), UDP_BATCH_MAX);
	assert_int_equal(udp_next_batch(65513, list, 2), UDP_BATCH_MAX);
	assert_int_equal(udp_next_batch(65513, list, 3), 7);
	assert_int_equal(udp_next_batch(65513, list, 4), 1);
	assert_int_equal(udp_next_batch(10, list, 4), 1);
}

static void port_in_use(void **state)
{
	struct ipaddr at = address("127.0.0.1:1"), bound;
	struct err e = {0};
	int one, other;

	at.port = 0;
	assert_int_equal(udp_bind(&at, &one, NULL), 0);
	sock_local_addr(one, &bound);
	assert_int_equal(udp_bind(&bound, &other, &e), -ERR_EXISTS);
	assert_non_null(strstr(e.text, "UDP on 127.0.0.1:"));
	close(one);
}

static void nobody_listens(void **state)
{
	struct udp_datagram got[UDP_BATCH_MAX];
	struct ipaddr at = address("127.0.0.1:1"), bound;
	struct err e = {0};
	int server, visitor;

	at.port = 0;
	assert_int_equal(udp_bind(&at, &server, NULL), 0);
	sock_local_addr(server, &bound);
	close(server);
	assert_int_equal(udp_connect(&bound, &visitor, NULL), 0);
	assert_int_equal(send_one(visitor, NULL, "x", 1), 1);
	assert_int_equal(udp_receive(loop, visitor, 1, got, &e), -ERR_REFUSED);
	assert_int_equal(udp_receive(loop, visitor, 1, got, &e), -ERR_AGAIN);
	close(visitor);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_ipv4),	  cmocka_unit_test(answers_ipv6),
		cmocka_unit_test(all_sizes),	  cmocka_unit_test(goes_on_behind_a_failure),
		cmocka_unit_test(next_batch),	  cmocka_unit_test(port_in_use),
		cmocka_unit_test(nobody_listens),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
