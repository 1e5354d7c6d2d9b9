#include "base/cidr.h"

#include <stdio.h>

#define MAPPED_BITS 96 /* of ::ffff:0:0/96 */

static unsigned width(const struct ipaddr *addr)
{
	return addr->family == 4 ? 32 : 128;
}

/* The bits of byte i that count. */
static uint8_t mask(unsigned bits, unsigned i)
{
	if (bits >= 8 * (i + 1))
		return 0xff;
	return bits <= 8 * i ? 0 : (uint8_t)(0xff << (8 - bits % 8));
}

static int parse_bits(struct str s, struct str digits, struct ipaddr *addr, uint8_t *ret)
{
	bool mapped = addr->family == 4 && str_find(s, ':') >= 0;
	uint64_t bits;

	if (digits.len == 0 || digits.len > 3 || (digits.len > 1 && digits.at[0] == '0') ||
	    !str_to_u64(digits, mapped ? 128 : width(addr), &bits) ||
	    (mapped && bits < MAPPED_BITS))
		return -ERR_INVALID;
	*ret = (uint8_t)(mapped ? bits - MAPPED_BITS : bits);
	return 0;
}

int cidr_parse(struct str s, struct cidr *ret, struct err *e)
{
	ptrdiff_t slash = str_find(s, '/');
	struct str host = slash < 0 ? s : str_n(s.at, (size_t)slash);
	char text[CIDR_TEXT_MAX];
	struct cidr cidr = {0}, meant;
	int r;

	r = host.len && host.at[0] != '[' ? ipaddr_parse(host, &cidr.addr) : -ERR_INVALID;
	if (r == 0 && slash < 0)
		cidr.bits = (uint8_t)width(&cidr.addr);
	else if (r == 0)
		r = parse_bits(host, str_n(s.at + slash + 1, s.len - (size_t)slash - 1), &cidr.addr,
			       &cidr.bits);
	if (r < 0)
		return err_set(
			e, ERR_INVALID,
			"%.*s is no network such as 192.168.0.0/16 or 2001:db8::/32, and no address",
			(int)MIN(s.len, CIDR_TEXT_MAX), s.at);
	meant = cidr;
	for (unsigned i = 0; i < sizeof(meant.addr.bytes); i++)
		meant.addr.bytes[i] &= mask(cidr.bits, i);
	if (!ipaddr_equal(&meant.addr, &cidr.addr))
		return err_set(e, ERR_INVALID, "%.*s has bits behind its prefix: is %s meant?", STR_ARG(s),
			       cidr_format(text, &meant));
	*ret = cidr;
	return 0;
}

const char *cidr_format(char text[static CIDR_TEXT_MAX], const struct cidr *cidr)
{
	char addr[IPADDR_TEXT_MAX];

	ipaddr_format(addr, &cidr->addr);
	if (cidr->bits == width(&cidr->addr))
		snprintf(text, CIDR_TEXT_MAX, "%.47s", addr);
	else
		snprintf(text, CIDR_TEXT_MAX, "%.47s/%u", addr, cidr->bits);
	return text;
}

bool cidr_contains(const struct cidr *cidr, const struct ipaddr *addr)
{
	if (addr->family != cidr->addr.family)
		return false;
	for (unsigned i = 0; i < width(addr) / 8; i++)
		if ((addr->bytes[i] & mask(cidr->bits, i)) != cidr->addr.bytes[i])
			return false;
	return true;
}

bool cidr_equal(const struct cidr *a, const struct cidr *b)
{
	return a->bits == b->bits && ipaddr_equal(&a->addr, &b->addr);
}

bool cidr_list_contains(const struct cidr *list, size_t n, const struct ipaddr *addr)
{
	for (size_t i = 0; i < n; i++)
		if (cidr_contains(&list[i], addr))
			return true;
	return false;
}
