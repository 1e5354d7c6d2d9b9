#include "link/code.h"

#include <stdio.h>

#include "base/baseenc.h"
#include "base/secret.h"

#define CODE_PREFIX "hp1:"
#define CODE_BYTES  (TLS_KEY_HASH_LEN + LINK_SECRET_LEN)

const char *link_code_format(char text[static LINK_CODE_TEXT_MAX], const struct link_code *code)
{
	bool literal6 = str_find(str_of(code->host), ':') >= 0;
	char encoded[BASE64URL_TEXT_LEN(CODE_BYTES)];
	uint8_t bytes[CODE_BYTES];

	memcpy(bytes, code->gateway.bytes, TLS_KEY_HASH_LEN);
	memcpy(bytes + TLS_KEY_HASH_LEN, code->secret, LINK_SECRET_LEN);
	base64url_encode(encoded, bytes, sizeof(bytes));
	snprintf(text, LINK_CODE_TEXT_MAX,
		 literal6 ? CODE_PREFIX "[%s]:%u/%s" : CODE_PREFIX "%s:%u/%s", code->host,
		 code->port, encoded);
	secret_wipe(bytes, sizeof(bytes));
	secret_wipe(encoded, sizeof(encoded));
	return text;
}

static struct str trim_lines(struct str s)
{
	for (;;) {
		struct str before = s;

		s = str_trim(s);
		if (s.len && (s.at[0] == '\n' || s.at[0] == '\r'))
			s = str_n(s.at + 1, s.len - 1);
		if (s.len && (s.at[s.len - 1] == '\n' || s.at[s.len - 1] == '\r'))
			s.len--;
		if (s.len == before.len)
			return s;
	}
}

int link_code_parse(struct str s, struct link_code *ret, struct err *e)
{
	struct link_code code = {.port = LINK_PORT_DEFAULT};
	uint8_t bytes[CODE_BYTES];
	struct str address, host;

	s = trim_lines(s);
	if (s.len == 0)
		return err_set(e, ERR_INVALID, "no pairing code (it begins with \"hp1:\")");
	if (!str_starts(s, STR(CODE_PREFIX)))
		return err_set(e, ERR_INVALID, "this is no pairing code: it begins with \"hp1:\"");
	s = str_n(s.at + strlen(CODE_PREFIX), s.len - strlen(CODE_PREFIX));
	address = str_split(&s, '/');
	if (hostport_split(address, &host, &code.port) < 0 ||
	    !str_copy(code.host, sizeof(code.host), host))
		return err_set(e, ERR_INVALID, "the pairing code's gateway address is damaged");
	if (!hostname_valid(host) && str_find(host, ':') < 0)
		return err_set(e, ERR_INVALID, "the pairing code's gateway address is damaged");
	if (base64url_decode(s, bytes, sizeof(bytes)) < 0)
		return err_set(e, ERR_INVALID,
			       "the pairing code is damaged or incomplete: 64 characters follow "
			       "the \"/\"");
	memcpy(code.gateway.bytes, bytes, TLS_KEY_HASH_LEN);
	memcpy(code.secret, bytes + TLS_KEY_HASH_LEN, LINK_SECRET_LEN);
	secret_wipe(bytes, sizeof(bytes));
	*ret = code;
	return 0;
}
