#include "proto/clienthello.h"

#include "base/cursor.h"

/*
 *    1      2       2            TLS record, RFC 8446 §5.1
 * +------+-------+--------+- - -
 * | type | 03 xx | length | fragment (1..16384 bytes)
 * +------+-------+--------+- - -
 *
 *    1       3        2       32       1..33         2..         2..        2..
 * +------+--------+-------+--------+------------+---------+-------------+------------+
 * | 01   | length | 03 xx | random | session id | ciphers | compression | extensions |
 * +------+--------+-------+--------+------------+---------+-------------+------------+
 *   handshake header, §4   ClientHello, §4.1.2; the fragments of all records joined
 */
#define RECORD_HANDSHAKE    22
#define RECORD_HEADER_LEN   5
#define RECORD_FRAGMENT_MAX 16384
#define MESSAGE_HELLO	    1
#define MESSAGE_HEADER_LEN  4
#define TLS_MAJOR	    3 /* of every version since SSL 3.0; the minor number means nothing */
#define RANDOM_LEN	    32
#define SESSION_ID_MAX	    32

const uint8_t clienthello_alert_unrecognized_name[CLIENTHELLO_ALERT_LEN] = {
	21, TLS_MAJOR, 3, 0, 2, /* record: alert, TLS 1.2, two bytes */
	2,  112,		/* fatal, unrecognized_name (RFC 6066 §9) */
};

/* The header of a record, as much of it as is there. */
static int read_record_header(struct cursor *c, size_t *ret_len, struct err *e)
{
	size_t left = cursor_left(c);
	const uint8_t *at = c->at;

	if (left >= 1 && at[0] != RECORD_HANDSHAKE)
		return err_set(e, ERR_INVALID, "not a TLS handshake");
	if (left >= 2 && at[1] != TLS_MAJOR)
		return err_set(e, ERR_INVALID, "not a TLS version");
	if (left < RECORD_HEADER_LEN)
		return err_set(e, ERR_INCOMPLETE, "incomplete TLS record header");
	cursor_take(c, 3);
	*ret_len = cursor_u16(c);
	if (*ret_len == 0 || *ret_len > RECORD_FRAGMENT_MAX)
		return err_set(e, ERR_INVALID, "bad length of a TLS record");
	return 0;
}

/* The first `want` bytes of the message, copied to `to` (NULL: only looked for) out of its records.
 * *ret_have is how many of them are there, also when -ERR_INCOMPLETE is returned. */
static int join_records(const uint8_t *bytes, size_t len, uint8_t *to, size_t want,
			size_t *ret_have, struct err *e)
{
	struct cursor c = cursor_over(bytes, MIN(len, CLIENTHELLO_MAX));
	size_t fragment = 0, have = 0;
	int r;

	for (*ret_have = 0; have < want; *ret_have = have) {
		size_t n;

		r = read_record_header(&c, &fragment, e);
		if (r == -ERR_INCOMPLETE && len >= CLIENTHELLO_MAX)
			return err_set(e, ERR_LIMIT, "ClientHello over %d bytes", CLIENTHELLO_MAX);
		if (r < 0)
			return r;
		n = MIN(MIN(fragment, cursor_left(&c)), want - have);
		if (to)
			memcpy(to + have, cursor_take(&c, n), n);
		else
			cursor_take(&c, n);
		have += n;
		if (n < fragment && have < want)
			break;
	}
	*ret_have = have;
	if (have == want)
		return 0;
	if (len >= CLIENTHELLO_MAX)
		return err_set(e, ERR_LIMIT, "ClientHello over %d bytes", CLIENTHELLO_MAX);
	return err_set(e, ERR_INCOMPLETE, "incomplete ClientHello");
}

/* Put the whole message into scratch. */
static int join_hello(const uint8_t *bytes, size_t len, uint8_t *scratch, struct cursor *ret_body,
		      struct err *e)
{
	uint8_t header[MESSAGE_HEADER_LEN] = {0};
	struct cursor c = cursor_over(header, sizeof(header));
	size_t have, want;
	int r;

	r = join_records(bytes, len, header, sizeof(header), &have, e);
	if (have > 0 && header[0] != MESSAGE_HELLO)
		return err_set(e, ERR_INVALID, "not a ClientHello");
	if (r < 0)
		return r;
	cursor_u8(&c);
	want = MESSAGE_HEADER_LEN + cursor_u24(&c);
	if (want > CLIENTHELLO_MAX - RECORD_HEADER_LEN)
		return err_set(e, ERR_LIMIT, "ClientHello over %d bytes", CLIENTHELLO_MAX);
	r = join_records(bytes, len, NULL, want, &have, e);
	if (r < 0)
		return r;
	r = join_records(bytes, len, scratch, want, &have, e);
	*ret_body = cursor_over(scratch + MESSAGE_HEADER_LEN, want - MESSAGE_HEADER_LEN);
	return r;
}

/*
 * RFC 6066 §3: a list of (type, name), at most one of each type. Type 0, the host name, is the only
 * one there will ever be: OpenSSL and others take no list but that with one host name.
 */
static int read_server_name(struct cursor c, struct clienthello *hello, struct err *e)
{
	struct cursor list = cursor_sub(&c, cursor_u16(&c));
	uint8_t type = cursor_u8(&list);
	size_t len = cursor_u16(&list);
	const uint8_t *name = cursor_take(&list, len);

	if (!cursor_ok(&c) || !cursor_ok(&list) || cursor_left(&c) || cursor_left(&list) || type)
		return err_set(e, ERR_INVALID, "bad server name extension");
	if (!hostname_copy(hello->server_name, str_n((const char *)name, len)))
		return err_set(e, ERR_INVALID, "the server name is not a host name");
	return 0;
}

/* RFC 7301 §3.1: a list of protocol names of 1..255 bytes. */
static int read_alpn(struct cursor c, struct clienthello *hello, struct err *e)
{
	struct cursor list = cursor_sub(&c, cursor_u16(&c));
	const char *at = (const char *)list.at;
	size_t len = cursor_left(&list);

	if (!cursor_ok(&c) || cursor_left(&c) || len == 0)
		return err_set(e, ERR_INVALID, "bad ALPN extension");
	while (cursor_left(&list)) {
		size_t n = cursor_u8(&list);

		if (n == 0 || !cursor_take(&list, n))
			return err_set(e, ERR_INVALID, "bad ALPN extension");
	}
	hello->alpn = str_n(at, len);
	return 0;
}

static const struct extension {
	uint16_t type;
	int (*read)(struct cursor c, struct clienthello *hello, struct err *e);
} extensions[] = {
	{0, read_server_name},
	{16, read_alpn},
};

/* Those we read may stand there once (§4.2), lest the other end reads another one than we do. */
static int read_extension(uint16_t type, struct cursor c, unsigned *seen, struct clienthello *hello,
			  struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(extensions); i++) {
		if (extensions[i].type != type)
			continue;
		if (*seen & 1u << i)
			return err_set(e, ERR_INVALID, "TLS extension %u twice", type);
		*seen |= 1u << i;
		return extensions[i].read(c, hello, e);
	}
	return 0;
}

static int read_extensions(struct cursor c, struct clienthello *hello, struct err *e)
{
	unsigned seen = 0;

	while (cursor_left(&c)) {
		uint16_t type = cursor_u16(&c);
		struct cursor content = cursor_sub(&c, cursor_u16(&c));
		int r;

		if (!cursor_ok(&c))
			break;
		r = read_extension(type, content, &seen, hello, e);
		if (r < 0)
			return r;
	}
	if (!cursor_ok(&c))
		return err_set(e, ERR_INVALID, "bad TLS extensions");
	return 0;
}

static int read_body(struct cursor c, struct clienthello *hello, struct err *e)
{
	struct cursor session_id, ciphers, compression, content;
	uint16_t version = cursor_u16(&c);

	cursor_take(&c, RANDOM_LEN);
	session_id = cursor_sub(&c, cursor_u8(&c));
	ciphers = cursor_sub(&c, cursor_u16(&c));
	compression = cursor_sub(&c, cursor_u8(&c));
	if (!cursor_ok(&c) || version >> 8 != TLS_MAJOR ||
	    cursor_left(&session_id) > SESSION_ID_MAX || cursor_left(&ciphers) < 2 ||
	    cursor_left(&ciphers) % 2 || cursor_left(&compression) < 1)
		return err_set(e, ERR_INVALID, "malformed ClientHello");
	if (cursor_left(&c) == 0)
		return 0; /* TLS 1.2 may do without extensions */
	content = cursor_sub(&c, cursor_u16(&c));
	if (!cursor_ok(&c) || cursor_left(&c))
		return err_set(e, ERR_INVALID, "malformed ClientHello");
	return read_extensions(content, hello, e);
}

int clienthello_parse(const uint8_t *bytes, size_t len, uint8_t scratch[static CLIENTHELLO_MAX],
		      struct clienthello *ret, struct err *e)
{
	struct clienthello hello = {0};
	struct cursor body;
	int r;

	r = join_hello(bytes, len, scratch, &body, e);
	if (r < 0)
		return r;
	r = read_body(body, &hello, e);
	if (r < 0)
		return r;
	*ret = hello;
	return 0;
}

bool clienthello_has_alpn(const struct clienthello *hello, struct str protocol)
{
	struct cursor c = cursor_over(hello->alpn.at, hello->alpn.len);

	while (cursor_left(&c)) {
		size_t n = cursor_u8(&c);

		if (str_eq(str_n((const char *)cursor_take(&c, n), n), protocol))
			return true;
	}
	return false;
}
