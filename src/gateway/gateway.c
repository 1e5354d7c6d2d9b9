/*
 *	        SIGTERM, SIGINT            no visitors left, 30 s, a second signal
 *	SERVING ──────────────▶ DRAINING ─────────────────────────────────────────▶ CLOSING ──▶ end
 *
 * DRAINING: no new visitors; agents are asked to dial a successor. CLOSING: fronts, then links, then
 * the store.
 */
#include "gateway/gateway.h"

#include <signal.h>
#include <stdio.h>

#include "base/log.h"
#include "gateway/away.h"
#include "gateway/comeback.h"
#include "gateway/control.h"
#include "gateway/listeners.h"
#include "gateway/metrics.h"
#include "gateway/ports.h"
#include "gateway/registry.h"
#include "gateway/store.h"
#include "gateway/worker.h"
#include "net/fdlimit.h"
#include "net/notify.h"
#include "state/folder.h"
#include "state/identity.h"
#include "state/lock.h"

#define DRAIN_MAX     (30 * USEC_PER_S)
#define DRAIN_LOOK    (100 * USEC_PER_MS)
#define KEY_FILE      "link-key.pem"
#define NEXT_KEY_FILE "link-key-next.pem"

enum gateway_state { SERVING, DRAINING, CLOSING };

struct gateway {
	struct gateway_options options;
	const struct gateway_config *config; /* borrowed */
	int lock;			     /* of the state folder; -1: none */
	struct loop *loop;
	struct tls_identity *identity, *next_identity;
	struct store *store;
	struct registry *registry;
	struct front_routes *routes;
	struct front_sources *sources;
	struct ports *ports;
	struct inherited inherited; /* until the workers have them */
	struct listeners listeners;
	struct worker_shared shared;
	struct worker workers[GATEWAY_WORKERS_MAX];
	struct gateway_control *control;
	struct metrics *metrics; /* NULL: nowhere */

	enum gateway_state state;
	struct timer drain;
	struct timer pulse; /* of the watchdog */
	usec_t drain_until;
	unsigned visitors; /* counted in this look */
};

/* ── the service manager ── */

/* All workers have answered: none of them hangs. */
static void on_pulse(void *arg)
{
	struct gateway *gateway = arg;

	notify("WATCHDOG=1");
	if (gateway->state != CLOSING)
		timer_start(&gateway->pulse, notify_watchdog());
}

static void nothing(struct worker *worker, void *arg)
{
}

static void on_pulse_timer(void *arg)
{
	struct gateway *gateway = arg;

	workers_each(&gateway->shared, nothing, on_pulse, gateway);
}

static void start_pulse(struct gateway *gateway)
{
	if (notify_watchdog())
		timer_start(&gateway->pulse, 0);
}

/* ── the end ── */

static void on_closed(void *arg)
{
	struct gateway *gateway = arg;

	loop_stop(gateway->loop);
}

static void on_links_closed(void *arg)
{
	struct gateway *gateway = arg;

	store_close(TAKE(gateway->store));
	workers_each(&gateway->shared, nothing, on_closed, gateway); /* its last answers arrive */
}

static void close_links(struct worker *worker, void *arg)
{
	worker_close_links(worker);
}

static void on_fronts_closed(void *arg)
{
	struct gateway *gateway = arg;

	workers_each(&gateway->shared, close_links, on_links_closed, gateway);
}

static void close_front(struct worker *worker, void *arg)
{
	worker_close_front(worker);
}

static void start_closing(struct gateway *gateway, const char *why)
{
	log_info("stopping: %s", why);
	gateway->state = CLOSING;
	timer_stop(&gateway->drain);
	timer_stop(&gateway->pulse);
	gateway_control_free(TAKE(gateway->control));
	metrics_free(TAKE(gateway->metrics));
	workers_each(&gateway->shared, close_front, on_fronts_closed, gateway);
}

static void count_visitors(struct worker *worker, void *arg)
{
	struct gateway *gateway = arg;
	struct link_hub_info info;

	link_hub_info(worker->hub, &info);
	gateway->visitors += info.visitors + info.waiting + front_busy(worker->front) +
			     comeback_waiting(worker->comeback);
}

static void on_counted(void *arg)
{
	struct gateway *gateway = arg;

	if (gateway->state != DRAINING)
		return;
	if (gateway->visitors == 0)
		start_closing(gateway, "no visitors are left");
	else if (loop_now(gateway->loop) >= gateway->drain_until)
		start_closing(gateway, "the visitors that are left had 30 s");
	else
		timer_start(&gateway->drain, DRAIN_LOOK);
}

static void on_drain_timer(void *arg)
{
	struct gateway *gateway = arg;

	gateway->visitors = 0;
	workers_each(&gateway->shared, count_visitors, on_counted, gateway);
}

static void drain(struct worker *worker, void *arg)
{
	front_stop(worker->front);
	front_udp_stop(worker->udp);
	link_hub_drain(worker->hub);
}

static void on_drained(void *arg)
{
	struct gateway *gateway = arg;

	if (gateway->state == DRAINING)
		on_drain_timer(gateway);
}

static void on_stop_signal(void *arg)
{
	struct gateway *gateway = arg;

	switch (gateway->state) {
	case SERVING:
		gateway->state = DRAINING;
		gateway->drain_until = loop_now(gateway->loop) + DRAIN_MAX;
		log_info("no new visitors from now on; those that are here have 30 s (a second "
			 "signal ends it at once)");
		notify("STOPPING=1\nSTATUS=no new visitors; those that are here finish");
		workers_each(&gateway->shared, drain, on_drained, gateway);
		break;
	case DRAINING:
		start_closing(gateway, "a second signal");
		break;
	case CLOSING:
		break;
	}
}

static void on_reload_signal(void *arg)
{
	log_info("the configuration is read at the start only; restart the gateway to change it");
}

/* ── the beginning ── */

static int restore(struct gateway *gateway, const struct store_image *image, struct err *e)
{
	int r = registry_load(gateway->registry, image, e);

	for (size_t i = 0; i < image->n_agents && r == 0; i++)
		if (!image->agents[i].revoked)
			r = away_routes_set(gateway->routes, gateway->registry,
					    gateway->config->domain, image->agents[i].id,
					    image->agents[i].last_seen_wall, e);
	for (size_t i = 0; i < image->n_ports; i++)
		ports_restore(gateway->ports, image->ports[i].agent, image->ports[i].service,
			      image->ports[i].port);
	return r;
}

static int open_store(struct gateway *gateway, struct err *e)
{
	struct store_image image = {0};
	int r = store_open(gateway->options.state, NULL, &gateway->store, &image, e);

	if (r == 0)
		r = restore(gateway, &image, e);
	store_image_done(&image);
	return r;
}

static int make_tables(struct gateway *gateway, struct err *e)
{
	const struct gateway_config *config = gateway->config;
	struct front_limits limits = FRONT_LIMITS_DEFAULT;
	int r = registry_new(config->domain, &gateway->registry, e);

	limits.reading_max = (unsigned)config->limits.opening;
	limits.reading_per_source_max = (unsigned)config->limits.opening_per_source;
	limits.conns_per_source_max = (unsigned)config->limits.connections_per_source;
	limits.new_per_source_s = (unsigned)config->limits.new_per_source_s;
	if (r == 0)
		r = front_routes_new(&gateway->routes, e);
	if (r == 0)
		r = front_sources_new(&limits, &gateway->sources, e);
	if (r == 0)
		r = ports_new(config->first_port, config->last_port,
			      (size_t)config->limits.ports_per_agent, &gateway->ports, e);
	return r;
}

static int load_keys(struct gateway *gateway, struct err *e)
{
	const char *state = gateway->options.state;
	struct buf pem = {0};
	int r = identity_load(state, KEY_FILE, &gateway->identity, NULL, e);

	if (r < 0)
		return r;
	r = state_read(state, NEXT_KEY_FILE, &pem, e);
	buf_done(&pem);
	if (r == -ERR_NOT_FOUND)
		return 0;
	return r < 0 ? r : identity_load(state, NEXT_KEY_FILE, &gateway->next_identity, NULL, e);
}

static int prepare_state(struct gateway *gateway, struct err *e)
{
	const char *state = gateway->options.state;
	int r = state_folder_prepare(state, e);

	if (r == 0)
		r = state_lock(state, &gateway->lock, e);
	if (r == -ERR_EXISTS)
		return err_wrap(e, r, "a gateway is running already");
	if (r == 0)
		r = load_keys(gateway, e);
	if (r == 0)
		r = make_tables(gateway, e);
	return r < 0 ? r : open_store(gateway, e);
}

static int make_workers(struct gateway *gateway, struct err *e)
{
	unsigned n = gateway->config->workers;
	int r = 0;

	gateway->shared = (struct worker_shared){
		.config = gateway->config,
		.identity = gateway->identity,
		.next_key =
			gateway->next_identity ? tls_identity_hash(gateway->next_identity) : NULL,
		.registry = gateway->registry,
		.store = gateway->store,
		.routes = gateway->routes,
		.sources = gateway->sources,
		.ports = gateway->ports,
		.listeners = &gateway->listeners,
		.workers = gateway->workers,
		.n_workers = n,
	};
	for (unsigned i = 0; i < n && r == 0; i++)
		r = worker_init(&gateway->workers[i], &gateway->shared, i,
				i == 0 ? gateway->loop : NULL, e);
	for (unsigned i = 0; i < n && r == 0; i++)
		r = listeners_open(&gateway->listeners, &gateway->inherited,
				   gateway->workers[i].front, i, n, e);
	if (r == 0)
		inherited_forget(&gateway->inherited);
	inherited_done(&gateway->inherited);
	return r;
}

static int watch_signals(struct gateway *gateway, struct err *e)
{
	int r = loop_on_signal(gateway->loop, SIGTERM, on_stop_signal, gateway, e);

	if (r == 0)
		r = loop_on_signal(gateway->loop, SIGINT, on_stop_signal, gateway, e);
	if (r == 0)
		r = loop_on_signal(gateway->loop, SIGHUP, on_reload_signal, gateway, e);
	signal(SIGPIPE, SIG_IGN);
	return r;
}

static int open_control(struct gateway *gateway, struct err *e)
{
	const char *path = gateway->options.socket;
	AUTO(freep) char *folder = strdup(path);
	struct gateway_control_config config = {
		.loop = gateway->loop,
		.path = path,
		.shared = &gateway->shared,
		.version = gateway->options.version,
	};
	int r;

	if (!folder)
		return err_set(e, ERR_NOMEM, "control socket");
	*strrchr(folder, '/') = '\0';
	r = state_folder_prepare(*folder ? folder : "/", e);
	return r < 0 ? r : gateway_control_new(&config, &gateway->control, e);
}

static int open_metrics(struct gateway *gateway, struct err *e)
{
	struct metrics_config config = {
		.loop = gateway->loop,
		.at = &gateway->config->metrics,
		.shared = &gateway->shared,
		.version = gateway->options.version,
	};

	return gateway->config->has_metrics ? metrics_new(&config, &gateway->metrics, e) : 0;
}

static int start(struct gateway *gateway, struct err *e)
{
	int r;

	inherited_collect(&gateway->inherited);
	r = prepare_state(gateway, e);
	fdlimit_raise();
	if (r == 0)
		r = loop_new(&gateway->loop, e);
	if (r == 0) /* before anything can be seen of us */
		r = watch_signals(gateway, e);
	if (r == 0) /* before the ports, so that whoever sees one of those can ask here */
		r = open_control(gateway, e);
	if (r == 0)
		r = listeners_probe(gateway->loop, gateway->config, &gateway->inherited,
				    &gateway->listeners, e);
	if (r == 0)
		r = make_workers(gateway, e);
	if (r == 0)
		r = open_metrics(gateway, e);
	return r;
}

int gateway_new(const struct gateway_options *options, const struct gateway_config *config,
		struct gateway **ret_gateway, struct err *e)
{
	struct gateway *gateway = calloc(1, sizeof(*gateway));
	int r;

	if (!gateway)
		return err_set(e, ERR_NOMEM, "gateway");
	gateway->options = *options;
	gateway->config = config;
	gateway->lock = -1;
	r = start(gateway, e);
	if (r < 0) {
		gateway_free(gateway);
		return r;
	}
	timer_init(&gateway->drain, gateway->loop, on_drain_timer, gateway);
	timer_init(&gateway->pulse, gateway->loop, on_pulse_timer, gateway);
	*ret_gateway = gateway;
	return 0;
}

static void say_hello(const struct gateway *gateway)
{
	char text[128], key[TLS_KEY_HASH_TEXT_MAX];

	for (size_t i = 0; i < gateway->listeners.n; i++) {
		const struct listener_spec *spec = &gateway->listeners.list[i];

		log_info("listening on %s (%s)", sock_addr_format(text, &spec->at),
			 spec->kind == FRONT_HTTPS ? "https, agents" : "http");
	}
	log_info("gateway for %s, key %s", gateway->config->domain,
		 tls_key_hash_format(key, tls_identity_hash(gateway->identity)));
	if (gateway->next_identity)
		log_info("agents are told of the next key %s",
			 tls_key_hash_format(key, tls_identity_hash(gateway->next_identity)));
}

int gateway_run(struct gateway *gateway, struct err *e)
{
	int r = 0;

	for (unsigned i = 0; i < gateway->shared.n_workers && r == 0; i++)
		r = worker_start(&gateway->workers[i], e);
	if (r < 0)
		return r;
	say_hello(gateway);
	notify("READY=1");
	start_pulse(gateway);
	loop_run(gateway->loop);
	return 0;
}

void gateway_free(struct gateway *gateway)
{
	if (!gateway)
		return;
	gateway_control_free(gateway->control);
	metrics_free(gateway->metrics);
	for (unsigned i = 0; i < gateway->shared.n_workers; i++)
		worker_join(&gateway->workers[i]);
	for (unsigned i = 0; i < gateway->shared.n_workers; i++) {
		worker_close_front(&gateway->workers[i]);
		worker_close_links(&gateway->workers[i]);
	}
	store_close(gateway->store); /* its answers go to the loops */
	for (unsigned i = 0; i < gateway->shared.n_workers; i++)
		worker_done(&gateway->workers[i]);
	timer_stop(&gateway->drain);
	timer_stop(&gateway->pulse);
	inherited_done(&gateway->inherited);
	registry_free(gateway->registry);
	front_routes_free(gateway->routes);
	front_sources_free(gateway->sources);
	ports_free(gateway->ports);
	tls_identity_free(gateway->identity);
	tls_identity_free(gateway->next_identity);
	loop_free(gateway->loop);
	closep(&gateway->lock);
	free(gateway);
}
