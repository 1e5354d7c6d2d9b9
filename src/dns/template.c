#include "dns/template.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"

static void set(struct dns_vars *vars, const char *name, struct str value, bool plain)
{
	size_t i;

	for (i = 0; i < vars->n && strcmp(vars->at[i].name, name) != 0; i++)
		;
	if (!value.at) {
		if (i < vars->n)
			vars->at[i] = vars->at[--vars->n];
		return;
	}
	if (i == DNS_VARS_MAX)
		return; /* the names are ours, and fewer: a missing one is an error when used */
	if (i == vars->n)
		vars->n++;
	vars->at[i] = (struct dns_var){.name = name, .value = value, .plain = plain};
}

void dns_vars_set(struct dns_vars *vars, const char *name, struct str value)
{
	set(vars, name, value, false);
}

void dns_vars_set_plain(struct dns_vars *vars, const char *name, struct str value)
{
	set(vars, name, value, true);
}

const struct dns_var *dns_vars_get(const struct dns_vars *vars, struct str name)
{
	for (size_t i = 0; i < vars->n; i++)
		if (str_eq(name, str_of(vars->at[i].name)))
			return &vars->at[i];
	return NULL;
}

/*
 * The variable at the start of text: its name, and how many bytes it takes with its braces. 0: none
 * stands there.
 */
static size_t variable(const char *text, struct str *ret_name, bool *ret_raw)
{
	const char *start = text + 1;
	size_t n;

	if (text[0] != '{')
		return 0;
	*ret_raw = strncmp(start, "raw:", 4) == 0;
	if (*ret_raw)
		start += 4;
	n = strspn(start, "abcdefghijklmnopqrstuvwxyz0123456789_");
	if (n == 0 || n >= DNS_VAR_NAME_MAX || start[n] != '}')
		return 0;
	*ret_name = str_n(start, n);
	return (size_t)(start + n + 1 - text);
}

bool dns_template_uses(const char *text, const char *name)
{
	struct str found;
	bool raw;

	for (; text && *text; text++)
		if (variable(text, &found, &raw) && str_eq(found, str_of(name)))
			return true;
	return false;
}

static bool unreserved(char c)
{
	return (c >= '0' && c <= '9') || (str_lower(c) >= 'a' && str_lower(c) <= 'z') ||
	       (c && strchr("-._~", c));
}

static const char *xml_entity(char c)
{
	switch (c) {
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '&':
		return "&amp;";
	case '"':
		return "&quot;";
	default:
		return NULL;
	}
}

/* One byte of a value, encoded. */
static int encode(char c, enum dns_encoding encoding, struct buf *out)
{
	const char *entity;

	switch (encoding) {
	case DNS_ENCODE_PERCENT:
		if (!unreserved(c))
			return buf_printf(out, "%%%02X", (unsigned char)c);
		break;
	case DNS_ENCODE_JSON:
		if (c == '"' || c == '\\')
			return buf_printf(out, "\\%c", c);
		if ((unsigned char)c < 0x20)
			return buf_printf(out, "\\u%04x", (unsigned char)c);
		break;
	case DNS_ENCODE_XML:
		entity = xml_entity(c);
		if (entity)
			return buf_append_str(out, str_of(entity));
		break;
	case DNS_ENCODE_NONE:
		break;
	}
	return buf_append(out, &c, 1);
}

static bool has_control(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.at[i] < 0x20 || s.at[i] == 0x7f)
			return true;
	return false;
}

static int append_value(const struct dns_var *var, enum dns_encoding encoding, struct buf *out,
			struct err *e)
{
	if (var->value.len > DNS_VAR_VALUE_MAX && encoding != DNS_ENCODE_NONE)
		return err_set(e, ERR_LIMIT, "%s is too long", var->name);
	if ((encoding == DNS_ENCODE_NONE || encoding == DNS_ENCODE_XML) && has_control(var->value))
		return err_set(e, ERR_INVALID, "%s has control characters", var->name);
	for (size_t i = 0; i < var->value.len; i++) {
		int r = encode(var->value.at[i], encoding, out);

		if (r < 0)
			return err_set(e, -r, "the request is too long");
	}
	return 0;
}

int dns_template_expand(const char *text, const struct dns_vars *vars, enum dns_encoding encoding,
			struct buf *out, struct err *e)
{
	while (*text) {
		const struct dns_var *var;
		struct str name;
		bool raw;
		size_t n = variable(text, &name, &raw);
		int r;

		if (n == 0) {
			r = buf_append(out, text++, 1);
			if (r < 0)
				return err_set(e, -r, "the request is too long");
			continue;
		}
		var = dns_vars_get(vars, name);
		if (!var)
			return err_set(e, ERR_NOT_FOUND, "%.*s is not set", STR_ARG(name));
		r = append_value(var, raw || var->plain ? DNS_ENCODE_NONE : encoding, out, e);
		if (r < 0)
			return r;
		text += n;
	}
	return 0;
}
