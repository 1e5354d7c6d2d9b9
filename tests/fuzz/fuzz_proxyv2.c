/* What was decoded once is encoded and decoded again: the same. And a header has one length. */
#include "fuzz.h"

#include <assert.h>

#include "proto/proxyv2.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	uint8_t text[PROXYV2_ENCODED_MAX];
	struct proxyv2 header, again;
	ssize_t n = proxyv2_decode(bytes, len, &header);
	size_t m;

	if (n < 0)
		return 0;
	assert((size_t)n <= len && (size_t)n <= PROXYV2_MAX);
	assert(proxyv2_decode(bytes, (size_t)n - 1, &again) == -ERR_AGAIN);
	m = proxyv2_encode(text, &header);
	assert(m <= PROXYV2_ENCODED_MAX);
	assert(proxyv2_decode(text, m, &again) == (ssize_t)m);
	assert(again.local == header.local && ipaddr_equal(&again.source, &header.source));
	return 0;
}
