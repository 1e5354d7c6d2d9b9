/* inadyn.conf, which includes itself, and the same bytes as a file of its cache, and its name. */
#include "fuzz.h"

#include "import_check.h"

static int include(void *arg, const char *path, struct buf *text, struct err *e)
{
	const struct str *whole = arg;

	return buf_append_str(text, *whole);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct str text = str_n((const char *)bytes, len);
	struct dns_import import;
	struct err e = {0};

	dns_import_init(&import);
	import.include = include;
	import.include_arg = &text;
	if (dns_import_inadyn(&import, text, &e) < 0 && !e.text[0])
		abort();
	dns_import_inadyn_cache(&import, text, text, 1);
	import_check(&import);
	dns_import_done(&import);
	return 0;
}
