#include "agent/sharing.h"

#include "agent/control.h"
#include "agent/lend.h"
#include "base/log.h"
#include "state/lock.h"

#define LOOK_AGAIN    (300 * USEC_PER_MS)
#define LOOK_PATIENCE (5 * USEC_PER_S) /* for an agent that restarts */

#define SHARING_STATES(X)   X(LOOKING) X(LENT) X(OWN) X(YIELDING) X(ENDED)
#define SHARING_STATE(name) SHARING_##name,
enum sharing_state { SHARING_STATES(SHARING_STATE) };

struct sharing {
	struct loop *loop;	    /* borrowed */
	struct sharing_setup setup; /* its texts are borrowed */
	const struct sharing_events *events;
	void *arg;

	enum sharing_state state;
	usec_t patience;   /* until when a homeport up that was there is waited for; 0: not */
	usec_t lock_until; /* until when somebody may hold the lock and not answer; 0: not */
	struct timer again;
	struct defer stopped, yielding;
	void (*on_stopped)(void *arg);
	void *stop_arg;
	struct err why; /* of the last failure */

	struct origin *origin; /* owned; LOOKING, LENT */
	struct lend *lend;     /* owned; likewise */

	int lock;		 /* owned; OWN, YIELDING; else -1 */
	struct agent *agent;	 /* owned; likewise */
	struct control *control; /* owned; likewise */
};

static void look(struct sharing *sh);
static void be_the_agent(struct sharing *sh);

static void set_state(struct sharing *sh, enum sharing_state state)
{
#define SHARING_NAME(name) [SHARING_##name] = #name,
	static const char *const names[] = {SHARING_STATES(SHARING_NAME)};

	log_debug("share: %s -> %s (%s)", names[sh->state], names[state], sh->why.text);
	sh->state = state;
}

/* ── taking down ── */

static void drop_lend(struct sharing *sh)
{
	lend_free(TAKE(sh->lend));
	origin_free(TAKE(sh->origin));
}

static void drop_own(struct sharing *sh)
{
	control_free(TAKE(sh->control));
	agent_free(TAKE(sh->agent));
	if (sh->lock >= 0)
		close(sh->lock);
	sh->lock = -1;
}

static void give_up(struct sharing *sh, const struct err *why)
{
	sh->why = *why;
	timer_stop(&sh->again);
	set_state(sh, SHARING_ENDED);
	sh->events->on_end(sh->arg, why);
}

static void look_again(struct sharing *sh, usec_t span)
{
	timer_start(&sh->again, span);
}

static void on_again(void *arg)
{
	look(arg);
}

/* ── LOOKING, LENT ── */

static void on_request(void *arg, const struct edge_request *request)
{
	struct sharing *sh = arg;

	sh->events->on_request(sh->arg, request);
}

static void on_reach(void *arg, struct origin *origin)
{
	struct sharing *sh = arg;

	sh->events->on_reach(sh->arg, origin_reach(origin), origin_why(origin));
}

static const struct origin_events origin_events = {.on_request = on_request, .on_reach = on_reach};

static void on_lent(void *arg, const char *agent, const char *domain)
{
	struct sharing *sh = arg;

	sh->patience = sh->lock_until = 0;
	set_state(sh, SHARING_LENT);
}

/* Without a name of its own the service answers to those it was given. */
static void on_grant(void *arg, const struct link_grant *grant)
{
	struct sharing *sh = arg;
	struct wish wish = *sh->setup.wish;

	if (grant->granted && wish.n_names == 0 && wish.target.link == LINK_HTTP) {
		wish.names = grant->names;
		wish.n_names = grant->n_names;
		if (origin_update(sh->origin, &wish) < 0)
			log_error("no memory for the service's names");
	}
	sh->events->on_grant(sh->arg, grant);
}

static void on_lend_link(void *arg, const char *state, const char *text)
{
	struct sharing *sh = arg;

	sh->events->on_link(sh->arg, state, text);
}

static void wait_for_up(struct sharing *sh, const char *why)
{
	sh->patience = loop_now(sh->loop) + LOOK_PATIENCE;
	sh->events->on_link(sh->arg, "connecting", why);
}

static void on_lend_end(void *arg, int r, bool wait, const struct err *e)
{
	struct sharing *sh = arg;
	bool was_lent = sh->state == SHARING_LENT;
	struct err why = *e;

	sh->why = why;
	lend_free(TAKE(sh->lend));
	if (r != -ERR_REFUSED && r != -ERR_RESET && r != -ERR_TIMEOUT) {
		give_up(sh, &why);
		return;
	}
	if (was_lent && wait)
		wait_for_up(sh, "homeport up has ended; waiting for it");
	set_state(sh, SHARING_LOOKING);
	if (r == -ERR_REFUSED && loop_now(sh->loop) >= sh->patience)
		be_the_agent(sh);
	else
		look_again(sh, was_lent && !wait ? 0 : LOOK_AGAIN);
}

static const struct lend_events lend_events = {
	.on_lent = on_lent,
	.on_grant = on_grant,
	.on_link = on_lend_link,
	.on_end = on_lend_end,
};

static void look(struct sharing *sh)
{
	struct err e = {0};
	int r = 0;

	if (!sh->origin)
		r = origin_new(sh->loop, sh->setup.wish, &origin_events, sh, &sh->origin, &e);
	if (r == 0)
		r = lend_new(sh->loop, sh->setup.socket, sh->setup.folder, sh->setup.wish,
			     sh->origin, &lend_events, sh, &sh->lend, &e);
	if (r < 0)
		give_up(sh, &e);
}

/* ── OWN ── */

static void on_own_link(void *arg)
{
	struct sharing *sh = arg;
	struct link_dial_info info;

	agent_link(sh->agent, &info);
	sh->events->on_link(sh->arg, link_dial_state_name(info.state), info.why);
}

static void on_own_service(void *arg, const struct service *s)
{
	struct sharing *sh = arg;

	if (service_on_loan(s))
		return;
	sh->events->on_reach(sh->arg, origin_reach(s->origin), origin_why(s->origin));
	if (s->granted != GRANT_WAITING)
		sh->events->on_grant(sh->arg, &s->grant);
}

static const struct agent_events agent_events = {
	.on_link = on_own_link,
	.on_service = on_own_service,
	.on_request = on_request,
};

static void on_yielded(void *arg)
{
	struct sharing *sh = arg;

	if (sh->on_stopped) {
		sh->on_stopped(sh->stop_arg);
		return;
	}
	drop_own(sh);
	wait_for_up(sh, "homeport up takes over");
	set_state(sh, SHARING_LOOKING);
	look_again(sh, LOOK_AGAIN);
}

static void on_yielding(void *arg)
{
	struct sharing *sh = arg;

	control_leave(sh->control, "homeport up takes over", SERVICE_AFTER_WAIT);
	agent_stop(sh->agent, 0, on_yielded, sh);
}

static void yield(void *arg)
{
	struct sharing *sh = arg;

	if (sh->state != SHARING_OWN)
		return;
	set_state(sh, SHARING_YIELDING);
	defer_call(&sh->yielding);
}

static int start_agent(struct sharing *sh, struct err *e)
{
	const struct control_owner owner = {.yield = yield, .arg = sh};
	int r = state_lock(sh->setup.agent.state, &sh->lock, e);

	if (r == 0)
		r = agent_new(sh->loop, &sh->setup.agent, &agent_events, sh, &sh->agent, e);
	if (r == 0)
		r = control_new(sh->loop, sh->agent, sh->setup.socket, &owner, &sh->control, e);
	return r < 0 ? r : agent_set_wishes(sh->agent, sh->setup.wish, 1, e);
}

static void be_the_agent(struct sharing *sh)
{
	struct err e = {0};
	int r;

	drop_lend(sh);
	r = start_agent(sh, &e);
	if (r == 0) {
		sh->patience = sh->lock_until = 0;
		set_state(sh, SHARING_OWN);
		return;
	}
	drop_own(sh);
	/* Somebody was faster, and will answer soon; or is about to go. */
	if (sh->lock_until == 0)
		sh->lock_until = loop_now(sh->loop) + LOOK_PATIENCE;
	if (r == -ERR_EXISTS && loop_now(sh->loop) < sh->lock_until)
		look_again(sh, LOOK_AGAIN);
	else
		give_up(sh, &e);
}

/* ── interface ── */

int sharing_new(struct loop *loop, const struct sharing_setup *setup,
		const struct sharing_events *events, void *arg, struct sharing **ret_sharing,
		struct err *e)
{
	struct sharing *sh = calloc(1, sizeof(*sh));

	if (!sh)
		return err_set(e, ERR_NOMEM, "share");
	sh->loop = loop;
	sh->setup = *setup;
	sh->setup.agent.source = "another homeport share";
	sh->events = events;
	sh->arg = arg;
	sh->lock = -1;
	timer_init(&sh->again, loop, on_again, sh);
	defer_init(&sh->yielding, loop, on_yielding, sh);
	timer_start(&sh->again, 0);
	*ret_sharing = sh;
	return 0;
}

void sharing_on_jump(struct sharing *sh, usec_t span)
{
	if (sh->agent)
		agent_on_jump(sh->agent, span);
}

static void on_stopped(void *arg)
{
	struct sharing *sh = arg;

	sh->on_stopped(sh->stop_arg);
}

void sharing_stop(struct sharing *sh, void (*done)(void *arg), void *arg)
{
	sh->on_stopped = done;
	sh->stop_arg = arg;
	timer_stop(&sh->again);
	drop_lend(sh);
	if (sh->state == SHARING_YIELDING)
		return; /* on_yielded goes on from there */
	if (sh->agent) {
		control_leave(sh->control, "the homeport share that had the link has ended",
			      SERVICE_AFTER_GO_ON);
		agent_stop(sh->agent, 0, on_stopped, sh);
		return;
	}
	defer_init(&sh->stopped, sh->loop, on_stopped, sh);
	defer_call(&sh->stopped);
}

void sharing_free(struct sharing *sh)
{
	if (!sh)
		return;
	timer_stop(&sh->again);
	defer_cancel(&sh->stopped);
	defer_cancel(&sh->yielding);
	drop_lend(sh);
	drop_own(sh);
	free(sh);
}
