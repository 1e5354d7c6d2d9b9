#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/log.h"
#include "base/secret.h"
#include "net/httpc_call.h"

/* ── the connection ── */

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
	if (ipaddr_is_link_local6(&a))
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

/* ── the answer ── */

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

	call->head_too_long = !take_head_line(call, str_n(bytes, n));
	return call->head_too_long ? 0 : n;
}

/* CURLOPT_WRITEFUNCTION */
static size_t on_body(char *bytes, size_t size, size_t n, void *arg)
{
	struct httpc_call *call = arg;

	call->body_too_long = buf_append(&call->body, bytes, n) < 0;
	return call->body_too_long ? 0 : n;
}

/* ── a request as libcurl's options ── */

static void set_number(struct httpc_call *call, CURLoption option, long n)
{
	call->misset |= libcurl_api(call->libcurl)->easy_setopt(call->easy, option, n) != CURLE_OK;
}

static void set_text(struct httpc_call *call, CURLoption option, const char *text)
{
	call->misset |=
		libcurl_api(call->libcurl)->easy_setopt(call->easy, option, text) != CURLE_OK;
}

static void set_data(struct httpc_call *call, CURLoption option, void *data)
{
	call->misset |=
		libcurl_api(call->libcurl)->easy_setopt(call->easy, option, data) != CURLE_OK;
}

static void set_size(struct httpc_call *call, CURLoption option, size_t n)
{
	curl_off_t size = (curl_off_t)MIN(n, (size_t)INT64_MAX);

	call->misset |=
		libcurl_api(call->libcurl)->easy_setopt(call->easy, option, size) != CURLE_OK;
}

#define SET_FUNCTION(call, option, fn)                                                             \
	((call)->misset |=                                                                         \
	 libcurl_api((call)->libcurl)->easy_setopt((call)->easy, option, fn) != CURLE_OK)

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
		fields = libcurl_api(call->libcurl)->slist_append(call->fields, line);
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
	if (strcmp(request->method, "HEAD") == 0) {
		set_number(call, CURLOPT_NOBODY, 1);
	} else {
		set_text(call, CURLOPT_CUSTOMREQUEST, request->method);
		/* where a Content-Length tells, nothing is taken first */
		set_size(call, CURLOPT_MAXFILESIZE_LARGE, request->body_max);
	}
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
	} else if (libcurl_finds_certificates(call->libcurl)) {
		set_text(call, CURLOPT_CAINFO, NULL); /* the directory will do */
	}
	if (!request->peer)
		return;
	snprintf(to, sizeof(to), "::%s%s", ipaddr_format_port(text, request->peer),
		 request->peer->port ? "" : ":");
	list = libcurl_api(call->libcurl)->slist_append(NULL, to);
	call->connect_to = list;
	call->misset |= !list;
	set_data(call, CURLOPT_CONNECT_TO, list);
}

int httpc_transfer_start(struct httpc_call *call, struct err *e)
{
	const struct httpc_request *request = &call->request;
	int r;

	call->easy = libcurl_api(call->libcurl)->easy_init();
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
	r = libcurl_add(call->libcurl, call->easy, request->keep, e);
	call->under_way = r == 0;
	return r;
}

/* ── what became of it ── */

/* Words of libcurl's may hold bytes of the other side's. */
static void explain(struct httpc_call *call, int code, CURLcode result)
{
	const struct libcurl_api *api = libcurl_api(call->libcurl);
	const char *words = call->words[0] ? call->words : api->easy_strerror(result);
	char text[LOG_TEXT_MAX];

	httpc_call_fail(call, code, log_text(text, str_of(words)));
}

static void explain_no_socket(struct httpc_call *call)
{
	const struct httpc_request *request = &call->request;
	char text[128], address[IPADDR_TEXT_MAX];

	if (call->no_socket == EADDRNOTAVAIL && request->source)
		snprintf(text, sizeof(text), "%s is no address of this machine",
			 ipaddr_format(address, request->source));
	else
		snprintf(text, sizeof(text), "socket to %s: %s",
			 ipaddr_format_port(address, &call->tried), strerror(call->no_socket));
	httpc_call_fail(call, ERR_FAILED, text);
}

static void explain_no_connection(struct httpc_call *call)
{
	const struct httpc_request *request = &call->request;
	char text[128], address[IPADDR_TEXT_MAX];
	long error = 0;

	if (request->family && call->tried.family != request->family) {
		snprintf(text, sizeof(text), "the host has no IPv%u address", request->family);
		httpc_call_fail(call, ERR_NOT_FOUND, text);
		return;
	}
	if (call->no_socket) {
		explain_no_socket(call);
		return;
	}
	libcurl_api(call->libcurl)->easy_getinfo(call->easy, CURLINFO_OS_ERRNO, &error);
	snprintf(text, sizeof(text), "connect to %s: %s", ipaddr_format_port(address, &call->tried),
		 error ? strerror((int)error) : "no connection");
	httpc_call_fail(call,
			error == ECONNREFUSED ? ERR_REFUSED
			: error == ETIMEDOUT  ? ERR_TIMEOUT
					      : ERR_FAILED,
			text);
}

static void explain_timeout(struct httpc_call *call)
{
	char text[64], span[USTIME_TEXT_MAX];

	snprintf(text, sizeof(text), "no connection within %s",
		 ustime_format_span(span, call->request.connect_timeout));
	httpc_call_fail(call, ERR_TIMEOUT, text);
}

void httpc_transfer_explain_length(struct httpc_call *call)
{
	char text[64];

	if (call->head_too_long)
		snprintf(text, sizeof(text), "more than %zu bytes of header fields",
			 call->request.head_max);
	else
		snprintf(text, sizeof(text), "an answer of more than %zu bytes",
			 call->request.body_max);
	httpc_call_fail(call, ERR_LIMIT, text);
}

static void explain_failure(struct httpc_call *call, CURLcode result)
{
	if (call->head_too_long || call->body_too_long || result == CURLE_FILESIZE_EXCEEDED) {
		httpc_transfer_explain_length(call);
		return;
	}
	switch ((int)result) {
	case CURLE_COULDNT_RESOLVE_HOST:
		httpc_call_fail(
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
		httpc_call_fail(call, ERR_RESET, "the connection was closed without an answer");
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
	case CURLE_OUT_OF_MEMORY: /* what libcurl says of a line without end, too */
		if (call->answer.peer.family == 0 || call->head_over) {
			explain(call, ERR_NOMEM, result);
			return;
		}
		call->head_too_long = true;
		httpc_transfer_explain_length(call);
		return;
	default:
		explain(call, ERR_FAILED, result);
	}
}

static void note_status(struct httpc_call *call)
{
	long status = 0;

	libcurl_api(call->libcurl)->easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
	call->answer.status = status > 0 && status < 1000 ? (unsigned)status : 0;
}

void httpc_transfer_over(struct httpc_call *call, CURLcode result)
{
	call->under_way = false;
	note_status(call);
	if (result != CURLE_OK)
		explain_failure(call, result);
	else if (call->answer.status < 200) /* 101, which nobody asked for, or 20 */
		httpc_call_fail(call, ERR_INVALID, "an answer without a good status");
}

void httpc_transfer_stop(struct httpc_call *call)
{
	const struct libcurl_api *api;

	if (!call->easy)
		return;
	api = libcurl_api(call->libcurl);
	note_status(call);
	if (call->under_way)
		libcurl_remove(call->libcurl, call->easy);
	api->easy_cleanup(call->easy);
	if (call->fields)
		api->slist_free_all(call->fields);
	if (call->connect_to)
		api->slist_free_all(call->connect_to);
	call->easy = NULL;
	call->fields = call->connect_to = NULL;
	call->under_way = false;
}
