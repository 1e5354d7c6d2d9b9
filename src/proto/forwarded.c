#include "proto/forwarded.h"

#include <stdio.h>

#include "proto/token.h"

/*
 *	element = [ pair ] *( ";" [ pair ] )		RFC 7239 §4
 *	pair    = token "=" ( token / quoted-string )
 */
#define ELEMENT_MAX 4096
#define VALUE_MAX   320 /* of a parameter we know: host and port */

struct pair {
	struct str name;
	char value[VALUE_MAX]; /* unquoted; NUL-terminated */
	bool too_long;	       /* it did not fit: nothing we could use */
};

const char *forwarded_format(char text[static FORWARDED_TEXT_MAX], const struct forwarded *f)
{
	char addr[IPADDR_TEXT_MAX];
	int n;

	n = snprintf(text, FORWARDED_TEXT_MAX, "for=\"%s\"", ipaddr_format_port(addr, &f->addr));
	if (f->host[0])
		n += snprintf(text + n, FORWARDED_TEXT_MAX - (size_t)n, ";host=\"%s\"", f->host);
	if (f->proto[0])
		snprintf(text + n, FORWARDED_TEXT_MAX - (size_t)n, ";proto=%s", f->proto);
	return text;
}

static struct str take_token(struct str *rest)
{
	struct str token = str_n(rest->at, 0);

	while (token.len < rest->len && token_char(rest->at[token.len]))
		token.len++;
	*rest = str_n(rest->at + token.len, rest->len - token.len);
	return token;
}

static bool take_char(struct str *rest, char c)
{
	if (!rest->len || rest->at[0] != c)
		return false;
	*rest = str_n(rest->at + 1, rest->len - 1);
	return true;
}

/* What may stand in a quoted string, as itself or behind a backslash: no control characters. */
static bool is_quotable(char c)
{
	unsigned char byte = (unsigned char)c;

	return c == '\t' || (byte >= 0x20 && byte != 0x7f);
}

static void pair_append(struct pair *pair, size_t *n, char c)
{
	if (*n + 1 < sizeof(pair->value))
		pair->value[(*n)++] = c;
	else
		pair->too_long = true;
}

/* RFC 9110 §5.6.4; the opening quote is taken already. False: no end, or a byte it must not have.
 */
static bool take_quoted(struct str *rest, struct pair *pair)
{
	size_t n = 0;

	while (rest->len && rest->at[0] != '"') {
		if (rest->at[0] == '\\')
			take_char(rest, '\\');
		if (!rest->len || !is_quotable(rest->at[0]))
			return false;
		pair_append(pair, &n, rest->at[0]);
		take_char(rest, rest->at[0]);
	}
	pair->value[n] = '\0';
	return take_char(rest, '"');
}

static bool take_value(struct str *rest, struct pair *pair)
{
	struct str token;

	pair->too_long = false;
	if (take_char(rest, '"'))
		return take_quoted(rest, pair);
	token = take_token(rest);
	pair->too_long = !str_copy(pair->value, sizeof(pair->value), token);
	return token.len > 0;
}

/* ── parameters ── */

static int take_for(const char *value, struct forwarded *f, struct err *e)
{
	char host[HOSTNAME_MAX];
	uint16_t port;

	if (authority_parse(str_of(value), host, &port) < 0 ||
	    ipaddr_parse(str_of(host), &f->addr) < 0)
		return err_set(e, ERR_INVALID, "Forwarded: \"for\" is not an address");
	f->addr.port = port;
	return 0;
}

static int take_host(const char *value, struct forwarded *f, struct err *e)
{
	uint16_t port;

	if (authority_parse(str_of(value), f->host, &port) < 0)
		return err_set(e, ERR_INVALID, "Forwarded: \"host\" is not a host");
	return 0;
}

/* A URI scheme's name, RFC 3986 §3.1. */
static int take_proto(const char *value, struct forwarded *f, struct err *e)
{
	size_t n;

	for (n = 0; value[n] && n < FORWARDED_PROTO_MAX - 1; n++) {
		char c = str_lower(value[n]);
		bool letter = c >= 'a' && c <= 'z';

		if (!letter && (n == 0 || !((c >= '0' && c <= '9') || strchr("+-.", c))))
			break;
		f->proto[n] = c;
	}
	if (n == 0 || value[n])
		return err_set(e, ERR_INVALID, "Forwarded: bad \"proto\"");
	return 0;
}

static const struct parameter {
	struct str name;
	int (*take)(const char *value, struct forwarded *f, struct err *e);
} parameters[] = {
	{{"for", 3}, take_for},
	{{"host", 4}, take_host},
	{{"proto", 5}, take_proto},
};

static int take_parameter(const struct pair *pair, unsigned *seen, struct forwarded *f,
			  struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(parameters); i++) {
		const char *name = parameters[i].name.at;

		if (!str_eq_nocase(pair->name, parameters[i].name))
			continue;
		if (*seen & 1u << i)
			return err_set(e, ERR_INVALID, "Forwarded: \"%s\" twice", name);
		if (pair->too_long)
			return err_set(e, ERR_INVALID, "Forwarded: \"%s\" is too long", name);
		*seen |= 1u << i;
		return parameters[i].take(pair->value, f, e);
	}
	return 0;
}

/* "name=value", if there is one, and the ";" behind it. */
static int next_pair(struct str *rest, unsigned *seen, struct forwarded *f, struct err *e)
{
	struct pair pair;
	int r;

	if (take_char(rest, ';'))
		return 0;
	pair.name = take_token(rest);
	if (pair.name.len == 0 || !take_char(rest, '=') || !take_value(rest, &pair))
		return err_set(e, ERR_INVALID, "Forwarded: expected NAME=VALUE");
	r = take_parameter(&pair, seen, f, e);
	if (r < 0)
		return r;
	if (rest->len && rest->at[0] == ',')
		return err_set(e, ERR_INVALID, "Forwarded: more than one element");
	if (rest->len && !take_char(rest, ';'))
		return err_set(e, ERR_INVALID, "Forwarded: expected \";\" between parameters");
	return 0;
}

int forwarded_parse(struct str s, struct forwarded *ret, struct err *e)
{
	struct forwarded f = {0};
	struct str rest = str_trim(s);
	unsigned seen = 0;
	int r;

	if (rest.len > ELEMENT_MAX)
		return err_set(e, ERR_INVALID, "Forwarded: over %d bytes", ELEMENT_MAX);
	while (rest.len) {
		r = next_pair(&rest, &seen, &f, e);
		if (r < 0)
			return r;
	}
	if (f.addr.family == 0)
		return err_set(e, ERR_INVALID, "Forwarded: no \"for\"");
	*ret = f;
	return 0;
}
