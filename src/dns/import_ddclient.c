/* ddclient.conf and ddclient.cache: what their lines (dns/ddclient.h) mean for us. Without a host, options
 * are defaults for the hosts that follow. */
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/secret.h"
#include "dns/ddclient.h"
#include "dns/import.h"

_Static_assert(DDCLIENT_VALUE_MAX == DNS_IMPORT_VALUE_MAX, "a value fits");

#define HETZNER_TOKEN_LEN 64 /* of the Cloud console; the old one's had 32 */

struct reader {
	struct dns_import *import; /* borrowed */
	struct ddclient_reader file;
	struct ddclient_line line;
	struct ddclient_options globals;
};

/* ── options ── */

static const char *get(const struct reader *r, const char *name)
{
	return ddclient_get(&r->line.options, name);
}

#define ROUTER	"router pages are not read: PCP, NAT-PMP and UPnP are used"
#define COMMAND "commands are not run to learn an address"
#define MAIL	"no mail is sent: see \"on-park\" and homeport dns status"
#define LEGACY	"providers take no notice of it any more"
#define TIMES	"when a request is sent follows from the provider's rules"
#define TRUST	"certificates are always checked, against the system's list"

/*
 * What ddclient has, and what a person should know of an option that is not carried over; NULL where
 * nothing is lost, because it is carried over or of no use for a program that reacts to events. What
 * switches something on or off is told only when it is on.
 */
static const struct {
	const char *name, *text;
	bool is_switch;
} options[] = {
	{"daemon", NULL},
	{"jitter", NULL},
	{"foreground", NULL},
	{"file", NULL},
	{"cache", NULL},
	{"pid", NULL},
	{"protocol", NULL},
	{"use", NULL}, /* strategy() */
	{"usev4", NULL},
	{"usev6", NULL},
	{"ip", NULL}, /* fixed_address() */
	{"ipv4", NULL},
	{"ipv6", NULL},
	{"if", NULL},
	{"ifv4", NULL},
	{"ifv6", NULL},
	{"if-skip", NULL},
	{"web", NULL},
	{"webv4", NULL},
	{"webv6", NULL},
	{"web-skip", NULL},
	{"webv4-skip", NULL},
	{"webv6-skip", NULL},
	{"web-ssl-validate", NULL},
	{"fw", ROUTER},
	{"fwv4", ROUTER},
	{"fwv6", ROUTER},
	{"fw-login", ROUTER},
	{"fw-password", ROUTER},
	{"fw-skip", ROUTER},
	{"fwv4-skip", ROUTER},
	{"fwv6-skip", ROUTER},
	{"fw-ssl-validate", NULL},
	{"fw-banlocal", NULL},
	{"cmd", COMMAND},
	{"cmdv4", COMMAND},
	{"cmdv6", COMMAND},
	{"cmd-skip", COMMAND},
	{"proxy", "no proxy is used"},
	{"timeout", NULL},
	{"retry", NULL},
	{"force", NULL},
	{"ssl", NULL},
	{"curl", NULL},
	{"ssl_ca_dir", TRUST},
	{"ssl_ca_file", TRUST},
	{"syslog", NULL},
	{"facility", NULL},
	{"priority", NULL},
	{"mail", MAIL},
	{"mail-failure", MAIL},
	{"mail-from", MAIL},
	{"max-warn", NULL},
	{"exec", NULL},
	{"debug", NULL},
	{"verbose", NULL},
	{"quiet", NULL},
	{"test", NULL},
	{"postscript", "set \"on-change\" to the program; it gets its data in the environment"},
	{"server", NULL},
	{"script", NULL}, /* add_name() */
	{"login", NULL},
	{"password", NULL},
	{"host", NULL},
	{"zone", NULL},
	{"ttl", NULL},
	{"apikey", NULL},
	{"secretapikey", NULL},
	{"root-domain", NULL},
	{"quietreply", NULL},
	{"urlv4", NULL}, /* take_gateway() */
	{"urlv6", NULL},
	{"on-root-domain", NULL},
	{"use-personal-access-token", NULL},
	{"path", NULL},
	{"tcp", NULL},
	{"min-interval", TIMES},
	{"max-interval", TIMES},
	{"min-error-interval", TIMES},
	{"wildcard", "names below it are not set: make a CNAME record \"*.NAME\" at the provider",
	 true},
	{"mx", LEGACY},
	{"backupmx", LEGACY, true},
	{"static", LEGACY, true},
	{"custom", LEGACY, true},
};

static bool says_no(const char *value)
{
	static const char *const words[] = {"n", "no", "f", "false", "0"};

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (str_eq_nocase(str_of(value), str_of(words[i])))
			return true;
	return false;
}

static void note_option(struct reader *r, const struct ddclient_option *o)
{
	if (str_ends_nocase(str_of(o->name), STR("_env"))) {
		dns_import_note(r->import, r->line.number,
				"%s: nothing is read from the environment: a secret belongs into "
				"the password file",
				o->name);
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(options); i++) {
		if (strcmp(options[i].name, o->name) != 0)
			continue;
		if (options[i].text && !(options[i].is_switch && says_no(o->value)))
			dns_import_note(r->import, r->line.number, "%s: %s", o->name,
					options[i].text);
		return;
	}
	dns_import_note(r->import, r->line.number, "%s is not carried over", o->name);
}

static void note_oddities(struct reader *r)
{
	static const struct {
		unsigned bit;
		const char *text;
	} texts[] = {
		{DDCLIENT_ODD_COMMA,
		 "the password ends in a comma: ddclient takes it for a part of "
		 "it, and so do we"},
		{DDCLIENT_ODD_ASSIGNMENT, "the password has \",name=\" in it: ddclient takes what "
					  "follows for a part of it, and so do we"},
		{DDCLIENT_ODD_BACKSLASH,
		 "blanks follow the backslash at the end of the line: it is not continued"},
		{DDCLIENT_ODD_END, "the file ends in a line that is to be continued"},
		{DDCLIENT_ODD_QUOTE,
		 "a quote has no end: the rest of the line is taken for a value"},
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (r->line.odd & texts[i].bit)
			dns_import_note(r->import, r->line.odd_number, "%s", texts[i].text);
}

static void note_line(struct reader *r)
{
	const char *cache = get(r, "cache");

	note_oddities(r);
	for (size_t i = 0; i < r->line.options.n; i++)
		note_option(r, &r->line.options.at[i]);
	if (*cache)
		str_copy(r->import->cache, sizeof(r->import->cache), str_of(cache));
}

/* ── which addresses ── */

enum strategy { UNSET, OFF, FIXED, OTHER };

/* Of "use", "usev4" or "usev6". */
static enum strategy strategy(struct reader *r, const char *option)
{
	static const struct {
		const char *word;
		enum strategy strategy;
	} words[] = {
		{"no", OFF},	  {"disabled", OFF}, {"ip", FIXED},    {"ipv4", FIXED},
		{"ipv6", FIXED},  {"web", OTHER},    {"webv4", OTHER}, {"webv6", OTHER},
		{"if", OTHER},	  {"ifv4", OTHER},   {"ifv6", OTHER},  {"cmd", OTHER},
		{"cmdv4", OTHER}, {"cmdv6", OTHER},  {"fw", OTHER},    {"fwv4", OTHER},
		{"fwv6", OTHER},
	};
	const char *value = get(r, option);

	if (!*value)
		return UNSET;
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (str_eq_nocase(str_of(words[i].word), str_of(value)))
			return words[i].strategy;
	dns_import_note(r->import, r->line.number, "%s=%s: " ROUTER, option, value);
	return OTHER;
}

/* What "ip", "ipv4" or "ipv6" says is published as it is, where the strategy says so. */
static bool fixed_address(struct reader *r, enum strategy strategy, const char *option,
			  struct dns_imported *name)
{
	return strategy == FIXED && *get(r, option) &&
	       ipaddr_parse(str_of(get(r, option)), &name->fixed) == 0;
}

static void find_families(struct reader *r, struct dns_imported *name)
{
	enum strategy use = strategy(r, "use"), v4 = strategy(r, "usev4"),
		      v6 = strategy(r, "usev6");
	bool fixed;

	name->no6 = v6 == UNSET || v6 == OFF;
	name->no4 = v4 == OFF || (v4 == UNSET && (use == OFF || (use == UNSET && !name->no6)));
	fixed = fixed_address(r, v4 == UNSET ? use : v4, v4 == UNSET ? "ip" : "ipv4", name) ||
		fixed_address(r, v6, *get(r, "ipv6") ? "ipv6" : "ip", name);
	if (fixed && !name->no4 && !name->no6) {
		name->fixed = (struct ipaddr){0};
		dns_import_note(r->import, r->line.number,
				"%s: a fixed address of one kind only: write a section of its own "
				"for it, with \"address\" and \"family\"",
				name->host);
	}
}

static void find_interface(struct reader *r, struct dns_imported *name)
{
	static const char *const names[] = {"ifv4", "ifv6", "if"};
	const char *value = "";

	for (size_t i = 0; i < ARRAY_LEN(names) && !*value; i++)
		value = get(r, names[i]);
	if (strcmp(value, "default") != 0)
		dns_import_copy(name, name->interface, sizeof(name->interface), value);
}

/* ── protocols ── */

static const struct {
	const char *protocol, *row; /* row NULL: by the server's name */
} protocols[] = {
	{"dyndns2", NULL},
	{"dyndns1", NULL},
	{"noip", "noip"},
	{"cloudflare", "cloudflare"},
	{"digitalocean", "digitalocean"},
	{"duckdns", "duckdns"},
	{"dynu", "dynu"},
	{"easydns", "easydns"},
	{"freedns", "freedns-user"},
	{"gandi", "gandi"},
	{"godaddy", "godaddy"},
	{"he.net", "he"},
	{"hetzner", "hetzner"},
	{"inwx", "inwx"},
	{"namecheap", "namecheap"},
	{"nsupdate", "rfc2136"},
	{"ovh", "ovh-dynhost"},
	{"porkbun", "porkbun"},
	{"zoneedit1", "zoneedit"},
	{"dnsexit", "dnsexit"},
	{"dnsexit2", "dnsexit"},
	{"keysystems", "domaindiscount24"},
	{"regfishde", "regfish"},
	{"freemyip", "freemyip"},
	{"infomaniak", "infomaniak"},
	{"googledomains", "google-domains"},
	{"1984", "1984"},
	{"changeip", "changeip"},
	{"ddns.fm", "ddns.fm"},
	{"ddnss", "ddnss"},
	{"directnic", "directnic"},
	{"dnsmadeeasy", "dnsmadeeasy"},
	{"domeneshop", "domeneshop"},
	{"dondominio", "dondominio"},
	{"enom", "enom"},
	{"ionos", "ionos"},
	{"mythicdyn", "mythic-beasts"},
	{"netcup", "netcup"},
	{"njalla", "njalla"},
	{"ns1", "ns1"},
	{"simply", "simply"},
	{"simply.com", "simply"},
	{"sitelutions", "sitelutions"},
};

static const struct dns_provider *row_of(const char *protocol, const char *server)
{
	for (size_t i = 0; i < ARRAY_LEN(protocols); i++) {
		const char *row = protocols[i].row;

		if (strcmp(protocols[i].protocol, protocol) != 0)
			continue;
		if (row)
			return dns_provider_find(str_of(row));
		if (!*server)
			return dns_provider_find(STR("dyn"));
		return dns_import_row_of_server(str_of(server))
			       ? dns_import_row_of_server(str_of(server))
			       : dns_provider_find(STR("dyndns2"));
	}
	return NULL;
}

/* ddclient does not care for capitals. */
static const char *protocol_of(struct reader *r, char text[static DDCLIENT_VALUE_MAX])
{
	const char *protocol = *get(r, "protocol") ? get(r, "protocol") : "dyndns2";
	size_t n = 0;

	for (; protocol[n]; n++)
		text[n] = str_lower(protocol[n]);
	text[n] = '\0';
	return text;
}

/* Of dyndns2, a provider that is in no row, with a path that only a template can say. */
static bool has_own_path(struct reader *r, const struct dns_imported *name)
{
	const char *script = get(r, "script");

	return dns_import_is(name, "dyndns2") && *script && strcmp(script, "/nic/update") != 0;
}

/* The login is the zone, the host what stands before it. */
static void join_zone(struct dns_imported *name)
{
	char host[2 * HOSTNAME_MAX];
	struct str sub = str_of(name->host);

	dns_import_copy(name, name->zone, sizeof(name->zone), name->user);
	if (dns_import_in_zone(sub, name->zone))
		return;
	if (str_eq(sub, STR("@")))
		snprintf(host, sizeof(host), "%s", name->zone);
	else
		snprintf(host, sizeof(host), "%s.%s", name->host, name->zone);
	dns_import_set_host(name, str_of(host));
}

/* The URL's last part is the secret of one record; another family's is in another URL. */
static void take_gateway(struct reader *r, struct dns_imported *name)
{
	const char *url4 = get(r, "urlv4"), *url6 = get(r, "urlv6");
	struct str rest = str_of(*url4 ? url4 : url6), part = {0};

	while (rest.len) {
		struct str next = str_split(&rest, '/');

		part = next.len ? next : part;
	}
	if (!str_copy(name->pass, sizeof(name->pass), part))
		name->pass[0] = '\0';
	name->no4 = !*url4;
	name->no6 = *url4 != '\0';
	if (*url4 && *url6)
		dns_import_note(r->import, r->line.number,
				"directnic: write a second section for IPv6, with the last part of "
				"urlv6 in its password file");
}

/* Where ddclient and the provider use a word for something else. */
static void adapt(struct reader *r, struct dns_imported *name)
{
	if (dns_import_is(name, "namecheap") || dns_import_is(name, "enom")) {
		join_zone(name);
	} else if (dns_import_is(name, "directnic")) {
		take_gateway(r, name);
	} else if (dns_import_is(name, "netcup")) {
		dns_import_copy(name, name->key, sizeof(name->key), get(r, "apikey"));
	} else if (dns_import_is(name, "mythic-beasts")) {
		dns_import_note(
			r->import, r->line.number,
			"mythicdyn: the record is set by the interface for records; the key must "
			"be allowed to change it");
	} else if (dns_import_is(name, "porkbun")) {
		dns_import_copy(name, name->user, sizeof(name->user), get(r, "apikey"));
		dns_import_copy(name, name->pass, sizeof(name->pass), get(r, "secretapikey"));
		dns_import_copy(name, name->zone, sizeof(name->zone), get(r, "root-domain"));
	} else if (dns_import_is(name, "rfc2136")) {
		dns_import_note(
			r->import, r->line.number,
			"the key is in a file of nsupdate's: set \"user\" to its name and put its "
			"secret into the password file");
		name->user[0] = name->pass[0] = '\0';
	} else if (dns_import_is(name, "cloudflare") && *name->user &&
		   strcmp(name->user, "token") != 0) {
		dns_import_note(
			r->import, r->line.number,
			"cloudflare: a global key is not used; make a token with Zone.DNS:Edit and "
			"Zone.Zone:Read");
		name->pass[0] = '\0';
	} else if (dns_import_is(name, "hetzner") && strlen(name->pass) != HETZNER_TOKEN_LEN) {
		dns_import_note(
			r->import, r->line.number,
			"hetzner: the old console was switched off in May 2026; put a token of the "
			"Cloud console into the password file");
		name->pass[0] = '\0';
	} else if (dns_import_is(name, "gandi") && !*get(r, "use-personal-access-token")) {
		dns_import_note(
			r->import, r->line.number,
			"gandi: API keys are no longer taken; make a personal access token");
	} else if (dns_import_is(name, "freedns-user")) {
		dns_import_note(
			r->import, r->line.number,
			"freedns: user and password are sent to version 2 of its interface");
	} else if (dns_import_is(name, "dnsexit") && *get(r, "apikey")) {
		dns_import_copy(name, name->pass, sizeof(name->pass), get(r, "apikey"));
	} else if (dns_import_is(name, "dnsexit") && strcmp(name->provider, "dnsexit") == 0) {
		dns_import_note(
			r->import, r->line.number,
			"dnsexit: passwords are no longer taken; make an API key and put it "
			"into the password file");
		name->pass[0] = '\0';
	}
	if (name->row && !name->zone[0] &&
	    (dns_provider_uses(name->row, "zone") || dns_provider_uses(name->row, "sub0"))) {
		dns_import_guess_zone(name);
		dns_import_note(r->import, r->line.number, "%s: no zone is given, %s is a guess",
				name->host, name->zone);
	}
}

static unsigned seconds(const char *text)
{
	static const struct {
		char letter;
		unsigned s;
	} units[] = {{'m', 60}, {'h', 3600}, {'d', 86400}, {'w', 604800}};
	size_t digits = strspn(text, "0123456789");
	uint64_t n;

	if (!str_to_u64(str_n(text, digits), 1000, &n) && !str_to_u64(str_of(text), 1000000, &n))
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(units); i++)
		if (str_lower(text[digits]) == units[i].letter)
			return (unsigned)n * units[i].s;
	return (unsigned)n;
}

/* ── names ── */

static bool is_known(struct reader *r, const char *host)
{
	for (size_t i = 0; i < r->import->n; i++)
		if (strcmp(r->import->names[i].host, host) == 0) {
			dns_import_note(
				r->import, r->line.number,
				"%s stands on two lines: the first counts, as for ddclient 4 "
				"(for ddclient 3 it is the last)",
				host);
			return true;
		}
	return false;
}

static int add_name(struct reader *r, struct str host, struct err *e)
{
	char protocol[DDCLIENT_VALUE_MAX];
	struct dns_imported fresh = {.line = r->line.number}, *name;

	dns_import_set_host(&fresh, host);
	if (is_known(r, fresh.host))
		return 0;
	name = dns_import_add(r->import, r->line.number);
	if (!name)
		return err_set(e, ERR_LIMIT, "line %u: more than %d names", r->line.number,
			       DNS_IMPORT_NAMES_MAX);
	*name = fresh;
	dns_import_copy(name, name->provider, sizeof(name->provider), protocol_of(r, protocol));
	name->row = row_of(protocol, get(r, "server"));
	if (!name->row)
		dns_import_note(r->import, r->line.number, "%s: protocol %s is not known",
				name->host, protocol);
	if (has_own_path(r, name)) {
		name->row = NULL;
		dns_import_note(r->import, r->line.number,
				"script: a path of its own: write it as provider = template");
	}
	if (!name->row || dns_import_is(name, "dyndns2") || dns_import_is(name, "rfc2136"))
		dns_import_copy(name, name->server, sizeof(name->server), get(r, "server"));
	dns_import_copy(name, name->user, sizeof(name->user), get(r, "login"));
	dns_import_copy(name, name->pass, sizeof(name->pass), get(r, "password"));
	dns_import_copy(name, name->zone, sizeof(name->zone), get(r, "zone"));
	name->ttl_s = seconds(get(r, "ttl"));
	find_families(r, name);
	find_interface(r, name);
	adapt(r, name);
	dns_import_settle(name);
	return 0;
}

/* Between commas or blanks. */
static int add_names(struct reader *r, struct str hosts, struct err *e)
{
	int result = 0;

	while (hosts.len && result == 0) {
		struct str some = str_split(&hosts, ',');

		while (some.len && result == 0) {
			struct str host = str_split(&some, ' ');

			if (host.len)
				result = add_name(r, host, e);
		}
	}
	return result;
}

/* An empty login is none. */
static bool is_given(const struct ddclient_option *o)
{
	return *o->value || strcmp(o->name, "login") != 0;
}

static bool set_globals(struct ddclient_options *globals, const struct ddclient_options *locals)
{
	bool good = true;

	for (size_t i = 0; i < locals->n && good; i++)
		if (is_given(&locals->at[i]))
			good = ddclient_set(globals, str_of(locals->at[i].name),
					    str_of(locals->at[i].value));
	return good;
}

/* Options of the line and, where it has none, of those before it. */
static bool merge(struct ddclient_options *locals, const struct ddclient_options *globals)
{
	bool good = true;

	for (size_t i = 0; i < globals->n && good; i++) {
		const struct ddclient_option *o = &globals->at[i];

		if (!ddclient_has(locals, o->name) ||
		    (strcmp(o->name, "login") == 0 && !*ddclient_get(locals, o->name)))
			good = ddclient_set(locals, str_of(o->name), str_of(o->value));
	}
	return good;
}

static int take_line(struct reader *r, struct err *e)
{
	struct ddclient_line *line = &r->line;
	bool is_host = line->hosts.len || *get(r, "host"), good;
	struct ddclient_options *o = &line->options;
	int result;

	note_line(r);
	if (!is_host)
		good = set_globals(&r->globals, o);
	else
		good = merge(o, &r->globals) &&
		       (!line->login.len || ddclient_set(o, STR("login"), line->login)) &&
		       (!line->password.len || ddclient_set(o, STR("password"), line->password));
	if (!good)
		return err_set(e, ERR_LIMIT, "line %u: too long", line->number);
	if (!is_host)
		return 0;
	result = add_names(r, line->hosts, e);
	return result < 0 ? result : add_names(r, str_of(get(r, "host")), e);
}

static void free_reader(struct reader *r)
{
	ddclient_done(&r->file, &r->line);
	secret_wipe(&r->globals, sizeof(r->globals));
	free(r);
}

int dns_import_ddclient(struct dns_import *import, struct str text, struct err *e)
{
	struct reader *r;
	int result;

	if (text.len > DNS_IMPORT_FILE_MAX)
		return err_set(e, ERR_LIMIT, "the file is too long");
	if (text.len && memchr(text.at, '\0', text.len))
		return err_set(e, ERR_INVALID, "not a text file");
	r = calloc(1, sizeof(*r));
	if (!r)
		return err_set(e, ERR_NOMEM, "ddclient.conf");
	r->import = import;
	ddclient_open(&r->file, text);
	while ((result = ddclient_next(&r->file, &r->line, e)) > 0) {
		result = take_line(r, e);
		if (result < 0)
			break;
	}
	free_reader(r);
	return result;
}

/* ── cache ── */

static void take_cached(struct reader *r, const char *family, const char *state, int64_t at)
{
	struct dns_import *import = r->import;
	struct dns_imported cached = {0};
	struct ipaddr address;

	dns_import_set_host(&cached, r->line.hosts);
	if (strcmp(get(r, state), "good") != 0 ||
	    ipaddr_parse(str_of(get(r, family)), &address) < 0)
		return;
	for (size_t i = 0; i < import->n; i++)
		if (strcmp(import->names[i].host, cached.host) == 0)
			dns_import_published(&import->names[i], &address, at);
}

int dns_import_ddclient_cache(struct dns_import *import, struct str text, struct err *e)
{
	struct reader *r = calloc(1, sizeof(*r));
	int result;

	if (!r)
		return err_set(e, ERR_NOMEM, "cache");
	r->import = import;
	ddclient_open(&r->file, text);
	while ((result = ddclient_next(&r->file, &r->line, NULL)) != 0) {
		uint64_t mtime = 0;

		if (result < 0) { /* the others are good all the same */
			dns_import_note(import, 0, "line %u of the cache is damaged",
					r->file.number);
			continue;
		}
		str_to_u64(str_of(get(r, "mtime")), (uint64_t)1 << 40, &mtime);
		take_cached(r, "ip", "status", (int64_t)mtime);
		take_cached(r, "ipv4", "status-ipv4", (int64_t)mtime);
		take_cached(r, "ipv6", "status-ipv6", (int64_t)mtime);
	}
	free_reader(r);
	return 0;
}
