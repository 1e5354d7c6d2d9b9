/*
 *  0                   1                   2                   3
 *  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 * |0 0|     message type          |         message length        |	RFC 8489 §5
 * |                     magic cookie 0x2112A442                   |
 * |                     transaction id (96 bits)                  |
 * |         attribute type        |            length             |	§14; each is padded to 4 bytes
 * |                         value (variable)                  ....
 *
 * XOR-MAPPED-ADDRESS, §14.2; MAPPED-ADDRESS is the same without the XOR:
 *
 * |0 0 0 0 0 0 0 0|    family     |    port ^ cookie >> 16        |
 * |        address ^ cookie, transaction id (32 or 128 bits)      |
 */
#include "proto/stun.h"

#include <string.h>

#include "base/cursor.h"
#include "proto/put.h"

#define COOKIE	 0x2112a442u
#define REQUEST	 0x0001u
#define SUCCESS	 0x0101u
#define FAILURE	 0x0111u
#define HEAD_LEN 20

enum attribute {
	MAPPED_ADDRESS = 0x0001,
	SOURCE_ADDRESS = 0x0004,  /* RFC 3489 */
	CHANGED_ADDRESS = 0x0005, /* RFC 3489 */
	ERROR_CODE = 0x0009,
	UNKNOWN_ATTRIBUTES = 0x000a,
	REFLECTED_FROM = 0x000b, /* RFC 3489 */
	XOR_MAPPED_ADDRESS = 0x0020,
	OPTIONAL = 0x8000, /* from here on what is not known may be left out of account */
	XOR_MAPPED_ADDRESS_OLD = 0x8020, /* as drafts before RFC 5389 had it */
};

struct found {
	struct ipaddr in_clear, xored;
	uint16_t error;
};

void stun_encode_request(uint8_t pkt[static STUN_REQUEST_LEN], const uint8_t id[static STUN_ID_LEN])
{
	uint8_t *p = put_u16(pkt, REQUEST);

	p = put_u16(p, 0);
	p = put_u32(p, COOKIE);
	put_bytes(p, id, STUN_ID_LEN);
}

/* head: the answer's cookie and id, which the address is XORed with; NULL: it is in clear */
static int decode_address(struct cursor value, const uint8_t *head, struct ipaddr *ret,
			  struct err *e)
{
	uint8_t family;
	struct ipaddr a = {0};
	const uint8_t *bytes;

	cursor_u8(&value);
	family = cursor_u8(&value);
	a.port = cursor_u16(&value);
	a.family = family == 1 ? 4 : family == 2 ? 6 : 0;
	if (!a.family)
		return err_set(e, ERR_INVALID, "STUN: an address of family %u", family);
	bytes = cursor_take(&value, a.family == 4 ? 4 : 16);
	if (!bytes || cursor_left(&value))
		return err_set(e, ERR_INVALID, "STUN: an address of a wrong length");
	for (int i = 0; i < (a.family == 4 ? 4 : 16); i++)
		a.bytes[i] = head ? bytes[i] ^ head[i] : bytes[i];
	if (head)
		a.port ^= (uint16_t)(head[0] << 8 | head[1]);
	ipaddr_unmap(&a);
	*ret = a;
	return 0;
}

/* §14.8 */
static int decode_error(struct cursor value, uint16_t *ret, struct err *e)
{
	uint8_t hundreds, number;

	cursor_u16(&value);
	hundreds = cursor_u8(&value) & 7;
	number = cursor_u8(&value);
	if (!cursor_ok(&value) || hundreds < 3 || hundreds > 6 || number > 99)
		return err_set(e, ERR_INVALID, "STUN: an error without a number");
	*ret = (uint16_t)(hundreds * 100 + number);
	return 0;
}

/* Of several of a kind the first counts (§14). */
static int take_attribute(uint16_t type, struct cursor value, const uint8_t *head,
			  struct found *found, struct err *e)
{
	switch (type) {
	case MAPPED_ADDRESS:
		return found->in_clear.family ? 0
					      : decode_address(value, NULL, &found->in_clear, e);
	case XOR_MAPPED_ADDRESS:
	case XOR_MAPPED_ADDRESS_OLD:
		return found->xored.family ? 0 : decode_address(value, head, &found->xored, e);
	case ERROR_CODE:
		return found->error ? 0 : decode_error(value, &found->error, e);
	case SOURCE_ADDRESS:
	case CHANGED_ADDRESS:
	case UNKNOWN_ATTRIBUTES:
	case REFLECTED_FROM:
		return 0;
	}
	if (type < OPTIONAL)
		return err_set(e, ERR_INVALID, "STUN: attribute 0x%04x must be understood", type);
	return 0;
}

static int take_attributes(struct cursor *c, const uint8_t *head, struct found *found,
			   struct err *e)
{
	while (cursor_left(c)) {
		uint16_t type = cursor_u16(c), len = cursor_u16(c);
		struct cursor value = cursor_sub(c, len);
		int r;

		cursor_take(c, (4 - len % 4) % 4);
		if (!cursor_ok(c))
			return err_set(e, ERR_INVALID, "STUN: an attribute is cut short");
		r = take_attribute(type, value, head, found, e);
		if (r < 0)
			return r;
	}
	return 0;
}

int stun_decode_answer(const uint8_t *bytes, size_t len, const uint8_t id[static STUN_ID_LEN],
		       struct stun_answer *ret, struct err *e)
{
	struct cursor c = cursor_over(bytes, len);
	uint16_t type = cursor_u16(&c), length = cursor_u16(&c);
	const uint8_t *head = cursor_take(&c, 4 + STUN_ID_LEN);
	uint8_t expected[4 + STUN_ID_LEN];
	struct found found = {0};
	int r;

	if (!head || len > STUN_ANSWER_MAX || length % 4 || length != cursor_left(&c) ||
	    (type != SUCCESS && type != FAILURE))
		return err_set(e, ERR_INVALID, "STUN: not an answer");
	put_bytes(put_u32(expected, COOKIE), id, STUN_ID_LEN);
	if (memcmp(head, expected, sizeof(expected)) != 0)
		return err_set(e, ERR_INVALID, "STUN: the answer to another question");
	r = take_attributes(&c, head, &found, e);
	if (r < 0)
		return r;
	if (type == FAILURE && !found.error)
		return err_set(e, ERR_INVALID, "STUN: an error without a number");
	if (type == SUCCESS && !found.xored.family && !found.in_clear.family)
		return err_set(e, ERR_INVALID, "STUN: a success without an address");
	*ret = (struct stun_answer){.error = type == FAILURE ? found.error : 0};
	if (type == SUCCESS) {
		ret->clear = !found.xored.family;
		ret->mapped = ret->clear ? found.in_clear : found.xored;
	}
	return 0;
}
