/* Pairing codes: what is read can be written and read again, and is the same. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "link/code.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct link_code code, again;
	char text[LINK_CODE_TEXT_MAX];
	struct err e = {0};

	memset(&code, 0, sizeof(code));
	memset(&again, 0, sizeof(again));
	if (link_code_parse(str_n((const char *)bytes, len), &code, &e) < 0) {
		if (!e.text[0])
			abort();
		return 0;
	}
	link_code_format(text, &code);
	if (link_code_parse(str_of(text), &again, &e) < 0)
		abort();
	if (strcmp(code.host, again.host) != 0 || code.port != again.port ||
	    memcmp(&code.gateway, &again.gateway, sizeof(code.gateway)) != 0 ||
	    memcmp(code.secret, again.secret, sizeof(code.secret)) != 0)
		abort();
	return 0;
}
