/*
 * For programs of others, by LD_PRELOAD: their wall clock is SHIFTED_CLOCK_S seconds ahead (or behind).
 * What runs on them by the monotonic clock stays as it is. libfaketime does more, and cannot do this to
 * programs with an allocator of their own (BIND).
 */
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static time_t shift(void)
{
	const char *text = getenv("SHIFTED_CLOCK_S");

	return text ? (time_t)atoll(text) : 0;
}

int clock_gettime(clockid_t clock, struct timespec *to)
{
	int r = (int)syscall(SYS_clock_gettime, clock, to);

	if (r == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
		to->tv_sec += shift();
	return r;
}

int gettimeofday(struct timeval *restrict to, void *restrict zone)
{
	struct timespec now;

	if (clock_gettime(CLOCK_REALTIME, &now) < 0)
		return -1;
	*to = (struct timeval){now.tv_sec, now.tv_nsec / 1000};
	return 0;
}

time_t time(time_t *to)
{
	struct timespec now;

	if (clock_gettime(CLOCK_REALTIME, &now) < 0)
		return -1;
	if (to)
		*to = now.tv_sec;
	return now.tv_sec;
}
