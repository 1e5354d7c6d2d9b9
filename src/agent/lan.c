#include "agent/lan.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdio.h>

#include "base/log.h"
#include "net/fdlimit.h"

#define LAN_PORT_TRIES 8 /* ports that are free in IPv4 but not in IPv6 */
#define LAN_URL_MAX    128

struct lan {
	struct loop *loop;	       /* borrowed */
	struct origin *origin;	       /* owned */
	struct sock_listener *v4, *v6; /* owned; one may be NULL */
	const char *scheme;
	uint16_t port;
	char urls[LAN_URLS_MAX][LAN_URL_MAX];
	size_t n_urls;
};

static void on_accept(void *arg, int fd, const struct ipaddr *peer)
{
	struct lan *lan = arg;
	struct edge_service *edge = origin_edge(lan->origin);
	struct edge_visitor visitor = {.addr = *peer};
	struct stream *stream;
	struct err e = {0};

	str_copy(visitor.proto, sizeof(visitor.proto), str_of(lan->scheme));
	if (!edge || fdlimit_reserved(fd)) {
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
	link_local6 = ret->family == 6 && ret->bytes[0] == 0xfe && (ret->bytes[1] & 0xc0) == 0x80;
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
		break;
	}
	return "tcp";
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
		r = origin_new(loop, wish, events, arg, &lan->origin, e);
	if (r < 0) {
		lan_free(lan);
		return r;
	}
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
	origin_free(lan->origin);
	free(lan);
}

size_t lan_urls(const struct lan *lan, const char *ret[static LAN_URLS_MAX])
{
	for (size_t i = 0; i < lan->n_urls; i++)
		ret[i] = lan->urls[i];
	return lan->n_urls;
}
