/* What the tables can write: the effective configuration, and the man page. */
#include "conf/conf.h"
#include "conf/value.h"
#include "conf/writer.h"

/* ── the effective configuration ── */

static void dump_value(struct writer *w, const struct conf_row *row, const void *field, size_t i)
{
	if (row->flags & CONF_SECRET)
		writer_printf(w, " (hidden)");
	else if (w->r == 0) {
		writer_printf(w, " ");
		w->r = w->r < 0 ? w->r : value_format(row, field, i, w->out);
	}
}

/* "key = value", a line for each word of a list that may stand on several. */
static void dump_row(struct writer *w, const struct conf_row *row, const void *field,
		     const char *prefix)
{
	size_t n = value_count(row, field);
	bool line_each = row->flags & CONF_REPEAT;

	if (n == 0)
		writer_printf(w, "# unset: %s\n", row->key);
	for (size_t i = 0; i < n; i++) {
		if (i == 0 || line_each)
			writer_printf(w, "%s%s =", prefix, row->key);
		dump_value(w, row, field, i);
		if (i + 1 == n || line_each)
			writer_printf(w, "\n");
	}
}

static void dump_section(struct writer *w, const struct conf_kind *kind,
			 const struct conf_head *section)
{
	if (buf_len(w->out))
		writer_printf(w, "\n");
	writer_printf(w, "%s[%s%s%s]\n", section->line ? "" : "# default: ", kind->name,
		      section->name ? " " : "", section->name ? section->name : "");
	for (size_t i = 0; i < kind->n_rows; i++)
		dump_row(w, &kind->rows[i], (const char *)section + kind->rows[i].offset,
			 section->lines[i] ? "" : "# default: ");
}

int conf_dump(const struct conf_schema *schema, const void *config, struct buf *out)
{
	struct writer w = {.out = out};

	for (size_t i = 0; i < schema->n_kinds; i++) {
		const struct conf_kind *kind = &schema->kinds[i];
		const void *at = (const char *)config + kind->offset;
		const struct list *sections = at;
		const struct conf_head *section;

		if (!kind->named_size) {
			dump_section(&w, kind, at);
			continue;
		}
		list_for_each (section, sections, list)
			dump_section(&w, kind, section);
	}
	return w.r;
}

/* ── the man page ── */

/* The range of a number, the default, and what else the row tells. */
static void man_facts(struct writer *w, const struct conf_row *row)
{
	char min[VALUE_NUMBER_MAX], max[VALUE_NUMBER_MAX];

	if (row->max)
		writer_printf(w, "From %s to %s.\n", value_number(min, row->type, row->min),
			      value_number(max, row->type, row->max));
	if (row->port)
		writer_printf(w, "The port is %u unless given.\n", row->port);
	if (row->flags & CONF_REPEAT)
		writer_printf(w, "May be repeated.\n");
	if (row->flags & CONF_REQUIRED)
		writer_printf(w, "Required.\n");
	if (!row->preset)
		return;
	writer_printf(w, "Default: ");
	writer_roff(w, row->preset);
	writer_printf(w, ".\n");
}

static void man_row(struct writer *w, const struct conf_row *row)
{
	char shape[VALUE_SHAPE_MAX];

	writer_printf(w, ".TP\n\\fB");
	writer_roff(w, row->key);
	writer_printf(w, "\\fR = \\fI");
	writer_roff(w, value_shape(shape, row));
	writer_printf(w, "\\fR\n");
	writer_roff(w, row->help);
	writer_printf(w, "\n");
	man_facts(w, row);
}

int conf_write_man(const struct conf_schema *schema, struct buf *out)
{
	struct writer w = {.out = out};

	for (size_t i = 0; i < schema->n_kinds; i++) {
		const struct conf_kind *kind = &schema->kinds[i];

		writer_printf(&w, ".SS \"[%s%s]\"\n", kind->name, kind->named_size ? " NAME" : "");
		writer_roff(&w, kind->help);
		writer_printf(&w, "\n");
		for (size_t j = 0; j < kind->n_rows; j++)
			man_row(&w, &kind->rows[j]);
	}
	return w.r;
}
