#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "dns/keeper_private.h"
#include "dns/sigv4.h"
#include "http/date.h"

#define HEADERS_MAX 12

static void next_request(struct keeper_name *name);

unsigned keeper_retry_after(const struct httpc_answer *answer, int64_t now_s)
{
	struct str value = httpc_answer_header(answer, "Retry-After");
	uint64_t seconds;
	int64_t date;

	if (str_to_u64(value, UINT64_MAX, &seconds))
		return (unsigned)MIN(seconds, (uint64_t)DNS_WAIT_MAX_S);
	if (value.len && http_date_parse(value, &date) && date > now_s)
		return (unsigned)MIN(date - now_s, (int64_t)DNS_WAIT_MAX_S);
	return 0;
}

bool keeper_http_may_have_arrived(const struct httpc_answer *answer)
{
	return answer->peer.family && answer->r != -ERR_DENIED;
}

static void on_http(void *arg, const struct httpc_answer *answer)
{
	struct keeper_name *name = arg;
	struct dns_answer given = {.status = (int)answer->status,
				   .retry_after_s =
					   keeper_retry_after(answer, keeper_now_s(name->keeper)),
				   .body = answer->body};

	name->call = NULL;
	if (answer->r < 0) {
		dns_plan_fail(&name->plan, answer->err.text);
		if (keeper_http_may_have_arrived(answer))
			name->plan.reply.verdict = DNS_LOST;
	} else {
		dns_plan_answer(&name->plan, &given);
	}
	if (dns_plan_ended(&name->plan))
		keeper_finish(name, &name->plan.reply, given.retry_after_s);
	else
		next_request(name);
}

/* "Name: value\r\n" lines as httpc wants them; the text is cut up. False: too many. */
static bool split_headers(struct buf *lines, struct httpc_header headers[static HEADERS_MAX],
			  size_t *ret_n)
{
	char *at = (char *)buf_head(lines), *end = at + buf_len(lines);
	size_t n = 0;

	while (at && at < end) {
		char *colon = memchr(at, ':', (size_t)(end - at));
		char *line_end = memchr(at, '\r', (size_t)(end - at));

		if (!colon || !line_end || colon > line_end || n == HEADERS_MAX)
			return false;
		*colon = *line_end = '\0';
		headers[n++] = (struct httpc_header){.name = at, .value = colon + 2};
		at = line_end + 2;
	}
	*ret_n = n;
	return true;
}

/* Route 53 has one region. */
static int sign(const struct keeper_name *name, struct dns_request *q, struct err *e)
{
	struct dns_sigv4 with = {.user = name->entry.user,
				 .secret = name->entry.pass,
				 .region = "us-east-1",
				 .service = "route53",
				 .now_s = keeper_now_s(name->keeper)};

	return q->aws ? dns_sigv4_sign(q, &with, e) : 0;
}

int keeper_http_send(const struct keeper_name *name, struct dns_request *q,
		     void (*on_done)(void *arg, const struct httpc_answer *answer), void *arg,
		     struct httpc_call **ret_call, struct err *e)
{
	const struct dns_keeper *k = name->keeper;
	struct httpc_header headers[HEADERS_MAX];
	struct httpc_request request = {
		.method = q->method,
		.url = (const char *)buf_head(&q->url),
		.headers = headers,
		.ca_file = k->settings.ca_file,
		.https_only = true,
		.peer = k->settings.peer
				? k->settings.peer(k->settings.arg, (const char *)buf_head(&q->url))
				: NULL,
		.body_max = DNS_REPLY_BODY_MAX,
	};
	int r = sign(name, q, e);

	if (r < 0)
		return r;
	if (!split_headers(&q->headers, headers, &request.n_headers))
		return err_set(e, ERR_INVALID, "too many header fields");
	request.body = q->has_body ? buf_str(&q->body) : (struct str){0};
	return httpc_start(k->httpc, &request, on_done, arg, ret_call, e);
}

static void next_request(struct keeper_name *name)
{
	struct dns_request q = {0};
	struct err e = {0};
	int r = dns_plan_request(&name->plan, &q, &e);

	if (r == 0)
		r = keeper_http_send(name, &q, on_http, name, &name->call, &e);
	dns_request_done(&q);
	if (r == 0)
		return;
	if (!dns_plan_ended(&name->plan))
		dns_plan_fail(&name->plan, e.text);
	keeper_finish(name, &name->plan.reply, 0);
}

void keeper_http_start(struct keeper_name *name)
{
	struct dns_target target = {.ip4 = name->sides[0].to_send, .ip6 = name->sides[1].to_send};
	struct dns_reply reply = {.verdict = DNS_REFUSED};
	struct err e = {0};

	target.prefix6 = (struct cidr){.addr = target.ip6, .bits = (uint8_t)name->prefix_bits};
	if (dns_plan_start(&name->plan, &name->entry, name->what, &target, &e) == 0) {
		next_request(name);
		return;
	}
	snprintf(reply.text, sizeof(reply.text), "%.*s", (int)sizeof(reply.text) - 1, e.text);
	keeper_finish(name, &reply, 0);
}
