#include "net/notify.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include "base/log.h"
#include "base/str.h"

/* False: nobody wants to know. */
static bool manager_address(struct sockaddr_un *un, socklen_t *ret_len)
{
	const char *path = getenv("NOTIFY_SOCKET");
	size_t len = path ? strlen(path) : 0;

	if (len < 2 || (path[0] != '/' && path[0] != '@') || len >= sizeof(un->sun_path))
		return false;
	*un = (struct sockaddr_un){.sun_family = AF_UNIX};
	memcpy(un->sun_path, path, len);
	if (path[0] == '@') /* abstract */
		un->sun_path[0] = '\0';
	*ret_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
	return true;
}

/* One datagram, and with it a descriptor (-1: none). */
static void tell(const char *text, int with)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(with))] = {0};
	struct iovec bytes = {.iov_base = (char *)text, .iov_len = strlen(text)};
	struct sockaddr_un un;
	struct msghdr message = {.msg_name = &un, .msg_iov = &bytes, .msg_iovlen = 1};
	AUTO(closep) int fd = -1;

	if (!manager_address(&un, &message.msg_namelen))
		return;
	if (with >= 0) {
		struct cmsghdr *rights;

		message.msg_control = control;
		message.msg_controllen = sizeof(control);
		rights = CMSG_FIRSTHDR(&message);
		rights->cmsg_level = SOL_SOCKET;
		rights->cmsg_type = SCM_RIGHTS;
		rights->cmsg_len = CMSG_LEN(sizeof(with));
		memcpy(CMSG_DATA(rights), &with, sizeof(with));
	}
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || sendmsg(fd, &message, MSG_NOSIGNAL) < 0)
		log_debug("the service manager was not told %s: %s", text, strerror(errno));
}

void notify(const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	tell(text, -1);
}

void notify_reloading(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now); /* the manager's clock, not the loop's */
	notify("RELOADING=1\nMONOTONIC_USEC=%llu", (unsigned long long)now.tv_sec * USEC_PER_S +
							   (unsigned long long)now.tv_nsec / 1000);
}

/* A number in the environment; 0 when it is not one. */
static uint64_t number(const char *name)
{
	const char *text = getenv(name);
	uint64_t n;

	return text && str_to_u64(str_of(text), INT64_MAX, &n) ? n : 0;
}

usec_t notify_watchdog(void)
{
	if (getenv("WATCHDOG_PID") && number("WATCHDOG_PID") != (uint64_t)getpid())
		return 0; /* meant for our parent */
	return (usec_t)number("WATCHDOG_USEC") / 2;
}

void notify_store(const char *name, int fd)
{
	char text[320];

	snprintf(text, sizeof(text), "FDSTORE=1\nFDNAME=%.255s", name);
	tell(text, fd);
}

void notify_forget(const char *name)
{
	notify("FDSTOREREMOVE=1\nFDNAME=%.255s", name);
}
