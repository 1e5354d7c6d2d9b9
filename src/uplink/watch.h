/*
 * The machine's addresses, looked at again whenever its network changes.
 *
 *	uplink_watch_new(loop, &settings, on_change, x, &watch, &e);
 *	view = uplink_watch_view(watch);
 *
 * Nothing runs while nothing changes. Only after a change that may mean that a router has left a
 * prefix, it is looked again UPLINK_WATCH_LOOKS_MAX times, soon at first and then once a minute; and
 * when the kernel does not answer, from a second up to once a minute.
 */
#pragma once

#include "net/loop.h"
#include "uplink/uplink.h"

#define UPLINK_WATCH_LOOKS_MAX 40
#define UPLINK_WATCH_SOON      (15 * USEC_PER_S) /* a router that starts announces itself so often */
#define UPLINK_WATCH_SOON_MAX  4
#define UPLINK_WATCH_INTERVAL  (60 * USEC_PER_S)

struct uplink_watch;

/*
 * settings   in: NULL: none; copied
 * on_change  the view is another one than before (uplink_equal); called at the end of a turn of the
 *            loop, never from inside a call. It may free the watch.
 *
 * Looks at once. -ERR_FAILED: the kernel does not tell; -ERR_NOMEM. Not on the virtual clock.
 */
int uplink_watch_new(struct loop *loop, const struct uplink_settings *settings,
		     void (*on_change)(void *arg), void *arg, struct uplink_watch **ret_watch,
		     struct err *e) MUST_CHECK;
void uplink_watch_free(struct uplink_watch *w); /* NULL is fine */

/* As it was at the last change or look; borrowed until the next turn of the loop. */
const struct uplink_view *uplink_watch_view(const struct uplink_watch *w);

/* Look now: the machine has slept. */
void uplink_watch_look(struct uplink_watch *w);
