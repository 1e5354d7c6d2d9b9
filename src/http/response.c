#include "http/response.h"

#include <llhttp.h>

#include "http/fields.h"
#include "proto/token.h"

struct http_response_parser {
	llhttp_t llhttp;
	bool head_request;
	bool complete;
	size_t used;	 /* bytes of this head so far */
	struct buf text; /* names and values one behind the other */
	size_t n_fields;
	uint32_t name_end[HTTP_RESPONSE_FIELDS_MAX]; /* in text */
	uint32_t value_end[HTTP_RESPONSE_FIELDS_MAX];
	struct httphead_field fields[HTTP_RESPONSE_FIELDS_MAX];
};

/* ── what llhttp tells ── */

static int on_name(llhttp_t *llhttp, const char *at, size_t len)
{
	struct http_response_parser *p = llhttp->data;

	if (p->n_fields >= HTTP_RESPONSE_FIELDS_MAX)
		return -1;
	return buf_append(&p->text, at, len) < 0 ? -1 : 0;
}

static int on_name_complete(llhttp_t *llhttp)
{
	struct http_response_parser *p = llhttp->data;

	if (p->n_fields >= HTTP_RESPONSE_FIELDS_MAX)
		return -1;
	p->name_end[p->n_fields] = (uint32_t)buf_len(&p->text);
	return 0;
}

static int on_value(llhttp_t *llhttp, const char *at, size_t len)
{
	struct http_response_parser *p = llhttp->data;

	return buf_append(&p->text, at, len) < 0 ? -1 : 0;
}

static int on_value_complete(llhttp_t *llhttp)
{
	struct http_response_parser *p = llhttp->data;

	p->value_end[p->n_fields++] = (uint32_t)buf_len(&p->text);
	return 0;
}

static int on_headers_complete(llhttp_t *llhttp)
{
	struct http_response_parser *p = llhttp->data;

	p->complete = true;
	return HPE_PAUSED; /* the body is not llhttp's */
}

static const llhttp_settings_t settings = {
	.on_header_field = on_name,
	.on_header_field_complete = on_name_complete,
	.on_header_value = on_value,
	.on_header_value_complete = on_value_complete,
	.on_headers_complete = on_headers_complete,
};

/* ── the parser ── */

struct http_response_parser *http_response_parser_new(bool head_request)
{
	/* Not calloc: of the 6 KiB only what is used is touched. */
	struct http_response_parser *p = malloc(sizeof(*p));

	if (!p)
		return NULL;
	p->head_request = head_request;
	buf_init(&p->text, HTTP_RESPONSE_MAX);
	http_response_parser_restart(p);
	return p;
}

void http_response_parser_free(struct http_response_parser *p)
{
	if (!p)
		return;
	buf_done(&p->text);
	free(p);
}

void http_response_parser_restart(struct http_response_parser *p)
{
	llhttp_init(&p->llhttp, HTTP_RESPONSE, &settings);
	p->llhttp.data = p;
	p->complete = false;
	p->used = 0;
	p->n_fields = 0;
	buf_consume(&p->text, buf_len(&p->text));
}

/* ── what the head means ── */

struct str http_response_field(const struct http_response *r, struct str name)
{
	for (size_t i = 0; i < r->n_fields; i++)
		if (str_eq_nocase(r->fields[i].name, name))
			return r->fields[i].value;
	return (struct str){0};
}

bool http_response_connection_has(const struct http_response *r, struct str option)
{
	for (size_t i = 0; i < r->n_fields; i++)
		if (str_eq_nocase(r->fields[i].name, STR("connection")) &&
		    token_list_has(r->fields[i].value, option))
			return true;
	return false;
}

static size_t count_fields(const struct http_response *r, struct str name)
{
	size_t n = 0;

	for (size_t i = 0; i < r->n_fields; i++)
		n += str_eq_nocase(r->fields[i].name, name);
	return n;
}

/* The slices, now that the text stays where it is. */
static int collect_fields(struct http_response_parser *p, struct err *e)
{
	const char *text = buf_len(&p->text) ? (const char *)buf_head(&p->text) : "";
	uint32_t start = 0;

	for (size_t i = 0; i < p->n_fields; i++) {
		struct httphead_field *f = &p->fields[i];

		f->name = str_n(text + start, p->name_end[i] - start);
		f->value = str_trim(str_n(text + p->name_end[i], p->value_end[i] - p->name_end[i]));
		start = p->value_end[i];
		if (!token_valid(f->name) || !http_fields_value_valid(f->value))
			return err_set(e, ERR_INVALID, "bad header field");
	}
	return 0;
}

/* RFC 9112 §6.3, stricter: Transfer-Encoding is "chunked", once, in 1.1. llhttp has refused two
 * lengths, and a length beside it. */
static int decide_body(const struct http_response_parser *p, struct http_response *r, struct err *e)
{
	struct str length = http_response_field(r, STR("content-length"));
	struct str coding = http_response_field(r, STR("transfer-encoding"));

	r->length = HTTPHEAD_NO_LENGTH;
	if (length.at && !str_to_u64(length, INT64_MAX, &r->length))
		return err_set(e, ERR_INVALID, "bad Content-Length");
	if (coding.at && (length.at || r->minor == 0 || !str_eq_nocase(coding, STR("chunked")) ||
			  count_fields(r, STR("transfer-encoding")) > 1))
		return err_set(e, ERR_INVALID, "bad Transfer-Encoding");
	if (p->head_request || r->status < 200 || r->status == 204 || r->status == 304)
		r->body = HTTP_BODY_NONE;
	else if (coding.at)
		r->body = HTTP_BODY_CHUNKED;
	else
		r->body = length.at ? HTTP_BODY_LENGTH : HTTP_BODY_RAW;
	r->keep_alive = r->body != HTTP_BODY_RAW &&
			!http_response_connection_has(r, STR("close")) &&
			(r->minor == 1 || http_response_connection_has(r, STR("keep-alive")));
	return 0;
}

static int understand(struct http_response_parser *p, struct http_response *ret, struct err *e)
{
	struct http_response r = {
		.status = p->llhttp.status_code,
		.minor = p->llhttp.http_minor,
		.n_fields = p->n_fields,
		.fields = p->fields,
	};
	int err;

	if (p->llhttp.http_major != 1 || r.minor > 1)
		return err_set(e, ERR_INVALID, "not HTTP/1.1 or HTTP/1.0");
	if (r.status < 100 || r.status > 999)
		return err_set(e, ERR_INVALID, "bad status");
	err = collect_fields(p, e);
	if (err == 0)
		err = decide_body(p, &r, e);
	if (err == 0)
		*ret = r;
	return err;
}

int http_response_parse(struct http_response_parser *p, const char *bytes, size_t len,
			size_t *ret_used, struct http_response *ret, struct err *e)
{
	llhttp_errno_t r = llhttp_execute(&p->llhttp, bytes, len);

	*ret_used = len;
	if (p->complete && r == HPE_PAUSED) {
		*ret_used = (size_t)(llhttp_get_error_pos(&p->llhttp) - bytes);
		p->used += *ret_used;
		if (p->used > HTTP_RESPONSE_MAX)
			return err_set(e, ERR_LIMIT, "head over %zu bytes", HTTP_RESPONSE_MAX);
		return understand(p, ret, e);
	}
	p->used += len;
	if (p->n_fields >= HTTP_RESPONSE_FIELDS_MAX)
		return err_set(e, ERR_LIMIT, "more than %d header fields",
			       HTTP_RESPONSE_FIELDS_MAX);
	if (p->used > HTTP_RESPONSE_MAX)
		return err_set(e, ERR_LIMIT, "head over %zu bytes", HTTP_RESPONSE_MAX);
	if (r != HPE_OK)
		return err_set(e, ERR_INVALID, "not an HTTP response");
	return -ERR_INCOMPLETE;
}
