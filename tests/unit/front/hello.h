/* ClientHellos for tests, as OpenSSL writes them. */
#pragma once

#include <openssl/ssl.h>
#include <string.h>

#include "base/cleanup.h"

/* One record. alpn as on the wire ("\x02h2"); both texts may be NULL. Returns its length. */
static inline size_t make_hello(uint8_t *to, size_t size, const char *name, const char *alpn)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
	SSL *ssl = SSL_new(ctx);
	int n;

	if (name)
		SSL_set_tlsext_host_name(ssl, name);
	if (alpn)
		SSL_set_alpn_protos(ssl, (const uint8_t *)alpn, (unsigned)strlen(alpn));
	SSL_set_bio(ssl, in, out);
	SSL_connect(ssl);
	n = BIO_read(out, to, (int)size);
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	return n > 0 ? (size_t)n : 0;
}

/* The same hello in records of at most `cut` bytes. */
static inline size_t cut_hello(uint8_t *to, const uint8_t *hello, size_t len, size_t cut)
{
	size_t at = 5, n = 0;

	while (at < len) {
		size_t part = MIN(cut, len - at);

		memcpy(to + n, hello, 3);
		to[n + 3] = (uint8_t)(part >> 8);
		to[n + 4] = (uint8_t)part;
		memcpy(to + n + 5, hello + at, part);
		n += 5 + part;
		at += part;
	}
	return n;
}
