#include "dns/query.h"

#include <stdio.h>
#include <string.h>

#include "base/rand.h"

#define HEADER_LEN	12
#define RESOLV_CONF	"/etc/resolv.conf"
#define RESOLV_CONF_MAX 16384

/* ── messages ── */

int dns_query_encode(const char *name, ldns_rr_type type, bool recursion, struct buf *out,
		     uint16_t *ret_id)
{
	char dotted[HOSTNAME_MAX + 1];
	ldns_rdf *owner = NULL;
	ldns_pkt *pkt = NULL;
	uint8_t *wire = NULL;
	int r = -ERR_INVALID;
	uint16_t id;
	size_t len;

	snprintf(dotted, sizeof(dotted), "%s.", name);
	rand_bytes(&id, sizeof(id));
	if (ldns_str2rdf_dname(&owner, dotted) == LDNS_STATUS_OK)
		pkt = ldns_pkt_query_new(owner, type, LDNS_RR_CLASS_IN, recursion ? LDNS_RD : 0);
	if (!pkt) {
		ldns_rdf_deep_free(owner);
		return r;
	}
	ldns_pkt_set_id(pkt, id);
	if (ldns_pkt2wire(&wire, pkt, &len) == LDNS_STATUS_OK)
		r = buf_append(out, wire, len);
	free(wire);
	ldns_pkt_free(pkt); /* and the owner */
	if (r == 0)
		*ret_id = id;
	return r;
}

/* Nothing behind the sections is used, and ldns leaks a TSIG or OPT record when another one follows. */
ldns_pkt *dns_query_decode(struct str message, uint16_t id)
{
	AUTO(buf_donep) struct buf plain = {0};
	ldns_pkt *pkt = NULL;
	uint8_t *at;

	if (message.len < HEADER_LEN || buf_append_str(&plain, message) < 0)
		return NULL;
	at = buf_head(&plain);
	if (!at)
		return NULL;
	at[10] = at[11] = 0; /* ARCOUNT */
	if (ldns_wire2pkt(&pkt, at, buf_len(&plain)) != LDNS_STATUS_OK)
		return NULL;
	if (ldns_pkt_id(pkt) == id && ldns_pkt_qr(pkt))
		return pkt;
	ldns_pkt_free(pkt);
	return NULL;
}

bool dns_query_name(const ldns_rdf *name, char to[static HOSTNAME_MAX])
{
	char *text = name ? ldns_rdf2str(name) : NULL;
	bool good = text && hostname_copy(to, str_of(text));

	free(text);
	return good;
}

const ldns_rr *dns_query_find(const ldns_rr_list *list, ldns_rr_type type, size_t nth)
{
	for (size_t i = 0; list && i < ldns_rr_list_rr_count(list); i++) {
		const ldns_rr *rr = ldns_rr_list_rr(list, i);

		if (ldns_rr_get_type(rr) == type && nth-- == 0)
			return rr;
	}
	return NULL;
}

bool dns_query_zone(const ldns_pkt *pkt, const char *host, char zone[static HOSTNAME_MAX])
{
	const ldns_rr *soa = dns_query_find(ldns_pkt_answer(pkt), LDNS_RR_TYPE_SOA, 0);
	struct str h = str_of(host), z;

	if (!soa)
		soa = dns_query_find(ldns_pkt_authority(pkt), LDNS_RR_TYPE_SOA, 0);
	if (!soa || !dns_query_name(ldns_rr_owner(soa), zone))
		return false;
	z = str_of(zone);
	return str_ends_nocase(h, z) && (h.len == z.len || h.at[h.len - z.len - 1] == '.');
}

size_t dns_query_servers(const ldns_pkt *pkt, char (*servers)[HOSTNAME_MAX], size_t max)
{
	const ldns_rr *ns;
	size_t n = 0;

	for (size_t i = 0;
	     n < max && (ns = dns_query_find(ldns_pkt_answer(pkt), LDNS_RR_TYPE_NS, i)); i++)
		n += dns_query_name(ldns_rr_rdf(ns, 0), servers[n]);
	return n;
}

bool dns_query_address(const ldns_pkt *pkt, struct ipaddr *ret)
{
	const ldns_rr *rr = dns_query_find(ldns_pkt_answer(pkt), LDNS_RR_TYPE_A, 0);
	const ldns_rdf *data;

	if (!rr)
		rr = dns_query_find(ldns_pkt_answer(pkt), LDNS_RR_TYPE_AAAA, 0);
	data = rr ? ldns_rr_rdf(rr, 0) : NULL;
	if (!data || (ldns_rdf_size(data) != 4 && ldns_rdf_size(data) != 16))
		return false;
	*ret = (struct ipaddr){.family = ldns_rdf_size(data) == 4 ? 4 : 6};
	memcpy(ret->bytes, ldns_rdf_data(data), ldns_rdf_size(data));
	return true;
}

/* ── the system's resolver ── */

bool dns_query_resolver(struct sock_addr *ret)
{
	char text[RESOLV_CONF_MAX];
	FILE *f = fopen(RESOLV_CONF, "re");
	size_t n = f ? fread(text, 1, sizeof(text), f) : 0;

	if (f)
		fclose(f);
	*ret = (struct sock_addr){0};
	if (!dns_query_parse_resolv_conf(str_n(text, n), &ret->ip))
		return false;
	ret->ip.port = DNS_QUERY_PORT;
	return true;
}

bool dns_query_parse_resolv_conf(struct str text, struct ipaddr *ret)
{
	while (text.len) {
		struct str line = str_split(&text, '\n'), word = str_split(&line, ' ');
		ptrdiff_t zone;

		if (str_find(word, '\t') >= 0) {
			line = word;
			word = str_split(&line, '\t');
		}
		if (!str_eq(word, STR("nameserver")))
			continue;
		line = str_trim(line);
		zone = str_find(line, '%');
		if (zone < 0 && ipaddr_parse(line, ret) == 0)
			return true;
	}
	return false;
}
