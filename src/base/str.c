#include "base/str.h"

#include <stdlib.h>

#include "base/cleanup.h"

bool str_eq(struct str a, struct str b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

bool str_eq_nocase(struct str a, struct str b)
{
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++)
		if (str_lower(a.at[i]) != str_lower(b.at[i]))
			return false;
	return true;
}

bool str_starts(struct str s, struct str prefix)
{
	return s.len >= prefix.len && str_eq(str_n(s.at, prefix.len), prefix);
}

bool str_ends_nocase(struct str s, struct str suffix)
{
	return suffix.len == 0 ||
	       (s.len >= suffix.len &&
		str_eq_nocase(str_n(s.at + s.len - suffix.len, suffix.len), suffix));
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

struct str str_trim(struct str s)
{
	while (s.len && is_blank(s.at[0])) {
		s.at++;
		s.len--;
	}
	while (s.len && is_blank(s.at[s.len - 1]))
		s.len--;
	return s;
}

ptrdiff_t str_find(struct str s, char c)
{
	const char *p = s.len ? memchr(s.at, c, s.len) : NULL;

	return p ? p - s.at : -1;
}

struct str str_split(struct str *rest, char sep)
{
	struct str whole = *rest;
	ptrdiff_t at = str_find(whole, sep);

	if (at < 0) {
		*rest = str_n(whole.len ? whole.at + whole.len : whole.at, 0);
		return whole;
	}
	*rest = str_n(whole.at + at + 1, whole.len - (size_t)at - 1);
	return str_n(whole.at, (size_t)at);
}

char *str_dup(struct str s)
{
	char *copy = malloc(s.len + 1);

	if (!copy)
		return NULL;
	if (s.len)
		memcpy(copy, s.at, s.len);
	copy[s.len] = '\0';
	return copy;
}

bool str_copy(char *to, size_t size, struct str s)
{
	to[0] = '\0';
	if (s.len >= size || (s.len && memchr(s.at, '\0', s.len)))
		return false;
	if (s.len)
		memcpy(to, s.at, s.len);
	to[s.len] = '\0';
	return true;
}

bool str_to_u64(struct str s, uint64_t max, uint64_t *ret)
{
	uint64_t n = 0;

	if (s.len == 0)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		unsigned digit = (unsigned)(s.at[i] - '0');

		if (s.at[i] < '0' || s.at[i] > '9')
			return false;
		if (n > (UINT64_MAX - digit) / 10)
			return false;
		n = n * 10 + digit;
	}
	if (n > max)
		return false;
	*ret = n;
	return true;
}

#define DISTANCE_MAX 64

unsigned str_distance(struct str a, struct str b)
{
	unsigned row[DISTANCE_MAX + 1];

	if (a.len > DISTANCE_MAX || b.len > DISTANCE_MAX)
		return DISTANCE_MAX;
	for (unsigned j = 0; j <= b.len; j++)
		row[j] = j;
	for (unsigned i = 1; i <= a.len; i++) {
		unsigned diagonal = row[0];

		row[0] = i;
		for (unsigned j = 1; j <= b.len; j++) {
			unsigned above = row[j];
			bool same = str_lower(a.at[i - 1]) == str_lower(b.at[j - 1]);
			unsigned replace = diagonal + !same;

			row[j] = MIN(replace, MIN(row[j - 1], above) + 1);
			diagonal = above;
		}
	}
	return row[b.len];
}
