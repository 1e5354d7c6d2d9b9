#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <sys/auxv.h>

#include "net/tls_private.h"

const char *tls_key_hash_format(char text[static TLS_KEY_HASH_TEXT_MAX],
				const struct tls_key_hash *hash)
{
	char *p = text;

	for (int i = 0; i < TLS_KEY_HASH_LEN; i++)
		p += sprintf(p, i && i % 2 == 0 ? " %02x" : "%02x", hash->bytes[i]);
	return text;
}

int tls_openssl_error(struct err *e, int code, const char *what)
{
	unsigned long last = ERR_peek_last_error();
	const char *reason = last ? ERR_reason_error_string(last) : NULL;

	ERR_clear_error();
	return err_set(e, code, "%s: %s", what, reason ? reason : "unknown error");
}

int tls_hash_public_key(X509 *certificate, struct tls_key_hash *ret)
{
	uint8_t *der = NULL;
	int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
	unsigned hash_len = 0;
	int ok;

	if (len <= 0)
		return -ERR_INVALID;
	ok = EVP_Digest(der, (size_t)len, ret->bytes, &hash_len, EVP_sha256(), NULL);
	OPENSSL_free(der);
	return ok && hash_len == TLS_KEY_HASH_LEN ? 0 : -ERR_INVALID;
}

static X509 *self_signed(EVP_PKEY *key)
{
	X509 *certificate = X509_new();
	X509_NAME *name;

	if (!certificate)
		return NULL;
	name = X509_get_subject_name(certificate);
	if (!X509_set_version(certificate, X509_VERSION_3) ||
	    !ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1) ||
	    !ASN1_TIME_set_string(X509_getm_notBefore(certificate), "20200101000000Z") ||
	    !ASN1_TIME_set_string(X509_getm_notAfter(certificate), "99991231235959Z") ||
	    !X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const uint8_t *)"homeport", -1,
					-1, 0) ||
	    !X509_set_issuer_name(certificate, name) || !X509_set_pubkey(certificate, key) ||
	    X509_sign(certificate, key, EVP_sha256()) == 0) {
		X509_free(certificate);
		return NULL;
	}
	return certificate;
}

static bool cpu_has_aes(void)
{
#if defined(__x86_64__) || defined(__i386__)
	return __builtin_cpu_supports("aes");
#elif defined(__aarch64__)
	return getauxval(AT_HWCAP) & (1 << 3); /* HWCAP_AES */
#else
	return false;
#endif
}

static SSL_CTX *context_new(const SSL_METHOD *method, const struct tls_identity *identity)
{
	const char *suites = cpu_has_aes() ? "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256:"
					     "TLS_AES_256_GCM_SHA384"
					   : "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256:"
					     "TLS_AES_256_GCM_SHA384";
	SSL_CTX *ctx = SSL_CTX_new(method);

	if (!ctx)
		return NULL;
	SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION);
	SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION |
					 SSL_OP_CIPHER_SERVER_PREFERENCE |
					 SSL_OP_PRIORITIZE_CHACHA);
	SSL_CTX_set_num_tickets(ctx, 0);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	SSL_CTX_set_cert_verify_callback(ctx, tls_verify_certificate, NULL);
	SSL_CTX_set_alpn_select_cb(ctx, tls_select_alpn, NULL);
	if (!SSL_CTX_set_ciphersuites(ctx, suites) ||
	    SSL_CTX_use_certificate(ctx, identity->certificate) != 1 ||
	    SSL_CTX_use_PrivateKey(ctx, identity->key) != 1) {
		SSL_CTX_free(ctx);
		return NULL;
	}
	return ctx;
}

void tls_identity_free(struct tls_identity *identity)
{
	if (!identity)
		return;
	SSL_CTX_free(identity->client);
	SSL_CTX_free(identity->server);
	BIO_meth_free(identity->bio);
	X509_free(identity->certificate);
	EVP_PKEY_free(identity->key);
	free(identity);
}

/* Takes the key, also on failure. */
static int identity_from_key(EVP_PKEY *key, struct tls_identity **ret_identity, struct err *e)
{
	struct tls_identity *identity = calloc(1, sizeof(*identity));

	if (!identity) {
		EVP_PKEY_free(key);
		return err_set(e, ERR_NOMEM, "identity");
	}
	identity->key = key;
	identity->certificate = self_signed(key);
	if (identity->certificate &&
	    tls_hash_public_key(identity->certificate, &identity->hash) == 0) {
		identity->client = context_new(TLS_client_method(), identity);
		identity->server = context_new(TLS_server_method(), identity);
		identity->bio = tls_bio_method_new();
	}
	if (!identity->client || !identity->server || !identity->bio) {
		tls_identity_free(identity);
		return tls_openssl_error(e, ERR_INVALID, "identity");
	}
	*ret_identity = identity;
	return 0;
}

int tls_identity_new(struct tls_identity **ret_identity, struct err *e)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");

	if (!key)
		return tls_openssl_error(e, ERR_FAILED, "making a key");
	return identity_from_key(key, ret_identity, e);
}

int tls_identity_parse(struct str pem, struct tls_identity **ret_identity, struct err *e)
{
	BIO *bio = BIO_new_mem_buf(pem.at, (int)pem.len);
	EVP_PKEY *key;

	if (!bio)
		return err_set(e, ERR_NOMEM, "private key");
	key = PEM_read_bio_PrivateKey(bio, NULL, NULL, (void *)"");
	BIO_free(bio);
	if (!key)
		return tls_openssl_error(e, ERR_INVALID, "not a private key in PEM form");
	return identity_from_key(key, ret_identity, e);
}

int tls_identity_format(const struct tls_identity *identity, struct buf *pem, struct err *e)
{
	BIO *bio = BIO_new(BIO_s_secmem());
	char *bytes = NULL;
	long len;
	int r;

	if (!bio || !PEM_write_bio_PKCS8PrivateKey(bio, identity->key, NULL, NULL, 0, NULL, NULL)) {
		BIO_free(bio);
		return tls_openssl_error(e, ERR_FAILED, "private key");
	}
	len = BIO_get_mem_data(bio, &bytes);
	r = buf_append(pem, bytes, (size_t)len);
	BIO_free(bio);
	return r < 0 ? err_set(e, -r, "private key") : 0;
}

const struct tls_key_hash *tls_identity_hash(const struct tls_identity *identity)
{
	return &identity->hash;
}
