#include "http/fields.h"

#include <stdio.h>

#include "proto/token.h"

void http_fields_done(struct http_fields *f)
{
	buf_done(&f->text);
	*f = (struct http_fields){0};
}

bool http_fields_value_valid(struct str value)
{
	for (size_t i = 0; i < value.len; i++) {
		unsigned char c = (unsigned char)value.at[i];

		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return false;
	}
	return true;
}

void http_fields_add(struct http_fields *f, struct str name, struct str value)
{
	size_t len = name.len + value.len + 4;
	uint8_t *to;

	if (f->failed)
		return;
	f->text.max = HTTP_FIELDS_TEXT_MAX;
	to = token_valid(name) && http_fields_value_valid(value) ? buf_reserve(&f->text, len)
								 : NULL;
	if (!to) {
		f->failed = true;
		return;
	}
	to = mempcpy(to, name.at, name.len);
	to = mempcpy(to, ": ", 2);
	if (value.len)
		to = mempcpy(to, value.at, value.len);
	memcpy(to, "\r\n", 2);
	buf_commit(&f->text, len);
	if (str_eq_nocase(name, STR("date")))
		f->has_date = true;
}

void http_fields_printf(struct http_fields *f, const char *name, const char *fmt, ...)
{
	char value[1024];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(value, sizeof(value), fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(value))
		f->failed = true;
	else
		http_fields_add(f, str_of(name), str_n(value, (size_t)n));
}
