/*
 * The chunked coding (RFC 9112 §7.1), received strictly:
 *
 *	3;name=value CRLF	size line; an extension is skipped
 *	abc CRLF		exactly CRLF behind the data
 *	0 CRLF			the last chunk
 *	Name: value CRLF	trailer fields, dropped
 *	CRLF			the end
 *
 * By hand, because llhttp 8.1 takes any two bytes for the CRLF behind a chunk and any byte for the
 * LF of a size line: that is how two parsers come to see different requests.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define HTTP_CHUNKED_LINE_MAX	 256		     /* bytes of a size line with its extensions */
#define HTTP_CHUNKED_TRAILER_MAX 8192		     /* bytes of all trailer fields */
#define HTTP_CHUNKED_SIZE_MAX	 (UINT64_C(1) << 56) /* bytes of one chunk */

#define HTTP_CHUNKED_STATES(X)                                                                     \
	X(SIZE_FIRST)                                                                              \
	X(SIZE)                                                                                    \
	X(EXTENSION) X(SIZE_LF) X(DATA) X(DATA_CR) X(DATA_LF) X(TRAILER_FIRST) X(TRAILER)          \
		X(TRAILER_LF) X(END_LF) X(ENDED)

/* All zeros is the beginning of a body. */
struct http_chunked {
	enum http_chunked_state {
#define X(name) HTTP_CHUNKED_##name,
		HTTP_CHUNKED_STATES(X)
#undef X
	} state;
	uint32_t line; /* bytes of this line, or of the trailer so far */
	uint64_t left; /* of the chunk's data */
};

/*
 * Take the coding off `len` bytes at `from`; the data goes to `to`, which may be the same memory.
 * The number of data bytes is returned, *ret_used gets how many bytes were looked at: all, unless
 * the body ended among them (http_chunked_ended). -ERR_INVALID: not the coding, or over a limit
 * above: who counts otherwise than we do is not to be told apart from who attacks.
 */
ptrdiff_t http_chunked_decode(struct http_chunked *c, void *to, const void *from, size_t len,
			      size_t *ret_used, struct err *e) MUST_CHECK;

static inline bool http_chunked_ended(const struct http_chunked *c)
{
	return c->state == HTTP_CHUNKED_ENDED;
}
