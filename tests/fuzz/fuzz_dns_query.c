/* A name server's answer, from anybody, and the same bytes as a file like resolv.conf: what is taken from it is a
 * name or an address. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "dns/query.h"

#define HOST "nas.home.example.org"

static void check_name(const char *name)
{
	if (!hostname_valid(str_of(name)))
		abort();
}

static void check_packet(const ldns_pkt *pkt)
{
	static const ldns_rr_type types[] = {LDNS_RR_TYPE_A, LDNS_RR_TYPE_AAAA, LDNS_RR_TYPE_CNAME,
					     LDNS_RR_TYPE_TXT};
	char servers[4][HOSTNAME_MAX], zone[HOSTNAME_MAX];
	size_t n = dns_query_servers(pkt, servers, 4);
	struct ipaddr address;

	if (n > 4)
		abort();
	for (size_t i = 0; i < n; i++)
		check_name(servers[i]);
	if (dns_query_zone(pkt, HOST, zone)) {
		check_name(zone);
		if (!str_ends_nocase(STR(HOST), str_of(zone)))
			abort();
	}
	if (dns_query_address(pkt, &address) && address.family != 4 && address.family != 6)
		abort();
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		const ldns_rr *rr = dns_query_find(ldns_pkt_answer(pkt), types[i], 0);

		if (rr && ldns_rr_get_type(rr) != types[i])
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct str message = str_n((const char *)bytes, len);
	uint16_t id = len < 2 ? 0 : (uint16_t)(bytes[0] << 8 | bytes[1]);
	ldns_pkt *pkt = dns_query_decode(message, id);
	struct ipaddr resolver;

	if (pkt)
		check_packet(pkt);
	ldns_pkt_free(pkt);
	if (dns_query_decode(message, (uint16_t)(id + 1)))
		abort(); /* the answer to another question */
	if (dns_query_parse_resolv_conf(message, &resolver) && resolver.family != 4 &&
	    resolver.family != 6)
		abort();
	return 0;
}
