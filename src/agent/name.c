#include "agent/name.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/webhook.h"
#include "base/log.h"
#include "base/secret.h"
#include "dns/custom.h"
#include "dns/naming.h"

#define TEMPLATE   "template"
#define CREDENTIAL "credential:"
#define SECRET_MAX 4096
#define TTL_MAX_S  86400

enum name_family { NAME_IPV4, NAME_IPV6, NAME_BOTH };

static const char *const families[] = {"ipv4", "ipv6", "both", NULL};

/* ── checks behind "key = value: " ── */

static int check_address(struct str value, struct err *e)
{
	struct ipaddr address;

	if (str_eq(value, STR("auto")) || ipaddr_parse(value, &address) == 0)
		return 0;
	return err_set(e, ERR_INVALID, "must be auto or an address");
}

static int check_suffix(struct str value, struct err *e)
{
	struct ipaddr suffix;

	if (ipaddr_parse(value, &suffix) == 0 && suffix.family == 6)
		return 0;
	return err_set(e, ERR_INVALID, "must be the end of an IPv6 address, such as ::1234:5678");
}

static int check_provider(struct str value, struct err *e)
{
	const struct dns_provider *p = dns_provider_find(value);

	if ((p && !p->closed) || str_eq(value, STR(TEMPLATE)))
		return 0;
	if (p)
		return err_set(e, ERR_INVALID, "%s", p->closed);
	return err_set(e, ERR_INVALID,
		       "no provider that is known; \"homeport dns providers\" lists "
		       "them, and \"dyndns2\" with server = HOST is any other of "
		       "that kind");
}

static bool is_file_or_credential(struct str value)
{
	return str_starts(value, STR("/")) || str_starts(value, STR(CREDENTIAL));
}

static int check_password_file(struct str value, struct err *e)
{
	return is_file_or_credential(value) ? 0
					    : err_set(e, ERR_INVALID,
						      "must be the absolute path of a file that "
						      "has the password in it, or "
						      "credential:ID; never the password itself");
}

static int check_webhook(struct str value, struct err *e)
{
	return is_file_or_credential(value) ? 0 : webhook_check(value, e);
}

const struct conf_row agent_dns_rows[AGENT_DNS_ROWS] = {
	{"name", CONF_STRING, offsetof(struct agent_dns_section, name), .shape = "HOST",
	 .help = "The name that follows this machine's address. The default is the section's own. "
		 "Where records are kept it may begin with \"*.\"; at a few providers it is no "
		 "host: "
		 "the number of a tunnel or record, the label of a network, a group "
		 "(homeport dns providers)."},
	{"provider", CONF_STRING, offsetof(struct agent_dns_section, provider),
	 .flags = CONF_REQUIRED, .check = check_provider, .shape = "PROVIDER",
	 .help = "Where its record is: homeport dns providers lists them and what each needs; "
		 "rfc2136 is a name server that takes signed updates."},
	{"zone", CONF_STRING, offsetof(struct agent_dns_section, zone),
	 .check = conf_check_hostname, .shape = "HOST",
	 .help = "The domain that the name is in, where the provider asks for it."},
	{"server", CONF_STRING, offsetof(struct agent_dns_section, server), .shape = "HOST[:PORT]",
	 .help = "The server, where the provider is not one place: dyndns2, rfc2136."},
	{"user", CONF_STRING, offsetof(struct agent_dns_section, user),
	 .help = "The account, or the name of the key."},
	{"password-file", CONF_STRING, offsetof(struct agent_dns_section, password_file),
	 .flags = CONF_BY_MISTAKE, .check = check_password_file, .shape = "FILE|credential:ID",
	 .help = "Where the password, token or secret is: a file whose first line it is, with an "
		 "absolute path and readable by nobody else, or a credential that systemd passes "
		 "(LoadCredential=). Never the password itself."},
	{"key", CONF_STRING, offsetof(struct agent_dns_section, key),
	 .help = "What else the provider asks for beside user and password: the identity of a "
		 "zone, of a key, of a droplet (homeport dns providers)."},
	{"family", CONF_WORD, offsetof(struct agent_dns_section, family), .words = families,
	 .preset = "both", .help = "Which addresses are published."},
	{"address", CONF_STRING, offsetof(struct agent_dns_section, address), .preset = "auto",
	 .check = check_address, .shape = "auto|ADDRESS",
	 .help = "auto is the address that the world has to come to: of this machine's interface "
		 "where it is public, else what the gateway sees; without a gateway the router "
		 "and, "
		 "every five minutes, public STUN servers and web services are asked. Another one "
		 "is published as it is."},
	{"suffix", CONF_STRING, offsetof(struct agent_dns_section, suffix), .check = check_suffix,
	 .shape = "ADDRESS",
	 .help = "For another device of the house: the last 64 bits of its IPv6 address, such as "
		 "::1234:5678; the rest is the network's."},
	{"prefix", CONF_INT, offsetof(struct agent_dns_section, prefix), .min = 16, .max = 64,
	 .help = "Instead of an IPv6 address the network's prefix of so many bits is published, at "
		 "providers that keep the suffixes of the house's devices themselves: dynv6, "
		 "ipv64, "
		 "do.de."},
	{"ttl", CONF_DURATION, offsetof(struct agent_dns_section, ttl), .min = USEC_PER_S,
	 .max = TTL_MAX_S * (int64_t)USEC_PER_S,
	 .help = "How long others may remember the record. The default is the least that the "
		 "provider allows, or a minute."},
	{"on-change", CONF_PATH, offsetof(struct agent_dns_section, on_change),
	 .help = "A program that is started when the record was changed, with HOMEPORT_EVENT, "
		 "HOMEPORT_NAME, HOMEPORT_FAMILY and HOMEPORT_ADDRESS in its environment."},
	{"on-park", CONF_PATH, offsetof(struct agent_dns_section, on_park),
	 .help = "The same when a person is needed: the provider refuses (the event is parked), or "
		 "the name must be confirmed on its web site (remind). HOMEPORT_REASON says why."},
	{"webhook", CONF_STRING, offsetof(struct agent_dns_section, webhook), .flags = CONF_SECRET,
	 .check = check_webhook, .shape = "URL|FILE|credential:ID",
	 .help = "A web server, https or http, that is told of all these events (changed, parked, "
		 "remind) by a POST request with a JSON object. A URL with a token in it is better "
		 "kept like a password: in the first line of a file, or a credential."},
	{"url", CONF_STRING, offsetof(struct agent_dns_section, url),
	 .help = "Of provider = template, for one that is not in the table: the request, with "
		 "{host}, {value} (the address; or {ip4}, {ip6}), {user}, {pass}, {key}, {zone}, "
		 "{sub}, {type} and {ttl} where they belong. https only."},
	{"method", CONF_STRING, offsetof(struct agent_dns_section, method),
	 .help = "Its method. The default is GET, or POST with a body."},
	{"header", CONF_STRING, offsetof(struct agent_dns_section, header),
	 .help = "One more header of it, such as Authorization: Bearer {pass}."},
	{"body", CONF_STRING, offsetof(struct agent_dns_section, body), .help = "Its body."},
	{"good", CONF_STRING, offsetof(struct agent_dns_section, good),
	 .help = "How a line of the answer begins that says it is done: words, * for any one, ... "
		 "for any that follow. What matches none of the four is no success."},
	{"nochg", CONF_STRING, offsetof(struct agent_dns_section, nochg),
	 .help = "The same of one that says there was nothing to change."},
	{"fatal", CONF_STRING, offsetof(struct agent_dns_section, fatal),
	 .help = "The same of one after which a person is needed."},
	{"retry", CONF_STRING, offsetof(struct agent_dns_section, retry),
	 .help = "The same of one that says to come later."},
};

static unsigned line_of(const struct conf_kind *kind, const struct agent_dns_section *s,
			const char *key)
{
	unsigned line = conf_line(kind, &s->head, key);

	return line ? line : s->head.line;
}

static void set_fixed(struct dns_keeper_name *keep, const struct ipaddr *address)
{
	if (address->family == 4)
		keep->fixed4 = *address;
	else
		keep->fixed6 = *address;
	keep->no4 |= address->family == 6;
	keep->no6 |= address->family == 4;
}

/* What is published as it is. */
static void fill_address(const struct agent_dns_section *s, struct dns_keeper_name *keep)
{
	struct ipaddr address = {0};

	if (ipaddr_parse(str_of(s->address), &address) == 0)
		set_fixed(keep, &address);
}

static struct dns_patterns pattern(char *const *text)
{
	return (struct dns_patterns){(const char *const *)text, *text ? 1 : 0};
}

/* Whether it has keys that only a template has. */
static bool has_template_keys(const struct agent_dns_section *s)
{
	return s->url || s->method || s->header || s->body || s->good || s->nochg || s->fatal ||
	       s->retry;
}

static int find_provider(const struct agent_dns_section *s, struct agent_name *name, struct err *e)
{
	const struct dns_custom custom = {.url = s->url,
					  .method = s->method,
					  .body = s->body,
					  .headers = s->header,
					  .basic = s->user && s->password_file && !s->header,
					  .good = pattern(&s->good),
					  .nochg = pattern(&s->nochg),
					  .fatal = pattern(&s->fatal),
					  .retry = pattern(&s->retry)};
	int r;

	if (strcmp(s->provider, TEMPLATE) != 0) {
		name->keep.entry.provider = dns_provider_find(str_of(s->provider));
		return has_template_keys(s)
			       ? err_set(e, ERR_INVALID,
					 "url, method, header, body, good, nochg, fatal and retry "
					 "are for provider = template")
			       : 0;
	}
	r = dns_custom_new(&custom, &name->own, e);
	name->keep.entry.provider = name->own;
	return r;
}

static int check_prefix(const struct dns_keeper_name *keep, struct err *e)
{
	if (!keep->prefix || dns_provider_can(keep->entry.provider) & DNS_CAN_PREFIX)
		return 0;
	return err_set(e, ERR_INVALID, "prefix: %s takes addresses only",
		       keep->entry.provider->name);
}

/* The name is the address, and nothing else is to be published. */
static int claim_address(const struct agent_dns_section *s, struct agent_name *name, struct err *e)
{
	struct ipaddr address;

	if (strcmp(s->address, "auto") != 0 || s->suffix || s->prefix != CONF_UNSET)
		return err_set(
			e, ERR_INVALID,
			"provider %s has no address, suffix or prefix: the name is the address",
			s->provider);
	if (ipaddr_parse(str_of(name->host), &address) < 0)
		return err_set(e, ERR_INVALID, "not an address");
	set_fixed(&name->keep, &address);
	return 0;
}

static int take_name(const struct agent_dns_section *s, struct agent_name *name, struct err *e)
{
	const char *text = s->name ? s->name : s->head.name;

	if (dns_naming_copy(name->host, name->keep.entry.provider, str_of(text), e) == 0)
		return name->keep.entry.provider->claim ? claim_address(s, name, e) : 0;
	return s->name ? err_wrap(e, -ERR_INVALID, "name = %s", text)
		       : err_wrap(e, -ERR_INVALID, "[dns %s], and no \"name\"", text);
}

void agent_name_done(struct agent_name *name)
{
	dns_custom_free(name->own);
	name->own = NULL;
}

int agent_name_fill(const struct conf_kind *kind, const struct agent_dns_section *s,
		    const char *file, struct agent_name *ret, struct err *e)
{
	struct agent_name name = {
		.on_change = s->on_change, .on_park = s->on_park, .webhook = s->webhook};
	struct dns_keeper_name *keep = &name.keep;

	keep->label = s->head.name;
	keep->no4 = s->family == NAME_IPV6;
	keep->no6 = s->family == NAME_IPV4;
	keep->entry = (struct dns_entry){
		.host = name.host,
		.zone = s->zone,
		.server = s->server,
		.user = s->user,
		.pass = s->password_file,
		.key = s->key,
		.ttl_s = s->ttl == CONF_UNSET ? 0 : (unsigned)(s->ttl / (int64_t)USEC_PER_S)};
	fill_address(s, keep);
	if (s->suffix && ipaddr_parse(str_of(s->suffix), &keep->suffix) < 0)
		return err_set(e, ERR_INVALID, "%s:%u: suffix", file, line_of(kind, s, "suffix"));
	if (s->prefix != CONF_UNSET) {
		keep->prefix = true;
		keep->prefix_bits = (unsigned)s->prefix;
	}
	if (find_provider(s, &name, e) < 0)
		return err_wrap(e, -ERR_INVALID, "%s:%u", file, line_of(kind, s, "provider"));
	if (take_name(s, &name, e) < 0) {
		agent_name_done(&name);
		return err_wrap(e, -ERR_INVALID, "%s:%u", file, line_of(kind, s, "name"));
	}
	if (check_prefix(keep, e) < 0 ||
	    dns_provider_check_families(keep->entry.provider, keep->no4, keep->no6, keep->prefix,
					e) < 0 ||
	    dns_entry_check(&keep->entry, e) < 0) {
		agent_name_done(&name);
		return err_wrap(e, -ERR_INVALID, "%s:%u", file, line_of(kind, s, "provider"));
	}
	*ret = name;
	ret->keep.entry.host = ret->host;
	return 0;
}

/* ── secrets ── */

/* The whole path; the caller frees. */
static char *secret_path(const char *where, struct err *e)
{
	const char *folder = getenv("CREDENTIALS_DIRECTORY");
	char *path = NULL;

	if (strncmp(where, CREDENTIAL, strlen(CREDENTIAL)) != 0)
		return strdup(where);
	where += strlen(CREDENTIAL);
	if (!folder || strchr(where, '/')) {
		err_set(e, ERR_FAILED, "credential %s: systemd passed none", where);
		return NULL;
	}
	return asprintf(&path, "%s/%s", folder, where) < 0 ? NULL : path;
}

/* A file of the disk; a pipe would hold the whole agent up. */
static int open_secret(const char *path, int *ret_fd, struct err *e)
{
	AUTO(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set_errno(e, errno == EACCES ? ERR_DENIED : ERR_FAILED, "%s", path);
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_FAILED, "%s is no ordinary file", path);
	if (st.st_mode & 07)
		log_warning("a secret in %s can be read by anybody on this machine: chmod 600 %s",
			    path, path);
	*ret_fd = fd;
	fd = -1;
	return 0;
}

/* Its first line, at most SECRET_MAX - 1 bytes. */
static int read_line(int fd, char line[static SECRET_MAX])
{
	size_t n = 0;

	while (n < SECRET_MAX - 1 && !memchr(line, '\n', n)) {
		ssize_t got = read(fd, line + n, SECRET_MAX - 1 - n);

		if (got < 0 && errno != EINTR)
			return -1;
		if (got == 0)
			break;
		n += got > 0 ? (size_t)got : 0;
	}
	line[n] = '\0';
	if (n == SECRET_MAX - 1 && !memchr(line, '\n', n))
		return -1;
	line[strcspn(line, "\r\n")] = '\0';
	return 0;
}

int agent_name_secret(const char *where, char **ret, struct err *e)
{
	AUTO(freep) char *path = secret_path(where, e);
	AUTO(closep) int fd = -1;
	char line[SECRET_MAX] = "";
	int r;

	if (!path)
		return -ERR_FAILED;
	r = open_secret(path, &fd, e);
	if (r < 0)
		return r;
	if (read_line(fd, line) < 0)
		r = err_set(e, ERR_FAILED, "%s: its first line cannot be read, or is too long",
			    path);
	else if (!*line)
		r = err_set(e, ERR_FAILED, "%s: there is nothing in its first line", path);
	else if (!(*ret = strdup(line)))
		r = err_set(e, ERR_NOMEM, "%s", path);
	secret_wipe(line, sizeof(line));
	return r;
}

int agent_name_webhook(const char *configured, char **ret, struct err *e)
{
	char *url;
	int r;

	if (!is_file_or_credential(str_of(configured))) {
		*ret = strdup(configured);
		return *ret ? 0 : err_set(e, ERR_NOMEM, "webhook");
	}
	r = agent_name_secret(configured, &url, e);
	if (r < 0)
		return r;
	r = webhook_check(str_of(url), e);
	if (r < 0) {
		secret_wipe(url, strlen(url));
		free(url);
		return err_wrap(e, r, "%s", configured);
	}
	*ret = url;
	return 0;
}
