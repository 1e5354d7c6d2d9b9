/* A reply is refused, or every field is within its range and the same however often it is read. */
#include "fuzz.h"

#include <assert.h>
#include <netinet/in.h>
#include <string.h>

#include "proto/pcp.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct pcp_reply reply = {0}, again = {0};
	struct pcp_map map;
	struct err e;
	int r = pcp_decode_reply(bytes, len, &reply, &e);

	assert(pcp_decode_reply(bytes, len, &again, NULL) == r);
	assert(r == 0 || r == -ERR_INVALID || (r == -ERR_REFUSED && bytes[0] == 0));
	if (r < 0)
		return 0;
	assert(memcmp(&reply, &again, sizeof(reply)) == 0);
	assert(reply.opcode == PCP_MAP || reply.opcode == PCP_ANNOUNCE);
	assert(len <= PCP_MAX && (reply.version == 2 || reply.result == PCP_UNSUPP_VERSION));
	assert(*pcp_result_name(reply.result) && *pcp_result_words(reply.result));
	if (!reply.has_map) {
		assert(reply.result != PCP_SUCCESS || reply.opcode == PCP_ANNOUNCE);
		assert(reply.external.family == 0 && reply.evidence.family == 0);
		return 0;
	}
	assert(len >= PCP_MAP_LEN && reply.opcode == PCP_MAP && reply.internal_port);
	assert(reply.proto == IPPROTO_TCP || reply.proto == IPPROTO_UDP);
	assert((reply.external.family != 0) == (reply.result == PCP_SUCCESS));
	assert((reply.evidence.family != 0) == (reply.result != PCP_SUCCESS));
	map = (struct pcp_map){.proto = reply.proto, .internal_port = reply.internal_port};
	assert(pcp_reply_answers(&reply, &map, reply.nonce));
	return 0;
}
