/*
 * Datagrams in capsules. The first byte says in which steps the rest comes: the datagrams must be
 * the same as in one piece.
 */
#include "fuzz.h"

#include <assert.h>
#include <stdlib.h>

#include "base/buf.h"
#include "proto/capsule.h"

/* Each datagram with its length, and the result, as one text. */
static int decode(const uint8_t *bytes, size_t len, size_t step, struct buf *to)
{
	struct capsule_decoder d;
	size_t at = 0, so_far = 0;

	capsule_decoder_init(&d);
	while (at < len) {
		struct capsule_piece piece;
		ssize_t n = capsule_decode(&d, bytes + at, MIN(step, len - at), &piece);

		if (n < 0)
			return (int)n;
		assert(n > 0 && (size_t)n <= MIN(step, len - at));
		at += (size_t)n;
		if (piece.kind == CAPSULE_SKIPPED && buf_append(to, "skipped", 7) < 0)
			abort();
		if (piece.kind != CAPSULE_PIECE)
			continue;
		assert(piece.first == (so_far == 0) && piece.total <= CAPSULE_DATAGRAM_MAX);
		if (buf_append(to, piece.bytes, piece.len) < 0)
			abort();
		so_far += piece.len;
		assert(piece.last == (so_far == piece.total));
		if (piece.last && buf_append(to, &piece.total, sizeof(piece.total)) < 0)
			abort();
		if (piece.last)
			so_far = 0;
	}
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	AUTO(buf_donep) struct buf whole = {0};
	AUTO(buf_donep) struct buf cut = {0};

	if (len == 0)
		return 0;
	if (decode(bytes + 1, len - 1, len, &whole) !=
	    decode(bytes + 1, len - 1, (size_t)bytes[0] + 1, &cut))
		abort();
	if (!str_eq(buf_str(&whole), buf_str(&cut)))
		abort();
	return 0;
}
