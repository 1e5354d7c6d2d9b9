/*
 * NAT-PMP (RFC 6886), PCP's predecessor: IPv4 only, and a router's UDP port 5351 too (PCP_PORT). It
 * has no nonce: a mapping is known by protocol and internal port, and an error tells not even
 * those, so ask for one thing at a time.
 *
 *	struct natpmp_map map = {.proto = IPPROTO_TCP, .internal_port = 8000, .lifetime_s = 7200};
 *	uint8_t pkt[NATPMP_REQUEST_MAX];
 *	size_t len = natpmp_encode_map(pkt, &map);
 *
 *	r = natpmp_decode_reply(bytes, n, &reply, &e);
 *	if (r == 0 && reply.result == NATPMP_SUCCESS && natpmp_reply_answers(&reply, &map))
 *		use(reply.external_port);
 *
 * Routers announce a changed outside address to 224.0.0.1, port 5350 (PCP_ANNOUNCE_PORT), as the
 * reply to a question about it that nobody asked (§3.2.1).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/ipaddr.h"

#define NATPMP_REQUEST_MAX 12
#define NATPMP_ADDRESS_LEN 2

enum natpmp_op {
	NATPMP_ADDRESS = 0,
	NATPMP_MAP_UDP = 1,
	NATPMP_MAP_TCP = 2,
};

/* RFC 6886 §3.5, each with a few words that fit behind "the router says: ". */
#define NATPMP_RESULTS(X)                                                                          \
	X(SUCCESS, 0, "done")                                                                      \
	X(UNSUPP_VERSION, 1, "it does not speak this version")                                     \
	X(NOT_AUTHORIZED, 2, "not allowed, or switched off")                                       \
	X(NETWORK_FAILURE, 3, "it has no public address")                                          \
	X(OUT_OF_RESOURCES, 4, "it has no place for this now")                                     \
	X(UNSUPP_OPCODE, 5, "it does not offer this operation")

enum natpmp_result {
#define X(name, number, words) NATPMP_##name = number,
	NATPMP_RESULTS(X)
#undef X
};

/* "NOT_AUTHORIZED", named as PCP names the same; "UNASSIGNED" for a number without a name. */
const char *natpmp_result_name(unsigned result);

/* The words of the table; "an error without a name" for a number without one. */
const char *natpmp_result_words(unsigned result);

/* What is asked. */
struct natpmp_map {
	uint8_t proto;		/* IPPROTO_TCP or IPPROTO_UDP */
	uint16_t internal_port; /* 1..65535 */
	uint16_t external_port; /* suggested; 0: the router's choice */
	uint32_t lifetime_s;	/* 0: delete the mapping */
};

struct natpmp_reply {
	enum natpmp_op op;
	uint16_t result;  /* enum natpmp_result, or a number without a name */
	uint32_t epoch_s; /* since the router knows what it knows: map/epoch */

	/* All below is 0 unless the result is SUCCESS, whatever was sent: routers refuse with
	 * ports and a lifetime that look like a mapping's. */
	struct ipaddr address; /* NATPMP_ADDRESS: the router's outside; no port; may be 0.0.0.0 */
	uint8_t proto;	       /* of the mapping: IPPROTO_TCP or IPPROTO_UDP */
	uint16_t internal_port;
	uint16_t external_port; /* 0: it was deleted */
	uint32_t lifetime_s;	/* 0: it was deleted */
};

/* Encode the question for the outside address (§3.2). Returns NATPMP_ADDRESS_LEN. Cannot fail. */
size_t natpmp_encode_address(uint8_t pkt[static NATPMP_ADDRESS_LEN]);

/*
 * Encode the request for a mapping (§3.3) or its deletion (§3.4), which suggests no port. All ports
 * or all protocols at once cannot be asked for. Returns NATPMP_REQUEST_MAX. Cannot fail.
 */
size_t natpmp_encode_map(uint8_t pkt[static NATPMP_REQUEST_MAX], const struct natpmp_map *map);

/*
 * Decode a datagram from a router: a reply, or an announcement of its address.
 *
 * ret   out: written on success only
 *
 * 0; look at ret->result first;
 * -ERR_REFUSED  a PCP message (version 2): this router speaks only that, RFC 6887 §9;
 * -ERR_INVALID  neither: too short or long, a request, another operation.
 */
int natpmp_decode_reply(const uint8_t *bytes, size_t len, struct natpmp_reply *ret,
			struct err *e) MUST_CHECK;

/* Whether a success is about this mapping of ours: protocol and internal port. */
bool natpmp_reply_answers(const struct natpmp_reply *reply, const struct natpmp_map *map);
