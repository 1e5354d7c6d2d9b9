/*
 * The line of calls to one device: the first is under way, the others wait. What will not be asked any
 * more goes to a second list, whose owners are told one after the other.
 */
#include <stdio.h>

#include "base/log.h"
#include "map/igd_private.h"
#include "map/xml.h"
#include "net/httpc.h"

#define CONNECT_TIME USEC_PER_S
#define HEAD_MAX     ((size_t)8 * 1024)
#define USER_AGENT   "Linux UPnP/1.1 homeport/" HOMEPORT_VERSION

struct igd_call {
	struct list node;      /* in line.calls, or line.ended */
	struct igd_line *line; /* borrowed */
	const struct igd_action *action;
	const struct description_service *service; /* borrowed */
	struct buf body;
	struct igd_then then;
	struct httpc_call *request; /* owned; while it is under way */
	struct igd_answer answer;   /* begun */
};

/* ── answers ── */

static void set_text(struct igd_answer *answer, const char *text)
{
	snprintf(answer->text, sizeof(answer->text), "%.*s", IGD_TEXT_MAX - 1, text);
}

/* The body of an answer, whatever its status. */
static void judge_body(const struct igd_call *call, const struct httpc_answer *http,
		       struct igd_answer *answer)
{
	struct soap_value values[IGD_VALUES_MAX] = {0};
	struct soap_fault fault;
	struct err e = {0};
	size_t n = 0;
	int r;

	while (n < IGD_VALUES_MAX && call->action->values[n]) {
		values[n].name = call->action->values[n];
		n++;
	}
	if (http->status / 100 == 2 && http->body.len == 0 && n == 0)
		return; /* some say no more than that it is done */
	r = soap_decode(http->body, values, n, &fault, &e);
	if (r == -ERR_REFUSED) {
		answer->r = r;
		answer->upnp_code = fault.code;
		set_text(answer, fault.text);
	} else if (http->status / 100 != 2) {
		answer->r = -ERR_REFUSED;
		snprintf(answer->text, sizeof(answer->text), "HTTP status %u", http->status);
	} else if (r < 0) {
		answer->r = -ERR_FAILED;
		set_text(answer, e.text);
	} else if (n && !call->action->read(values, answer)) {
		answer->r = -ERR_FAILED;
		snprintf(answer->text, sizeof(answer->text), "%s was answered without its values",
			 call->action->name);
	}
}

static void judge(const struct igd_call *call, const struct httpc_answer *http,
		  struct igd_answer *answer)
{
	answer->http_status = http->status;
	if (http->r == -ERR_REFUSED) {
		answer->r = -ERR_NOT_FOUND;
		set_text(answer, http->err.text);
	} else if (http->r < 0) {
		answer->r = http->r == -ERR_TIMEOUT ? -ERR_TIMEOUT : -ERR_FAILED;
		set_text(answer, http->err.text);
	} else if (http->status == 404) {
		answer->r = -ERR_NOT_FOUND;
		set_text(answer, "HTTP status 404");
	} else {
		judge_body(call, http, answer);
	}
}

/* ── requests ── */

/* Everything goes to the answerer itself, whatever its description says. */
static int request(struct igd_line *line, struct httpc_request *r, const char *path,
		   void (*on_done)(void *arg, const struct httpc_answer *answer), void *arg,
		   struct httpc_call **ret_call, struct err *e)
{
	char host[IPADDR_TEXT_MAX], url[IPADDR_TEXT_MAX + DESCRIPTION_PATH_MAX + 8];

	snprintf(url, sizeof(url), "http://%s%s", ipaddr_format_port(host, line->control), path);
	r->url = url;
	r->source = &line->source;
	r->peer = line->control;
	r->connect_timeout = CONNECT_TIME;
	r->timeout = IGD_CALL_TIME;
	r->body_max = XML_BODY_MAX;
	r->head_max = HEAD_MAX;
	return httpc_start(line->httpc, r, on_done, arg, ret_call, e);
}

int igd_line_get(struct igd_line *line, const char *path,
		 void (*on_done)(void *arg, const struct httpc_answer *answer), void *arg,
		 struct httpc_call **ret_call, struct err *e)
{
	static const struct httpc_header headers[] = {{"Connection", "close"},
						      {"User-Agent", USER_AGENT}};
	struct httpc_request r = {
		.method = "GET", .headers = headers, .n_headers = ARRAY_LEN(headers)};

	return request(line, &r, path, on_done, arg, ret_call, e);
}

static void call_on_done(void *arg, const struct httpc_answer *http);

static int call_send(struct igd_call *call, struct err *e)
{
	char action[SOAP_ACTION_MAX];
	struct httpc_header headers[] = {
		{"Content-Type", "text/xml; charset=\"utf-8\""},
		{"SOAPAction", soap_action(action, call->service->urn, call->action->name)},
		{"Connection", "close"},
		{"User-Agent", USER_AGENT},
	};
	struct httpc_request r = {.method = "POST",
				  .headers = headers,
				  .n_headers = ARRAY_LEN(headers),
				  .body = buf_str(&call->body)};

	return request(call->line, &r, call->service->path, call_on_done, call, &call->request, e);
}

/* ── the line ── */

static void call_free(struct igd_call *call)
{
	httpc_cancel(call->request);
	list_remove(&call->node);
	call->line->n--;
	buf_done(&call->body);
	free(call);
}

/* It will not be asked any more: told later, with this answer. */
static void call_end(struct igd_call *call, int r, const char *text)
{
	httpc_cancel(TAKE(call->request));
	list_remove(&call->node);
	list_push(&call->line->ended, &call->node);
	call->answer.r = r;
	set_text(&call->answer, text);
	defer_call(&call->line->tell);
}

static void send_next(struct igd_line *line)
{
	while (!list_empty(&line->calls)) {
		struct igd_call *call = list_entry(line->calls.next, struct igd_call, node);
		struct err e = {0};

		if (call->request || call_send(call, &e) == 0)
			return;
		call_end(call, -ERR_FAILED, e.text);
	}
}

void igd_line_end(struct igd_line *line, const char *why)
{
	struct igd_call *call, *tmp;

	list_for_each_safe (call, tmp, &line->calls, node)
		call_end(call, -ERR_NOT_FOUND, why);
}

/* One a time, for inside then.fn everything may go. */
static void line_on_tell(void *arg)
{
	struct igd_line *line = arg;
	struct igd_call *call = list_entry(line->ended.next, struct igd_call, node);
	struct igd_answer answer = call->answer;
	struct igd_then then = call->then;

	call_free(call);
	if (!list_empty(&line->ended))
		defer_call(&line->tell);
	then.fn(then.arg, &answer);
}

static void call_on_done(void *arg, const struct httpc_answer *http)
{
	struct igd_call *call = arg;
	struct igd_line *line = call->line;
	struct igd_answer answer = call->answer;
	struct igd_then then = call->then;
	char text[IPADDR_TEXT_MAX];

	call->request = NULL;
	answer.took = http->took;
	judge(call, http, &answer);
	log_debug("%s: %s: %s", ipaddr_format_port(text, line->control), call->action->name,
		  answer.r < 0 ? answer.text : "done");
	call_free(call);
	if (answer.r == -ERR_NOT_FOUND) {
		igd_line_end(line, "the device is no longer there");
		line->on_moved(line->arg);
	} else {
		send_next(line);
	}
	then.fn(then.arg, &answer);
}

int igd_call_new(struct igd_line *line, const struct description_service *service,
		 const struct igd_action *action, const struct soap_arg *args, size_t n,
		 const struct igd_answer *begun, struct igd_then then, struct igd_call **ret_call,
		 struct err *e)
{
	struct igd_call *call;
	int r;

	if (line->n == IGD_CALLS_MAX)
		return err_set(e, ERR_LIMIT, "%s: %d actions wait for the router already",
			       action->name, IGD_CALLS_MAX);
	call = calloc(1, sizeof(*call));
	if (!call)
		return err_set(e, ERR_NOMEM, "%s", action->name);
	*call = (struct igd_call){.line = line, .action = action, .service = service, .then = then};
	if (begun)
		call->answer = *begun;
	list_init(&call->node);
	line->n++;
	buf_init(&call->body, SOAP_REQUEST_MAX);
	r = soap_encode(&call->body, service->urn, action->name, args, n, e);
	if (r < 0) {
		call_free(call);
		return err_wrap(e, r, "%s", action->name);
	}
	list_push(&line->calls, &call->node);
	send_next(line);
	if (ret_call)
		*ret_call = call;
	return 0;
}

void igd_cancel(struct igd_call *call)
{
	struct igd_line *line;

	if (!call)
		return;
	line = call->line;
	call_free(call);
	if (list_empty(&line->ended))
		defer_cancel(&line->tell);
	send_next(line);
}

void igd_line_init(struct igd_line *line)
{
	defer_init(&line->tell, line->loop, line_on_tell, line);
	list_init(&line->calls);
	list_init(&line->ended);
}

void igd_line_done(struct igd_line *line)
{
	struct igd_call *call, *tmp;

	defer_cancel(&line->tell);
	list_splice(&line->ended, &line->calls);
	list_for_each_safe (call, tmp, &line->ended, node)
		call_free(call);
}
