#include "test.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/sock.h"
#include "net/sockdiag.h"

static struct ipaddr address(const char *text, uint16_t port)
{
	struct ipaddr a;

	assert_int_equal(ipaddr_parse(str_of(text), &a), 0);
	a.port = port;
	return a;
}

/* A server of this type at `text`, on a port of the kernel's. */
static int serve(int type, const char *text, uint16_t *ret_port)
{
	struct ipaddr at = address(text, 0), bound;
	struct sockaddr_storage ss;
	socklen_t len = ipaddr_to_sockaddr(&at, &ss);
	int fd = socket(at.family == 6 ? AF_INET6 : AF_INET, type | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	if (bind(fd, (struct sockaddr *)&ss, len) < 0) {
		close(fd);
		skip(); /* no IPv6 here */
	}
	if (type == SOCK_STREAM)
		assert_int_equal(listen(fd, 1), 0);
	sock_local_addr(fd, &bound);
	*ret_port = bound.port;
	return fd;
}

static enum sockdiag_listens ask(uint8_t protocol, const char *text, uint16_t port)
{
	struct ipaddr at = address(text, port);
	enum sockdiag_listens listens;
	struct err e = {0};

	if (sockdiag_listens(protocol, &at, &listens, &e) < 0)
		skip(); /* a kernel without sock_diag */
	return listens;
}

static void expect(int type, const char *bound, const char *asked, enum sockdiag_listens wanted)
{
	uint8_t protocol = type == SOCK_STREAM ? IPPROTO_TCP : IPPROTO_UDP;
	uint8_t other = type == SOCK_STREAM ? IPPROTO_UDP : IPPROTO_TCP;
	uint16_t port;
	int fd = serve(type, bound, &port);

	assert_int_equal(ask(protocol, asked, port), wanted);
	assert_int_equal(ask(other, asked, port), SOCKDIAG_NOBODY);
	close(fd);
	assert_int_equal(ask(protocol, asked, port), SOCKDIAG_NOBODY);
}

static void test_loopback_is_not_enough(void **state)
{
	expect(SOCK_STREAM, "127.0.0.1", "192.0.2.1", SOCKDIAG_LOOPBACK);
	expect(SOCK_DGRAM, "127.0.0.1", "192.0.2.1", SOCKDIAG_LOOPBACK);
	expect(SOCK_STREAM, "::1", "2001:db8::1", SOCKDIAG_LOOPBACK);
}

static void test_every_address(void **state)
{
	expect(SOCK_STREAM, "0.0.0.0", "192.0.2.1", SOCKDIAG_YES);
	expect(SOCK_DGRAM, "0.0.0.0", "192.0.2.1", SOCKDIAG_YES);
	expect(SOCK_STREAM, "::", "2001:db8::1", SOCKDIAG_YES);
	expect(SOCK_STREAM, "::", "192.0.2.1", SOCKDIAG_YES);
	expect(SOCK_STREAM, "0.0.0.0", "2001:db8::1", SOCKDIAG_NOBODY);
}

static void test_this_address(void **state)
{
	expect(SOCK_STREAM, "127.0.0.3", "127.0.0.3", SOCKDIAG_YES);
	expect(SOCK_DGRAM, "127.0.0.3", "127.0.0.3", SOCKDIAG_YES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_loopback_is_not_enough),
		cmocka_unit_test(test_every_address),
		cmocka_unit_test(test_this_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
