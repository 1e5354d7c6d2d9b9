#include "base/ipclass.h"

#include "base/cidr.h"
#include "base/cleanup.h"

/*
 * The registries' rows, those that are globally reachable but belong to no machine (anycast of
 * RFC 7723, 7535, 8155, …) as RESERVED. What is inside another row stands before it: the first that
 * matches is it.
 */
#define V4(a, b, c, d, n)                                                                          \
	{                                                                                          \
		.addr = {.family = 4, .bytes = {a, b, c, d}}, .bits = n                            \
	}
#define HEX(group) (group) >> 8, (group)&0xff
#define V6(a, b, c, d, n)                                                                          \
	{                                                                                          \
		.addr = {.family = 6, .bytes = {HEX(a), HEX(b), HEX(c), HEX(d)}}, .bits = n        \
	}

static const struct row {
	struct cidr cidr;
	enum ipclass class;
} rows[] = {
	{V4(0, 0, 0, 0, 32), IPCLASS_UNSPECIFIED},
	{V4(0, 0, 0, 0, 8), IPCLASS_RESERVED},
	{V4(10, 0, 0, 0, 8), IPCLASS_PRIVATE},
	{V4(100, 64, 0, 0, 10), IPCLASS_CGNAT},
	{V4(127, 0, 0, 0, 8), IPCLASS_LOOPBACK},
	{V4(169, 254, 0, 0, 16), IPCLASS_LINK_LOCAL},
	{V4(172, 16, 0, 0, 12), IPCLASS_PRIVATE},
	{V4(192, 0, 0, 0, 29), IPCLASS_DSLITE},
	{V4(192, 0, 0, 0, 24), IPCLASS_RESERVED}, /* IETF protocol assignments */
	{V4(192, 0, 2, 0, 24), IPCLASS_DOCUMENTATION},
	{V4(192, 31, 196, 0, 24), IPCLASS_RESERVED}, /* AS112 */
	{V4(192, 52, 193, 0, 24), IPCLASS_RESERVED}, /* AMT */
	{V4(192, 88, 99, 0, 24), IPCLASS_6TO4},	     /* its relays' anycast */
	{V4(192, 168, 0, 0, 16), IPCLASS_PRIVATE},
	{V4(192, 175, 48, 0, 24), IPCLASS_RESERVED}, /* AS112, direct delegation */
	{V4(198, 18, 0, 0, 15), IPCLASS_BENCHMARK},
	{V4(198, 51, 100, 0, 24), IPCLASS_DOCUMENTATION},
	{V4(203, 0, 113, 0, 24), IPCLASS_DOCUMENTATION},
	{V4(224, 0, 0, 0, 4), IPCLASS_MULTICAST},
	{V4(240, 0, 0, 0, 4), IPCLASS_RESERVED}, /* broadcast too */
	{V4(0, 0, 0, 0, 0), IPCLASS_PUBLIC},

	{V6(0, 0, 0, 0, 128), IPCLASS_UNSPECIFIED},
	{{.addr = {.family = 6, .bytes = {[15] = 1}}, .bits = 128}, IPCLASS_LOOPBACK},
	{V6(0x64, 0xff9b, 0, 0, 96), IPCLASS_NAT64},
	{V6(0x64, 0xff9b, 1, 0, 48), IPCLASS_NAT64},
	{V6(0x100, 0, 0, 0, 64), IPCLASS_DISCARD},
	{V6(0x2001, 0, 0, 0, 32), IPCLASS_TEREDO},
	{V6(0x2001, 2, 0, 0, 48), IPCLASS_BENCHMARK},
	{V6(0x2001, 0x10, 0, 0, 28), IPCLASS_ORCHID}, /* the first, withdrawn */
	{V6(0x2001, 0x20, 0, 0, 28), IPCLASS_ORCHID},
	{V6(0x2001, 0x30, 0, 0, 28), IPCLASS_ORCHID}, /* drones' remote identifiers */
	{V6(0x2001, 0, 0, 0, 23), IPCLASS_RESERVED},  /* IETF protocol assignments */
	{V6(0x2001, 0xdb8, 0, 0, 32), IPCLASS_DOCUMENTATION},
	{V6(0x2002, 0, 0, 0, 16), IPCLASS_6TO4},
	{V6(0x2620, 0x4f, 0x8000, 0, 48), IPCLASS_RESERVED}, /* AS112, direct delegation */
	{V6(0x3fff, 0, 0, 0, 20), IPCLASS_DOCUMENTATION},
	{V6(0x2000, 0, 0, 0, 3), IPCLASS_PUBLIC},
	{V6(0xfc00, 0, 0, 0, 7), IPCLASS_ULA},
	{V6(0xfe80, 0, 0, 0, 10), IPCLASS_LINK_LOCAL},
	{V6(0xff00, 0, 0, 0, 8), IPCLASS_MULTICAST},
	{V6(0, 0, 0, 0, 0), IPCLASS_RESERVED}, /* nothing else is given out */
};

enum ipclass ipclass_of(const struct ipaddr *a)
{
	struct ipaddr plain = *a;

	ipaddr_unmap(&plain);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (cidr_contains(&rows[i].cidr, &plain))
			return rows[i].class;
	return IPCLASS_NONE;
}

bool ipclass_is_public(const struct ipaddr *a)
{
	return ipclass_of(a) == IPCLASS_PUBLIC;
}

const char *ipclass_name(enum ipclass class)
{
	static const char *const names[] = {
#define X(name, word, words) [IPCLASS_##name] = word,
		IPCLASSES(X)
#undef X
	};

	return names[class];
}

const char *ipclass_words(enum ipclass class)
{
	static const char *const texts[] = {
#define X(name, word, words) [IPCLASS_##name] = words,
		IPCLASSES(X)
#undef X
	};

	return texts[class];
}
