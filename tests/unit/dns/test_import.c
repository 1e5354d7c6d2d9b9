#include "test.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "dns/import.h"

typedef int reader_fn(struct dns_import *import, struct str text, struct err *e);

/* The configuration, a line "--", and the notes: "LINE: text". */
static char *result_of(const struct dns_import *import)
{
	struct buf out = {0};

	assert_int_equal(dns_import_write(import, "/etc/homeport", &out), 0);
	assert_int_equal(buf_printf(&out, "--\n"), 0);
	for (size_t i = 0; i < import->n_notes; i++)
		assert_int_equal(
			buf_printf(&out, "%u: %s\n", import->notes[i].line, import->notes[i].text),
			0);
	assert_int_equal(buf_append(&out, "", 1), 0);
	return (char *)out.bytes;
}

static void read_good(struct dns_import *import, reader_fn *reader, const char *text)
{
	struct err e = {0};

	dns_import_init(import);
	if (reader(import, str_of(text), &e) < 0)
		fail_msg("%s", e.text);
}

static void golden(reader_fn *reader, const char *text, const char *expected)
{
	struct dns_import import;
	char *result;

	read_good(&import, reader, text);
	result = result_of(&import);
	if (strcmp(result, expected) != 0) {
		fprintf(stderr, "%s\nis not\n%s", result, expected); /* cmocka would cut it */
		fail();
	}
	free(result);
	dns_import_done(&import);
}

/* ── ddclient ── */

static void test_ddclient(void **state)
{
	golden(dns_import_ddclient,
	       "# /etc/ddclient.conf\n"
	       "daemon=300\t\t# every five minutes\n"
	       "syslog=yes\n"
	       "mail=root\n"
	       "use=web, web=checkip.dyndns.org/, web-skip='IP Address'\n"
	       "\n"
	       "protocol=dyndns2, \\\n"
	       "login=me@example.org \\\n"
	       "password='pass # word, \"1\"' \\\n"
	       "home.example.org,nas.example.org\n"
	       "\n"
	       "protocol=cloudflare, zone=example.net, ttl=5m, login=token, password=T0ken "
	       "www.example.net\n",
	       "[dns home.example.org]\n"
	       "provider = dyn\n"
	       "user = me@example.org\n"
	       "password-file = /etc/homeport/home.example.org.secret\n"
	       "family = ipv4\n"
	       "\n"
	       "[dns nas.example.org]\n"
	       "provider = dyn\n"
	       "user = me@example.org\n"
	       "password-file = /etc/homeport/home.example.org.secret\n"
	       "family = ipv4\n"
	       "\n"
	       "[dns www.example.net]\n"
	       "provider = cloudflare\n"
	       "password-file = /etc/homeport/www.example.net.secret\n"
	       "zone = example.net\n"
	       "family = ipv4\n"
	       "ttl = 300s\n"
	       "--\n"
	       "4: mail: no mail is sent: see \"on-park\" and homeport dns status\n");
}

static void test_ddclient_s_old_way_and_servers(void **state)
{
	golden(dns_import_ddclient,
	       "server=dynupdate.no-ip.com\n"
	       "usev4=ifv4, ifv4=eth0, usev6=ifv6, ifv6=eth0\n"
	       "home.ddns.net  me  secret\n"
	       "server=ddns.example.com:8443 other.example.com me secret\n"
	       "server=update.dedyn.io, login=h.dedyn.io, password=t h.dedyn.io\n"
	       "server=Domains.Google.com, login=g, password=t g.example.com\n"
	       "server=freedns.afraid.org, login=f, password=t f.example.com\n",
	       "[dns home.ddns.net]\n"
	       "provider = noip\n"
	       "user = me\n"
	       "password-file = /etc/homeport/home.ddns.net.secret\n"
	       "\n"
	       "[dns other.example.com]\n"
	       "provider = dyndns2\n"
	       "user = me\n"
	       "password-file = /etc/homeport/home.ddns.net.secret\n"
	       "server = ddns.example.com:8443\n"
	       "\n"
	       "[dns h.dedyn.io]\n"
	       "provider = desec\n"
	       "password-file = /etc/homeport/h.dedyn.io.secret\n"
	       "\n"
	       "# line 6, provider dyndns2: Google sold its domains in 2023; Squarespace, which "
	       "has "
	       "them since July 2024, offers no dynamic DNS: move the zone to another provider\n"
	       "# [dns g.example.com]\n"
	       "# provider = google-domains\n"
	       "# password-file = /etc/homeport/h.dedyn.io.secret\n"
	       "\n"
	       "[dns f.example.com]\n"
	       "provider = freedns-user\n"
	       "user = f\n"
	       "password-file = /etc/homeport/h.dedyn.io.secret\n"
	       "--\n"
	       "7: freedns: user and password are sent to version 2 of its interface\n");
}

static void test_ddclient_s_odd_protocols(void **state)
{
	golden(dns_import_ddclient,
	       "protocol=namecheap, login=example.org, password=pw  @,www\n"
	       "protocol=nsupdate, server=ns1.example.org, login=/usr/bin/nsupdate, "
	       "password=/etc/ddns.key zone=example.org, ttl=600 n.example.org\n"
	       "protocol=porkbun, apikey=pk1, secretapikey=sk1, root-domain=example.com "
	       "p.example.com\n"
	       "protocol=googledomains, login=a, password=b g.example.org\n"
	       "protocol=hetzner, zone=example.de, password=old h.example.de\n"
	       "protocol=dslreports1, login=a, password=b s.example.org\n",
	       "[dns example.org]\n"
	       "provider = namecheap\n"
	       "password-file = /etc/homeport/example.org.secret\n"
	       "zone = example.org\n"
	       "family = ipv4\n"
	       "\n"
	       "[dns www.example.org]\n"
	       "provider = namecheap\n"
	       "password-file = /etc/homeport/example.org.secret\n"
	       "zone = example.org\n"
	       "family = ipv4\n"
	       "\n"
	       "# line 2, provider nsupdate: provider rfc2136 needs \"server\", \"zone\", \"user\" "
	       "(the key's name) and \"password-file\"\n"
	       "# [dns n.example.org]\n"
	       "# provider = rfc2136\n"
	       "# password-file = /etc/homeport/n.example.org.secret\n"
	       "# zone = example.org\n"
	       "# server = ns1.example.org\n"
	       "# family = ipv4\n"
	       "# ttl = 600s\n"
	       "\n"
	       "[dns p.example.com]\n"
	       "provider = porkbun\n"
	       "user = pk1\n"
	       "password-file = /etc/homeport/p.example.com.secret\n"
	       "zone = example.com\n"
	       "family = ipv4\n"
	       "\n"
	       "# line 4, provider googledomains: Google sold its domains in 2023; Squarespace, "
	       "which has them since July 2024, offers no dynamic DNS: move the zone to another "
	       "provider\n"
	       "# [dns g.example.org]\n"
	       "# provider = google-domains\n"
	       "# password-file = /etc/homeport/g.example.org.secret\n"
	       "# family = ipv4\n"
	       "\n"
	       "# line 5, provider hetzner: provider hetzner needs \"password-file\"\n"
	       "# [dns h.example.de]\n"
	       "# provider = hetzner\n"
	       "# password-file = /etc/homeport/h.example.de.secret\n"
	       "# zone = example.de\n"
	       "# family = ipv4\n"
	       "\n"
	       "# line 6, provider dslreports1: no provider that is known\n"
	       "# [dns s.example.org]\n"
	       "# provider = dslreports1\n"
	       "# password-file = /etc/homeport/g.example.org.secret\n"
	       "# family = ipv4\n"
	       "--\n"
	       "2: the key is in a file of nsupdate's: set \"user\" to its name and put its secret "
	       "into the password file\n"
	       "5: hetzner: the old console was switched off in May 2026; put a token of the Cloud "
	       "console into the password file\n"
	       "6: s.example.org: protocol dslreports1 is not known\n");
}

/* What would never be sent is none of the configuration. */
static void test_a_family_that_the_provider_has_not(void **state)
{
	golden(dns_import_ddclient,
	       "protocol=enom, login=example.org, password=pw usev4=no, usev6=ifv6 www\n",
	       "# line 1, provider enom: provider enom has no IPv6 addresses\n"
	       "# [dns www.example.org]\n"
	       "# provider = enom\n"
	       "# password-file = /etc/homeport/www.example.org.secret\n"
	       "# zone = example.org\n"
	       "# family = ipv6\n"
	       "--\n");
}

static void test_ddclient_s_odd_names(void **state)
{
	golden(dns_import_ddclient,
	       "protocol=enom, login=example.org, password=pw www\n"
	       "protocol=sitelutions, login=a, password=b 990331\n"
	       "protocol=directnic, urlv4=https://directnic.com/dns/gateway/ad133743f0/, "
	       "urlv6=https://directnic.com/dns/gateway/bd133743f0/ d.example.org\n"
	       "protocol=netcup, login=12345, apikey=k1, password=p1 zone=example.net "
	       "n.example.net\n"
	       "protocol=ionos, password=NGM4 i.example.org\n",
	       "[dns www.example.org]\n"
	       "provider = enom\n"
	       "password-file = /etc/homeport/www.example.org.secret\n"
	       "zone = example.org\n"
	       "family = ipv4\n"
	       "\n"
	       "[dns 990331]\n"
	       "provider = sitelutions\n"
	       "user = a\n"
	       "password-file = /etc/homeport/990331.secret\n"
	       "family = ipv4\n"
	       "\n"
	       "[dns d.example.org]\n"
	       "provider = directnic\n"
	       "password-file = /etc/homeport/d.example.org.secret\n"
	       "family = ipv4\n"
	       "\n"
	       "[dns n.example.net]\n"
	       "provider = netcup\n"
	       "user = 12345\n"
	       "password-file = /etc/homeport/n.example.net.secret\n"
	       "key = k1\n"
	       "zone = example.net\n"
	       "family = ipv4\n"
	       "\n"
	       "[dns i.example.org]\n"
	       "provider = ionos\n"
	       "password-file = /etc/homeport/i.example.org.secret\n"
	       "family = ipv4\n"
	       "--\n"
	       "3: directnic: write a second section for IPv6, with the last part of urlv6 in its "
	       "password file\n");
}

/* The gateway's URL holds the secret. */
static void test_directnic_s_secret(void **state)
{
	static const struct {
		const char *options, *pass;
		bool no4;
	} cases[] = {
		{"urlv4=https://directnic.com/dns/gateway/ad133743f0/", "ad133743f0", false},
		{"urlv6=https://directnic.com/dns/gateway/bd133743f0", "bd133743f0", true},
		{"urlv4=////", "", false},
		{"ttl=5", "", true},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct dns_import import;
		char text[200];

		snprintf(text, sizeof(text), "protocol=directnic, %s d.example.org\n",
			 cases[i].options);
		dns_import_init(&import);
		assert_int_equal(dns_import_ddclient(&import, str_of(text), NULL), 0);
		assert_string_equal(import.names[0].pass, cases[i].pass);
		assert_int_equal(import.names[0].no4, cases[i].no4);
		dns_import_done(&import);
	}
}

static void test_ddclient_s_capitals_and_dots(void **state)
{
	struct dns_import import;
	struct err e = {0};

	read_good(&import, dns_import_ddclient,
		  "protocol=NoIP, login=a, password=b "
		  "Home.Example.ORG.\n"
		  "server=Update.Dedyn.IO, password=c X.dedyn.io\n"
		  "protocol=namecheap, login=example.net, password=d "
		  "notexample.net,Www.Example.Net\n"
		  "protocol=cloudflare, zone=Example.Org., password=d a.example.org\n"
		  "protocol=cloudflare, zone=.org, password=d b.example.org\n");
	assert_int_equal(
		dns_import_ddclient_cache(
			&import, STR("ip=192.0.2.1,status=good Home.Example.ORG.\n"), NULL),
		0);
	assert_string_equal(import.names[0].host, "home.example.org");
	assert_string_equal(import.names[0].row->name, "noip");
	assert_int_equal(import.names[0].published4.family, 4);
	assert_string_equal(import.names[1].row->name, "desec");
	assert_string_equal(import.names[2].host, "notexample.net.example.net");
	assert_string_equal(import.names[3].host, "www.example.net");
	assert_string_equal(import.names[4].zone, "example.org");
	assert_true(dns_import_usable(&import, 4, NULL));
	assert_false(dns_import_usable(&import, 5, &e));
	assert_string_equal(e.text, "the zone is no host name");
	dns_import_done(&import);
}

/* What ddclient publishes of "use", "usev4" and "usev6". */
static void test_ddclient_s_families(void **state)
{
	static const struct {
		const char *options, *section;
	} cases[] = {
		{"", "family = ipv4\n"},
		{"use=web", "family = ipv4\n"},
		{"usev4=webv4", "family = ipv4\n"},
		{"usev4=webv4, usev6=ifv6", ""},
		{"use=web, usev6=ifv6", ""},
		{"usev6=ifv6", "family = ipv6\n"},
		{"use=no, usev6=webv6", "family = ipv6\n"},
		{"use=disabled, usev6=webv6", "family = ipv6\n"},
		{"use=web, usev4=disabled, usev6=webv6", "family = ipv6\n"},
		{"usev4=ifv4, usev6=NO", "family = ipv4\n"},
		{"use=ip, ip=192.0.2.7", "address = 192.0.2.7\n"},
		{"usev4=ipv4, ipv4=192.0.2.7", "address = 192.0.2.7\n"},
		{"usev4=disabled, usev6=ipv6, ipv6=2001:db8::7", "address = 2001:db8::7\n"},
		{"use=web, ip=192.0.2.7", "family = ipv4\n"},
		{"usev4=ipv4, ipv4=nonsense", "family = ipv4\n"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char text[200], expected[300];

		snprintf(text, sizeof(text), "%s login=a, password=b h.example.org\n",
			 cases[i].options);
		snprintf(expected, sizeof(expected),
			 "[dns h.example.org]\nprovider = dyn\nuser = a\n"
			 "password-file = /etc/homeport/h.example.org.secret\n%s--\n",
			 cases[i].section);
		golden(dns_import_ddclient, text, expected);
	}
	golden(dns_import_ddclient,
	       "use=no login=a, password=b h.example.org\n"
	       "usev4=ipv4, ipv4=192.0.2.7, usev6=ifv6, use=linksys login=a, password=b "
	       "g.example.org\n",
	       "# line 1, provider dyndns2: neither IPv4 nor IPv6 is switched on\n"
	       "# [dns h.example.org]\n"
	       "# provider = dyn\n"
	       "# user = a\n"
	       "# password-file = /etc/homeport/h.example.org.secret\n"
	       "\n"
	       "[dns g.example.org]\n"
	       "provider = dyn\n"
	       "user = a\n"
	       "password-file = /etc/homeport/h.example.org.secret\n"
	       "--\n"
	       "2: use=linksys: router pages are not read: PCP, NAT-PMP and UPnP are used\n"
	       "2: g.example.org: a fixed address of one kind only: write a section of its own for "
	       "it, with \"address\" and \"family\"\n");
}

static void test_ddclient_s_other_options(void **state)
{
	golden(dns_import_ddclient,
	       "wildcard=no, static=no, login=, retry=yes, fwv6=x, mail-failure=root, "
	       "password_env=PW\n"
	       "wildcard=yes, max-interval=1d, if-skip=x, ssl_ca_file=/x, password=b "
	       "a.example.org\n"
	       "login=me\n"
	       "login=, server=ddns.example.com, script=/up, password=b b.example.org\n"
	       "host='c.example.org, d.example.org', login=, password='b', ttl=2w\n"
	       "protocol=hetzner, zone=example.de, password="
	       "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef e.example.de\n"
	       "protocol=dnsexit, zone=example.de, password=old f.example.de\n"
	       "login=\"me g.example.org\n"
	       "login=me, \\ \n",
	       "# line 2, provider dyndns2: provider dyn needs \"user\"\n"
	       "# [dns a.example.org]\n"
	       "# provider = dyn\n"
	       "# password-file = /etc/homeport/a.example.org.secret\n"
	       "# family = ipv4\n"
	       "\n"
	       "# line 4, provider dyndns2: no provider that is known\n"
	       "# [dns b.example.org]\n"
	       "# provider = dyndns2\n"
	       "# password-file = /etc/homeport/a.example.org.secret\n"
	       "# server = ddns.example.com\n"
	       "# family = ipv4\n"
	       "\n"
	       "[dns c.example.org]\n"
	       "provider = dyn\n"
	       "user = me\n"
	       "password-file = /etc/homeport/a.example.org.secret\n"
	       "family = ipv4\n"
	       "ttl = 86400s\n"
	       "\n"
	       "[dns d.example.org]\n"
	       "provider = dyn\n"
	       "user = me\n"
	       "password-file = /etc/homeport/a.example.org.secret\n"
	       "family = ipv4\n"
	       "ttl = 86400s\n"
	       "\n"
	       "[dns e.example.de]\n"
	       "provider = hetzner\n"
	       "password-file = /etc/homeport/e.example.de.secret\n"
	       "zone = example.de\n"
	       "family = ipv4\n"
	       "\n"
	       "# line 7, provider dnsexit: provider dnsexit needs \"password-file\"\n"
	       "# [dns f.example.de]\n"
	       "# provider = dnsexit\n"
	       "# password-file = /etc/homeport/f.example.de.secret\n"
	       "# zone = example.de\n"
	       "# family = ipv4\n"
	       "\n"
	       "# line 9, provider dyndns2: not a host name, which a name at provider dyn is\n"
	       "# [dns name-7]\n"
	       "# name = \\x5c\n"
	       "# provider = dyn\n"
	       "# user = me\n"
	       "# family = ipv4\n"
	       "--\n"
	       "1: fwv6: router pages are not read: PCP, NAT-PMP and UPnP are used\n"
	       "1: mail-failure: no mail is sent: see \"on-park\" and homeport dns status\n"
	       "1: password_env: nothing is read from the environment: a secret belongs into the "
	       "password file\n"
	       "2: wildcard: names below it are not set: make a CNAME record \"*.NAME\" at the "
	       "provider\n"
	       "2: max-interval: when a request is sent follows from the provider's rules\n"
	       "2: ssl_ca_file: certificates are always checked, against the system's list\n"
	       "4: script: a path of its own: write it as provider = template\n"
	       "7: dnsexit: passwords are no longer taken; make an API key and put it into the "
	       "password file\n"
	       "8: a quote has no end: the rest of the line is taken for a value\n"
	       "9: blanks follow the backslash at the end of the line: it is not continued\n");
}

/* homeport.conf knows no quotes and no escapes: a value stands in it as it is, or not at all. */
static void test_values_are_not_bent(void **state)
{
	struct dns_import import;
	AUTO(buf_donep) struct buf text = {0};
	AUTO(buf_donep) struct buf out = {0};
	struct err e = {0};

	dns_import_init(&import);
	assert_int_equal(buf_printf(&text,
				    "login='DOMAIN\\\\me; \"x\"', password=s a.example.org\n"
				    "login=%0300d, password=s b.example.org\n"
				    "login=' me', password=s c.example.org\n"
				    "login=\xe2\x80\xaeme, password=s d.example.org\n"
				    "login=m\xfcller, password=s e.example.org\n"
				    "login=m\xc3\xbcller, password=s f.example.org\n",
				    0),
			 0);
	assert_int_equal(dns_import_ddclient(&import, buf_str(&text), NULL), 0);
	for (size_t i = 0; i < 6; i++)
		assert_int_equal(dns_import_usable(&import, i, &e), i < 2 || i == 5);
	dns_import_usable(&import, 3, &e);
	assert_string_equal(e.text, "user has characters that the configuration cannot have");
	assert_int_equal(dns_import_write(&import, "/s", &out), 0);
	assert_int_equal(buf_append(&out, "", 1), 0);
	assert_non_null(strstr((char *)out.bytes, "\nuser = DOMAIN\\me; \"x\"\n"));
	assert_non_null(strstr((char *)out.bytes, "00000\n"));
	assert_null(strstr((char *)out.bytes, "..."));
	assert_null(strstr((char *)out.bytes, "\xe2\x80\xae"));
	assert_non_null(strstr((char *)out.bytes, "\nuser = m\xc3\xbcller\n"));
	dns_import_done(&import);
}

static void password_of(const char *line, const char *expected)
{
	struct dns_import import;
	struct err e = {0};

	dns_import_init(&import);
	assert_int_equal(dns_import_ddclient(&import, str_of(line), &e), 0);
	if (import.n != 1 || strcmp(import.names[0].pass, expected) != 0)
		fail_msg("%s: \"%s\" of %zu", line, import.n ? import.names[0].pass : "", import.n);
	for (size_t i = 0; i < import.n_notes; i++)
		assert_null(strstr(import.notes[i].text, "s3cret"));
	dns_import_done(&import);
}

static void test_ddclient_s_passwords(void **state)
{
	password_of("password=s3cret host.example.org", "s3cret");
	password_of("password='s3cret with blanks, # and \"commas\"' host.example.org",
		    "s3cret with blanks, # and \"commas\"");
	password_of("password=s3cret#hash host.example.org", "s3cret#hash");
	password_of("password=s3cret, host.example.org", "s3cret,");
	password_of("password=s3cret,login=me host.example.org", "s3cret,login=me");
	password_of("login=me, password=s3\"cret host.example.org", "s3\"cret");
	password_of("login=me,password=s3cret host.example.org", "s3cret");
	password_of("password = s3cret host.example.org", "s3cret");
	password_of("password=s3\\cret host.example.org", "s3\\cret");
	password_of("password='it's s3cret' host.example.org", "it's s3cret");
	password_of("password=s3cret \\\nhost.example.org", "s3cret");
	password_of("host.example.org me s3cret", "s3cret");
	password_of("password=first\nhost.example.org me s3cret", "s3cret");
	password_of("password=s3cret\n\nhost.example.org", "s3cret");
	password_of("fw-password=other, password=s3cret host.example.org # password=no", "s3cret");
	password_of("# password=no\npassword=s3cret host.example.org\r\n", "s3cret");
	password_of("password='' host.example.org me", "");
	password_of("password=s3cret,fw-password=x host.example.org", "s3cret,fw-password=x");
	password_of("login=mypassword, password=s3cret host.example.org", "s3cret");
	password_of("password=s3cret, \\\nhost.example.org", "s3cret,");
	password_of("password=s3cret login=password host.example.org", "s3cret");
}

static void test_ddclient_s_notes(void **state)
{
	golden(dns_import_ddclient,
	       "use=fw, fw=192.168.1.1/status.htm, fw-login=admin, fw-password=x\n"
	       "login=a password=b, h.example.org\n"
	       "protocol=noip h.example.org\n"
	       "postscript=/bin/x\n"
	       "frobnicate=1\n"
	       "no_host\\",
	       "[dns h.example.org]\n"
	       "provider = dyn\n"
	       "user = a\n"
	       "password-file = /etc/homeport/h.example.org.secret\n"
	       "family = ipv4\n"
	       "\n"
	       "# line 6, provider dyndns2: not a host name, which a name at provider dyn is\n"
	       "# [dns no_host]\n"
	       "# provider = dyn\n"
	       "# family = ipv4\n"
	       "--\n"
	       "1: fw: router pages are not read: PCP, NAT-PMP and UPnP are used\n"
	       "1: fw-login: router pages are not read: PCP, NAT-PMP and UPnP are used\n"
	       "1: fw-password: router pages are not read: PCP, NAT-PMP and UPnP are used\n"
	       "2: the password ends in a comma: ddclient takes it for a part of it, and so do we\n"
	       "3: h.example.org stands on two lines: the first counts, as for ddclient 4 (for "
	       "ddclient 3 it is the last)\n"
	       "4: postscript: set \"on-change\" to the program; it gets its data in the "
	       "environment\n"
	       "5: frobnicate is not carried over\n"
	       "6: the file ends in a line that is to be continued\n");
}

/* A file's names may be anything; what is made of them can be read. */
static void test_names_that_are_none(void **state)
{
	golden(dns_import_ddclient,
	       "login=a, password=b we]ird\n"
	       "login=a, password=b *.example.org,"
	       "a-very-long-label-of-a-name-that-somebody-has-made.example.org\n",
	       "# line 1, provider dyndns2: not a host name, which a name at provider dyn is\n"
	       "# [dns name-1]\n"
	       "# name = we]ird\n"
	       "# provider = dyn\n"
	       "# user = a\n"
	       "# password-file = /etc/homeport/name-1.secret\n"
	       "# family = ipv4\n"
	       "\n"
	       "# line 2, provider dyndns2: not a host name, which a name at provider dyn is\n"
	       "# [dns name-2]\n"
	       "# name = *.example.org\n"
	       "# provider = dyn\n"
	       "# user = a\n"
	       "# password-file = /etc/homeport/name-1.secret\n"
	       "# family = ipv4\n"
	       "\n"
	       "[dns name-3]\n"
	       "name = a-very-long-label-of-a-name-that-somebody-has-made.example.org\n"
	       "provider = dyn\n"
	       "user = a\n"
	       "password-file = /etc/homeport/name-1.secret\n"
	       "family = ipv4\n"
	       "--\n");
}

static void test_ddclient_s_cache(void **state)
{
	struct dns_import import;
	struct err e = {0};

	read_good(&import, dns_import_ddclient,
		  "login=a\npassword=b\n4.example.org,6.example.org,"
		  "bad.example.org,both.example.org\n");
	assert_int_equal(dns_import_ddclient_cache(
				 &import,
				 STR("## ddclient-3.10.0\n"
				     "## last updated at Fri Nov 20 12:00:00 2026 (1795176000)\n"
				     "atime=0,host=4.example.org,ip=192.0.2.1,mtime=1795176000,"
				     "status=good,wtime=30 "
				     "4.example.org\n"
				     "atime=0,ipv6=2001:db8::1,mtime=1795170000,status-ipv6=good "
				     "6.example.org\n"
				     "atime=0,ip=192.0.2.9,mtime=1,status=badauth bad.example.org\n"
				     "ipv4=192.0.2.2,ipv6=2001:db8::2,mtime=5,status-ipv4=good,"
				     "status-ipv6=good "
				     "both.example.org\n"
				     "ip=192.0.2.3,status=good unknown.example.org\n"
				     "ip=0.0.0.0,status=good bad.example.org\n"
				     "ip='192.0.2.4,status=good bad.example.org\n"),
				 &e),
			 0);
	assert_int_equal(import.n, 4);
	assert_int_equal(import.names[0].published4.bytes[3], 1);
	assert_int_equal(import.names[0].confirmed_s, 1795176000);
	assert_int_equal(import.names[1].published6.family, 6);
	assert_int_equal(import.names[1].published4.family, 0);
	assert_int_equal(import.names[2].published4.family, 0); /* that one was not good */
	assert_int_equal(import.names[3].published4.family, 4);
	assert_int_equal(import.names[3].published6.family, 6);
	dns_import_done(&import);
}

static void test_ddclient_s_limits(void **state)
{
	AUTO(buf_donep) struct buf text = {0};
	struct dns_import import;
	struct err e = {0};

	for (int i = 0; i < DNS_IMPORT_NAMES_MAX; i++)
		assert_int_equal(buf_printf(&text, "h%d.example.org a b\n", i), 0);
	dns_import_init(&import);
	assert_int_equal(dns_import_ddclient(&import, buf_str(&text), &e), 0);
	assert_int_equal(dns_import_ddclient(&import, STR("h0.example.org"), &e), 0);
	assert_int_equal(import.n, DNS_IMPORT_NAMES_MAX);
	dns_import_done(&import);
	assert_int_equal(buf_printf(&text, "one-too-many.example.org a b\n"), 0);
	dns_import_init(&import);
	assert_int_equal(dns_import_ddclient(&import, buf_str(&text), &e), -ERR_LIMIT);
	assert_int_equal(import.n, DNS_IMPORT_NAMES_MAX);
	dns_import_done(&import);

	buf_consume(&text, buf_len(&text));
	for (int i = 0; i < 3000; i++)
		assert_int_equal(buf_printf(&text, "login=aaaaaaaaaa \\\n"), 0);
	assert_int_equal(buf_printf(&text, "ip=192.0.2.1,status=good h.example.org\n"), 0);
	dns_import_init(&import);
	assert_int_equal(dns_import_ddclient(&import, buf_str(&text), &e), -ERR_LIMIT);
	assert_int_equal(dns_import_ddclient(&import, STR("h.example.org a b"), &e), 0);
	assert_int_equal(dns_import_ddclient_cache(&import, buf_str(&text), &e), 0);
	assert_int_equal(import.names[0].published4.family, 4); /* a damaged line is one line */
	assert_int_equal(import.n_notes, 1);
	dns_import_done(&import);

	buf_consume(&text, buf_len(&text));
	for (int i = 0; i < 100; i++)
		assert_int_equal(buf_printf(&text,
					    "a-name-that-is-longer-than-any-option-%d=1\n"
					    "o%d=1\n",
					    i, i % 90),
				 0);
	dns_import_init(&import);
	assert_int_equal(dns_import_ddclient(&import, buf_str(&text), &e), 0);
	dns_import_done(&import);

	buf_consume(&text, buf_len(&text));
	for (int i = 0; i < DNS_IMPORT_NOTES_MAX + 10; i++)
		assert_int_equal(buf_printf(&text, "x%d=1\n", i % 30), 0);
	dns_import_init(&import);
	assert_int_equal(dns_import_ddclient(&import, buf_str(&text), &e), 0);
	assert_int_equal(import.n_notes, DNS_IMPORT_NOTES_MAX);
	assert_int_equal(import.lost_notes, 10);
	dns_import_done(&import);

	dns_import_init(&import);
	assert_int_equal(dns_import_ddclient(&import, str_n("a\0b", 3), &e), -ERR_INVALID);
	dns_import_done(&import);
}

/* ── inadyn ── */

static void test_inadyn(void **state)
{
	golden(dns_import_inadyn,
	       "# In-A-Dyn v2.0 configuration file\n"
	       "period = 300 // seconds\n"
	       "/* of the\n   old kind */\n"
	       "user-agent = Mozilla/5.0\n"
	       "allow-ipv6 = true\n"
	       "fake-address = true\n"
	       "\n"
	       "provider no-ip.com:1 {\n"
	       "\tusername = account1\n"
	       "\tpassword = \"pa ss\\\"#1\"\n"
	       "\thostname = { \"home.no-ip.org\", nas.no-ip.org }\n"
	       "}\n"
	       "provider default@duckdns.org {\n"
	       "    username = 1234-5678-token\n"
	       "    password = noPasswordForDuckdns\n"
	       "    hostname = me.duckdns.org\n"
	       "}\n"
	       "provider ipv6@cloudflare.com {\n"
	       "    username = example.org\n"
	       "    password = ApiToken\n"
	       "    hostname = home.example.org\n"
	       "    ttl = 60\n"
	       "    proxied = false\n"
	       "    iface = eth1\n"
	       "}\n",
	       "[dns home.no-ip.org]\n"
	       "provider = noip\n"
	       "user = account1\n"
	       "password-file = /etc/homeport/home.no-ip.org.secret\n"
	       "\n"
	       "[dns nas.no-ip.org]\n"
	       "provider = noip\n"
	       "user = account1\n"
	       "password-file = /etc/homeport/home.no-ip.org.secret\n"
	       "\n"
	       "[dns me.duckdns.org]\n"
	       "provider = duckdns\n"
	       "password-file = /etc/homeport/me.duckdns.org.secret\n"
	       "\n"
	       "[dns home.example.org]\n"
	       "provider = cloudflare\n"
	       "password-file = /etc/homeport/home.example.org.secret\n"
	       "zone = example.org\n"
	       "family = ipv6\n"
	       "ttl = 60s\n"
	       "--\n"
	       "7: fake-address: no address is ever made up; a reminder comes instead\n"
	       "24: proxied: stays as it is at the provider; it is not set\n");
}

static void test_inadyn_custom_and_unknown(void **state)
{
	golden(dns_import_inadyn,
	       "custom mine {\n"
	       "  ssl = true\n"
	       "  username = u\n"
	       "  password = p\n"
	       "  ddns-server = ddns.example.org\n"
	       "  ddns-path = \"/nic/update?hostname=%h&myip=%i\"\n"
	       "  hostname = home.example.org\n"
	       "}\n"
	       "custom other { ddns-server = www.example.net ddns-path = \"/x?%h\" hostname = "
	       "a.example.net "
	       "}\n"
	       "custom part { ddns-server = ddns.example.org\n"
	       "ddns-path = \"/nic/update?hostname=%h.example.org&myip=%i\"\n"
	       "username = u password = p hostname = b ssl = false }\n"
	       "provider dyndns { username = u password = p hostname = a.dyndns.org wildcard = "
	       "true }\n"
	       "provider nowhere.example { username = token hostname = b.example.org }\n"
	       "include(\"/etc/more.conf\")\n",
	       "[dns home.example.org]\n"
	       "provider = dyndns2\n"
	       "user = u\n"
	       "password-file = /etc/homeport/home.example.org.secret\n"
	       "server = ddns.example.org\n"
	       "family = ipv4\n"
	       "\n"
	       "# line 9, provider other: no provider that is known\n"
	       "# [dns a.example.net]\n"
	       "# provider = other\n"
	       "# password-file = /etc/homeport/a.example.net.secret\n"
	       "# family = ipv4\n"
	       "\n"
	       "# line 10, provider part: not the name of one host\n"
	       "# [dns b]\n"
	       "# provider = part\n"
	       "# password-file = /etc/homeport/home.example.org.secret\n"
	       "# family = ipv4\n"
	       "\n"
	       "[dns a.dyndns.org]\n"
	       "provider = dyn\n"
	       "user = u\n"
	       "password-file = /etc/homeport/home.example.org.secret\n"
	       "family = ipv4\n"
	       "\n"
	       "# line 14, provider nowhere.example: no provider that is known\n"
	       "# [dns b.example.org]\n"
	       "# provider = nowhere.example\n"
	       "# password-file = /etc/homeport/b.example.org.secret\n"
	       "# family = ipv4\n"
	       "--\n"
	       "9: a.example.net: custom other is not known: write it as provider = template\n"
	       "10: ssl: requests go by https only\n"
	       "10: b: custom part is not known: write it as provider = template\n"
	       "13: wildcard: names below it are not set: make a CNAME record \"*.NAME\" at the "
	       "provider\n"
	       "14: b.example.org: provider nowhere.example is not known\n"
	       "15: include(\"/etc/more.conf\"): the file is not read\n");
}

static void inadyn_password_of(const char *text, const char *expected)
{
	AUTO(buf_donep) struct buf file = {0};
	struct dns_import import;
	struct err e = {0};

	dns_import_init(&import);
	assert_int_equal(buf_printf(&file, "provider x { hostname = h password = %s\n}", text), 0);
	if (dns_import_inadyn(&import, buf_str(&file), &e) < 0)
		fail_msg("%s: %s", text, e.text);
	if (import.n != 1 || strcmp(import.names[0].pass, expected) != 0)
		fail_msg("%s: \"%s\" of %zu", text, import.n ? import.names[0].pass : "", import.n);
	dns_import_done(&import);
}

/* As libConfuse 3.3 reads them. */
static void test_inadyn_s_passwords(void **state)
{
	inadyn_password_of("plain;[]$%:@b", "plain;[]$%:@b");
	inadyn_password_of("p#comment", "p");
	inadyn_password_of("p//q", "p//q");
	inadyn_password_of("a\\b", "a\\b");
	inadyn_password_of("\"a#b //c /*d*/\"", "a#b //c /*d*/");
	inadyn_password_of("\"a\\x41b\\101\\e\\q\\\"\"", "aAbA\033q\"");
	inadyn_password_of("'a\\nb\\\\c\\'d'", "a\\nb\\c'd");
	inadyn_password_of("\"a\\\nb\"", "ab");
	inadyn_password_of("\"\\${HOME}\"", "${HOME}");
	inadyn_password_of("'${HOME}'", "${HOME}");
	inadyn_password_of("\"${HOME}\"", ""); /* not ours to know */
	inadyn_password_of("one password = two", "two");
	inadyn_password_of("'' \"password\" = 'key in quotes'", "key in quotes");
	inadyn_password_of("p hostname = g", "p");
}

static void test_inadyn_s_lists(void **state)
{
	struct dns_import import;
	AUTO(buf_donep) struct buf text = {0};

	assert_int_equal(buf_printf(&text, "provider dyndns { hostname = lost hostname = "
					   "{a.example.org, } hostname += B.Example.Org.\n"
					   "hostname += { \"c.example.org\""),
			 0);
	for (int i = 3; i < DNS_IMPORT_NAMES_MAX; i++)
		assert_int_equal(buf_printf(&text, ", h%d.example.org", i), 0);
	assert_int_equal(buf_printf(&text, "} }"), 0);
	dns_import_init(&import);
	assert_int_equal(dns_import_inadyn(&import, buf_str(&text), NULL), 0);
	assert_int_equal(import.n, DNS_IMPORT_NAMES_MAX);
	assert_string_equal(import.names[0].host, "a.example.org");
	assert_string_equal(import.names[1].host, "b.example.org");
	assert_int_equal(import.n_notes, 0);
	dns_import_done(&import);
}

static void test_inadyn_s_other_keys(void **state)
{
	golden(dns_import_inadyn,
	       "allow-ipv6 = Yes\n"
	       "secure-ssl = false broken-rtc = true verify-address = false forced-update = 5\n"
	       "provider ipv6tb@he.net { username = u password = p hostname = 12345 }\n"
	       "provider default@ipv4.dynv6.com { username = token password = x hostname = "
	       "a.dynv6.net proxy = \"socks5://x\" }\n"
	       "provider dnsexit.com { username = u password = p hostname = a.example.net }\n"
	       "provider dyndns { username = u password = \"two\\nlines\" hostname = "
	       "b.example.net }\n",
	       "[dns 12345]\n"
	       "provider = tunnelbroker\n"
	       "user = u\n"
	       "password-file = /etc/homeport/12345.secret\n"
	       "family = ipv4\n"
	       "\n"
	       "[dns a.dynv6.net]\n"
	       "provider = dynv6\n"
	       "password-file = /etc/homeport/a.dynv6.net.secret\n"
	       "family = ipv4\n"
	       "\n"
	       "# line 5, provider dnsexit.com: provider dnsexit needs \"password-file\"\n"
	       "# [dns a.example.net]\n"
	       "# provider = dnsexit\n"
	       "# password-file = /etc/homeport/a.example.net.secret\n"
	       "# zone = example.net\n"
	       "\n"
	       "# line 6, provider dyndns: the password has more than one line\n"
	       "# [dns b.example.net]\n"
	       "# provider = dyn\n"
	       "# user = u\n"
	       "# password-file = /etc/homeport/b.example.net.secret\n"
	       "--\n"
	       "2: secure-ssl: certificates are always checked, against the system's list\n"
	       "2: broken-rtc: certificates are always checked, against the system's list\n"
	       "2: verify-address: an address that is not public is published only where "
	       "\"address\" says so\n"
	       "2: forced-update: when a request is sent follows from the provider's rules\n"
	       "4: proxy: no proxy is used\n"
	       "5: dnsexit: passwords are no longer taken; make an API key and put it into the "
	       "password file\n"
	       "5: a.example.net: no zone is given, example.net is a guess\n");
}

/* Too long for a place of ours is not the same as not given. */
static void test_inadyn_s_long_values(void **state)
{
	struct dns_import import;
	AUTO(buf_donep) struct buf text = {0};
	struct err e = {0};

	assert_int_equal(buf_printf(&text,
				    "provider dyndns { hostname = a.example.org username = u "
				    "password = %0600d }",
				    0),
			 0);
	dns_import_init(&import);
	assert_int_equal(dns_import_inadyn(&import, buf_str(&text), NULL), 0);
	assert_false(dns_import_usable(&import, 0, &e));
	assert_string_equal(e.text, "something in it is too long");
	dns_import_done(&import);
}

static int read_more(void *arg, const char *path, struct buf *text, struct err *e)
{
	unsigned *reads = arg;

	++*reads;
	if (strcmp(path, "secrets") == 0)
		return buf_append_str(text,
				      STR("# mine\nusername = u // me\npassword = \"s #\"\n"));
	if (strcmp(path, "more") == 0)
		return buf_append_str(text,
				      STR("frobnicate = 1\nprovider dyndns.org { hostname = "
					  "b.example.org include(secrets)\n wildcard = on }\n"));
	if (strcmp(path, "itself") == 0)
		return buf_append_str(text, STR("include(itself) include(itself)"));
	if (strcmp(path, "often") == 0)
		return buf_append_str(
			text, STR("include(secrets)\ninclude(secrets)\ninclude(secrets)\n"));
	if (strcmp(path, "damaged") == 0)
		return buf_append_str(text, STR("username = u\n}\n"));
	return err_set(e, ERR_NOT_FOUND, "%s: gone", path);
}

static void test_inadyn_s_includes(void **state)
{
	static const struct {
		const char *text, *why;
	} wrong[] = {
		{"\ninclude(itself)", "too many files are included"},
		{"\nprovider x {\n include(damaged) }",
		 "line 3: damaged: line 2: a name or \"}\" is "
		 "missing"},
	};
	struct dns_import import;
	unsigned reads = 0;
	struct err e = {0};
	char *result;

	dns_import_init(&import);
	import.include = read_more;
	import.include_arg = &reads;
	assert_int_equal(dns_import_inadyn(&import,
					   STR("period = 5\nprovider dyndns.org {\n"
					       "include(secrets)\ninclude(nowhere)\n"
					       "hostname = a.example.org }\ninclude(\"more\")\n"),
					   &e),
			 0);
	result = result_of(&import);
	assert_string_equal(result, "[dns a.example.org]\n"
				    "provider = dyn\n"
				    "user = u\n"
				    "password-file = /etc/homeport/a.example.org.secret\n"
				    "family = ipv4\n"
				    "\n"
				    "[dns b.example.org]\n"
				    "provider = dyn\n"
				    "user = u\n"
				    "password-file = /etc/homeport/a.example.org.secret\n"
				    "family = ipv4\n"
				    "--\n"
				    "4: include: nowhere: gone\n"
				    "6: frobnicate is not carried over\n"
				    "6: wildcard: names below it are not set: make a CNAME record "
				    "\"*.NAME\" at the provider\n");
	assert_string_equal(import.names[1].pass, "s #");
	free(result);
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		reads = 0;
		assert_int_equal(dns_import_inadyn(&import, str_of(wrong[i].text), &e),
				 -ERR_INVALID);
		if (!strstr(e.text, wrong[i].why))
			fail_msg("%s", e.text);
		assert_in_range(reads, 1, 32);
	}
	dns_import_done(&import);
}

static void test_one_name_at_two_providers(void **state)
{
	golden(dns_import_inadyn,
	       "provider ipv4@nsupdate.info { username = h.nsupdate.info password = p1 hostname = "
	       "h.nsupdate.info }\n"
	       "provider ipv6@nsupdate.info { username = h.nsupdate.info password = p2 hostname = "
	       "h.nsupdate.info }\n",
	       "[dns h.nsupdate.info]\n"
	       "provider = nsupdate.info\n"
	       "password-file = /etc/homeport/h.nsupdate.info.secret\n"
	       "family = ipv4\n"
	       "\n"
	       "[dns h.nsupdate.info-2]\n"
	       "name = h.nsupdate.info\n"
	       "provider = nsupdate.info\n"
	       "password-file = /etc/homeport/h.nsupdate.info-2.secret\n"
	       "family = ipv6\n"
	       "--\n");
}

static void test_inadyn_broken(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{"provider x {\n hostname = {a, b\n}\n", "line 4: a name or \"}\" is missing"},
		{"provider {", "line 1: the provider's name is missing"},
		{"provider x y", "line 1: \"{\" is missing"},
		{"period 300", "line 1: \"=\" is missing"},
		{"period = \"300", "line 1: a value is missing, or a quote"},
		{"/* no end", "line 1: a name is missing"},
		{"provider x {\n password = a b\n = }", "line 3: a value is missing, or a quote"},
		{"include(x", "line 1: \")\" is missing"},
		{"\1", NULL},
		{"=", "line 1: a name is missing"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct dns_import import;
		struct err e = {0};
		int r;

		dns_import_init(&import);
		r = dns_import_inadyn(&import, str_of(cases[i].text), &e);
		if (cases[i].why && (r != -ERR_INVALID || strcmp(e.text, cases[i].why) != 0))
			fail_msg("%s: %d \"%s\"", cases[i].text, r, e.text);
		dns_import_done(&import);
	}
}

/* "HOST.cache" is what inadyn 2.10 writes. */
static void test_inadyn_s_cache(void **state)
{
	static const struct {
		const char *file, *text;
		int64_t at;
	} files[] = {
		{"a.no-ip.org.cache", "192.0.2.1", 1795176000},
		{"default@no-ip.com-b-a.no-ip.org.cache", "192.0.2.9\n", 9}, /* of another name */
		{"default@freedns.afraid.org-a.no-ip.org.cache", "192.0.2.9", 9},
		{"a.no-ip.org.txt", "192.0.2.2", 9},
		{"a.no-ip.org.cache", "nonsense", 9},
		{".cache", "192.0.2.2", 9},
		{"-.cache", "192.0.2.2", 9},
		{"default@no-ip.com-B.a.no-ip.org.cache", "2001:db8::1\r\n", 5},
		{"nowhere-c.example.org.cache", "192.0.2.3", 6},
	};
	struct dns_import import;

	read_good(&import, dns_import_inadyn,
		  "provider no-ip.com { hostname = { a.no-ip.org, "
		  "b.a.no-ip.org } }"
		  "provider nowhere { hostname = { c.example.org, \"\" } }");
	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		dns_import_inadyn_cache(&import, str_of(files[i].file), str_of(files[i].text),
					files[i].at);
	assert_int_equal(import.n, 3);
	assert_int_equal(import.names[0].published4.bytes[3], 1);
	assert_int_equal(import.names[0].published6.family, 0);
	assert_int_equal(import.names[0].confirmed_s, 1795176000);
	assert_int_equal(import.names[1].published6.family, 6);
	assert_int_equal(import.names[1].confirmed_s, 5);
	assert_int_equal(import.names[2].published4.bytes[3], 3);
	dns_import_done(&import);
}

/* ── noip2 ── */

struct noip2 {
	bool big;   /* a machine with the other byte order */
	bool old;   /* device[8] */
	bool plain; /* built without base64 */
	const char *request, *program, *device, *last;
	int damage; /* added to the checksum */
};

static void put(uint8_t *at, uint32_t n, int bytes, bool big)
{
	for (int i = 0; i < bytes; i++)
		at[big ? bytes - 1 - i : i] = (uint8_t)(n >> 8 * i);
}

static size_t make_noip2(const struct noip2 *x, uint8_t to[static 2048])
{
	size_t head = x->old ? 40 : 48, len = head, request, program = 0;
	uint16_t sum = 0;

	memset(to, 0, 2048);
	memcpy(to, x->last, strlen(x->last));
	put(to + 16, 30, 2, x->big);
	put(to + 20, 0x414a324c, 4, x->big);
	to[29] = !x->plain;
	request = x->plain ? strlen(x->request)
			   : (size_t)EVP_EncodeBlock(to + len, (const uint8_t *)x->request,
						     (int)strlen(x->request));
	if (x->plain)
		memcpy(to + len, x->request, request);
	len += request;
	if (x->program)
		program = 1 + (size_t)EVP_EncodeBlock(to + len, (const uint8_t *)x->program,
						      (int)strlen(x->program)); /* and NUL */
	len += program;
	put(to + 24, (uint32_t)request, 2, x->big);
	put(to + 26, (uint32_t)program, 2, x->big);
	memcpy(to + 32, x->device, strlen(x->device));
	for (size_t i = 20; i < len; i++)
		sum = (uint16_t)(sum + to[i]);
	put(to + 18, (uint32_t)(sum + x->damage), 2, x->big);
	return len;
}

#define NOIP2_REQUEST                                                                              \
	"username=me%40example.org&pass=p%26w%3d1+&h[]=home.ddns.net&h[]=nas.ddns.net&g[]=all"
#define NOIP2_NOTE                                                                                 \
	"0: make a DDNS key at No-IP for these names, and delete this file: the account's "        \
	"password can be "                                                                         \
	"read in it\n"

static void check_noip2(const struct noip2 *x, const char *expected)
{
	uint8_t bytes[2048];
	size_t len = make_noip2(x, bytes);
	struct dns_import import;
	struct err e = {0};
	char *result;

	dns_import_init(&import);
	if (dns_import_noip2(&import, str_n((const char *)bytes, len), &e) < 0)
		fail_msg("%s", e.text);
	result = result_of(&import);
	assert_string_equal(result, expected);
	assert_string_equal(import.names[0].pass, "p&w=1+");
	free(result);
	dns_import_done(&import);
}

static void test_noip2(void **state)
{
	static const char expected[] =
		"[dns home.ddns.net]\n"
		"provider = noip\n"
		"user = me@example.org\n"
		"password-file = /etc/homeport/home.ddns.net.secret\n"
		"family = ipv4\n"
		"\n"
		"[dns nas.ddns.net]\n"
		"provider = noip\n"
		"user = me@example.org\n"
		"password-file = /etc/homeport/home.ddns.net.secret\n"
		"family = ipv4\n"
		"\n"
		"[dns all]\n"
		"provider = noip\n"
		"user = me@example.org\n"
		"password-file = /etc/homeport/home.ddns.net.secret\n"
		"family = ipv4\n"
		"--\n"
		"0: all is a group: No-IP changes all names in it\n" NOIP2_NOTE;
	struct noip2 x = {.request = NOIP2_REQUEST, .device = "eth0", .last = "192.0.2.1"};

	check_noip2(&x, expected);
	x.big = true;
	check_noip2(&x, expected);
	x.old = true;
	check_noip2(&x, expected);
	x.plain = true;
	check_noip2(&x, expected);
}

static void test_noip2_last_address_and_program(void **state)
{
	struct noip2 x = {
		.request = NOIP2_REQUEST, .device = "", .last = "192.0.2.1", .program = "/bin/x"};
	uint8_t bytes[2048];
	size_t len = make_noip2(&x, bytes);
	struct dns_import import;

	dns_import_init(&import);
	assert_int_equal(dns_import_noip2(&import, str_n((const char *)bytes, len), NULL), 0);
	assert_int_equal(import.names[0].published4.bytes[3], 1);
	assert_string_equal(import.names[0].interface, "");
	assert_non_null(strstr(import.notes[1].text, "on-change"));
	dns_import_done(&import);
}

static void test_noip2_damaged(void **state)
{
	struct noip2 x = {.request = NOIP2_REQUEST, .device = "eth0", .last = "", .damage = 1};
	uint8_t bytes[2048];
	size_t len = make_noip2(&x, bytes);
	struct dns_import import;
	struct err e = {0};

	dns_import_init(&import);
	assert_int_equal(dns_import_noip2(&import, str_n((const char *)bytes, len), &e),
			 -ERR_INVALID);
	assert_non_null(strstr(e.text, "checksum"));
	x.damage = 0;
	len = make_noip2(&x, bytes);
	for (size_t n = 0; n < len; n++)
		assert_int_equal(dns_import_noip2(&import, str_n((const char *)bytes, n), &e),
				 -ERR_INVALID);
	bytes[20]++;
	assert_int_equal(dns_import_noip2(&import, str_n((const char *)bytes, len), &e),
			 -ERR_INVALID);
	assert_int_equal(import.n, 0);
	x.request = "username=a&pass=b";
	len = make_noip2(&x, bytes);
	assert_int_equal(dns_import_noip2(&import, str_n((const char *)bytes, len), &e),
			 -ERR_INVALID);
	dns_import_done(&import);
}

/* ── what becomes of it ── */

#define NOW ((int64_t)1800000000)

static void resume_with(struct dns_machine *m, struct dns_ledger *ledger, const char *key,
			const char *row, uint8_t config)
{
	static struct dns_rules rules;
	uint8_t hash[DNS_CONFIG_LEN] = {config};

	dns_rules_of(dns_provider_find(str_of(row)), &rules);
	dns_machine_init(m, &rules, hash);
	if (!dns_ledger_get(ledger, key, m))
		fail_msg("no entry %s", key);
	dns_machine_resume(m, hash, NOW);
}

static enum dns_action wish(struct dns_machine *m, const char *text)
{
	struct ipaddr address;
	int64_t at = 0;

	assert_int_equal(ipaddr_parse(str_of(text), &address), 0);
	dns_machine_on_wish(m, DNS_WISH_ADDRESS, &address, NOW);
	return dns_machine_next(m, NOW, &at);
}

static void test_moving_sends_nothing(void **state)
{
	struct dns_import import;
	struct dns_ledger ledger;
	struct dns_machine m;
	struct err e = {0};

	dns_ledger_init(&ledger);
	read_good(&import, dns_import_ddclient,
		  "protocol=dyndns2 login=a password=b "
		  "a.example.org,b.example.org\n"
		  "protocol=strange login=a password=b c.example.org\n");
	assert_int_equal(dns_import_ddclient_cache(
				 &import,
				 STR("ip=203.0.113.7,mtime=1799999000,status=good a.example.org\n"
				     "ip=203.0.113.7,mtime=1799999000,status=good c.example.org\n"),
				 &e),
			 0);
	assert_int_equal(dns_import_ledger(&import, &ledger, false), 0);
	assert_int_equal(json_object_size(ledger.names), 1);

	resume_with(&m, &ledger, "dyn a.example.org A", "dyn", 0xaa);
	assert_int_equal(wish(&m, "203.0.113.7"), DNS_LATER); /* its refresh, in 28 days */
	assert_int_equal(m.state, DNS_STATE_IDLE);
	assert_int_equal(m.confirmed_s, 1799999000);
	assert_int_equal(m.config[0], 0xaa);
	assert_int_equal(wish(&m, "203.0.113.8"), DNS_SEND);

	/* what counted for one configuration does not for the next */
	assert_int_equal(dns_ledger_put(&ledger, "dyn a.example.org A", &m), 0);
	resume_with(&m, &ledger, "dyn a.example.org A", "dyn", 0xbb);
	assert_int_equal(wish(&m, "203.0.113.7"), DNS_ASK);
	dns_ledger_done(&ledger);
	dns_import_done(&import);
}

static void test_entries_stay(void **state)
{
	struct dns_import import;
	struct dns_ledger ledger;
	struct dns_machine m;

	dns_ledger_init(&ledger);
	read_good(&import, dns_import_ddclient,
		  "login=a password=b use=web usev6=ifv6 a.example.org\n");
	for (int i = 0; i < 2; i++) {
		struct ipaddr address;

		assert_int_equal(
			ipaddr_parse(i ? STR("203.0.113.8") : STR("203.0.113.7"), &address), 0);
		dns_import_published(&import.names[0], &address, NOW - 100);
		assert_int_equal(ipaddr_parse(STR("2a0e:1::1"), &address), 0);
		dns_import_published(&import.names[0], &address, NOW - 100);
		assert_int_equal(dns_import_ledger(&import, &ledger, false), 0);
	}
	assert_int_equal(json_object_size(ledger.names), 2);
	resume_with(&m, &ledger, "dyn a.example.org A", "dyn", 1);
	assert_int_equal(m.published.bytes[3], 7);
	assert_int_equal(dns_import_ledger(&import, &ledger, true), 0);
	resume_with(&m, &ledger, "dyn a.example.org A", "dyn", 1);
	assert_int_equal(m.published.bytes[3], 8);
	dns_ledger_done(&ledger);
	dns_import_done(&import);
}

/* A file's names may be none: what was published of them is nobody's. */
static void test_published_of_what_is_no_name(void **state)
{
	struct dns_import import;
	struct dns_ledger ledger;

	dns_ledger_init(&ledger);
	read_good(&import, dns_import_ddclient, "\xff.example.org a b\n");
	assert_int_equal(dns_import_ddclient_cache(
				 &import, STR("ip=192.0.2.1,status=good \xff.example.org\n"), NULL),
			 0);
	assert_int_equal(import.names[0].published4.family, 4);
	assert_int_equal(dns_import_ledger(&import, &ledger, false), 0);
	assert_int_equal(json_object_size(ledger.names), 0);
	dns_ledger_done(&ledger);
	dns_import_done(&import);
}

static void test_long_names_have_short_files(void **state)
{
	struct dns_import import;
	AUTO(buf_donep) struct buf text = {0};
	char file[DNS_IMPORT_PATH_MAX];

	dns_import_init(&import);
	for (int i = 0; i < 24; i++)
		assert_int_equal(buf_printf(&text, "%09d.", i), 0);
	assert_int_equal(buf_printf(&text, "example.org a b\n"), 0);
	assert_int_equal(dns_import_ddclient(&import, buf_str(&text), NULL), 0);
	assert_true(dns_import_usable(&import, 0, NULL));
	assert_string_equal(dns_import_secret_file(file, &import, 0), "name-1.secret");
	dns_import_done(&import);
}

/* A file may be anybody's. */
static void test_names_are_no_paths_and_no_lines(void **state)
{
	struct dns_import import;
	AUTO(buf_donep) struct buf out = {0};
	char file[DNS_IMPORT_PATH_MAX];

	read_good(&import, dns_import_inadyn,
		  "provider dyndns.org { username = a\npassword = b\n"
		  "hostname = \"../../etc/x\" }\n"
		  "provider \"no\\n[gateway]\" { username = a\npassword = c\n"
		  "hostname = \"y\\n[gateway]\\naddress = z\" }\n");
	assert_int_equal(import.n, 2);
	assert_string_equal(dns_import_secret_file(file, &import, 0), "name-1.secret");
	assert_string_equal(dns_import_secret_file(file, &import, 1), "name-2.secret");
	assert_int_equal(dns_import_write(&import, "/s", &out), 0);
	assert_int_equal(buf_append(&out, "", 1), 0);
	assert_null(strstr((char *)out.bytes, "\n[gateway]"));
	assert_null(strstr((char *)out.bytes, "\naddress"));
	dns_import_done(&import);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ddclient),
		cmocka_unit_test(test_ddclient_s_old_way_and_servers),
		cmocka_unit_test(test_ddclient_s_odd_protocols),
		cmocka_unit_test(test_ddclient_s_odd_names),
		cmocka_unit_test(test_a_family_that_the_provider_has_not),
		cmocka_unit_test(test_directnic_s_secret),
		cmocka_unit_test(test_ddclient_s_capitals_and_dots),
		cmocka_unit_test(test_ddclient_s_families),
		cmocka_unit_test(test_ddclient_s_other_options),
		cmocka_unit_test(test_values_are_not_bent),
		cmocka_unit_test(test_ddclient_s_passwords),
		cmocka_unit_test(test_ddclient_s_notes),
		cmocka_unit_test(test_names_that_are_none),
		cmocka_unit_test(test_ddclient_s_cache),
		cmocka_unit_test(test_ddclient_s_limits),
		cmocka_unit_test(test_inadyn),
		cmocka_unit_test(test_inadyn_custom_and_unknown),
		cmocka_unit_test(test_inadyn_s_passwords),
		cmocka_unit_test(test_inadyn_s_lists),
		cmocka_unit_test(test_inadyn_s_other_keys),
		cmocka_unit_test(test_inadyn_s_long_values),
		cmocka_unit_test(test_inadyn_s_includes),
		cmocka_unit_test(test_one_name_at_two_providers),
		cmocka_unit_test(test_inadyn_broken),
		cmocka_unit_test(test_inadyn_s_cache),
		cmocka_unit_test(test_noip2),
		cmocka_unit_test(test_noip2_last_address_and_program),
		cmocka_unit_test(test_noip2_damaged),
		cmocka_unit_test(test_moving_sends_nothing),
		cmocka_unit_test(test_entries_stay),
		cmocka_unit_test(test_published_of_what_is_no_name),
		cmocka_unit_test(test_long_names_have_short_files),
		cmocka_unit_test(test_names_are_no_paths_and_no_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
