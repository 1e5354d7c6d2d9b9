/* inadyn.conf, and the same bytes as a file of its cache: what is made of it can be read again, and has no secret in it. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "conf/ini.h"
#include "dns/import.h"

static void check(const struct dns_import *import)
{
	struct buf out = {0};
	struct ini_item item;
	struct ini ini;
	int r;

	if (dns_import_write(import, "/etc/homeport", &out) < 0)
		abort();
	ini = ini_over(buf_str(&out));
	while ((r = ini_next(&ini, &item, NULL)) > 0)
		;
	if (r < 0)
		abort();
	for (size_t i = 0; i < import->n_notes; i++)
		if (memchr(import->notes[i].text, '\n', strlen(import->notes[i].text)))
			abort();
	buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct str text = str_n((const char *)bytes, len);
	struct dns_import import;
	struct err e = {0};

	dns_import_init(&import);
	if (dns_import_inadyn(&import, text, &e) < 0 && !e.text[0])
		abort();
	dns_import_inadyn_cache(&import, text, text, 1);
	check(&import);
	dns_import_done(&import);
	return 0;
}
