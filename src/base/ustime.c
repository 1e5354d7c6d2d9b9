#include "base/ustime.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static usec_t ustime_clock(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (usec_t)ts.tv_sec * USEC_PER_S + (usec_t)ts.tv_nsec / 1000;
}

usec_t ustime_boot(void)
{
	return ustime_clock(CLOCK_BOOTTIME);
}

usec_t ustime_wall(void)
{
	return ustime_clock(CLOCK_REALTIME);
}

const char *ustime_format_span(char text[static USTIME_TEXT_MAX], usec_t span)
{
	unsigned long long s = span / USEC_PER_S;
	unsigned tenth = (unsigned)(span / (USEC_PER_S / 10) % 10);

	if (span == 0)
		strcpy(text, "0 s");
	else if (span < USEC_PER_S)
		snprintf(text, USTIME_TEXT_MAX, "%llu ms",
			 (unsigned long long)(span / USEC_PER_MS));
	else if (s < 10 && tenth)
		snprintf(text, USTIME_TEXT_MAX, "%llu.%u s", s, tenth);
	else if (s < 120)
		snprintf(text, USTIME_TEXT_MAX, "%llu s", s);
	else if (s < 7200)
		snprintf(text, USTIME_TEXT_MAX, "%llu min", s / 60);
	else if (s < 172800)
		snprintf(text, USTIME_TEXT_MAX, "%llu h", s / 3600);
	else
		snprintf(text, USTIME_TEXT_MAX, "%llu d", s / 86400);
	return text;
}

const char *ustime_format_wall(char text[static USTIME_TEXT_MAX], usec_t wall)
{
	time_t t = (time_t)(wall / USEC_PER_S);
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(text, USTIME_TEXT_MAX, "%Y-%m-%dT%H:%M:%SZ", &tm);
	return text;
}
