#include "conf/value.h"

#include <stdio.h>

#include "conf/nearest.h"

/* What every type can do; `field` is of the C type that enum conf_type tells. */
struct ops {
	int (*parse)(const struct conf_row *row, void *field, struct str text, struct str dir,
		     struct err *e);
	int (*format)(const struct conf_row *row, const void *field, size_t i, struct buf *out);
	size_t (*count)(const void *field);
	bool (*equal)(const void *a, const void *b);
	void (*init)(void *field);
	void (*done)(void *field);
	const char *shape;
};

static int check(const struct conf_row *row, struct str text, struct err *e)
{
	return row->check ? row->check(text, e) : 0;
}

/* ── text ── */

static void text_init(void *field)
{
	*(char **)field = NULL;
}

static void text_done(void *field)
{
	free(*(char **)field);
}

static size_t text_count(const void *field)
{
	return *(char *const *)field != NULL;
}

static bool text_equal(const void *a, const void *b)
{
	const char *x = *(char *const *)a, *y = *(char *const *)b;

	return x && y ? strcmp(x, y) == 0 : x == y;
}

static int text_format(const struct conf_row *row, const void *field, size_t i, struct buf *out)
{
	return buf_append_str(out, str_of(*(char *const *)field));
}

static int text_set(char **field, char *text, struct err *e)
{
	if (!text)
		return err_set(e, ERR_NOMEM, "out of memory");
	free(*field);
	*field = text;
	return 0;
}

static int string_parse(const struct conf_row *row, void *field, struct str text, struct str dir,
			struct err *e)
{
	int r = check(row, text, e);

	return r < 0 ? r : text_set(field, str_dup(text), e);
}

static int path_parse(const struct conf_row *row, void *field, struct str text, struct str dir,
		      struct err *e)
{
	char *whole = NULL;
	int r = check(row, text, e);

	if (r < 0)
		return r;
	if (text.at[0] == '~')
		return err_set(e, ERR_INVALID, "\"~\" is not expanded here, write the whole path");
	if (text.at[0] == '/')
		dir.len = 0;
	if (asprintf(&whole, "%.*s%.*s", STR_ARG(dir), STR_ARG(text)) < 0)
		whole = NULL;
	return text_set(field, whole, e);
}

/* ── bool ── */

static const struct {
	const char *word;
	bool value;
} bools[] = {{"yes", true},  {"no", false},  {"on", true},
	     {"off", false}, {"true", true}, {"false", false}};

static int bool_parse(const struct conf_row *row, void *field, struct str text, struct str dir,
		      struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(bools); i++)
		if (str_eq_nocase(text, str_of(bools[i].word))) {
			*(bool *)field = bools[i].value;
			return 0;
		}
	return err_set(e, ERR_INVALID, "must be yes or no");
}

static int bool_format(const struct conf_row *row, const void *field, size_t i, struct buf *out)
{
	return buf_append_str(out, *(const bool *)field ? STR("yes") : STR("no"));
}

static size_t bool_count(const void *field)
{
	return 1; /* its row has a preset, so it is never unset */
}

static bool bool_equal(const void *a, const void *b)
{
	return *(const bool *)a == *(const bool *)b;
}

static void bool_init(void *field)
{
	*(bool *)field = false;
}

/* ── numbers ── */

static const struct unit {
	enum conf_type type;
	const char *name;
	const char *text; /* as it is written behind the number */
	int64_t factor;
} units[] = {
	/* the largest of a type first: value_number takes the first that divides */
	{CONF_DURATION, "d", "d", 86400000000},
	{CONF_DURATION, "h", "h", 3600000000},
	{CONF_DURATION, "m", "m", 60000000},
	{CONF_DURATION, "s", "s", 1000000},
	{CONF_DURATION, "ms", "ms", 1000},
	{CONF_DURATION, "us", "us", 1},
	{CONF_SIZE, "GiB", " GiB", 1 << 30},
	{CONF_SIZE, "MiB", " MiB", 1 << 20},
	{CONF_SIZE, "KiB", " KiB", 1 << 10},
	{CONF_SIZE, "", "", 1},
	{CONF_RATE, "GiB/s", " GiB/s", 1 << 30},
	{CONF_RATE, "MiB/s", " MiB/s", 1 << 20},
	{CONF_RATE, "KiB/s", " KiB/s", 1 << 10},
	{CONF_RATE, "Mbit/s", " Mbit/s", 125000},
	{CONF_RATE, "kbit/s", " kbit/s", 125},
	{CONF_RATE, "B/s", " B/s", 1},
	{CONF_INT, "", "", 1},
};

const char *value_number(char text[static VALUE_NUMBER_MAX], enum conf_type type, int64_t n)
{
	snprintf(text, VALUE_NUMBER_MAX, "%lld%s", (long long)n,
		 type == CONF_DURATION && n == 0 ? "s" : "");
	for (size_t i = 0; i < ARRAY_LEN(units) && n; i++)
		if (units[i].type == type && n % units[i].factor == 0) {
			snprintf(text, VALUE_NUMBER_MAX, "%lld%s", (long long)(n / units[i].factor),
				 units[i].text);
			break;
		}
	return text;
}

/* The number, blanks, the unit. False: it is none, or does not fit. */
static bool number_read(enum conf_type type, struct str text, int64_t *ret)
{
	struct str unit;
	uint64_t n;
	size_t digits = 0;

	while (digits < text.len && text.at[digits] >= '0' && text.at[digits] <= '9')
		digits++;
	unit = str_trim(str_n(text.at + digits, text.len - digits));
	for (size_t i = 0; i < ARRAY_LEN(units); i++)
		if (units[i].type == type && str_eq_nocase(unit, str_of(units[i].name))) {
			if (!str_to_u64(str_n(text.at, digits),
					(uint64_t)(INT64_MAX / units[i].factor), &n))
				return false;
			*ret = (int64_t)n * units[i].factor;
			return true;
		}
	return false;
}

/* "must be a time from 1s to 2h, such as 30s" */
static int number_refuse(const struct conf_row *row, struct err *e)
{
	const char *what = row->type == CONF_INT    ? "a number"
			   : row->type == CONF_SIZE ? "a size"
			   : row->type == CONF_RATE ? "a rate"
						    : "a time";
	const char *such = row->type == CONF_INT    ? ""
			   : row->type == CONF_SIZE ? ", such as 64 KiB"
			   : row->type == CONF_RATE ? ", such as 2 MiB/s or 10 Mbit/s"
						    : ", such as 250ms, 30s, 5m or 2h";
	char min[VALUE_NUMBER_MAX], max[VALUE_NUMBER_MAX];

	value_number(min, row->type, row->min);
	value_number(max, row->type, row->max);
	if (row->max)
		return err_set(e, ERR_INVALID, "must be %s from %s to %s%s", what, min, max, such);
	if (row->min)
		return err_set(e, ERR_INVALID, "must be %s of at least %s%s", what, min, such);
	return err_set(e, ERR_INVALID, "must be %s%s", what, such);
}

static int number_parse(const struct conf_row *row, void *field, struct str text, struct str dir,
			struct err *e)
{
	int64_t n;

	if (!number_read(row->type, text, &n) || n < row->min || (row->max && n > row->max))
		return number_refuse(row, e);
	*(int64_t *)field = n;
	return 0;
}

static int number_format(const struct conf_row *row, const void *field, size_t i, struct buf *out)
{
	char text[VALUE_NUMBER_MAX];

	return buf_append_str(out, str_of(value_number(text, row->type, *(const int64_t *)field)));
}

static size_t number_count(const void *field)
{
	return *(const int64_t *)field != CONF_UNSET;
}

static bool number_equal(const void *a, const void *b)
{
	return *(const int64_t *)a == *(const int64_t *)b;
}

static void number_init(void *field)
{
	*(int64_t *)field = CONF_UNSET;
}

/* ── one word of several ── */

static void join_words(char *text, size_t size, const char *const *words, const char *between)
{
	size_t len = 0;

	text[0] = '\0';
	for (size_t i = 0; words[i] && len < size; i++)
		len += (size_t)snprintf(text + len, size - len, "%s%s", i ? between : "", words[i]);
}

static int word_refuse(const struct conf_row *row, struct str text, struct err *e)
{
	struct nearest near = nearest_to(text);
	char hint[NEAREST_HINT_MAX], all[VALUE_SHAPE_MAX];

	for (size_t i = 0; row->words[i]; i++)
		nearest_try(&near, row->words[i]);
	join_words(all, sizeof(all), row->words, ", ");
	return err_set(e, ERR_INVALID, "must be one of %s%s", all, nearest_hint(hint, &near, ""));
}

static int word_parse(const struct conf_row *row, void *field, struct str text, struct str dir,
		      struct err *e)
{
	for (size_t i = 0; row->words[i]; i++)
		if (str_eq(text, str_of(row->words[i]))) {
			*(int64_t *)field = (int64_t)i;
			return 0;
		}
	return word_refuse(row, text, e);
}

static int word_format(const struct conf_row *row, const void *field, size_t i, struct buf *out)
{
	return buf_append_str(out, str_of(row->words[*(const int64_t *)field]));
}

/* ── lists ── */

/* The next word of a list; false: no more. */
static bool next_word(struct str *rest, struct str *ret)
{
	size_t n = 0;

	*rest = str_trim(*rest);
	while (n < rest->len && rest->at[n] != ' ' && rest->at[n] != '\t')
		n++;
	*ret = str_n(rest->at, n);
	*rest = str_n(rest->at + n, rest->len - n);
	return n > 0;
}

/* Room for one more element. */
static int list_grow(void **at, size_t n, size_t element_size, struct err *e)
{
	void *grown;

	if (n >= CONF_WORDS_MAX)
		return err_set(e, ERR_LIMIT, "more than %d words", CONF_WORDS_MAX);
	grown = reallocarray(*at, n + 1, element_size);
	if (!grown)
		return err_set(e, ERR_NOMEM, "out of memory");
	*at = grown;
	return 0;
}

static void words_init(void *field)
{
	*(struct conf_words *)field = (struct conf_words){0};
}

static void words_done(void *field)
{
	struct conf_words *words = field;

	for (size_t i = 0; i < words->n; i++)
		free(words->at[i]);
	free(words->at);
}

static size_t words_count(const void *field)
{
	return ((const struct conf_words *)field)->n;
}

static int words_parse(const struct conf_row *row, void *field, struct str text, struct str dir,
		       struct err *e)
{
	struct conf_words *words = field;
	struct str word;
	int r;

	while (next_word(&text, &word)) {
		r = check(row, word, e);
		if (r < 0)
			return r;
		r = list_grow((void **)&words->at, words->n, sizeof(*words->at), e);
		if (r < 0)
			return r;
		words->at[words->n] = str_dup(word);
		if (!words->at[words->n])
			return err_set(e, ERR_NOMEM, "out of memory");
		words->n++;
	}
	return 0;
}

static int words_format(const struct conf_row *row, const void *field, size_t i, struct buf *out)
{
	return buf_append_str(out, str_of(((const struct conf_words *)field)->at[i]));
}

static bool words_equal(const void *a, const void *b)
{
	const struct conf_words *x = a, *y = b;

	if (x->n != y->n)
		return false;
	for (size_t i = 0; i < x->n; i++)
		if (strcmp(x->at[i], y->at[i]) != 0)
			return false;
	return true;
}

/* ── addresses ── */

static int address_refuse(const struct conf_row *row, struct err *e)
{
	if (row->flags & CONF_LISTEN)
		return err_set(e, ERR_INVALID,
			       "must be a port, or ADDRESS:PORT such as 192.0.2.1:443 or "
			       "[2001:db8::1]:443");
	if (row->flags & CONF_NO_PORT)
		return err_set(e, ERR_INVALID,
			       "must be HOST or HOST:PORT, such as host.example.org or "
			       "[2001:db8::1]:443");
	if (row->port)
		return err_set(e, ERR_INVALID,
			       "must be HOST or HOST:PORT, such as host.example.org:%u or "
			       "[2001:db8::1]:%u",
			       row->port, row->port);
	return err_set(e, ERR_INVALID,
		       "must be HOST:PORT, such as host.example.org:443 or [2001:db8::1]:443");
}

/* "443", ":443", "*:443", "ADDRESS:0": what only a listener may say. False: none of them. */
static bool listen_read(struct str text, struct conf_address *a)
{
	struct str host = text;
	uint64_t port;

	while (host.len && host.at[host.len - 1] != ':')
		host.len--;
	if (!str_to_u64(str_n(text.at + host.len, text.len - host.len), 65535, &port))
		return false;
	if (host.len)
		host.len--;
	if (host.len == 0 || str_eq(host, STR("*"))) {
		*a = (struct conf_address){.set = true, .port = (uint16_t)port};
		return true;
	}
	if (port || authority_parse(host, a->host, &a->port) < 0 || a->port)
		return false;
	a->set = true;
	return true;
}

/* "[::1]" as authority_parse gives it becomes "::1". */
static void unbracket(char *host)
{
	size_t len = strlen(host);

	if (host[0] != '[')
		return;
	memmove(host, host + 1, len - 2);
	host[len - 2] = '\0';
}

static int address_read(const struct conf_row *row, struct str text, struct conf_address *ret,
			struct err *e)
{
	struct conf_address a = {.set = true};
	bool listens = row->flags & CONF_LISTEN;

	if (!(listens && listen_read(text, &a))) {
		if (authority_parse(text, a.host, &a.port) < 0)
			return address_refuse(row, e);
		if (a.port == 0)
			a.port = row->port;
		if (a.port == 0 && !(row->flags & CONF_NO_PORT))
			return address_refuse(row, e);
	}
	unbracket(a.host);
	*ret = a;
	return check(row, text, e);
}

static int address_parse(const struct conf_row *row, void *field, struct str text, struct str dir,
			 struct err *e)
{
	return address_read(row, text, field, e);
}

static int address_write(const struct conf_row *row, const struct conf_address *a, struct buf *out)
{
	const char *host = a->host[0] ? a->host : "*";

	if (a->port == 0 && row->flags & CONF_NO_PORT)
		return buf_printf(out, strchr(host, ':') ? "[%s]" : "%s", host);
	return buf_printf(out, strchr(host, ':') ? "[%s]:%u" : "%s:%u", host, a->port);
}

static int address_format(const struct conf_row *row, const void *field, size_t i, struct buf *out)
{
	return address_write(row, field, out);
}

static size_t address_count(const void *field)
{
	return ((const struct conf_address *)field)->set;
}

static bool address_equal(const void *a, const void *b)
{
	const struct conf_address *x = a, *y = b;

	return x->set == y->set && x->port == y->port && strcmp(x->host, y->host) == 0;
}

static void address_init(void *field)
{
	*(struct conf_address *)field = (struct conf_address){0};
}

static int addresses_parse(const struct conf_row *row, void *field, struct str text, struct str dir,
			   struct err *e)
{
	struct conf_addresses *list = field;
	struct conf_address address;
	struct str word;
	int r;

	while (next_word(&text, &word)) {
		r = address_read(row, word, &address, e);
		if (r < 0)
			return r;
		r = list_grow((void **)&list->at, list->n, sizeof(*list->at), e);
		if (r < 0)
			return r;
		list->at[list->n++] = address;
	}
	return 0;
}

static int addresses_format(const struct conf_row *row, const void *field, size_t i,
			    struct buf *out)
{
	return address_write(row, &((const struct conf_addresses *)field)->at[i], out);
}

static size_t addresses_count(const void *field)
{
	return ((const struct conf_addresses *)field)->n;
}

static bool addresses_equal(const void *a, const void *b)
{
	const struct conf_addresses *x = a, *y = b;

	if (x->n != y->n)
		return false;
	for (size_t i = 0; i < x->n; i++)
		if (!address_equal(&x->at[i], &y->at[i]))
			return false;
	return true;
}

static void addresses_init(void *field)
{
	*(struct conf_addresses *)field = (struct conf_addresses){0};
}

static void addresses_done(void *field)
{
	free(((struct conf_addresses *)field)->at);
}

/* ── all of them ── */

#define TEXT_OPS(parse_fn, shape_text)                                                             \
	{                                                                                          \
		parse_fn, text_format, text_count, text_equal, text_init, text_done, shape_text    \
	}
#define NUMBER_OPS(parse_fn, format_fn, shape_text)                                                \
	{                                                                                          \
		parse_fn, format_fn, number_count, number_equal, number_init, NULL, shape_text     \
	}

static const struct ops all_ops[] = {
	[CONF_STRING] = TEXT_OPS(string_parse, "TEXT"),
	[CONF_PATH] = TEXT_OPS(path_parse, "PATH"),
	[CONF_SECRET_FILE] = TEXT_OPS(path_parse, "FILE"),
	[CONF_BOOL] = {bool_parse, bool_format, bool_count, bool_equal, bool_init, NULL, "yes|no"},
	[CONF_INT] = NUMBER_OPS(number_parse, number_format, "NUMBER"),
	[CONF_SIZE] = NUMBER_OPS(number_parse, number_format, "SIZE"),
	[CONF_DURATION] = NUMBER_OPS(number_parse, number_format, "TIME"),
	[CONF_RATE] = NUMBER_OPS(number_parse, number_format, "RATE"),
	[CONF_WORD] = NUMBER_OPS(word_parse, word_format, NULL),
	[CONF_WORDS] = {words_parse, words_format, words_count, words_equal, words_init, words_done,
			"WORD ..."},
	[CONF_ADDRESS] = {address_parse, address_format, address_count, address_equal, address_init,
			  NULL, "HOST:PORT"},
	[CONF_ADDRESSES] = {addresses_parse, addresses_format, addresses_count, addresses_equal,
			    addresses_init, addresses_done, "HOST:PORT ..."},
};

void value_init(const struct conf_row *row, void *field)
{
	all_ops[row->type].init(field);
}

void value_done(const struct conf_row *row, void *field)
{
	if (all_ops[row->type].done)
		all_ops[row->type].done(field);
	value_init(row, field);
}

int value_parse(const struct conf_row *row, void *field, struct str text, struct str dir,
		struct err *e)
{
	return all_ops[row->type].parse(row, field, text, dir, e);
}

bool value_is_set(const struct conf_row *row, const void *field)
{
	return value_count(row, field) > 0;
}

bool value_equal(const struct conf_row *row, const void *a, const void *b)
{
	return all_ops[row->type].equal(a, b);
}

size_t value_count(const struct conf_row *row, const void *field)
{
	return all_ops[row->type].count(field);
}

int value_format(const struct conf_row *row, const void *field, size_t i, struct buf *out)
{
	return all_ops[row->type].format(row, field, i, out);
}

const char *value_shape(char text[static VALUE_SHAPE_MAX], const struct conf_row *row)
{
	if (row->shape)
		snprintf(text, VALUE_SHAPE_MAX, "%s", row->shape);
	else if (row->type == CONF_WORD)
		join_words(text, VALUE_SHAPE_MAX, row->words, "|");
	else if (row->flags & CONF_LISTEN)
		snprintf(text, VALUE_SHAPE_MAX, "[ADDRESS:]PORT%s",
			 row->type == CONF_ADDRESSES ? " ..." : "");
	else
		snprintf(text, VALUE_SHAPE_MAX, "%s", all_ops[row->type].shape);
	return text;
}
