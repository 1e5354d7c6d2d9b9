/*
 * TLS 1.3 between agent and gateway as a stream over another stream (RFC 8446), by OpenSSL.
 *
 * Who the other side is, is decided by its public key alone: each side shows a self-signed
 * certificate, and an identity is the SHA-256 of the certificate's SubjectPublicKeyInfo. The chain,
 * the names and the dates in it mean nothing.
 *
 * I/O: one receive of up to LOOP_SCRATCH_LEN feeds as many records as it holds, and all records of
 * one stream_write leave in one send. What the lower stream does not take at once waits here;
 * stream_write says -ERR_AGAIN until it is gone.
 */
#pragma once

#include "net/stream.h"

#define TLS_KEY_HASH_LEN 32

/* SHA-256 of a SubjectPublicKeyInfo. */
struct tls_key_hash {
	uint8_t bytes[TLS_KEY_HASH_LEN];
};

#define TLS_KEY_HASH_TEXT_MAX 80

/* "ab12 cd34 ...": hexadecimal in groups of four, as people compare it. Returns text. */
const char *tls_key_hash_format(char text[static TLS_KEY_HASH_TEXT_MAX],
				const struct tls_key_hash *hash);

/* ── identity: a private key and its self-signed certificate ── */

struct tls_identity;

/* Make a new key (ECDSA P-256). */
int tls_identity_new(struct tls_identity **ret_identity, struct err *e) MUST_CHECK;

/* From and to PEM (PKCS#8, unencrypted); the buffer holds a secret afterwards: wipe it.
 * -ERR_INVALID: no usable key. */
int tls_identity_parse(struct str pem, struct tls_identity **ret_identity,
		       struct err *e) MUST_CHECK;
int tls_identity_format(const struct tls_identity *identity, struct buf *pem,
			struct err *e) MUST_CHECK;
void tls_identity_free(struct tls_identity *identity); /* NULL is fine */
const struct tls_key_hash *tls_identity_hash(const struct tls_identity *identity);

/* ── streams ── */

/*
 * Wrap `lower` (taken, also on failure). `alpn` is the one protocol both sides must speak. The
 * handshake goes on by itself; until it is done reads and writes say -ERR_AGAIN, and then both
 * on_ready events come. A failed handshake is a read error whose text is for people. The
 * handshake's deadline is the caller's.
 */
int tls_client_new(struct stream *lower, const struct tls_identity *identity, const char *alpn,
		   const char *server_name, struct stream **ret_stream, struct err *e) MUST_CHECK;
int tls_server_new(struct stream *lower, const struct tls_identity *identity, const char *alpn,
		   struct stream **ret_stream, struct err *e) MUST_CHECK;

/*
 * Client, right after tls_client_new: decide about the other side's key before anything of ours is
 * shown, our certificate included. A key that is not accepted ends the handshake with -ERR_DENIED;
 * tls_stream_peer then tells which it was.
 */
void tls_client_set_accept(struct stream *s,
			   bool (*accept)(void *arg, const struct tls_key_hash *key), void *arg);

bool tls_stream_ready(const struct stream *s); /* the handshake is done */

/* The other side's key, known once the handshake is done. */
const struct tls_key_hash *tls_stream_peer(const struct stream *s);

/* The stream below (borrowed), or NULL if s is no TLS stream. */
struct stream *tls_stream_lower(const struct stream *s);
