#include "http/chunked.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/str.h"

/* What may stand in an extension or a trailer field: no control character but the tab. */
static bool is_text(char c)
{
	return (unsigned char)c >= 0x20 ? c != 0x7f : c == '\t';
}

static int invalid(struct err *e)
{
	return err_set(e, ERR_INVALID, "bad chunk");
}

static int on_size(struct http_chunked *c, char byte, struct err *e)
{
	int value = str_hex_digit(byte);

	if (value >= 0) {
		if (c->left > HTTP_CHUNKED_SIZE_MAX >> 4)
			return err_set(e, ERR_INVALID, "chunk too large");
		c->left = c->left << 4 | (uint64_t)value;
		c->state = HTTP_CHUNKED_SIZE;
		return 0;
	}
	if (c->state == HTTP_CHUNKED_SIZE_FIRST || (byte != ';' && byte != '\r'))
		return invalid(e);
	c->state = byte == ';' ? HTTP_CHUNKED_EXTENSION : HTTP_CHUNKED_SIZE_LF;
	return 0;
}

/* Go on to `next` if the byte is the one that must stand here. */
static int expect(struct http_chunked *c, char byte, char must, enum http_chunked_state next,
		  struct err *e)
{
	if (byte != must)
		return invalid(e);
	c->state = next;
	return 0;
}

static int on_extension(struct http_chunked *c, char byte, struct err *e)
{
	if (byte == '\r')
		c->state = HTTP_CHUNKED_SIZE_LF;
	else if (!is_text(byte))
		return invalid(e);
	return 0;
}

static int on_size_lf(struct http_chunked *c, char byte, struct err *e)
{
	c->line = 0;
	return expect(c, byte, '\n', c->left ? HTTP_CHUNKED_DATA : HTTP_CHUNKED_TRAILER_FIRST, e);
}

static int on_trailer(struct http_chunked *c, char byte, struct err *e)
{
	bool first = c->state == HTTP_CHUNKED_TRAILER_FIRST;

	if (byte == '\r')
		c->state = first ? HTTP_CHUNKED_END_LF : HTTP_CHUNKED_TRAILER_LF;
	else if (!is_text(byte) || (first && (byte == ' ' || byte == '\t')))
		return invalid(e);
	else
		c->state = HTTP_CHUNKED_TRAILER;
	return 0;
}

/* One byte that is not data. */
static int step(struct http_chunked *c, char byte, struct err *e)
{
	bool in_trailer = c->state >= HTTP_CHUNKED_TRAILER_FIRST;

	if (++c->line > (in_trailer ? HTTP_CHUNKED_TRAILER_MAX : HTTP_CHUNKED_LINE_MAX))
		return err_set(e, ERR_INVALID, "chunk line or trailer too long");
	switch (c->state) {
	case HTTP_CHUNKED_SIZE_FIRST:
	case HTTP_CHUNKED_SIZE:
		return on_size(c, byte, e);
	case HTTP_CHUNKED_EXTENSION:
		return on_extension(c, byte, e);
	case HTTP_CHUNKED_SIZE_LF:
		return on_size_lf(c, byte, e);
	case HTTP_CHUNKED_DATA_CR:
		return expect(c, byte, '\r', HTTP_CHUNKED_DATA_LF, e);
	case HTTP_CHUNKED_DATA_LF:
		c->line = 0;
		return expect(c, byte, '\n', HTTP_CHUNKED_SIZE_FIRST, e);
	case HTTP_CHUNKED_TRAILER_FIRST:
	case HTTP_CHUNKED_TRAILER:
		return on_trailer(c, byte, e);
	case HTTP_CHUNKED_TRAILER_LF:
		return expect(c, byte, '\n', HTTP_CHUNKED_TRAILER_FIRST, e);
	case HTTP_CHUNKED_END_LF:
		return expect(c, byte, '\n', HTTP_CHUNKED_ENDED, e);
	case HTTP_CHUNKED_DATA:
	case HTTP_CHUNKED_ENDED:
		break;
	}
	return invalid(e);
}

ptrdiff_t http_chunked_decode(struct http_chunked *c, void *to, const void *from, size_t len,
			      size_t *ret_used, struct err *e)
{
	const char *in = from;
	char *out = to;
	size_t used = 0, made = 0;

	while (used < len && c->state != HTTP_CHUNKED_ENDED) {
		if (c->state == HTTP_CHUNKED_DATA) {
			size_t n = (size_t)MIN(c->left, len - used);

			memmove(out + made, in + used, n);
			made += n;
			used += n;
			c->left -= n;
			if (c->left == 0)
				c->state = HTTP_CHUNKED_DATA_CR;
		} else {
			int r = step(c, in[used++], e);

			if (r < 0)
				return r;
		}
	}
	*ret_used = used;
	return (ptrdiff_t)made;
}
