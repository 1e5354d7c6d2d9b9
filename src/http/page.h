/* Small pages in plain words, for answers a person may see. */
#pragma once

#include "http/exchange.h"

/*
 * Answer with a page: the status in words as its title, and a sentence (HTML-escaped here). extra
 * fields may be NULL. The answer is complete with it.
 */
void http_page_respond(struct http_exchange *x, unsigned status, struct http_fields *extra,
		       const char *sentence);

/* Append s with &, <, >, " and ' escaped. Runs into `max` of the buffer: -ERR_LIMIT. */
int http_page_escape(struct buf *to, struct str s) MUST_CHECK;
