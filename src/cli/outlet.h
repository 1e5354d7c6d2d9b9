/*
 * Lines for a descriptor that perhaps nobody reads (stdout in a pipe, a stopped terminal): they
 * wait here, bounded, and the program goes on. Whole lines that find no room are left out, and
 * counted.
 *
 *	outlet_new(loop, STDOUT_FILENO, left_out, &outlet, &e);
 *	outlet_write(outlet, line, len);
 *	outlet_free(outlet);		what can be written now still is
 */
#pragma once

#include "net/loop.h"

#define OUTLET_MAX ((size_t)256 * 1024) /* bytes that wait */

struct outlet;

/*
 * fd       in: stays the caller's, and as it is: others may share it, so it is never made
 *              non-blocking
 * left_out in: the line that says how many lines are missing here, with its '\n'
 */
int outlet_new(struct loop *loop, int fd, void (*left_out)(char *line, size_t size, unsigned n),
	       struct outlet **ret_outlet, struct err *e) MUST_CHECK;

/* Lines that belong together, with their '\n'. Never waits. */
void outlet_write(struct outlet *o, const char *text, size_t len);
void outlet_free(struct outlet *o); /* NULL is fine */
