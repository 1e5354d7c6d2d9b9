/*
 * What is decoded lies within the datagram and is bounded and printable; its location, and the whole
 * input taken for one, is refused or an address with a path that fits into a request line.
 */
#include "fuzz.h"

#include <assert.h>

#include "proto/ssdp.h"

static void check_text(struct str s, const uint8_t *bytes, size_t len)
{
	const char *from = (const char *)bytes;

	if (!s.at)
		return;
	assert(s.at >= from && s.at + s.len <= from + len && s.len <= SSDP_VALUE_MAX);
	for (size_t i = 0; i < s.len; i++)
		assert((unsigned char)s.at[i] >= 0x20 && s.at[i] != 0x7f);
}

static void check_location(struct str location)
{
	struct ipaddr addr;
	struct str path;
	struct err e;

	if (ssdp_location_parse(location, &addr, &path, &e) < 0)
		return;
	assert((addr.family == 4 || addr.family == 6) && addr.port && addr.scope == 0);
	assert(path.len >= 1 && path.len <= SSDP_VALUE_MAX && path.at[0] == '/');
	for (size_t i = 0; i < path.len; i++)
		assert(path.at[i] > ' ' && path.at[i] < 0x7f && path.at[i] != '#');
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct ssdp_message message;
	struct err e;

	check_location(str_n((const char *)bytes, len));
	if (ssdp_decode(bytes, len, &message, &e) < 0)
		return 0;
	assert(len <= SSDP_MAX && message.target.len);
	assert(message.location.len || message.kind == SSDP_BYEBYE);
	check_text(message.target, bytes, len);
	check_text(message.location, bytes, len);
	check_text(message.usn, bytes, len);
	check_text(message.server, bytes, len);
	check_text(message.nls, bytes, len);
	check_location(message.location);
	return 0;
}
