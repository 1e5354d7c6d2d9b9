#include "dns/choose.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/ipclass.h"

const char *dns_source_name(enum dns_source source)
{
	static const char *const names[] = {
#define X(name, word) [DNS_SOURCE_##name] = word,
		DNS_SOURCES(X)
#undef X
	};

	return names[source];
}

static bool same(const struct ipaddr *a, const struct ipaddr *b)
{
	return a->family == b->family && memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

static bool can_be_published(const struct dns_chooser *c, const struct ipaddr *a, int family)
{
	return a->family == family &&
	       (ipclass_is_public(a) ||
		(c->allow_documentation && ipclass_of(a) == IPCLASS_DOCUMENTATION));
}

void dns_chooser_report(struct dns_chooser *c, enum dns_source source, int family,
			enum dns_wish wish, const struct ipaddr *address, usec_t now)
{
	struct dns_report *r = &c->reports[family == 6][source], said = {.wish = wish};

	if (wish == DNS_WISH_ADDRESS) {
		said.address = *address;
		ipaddr_unmap(&said.address);
		said.address.port = 0;
		said.address.scope = 0;
		if (!can_be_published(c, &said.address, family))
			said = (struct dns_report){.wish = DNS_WISH_NONE};
	}
	if (said.wish != r->wish || !same(&said.address, &r->address)) {
		*r = said;
		r->since = now;
	}
	r->last = now;
}

static unsigned voices(const struct dns_report reports[static DNS_SOURCES_COUNT],
		       const struct ipaddr *address)
{
	unsigned n = 0;

	for (int s = 0; s < DNS_SOURCES_COUNT; s++)
		n += reports[s].wish == DNS_WISH_ADDRESS && same(&reports[s].address, address);
	return n;
}

/* Whether what this source says of IPv4 is to be believed by now; if not, *ret_at may tell when. */
static bool believed(const struct dns_chooser *c, enum dns_source source, usec_t now,
		     usec_t *ret_at)
{
	const struct dns_report *r = &c->reports[0][source];
	usec_t at = r->since + DNS_CHOOSE_WHILE;

	if (source == DNS_SOURCE_GATEWAY || source == DNS_SOURCE_INTERFACE ||
	    voices(c->reports[0], &r->address) >= 2 || now >= at)
		return true;
	if (!*ret_at || at < *ret_at)
		*ret_at = at;
	return false;
}

static bool take(struct dns_chooser *c, int index, enum dns_source source,
		 struct ipaddr *ret_address, enum dns_source *ret_source)
{
	c->chosen[index] = c->reports[index][source].address;
	*ret_address = c->chosen[index];
	*ret_source = source;
	return true;
}

static bool decide4(struct dns_chooser *c, usec_t now, struct ipaddr *ret_address,
		    enum dns_source *ret_source, usec_t *ret_at)
{
	for (int s = 0; s < DNS_SOURCES_COUNT; s++)
		if (c->reports[0][s].wish == DNS_WISH_ADDRESS &&
		    believed(c, (enum dns_source)s, now, ret_at))
			return take(c, 0, (enum dns_source)s, ret_address, ret_source);
	for (int s = 0; s < DNS_SOURCES_COUNT; s++)
		if (c->reports[0][s].wish == DNS_WISH_ADDRESS &&
		    same(&c->reports[0][s].address, &c->chosen[0]))
			return take(c, 0, (enum dns_source)s, ret_address, ret_source);
	return false;
}

static enum dns_wish decide6(struct dns_chooser *c, usec_t now, struct ipaddr *ret_address,
			     enum dns_source *ret_source, usec_t *ret_at)
{
	const struct dns_report *r = &c->reports[1][DNS_SOURCE_INTERFACE];

	if (r->wish == DNS_WISH_ADDRESS) {
		take(c, 1, DNS_SOURCE_INTERFACE, ret_address, ret_source);
		return DNS_WISH_ADDRESS;
	}
	if (r->wish != DNS_WISH_NONE)
		return DNS_WISH_UNKNOWN;
	if (now >= r->since + DNS_CHOOSE_NONE)
		return DNS_WISH_NONE;
	*ret_at = r->since + DNS_CHOOSE_NONE;
	return DNS_WISH_UNKNOWN;
}

enum dns_wish dns_chooser_decide(struct dns_chooser *c, int family, usec_t now,
				 struct ipaddr *ret_address, enum dns_source *ret_source,
				 usec_t *ret_at)
{
	*ret_at = 0;
	if (family == 6)
		return decide6(c, now, ret_address, ret_source, ret_at);
	return decide4(c, now, ret_address, ret_source, ret_at) ? DNS_WISH_ADDRESS
								: DNS_WISH_UNKNOWN;
}

bool dns_suffix_apply(const struct ipaddr *ours, unsigned prefix_bits, const struct ipaddr *suffix,
		      struct ipaddr *ret)
{
	struct ipaddr made = {.family = 6};

	if (ours->family != 6 || suffix->family != 6 || prefix_bits > 64)
		return false;
	for (unsigned i = 0; i < 16; i++) {
		unsigned bits = prefix_bits > 8 * i ? MIN(prefix_bits - 8 * i, 8u) : 0;
		uint8_t mask = (uint8_t)(0xff00u >> bits);

		made.bytes[i] = (uint8_t)((ours->bytes[i] & mask) | (suffix->bytes[i] & ~mask));
	}
	*ret = made;
	return true;
}
