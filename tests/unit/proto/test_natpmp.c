#include "codec.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "proto/natpmp.h"

/* Replies as RFC 6886 draws them: §3.2 (11.0.113.50), §3.3 (TCP 8000, outside 8443, an hour). */
#define ADDRESS "\0\x80\0\0\0\0\x01\x02\x0b\0\x71\x32"
#define MAPPING "\0\x82\0\0\0\0\x01\x02\x1f\x40\x20\xfb\0\0\x0e\x10"

/* From memory of exactly that size, so that a byte too many is seen. */
static int decode(const char *bytes, size_t len, struct natpmp_reply *ret)
{
	uint8_t *copy = malloc(len ? len : 1);
	struct err e = {0};
	int r;

	memcpy(copy, bytes, len);
	r = natpmp_decode_reply(copy, len, ret, &e);
	assert_int_equal(e.code, -r);
	free(copy);
	return r;
}

#define DECODE(text, ret) decode(text, sizeof(text) - 1, ret)

static void encodes(void **state)
{
	struct natpmp_map map = {.proto = IPPROTO_TCP,
				 .internal_port = 8000,
				 .external_port = 8443,
				 .lifetime_s = 3600};
	uint8_t pkt[NATPMP_REQUEST_MAX];

	assert_int_equal(natpmp_encode_address(pkt), 2);
	assert_memory_equal(pkt, "\0\0", 2);
	assert_int_equal(natpmp_encode_map(pkt, &map), 12);
	assert_memory_equal(pkt, "\0\x02\0\0\x1f\x40\x20\xfb\0\0\x0e\x10", 12);
	map.proto = IPPROTO_UDP;
	map.lifetime_s = UINT32_MAX;
	natpmp_encode_map(pkt, &map);
	assert_memory_equal(pkt, "\0\x01\0\0\x1f\x40\x20\xfb\xff\xff\xff\xff", 12);
	map.lifetime_s = 0; /* deletion suggests nothing, §3.4 */
	natpmp_encode_map(pkt, &map);
	assert_memory_equal(pkt, "\0\x01\0\0\x1f\x40\0\0\0\0\0\0", 12);
}

static void encode(uint8_t proto, uint16_t internal_port)
{
	struct natpmp_map map = {.proto = proto, .internal_port = internal_port};
	uint8_t pkt[NATPMP_REQUEST_MAX];

	natpmp_encode_map(pkt, &map);
}

static void one_port(void)
{
	encode(IPPROTO_TCP, 1);
}

static void all_ports(void)
{
	encode(IPPROTO_TCP, 0);
}

static void all_protocols(void)
{
	encode(0, 1);
}

static void cannot_ask_for_everything(void **state)
{
	assert_false(dies(one_port));
	assert_true(dies(all_ports));
	assert_true(dies(all_protocols));
}

static void decodes_an_address(void **state)
{
	struct natpmp_reply reply;
	char text[IPADDR_TEXT_MAX];

	assert_int_equal(DECODE(ADDRESS, &reply), 0);
	assert_int_equal(reply.op, NATPMP_ADDRESS);
	assert_int_equal(reply.result, NATPMP_SUCCESS);
	assert_int_equal(reply.epoch_s, 258);
	assert_string_equal(ipaddr_format_port(text, &reply.address), "11.0.113.50");
	assert_int_equal(reply.proto, 0);
	assert_int_equal(DECODE("\0\x80\0\0\0\0\x01\x02\0\0\0\0", &reply), 0);
	assert_true(ipaddr_is_unspecified(&reply.address));
	assert_int_equal(reply.address.family, 4);
}

static void decodes_a_mapping(void **state)
{
	struct natpmp_map map = {.proto = IPPROTO_TCP, .internal_port = 8000};
	struct natpmp_reply reply;

	assert_int_equal(DECODE(MAPPING, &reply), 0);
	assert_int_equal(reply.op, NATPMP_MAP_TCP);
	assert_int_equal(reply.proto, IPPROTO_TCP);
	assert_int_equal(reply.internal_port, 8000);
	assert_int_equal(reply.external_port, 8443);
	assert_int_equal(reply.lifetime_s, 3600);
	assert_int_equal(reply.address.family, 0);
	assert_true(natpmp_reply_answers(&reply, &map));
	map.internal_port = 8001;
	assert_false(natpmp_reply_answers(&reply, &map));
	map.internal_port = 8000;
	map.proto = IPPROTO_UDP;
	assert_false(natpmp_reply_answers(&reply, &map));
	assert_int_equal(DECODE("\0\x81\0\0\0\0\x01\x02\x1f\x40\0\0\0\0\0\0", &reply), 0);
	assert_int_equal(reply.op, NATPMP_MAP_UDP);
	assert_int_equal(reply.proto, IPPROTO_UDP);
	assert_int_equal(reply.external_port, 0);
	assert_true(natpmp_reply_answers(&reply, &map));
	assert_int_equal(DECODE(ADDRESS, &reply), 0);
	assert_false(natpmp_reply_answers(&reply, &map));
}

/* Behind another translator a router refuses with ports and a lifetime as if it had not. */
static void an_error_has_no_mapping(void **state)
{
	struct natpmp_reply reply;

	assert_int_equal(DECODE("\0\x82\0\x03\0\0\x01\x02\x1f\x40\x20\xfc\0\0\x0e\x10", &reply), 0);
	assert_int_equal(reply.result, NATPMP_NETWORK_FAILURE);
	assert_int_equal(reply.op, NATPMP_MAP_TCP);
	assert_int_equal(reply.epoch_s, 258);
	assert_int_equal(reply.proto, 0);
	assert_int_equal(reply.internal_port, 0);
	assert_int_equal(reply.external_port, 0);
	assert_int_equal(reply.lifetime_s, 0);
	assert_int_equal(DECODE("\0\x80\0\x03\0\0\x01\x02\x0b\0\x71\x32", &reply), 0);
	assert_int_equal(reply.address.family, 0);
}

static void refuses_the_truncated(void **state)
{
	struct natpmp_reply reply = {.epoch_s = 4711};

	for (size_t len = 0; len < sizeof(ADDRESS) - 1; len++)
		assert_int_equal(decode(ADDRESS, len, &reply), -ERR_INVALID);
	for (size_t len = 0; len < sizeof(MAPPING) - 1; len++)
		assert_int_equal(decode(MAPPING, len, &reply), -ERR_INVALID);
	assert_int_equal(reply.epoch_s, 4711);
	/* an error may end behind the epoch */
	for (size_t len = 0; len < 16; len++)
		assert_int_equal(
			decode("\0\x82\0\x02\0\0\x01\x02\x1f\x40\x20\xfc\0\0\x0e\x10", len, &reply),
			len < 8 ? -ERR_INVALID : 0);
}

static void refuses_the_foreign(void **state)
{
	char large[1101] = MAPPING;
	struct natpmp_reply reply;

	/* PCP's reply to a version that it does not know, and its announcement */
	assert_int_equal(
		DECODE("\x02\x81\0\x01\0\0\0\0\0\0\x01\x02\0\0\0\0\0\0\0\0\0\0\0\0", &reply),
		-ERR_REFUSED);
	assert_int_equal(DECODE("\x02\x80\0\0\0\0\0\0\0\0\x01\x02\0\0\0\0\0\0\0\0\0\0\0\0", &reply),
			 -ERR_REFUSED);
	assert_int_equal(DECODE("\x01\x82\0\0\0\0\x01\x02\x1f\x40\x20\xfb\0\0\x0e\x10", &reply),
			 -ERR_INVALID);
	/* a request; operations that are none */
	assert_int_equal(DECODE("\0\x02\0\0\x1f\x40\x20\xfb\0\0\x0e\x10", &reply), -ERR_INVALID);
	assert_int_equal(DECODE("\0\x83\0\0\0\0\x01\x02\x1f\x40\x20\xfb\0\0\x0e\x10", &reply),
			 -ERR_INVALID);
	assert_int_equal(DECODE("\0\xff\0\x05\0\0\x01\x02", &reply), -ERR_INVALID);
	/* more than there is a meaning for, up to a length */
	assert_int_equal(decode(large, 1100, &reply), 0);
	assert_int_equal(decode(large, 1101, &reply), -ERR_INVALID);
}

static void check_mutation(const char *bytes, size_t len, size_t at)
{
	struct natpmp_reply reply;
	int r = decode(bytes, len, &reply);

	if (at < 1 && bytes[at])
		assert_true(r < 0);
	if (r < 0)
		return;
	assert_true(reply.op <= NATPMP_MAP_TCP);
	if (reply.result)
		assert_true(!reply.proto && !reply.external_port && !reply.lifetime_s &&
			    !reply.address.family);
	else
		assert_true((reply.address.family == 4) == (reply.op == NATPMP_ADDRESS));
}

static void survives_mutations(void **state)
{
	char bytes[] = MAPPING;

	each_mutation(bytes, sizeof(bytes) - 1, check_mutation);
}

static void names_results(void **state)
{
	assert_string_equal(natpmp_result_name(0), "SUCCESS");
	assert_string_equal(natpmp_result_name(NATPMP_UNSUPP_OPCODE), "UNSUPP_OPCODE");
	assert_int_equal(NATPMP_UNSUPP_OPCODE, 5);
	assert_string_equal(natpmp_result_name(6), "UNASSIGNED");
	assert_string_equal(natpmp_result_words(3), "it has no public address");
	assert_string_equal(natpmp_result_words(65535), "an error without a name");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(encodes),
		cmocka_unit_test(cannot_ask_for_everything),
		cmocka_unit_test(decodes_an_address),
		cmocka_unit_test(decodes_a_mapping),
		cmocka_unit_test(an_error_has_no_mapping),
		cmocka_unit_test(refuses_the_truncated),
		cmocka_unit_test(refuses_the_foreign),
		cmocka_unit_test(survives_mutations),
		cmocka_unit_test(names_results),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
