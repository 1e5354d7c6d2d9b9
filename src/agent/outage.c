#include "agent/outage.h"

#include <stdio.h>
#include <string.h>

/* Without the clause "trying again …", which ends at a colon or with the text. */
static void cause_of(const char *why, char *to, size_t size)
{
	const char *again = strcasestr(why, "trying again");
	const char *rest = again ? strchr(again, ':') : NULL;

	snprintf(to, size, "%.*s%s", again ? (int)(again - why) : (int)strlen(why), why,
		 rest ? rest : "");
}

bool outage_is_news(struct outage *outage, const char *why, usec_t now)
{
	char cause[sizeof(outage->causes[0].text)];
	size_t at = 0;

	cause_of(why, cause, sizeof(cause));
	for (size_t i = 0; i < OUTAGE_CAUSES_MAX; i++) {
		bool same = outage->causes[i].told && !strcmp(outage->causes[i].text, cause);

		if (same && now - outage->causes[i].told < OUTAGE_REPEAT)
			return false;
		if (same) {
			at = i;
			break;
		}
		if (outage->causes[i].told < outage->causes[at].told)
			at = i;
	}
	memcpy(outage->causes[at].text, cause, sizeof(cause));
	outage->causes[at].told = now;
	return true;
}

void outage_over(struct outage *outage)
{
	*outage = (struct outage){0};
}
