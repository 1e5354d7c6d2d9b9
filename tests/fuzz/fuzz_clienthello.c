#include "fuzz.h"

#include <assert.h>

#include "proto/clienthello.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static uint8_t scratch[CLIENTHELLO_MAX];
	struct clienthello hello, again;
	int r = clienthello_parse(bytes, len, scratch, &hello, NULL);

	if (r == -ERR_INCOMPLETE)
		assert(len < CLIENTHELLO_MAX);
	if (r < 0)
		return 0;
	clienthello_has_alpn(&hello, STR("homeport/1"));
	assert(!hello.server_name[0] || hostname_valid(str_of(hello.server_name)));
	/* What came before it was complete was no error. */
	for (size_t n = len; n > 0 && r == 0; n--)
		r = clienthello_parse(bytes, n - 1, scratch, &again, NULL);
	assert(r == -ERR_INCOMPLETE);
	return 0;
}
