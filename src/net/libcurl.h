/*
 * libcurl's multi interface on the loop. The library is loaded with dlopen(3) when it is first
 * needed: it brings thirty more, whose relocations cost memory in every process that is linked with
 * them, and most agents never make a request.
 *
 * For net/httpc alone.
 */
#pragma once

#include <curl/curl.h>

#include "net/loop.h"

/* What is used of it. */
#define LIBCURL_FUNCTIONS(X)                                                                       \
	X(global_init_mem)                                                                         \
	X(version_info)                                                                            \
	X(easy_init)                                                                               \
	X(easy_setopt)                                                                             \
	X(easy_getinfo)                                                                            \
	X(easy_strerror)                                                                           \
	X(easy_cleanup)                                                                            \
	X(slist_append)                                                                            \
	X(slist_free_all)                                                                          \
	X(multi_init)                                                                              \
	X(multi_setopt)                                                                            \
	X(multi_add_handle)                                                                        \
	X(multi_remove_handle)                                                                     \
	X(multi_assign)                                                                            \
	X(multi_socket_action)                                                                     \
	X(multi_info_read)                                                                         \
	X(multi_cleanup)

struct libcurl_api {
#define X(name) __typeof__(curl_##name) *name;
	LIBCURL_FUNCTIONS(X)
#undef X
};

#define LIBCURL_IDLE	      (10 * USEC_PER_S) /* connections are kept that long after the last transfer */
#define LIBCURL_KEPT_MAX      4
#define LIBCURL_VERSION_LEAST 0x075700 /* 7.87: a lookup that hangs holds up nobody */

struct libcurl;

/* All are called from the loop, outside of libcurl. */
struct libcurl_handler {
	/* Once. r = 0: it can be used. -ERR_FAILED: it is not there, or too old, and e says which
	 * package it is in; free it, here already if you like. */
	void (*on_loaded)(void *arg, int r, const struct err *e);
	/* A transfer has ended, and is removed. easy NULL: everything under way has failed for want
	 * of memory; remove it all. */
	void (*on_over)(void *arg, CURL *easy, CURLcode result);
};

/* Load it, on the thread pool: it may have to come from a slow disk. The handler's table is
 * borrowed. */
int libcurl_new(struct loop *loop, const struct libcurl_handler *handler, void *arg,
		struct libcurl **ret_libcurl, struct err *e) MUST_CHECK;

/* All transfers must be removed. The library stays loaded. NULL is fine. */
void libcurl_free(struct libcurl *l);

/* ── when it is loaded ── */

const struct libcurl_api *libcurl_api(const struct libcurl *l);

/*
 * Whether the system's certificates are in a directory in which OpenSSL finds one by its hash.
 * Reading the file that has them all takes 18 ms and 750 KiB for each connection, on a good machine.
 */
bool libcurl_finds_certificates(const struct libcurl *l);

/* Start a transfer. keep: its connection may be kept. Not from inside a callback of libcurl's. */
int libcurl_add(struct libcurl *l, CURL *easy, bool keep, struct err *e) MUST_CHECK;

/* Before on_over. Likewise. */
void libcurl_remove(struct libcurl *l, CURL *easy);
