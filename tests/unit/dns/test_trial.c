/* Would it work? On a virtual clock, at providers that are played here. Nothing secret is ever shown. */
#include "test.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "dns/check.h"
#include "dns/naming.h"
#include "dns/plan.h"
#include "dns/trial.h"

#define WALL	     ((int64_t)1800000000)
#define REQUESTS_MAX 256
#define SECRET	     "s3cret"
#define USER_SECRET  "bWU6czNjcmV0" /* "me:s3cret" in base64 */

struct exchange {
	const char *request; /* method, URL, "\n" and body if there is one */
	unsigned status;
	const char *answer;
};

struct world {
	struct loop *loop;
	struct httpc *httpc;
	struct dns_keeper *keeper;
	struct dns_keeper_settings settings;
	const struct exchange *script; /* the end has no request */
	char sent[REQUESTS_MAX][512];
	unsigned n_sent;
	const char *published; /* NULL: nobody can tell; "": nothing */
	unsigned asked, stored;
	struct dns_trial *trial;
	json_t *told; /* list of all names */
	bool ended, cancels;
};

static struct ipaddr ip(const char *text)
{
	struct ipaddr a = {0};

	if (*text)
		assert_int_equal(ipaddr_parse(str_of(text), &a), 0);
	return a;
}

static void serve(void *arg, struct httpc_call *call, const struct httpc_request *request)
{
	struct world *w = arg;
	char *text = w->sent[w->n_sent++];

	assert_true(w->n_sent < REQUESTS_MAX);
	snprintf(text, sizeof(w->sent[0]), "%s %s%s%.*s", request->method, request->url,
		 request->body.len ? "\n" : "", STR_ARG(request->body));
	for (const struct exchange *x = w->script; x && x->request; x++)
		if (strcmp(x->request, text) == 0 && x->status) {
			httpc_sim_answer(call, 200 * USEC_PER_MS, x->status, NULL,
					 str_of(x->answer));
			return;
		}
	httpc_sim_fail(call, 200 * USEC_PER_MS, ERR_REFUSED, "nobody listens");
}

struct question {
	struct world *world;
	struct timer answer;
	void (*done)(void *arg, const struct ipaddr *published);
	void *arg;
	bool is6;
};

static void answer_question(void *arg)
{
	struct question *q = arg, copy = *q;
	struct ipaddr a = {0};

	free(q);
	if (copy.world->published && *copy.world->published && !copy.is6)
		a = ip(copy.world->published);
	copy.done(copy.arg, copy.world->published ? &a : NULL);
}

static void *start_question(void *arg, const char *host, int family,
			    void (*done)(void *done_arg, const struct ipaddr *published),
			    void *done_arg)
{
	struct question *q = calloc(1, sizeof(*q));
	struct world *w = arg;

	w->asked++;
	*q = (struct question){.world = w, .done = done, .arg = done_arg, .is6 = family == 6};
	timer_init(&q->answer, w->loop, answer_question, q);
	timer_start(&q->answer, 50 * USEC_PER_MS);
	return q;
}

static void cancel_question(void *arg, void *question)
{
	timer_stop(&((struct question *)question)->answer);
	free(question);
}

static int64_t wall_s(void *arg)
{
	return WALL + (int64_t)(loop_now(((struct world *)arg)->loop) / USEC_PER_S);
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_int_equal(loop_new_sim(&w->loop, NULL), 0);
	assert_int_equal(httpc_new_sim(w->loop, serve, w, &w->httpc, NULL), 0);
	w->published = "";
	w->told = json_array();
	w->settings = (struct dns_keeper_settings){
		.asker = {start_question, cancel_question, w}, .wall_s = wall_s, .arg = w};
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	dns_trial_cancel(w->trial);
	dns_keeper_free(w->keeper);
	httpc_free(w->httpc);
	loop_sim_advance(w->loop, USEC_PER_S);
	loop_free(w->loop);
	json_decref(w->told);
	free(w);
	return 0;
}

static struct dns_keeper_name name_at(const char *provider, const char *host)
{
	return (struct dns_keeper_name){.no6 = true,
					.fixed4 = ip("8.8.4.4"),
					.entry = {.provider = dns_provider_find(str_of(provider)),
						  .host = host,
						  .zone = "example.org",
						  .user = "me",
						  .pass = SECRET,
						  .key = SECRET}};
}

static void start(struct world *w, const struct dns_keeper_name *names, size_t n)
{
	w->settings.names = names;
	w->settings.n_names = n;
	assert_int_equal(dns_keeper_new(w->loop, w->httpc, &w->settings, &w->keeper, NULL), 0);
}

static void on_name(void *arg, json_t *name)
{
	struct world *w = arg;

	if (name) {
		json_array_append_new(w->told, name);
		if (w->cancels)
			dns_trial_cancel(TAKE(w->trial));
	} else {
		w->trial = NULL;
		w->ended = true;
	}
}

static void try_names(struct world *w, const char *label, unsigned how)
{
	struct err e = {0};

	json_array_clear(w->told);
	w->ended = false;
	if (dns_trial_start(w->keeper, label, how, on_name, w, &w->trial, &e) < 0)
		fail_msg("%s", e.text);
	loop_sim_advance(w->loop, 120 * USEC_PER_S);
	assert_true(w->ended);
}

/* The text at a path of what was told of the nth name: "checks 0 good". */
static const char *told(struct world *w, size_t nth, const char *path)
{
	const json_t *at = json_array_get(w->told, nth);
	struct str rest = str_of(path);
	static char text[512];

	while (rest.len && at) {
		struct str word = str_split(&rest, ' ');
		char key[32];
		uint64_t index;

		assert_true(str_copy(key, sizeof(key), word));
		at = str_to_u64(word, 99, &index) ? json_array_get(at, index)
						  : json_object_get(at, key);
	}
	if (json_is_integer(at))
		snprintf(text, sizeof(text), "%lld", json_integer_value(at));
	else
		snprintf(text, sizeof(text), "%s",
			 !at		     ? "(absent)"
			 : json_is_true(at)  ? "true"
			 : json_is_false(at) ? "false"
			 : json_is_null(at)  ? "null"
					     : json_string_value(at));
	return text;
}

static void no_secret(const struct world *w)
{
	AUTO(freep) char *text = json_dumps(w->told, 0);

	assert_null(strstr(text, SECRET));
	assert_null(strstr(text, USER_SECRET));
}

#define CF	"https://api.cloudflare.com/client/v4/zones"
#define CF_ZONE "GET " CF "?name=example.org"
#define CF_FIND "GET " CF "/z1/dns_records?type=A&name=home.example.org"

static const struct exchange cloudflare[] = {
	{CF_ZONE, 200, "{\"success\":true,\"result\":[{\"id\":\"z1\"}]}"},
	{CF_FIND, 200, "{\"success\":true,\"result\":[{\"id\":\"r1\",\"content\":\"192.0.2.9\"}]}"},
	{CF "/z1/dns_records/r1", 0, NULL},
	{NULL},
};

/* What only reads is made, what changes is shown, and the machine is none the wiser. */
static void test_several_requests(void **state)
{
	struct dns_keeper_name name = name_at("cloudflare", "home.example.org");
	struct world *w = *state;

	w->settings.only_look = true;
	w->published = "192.0.2.9";
	w->script = cloudflare;
	start(w, &name, 1);
	try_names(w, "home.example.org", 0);
	assert_int_equal(json_array_size(w->told), 1);
	assert_int_equal(w->n_sent, 2);
	assert_string_equal(w->sent[0], CF_ZONE);
	assert_string_equal(w->sent[1], CF_FIND);
	assert_string_equal(told(w, 0, "records 0 family"), "ipv4");
	assert_string_equal(told(w, 0, "records 0 wanted"), "8.8.4.4");
	assert_string_equal(told(w, 0, "records 0 found"), "192.0.2.9");
	assert_string_equal(told(w, 0, "records 0 send"), "now");
	assert_string_equal(told(w, 0, "requests 0 url"), CF "?name=example.org");
	assert_string_equal(told(w, 0, "requests 0 changes"), "false");
	assert_string_equal(told(w, 0, "requests 0 headers 1"), "Authorization: Bearer ***");
	assert_string_equal(told(w, 0, "requests 2 method"), "PATCH");
	assert_string_equal(told(w, 0, "requests 2 url"), CF "/z1/dns_records/r1");
	assert_string_equal(told(w, 0, "requests 2 body"), "{\"content\":\"8.8.4.4\"}");
	assert_string_equal(told(w, 0, "requests 2 changes"), "true");
	assert_string_equal(told(w, 0, "requests 3"), "(absent)");
	assert_string_equal(told(w, 0, "checks 0 good"), "true");
	assert_string_equal(told(w, 0, "checks 0 text"),
			    "user or token are good, and there is an A record");
	assert_string_equal(told(w, 0, "works"), "true");
	no_secret(w);
}

static void test_as_it_should_be(void **state)
{
	static const struct exchange script[] = {
		{CF_ZONE, 200, "{\"success\":true,\"result\":[{\"id\":\"z1\"}]}"},
		{CF_FIND, 200,
		 "{\"success\":true,\"result\":[{\"id\":\"r1\",\"content\":\"8.8.4.4\"}]}"},
		{NULL},
	};
	struct dns_keeper_name name = name_at("cloudflare", "home.example.org");
	struct world *w = *state;

	w->settings.only_look = true;
	w->script = script;
	start(w, &name, 1);
	try_names(w, NULL, 0);
	assert_string_equal(told(w, 0, "requests 2"), "(absent)");
	assert_string_equal(told(w, 0, "checks 0 text"),
			    "user or token are good, and all is as it should be");
}

static void test_a_wrong_token_is_tried_once(void **state)
{
	static const struct exchange script[] = {
		{CF_ZONE, 403, "{\"success\":false,\"errors\":[{\"code\":9109}]}"},
		{NULL},
	};
	struct dns_keeper_name names[] = {name_at("cloudflare", "a.example.org"),
					  name_at("cloudflare", "b.example.org"),
					  name_at("cloudflare", "c.example.org")};
	struct world *w = *state;

	w->settings.only_look = true;
	w->script = script;
	names[2].entry.pass = "another";
	start(w, names, 3);
	try_names(w, NULL, 0);
	assert_int_equal(json_array_size(w->told), 3);
	assert_int_equal(w->n_sent, 2);
	assert_string_equal(told(w, 0, "checks 0 good"), "false");
	assert_string_equal(told(w, 0, "checks 0 answer"), "badauth");
	assert_string_equal(told(w, 0, "works"), "false");
	assert_string_equal(told(w, 1, "checks 0 good"), "null");
	assert_string_equal(told(w, 1, "checks 0 check"), "skipped");
	assert_string_equal(told(w, 2, "checks 0 good"), "false");
}

static void test_nobody_there(void **state)
{
	struct dns_keeper_name name = name_at("gandi", "home.example.org");
	struct world *w = *state;

	w->settings.only_look = true;
	w->published = NULL;
	start(w, &name, 1);
	try_names(w, NULL, 0);
	assert_string_equal(told(w, 0, "records 0 found"), "null");
	assert_string_equal(told(w, 0, "checks 0 answer"), "network");
	assert_string_equal(told(w, 0, "works"), "false");
}

/* A provider of one request: it is shown, and not made. */
static void test_one_request(void **state)
{
	struct dns_keeper_name name = name_at("dyn", "home.example.org");
	struct world *w = *state;

	w->settings.only_look = true;
	w->published = "8.8.4.4";
	start(w, &name, 1);
	try_names(w, NULL, 0);
	assert_int_equal(w->n_sent, 0);
	assert_string_equal(told(w, 0, "requests 0 url"),
			    "https://members.dyndns.org/v3/update?hostname=home.example.org&myip="
			    "8.8.4.4");
	assert_string_equal(told(w, 0, "requests 0 headers 1"), "Authorization: Basic ***");
	assert_string_equal(told(w, 0, "checks 0 check"), "none");
	assert_non_null(
		strstr(told(w, 0, "checks 0 text"), "homeport dns test home.example.org --send"));
	assert_string_equal(told(w, 0, "works"), "null");
	assert_string_equal(told(w, 0, "records 0 send"), "asks");
	no_secret(w);
}

/* Without an address what only reads is read all the same. */
static void test_no_address(void **state)
{
	struct dns_keeper_name names[] = {name_at("cloudflare", "home.example.org"),
					  name_at("dyn", "home.example.net")};
	struct world *w = *state;

	names[0].fixed4 = names[1].fixed4 = (struct ipaddr){0};
	w->settings.only_look = true;
	w->script = cloudflare;
	start(w, names, 2);
	try_names(w, NULL, 0);
	assert_int_equal(w->n_sent, 2);
	assert_string_equal(told(w, 0, "records 0 wanted"), "(absent)");
	assert_string_equal(told(w, 0, "records 0 why"), "nobody has told one yet");
	assert_string_equal(told(w, 0, "records 0 send"), "no-address");
	assert_string_equal(told(w, 0, "checks 0 good"), "true");
	assert_string_equal(told(w, 0, "requests 2"), "(absent)");
	assert_string_equal(told(w, 0, "works"), "false");
	assert_string_equal(told(w, 0, "text"), "no address is known that could be published");
	assert_string_equal(told(w, 1, "requests 0"), "(absent)");
}

/* With a keeper at work: by its rules, and the answer is awaited. */
static void test_send(void **state)
{
	static const struct exchange good[] = {
		{"GET https://members.dyndns.org/v3/update?hostname=home.example.org&myip=8.8.4.4",
		 200, "good 8.8.4.4"},
		{NULL},
	};
	static const struct exchange bad[] = {
		{"GET https://members.dyndns.org/v3/update?hostname=home.example.org&myip=8.8.4.4",
		 200, "badauth"},
		{NULL},
	};
	struct dns_keeper_name name = name_at("dyn", "home.example.org");
	struct world *w = *state;

	w->script = bad;
	start(w, &name, 1);
	loop_sim_advance(w->loop, 10 * USEC_PER_S);
	assert_int_equal(w->n_sent, 1);
	try_names(w, NULL, 0); /* sends nothing, and mends nothing */
	assert_int_equal(w->n_sent, 1);
	assert_string_equal(told(w, 0, "records 0 send"), "parked");
	assert_string_equal(told(w, 0, "works"), "false");
	w->script = good;
	loop_sim_advance(w->loop, 600 * USEC_PER_S);
	try_names(w, "home.example.org", DNS_TRIAL_SEND);
	assert_int_equal(w->n_sent, 2);
	assert_string_equal(told(w, 0, "sent 0 answer"), "good");
	assert_string_equal(told(w, 0, "sent 0 good"), "true");
	assert_string_equal(told(w, 0, "records 0 send"), "nothing");
	assert_string_equal(told(w, 0, "works"), "true");
	/* It is there: nothing is sent but by force, and then not before its time. */
	try_names(w, NULL, DNS_TRIAL_SEND);
	assert_int_equal(w->n_sent, 2);
	assert_string_equal(told(w, 0, "sent 0"), "(absent)");
	assert_string_equal(told(w, 0, "works"), "true"); /* that is known from before */
	try_names(w, NULL, DNS_TRIAL_SEND | DNS_TRIAL_FORCE);
	assert_int_equal(w->n_sent, 2);
	assert_string_equal(told(w, 0, "records 0 send"), "interval");
	assert_string_equal(told(w, 0, "sent 0"), "(absent)");
	no_secret(w);
}

/* What is sent in less than a minute is waited for. */
static void test_send_soon(void **state)
{
	static const struct exchange good[] = {
		{"GET https://ddns.example.net/nic/update?hostname=home.example.org&myip=8.8.4.4",
		 200, "good 8.8.4.4"},
		{NULL},
	};
	struct dns_keeper_name name = name_at("dyndns2", "home.example.org");
	struct world *w = *state;

	name.entry.server = "ddns.example.net";
	w->script = good;
	start(w, &name, 1);
	loop_sim_advance(w->loop, 10 * USEC_PER_S);
	assert_int_equal(w->n_sent, 1);
	try_names(w, NULL, DNS_TRIAL_SEND | DNS_TRIAL_FORCE);
	try_names(w, NULL, DNS_TRIAL_SEND | DNS_TRIAL_FORCE);
	assert_int_equal(w->n_sent, 3);
	assert_string_equal(told(w, 0, "sent 0 answer"), "good");
	no_secret(w);
}

/* What its first request refuses is not sent. */
static void test_send_refused(void **state)
{
	static const struct exchange script[] = {
		{CF_ZONE, 200, "{\"success\":true,\"result\":[]}"},
		{NULL},
	};
	struct dns_keeper_name name = name_at("cloudflare", "home.example.org");
	struct world *w = *state;

	w->script = script;
	start(w, &name, 1);
	loop_sim_advance(w->loop, 10 * USEC_PER_S);
	assert_int_equal(w->n_sent, 1); /* the keeper's own, which parks */
	try_names(w, NULL, DNS_TRIAL_SEND);
	assert_int_equal(w->n_sent, 2);
	assert_string_equal(told(w, 0, "checks 0 answer"), "nohost");
	assert_string_equal(told(w, 0, "sent 0"), "(absent)");
}

/* As often as somebody asks, and however many names there are. */
static void test_an_account_is_not_worn_out(void **state)
{
	struct dns_keeper_name names[60];
	char hosts[60][32];
	struct world *w = *state;

	for (int i = 0; i < 60; i++) {
		snprintf(hosts[i], sizeof(hosts[i]), "n%d.example.org", i);
		names[i] = name_at("godaddy", hosts[i]);
	}
	w->settings.only_look = true;
	w->script = (const struct exchange[]){{NULL}};
	start(w, names, 60);
	assert_int_equal(dns_trial_start(w->keeper, NULL, 0, on_name, w, &w->trial, NULL), 0);
	loop_sim_advance(w->loop, 60 * USEC_PER_S);
	assert_true(w->ended);
	assert_in_range(w->n_sent, DNS_CHECK_BURST, DNS_CHECK_BURST + 60 / DNS_CHECK_INTERVAL_S);
	assert_string_equal(told(w, 59, "checks 0 good"), "null");
	assert_non_null(strstr(told(w, 59, "checks 0 text"), "asked often enough for now"));
}

static void test_inwx_wants_both(void **state)
{
	struct dns_keeper_name name = name_at("inwx", "home.example.org");
	struct world *w = *state;

	w->settings.only_look = true;
	name.no6 = false;
	start(w, &name, 1);
	try_names(w, NULL, 0);
	assert_string_equal(told(w, 0, "records 1 send"), "no-address");
	assert_string_equal(told(w, 0, "requests 0"), "(absent)");
}

static void test_limits_and_endings(void **state)
{
	struct dns_keeper_name names[] = {name_at("dyn", "a.example.org"),
					  name_at("dyn", "b.example.org")};
	struct world *w = *state, *others[DNS_TRIALS_MAX];
	struct dns_trial *trial = NULL;
	struct err e = {0};

	w->settings.only_look = true;
	start(w, names, 2);
	assert_int_equal(dns_trial_start(w->keeper, "c.example.org", 0, on_name, w, &trial, &e),
			 -ERR_NOT_FOUND);
	for (int i = 0; i < DNS_TRIALS_MAX; i++) {
		others[i] = calloc(1, sizeof(*w));
		others[i]->told = json_array();
		assert_int_equal(dns_trial_start(w->keeper, NULL, 0, on_name, others[i],
						 &others[i]->trial, &e),
				 0);
	}
	assert_int_equal(dns_trial_start(w->keeper, NULL, 0, on_name, w, &trial, &e), -ERR_LIMIT);
	loop_sim_advance(w->loop, 20 * USEC_PER_MS); /* questions are under way */
	dns_trial_cancel(TAKE(others[0]->trial));
	others[1]->cancels = true; /* from inside on_name */
	loop_sim_advance(w->loop, 60 * USEC_PER_S);
	assert_int_equal(json_array_size(others[0]->told), 0);
	assert_int_equal(json_array_size(others[1]->told), 1);
	assert_int_equal(json_array_size(others[2]->told), 2);
	assert_true(others[2]->ended);
	for (int i = 0; i < DNS_TRIALS_MAX; i++) {
		json_decref(others[i]->told);
		free(others[i]);
	}
	try_names(w, NULL, 0);
}

/* ── all rows ── */

static void check_shown(const struct dns_plan *plan)
{
	static const char *const secrets[] = {"s3cr", "czNjc", "MzY3I", "zM2Ny"};
	struct dns_request q = {0};
	struct err e = {0};
	char text[4096];

	if (dns_plan_show(plan, &q, &e) < 0)
		fail_msg("%s: %s", plan->entry->provider->name, e.text);
	snprintf(text, sizeof(text), "%s\n%.*s%.*s", (const char *)buf_head(&q.url),
		 STR_ARG(buf_str(&q.headers)), STR_ARG(buf_str(&q.body)));
	dns_request_done(&q);
	for (size_t i = 0; i < ARRAY_LEN(secrets); i++)
		if (strstr(text, secrets[i]))
			fail_msg("%s shows %s:\n%s", plan->entry->provider->name, secrets[i], text);
}

static const char *host_for(const struct dns_provider *row)
{
	static const char *const hosts[] = {"home.duckdns.org", "home.example.org", "12345",
					    "8.8.4.4", "home"};
	char text[HOSTNAME_MAX];

	for (size_t i = row->zone ? 0 : 1; i < ARRAY_LEN(hosts); i++)
		if (dns_naming_copy(text, row, str_of(hosts[i]), NULL) == 0)
			return hosts[i];
	fail_msg("%s takes none of these names", row->name);
	return NULL;
}

static void show_all(const struct dns_provider *row, enum dns_what what, bool has_record)
{
	const struct dns_entry entry = {.provider = row,
					.host = host_for(row),
					.zone = "example.org",
					.server = "ddns.example.net",
					.user = "ann",
					.pass = "s3cret/pass",
					.key = row->claim ? "3164444" : "s3cret/key"};
	const struct dns_target target = {.ip4 = ip("8.8.4.4"),
					  .ip6 = ip("2606:4700::1"),
					  .prefix6 = {.addr = ip("2606:4700::"), .bits = 64}};
	struct dns_plan plan;
	struct err e = {0};

	if (dns_plan_start(&plan, &entry, what, &target, &e) < 0)
		fail_msg("%s: %s", row->name, e.text);
	dns_vars_set(&plan.vars, "zone_id", STR("z1"));
	dns_vars_set(&plan.vars, "session", STR("s3cretsession"));
	dns_vars_set(&plan.vars, "time", STR("1800000000"));
	dns_vars_set(&plan.vars, "record",
		     strcmp(row->name, "freedns-list") == 0
			     ? STR("https://sync.afraid.org/u/s3cretrecord/?x=1")
			     : STR("r1"));
	plan.has_record = has_record;
	while (!dns_plan_ended(&plan)) {
		check_shown(&plan);
		dns_plan_pass(&plan);
	}
}

static void test_no_row_shows_a_secret(void **state)
{
	for (size_t i = 0; i < dns_providers_count; i++) {
		const struct dns_provider *row = &dns_providers[i];
		unsigned can = row->closed || row->rfc2136 ? 0 : dns_provider_can(row);

		for (int has_record = 0; has_record < 2; has_record++) {
			if (can & DNS_CAN_A && !(can & DNS_CAN_ONLY_BOTH))
				show_all(row, DNS_A, has_record);
			if (can & DNS_CAN_AAAA && !(can & DNS_CAN_ONLY_BOTH))
				show_all(row, DNS_AAAA, has_record);
			if (can & DNS_CAN_BOTH)
				show_all(row, DNS_BOTH, has_record);
			if (can & DNS_CAN_PREFIX)
				show_all(row, DNS_PREFIX, has_record);
		}
	}
}

/* What is made without anybody's wish may not carry the wish. */
static void test_what_reads_changes_nothing(void **state)
{
	static const char *const wishes[] = {"value", "ttl", "ip4", "ip6", "prefix6", "txt"};
	unsigned n = 0;

	for (size_t i = 0; i < dns_providers_count; i++)
		for (int k = 0; k < DNS_STEPS_MAX; k++) {
			const struct dns_step *step = &dns_providers[i].steps[k];

			if (!step->url || !dns_step_reads(step))
				continue;
			n++;
			for (size_t v = 0; v < ARRAY_LEN(wishes); v++)
				if (dns_template_uses(step->url, wishes[v]) ||
				    dns_template_uses(step->body, wishes[v]))
					fail_msg("%s, step %d", dns_providers[i].name, k);
			for (int before = 0; before < k; before++)
				assert_true(dns_step_reads(&dns_providers[i].steps[before]));
		}
	assert_true(n >= 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_several_requests, setup, teardown),
		cmocka_unit_test_setup_teardown(test_as_it_should_be, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_wrong_token_is_tried_once, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nobody_there, setup, teardown),
		cmocka_unit_test_setup_teardown(test_one_request, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_address, setup, teardown),
		cmocka_unit_test_setup_teardown(test_send, setup, teardown),
		cmocka_unit_test_setup_teardown(test_send_soon, setup, teardown),
		cmocka_unit_test_setup_teardown(test_send_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_an_account_is_not_worn_out, setup, teardown),
		cmocka_unit_test_setup_teardown(test_inwx_wants_both, setup, teardown),
		cmocka_unit_test_setup_teardown(test_limits_and_endings, setup, teardown),
		cmocka_unit_test(test_no_row_shows_a_secret),
		cmocka_unit_test(test_what_reads_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
