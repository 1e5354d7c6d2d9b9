/*
 * UDP datagrams in a byte stream: the DATAGRAM capsule (RFC 9297 §3.2, §3.5) with context id 0 of
 * CONNECT-UDP (RFC 9298 §5).
 *
 *	while (len) {
 *		n = capsule_decode(&decoder, bytes, len, &piece);
 *		if (n < 0)
 *			return (int)n;
 *		...				piece.kind says what was found in these n bytes
 *	}
 *
 * Decoding keeps nothing but the numbers in front of a capsule, wherever the bytes were cut: a
 * datagram comes in pieces as long as what was received, and whoever wants it whole joins them.
 * Capsules of other types, other contexts and datagrams over CAPSULE_DATAGRAM_MAX are skipped.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"

#define CAPSULE_DATAGRAM_MAX ((size_t)65507) /* what UDP over IPv4 can carry */
#define CAPSULE_HEAD_MAX     ((size_t)6)     /* in front of such a datagram */
#define CAPSULE_VARINT_MAX   ((size_t)8)

/* ── numbers (RFC 9000 §16) ── */

/* The shortest form of value (at most 2^62 - 1). Returns its length, 1, 2, 4 or 8. */
size_t capsule_varint_encode(uint8_t to[static CAPSULE_VARINT_MAX], uint64_t value);

/* Length of the number that begins with this byte. */
size_t capsule_varint_len(uint8_t first);

/* The number at `bytes`, which has capsule_varint_len(bytes[0]) of them. */
uint64_t capsule_varint_decode(const uint8_t *bytes);

/* ── encoding ── */

/* What goes in front of a datagram of len bytes (at most CAPSULE_DATAGRAM_MAX). Returns its length.
 */
size_t capsule_encode_head(uint8_t to[static CAPSULE_HEAD_MAX], size_t len);

/* ── decoding ── */

struct capsule_decoder {
	enum {
		CAPSULE_AT_TYPE,
		CAPSULE_AT_LENGTH,
		CAPSULE_AT_CONTEXT,
		CAPSULE_IN_DATAGRAM,
		CAPSULE_IN_SKIPPED
	} at;
	uint8_t number[CAPSULE_VARINT_MAX]; /* a number that is not complete yet */
	uint8_t number_len;
	uint64_t type;
	uint64_t left; /* bytes of the capsule's value to come */
	size_t datagram_len;
};

/* A zeroed decoder is at the beginning of a stream, too. */
void capsule_decoder_init(struct capsule_decoder *d);

enum capsule_kind {
	CAPSULE_NOTHING, /* nothing to do about these bytes */
	CAPSULE_PIECE,	 /* of a datagram */
	CAPSULE_SKIPPED, /* a datagram too long to be one begins; its bytes are passed over */
};

struct capsule_piece {
	enum capsule_kind kind;
	const uint8_t *bytes; /* PIECE: borrowed, inside the decoded bytes */
	size_t len;	      /* PIECE: may be 0 */
	size_t total;	      /* PIECE: of the whole datagram */
	bool first, last;     /* PIECE: both for one that came whole */
};

/*
 * Work off the beginning of len (> 0) bytes: how many were used, at least 1. -ERR_INVALID: a
 * DATAGRAM capsule too short for its context id, after which nothing makes sense any more.
 */
ssize_t capsule_decode(struct capsule_decoder *d, const uint8_t *bytes, size_t len,
		       struct capsule_piece *ret) MUST_CHECK;
