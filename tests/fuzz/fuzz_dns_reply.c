/* A provider's answer: the first byte picks the row, the next its status, the rest is the body.
 * Success needs a status of success, and an answer has one meaning only. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "dns/provider.h"

static const int statuses[] = {200, 201, 204, 302, 400, 401, 403, 404, 422, 429, 500, 503};

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	const struct dns_provider *p;
	struct dns_reply reply, again;
	struct dns_answer answer;
	struct ipaddr address = {.family = 4, .bytes = {192, 0, 2, 1}};
	json_t *root;

	if (len < 2)
		return 0;
	p = &dns_providers[bytes[0] % dns_providers_count];
	if (!p->grammar)
		return 0;
	answer.status = statuses[bytes[1] % (sizeof(statuses) / sizeof(statuses[0]))];
	answer.body = str_n((const char *)bytes + 2, len - 2);
	dns_reply_read(p->grammar, &answer, &reply);
	dns_reply_read(p->grammar, &answer, &again);
	if (reply.verdict != again.verdict || strcmp(reply.text, again.text) != 0)
		abort();
	if (dns_verdict_class(reply.verdict) == DNS_CLASS_OK && answer.status / 100 != 2)
		abort();
	dns_reply_contradicts(&reply, &address);

	/* the body as a path, and as a document */
	root = json_pack("{s:[{s:i s:s}] s:b}", "l", "id", 1, "name", "www", "t", 1);
	dns_json_at(root, answer.body, NULL);
	json_decref(root);
	return 0;
}
