/*
 * Borrowed text with a length. What comes from a network or a file is never NUL-terminated here;
 * lengths are carried.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct str {
	const char *at; /* borrowed; may be NULL when len is 0 */
	size_t len;
};

#define STR(literal) ((struct str){(literal), sizeof(literal) - 1})
/* For printf: "%.*s", STR_ARG(s) */
#define STR_ARG(s) (int)(s).len, (s).at ? (s).at : ""

static inline struct str str_of(const char *text)
{
	return (struct str){text, text ? strlen(text) : 0};
}

static inline struct str str_n(const char *at, size_t len)
{
	return (struct str){at, len};
}

bool str_eq(struct str a, struct str b);
bool str_eq_nocase(struct str a, struct str b); /* ASCII letters only */
bool str_starts(struct str s, struct str prefix);
bool str_ends_nocase(struct str s, struct str suffix);

/* Without leading and trailing space and tab. */
struct str str_trim(struct str s);

/* Offset of the first `c`, or -1. */
ptrdiff_t str_find(struct str s, char c);

/* Cut at the first `sep`: the part before it; *rest becomes what follows (empty when there is no
 * sep). */
struct str str_split(struct str *rest, char sep);

/* A NUL-terminated copy (owned by the caller), or NULL without memory. */
char *str_dup(struct str s);

/* Copy into a NUL-terminated array. False (and an empty string) when it does not fit or holds a
 * NUL. */
bool str_copy(char *to, size_t size, struct str s);

/* An unsigned decimal number without sign or spaces, at most `max`. False when it is none. */
bool str_to_u64(struct str s, uint64_t max, uint64_t *ret);

/* Edit distance (Levenshtein, case-insensitive), for "did you mean"; both at most 64 bytes,
 * else 64. */
unsigned str_distance(struct str a, struct str b);

/* ASCII lower case of one byte. */
static inline char str_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

/* The value of a hexadecimal digit of either case, or -1. */
static inline int str_hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = str_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}
