#include "gateway/rawports.h"

#include "base/log.h"
#include "gateway/listeners.h"
#include "gateway/ports.h"
#include "gateway/worker.h"

struct rawport {
	struct list node;
	char service[LINK_SERVICE_ID_MAX + 1];
	enum link_kind kind;
	uint16_t wished, port;
};

void rawports_init(struct rawports *raw, struct worker *worker, uint64_t agent)
{
	*raw = (struct rawports){.worker = worker, .agent = agent};
	list_init(&raw->open);
}

static void unlisten(struct worker *worker, enum link_kind kind, uint16_t port)
{
	if (kind == LINK_UDP && worker->udp)
		front_udp_unlisten(worker->udp, port);
	else if (kind == LINK_TCP && worker->front)
		front_unlisten(worker->front, FRONT_RAW, port);
}

static void close_one(struct rawports *raw, struct rawport *one)
{
	struct worker *worker = raw->worker;

	unlisten(worker, one->kind, one->port);
	ports_release(worker->shared->ports, raw->agent, one->port);
	list_remove(&one->node);
	free(one);
}

void rawports_done(struct rawports *raw)
{
	struct rawport *one, *next;

	list_for_each_safe (one, next, &raw->open, node)
		close_one(raw, one);
}

void rawports_keep(struct rawports *raw, const struct link_services *wanted)
{
	struct rawport *one, *next;

	list_for_each_safe (one, next, &raw->open, node) {
		const struct link_service *service = link_services_find(wanted, one->service);

		if (!service || service->kind != one->kind || service->port != one->wished)
			close_one(raw, one);
	}
	for (size_t i = 0; i < wanted->n; i++)
		if (link_kind_has_port(wanted->list[i].kind) && wanted->list[i].port == 0)
			ports_claim(raw->worker->shared->ports, raw->agent, wanted->list[i].id);
}

/* On every address that https is on. -ERR_EXISTS: another program has the port on one of them. */
static int listen_on(struct rawports *raw, const struct link_service *service, uint16_t port,
		     struct err *e)
{
	const struct listeners *common = raw->worker->shared->listeners;
	struct worker *worker = raw->worker;
	struct front_route route = {.owner = raw->agent};

	strcpy(route.service, service->id);
	for (size_t i = 0; i < common->n; i++) {
		struct sock_addr at = common->list[i].at;
		int r;

		if (common->list[i].kind != FRONT_HTTPS)
			continue;
		at.ip.port = port;
		r = service->kind == LINK_UDP
			    ? front_udp_listen(worker->udp, &at.ip, &route, e)
			    : front_listen(worker->front, FRONT_RAW, &at, 0, &route, NULL, e);
		if (r < 0) {
			unlisten(worker, service->kind, port);
			return r;
		}
	}
	return 0;
}

/* A port that nobody else on this machine has. */
static int take(struct rawports *raw, const struct link_service *service, uint16_t *ret_port,
		bool *ret_new)
{
	struct ports *ports = raw->worker->shared->ports;
	usec_t now = loop_now(raw->worker->loop);
	struct err e = {0};
	uint16_t port;
	bool new;
	int r;

	for (;;) { /* every round but the last blocks a port */
		r = ports_take(ports, raw->agent, service->id, service->port, now, &port, &new);
		if (r < 0)
			return r;
		r = listen_on(raw, service, port, &e);
		if (r == 0)
			break;
		log_warning("port %u: %s", port, e.text);
		if (r != -ERR_EXISTS && r != -ERR_DENIED) { /* a shortage is not the port's fault */
			ports_release(ports, raw->agent, port);
			return -ERR_FAILED;
		}
		ports_block(ports, port, !new, now);
		if (service->port)
			return -ERR_EXISTS;
	}
	*ret_port = port;
	*ret_new = new;
	return 0;
}

int rawports_open(struct rawports *raw, const struct link_service *service, uint16_t *ret_port,
		  bool *ret_new)
{
	struct rawport *one;
	int r;

	list_for_each (one, &raw->open, node)
		if (strcmp(one->service, service->id) == 0) {
			*ret_port = one->port;
			*ret_new = false;
			return 0;
		}
	one = calloc(1, sizeof(*one));
	if (!one)
		return -ERR_NOMEM;
	r = take(raw, service, &one->port, ret_new);
	if (r < 0) {
		free(one);
		return r;
	}
	strcpy(one->service, service->id);
	one->kind = service->kind;
	one->wished = service->port;
	list_push(&raw->open, &one->node);
	*ret_port = one->port;
	return 0;
}
