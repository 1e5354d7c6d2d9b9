#include "test.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "proto/stun.h"

/* The transaction id of RFC 5769's test vectors. */
static const uint8_t id[STUN_ID_LEN] = {0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34,
					0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae};

#define HEAD(type, length)                                                                         \
	type length "\x21\x12\xa4\x42\xb7\xe7\xa7\x01\xbc\x34\xd6\x86\xfa\x87\xdf\xae"
#define SOFTWARE "\x80\x22\0\x0b\x74\x65\x73\x74\x20\x76\x65\x63\x74\x6f\x72\x20"
#define XOR4	 "\0\x20\0\x08\0\x01\xa1\x47\xe1\x12\xa6\x43"
#define XOR6                                                                                       \
	"\0\x20\0\x14\0\x02\xa1\x47\x01\x13\xa9\xfa\xa5\xd3\xf1\x79\xbc\x25\xf4\xb5\xbe\xd2\xb9"   \
	"\xd9"
#define CLEAR4 "\0\x01\0\x08\0\x01\x80\x55\xc0\0\x02\x01"
#define MORE                                                                                       \
	"\0\x08\0\x14\x2b\x91\xf5\x99\xfd\x9e\x90\xc3\x8c\x74\x89\xf9\x2a\xf9\xba\x53\xf0\x6b\xe7" \
	"\xd7"

/* From memory of exactly that size, so that a byte too many is seen. */
static int decode(const char *bytes, size_t len, struct stun_answer *ret)
{
	uint8_t *copy = calloc(1, len ? len : 1);
	struct err e = {0};
	int r;

	memcpy(copy, bytes, len);
	r = stun_decode_answer(copy, len, id, ret, &e);
	assert_int_equal(e.code, -r);
	free(copy);
	return r;
}

#define DECODE(text, ret) decode(text, sizeof(text) - 1, ret)

static void encodes(void **state)
{
	uint8_t pkt[STUN_REQUEST_LEN];

	stun_encode_request(pkt, id);
	assert_memory_equal(pkt, HEAD("\0\x01", "\0\0"), sizeof(pkt));
}

static void says(const struct stun_answer *answer, const char *address, bool clear)
{
	char text[IPADDR_TEXT_MAX];

	assert_int_equal(answer->error, 0);
	assert_string_equal(ipaddr_format_port(text, &answer->mapped), address);
	assert_int_equal(answer->clear, clear);
}

/* RFC 5769 §2.2 and §2.3, but for their MESSAGE-INTEGRITY, which needs a password. */
static void vectors(void **state)
{
	struct stun_answer answer;

	assert_int_equal(DECODE(HEAD("\x01\x01", "\0\x1c") SOFTWARE XOR4, &answer), 0);
	says(&answer, "192.0.2.1:32853", false);
	assert_int_equal(DECODE(HEAD("\x01\x01", "\0\x28") SOFTWARE XOR6, &answer), 0);
	says(&answer, "[2001:db8:1234:5678:11:2233:4455:6677]:32853", false);
}

static void older_servers(void **state)
{
	struct stun_answer answer;

	/* with SOURCE-ADDRESS, CHANGED-ADDRESS */
	assert_int_equal(DECODE(HEAD("\x01\x01", "\0\x24") CLEAR4
				"\0\x04\0\x08\0\x01\x0d\x96\xc0\0\x02\x09"
				"\0\x05\0\x08\0\x01\x0d\x97\xc0\0\x02\x0a",
				&answer),
			 0);
	says(&answer, "192.0.2.1:32853", true);
	assert_int_equal(DECODE(HEAD("\x01\x01", "\0\x18") CLEAR4
				"\x80\x20\0\x08\0\x01\xa1\x47\xe1\x12\xa6\x43",
				&answer),
			 0);
	says(&answer, "192.0.2.1:32853", false);
}

/* What a router may have rewritten is not taken when there is better; the first of a kind counts. */
static void several(void **state)
{
	struct stun_answer answer;

	assert_int_equal(
		DECODE(HEAD("\x01\x01", "\0\x24") "\0\x01\0\x08\0\x01\x80\x55\x0a\0\0\x01" XOR4
						  "\0\x20\0\x08\0\x01\0\0\0\0\0\0",
		       &answer),
		0);
	says(&answer, "192.0.2.1:32853", false);
}

static void errors(void **state)
{
	struct stun_answer answer;

	assert_int_equal(
		DECODE(HEAD("\x01\x11", "\0\x0c") "\0\x09\0\x07\0\0\x04\x14who\0", &answer), 0);
	assert_int_equal(answer.error, 420);
	assert_int_equal(answer.mapped.family, 0);
	/* an address beside it is none */
	assert_int_equal(DECODE(HEAD("\x01\x11", "\0\x14") "\0\x09\0\x04\0\0\x03\0" XOR4, &answer),
			 0);
	assert_int_equal(answer.error, 300);
	assert_int_equal(answer.mapped.family, 0);
	/* a success with an error in it is a success */
	assert_int_equal(DECODE(HEAD("\x01\x01", "\0\x14") "\0\x09\0\x04\0\0\x03\0" XOR4, &answer),
			 0);
	says(&answer, "192.0.2.1:32853", false);
}

#define REFUSED(text)                                                                              \
	do {                                                                                       \
		struct stun_answer answer = {.error = 77};                                         \
		assert_int_equal(DECODE(text, &answer), -ERR_INVALID);                             \
		assert_int_equal(answer.error, 77);                                                \
	} while (0)

static void refused(void **state)
{
	REFUSED("");
	REFUSED(HEAD("\0\x01", "\0\0"));	       /* a request */
	REFUSED(HEAD("\x01\x01", "\0\0"));	       /* nothing in it */
	REFUSED(HEAD("\x01\x01", "\0\x0d") XOR4 "\0"); /* not of 4 bytes */
	REFUSED(HEAD("\x01\x01", "\0\x08") XOR4);      /* more than it says */
	REFUSED(HEAD("\x01\x01", "\0\x10") XOR4);      /* less */
	REFUSED(HEAD("\x41\x01", "\0\x0c") XOR4);      /* no message type */
	REFUSED(HEAD("\x01\x01", "\0\x0c") "\0\x20\0\x0c\0\x01\0\0\0\0\0\0"); /* over the end */
	REFUSED(HEAD("\x01\x01", "\0\x0c") "\0\x20\0\x08\0\x03\0\0\0\0\0\0"); /* family */
	REFUSED(HEAD("\x01\x01", "\0\x0c") "\0\x20\0\x08\0\x02\0\0\0\0\0\0"); /* its length */
	REFUSED(HEAD("\x01\x01", "\0\x10") "\0\x20\0\x0c\0\x01\0\0\0\0\0\0\0\0\0\0");
	REFUSED(HEAD("\x01\x01", "\0\x24") XOR4 MORE); /* an integrity nobody agreed on */
	REFUSED(HEAD("\x01\x11", "\0\x0c") XOR4);      /* an error without its number */
	REFUSED(HEAD("\x01\x11", "\0\x08") "\0\x09\0\x04\0\0\x02\0");
	REFUSED(HEAD("\x01\x11", "\0\x08") "\0\x09\0\x04\0\0\x04\x64");
	REFUSED(HEAD("\x01\x11", "\0\x04") "\0\x09\0\0");
	/* another cookie, another id */
	REFUSED("\x01\x01\0\x0c\x21\x12\xa4\x43\xb7\xe7\xa7\x01\xbc\x34\xd6\x86\xfa\x87\xdf"
		"\xae" XOR4);
	REFUSED("\x01\x01\0\x0c\x21\x12\xa4\x42\xb7\xe7\xa7\x01\xbc\x34\xd6\x86\xfa\x87\xdf"
		"\xaf" XOR4);
}

/* Every beginning of a good answer is refused, and so is one that is too long. */
static void lengths(void **state)
{
	static const char good[] = HEAD("\x01\x01", "\0\x28") SOFTWARE XOR6;
	struct stun_answer answer;
	char *big = calloc(1, STUN_ANSWER_MAX + 4);
	size_t left = STUN_ANSWER_MAX + 4 - 32 - 4;

	for (size_t n = 0; n < sizeof(good) - 1; n++)
		assert_int_equal(decode(good, n, &answer), -ERR_INVALID);
	memcpy(big, HEAD("\x01\x01", "\0\0") XOR4 "\xff\xff", 34);
	for (int round = 0; round < 2; round++) { /* a long attribute behind it */
		big[2] = (char)((left + 16) >> 8);
		big[3] = (char)(left + 16);
		big[34] = (char)(left >> 8);
		big[35] = (char)left;
		assert_int_equal(decode(big, left + 36, &answer), round ? 0 : -ERR_INVALID);
		left -= 4;
	}
	free(big);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(encodes),	 cmocka_unit_test(vectors),
		cmocka_unit_test(older_servers), cmocka_unit_test(several),
		cmocka_unit_test(errors),	 cmocka_unit_test(refused),
		cmocka_unit_test(lengths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
