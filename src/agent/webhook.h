/*
 * What happens, told to a web server of the user's: POST of a JSON object, over https or http.
 *
 *	webhooks_new(loop, httpc, &webhooks, &e);
 *	webhook_send(webhooks, url, "home.example.org", json_pack("{s:s}", "event", "changed"));
 *	webhooks_free(webhooks);
 *
 * A status of 2xx is the end of it. What time may mend (no answer, 408, 425, 429, 5xx) is tried
 * WEBHOOK_TRIES_MAX times in all; anything else once, a redirect too: it is not followed. What could not
 * be delivered is logged, once. Of one topic one is under way at a time, in order; when WEBHOOKS_MAX
 * wait, one more is left out, and logged.
 *
 * A URL may hold a token: of it, no more than the host is ever shown.
 */
#pragma once

#include <jansson.h>

#include "net/httpc.h"

#define WEBHOOKS_MAX	   64 /* that wait or are under way */
#define WEBHOOK_CALLS_MAX  4  /* at once */
#define WEBHOOK_TRIES_MAX  5
#define WEBHOOK_TIMEOUT	   (10 * USEC_PER_S) /* of one try */
#define WEBHOOK_WAIT_FIRST (10 * USEC_PER_S)
#define WEBHOOK_WAIT_MOST  (80 * USEC_PER_S)

struct webhooks;

/* httpc: borrowed, freed later. -ERR_NOMEM. */
int webhooks_new(struct loop *loop, struct httpc *httpc, struct webhooks **ret_webhooks,
		 struct err *e) MUST_CHECK;
void webhooks_free(struct webhooks *webhooks); /* NULL is fine; what waits is not sent any more */

/* Never waits. url and topic are copied; takes the object (NULL: no memory, logged). */
void webhook_send(struct webhooks *webhooks, const char *url, const char *topic, json_t *object);

/* Whether it is a URL to which something can be posted: -ERR_INVALID, and e does not repeat it. */
int webhook_check(struct str url, struct err *e) MUST_CHECK;
