#include "base/htable.h"

#include <assert.h>
#include <string.h>

#include "base/rand.h"

#define HTABLE_START 16

void htable_init(struct htable *t)
{
	*t = (struct htable){0};
	rand_bytes(&t->seed, sizeof(t->seed));
}

void htable_done(struct htable *t)
{
	free(t->buckets);
	*t = (struct htable){.seed = t->seed};
}

/* Multiply-fold of 64-bit words: both halves of the 128-bit product are mixed, seeded at every
 * step. */
static uint64_t fold(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

uint64_t htable_hash(const void *key, size_t len, uint64_t seed)
{
	const uint8_t *p = key;
	uint64_t h = seed ^ 0x9e3779b97f4a7c15u;
	size_t left = len;

	while (left > 0) {
		uint64_t word = 0;
		size_t n = MIN(left, sizeof(word));

		memcpy(&word, p, n);
		h = fold(h ^ word, seed | 0xa0761d6478bd6421u);
		p += n;
		left -= n;
	}
	return fold(h ^ len, 0xe7037ed1a0b428dbu ^ seed);
}

static struct htable_node *match(struct htable_node *node, uint64_t hash)
{
	while (node && node->hash != hash)
		node = node->next;
	return node;
}

struct htable_node *htable_find(const struct htable *t, uint64_t hash)
{
	if (t->n_buckets == 0)
		return NULL;
	return match(t->buckets[hash & (t->n_buckets - 1)], hash);
}

struct htable_node *htable_find_next(const struct htable_node *node)
{
	return match(node->next, node->hash);
}

static int htable_resize(struct htable *t, size_t n_buckets)
{
	struct htable_node **buckets = calloc(n_buckets, sizeof(struct htable_node *));

	if (!buckets)
		return -ERR_NOMEM;
	for (size_t i = 0; i < t->n_buckets; i++) {
		struct htable_node *node = t->buckets[i];

		while (node) {
			struct htable_node *next = node->next;
			struct htable_node **bucket = &buckets[node->hash & (n_buckets - 1)];

			node->next = *bucket;
			*bucket = node;
			node = next;
		}
	}
	free(t->buckets);
	t->buckets = buckets;
	t->n_buckets = n_buckets;
	return 0;
}

int htable_add(struct htable *t, struct htable_node *node, uint64_t hash)
{
	struct htable_node **bucket;

	if (t->count >= t->n_buckets) {
		int r = htable_resize(t, t->n_buckets ? t->n_buckets * 2 : HTABLE_START);

		if (r < 0 && t->n_buckets == 0)
			return r; /* a table that cannot grow still works, slower */
	}
	node->hash = hash;
	bucket = &t->buckets[hash & (t->n_buckets - 1)];
	node->next = *bucket;
	*bucket = node;
	t->count++;
	return 0;
}

void htable_remove(struct htable *t, struct htable_node *node)
{
	struct htable_node **at = &t->buckets[node->hash & (t->n_buckets - 1)];

	while (*at && *at != node)
		at = &(*at)->next;
	assert(*at == node);
	*at = node->next;
	node->next = NULL;
	t->count--;
}

struct htable_node *htable_next(const struct htable *t, const struct htable_node *after)
{
	size_t i = 0;

	if (after) {
		if (after->next)
			return after->next;
		i = (after->hash & (t->n_buckets - 1)) + 1;
	}
	for (; i < t->n_buckets; i++)
		if (t->buckets[i])
			return t->buckets[i];
	return NULL;
}
