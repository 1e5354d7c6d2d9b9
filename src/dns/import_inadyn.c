/* inadyn.conf: what its words (dns/inadyn.h) mean for us, and the files of its cache:
 *
 *	provider NAME[:N] { ... }	custom NAME[:N] { ... }		include("/path")
 */
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/secret.h"
#include "dns/import.h"
#include "dns/inadyn.h"

#define HOSTS_MAX    DNS_IMPORT_NAMES_MAX
#define INCLUDES_MAX 32 /* files, all in all */
#define DEPTH_MAX    3	/* of files in files */

/* Names of providers as inadyn has them, without what stands before "@". */
static const struct {
	const char *name, *row;
} providers[] = {
	{"dyndns.org", "dyn"},
	{"no-ip.com", "noip"},
	{"noip.com", "noip"},
	{"duckdns.org", "duckdns"},
	{"freedns.afraid.org", "freedns-user"},
	{"cloudflare.com", "cloudflare"},
	{"ovh.com", "ovh-dynhost"},
	{"strato.com", "strato"},
	{"desec.io", "desec"},
	{"dnsomatic.com", "dnsomatic"},
	{"dnsexit.com", "dnsexit"},
	{"dnsmadeeasy.com", "dnsmadeeasy"},
	{"domaindiscount24.com", "domaindiscount24"},
	{"moniker.com", "domaindiscount24"},
	{"selfhost.de", "selfhost"},
	{"3322.org", "3322"},
	{"he.net", "he"},
	{"tunnelbroker.net", "tunnelbroker"},
	{"spdyn.de", "spdyn"},
	{"nsupdate.info", "nsupdate.info"},
	{"loopia.com", "loopia"},
	{"domains.google.com", "google-domains"},
	{"dynu.com", "dynu"},
	{"dy.fi", "dy.fi"},
	{"do.de", "do.de"},
	{"domopoli.de", "domopoli"},
	{"inwx.com", "inwx"},
	{"itsdns.de", "itsdns"},
	{"opendns.com", "opendns"},
	{"joker.com", "joker"},
	{"schokokeks.org", "schokokeks"},
	{"variomedia.de", "variomedia"},
	{"udmedia.de", "udmedia"},
	{"infomaniak.com", "infomaniak"},
	{"oray.com", "oray"},
	{"dynv6.com", "dynv6"},
	{"easydns.com", "easydns"},
	{"freemyip.com", "freemyip"},
	{"ipv64.net", "ipv64"},
	{"myonlineportal.net", "myonlineportal"},
	{"namecheap.com", "namecheap"},
	{"porkbun.com", "porkbun"},
	{"regfish.de", "regfish"},
	{"twodns.de", "twodns"},
	{"zoneedit.com", "zoneedit"},
	{"all-inkl.com", "all-inkl"},
	{"core-networks.de", "core-networks"},
	{"changeip.com", "changeip"},
	{"ddnss.de", "ddnss"},
	{"dnshome.de", "dnshome"},
	{"domene.shop", "domeneshop"},
	{"goip.de", "goip"},
	{"dnspod.cn", "dnspod"},
	{"simply.com", "simply"},
	{"sitelutions.com", "sitelutions"},
};

/* And those of which what stands before "@", or before the rest, makes another one. */
static const struct {
	const char *name, *row;
	bool only4;
} exceptions[] = {
	{"ipv6@he.net", "tunnelbroker", true},
	{"ipv6tb@he.net", "tunnelbroker", true},
	{"default@ipv4.dynv6.com", "dynv6", true},
	{"ipv4.dynv6.com", "dynv6", true},
};

struct section {
	bool custom;
	unsigned line;
	char title[128];
	char hosts[HOSTS_MAX][HOSTNAME_MAX];
	unsigned n_hosts;
	char user[DNS_IMPORT_VALUE_MAX], pass[DNS_IMPORT_VALUE_MAX];
	char server[HOSTNAME_MAX], path[512], interface[32];
	unsigned ttl_s;
	bool wildcard, no_ssl;
	bool cut; /* something was too long */
};

struct reader {
	struct dns_import *import; /* borrowed */
	struct inadyn_lexer lexer;
	bool allow6;
	char interface[32];
	struct section section; /* being read */
	unsigned depth, n_included;
	unsigned outer_line; /* of the first include, with depth */
};

/* For people: of the file that is imported. */
static unsigned line_of(const struct reader *r)
{
	return r->depth ? r->outer_line : r->lexer.line;
}

/* Without "default@" in front. */
static struct str bare_name(struct str title)
{
	ptrdiff_t at = str_find(title, '@');

	return at < 0 ? title : str_n(title.at + at + 1, title.len - (size_t)at - 1);
}

static bool contains(struct str s, struct str part)
{
	for (size_t i = 0; i + part.len <= s.len; i++)
		if (str_eq_nocase(str_n(s.at + i, part.len), part))
			return true;
	return false;
}

/* Exactly, or the only one that has it in its name. */
static const struct dns_provider *row_of(struct str title)
{
	struct str name = bare_name(title);
	const char *found = NULL;
	unsigned n = 0;

	for (size_t i = 0; i < ARRAY_LEN(providers); i++) {
		struct str known = str_of(providers[i].name);

		if (str_eq_nocase(known, name))
			return dns_provider_find(str_of(providers[i].row));
		if (name.len && contains(known, name) &&
		    (!found || strcmp(found, providers[i].row) != 0)) {
			found = providers[i].row;
			n++;
		}
	}
	return n == 1 ? dns_provider_find(str_of(found)) : NULL;
}

/* The provider of a section, and which addresses it gets. */
static void find_provider(struct reader *r, struct dns_imported *name)
{
	struct str rest = str_of(r->section.title), title = str_split(&rest, ':'); /* ":1" */
	bool only4 = str_starts(title, STR("ipv4@")), only6 = str_starts(title, STR("ipv6@"));

	name->row = row_of(title);
	for (size_t i = 0; i < ARRAY_LEN(exceptions); i++)
		if (str_eq_nocase(title, str_of(exceptions[i].name))) {
			name->row = dns_provider_find(str_of(exceptions[i].row));
			only4 = exceptions[i].only4;
			only6 = false;
		}
	name->no4 = only6;
	name->no6 = !only6 && (only4 || !r->allow6);
}

/* One that we have under its own name, or that speaks dyndns2. */
static void find_custom(struct reader *r, struct dns_imported *name)
{
	const struct section *s = &r->section;
	struct str rest = str_of(s->path), path = str_split(&rest, '?');
	bool host = false, address = false;

	name->no6 = !r->allow6;
	name->row = dns_import_row_of_server(str_of(s->server));
	while (rest.len) {
		struct str field = str_split(&rest, '&');

		host |= str_eq(field, STR("hostname=%h"));
		address |= str_eq(field, STR("myip=%i"));
	}
	if (!name->row && str_eq(path, STR("/nic/update")) && host && address)
		name->row = dns_provider_find(STR("dyndns2"));
}

static void copy(struct section *s, char *to, size_t size, const char *from)
{
	if (str_copy(to, size, str_of(from)))
		return;
	to[0] = '\0';
	s->cut = true;
}

/* Where inadyn and we use the words differently. */
static void adapt(struct reader *r, struct dns_imported *name)
{
	const struct section *s = &r->section;

	if (dns_import_is(name, "cloudflare")) {
		dns_import_copy(name, name->zone, sizeof(name->zone), s->user);
	} else if (dns_import_is(name, "porkbun")) {
		dns_import_note(
			r->import, s->line,
			"porkbun: user is the API key, the secret goes into the password file");
	} else if (dns_import_is(name, "dnsexit")) {
		dns_import_note(
			r->import, s->line,
			"dnsexit: passwords are no longer taken; make an API key and put it "
			"into the password file");
		name->pass[0] = '\0';
	} else if ((dns_import_is(name, "duckdns") || dns_import_is(name, "ipv64") ||
		    dns_import_is(name, "dynv6") || dns_import_is(name, "regfish")) &&
		   s->user[0]) {
		dns_import_copy(name, name->pass, sizeof(name->pass), s->user); /* the token */
	} else if (dns_import_is(name, "namecheap")) {
		dns_import_copy(name, name->zone, sizeof(name->zone), s->user);
	} else if (dns_import_is(name, "dyndns2")) {
		dns_import_copy(name, name->server, sizeof(name->server), s->server);
	}
	if (name->row && !name->row->zone && !name->zone[0] &&
	    (dns_provider_uses(name->row, "zone") || dns_provider_uses(name->row, "sub0"))) {
		dns_import_guess_zone(name);
		dns_import_note(r->import, s->line, "%s: no zone is given, %s is a guess",
				name->host, name->zone);
	}
}

static int add_name(struct reader *r, const char *host, struct err *e)
{
	const struct section *s = &r->section;
	struct dns_imported *name = dns_import_add(r->import, s->line);

	if (!name)
		return err_set(e, ERR_LIMIT, "line %u: more than %d names", s->line,
			       DNS_IMPORT_NAMES_MAX);
	name->cut = s->cut;
	dns_import_set_host(name, str_of(host));
	dns_import_copy(name, name->provider, sizeof(name->provider), s->title);
	dns_import_copy(name, name->user, sizeof(name->user), s->user);
	dns_import_copy(name, name->pass, sizeof(name->pass), s->pass);
	dns_import_copy(name, name->interface, sizeof(name->interface),
			s->interface[0] ? s->interface : r->interface);
	name->ttl_s = s->ttl_s;
	if (s->custom)
		find_custom(r, name);
	else
		find_provider(r, name);
	if (!name->row)
		dns_import_note(r->import, s->line, "%s: %s %s is not known%s", name->host,
				s->custom ? "custom" : "provider", s->title,
				s->custom ? ": write it as provider = template" : "");
	adapt(r, name);
	dns_import_settle(name);
	return 0;
}

static int end_section(struct reader *r, struct err *e)
{
	struct section *s = &r->section;
	int result = 0;

	if (s->n_hosts == 0)
		dns_import_note(r->import, s->line, "%s has no hostname", s->title);
	if (s->wildcard)
		dns_import_note(
			r->import, s->line,
			"wildcard: names below it are not set: make a CNAME record \"*.NAME\" "
			"at the provider");
	if (s->no_ssl)
		dns_import_note(r->import, s->line, "ssl: requests go by https only");
	for (unsigned i = 0; i < s->n_hosts && result == 0; i++)
		result = add_name(r, s->hosts[i], e);
	secret_wipe(s, sizeof(*s));
	return result;
}

/* ── grammar ── */

static int broken(struct reader *r, const char *what, struct err *e)
{
	return err_set(e, ERR_INVALID, "line %u: %s", r->lexer.line, what);
}

static bool yes(const char *text)
{
	struct str s = str_of(text);

	return str_eq_nocase(s, STR("true")) || str_eq_nocase(s, STR("yes")) ||
	       str_eq_nocase(s, STR("on"));
}

#define TIMES "when a request is sent follows from the provider's rules"
#define TRUST "certificates are always checked, against the system's list"

/* What there is beside the keys that are carried over, and what a person should know of it; NULL where
 * nothing is lost. What switches something on or off is told when it is `told`. */
static const struct {
	const char *key, *text;
	enum { ALWAYS, WHEN_ON, WHEN_OFF } told;
} others[] = {
	/* of the file */
	{"period", NULL},
	{"iterations", NULL},
	{"forced-update", TIMES},
	{"secure-ssl", TRUST, WHEN_OFF},
	{"broken-rtc", TRUST, WHEN_ON},
	{"ca-trust-file", TRUST},
	{"cache-dir", NULL},
	{"user-agent", NULL},
	{"verify-address",
	 "an address that is not public is published only where \"address\" says so", WHEN_OFF},
	{"fake-address", "no address is ever made up; a reminder comes instead", WHEN_ON},
	/* of a section */
	{"checkip-server", NULL},
	{"checkip-path", NULL},
	{"checkip-ssl", NULL},
	{"checkip-command", "commands are not run to learn an address"},
	{"proxied", "stays as it is at the provider; it is not set"},
	{"proxy", "no proxy is used"},
	{"append-myip", NULL},
	{"ddns-response", NULL},
};

static void take_other(struct reader *r, const char *key, const char *value)
{
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		if (strcmp(others[i].key, key) != 0)
			continue;
		if (others[i].text &&
		    (others[i].told == ALWAYS || yes(value) == (others[i].told == WHEN_ON)))
			dns_import_note(r->import, line_of(r), "%s: %s", key, others[i].text);
		return;
	}
	dns_import_note(r->import, line_of(r), "%s is not carried over", key);
}

static void take_global(struct reader *r, const char *key, const char *value)
{
	if (strcmp(key, "allow-ipv6") == 0)
		r->allow6 = yes(value);
	else if (strcmp(key, "iface") != 0)
		take_other(r, key, value);
	else if (!str_copy(r->interface, sizeof(r->interface), str_of(value)))
		r->interface[0] = '\0'; /* no interface has such a name */
}

static void take_host(struct reader *r, const char *value)
{
	struct section *s = &r->section;

	if (s->n_hosts == HOSTS_MAX)
		dns_import_note(r->import, line_of(r), "too many names in one section");
	else if (*value)
		copy(s, s->hosts[s->n_hosts++], HOSTNAME_MAX, value);
}

static void take_key(struct reader *r, const char *key, const char *value)
{
	struct section *s = &r->section;
	const struct {
		const char *key;
		char *to;
		size_t size;
	} texts[] = {{"username", s->user, sizeof(s->user)},
		     {"password", s->pass, sizeof(s->pass)},
		     {"ddns-server", s->server, sizeof(s->server)},
		     {"ddns-path", s->path, sizeof(s->path)},
		     {"iface", s->interface, sizeof(s->interface)}};
	uint64_t n;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (strcmp(key, texts[i].key) == 0) {
			copy(s, texts[i].to, texts[i].size, value);
			return;
		}
	if (strcmp(key, "wildcard") == 0)
		s->wildcard = yes(value);
	else if (strcmp(key, "ssl") == 0)
		s->no_ssl = !yes(value);
	else if (strcmp(key, "ttl") == 0)
		s->ttl_s = str_to_u64(str_of(value), 1000000, &n) ? (unsigned)n : 0;
	else if (strcmp(key, "hostname") == 0 || strcmp(key, "alias") == 0)
		take_host(r, value);
	else
		take_other(r, key, value);
}

static bool is_text(enum inadyn_token t)
{
	return t == INADYN_WORD || t == INADYN_STRING;
}

typedef void take_fn(struct reader *r, const char *key, const char *value);

static void take_value(struct reader *r, const char *key, take_fn *take)
{
	struct inadyn_lexer *l = &r->lexer;

	if (l->has_variable) {
		dns_import_note(r->import, line_of(r),
				"%s has a variable of the environment in it, which is not read: it "
				"counts as not given",
				key);
		secret_wipe(l->text, sizeof(l->text));
	}
	take(r, key, l->text);
}

/* Behind a key: "= value" or "= { value, value }", of which "=" forgets what was before. */
static int read_values(struct reader *r, const char *key, take_fn *take, struct err *e)
{
	struct inadyn_lexer *l = &r->lexer;
	bool list;

	if (l->token != INADYN_EQUAL && l->token != INADYN_APPEND)
		return broken(r, "\"=\" is missing", e);
	if (l->token == INADYN_EQUAL && strcmp(key, "hostname") == 0)
		r->section.n_hosts = 0;
	list = inadyn_next(l) == INADYN_OPEN;
	if (list && inadyn_next(l) == INADYN_CLOSE)
		return 0;
	for (;;) {
		if (!is_text(l->token))
			return broken(r, "a value is missing, or a quote", e);
		take_value(r, key, take);
		if (!list)
			return 0;
		if (inadyn_next(l) == INADYN_CLOSE)
			return 0;
		if (l->token != INADYN_COMMA)
			return broken(r, "\",\" or \"}\" is missing", e);
		if (inadyn_next(l) == INADYN_CLOSE)
			return 0;
	}
}

static int read_keys(struct reader *r, enum inadyn_token end, struct err *e);
static int read_globals(struct reader *r, struct err *e);

/* The text in place of the line that includes it. */
static int read_included(struct reader *r, bool in_section, const char *path, struct str text,
			 struct err *e)
{
	struct inadyn_lexer outer = r->lexer;
	int result;

	if (r->depth++ == 0)
		r->outer_line = outer.line;
	r->lexer = (struct inadyn_lexer){0};
	inadyn_open(&r->lexer, text);
	result = in_section ? read_keys(r, INADYN_END, e) : read_globals(r, e);
	secret_wipe(&r->lexer, sizeof(r->lexer));
	r->lexer = outer;
	r->depth--;
	return result < 0 ? err_wrap(e, result, "line %u: %s", outer.line, path) : 0;
}

/* A file that cannot be read is told. */
static int include_file(struct reader *r, bool in_section, const char *path, struct err *e)
{
	const struct dns_import *import = r->import;
	struct buf text = {0};
	struct err why = {0};
	int result = 0;

	if (r->depth == DEPTH_MAX || r->n_included++ == INCLUDES_MAX)
		return broken(r, "too many files are included", e);
	if (!import->include)
		dns_import_note(r->import, line_of(r), "include(\"%s\"): the file is not read",
				path);
	else if (import->include(import->include_arg, path, &text, &why) < 0)
		dns_import_note(r->import, line_of(r), "include: %s", why.text);
	else
		result = read_included(r, in_section, path, buf_str(&text), e);
	if (text.bytes)
		secret_wipe(text.bytes, text.size);
	buf_done(&text);
	return result;
}

static int read_include(struct reader *r, bool in_section, struct err *e)
{
	struct inadyn_lexer *l = &r->lexer;
	char path[INADYN_TOKEN_MAX];

	if (l->token != INADYN_OPEN_ROUND || !is_text(inadyn_next(l)))
		return broken(r, "include(\"FILE\") is damaged", e);
	memcpy(path, l->text, sizeof(path));
	if (inadyn_next(l) != INADYN_CLOSE_ROUND)
		return broken(r, "\")\" is missing", e);
	return include_file(r, in_section, path, e);
}

/* Of a section, up to its end. */
static int read_keys(struct reader *r, enum inadyn_token end, struct err *e)
{
	struct inadyn_lexer *l = &r->lexer;
	char key[64];
	int result = 0;

	while (result == 0 && inadyn_next(l) != end) {
		if (!is_text(l->token) || !str_copy(key, sizeof(key), str_of(l->text)))
			return broken(r, "a name or \"}\" is missing", e);
		inadyn_next(l);
		result = strcmp(key, "include") == 0 ? read_include(r, true, e)
						     : read_values(r, key, take_key, e);
	}
	return result;
}

static int read_section(struct reader *r, bool custom, struct err *e)
{
	struct inadyn_lexer *l = &r->lexer;
	int result;

	secret_wipe(&r->section, sizeof(r->section));
	r->section.custom = custom;
	r->section.line = line_of(r);
	if (!is_text(l->token))
		return broken(r, "the provider's name is missing", e);
	copy(&r->section, r->section.title, sizeof(r->section.title), l->text);
	if (inadyn_next(l) != INADYN_OPEN)
		return broken(r, "\"{\" is missing", e);
	result = read_keys(r, INADYN_CLOSE, e);
	return result < 0 ? result : end_section(r, e);
}

static int read_globals(struct reader *r, struct err *e)
{
	struct inadyn_lexer *l = &r->lexer;
	char key[64];
	int result = 0;

	while (result == 0 && inadyn_next(l) != INADYN_END) {
		if (!is_text(l->token) || !str_copy(key, sizeof(key), str_of(l->text)))
			return broken(r, "a name is missing", e);
		inadyn_next(l);
		if (strcmp(key, "provider") == 0 || strcmp(key, "custom") == 0)
			result = read_section(r, key[0] == 'c', e);
		else if (strcmp(key, "include") == 0)
			result = read_include(r, false, e);
		else
			result = read_values(r, key, take_global, e);
	}
	return result;
}

int dns_import_inadyn(struct dns_import *import, struct str text, struct err *e)
{
	struct reader *r;
	int result;

	if (text.len > DNS_IMPORT_FILE_MAX)
		return err_set(e, ERR_LIMIT, "the file is too long");
	r = calloc(1, sizeof(*r));
	if (!r)
		return err_set(e, ERR_NOMEM, "inadyn.conf");
	r->import = import;
	inadyn_open(&r->lexer, text);
	result = read_globals(r, e);
	secret_wipe(r, sizeof(*r));
	free(r);
	return result;
}

/* Whether a file of the cache, without ".cache", is this name's: "HOST", or "PROVIDER-HOST". */
static bool is_cache_of(struct str file, const struct dns_imported *name)
{
	struct str host = str_of(name->host);
	size_t n = file.len - host.len;

	if (str_eq_nocase(file, host))
		return true;
	if (!host.len || file.len < host.len + 2 || !str_ends_nocase(file, host) ||
	    file.at[n - 1] != '-')
		return false;
	file.len = n - 1;
	return str_eq_nocase(file, str_of(name->provider)) ||
	       (name->row && row_of(file) == name->row);
}

void dns_import_inadyn_cache(struct dns_import *import, struct str file_name, struct str text,
			     int64_t modified_s)
{
	struct str line = str_split(&text, '\n'), word = str_trim(str_split(&line, '\r'));
	struct ipaddr address;

	if (!str_ends_nocase(file_name, STR(".cache")) || ipaddr_parse(word, &address) < 0)
		return;
	file_name.len -= strlen(".cache");
	for (size_t i = 0; i < import->n; i++)
		if (is_cache_of(file_name, &import->names[i]))
			dns_import_published(&import->names[i], &address, modified_s);
}
