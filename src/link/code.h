/*
 * The pairing code: "hp1:HOST:PORT/" and 64 characters of base64url (docs/protocol.md §6.1).
 * Whoever has it can become an agent of that gateway within 24 hours, once.
 */
#pragma once

#include "net/tls.h"

#define LINK_SECRET_LEN	   16
#define LINK_CODE_TEXT_MAX 384 /* "hp1:" + host 255 + port + 64, with brackets and NUL */
#define LINK_PORT_DEFAULT  443

struct link_code {
	char host[256]; /* name or address literal, without brackets */
	uint16_t port;
	struct tls_key_hash gateway;
	uint8_t secret[LINK_SECRET_LEN];
};

/* Returns text, which is a secret as the code is. */
const char *link_code_format(char text[static LINK_CODE_TEXT_MAX], const struct link_code *code);

/* Spaces and line ends around the code are skipped. -ERR_INVALID: e says what is wrong with it,
 * never repeating it. */
int link_code_parse(struct str s, struct link_code *ret, struct err *e) MUST_CHECK;
