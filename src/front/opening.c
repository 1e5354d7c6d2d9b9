#include "front/opening.h"

#include <assert.h>

#include "base/cursor.h"

#define RECORD_HEADER_LEN 5 /* type, version, length: RFC 8446 §5.1 */

void front_opening_init(struct front_opening *o, enum front_kind kind, struct str link_alpn)
{
	assert(kind != FRONT_RAW);
	*o = (struct front_opening){.kind = kind, .link_alpn = link_alpn};
}

size_t front_opening_max(enum front_kind kind)
{
	return kind == FRONT_HTTP ? HTTPHEAD_MAX : CLIENTHELLO_MAX;
}

const char *front_opening_verdict_name(enum front_opening_verdict verdict)
{
	static const char *const names[] = {
#define X(name) #name,
		FRONT_OPENING_VERDICTS(X)
#undef X
	};

	return names[verdict];
}

/* The bytes up to the end of the last record that may count; records already walked over are not
 * walked over again. */
static size_t countable(struct front_opening *o, const uint8_t *bytes, size_t len)
{
	while (o->n_records < FRONT_OPENING_RECORDS_MAX && len >= RECORD_HEADER_LEN &&
	       o->walked <= len - RECORD_HEADER_LEN) {
		struct cursor c = cursor_over(bytes + o->walked + 3, 2);

		o->walked += RECORD_HEADER_LEN + cursor_u16(&c);
		o->n_records++;
	}
	return o->n_records < FRONT_OPENING_RECORDS_MAX ? len : MIN(len, o->walked);
}

static enum front_opening_verdict read_tls(struct front_opening *o, const uint8_t *bytes,
					   size_t len, uint8_t *scratch, struct front_asked *ret)
{
	size_t n = countable(o, bytes, len);
	struct clienthello hello;
	int r;

	r = clienthello_parse(bytes, n, scratch, &hello, NULL);
	if (r == -ERR_INCOMPLETE && n == len)
		return FRONT_OPENING_MORE;
	if (r < 0)
		return FRONT_OPENING_GARBAGE;
	if (o->link_alpn.len && clienthello_has_alpn(&hello, o->link_alpn))
		return FRONT_OPENING_LINK;
	*ret = (struct front_asked){0};
	strcpy(ret->host, hello.server_name);
	return FRONT_OPENING_TLS;
}

/* "GET ", "OPTIONS ": a request of a client that was told https port, but not https. */
static enum front_opening_verdict read_plain(const uint8_t *bytes, size_t len)
{
	static const struct str methods[] = {
		{"GET ", 4},   {"HEAD ", 5},   {"POST ", 5},	{"PUT ", 4},
		{"PATCH ", 6}, {"DELETE ", 7}, {"OPTIONS ", 8},
	};
	struct str s = str_n((const char *)bytes, len);

	for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
		if (str_starts(s, methods[i]))
			return FRONT_OPENING_PLAIN_HTTP;
		if (str_starts(methods[i], s))
			return FRONT_OPENING_MORE;
	}
	return FRONT_OPENING_GARBAGE;
}

static enum front_opening_verdict read_http(struct front_opening *o, const uint8_t *bytes,
					    size_t len, struct front_asked *ret)
{
	struct httphead head;
	int r;

	if (clienthello_can_start(bytes[0]))
		return FRONT_OPENING_GARBAGE;
	/* A head ends in a line end: without a new one nothing new can be found. */
	if (o->seen && len < HTTPHEAD_MAX && !memchr(bytes + o->seen, '\n', len - o->seen))
		return FRONT_OPENING_MORE;
	r = httphead_parse((const char *)bytes, len, &head, NULL);
	if (r == -ERR_INCOMPLETE)
		return FRONT_OPENING_MORE;
	if (r == -ERR_LIMIT)
		return FRONT_OPENING_HEAD_TOO_LONG;
	if (r < 0)
		return FRONT_OPENING_BAD_REQUEST;
	*ret = (struct front_asked){.path = head.path};
	strcpy(ret->host, head.host);
	return FRONT_OPENING_HTTP;
}

enum front_opening_verdict front_opening_read(struct front_opening *o, const uint8_t *bytes,
					      size_t len, uint8_t scratch[static CLIENTHELLO_MAX],
					      struct front_asked *ret)
{
	enum front_opening_verdict verdict;

	if (len == 0)
		return FRONT_OPENING_MORE;
	if (o->kind == FRONT_HTTP)
		verdict = read_http(o, bytes, len, ret);
	else if (clienthello_can_start(bytes[0]))
		verdict = read_tls(o, bytes, len, scratch, ret);
	else
		verdict = read_plain(bytes, len);
	o->seen = len;
	assert(verdict != FRONT_OPENING_MORE || len < front_opening_max(o->kind));
	return verdict;
}
