#include "fuzz.h"

#include <assert.h>

#include "conf/ini.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct ini ini = ini_over(str_n((const char *)bytes, len));
	struct ini_item item;
	unsigned line = 0;

	while (ini_next(&ini, &item, NULL) > 0) {
		assert(item.line > line);
		line = item.line;
		assert(item.key.len > 0 && item.key.len + item.value.len <= INI_LINE_MAX);
	}
	assert(ini.line >= line);
	return 0;
}
