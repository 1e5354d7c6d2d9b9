#include "fuzz.h"

#include <assert.h>

#include "proto/httphead.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static struct httphead head, again;
	const char *text = (const char *)bytes;

	if (httphead_parse(text, len, &head, NULL) < 0)
		return 0;
	assert(head.len <= len && head.len <= HTTPHEAD_MAX);
	assert(head.n_fields <= HTTPHEAD_FIELDS_MAX);
	assert(!head.chunked || head.content_length == HTTPHEAD_NO_LENGTH);
	assert(head.host[0] || head.minor == 0);
	assert(head.path.len > 0);
	/* The head ends where it says, whatever follows. */
	assert(httphead_parse(text, head.len, &again, NULL) == 0 && again.len == head.len);
	assert(httphead_parse(text, head.len - 1, &again, NULL) == -ERR_INCOMPLETE);
	return 0;
}
