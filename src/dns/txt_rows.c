/* Where TXT values can be put: documentation and what ACME clients send there (2026-11). */
#include <string.h>

#include "base/cleanup.h"
#include "dns/txt.h"

#define REST(grammar_name, text_path)                                                              \
	{                                                                                          \
		.name = grammar_name, .how = DNS_JSON, .statuses = {{404, DNS_NOHOST}},            \
		.text = text_path                                                                  \
	}

static const struct dns_grammar desec_grammar = REST("desec-rest", "detail");
static const struct dns_grammar dynv6_grammar = REST("dynv6-rest", "error");

/* {"result":{"id":"..."}}, without "success" */
static const struct dns_word cloudflare_delete_words[] = {
	{"9109", DNS_BADAUTH}, {"10000", DNS_BADAUTH}, {"971", DNS_RATE}};

static const struct dns_grammar cloudflare_delete_grammar = {
	.name = "cloudflare-delete",
	.how = DNS_JSON,
	.words = cloudflare_delete_words,
	.n_words = ARRAY_LEN(cloudflare_delete_words),
	.statuses = {{200, DNS_GOOD}, {404, DNS_NOHOST}},
	.paths = {"errors.0.code"},
	.text = "errors.0.message"};

/* Of a list; errors as everywhere there. */
static const struct dns_word route53_list_words[] = {
	{"maxitems ...", DNS_GOOD},
	{"code throttling", DNS_RATE},
	{"code priorrequestnotcomplete", DNS_RATE},
	{"code signaturedoesnotmatch", DNS_BADAUTH},
	{"code invalidclienttokenid", DNS_BADAUTH},
	{"code accessdenied", DNS_BADAUTH},
	{"code nosuchhostedzone", DNS_NOHOST},
};

static const struct dns_grammar route53_list_grammar = {.name = "route53-list",
							.how = DNS_TAGS,
							.words = route53_list_words,
							.n_words = ARRAY_LEN(route53_list_words)};

#define CF	"https://api.cloudflare.com/client/v4/zones"
#define DO	"https://api.digitalocean.com/v2/domains/{zone}/records"
#define HETZNER "https://api.hetzner.cloud/v1/zones/{zone}/rrsets/{sub}/TXT"
#define GANDI	"https://api.gandi.net/v5/livedns/domains/{zone}/records/{sub}/TXT"
#define PORKBUN "https://api.porkbun.com/api/json/v3/dns"
#define PB_KEYS "\"apikey\":\"{user}\",\"secretapikey\":\"{pass}\""
#define LINODE	"https://api.linode.com/v4/domains"
#define VULTR	"https://api.vultr.com/v2/domains/{zone}/records"
#define GODADDY "https://api.godaddy.com/v1/domains/{zone}/records/TXT/{sub}"
#define OVH	"https://eu.api.ovh.com/1.0"
#define DESEC	"https://desec.io/api/v1/domains"
#define DYNV6	"https://dynv6.com/api/v2/zones"
#define ROUTE53 "https://route53.amazonaws.com/2013-04-01/hostedzone/{key}/rrset"

#define IONOS  "https://api.hosting.ionos.com/dns/v1/zones"
#define MYTHIC "https://api.mythic-beasts.com/dns/v2/zones/{zone}/records/{sub}/TXT"
#define NS1    "https://api.nsone.net/v1/zones/{zone}/{host}/TXT"

#define NETCUP	      "https://ccp.netcup.net/run/webservice/servers/endpoint.php?JSON"
#define NETCUP_WHO    "\"customernumber\":\"{user}\",\"apikey\":\"{key}\""
#define NETCUP_ZONE   "\"domainname\":\"{zone}\"," NETCUP_WHO ",\"apisessionid\":\"{session}\""
#define NETCUP_RECORD "\"hostname\":\"{sub}\",\"type\":\"TXT\",\"destination\":\"{value}\""
#define NETCUP_CHANGE(record)                                                                      \
	"{\"action\":\"updateDnsRecords\",\"param\":{" NETCUP_ZONE                                 \
	",\"dnsrecordset\":{\"dnsrecords\":[{" record "}]}}}"

#define DNSPOD	   "https://dnsapi.cn/Record."
#define DNSPOD_WHO "login_token={user}%2C{pass}&format=json&domain={zone}"

#define ROUTE53_CHANGE(action, values)                                                             \
	"<ChangeResourceRecordSetsRequest "                                                        \
	"xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\">"                                 \
	"<ChangeBatch><Changes><Change><Action>" action "</Action><ResourceRecordSet>"             \
	"<Name>{host}.</Name><Type>TXT</Type><TTL>{ttl}</TTL><ResourceRecords>" values             \
	"</ResourceRecords></ResourceRecordSet></Change></Changes></ChangeBatch>"                  \
	"</ChangeResourceRecordSetsRequest>"
#define ROUTE53_ITEM(value) "<ResourceRecord><Value>" value "</Value></ResourceRecord>"

static const struct dns_txt_row rows[] = {
	/* ── records with a number each ── */
	{.provider = "cloudflare",
	 .steps = {{.step = {.url = CF "?name={zone}", .take = {{"zone_id", "result.*.id"}}}},
		   {.step = {.url = CF "/{zone_id}/dns_records?type=TXT&name={host}"},
		    .list = {.path = "result", .id = "id", .value = "content"}},
		   {.when = DNS_TXT_ADD,
		    .step = {"POST", CF "/{zone_id}/dns_records",
			     "{\"type\":\"TXT\",\"name\":\"{host}\",\"content\":\"{value}\","
			     "\"ttl\":{ttl}}"}},
		   {.when = DNS_TXT_REMOVE,
		    .step = {"DELETE", CF "/{zone_id}/dns_records/{record}", .flags = DNS_STEP_FIND,
			     .grammar = &cloudflare_delete_grammar}}}},
	{.provider = "digitalocean",
	 .steps = {{.step = {.url = DO "?type=TXT&name={host}&per_page=200"},
		    .list = {.path = "domain_records", .id = "id", .value = "data"}},
		   {.when = DNS_TXT_ADD,
		    .step = {"POST", DO,
			     "{\"type\":\"TXT\",\"name\":\"{sub}\",\"data\":\"{value}\",\"ttl\":{"
			     "ttl}}"}},
		   {.when = DNS_TXT_REMOVE,
		    .step = {"DELETE", DO "/{record}", .flags = DNS_STEP_FIND}}}},
	{.provider = "porkbun",
	 .steps = {{.step = {"POST", PORKBUN "/retrieveByNameType/{zone}/TXT/{sub0}",
			     "{" PB_KEYS "}"},
		    .list = {.path = "records", .id = "id", .value = "content"}},
		   {.when = DNS_TXT_ADD,
		    .step = {"POST", PORKBUN "/create/{zone}",
			     "{" PB_KEYS ",\"name\":\"{sub0}\",\"type\":\"TXT\",\"content\":\"{"
			     "value}\",\"ttl\":\"{ttl}\"}"}},
		   {.when = DNS_TXT_REMOVE,
		    .step = {"POST", PORKBUN "/delete/{zone}/{record}", "{" PB_KEYS "}"}}}},
	{.provider = "linode",
	 .steps = {{.step = {.url = LINODE,
			     .header = "X-Filter: {\"domain\":\"{zone}\"}",
			     .take = {{"zone_id", "data.*.id"}}}},
		   {.step = {.url = LINODE "/{zone_id}/records?page_size=500"},
		    .list = {.path = "data",
			     .where = "type=TXT,name={sub0}",
			     .id = "id",
			     .value = "target"}},
		   {.when = DNS_TXT_ADD,
		    .step = {"POST", LINODE "/{zone_id}/records",
			     "{\"type\":\"TXT\",\"name\":\"{sub0}\",\"target\":\"{value}\",\"ttl_"
			     "sec\":{ttl}}"}},
		   {.when = DNS_TXT_REMOVE,
		    .step = {"DELETE", LINODE "/{zone_id}/records/{record}",
			     .flags = DNS_STEP_FIND}}}},
	{.provider = "vultr",
	 .quoted = true,
	 .steps = {{.step = {.url = VULTR "?per_page=500"},
		    .list = {.path = "records",
			     .where = "type=TXT,name={sub0}",
			     .id = "id",
			     .value = "data"}},
		   {.when = DNS_TXT_ADD,
		    .step = {"POST", VULTR,
			     "{\"name\":\"{sub0}\",\"type\":\"TXT\",\"data\":\"{value}\",\"ttl\":{"
			     "ttl}}"}},
		   {.when = DNS_TXT_REMOVE,
		    .step = {"DELETE", VULTR "/{record}", .flags = DNS_STEP_FIND}}}},
	{.provider = "ovh-api",
	 .steps = {{.step = {.url = OVH "/auth/time",
			     .flags = DNS_STEP_UNSIGNED,
			     .take = {{"time", ""}}}},
		   {.step = {.url = OVH
			     "/domain/zone/{zone}/record?fieldType=TXT&subDomain={sub0}"},
		    .list = {.path = "", .id = ""}},
		   {.step = {.url = OVH "/domain/zone/{zone}/record/{record}",
			     .flags = DNS_STEP_FIND},
		    .each = "target"},
		   {.when = DNS_TXT_ADD,
		    .step = {"POST", OVH "/domain/zone/{zone}/record",
			     "{\"fieldType\":\"TXT\",\"subDomain\":\"{sub0}\",\"target\":\"{value}"
			     "\",\"ttl\":{ttl}}"}},
		   {.when = DNS_TXT_REMOVE,
		    .step = {"DELETE", OVH "/domain/zone/{zone}/record/{record}",
			     .flags = DNS_STEP_FIND}},
		   {.step = {"POST", OVH "/domain/zone/{zone}/refresh", ""}}}},
	{.provider = "dynv6",
	 .scope = DNS_TXT_BELOW,
	 .header = "Authorization: Bearer {pass}",
	 .grammar = &dynv6_grammar,
	 .steps = {{.step = {.url = DYNV6, .take = {{"zone_id", "[name={zone}].id"}}}},
		   {.step = {.url = DYNV6 "/{zone_id}/records"},
		    .list = {.path = "",
			     .where = "type=TXT,name={sub0}",
			     .id = "id",
			     .value = "data"}},
		   {.when = DNS_TXT_ADD,
		    .step = {"POST", DYNV6 "/{zone_id}/records",
			     "{\"name\":\"{sub0}\",\"data\":\"{value}\",\"type\":\"TXT\"}"}},
		   {.when = DNS_TXT_REMOVE,
		    .step = {"DELETE", DYNV6 "/{zone_id}/records/{record}",
			     .flags = DNS_STEP_FIND}}}},
	{.provider = "ionos-api",
	 .steps = {{.step = {.url = IONOS, .take = {{"zone_id", "[name={zone}].id"}}}},
		   {.step = {.url = IONOS "/{zone_id}?recordName={host}&recordType=TXT"},
		    .list = {.path = "records",
			     .where = "name={host},type=TXT",
			     .id = "id",
			     .value = "content"}},
		   {.when = DNS_TXT_ADD,
		    .step = {"POST", IONOS "/{zone_id}/records",
			     "[{\"name\":\"{host}\",\"type\":\"TXT\",\"content\":\"{value}\","
			     "\"ttl\":{ttl},\"prio\":0,\"disabled\":false}]"}},
		   {.when = DNS_TXT_REMOVE,
		    .step = {"DELETE", IONOS "/{zone_id}/records/{record}",
			     .flags = DNS_STEP_FIND}}}},
	{.provider = "netcup",
	 .steps = {{.step = {"POST", NETCUP,
			     "{\"action\":\"login\",\"param\":{" NETCUP_WHO
			     ",\"apipassword\":\"{pass}\"}}",
			     .grammar = &dns_grammar_netcup_login,
			     .take = {{"session", "responsedata.apisessionid"}}}},
		   {.step = {"POST", NETCUP,
			     "{\"action\":\"infoDnsRecords\",\"param\":{" NETCUP_ZONE "}}"},
		    .list = {.path = "responsedata.dnsrecords",
			     .where = "hostname={sub},type=TXT",
			     .id = "id",
			     .value = "destination"}},
		   {.when = DNS_TXT_ADD, .step = {"POST", NETCUP, NETCUP_CHANGE(NETCUP_RECORD)}},
		   {.when = DNS_TXT_REMOVE,
		    .step = {"POST", NETCUP,
			     NETCUP_CHANGE("\"id\":\"{record}\"," NETCUP_RECORD
					   ",\"deleterecord\":true")}}}},
	{.provider = "dnspod",
	 .steps = {{.step = {"POST", DNSPOD "List", DNSPOD_WHO "&sub_domain={sub}&record_type=TXT",
			     .grammar = &dns_grammar_dnspod_list},
		    .list = {.path = "records",
			     .where = "name={sub},type=TXT",
			     .id = "id",
			     .value = "value",
			     .none = "status.code=10"}},
		   {.when = DNS_TXT_ADD,
		    .step = {"POST", DNSPOD "Create",
			     DNSPOD_WHO "&sub_domain={sub}&record_type=TXT&record_line_id=0&value={"
					"value}&ttl={ttl}"}},
		   {.when = DNS_TXT_REMOVE,
		    .step = {"POST", DNSPOD "Remove", DNSPOD_WHO "&record_id={record}"}}}},
	{.provider = "mythic-beasts", /* the value is the number */
	 .steps = {{.step = {.url = MYTHIC, .flags = DNS_STEP_FIND},
		    .list = {.path = "records", .where = "host={sub},type=TXT", .value = "data"}},
		   {.when = DNS_TXT_ADD,
		    .step = {"POST", MYTHIC,
			     "{\"records\":[{\"host\":\"{sub}\",\"ttl\":{ttl},\"type\":\"TXT\","
			     "\"data\":\"{value}\"}]}"}},
		   {.when = DNS_TXT_REMOVE,
		    .step = {"DELETE", MYTHIC "?data={value}", .flags = DNS_STEP_FIND}}}},

	/* ── sets ── */
	{.provider = "ns1",
	 .item = "{\"answer\":[\"{item}\"]}",
	 .steps = {{.step = {.url = NS1, .flags = DNS_STEP_FIND},
		    .list = {.path = "answers", .value = "answer.*", .verbatim = true}},
		   {.when = DNS_TXT_ADD | DNS_TXT_ALONE,
		    .step = {"PUT", NS1,
			     "{\"zone\":\"{zone}\",\"domain\":\"{host}\",\"type\":\"TXT\",\"ttl\":"
			     "{ttl},\"answers\":[{raw:values}]}"}},
		   {.when = DNS_TXT_BESIDE, .step = {"POST", NS1, "{\"answers\":[{raw:values}]}"}},
		   {.when = DNS_TXT_REMOVE | DNS_TXT_ALONE,
		    .step = {"DELETE", NS1, .flags = DNS_STEP_FIND}}}},
	{.provider = "hetzner",
	 .quoted = true,
	 .steps = {{.step = {.url = HETZNER, .flags = DNS_STEP_FIND},
		    .list = {.path = "rrset.records", .value = "value"}},
		   {.when = DNS_TXT_ADD | DNS_TXT_ALONE,
		    .step = {"POST", HETZNER "/actions/add_records",
			     "{\"ttl\":{ttl},\"records\":[{\"value\":\"{value}\"}]}"}},
		   {.when = DNS_TXT_ADD | DNS_TXT_BESIDE, /* the set has a TTL */
		    .step = {"POST", HETZNER "/actions/add_records",
			     "{\"records\":[{\"value\":\"{value}\"}]}"}},
		   {.when = DNS_TXT_REMOVE,
		    .step = {"POST", HETZNER "/actions/remove_records",
			     "{\"records\":[{\"value\":\"{value}\"}]}"}}}},
	{.provider = "gandi",
	 .quoted = true,
	 .item = "\"{item}\"",
	 .steps =
		 {{.step = {.url = GANDI, .flags = DNS_STEP_FIND},
		   .list = {.path = "rrset_values", .value = "", .ttl = "rrset_ttl"}},
		  {.when = DNS_TXT_ADD,
		   .step = {"PUT", GANDI, "{\"rrset_values\":[{raw:values}],\"rrset_ttl\":{ttl}}"}},
		  {.when = DNS_TXT_REMOVE | DNS_TXT_BESIDE,
		   .step = {"PUT", GANDI, "{\"rrset_values\":[{raw:values}],\"rrset_ttl\":{ttl}}"}},
		  {.when = DNS_TXT_REMOVE | DNS_TXT_ALONE,
		   .step = {"DELETE", GANDI, .flags = DNS_STEP_FIND}}}},
	{.provider = "godaddy",
	 .item = "{\"data\":\"{item}\",\"ttl\":{ttl}}",
	 .steps = {{.step = {.url = GODADDY, .flags = DNS_STEP_FIND},
		    .list = {.path = "", .value = "data", .ttl = "0.ttl"}},
		   {.when = DNS_TXT_ADD, .step = {"PUT", GODADDY, "[{raw:values}]"}},
		   {.when = DNS_TXT_REMOVE | DNS_TXT_BESIDE,
		    .step = {"PUT", GODADDY, "[{raw:values}]"}},
		   {.when = DNS_TXT_REMOVE | DNS_TXT_ALONE,
		    .step = {"DELETE", GODADDY, .flags = DNS_STEP_FIND}}}},
	{.provider = "desec",
	 .scope = DNS_TXT_ASKED,
	 .quoted = true,
	 .item = "\"{item}\"",
	 .header = "Authorization: Token {pass}",
	 .grammar = &desec_grammar,
	 .steps = {{.step = {.url = DESEC "/?owns_qname={host}",
			     .take = {{"zone", "*.name"}, {"ttl", "*.minimum_ttl"}}}},
		   {.step = {.url = DESEC "/{zone}/rrsets/{sub}/TXT/", .flags = DNS_STEP_FIND},
		    .list = {.path = "records", .value = ""}},
		   {.when = DNS_TXT_ADD | DNS_TXT_ALONE,
		    .step = {"POST", DESEC "/{zone}/rrsets/",
			     "{\"subname\":\"{sub0}\",\"type\":\"TXT\",\"ttl\":{ttl},\"records\":"
			     "[{raw:values}]}"}},
		   {.when = DNS_TXT_ADD | DNS_TXT_BESIDE,
		    .step = {"PATCH", DESEC "/{zone}/rrsets/{sub}/TXT/",
			     "{\"records\":[{raw:values}]}"}},
		   {.when = DNS_TXT_REMOVE, /* an empty set is none */
		    .step = {"PATCH", DESEC "/{zone}/rrsets/{sub}/TXT/",
			     "{\"records\":[{raw:values}]}", .flags = DNS_STEP_FIND}}}},
	{.provider = "route53",
	 .quoted = true,
	 .item = ROUTE53_ITEM("{item}"),
	 .steps = {{.step = {.url = ROUTE53 "?maxitems=1&name={host}.&type=TXT",
			     .grammar = &route53_list_grammar},
		    .list = {.xml = true}},
		   {.when = DNS_TXT_ADD,
		    .step = {"POST", ROUTE53, ROUTE53_CHANGE("UPSERT", "{raw:values}")}},
		   {.when = DNS_TXT_REMOVE | DNS_TXT_BESIDE,
		    .step = {"POST", ROUTE53, ROUTE53_CHANGE("UPSERT", "{raw:values}")}},
		   {.when = DNS_TXT_REMOVE | DNS_TXT_ALONE, /* as it is there, to the last byte */
		    .step = {"POST", ROUTE53, ROUTE53_CHANGE("DELETE", ROUTE53_ITEM("{value}"))}}}},

	/* ── one value ── */
	{.provider = "duckdns",
	 .scope = DNS_TXT_SINGLE,
	 .steps = {{.when = DNS_TXT_ADD,
		    .step = {.url = "https://www.duckdns.org/update?domains={sub}&token={pass}&txt="
				    "{value}"}},
		   {.when = DNS_TXT_REMOVE,
		    .step = {.url = "https://www.duckdns.org/update?domains={sub}&token={pass}&txt="
				    "{value}&clear=true"}}}},
};

const struct dns_txt_row *dns_txt_row_find(const struct dns_provider *provider)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (strcmp(rows[i].provider, provider->name) == 0)
			return &rows[i];
	return NULL;
}
