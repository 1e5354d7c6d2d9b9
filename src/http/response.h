/*
 * The head of an HTTP/1.x response, as a local server sends it: parsed piece by piece by llhttp,
 * then checked: names are tokens, values hold no control characters, and where the body ends is
 * beyond doubt.
 */
#pragma once

#include "http/reader.h"
#include "proto/httphead.h"

#define HTTP_RESPONSE_MAX	 ((size_t)64 * 1024) /* bytes of a head */
#define HTTP_RESPONSE_FIELDS_MAX 200

struct http_response {
	unsigned status; /* 100..999 */
	int minor;	 /* of HTTP/1.minor */
	enum http_body body;
	uint64_t length; /* Content-Length, also where no body follows; HTTPHEAD_NO_LENGTH: none */
	bool keep_alive; /* the server means to take another request */
	size_t n_fields;
	const struct httphead_field *fields; /* borrowed from the parser, as the texts are */
};

struct http_response_parser;

/* head_request: the answer to a HEAD, which has no body. NULL without memory. */
struct http_response_parser *http_response_parser_new(bool head_request);
void http_response_parser_free(struct http_response_parser *p); /* NULL is fine */

/*
 * Feed bytes. 0: the head is whole; *ret_used bytes belonged to it, *ret is valid until the parser
 * is freed or started again. -ERR_INCOMPLETE: all were used, more are needed. -ERR_INVALID,
 * -ERR_LIMIT, -ERR_NOMEM: e says what is wrong.
 */
int http_response_parse(struct http_response_parser *p, const char *bytes, size_t len,
			size_t *ret_used, struct http_response *ret, struct err *e) MUST_CHECK;

/* For the next head on the same connection (behind an informational one). */
void http_response_parser_restart(struct http_response_parser *p);

/* The value of the first field of that name; `at` NULL: none. */
struct str http_response_field(const struct http_response *r, struct str name);

/* Whether any Connection field names `option`. */
bool http_response_connection_has(const struct http_response *r, struct str option);
