/*
 * Scope-bound cleanup and a few words for the compiler.
 *
 *	AUTO(buf_donep) struct buf b = {0};	freed at the end of the scope
 *	*ret = TAKE(pointer);			moves a pointer out of its AUTO
 */
#pragma once

#include <stdlib.h>
#include <unistd.h>

#define AUTO(fn)     __attribute__((cleanup(fn)))
#define MUST_CHECK   __attribute__((warn_unused_result))
#define PRINTF(f, a) __attribute__((format(printf, f, a)))
#define UNUSED	     __attribute__((unused))
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b)    ((a) < (b) ? (a) : (b))
#define MAX(a, b)    ((a) > (b) ? (a) : (b))

/* The object of `type` whose field `member` is at `ptr`. */
#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

/* Move a pointer out: yields it and leaves NULL behind. */
#define TAKE(p)                                                                                    \
	({                                                                                         \
		__typeof__(p) take_ = (p);                                                         \
		(p) = NULL;                                                                        \
		take_;                                                                             \
	})

static inline void freep(void *p)
{
	free(*(void **)p);
}

static inline void closep(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}
