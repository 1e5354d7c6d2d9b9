/* Descriptions of devices: what is kept can be printed, asked for, and sent in a header. */
#include "fuzz.h"

#include <assert.h>
#include <string.h>

#include "map/description.h"

static void assert_visible(const char *text)
{
	for (; *text; text++)
		assert(*text > ' ' && *text <= '~');
}

static void assert_printable(const char *text)
{
	assert(strlen(text) < DESCRIPTION_TEXT_MAX);
	for (; *text; text++)
		assert((unsigned char)*text >= 0x20 && *text != 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct description d;

	if (description_parse(str_n((const char *)bytes, len), STR("/igd/root.xml?x=/y"), &d,
			      NULL) < 0)
		return 0;
	assert_printable(d.name);
	assert_printable(d.manufacturer);
	assert_printable(d.model);
	assert(d.n_services <= DESCRIPTION_SERVICES_MAX);
	for (unsigned i = 0; i < d.n_services; i++) {
		assert(d.services[i].path[0] == '/');
		assert_visible(d.services[i].path);
		assert_visible(d.services[i].urn);
		assert(strlen(description_service_name(&d.services[i])) > 0);
	}
	return 0;
}
