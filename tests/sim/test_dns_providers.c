/*
 * Every provider of one request against a server that behaves in every way it can, on a virtual clock,
 * through the keeper: how many requests come of it.
 */
#include "test.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "dns/keeper.h"

#define DAY  (86400ull * USEC_PER_S)
#define WALL ((int64_t)1800000000)

struct behaviour {
	const char *name;
	unsigned status;
	const char *head, *body; /* body NULL: the row's own word for it */
	bool silent;		 /* connected, and no answer */
	bool refuses;		 /* nobody listens */
	bool words;		 /* about words: nothing to those who have none but a status */
	unsigned days;
	unsigned least, most; /* requests in that time */
};

static const struct behaviour behaviours[] = {
	{"good", 200, NULL, NULL, .days = 5, .least = 1, .most = 1},
	{"wrong password", 401, NULL, "", .days = 30, .least = 1, .most = 1},
	{"page", 200, NULL, "<!DOCTYPE html><html>Welcome to this hotel. OK good success</html>",
	 .days = 1, .least = 10, .most = 60},
	{"redirect", 302, "Location: http://portal.example/\r\n", "good", .days = 1, .least = 10,
	 .most = 60},
	{"broken", 503, NULL, "Service Unavailable", .days = 1, .least = 10, .most = 60},
	{"bad gateway", 502, NULL, "<html>502 Bad Gateway</html>", .days = 1, .least = 10,
	 .most = 60},
	{"limits", 429, "Retry-After: 3600\r\n", "", .days = 1, .least = 15, .most = 24},
	{"limits, unsaid", 429, NULL, "", .days = 1, .least = 20, .most = 48},
	{"nonsense", 200, NULL, "the quick brown fox", .words = true, .days = 30, .least = 3,
	 .most = 3},
	{"nothing", 200, NULL, "", .words = true, .days = 30, .least = 3, .most = 3},
	{"asleep", .silent = true, .days = 1, .least = 10, .most = 60},
	{"nobody there", .refuses = true, .days = 1, .least = 10, .most = 60},
};

/* What each grammar calls success. */
static const struct {
	const struct dns_grammar *grammar;
	const char *good;
} words[] = {
	{&dns_grammar_dyndns2, "good 8.8.4.4"},
	{&dns_grammar_desec, "good"},
	{&dns_grammar_ipv64, "good 8.8.4.4"},
	{&dns_grammar_duckdns, "OK"},
	{&dns_grammar_dynv6, "addresses updated"},
	{&dns_grammar_freedns, "Updated home.example.org from 8.8.8.8 to 8.8.4.4"},
	{&dns_grammar_zoneedit, "<SUCCESS CODE=\"200\" TEXT=\"updated\" ZONE=\"example.org\">"},
	{&dns_grammar_easydns, "NOERROR"},
	{&dns_grammar_namecheap,
	 "<?xml version=\"1.0\"?><interface-response><ErrCount>0</ErrCount></interface-response>"},
	{&dns_grammar_words, "OK"},
	{&dns_grammar_api, ""},
};

/* Grammars that live with their rows. */
static const struct {
	const char *provider, *good;
} own_words[] = {
	{"domaindiscount24", "[RESPONSE]\ncode = 200\nEOF\n"},
	{"dnsmadeeasy", "success"},
	{"regfish", "success|100|update succeeded!"},
	{"ddnss", "<html><body><p>Updated 1 hostname.</p></body></html>"},
	{"goip", "home.example.org (8.8.4.4)"},
	{"changeip", "200 Successful Update"},
	{"sitelutions", "success"},
	{"enom", "ErrCount=0\r\nDone=true\r\n"},
	{"njalla", "{\"status\":200,\"message\":\"record updated\"}"},
	{"1984", "{\"ok\":true,\"msg\":\"updated\"}"},
	{"dondominio", "{\"success\":true,\"messages\":[\"OK\"]}"},
	{"directnic", "{\"result\":\"success\"}"},
};

static const char *good_of(const struct dns_provider *p)
{
	for (size_t i = 0; i < ARRAY_LEN(own_words); i++)
		if (strcmp(own_words[i].provider, p->name) == 0)
			return own_words[i].good;
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (words[i].grammar == p->grammar)
			return words[i].good;
	fail_msg("%s: no word of success is known", p->name);
	return NULL;
}

struct world {
	struct loop *loop;
	const struct dns_provider *provider;
	const struct behaviour *behaviour;
	unsigned n_requests, n_questions;
	struct question {
		struct defer answer;
		void (*done)(void *arg, const struct ipaddr *published);
		void *arg;
	} questions[2]; /* IPv4, IPv6 */
};

static void serve(void *arg, struct httpc_call *call, const struct httpc_request *request)
{
	struct world *w = arg;
	const struct behaviour *b = w->behaviour;
	const char *body = b->body ? b->body : good_of(w->provider);

	w->n_requests++;
	assert_memory_equal(request->url, "https://", 8);
	if (b->refuses)
		httpc_sim_fail(call, USEC_PER_MS, ERR_REFUSED, "nobody listens");
	else if (!b->silent)
		httpc_sim_answer(call, 100 * USEC_PER_MS, b->status, b->head, str_of(body));
}

static void answer_question(void *arg)
{
	struct question *q = arg;

	q->done(q->arg, &(struct ipaddr){0});
}

static void *start_question(void *arg, const char *host, int family,
			    void (*done)(void *done_arg, const struct ipaddr *published),
			    void *done_arg)
{
	struct world *w = arg;
	struct question *q = &w->questions[family == 6];

	w->n_questions++;
	q->done = done;
	q->arg = done_arg;
	defer_init(&q->answer, w->loop, answer_question, q);
	defer_call(&q->answer);
	return q;
}

static void cancel_question(void *arg, void *question)
{
	defer_cancel(&((struct question *)question)->answer);
}

static int64_t wall_s(void *arg)
{
	return WALL + (int64_t)(loop_now(((struct world *)arg)->loop) / USEC_PER_S);
}

static void report(struct dns_keeper *keeper, enum dns_source source, const char *text)
{
	struct ipaddr a;

	assert_int_equal(ipaddr_parse(str_of(text), &a), 0);
	dns_keeper_report(keeper, source, a.family, DNS_WISH_ADDRESS, &a);
}

static const char *host_of(const struct dns_provider *p)
{
	if (p->names && !(p->names & DNS_NAME_HOST))
		return "1234567"; /* a number, and a word */
	return p->zone ? "home.duckdns.org" : "home.example.org";
}

/* A provider that needs both families gets both; others are asked for one, so that requests can be
 * counted. */
static unsigned play(const struct dns_provider *p, const struct behaviour *b)
{
	bool both = dns_provider_can(p) & DNS_CAN_ONLY_BOTH;
	struct world w = {.provider = p, .behaviour = b};
	struct dns_keeper_name name = {.no6 = true,
				       .entry = {.provider = p,
						 .host = host_of(p),
						 .zone = "example.org",
						 .server = "ddns.example.org",
						 .user = "me",
						 .pass = "secret"}};
	struct dns_keeper_settings settings = {.names = &name,
					       .n_names = 1,
					       .asker = {start_question, cancel_question, &w},
					       .wall_s = wall_s,
					       .arg = &w};
	struct dns_keeper *keeper;
	struct httpc *httpc;

	name.no6 = !both;
	assert_int_equal(loop_new_sim(&w.loop, NULL), 0);
	assert_int_equal(httpc_new_sim(w.loop, serve, &w, &httpc, NULL), 0);
	assert_int_equal(dns_keeper_new(w.loop, httpc, &settings, &keeper, NULL), 0);
	report(keeper, DNS_SOURCE_GATEWAY, "8.8.4.4");
	if (both)
		report(keeper, DNS_SOURCE_INTERFACE, "2606:4700::1");
	loop_sim_advance(w.loop, b->days * DAY);
	dns_keeper_free(keeper);
	httpc_free(httpc);
	loop_free(w.loop);
	return w.n_requests;
}

static bool is_by_status(const struct dns_grammar *grammar)
{
	return grammar->how == DNS_JSON && grammar->n_words == 0;
}

static void test_every_row_with_every_server(void **state)
{
	for (size_t b = 0; b < ARRAY_LEN(behaviours); b++) {
		unsigned least = UINT32_MAX, most = 0, rows = 0;

		for (size_t i = 0; i < dns_providers_count; i++) {
			const struct dns_provider *p = &dns_providers[i];
			unsigned n;

			if (!p->url || !(dns_provider_can(p) & DNS_CAN_A) ||
			    (behaviours[b].words && is_by_status(p->grammar)))
				continue;
			n = play(p, &behaviours[b]);
			if (n < behaviours[b].least || n > behaviours[b].most)
				fail_msg("%s, %s: %u requests in %u days", p->name,
					 behaviours[b].name, n, behaviours[b].days);
			least = MIN(least, n);
			most = MAX(most, n);
			rows++;
		}
		print_message("%-15s %u rows, %u to %u requests in %u days\n", behaviours[b].name,
			      rows, least, most, behaviours[b].days);
	}
}

/* The codes of dyndns2, as its inventor says what a client must do. */
static void test_the_codes_of_dyndns2(void **state)
{
	static const struct behaviour codes[] = {
		{"nochg", 200, NULL, "nochg 8.8.4.4", .days = 20, .least = 1, .most = 1},
		{"good 127.0.0.1", 200, NULL, "good 127.0.0.1", .days = 30, .least = 1, .most = 1},
		{"badauth", 200, NULL, "badauth", .days = 30, .least = 1, .most = 1},
		{"!donator", 200, NULL, "!donator", .days = 30, .least = 1, .most = 1},
		{"notfqdn", 200, NULL, "notfqdn", .days = 30, .least = 1, .most = 1},
		{"nohost", 200, NULL, "nohost", .days = 30, .least = 1, .most = 1},
		{"!yours", 200, NULL, "!yours", .days = 30, .least = 1, .most = 1},
		{"!active", 200, NULL, "!active", .days = 30, .least = 1, .most = 1},
		{"numhost", 200, NULL, "numhost", .days = 30, .least = 1, .most = 1},
		{"abuse", 200, NULL, "abuse", .days = 30, .least = 1, .most = 1},
		{"badagent", 200, NULL, "badagent", .days = 30, .least = 1, .most = 1},
		{"badsys", 200, NULL, "badsys", .days = 30, .least = 1, .most = 1},
		{"dnserr", 200, NULL, "dnserr", .days = 30, .least = 3, .most = 3},
		{"911", 200, NULL, "911", .days = 1, .least = 5, .most = 9},
		{"another's address", 200, NULL, "good 8.8.4.99", .days = 30, .least = 3,
		 .most = 3},
	};
	static const char *const rows[] = {"dyn", "noip", "strato", "he", "nsupdate.info"};

	for (size_t i = 0; i < ARRAY_LEN(codes); i++)
		for (size_t k = 0; k < ARRAY_LEN(rows); k++) {
			unsigned n = play(dns_provider_find(str_of(rows[k])), &codes[i]);

			if (n < codes[i].least || n > codes[i].most)
				fail_msg("%s, %s: %u requests in %u days", rows[k], codes[i].name,
					 n, codes[i].days);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_row_with_every_server),
		cmocka_unit_test(test_the_codes_of_dyndns2),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
