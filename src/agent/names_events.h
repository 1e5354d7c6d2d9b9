/*
 * What happens to a name, told: to the log, to the programs and to the webhook of its section. For
 * agent/names.
 *
 *	names_events_init(&events, hooks, webhooks, configured, n);
 *	names_events_tell(&events, event);		from the keeper
 *	names_events_done(&events);
 *
 * A webhook gets
 *
 *	{"event":"changed","time":RFC3339,"name":SECTION,"host":HOST,"provider":NAME,"family":"ipv4",
 *	 "address":ADDRESS,"verdict":WORD,"reply":THE PROVIDER'S OWN WORDS,"text":SENTENCE}
 *
 * for the events changed, parked and remind; strings all, "" where there is nothing. What passes by itself is
 * told to the log only.
 */
#pragma once

#include "agent/hook.h"
#include "agent/name.h"
#include "agent/webhook.h"

struct names_events {
	struct hooks *hooks;		     /* borrowed */
	struct webhooks *webhooks;	     /* borrowed */
	const struct agent_name *configured; /* borrowed */
	size_t n;
	char **urls; /* owned, and wiped: of the webhook of each; NULL: none */
};

/* Reads URLs from their files: blocks for a moment. What cannot be read is logged. -ERR_NOMEM. */
int names_events_init(struct names_events *events, struct hooks *hooks, struct webhooks *webhooks,
		      const struct agent_name *configured, size_t n, struct err *e) MUST_CHECK;
void names_events_done(struct names_events *events); /* zeroed is fine */

void names_events_tell(struct names_events *events, const struct dns_event *event);

/* ── pure ── */

#define NAMES_EVENT_TEXT_MAX 1024

/* The sentence of it. Returns text. */
const char *names_event_text(char text[static NAMES_EVENT_TEXT_MAX], const struct dns_event *event);

/* What a webhook gets of it; a new reference. NULL: no memory. */
json_t *names_event_json(const struct dns_event *event, usec_t wall);
