#include "test.h"

#include <string.h>

#include "base/cleanup.h"
#include "dns/provider.h"

static struct dns_reply read_one(const struct dns_grammar *grammar, int status, struct str body)
{
	struct dns_answer answer = {.status = status, .body = body};
	struct dns_reply reply;

	dns_reply_read(grammar, &answer, &reply);
	return reply;
}

struct recorded {
	const char *provider;
	int status;
	const char *body;
	enum dns_verdict verdict;
};

#define DDNSS_PAGE(text)                                                                           \
	"<head>\n    <meta name=\"robots\" content=\"noindex\">\n    <title>DDNSS - Kostenloser "  \
	"DynDNS Service : Re-ProutDNS v5.01v</title>\n</head>\n<body>\n<p><font face=\"Verdana\" " \
	"size=\"2\"></font></p>\n" text "</body>\n"

/* What providers send, as they document it or as their clients have recorded it. */
static const struct recorded recorded[] = {
	{"dyn", 200, "good 192.0.2.1", DNS_GOOD},
	{"dyn", 200, "good 192.0.2.1\n", DNS_GOOD},
	{"dyn", 200, "good 192.0.2.1\r\n", DNS_GOOD},
	{"dyn", 200, "\r\n\tGOOD\t192.0.2.1", DNS_GOOD},
	{"dyn", 200, "good", DNS_GOOD},
	{"dyn", 200, "good 127.0.0.1", DNS_BADAGENT},
	{"dyn", 200, "nochg 192.0.2.1", DNS_NOCHG},
	{"dyn", 200, "nochg", DNS_NOCHG},
	{"dyn", 200, "badauth", DNS_BADAUTH},
	{"dyn", 401, "badauth", DNS_BADAUTH},
	{"dyn", 401, "", DNS_BADAUTH},
	{"dyn", 401, "<html><title>401 Unauthorized</title></html>", DNS_BADAUTH},
	{"dyn", 403, "", DNS_BADAUTH},
	{"dyn", 403, "<html>Are you a robot?</html>", DNS_UNKNOWN},
	{"dyn", 403, "abuse", DNS_ABUSE},
	{"dyn", 200, "abuse", DNS_ABUSE},
	{"dyn", 200, "!donator", DNS_NOT_DONATOR},
	{"dyn", 200, "!yours", DNS_NOT_YOURS},
	{"dyn", 200, "!active", DNS_NOT_ACTIVE},
	{"dyn", 200, "notfqdn", DNS_NOTFQDN},
	{"dyn", 200, "nohost", DNS_NOHOST},
	{"dyn", 200, "numhost", DNS_NUMHOST},
	{"dyn", 200, "badagent", DNS_BADAGENT},
	{"dyn", 200, "badsys", DNS_BADSYS},
	{"dyn", 200, "dnserr", DNS_DNSERR},
	{"dyn", 200, "911", DNS_OUTAGE},
	{"dyn", 500, "911", DNS_OUTAGE},
	{"dyn", 502, "<html>Bad Gateway</html>", DNS_SERVER},
	{"dyn", 503, "", DNS_SERVER},
	{"dyn", 503, "good 192.0.2.1", DNS_SERVER}, /* success with a status of trouble is none */
	{"dyn", 429, "", DNS_RATE},
	{"dyn", 302, "", DNS_PAGE},
	{"dyn", 200, "", DNS_UNKNOWN},
	{"dyn", 200, "\n\n", DNS_UNKNOWN},
	{"dyn", 404, "not found", DNS_UNKNOWN},
	{"dyn", 200, "<html>good 192.0.2.1</html>", DNS_PAGE},
	{"dyn", 200, "  <!DOCTYPE html>\ngood", DNS_PAGE},
	/* never a part of a word, and never further on in a line */
	{"dyn", 200, "goodness 192.0.2.1", DNS_UNKNOWN},
	{"dyn", 200, "no good", DNS_UNKNOWN},
	{"dyn", 200, "192.0.2.911", DNS_UNKNOWN},
	{"dyn", 200, "good 198.51.100.91", DNS_GOOD},
	{"dyn", 200, "nochg 192.9.11.1", DNS_NOCHG},
	{"dyn", 200, "status: good", DNS_UNKNOWN},
	/* several lines: the worst */
	{"dyn", 200, "good 192.0.2.1\nnochg 192.0.2.1\n", DNS_GOOD},
	{"dyn", 200, "good 192.0.2.1\nnohost\n", DNS_NOHOST},
	{"dyn", 200, "911\nabuse", DNS_ABUSE},
	{"dyn", 200, "good 192.0.2.1\nhave a nice day\n", DNS_GOOD},
	{"dyn", 200, "have a nice day\ngood 192.0.2.1\n", DNS_UNKNOWN},

	{"noip", 200, "good 192.0.2.1\r\n", DNS_GOOD},
	{"noip", 200, "nochg 192.0.2.1\r\n", DNS_NOCHG},
	{"noip", 200, "nohost\r\n", DNS_NOHOST},
	{"noip", 401, "badauth\r\n", DNS_BADAUTH},
	{"noip", 200, "badagent", DNS_BADAGENT},
	{"noip", 200, "!donator", DNS_NOT_DONATOR},
	{"noip", 200, "abuse", DNS_ABUSE},
	{"noip", 200, "911", DNS_OUTAGE},

	{"dynu", 200, "good 192.0.2.1", DNS_GOOD},
	{"dynu", 200, "servererror", DNS_SERVER},
	{"dynu", 200, "unknown", DNS_UNKNOWN},
	{"strato", 200, "abuse 192.0.2.1", DNS_ABUSE},
	{"inwx", 200, "nochg 192.0.2.1", DNS_NOCHG},
	{"nsupdate.info", 200, "good 192.0.2.1,2001:db8::1", DNS_GOOD},
	{"nsupdate.info", 200, "deleted A", DNS_UNKNOWN}, /* never asked for */
	{"nsupdate.info", 403, "abuse", DNS_ABUSE},
	{"he", 200, "badauth", DNS_BADAUTH},
	{"he", 200, "nochg 2001:db8::1", DNS_NOCHG},
	{"tunnelbroker", 200,
	 "-ERROR: IP is not ICMP pingable. Please make sure ICMP is not blocked.", DNS_UNKNOWN},
	{"ovh-dynhost", 401, "Authorization required", DNS_BADAUTH},

	{"desec", 200, "good", DNS_GOOD},
	{"desec", 401, "badauth", DNS_BADAUTH},
	{"desec", 404, "nohost", DNS_NOHOST},
	{"desec", 404, "", DNS_NOHOST},
	{"desec", 429, "Request was throttled. Expected available in 52 seconds.", DNS_RATE},

	{"ipv64", 200, "good 192.0.2.1", DNS_GOOD},
	{"ipv64", 401, "badauth", DNS_BADAUTH},
	{"ipv64", 403, "Update limit reached", DNS_RATE},
	{"ipv64", 429, "", DNS_RATE},

	{"duckdns", 200, "OK", DNS_GOOD},
	{"duckdns", 200, "OK\n192.0.2.1\n\nUPDATED", DNS_GOOD},
	{"duckdns", 200, "KO", DNS_BADAUTH},
	{"duckdns", 200, "OK, but not really", DNS_UNKNOWN},
	{"duckdns", 200, "BOOKO", DNS_UNKNOWN},
	{"duckdns", 404, "404 page not found", DNS_UNKNOWN}, /* its outages look like this */
	{"duckdns", 502, "Bad Gateway", DNS_SERVER},

	{"dynv6", 200, "addresses updated", DNS_GOOD},
	{"dynv6", 200, "addresses unchanged", DNS_NOCHG},
	{"dynv6", 401, "invalid authentication token", DNS_BADAUTH},
	{"dynv6", 404, "zone not found", DNS_NOHOST},

	{"freedns", 200, "Updated 1 host(s) home.mooo.com to 192.0.2.1 in 0.174 seconds", DNS_GOOD},
	{"freedns", 200, "Updated home.mooo.com from 192.0.2.9 to 192.0.2.1", DNS_GOOD},
	{"freedns", 200,
	 "No IP change detected for home.mooo.com with IP 192.0.2.1, skipping update", DNS_NOCHG},
	{"freedns", 200, "ERROR: Address 192.0.2.1 has not changed.", DNS_NOCHG},
	{"freedns", 200, "ERROR: Unable to locate this record", DNS_NOHOST},
	{"freedns", 200, "ERROR: \"banana\" is an invalid IP address.", DNS_REFUSED},

	{"zoneedit", 200,
	 "<SUCCESS CODE=\"200\" TEXT=\"home.example.org updated to 192.0.2.1\" "
	 "ZONE=\"example.org\" HOST=\"home.example.org\" IP=\"192.0.2.1\">",
	 DNS_GOOD},
	{"zoneedit", 200,
	 "<SUCCESS CODE=\"201\" TEXT=\"no records need updating\" ZONE=\"example.org\">",
	 DNS_NOCHG},
	{"zoneedit", 200, "<ERROR CODE=\"702\" TEXT=\"Update failed.\" PARAM=\"600\">", DNS_RATE},
	{"zoneedit", 200,
	 "<ERROR CODE=\"707\" TEXT=\"Too frequent updates. Allow for 600 seconds\">", DNS_RATE},
	{"zoneedit", 200, "<ERROR CODE=\"708\" TEXT=\"Failed Login: me\">", DNS_BADAUTH},
	{"zoneedit", 200, "<ERROR CODE=\"709\" TEXT=\"Invalid hostname: home\">", DNS_NOHOST},
	{"zoneedit", 200, "<html><body>Welcome to this hotel</body></html>", DNS_PAGE},

	{"easydns", 200, "NOERROR", DNS_GOOD},
	{"easydns", 200, "OK", DNS_GOOD},
	{"easydns", 200, "NOACCESS", DNS_BADAUTH},
	{"easydns", 200, "NO_AUTH", DNS_BADAUTH},
	{"easydns", 200, "NOSERVICE", DNS_NOT_ACTIVE},
	{"easydns", 200, "ILLEGAL INPUT", DNS_REFUSED},
	{"easydns", 200, "TOOSOON", DNS_RATE},
	{"easydns", 200, "TOO_FREQ", DNS_RATE},

	{"namecheap", 200,
	 "<?xml version=\"1.0\" "
	 "encoding=\"utf-16\"?><interface-response><Command>SETDNSHOST</Command>"
	 "<Language>eng</Language><IP>192.0.2.1</IP><ErrCount>0</ErrCount><errors "
	 "/><Done>true</Done>"
	 "</interface-response>",
	 DNS_GOOD},
	{"namecheap", 200,
	 "<?xml version=\"1.0\"?><interface-response><ErrCount>1</ErrCount><errors><Err1>Passwords "
	 "do "
	 "not match</Err1></errors><ResponseCount>1</ResponseCount></interface-response>",
	 DNS_BADAUTH},
	{"namecheap", 200,
	 "<?xml version=\"1.0\"?><interface-response><ErrCount>1</ErrCount><errors><Err1>Domain "
	 "name "
	 "not found</Err1></errors></interface-response>",
	 DNS_NOHOST},
	{"namecheap", 200, "<html>10</html>", DNS_PAGE},

	{"freemyip", 200, "OK", DNS_GOOD},
	{"freemyip", 200, "ERROR", DNS_REFUSED},
	{"servercow", 200, "OK", DNS_GOOD},
	{"dnsmadeeasy", 200, "success", DNS_GOOD},
	{"dnsmadeeasy", 200, "error-record-ip-same", DNS_NOCHG},
	{"dnsmadeeasy", 200, "error-auth", DNS_BADAUTH},
	{"dnsmadeeasy", 200, "error-auth-suspend", DNS_ABUSE},
	{"dnsmadeeasy", 200, "error-record-invalid", DNS_NOHOST},
	{"domaindiscount24", 200,
	 "[RESPONSE]\r\ncode = 200\r\ndescription = Command completed "
	 "successfully\r\nqueuetime = 0\r\nEOF\r\n",
	 DNS_GOOD},
	{"domaindiscount24", 200, "[RESPONSE]\ncode = 531\ndescription = invalid password\nEOF\n",
	 DNS_BADAUTH},
	{"domaindiscount24", 200, "[RESPONSE]\ncode = 541\ndescription = something else\nEOF\n",
	 DNS_UNKNOWN},
	{"domaindiscount24", 200, "[RESPONSE]\nEOF\n", DNS_UNKNOWN},
	{"regfish", 200, "success|100|update succeeded!", DNS_GOOD},
	{"regfish", 200, "success|101|no update needed at this time..", DNS_NOCHG},
	{"regfish", 200, "error|401|authentication failed.", DNS_BADAUTH},
	{"regfish", 200, "error|412|invalid fqdn", DNS_NOTFQDN},

	{"cloudflare", 200, "{\"result\":[],\"success\":true,\"errors\":[],\"messages\":[]}",
	 DNS_GOOD},
	{"cloudflare", 403,
	 "{\"success\":false,\"errors\":[{\"code\":9109,\"message\":\"Invalid access token\"}]}",
	 DNS_BADAUTH},
	{"cloudflare", 403,
	 "{\"success\":false,\"errors\":[{\"code\":10000,\"message\":\"Authentication error\"}]}",
	 DNS_BADAUTH},
	{"cloudflare", 400,
	 "{\"success\":false,\"errors\":[{\"code\":9004,\"message\":\"Invalid IP for a proxied "
	 "record\"}]}",
	 DNS_REFUSED},
	{"cloudflare", 429,
	 "{\"success\":false,\"errors\":[{\"code\":971,\"message\":\"slow down\"}]}", DNS_RATE},
	{"cloudflare", 200, "{\"success\":false,\"errors\":[]}", DNS_UNKNOWN},
	{"cloudflare", 200, "{\"success\":tr", DNS_UNKNOWN},
	{"cloudflare", 520, "<html>origin error</html>", DNS_SERVER},
	{"digitalocean", 200, "{\"domain_record\":{\"id\":1}}", DNS_GOOD},
	{"digitalocean", 401,
	 "{\"id\":\"Unauthorized\",\"message\":\"Unable to authenticate you\"}", DNS_BADAUTH},
	{"digitalocean", 404, "{\"id\":\"not_found\",\"message\":\"not found\"}", DNS_NOHOST},
	{"digitalocean", 422, "{\"id\":\"unprocessable_entity\",\"message\":\"no\"}", DNS_REFUSED},
	{"digitalocean", 429, "{\"id\":\"too_many_requests\"}", DNS_RATE},
	{"digitalocean", 200, "<html>Sign in to this network</html>", DNS_PAGE},
	{"digitalocean", 403, "<html>Are you a robot?</html>", DNS_UNKNOWN},
	{"digitalocean", 400, "<html>Bad request</html>", DNS_UNKNOWN},
	{"hetzner", 201, "{\"action\":{\"id\":1,\"status\":\"running\"}}", DNS_GOOD},
	{"gandi", 201, "{\"message\":\"DNS Record Created\"}", DNS_GOOD},
	{"gandi", 403, "{\"code\":403,\"message\":\"Access was denied\"}", DNS_BADAUTH},
	{"vultr", 204, "", DNS_GOOD},
	{"linode", 401, "{\"errors\":[{\"reason\":\"Invalid Token\"}]}", DNS_BADAUTH},
	{"godaddy", 403, "{\"code\":\"ACCESS_DENIED\"}", DNS_BADAUTH},
	{"porkbun", 200, "{\"status\":\"SUCCESS\"}", DNS_GOOD},
	{"porkbun", 400, "{\"status\":\"ERROR\",\"message\":\"Invalid API key. (001)\"}",
	 DNS_REFUSED},
	{"porkbun", 200, "{\"status\":\"ERROR\",\"message\":\"no\"}", DNS_REFUSED},
	{"porkbun", 503, "", DNS_SERVER},
	{"ovh-api", 403, "{\"message\":\"This credential is not valid\"}", DNS_BADAUTH},
	{"dnsexit", 200, "{\"code\":0,\"details\":[\"UPDATE Record A\"],\"message\":\"Success\"}",
	 DNS_GOOD},
	{"dnsexit", 200, "{\"code\":2,\"message\":\"API Key Authentication Error\"}", DNS_BADAUTH},
	{"route53", 200,
	 "<?xml "
	 "version=\"1.0\"?>\n<ChangeResourceRecordSetsResponse><ChangeInfo><Id>/change/C1</Id>"
	 "<Status>PENDING</Status></ChangeInfo></ChangeResourceRecordSetsResponse>",
	 DNS_GOOD},
	{"route53", 400,
	 "<?xml version=\"1.0\"?>\n<ErrorResponse><Error><Type>Sender</Type><Code>Throttling</Code>"
	 "<Message>Rate exceeded</Message></Error></ErrorResponse>",
	 DNS_RATE},
	{"route53", 403,
	 "<ErrorResponse><Error><Code>SignatureDoesNotMatch</Code></Error></ErrorResponse>",
	 DNS_BADAUTH},
	{"ddnss", 200,
	 DDNSS_PAGE("<p><font face=\"Verdana\" size=\"2\">Updated 1 hostname.</font></p>\n"),
	 DNS_GOOD},
	{"ddnss", 200, "Updated 1 hostname.\n", DNS_GOOD},
	{"ddnss", 200, "No change.", DNS_NOCHG},
	{"ddnss", 200,
	 DDNSS_PAGE("<blockquote>\n    <font size=\"2\">- badysys : Der System Parameter ist "
		    "ung\xc3\xbcltig.</font><br>\n    <font size=\"2\">- badauth : Die "
		    "Authorisation ist fehlgeschlagen.</font><br>\n    <font size=\"2\">- notfqdn "
		    ": Hostname fehlt oder ist falsch.</font></blockquote>\n"),
	 DNS_BADAUTH},
	{"ddnss", 200, "<html><body>Welcome! You have not Updated 1 hostname.</body></html>",
	 DNS_PAGE},
	{"ddnss", 200, "<a title=\"Updated 1 hostname.\"></a>", DNS_PAGE},
	{"goip", 200, "home.goip.de (192.0.2.1)", DNS_GOOD},
	{"goip", 200, "Zugriff verweigert", DNS_BADAUTH},
	{"goip", 200, "the quick brown fox", DNS_UNKNOWN},
	{"changeip", 200, "200 Successful Update", DNS_GOOD},
	{"changeip", 200, "401 Access Denied", DNS_BADAUTH},
	{"changeip", 200, "422 Invalid Host", DNS_NOHOST},
	{"changeip", 200, "200", DNS_UNKNOWN},
	{"sitelutions", 200, "success\n", DNS_GOOD},
	{"sitelutions", 200, "noauth\n", DNS_BADAUTH},
	{"sitelutions", 200, "noip\n", DNS_UNKNOWN},
	{"enom", 200, ";URL Interface\r\nCommand=SETDNSHOST\r\nErrCount=0\r\nDone=true\r\n",
	 DNS_GOOD},
	{"enom", 200, "ErrCount=1\r\nErr1=Passwords do not match\r\nDone=true\r\n", DNS_BADAUTH},
	{"enom", 200, "ErrCount=1\r\nErr1=Domain name not found\r\nDone=true\r\n", DNS_NOHOST},
	{"enom", 200, "ErrCount=10\r\nErr1=what\r\n", DNS_REFUSED},
	{"njalla", 200,
	 "{\"status\": 200, \"message\": \"record updated\", \"value\": {\"A\": \"192.0.2.1\"}}",
	 DNS_GOOD},
	{"njalla", 401, "{\"status\": 401, \"message\": \"invalid host or key\"}", DNS_BADAUTH},
	{"1984", 200, "{\"ok\": true, \"msg\": \"updated\", \"ip\": \"192.0.2.1\"}", DNS_GOOD},
	{"1984", 200, "{\"ok\": false, \"msg\": \"not found\", \"lookup\": []}", DNS_REFUSED},
	{"dondominio", 200, "{\"success\":true,\"messages\":[\"IP:192.0.2.1\"]}", DNS_GOOD},
	{"dondominio", 200, "{\"success\":false,\"messages\":[\"Login error\"]}", DNS_REFUSED},
	{"directnic", 200, "{\"result\":\"success\",\"message\":\"ok\"}", DNS_GOOD},
	{"directnic", 200, "{\"result\":\"error\",\"message\":\"no\"}", DNS_REFUSED},
	{"ionos", 200, "", DNS_GOOD},
	{"ionos", 401, "", DNS_BADAUTH},
	{"ionos", 404, "", DNS_NOHOST},
	{"ionos", 200, "<html>hotel</html>", DNS_PAGE},
	{"domeneshop", 204, "", DNS_GOOD},
	{"domeneshop", 404, "", DNS_NOHOST},
	{"ionos-api", 200, "{}", DNS_GOOD},
	{"ionos-api", 401,
	 "[{\"code\":\"UNAUTHORIZED\",\"message\":\"The customer is not authorized to do this "
	 "operation.\"}]",
	 DNS_BADAUTH},
	{"mythic-beasts", 200, "{\"message\":\"1 records added\",\"records_added\":1}", DNS_GOOD},
	{"mythic-beasts", 403, "{\"error\":\"Permission denied\"}", DNS_BADAUTH},
	{"netcup", 200, "{\"status\":\"success\",\"statuscode\":2000}", DNS_GOOD},
	{"netcup", 200,
	 "{\"status\":\"error\",\"statuscode\":4013,\"shortmessage\":\"Validation Error.\","
	 "\"longmessage\":\"Message is empty.\",\"responsedata\":\"\"}",
	 DNS_REFUSED},
	{"dnshome", 200, "nochg", DNS_NOCHG},
	{"digitalocean-reserved-ip", 201, "{\"action\":{\"id\":1,\"status\":\"completed\"}}",
	 DNS_GOOD},
	{"digitalocean-reserved-ip", 201, "{\"action\":{\"id\":1,\"status\":\"in-progress\"}}",
	 DNS_PENDING},
	{"digitalocean-reserved-ip", 201, "{\"action\":{\"id\":1,\"status\":\"errored\"}}",
	 DNS_SERVER},
	{"digitalocean-reserved-ip", 422,
	 "{\"id\":\"unprocessable_entity\",\"message\":\"Droplet already has a pending event.\"}",
	 DNS_PENDING},
	{"digitalocean-reserved-ip", 404, "{\"id\":\"not_found\"}", DNS_NOHOST},
	{"dnspod", 200, "{\"status\":{\"code\":\"1\"}}", DNS_GOOD},
	{"dnspod", 200, "{\"status\":{\"code\":\"-1\",\"message\":\"Login fail\"}}", DNS_BADAUTH},
	{"dnspod", 200, "{\"status\":{\"code\":\"-2\"}}", DNS_RATE},
	{"dnspod", 200, "{\"status\":{\"code\":\"3\"}}", DNS_UNKNOWN},
};

static void test_recorded_replies(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(recorded); i++) {
		const struct recorded *r = &recorded[i];
		const struct dns_provider *p = dns_provider_find(str_of(r->provider));
		struct dns_reply reply;

		assert_non_null(p);
		reply = read_one(p->grammar, r->status, str_of(r->body));
		if (reply.verdict != r->verdict)
			fail_msg("%s, %d \"%s\": %s, not %s", r->provider, r->status, r->body,
				 dns_verdict_word(reply.verdict), dns_verdict_word(r->verdict));
	}
}

/* One that is not there is a row nobody has tried. */
static void test_every_grammar_has_a_success_and_a_failure(void **state)
{
	for (size_t i = 0; i < dns_providers_count; i++) {
		const struct dns_grammar *g = dns_providers[i].grammar;
		bool good = !g, bad = !g;

		for (size_t j = 0; j < ARRAY_LEN(recorded) && g; j++) {
			if (dns_provider_find(str_of(recorded[j].provider))->grammar != g)
				continue;
			good |= recorded[j].verdict == DNS_GOOD;
			bad |= dns_verdict_class(recorded[j].verdict) == DNS_CLASS_PARK;
		}
		/* these differ from "api" in nothing but where the sentence for people stands */
		if (g == &dns_grammar_vultr || g == &dns_grammar_linode ||
		    g == &dns_grammar_hetzner)
			continue;
		if (!good || !bad)
			fail_msg("%s: no recorded %s", g->name, good ? "failure" : "success");
	}
}

static void test_text_is_the_provider_s_own(void **state)
{
	char long_line[400];
	struct dns_reply reply = read_one(&dns_grammar_dyndns2, 200, STR("good 192.0.2.1\r\n"));

	assert_string_equal(reply.text, "good 192.0.2.1");
	reply = read_one(&dns_grammar_dyndns2, 200, STR("what is this\nsecond"));
	assert_string_equal(reply.text, "what is this");
	reply = read_one(&dns_grammar_dyndns2, 200, STR("good 192.0.2.1\nnohost home"));
	assert_string_equal(reply.text, "nohost home");
	reply = read_one(
		&dns_grammar_cloudflare, 403,
		STR("{\"errors\":[{\"code\":9109,\"message\":\"Invalid access token\"}]}"));
	assert_string_equal(reply.text, "Invalid access token");
	reply = read_one(&dns_grammar_dyndns2, 200, STR("<html>good</html>"));
	assert_string_equal(reply.text, "");

	memset(long_line, 'x', sizeof(long_line));
	memcpy(long_line, "good ", 5);
	reply = read_one(&dns_grammar_dyndns2, 200, str_n(long_line, sizeof(long_line)));
	assert_int_equal(reply.verdict, DNS_GOOD);
	assert_int_equal(strlen(reply.text), DNS_REPLY_TEXT_MAX - 1);
}

static void test_a_huge_body_is_read_to_its_limit(void **state)
{
	size_t len = DNS_REPLY_BODY_MAX + 100;
	char *body = malloc(len);
	struct dns_reply reply;

	memset(body, '\n', len);
	memcpy(body, "good 1", 6);
	memcpy(body + DNS_REPLY_BODY_MAX + 10, "\nabuse\n", 7);
	reply = read_one(&dns_grammar_dyndns2, 200, str_n(body, len));
	assert_int_equal(reply.verdict, DNS_GOOD);
	free(body);
}

static void test_bytes_of_all_kinds(void **state)
{
	assert_int_equal(read_one(&dns_grammar_dyndns2, 200, STR("good\0 1")).verdict, DNS_UNKNOWN);
	assert_int_equal(read_one(&dns_grammar_dyndns2, 200, STR("\0good 1")).verdict, DNS_UNKNOWN);
	assert_int_equal(read_one(&dns_grammar_dyndns2, 200, STR("\xff\xfegood")).verdict,
			 DNS_UNKNOWN);
	assert_int_equal(read_one(&dns_grammar_api, 200, str_n(NULL, 0)).verdict, DNS_GOOD);
}

static void test_contradiction(void **state)
{
	struct dns_reply reply = {0};
	struct ipaddr a4, a6;

	assert_int_equal(ipaddr_parse(STR("192.0.2.1"), &a4), 0);
	assert_int_equal(ipaddr_parse(STR("2001:db8::1"), &a6), 0);
	strcpy(reply.text, "good 192.0.2.1");
	assert_false(dns_reply_contradicts(&reply, &a4));
	assert_false(dns_reply_contradicts(&reply, &a6)); /* of its family nothing is said */
	strcpy(reply.text, "good 192.0.2.9");
	assert_true(dns_reply_contradicts(&reply, &a4));
	strcpy(reply.text, "good 192.0.2.9,192.0.2.1");
	assert_false(dns_reply_contradicts(&reply, &a4));
	strcpy(reply.text, "good 192.0.2.1,2001:db8:0::1/64");
	assert_false(dns_reply_contradicts(&reply, &a6));
	strcpy(reply.text, "good 2001:db8::2");
	assert_true(dns_reply_contradicts(&reply, &a6));
	strcpy(reply.text, "good");
	assert_false(dns_reply_contradicts(&reply, &a4));
}

static void test_what_must_be_named(void **state)
{
	struct dns_reply reply = {.text = "home.goip.de (192.0.2.1) (2001:DB8::1)"};
	struct ipaddr a;

	assert_int_equal(ipaddr_parse(STR("192.0.2.1"), &a), 0);
	assert_true(dns_reply_names(&reply, &a));
	assert_false(dns_reply_contradicts(&reply, &a));
	assert_int_equal(ipaddr_parse(STR("2001:db8::1"), &a), 0);
	assert_true(dns_reply_names(&reply, &a));
	assert_int_equal(ipaddr_parse(STR("192.0.2.11"), &a), 0);
	assert_false(dns_reply_names(&reply, &a));
	assert_true(dns_reply_contradicts(&reply, &a));
	strcpy(reply.text, "done");
	assert_false(dns_reply_names(&reply, &a));
	assert_false(dns_reply_contradicts(&reply, &a));
}

static void test_patterns(void **state)
{
	static const struct {
		const char *line, *pattern;
		bool match;
	} cases[] = {
		{"good", "good ...", true},
		{"good x y", "good ...", true},
		{"goo", "good ...", false},
		{"good", "good", true},
		{"good x", "good", false},
		{"code = 200", "code = 200", true},
		{"CODE  =\t200\r", "code = 200", true},
		{"a b c", "a * c", true},
		{"a c", "a * c", false},
		{"a", "* *", false},
		{"a", "...", true},
		{"a", "", false},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct dns_word word = {cases[i].pattern, DNS_GOOD};
		const struct dns_grammar grammar = {.words = &word, .n_words = 1};
		enum dns_verdict verdict = read_one(&grammar, 200, str_of(cases[i].line)).verdict;

		if (verdict != (cases[i].match ? DNS_GOOD : DNS_UNKNOWN))
			fail_msg("\"%s\" and \"%s\"", cases[i].line, cases[i].pattern);
	}
}

static void test_json_paths(void **state)
{
	static const struct {
		const char *path, *value; /* NULL: nothing there */
		bool several;
	} cases[] = {
		{"a.b", "7", false},
		{"l.0.id", "1", false},
		{"l.1.id", "2", false},
		{"l.2.id", NULL, false},
		{"l.*.id", "1", true},
		{"one.*", "x", false},
		{"none.*", NULL, false},
		{"l[name=www].id", "1", true},
		{"l[name=WWW,type=AAAA].id", "2", false},
		{"l[name=ftp].id", NULL, false},
		{"l[name=a.b].id", "3", false},
		{"t", "true", false},
		{"a", NULL, false},
		{"a.b.c", NULL, false},
		{"a..b", NULL, false},
	};
	json_t *root = json_loads(
		"{\"a\":{\"b\":7},\"t\":true,\"one\":[\"x\"],\"none\":[],"
		"\"l\":[{\"id\":1,\"name\":\"www\",\"type\":\"A\"},{\"id\":2,\"name\":\"www\","
		"\"type\":\"AAAA\"}],\"m\":0}",
		0, NULL);
	json_t *third = json_pack("{s:i s:s}", "id", 3, "name", "a.b");

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		bool several, text;
		char value[64] = "";

		if (i == 10)
			json_array_append_new(json_object_get(root, "l"), json_incref(third));
		text = dns_json_text(dns_json_at(root, str_of(cases[i].path), &several), value,
				     sizeof(value));
		if (text != (cases[i].value != NULL) || several != cases[i].several ||
		    (text && strcmp(value, cases[i].value) != 0))
			fail_msg("%s: \"%s\", several %d", cases[i].path, value, several);
	}
	json_decref(third);
	json_decref(root);
}

static void test_verdicts_have_words(void **state)
{
	for (int v = 0; v < DNS_VERDICTS_COUNT; v++) {
		enum dns_verdict back;

		assert_true(
			dns_verdict_parse(str_of(dns_verdict_word((enum dns_verdict)v)), &back));
		assert_int_equal(back, v);
		assert_true(strlen(dns_verdict_text((enum dns_verdict)v)) > 5);
	}
	assert_false(dns_verdict_parse(STR("excellent"), &(enum dns_verdict){0}));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_recorded_replies),
		cmocka_unit_test(test_every_grammar_has_a_success_and_a_failure),
		cmocka_unit_test(test_text_is_the_provider_s_own),
		cmocka_unit_test(test_a_huge_body_is_read_to_its_limit),
		cmocka_unit_test(test_bytes_of_all_kinds),
		cmocka_unit_test(test_contradiction),
		cmocka_unit_test(test_what_must_be_named),
		cmocka_unit_test(test_patterns),
		cmocka_unit_test(test_json_paths),
		cmocka_unit_test(test_verdicts_have_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
