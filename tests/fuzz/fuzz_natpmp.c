/* A reply is refused, or every field is within its range; an error leaves nothing to use. */
#include "fuzz.h"

#include <assert.h>
#include <netinet/in.h>

#include "proto/natpmp.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct natpmp_reply reply = {0};
	struct err e;
	int r = natpmp_decode_reply(bytes, len, &reply, &e);

	assert(r == 0 || r == -ERR_INVALID || (r == -ERR_REFUSED && bytes[0] == 2));
	if (r < 0)
		return 0;
	assert(reply.op <= NATPMP_MAP_TCP);
	assert(*natpmp_result_name(reply.result) && *natpmp_result_words(reply.result));
	assert((reply.address.family == 4) == (reply.op == NATPMP_ADDRESS && reply.result == 0));
	assert((reply.proto != 0) == (reply.op != NATPMP_ADDRESS && reply.result == 0));
	if (reply.result)
		assert(!reply.internal_port && !reply.external_port && !reply.lifetime_s);
	if (reply.proto)
		assert((reply.proto == IPPROTO_TCP) == (reply.op == NATPMP_MAP_TCP));
	return 0;
}
