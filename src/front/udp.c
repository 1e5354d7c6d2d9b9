#include "front/udp.h"

#include "net/dgram.h"

/* One address of a port. */
struct place {
	struct list node;
	struct port *port; /* borrowed */
	int fd;		   /* owned */
	struct watch *watch;
	unsigned batch; /* how many datagrams to take in a turn */
};

struct port {
	struct list node;
	struct front_udp *udp; /* borrowed */
	uint16_t number;
	struct front_flows *flows; /* owned */
	struct list places;	   /* owned */
};

struct front_udp {
	struct loop *loop;	       /* borrowed */
	struct front_sources *sources; /* borrowed */
	void (*on_visitor)(void *arg, const struct front_visitor *visitor);
	void *arg;
	struct list ports; /* owned */
	bool stopped;	   /* no further ones */
	struct front_udp_counters counters;
};

/* ── datagrams ── */

/* No more in a turn than a flow's queue holds: at its end the link takes what it can. */
static void on_readable(void *arg, unsigned events)
{
	struct place *place = arg;
	struct port *port = place->port;
	struct udp_datagram list[UDP_BATCH_MAX];
	int n = udp_receive(port->udp->loop, place->fd, place->batch, list, NULL);

	for (int i = 0; i < n; i++)
		front_flows_take(port->flows, place, &list[i]);
	if (n > 0)
		place->batch = udp_next_batch(DGRAM_QUEUE_MAX, list, n);
	watch_set(place->watch, WATCH_READ); /* an error has switched it off */
}

static unsigned on_send(void *arg, void *via, const struct ipaddr *peer, const struct ipaddr *local,
			const struct iovec *list, unsigned n)
{
	const struct place *place = via;

	return udp_send(place->fd, peer, local, list, n);
}

static void on_visitor(void *arg, const struct front_visitor *visitor)
{
	struct front_udp *udp = ((struct port *)arg)->udp;

	udp->on_visitor(udp->arg, visitor);
}

static const struct front_flows_handler flows_handler = {
	.on_visitor = on_visitor,
	.send = on_send,
};

/* ── ports ── */

static void place_free(struct place *place)
{
	list_remove(&place->node);
	watch_free(place->watch);
	if (place->fd >= 0)
		close(place->fd);
	free(place);
}

static void port_free(struct port *port)
{
	struct place *place, *next;

	front_flows_free(port->flows);
	list_for_each_safe (place, next, &port->places, node)
		place_free(place);
	list_remove(&port->node);
	free(port);
}

static struct port *port_find(const struct front_udp *udp, uint16_t number)
{
	struct port *port;

	list_for_each (port, &udp->ports, node)
		if (port->number == number)
			return port;
	return NULL;
}

static struct port *port_new(struct front_udp *udp, uint16_t number,
			     const struct front_route *route, struct err *e)
{
	struct front_flows_config config = {
		.sources = udp->sources,
		.counters = &udp->counters,
		.route = *route,
		.port = number,
	};
	struct port *port = calloc(1, sizeof(*port));

	if (!port) {
		err_set(e, ERR_NOMEM, "UDP port");
		return NULL;
	}
	port->udp = udp;
	port->number = number;
	list_init(&port->places);
	list_push(&udp->ports, &port->node);
	if (front_flows_new(udp->loop, &config, &flows_handler, port, &port->flows, e) < 0) {
		port_free(port);
		return NULL;
	}
	return port;
}

static int place_open(struct port *port, const struct ipaddr *at, struct err *e)
{
	struct place *place = calloc(1, sizeof(*place));
	int r;

	if (!place)
		return err_set(e, ERR_NOMEM, "UDP port");
	place->port = port;
	place->fd = -1;
	place->batch = UDP_BATCH_MAX;
	list_push(&port->places, &place->node);
	r = udp_bind(at, &place->fd, e);
	if (r == 0)
		r = watch_new(port->udp->loop, place->fd, on_readable, place, &place->watch, e);
	if (r < 0) {
		place_free(place);
		return r;
	}
	watch_set(place->watch, WATCH_READ);
	return 0;
}

int front_udp_listen(struct front_udp *udp, const struct ipaddr *at,
		     const struct front_route *route, struct err *e)
{
	struct port *port = port_find(udp, at->port);
	int r;

	if (udp->stopped)
		return err_set(e, ERR_FAILED, "stopping");
	if (!port)
		port = port_new(udp, at->port, route, e);
	if (!port)
		return -ERR_NOMEM;
	r = place_open(port, at, e);
	if (r < 0 && list_empty(&port->places))
		port_free(port);
	return r;
}

void front_udp_unlisten(struct front_udp *udp, uint16_t number)
{
	struct port *port = port_find(udp, number);

	if (port)
		port_free(port);
}

void front_udp_stop(struct front_udp *udp)
{
	struct port *port;

	udp->stopped = true;
	list_for_each (port, &udp->ports, node)
		front_flows_stop(port->flows);
}

/* ── the whole ── */

int front_udp_new(struct loop *loop, struct front_sources *sources,
		  void (*fn)(void *arg, const struct front_visitor *visitor), void *arg,
		  struct front_udp **ret_udp, struct err *e)
{
	struct front_udp *udp = calloc(1, sizeof(*udp));

	if (!udp)
		return err_set(e, ERR_NOMEM, "public side of UDP");
	udp->loop = loop;
	udp->sources = sources;
	udp->on_visitor = fn;
	udp->arg = arg;
	list_init(&udp->ports);
	*ret_udp = udp;
	return 0;
}

void front_udp_free(struct front_udp *udp)
{
	if (!udp)
		return;
	while (!list_empty(&udp->ports))
		port_free(list_entry(udp->ports.next, struct port, node));
	free(udp);
}

void front_udp_count(const struct front_udp *udp, struct front_udp_counters *add_to)
{
#define X(name) add_to->name += __atomic_load_n(&udp->counters.name, __ATOMIC_RELAXED);
	FRONT_UDP_COUNTERS(X)
#undef X
}
