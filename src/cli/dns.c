#include <assert.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "cli/columns.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "cli/dns_test.h"
#include "cli/dns_txt.h"
#include "base/log.h"
#include "dns/naming.h"
#include "dns/rules.h"
#include "net/ctl.h"

struct dns_options {
	struct common common;
	bool json, force, send;
	const char *wait, *keep;
};

static const struct option_row dns_rows[] = {
	{"force", 'f', OPTION_FLAG, offsetof(struct dns_options, force),
	 .help = "update, test --send: send what the provider is believed to have, too"},
	{"send", 0, OPTION_FLAG, offsetof(struct dns_options, send),
	 .help = "test NAME: send an update, as dns update does, and wait for the answer"},
	{"keep", 0, OPTION_TEXT, offsetof(struct dns_options, keep), .arg = "SPAN",
	 .help = "txt add: remove it after so long, by itself (1h); 0s: never"},
	{"wait", 0, OPTION_TEXT, offsetof(struct dns_options, wait), .arg = "SPAN",
	 .help = "txt: wait at most so long until all of the zone's name servers have it (10m; "
		 "remove: 0s)"},
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
	char host[HOSTNAME_MAX], names[DNS_NAMING_TEXT_MAX];
	unsigned can = p->closed ? 0 : dns_provider_can(p);
	struct dns_rules rules;

	dns_rules_of(p, &rules);
	host_of(host, p);
	return json_pack("{s:s, s:s, s:s?, s:s?, s:b, s:b, s:b, s:b, s:b, s:b, s:o, s:i, s:i, s:i, "
			 "s:i, s:i, s:s, s:s?, s:s?, s:s?}",
			 "name", p->name, "title", p->title, "host", *host ? host : NULL,
			 "protocol", p->closed ? NULL : protocol_of(p), "ipv4",
			 (can & DNS_CAN_A) != 0, "ipv6", (can & DNS_CAN_AAAA) != 0, "both_at_once",
			 (can & DNS_CAN_BOTH) != 0, "both_only", (can & DNS_CAN_ONLY_BOTH) != 0,
			 "prefix", (can & DNS_CAN_PREFIX) != 0, "txt", (can & DNS_CAN_TXT) != 0,
			 "settings", settings_json(p), "interval_s", (int)rules.interval_s,
			 "per_day", (int)rules.per_day, "refresh_days", (int)p->refresh_days,
			 "remind_days", (int)p->remind_days, "ttl_min_s", (int)p->ttl_min_s,
			 "names", dns_naming_text(names, p), "note", p->note, "closed", p->closed,
			 "source", p->source);
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

/* ── the running agent's names ── */

/* The answer is the caller's; NULL: *ret_exit is the exit code, and the reason is told. */
static json_t *ask_agent(const struct dns_options *o, json_t *request, int *ret_exit)
{
	AUTO(places_done) struct places places = {0};
	json_t *answer = NULL;
	struct err e = {0};
	int r = places_find(&o->common, &places, &e);

	if (r == 0)
		r = request ? ctl_ask(places.socket, request, &answer, &e)
			    : err_set(&e, ERR_NOMEM, "no memory");
	json_decref(request);
	if (r == 0)
		return answer;
	if (r == -ERR_REFUSED)
		*ret_exit = complain("dns",
				     "homeport is not running here (nobody answers on %s). "
				     "Start it with: homeport up",
				     places.socket);
	else
		*ret_exit = complain("dns", "%s", e.text);
	return NULL;
}

#define SAID_MAX 160 /* of what the agent says: as much as a line bears */

/* "good" is not worth a word. */
static void print_name(struct columns *c, const json_t *name)
{
	const char *published = json_text(name, "published"), *wanted = json_text(name, "wanted");
	usec_t retry = (usec_t)json_number(name, "retry_s") * USEC_PER_S;
	char note[2 * SAID_MAX + 160], span[USTIME_TEXT_MAX];
	size_t n = 0;

	*note = '\0';
	if (strcmp(json_text(name, "answer"), "good") != 0 &&
	    strcmp(json_text(name, "answer"), "nochg") != 0)
		n += (size_t)snprintf(note + n, sizeof(note) - n, "%.*s", SAID_MAX,
				      json_text(name, "meaning"));
	if (!*wanted)
		n += (size_t)snprintf(note + n, sizeof(note) - n, "%s%.*s", n ? "; " : "", SAID_MAX,
				      json_text(name, "why"));
	if (retry)
		n += (size_t)snprintf(note + n, sizeof(note) - n, "%sagain in %s", n ? "; " : "",
				      ustime_format_span(span, retry));
	if (json_is_true(json_object_get(name, "confirm")))
		snprintf(note + n, sizeof(note) - n, "%sto be confirmed on its web site",
			 n ? "; " : "");
	columns_row(c, json_text(name, "host"), json_text(name, "provider"),
		    strcmp(json_text(name, "family"), "ipv6") == 0 ? "AAAA" : "A",
		    json_text(name, "state"), published,
		    strcmp(published, wanted) == 0 ? "" : wanted, json_text(name, "source"), note,
		    NULL);
}

static int status_verb(const struct dns_options *o, const struct option_args *args)
{
	const json_t *names, *name;
	struct columns c = {0};
	int code = 1;
	size_t i;
	json_t *answer = ask_agent(o, json_pack("{s:s}", "command", "dns-status"), &code);

	if (!answer)
		return code;
	names = json_object_get(answer, "names");
	if (o->json) {
		code = print_json(json_pack("{s:O}", "names", names));
		json_decref(answer);
		return code;
	}
	columns_row(&c, "NAME", "PROVIDER", "RECORD", "STATE", "PUBLISHED", "WANTED", "SOURCE",
		    "NOTE", NULL);
	json_array_foreach(names, i, name) print_name(&c, name);
	columns_print(&c, stdout);
	columns_done(&c);
	json_decref(answer);
	return 0;
}

static int tell_agent(const struct dns_options *o, const char *command,
		      const struct option_args *args, const char *done)
{
	const char *name = args->n ? args->at[0] : NULL;
	int code = 1;
	json_t *answer = ask_agent(
		o, json_pack("{s:s s:s* s:b}", "command", command, "name", name, "force", o->force),
		&code);

	if (!answer)
		return code;
	json_decref(answer);
	if (!o->json)
		printf("%s%s%s\n", name ? name : "all names", ": ", done);
	return 0;
}

static int update_verb(const struct dns_options *o, const struct option_args *args)
{
	return tell_agent(o, "dns-update", args,
			  o->force ? "sent again as soon as the provider's rules allow it"
				   : "what differs is sent, also where the provider had refused");
}

static int confirmed_verb(const struct dns_options *o, const struct option_args *args)
{
	return tell_agent(o, "dns-confirmed", args, "no reminder for a while");
}

static int txt_verb(const struct dns_options *o, const struct option_args *args)
{
	const struct dns_txt_options txt = {
		.common = &o->common, .json = o->json, .wait = o->wait, .keep = o->keep};

	return dns_txt_verb(&txt, args);
}

static int test_verb(const struct dns_options *o, const struct option_args *args)
{
	const struct dns_test_options test = {.common = &o->common,
					      .name = args->n ? args->at[0] : NULL,
					      .json = o->json,
					      .send = o->send,
					      .force = o->force};

	if (o->send && !args->n) {
		complain("dns", "--send wants a NAME: homeport dns test NAME --send");
		return 2;
	}
	if (o->force && !o->send) {
		complain("dns", "test sends nothing without --send: --force is of no use");
		return 2;
	}
	return dns_test_run(&test);
}

/* ── the command ── */

static const struct option_form dns_forms[] = {
	{"status", "what the names of the configuration have, of the homeport that runs here"},
	{"update [NAME]", "what was refused or waits is tried at once"},
	{"test [NAME]", "would it work? The address that would be published, and who says so; what "
			"is published; the "
			"requests that would be sent, without their secrets, and when; and what "
			"the provider says to "
			"those that change nothing, which are made"},
	{"confirmed NAME", "it was confirmed on the provider's web site, where one asks for that"},
	{"txt add|remove NAME VALUE",
	 "one TXT value is added beside those that are there, or exactly that one removed, with "
	 "the "
	 "credentials of the section that has the NAME, one above it, or its zone"},
	{"providers", "those that homeport can keep names at: where its requests go, which records "
		      "it can set there, "
		      "how long it lets pass between two requests for one name at least, and what "
		      "the section must "
		      "have"},
};

/* In the same order. args of run: what stands behind the verb */
static const struct verb {
	const char *name;
	unsigned min_args, max_args;
	int (*run)(const struct dns_options *o, const struct option_args *args);
} verbs[] = {
	{"status", 0, 0, status_verb}, {"update", 0, 1, update_verb},
	{"test", 0, 1, test_verb},     {"confirmed", 1, 1, confirmed_verb},
	{"txt", 3, 3, txt_verb},       {"providers", 0, 0, providers_run},
};
static_assert(ARRAY_LEN(verbs) == ARRAY_LEN(dns_forms), "each verb has its help");

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
		complain("dns", "usage: homeport dns %s", dns_forms[verb - verbs].words);
		return 2;
	}
	r = verb->run(options, &rest);
	if (r == 0 && fflush(stdout) != 0)
		return complain("dns", "the output could not be written");
	return r;
}

const struct command command_dns = {
	.name = "dns",
	.args = "WHAT",
	.forms = dns_forms,
	.n_forms = ARRAY_LEN(dns_forms),
	.min_args = 1,
	.max_args = 4,
	.summary = "names at providers of dynamic DNS",
	.details = "A NAME is a section of the configuration, or its host; without one it is all "
		   "of them. test: a name server is sent a signed update that changes nothing. At "
		   "providers "
		   "of one request there is none that is harmless: --send sends an update by their "
		   "rules. Without a homeport that runs here the configuration is tested with what "
		   "this machine knows by itself. txt: it is done when all of the zone's name "
		   "servers have the value, so a client for certificates can go on (DNS-01); a "
		   "VALUE that begins with \"-\" needs \"--\" before it. providers: PREFIX is the "
		   "network's IPv6 prefix, for all machines of a home at once.",
	.example = "homeport dns status\n"
		   "homeport dns test blog.example.org\n"
		   "homeport dns update blog.example.org\n"
		   "homeport dns txt add -- _acme-challenge.blog.example.org gfj9Xq_-Rg85nM\n"
		   "homeport dns providers\n"
		   "homeport dns providers --json | jq -r '.providers[] | select(.txt).name'",
	OPTION_ROWS(dns_rows, struct dns_options),
	.run = dns_run,
};
