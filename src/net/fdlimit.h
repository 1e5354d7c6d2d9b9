/*
 * How many descriptors this process may have. Every visitor is one or two; the last few are not
 * for visitors, so that the link can be dialled anew and the control socket answers whatever
 * visitors do.
 */
#pragma once

#include <stdbool.h>

#define FDLIMIT_RESERVE 64 /* or a quarter of a limit below four times as many */

/* Take as many as we may have: for programs that run long, at their start. */
void fdlimit_raise(void);

/*
 * Whether fd, which was opened just now, is one of the last: then it is not for a visitor. The
 * kernel gives the lowest number that is free, so a number tells that all below it are in use.
 */
bool fdlimit_reserved(int fd);
