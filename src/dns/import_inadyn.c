/*
 * inadyn.conf (libConfuse's grammar) and the files of its cache:
 *
 *	key = value		key = { value, "value" }
 *	provider NAME[:N] { ... }	custom NAME[:N] { ... }
 *	include("/path")	# comment	// comment	comment between slashes and stars
 */
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/secret.h"
#include "dns/import.h"

#define TOKEN_MAX 1024
#define HOSTS_MAX 32

enum token { END, WORD, STRING, EQUAL, OPEN, CLOSE, COMMA, OPEN_ROUND, CLOSE_ROUND, BROKEN };

struct lexer {
	struct str rest; /* borrowed */
	unsigned line;
	enum token token;
	char text[TOKEN_MAX]; /* of a WORD or STRING */
	bool has_variable;    /* "${NAME}" in it */
};

/* ── tokens ── */

static void skip(struct lexer *l, size_t n)
{
	for (size_t i = 0; i < n; i++)
		l->line += l->rest.at[i] == '\n';
	l->rest = str_n(l->rest.at + n, l->rest.len - n);
}

static size_t line_len(struct str s)
{
	ptrdiff_t n = str_find(s, '\n');

	return n < 0 ? s.len : (size_t)n;
}

/* Blanks and comments. False: a comment without end. */
static bool skip_blanks(struct lexer *l)
{
	while (l->rest.len) {
		const char *end;
		char c = l->rest.at[0];

		if (c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == ';') {
			skip(l, 1);
		} else if (c == '#' || str_starts(l->rest, STR("//"))) {
			skip(l, line_len(l->rest));
		} else if (str_starts(l->rest, STR("/*"))) {
			end = memmem(l->rest.at + 2, l->rest.len - 2, "*/", 2);
			if (!end)
				return false;
			skip(l, (size_t)(end + 2 - l->rest.at));
		} else {
			break;
		}
	}
	return true;
}

static char escape(char c)
{
	switch (c) {
	case 'n':
		return '\n';
	case 't':
		return '\t';
	default:
		return c;
	}
}

/* Between quotes; in double ones "\" escapes. */
static enum token quoted(struct lexer *l)
{
	char quote = l->rest.at[0];
	size_t n = 0, i = 1;

	for (; i < l->rest.len && l->rest.at[i] != quote; i++) {
		char c = l->rest.at[i];

		if (c == '\\' && i + 1 < l->rest.len && quote == '"')
			c = escape(l->rest.at[++i]);
		if (n + 1 >= sizeof(l->text) || c == '\0')
			return BROKEN;
		l->text[n++] = c;
	}
	if (i >= l->rest.len)
		return BROKEN;
	l->text[n] = '\0';
	l->has_variable = quote == '"' && strstr(l->text, "${");
	skip(l, i + 1);
	return STRING;
}

static enum token bare(struct lexer *l)
{
	size_t n = 0;

	while (n < l->rest.len && l->rest.at[n] && !strchr(" \t\r\n={}(),\"'", l->rest.at[n]))
		n++;
	if (n == 0 || !str_copy(l->text, sizeof(l->text), str_n(l->rest.at, n)))
		return BROKEN;
	skip(l, n);
	return WORD;
}

static enum token next(struct lexer *l)
{
	static const char marks[] = "={},()";
	static const enum token tokens[] = {EQUAL, OPEN, CLOSE, COMMA, OPEN_ROUND, CLOSE_ROUND};
	const char *mark;

	l->has_variable = false;
	l->text[0] = '\0';
	if (!skip_blanks(l))
		return l->token = BROKEN;
	if (!l->rest.len)
		return l->token = END;
	mark = l->rest.at[0] ? strchr(marks, l->rest.at[0]) : NULL;
	if (mark) {
		skip(l, 1);
		return l->token = tokens[mark - marks];
	}
	if (l->rest.at[0] == '"' || l->rest.at[0] == '\'')
		return l->token = quoted(l);
	return l->token = bare(l);
}

/* ── what it means ── */

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
	{"simply.com", "simply"},
	{"sitelutions.com", "sitelutions"},
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
	bool wildcard;
};

struct reader {
	struct dns_import *import; /* borrowed */
	struct lexer lexer;
	bool allow6;
	char interface[32];
	struct section section; /* being read */
};

/* Without "default@" in front and ":1" behind. */
static struct str bare_name(const char *title, bool *ret_only4, bool *ret_only6)
{
	struct str s = str_of(title), rest = s;
	ptrdiff_t at = str_find(s, '@');

	*ret_only4 = str_starts(s, STR("ipv4@"));
	*ret_only6 = str_starts(s, STR("ipv6@"));
	if (at >= 0)
		rest = str_n(s.at + at + 1, s.len - (size_t)at - 1);
	return str_split(&rest, ':');
}

static bool contains(struct str s, struct str part)
{
	for (size_t i = 0; i + part.len <= s.len; i++)
		if (str_eq_nocase(str_n(s.at + i, part.len), part))
			return true;
	return false;
}

/* Exactly, or the only one that has it in its name. */
static const struct dns_provider *row_of(struct str name)
{
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

static void copy(char *to, size_t size, const char *from)
{
	if (!str_copy(to, size, str_of(from)))
		to[0] = '\0';
}

static bool is(const struct dns_imported *name, const char *row)
{
	return name->row && strcmp(name->row->name, row) == 0;
}

/* Where inadyn and we use the words differently. */
static void adapt(struct reader *r, struct dns_imported *name)
{
	const struct section *s = &r->section;

	if (is(name, "cloudflare") || is(name, "porkbun") || is(name, "dnsexit")) {
		copy(name->zone, sizeof(name->zone), is(name, "cloudflare") ? s->user : "");
		if (is(name, "porkbun"))
			dns_import_note(
				r->import, s->line,
				"porkbun: user is the API key, the secret goes into the password "
				"file");
	} else if ((is(name, "duckdns") || is(name, "ipv64") || is(name, "dynv6") ||
		    is(name, "regfish")) &&
		   s->user[0]) {
		copy(name->pass, sizeof(name->pass), s->user); /* the token */
	} else if (is(name, "namecheap")) {
		copy(name->zone, sizeof(name->zone), s->user);
	} else if (is(name, "dyndns2")) {
		copy(name->server, sizeof(name->server), s->server);
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
	bool only4, only6;
	struct str title = bare_name(s->title, &only4, &only6);

	if (!name)
		return err_set(e, ERR_LIMIT, "line %u: more than %d names", s->line,
			       DNS_IMPORT_NAMES_MAX);
	copy(name->host, sizeof(name->host), host);
	copy(name->provider, sizeof(name->provider), s->title);
	if (!s->custom) {
		name->row = row_of(title);
	} else {
		name->row = dns_import_row_of_server(str_of(s->server));
		if (!name->row && strncmp(s->path, "/nic/update", 11) == 0)
			name->row = dns_provider_find(STR("dyndns2"));
	}
	copy(name->user, sizeof(name->user), s->user);
	copy(name->pass, sizeof(name->pass), s->pass);
	copy(name->interface, sizeof(name->interface),
	     s->interface[0] ? s->interface : r->interface);
	name->ttl_s = s->ttl_s;
	name->no4 = only6;
	name->no6 = !only6 && (only4 || !r->allow6);
	if (!name->row)
		dns_import_note(r->import, s->line, "%s: %s %s is not known%s", host,
				s->custom ? "custom" : "provider", s->title,
				s->custom ? ": write it as provider = template" : "");
	adapt(r, name);
	return 0;
}

static int end_section(struct reader *r, struct err *e)
{
	struct section *s = &r->section;
	int result = 0;

	if (s->n_hosts == 0)
		dns_import_note(r->import, s->line, "%s has no hostname", s->title);
	if (s->wildcard)
		dns_import_note(r->import, s->line,
				"wildcard is not carried over: name it, \"*.NAME\"");
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
	return strcmp(text, "true") == 0 || strcmp(text, "yes") == 0 || strcmp(text, "on") == 0 ||
	       strcmp(text, "1") == 0;
}

static void take_global(struct reader *r, const char *key, const char *value)
{
	static const char *const needless[] = {
		"period",    "forced-update", "iterations",	"secure-ssl",	"broken-rtc",
		"cache-dir", "user-agent",    "verify-address", "fake-address", "ca-trust-file",
	};

	if (strcmp(key, "allow-ipv6") == 0) {
		r->allow6 = yes(value);
		return;
	}
	if (strcmp(key, "iface") == 0) {
		copy(r->interface, sizeof(r->interface), value);
		return;
	}
	if (strcmp(key, "fake-address") == 0 && yes(value))
		dns_import_note(
			r->import, r->lexer.line,
			"fake-address: no address is ever made up; a reminder comes instead");
	for (size_t i = 0; i < ARRAY_LEN(needless); i++)
		if (strcmp(needless[i], key) == 0)
			return;
	dns_import_note(r->import, r->lexer.line, "%s is not carried over", key);
}

static void take_key(struct reader *r, const char *key, const char *value)
{
	static const char *const needless[] = {"ssl",	       "checkip-server", "checkip-path",
					       "checkip-ssl",  "user-agent",	 "append-myip",
					       "ddns-response"};
	struct section *s = &r->section;
	uint64_t n;

	if (strcmp(key, "username") == 0)
		copy(s->user, sizeof(s->user), value);
	else if (strcmp(key, "password") == 0)
		copy(s->pass, sizeof(s->pass), value);
	else if (strcmp(key, "ddns-server") == 0)
		copy(s->server, sizeof(s->server), value);
	else if (strcmp(key, "ddns-path") == 0)
		copy(s->path, sizeof(s->path), value);
	else if (strcmp(key, "iface") == 0)
		copy(s->interface, sizeof(s->interface), value);
	else if (strcmp(key, "wildcard") == 0)
		s->wildcard = yes(value);
	else if (strcmp(key, "ttl") == 0)
		s->ttl_s = str_to_u64(str_of(value), 1000000, &n) ? (unsigned)n : 0;
	else if (strcmp(key, "checkip-command") == 0)
		dns_import_note(r->import, r->lexer.line,
				"checkip-command: commands are not run to learn an address");
	else if (strcmp(key, "proxied") == 0)
		dns_import_note(r->import, r->lexer.line,
				"proxied: stays as it is at the provider; it is not set");
	else if (strcmp(key, "hostname") == 0 || strcmp(key, "alias") == 0) {
		if (s->n_hosts < HOSTS_MAX && *value)
			copy(s->hosts[s->n_hosts++], HOSTNAME_MAX, value);
		else
			dns_import_note(r->import, r->lexer.line, "too many names in one section");
	} else {
		for (size_t i = 0; i < ARRAY_LEN(needless); i++)
			if (strcmp(needless[i], key) == 0)
				return;
		dns_import_note(r->import, r->lexer.line, "%s is not carried over", key);
	}
}

static bool is_text(enum token t)
{
	return t == WORD || t == STRING;
}

/* Behind a key: "= value" or "= { value, value }". */
static int read_values(struct reader *r, const char *key,
		       void (*take)(struct reader *r, const char *key, const char *value),
		       struct err *e)
{
	struct lexer *l = &r->lexer;
	bool list;

	if (l->token != EQUAL)
		return broken(r, "\"=\" is missing", e);
	list = next(l) == OPEN;
	if (list && next(l) == CLOSE)
		return 0;
	for (;;) {
		if (!is_text(l->token))
			return broken(r, "a value is missing, or a quote", e);
		if (l->has_variable)
			dns_import_note(r->import, l->line,
					"%s has a variable of the environment in it: it is taken "
					"as it stands",
					key);
		take(r, key, l->text);
		if (!list)
			return 0;
		if (next(l) == CLOSE)
			return 0;
		if (l->token != COMMA)
			return broken(r, "\",\" or \"}\" is missing", e);
		if (next(l) == CLOSE)
			return 0;
	}
}

static int skip_include(struct reader *r, struct err *e)
{
	struct lexer *l = &r->lexer;

	if (l->token != OPEN_ROUND || !is_text(next(l)))
		return broken(r, "include(\"FILE\") is damaged", e);
	dns_import_note(r->import, l->line, "include(\"%s\"): import that file too", l->text);
	return next(l) == CLOSE_ROUND ? 0 : broken(r, "\")\" is missing", e);
}

static int read_section(struct reader *r, bool custom, struct err *e)
{
	struct lexer *l = &r->lexer;
	char key[64];
	int result;

	r->section = (struct section){.custom = custom, .line = l->line};
	if (!is_text(l->token))
		return broken(r, "the provider's name is missing", e);
	copy(r->section.title, sizeof(r->section.title), l->text);
	if (next(l) != OPEN)
		return broken(r, "\"{\" is missing", e);
	while (next(l) != CLOSE) {
		if (l->token != WORD || !str_copy(key, sizeof(key), str_of(l->text)))
			return broken(r, "a name or \"}\" is missing", e);
		next(l);
		result = strcmp(key, "include") == 0 ? skip_include(r, e)
						     : read_values(r, key, take_key, e);
		if (result < 0)
			return result;
	}
	return end_section(r, e);
}

static int read_file(struct reader *r, struct err *e)
{
	struct lexer *l = &r->lexer;
	char key[64];
	int result = 0;

	while (result == 0 && next(l) != END) {
		if (l->token != WORD || !str_copy(key, sizeof(key), str_of(l->text)))
			return broken(r, "a name is missing", e);
		next(l);
		if (strcmp(key, "provider") == 0 || strcmp(key, "custom") == 0)
			result = read_section(r, key[0] == 'c', e);
		else if (strcmp(key, "include") == 0)
			result = skip_include(r, e);
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
	r->lexer = (struct lexer){.rest = text, .line = 1};
	result = read_file(r, e);
	secret_wipe(r, sizeof(*r));
	free(r);
	return result;
}

void dns_import_inadyn_cache(struct dns_import *import, struct str file_name, struct str text,
			     int64_t modified_s)
{
	struct ipaddr address;

	while (text.len && strchr(" \t\r\n", text.at[text.len - 1]) && text.at[text.len - 1])
		text.len--;
	if (!str_ends_nocase(file_name, STR(".cache")) ||
	    ipaddr_parse(str_trim(text), &address) < 0)
		return;
	file_name.len -= strlen(".cache");
	for (size_t i = 0; i < import->n; i++) {
		struct str host = str_of(import->names[i].host);

		if (host.len < file_name.len && str_ends_nocase(file_name, host) &&
		    file_name.at[file_name.len - host.len - 1] == '-')
			dns_import_published(import, host, &address, modified_s);
	}
}
