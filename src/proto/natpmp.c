#include "proto/natpmp.h"

#include <assert.h>
#include <netinet/in.h>

#include "base/cursor.h"
#include "proto/pcp.h"
#include "proto/put.h"

/*
 * RFC 6886 §3.2, the outside address
 *
 * +-------------+-------------+
 * | version = 0 |   op = 0    |			request
 * +-------------+-------------+---------------------------+
 * | version = 0 | op = 128    |          result           |	response
 * +-------------+-------------+---------------------------+
 * |                seconds since the epoch                |
 * +-------------------------------------------------------+
 * |                    outside address                    |
 * +-------------------------------------------------------+
 *
 * §3.3, a mapping: op 1 UDP, 2 TCP
 *
 * +-------------+-------------+---------------------------+
 * | version = 0 |     op      |         reserved          |	request
 * +-------------+-------------+---------------------------+
 * |       internal port       |      suggested port       |
 * +---------------------------+---------------------------+
 * |              requested lifetime in seconds            |
 * +-------------------------------------------------------+
 *
 * +-------------+-------------+---------------------------+
 * | version = 0 |  op + 128   |          result           |	response
 * +-------------+-------------+---------------------------+
 * |                seconds since the epoch                |	an error may end here
 * +---------------------------+---------------------------+
 * |       internal port       |       mapped port         |
 * +---------------------------+---------------------------+
 * |                   lifetime in seconds                 |
 * +-------------------------------------------------------+
 */
#define VERSION_NATPMP 0
#define VERSION_PCP    2
#define RESPONSE       0x80
#define HEADER_LEN     8
#define REPLY_MAX      PCP_MAX /* RFC 6886 names none; room for what one may append */

const char *natpmp_result_name(unsigned result)
{
	switch (result) {
#define X(name, number, words)                                                                     \
	case number:                                                                               \
		return #name;
		NATPMP_RESULTS(X)
#undef X
	}
	return "UNASSIGNED";
}

const char *natpmp_result_words(unsigned result)
{
	switch (result) {
#define X(name, number, words)                                                                     \
	case number:                                                                               \
		return words;
		NATPMP_RESULTS(X)
#undef X
	}
	return "an error without a name";
}

size_t natpmp_encode_address(uint8_t pkt[static NATPMP_ADDRESS_LEN])
{
	return (size_t)(put_u8(put_u8(pkt, VERSION_NATPMP), NATPMP_ADDRESS) - pkt);
}

size_t natpmp_encode_map(uint8_t pkt[static NATPMP_REQUEST_MAX], const struct natpmp_map *map)
{
	uint8_t *at = pkt;

	assert(map->proto == IPPROTO_TCP || map->proto == IPPROTO_UDP);
	assert(map->internal_port != 0); /* with lifetime 0 it means all we have (§3.4) */

	at = put_u8(at, VERSION_NATPMP);
	at = put_u8(at, map->proto == IPPROTO_TCP ? NATPMP_MAP_TCP : NATPMP_MAP_UDP);
	at = put_u16(at, 0);
	at = put_u16(at, map->internal_port);
	at = put_u16(at, map->lifetime_s ? map->external_port : 0);
	at = put_u32(at, map->lifetime_s);
	return (size_t)(at - pkt);
}

static void decode_address(struct cursor *c, struct natpmp_reply *reply)
{
	const uint8_t *bytes = cursor_take(c, 4);

	if (!bytes)
		return;
	reply->address.family = 4;
	memcpy(reply->address.bytes, bytes, 4);
}

static void decode_map(struct cursor *c, struct natpmp_reply *reply)
{
	reply->proto = reply->op == NATPMP_MAP_TCP ? IPPROTO_TCP : IPPROTO_UDP;
	reply->internal_port = cursor_u16(c);
	reply->external_port = cursor_u16(c);
	reply->lifetime_s = cursor_u32(c);
}

int natpmp_decode_reply(const uint8_t *bytes, size_t len, struct natpmp_reply *ret, struct err *e)
{
	struct cursor c = cursor_over(bytes, len);
	struct natpmp_reply reply = {0};
	uint8_t version = cursor_u8(&c), op = cursor_u8(&c);

	if (len < HEADER_LEN || len > REPLY_MAX)
		return err_set(e, ERR_INVALID, "NAT-PMP: a reply of %zu bytes", len);
	if (!(op & RESPONSE))
		return err_set(e, ERR_INVALID, "NAT-PMP: a request, not a reply");
	if (version == VERSION_PCP)
		return err_set(e, ERR_REFUSED, "the router speaks PCP, not NAT-PMP");
	if (version != VERSION_NATPMP)
		return err_set(e, ERR_INVALID, "NAT-PMP: version %u", version);
	op &= (uint8_t)~RESPONSE;
	if (op > NATPMP_MAP_TCP)
		return err_set(e, ERR_INVALID, "NAT-PMP: a reply to operation %u", op);
	reply.op = op;
	reply.result = cursor_u16(&c);
	reply.epoch_s = cursor_u32(&c);
	if (reply.result == NATPMP_SUCCESS && reply.op == NATPMP_ADDRESS)
		decode_address(&c, &reply);
	else if (reply.result == NATPMP_SUCCESS)
		decode_map(&c, &reply);
	if (!cursor_ok(&c))
		return err_set(e, ERR_INVALID, "NAT-PMP: truncated reply");
	*ret = reply;
	return 0;
}

bool natpmp_reply_answers(const struct natpmp_reply *reply, const struct natpmp_map *map)
{
	return reply->result == NATPMP_SUCCESS && reply->op != NATPMP_ADDRESS &&
	       reply->proto == map->proto && reply->internal_port == map->internal_port;
}
