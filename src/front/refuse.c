#include "front/refuse.h"

#include <stdio.h>
#include <time.h>

#include "http/date.h"
#include "http/page.h"
#include "http/status.h"
#include "proto/clienthello.h"

struct answer {
	unsigned status;
	const char *title; /* NULL: the host */
	const char *text;
	bool retry; /* Retry-After: 30 */
};

static const struct answer answers[] = {
	[FRONT_ANSWER_BAD_REQUEST] = {400, "Bad request", "This request could not be understood."},
	[FRONT_ANSWER_PLAIN_ON_TLS] = {400, "This port speaks https",
				       "Please use an address that begins with https:// here."},
	[FRONT_ANSWER_TIMEOUT] = {408, "Too slow", "The request did not arrive in time."},
	[FRONT_ANSWER_MISDIRECTED] = {421, "Not here", "There is nothing under this name here."},
	[FRONT_ANSWER_HEAD_TOO_LONG] = {431, "Too much", "The head of this request is too large."},
	[FRONT_ANSWER_SERVICE] = {502, NULL,
				  "The service behind this name does not answer at the moment."},
	[FRONT_ANSWER_OFFLINE] = {503, NULL, "This name is known here, but offline", true},
	[FRONT_ANSWER_BUSY] = {503, NULL,
			       "There are too many visitors at the moment. Please try again soon.",
			       true},
	[FRONT_ANSWER_REDIRECT] = {308, "Moved to https",
				   "This page is at the same address with https://."},
};

static const char page_head[] =
	"<!doctype html>\n"
	"<html lang=\"en\"><meta charset=\"utf-8\">"
	"<meta name=\"viewport\" content=\"width=device-width\">\n"
	"<style>:root{color-scheme:light dark}"
	"body{font:1.1rem/1.5 system-ui,sans-serif;max-width:34rem;margin:18vh auto;padding:0 1rem;"
	"overflow-wrap:anywhere}h1{font-size:1.4rem}</style>\n";

static int append_date(struct buf *to, usec_t wall)
{
	char text[HTTP_DATE_MAX];

	if (wall == 0)
		return 0;
	return buf_printf(to, "Date: %s\r\n", http_date_format(text, (int64_t)(wall / USEC_PER_S)));
}

static int append_since(struct buf *to, usec_t wall)
{
	time_t t = (time_t)(wall / USEC_PER_S);
	struct tm tm;

	if (wall == 0 || !gmtime_r(&t, &tm))
		return buf_append_str(to, STR("."));
	return buf_printf(to, " since %d-%02d-%02d %02d:%02d UTC.", tm.tm_year + 1900,
			  tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min);
}

static int append_page(struct buf *to, enum front_answer which,
		       const struct front_answer_about *about)
{
	const struct answer *answer = &answers[which];
	struct str title = answer->title ? str_of(answer->title) : about->host;
	int r;

	r = buf_append(to, page_head, sizeof(page_head) - 1);
	if (r == 0)
		r = buf_append_str(to, STR("<title>"));
	if (r == 0)
		r = http_page_escape(to, title);
	if (r == 0)
		r = buf_append_str(to, STR("</title>\n<h1>"));
	if (r == 0)
		r = http_page_escape(to, title);
	if (r == 0)
		r = buf_printf(to, "</h1>\n<p>%s", answer->text);
	if (r == 0 && which == FRONT_ANSWER_OFFLINE)
		r = append_since(to, about->offline_since_wall);
	if (r == 0)
		r = buf_append_str(to, STR("</p>\n</html>\n"));
	return r;
}

static int append_location(struct buf *to, const struct front_answer_about *about)
{
	char port[8] = "";
	int r;

	if (about->https_port != 0 && about->https_port != 443)
		snprintf(port, sizeof(port), ":%u", about->https_port);
	r = buf_printf(to, "Location: https://%.*s%s", STR_ARG(about->host), port);
	if (r == 0)
		r = buf_append_str(to, about->path);
	if (r == 0)
		r = buf_append_str(to, STR("\r\n"));
	return r;
}

static int append_head(struct buf *to, enum front_answer which,
		       const struct front_answer_about *about, size_t content_length)
{
	const struct answer *answer = &answers[which];
	int r;

	r = buf_printf(to, "HTTP/1.1 %u %s\r\n", answer->status,
		       http_status_reason(answer->status));
	if (r == 0)
		r = append_date(to, about->now_wall);
	if (r == 0 && which == FRONT_ANSWER_REDIRECT)
		r = append_location(to, about);
	if (r == 0 && answer->retry)
		r = buf_append_str(to, STR("Retry-After: 30\r\n"));
	/* A redirect must not outlive the owner's decision either, so nothing is kept. */
	if (r == 0)
		r = buf_printf(to,
			       "Content-Type: text/html; charset=utf-8\r\n"
			       "Content-Length: %zu\r\n"
			       "Cache-Control: no-store\r\n"
			       "Connection: close\r\n\r\n",
			       content_length);
	return r;
}

int front_answer_http(struct buf *to, enum front_answer which,
		      const struct front_answer_about *about)
{
	AUTO(buf_donep) struct buf page;
	int r;

	buf_init(&page, FRONT_ANSWER_MAX);
	r = append_page(&page, which, about);
	if (r == 0)
		r = append_head(to, which, about, buf_len(&page));
	if (r == 0 && !about->head_only)
		r = buf_append(to, buf_head(&page), buf_len(&page));
	return r;
}

int front_answer_tls_name(struct buf *to)
{
	return buf_append(to, clienthello_alert_unrecognized_name, CLIENTHELLO_ALERT_LEN);
}

int front_answer_tls_busy(struct buf *to)
{
	/* A record of two bytes, type alert, TLS 1.2: fatal, internal_error. */
	static const uint8_t alert[] = {21, 3, 3, 0, 2, 2, 80};

	return buf_append(to, alert, sizeof(alert));
}
