#include "base/baseenc.h"

static const char hex_digits[] = "0123456789abcdef";
static const char base64url_digits[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void hex_encode(char *text, const void *bytes, size_t len)
{
	const uint8_t *p = bytes;

	for (size_t i = 0; i < len; i++) {
		*text++ = hex_digits[p[i] >> 4];
		*text++ = hex_digits[p[i] & 15];
	}
	*text = '\0';
}

void base64url_encode(char *text, const void *bytes, size_t len)
{
	const uint8_t *p = bytes;
	uint32_t held = 0;
	unsigned bits = 0;

	for (size_t i = 0; i < len; i++) {
		held = held << 8 | p[i];
		bits += 8;
		while (bits >= 6) {
			bits -= 6;
			*text++ = base64url_digits[held >> bits & 63];
		}
	}
	if (bits)
		*text++ = base64url_digits[held << (6 - bits) & 63];
	*text = '\0';
}

static int digit_value(const char *digits, char c)
{
	const char *p = c ? strchr(digits, c) : NULL;

	return p ? (int)(p - digits) : -1;
}

int hex_decode(struct str s, void *bytes, size_t len)
{
	uint8_t *p = bytes;

	if (s.len != len * 2)
		return -ERR_INVALID;
	for (size_t i = 0; i < len; i++) {
		int high = digit_value(hex_digits, str_lower(s.at[2 * i]));
		int low = digit_value(hex_digits, str_lower(s.at[2 * i + 1]));

		if (high < 0 || low < 0)
			return -ERR_INVALID;
		p[i] = (uint8_t)(high << 4 | low);
	}
	return 0;
}

int base64url_decode(struct str s, void *bytes, size_t len)
{
	uint8_t *p = bytes;
	uint32_t held = 0;
	unsigned bits = 0;

	if (s.len != BASE64URL_TEXT_LEN(len) - 1)
		return -ERR_INVALID;
	for (size_t i = 0; i < s.len; i++) {
		int value = digit_value(base64url_digits, s.at[i]);

		if (value < 0)
			return -ERR_INVALID;
		held = held << 6 | (uint32_t)value;
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			*p++ = (uint8_t)(held >> bits);
		}
	}
	return held & ((1u << bits) - 1) ? -ERR_INVALID : 0;
}
