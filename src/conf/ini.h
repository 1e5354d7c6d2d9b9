/*
 * The grammar of the configuration files, one item at a time over text in memory.
 *
 *	# a comment: only at the start of a line (blanks may stand before it); ";" does the same
 *	[gateway]
 *	address = gw.example.org
 *	[service blog]
 *	to = http://127.0.0.1:8000/#not-a-comment
 *
 * Values are taken as they are, without the blanks around them: no quotes, no escapes, no
 * continuation lines, UTF-8 or not. Lines end in LF or CRLF and have at most INI_LINE_MAX bytes.
 *
 *	struct ini ini = ini_over(text);
 *
 *	while ((r = ini_next(&ini, &item, &e)) > 0)
 *		...
 */
#pragma once

#include "base/err.h"
#include "base/str.h"

#define INI_LINE_MAX 4096

enum ini_kind {
	INI_SECTION, /* [kind] or [kind name] */
	INI_PAIR,    /* key = value */
};

/* All text is borrowed from what was given to ini_over. */
struct ini_item {
	enum ini_kind kind;
	unsigned line;	  /* from 1 */
	struct str key;	  /* the section's kind, or the key: letters, digits, '-', '_', '.' */
	struct str value; /* the section's name, or the value; may be empty */
};

struct ini {
	struct str rest; /* not yet read */
	unsigned line;	 /* the last one read; for errors too */
};

/* A reader at the start of `text` (borrowed). A byte order mark is skipped. */
struct ini ini_over(struct str text);

/*
 * The next section or pair: 1, and *ret is written; 0 at the end; -ERR_INVALID with a text that
 * fits behind "FILE:LINE: ", the line being ini->line. After an error there is no going on.
 */
int ini_next(struct ini *ini, struct ini_item *ret, struct err *e) MUST_CHECK;
