/* `homeport dns test`: names in trial, and those that were left out. */
#include <string.h>

#include "agent/names_private.h"
#include "net/ndjson.h"

#define NAMES_TEST_WAIT                                                                            \
	(12 * USEC_PER_S) /* for who tells our address: DNS_OBSERVE_TIMEOUT, and a moment */

struct names_test {
	struct list node; /* in the names' */
	struct names *names;
	char *name; /* owned; NULL: all */
	unsigned how;
	void (*told)(void *arg, json_t *tested, const struct err *end);
	void *arg;
	struct dns_trial *trial; /* owned */
	size_t next;		 /* of those that may be left out */
	bool begun, any;
	struct defer work;
	struct timer patience;
};

void names_test_cancel(struct names_test *test)
{
	if (!test)
		return;
	dns_trial_cancel(test->trial);
	defer_cancel(&test->work);
	timer_stop(&test->patience);
	list_remove(&test->node);
	free(test->name);
	free(test);
}

static void end(struct names_test *test, const struct err *why)
{
	void (*told)(void *arg, json_t *tested, const struct err *end) = test->told;
	void *arg = test->arg;

	names_test_cancel(test);
	told(arg, NULL, why);
}

void names_tests_end(struct names *names)
{
	struct err why = {0};

	err_set(&why, ERR_RESET, "the configuration was read again meanwhile");
	while (!list_empty(&names->tests))
		end(list_entry(names->tests.next, struct names_test, node), &why);
}

static bool is_called(const struct agent_name *configured, const char *name)
{
	return !name || strcmp(configured->keep.label, name) == 0 ||
	       strcmp(configured->host, name) == 0;
}

/* As one in trial would be told. */
static json_t *left_out_json(const struct agent_name *name, const char *why)
{
	return json_pack("{s:s s:s s:s s:[] s:[] s:[{s:s s:s s:b s:s s:o}] s:[] s:b s:o}", "name",
			 name->keep.label, "host", name->host, "provider",
			 name->keep.entry.provider->name, "records", "requests", "checks", "check",
			 "secret", "family", "both", "good", 0, "answer", "unreadable", "text",
			 ndjson_text(why), "sent", "works", 0, "text", ndjson_text(why));
}

static void on_name(void *arg, json_t *tested)
{
	struct names_test *test = arg;
	const struct err all = {0};

	if (tested) {
		test->told(test->arg, tested, NULL);
		return;
	}
	test->trial = NULL;
	end(test, &all);
}

static void begin(struct names_test *test)
{
	struct err e = {0};
	int r = dns_trial_start(test->names->keeper, test->name, test->how, on_name, test,
				&test->trial, &e);

	if (r == -ERR_NOT_FOUND && test->any)
		e = (struct err){0};
	if (r < 0)
		end(test, &e);
}

/* First those that were left out, then the keeper's. */
static void work(void *arg)
{
	struct names_test *test = arg;
	const struct names *names = test->names;
	size_t i;

	if (!test->begun && names->only_look && names_await(names) &&
	    timer_running(&test->patience))
		return;
	test->begun = true;
	timer_stop(&test->patience);
	for (i = test->next; i < names->n; i++)
		if (names->left_out[i] && is_called(&names->configured[i], test->name))
			break;
	if (i == names->n) {
		begin(test);
		return;
	}
	test->next = i + 1;
	test->any = true;
	defer_call(&test->work); /* before: told may cancel */
	test->told(test->arg, left_out_json(&names->configured[i], names->left_out[i]), NULL);
}

void names_tests_look(struct names *names)
{
	struct names_test *test;

	list_for_each (test, &names->tests, node)
		if (!test->begun)
			defer_call(&test->work);
}

int names_test_start(struct names *names, const char *name, unsigned how,
		     void (*told)(void *arg, json_t *tested, const struct err *end), void *arg,
		     struct names_test **ret_test, struct err *e)
{
	struct names_test *test = calloc(1, sizeof(*test));

	if (!test)
		return err_set(e, ERR_NOMEM, "test");
	list_push(&names->tests, &test->node);
	test->names = names;
	test->how = how;
	test->told = told;
	test->arg = arg;
	defer_init(&test->work, names->loop, work, test);
	timer_init(&test->patience, names->loop, work, test);
	test->name = name ? strdup(name) : NULL;
	if (name && !test->name) {
		names_test_cancel(test);
		return err_set(e, ERR_NOMEM, "test");
	}
	timer_start(&test->patience, NAMES_TEST_WAIT);
	defer_call(&test->work);
	*ret_test = test;
	return 0;
}
