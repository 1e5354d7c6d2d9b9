/*
 * Doors at the router, as a running homeport has them: uplink says where, map/ opens and keeps them.
 * Some are of the configuration, others are asked for by a watcher (agent/doors_session) and live as
 * long as it.
 *
 *	doors_new(loop, &setup, &doors, &e);
 *	doors_set_wishes(doors, wishes, n);
 *	doors_look(doors);			uplink's view has changed
 *	doors_stop(doors, on_stopped, x);
 */
#pragma once

#include "map/map.h"
#include "uplink/watch.h"

struct doors;

struct doors_setup {
	struct httpc *httpc;	     /* borrowed */
	struct uplink_watch *uplink; /* borrowed; its owner calls doors_look; NULL with a router */
	const char *state;	     /* folder; NULL: nothing is remembered; borrowed */
	bool leave_leftovers;	     /* of former processes (map/map.h) */
	/* Instead of what uplink finds: a router, and maybe our address to it (family 0: the one
	 * the kernel would send from). family 0: uplink. */
	struct ipaddr router, source;
};

/* -ERR_DENIED, -ERR_FAILED: the state folder, or the router that was named. */
int doors_new(struct loop *loop, const struct doors_setup *setup, struct doors **ret_doors,
	      struct err *e) MUST_CHECK;
void doors_free(struct doors *doors); /* NULL is fine; watchers must be gone */

/* The configuration's, from now on (n: MAP_DOORS_MAX at most): what is there already stays, what is
 * not wished any more is given back. What cannot be had is logged; where a watcher has a door to the
 * same port, or a former wish's is still being closed, it is opened when that one is gone. */
void doors_set_wishes(struct doors *doors, const struct map_wish *wishes, size_t n);

/* Give everything back, 1.5 s at most. Nothing is opened any more. */
void doors_stop(struct doors *doors, void (*on_stopped)(void *arg), void *arg);
bool doors_stopping(const struct doors *doors);

/* The addresses of this machine are others (uplink/watch). */
void doors_look(struct doors *doors);

/* Ask the IPv4 router for its address outside, whatever doors there are: watchers' on_router follows at
 * each answer, router_decided when it is silent. False: there is no router. */
bool doors_ask_router(struct doors *doors);

/* Time jumped. */
void doors_wake(struct doors *doors);

/* Why no door can be asked for in that family, for people; "": it can, or nobody knows. Returns
 * text. */
const char *doors_lack(const struct doors *doors, uint8_t family,
		       char text[static UPLINK_WORDS_MAX]);

struct loop *doors_loop(const struct doors *doors);
struct map *doors_map(const struct doors *doors);

/* ── who asks for doors while he lives ── */

/* Caller's memory. From the loop. */
struct doors_watcher {
	/* One of his doors: map_door_info tells what is new; closed: it is gone after this. */
	void (*on_door)(void *arg, struct map_door *door, bool closed);
	/* map_router tells what a router offers. */
	void (*on_router)(void *arg);
	/* As map_handler's; NULL: he does not ask. */
	void (*on_leftover)(void *arg, const struct map_wish *wish, bool gone);
	/* The router of a family is another one now, or none: the former one's calls must be
	 * cancelled in this, since it goes without telling them. NULL: he makes none. */
	void (*on_moved)(void *arg, uint8_t family);
	void *arg;
	struct list node; /* the module's */
};

void doors_watch(struct doors *doors, struct doors_watcher *watcher);
/* His doors are given back. Harmless on a zeroed one. */
void doors_unwatch(struct doors *doors, struct doors_watcher *watcher);

/* A door of his. Errors as map_open. */
int doors_open(struct doors *doors, struct doors_watcher *watcher, const struct map_wish *wish,
	       struct err *e) MUST_CHECK;
void doors_close(struct doors *doors, const struct doors_watcher *watcher); /* all of his */

/* His next door; start with NULL. */
struct map_door *doors_next(const struct doors *doors, const struct doors_watcher *watcher,
			    const struct map_door *after);
/* It is of the configuration. */
bool doors_configured(const struct map_door *door);
