#include "cli/dns_txt.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "conf/value.h"
#include "dns/keeper_txt.h"
#include "net/ctl.h"

#define WAIT_DEFAULT (600 * USEC_PER_S) /* Gandi and Porkbun have needed as much */
#define KEEP_DEFAULT (3600 * USEC_PER_S)
#define KEEP_MAX     (366 * 86400ull * USEC_PER_S)
#define ASK_MORE     (300 * USEC_PER_S) /* for the provider, and who is before us there */

static int parse_span(const char *option, const char *text, usec_t most, usec_t *span,
		      struct err *e)
{
	struct conf_row row = {.type = CONF_DURATION, .min = 0, .max = (int64_t)most};
	int64_t value = CONF_UNSET;

	if (!text)
		return 0;
	if (value_parse(&row, &value, str_of(text), STR(""), e) < 0)
		return err_wrap(e, -ERR_INVALID, "--%s %s", option, text);
	*span = (usec_t)value;
	return 0;
}

static int ask(const struct dns_txt_options *o, bool remove, const struct option_args *args,
	       usec_t wait, usec_t keep, json_t **ret_answer, struct err *e)
{
	AUTO(places_done) struct places places = {0};
	json_t *request;
	int r = places_find(o->common, &places, e);

	if (r < 0)
		return r;
	request = json_pack("{s:s s:s s:s s:b s:I s:I}", "command", "dns-txt", "name", args->at[1],
			    "value", args->at[2], "remove", remove, "wait_s",
			    (json_int_t)(wait / USEC_PER_S), "keep_s",
			    (json_int_t)(keep / USEC_PER_S));
	r = request ? ctl_ask_within(places.socket, request, wait + ASK_MORE, ret_answer, e)
		    : err_set(e, ERR_INVALID, "a name and a value are text in UTF-8");
	json_decref(request);
	if (r == -ERR_REFUSED)
		err_set(e, ERR_REFUSED,
			"homeport is not running here (nobody answers on %s). Start it with: "
			"homeport up",
			places.socket);
	return r;
}

static void print_result(const json_t *answer, bool remove, usec_t keep)
{
	bool changed = json_is_true(json_object_get(answer, "changed"));
	const char *served = json_text(answer, "served");
	char span[USTIME_TEXT_MAX], name[LOG_TEXT_MAX];

	log_text(name, str_of(json_text(answer, "name")));
	if (remove)
		printf("%s: %s at %s\n", name, changed ? "removed" : "not there",
		       json_text(answer, "provider"));
	else
		printf("%s: %s at %s\n", name, changed ? "added" : "there already",
		       json_text(answer, "provider"));
	if (strcmp(served, "yes") == 0)
		printf("%lld of %lld name servers of the zone %s it%s\n",
		       json_number(answer, "serving"), json_number(answer, "servers"),
		       remove ? "no longer have" : "have",
		       json_number(answer, "serving") == json_number(answer, "servers")
			       ? ""
			       : "; the others do not answer");
	if (!remove && keep)
		printf("it is removed in %s, or as soon after that as homeport runs\n",
		       ustime_format_span(span, keep));
}

int dns_txt_verb(const struct dns_txt_options *o, const struct option_args *args)
{
	bool remove = strcmp(args->at[0], "remove") == 0;
	usec_t wait = remove ? 0 : WAIT_DEFAULT, keep = remove ? 0 : KEEP_DEFAULT;
	json_t *answer = NULL;
	struct err e = {0};
	int r;

	if (!remove && strcmp(args->at[0], "add") != 0) {
		complain("dns", "usage: homeport dns txt add|remove NAME VALUE");
		return 2;
	}
	if (parse_span("wait", o->wait, DNS_TXT_WAIT_MAX, &wait, &e) < 0 ||
	    parse_span("keep", o->keep, KEEP_MAX, &keep, &e) < 0) {
		complain("dns", "%s", e.text);
		return 2;
	}
	if (ask(o, remove, args, wait, keep, &answer, &e) < 0)
		return complain("dns", "%s", e.text);
	if (strcmp(json_text(answer, "served"), "unknown") == 0)
		fprintf(stderr, "homeport dns: warning: none of the zone's name servers could be "
				"asked whether they have it\n");
	json_object_del(answer, "ok");
	r = o->json ? json_dumpf(answer, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER) : 0;
	if (o->json)
		putchar('\n');
	else
		print_result(answer, remove, keep);
	json_decref(answer);
	return r < 0 ? complain("dns", "the output could not be written") : 0;
}
