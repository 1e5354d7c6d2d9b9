#include "test.h"

#include "base/cleanup.h"
#include "base/str.h"

static const struct str none;

static void assert_str(struct str s, const char *text)
{
	assert_true(str_eq(s, str_of(text)));
}

static void test_compare(void **state)
{
	assert_true(str_eq(STR("a"), str_of("a")));
	assert_false(str_eq(STR("a"), STR("A")));
	assert_false(str_eq(STR("a"), STR("ab")));
	assert_true(str_eq(none, STR("")));
	assert_true(str_eq(str_of(NULL), none));
	assert_true(str_eq_nocase(STR("Content-Length"), STR("content-lengtH")));
	assert_false(str_eq_nocase(STR("a"), STR("b")));
	assert_false(str_eq_nocase(STR("@["), STR("`{"))); /* letters only */
	assert_true(str_eq_nocase(none, none));
}

static void test_ends(void **state)
{
	assert_true(str_starts(STR("abc"), STR("ab")));
	assert_true(str_starts(STR("abc"), none));
	assert_true(str_starts(none, none));
	assert_false(str_starts(STR("a"), STR("ab")));
	assert_true(str_ends_nocase(STR("x.LocalHost"), STR(".localhost")));
	assert_false(str_ends_nocase(STR("localhost"), STR(".localhost")));
	assert_true(str_ends_nocase(none, none));
}

static void test_trim_and_find(void **state)
{
	assert_str(str_trim(STR(" \t a b\t ")), "a b");
	assert_str(str_trim(STR(" \t ")), "");
	assert_str(str_trim(none), "");
	assert_int_equal(str_find(STR("a:b:c"), ':'), 1);
	assert_int_equal(str_find(STR("abc"), ':'), -1);
	assert_int_equal(str_find(none, ':'), -1);
}

static void test_split(void **state)
{
	struct str rest = STR("a,,b");

	assert_str(str_split(&rest, ','), "a");
	assert_str(rest, ",b");
	assert_str(str_split(&rest, ','), "");
	assert_str(str_split(&rest, ','), "b");
	assert_str(rest, "");
	assert_str(str_split(&rest, ','), "");
	rest = none;
	assert_str(str_split(&rest, ','), "");
	rest = STR("a,");
	assert_str(str_split(&rest, ','), "a");
	assert_int_equal(rest.len, 0);
}

static void test_copies(void **state)
{
	AUTO(freep) char *copy = str_dup(str_n("abcd", 3));
	AUTO(freep) char *empty = str_dup(none);
	char to[4];

	assert_string_equal(copy, "abc");
	assert_string_equal(empty, "");
	assert_true(str_copy(to, sizeof(to), STR("abc")));
	assert_string_equal(to, "abc");
	assert_false(str_copy(to, sizeof(to), STR("abcd")));
	assert_string_equal(to, "");
	assert_false(str_copy(to, sizeof(to), STR("a\0b")));
	assert_true(str_copy(to, sizeof(to), none));
	assert_string_equal(to, "");
}

static void test_numbers(void **state)
{
	static const char *const bad[] = {"",
					  " 1",
					  "1 ",
					  "+1",
					  "-1",
					  "0x1",
					  "1.0",
					  "1e3",
					  "18446744073709551616",
					  "99999999999999999999"};
	uint64_t n = 7;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(str_to_u64(str_of(bad[i]), UINT64_MAX, &n));
	assert_int_equal(n, 7); /* written only on success */
	assert_true(str_to_u64(STR("18446744073709551615"), UINT64_MAX, &n));
	assert_true(n == UINT64_MAX);
	assert_true(str_to_u64(STR("65535"), 65535, &n));
	assert_int_equal(n, 65535);
	assert_false(str_to_u64(STR("65536"), 65535, &n));
	assert_true(str_to_u64(STR("0"), 0, &n));
	assert_true(str_to_u64(STR("007"), 9, &n));
	assert_int_equal(n, 7);
}

static void test_hex_digits(void **state)
{
	static const char lower[] = "0123456789abcdef", upper[] = "0123456789ABCDEF";

	(void)state;
	for (int i = 0; i < 16; i++) {
		assert_int_equal(str_hex_digit(lower[i]), i);
		assert_int_equal(str_hex_digit(upper[i]), i);
	}
	for (const char *c = "/:@G`g \xe1"; *c; c++)
		assert_int_equal(str_hex_digit(*c), -1);
	assert_int_equal(str_hex_digit(0), -1);
}

static void test_distance(void **state)
{
	char long_name[100];

	memset(long_name, 'a', sizeof(long_name));
	assert_int_equal(str_distance(STR("listen"), STR("LISTEN")), 0);
	assert_int_equal(str_distance(STR("listen"), STR("lisen")), 1);
	assert_int_equal(str_distance(STR("listen"), STR("litsen")), 2);
	assert_int_equal(str_distance(STR("kitten"), STR("sitting")), 3);
	assert_int_equal(str_distance(none, STR("abc")), 3);
	assert_int_equal(str_distance(STR("abc"), none), 3);
	assert_int_equal(str_distance(str_n(long_name, 64), none), 64);
	assert_int_equal(str_distance(str_n(long_name, 65), STR("a")), 64);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_compare),	      cmocka_unit_test(test_ends),
		cmocka_unit_test(test_trim_and_find), cmocka_unit_test(test_split),
		cmocka_unit_test(test_copies),	      cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_hex_digits),    cmocka_unit_test(test_distance),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
