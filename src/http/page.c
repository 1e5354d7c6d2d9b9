#include "http/page.h"

#include "http/status.h"

#define PAGE_MAX ((size_t)8192)

static const char *entity(char c)
{
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&quot;";
	case '\'':
		return "&#39;";
	default:
		return NULL;
	}
}

int http_page_escape(struct buf *to, struct str s)
{
	size_t start = 0;

	for (size_t i = 0; i < s.len; i++) {
		const char *text = entity(s.at[i]);
		int r;

		if (!text)
			continue;
		r = buf_append(to, s.at + start, i - start);
		if (r == 0)
			r = buf_append_str(to, str_of(text));
		if (r < 0)
			return r;
		start = i + 1;
	}
	return buf_append(to, s.at + start, s.len - start);
}

static int format_page(struct buf *page, unsigned status, const char *sentence)
{
	const char *title = http_status_reason(status);
	int r = buf_printf(page,
			   "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n"
			   "<meta name=\"viewport\" content=\"width=device-width\">\n"
			   "<meta name=\"color-scheme\" content=\"light dark\">\n"
			   "<title>%s</title>\n"
			   "<style>body{font:1rem/1.5 system-ui,sans-serif;max-width:36rem;"
			   "margin:15vh auto;padding:0 1rem}h1{font-size:1.4rem}</style>\n"
			   "<h1>%s</h1>\n<p>",
			   title, title);

	if (r == 0)
		r = http_page_escape(page, str_of(sentence));
	if (r == 0)
		r = buf_append_str(page, STR("</p>\n"));
	return r;
}

void http_page_respond(struct http_exchange *x, unsigned status, struct http_fields *extra,
		       const char *sentence)
{
	AUTO(http_fields_donep) struct http_fields own = {0};
	AUTO(buf_donep) struct buf page = {.max = PAGE_MAX};
	struct http_fields *fields = extra ? extra : &own;

	http_fields_add(fields, STR("Content-Type"), STR("text/html; charset=utf-8"));
	http_fields_add(fields, STR("X-Content-Type-Options"), STR("nosniff"));
	if (format_page(&page, status, sentence) < 0)
		fields->failed = true;
	http_exchange_respond(x, status, fields, buf_len(&page));
	if (x->status && buf_len(&page))
		http_exchange_write(x, buf_head(&page), buf_len(&page));
	http_exchange_finish(x);
}
