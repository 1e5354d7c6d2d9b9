#include "uplink/watch.h"

#include <stdlib.h>

#include "base/log.h"
#include "net/netwatch.h"

#define RETRY_FIRST USEC_PER_S

struct uplink_watch {
	/* configuration */
	struct uplink_settings settings;
	void (*on_change)(void *arg);
	void *arg;

	/* internal state */
	struct netwatch *netwatch; /* owned */
	struct uplink_view view;
	struct timer again; /* to look once more, although nothing was told */
	struct defer tell;
	usec_t retry;	     /* after the kernel failed; 0: it did not */
	unsigned looks_left; /* until it is no longer worth while to be unsure */
};

static int take_view(struct uplink_watch *w, struct uplink_view *ret, struct err *e)
{
	AUTO(netstate_done) struct netstate state = {0};
	int r = netstate_read(&state, e);

	return r < 0 ? r : uplink_look(&state, &w->settings, &w->view, ret, e);
}

static void retry_later(struct uplink_watch *w, const struct err *e)
{
	log_debug("addresses of this machine: %s", e->text);
	w->retry = w->retry ? MIN(2 * w->retry, UPLINK_WATCH_INTERVAL) : RETRY_FIRST;
	timer_start(&w->again, w->retry);
}

/* Renewed announcements are no change that anybody tells. */
static void doubt(struct uplink_watch *w)
{
	bool soon = w->looks_left > UPLINK_WATCH_LOOKS_MAX - UPLINK_WATCH_SOON_MAX;

	if (w->view.unsure && w->looks_left > 0)
		timer_start(&w->again, soon ? UPLINK_WATCH_SOON : UPLINK_WATCH_INTERVAL);
}

static void look(struct uplink_watch *w)
{
	struct uplink_view view;
	struct err e = {0};
	bool changed;

	timer_stop(&w->again);
	if (take_view(w, &view, &e) < 0) {
		retry_later(w, &e);
		return;
	}
	w->retry = 0;
	changed = !uplink_equal(&w->view, &view);
	uplink_done(&w->view);
	w->view = view;
	doubt(w);
	if (changed)
		defer_call(&w->tell);
}

static void on_network(void *arg)
{
	struct uplink_watch *w = arg;

	w->looks_left = UPLINK_WATCH_LOOKS_MAX;
	look(w);
}

static void on_again(void *arg)
{
	struct uplink_watch *w = arg;

	if (w->looks_left > 0)
		w->looks_left--;
	look(w);
}

static void on_tell(void *arg)
{
	struct uplink_watch *w = arg;

	w->on_change(w->arg);
}

int uplink_watch_new(struct loop *loop, const struct uplink_settings *settings,
		     void (*on_change)(void *arg), void *arg, struct uplink_watch **ret_watch,
		     struct err *e)
{
	struct uplink_watch *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return err_set(e, ERR_NOMEM, "watching the addresses of this machine");
	if (settings)
		w->settings = *settings;
	w->on_change = on_change;
	w->arg = arg;
	w->looks_left = UPLINK_WATCH_LOOKS_MAX;
	timer_init(&w->again, loop, on_again, w);
	defer_init(&w->tell, loop, on_tell, w);
	r = netwatch_new(loop, on_network, w, &w->netwatch, e);
	if (r == 0)
		r = take_view(w, &w->view, e);
	if (r < 0 && r != -ERR_AGAIN) {
		uplink_watch_free(w);
		return r;
	}
	if (r == -ERR_AGAIN)
		timer_start(&w->again, RETRY_FIRST);
	else
		doubt(w);
	*ret_watch = w;
	return 0;
}

void uplink_watch_free(struct uplink_watch *w)
{
	if (!w)
		return;
	netwatch_free(w->netwatch);
	timer_stop(&w->again);
	defer_cancel(&w->tell);
	uplink_done(&w->view);
	free(w);
}

const struct uplink_view *uplink_watch_view(const struct uplink_watch *w)
{
	return &w->view;
}

void uplink_watch_look(struct uplink_watch *w)
{
	look(w);
}
