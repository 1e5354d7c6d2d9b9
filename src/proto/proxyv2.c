#include "proto/proxyv2.h"

#include <string.h>

#include "base/cursor.h"
#include "base/err.h"
#include "proto/put.h"

static const uint8_t signature[12] = {0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d,
				      0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a};

#define HEAD_LEN      16
#define VERSION_2     0x20
#define COMMAND_LOCAL 0x0
#define COMMAND_PROXY 0x1

#define TLV_CRC32C 0x03

/* What byte 13 may say, and how long the addresses are. */
static const struct family {
	uint8_t byte;
	uint8_t family; /* of struct ipaddr; 0: addresses that are no use here */
	size_t len;
} families[] = {
	{0x00, 0, 0},	/* UNSPEC */
	{0x11, 4, 12},	/* TCP4 */
	{0x21, 6, 36},	/* TCP6 */
	{0x31, 0, 216}, /* Unix stream */
};

/* ── encoding ── */

static uint8_t *put_addr(uint8_t *to, const struct ipaddr *addr, uint8_t family)
{
	size_t len = family == 4 ? 4 : 16;

	if (addr->family == family)
		memcpy(to, addr->bytes, len);
	else
		memset(to, 0, len);
	return to + len;
}

size_t proxyv2_encode(uint8_t to[static PROXYV2_ENCODED_MAX], const struct proxyv2 *header)
{
	uint8_t family = header->local ? 0 : header->source.family;
	uint8_t *at = to;

	memcpy(at, signature, sizeof(signature));
	at += sizeof(signature);
	*at++ = VERSION_2 | (header->local ? COMMAND_LOCAL : COMMAND_PROXY);
	*at++ = family == 4 ? 0x11 : family == 6 ? 0x21 : 0x00;
	at = put_u16(at, family == 4 ? 12 : family == 6 ? 36 : 0);
	if (family == 0)
		return HEAD_LEN;
	at = put_addr(at, &header->source, family);
	at = put_addr(at, &header->target, family);
	at = put_u16(at, header->source.port);
	at = put_u16(at, header->target.port);
	return (size_t)(at - to);
}

/* ── decoding ── */

/* RFC 3720 §12.1, bit by bit: it is a hundred bytes once a connection, and seldom. */
static uint32_t crc32c_byte(uint32_t crc, uint8_t byte)
{
	crc ^= byte;
	for (int i = 0; i < 8; i++)
		crc = crc & 1 ? crc >> 1 ^ 0x82f63b78u : crc >> 1;
	return crc;
}

/* Over the whole header, the checksum's own bytes (at `hole`) as zeros. */
static uint32_t crc32c_header(const uint8_t *bytes, size_t len, const uint8_t *hole)
{
	uint32_t crc = 0xffffffffu;

	for (const uint8_t *at = bytes; at < bytes + len; at++)
		crc = crc32c_byte(crc, at >= hole && at < hole + 4 ? 0 : *at);
	return crc ^ 0xffffffffu;
}

static bool checksum_good(struct cursor value, const uint8_t *header, size_t header_len)
{
	const uint8_t *hole = value.at;

	return cursor_left(&value) == 4 &&
	       cursor_u32(&value) == crc32c_header(header, header_len, hole);
}

/* Nothing in them is wanted, but they must fit, and a checksum must be right. */
static bool tlvs_good(struct cursor *c, const uint8_t *header, size_t header_len)
{
	while (cursor_left(c) > 0) {
		uint8_t type = cursor_u8(c);
		uint16_t len = cursor_u16(c);
		struct cursor value = cursor_sub(c, len);

		if (!cursor_ok(c))
			return false;
		if (type == TLV_CRC32C && !checksum_good(value, header, header_len))
			return false;
	}
	return true;
}

static void take_addr(struct cursor *c, uint8_t family, struct ipaddr *ret)
{
	size_t len = family == 4 ? 4 : 16;
	const uint8_t *bytes = cursor_take(c, len);

	*ret = (struct ipaddr){.family = family};
	if (bytes)
		memcpy(ret->bytes, bytes, len);
}

static const struct family *find_family(uint8_t byte)
{
	for (size_t i = 0; i < ARRAY_LEN(families); i++)
		if (families[i].byte == byte)
			return &families[i];
	return NULL;
}

static int decode_addresses(struct cursor *c, uint8_t byte, struct proxyv2 *header)
{
	const struct family *family = find_family(byte);

	/* Datagrams (xx2) have no place in front of a stream; the rest is not assigned. */
	if (!family || cursor_left(c) < family->len)
		return -ERR_INVALID;
	if (family->family == 0) {
		cursor_take(c, family->len);
		return 0;
	}
	take_addr(c, family->family, &header->source);
	take_addr(c, family->family, &header->target);
	header->source.port = cursor_u16(c);
	header->target.port = cursor_u16(c);
	ipaddr_unmap(&header->source);
	ipaddr_unmap(&header->target);
	return 0;
}

/* All of it is there. */
static int decode_whole(const uint8_t *bytes, size_t len, struct proxyv2 *ret)
{
	struct cursor c = cursor_over(bytes + HEAD_LEN, len - HEAD_LEN);
	struct proxyv2 header = {.local = (bytes[12] & 0xf) == COMMAND_LOCAL};
	int r;

	/* What LOCAL says of family and addresses is to be passed over (§2.2), whatever it is. */
	r = header.local ? 0 : decode_addresses(&c, bytes[13], &header);
	if (r == 0 && !header.local && !tlvs_good(&c, bytes, len))
		r = -ERR_INVALID;
	if (r == 0)
		*ret = header;
	return r;
}

ssize_t proxyv2_decode(const uint8_t *bytes, size_t len, struct proxyv2 *ret)
{
	size_t whole;
	int r;

	if (memcmp(bytes, signature, MIN(len, sizeof(signature))) != 0)
		return -ERR_INVALID;
	if (len > 12 && (bytes[12] & 0xf0) != VERSION_2)
		return -ERR_INVALID;
	if (len > 12 && (bytes[12] & 0x0f) > COMMAND_PROXY)
		return -ERR_INVALID;
	if (len < HEAD_LEN)
		return -ERR_AGAIN;
	whole = HEAD_LEN + ((size_t)bytes[14] << 8 | bytes[15]);
	if (whole > PROXYV2_MAX)
		return -ERR_LIMIT;
	if (len < whole)
		return -ERR_AGAIN;
	r = decode_whole(bytes, whole, ret);
	return r < 0 ? r : (ssize_t)whole;
}
