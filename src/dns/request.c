#include "dns/request.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "base/baseenc.h"
#include "base/secret.h"
#include "dns/naming.h"
#include "dns/rfc2136.h"

/* The form in which No-IP wants it; others only want that there is one. */
#define USER_AGENT                                                                                 \
	"User-Agent: homeport homeport/Linux-" HOMEPORT_VERSION " maintainers@homeport."           \
	"example\r\n"

static void wipe(struct buf *b)
{
	if (b->bytes)
		secret_wipe(b->bytes, b->size);
	buf_done(b);
}

void dns_request_done(struct dns_request *request)
{
	wipe(&request->url);
	wipe(&request->headers);
	wipe(&request->body);
}

/* ── what an entry needs ── */

bool dns_sub_of(const char *host, const char *zone, struct str *ret)
{
	struct str h = str_of(host), z = str_of(zone);

	if (str_eq_nocase(h, z)) {
		*ret = str_n(host, 0);
		return true;
	}
	if (h.len < z.len + 2 || !str_ends_nocase(h, z) || h.at[h.len - z.len - 1] != '.')
		return false;
	*ret = str_n(host, h.len - z.len - 1);
	return true;
}

static const char *zone_of(const struct dns_entry *entry)
{
	return entry->provider->zone ? entry->provider->zone : entry->zone;
}

static bool is_number(const char *text)
{
	uint64_t number;

	return text && str_to_u64(str_of(text), INT64_MAX, &number);
}

int dns_entry_check(const struct dns_entry *entry, struct err *e)
{
	const struct dns_provider *p = entry->provider;
	const struct {
		const char *variable, *value, *key;
	} needs[] = {
		{"user", entry->user, "user"},
		{"sha", entry->user, "user"},
		{"sha", entry->pass, "password-file"},
		{"pass", entry->pass, "password-file"},
		{"key", entry->key, "key"},
		{"zone", zone_of(entry), "zone"},
		{"sub", zone_of(entry), "zone"},
		{"sub0", zone_of(entry), "zone"},
		{"server", entry->server ? entry->server : p->server, "server"},
	};
	char name[HOSTNAME_MAX], key_name[HOSTNAME_MAX + 16];
	struct dns_key signer;
	struct str sub;

	if (p->rfc2136 && !(entry->user && entry->pass && entry->zone && entry->server))
		return err_set(
			e, ERR_INVALID,
			"provider rfc2136 needs \"server\", \"zone\", \"user\" (the key's name) "
			"and \"password-file\"");
	if (p->rfc2136 && dns_key_parse(entry->user, key_name, &signer, e) < 0)
		return err_wrap(e, -ERR_INVALID, "user");
	if (p->closed)
		return err_set(e, ERR_INVALID, "%s: %s", p->title, p->closed);
	for (size_t i = 0; i < ARRAY_LEN(needs); i++)
		if (!needs[i].value && dns_provider_uses(p, needs[i].variable))
			return err_set(e, ERR_INVALID, "provider %s needs \"%s\"", p->name,
				       needs[i].key);
	if (dns_naming_copy(name, p, str_of(entry->host), e) < 0)
		return err_wrap(e, -ERR_INVALID, "%s", entry->host);
	if (p->claim && !is_number(entry->key))
		return err_set(e, ERR_INVALID, "key = %s is no number", entry->key);
	if (zone_of(entry) && dns_naming_is_host(p, str_of(name)) &&
	    !dns_sub_of(entry->host, zone_of(entry), &sub))
		return err_set(e, ERR_INVALID, "%s is not in the zone %s", entry->host,
			       zone_of(entry));
	return 0;
}

static const char *const types[] = {[DNS_A] = "A",
				    [DNS_AAAA] = "AAAA",
				    [DNS_BOTH] = "A",
				    [DNS_PREFIX] = "AAAA",
				    [DNS_TXT] = "TXT"};

/* SHA-1 in hex over the user in lower case, "|" and the password. */
static bool freedns_hash(const struct dns_entry *entry, char text[static HEX_TEXT_LEN(20)])
{
	struct buf plain = {.max = 2 * DNS_VAR_VALUE_MAX};
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned len;
	bool good = buf_printf(&plain, "%s|%s", entry->user, entry->pass) == 0;

	for (size_t i = 0; good && i < strlen(entry->user); i++)
		buf_head(&plain)[i] = (uint8_t)str_lower((char)buf_head(&plain)[i]);
	good = good &&
	       EVP_Digest(buf_head(&plain), buf_len(&plain), digest, &len, EVP_sha1(), NULL) == 1;
	if (good)
		hex_encode(text, digest, len);
	wipe(&plain);
	return good;
}

void dns_entry_vars(const struct dns_entry *entry, enum dns_what what,
		    const struct dns_target *target, struct dns_vars_text *text,
		    struct dns_vars *ret)
{
	const struct dns_provider *p = entry->provider;
	unsigned ttl = entry->ttl_s ? entry->ttl_s : DNS_TTL_DEFAULT_S;
	const struct dns_var *claim;
	struct str sub = {0};

	*ret = (struct dns_vars){0};
	dns_vars_set(ret, "host", str_of(entry->host));
	dns_vars_set(ret, "user", str_of(entry->user));
	dns_vars_set(ret, "pass", str_of(entry->pass));
	dns_vars_set(ret, "key", str_of(entry->key));
	dns_vars_set_plain(ret, "server", str_of(entry->server ? entry->server : p->server));
	dns_vars_set(ret, "zone", str_of(zone_of(entry)));
	if (zone_of(entry) && dns_sub_of(entry->host, zone_of(entry), &sub) &&
	    str_copy(text->sub, sizeof(text->sub), sub)) {
		dns_vars_set(ret, "sub0", str_of(text->sub));
		dns_vars_set(ret, "sub", sub.len ? str_of(text->sub) : STR("@"));
	}
	if (entry->user && entry->pass && dns_provider_uses(p, "sha") &&
	    freedns_hash(entry, text->sha))
		dns_vars_set(ret, "sha", str_of(text->sha));
	snprintf(text->ttl, sizeof(text->ttl), "%u", MAX(ttl, p->ttl_min_s));
	dns_vars_set(ret, "ttl", str_of(text->ttl));
	dns_vars_set(ret, "type", str_of(types[what]));
	if (what == DNS_A || what == DNS_BOTH) {
		dns_vars_set_plain(ret, "ip4", str_of(ipaddr_format(text->ip4, &target->ip4)));
		dns_vars_set_plain(ret, "value", str_of(text->ip4));
	}
	if (what == DNS_AAAA || what == DNS_BOTH)
		dns_vars_set_plain(ret, "ip6", str_of(ipaddr_format(text->ip6, &target->ip6)));
	if (what == DNS_AAAA)
		dns_vars_set_plain(ret, "value", str_of(text->ip6));
	if (what == DNS_PREFIX)
		dns_vars_set_plain(ret, "prefix6",
				   str_of(cidr_format(text->prefix6, &target->prefix6)));
	if (what == DNS_TXT)
		dns_vars_set(ret, "value", str_of(target->txt));
	claim = p->claim ? dns_vars_get(ret, str_of(p->claim)) : NULL;
	if (claim)
		dns_vars_set(ret, "value", claim->value);
}

/* ── making ── */

static int add_text(struct buf *out, const char *text, struct err *e)
{
	return buf_append_str(out, str_of(text)) < 0
		       ? err_set(e, ERR_LIMIT, "the request is too long")
		       : 0;
}

/* Authorization: Basic (RFC 7617 §2). */
static int add_basic(const char *text, const struct dns_vars *vars, struct buf *headers,
		     struct err *e)
{
	struct buf plain = {.max = 1024};
	uint8_t encoded[1024 / 3 * 4 + 8];
	int r = dns_template_expand(text, vars, DNS_ENCODE_NONE, &plain, e);

	if (r == 0) {
		EVP_EncodeBlock(encoded, buf_head(&plain), (int)buf_len(&plain));
		r = buf_printf(headers, "Authorization: Basic %s\r\n", (const char *)encoded);
		if (r < 0)
			err_set(e, -r, "the request is too long");
		secret_wipe(encoded, sizeof(encoded));
	}
	wipe(&plain);
	return r;
}

/* "Name: value", several with "\n". */
static int add_headers(const char *text, const struct dns_vars *vars, struct buf *headers,
		       struct err *e)
{
	while (text && *text) {
		const char *end = strchrnul(text, '\n');
		AUTO(freep) char *line = str_dup(str_n(text, (size_t)(end - text)));
		int r = line ? dns_template_expand(line, vars, DNS_ENCODE_NONE, headers, e)
			     : err_set(e, ERR_NOMEM, "header");

		if (r == 0)
			r = add_text(headers, "\r\n", e);
		if (r < 0)
			return r;
		text = *end ? end + 1 : end;
	}
	return 0;
}

static int add_body(const char *text, const struct dns_vars *vars, struct dns_request *request,
		    struct err *e)
{
	char first = text[0];
	bool json = first == '{' || first == '[', xml = first == '<';
	enum dns_encoding encoding = json  ? DNS_ENCODE_JSON
				     : xml ? DNS_ENCODE_XML
					   : DNS_ENCODE_PERCENT;
	int r = dns_template_expand(text, vars, encoding, &request->body, e);

	request->has_body = true;
	if (r < 0 || !first)
		return r;
	return add_text(&request->headers,
			json  ? "Content-Type: application/json\r\n"
			: xml ? "Content-Type: text/xml\r\n"
			      : "Content-Type: application/x-www-form-urlencoded\r\n",
			e);
}

/* SHA-1 in hex over secret, consumer key, method, URL, body and time with "+" between them. */
static int sign_ovh(struct dns_vars *vars, const struct dns_request *request, char *signature,
		    struct err *e)
{
	const struct dns_var *pass = dns_vars_get(vars, STR("pass"));
	const struct dns_var *key = dns_vars_get(vars, STR("key"));
	const struct dns_var *time = dns_vars_get(vars, STR("time"));
	struct buf text = {.max = 2 * DNS_EXPANDED_MAX};
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned len;
	int r = -ERR_NOMEM;

	if (pass && key && time &&
	    buf_printf(&text, "%.*s+%.*s+%s+%s+%.*s+%.*s", STR_ARG(pass->value),
		       STR_ARG(key->value), request->method, (const char *)buf_head(&request->url),
		       STR_ARG(buf_str(&request->body)), STR_ARG(time->value)) == 0 &&
	    EVP_Digest(buf_head(&text), buf_len(&text), digest, &len, EVP_sha1(), NULL) == 1) {
		memcpy(signature, "$1$", 3);
		hex_encode(signature + 3, digest, len);
		dns_vars_set(vars, "signature", str_of(signature));
		r = 0;
	}
	wipe(&text);
	return r < 0 ? err_set(e, ERR_NOMEM, "signature") : 0;
}

/* Whether a URL that a stranger has given is https, and of that domain. */
static bool is_within(struct str url, const char *domain)
{
	struct str host, d = str_of(domain);

	if (!str_starts(url, STR("https://")))
		return false;
	for (int i = 0; i < 2; i++)
		str_split(&url, '/');
	host = str_split(&url, '/');
	return hostname_valid(host) && str_ends_nocase(host, d) &&
	       (host.len == d.len || host.at[host.len - d.len - 1] == '.');
}

static int make(const struct dns_provider *row, const struct dns_step *step, struct str url_tail,
		struct dns_vars *vars, struct dns_request *ret, struct err *e)
{
	char signature[3 + HEX_TEXT_LEN(20)];
	AUTO(freep) char *tail = str_dup(url_tail);
	bool bare = step->flags & DNS_STEP_UNSIGNED;
	int r;

	ret->url.max = ret->headers.max = ret->body.max = DNS_EXPANDED_MAX;
	ret->method = step->method ? step->method : "GET";
	ret->aws = row->signature == DNS_SIGN_AWS;
	if (!tail)
		return err_set(e, ERR_NOMEM, "request");
	r = dns_template_expand(step->url, vars, DNS_ENCODE_PERCENT, &ret->url, e);
	if (r == 0)
		r = dns_template_expand(tail, vars, DNS_ENCODE_PERCENT, &ret->url, e);
	if (r == 0 && step->within && !is_within(buf_str(&ret->url), step->within))
		r = err_set(e, ERR_INVALID, "%s has sent us elsewhere", row->title);
	if (r == 0 && buf_append(&ret->url, "", 1) < 0)
		r = err_set(e, ERR_LIMIT, "the request is too long");
	if (r == 0)
		r = add_text(&ret->headers, USER_AGENT, e);
	if (r == 0 && step->body)
		r = add_body(step->body, vars, ret, e);
	if (r == 0 && row->basic)
		r = add_basic(row->basic, vars, &ret->headers, e);
	if (r == 0 && row->signature == DNS_SIGN_OVH && !bare)
		r = sign_ovh(vars, ret, signature, e);
	if (r == 0 && !bare)
		r = add_headers(row->header, vars, &ret->headers, e);
	if (r == 0)
		r = add_headers(step->header, vars, &ret->headers, e);
	dns_vars_set(vars, "signature", (struct str){0}); /* it lives here */
	return r;
}

int dns_request_make_step(const struct dns_provider *row, const struct dns_step *step,
			  struct dns_vars *vars, struct dns_request *ret, struct err *e)
{
	return make(row, step, STR(""), vars, ret, e);
}

int dns_request_make(const struct dns_provider *row, enum dns_what what, struct dns_vars *vars,
		     struct dns_request *ret, struct err *e)
{
	const char *const tails[] = {[DNS_A] = row->v4,
				     [DNS_AAAA] = row->v6,
				     [DNS_BOTH] = row->both,
				     [DNS_PREFIX] = row->prefix,
				     [DNS_TXT] = NULL};
	struct dns_step step = {.method = row->method, .url = row->url, .body = row->body};

	if (!row->url || !tails[what])
		return err_set(e, ERR_INVALID, "%s has no %s update of its own", row->title,
			       what == DNS_TXT ? "TXT" : types[what]);
	return make(row, &step, str_of(tails[what]), vars, ret, e);
}

/* ── for people ── */

void dns_vars_hide(struct dns_vars *vars)
{
	static const char *const secrets[] = {"pass", "key", "sha", "session"};

	for (size_t i = 0; i < ARRAY_LEN(secrets); i++)
		if (dns_vars_get(vars, str_of(secrets[i])))
			dns_vars_set_plain(vars, secrets[i], STR(DNS_HIDDEN));
}

void dns_vars_hide_path(struct dns_vars *vars, const char *name, char *text, size_t size)
{
	const struct dns_var *var = dns_vars_get(vars, str_of(name));
	struct str rest;
	size_t kept;

	if (!var)
		return;
	rest = var->value;
	for (int i = 0; i < 3; i++)
		str_split(&rest, '/');
	kept = var->value.len - rest.len;
	if (kept + DNS_HIDDEN_LEN >= size)
		kept = 0;
	memcpy(text, var->value.at, kept);
	memcpy(text + kept, DNS_HIDDEN, DNS_HIDDEN_LEN + 1);
	dns_vars_set_plain(vars, name, str_of(text));
}

int dns_request_hide(struct dns_request *request, struct err *e)
{
	static const char *const encoded[] = {"Authorization: Basic ", "X-Ovh-Signature: "};
	struct str lines = buf_str(&request->headers);
	struct buf shown = {.max = DNS_EXPANDED_MAX};
	int r = 0;

	while (lines.len && r == 0) {
		struct str line = str_split(&lines, '\n');

		for (size_t i = 0; i < ARRAY_LEN(encoded); i++)
			if (str_starts(line, str_of(encoded[i]))) {
				r = buf_append_str(&shown, str_of(encoded[i]));
				line = STR(DNS_HIDDEN "\r");
			}
		if (r == 0)
			r = buf_printf(&shown, "%.*s\n", STR_ARG(line));
	}
	if (r == 0 && request->aws)
		r = buf_printf(&shown, "Authorization: AWS4-HMAC-SHA256 " DNS_HIDDEN "\r\n");
	wipe(&request->headers);
	request->headers = shown;
	return r < 0 ? err_set(e, -r, "request") : 0;
}

#define SECRET_MIN   4
#define SECRET_FORMS 4 /* two secrets, as they are and as in a URL */

static void hide_whole(char *text, const char *secret)
{
	size_t len = strlen(secret);

	while ((text = strstr(text, secret))) {
		memcpy(text, DNS_HIDDEN, DNS_HIDDEN_LEN);
		text += DNS_HIDDEN_LEN;
		memmove(text, text + len - DNS_HIDDEN_LEN, strlen(text + len - DNS_HIDDEN_LEN) + 1);
	}
}

/* The longest that the text ends with. */
static void hide_beginning(char *text, const struct buf *forms, size_t n)
{
	size_t len = strlen(text);

	for (size_t most = len; most > 0; most--)
		for (size_t i = 0; i < n; i++)
			if (most < buf_len(&forms[i]) &&
			    memcmp(text + len - most, buf_head(&forms[i]), most) == 0) {
				snprintf(text + len - most, most + 1, "%s", DNS_HIDDEN);
				return;
			}
}

/* NUL-terminated. */
static size_t secret_forms(const struct dns_entry *entry, struct buf forms[static SECRET_FORMS])
{
	const char *const secrets[] = {entry->pass, entry->key};
	size_t n = 0;

	for (size_t i = 0; i < SECRET_FORMS; i++) {
		const char *secret = secrets[i / 2];
		struct dns_vars vars = {0};

		if (!secret || strlen(secret) < SECRET_MIN)
			continue;
		dns_vars_set(&vars, "secret", str_of(secret));
		forms[n].max = DNS_EXPANDED_MAX;
		if (dns_template_expand("{secret}", &vars,
					i % 2 ? DNS_ENCODE_PERCENT : DNS_ENCODE_NONE, &forms[n],
					NULL) == 0 &&
		    buf_append(&forms[n], "", 1) == 0)
			n++;
		else
			wipe(&forms[n]);
	}
	return n;
}

void dns_reply_hide(struct dns_reply *reply, const struct dns_entry *entry)
{
	bool cut_off = strlen(reply->text) + 1 == sizeof(reply->text);
	struct buf forms[SECRET_FORMS] = {0};
	size_t n = secret_forms(entry, forms);

	for (size_t i = 0; i < n; i++)
		hide_whole(reply->text, (const char *)buf_head(&forms[i]));
	if (cut_off)
		hide_beginning(reply->text, forms, n);
	for (size_t i = 0; i < n; i++)
		wipe(&forms[i]);
}
