#include "front/routes.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>

#include "base/htable.h"
#include "base/ipaddr.h"
#include "base/list.h"

static_assert(FRONT_NAME_MAX >= HOSTNAME_MAX, "every host name fits into a route");

struct entry {
	struct htable_node node; /* in names */
	struct list mates;	 /* in the owner's list */
	struct front_route route;
};

struct owner {
	struct htable_node node; /* in owners */
	struct list entries;	 /* of struct entry, owned */
	uint64_t id;
};

struct front_routes {
	pthread_rwlock_t lock; /* guards all below */
	struct htable names;
	struct htable owners;
};

/* The name's route that serves one of `serves`, else any of its routes: all are one owner's. */
static struct entry *find_name(const struct front_routes *routes, const char *name, unsigned serves)
{
	uint64_t hash = htable_hash(name, strlen(name), routes->names.seed);
	struct htable_node *node = htable_find(&routes->names, hash);
	struct entry *other = NULL;

	for (; node; node = htable_find_next(node)) {
		struct entry *entry = container_of(node, struct entry, node);

		if (strcmp(entry->route.name, name) != 0)
			continue;
		if (entry->route.serves & serves)
			return entry;
		other = entry;
	}
	return other;
}

static struct owner *find_owner(const struct front_routes *routes, uint64_t id)
{
	uint64_t hash = htable_hash(&id, sizeof(id), routes->owners.seed);
	struct htable_node *node = htable_find(&routes->owners, hash);

	for (; node; node = htable_find_next(node)) {
		struct owner *owner = container_of(node, struct owner, node);

		if (owner->id == id)
			return owner;
	}
	return NULL;
}

/* Adding to a table can fail only while it has no buckets at all: get them now, so that a
 * replacement, once begun, cannot fail half-way. */
static int reserve_buckets(struct htable *t)
{
	struct htable_node node;
	int r = htable_add(t, &node, 0);

	if (r == 0)
		htable_remove(t, &node);
	return r;
}

int front_routes_new(struct front_routes **ret_routes, struct err *e)
{
	struct front_routes *routes = calloc(1, sizeof(*routes));

	if (!routes)
		return err_set(e, ERR_NOMEM, "routing table");
	pthread_rwlock_init(&routes->lock, NULL);
	htable_init(&routes->names);
	htable_init(&routes->owners);
	if (reserve_buckets(&routes->names) < 0 || reserve_buckets(&routes->owners) < 0) {
		front_routes_free(routes);
		return err_set(e, ERR_NOMEM, "routing table");
	}
	*ret_routes = routes;
	return 0;
}

static void free_entries(struct list *entries)
{
	struct entry *entry, *tmp;

	list_for_each_safe (entry, tmp, entries, mates) {
		list_remove(&entry->mates);
		free(entry);
	}
}

static void owner_free(struct owner *owner)
{
	if (!owner)
		return;
	free_entries(&owner->entries);
	free(owner);
}

static void owner_freep(struct owner **owner)
{
	owner_free(*owner);
}

void front_routes_free(struct front_routes *routes)
{
	struct htable_node *node;

	if (!routes)
		return;
	while ((node = htable_next(&routes->owners, NULL))) {
		htable_remove(&routes->owners, node);
		owner_free(container_of(node, struct owner, node));
	}
	htable_done(&routes->owners);
	htable_done(&routes->names); /* its nodes went with their owners */
	pthread_rwlock_destroy(&routes->lock);
	free(routes);
}

/* A name as the table keeps it: lower case, no trailing dot, with its "*." if it had one. */
static bool normalize(char to[static FRONT_NAME_MAX], struct str name)
{
	char host[HOSTNAME_MAX];
	bool wild = str_starts(name, STR("*."));

	if (wild)
		name = str_n(name.at + 2, name.len - 2);
	if (!hostname_copy(host, name))
		return false;
	return (size_t)snprintf(to, FRONT_NAME_MAX, "%s%s", wild ? "*." : "", host) <
	       FRONT_NAME_MAX;
}

/* The owner with all his new routes, in no table yet. */
static int build_owner(uint64_t id, const struct front_route *list, size_t n,
		       struct owner **ret_owner, size_t *ret_conflict, struct err *e)
{
	AUTO(owner_freep) struct owner *owner = calloc(1, sizeof(*owner));

	if (!owner)
		return err_set(e, ERR_NOMEM, "routes");
	list_init(&owner->entries);
	owner->id = id;
	for (size_t i = 0; i < n; i++) {
		struct entry *entry = calloc(1, sizeof(*entry));

		if (!entry)
			return err_set(e, ERR_NOMEM, "routes");
		entry->route = list[i];
		entry->route.owner = id;
		list_push(&owner->entries, &entry->mates);
		if (normalize(entry->route.name, str_of(list[i].name)))
			continue;
		if (ret_conflict)
			*ret_conflict = i;
		return err_set(e, ERR_INVALID, "service %s: not a host name", list[i].service);
	}
	*ret_owner = TAKE(owner);
	return 0;
}

/* Under the write lock. */
static void unlink_owner(struct front_routes *routes, struct owner *owner)
{
	struct entry *entry;

	list_for_each (entry, &owner->entries, mates)
		htable_remove(&routes->names, &entry->node);
	htable_remove(&routes->owners, &owner->node);
}

/* Under the write lock. Yields the number of the first route that cannot be linked (its name is
 * taken), or n; what comes before it is linked. */
static size_t link_entries(struct front_routes *routes, struct owner *owner)
{
	struct entry *entry;
	size_t i = 0;

	list_for_each (entry, &owner->entries, mates) {
		const char *name = entry->route.name;
		const struct entry *there = find_name(routes, name, entry->route.serves);
		int r;

		if (there && (there->route.owner != entry->route.owner ||
			      there->route.serves & entry->route.serves))
			break;
		r = htable_add(&routes->names, &entry->node,
			       htable_hash(name, strlen(name), routes->names.seed));
		assert(r == 0); /* reserve_buckets */
		(void)r;
		i++;
	}
	return i;
}

static void link_owner_node(struct front_routes *routes, struct owner *owner)
{
	int r = htable_add(&routes->owners, &owner->node,
			   htable_hash(&owner->id, sizeof(owner->id), routes->owners.seed));

	assert(r == 0); /* reserve_buckets */
	(void)r;
}

static void unlink_first(struct front_routes *routes, struct owner *owner, size_t n)
{
	struct entry *entry;

	list_for_each (entry, &owner->entries, mates) {
		if (n-- == 0)
			break;
		htable_remove(&routes->names, &entry->node);
	}
}

/* Under the write lock. Swap the old routes for the new ones, or put everything back: yields the
 * number of the route in the way, or n. */
static size_t replace_owner(struct front_routes *routes, struct owner *old, struct owner *new,
			    size_t n)
{
	size_t done;

	if (old)
		unlink_owner(routes, old);
	done = link_entries(routes, new);
	if (done == n) {
		if (n)
			link_owner_node(routes, new);
		return n;
	}
	unlink_first(routes, new, done);
	if (old) {
		link_entries(routes, old);
		link_owner_node(routes, old);
	}
	return done;
}

int front_routes_set(struct front_routes *routes, uint64_t owner, const struct front_route *list,
		     size_t n, size_t *ret_conflict, struct err *e)
{
	AUTO(owner_freep) struct owner *new = NULL;
	AUTO(owner_freep) struct owner *old = NULL;
	size_t done;
	int r;

	if (n > FRONT_ROUTES_PER_OWNER_MAX)
		return err_set(e, ERR_LIMIT, "more than %d names", FRONT_ROUTES_PER_OWNER_MAX);
	r = build_owner(owner, list, n, &new, ret_conflict, e);
	if (r < 0)
		return r;
	pthread_rwlock_wrlock(&routes->lock);
	old = find_owner(routes, owner);
	done = replace_owner(routes, old, new, n);
	if (done == n && n)
		new = NULL; /* the table has it now */
	else if (done < n)
		old = NULL; /* the table has it again */
	pthread_rwlock_unlock(&routes->lock);
	if (done == n)
		return 0;
	if (ret_conflict)
		*ret_conflict = done;
	return err_set(e, ERR_EXISTS, "service %s: the name %s is taken", list[done].service,
		       list[done].name);
}

void front_routes_set_online(struct front_routes *routes, uint64_t owner, bool online,
			     uint64_t now_wall)
{
	struct owner *o;
	struct entry *entry;

	pthread_rwlock_wrlock(&routes->lock);
	o = find_owner(routes, owner);
	if (o) {
		list_for_each (entry, &o->entries, mates) {
			if (!online && entry->route.online)
				entry->route.offline_since_wall = now_wall;
			entry->route.online = online;
		}
	}
	pthread_rwlock_unlock(&routes->lock);
}

/* Under the read lock: name itself, then "*." in place of its first label, of its first two, ... */
static struct entry *lookup(const struct front_routes *routes, const char *name, unsigned serves)
{
	struct entry *entry = find_name(routes, name, serves);
	const char *dot = name;
	char wild[FRONT_NAME_MAX];

	while (!entry && (dot = strchr(dot, '.'))) {
		snprintf(wild, sizeof(wild), "*%s", dot);
		entry = find_name(routes, wild, serves);
		dot++;
	}
	return entry;
}

int front_routes_find(struct front_routes *routes, struct str host, unsigned serves,
		      struct front_route *ret)
{
	char name[HOSTNAME_MAX];
	struct entry *entry;

	if (!hostname_copy(name, host))
		return -ERR_NOT_FOUND;
	pthread_rwlock_rdlock(&routes->lock);
	entry = lookup(routes, name, serves);
	if (entry)
		*ret = entry->route;
	pthread_rwlock_unlock(&routes->lock);
	return entry ? 0 : -ERR_NOT_FOUND;
}

size_t front_routes_count(struct front_routes *routes)
{
	size_t count;

	pthread_rwlock_rdlock(&routes->lock);
	count = routes->names.count;
	pthread_rwlock_unlock(&routes->lock);
	return count;
}
