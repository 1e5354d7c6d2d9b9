#include "conf/conf.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "base/cidr.h"
#include "base/log.h"
#include "conf/ini.h"
#include "conf/nearest.h"
#include "conf/value.h"

#define SECTION_TEXT_MAX (CONF_NAME_MAX + 40)

/* One reading of one text. */
struct reader {
	const struct conf_schema *schema;
	void *config;
	const char *file;
	struct str dir;		      /* of the file, with "/" at the end, or empty */
	const struct conf_kind *kind; /* where the lines belong; NULL before the first section */
	struct conf_head *section;
};

static void *field_of(const struct conf_row *row, struct conf_head *section)
{
	return (char *)section + row->offset;
}

static const void *field_of_const(const struct conf_row *row, const struct conf_head *section)
{
	return (const char *)section + row->offset;
}

static struct list *list_of(const struct conf_kind *kind, void *config)
{
	return (struct list *)((char *)config + kind->offset);
}

static struct conf_head *singleton_of(const struct conf_kind *kind, void *config)
{
	return (struct conf_head *)((char *)config + kind->offset);
}

/* "[gateway]", "[service blog]" */
static const char *section_text(char text[static SECTION_TEXT_MAX], const struct conf_kind *kind,
				const struct conf_head *section)
{
	snprintf(text, SECTION_TEXT_MAX, section->name ? "[%.32s %s]" : "[%.32s]", kind->name,
		 section->name);
	return text;
}

/* ── sections ── */

static int section_init(const struct conf_kind *kind, struct conf_head *section, struct err *e)
{
	assert(kind->n_rows <= CONF_ROWS_MAX);
	*section = (struct conf_head){0};
	list_init(&section->list);
	for (size_t i = 0; i < kind->n_rows; i++)
		value_init(&kind->rows[i], field_of(&kind->rows[i], section));
	for (size_t i = 0; i < kind->n_rows; i++) {
		const struct conf_row *row = &kind->rows[i];
		int r;

		assert(row->preset || row->type != CONF_BOOL);
		if (!row->preset)
			continue;
		r = value_parse(row, field_of(row, section), str_of(row->preset), STR(""), e);
		assert(r == 0 || r == -ERR_NOMEM); /* a preset fits its own row */
		if (r < 0)
			return r;
	}
	return 0;
}

static void section_done(const struct conf_kind *kind, struct conf_head *section)
{
	for (size_t i = 0; i < kind->n_rows; i++)
		value_done(&kind->rows[i], field_of(&kind->rows[i], section));
	free(section->name);
	section->name = NULL;
}

static void named_free(const struct conf_kind *kind, struct conf_head *section)
{
	list_remove(&section->list);
	section_done(kind, section);
	free(section);
}

static int named_new(const struct conf_kind *kind, struct str name, struct conf_head **ret,
		     struct err *e)
{
	struct conf_head *section = calloc(1, kind->named_size);
	int r;

	if (!section)
		return err_set(e, ERR_NOMEM, "out of memory");
	r = section_init(kind, section, e);
	section->name = str_dup(name);
	if (r < 0 || !section->name) {
		named_free(kind, section);
		return err_set(e, ERR_NOMEM, "out of memory");
	}
	*ret = section;
	return 0;
}

/* Empty lists and unset values everywhere: from here on conf_done is safe. */
static void clear(const struct conf_schema *schema, void *config)
{
	for (size_t i = 0; i < schema->n_kinds; i++) {
		const struct conf_kind *kind = &schema->kinds[i];

		if (kind->named_size) {
			list_init(list_of(kind, config));
			continue;
		}
		*singleton_of(kind, config) = (struct conf_head){0};
		for (size_t j = 0; j < kind->n_rows; j++)
			value_init(&kind->rows[j],
				   field_of(&kind->rows[j], singleton_of(kind, config)));
	}
}

int conf_init(const struct conf_schema *schema, void *config, struct err *e)
{
	int r = 0;

	clear(schema, config);
	for (size_t i = 0; i < schema->n_kinds && r == 0; i++)
		if (!schema->kinds[i].named_size)
			r = section_init(&schema->kinds[i], singleton_of(&schema->kinds[i], config),
					 e);
	if (r < 0)
		conf_done(schema, config);
	return r;
}

void conf_done(const struct conf_schema *schema, void *config)
{
	for (size_t i = 0; i < schema->n_kinds; i++) {
		const struct conf_kind *kind = &schema->kinds[i];
		struct conf_head *section, *next;

		if (!kind->named_size) {
			section_done(kind, singleton_of(kind, config));
			continue;
		}
		list_for_each_safe (section, next, list_of(kind, config), list)
			named_free(kind, section);
	}
}

/* ── reading: sections ── */

static const struct conf_kind *find_kind(const struct conf_schema *schema, struct str name)
{
	for (size_t i = 0; i < schema->n_kinds; i++)
		if (str_eq(name, str_of(schema->kinds[i].name)))
			return &schema->kinds[i];
	return NULL;
}

static int unknown_section(const struct reader *reader, struct str name, struct err *e)
{
	struct nearest near = nearest_to(name);
	char text[LOG_TEXT_MAX], hint[NEAREST_HINT_MAX];

	for (size_t i = 0; i < reader->schema->n_kinds; i++)
		nearest_try(&near, reader->schema->kinds[i].name);
	return err_set(e, ERR_INVALID, "unknown section [%s]%s", log_text(text, name),
		       nearest_hint(hint, &near, ""));
}

/* Names appear in commands and messages: no blanks, nothing to quote. */
static bool section_name_valid(struct str name)
{
	for (size_t i = 0; i < name.len; i++) {
		char c = str_lower(name.at[i]);

		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && !strchr("-_.", c))
			return false;
	}
	return name.len > 0 && name.len < CONF_NAME_MAX;
}

static struct conf_head *find_named(const struct conf_kind *kind, void *config, struct str name,
				    size_t *ret_n)
{
	struct conf_head *section;

	*ret_n = 0;
	list_for_each (section, list_of(kind, config), list) {
		if (str_eq(name, str_of(section->name)))
			return section;
		++*ret_n;
	}
	return NULL;
}

static int twice(const struct conf_kind *kind, const struct conf_head *section, struct err *e)
{
	char text[SECTION_TEXT_MAX];

	return err_set(e, ERR_INVALID, "%s given twice; the first is at line %u",
		       section_text(text, kind, section), section->line);
}

static int open_named(struct reader *reader, const struct ini_item *item, struct err *e)
{
	const struct conf_kind *kind = reader->kind;
	struct conf_head *section;
	size_t n;
	int r;

	if (item->value.len == 0)
		return err_set(e, ERR_INVALID, "[%s] needs a name, as in [%s blog]", kind->name,
			       kind->name);
	if (!section_name_valid(item->value))
		return err_set(e, ERR_INVALID,
			       "the name of a [%s] has letters, digits, \"-\", \"_\" and \".\", at "
			       "most %d",
			       kind->name, CONF_NAME_MAX - 1);
	section = find_named(kind, reader->config, item->value, &n);
	if (section)
		return twice(kind, section, e);
	if (n >= CONF_SECTIONS_MAX)
		return err_set(e, ERR_LIMIT, "more than %d sections [%s]", CONF_SECTIONS_MAX,
			       kind->name);
	r = named_new(kind, item->value, &section, e);
	if (r < 0)
		return r;
	list_push(list_of(kind, reader->config), &section->list);
	reader->section = section;
	return 0;
}

static int open_section(struct reader *reader, const struct ini_item *item, struct err *e)
{
	const struct conf_kind *kind = find_kind(reader->schema, item->key);
	int r = 0;

	if (!kind)
		return unknown_section(reader, item->key, e);
	reader->kind = kind;
	if (kind->named_size) {
		r = open_named(reader, item, e);
	} else {
		reader->section = singleton_of(kind, reader->config);
		if (item->value.len)
			return err_set(e, ERR_INVALID, "[%s] takes no name", kind->name);
		if (reader->section->line)
			return twice(kind, reader->section, e);
	}
	if (r == 0)
		reader->section->line = item->line;
	return r;
}

/* ── reading: keys ── */

static int unknown_key(const struct reader *reader, struct str key, struct err *e)
{
	struct nearest near = nearest_to(key);
	char text[LOG_TEXT_MAX], hint[NEAREST_HINT_MAX];

	for (size_t i = 0; i < reader->kind->n_rows; i++)
		nearest_try(&near, reader->kind->rows[i].key);
	return err_set(e, ERR_INVALID, "unknown key \"%s\" in [%s]%s", log_text(text, key),
		       reader->kind->name, nearest_hint(hint, &near, ""));
}

static int set_value(struct reader *reader, const struct conf_row *row, const struct ini_item *item,
		     struct err *e)
{
	unsigned *line = &reader->section->lines[row - reader->kind->rows];
	void *field = field_of(row, reader->section);
	char shown[LOG_TEXT_MAX];
	int r;

	if (item->value.len == 0)
		return err_set(e, ERR_INVALID, "%s needs a value", row->key);
	if (*line && !(row->flags & CONF_REPEAT))
		return err_set(e, ERR_INVALID, "%s given twice in [%s]; the first is at line %u",
			       row->key, reader->kind->name, *line);
	if (!*line)
		value_done(row, field); /* the preset */
	*line = item->line;
	r = value_parse(row, field, item->value, reader->dir, e);
	if (r < 0 && row->flags & (CONF_SECRET | CONF_BY_MISTAKE))
		return err_wrap(e, r, "%s", row->key);
	if (r < 0)
		return err_wrap(e, r, "%s = %s", row->key, log_text(shown, item->value));
	return 0;
}

static int read_pair(struct reader *reader, const struct ini_item *item, struct err *e)
{
	char text[LOG_TEXT_MAX];

	if (!reader->kind)
		return err_set(e, ERR_INVALID, "\"%s\" stands before the first [section]",
			       log_text(text, item->key));
	for (size_t i = 0; i < reader->kind->n_rows; i++)
		if (str_eq(item->key, str_of(reader->kind->rows[i].key)))
			return set_value(reader, &reader->kind->rows[i], item, e);
	return unknown_key(reader, item->key, e);
}

/* ── reading: the whole ── */

static int check_section(const struct reader *reader, const struct conf_kind *kind,
			 const struct conf_head *section, struct err *e)
{
	char text[SECTION_TEXT_MAX];

	if (!section->line && kind->flags & CONF_REQUIRED)
		return err_set(e, ERR_INVALID, "%s: section [%s] is missing", reader->file,
			       kind->name);
	for (size_t i = 0; i < kind->n_rows && section->line; i++)
		if (kind->rows[i].flags & CONF_REQUIRED && !section->lines[i])
			return err_set(e, ERR_INVALID, "%s:%u: %s needs \"%s\"", reader->file,
				       section->line, section_text(text, kind, section),
				       kind->rows[i].key);
	return 0;
}

/* What must be there, is. */
static int check_required(struct reader *reader, struct err *e)
{
	for (size_t i = 0; i < reader->schema->n_kinds; i++) {
		const struct conf_kind *kind = &reader->schema->kinds[i];
		struct list *sections = list_of(kind, reader->config);
		struct conf_head *section;
		int r = 0;

		if (!kind->named_size)
			r = check_section(reader, kind, singleton_of(kind, reader->config), e);
		else if (kind->flags & CONF_REQUIRED && list_empty(sections))
			r = err_set(e, ERR_INVALID, "%s: not one section [%s NAME]", reader->file,
				    kind->name);
		else
			list_for_each (section, sections, list) {
				r = check_section(reader, kind, section, e);
				if (r < 0)
					break;
			}
		if (r < 0)
			return r;
	}
	return 0;
}

static int read_items(struct reader *reader, struct str text, struct err *e)
{
	struct ini ini = ini_over(text);
	struct ini_item item;
	int r;

	while ((r = ini_next(&ini, &item, e)) > 0) {
		r = item.kind == INI_SECTION ? open_section(reader, &item, e)
					     : read_pair(reader, &item, e);
		if (r < 0)
			break;
	}
	if (r < 0)
		return err_wrap(e, r, "%s:%u", reader->file, ini.line);
	return check_required(reader, e);
}

int conf_read_text(const struct conf_schema *schema, void *config, const char *file,
		   struct str text, struct err *e)
{
	const char *slash = strrchr(file, '/');
	struct reader reader = {
		.schema = schema,
		.config = config,
		.file = file,
		.dir = str_n(file, slash ? (size_t)(slash + 1 - file) : 0),
	};
	int r;

	r = conf_init(schema, config, e);
	if (r < 0)
		return r;
	r = read_items(&reader, text, e);
	if (r < 0)
		conf_done(schema, config);
	return r;
}

static int file_error(const char *path, struct err *e)
{
	int code = errno == ENOENT		       ? ERR_NOT_FOUND
		   : errno == EACCES || errno == EPERM ? ERR_DENIED
						       : ERR_FAILED;

	return err_set_errno(e, code, "%s", path);
}

static int read_file(const char *path, struct buf *text, struct err *e)
{
	AUTO(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	ssize_t n;

	if (fd < 0)
		return file_error(path, e);
	for (;;) {
		uint8_t *room;

		if (buf_len(text) > CONF_FILE_MAX)
			return err_set(e, ERR_LIMIT, "%s: larger than %zu bytes", path,
				       CONF_FILE_MAX);
		room = buf_reserve(text, 16384);
		if (!room)
			return err_set(e, ERR_NOMEM, "%s: out of memory", path);
		n = read(fd, room, 16384);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return file_error(path, e);
		if (n == 0)
			return 0;
		buf_commit(text, (size_t)n);
	}
}

int conf_read_file(const struct conf_schema *schema, void *config, const char *path, struct err *e)
{
	AUTO(buf_donep) struct buf text = {0};
	int r;

	clear(schema, config); /* so that conf_done is harmless whatever fails */
	r = read_file(path, &text, e);
	if (r < 0)
		return r;
	return conf_read_text(schema, config, path, buf_str(&text), e);
}

/* ── afterwards ── */

unsigned conf_line(const struct conf_kind *kind, const struct conf_head *section, const char *key)
{
	for (size_t i = 0; i < kind->n_rows; i++)
		if (strcmp(kind->rows[i].key, key) == 0)
			return section->lines[i];
	assert(!"a key of this kind");
	return 0;
}

const struct conf_kind *conf_kind(const struct conf_schema *schema, const char *name)
{
	return find_kind(schema, str_of(name));
}

bool conf_section_equal(const struct conf_kind *kind, const struct conf_head *a,
			const struct conf_head *b)
{
	if (a->name && b->name ? strcmp(a->name, b->name) != 0 : a->name != b->name)
		return false;
	for (size_t i = 0; i < kind->n_rows; i++)
		if (!value_equal(&kind->rows[i], field_of_const(&kind->rows[i], a),
				 field_of_const(&kind->rows[i], b)))
			return false;
	return true;
}

int conf_check_cidr(struct str value, struct err *e)
{
	struct cidr cidr;

	return cidr_parse(value, &cidr, e);
}

int conf_check_hostname(struct str value, struct err *e)
{
	return hostname_valid(value) ? 0 : err_set(e, ERR_INVALID, "not a host name");
}
