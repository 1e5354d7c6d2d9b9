/* TXT values through the keeper, on a virtual clock, at providers that are played here. */
#include "test.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "dns/keeper_txt.h"
#include "dns/ledger.h"

#define WALL	     ((int64_t)1800000000)
#define REQUESTS_MAX 512
#define MINUTE	     (60 * USEC_PER_S)

#define NAME  "_acme-challenge.blog.example.org"
#define VALUE "gfj9Xq_-Rg85nM"

struct world {
	struct loop *loop;
	struct httpc *httpc;
	struct dns_keeper *keeper;

	/* DigitalOcean and deSEC, played: what the name has */
	const char *value; /* NULL: nothing */
	unsigned status;   /* of everything; 0: well */
	const char *head;
	usec_t delay;
	bool refuses; /* nobody listens */

	usec_t wait; /* of wishes */

	const char *folder;

	char sent[REQUESTS_MAX][200]; /* method and URL */
	usec_t sent_at[REQUESTS_MAX];
	unsigned n_sent;

	int r; /* of the last change that ended */
	struct dns_txt_result result;
	unsigned n_done, n_told;
	bool by_itself;
};

static const char *list_of(const struct world *w, char *to, size_t size, const char *url)
{
	if (strstr(url, "digitalocean"))
		snprintf(to, size,
			 w->value ? "{\"domain_records\":[{\"id\":7,\"data\":\"%s\"}]}"
				  : "{\"domain_records\":[]}",
			 w->value);
	else if (strstr(url, "owns_qname"))
		snprintf(to, size, "[{\"name\":\"me.dedyn.io\",\"minimum_ttl\":60}]");
	else if (strstr(url, "rrsets"))
		snprintf(to, size, "{\"records\":[]}");
	else
		snprintf(to, size, "OK");
	return to;
}

static void serve(void *arg, struct httpc_call *call, const struct httpc_request *request)
{
	struct world *w = arg;
	char body[300];

	assert_true(w->n_sent < REQUESTS_MAX);
	assert_true(request->https_only);
	snprintf(w->sent[w->n_sent], sizeof(w->sent[0]), "%s %s", request->method, request->url);
	w->sent_at[w->n_sent++] = loop_now(w->loop);
	if (w->refuses)
		httpc_sim_fail(call, USEC_PER_MS, ERR_REFUSED, "nobody listens");
	else
		httpc_sim_answer(call, w->delay + USEC_PER_MS,
				 w->status				  ? w->status
				 : strcmp(request->method, "DELETE") == 0 ? 204
									  : 200,
				 w->head, str_of(list_of(w, body, sizeof(body), request->url)));
}

static int64_t wall_s(void *arg)
{
	return WALL + (int64_t)(loop_now(((struct world *)arg)->loop) / USEC_PER_S);
}

static void on_txt(void *arg, const struct dns_txt_result *result)
{
	struct world *w = arg;

	w->n_told++;
	w->by_itself = result->by_itself;
	assert_string_equal(result->provider[0] ? "named" : "", "named");
}

static void on_done(void *arg, const struct dns_txt_result *result)
{
	struct world *w = arg;

	w->n_done++;
	w->r = result->r;
	w->result = *result;
}

static struct dns_keeper_name section(const char *provider, const char *host, const char *zone)
{
	return (struct dns_keeper_name){.no6 = true,
					.entry = {.provider = dns_provider_find(str_of(provider)),
						  .host = host,
						  .zone = zone,
						  .pass = "t0ken"}};
}

static void start(struct world *w, const struct dns_keeper_name *names, size_t n)
{
	struct dns_keeper_settings settings = {.folder = w->folder,
					       .names = names,
					       .n_names = n,
					       .on_txt = on_txt,
					       .wall_s = wall_s,
					       .arg = w};

	assert_int_equal(loop_new_sim(&w->loop, NULL), 0);
	assert_int_equal(httpc_new_sim(w->loop, serve, w, &w->httpc, NULL), 0);
	assert_int_equal(dns_keeper_new(w->loop, w->httpc, &settings, &w->keeper, NULL), 0);
}

static void stop(struct world *w)
{
	dns_keeper_free(w->keeper);
	httpc_free(w->httpc);
	loop_free(w->loop);
}

static int wish_of(struct world *w, const char *name, const char *value, bool remove, struct err *e)
{
	struct dns_txt_wish wish = {.name = name,
				    .value = value,
				    .remove = remove,
				    .wait = w->wait,
				    .keep = 60 * MINUTE};
	struct dns_txt_change *change;

	return dns_keeper_txt(w->keeper, &wish, on_done, w, &change, e);
}

static void add(struct world *w, const char *value)
{
	struct err e = {0};

	if (wish_of(w, NAME, value, false, &e) < 0)
		fail_msg("%s", e.text);
}

static void report(struct world *w, const char *text)
{
	struct ipaddr a;

	assert_int_equal(ipaddr_parse(str_of(text), &a), 0);
	dns_keeper_report(w->keeper, DNS_SOURCE_GATEWAY, 4, DNS_WISH_ADDRESS, &a);
}

static bool was_sent(const struct world *w, unsigned i, const char *begins)
{
	return i < w->n_sent && strncmp(w->sent[i], begins, strlen(begins)) == 0;
}

#define DO "https://api.digitalocean.com/v2/domains/example.org/records"

static void test_added_and_taken_away(void **state)
{
	struct dns_keeper_name names[] = {
		section("digitalocean", "www.example.org", "example.org"),
		section("digitalocean", "blog.example.org", "example.org"),
	};
	struct world w = {.wait = MINUTE};

	start(&w, names, 2);
	add(&w, VALUE);
	assert_int_equal(w.n_done, 0); /* never at once */
	loop_sim_advance(w.loop, 29 * USEC_PER_S);
	assert_int_equal(w.n_done, 0); /* nobody can be asked: they get some time */
	loop_sim_advance(w.loop, 2 * USEC_PER_S);
	assert_int_equal(w.n_done, 1);
	assert_int_equal(w.r, 0);
	assert_true(w.result.changed);
	assert_true(w.result.watched);
	assert_int_equal(w.result.served.state, DNS_SERVED_UNKNOWN); /* nobody knows how */
	assert_int_equal(w.n_sent, 2);
	assert_true(was_sent(&w, 0, "GET " DO "?type=TXT&name=" NAME));
	assert_true(was_sent(&w, 1, "POST " DO));

	/* the same again: nothing is changed */
	w.wait = 0;
	w.value = VALUE;
	add(&w, VALUE);
	loop_sim_advance(w.loop, USEC_PER_S);
	assert_int_equal(w.n_done, 2);
	assert_int_equal(w.r, 0);
	assert_false(w.result.changed);
	assert_int_equal(w.n_sent, 3);

	assert_int_equal(wish_of(&w, "_ACME-challenge.blog.example.org.", VALUE, true, NULL), 0);
	loop_sim_advance(w.loop, USEC_PER_S);
	assert_int_equal(w.n_done, 3);
	assert_true(w.result.changed);
	assert_true(was_sent(&w, 4, "DELETE " DO "/7"));
	/* taken away: not once more by itself */
	loop_sim_advance(w.loop, 24 * 60 * MINUTE);
	assert_int_equal(w.n_sent, 5);
	assert_int_equal(w.n_told, 3);
	stop(&w);
}

static void test_taken_away_by_itself(void **state)
{
	struct dns_keeper_name name = section("digitalocean", "blog.example.org", "example.org");
	struct world w = {0};

	start(&w, &name, 1);
	add(&w, VALUE);
	loop_sim_advance(w.loop, 59 * MINUTE);
	assert_int_equal(w.n_sent, 2);
	w.value = VALUE;
	w.refuses = true; /* once more after an hour */
	loop_sim_advance(w.loop, 2 * MINUTE);
	assert_int_equal(w.n_sent, 3);
	w.refuses = false;
	loop_sim_advance(w.loop, 61 * MINUTE);
	assert_int_equal(w.n_sent, 5);
	assert_true(was_sent(&w, 4, "DELETE "));
	assert_true(w.by_itself);
	assert_int_equal(w.n_done, 1); /* nobody waits for it */
	loop_sim_advance(w.loop, 24 * 60 * MINUTE);
	assert_int_equal(w.n_sent, 5);
	stop(&w);
}

static void restart(struct world *w, const struct dns_keeper_name *names, size_t n)
{
	stop(w);	    /* what is being written is waited for */
	start(w, names, n); /* at the same time of the clock again */
}

/* Who reads his configuration again, or starts anew, takes away what was added before. */
static void test_taken_away_after_a_restart(void **state)
{
	struct dns_keeper_name name = section("digitalocean", "blog.example.org", "example.org");
	struct dns_keeper_name others = section("digitalocean", "a.example.net", "example.net");
	char folder[] = "/tmp/homeport-txt-XXXXXX", path[64];
	struct world w = {.folder = folder};

	assert_non_null(mkdtemp(folder));
	start(&w, &name, 1);
	add(&w, VALUE);
	add(&w, "taken away at once");
	loop_sim_advance(w.loop, USEC_PER_S);
	w.value = "taken away at once";
	assert_int_equal(wish_of(&w, NAME, "taken away at once", true, NULL), 0);
	loop_sim_advance(w.loop, USEC_PER_S);
	assert_int_equal(w.n_sent, 6);
	w.value = VALUE;
	restart(&w, &name, 1);
	loop_sim_advance(w.loop, 59 * MINUTE);
	assert_int_equal(w.n_sent, 6);
	loop_sim_advance(w.loop, 2 * MINUTE);
	assert_int_equal(w.n_sent, 8);
	assert_true(was_sent(&w, 7, "DELETE " DO "/7"));
	assert_true(w.by_itself);
	restart(&w, &name, 1); /* it is known to be gone */
	loop_sim_advance(w.loop, 24 * 60 * MINUTE);
	assert_int_equal(w.n_sent, 8);

	add(&w, VALUE);
	loop_sim_advance(w.loop, USEC_PER_S);
	assert_int_equal(w.n_sent, 9); /* it is there already */
	restart(&w, &others, 1);       /* with which nobody can take it away */
	loop_sim_advance(w.loop, 24 * 60 * MINUTE);
	assert_int_equal(w.n_sent, 9);
	stop(&w);
	snprintf(path, sizeof(path), "%s/" DNS_LEDGER_FILE, folder);
	unlink(path);
	rmdir(folder);
}

/* Nobody knows whether what was under way has arrived. */
static void test_taken_away_after_a_reload_in_the_middle(void **state)
{
	struct dns_keeper_name name = section("digitalocean", "blog.example.org", "example.org");
	char folder[] = "/tmp/homeport-txt-XXXXXX", path[64];
	struct world w = {.folder = folder, .delay = 5 * USEC_PER_S};

	assert_non_null(mkdtemp(folder));
	start(&w, &name, 1);
	add(&w, VALUE);
	loop_sim_advance(w.loop, 7 * USEC_PER_S);
	assert_true(was_sent(&w, 1, "POST "));
	w.value = VALUE;
	w.delay = 0;
	restart(&w, &name, 1);
	assert_int_equal(w.n_done, 1);
	assert_int_equal(w.r, -ERR_AGAIN);
	loop_sim_advance(w.loop, 61 * MINUTE);
	assert_true(was_sent(&w, 3, "DELETE " DO "/7"));
	stop(&w);
	snprintf(path, sizeof(path), "%s/" DNS_LEDGER_FILE, folder);
	unlink(path);
	rmdir(folder);
}

/* One request at a time of one account, whatever it is about. */
static void test_waits_for_the_account(void **state)
{
	struct dns_keeper_name names[] = {
		section("digitalocean", "blog.example.org", "example.org"),
		section("digitalocean", "www.example.org", "example.org"),
	};
	struct world w = {.delay = 5 * USEC_PER_S};

	names[1].entry.pass = "another";
	start(&w, names, 2);
	add(&w, VALUE);
	add(&w, "another");
	assert_int_equal(wish_of(&w, "www.example.org", "third", false, NULL), 0);
	report(&w, "8.8.4.4");
	loop_sim_advance(w.loop, 4 * USEC_PER_S);
	/* the first value, and the one of the other account; the addresses wait for both */
	assert_int_equal(w.n_sent, 2);
	loop_sim_advance(w.loop, 60 * USEC_PER_S);
	assert_int_equal(w.n_done, 3);
	assert_int_equal(w.n_sent, 2 * 3 + 2 * 2);
	/* of the two of the first account the second began when the first was done */
	for (unsigned i = 2; i < w.n_sent; i++)
		assert_true(w.sent_at[i] >= w.sent_at[i - 2] + 5 * USEC_PER_S);
	stop(&w);
}

static void test_a_refused_account_is_left_alone(void **state)
{
	struct dns_keeper_name name = section("digitalocean", "blog.example.org", "example.org");
	struct world w = {.status = 401};
	struct err e = {0};

	start(&w, &name, 1);
	report(&w, "8.8.4.4");
	loop_sim_advance(w.loop, MINUTE);
	assert_int_equal(w.n_sent, 1);
	assert_int_equal(wish_of(&w, NAME, VALUE, false, &e), -ERR_DENIED);
	assert_non_null(strstr(e.text, "DigitalOcean has refused this account: wrong user"));
	loop_sim_advance(w.loop, MINUTE);
	assert_int_equal(w.n_sent, 1);
	stop(&w);
}

/* A refusal of a text is not held against addresses, but the next text is not tried. */
static void test_a_refused_text(void **state)
{
	struct dns_keeper_name name = section("digitalocean", "blog.example.org", "example.org");
	struct world w = {.status = 401};
	struct err e = {0};

	start(&w, &name, 1);
	add(&w, VALUE);
	loop_sim_advance(w.loop, USEC_PER_S);
	assert_int_equal(w.n_sent, 1);
	assert_int_equal(w.r, -ERR_DENIED);
	assert_string_equal(w.result.err.text, "DigitalOcean: wrong user, password or token");
	assert_int_equal(wish_of(&w, NAME, VALUE, false, &e), -ERR_DENIED);
	w.status = 0;
	report(&w, "8.8.4.4");
	loop_sim_advance(w.loop, MINUTE);
	assert_int_equal(w.n_sent, 3);
	/* a person has mended it */
	assert_true(dns_keeper_update(w.keeper, "blog.example.org", false));
	add(&w, VALUE);
	loop_sim_advance(w.loop, USEC_PER_S);
	assert_int_equal(w.r, 0);
	stop(&w);
}

static void test_a_provider_that_wants_a_pause(void **state)
{
	struct dns_keeper_name name = section("digitalocean", "blog.example.org", "example.org");
	struct world w = {.status = 429, .head = "Retry-After: 600\r\n"};
	struct err e = {0};

	start(&w, &name, 1);
	add(&w, VALUE);
	loop_sim_advance(w.loop, USEC_PER_S);
	assert_int_equal(w.r, -ERR_AGAIN);
	w.status = 0;
	assert_int_equal(wish_of(&w, NAME, VALUE, false, &e), -ERR_AGAIN);
	assert_non_null(strstr(e.text, "DigitalOcean wants to be left alone for"));
	report(&w, "8.8.4.4"); /* which is told the same */
	loop_sim_advance(w.loop, 590 * USEC_PER_S);
	assert_int_equal(w.n_sent, 1);
	assert_int_equal(wish_of(&w, NAME, VALUE, false, &e), -ERR_AGAIN);
	loop_sim_advance(w.loop, 200 * USEC_PER_S);
	add(&w, VALUE);
	loop_sim_advance(w.loop, USEC_PER_S);
	assert_int_equal(w.r, 0);
	/* what only fails on the way may be tried at once */
	w.refuses = true;
	add(&w, "x");
	loop_sim_advance(w.loop, USEC_PER_S);
	assert_int_equal(w.r, -ERR_AGAIN);
	assert_non_null(
		strstr(w.result.err.text, "DigitalOcean: the provider could not be reached"));
	w.refuses = false;
	add(&w, "x");
	loop_sim_advance(w.loop, USEC_PER_S);
	assert_int_equal(w.r, 0);
	stop(&w);
}

/* Those that were wished for before the account was refused, or a pause asked for, are not sent after it. */
static void test_who_waits_is_told_the_same(void **state)
{
	struct dns_keeper_name name = section("digitalocean", "blog.example.org", "example.org");
	struct world w = {.status = 401, .delay = USEC_PER_S};

	start(&w, &name, 1);
	add(&w, VALUE);
	add(&w, "second");
	add(&w, "third");
	loop_sim_advance(w.loop, MINUTE);
	assert_int_equal(w.n_done, 3);
	assert_int_equal(w.r, -ERR_DENIED);
	assert_int_equal(w.n_sent, 1);

	assert_true(dns_keeper_update(w.keeper, NULL, false));
	w.status = 429;
	add(&w, VALUE);
	add(&w, "second");
	loop_sim_advance(w.loop, MINUTE);
	assert_int_equal(w.n_done, 5);
	assert_int_equal(w.r, -ERR_AGAIN);
	assert_int_equal(w.n_sent, 2);
	stop(&w);
}

/* A pause that addresses were told of is one for texts. */
static void test_a_pause_of_the_addresses(void **state)
{
	struct dns_keeper_name name = section("digitalocean", "blog.example.org", "example.org");
	struct world w = {.status = 429, .head = "Retry-After: 600\r\n"};

	start(&w, &name, 1);
	report(&w, "8.8.4.4");
	loop_sim_advance(w.loop, MINUTE);
	assert_int_equal(w.n_sent, 1);
	assert_int_equal(wish_of(&w, NAME, VALUE, false, NULL), -ERR_AGAIN);
	assert_int_equal(w.n_sent, 1);
	stop(&w);
}

/* The account has 125 changes a minute, half of them at once. */
static void test_the_limits_of_the_account(void **state)
{
	struct dns_keeper_name name = section("digitalocean", "blog.example.org", "example.org");
	struct world w = {0};

	start(&w, &name, 1);
	for (int i = 0; i < 75; i++) {
		add(&w, VALUE);
		loop_sim_advance(w.loop, 20 * USEC_PER_MS);
	}
	assert_in_range(w.n_done, 60, 66);
	loop_sim_advance(w.loop, MINUTE);
	assert_int_equal(w.n_done, 75);
	assert_int_equal(w.r, 0);
	stop(&w);
}

/* It counts for the day's budget of the name, and ends with it. */
static void test_the_budget(void **state)
{
	struct dns_keeper_name name = section("desec", "me.dedyn.io", NULL);
	struct world w = {0};
	struct err e = {0};
	int r = 0, n;

	start(&w, &name, 1);
	for (n = 0; n < 400 && r == 0; n++) {
		char value[16];

		snprintf(value, sizeof(value), "v%d", n % 50);
		r = wish_of(&w, "_acme-challenge.me.dedyn.io", value, n % 2, &e);
		loop_sim_advance(w.loop, USEC_PER_S);
	}
	assert_int_equal(r, -ERR_AGAIN);
	assert_in_range(n, 100, 200);
	assert_non_null(strstr(e.text, "deSEC wants to be left alone"));
	loop_sim_advance(w.loop, 30 * MINUTE);
	assert_int_equal(wish_of(&w, "_acme-challenge.me.dedyn.io", "x", false, &e), 0);
	stop(&w);
}

static void test_one_value_only(void **state)
{
	struct dns_keeper_name name = section("duckdns", "home.duckdns.org", NULL);
	const char *host = "_acme-challenge.home.duckdns.org";
	struct world w = {0};
	struct err e = {0};

	start(&w, &name, 1);
	assert_int_equal(wish_of(&w, host, "first", false, NULL), 0);
	loop_sim_advance(w.loop, USEC_PER_S);
	assert_int_equal(w.n_sent, 1);
	assert_int_equal(wish_of(&w, host, "second", false, &e), -ERR_EXISTS);
	assert_non_null(strstr(e.text, "one TXT value for home.duckdns.org"));
	assert_int_equal(wish_of(&w, host, "first", false, NULL), 0); /* again */
	loop_sim_advance(w.loop, USEC_PER_S);
	/* taking another one away would take this one */
	assert_int_equal(wish_of(&w, host, "second", true, NULL), 0);
	loop_sim_advance(w.loop, USEC_PER_S);
	assert_int_equal(w.r, 0);
	assert_false(w.result.changed);
	assert_int_equal(w.n_sent, 2);
	assert_int_equal(wish_of(&w, host, "first", true, NULL), 0);
	loop_sim_advance(w.loop, USEC_PER_S);
	assert_int_equal(wish_of(&w, host, "second", false, NULL), 0);
	loop_sim_advance(w.loop, USEC_PER_S);
	assert_int_equal(w.n_sent, 4);
	/* two at once: the second is refused when the first is there */
	assert_int_equal(wish_of(&w, host, "second", true, NULL), 0);
	loop_sim_advance(w.loop, USEC_PER_S);
	assert_int_equal(wish_of(&w, host, "third", false, NULL), 0);
	assert_int_equal(wish_of(&w, host, "fourth", false, NULL), 0);
	loop_sim_advance(w.loop, USEC_PER_S);
	assert_int_equal(w.r, -ERR_EXISTS);
	assert_int_equal(w.n_sent, 6);
	assert_true(was_sent(&w, 2,
			     "GET https://www.duckdns.org/update?domains=home&token=t0ken"
			     "&txt=first&clear=true"));
	assert_true(was_sent(&w, 3,
			     "GET https://www.duckdns.org/update?domains=home&token=t0ken"
			     "&txt=second"));
	stop(&w);
}

static void test_what_is_refused_at_once(void **state)
{
	struct dns_keeper_name names[] = {
		section("digitalocean", "blog.example.org", "example.org"),
		section("dyn", "home.example.net", NULL),
	};
	struct world w = {0};
	struct err e = {0};

	names[1].entry.user = "me";
	start(&w, names, 2);
	assert_int_equal(wish_of(&w, "no name", VALUE, false, &e), -ERR_INVALID);
	assert_int_equal(wish_of(&w, NAME, "", false, &e), -ERR_INVALID);
	assert_int_equal(wish_of(&w, NAME, "a\nb", false, &e), -ERR_INVALID);
	assert_int_equal(wish_of(&w, "_acme-challenge.home.example.net", VALUE, false, &e),
			 -ERR_NOT_FOUND);
	for (int i = 0; i < DNS_TXT_CHANGES_MAX; i++)
		assert_int_equal(wish_of(&w, NAME, VALUE, false, &e), 0);
	assert_int_equal(wish_of(&w, NAME, VALUE, false, &e), -ERR_LIMIT);
	/* the keeper goes: whoever waits is told */
	stop(&w);
	assert_int_equal(w.n_done, DNS_TXT_CHANGES_MAX);
	assert_int_equal(w.r, -ERR_AGAIN);
}

static void test_who_asked_is_gone(void **state)
{
	struct dns_keeper_name name = section("digitalocean", "blog.example.org", "example.org");
	struct dns_txt_wish wish = {.name = NAME, .value = VALUE};
	struct dns_txt_change *change;
	struct world w = {0};

	start(&w, &name, 1);
	assert_int_equal(dns_keeper_txt(w.keeper, &wish, on_done, &w, &change, NULL), 0);
	dns_keeper_txt_forget(change);
	dns_keeper_txt_forget(NULL);
	loop_sim_advance(w.loop, USEC_PER_S);
	assert_int_equal(w.n_done, 0);
	assert_int_equal(w.n_told, 1);
	assert_int_equal(w.n_sent, 2);
	/* it stays for good */
	loop_sim_advance(w.loop, 48 * 60 * MINUTE);
	assert_int_equal(w.n_sent, 2);
	stop(&w);
}

/* An account whose answers take for ever. */
static void test_patience_ends(void **state)
{
	struct dns_keeper_name name = section("digitalocean", "blog.example.org", "example.org");
	struct world w = {.delay = 25 * USEC_PER_S};

	start(&w, &name, 1);
	for (int i = 0; i < 5; i++)
		add(&w, "x");
	loop_sim_advance(w.loop, 121 * USEC_PER_S);
	assert_int_equal(w.n_done, 2 + 2); /* two came to an end, two were never begun */
	assert_int_equal(w.r, -ERR_AGAIN);
	assert_non_null(strstr(w.result.err.text, "other requests of this account"));
	stop(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_added_and_taken_away),
		cmocka_unit_test(test_taken_away_by_itself),
		cmocka_unit_test(test_taken_away_after_a_restart),
		cmocka_unit_test(test_taken_away_after_a_reload_in_the_middle),
		cmocka_unit_test(test_waits_for_the_account),
		cmocka_unit_test(test_a_refused_account_is_left_alone),
		cmocka_unit_test(test_a_refused_text),
		cmocka_unit_test(test_a_provider_that_wants_a_pause),
		cmocka_unit_test(test_who_waits_is_told_the_same),
		cmocka_unit_test(test_a_pause_of_the_addresses),
		cmocka_unit_test(test_the_limits_of_the_account),
		cmocka_unit_test(test_the_budget),
		cmocka_unit_test(test_one_value_only),
		cmocka_unit_test(test_what_is_refused_at_once),
		cmocka_unit_test(test_who_asked_is_gone),
		cmocka_unit_test(test_patience_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
