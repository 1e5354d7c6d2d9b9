/*
 * The header fields of a message being made, as the text they will be sent as.
 *
 *	AUTO(http_fields_donep) struct http_fields fields = {0};
 *
 *	http_fields_add(&fields, STR("Content-Type"), STR("text/plain"));
 *	http_fields_printf(&fields, "ETag", "\"%016" PRIx64 "\"", hash);
 *	http_server_respond(server, 200, &fields, length);
 *
 * Adding cannot fail: without memory, beyond HTTP_FIELDS_TEXT_MAX, or with a name or value that
 * would break the head, `failed` is set and whoever sends them answers 500. Fields that say where
 * the message ends or what becomes of the connection are not added here: the sender writes those.
 */
#pragma once

#include "base/buf.h"

#define HTTP_FIELDS_TEXT_MAX ((size_t)80 * 1024)

struct http_fields {
	struct buf text; /* "Name: value\r\n" each */
	bool failed;
	bool has_date;
};

void http_fields_done(struct http_fields *f);

static inline void http_fields_donep(struct http_fields *f)
{
	http_fields_done(f);
}

void http_fields_add(struct http_fields *f, struct str name, struct str value);
void http_fields_printf(struct http_fields *f, const char *name, const char *fmt, ...) PRINTF(3, 4);

/* No byte in it ends a line or a string: control characters but the tab are refused. */
bool http_fields_value_valid(struct str value);
