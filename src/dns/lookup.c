#include "dns/lookup.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/ipclass.h"
#include "dns/query.h"
#include "net/resolve.h"

enum step { STEP_ZONE, STEP_SERVERS, STEP_ADDRESS };

struct lookup {
	const struct dns_lookup_settings *settings; /* borrowed */
	char host[HOSTNAME_MAX], zone[HOSTNAME_MAX];
	int family;
	enum step step;
	uint16_t id;
	char servers[DNS_LOOKUP_SERVERS_MAX][HOSTNAME_MAX];
	size_t n_servers, server;      /* the one being asked */
	struct dns_exchange *exchange; /* owned */
	struct resolve *resolve;       /* owned */
	struct defer failed;	       /* nothing could be started */
	void (*done)(void *arg, const struct ipaddr *published);
	void *arg;
};

static void lookup_free(struct lookup *l)
{
	dns_exchange_cancel(l->exchange);
	resolve_cancel(l->resolve);
	defer_cancel(&l->failed);
	free(l);
}

static void end(struct lookup *l, const struct ipaddr *published)
{
	void (*done)(void *arg, const struct ipaddr *published) = l->done;
	void *arg = l->arg;

	lookup_free(l);
	done(arg, published);
}

static void on_failed(void *arg)
{
	end(arg, NULL);
}

/* It cannot be found out. Never from inside the call that started the lookup. */
static void fail(struct lookup *l)
{
	defer_call(&l->failed);
}

/* ── messages ── */

static ldns_rr_type type_of(const struct lookup *l)
{
	return l->family == 6 ? LDNS_RR_TYPE_AAAA : LDNS_RR_TYPE_A;
}

/* 1: *ret is what is published (family 0: nothing). 0: this server cannot tell. */
static int take_address(const struct lookup *l, const ldns_pkt *pkt, struct ipaddr *ret)
{
	ldns_rr_type type = type_of(l);
	ldns_pkt_rcode rcode = ldns_pkt_get_rcode(pkt);
	const ldns_rr *rr = dns_query_find(ldns_pkt_answer(pkt), type, 0);
	const ldns_rdf *data = rr ? ldns_rr_rdf(rr, 0) : NULL;
	size_t len = l->family == 6 ? 16 : 4;

	*ret = (struct ipaddr){0};
	if (!ldns_pkt_aa(pkt) || (rcode != LDNS_RCODE_NOERROR && rcode != LDNS_RCODE_NXDOMAIN))
		return 0;
	if (dns_query_find(ldns_pkt_answer(pkt), LDNS_RR_TYPE_CNAME, 0))
		return 0; /* an alias leads elsewhere: that is not for us to follow */
	if (!rr)
		return 1;
	if (dns_query_find(ldns_pkt_answer(pkt), type, 1) || !data || ldns_rdf_size(data) != len)
		return 0;
	ret->family = (uint8_t)l->family;
	memcpy(ret->bytes, ldns_rdf_data(data), len);
	return 1;
}

/* ── steps ── */

static bool on_answer(void *arg, int r, struct str message, bool sent, const struct err *e);

static void ask(struct lookup *l, const struct sock_addr *server, const char *name,
		ldns_rr_type type, bool recursion)
{
	AUTO(buf_donep) struct buf wire = {0};

	if (dns_query_encode(name, type, recursion, &wire, &l->id) < 0 ||
	    dns_exchange_start(l->settings->loop, server, buf_str(&wire), on_answer, l,
			       &l->exchange, NULL) < 0)
		fail(l);
}

static void ask_resolver(struct lookup *l, const char *name, ldns_rr_type type)
{
	struct sock_addr resolver = l->settings->resolver;

	if (resolver.ip.family || dns_query_resolver(&resolver))
		ask(l, &resolver, name, type, true);
	else
		fail(l);
}

static void on_resolved(void *arg, int r, const struct ipaddr *addrs, size_t n,
			const struct err *e);

/* The next of the zone's servers. */
static void next_server(struct lookup *l)
{
	uint16_t port = l->settings->port ? l->settings->port : DNS_QUERY_PORT;

	while (l->server < l->n_servers)
		if (resolve_start(l->settings->loop, l->servers[l->server++], port, on_resolved, l,
				  &l->resolve, NULL) == 0)
			return;
	fail(l);
}

static void on_resolved(void *arg, int r, const struct ipaddr *addrs, size_t n, const struct err *e)
{
	struct lookup *l = arg;
	struct sock_addr server = {0};

	l->resolve = NULL;
	if (r < 0) {
		next_server(l);
		return;
	}
	server.ip = addrs[0];
	ask(l, &server, l->host, type_of(l), false);
}

static void take(struct lookup *l, const ldns_pkt *pkt)
{
	struct ipaddr published;

	switch (l->step) {
	case STEP_ZONE:
		l->step = STEP_SERVERS;
		if (dns_query_zone(pkt, l->host, l->zone))
			ask_resolver(l, l->zone, LDNS_RR_TYPE_NS);
		else
			fail(l);
		break;
	case STEP_SERVERS:
		l->step = STEP_ADDRESS;
		l->n_servers = dns_query_servers(pkt, l->servers, DNS_LOOKUP_SERVERS_MAX);
		if (l->n_servers)
			next_server(l);
		else
			fail(l);
		break;
	case STEP_ADDRESS:
		if (take_address(l, pkt, &published))
			end(l, &published);
		else
			next_server(l);
		break;
	}
}

/* ── a resolver that does not speak TCP, as many a router's ── */

/* What /etc/hosts or the house's own name server says is not what the world sees. */
static bool is_of_the_house(const char *host, const struct ipaddr *a)
{
	if (strcmp(host, "localhost") == 0 || str_ends_nocase(str_of(host), STR(".localhost")))
		return false; /* there is no world for it (RFC 6761 §6.3) */
	switch (ipclass_of(a)) {
	case IPCLASS_LOOPBACK:
	case IPCLASS_PRIVATE:
	case IPCLASS_ULA:
	case IPCLASS_LINK_LOCAL:
		return true;
	default:
		return false;
	}
}

static void on_system(void *arg, int r, const struct ipaddr *addrs, size_t n, const struct err *e)
{
	struct lookup *l = arg;
	struct ipaddr published = {0};
	unsigned found = 0;

	l->resolve = NULL;
	for (size_t i = 0; r == 0 && i < n; i++)
		if (addrs[i].family == l->family && found++ == 0)
			published = addrs[i];
	published.port = 0;
	if ((r < 0 && r != -ERR_NOT_FOUND) || found > 1 || is_of_the_house(l->host, &published))
		end(l, NULL);
	else
		end(l, &published);
}

/* The system's own way, with its caches and its view of the house's network: better than nothing. */
static void ask_system(struct lookup *l)
{
	bool wildcard = l->host[0] == '*'; /* no system's idea of a host */

	if (wildcard ||
	    resolve_start(l->settings->loop, l->host, 0, on_system, l, &l->resolve, NULL) < 0)
		fail(l);
}

static bool on_answer(void *arg, int r, struct str message, bool sent, const struct err *e)
{
	struct lookup *l = arg;
	ldns_pkt *pkt = NULL;

	if (r == 0 && !(pkt = dns_query_decode(message, l->id)))
		return false;
	l->exchange = NULL;
	if (r == 0)
		take(l, pkt);
	else if (l->step == STEP_ADDRESS)
		next_server(l);
	else if (l->step == STEP_ZONE)
		ask_system(l);
	else
		fail(l);
	ldns_pkt_free(pkt);
	return true;
}

static void ask_directly(struct lookup *l)
{
	l->step = STEP_ADDRESS;
	ask(l, &l->settings->resolver, l->host, type_of(l), false);
}

/* ── for the keeper ── */

/* "*.example.org" is asked for as it stands: the answer is the wildcard itself (RFC 4592 §2.3). */
static bool take_host(struct lookup *l, struct str host)
{
	char name[HOSTNAME_MAX];

	if (!str_starts(host, STR("*.")))
		return hostname_copy(l->host, host);
	if (!hostname_copy(name, str_n(host.at + 2, host.len - 2)))
		return false;
	return (size_t)snprintf(l->host, sizeof(l->host), "*.%s", name) < sizeof(l->host);
}

static void *lookup_start(void *arg, const char *host, int family,
			  void (*done)(void *done_arg, const struct ipaddr *published),
			  void *done_arg)
{
	struct dns_lookup_settings *settings = arg;
	struct lookup *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->settings = settings;
	l->family = family;
	l->done = done;
	l->arg = done_arg;
	defer_init(&l->failed, settings->loop, on_failed, l);
	if (!take_host(l, str_of(host)))
		fail(l);
	else if (settings->direct)
		ask_directly(l);
	else
		ask_resolver(l, l->host, LDNS_RR_TYPE_SOA);
	return l;
}

static void lookup_cancel(void *arg, void *question)
{
	lookup_free(question);
}

struct dns_asker dns_lookup_asker(struct dns_lookup_settings *settings)
{
	return (struct dns_asker){lookup_start, lookup_cancel, settings};
}
