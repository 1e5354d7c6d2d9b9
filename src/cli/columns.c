#include "cli/columns.h"

#include <assert.h>
#include <stdarg.h>

#include "base/log.h"

#define GAP 2

/* Characters, not bytes; wide ones are rare enough here. */
static size_t width(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

static size_t count(va_list ap)
{
	size_t n = 0;

	while (va_arg(ap, const char *))
		n++;
	return n;
}

static bool grow(struct columns *c)
{
	char **cells = reallocarray(c->cells, (c->n_rows + 1) * c->n_columns, sizeof(*cells));

	if (!cells)
		return false;
	c->cells = cells;
	return true;
}

static char *printable(const char *text)
{
	char clean[LOG_TEXT_MAX];

	return strdup(*text ? log_text(clean, str_of(text)) : "-");
}

void columns_row(struct columns *c, ...)
{
	size_t made = 0;
	va_list ap;

	if (c->n_columns == 0) {
		va_start(ap, c);
		c->n_columns = count(ap);
		va_end(ap);
		assert(c->n_columns > 0 && c->n_columns <= COLUMNS_MAX);
	}
	if (c->failed || !grow(c)) {
		c->failed = true;
		return;
	}
	va_start(ap, c);
	for (; made < c->n_columns; made++) {
		char *cell = printable(va_arg(ap, const char *));

		if (!cell)
			break;
		c->cells[c->n_rows * c->n_columns + made] = cell;
	}
	va_end(ap);
	if (made == c->n_columns) {
		c->n_rows++;
		return;
	}
	while (made > 0)
		free(c->cells[c->n_rows * c->n_columns + --made]);
	c->failed = true;
}

static const char *cell(const struct columns *c, size_t row, size_t column)
{
	return c->cells[row * c->n_columns + column];
}

void columns_print(const struct columns *c, FILE *out)
{
	size_t widest[COLUMNS_MAX] = {0};

	for (size_t row = 0; row < c->n_rows; row++)
		for (size_t i = 0; i < c->n_columns; i++)
			widest[i] = MAX(widest[i], width(cell(c, row, i)));
	for (size_t row = 0; row < c->n_rows; row++) {
		for (size_t i = 0; i < c->n_columns; i++) {
			const char *text = cell(c, row, i);
			size_t pad = i + 1 < c->n_columns ? widest[i] - width(text) + GAP : 0;

			fprintf(out, "%s%*s", text, (int)pad, "");
		}
		fputc('\n', out);
	}
}

void columns_done(struct columns *c)
{
	for (size_t i = 0; i < c->n_rows * c->n_columns; i++)
		free(c->cells[i]);
	free(c->cells);
	*c = (struct columns){0};
}
