#include "link/liveness.h"

#include "base/log.h"

const char *liveness_state_name(enum liveness_state state)
{
	static const char *const names[] = {
#define X(name) [LIVENESS_STATE_##name] = #name,
		LIVENESS_STATES(X)
#undef X
	};

	return names[state];
}

/* The one place where the state changes; sets the deadline that belongs to it. */
static void set_state(struct liveness *l, enum liveness_state to, const char *why)
{
	if (l->state != to)
		log_debug("link liveness: %s -> %s (%s)", liveness_state_name(l->state),
			  liveness_state_name(to), why);
	l->state = to;
	switch (to) {
	case LIVENESS_STATE_STOPPED:
		timer_stop(&l->timer);
		return;
	case LIVENESS_STATE_QUIET:
		timer_start_at(&l->timer, l->last_sign + LIVENESS_QUIET);
		return;
	case LIVENESS_STATE_ASKED:
		timer_start_at(&l->timer, l->last_sign + LIVENESS_DEAD);
		return;
	case LIVENESS_STATE_URGENT:
		timer_start_at(&l->timer, l->asked_at + LIVENESS_URGENT);
		return;
	}
}

static void ask(struct liveness *l)
{
	l->asked_at = loop_now(l->loop);
	l->asked_signs = l->signs;
	bool pending;

	l->acked = l->handler->acked(l->arg, &pending);
	l->handler->ping(l->arg);
}

/*
 * Did anything move since the question? Acknowledged bytes are a sign only while more of ours wait:
 * when all of it is with the other side's kernel, the PING too, its process has to answer, and a
 * frozen one does not.
 */
static bool answered(struct liveness *l)
{
	bool pending = false;
	uint64_t acked;

	if (l->signs != l->asked_signs) {
		l->drained = false;
		return true;
	}
	acked = l->handler->acked(l->arg, &pending);
	if (acked == l->acked)
		return false;
	l->acked = acked;
	if (!pending)
		return false;
	l->last_sign = loop_now(l->loop);
	return true;
}

/* The last bytes of a long queue may have arrived only now: once, the answer gets its time. */
static bool answer_may_come(struct liveness *l, uint64_t acked_before)
{
	if (l->drained || l->acked == acked_before)
		return false;
	l->drained = true;
	timer_start(&l->timer, LIVENESS_QUIET);
	return true;
}

static void on_timer(void *arg)
{
	struct liveness *l = arg;
	usec_t now = loop_now(l->loop);
	uint64_t acked = l->acked;

	switch (l->state) {
	case LIVENESS_STATE_STOPPED:
		return;
	case LIVENESS_STATE_QUIET:
		if (now < l->last_sign + LIVENESS_QUIET) {
			set_state(l, LIVENESS_STATE_QUIET, "bytes came");
			return;
		}
		ask(l);
		/* The process itself may have slept: the other side gets its time from now on. */
		l->last_sign = MAX(l->last_sign, now - LIVENESS_QUIET);
		set_state(l, LIVENESS_STATE_ASKED, "silence");
		return;
	case LIVENESS_STATE_ASKED:
		if (answered(l)) {
			set_state(l, LIVENESS_STATE_QUIET, "answered");
			return;
		}
		if (answer_may_come(l, acked))
			return;
		set_state(l, LIVENESS_STATE_STOPPED, "no answer");
		l->handler->on_dead(l->arg);
		return;
	case LIVENESS_STATE_URGENT:
		if (answered(l) ||
		    l->acked != acked) { /* the way is open, which was the question */
			set_state(l, LIVENESS_STATE_QUIET, "answered");
			return;
		}
		if (!l->again)
			l->last_sign = l->asked_at;
		set_state(l, LIVENESS_STATE_ASKED, "urgent question missed");
		if (l->handler->on_missed && !l->missed) {
			l->missed = true;
			l->handler->on_missed(l->arg);
		}
		return;
	}
}

void liveness_init(struct liveness *l, struct loop *loop, const struct liveness_handler *handler,
		   void *arg)
{
	*l = (struct liveness){.loop = loop, .handler = handler, .arg = arg};
	timer_init(&l->timer, loop, on_timer, l);
}

void liveness_start(struct liveness *l)
{
	l->last_sign = loop_now(l->loop);
	set_state(l, LIVENESS_STATE_QUIET, "started");
}

void liveness_stop(struct liveness *l)
{
	if (l->state != LIVENESS_STATE_STOPPED)
		set_state(l, LIVENESS_STATE_STOPPED, "stopped");
}

bool liveness_is_doubtful(const struct liveness *l)
{
	return l->missed && l->state != LIVENESS_STATE_QUIET && l->signs == l->asked_signs;
}

void liveness_ask(struct liveness *l)
{
	uint64_t acked = l->acked;

	if (l->state == LIVENESS_STATE_STOPPED)
		return;
	/* One question is under way. If it was answered, that was before whatever happened now. */
	if (l->state == LIVENESS_STATE_URGENT && !answered(l) && l->acked == acked)
		return;
	l->missed = false;
	l->again = l->state == LIVENESS_STATE_ASKED && !answered(l);
	ask(l);
	set_state(l, LIVENESS_STATE_URGENT, "network changed");
}
