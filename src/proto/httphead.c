#include "proto/httphead.h"

#include "proto/token.h"

/*
 *	GET /path?query HTTP/1.1 CRLF		request line, RFC 9112 §3
 *	Host: blog.example.org CRLF		field lines, §5
 *	CRLF					the end, §2.1
 */

/* What is known while the fields are read, beside the result. */
struct pass {
	struct httphead *head;
	struct str authority; /* of an absolute-form target; `at` NULL: none */
	uint16_t default_port;
	struct str host; /* the Host field; `at` NULL: none yet */
	bool expect_100;
	unsigned options; /* of all Connection fields */
};

/* Find the blank line: 0 and the length of the head with it. */
static int find_end(const char *bytes, size_t len, size_t *ret_len, struct err *e)
{
	const char *at = bytes, *end, *lf;

	if (len == 0)
		return err_set(e, ERR_INCOMPLETE, "no request yet");
	if (!token_char(bytes[0]) && bytes[0] != '\r' && bytes[0] != '\n')
		return err_set(e, ERR_INVALID, "not an HTTP request");
	end = bytes + MIN(len, HTTPHEAD_MAX);
	for (size_t n = 0; (lf = memchr(at, '\n', (size_t)(end - at))); n++, at = lf + 1) {
		bool blank = lf - at == 1;

		if (lf == at || lf[-1] != '\r')
			return err_set(e, ERR_INVALID, "line feed without carriage return");
		if (blank && n == 0)
			return err_set(e, ERR_INVALID, "empty line before the request");
		if (blank) {
			*ret_len = (size_t)(lf + 1 - bytes);
			return 0;
		}
		if (n > HTTPHEAD_FIELDS_MAX)
			return err_set(e, ERR_LIMIT, "more than %d header fields",
				       HTTPHEAD_FIELDS_MAX);
	}
	if (len >= HTTPHEAD_MAX)
		return err_set(e, ERR_LIMIT, "request head over %d bytes", HTTPHEAD_MAX);
	return err_set(e, ERR_INCOMPLETE, "incomplete request head");
}

/* The next line, which find_end has seen. */
static struct str next_line(const char **at, const char *end)
{
	const char *start = *at;
	const char *lf = memchr(start, '\n', (size_t)(end - start));

	*at = lf + 1;
	return str_n(start, (size_t)(lf - start - 1));
}

/* No control characters but the tab (RFC 9110 §5.5; RFC 9112 §2.2 for a bare CR). */
static int check_line(struct str line, struct err *e)
{
	for (size_t i = 0; i < line.len; i++) {
		unsigned char c = (unsigned char)line.at[i];

		if (c == '\r')
			return err_set(e, ERR_INVALID, "carriage return inside a line");
		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return err_set(e, ERR_INVALID, "control character 0x%02x", c);
	}
	return 0;
}

/* ── request line ── */

/* What no URI has: blanks, bytes from 0x80 (some take them for blanks), and the fragment. */
static int check_target(struct str target, struct err *e)
{
	if (target.len == 0)
		return err_set(e, ERR_INVALID, "request line without a target");
	for (size_t i = 0; i < target.len; i++) {
		unsigned char c = (unsigned char)target.at[i];

		if (c == ' ' || c == '\t')
			return err_set(e, ERR_INVALID, "white space in the request target");
		if (c >= 0x80)
			return err_set(e, ERR_INVALID,
				       "byte 0x%02x in the request target: percent-encode it", c);
		if (c == '#')
			return err_set(e, ERR_INVALID, "fragment in the request target");
	}
	return 0;
}

/* RFC 9112 §3.2.2: "http://authority/path". */
static int read_absolute(struct pass *pass, struct err *e)
{
	static const struct {
		struct str prefix;
		uint16_t port;
	} schemes[] = {{{"http://", 7}, 80}, {{"https://", 8}, 443}};
	struct str target = pass->head->target;

	for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
		size_t skip = schemes[i].prefix.len, n = 0;
		struct str rest;

		if (target.len < skip || !str_eq_nocase(str_n(target.at, skip), schemes[i].prefix))
			continue;
		rest = str_n(target.at + skip, target.len - skip);
		while (n < rest.len && rest.at[n] != '/' && rest.at[n] != '?')
			n++;
		if (n < rest.len && rest.at[n] == '?')
			return err_set(e, ERR_INVALID, "absolute-form target without a path");
		pass->head->form = HTTPHEAD_ABSOLUTE;
		pass->head->path = n < rest.len ? str_n(rest.at + n, rest.len - n) : STR("/");
		pass->authority = str_n(rest.at, n);
		pass->default_port = schemes[i].port;
		return 0;
	}
	return err_set(e, ERR_INVALID, "request target is neither a path nor an http URL");
}

static int read_target(struct pass *pass, struct err *e)
{
	struct httphead *head = pass->head;
	int r;

	r = check_target(head->target, e);
	if (r < 0)
		return r;
	head->path = head->target;
	if (head->target.at[0] == '/') {
		head->form = HTTPHEAD_ORIGIN;
		return 0;
	}
	if (!str_eq(head->target, STR("*")))
		return read_absolute(pass, e);
	if (!str_eq(head->method, STR("OPTIONS")))
		return err_set(e, ERR_INVALID, "target \"*\" without OPTIONS");
	head->form = HTTPHEAD_ASTERISK;
	return 0;
}

/* One space between the three parts, none elsewhere. */
static int read_request_line(struct pass *pass, struct str line, struct err *e)
{
	struct httphead *head = pass->head;
	struct str rest = line, version;
	size_t n;

	head->method = str_split(&rest, ' ');
	if (!token_valid(head->method) || head->method.len > HTTPHEAD_METHOD_MAX)
		return err_set(e, ERR_INVALID, "bad request method");
	if (str_eq(head->method, STR("CONNECT")))
		return err_set(e, ERR_INVALID, "CONNECT is not for this server");
	for (n = rest.len; n > 0 && rest.at[n - 1] != ' ';)
		n--;
	version = str_n(rest.at + n, rest.len - n);
	if (str_eq(version, STR("HTTP/1.1")))
		head->minor = 1;
	else if (!str_eq(version, STR("HTTP/1.0")))
		return err_set(e, ERR_INVALID, "request line without HTTP/1.1 or HTTP/1.0");
	head->target = str_n(rest.at, n ? n - 1 : 0);
	return read_target(pass, e);
}

/* ── fields that decide ── */

static int take_host(struct pass *pass, struct str value, struct err *e)
{
	if (pass->host.at)
		return err_set(e, ERR_INVALID, "two Host fields");
	pass->host = value;
	return 0;
}

static int take_content_length(struct pass *pass, struct str value, struct err *e)
{
	if (pass->head->content_length != HTTPHEAD_NO_LENGTH)
		return err_set(e, ERR_INVALID, "two Content-Length fields");
	if (!str_to_u64(value, INT64_MAX, &pass->head->content_length))
		return err_set(e, ERR_INVALID, "bad Content-Length");
	return 0;
}

static int take_transfer_encoding(struct pass *pass, struct str value, struct err *e)
{
	if (pass->head->minor == 0)
		return err_set(e, ERR_INVALID, "Transfer-Encoding in HTTP/1.0");
	if (pass->head->chunked)
		return err_set(e, ERR_INVALID, "two Transfer-Encoding fields");
	if (!str_eq_nocase(value, STR("chunked")))
		return err_set(e, ERR_INVALID, "Transfer-Encoding other than chunked");
	pass->head->chunked = true;
	return 0;
}

static int take_expect(struct pass *pass, struct str value, struct err *e)
{
	(void)e;
	pass->expect_100 = str_eq_nocase(value, STR("100-continue"));
	return 0;
}

static int take_connection(struct pass *pass, struct str value, struct err *e)
{
	do {
		str_split(&value, ',');
		if (++pass->options > HTTPHEAD_OPTIONS_MAX)
			return err_set(e, ERR_INVALID, "Connection names more than %d options",
				       HTTPHEAD_OPTIONS_MAX);
	} while (value.len);
	return 0;
}

static const struct deciding {
	struct str name;
	int (*take)(struct pass *pass, struct str value, struct err *e);
} deciding[] = {
	{{"host", 4}, take_host},
	{{"content-length", 14}, take_content_length},
	{{"transfer-encoding", 17}, take_transfer_encoding},
	{{"expect", 6}, take_expect},
	{{"connection", 10}, take_connection},
};

static int read_field(struct pass *pass, struct str line, struct err *e)
{
	struct httphead *head = pass->head;
	struct str rest = line, name, value;
	ptrdiff_t colon = str_find(line, ':');

	if (line.at[0] == ' ' || line.at[0] == '\t')
		return err_set(e, ERR_INVALID, "header field continued on another line");
	if (colon < 0)
		return err_set(e, ERR_INVALID, "header line without a colon");
	name = str_split(&rest, ':');
	value = str_trim(rest);
	if (name.len && (name.at[name.len - 1] == ' ' || name.at[name.len - 1] == '\t'))
		return err_set(e, ERR_INVALID, "white space before the colon of a header field");
	if (!token_valid(name))
		return err_set(e, ERR_INVALID, "bad name of a header field");
	head->fields[head->n_fields++] = (struct httphead_field){name, value};
	for (size_t i = 0; i < ARRAY_LEN(deciding); i++)
		if (str_eq_nocase(name, deciding[i].name))
			return deciding[i].take(pass, value, e);
	return 0;
}

/* ── the whole ── */

/* RFC 9112 §3.2: one Host in 1.1, and it agrees with an absolute-form target. */
static int resolve_host(struct pass *pass, struct err *e)
{
	struct httphead *head = pass->head;
	char host[HOSTNAME_MAX];
	uint16_t port;

	if (!pass->host.at && head->minor == 1)
		return err_set(e, ERR_INVALID, "no Host field");
	if (pass->host.at && authority_parse(pass->host, head->host, &head->port) < 0)
		return err_set(e, ERR_INVALID, "bad Host field");
	if (!pass->authority.at)
		return 0;
	if (authority_parse(pass->authority, host, &port) < 0)
		return err_set(e, ERR_INVALID, "bad host in the request target");
	if (!pass->host.at) {
		strcpy(head->host, host);
		head->port = port;
		return 0;
	}
	if (strcmp(host, head->host) != 0 ||
	    (port ? port : pass->default_port) != (head->port ? head->port : pass->default_port))
		return err_set(e, ERR_INVALID, "Host differs from the request target");
	return 0;
}

static void resolve_connection(struct pass *pass)
{
	struct httphead *head = pass->head;
	bool is_1_1 = head->minor == 1;

	head->keep_alive = !httphead_connection_has(head, STR("close")) &&
			   (is_1_1 || httphead_connection_has(head, STR("keep-alive")));
	head->upgrade = is_1_1 && httphead_field(head, STR("upgrade")).at &&
			httphead_connection_has(head, STR("upgrade"));
	head->expect_continue = is_1_1 && pass->expect_100 && httphead_has_body(head);
}

int httphead_parse(const char *bytes, size_t len, struct httphead *ret, struct err *e)
{
	struct pass pass = {.head = ret};
	const char *at = bytes, *end;
	int r;

	/* Not the fields: 3 KiB to clear, and n_fields tells which of them are. */
	memset(ret, 0, offsetof(struct httphead, fields));
	ret->content_length = HTTPHEAD_NO_LENGTH;
	r = find_end(bytes, len, &ret->len, e);
	if (r < 0)
		return r;
	end = bytes + ret->len;
	for (size_t n = 0;; n++) {
		struct str line = next_line(&at, end);

		if (line.len == 0)
			break;
		r = check_line(line, e);
		if (r < 0)
			return r;
		r = n == 0 ? read_request_line(&pass, line, e) : read_field(&pass, line, e);
		if (r < 0)
			return r;
	}
	if (ret->chunked && ret->content_length != HTTPHEAD_NO_LENGTH)
		return err_set(e, ERR_INVALID, "both Content-Length and Transfer-Encoding");
	r = resolve_host(&pass, e);
	if (r < 0)
		return r;
	resolve_connection(&pass);
	return 0;
}

struct str httphead_field(const struct httphead *head, struct str name)
{
	for (size_t i = 0; i < head->n_fields; i++)
		if (str_eq_nocase(head->fields[i].name, name))
			return head->fields[i].value;
	return (struct str){0};
}

bool httphead_connection_has(const struct httphead *head, struct str option)
{
	for (size_t i = 0; i < head->n_fields; i++)
		if (str_eq_nocase(head->fields[i].name, STR("connection")) &&
		    token_list_has(head->fields[i].value, option))
			return true;
	return false;
}
