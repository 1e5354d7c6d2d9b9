/*
 * What a name is to a provider: mostly a host name; at some a wildcard, a number, a word of the
 * provider's, or an address. A row says which (dns/provider.h), here it is checked, and here is known
 * which of them the DNS can be asked about.
 */
#pragma once

#include "dns/provider.h"

/*
 * The name as it is compared, sent and stored: host names in lower case without a dot at the end,
 * addresses in their shortest spelling, the rest as it stands. -ERR_INVALID: this provider has no such
 * names; e says which it has.
 */
int dns_naming_copy(char to[static HOSTNAME_MAX], const struct dns_provider *provider,
		    struct str name, struct err *e) MUST_CHECK;

/* Whether it is a name of the DNS, or "*." and one: it has a zone, and can be looked up. */
bool dns_naming_is_host(const struct dns_provider *provider, struct str name);

/* "a host name, or \"*.\" and one": what names at this provider are. Returns text. */
#define DNS_NAMING_TEXT_MAX 160
const char *dns_naming_text(char text[static DNS_NAMING_TEXT_MAX],
			    const struct dns_provider *provider);
