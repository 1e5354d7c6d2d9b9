#include "edge/web.h"

#include "edge/forward.h"
#include "http/page.h"
#include "http/server.h"

struct web {
	struct edge_visit visit; /* first */
	struct edge_visitor visitor;
	struct http_server *server;	 /* owned */
	struct http_exchange *x;	 /* borrowed; NULL: no request */
	struct edge_files_request *file; /* owned; of x */
	struct edge_forward *forward;	 /* owned; EDGE_HTTP, from the first request on */
	const char *note;		 /* borrowed; what went wrong right here */
	bool denied;
};

/* ── the host ── */

/* "*.x.y" covers everything below x.y. */
static bool name_covers(const char *name, const char *host)
{
	size_t n = strlen(name), h = strlen(host);

	if (name[0] == '*' && name[1] == '.')
		return h > n - 1 && strcmp(host + h - (n - 1), name + 1) == 0;
	return strcmp(name, host) == 0;
}

/* "192.168.1.7", "[fd00::7]", "nas", "localhost" */
static bool is_local(const char *host)
{
	struct ipaddr ip;

	return !strchr(host, '.') || ipaddr_parse(str_of(host), &ip) == 0;
}

bool edge_web_host_allowed(const struct edge_service *service, const char *host)
{
	for (size_t i = 0; i < service->n_names; i++)
		if (name_covers(service->names[i], host))
			return true;
	return service->local_names ? is_local(host) : service->n_names == 0;
}

/* ── requests ── */

static void trouble(struct web *w, const char *note)
{
	w->note = note;
	http_page_respond(w->x, 503, NULL, "This cannot be served at the moment.");
}

static void start_file(struct web *w)
{
	int r = edge_files_start(w->visit.service->files, w->x, &w->file, NULL);

	if (r < 0)
		trouble(w,
			r == -ERR_LIMIT ? "too many requests wait for the disk" : "out of memory");
}

static void start_forward(struct web *w)
{
	if (!w->forward)
		w->forward = edge_forward_new(w->visit.service, &w->visitor);
	if (w->forward)
		edge_forward_start(w->forward, w->x);
	else
		trouble(w, "out of memory");
}

static void on_request(void *arg, struct http_exchange *x)
{
	struct edge_service *service;
	struct web *w = arg;

	w->x = x;
	service = w->visit.service;
	if (!edge_service_allows(service, &w->visitor)) {
		w->denied = true;
		w->note = EDGE_DENIED_NOTE;
		http_exchange_close_after(x);
		http_page_respond(x, 403, NULL, "Visitors from your address are not served here.");
	} else if (!edge_web_host_allowed(service, http_exchange_head(x)->host)) {
		http_exchange_close_after(x);
		http_page_respond(x, 421, NULL, "This name is not served here.");
	} else if (service->kind == EDGE_HTTP) {
		start_forward(w);
	} else {
		start_file(w);
	}
}

static void on_ready(void *arg, unsigned events)
{
	struct web *w = arg;

	if (w->file)
		edge_files_ready(w->file);
	else if (w->forward)
		edge_forward_ready(w->forward);
}

static const char *note_of(const struct web *w)
{
	if (w->note)
		return w->note;
	if (w->file)
		return edge_files_note(w->file);
	return w->forward ? edge_forward_note(w->forward) : NULL;
}

static void report(struct web *w, const struct http_ending *ending)
{
	const struct httphead *head = ending->head;
	struct edge_request request = {
		.visitor = w->visitor.addr,
		.status = ending->status,
		.bytes_in = ending->bytes_in,
		.bytes_out = ending->bytes_out,
		.started_wall = ending->started_wall,
		.duration = ending->duration,
		.note = note_of(w),
		.denied = w->denied,
	};

	if (head) {
		request.method = head->method;
		request.target = head->target;
		request.host = str_of(head->host);
	}
	if (!ending->complete && !request.note)
		request.note = "the visitor left";
	if (w->visit.service)
		edge_service_report(w->visit.service, &request);
}

static void on_end(void *arg, const struct http_ending *ending)
{
	struct web *w = arg;

	report(w, ending);
	w->x = NULL;
	w->note = NULL;
	edge_files_end(TAKE(w->file));
	if (w->forward)
		edge_forward_end(w->forward);
}

/* ── life ── */

static void web_free(struct web *w)
{
	edge_visit_leave(&w->visit);
	edge_files_end(w->file);
	edge_forward_free(w->forward);
	http_server_free(w->server);
	free(w);
}

static void on_closed(void *arg)
{
	web_free(arg);
}

static const struct http_handler handler = {on_request, on_ready, on_end, on_closed};

static void web_end(struct edge_visit *visit)
{
	web_free(container_of(visit, struct web, visit));
}

static void web_retire(struct edge_visit *visit)
{
	http_server_retire(container_of(visit, struct web, visit)->server);
}

int edge_web_start(struct edge_service *service, const struct edge_visitor *visitor,
		   struct stream *stream, struct err *e)
{
	struct web *w = calloc(1, sizeof(*w));
	int r;

	if (!w) {
		stream_reset(stream);
		return err_set(e, ERR_NOMEM, "visitor");
	}
	w->visitor = *visitor;
	r = http_server_new(service->loop, stream, &handler, w, &w->server, e);
	if (r < 0) {
		free(w);
		return r;
	}
	edge_visit_enter(&w->visit, service, web_end, web_retire);
	return 0;
}
