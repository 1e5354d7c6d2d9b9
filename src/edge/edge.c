#include "edge/edge.h"

#include <assert.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "base/log.h"
#include "edge/tcp.h"
#include "edge/udp.h"
#include "edge/web.h"
#include "net/mem.h"

/* ── visitors ── */

void edge_visit_enter(struct edge_visit *visit, struct edge_service *service,
		      void (*end)(struct edge_visit *visit),
		      void (*retire)(struct edge_visit *visit))
{
	visit->service = service;
	visit->end = end;
	visit->retire = retire;
	list_push(&service->visits, &visit->node);
	service->n_visits++;
}

void edge_visit_leave(struct edge_visit *visit)
{
	if (!visit->service)
		return;
	list_remove(&visit->node);
	visit->service->n_visits--;
	visit->service = NULL;
}

void edge_service_report(struct edge_service *service, struct edge_request *request)
{
	request->service = service->id;
	request->kind = service->kind;
	if (service->events.on_request)
		service->events.on_request(service->arg, request);
}

bool edge_service_allows(const struct edge_service *service, const struct edge_visitor *visitor)
{
	return service->n_allow == 0 ||
	       cidr_list_contains(service->allow, service->n_allow, &visitor->addr);
}

unsigned edge_service_visitors(const struct edge_service *service)
{
	return service->n_visits;
}

/* ── services ── */

/* What a local server sees as Host when it is not to see the visitor's. */
static char *own_host(const struct edge_spec *spec)
{
	char text[128];

	if (spec->host == EDGE_HOST_NAME)
		return strdup(spec->host_name);
	if (spec->to.ip.family == 0)
		return strdup("localhost");
	return strdup(sock_addr_format(text, &spec->to));
}

static int copy_texts(struct edge_service *s, const struct edge_spec *spec)
{
	s->id = strdup(spec->id);
	s->path = strdup(spec->kind == EDGE_FILES ? spec->path : "");
	s->host_name = own_host(spec);
	for (size_t i = 0; i < spec->n_names; i++) {
		s->names[i] = strdup(spec->names[i]);
		if (!s->names[i])
			return -ERR_NOMEM;
		s->n_names++;
	}
	return s->id && s->path && s->host_name ? 0 : -ERR_NOMEM;
}

static int copy_allow(struct edge_service *s, const struct edge_spec *spec)
{
	if (spec->n_allow == 0)
		return 0;
	s->allow = malloc(spec->n_allow * sizeof(*s->allow));
	if (!s->allow)
		return -ERR_NOMEM;
	memcpy(s->allow, spec->allow, spec->n_allow * sizeof(*s->allow));
	s->n_allow = spec->n_allow;
	return 0;
}

static int service_fill(struct edge_service *s, const struct edge_spec *spec, struct err *e)
{
	int r;

	if (copy_texts(s, spec) < 0 || copy_allow(s, spec) < 0)
		return err_set(e, ERR_NOMEM, "service %s", spec->id);
	if (spec->kind != EDGE_FILES) {
		sock_addr_format(s->to_text, &s->to);
		return 0;
	}
	r = edge_files_check(s->path, e);
	if (r < 0)
		return err_wrap(e, r, "service %s", spec->id);
	s->files = edge_files_new(s->loop, s->path);
	return s->files ? 0 : err_set(e, ERR_NOMEM, "service %s", spec->id);
}

int edge_service_new(struct loop *loop, const struct edge_spec *spec,
		     const struct edge_events *events, void *arg, struct edge_service **ret_service,
		     struct err *e)
{
	struct edge_service *s;
	int r;

	if (spec->n_names > EDGE_NAMES_MAX)
		return err_set(e, ERR_INVALID, "service %s: more than %d names", spec->id,
			       EDGE_NAMES_MAX);
	s = calloc(1, sizeof(*s));
	if (!s)
		return err_set(e, ERR_NOMEM, "service %s", spec->id);
	list_init(&s->visits);
	s->loop = loop;
	s->kind = spec->kind;
	s->to = spec->to;
	s->host = spec->host;
	s->proxy_protocol = spec->proxy_protocol;
	s->local_names = spec->local_names;
	s->events = *events;
	s->arg = arg;
	r = service_fill(s, spec, e);
	if (r < 0) {
		edge_service_free(s);
		return r;
	}
	*ret_service = s;
	return 0;
}

void edge_service_free(struct edge_service *s)
{
	if (!s)
		return;
	s->events = (struct edge_events){0};
	while (!list_empty(&s->visits)) {
		struct edge_visit *visit = list_entry(s->visits.next, struct edge_visit, node);

		visit->end(visit);
	}
	assert(s->n_visits == 0);
	edge_files_unref(s->files);
	for (size_t i = 0; i < s->n_names; i++)
		free(s->names[i]);
	free(s->allow);
	free(s->host_name);
	free(s->path);
	free(s->id);
	free(s);
}

void edge_service_retire(struct edge_service *s)
{
	struct edge_visit *visit;

	s->retired = true;
	list_for_each (visit, &s->visits, node)
		if (visit->retire)
			visit->retire(visit);
}

/* ── opening ── */

struct edge_opening {
	struct edge_visit *tcp; /* borrowed; NULL: a folder or HTTP, whose visitor lives already */
	struct stream *stream;	/* owned; the visitor's end then, and that of UDP */
	struct defer defer;
	void (*done)(void *arg, int r, struct stream *s, const struct err *e);
	void *arg;
};

static void on_opened(void *arg, int r, struct stream *s, const struct err *e)
{
	struct edge_opening *opening = arg;
	void (*done)(void *, int, struct stream *, const struct err *) = opening->done;
	void *done_arg = opening->arg;

	free(opening);
	done(done_arg, r, s, e);
}

static void on_made(void *arg)
{
	struct edge_opening *opening = arg;

	on_opened(opening, 0, opening->stream, NULL);
}

static int open_web(struct edge_service *service, const struct edge_visitor *visitor,
		    struct edge_opening *opening, struct err *e)
{
	struct stream *ours;
	int r = mem_pair_new(service->loop, 0, &ours, &opening->stream, e);

	if (r < 0)
		return r;
	r = edge_web_start(service, visitor, ours, e);
	if (r < 0)
		stream_close(opening->stream);
	return r;
}

/* Nothing has to be waited for, but done is never called from inside. */
static int open_made(struct edge_service *service, const struct edge_visitor *visitor,
		     struct edge_opening *opening, struct err *e)
{
	int r = service->kind == EDGE_UDP ? edge_udp_open(service, visitor, &opening->stream, e)
					  : open_web(service, visitor, opening, e);

	if (r < 0)
		return r;
	defer_init(&opening->defer, service->loop, on_made, opening);
	defer_call(&opening->defer);
	return 0;
}

/* Who comes with requests gets a page that says so (web.c); for others there are no words. */
static bool is_denied(struct edge_service *service, const struct edge_visitor *visitor)
{
	struct edge_request request = {
		.visitor = visitor->addr,
		.started_wall = ustime_wall(),
		.note = EDGE_DENIED_NOTE,
		.denied = true,
	};

	if (service->kind == EDGE_FILES || service->kind == EDGE_HTTP ||
	    edge_service_allows(service, visitor))
		return false;
	edge_service_report(service, &request);
	return true;
}

/* Whether both speak in streams, or both in datagrams. */
static bool fits(const struct edge_service *service, const struct edge_visitor *visitor)
{
	return (service->kind == EDGE_UDP) == (strcmp(visitor->proto, "udp") == 0);
}

int edge_open(struct edge_service *service, const struct edge_visitor *visitor,
	      void (*done)(void *arg, int r, struct stream *s, const struct err *e), void *arg,
	      struct edge_opening **ret_opening, struct err *e)
{
	struct edge_opening *opening;
	int r;

	if (service->retired)
		return err_set(e, ERR_REFUSED, "service %s is going away", service->id);
	if (!fits(service, visitor))
		return err_set(e, ERR_REFUSED, "service %s is not for %s", service->id,
			       visitor->proto);
	if (is_denied(service, visitor))
		return err_set(e, ERR_DENIED, EDGE_DENIED_NOTE);
	opening = calloc(1, sizeof(*opening));
	if (!opening)
		return err_set(e, ERR_NOMEM, "visitor");
	opening->done = done;
	opening->arg = arg;
	r = service->kind == EDGE_TCP
		    ? edge_tcp_open(service, visitor, on_opened, opening, &opening->tcp, e)
		    : open_made(service, visitor, opening, e);
	if (r < 0) {
		free(opening);
		return r;
	}
	*ret_opening = opening;
	return 0;
}

void edge_open_cancel(struct edge_opening *opening)
{
	if (!opening)
		return;
	defer_cancel(&opening->defer);
	stream_reset(opening->stream);
	if (opening->tcp)
		edge_tcp_cancel(opening->tcp);
	free(opening);
}

/* A visitor who vanished without a word is noticed some day. */
static void keep_alive(struct stream *stream)
{
	int fd = sock_stream_fd(stream), one = 1;

	if (fd >= 0)
		setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
}

void edge_serve(struct edge_service *service, const struct edge_visitor *visitor,
		struct stream *stream)
{
	struct err e = {0};
	int r;

	if (service->retired || !fits(service, visitor) || is_denied(service, visitor)) {
		stream_reset(stream);
		return;
	}
	keep_alive(stream);
	if (service->kind == EDGE_UDP)
		r = edge_udp_serve(service, visitor, stream, &e);
	else if (service->kind == EDGE_TCP)
		r = edge_tcp_serve(service, visitor, stream, &e);
	else
		r = edge_web_start(service, visitor, stream, &e);
	if (r < 0)
		log_debug("service %s: visitor not served: %s", service->id, e.text);
}

/* ── is it there? ── */

struct edge_check {
	struct job job;
	struct lane_job look;
	struct edge_files *files; /* a reference; of a folder */
	char *path;		  /* owned; the same */
	char to[128];		  /* of an address */
	struct sock_addr at;	  /* the same */
	bool introduce;		  /* by a PROXY header */
	struct sock_connect *connect;
	int r;
	struct err e;
	void (*done)(void *arg, int r, const struct err *e); /* NULL: cancelled */
	void *arg;
};

static void check_free(struct edge_check *c)
{
	edge_files_unref(c->files);
	free(c->path);
	free(c);
}

static void check_finish(struct edge_check *c)
{
	if (c->done)
		c->done(c->arg, c->r, &c->e);
	check_free(c);
}

static void work_check(struct lane_job *job)
{
	struct edge_check *c = container_of(job, struct edge_check, look);

	c->r = edge_files_check(c->path, &c->e);
}

static void on_looked(struct lane_job *job)
{
	struct edge_check *c = container_of(job, struct edge_check, look);

	if (job->lost)
		c->r = err_set(&c->e, ERR_NOMEM, "background job");
	check_finish(c);
}

static void work_check_udp(struct job *job)
{
	struct edge_check *c = container_of(job, struct edge_check, job);

	c->r = edge_udp_look(&c->at.ip);
	if (c->r == -ERR_REFUSED)
		err_set(&c->e, ERR_REFUSED, "nothing listens on %s (UDP)", c->to);
}

static void on_checked(struct job *job)
{
	check_finish(container_of(job, struct edge_check, job));
}

static void on_check_connected(void *arg, int r, struct stream *s, const struct err *e)
{
	struct edge_check *c = arg;

	c->r = r;
	if (r == -ERR_REFUSED)
		err_set(&c->e, ERR_REFUSED, "nothing listens on %s", c->to);
	else if (r < 0)
		c->e = *e;
	/* A server that waits for a header is not left without one. */
	if (r == 0 && c->introduce && edge_tcp_introduce(s, NULL, &c->at, &c->e) < 0)
		log_debug("%s: %s", c->to, c->e.text);
	stream_close(s);
	check_finish(c);
}

static int check_folder(struct edge_check *c, struct edge_service *service, struct err *e)
{
	c->files = edge_files_ref(service->files);
	return lane_start(edge_files_lane(c->files), &c->look, work_check, on_looked, true, e);
}

int edge_check_start(struct edge_service *service,
		     void (*done)(void *arg, int r, const struct err *e), void *arg,
		     struct edge_check **ret_check, struct err *e)
{
	struct edge_check *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return err_set(e, ERR_NOMEM, "service %s", service->id);
	c->done = done;
	c->arg = arg;
	c->at = service->to;
	c->introduce = service->proxy_protocol;
	memcpy(c->to, service->to_text, sizeof(c->to));
	c->path = strdup(service->path);
	if (!c->path)
		r = err_set(e, ERR_NOMEM, "service %s", service->id);
	else if (service->kind == EDGE_FILES)
		r = check_folder(c, service, e);
	else if (service->kind == EDGE_UDP)
		r = job_start(&c->job, service->loop, work_check_udp, on_checked, e);
	else
		r = sock_connect_start(service->loop, &service->to, EDGE_CONNECT_TIMEOUT,
				       on_check_connected, c, &c->connect, e);
	if (r < 0) {
		check_free(c);
		return r;
	}
	*ret_check = c;
	return 0;
}

void edge_check_cancel(struct edge_check *c)
{
	if (!c)
		return;
	c->done = NULL;
	if (!c->connect && !(c->files && lane_cancel(&c->look)))
		return; /* on the pool: goes when it is back */
	sock_connect_cancel(c->connect);
	check_free(c);
}
