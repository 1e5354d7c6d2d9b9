#include "agent/names_events.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/secret.h"
#include "net/ndjson.h"

static const struct {
	const char *word; /* of hooks; NULL: they are not told */
	enum log_level level;
} kinds[] = {
	[DNS_EVENT_CHANGED] = {"changed", LOG_LEVEL_INFO},
	[DNS_EVENT_KEPT] = {NULL, LOG_LEVEL_INFO},
	[DNS_EVENT_PARKED] = {"parked", LOG_LEVEL_ERROR},
	[DNS_EVENT_TROUBLE] = {NULL, LOG_LEVEL_WARNING},
	[DNS_EVENT_REMIND] = {"remind", LOG_LEVEL_WARNING},
	[DNS_EVENT_STATE] = {NULL, LOG_LEVEL_ERROR},
	[DNS_EVENT_CLOCK] = {NULL, LOG_LEVEL_WARNING},
};

static const char *address_text(char text[static IPADDR_TEXT_MAX], const struct dns_event *event)
{
	return event->address.family ? ipaddr_format(text, &event->address) : "";
}

/* ── words ── */

const char *names_event_text(char text[static NAMES_EVENT_TEXT_MAX], const struct dns_event *event)
{
	char address[IPADDR_TEXT_MAX], span[USTIME_TEXT_MAX], words[LOG_TEXT_MAX];
	char reply[LOG_TEXT_MAX + 4] = "";

	log_text(words, str_of(event->text));
	if (*words)
		snprintf(reply, sizeof(reply), " (%s)", words);
	switch (event->kind) {
	case DNS_EVENT_CHANGED:
		if (strcmp(address_text(address, event), event->host) == 0) /* a reserved one */
			snprintf(text, NAMES_EVENT_TEXT_MAX, "%s leads where it should, at %s",
				 event->host, event->provider);
		else
			snprintf(text, NAMES_EVENT_TEXT_MAX, "name %s is %s now, at %s",
				 event->host, address, event->provider);
		break;
	case DNS_EVENT_KEPT:
		snprintf(text, NAMES_EVENT_TEXT_MAX, "name %s is %s still, at %s", event->host,
			 address_text(address, event), event->provider);
		break;
	case DNS_EVENT_PARKED:
		snprintf(text, NAMES_EVENT_TEXT_MAX,
			 "name %s at %s: %s%s; nothing more is sent until the configuration is "
			 "another one, or \"homeport dns update %s\"",
			 event->host, event->provider, dns_verdict_text(event->verdict), reply,
			 event->label);
		break;
	case DNS_EVENT_TROUBLE:
		ustime_format_span(span, (usec_t)MAX(event->retry_s, 0) * USEC_PER_S);
		snprintf(text, NAMES_EVENT_TEXT_MAX, "name %s at %s: %s%s; trying again in %s",
			 event->host, event->provider, dns_verdict_text(event->verdict), reply,
			 span);
		break;
	case DNS_EVENT_REMIND:
		snprintf(text, NAMES_EVENT_TEXT_MAX,
			 "name %s must be confirmed on the web site of %s soon, or it is deleted; "
			 "then: homeport dns confirmed %s",
			 event->host, event->provider, event->label);
		break;
	case DNS_EVENT_CLOCK:
		snprintf(text, NAMES_EVENT_TEXT_MAX,
			 "names wait until the clock of this machine is set");
		break;
	case DNS_EVENT_STATE:
		snprintf(text, NAMES_EVENT_TEXT_MAX, "names cannot be remembered: %s", words);
		break;
	}
	return text;
}

json_t *names_event_json(const struct dns_event *event, usec_t wall)
{
	char address[IPADDR_TEXT_MAX], time[USTIME_TEXT_MAX], text[NAMES_EVENT_TEXT_MAX];

	return json_pack("{s:s s:s s:o s:o s:s s:s s:s s:s s:o s:o}", "event",
			 kinds[event->kind].word, "time", ustime_format_wall(time, wall), "name",
			 ndjson_text(event->label), "host", ndjson_text(event->host), "provider",
			 event->provider, "family", event->family == 6 ? "ipv6" : "ipv4", "address",
			 address_text(address, event), "verdict", dns_verdict_word(event->verdict),
			 "reply", ndjson_text(event->text ? event->text : ""), "text",
			 ndjson_text(names_event_text(text, event)));
}

/* ── hooks ── */

static void run_program(struct names_events *events, const struct agent_name *name,
			const struct dns_event *event)
{
	const char *program = event->kind == DNS_EVENT_CHANGED ? name->on_change : name->on_park;
	char address[IPADDR_TEXT_MAX];
	const struct hook_value values[] = {
		{"HOMEPORT_EVENT", kinds[event->kind].word},
		{"HOMEPORT_NAME", event->host},
		{"HOMEPORT_PROVIDER", event->provider},
		{"HOMEPORT_FAMILY", event->family == 6 ? "ipv6" : "ipv4"},
		{"HOMEPORT_ADDRESS", address_text(address, event)},
		{"HOMEPORT_REASON", event->kind == DNS_EVENT_REMIND
					    ? "to be confirmed on the provider's web site"
					    : dns_verdict_text(event->verdict)},
	};

	if (program)
		hook_run(events->hooks, program, values, ARRAY_LEN(values));
}

void names_events_tell(struct names_events *events, const struct dns_event *event)
{
	char text[NAMES_EVENT_TEXT_MAX];

	log_write(kinds[event->kind].level, "%s", names_event_text(text, event));
	if (!kinds[event->kind].word)
		return;
	for (size_t i = 0; i < events->n; i++) {
		const struct agent_name *name = &events->configured[i];

		if (strcmp(name->keep.label, event->label) != 0)
			continue;
		run_program(events, name, event);
		if (events->urls[i])
			webhook_send(events->webhooks, events->urls[i], event->label,
				     names_event_json(event, ustime_wall()));
		return;
	}
}

/* ── life ── */

int names_events_init(struct names_events *events, struct hooks *hooks, struct webhooks *webhooks,
		      const struct agent_name *configured, size_t n, struct err *e)
{
	struct err why = {0};

	*events = (struct names_events){
		.hooks = hooks, .webhooks = webhooks, .configured = configured, .n = n};
	events->urls = calloc(n + 1, sizeof(*events->urls));
	if (!events->urls)
		return err_set(e, ERR_NOMEM, "names");
	for (size_t i = 0; i < n; i++)
		if (configured[i].webhook &&
		    agent_name_webhook(configured[i].webhook, &events->urls[i], &why) < 0)
			log_error("name %s has no webhook: %s", configured[i].host, why.text);
	return 0;
}

void names_events_done(struct names_events *events)
{
	for (size_t i = 0; events->urls && i < events->n; i++) {
		if (events->urls[i])
			secret_wipe(events->urls[i], strlen(events->urls[i]));
		free(events->urls[i]);
	}
	free(TAKE(events->urls));
}
