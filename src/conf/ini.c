#include "conf/ini.h"

struct ini ini_over(struct str text)
{
	const struct str mark = STR("\xef\xbb\xbf");

	if (str_starts(text, mark))
		text = str_n(text.at + mark.len, text.len - mark.len);
	return (struct ini){.rest = text};
}

/* The next line without its end. False: no more. */
static bool next_line(struct ini *ini, struct str *ret)
{
	if (ini->rest.len == 0)
		return false;
	*ret = str_split(&ini->rest, '\n');
	if (ret->len && ret->at[ret->len - 1] == '\r')
		ret->len--;
	ini->line++;
	return true;
}

static int check_line(struct str line, struct err *e)
{
	if (line.len > INI_LINE_MAX)
		return err_set(e, ERR_INVALID, "line is longer than %d bytes", INI_LINE_MAX);
	for (size_t i = 0; i < line.len; i++) {
		unsigned char c = (unsigned char)line.at[i];

		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return err_set(e, ERR_INVALID, "control character 0x%02x", c);
	}
	return 0;
}

static bool is_key(struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = str_lower(s.at[i]);

		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && !strchr("-_.", c))
			return false;
	}
	return s.len > 0;
}

/* [kind] or [kind name]; `line` is trimmed and starts with the bracket. */
static int read_section(struct str line, struct ini_item *ret, struct err *e)
{
	struct str rest = str_n(line.at + 1, line.len - 1);
	ptrdiff_t end = str_find(rest, ']');
	size_t n = 0;

	if (end < 0)
		return err_set(e, ERR_INVALID, "\"[\" without \"]\"");
	if ((size_t)end + 1 != rest.len)
		return err_set(e, ERR_INVALID, "text behind \"]\" (a comment has its own line)");
	rest = str_trim(str_n(rest.at, (size_t)end));
	ret->kind = INI_SECTION;
	while (n < rest.len && rest.at[n] != ' ' && rest.at[n] != '\t')
		n++;
	ret->key = str_n(rest.at, n);
	ret->value = str_trim(str_n(rest.at + n, rest.len - n));
	return is_key(ret->key) ? 1 : err_set(e, ERR_INVALID, "bad section name");
}

/* key = value; `line` is trimmed. */
static int read_pair(struct str line, struct ini_item *ret, struct err *e)
{
	struct str rest = line;

	if (str_find(line, '=') < 0)
		return err_set(e, ERR_INVALID, "expected \"key = value\" or \"[section]\"");
	ret->kind = INI_PAIR;
	ret->key = str_trim(str_split(&rest, '='));
	ret->value = str_trim(rest);
	if (!is_key(ret->key))
		return err_set(e, ERR_INVALID, "bad key in front of \"=\"");
	return 1;
}

int ini_next(struct ini *ini, struct ini_item *ret, struct err *e)
{
	struct ini_item item = {0};
	struct str line;
	int r;

	while (next_line(ini, &line)) {
		r = check_line(line, e);
		if (r < 0)
			return r;
		line = str_trim(line);
		if (line.len == 0 || line.at[0] == '#' || line.at[0] == ';')
			continue;
		item.line = ini->line;
		r = line.at[0] == '[' ? read_section(line, &item, e) : read_pair(line, &item, e);
		if (r > 0)
			*ret = item;
		return r;
	}
	return 0;
}
