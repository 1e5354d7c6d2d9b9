#include "test.h"

#include <stdlib.h>
#include <string.h>

#include "base/htable.h"

struct item {
	struct htable_node node;
	int key;
	bool in, seen;
};

static struct item *find(const struct htable *t, int key)
{
	uint64_t hash = htable_hash(&key, sizeof(key), t->seed);

	for (struct htable_node *n = htable_find(t, hash); n; n = htable_find_next(n))
		if (container_of(n, struct item, node)->key == key)
			return container_of(n, struct item, node);
	return NULL;
}

static void test_random_use(void **state)
{
	enum { N = 2000 };
	static struct item items[N];
	struct htable t;
	size_t count = 0, visited = 0;
	unsigned seed = 1;

	htable_init(&t);
	assert_null(find(&t, 1));
	assert_null(htable_next(&t, NULL));
	for (int i = 0; i < 20000; i++) {
		struct item *item = &items[rand_r(&seed) % N];

		item->key = (int)(item - items);
		assert_ptr_equal(find(&t, item->key), item->in ? item : NULL);
		if (item->in)
			htable_remove(&t, &item->node);
		else
			assert_int_equal(
				htable_add(&t, &item->node,
					   htable_hash(&item->key, sizeof(item->key), t.seed)),
				0);
		item->in = !item->in;
		count += item->in ? 1 : (size_t)-1;
		assert_int_equal(t.count, count);
	}
	for (struct htable_node *n = htable_next(&t, NULL); n; n = htable_next(&t, n)) {
		struct item *item = container_of(n, struct item, node);

		assert_true(item->in && !item->seen);
		item->seen = true;
		visited++;
	}
	assert_int_equal(visited, count);
	for (struct htable_node *n = htable_next(&t, NULL), *next; n; n = next) {
		next = htable_next(&t, n); /* step past it, then remove */
		htable_remove(&t, n);
	}
	assert_int_equal(t.count, 0);
	htable_done(&t);
	htable_done(&t);
}

static void test_same_hash(void **state)
{
	struct item a = {.key = 1}, b = {.key = 2};
	struct htable t;

	htable_init(&t);
	assert_int_equal(htable_add(&t, &a.node, 42), 0);
	assert_int_equal(htable_add(&t, &b.node, 42), 0);
	assert_non_null(htable_find_next(htable_find(&t, 42)));
	assert_null(htable_find_next(htable_find_next(htable_find(&t, 42))));
	htable_remove(&t, &a.node);
	assert_ptr_equal(htable_find(&t, 42), &b.node);
	htable_done(&t);
}

static void test_hash_depends_on_everything(void **state)
{
	static const char text[] = "0123456789abcdefghij";
	uint64_t seen[2 * sizeof(text)];
	size_t n = 0;

	for (size_t len = 0; len < sizeof(text); len++)
		for (uint64_t seed = 1; seed <= 2; seed++)
			seen[n++] = htable_hash(text, len, seed);
	assert_true(htable_hash("a\0", 2, 1) != htable_hash("a", 1, 1));
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < i; j++)
			assert_true(seen[i] != seen[j]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_use),
		cmocka_unit_test(test_same_hash),
		cmocka_unit_test(test_hash_depends_on_everything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
