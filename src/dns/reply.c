#include "dns/reply.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"

#define BLANKS " \t\r"

/* ── tokens ── */

/* The next token of a line, empty at its end. */
static struct str token(struct str *rest, const char *separators)
{
	size_t n = 0;
	struct str t;

	while (rest->len && strchr(separators, rest->at[0]) && rest->at[0])
		*rest = str_n(rest->at + 1, rest->len - 1);
	while (n < rest->len && !(rest->at[n] && strchr(separators, rest->at[n])))
		n++;
	t = str_n(rest->at, n);
	if (n)
		*rest = str_n(rest->at + n, rest->len - n);
	return t;
}

static bool match(struct str line, struct str pattern, const char *separators)
{
	for (;;) {
		struct str want = token(&pattern, BLANKS);
		struct str have;

		if (str_eq(want, STR("...")))
			return true;
		have = token(&line, separators);
		if (!want.len || !have.len)
			return want.len == have.len;
		if (!str_eq(want, STR("*")) && !str_eq_nocase(want, have))
			return false;
	}
}

static bool find_word(const struct dns_grammar *g, struct str line, const char *separators,
		      enum dns_verdict *ret)
{
	for (size_t i = 0; i < g->n_words; i++)
		if (match(line, str_of(g->words[i].pattern), separators)) {
			*ret = g->words[i].verdict;
			return true;
		}
	return false;
}

static void take_text(struct dns_reply *reply, struct str line)
{
	while (line.len && strchr(BLANKS "\n", line.at[line.len - 1]) && line.at[line.len - 1])
		line.len--;
	line = str_trim(line);
	if (line.len >= sizeof(reply->text))
		line.len = sizeof(reply->text) - 1;
	if (line.len)
		memcpy(reply->text, line.at, line.len);
	reply->text[line.len] = '\0';
}

/* ── lines and tags ── */

static bool read_lines(const struct dns_grammar *g, struct str body, struct dns_reply *reply)
{
	char separators[16];
	bool tags = g->how == DNS_TAGS || g->how == DNS_TEXT;
	char end = tags ? '<' : '\n';
	bool first = true, found = false;

	snprintf(separators, sizeof(separators), BLANKS "%s%s", tags ? "\n>" : "",
		 g->separators ? g->separators : "");
	while (body.len) {
		struct str line = str_split(&body, end), probe;
		enum dns_verdict verdict;

		if (g->how == DNS_TEXT && str_find(line, '>') >= 0)
			str_split(&line, '>');
		probe = line;
		if (token(&probe, separators).len == 0)
			continue;
		if (find_word(g, line, separators, &verdict)) {
			enum dns_verdict worse =
				found ? dns_verdict_worse(reply->verdict, verdict) : verdict;

			if (!found || worse != reply->verdict)
				take_text(reply, line);
			reply->verdict = worse;
			found = true;
		} else if (first && g->how == DNS_LINES) {
			take_text(reply, line);
			return false;
		}
		first = false;
	}
	return found;
}

/* ── JSON ── */

/* Whether an object has all the members of "a=b,c=d". */
static bool fits(const json_t *object, struct str conditions)
{
	while (conditions.len) {
		struct str condition = str_split(&conditions, ',');
		struct str key = str_split(&condition, '=');
		char value[HOSTNAME_MAX];
		const json_t *member = json_object_getn(object, key.at, key.len);

		if (!dns_json_text(member, value, sizeof(value)) ||
		    !str_eq_nocase(str_of(value), condition))
			return false;
	}
	return true;
}

static json_t *only(const json_t *list, struct str conditions, bool *several)
{
	json_t *found = NULL, *element;
	size_t i;

	json_array_foreach(list, i, element)
	{
		if (!fits(element, conditions))
			continue;
		if (found)
			*several = true;
		else
			found = element;
	}
	return found;
}

/* Up to the next dot that is not between brackets. */
static struct str segment(struct str *path)
{
	struct str s = *path;
	size_t n = 0;
	bool inside = false;

	while (n < s.len && (inside || (s.at[n] != '.' && (n == 0 || s.at[n] != '[')))) {
		inside = s.at[n] == '[' || (inside && s.at[n] != ']');
		n++;
	}
	*path = str_n(s.at + n, s.len - n);
	if (path->len && path->at[0] == '.')
		*path = str_n(path->at + 1, path->len - 1);
	return str_n(s.at, n);
}

json_t *dns_json_at(json_t *root, struct str path, bool *ret_several)
{
	bool several = false;

	while (root && path.len) {
		struct str s = segment(&path);
		uint64_t index;

		if (str_eq(s, STR("*")))
			root = only(root, STR(""), &several);
		else if (s.len >= 2 && s.at[0] == '[' && s.at[s.len - 1] == ']')
			root = only(root, str_n(s.at + 1, s.len - 2), &several);
		else if (json_is_array(root))
			root = str_to_u64(s, 1000, &index) ? json_array_get(root, (size_t)index)
							   : NULL;
		else
			root = s.len ? json_object_getn(root, s.at, s.len) : NULL;
	}
	if (ret_several)
		*ret_several = several;
	return root;
}

bool dns_json_text(const json_t *value, char *to, size_t size)
{
	int n = -1;

	if (json_is_string(value))
		return str_copy(to, size,
				str_n(json_string_value(value), json_string_length(value)));
	if (json_is_integer(value))
		n = snprintf(to, size, "%lld", (long long)json_integer_value(value));
	else if (json_is_boolean(value))
		n = snprintf(to, size, "%s", json_is_true(value) ? "true" : "false");
	return n >= 0 && (size_t)n < size;
}

static bool read_json(const struct dns_grammar *g, struct str body, struct dns_reply *reply)
{
	json_t *root = json_loadb(body.at ? body.at : "", body.len, JSON_DECODE_ANY, NULL);
	bool found = false;
	char value[DNS_REPLY_TEXT_MAX];

	if (g->text &&
	    dns_json_text(dns_json_at(root, str_of(g->text), NULL), value, sizeof(value)))
		take_text(reply, str_of(value));
	for (unsigned i = 0; i < DNS_JSON_PATHS_MAX && g->paths[i] && !found; i++)
		found = dns_json_text(dns_json_at(root, str_of(g->paths[i]), NULL), value,
				      sizeof(value)) &&
			find_word(g, str_of(value), BLANKS, &reply->verdict);
	json_decref(root);
	return found;
}

/* ── the whole answer ── */

static bool is_page(struct str body)
{
	while (body.len && strchr(" \t\r\n", body.at[0]) && body.at[0])
		body = str_n(body.at + 1, body.len - 1);
	return body.len && body.at[0] == '<';
}

static bool find_status(const struct dns_grammar *g, int status, enum dns_verdict *ret)
{
	for (unsigned i = 0; i < ARRAY_LEN(g->statuses) && g->statuses[i].status; i++)
		if (g->statuses[i].status == status) {
			*ret = g->statuses[i].verdict;
			return true;
		}
	return false;
}

/* What a status says where the body says nothing that is known. */
static enum dns_verdict by_status(const struct dns_grammar *g, int status, bool page)
{
	enum dns_verdict special;

	if (page && status >= 200 && status < 300)
		return DNS_PAGE;
	if (find_status(g, status, &special))
		return special;
	if (status == 429)
		return DNS_RATE;
	if (status == 401 || (status == 403 && !page))
		return DNS_BADAUTH; /* a firewall's page with 403 is not the provider's word */
	if (status >= 500)
		return DNS_SERVER;
	if (status >= 300 && status < 400)
		return DNS_PAGE; /* no provider redirects an update; a captive portal does */
	if (status >= 200 && status < 300)
		return g->how == DNS_JSON && g->n_words == 0 ? DNS_GOOD : DNS_UNKNOWN;
	return g->how == DNS_JSON && status >= 400 && !page ? DNS_REFUSED : DNS_UNKNOWN;
}

void dns_reply_read(const struct dns_grammar *grammar, const struct dns_answer *answer,
		    struct dns_reply *ret)
{
	struct str body = answer->body;
	bool tags = grammar->how == DNS_TAGS || grammar->how == DNS_TEXT;
	bool page = !tags && is_page(body), known;
	enum dns_class class;

	*ret = (struct dns_reply){.verdict = DNS_UNKNOWN};
	if (body.len > DNS_REPLY_BODY_MAX)
		body.len = DNS_REPLY_BODY_MAX;
	known = !page && (grammar->how == DNS_JSON ? read_json(grammar, body, ret)
						   : read_lines(grammar, body, ret));
	class = dns_verdict_class(ret->verdict);
	if (page)
		ret->text[0] = '\0';
	/* Success needs a status of success; trouble is believed with any. */
	if (known && (class != DNS_CLASS_OK || (answer->status >= 200 && answer->status < 300)))
		return;
	ret->verdict = by_status(grammar, answer->status, page || is_page(body));
}

/* How many addresses of the family the reply's text names, and whether this one is among them. */
static bool names(const struct dns_reply *reply, const struct ipaddr *address, unsigned *ret_n)
{
	struct str rest = str_of(reply->text);

	*ret_n = 0;
	for (struct str t = token(&rest, " \t,()"); t.len; t = token(&rest, " \t,()")) {
		struct ipaddr named;

		if (ipaddr_parse(str_split(&t, '/'), &named) < 0 || named.family != address->family)
			continue;
		if (ipaddr_same_host(&named, address))
			return true;
		++*ret_n;
	}
	return false;
}

bool dns_reply_contradicts(const struct dns_reply *reply, const struct ipaddr *address)
{
	unsigned others;

	return !names(reply, address, &others) && others;
}

bool dns_reply_names(const struct dns_reply *reply, const struct ipaddr *address)
{
	unsigned others;

	return names(reply, address, &others);
}

/* ── grammars ── */

#define WORDS(list) .words = (list), .n_words = ARRAY_LEN(list)

static const struct dns_word dyndns2_words[] = {
	{"good 127.0.0.1", DNS_BADAGENT}, /* Dyn: ignored, because this program breaks the rules */
	{"good ...", DNS_GOOD},
	{"nochg ...", DNS_NOCHG},
	{"badauth ...", DNS_BADAUTH},
	{"badagent ...", DNS_BADAGENT},
	{"abuse ...", DNS_ABUSE},
	{"nohost ...", DNS_NOHOST},
	{"notfqdn ...", DNS_NOTFQDN},
	{"!yours ...", DNS_NOT_YOURS},
	{"!donator ...", DNS_NOT_DONATOR},
	{"!active ...", DNS_NOT_ACTIVE},
	{"numhost ...", DNS_NUMHOST},
	{"badsys ...", DNS_BADSYS},
	{"dnserr ...", DNS_DNSERR},
	{"911 ...", DNS_OUTAGE},
	{"servererror ...", DNS_SERVER}, /* Dynu */
};

const struct dns_grammar dns_grammar_dyndns2 = {.name = "dyndns2", WORDS(dyndns2_words)};

const struct dns_grammar dns_grammar_desec = {
	.name = "desec", WORDS(dyndns2_words), .statuses = {{404, DNS_NOHOST}}};

const struct dns_grammar dns_grammar_ipv64 = {
	.name = "ipv64", WORDS(dyndns2_words), .statuses = {{403, DNS_RATE}}};

static const struct dns_word duckdns_words[] = {
	{"ok", DNS_GOOD},
	{"ko", DNS_BADAUTH}, /* a wrong token or a wrong name: it does not say which */
	{"updated", DNS_GOOD},
	{"nochange", DNS_NOCHG},
};

const struct dns_grammar dns_grammar_duckdns = {.name = "duckdns", WORDS(duckdns_words)};

static const struct dns_word dynv6_words[] = {
	{"addresses updated", DNS_GOOD},
	{"addresses unchanged", DNS_NOCHG},
};

const struct dns_grammar dns_grammar_dynv6 = {
	.name = "dynv6", WORDS(dynv6_words), .statuses = {{404, DNS_NOHOST}}};

static const struct dns_word freedns_words[] = {
	{"updated ...", DNS_GOOD},
	{"no ip change detected ...", DNS_NOCHG},
	{"error: address * has not changed. ...", DNS_NOCHG},
	{"error: unable to locate this record ...", DNS_NOHOST},
	{"error: ...", DNS_REFUSED},
};

const struct dns_grammar dns_grammar_freedns = {.name = "freedns", WORDS(freedns_words)};

static const struct dns_word zoneedit_words[] = {
	{"success code=\"200\" ...", DNS_GOOD},	 {"success code=\"201\" ...", DNS_NOCHG},
	{"error code=\"701\" ...", DNS_REFUSED}, {"error code=\"702\" ...", DNS_RATE},
	{"error code=\"707\" ...", DNS_RATE},	 {"error code=\"708\" ...", DNS_BADAUTH},
	{"error code=\"709\" ...", DNS_NOHOST},
};

const struct dns_grammar dns_grammar_zoneedit = {
	.name = "zoneedit", .how = DNS_TAGS, WORDS(zoneedit_words)};

static const struct dns_word easydns_words[] = {
	{"noerror ...", DNS_GOOD},	   {"ok ...", DNS_GOOD},
	{"noaccess ...", DNS_BADAUTH},	   {"no_auth ...", DNS_BADAUTH},
	{"noservice ...", DNS_NOT_ACTIVE}, {"illegal input ...", DNS_REFUSED},
	{"toosoon ...", DNS_RATE},	   {"too_freq ...", DNS_RATE},
};

const struct dns_grammar dns_grammar_easydns = {.name = "easydns", WORDS(easydns_words)};

static const struct dns_word namecheap_words[] = {
	{"errcount 0", DNS_GOOD},
	{"err1 passwords do not match ...", DNS_BADAUTH},
	{"err1 domain name not found ...", DNS_NOHOST},
	{"err1 no records updated. ...", DNS_NOHOST},
	{"err1 ...", DNS_REFUSED},
};

const struct dns_grammar dns_grammar_namecheap = {
	.name = "namecheap", .how = DNS_TAGS, WORDS(namecheap_words)};

static const struct dns_word plain_words[] = {
	{"ok ...", DNS_GOOD},	  {"good ...", DNS_GOOD},	{"success ...", DNS_GOOD},
	{"nochg ...", DNS_NOCHG}, {"badauth ...", DNS_BADAUTH}, {"error ...", DNS_REFUSED},
};

const struct dns_grammar dns_grammar_words = {.name = "words", WORDS(plain_words)};

static const struct dns_word cloudflare_words[] = {
	{"9109", DNS_BADAUTH},	{"10000", DNS_BADAUTH}, {"6003", DNS_BADAUTH},
	{"6111", DNS_BADAUTH},	{"9103", DNS_BADAUTH},	{"7003", DNS_NOHOST},
	{"81044", DNS_UNKNOWN}, {"10013", DNS_SERVER},	{"971", DNS_RATE},
	{"true", DNS_GOOD},
};

const struct dns_grammar dns_grammar_cloudflare = {.name = "cloudflare",
						   .how = DNS_JSON,
						   WORDS(cloudflare_words),
						   .paths = {"errors.0.code", "success"},
						   .text = "errors.0.message"};

static const struct dns_word porkbun_words[] = {{"success", DNS_GOOD}};

const struct dns_grammar dns_grammar_porkbun = {
	.name = "porkbun",
	.how = DNS_JSON,
	WORDS(porkbun_words),
	.statuses = {{200, DNS_REFUSED}, {403, DNS_BADAUTH}},
	.paths = {"status"},
	.text = "message"};

static const struct dns_word dnsexit_words[] = {
	{"0", DNS_GOOD},    {"1", DNS_NOCHG},	{"2", DNS_BADAUTH}, {"3", DNS_REFUSED},
	{"4", DNS_REFUSED}, {"5", DNS_REFUSED}, {"6", DNS_REFUSED}, {"11", DNS_REFUSED},
};

const struct dns_grammar dns_grammar_dnsexit = {.name = "dnsexit",
						.how = DNS_JSON,
						WORDS(dnsexit_words),
						.paths = {"code"},
						.text = "message"};

/* Nothing but the status, as most JSON interfaces mean it. */
#define STATUS_ONLY .how = DNS_JSON, .statuses = {{404, DNS_NOHOST}}

const struct dns_grammar dns_grammar_api = {.name = "api", STATUS_ONLY, .text = "message"};
const struct dns_grammar dns_grammar_hetzner = {
	.name = "hetzner", STATUS_ONLY, .text = "error.message"};
const struct dns_grammar dns_grammar_linode = {
	.name = "linode", STATUS_ONLY, .text = "errors.0.reason"};
const struct dns_grammar dns_grammar_vultr = {.name = "vultr", STATUS_ONLY, .text = "error"};

static const struct dns_word route53_words[] = {
	{"status pending", DNS_GOOD},
	{"status insync", DNS_GOOD},
	{"code throttling", DNS_RATE},
	{"code priorrequestnotcomplete", DNS_RATE},
	{"code signaturedoesnotmatch", DNS_BADAUTH},
	{"code invalidclienttokenid", DNS_BADAUTH},
	{"code accessdenied", DNS_BADAUTH},
	{"code nosuchhostedzone", DNS_NOHOST},
	{"code invalidchangebatch", DNS_REFUSED},
};

const struct dns_grammar dns_grammar_route53 = {
	.name = "route53", .how = DNS_TAGS, WORDS(route53_words)};
