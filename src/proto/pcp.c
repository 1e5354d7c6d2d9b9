#include "proto/pcp.h"

#include <assert.h>
#include <netinet/in.h>

#include "base/cursor.h"
#include "proto/put.h"

/*
 * Request header, RFC 6887 §7.1
 *
 *  0                   1                   2                   3
 * +---------------+-+-------------+-------------------------------+
 * |  version = 2  |R|   opcode    |           reserved            |   R: 0 request, 1 response
 * +---------------+-+-------------+-------------------------------+
 * |                      requested lifetime                       |
 * +---------------------------------------------------------------+
 * |                  client's address (16 bytes)                  |   IPv4 as ::ffff:a.b.c.d
 * +---------------------------------------------------------------+
 *
 * Response header, §7.2
 *
 * +---------------+-+-------------+---------------+---------------+
 * |  version = 2  |R|   opcode    |   reserved    |    result     |
 * +---------------+-+-------------+---------------+---------------+
 * |                           lifetime                            |
 * +---------------------------------------------------------------+
 * |                          epoch time                           |
 * +---------------------------------------------------------------+
 * |                      reserved (12 bytes)                      |
 * +---------------------------------------------------------------+
 *
 * MAP, request and response, §11.1
 *
 * +---------------------------------------------------------------+
 * |                       nonce (12 bytes)                        |
 * +---------------+-----------------------------------------------+
 * |   protocol    |                   reserved                    |
 * +---------------+---------------+-------------------------------+
 * |         internal port         |  suggested / assigned port    |
 * +-------------------------------+-------------------------------+
 * |      suggested / assigned external address (16 bytes)         |
 * +---------------------------------------------------------------+
 *
 * Option, §7.3
 *
 * +---------------+---------------+-------------------------------+
 * |     code      |   reserved    |            length             |   of the data, without
 * +---------------+---------------+-------------------------------+   what fills it up to
 * |                       data, 0 to 3 zeros                      |   a multiple of 4
 * +---------------------------------------------------------------+
 */
#define VERSION_NATPMP	      0
#define VERSION_PCP	      2
#define RESPONSE	      0x80
#define OPTION_PREFER_FAILURE 2
#define FOREIGN_LEN	      8 /* of any reply in another version; NAT-PMP's shortest (RFC 6886 §3.5) */

static const uint8_t mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

const char *pcp_result_name(unsigned result)
{
	switch (result) {
#define X(name, number, words)                                                                     \
	case number:                                                                               \
		return #name;
		PCP_RESULTS(X)
#undef X
	}
	return "UNASSIGNED";
}

const char *pcp_result_words(unsigned result)
{
	switch (result) {
#define X(name, number, words)                                                                     \
	case number:                                                                               \
		return words;
		PCP_RESULTS(X)
#undef X
	}
	return "an error without a name";
}

/* ── encoding ── */

/* RFC 6887 §5: 16 bytes whatever the family; "no address" is zeros of the wished family. */
static uint8_t *put_address(uint8_t *to, const struct ipaddr *addr, uint8_t family)
{
	static const uint8_t none[16];
	const uint8_t *bytes = addr->family ? addr->bytes : none;

	if (addr->family)
		family = addr->family;
	if (family == 6)
		return put_bytes(to, bytes, 16);
	return put_bytes(put_bytes(to, mapped_prefix, sizeof(mapped_prefix)), bytes, 4);
}

static uint8_t *put_header(uint8_t *to, enum pcp_opcode opcode, uint32_t lifetime_s,
			   const struct ipaddr *client)
{
	assert(client->family == 4 || client->family == 6);
	to = put_u8(to, VERSION_PCP);
	to = put_u8(to, (uint8_t)opcode);
	to = put_u16(to, 0);
	to = put_u32(to, lifetime_s);
	return put_address(to, client, client->family);
}

size_t pcp_encode_map(uint8_t pkt[static PCP_REQUEST_MAX], const struct ipaddr *client,
		      const struct pcp_map *map, const uint8_t nonce[static PCP_NONCE_LEN])
{
	static const struct ipaddr none;
	bool delete = map->lifetime_s == 0;
	const struct ipaddr *external = delete ? &none : &map->external;
	bool prefer_failure = map->prefer_failure && !delete;
	uint8_t *at;

	/* 0 means all of them (§11.1): the whole machine would stand open. */
	assert(map->proto == IPPROTO_TCP || map->proto == IPPROTO_UDP);
	assert(map->internal_port != 0);
	assert(!prefer_failure || external->port != 0); /* else the server must refuse, §13.2 */

	at = put_header(pkt, PCP_MAP, map->lifetime_s, client);
	at = put_bytes(at, nonce, PCP_NONCE_LEN);
	at = put_u8(at, map->proto);
	at = put_zeros(at, 3);
	at = put_u16(at, map->internal_port);
	at = put_u16(at, external->port);
	at = put_address(at, external, client->family);
	if (prefer_failure) {
		at = put_u8(at, OPTION_PREFER_FAILURE);
		at = put_zeros(at, 3);
	}
	return (size_t)(at - pkt);
}

size_t pcp_encode_announce(uint8_t pkt[static PCP_ANNOUNCE_LEN], const struct ipaddr *client)
{
	return (size_t)(put_header(pkt, PCP_ANNOUNCE, 0, client) - pkt);
}

/* ── decoding ── */

static struct ipaddr take_address(struct cursor *c, uint16_t port)
{
	struct ipaddr addr = {.family = 6};
	const uint8_t *bytes = cursor_take(c, sizeof(addr.bytes));

	if (!bytes)
		return (struct ipaddr){0};
	memcpy(addr.bytes, bytes, sizeof(addr.bytes));
	ipaddr_unmap(&addr);
	addr.port = port;
	return addr;
}

static int decode_map(struct cursor *c, struct pcp_reply *reply, struct err *e)
{
	const uint8_t *nonce = cursor_take(c, PCP_NONCE_LEN);
	struct ipaddr external;
	uint16_t port;

	if (nonce)
		memcpy(reply->nonce, nonce, PCP_NONCE_LEN);
	reply->proto = cursor_u8(c);
	cursor_take(c, 3);
	reply->internal_port = cursor_u16(c);
	port = cursor_u16(c);
	external = take_address(c, port);
	if (!cursor_ok(c))
		return err_set(e, ERR_INVALID, "PCP: truncated MAP");
	/* We ask for nothing else, and all ports at once is nothing to be had by a reply. */
	if ((reply->proto != IPPROTO_TCP && reply->proto != IPPROTO_UDP) || !reply->internal_port)
		return err_set(e, ERR_INVALID, "PCP: MAP of all ports or of another protocol");
	reply->has_map = true;
	if (reply->result == PCP_SUCCESS)
		reply->external = external;
	else
		reply->evidence = external;
	return 0;
}

/* None is wanted, but they must fit. */
static int skip_options(struct cursor *c, struct err *e)
{
	while (cursor_left(c) > 0) {
		size_t len;

		cursor_take(c, 2);
		len = cursor_u16(c);
		cursor_take(c, (len + 3) / 4 * 4);
		if (!cursor_ok(c))
			return err_set(e, ERR_INVALID, "PCP: an option over the end");
	}
	return 0;
}

/* An error is mostly the request, whole or in part, with another header (§8.2): what does not
 * fit in it is left out instead of refused. */
static void decode_error_body(struct cursor c, struct pcp_reply *reply)
{
	struct pcp_reply with_map = *reply;

	if (reply->opcode == PCP_MAP && decode_map(&c, &with_map, NULL) == 0)
		*reply = with_map;
}

static int decode_success_body(struct cursor c, struct pcp_reply *reply, struct err *e)
{
	int r = 0;

	if (reply->opcode == PCP_MAP)
		r = decode_map(&c, reply, e);
	return r < 0 ? r : skip_options(&c, e);
}

/* The first bytes mean the same in every version (§9): that one is not spoken, and which is. */
static int decode_foreign(const struct pcp_reply *foreign, struct pcp_reply *ret, struct err *e)
{
	if (foreign->version == VERSION_NATPMP)
		return err_set(e, ERR_REFUSED, "the router speaks NAT-PMP, not PCP");
	if (foreign->result != PCP_UNSUPP_VERSION)
		return err_set(e, ERR_INVALID, "PCP: version %u", foreign->version);
	*ret = *foreign;
	return 0;
}

int pcp_decode_reply(const uint8_t *bytes, size_t len, struct pcp_reply *ret, struct err *e)
{
	struct cursor c = cursor_over(bytes, len);
	struct pcp_reply reply = {.version = cursor_u8(&c)};
	uint8_t opcode = cursor_u8(&c);
	int r = 0;

	if (len < FOREIGN_LEN || len > PCP_MAX)
		return err_set(e, ERR_INVALID, "PCP: a reply of %zu bytes", len);
	if (!(opcode & RESPONSE))
		return err_set(e, ERR_INVALID, "PCP: a request, not a reply");
	opcode &= (uint8_t)~RESPONSE;
	if (opcode != PCP_MAP && opcode != PCP_ANNOUNCE)
		return err_set(e, ERR_INVALID, "PCP: a reply to operation %u", opcode);
	reply.opcode = opcode;
	cursor_u8(&c);
	reply.result = cursor_u8(&c);
	if (reply.version != VERSION_PCP)
		return decode_foreign(&reply, ret, e);
	reply.lifetime_s = cursor_u32(&c);
	reply.epoch_s = cursor_u32(&c);
	cursor_take(&c, 12);
	if (!cursor_ok(&c) || len % 4)
		return err_set(e, ERR_INVALID, "PCP: a reply of %zu bytes", len);
	if (reply.result == PCP_SUCCESS)
		r = decode_success_body(c, &reply, e);
	else
		decode_error_body(c, &reply);
	if (r == 0)
		*ret = reply;
	return r;
}

bool pcp_reply_answers(const struct pcp_reply *reply, const struct pcp_map *map,
		       const uint8_t nonce[static PCP_NONCE_LEN])
{
	return reply->has_map && reply->proto == map->proto &&
	       reply->internal_port == map->internal_port &&
	       memcmp(reply->nonce, nonce, PCP_NONCE_LEN) == 0;
}
