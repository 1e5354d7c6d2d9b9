#include "dns/served.h"

#include <string.h>

#include "base/cleanup.h"
#include "dns/query.h"
#include "dns/txt.h"
#include "net/resolve.h"

enum step { STEP_ZONE, STEP_SERVERS, STEP_ADDRESS4, STEP_ADDRESS6, STEP_TEXT };

struct server {
	char name[HOSTNAME_MAX];
	struct sock_addr addr; /* family 0: not known yet */
	bool good, answers;    /* of the last round */
};

struct dns_served {
	const struct dns_lookup_settings *settings; /* borrowed */
	char name[HOSTNAME_MAX], zone[HOSTNAME_MAX];
	char value[DNS_TXT_VALUE_MAX + 1];
	bool absent;
	usec_t until;
	enum step step;
	uint16_t id;
	struct server servers[DNS_SERVED_SERVERS_MAX];
	size_t n_servers, server; /* the one it is about */
	unsigned rounds, silent_rounds;
	struct dns_exchange *exchange; /* owned */
	struct resolve *resolve;       /* owned */
	struct timer again;
	struct defer failed; /* nothing could be started */
	void (*done)(void *arg, const struct dns_served_result *result);
	void *arg;
};

static void served_free(struct dns_served *s)
{
	dns_exchange_cancel(s->exchange);
	resolve_cancel(s->resolve);
	timer_stop(&s->again);
	defer_cancel(&s->failed);
	free(s);
}

static void end(struct dns_served *s)
{
	struct dns_served_result result = {.n_servers = (unsigned)s->n_servers};

	for (size_t i = 0; i < s->n_servers; i++) {
		result.n_good += s->servers[i].good;
		if (s->servers[i].answers && !s->servers[i].good)
			result.behind = s->servers[i].name;
	}
	if (result.behind)
		result.state = DNS_SERVED_NO;
	else if (result.n_good)
		result.state = DNS_SERVED_YES;
	s->done(s->arg, &result);
	served_free(s);
}

static void on_failed(void *arg)
{
	struct dns_served *s = arg;

	s->n_servers = 0;
	end(s);
}

/* It cannot be found out. Never from inside the call that started it. */
static void fail(struct dns_served *s)
{
	defer_call(&s->failed);
}

/* ── questions ── */

static bool on_answer(void *arg, int r, struct str message, bool sent, const struct err *e);

/* False: it could not be started. */
static bool ask(struct dns_served *s, enum step step, const struct sock_addr *server,
		const char *name)
{
	static const ldns_rr_type types[] = {LDNS_RR_TYPE_SOA, LDNS_RR_TYPE_NS, LDNS_RR_TYPE_A,
					     LDNS_RR_TYPE_AAAA, LDNS_RR_TYPE_TXT};
	AUTO(buf_donep) struct buf wire = {0};
	bool recursion = step != STEP_TEXT && !s->settings->direct;

	s->step = step;
	return dns_query_encode(name, types[step], recursion, &wire, &s->id) == 0 &&
	       dns_exchange_start(s->settings->loop, server, buf_str(&wire), on_answer, s,
				  &s->exchange, NULL) == 0;
}

static void ask_resolver(struct dns_served *s, enum step step, const char *name)
{
	struct sock_addr resolver = s->settings->resolver;

	if ((!resolver.ip.family && !dns_query_resolver(&resolver)) ||
	    !ask(s, step, &resolver, name))
		fail(s);
}

/* ── rounds ── */

static void next_server(struct dns_served *s);

static void end_round(struct dns_served *s)
{
	usec_t now = loop_now(s->settings->loop);
	bool all = true, behind = false;

	for (size_t i = 0; i < s->n_servers; i++) {
		all &= s->servers[i].good;
		behind |= s->servers[i].answers && !s->servers[i].good;
	}
	s->silent_rounds = behind ? 0 : s->silent_rounds + 1;
	if (all || now >= s->until || s->silent_rounds == DNS_SERVED_SILENT_MAX)
		end(s);
	else
		timer_start(&s->again, ++s->rounds <= DNS_SERVED_SOON_MAX ? DNS_SERVED_SOON
									  : DNS_SERVED_LATER);
}

static void on_again(void *arg)
{
	struct dns_served *s = arg;

	s->server = 0;
	next_server(s);
}

static void on_resolved(void *arg, int r, const struct ipaddr *addrs, size_t n,
			const struct err *e);

static bool is_in_zone(const struct dns_served *s, const char *host)
{
	struct str sub;

	return dns_sub_of(host, s->zone, &sub);
}

/* Where name servers listen; one that takes updates elsewhere answers questions there, too. */
static uint16_t port_of(const struct dns_served *s, const struct ipaddr *address)
{
	const struct ipaddr *resolver = &s->settings->resolver.ip;
	bool same = ipaddr_same_host(address, resolver);

	if (!s->settings->port || (s->settings->direct && !same))
		return DNS_QUERY_PORT;
	return s->settings->port;
}

static bool find_address(struct dns_served *s, const char *host)
{
	/* a zone of the house's own: nobody else need know the names in it */
	if (s->settings->direct && is_in_zone(s, host))
		return ask(s, STEP_ADDRESS4, &s->settings->resolver, host);
	return resolve_start(s->settings->loop, host, DNS_QUERY_PORT, on_resolved, s, &s->resolve,
			     NULL) == 0;
}

/* The next one that has not said yet what it should. */
static void next_server(struct dns_served *s)
{
	bool late = s->rounds && loop_now(s->settings->loop) >= s->until;

	for (; !late && s->server < s->n_servers; s->server++) {
		struct server *server = &s->servers[s->server];

		if (server->good)
			continue;
		server->answers = false;
		if (server->addr.ip.family ? ask(s, STEP_TEXT, &server->addr, s->name)
					   : find_address(s, server->name))
			return;
	}
	end_round(s);
}

static void skip_server(struct dns_served *s)
{
	s->server++;
	next_server(s);
}

static void use_address(struct dns_served *s, const struct ipaddr *address)
{
	struct server *server = &s->servers[s->server];

	server->addr.ip = *address;
	server->addr.ip.port = port_of(s, address);
	if (!ask(s, STEP_TEXT, &server->addr, s->name))
		skip_server(s);
}

static void on_resolved(void *arg, int r, const struct ipaddr *addrs, size_t n, const struct err *e)
{
	struct dns_served *s = arg;

	s->resolve = NULL;
	if (r < 0)
		skip_server(s);
	else
		use_address(s, &addrs[0]);
}

/* ── answers ── */

/* Whether a TXT record is the value: its strings, one behind the other. */
static bool is_value(const ldns_rr *rr, const char *value)
{
	size_t left = strlen(value);

	for (size_t i = 0; i < ldns_rr_rd_count(rr); i++) {
		const ldns_rdf *string = ldns_rr_rdf(rr, i);
		size_t len = ldns_rdf_size(string) ? ldns_rdf_size(string) - 1 : 0;

		if (len > left || memcmp(ldns_rdf_data(string) + 1, value, len) != 0)
			return false;
		value += len;
		left -= len;
	}
	return left == 0;
}

static void take_text(struct dns_served *s, const ldns_pkt *pkt)
{
	struct server *server = &s->servers[s->server];
	ldns_pkt_rcode rcode = ldns_pkt_get_rcode(pkt);
	bool there = false;
	const ldns_rr *rr;

	server->answers =
		ldns_pkt_aa(pkt) && (rcode == LDNS_RCODE_NOERROR || rcode == LDNS_RCODE_NXDOMAIN);
	for (size_t i = 0; (rr = dns_query_find(ldns_pkt_answer(pkt), LDNS_RR_TYPE_TXT, i)); i++)
		there |= is_value(rr, s->value);
	server->good = server->answers && there != s->absent;
	skip_server(s);
}

static void take_servers(struct dns_served *s, const ldns_pkt *pkt)
{
	char names[DNS_SERVED_SERVERS_MAX][HOSTNAME_MAX];

	s->n_servers = dns_query_servers(pkt, names, DNS_SERVED_SERVERS_MAX);
	for (size_t i = 0; i < s->n_servers; i++)
		memcpy(s->servers[i].name, names[i], HOSTNAME_MAX);
	if (s->n_servers)
		next_server(s);
	else
		fail(s);
}

static void take_address(struct dns_served *s, const ldns_pkt *pkt)
{
	const char *host = s->servers[s->server].name;
	struct ipaddr address;

	if (dns_query_address(pkt, &address))
		use_address(s, &address);
	else if (s->step == STEP_ADDRESS6 || !ask(s, STEP_ADDRESS6, &s->settings->resolver, host))
		skip_server(s);
}

static void take(struct dns_served *s, const ldns_pkt *pkt)
{
	switch (s->step) {
	case STEP_ZONE:
		if (dns_query_zone(pkt, s->name, s->zone))
			ask_resolver(s, STEP_SERVERS, s->zone);
		else
			fail(s);
		break;
	case STEP_SERVERS:
		take_servers(s, pkt);
		break;
	case STEP_ADDRESS4:
	case STEP_ADDRESS6:
		take_address(s, pkt);
		break;
	case STEP_TEXT:
		take_text(s, pkt);
		break;
	}
}

static bool on_answer(void *arg, int r, struct str message, bool sent, const struct err *e)
{
	struct dns_served *s = arg;
	ldns_pkt *pkt = NULL;

	if (r == 0 && !(pkt = dns_query_decode(message, s->id)))
		return false;
	s->exchange = NULL;
	if (r == 0)
		take(s, pkt);
	else if (s->step == STEP_ZONE || s->step == STEP_SERVERS)
		fail(s);
	else
		skip_server(s);
	ldns_pkt_free(pkt);
	return true;
}

/* ── life ── */

int dns_served_start(const struct dns_lookup_settings *settings, const struct dns_served_wish *wish,
		     void (*done)(void *arg, const struct dns_served_result *result), void *arg,
		     struct dns_served **ret_served, struct err *e)
{
	struct dns_served *s = calloc(1, sizeof(*s));

	if (!s)
		return err_set(e, ERR_NOMEM, "question");
	if (!hostname_copy(s->name, str_of(wish->name)) ||
	    !str_copy(s->value, sizeof(s->value), str_of(wish->value))) {
		free(s);
		return err_set(e, ERR_INVALID, "this is no name, or no value");
	}
	s->settings = settings;
	s->absent = wish->absent;
	s->until = loop_now(settings->loop) + wish->wait;
	s->done = done;
	s->arg = arg;
	timer_init(&s->again, settings->loop, on_again, s);
	defer_init(&s->failed, settings->loop, on_failed, s);
	*ret_served = s;
	ask_resolver(s, STEP_ZONE, s->name);
	return 0;
}

void dns_served_cancel(struct dns_served *s)
{
	if (s)
		served_free(s);
}
