/*
 * Opening what lies below a folder, and nothing else: openat2(2) with RESOLVE_BENEATH, so that the
 * kernel refuses whatever leaves it, symbolic links included, and without what a link leads to
 * under a hidden name (edge/filepath.h); or, on a kernel without it, name by name without following
 * any symbolic link. These block: they belong on the thread pool.
 */
#pragma once

#include <stdbool.h>

#include "base/err.h"

enum edge_folder_flag {
	EDGE_FOLDER_WALK = 1, /* as on a kernel without openat2 */
	EDGE_FOLDER_ONLY = 2, /* it must be a folder */
};

/* The folder itself. Text of errors: "open /srv/www: No such file or directory". -ERR_NOT_FOUND:
 * it is not there or no folder; the others as below. */
int edge_folder_root(const char *path, int *ret_fd, struct err *e) MUST_CHECK;

/*
 * Open for reading. path: relative, of edge_filepath_decode; "" is the folder itself. Never waits
 * for a FIFO and takes no terminal; the caller looks what it is (fstat).
 *
 * -ERR_NOT_FOUND: not there, outside, or hidden behind a link; -ERR_DENIED: no permission;
 * -ERR_LIMIT: no descriptors left; -ERR_FAILED: disk trouble.
 */
int edge_folder_open(int root_fd, const char *path, unsigned flags, int *ret_fd,
		     struct err *e) MUST_CHECK;
