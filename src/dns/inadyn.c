#include "dns/inadyn.h"

#include <string.h>

static void skip(struct inadyn_lexer *l, size_t n)
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
static bool skip_blanks(struct inadyn_lexer *l)
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

/* A number in a base, of at most `max` digits, at the start of s. Returns how many it has. */
static size_t digits(struct str s, int base, size_t max, char *ret)
{
	unsigned n = 0;
	size_t i = 0;

	for (; i < s.len && i < max; i++) {
		int digit = str_hex_digit(s.at[i]);

		if (digit < 0 || digit >= base)
			break;
		n = n * (unsigned)base + (unsigned)digit;
	}
	*ret = (char)n;
	return i;
}

/* What follows a "\" in double quotes: "n", "x41", "101", or what stands for itself. Returns its length. */
static size_t escape(struct str s, char *ret)
{
	static const char letters[] = "abefnrtv", meanings[] = "\a\b\033\f\n\r\t\v";
	const char *letter = strchr(letters, s.at[0]);
	size_t n;

	if (s.at[0] == 'x' && (n = digits(str_n(s.at + 1, s.len - 1), 16, 2, ret)) > 0)
		return n + 1;
	if ((n = digits(s, 8, 3, ret)) > 0)
		return n;
	*ret = letter && *letter ? meanings[letter - letters] : s.at[0];
	return 1;
}

/* Between quotes. In both "\" at the end of a line takes the line's end away; in single ones it escapes
 * itself and the quote only. */
static enum inadyn_token quoted(struct inadyn_lexer *l)
{
	char quote = l->rest.at[0];
	size_t n = 0, i = 1;

	while (i < l->rest.len && l->rest.at[i] != quote) {
		struct str rest = str_n(l->rest.at + i, l->rest.len - i);
		char c = rest.at[0];
		size_t len = 1;

		if (quote == '"' && str_starts(rest, STR("${")))
			l->has_variable = true;
		if (c == '\\' && rest.len > 1) {
			rest = str_n(rest.at + 1, rest.len - 1);
			if (rest.at[0] == '\n') {
				i += 2;
				continue;
			}
			if (quote == '"')
				len += escape(rest, &c);
			else if (rest.at[0] == '\\' || rest.at[0] == quote)
				c = rest.at[len++ - 1];
		}
		if (n + 1 >= sizeof(l->text) || c == '\0')
			return INADYN_BROKEN;
		l->text[n++] = c;
		i += len;
	}
	if (i >= l->rest.len)
		return INADYN_BROKEN;
	l->text[n] = '\0';
	skip(l, i + 1);
	return INADYN_STRING;
}

/* Up to a blank, a mark or a comment. */
static enum inadyn_token bare(struct inadyn_lexer *l)
{
	size_t n = 0;

	while (n < l->rest.len && l->rest.at[n] && !strchr(" \t\r\n={}(),\"'#", l->rest.at[n]) &&
	       !str_starts(str_n(l->rest.at + n, l->rest.len - n), STR("+=")))
		n++;
	if (n == 0 || !str_copy(l->text, sizeof(l->text), str_n(l->rest.at, n)))
		return INADYN_BROKEN;
	l->has_variable = strstr(l->text, "${") != NULL;
	skip(l, n);
	return INADYN_WORD;
}

enum inadyn_token inadyn_next(struct inadyn_lexer *l)
{
	static const char marks[] = "={},()";
	static const enum inadyn_token tokens[] = {INADYN_EQUAL,      INADYN_OPEN,
						   INADYN_CLOSE,      INADYN_COMMA,
						   INADYN_OPEN_ROUND, INADYN_CLOSE_ROUND};
	const char *mark;

	l->has_variable = false;
	l->text[0] = '\0';
	if (!skip_blanks(l))
		return l->token = INADYN_BROKEN;
	if (!l->rest.len)
		return l->token = INADYN_END;
	if (str_starts(l->rest, STR("+="))) {
		skip(l, 2);
		return l->token = INADYN_APPEND;
	}
	mark = l->rest.at[0] ? strchr(marks, l->rest.at[0]) : NULL;
	if (mark) {
		skip(l, 1);
		return l->token = tokens[mark - marks];
	}
	if (l->rest.at[0] == '"' || l->rest.at[0] == '\'')
		return l->token = quoted(l);
	return l->token = bare(l);
}

void inadyn_open(struct inadyn_lexer *l, struct str text)
{
	l->rest = text;
	l->line = 1;
}
