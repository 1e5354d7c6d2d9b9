#include "net/backoff.h"

#include "base/cleanup.h"
#include "base/rand.h"

usec_t backoff_jitter(usec_t span)
{
	usec_t fifth = span / 5;

	return span - fifth + rand_below(2 * fifth + 1);
}

usec_t backoff_next(struct backoff *b)
{
	usec_t delay = b->next ? b->next : MIN(b->first, b->most);

	b->next = delay > b->most / 2 ? b->most : delay * 2;
	return backoff_jitter(delay);
}

void backoff_reset(struct backoff *b)
{
	b->next = 0;
}
