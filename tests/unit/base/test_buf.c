#include "test.h"

#include "base/buf.h"

static void assert_holds(const struct buf *b, const char *text)
{
	assert_true(str_eq(buf_str(b), str_of(text)));
	assert_int_equal(buf_len(b), strlen(text));
}

static void test_append_and_consume(void **state)
{
	AUTO(buf_donep) struct buf b = {0};

	buf_init(&b, 0);
	assert_holds(&b, "");
	assert_int_equal(buf_append(&b, "hello ", 6), 0);
	assert_int_equal(buf_append_str(&b, STR("world")), 0);
	assert_holds(&b, "hello world");
	buf_consume(&b, 6);
	assert_holds(&b, "world");
	buf_consume(&b, 5);
	assert_holds(&b, "");
	assert_int_equal(b.head, 0); /* starts over */
	assert_int_equal(buf_append(&b, NULL, 0), 0);
	assert_int_equal(buf_append_str(&b, (struct str){0}), 0);
	assert_holds(&b, "");
}

static void test_limit(void **state)
{
	AUTO(buf_donep) struct buf b = {0};

	buf_init(&b, 10);
	assert_int_equal(buf_append(&b, "01234567890", 11), -ERR_LIMIT);
	assert_holds(&b, ""); /* refused whole */
	assert_int_equal(buf_append(&b, "0123456789", 10), 0);
	assert_int_equal(buf_append(&b, "x", 1), -ERR_LIMIT);
	assert_null(buf_reserve(&b, 1));
	assert_non_null(buf_reserve(&b, 0));
	buf_consume(&b, 4);
	assert_int_equal(buf_append(&b, "abcd", 4), 0); /* what was consumed makes room */
	assert_holds(&b, "456789abcd");
	assert_true(b.size <= 10);
	assert_int_equal(buf_append(&b, "x", SIZE_MAX), -ERR_LIMIT);
}

static void test_reserve_and_commit(void **state)
{
	AUTO(buf_donep) struct buf b = {0};

	memcpy(buf_reserve(&b, 1000), "abc", 3);
	buf_commit(&b, 3);
	assert_holds(&b, "abc");
	assert_non_null(buf_reserve(&b, 1000));
	assert_holds(&b, "abc");
}

/* Against a plain copy of what should be in it. */
static void test_random_use(void **state)
{
	static uint8_t bytes[5000], model[20000];
	AUTO(buf_donep) struct buf b = {0};
	size_t held = 0;
	unsigned seed = 1;

	buf_init(&b, sizeof(model));
	for (int i = 0; i < 5000; i++) {
		size_t n = (size_t)rand_r(&seed) % sizeof(bytes);

		memset(bytes, i, n);
		if (rand_r(&seed) % 2) {
			bool fits = held + n <= sizeof(model);

			assert_int_equal(buf_append(&b, bytes, n), fits ? 0 : -ERR_LIMIT);
			if (fits) {
				memcpy(model + held, bytes, n);
				held += n;
			}
		} else {
			n = MIN(n, held);
			buf_consume(&b, n);
			memmove(model, model + n, held - n);
			held -= n;
		}
		assert_int_equal(buf_len(&b), held);
		if (held)
			assert_memory_equal(buf_head(&b), model, held);
	}
}

static void test_printf(void **state)
{
	AUTO(buf_donep) struct buf b = {0};
	char large[2000];

	assert_int_equal(buf_printf(&b, "%d-%s", 7, "x"), 0);
	assert_holds(&b, "7-x");
	memset(large, 'y', sizeof(large) - 1);
	large[sizeof(large) - 1] = '\0';
	buf_consume(&b, 3);
	assert_int_equal(buf_printf(&b, "%s", large), 0);
	assert_holds(&b, large);
	b.max = 2002;
	assert_int_equal(buf_printf(&b, "%s", "1234"), -ERR_LIMIT);
	assert_holds(&b, large);
}

static void test_release(void **state)
{
	AUTO(buf_donep) struct buf b = {0};

	buf_init(&b, 77);
	assert_int_equal(buf_append(&b, "x", 1), 0);
	buf_release_if_empty(&b);
	assert_holds(&b, "x");
	buf_consume(&b, 1);
	buf_release_if_empty(&b);
	assert_null(b.bytes);
	assert_null(buf_head(&b));
	assert_int_equal(b.max, 77);
	assert_int_equal(buf_append(&b, "again", 5), 0);
	buf_done(&b);
	buf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_append_and_consume),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_reserve_and_commit),
		cmocka_unit_test(test_random_use),
		cmocka_unit_test(test_printf),
		cmocka_unit_test(test_release),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
