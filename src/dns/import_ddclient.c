/*
 * ddclient.conf and ddclient.cache, read as ddclient itself reads them:
 *
 *	[opt=value{,| }...] [host{,host} [login [password]]]
 *
 * "#" starts a comment anywhere but in a password, "\" at the end of a line continues it. Without a
 * host the options are defaults for the hosts that follow. Passwords are taken out first, with rules of
 * their own: 'between quotes' anything may stand, unquoted one runs to the next blank, commas too.
 */
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/secret.h"
#include "dns/import.h"

#define OPTIONS_MAX   48
#define LINE_MAX_     8192
#define PASSWORDS_MAX 8
#define DUMMY	      "dummy"

struct option {
	char name[32];
	char value[DNS_IMPORT_VALUE_MAX];
};

struct options {
	struct option at[OPTIONS_MAX];
	size_t n;
};

struct reader {
	struct dns_import *import; /* borrowed */
	struct options globals;
	char line[LINE_MAX_]; /* with what it was continued by */
	size_t len;
	unsigned number, first; /* of the last physical line; of the first of this one */
	struct options passwords;
};

/* ── options ── */

static struct option *find(struct options *o, const char *name)
{
	for (size_t i = 0; i < o->n; i++)
		if (strcmp(o->at[i].name, name) == 0)
			return &o->at[i];
	return NULL;
}

/* Overwrites. False: no room, or too long. */
static bool set(struct options *o, struct str name, struct str value)
{
	char text[sizeof(o->at[0].name)];
	struct option *at;

	if (!str_copy(text, sizeof(text), name))
		return false;
	at = find(o, text);
	if (!at) {
		if (o->n == OPTIONS_MAX)
			return false;
		at = &o->at[o->n++];
		memcpy(at->name, text, sizeof(text));
	}
	return str_copy(at->value, sizeof(at->value), value);
}

static const char *get(struct options *o, const char *name)
{
	const struct option *at = find(o, name);

	return at ? at->value : "";
}

/* ── passwords ── */

static bool blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

struct password {
	size_t key, value, end; /* offsets: of the key, of the text behind "=", behind the value */
	size_t key_len;
	struct str secret;
};

/* The password whose word "password" begins at `at`. */
static bool password_at(struct str s, size_t at, struct password *ret)
{
	size_t i = at + strlen("password"), start = at;

	while (i < s.len && !blank(s.at[i]) && s.at[i] != '=')
		i++;
	ret->key_len = i;
	while (i < s.len && blank(s.at[i]))
		i++;
	if (i == s.len || s.at[i] != '=')
		return false;
	i++;
	while (i < s.len && blank(s.at[i]))
		i++;
	if (i == s.len)
		return false;
	while (start > 0 && !blank(s.at[start - 1]) && s.at[start - 1] != ',')
		start--;
	ret->key = start;
	ret->key_len -= start;
	ret->value = i;
	if (s.at[i] == '\'') {
		for (ret->end = s.len; ret->end > i + 1 && s.at[ret->end - 1] != '\''; ret->end--)
			;
		if (ret->end == i + 1)
			return false;
		ret->secret = str_n(s.at + i + 1, ret->end - i - 2);
		return true;
	}
	for (ret->end = i; ret->end < s.len && !blank(s.at[ret->end]); ret->end++)
		;
	ret->secret = str_n(s.at + i, ret->end - i);
	return true;
}

/* The last one of a physical line, before any "#". */
static bool find_password(struct str s, struct password *ret)
{
	ptrdiff_t hash = str_find(s, '#');
	size_t end = hash < 0 ? s.len : (size_t)hash;

	for (size_t at = end; at-- > 0;)
		if (str_starts(str_n(s.at + at, end - at), STR("password")) &&
		    password_at(s, at, ret))
			return true;
	return false;
}

/* Odd, but what ddclient does. */
static void warn_of_password(struct reader *r, struct str secret)
{
	ptrdiff_t comma = str_find(secret, ',');
	struct str rest;

	if (comma < 0)
		return;
	rest = str_n(secret.at + comma, secret.len - (size_t)comma);
	if (secret.at[secret.len - 1] == ',')
		dns_import_note(
			r->import, r->number,
			"the password ends in a comma: ddclient takes it for a part of it, and so "
			"do we");
	else if (str_find(rest, '=') > 0)
		dns_import_note(
			r->import, r->number,
			"the password has \",name=\" in it: ddclient takes what follows for a part "
			"of it, and so do we");
}

/* ── one logical line ── */

/* The name in front of "=", if an assignment begins here; *rest is behind the "=" then. */
static bool assignment(struct str *rest, struct str *ret_name)
{
	struct str s = *rest;
	size_t n = 0;

	while (s.len && (blank(s.at[0]) || s.at[0] == ','))
		s = str_n(s.at + 1, s.len - 1);
	while (n < s.len &&
	       ((str_lower(s.at[n]) >= 'a' && str_lower(s.at[n]) <= 'z') ||
		(n && ((s.at[n] >= '0' && s.at[n] <= '9') || s.at[n] == '_' || s.at[n] == '-'))))
		n++;
	if (n == 0 || n == s.len || s.at[n] != '=')
		return false;
	*ret_name = str_n(s.at, n);
	*rest = str_n(s.at + n + 1, s.len - n - 1);
	return true;
}

/* A value with its quotes and escapes taken off, up to an unquoted blank or comma. */
static bool value(struct str *rest, char *to, size_t size)
{
	bool escaped = false;
	char quote = 0;
	size_t n = 0;

	for (; rest->len; *rest = str_n(rest->at + 1, rest->len - 1)) {
		char c = rest->at[0];

		if (escaped)
			escaped = false;
		else if (c == '\\') {
			escaped = true;
			continue;
		} else if (quote && c == quote) {
			quote = 0;
			continue;
		} else if (!quote && (c == '\'' || c == '"')) {
			quote = c;
			continue;
		} else if (!quote && (blank(c) || c == ','))
			break;
		if (n + 1 >= size || c == '\0')
			return false;
		to[n++] = c;
	}
	to[n] = '\0';
	return true;
}

static int too_long(struct reader *r, struct err *e)
{
	return err_set(e, ERR_LIMIT, "line %u: too long", r->number);
}

static int read_options(struct reader *r, struct str *rest, struct options *locals, struct err *e)
{
	struct str name;

	while (assignment(rest, &name)) {
		char text[DNS_IMPORT_VALUE_MAX];
		const struct option *password;
		char key[sizeof(locals->at[0].name)];
		bool good = value(rest, text, sizeof(text)) && str_copy(key, sizeof(key), name);

		password = good ? find(&r->passwords, key) : NULL;
		if (good)
			good = set(locals, name, str_of(password ? password->value : text));
		secret_wipe(text, sizeof(text));
		if (!good)
			return too_long(r, e);
	}
	return 0;
}

/* ── what it means ── */

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
};

/* Options that a program which reacts to events has no use for. */
static const char *const needless[] = {
	"daemon",
	"jitter",
	"syslog",
	"pid",
	"cache",
	"file",
	"verbose",
	"debug",
	"quiet",
	"facility",
	"priority",
	"ssl",
	"exec",
	"test",
	"force",
	"max-warn",
	"foreground",
	"timeout",
	"wildcard",
	"mx",
	"backupmx",
	"static",
	"custom",
	"use",
	"usev4",
	"usev6",
	"web",
	"webv4",
	"webv6",
	"web-skip",
	"webv4-skip",
	"webv6-skip",
	"max-interval",
	"min-error-interval",
	"min-interval",
	"web-ssl-validate",
	"fw-ssl-validate",
	"ssl_ca_dir",
	"ssl_ca_file",
	"login",
	"password",
	"protocol",
	"server",
	"host",
	"zone",
	"ttl",
	"if",
	"ifv4",
	"ifv6",
	"apikey",
	"secretapikey",
	"root-domain",
	"script",
	"on-root-domain",
	"use-personal-access-token",
	"path",
	"tcp",
	"mail-failure",
	"mail",
	"mail-from",
};

/* What a person should know about options that are not carried over. */
static const struct {
	const char *name, *text;
} telling[] = {
	{"mail", "no mail is sent: see \"on-park\" and homeport dns status"},
	{"postscript", "set \"on-change\" to the program; it gets its data in the environment"},
	{"fw", "router pages are not read: PCP, NAT-PMP and UPnP are used"},
	{"fwv4", "router pages are not read: PCP, NAT-PMP and UPnP are used"},
	{"fw-login", "router pages are not read: PCP, NAT-PMP and UPnP are used"},
	{"fw-password", "router pages are not read: PCP, NAT-PMP and UPnP are used"},
	{"cmd", "commands are not run to learn an address"},
	{"cmdv4", "commands are not run to learn an address"},
	{"cmdv6", "commands are not run to learn an address"},
	{"ip", "a fixed address: set \"address\""},
	{"ipv4", "a fixed address: set \"address\""},
	{"ipv6", "a fixed address: set \"address\""},
	{"proxy", "no proxy is used"},
	{"script", "a path of its own: use provider = template"},
};

static void note_options(struct reader *r, const struct options *o)
{
	for (size_t i = 0; i < o->n; i++) {
		const char *text = NULL;
		bool known = false;

		for (size_t j = 0; j < ARRAY_LEN(telling) && !text; j++)
			if (strcmp(telling[j].name, o->at[i].name) == 0)
				text = telling[j].text;
		for (size_t j = 0; j < ARRAY_LEN(needless); j++)
			known |= strcmp(needless[j], o->at[i].name) == 0;
		if (text && !(strcmp(o->at[i].name, "script") == 0 &&
			      strcmp(o->at[i].value, "/nic/update") == 0))
			dns_import_note(r->import, r->first, "%s: %s", o->at[i].name, text);
		else if (!known && !text)
			dns_import_note(r->import, r->first, "%s is not carried over",
					o->at[i].name);
	}
}

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

static void copy(char *to, size_t size, const char *from)
{
	if (!str_copy(to, size, str_of(from)))
		to[0] = '\0';
}

static bool is(const struct dns_imported *name, const char *row)
{
	return name->row && strcmp(name->row->name, row) == 0;
}

/* Where ddclient and the provider use a word for something else. */
static void adapt(struct reader *r, struct dns_imported *name, struct options *o)
{
	char host[2 * HOSTNAME_MAX];

	if (is(name, "namecheap")) {
		copy(name->zone, sizeof(name->zone), name->user);
		if (strcmp(name->host, "@") == 0)
			copy(name->host, sizeof(name->host), name->zone);
		else if (!str_ends_nocase(str_of(name->host), str_of(name->zone))) {
			snprintf(host, sizeof(host), "%s.%s", name->host, name->zone);
			copy(name->host, sizeof(name->host), host);
		}
	} else if (is(name, "porkbun")) {
		copy(name->user, sizeof(name->user), get(o, "apikey"));
		copy(name->pass, sizeof(name->pass), get(o, "secretapikey"));
		copy(name->zone, sizeof(name->zone), get(o, "root-domain"));
	} else if (is(name, "rfc2136")) {
		dns_import_note(
			r->import, r->first,
			"the key is in a file of nsupdate's: set \"user\" to its name and put its "
			"secret into the password file");
		name->user[0] = name->pass[0] = '\0';
	} else if (is(name, "cloudflare") && *name->user && strcmp(name->user, "token") != 0) {
		dns_import_note(
			r->import, r->first,
			"cloudflare: a global key is not used; make a token with Zone.DNS:Edit and "
			"Zone.Zone:Read");
		name->pass[0] = '\0';
	} else if (is(name, "hetzner")) {
		dns_import_note(
			r->import, r->first,
			"hetzner: the old console was switched off in May 2026; put a token of the "
			"Cloud console into the password file");
		name->pass[0] = '\0';
	} else if (is(name, "gandi") && !*get(o, "use-personal-access-token")) {
		dns_import_note(
			r->import, r->first,
			"gandi: API keys are no longer taken; make a personal access token");
	} else if (is(name, "freedns-user")) {
		dns_import_note(
			r->import, r->first,
			"freedns: user and password are sent to version 2 of its interface");
	} else if (is(name, "dnsexit")) {
		copy(name->pass, sizeof(name->pass),
		     *get(o, "apikey") ? get(o, "apikey") : name->pass);
	}
	if (name->row && !name->zone[0] &&
	    (dns_provider_uses(name->row, "zone") || dns_provider_uses(name->row, "sub0"))) {
		dns_import_guess_zone(name);
		dns_import_note(r->import, r->first, "%s: no zone is given, %s is a guess",
				name->host, name->zone);
	}
}

static unsigned seconds(const char *text)
{
	size_t digits = strspn(text, "0123456789");
	uint64_t n;

	if (!str_to_u64(str_n(text, digits), 1000000, &n))
		return 0;
	switch (text[digits]) {
	case 'm':
		return (unsigned)n * 60;
	case 'h':
		return (unsigned)n * 3600;
	case 'd':
		return (unsigned)n * 86400;
	default:
		return (unsigned)n;
	}
}

static int add_name(struct reader *r, struct str host, struct options *o, struct err *e)
{
	const char *protocol = *get(o, "protocol") ? get(o, "protocol") : "dyndns2";
	const char *server = get(o, "server");
	struct dns_imported *name;
	char interface[32];

	for (size_t i = 0; i < r->import->n; i++)
		if (str_eq_nocase(str_of(r->import->names[i].host), host)) {
			dns_import_note(r->import, r->first,
					"%.*s stands on two lines: the first counts",
					STR_ARG(host));
			return 0;
		}
	name = dns_import_add(r->import, r->first);
	if (!name)
		return err_set(e, ERR_LIMIT, "line %u: more than %d names", r->number,
			       DNS_IMPORT_NAMES_MAX);
	if (!str_copy(name->host, sizeof(name->host), host))
		return too_long(r, e);
	copy(name->provider, sizeof(name->provider), protocol);
	name->row = row_of(protocol, server);
	if (!name->row)
		dns_import_note(r->import, r->first, "%s: protocol %s is not known", name->host,
				protocol);
	if (is(name, "dyndns2") || is(name, "rfc2136"))
		copy(name->server, sizeof(name->server), server);
	copy(name->user, sizeof(name->user), get(o, "login"));
	copy(name->pass, sizeof(name->pass), get(o, "password"));
	copy(name->zone, sizeof(name->zone), get(o, "zone"));
	copy(interface, sizeof(interface),
	     *get(o, "ifv4")   ? get(o, "ifv4")
	     : *get(o, "ifv6") ? get(o, "ifv6")
			       : get(o, "if"));
	if (strcmp(interface, "default") != 0)
		copy(name->interface, sizeof(name->interface), interface);
	name->no4 = strcmp(get(o, "usev4"), "disabled") == 0 || strcmp(get(o, "usev4"), "no") == 0;
	name->no6 = !*get(o, "usev6") || strcmp(get(o, "usev6"), "disabled") == 0 ||
		    strcmp(get(o, "usev6"), "no") == 0;
	name->ttl_s = seconds(get(o, "ttl"));
	adapt(r, name, o);
	if (name->row && name->row->names)
		return 0; /* dns_import_usable knows */
	if (!hostname_valid(str_of(name->host)) && !str_starts(str_of(name->host), STR("*.")))
		dns_import_note(r->import, r->first, "%s is no host name", name->host);
	return 0;
}

/* Options of the line and, where it has none, of those before it. */
static void merge(struct options *locals, const struct options *globals)
{
	for (size_t i = 0; i < globals->n; i++)
		if (!find(locals, globals->at[i].name))
			set(locals, str_of(globals->at[i].name), str_of(globals->at[i].value));
}

static struct str word(struct str *rest)
{
	size_t n = 0;

	while (rest->len && blank(rest->at[0]))
		*rest = str_n(rest->at + 1, rest->len - 1);
	while (n < rest->len && !blank(rest->at[n]))
		n++;
	*rest = str_n(rest->at + n, rest->len - n);
	return str_n(rest->at - n, n);
}

/* Blanks around commas are nothing. Returns the new length. */
static size_t tighten(char *text, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		if (text[i] == ',') {
			while (n && blank(text[n - 1]))
				n--;
			text[n++] = ',';
			while (i + 1 < len && blank(text[i + 1]))
				i++;
		} else {
			text[n++] = text[i];
		}
	}
	return n;
}

static int add_names(struct reader *r, struct str hosts, struct options *locals, struct err *e)
{
	while (hosts.len) {
		struct str host = str_split(&hosts, ',');
		int r_ = host.len ? add_name(r, host, locals, e) : 0;

		if (r_ < 0)
			return r_;
	}
	return 0;
}

static int end_line(struct reader *r, struct err *e)
{
	struct options *locals = calloc(1, sizeof(*locals));
	struct str rest = str_n(r->line, r->len), hosts, login, password;
	int result;

	if (!locals)
		return err_set(e, ERR_NOMEM, "options");
	result = read_options(r, &rest, locals, e);
	if (result == 0) {
		size_t start = (size_t)(rest.at - r->line);
		size_t len = tighten(r->line + start, rest.len);

		rest = str_n(r->line + start, len);
		while (rest.len && (rest.at[0] == ',' || blank(rest.at[0])))
			rest = str_n(rest.at + 1, rest.len - 1);
		hosts = word(&rest);
		login = word(&rest);
		password = word(&rest);
		note_options(r, locals);
		if (!hosts.len && !*get(locals, "host")) {
			for (size_t i = 0; i < locals->n; i++)
				set(&r->globals, str_of(locals->at[i].name),
				    str_of(locals->at[i].value));
		} else {
			merge(locals, &r->globals);
			if (login.len)
				set(locals, STR("login"), login);
			if (password.len)
				set(locals, STR("password"), password);
			result = add_names(r, hosts, locals, e);
			if (result == 0)
				result = add_names(r, str_of(get(locals, "host")), locals, e);
		}
	}
	secret_wipe(locals, sizeof(*locals));
	free(locals);
	secret_wipe(&r->passwords, sizeof(r->passwords));
	secret_wipe(r->line, r->len);
	r->len = 0;
	return result;
}

/* Append a physical line without its password and its comment. */
static int take_line(struct reader *r, struct str s, struct err *e)
{
	struct password p;
	struct str parts[3] = {s};
	ptrdiff_t hash;

	if (find_password(s, &p)) {
		warn_of_password(r, p.secret);
		if (!set(&r->passwords, str_n(s.at + p.key, p.key_len), p.secret))
			return too_long(r, e);
		parts[0] = str_n(s.at, p.key + p.key_len);
		parts[1] = STR("=" DUMMY);
		parts[2] = str_n(s.at + p.end, s.len - p.end);
		hash = str_find(parts[2], '#');
		if (hash >= 0)
			parts[2].len = (size_t)hash;
	} else {
		hash = str_find(s, '#');
		if (hash >= 0)
			parts[0].len = (size_t)hash;
	}
	for (int i = 0; i < 3; i++) {
		if (r->len + parts[i].len >= sizeof(r->line))
			return too_long(r, e);
		if (parts[i].len)
			memcpy(r->line + r->len, parts[i].at, parts[i].len);
		r->len += parts[i].len;
	}
	return 0;
}

int dns_import_ddclient(struct dns_import *import, struct str text, struct err *e)
{
	struct reader *r;
	int result = 0;

	if (text.len > DNS_IMPORT_FILE_MAX)
		return err_set(e, ERR_LIMIT, "the file is too long");
	if (text.len && memchr(text.at, '\0', text.len))
		return err_set(e, ERR_INVALID, "not a text file");
	r = calloc(1, sizeof(*r));
	if (!r)
		return err_set(e, ERR_NOMEM, "ddclient.conf");
	r->import = import;
	while (text.len && result == 0) {
		struct str line = str_split(&text, '\n');

		r->number++;
		if (r->len == 0)
			r->first = r->number;
		if (line.len && line.at[line.len - 1] == '\r')
			line.len--;
		result = take_line(r, line, e);
		if (result == 0 && r->len && r->line[r->len - 1] == '\\') {
			r->line[r->len - 1] = ' ';
			continue;
		}
		if (result == 0)
			result = end_line(r, e);
	}
	if (result == 0 && r->len) {
		dns_import_note(import, r->number,
				"the file ends in a line that is to be continued");
		result = end_line(r, e);
	}
	secret_wipe(r, sizeof(*r));
	free(r);
	return result;
}

/* ── cache ── */

static void cached_address(struct dns_import *import, struct str host, const char *text,
			   const char *status, int64_t at)
{
	struct ipaddr address;

	if (strcmp(status, "good") == 0 && ipaddr_parse(str_of(text), &address) == 0)
		dns_import_published(import, host, &address, at);
}

int dns_import_ddclient_cache(struct dns_import *import, struct str text, struct err *e)
{
	struct reader r = {.import = import, .number = 0};
	struct options *o = calloc(1, sizeof(*o));
	int result = 0;

	if (!o)
		return err_set(e, ERR_NOMEM, "cache");
	while (text.len && result == 0) {
		struct str line = str_split(&text, '\n'), host;
		uint64_t mtime = 0;

		r.number++;
		o->n = 0;
		if (line.len && line.at[0] == '#')
			continue;
		result = read_options(&r, &line, o, e);
		host = word(&line);
		if (result < 0 || !host.len)
			continue;
		str_to_u64(str_of(get(o, "mtime")), (uint64_t)1 << 40, &mtime);
		cached_address(import, host, get(o, "ip"), get(o, "status"), (int64_t)mtime);
		cached_address(import, host, get(o, "ipv4"), get(o, "status-ipv4"), (int64_t)mtime);
		cached_address(import, host, get(o, "ipv6"), get(o, "status-ipv6"), (int64_t)mtime);
	}
	secret_wipe(o, sizeof(*o));
	free(o);
	return result;
}
