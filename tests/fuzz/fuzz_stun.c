/* Whatever comes after the id is refused, or is an address of one family, or an error's number. */
#include "fuzz.h"

#include <assert.h>
#include <string.h>

#include "proto/stun.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static const uint8_t other[STUN_ID_LEN] = {0x5a};
	struct stun_answer answer;
	uint8_t id[STUN_ID_LEN] = {0};
	struct err e;
	int r;

	if (len >= 8 + STUN_ID_LEN)
		memcpy(id, bytes + 8, STUN_ID_LEN); /* else only luck gets in */
	r = stun_decode_answer(bytes, len, id, &answer, &e);
	assert(r == 0 || r == -ERR_INVALID);
	if (r < 0)
		return 0;
	assert(len <= STUN_ANSWER_MAX);
	if (answer.error)
		assert(answer.error >= 300 && answer.error < 700 && !answer.mapped.family &&
		       !answer.clear);
	else
		assert(answer.mapped.family == 4 || answer.mapped.family == 6);
	if (memcmp(id, other, sizeof(id)) != 0)
		assert(stun_decode_answer(bytes, len, other, &answer, &e) == -ERR_INVALID);
	return 0;
}
