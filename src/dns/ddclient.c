#include "dns/ddclient.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/secret.h"

#define DUMMY "dummy"

/* ── options ── */

static struct ddclient_option *find(struct ddclient_options *o, struct str name)
{
	for (size_t i = 0; i < o->n; i++)
		if (str_eq(str_of(o->at[i].name), name))
			return &o->at[i];
	return NULL;
}

bool ddclient_set(struct ddclient_options *o, struct str name, struct str value)
{
	struct ddclient_option *at;

	name.len = MIN(name.len, (size_t)DDCLIENT_NAME_MAX - 1); /* ddclient has none that long */
	at = find(o, name);
	if (!at) {
		if (o->n == DDCLIENT_OPTIONS_MAX)
			return false;
		at = &o->at[o->n++];
		str_copy(at->name, sizeof(at->name), name);
	}
	return str_copy(at->value, sizeof(at->value), value);
}

bool ddclient_has(const struct ddclient_options *o, const char *name)
{
	return find((struct ddclient_options *)o, str_of(name)) != NULL;
}

const char *ddclient_get(const struct ddclient_options *o, const char *name)
{
	const struct ddclient_option *at = find((struct ddclient_options *)o, str_of(name));

	return at ? at->value : "";
}

static void clear(struct ddclient_options *o)
{
	secret_wipe(o->at, o->n * sizeof(o->at[0]));
	o->n = 0;
}

/* ── passwords ── */

static bool blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

static struct str behind(struct str s, size_t n)
{
	return str_n(s.at + n, s.len - n);
}

struct password {
	struct str head, key, secret, tail; /* of a physical line */
};

/* The length of "  =  " at the start of s, or 0. */
static size_t equals_len(struct str s)
{
	size_t n = 0;

	while (n < s.len && blank(s.at[n]))
		n++;
	if (n == s.len || s.at[n] != '=')
		return 0;
	n++;
	while (n < s.len && blank(s.at[n]))
		n++;
	return n;
}

/* What stands behind "password=": 'between quotes' up to the last quote of the line, else a word. */
static bool take_secret(struct str s, struct password *ret)
{
	size_t end = 0;

	if (s.len && s.at[0] == '\'') {
		for (end = s.len; end > 1 && s.at[end - 1] != '\''; end--)
			;
		if (end <= 1)
			return false;
		ret->secret = str_n(s.at + 1, end - 2);
	} else {
		while (end < s.len && !blank(s.at[end]))
			end++;
		if (end == 0)
			return false;
		ret->secret = str_n(s.at, end);
	}
	ret->tail = behind(s, end);
	return true;
}

/* An assignment to "...password..." in the word that begins at `start`. */
static bool password_in_word(struct str s, size_t start, struct password *ret)
{
	size_t end = start, at = start, name, n;

	while (end < s.len && !blank(s.at[end]))
		end++;
	while (at < end && !str_starts(str_n(s.at + at, end - at), STR("password")))
		at++;
	if (at == end)
		return false;
	for (name = at; name > start && s.at[name - 1] != ','; name--)
		;
	for (at += strlen("password"); at < end && s.at[at] != '='; at++)
		;
	n = equals_len(behind(s, at));
	ret->head = str_n(s.at, name);
	ret->key = str_n(s.at + name, at - name);
	return n && take_secret(behind(s, at + n), ret);
}

/* The one of the last word that has one, before any "#". */
static bool find_password(struct str s, struct password *ret)
{
	ptrdiff_t hash = str_find(s, '#');
	size_t end = hash < 0 ? s.len : (size_t)hash;

	for (size_t at = end; at-- > 0;)
		if (!blank(s.at[at]) && (at == 0 || blank(s.at[at - 1])) &&
		    password_in_word(s, at, ret) && (size_t)(ret->key.at - s.at) < end)
			return true;
	return false;
}

/* Odd, but what ddclient does. */
static unsigned odd_password(struct str secret)
{
	ptrdiff_t comma = str_find(secret, ',');

	if (comma < 0)
		return 0;
	if (secret.at[secret.len - 1] == ',')
		return DDCLIENT_ODD_COMMA;
	return str_find(behind(secret, (size_t)comma), '=') > 0 ? DDCLIENT_ODD_ASSIGNMENT : 0;
}

/* ── one logical line ── */

static bool is_letter(char c)
{
	c = str_lower(c);
	return c >= 'a' && c <= 'z';
}

/* The name in front of "=", if an assignment begins here; *rest is behind the "=" then. */
static bool assignment(struct str *rest, struct str *ret_name)
{
	struct str s = *rest;
	size_t n = 0;

	while (s.len && (blank(s.at[0]) || s.at[0] == ','))
		s = behind(s, 1);
	while (n < s.len && (is_letter(s.at[n]) || (n && ((s.at[n] >= '0' && s.at[n] <= '9') ||
							  s.at[n] == '_' || s.at[n] == '-'))))
		n++;
	if (n == 0 || n == s.len || s.at[n] != '=')
		return false;
	*ret_name = str_n(s.at, n);
	*rest = behind(s, n + 1);
	return true;
}

/* A value with its quotes and escapes taken off, up to an unquoted blank or comma. False: too long. */
static bool value(struct str *rest, char to[static DDCLIENT_VALUE_MAX], bool *ret_open)
{
	bool escaped = false;
	char quote = 0;
	size_t n = 0;

	for (; rest->len; *rest = behind(*rest, 1)) {
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
		if (n + 1 >= DDCLIENT_VALUE_MAX || c == '\0')
			return false;
		to[n++] = c;
	}
	to[n] = '\0';
	*ret_open = quote != 0;
	return true;
}

static int too_long(const struct ddclient_reader *r, struct err *e)
{
	return err_set(e, ERR_LIMIT, "line %u: too long", r->number);
}

static int read_options(struct ddclient_reader *r, struct str *rest, struct ddclient_line *line,
			struct err *e)
{
	struct str name;

	while (assignment(rest, &name)) {
		char text[DDCLIENT_VALUE_MAX];
		const struct ddclient_option *password = find(&r->passwords, name);
		bool open = false, good = value(rest, text, &open);

		if (good)
			good = ddclient_set(&line->options, name,
					    str_of(password ? password->value : text));
		secret_wipe(text, sizeof(text));
		if (!good)
			return too_long(r, e);
		if (open)
			line->odd |= DDCLIENT_ODD_QUOTE;
	}
	return 0;
}

static struct str word(struct str *rest)
{
	size_t n = 0;

	while (rest->len && blank(rest->at[0]))
		*rest = behind(*rest, 1);
	while (n < rest->len && !blank(rest->at[n]))
		n++;
	*rest = behind(*rest, n);
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

static int read_line(struct ddclient_reader *r, struct ddclient_line *line, struct err *e)
{
	struct str rest = str_n(r->text, r->len);
	size_t start;
	int result = read_options(r, &rest, line, e);

	if (result < 0)
		return result;
	if (line->odd && !line->odd_number)
		line->odd_number = line->number;
	start = (size_t)(rest.at - r->text);
	rest = str_n(r->text + start, tighten(r->text + start, rest.len));
	while (rest.len && (rest.at[0] == ',' || blank(rest.at[0])))
		rest = behind(rest, 1);
	line->hosts = word(&rest);
	line->login = word(&rest);
	line->password = word(&rest);
	return 0;
}

static bool append(struct ddclient_reader *r, struct str s)
{
	if (r->len + s.len >= sizeof(r->text))
		return false;
	if (s.len)
		memcpy(r->text + r->len, s.at, s.len);
	r->len += s.len;
	return true;
}

static struct str without_comment(struct str s)
{
	return str_split(&s, '#');
}

/* Append a physical line without its password and its comment. */
static int take_line(struct ddclient_reader *r, struct str s, struct ddclient_line *line,
		     struct err *e)
{
	struct password p;
	bool good;

	if (find_password(s, &p)) {
		line->odd |= odd_password(p.secret);
		good = ddclient_set(&r->passwords, p.key, p.secret) && append(r, p.head) &&
		       append(r, p.key) && append(r, STR("=" DUMMY)) &&
		       append(r, without_comment(p.tail));
	} else {
		good = append(r, without_comment(s));
	}
	return good ? 0 : too_long(r, e);
}

/* Whether a "\" at its end continues the line; it is taken off then. */
static bool is_continued(struct ddclient_reader *r, struct ddclient_line *line)
{
	size_t n = r->len;

	while (n && blank(r->text[n - 1]))
		n--;
	if (!n || r->text[n - 1] != '\\')
		return false;
	if (n < r->len) {
		line->odd |= DDCLIENT_ODD_BACKSLASH;
		return false;
	}
	r->len--;
	return true;
}

void ddclient_open(struct ddclient_reader *r, struct str text)
{
	r->rest = text;
}

void ddclient_done(struct ddclient_reader *r, struct ddclient_line *line)
{
	secret_wipe(r, sizeof(*r));
	secret_wipe(line, sizeof(*line));
}

/* A logical line into r->text. 1; 0 at the end. */
static int gather(struct ddclient_reader *r, struct ddclient_line *line, struct err *e)
{
	bool continued = true;
	int result = 0;

	line->number = r->number + 1;
	while (continued && r->rest.len) {
		struct str s = str_split(&r->rest, '\n');
		unsigned odd = line->odd;

		r->number++;
		if (s.len && s.at[s.len - 1] == '\r')
			s.len--;
		if (result == 0)
			result = take_line(r, s, line, e);
		continued = is_continued(r, line);
		if (line->odd != odd)
			line->odd_number = r->number;
	}
	if (continued && r->number >= line->number) {
		line->odd |= DDCLIENT_ODD_END;
		line->odd_number = r->number;
	}
	return result < 0 ? result : r->number >= line->number;
}

static bool is_empty(const struct ddclient_line *line)
{
	return !line->odd && line->options.n == 0 && !line->hosts.len;
}

int ddclient_next(struct ddclient_reader *r, struct ddclient_line *ret, struct err *e)
{
	int result;

	do { /* what was not used needs no wiping: a file may have very many lines */
		clear(&ret->options);
		clear(&r->passwords);
		secret_wipe(r->text, r->len);
		r->len = 0;
		ret->number = ret->odd = ret->odd_number = 0;
		result = gather(r, ret, e);
		if (result > 0 && (result = read_line(r, ret, e)) == 0)
			result = 1;
	} while (result > 0 && is_empty(ret));
	return result;
}
