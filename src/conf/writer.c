#include "conf/writer.h"

#include <stdio.h>

void writer_printf(struct writer *w, const char *fmt, ...)
{
	AUTO(freep) char *text = NULL;
	va_list ap;
	int n;

	if (w->r < 0)
		return;
	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0) {
		text = NULL;
		w->r = -ERR_NOMEM;
		return;
	}
	w->r = buf_append(w->out, text, (size_t)n);
}

void writer_roff(struct writer *w, const char *text)
{
	bool line_start = true;

	for (; *text && w->r == 0; text++) {
		if (line_start && (*text == '.' || *text == '\''))
			writer_printf(w, "\\&");
		if (*text == '\\')
			writer_printf(w, "\\e");
		else if (*text == '-')
			writer_printf(w, "\\-");
		else
			writer_printf(w, "%c", *text);
		line_start = *text == '\n';
	}
}
