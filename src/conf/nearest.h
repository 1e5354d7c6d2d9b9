/*
 * "Did you mean": of the words that are known, the one most like a word that is not.
 *
 *	struct nearest near = nearest_to(word);
 *
 *	for each known word
 *		nearest_try(&near, known);
 *	return err_set(e, ERR_INVALID, "unknown key \"%s\"%s", word,
 *		       nearest_hint(text, &near, ""));
 */
#pragma once

#include "base/str.h"

struct nearest {
	struct str word;  /* borrowed */
	const char *best; /* borrowed; NULL: none is near enough */
	unsigned distance;
};

#define NEAREST_HINT_MAX 96

static inline struct nearest nearest_to(struct str word)
{
	return (struct nearest){.word = word};
}

/* Near enough is when at most half of the letters differ. Of two as near the first is kept. */
void nearest_try(struct nearest *near, const char *known);

/* "; did you mean "--name"?" with prefix "--"; an empty text when nothing is near. Returns text. */
const char *nearest_hint(char text[static NEAREST_HINT_MAX], const struct nearest *near,
			 const char *prefix);
