#include "front/sources.h"

#include <assert.h>
#include <pthread.h>

#include "base/htable.h"
#include "base/list.h"

#define FORGET_PER_ENTER 2 /* more than one, so that the table shrinks while it is used */

struct source {
	struct htable_node node;
	struct list idle; /* among the idle ones when it has no connections */
	struct ipaddr addr;
	unsigned conns, reading;
	/*
	 * The allowance for new connections, as the time at which it is full again: each connection
	 * moves it on by 1 s / rate, and it may be FRONT_SOURCES_BURST ahead of now at most. (The
	 * virtual scheduling form of a leaky bucket, ITU-T I.371 annex A: one number, no timer.)
	 */
	usec_t full_at;
};

/* Of connections, or of flows: who sends datagrams may say that he is anybody, so what he takes is
 * on no account that counts for connections. */
struct table {
	struct htable sources;
	struct list idle; /* longest idle first */
};

struct front_sources {
	struct front_limits limits;
	usec_t interval; /* between new connections of one source */

	pthread_mutex_t lock; /* guards all below; held for a look-up and a few additions */
	struct table conns, flows;
	unsigned reading; /* of all sources */
};

static void table_init(struct table *t)
{
	htable_init(&t->sources);
	list_init(&t->idle);
}

static void table_done(struct table *t)
{
	struct htable_node *node;

	while ((node = htable_next(&t->sources, NULL))) {
		htable_remove(&t->sources, node);
		free(container_of(node, struct source, node));
	}
	htable_done(&t->sources);
}

int front_sources_new(const struct front_limits *limits, struct front_sources **ret_sources,
		      struct err *e)
{
	struct front_sources *s = calloc(1, sizeof(*s));

	if (!s)
		return err_set(e, ERR_NOMEM, "table of sources");
	s->limits = limits ? *limits : FRONT_LIMITS_DEFAULT;
	assert(s->limits.new_per_source_s > 0 && s->limits.sources_max > 0);
	s->interval = USEC_PER_S / s->limits.new_per_source_s;
	pthread_mutex_init(&s->lock, NULL);
	table_init(&s->conns);
	table_init(&s->flows);
	*ret_sources = s;
	return 0;
}

void front_sources_free(struct front_sources *s)
{
	if (!s)
		return;
	table_done(&s->conns);
	table_done(&s->flows);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

static struct source *find(struct table *t, const struct ipaddr *addr)
{
	struct htable_node *node = htable_find(&t->sources, ipaddr_hash(addr, t->sources.seed));

	for (; node; node = htable_find_next(node)) {
		struct source *source = container_of(node, struct source, node);

		if (ipaddr_equal(&source->addr, addr))
			return source;
	}
	return NULL;
}

static void forget(struct table *t, struct source *source)
{
	list_remove(&source->idle);
	htable_remove(&t->sources, &source->node);
	free(source);
}

static struct source *longest_idle(struct table *t)
{
	return list_empty(&t->idle) ? NULL : list_entry(t->idle.next, struct source, idle);
}

/* Make room: those whose allowance is full carry no information. */
static void forget_old(struct table *t, size_t max, usec_t now)
{
	struct source *source;

	for (int i = 0; i < FORGET_PER_ENTER; i++) {
		source = longest_idle(t);
		if (!source || source->full_at > now)
			break;
		forget(t, source);
	}
	source = longest_idle(t);
	if (source && t->sources.count >= max)
		forget(t, source);
}

/* A source without connections that is new in the table: it stands among the idle ones. */
static struct source *add(struct table *t, size_t max, const struct ipaddr *addr)
{
	struct source *source;

	if (t->sources.count >= max)
		return NULL;
	source = calloc(1, sizeof(*source));
	if (!source)
		return NULL;
	source->addr = *addr;
	list_init(&source->idle);
	if (htable_add(&t->sources, &source->node, ipaddr_hash(addr, t->sources.seed)) < 0) {
		free(source);
		return NULL;
	}
	list_push(&t->idle, &source->idle);
	return source;
}

static bool may_enter(const struct front_sources *s, const struct source *source, usec_t now)
{
	return source->reading < s->limits.reading_per_source_max &&
	       source->conns < s->limits.conns_per_source_max &&
	       (source->full_at <= now || source->full_at - now <= FRONT_SOURCES_BURST);
}

/* One more connection or flow of that source. NULL: a limit says no. */
static struct source *admit(struct front_sources *s, struct table *t, const struct ipaddr *addr,
			    usec_t now)
{
	struct source *source = find(t, addr);

	if (!source) {
		forget_old(t, s->limits.sources_max, now);
		source = add(t, s->limits.sources_max, addr);
	}
	if (!source || !may_enter(s, source, now))
		return NULL;
	list_remove(&source->idle);
	source->full_at = MAX(source->full_at, now) + s->interval;
	source->conns++;
	return source;
}

static bool enter(struct front_sources *s, const struct ipaddr *addr, usec_t now)
{
	struct source *source;

	if (s->reading >= s->limits.reading_max)
		return false;
	source = admit(s, &s->conns, addr, now);
	if (!source)
		return false;
	source->reading++;
	s->reading++;
	return true;
}

static void leave(struct front_sources *s, struct table *t, const struct ipaddr *peer)
{
	struct ipaddr addr = ipaddr_source(peer);
	struct source *source;

	pthread_mutex_lock(&s->lock);
	source = find(t, &addr);
	assert(source && source->conns > source->reading);
	if (--source->conns == 0)
		list_push(&t->idle, &source->idle);
	pthread_mutex_unlock(&s->lock);
}

bool front_sources_enter(struct front_sources *s, const struct ipaddr *peer, usec_t now)
{
	struct ipaddr addr = ipaddr_source(peer);
	bool entered;

	pthread_mutex_lock(&s->lock);
	entered = enter(s, &addr, now);
	pthread_mutex_unlock(&s->lock);
	return entered;
}

bool front_sources_crowded(struct front_sources *s)
{
	bool crowded;

	pthread_mutex_lock(&s->lock);
	crowded = s->reading >= s->limits.reading_max;
	pthread_mutex_unlock(&s->lock);
	return crowded;
}

bool front_sources_enter_unnamed(struct front_sources *s)
{
	bool entered;

	pthread_mutex_lock(&s->lock);
	entered = s->reading < s->limits.reading_max;
	s->reading += entered;
	pthread_mutex_unlock(&s->lock);
	return entered;
}

bool front_sources_name(struct front_sources *s, const struct ipaddr *visitor, usec_t now)
{
	struct ipaddr addr = ipaddr_source(visitor);
	bool entered;

	pthread_mutex_lock(&s->lock);
	assert(s->reading > 0);
	s->reading--;
	entered = enter(s, &addr, now);
	s->reading += !entered;
	pthread_mutex_unlock(&s->lock);
	return entered;
}

void front_sources_leave_unnamed(struct front_sources *s)
{
	pthread_mutex_lock(&s->lock);
	assert(s->reading > 0);
	s->reading--;
	pthread_mutex_unlock(&s->lock);
}

void front_sources_read(struct front_sources *s, const struct ipaddr *peer)
{
	struct ipaddr addr = ipaddr_source(peer);
	struct source *source;

	pthread_mutex_lock(&s->lock);
	source = find(&s->conns, &addr);
	assert(source && source->reading > 0);
	source->reading--;
	s->reading--;
	pthread_mutex_unlock(&s->lock);
}

void front_sources_leave(struct front_sources *s, const struct ipaddr *peer)
{
	leave(s, &s->conns, peer);
}

bool front_sources_enter_flow(struct front_sources *s, const struct ipaddr *peer, usec_t now)
{
	struct ipaddr addr = ipaddr_source(peer);
	bool entered;

	pthread_mutex_lock(&s->lock);
	entered = admit(s, &s->flows, &addr, now) != NULL;
	pthread_mutex_unlock(&s->lock);
	return entered;
}

void front_sources_leave_flow(struct front_sources *s, const struct ipaddr *peer)
{
	leave(s, &s->flows, peer);
}

unsigned front_sources_count(struct front_sources *s)
{
	unsigned count;

	pthread_mutex_lock(&s->lock);
	count = (unsigned)(s->conns.sources.count + s->flows.sources.count);
	pthread_mutex_unlock(&s->lock);
	return count;
}
