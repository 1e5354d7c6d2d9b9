/*
 * The Port Control Protocol, version 2 (RFC 6887): asking a router to let in one port. Requests go to
 * its UDP port 5351; announcements of routers come to 224.0.0.1 and ff02::1, port 5350.
 *
 *	struct pcp_map map = {.proto = IPPROTO_TCP, .internal_port = 8000, .lifetime_s = 7200};
 *	uint8_t pkt[PCP_REQUEST_MAX];
 *	size_t len = pcp_encode_map(pkt, &our_address, &map, nonce);
 *
 *	r = pcp_decode_reply(bytes, n, &reply, &e);
 *	if (r == -ERR_REFUSED)
 *		ask_by_natpmp();
 *	else if (r == 0 && reply.result == PCP_SUCCESS && pcp_reply_answers(&reply, &map, nonce))
 *		use(&reply.external);
 *
 * What is decoded is what was sent, no more: who sent it, and whether it answers what we asked, is
 * for the caller to compare.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/ipaddr.h"

#define PCP_PORT	  5351
#define PCP_ANNOUNCE_PORT 5350 /* where we listen; never asked */

#define PCP_NONCE_LEN	 12
#define PCP_ANNOUNCE_LEN 24   /* request and reply: the header alone */
#define PCP_MAP_LEN	 60   /* request and reply without options */
#define PCP_REQUEST_MAX	 64   /* PCP_MAP_LEN and PREFER_FAILURE */
#define PCP_MAX		 1100 /* of any message, RFC 6887 §7 */

enum pcp_opcode {
	PCP_ANNOUNCE = 0,
	PCP_MAP = 1,
};

/* RFC 6887 §7.4, each with a few words that fit behind "the router says: ". */
#define PCP_RESULTS(X)                                                                             \
	X(SUCCESS, 0, "done")                                                                      \
	X(UNSUPP_VERSION, 1, "it does not speak this version")                                     \
	X(NOT_AUTHORIZED, 2, "not allowed for this device")                                        \
	X(MALFORMED_REQUEST, 3, "it does not understand the request")                              \
	X(UNSUPP_OPCODE, 4, "it does not offer this operation")                                    \
	X(UNSUPP_OPTION, 5, "it does not offer this option")                                       \
	X(MALFORMED_OPTION, 6, "it does not understand the option")                                \
	X(NETWORK_FAILURE, 7, "it has no connection to the internet")                              \
	X(NO_RESOURCES, 8, "it has no place for this now")                                         \
	X(UNSUPP_PROTOCOL, 9, "it does not offer this transport protocol")                         \
	X(USER_EX_QUOTA, 10, "this device has all the ports that it may have")                     \
	X(CANNOT_PROVIDE_EXTERNAL, 11, "the wished port or address is not to be had")              \
	X(ADDRESS_MISMATCH, 12, "another address translator is between it and this device")        \
	X(EXCESSIVE_REMOTE_PEERS, 13, "too many filters")

enum pcp_result {
#define X(name, number, words) PCP_##name = number,
	PCP_RESULTS(X)
#undef X
};

/* "NOT_AUTHORIZED", as RFC 6887 has it; "UNASSIGNED" for a number it does not have. */
const char *pcp_result_name(unsigned result);

/* The words of the table; "an error without a name" for a number it does not have. */
const char *pcp_result_words(unsigned result);

/* What is asked. */
struct pcp_map {
	uint8_t proto;		/* IPPROTO_TCP or IPPROTO_UDP */
	uint16_t internal_port; /* 1..65535 */
	struct ipaddr external; /* suggested, with port; family 0 and port 0: the router's choice */
	uint32_t lifetime_s;	/* 0: delete the mapping */
	bool prefer_failure;	/* this external port or none; needs external.port */
};

struct pcp_reply {
	enum pcp_opcode opcode;
	uint8_t version;     /* 2; another one only with UNSUPP_VERSION */
	uint8_t result;	     /* enum pcp_result, or a number without a name */
	uint32_t lifetime_s; /* of the mapping; of an error: how long it will last, 0 not told */
	uint32_t epoch_s;    /* since the server knows what it knows: map/epoch */

	/* What follows is there with has_map: always for a MAP that succeeded, for an error when
	 * the server sent that much. */
	bool has_map;
	uint8_t nonce[PCP_NONCE_LEN];
	uint8_t proto; /* IPPROTO_TCP or IPPROTO_UDP */
	uint16_t internal_port;
	struct ipaddr external; /* with port; family 0 unless the result is SUCCESS */

	/*
	 * What an error has in external's place: no mapping, but evidence. Routers put their own
	 * outside address there (private or 100.64.0.0/10: there is another translator above
	 * them); others leave what the request suggested. Family 0 with SUCCESS.
	 */
	struct ipaddr evidence;
};

/*
 * Encode a MAP request (RFC 6887 §7.1 header, §11.1 MAP, §13.2 PREFER_FAILURE).
 *
 * pkt     out: wire bytes
 * client  in:  our own address as the router sees it, the one the socket is bound to; its port and
 *              scope do not count
 * map     in:  see there; all ports or all protocols at once cannot be asked for. To delete,
 *              external and prefer_failure are left out (§15.1)
 * nonce   in:  keep it: renewal and deletion must repeat it
 *
 * Returns the length: PCP_MAP_LEN, with prefer_failure PCP_REQUEST_MAX. Cannot fail.
 */
size_t pcp_encode_map(uint8_t pkt[static PCP_REQUEST_MAX], const struct ipaddr *client,
		      const struct pcp_map *map, const uint8_t nonce[static PCP_NONCE_LEN]);

/* Encode an ANNOUNCE request (§14.1): "are you there, and since when?". Returns its length,
 * PCP_ANNOUNCE_LEN. Cannot fail. */
size_t pcp_encode_announce(uint8_t pkt[static PCP_ANNOUNCE_LEN], const struct ipaddr *client);

/*
 * Decode a datagram from a server: the reply to MAP or ANNOUNCE, or an ANNOUNCE that nobody asked
 * for (§14.1.3), which looks the same.
 *
 * ret   out: written on success only
 *
 * 0; look at ret->result first;
 * -ERR_REFUSED  a NAT-PMP message (version 0): this router speaks that, RFC 6887 appendix A;
 * -ERR_INVALID  neither: too short or long, a request, another operation, options that do not fit.
 */
int pcp_decode_reply(const uint8_t *bytes, size_t len, struct pcp_reply *ret,
		     struct err *e) MUST_CHECK;

/* Whether a reply is about this mapping of ours: MAP, nonce, protocol, internal port (§11.4). Its
 * result may be any; without has_map there is nothing to compare and it is not. */
bool pcp_reply_answers(const struct pcp_reply *reply, const struct pcp_map *map,
		       const uint8_t nonce[static PCP_NONCE_LEN]);
