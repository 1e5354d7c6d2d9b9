/* The names kept right, on a virtual clock, at providers that are played here. */
#include "test.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "dns/custom.h"
#include "dns/import.h"
#include "dns/keeper.h"
#include "dns/ledger.h"
#include "state/folder.h"

#define WALL	      ((int64_t)1800000000)
#define REQUESTS_MAX  64
#define EVENTS_MAX    64
#define QUESTIONS_MAX 256

struct sent {
	char url[512];
	usec_t at;
	bool was_stored; /* the ledger on disk knew of it */
};

struct world {
	struct loop *loop;
	struct httpc *httpc;
	struct dns_keeper *keeper;
	struct dns_keeper_settings settings;
	char folder[64];

	/* provider */
	unsigned status;
	const char *head, *body;
	bool silent, refuses, only_count;
	struct sent sent[REQUESTS_MAX];
	unsigned n_sent;

	/* its name server */
	const char *published; /* NULL: nobody can tell; "": nothing */
	unsigned asked, asking, most_asking;
	struct question {
		struct world *world;
		struct timer answer;
		void (*done)(void *arg, const struct ipaddr *published);
		void *arg;
	} questions[QUESTIONS_MAX];

	usec_t awake_at; /* when it looked at the clock last */
	unsigned wakes;	 /* at how many moments it did */
	int64_t wall_s;	 /* when the loop's clock began */

	struct defer end;
	bool ends_at_park;
	struct dns_event events[EVENTS_MAX];
	char texts[EVENTS_MAX][DNS_REPLY_TEXT_MAX];
	unsigned n_events;
};

static struct ipaddr ip(const char *text)
{
	struct ipaddr a = {0};

	if (*text)
		assert_int_equal(ipaddr_parse(str_of(text), &a), 0);
	return a;
}

static bool on_disk(const struct world *w, const char *text)
{
	AUTO(buf_donep) struct buf file = {0};
	int r = state_read(w->folder, DNS_LEDGER_FILE, &file, NULL);

	return r == 0 && memmem(buf_head(&file), buf_len(&file), text, strlen(text));
}

static void serve(void *arg, struct httpc_call *call, const struct httpc_request *request)
{
	struct world *w = arg;
	struct sent *s = &w->sent[w->n_sent++ % REQUESTS_MAX];

	assert_true(w->only_count || w->n_sent < REQUESTS_MAX);
	assert_true(request->https_only);
	snprintf(s->url, sizeof(s->url), "%s", request->url);
	s->at = loop_now(w->loop);
	s->was_stored = !w->only_count && on_disk(w, "\"SENT\"");
	if (w->refuses)
		httpc_sim_fail(call, 1000, ERR_REFUSED, "nobody listens");
	else if (!w->silent)
		httpc_sim_answer(call, 200 * USEC_PER_MS, w->status, w->head, str_of(w->body));
}

static void answer_question(void *arg)
{
	struct question *q = arg;
	struct ipaddr a = q->world->published ? ip(q->world->published) : (struct ipaddr){0};

	q->world->asking--;
	q->done(q->arg, q->world->published ? &a : NULL);
}

static void *start_question(void *arg, const char *host, int family,
			    void (*done)(void *done_arg, const struct ipaddr *published),
			    void *done_arg)
{
	struct world *w = arg;
	struct question *q = &w->questions[w->asked++ % QUESTIONS_MAX];

	assert_true(w->only_count || w->asked < QUESTIONS_MAX);
	w->asking++;
	w->most_asking = MAX(w->most_asking, w->asking);
	*q = (struct question){.world = w, .done = done, .arg = done_arg};
	timer_init(&q->answer, w->loop, answer_question, q);
	timer_start(&q->answer, 50 * USEC_PER_MS);
	return q;
}

static void cancel_question(void *arg, void *question)
{
	((struct world *)arg)->asking--;
	timer_stop(&((struct question *)question)->answer);
}

static int64_t wall_s(void *arg)
{
	struct world *w = arg;

	w->wakes += loop_now(w->loop) != w->awake_at;
	w->awake_at = loop_now(w->loop);
	return w->wall_s + (int64_t)(w->awake_at / USEC_PER_S);
}

static void on_event(void *arg, const struct dns_event *event)
{
	struct world *w = arg;

	if (w->only_count)
		return;
	assert_true(w->n_events < EVENTS_MAX);
	snprintf(w->texts[w->n_events], sizeof(w->texts[0]), "%s", event->text);
	w->events[w->n_events++] = *event;
	if (w->ends_at_park && event->kind == DNS_EVENT_PARKED)
		defer_call(&w->end);
}

static void start(struct world *w, const struct dns_keeper_name *names, size_t n)
{
	struct err e = {0};

	w->settings.names = names;
	w->settings.n_names = n;
	if (dns_keeper_new(w->loop, w->httpc, &w->settings, &w->keeper, &e) < 0)
		fail_msg("%s", e.text);
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_int_equal(loop_new_sim(&w->loop, NULL), 0);
	assert_int_equal(httpc_new_sim(w->loop, serve, w, &w->httpc, NULL), 0);
	strcpy(w->folder, "/tmp/homeport-keeper-XXXXXX");
	assert_non_null(mkdtemp(w->folder));
	w->status = 200;
	w->body = "good 8.8.4.4";
	w->published = "";
	w->wall_s = WALL;
	w->settings = (struct dns_keeper_settings){.folder = w->folder,
						   .asker = {start_question, cancel_question, w},
						   .wall_s = wall_s,
						   .on_event = on_event,
						   .arg = w};
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;
	char path[128];

	dns_keeper_free(w->keeper);
	httpc_free(w->httpc);
	loop_sim_advance(w->loop, USEC_PER_S);
	loop_free(w->loop);
	snprintf(path, sizeof(path), "%s/" DNS_LEDGER_FILE, w->folder);
	unlink(path);
	rmdir(w->folder);
	free(w);
	return 0;
}

static struct dns_keeper_name name_at(const char *provider, const char *host)
{
	return (struct dns_keeper_name){.entry = {.provider = dns_provider_find(str_of(provider)),
						  .host = host,
						  .user = "me",
						  .pass = "secret"}};
}

static void report(struct world *w, enum dns_source source, const char *text)
{
	struct ipaddr a = ip(text);

	dns_keeper_report(w->keeper, source, a.family, DNS_WISH_ADDRESS, &a);
}

#define DYN "https://members.dyndns.org/v3/update?hostname="

/* ── what people read of the address ── */

static void reads(struct world *w, const char *family, const char *why)
{
	json_t *status = dns_keeper_status(w->keeper);
	bool found = false;
	json_t *o;
	size_t i;

	json_array_foreach(status, i, o) if (strcmp(json_string_value(json_object_get(o, "family")),
						    family) == 0)
	{
		const char *text = json_string_value(json_object_get(o, "why"));

		assert_string_equal(text ? text : "", why);
		found = true;
	}
	assert_true(found);
	json_decref(status);
}

static void test_who_says_so(void **state)
{
	struct dns_keeper_name name = name_at("dyn", "home.example.org");
	struct world *w = *state;

	name.fixed6 = ip("2606:4700::1");
	start(w, &name, 1);
	reads(w, "ipv4", "nobody has told one yet");
	reads(w, "ipv6", ""); /* it is configured */
	report(w, DNS_SOURCE_ROUTER, "8.8.4.5");
	report(w, DNS_SOURCE_STUN, "8.8.4.4");
	loop_sim_advance(w->loop, 10 * USEC_PER_S);
	reads(w, "ipv4",
	      "8.8.4.5 from the router is said by nobody else yet; "
	      "8.8.4.4 from a STUN server is said by nobody else yet");
	assert_true(dns_keeper_wants_more(w->keeper, 4));
	report(w, DNS_SOURCE_ECHO, "8.8.4.4");
	loop_sim_advance(w->loop, 10 * USEC_PER_S);
	reads(w, "ipv4",
	      "8.8.4.4 from a STUN server, confirmed by echo services; the router itself has "
	      "8.8.4.5: another router or the provider translates");
	assert_false(dns_keeper_wants_more(w->keeper, 4));
}

/* Of the IPv4 side: "" if the status has none. */
static void answer_is(struct world *w, const char *expected)
{
	json_t *status = dns_keeper_status(w->keeper);
	const char *text = NULL;
	json_t *o;
	size_t i;

	json_array_foreach(status, i, o) if (strcmp(json_string_value(json_object_get(o, "family")),
						    "ipv4") == 0) text =
		json_string_value(json_object_get(o, "answer"));
	assert_string_equal(text ? text : "", expected);
	json_decref(status);
}

static void test_no_answer_is_told_before_it_came(void **state)
{
	struct dns_keeper_name name = name_at("dyn", "home.example.org");
	struct world *w = *state;

	start(w, &name, 1);
	w->silent = true;
	report(w, DNS_SOURCE_GATEWAY, "8.8.4.4");
	loop_sim_advance(w->loop, 5 * USEC_PER_S);
	assert_int_equal(w->n_sent, 1);
	answer_is(w, "");

	dns_keeper_free(w->keeper); /* as a crash would */
	start(w, &name, 1);
	answer_is(w, "");
	w->published = "8.8.4.4";
	report(w, DNS_SOURCE_GATEWAY, "8.8.4.4");
	loop_sim_advance(w->loop, 600 * USEC_PER_S);
	assert_int_equal(w->n_sent, 1);
	answer_is(w, "good"); /* the name's own server says so */
}

/* As `homeport import` leaves it. */
static void take_over(struct world *w, const char *configuration, const char *cache)
{
	AUTO(buf_donep) struct buf text = {0};
	struct dns_import import;
	struct dns_ledger ledger;
	struct err e = {0};

	dns_import_init(&import);
	dns_ledger_init(&ledger);
	assert_int_equal(dns_import_ddclient(&import, str_of(configuration), &e), 0);
	assert_int_equal(dns_import_ddclient_cache(&import, str_of(cache), &e), 0);
	assert_int_equal(dns_import_ledger(&import, &ledger, false), 0);
	assert_int_equal(dns_ledger_encode(&ledger, WALL, &text), 0);
	assert_int_equal(state_write(w->folder, DNS_LEDGER_FILE, buf_str(&text), &e), 0);
	dns_ledger_done(&ledger);
	dns_import_done(&import);
}

static void test_who_moves_here_sends_nothing(void **state)
{
	struct dns_keeper_name name = name_at("dyn", "home.example.org");
	struct world *w = *state;

	take_over(w, "login=me password=secret home.example.org\n",
		  "ip=8.8.4.4,mtime=1799990000,status=good home.example.org\n");
	start(w, &name, 1);
	report(w, DNS_SOURCE_GATEWAY, "8.8.4.4");
	loop_sim_advance(w->loop, 3600 * USEC_PER_S);
	assert_int_equal(w->n_sent, 0);
	assert_int_equal(w->asked, 0);
	report(w, DNS_SOURCE_GATEWAY, "8.8.4.5");
	loop_sim_advance(w->loop, 10 * USEC_PER_S);
	assert_int_equal(w->n_sent, 1);
	assert_int_equal(w->asked, 0);
}

static void test_a_change_arrives_within_two_seconds(void **state)
{
	struct dns_keeper_name name = name_at("dyn", "home.example.org");
	struct world *w = *state;
	usec_t changed;

	start(w, &name, 1);
	report(w, DNS_SOURCE_GATEWAY, "8.8.4.4");
	loop_sim_advance(w->loop, 10 * USEC_PER_S);
	assert_int_equal(w->n_sent, 1);
	assert_string_equal(w->sent[0].url, DYN "home.example.org&myip=8.8.4.4");
	assert_int_equal(w->asked, 1); /* nothing was known */
	loop_sim_advance(w->loop, 3600 * USEC_PER_S);

	changed = loop_now(w->loop);
	w->body = "good 8.8.4.5";
	report(w, DNS_SOURCE_GATEWAY, "8.8.4.5");
	loop_sim_advance(w->loop, 10 * USEC_PER_S);
	assert_int_equal(w->n_sent, 2);
	print_message("change to request: %llu ms\n",
		      (unsigned long long)((w->sent[1].at - changed) / USEC_PER_MS));
	assert_true(w->sent[1].at - changed <= 2 * USEC_PER_S);
	assert_int_equal(w->asked, 1);
	assert_true(w->sent[0].was_stored && w->sent[1].was_stored);
	assert_int_equal(w->n_events, 2);
	assert_int_equal(w->events[1].kind, DNS_EVENT_CHANGED);
	assert_true(on_disk(w, "8.8.4.5"));
	assert_false(on_disk(w, "\"SENT\""));
}

static void test_a_day_in_which_nothing_happens(void **state)
{
	const struct dns_keeper_name names[] = {name_at("dyn", "a.example.org"),
						name_at("noip", "b.example.org"),
						name_at("desec", "c.example.org")};
	struct world *w = *state;

	start(w, names, ARRAY_LEN(names));
	report(w, DNS_SOURCE_GATEWAY, "8.8.4.4");
	loop_sim_advance(w->loop, 3600 * USEC_PER_S);
	w->wakes = w->n_sent = 0;
	loop_sim_advance(w->loop, 24 * 3600 * USEC_PER_S);
	print_message("names, nothing happens: %u wake-ups in a day\n", w->wakes);
	assert_true(w->wakes <= 24); /* the wall clock may be set */
	assert_int_equal(w->n_sent, 0);
}

static void test_a_burst_is_one_request(void **state)
{
	struct dns_keeper_name name = name_at("dyn", "home.example.org");
	struct world *w = *state;

	start(w, &name, 1);
	w->body = "good 8.8.4.9";
	for (int i = 0; i < 10; i++) {
		char text[32];

		snprintf(text, sizeof(text), "8.8.4.%d", i);
		report(w, DNS_SOURCE_GATEWAY, text);
		loop_sim_advance(w->loop, 50 * USEC_PER_MS);
	}
	loop_sim_advance(w->loop, 60 * USEC_PER_S);
	assert_int_equal(w->n_sent, 1);
	assert_string_equal(w->sent[0].url, DYN "home.example.org&myip=8.8.4.9");
}

static void test_a_burst_without_end_is_cut(void **state)
{
	struct dns_keeper_name name = name_at("dyn", "home.example.org");
	struct world *w = *state;
	usec_t began;

	start(w, &name, 1);
	loop_sim_advance(w->loop, 10 * USEC_PER_S);
	began = loop_now(w->loop);
	for (int i = 0; i < 30; i++) {
		char text[32];

		snprintf(text, sizeof(text), "8.8.4.%d", i);
		report(w, DNS_SOURCE_GATEWAY, text);
		loop_sim_advance(w->loop, 100 * USEC_PER_MS);
	}
	assert_int_equal(w->n_sent, 1); /* the next waits for the answer and the interval */
	assert_true(w->sent[0].at - began >= DNS_KEEPER_SETTLE);
	assert_true(w->sent[0].at - began <= DNS_KEEPER_SETTLE + 100 * USEC_PER_MS);
}

static void test_both_families_in_one_request(void **state)
{
	struct dns_keeper_name name = name_at("dyn", "home.example.org");
	struct world *w = *state;

	start(w, &name, 1);
	w->body = "good 8.8.4.4,2606:4700::1";
	report(w, DNS_SOURCE_GATEWAY, "8.8.4.4");
	report(w, DNS_SOURCE_INTERFACE, "2606:4700::1");
	loop_sim_advance(w->loop, 60 * USEC_PER_S);
	assert_int_equal(w->n_sent, 1); /* though each family asked by itself */
	loop_sim_advance(w->loop, 3600 * USEC_PER_S);
	w->n_sent = 0;
	w->body = "good 8.8.4.5,2606:4700::2";
	report(w, DNS_SOURCE_GATEWAY, "8.8.4.5");
	report(w, DNS_SOURCE_INTERFACE, "2606:4700::2");
	loop_sim_advance(w->loop, 60 * USEC_PER_S);
	assert_int_equal(w->n_sent, 1);
	assert_string_equal(w->sent[0].url, DYN "home.example.org&myip=8.8.4.5,2606:4700::2");
}

static void test_restarts_send_nothing(void **state)
{
	struct dns_keeper_name name = name_at("dyn", "home.example.org");
	struct world *w = *state;

	start(w, &name, 1);
	report(w, DNS_SOURCE_GATEWAY, "8.8.4.4");
	loop_sim_advance(w->loop, 60 * USEC_PER_S);
	for (int i = 0; i < 100; i++) {
		dns_keeper_free(w->keeper);
		start(w, &name, 1);
		report(w, DNS_SOURCE_GATEWAY, "8.8.4.4");
		loop_sim_advance(w->loop, 60 * USEC_PER_S);
	}
	assert_int_equal(w->n_sent, 1);
	assert_int_equal(w->asked, 1);
}

static void test_a_crash_after_sending(void **state)
{
	struct dns_keeper_name name = name_at("dyn", "home.example.org");
	struct world *w = *state;

	start(w, &name, 1);
	w->silent = true; /* it arrives, and then the power fails */
	report(w, DNS_SOURCE_GATEWAY, "8.8.4.4");
	loop_sim_advance(w->loop, 3 * USEC_PER_S);
	assert_int_equal(w->n_sent, 1);
	dns_keeper_free(w->keeper);

	w->silent = false;
	w->published = "8.8.4.4";
	start(w, &name, 1);
	report(w, DNS_SOURCE_GATEWAY, "8.8.4.4");
	loop_sim_advance(w->loop, 86400 * USEC_PER_S);
	assert_int_equal(w->n_sent, 1);
	assert_int_equal(w->asked, 2);
}

static void test_a_wrong_password_is_sent_once(void **state)
{
	struct dns_keeper_name names[5];
	struct world *w = *state;
	json_t *status;

	for (int i = 0; i < 5; i++) {
		static const char *const hosts[] = {"a.example.org", "b.example.org",
						    "c.example.org", "d.example.org",
						    "e.example.org"};

		names[i] = name_at("dyn", hosts[i]);
	}
	start(w, names, 5);
	w->body = "badauth";
	w->status = 401;
	report(w, DNS_SOURCE_GATEWAY, "8.8.4.4");
	loop_sim_advance(w->loop, 7ull * 86400 * USEC_PER_S);
	assert_int_equal(w->n_sent, 1);
	status = dns_keeper_status(w->keeper);
	for (size_t i = 0; i < json_array_size(status); i++) {
		json_t *o = json_array_get(status, i);

		if (strcmp(json_string_value(json_object_get(o, "family")), "ipv4") == 0)
			assert_string_equal(json_string_value(json_object_get(o, "state")),
					    "parked");
	}
	json_decref(status);

	dns_keeper_free(w->keeper); /* the password is mended */
	for (int i = 0; i < 5; i++)
		names[i].entry.pass = "right";
	w->status = 200;
	w->body = "good 8.8.4.4";
	start(w, names, 5);
	report(w, DNS_SOURCE_GATEWAY, "8.8.4.4");
	loop_sim_advance(w->loop, 60 * USEC_PER_S);
	assert_int_equal(w->n_sent, 6);
}

/* What a user wrote of his provider is configuration: mended, it is tried again. */
static void test_a_mended_template_is_tried_again(void **state)
{
	static const char *const good[] = {"good ..."}, *const fatal[] = {"bad path"};
	struct dns_custom custom = {.url = "https://ddns.example.net/updtae?h={host}&a={value}",
				    .good = {good, 1},
				    .fatal = {fatal, 1}};
	struct dns_keeper_name name = name_at("dyn", "home.example.org");
	struct dns_provider *row;
	struct world *w = *state;

	assert_int_equal(dns_custom_new(&custom, &row, NULL), 0);
	name.entry.provider = row;
	start(w, &name, 1);
	w->body = "bad path";
	report(w, DNS_SOURCE_GATEWAY, "8.8.4.4");
	loop_sim_advance(w->loop, 86400 * USEC_PER_S);
	assert_int_equal(w->n_sent, 1);
	dns_keeper_free(w->keeper);
	dns_custom_free(row);

	custom.url = "https://ddns.example.net/update?h={host}&a={value}";
	assert_int_equal(dns_custom_new(&custom, &row, NULL), 0);
	name.entry.provider = row;
	w->body = "good";
	start(w, &name, 1);
	report(w, DNS_SOURCE_GATEWAY, "8.8.4.4");
	loop_sim_advance(w->loop, 60 * USEC_PER_S);
	assert_int_equal(w->n_sent, 2);
	dns_keeper_free(w->keeper);
	w->keeper = NULL;
	dns_custom_free(row);
}

static void test_retry_after_is_obeyed(void **state)
{
	struct dns_keeper_name name = name_at("dyn", "home.example.org");
	struct world *w = *state;

	start(w, &name, 1);
	w->status = 429;
	w->head = "Retry-After: 7200\r\n";
	report(w, DNS_SOURCE_GATEWAY, "8.8.4.4");
	loop_sim_advance(w->loop, 7190 * USEC_PER_S);
	assert_int_equal(w->n_sent, 1);
	assert_int_equal(w->events[w->n_events - 1].kind, DNS_EVENT_TROUBLE);
	w->status = 200;
	loop_sim_advance(w->loop, 1500 * USEC_PER_S);
	assert_int_equal(w->n_sent, 2);

	w->status = 503; /* more than is believed is not nothing */
	w->head = "Retry-After: 172800\r\n";
	report(w, DNS_SOURCE_GATEWAY, "8.8.4.5");
	loop_sim_advance(w->loop, 86400 * USEC_PER_S);
	assert_int_equal(w->n_sent, 3);
	w->status = 200;
	w->body = "good 8.8.4.5";
	loop_sim_advance(w->loop, 86400 * USEC_PER_S);
	assert_int_equal(w->n_sent, 4);
}

static unsigned waiting(struct world *w)
{
	json_t *status = dns_keeper_status(w->keeper);
	unsigned n = 0;

	for (size_t i = 0; i < json_array_size(status); i++)
		n += json_object_get(json_array_get(status, i), "retry_s") != NULL;
	json_decref(status);
	return n;
}

/* 911 is no matter of one name: the account's others are not sent to hear it, too. */
static void test_an_outage_is_heard_once(void **state)
{
	static const char *const hosts[] = {"a.example.org", "b.example.org", "c.example.org"};
	struct dns_keeper_name names[4];
	struct world *w = *state;

	for (int i = 0; i < 3; i++)
		names[i] = name_at("dyn", hosts[i]);
	names[3] = name_at("dyn", "d.example.org");
	names[3].entry.user = "you";
	start(w, names, 4);
	w->body = "911";
	report(w, DNS_SOURCE_GATEWAY, "8.8.4.4");
	loop_sim_advance(w->loop, 1799 * USEC_PER_S);
	assert_int_equal(w->n_sent, 2); /* one of each account */
	assert_int_equal(waiting(w), 4);
	dns_keeper_network(w->keeper);
	dns_keeper_update(w->keeper, NULL, false);
	loop_sim_advance(w->loop, USEC_PER_S);
	assert_int_equal(w->n_sent, 2);
	w->body = "good 8.8.4.4";
	loop_sim_advance(w->loop, 3600 * USEC_PER_S);
	assert_int_equal(w->n_sent, 2 + 4);
	w->body = "911"; /* of one of them; who has nothing to send is not said to wait */
	dns_keeper_update(w->keeper, "d.example.org", true);
	dns_keeper_update(w->keeper, "a.example.org", true);
	loop_sim_advance(w->loop, 60 * USEC_PER_S);
	assert_int_equal(w->n_sent, 2 + 4 + 2);
	assert_int_equal(waiting(w), 0);
	report(w, DNS_SOURCE_GATEWAY, "8.8.4.5");
	loop_sim_advance(w->loop, 60 * USEC_PER_S);
	assert_int_equal(waiting(w), 4);
}

/* The interval is the name's: one family after the other is too soon. */
static void test_two_families_and_one_interval(void **state)
{
	struct dns_keeper_name name = name_at("easydns", "home.example.org");
	struct world *w = *state;

	start(w, &name, 1);
	w->body = "NOERROR";
	for (int i = 1; i <= 3; i++) {
		char address[64];

		snprintf(address, sizeof(address), "8.8.4.%d", i);
		report(w, DNS_SOURCE_GATEWAY, address);
		snprintf(address, sizeof(address), "2606:4700::%d", i);
		report(w, DNS_SOURCE_INTERFACE, address);
		loop_sim_advance(w->loop, 3600 * USEC_PER_S);
		assert_int_equal(w->n_sent, 2 * i);
		assert_true(w->sent[2 * i - 1].at >= w->sent[2 * i - 2].at + 600 * USEC_PER_S);
	}
	w->refuses = true; /* what does not get there is no request */
	report(w, DNS_SOURCE_GATEWAY, "8.8.4.9");
	report(w, DNS_SOURCE_INTERFACE, "2606:4700::9");
	loop_sim_advance(w->loop, 20 * USEC_PER_S);
	assert_int_equal(w->n_sent, 8);
}

/* Trouble that comes with a wish is the account's, too. */
static void test_a_wish_is_the_account_s(void **state)
{
	struct dns_keeper_name names[2] = {name_at("dyn", "a.example.org"),
					   name_at("dyn", "b.example.org")};
	struct world *w = *state;

	start(w, names, 2);
	w->status = 503;
	w->head = "Retry-After: 3600\r\n";
	report(w, DNS_SOURCE_GATEWAY, "8.8.4.4");
	loop_sim_advance(w->loop, 3500 * USEC_PER_S);
	assert_int_equal(w->n_sent, 1);
}

/* With the state lost all names ask: the resolver of a home need not hear hundreds at once. */
static void test_few_questions_at_once(void **state)
{
	struct dns_keeper_name names[100];
	char hosts[100][32];
	struct world *w = *state;

	for (int i = 0; i < 100; i++) {
		snprintf(hosts[i], sizeof(hosts[i]), "n%d.example.org", i);
		names[i] = name_at("dyn", hosts[i]);
	}
	w->published = "8.8.4.4";
	start(w, names, 100);
	report(w, DNS_SOURCE_GATEWAY, "8.8.4.4");
	loop_sim_advance(w->loop, 10 * USEC_PER_S);
	assert_int_equal(w->asked, 100);
	assert_int_equal(w->most_asking, DNS_KEEPER_ASKS_MAX);
	assert_int_equal(w->n_sent, 0);
}

static unsigned events_of(const struct world *w, enum dns_event_kind kind)
{
	unsigned n = 0;

	for (unsigned i = 0; i < w->n_events; i++)
		n += w->events[i].kind == kind;
	return n;
}

static void *start_other_question(void *arg, const char *host, int family,
				  void (*done)(void *done_arg, const struct ipaddr *published),
				  void *done_arg)
{
	unsigned *asked = arg;

	*asked += 1;
	return NULL; /* it cannot tell */
}

/* One host at two providers, each with a name server of its own that is asked. */
static void test_a_name_has_its_own_asker(void **state)
{
	struct dns_keeper_name names[2] = {name_at("dyn", "home.example.org"),
					   name_at("strato", "home.example.org")};
	struct world *w = *state;
	unsigned others = 0;

	names[0].label = "here";
	names[1].label = "there";
	names[1].asker = (struct dns_asker){.start = start_other_question, .arg = &others};
	w->published = "8.8.4.4";
	start(w, names, 2);
	report(w, DNS_SOURCE_GATEWAY, "8.8.4.4");
	loop_sim_advance(w->loop, 10 * USEC_PER_S);
	assert_int_equal(w->asked, 1);
	assert_int_equal(others, 1);
	assert_int_equal(w->n_sent, 0);
	loop_sim_advance(w->loop, 3600 * USEC_PER_S);
	assert_int_equal(others, DNS_ASKS_MAX);
	assert_int_equal(w->n_sent, 1);
	assert_string_equal(w->sent[0].url,
			    "https://dyndns.strato.com/nic/update?hostname=home.example.org"
			    "&myip=8.8.4.4");
}

static unsigned most_at_once(const struct world *w)
{
	unsigned most = 0;

	for (unsigned i = 0; i < MIN(w->n_sent, REQUESTS_MAX); i++) {
		unsigned n = 0;

		for (unsigned j = 0; j < MIN(w->n_sent, REQUESTS_MAX); j++)
			n += w->sent[j].at <= w->sent[i].at &&
			     w->sent[j].at + 200 * USEC_PER_MS > w->sent[i].at;
		most = MAX(most, n);
	}
	return most;
}

/* As many as there may be: of one account one after the other, of many accounts a few at a time. */
static void test_a_thousand_names(void **state)
{
	struct dns_keeper_name *names = calloc(DNS_KEEPER_NAMES_MAX, sizeof(*names));
	char(*hosts)[32] = calloc(DNS_KEEPER_NAMES_MAX, sizeof(*hosts));
	struct world *w = *state;
	usec_t before = ustime_boot();

	for (int i = 0; i < DNS_KEEPER_NAMES_MAX; i++) {
		snprintf(hosts[i], sizeof(hosts[i]), "n%d.example.org", i);
		names[i] = name_at("cloudflare", hosts[i]); /* nobody is asked */
		names[i].entry.zone = "example.org";
	}
	w->only_count = true;
	w->settings.folder = NULL; /* a disk is slower than all else here */
	w->body = "{\"success\":false}";
	w->status = 404; /* nohost: parked one by one */
	start(w, names, DNS_KEEPER_NAMES_MAX);
	report(w, DNS_SOURCE_GATEWAY, "8.8.4.4");
	loop_sim_advance(w->loop, 3600 * USEC_PER_S);
	assert_int_equal(w->n_sent, DNS_KEEPER_NAMES_MAX);
	assert_int_equal(most_at_once(w), 1);
	dns_keeper_free(w->keeper);

	for (int i = 0; i < DNS_KEEPER_NAMES_MAX; i++)
		names[i].entry.pass = hosts[i];
	w->n_sent = 0;
	start(w, names, DNS_KEEPER_NAMES_MAX);
	report(w, DNS_SOURCE_GATEWAY, "8.8.4.4");
	loop_sim_advance(w->loop, 3600 * USEC_PER_S);
	assert_int_equal(w->n_sent, DNS_KEEPER_NAMES_MAX);
	assert_in_range(most_at_once(w), 2, DNS_KEEPER_CALLS_MAX);
	print_message("2 x %d names: %llu ms of work\n", DNS_KEEPER_NAMES_MAX,
		      (unsigned long long)((ustime_boot() - before) / USEC_PER_MS));
	free(names);
	free(hosts);
}

/* Hooks hear of each change once, also of one whose answer was lost; and of none that is none. */
static void test_what_counts_as_a_change(void **state)
{
	struct dns_keeper_name name = name_at("dyn", "home.example.org");
	struct world *w = *state;

	start(w, &name, 1);
	report(w, DNS_SOURCE_GATEWAY, "8.8.4.4");
	loop_sim_advance(w->loop, 3600 * USEC_PER_S);
	assert_int_equal(events_of(w, DNS_EVENT_CHANGED), 1);

	w->body = "nochg 8.8.4.4"; /* the refresh, and a person who insists */
	loop_sim_advance(w->loop, 29ull * 86400 * USEC_PER_S);
	assert_int_equal(w->n_sent, 2);
	dns_keeper_update(w->keeper, NULL, true);
	loop_sim_advance(w->loop, 60 * USEC_PER_S);
	assert_int_equal(w->n_sent, 3);
	assert_int_equal(events_of(w, DNS_EVENT_CHANGED), 1);
	assert_int_equal(events_of(w, DNS_EVENT_KEPT), 2);

	w->silent = true;
	report(w, DNS_SOURCE_GATEWAY, "8.8.4.5");
	loop_sim_advance(w->loop, 3 * USEC_PER_S);
	assert_int_equal(w->n_sent, 4);
	w->published = "8.8.4.5";
	dns_keeper_free(w->keeper);
	start(w, &name, 1);
	report(w, DNS_SOURCE_GATEWAY, "8.8.4.5");
	loop_sim_advance(w->loop, 3600 * USEC_PER_S);
	assert_int_equal(w->n_sent, 4);
	assert_int_equal(events_of(w, DNS_EVENT_CHANGED), 2);
	assert_int_equal(w->events[w->n_events - 1].verdict, DNS_GOOD);
}

/* Where the record is looked at first, a lost state finds it as it should be. */
static void test_no_change_after_a_lost_state(void **state)
{
	struct dns_keeper_name name = name_at("gandi", "home.example.org");
	struct world *w = *state;

	name.entry.zone = "example.org";
	w->body = "{\"rrset_values\":[\"8.8.4.4\"]}";
	start(w, &name, 1);
	report(w, DNS_SOURCE_GATEWAY, "8.8.4.4");
	loop_sim_advance(w->loop, 60 * USEC_PER_S);
	assert_int_equal(w->n_sent, 1);
	assert_int_equal(events_of(w, DNS_EVENT_CHANGED), 0);
	assert_int_equal(events_of(w, DNS_EVENT_KEPT), 1);
}

static void end_keeper(void *arg)
{
	struct world *w = arg;

	dns_keeper_free(TAKE(w->keeper));
}

/* It ends in the moment in which the answer has come: what it said is not forgotten. */
static void test_an_answer_in_the_last_moment(void **state)
{
	struct dns_keeper_name name = name_at("dyn", "home.example.org");
	struct world *w = *state;

	defer_init(&w->end, w->loop, end_keeper, w);
	w->ends_at_park = true;
	w->body = "badauth";
	start(w, &name, 1);
	report(w, DNS_SOURCE_GATEWAY, "8.8.4.4");
	loop_sim_advance(w->loop, 60 * USEC_PER_S);
	assert_int_equal(w->n_sent, 1);
	assert_null(w->keeper);
	start(w, &name, 1);
	report(w, DNS_SOURCE_GATEWAY, "8.8.4.4");
	loop_sim_advance(w->loop, 86400 * USEC_PER_S);
	assert_int_equal(w->n_sent, 1);
	assert_int_equal(w->asked, 1);
}

/* A card that has turned read-only: each boot finds what was written last, and more was sent since. */
static void test_a_disk_that_is_stuck(void **state)
{
	struct dns_keeper_name name = name_at("dyn", "home.example.org");
	struct world *w = *state;
	char obstacle[128];

	start(w, &name, 1);
	report(w, DNS_SOURCE_GATEWAY, "8.8.4.4");
	loop_sim_advance(w->loop, 3600 * USEC_PER_S);
	assert_int_equal(w->n_sent, 1);
	dns_keeper_free(w->keeper);

	snprintf(obstacle, sizeof(obstacle), "%s/" DNS_LEDGER_FILE ".%d.tmp", w->folder, getpid());
	assert_int_equal(mkdir(obstacle, 0700), 0);
	w->published = "8.8.4.5";
	for (int boot = 0; boot < 3; boot++) {
		w->n_events = 0;
		start(w, &name, 1);
		assert_int_equal(events_of(w, DNS_EVENT_STATE), 1); /* it is told at once */
		report(w, DNS_SOURCE_GATEWAY, "8.8.4.5");
		loop_sim_advance(w->loop, 86400 * USEC_PER_S);
		assert_int_equal(w->n_sent, 1);
		assert_int_equal(w->asked, 2 + boot);
		dns_keeper_free(TAKE(w->keeper));
	}
	assert_int_equal(rmdir(obstacle), 0);
}

/* It was full for a while: what could not be written then is, at the end. */
static void test_a_disk_that_was_full(void **state)
{
	struct dns_keeper_name name = name_at("dyn", "home.example.org");
	struct world *w = *state;
	char obstacle[128];

	start(w, &name, 1);
	report(w, DNS_SOURCE_GATEWAY, "8.8.4.4");
	loop_sim_advance(w->loop, 3600 * USEC_PER_S);
	snprintf(obstacle, sizeof(obstacle), "%s/" DNS_LEDGER_FILE ".%d.tmp", w->folder, getpid());
	assert_int_equal(mkdir(obstacle, 0700), 0);
	w->body = "good 8.8.4.5";
	report(w, DNS_SOURCE_GATEWAY, "8.8.4.5");
	loop_sim_advance(w->loop, 3600 * USEC_PER_S);
	assert_int_equal(w->n_sent, 2);
	assert_false(on_disk(w, "8.8.4.5"));
	assert_int_equal(rmdir(obstacle), 0);
	dns_keeper_free(TAKE(w->keeper));
	assert_true(on_disk(w, "\"published\":\"8.8.4.5\""));
}

/* Of a tunnel's number nobody can be asked: what is remembered is believed. */
static void test_a_number_on_a_disk_that_is_stuck(void **state)
{
	struct dns_keeper_name name = name_at("tunnelbroker", "123456");
	struct world *w = *state;
	char obstacle[128];

	start(w, &name, 1);
	report(w, DNS_SOURCE_GATEWAY, "8.8.4.4");
	loop_sim_advance(w->loop, 3600 * USEC_PER_S);
	assert_int_equal(w->n_sent, 1);
	dns_keeper_free(w->keeper);
	snprintf(obstacle, sizeof(obstacle), "%s/" DNS_LEDGER_FILE ".%d.tmp", w->folder, getpid());
	assert_int_equal(mkdir(obstacle, 0700), 0);
	start(w, &name, 1);
	report(w, DNS_SOURCE_GATEWAY, "8.8.4.4");
	loop_sim_advance(w->loop, 86400 * USEC_PER_S);
	assert_int_equal(w->n_sent, 1);
	dns_keeper_free(TAKE(w->keeper));
	assert_int_equal(rmdir(obstacle), 0);
}

/* Two templates of a user's are two providers, though one host. */
static void test_two_templates_for_one_host(void **state)
{
	static const char *const good[] = {"good ..."}, *const fatal[] = {"bad ..."};
	struct dns_custom custom = {.url = "https://one.example.net/?h={host}&a={value}",
				    .good = {good, 1},
				    .fatal = {fatal, 1}};
	struct dns_keeper_name names[2] = {name_at("dyn", "home.example.org"),
					   name_at("dyn", "home.example.org")};
	struct dns_provider *rows[2];
	struct world *w = *state;

	assert_int_equal(dns_custom_new(&custom, &rows[0], NULL), 0);
	custom.url = "https://two.example.net/?h={host}&a={value}";
	assert_int_equal(dns_custom_new(&custom, &rows[1], NULL), 0);
	for (int i = 0; i < 2; i++) {
		names[i].label = i ? "two" : "one";
		names[i].entry.provider = rows[i];
	}
	w->body = "bad password";
	start(w, names, 2);
	report(w, DNS_SOURCE_GATEWAY, "8.8.4.4");
	for (int i = 0; i < 3; i++) {
		loop_sim_advance(w->loop, 86400 * USEC_PER_S);
		assert_int_equal(w->n_sent, 2);
		dns_keeper_free(w->keeper);
		start(w, names, 2);
		report(w, DNS_SOURCE_GATEWAY, "8.8.4.4");
	}
	dns_keeper_free(TAKE(w->keeper));
	dns_custom_free(rows[0]);
	dns_custom_free(rows[1]);
}

/* Without a battery: the clock is that of the last shutdown, or none, until the network has told it. What
 * was asked to be waited for is waited for. */
static void test_a_clock_that_is_behind(void **state)
{
	static const int64_t walls[] = {WALL - 86400, WALL - 59 * 86400, 0};
	struct dns_keeper_name name = name_at("dyn", "home.example.org");
	struct world *w = *state;

	w->body = "911";
	start(w, &name, 1);
	report(w, DNS_SOURCE_GATEWAY, "8.8.4.4");
	loop_sim_advance(w->loop, 60 * USEC_PER_S);
	assert_int_equal(w->n_sent, 1);
	for (size_t i = 0; i < ARRAY_LEN(walls); i++) {
		dns_keeper_free(w->keeper);
		w->wall_s = walls[i];
		w->n_events = 0;
		start(w, &name, 1);
		report(w, DNS_SOURCE_GATEWAY, "8.8.4.4");
		loop_sim_advance(w->loop, 90 * USEC_PER_S);
		assert_int_equal(w->asked, 1);
		assert_int_equal(events_of(w, DNS_EVENT_CLOCK), 1);
		w->wall_s = WALL;
		loop_sim_advance(w->loop, 90 * USEC_PER_S);
		assert_int_equal(w->n_sent, 1);
	}
	w->body = "good 8.8.4.4";
	loop_sim_advance(w->loop, 2200 * USEC_PER_S);
	assert_int_equal(w->n_sent, 2);

	dns_keeper_free(w->keeper); /* it had been ahead: nobody sets it back again */
	w->wall_s = WALL - 3 * 86400;
	start(w, &name, 1);
	w->body = "good 8.8.4.5";
	report(w, DNS_SOURCE_GATEWAY, "8.8.4.5");
	loop_sim_advance(w->loop, 590 * USEC_PER_S);
	assert_int_equal(w->n_sent, 2);
	loop_sim_advance(w->loop, 1210 * USEC_PER_S);
	assert_int_equal(w->n_sent, 3);
	dns_keeper_free(w->keeper);
	start(w, &name, 1);
	report(w, DNS_SOURCE_GATEWAY, "8.8.4.4");
	loop_sim_advance(w->loop, 1210 * USEC_PER_S);
	assert_int_equal(w->n_sent, 4);
}

/* And in the moment in which it ends, which is noted, too. */
static void test_a_clock_that_is_set_at_the_end(void **state)
{
	struct dns_keeper_name name = name_at("dyn", "home.example.org");
	struct world *w = *state;

	start(w, &name, 1);
	report(w, DNS_SOURCE_GATEWAY, "8.8.4.4");
	loop_sim_advance(w->loop, 60 * USEC_PER_S);
	assert_true(dns_keeper_confirmed(w->keeper, NULL));
	w->wall_s += 3600;
	dns_keeper_free(TAKE(w->keeper));
	assert_true(on_disk(w, "8.8.4.4"));
}

/* It is set while homeport runs: 30 minutes are 30 minutes. */
static void test_a_clock_that_is_set(void **state)
{
	static const int64_t steps[] = {7200, -7200, -300ll * 86400, 600ll * 86400};
	struct dns_keeper_name name =
		name_at("desec", "home.dedyn.io"); /* whose account has limits, too */
	struct world *w = *state;

	start(w, &name, 1);
	for (unsigned i = 0; i < ARRAY_LEN(steps); i++) {
		char address[32];

		snprintf(address, sizeof(address), "8.8.4.%u", i + 4);
		w->body = "911";
		report(w, DNS_SOURCE_GATEWAY, address);
		loop_sim_advance(w->loop, 60 * USEC_PER_S);
		assert_int_equal(w->n_sent, 2 * i + 1);
		w->wall_s += steps[i];
		loop_sim_advance(w->loop, 1600 * USEC_PER_S);
		dns_keeper_network(w->keeper); /* which looks at the clock */
		loop_sim_advance(w->loop, 60 * USEC_PER_S);
		assert_int_equal(w->n_sent, 2 * i + 1);
		w->body = "good";
		loop_sim_advance(w->loop, 2 * 3600 * USEC_PER_S);
		assert_int_equal(w->n_sent, 2 * i + 2);
	}
}

static void test_a_disk_that_takes_nothing_is_told_once(void **state)
{
	struct dns_keeper_name name = name_at("dyn", "home.example.org");
	struct world *w = *state;

	w->settings.folder = "/tmp/homeport-keeper-there-is-none/x";
	start(w, &name, 1);
	for (int i = 4; i < 9; i++) {
		char address[32];

		snprintf(address, sizeof(address), "8.8.4.%d", i);
		w->body = "good";
		report(w, DNS_SOURCE_GATEWAY, address);
		loop_sim_advance(w->loop, 3600 * USEC_PER_S);
	}
	assert_int_equal(w->n_sent, 5);
	assert_int_equal(events_of(w, DNS_EVENT_STATE), 1);
}

static void test_the_line_comes_back(void **state)
{
	struct dns_keeper_name name = name_at("dyn", "home.example.org");
	struct world *w = *state;
	usec_t back;

	start(w, &name, 1);
	w->refuses = true;
	report(w, DNS_SOURCE_GATEWAY, "8.8.4.4");
	loop_sim_advance(w->loop, 700 * USEC_PER_S);
	assert_in_range(w->n_sent, 3, 5);
	w->refuses = false;
	back = loop_now(w->loop);
	dns_keeper_network(w->keeper);
	w->n_sent = 0;
	loop_sim_advance(w->loop, 700 * USEC_PER_S);
	assert_int_equal(w->n_sent, 1);
	assert_true(w->sent[0].at - back <= 2 * USEC_PER_S);
}

/* What never reached the provider counts for nothing, also where the account's day has few requests. */
static void test_a_day_without_a_line(void **state)
{
	struct dns_keeper_name names[] = {name_at("ipv64", "a.any64.de"),
					  name_at("ipv64", "b.any64.de"),
					  name_at("ipv64", "c.any64.de")};
	struct world *w = *state;

	start(w, names, 3);
	w->refuses = true;
	report(w, DNS_SOURCE_GATEWAY, "8.8.4.4");
	for (int hour = 0; hour < 24; hour++) {
		w->n_sent = w->n_events = 0;
		loop_sim_advance(w->loop, 3600 * USEC_PER_S);
		assert_in_range(w->n_sent, 3, 30);
	}
	w->refuses = false;
	w->n_sent = 0;
	dns_keeper_network(w->keeper);
	loop_sim_advance(w->loop, 60 * USEC_PER_S);
	assert_int_equal(w->n_sent, 3);
	for (int i = 1; i < 3; i++) /* and then the account's pace is kept */
		assert_true(w->sent[i].at - w->sent[i - 1].at >= 4 * USEC_PER_S);
}

static void until_sent(struct world *w, unsigned n)
{
	for (int i = 0; i < 1200 && w->n_sent < n; i++)
		loop_sim_advance(w->loop, 100 * USEC_PER_MS);
	assert_int_equal(w->n_sent, n);
}

/* A reserved address is claimed once, and again after a restart. */
static void test_a_claim(void **state)
{
	static const char begun[] = "{\"action\":{\"status\":\"in-progress\"}}";
	struct dns_keeper_name name = name_at("digitalocean-reserved-ip", "8.8.4.4");
	struct world *w = *state;

	name.no6 = true;
	name.fixed4 = ip("8.8.4.4");
	name.entry.key = "3164444";
	w->status = 201;
	w->body = "{\"reserved_ip\":{\"droplet\":null,\"locked\":false}}";
	start(w, &name, 1);
	until_sent(w, 1);
	assert_string_equal(w->sent[0].url, "https://api.digitalocean.com/v2/reserved_ips/8.8.4.4");
	w->body = begun;
	until_sent(w, 2);
	assert_string_equal(w->sent[1].url,
			    "https://api.digitalocean.com/v2/reserved_ips/8.8.4.4/actions");
	w->body = "{\"reserved_ip\":{\"droplet\":{\"id\":3164444},\"locked\":false}}";
	loop_sim_advance(w->loop, 40ull * 86400 * USEC_PER_S);
	assert_int_equal(w->n_sent, 3);
	assert_true(w->sent[1].was_stored);

	dns_keeper_free(w->keeper);
	start(w, &name, 1);
	loop_sim_advance(w->loop, 40ull * 86400 * USEC_PER_S);
	assert_int_equal(w->n_sent, 4);
	assert_int_equal(w->asked, 0);
}

static void test_forcing_and_what_cannot_be_found(void **state)
{
	struct dns_keeper_name name = name_at("dyn", "home.example.org");
	struct world *w = *state;

	name.label = "home";
	start(w, &name, 1);
	report(w, DNS_SOURCE_GATEWAY, "8.8.4.4");
	loop_sim_advance(w->loop, 3600 * USEC_PER_S);
	assert_true(dns_keeper_update(w->keeper, "home", false));
	loop_sim_advance(w->loop, 60 * USEC_PER_S);
	assert_int_equal(w->n_sent, 1);
	assert_true(dns_keeper_update(w->keeper, NULL, true));
	loop_sim_advance(w->loop, 60 * USEC_PER_S);
	assert_int_equal(w->n_sent, 2);
	assert_false(dns_keeper_update(w->keeper, "elsewhere", true));
}

static void test_a_damaged_ledger_is_told(void **state)
{
	struct dns_keeper_name name = name_at("dyn", "home.example.org");
	struct world *w = *state;

	assert_int_equal(state_write(w->folder, DNS_LEDGER_FILE, STR("{ damaged"), NULL), 0);
	w->published = "8.8.4.4";
	start(w, &name, 1);
	assert_int_equal(w->n_events, 1);
	assert_int_equal(w->events[0].kind, DNS_EVENT_STATE);
	report(w, DNS_SOURCE_GATEWAY, "8.8.4.4");
	loop_sim_advance(w->loop, 60 * USEC_PER_S);
	assert_int_equal(w->n_sent, 0); /* it asked */
	assert_int_equal(w->asked, 1);
}

static void test_inwx_waits_for_both(void **state)
{
	struct dns_keeper_name name = name_at("inwx", "home.example.org");
	struct world *w = *state;

	start(w, &name, 1);
	report(w, DNS_SOURCE_GATEWAY, "8.8.4.4");
	loop_sim_advance(w->loop, 3600 * USEC_PER_S);
	assert_int_equal(w->n_sent, 0);
	report(w, DNS_SOURCE_INTERFACE, "2606:4700::1");
	loop_sim_advance(w->loop, 60 * USEC_PER_S);
	assert_int_equal(w->n_sent, 1);
	assert_string_equal(w->sent[0].url,
			    "https://dyndns.inwx.com/nic/update?myip=8.8.4.4&myipv6=2606:4700::1");

	dns_keeper_report(w->keeper, DNS_SOURCE_INTERFACE, 6, DNS_WISH_NONE, NULL);
	report(w, DNS_SOURCE_GATEWAY, "8.8.4.5");
	loop_sim_advance(w->loop, 3600 * USEC_PER_S);
	assert_int_equal(w->n_sent, 1);
	w->body = "911"; /* which holds for both, whichever changes next */
	report(w, DNS_SOURCE_INTERFACE, "2606:4700::1");
	loop_sim_advance(w->loop, 60 * USEC_PER_S);
	assert_int_equal(w->n_sent, 2);
	assert_string_equal(w->sent[1].url,
			    "https://dyndns.inwx.com/nic/update?myip=8.8.4.5&myipv6=2606:4700::1");
	report(w, DNS_SOURCE_INTERFACE, "2606:4700::2");
	loop_sim_advance(w->loop, 1700 * USEC_PER_S);
	assert_int_equal(w->n_sent, 2);
	w->body = "good";
	loop_sim_advance(w->loop, 3600 * USEC_PER_S);
	assert_int_equal(w->n_sent, 3);
	assert_string_equal(w->sent[2].url,
			    "https://dyndns.inwx.com/nic/update?myip=8.8.4.5&myipv6=2606:4700::2");
}

static void test_a_suffix_and_fixed_addresses(void **state)
{
	struct dns_keeper_name names[2] = {name_at("he", "nas.example.org"),
					   name_at("he", "fixed.example.org")};
	struct world *w = *state;

	names[0].suffix = ip("::cafe");
	names[0].no4 = true;
	names[1].fixed4 = ip("1.1.1.1");
	names[1].no6 = true;
	names[1].entry.pass = "other";
	start(w, names, 2);
	w->body = "good";
	report(w, DNS_SOURCE_INTERFACE, "2606:4700::1");
	loop_sim_advance(w->loop, 400 * USEC_PER_S);
	assert_int_equal(w->n_sent, 2);
	assert_string_equal(w->sent[0].url,
			    "https://dyn.dns.he.net/nic/update?hostname=fixed.example.org"
			    "&password=other&myip=1.1.1.1");
	assert_string_equal(w->sent[1].url,
			    "https://dyn.dns.he.net/nic/update?hostname=nas.example.org"
			    "&password=secret&myip=2606:4700::cafe");
}

static void test_a_prefix(void **state)
{
	struct dns_keeper_name names[2] = {name_at("dynv6", "home.dynv6.net"),
					   name_at("dyn", "home.example.org")};
	struct world *w = *state;

	for (int i = 0; i < 2; i++) { /* Dyn knows no prefixes */
		names[i].no4 = true;
		names[i].prefix = true;
		names[i].prefix_bits = 56;
	}
	start(w, names, 2);
	w->body = "addresses updated";
	w->published = "2606:4700:1:2ff::1234"; /* the same network already */
	report(w, DNS_SOURCE_INTERFACE, "2606:4700:1:201::1");
	loop_sim_advance(w->loop, 60 * USEC_PER_S);
	assert_int_equal(w->n_sent, 0);
	report(w, DNS_SOURCE_INTERFACE, "2606:4700:1:201::2"); /* only our own part is another */
	loop_sim_advance(w->loop, 60 * USEC_PER_S);
	assert_int_equal(w->n_sent, 0);
	report(w, DNS_SOURCE_INTERFACE, "2606:4700:1:301::1");
	loop_sim_advance(w->loop, 60 * USEC_PER_S);
	assert_int_equal(w->n_sent, 1);
	assert_string_equal(w->sent[0].url,
			    "https://dynv6.com/api/update?zone=home.dynv6.net&token=secret"
			    "&ipv6prefix=2606:4700:1:300::/56");
}

static void test_a_reminder_and_no_request(void **state)
{
	struct dns_keeper_name name = name_at("noip", "home.ddns.net");
	struct world *w = *state;

	start(w, &name, 1);
	w->body = "good";
	report(w, DNS_SOURCE_GATEWAY, "8.8.4.4");
	report(w, DNS_SOURCE_INTERFACE, "2606:4700::1"); /* two records, and one name */
	loop_sim_advance(w->loop, 22ull * 86400 * USEC_PER_S);
	assert_int_equal(events_of(w, DNS_EVENT_REMIND), 0);
	loop_sim_advance(w->loop, 60 + 2ull * 86400 * USEC_PER_S);
	assert_int_equal(events_of(w, DNS_EVENT_REMIND), 1);
	assert_int_equal(w->n_sent, 1);
	assert_true(dns_keeper_confirmed(w->keeper, "home.ddns.net"));
	w->n_events = 0;
	loop_sim_advance(w->loop, 20ull * 86400 * USEC_PER_S);
	assert_int_equal(w->n_events, 0);
}

static void test_it_ends_at_any_time(void **state)
{
	struct dns_keeper_name name = name_at("dyn", "home.example.org");
	struct world *w = *state;

	for (int ms = 0; ms < 1500; ms += 50) {
		start(w, &name, 1);
		report(w, DNS_SOURCE_GATEWAY, ms % 100 ? "8.8.4.4" : "8.8.4.5");
		loop_sim_advance(w->loop, (usec_t)ms * USEC_PER_MS);
		dns_keeper_free(w->keeper);
		w->keeper = NULL;
	}
	loop_sim_advance(w->loop, 60 * USEC_PER_S);
}

static void test_no_secret_is_told(void **state)
{
	struct dns_keeper_name name = name_at("duckdns", "home.duckdns.org");
	struct world *w = *state;
	AUTO(freep) char *text = NULL;
	json_t *status;

	name.entry.pass = "t0psecret";
	start(w, &name, 1);
	w->refuses = true;
	report(w, DNS_SOURCE_GATEWAY, "8.8.4.4");
	loop_sim_advance(w->loop, 60 * USEC_PER_S);
	status = dns_keeper_status(w->keeper);
	text = json_dumps(status, 0);
	json_decref(status);
	assert_null(strstr(text, "t0psecret"));
	assert_false(on_disk(w, "t0psecret"));
	for (unsigned i = 0; i < w->n_events; i++)
		assert_null(strstr(w->texts[i], "t0psecret"));
	assert_non_null(strstr(w->sent[0].url, "t0psecret")); /* there it must be */
}

/* A server that shows what it was asked for; the text may be cut off anywhere in it. */
static void test_no_secret_is_repeated(void **state)
{
	struct dns_keeper_name name = name_at("duckdns", "home.duckdns.org");
	struct world *w = *state;
	char body[300];

	name.entry.pass = "t0p/secret-text";
	w->body = body;
	w->status = 404;
	for (int pad = 0; pad < 160; pad++) {
		AUTO(freep) char *text = NULL;
		json_t *status;

		snprintf(body, sizeof(body), "%.*s Cannot GET /update?token=%s&ip=", pad,
			 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
			 "aaaaaaa"
			 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
			 "aaaaaaa",
			 pad % 2 ? "t0p/secret-text" : "t0p%2Fsecret-text");
		w->n_events = w->n_sent = 0;
		w->wall_s += 86400;
		start(w, &name, 1);
		dns_keeper_update(w->keeper, NULL, true);
		report(w, DNS_SOURCE_GATEWAY, "8.8.4.4");
		loop_sim_advance(w->loop, 60 * USEC_PER_S);
		assert_int_equal(w->n_sent, 1);
		assert_true(w->n_events > 0);
		status = dns_keeper_status(w->keeper);
		text = json_dumps(status, 0);
		json_decref(status);
		assert_null(strstr(text, "t0p"));
		assert_false(on_disk(w, "t0p"));
		for (unsigned i = 0; i < w->n_events; i++)
			assert_null(strstr(w->texts[i], "t0p"));
		dns_keeper_free(TAKE(w->keeper));
	}
}

/* ── anything, in any order ── */

static unsigned roll(uint64_t *seed, unsigned below)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(*seed >> 33) % below;
}

static void change_provider(struct world *w, uint64_t *seed)
{
	static const struct {
		unsigned status;
		const char *head, *body;
	} answers[] = {
		{200, NULL, "good"},
		{200, NULL, "nochg"},
		{200, NULL, "badauth"},
		{200, NULL, "911"},
		{200, NULL, "dnserr"},
		{200, NULL, "{\"success\":true,\"result\":[]}"},
		{200, NULL, "<html>"},
		{200, NULL, ""},
		{200, NULL, "NOERROR"},
		{429, "Retry-After: 77\r\n", ""},
		{404, NULL, "{}"},
		{302, "Location: /\r\n", ""},
		{503, "Retry-After: Fri, 15 Jan 2027 09:00:00 GMT\r\n", ""},
	};
	unsigned i = roll(seed, ARRAY_LEN(answers));

	w->status = answers[i].status;
	w->head = answers[i].head;
	w->body = answers[i].body;
	w->silent = roll(seed, 8) == 0;
	w->refuses = roll(seed, 8) == 0;
}

static void change_address(struct world *w, uint64_t *seed)
{
	static const char *const addresses[] = {"8.8.4.4",  "8.8.4.5",	    "100.64.1.1",
						"10.0.0.1", "2606:4700::1", "2606:4700::2",
						"fd00::1"};

	report(w, (enum dns_source)roll(seed, DNS_SOURCES_COUNT),
	       addresses[roll(seed, ARRAY_LEN(addresses))]);
}

static void do_anything(struct world *w, const struct dns_keeper_name *names, size_t n,
			uint64_t *seed)
{
	static const char *const published[] = {NULL, "", "8.8.4.4", "2606:4700::1"};

	switch (roll(seed, 12)) {
	case 0:
		dns_keeper_free(w->keeper);
		start(w, names, roll(seed, (unsigned)n + 1));
		break;
	case 1:
		dns_keeper_update(w->keeper, NULL, roll(seed, 2));
		break;
	case 2:
		dns_keeper_network(w->keeper);
		break;
	case 3:
		json_decref(dns_keeper_status(w->keeper));
		break;
	case 4:
		w->wall_s = WALL + (int64_t)roll(seed, 20000) - 10000;
		break;
	case 5:
		dns_keeper_report(w->keeper, (enum dns_source)roll(seed, DNS_SOURCES_COUNT),
				  roll(seed, 2) ? 4 : 6, (enum dns_wish)roll(seed, 2), NULL);
		break;
	case 6:
		w->published = published[roll(seed, ARRAY_LEN(published))];
		break;
	case 7:
	case 8:
		change_provider(w, seed);
		break;
	default:
		change_address(w, seed);
	}
	loop_sim_advance(w->loop, roll(seed, 4) ? roll(seed, 500) * USEC_PER_MS
						: roll(seed, 7200) * USEC_PER_S);
}

/* No state in which the next event is not expected; and when all is well again, all is right. */
static void test_anything_in_any_order(void **state)
{
	static const char *const rows[] = {"dyn", "inwx", "easydns", "cloudflare", "noip", "desec"};
	struct dns_keeper_name names[ARRAY_LEN(rows) + 1];
	struct world *w = *state;
	uint64_t seed = 7;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		names[i] = name_at(rows[i], "home.example.org");
		names[i].entry.zone = "example.org";
	}
	names[ARRAY_LEN(rows)] = name_at("dyn", "www.example.org");
	w->only_count = true;
	start(w, names, ARRAY_LEN(names));
	for (int i = 0; i < 500; i++) {
		if (i % 2)
			w->settings.folder = roll(&seed, 20) ? NULL : w->folder;
		do_anything(w, names, ARRAY_LEN(names), &seed);
	}
	dns_keeper_free(w->keeper);

	w->settings.folder = w->folder;
	w->status = 200;
	w->head = NULL;
	w->silent = w->refuses = false;
	w->published = "";
	w->body = "good";
	start(w, names, 1); /* dyn, of which the others know nothing */
	report(w, DNS_SOURCE_GATEWAY, "8.8.4.9");
	dns_keeper_update(w->keeper, NULL, false);
	loop_sim_advance(w->loop, 2 * 86400 * USEC_PER_S);
	reads(w, "ipv4", "8.8.4.9 from the gateway");
	assert_true(on_disk(w, "\"published\":\"8.8.4.9\""));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_who_says_so),
		TEST(test_no_answer_is_told_before_it_came),
		TEST(test_who_moves_here_sends_nothing),
		TEST(test_a_change_arrives_within_two_seconds),
		TEST(test_a_day_in_which_nothing_happens),
		TEST(test_a_burst_is_one_request),
		TEST(test_a_burst_without_end_is_cut),
		TEST(test_both_families_in_one_request),
		TEST(test_restarts_send_nothing),
		TEST(test_a_crash_after_sending),
		TEST(test_a_wrong_password_is_sent_once),
		TEST(test_a_mended_template_is_tried_again),
		TEST(test_retry_after_is_obeyed),
		TEST(test_an_outage_is_heard_once),
		TEST(test_two_families_and_one_interval),
		TEST(test_a_wish_is_the_account_s),
		TEST(test_few_questions_at_once),
		TEST(test_a_name_has_its_own_asker),
		TEST(test_a_thousand_names),
		TEST(test_what_counts_as_a_change),
		TEST(test_no_change_after_a_lost_state),
		TEST(test_a_clock_that_is_behind),
		TEST(test_a_clock_that_is_set),
		TEST(test_a_clock_that_is_set_at_the_end),
		TEST(test_an_answer_in_the_last_moment),
		TEST(test_a_disk_that_is_stuck),
		TEST(test_a_number_on_a_disk_that_is_stuck),
		TEST(test_a_disk_that_was_full),
		TEST(test_two_templates_for_one_host),
		TEST(test_a_disk_that_takes_nothing_is_told_once),
		TEST(test_the_line_comes_back),
		TEST(test_a_day_without_a_line),
		TEST(test_a_claim),
		TEST(test_forcing_and_what_cannot_be_found),
		TEST(test_a_damaged_ledger_is_told),
		TEST(test_inwx_waits_for_both),
		TEST(test_a_suffix_and_fixed_addresses),
		TEST(test_a_prefix),
		TEST(test_a_reminder_and_no_request),
		TEST(test_it_ends_at_any_time),
		TEST(test_anything_in_any_order),
		TEST(test_no_secret_is_told),
		TEST(test_no_secret_is_repeated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
