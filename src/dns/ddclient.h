/*
 * The grammar of ddclient.conf and ddclient.cache, one logical line at a time, as ddclient itself reads
 * them:
 *
 *	[opt=value{,| }...] [host{,host} [login [password]]]
 *
 * "#" starts a comment anywhere but in a password, "\" at the end of a line continues it. Passwords are
 * taken out first, with rules of their own: 'between quotes' anything may stand, unquoted one runs to the
 * next blank, commas too.
 *
 *	ddclient_open(&reader, text);
 *	while ((r = ddclient_next(&reader, &line, &e)) > 0)
 *		...
 *	ddclient_done(&reader, &line);
 */
#pragma once

#include "base/err.h"
#include "base/str.h"

#define DDCLIENT_OPTIONS_MAX 96
#define DDCLIENT_NAME_MAX    32
#define DDCLIENT_VALUE_MAX   512
#define DDCLIENT_LINE_MAX    32768

struct ddclient_option {
	char name[DDCLIENT_NAME_MAX];
	char value[DDCLIENT_VALUE_MAX]; /* may be secret */
};

struct ddclient_options {
	struct ddclient_option at[DDCLIENT_OPTIONS_MAX];
	size_t n;
};

/* Overwrites. False: no room, or too long. */
bool ddclient_set(struct ddclient_options *options, struct str name, struct str value);
bool ddclient_has(const struct ddclient_options *options, const char *name);

/* "" where there is none. */
const char *ddclient_get(const struct ddclient_options *options, const char *name);

/* What is odd in a line, though ddclient takes it. */
#define DDCLIENT_ODD_COMMA	1u  /* the password ends in a comma */
#define DDCLIENT_ODD_ASSIGNMENT 2u  /* the password has ",name=" in it */
#define DDCLIENT_ODD_BACKSLASH	4u  /* blanks behind a "\": nothing is continued */
#define DDCLIENT_ODD_END	8u  /* the file ends where a line is to be continued */
#define DDCLIENT_ODD_QUOTE	16u /* a quote without its end: it takes in the rest of the line */

struct ddclient_line {
	unsigned number;	  /* of its first physical line */
	unsigned odd, odd_number; /* DDCLIENT_ODD_*, and of the physical line that is */
	struct ddclient_options options;
	struct str hosts, login, password; /* borrowed from the reader; hosts with commas */
};

struct ddclient_reader {
	struct str rest; /* borrowed */
	unsigned number; /* of the last physical line */
	struct ddclient_options passwords;
	char text[DDCLIENT_LINE_MAX]; /* of the logical line, without passwords and comments */
	size_t len;
};

/* Both structures come zeroed. They hold secrets, and are large: calloc, and ddclient_done. */
void ddclient_open(struct ddclient_reader *reader, struct str text);
void ddclient_done(struct ddclient_reader *reader, struct ddclient_line *line); /* wipes */

/* The next line that has anything in it: 1; 0 at the end. -ERR_LIMIT, e names the line: the next call
 * goes on behind it. */
int ddclient_next(struct ddclient_reader *reader, struct ddclient_line *ret,
		  struct err *e) MUST_CHECK;
