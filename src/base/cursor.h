/*
 * A reading cursor over bytes somebody else sent: every access checks bounds, an overrun sticks.
 *
 *	struct cursor c = cursor_over(packet, len);
 *	version = cursor_u8(&c);
 *	port = cursor_u16(&c);
 *	if (!cursor_ok(&c))
 *		return err_set(e, ERR_INVALID, "truncated");
 *
 * After an overrun each read yields 0 and an empty sub-cursor. Numbers are big-endian, as on the
 * wire. Nothing is allocated or copied; the bytes stay the caller's.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cursor {
	const uint8_t *at, *end; /* borrowed */
	bool overrun;
};

static inline struct cursor cursor_over(const void *bytes, size_t len)
{
	const uint8_t *at = bytes;

	return (struct cursor){.at = at, .end = len ? at + len : at}; /* NULL + 0 is not defined */
}

static inline bool cursor_ok(const struct cursor *c)
{
	return !c->overrun;
}

static inline size_t cursor_left(const struct cursor *c)
{
	return (size_t)(c->end - c->at);
}

/* The next n bytes, or NULL (and overrun) when there are not as many. */
static inline const uint8_t *cursor_take(struct cursor *c, size_t n)
{
	const uint8_t *p = c->at;

	if (c->overrun || cursor_left(c) < n) {
		c->overrun = true;
		c->at = c->end;
		return NULL;
	}
	if (n)
		c->at += n;
	return p;
}

static inline uint8_t cursor_u8(struct cursor *c)
{
	const uint8_t *p = cursor_take(c, 1);

	return p ? p[0] : 0;
}

static inline uint16_t cursor_u16(struct cursor *c)
{
	const uint8_t *p = cursor_take(c, 2);

	return p ? (uint16_t)(p[0] << 8 | p[1]) : 0;
}

static inline uint32_t cursor_u24(struct cursor *c)
{
	const uint8_t *p = cursor_take(c, 3);

	return p ? (uint32_t)(p[0] << 16 | p[1] << 8 | p[2]) : 0;
}

static inline uint32_t cursor_u32(struct cursor *c)
{
	const uint8_t *p = cursor_take(c, 4);

	return p ? (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3] : 0;
}

/* A cursor over the next n bytes, which are skipped in c. */
static inline struct cursor cursor_sub(struct cursor *c, size_t n)
{
	const uint8_t *p = cursor_take(c, n);

	if (c->overrun)
		return (struct cursor){.overrun = true};
	return cursor_over(p, n);
}
