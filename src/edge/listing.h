/* A page that lists a folder without an index page. Blocks: for the thread pool. */
#pragma once

#include "base/buf.h"
#include "base/err.h"

#define EDGE_LISTING_ENTRIES_MAX 5000
#define EDGE_LISTING_BYTES_MAX	 ((size_t)1 << 20)

/*
 * Write the page into `page` (its max is set here). root_fd and path lead to the folder, dir_fd is
 * it (borrowed); folder_flags as of edge_folder_open. Names beginning with '.', what is neither
 * file nor folder, and links that lead out do not appear. What goes beyond the limits is cut, and
 * the page says so.
 */
int edge_listing_make(int root_fd, const char *path, int dir_fd, unsigned folder_flags,
		      struct buf *page, struct err *e) MUST_CHECK;
