/*
 * A hash table of nodes that live inside the caller's objects. It allocates only its bucket array;
 * the hash is seeded per table, so a stranger who picks keys cannot pick collisions. One key, one
 * node: the caller looks before it adds.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct htable_node {
	struct htable_node *next; /* borrowed: same bucket */
	uint64_t hash;
};

struct htable {
	struct htable_node **buckets; /* owned */
	size_t n_buckets;	      /* a power of two, or 0 */
	size_t count;
	uint64_t seed;
};

void htable_init(struct htable *t);
void htable_done(struct htable *t); /* the nodes are the caller's to free first */

uint64_t htable_hash(const void *key, size_t len, uint64_t seed);

/* First node with that hash, then the next one of it; the caller compares the key. NULL: no more.
 */
struct htable_node *htable_find(const struct htable *t, uint64_t hash);
struct htable_node *htable_find_next(const struct htable_node *node);

/* -ERR_NOMEM only when the very first buckets cannot be had. */
int htable_add(struct htable *t, struct htable_node *node, uint64_t hash) MUST_CHECK;
void htable_remove(struct htable *t, struct htable_node *node);

/* Visit all nodes: start with NULL. Removing the visited node is allowed only after stepping past
 * it. */
struct htable_node *htable_next(const struct htable *t, const struct htable_node *after);
