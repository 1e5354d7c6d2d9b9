#include "edge/rewrite.h"

#include <inttypes.h>

/* Lower case, with '-'. What ends in '*' is a beginning. */
static const char *const request_drops[] = {
	/* of one connection, RFC 9110 §7.6.1 */
	"connection",
	"keep-alive",
	"te",
	"trailer",
	"transfer-encoding",
	"upgrade",
	"proxy*",
	"http2-settings",
	/* written anew */
	"host",
	"content-length",
	"expect",
	/* ours to say */
	"forwarded",
	"x-forwarded*",
	"x-real-ip",
};

static const char *const answer_drops[] = {
	"connection", "keep-alive",	"te",	   "trailer", "transfer-encoding", "upgrade",
	"proxy*",     "content-length", "alt-svc", /* there is no other way to this service */
};

static bool name_is(struct str name, const char *pattern)
{
	size_t i;

	for (i = 0; i < name.len; i++) {
		char c = name.at[i] == '_' ? '-' : str_lower(name.at[i]);

		if (pattern[i] == '*')
			return true;
		if (c != pattern[i])
			return false;
	}
	return pattern[i] == 0 || pattern[i] == '*';
}

static bool listed(struct str name, const char *const *patterns, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (name_is(name, patterns[i]))
			return true;
	return false;
}

/* Whether a Connection field names more than what concerns ourselves. */
static bool names_fields(const struct httphead *head)
{
	for (size_t i = 0; i < head->n_fields; i++) {
		struct str list = head->fields[i].value;

		if (!str_eq_nocase(head->fields[i].name, STR("connection")))
			continue;
		while (list.len) {
			struct str word = str_trim(str_split(&list, ','));

			if (word.len && !str_eq_nocase(word, STR("close")) &&
			    !str_eq_nocase(word, STR("keep-alive")) &&
			    !str_eq_nocase(word, STR("upgrade")))
				return true;
		}
	}
	return false;
}

struct str edge_rewrite_upgrade(const struct httphead *head)
{
	struct str protocol = httphead_field(head, STR("upgrade"));
	const struct str none = {0};
	size_t n = 0;

	for (size_t i = 0; i < head->n_fields; i++)
		n += str_eq_nocase(head->fields[i].name, STR("upgrade"));
	if (!head->upgrade || httphead_has_body(head) || n != 1 || protocol.len == 0 ||
	    str_find(protocol, ',') >= 0)
		return none;
	for (size_t i = 0; i < 3; i++) {
		static const struct str refused[] = {{"h2", 2}, {"http", 4}, {"tls", 3}};

		if (protocol.len >= refused[i].len &&
		    str_eq_nocase(str_n(protocol.at, refused[i].len), refused[i]))
			return none;
	}
	return protocol;
}

/* ── requests ── */

static int add(struct buf *to, const char *name, struct str value)
{
	return buf_printf(to, "%s: %.*s\r\n", name, STR_ARG(value));
}

/* The host as the visitor named it, with its port. */
static int add_asked_host(struct buf *to, const char *name, const struct httphead *head)
{
	if (head->port)
		return buf_printf(to, "%s: %s:%u\r\n", name, head->host, head->port);
	return add(to, name, str_of(head->host));
}

static int add_host(struct buf *to, const struct httphead *head, const struct edge_rewrite *how)
{
	if (how->host)
		return add(to, "Host", str_of(how->host));
	if (!head->host[0])
		return add(to, "Host", str_of(how->fallback));
	return add_asked_host(to, "Host", head);
}

static int add_fields(struct buf *to, const struct httphead *head)
{
	bool named = names_fields(head);
	int r = 0;

	for (size_t i = 0; r == 0 && i < head->n_fields; i++) {
		const struct httphead_field *f = &head->fields[i];

		if (listed(f->name, request_drops, ARRAY_LEN(request_drops)) ||
		    (named && httphead_connection_has(head, f->name)))
			continue;
		r = buf_append_str(to, f->name);
		if (r == 0)
			r = buf_append_str(to, STR(": "));
		if (r == 0)
			r = buf_append_str(to, f->value);
		if (r == 0)
			r = buf_append_str(to, STR("\r\n"));
	}
	return r;
}

static int add_framing(struct buf *to, const struct httphead *head)
{
	int r = 0;

	if (head->chunked)
		r = buf_append_str(to, STR("Transfer-Encoding: chunked\r\n"));
	else if (head->content_length != HTTPHEAD_NO_LENGTH)
		r = buf_printf(to, "Content-Length: %" PRIu64 "\r\n", head->content_length);
	if (r == 0 && head->expect_continue)
		r = buf_append_str(to, STR("Expect: 100-continue\r\n"));
	return r;
}

static int add_visitor(struct buf *to, const struct httphead *head, const struct edge_rewrite *how)
{
	char ip[IPADDR_TEXT_MAX];
	int r = 0;

	if (how->visitor.family)
		r = buf_printf(to, "X-Forwarded-For: %s\r\n", ipaddr_format(ip, &how->visitor));
	if (r == 0)
		r = buf_printf(to, "X-Forwarded-Proto: %s\r\n", how->proto);
	if (r == 0 && head->host[0])
		r = add_asked_host(to, "X-Forwarded-Host", head);
	return r;
}

int edge_rewrite_request(const struct httphead *head, const struct edge_rewrite *how,
			 struct buf *to)
{
	struct str protocol = edge_rewrite_upgrade(head);
	int r = buf_append_str(to, head->method);

	if (r == 0)
		r = buf_append_str(to, STR(" "));
	if (r == 0)
		r = buf_append_str(to, head->path);
	if (r == 0)
		r = buf_append_str(to, STR(" HTTP/1.1\r\n"));
	if (r == 0)
		r = add_host(to, head, how);
	if (r == 0)
		r = add_fields(to, head);
	if (r == 0)
		r = add_framing(to, head);
	if (r == 0)
		r = add_visitor(to, head, how);
	if (r == 0 && protocol.at)
		r = buf_append_str(to, STR("Connection: Upgrade\r\n"));
	if (r == 0 && protocol.at)
		r = add(to, "Upgrade", protocol);
	return r == 0 ? buf_append_str(to, STR("\r\n")) : r;
}

/* ── answers ── */

void edge_rewrite_answer(const struct http_response *r, struct http_fields *to)
{
	for (size_t i = 0; i < r->n_fields; i++) {
		const struct httphead_field *f = &r->fields[i];
		bool upgrade = r->status == 101 && str_eq_nocase(f->name, STR("upgrade"));

		if (!upgrade && (listed(f->name, answer_drops, ARRAY_LEN(answer_drops)) ||
				 http_response_connection_has(r, f->name)))
			continue;
		http_fields_add(to, f->name, f->value);
	}
}
