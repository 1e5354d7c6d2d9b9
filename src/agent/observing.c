#include "agent/observing.h"

#include <string.h>

#define NONE	      "none"
#define STUN_INTERVAL 10
#define ECHO_INTERVAL 600

/* ── checks behind "key = value: " ── */

static int check_stun(struct str value, struct err *e)
{
	char host[HOSTNAME_MAX];
	uint16_t port;

	if (str_eq(value, STR(NONE)) || authority_parse(value, host, &port) == 0)
		return 0;
	return err_set(e, ERR_INVALID, "must be none, HOST or HOST:PORT");
}

static int check_echo(struct str value, struct err *e)
{
	char host[HOSTNAME_MAX];
	struct str rest = value;
	uint16_t port;

	if (str_eq(value, STR(NONE)))
		return 0;
	if (str_starts(value, STR("https://"))) {
		rest = str_n(value.at + strlen("https://"), value.len - strlen("https://"));
		if (authority_parse(str_split(&rest, '/'), host, &port) == 0)
			return 0;
	}
	return err_set(e, ERR_INVALID, "must be none or https://HOST/...");
}

/* The defaults named here are those of dns/services.c; a test compares them. */
const struct conf_row agent_observe_rows[AGENT_OBSERVE_ROWS] = {
	{"stun", CONF_WORDS, offsetof(struct agent_observe_section, stun), .flags = CONF_REPEAT,
	 .check = check_stun, .shape = "none|HOST[:PORT] ...",
	 .help = "STUN servers: one after the other is asked by a datagram, until one answers. "
		 "none: no one is. The default is stun.l.google.com:19302, "
		 "stun.cloudflare.com:3478 and stun.nextcloud.com:3478."},
	{"echo", CONF_WORDS, offsetof(struct agent_observe_section, echo), .flags = CONF_REPEAT,
	 .check = check_echo, .shape = "none|URL ...",
	 .help = "HTTPS services that answer with the address alone. Two of them must agree, if "
		 "there are two; each is asked every ten minutes at most, and only when something "
		 "changed. none: no one is. The default is https://icanhazip.com/, "
		 "https://api64.ipify.org/, https://ident.me/, https://checkip.amazonaws.com/ and "
		 "https://ifconfig.io/ip."},
	{"double-nat", CONF_BOOL, offsetof(struct agent_observe_section, double_nat),
	 .preset = "no",
	 .help = "yes: there is another router in front of the router, and its ports lead here. "
		 "Without it nothing is published when the router says that it has no public "
		 "address: the one that the world sees is the provider's then, as a rule, and "
		 "leads to somebody else."},
};

static bool has_none(const struct conf_words *words)
{
	for (size_t i = 0; i < words->n; i++)
		if (strcmp(words->at[i], NONE) == 0)
			return true;
	return false;
}

int agent_observe_check(const struct conf_kind *kind, const struct agent_observe_section *s,
			const char *file, struct err *e)
{
	const struct {
		const char *key;
		const struct conf_words *words;
	} keys[] = {{"stun", &s->stun}, {"echo", &s->echo}};

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		unsigned line = conf_line(kind, &s->head, keys[i].key);

		if (keys[i].words->n > AGENT_OBSERVE_MAX)
			return err_set(e, ERR_INVALID, "%s:%u: more than %d for %s", file, line,
				       AGENT_OBSERVE_MAX, keys[i].key);
		if (keys[i].words->n > 1 && has_none(keys[i].words))
			return err_set(e, ERR_INVALID, "%s:%u: none stands alone", file, line);
	}
	return 0;
}

/* One that stands in the table keeps what is known of it there. */
static struct dns_service service_of(enum dns_source source, const char *at)
{
	for (size_t i = 0; i < dns_services_count; i++)
		if (dns_services[i].source == source && strcmp(dns_services[i].at, at) == 0)
			return dns_services[i];
	return (struct dns_service){
		.source = source,
		.at = at,
		.families = DNS_OVER_IPV4 | DNS_OVER_IPV6,
		.interval_s = source == DNS_SOURCE_STUN ? STUN_INTERVAL : ECHO_INTERVAL,
	};
}

static size_t add(enum dns_source source, const struct conf_words *words, struct dns_service *to)
{
	size_t n = 0;

	if (has_none(words))
		return 0;
	for (size_t i = 0; i < words->n; i++)
		to[n++] = service_of(source, words->at[i]);
	for (size_t i = 0; words->n == 0 && i < dns_services_count; i++)
		if (dns_services[i].source == source)
			to[n++] = dns_services[i];
	return n;
}

size_t agent_observe_services(const struct agent_observe_section *s,
			      struct dns_service ret[static DNS_SERVICES_MAX])
{
	size_t n = add(DNS_SOURCE_STUN, &s->stun, ret);

	return n + add(DNS_SOURCE_ECHO, &s->echo, ret + n);
}
