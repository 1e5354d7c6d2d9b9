#include "cli/live.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "cli/qr.h"

void live_start(struct live *live)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
}

void live_done(struct live *live)
{
	wish_names_done(live->urls, live->n_urls);
	live->urls = NULL;
	live->n_urls = 0;
}

/* Takes the object. */
static void print_json(json_t *object)
{
	if (object && json_dumpf(object, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER) == 0)
		putchar('\n');
	json_decref(object);
}

static void tell(const char *text)
{
	fprintf(stderr, "%s\n", text);
}

/* ── addresses ── */

static void print_urls(const struct live *live)
{
	for (size_t i = 0; i < live->n_urls; i++) {
		if (live->json)
			print_json(json_pack("{s:s s:s s:s}", "event", "url", "service", live->id,
					     "url", live->urls[i]));
		else
			printf("%s\n", live->urls[i]);
	}
	if (live->json || !isatty(STDOUT_FILENO))
		return;
	if (live->n_urls)
		qr_print(stdout, live->urls[0]);
	printf("Visitors appear here. Ctrl-C ends it.\n");
}

bool live_urls(struct live *live, const char *const *urls, size_t n)
{
	if (wish_names_equal(live->urls, live->n_urls, (char *const *)urls, n))
		return false;
	live_done(live);
	if (wish_names_copy(&live->urls, &live->n_urls, (char *const *)urls, n) < 0)
		return false;
	print_urls(live);
	return true;
}

/* ── trouble ── */

static void reach_text(const struct live *live, enum origin_reach reach, const char *why,
		       char *text, size_t size)
{
	bool silent = str_starts(str_of(why), STR("nothing listens"));
	bool udp = str_starts(str_of(live->target), STR("udp:"));
	const char *sees = udp ? "get no answer" : "get an error page";

	if (reach == ORIGIN_YES)
		snprintf(text, size, "%s answers now", live->target);
	else if (silent)
		snprintf(text, size, "%s%s; visitors %s until something does", why,
			 live->reached ? " any more" : " yet", sees);
	else
		snprintf(text, size, "%s; visitors %s until that changes", why, sees);
}

void live_reach(struct live *live, enum origin_reach reach, const char *why)
{
	enum origin_reach before = live->reach;
	char text[1024];

	if (reach == before || reach == ORIGIN_UNKNOWN)
		return;
	reach_text(live, reach, why, text, sizeof(text));
	live->reach = reach;
	live->reached |= reach == ORIGIN_YES;
	if (live->json)
		print_json(json_pack("{s:s s:b s:s}", "event", "target", "reachable",
				     reach == ORIGIN_YES, "text", text));
	else if (reach == ORIGIN_NO || before == ORIGIN_NO)
		tell(text);
}

void live_link(struct live *live, const char *state, const char *why)
{
	bool down = strcmp(state, "up") != 0;
	char text[1024];

	if (live->json) {
		print_json(
			json_pack("{s:s s:s s:s}", "event", "state", "state", state, "text", why));
		return;
	}
	if (down && *why && strcmp(why, live->link_why) != 0) {
		snprintf(text, sizeof(text), "not connected to the gateway: %s", why);
		tell(text);
		live->link_down = true;
	}
	if (!down && live->link_down) {
		tell("connected to the gateway again");
		live->link_down = false;
	}
	snprintf(live->link_why, sizeof(live->link_why), "%s", down ? why : "");
}

void live_warning(const struct live *live, const char *text)
{
	if (live->json)
		print_json(json_pack("{s:s s:s}", "event", "warning", "text", text));
	else
		fprintf(stderr, "warning: %s\n", text);
}

void live_error(const struct live *live, const char *text)
{
	if (live->json)
		print_json(json_pack("{s:s s:s}", "event", "error", "text", text));
	fprintf(stderr, "homeport share: %s\n", text);
}

/* ── requests ── */

/* "512 B", "1.2 kB", "34 MB". */
static const char *format_size(char text[static 16], uint64_t bytes)
{
	static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
	double value = (double)bytes;
	size_t unit = 0;

	while (value >= 999.5 && unit + 1 < ARRAY_LEN(units)) {
		value /= 1000;
		unit++;
	}
	snprintf(text, 16, unit && value < 9.95 ? "%.1f %s" : "%.0f %s", value, units[unit]);
	return text;
}

/* "0.8 ms", "35 ms", "1.5 s". */
static const char *format_duration(char text[static 16], usec_t span)
{
	double ms = (double)span / USEC_PER_MS;

	if (ms < 10)
		snprintf(text, 16, "%.1f ms", ms);
	else if (ms < 1000)
		snprintf(text, 16, "%.0f ms", ms);
	else
		snprintf(text, 16, "%.1f s", ms / 1000);
	return text;
}

static void print_request(const struct edge_request *r)
{
	time_t started = (time_t)(r->started_wall / USEC_PER_S);
	char clock[16] = "", visitor[IPADDR_TEXT_MAX], in[16], out[16], span[16];
	char method[LOG_TEXT_MAX], target[LOG_TEXT_MAX], note[LOG_TEXT_MAX];
	struct tm tm;

	if (localtime_r(&started, &tm))
		strftime(clock, sizeof(clock), "%H:%M:%S", &tm);
	printf("%s  %s  ", clock, ipaddr_format(visitor, &r->visitor));
	if (r->method.len)
		printf("%s %s  %u  %s", log_text(method, r->method), log_text(target, r->target),
		       r->status, format_size(out, r->bytes_out));
	else
		printf("%s  %s in, %s out", r->kind == EDGE_UDP ? "flow" : "connection",
		       format_size(in, r->bytes_in), format_size(out, r->bytes_out));
	printf("  %s%s%s\n", format_duration(span, r->duration), r->note ? "  " : "",
	       r->note ? log_text(note, str_of(r->note)) : "");
}

static json_t *request_json(const struct edge_request *r)
{
	char visitor[IPADDR_TEXT_MAX], time[USTIME_TEXT_MAX], method[LOG_TEXT_MAX];
	char target[LOG_TEXT_MAX], host[LOG_TEXT_MAX], note[LOG_TEXT_MAX];

	return json_pack("{s:s s:s s:s s:s s:s s:s s:s s:i s:I s:I s:f s:o}", "event", "request",
			 "time", ustime_format_wall(time, r->started_wall), "service", r->service,
			 "visitor", ipaddr_format(visitor, &r->visitor), "method",
			 log_text(method, r->method), "target", log_text(target, r->target), "host",
			 log_text(host, r->host), "status", (int)r->status, "bytes_in",
			 (json_int_t)r->bytes_in, "bytes_out", (json_int_t)r->bytes_out,
			 "duration_ms", (double)r->duration / USEC_PER_MS, "note",
			 r->note ? json_string(log_text(note, str_of(r->note))) : json_null());
}

void live_request(const struct live *live, const struct edge_request *request)
{
	if (live->json)
		print_json(request_json(request));
	else
		print_request(request);
}
