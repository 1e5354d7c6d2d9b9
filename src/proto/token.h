/* The token of HTTP's grammar (RFC 9110 §5.6.2): names of methods, fields and parameters; and lists
 * of them (§5.6.1): elements between commas, blanks around them, empty ones mean nothing. */
#pragma once

#include "base/str.h"

static inline bool token_char(char c)
{
	char low = str_lower(c);

	return (low >= 'a' && low <= 'z') || (c >= '0' && c <= '9') ||
	       (c && strchr("!#$%&'*+-.^_`|~", c));
}

/* Whether s is one token: not empty, and nothing else in it. */
static inline bool token_valid(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!token_char(s.at[i]))
			return false;
	return s.len > 0;
}

/* Whether the list names `word` (compared without case). */
static inline bool token_list_has(struct str list, struct str word)
{
	while (list.len)
		if (str_eq_nocase(str_trim(str_split(&list, ',')), word))
			return true;
	return false;
}
