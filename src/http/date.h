/* Dates as HTTP writes them (RFC 9110 §5.6.7), whole seconds since 1970 in UTC. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

#define HTTP_DATE_MAX 40

/* "Sun, 06 Nov 1994 08:49:37 GMT". Years beyond 0..9999 come out as 1970. Returns text. */
const char *http_date_format(char text[static HTTP_DATE_MAX], int64_t wall_s);

/* Any of the three forms a recipient must take: IMF-fixdate, RFC 850, asctime. False: none of them;
 * a condition with such a date is to be ignored. */
bool http_date_parse(struct str s, int64_t *ret_wall_s);
