#include "dns/naming.h"

#include <stdio.h>
#include <string.h>

#include "base/ipaddr.h"

#define LABEL_MAX  63
#define DIGITS_MAX 18

static unsigned names_of(const struct dns_provider *p)
{
	return p->names ? p->names : DNS_NAME_HOST;
}

static bool copy_host(char *to, struct str name)
{
	struct ipaddr address;

	return ipaddr_parse(name, &address) < 0 && hostname_copy(to, name) && strchr(to, '.');
}

static bool copy_wildcard(char *to, struct str name)
{
	char host[HOSTNAME_MAX];

	if (!str_starts(name, STR("*.")) || name.len > HOSTNAME_MAX - 3 ||
	    !copy_host(host, str_n(name.at + 2, name.len - 2)))
		return false;
	snprintf(to, HOSTNAME_MAX, "*.%.*s", HOSTNAME_MAX - 3, host);
	return true;
}

static bool copy_number(char *to, struct str name)
{
	for (size_t i = 0; i < name.len; i++)
		if (name.at[i] < '0' || name.at[i] > '9')
			return false;
	return name.len > 0 && name.len <= DIGITS_MAX && str_copy(to, HOSTNAME_MAX, name);
}

/* A group of names, a network: a word that somebody has chosen, so not one with a dot, which is meant
 * for a host name. */
static bool copy_label(char *to, struct str name)
{
	for (size_t i = 0; i < name.len; i++) {
		unsigned char c = (unsigned char)name.at[i];

		if (c < 0x20 || c >= 0x7f || strchr(".\"\\", c))
			return false;
	}
	return name.len > 0 && name.len <= LABEL_MAX && str_copy(to, HOSTNAME_MAX, name);
}

static bool copy_address(char *to, struct str name)
{
	struct ipaddr address;

	if (ipaddr_parse(name, &address) < 0)
		return false;
	ipaddr_format(to, &address);
	return true;
}

/* Order counts: what fits two kinds is the first. */
static const struct {
	unsigned kind;
	bool (*copy)(char *to, struct str name);
	const char *text;
} kinds[] = {
	{DNS_NAME_HOST, copy_host, "a host name"},
	{DNS_NAME_WILDCARD, copy_wildcard, "\"*.\" and a host name"},
	{DNS_NAME_NUMBER, copy_number, "a number"},
	{DNS_NAME_ADDRESS, copy_address, "an address"},
	{DNS_NAME_LABEL, copy_label, "a word"},
};

const char *dns_naming_text(char text[static DNS_NAMING_TEXT_MAX], const struct dns_provider *p)
{
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (names_of(p) & kinds[i].kind)
			n += (size_t)snprintf(text + n, DNS_NAMING_TEXT_MAX - n, "%s%s",
					      n ? " or " : "", kinds[i].text);
	return text;
}

int dns_naming_copy(char to[static HOSTNAME_MAX], const struct dns_provider *p, struct str name,
		    struct err *e)
{
	char text[DNS_NAMING_TEXT_MAX];

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if ((names_of(p) & kinds[i].kind) && kinds[i].copy(to, name))
			return 0;
	to[0] = '\0';
	return err_set(e, ERR_INVALID, "not %s, which a name at provider %s is",
		       dns_naming_text(text, p), p->name);
}

bool dns_naming_is_host(const struct dns_provider *p, struct str name)
{
	char text[HOSTNAME_MAX];

	if (p->everything && str_eq_nocase(name, str_of(p->everything)))
		return false;
	return ((names_of(p) & DNS_NAME_HOST) && copy_host(text, name)) ||
	       ((names_of(p) & DNS_NAME_WILDCARD) && copy_wildcard(text, name));
}
