#include "base/buf.h"

#include <assert.h>
#include <stdio.h>

void buf_init(struct buf *b, size_t max)
{
	*b = (struct buf){.max = max};
}

void buf_done(struct buf *b)
{
	free(b->bytes);
	*b = (struct buf){.max = b->max};
}

static void buf_compact(struct buf *b)
{
	if (b->head == 0)
		return;
	memmove(b->bytes, b->bytes + b->head, buf_len(b));
	b->tail -= b->head;
	b->head = 0;
}

uint8_t *buf_reserve(struct buf *b, size_t n)
{
	size_t max = b->max ? b->max : BUF_MAX;
	size_t need, size;
	uint8_t *grown;

	if (n > max || buf_len(b) > max - n)
		return NULL;
	if (b->bytes && b->size - b->tail >= n)
		return b->bytes + b->tail;
	if (b->head)
		buf_compact(b);
	need = buf_len(b) + n;
	if (b->bytes && need <= b->size)
		return b->bytes + b->tail;
	for (size = b->size ? b->size : 256; size < need;)
		size *= 2;
	size = MIN(size, max);
	size = MAX(size, MAX(need, 1));
	grown = realloc(b->bytes, size);
	if (!grown)
		return NULL;
	b->bytes = grown;
	b->size = size;
	return b->bytes + b->tail;
}

int buf_append(struct buf *b, const void *bytes, size_t n)
{
	size_t max = b->max ? b->max : BUF_MAX;
	uint8_t *to;

	if (n > max || buf_len(b) > max - n)
		return -ERR_LIMIT;
	to = buf_reserve(b, n);
	if (!to)
		return -ERR_NOMEM;
	if (n)
		memcpy(to, bytes, n);
	buf_commit(b, n);
	return 0;
}

int buf_append_str(struct buf *b, struct str s)
{
	return buf_append(b, s.at, s.len);
}

int buf_printf(struct buf *b, const char *fmt, ...)
{
	char small[512];
	AUTO(freep) char *large = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(small, sizeof(small), fmt, ap);
	va_end(ap);
	if (n < 0)
		return -ERR_INVALID;
	if ((size_t)n < sizeof(small))
		return buf_append(b, small, (size_t)n);
	va_start(ap, fmt);
	n = vasprintf(&large, fmt, ap);
	va_end(ap);
	if (n < 0) {
		large = NULL;
		return -ERR_NOMEM;
	}
	return buf_append(b, large, (size_t)n);
}

void buf_consume(struct buf *b, size_t n)
{
	assert(n <= buf_len(b));
	b->head += n;
	if (b->head == b->tail)
		b->head = b->tail = 0;
}

void buf_release_if_empty(struct buf *b)
{
	if (buf_len(b) == 0)
		buf_done(b);
}
