#include "test.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "dns/request.h"

#define AGENT "User-Agent: ...\n"

/* "me@example.org:s3 cret/+" and "home.example.org:s3 cret/+" */
#define BASIC	   AGENT "Authorization: Basic bWVAZXhhbXBsZS5vcmc6czMgY3JldC8r\n"
#define BASIC_HOST AGENT "Authorization: Basic aG9tZS5leGFtcGxlLm9yZzpzMyBjcmV0Lys=\n"

#define IP4    "192.0.2.1"
#define IP6    "2001:db8::1"
#define HOST   "home.example.org"
#define NUMBER "1234567"
#define PASS   "s3%20cret%2F%2B"
#define USER_  "me%40example.org"

struct expected {
	const char *provider;
	enum dns_what what;
	const char *bytes; /* method, URL, headers */
};

/* As the documentation of each provider has it; values percent-encoded. */
static const struct expected expected[] = {
	{"dyn", DNS_A,
	 "GET https://members.dyndns.org/v3/update?hostname=" HOST "&myip=" IP4 "\n" BASIC},
	{"dyn", DNS_AAAA,
	 "GET https://members.dyndns.org/v3/update?hostname=" HOST "&myip=" IP6 "\n" BASIC},
	{"dyn", DNS_BOTH,
	 "GET https://members.dyndns.org/v3/update?hostname=" HOST "&myip=" IP4 "," IP6 "\n" BASIC},
	{"noip", DNS_A,
	 "GET https://dynupdate.no-ip.com/nic/update?hostname=" HOST "&myip=" IP4 "\n" BASIC},
	{"noip", DNS_AAAA,
	 "GET https://dynupdate.no-ip.com/nic/update?hostname=" HOST "&myip=" IP6 "\n" BASIC},
	{"noip", DNS_BOTH,
	 "GET https://dynupdate.no-ip.com/nic/update?hostname=" HOST "&myip=" IP4 "," IP6
	 "\n" BASIC},
	{"strato", DNS_A,
	 "GET https://dyndns.strato.com/nic/update?hostname=" HOST "&myip=" IP4 "\n" BASIC},
	{"strato", DNS_AAAA,
	 "GET https://dyndns.strato.com/nic/update?hostname=" HOST "&myip=" IP6 "\n" BASIC},
	{"strato", DNS_BOTH,
	 "GET https://dyndns.strato.com/nic/update?hostname=" HOST "&myip=" IP4 "," IP6 "\n" BASIC},
	{"dynu", DNS_A,
	 "GET https://api.dynu.com/nic/update?hostname=" HOST "&myip=" IP4 "&myipv6=no\n" BASIC},
	{"dynu", DNS_AAAA,
	 "GET https://api.dynu.com/nic/update?hostname=" HOST "&myip=no&myipv6=" IP6 "\n" BASIC},
	{"dynu", DNS_BOTH,
	 "GET https://api.dynu.com/nic/update?hostname=" HOST "&myip=" IP4 "&myipv6=" IP6
	 "\n" BASIC},
	{"inwx", DNS_BOTH,
	 "GET https://dyndns.inwx.com/nic/update?myip=" IP4 "&myipv6=" IP6 "\n" BASIC},
	{"ipv64", DNS_A,
	 "GET https://ipv64.net/nic/update?key=" PASS "&domain=" HOST "&ip=" IP4 "\n" AGENT},
	{"ipv64", DNS_AAAA,
	 "GET https://ipv64.net/nic/update?key=" PASS "&domain=" HOST "&ip6=" IP6 "\n" AGENT},
	{"ipv64", DNS_BOTH,
	 "GET https://ipv64.net/nic/update?key=" PASS "&domain=" HOST "&ip=" IP4 "&ip6=" IP6
	 "\n" AGENT},
	{"ipv64", DNS_PREFIX,
	 "GET https://ipv64.net/nic/update?key=" PASS "&domain=" HOST
	 "&ipv6prefix=2001:db8:1:200::/56\n" AGENT},
	{"he", DNS_A,
	 "GET https://dyn.dns.he.net/nic/update?hostname=" HOST "&password=" PASS "&myip=" IP4
	 "\n" AGENT},
	{"he", DNS_AAAA,
	 "GET https://dyn.dns.he.net/nic/update?hostname=" HOST "&password=" PASS "&myip=" IP6
	 "\n" AGENT},
	{"tunnelbroker", DNS_A,
	 "GET https://ipv4.tunnelbroker.net/nic/update?hostname=" NUMBER "&myip=" IP4 "\n" BASIC},
	{"nsupdate.info", DNS_A,
	 "GET https://nsupdate.info/nic/update?hostname=" HOST "&myip=" IP4 "\n" BASIC_HOST},
	{"nsupdate.info", DNS_AAAA,
	 "GET https://nsupdate.info/nic/update?hostname=" HOST "&myip=" IP6 "\n" BASIC_HOST},
	{"nsupdate.info", DNS_BOTH,
	 "GET https://nsupdate.info/nic/update?hostname=" HOST "&myip=" IP4 "," IP6
	 "\n" BASIC_HOST},
	{"ovh-dynhost", DNS_A,
	 "GET https://www.ovh.com/nic/update?system=dyndns&hostname=" HOST "&myip=" IP4 "\n" BASIC},
	{"desec", DNS_A,
	 "GET https://update.dedyn.io/?hostname=" HOST "&myipv4=" IP4
	 "&myipv6=preserve\n" BASIC_HOST},
	{"desec", DNS_AAAA,
	 "GET https://update.dedyn.io/?hostname=" HOST "&myipv4=preserve&myipv6=" IP6
	 "\n" BASIC_HOST},
	{"desec", DNS_BOTH,
	 "GET https://update.dedyn.io/?hostname=" HOST "&myipv4=" IP4 "&myipv6=" IP6
	 "\n" BASIC_HOST},
	{"dnsomatic", DNS_A,
	 "GET https://updates.dnsomatic.com/nic/update?hostname=" HOST "&myip=" IP4
	 "&wildcard=NOCHG&mx=NOCHG&backmx=NOCHG\n" BASIC},
	{"opendns", DNS_A,
	 "GET https://updates.opendns.com/nic/update?hostname=my%20house&myip=" IP4 "\n" BASIC},
	{"3322", DNS_A,
	 "GET https://members.3322.net/dyndns/update?hostname=" HOST "&myip=" IP4 "\n" BASIC},
	{"oray", DNS_A,
	 "GET https://ddns.oray.com/ph/update?hostname=" HOST "&myip=" IP4 "\n" BASIC},
	{"dy.fi", DNS_A, "GET https://www.dy.fi/nic/update?hostname=" HOST "&myip=" IP4 "\n" BASIC},
	{"do.de", DNS_A, "GET https://ddns.do.de/?hostname=" HOST "&myip=" IP4 "\n" BASIC},
	{"do.de", DNS_AAAA, "GET https://ddns.do.de/?hostname=" HOST "&myip=" IP6 "\n" BASIC},
	{"do.de", DNS_PREFIX,
	 "GET https://ddns.do.de/?hostname=" HOST "&ip6lanprefix=2001:db8:1:200::/56\n" BASIC},
	{"variomedia", DNS_A,
	 "GET https://dyndns.variomedia.de/nic/update?hostname=" HOST "&myip=" IP4 "\n" BASIC},
	{"variomedia", DNS_AAAA,
	 "GET https://dyndns.variomedia.de/nic/update?hostname=" HOST "&myip=" IP6 "\n" BASIC},
	{"variomedia", DNS_BOTH,
	 "GET https://dyndns.variomedia.de/nic/update?hostname=" HOST "&myip=" IP4 "," IP6
	 "\n" BASIC},
	{"infomaniak", DNS_A,
	 "GET https://infomaniak.com/nic/update?hostname=" HOST "&myip=" IP4 "\n" BASIC},
	{"infomaniak", DNS_AAAA,
	 "GET https://infomaniak.com/nic/update?hostname=" HOST "&myip=" IP6 "\n" BASIC},
	{"joker", DNS_A,
	 "GET https://svc.joker.com/nic/update?hostname=" HOST "&myip=" IP4 "\n" BASIC},
	{"joker", DNS_AAAA,
	 "GET https://svc.joker.com/nic/update?hostname=" HOST "&myip=" IP6 "\n" BASIC},
	{"loopia", DNS_A, "GET https://dyndns.loopia.se/?hostname=" HOST "&myip=" IP4 "\n" BASIC},
	{"loopia", DNS_AAAA,
	 "GET https://dyndns.loopia.se/?hostname=" HOST "&myip=" IP6 "\n" BASIC},
	{"selfhost", DNS_A,
	 "GET https://carol.selfhost.de/nic/update?hostname=" HOST "&myip=" IP4 "\n" BASIC},
	{"spdyn", DNS_A,
	 "GET https://update.spdyn.de/nic/update?hostname=" HOST "&myip=" IP4 "\n" BASIC},
	{"spdyn", DNS_AAAA,
	 "GET https://update.spdyn.de/nic/update?hostname=" HOST "&myip=" IP6 "\n" BASIC},
	{"domopoli", DNS_A,
	 "GET https://dyndns.domopoli.de/nic/update?hostname=" HOST "&myip=" IP4 "\n" BASIC},
	{"itsdns", DNS_A,
	 "GET https://www.itsdns.de/update.php?hostname=" HOST "&myip=" IP4 "\n" BASIC},
	{"itsdns", DNS_AAAA,
	 "GET https://www.itsdns.de/update.php?hostname=" HOST "&myip=" IP6 "\n" BASIC},
	{"schokokeks", DNS_A,
	 "GET https://dyndns.schokokeks.org/nic/update?hostname=" HOST "&myip=" IP4 "\n" BASIC},
	{"udmedia", DNS_A,
	 "GET https://www.udmedia.de/nic/update?hostname=" HOST "&myip=" IP4 "\n" BASIC},
	{"now-dns", DNS_A, "GET https://now-dns.com/update?hostname=" HOST "&myip=" IP4 "\n" BASIC},
	{"now-dns", DNS_AAAA,
	 "GET https://now-dns.com/update?hostname=" HOST "&myip=" IP6 "\n" BASIC},
	{"myonlineportal", DNS_A,
	 "GET https://myonlineportal.net/updateddns?hostname=" HOST "&ip=" IP4 "\n" BASIC},
	{"myonlineportal", DNS_AAAA,
	 "GET https://myonlineportal.net/updateddns?hostname=" HOST "&ip6=" IP6 "\n" BASIC},
	{"myonlineportal", DNS_BOTH,
	 "GET https://myonlineportal.net/updateddns?hostname=" HOST "&ip=" IP4 "&ip6=" IP6
	 "\n" BASIC},
	{"twodns", DNS_A,
	 "GET https://update.twodns.de/update?hostname=" HOST "&ip=" IP4 "\n" BASIC},
	{"all-inkl", DNS_A, "GET https://dyndns.kasserver.com/?myip=" IP4 "\n" BASIC},
	{"all-inkl", DNS_AAAA, "GET https://dyndns.kasserver.com/?myip6=" IP6 "\n" BASIC},
	{"all-inkl", DNS_BOTH,
	 "GET https://dyndns.kasserver.com/?myip=" IP4 "&myip6=" IP6 "\n" BASIC},
	{"core-networks", DNS_A,
	 "GET https://dyndns.core-networks.de/?hostname=" HOST "&myip=" IP4 "&keepipv6=1\n" BASIC},
	{"core-networks", DNS_AAAA,
	 "GET https://dyndns.core-networks.de/?hostname=" HOST "&myip=" IP6 "&keepipv4=1\n" BASIC},
	{"core-networks", DNS_BOTH,
	 "GET https://dyndns.core-networks.de/?hostname=" HOST "&myip=" IP4 "," IP6 "\n" BASIC},
	{"dyndns2", DNS_A,
	 "GET https://ddns.example.net:8443/nic/update?hostname=" HOST "&myip=" IP4 "\n" BASIC},
	{"dyndns2", DNS_AAAA,
	 "GET https://ddns.example.net:8443/nic/update?hostname=" HOST "&myip=" IP6 "\n" BASIC},
	{"dyndns2", DNS_BOTH,
	 "GET https://ddns.example.net:8443/nic/update?hostname=" HOST "&myip=" IP4 "," IP6
	 "\n" BASIC},
	{"duckdns", DNS_A,
	 "GET https://www.duckdns.org/update?domains=home&token=" PASS "&ip=" IP4 "\n" AGENT},
	{"duckdns", DNS_AAAA,
	 "GET https://www.duckdns.org/update?domains=home&token=" PASS "&ipv6=" IP6 "\n" AGENT},
	{"duckdns", DNS_BOTH,
	 "GET https://www.duckdns.org/update?domains=home&token=" PASS "&ip=" IP4 "&ipv6=" IP6
	 "\n" AGENT},
	{"dynv6", DNS_A,
	 "GET https://dynv6.com/api/update?zone=" HOST "&token=" PASS "&ipv4=" IP4 "\n" AGENT},
	{"dynv6", DNS_AAAA,
	 "GET https://dynv6.com/api/update?zone=" HOST "&token=" PASS "&ipv6=" IP6 "\n" AGENT},
	{"dynv6", DNS_BOTH,
	 "GET https://dynv6.com/api/update?zone=" HOST "&token=" PASS "&ipv4=" IP4 "&ipv6=" IP6
	 "\n" AGENT},
	{"dynv6", DNS_PREFIX,
	 "GET https://dynv6.com/api/update?zone=" HOST "&token=" PASS
	 "&ipv6prefix=2001:db8:1:200::/56\n" AGENT},
	{"freedns", DNS_A, "GET https://sync.afraid.org/u/" PASS "/?address=" IP4 "\n" AGENT},
	{"freedns", DNS_AAAA, "GET https://sync.afraid.org/u/" PASS "/?address=" IP6 "\n" AGENT},
	{"freedns-v1", DNS_A,
	 "GET https://freedns.afraid.org/dynamic/update.php?" PASS "&address=" IP4 "\n" AGENT},
	{"freedns-v1", DNS_AAAA,
	 "GET https://freedns.afraid.org/dynamic/update.php?" PASS "&address=" IP6 "\n" AGENT},
	{"freedns-user", DNS_A, "GET https://sync.afraid.org/u/?h=" HOST "&ip=" IP4 "\n" BASIC},
	{"freedns-user", DNS_AAAA, "GET https://sync.afraid.org/u/?h=" HOST "&ip=" IP6 "\n" BASIC},
	{"zoneedit", DNS_A,
	 "GET https://api.cp.zoneedit.com/dyn/generic.php?hostname=" HOST "&myip=" IP4 "\n" BASIC},
	{"easydns", DNS_A,
	 "GET https://api.cp.easydns.com/dyn/generic.php?hostname=" HOST "&myip=" IP4 "\n" BASIC},
	{"easydns", DNS_AAAA,
	 "GET https://api.cp.easydns.com/dyn/generic.php?hostname=" HOST "&myip=" IP6 "\n" BASIC},
	{"namecheap", DNS_A,
	 "GET "
	 "https://dynamicdns.park-your-domain.com/"
	 "update?host=home&domain=example.org&password=" PASS "&ip=" IP4 "\n" AGENT},
	{"freemyip", DNS_A,
	 "GET https://freemyip.com/update?token=" PASS "&domain=" HOST "&myip=" IP4 "\n" AGENT},
	{"freemyip", DNS_AAAA,
	 "GET https://freemyip.com/update?token=" PASS "&domain=" HOST "&myip=" IP6 "\n" AGENT},
	{"dnsmadeeasy", DNS_A,
	 "GET https://cp.dnsmadeeasy.com/servlet/updateip?username=" USER_ "&password=" PASS
	 "&id=" NUMBER "&ip=" IP4 "\n" AGENT},
	{"domaindiscount24", DNS_A,
	 "GET https://dynamicdns.key-systems.net/update.php?hostname=" HOST "&password=" PASS
	 "&ip=" IP4 "\n" AGENT},
	{"regfish", DNS_A,
	 "GET https://dyndns.regfish.de/?fqdn=" HOST "&token=" PASS "&ipv4=" IP4 "\n" AGENT},
	{"regfish", DNS_AAAA,
	 "GET https://dyndns.regfish.de/?fqdn=" HOST "&token=" PASS "&ipv6=" IP6 "\n" AGENT},
	{"regfish", DNS_BOTH,
	 "GET https://dyndns.regfish.de/?fqdn=" HOST "&token=" PASS "&ipv4=" IP4 "&ipv6=" IP6
	 "\n" AGENT},
	{"servercow", DNS_A,
	 "GET https://www.servercow.de/dnsupdate/update.php?username=" USER_ "&pass=" PASS
	 "&hostname=" HOST "&ipaddr=" IP4 "\n" AGENT},
	{"servercow", DNS_AAAA,
	 "GET https://www.servercow.de/dnsupdate/update.php?username=" USER_ "&pass=" PASS
	 "&hostname=" HOST "&ipaddr=" IP6 "\n" AGENT},
	{"dnshome", DNS_A,
	 "GET https://www.dnshome.de/dyndns.php?hostname=" HOST "&ip=" IP4 "\n" BASIC_HOST},
	{"dnshome", DNS_AAAA,
	 "GET https://www.dnshome.de/dyndns.php?hostname=" HOST "&ip6=" IP6 "\n" BASIC_HOST},
	{"dnshome", DNS_BOTH,
	 "GET https://www.dnshome.de/dyndns.php?hostname=" HOST "&ip=" IP4 "&ip6=" IP6
	 "\n" BASIC_HOST},
	{"simply", DNS_A,
	 "GET https://api.simply.com/2/ddns/?hostname=" HOST "&myip=" IP4 "\n" BASIC},
	{"simply", DNS_AAAA,
	 "GET https://api.simply.com/2/ddns/?hostname=" HOST "&myip=" IP6 "\n" BASIC},
	{"dynu-group", DNS_A,
	 "GET https://api.dynu.com/nic/update?location=my%20house&myip=" IP4 "&myipv6=no\n" BASIC},
	{"dynu-group", DNS_AAAA,
	 "GET https://api.dynu.com/nic/update?location=my%20house&myip=no&myipv6=" IP6 "\n" BASIC},
	{"dynu-group", DNS_BOTH,
	 "GET https://api.dynu.com/nic/update?location=my%20house&myip=" IP4 "&myipv6=" IP6
	 "\n" BASIC},
	{"dynu-alias", DNS_A,
	 "GET https://api.dynu.com/nic/update?hostname=example.org&alias=home&myip=" IP4
	 "&myipv6=no\n" BASIC},
	{"dynu-alias", DNS_AAAA,
	 "GET https://api.dynu.com/nic/update?hostname=example.org&alias=home&myip=no&myipv6=" IP6
	 "\n" BASIC},
	{"dynu-alias", DNS_BOTH,
	 "GET https://api.dynu.com/nic/update?hostname=example.org&alias=home&myip=" IP4
	 "&myipv6=" IP6 "\n" BASIC},
	{"ddnss", DNS_A,
	 "GET https://www.ddnss.de/upd.php?user=" USER_ "&pwd=" PASS "&host=" HOST "&ip=" IP4
	 "\n" AGENT},
	{"ddnss", DNS_AAAA,
	 "GET https://www.ddnss.de/upd.php?user=" USER_ "&pwd=" PASS "&host=" HOST "&ip6=" IP6
	 "\n" AGENT},
	{"ddnss", DNS_BOTH,
	 "GET https://www.ddnss.de/upd.php?user=" USER_ "&pwd=" PASS "&host=" HOST "&ip=" IP4
	 "&ip6=" IP6 "\n" AGENT},
	{"goip", DNS_A,
	 "GET https://www.goip.de/setip?username=" USER_ "&password=" PASS "&subdomain=" HOST
	 "&shortResponse=true&ip=" IP4 "\n" AGENT},
	{"goip", DNS_AAAA,
	 "GET https://www.goip.de/setip?username=" USER_ "&password=" PASS "&subdomain=" HOST
	 "&shortResponse=true&ip6=" IP6 "\n" AGENT},
	{"ionos", DNS_A,
	 "GET https://ipv4.api.hosting.ionos.com/dns/v1/dyndns?q=" PASS "&ipv4=" IP4 "\n" AGENT},
	{"ionos", DNS_AAAA,
	 "GET https://ipv4.api.hosting.ionos.com/dns/v1/dyndns?q=" PASS "&ipv6=" IP6 "\n" AGENT},
	{"ionos", DNS_BOTH,
	 "GET https://ipv4.api.hosting.ionos.com/dns/v1/dyndns?q=" PASS "&ipv4=" IP4 "&ipv6=" IP6
	 "\n" AGENT},
	{"domeneshop", DNS_A,
	 "GET https://api.domeneshop.no/v0/dyndns/update?hostname=" HOST "&myip=" IP4 "\n" BASIC},
	{"domeneshop", DNS_AAAA,
	 "GET https://api.domeneshop.no/v0/dyndns/update?hostname=" HOST "&myip=" IP6 "\n" BASIC},
	{"domeneshop", DNS_BOTH,
	 "GET https://api.domeneshop.no/v0/dyndns/update?hostname=" HOST "&myip=" IP4 "," IP6
	 "\n" BASIC},
	{"njalla", DNS_A, "GET https://njal.la/update/?h=" HOST "&k=" PASS "&a=" IP4 "\n" AGENT},
	{"njalla", DNS_AAAA,
	 "GET https://njal.la/update/?h=" HOST "&k=" PASS "&aaaa=" IP6 "\n" AGENT},
	{"njalla", DNS_BOTH,
	 "GET https://njal.la/update/?h=" HOST "&k=" PASS "&a=" IP4 "&aaaa=" IP6 "\n" AGENT},
	{"1984", DNS_A,
	 "GET https://api.1984.is/1.0/freedns/?apikey=" PASS "&domain=" HOST "&ip=" IP4 "\n" AGENT},
	{"dondominio", DNS_A,
	 "GET https://dondns.dondominio.com/json/?user=" USER_ "&password=" PASS "&host=" HOST
	 "&ip=" IP4 "\n" AGENT},
	{"ddns.fm", DNS_A,
	 "GET https://api.ddns.fm/update?key=" PASS "&domain=" HOST "&myip=" IP4 "\n" AGENT},
	{"ddns.fm", DNS_AAAA,
	 "GET https://api.ddns.fm/update?key=" PASS "&domain=" HOST "&myip=" IP6 "\n" AGENT},
	{"changeip", DNS_A,
	 "GET https://nic.changeip.com/nic/update?hostname=" HOST "&ip=" IP4 "\n" BASIC},
	{"directnic", DNS_A,
	 "GET https://directnic.com/dns/gateway/" PASS "/?data=" IP4 "\n" AGENT},
	{"directnic", DNS_AAAA,
	 "GET https://directnic.com/dns/gateway/" PASS "/?data=" IP6 "\n" AGENT},
	{"sitelutions", DNS_A,
	 "GET https://www.sitelutions.com/dnsup?user=" USER_ "&pass=" PASS "&id=" NUMBER "&ip=" IP4
	 "\n" AGENT},
	{"enom", DNS_A,
	 "GET "
	 "https://dynamic.name-services.com/"
	 "interface.asp?Command=SetDNSHost&HostName=home&Zone=example.org&DomainPassword=" PASS
	 "&Address=" IP4 "\n" AGENT},
};

static const char *host_of(const struct dns_provider *p)
{
	if (p->zone)
		return "home.duckdns.org";
	if (p->names & DNS_NAME_NUMBER)
		return NUMBER;
	return p->names == DNS_NAME_LABEL ? "my house" : HOST;
}

static struct dns_entry entry_of(const struct dns_provider *p)
{
	return (struct dns_entry){
		.provider = p,
		.host = host_of(p),
		.zone = "example.org",
		.server = strcmp(p->name, "dyndns2") == 0 ? "ddns.example.net:8443" : NULL,
		.user = "me@example.org",
		.pass = "s3 cret/+",
		.key = "k3y",
	};
}

static struct dns_target target_of(void)
{
	struct dns_target t = {0};

	assert_int_equal(ipaddr_parse(STR(IP4), &t.ip4), 0);
	assert_int_equal(ipaddr_parse(STR(IP6), &t.ip6), 0);
	assert_int_equal(cidr_parse(STR("2001:db8:1:200::/56"), &t.prefix6, NULL), 0);
	return t;
}

/* The one header that every request has; No-IP prescribes its form. */
static struct str skip_agent(struct str headers)
{
	struct str line = str_split(&headers, '\n');

	assert_true(str_starts(line, STR("User-Agent: homeport homeport/Linux-0.")));
	assert_true(str_ends_nocase(line, STR(" maintainers@homeport.example\r")));
	return headers;
}

/* Method, URL, header lines with "\n", an empty line and the body if there is one. */
static char *dump(const struct dns_request *q)
{
	struct buf out = {0};
	struct str headers = skip_agent(buf_str(&q->headers));

	assert_int_equal(buf_printf(&out, "%s %s\n" AGENT, q->method, (char *)buf_head(&q->url)),
			 0);
	while (headers.len) {
		struct str line = str_split(&headers, '\n');

		assert_true(line.len && line.at[line.len - 1] == '\r');
		assert_int_equal(buf_printf(&out, "%.*s\n", (int)line.len - 1, line.at), 0);
	}
	if (q->has_body)
		assert_int_equal(buf_printf(&out, "\n%.*s", STR_ARG(buf_str(&q->body))), 0);
	assert_int_equal(buf_append(&out, "", 1), 0);
	return (char *)out.bytes;
}

static void check_one(const struct expected *x)
{
	const struct dns_provider *p = dns_provider_find(str_of(x->provider));
	struct dns_target target = target_of();
	struct dns_request q = {0};
	struct dns_vars_text text;
	struct dns_entry entry;
	struct dns_vars vars;
	struct err e = {0};
	char *bytes;

	assert_non_null(p);
	entry = entry_of(p);
	if (dns_entry_check(&entry, &e) < 0)
		fail_msg("%s: %s", x->provider, e.text);
	dns_entry_vars(&entry, x->what, &target, &text, &vars);
	if (dns_request_make(p, x->what, &vars, &q, &e) < 0)
		fail_msg("%s: %s", x->provider, e.text);
	bytes = dump(&q);
	if (strcmp(bytes, x->bytes) != 0)
		fail_msg("%s:\n%s\nis not\n%s", x->provider, bytes, x->bytes);
	free(bytes);
	dns_request_done(&q);
}

static void test_every_row_byte_for_byte(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(expected); i++)
		check_one(&expected[i]);
}

static bool is_expected(const char *provider, enum dns_what what)
{
	for (size_t i = 0; i < ARRAY_LEN(expected); i++)
		if (strcmp(expected[i].provider, provider) == 0 && expected[i].what == what)
			return true;
	return false;
}

/* A row cannot be added without its requests being written down above. */
static void test_no_row_is_left_out(void **state)
{
	for (size_t i = 0; i < dns_providers_count; i++) {
		const struct dns_provider *p = &dns_providers[i];
		const char *tails[] = {[DNS_A] = p->v4,
				       [DNS_AAAA] = p->v6,
				       [DNS_BOTH] = p->both,
				       [DNS_PREFIX] = p->prefix};

		for (size_t what = 0; what < ARRAY_LEN(tails) && p->url; what++)
			if (tails[what] && !is_expected(p->name, (enum dns_what)what))
				fail_msg("%s: no expected request of kind %zu", p->name, what);
	}
}

static void test_the_table_is_sound(void **state)
{
	for (size_t i = 0; i < dns_providers_count; i++) {
		const struct dns_provider *p = &dns_providers[i];

		assert_ptr_equal(dns_provider_find(str_of(p->name)), p); /* names are unique */
		assert_true(p->title && *p->title);
		if (p->closed) {
			assert_true(strlen(p->closed) > 40);
			continue;
		}
		assert_true(p->source && *p->source);
		if (p->rfc2136)
			continue;
		assert_non_null(p->grammar);
		assert_true((p->url != NULL) != (p->steps[0].url != NULL));
		assert_true(dns_provider_can(p) & (DNS_CAN_A | DNS_CAN_AAAA));
		if (p->url && strncmp(p->url, "https://", 8) != 0)
			fail_msg("%s: not https", p->name);
		for (size_t j = 0; j < DNS_STEPS_MAX && p->steps[j].url; j++)
			assert_true(p->steps[j].within ||
				    strncmp(p->steps[j].url, "https://", 8) == 0);
	}
	assert_null(dns_provider_find(STR("nonsense")));
}

static void test_what_a_row_can(void **state)
{
	static const struct {
		const char *name;
		unsigned can;
	} cases[] = {
		{"dyn", DNS_CAN_A | DNS_CAN_AAAA | DNS_CAN_BOTH},
		{"he", DNS_CAN_A | DNS_CAN_AAAA},
		{"namecheap", DNS_CAN_A},
		{"inwx", DNS_CAN_A | DNS_CAN_AAAA | DNS_CAN_BOTH | DNS_CAN_ONLY_BOTH},
		{"dynv6", DNS_CAN_A | DNS_CAN_AAAA | DNS_CAN_BOTH | DNS_CAN_PREFIX | DNS_CAN_TXT},
		{"dnsexit", DNS_CAN_A | DNS_CAN_AAAA},
		{"duckdns", DNS_CAN_A | DNS_CAN_AAAA | DNS_CAN_BOTH | DNS_CAN_TXT},
		{"cloudflare", DNS_CAN_A | DNS_CAN_AAAA | DNS_CAN_TXT},
		{"google-domains", 0},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(dns_provider_can(dns_provider_find(str_of(cases[i].name))),
				 cases[i].can);
	assert_true(dns_provider_looks_first(dns_provider_find(STR("cloudflare"))));
	assert_true(dns_provider_looks_first(dns_provider_find(STR("ovh-api"))));
	assert_false(dns_provider_looks_first(dns_provider_find(STR("route53"))));
	assert_false(dns_provider_looks_first(dns_provider_find(STR("dyn"))));
}

static void refused(const char *provider, struct dns_entry entry, const char *why)
{
	struct err e = {0};

	entry.provider = dns_provider_find(str_of(provider));
	assert_non_null(entry.provider);
	assert_int_equal(dns_entry_check(&entry, &e), -ERR_INVALID);
	if (!strstr(e.text, why))
		fail_msg("%s: \"%s\" does not tell of \"%s\"", provider, e.text, why);
}

static void test_what_is_missing_is_said(void **state)
{
	refused("dyn", (struct dns_entry){.host = HOST, .pass = "x"}, "\"user\"");
	refused("dyn", (struct dns_entry){.host = HOST, .user = "x"}, "\"password-file\"");
	refused("cloudflare", (struct dns_entry){.host = HOST, .pass = "x"}, "\"zone\"");
	refused("dyndns2", (struct dns_entry){.host = HOST, .user = "x", .pass = "y"},
		"\"server\"");
	refused("ovh-api",
		(struct dns_entry){.host = HOST, .zone = "example.org", .user = "x", .pass = "y"},
		"\"key\"");
	refused("route53", (struct dns_entry){.host = HOST, .key = "Z1"}, "\"user\"");
	refused("duckdns", (struct dns_entry){.host = HOST, .pass = "x"}, "duckdns.org");
	refused("cloudflare",
		(struct dns_entry){
			.host = "home.notexample.org", .zone = "example.org", .pass = "x"},
		"not in the zone");
	refused("ionos-api", (struct dns_entry){.host = HOST, .pass = "x"}, "\"zone\"");
	refused("freedns-list", (struct dns_entry){.host = HOST, .pass = "x"}, "\"user\"");
	refused("digitalocean-reserved-ip",
		(struct dns_entry){.host = "192.0.2.1", .pass = "x", .key = "1,\"x\":2"},
		"no number");
	refused("digitalocean-reserved-ip",
		(struct dns_entry){.host = HOST, .pass = "x", .key = "1"}, "not an address");
	refused("google-domains", (struct dns_entry){.host = HOST}, "Squarespace");
	refused("hetzner-dns", (struct dns_entry){.host = HOST}, "provider = hetzner");
}

static void test_inwx_never_sends_one_family(void **state)
{
	const struct dns_provider *p = dns_provider_find(STR("inwx"));
	struct dns_target target = target_of();
	struct dns_entry entry = entry_of(p);
	struct dns_request q = {0};
	struct dns_vars_text text;
	struct dns_vars vars;

	dns_entry_vars(&entry, DNS_A, &target, &text, &vars);
	assert_int_equal(dns_request_make(p, DNS_A, &vars, &q, NULL), -ERR_INVALID);
	dns_request_done(&q);
}

static void test_the_zone_itself_and_deep_names(void **state)
{
	static const struct {
		const char *host, *url;
	} cases[] = {
		{"example.org", "https://dynamicdns.park-your-domain.com/"
				"update?host=%40&domain=example.org&password=x&ip=" IP4},
		{"a.b.Example.ORG", "https://dynamicdns.park-your-domain.com/"
				    "update?host=a.b&domain=example.org&password=x&ip=" IP4},
		{"*.example.org", "https://dynamicdns.park-your-domain.com/"
				  "update?host=%2A&domain=example.org&password=x&ip=" IP4},
	};
	const struct dns_provider *p = dns_provider_find(STR("namecheap"));

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct dns_entry entry = {
			.provider = p, .host = cases[i].host, .zone = "example.org", .pass = "x"};
		struct dns_target target = target_of();
		struct dns_request q = {0};
		struct dns_vars_text text;
		struct dns_vars vars;

		assert_int_equal(dns_entry_check(&entry, NULL), 0);
		dns_entry_vars(&entry, DNS_A, &target, &text, &vars);
		assert_int_equal(dns_request_make(p, DNS_A, &vars, &q, NULL), 0);
		assert_string_equal((char *)buf_head(&q.url), cases[i].url);
		dns_request_done(&q);
	}
}

static void test_a_password_cannot_make_a_header(void **state)
{
	const struct dns_provider *p = dns_provider_find(STR("cloudflare"));
	struct dns_entry entry = {
		.provider = p, .host = HOST, .zone = "example.org", .pass = "x\r\nHost: other"};
	struct dns_target target = target_of();
	struct dns_request q = {0};
	struct dns_vars_text text;
	struct dns_vars vars;
	struct err e = {0};

	dns_entry_vars(&entry, DNS_A, &target, &text, &vars);
	assert_int_equal(dns_request_make_step(p, &p->steps[0], &vars, &q, &e), -ERR_INVALID);
	assert_null(strstr(e.text, "other")); /* no secret in the text */
	dns_request_done(&q);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_row_byte_for_byte),
		cmocka_unit_test(test_no_row_is_left_out),
		cmocka_unit_test(test_the_table_is_sound),
		cmocka_unit_test(test_what_a_row_can),
		cmocka_unit_test(test_what_is_missing_is_said),
		cmocka_unit_test(test_inwx_never_sends_one_family),
		cmocka_unit_test(test_the_zone_itself_and_deep_names),
		cmocka_unit_test(test_a_password_cannot_make_a_header),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
