#include "dns/custom.h"

#include <stddef.h>
#include <string.h>

#include "base/cleanup.h"
#include "dns/template.h"

#define WORDS_MAX (4 * DNS_CUSTOM_PATTERNS_MAX)
#define TEXTS_MAX (WORDS_MAX + 4)

struct made {
	struct dns_provider row;
	struct dns_grammar grammar;
	struct dns_word words[WORDS_MAX];
	char *texts[TEXTS_MAX]; /* owned: all that the row points to */
	size_t n_texts;
};

static const char *const variables[] = {"host", "zone", "sub", "sub0", "user",	"pass",	 "key",
					"ttl",	"ip4",	"ip6", "type", "value", "server"};

/* ── checks ── */

/* The first variable of the text that we do not have; NULL: all are known. */
static bool unknown_variable(const char *text, struct str *ret)
{
	for (; text && *text; text++) {
		const char *name = text + 1;
		size_t n;
		bool known = false;

		if (*text != '{')
			continue;
		if (strncmp(name, "raw:", 4) == 0)
			name += 4;
		n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");
		if (n == 0 || name[n] != '}')
			continue;
		for (size_t i = 0; i < ARRAY_LEN(variables); i++)
			known |= str_eq(str_of(variables[i]), str_n(name, n));
		if (!known) {
			*ret = str_n(name, n);
			return true;
		}
	}
	return false;
}

static int check_text(const char *key, const char *text, struct err *e)
{
	struct str name;

	if (text && strlen(text) > DNS_CUSTOM_TEXT_MAX)
		return err_set(e, ERR_INVALID, "%s: too long", key);
	if (unknown_variable(text, &name))
		return err_set(e, ERR_INVALID, "%s: there is no variable {%.*s}", key,
			       STR_ARG(name));
	return 0;
}

static int check_headers(const char *text, struct err *e)
{
	while (text && *text) {
		size_t len = strcspn(text, "\n");
		ptrdiff_t colon = str_find(str_n(text, len), ':');

		if (colon < 1 || text[colon + 1] != ' ' || strcspn(text, " \t{") < (size_t)colon)
			return err_set(e, ERR_INVALID, "header: must be \"Name: value\"");
		text += len + (text[len] == '\n');
	}
	return 0;
}

static int check(const struct dns_custom *c, struct err *e)
{
	const struct {
		const char *key, *text;
	} texts[] = {{"url", c->url}, {"body", c->body}, {"header", c->headers}};
	int r = 0;

	if (!c->url || strncmp(c->url, "https://", 8) != 0 || !c->url[8])
		return err_set(e, ERR_INVALID, "url: must begin with https://");
	if (strpbrk(c->url, " \t\r\n\"<>\\"))
		return err_set(e, ERR_INVALID, "url: has a character that cannot stand in one");
	for (size_t i = 0; i < ARRAY_LEN(texts) && r == 0; i++)
		r = check_text(texts[i].key, texts[i].text, e);
	if (r == 0)
		r = check_headers(c->headers, e);
	if (r == 0 && !c->good.n)
		r = err_set(e, ERR_INVALID,
			    "good: what the provider says when it is done is missing");
	if (r == 0 &&
	    MAX(MAX(c->good.n, c->nochg.n), MAX(c->fatal.n, c->retry.n)) > DNS_CUSTOM_PATTERNS_MAX)
		r = err_set(e, ERR_INVALID, "more than %d patterns of one kind",
			    DNS_CUSTOM_PATTERNS_MAX);
	return r;
}

/* ── making ── */

static const char *keep(struct made *m, const char *text, bool *ok)
{
	char *copy = text && *ok ? str_dup(str_of(text)) : NULL;

	if (text && !copy)
		*ok = false;
	if (copy)
		m->texts[m->n_texts++] = copy;
	return copy;
}

static void add_words(struct made *m, const struct dns_patterns *patterns, enum dns_verdict verdict,
		      bool *ok)
{
	for (size_t i = 0; i < patterns->n; i++) {
		struct dns_word *word = &m->words[m->grammar.n_words++];

		word->pattern = keep(m, patterns->at[i], ok);
		word->verdict = verdict;
	}
}

static bool uses(const struct dns_custom *c, const char *variable)
{
	return dns_template_uses(c->url, variable) || dns_template_uses(c->body, variable) ||
	       dns_template_uses(c->headers, variable);
}

/* Which addresses a request of this row carries. False: none. */
static bool set_families(struct dns_provider *row, const struct dns_custom *c)
{
	bool value = uses(c, "value"), ip4 = uses(c, "ip4"), ip6 = uses(c, "ip6");

	if (value && !ip4 && !ip6)
		row->v4 = row->v6 = "";
	else if (ip4 && ip6)
		row->both = "";
	else if (ip4 && !value)
		row->v4 = "";
	else if (ip6 && !value)
		row->v6 = "";
	return row->v4 || row->v6 || row->both;
}

int dns_custom_new(const struct dns_custom *custom, struct dns_provider **ret, struct err *e)
{
	struct made *m;
	bool ok = true;
	int r = check(custom, e);

	if (r < 0)
		return r;
	m = calloc(1, sizeof(*m));
	if (!m)
		return err_set(e, ERR_NOMEM, "template");
	m->grammar =
		(struct dns_grammar){.name = "template", .how = DNS_ANY_LINE, .words = m->words};
	m->row = (struct dns_provider){
		.name = "template",
		.title = "template",
		.url = keep(m, custom->url, &ok),
		.method = keep(m, custom->method, &ok),
		.body = keep(m, custom->body, &ok),
		.header = keep(m, custom->headers, &ok),
		.basic = custom->basic ? "{user}:{pass}" : NULL,
		.grammar = &m->grammar,
		.names = DNS_NAME_ANY,
		.min_interval_s = custom->interval_s,
	};
	add_words(m, &custom->good, DNS_GOOD, &ok);
	add_words(m, &custom->nochg, DNS_NOCHG, &ok);
	add_words(m, &custom->fatal, DNS_REFUSED, &ok);
	add_words(m, &custom->retry, DNS_SERVER, &ok);
	if (!ok)
		r = err_set(e, ERR_NOMEM, "template");
	else if (!set_families(&m->row, custom))
		r = err_set(e, ERR_INVALID,
			    "url: the address is missing: {value}, {ip4}, {ip6}, or both of these");
	if (r < 0) {
		dns_custom_free(&m->row);
		return r;
	}
	*ret = &m->row;
	return 0;
}

void dns_custom_free(struct dns_provider *row)
{
	struct made *m = row ? container_of(row, struct made, row) : NULL;

	for (size_t i = 0; m && i < m->n_texts; i++)
		free(m->texts[i]);
	free(m);
}
