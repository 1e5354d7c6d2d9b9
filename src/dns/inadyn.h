/*
 * The tokens of inadyn.conf, whose grammar is libConfuse's:
 *
 *	key = value		key = { value, "value" }	key += value
 *	name title { ... }	function("text")
 *	# comment	// comment	comment between slashes and stars
 *
 *	inadyn_open(&lexer, text);
 *	while (inadyn_next(&lexer) != INADYN_END && lexer.token != INADYN_BROKEN)
 *		... lexer.token, lexer.text, lexer.line
 */
#pragma once

#include "base/str.h"

#define INADYN_TOKEN_MAX 1024

enum inadyn_token {
	INADYN_END,
	INADYN_WORD,
	INADYN_STRING,
	INADYN_EQUAL,
	INADYN_APPEND, /* += */
	INADYN_OPEN,   /* { */
	INADYN_CLOSE,
	INADYN_COMMA,
	INADYN_OPEN_ROUND, /* ( */
	INADYN_CLOSE_ROUND,
	INADYN_BROKEN, /* a quote or a comment has no end, a sign that has no meaning, or too long */
};

struct inadyn_lexer {
	struct str rest; /* borrowed */
	unsigned line;
	enum inadyn_token token;
	char text[INADYN_TOKEN_MAX]; /* of a word or string; may be secret */
	bool has_variable;	     /* "${NAME}" of the environment stands in it */
};

/* The lexer comes zeroed. */
void inadyn_open(struct inadyn_lexer *lexer, struct str text);

/* Reads and returns lexer->token. Behind a broken one there is no going on. */
enum inadyn_token inadyn_next(struct inadyn_lexer *lexer);
