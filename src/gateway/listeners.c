#include "gateway/listeners.h"

#include "base/log.h"

/* A front that only holds ports: its loop never runs. */
struct probe {
	struct front_routes *routes;   /* owned */
	struct front_sources *sources; /* owned */
	struct front *front;	       /* owned */
};

static void probe_done(struct probe *probe)
{
	front_free(probe->front);
	front_sources_free(probe->sources);
	front_routes_free(probe->routes);
}

static int probe_init(struct probe *probe, struct loop *loop, struct err *e)
{
	static const struct front_handler no_handler;
	struct front_config config;
	int r = front_routes_new(&probe->routes, e);

	if (r == 0)
		r = front_sources_new(NULL, &probe->sources, e);
	config = (struct front_config){.routes = probe->routes, .sources = probe->sources};
	return r < 0 ? r : front_new(loop, &config, &no_handler, NULL, &probe->front, e);
}

static int probe_one(struct probe *probe, enum front_kind kind, const struct gateway_listen *listen,
		     struct listeners *ret, struct err *e)
{
	struct listener_spec *spec = &ret->list[ret->n];
	char text[128];
	uint16_t port;
	int r = front_listen(probe->front, kind, &listen->at, 0, NULL, &port, e);

	if (r == -ERR_FAILED && listen->may_lack) {
		log_warning("no IPv6 on this machine: not listening on %s",
			    sock_addr_format(text, &listen->at));
		return 0;
	}
	if (r < 0)
		return r;
	*spec = (struct listener_spec){.kind = kind, .at = listen->at};
	spec->at.ip.port = port;
	ret->n++;
	return 0;
}

static int probe_kind(struct probe *probe, enum front_kind kind,
		      const struct conf_addresses *addresses, struct listeners *ret, struct err *e)
{
	struct gateway_listen list[GATEWAY_LISTEN_MAX];
	size_t n = gateway_config_listen(addresses, list);
	const char *key = kind == FRONT_HTTPS ? "https" : "http";
	int r;

	for (size_t i = 0; i < n; i++) {
		r = probe_one(probe, kind, &list[i], ret, e);
		if (r < 0)
			return err_wrap(e, r, "[listen] %s", key);
	}
	return 0;
}

static uint16_t first_port(const struct listeners *listeners, enum front_kind kind)
{
	for (size_t i = 0; i < listeners->n; i++)
		if (listeners->list[i].kind == kind)
			return listeners->list[i].at.ip.port;
	return 0;
}

int listeners_probe(struct loop *loop, const struct gateway_config *config, struct listeners *ret,
		    struct err *e)
{
	struct listeners found = {0};
	struct probe probe = {0};
	int r = probe_init(&probe, loop, e);

	if (r == 0)
		r = probe_kind(&probe, FRONT_HTTPS, &config->listen.https, &found, e);
	if (r == 0)
		r = probe_kind(&probe, FRONT_HTTP, &config->listen.http, &found, e);
	probe_done(&probe);
	if (r < 0)
		return r;
	found.https_port = first_port(&found, FRONT_HTTPS);
	found.http_port = first_port(&found, FRONT_HTTP);
	*ret = found;
	return 0;
}

int listeners_open(const struct listeners *listeners, struct front *front, unsigned sock_flags,
		   struct err *e)
{
	for (size_t i = 0; i < listeners->n; i++) {
		const struct listener_spec *spec = &listeners->list[i];
		int r = front_listen(front, spec->kind, &spec->at, sock_flags, NULL, NULL, e);

		if (r < 0)
			return r;
	}
	return 0;
}
