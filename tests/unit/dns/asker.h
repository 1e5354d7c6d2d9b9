/* An asker who finds nothing published, in the loop's next turn. */
#pragma once

#include <stdlib.h>

#include "dns/keeper.h"

struct asker_question {
	struct defer defer;
	void (*done)(void *arg, const struct ipaddr *published);
	void *arg;
};

static inline void asker_answer(void *arg)
{
	struct asker_question *q = arg, copy = *q;

	free(q);
	copy.done(copy.arg, &(struct ipaddr){0});
}

static inline void *asker_start(void *arg, const char *host, int family,
				void (*done)(void *done_arg, const struct ipaddr *published),
				void *done_arg)
{
	struct asker_question *q = calloc(1, sizeof(*q));

	q->done = done;
	q->arg = done_arg;
	defer_init(&q->defer, arg, asker_answer, q);
	defer_call(&q->defer);
	return q;
}

static inline struct dns_asker asker_of_nothing(struct loop *loop)
{
	return (struct dns_asker){.start = asker_start, .arg = loop};
}
