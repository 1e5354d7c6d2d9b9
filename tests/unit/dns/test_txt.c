/* A TXT value beside others at each provider that can: what it is sent, byte for byte, and its answers as it
 * documents them. */
#include "test.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "dns/txt.h"

#define LINES_MAX 8

#define NAME  "_acme-challenge.home.example.org"
#define SUB   "_acme-challenge.home"
#define VALUE "gfj9Xq_-Rg85nM"
#define OTHER "0therPersons_-value"

struct exchange {
	const char *request; /* method, URL, "\n" and body if there is one */
	int status;
	const char *answer;
};

enum verb { ADD, REMOVE };

struct script {
	const char *provider;
	const char *title;
	enum verb verb;
	struct exchange exchanges[LINES_MAX];
	enum dns_verdict verdict;
	const char *name, *host, *zone, *value; /* NULL: as most have */
};

#define CF "https://api.cloudflare.com/client/v4/zones"
#define CF_ZONE                                                                                    \
	{                                                                                          \
		"GET " CF "?name=example.org", 200,                                                \
			"{\"success\":true,\"result\":[{\"id\":\"z1\",\"name\":\"example.org\"}]}" \
	}
#define CF_LIST "GET " CF "/z1/dns_records?type=TXT&name=" NAME
#define CF_BOTH                                                                                    \
	"{\"success\":true,\"errors\":[],\"result\":[{\"id\":\"r1\",\"type\":\"TXT\",\"name\":"    \
	"\"" NAME "\",\"content\":\"" OTHER "\"},{\"id\":\"r2\",\"type\":\"TXT\",\"content\":"     \
	"\"\\\"" VALUE "\\\"\"}]}"
#define CF_OTHER                                                                                   \
	"{\"success\":true,\"result\":[{\"id\":\"r1\",\"type\":\"TXT\",\"content\":\"" OTHER "\"}" \
	"]}"
#define CF_ADD                                                                                     \
	"POST " CF "/z1/dns_records\n{\"type\":\"TXT\",\"name\":\"" NAME "\",\"content\":\"" VALUE \
	"\",\"ttl\":60}"

#define DO	"https://api.digitalocean.com/v2/domains/example.org/records"
#define DO_LIST "GET " DO "?type=TXT&name=" NAME "&per_page=200"
#define HZ	"https://api.hetzner.cloud/v1/zones/example.org/rrsets/" SUB "/TXT"
#define HZ_DONE "{\"action\":{\"id\":1,\"command\":\"add_rrset_records\",\"status\":\"running\"}}"
#define GANDI	"https://api.gandi.net/v5/livedns/domains/example.org/records/" SUB "/TXT"
#define PB	"https://api.porkbun.com/api/json/v3/dns"
#define PB_KEYS "\"apikey\":\"me\",\"secretapikey\":\"s3\\\"cret\""
#define PB_LIST "POST " PB "/retrieveByNameType/example.org/TXT/" SUB "\n{" PB_KEYS "}"
#define LI	"https://api.linode.com/v4/domains"
#define LI_ZONE                                                                                    \
	{                                                                                          \
		"GET " LI, 200, "{\"data\":[{\"id\":5,\"domain\":\"example.org\"}]}"               \
	}
#define VU  "https://api.vultr.com/v2/domains/example.org/records"
#define GD  "https://api.godaddy.com/v1/domains/example.org/records/TXT/" SUB
#define OVH "https://eu.api.ovh.com/1.0"
#define OVH_TIME                                                                                   \
	{                                                                                          \
		"GET " OVH "/auth/time", 200, "1700000000"                                         \
	}
#define OVH_RECORD  OVH "/domain/zone/example.org/record"
#define OVH_LIST    "GET " OVH_RECORD "?fieldType=TXT&subDomain=" SUB
#define OVH_REFRESH "POST " OVH "/domain/zone/example.org/refresh\n"
#define DESEC	    "https://desec.io/api/v1/domains/"
#define DESEC_ZONE                                                                                 \
	{                                                                                          \
		"GET " DESEC "?owns_qname=" NAME, 200,                                             \
			"[{\"created\":\"2018-09-18T16:36:16.510368Z\",\"minimum_ttl\":3600,"      \
			"\"name\":\"example.org\"}]"                                               \
	}
#define DESEC_SET "example.org/rrsets/" SUB "/TXT/"
#define DYNV6	  "https://dynv6.com/api/v2/zones"
#define DYNV6_ZONE                                                                                 \
	{                                                                                          \
		"GET " DYNV6, 200,                                                                 \
			"[{\"name\":\"other.dynv6.net\",\"id\":8},"                                \
			"{\"name\":\"home.dynv6.net\",\"ipv4address\":\"\",\"id\":9}]"             \
	}
#define R53	 "https://route53.amazonaws.com/2013-04-01/hostedzone/k3y/rrset"
#define R53_LIST "GET " R53 "?maxitems=1&name=" NAME ".&type=TXT"
#define R53_ANSWER(sets)                                                                           \
	"<?xml version=\"1.0\"?>\n<ListResourceRecordSetsResponse "                                \
	"xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\"><ResourceRecordSets>" sets        \
	"</ResourceRecordSets><IsTruncated>true</IsTruncated><MaxItems>1</MaxItems>"               \
	"</ListResourceRecordSetsResponse>"
#define R53_SET(name, records)                                                                     \
	"<ResourceRecordSet><Name>" name ".</Name><Type>TXT</Type><TTL>300</TTL>"                  \
	"<ResourceRecords>" records "</ResourceRecords></ResourceRecordSet>"
#define R53_RECORD(value) "<ResourceRecord><Value>&quot;" value "&quot;</Value></ResourceRecord>"
#define R53_CHANGE(action, ttl, records)                                                           \
	"POST " R53 "\n<ChangeResourceRecordSetsRequest "                                          \
	"xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\"><ChangeBatch><Changes><Change>"   \
	"<Action>" action "</Action><ResourceRecordSet><Name>" NAME                                \
	".</Name><Type>TXT</Type><TTL>" ttl "</TTL><ResourceRecords>" records                      \
	"</ResourceRecords></ResourceRecordSet></Change></Changes></ChangeBatch>"                  \
	"</ChangeResourceRecordSetsRequest>"
#define R53_DONE                                                                                   \
	"<ChangeResourceRecordSetsResponse><ChangeInfo><Id>/change/C1</Id><Status>PENDING</"       \
	"Status>"                                                                                  \
	"</ChangeInfo></ChangeResourceRecordSetsResponse>"
#define DUCK "https://www.duckdns.org/update?domains=home&token=s3%22cret&txt=" VALUE

#define IONOS "https://api.hosting.ionos.com/dns/v1/zones"
#define IONOS_ZONE                                                                                 \
	{                                                                                          \
		"GET " IONOS, 200,                                                                 \
			"[{\"id\":\"z0\",\"name\":\"example.net\",\"type\":\"NATIVE\"},"           \
			"{\"id\":\"z1\",\"name\":\"example.org\"}]"                                \
	}
#define IONOS_LIST  "GET " IONOS "/z1?recordName=" NAME "&recordType=TXT"
#define MYTHIC	    "https://api.mythic-beasts.com/dns/v2/zones/example.org/records/" SUB "/TXT"
#define NS1	    "https://api.nsone.net/v1/zones/example.org/" NAME "/TXT"
#define NETCUP	    "POST https://ccp.netcup.net/run/webservice/servers/endpoint.php?JSON\n"
#define NETCUP_WHO  "\"customernumber\":\"me\",\"apikey\":\"k3y\""
#define NETCUP_ZONE "\"domainname\":\"example.org\"," NETCUP_WHO ",\"apisessionid\":\"S1\""
#define NETCUP_IN                                                                                  \
	{                                                                                          \
		NETCUP "{\"action\":\"login\",\"param\":{" NETCUP_WHO                              \
		       ",\"apipassword\":\"s3\\\"cret\"}}",                                        \
			200, "{\"status\":\"success\",\"responsedata\":{\"apisessionid\":\"S1\"}}" \
	}
#define NETCUP_INFO NETCUP "{\"action\":\"infoDnsRecords\",\"param\":{" NETCUP_ZONE "}}"
#define NETCUP_SET(record)                                                                         \
	NETCUP "{\"action\":\"updateDnsRecords\",\"param\":{" NETCUP_ZONE                          \
	       ",\"dnsrecordset\":{\"dnsrecords\":[{" record "}]}}}"
#define NETCUP_RECORD "\"hostname\":\"" SUB "\",\"type\":\"TXT\",\"destination\":\"" VALUE "\""
#define NETCUP_DONE   "{\"action\":\"updateDnsRecords\",\"status\":\"success\",\"statuscode\":2000}"
#define DNSPOD	      "POST https://dnsapi.cn/Record."
#define DNSPOD_WHO    "login_token=me%2Cs3%22cret&format=json&domain=example.org"
#define DNSPOD_LIST   DNSPOD "List\n" DNSPOD_WHO "&sub_domain=" SUB "&record_type=TXT"

static const struct script scripts[] = {
	{"ionos-api",
	 "beside another",
	 ADD,
	 {IONOS_ZONE,
	  {IONOS_LIST, 200,
	   "{\"records\":[{\"id\":\"r1\",\"name\":\"" NAME "\",\"type\":\"TXT\",\"content\":"
	   "\"\\\"" OTHER "\\\"\",\"ttl\":60}]}"},
	  {"POST " IONOS "/z1/records\n[{\"name\":\"" NAME "\",\"type\":\"TXT\",\"content\":"
	   "\"" VALUE "\",\"ttl\":60,\"prio\":0,\"disabled\":false}]",
	   201, "[]"}},
	 DNS_GOOD},
	{"ionos-api",
	 "away again",
	 REMOVE,
	 {IONOS_ZONE,
	  {IONOS_LIST, 200,
	   "{\"records\":[{\"id\":\"r1\",\"name\":\"" NAME "\",\"type\":\"TXT\",\"content\":"
	   "\"\\\"" OTHER "\\\"\"},{\"id\":\"r2\",\"name\":\"" NAME
	   "\",\"type\":\"TXT\",\"content\":\"\\\"" VALUE "\\\"\"}]}"},
	  {"DELETE " IONOS "/z1/records/r2", 200, ""}},
	 DNS_GOOD},
	{"ionos-api",
	 "not our zone",
	 ADD,
	 {{"GET " IONOS, 200, "[{\"id\":\"z0\",\"name\":\"example.net\"}]"}},
	 DNS_NOHOST},

	{"mythic-beasts",
	 "beside another",
	 ADD,
	 {{"GET " MYTHIC, 200,
	   "{\"records\":[{\"data\":\"" OTHER "\",\"host\":\"" SUB
	   "\",\"ttl\":300,\"type\":\"TXT\"}]}"},
	  {"POST " MYTHIC "\n{\"records\":[{\"host\":\"" SUB
	   "\",\"ttl\":60,\"type\":\"TXT\",\"data\":\"" VALUE "\"}]}",
	   200, "{\"records_added\":1,\"message\":\"1 records added\"}"}},
	 DNS_GOOD},
	{"mythic-beasts",
	 "away again",
	 REMOVE,
	 {{"GET " MYTHIC, 200,
	   "{\"records\":[{\"data\":\"" OTHER "\",\"host\":\"" SUB
	   "\",\"type\":\"TXT\"},{\"data\":\"" VALUE "\",\"host\":\"" SUB "\",\"type\":\"TXT\"}]}"},
	  {"DELETE " MYTHIC "?data=" VALUE, 200,
	   "{\"records_removed\":1,\"message\":\"1 records removed\"}"}},
	 DNS_GOOD},
	{"mythic-beasts",
	 "not there",
	 REMOVE,
	 {{"GET " MYTHIC, 200, "{\"records\":[]}"}},
	 DNS_NOCHG},

	{"ns1",
	 "the first",
	 ADD,
	 {{"GET " NS1, 404, "{\"message\":\"record not found\"}"},
	  {"PUT " NS1 "\n{\"zone\":\"example.org\",\"domain\":\"" NAME
	   "\",\"type\":\"TXT\",\"ttl\":60,\"answers\":[{\"answer\":[\"" VALUE "\"]}]}",
	   200, "{}"}},
	 DNS_GOOD},
	{"ns1",
	 "beside others, whatever they have",
	 ADD,
	 {{"GET " NS1, 200,
	   "{\"id\":\"5205\",\"ttl\":3600,\"answers\":[{\"answer\":[\"" OTHER
	   "\"],\"id\":\"a1\",\"meta\":{\"up\":true}},{\"answer\":[\"" VALUE "\",\"and more\"]}]}"},
	  {"POST " NS1 "\n{\"answers\":[{\"answer\":[\"" OTHER
	   "\"],\"id\":\"a1\",\"meta\":{\"up\":true}},{\"answer\":[\"" VALUE
	   "\",\"and more\"]},{\"answer\":[\"" VALUE "\"]}]}",
	   200, "{}"}},
	 DNS_GOOD},
	{"ns1",
	 "away again",
	 REMOVE,
	 {{"GET " NS1, 200,
	   "{\"answers\":[{\"answer\":[\"" VALUE "\"],\"id\":\"a2\"},{\"answer\":[\"" OTHER
	   "\"],\"id\":\"a1\"}]}"},
	  {"POST " NS1 "\n{\"answers\":[{\"answer\":[\"" OTHER "\"],\"id\":\"a1\"}]}", 200, "{}"}},
	 DNS_GOOD},
	{"ns1",
	 "the last away",
	 REMOVE,
	 {{"GET " NS1, 200, "{\"answers\":[{\"answer\":[\"" VALUE "\"]}]}"},
	  {"DELETE " NS1, 200, "{}"}},
	 DNS_GOOD},

	{"netcup",
	 "the first",
	 ADD,
	 {NETCUP_IN,
	  {NETCUP_INFO, 200,
	   "{\"status\":\"success\",\"responsedata\":{\"dnsrecords\":[{\"id\":\"1\",\"hostname\":"
	   "\"home\",\"type\":\"TXT\",\"destination\":\"" VALUE "\"}]}}"},
	  {NETCUP_SET(NETCUP_RECORD), 200, NETCUP_DONE}},
	 DNS_GOOD},
	{"netcup",
	 "twice there, both away",
	 REMOVE,
	 {NETCUP_IN,
	  {NETCUP_INFO, 200,
	   "{\"status\":\"success\",\"responsedata\":{\"dnsrecords\":[{\"id\":\"1\"," NETCUP_RECORD
	   "},{\"id\":\"2\",\"hostname\":\"" SUB "\",\"type\":\"TXT\",\"destination\":\"" OTHER
	   "\"},{\"id\":\"3\"," NETCUP_RECORD "}]}}"},
	  {NETCUP_SET("\"id\":\"1\"," NETCUP_RECORD ",\"deleterecord\":true"), 200, NETCUP_DONE},
	  {NETCUP_SET("\"id\":\"3\"," NETCUP_RECORD ",\"deleterecord\":true"), 200, NETCUP_DONE}},
	 DNS_GOOD},

	{"dnspod",
	 "the first",
	 ADD,
	 {{DNSPOD_LIST, 200, "{\"status\":{\"code\":\"10\",\"message\":\"No records\"}}"},
	  {DNSPOD "Create\n" DNSPOD_WHO "&sub_domain=" SUB
		  "&record_type=TXT&record_line_id=0&value=" VALUE "&ttl=600",
	   200, "{\"status\":{\"code\":\"1\"},\"record\":{\"id\":\"16\"}}"}},
	 DNS_GOOD},
	{"dnspod",
	 "away again",
	 REMOVE,
	 {{DNSPOD_LIST, 200,
	   "{\"status\":{\"code\":\"1\"},\"records\":[{\"id\":\"15\",\"value\":\"" OTHER
	   "\",\"name\":\"" SUB "\",\"type\":\"TXT\"},{\"id\":\"16\",\"value\":\"" VALUE
	   "\",\"name\":\"" SUB "\",\"type\":\"TXT\"}]}"},
	  {DNSPOD "Remove\n" DNSPOD_WHO "&record_id=16", 200, "{\"status\":{\"code\":\"1\"}}"}},
	 DNS_GOOD},
	{"dnspod",
	 "not there",
	 REMOVE,
	 {{DNSPOD_LIST, 200, "{\"status\":{\"code\":\"10\",\"message\":\"No records\"}}"}},
	 DNS_NOCHG},
	{"dnspod",
	 "wrong token",
	 ADD,
	 {{DNSPOD_LIST, 200, "{\"status\":{\"code\":\"-1\",\"message\":\"Login fail\"}}"}},
	 DNS_BADAUTH},

	{"cloudflare",
	 "the first",
	 ADD,
	 {CF_ZONE,
	  {CF_LIST, 200, "{\"success\":true,\"result\":[]}"},
	  {CF_ADD, 200, "{\"success\":true,\"errors\":[],\"result\":{\"id\":\"r3\"}}"}},
	 DNS_GOOD},
	{"cloudflare",
	 "beside another",
	 ADD,
	 {CF_ZONE,
	  {CF_LIST, 200, CF_OTHER},
	  {CF_ADD, 200, "{\"success\":true,\"errors\":[],\"result\":{\"id\":\"r3\"}}"}},
	 DNS_GOOD},
	{"cloudflare", "there already", ADD, {CF_ZONE, {CF_LIST, 200, CF_BOTH}}, DNS_NOCHG},
	{"cloudflare",
	 "away again",
	 REMOVE,
	 {CF_ZONE,
	  {CF_LIST, 200, CF_BOTH},
	  {"DELETE " CF "/z1/dns_records/r2", 200, "{\"result\":{\"id\":\"r2\"}}"}},
	 DNS_GOOD},
	{"cloudflare",
	 "gone meanwhile",
	 REMOVE,
	 {CF_ZONE,
	  {CF_LIST, 200, CF_BOTH},
	  {"DELETE " CF "/z1/dns_records/r2", 404,
	   "{\"success\":false,\"errors\":[{\"code\":81044,\"message\":\"Record does not "
	   "exist.\"}]}"}},
	 DNS_GOOD},
	{"cloudflare", "not there", REMOVE, {CF_ZONE, {CF_LIST, 200, CF_OTHER}}, DNS_NOCHG},
	{"cloudflare",
	 "not our zone",
	 ADD,
	 {{"GET " CF "?name=example.org", 200, "{\"success\":true,\"result\":[]}"}},
	 DNS_NOHOST},

	{"digitalocean",
	 "beside another",
	 ADD,
	 {{DO_LIST, 200,
	   "{\"domain_records\":[{\"id\":41,\"type\":\"TXT\",\"name\":\"" SUB "\",\"data\":\"" OTHER
	   "\"}],\"meta\":{\"total\":1}}"},
	  {"POST " DO "\n{\"type\":\"TXT\",\"name\":\"" SUB "\",\"data\":\"" VALUE "\",\"ttl\":60}",
	   201, "{\"domain_record\":{\"id\":42}}"}},
	 DNS_GOOD},
	{"digitalocean",
	 "twice there, both away",
	 REMOVE,
	 {{DO_LIST, 200,
	   "{\"domain_records\":[{\"id\":41,\"data\":\"" VALUE "\"},{\"id\":42,\"data\":\"" OTHER
	   "\"},{\"id\":43,\"data\":\"" VALUE "\"}]}"},
	  {"DELETE " DO "/41", 204, ""},
	  {"DELETE " DO "/43", 204, ""}},
	 DNS_GOOD},

	{"hetzner",
	 "the first",
	 ADD,
	 {{"GET " HZ, 404, "{\"error\":{\"code\":\"not_found\",\"message\":\"no\"}}"},
	  {"POST " HZ "/actions/add_records\n{\"ttl\":60,\"records\":[{\"value\":\"\\\"" VALUE
	   "\\\"\"}]}",
	   201, HZ_DONE}},
	 DNS_GOOD},
	{"hetzner",
	 "beside another",
	 ADD,
	 {{"GET " HZ, 200,
	   "{\"rrset\":{\"id\":\"" SUB "/TXT\",\"ttl\":300,\"records\":[{\"value\":\"\\\"" OTHER
	   "\\\"\",\"comment\":\"\"}]}}"},
	  {"POST " HZ "/actions/add_records\n{\"records\":[{\"value\":\"\\\"" VALUE "\\\"\"}]}",
	   201, HZ_DONE}},
	 DNS_GOOD},
	{"hetzner",
	 "away again",
	 REMOVE,
	 {{"GET " HZ, 200,
	   "{\"rrset\":{\"records\":[{\"value\":\"\\\"" OTHER "\\\"\"},{\"value\":\"\\\"" VALUE
	   "\\\"\"}]}}"},
	  {"POST " HZ "/actions/remove_records\n{\"records\":[{\"value\":\"\\\"" VALUE "\\\"\"}]}",
	   201, HZ_DONE}},
	 DNS_GOOD},
	{"hetzner", "not there", REMOVE, {{"GET " HZ, 404, "{}"}}, DNS_NOCHG},

	{"gandi",
	 "the first",
	 ADD,
	 {{"GET " GANDI, 404, "{\"code\":404}"},
	  {"PUT " GANDI "\n{\"rrset_values\":[\"\\\"" VALUE "\\\"\"],\"rrset_ttl\":300}", 201,
	   "{\"message\":\"DNS Record Created\"}"}},
	 DNS_GOOD},
	{"gandi",
	 "beside another, with its TTL",
	 ADD,
	 {{"GET " GANDI, 200,
	   "{\"rrset_type\":\"TXT\",\"rrset_ttl\":1800,\"rrset_values\":[\"\\\"" OTHER
	   "\\\"\",\"\\\"v=1; \\\\\\\"a\\\\\\\"\\\" \\\"b\\\"\"]}"},
	  {"PUT " GANDI "\n{\"rrset_values\":[\"\\\"" OTHER
	   "\\\"\",\"\\\"v=1; \\\\\\\"a\\\\\\\"\\\" \\\"b\\\"\",\"\\\"" VALUE
	   "\\\"\"],\"rrset_ttl\":1800}",
	   201, "{}"}},
	 DNS_GOOD},
	{"gandi",
	 "away again",
	 REMOVE,
	 {{"GET " GANDI, 200,
	   "{\"rrset_ttl\":300,\"rrset_values\":[\"\\\"" VALUE "\\\"\",\"\\\"" OTHER "\\\"\"]}"},
	  {"PUT " GANDI "\n{\"rrset_values\":[\"\\\"" OTHER "\\\"\"],\"rrset_ttl\":300}", 201,
	   "{}"}},
	 DNS_GOOD},
	{"gandi",
	 "the last away",
	 REMOVE,
	 {{"GET " GANDI, 200, "{\"rrset_ttl\":300,\"rrset_values\":[\"" VALUE "\"]}"},
	  {"DELETE " GANDI, 204, ""}},
	 DNS_GOOD},
	{"gandi",
	 "beside its own beginning, and more than itself",
	 ADD,
	 {{"GET " GANDI, 200,
	   "{\"rrset_ttl\":300,\"rrset_values\":[\"\\\"gfj9Xq_-\\\"\",\"\\\"" VALUE "x\\\"\"]}"},
	  {"PUT " GANDI "\n{\"rrset_values\":[\"\\\"gfj9Xq_-\\\"\",\"\\\"" VALUE
	   "x\\\"\",\"\\\"" VALUE "\\\"\"],\"rrset_ttl\":300}",
	   201, "{}"}},
	 DNS_GOOD},
	{"gandi", "refused", ADD, {{"GET " GANDI, 403, "{\"message\":\"no\"}"}}, DNS_BADAUTH},

	{"porkbun",
	 "beside another",
	 ADD,
	 {{PB_LIST, 200,
	   "{\"status\":\"SUCCESS\",\"records\":[{\"id\":\"7\",\"name\":\"" NAME
	   "\",\"content\":\"" OTHER "\"}]}"},
	  {"POST " PB "/create/example.org\n{" PB_KEYS ",\"name\":\"" SUB
	   "\",\"type\":\"TXT\",\"content\":\"" VALUE "\",\"ttl\":\"600\"}",
	   200, "{\"status\":\"SUCCESS\",\"id\":8}"}},
	 DNS_GOOD},
	{"porkbun",
	 "away again",
	 REMOVE,
	 {{PB_LIST, 200,
	   "{\"status\":\"SUCCESS\",\"records\":[{\"id\":\"7\",\"content\":\"" OTHER
	   "\"},{\"id\":\"8\",\"content\":\"" VALUE "\"}]}"},
	  {"POST " PB "/delete/example.org/8\n{" PB_KEYS "}", 200, "{\"status\":\"SUCCESS\"}"}},
	 DNS_GOOD},

	{"linode",
	 "beside others",
	 ADD,
	 {LI_ZONE,
	  {"GET " LI "/5/records?page_size=500", 200,
	   "{\"data\":[{\"id\":8,\"type\":\"TXT\",\"name\":\"www\",\"target\":\"" VALUE
	   "\"},{\"id\":9,\"type\":\"A\",\"name\":\"" SUB "\",\"target\":\"" VALUE
	   "\"},{\"id\":10,\"type\":\"TXT\",\"name\":\"" SUB "\",\"target\":\"" OTHER "\"}]}"},
	  {"POST " LI "/5/records\n{\"type\":\"TXT\",\"name\":\"" SUB "\",\"target\":\"" VALUE
	   "\",\"ttl_sec\":300}",
	   200, "{\"id\":11}"}},
	 DNS_GOOD},
	{"linode",
	 "away again",
	 REMOVE,
	 {LI_ZONE,
	  {"GET " LI "/5/records?page_size=500", 200,
	   "{\"data\":[{\"id\":8,\"type\":\"TXT\",\"name\":\"www\",\"target\":\"" VALUE
	   "\"},{\"id\":10,\"type\":\"TXT\",\"name\":\"" SUB "\",\"target\":\"" VALUE "\"}]}"},
	  {"DELETE " LI "/5/records/10", 200, "{}"}},
	 DNS_GOOD},

	{"vultr",
	 "the first",
	 ADD,
	 {{"GET " VU "?per_page=500", 200,
	   "{\"records\":[{\"id\":\"u-0\",\"type\":\"A\",\"name\":\"" SUB
	   "\",\"data\":\"192.0.2.1\"}]}"},
	  {"POST " VU "\n{\"name\":\"" SUB "\",\"type\":\"TXT\",\"data\":\"\\\"" VALUE
	   "\\\"\",\"ttl\":60}",
	   201, "{\"record\":{\"id\":\"u-1\"}}"}},
	 DNS_GOOD},
	{"vultr",
	 "away again",
	 REMOVE,
	 {{"GET " VU "?per_page=500", 200,
	   "{\"records\":[{\"id\":\"u-1\",\"type\":\"TXT\",\"name\":\"" SUB
	   "\",\"data\":\"\\\"" VALUE "\\\"\"}]}"},
	  {"DELETE " VU "/u-1", 204, ""}},
	 DNS_GOOD},

	{"godaddy",
	 "the first",
	 ADD,
	 {{"GET " GD, 200, "[]"}, {"PUT " GD "\n[{\"data\":\"" VALUE "\",\"ttl\":600}]", 200, ""}},
	 DNS_GOOD},
	{"godaddy",
	 "beside another",
	 ADD,
	 {{"GET " GD, 200,
	   "[{\"data\":\"" OTHER "\",\"name\":\"" SUB "\",\"ttl\":3600,\"type\":\"TXT\"}]"},
	  {"PUT " GD "\n[{\"data\":\"" OTHER "\",\"ttl\":3600},{\"data\":\"" VALUE
	   "\",\"ttl\":3600}]",
	   200, ""}},
	 DNS_GOOD},
	{"godaddy",
	 "away again",
	 REMOVE,
	 {{"GET " GD, 200,
	   "[{\"data\":\"" OTHER "\",\"ttl\":600},{\"data\":\"" VALUE "\",\"ttl\":600}]"},
	  {"PUT " GD "\n[{\"data\":\"" OTHER "\",\"ttl\":600}]", 200, ""}},
	 DNS_GOOD},
	{"godaddy",
	 "the last away",
	 REMOVE,
	 {{"GET " GD, 200, "[{\"data\":\"" VALUE "\",\"ttl\":600}]"}, {"DELETE " GD, 204, ""}},
	 DNS_GOOD},

	{"ovh-api",
	 "the first",
	 ADD,
	 {OVH_TIME,
	  {OVH_LIST, 200, "[]"},
	  {"POST " OVH_RECORD "\n{\"fieldType\":\"TXT\",\"subDomain\":\"" SUB
	   "\",\"target\":\"" VALUE "\",\"ttl\":60}",
	   200, "{\"id\":78}"},
	  {OVH_REFRESH, 200, "null"}},
	 DNS_GOOD},
	{"ovh-api",
	 "beside others",
	 ADD,
	 {OVH_TIME,
	  {OVH_LIST, 200, "[76,77]"},
	  {"GET " OVH_RECORD "/76", 404, "{\"message\":\"gone\"}"},
	  {"GET " OVH_RECORD "/77", 200, "{\"id\":77,\"target\":\"\\\"" OTHER "\\\"\"}"},
	  {"POST " OVH_RECORD "\n{\"fieldType\":\"TXT\",\"subDomain\":\"" SUB
	   "\",\"target\":\"" VALUE "\",\"ttl\":60}",
	   200, "{\"id\":78}"},
	  {OVH_REFRESH, 200, "null"}},
	 DNS_GOOD},
	{"ovh-api",
	 "there already",
	 ADD,
	 {OVH_TIME,
	  {OVH_LIST, 200, "[76,77]"},
	  {"GET " OVH_RECORD "/76", 200, "{\"target\":\"\\\"" VALUE "\\\"\"}"}},
	 DNS_NOCHG},
	{"ovh-api",
	 "away again",
	 REMOVE,
	 {OVH_TIME,
	  {OVH_LIST, 200, "[76,77,78]"},
	  {"GET " OVH_RECORD "/76", 200, "{\"target\":\"\\\"" OTHER "\\\"\"}"},
	  {"GET " OVH_RECORD "/77", 200, "{\"target\":\"\\\"" VALUE "\\\"\"}"},
	  {"DELETE " OVH_RECORD "/77", 200, "null"},
	  {OVH_REFRESH, 200, "null"}},
	 DNS_GOOD},
	{"ovh-api",
	 "not there",
	 REMOVE,
	 {OVH_TIME,
	  {OVH_LIST, 200, "[76]"},
	  {"GET " OVH_RECORD "/76", 200, "{\"target\":\"\\\"" OTHER "\\\"\"}"}},
	 DNS_NOCHG},

	{"desec",
	 "the first, with the least TTL it allows",
	 ADD,
	 {DESEC_ZONE,
	  {"GET " DESEC DESEC_SET, 404, "{\"detail\":\"Not found.\"}"},
	  {"POST " DESEC "example.org/rrsets/\n{\"subname\":\"" SUB
	   "\",\"type\":\"TXT\",\"ttl\":3600,\"records\":[\"\\\"" VALUE "\\\"\"]}",
	   201, "{}"}},
	 DNS_GOOD},
	{"desec",
	 "beside another",
	 ADD,
	 {DESEC_ZONE,
	  {"GET " DESEC DESEC_SET, 200,
	   "{\"subname\":\"" SUB "\",\"type\":\"TXT\",\"records\":[\"\\\"" OTHER
	   "\\\"\"],\"ttl\":7200}"},
	  {"PATCH " DESEC DESEC_SET "\n{\"records\":[\"\\\"" OTHER "\\\"\",\"\\\"" VALUE "\\\"\"]}",
	   200, "{}"}},
	 DNS_GOOD},
	{"desec",
	 "the last away",
	 REMOVE,
	 {DESEC_ZONE,
	  {"GET " DESEC DESEC_SET, 200, "{\"records\":[\"\\\"" VALUE "\\\"\"],\"ttl\":3600}"},
	  {"PATCH " DESEC DESEC_SET "\n{\"records\":[]}", 204, ""}},
	 DNS_GOOD},
	{"desec",
	 "a token that is for addresses only",
	 ADD,
	 {{"GET " DESEC "?owns_qname=" NAME, 403,
	   "{\"detail\":\"You do not have permission to perform this action.\"}"}},
	 DNS_BADAUTH},
	{"desec", "not our name", ADD, {{"GET " DESEC "?owns_qname=" NAME, 200, "[]"}}, DNS_NOHOST},
	{"desec",
	 "another's zone",
	 ADD,
	 {{"GET " DESEC "?owns_qname=" NAME, 200,
	   "[{\"minimum_ttl\":60,\"name\":\"example.net\"}]"}},
	 DNS_NOHOST},

	{"dynv6",
	 "beside another",
	 ADD,
	 {DYNV6_ZONE,
	  {"GET " DYNV6 "/9/records", 200,
	   "[{\"type\":\"TXT\",\"name\":\"_acme-challenge\",\"data\":\"" OTHER
	   "\",\"id\":1},{\"type\":\"TXT\",\"name\":\"www\",\"data\":\"" VALUE "\",\"id\":2}]"},
	  {"POST " DYNV6 "/9/records\n{\"name\":\"_acme-challenge\",\"data\":\"" VALUE
	   "\",\"type\":\"TXT\"}",
	   200, "{\"type\":\"TXT\",\"name\":\"_acme-challenge\",\"data\":\"" VALUE "\",\"id\":3}"}},
	 DNS_GOOD,
	 "_acme-challenge.home.dynv6.net",
	 "home.dynv6.net"},
	{"dynv6",
	 "away again",
	 REMOVE,
	 {DYNV6_ZONE,
	  {"GET " DYNV6 "/9/records", 200,
	   "[{\"type\":\"TXT\",\"name\":\"_acme-challenge\",\"data\":\"" VALUE "\",\"id\":3}]"},
	  {"DELETE " DYNV6 "/9/records/3", 204, ""}},
	 DNS_GOOD,
	 "_acme-challenge.home.dynv6.net",
	 "home.dynv6.net"},

	{"route53",
	 "the first; the list begins with another name",
	 ADD,
	 {{R53_LIST, 200, R53_ANSWER(R53_SET("a.home.example.org", R53_RECORD(VALUE)))},
	  {R53_CHANGE("UPSERT", "60", R53_RECORD(VALUE)), 200, R53_DONE}},
	 DNS_GOOD},
	{"route53",
	 "beside another, with its TTL",
	 ADD,
	 {{R53_LIST, 200, R53_ANSWER(R53_SET(NAME, R53_RECORD("x=&lt;1&amp;2&gt;")))},
	  {R53_CHANGE("UPSERT", "300", R53_RECORD("x=&lt;1&amp;2&gt;") R53_RECORD(VALUE)), 200,
	   R53_DONE}},
	 DNS_GOOD},
	{"route53",
	 "there already",
	 ADD,
	 {{R53_LIST, 200, R53_ANSWER(R53_SET(NAME, R53_RECORD(OTHER) R53_RECORD(VALUE)))}},
	 DNS_NOCHG},
	{"route53",
	 "away again",
	 REMOVE,
	 {{R53_LIST, 200, R53_ANSWER(R53_SET(NAME, R53_RECORD(OTHER) R53_RECORD(VALUE)))},
	  {R53_CHANGE("UPSERT", "300", R53_RECORD(OTHER)), 200, R53_DONE}},
	 DNS_GOOD},
	{"route53",
	 "the last away",
	 REMOVE,
	 {{R53_LIST, 200, R53_ANSWER(R53_SET(NAME, R53_RECORD(VALUE)))},
	  {R53_CHANGE("DELETE", "300", R53_RECORD(VALUE)), 200, R53_DONE}},
	 DNS_GOOD},
	{"route53",
	 "sets by a routing policy",
	 ADD,
	 {{R53_LIST, 200,
	   R53_ANSWER("<ResourceRecordSet><Name>" NAME ".</Name><Type>TXT</Type>"
		      "<SetIdentifier>one</SetIdentifier><Weight>1</Weight><TTL>60</TTL>"
		      "<ResourceRecords>" R53_RECORD(OTHER) "</ResourceRecords>"
							    "</ResourceRecordSet>")}},
	 DNS_REFUSED},
	{"route53",
	 "wrong key",
	 ADD,
	 {{R53_LIST, 403,
	   "<ErrorResponse><Error><Type>Sender</Type><Code>SignatureDoesNotMatch</Code>"
	   "</Error></ErrorResponse>"}},
	 DNS_BADAUTH},

	{"duckdns",
	 "a value",
	 ADD,
	 {{"GET " DUCK, 200, "OK"}},
	 DNS_GOOD,
	 "_acme-challenge.home.duckdns.org",
	 "home.duckdns.org"},
	{"duckdns",
	 "away again",
	 REMOVE,
	 {{"GET " DUCK "&clear=true", 200, "OK"}},
	 DNS_GOOD,
	 "_acme-challenge.home.duckdns.org",
	 "home.duckdns.org"},
	{"duckdns",
	 "wrong token",
	 ADD,
	 {{"GET " DUCK, 200, "KO"}},
	 DNS_BADAUTH,
	 "_acme-challenge.home.duckdns.org",
	 "home.duckdns.org"},

	/* what a value may be */
	{"cloudflare",
	 "quotes in a value",
	 ADD,
	 {CF_ZONE,
	  {CF_LIST, 200, "{\"success\":true,\"result\":[]}"},
	  {"POST " CF "/z1/dns_records\n{\"type\":\"TXT\",\"name\":\"" NAME
	   "\",\"content\":\"a\\\"b\\\\c=1; d\",\"ttl\":60}",
	   200, "{\"success\":true,\"result\":{}}"}},
	 DNS_GOOD,
	 .value = "a\"b\\c=1; d"},
	{"gandi",
	 "quotes in a value, there already",
	 ADD,
	 {{"GET " GANDI, 200,
	   "{\"rrset_values\":[\"\\\"a\\\\\\\"b\\\\\\\\c\\\" \\\"=1; d\\\"\"]}"}},
	 DNS_NOCHG,
	 .value = "a\"b\\c=1; d"},
	{"hetzner",
	 "quotes in a value",
	 ADD,
	 {{"GET " HZ, 404, "{}"},
	  {"POST " HZ
	   "/actions/add_records\n{\"ttl\":60,\"records\":[{\"value\":\"\\\"a\\\\\\\"b\\\\\\\\c\\\""
	   "\"}]}",
	   201, HZ_DONE}},
	 DNS_GOOD,
	 .value = "a\"b\\c"},
	{"digitalocean",
	 "the zone itself",
	 ADD,
	 {{"GET " DO "?type=TXT&name=example.org&per_page=200", 200, "{\"domain_records\":[]}"},
	  {"POST " DO "\n{\"type\":\"TXT\",\"name\":\"@\",\"data\":\"" VALUE "\",\"ttl\":60}", 201,
	   "{}"}},
	 DNS_GOOD,
	 "example.org"},
};

static struct dns_entry entry_of(const struct script *s)
{
	return (struct dns_entry){.provider = dns_provider_find(str_of(s->provider)),
				  .host = s->host ? s->host : "home.example.org",
				  .zone = s->host ? NULL : "example.org",
				  .user = "me",
				  .pass = "s3\"cret",
				  .key = "k3y"};
}

static void check_request(const struct script *s, const struct dns_request *q, const char *expected)
{
	char text[4096];

	snprintf(text, sizeof(text), "%s %s%s%.*s", q->method, (char *)buf_head(&q->url),
		 q->has_body ? "\n" : "", STR_ARG(buf_str(&q->body)));
	if (strcmp(text, expected) != 0)
		fail_msg("%s, %s:\n%s\nis not\n%s", s->provider, s->title, text, expected);
}

static void play(const struct script *s)
{
	struct dns_entry entry = entry_of(s);
	struct dns_txt txt;
	struct err e = {0};
	int n = 0;

	assert_non_null(entry.provider);
	if (dns_txt_start(&txt, &entry, s->name ? s->name : NAME, s->value ? s->value : VALUE,
			  s->verb == REMOVE, &e) < 0)
		fail_msg("%s, %s: %s", s->provider, s->title, e.text);
	for (; !dns_txt_ended(&txt); n++) {
		struct dns_request q = {0};
		struct dns_answer answer;

		if (n == LINES_MAX || !s->exchanges[n].request)
			fail_msg("%s, %s: one request too many", s->provider, s->title);
		if (dns_txt_request(&txt, &q, &e) < 0)
			fail_msg("%s, %s: %s", s->provider, s->title, e.text);
		check_request(s, &q, s->exchanges[n].request);
		dns_request_done(&q);
		answer = (struct dns_answer){.status = s->exchanges[n].status,
					     .body = str_of(s->exchanges[n].answer)};
		dns_txt_answer(&txt, &answer);
	}
	if (n < LINES_MAX && s->exchanges[n].request)
		fail_msg("%s, %s: ended (%s) before %s", s->provider, s->title,
			 dns_verdict_word(txt.reply.verdict), s->exchanges[n].request);
	if (txt.reply.verdict != s->verdict)
		fail_msg("%s, %s: %s, not %s", s->provider, s->title,
			 dns_verdict_word(txt.reply.verdict), dns_verdict_word(s->verdict));
	dns_txt_done(&txt);
}

static void test_scripts(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(scripts); i++)
		play(&scripts[i]);
}

/* Whatever comes in whatever place: nothing more is sent, and only success is success. */
static void test_every_step_s_troubles(void **state)
{
	static const struct {
		int status;
		const char *body;
		enum dns_verdict verdict;
	} troubles[] = {
		{500, "", DNS_SERVER},
		{429, "", DNS_RATE},
		{401, "", DNS_BADAUTH},
		{302, "", DNS_PAGE},
		{200, "<html>hotel OK success</html>", DNS_PAGE},
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
				s.verdict = troubles[t].verdict;
				play(&s);
			}
}

/* A list that is none says nothing of what is there: nothing may be changed. */
static void test_a_list_that_is_none(void **state)
{
	static const char *const bodies[] = {
		"",
		"{}",
		"null",
		"{\"result\":null,\"success\":true,\"status\":\"SUCCESS\",\"records\":\"x\"}",
		"{\"status\":\"SUCCESS\",\"domain_records\":{},\"data\":{}}",
		"[1",
	};

	for (size_t i = 0; i < ARRAY_LEN(scripts); i++)
		for (size_t b = 0; b < ARRAY_LEN(bodies); b++) {
			const struct script *s = &scripts[i];
			struct dns_entry entry = entry_of(s);
			struct dns_txt txt;
			struct err e = {0};

			if (dns_verdict_class(s->verdict) != DNS_CLASS_OK ||
			    strcmp(s->provider, "duckdns") == 0)
				continue;
			assert_int_equal(dns_txt_start(&txt, &entry, s->name ? s->name : NAME,
						       VALUE, s->verb == REMOVE, &e),
					 0);
			for (int n = 0; !dns_txt_ended(&txt); n++) {
				struct dns_request q = {0};
				struct dns_answer answer = {.status = 200,
							    .body = str_of(bodies[b])};
				bool lists = txt.row->steps[txt.step].list.path ||
					     txt.row->steps[txt.step].list.xml;

				assert_true(n < LINES_MAX);
				assert_int_equal(dns_txt_request(&txt, &q, NULL), 0);
				dns_request_done(&q);
				if (!lists) {
					answer.body = str_of(s->exchanges[n].answer);
					answer.status = s->exchanges[n].status;
				}
				dns_txt_answer(&txt, &answer);
				if (lists && !dns_txt_ended(&txt))
					fail_msg("%s, %s: goes on after \"%s\"", s->provider,
						 s->title, bodies[b]);
			}
			assert_int_not_equal(dns_verdict_class(txt.reply.verdict), DNS_CLASS_OK);
			dns_txt_done(&txt);
		}
}

static void list_of(const char *provider, const char *answer, enum dns_verdict verdict)
{
	struct script s = {.provider = provider};
	struct dns_entry entry = entry_of(&s);
	struct dns_answer given = {.status = 200, .body = str_of(answer)};
	struct dns_request q = {0};
	struct dns_txt txt;

	assert_int_equal(dns_txt_start(&txt, &entry, NAME, VALUE, false, NULL), 0);
	assert_int_equal(dns_txt_request(&txt, &q, NULL), 0);
	dns_request_done(&q);
	dns_txt_answer(&txt, &given);
	assert_true(dns_txt_ended(&txt));
	assert_int_equal(txt.reply.verdict, verdict);
	dns_txt_done(&txt);
}

/* What cannot be kept is not overwritten. */
static void test_what_others_have_is_never_lost(void **state)
{
	AUTO(buf_donep) struct buf text = {0};

	assert_int_equal(buf_printf(&text, "{\"rrset_values\":[\"a\""), 0);
	for (int i = 0; i < DNS_TXT_VALUES_MAX; i++)
		assert_int_equal(buf_printf(&text, ",\"%d\"", i), 0);
	assert_int_equal(buf_append(&text, "]}", 3), 0);
	list_of("gandi", (char *)buf_head(&text), DNS_REFUSED);

	text.tail = text.head;
	assert_int_equal(buf_printf(&text, "{\"rrset_values\":[\"%0*d\"]}", DNS_TXT_RAW_MAX, 0), 0);
	assert_int_equal(buf_append(&text, "", 1), 0);
	list_of("gandi", (char *)buf_head(&text), DNS_REFUSED);

	list_of("gandi", "{\"rrset_values\":[\"a\",{}]}", DNS_REFUSED);
	list_of("gandi", "{\"rrset_values\":[\"\"]}", DNS_REFUSED);
	list_of("route53",
		R53_ANSWER(
			R53_SET(NAME, "<ResourceRecord><Value>&unknown;</Value></ResourceRecord>")),
		DNS_REFUSED);
	list_of("digitalocean", "{\"domain_records\":[{\"data\":\"x\"}]}", DNS_REFUSED);
}

static void headers_of(const char *provider, const char *expected)
{
	struct script s = {.provider = provider,
			   .host = strcmp(provider, "dynv6") == 0 ? "home.example.org" : NULL};
	struct dns_entry entry = entry_of(&s);
	struct dns_request q = {0};
	struct dns_txt txt;

	assert_int_equal(dns_txt_start(&txt, &entry, NAME, VALUE, false, NULL), 0);
	assert_int_equal(dns_txt_request(&txt, &q, NULL), 0);
	assert_int_equal(buf_append(&q.headers, "", 1), 0);
	assert_string_equal(strchr((char *)buf_head(&q.headers), '\n') + 1, expected);
	dns_request_done(&q);
	dns_txt_done(&txt);
}

static void test_headers(void **state)
{
	headers_of("cloudflare", "Authorization: Bearer s3\"cret\r\n");
	headers_of("linode",
		   "Authorization: Bearer s3\"cret\r\nX-Filter: {\"domain\":\"example.org\"}\r\n");
	headers_of("godaddy", "Authorization: sso-key me:s3\"cret\r\n");
	headers_of("ovh-api", "");
	/* not as for its addresses */
	headers_of("desec", "Authorization: Token s3\"cret\r\n");
	headers_of("dynv6", "Authorization: Bearer s3\"cret\r\n");
}

static void test_every_row_has_scripts_for_both(void **state)
{
	unsigned rows = 0;

	for (size_t i = 0; i < dns_providers_count; i++) {
		const struct dns_provider *p = &dns_providers[i];
		bool found[2] = {false, false};
		bool can = dns_provider_can(p) & DNS_CAN_TXT;

		assert_int_equal(can, p->rfc2136 || dns_txt_row_find(p));
		if (!dns_txt_row_find(p))
			continue;
		rows++;
		for (size_t j = 0; j < ARRAY_LEN(scripts); j++)
			if (strcmp(scripts[j].provider, p->name) == 0 &&
			    scripts[j].verdict == DNS_GOOD)
				found[scripts[j].verb] = true;
		if (!found[ADD] || !found[REMOVE])
			fail_msg("%s: no script for both", p->name);
	}
	assert_true(rows >= 12);
}

static void test_values(void **state)
{
	static char long_value[DNS_TXT_VALUE_MAX + 2];

	memset(long_value, 'x', DNS_TXT_VALUE_MAX);
	assert_true(dns_txt_value_valid(str_of(long_value)));
	long_value[DNS_TXT_VALUE_MAX] = 'x';
	assert_false(dns_txt_value_valid(str_of(long_value)));
	assert_true(dns_txt_value_valid(STR("-a b\"~")));
	assert_false(dns_txt_value_valid(STR("")));
	assert_false(dns_txt_value_valid(STR("a\nb")));
	assert_false(dns_txt_value_valid(STR("a\x7f")));
	assert_false(dns_txt_value_valid(STR("sch\xc3\xb6n")));
}

static size_t serves(const char *provider, const char *host, const char *zone, const char *name)
{
	struct dns_entry entry = {
		.provider = dns_provider_find(str_of(provider)), .host = host, .zone = zone};

	return dns_txt_serves(&entry, name);
}

static void test_which_section_serves_a_name(void **state)
{
	const char *name = "_acme-challenge.blog.example.org";

	assert_true(serves("cloudflare", "blog.example.org", "example.org", name) >
		    serves("cloudflare", "example.org", "example.org", name));
	assert_true(serves("cloudflare", "example.org", "example.org", name) >
		    serves("cloudflare", "www.example.org", "example.org", name));
	assert_true(serves("rfc2136", "www.example.org", "example.org", name) > 0);
	assert_true(serves("rfc2136", "a.blog.example.org", "blog.example.org", name) >
		    serves("rfc2136", "www.example.org", "example.org", name));
	assert_int_equal(serves("rfc2136", "www.example.net", "example.net", name), 0);
	assert_int_equal(serves("rfc2136", "log.example.org", "log.example.org", name), 0);
	assert_int_equal(serves("dyn", "blog.example.org", NULL, name), 0);
	assert_int_equal(serves("hetzner-dns", "blog.example.org", NULL, name), 0);
	assert_true(serves("duckdns", "me.duckdns.org", NULL, "_acme-challenge.me.duckdns.org") >
		    0);
	assert_int_equal(
		serves("duckdns", "me.duckdns.org", NULL, "_acme-challenge.other.duckdns.org"), 0);
	assert_true(serves("desec", "me.dedyn.io", NULL, "_acme-challenge.me.dedyn.io") > 0);
	assert_int_equal(serves("dynv6", "me.dynv6.net", NULL, "_acme-challenge.you.dynv6.net"), 0);
}

static void test_what_cannot_be(void **state)
{
	struct dns_entry entry = {.provider = dns_provider_find(STR("dyn")),
				  .host = "home.example.org",
				  .zone = "example.org"};
	struct err e = {0};
	struct dns_txt txt;

	assert_int_equal(dns_txt_start(&txt, &entry, NAME, VALUE, false, &e), -ERR_INVALID);
	assert_string_equal(e.text, "Dyn has no interface for TXT records");
	entry.provider = dns_provider_find(STR("cloudflare"));
	assert_int_equal(dns_txt_start(&txt, &entry, NAME, "", false, &e), -ERR_INVALID);
	assert_int_equal(dns_txt_start(&txt, &entry, "a..b", VALUE, false, &e), -ERR_INVALID);
	assert_int_equal(dns_txt_start(&txt, &entry, "a.example.net", VALUE, false, &e),
			 -ERR_INVALID);
	assert_int_equal(dns_txt_start(&txt, &entry, NAME, VALUE, false, &e), -ERR_INVALID);
	assert_string_equal(e.text, "provider cloudflare needs \"password-file\"");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scripts),
		cmocka_unit_test(test_every_step_s_troubles),
		cmocka_unit_test(test_a_list_that_is_none),
		cmocka_unit_test(test_what_others_have_is_never_lost),
		cmocka_unit_test(test_headers),
		cmocka_unit_test(test_every_row_has_scripts_for_both),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_which_section_serves_a_name),
		cmocka_unit_test(test_what_cannot_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
