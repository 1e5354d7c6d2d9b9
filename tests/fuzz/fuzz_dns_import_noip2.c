/* no-ip2.conf. */
#include "fuzz.h"

#include "import_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct str text = str_n((const char *)bytes, len);
	struct dns_import import;
	struct err e = {0};

	dns_import_init(&import);
	if (dns_import_noip2(&import, text, &e) < 0 && !e.text[0])
		abort();
	import_check(&import);
	dns_import_done(&import);
	return 0;
}
