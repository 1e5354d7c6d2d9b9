#include "agent/lan.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdio.h>
#include <unistd.h>

#include "agent/neighbours.h"
#include "base/log.h"
#include "net/fdlimit.h"
#include "net/netwatch.h"

#define LAN_PORT_TRIES 8 /* ports that are free in IPv4 but not in IPv6 */
#define LAN_URL_MAX    128

/* A connection that was taken; it may have ended since. */
struct conn {
	int fd; /* the stream's */
	struct ipaddr peer;
};

struct lan {
	struct loop *loop;	       /* borrowed */
	struct origin *origin;	       /* owned */
	struct sock_listener *v4, *v6; /* owned; one may be NULL */
	const char *scheme;
	uint16_t port;
	char urls[LAN_URLS_MAX][LAN_URL_MAX];
	size_t n_urls;
	struct netwatch *netwatch; /* owned; NULL: not to be had */
	struct neighbours neighbours;
	struct conn conns[LAN_CONNS_MAX];
	size_t n_conns;
};

/* ── who may come ── */

/* A descriptor that is closed, or belongs to somebody else by now, has another peer or none. */
static bool conn_lives(const struct conn *conn)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	struct ipaddr peer;

	if (getpeername(conn->fd, (struct sockaddr *)&ss, &len) < 0)
		return false;
	ipaddr_from_sockaddr(&peer, (struct sockaddr *)&ss);
	return ipaddr_equal(&peer, &conn->peer);
}

static void forget_dead(struct lan *lan)
{
	size_t n = 0;

	for (size_t i = 0; i < lan->n_conns; i++)
		if (conn_lives(&lan->conns[i]))
			lan->conns[n++] = lan->conns[i];
	lan->n_conns = n;
}

static bool full(const struct lan *lan, const struct ipaddr *peer)
{
	struct ipaddr source = ipaddr_source(peer);
	size_t n = 0;

	for (size_t i = 0; i < lan->n_conns; i++) {
		struct ipaddr other = ipaddr_source(&lan->conns[i].peer);

		n += ipaddr_equal(&other, &source);
	}
	return n >= LAN_CONNS_PER_SOURCE_MAX || lan->n_conns >= LAN_CONNS_MAX;
}

/* False: there are too many. */
static bool enter(struct lan *lan, int fd, const struct ipaddr *peer)
{
	if (full(lan, peer))
		forget_dead(lan);
	if (full(lan, peer))
		return false;
	lan->conns[lan->n_conns++] = (struct conn){.fd = fd, .peer = *peer};
	return true;
}

static bool welcome(struct lan *lan, int fd, const struct ipaddr *peer)
{
	char text[IPADDR_TEXT_MAX];

	if (!neighbours_include(&lan->neighbours, peer)) {
		log_debug("visitor from %s: not of this network", ipaddr_format(text, peer));
		return false;
	}
	return !fdlimit_reserved(fd) && enter(lan, fd, peer);
}

static void on_network(void *arg)
{
	struct lan *lan = arg;

	neighbours_find(&lan->neighbours);
}

static void on_accept(void *arg, int fd, const struct ipaddr *peer)
{
	struct lan *lan = arg;
	struct edge_service *edge = origin_edge(lan->origin);
	struct edge_visitor visitor = {.addr = *peer};
	struct stream *stream;
	struct err e = {0};

	str_copy(visitor.proto, sizeof(visitor.proto), str_of(lan->scheme));
	if (!edge || !welcome(lan, fd, peer)) {
		close(fd);
		return;
	}
	if (sock_stream_new(lan->loop, fd, &stream, &e) < 0) {
		log_debug("visitor: %s", e.text);
		return;
	}
	edge_serve(edge, &visitor, stream);
}

/* ── listening ── */

static int listen_on(struct lan *lan, uint8_t family, uint16_t port, struct sock_listener **ret,
		     struct err *e)
{
	struct sock_addr at = {.ip = {.family = family, .port = port}};

	return sock_listen(lan->loop, &at, 0, on_accept, lan, ret, e);
}

static bool port_trouble(int r)
{
	return r == -ERR_EXISTS || r == -ERR_DENIED;
}

/* The same port in both families. */
static int listen_both(struct lan *lan, uint16_t port, struct err *e)
{
	struct err e6 = {0};
	int r4 = listen_on(lan, 4, port, &lan->v4, e);
	int r6;

	if (port_trouble(r4))
		return r4;
	if (r4 == 0)
		port = sock_listener_addr(lan->v4)->ip.port;
	r6 = listen_on(lan, 6, port, &lan->v6, &e6);
	if (r6 == 0)
		port = sock_listener_addr(lan->v6)->ip.port;
	if (port_trouble(r6) || (r4 < 0 && r6 < 0)) {
		if (e)
			*e = e6;
		sock_listener_free(TAKE(lan->v4));
		return r6;
	}
	lan->port = port;
	return 0;
}

static int listen_somewhere(struct lan *lan, uint16_t port, struct err *e)
{
	int r = listen_both(lan, port, e);

	for (int i = 1; i < LAN_PORT_TRIES && port == 0 && r == -ERR_EXISTS; i++)
		r = listen_both(lan, port, e);
	return r;
}

/* ── what to tell people ── */

static void add_url(struct lan *lan, const char *host)
{
	const char *slash = strcmp(lan->scheme, "tcp") == 0 ? "" : "/";

	if (lan->n_urls < LAN_URLS_MAX)
		snprintf(lan->urls[lan->n_urls++], LAN_URL_MAX, "%s://%s:%u%s", lan->scheme, host,
			 lan->port, slash);
}

/* Addresses others can type: no loopback, no link-local ones with their zones. */
static bool usable(const struct ifaddrs *i, struct ipaddr *ret)
{
	bool link_local6;

	if (!i->ifa_addr || !(i->ifa_flags & IFF_UP) || (i->ifa_flags & IFF_LOOPBACK))
		return false;
	if (i->ifa_addr->sa_family != AF_INET && i->ifa_addr->sa_family != AF_INET6)
		return false;
	ipaddr_from_sockaddr(ret, i->ifa_addr);
	link_local6 = ipaddr_is_link_local6(ret);
	return ret->family && !link_local6;
}

static void find_urls(struct lan *lan)
{
	struct ifaddrs *all = NULL;

	if (getifaddrs(&all) < 0)
		log_debug("addresses of this machine: %s", strerror(errno));
	for (const struct ifaddrs *i = all; i && lan->n_urls < LAN_URLS_MAX - 1; i = i->ifa_next) {
		char text[IPADDR_TEXT_MAX];
		struct ipaddr ip;

		if (!usable(i, &ip) || !(ip.family == 4 ? lan->v4 : lan->v6))
			continue;
		ip.port = 0;
		add_url(lan, ipaddr_format_port(text, &ip));
	}
	if (all)
		freeifaddrs(all);
	add_url(lan, "localhost");
}

static const char *scheme_of(const struct target *target)
{
	switch (target->link) {
	case LINK_HTTP:
		return "http";
	case LINK_TLS:
		return "https";
	case LINK_UDP:
		return "udp";
	case LINK_TCP:
	case LINK_OTHER:
		break;
	}
	return "tcp";
}

/* The names of this machine, besides those without a dot. */
static int add_own_names(struct wish *wish, struct err *e)
{
	char whole[HOSTNAME_MAX] = "", name[HOSTNAME_MAX], text[2 * HOSTNAME_MAX];
	struct str rest, first;

	if (gethostname(whole, sizeof(whole) - 1) < 0 || !*whole)
		return 0;
	rest = str_of(whole);
	first = str_split(&rest, '.');
	snprintf(text, sizeof(text), "%.*s.local", STR_ARG(first));
	if (hostname_copy(name, str_of(whole)) &&
	    link_texts_add(&wish->names, &wish->n_names, str_of(name)) < 0)
		return err_set(e, ERR_LIMIT, "too many names");
	if (hostname_copy(name, str_of(text)) &&
	    link_texts_add(&wish->names, &wish->n_names, str_of(name)) < 0)
		return err_set(e, ERR_LIMIT, "too many names");
	return 0;
}

static int make_origin(struct lan *lan, const struct wish *wish, const struct origin_events *events,
		       void *arg, struct err *e)
{
	AUTO(wish_done) struct wish local = {0};
	int r = wish_copy(&local, wish);

	if (r < 0)
		return err_set(e, ERR_NOMEM, "service");
	local.local_names = true;
	r = add_own_names(&local, e);
	return r < 0 ? r : origin_new(lan->loop, &local, events, arg, &lan->origin, e);
}

int lan_new(struct loop *loop, const struct wish *wish, uint16_t port,
	    const struct origin_events *events, void *arg, struct lan **ret_lan, struct err *e)
{
	struct lan *lan = calloc(1, sizeof(*lan));
	int r;

	if (!lan)
		return err_set(e, ERR_NOMEM, "service");
	lan->loop = loop;
	lan->scheme = scheme_of(&wish->target);
	r = listen_somewhere(lan, port, e);
	if (r == 0)
		r = make_origin(lan, wish, events, arg, e);
	if (r < 0) {
		lan_free(lan);
		return r;
	}
	neighbours_find(&lan->neighbours);
	if (netwatch_new(loop, on_network, lan, &lan->netwatch, NULL) < 0)
		log_debug("changes of the network are not noticed");
	find_urls(lan);
	*ret_lan = lan;
	return 0;
}

void lan_free(struct lan *lan)
{
	if (!lan)
		return;
	sock_listener_free(lan->v4);
	sock_listener_free(lan->v6);
	netwatch_free(lan->netwatch);
	origin_free(lan->origin);
	free(lan);
}

size_t lan_urls(const struct lan *lan, const char *ret[static LAN_URLS_MAX])
{
	for (size_t i = 0; i < lan->n_urls; i++)
		ret[i] = lan->urls[i];
	return lan->n_urls;
}
