#include "proto/capsule.h"

#include <assert.h>
#include <string.h>

#include "base/err.h"

/*
 *  RFC 9297 §3.2            RFC 9298 §5: the value of a DATAGRAM capsule
 *
 *  Capsule {                UDP Proxying HTTP Datagram Payload {
 *    Capsule Type (i),        Context ID (i),        0: a datagram
 *    Capsule Length (i),      UDP Proxying Payload (..),
 *    Capsule Value (..),    }
 *  }
 */
#define TYPE_DATAGRAM 0x00
#define CONTEXT_UDP   0

/* ── numbers: the two high bits of the first byte say how long it is ── */

size_t capsule_varint_len(uint8_t first)
{
	return (size_t)1 << (first >> 6);
}

size_t capsule_varint_encode(uint8_t to[static CAPSULE_VARINT_MAX], uint64_t value)
{
	unsigned power = value < 1u << 6 ? 0 : value < 1u << 14 ? 1 : value < 1u << 30 ? 2 : 3;
	size_t len = (size_t)1 << power;

	assert(value >> 62 == 0);
	for (size_t i = len; i > 0; i--) {
		to[i - 1] = (uint8_t)value;
		value >>= 8;
	}
	to[0] |= (uint8_t)(power << 6);
	return len;
}

uint64_t capsule_varint_decode(const uint8_t *bytes)
{
	uint64_t value = bytes[0] & 0x3f;

	for (size_t i = 1; i < capsule_varint_len(bytes[0]); i++)
		value = value << 8 | bytes[i];
	return value;
}

/* ── encoding ── */

size_t capsule_encode_head(uint8_t to[static CAPSULE_HEAD_MAX], size_t len)
{
	uint8_t length[CAPSULE_VARINT_MAX];
	size_t n = capsule_varint_encode(length, len + 1);

	assert(len <= CAPSULE_DATAGRAM_MAX);
	to[0] = TYPE_DATAGRAM;
	memcpy(to + 1, length, n);
	to[1 + n] = CONTEXT_UDP;
	return n + 2;
}

/* ── decoding ── */

void capsule_decoder_init(struct capsule_decoder *d)
{
	*d = (struct capsule_decoder){0};
}

/* Collect a number from the len (> 0) bytes there are. Returns how many were used. */
static size_t take_number(struct capsule_decoder *d, const uint8_t *bytes, size_t len,
			  bool *complete)
{
	uint8_t first = d->number_len ? d->number[0] : bytes[0];
	size_t n = MIN(capsule_varint_len(first) - d->number_len, len);

	memcpy(d->number + d->number_len, bytes, n);
	d->number_len = (uint8_t)(d->number_len + n);
	*complete = d->number_len == capsule_varint_len(first);
	if (*complete)
		d->number_len = 0; /* the bytes stay until the next one */
	return n;
}

static void begin_skipping(struct capsule_decoder *d)
{
	d->at = d->left ? CAPSULE_IN_SKIPPED : CAPSULE_AT_TYPE;
}

static void on_length(struct capsule_decoder *d, uint64_t length)
{
	d->left = length;
	if (d->type == TYPE_DATAGRAM)
		d->at = CAPSULE_AT_CONTEXT;
	else
		begin_skipping(d); /* RFC 9297 §3.2: unknown types are skipped */
}

/* A piece of the datagram: whatever there is of it. */
static size_t on_datagram(struct capsule_decoder *d, const uint8_t *bytes, size_t len,
			  struct capsule_piece *ret)
{
	size_t n = MIN(d->left, len);

	*ret = (struct capsule_piece){
		.kind = CAPSULE_PIECE,
		.bytes = bytes,
		.len = n,
		.total = d->datagram_len,
		.first = d->left == d->datagram_len,
		.last = d->left == n,
	};
	d->left -= n;
	if (ret->last)
		d->at = CAPSULE_AT_TYPE;
	return n;
}

static void on_context(struct capsule_decoder *d, uint64_t context, struct capsule_piece *ret)
{
	if (context != CONTEXT_UDP) { /* RFC 9298 §4: of no context we know */
		begin_skipping(d);
		return;
	}
	if (d->left > CAPSULE_DATAGRAM_MAX) {
		/* RFC 9298 §5 ends the stream over more than 65527 bytes; one bad datagram is no
		 * reason to lose the others. */
		ret->kind = CAPSULE_SKIPPED;
		begin_skipping(d);
		return;
	}
	d->datagram_len = (size_t)d->left;
	d->at = CAPSULE_IN_DATAGRAM;
	if (d->left == 0)
		on_datagram(d, NULL, 0, ret);
}

/* The context id lies inside the capsule's value. */
static ssize_t take_context(struct capsule_decoder *d, const uint8_t *bytes, size_t len,
			    struct capsule_piece *ret)
{
	bool complete;
	size_t n;

	n = take_number(d, bytes, MIN(len, d->left), &complete);
	d->left -= n;
	if (complete)
		on_context(d, capsule_varint_decode(d->number), ret);
	else if (d->left == 0)
		return -ERR_INVALID;
	return (ssize_t)n;
}

static ssize_t take_head(struct capsule_decoder *d, const uint8_t *bytes, size_t len)
{
	bool complete;
	size_t n = take_number(d, bytes, len, &complete);
	uint64_t value;

	if (!complete)
		return (ssize_t)n;
	value = capsule_varint_decode(d->number);
	if (d->at == CAPSULE_AT_TYPE) {
		d->type = value;
		d->at = CAPSULE_AT_LENGTH;
		return (ssize_t)n;
	}
	on_length(d, value);
	if (d->at == CAPSULE_AT_CONTEXT && d->left == 0)
		return -ERR_INVALID;
	return (ssize_t)n;
}

ssize_t capsule_decode(struct capsule_decoder *d, const uint8_t *bytes, size_t len,
		       struct capsule_piece *ret)
{
	size_t n;

	*ret = (struct capsule_piece){.kind = CAPSULE_NOTHING};
	switch (d->at) {
	case CAPSULE_AT_TYPE:
	case CAPSULE_AT_LENGTH:
		return take_head(d, bytes, len);
	case CAPSULE_AT_CONTEXT:
		return take_context(d, bytes, len, ret);
	case CAPSULE_IN_DATAGRAM:
		return (ssize_t)on_datagram(d, bytes, len, ret);
	case CAPSULE_IN_SKIPPED:
		break;
	}
	n = MIN(d->left, len);
	d->left -= n;
	begin_skipping(d);
	return (ssize_t)n;
}
