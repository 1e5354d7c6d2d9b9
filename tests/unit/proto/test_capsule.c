#include "test.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "proto/capsule.h"

/* ── numbers ── */

/* The examples of RFC 9000 §A.1. */
static void varint_examples(void **state)
{
	static const struct {
		uint8_t bytes[8];
		size_t len;
		uint64_t value;
		bool shortest;
	} cases[] = {
		{{0xc2, 0x19, 0x7c, 0x5e, 0xff, 0x14, 0xe8, 0x8c}, 8, 151288809941952652, true},
		{{0x9d, 0x7f, 0x3e, 0x7d}, 4, 494878333, true},
		{{0x7b, 0xbd}, 2, 15293, true},
		{{0x25}, 1, 37, true},
		{{0x40, 0x25}, 2, 37, false},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint8_t bytes[CAPSULE_VARINT_MAX];

		assert_int_equal(capsule_varint_len(cases[i].bytes[0]), cases[i].len);
		assert_true(capsule_varint_decode(cases[i].bytes) == cases[i].value);
		if (!cases[i].shortest)
			continue;
		assert_int_equal(capsule_varint_encode(bytes, cases[i].value), cases[i].len);
		assert_memory_equal(bytes, cases[i].bytes, cases[i].len);
	}
}

static void varint_edges(void **state)
{
	static const struct {
		uint64_t value;
		size_t len;
	} cases[] = {{0, 1},	    {63, 1},
		     {64, 2},	    {16383, 2},
		     {16384, 4},    {(1u << 30) - 1, 4},
		     {1u << 30, 8}, {(1ull << 62) - 1, 8}};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint8_t bytes[CAPSULE_VARINT_MAX];

		assert_int_equal(capsule_varint_encode(bytes, cases[i].value), cases[i].len);
		assert_int_equal(capsule_varint_len(bytes[0]), cases[i].len);
		assert_true(capsule_varint_decode(bytes) == cases[i].value);
	}
}

/* ── capsules ── */

/* What a stream's bytes were made of. */
struct result {
	struct buf bytes; /* of all datagrams */
	size_t lens[16];
	unsigned n, skipped;
	int r;
};

static void note(struct result *result, const struct capsule_piece *piece, size_t *so_far)
{
	if (piece->kind == CAPSULE_SKIPPED)
		result->skipped++;
	if (piece->kind != CAPSULE_PIECE)
		return;
	assert_int_equal(piece->first, *so_far == 0 && (piece->len || piece->total == 0));
	assert_int_equal(buf_append(&result->bytes, piece->bytes, piece->len), 0);
	*so_far += piece->len;
	assert_int_equal(piece->last, *so_far == piece->total);
	if (!piece->last)
		return;
	assert_true(result->n < ARRAY_LEN(result->lens));
	result->lens[result->n++] = piece->total;
	*so_far = 0;
}

/* Decode, never giving more than `step` bytes at once. */
static void decode(const uint8_t *bytes, size_t len, size_t step, struct result *result)
{
	struct capsule_decoder d;
	size_t at = 0, so_far = 0;

	*result = (struct result){0};
	capsule_decoder_init(&d);
	while (at < len) {
		size_t end = MIN(len, at + step);

		while (at < end) {
			struct capsule_piece piece;
			ssize_t n = capsule_decode(&d, bytes + at, end - at, &piece);

			if (n < 0) {
				result->r = (int)n;
				return;
			}
			assert_true(n > 0 && (size_t)n <= end - at);
			at += (size_t)n;
			note(result, &piece, &so_far);
		}
	}
}

static void add_capsule(struct buf *to, const void *bytes, size_t len)
{
	uint8_t head[CAPSULE_HEAD_MAX];
	size_t n = capsule_encode_head(head, len);

	assert_int_equal(buf_append(to, head, n), 0);
	assert_int_equal(buf_append(to, bytes, len), 0);
}

static void encodes(void **state)
{
	static const struct {
		size_t len;
		uint8_t head[CAPSULE_HEAD_MAX];
		size_t head_len;
	} cases[] = {
		{0, {0, 1, 0}, 3},
		{62, {0, 63, 0}, 3},
		{63, {0, 0x40, 64, 0}, 4},
		{1200, {0, 0x44, 0xb1, 0}, 4},
		{16383, {0, 0x80, 0, 0x40, 0, 0}, 6},
		{65507, {0, 0x80, 0, 0xff, 0xe4, 0}, 6},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint8_t head[CAPSULE_HEAD_MAX];

		assert_int_equal(capsule_encode_head(head, cases[i].len), cases[i].head_len);
		assert_memory_equal(head, cases[i].head, cases[i].head_len);
	}
}

/* Datagrams of all lengths, with other capsules between, however the bytes are cut. */
static void decodes_however_cut(void **state)
{
	static const size_t lens[] = {0, 1, 62, 63, 1200, 1472, 9000, 0, 65507};
	static const uint8_t unknown[] = {0x40, 0x17, 5, 'h', 'e', 'l', 'l', 'o'},
			     other_context[] = {0, 4, 2, 'a', 'b', 'c'},
			     long_numbers[] = {0x80, 0,	   0, 0, 0xc0, 0, 0, 0, 0, 0,	0,
					       10,   0xc0, 0, 0, 0,    0, 0, 0, 0, 'x', 'y'},
			     empty_unknown[] = {0x21, 0};
	static const size_t steps[] = {1, 2, 3, 7, 64, 1500, 100000, SIZE_MAX / 2};
	uint8_t *bytes = malloc(CAPSULE_DATAGRAM_MAX);
	struct buf stream = {0}, wanted = {0};

	for (size_t i = 0; i < CAPSULE_DATAGRAM_MAX; i++)
		bytes[i] = (uint8_t)(i * 31 + i / 256);
	for (size_t i = 0; i < ARRAY_LEN(lens); i++) {
		add_capsule(&stream, bytes, lens[i]);
		assert_int_equal(buf_append(&wanted, bytes, lens[i]), 0);
		assert_int_equal(buf_append(&stream, unknown, sizeof(unknown)), 0);
		assert_int_equal(buf_append(&stream, other_context, sizeof(other_context)), 0);
		assert_int_equal(buf_append(&stream, empty_unknown, sizeof(empty_unknown)), 0);
	}
	assert_int_equal(buf_append(&stream, long_numbers, sizeof(long_numbers)), 0);
	assert_int_equal(buf_append(&wanted, "xy", 2), 0);
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		struct result result;

		decode(buf_head(&stream), buf_len(&stream), steps[i], &result);
		assert_int_equal(result.r, 0);
		assert_int_equal(result.n, ARRAY_LEN(lens) + 1);
		assert_int_equal(result.skipped, 0);
		for (size_t k = 0; k < ARRAY_LEN(lens); k++)
			assert_int_equal(result.lens[k], lens[k]);
		assert_int_equal(result.lens[ARRAY_LEN(lens)], 2);
		assert_true(str_eq(buf_str(&result.bytes), buf_str(&wanted)));
		buf_done(&result.bytes);
	}
	buf_done(&stream);
	buf_done(&wanted);
	free(bytes);
}

/* One byte too many: passed over, and the next one comes. */
static void skips_what_no_datagram_is(void **state)
{
	static const uint8_t head[] = {0, 0x80, 0, 0xff, 0xe5, 0};
	uint8_t *bytes = calloc(1, CAPSULE_DATAGRAM_MAX + 1);
	struct buf stream = {0};
	struct result result;

	assert_int_equal(buf_append(&stream, head, sizeof(head)), 0);
	assert_int_equal(buf_append(&stream, bytes, CAPSULE_DATAGRAM_MAX + 1), 0);
	add_capsule(&stream, "next", 4);
	for (size_t step = 1; step < 100000; step += 4999) {
		decode(buf_head(&stream), buf_len(&stream), step, &result);
		assert_int_equal(result.r, 0);
		assert_int_equal(result.n, 1);
		assert_int_equal(result.skipped, 1);
		assert_int_equal(result.lens[0], 4);
		buf_done(&result.bytes);
	}
	buf_done(&stream);
	free(bytes);
}

/* The largest lengths there are: skipped for ever, without memory. */
static void skips_without_memory(void **state)
{
	static const uint8_t head[] = {0x21, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	static const uint8_t noise[4096];
	struct capsule_decoder d = {0};
	struct capsule_piece piece;
	size_t at = 0;

	while (at < sizeof(head)) {
		ssize_t n = capsule_decode(&d, head + at, sizeof(head) - at, &piece);

		assert_true(n > 0);
		at += (size_t)n;
	}
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(capsule_decode(&d, noise, sizeof(noise), &piece), sizeof(noise));
		assert_int_equal(piece.kind, CAPSULE_NOTHING);
	}
}

static void refuses_a_cut_context(void **state)
{
	static const uint8_t none[] = {0, 0}, half[] = {0, 1, 0x40, 0};
	struct result result;

	for (size_t step = 1; step < 5; step++) {
		decode(none, sizeof(none), step, &result);
		assert_int_equal(result.r, -ERR_INVALID);
		decode(half, sizeof(half), step, &result);
		assert_int_equal(result.r, -ERR_INVALID);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(varint_examples),
		cmocka_unit_test(varint_edges),
		cmocka_unit_test(encodes),
		cmocka_unit_test(decodes_however_cut),
		cmocka_unit_test(skips_what_no_datagram_is),
		cmocka_unit_test(skips_without_memory),
		cmocka_unit_test(refuses_a_cut_context),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
