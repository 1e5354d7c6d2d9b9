#include "net/httpc.h"

#include <assert.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/secret.h"
#include "net/libcurl.h"
#include "proto/token.h"

#define WHERE_MAX (HOSTNAME_MAX + 16) /* "https://host:port" */

struct httpc {
	struct loop *loop;	 /* borrowed */
	struct libcurl *libcurl; /* owned; NULL until the first call */
	struct list calls;
	unsigned n_calls;

	/* tests: who answers instead of the network */
	void (*serve)(void *arg, struct httpc_call *call, const struct httpc_request *request);
	void *serve_arg;
};

/*
 *	httpc_start ──▶ under way ──▶ over (answer.r is known) ──▶ told, gone
 *			    └────────────┴── httpc_cancel ──▶ gone
 */
struct httpc_call {
	struct httpc *httpc; /* borrowed; NULL while on_done runs */
	struct list node;
	void (*on_done)(void *arg, const struct httpc_answer *answer);
	void *arg;

	struct httpc_request request; /* everything in it is ours */
	struct ipaddr source, peer;
	char where[WHERE_MAX]; /* for errors */
	char *copies;	       /* owned; wiped */
	size_t copies_len, copies_used;

	struct defer turn; /* on to serve, or to on_done */
	struct timer timeout;
	struct timer delay; /* serve's */
	usec_t started;
	bool over;

	CURL *easy;		       /* owned */
	struct curl_slist *fields;     /* owned */
	struct curl_slist *connect_to; /* owned */
	bool misset;		       /* an option was not taken */
	char words[CURL_ERROR_SIZE];   /* libcurl's, for an error */
	struct ipaddr tried;	       /* last address connected to; family 0: none */
	int no_socket;		       /* errno; 0: it was not the socket that failed */

	struct buf head, body;
	size_t head_seen; /* of all heads, those that were only provisional too */
	bool provisional; /* this head is */
	bool head_over;
	bool too_long;
	struct httpc_answer answer;
};

/* ── a request that can be sent ── */

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
static int check_url(const struct httpc_request *request, char where[static WHERE_MAX],
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
	snprintf(where, WHERE_MAX, "%s://%s%s", tls ? "https" : "http", host, number);
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

static int check_request(const struct httpc_request *request, char where[static WHERE_MAX],
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

static int copy_request(struct httpc_call *call, const struct httpc_request *from, struct err *e)
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

/* ── the end of a call ── */

/* Nothing of libcurl's is left, and nothing runs. */
static void call_detach(struct httpc_call *call)
{
	struct libcurl *libcurl = call->httpc->libcurl;

	timer_stop(&call->timeout);
	timer_stop(&call->delay);
	defer_cancel(&call->turn);
	if (call->easy)
		libcurl_api(libcurl)->easy_cleanup(call->easy);
	if (call->fields)
		libcurl_api(libcurl)->slist_free_all(call->fields);
	if (call->connect_to)
		libcurl_api(libcurl)->slist_free_all(call->connect_to);
	call->easy = NULL;
	call->fields = call->connect_to = NULL;
}

static void call_free(struct httpc_call *call)
{
	if (call->copies)
		secret_wipe(call->copies, call->copies_len);
	free(call->copies);
	buf_done(&call->head);
	buf_done(&call->body);
	free(call);
}

static void call_tell(void *arg)
{
	struct httpc_call *call = arg;

	list_remove(&call->node);
	call->httpc->n_calls--;
	call->httpc = NULL;
	call->on_done(call->arg, &call->answer);
	call_free(call);
}

/* The transfer is no longer libcurl's. answer.r and its err are set. */
static void call_end(struct httpc_call *call)
{
	struct httpc_answer *answer = &call->answer;

	call_detach(call);
	call->over = true;
	answer->head = buf_str(&call->head);
	answer->body = answer->r == 0 ? buf_str(&call->body) : (struct str){0};
	answer->took = loop_now(call->httpc->loop) - call->started;
	defer_init(&call->turn, call->httpc->loop, call_tell, call);
	defer_call(&call->turn);
}

static int call_error(struct httpc_call *call, int code, const char *text)
{
	call->answer.r = -code;
	return err_set(&call->answer.err, code, "%s: %s", call->where, text);
}

static void note_status(struct httpc_call *call)
{
	long status = 0;

	libcurl_api(call->httpc->libcurl)
		->easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
	call->answer.status = status > 0 && status < 1000 ? (unsigned)status : 0;
}

static void on_timeout(void *arg)
{
	struct httpc_call *call = arg;
	char text[64], span[USTIME_TEXT_MAX];

	snprintf(text, sizeof(text), "no answer within %s",
		 ustime_format_span(span, call->request.timeout));
	call_error(call, ERR_TIMEOUT, text);
	if (call->easy) {
		note_status(call);
		libcurl_remove(call->httpc->libcurl, call->easy);
	}
	call_end(call);
}

/* ── while libcurl is at it ── */

/* A socket as the request wants it; -1 and errno. */
static int open_socket(const struct httpc_request *request, const struct curl_sockaddr *to)
{
	const char *name = request->interface_name;
	struct sockaddr_storage source;
	int fd = socket(to->family, to->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, to->protocol);

	if (fd < 0)
		return -1;
	if ((name && setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, (socklen_t)strlen(name))) ||
	    (request->source &&
	     bind(fd, (struct sockaddr *)&source, ipaddr_to_sockaddr(request->source, &source)))) {
		int saved = errno;

		close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

/* CURLOPT_OPENSOCKETFUNCTION. What libcurl connects to may be changed here: it knows no scope. */
static curl_socket_t on_open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *to)
{
	struct httpc_call *call = arg;
	const struct httpc_request *request = &call->request;
	const struct ipaddr *peer = request->peer;
	int fd = -1;

	ipaddr_from_sockaddr(&call->tried, &to->addr);
	errno = EAFNOSUPPORT;
	if ((!request->family || call->tried.family == request->family) &&
	    (!peer || memcmp(call->tried.bytes, peer->bytes, sizeof(peer->bytes)) == 0)) {
		if (peer && to->family == AF_INET6) {
			((struct sockaddr_in6 *)&to->addr)->sin6_scope_id = peer->scope;
			call->tried.scope = peer->scope;
		}
		fd = open_socket(request, to);
	}
	call->no_socket = fd < 0 ? errno : 0;
	return fd < 0 ? CURL_SOCKET_BAD : fd;
}

static void note_address(struct ipaddr *ret, const char *text, int port, uint32_t scope)
{
	struct ipaddr a;

	if (ipaddr_parse(str_of(text), &a) < 0)
		return;
	a.port = (uint16_t)port;
	if (a.family == 6 && a.bytes[0] == 0xfe && (a.bytes[1] & 0xc0) == 0x80)
		a.scope = scope;
	*ret = a;
}

/* CURLOPT_PREREQFUNCTION: there is a connection, the request will go out on it. */
static int on_connected(void *arg, char *peer, char *local, int peer_port, int local_port)
{
	struct httpc_call *call = arg;

	note_address(&call->answer.peer, peer, peer_port, call->tried.scope);
	note_address(&call->answer.local, local, local_port, call->tried.scope);
	return CURL_PREREQFUNC_OK;
}

/* One line of a head, its end included; one of the trailer, which is nobody's. */
static bool take_head_line(struct httpc_call *call, struct str line)
{
	call->head_seen += line.len;
	if (call->head_seen > call->request.head_max)
		return false;
	if (call->head_over)
		return true;
	if (str_starts(line, STR("HTTP/"))) {
		struct str rest = line;

		str_split(&rest, ' ');
		call->provisional = str_starts(rest, STR("1")); /* 103 and its like */
		buf_consume(&call->head, buf_len(&call->head));
		return true;
	}
	if (line.len && (line.at[0] == '\r' || line.at[0] == '\n'))
		call->head_over = !call->provisional;
	return buf_append_str(&call->head, line) == 0;
}

/* CURLOPT_HEADERFUNCTION */
static size_t on_head(char *bytes, size_t size, size_t n, void *arg)
{
	struct httpc_call *call = arg;

	call->too_long = !take_head_line(call, str_n(bytes, n));
	return call->too_long ? 0 : n;
}

/* CURLOPT_WRITEFUNCTION */
static size_t on_body(char *bytes, size_t size, size_t n, void *arg)
{
	struct httpc_call *call = arg;

	call->too_long = buf_append(&call->body, bytes, n) < 0;
	return call->too_long ? 0 : n;
}

/* ── a request as libcurl's options ── */

static void set_number(struct httpc_call *call, CURLoption option, long n)
{
	call->misset |=
		libcurl_api(call->httpc->libcurl)->easy_setopt(call->easy, option, n) != CURLE_OK;
}

static void set_text(struct httpc_call *call, CURLoption option, const char *text)
{
	call->misset |= libcurl_api(call->httpc->libcurl)->easy_setopt(call->easy, option, text) !=
			CURLE_OK;
}

static void set_data(struct httpc_call *call, CURLoption option, void *data)
{
	call->misset |= libcurl_api(call->httpc->libcurl)->easy_setopt(call->easy, option, data) !=
			CURLE_OK;
}

#define SET_FUNCTION(call, option, fn)                                                             \
	((call)->misset |=                                                                         \
	 libcurl_api((call)->httpc->libcurl)->easy_setopt((call)->easy, option, fn) != CURLE_OK)

/* The same in every request. */
static void set_manners(struct httpc_call *call)
{
	static const struct {
		CURLoption option;
		long value;
	} numbers[] = {
		{CURLOPT_NOSIGNAL, 1},
		{CURLOPT_QUICK_EXIT, 1}, /* no waiting for a lookup when a call ends before it */
		{CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1},
		{CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2},
		{CURLOPT_FOLLOWLOCATION, 0},
		{CURLOPT_HTTP_CONTENT_DECODING, 0},
		{CURLOPT_PATH_AS_IS, 1},
		{CURLOPT_DISALLOW_USERNAME_IN_URL, 1},
		{CURLOPT_NETRC, CURL_NETRC_IGNORED},
		{CURLOPT_DNS_CACHE_TIMEOUT, 0},
		{CURLOPT_SSL_SESSIONID_CACHE, 0},
		{CURLOPT_HTTPAUTH, CURLAUTH_BASIC},
	};

	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		set_number(call, numbers[i].option, numbers[i].value);
	set_text(call, CURLOPT_PROXY, ""); /* nor one of the environment */
	set_text(call, CURLOPT_PROTOCOLS_STR, call->request.https_only ? "https" : "http,https");
	set_text(call, CURLOPT_USERAGENT, "homeport/" HOMEPORT_VERSION);
	set_data(call, CURLOPT_ERRORBUFFER, call->words);
	set_data(call, CURLOPT_PRIVATE, call);
	set_data(call, CURLOPT_OPENSOCKETDATA, call);
	set_data(call, CURLOPT_PREREQDATA, call);
	set_data(call, CURLOPT_HEADERDATA, call);
	set_data(call, CURLOPT_WRITEDATA, call);
	SET_FUNCTION(call, CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
	SET_FUNCTION(call, CURLOPT_PREREQFUNCTION, on_connected);
	SET_FUNCTION(call, CURLOPT_HEADERFUNCTION, on_head);
	SET_FUNCTION(call, CURLOPT_WRITEFUNCTION, on_body);
}

/* "Name: value" as a list's next; an empty value is spelled "Name;", "Name:" leaves a field out. */
static void add_field(struct httpc_call *call, const char *name, const char *separator,
		      const char *value)
{
	size_t size = strlen(name) + strlen(separator) + strlen(value) + 1;
	struct curl_slist *fields = NULL;
	char *line = malloc(size);

	if (line) {
		snprintf(line, size, "%s%s%s", name, separator, value);
		fields = libcurl_api(call->httpc->libcurl)->slist_append(call->fields, line);
		secret_wipe(line, size);
		free(line);
	}
	if (fields)
		call->fields = fields;
	else
		call->misset = true;
}

static bool has_field(const struct httpc_request *request, const char *name)
{
	for (size_t i = 0; i < request->n_headers; i++)
		if (str_eq_nocase(str_of(request->headers[i].name), str_of(name)))
			return true;
	return false;
}

static void set_fields(struct httpc_call *call)
{
	const struct httpc_request *request = &call->request;

	for (size_t i = 0; i < request->n_headers; i++) {
		const struct httpc_header *header = &request->headers[i];
		bool empty = str_trim(str_of(header->value)).len == 0;

		add_field(call, header->name, empty ? ";" : ": ", empty ? "" : header->value);
	}
	if (!has_field(request, "Content-Type"))
		add_field(call, "Content-Type", ":", "");
	if (!has_field(request, "Expect"))
		add_field(call, "Expect", ":", "");
	if (!request->keep && !has_field(request, "Connection"))
		add_field(call, "Connection", ": ", "close");
	set_data(call, CURLOPT_HTTPHEADER, call->fields);
}

static void set_method(struct httpc_call *call)
{
	const struct httpc_request *request = &call->request;
	bool sends = request->body.len > 0 || strcmp(request->method, "POST") == 0 ||
		     strcmp(request->method, "PUT") == 0 || strcmp(request->method, "PATCH") == 0;

	if (sends) { /* with a Content-Length, also of 0 */
		set_number(call, CURLOPT_POST, 1);
		set_number(call, CURLOPT_POSTFIELDSIZE, (long)request->body.len);
		set_data(call, CURLOPT_POSTFIELDS, (void *)request->body.at);
	}
	if (strcmp(request->method, "HEAD") == 0)
		set_number(call, CURLOPT_NOBODY, 1);
	else
		set_text(call, CURLOPT_CUSTOMREQUEST, request->method);
}

static void set_way(struct httpc_call *call)
{
	const struct httpc_request *request = &call->request;
	char text[IPADDR_TEXT_MAX], to[IPADDR_TEXT_MAX + 8];
	struct curl_slist *list;

	set_number(call, CURLOPT_IPRESOLVE,
		   request->family == 4	  ? CURL_IPRESOLVE_V4
		   : request->family == 6 ? CURL_IPRESOLVE_V6
					  : CURL_IPRESOLVE_WHATEVER);
	set_number(call, CURLOPT_FRESH_CONNECT, !request->keep);
	set_number(call, CURLOPT_FORBID_REUSE, !request->keep);
	set_number(call, CURLOPT_CONNECTTIMEOUT_MS,
		   (long)MIN((request->connect_timeout + 999) / USEC_PER_MS, (usec_t)INT32_MAX));
	if (request->ca_file) {
		set_text(call, CURLOPT_CAINFO, request->ca_file);
		set_text(call, CURLOPT_CAPATH, NULL); /* nobody else */
	}
	if (!request->peer)
		return;
	snprintf(to, sizeof(to), "::%s%s", ipaddr_format_port(text, request->peer),
		 request->peer->port ? "" : ":");
	list = libcurl_api(call->httpc->libcurl)->slist_append(NULL, to);
	call->connect_to = list;
	call->misset |= !list;
	set_data(call, CURLOPT_CONNECT_TO, list);
}

static int call_begin(struct httpc_call *call, struct err *e)
{
	const struct httpc_request *request = &call->request;
	struct libcurl *libcurl = call->httpc->libcurl;

	call->easy = libcurl_api(libcurl)->easy_init();
	if (!call->easy)
		return err_set(e, ERR_NOMEM, "%s: libcurl", call->where);
	set_manners(call);
	set_way(call);
	set_method(call);
	set_fields(call);
	set_text(call, CURLOPT_URL, request->url);
	if (request->user) {
		set_text(call, CURLOPT_USERNAME, request->user);
		set_text(call, CURLOPT_PASSWORD, request->password ?: "");
	}
	if (call->misset)
		return err_set(e, ERR_FAILED, "%s: libcurl does not take the request", call->where);
	return libcurl_add(libcurl, call->easy, request->keep, e);
}

/* ── what became of it ── */

/* Words of libcurl's may hold bytes of the other side's. */
static void explain(struct httpc_call *call, int code, CURLcode result)
{
	const struct libcurl_api *api = libcurl_api(call->httpc->libcurl);
	const char *words = call->words[0] ? call->words : api->easy_strerror(result);
	char text[LOG_TEXT_MAX];

	call_error(call, code, log_text(text, str_of(words)));
}

static void explain_no_socket(struct httpc_call *call)
{
	const struct httpc_request *request = &call->request;
	char text[128], address[IPADDR_TEXT_MAX];

	if (call->no_socket == EADDRNOTAVAIL && request->source)
		snprintf(text, sizeof(text), "%s is no address of this machine",
			 ipaddr_format(address, request->source));
	else if (call->no_socket == EAFNOSUPPORT)
		snprintf(text, sizeof(text), "%s is not an IPv%u address",
			 ipaddr_format(address, &call->tried), request->family);
	else
		snprintf(text, sizeof(text), "socket to %s: %s",
			 ipaddr_format_port(address, &call->tried), strerror(call->no_socket));
	call_error(call, ERR_FAILED, text);
}

static void explain_no_connection(struct httpc_call *call)
{
	char text[128], address[IPADDR_TEXT_MAX];
	long error = 0;

	if (call->no_socket) {
		explain_no_socket(call);
		return;
	}
	libcurl_api(call->httpc->libcurl)->easy_getinfo(call->easy, CURLINFO_OS_ERRNO, &error);
	snprintf(text, sizeof(text), "connect to %s: %s", ipaddr_format_port(address, &call->tried),
		 error ? strerror((int)error) : "no connection");
	call_error(call,
		   error == ECONNREFUSED ? ERR_REFUSED
		   : error == ETIMEDOUT	 ? ERR_TIMEOUT
					 : ERR_FAILED,
		   text);
}

static void explain_timeout(struct httpc_call *call)
{
	char text[64], span[USTIME_TEXT_MAX];

	snprintf(text, sizeof(text), "no connection within %s",
		 ustime_format_span(span, call->request.connect_timeout));
	call_error(call, ERR_TIMEOUT, text);
}

static void explain_too_long(struct httpc_call *call)
{
	char text[64];

	if (call->head_over)
		snprintf(text, sizeof(text), "an answer of more than %zu bytes",
			 call->request.body_max);
	else
		snprintf(text, sizeof(text), "more than %zu bytes of header fields",
			 call->request.head_max);
	call_error(call, ERR_LIMIT, text);
}

static void explain_failure(struct httpc_call *call, CURLcode result)
{
	if (call->too_long) {
		explain_too_long(call);
		return;
	}
	switch ((int)result) {
	case CURLE_COULDNT_RESOLVE_HOST:
		call_error(
			call, ERR_NOT_FOUND,
			"no address for that name (is it spelled right, is this machine online?)");
		return;
	case CURLE_COULDNT_CONNECT:
		explain_no_connection(call);
		return;
	case CURLE_OPERATION_TIMEDOUT:
		explain_timeout(call);
		return;
	case CURLE_PEER_FAILED_VERIFICATION:
		explain(call, ERR_DENIED, result);
		return;
	case CURLE_GOT_NOTHING:
		call_error(call, ERR_RESET, "the connection was closed without an answer");
		return;
	case CURLE_PARTIAL_FILE:
	case CURLE_RECV_ERROR:
	case CURLE_SEND_ERROR:
		explain(call, ERR_RESET, result);
		return;
	case CURLE_UNSUPPORTED_PROTOCOL:
	case CURLE_WEIRD_SERVER_REPLY:
		explain(call, ERR_INVALID, result);
		return;
	case CURLE_OUT_OF_MEMORY:
		explain(call, ERR_NOMEM, result);
		return;
	default:
		explain(call, ERR_FAILED, result);
	}
}

static void call_finish(struct httpc_call *call, CURLcode result)
{
	note_status(call);
	if (result != CURLE_OK)
		explain_failure(call, result);
	call_end(call);
}

/* Nothing that is under way goes on. */
static void lose_all(struct httpc *httpc)
{
	struct httpc_call *call, *next;

	list_for_each_safe (call, next, &httpc->calls, node) {
		if (!call->easy)
			continue;
		libcurl_remove(httpc->libcurl, call->easy);
		call_finish(call, CURLE_OUT_OF_MEMORY);
	}
}

static void on_over(void *arg, CURL *easy, CURLcode result)
{
	struct httpc *httpc = arg;
	char *call = NULL; /* as libcurl declares it */

	if (!easy) {
		lose_all(httpc);
		return;
	}
	libcurl_api(httpc->libcurl)->easy_getinfo(easy, CURLINFO_PRIVATE, &call);
	call_finish((struct httpc_call *)call, result);
}

/* ── calls ── */

static void call_serve(void *arg)
{
	struct httpc_call *call = arg;

	call->httpc->serve(call->httpc->serve_arg, call, &call->request);
}

static int call_start(struct httpc_call *call, struct err *e)
{
	struct httpc *httpc = call->httpc;
	int r = 0;

	if (httpc->serve) {
		defer_init(&call->turn, httpc->loop, call_serve, call);
		defer_call(&call->turn);
		return 0;
	}
	if (!httpc->libcurl)
		r = libcurl_new(httpc->loop, on_over, httpc, &httpc->libcurl, e);
	return r < 0 ? r : call_begin(call, e);
}

static void on_delay(void *arg)
{
	struct httpc_call *call = arg;

	call_end(call);
}

static int call_new(struct httpc *httpc, const struct httpc_request *request,
		    struct httpc_call **ret_call, struct err *e)
{
	struct httpc_call *call = calloc(1, sizeof(*call));
	int r;

	if (!call)
		return err_set(e, ERR_NOMEM, "HTTP request");
	r = check_request(request, call->where, e);
	if (r == 0)
		r = copy_request(call, request, e);
	if (r < 0) {
		call_free(call);
		return r;
	}
	call->httpc = httpc;
	timer_init(&call->timeout, httpc->loop, on_timeout, call);
	timer_init(&call->delay, httpc->loop, on_delay, call);
	buf_init(&call->head, call->request.head_max);
	buf_init(&call->body, call->request.body_max);
	call->started = loop_now(httpc->loop);
	*ret_call = call;
	return 0;
}

int httpc_start(struct httpc *httpc, const struct httpc_request *request,
		void (*on_done)(void *arg, const struct httpc_answer *answer), void *arg,
		struct httpc_call **ret_call, struct err *e)
{
	struct httpc_call *call = NULL;
	int r;

	if (httpc->n_calls >= HTTPC_CALLS_MAX)
		return err_set(e, ERR_LIMIT, "%u HTTP requests are under way already",
			       httpc->n_calls);
	r = call_new(httpc, request, &call, e);
	if (r < 0)
		return r;
	r = call_start(call, e);
	if (r < 0) {
		call_detach(call);
		call_free(call);
		return r;
	}
	call->on_done = on_done;
	call->arg = arg;
	list_push(&httpc->calls, &call->node);
	httpc->n_calls++;
	timer_start(&call->timeout, call->request.timeout);
	if (ret_call)
		*ret_call = call;
	return 0;
}

void httpc_cancel(struct httpc_call *call)
{
	struct httpc *httpc = call ? call->httpc : NULL;

	if (!httpc)
		return; /* or its on_done is running */
	if (call->easy)
		libcurl_remove(httpc->libcurl, call->easy);
	call_detach(call);
	list_remove(&call->node);
	httpc->n_calls--;
	call_free(call);
}

struct str httpc_answer_header(const struct httpc_answer *answer, const char *name)
{
	struct str rest = answer->head;

	while (rest.len) {
		struct str value = str_split(&rest, '\n');
		struct str key = str_split(&value, ':');

		if (value.len && value.at[value.len - 1] == '\r')
			value.len--;
		if (value.at && str_eq_nocase(key, str_of(name)))
			return str_trim(value);
	}
	return (struct str){0};
}

/* ── clients ── */

int httpc_new(struct loop *loop, struct httpc **ret_httpc, struct err *e)
{
	struct httpc *httpc = calloc(1, sizeof(*httpc));

	if (!httpc)
		return err_set(e, ERR_NOMEM, "HTTP client");
	httpc->loop = loop;
	list_init(&httpc->calls);
	*ret_httpc = httpc;
	return 0;
}

void httpc_free(struct httpc *httpc)
{
	if (!httpc)
		return;
	while (!list_empty(&httpc->calls))
		httpc_cancel(list_entry(httpc->calls.next, struct httpc_call, node));
	libcurl_free(httpc->libcurl);
	free(httpc);
}

/* ── for tests ── */

int httpc_new_sim(struct loop *loop,
		  void (*serve)(void *arg, struct httpc_call *call,
				const struct httpc_request *request),
		  void *arg, struct httpc **ret_httpc, struct err *e)
{
	int r = httpc_new(loop, ret_httpc, e);

	if (r < 0)
		return r;
	(*ret_httpc)->serve = serve;
	(*ret_httpc)->serve_arg = arg;
	return 0;
}

void httpc_sim_answer(struct httpc_call *call, usec_t delay, unsigned status, const char *head,
		      struct str body)
{
	call->answer.status = status;
	call->too_long = buf_append_str(&call->head, str_of(head)) < 0;
	call->head_over = !call->too_long;
	call->too_long = call->too_long || buf_append_str(&call->body, body) < 0;
	if (call->too_long)
		explain_too_long(call);
	timer_start(&call->delay, delay);
}

void httpc_sim_fail(struct httpc_call *call, usec_t delay, int code, const char *text)
{
	call_error(call, code, text);
	timer_start(&call->delay, delay);
}
