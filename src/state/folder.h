/*
 * The state folder: small files that must survive, each written whole or not at all (temporary
 * file, fsync, rename, fsync of the folder). Blocking: for start-up and for jobs on the thread
 * pool, not for the loop.
 */
#pragma once

#include "base/buf.h"
#include "base/str.h"

#define STATE_FILE_MAX ((size_t)1 << 20)

/*
 * Where state lives when nobody said: $STATE_DIRECTORY (systemd), else /var/lib/NAME for root, else
 * $XDG_STATE_HOME/NAME, else ~/.local/state/NAME. The caller frees the text; NULL: no memory or no
 * home.
 */
char *state_default_path(const char *name);

/*
 * Where sockets of this run live: $RUNTIME_DIRECTORY (systemd), else /run/NAME for root, else
 * $XDG_RUNTIME_DIR/NAME, else the state folder `fallback`. The caller frees the text.
 */
char *state_runtime_path(const char *name, const char *fallback);

/* Make the folder (0700) if it is missing, and see that it can be written. -ERR_DENIED,
 * -ERR_FAILED; e says what to do. */
int state_folder_prepare(const char *path, struct err *e) MUST_CHECK;

/* The whole file into b. -ERR_NOT_FOUND, -ERR_LIMIT (over STATE_FILE_MAX), -ERR_DENIED,
 * -ERR_FAILED. */
int state_read(const char *folder, const char *file, struct buf *b, struct err *e) MUST_CHECK;

/* Replace the file; it exists with mode 0600 and these bytes, or is as it was. -ERR_DENIED,
 * -ERR_FAILED. */
int state_write(const char *folder, const char *file, struct str bytes, struct err *e) MUST_CHECK;

/* A file or folder that root has made in a service's folder ("homeport join", as root) becomes its owner's,
 * so that the service can read it. Nothing happens in other cases. */
void state_give(const char *folder, int fd);

/* 0 also when there is none. */
int state_remove(const char *folder, const char *file, struct err *e) MUST_CHECK;
