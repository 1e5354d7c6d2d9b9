#include "http/date.h"

#include <stdio.h>
#include <time.h>

#include "base/cleanup.h"

static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
				     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

const char *http_date_format(char text[static HTTP_DATE_MAX], int64_t wall_s)
{
	time_t t = (time_t)wall_s;
	struct tm tm;

	if (!gmtime_r(&t, &tm) || tm.tm_year < -1900 || tm.tm_year > 8099) {
		t = 0;
		gmtime_r(&t, &tm);
	}
	snprintf(text, HTTP_DATE_MAX, "%s, %02d %s %04d %02d:%02d:%02d GMT", days[tm.tm_wday],
		 tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min,
		 tm.tm_sec);
	return text;
}

/* What the three forms have in common, once they are taken apart. */
struct parts {
	int day, year, hour, minute, second;
	char month[4];
};

static bool to_seconds(const struct parts *p, int64_t *ret_wall_s)
{
	struct tm tm = {.tm_mday = p->day,
			.tm_year = p->year - 1900,
			.tm_hour = p->hour,
			.tm_min = p->minute,
			.tm_sec = p->second,
			.tm_mon = -1};

	for (size_t i = 0; i < ARRAY_LEN(months); i++)
		if (strcmp(p->month, months[i]) == 0)
			tm.tm_mon = (int)i;
	if (tm.tm_mon < 0 || p->day < 1 || p->day > 31 || p->hour < 0 || p->hour > 23 ||
	    p->minute < 0 || p->minute > 59 || p->second < 0 || p->second > 60 || p->year < 0)
		return false;
	*ret_wall_s = timegm(&tm);
	return true;
}

bool http_date_parse(struct str s, int64_t *ret_wall_s)
{
	char text[HTTP_DATE_MAX];
	struct parts p = {0};
	int end = -1;

	if (!str_copy(text, sizeof(text), s))
		return false;
	if (sscanf(text, "%*3[A-Za-z], %2d %3s %4d %2d:%2d:%2d GMT%n", &p.day, p.month, &p.year,
		   &p.hour, &p.minute, &p.second, &end) == 6 &&
	    end == (int)s.len)
		return to_seconds(&p, ret_wall_s);
	end = -1;
	if (sscanf(text, "%*9[A-Za-z], %2d-%3s-%2d %2d:%2d:%2d GMT%n", &p.day, p.month, &p.year,
		   &p.hour, &p.minute, &p.second, &end) == 6 &&
	    end == (int)s.len) {
		p.year += p.year < 70 ? 2000 : 1900;
		return to_seconds(&p, ret_wall_s);
	}
	end = -1;
	if (sscanf(text, "%*3[A-Za-z] %3s %2d %2d:%2d:%2d %4d%n", p.month, &p.day, &p.hour,
		   &p.minute, &p.second, &p.year, &end) == 6 &&
	    end == (int)s.len)
		return to_seconds(&p, ret_wall_s);
	return false;
}
