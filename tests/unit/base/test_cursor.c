#include "test.h"

#include "base/cursor.h"

static const uint8_t bytes[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};

static void test_numbers(void **state)
{
	struct cursor c = cursor_over(bytes, sizeof(bytes));

	assert_int_equal(cursor_u8(&c), 0x01);
	assert_int_equal(cursor_u16(&c), 0x0203);
	assert_int_equal(cursor_u24(&c), 0x040506);
	assert_int_equal(cursor_u32(&c), 0x0708090a);
	assert_int_equal(cursor_left(&c), 1);
	assert_true(cursor_ok(&c));
	assert_int_equal(cursor_u8(&c), 11);
	assert_true(cursor_ok(&c)); /* the end alone is no overrun */
	assert_int_equal(cursor_u8(&c), 0);
	assert_false(cursor_ok(&c));
}

static void test_overrun_sticks(void **state)
{
	struct cursor c = cursor_over(bytes, 3);

	assert_int_equal(cursor_u32(&c), 0);
	assert_false(cursor_ok(&c));
	assert_int_equal(cursor_left(&c), 0);
	assert_int_equal(cursor_u8(&c), 0);
	assert_null(cursor_take(&c, 0));
	assert_false(cursor_ok(&c));
}

static void test_high_bits(void **state)
{
	static const uint8_t high[] = {0xff, 0xff, 0xff, 0xff};
	struct cursor c = cursor_over(high, 4);

	assert_true(cursor_u32(&c) == UINT32_MAX);
}

static void test_sub(void **state)
{
	struct cursor c = cursor_over(bytes, 4);
	struct cursor sub = cursor_sub(&c, 3);

	assert_int_equal(cursor_u16(&sub), 0x0102);
	assert_int_equal(cursor_u16(&sub), 0); /* ends where it ends, not where c does */
	assert_false(cursor_ok(&sub));
	assert_true(cursor_ok(&c));
	assert_int_equal(cursor_u8(&c), 4);
	sub = cursor_sub(&c, 1);
	assert_false(cursor_ok(&sub));
	assert_false(cursor_ok(&c));
	assert_int_equal(cursor_left(&sub), 0);
}

static void test_nothing(void **state)
{
	struct cursor c = cursor_over(NULL, 0);
	struct cursor sub = cursor_sub(&c, 0);

	assert_true(cursor_ok(&c));
	assert_true(cursor_ok(&sub));
	assert_int_equal(cursor_left(&sub), 0);
	assert_null(cursor_take(&c, 1));
	assert_false(cursor_ok(&c));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),	  cmocka_unit_test(test_overrun_sticks),
		cmocka_unit_test(test_high_bits), cmocka_unit_test(test_sub),
		cmocka_unit_test(test_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
