#include "agent/webhook.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/secret.h"
#include "net/backoff.h"
#include "net/ndjson.h"

struct webhook {
	struct list node;	   /* in the queue, in order */
	struct webhooks *webhooks; /* borrowed */
	char *url, *topic;	   /* owned */
	struct buf body;
	struct httpc_call *call; /* owned; NULL: none under way */
	struct timer again;
	struct backoff backoff;
	unsigned tries;
};

struct webhooks {
	struct loop *loop;   /* borrowed */
	struct httpc *httpc; /* borrowed */
	struct list queue;   /* owned */
	unsigned n, calls;
};

static void webhook_free(struct webhook *hook)
{
	if (!hook)
		return;
	timer_stop(&hook->again);
	httpc_cancel(hook->call);
	if (hook->url)
		secret_wipe(hook->url, strlen(hook->url));
	free(hook->url);
	free(hook->topic);
	buf_done(&hook->body);
	free(hook);
}

static void drop(struct webhook *hook)
{
	list_remove(&hook->node);
	hook->webhooks->n--;
	webhook_free(hook);
}

/* ── one try ── */

static void start_more(struct webhooks *webhooks);

/* Whether the same request may fare better later. */
static bool may_pass(const struct httpc_answer *answer)
{
	unsigned s = answer->status;

	if (answer->r < 0)
		return answer->r != -ERR_DENIED; /* a certificate is a person's work */
	return s == 408 || s == 425 || s == 429 || s >= 500;
}

static const char *why(const struct httpc_answer *answer, char text[static 64])
{
	unsigned s = answer->status;

	if (answer->r < 0)
		return answer->err.text;
	snprintf(text, 64, "status %u%s", s,
		 s >= 300 && s < 400 ? ", a redirect, which is not followed" : "");
	return text;
}

static void give_up(struct webhook *hook, const char *text)
{
	char topic[LOG_TEXT_MAX];

	log_warning("webhook of %s, after %u tr%s: %s; it is left out",
		    log_text(topic, str_of(hook->topic)), hook->tries,
		    hook->tries == 1 ? "y" : "ies", text);
	drop(hook);
}

static void on_answer(void *arg, const struct httpc_answer *answer)
{
	struct webhook *hook = arg;
	struct webhooks *webhooks = hook->webhooks;
	char text[64];

	hook->call = NULL;
	webhooks->calls--;
	if (answer->status >= 200 && answer->status < 300)
		drop(hook); /* whatever became of its body */
	else if (may_pass(answer) && hook->tries < WEBHOOK_TRIES_MAX)
		timer_start(&hook->again, backoff_next(&hook->backoff));
	else
		give_up(hook, why(answer, text));
	start_more(webhooks);
}

static void try(struct webhook *hook)
{
	static const struct httpc_header headers[] = {
		{"Content-Type", "application/json"},
		{"User-Agent", "homeport/" HOMEPORT_VERSION},
	};
	const struct httpc_request request = {
		.url = hook->url,
		.headers = headers,
		.n_headers = ARRAY_LEN(headers),
		.body = buf_str(&hook->body),
		.timeout = WEBHOOK_TIMEOUT,
	};
	struct err e = {0};

	hook->tries++;
	if (httpc_start(hook->webhooks->httpc, &request, on_answer, hook, &hook->call, &e) == 0) {
		hook->webhooks->calls++;
		return;
	}
	give_up(hook, e.text);
}

static void on_again(void *arg)
{
	struct webhook *hook = arg;

	start_more(hook->webhooks);
}

/* ── the queue ── */

static bool is_first_of_topic(const struct webhooks *webhooks, const struct webhook *hook)
{
	const struct webhook *other;

	list_for_each (other, &webhooks->queue, node)
		if (strcmp(other->topic, hook->topic) == 0)
			return other == hook;
	return true;
}

static void start_more(struct webhooks *webhooks)
{
	struct webhook *hook, *next;

	list_for_each_safe (hook, next, &webhooks->queue, node)
		if (webhooks->calls < WEBHOOK_CALLS_MAX && !hook->call &&
		    !timer_running(&hook->again) && is_first_of_topic(webhooks, hook))
			try(hook);
}

static struct webhook *webhook_new(struct webhooks *webhooks, const char *url, const char *topic,
				   const json_t *object)
{
	struct webhook *hook = calloc(1, sizeof(*hook));

	if (!hook)
		return NULL;
	hook->webhooks = webhooks;
	hook->backoff = (struct backoff){.first = WEBHOOK_WAIT_FIRST, .most = WEBHOOK_WAIT_MOST};
	timer_init(&hook->again, webhooks->loop, on_again, hook);
	hook->url = str_dup(str_of(url));
	hook->topic = str_dup(str_of(topic));
	if (hook->url && hook->topic && object && ndjson_append(&hook->body, object) == 0)
		return hook;
	webhook_free(hook);
	return NULL;
}

void webhook_send(struct webhooks *webhooks, const char *url, const char *topic, json_t *object)
{
	char text[LOG_TEXT_MAX];
	struct webhook *hook = NULL;

	log_text(text, str_of(topic));
	if (webhooks->n < WEBHOOKS_MAX)
		hook = webhook_new(webhooks, url, topic, object);
	json_decref(object);
	if (!hook) {
		log_warning("webhook of %s is left out: %s", text,
			    webhooks->n < WEBHOOKS_MAX ? "no memory" : "too many wait already");
		return;
	}
	list_push(&webhooks->queue, &hook->node);
	webhooks->n++;
	start_more(webhooks);
}

int webhook_check(struct str url, struct err *e)
{
	char host[HOSTNAME_MAX];
	bool tls = str_starts(url, STR("https://")), plain = str_starts(url, STR("http://"));
	struct str rest = url;
	uint16_t port;

	for (size_t i = 0; i < url.len; i++)
		if (url.at[i] <= ' ' || url.at[i] > '~')
			return err_set(e, ERR_INVALID,
				       "has a character that cannot stand in a URL");
	if (!tls && !plain)
		return err_set(e, ERR_INVALID, "must begin with https:// or http://");
	for (int i = 0; i < 2; i++)
		str_split(&rest, '/');
	if (url.len > HTTPC_URL_MAX || authority_parse(str_split(&rest, '/'), host, &port) < 0)
		return err_set(e, ERR_INVALID,
			       "must be https://HOST/... or http://HOST/..., without a user in it");
	return 0;
}

/* ── life ── */

int webhooks_new(struct loop *loop, struct httpc *httpc, struct webhooks **ret_webhooks,
		 struct err *e)
{
	struct webhooks *webhooks = calloc(1, sizeof(*webhooks));

	if (!webhooks)
		return err_set(e, ERR_NOMEM, "webhooks");
	webhooks->loop = loop;
	webhooks->httpc = httpc;
	list_init(&webhooks->queue);
	*ret_webhooks = webhooks;
	return 0;
}

void webhooks_free(struct webhooks *webhooks)
{
	struct webhook *hook, *next;

	if (!webhooks)
		return;
	list_for_each_safe (hook, next, &webhooks->queue, node)
		drop(hook);
	free(webhooks);
}
