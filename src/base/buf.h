/*
 * A growing byte buffer with a reading end: append at the tail, consume at the head.
 * Memory is kept at most at `max` bytes, set by whoever owns it; an append beyond it is refused
 * whole.
 */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

struct buf {
	uint8_t *bytes; /* owned */
	size_t head;	/* first byte not yet consumed */
	size_t tail;	/* behind the last byte */
	size_t size;	/* of the allocation */
	size_t max;	/* bytes held at most; 0: BUF_MAX */
};

#define BUF_MAX ((size_t)1 << 30)

void buf_init(struct buf *b, size_t max);
void buf_done(struct buf *b);

static inline void buf_donep(struct buf *b)
{
	buf_done(b);
}

static inline size_t buf_len(const struct buf *b)
{
	return b->tail - b->head;
}

/* NULL while there is no memory. */
static inline uint8_t *buf_head(const struct buf *b)
{
	return b->bytes ? b->bytes + b->head : NULL; /* arithmetic on NULL is undefined in C */
}

static inline struct str buf_str(const struct buf *b)
{
	return str_n((const char *)buf_head(b), buf_len(b));
}

/* Room for n more bytes at the tail, which buf_commit then counts; NULL: over max, or no memory. */
uint8_t *buf_reserve(struct buf *b, size_t n);

static inline void buf_commit(struct buf *b, size_t n)
{
	b->tail += n;
}

/* Append: 0, -ERR_LIMIT (over max) or -ERR_NOMEM; nothing is appended then. */
int buf_append(struct buf *b, const void *bytes, size_t n) MUST_CHECK;
int buf_append_str(struct buf *b, struct str s) MUST_CHECK;
int buf_printf(struct buf *b, const char *fmt, ...) PRINTF(2, 3) MUST_CHECK;

/* Drop n bytes at the head. An emptied buffer starts over at 0; its memory is kept. */
void buf_consume(struct buf *b, size_t n);

/* Give the memory back when empty: for buffers that are used only while somebody is blocked. */
void buf_release_if_empty(struct buf *b);
