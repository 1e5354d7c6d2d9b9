#include "agent/target.h"

#include <stdio.h>

struct scheme {
	const char *name;
	enum edge_kind edge;
	enum link_kind link;
	uint16_t port; /* when none is written; 0: one must be */
};

static const struct scheme schemes[] = {
	{"http", EDGE_HTTP, LINK_HTTP, 80},
	{"https", EDGE_TCP, LINK_TLS, 443},
	{"tcp", EDGE_TCP, LINK_TCP, 0},
	{"udp", EDGE_UDP, LINK_UDP, 0},
};

static const struct ipaddr loopback4 = {.family = 4, .bytes = {127, 0, 0, 1}};
static const struct ipaddr loopback6 = {.family = 6, .bytes = {[15] = 1}};

/* ── parsing ── */

static int set_text(struct target *t, const char *fmt, ...) PRINTF(2, 3);
static int set_text(struct target *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&t->text, fmt, ap);
	va_end(ap);
	if (n < 0)
		t->text = NULL;
	return n < 0 ? -ERR_NOMEM : 0;
}

/* What is known of the host without asking anybody. Servers that tell people "0.0.0.0:8000" are on
 * the loopback address, too. */
static void place(struct target *t, uint16_t port)
{
	struct ipaddr ip = {0};

	if (ipaddr_parse(str_of(t->host), &ip) < 0 && strcmp(t->host, "localhost") == 0) {
		ip = loopback4;
		t->other = loopback6;
		t->other.port = port;
	}
	if (ip.family && ipaddr_is_unspecified(&ip))
		ip = ip.family == 6 ? loopback6 : loopback4;
	ip.port = port;
	t->to.ip = ip;
}

static int parse_unix(const struct scheme *scheme, struct str path, struct target *t, struct err *e)
{
	if (scheme->link == LINK_TLS || scheme->link == LINK_UDP)
		return err_set(e, ERR_INVALID, "%s:// needs HOST:PORT", scheme->name);
	if (!str_starts(path, STR("/")))
		return err_set(e, ERR_INVALID, "a Unix socket is written %s://unix:/path",
			       scheme->name);
	if (!str_copy(t->to.path, sizeof(t->to.path), path))
		return err_set(e, ERR_INVALID, "a Unix socket's path has at most %zu bytes",
			       sizeof(t->to.path) - 1);
	if (set_text(t, "%s://unix:%s", scheme->name, t->to.path) < 0)
		return err_set(e, ERR_NOMEM, "target");
	return 0;
}

static int parse_server(const struct scheme *scheme, struct str authority, struct target *t,
			struct err *e)
{
	char host[HOSTNAME_MAX];
	uint16_t port = 0;
	struct str inner;

	if (str_starts(authority, STR("unix:")))
		return parse_unix(scheme, str_n(authority.at + 5, authority.len - 5), t, e);
	if (str_find(authority, '@') >= 0)
		return err_set(e, ERR_INVALID, "a user name has no place in it");
	if (authority_parse(authority, host, &port) < 0)
		return err_set(e, ERR_INVALID, "not HOST:PORT with a port from 1 to 65535");
	if (port == 0)
		port = scheme->port;
	if (port == 0)
		return err_set(e, ERR_INVALID, "%s:// needs a port", scheme->name);
	inner = str_of(host);
	if (host[0] == '[')
		inner = str_n(host + 1, inner.len - 2);
	str_copy(t->host, sizeof(t->host), inner);
	place(t, port);
	if (set_text(t, "%s://%s:%u", scheme->name, host, port) < 0)
		return err_set(e, ERR_NOMEM, "target");
	return 0;
}

static int parse_url(struct str name, struct str rest, struct target *t, struct err *e)
{
	ptrdiff_t slash = str_starts(rest, STR("unix:")) ? -1 : str_find(rest, '/');
	const struct scheme *scheme = NULL;

	for (size_t i = 0; i < ARRAY_LEN(schemes); i++)
		if (str_eq_nocase(name, str_of(schemes[i].name)))
			scheme = &schemes[i];
	if (!scheme)
		return err_set(e, ERR_INVALID, "what stands before :// must be http, https, tcp or udp");
	t->edge = scheme->edge;
	t->link = scheme->link;
	if (slash >= 0 && (size_t)slash + 1 < rest.len)
		return err_set(e, ERR_INVALID,
			       "a whole server is shared, not a path of it: leave off what follows "
			       "the host");
	if (slash >= 0)
		rest.len = (size_t)slash;
	return parse_server(scheme, rest, t, e);
}

static int parse_folder(struct str text, struct target *t, struct err *e)
{
	while (text.len > 1 && text.at[text.len - 1] == '/')
		text.len--;
	if (memchr(text.at, '\0', text.len))
		return err_set(e, ERR_INVALID, "a path without zero bytes, please");
	t->edge = EDGE_FILES;
	t->link = LINK_HTTP;
	t->text = str_dup(text);
	return t->text ? 0 : err_set(e, ERR_NOMEM, "target");
}

static bool is_path(struct str text)
{
	return str_starts(text, STR("/")) || str_starts(text, STR("./")) ||
	       str_starts(text, STR("../")) || str_eq(text, STR(".")) || str_eq(text, STR(".."));
}

static bool all_digits(struct str text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.at[i] < '0' || text.at[i] > '9')
			return false;
	return text.len > 0;
}

/* Behind the last colon; empty without one. */
static struct str behind_colon(struct str text)
{
	for (size_t i = text.len; i > 0; i--)
		if (text.at[i - 1] == ':')
			return str_n(text.at + i, text.len - i);
	return STR("");
}

static int parse(struct str text, struct target *t, struct err *e)
{
	const struct scheme *http = &schemes[0];
	char host_port[32];

	for (size_t i = 0; i + 3 <= text.len && !is_path(text); i++)
		if (memcmp(text.at + i, "://", 3) == 0)
			return parse_url(str_n(text.at, i),
					 str_n(text.at + i + 3, text.len - i - 3), t, e);
	if (text.len == 0)
		return err_set(e, ERR_INVALID, "nothing is named");
	if (is_path(text) || (!all_digits(text) && !all_digits(behind_colon(text))))
		return parse_folder(text, t, e);
	t->edge = http->edge;
	t->link = http->link;
	if (!all_digits(text))
		return parse_server(http, text, t, e);
	snprintf(host_port, sizeof(host_port), "localhost:%.*s", (int)MIN(text.len, 8), text.at);
	return parse_server(http, str_of(host_port), t, e);
}

int target_parse(struct str text, struct target *ret, struct err *e)
{
	struct target t = {0};
	int r = parse(text, &t, e);

	if (r < 0) {
		target_done(&t);
		return r;
	}
	*ret = t;
	return 0;
}

/* ── as a value ── */

void target_done(struct target *target)
{
	free(target->text);
	*target = (struct target){0};
}

int target_copy(struct target *to, const struct target *from)
{
	char *text = strdup(from->text);

	if (!text)
		return -ERR_NOMEM;
	*to = *from;
	to->text = text;
	return 0;
}

const char *target_missed(const struct target *target)
{
	switch (target->edge) {
	case EDGE_FILES:
	case EDGE_HTTP:
		return "get an error page";
	case EDGE_TCP:
		return "are disconnected";
	case EDGE_UDP:
		break;
	}
	return "get no answer";
}

const char *target_back(const struct target *target)
{
	return target->edge == EDGE_FILES ? "is there now" : "answers now";
}

bool target_equal(const struct target *a, const struct target *b)
{
	return a->link == b->link && a->edge == b->edge && strcmp(a->text, b->text) == 0;
}

uint16_t target_port(const struct target *target)
{
	return target->to.ip.port;
}

int target_make_absolute(struct target *target, const char *base)
{
	char *path;

	if (target->edge != EDGE_FILES || target->text[0] == '/')
		return 0;
	if (asprintf(&path, "%s/%s", strcmp(base, "/") ? base : "", target->text) < 0)
		return -ERR_NOMEM;
	free(target->text);
	target->text = path;
	return 0;
}

/* ── ids ── */

void target_make_id(struct str text, char ret[static LINK_SERVICE_ID_MAX + 1])
{
	size_t len = 0;

	for (size_t i = 0; i < text.len && len < LINK_SERVICE_ID_MAX; i++) {
		char c = str_lower(text.at[i]);

		if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
			ret[len++] = c;
		else if (len && ret[len - 1] != '-')
			ret[len++] = '-';
	}
	while (len && ret[len - 1] == '-')
		len--;
	ret[len] = '\0';
	if (len == 0)
		strcpy(ret, "site");
}

void target_default_id(const struct target *target, char ret[static LINK_SERVICE_ID_MAX + 1])
{
	const char *from = target->edge == EDGE_FILES ? target->text : target->to.path;
	const char *slash = strrchr(from, '/');
	char port[8];

	snprintf(port, sizeof(port), "%u", target_port(target));
	target_make_id(str_of(target_port(target) ? port : slash ? slash + 1 : from), ret);
}

/* ── services that take every visitor for somebody on this machine ── */

struct trusting {
	uint16_t port;
	const char *warning;
};

#define TRUSTS(what)                                                                               \
	what " usually trusts whoever connects from this machine, and that is every visitor now"

static const struct trusting trusting[] = {
	{631, TRUSTS("The printer service CUPS (port 631)")},
	{2375, TRUSTS("Docker (port 2375)")},
	{3306, TRUSTS("MySQL (port 3306)")},
	{5432, TRUSTS("PostgreSQL (port 5432)")},
	{5984, TRUSTS("CouchDB (port 5984)")},
	{6379, TRUSTS("Redis (port 6379)")},
	{8384, TRUSTS("Syncthing (port 8384)")},
	{8888, TRUSTS("Jupyter (port 8888)")},
	{9091, TRUSTS("Transmission (port 9091)")},
	{9200, TRUSTS("Elasticsearch (port 9200)")},
	{9222, TRUSTS("A browser's remote control (port 9222)")},
	{11211, TRUSTS("Memcached (port 11211)")},
	{27017, TRUSTS("MongoDB (port 27017)")},
};

/* x.x.x.1 or .254 in a private network on a web port: a router's own page, most often. */
static bool looks_like_router(const struct ipaddr *ip)
{
	const uint8_t *b = ip->bytes;
	bool private = ip->family == 4 && (b[0] == 10 || (b[0] == 192 && b[1] == 168) ||
					   (b[0] == 172 && b[1] >= 16 && b[1] < 32));

	return private && (b[3] == 1 || b[3] == 254) &&
	       (ip->port == 80 || ip->port == 443 || ip->port == 8080);
}

const char *target_warning(const struct target *target)
{
	const struct ipaddr *ip = &target->to.ip;

	if (target->link == LINK_UDP)
		return NULL; /* these are all of TCP */
	if (looks_like_router(ip))
		return "This looks like a router's own page: it trusts the home network, and to it "
		       "every visitor is in the home network now";
	for (size_t i = 0; i < ARRAY_LEN(trusting); i++)
		if (ipaddr_is_loopback(ip) && ip->port == trusting[i].port)
			return trusting[i].warning;
	return NULL;
}
