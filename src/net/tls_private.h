/* What tls.c, the stream, and tls_identity.c, the key and its contexts, share. */
#pragma once

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "net/tls.h"

struct tls_identity {
	EVP_PKEY *key;	   /* owned */
	X509 *certificate; /* owned; made anew from the key each time: only the key in it counts */
	SSL_CTX *client, *server;
	BIO_METHOD *bio;
	struct tls_key_hash hash;
};

/* OpenSSL's own words for the last failure, and its queue emptied. */
int tls_openssl_error(struct err *e, int code, const char *what);
int tls_hash_public_key(X509 *certificate, struct tls_key_hash *ret);

/* Callbacks of the contexts, and the I/O of their connections; the stream's. */
int tls_verify_certificate(X509_STORE_CTX *store, void *arg);
int tls_select_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
		    const unsigned char *in, unsigned int in_len, void *arg);
BIO_METHOD *tls_bio_method_new(void);
