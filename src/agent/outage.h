/*
 * An outage of the link, as people are told of it: each cause once, and again every 10 minutes
 * while it lasts; not once for every attempt.
 */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "base/ustime.h"

#define OUTAGE_REPEAT	  (600 * USEC_PER_S)
#define OUTAGE_CAUSES_MAX 4 /* remembered; the oldest is forgotten, and would be told again */

/* All zeros: nothing was told yet. */
struct outage {
	struct {
		char text[sizeof(((struct err *)0)->text)];
		usec_t told; /* 0: unused */
	} causes[OUTAGE_CAUSES_MAX];
};

/* Whether `why` is to be told now; it is taken as told then. When the next attempt will be ("trying
 * again in 2 s") makes no difference. now > 0. */
bool outage_is_news(struct outage *outage, const char *why, usec_t now);

void outage_over(struct outage *outage);
