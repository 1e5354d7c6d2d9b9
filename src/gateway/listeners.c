#include "gateway/listeners.h"

#include <stdio.h>

#include "base/log.h"
#include "net/notify.h"

/* A front that only holds ports: its loop never runs. */
struct probe {
	struct front_routes *routes;	   /* owned */
	struct front_sources *sources;	   /* owned */
	struct front *front;		   /* owned */
	const struct inherited *inherited; /* borrowed */
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

static void add(struct listeners *ret, enum front_kind kind, const struct sock_addr *at,
		bool covered)
{
	ret->list[ret->n++] = (struct listener_spec){.kind = kind, .at = *at, .covered = covered};
}

static int probe_one(struct probe *probe, enum front_kind kind, const struct gateway_listen *listen,
		     struct listeners *ret, struct err *e)
{
	struct sock_addr at = listen->at;
	char text[128];
	int r;

	if (inherited_count(probe->inherited, &at) || inherited_covers(probe->inherited, &at)) {
		add(ret, kind, &at, inherited_count(probe->inherited, &at) == 0);
		return 0;
	}
	r = front_listen(probe->front, kind, &at, 0, NULL, &at.ip.port, e);
	if (r == -ERR_FAILED && listen->may_lack) {
		log_warning("no IPv6 on this machine: not listening on %s",
			    sock_addr_format(text, &at));
		return 0;
	}
	if (r < 0)
		return r;
	add(ret, kind, &at, false);
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

int listeners_probe(struct loop *loop, const struct gateway_config *config,
		    const struct inherited *inherited, struct listeners *ret, struct err *e)
{
	struct listeners found = {0};
	struct probe probe = {.inherited = inherited};
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

/* One of the descriptors that the manager keeps: "0.0.0.0-443.1" for the second front's. */
static void store(int fd, const struct sock_addr *at, unsigned index)
{
	char text[128], name[160];

	snprintf(name, sizeof(name), "%s.%u", sock_addr_format(text, at), index);
	for (char *c = name; *c; c++)
		if (*c == ':')
			*c = '-';
	notify_store(name, fd);
}

static int open_new(const struct listener_spec *spec, struct front *front, unsigned index,
		    unsigned n_fronts, struct err *e)
{
	int fd = sock_listen_open(&spec->at, n_fronts > 1 ? SOCK_LISTEN_SHARED : 0, e);

	if (fd < 0)
		return fd;
	store(fd, &spec->at, index);
	return front_listen_fd(front, spec->kind, fd, e);
}

/* Of n sockets: index, index + n_fronts and so on; with fewer sockets than fronts, one of them. */
static int open_inherited(const struct listener_spec *spec, size_t n, struct inherited *inherited,
			  struct front *front, unsigned index, unsigned n_fronts, struct err *e)
{
	int r = 0;

	for (size_t i = index < n ? index : index % n; i < n && r == 0; i += n_fronts) {
		int fd = inherited_dup(inherited, &spec->at, i, e);

		r = fd < 0 ? fd : front_listen_fd(front, spec->kind, fd, e);
	}
	return r;
}

int listeners_open(const struct listeners *listeners, struct inherited *inherited,
		   struct front *front, unsigned index, unsigned n_fronts, struct err *e)
{
	for (size_t i = 0; i < listeners->n; i++) {
		const struct listener_spec *spec = &listeners->list[i];
		size_t n = inherited_count(inherited, &spec->at);
		int r = 0;

		if (n)
			r = open_inherited(spec, n, inherited, front, index, n_fronts, e);
		else if (!spec->covered)
			r = open_new(spec, front, index, n_fronts, e);
		if (r < 0)
			return r;
	}
	return 0;
}
