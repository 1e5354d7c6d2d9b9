/* Big-endian numbers into a packet of our own; each returns where the next byte goes. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint8_t *put_u8(uint8_t *to, uint8_t value)
{
	*to = value;
	return to + 1;
}

static inline uint8_t *put_u16(uint8_t *to, uint16_t value)
{
	to[0] = (uint8_t)(value >> 8);
	to[1] = (uint8_t)value;
	return to + 2;
}

static inline uint8_t *put_u32(uint8_t *to, uint32_t value)
{
	return put_u16(put_u16(to, (uint16_t)(value >> 16)), (uint16_t)value);
}

static inline uint8_t *put_bytes(uint8_t *to, const void *bytes, size_t n)
{
	memcpy(to, bytes, n);
	return to + n;
}

static inline uint8_t *put_zeros(uint8_t *to, size_t n)
{
	memset(to, 0, n);
	return to + n;
}
