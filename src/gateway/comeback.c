#include "gateway/comeback.h"

#include "base/list.h"
#include "link/hub.h"

struct comeback {
	struct loop *loop; /* borrowed */
	usec_t until;	   /* agents are expected */
	struct list waits; /* owned, oldest first: all have the same time */
	unsigned n;
	struct timer timer; /* for the oldest */
};

struct wait {
	struct list node;
	uint64_t agent;
	usec_t deadline;
	bool (*look)(void *arg, bool last);
	void *arg;
};

static void wait_free(struct comeback *comeback, struct wait *wait)
{
	list_remove(&wait->node);
	comeback->n--;
	free(wait);
}

static struct wait *oldest(struct comeback *comeback)
{
	return list_empty(&comeback->waits) ? NULL
					    : list_entry(comeback->waits.next, struct wait, node);
}

static void give_up(struct comeback *comeback, struct wait *wait)
{
	wait->look(wait->arg, true);
	wait_free(comeback, wait);
}

static void on_timer(void *arg)
{
	struct comeback *comeback = arg;
	struct wait *wait;

	while ((wait = oldest(comeback)) && wait->deadline <= loop_now(comeback->loop))
		give_up(comeback, wait);
	if (wait)
		timer_start_at(&comeback->timer, wait->deadline);
}

int comeback_new(struct loop *loop, struct comeback **ret_comeback, struct err *e)
{
	struct comeback *comeback = calloc(1, sizeof(*comeback));

	if (!comeback)
		return err_set(e, ERR_NOMEM, "visitors who wait");
	comeback->loop = loop;
	comeback->until = loop_now(loop) + COMEBACK_FOR;
	list_init(&comeback->waits);
	timer_init(&comeback->timer, loop, on_timer, comeback);
	*ret_comeback = comeback;
	return 0;
}

void comeback_free(struct comeback *comeback)
{
	struct wait *wait;

	if (!comeback)
		return;
	while ((wait = oldest(comeback)))
		give_up(comeback, wait);
	timer_stop(&comeback->timer);
	free(comeback);
}

static unsigned waiting_for(const struct comeback *comeback, uint64_t agent)
{
	const struct wait *wait;
	unsigned n = 0;

	list_for_each (wait, &comeback->waits, node)
		n += wait->agent == agent;
	return n;
}

bool comeback_wait(struct comeback *comeback, uint64_t agent, bool (*look)(void *arg, bool last),
		   void *arg)
{
	usec_t now = loop_now(comeback->loop);
	struct wait *wait;

	if (now >= comeback->until || comeback->n >= COMEBACK_MAX ||
	    waiting_for(comeback, agent) >= COMEBACK_PER_MAX)
		return false;
	wait = malloc(sizeof(*wait));
	if (!wait)
		return false;
	*wait = (struct wait){
		.agent = agent, .deadline = now + LINK_WAIT, .look = look, .arg = arg};
	list_push(&comeback->waits, &wait->node);
	comeback->n++;
	if (!timer_running(&comeback->timer))
		timer_start_at(&comeback->timer, wait->deadline);
	return true;
}

void comeback_look(struct comeback *comeback, uint64_t agent)
{
	struct wait *wait, *next;

	list_for_each_safe (wait, next, &comeback->waits, node)
		if (wait->agent == agent && wait->look(wait->arg, false))
			wait_free(comeback, wait);
}

unsigned comeback_waiting(const struct comeback *comeback)
{
	return comeback->n;
}
