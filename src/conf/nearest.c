#include "conf/nearest.h"

#include <stdio.h>

#include "base/cleanup.h"

void nearest_try(struct nearest *near, const char *known)
{
	struct str candidate = str_of(known);
	unsigned distance = str_distance(near->word, candidate);

	if (2 * distance > MAX(near->word.len, candidate.len))
		return;
	if (near->best && near->distance <= distance)
		return;
	near->best = known;
	near->distance = distance;
}

const char *nearest_hint(char text[static NEAREST_HINT_MAX], const struct nearest *near,
			 const char *prefix)
{
	text[0] = '\0';
	if (near->best)
		snprintf(text, NEAREST_HINT_MAX, "; did you mean \"%s%s\"?", prefix, near->best);
	return text;
}
