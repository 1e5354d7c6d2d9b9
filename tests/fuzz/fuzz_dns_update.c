/* A name server's answer to an update, from anybody: nobody without the key can say that it is done. And the same
 * from the server itself, which has the key: it is understood, whatever else stands in it. */
#include "fuzz.h"

#include <ldns/ldns.h>
#include <stdlib.h>
#include <string.h>

#include "dns/rfc2136.h"

#define NOW ((int64_t)1800000000)

static const struct dns_key key = {.name = "homeport",
				   .secret = "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"};
static const struct dns_update_sent sent = {.id = 77, .mac = {0, 32}, .mac_len = 34};

static void check_text(const struct dns_reply *reply)
{
	if (!memchr(reply->text, '\0', sizeof(reply->text)))
		abort();
}

static void from_anybody(struct str message)
{
	struct dns_reply reply;
	struct err e = {0};

	if (dns_update_decode(&sent, &key, message, NOW, &reply, &e) < 0) {
		if (!e.text[0])
			abort();
		return;
	}
	if (dns_verdict_class(reply.verdict) == DNS_CLASS_OK)
		abort();
	check_text(&reply);
}

/* The message with the server's signature behind it, for the caller to free; NULL: it cannot have one. */
static uint8_t *sign(struct str message, size_t *ret_len, ldns_pkt_rcode *ret_rcode)
{
	ldns_rdf *mac = ldns_rdf_new_frm_data(LDNS_RDF_TYPE_INT16_DATA, sent.mac_len, sent.mac);
	ldns_pkt *pkt = NULL;
	uint8_t *wire = NULL;

	if (message.len >= 12 && message.at[10] == 0 && message.at[11] == 0 &&
	    ldns_wire2pkt(&pkt, (const uint8_t *)message.at, message.len) == LDNS_STATUS_OK) {
		ldns_pkt_set_id(pkt, sent.id);
		ldns_pkt_set_qr(pkt, true);
		ldns_pkt_set_opcode(pkt, LDNS_PACKET_UPDATE);
		*ret_rcode = ldns_pkt_get_rcode(pkt);
		if (ldns_pkt_tsig_sign(pkt, "homeport.", key.secret, 300, "hmac-sha256.", mac) !=
			    LDNS_STATUS_OK ||
		    ldns_pkt2wire(&wire, pkt, ret_len) != LDNS_STATUS_OK)
			wire = NULL;
	}
	ldns_pkt_free(pkt);
	ldns_rdf_deep_free(mac);
	return wire;
}

static void from_the_server(struct str message)
{
	ldns_pkt_rcode rcode = LDNS_RCODE_NOERROR;
	size_t len;
	uint8_t *wire = message.len < 4096 ? sign(message, &len, &rcode) : NULL;
	struct dns_reply reply;

	if (!wire)
		return;
	if (dns_update_decode(&sent, &key, str_n((const char *)wire, len), NOW, &reply, NULL) ==
	    0) {
		if ((dns_verdict_class(reply.verdict) == DNS_CLASS_OK) !=
		    (rcode == LDNS_RCODE_NOERROR))
			abort();
		check_text(&reply);
	}
	free(wire);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct str message = str_n((const char *)bytes, len);

	from_anybody(message);
	from_the_server(message);
	return 0;
}
