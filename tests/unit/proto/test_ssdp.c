#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/ssdp.h"

#define IGD "urn:schemas-upnp-org:device:InternetGatewayDevice:1"

/* As a router answers that speaks UPnP 1.1 and still sends what 1.0 had. */
#define ANSWER                                                                                     \
	"HTTP/1.1 200 OK\r\n"                                                                      \
	"CACHE-CONTROL: max-age=120\r\n"                                                           \
	"ST: " IGD "\r\n"                                                                          \
	"USN: uuid:11111111-2222-3333-4444-555555555555::" IGD "\r\n"                              \
	"EXT:\r\n"                                                                                 \
	"SERVER: Example/12 UPnP/1.1 Router/2.3\r\n"                                               \
	"LOCATION: http://192.168.1.1:5000/rootDesc.xml\r\n"                                       \
	"OPT: \"http://schemas.upnp.org/upnp/1/0/\"; ns=01\r\n"                                    \
	"01-NLS: 1700000000\r\n"                                                                   \
	"BOOTID.UPNP.ORG: 1700000000\r\n"                                                          \
	"CONFIGID.UPNP.ORG: 1337\r\n"                                                              \
	"\r\n"

#define NOTIFY(nts)                                                                                \
	"NOTIFY * HTTP/1.1\r\n"                                                                    \
	"HOST: 239.255.255.250:1900\r\n"                                                           \
	"Location: http://192.168.1.1:5000/rootDesc.xml\r\n"                                       \
	"nt: " IGD "\r\n"                                                                          \
	"Nts: " nts "\r\n"                                                                         \
	"\r\n"

static void expect_str(struct str s, const char *wanted)
{
	if (!str_eq(s, str_of(wanted)))
		fail_msg("\"%.*s\" is not \"%s\"", STR_ARG(s), wanted);
}

/* From memory of exactly that size, so that a byte too many is seen. */
static int decode_n(const char *bytes, size_t len, enum ssdp_kind *ret_kind)
{
	char *copy = malloc(len ? len : 1);
	struct ssdp_message message = {0};
	struct err e = {0};
	int r;

	memcpy(copy, bytes, len);
	r = ssdp_decode(copy, len, &message, &e);
	assert_int_equal(e.code, -r);
	for (size_t i = 0; i < message.location.len; i++) /* read all of it, where it still is */
		assert_true((unsigned char)message.location.at[i] >= 0x20);
	free(copy);
	*ret_kind = message.kind;
	return r;
}

static int decode(const char *text)
{
	enum ssdp_kind kind;

	return decode_n(text, strlen(text), &kind);
}

/* ── searches ── */

static void formats_a_search(void **state)
{
	char text[SSDP_SEARCH_MAX], target[SSDP_TARGET_MAX];
	struct ipaddr to;
	size_t len;

	assert_int_equal(ipaddr_parse_port(STR("239.255.255.250:1900"), &to), 0);
	len = ssdp_format_search(text, &to, STR(IGD), 2);
	assert_string_equal(text, "M-SEARCH * HTTP/1.1\r\n"
				  "HOST: 239.255.255.250:1900\r\n"
				  "MAN: \"ssdp:discover\"\r\n"
				  "MX: 2\r\n"
				  "ST: " IGD "\r\n"
				  "\r\n");
	assert_int_equal(len, strlen(text));
	assert_int_equal(ipaddr_parse_port(STR("[ff02::c]:1900"), &to), 0);
	to.scope = 2;
	len = ssdp_format_search(text, &to, STR("ssdp:all"), 0);
	assert_string_equal(text, "M-SEARCH * HTTP/1.1\r\n"
				  "HOST: [ff02::c]:1900\r\n"
				  "MAN: \"ssdp:discover\"\r\n"
				  "ST: ssdp:all\r\n"
				  "\r\n");
	assert_int_equal(len, strlen(text));
	/* the longest there is */
	memset(target, 'x', sizeof(target));
	assert_int_equal(
		ipaddr_parse_port(STR("[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"), &to), 0);
	len = ssdp_format_search(text, &to, str_n(target, sizeof(target)), SSDP_MX_MAX);
	assert_int_equal(len, strlen(text));
	assert_string_equal(text + len - 5, "x\r\n\r\n");
}

/* ── answers and announcements ── */

static void decodes_an_answer(void **state)
{
	struct ssdp_message message;

	assert_int_equal(ssdp_decode(ANSWER, strlen(ANSWER), &message, NULL), 0);
	assert_int_equal(message.kind, SSDP_ANSWER);
	expect_str(message.target, IGD);
	expect_str(message.location, "http://192.168.1.1:5000/rootDesc.xml");
	expect_str(message.usn, "uuid:11111111-2222-3333-4444-555555555555::" IGD);
	expect_str(message.server, "Example/12 UPnP/1.1 Router/2.3");
	expect_str(message.nls, "1700000000");
	assert_true(message.has_boot_id);
	assert_int_equal(message.boot_id, 1700000000);
}

static void decodes_announcements(void **state)
{
	static const struct {
		const char *text;
		enum ssdp_kind kind;
	} cases[] = {
		{NOTIFY("ssdp:alive"), SSDP_ALIVE},
		{NOTIFY("ssdp:byebye"), SSDP_BYEBYE},
		{NOTIFY("SSDP:UPDATE"), SSDP_UPDATE},
		{"NOTIFY * HTTP/1.0\r\nNT: a\r\nNTS: ssdp:byebye\r\n\r\n", SSDP_BYEBYE},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct ssdp_message message;

		assert_int_equal(ssdp_decode(cases[i].text, strlen(cases[i].text), &message, NULL),
				 0);
		assert_int_equal(message.kind, cases[i].kind);
		assert_int_equal(message.usn.len, 0);
		assert_false(message.has_boot_id);
	}
}

/* What devices do that the architecture does not know. */
static void reads_liberally(void **state)
{
	static const char *const good[] = {
		/* bare line feeds; no blank line; HTTP/1.0; no reason; blanks anywhere */
		"HTTP/1.1 200 OK\nST: a\nLOCATION: b\n\n",
		"HTTP/1.1 200 OK\r\nST: a\r\nLOCATION: b\r\n",
		"HTTP/1.0 200 OK\r\nST: a\r\nLOCATION: b\r\n\r\n",
		"HTTP/1.1 200\r\nST: a\r\nLOCATION: b\r\n\r\n",
		"HTTP/1.1 200 \r\nST:a\r\nLOCATION :\t b \t\r\n\r\n",
		/* lines that are no fields, fields that are none of ours, with anything in them */
		"HTTP/1.1 200 OK\r\nhello\r\n: \r\nX: \x01\r\nST: a\r\nLOCATION: b\r\n\r\n",
		/* the same twice; a number that is none; what comes behind the end */
		"HTTP/1.1 200 OK\r\nST: a\r\nLOCATION: b\r\nlocation: b\r\n\r\n",
		"HTTP/1.1 200 OK\r\nST: a\r\nLOCATION: b\r\nBOOTID.UPNP.ORG: -1\r\n\r\n",
		"HTTP/1.1 200 OK\r\nST: a\r\nLOCATION: b\r\n\r\nLOCATION: c",
	};

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		struct ssdp_message message;

		if (ssdp_decode(good[i], strlen(good[i]), &message, NULL) < 0)
			fail_msg("case %zu", i);
		expect_str(message.target, "a");
		expect_str(message.location, "b");
		assert_false(message.has_boot_id);
	}
}

static void refuses(void **state)
{
	static const char *const bad[] = {
		"",
		"\r\n",
		"HTTP/1.1 200 OK",
		"HTTP/1.1 200 OK\r\n\r\n",
		/* others' searches; answers that are none; other protocols */
		"M-SEARCH * HTTP/1.1\r\nMAN: \"ssdp:discover\"\r\nST: a\r\nLOCATION: b\r\n\r\n",
		"HTTP/1.1 404 Not Found\r\nST: a\r\nLOCATION: b\r\n\r\n",
		"HTTP/1.1 2000 OK\r\nST: a\r\nLOCATION: b\r\n\r\n",
		"HTTP/2 200 OK\r\nST: a\r\nLOCATION: b\r\n\r\n",
		"NOTIFY / HTTP/1.1\r\nNT: a\r\nNTS: ssdp:alive\r\nLOCATION: b\r\n\r\n",
		"\r\nHTTP/1.1 200 OK\r\nST: a\r\nLOCATION: b\r\n\r\n",
		/* without what matters, or empty; that of the other kind does not do */
		"HTTP/1.1 200 OK\r\nST: a\r\n\r\n",
		"HTTP/1.1 200 OK\r\nLOCATION: b\r\n\r\n",
		"HTTP/1.1 200 OK\r\nST:\r\nLOCATION: b\r\n\r\n",
		"HTTP/1.1 200 OK\r\nST: a\r\nLOCATION: \t\r\n\r\n",
		"HTTP/1.1 200 OK\r\nNT: a\r\nLOCATION: b\r\n\r\n",
		"NOTIFY * HTTP/1.1\r\nST: a\r\nNTS: ssdp:alive\r\nLOCATION: b\r\n\r\n",
		"NOTIFY * HTTP/1.1\r\nNT: a\r\nLOCATION: b\r\n\r\n",
		"NOTIFY * HTTP/1.1\r\nNT: a\r\nNTS: upnp:propchange\r\nLOCATION: b\r\n\r\n",
		"NOTIFY * HTTP/1.1\r\nNT: a\r\nNTS: ssdp:alive\r\n\r\n",
		/* two readings */
		"HTTP/1.1 200 OK\r\nST: a\r\nLOCATION: b\r\nLOCATION: c\r\n\r\n",
		"HTTP/1.1 200 OK\r\nST: a\r\nLOCATION: b\r\nLOCATION:\r\n\r\n",
		"HTTP/1.1 200 OK\r\nST: a\r\nLOCATION:\r\nLOCATION: b\r\n\r\n",
		"HTTP/1.1 200 OK\r\nST: a\r\nLOCATION: b\r\n c\r\n\r\n",
		"HTTP/1.1 200 OK\r\nST: a\r\nLOCATION: b\rc\r\n\r\n",
		"HTTP/1.1 200 OK\r\nST: a\r\nLOCATION: b\r\nSERVER: \x1b[2J\r\n\r\n",
		"HTTP/1.1 200 OK\r\nST: a\x7f\r\nLOCATION: b\r\n\r\n",
		"HTTP/1.1 200 OK\r\nST: a\r\nLOCATION: b\tc\r\n\r\n",
		/* cut in a line */
		"HTTP/1.1 200 OK\r\nST: a\r\nLOCATION: b",
	};
	static const char nul[] = "HTTP/1.1 200 OK\r\nST: a\r\nLOCATION: b\0c\r\n\r\n";
	enum ssdp_kind kind;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (decode(bad[i]) != -ERR_INVALID)
			fail_msg("case %zu", i);
	assert_int_equal(decode_n(nul, sizeof(nul) - 1, &kind), -ERR_INVALID);
}

/* A head with a location of n bytes, and something behind it that makes it `whole` bytes long. */
static int decode_sized(size_t n, size_t whole)
{
	char text[4096];
	enum ssdp_kind kind;
	int len = snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\nST: a\r\nLOCATION: %0*d\r\n\r\n",
			   (int)n, 0);

	memset(text + len, 'x', sizeof(text) - (size_t)len);
	return decode_n(text, whole ? whole : (size_t)len, &kind);
}

static void has_bounds(void **state)
{
	assert_int_equal(decode_sized(SSDP_VALUE_MAX, 0), 0);
	assert_int_equal(decode_sized(SSDP_VALUE_MAX + 1, 0), -ERR_INVALID);
	assert_int_equal(decode_sized(10, SSDP_MAX), 0);
	assert_int_equal(decode_sized(10, SSDP_MAX + 1), -ERR_INVALID);
}

/* Nothing is taken from a line that is not there as a whole; the lines before it may do. */
static void refuses_the_truncated(void **state)
{
	size_t behind_location = (size_t)(strstr(ANSWER, "OPT: ") - ANSWER);
	enum ssdp_kind kind;

	for (size_t len = 0; len < strlen(ANSWER); len++) {
		bool whole = len >= behind_location && ANSWER[len - 1] == '\n';

		if (decode_n(ANSWER, len, &kind) != (whole ? 0 : -ERR_INVALID))
			fail_msg("%zu bytes", len);
	}
}

static void survives_mutations(void **state)
{
	char bytes[] = ANSWER;
	enum ssdp_kind kind;
	int n = 0;

	for (size_t i = 0; i < sizeof(bytes) - 1; i++) {
		static const char others[] = "\0\n\r\t :\x7f\x80\xff";
		char was = bytes[i];

		for (size_t k = 0; k < sizeof(others) - 1; k++) {
			bytes[i] = others[k];
			n += decode_n(bytes, sizeof(bytes) - 1, &kind) == 0;
		}
		bytes[i] = was;
	}
	assert_true(n > 0);
}

/* ── locations ── */

static void parses_locations(void **state)
{
	static const struct {
		const char *text, *addr, *path;
	} cases[] = {
		{"http://192.168.1.1:5000/rootDesc.xml", "192.168.1.1:5000", "/rootDesc.xml"},
		{"HTTP://192.168.1.1/", "192.168.1.1:80", "/"},
		{"http://192.168.1.1", "192.168.1.1:80", "/"},
		{"http://192.168.1.1:65535", "192.168.1.1:65535", "/"},
		{"http://192.168.1.1/a?b=c&d=%20//e@f:80", "192.168.1.1:80",
		 "/a?b=c&d=%20//e@f:80"},
		{"http://[2001:db8::1]:49000/x", "[2001:db8::1]:49000", "/x"},
		{"http://[2001:DB8::1]", "[2001:db8::1]:80", "/"},
		{"http://[fe80::1%25eth0]:5000/x", "[fe80::1]:5000", "/x"},
		{"http://[fe80::1%eth0]:5000/x", "[fe80::1]:5000", "/x"},
		{"http://[fe80::1%2]/x", "[fe80::1]:80", "/x"},
		/* for the caller to judge */
		{"http://127.0.0.1:1/x", "127.0.0.1:1", "/x"},
		{"http://224.0.0.1/x", "224.0.0.1:80", "/x"},
		{"http://[::]/x", "[::]:80", "/x"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char text[IPADDR_TEXT_MAX];
		struct ipaddr addr;
		struct str path;

		if (ssdp_location_parse(str_of(cases[i].text), &addr, &path, NULL) < 0)
			fail_msg("%s", cases[i].text);
		assert_string_equal(ipaddr_format_port(text, &addr), cases[i].addr);
		assert_int_equal(addr.scope, 0);
		expect_str(path, cases[i].path);
	}
}

static void refuses_locations(void **state)
{
	static const char *const bad[] = {
		"",
		"http://",
		"http:///x",
		"http:/192.168.1.1/x",
		"//192.168.1.1/x",
		"/x",
		" http://192.168.1.1/x",
		"https://192.168.1.1/x",
		"ftp://192.168.1.1/x",
		"file:///etc/passwd",
		/* names, and numbers that some take for addresses */
		"http://router/x",
		"http://localhost:5000/x",
		"http://3232235777/x",
		"http://0xc0a80101/x",
		"http://192.168.257/x",
		"http://192.168.1.01/x",
		"http://192.168.1.1./x",
		"http://192.168.1.1.nip.example/x",
		/* users */
		"http://user@192.168.1.1/x",
		"http://192.168.1.1@198.51.100.20/x",
		"http://192.168.1.1:80@198.51.100.20/x",
		"http://[fe80::1]@198.51.100.20/x",
		"http://192.168.1.1\\@198.51.100.20/x",
		/* ports */
		"http://192.168.1.1:/x",
		"http://192.168.1.1:0/x",
		"http://192.168.1.1:65536/x",
		"http://192.168.1.1:-1/x",
		"http://192.168.1.1:+80/x",
		"http://192.168.1.1:80:80/x",
		"http://192.168.1.1:000080/x",
		"http://192.168.1.1: 80/x",
		"http://[fe80::1]80/x",
		/* brackets, clothes and zones */
		"http://fe80::1/x",
		"http://[fe80::1/x",
		"http://[fe80::1:80/]",
		"http://[192.168.1.1]/x",
		"http://[::ffff:192.168.1.1]/x",
		"http://[::ffff:c0a8:101]/x",
		"http://[[fe80::1]]/x",
		"http://[]/x",
		"http://[fe80::1%]/x",
		"http://[fe80::1%a b]/x",
		"http://[fe80::1%aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa]/x",
		"http://192.168.1.1%25eth0/x",
		/* paths */
		"http://192.168.1.1?x",
		"http://192.168.1.1#x",
		"http://192.168.1.1/x#y",
		"http://192.168.1.1/x y",
		"http://192.168.1.1/x\ty",
		"http://192.168.1.1/x\r\nHost: y",
		"http://192.168.1.1/\x7f",
		"http://192.168.1.1/\xc3\xa9",
	};
	static const char nul[] = "http://192.168.1.1\0/x", nul_path[] = "http://192.168.1.1/\0x";
	struct ipaddr addr = {.port = 4711};
	struct str path = {0};
	struct err e;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		if (ssdp_location_parse(str_of(bad[i]), &addr, &path, &e) != -ERR_INVALID)
			fail_msg("%s", bad[i]);
		assert_int_equal(e.code, ERR_INVALID);
	}
	assert_int_equal(ssdp_location_parse(str_n(nul, sizeof(nul) - 1), &addr, &path, &e),
			 -ERR_INVALID);
	assert_int_equal(
		ssdp_location_parse(str_n(nul_path, sizeof(nul_path) - 1), &addr, &path, &e),
		-ERR_INVALID);
	assert_int_equal(addr.port, 4711);
	assert_null(path.at);
}

static void a_location_has_a_bound(void **state)
{
	char text[SSDP_VALUE_MAX + 1] = "http://192.168.1.1/";
	struct ipaddr addr;
	struct str path;

	memset(text + strlen(text), 'x', sizeof(text) - strlen(text));
	assert_int_equal(ssdp_location_parse(str_n(text, SSDP_VALUE_MAX), &addr, &path, NULL), 0);
	assert_int_equal(ssdp_location_parse(str_n(text, SSDP_VALUE_MAX + 1), &addr, &path, NULL),
			 -ERR_INVALID);
	/* cut anywhere: another location or none, but nothing behind its end is read */
	for (size_t len = 0; len < 24; len++) {
		char *copy = malloc(len + 1);
		int r;

		memcpy(copy, text, len);
		r = ssdp_location_parse(str_n(copy, len), &addr, &path, NULL);
		assert_int_equal(r, len < strlen("http://192.168.1.1") ? -ERR_INVALID : 0);
		free(copy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(formats_a_search),
		cmocka_unit_test(decodes_an_answer),
		cmocka_unit_test(decodes_announcements),
		cmocka_unit_test(reads_liberally),
		cmocka_unit_test(refuses),
		cmocka_unit_test(has_bounds),
		cmocka_unit_test(refuses_the_truncated),
		cmocka_unit_test(survives_mutations),
		cmocka_unit_test(parses_locations),
		cmocka_unit_test(refuses_locations),
		cmocka_unit_test(a_location_has_a_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
