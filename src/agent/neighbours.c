#include "agent/neighbours.h"

#include <net/if.h>
#include <string.h>

static const char *const private[] = {
	"127.0.0.0/8",	  "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16",
	"169.254.0.0/16", "::1",	"fe80::/10",	 "fc00::/7",
};

static unsigned count_bits(const struct ipaddr *mask)
{
	unsigned n = 0;

	for (unsigned i = 0; i < (mask->family == 4 ? 4 : 16); i++)
		n += (unsigned)__builtin_popcount(mask->bytes[i]);
	return n;
}

static bool prefix_of(const struct ifaddrs *i, struct cidr *ret)
{
	struct ipaddr mask;

	if (!i->ifa_addr || !i->ifa_netmask || !(i->ifa_flags & IFF_UP))
		return false;
	if (i->ifa_addr->sa_family != AF_INET && i->ifa_addr->sa_family != AF_INET6)
		return false;
	ipaddr_from_sockaddr(&ret->addr, i->ifa_addr);
	ipaddr_from_sockaddr(&mask, i->ifa_netmask);
	if (mask.family != ret->addr.family)
		return false;
	ret->bits = (uint8_t)count_bits(&mask);
	ret->addr.port = 0;
	ret->addr.scope = 0;
	for (size_t k = 0; k < sizeof(mask.bytes); k++)
		ret->addr.bytes[k] &= mask.bytes[k];
	return ret->bits > 0; /* a tunnel to everywhere has no neighbours */
}

void neighbours_read(struct neighbours *ret, const struct ifaddrs *all)
{
	ret->n = 0;
	for (const struct ifaddrs *i = all; i && ret->n < NEIGHBOURS_MAX; i = i->ifa_next)
		if (prefix_of(i, &ret->prefixes[ret->n]))
			ret->n++;
}

void neighbours_find(struct neighbours *ret)
{
	struct ifaddrs *all = NULL;

	if (getifaddrs(&all) < 0)
		all = NULL;
	neighbours_read(ret, all);
	if (all)
		freeifaddrs(all);
}

bool neighbours_include(const struct neighbours *neighbours, const struct ipaddr *addr)
{
	struct cidr cidr;

	for (size_t i = 0; i < ARRAY_LEN(private); i++)
		if (cidr_parse(str_of(private[i]), &cidr, NULL) == 0 && cidr_contains(&cidr, addr))
			return true;
	return cidr_list_contains(neighbours->prefixes, neighbours->n, addr);
}
