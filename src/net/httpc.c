#include "net/httpc.h"

#include <stdio.h>
#include <stdlib.h>

#include "net/httpc_call.h"

struct httpc {
	struct loop *loop;	 /* borrowed */
	struct libcurl *libcurl; /* owned; NULL until the first call */
	bool loaded;		 /* it can be used */
	struct list calls;
	unsigned n_calls;

	/* tests: who answers instead of the network */
	void (*serve)(void *arg, struct httpc_call *call, const struct httpc_request *request);
	void *serve_arg;
};

/* ── the end of a call ── */

/* Nothing happens to it any more. */
static void call_stop(struct httpc_call *call)
{
	timer_stop(&call->timeout);
	timer_stop(&call->delay);
	defer_cancel(&call->turn);
	httpc_transfer_stop(call);
}

static void call_free(struct httpc_call *call)
{
	httpc_request_wipe(call);
	buf_done(&call->head);
	buf_done(&call->body);
	free(call);
}

static void call_leave(struct httpc_call *call)
{
	list_remove(&call->node);
	call->httpc->n_calls--;
	call->httpc = NULL;
}

static void call_tell(void *arg)
{
	struct httpc_call *call = arg;

	call_leave(call);
	call->on_done(call->arg, &call->answer);
	call_free(call);
}

void httpc_call_fail(struct httpc_call *call, int code, const char *text)
{
	call->answer.r = err_set(&call->answer.err, code, "%s: %s", call->where, text);
}

void httpc_call_end(struct httpc_call *call)
{
	struct httpc_answer *answer = &call->answer;

	call_stop(call);
	answer->head = buf_str(&call->head);
	answer->body = answer->r == 0 ? buf_str(&call->body) : (struct str){0};
	answer->took = loop_now(call->httpc->loop) - call->started;
	defer_init(&call->turn, call->httpc->loop, call_tell, call);
	defer_call(&call->turn);
}

static void on_timeout(void *arg)
{
	struct httpc_call *call = arg;
	char text[64], span[USTIME_TEXT_MAX];

	snprintf(text, sizeof(text), "no answer within %s",
		 ustime_format_span(span, call->request.timeout));
	httpc_call_fail(call, ERR_TIMEOUT, text);
	httpc_call_end(call);
}

/* ── what libcurl tells ── */

static void call_go(struct httpc_call *call)
{
	struct err e;

	call->libcurl = call->httpc->libcurl;
	call->answer.r = httpc_transfer_start(call, &e);
	if (call->answer.r == 0)
		return;
	call->answer.err = e;
	httpc_call_end(call);
}

/* libcurl is there, or cannot be had. */
static void on_loaded(void *arg, int r, const struct err *e)
{
	struct httpc *httpc = arg;
	struct httpc_call *call;

	httpc->loaded = r == 0;
	list_for_each (call, &httpc->calls, node) {
		if (call->turn.pending)
			continue; /* its time was over before */
		if (httpc->loaded) {
			call_go(call);
			continue;
		}
		httpc_call_fail(call, -r, e->text);
		httpc_call_end(call);
	}
	if (!httpc->loaded)
		libcurl_free(TAKE(httpc->libcurl)); /* the next call tries again */
}

/* easy NULL: nothing that is under way goes on. */
static void on_over(void *arg, CURL *easy, CURLcode result)
{
	struct httpc *httpc = arg;
	struct httpc_call *call;

	list_for_each (call, &httpc->calls, node) {
		if (!call->under_way || (easy && call->easy != easy))
			continue;
		if (!easy)
			libcurl_remove(httpc->libcurl, call->easy);
		httpc_transfer_over(call, result);
		httpc_call_end(call);
	}
}

/* ── calls ── */

static void call_serve(void *arg)
{
	struct httpc_call *call = arg;

	call->httpc->serve(call->httpc->serve_arg, call, &call->request);
}

static void on_delay(void *arg)
{
	httpc_call_end(arg);
}

/* On its way, or waiting. */
static int call_start(struct httpc_call *call, struct err *e)
{
	static const struct libcurl_handler handler = {on_loaded, on_over};
	struct httpc *httpc = call->httpc;

	if (httpc->serve) {
		defer_call(&call->turn);
		return 0;
	}
	if (!httpc->libcurl)
		return libcurl_new(httpc->loop, &handler, httpc, &httpc->libcurl, e);
	if (!httpc->loaded)
		return 0;
	call->libcurl = httpc->libcurl;
	return httpc_transfer_start(call, e);
}

static struct httpc_call *call_new(struct httpc *httpc)
{
	struct httpc_call *call = calloc(1, sizeof(*call));

	if (!call)
		return NULL;
	call->httpc = httpc;
	list_init(&call->node);
	timer_init(&call->timeout, httpc->loop, on_timeout, call);
	timer_init(&call->delay, httpc->loop, on_delay, call);
	defer_init(&call->turn, httpc->loop, call_serve, call);
	call->started = loop_now(httpc->loop);
	return call;
}

int httpc_start(struct httpc *httpc, const struct httpc_request *request,
		void (*on_done)(void *arg, const struct httpc_answer *answer), void *arg,
		struct httpc_call **ret_call, struct err *e)
{
	struct httpc_call *call;
	int r;

	if (httpc->n_calls >= HTTPC_CALLS_MAX)
		return err_set(e, ERR_LIMIT, "%u HTTP requests are under way already",
			       httpc->n_calls);
	call = call_new(httpc);
	if (!call)
		return err_set(e, ERR_NOMEM, "HTTP request");
	r = httpc_request_take(call, request, e);
	buf_init(&call->head, call->request.head_max);
	buf_init(&call->body, call->request.body_max);
	if (r == 0)
		r = call_start(call, e);
	if (r < 0) {
		call_stop(call);
		call_free(call);
		return r;
	}
	call->on_done = on_done;
	call->arg = arg;
	list_push(&httpc->calls, &call->node);
	httpc->n_calls++;
	timer_start(&call->timeout, call->request.timeout);
	if (ret_call)
		*ret_call = call;
	return 0;
}

void httpc_cancel(struct httpc_call *call)
{
	if (!call || !call->httpc)
		return; /* its on_done is running */
	call_stop(call);
	call_leave(call);
	call_free(call);
}

struct str httpc_answer_header(const struct httpc_answer *answer, const char *name)
{
	struct str rest = answer->head;

	while (rest.len) {
		struct str value = str_split(&rest, '\n');
		struct str key = str_split(&value, ':');

		if (value.len && value.at[value.len - 1] == '\r')
			value.len--;
		if (value.at && str_eq_nocase(key, str_of(name)))
			return str_trim(value);
	}
	return (struct str){0};
}

/* ── clients ── */

int httpc_new(struct loop *loop, struct httpc **ret_httpc, struct err *e)
{
	struct httpc *httpc = calloc(1, sizeof(*httpc));

	if (!httpc)
		return err_set(e, ERR_NOMEM, "HTTP client");
	httpc->loop = loop;
	list_init(&httpc->calls);
	*ret_httpc = httpc;
	return 0;
}

void httpc_free(struct httpc *httpc)
{
	if (!httpc)
		return;
	while (!list_empty(&httpc->calls))
		httpc_cancel(list_entry(httpc->calls.next, struct httpc_call, node));
	libcurl_free(httpc->libcurl);
	free(httpc);
}

/* ── for tests ── */

int httpc_new_sim(struct loop *loop,
		  void (*serve)(void *arg, struct httpc_call *call,
				const struct httpc_request *request),
		  void *arg, struct httpc **ret_httpc, struct err *e)
{
	int r = httpc_new(loop, ret_httpc, e);

	if (r < 0)
		return r;
	(*ret_httpc)->serve = serve;
	(*ret_httpc)->serve_arg = arg;
	return 0;
}

void httpc_sim_answer(struct httpc_call *call, usec_t delay, unsigned status, const char *head,
		      struct str body)
{
	call->answer.status = status;
	call->head_too_long = buf_append_str(&call->head, str_of(head)) < 0;
	if (call->head_too_long || buf_append_str(&call->body, body) < 0)
		httpc_transfer_explain_length(call);
	timer_start(&call->delay, delay);
}

void httpc_sim_fail(struct httpc_call *call, usec_t delay, int code, const char *text)
{
	httpc_call_fail(call, code, text);
	timer_start(&call->delay, delay);
}
