/*
 * A provider that answers anything where a TXT value is added or taken away: its name, or a byte that picks it, and
 * 0x1e, a byte for the verb, then status and body of each answer, bodies ending at 0x1e. It ends within its steps, and no
 * answer gets into a place of a later request where it does not belong.
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "dns/txt.h"

static const int statuses[] = {200, 201, 204, 404, 401, 500};

static void check_request(const struct dns_request *q)
{
	struct str url = buf_str(&q->url), headers = buf_str(&q->headers), body = buf_str(&q->body);

	for (size_t i = 0; i + 1 < url.len; i++)
		if ((unsigned char)url.at[i] <= ' ' || (unsigned char)url.at[i] >= 0x7f)
			abort();
	if (strncmp(url.at, "https://", 8) != 0)
		abort();
	for (size_t i = 0; i < headers.len; i++)
		if (headers.at[i] == '\n' && (i == 0 || headers.at[i - 1] != '\r'))
			abort();
	if (body.len && (body.at[0] == '{' || body.at[0] == '[')) {
		json_t *json = json_loadb(body.at, body.len, 0, NULL);

		/* a stranger's string that is no UTF-8 was not taken, so what we send is JSON */
		if (!json)
			abort();
		json_decref(json);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct dns_entry entry = {.host = "home.example.org",
				  .zone = "example.org",
				  .user = "me",
				  .pass = "secret",
				  .key = "key"};
	const char *name = "_acme-challenge.home.example.org";
	struct str rest = str_n((const char *)bytes, len), who = str_split(&rest, 0x1e);
	bool remove;
	struct dns_txt txt;
	int n = 0;

	if (!who.len || !rest.len)
		return 0;
	entry.provider = dns_provider_find(who);
	if (!entry.provider)
		entry.provider = &dns_providers[bytes[0] % dns_providers_count];
	if (entry.provider->zone) {
		entry.host = "home.duckdns.org";
		name = "_acme-challenge.home.duckdns.org";
	}
	remove = rest.at[0] & 1;
	rest = str_n(rest.at + 1, rest.len - 1);
	if (dns_txt_start(&txt, &entry, name, "gfj9Xq_-Rg85nM", remove, NULL) < 0)
		return 0;
	for (; !dns_txt_ended(&txt); n++) {
		struct str body = str_split(&rest, 0x1e);
		struct dns_answer answer = {.status = 200};
		struct dns_request q = {0};

		if (n > DNS_TXT_STEPS_MAX + 2 * DNS_TXT_VALUES_MAX)
			abort();
		if (dns_txt_request(&txt, &q, NULL) == 0)
			check_request(&q);
		dns_request_done(&q);
		if (dns_txt_ended(&txt))
			break;
		if (body.len) {
			answer.status = statuses[(unsigned char)body.at[0] %
						 (sizeof(statuses) / sizeof(statuses[0]))];
			answer.body = str_n(body.at + 1, body.len - 1);
		}
		dns_txt_answer(&txt, &answer);
	}
	dns_txt_done(&txt);
	return 0;
}
