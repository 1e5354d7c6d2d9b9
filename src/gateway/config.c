#include "gateway/config.h"

#include <stdio.h>
#include <unistd.h>

/* ── checks behind "key = value: " ── */

static int check_listen(struct str value, struct err *e)
{
	struct ipaddr ip;
	struct str host = value;
	uint64_t port;

	while (host.len && host.at[host.len - 1] != ':')
		host.len--;
	if (host.len)
		host.len--;
	if (host.len == 0 || str_eq(host, STR("*")))
		return 0;
	if (ipaddr_parse(host, &ip) == 0)
		return 0;
	if (str_to_u64(value, 65535, &port))
		return 0;
	return err_set(e, ERR_INVALID,
		       "must be an address of this machine such as 192.0.2.1:443, not a name");
}

/* Nobody is asked for a password there: it must be said who can reach it. */
static int check_metrics(struct str value, struct err *e)
{
	struct ipaddr ip;

	if (ipaddr_parse_port(value, &ip) == 0)
		return 0;
	return err_set(e, ERR_INVALID,
		       "must be an address of this machine and a port, such as 127.0.0.1:9120");
}

/* "20000-20099", "2222" or "none". */
static bool ports_read(struct str value, uint16_t *first, uint16_t *last)
{
	struct str rest = value;
	struct str low = str_split(&rest, '-');
	uint64_t a, b;

	*first = *last = 0;
	if (str_eq(value, STR("none")))
		return true;
	if (!str_to_u64(str_trim(low), 65535, &a) || a == 0)
		return false;
	b = a;
	if (low.len < value.len && !str_to_u64(str_trim(rest), 65535, &b))
		return false;
	*first = (uint16_t)a;
	*last = (uint16_t)b;
	return a <= b;
}

static int check_ports(struct str value, struct err *e)
{
	uint16_t first, last;

	if (ports_read(value, &first, &last))
		return 0;
	return err_set(e, ERR_INVALID, "must be a range such as 20000-20099, or none");
}

/* ── rows ── */

static const struct conf_row gateway_rows[] = {
	{"domain", CONF_STRING, offsetof(struct gateway_section, domain), .flags = CONF_REQUIRED,
	 .check = conf_check_hostname, .shape = "NAME",
	 .help = "The gateway's domain. A service that asks for no name gets SERVICE.AGENT.DOMAIN; "
		 "in the DNS, *.AGENT.DOMAIN (or *.DOMAIN) leads to this machine."},
	{"address", CONF_ADDRESS, offsetof(struct gateway_section, address), .flags = CONF_NO_PORT,
	 .shape = "HOST[:PORT]",
	 .help = "Where agents dial this gateway: goes into pairing codes. The default is the "
		 "domain; the port's is that of [listen] https."},
	{"workers", CONF_INT, offsetof(struct gateway_section, workers), .min = 1,
	 .max = GATEWAY_WORKERS_MAX,
	 .help = "Threads that carry visitors and links. The default is one for each processor."},
};

static const struct conf_row listen_rows[] = {
	{"https", CONF_ADDRESSES, offsetof(struct listen_section, https),
	 .flags = CONF_LISTEN | CONF_REPEAT, .preset = "443", .check = check_listen,
	 .shape = "[ADDRESS:]PORT ...",
	 .help = "For agents, and for visitors with TLS. A port alone means every address."},
	{"http", CONF_ADDRESSES, offsetof(struct listen_section, http),
	 .flags = CONF_LISTEN | CONF_REPEAT, .preset = "80", .check = check_listen,
	 .shape = "[ADDRESS:]PORT ...", .help = "For visitors without TLS."},
	{"ports", CONF_STRING, offsetof(struct listen_section, ports), .preset = "20000-20099",
	 .check = check_ports, .shape = "FIRST-LAST|none",
	 .help = "Ports for services that have no name in their protocol, such as ssh (TCP) or "
		 "WireGuard (UDP); on the addresses of https."},
	{"metrics", CONF_ADDRESS, offsetof(struct listen_section, metrics), .flags = CONF_LISTEN,
	 .check = check_metrics, .shape = "ADDRESS:PORT",
	 .help = "Where Prometheus may ask for the gateway's numbers, at /metrics, such as "
		 "127.0.0.1:9120. Everybody who reaches that address may. The default is nowhere."},
	{"trust-proxy", CONF_WORDS, offsetof(struct listen_section, trust_proxy),
	 .flags = CONF_REPEAT, .check = conf_check_cidr, .shape = "NETWORK ...",
	 .help = "Load balancers in front of this gateway. Every TCP connection from there must "
		 "begin with a header of the PROXY protocol, version 2 (HAProxy: send-proxy-v2), "
		 "and whoever that names is the visitor. From all others such a header is nothing "
		 "but bytes."},
};

static const struct conf_row limits_rows[] = {
	{"connections-per-source", CONF_INT,
	 offsetof(struct limits_section, connections_per_source), .min = 1, .max = 1000000,
	 .preset = "1024",
	 .help = "Connections at once from one source, which is an IPv4 address or an IPv6 /64. "
		 "Flows of UDP are counted by themselves."},
	{"new-per-source", CONF_INT, offsetof(struct limits_section, new_per_source_s), .min = 1,
	 .max = 1000000, .preset = "500",
	 .help = "New connections a second from one source; ten seconds' worth at once."},
	{"opening", CONF_INT, offsetof(struct limits_section, opening), .min = 1, .max = 1000000,
	 .preset = "4096",
	 .help = "Connections at once, of all sources, that have not said yet where they go."},
	{"opening-per-source", CONF_INT, offsetof(struct limits_section, opening_per_source),
	 .min = 1, .max = 1000000, .preset = "64", .help = "The same of one source."},
	{"visitors-per-agent", CONF_INT, offsetof(struct limits_section, visitors_per_agent),
	 .min = 1, .max = 1000000, .preset = "4096",
	 .help = "Visitors at once of one agent, flows of UDP among them. More are told that it "
		 "is busy."},
	{"new-per-agent", CONF_INT, offsetof(struct limits_section, new_per_agent_s), .min = 1,
	 .max = 1000000, .preset = "1000",
	 .help = "New visitors a second of one agent; ten seconds' worth at once."},
	{"ports-per-agent", CONF_INT, offsetof(struct limits_section, ports_per_agent), .min = 1,
	 .max = 65535, .preset = "32",
	 .help = "Raw ports of one agent, in use or kept for it. A further one costs it the one it "
		 "has not used for the longest time."},
};

static const struct conf_kind kinds[] = {
	{"gateway", offsetof(struct gateway_config, gateway), CONF_ROWS(gateway_rows),
	 .flags = CONF_REQUIRED, .help = "What this gateway is."},
	{"listen", offsetof(struct gateway_config, listen), CONF_ROWS(listen_rows),
	 .help = "Where it listens."},
	{"limits", offsetof(struct gateway_config, limits), CONF_ROWS(limits_rows),
	 .help = "What strangers may take."},
};

const struct conf_schema gateway_schema = {kinds, ARRAY_LEN(kinds)};

/* ── what follows ── */

size_t gateway_config_listen(const struct conf_addresses *addresses,
			     struct gateway_listen ret[static GATEWAY_LISTEN_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < addresses->n && n < GATEWAY_LISTEN_MAX; i++) {
		const struct conf_address *a = &addresses->at[i];
		struct ipaddr ip = {.family = 4};

		if (a->host[0] && ipaddr_parse(str_of(a->host), &ip) < 0)
			continue; /* check_listen saw to that */
		ip.port = a->port;
		ret[n++] = (struct gateway_listen){.at.ip = ip};
		if (a->host[0] || n == GATEWAY_LISTEN_MAX)
			continue;
		ip.family = 6;
		ret[n++] = (struct gateway_listen){.at.ip = ip, .may_lack = true};
	}
	return n;
}

static int check_listen_count(const struct gateway_config *config, const char *file,
			      const char *key, const struct conf_addresses *addresses,
			      struct err *e)
{
	size_t n = 0;

	for (size_t i = 0; i < addresses->n; i++)
		n += addresses->at[i].host[0] ? 1 : 2;
	if (n <= GATEWAY_LISTEN_MAX)
		return 0;
	return err_set(e, ERR_INVALID, "%s:%u: %s: more than %d addresses", file,
		       conf_line(&kinds[1], &config->listen.head, key), key, GATEWAY_LISTEN_MAX);
}

static void derive_metrics(struct gateway_config *config)
{
	const struct conf_address *address = &config->listen.metrics;

	config->metrics = (struct sock_addr){0};
	config->has_metrics =
		address->set && ipaddr_parse(str_of(address->host), &config->metrics.ip) == 0;
	config->metrics.ip.port = address->port;
}

static int derive_proxies(struct gateway_config *config, const char *file, struct err *e)
{
	const struct conf_words *words = &config->listen.trust_proxy;
	int r = 0;

	if (words->n > GATEWAY_PROXIES_MAX)
		return err_set(e, ERR_INVALID, "%s:%u: trust-proxy: more than %d networks", file,
			       conf_line(&kinds[1], &config->listen.head, "trust-proxy"),
			       GATEWAY_PROXIES_MAX);
	for (size_t i = 0; i < words->n && r == 0; i++)
		r = cidr_parse(str_of(words->at[i]), &config->proxies[i], e);
	config->n_proxies = words->n;
	return r;
}

static unsigned cores(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	return (unsigned)MIN(MAX(n, 1), GATEWAY_WORKERS_MAX);
}

static int derive(struct gateway_config *config, const char *file, struct err *e)
{
	const struct conf_address *address = &config->gateway.address;
	int r;

	hostname_copy(config->domain, str_of(config->gateway.domain));
	strcpy(config->public_host, address->set ? address->host : config->domain);
	config->public_port = address->set ? address->port : 0;
	config->workers =
		config->gateway.workers == CONF_UNSET ? cores() : (unsigned)config->gateway.workers;
	ports_read(str_of(config->listen.ports), &config->first_port, &config->last_port);
	derive_metrics(config);
	r = derive_proxies(config, file, e);
	if (r == 0)
		r = check_listen_count(config, file, "https", &config->listen.https, e);
	return r < 0 ? r : check_listen_count(config, file, "http", &config->listen.http, e);
}

static int finish(struct gateway_config *config, const char *file, struct err *e)
{
	int r = derive(config, file, e);

	if (r < 0)
		conf_done(&gateway_schema, config);
	return r;
}

int gateway_config_read(const char *path, struct gateway_config *ret, struct err *e)
{
	int r;

	if (!path)
		path = GATEWAY_CONFIG_PATH;
	r = conf_read_file(&gateway_schema, ret, path, e);
	return r < 0 ? r : finish(ret, path, e);
}

int gateway_config_read_text(const char *file, struct str text, struct gateway_config *ret,
			     struct err *e)
{
	int r = conf_read_text(&gateway_schema, ret, file, text, e);

	return r < 0 ? r : finish(ret, file, e);
}

void gateway_config_done(struct gateway_config *config)
{
	conf_done(&gateway_schema, config);
}
