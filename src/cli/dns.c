#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "cli/columns.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "dns/rules.h"

struct dns_options {
	struct common common;
	bool json;
};

static const struct option_row dns_rows[] = {
	{"json", 0, OPTION_FLAG, offsetof(struct dns_options, json),
	 .help = "print JSON, for programs"},
};

/* ── providers ── */

/* The host that its requests go to; "" where the configuration names it. */
static const char *host_of(char host[static HOSTNAME_MAX], const struct dns_provider *p)
{
	struct str rest = str_of(p->url ? p->url : p->steps[0].url ? p->steps[0].url : "");

	str_split(&rest, '/');
	str_split(&rest, '/');
	rest = str_split(&rest, '/');
	if (str_starts(rest, STR("{")))
		rest = str_of(p->server);
	if (!str_copy(host, HOSTNAME_MAX, rest))
		host[0] = '\0';
	return host;
}

static const char *protocol_of(const struct dns_provider *p)
{
	if (p->closed)
		return "";
	if (p->rfc2136)
		return "rfc2136";
	if (p->steps[0].url)
		return "api";
	return p->grammar == &dns_grammar_dyndns2 ? "dyndns2" : "http";
}

/* What a section of the configuration must have beside the name, and the variable of it. */
static const struct {
	const char *key, *variables[3];
} settings[] = {
	{"user", {"user"}},	{"password-file", {"pass", "signature"}},
	{"key", {"key"}},	{"zone", {"zone", "sub", "sub0"}},
	{"server", {"server"}},
};

static bool needs(const struct dns_provider *p, size_t setting)
{
	const char *key = settings[setting].key;

	if (p->closed)
		return false;
	if (p->rfc2136)
		return strcmp(key, "key") != 0;
	if ((p->zone && strcmp(key, "zone") == 0) || (p->server && strcmp(key, "server") == 0))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(settings[setting].variables); i++) {
		const char *variable = settings[setting].variables[i];

		if (variable && dns_provider_uses(p, variable))
			return true;
	}
	return false;
}

#define SETTINGS_TEXT_MAX 64
#define LIMIT_TEXT_MAX	  64

static const char *settings_text(char text[static SETTINGS_TEXT_MAX], const struct dns_provider *p)
{
	size_t n = 0;

	text[0] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(settings); i++)
		if (needs(p, i))
			n += (size_t)snprintf(text + n, SETTINGS_TEXT_MAX - n, "%s%s", n ? " " : "",
					      settings[i].key);
	return text;
}

static const char *limit_text(char text[static LIMIT_TEXT_MAX], const struct dns_provider *p)
{
	struct dns_rules rules;
	bool minutes;
	int n;

	dns_rules_of(p, &rules);
	minutes = rules.interval_s % 60 == 0;
	n = snprintf(text, LIMIT_TEXT_MAX, "%u %s",
		     minutes ? rules.interval_s / 60 : rules.interval_s, minutes ? "min" : "s");
	if (rules.per_day)
		snprintf(text + n, LIMIT_TEXT_MAX - (size_t)n, ", %u a day", rules.per_day);
	return text;
}

static void print_open(void)
{
	struct columns c = {0};

	columns_row(&c, "NAME", "HOST", "IPV4", "IPV6", "PREFIX", "TXT", "PROTOCOL", "INTERVAL",
		    "SETTINGS", NULL);
	for (size_t i = 0; i < dns_providers_count; i++) {
		const struct dns_provider *p = &dns_providers[i];
		char host[HOSTNAME_MAX], limit[LIMIT_TEXT_MAX], needed[SETTINGS_TEXT_MAX];
		unsigned can = dns_provider_can(p);

		if (!p->closed)
			columns_row(&c, p->name, host_of(host, p), can & DNS_CAN_A ? "yes" : "",
				    can & DNS_CAN_AAAA ? "yes" : "",
				    can & DNS_CAN_PREFIX ? "yes" : "",
				    can & DNS_CAN_TXT ? "yes" : "", protocol_of(p),
				    limit_text(limit, p), settings_text(needed, p), NULL);
	}
	columns_print(&c, stdout);
	columns_done(&c);
}

static void print_notes(void)
{
	printf("\nNotes\n");
	for (size_t i = 0; i < dns_providers_count; i++)
		if (dns_providers[i].note)
			printf("  %s: %s\n", dns_providers[i].name, dns_providers[i].note);
	printf("\nClosed\n");
	for (size_t i = 0; i < dns_providers_count; i++)
		if (dns_providers[i].closed)
			printf("  %s: %s\n", dns_providers[i].name, dns_providers[i].closed);
}

static json_t *settings_json(const struct dns_provider *p)
{
	json_t *list = json_array();

	for (size_t i = 0; i < ARRAY_LEN(settings); i++)
		if (needs(p, i))
			json_array_append_new(list, json_string(settings[i].key));
	return list;
}

static json_t *provider_json(const struct dns_provider *p)
{
	char host[HOSTNAME_MAX];
	unsigned can = p->closed ? 0 : dns_provider_can(p);
	struct dns_rules rules;

	dns_rules_of(p, &rules);
	host_of(host, p);
	return json_pack("{s:s, s:s, s:s?, s:s?, s:b, s:b, s:b, s:b, s:b, s:b, s:o, s:i, s:i, s:i, "
			 "s:i, s:i, s:s?, s:s?, s:s?}",
			 "name", p->name, "title", p->title, "host", *host ? host : NULL,
			 "protocol", p->closed ? NULL : protocol_of(p), "ipv4",
			 (can & DNS_CAN_A) != 0, "ipv6", (can & DNS_CAN_AAAA) != 0, "both_at_once",
			 (can & DNS_CAN_BOTH) != 0, "both_only", (can & DNS_CAN_ONLY_BOTH) != 0,
			 "prefix", (can & DNS_CAN_PREFIX) != 0, "txt", (can & DNS_CAN_TXT) != 0,
			 "settings", settings_json(p), "interval_s", (int)rules.interval_s,
			 "per_day", (int)rules.per_day, "refresh_days", (int)p->refresh_days,
			 "remind_days", (int)p->remind_days, "ttl_min_s", (int)p->ttl_min_s, "note",
			 p->note, "closed", p->closed, "source", p->source);
}

static int print_json(json_t *json) /* takes it */
{
	int r = json ? json_dumpf(json, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER) : -1;

	if (r < 0)
		complain("dns", json ? "the output could not be written" : "no memory");
	else
		putchar('\n');
	json_decref(json);
	return r < 0 ? 1 : 0;
}

static int providers_run(const struct dns_options *o, const struct option_args *args)
{
	json_t *list;

	if (!o->json) {
		print_open();
		print_notes();
		return 0;
	}
	list = json_array();
	for (size_t i = 0; i < dns_providers_count; i++)
		json_array_append_new(list, provider_json(&dns_providers[i]));
	return print_json(json_pack("{s:o}", "providers", list));
}

/* ── the command ── */

/* args of run: what stands behind the verb */
static const struct verb {
	const char *name, *usage;
	unsigned min_args, max_args;
	int (*run)(const struct dns_options *o, const struct option_args *args);
} verbs[] = {
	{"providers", "providers", 0, 0, providers_run},
};

static int wrong_verb(const char *word)
{
	char text[256];
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s", n ? ", " : "",
				      verbs[i].name);
	complain("dns", "\"%s\" is none of: %s", word, text);
	return 2;
}

static int dns_run(const void *options, const struct option_args *args)
{
	struct option_args rest = {.n = args->n - 1};
	const struct verb *verb = NULL;
	int r;

	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		if (strcmp(verbs[i].name, args->at[0]) == 0)
			verb = &verbs[i];
	if (!verb)
		return wrong_verb(args->at[0]);
	memcpy(rest.at, args->at + 1, rest.n * sizeof(*rest.at));
	if (rest.n < verb->min_args || rest.n > verb->max_args) {
		complain("dns", "usage: homeport dns %s", verb->usage);
		return 2;
	}
	r = verb->run(options, &rest);
	if (r == 0 && fflush(stdout) != 0)
		return complain("dns", "the output could not be written");
	return r;
}

const struct command command_dns = {
	.name = "dns",
	.args = "providers",
	.min_args = 1,
	.max_args = 2,
	.summary = "names at providers of dynamic DNS",
	.details = "providers: those that homeport can keep names at: where its requests go, which "
		   "records it can set there (PREFIX: the network's IPv6 prefix, for all machines "
		   "of a home at once), how long it lets pass between two requests for one name at "
		   "least, and what the name's section of the configuration must have.",
	.example = "homeport dns providers\n"
		   "homeport dns providers --json | jq -r '.providers[] | select(.txt).name'",
	OPTION_ROWS(dns_rows, struct dns_options),
	.run = dns_run,
};
