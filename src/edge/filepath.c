#include "edge/filepath.h"

#include "base/buf.h"

/* The next byte of a segment, decoded. */
static int next_byte(struct str *rest, char *ret, struct err *e)
{
	int high, low;

	*ret = rest->at[0];
	if (*ret != '%') {
		*rest = str_n(rest->at + 1, rest->len - 1);
		return *ret ? 0 : err_set(e, ERR_INVALID, "NUL in the path");
	}
	high = rest->len >= 3 ? str_hex_digit(rest->at[1]) : -1;
	low = rest->len >= 3 ? str_hex_digit(rest->at[2]) : -1;
	if (high < 0 || low < 0)
		return err_set(e, ERR_INVALID, "bad percent-encoding");
	*ret = (char)(high << 4 | low);
	*rest = str_n(rest->at + 3, rest->len - 3);
	if (*ret == 0)
		return err_set(e, ERR_INVALID, "encoded NUL in the path");
	if (*ret == '/')
		return err_set(e, ERR_NOT_FOUND, "encoded slash in a name");
	return 0;
}

/* top: right below the shared folder. */
static bool not_shown(struct str name, bool top)
{
	return edge_filepath_hidden(name) && !(top && str_eq(name, STR(".well-known")));
}

bool edge_filepath_below_hidden(struct str path)
{
	bool top = true;

	while (path.len > 0) {
		struct str name = str_split(&path, '/');

		if (not_shown(name, top))
			return true;
		top = top && name.len == 0;
	}
	return false;
}

/* One segment behind what is there. */
static int add_segment(struct edge_filepath *path, struct str segment, struct err *e)
{
	size_t start;
	struct str name;

	if (path->len > 0)
		path->text[path->len++] = '/';
	start = path->len;
	while (segment.len > 0) {
		int r;

		if (path->len + 2 >= sizeof(path->text)) /* a slash and the NUL */
			return err_set(e, ERR_LIMIT, "path too long");
		r = next_byte(&segment, &path->text[path->len], e);
		if (r < 0)
			return r;
		path->len++;
	}
	name = str_n(path->text + start, path->len - start);
	if (not_shown(name, start == 0))
		return err_set(e, ERR_NOT_FOUND, "hidden name");
	return 0;
}

int edge_filepath_decode(struct str path, struct edge_filepath *ret, struct err *e)
{
	struct str rest = str_split(&path, '?');

	ret->len = 0;
	if (rest.len == 0 || rest.at[0] != '/')
		return err_set(e, ERR_INVALID, "path without a slash");
	ret->folder = rest.at[rest.len - 1] == '/';
	while (rest.len > 0) {
		struct str segment = str_split(&rest, '/');
		int r = segment.len > 0 ? add_segment(ret, segment, e) : 0;

		if (r < 0)
			return r;
	}
	ret->text[ret->len] = 0;
	return 0;
}

int edge_filepath_encode(struct buf *to, struct str name)
{
	static const char digits[] = "0123456789ABCDEF";

	for (size_t i = 0; i < name.len; i++) {
		unsigned char c = (unsigned char)name.at[i],
			      low = (unsigned char)str_lower((char)c);
		char encoded[3] = {'%', digits[c >> 4], digits[c & 15]};
		bool plain = (low >= 'a' && low <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
			     c == '.' || c == '_' || c == '~';
		int r = plain ? buf_append(to, &c, 1) : buf_append(to, encoded, 3);

		if (r < 0)
			return r;
	}
	return 0;
}
