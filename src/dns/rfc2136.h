/*
 * DNS UPDATE with a key: RFC 2136 messages, signed by RFC 8945 (TSIG). Many names in one message, which
 * the server takes whole or not at all. ldns makes and reads the messages; no I/O here.
 *
 *	 header, opcode 5		zone: ZONE SOA IN
 *	 prerequisite: HOST CNAME NONE	nothing is done if that is an alias
 *	 update: HOST A ANY, empty	delete what is there
 *		 HOST A IN ttl address	and add this
 *		 HOST TXT IN ttl text	add this beside others (NONE for IN: take it away)
 *	 additional: TSIG
 *
 * An answer is believed if its TSIG is right, or if it is one of those errors that cannot be signed
 * (the server does not know the key): RFC 8945 §5.3.2.
 */
#pragma once

#include "base/buf.h"
#include "base/ipaddr.h"
#include "dns/reply.h"

#define DNS_UPDATE_CHANGES_MAX 1000
#define DNS_UPDATE_MAC_MAX     66 /* SHA-512, and the length in front of it */
#define DNS_UPDATE_FUDGE_S     300

struct dns_key {
	const char *name;      /* of the key, a domain name */
	const char *algorithm; /* "hmac-sha256" (NULL), "hmac-sha512", "hmac-sha1" */
	const char *secret;    /* base64 */
};

struct dns_change {
	const char *host;
	struct ipaddr address; /* its family is the type; 0: see txt */
	const char *txt;       /* a TXT record, 255 bytes at most, one of those of the name */
	bool remove;	       /* an address: all of its family; a text: exactly this one */
	/* Change nothing, but be refused as a change would be: what is deleted is an address that no
	 * record can have (§2.5.4, §3.4.2.4). address's family is the type */
	bool nothing;
	unsigned ttl_s;
};

/* What is needed to check the answer. */
struct dns_update_sent {
	uint16_t id;
	uint8_t mac[DNS_UPDATE_MAC_MAX];
	size_t mac_len;
};

/* The key's algorithm and name from "hmac-sha512:NAME" or "NAME". Writes into text and points there.
 * -ERR_INVALID. secret is not touched. */
int dns_key_parse(const char *user, char text[static HOSTNAME_MAX + 16], struct dns_key *ret,
		  struct err *e) MUST_CHECK;

/* Append the message, without the length TCP wants. -ERR_INVALID: a name, key or text is none; -ERR_LIMIT:
 * more than DNS_UPDATE_CHANGES_MAX, or 64 KiB; -ERR_NOMEM. */
int dns_update_encode(const char *zone, const struct dns_change *changes, size_t n,
		      const struct dns_key *key, uint16_t id, struct buf *out,
		      struct dns_update_sent *ret_sent, struct err *e) MUST_CHECK;

/*
 * What the server says. -ERR_INVALID: this is no answer to that message, or its signature is wrong:
 * wait for another. now_s: the wall clock, to tell by how much clocks differ.
 */
int dns_update_decode(const struct dns_update_sent *sent, const struct dns_key *key,
		      struct str message, int64_t now_s, struct dns_reply *ret,
		      struct err *e) MUST_CHECK;
