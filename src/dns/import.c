#include "dns/import.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/secret.h"
#include "conf/conf.h"
#include "conf/writer.h"
#include "dns/naming.h"
#include "dns/request.h"

#define TTL_MAX_S     86400u /* of homeport.conf */
#define FILE_HOST_MAX 200    /* with what stands behind it, a file's name (NAME_MAX) */

void dns_import_init(struct dns_import *import)
{
	*import = (struct dns_import){0};
}

void dns_import_done(struct dns_import *import)
{
	if (import->names)
		secret_wipe(import->names, import->n * sizeof(*import->names));
	free(import->names);
	free(import->notes);
	*import = (struct dns_import){0};
}

/* realloc would leave secrets behind. */
static bool grow(struct dns_import *import)
{
	struct dns_imported *names;

	if (import->n & (import->n - 1))
		return true; /* room up to the next power of two */
	names = calloc(import->n ? import->n * 2 : 1, sizeof(*names));
	if (!names)
		return false;
	if (import->n) {
		memcpy(names, import->names, import->n * sizeof(*names));
		secret_wipe(import->names, import->n * sizeof(*names));
	}
	free(import->names);
	import->names = names;
	return true;
}

struct dns_imported *dns_import_add(struct dns_import *import, unsigned line)
{
	struct dns_imported *name;

	if (import->n == DNS_IMPORT_NAMES_MAX || !grow(import))
		return NULL;
	name = &import->names[import->n++];
	name->line = line;
	return name;
}

void dns_import_copy(struct dns_imported *name, char *to, size_t size, const char *from)
{
	if (str_copy(to, size, str_of(from)))
		return;
	to[0] = '\0';
	name->cut = true;
}

void dns_import_set_host(struct dns_imported *name, struct str host)
{
	if (!hostname_copy(name->host, host) && !str_copy(name->host, sizeof(name->host), host)) {
		name->host[0] = '\0';
		name->cut = true;
	}
}

void dns_import_settle(struct dns_imported *name)
{
	char zone[HOSTNAME_MAX];

	if (hostname_copy(zone, str_of(name->zone)))
		memcpy(name->zone, zone, sizeof(zone));
}

bool dns_import_is(const struct dns_imported *name, const char *row)
{
	return name->row && strcmp(name->row->name, row) == 0;
}

bool dns_import_in_zone(struct str host, const char *zone)
{
	struct str z = str_of(zone);

	return str_eq_nocase(host, z) || (host.len > z.len && str_ends_nocase(host, z) &&
					  host.at[host.len - z.len - 1] == '.');
}

void dns_import_note(struct dns_import *import, unsigned line, const char *fmt, ...)
{
	char raw[2 * DNS_IMPORT_NOTE_MAX];
	struct dns_import_note *note;
	va_list ap;

	if (import->n_notes == DNS_IMPORT_NOTES_MAX) {
		import->lost_notes++;
		return;
	}
	if (!import->notes)
		import->notes = calloc(DNS_IMPORT_NOTES_MAX, sizeof(*import->notes));
	if (!import->notes)
		return;
	note = &import->notes[import->n_notes++];
	va_start(ap, fmt);
	vsnprintf(raw, sizeof(raw), fmt, ap);
	va_end(ap);
	note->line = line;
	log_text(note->text, str_of(raw)); /* cut between characters */
}

/* "https://HOST/..." without the row's own variables in it */
static struct str host_of(const char *url)
{
	struct str s = str_of(url);

	for (int i = 0; i < 2; i++)
		str_split(&s, '/');
	return str_split(&s, '/');
}

const struct dns_provider *dns_import_row_of_server(struct str server)
{
	/* rows without a URL, and hosts of several rows: who has a user is that one's */
	static const struct {
		const char *host, *row;
	} others[] = {{"domains.google.com", "google-domains"},
		      {"dns.hetzner.com", "hetzner-dns"},
		      {"freedns.afraid.org", "freedns-user"},
		      {"sync.afraid.org", "freedns-user"}};
	struct str host = str_split(&server, ':');

	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		if (str_eq_nocase(str_of(others[i].host), host))
			return dns_provider_find(str_of(others[i].row));
	for (size_t i = 0; i < dns_providers_count; i++) {
		const struct dns_provider *p = &dns_providers[i];

		if (p->url && str_eq_nocase(host_of(p->url), host))
			return p;
		if (p->server && str_eq_nocase(str_of(p->server), host))
			return p;
	}
	return NULL;
}

void dns_import_guess_zone(struct dns_imported *name)
{
	const char *dot = strchr(name->host, '.');

	if (name->zone[0] || !dot)
		return;
	/* "example.org" is a zone itself, "home.example.org" is in one */
	str_copy(name->zone, sizeof(name->zone),
		 str_of(strchr(dot + 1, '.') ? dot + 1 : name->host));
}

void dns_import_published(struct dns_imported *name, const struct ipaddr *address,
			  int64_t confirmed_s)
{
	static const uint8_t none[16];

	if (memcmp(address->bytes, none, address->family == 4 ? 4 : 16) == 0)
		return; /* what some write before they know one */
	if (address->family == 4)
		name->published4 = *address;
	else
		name->published6 = *address;
	name->confirmed_s = MAX(name->confirmed_s, confirmed_s);
}

/* ── result ── */

/* How many names of the same host stand before it: sections have names of their own. */
static unsigned namesakes(const struct dns_import *import, size_t i)
{
	unsigned n = 0;

	for (size_t j = 0; j < i; j++)
		n += strcmp(import->names[j].host, import->names[i].host) == 0;
	return n;
}

/* A secret is the first line of its file. */
static bool is_line(const char *pass)
{
	return !strpbrk(pass, "\r\n");
}

const char *dns_import_secret_file(char text[static DNS_IMPORT_PATH_MAX],
				   const struct dns_import *import, size_t i)
{
	unsigned n;

	if (!import->names[i].pass[0] || !is_line(import->names[i].pass))
		return NULL;
	for (size_t j = 0; j < i; j++)
		if (strcmp(import->names[j].pass, import->names[i].pass) == 0) {
			i = j;
			break;
		}
	n = namesakes(import, i);
	if (strlen(import->names[i].host) > FILE_HOST_MAX ||
	    !hostname_valid(str_of(import->names[i].host))) /* a file's names may be anything */
		snprintf(text, DNS_IMPORT_PATH_MAX, "name-%zu.secret", i + 1);
	else if (n)
		snprintf(text, DNS_IMPORT_PATH_MAX, "%s-%u.secret", import->names[i].host, n + 1);
	else
		snprintf(text, DNS_IMPORT_PATH_MAX, "%s.secret", import->names[i].host);
	return text;
}

/* Whether homeport.conf has the value as it is: it knows no quotes and no escapes. */
static bool fits(const char *value)
{
	struct str s = str_of(value);

	return log_text_is_plain(s) && str_trim(s).len == s.len;
}

static void write_key(struct writer *w, const char *indent, const char *key, const char *value)
{
	char text[LOG_TEXT_MAX];

	if (*value)
		writer_printf(w, "%s%s = %s\n", indent, key,
			      fits(value) ? value : log_text(text, str_of(value)));
}

/* Of a provider that we do not know nobody can say what is secret: some have their token as the user. */
static bool needs(const struct dns_imported *name, const char *variable)
{
	return name->row && (name->row->rfc2136 || dns_provider_uses(name->row, variable));
}

static const char *set_or_null(const char *text)
{
	return *text ? text : NULL;
}

static bool same_record(const struct dns_imported *a, const struct dns_imported *b)
{
	return a->row == b->row && strcmp(a->host, b->host) == 0 &&
	       !((a->no4 || b->no4) && (a->no6 || b->no6));
}

/* A file's names may be anything. */
static bool is_name(const struct dns_imported *name, struct err *why)
{
	char text[HOSTNAME_MAX];

	if (name->row)
		return dns_naming_copy(text, name->row, str_of(name->host), why) == 0;
	if (hostname_valid(str_of(name->host)) && strchr(name->host, '.'))
		return true;
	err_set(why, ERR_INVALID, "not the name of one host");
	return false;
}

static int check(const struct dns_imported *name, struct err *why)
{
	struct dns_entry entry = {.provider = name->row,
				  .host = name->host,
				  .zone = set_or_null(name->zone),
				  .server = set_or_null(name->server),
				  .user = set_or_null(name->user),
				  .pass = set_or_null(name->pass),
				  .key = set_or_null(name->key)};

	const struct {
		const char *key, *value;
	} values[] = {{"user", name->user},
		      {"key", name->key},
		      {"zone", name->zone},
		      {"server", name->server}};

	if (name->cut)
		return err_set(why, ERR_INVALID, "something in it is too long");
	if (!is_name(name, why))
		return -ERR_INVALID;
	if (!name->row)
		return err_set(why, ERR_INVALID, "no provider that is known");
	if (name->row->closed)
		return err_set(why, ERR_INVALID, "%s", name->row->closed);
	if (name->no4 && name->no6)
		return err_set(why, ERR_INVALID, "neither IPv4 nor IPv6 is switched on");
	for (size_t i = 0; i < ARRAY_LEN(values); i++)
		if (!fits(values[i].value))
			return err_set(why, ERR_INVALID,
				       "%s has characters that the configuration cannot have",
				       values[i].key);
	if (name->zone[0] && !hostname_valid(str_of(name->zone)))
		return err_set(why, ERR_INVALID, "the zone is no host name");
	if (!is_line(name->pass))
		return err_set(why, ERR_INVALID, "the password has more than one line");
	if (dns_provider_check_families(name->row, name->no4 || name->fixed.family == 6,
					name->no6 || name->fixed.family == 4, false, why) < 0)
		return -ERR_INVALID;
	return dns_entry_check(&entry, why);
}

bool dns_import_usable(const struct dns_import *import, size_t i, struct err *why)
{
	if (check(&import->names[i], why) < 0)
		return false;
	for (size_t j = 0; j < i; j++)
		if (same_record(&import->names[j], &import->names[i]) &&
		    check(&import->names[j], NULL) == 0) {
			err_set(why, ERR_EXISTS, "a name before it is the same (line %u)",
				import->names[j].line);
			return false;
		}
	return true;
}

/* "[dns HOST]", or with a label where that is taken, longer than a section's name may be, or has signs
 * that it may not have. */
static void write_section(const struct dns_import *import, size_t i, const char *indent,
			  const char *host, struct writer *w)
{
	unsigned n = namesakes(import, i);

	if (strlen(host) + 8 > CONF_NAME_MAX || !hostname_valid(str_of(host)))
		writer_printf(w, "%s[dns name-%zu]\n%sname = %s\n", indent, i + 1, indent, host);
	else if (n)
		writer_printf(w, "%s[dns %s-%u]\n%sname = %s\n", indent, host, n + 1, indent, host);
	else
		writer_printf(w, "%s[dns %s]\n", indent, host);
}

static void write_name(const struct dns_import *import, size_t i, const char *folder,
		       struct writer *w)
{
	const struct dns_imported *name = &import->names[i];
	struct err why = {0};
	bool usable = dns_import_usable(import, i, &why);
	const char *indent = usable ? "" : "# ";
	char path[DNS_IMPORT_PATH_MAX], host[LOG_TEXT_MAX], provider[LOG_TEXT_MAX],
		reason[LOG_TEXT_MAX], address[IPADDR_TEXT_MAX];

	log_text(host, str_of(name->host)); /* a file's names may be anything */
	log_text(provider, str_of(name->provider));

	if (i)
		writer_printf(w, "\n");
	if (!usable) {
		if (name->line)
			writer_printf(w, "# line %u, provider ", name->line);
		else
			writer_printf(w, "# provider ");
		writer_printf(w, "%s: %s\n", provider, log_text(reason, str_of(why.text)));
	}
	write_section(import, i, indent, host, w);
	write_key(w, indent, "provider", name->row ? name->row->name : name->provider);
	if (needs(name, "user"))
		write_key(w, indent, "user", name->user);
	if (dns_import_secret_file(path, import, i))
		writer_printf(w, "%spassword-file = %s/%s\n", indent, folder, path);
	else if (is_name(name, NULL) && (!name->row || needs(name, "pass"))) /* to be filled */
		writer_printf(w, "%spassword-file = %s/%s.secret\n", indent, folder, host);
	if (needs(name, "key"))
		write_key(w, indent, "key", name->key);
	if (needs(name, "zone") || needs(name, "sub") || needs(name, "sub0"))
		write_key(w, indent, "zone", name->row && name->row->zone ? "" : name->zone);
	write_key(w, indent, "server", name->server);
	if (name->fixed.family)
		write_key(w, indent, "address", ipaddr_format(address, &name->fixed));
	else if (name->no4 != name->no6)
		write_key(w, indent, "family", name->no4 ? "ipv6" : "ipv4");
	if (name->ttl_s > 1) /* 1 is a word for "automatic", at Cloudflare */
		writer_printf(w, "%sttl = %us\n", indent, MIN(name->ttl_s, TTL_MAX_S));
}

int dns_import_write(const struct dns_import *import, const char *folder, struct buf *out)
{
	struct writer w = {.out = out};

	for (size_t i = 0; i < import->n; i++)
		write_name(import, i, folder, &w);
	return w.r;
}

static int put_published(const struct dns_imported *name, const struct ipaddr *published,
			 struct dns_ledger *ledger, bool all)
{
	static const uint8_t config[DNS_CONFIG_LEN]; /* zeros: not known yet */
	char key[DNS_LEDGER_KEY_MAX], host[HOSTNAME_MAX];
	struct dns_rules rules;
	struct dns_machine m;

	if (dns_naming_copy(host, name->row, str_of(name->host), NULL) < 0)
		return 0; /* never to be a name of ours */
	dns_ledger_key(key, name->row->name, host, published->family);
	if (!all && json_object_get(ledger->names, key))
		return 0;
	dns_rules_of(name->row, &rules);
	dns_machine_init(&m, &rules, config);
	m.published = *published;
	m.sure = true;
	m.confirmed_s = m.attempted_s = m.since_s = name->confirmed_s;
	if (name->confirmed_s)
		dns_limit_spend(&m.interval_spent, rules.interval_s, name->confirmed_s);
	return dns_ledger_put(ledger, key, &m);
}

int dns_import_ledger(const struct dns_import *import, struct dns_ledger *ledger, bool all)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < import->n; i++) {
		const struct dns_imported *name = &import->names[i];

		if (!name->row || name->row->closed)
			continue;
		if (name->published4.family && !name->no4)
			r = put_published(name, &name->published4, ledger, all);
		if (r == 0 && name->published6.family && !name->no6)
			r = put_published(name, &name->published6, ledger, all);
	}
	return r;
}
