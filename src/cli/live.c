#include "cli/live.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "cli/qr.h"
#include "net/ndjson.h"

static void left_out_json(char *line, size_t size, unsigned n)
{
	snprintf(line, size, "{\"event\":\"left-out\",\"lines\":%u}\n", n);
}

static void left_out_text(char *line, size_t size, unsigned n)
{
	snprintf(line, size, "(%u lines left out)\n", n);
}

int live_start(struct live *live, struct loop *loop, struct err *e)
{
	int r;

	live->loop = loop;
	r = outlet_new(loop, STDOUT_FILENO, live->json ? left_out_json : left_out_text, &live->out,
		       e);

	return r < 0 ? r : outlet_new(loop, STDERR_FILENO, left_out_text, &live->err, e);
}

static void forget_urls(struct live *live)
{
	wish_names_done(live->urls, live->n_urls);
	live->urls = NULL;
	live->n_urls = 0;
}

void live_done(struct live *live)
{
	outlet_free(TAKE(live->out));
	outlet_free(TAKE(live->err));
	forget_urls(live);
}

static void put(struct outlet *outlet, FILE *without, const char *text)
{
	if (outlet)
		outlet_write(outlet, text, strlen(text));
	else
		fputs(text, without);
}

static void PRINTF(2, 3) say(const struct live *live, const char *fmt, ...)
{
	AUTO(freep) char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	va_end(ap);
	if (text)
		put(live->out, stdout, text);
}

/* On stderr. */
static void PRINTF(2, 3) complain_of(const struct live *live, const char *fmt, ...)
{
	char text[2048];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	put(live->err, stderr, text);
}

/* Takes the object. */
static void print_json(const struct live *live, json_t *object)
{
	AUTO(freep)
	char *text = object ? json_dumps(object, JSON_COMPACT | JSON_PRESERVE_ORDER) : NULL;

	json_decref(object);
	if (text)
		say(live, "%s\n", text);
}

/* ── addresses ── */

static void say_qr(const struct live *live, const char *url)
{
	AUTO(freep) char *text = NULL;
	size_t len;
	FILE *to = open_memstream(&text, &len);

	if (!to)
		return;
	qr_print(to, url);
	if (fclose(to) == 0 && text)
		say(live, "%s", text);
}

static void print_urls(const struct live *live)
{
	for (size_t i = 0; i < live->n_urls; i++) {
		if (live->json)
			print_json(live, json_pack("{s:s s:s s:s}", "event", "url", "service",
						   live->id, "url", live->urls[i]));
		else
			say(live, "%s\n", live->urls[i]);
	}
	if (live->json || !isatty(STDOUT_FILENO))
		return;
	if (live->n_urls)
		say_qr(live, live->urls[0]);
	say(live, "Visitors appear here. Ctrl-C ends it.\n");
}

bool live_urls(struct live *live, const char *const *urls, size_t n)
{
	if (wish_names_equal(live->urls, live->n_urls, (char *const *)urls, n))
		return false;
	forget_urls(live);
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
	const char *sees = target_missed(live->target);

	if (reach == ORIGIN_YES)
		snprintf(text, size, "%s %s", live->target->text, target_back(live->target));
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
		print_json(live, json_pack("{s:s s:b s:o}", "event", "target", "reachable",
					   reach == ORIGIN_YES, "text", ndjson_text(text)));
	else if (reach == ORIGIN_NO || before == ORIGIN_NO)
		complain_of(live, "%s\n", text);
}

void live_link(struct live *live, const char *state, const char *why)
{
	bool down = strcmp(state, "up") != 0;
	char text[1024];

	if (live->json) {
		print_json(live, json_pack("{s:s s:s s:o}", "event", "state", "state", state,
					   "text", ndjson_text(why)));
		return;
	}
	if (down && *why && outage_is_news(&live->outage, why, loop_now(live->loop))) {
		snprintf(text, sizeof(text), "not connected to the gateway: %s", why);
		complain_of(live, "%s\n", text);
		live->link_down = true;
	}
	if (!down && live->link_down) {
		complain_of(live, "connected to the gateway again\n");
		live->link_down = false;
	}
	if (!down)
		outage_over(&live->outage);
}

void live_warning(const struct live *live, const char *text)
{
	if (live->json)
		print_json(live,
			   json_pack("{s:s s:o}", "event", "warning", "text", ndjson_text(text)));
	else
		complain_of(live, "warning: %s\n", text);
}

void live_error(const struct live *live, const char *text)
{
	if (live->json)
		print_json(live,
			   json_pack("{s:s s:o}", "event", "error", "text", ndjson_text(text)));
	complain_of(live, "homeport share: %s\n", text);
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

static void print_request(const struct live *live, const struct edge_request *r)
{
	time_t started = (time_t)(r->started_wall / USEC_PER_S);
	char clock[16] = "", visitor[IPADDR_TEXT_MAX], in[16], out[16], span[16];
	char method[LOG_TEXT_MAX], target[LOG_TEXT_MAX], note[LOG_TEXT_MAX];
	char what[2 * LOG_TEXT_MAX + 64];
	struct tm tm;

	if (localtime_r(&started, &tm))
		strftime(clock, sizeof(clock), "%H:%M:%S", &tm);
	if (r->method.len)
		snprintf(what, sizeof(what), "%s %s  %u  %s", log_text(method, r->method),
			 log_text(target, r->target), r->status, format_size(out, r->bytes_out));
	else
		snprintf(what, sizeof(what), "%s  %s in, %s out",
			 r->kind == EDGE_UDP ? "flow" : "connection", format_size(in, r->bytes_in),
			 format_size(out, r->bytes_out));
	say(live, "%s  %s  %s  %s%s%s\n", clock, ipaddr_format(visitor, &r->visitor), what,
	    format_duration(span, r->duration), r->note ? "  " : "",
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
		print_json(live, request_json(request));
	else
		print_request(live, request);
}
