/*
 * Errors: a code for the caller that branches, a sentence for the person who reads.
 *
 * A function that can fail returns 0 (or a count) or -ERR_*, and is MUST_CHECK. A code exists only
 * because some caller branches on it; everything else about the failure is text in `struct err`,
 * outermost context first:
 *
 *	service blog: connect to 127.0.0.1:8000: Connection refused
 *
 * `struct err *e` may be NULL where nobody wants the story.
 */
#pragma once

#include <stdarg.h>
#include <stddef.h>

#include "base/cleanup.h"

enum err_code {
	ERR_FAILED = 1, /* anything no caller distinguishes; the text tells */
	ERR_NOMEM,
	ERR_AGAIN,	/* nothing now: an event will follow */
	ERR_INVALID,	/* input that does not fit its grammar or range */
	ERR_INCOMPLETE, /* a good beginning: more bytes are needed */
	ERR_LIMIT,	/* a *_MAX was reached */
	ERR_NOT_FOUND,
	ERR_EXISTS,  /* already there, or in use */
	ERR_DENIED,  /* not allowed: permission, wrong key, revoked */
	ERR_REFUSED, /* the other side said no: connection refused */
	ERR_RESET,   /* the other side is gone in the middle of it */
	ERR_TIMEOUT,
};

struct err {
	int code; /* ERR_*, positive; 0 when nothing was set */
	char text[512];
};

/* Set code and text. Returns -code, so that `return err_set(e, ERR_LIMIT, ...)` reads well. */
int err_set(struct err *e, int code, const char *fmt, ...) PRINTF(3, 4);

/* Like err_set, with ": strerror(errno)" behind the text. */
int err_set_errno(struct err *e, int code, const char *fmt, ...) PRINTF(3, 4);

/* Put "fmt: " in front of the text that is there. Returns r. */
int err_wrap(struct err *e, int r, const char *fmt, ...) PRINTF(3, 4);

/* A word for a code ("timeout"), for logs and JSON; never NULL. r may have either sign. */
const char *err_name(int r);
