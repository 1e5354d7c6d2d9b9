#include "cli/dns_test.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "agent/names.h"
#include "base/log.h"
#include "dns/machine.h"
#include "net/httpc.h"
#include "net/ndjson.h"
#include "net/sock.h"

#define CONNECT_TIMEOUT (2 * USEC_PER_S)
#define PATIENCE	(150 * USEC_PER_S) /* without a word: a name's lookups, checks and answer */

struct dns_test {
	const struct dns_test_options *options; /* borrowed */
	struct places places;			/* owned */
	struct loop *loop;			/* owned, as what follows */
	struct sock_connect *connect;
	struct ndjson_conn *conn;
	struct timer patience;
	bool over;
	int code;
	json_t *all;	  /* of --json */
	unsigned printed; /* else: how many */

	/* without a homeport that runs */
	bool alone;
	struct agent_config config;
	bool has_config;
	struct httpc *httpc;
	struct uplink_watch *uplink;
	struct names *names;
	struct names_test *test;
};

static void stop(struct dns_test *t)
{
	t->over = true;
	loop_stop(t->loop);
}

static void fail(struct dns_test *t, const char *text)
{
	t->code = complain("dns", "%s", text);
	stop(t);
}

/* ── for people ── */

/* Of any length; it may be a stranger's. */
static void print_text(const char *text)
{
	char piece[LOG_TEXT_MAX];
	size_t len = strlen(text), n;

	for (; len; text += n, len -= n) {
		n = MIN(len, sizeof(piece) / 8);
		fputs(log_text(piece, str_n(text, n)), stdout);
	}
}

/* A line; word "" continues what is above. */
static void line(const char *word, const char *text)
{
	printf("  %-7s ", word);
	print_text(text);
	putchar('\n');
}

static void PRINTF(1, 2) more(const char *fmt, ...)
{
	char text[2 * LOG_TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	line("", text);
}

/* "203.0.113.7 from the gateway", "2001:db8::7, of 2001:db8::1 from the interface". */
static void print_address(const json_t *record, const char *type)
{
	const char *wanted = json_text(record, "wanted"), *why = json_text(record, "why");
	bool same = str_starts(str_of(why), str_of(wanted));

	printf("  %-7s ", type);
	if (!*wanted)
		printf("none: ");
	else if (!same || !*why)
		print_text(wanted);
	if (!*why)
		printf(", as configured");
	else if (*wanted && !same)
		printf(", of ");
	print_text(why);
	putchar('\n');
}

static void print_found(const json_t *record, const char *type)
{
	const json_t *found = json_object_get(record, "found");

	if (!found)
		return;
	if (json_is_null(found))
		more("published: could not be found out");
	else if (!*json_text(record, "found"))
		more("published: no %s record", type);
	else
		more("published: %s", json_text(record, "found"));
}

/* What the provider has is known from the name servers only. */
static void print_asks(const struct dns_test *t, const json_t *record)
{
	if (!t->alone || json_is_null(json_object_get(record, "found")))
		more("it is sent if the zone's name servers have another address");
	else if (strcmp(json_text(record, "found"), json_text(record, "wanted")) == 0)
		more("nothing to send");
	else
		more("it would be sent now");
}

static void print_nothing(const json_t *record)
{
	usec_t confirmed = (usec_t)json_number(record, "confirmed") * USEC_PER_S;
	char span[USTIME_TEXT_MAX];

	if (confirmed && confirmed <= ustime_wall())
		more("nothing to send: the provider has it, as of %s ago",
		     ustime_format_span(span, ustime_wall() - confirmed));
	else
		more("nothing to send");
}

static void print_prospect(const struct dns_test *t, const json_t *name, const json_t *record)
{
	usec_t wait = (usec_t)json_number(record, "send_s") * USEC_PER_S;
	const char *send = json_text(record, "send"), *why = json_text(record, "meaning");
	char span[USTIME_TEXT_MAX];

	ustime_format_span(span, wait);
	if (strcmp(send, "now") == 0)
		more("it %s sent now", t->alone ? "would be" : "is");
	else if (strcmp(send, "asks") == 0)
		print_asks(t, record);
	else if (strcmp(send, "under-way") == 0)
		more("it is being asked or sent just now");
	else if (strcmp(send, "parked") == 0)
		more("nothing is sent until the configuration is another one, or \"homeport dns "
		     "update %s\": %s",
		     json_text(name, "name"), why);
	else if (strcmp(send, "trouble") == 0)
		more("it is sent in %s, after this answer: %s", span, why);
	else if (strcmp(send, "interval") == 0)
		more("it is sent in %s: the provider's interval between two requests", span);
	else if (strcmp(send, "budget") == 0)
		more("it is sent in %s: the provider's requests of a day are used up", span);
	else if (strcmp(send, "other-family") == 0)
		more("nothing is sent: the provider takes both addresses at once only, and the "
		     "other one is not known");
	else if (strcmp(send, "nothing") == 0)
		print_nothing(record);
	else
		more("nothing to send");
}

/* What only reads was made just now. */
static void print_request(const json_t *request)
{
	const json_t *headers = json_object_get(request, "headers"), *header;
	bool changes = json_is_true(json_object_get(request, "changes"));
	const char *update = json_text(request, "update"), *body = json_text(request, "body");
	size_t i;

	printf("  %-7s %s%s", changes ? "update" : "asked", json_text(request, "method"),
	       *update ? "" : " ");
	print_text(*update ? update : json_text(request, "url"));
	putchar('\n');
	json_array_foreach(headers, i, header) line("", json_string_value(header));
	if (*body)
		line("", body);
}

static void print_list(const json_t *name, const char *field, const char *word)
{
	const json_t *list = json_object_get(name, field), *o;
	size_t i;

	json_array_foreach(list, i, o)
	{
		const json_t *good = json_object_get(o, "good");
		const char *family = json_text(o, "family");

		printf("  %-7s %s", word,
		       json_is_null(good)   ? ""
		       : json_is_true(good) ? "good: "
					    : "bad: ");
		print_text(json_text(o, "text"));
		puts(strcmp(family, "ipv6") == 0   ? " (AAAA)"
		     : strcmp(family, "ipv4") == 0 ? " (A)"
						   : "");
	}
}

static void print_verdict(const json_t *name)
{
	const json_t *works = json_object_get(name, "works");

	printf("  %-7s ", "works");
	if (json_is_true(works)) {
		printf("yes");
	} else {
		printf(json_is_null(works) ? "perhaps: " : "no: ");
		print_text(json_text(name, "text"));
	}
	putchar('\n');
}

static void print_name(struct dns_test *t, const json_t *name)
{
	const json_t *records = json_object_get(name, "records"), *o;
	const json_t *requests = json_object_get(name, "requests");
	size_t i;

	if (t->printed++)
		putchar('\n');
	print_text(json_text(name, "host"));
	printf(" at %s\n", json_text(name, "provider"));
	json_array_foreach(records, i, o)
	{
		const char *type = strcmp(json_text(o, "family"), "ipv6") == 0 ? "AAAA" : "A";

		print_address(o, type);
		print_found(o, type);
		print_prospect(t, name, o);
	}
	json_array_foreach(requests, i, o) print_request(o);
	print_list(name, "checks", "check");
	print_list(name, "sent", "sent");
	if (t->options->send && !json_array_size(json_object_get(name, "sent")))
		line("sent", "nothing");
	print_verdict(name);
}

/* Takes it. */
static void tell(struct dns_test *t, json_t *tested)
{
	timer_start(&t->patience, PATIENCE);
	if (json_is_false(json_object_get(tested, "works")))
		t->code = 1;
	if (t->options->json)
		json_array_append(t->all, tested);
	else
		print_name(t, tested);
	json_decref(tested);
	fflush(stdout);
}

/* ── by itself ── */

static void on_uplink(void *arg)
{
	struct dns_test *t = arg;

	if (t->names)
		names_look(t->names);
}

static void on_tested(void *arg, json_t *tested, const struct err *end)
{
	struct dns_test *t = arg;

	if (tested) {
		tell(t, tested);
		return;
	}
	t->test = NULL;
	if (end->code)
		fail(t, end->text);
	else
		stop(t);
}

/* It is asked by a homeport that runs only: that may take seconds. */
static bool ask_router(void *arg)
{
	return false;
}

static int start_alone(struct dns_test *t, struct err *e)
{
	struct names_setup setup = {
		.state = t->places.state, .only_look = true, .ask_router = ask_router};
	AUTO(freep) char *path = NULL;
	int r;

	r = common_config(t->options->common, &t->config, &path, e);
	if (r < 0) {
		t->code = common_config_exit(r);
		return r;
	}
	t->has_config = true;
	if (!t->config.n_names)
		return err_set(e, ERR_FAILED,
			       "no names are configured: see [dns NAME] in homeport.conf");
	r = httpc_new(t->loop, &t->httpc, e);
	if (r == 0)
		r = uplink_watch_new(t->loop, NULL, on_uplink, t, &t->uplink, e);
	setup.httpc = t->httpc;
	setup.uplink = t->uplink;
	setup.configured = t->config.names;
	setup.n = t->config.n_names;
	setup.others = &t->config.observe;
	if (r == 0)
		r = names_new(t->loop, &setup, &t->names, e);
	if (r == 0)
		r = names_test_start(t->names, t->options->name, 0, on_tested, t, &t->test, e);
	return r;
}

static void go_alone(struct dns_test *t)
{
	struct err e = {0};

	if (t->options->send) {
		t->code = complain("dns",
				   "homeport is not running here (nobody answers on %s), and only "
				   "it sends updates. Start it with: homeport up",
				   t->places.socket);
		stop(t);
		return;
	}
	t->alone = true;
	if (start_alone(t, &e) == 0) {
		if (!t->options->json)
			printf("homeport is not running here: this is without the gateway's and "
			       "the router's word.\n\n");
		return;
	}
	if (t->code == 2)
		fprintf(stderr, "%s\n", e.text);
	else
		complain("dns", "%s", e.text);
	t->code = MAX(t->code, 1);
	stop(t);
}

/* ── by the homeport that runs ── */

static int on_object(void *arg, json_t *object, struct err *e)
{
	json_t *tested = json_object_get(object, "tested");
	struct dns_test *t = arg;

	if (tested) {
		tell(t, json_incref(tested));
	} else if (json_is_true(json_object_get(object, "end"))) {
		stop(t);
	} else if (json_is_false(json_object_get(object, "names"))) {
		ndjson_conn_free(TAKE(t->conn));
		go_alone(t);
	} else {
		fail(t, json_text(object, "error"));
	}
	return 0;
}

static void on_closed(void *arg, const struct err *why)
{
	struct dns_test *t = arg;

	if (!t->over)
		fail(t, "the homeport that runs here hung up");
}

static const struct ndjson_conn_handler conn_handler = {.on_object = on_object,
							.on_closed = on_closed};

static int ask(struct dns_test *t, struct stream *s, struct err *e)
{
	const struct dns_test_options *o = t->options;
	json_t *request = json_pack("{s:s s:s* s:b s:b}", "command", "dns-test", "name", o->name,
				    "send", o->send, "force", o->force);
	int r = ndjson_conn_new(s, &conn_handler, t, &t->conn, e);

	if (r == 0 && (!request || ndjson_conn_send(t->conn, request) < 0))
		r = err_set(e, ERR_NOMEM, "request");
	json_decref(request);
	if (r == 0 && o->send && isatty(STDERR_FILENO))
		fprintf(stderr, "waiting for the answer, a minute at most\n");
	return r;
}

static void on_connected(void *arg, int r, struct stream *s, const struct err *e)
{
	struct dns_test *t = arg;
	struct err why = {0};

	t->connect = NULL;
	if (r == -ERR_REFUSED || r == -ERR_NOT_FOUND)
		go_alone(t);
	else if (r < 0)
		fail(t, e->text);
	else if (ask(t, s, &why) < 0)
		fail(t, why.text);
}

static void on_patience(void *arg)
{
	fail(arg, "no answer");
}

/* ── life ── */

static int start(struct dns_test *t, struct err *e)
{
	struct sock_addr at = {0};
	int r = places_find(t->options->common, &t->places, e);

	if (r == 0)
		r = loop_new(&t->loop, e);
	if (r < 0)
		return r;
	timer_init(&t->patience, t->loop, on_patience, t);
	timer_start(&t->patience, PATIENCE);
	if (!str_copy(at.path, sizeof(at.path), str_of(t->places.socket)))
		return err_set(e, ERR_FAILED, "%s: too long for a socket", t->places.socket);
	return sock_connect_start(t->loop, &at, CONNECT_TIMEOUT, on_connected, t, &t->connect, e);
}

static void done(struct dns_test *t)
{
	timer_stop(&t->patience);
	sock_connect_cancel(t->connect);
	ndjson_conn_free(t->conn);
	names_test_cancel(t->test);
	names_free(t->names);
	uplink_watch_free(t->uplink);
	httpc_free(t->httpc);
	if (t->has_config)
		agent_config_done(&t->config);
	loop_free(t->loop);
	places_done(&t->places);
	json_decref(t->all);
}

static void print_json(struct dns_test *t)
{
	json_t *o = json_pack("{s:b s:O}", "agent", !t->alone, "names", t->all);

	if (!o || json_dumpf(o, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER) < 0)
		t->code = complain("dns", "the output could not be written");
	else
		putchar('\n');
	json_decref(o);
}

int dns_test_run(const struct dns_test_options *options)
{
	struct dns_test t = {.options = options, .all = json_array()};
	struct err e = {0};

	if (start(&t, &e) < 0)
		t.code = complain("dns", "%s", e.text);
	else
		loop_run(t.loop);
	if (options->json && json_array_size(t.all))
		print_json(&t);
	done(&t);
	return t.code;
}
