/*
 * Texts with variables: "{name}" is replaced by its value, encoded for the place where it stands;
 * "{raw:name}" by the value as it is. Braces that hold no name are ordinary text, so JSON needs no
 * escaping.
 *
 *	https://members.dyndns.org/v3/update?hostname={host}&myip={ip4}
 *	{"type":"{type}","content":"{value}"}
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#define DNS_VARS_MAX	  24
#define DNS_VAR_NAME_MAX  16
#define DNS_EXPANDED_MAX  8192
#define DNS_VAR_VALUE_MAX 1024

enum dns_encoding {
	DNS_ENCODE_NONE,    /* headers and passwords: no control characters */
	DNS_ENCODE_PERCENT, /* URLs and forms (RFC 3986 §2.3: all but unreserved characters) */
	DNS_ENCODE_JSON,    /* inside a string */
	DNS_ENCODE_XML,
};

struct dns_var {
	const char *name;
	struct str value; /* borrowed */
	bool plain;	  /* never encoded: addresses, whose ":" may stand in a query */
};

struct dns_vars {
	struct dns_var at[DNS_VARS_MAX];
	size_t n;
};

/* Set or replace; a value without text is taken away. */
void dns_vars_set(struct dns_vars *vars, const char *name, struct str value);
void dns_vars_set_plain(struct dns_vars *vars, const char *name, struct str value);

/* NULL: not set. */
const struct dns_var *dns_vars_get(const struct dns_vars *vars, struct str name);

/*
 * Append the text to out. -ERR_NOT_FOUND: a variable is not set, e names it; -ERR_INVALID: a value
 * has control characters, where they cannot stand; -ERR_LIMIT; -ERR_NOMEM.
 */
int dns_template_expand(const char *text, const struct dns_vars *vars, enum dns_encoding encoding,
			struct buf *out, struct err *e) MUST_CHECK;

/* Whether the text has a variable of that name. */
bool dns_template_uses(const char *text, const char *name);
