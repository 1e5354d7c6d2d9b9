/* The providers with several requests, each against a script: what it is sent, byte for byte, and
 * what it answers. */
#include "test.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "dns/plan.h"

#define LINES_MAX 6

struct exchange {
	const char *request; /* method, URL, "\n" and body if there is one */
	int status;
	const char *answer;
};

struct script {
	const char *provider;
	const char *name; /* of the case */
	struct exchange exchanges[LINES_MAX];
	enum dns_verdict verdict;
	enum dns_what what;
	const char *host; /* NULL: home.example.org */
};

#define CF "https://api.cloudflare.com/client/v4/zones"
#define CF_ZONE                                                                                    \
	{                                                                                          \
		"GET " CF "?name=example.org", 200,                                                \
			"{\"success\":true,\"result\":[{\"id\":\"z1\",\"name\":\"example.org\"}]}" \
	}
#define CF_FIND "GET " CF "/z1/dns_records?type=A&name=home.example.org"
#define CF_OK	"{\"success\":true,\"errors\":[],\"result\":{}}"

#define DO	"https://api.digitalocean.com/v2/domains/example.org/records"
#define HZ	"https://api.hetzner.cloud/v1/zones/example.org/rrsets"
#define GANDI	"https://api.gandi.net/v5/livedns/domains/example.org/records/home/A"
#define PB	"https://api.porkbun.com/api/json/v3/dns"
#define PB_KEYS "\"apikey\":\"me\",\"secretapikey\":\"s3\\\"cret\""
#define LI	"https://api.linode.com/v4/domains"
#define VU	"https://api.vultr.com/v2/domains/example.org/records"
#define GD	"https://api.godaddy.com/v1/domains/example.org/records/A/home"
#define FL                                                                                         \
	"GET "                                                                                     \
	"https://freedns.afraid.org/api/"                                                          \
	"?action=getdyndns&v=2&sha=908b71b73736e20a3a21b7d22c013187f3994c1a"
#define OVH "https://eu.api.ovh.com/1.0"

#define DNSPOD	   "POST https://dnsapi.cn/Record."
#define DNSPOD_WHO "login_token=me%2Cs3%22cret&format=json&domain=example.org"
#define DNSPOD_SET "sub_domain=home&record_type=A&record_line_id=0&value=192.0.2.1&ttl=600"
#define RESERVED   "https://api.digitalocean.com/v2/reserved_ips/192.0.2.1"
#define RESERVED6  "https://api.digitalocean.com/v2/reserved_ipv6/2001:db8::1"
#define RESERVED_LOOK(droplet, locked)                                                             \
	{                                                                                          \
		"GET " RESERVED, 200,                                                              \
			"{\"reserved_ip\":{\"ip\":\"192.0.2.1\",\"droplet\":" droplet              \
			",\"locked\":" locked "}}"                                                 \
	}
#define ASSIGN "\n{\"type\":\"assign\",\"droplet_id\":3164444}"
#define IONOS  "https://api.hosting.ionos.com/dns/v1/zones"
#define IONOS_ZONE                                                                                 \
	{                                                                                          \
		"GET " IONOS, 200,                                                                 \
			"[{\"id\":\"z0\",\"name\":\"example.net\"},"                               \
			"{\"id\":\"z1\",\"name\":\"example.org\",\"type\":\"NATIVE\"}]"            \
	}
#define IONOS_FIND "GET " IONOS "/z1?recordName=home.example.org&recordType=A"
#define MYTHIC	   "https://api.mythic-beasts.com/dns/v2/zones/example.org/records/home/A"
#define NS1	   "https://api.nsone.net/v1/zones/example.org/home.example.org/A"
#define NETCUP	   "POST https://ccp.netcup.net/run/webservice/servers/endpoint.php?JSON\n"
#define NETCUP_WHO "\"customernumber\":\"me\",\"apikey\":\"k3y\""
#define NETCUP_LOGIN                                                                               \
	NETCUP "{\"action\":\"login\",\"param\":{" NETCUP_WHO ",\"apipassword\":\"s3\\\"cret\"}}"
#define NETCUP_IN                                                                                  \
	{                                                                                          \
		NETCUP_LOGIN, 200,                                                                 \
			"{\"action\":\"login\",\"status\":\"success\",\"statuscode\":2000,"        \
			"\"responsedata\":{\"apisessionid\":\"S1\"}}"                              \
	}
#define NETCUP_ZONE "\"domainname\":\"example.org\"," NETCUP_WHO ",\"apisessionid\":\"S1\""
#define NETCUP_INFO NETCUP "{\"action\":\"infoDnsRecords\",\"param\":{" NETCUP_ZONE "}}"
#define NETCUP_SET                                                                                 \
	NETCUP "{\"action\":\"updateDnsRecords\",\"param\":{" NETCUP_ZONE                          \
	       ",\"dnsrecordset\":{\"dnsrecords\":[{"

static const struct script scripts[] = {
	{"cloudflare",
	 "another address",
	 {CF_ZONE,
	  {CF_FIND, 200,
	   "{\"success\":true,\"result\":[{\"id\":\"r1\",\"content\":\"192.0.2.9\",\"proxied\":"
	   "true}]}"},
	  {"PATCH " CF "/z1/dns_records/r1\n{\"content\":\"192.0.2.1\"}", 200, CF_OK}},
	 DNS_GOOD},
	{"cloudflare",
	 "right already",
	 {CF_ZONE,
	  {CF_FIND, 200,
	   "{\"success\":true,\"result\":[{\"id\":\"r1\",\"content\":\"192.0.2.1\"}]}"}},
	 DNS_NOCHG},
	{"cloudflare",
	 "no record yet",
	 {CF_ZONE,
	  {CF_FIND, 200, "{\"success\":true,\"result\":[]}"},
	  {"POST " CF "/z1/dns_records\n{\"type\":\"A\",\"name\":\"home.example.org\",\"content\":"
	   "\"192.0.2.1\",\"ttl\":60,\"proxied\":false}",
	   200, CF_OK}},
	 DNS_GOOD},
	{"cloudflare",
	 "IPv6 in another spelling",
	 {CF_ZONE,
	  {"GET " CF "/z1/dns_records?type=AAAA&name=home.example.org", 200,
	   "{\"success\":true,\"result\":[{\"id\":\"r2\",\"content\":\"2001:DB8:0:0::1\"}]}"}},
	 DNS_NOCHG,
	 DNS_AAAA},
	{"cloudflare",
	 "several records",
	 {CF_ZONE,
	  {CF_FIND, 200,
	   "{\"success\":true,\"result\":[{\"id\":\"r1\",\"content\":\"192.0.2.9\"},"
	   "{\"id\":\"r2\",\"content\":\"192.0.2.8\"}]}"}},
	 DNS_SEVERAL},
	{"cloudflare",
	 "not our zone",
	 {{"GET " CF "?name=example.org", 200, "{\"success\":true,\"result\":[]}"}},
	 DNS_NOHOST},
	{"cloudflare",
	 "wrong token",
	 {{"GET " CF "?name=example.org", 403,
	   "{\"success\":false,\"errors\":[{\"code\":9109,\"message\":\"Invalid access "
	   "token\"}]}"}},
	 DNS_BADAUTH},
	{"cloudflare", "limited half-way", {CF_ZONE, {CF_FIND, 429, ""}}, DNS_RATE},
	{"cloudflare",
	 "an id that is none",
	 {{"GET " CF "?name=example.org", 200,
	   "{\"success\":true,\"result\":[{\"id\":\"../../user/tokens?x=\"}]}"},
	  {"GET " CF "/..%2F..%2Fuser%2Ftokens%3Fx%3D/dns_records?type=A&name=home.example.org",
	   404, "{\"success\":false,\"errors\":[{\"code\":7003,\"message\":\"no\"}]}"},
	  {"POST " CF "/..%2F..%2Fuser%2Ftokens%3Fx%3D/dns_records\n{\"type\":\"A\",\"name\":"
	   "\"home.example.org\",\"content\":\"192.0.2.1\",\"ttl\":60,\"proxied\":false}",
	   404, "{\"success\":false,\"errors\":[{\"code\":7003,\"message\":\"no\"}]}"}},
	 DNS_NOHOST},

	{"ionos-api",
	 "another address",
	 {IONOS_ZONE,
	  {IONOS_FIND, 200,
	   "{\"records\":[{\"id\":\"r1\",\"name\":\"home.example.org\",\"type\":\"A\",\"content\":"
	   "\"192.0.2.9\",\"ttl\":60}]}"},
	  {"PUT " IONOS "/z1/records/r1\n{\"content\":\"192.0.2.1\",\"ttl\":60,\"prio\":0,"
	   "\"disabled\":false}",
	   200, "{}"}},
	 DNS_GOOD},
	{"ionos-api",
	 "no record yet",
	 {IONOS_ZONE,
	  {IONOS_FIND, 200, "{\"records\":[]}"},
	  {"POST " IONOS "/z1/records\n[{\"name\":\"home.example.org\",\"type\":\"A\",\"content\":"
	   "\"192.0.2.1\",\"ttl\":60,\"prio\":0,\"disabled\":false}]",
	   201, "[]"}},
	 DNS_GOOD},
	{"ionos-api",
	 "right already",
	 {IONOS_ZONE,
	  {IONOS_FIND, 200,
	   "{\"records\":[{\"id\":\"r1\",\"name\":\"home.example.org\",\"type\":\"A\",\"content\":"
	   "\"192.0.2.1\"}]}"}},
	 DNS_NOCHG},
	{"ionos-api",
	 "not our zone",
	 {{"GET " IONOS, 200, "[{\"id\":\"z0\",\"name\":\"example.net\"}]"}},
	 DNS_NOHOST},
	{"ionos-api",
	 "wrong key",
	 {{"GET " IONOS, 401, "[{\"code\":\"UNAUTHORIZED\",\"message\":\"no\"}]"}},
	 DNS_BADAUTH},

	{"mythic-beasts",
	 "another address",
	 {{"GET " MYTHIC, 200,
	   "{\"records\":[{\"data\":\"192.0.2.9\",\"host\":\"home\",\"ttl\":300,\"type\":\"A\"}]}"},
	  {"PUT " MYTHIC "\n{\"records\":[{\"host\":\"home\",\"ttl\":60,\"type\":\"A\",\"data\":"
	   "\"192.0.2.1\"}]}",
	   200, "{\"records_added\":1,\"records_removed\":1,\"message\":\"1 records added\"}"}},
	 DNS_GOOD},
	{"mythic-beasts",
	 "no record yet",
	 {{"GET " MYTHIC, 200, "{\"records\":[]}"},
	  {"PUT " MYTHIC "\n{\"records\":[{\"host\":\"home\",\"ttl\":60,\"type\":\"A\",\"data\":"
	   "\"192.0.2.1\"}]}",
	   200, "{}"}},
	 DNS_GOOD},
	{"mythic-beasts",
	 "several records",
	 {{"GET " MYTHIC, 200,
	   "{\"records\":[{\"host\":\"home\",\"data\":\"192.0.2.9\"},{\"host\":\"home\",\"data\":"
	   "\"192.0.2.8\"}]}"}},
	 DNS_SEVERAL},

	{"ns1",
	 "another address",
	 {{"GET " NS1, 200,
	   "{\"id\":\"520519509f782d58bb4df419\",\"ttl\":60,\"answers\":[{\"answer\":[\"192.0.2."
	   "9\"],"
	   "\"id\":\"a1\"}]}"},
	  {"POST " NS1 "\n{\"answers\":[{\"answer\":[\"192.0.2.1\"]}]}", 200, "{}"}},
	 DNS_GOOD},
	{"ns1",
	 "no record yet",
	 {{"GET " NS1, 404, "{\"message\":\"record not found\"}"},
	  {"PUT " NS1 "\n{\"zone\":\"example.org\",\"domain\":\"home.example.org\",\"type\":\"A\","
	   "\"ttl\":60,\"answers\":[{\"answer\":[\"192.0.2.1\"]}]}",
	   200, "{}"}},
	 DNS_GOOD},
	{"ns1",
	 "right already",
	 {{"GET " NS1, 200, "{\"id\":\"1\",\"answers\":[{\"answer\":[\"192.0.2.1\"]}]}"}},
	 DNS_NOCHG},

	{"netcup",
	 "another address",
	 {NETCUP_IN,
	  {NETCUP_INFO, 200,
	   "{\"status\":\"success\",\"responsedata\":{\"dnsrecords\":[{\"id\":\"1\",\"hostname\":"
	   "\"home\",\"type\":\"AAAA\",\"destination\":\"2001:db8::9\"},{\"id\":\"2\",\"hostname\":"
	   "\"home\",\"type\":\"A\",\"destination\":\"192.0.2.9\",\"state\":\"yes\"}]}}"},
	  {NETCUP_SET "\"id\":\"2\",\"hostname\":\"home\",\"type\":\"A\",\"destination\":"
		      "\"192.0.2.1\"}]}}}",
	   200, "{\"status\":\"success\"}"}},
	 DNS_GOOD},
	{"netcup",
	 "no record yet, the zone itself",
	 {NETCUP_IN,
	  {NETCUP_INFO, 200, "{\"status\":\"success\",\"responsedata\":{\"dnsrecords\":[]}}"},
	  {NETCUP_SET "\"hostname\":\"@\",\"type\":\"A\",\"destination\":\"192.0.2.1\"}]}}}", 200,
	   "{\"status\":\"success\"}"}},
	 DNS_GOOD,
	 DNS_A,
	 "example.org"},
	{"netcup",
	 "wrong key",
	 {{NETCUP_LOGIN, 200,
	   "{\"action\":\"login\",\"status\":\"error\",\"statuscode\":4013,\"shortmessage\":"
	   "\"Validation Error.\",\"longmessage\":\"Message is empty.\",\"responsedata\":\"\"}"}},
	 DNS_BADAUTH},

	{"dnspod",
	 "another address",
	 {{DNSPOD "List\n" DNSPOD_WHO "&sub_domain=home&record_type=A", 200,
	   "{\"status\":{\"code\":\"1\",\"message\":\"Action completed "
	   "successful\"},\"records\":[{\"id\":"
	   "\"306419640\",\"ttl\":\"600\",\"value\":\"192.0.2.9\",\"name\":\"home\",\"line_id\":"
	   "\"0\","
	   "\"type\":\"A\"}]}"},
	  {DNSPOD "Modify\n" DNSPOD_WHO "&record_id=306419640&" DNSPOD_SET, 200,
	   "{\"status\":{\"code\":\"1\"},\"record\":{\"id\":306419640,\"name\":\"home\",\"value\":"
	   "\"192.0.2.1\"}}"}},
	 DNS_GOOD},
	{"dnspod",
	 "no record yet",
	 {{DNSPOD "List\n" DNSPOD_WHO "&sub_domain=home&record_type=A", 200,
	   "{\"status\":{\"code\":\"10\",\"message\":\"No records\"}}"},
	  {DNSPOD "Create\n" DNSPOD_WHO "&" DNSPOD_SET, 200,
	   "{\"status\":{\"code\":\"1\"},\"record\":{\"id\":\"1\"}}"}},
	 DNS_GOOD},
	{"dnspod",
	 "right already",
	 {{DNSPOD "List\n" DNSPOD_WHO "&sub_domain=home&record_type=A", 200,
	   "{\"status\":{\"code\":\"1\"},\"records\":[{\"id\":\"3\",\"value\":\"192.0.2.1\","
	   "\"name\":"
	   "\"home\",\"line_id\":\"0\",\"type\":\"A\"}]}"}},
	 DNS_NOCHG},
	{"dnspod",
	 "wrong token",
	 {{DNSPOD "List\n" DNSPOD_WHO "&sub_domain=home&record_type=A", 200,
	   "{\"status\":{\"code\":\"-1\",\"message\":\"Login fail\"}}"}},
	 DNS_BADAUTH},

	{"digitalocean-reserved-ip",
	 "another droplet's",
	 {RESERVED_LOOK("{\"id\":3164445,\"name\":\"old\"}", "false"),
	  {"POST " RESERVED "/actions" ASSIGN, 201,
	   "{\"action\":{\"id\":72531856,\"status\":\"in-progress\",\"type\":\"assign_ip\"}}"}},
	 DNS_PENDING,
	 .host = "192.0.2.1"},
	{"digitalocean-reserved-ip",
	 "nobody's, and done at once",
	 {RESERVED_LOOK("null", "false"),
	  {"POST " RESERVED "/actions" ASSIGN, 201, "{\"action\":{\"status\":\"completed\"}}"}},
	 DNS_GOOD,
	 .host = "192.0.2.1"},
	{"digitalocean-reserved-ip",
	 "ours",
	 {RESERVED_LOOK("{\"id\":3164444}", "false")},
	 DNS_NOCHG,
	 .host = "192.0.2.1"},
	{"digitalocean-reserved-ip",
	 "something is under way with it",
	 {RESERVED_LOOK("{\"id\":3164445}", "true")},
	 DNS_PENDING,
	 .host = "192.0.2.1"},
	{"digitalocean-reserved-ip",
	 "something is under way with the droplet",
	 {RESERVED_LOOK("null", "false"),
	  {"POST " RESERVED "/actions" ASSIGN, 422,
	   "{\"id\":\"unprocessable_entity\",\"message\":\"Droplet already has a pending "
	   "event.\"}"}},
	 DNS_PENDING,
	 .host = "192.0.2.1"},
	{"digitalocean-reserved-ip",
	 "it failed",
	 {RESERVED_LOOK("null", "false"),
	  {"POST " RESERVED "/actions" ASSIGN, 201, "{\"action\":{\"status\":\"errored\"}}"}},
	 DNS_SERVER,
	 .host = "192.0.2.1"},
	{"digitalocean-reserved-ip",
	 "not in this account",
	 {{"GET " RESERVED, 404,
	   "{\"id\":\"not_found\",\"message\":\"The resource you were accessing could not be "
	   "found.\"}"}},
	 DNS_NOHOST,
	 .host = "192.0.2.1"},
	{"digitalocean-reserved-ip",
	 "wrong token",
	 {{"GET " RESERVED, 401,
	   "{\"id\":\"unauthorized\",\"message\":\"Unable to authenticate you\"}"}},
	 DNS_BADAUTH,
	 .host = "192.0.2.1"},
	{"digitalocean-reserved-ipv6",
	 "nobody's",
	 {{"GET " RESERVED6, 200,
	   "{\"ip\":\"2001:db8::1\",\"region_slug\":\"nyc3\",\"reserved_at\":\"2024-11-20T11:08:"
	   "30Z\"}"},
	  {"POST " RESERVED6 "/actions" ASSIGN, 201, "{\"action\":{\"status\":\"in-progress\"}}"}},
	 DNS_PENDING,
	 DNS_AAAA,
	 "2001:db8::1"},
	{"digitalocean-reserved-ipv6",
	 "ours",
	 {{"GET " RESERVED6, 200, "{\"ip\":\"2001:db8::1\",\"droplet\":{\"id\":3164444}}"}},
	 DNS_NOCHG,
	 DNS_AAAA,
	 "2001:db8::1"},
	{"digitalocean-reserved-ipv6",
	 "ours, as its library has it",
	 {{"GET " RESERVED6, 200,
	   "{\"reserved_ipv6\":{\"ip\":\"2001:db8::1\",\"droplet\":{\"id\":3164444}}}"}},
	 DNS_NOCHG,
	 DNS_AAAA,
	 "2001:db8::1"},

	/* success names the address, or is none */
	{"goip",
	 "the address",
	 {{"GET https://www.goip.de/setip?username=me&password=s3%22cret&subdomain=home.example.org"
	   "&shortResponse=true&ip=192.0.2.1",
	   200, "home.example.org (192.0.2.1)"}},
	 DNS_GOOD},
	{"goip",
	 "another address",
	 {{"GET https://www.goip.de/setip?username=me&password=s3%22cret&subdomain=home.example.org"
	   "&shortResponse=true&ip=192.0.2.1",
	   200, "home.example.org (192.0.2.2)"}},
	 DNS_UNKNOWN},
	{"goip",
	 "no address",
	 {{"GET https://www.goip.de/setip?username=me&password=s3%22cret&subdomain=home.example.org"
	   "&shortResponse=true&ip=192.0.2.1",
	   200, "Guten Tag"}},
	 DNS_UNKNOWN},

	{"digitalocean",
	 "another address",
	 {{"GET " DO "?type=A&name=home.example.org", 200,
	   "{\"domain_records\":[{\"id\":42,\"type\":\"A\",\"name\":\"home\",\"data\":\"192.0.2."
	   "9\"}]}"},
	  {"PATCH " DO "/42\n{\"type\":\"A\",\"data\":\"192.0.2.1\"}", 200,
	   "{\"domain_record\":{}}"}},
	 DNS_GOOD},
	{"digitalocean",
	 "no record yet, the zone itself",
	 {{"GET " DO "?type=A&name=example.org", 200, "{\"domain_records\":[]}"},
	  {"POST " DO "\n{\"type\":\"A\",\"name\":\"@\",\"data\":\"192.0.2.1\",\"ttl\":60}", 201,
	   "{}"}},
	 DNS_GOOD,
	 DNS_A,
	 "example.org"},
	{"digitalocean",
	 "right already",
	 {{"GET " DO "?type=A&name=home.example.org", 200,
	   "{\"domain_records\":[{\"id\":42,\"data\":\"192.0.2.1\"}]}"}},
	 DNS_NOCHG},
	{"digitalocean",
	 "not our zone",
	 {{"GET " DO "?type=A&name=home.example.org", 404, "{\"id\":\"not_found\"}"}},
	 DNS_NOHOST},

	{"hetzner",
	 "another address",
	 {{"GET " HZ "/home/A", 200,
	   "{\"rrset\":{\"id\":\"home/A\",\"records\":[{\"value\":\"192.0.2.9\"}]}}"},
	  {"POST " HZ "/home/A/actions/set_records\n{\"records\":[{\"value\":\"192.0.2.1\"}]}", 201,
	   "{\"action\":{\"status\":\"running\"}}"}},
	 DNS_GOOD},
	{"hetzner",
	 "no record yet",
	 {{"GET " HZ "/home/A", 404, "{\"error\":{\"code\":\"not_found\",\"message\":\"no\"}}"},
	  {"POST " HZ "\n{\"name\":\"home\",\"type\":\"A\",\"ttl\":60,\"records\":[{\"value\":"
	   "\"192.0.2.1\"}]}",
	   201, "{}"}},
	 DNS_GOOD},
	{"hetzner",
	 "wrong token",
	 {{"GET " HZ "/home/A", 401, "{\"error\":{\"code\":\"unauthorized\"}}"}},
	 DNS_BADAUTH},

	{"gandi",
	 "another address",
	 {{"GET " GANDI, 200, "{\"rrset_name\":\"home\",\"rrset_values\":[\"192.0.2.9\"]}"},
	  {"PUT " GANDI "\n{\"rrset_values\":[\"192.0.2.1\"],\"rrset_ttl\":300}", 201, "{}"}},
	 DNS_GOOD},
	{"gandi",
	 "no record yet",
	 {{"GET " GANDI, 404, "{\"code\":404}"},
	  {"PUT " GANDI "\n{\"rrset_values\":[\"192.0.2.1\"],\"rrset_ttl\":300}", 201, "{}"}},
	 DNS_GOOD},
	{"gandi",
	 "right already",
	 {{"GET " GANDI, 200, "{\"rrset_name\":\"home\",\"rrset_values\":[\"192.0.2.1\"]}"}},
	 DNS_NOCHG},
	{"gandi", "refused", {{"GET " GANDI, 403, "{\"message\":\"Access denied\"}"}}, DNS_BADAUTH},

	{"porkbun",
	 "another address",
	 {{"POST " PB "/retrieveByNameType/example.org/A/home\n{" PB_KEYS "}", 200,
	   "{\"status\":\"SUCCESS\",\"records\":[{\"id\":\"7\",\"content\":\"192.0.2.9\"}]}"},
	  {"POST " PB "/editByNameType/example.org/A/home\n{" PB_KEYS
	   ",\"content\":\"192.0.2.1\",\"ttl\":\"600\"}",
	   200, "{\"status\":\"SUCCESS\"}"}},
	 DNS_GOOD},
	{"porkbun",
	 "no record yet, the zone itself",
	 {{"POST " PB "/retrieveByNameType/example.org/A/\n{" PB_KEYS "}", 200,
	   "{\"status\":\"SUCCESS\",\"records\":[]}"},
	  {"POST " PB "/create/example.org\n{" PB_KEYS
	   ",\"name\":\"\",\"type\":\"A\",\"content\":\"192.0.2.1\",\"ttl\":\"600\"}",
	   200, "{\"status\":\"SUCCESS\",\"id\":1}"}},
	 DNS_GOOD,
	 DNS_A,
	 "example.org"},
	{"porkbun",
	 "API ACCESS is off",
	 {{"POST " PB "/retrieveByNameType/example.org/A/home\n{" PB_KEYS "}", 400,
	   "{\"status\":\"ERROR\",\"message\":\"Domain is not opted in to API access.\"}"}},
	 DNS_REFUSED},

	{"linode",
	 "another address",
	 {{"GET " LI, 200, "{\"data\":[{\"id\":5,\"domain\":\"example.org\"}]}"},
	  {"GET " LI "/5/records?page_size=500", 200,
	   "{\"data\":[{\"id\":8,\"type\":\"A\",\"name\":\"www\",\"target\":\"192.0.2.1\"},"
	   "{\"id\":9,\"type\":\"A\",\"name\":\"home\",\"target\":\"192.0.2.9\"}]}"},
	  {"PUT " LI "/5/records/9\n{\"target\":\"192.0.2.1\"}", 200, "{}"}},
	 DNS_GOOD},
	{"linode",
	 "no record yet",
	 {{"GET " LI, 200, "{\"data\":[{\"id\":5,\"domain\":\"example.org\"}]}"},
	  {"GET " LI "/5/records?page_size=500", 200,
	   "{\"data\":[{\"id\":8,\"type\":\"AAAA\",\"name\":\"home\",\"target\":\"2001:db8::1\"}]"
	   "}"},
	  {"POST " LI
	   "/5/records\n{\"type\":\"A\",\"name\":\"home\",\"target\":\"192.0.2.1\",\"ttl_sec\":"
	   "300}",
	   200, "{}"}},
	 DNS_GOOD},

	{"vultr",
	 "another address",
	 {{"GET " VU "?per_page=500", 200,
	   "{\"records\":[{\"id\":\"u-1\",\"type\":\"A\",\"name\":\"home\",\"data\":\"192.0.2.9\"}]"
	   "}"},
	  {"PATCH " VU "/u-1\n{\"data\":\"192.0.2.1\"}", 204, ""}},
	 DNS_GOOD},
	{"vultr",
	 "no record yet",
	 {{"GET " VU "?per_page=500", 200, "{\"records\":[]}"},
	  {"POST " VU "\n{\"name\":\"home\",\"type\":\"A\",\"data\":\"192.0.2.1\",\"ttl\":60}", 201,
	   "{}"}},
	 DNS_GOOD},

	{"godaddy",
	 "another address",
	 {{"GET " GD, 200,
	   "[{\"data\":\"192.0.2.9\",\"name\":\"home\",\"ttl\":600,\"type\":\"A\"}]"},
	  {"PUT " GD "\n[{\"data\":\"192.0.2.1\",\"ttl\":600}]", 200, ""}},
	 DNS_GOOD},
	{"godaddy",
	 "too small an account",
	 {{"GET " GD, 403,
	   "{\"code\":\"ACCESS_DENIED\",\"message\":\"Authenticated user is not "
	   "allowed access\"}"}},
	 DNS_BADAUTH},

	{"ovh-api",
	 "another address",
	 {{"GET " OVH "/auth/time", 200, "1700000000"},
	  {"GET " OVH "/domain/zone/example.org/record?fieldType=A&subDomain=home", 200, "[77]"},
	  {"GET " OVH "/domain/zone/example.org/record/77", 200,
	   "{\"id\":77,\"target\":\"192.0.2.9\",\"ttl\":60}"},
	  {"PUT " OVH "/domain/zone/example.org/record/77\n{\"target\":\"192.0.2.1\"}", 200,
	   "null"},
	  {"POST " OVH "/domain/zone/example.org/refresh\n", 200, "null"}},
	 DNS_GOOD},
	{"ovh-api",
	 "no record yet",
	 {{"GET " OVH "/auth/time", 200, "1700000000"},
	  {"GET " OVH "/domain/zone/example.org/record?fieldType=A&subDomain=home", 200, "[]"},
	  {"POST " OVH
	   "/domain/zone/example.org/record\n{\"fieldType\":\"A\",\"subDomain\":\"home\","
	   "\"target\":\"192.0.2.1\",\"ttl\":60}",
	   200, "{\"id\":78}"},
	  {"POST " OVH "/domain/zone/example.org/refresh\n", 200, "null"}},
	 DNS_GOOD},

	{"dnsexit",
	 "an update",
	 {{"POST "
	   "https://api.dnsexit.com/dns/\n{\"apikey\":\"s3\\\"cret\",\"domain\":\"example.org\","
	   "\"update\":{\"type\":\"A\",\"name\":\"home.example.org\",\"content\":\"192.0.2.1\","
	   "\"overwrite\":true}}",
	   200, "{\"code\":0,\"message\":\"Success\"}"}},
	 DNS_GOOD},
	{"route53",
	 "an update",
	 {{"POST https://route53.amazonaws.com/2013-04-01/hostedzone/k3y/rrset\n"
	   "<ChangeResourceRecordSetsRequest "
	   "xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\">"
	   "<ChangeBatch><Changes><Change><Action>UPSERT</Action><ResourceRecordSet>"
	   "<Name>home.example.org.</Name><Type>A</Type><TTL>60</"
	   "TTL><ResourceRecords><ResourceRecord>"
	   "<Value>192.0.2.1</Value></ResourceRecord></ResourceRecords></ResourceRecordSet></"
	   "Change>"
	   "</Changes></ChangeBatch></ChangeResourceRecordSetsRequest>",
	   200, "<ChangeInfo><Status>PENDING</Status></ChangeInfo>"}},
	 DNS_GOOD},

	/* the list's hash is SHA-1 of me|s3"cret, worked out apart */
	{"freedns-list",
	 "another address",
	 {{FL, 200,
	   "other.mooo.com|192.0.2.1|https://freedns.afraid.org/dynamic/update.php?aaa\n"
	   "home.example.org|2001:db8::9|https://freedns.afraid.org/dynamic/update.php?bbb\n"
	   "HOME.example.org|192.0.2.9|https://freedns.afraid.org/dynamic/update.php?ccc\r\n"},
	  {"GET https://freedns.afraid.org/dynamic/update.php?ccc&address=192.0.2.1", 200,
	   "Updated 1 host(s) home.example.org to 192.0.2.1 in 0.17 seconds"}},
	 DNS_GOOD},
	{"freedns-list",
	 "IPv6 has its own",
	 {{FL, 200,
	   "home.example.org|192.0.2.9|https://freedns.afraid.org/dynamic/update.php?ccc\n"
	   "home.example.org|2001:db8::9|https://freedns.afraid.org/dynamic/update.php?bbb\n"},
	  {"GET https://freedns.afraid.org/dynamic/update.php?bbb&address=2001:db8::1", 200,
	   "Updated 1 host(s)"}},
	 DNS_GOOD,
	 DNS_AAAA},
	{"freedns-list",
	 "right already",
	 {{FL, 200,
	   "home.example.org|192.0.2.1|https://freedns.afraid.org/dynamic/update.php?ccc"}},
	 DNS_NOCHG},
	{"freedns-list",
	 "not in the list",
	 {{FL, 200, "other.mooo.com|192.0.2.1|https://freedns.afraid.org/dynamic/update.php?aaa"}},
	 DNS_NOHOST},
	{"freedns-list",
	 "wrong password",
	 {{FL, 200, "ERROR: Could not authenticate."}},
	 DNS_BADAUTH},

	/* one request: the same machinery */
	{"dyn",
	 "an update",
	 {{"GET https://members.dyndns.org/v3/update?hostname=home.example.org&myip=192.0.2.1", 200,
	   "good 192.0.2.1"}},
	 DNS_GOOD},
	{"dyn",
	 "another address was published",
	 {{"GET https://members.dyndns.org/v3/update?hostname=home.example.org&myip=192.0.2.1", 200,
	   "good 192.0.2.77"}},
	 DNS_UNKNOWN},
	{"dyn",
	 "both families",
	 {{"GET "
	   "https://members.dyndns.org/v3/"
	   "update?hostname=home.example.org&myip=192.0.2.1,2001:db8::1",
	   200, "nochg 192.0.2.1,2001:db8::1"}},
	 DNS_NOCHG,
	 DNS_BOTH},
};

static bool is_claim(const char *provider)
{
	return dns_provider_find(str_of(provider))->claim;
}

static struct dns_entry entry_of(const struct script *s)
{
	return (struct dns_entry){.provider = dns_provider_find(str_of(s->provider)),
				  .host = s->host ? s->host : "home.example.org",
				  .zone = "example.org",
				  .user = "me",
				  .pass = "s3\"cret",
				  .key = is_claim(s->provider) ? "3164444" : "k3y"};
}

static void check_request(const struct script *s, const struct dns_request *q, const char *expected)
{
	char text[4096];

	snprintf(text, sizeof(text), "%s %s%s%.*s", q->method, (char *)buf_head(&q->url),
		 q->has_body ? "\n" : "", STR_ARG(buf_str(&q->body)));
	if (strcmp(text, expected) != 0)
		fail_msg("%s, %s:\n%s\nis not\n%s", s->provider, s->name, text, expected);
}

static void play(const struct script *s)
{
	struct dns_target target = {0};
	struct dns_entry entry = entry_of(s);
	struct dns_plan plan;
	struct err e = {0};
	int n = 0;

	assert_non_null(entry.provider);
	assert_int_equal(ipaddr_parse(STR("192.0.2.1"), &target.ip4), 0);
	assert_int_equal(ipaddr_parse(STR("2001:db8::1"), &target.ip6), 0);
	if (dns_plan_start(&plan, &entry, s->what, &target, &e) < 0)
		fail_msg("%s, %s: %s", s->provider, s->name, e.text);
	for (; !dns_plan_ended(&plan); n++) {
		struct dns_request q = {0};
		struct dns_answer answer;

		if (n == LINES_MAX || !s->exchanges[n].request)
			fail_msg("%s, %s: one request too many", s->provider, s->name);
		if (dns_plan_request(&plan, &q, &e) < 0)
			fail_msg("%s, %s: %s", s->provider, s->name, e.text);
		check_request(s, &q, s->exchanges[n].request);
		dns_request_done(&q);
		answer = (struct dns_answer){.status = s->exchanges[n].status,
					     .body = str_of(s->exchanges[n].answer)};
		dns_plan_answer(&plan, &answer);
	}
	if (n < LINES_MAX && s->exchanges[n].request)
		fail_msg("%s, %s: ended (%s) before %s", s->provider, s->name,
			 dns_verdict_word(plan.reply.verdict), s->exchanges[n].request);
	if (plan.reply.verdict != s->verdict)
		fail_msg("%s, %s: %s, not %s", s->provider, s->name,
			 dns_verdict_word(plan.reply.verdict), dns_verdict_word(s->verdict));
}

static void test_scripts(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(scripts); i++)
		play(&scripts[i]);
}

/* Whatever comes in whatever place: the plan ends, and only success is success. */
static void test_every_step_s_troubles(void **state)
{
	static const struct {
		int status;
		const char *body;
		enum dns_class class;
	} troubles[] = {
		{500, "", DNS_CLASS_WAIT},
		{429, "", DNS_CLASS_WAIT},
		{401, "", DNS_CLASS_PARK},
		{302, "", DNS_CLASS_WAIT},
		{200, "<html>hotel</html>", DNS_CLASS_WAIT},
	};

	for (size_t i = 0; i < ARRAY_LEN(scripts); i++)
		for (int at = 0; at < LINES_MAX && scripts[i].exchanges[at].request; at++)
			for (size_t t = 0; t < ARRAY_LEN(troubles); t++) {
				struct script s = scripts[i];

				if (dns_verdict_class(s.verdict) != DNS_CLASS_OK)
					continue;
				s.exchanges[at].status = troubles[t].status;
				s.exchanges[at].answer = troubles[t].body;
				if (at + 1 < LINES_MAX)
					s.exchanges[at + 1].request = NULL;
				s.verdict = troubles[t].status == 401	? DNS_BADAUTH
					    : troubles[t].status == 429 ? DNS_RATE
					    : troubles[t].status == 500 ? DNS_SERVER
									: DNS_PAGE;
				play(&s);
			}
}

static void test_every_row_of_steps_has_a_script(void **state)
{
	for (size_t i = 0; i < dns_providers_count; i++) {
		bool found = !dns_providers[i].steps[0].url;

		for (size_t j = 0; j < ARRAY_LEN(scripts) && !found; j++)
			found = strcmp(scripts[j].provider, dns_providers[i].name) == 0;
		if (!found)
			fail_msg("%s: no script", dns_providers[i].name);
	}
}

static void headers_of(const char *provider, unsigned step, const char *expected)
{
	struct script s = {.provider = provider};
	struct dns_entry entry = entry_of(&s);
	struct dns_target target = {0};
	struct dns_request q = {0};
	struct dns_plan plan;

	entry.pass = "s3 cret/+";
	assert_int_equal(ipaddr_parse(STR("192.0.2.1"), &target.ip4), 0);
	assert_int_equal(dns_plan_start(&plan, &entry, DNS_A, &target, NULL), 0);
	dns_vars_set(&plan.vars, "time", STR("1700000000"));
	dns_vars_set(&plan.vars, "record", STR("9"));
	plan.step = step;
	assert_int_equal(dns_plan_request(&plan, &q, NULL), 0);
	assert_int_equal(buf_append(&q.headers, "", 1), 0);
	assert_string_equal(strchr((char *)buf_head(&q.headers), '\n') + 1, expected);
	dns_request_done(&q);
}

static void test_headers(void **state)
{
	headers_of("cloudflare", 0, "Authorization: Bearer s3 cret/+\r\n");
	headers_of("digitalocean", 1,
		   "Content-Type: application/json\r\nAuthorization: Bearer s3 cret/+\r\n");
	headers_of("godaddy", 0, "Authorization: sso-key me:s3 cret/+\r\n");
	headers_of("linode", 0,
		   "Authorization: Bearer s3 cret/+\r\nX-Filter: {\"domain\":\"example.org\"}\r\n");
	headers_of("ovh-api", 0, "");
	/* SHA-1 of secret+key+GET+URL++time, worked out apart */
	headers_of("ovh-api", 1,
		   "X-Ovh-Application: me\r\nX-Ovh-Consumer: k3y\r\nX-Ovh-Timestamp: 1700000000\r\n"
		   "X-Ovh-Signature: $1$46b51505975aa4ac71e1d91fa2478ad3f4b4f498\r\n");
	headers_of("porkbun", 0, "Content-Type: application/json\r\n");
	headers_of("route53", 0, "Content-Type: text/xml\r\n");
}

/* A list that leads elsewhere is not followed. */
static void test_a_list_that_sends_us_elsewhere(void **state)
{
	static const char *const urls[] = {
		"http://freedns.afraid.org/x?y",
		"https://evil.example/x?y",
		"https://freedns.afraid.org.evil.example/x?y",
		"https://evilafraid.org/x?y",
		"https://me@freedns.afraid.org/x?y",
		"https://afraid.org:8443/x?y",
		"file:///etc/passwd",
		"https://",
	};

	for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
		struct script s = {.provider = "freedns-list"};
		struct dns_entry entry = entry_of(&s);
		struct dns_target target = {0};
		struct dns_answer answer = {.status = 200};
		struct dns_request q = {0};
		struct dns_plan plan;
		char body[200];

		assert_int_equal(ipaddr_parse(STR("192.0.2.1"), &target.ip4), 0);
		assert_int_equal(dns_plan_start(&plan, &entry, DNS_A, &target, NULL), 0);
		snprintf(body, sizeof(body), "home.example.org|192.0.2.9|%s\n", urls[i]);
		answer.body = str_of(body);
		dns_plan_answer(&plan, &answer);
		assert_false(dns_plan_ended(&plan));
		assert_int_equal(dns_plan_request(&plan, &q, NULL), -ERR_INVALID);
		assert_true(dns_plan_ended(&plan));
		assert_int_equal(dns_verdict_class(plan.reply.verdict), DNS_CLASS_PARK);
		dns_request_done(&q);
	}
}

static void test_no_answer(void **state)
{
	struct script s = {.provider = "dyn"};
	struct dns_entry entry = entry_of(&s);
	struct dns_target target = {.ip4 = {.family = 4}};
	struct dns_plan plan;

	assert_int_equal(dns_plan_start(&plan, &entry, DNS_A, &target, NULL), 0);
	dns_plan_fail(&plan, "connection refused");
	assert_true(dns_plan_ended(&plan));
	assert_int_equal(plan.reply.verdict, DNS_NETWORK);
	assert_string_equal(plan.reply.text, "connection refused");
}

static void test_records_are_taken_one_at_a_time(void **state)
{
	struct script s = {.provider = "cloudflare"};
	struct dns_entry entry = entry_of(&s);
	struct dns_target target = {0};
	struct dns_plan plan;

	assert_int_equal(dns_plan_start(&plan, &entry, DNS_BOTH, &target, NULL), -ERR_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scripts),
		cmocka_unit_test(test_every_step_s_troubles),
		cmocka_unit_test(test_every_row_of_steps_has_a_script),
		cmocka_unit_test(test_headers),
		cmocka_unit_test(test_a_list_that_sends_us_elsewhere),
		cmocka_unit_test(test_no_answer),
		cmocka_unit_test(test_records_are_taken_one_at_a_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
