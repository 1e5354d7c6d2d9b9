/*
 * Time inside the program: microseconds on the boot-time clock, which goes on while the machine
 * sleeps. Code asks its loop (loop_now), never the kernel: that lets tests turn the clock.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

typedef uint64_t usec_t;

#define USEC_MAX    UINT64_MAX
#define USEC_PER_MS ((usec_t)1000)
#define USEC_PER_S  ((usec_t)1000000)

#define USTIME_TEXT_MAX 32

/* The kernel's boot-time clock; for net/loop and tests of real time only. */
usec_t ustime_boot(void);

/* The wall clock, microseconds since 1970; for what people read and for certificates, never for
 * intervals. */
usec_t ustime_wall(void);

/* "1.5 s", "350 ms", "2 min", "3 h", "5 d": for sentences. Returns text. */
const char *ustime_format_span(char text[static USTIME_TEXT_MAX], usec_t span);

/* RFC 3339 in UTC, "2026-01-31T23:59:59Z". Returns text. */
const char *ustime_format_wall(char text[static USTIME_TEXT_MAX], usec_t wall);
