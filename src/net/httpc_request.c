#include <assert.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/secret.h"
#include "net/httpc_call.h"
#include "proto/token.h"

static bool value_valid(const char *value)
{
	for (; *value; value++)
		if (((unsigned char)*value < 0x20 && *value != '\t') || *value == 0x7f)
			return false;
	return true;
}

static bool url_bytes_valid(struct str url)
{
	for (size_t i = 0; i < url.len; i++)
		if ((unsigned char)url.at[i] <= 0x20 || (unsigned char)url.at[i] >= 0x7f)
			return false;
	return url.len <= HTTPC_URL_MAX;
}

/* No part of the URL but its host may be in an error: there are providers who want secrets in it. */
static int check_url(const struct httpc_request *request, char where[static HTTPC_WHERE_MAX],
		     struct err *e)
{
	struct str url = str_of(request->url), rest;
	char host[HOSTNAME_MAX], number[8] = "";
	bool tls = str_starts(url, STR("https://"));
	uint16_t port;

	if (!url_bytes_valid(url))
		return err_set(e, ERR_INVALID,
			       "a URL that cannot be sent: blanks, control characters, other "
			       "alphabets, or more than %d bytes",
			       HTTPC_URL_MAX);
	if (!tls && !str_starts(url, STR("http://")))
		return err_set(e, ERR_INVALID, "a URL that is neither http:// nor https://");
	if (request->https_only && !tls)
		return err_set(e, ERR_INVALID,
			       "a URL that is not https://, where only that will do");
	rest = str_n(url.at + (tls ? 8 : 7), url.len - (tls ? 8 : 7));
	for (size_t i = 0; i < rest.len; i++)
		if (memchr("/?#", rest.at[i], 3))
			rest.len = i;
	if (authority_parse(rest, host, &port) < 0)
		return err_set(e, ERR_INVALID, "a URL without a good host name or address");
	if (port)
		snprintf(number, sizeof(number), ":%u", port);
	snprintf(where, HTTPC_WHERE_MAX, "%s://%s%s", tls ? "https" : "http", host, number);
	return 0;
}

static int check_headers(const struct httpc_request *request, struct err *e)
{
	if (request->n_headers > HTTPC_HEADERS_MAX)
		return err_set(e, ERR_LIMIT, "%zu header fields; %d at most", request->n_headers,
			       HTTPC_HEADERS_MAX);
	for (size_t i = 0; i < request->n_headers; i++) {
		const struct httpc_header *header = &request->headers[i];

		if (!token_valid(str_of(header->name)))
			return err_set(e, ERR_INVALID, "a header field without a good name");
		if (!header->value || !value_valid(header->value))
			return err_set(e, ERR_INVALID, "a control character in header field %s",
				       header->name);
		if (str_eq_nocase(str_of(header->name), STR("Content-Length")) ||
		    str_eq_nocase(str_of(header->name), STR("Transfer-Encoding")))
			return err_set(e, ERR_INVALID, "%s is not for the caller to say",
				       header->name);
	}
	return 0;
}

static int check_user(const struct httpc_request *request, struct err *e)
{
	if (!request->user)
		return 0;
	if (strchr(request->user, ':'))
		return err_set(e, ERR_INVALID, "a colon in the user's name");
	if (!value_valid(request->user) || (request->password && !value_valid(request->password)))
		return err_set(e, ERR_INVALID,
			       "a control character in the user's name or password");
	return 0;
}

static int check_addresses(const struct httpc_request *request, struct err *e)
{
	const struct ipaddr *source = request->source, *peer = request->peer;
	unsigned family = request->family;

	if ((family && family != 4 && family != 6) || (source && !source->family) ||
	    (peer && !peer->family) || (source && family && source->family != family) ||
	    (peer && family && peer->family != family) ||
	    (source && peer && source->family != peer->family))
		return err_set(e, ERR_INVALID, "addresses of different families, or of none");
	if (request->interface_name &&
	    (request->interface_name[0] == '\0' || strlen(request->interface_name) >= IF_NAMESIZE))
		return err_set(e, ERR_INVALID, "a name that no interface can have");
	return 0;
}

static int check(const struct httpc_request *request, char where[static HTTPC_WHERE_MAX],
		 struct err *e)
{
	int r = check_url(request, where, e);

	if (r < 0)
		return r;
	if (request->method && !token_valid(str_of(request->method)))
		return err_set(e, ERR_INVALID, "%s: a method that is none", where);
	if (request->body.len > HTTPC_REQUEST_MAX)
		return err_set(e, ERR_LIMIT, "%s: a request of %zu bytes; %zu at most", where,
			       request->body.len, HTTPC_REQUEST_MAX);
	if (request->body.len && request->method && strcmp(request->method, "HEAD") == 0)
		return err_set(e, ERR_INVALID, "%s: HEAD with a body", where);
	r = check_headers(request, e);
	if (r == 0)
		r = check_user(request, e);
	if (r == 0)
		r = check_addresses(request, e);
	return r < 0 ? err_wrap(e, r, "%s", where) : 0;
}

/* ── copies ── */

static size_t text_size(const char *text)
{
	return text ? strlen(text) + 1 : 0;
}

static size_t copies_size(const struct httpc_request *request)
{
	size_t size = request->n_headers * sizeof(*request->headers) + request->body.len +
		      text_size(request->method) + text_size(request->url) +
		      text_size(request->user) + text_size(request->password) +
		      text_size(request->interface_name) + text_size(request->ca_file);

	for (size_t i = 0; i < request->n_headers; i++)
		size += text_size(request->headers[i].name) + text_size(request->headers[i].value);
	return size;
}

static void *copy_bytes(struct httpc_call *call, const void *bytes, size_t len)
{
	void *copy = call->copies + call->copies_used;

	assert(len <= call->copies_len - call->copies_used);
	if (len)
		memcpy(copy, bytes, len);
	call->copies_used += len;
	return copy;
}

static const char *copy_text(struct httpc_call *call, const char *text)
{
	return text ? copy_bytes(call, text, strlen(text) + 1) : NULL;
}

static void copy_addresses(struct httpc_call *call, struct httpc_request *request)
{
	if (request->source) {
		call->source = *request->source;
		request->source = &call->source;
		request->family = call->source.family;
	}
	if (request->peer) {
		call->peer = *request->peer;
		request->peer = &call->peer;
		request->family = call->peer.family;
	}
	if (request->family || request->interface_name)
		request->keep = false; /* libcurl would not see that they differ */
}

static int copy(struct httpc_call *call, const struct httpc_request *from, struct err *e)
{
	struct httpc_request *request = &call->request;
	struct httpc_header *headers;

	call->copies_len = copies_size(from);
	call->copies = malloc(call->copies_len);
	if (!call->copies)
		return err_set(e, ERR_NOMEM, "%s: request", call->where);
	*request = *from;
	headers = copy_bytes(call, from->headers, from->n_headers * sizeof(*headers));
	for (size_t i = 0; i < from->n_headers; i++) {
		headers[i].name = copy_text(call, from->headers[i].name);
		headers[i].value = copy_text(call, from->headers[i].value);
	}
	request->headers = headers;
	request->body.at = copy_bytes(call, from->body.at, from->body.len);
	request->method = copy_text(call, from->method);
	request->url = copy_text(call, from->url);
	request->user = copy_text(call, from->user);
	request->password = copy_text(call, from->password);
	request->interface_name = copy_text(call, from->interface_name);
	request->ca_file = copy_text(call, from->ca_file);
	copy_addresses(call, request);
	if (!request->method)
		request->method = from->body.len ? "POST" : "GET";
	request->connect_timeout = from->connect_timeout ?: HTTPC_CONNECT_TIMEOUT;
	request->timeout = from->timeout ?: HTTPC_TIMEOUT;
	request->body_max = from->body_max ?: HTTPC_BODY_MAX;
	request->head_max = from->head_max ?: HTTPC_HEAD_MAX;
	return 0;
}

int httpc_request_take(struct httpc_call *call, const struct httpc_request *request, struct err *e)
{
	int r = check(request, call->where, e);

	return r < 0 ? r : copy(call, request, e);
}

void httpc_request_wipe(struct httpc_call *call)
{
	if (call->copies)
		secret_wipe(call->copies, call->copies_len);
	free(call->copies);
	call->copies = NULL;
}
