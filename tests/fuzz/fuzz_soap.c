/* Answers of services. What was found is sent back, escaped: it is read the same again. */
#include "fuzz.h"

#include <assert.h>
#include <string.h>

#include "map/soap.h"

#define VALUES 3

static void ask(struct soap_value values[static VALUES])
{
	static const char *const names[VALUES] = {"NewExternalIPAddress",
						  "NewPortMappingDescription", "UniqueID"};

	memset(values, 0, VALUES * sizeof(*values));
	for (size_t i = 0; i < VALUES; i++)
		values[i].name = names[i];
}

static void assert_printable(const char *text)
{
	for (; *text; text++)
		assert((unsigned char)*text >= 0x20 && *text != 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	AUTO(buf_donep) struct buf body = {0};
	struct soap_value values[VALUES], again[VALUES];
	struct soap_arg args[VALUES];
	struct soap_fault fault = {0};
	int r;

	ask(values);
	r = soap_decode(str_n((const char *)bytes, len), values, VALUES, &fault, NULL);
	if (r == -ERR_REFUSED) {
		assert(fault.code <= 9999);
		assert_printable(fault.text);
	}
	if (r < 0)
		return 0;
	for (size_t i = 0; i < VALUES; i++) {
		if (strlen(values[i].text) == SOAP_VALUE_MAX - 1)
			return 0; /* cut, maybe within a character */
		args[i] = (struct soap_arg){values[i].name, values[i].text};
	}
	buf_init(&body, 0);
	assert(soap_encode(&body, "urn:x", "ThatResponse", args, VALUES, NULL) == 0);
	ask(again);
	assert(soap_decode(buf_str(&body), again, VALUES, &fault, NULL) == 0);
	for (size_t i = 0; i < VALUES; i++)
		assert(strcmp(values[i].text, again[i].text) == 0);
	return 0;
}
