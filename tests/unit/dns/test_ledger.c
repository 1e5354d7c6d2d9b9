#include "test.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "dns/ledger.h"
#include "state/folder.h"

#define NOW ((int64_t)1800000000)

static const struct dns_rules rules = {.interval_s = 30, .burst = 2};
static const uint8_t config[DNS_CONFIG_LEN] = {0xab, 1, 2, 3};

static struct dns_machine sample(void)
{
	struct dns_machine m;

	dns_machine_init(&m, &rules, config);
	m.state = DNS_STATE_SENT;
	assert_int_equal(ipaddr_parse(STR("192.0.2.1"), &m.published), 0);
	assert_int_equal(ipaddr_parse(STR("2001:db8::1"), &m.attempt), 0);
	m.sure = true;
	m.confirmed_s = NOW - 5;
	m.attempted_s = NOW - 4;
	m.not_before_s = NOW + 3;
	m.interval_spent = NOW + 2;
	m.budget_spent = NOW + 1;
	m.since_s = NOW - 77;
	m.verdict = DNS_OUTAGE;
	strcpy(m.text, "911");
	m.fails = 2;
	m.nochgs = 1;
	return m;
}

static void test_round_trip(void **state)
{
	AUTO(buf_donep) struct buf text = {0};
	struct dns_machine m = sample(), back;
	char key[DNS_LEDGER_KEY_MAX];
	struct dns_ledger a, b;
	struct err e = {0};

	dns_ledger_init(&a);
	dns_ledger_init(&b);
	dns_ledger_key(key, "dyn", "home.example.org", 6);
	assert_string_equal(key, "dyn home.example.org AAAA");
	assert_int_equal(dns_ledger_put(&a, key, &m), 0);
	assert_int_equal(dns_ledger_encode(&a, NOW, &text), 0);
	assert_int_equal(dns_ledger_decode(&b, buf_str(&text), &e), 0);
	dns_machine_init(&back, &rules, (const uint8_t[DNS_CONFIG_LEN]){0});
	assert_true(dns_ledger_get(&b, key, &back));
	assert_memory_equal(&back, &m, sizeof(m));
	assert_false(dns_ledger_get(&b, "dyn other.example.org A", &back));
	dns_ledger_done(&a);
	dns_ledger_done(&b);
}

static void test_words_of_a_provider_are_stored_as_text(void **state)
{
	AUTO(buf_donep) struct buf text = {0};
	struct dns_machine m = sample();
	struct dns_ledger ledger;

	dns_ledger_init(&ledger);
	strcpy(m.text, "b\xff\x1b[31m\"d");
	assert_int_equal(dns_ledger_put(&ledger, "k", &m), 0);
	assert_int_equal(dns_ledger_encode(&ledger, NOW, &text), 0);
	assert_true(dns_ledger_get(&ledger, "k", &m));
	assert_string_equal(m.text, "b??[31m\"d");
	dns_ledger_done(&ledger);
}

static void test_what_is_damaged_is_not_believed(void **state)
{
	static const char *const texts[] = {
		"",
		"{",
		"[]",
		"{\"version\":2,\"names\":{}}",
		"{\"version\":1}",
		"{\"version\":1,\"names\":[]}",
		"{\"version\":1,\"names\":{},\"names\":{}}",
	};
	static const char *const entries[] = {
		"3",
		"{}",
		"{\"state\":\"DANCING\"}",
		"{\"state\":\"IDLE\",\"verdict\":\"good\",\"config\":\"00\"}",
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct dns_ledger ledger;
		struct err e = {0};

		dns_ledger_init(&ledger);
		assert_int_equal(dns_ledger_decode(&ledger, str_of(texts[i]), &e), -ERR_INVALID);
		assert_true(e.text[0]);
		assert_false(dns_ledger_get(&ledger, "k", &(struct dns_machine){0}));
		dns_ledger_done(&ledger);
	}
	for (size_t i = 0; i < ARRAY_LEN(entries); i++) {
		struct dns_machine m = sample(), before = m;
		struct dns_ledger ledger;
		char text[200];

		dns_ledger_init(&ledger);
		snprintf(text, sizeof(text), "{\"version\":1,\"names\":{\"k\":%s}}", entries[i]);
		assert_int_equal(dns_ledger_decode(&ledger, str_of(text), NULL), 0);
		assert_false(dns_ledger_get(&ledger, "k", &m));
		assert_memory_equal(&m, &before, sizeof(m));
		dns_ledger_done(&ledger);
	}
}

/* As a restart does it. */
static void again(struct dns_ledger *ledger, int64_t now)
{
	AUTO(buf_donep) struct buf text = {0};

	assert_int_equal(dns_ledger_encode(ledger, now, &text), 0);
	assert_true(buf_len(&text) <= STATE_FILE_MAX);
	assert_int_equal(dns_ledger_decode(ledger, buf_str(&text), NULL), 0);
}

static void test_old_names_are_forgotten(void **state)
{
	struct dns_machine m = sample(), old = sample();
	struct dns_ledger ledger;

	dns_ledger_init(&ledger);
	old.confirmed_s = old.attempted_s = NOW - DNS_LEDGER_KEEP_S - 1;
	assert_int_equal(dns_ledger_put(&ledger, "new", &m), 0);
	assert_int_equal(dns_ledger_put(&ledger, "old", &old), 0);
	assert_int_equal(dns_ledger_put(&ledger, "quiet", &old), 0);
	again(&ledger, NOW);
	assert_int_equal(json_object_size(ledger.names), 3);
	assert_true(
		dns_ledger_get(&ledger, "quiet", &m)); /* configured, and nothing happens to it */
	again(&ledger, NOW);
	assert_true(dns_ledger_get(&ledger, "new", &m));
	assert_true(dns_ledger_get(&ledger, "quiet", &m));
	assert_false(dns_ledger_get(&ledger, "old", &m));
	dns_ledger_done(&ledger);
}

static void test_when_it_was_written(void **state)
{
	struct dns_ledger ledger;
	struct err e = {0};

	dns_ledger_init(&ledger);
	assert_int_equal(ledger.written_s, 0);
	again(&ledger, NOW);
	assert_int_equal(ledger.written_s, NOW);
	assert_int_equal(dns_ledger_decode(&ledger, STR("{\"version\":2,\"names\":{}}"), &e),
			 -ERR_INVALID);
	assert_non_null(strstr(e.text, "later version"));
	dns_ledger_done(&ledger);
}

static void test_it_is_full_at_its_limit(void **state)
{
	struct dns_machine m = sample();
	struct dns_ledger ledger;
	char key[32];

	dns_ledger_init(&ledger);
	for (int i = 0; i < DNS_LEDGER_NAMES_MAX; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		assert_int_equal(dns_ledger_put(&ledger, key, &m), 0);
	}
	assert_int_equal(dns_ledger_put(&ledger, "one more", &m), -ERR_LIMIT);
	assert_int_equal(dns_ledger_put(&ledger, "k7", &m), 0);
	dns_ledger_done(&ledger);
}

/* All the names of a year ago do not keep this year's out: the oldest goes. */
static void test_there_is_room_for_what_is_configured(void **state)
{
	struct dns_machine m = sample();
	struct dns_ledger ledger;
	char key[32];

	dns_ledger_init(&ledger);
	for (int i = 0; i < DNS_LEDGER_NAMES_MAX; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		m.confirmed_s = m.attempted_s = NOW - 1000000 + i;
		assert_int_equal(dns_ledger_put(&ledger, key, &m), 0);
	}
	again(&ledger, NOW);
	assert_true(dns_ledger_get(&ledger, "k0", &m));
	assert_int_equal(dns_ledger_put(&ledger, "one more", &m), 0);
	assert_true(dns_ledger_get(&ledger, "k0", &m));
	assert_false(dns_ledger_get(&ledger, "k1", &m));
	assert_true(dns_ledger_get(&ledger, "k2", &m));
	dns_ledger_done(&ledger);
}

/* What is written must be read again: a file of the state folder has a limit. */
static void test_it_is_never_longer_than_can_be_read(void **state)
{
	AUTO(buf_donep) struct buf text = {0};
	struct dns_machine m = sample();
	struct dns_ledger ledger;
	char key[DNS_LEDGER_KEY_MAX];
	int r;

	dns_ledger_init(&ledger);
	memset(m.text, 'x', sizeof(m.text) - 1);
	for (int i = 0; i < DNS_LEDGER_NAMES_MAX; i++) {
		snprintf(key, sizeof(key), "provider %0250d AAAA", i);
		assert_int_equal(dns_ledger_put(&ledger, key, &m), 0);
		if (i == 1023) /* as many as an agent can have, names and words as long as can be */
			again(&ledger, NOW);
	}
	json_object_clear(ledger.used);
	snprintf(key, sizeof(key), "provider %0250d AAAA", 7);
	assert_true(dns_ledger_get(&ledger, key, &m));
	again(&ledger, NOW);
	assert_true(dns_ledger_get(&ledger, key, &m));
	assert_in_range(json_object_size(ledger.names), 1024, DNS_LEDGER_NAMES_MAX - 1);
	for (int i = 0; i < DNS_LEDGER_NAMES_MAX; i++) {
		snprintf(key, sizeof(key), "provider %0250d AAAA", i);
		assert_int_equal(dns_ledger_put(&ledger, key, &m), 0);
	}
	r = dns_ledger_encode(&ledger, NOW, &text);
	assert_int_equal(r, -ERR_LIMIT);
	dns_ledger_done(&ledger);
}

static void test_accounts(void **state)
{
	static const int64_t spent[DNS_ACCOUNT_LIMITS_MAX] = {NOW + 100, NOW - 1};
	static const char damaged[] = "{\"version\":1,\"names\":{},\"accounts\":{\"a\":[-1,\"x\"],"
				      "\"b\":7,\"c\":[1800000100],\"d\":[1e300,99999999999999]}}";
	AUTO(buf_donep) struct buf text = {0}, later = {0};
	int64_t back[DNS_ACCOUNT_LIMITS_MAX];
	struct dns_ledger a, b;
	char name[DNS_LEDGER_ACCOUNT_MAX + 2];

	dns_ledger_init(&a);
	dns_ledger_init(&b);
	dns_ledger_get_account(&a, "x", back);
	assert_true(back[0] == 0 && back[1] == 0);
	assert_int_equal(dns_ledger_put_account(&a, "x", spent), 0);
	assert_int_equal(dns_ledger_encode(&a, NOW, &text), 0);
	assert_int_equal(dns_ledger_decode(&b, buf_str(&text), NULL), 0);
	dns_ledger_get_account(&b, "x", back);
	assert_memory_equal(back, spent, sizeof(back));
	assert_int_equal(dns_ledger_encode(&b, NOW + 100, &later), 0); /* all is forgotten */
	assert_null(memmem(buf_head(&later), buf_len(&later), "\"x\"", 3));

	assert_int_equal(dns_ledger_decode(&b, STR(damaged), NULL), 0);
	dns_ledger_get_account(&b, "x", back);
	assert_true(back[0] == 0 && back[1] == 0);
	dns_ledger_get_account(&b, "c", back);
	assert_true(back[0] == NOW + 100 && back[1] == 0);
	for (const char *c = "abd"; *c; c++) {
		dns_ledger_get_account(&b, (char[]){*c, 0}, back);
		assert_true(back[0] == 0 && back[1] == 0);
	}

	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(dns_ledger_put_account(&b, name, spent), -ERR_LIMIT);
	for (int i = 0; i < DNS_LEDGER_ACCOUNTS_MAX; i++) {
		snprintf(name, sizeof(name), "%d", i);
		if (dns_ledger_put_account(&a, name, spent) < 0)
			assert_int_equal(i, DNS_LEDGER_ACCOUNTS_MAX - 1); /* and "x" */
	}
	dns_ledger_done(&a);
	dns_ledger_done(&b);
}

static void test_texts(void **state)
{
	static const char damaged[] =
		"{\"version\":1,\"names\":{},\"texts\":{\"a.example \":5,\"no name\":\"x\","
		"\"a.example v\":-1,\" v\":5,\"a..b v\":5,\"a.example v\\u0001\":5,"
		"\"a.example a good one\":7}}";
	AUTO(buf_donep) struct buf text = {0};
	struct dns_ledger a, b;
	struct str name, value;
	char host[32];
	json_t *until;
	const char *key;

	dns_ledger_init(&a);
	dns_ledger_init(&b);
	assert_int_equal(dns_ledger_put_text(&a, "a.example", "v=1; x", NOW), 0);
	assert_int_equal(dns_ledger_put_text(&a, "a.example", "two", 0), 0);
	assert_int_equal(dns_ledger_put_text(&a, "a.example", "two", NOW + 1), 0);
	assert_int_equal(dns_ledger_put_text(&a, "a.example", "gone", NOW), 0);
	dns_ledger_drop_text(&a, "a.example", "gone");
	dns_ledger_drop_text(&a, "a.example", "never there");
	assert_int_equal(dns_ledger_encode(&a, NOW, &text), 0);
	assert_non_null(memmem(buf_head(&text), buf_len(&text),
			       "\"texts\":{\"a.example two\":1800000001,"
			       "\"a.example v=1; x\":1800000000}",
			       66));
	assert_int_equal(dns_ledger_decode(&b, buf_str(&text), NULL), 0);
	assert_true(json_equal(a.texts, b.texts));
	assert_true(dns_ledger_text("a.example v=1; x", &name, &value));
	assert_true(str_eq(name, STR("a.example")) && str_eq(value, STR("v=1; x")));

	assert_int_equal(dns_ledger_decode(&b, STR(damaged), NULL), 0);
	json_object_foreach(b.texts, key, until)
	{
		assert_string_equal(key, "a.example a good one");
	}
	assert_int_equal(json_object_size(b.texts), 1);
	for (int i = 0; i < DNS_LEDGER_TEXTS_MAX - 1; i++) {
		snprintf(host, sizeof(host), "h%d.example", i);
		assert_int_equal(dns_ledger_put_text(&b, host, "x", NOW), 0);
	}
	assert_int_equal(dns_ledger_put_text(&b, "one.more", "x", NOW), -ERR_LIMIT);
	assert_int_equal(dns_ledger_put_text(&b, host, "x", NOW + 1), 0);
	dns_ledger_done(&a);
	dns_ledger_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_words_of_a_provider_are_stored_as_text),
		cmocka_unit_test(test_what_is_damaged_is_not_believed),
		cmocka_unit_test(test_old_names_are_forgotten),
		cmocka_unit_test(test_when_it_was_written),
		cmocka_unit_test(test_it_is_full_at_its_limit),
		cmocka_unit_test(test_there_is_room_for_what_is_configured),
		cmocka_unit_test(test_accounts),
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_it_is_never_longer_than_can_be_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
