#include "dns/provider.h"

#include <string.h>

#include "base/cleanup.h"
#include "dns/template.h"
#include "dns/txt.h"

#define MINUTE 60
#define DAY    86400
#define USER   .basic = "{user}:{pass}"

/* hostname and myip, as Dyn invented it: one address, or both with a comma */
#define MYIP4	  .v4 = "&myip={ip4}"
#define MYIP6	  .v6 = "&myip={ip6}"
#define MYIP_LIST MYIP4, MYIP6, .both = "&myip={ip4},{ip6}"
#define MYIP_EACH MYIP4, MYIP6

#define DYNDNS2 USER, .grammar = &dns_grammar_dyndns2

/* "*" is a name like others where records are */
#define WILDCARDS .names = DNS_NAME_HOST | DNS_NAME_WILDCARD

static const struct dns_word domaindiscount_words[] = {
	{"code = 200", DNS_GOOD},
	{"description = invalid password ...", DNS_BADAUTH},
	{"description = authorization failed ...", DNS_NOHOST},
	{"description = abuse prevention triggered ...", DNS_RATE},
};

static const struct dns_grammar domaindiscount_grammar = {.name = "domaindiscount24",
							  .how = DNS_ANY_LINE,
							  .words = domaindiscount_words,
							  .n_words =
								  ARRAY_LEN(domaindiscount_words)};

static const struct dns_word dnsmadeeasy_words[] = {
	{"success ...", DNS_GOOD},
	{"error-record-ip-same ...", DNS_NOCHG},
	{"error-auth ...", DNS_BADAUTH},
	{"error-auth-suspend ...", DNS_ABUSE},
	{"error-auth-voided ...", DNS_BADAUTH},
	{"error-record-invalid ...", DNS_NOHOST},
	{"error-record-auto-ip ...", DNS_REFUSED},
	{"error-record ...", DNS_REFUSED},
	{"error-system ...", DNS_SERVER},
	{"error ...", DNS_SERVER},
};

static const struct dns_grammar dnsmadeeasy_grammar = {
	.name = "dnsmadeeasy", .words = dnsmadeeasy_words, .n_words = ARRAY_LEN(dnsmadeeasy_words)};

static const struct dns_word regfish_words[] = {
	{"success 100 ...", DNS_GOOD},	{"success 101 ...", DNS_NOCHG},
	{"error 401 ...", DNS_BADAUTH}, {"error 402 ...", DNS_BADAUTH},
	{"error 408 ...", DNS_REFUSED}, {"error 409 ...", DNS_REFUSED},
	{"error 412 ...", DNS_NOTFQDN}, {"error 414 ...", DNS_SERVER},
};

static const struct dns_grammar regfish_grammar = {.name = "regfish",
						   .separators = "|",
						   .words = regfish_words,
						   .n_words = ARRAY_LEN(regfish_words)};

/* A page; one of failure lists all reasons that there may be, and does not say which it is. */
static const struct dns_word ddnss_words[] = {
	{"updated 1 hostname. ...", DNS_GOOD}, {"no change ...", DNS_NOCHG},
	{"no change. ...", DNS_NOCHG},	       {"- badauth ...", DNS_BADAUTH},
	{"- notfqdn ...", DNS_BADAUTH},	       {"- badysys ...", DNS_BADAUTH},
	{"badauth ...", DNS_BADAUTH},	       {"notfqdn ...", DNS_NOTFQDN},
};

static const struct dns_grammar ddnss_grammar = {
	.name = "ddnss", .how = DNS_TEXT, .words = ddnss_words, .n_words = ARRAY_LEN(ddnss_words)};

/* "HOST (ADDRESS)" */
static const struct dns_word goip_words[] = {
	{"zugriff verweigert ...", DNS_BADAUTH},
	{"* *", DNS_GOOD},
	{"* * *", DNS_GOOD},
};

static const struct dns_grammar goip_grammar = {.name = "goip",
						.separators = "()",
						.echoes = true,
						.words = goip_words,
						.n_words = ARRAY_LEN(goip_words)};

static const struct dns_word changeip_words[] = {
	{"200 successful update ...", DNS_GOOD},
	{"401 ...", DNS_BADAUTH},
	{"422 ...", DNS_NOHOST},
};

static const struct dns_grammar changeip_grammar = {
	.name = "changeip", .words = changeip_words, .n_words = ARRAY_LEN(changeip_words)};

static const struct dns_word sitelutions_words[] = {
	{"success", DNS_GOOD},
	{"noauth ...", DNS_BADAUTH},
};

static const struct dns_grammar sitelutions_grammar = {
	.name = "sitelutions", .words = sitelutions_words, .n_words = ARRAY_LEN(sitelutions_words)};

static const struct dns_word enom_words[] = {
	{"errcount 0", DNS_GOOD},
	{"err1 passwords do not match ...", DNS_BADAUTH},
	{"err1 domain name not found ...", DNS_NOHOST},
	{"err1 ...", DNS_REFUSED},
};

static const struct dns_grammar enom_grammar = {.name = "enom",
						.how = DNS_ANY_LINE,
						.separators = "=",
						.words = enom_words,
						.n_words = ARRAY_LEN(enom_words)};

static const struct dns_word njalla_words[] = {
	{"record updated", DNS_GOOD},
	{"invalid host or key", DNS_BADAUTH},
};

static const struct dns_grammar njalla_grammar = {.name = "njalla",
						  .how = DNS_JSON,
						  .words = njalla_words,
						  .n_words = ARRAY_LEN(njalla_words),
						  .paths = {"message"},
						  .text = "message"};

static const struct dns_word truth_words[] = {{"true", DNS_GOOD}, {"false", DNS_REFUSED}};

static const struct dns_grammar is1984_grammar = {.name = "1984",
						  .how = DNS_JSON,
						  .words = truth_words,
						  .n_words = ARRAY_LEN(truth_words),
						  .paths = {"ok"},
						  .text = "msg"};

static const struct dns_grammar dondominio_grammar = {.name = "dondominio",
						      .how = DNS_JSON,
						      .words = truth_words,
						      .n_words = ARRAY_LEN(truth_words),
						      .paths = {"success"},
						      .text = "messages.0"};

static const struct dns_word directnic_words[] = {{"success", DNS_GOOD}, {"error", DNS_REFUSED}};

static const struct dns_grammar directnic_grammar = {.name = "directnic",
						     .how = DNS_JSON,
						     .words = directnic_words,
						     .n_words = ARRAY_LEN(directnic_words),
						     .paths = {"result"},
						     .text = "message"};

static const struct dns_word freedns_list_words[] = {
	{"error: could not authenticate. ...", DNS_BADAUTH},
	{"error: ...", DNS_REFUSED},
	{"...", DNS_GOOD},
};

static const struct dns_grammar freedns_list_grammar = {.name = "freedns-list",
							.words = freedns_list_words,
							.n_words = ARRAY_LEN(freedns_list_words)};

/* "locked": an action is under way, and no other is taken. */
static const struct dns_word reserved_ip_words[] = {{"true", DNS_PENDING}, {"false", DNS_GOOD}};

static const struct dns_grammar reserved_ip_grammar = {.name = "reserved-ip",
						       .how = DNS_JSON,
						       .words = reserved_ip_words,
						       .n_words = ARRAY_LEN(reserved_ip_words),
						       .statuses = {{404, DNS_NOHOST}},
						       .paths = {"reserved_ip.locked"},
						       .text = "message"};

/* 422: the droplet or the address has something else under way; or the droplet is in another region,
 * which it says in words only. */
static const struct dns_word reserved_action_words[] = {
	{"completed", DNS_GOOD},
	{"in-progress", DNS_PENDING},
	{"errored", DNS_SERVER},
};

static const struct dns_grammar reserved_action_grammar = {
	.name = "reserved-action",
	.how = DNS_JSON,
	.words = reserved_action_words,
	.n_words = ARRAY_LEN(reserved_action_words),
	.statuses = {{404, DNS_NOHOST}, {422, DNS_PENDING}},
	.paths = {"action.status"},
	.text = "message"};

#define RESERVED_NOTE                                                                              \
	"the name is the address, and key the number of the droplet that it is to lead to (on "    \
	"it: "                                                                                     \
	"http://169.254.169.254/metadata/v1/id); claimed when the agent starts and by homeport "   \
	"dns "                                                                                     \
	"update; token with reserved_ip:read, reserved_ip:update and droplet:read"

#define DNSPOD_WORDS                                                                               \
	{"1", DNS_GOOD}, {"-1", DNS_BADAUTH}, {"-2", DNS_RATE}, {"-8", DNS_ABUSE},                 \
		{"6", DNS_NOHOST}, {"7", DNS_NOT_YOURS},                                           \
	{                                                                                          \
		"21", DNS_REFUSED                                                                  \
	}
static const struct dns_word dnspod_words[] = {DNSPOD_WORDS};
static const struct dns_word dnspod_list_words[] = {{"10", DNS_GOOD} /* an empty list */,
						    DNSPOD_WORDS};

static const struct dns_grammar dnspod_grammar = {.name = "dnspod",
						  .how = DNS_JSON,
						  .words = dnspod_words,
						  .n_words = ARRAY_LEN(dnspod_words),
						  .paths = {"status.code"},
						  .text = "status.message"};

const struct dns_grammar dns_grammar_dnspod_list = {.name = "dnspod-list",
						       .how = DNS_JSON,
						       .words = dnspod_list_words,
						       .n_words = ARRAY_LEN(dnspod_list_words),
						       .paths = {"status.code"},
						       .text = "status.message"};

#define DNSPOD_WHO    "login_token={user}%2C{pass}&format=json&domain={zone}"
#define DNSPOD_RECORD "sub_domain={sub}&record_type={type}&record_line_id=0&value={value}&ttl={ttl}"

static const struct dns_grammar ionos_grammar = {
	.name = "ionos", .how = DNS_JSON, .statuses = {{404, DNS_NOHOST}}, .text = "0.message"};

static const struct dns_grammar mythic_grammar = {
	.name = "mythic-beasts", .how = DNS_JSON, .statuses = {{404, DNS_NOHOST}}, .text = "error"};

static const struct dns_word netcup_words[] = {{"success", DNS_GOOD}, {"error", DNS_REFUSED}};
static const struct dns_word netcup_login_words[] = {{"success", DNS_GOOD}, {"error", DNS_BADAUTH}};

static const struct dns_grammar netcup_grammar = {.name = "netcup",
						  .how = DNS_JSON,
						  .words = netcup_words,
						  .n_words = ARRAY_LEN(netcup_words),
						  .paths = {"status"},
						  .text = "longmessage"};

const struct dns_grammar dns_grammar_netcup_login = {.name = "netcup-login",
							.how = DNS_JSON,
							.words = netcup_login_words,
							.n_words = ARRAY_LEN(netcup_login_words),
							.paths = {"status"},
							.text = "longmessage"};

#define NETCUP	      "https://ccp.netcup.net/run/webservice/servers/endpoint.php?JSON"
#define NETCUP_WHO    "\"customernumber\":\"{user}\",\"apikey\":\"{key}\""
#define NETCUP_ZONE   "\"domainname\":\"{zone}\"," NETCUP_WHO ",\"apisessionid\":\"{session}\""
#define NETCUP_RECORD "\"hostname\":\"{sub}\",\"type\":\"{type}\",\"destination\":\"{value}\""

const struct dns_provider dns_providers[] = {
	/* ── one request, the dyndns2 family ── */
	{"dyn", "Dyn", "https://members.dyndns.org/v3/update?hostname={host}", MYIP_LIST, DYNDNS2,
	 .min_interval_s = 10 * MINUTE, .refresh_days = 28, .source = "help.dyn.com"},
	{"noip", "No-IP", "https://dynupdate.no-ip.com/nic/update?hostname={host}", MYIP_LIST,
	 DYNDNS2, .min_interval_s = 10 * MINUTE, .remind_days = 23,
	 .names = DNS_NAME_HOST | DNS_NAME_LABEL, .everything = "all.ddnskey.com",
	 .note = "free names must be confirmed on the web site every 30 days; no update does that; "
		 "the name may be a group, or all.ddnskey.com with a DDNS key",
	 .source = "noip.com/integrate/request"},
	{"strato", "Strato", "https://dyndns.strato.com/nic/update?hostname={host}", MYIP_LIST,
	 DYNDNS2, .source = "strato-faq.de"},
	{"dynu", "Dynu", "https://api.dynu.com/nic/update?hostname={host}",
	 .v4 = "&myip={ip4}&myipv6=no", .v6 = "&myip=no&myipv6={ip6}",
	 .both = "&myip={ip4}&myipv6={ip6}", DYNDNS2,
	 .source = "dynu.com/DynamicDNS/IP-Update-Protocol"},
	{"inwx", "INWX", "https://dyndns.inwx.com/nic/update", .both = "?myip={ip4}&myipv6={ip6}",
	 DYNDNS2,
	 .note = "an omitted family is reset, so both addresses are always sent; the account is "
		 "the "
		 "name",
	 .source = "inwx.com/en/nameserver2/dyndns"},
	{"ipv64", "IPv64.net", "https://ipv64.net/nic/update?key={pass}&domain={host}",
	 .v4 = "&ip={ip4}", .v6 = "&ip6={ip6}", .both = "&ip={ip4}&ip6={ip6}",
	 .prefix = "&ipv6prefix={prefix6}", .grammar = &dns_grammar_ipv64, .per_day = 48,
	 .hard_interval = true, .min_interval_s = 10, .account = {{48, DAY}, {3, 10}},
	 .source = "ipv64.net/dyndns_updater_api"},
	{"he", "Hurricane Electric DNS",
	 "https://dyn.dns.he.net/nic/update?hostname={host}&password={pass}", MYIP_EACH,
	 .grammar = &dns_grammar_dyndns2, .min_interval_s = 5 * MINUTE,
	 .source = "dns.he.net/docs.html"},
	{"tunnelbroker", "Hurricane Electric tunnel",
	 "https://ipv4.tunnelbroker.net/nic/update?hostname={host}", MYIP4, DYNDNS2,
	 .min_interval_s = 5 * MINUTE, .names = DNS_NAME_NUMBER,
	 .note = "the name is the tunnel's number; the address must answer ping",
	 .source = "forums.he.net/index.php?topic=3153"},
	{"nsupdate.info", "nsupdate.info", "https://{server}/nic/update?hostname={host}", MYIP_LIST,
	 .basic = "{host}:{pass}", .grammar = &dns_grammar_dyndns2, .server = "nsupdate.info",
	 .refresh_days = 200, .source = "nsupdateinfo.readthedocs.io"},
	{"ovh-dynhost", "OVH DynHost",
	 "https://www.ovh.com/nic/update?system=dyndns&hostname={host}", MYIP4, DYNDNS2,
	 .note = "IPv4 only, and the DynHost record must be there; ovh-api does both families",
	 .source = "help.ovhcloud.com/csm/en-dns-dynhost"},
	{"desec", "deSEC", "https://update.dedyn.io/?hostname={host}",
	 .v4 = "&myipv4={ip4}&myipv6=preserve", .v6 = "&myipv4=preserve&myipv6={ip6}",
	 .both = "&myipv4={ip4}&myipv6={ip6}", .basic = "{host}:{pass}",
	 .grammar = &dns_grammar_desec, .hard_interval = true, .min_interval_s = MINUTE,
	 .per_day = 300, .account = {{1, MINUTE}, {300, DAY}},
	 .note = "never refreshed without need: the terms forbid it",
	 .source = "desec.readthedocs.io/en/latest/dyndns/update-api.html"},
	{"dnsomatic", "DNS-O-Matic", "https://updates.dnsomatic.com/nic/update?hostname={host}",
	 .v4 = "&myip={ip4}&wildcard=NOCHG&mx=NOCHG&backmx=NOCHG", DYNDNS2,
	 .min_interval_s = 5 * MINUTE, .names = DNS_NAME_HOST | DNS_NAME_LABEL,
	 .everything = "all.dnsomatic.com",
	 .note = "all.dnsomatic.com is every service of the account",
	 .source = "dnsomatic.com/docs/api"},
	{"opendns", "OpenDNS", "https://updates.opendns.com/nic/update?hostname={host}", MYIP4,
	 DYNDNS2, .names = DNS_NAME_LABEL, .note = "the name is the label of a network",
	 .source = "support.opendns.com/hc/en-us/articles/227987727"},
	{"3322", "3322.org", "https://members.3322.net/dyndns/update?hostname={host}", MYIP4,
	 DYNDNS2, .source = "pubyun.com"},
	{"oray", "Oray", "https://ddns.oray.com/ph/update?hostname={host}", MYIP4, DYNDNS2,
	 .source = "service.oray.com/question/3820.html"},
	{"dy.fi", "dy.fi", "https://www.dy.fi/nic/update?hostname={host}", MYIP4, DYNDNS2,
	 .refresh_days = 6, .note = "a name is dropped after 7 days without an update",
	 .source = "dy.fi/page/specification"},
	{"do.de", "Domain-Offensive", "https://ddns.do.de/?hostname={host}", MYIP_EACH,
	 .prefix = "&ip6lanprefix={prefix6}", DYNDNS2, .source = "do.de/wiki/FlexDNS_-_Entwickler"},
	{"variomedia", "Variomedia", "https://dyndns.variomedia.de/nic/update?hostname={host}",
	 MYIP_LIST, DYNDNS2, .source = "dyndns.variomedia.de"},
	{"infomaniak", "Infomaniak", "https://infomaniak.com/nic/update?hostname={host}", MYIP_EACH,
	 DYNDNS2, .source = "faq.infomaniak.com/2357"},
	{"joker", "Joker.com", "https://svc.joker.com/nic/update?hostname={host}", MYIP_EACH,
	 DYNDNS2, .source = "joker.com/faq/content/11/427"},
	{"loopia", "Loopia", "https://dyndns.loopia.se/?hostname={host}", MYIP_EACH, DYNDNS2,
	 .source = "support.loopia.com/wiki/About_the_DynDNS_support"},
	{"selfhost", "selfHOST", "https://carol.selfhost.de/nic/update?hostname={host}", MYIP4,
	 DYNDNS2, .source = "selfhost.de"},
	{"spdyn", "Securepoint SPDYN", "https://update.spdyn.de/nic/update?hostname={host}",
	 MYIP_EACH, DYNDNS2, .note = "with an update token the user is the name itself",
	 .source = "wiki.securepoint.de/SPDNS"},
	{"domopoli", "Domopoli", "https://dyndns.domopoli.de/nic/update?hostname={host}", MYIP4,
	 DYNDNS2, .source = "domopoli.de/?page=howto"},
	{"itsdns", "it's DNS", "https://www.itsdns.de/update.php?hostname={host}", MYIP_EACH,
	 DYNDNS2, .source = "itsdns.de/dynupdatehelp.htm"},
	{"schokokeks", "schokokeks.org", "https://dyndns.schokokeks.org/nic/update?hostname={host}",
	 MYIP4, DYNDNS2, .source = "wiki.schokokeks.org/DynDNS"},
	{"udmedia", "UD Media", "https://www.udmedia.de/nic/update?hostname={host}", MYIP4, DYNDNS2,
	 .source = "udmedia.de/faq"},
	{"now-dns", "Now-DNS", "https://now-dns.com/update?hostname={host}", MYIP_EACH, DYNDNS2,
	 .source = "now-dns.com/?m=api"},
	{"myonlineportal", "MyOnlinePortal",
	 "https://myonlineportal.net/updateddns?hostname={host}", .v4 = "&ip={ip4}",
	 .v6 = "&ip6={ip6}", .both = "&ip={ip4}&ip6={ip6}", DYNDNS2,
	 .source = "myonlineportal.net/howto_dyndns"},
	{"twodns", "TwoDNS", "https://update.twodns.de/update?hostname={host}", .v4 = "&ip={ip4}",
	 DYNDNS2, .source = "twodns.de/en/api"},
	{"all-inkl", "ALL-INKL.COM", "https://dyndns.kasserver.com/", .v4 = "?myip={ip4}",
	 .v6 = "?myip6={ip6}", .both = "?myip={ip4}&myip6={ip6}", DYNDNS2,
	 .note = "the account is the name", .source = "all-inkl.com/wichtig/anleitungen"},
	{"core-networks", "Core-Networks", "https://dyndns.core-networks.de/?hostname={host}",
	 .v4 = "&myip={ip4}&keepipv6=1", .v6 = "&myip={ip6}&keepipv4=1",
	 .both = "&myip={ip4},{ip6}", DYNDNS2, .source = "iface.core-networks.de/general/api/ddns"},
	{"dnshome", "dnsHome.de", "https://www.dnshome.de/dyndns.php?hostname={host}",
	 .v4 = "&ip={ip4}", .v6 = "&ip6={ip6}", .both = "&ip={ip4}&ip6={ip6}",
	 .basic = "{host}:{pass}", .grammar = &dns_grammar_dyndns2, .source = "dnshome.de"},
	{"simply", "Simply.com", "https://api.simply.com/2/ddns/?hostname={host}", MYIP_EACH,
	 DYNDNS2, .note = "user is the account (S123456), password its API key",
	 .source = "simply.com/en/docs/api"},
	{"dynu-group", "Dynu, all names of a group",
	 "https://api.dynu.com/nic/update?location={host}", .v4 = "&myip={ip4}&myipv6=no",
	 .v6 = "&myip=no&myipv6={ip6}", .both = "&myip={ip4}&myipv6={ip6}", DYNDNS2,
	 .names = DNS_NAME_LABEL, .note = "the name is the group (\"location\")",
	 .source = "dynu.com/DynamicDNS/IP-Update-Protocol"},
	{"dynu-alias", "Dynu, a name below one of the account",
	 "https://api.dynu.com/nic/update?hostname={zone}&alias={sub}",
	 .v4 = "&myip={ip4}&myipv6=no", .v6 = "&myip=no&myipv6={ip6}",
	 .both = "&myip={ip4}&myipv6={ip6}", DYNDNS2,
	 .source = "dynu.com/DynamicDNS/IP-Update-Protocol"},
	{"dyndns2", "any server of the dyndns2 kind", "https://{server}/nic/update?hostname={host}",
	 MYIP_LIST, DYNDNS2, WILDCARDS, .source = "help.dyn.com"},

	/* ── one request, words of their own ── */
	{"duckdns", "DuckDNS", "https://www.duckdns.org/update?domains={sub}&token={pass}",
	 .v4 = "&ip={ip4}", .v6 = "&ipv6={ip6}", .both = "&ip={ip4}&ipv6={ip6}",
	 .grammar = &dns_grammar_duckdns, .zone = "duckdns.org",
	 .note = "one TXT value a name; it never says whether token or name is wrong",
	 .source = "duckdns.org/spec.jsp"},
	{"dynv6", "dynv6", "https://dynv6.com/api/update?zone={host}&token={pass}",
	 .v4 = "&ipv4={ip4}", .v6 = "&ipv6={ip6}", .both = "&ipv4={ip4}&ipv6={ip6}",
	 .prefix = "&ipv6prefix={prefix6}", .grammar = &dns_grammar_dynv6,
	 .source = "dynv6.com/docs/apis"},
	{"freedns", "FreeDNS (afraid.org), version 2", "https://sync.afraid.org/u/{pass}/",
	 .v4 = "?address={ip4}", .v6 = "?address={ip6}", .grammar = &dns_grammar_freedns,
	 .min_interval_s = 5 * MINUTE, .refresh_days = 150,
	 .note = "the token belongs to one record, of one family",
	 .source = "freedns.afraid.org/dynamic/v2"},
	{"freedns-v1", "FreeDNS (afraid.org), version 1",
	 "https://freedns.afraid.org/dynamic/update.php?{pass}", .v4 = "&address={ip4}",
	 .v6 = "&address={ip6}", .grammar = &dns_grammar_freedns, .min_interval_s = 5 * MINUTE,
	 .refresh_days = 150, .note = "the token belongs to one record, of one family",
	 .source = "freedns.afraid.org/dynamic"},
	{"freedns-user", "FreeDNS (afraid.org), version 2 with user and password",
	 "https://sync.afraid.org/u/?h={host}", .v4 = "&ip={ip4}", .v6 = "&ip={ip6}", USER,
	 .grammar = &dns_grammar_freedns, .min_interval_s = 5 * MINUTE, .refresh_days = 150,
	 .source = "freedns.afraid.org/dynamic/v2"},
	{"zoneedit", "ZoneEdit", "https://api.cp.zoneedit.com/dyn/generic.php?hostname={host}",
	 MYIP4, USER, .grammar = &dns_grammar_zoneedit, .hard_interval = true,
	 .min_interval_s = 10 * MINUTE,
	 .source = "support.zoneedit.com/en/knowledgebase/article/dynamic-dns"},
	{"easydns", "easyDNS", "https://api.cp.easydns.com/dyn/generic.php?hostname={host}",
	 MYIP_EACH, USER, .grammar = &dns_grammar_easydns, .hard_interval = true,
	 .min_interval_s = 10 * MINUTE, .source = "kb.easydns.com/knowledge/dynamic-dns"},
	{"namecheap", "Namecheap",
	 "https://dynamicdns.park-your-domain.com/update?host={sub}&domain={zone}&password={pass}",
	 .v4 = "&ip={ip4}", .grammar = &dns_grammar_namecheap, .min_interval_s = 5 * MINUTE,
	 WILDCARDS, .note = "IPv4 only",
	 .source = "namecheap.com/support/knowledgebase/article.aspx/29"},
	{"freemyip", "freemyip.com", "https://freemyip.com/update?token={pass}&domain={host}",
	 MYIP_EACH, .grammar = &dns_grammar_words, .source = "freemyip.com/help"},
	{"dnsmadeeasy", "DNS Made Easy",
	 "https://cp.dnsmadeeasy.com/servlet/updateip?username={user}&password={pass}&id={host}",
	 .v4 = "&ip={ip4}", .grammar = &dnsmadeeasy_grammar, .names = DNS_NAME_NUMBER,
	 .note = "the name is the record's number",
	 .source = "dnsmadeeasy.com/technology/dynamic-dns"},
	{"domaindiscount24", "domaindiscount24, Moniker, Key-Systems",
	 "https://dynamicdns.key-systems.net/update.php?hostname={host}&password={pass}",
	 .v4 = "&ip={ip4}", .grammar = &domaindiscount_grammar, .hard_interval = true,
	 .min_interval_s = 30 * MINUTE, .source = "domaindiscount24.com/faq/dynamic-dns"},
	{"regfish", "regfish", "https://dyndns.regfish.de/?fqdn={host}&token={pass}",
	 .v4 = "&ipv4={ip4}", .v6 = "&ipv6={ip6}", .both = "&ipv4={ip4}&ipv6={ip6}",
	 .grammar = &regfish_grammar, .source = "regfish.de/domains/dyndns/dokumentation"},
	{"servercow", "servercow",
	 "https://www.servercow.de/dnsupdate/"
	 "update.php?username={user}&pass={pass}&hostname={host}",
	 .v4 = "&ipaddr={ip4}", .v6 = "&ipaddr={ip6}", .grammar = &dns_grammar_words,
	 .source = "servercow.de"},

	{"ddnss", "DDNSS.de", "https://www.ddnss.de/upd.php?user={user}&pwd={pass}&host={host}",
	 .v4 = "&ip={ip4}", .v6 = "&ip6={ip6}", .both = "&ip={ip4}&ip6={ip6}",
	 .grammar = &ddnss_grammar, .source = "ddnss.de"},
	{"goip", "GoIP.de",
	 "https://www.goip.de/"
	 "setip?username={user}&password={pass}&subdomain={host}&shortResponse=true",
	 .v4 = "&ip={ip4}", .v6 = "&ip6={ip6}", .grammar = &goip_grammar,
	 .source = "goip.de/update-url.html"},
	{"ionos", "IONOS, by an update URL",
	 "https://ipv4.api.hosting.ionos.com/dns/v1/dyndns?q={pass}", .v4 = "&ipv4={ip4}",
	 .v6 = "&ipv6={ip6}", .both = "&ipv4={ip4}&ipv6={ip6}", .grammar = &dns_grammar_api,
	 .note = "the password is what stands behind \"q=\" in the URL; it is for certain names, "
		 "and "
		 "changes all of them",
	 .source = "developer.hosting.ionos.com/docs/dns"},
	{"domeneshop", "Domeneshop", "https://api.domeneshop.no/v0/dyndns/update?hostname={host}",
	 MYIP_LIST, USER, .grammar = &dns_grammar_api,
	 .note = "user is the API token, password its secret", .source = "api.domeneshop.no/docs"},
	{"njalla", "Njalla", "https://njal.la/update/?h={host}&k={pass}", .v4 = "&a={ip4}",
	 .v6 = "&aaaa={ip6}", .both = "&a={ip4}&aaaa={ip6}", .grammar = &njalla_grammar,
	 .source = "njal.la/docs/ddns"},
	{"1984", "1984 Hosting", "https://api.1984.is/1.0/freedns/?apikey={pass}&domain={host}",
	 .v4 = "&ip={ip4}", .grammar = &is1984_grammar, .source = "api.1984.is/1.0/freedns"},
	{"dondominio", "DonDominio",
	 "https://dondns.dondominio.com/json/?user={user}&password={pass}&host={host}",
	 .v4 = "&ip={ip4}", .grammar = &dondominio_grammar,
	 .source = "dev.dondominio.com/dondns/docs/api"},
	{"ddns.fm", "ddns.fm", "https://api.ddns.fm/update?key={pass}&domain={host}", MYIP_EACH,
	 .grammar = &dns_grammar_api, .source = "ddns.fm/docs"},
	{"changeip", "ChangeIP.com", "https://nic.changeip.com/nic/update?hostname={host}",
	 .v4 = "&ip={ip4}", USER, .grammar = &changeip_grammar, .source = "changeip.com"},
	{"directnic", "Directnic", "https://directnic.com/dns/gateway/{pass}/", .v4 = "?data={ip4}",
	 .v6 = "?data={ip6}", .grammar = &directnic_grammar,
	 .note = "the password is the last part of the gateway's URL; it belongs to one record, of "
		 "one family",
	 .source = "directnic.com/knowledge/article/3726"},
	{"sitelutions", "Sitelutions",
	 "https://www.sitelutions.com/dnsup?user={user}&pass={pass}&id={host}", .v4 = "&ip={ip4}",
	 .grammar = &sitelutions_grammar, .names = DNS_NAME_NUMBER,
	 .note = "the name is the record's number",
	 .source = "sitelutions.com/help/dynamic_dns_clients"},
	{"enom", "Enom",
	 "https://dynamic.name-services.com/"
	 "interface.asp?Command=SetDNSHost&HostName={sub}&Zone={zone}&DomainPassword={pass}",
	 .v4 = "&Address={ip4}", .grammar = &enom_grammar, WILDCARDS,
	 .source = "api.enom.com/docs/setdnshost"},

	/* ── records of an interface ── */
	{"cloudflare", "Cloudflare",
	 .steps = {{.url = "https://api.cloudflare.com/client/v4/zones?name={zone}",
		    .flags = DNS_STEP_NEEDED,
		    .take = {{"zone_id", "result.*.id"}}},
		   {.url = "https://api.cloudflare.com/client/v4/zones/{zone_id}/dns_records"
			   "?type={type}&name={host}",
		    .flags = DNS_STEP_FIND,
		    .take = {{"record", "result.*.id"}, {"content", "result.*.content"}}},
		   {"PATCH",
		    "https://api.cloudflare.com/client/v4/zones/{zone_id}/dns_records/{record}",
		    "{\"content\":\"{value}\"}", .flags = DNS_STEP_IF_RECORD},
		   {"POST", "https://api.cloudflare.com/client/v4/zones/{zone_id}/dns_records",
		    "{\"type\":\"{type}\",\"name\":\"{host}\",\"content\":\"{value}\",\"ttl\":{ttl}"
		    ","
		    "\"proxied\":false}",
		    .flags = DNS_STEP_IF_NONE}},
	 .header = "Authorization: Bearer {pass}", .grammar = &dns_grammar_cloudflare,
	 .min_interval_s = 5 * MINUTE, .ttl_min_s = 60, WILDCARDS,
	 .account = {{400, 5 * MINUTE}}, /* 1200 requests, three for an update */
	 .note = "token with Zone.DNS:Edit and Zone.Zone:Read; \"proxied\" and TTL stay as they "
		 "are, "
		 "and a proxied name carries HTTP and HTTPS only",
	 .source = "developers.cloudflare.com/api/resources/dns"},
	{"digitalocean", "DigitalOcean",
	 .steps = {{.url = "https://api.digitalocean.com/v2/domains/{zone}/records"
			   "?type={type}&name={host}",
		    .take = {{"record", "domain_records.*.id"},
			     {"content", "domain_records.*.data"}}},
		   {"PATCH", "https://api.digitalocean.com/v2/domains/{zone}/records/{record}",
		    "{\"type\":\"{type}\",\"data\":\"{value}\"}", .flags = DNS_STEP_IF_RECORD},
		   {"POST", "https://api.digitalocean.com/v2/domains/{zone}/records",
		    "{\"type\":\"{type}\",\"name\":\"{sub}\",\"data\":\"{value}\",\"ttl\":{ttl}}",
		    .flags = DNS_STEP_IF_NONE}},
	 .header = "Authorization: Bearer {pass}", .grammar = &dns_grammar_api, .ttl_min_s = 30,
	 WILDCARDS,
	 .account = {{125, MINUTE},
		     {2500, 60 * MINUTE}}, /* 250 and 5000 requests, two for an update */
	 .source = "docs.digitalocean.com/reference/api"},
	{"digitalocean-reserved-ip", "DigitalOcean, a reserved IPv4 address",
	 .steps = {{.url = "https://api.digitalocean.com/v2/reserved_ips/{host}",
		    .grammar = &reserved_ip_grammar,
		    .take = {{"content", "reserved_ip.droplet.id"}}},
		   {"POST", "https://api.digitalocean.com/v2/reserved_ips/{host}/actions",
		    "{\"type\":\"assign\",\"droplet_id\":{key}}"}},
	 .header = "Authorization: Bearer {pass}", .grammar = &reserved_action_grammar,
	 .names = DNS_NAME_ADDRESS, .families = DNS_CAN_A, .claim = "key", .note = RESERVED_NOTE,
	 .source = "docs.digitalocean.com/reference/api/reference/reserved-ips"},
	{"digitalocean-reserved-ipv6", "DigitalOcean, a reserved IPv6 address",
	 .steps = {{.url = "https://api.digitalocean.com/v2/reserved_ipv6/{raw:host}",
		    .grammar = &dns_grammar_api,
		    .take = {{"content", "droplet.id"}, {"content", "reserved_ipv6.droplet.id"}}},
		   {"POST", "https://api.digitalocean.com/v2/reserved_ipv6/{raw:host}/actions",
		    "{\"type\":\"assign\",\"droplet_id\":{key}}"}},
	 .header = "Authorization: Bearer {pass}", .grammar = &reserved_action_grammar,
	 .names = DNS_NAME_ADDRESS, .families = DNS_CAN_AAAA, .claim = "key", .note = RESERVED_NOTE,
	 .source = "docs.digitalocean.com/reference/api/reference/reserved-ipv6"},
	{"hetzner", "Hetzner Cloud DNS",
	 .steps = {{.url = "https://api.hetzner.cloud/v1/zones/{zone}/rrsets/{sub}/{type}",
		    .flags = DNS_STEP_FIND,
		    .take = {{"record", "rrset.id"}, {"content", "rrset.records.*.value"}}},
		   {"POST",
		    "https://api.hetzner.cloud/v1/zones/{zone}/rrsets/{sub}/{type}/actions/"
		    "set_records",
		    "{\"records\":[{\"value\":\"{value}\"}]}", .flags = DNS_STEP_IF_RECORD},
		   {"POST", "https://api.hetzner.cloud/v1/zones/{zone}/rrsets",
		    "{\"name\":\"{sub}\",\"type\":\"{type}\",\"ttl\":{ttl},"
		    "\"records\":[{\"value\":\"{value}\"}]}",
		    .flags = DNS_STEP_IF_NONE}},
	 .header = "Authorization: Bearer {pass}", .grammar = &dns_grammar_hetzner,
	 .min_interval_s = MINUTE, .ttl_min_s = 60, WILDCARDS, .source = "docs.hetzner.cloud"},
	{"gandi", "Gandi LiveDNS",
	 .steps = {{.url = "https://api.gandi.net/v5/livedns/domains/{zone}/records/{sub}/{type}",
		    .flags = DNS_STEP_FIND,
		    .take = {{"record", "rrset_name"}, {"content", "rrset_values.*"}}},
		   {"PUT", "https://api.gandi.net/v5/livedns/domains/{zone}/records/{sub}/{type}",
		    "{\"rrset_values\":[\"{value}\"],\"rrset_ttl\":{ttl}}"}},
	 .header = "Authorization: Bearer {pass}", .grammar = &dns_grammar_api,
	 .min_interval_s = 5 * MINUTE, .ttl_min_s = 300, WILDCARDS,
	 .source = "api.gandi.net/docs/livedns"},
	{"porkbun", "Porkbun",
	 .steps = {{"POST",
		    "https://api.porkbun.com/api/json/v3/dns/retrieveByNameType/{zone}/{type}/"
		    "{sub0}",
		    "{\"apikey\":\"{user}\",\"secretapikey\":\"{pass}\"}", .flags = DNS_STEP_READS,
		    .take = {{"record", "records.*.id"}, {"content", "records.*.content"}}},
		   {"POST",
		    "https://api.porkbun.com/api/json/v3/dns/editByNameType/{zone}/{type}/{sub0}",
		    "{\"apikey\":\"{user}\",\"secretapikey\":\"{pass}\",\"content\":\"{value}\","
		    "\"ttl\":\"{ttl}\"}",
		    .flags = DNS_STEP_IF_RECORD},
		   {"POST", "https://api.porkbun.com/api/json/v3/dns/create/{zone}",
		    "{\"apikey\":\"{user}\",\"secretapikey\":\"{pass}\",\"name\":\"{sub0}\","
		    "\"type\":\"{type}\",\"content\":\"{value}\",\"ttl\":\"{ttl}\"}",
		    .flags = DNS_STEP_IF_NONE}},
	 .grammar = &dns_grammar_porkbun, .ttl_min_s = 600, WILDCARDS,
	 .note = "\"API ACCESS\" must be switched on for the domain; a new domain's ALIAS or CNAME "
		 "to "
		 "pixie.porkbun.com must be removed first",
	 .source = "porkbun.com/api/json/v3/documentation"},
	{"linode", "Linode",
	 .steps = {{.url = "https://api.linode.com/v4/domains",
		    .header = "X-Filter: {\"domain\":\"{zone}\"}",
		    .flags = DNS_STEP_NEEDED,
		    .take = {{"zone_id", "data.*.id"}}},
		   {.url = "https://api.linode.com/v4/domains/{zone_id}/records?page_size=500",
		    .flags = DNS_STEP_FIND,
		    .take = {{"record", "data[type={type},name={sub0}].id"},
			     {"content", "data[type={type},name={sub0}].target"}}},
		   {"PUT", "https://api.linode.com/v4/domains/{zone_id}/records/{record}",
		    "{\"target\":\"{value}\"}", .flags = DNS_STEP_IF_RECORD},
		   {"POST", "https://api.linode.com/v4/domains/{zone_id}/records",
		    "{\"type\":\"{type}\",\"name\":\"{sub0}\",\"target\":\"{value}\",\"ttl_sec\":{"
		    "ttl}}",
		    .flags = DNS_STEP_IF_NONE}},
	 .header = "Authorization: Bearer {pass}", .grammar = &dns_grammar_linode, .ttl_min_s = 300,
	 WILDCARDS, .source = "techdocs.akamai.com/linode-api"},
	{"vultr", "Vultr",
	 .steps = {{.url = "https://api.vultr.com/v2/domains/{zone}/records?per_page=500",
		    .take = {{"record", "records[type={type},name={sub0}].id"},
			     {"content", "records[type={type},name={sub0}].data"}}},
		   {"PATCH", "https://api.vultr.com/v2/domains/{zone}/records/{record}",
		    "{\"data\":\"{value}\"}", .flags = DNS_STEP_IF_RECORD},
		   {"POST", "https://api.vultr.com/v2/domains/{zone}/records",
		    "{\"name\":\"{sub0}\",\"type\":\"{type}\",\"data\":\"{value}\",\"ttl\":{ttl}}",
		    .flags = DNS_STEP_IF_NONE}},
	 .header = "Authorization: Bearer {pass}", .grammar = &dns_grammar_vultr, .ttl_min_s = 60,
	 WILDCARDS, .note = "an access list by source address at Vultr can lock a home line out",
	 .source = "vultr.com/api"},
	{"godaddy", "GoDaddy",
	 .steps = {{.url = "https://api.godaddy.com/v1/domains/{zone}/records/{type}/{sub}",
		    .take = {{"record", "*.name"}, {"content", "*.data"}}},
		   {"PUT", "https://api.godaddy.com/v1/domains/{zone}/records/{type}/{sub}",
		    "[{\"data\":\"{value}\",\"ttl\":{ttl}}]"}},
	 .header = "Authorization: sso-key {user}:{pass}", .grammar = &dns_grammar_api,
	 .min_interval_s = 5 * MINUTE, .ttl_min_s = 600, WILDCARDS,
	 .note = "only for accounts with ten domains or a Discount Domain Club plan: others are "
		 "refused with 403",
	 .source = "developer.godaddy.com/doc/endpoint/domains"},
	{"ovh-api", "OVH",
	 .steps = {{.url = "https://eu.api.ovh.com/1.0/auth/time",
		    .flags = DNS_STEP_NEEDED | DNS_STEP_UNSIGNED,
		    .take = {{"time", ""}}},
		   {.url = "https://eu.api.ovh.com/1.0/domain/zone/{zone}/record"
			   "?fieldType={type}&subDomain={sub0}",
		    .take = {{"record", "*"}}},
		   {.url = "https://eu.api.ovh.com/1.0/domain/zone/{zone}/record/{record}",
		    .flags = DNS_STEP_IF_RECORD,
		    .take = {{"content", "target"}}},
		   {"PUT", "https://eu.api.ovh.com/1.0/domain/zone/{zone}/record/{record}",
		    "{\"target\":\"{value}\"}", .flags = DNS_STEP_IF_RECORD},
		   {"POST", "https://eu.api.ovh.com/1.0/domain/zone/{zone}/record",
		    "{\"fieldType\":\"{type}\",\"subDomain\":\"{sub0}\",\"target\":\"{value}\","
		    "\"ttl\":{ttl}}",
		    .flags = DNS_STEP_IF_NONE},
		   {"POST", "https://eu.api.ovh.com/1.0/domain/zone/{zone}/refresh", ""}},
	 .header = "X-Ovh-Application: {user}\nX-Ovh-Consumer: {key}\nX-Ovh-Timestamp: {time}\n"
		   "X-Ovh-Signature: {signature}",
	 .signature = DNS_SIGN_OVH, .grammar = &dns_grammar_api, .ttl_min_s = 60, WILDCARDS,
	 .note = "user is the application key, password its secret, key the consumer key",
	 .source = "eu.api.ovh.com/console"},
	{"ionos-api", "IONOS",
	 .steps = {{.url = "https://api.hosting.ionos.com/dns/v1/zones",
		    .flags = DNS_STEP_NEEDED,
		    .take = {{"zone_id", "[name={zone}].id"}}},
		   {.url = "https://api.hosting.ionos.com/dns/v1/zones/{zone_id}"
			   "?recordName={host}&recordType={type}",
		    .take = {{"record", "records[name={host},type={type}].id"},
			     {"content", "records[name={host},type={type}].content"}}},
		   {"PUT", "https://api.hosting.ionos.com/dns/v1/zones/{zone_id}/records/{record}",
		    "{\"content\":\"{value}\",\"ttl\":{ttl},\"prio\":0,\"disabled\":false}",
		    .flags = DNS_STEP_IF_RECORD},
		   {"POST", "https://api.hosting.ionos.com/dns/v1/zones/{zone_id}/records",
		    "[{\"name\":\"{host}\",\"type\":\"{type}\",\"content\":\"{value}\",\"ttl\":{"
		    "ttl},"
		    "\"prio\":0,\"disabled\":false}]",
		    .flags = DNS_STEP_IF_NONE}},
	 .header = "X-API-Key: {pass}", .grammar = &ionos_grammar, .ttl_min_s = 60, WILDCARDS,
	 .note = "the password is PREFIX.SECRET of an API key",
	 .source = "developer.hosting.ionos.com/docs/dns"},
	{"mythic-beasts", "Mythic Beasts",
	 .steps = {{.url = "https://api.mythic-beasts.com/dns/v2/zones/{zone}/records/{sub}/{type}",
		    .flags = DNS_STEP_FIND,
		    .take = {{"record", "records.*.host"}, {"content", "records.*.data"}}},
		   {"PUT", "https://api.mythic-beasts.com/dns/v2/zones/{zone}/records/{sub}/{type}",
		    "{\"records\":[{\"host\":\"{sub}\",\"ttl\":{ttl},\"type\":\"{type}\","
		    "\"data\":\"{value}\"}]}"}},
	 .basic = "{user}:{pass}", .grammar = &mythic_grammar, .ttl_min_s = 60, WILDCARDS,
	 .note = "user is the API key's ID, password its secret",
	 .source = "mythic-beasts.com/support/api/dnsv2"},
	{"ns1", "NS1",
	 .steps = {{.url = "https://api.nsone.net/v1/zones/{zone}/{host}/{type}",
		    .flags = DNS_STEP_FIND,
		    .take = {{"record", "id"}, {"content", "answers.*.answer.*"}}},
		   {"POST", "https://api.nsone.net/v1/zones/{zone}/{host}/{type}",
		    "{\"answers\":[{\"answer\":[\"{value}\"]}]}", .flags = DNS_STEP_IF_RECORD},
		   {"PUT", "https://api.nsone.net/v1/zones/{zone}/{host}/{type}",
		    "{\"zone\":\"{zone}\",\"domain\":\"{host}\",\"type\":\"{type}\",\"ttl\":{ttl},"
		    "\"answers\":[{\"answer\":[\"{value}\"]}]}",
		    .flags = DNS_STEP_IF_NONE}},
	 .header = "X-NSONE-Key: {pass}", .grammar = &dns_grammar_api, .ttl_min_s = 60, WILDCARDS,
	 .source = "ns1.com/api"},
	{"netcup", "netcup",
	 .steps = {{"POST", NETCUP,
		    "{\"action\":\"login\",\"param\":{" NETCUP_WHO ",\"apipassword\":\"{pass}\"}}",
		    .flags = DNS_STEP_NEEDED | DNS_STEP_READS, .grammar = &dns_grammar_netcup_login,
		    .take = {{"session", "responsedata.apisessionid"}}},
		   {"POST", NETCUP, "{\"action\":\"infoDnsRecords\",\"param\":{" NETCUP_ZONE "}}",
		    .flags = DNS_STEP_READS,
		    .take = {{"record", "responsedata.dnsrecords[hostname={sub},type={type}].id"},
			     {"content",
			      "responsedata.dnsrecords[hostname={sub},type={type}].destination"}}},
		   {"POST", NETCUP,
		    "{\"action\":\"updateDnsRecords\",\"param\":{" NETCUP_ZONE
		    ",\"dnsrecordset\":{\"dnsrecords\":[{\"id\":\"{record}\"," NETCUP_RECORD
		    "}]}}}",
		    .flags = DNS_STEP_IF_RECORD},
		   {"POST", NETCUP,
		    "{\"action\":\"updateDnsRecords\",\"param\":{" NETCUP_ZONE
		    ",\"dnsrecordset\":{\"dnsrecords\":[{" NETCUP_RECORD "}]}}}",
		    .flags = DNS_STEP_IF_NONE}},
	 .grammar = &netcup_grammar, WILDCARDS,
	 .note = "user is the customer's number, key the API key, password its password; the TTL "
		 "is the "
		 "zone's",
	 .source = "ccp.netcup.net/run/webservice/servers/endpoint.php"},
	{"dnspod", "DNSPod",
	 .steps = {{"POST", "https://dnsapi.cn/Record.List",
		    DNSPOD_WHO "&sub_domain={sub}&record_type={type}", .flags = DNS_STEP_READS,
		    .grammar = &dns_grammar_dnspod_list,
		    .take = {{"record", "records[name={sub},type={type},line_id=0].id"},
			     {"content", "records[name={sub},type={type},line_id=0].value"}}},
		   {"POST", "https://dnsapi.cn/Record.Modify",
		    DNSPOD_WHO "&record_id={record}&" DNSPOD_RECORD, .flags = DNS_STEP_IF_RECORD},
		   {"POST", "https://dnsapi.cn/Record.Create", DNSPOD_WHO "&" DNSPOD_RECORD,
		    .flags = DNS_STEP_IF_NONE}},
	 .grammar = &dnspod_grammar, .ttl_min_s = 600, WILDCARDS,
	 .note = "user is the token's ID, password the token; of the default line",
	 .source = "docs.dnspod.cn/api"},
	{"dnsexit", "DNSExit",
	 .steps = {{"POST", "https://api.dnsexit.com/dns/",
		    "{\"apikey\":\"{pass}\",\"domain\":\"{zone}\",\"update\":{\"type\":\"{type}\","
		    "\"name\":\"{host}\",\"content\":\"{value}\",\"overwrite\":true}}"}},
	 .grammar = &dns_grammar_dnsexit, .source = "dnsexit.com/dns/dns-api"},
	{"route53", "Amazon Route 53",
	 .steps = {{"POST", "https://route53.amazonaws.com/2013-04-01/hostedzone/{key}/rrset",
		    "<ChangeResourceRecordSetsRequest xmlns=\"https://route53.amazonaws.com/doc/"
		    "2013-04-01/\"><ChangeBatch><Changes><Change><Action>UPSERT</Action>"
		    "<ResourceRecordSet><Name>{host}.</Name><Type>{type}</Type><TTL>{ttl}</TTL>"
		    "<ResourceRecords><ResourceRecord><Value>{value}</Value></ResourceRecord>"
		    "</ResourceRecords></ResourceRecordSet></Change></Changes></ChangeBatch>"
		    "</ChangeResourceRecordSetsRequest>"}},
	 .signature = DNS_SIGN_AWS, .grammar = &dns_grammar_route53, WILDCARDS,
	 .account = {{50, 10}},
	 .note = "user is the access key, password its secret, key the hosted zone's ID",
	 .source = "docs.aws.amazon.com/Route53/latest/APIReference"},

	{"freedns-list", "FreeDNS (afraid.org), by its list",
	 .steps = {{.url = "https://freedns.afraid.org/api/?action=getdyndns&v=2&sha={sha}",
		    .grammar = &freedns_list_grammar,
		    .flags = DNS_STEP_NEEDED,
		    .take = {{"record", "|2"}, {"content", "|1"}}},
		   {.url = "{raw:record}&address={value}", .within = "afraid.org"}},
	 .grammar = &dns_grammar_freedns, .min_interval_s = 5 * MINUTE, .refresh_days = 150,
	 .note = "finds the token of each family's record by itself",
	 .source = "freedns.afraid.org/api"},

	/* ── DNS UPDATE ── */
	{"rfc2136", "DNS UPDATE with a key", .rfc2136 = true, .ttl_min_s = 1, WILDCARDS,
	 .note = "user is the key's name (hmac-sha256:NAME for another algorithm), password its "
		 "secret in "
		 "base64",
	 .source = "RFC 2136, RFC 8945"},

	/* ── closed ── */
	{"google-domains", "Google Domains",
	 .closed = "Google sold its domains in 2023; Squarespace, which has them since July 2024, "
		   "offers "
		   "no dynamic DNS: move the zone to another provider"},
	{"hetzner-dns", "Hetzner DNS console",
	 .closed = "dns.hetzner.com was switched off in May 2026: use provider = hetzner with a "
		   "token of "
		   "the Cloud console"},
};

const size_t dns_providers_count = ARRAY_LEN(dns_providers);

const struct dns_provider *dns_provider_find(struct str name)
{
	for (size_t i = 0; i < dns_providers_count; i++)
		if (str_eq(name, str_of(dns_providers[i].name)))
			return &dns_providers[i];
	return NULL;
}

unsigned dns_provider_can(const struct dns_provider *p)
{
	unsigned can = dns_txt_row_find(p) ? DNS_CAN_TXT : 0;

	if (p->rfc2136)
		return DNS_CAN_A | DNS_CAN_AAAA | DNS_CAN_BOTH | DNS_CAN_TXT;
	if (p->steps[0].url)
		return can | (p->families ? p->families : DNS_CAN_A | DNS_CAN_AAAA);
	if (p->v4 || p->both)
		can |= DNS_CAN_A;
	if (p->v6 || p->both)
		can |= DNS_CAN_AAAA;
	if (p->both)
		can |= p->v4 || p->v6 ? DNS_CAN_BOTH : DNS_CAN_BOTH | DNS_CAN_ONLY_BOTH;
	if (p->prefix)
		can |= DNS_CAN_PREFIX;
	return can;
}

int dns_provider_check_families(const struct dns_provider *p, bool no4, bool no6, bool prefix,
				struct err *e)
{
	unsigned can = dns_provider_can(p);

	if (can & DNS_CAN_ONLY_BOTH && (no4 || no6))
		return err_set(e, ERR_INVALID,
			       "provider %s takes both families at once, and resets one that is "
			       "left out",
			       p->name);
	if ((!no4 && (can & DNS_CAN_A)) ||
	    (!no6 && (can & (prefix ? DNS_CAN_PREFIX : DNS_CAN_AAAA))))
		return 0;
	return err_set(e, ERR_INVALID, "provider %s has no %s addresses", p->name,
		       no4 ? "IPv6" : "IPv4");
}

static bool step_uses(const struct dns_step *step, const char *variable)
{
	for (size_t i = 0; i < DNS_TAKES_MAX; i++)
		if (dns_template_uses(step->take[i].path, variable))
			return true;
	return dns_template_uses(step->url, variable) || dns_template_uses(step->body, variable) ||
	       dns_template_uses(step->header, variable);
}

static bool text_uses(const struct dns_provider *p, const char *variable)
{
	const char *const texts[] = {p->url,	p->v4,	 p->v6,	   p->both,
				     p->prefix, p->body, p->basic, p->header};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (dns_template_uses(texts[i], variable))
			return true;
	for (size_t i = 0; i < DNS_STEPS_MAX; i++)
		if (step_uses(&p->steps[i], variable))
			return true;
	return false;
}

bool dns_provider_uses(const struct dns_provider *p, const char *variable)
{
	bool hidden =
		p->signature == DNS_SIGN_AWS || text_uses(p, "sha"); /* in a signature, a hash */

	return text_uses(p, variable) ||
	       (hidden && (strcmp(variable, "user") == 0 || strcmp(variable, "pass") == 0));
}

bool dns_step_reads(const struct dns_step *step)
{
	return step->take[0].name && (!step->method || step->flags & DNS_STEP_READS);
}

bool dns_provider_looks_first(const struct dns_provider *p)
{
	for (size_t i = 0; i < DNS_STEPS_MAX; i++)
		for (size_t j = 0; j < DNS_TAKES_MAX; j++)
			if (p->steps[i].take[j].name &&
			    strcmp(p->steps[i].take[j].name, "content") == 0)
				return true;
	return false;
}
