#include "codec.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "proto/pcp.h"

#define NONCE "\xa1\xa2\xa3\xa4\xa5\xa6\xa7\xa8\xa9\xaa\xab\xac"

/* Header and MAP of a request as RFC 6887 draws them: §7.1, §11.1. */
#define REQUEST_HEAD                                                                               \
	"\x02\x01\0\0"                                                                             \
	"\0\0\x1c\x20"                                                                             \
	"\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\xa8\x01\x0a"
#define REQUEST_MAP                                                                                \
	NONCE "\x06\0\0\0"                                                                         \
	      "\x1f\x40\0\x50"                                                                     \
	      "\0\0\0\0\0\0\0\0\0\0\xff\xff\x0b\0\x71\x32"

/* And of the reply: §7.2, §11.1. Granted 120 s, epoch 258; 11.0.113.50:8443. */
#define REPLY_HEAD(result) "\x02\x81\0" result "\0\0\0\x78\0\0\x01\x02\0\0\0\0\0\0\0\0\0\0\0\0"
#define REPLY_MAP                                                                                  \
	NONCE "\x06\0\0\0"                                                                         \
	      "\x1f\x40\x20\xfb"                                                                   \
	      "\0\0\0\0\0\0\0\0\0\0\xff\xff\x0b\0\x71\x32"
#define REPLY	       REPLY_HEAD("\0") REPLY_MAP
#define ANNOUNCEMENT   "\x02\x80\0\0\0\0\0\0\0\0\0\x07\0\0\0\0\0\0\0\0\0\0\0\0"
#define PREFER_FAILURE "\x02\0\0\0"

static const uint8_t *const nonce = (const uint8_t *)NONCE;

static struct ipaddr addr(const char *text)
{
	struct ipaddr a;

	if (ipaddr_parse_port(str_of(text), &a) < 0 && ipaddr_parse(str_of(text), &a) < 0)
		fail_msg("%s", text);
	return a;
}

/* From memory of exactly that size, so that a byte too many is seen. */
static int decode(const char *bytes, size_t len, struct pcp_reply *ret)
{
	uint8_t *copy = malloc(len ? len : 1);
	struct err e = {0};
	int r;

	memcpy(copy, bytes, len);
	r = pcp_decode_reply(copy, len, ret, &e);
	assert_int_equal(e.code, -r);
	free(copy);
	return r;
}

#define DECODE(text, ret) decode(text, sizeof(text) - 1, ret)

/* ── requests ── */

static void encodes_map(void **state)
{
	struct ipaddr client = addr("192.168.1.10");
	struct pcp_map map = {.proto = IPPROTO_TCP,
			      .internal_port = 8000,
			      .external = addr("11.0.113.50:80"),
			      .lifetime_s = 7200};
	uint8_t pkt[PCP_REQUEST_MAX];

	assert_int_equal(pcp_encode_map(pkt, &client, &map, nonce), PCP_MAP_LEN);
	assert_memory_equal(pkt, REQUEST_HEAD REQUEST_MAP, PCP_MAP_LEN);
	map.prefer_failure = true;
	assert_int_equal(pcp_encode_map(pkt, &client, &map, nonce), PCP_REQUEST_MAX);
	assert_memory_equal(pkt, REQUEST_HEAD REQUEST_MAP PREFER_FAILURE, PCP_REQUEST_MAX);
}

static void encodes_no_wish_in_the_family_of_the_client(void **state)
{
	struct ipaddr client = addr("192.168.1.10");
	struct pcp_map map = {.proto = IPPROTO_UDP, .internal_port = 65535, .lifetime_s = 1};
	uint8_t pkt[PCP_REQUEST_MAX];

	assert_int_equal(pcp_encode_map(pkt, &client, &map, nonce), PCP_MAP_LEN);
	assert_memory_equal(pkt + 36, "\x11\0\0\0\xff\xff\0\0", 8);
	assert_memory_equal(pkt + 44, "\0\0\0\0\0\0\0\0\0\0\xff\xff\0\0\0\0", 16);
	client = addr("2001:db8::a");
	client.port = 4711; /* and a scope: no part of it */
	client.scope = 2;
	pcp_encode_map(pkt, &client, &map, nonce);
	assert_memory_equal(pkt + 8, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x0a", 16);
	assert_memory_equal(pkt + 44, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16);
	map.external = addr("[2001:db8::a]:65535");
	pcp_encode_map(pkt, &client, &map, nonce);
	assert_memory_equal(pkt + 40, "\xff\xff\xff\xff", 4);
	assert_memory_equal(pkt + 44, client.bytes, 16);
}

static void deletes_without_wishes(void **state)
{
	struct ipaddr client = addr("192.168.1.10");
	struct pcp_map map = {.proto = IPPROTO_TCP,
			      .internal_port = 8000,
			      .external = addr("11.0.113.50:80"),
			      .prefer_failure = true};
	uint8_t pkt[PCP_REQUEST_MAX];

	assert_int_equal(pcp_encode_map(pkt, &client, &map, nonce), PCP_MAP_LEN);
	assert_memory_equal(pkt + 4, "\0\0\0\0", 4);
	assert_memory_equal(pkt + 24, NONCE "\x06\0\0\0\x1f\x40\0\0", 20);
	assert_memory_equal(pkt + 44, "\0\0\0\0\0\0\0\0\0\0\xff\xff\0\0\0\0", 16);
}

static void encodes_announce(void **state)
{
	struct ipaddr client = addr("192.168.1.10");
	uint8_t pkt[PCP_ANNOUNCE_LEN];

	assert_int_equal(pcp_encode_announce(pkt, &client), 24);
	assert_memory_equal(pkt,
			    "\x02\0\0\0\0\0\0\0"
			    "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\xa8\x01\x0a",
			    24);
}

static void encode(struct pcp_map map)
{
	struct ipaddr client = addr("192.168.1.10");
	uint8_t pkt[PCP_REQUEST_MAX];

	pcp_encode_map(pkt, &client, &map, nonce);
}

static void one_port(void)
{
	encode((struct pcp_map){.proto = IPPROTO_TCP, .internal_port = 1, .lifetime_s = 1});
}

static void all_ports(void)
{
	encode((struct pcp_map){.proto = IPPROTO_TCP, .lifetime_s = 1});
}

static void all_ports_deleted(void)
{
	encode((struct pcp_map){.proto = IPPROTO_TCP});
}

static void all_protocols(void)
{
	encode((struct pcp_map){.internal_port = 1, .lifetime_s = 1});
}

static void no_port_or_none(void)
{
	encode((struct pcp_map){
		.proto = IPPROTO_TCP, .internal_port = 1, .lifetime_s = 1, .prefer_failure = true});
}

static void cannot_ask_for_everything(void **state)
{
	assert_false(dies(one_port));
	assert_true(dies(all_ports));
	assert_true(dies(all_ports_deleted));
	assert_true(dies(all_protocols));
	assert_true(dies(no_port_or_none));
}

/* ── replies ── */

static void decodes_a_mapping(void **state)
{
	struct pcp_map map = {.proto = IPPROTO_TCP, .internal_port = 8000};
	struct ipaddr external = addr("11.0.113.50:8443");
	struct pcp_reply reply;

	assert_int_equal(DECODE(REPLY, &reply), 0);
	assert_int_equal(reply.opcode, PCP_MAP);
	assert_int_equal(reply.version, 2);
	assert_int_equal(reply.result, PCP_SUCCESS);
	assert_int_equal(reply.lifetime_s, 120);
	assert_int_equal(reply.epoch_s, 258);
	assert_true(reply.has_map);
	assert_memory_equal(reply.nonce, nonce, PCP_NONCE_LEN);
	assert_int_equal(reply.proto, IPPROTO_TCP);
	assert_int_equal(reply.internal_port, 8000);
	assert_true(ipaddr_equal(&reply.external, &external));
	assert_int_equal(reply.evidence.family, 0);
	assert_true(pcp_reply_answers(&reply, &map, nonce));
}

static void decodes_an_ipv6_mapping(void **state)
{
	struct ipaddr external = addr("[2001:db8:100::a]:443");
	struct pcp_reply reply;

	assert_int_equal(DECODE(REPLY_HEAD("\0") NONCE
				"\x11\0\0\0\x01\xbb\x01\xbb"
				"\x20\x01\x0d\xb8\x01\0\0\0\0\0\0\0\0\0\0\x0a",
				&reply),
			 0);
	assert_int_equal(reply.proto, IPPROTO_UDP);
	assert_true(ipaddr_equal(&reply.external, &external));
}

static void tells_whether_a_reply_is_ours(void **state)
{
	struct pcp_map ours = {.proto = IPPROTO_TCP, .internal_port = 8000}, other;
	uint8_t other_nonce[PCP_NONCE_LEN];
	struct pcp_reply reply;

	assert_int_equal(DECODE(REPLY, &reply), 0);
	for (size_t i = 0; i < PCP_NONCE_LEN; i++) {
		memcpy(other_nonce, nonce, PCP_NONCE_LEN);
		other_nonce[i] ^= 1;
		assert_false(pcp_reply_answers(&reply, &ours, other_nonce));
	}
	other = ours;
	other.proto = IPPROTO_UDP;
	assert_false(pcp_reply_answers(&reply, &other, nonce));
	other = ours;
	other.internal_port = 8001;
	assert_false(pcp_reply_answers(&reply, &other, nonce));
	assert_int_equal(DECODE(REPLY_HEAD("\x08") REPLY_MAP, &reply), 0);
	assert_true(pcp_reply_answers(&reply, &ours, nonce)); /* a refusal is an answer */
	assert_int_equal(DECODE(REPLY_HEAD("\x08"), &reply), 0);
	assert_false(pcp_reply_answers(&reply, &ours, nonce));
	assert_int_equal(DECODE(ANNOUNCEMENT, &reply), 0);
	assert_false(pcp_reply_answers(&reply, &ours, nonce));
}

/* As a router behind another translator answers: NO_RESOURCES, and its own outside address. */
static void keeps_the_address_of_an_error_as_evidence(void **state)
{
	struct ipaddr evidence = addr("100.64.0.50:444");
	struct pcp_reply reply;

	assert_int_equal(DECODE("\x02\x81\0\x08\0\0\0\x1e\0\0\0\x09\0\0\0\0\0\0\0\0\0\0\0\0" NONCE
				"\x06\0\0\0\x1f\x40\x01\xbc"
				"\0\0\0\0\0\0\0\0\0\0\xff\xff\x64\x40\0\x32",
				&reply),
			 0);
	assert_int_equal(reply.result, PCP_NO_RESOURCES);
	assert_int_equal(reply.lifetime_s, 30);
	assert_true(reply.has_map);
	assert_int_equal(reply.external.family, 0);
	assert_int_equal(reply.external.port, 0);
	assert_true(ipaddr_equal(&reply.evidence, &evidence));
}

static void decodes_announcements(void **state)
{
	struct pcp_reply reply;

	assert_int_equal(DECODE(ANNOUNCEMENT, &reply), 0);
	assert_int_equal(reply.opcode, PCP_ANNOUNCE);
	assert_int_equal(reply.result, PCP_SUCCESS);
	assert_int_equal(reply.epoch_s, 7);
	assert_false(reply.has_map);
	/* with an option that we do not know behind it: 5 bytes, filled up to 8 */
	assert_int_equal(DECODE(ANNOUNCEMENT "\x80\0\0\x05hello\0\0\0", &reply), 0);
}

static void knows_other_versions(void **state)
{
	struct pcp_reply reply = {.epoch_s = 4711};

	/* RFC 6886 §3.5: what a NAT-PMP router answers to any version but its own */
	assert_int_equal(DECODE("\0\x81\0\x01\0\0\x01\x02", &reply), -ERR_REFUSED);
	assert_int_equal(DECODE("\0\x80\0\x01\0\0\x01\x02", &reply), -ERR_REFUSED);
	/* one that announces its address, or takes ANNOUNCE for the question after it */
	assert_int_equal(DECODE("\0\x80\0\0\0\0\x01\x02\x0b\0\x71\x32", &reply), -ERR_REFUSED);
	assert_int_equal(DECODE("\0\x01\0\x01\0\0\x01\x02", &reply), -ERR_INVALID);
	assert_int_equal(DECODE("\0\x81\0\x01\0\0\x01", &reply), -ERR_INVALID);
	assert_int_equal(reply.epoch_s, 4711);
	/* RFC 6887 §9: a server of another version says so in its own */
	assert_int_equal(DECODE("\x03\x81\0\x01\0\0\x01\x02", &reply), 0);
	assert_int_equal(reply.version, 3);
	assert_int_equal(reply.result, PCP_UNSUPP_VERSION);
	assert_false(reply.has_map);
	assert_int_equal(DECODE("\x03\x81\0\0\0\0\x01\x02", &reply), -ERR_INVALID);
	assert_int_equal(DECODE("\x03\x01\0\x01\0\0\x01\x02", &reply), -ERR_INVALID);
}

static void refuses_the_truncated(void **state)
{
	static const char mapping[] = REPLY, refused[] = REPLY_HEAD("\x0b") REPLY_MAP;
	struct pcp_reply reply;

	for (size_t len = 0; len < sizeof(mapping) - 1; len++)
		assert_int_equal(decode(mapping, len, &reply), -ERR_INVALID);
	/* An error may be the header alone; what is cut behind that is left out. */
	for (size_t len = 0; len < sizeof(refused) - 1; len++) {
		int r = decode(refused, len, &reply);

		assert_int_equal(r, len < 24 || len % 4 ? -ERR_INVALID : 0);
		if (r == 0)
			assert_false(reply.has_map);
	}
	for (size_t len = 0; len < 24; len++)
		assert_int_equal(decode(ANNOUNCEMENT, len, &reply), -ERR_INVALID);
}

static void refuses_the_malformed(void **state)
{
	struct pcp_reply reply;
	char large[PCP_MAX + 4] = REPLY;

	/* a request; another operation (PEER) */
	assert_int_equal(DECODE(REQUEST_HEAD REQUEST_MAP, &reply), -ERR_INVALID);
	assert_int_equal(DECODE("\x02\x82\0\0\0\0\0\0\0\0\0\x07\0\0\0\0\0\0\0\0\0\0\0\0", &reply),
			 -ERR_INVALID);
	/* all ports, all protocols, another protocol */
	assert_int_equal(DECODE(REPLY_HEAD("\0") NONCE "\x06\0\0\0\0\0\x20\xfb"
						       "\0\0\0\0\0\0\0\0\0\0\xff\xff\x0b\0\x71\x32",
				&reply),
			 -ERR_INVALID);
	assert_int_equal(DECODE(REPLY_HEAD("\0") NONCE "\0\0\0\0\x1f\x40\x20\xfb"
						       "\0\0\0\0\0\0\0\0\0\0\xff\xff\x0b\0\x71\x32",
				&reply),
			 -ERR_INVALID);
	/* options: one that fits, one over the end, half a header */
	assert_int_equal(DECODE(REPLY PREFER_FAILURE, &reply), 0);
	assert_int_equal(DECODE(REPLY "\x03\0\0\x04" PREFER_FAILURE, &reply), 0);
	assert_int_equal(DECODE(REPLY "\x03\0\0\x01", &reply), -ERR_INVALID);
	assert_int_equal(DECODE(REPLY "\x03\0\xff\xff", &reply), -ERR_INVALID);
	assert_int_equal(DECODE(REPLY "\x02\0", &reply), -ERR_INVALID);
	/* zeros are options of no length; 1100 bytes are the most */
	assert_int_equal(decode(large, PCP_MAX, &reply), 0);
	assert_int_equal(decode(large, PCP_MAX + 4, &reply), -ERR_INVALID);
}

/* Refused, or all fields within their ranges. */
static void check_mutation(const char *bytes, size_t len, size_t at)
{
	struct pcp_reply reply;
	int r = decode(bytes, len, &reply);

	if (at < 2 && bytes[at] != REPLY[at] && bytes[at])
		assert_true(r == -ERR_INVALID || (at == 1 && bytes[1] == (char)0x80));
	if (r < 0)
		return;
	assert_true(!reply.has_map || reply.internal_port);
	assert_true((reply.external.family != 0) == (reply.has_map && reply.result == PCP_SUCCESS));
	assert_true((reply.evidence.family != 0) == (reply.has_map && reply.result != PCP_SUCCESS));
}

static void survives_mutations(void **state)
{
	char bytes[] = REPLY;

	each_mutation(bytes, sizeof(bytes) - 1, check_mutation);
}

static void names_results(void **state)
{
	assert_string_equal(pcp_result_name(0), "SUCCESS");
	assert_string_equal(pcp_result_name(PCP_ADDRESS_MISMATCH), "ADDRESS_MISMATCH");
	assert_int_equal(PCP_EXCESSIVE_REMOTE_PEERS, 13);
	assert_string_equal(pcp_result_name(14), "UNASSIGNED");
	assert_string_equal(pcp_result_words(2), "not allowed for this device");
	assert_string_equal(pcp_result_words(255), "an error without a name");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(encodes_map),
		cmocka_unit_test(encodes_no_wish_in_the_family_of_the_client),
		cmocka_unit_test(deletes_without_wishes),
		cmocka_unit_test(encodes_announce),
		cmocka_unit_test(cannot_ask_for_everything),
		cmocka_unit_test(decodes_a_mapping),
		cmocka_unit_test(decodes_an_ipv6_mapping),
		cmocka_unit_test(tells_whether_a_reply_is_ours),
		cmocka_unit_test(keeps_the_address_of_an_error_as_evidence),
		cmocka_unit_test(decodes_announcements),
		cmocka_unit_test(knows_other_versions),
		cmocka_unit_test(refuses_the_truncated),
		cmocka_unit_test(refuses_the_malformed),
		cmocka_unit_test(survives_mutations),
		cmocka_unit_test(names_results),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
