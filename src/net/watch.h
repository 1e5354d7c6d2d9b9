/*
 * Descriptors that a loop watches: an epoll instance of our own inside libuv's, because most
 * descriptors here are visitors' connections that come and go, and a connection should cost one
 * system call to watch, not ten.
 *
 *	watch_new	level-triggered, for listeners and the like: told until it is no longer so
 *	watch_edge	edge-triggered, registered once for everything: told when something changes
 *
 * The descriptor stays the caller's. An event that the kernel reported before a watch was freed is
 * dropped.
 */
#pragma once

#include <stdbool.h>

#include "base/err.h"

struct loop;
struct watch;

enum watch_event {
	WATCH_READ = 1,
	WATCH_WRITE = 2,
	WATCH_HANGUP = 4, /* the other side has ended or broken; edge-triggered watches only */
	WATCH_ERROR = 8,  /* it is broken; edge-triggered watches only */
};

/*
 * Level-triggered, for nothing at first (watch_set). An error on the descriptor is reported as READ
 * and WRITE and switches the watch off.
 */
int watch_new(struct loop *loop, int fd, void (*fn)(void *arg, unsigned events), void *arg,
	      struct watch **ret_watch, struct err *e) MUST_CHECK;
void watch_set(struct watch *w, unsigned events);
unsigned watch_events(const struct watch *w);

/* Edge-triggered, for READ, WRITE and HANGUP; what is so already is reported first. An error is
 * all of them. */
int watch_edge(struct loop *loop, int fd, void (*fn)(void *arg, unsigned events), void *arg,
	       struct watch **ret_watch, struct err *e) MUST_CHECK;

/* From now on another owner is told. */
void watch_pass_on(struct watch *w, void (*fn)(void *arg, unsigned events), void *arg);

/* Safe inside fn; NULL is fine. */
void watch_free(struct watch *w);

/* The same for a descriptor that is closed at once: the kernel forgets it by itself. */
void watch_free_closing(struct watch *w);

/* ── for the loop ── */

struct watches;

int watches_new(struct watches **ret_watches, struct err *e) MUST_CHECK;
void watches_free(struct watches *watches);    /* all watches must be gone; NULL is fine */
int watches_fd(const struct watches *watches); /* readable when there are events */
void watches_dispatch(struct watches *watches);
