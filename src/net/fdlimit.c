#include "net/fdlimit.h"

#include <sys/resource.h>

#include "base/cleanup.h"
#include "base/log.h"

void fdlimit_raise(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == limit.rlim_max)
		return;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		log_debug("cannot raise the number of open files");
}

bool fdlimit_reserved(int fd)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY)
		return false;
	return (rlim_t)fd >= limit.rlim_cur - MIN(limit.rlim_cur / 4, FDLIMIT_RESERVE);
}
