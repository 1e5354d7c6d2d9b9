#include "gateway/registry.h"

#include <pthread.h>
#include <stdio.h>

#include "base/htable.h"
#include "base/list.h"

struct agent {
	struct htable_node by_id, by_key, by_name; /* by_name: while not revoked */
	struct list node;			   /* in agents */
	struct list names;			   /* of struct name, owned */
	struct registry_agent info;		   /* n_names and stats are filled in for copies */
	size_t n_names;
	struct registry_stats stats; /* atomic */
};

struct name {
	struct htable_node node; /* in names */
	struct list mates;	 /* in the agent's list */
	struct agent *agent;	 /* borrowed */
	char text[HOSTNAME_MAX];
};

struct registry {
	char domain[HOSTNAME_MAX];
	pthread_rwlock_t lock; /* guards all below, stats excepted */
	struct list agents;    /* owned, in the order in which they came */
	size_t n_agents, n_online;
	struct htable by_id, by_key, by_name, names;
};

/* ── tables; all under the lock ── */

static uint64_t hash_text(const struct htable *t, const char *text)
{
	return htable_hash(text, strlen(text), t->seed);
}

static struct agent *find_id(const struct registry *reg, uint64_t id)
{
	struct htable_node *node =
		htable_find(&reg->by_id, htable_hash(&id, sizeof(id), reg->by_id.seed));

	for (; node; node = htable_find_next(node)) {
		struct agent *agent = container_of(node, struct agent, by_id);

		if (agent->info.id == id)
			return agent;
	}
	return NULL;
}

static struct agent *find_key(const struct registry *reg, const struct tls_key_hash *key)
{
	struct htable_node *node =
		htable_find(&reg->by_key, htable_hash(key, sizeof(*key), reg->by_key.seed));

	for (; node; node = htable_find_next(node)) {
		struct agent *agent = container_of(node, struct agent, by_key);

		if (memcmp(&agent->info.key, key, sizeof(*key)) == 0)
			return agent;
	}
	return NULL;
}

static struct agent *find_name(const struct registry *reg, const char *name)
{
	struct htable_node *node = htable_find(&reg->by_name, hash_text(&reg->by_name, name));

	for (; node; node = htable_find_next(node)) {
		struct agent *agent = container_of(node, struct agent, by_name);

		if (strcmp(agent->info.name, name) == 0)
			return agent;
	}
	return NULL;
}

static struct name *find_given(const struct registry *reg, const char *text)
{
	struct htable_node *node = htable_find(&reg->names, hash_text(&reg->names, text));

	for (; node; node = htable_find_next(node)) {
		struct name *name = container_of(node, struct name, node);

		if (strcmp(name->text, text) == 0)
			return name;
	}
	return NULL;
}

static int link_agent(struct registry *reg, struct agent *agent)
{
	struct registry_agent *info = &agent->info;

	if (htable_add(&reg->by_id, &agent->by_id,
		       htable_hash(&info->id, sizeof(info->id), reg->by_id.seed)) < 0)
		return -ERR_NOMEM;
	if (htable_add(&reg->by_key, &agent->by_key,
		       htable_hash(&info->key, sizeof(info->key), reg->by_key.seed)) < 0)
		goto fail_key;
	if (!info->revoked &&
	    htable_add(&reg->by_name, &agent->by_name, hash_text(&reg->by_name, info->name)) < 0)
		goto fail_name;
	list_push(&reg->agents, &agent->node);
	reg->n_agents++;
	return 0;
fail_name:
	htable_remove(&reg->by_key, &agent->by_key);
fail_key:
	htable_remove(&reg->by_id, &agent->by_id);
	return -ERR_NOMEM;
}

static int add_agent(struct registry *reg, const struct store_agent *from, struct agent **ret)
{
	struct agent *agent = calloc(1, sizeof(*agent));

	if (!agent)
		return -ERR_NOMEM;
	list_init(&agent->names);
	agent->info = (struct registry_agent){
		.id = from->id,
		.key = from->key,
		.created_wall = from->created_wall,
		.revoked = from->revoked,
		.since_wall = from->last_seen_wall,
	};
	strcpy(agent->info.name, from->name);
	if (link_agent(reg, agent) < 0) {
		free(agent);
		return -ERR_NOMEM;
	}
	*ret = agent;
	return 0;
}

static void drop_name(struct registry *reg, struct name *name)
{
	htable_remove(&reg->names, &name->node);
	list_remove(&name->mates);
	name->agent->n_names--;
	free(name);
}

static int give_name(struct registry *reg, struct agent *agent, const char *text)
{
	struct name *name = find_given(reg, text);

	if (name && name->agent == agent)
		return 0;
	if (name) /* the store says otherwise, and the store is right */
		drop_name(reg, name);
	name = calloc(1, sizeof(*name));
	if (!name)
		return -ERR_NOMEM;
	name->agent = agent;
	strcpy(name->text, text);
	if (htable_add(&reg->names, &name->node, hash_text(&reg->names, text)) < 0) {
		free(name);
		return -ERR_NOMEM;
	}
	list_push(&agent->names, &name->mates);
	agent->n_names++;
	return 0;
}

static void drop_names(struct registry *reg, struct agent *agent)
{
	struct name *name, *tmp;

	list_for_each_safe (name, tmp, &agent->names, mates)
		drop_name(reg, name);
}

static void set_online(struct registry *reg, struct agent *agent, bool online)
{
	if (agent->info.online == online)
		return;
	agent->info.online = online;
	reg->n_online += online ? 1 : (size_t)-1;
}

static void copy_agent(struct registry_agent *to, struct agent *agent)
{
	*to = agent->info;
	to->n_names = agent->n_names;
	to->stats.visitors = __atomic_load_n(&agent->stats.visitors, __ATOMIC_RELAXED);
	to->stats.visitors_total = __atomic_load_n(&agent->stats.visitors_total, __ATOMIC_RELAXED);
	to->stats.refused = __atomic_load_n(&agent->stats.refused, __ATOMIC_RELAXED);
	to->stats.refused_full = __atomic_load_n(&agent->stats.refused_full, __ATOMIC_RELAXED);
	to->stats.refused_fast = __atomic_load_n(&agent->stats.refused_fast, __ATOMIC_RELAXED);
}

/* ── the whole ── */

int registry_new(const char *domain, struct registry **ret_registry, struct err *e)
{
	struct registry *reg = calloc(1, sizeof(*reg));

	if (!reg)
		return err_set(e, ERR_NOMEM, "registry");
	if (!hostname_copy(reg->domain, str_of(domain))) {
		free(reg);
		return err_set(e, ERR_INVALID, "\"%s\" is not a domain", domain);
	}
	pthread_rwlock_init(&reg->lock, NULL);
	list_init(&reg->agents);
	htable_init(&reg->by_id);
	htable_init(&reg->by_key);
	htable_init(&reg->by_name);
	htable_init(&reg->names);
	*ret_registry = reg;
	return 0;
}

void registry_free(struct registry *reg)
{
	struct agent *agent, *tmp;

	if (!reg)
		return;
	list_for_each_safe (agent, tmp, &reg->agents, node) {
		drop_names(reg, agent);
		free(agent);
	}
	htable_done(&reg->by_id);
	htable_done(&reg->by_key);
	htable_done(&reg->by_name);
	htable_done(&reg->names);
	pthread_rwlock_destroy(&reg->lock);
	free(reg);
}

static int load(struct registry *reg, const struct store_image *image)
{
	struct agent *agent;
	int r = 0;

	for (size_t i = 0; i < image->n_agents && r == 0; i++)
		r = add_agent(reg, &image->agents[i], &agent);
	for (size_t i = 0; i < image->n_names && r == 0; i++) {
		agent = find_id(reg, image->names[i].agent);
		if (agent)
			r = give_name(reg, agent, image->names[i].name);
	}
	return r;
}

int registry_load(struct registry *reg, const struct store_image *image, struct err *e)
{
	int r;

	pthread_rwlock_wrlock(&reg->lock);
	r = load(reg, image);
	pthread_rwlock_unlock(&reg->lock);
	return r < 0 ? err_set(e, ERR_NOMEM, "registry") : 0;
}

int registry_redeemed(struct registry *reg, const struct store_agent *from,
		      const struct store_name *names, size_t n_names, struct err *e)
{
	struct agent *agent;
	int r = 0;

	pthread_rwlock_wrlock(&reg->lock);
	agent = find_id(reg, from->id);
	if (!agent)
		r = add_agent(reg, from, &agent);
	/* A revocation may have come between the store's answer and now: it stays. */
	for (size_t i = 0; i < n_names && r == 0 && !agent->info.revoked; i++)
		r = give_name(reg, agent, names[i].name);
	pthread_rwlock_unlock(&reg->lock);
	return r < 0 ? err_set(e, ERR_NOMEM, "registry") : 0;
}

void registry_revoke(struct registry *reg, uint64_t id)
{
	struct agent *agent;

	pthread_rwlock_wrlock(&reg->lock);
	agent = find_id(reg, id);
	if (agent && !agent->info.revoked) {
		agent->info.revoked = true;
		htable_remove(&reg->by_name, &agent->by_name);
		drop_names(reg, agent);
	}
	pthread_rwlock_unlock(&reg->lock);
}

/* ── look-ups ── */

int registry_find_key(struct registry *reg, const struct tls_key_hash *key,
		      struct registry_agent *ret)
{
	struct agent *agent;
	int r = -ERR_NOT_FOUND;

	pthread_rwlock_rdlock(&reg->lock);
	agent = find_key(reg, key);
	if (agent)
		r = agent->info.revoked ? -ERR_DENIED : 0;
	if (agent && ret)
		copy_agent(ret, agent);
	pthread_rwlock_unlock(&reg->lock);
	return r;
}

int registry_find(struct registry *reg, uint64_t id, struct registry_agent *ret)
{
	struct agent *agent;

	pthread_rwlock_rdlock(&reg->lock);
	agent = find_id(reg, id);
	if (agent)
		copy_agent(ret, agent);
	pthread_rwlock_unlock(&reg->lock);
	return agent ? 0 : -ERR_NOT_FOUND;
}

int registry_find_name(struct registry *reg, const char *name, struct registry_agent *ret)
{
	struct agent *agent;

	pthread_rwlock_rdlock(&reg->lock);
	agent = find_name(reg, name);
	if (agent)
		copy_agent(ret, agent);
	pthread_rwlock_unlock(&reg->lock);
	return agent ? 0 : -ERR_NOT_FOUND;
}

static int compare_agents(const void *a, const void *b)
{
	const struct registry_agent *x = a, *y = b;
	int by_name = strcmp(x->name, y->name);

	if (x->revoked != y->revoked)
		return x->revoked ? 1 : -1;
	return by_name ? by_name : (x->id > y->id) - (x->id < y->id);
}

int registry_list(struct registry *reg, struct registry_agent **ret, size_t *ret_n)
{
	struct registry_agent *list;
	struct agent *agent;
	size_t n = 0;

	pthread_rwlock_rdlock(&reg->lock);
	list = calloc(reg->n_agents + 1, sizeof(*list));
	if (list)
		list_for_each (agent, &reg->agents, node)
			copy_agent(&list[n++], agent);
	pthread_rwlock_unlock(&reg->lock);
	if (!list)
		return -ERR_NOMEM;
	qsort(list, n, sizeof(*list), compare_agents);
	*ret = list;
	*ret_n = n;
	return 0;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(((const struct store_name *)a)->name, ((const struct store_name *)b)->name);
}

int registry_list_names(struct registry *reg, struct store_name **ret, size_t *ret_n)
{
	struct store_name *list;
	struct htable_node *node = NULL;
	size_t n = 0;

	pthread_rwlock_rdlock(&reg->lock);
	list = calloc(reg->names.count + 1, sizeof(*list));
	while (list && (node = htable_next(&reg->names, node))) {
		struct name *name = container_of(node, struct name, node);

		strcpy(list[n].name, name->text);
		list[n++].agent = name->agent->info.id;
	}
	pthread_rwlock_unlock(&reg->lock);
	if (!list)
		return -ERR_NOMEM;
	qsort(list, n, sizeof(*list), compare_names);
	*ret = list;
	*ret_n = n;
	return 0;
}

int registry_names_of(struct registry *reg, uint64_t id, struct store_name **ret, size_t *ret_n)
{
	struct store_name *list;
	struct agent *agent;
	struct name *name;
	size_t n = 0;

	pthread_rwlock_rdlock(&reg->lock);
	agent = find_id(reg, id);
	list = calloc((agent ? agent->n_names : 0) + 1, sizeof(*list));
	if (list && agent) {
		list_for_each (name, &agent->names, mates) {
			strcpy(list[n].name, name->text);
			list[n++].agent = id;
		}
	}
	pthread_rwlock_unlock(&reg->lock);
	if (!list)
		return -ERR_NOMEM;
	*ret = list;
	*ret_n = n;
	return 0;
}

unsigned registry_count_online(struct registry *reg)
{
	unsigned n;

	pthread_rwlock_rdlock(&reg->lock);
	n = (unsigned)reg->n_online;
	pthread_rwlock_unlock(&reg->lock);
	return n;
}

/* ── whose name ── */

/* The label before ".domain" when there is at least one more before it: "laptop" of
 * "blog.laptop.home.example.org". */
static bool agent_label(const struct registry *reg, const char *host, char ret[static HOSTNAME_MAX])
{
	struct str s = str_of(host);
	size_t domain = strlen(reg->domain), end, start;

	if (s.len <= domain + 1 || !str_ends_nocase(s, str_of(reg->domain)) ||
	    s.at[s.len - domain - 1] != '.')
		return false;
	end = s.len - domain - 1;
	for (start = end; start > 0 && s.at[start - 1] != '.';)
		start--;
	if (start == 0)
		return false; /* AGENT.domain itself must be given */
	return str_copy(ret, HOSTNAME_MAX, str_n(s.at + start, end - start));
}

/* What was given counts before what lies below. */
static struct agent *owner_of(const struct registry *reg, const char *host)
{
	struct name *name = find_given(reg, host);
	char label[HOSTNAME_MAX];

	if (name)
		return name->agent;
	return agent_label(reg, host, label) ? find_name(reg, label) : NULL;
}

static int refuse_name(const struct agent *agent, const struct agent *owner, const char *host,
		       struct err *e)
{
	if (!agent || agent->info.revoked)
		return err_set(e, ERR_DENIED, "this agent may use no names");
	if (owner)
		return err_set(e, ERR_EXISTS,
			       "the name %s belongs to another agent; choose another name, or on "
			       "the gateway see whose it is with: homeport-gateway names",
			       host);
	return err_set(e, ERR_DENIED,
		       "the name %s was not given to agent %s; on the gateway: homeport-gateway "
		       "invite %s --name %s",
		       host, agent->info.name, agent->info.name, host);
}

int registry_may_use(struct registry *reg, uint64_t id, const char *name, struct err *e)
{
	struct agent *agent, *owner;
	char host[HOSTNAME_MAX];
	int r = 0;

	if (!hostname_copy(host, str_of(name)))
		return err_set(e, ERR_INVALID, "\"%s\" is not a host name", name);
	pthread_rwlock_rdlock(&reg->lock);
	agent = find_id(reg, id);
	owner = owner_of(reg, host);
	if (!agent || agent->info.revoked || owner != agent)
		r = refuse_name(agent, owner, host, e);
	pthread_rwlock_unlock(&reg->lock);
	return r;
}

int registry_owner(struct registry *reg, const char *name, struct registry_agent *ret)
{
	struct agent *owner;
	char host[HOSTNAME_MAX];

	if (!hostname_copy(host, str_of(name)))
		return -ERR_NOT_FOUND;
	pthread_rwlock_rdlock(&reg->lock);
	owner = owner_of(reg, host);
	if (owner)
		copy_agent(ret, owner);
	pthread_rwlock_unlock(&reg->lock);
	return owner ? 0 : -ERR_NOT_FOUND;
}

/* ── how they fare ── */

void registry_set_online(struct registry *reg, uint64_t id, const struct ipaddr *observed,
			 usec_t now_wall)
{
	struct agent *agent;

	pthread_rwlock_wrlock(&reg->lock);
	agent = find_id(reg, id);
	if (agent) {
		if (!agent->info.online)
			agent->info.since_wall = now_wall;
		set_online(reg, agent, true);
		agent->info.observed = *observed;
	}
	pthread_rwlock_unlock(&reg->lock);
}

void registry_set_offline(struct registry *reg, uint64_t id, usec_t now_wall)
{
	struct agent *agent;

	pthread_rwlock_wrlock(&reg->lock);
	agent = find_id(reg, id);
	if (agent && agent->info.online) {
		set_online(reg, agent, false);
		agent->info.since_wall = now_wall;
	}
	pthread_rwlock_unlock(&reg->lock);
}

void registry_set_conflict(struct registry *reg, uint64_t id, const struct ipaddr *one,
			   const struct ipaddr *other, usec_t now_wall)
{
	struct agent *agent;

	pthread_rwlock_wrlock(&reg->lock);
	agent = find_id(reg, id);
	if (agent) {
		agent->info.conflict_wall = now_wall;
		agent->info.conflict[0] = *one;
		agent->info.conflict[1] = *other;
	}
	pthread_rwlock_unlock(&reg->lock);
}

struct registry_stats *registry_stats(struct registry *reg, uint64_t id)
{
	struct agent *agent;

	pthread_rwlock_rdlock(&reg->lock);
	agent = find_id(reg, id);
	pthread_rwlock_unlock(&reg->lock);
	return agent ? &agent->stats : NULL;
}
