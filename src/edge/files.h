/*
 * A shared folder as a web site: its files, index.html for a folder, else a listing. Everything
 * that touches the disk runs on the thread pool, but reads of what is in the page cache.
 *
 *	files = edge_files_new(loop, "/srv/www");
 *	edge_files_start(files, exchange, &request, &e);	on_request
 *	edge_files_ready(request);				on_ready
 *	edge_files_end(request);				on_end
 *	edge_files_unref(files);
 *
 * The folder is opened anew for every request: it may be taken away and come back.
 */
#pragma once

#include "http/exchange.h"
#include "net/lane.h"

struct edge_files;
struct edge_files_request;

/* path is copied; nothing is looked at. NULL without memory. */
struct edge_files *edge_files_new(struct loop *loop, const char *path);
struct edge_files *edge_files_ref(struct edge_files *f);
void edge_files_unref(struct edge_files *f); /* NULL is fine */

/* Where jobs on this folder belong; borrowed. */
struct lane *edge_files_lane(struct edge_files *f);

/* For tests: open as on a kernel without openat2; read as if nothing were cached. */
void edge_files_set_walk(struct edge_files *f, bool walk);
void edge_files_set_uncached(struct edge_files *f, bool uncached);

/* Answer the request. *ret_request is NULL when that is done already. -ERR_LIMIT: too many wait for
 * this folder already. */
int edge_files_start(struct edge_files *f, struct http_exchange *x,
		     struct edge_files_request **ret_request, struct err *e) MUST_CHECK;

/* The exchange takes more. */
void edge_files_ready(struct edge_files_request *r);

/* What went wrong at home, or NULL; until edge_files_end. */
const char *edge_files_note(const struct edge_files_request *r);

/* The exchange is over: the request goes, when the pool is done with it. NULL is fine. */
void edge_files_end(struct edge_files_request *r);

/* Whether the folder is there. Blocks: for the thread pool. Errors as edge_folder_root. */
int edge_files_check(const char *path, struct err *e) MUST_CHECK;
