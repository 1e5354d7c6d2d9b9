/*
 * Several names of one account, at providers whose limits are the account's: days of address changes and
 * restarts on a virtual clock, and how many requests any span of them saw. What is not allowed at once comes
 * later: in the end every name is right.
 */
#include "test.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "dns/keeper.h"
#include "dns/ledger.h"

#define DAY	     86400
#define WALL	     ((int64_t)1800000000)
#define NAMES	     6
#define REQUESTS_MAX 4096
#define DAYS	     10

struct world {
	struct loop *loop;
	struct httpc *httpc;
	struct dns_keeper *keeper;
	char folder[64];
	const char *published[NAMES]; /* what the provider has; of texts[] */
	char texts[NAMES][32], address[32];
	int64_t sent[REQUESTS_MAX];
	unsigned n_sent;
	uint64_t seed;
	struct defer answer[NAMES];
	struct question {
		struct world *world;
		void (*done)(void *arg, const struct ipaddr *published);
		void *arg;
		const char *published;
	} questions[NAMES];
};

static uint64_t any(struct world *w, uint64_t below)
{
	w->seed = w->seed * 6364136223846793005u + 1442695040888963407u;
	return (w->seed >> 33) % below;
}

static int64_t wall_s(void *arg)
{
	return WALL + (int64_t)(loop_now(((struct world *)arg)->loop) / USEC_PER_S);
}

static const char *const hosts[NAMES] = {"a.example.org", "b.example.org", "c.example.org",
					 "d.example.org", "e.example.org", "f.example.org"};

static size_t index_of(const char *text)
{
	size_t i = 0;

	while (!strstr(text, hosts[i]))
		assert_true(++i < NAMES);
	return i;
}

static void serve(void *arg, struct httpc_call *call, const struct httpc_request *request)
{
	struct world *w = arg;
	size_t i = index_of(request->url);
	const char *sent;

	assert_true(w->n_sent < REQUESTS_MAX);
	w->sent[w->n_sent++] = wall_s(w);
	sent = strstr(request->url, "8.8.");
	assert_non_null(sent);
	snprintf(w->texts[i], sizeof(w->texts[i]), "%.*s", (int)strspn(sent, "0123456789."), sent);
	w->published[i] = w->texts[i];
	httpc_sim_answer(call, 200 * USEC_PER_MS, 200, NULL, STR("good"));
}

static void answer_question(void *arg)
{
	struct question *q = arg;
	struct ipaddr a = {0};

	if (q->published)
		assert_int_equal(ipaddr_parse(str_of(q->published), &a), 0);
	q->done(q->arg, &a);
}

static void *start_question(void *arg, const char *host, int family,
			    void (*done)(void *done_arg, const struct ipaddr *published),
			    void *done_arg)
{
	struct world *w = arg;
	size_t i = index_of(host);

	w->questions[i] = (struct question){w, done, done_arg, w->published[i]};
	defer_init(&w->answer[i], w->loop, answer_question, &w->questions[i]);
	defer_call(&w->answer[i]);
	return &w->questions[i];
}

static void cancel_question(void *arg, void *question)
{
	struct world *w = arg;

	defer_cancel(&w->answer[(struct question *)question - w->questions]);
}

static void start(struct world *w, const char *provider)
{
	struct dns_keeper_name names[NAMES];
	struct dns_keeper_settings settings = {.folder = w->folder,
					       .names = names,
					       .n_names = NAMES,
					       .asker = {start_question, cancel_question, w},
					       .wall_s = wall_s,
					       .arg = w};

	for (int i = 0; i < NAMES; i++)
		names[i] = (struct dns_keeper_name){
			.no6 = true,
			.entry = {.provider = dns_provider_find(str_of(provider)),
				  .host = hosts[i],
				  .user = "me",
				  .pass = "secret"}};
	assert_int_equal(dns_keeper_new(w->loop, w->httpc, &settings, &w->keeper, NULL), 0);
}

static void tell(struct world *w)
{
	struct ipaddr a;

	assert_int_equal(ipaddr_parse(str_of(w->address), &a), 0);
	dns_keeper_report(w->keeper, DNS_SOURCE_GATEWAY, 4, DNS_WISH_ADDRESS, &a);
}

static unsigned most_in(const struct world *w, int64_t span_s)
{
	unsigned most = 0;

	for (unsigned first = 0, last = 0; last < w->n_sent; last++) {
		while (w->sent[last] - w->sent[first] >= span_s)
			first++;
		most = MAX(most, last - first + 1);
	}
	return most;
}

static bool all_right(const struct world *w)
{
	for (int i = 0; i < NAMES; i++)
		if (!w->published[i] || strcmp(w->published[i], w->address) != 0)
			return false;
	return true;
}

static void live(struct world *w, const char *provider, unsigned changes_a_day)
{
	unsigned restarts = 0;

	for (unsigned i = 0; i < DAYS * changes_a_day; i++) {
		snprintf(w->address, sizeof(w->address), "8.8.%u.%u", i / 250 + 1, i % 250 + 1);
		tell(w);
		loop_sim_advance(w->loop, (DAY / changes_a_day / 2 + any(w, DAY / changes_a_day)) *
						  USEC_PER_S);
		if (any(w, 4) == 0) {
			dns_keeper_free(w->keeper);
			start(w, provider);
			restarts++;
		}
	}
	tell(w);
	loop_sim_advance(w->loop, (uint64_t)DAY * USEC_PER_S);
	assert_true(all_right(w));
	print_message(
		"%s: %d names, %u changes a day, %u restarts: %u requests in %d days, at most",
		provider, NAMES, changes_a_day, restarts, w->n_sent, DAYS + 1);
}

static void check(const char *provider, unsigned changes_a_day)
{
	const struct dns_provider *p = dns_provider_find(str_of(provider));
	bool memory = access("/dev/shm", W_OK) == 0; /* hundreds of files are written */
	struct world w = {.seed = changes_a_day};
	char file[128];

	snprintf(w.folder, sizeof(w.folder), "%s/homeport-accounts-XXXXXX",
		 memory ? "/dev/shm" : "/tmp");
	assert_non_null(mkdtemp(w.folder));
	assert_int_equal(loop_new_sim(&w.loop, NULL), 0);
	assert_int_equal(httpc_new_sim(w.loop, serve, &w, &w.httpc, NULL), 0);
	start(&w, provider);
	live(&w, provider, changes_a_day);
	for (int i = 0; i < DNS_ACCOUNT_LIMITS_MAX; i++) {
		unsigned most = most_in(&w, p->account[i].span_s);

		print_message(" %u in %u s", most, p->account[i].span_s);
		assert_in_range(most, 1, p->account[i].n);
	}
	print_message("\n");
	dns_keeper_free(w.keeper);
	httpc_free(w.httpc);
	loop_free(w.loop);
	snprintf(file, sizeof(file), "%s/%s", w.folder, DNS_LEDGER_FILE);
	unlink(file);
	assert_int_equal(rmdir(w.folder), 0);
}

static void test_ipv64(void **state)
{
	check("ipv64", 4);
	check("ipv64", 24);
}

static void test_desec(void **state)
{
	check("desec", 4);
	check("desec", 48);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ipv64),
		cmocka_unit_test(test_desec),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
