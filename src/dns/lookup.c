#include "dns/lookup.h"

#include <ldns/ldns.h>
#include <stdio.h>
#include <string.h>

#include "base/rand.h"
#include "net/resolve.h"

#define DNS_PORT	53
#define HEADER_LEN	12
#define RESOLV_CONF	"/etc/resolv.conf"
#define RESOLV_CONF_MAX 16384

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

static int encode(struct lookup *l, const char *name, ldns_rr_type type, bool recursion,
		  struct buf *out)
{
	char dotted[HOSTNAME_MAX + 1];
	ldns_rdf *owner = NULL;
	ldns_pkt *pkt = NULL;
	uint8_t *wire = NULL;
	size_t len;
	int r = -ERR_INVALID;

	snprintf(dotted, sizeof(dotted), "%s.", name);
	rand_bytes(&l->id, sizeof(l->id));
	if (ldns_str2rdf_dname(&owner, dotted) == LDNS_STATUS_OK)
		pkt = ldns_pkt_query_new(owner, type, LDNS_RR_CLASS_IN, recursion ? LDNS_RD : 0);
	if (pkt) {
		ldns_pkt_set_id(pkt, l->id);
		if (ldns_pkt2wire(&wire, pkt, &len) == LDNS_STATUS_OK)
			r = buf_append(out, wire, len);
		free(wire);
		ldns_pkt_free(pkt); /* and the owner */
	} else {
		ldns_rdf_deep_free(owner);
	}
	return r;
}

/* Without what stands behind the sections: nothing of it is used, and ldns leaks a TSIG or OPT record when
 * another one follows. NULL: no message. */
static ldns_pkt *decode(struct str message)
{
	AUTO(buf_donep) struct buf plain = {0};
	ldns_pkt *pkt = NULL;
	uint8_t *at;

	if (message.len < HEADER_LEN || buf_append_str(&plain, message) < 0)
		return NULL;
	at = buf_head(&plain);
	if (!at)
		return NULL;
	at[10] = at[11] = 0; /* ARCOUNT */
	if (ldns_wire2pkt(&pkt, at, buf_len(&plain)) != LDNS_STATUS_OK)
		return NULL;
	return pkt;
}

/* A name of the message as text, lower case, without the dot behind it. */
static bool name_text(const ldns_rdf *name, char to[static HOSTNAME_MAX])
{
	char *text = name ? ldns_rdf2str(name) : NULL;
	bool good = text && hostname_copy(to, str_of(text));

	free(text);
	return good;
}

static const ldns_rr *find(const ldns_rr_list *list, ldns_rr_type type, size_t nth)
{
	for (size_t i = 0; list && i < ldns_rr_list_rr_count(list); i++) {
		const ldns_rr *rr = ldns_rr_list_rr(list, i);

		if (ldns_rr_get_type(rr) == type && nth-- == 0)
			return rr;
	}
	return NULL;
}

static bool take_zone(struct lookup *l, const ldns_pkt *pkt)
{
	const ldns_rr *soa = find(ldns_pkt_answer(pkt), LDNS_RR_TYPE_SOA, 0);
	struct str host = str_of(l->host), zone;

	if (!soa)
		soa = find(ldns_pkt_authority(pkt), LDNS_RR_TYPE_SOA, 0);
	if (!soa || !name_text(ldns_rr_owner(soa), l->zone))
		return false;
	zone = str_of(l->zone);
	return str_ends_nocase(host, zone) &&
	       (host.len == zone.len || host.at[host.len - zone.len - 1] == '.');
}

static bool take_servers(struct lookup *l, const ldns_pkt *pkt)
{
	const ldns_rr *ns;

	for (size_t i = 0; l->n_servers < DNS_LOOKUP_SERVERS_MAX &&
			   (ns = find(ldns_pkt_answer(pkt), LDNS_RR_TYPE_NS, i));
	     i++)
		if (name_text(ldns_rr_rdf(ns, 0), l->servers[l->n_servers]))
			l->n_servers++;
	return l->n_servers > 0;
}

/* 1: *ret is what is published (family 0: nothing). 0: this server cannot tell. */
static int take_address(const struct lookup *l, const ldns_pkt *pkt, struct ipaddr *ret)
{
	ldns_rr_type type = type_of(l);
	ldns_pkt_rcode rcode = ldns_pkt_get_rcode(pkt);
	const ldns_rr *rr = find(ldns_pkt_answer(pkt), type, 0);
	const ldns_rdf *data = rr ? ldns_rr_rdf(rr, 0) : NULL;
	size_t len = l->family == 6 ? 16 : 4;

	*ret = (struct ipaddr){0};
	if (!ldns_pkt_aa(pkt) || (rcode != LDNS_RCODE_NOERROR && rcode != LDNS_RCODE_NXDOMAIN))
		return 0;
	if (find(ldns_pkt_answer(pkt), LDNS_RR_TYPE_CNAME, 0))
		return 0; /* an alias leads elsewhere: that is not for us to follow */
	if (!rr)
		return 1;
	if (find(ldns_pkt_answer(pkt), type, 1) || !data || ldns_rdf_size(data) != len)
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

	if (encode(l, name, type, recursion, &wire) < 0 ||
	    dns_exchange_start(l->settings->loop, server, buf_str(&wire), on_answer, l,
			       &l->exchange, NULL) < 0)
		fail(l);
}

static bool find_resolver(const struct lookup *l, struct sock_addr *ret)
{
	char text[RESOLV_CONF_MAX];
	size_t n;
	FILE *f;

	*ret = l->settings->resolver;
	if (ret->ip.family)
		return true;
	f = fopen(RESOLV_CONF, "re");
	n = f ? fread(text, 1, sizeof(text), f) : 0;
	if (f)
		fclose(f);
	if (!dns_lookup_parse_resolv_conf(str_n(text, n), &ret->ip))
		return false;
	ret->ip.port = DNS_PORT;
	return true;
}

static void ask_resolver(struct lookup *l, const char *name, ldns_rr_type type)
{
	struct sock_addr resolver;

	if (find_resolver(l, &resolver))
		ask(l, &resolver, name, type, true);
	else
		fail(l);
}

static void on_resolved(void *arg, int r, const struct ipaddr *addrs, size_t n,
			const struct err *e);

/* The next of the zone's servers. */
static void next_server(struct lookup *l)
{
	uint16_t port = l->settings->port ? l->settings->port : DNS_PORT;

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
		if (take_zone(l, pkt))
			ask_resolver(l, l->zone, LDNS_RR_TYPE_NS);
		else
			fail(l);
		break;
	case STEP_SERVERS:
		l->step = STEP_ADDRESS;
		if (take_servers(l, pkt))
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
	if ((r < 0 && r != -ERR_NOT_FOUND) || found > 1)
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

	if (r == 0 &&
	    (!(pkt = decode(message)) || ldns_pkt_id(pkt) != l->id || !ldns_pkt_qr(pkt))) {
		ldns_pkt_free(pkt);
		return false;
	}
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

bool dns_lookup_parse_resolv_conf(struct str text, struct ipaddr *ret)
{
	while (text.len) {
		struct str line = str_split(&text, '\n'), word = str_split(&line, ' ');
		ptrdiff_t zone;

		if (str_find(word, '\t') >= 0) {
			line = word;
			word = str_split(&line, '\t');
		}
		if (!str_eq(word, STR("nameserver")))
			continue;
		line = str_trim(line);
		zone = str_find(line, '%');
		if (zone < 0 && ipaddr_parse(line, ret) == 0)
			return true;
	}
	return false;
}
