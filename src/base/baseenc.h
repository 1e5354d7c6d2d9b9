/* Bytes as text: hexadecimal and base64url without padding (RFC 4648 §5, §8). */
#pragma once

#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

/* Characters needed for n bytes, NUL included. */
#define HEX_TEXT_LEN(n)	      ((n)*2 + 1)
#define BASE64URL_TEXT_LEN(n) (((n)*4 + 2) / 3 + 1)

void hex_encode(char *text, const void *bytes, size_t len);
void base64url_encode(char *text, const void *bytes, size_t len);

/* Exactly len bytes, lower- or upper-case; -ERR_INVALID otherwise. */
int hex_decode(struct str s, void *bytes, size_t len) MUST_CHECK;

/* Exactly len bytes; -ERR_INVALID on another length, other characters or stray bits at the end. */
int base64url_decode(struct str s, void *bytes, size_t len) MUST_CHECK;
