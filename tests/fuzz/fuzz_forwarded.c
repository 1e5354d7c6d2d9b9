#include "fuzz.h"

#include <assert.h>

#include "proto/forwarded.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	char text[FORWARDED_TEXT_MAX];
	struct forwarded f, again;

	if (forwarded_parse(str_n((const char *)bytes, len), &f, NULL) < 0)
		return 0;
	forwarded_format(text, &f);
	assert(forwarded_parse(str_of(text), &again, NULL) == 0);
	assert(ipaddr_equal(&f.addr, &again.addr));
	assert(strcmp(f.host, again.host) == 0 && strcmp(f.proto, again.proto) == 0);
	return 0;
}
