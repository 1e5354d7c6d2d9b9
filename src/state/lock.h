/*
 * One process at a time on a state folder: a lock that goes with the process, however it ends.
 */
#pragma once

#include <sys/types.h>

#include "base/err.h"

/*
 * Take folder/lock (flock(2)). *ret_fd is the lock: closing it gives it up; a program started from
 * this one does not inherit it. -ERR_EXISTS: another process has it, e tells which; -ERR_DENIED,
 * -ERR_FAILED.
 */
int state_lock(const char *folder, int *ret_fd, struct err *e) MUST_CHECK;

/*
 * Take the folder itself, after whoever has it now: for what takes milliseconds and must not happen
 * twice at once. Leaves no file, and has nothing to do with state_lock. Blocking: at start-up.
 */
int state_lock_wait(const char *folder, int *ret_fd, struct err *e) MUST_CHECK;

/* The process that has it; 0: none, or nobody knows. */
pid_t state_lock_holder(const char *folder);
