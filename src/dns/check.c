#include "dns/check.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/rand.h"
#include "base/secret.h"
#include "dns/exchange.h"
#include "dns/keeper_private.h"
#include "dns/query.h"
#include "dns/rfc2136.h"
#include "net/ndjson.h"
#include "net/resolve.h"

#define TEXT_MAX	512
#define UPDATE_TEXT_MAX 2048

struct dns_check {
	struct keeper_name *name; /* borrowed */
	void (*done)(void *arg, struct dns_check_result *result);
	void *arg;
	struct dns_check_result result; /* owned */
	struct defer ended;

	/* HTTP: one update after the other */
	enum dns_what whats[2];
	size_t n_whats, what;
	struct dns_plan plan;
	bool reads;		 /* a request of the plan was made */
	struct httpc_call *call; /* owned */

	/* DNS UPDATE */
	unsigned sides;
	char key_text[HOSTNAME_MAX + 16];
	struct dns_key key;
	struct dns_update_sent sent;
	struct ipaddr addrs[RESOLVE_ADDRS_MAX]; /* of the server */
	size_t n_addrs, addr;			/* the one that is tried */
	struct resolve *resolve;		/* owned */
	struct dns_exchange *exchange;		/* owned */
};

static void check_free(struct dns_check *c)
{
	httpc_cancel(c->call);
	resolve_cancel(c->resolve);
	dns_exchange_cancel(c->exchange);
	defer_cancel(&c->ended);
	json_decref(c->result.requests);
	json_decref(c->result.checks);
	secret_wipe(&c->plan, sizeof(c->plan));
	free(c);
}

static void on_ended(void *arg)
{
	struct dns_check *c = arg;

	c->done(c->arg, &c->result);
	check_free(c);
}

/* ── what is told ── */

static const char *const families[] = {
	[DNS_A] = "ipv4", [DNS_AAAA] = "ipv6", [DNS_BOTH] = "both", [DNS_PREFIX] = "ipv6"};

/* good: 1, 0, or -1: not tested. */
static void tell(struct dns_check *c, const char *word, const char *family, int good,
		 const char *answer, const char *text)
{
	json_t *o = json_pack("{s:s s:s s:o s:s* s:o}", "check", word, "family", family, "good",
			      good < 0 ? json_null() : json_boolean(good), "answer", answer, "text",
			      ndjson_text(text));

	json_array_append_new(c->result.checks, o);
}

/* Wrong user, password or token: the account's other names would only be told the same. */
static bool concerns_account(enum dns_verdict verdict)
{
	return dns_verdict_is_credentials(verdict) || verdict == DNS_RATE;
}

static void tell_bad(struct dns_check *c, const char *word, const char *family,
		     const struct dns_reply *reply)
{
	char text[TEXT_MAX], said[LOG_TEXT_MAX];
	bool says = reply->text[0];

	snprintf(text, sizeof(text), "%s%s%s%s", dns_verdict_text(reply->verdict), says ? " (" : "",
		 log_text(said, str_of(reply->text)), says ? ")" : "");
	tell(c, word, family, 0, dns_verdict_word(reply->verdict), text);
	c->result.refused |= concerns_account(reply->verdict);
}

static json_t *lines_json(struct str lines)
{
	json_t *list = json_array();

	while (lines.len) {
		struct str line = str_split(&lines, '\n');
		AUTO(freep) char *text = NULL;

		if (line.len && line.at[line.len - 1] == '\r')
			line.len--;
		text = str_dup(line);
		json_array_append_new(list, ndjson_text(text ? text : ""));
	}
	return list;
}

static json_t *text_json(struct str s)
{
	AUTO(freep) char *text = str_dup(s);

	return ndjson_text(text ? text : "");
}

/* The plan's next request. */
static void show(struct dns_check *c)
{
	struct dns_request q = {0};
	struct err e = {0};

	if (dns_plan_show(&c->plan, &q, &e) == 0)
		json_array_append_new(c->result.requests,
				      json_pack("{s:b s:s s:o s:o s:o*}", "changes",
						!dns_plan_reads(&c->plan), "method", q.method,
						"url", ndjson_text((const char *)buf_head(&q.url)),
						"headers", lines_json(buf_str(&q.headers)), "body",
						q.has_body ? text_json(buf_str(&q.body)) : NULL));
	dns_request_done(&q);
}

/* ── how often ── */

/* Seconds until a request may go to the account; 0: now, and it is counted. */
static int64_t wait_for_account(const struct keeper_name *name)
{
	int64_t *spent = &name->keeper->names[name->account].looked_spent;
	int64_t now = keeper_now_s(name->keeper);
	int64_t at = dns_limit_next(*spent, DNS_CHECK_INTERVAL_S, DNS_CHECK_BURST, now);

	if (at <= now)
		dns_limit_spend(spent, DNS_CHECK_INTERVAL_S, now);
	return MAX(at - now, 0);
}

static bool may_ask(struct dns_check *c, const char *word, const char *family)
{
	int64_t wait = wait_for_account(c->name);
	char text[TEXT_MAX], span[USTIME_TEXT_MAX];

	if (!wait)
		return true;
	ustime_format_span(span, (usec_t)wait * USEC_PER_S);
	snprintf(text, sizeof(text),
		 "not asked: this account was asked often enough for now; again in %s", span);
	tell(c, word, family, -1, NULL, text);
	return false;
}

/* ── HTTP ── */

static void next_plan(struct dns_check *c);

static struct ipaddr address_of(const struct keeper_name *name, int side)
{
	const struct dns_machine *m = &name->sides[side].machine;

	return m->wish == DNS_WISH_ADDRESS ? m->wanted : (struct ipaddr){0};
}

static bool has_addresses(const struct dns_check *c, enum dns_what what)
{
	bool a = address_of(c->name, 0).family, aaaa = address_of(c->name, 1).family;

	return what == DNS_BOTH ? a && aaaa : what == DNS_A ? a : aaaa;
}

static bool takes_record(const struct dns_provider *row)
{
	for (size_t i = 0; i < DNS_STEPS_MAX; i++)
		for (size_t k = 0; k < DNS_TAKES_MAX; k++)
			if (row->steps[i].take[k].name &&
			    strcmp(row->steps[i].take[k].name, "record") == 0)
				return true;
	return false;
}

/* What is known when all that only reads was made, and nothing spoke against it. */
static void tell_plan(struct dns_check *c)
{
	const char *family = families[c->plan.what], *type = c->plan.what == DNS_A ? "A" : "AAAA";
	const struct dns_provider *row = c->name->entry.provider;
	char text[TEXT_MAX];

	if (!c->reads) {
		snprintf(text, sizeof(text),
			 "%s has no request that changes nothing: only an update proves user and "
			 "password (homeport dns test %s --send)",
			 row->title, c->name->label);
		tell(c, "none", family, -1, NULL, text);
		return;
	}
	if (c->plan.ended && c->plan.reply.verdict == DNS_NOCHG)
		snprintf(text, sizeof(text), "user or token are good, and all is as it should be");
	else if (c->plan.has_record)
		snprintf(text, sizeof(text), "user or token are good, and there is an %s record",
			 type);
	else if (!takes_record(row))
		snprintf(text, sizeof(text), "user or token are good, and the name is known");
	else
		snprintf(text, sizeof(text),
			 "user or token are good; there is no %s record yet%s, it would be made",
			 type,
			 row->steps[0].flags & DNS_STEP_FIND
				 ? ", or no such zone (its answer is the same)"
				 : "");
	tell(c, "read", family, 1, "good", text);
}

/* The requests that would follow now. */
static void show_changes(struct dns_check *c)
{
	struct dns_plan plan = c->plan;

	while (!dns_plan_ended(&c->plan)) {
		show(c);
		dns_plan_pass(&c->plan);
	}
	c->plan = plan;
	secret_wipe(&plan, sizeof(plan));
}

static void finish_plan(struct dns_check *c)
{
	if (!c->name->sealed)
		tell_plan(c);
	if (!c->plan.ended && has_addresses(c, c->plan.what))
		show_changes(c);
	next_plan(c);
}

static void read_more(struct dns_check *c);

static void on_http(void *arg, const struct httpc_answer *answer)
{
	struct dns_check *c = arg;
	const struct dns_answer given = {.status = (int)answer->status, .body = answer->body};

	c->call = NULL;
	if (answer->r < 0)
		dns_plan_fail(&c->plan, answer->err.text);
	else
		dns_plan_answer(&c->plan, &given);
	if (c->plan.ended && dns_verdict_class(c->plan.reply.verdict) != DNS_CLASS_OK) {
		tell_bad(c, "read", families[c->plan.what], &c->plan.reply);
		next_plan(c);
	} else {
		read_more(c);
	}
}

/* As long as the plan has something that only reads. */
static void read_more(struct dns_check *c)
{
	struct dns_request q = {0};
	struct err e = {0};
	int r;

	if (c->plan.ended || !dns_plan_reads(&c->plan)) {
		finish_plan(c);
		return;
	}
	if (c->name->sealed) { /* what would follow depends on the answer */
		next_plan(c);
		return;
	}
	if (!may_ask(c, "read", families[c->plan.what])) {
		next_plan(c);
		return;
	}
	show(c);
	c->reads = true;
	r = dns_plan_request(&c->plan, &q, &e);
	if (r == 0)
		r = keeper_http_send(c->name, &q, on_http, c, &c->call, &e);
	dns_request_done(&q);
	if (r < 0) {
		tell(c, "read", families[c->plan.what], 0, "refused", e.text);
		next_plan(c);
	}
}

static void next_plan(struct dns_check *c)
{
	const struct keeper_name *name = c->name;
	struct dns_target target = {.ip4 = address_of(name, 0), .ip6 = address_of(name, 1)};
	enum dns_what what;
	struct err e = {0};

	if (c->what == c->n_whats || c->result.refused) {
		defer_call(&c->ended);
		return;
	}
	what = c->whats[c->what++];
	target.prefix6 = (struct cidr){.addr = target.ip6, .bits = (uint8_t)name->prefix_bits};
	c->reads = false;
	if (dns_plan_start(&c->plan, &name->entry, what, &target, &e) == 0) {
		read_more(c);
		return;
	}
	tell(c, "configuration", families[what], 0, "refused", e.text);
	next_plan(c);
}

/* The updates that would be made of these sides. */
static void choose_whats(struct dns_check *c)
{
	unsigned can = dns_provider_can(c->name->entry.provider);
	enum dns_what v6 = c->name->prefix ? DNS_PREFIX : DNS_AAAA;
	bool both = c->sides == 3 && can & DNS_CAN_BOTH && !c->name->prefix &&
		    has_addresses(c, DNS_BOTH);

	if (both || can & DNS_CAN_ONLY_BOTH) {
		c->whats[c->n_whats++] = DNS_BOTH;
		return;
	}
	if (c->sides & 1)
		c->whats[c->n_whats++] = DNS_A;
	if (c->sides & 2)
		c->whats[c->n_whats++] = v6;
}

/* ── DNS UPDATE ── */

static const char *sides_text(const struct dns_check *c)
{
	return families[c->sides == 3 ? DNS_BOTH : c->sides == 1 ? DNS_A : DNS_AAAA];
}

/* What would be sent, in words. */
static void show_update(struct dns_check *c)
{
	const struct dns_entry *entry = &c->name->entry;
	unsigned ttl = entry->ttl_s ? entry->ttl_s : DNS_TTL_DEFAULT_S;
	char text[UPDATE_TEXT_MAX], address[IPADDR_TEXT_MAX];
	const char *between = ":";
	int n = snprintf(text, sizeof(text),
			 "DNS UPDATE at %s, zone %s, signed with the key %s (%s, secret ***)",
			 entry->server, entry->zone, c->key.name, c->key.algorithm);

	for (int s = 0; s < 2; s++) {
		const char *type = s ? "AAAA" : "A";
		struct ipaddr a = address_of(c->name, s);

		if (!(c->sides & 1u << s) || !a.family || n >= UPDATE_TEXT_MAX)
			continue;
		n += snprintf(text + n, sizeof(text) - (size_t)n,
			      "%s %s %u %s %s instead of its %s records", between, entry->host, ttl,
			      type, ipaddr_format(address, &a), type);
		between = ",";
	}
	if (*between == ',') /* an address is known */
		json_array_append_new(c->result.requests, json_pack("{s:b s:o}", "changes", 1,
								    "update", ndjson_text(text)));
}

static void fail_update(struct dns_check *c, enum dns_verdict verdict, const struct err *e)
{
	struct dns_reply reply = {.verdict = verdict};

	snprintf(reply.text, sizeof(reply.text), "%.*s", (int)sizeof(reply.text) - 1, e->text);
	tell_bad(c, "update", sides_text(c), &reply);
	defer_call(&c->ended);
}

static void transmit(struct dns_check *c);

static bool on_update(void *arg, int r, struct str message, bool sent, const struct err *e)
{
	struct dns_check *c = arg;
	struct dns_reply reply;

	if (r == 0 && dns_update_decode(&c->sent, &c->key, message, keeper_now_s(c->name->keeper),
					&reply, NULL) < 0)
		return false; /* not the server's word: wait for it */
	c->exchange = NULL;
	if (r < 0 && !sent && c->addr + 1 < c->n_addrs) {
		c->addr++;
		transmit(c);
		return true;
	}
	if (r < 0) {
		fail_update(c, sent ? DNS_LOST : DNS_NETWORK, e);
		return true;
	}
	if (dns_verdict_class(reply.verdict) == DNS_CLASS_OK)
		tell(c, "update", sides_text(c), 1, dns_verdict_word(reply.verdict),
		     "the server takes updates of this name with this key (it was sent one that "
		     "changes nothing)");
	else
		tell_bad(c, "update", sides_text(c), &reply);
	defer_call(&c->ended);
	return true;
}

static int send_update(struct dns_check *c, struct err *e)
{
	const struct dns_entry *entry = &c->name->entry;
	AUTO(buf_donep) struct buf wire = {0};
	struct sock_addr at = {.ip = c->addrs[c->addr]};
	struct dns_change changes[2];
	size_t n = 0;
	uint16_t id;
	int r;

	for (int s = 0; s < 2; s++)
		if (c->sides & 1u << s)
			changes[n++] = (struct dns_change){
				.host = entry->host, .address.family = s ? 6 : 4, .nothing = true};
	rand_bytes(&id, sizeof(id));
	r = dns_update_encode(entry->zone, changes, n, &c->key, id, &wire, &c->sent, e);
	if (r < 0)
		return r;
	return dns_exchange_start(c->name->keeper->loop, &at, buf_str(&wire), on_update, c,
				  &c->exchange, e);
}

static void transmit(struct dns_check *c)
{
	struct err e = {0};
	int r = send_update(c, &e);

	if (r < 0)
		fail_update(c, r == -ERR_INVALID ? DNS_REFUSED : DNS_NETWORK, &e);
}

static void on_resolved(void *arg, int r, const struct ipaddr *addrs, size_t n, const struct err *e)
{
	struct dns_check *c = arg;

	c->resolve = NULL;
	if (r < 0) {
		fail_update(c, DNS_NETWORK, e);
		return;
	}
	c->n_addrs = MIN(n, ARRAY_LEN(c->addrs));
	memcpy(c->addrs, addrs, c->n_addrs * sizeof(*addrs));
	transmit(c);
}

static int start_update(struct dns_check *c, struct err *e)
{
	const struct dns_entry *entry = &c->name->entry;
	char host[HOSTNAME_MAX];
	uint16_t port = DNS_QUERY_PORT;
	struct str name;
	int r = dns_key_parse(entry->user, c->key_text, &c->key, e);

	if (r < 0)
		return r;
	c->key.secret = entry->pass;
	show_update(c);
	if (c->name->sealed) {
		defer_call(&c->ended);
		return 0;
	}
	if (hostport_split(str_of(entry->server), &name, &port) < 0 ||
	    !str_copy(host, sizeof(host), name))
		return err_set(e, ERR_INVALID, "server = %s is no host name", entry->server);
	return resolve_start(c->name->keeper->loop, host, port, on_resolved, c, &c->resolve, e);
}

static void begin_update(struct dns_check *c)
{
	struct err e = {0};
	int r;

	if (!c->name->sealed && !may_ask(c, "update", sides_text(c))) {
		defer_call(&c->ended);
		return;
	}
	r = start_update(c, &e);
	if (r < 0)
		fail_update(c, r == -ERR_INVALID ? DNS_REFUSED : DNS_NETWORK, &e);
}

/* ── life ── */

int dns_check_start(struct keeper_name *name, unsigned sides,
		    void (*done)(void *arg, struct dns_check_result *result), void *arg,
		    struct dns_check **ret_check, struct err *e)
{
	struct dns_check *c = calloc(1, sizeof(*c));

	if (!c)
		return err_set(e, ERR_NOMEM, "check");
	c->name = name;
	c->sides = sides;
	c->done = done;
	c->arg = arg;
	defer_init(&c->ended, name->keeper->loop, on_ended, c);
	c->result.requests = json_array();
	c->result.checks = json_array();
	*ret_check = c;
	if (name->sealed)
		tell(c, "secret", "both", name->may_be_right ? -1 : 0, "unreadable", name->sealed);
	if (name->entry.provider->rfc2136) {
		begin_update(c);
	} else {
		choose_whats(c);
		next_plan(c);
	}
	return 0;
}

void dns_check_cancel(struct dns_check *check)
{
	if (check)
		check_free(check);
}
