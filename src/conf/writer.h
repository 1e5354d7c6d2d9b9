/* Text written piece by piece into a buffer: the first failure sticks, and is looked at once. */
#pragma once

#include "base/buf.h"

struct writer {
	struct buf *out; /* borrowed */
	int r;		 /* 0, or what the first buf_* that failed returned */
};

void writer_printf(struct writer *w, const char *fmt, ...) PRINTF(2, 3);

/* The text with what roff would take for its own escaped: backslashes, hyphens, a dot or quote at
 * the start of a line. */
void writer_roff(struct writer *w, const char *text);
