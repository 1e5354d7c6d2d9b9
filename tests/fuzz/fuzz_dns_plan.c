/*
 * A provider that answers anything: the first byte picks the row, then status and body of each
 * answer, bodies ending at 0x1e. The plan ends within its steps, and no answer gets into a place
 * of a later request where it does not belong. What is shown of the requests has no secret in it.
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "dns/plan.h"

static const int statuses[] = {200, 201, 204, 404, 401, 500};

static void check_request(const struct dns_request *q)
{
	struct str url = buf_str(&q->url), headers = buf_str(&q->headers);

	for (size_t i = 0; i + 1 < url.len; i++)
		if ((unsigned char)url.at[i] <= ' ' || (unsigned char)url.at[i] >= 0x7f)
			abort();
	if (strncmp(url.at, "https://", 8) != 0)
		abort();
	for (size_t i = 0; i < headers.len; i++)
		if (headers.at[i] == '\n' && (i == 0 || headers.at[i - 1] != '\r'))
			abort();
}

#define SECRET "s3cr3t"

static bool has_secret(struct str text)
{
	return text.len && memmem(text.at, text.len, SECRET, strlen(SECRET));
}

static void check_shown(const struct dns_plan *plan)
{
	struct dns_request q = {0};

	if (dns_plan_show(plan, &q, NULL) == 0 &&
	    (has_secret(buf_str(&q.url)) || has_secret(buf_str(&q.headers)) ||
	     has_secret(buf_str(&q.body))))
		abort();
	dns_request_done(&q);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct dns_entry entry = {.host = "home.example.org",
				  .zone = "example.org",
				  .server = "ddns.example.org",
				  .user = "me",
				  .pass = SECRET,
				  .key = SECRET};
	struct dns_target target = {.ip4 = {.family = 4, .bytes = {192, 0, 2, 1}}};
	struct str rest = str_n((const char *)bytes, len);
	struct dns_plan plan;
	int n = 0;

	if (len < 1)
		return 0;
	entry.provider = &dns_providers[bytes[0] % dns_providers_count];
	if (entry.provider->zone)
		entry.host = "home.duckdns.org";
	rest = str_n(rest.at + 1, rest.len - 1);
	if (dns_plan_start(&plan, &entry, DNS_A, &target, NULL) < 0)
		return 0;
	for (; !dns_plan_ended(&plan); n++) {
		struct str body = str_split(&rest, 0x1e);
		struct dns_answer answer = {.status = 200};
		struct dns_request q = {0};

		if (n > DNS_STEPS_MAX)
			abort();
		if (!has_secret(str_n((const char *)bytes, len)))
			check_shown(&plan);
		if (dns_plan_request(&plan, &q, NULL) == 0)
			check_request(&q);
		dns_request_done(&q);
		if (dns_plan_ended(&plan))
			break;
		if (body.len) {
			answer.status = statuses[(unsigned char)body.at[0] %
						 (sizeof(statuses) / sizeof(statuses[0]))];
			answer.body = str_n(body.at + 1, body.len - 1);
		}
		dns_plan_answer(&plan, &answer);
	}
	return 0;
}
