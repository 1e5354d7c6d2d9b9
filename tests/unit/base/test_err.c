#include "test.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"

static void test_sentences(void **state)
{
	struct err e = {0};

	assert_int_equal(err_set(&e, ERR_LIMIT, "already holding %d", 3), -ERR_LIMIT);
	assert_int_equal(e.code, ERR_LIMIT);
	assert_string_equal(e.text, "already holding 3");
	errno = ECONNREFUSED;
	assert_int_equal(err_set_errno(&e, ERR_REFUSED, "connect"), -ERR_REFUSED);
	assert_int_equal(errno, ECONNREFUSED);
	assert_int_equal(err_wrap(&e, -ERR_REFUSED, "service %s", "blog"), -ERR_REFUSED);
	assert_string_equal(e.text, "service blog: connect: Connection refused");
}

static void test_nobody_wants_the_story(void **state)
{
	assert_int_equal(err_set(NULL, ERR_LIMIT, "x"), -ERR_LIMIT);
	assert_int_equal(err_set_errno(NULL, ERR_LIMIT, "x"), -ERR_LIMIT);
	assert_int_equal(err_wrap(NULL, -ERR_LIMIT, "x"), -ERR_LIMIT);
}

static void test_long_stories_are_cut(void **state)
{
	struct err e = {0};
	char text[1000];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	err_set(&e, ERR_FAILED, "%s", text);
	assert_int_equal(strlen(e.text), sizeof(e.text) - 1);
	err_set_errno(&e, ERR_FAILED, "%s", text);
	err_wrap(&e, -ERR_FAILED, "outer");
	assert_memory_equal(e.text, "outer: xxx", 10);
	err_wrap(&e, -ERR_FAILED, "%s", text);
	assert_int_equal(strlen(e.text), sizeof(e.text) - 1);
}

static void test_every_code_has_a_word(void **state)
{
	assert_string_equal(err_name(0), "ok");
	assert_string_equal(err_name(-ERR_TIMEOUT), "timeout");
	for (int code = ERR_FAILED; code <= ERR_TIMEOUT; code++) {
		assert_string_equal(err_name(code), err_name(-code));
		assert_string_not_equal(err_name(code), "ok");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sentences),
		cmocka_unit_test(test_nobody_wants_the_story),
		cmocka_unit_test(test_long_stories_are_cut),
		cmocka_unit_test(test_every_code_has_a_word),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
