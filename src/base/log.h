/*
 * The log: one line an event, to stderr. On a terminal or pipe "level: text"; under systemd
 * (JOURNAL_STREAM) with the "<N>" priority prefix. Library layers log at debug only; a role reports
 * each failure once and says what comes next.
 *
 * Bytes from strangers are printed through log_text(): control characters, characters that nobody
 * sees (such as those that turn the direction of the text around) and invalid UTF-8 are escaped.
 */
#pragma once

#include <stdbool.h>

#include "base/cleanup.h"
#include "base/str.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* Not thread-safe: call before threads start. */
void log_set_level(enum log_level level);
bool log_enabled(enum log_level level);

/* Thread-safe: a line is written with one write(2). Does not wait for whoever reads stderr: lines
 * that find no room are left out and counted. */
void log_write(enum log_level level, const char *fmt, ...) PRINTF(2, 3);

#define log_error(...)	 log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...)	 log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)                                                                             \
	do {                                                                                       \
		if (log_enabled(LOG_LEVEL_DEBUG))                                                  \
			log_write(LOG_LEVEL_DEBUG, __VA_ARGS__);                                   \
	} while (0)

#define LOG_TEXT_MAX 256

/* Make a stranger's bytes printable: at most LOG_TEXT_MAX - 1 bytes, "..." when cut. Returns text.
 */
const char *log_text(char text[static LOG_TEXT_MAX], struct str s);

/* Whether log_text would change nothing in it but backslashes, and cut it. */
bool log_text_is_plain(struct str s);
