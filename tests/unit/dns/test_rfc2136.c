#include "test.h"

#include <ldns/ldns.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "dns/rfc2136.h"

#define SECRET	"c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"
#define SECRET2 "b3RoZXJvdGhlcm90aGVyb3RoZXJvdGhl"
#define NOW	((int64_t)1800000000)

static const struct dns_key key = {.name = "homeport", .secret = SECRET};

static struct dns_change change(const char *host, const char *address)
{
	struct dns_change c = {.host = host, .ttl_s = 60};

	if (address)
		assert_int_equal(ipaddr_parse(str_of(address), &c.address), 0);
	return c;
}

static ldns_pkt *encode(const struct dns_change *changes, size_t n, struct dns_update_sent *sent)
{
	AUTO(buf_donep) struct buf wire = {0};
	ldns_pkt *pkt = NULL;
	struct err e = {0};

	if (dns_update_encode("home.example.org", changes, n, &key, 0x1234, &wire, sent, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(ldns_wire2pkt(&pkt, buf_head(&wire), buf_len(&wire)), LDNS_STATUS_OK);
	assert_true(ldns_pkt_tsig_verify(pkt, buf_head(&wire), buf_len(&wire), "homeport.", SECRET,
					 NULL));
	return pkt;
}

static void check_list(const ldns_rr_list *list, const char *const *expected, size_t n)
{
	assert_int_equal(ldns_rr_list_rr_count(list), n);
	for (size_t i = 0; i < n; i++) {
		AUTO(freep) char *text = ldns_rr2str(ldns_rr_list_rr(list, i));

		if (strcmp(text, expected[i]) != 0)
			fail_msg("%s is not %s", text, expected[i]);
	}
}

/* It asks for nothing that is there to be deleted. */
static void test_a_change_of_nothing(void **state)
{
	static const char *const expected[] = {
		"a.home.example.org.\t0\tNONE\tA\t0.104.111.109\n",
		"a.home.example.org.\t0\tNONE\tAAAA\t100::686f:6d65:0:0\n",
	};
	struct dns_change changes[] = {change("a.home.example.org", "192.0.2.1"),
				       change("a.home.example.org", "2001:db8::1")};
	struct dns_update_sent sent;
	ldns_pkt *pkt;

	changes[0].nothing = changes[1].nothing = true;
	pkt = encode(changes, 2, &sent);
	check_list(ldns_pkt_authority(pkt), expected, 2); /* the update section */
	ldns_pkt_free(pkt);
}

static void test_the_message(void **state)
{
	static const char *const required[] = {
		"a.home.example.org.\t0\tNONE\tCNAME\t\\# 0\n",
		"_acme-challenge.a.home.example.org.\t0\tNONE\tCNAME\t\\# 0\n",
	};
	static const char *const expected[] = {
		"a.home.example.org.\t0\tANY\tA\t\\# 0\n",
		"a.home.example.org.\t60\tIN\tA\t192.0.2.1\n",
		"a.home.example.org.\t0\tANY\tAAAA\t\\# 0\n",
		"a.home.example.org.\t60\tIN\tAAAA\t2001:db8::1\n",
		"_acme-challenge.a.home.example.org.\t5\tIN\tTXT\t\"t0ken\\\"x\"\n",
		"b.home.example.org.\t0\tANY\tA\t\\# 0\n",
		"_acme-challenge.a.home.example.org.\t0\tNONE\tTXT\t\"0ld\"\n",
	};
	struct dns_change changes[5] = {change("a.home.example.org", "192.0.2.1"),
					change("a.home.example.org", "2001:db8::1"),
					change("_acme-challenge.a.home.example.org", NULL),
					change("b.home.example.org", "192.0.2.1"),
					change("_acme-challenge.a.home.example.org", NULL)};
	struct dns_update_sent sent;
	ldns_rr *zone;
	ldns_pkt *pkt;

	changes[2].txt = "t0ken\"x";
	changes[2].ttl_s = 5;
	changes[3].remove = true;
	changes[4].txt = "0ld";
	changes[4].remove = true;
	pkt = encode(changes, 5, &sent);
	assert_int_equal(ldns_pkt_id(pkt), 0x1234);
	assert_int_equal(sent.id, 0x1234);
	assert_int_equal(sent.mac_len, 2 + 32);
	assert_int_equal(ldns_pkt_get_opcode(pkt), LDNS_PACKET_UPDATE);
	assert_int_equal(ldns_pkt_qdcount(pkt), 1);
	zone = ldns_rr_list_rr(ldns_pkt_question(pkt), 0);
	assert_int_equal(ldns_rr_get_type(zone), LDNS_RR_TYPE_SOA);
	check_list(ldns_pkt_answer(pkt), required, ARRAY_LEN(required));
	check_list(ldns_pkt_authority(pkt), expected, ARRAY_LEN(expected));
	ldns_pkt_free(pkt);
}

static void test_what_cannot_be_sent(void **state)
{
	char long_txt[300];
	struct dns_change bad = change("a..b", "192.0.2.1"),
			  txt = change("a.home.example.org", NULL);
	static const char *const bad_secrets[] = {"!!!", "", "====", "abc", "abc=d==="};
	struct dns_key nonsense = {.name = "homeport"};
	AUTO(buf_donep) struct buf out = {0};
	struct dns_update_sent sent;
	struct err e = {0};

	assert_int_equal(dns_update_encode("home.example.org", &bad, 1, &key, 1, &out, &sent, &e),
			 -ERR_INVALID);
	memset(long_txt, 'x', sizeof(long_txt));
	long_txt[256] = '\0';
	txt.txt = long_txt;
	assert_int_equal(dns_update_encode("home.example.org", &txt, 1, &key, 1, &out, &sent, &e),
			 -ERR_INVALID);
	txt.txt = "good";
	for (size_t j = 0; j < ARRAY_LEN(bad_secrets); j++) {
		nonsense.secret = bad_secrets[j];
		assert_int_equal(dns_update_encode("home.example.org", &txt, 1, &nonsense, 1, &out,
						   &sent, &e),
				 -ERR_INVALID);
	}
	assert_null(strstr(e.text, "!!!"));
	assert_int_equal(dns_update_encode("home.example.org", &txt, DNS_UPDATE_CHANGES_MAX + 1,
					   &key, 1, &out, &sent, &e),
			 -ERR_LIMIT);
	assert_int_equal(buf_len(&out), 0);
}

static void test_five_hundred_names_fit(void **state)
{
	struct dns_change changes[500];
	struct dns_update_sent sent;
	char hosts[500][40];
	ldns_pkt *pkt;

	for (int i = 0; i < 500; i++) {
		snprintf(hosts[i], sizeof(hosts[i]), "host%03d.home.example.org", i);
		changes[i] = change(hosts[i], "192.0.2.1");
	}
	pkt = encode(changes, 500, &sent);
	assert_int_equal(ldns_pkt_nscount(pkt), 1000);
	ldns_pkt_free(pkt);
}

static void test_keys(void **state)
{
	char text[HOSTNAME_MAX + 16];
	struct dns_key k = {0};
	struct err e = {0};

	assert_int_equal(dns_key_parse("homeport.", text, &k, &e), 0);
	assert_string_equal(k.name, "homeport");
	assert_string_equal(k.algorithm, "hmac-sha256");
	assert_int_equal(dns_key_parse("HMAC-SHA512:a.example.org", text, &k, &e), 0);
	assert_string_equal(k.name, "a.example.org");
	assert_string_equal(k.algorithm, "hmac-sha512");
	assert_int_equal(dns_key_parse("hmac-md5:a", text, &k, &e), -ERR_INVALID);
	assert_int_equal(dns_key_parse("hmac-sha384:a", text, &k, &e), -ERR_INVALID);
	assert_int_equal(dns_key_parse("a b", text, &k, &e), -ERR_INVALID);
	assert_int_equal(dns_key_parse("", text, &k, &e), -ERR_INVALID);
}

/* What the configuration takes can sign; ldns does not know all there are. */
static void test_each_algorithm_signs(void **state)
{
	static const char *const names[] = {"hmac-md5",	   "hmac-sha1",	  "hmac-sha224",
					    "hmac-sha256", "hmac-sha384", "hmac-sha512"};
	struct dns_change c = change("a.home.example.org", "192.0.2.1");
	unsigned signs = 0;

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		char user[64], text[HOSTNAME_MAX + 16];
		AUTO(buf_donep) struct buf wire = {0};
		struct dns_update_sent sent;
		struct dns_key k = {0};
		struct err e = {0};

		snprintf(user, sizeof(user), "%s:homeport", names[i]);
		if (dns_key_parse(user, text, &k, &e) < 0)
			continue;
		k.secret = SECRET;
		if (dns_update_encode("home.example.org", &c, 1, &k, 1, &wire, &sent, &e) < 0)
			fail_msg("%s: %s", names[i], e.text);
		signs++;
	}
	assert_int_equal(signs, 3);
}

/* ── answers ── */

struct answer {
	unsigned rcode;
	const char *secret; /* NULL: not signed */
	uint16_t id;
	bool forget_mac; /* signed as if it answered something else */
	unsigned error;	 /* of an unsigned TSIG */
	int64_t time;	 /* in its other data */
};

static void push_error(ldns_pkt *pkt, const struct answer *a)
{
	ldns_rr *tsig = ldns_rr_new();
	uint8_t time[6] = {0}, other[8] = {0, 6};
	uint8_t zero[2] = {0};
	ldns_rdf *name, *algorithm;

	for (int i = 0; i < 6; i++)
		other[2 + i] = (uint8_t)(a->time >> (8 * (5 - i)));
	assert_int_equal(ldns_str2rdf_dname(&name, "homeport."), LDNS_STATUS_OK);
	assert_int_equal(ldns_str2rdf_dname(&algorithm, "hmac-sha256."), LDNS_STATUS_OK);
	ldns_rr_set_owner(tsig, name);
	ldns_rr_set_class(tsig, LDNS_RR_CLASS_ANY);
	ldns_rr_set_type(tsig, LDNS_RR_TYPE_TSIG);
	ldns_rr_set_ttl(tsig, 0);
	ldns_rr_push_rdf(tsig, algorithm);
	ldns_rr_push_rdf(tsig, ldns_rdf_new_frm_data(LDNS_RDF_TYPE_TSIGTIME, 6, time));
	ldns_rr_push_rdf(tsig, ldns_native2rdf_int16(LDNS_RDF_TYPE_INT16, 300));
	ldns_rr_push_rdf(tsig, ldns_rdf_new_frm_data(LDNS_RDF_TYPE_INT16_DATA, 2, zero));
	ldns_rr_push_rdf(tsig, ldns_native2rdf_int16(LDNS_RDF_TYPE_INT16, a->id));
	ldns_rr_push_rdf(tsig, ldns_native2rdf_int16(LDNS_RDF_TYPE_INT16, (uint16_t)a->error));
	ldns_rr_push_rdf(tsig, ldns_rdf_new_frm_data(LDNS_RDF_TYPE_INT16_DATA, a->time ? 8 : 2,
						     a->time ? other : zero));
	ldns_pkt_set_tsig(pkt, tsig);
}

static int decode(const struct answer *a, struct dns_reply *ret)
{
	struct dns_change c = change("a.home.example.org", "192.0.2.1");
	ldns_pkt *answer = ldns_pkt_new();
	AUTO(buf_donep) struct buf request = {0};
	struct dns_update_sent sent;
	AUTO(freep) uint8_t *wire = NULL;
	ldns_rdf *mac;
	struct err e = {0};
	size_t len;
	int r;

	assert_int_equal(dns_update_encode("home.example.org", &c, 1, &key, 7, &request, &sent, &e),
			 0);
	ldns_pkt_set_id(answer, a->id);
	ldns_pkt_set_qr(answer, true);
	ldns_pkt_set_opcode(answer, LDNS_PACKET_UPDATE);
	ldns_pkt_set_rcode(answer, (uint8_t)a->rcode);
	if (a->secret) {
		mac = ldns_rdf_new_frm_data(LDNS_RDF_TYPE_INT16_DATA, sent.mac_len, sent.mac);
		assert_int_equal(ldns_pkt_tsig_sign(answer, "homeport.", a->secret, 300,
						    "hmac-sha256.", a->forget_mac ? NULL : mac),
				 LDNS_STATUS_OK);
		ldns_rdf_deep_free(mac);
	} else if (a->error) {
		push_error(answer, a);
	}
	assert_int_equal(ldns_pkt2wire(&wire, answer, &len), LDNS_STATUS_OK);
	ldns_pkt_free(answer);
	r = dns_update_decode(&sent, &key, str_n((const char *)wire, len), NOW, ret, &e);
	if (r < 0)
		assert_true(e.text[0]);
	return r;
}

static void test_answers(void **state)
{
	static const struct {
		struct answer answer;
		int r;
		enum dns_verdict verdict;
		const char *text;
	} cases[] = {
		{{.rcode = 0, .secret = SECRET, .id = 7}, 0, DNS_GOOD, ""},
		{{.rcode = 0, .secret = SECRET2, .id = 7}, -ERR_INVALID, 0, ""},
		{{.rcode = 0, .secret = SECRET, .id = 8}, -ERR_INVALID, 0, ""},
		{{.rcode = 0, .secret = SECRET, .id = 7, .forget_mac = true}, -ERR_INVALID, 0, ""},
		{{.rcode = 0, .id = 7}, -ERR_INVALID, 0, ""}, /* anybody can say that */
		{{.rcode = 2, .secret = SECRET, .id = 7}, 0, DNS_SERVER, "SERVFAIL"},
		{{.rcode = 5, .secret = SECRET, .id = 7},
		 0,
		 DNS_REFUSED,
		 "REFUSED: not allowed by the server's policy (of PowerDNS: or a wrong key or clock)"},
		{{.rcode = 5, .id = 7},
		 0,
		 DNS_REFUSED,
		 "REFUSED: not allowed by the server's policy (of PowerDNS: or a wrong key or clock)"},
		{{.rcode = 7, .secret = SECRET, .id = 7},
		 0,
		 DNS_REFUSED,
		 "YXRRSET: the name is an alias (CNAME); no other record can be beside it"},
		{{.rcode = 4, .id = 7}, 0, DNS_REFUSED, "NOTIMP: the server takes no updates"},
		{{.rcode = 9, .secret = SECRET, .id = 7},
		 0,
		 DNS_REFUSED,
		 "NOTAUTH: the server does not have this zone"},
		{{.rcode = 10, .secret = SECRET, .id = 7},
		 0,
		 DNS_NOHOST,
		 "NOTZONE: the name is not in the zone"},
		{{.rcode = 9, .id = 7, .error = 16}, 0, DNS_BADSIG, ""},
		{{.rcode = 9, .id = 7, .error = 17}, 0, DNS_BADKEY, ""},
		{{.rcode = 9, .id = 7, .error = 18, .time = NOW + 4000},
		 0,
		 DNS_TIME,
		 "this machine's clock is 4000 s behind the server's"},
		{{.rcode = 9, .id = 7, .error = 18, .time = NOW - 4000},
		 0,
		 DNS_TIME,
		 "this machine's clock is 4000 s ahead of the server's"},
		{{.rcode = 9, .id = 7, .error = 22}, 0, DNS_BADSIG, ""},
		{{.rcode = 0, .id = 7, .error = 17}, -ERR_INVALID, 0, ""},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct dns_reply reply = {0};
		int r = decode(&cases[i].answer, &reply);

		if (r != cases[i].r || (r == 0 && (reply.verdict != cases[i].verdict ||
						   strcmp(reply.text, cases[i].text) != 0)))
			fail_msg("case %zu: %d, %s \"%s\"", i, r, dns_verdict_word(reply.verdict),
				 reply.text);
	}
}

static void test_not_even_a_message(void **state)
{
	struct dns_update_sent sent = {0};
	struct dns_reply reply;

	assert_int_equal(dns_update_decode(&sent, &key, STR(""), NOW, &reply, NULL), -ERR_INVALID);
	assert_int_equal(dns_update_decode(&sent, &key, STR("HTTP/1.1 400 Bad Request\r\n\r\n"),
					   NOW, &reply, NULL),
			 -ERR_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_message),
		cmocka_unit_test(test_a_change_of_nothing),
		cmocka_unit_test(test_what_cannot_be_sent),
		cmocka_unit_test(test_five_hundred_names_fit),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_each_algorithm_signs),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_not_even_a_message),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
