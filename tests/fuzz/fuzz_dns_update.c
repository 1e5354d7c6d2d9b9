/* A name server's answer to an update, from anybody: nobody without the key can say that it is done. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "dns/rfc2136.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct dns_key key = {.name = "homeport", .secret = "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"};
	struct dns_update_sent sent = {.id = 77, .mac = {0, 32}, .mac_len = 34};
	struct dns_reply reply;
	struct err e = {0};

	if (dns_update_decode(&sent, &key, str_n((const char *)bytes, len), 1800000000, &reply,
			      &e) < 0) {
		if (!e.text[0])
			abort();
		return 0;
	}
	if (dns_verdict_class(reply.verdict) == DNS_CLASS_OK)
		abort();
	if (!memchr(reply.text, '\0', sizeof(reply.text)))
		abort();
	return 0;
}
