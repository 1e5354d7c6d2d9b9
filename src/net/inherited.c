#include "net/inherited.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "net/notify.h"

#define FIRST_FD 3 /* SD_LISTEN_FDS_START */

static int option(int fd, int level, int name)
{
	int value = 0;
	socklen_t len = sizeof(value);

	return getsockopt(fd, level, name, &value, &len) < 0 ? 0 : value;
}

/* False: not a listening TCP socket; it is closed. */
static bool adopt(struct inherited_sock *sock, int fd, struct str name)
{
	*sock = (struct inherited_sock){.fd = fd};
	sock_local_addr(fd, &sock->at.ip);
	if (!option(fd, SOL_SOCKET, SO_ACCEPTCONN) || sock->at.ip.family == 0 ||
	    option(fd, SOL_SOCKET, SO_TYPE) != SOCK_STREAM) {
		log_debug("descriptor %d is not a listening socket", fd);
		close(fd);
		return false;
	}
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	sock->dual = sock->at.ip.family == 6 && ipaddr_is_unspecified(&sock->at.ip) &&
		     !option(fd, IPPROTO_IPV6, IPV6_V6ONLY);
	snprintf(sock->name, sizeof(sock->name), "%.*s", STR_ARG(name));
	return true;
}

/* How many descriptors are meant for us. */
static size_t how_many(void)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
	uint64_t us, n;

	if (!pid || !fds || !str_to_u64(str_of(pid), INT32_MAX, &us) || us != (uint64_t)getpid() ||
	    !str_to_u64(str_of(fds), INT32_MAX, &n))
		return 0;
	return (size_t)MIN(n, INHERITED_MAX);
}

void inherited_collect(struct inherited *ret)
{
	const char *given = getenv("LISTEN_FDNAMES");
	struct str names = str_of(given ? given : "");
	size_t n = how_many();

	*ret = (struct inherited){.list = n ? calloc(n, sizeof(*ret->list)) : NULL};
	for (size_t i = 0; i < n && ret->list; i++) {
		struct str name = str_split(&names, ':');

		if (adopt(&ret->list[ret->n], FIRST_FD + (int)i, name))
			ret->n++;
	}
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
}

static bool is_at(const struct inherited_sock *sock, const struct sock_addr *at)
{
	return ipaddr_equal(&sock->at.ip, &at->ip);
}

size_t inherited_count(const struct inherited *in, const struct sock_addr *at)
{
	size_t n = 0;

	for (size_t i = 0; i < in->n; i++)
		n += is_at(&in->list[i], at);
	return n;
}

bool inherited_covers(const struct inherited *in, const struct sock_addr *at)
{
	for (size_t i = 0; i < in->n; i++)
		if (in->list[i].dual && at->ip.family == 4 && in->list[i].at.ip.port == at->ip.port)
			return true;
	return false;
}

int inherited_dup(struct inherited *in, const struct sock_addr *at, size_t i, struct err *e)
{
	for (size_t k = 0; k < in->n; k++) {
		int fd;

		if (!is_at(&in->list[k], at) || i-- > 0)
			continue;
		in->list[k].used = true;
		fd = fcntl(in->list[k].fd, F_DUPFD_CLOEXEC, FIRST_FD);
		return fd < 0 ? err_set_errno(e, ERR_FAILED, "an inherited socket") : fd;
	}
	return err_set(e, ERR_FAILED, "no such inherited socket");
}

void inherited_forget(const struct inherited *in)
{
	char text[128];

	for (size_t i = 0; i < in->n; i++) {
		if (in->list[i].used)
			continue;
		log_debug("not listening on %s any more", sock_addr_format(text, &in->list[i].at));
		notify_forget(in->list[i].name);
	}
}

void inherited_done(struct inherited *in)
{
	for (size_t i = 0; i < in->n; i++)
		close(in->list[i].fd);
	free(in->list);
	*in = (struct inherited){0};
}
