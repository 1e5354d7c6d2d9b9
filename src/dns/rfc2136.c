#include "dns/rfc2136.h"

#include <ldns/ldns.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"

/* What ldns can: of SHA-2 not the other two. */
static const char *const algorithms[] = {"hmac-sha256", "hmac-sha512", "hmac-sha1"};

int dns_key_parse(const char *user, char text[static HOSTNAME_MAX + 16], struct dns_key *ret,
		  struct err *e)
{
	const char *algorithm = algorithms[0];
	struct str name = str_of(user);
	ptrdiff_t colon = str_find(name, ':');

	if (colon >= 0) {
		struct str wanted = str_split(&name, ':');

		algorithm = NULL;
		for (size_t i = 0; i < ARRAY_LEN(algorithms); i++)
			if (str_eq_nocase(wanted, str_of(algorithms[i])))
				algorithm = algorithms[i];
		if (!algorithm)
			return err_set(e, ERR_INVALID,
				       "%.*s is no algorithm of a key (hmac-sha256 is)",
				       STR_ARG(wanted));
	}
	if (name.len && name.at[name.len - 1] == '.')
		name.len--;
	if (!hostname_valid(name) || !str_copy(text, HOSTNAME_MAX + 16, name))
		return err_set(e, ERR_INVALID, "\"%.*s\" is no name of a key", STR_ARG(name));
	ret->name = text;
	ret->algorithm = algorithm;
	return 0;
}

/* ldns wants a dot behind it. False: it does not fit. */
static bool with_dot(char to[static HOSTNAME_MAX + 32], const char *text)
{
	size_t len = strlen(text);

	if (len == 0 || len > HOSTNAME_MAX)
		return false;
	snprintf(to, HOSTNAME_MAX + 32, "%s%s", text, text[len - 1] == '.' ? "" : ".");
	return true;
}

static ldns_rdf *name_of(const char *text)
{
	char dotted[HOSTNAME_MAX + 32];
	ldns_rdf *name = NULL;

	if (!with_dot(dotted, text) || ldns_str2rdf_dname(&name, dotted) != LDNS_STATUS_OK)
		return NULL;
	return name;
}

/* ── encoding ── */

static ldns_rr *empty_rr(const char *host, ldns_rr_type type, ldns_rr_class class, unsigned ttl)
{
	ldns_rdf *owner = name_of(host);
	ldns_rr *rr = owner ? ldns_rr_new() : NULL;

	if (!rr) {
		ldns_rdf_deep_free(owner);
		return NULL;
	}
	ldns_rr_set_owner(rr, owner);
	ldns_rr_set_type(rr, type);
	ldns_rr_set_class(rr, class);
	ldns_rr_set_ttl(rr, ttl);
	ldns_rr_set_rd_count(rr, 0);
	return rr;
}

static ldns_rdf *data_of(const struct dns_change *c)
{
	uint8_t text[256];
	size_t len;

	if (c->address.family == 4)
		return ldns_rdf_new_frm_data(LDNS_RDF_TYPE_A, 4, c->address.bytes);
	if (c->address.family == 6)
		return ldns_rdf_new_frm_data(LDNS_RDF_TYPE_AAAA, 16, c->address.bytes);
	len = c->txt ? strlen(c->txt) : 256;
	if (len > 255)
		return NULL;
	text[0] = (uint8_t)len;
	memcpy(text + 1, c->txt, len);
	return ldns_rdf_new_frm_data(LDNS_RDF_TYPE_STR, len + 1, text);
}

static bool push(ldns_rr_list *list, ldns_rr *rr)
{
	if (rr && ldns_rr_list_push_rr(list, rr))
		return true;
	ldns_rr_free(rr);
	return false;
}

/* rr NULL: no memory, or what it was made from was wrong. */
static bool push_with_data(ldns_rr_list *list, ldns_rr *rr, const struct dns_change *c)
{
	ldns_rdf *data = rr ? data_of(c) : NULL;

	if (!data || !ldns_rr_push_rdf(rr, data)) {
		ldns_rdf_deep_free(data);
		ldns_rr_free(rr);
		return false;
	}
	return push(list, rr);
}

/* A text beside others: add it, or delete that one record (RFC 2136 §2.5.1, §2.5.4). */
static bool push_text(ldns_rr_list *list, const struct dns_change *c)
{
	ldns_rr_class class = c->remove ? LDNS_RR_CLASS_NONE : LDNS_RR_CLASS_IN;

	return push_with_data(
		list, empty_rr(c->host, LDNS_RR_TYPE_TXT, class, c->remove ? 0 : c->ttl_s), c);
}

/* In 0.0.0.0/8 and 100::/64 (RFC 6666): nobody's. */
static const struct ipaddr nobodys4 = {.family = 4, .bytes = {0, 104, 111, 109}};
static const struct ipaddr nobodys6 = {.family = 6,
				       .bytes = {1, 0, 0, 0, 0, 0, 0, 0, 104, 111, 109, 101}};

static bool push_nothing(ldns_rr_list *list, const struct dns_change *c, ldns_rr_type type)
{
	struct dns_change of_nobody = {.address = c->address.family == 4 ? nobodys4 : nobodys6};

	return push_with_data(list, empty_rr(c->host, type, LDNS_RR_CLASS_NONE, 0), &of_nobody);
}

/* Delete the record set, and add the one record (RFC 2136 §2.5.2, §2.5.1). */
static bool push_address(ldns_rr_list *list, const struct dns_change *c)
{
	ldns_rr_type type = c->address.family == 4 ? LDNS_RR_TYPE_A : LDNS_RR_TYPE_AAAA;

	if (c->nothing)
		return push_nothing(list, c, type);
	if (!push(list, empty_rr(c->host, type, LDNS_RR_CLASS_ANY, 0)))
		return false;
	return c->remove ||
	       push_with_data(list, empty_rr(c->host, type, LDNS_RR_CLASS_IN, c->ttl_s), c);
}

/* There is no alias (RFC 2136 §2.4.3). Beside one a record is "silently ignored", and the server says
 * that all is done (§3.4.2.2). Once for changes of one host that follow each other. */
static bool push_no_alias(ldns_rr_list *list, const struct dns_change *changes, size_t i)
{
	if (changes[i].remove ||
	    (i > 0 && !changes[i - 1].remove && strcmp(changes[i].host, changes[i - 1].host) == 0))
		return true;
	return push(list, empty_rr(changes[i].host, LDNS_RR_TYPE_CNAME, LDNS_RR_CLASS_NONE, 0));
}

static ldns_pkt *packet_of(const char *zone, const struct dns_change *changes, size_t n)
{
	ldns_rr_list *required = ldns_rr_list_new(), *list = ldns_rr_list_new();
	ldns_rdf *name = name_of(zone);
	ldns_pkt *pkt = NULL;
	bool good = required && list && name;

	for (size_t i = 0; i < n && good; i++)
		good = push_no_alias(required, changes, i) &&
		       (changes[i].address.family ? push_address(list, &changes[i])
						  : push_text(list, &changes[i]));
	if (good) {
		pkt = ldns_update_pkt_new(name, LDNS_RR_CLASS_IN, required, list, NULL);
		name = pkt ? NULL : name; /* it is the packet's now */
	}
	ldns_rdf_deep_free(name);
	ldns_rr_list_deep_free(required);
	ldns_rr_list_deep_free(list);
	return pkt;
}

/* Base64 as RFC 4648 §4 has it; ldns leaks when it is none. */
static bool secret_valid(const char *secret)
{
	size_t len = strlen(secret),
	       n = strspn(secret, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrst"
				  "uvwxyz0123456789+/");

	return n > 0 && len % 4 == 0 && len - n <= 2 && strspn(secret + n, "=") == len - n;
}

static int sign(ldns_pkt *pkt, const struct dns_key *key, struct dns_update_sent *sent,
		struct err *e)
{
	char name[HOSTNAME_MAX + 32], algorithm[HOSTNAME_MAX + 32];
	const ldns_rdf *mac;

	if (!secret_valid(key->secret) || !with_dot(name, key->name) ||
	    !with_dot(algorithm, key->algorithm ? key->algorithm : algorithms[0]) ||
	    ldns_pkt_tsig_sign(pkt, name, key->secret, DNS_UPDATE_FUDGE_S, algorithm, NULL) !=
		    LDNS_STATUS_OK)
		return err_set(e, ERR_INVALID,
			       "the key's secret is not base64, or its name is none");
	mac = ldns_rr_rdf(ldns_pkt_tsig(pkt), 3);
	sent->mac_len = ldns_rdf_size(mac); /* with its own length in front */
	if (sent->mac_len > sizeof(sent->mac))
		return err_set(e, ERR_INVALID, "the key's algorithm is not known");
	memcpy(sent->mac, ldns_rdf_data(mac), sent->mac_len);
	return 0;
}

#define FIXED_LEN (12 + 2 * (HOSTNAME_MAX + 32) + 128) /* header, zone, TSIG */
#define RR_LEN	  (2 + 10)			       /* around name and data */

/* The most it can be: no name is shortened. ldns aborts the process when a message grows too long. */
static size_t length_max(const struct dns_change *changes, size_t n)
{
	size_t len = FIXED_LEN;

	for (size_t i = 0; i < n; i++)
		len += 3 * (strlen(changes[i].host) + RR_LEN) +
		       (changes[i].txt ? 1 + strlen(changes[i].txt) : 16);
	return len;
}

int dns_update_encode(const char *zone, const struct dns_change *changes, size_t n,
		      const struct dns_key *key, uint16_t id, struct buf *out,
		      struct dns_update_sent *ret_sent, struct err *e)
{
	struct dns_update_sent sent = {.id = id};
	uint8_t *wire = NULL;
	ldns_pkt *pkt;
	size_t len;
	int r;

	if (n > DNS_UPDATE_CHANGES_MAX)
		return err_set(e, ERR_LIMIT, "more than %d changes at once",
			       DNS_UPDATE_CHANGES_MAX);
	if (length_max(changes, n) > UINT16_MAX)
		return err_set(e, ERR_LIMIT, "the message is too long");
	pkt = packet_of(zone, changes, n);
	if (!pkt)
		return err_set(e, ERR_INVALID, "zone %s: a name or text cannot stand in the DNS",
			       zone);
	ldns_pkt_set_id(pkt, id);
	r = sign(pkt, key, &sent, e);
	if (r == 0 && ldns_pkt2wire(&wire, pkt, &len) != LDNS_STATUS_OK)
		r = err_set(e, ERR_NOMEM, "message");
	if (r == 0 && buf_append(out, wire, len) < 0)
		r = err_set(e, ERR_NOMEM, "message");
	if (r == 0)
		*ret_sent = sent;
	free(wire);
	ldns_pkt_free(pkt);
	return r;
}

/* ── decoding ── */

#define TSIG_BADSIG   16
#define TSIG_BADKEY   17
#define TSIG_BADTIME  18
#define TSIG_BADTRUNC 22

static uint64_t number(const uint8_t *at, size_t bytes)
{
	uint64_t n = 0;

	while (bytes--)
		n = n << 8 | *at++;
	return n;
}

/* The error of the TSIG record, 0: none. Its "other data", with BADTIME, is the server's time. */
static unsigned tsig_error(const ldns_rr *tsig, int64_t *ret_time)
{
	const ldns_rdf *error = ldns_rr_rdf(tsig, 5), *other = ldns_rr_rdf(tsig, 6);

	*ret_time = 0;
	if (!error || ldns_rdf_size(error) != 2)
		return 0;
	if (other && ldns_rdf_size(other) == 2 + 6)
		*ret_time = (int64_t)number(ldns_rdf_data(other) + 2, 6);
	return (unsigned)number(ldns_rdf_data(error), 2);
}

static void tell_time(struct dns_reply *reply, int64_t server_s, int64_t now_s)
{
	int64_t ahead = now_s - server_s;

	if (server_s)
		snprintf(reply->text, sizeof(reply->text),
			 "this machine's clock is %lld s %s the server's",
			 (long long)(ahead < 0 ? -ahead : ahead),
			 ahead < 0 ? "behind" : "ahead of");
}

/* What a TSIG error means; true: it is one. */
static bool read_tsig_error(unsigned error, int64_t server_s, int64_t now_s,
			    struct dns_reply *reply)
{
	switch (error) {
	case TSIG_BADSIG:
	case TSIG_BADTRUNC:
		reply->verdict = DNS_BADSIG;
		return true;
	case TSIG_BADKEY:
		reply->verdict = DNS_BADKEY;
		return true;
	case TSIG_BADTIME:
		reply->verdict = DNS_TIME;
		tell_time(reply, server_s, now_s);
		return true;
	default:
		return false;
	}
}

static void read_rcode(unsigned rcode, struct dns_reply *reply)
{
	static const struct {
		unsigned rcode;
		enum dns_verdict verdict;
		const char *text;
	} codes[] = {
		{LDNS_RCODE_NOERROR, DNS_GOOD, ""},
		{LDNS_RCODE_FORMERR, DNS_REFUSED, "FORMERR"},
		{LDNS_RCODE_SERVFAIL, DNS_SERVER, "SERVFAIL"},
		{LDNS_RCODE_NOTIMPL, DNS_REFUSED, "NOTIMP: the server takes no updates"},
		{LDNS_RCODE_YXRRSET, DNS_REFUSED,
		 "YXRRSET: the name is an alias (CNAME); no other record can be beside it"},
		{LDNS_RCODE_REFUSED, DNS_REFUSED,
		 "REFUSED: not allowed by the server's policy (of PowerDNS: or a wrong key or clock)"},
		{LDNS_RCODE_NOTAUTH, DNS_REFUSED, "NOTAUTH: the server does not have this zone"},
		{LDNS_RCODE_NOTZONE, DNS_NOHOST, "NOTZONE: the name is not in the zone"},
	};

	reply->verdict = DNS_UNKNOWN;
	snprintf(reply->text, sizeof(reply->text), "rcode %u", rcode);
	for (size_t i = 0; i < ARRAY_LEN(codes); i++)
		if (codes[i].rcode == rcode) {
			reply->verdict = codes[i].verdict;
			snprintf(reply->text, sizeof(reply->text), "%s", codes[i].text);
		}
}

/* Whether it is signed by the key's own algorithm. ldns would leak a record with one it does not
 * know. */
static bool same_algorithm(const ldns_rr *tsig, const struct dns_key *key)
{
	char name[HOSTNAME_MAX + 32];
	char *text = ldns_rdf2str(ldns_rr_rdf(tsig, 0));
	bool same = text && with_dot(name, key->algorithm ? key->algorithm : algorithms[0]) &&
		    strcasecmp(text, name) == 0;

	free(text);
	return same;
}

/* Whether the TSIG of the answer is right, with the request's MAC in front. */
static bool verified(ldns_pkt *pkt, struct str message, const struct dns_update_sent *sent,
		     const struct dns_key *key)
{
	char name[HOSTNAME_MAX + 32];
	ldns_rr *tsig = ldns_pkt_tsig(pkt);
	ldns_rdf *mac = ldns_rdf_new_frm_data(LDNS_RDF_TYPE_INT16_DATA, sent->mac_len, sent->mac);
	bool good = mac && with_dot(name, key->name) &&
		    ldns_pkt_tsig_verify(pkt, (const uint8_t *)message.at, message.len, name,
					 key->secret, mac);

	ldns_rdf_deep_free(mac);
	if (!ldns_pkt_tsig(pkt)) /* taken off while it worked, and not put back */
		ldns_pkt_set_tsig(pkt, tsig);
	return good;
}

static int read_packet(ldns_pkt *pkt, const struct dns_update_sent *sent, const struct dns_key *key,
		       struct str message, int64_t now_s, struct dns_reply *ret, struct err *e)
{
	ldns_rr *tsig = ldns_pkt_tsig(pkt);
	struct dns_reply reply = {.verdict = DNS_UNKNOWN};
	int64_t server_s = 0;
	unsigned error;

	if (ldns_pkt_id(pkt) != sent->id || !ldns_pkt_qr(pkt) ||
	    ldns_pkt_get_opcode(pkt) != LDNS_PACKET_UPDATE)
		return err_set(e, ERR_INVALID, "not the answer to this message");
	error = tsig && ldns_rr_rd_count(tsig) == 7 ? tsig_error(tsig, &server_s) : 0;
	if (ldns_pkt_get_rcode(pkt) == LDNS_RCODE_NOTAUTH &&
	    read_tsig_error(error, server_s, now_s, &reply)) {
		*ret = reply; /* unsigned, or signed with a time that is not ours */
		return 0;
	}
	read_rcode(ldns_pkt_get_rcode(pkt), &reply);
	if (!tsig) {
		/* nobody who cannot sign may say that it is done */
		if (reply.verdict == DNS_GOOD)
			return err_set(e, ERR_INVALID, "the answer is not signed");
	} else if (ldns_rr_rd_count(tsig) != 7 || !same_algorithm(tsig, key) ||
		   !verified(pkt, message, sent, key)) {
		return err_set(e, ERR_INVALID, "the answer's signature is wrong");
	}
	*ret = reply;
	return 0;
}

/* An answer has a TSIG at most behind its sections. ldns forgets (and leaks) one when another follows,
 * so a stranger could have memory for nothing. */
static bool has_one_additional(struct str message)
{
	const uint8_t *at = (const uint8_t *)message.at;

	return message.len >= 12 && number(at + 10, 2) <= 1;
}

int dns_update_decode(const struct dns_update_sent *sent, const struct dns_key *key,
		      struct str message, int64_t now_s, struct dns_reply *ret, struct err *e)
{
	ldns_pkt *pkt = NULL;
	int r;

	if (!has_one_additional(message) ||
	    ldns_wire2pkt(&pkt, (const uint8_t *)message.at, message.len) != LDNS_STATUS_OK)
		return err_set(e, ERR_INVALID, "this is no DNS message");
	r = read_packet(pkt, sent, key, message, now_s, ret, e);
	ldns_pkt_free(pkt);
	return r;
}
