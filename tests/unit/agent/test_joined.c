#include "test.h"

#include <stdio.h>
#include <string.h>

#include "agent/joined.h"
#include "state/folder.h"

static char folder[32];

static int set_up(void **state)
{
	strcpy(folder, "/tmp/homeport-joined-XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
}

static int tear_down(void **state)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -r %s", folder);
	return system(command);
}

static void what_is_stored_is_loaded(void **state)
{
	struct joined j = {.host = "gw.example.org",
			   .port = 8443,
			   .agent = "laptop",
			   .domain = "home.example.org"};
	struct joined back;
	struct err e = {0};

	memset(j.gateway.bytes, 0xab, sizeof(j.gateway.bytes));
	assert_int_equal(joined_store(folder, &j, &e), 0);
	assert_int_equal(joined_load(folder, &back, &e), 0);
	assert_memory_equal(&back, &j, sizeof(j));

	j.has_next = true;
	j.next.bytes[0] = 1;
	assert_int_equal(joined_store(folder, &j, &e), 0);
	assert_int_equal(joined_load(folder, &back, &e), 0);
	assert_memory_equal(&back, &j, sizeof(j));
}

static void not_joined_is_told_apart(void **state)
{
	struct joined j;
	struct err e = {0};

	assert_int_equal(joined_load(folder, &j, &e), -ERR_NOT_FOUND);
}

static void a_damaged_file_says_what_to_do(void **state)
{
	static const char *const damaged[] = {
		"",
		"{",
		"[]",
		"{}",
		"{\"host\":\"a\",\"port\":443}",
		"{\"host\":\"a\",\"port\":443,\"agent\":\"a\",\"domain\":\"d\",\"gateway\":\"12\"}",
	};

	for (size_t i = 0; i < ARRAY_LEN(damaged); i++) {
		struct joined j;
		struct err e = {0};

		assert_int_equal(state_write(folder, JOINED_FILE, str_of(damaged[i]), &e), 0);
		assert_int_equal(joined_load(folder, &j, &e), -ERR_INVALID);
		assert_non_null(strstr(e.text, "homeport join"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_is_stored_is_loaded, set_up, tear_down),
		cmocka_unit_test_setup_teardown(not_joined_is_told_apart, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_damaged_file_says_what_to_do, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
