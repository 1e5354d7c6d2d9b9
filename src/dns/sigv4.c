#include "dns/sigv4.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/baseenc.h"
#include "base/secret.h"

#define ALGORITHM "AWS4-HMAC-SHA256"
#define HASH_LEN  32
#define HASH_TEXT HEX_TEXT_LEN(HASH_LEN)
#define TIME_TEXT 20
#define SCOPE_MAX 128

static bool hash_text(struct str bytes, char text[static HASH_TEXT])
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned len;

	if (EVP_Digest(bytes.at ? bytes.at : "", bytes.len, digest, &len, EVP_sha256(), NULL) != 1)
		return false;
	hex_encode(text, digest, HASH_LEN);
	return true;
}

static bool hmac(const uint8_t *key, size_t key_len, const char *text, uint8_t to[static HASH_LEN])
{
	unsigned len;

	return HMAC(EVP_sha256(), key, (int)key_len, (const uint8_t *)text, strlen(text), to,
		    &len) != NULL;
}

/* HMAC over HMAC: date, region, service, "aws4_request". */
static bool signing_key(const struct dns_sigv4 *with, const char *date,
			uint8_t key[static HASH_LEN])
{
	const char *const parts[] = {date, with->region, with->service, "aws4_request"};
	struct buf first = {.max = DNS_VAR_VALUE_MAX + 8};
	bool good = buf_printf(&first, "AWS4%s", with->secret) == 0 &&
		    hmac(buf_head(&first), buf_len(&first), parts[0], key);

	for (size_t i = 1; i < ARRAY_LEN(parts) && good; i++)
		good = hmac(key, HASH_LEN, parts[i], key);
	if (first.bytes)
		secret_wipe(first.bytes, first.size);
	buf_done(&first);
	return good;
}

/* What is signed of the request: method, path, query, headers, their names, hash of the body. */
static bool canonical_hash(const struct dns_request *q, struct str host, struct str rest,
			   const char *time, char text[static HASH_TEXT])
{
	AUTO(buf_donep) struct buf canonical = {.max = 2 * DNS_EXPANDED_MAX};
	struct str path = str_split(&rest, '?');
	char body[HASH_TEXT];

	return hash_text(buf_str(&q->body), body) &&
	       buf_printf(&canonical,
			  "%s\n/%.*s\n%.*s\nhost:%.*s\nx-amz-date:%s\n\nhost;x-amz-date\n%s",
			  q->method, STR_ARG(path), STR_ARG(rest), STR_ARG(host), time,
			  body) == 0 &&
	       hash_text(buf_str(&canonical), text);
}

static bool signature(const struct dns_sigv4 *with, const char *time, const char *scope,
		      const char *canonical, char text[static HASH_TEXT])
{
	uint8_t key[HASH_LEN], digest[HASH_LEN];
	char to_sign[sizeof(ALGORITHM) + TIME_TEXT + SCOPE_MAX + HASH_TEXT + 4], date[9];
	bool good;

	snprintf(date, sizeof(date), "%.8s", time);
	snprintf(to_sign, sizeof(to_sign), ALGORITHM "\n%s\n%s\n%s", time, scope, canonical);
	good = signing_key(with, date, key) && hmac(key, sizeof(key), to_sign, digest);
	if (good)
		hex_encode(text, digest, HASH_LEN);
	secret_wipe(key, sizeof(key));
	return good;
}

int dns_sigv4_sign(struct dns_request *request, const struct dns_sigv4 *with, struct err *e)
{
	struct str path = str_of((const char *)buf_head(&request->url)), host;
	char time[TIME_TEXT], scope[SCOPE_MAX], canonical[HASH_TEXT], text[HASH_TEXT];
	time_t now = (time_t)with->now_s;
	struct tm tm;

	for (int i = 0; i < 2; i++) /* "https:", "" */
		str_split(&path, '/');
	host = str_split(&path, '/');
	if (!gmtime_r(&now, &tm))
		return err_set(e, ERR_INVALID, "the clock is wrong");
	strftime(time, sizeof(time), "%Y%m%dT%H%M%SZ", &tm);
	snprintf(scope, sizeof(scope), "%.8s/%s/%s/aws4_request", time, with->region,
		 with->service);
	if (!canonical_hash(request, host, path, time, canonical) ||
	    !signature(with, time, scope, canonical, text))
		return err_set(e, ERR_NOMEM, "signature");
	if (buf_printf(&request->headers,
		       "X-Amz-Date: %s\r\n"
		       "Authorization: " ALGORITHM
		       " Credential=%s/%s, SignedHeaders=host;x-amz-date, Signature=%s\r\n",
		       time, with->user, scope, text) < 0)
		return err_set(e, ERR_LIMIT, "the request is too long");
	return 0;
}
