#include "agent/config.h"

#include <limits.h>
#include <netinet/in.h>
#include <stdio.h>
#include <unistd.h>

/* ── checks behind "key = value: " ── */

static int check_to(struct str value, struct err *e)
{
	struct target target;
	int r = target_parse(value, &target, e);

	if (r == 0)
		target_done(&target);
	return r;
}

static int check_host(struct str value, struct err *e)
{
	struct wish wish = {0};

	if (wish_set_host(&wish, value) < 0)
		return err_set(e, ERR_INVALID, "must be preserve, local or a host name");
	return 0;
}

static int check_name(struct str value, struct err *e)
{
	char name[HOSTNAME_MAX];

	if (!hostname_copy(name, value))
		return err_set(e, ERR_INVALID, "not a host name such as blog.home.example.org");
	return 0;
}

/* ── rows ── */

static const struct conf_row gateway_rows[] = {
	{"address", CONF_ADDRESS, offsetof(struct agent_gateway_section, address),
	 .port = LINK_PORT_DEFAULT, .shape = "HOST[:PORT]",
	 .help = "Where to dial the gateway. The default is what its pairing code said."},
	{"carriers", CONF_INT, offsetof(struct agent_gateway_section, carriers), .min = 1,
	 .max = LINK_CARRIERS_MAX, .preset = "2",
	 .help = "TLS connections kept to the gateway. A second one takes over when one is full or "
		 "breaks."},
	{"rate", CONF_RATE, offsetof(struct agent_gateway_section, rate), .min = AGENT_RATE_MIN,
	 .help = "How fast all services together may send to their visitors, and how fast these "
		 "may send to them, so that something is left of the line for who is at home. "
		 "Every visitor gets an equal share. The default is as fast as it goes."},
};

static const struct conf_row service_rows[] = {
	{"to", CONF_STRING, offsetof(struct agent_service_section, to), .flags = CONF_REQUIRED,
	 .check = check_to, .shape = "FOLDER|URL",
	 .help = "What is shared: a folder (relative to this file's); http://HOST:PORT or "
		 "http://unix:/PATH, a local HTTP server; https://HOST:PORT, a server with TLS of "
		 "its own, whose bytes pass untouched; tcp://HOST:PORT or udp://HOST:PORT, any "
		 "other "
		 "server."},
	{"name", CONF_WORDS, offsetof(struct agent_service_section, name), .flags = CONF_REPEAT,
	 .check = check_name, .shape = "NAME ...",
	 .help = "Public host names. The default is SERVICE.AGENT.DOMAIN, which the gateway "
		 "gives."},
	{"host", CONF_STRING, offsetof(struct agent_service_section, host), .preset = "preserve",
	 .check = check_host, .shape = "preserve|local|NAME",
	 .help = "Which Host a local HTTP server sees: the visitor's, the address it is connected "
		 "to at, or NAME. Some servers refuse names they do not know."},
	{"port", CONF_INT, offsetof(struct agent_service_section, port), .min = 1, .max = 65535,
	 .help = "The public port wished for a tcp:// or udp:// service. The default is one that "
		 "the gateway chooses."},
	{"allow", CONF_WORDS, offsetof(struct agent_service_section, allow), .flags = CONF_REPEAT,
	 .check = conf_check_cidr, .shape = "NETWORK ...",
	 .help = "Only visitors from these networks or addresses are served, such as 203.0.113.7 "
		 "or 2001:db8::/32. Others get the status 403, or a reset, and their datagrams are "
		 "dropped. It is decided at home; the gateway is not told. The default is "
		 "everybody."},
	{"rate", CONF_RATE, offsetof(struct agent_service_section, rate), .min = AGENT_RATE_MIN,
	 .help = "The same of this service alone: how fast it may send to its visitors, and they "
		 "to it, on the way through the gateway."},
	{"proxy-protocol", CONF_BOOL, offsetof(struct agent_service_section, proxy_protocol),
	 .preset = "no",
	 .help = "Whether a tcp:// or https:// server is told who the visitor is: by a header of "
		 "the PROXY protocol, version 2, in front of his bytes. The server must expect it "
		 "(nginx: listen ... proxy_protocol)."},
};

enum agent_door_protocol { DOOR_TCP, DOOR_UDP };
enum agent_door_family { DOOR_IPV4, DOOR_IPV6, DOOR_BOTH };

static const char *const door_protocols[] = {"tcp", "udp", NULL};
static const char *const door_families[] = {"ipv4", "ipv6", "both", NULL};

static const struct conf_row door_rows[] = {
	{"port", CONF_INT, offsetof(struct agent_door_section, port), .flags = CONF_REQUIRED,
	 .min = 1, .max = 65535,
	 .help = "The port of this machine that the internet is let in to. Its server must listen "
		 "on this machine's address in the network, or on every address."},
	{"external", CONF_INT, offsetof(struct agent_door_section, external), .min = 1,
	 .max = 65535,
	 .help = "The router's port for it, this one and no other; IPv4 only. The default is the "
		 "same port, or another one that the router gives; 25, 80 and 443 are wanted as "
		 "they are."},
	{"protocol", CONF_WORD, offsetof(struct agent_door_section, protocol),
	 .words = door_protocols, .preset = "tcp", .help = "What is let in."},
	{"family", CONF_WORD, offsetof(struct agent_door_section, family), .words = door_families,
	 .preset = "ipv4",
	 .help = "ipv4: a port of the router's address is forwarded; ipv6: a pinhole in the "
		 "router's firewall, to this machine's own address; or both."},
	{"lifetime", CONF_DURATION, offsetof(struct agent_door_section, lifetime),
	 .min = MAP_LIFETIME_MIN * (int64_t)USEC_PER_S,
	 .max = MAP_LIFETIME_MAX * (int64_t)USEC_PER_S, .preset = "2h",
	 .help = "For how long the router is asked each time. It is asked again in time; so long "
		 "after this machine died the door closes by itself."},
};

enum { KIND_GATEWAY, KIND_SERVICE, KIND_DOOR, KIND_DNS, KIND_OBSERVE };

static const struct conf_kind kinds[] = {
	[KIND_GATEWAY] = {"gateway", offsetof(struct agent_config, gateway),
			  CONF_ROWS(gateway_rows), .help = "The gateway this agent has joined."},
	[KIND_SERVICE] = {"service", offsetof(struct agent_config, services),
			  CONF_ROWS(service_rows),
			  .named_size = sizeof(struct agent_service_section),
			  .help = "One thing to share. Its name is of a-z 0-9 - _."},
	[KIND_DOOR] = {"door", offsetof(struct agent_config, doors), CONF_ROWS(door_rows),
		       .named_size = sizeof(struct agent_door_section),
		       .help = "One door at the home's router, by PCP, NAT-PMP or UPnP. It is "
			       "closed when homeport stops. No gateway is needed for it."},
	[KIND_DNS] =
		{"dns", offsetof(struct agent_config, dns), agent_dns_rows, AGENT_DNS_ROWS,
		 .named_size = sizeof(struct agent_dns_section),
		 .help = "One name at a provider of dynamic DNS, kept right: it is sent what "
			 "changed, when it changed, and nothing else. No gateway is needed for "
			 "it."},
	[KIND_OBSERVE] =
		{"observe", offsetof(struct agent_config, observe), agent_observe_rows,
		 AGENT_OBSERVE_ROWS,
		 .help = "Who is asked which IPv4 address the world sees, for [dns] names of a "
			 "home "
			 "behind a router, where no gateway tells it. Nobody is, while there is no "
			 "such name."},
};

const struct conf_schema agent_schema = {kinds, ARRAY_LEN(kinds)};

/* ── what a row alone cannot tell ── */

/* Where an error about a key of this section is. */
static unsigned line_of(const struct agent_service_section *s, const char *key)
{
	unsigned line = conf_line(&kinds[KIND_SERVICE], &s->head, key);

	return line ? line : s->head.line;
}

static int check_kind(const struct agent_service_section *s, const struct wish *wish,
		      const char *file, struct err *e)
{
	bool has_port = link_kind_has_port(wish->target.link);

	if (s->port != CONF_UNSET && !has_port)
		return err_set(e, ERR_INVALID,
			       "%s:%u: port is for tcp:// and udp:// services; visitors find this "
			       "one by name",
			       file, line_of(s, "port"));
	if (s->name.n && has_port)
		return err_set(e, ERR_INVALID,
			       "%s:%u: a %s:// service is found by its port and has no name", file,
			       line_of(s, "name"), link_kind_name(wish->target.link));
	if (wish->host != EDGE_HOST_PRESERVE && wish->target.edge != EDGE_HTTP)
		return err_set(e, ERR_INVALID, "%s:%u: host is for http:// services", file,
			       line_of(s, "host"));
	if (s->proxy_protocol && wish->target.edge != EDGE_TCP)
		return err_set(e, ERR_INVALID,
			       "%s:%u: proxy-protocol is for tcp:// and https:// services; a local "
			       "HTTP server is told in X-Forwarded-For",
			       file, line_of(s, "proxy-protocol"));
	if (s->name.n > LINK_NAMES_MAX)
		return err_set(e, ERR_INVALID, "%s:%u: more than %d names", file,
			       line_of(s, "name"), LINK_NAMES_MAX);
	return 0;
}

/* A name leads to one place for http, and to one for TLS. */
static int check_names(const struct agent_config *config, const struct wish *wish,
		       const struct agent_service_section *s, const char *file, struct err *e)
{
	for (const struct wish *other = config->wishes; other <= wish; other++)
		for (size_t i = 0; i < other->n_names; i++)
			for (size_t k = 0; k < wish->n_names; k++)
				if ((other != wish || i < k) &&
				    other->target.link == wish->target.link &&
				    strcmp(other->names[i], wish->names[k]) == 0)
					return err_set(e, ERR_INVALID,
						       "%s:%u: the name %s is that of [service %s] "
						       "already",
						       file, line_of(s, "name"), wish->names[k],
						       other->id);
	return 0;
}

/* ── sections -> wishes ── */

/* The folder of the file, absolute. The caller frees; NULL: no memory. */
static char *folder_of(const char *file)
{
	const char *slash = strrchr(file, '/');
	AUTO(freep) char *here = file[0] == '/' ? strdup("") : getcwd(NULL, 0);
	char *folder = NULL;

	if (!here)
		return NULL;
	if (!slash)
		return TAKE(here);
	if (asprintf(&folder, "%s%s%.*s", here, *here ? "/" : "", (int)MAX(slash - file, 1), file) <
	    0)
		return NULL;
	return folder;
}

static int fill_names(const struct agent_service_section *s, struct wish *wish, struct err *e)
{
	char name[HOSTNAME_MAX];

	for (size_t i = 0; i < s->name.n && i < LINK_NAMES_MAX; i++)
		if (!hostname_copy(name, str_of(s->name.at[i])) ||
		    link_texts_add(&wish->names, &wish->n_names, str_of(name)) < 0)
			return err_set(e, ERR_NOMEM, "names");
	return 0;
}

static int fill_allow(const struct agent_service_section *s, const char *file, struct wish *wish,
		      struct err *e)
{
	int r = 0;

	for (size_t i = 0; i < s->allow.n && r == 0; i++)
		r = wish_allow(wish, str_of(s->allow.at[i]), e);
	if (r == -ERR_LIMIT)
		return err_set(e, ERR_INVALID, "%s:%u: allow: more than %d networks", file,
			       line_of(s, "allow"), WISH_ALLOW_MAX);
	return r;
}

static int fill_wish(const struct agent_config *config, const struct agent_service_section *s,
		     const char *file, const char *base, struct wish *wish, struct err *e)
{
	int r;

	if (!link_service_id_valid(str_of(s->head.name)))
		return err_set(e, ERR_INVALID,
			       "%s:%u: [service %s]: a service's name is 1-%d of a-z 0-9 - _", file,
			       s->head.line, s->head.name, LINK_SERVICE_ID_MAX);
	strcpy(wish->id, s->head.name);
	if (s->port != CONF_UNSET)
		wish->port = (uint16_t)s->port;
	wish->proxy_protocol = s->proxy_protocol;
	wish->rate = s->rate == CONF_UNSET ? 0 : (uint64_t)s->rate;
	r = target_parse(str_of(s->to), &wish->target, e);
	if (r < 0)
		return r;
	if (target_make_absolute(&wish->target, base) < 0)
		return err_set(e, ERR_NOMEM, "%s", s->to);
	r = wish_set_host(wish, str_of(s->host));
	if (r == 0)
		r = fill_names(s, wish, e);
	if (r == 0)
		r = fill_allow(s, file, wish, e);
	if (r == 0)
		r = check_kind(s, wish, file, e);
	return r < 0 ? r : check_names(config, wish, s, file, e);
}

static int fill_wishes(struct agent_config *config, const char *file, struct err *e)
{
	AUTO(freep) char *base = folder_of(file);
	struct agent_service_section *s;
	size_t n = 0;
	int r;

	list_for_each (s, &config->services, head.list)
		n++;
	if (n > LINK_SERVICES_MAX)
		return err_set(e, ERR_INVALID, "%s: more than %d services", file,
			       LINK_SERVICES_MAX);
	config->wishes = calloc(n + 1, sizeof(*config->wishes));
	if (!config->wishes || !base)
		return err_set(e, ERR_NOMEM, "%s", file);
	list_for_each (s, &config->services, head.list) {
		struct wish *wish = &config->wishes[config->n_wishes++];

		r = fill_wish(config, s, file, base, wish, e);
		if (r < 0)
			return r;
	}
	return 0;
}

/* ── sections -> doors ── */

static int add_door(struct agent_config *config, const struct agent_door_section *s, uint8_t family,
		    const char *file, struct err *e)
{
	bool chosen = s->external != CONF_UNSET && family == 4;
	struct map_wish wish = {.family = family,
				.protocol = s->protocol == DOOR_UDP ? IPPROTO_UDP : IPPROTO_TCP,
				.internal_port = (uint16_t)s->port,
				.external_port = (uint16_t)(chosen ? s->external : s->port),
				.exactly = chosen || map_port_is_fixed((uint16_t)s->port),
				.lifetime_s = (uint32_t)(s->lifetime / (int64_t)USEC_PER_S)};

	for (size_t i = 0; i < config->n_doors; i++) {
		const struct map_wish *other = &config->doors_wished[i];

		if (other->family == wish.family && other->protocol == wish.protocol &&
		    other->internal_port == wish.internal_port)
			return err_set(e, ERR_INVALID,
				       "%s:%u: another [door] leads to %s port %u already", file,
				       s->head.line, map_protocol_name(wish.protocol),
				       wish.internal_port);
		if (other->family == wish.family && other->protocol == wish.protocol &&
		    other->external_port == wish.external_port && other->exactly && wish.exactly)
			return err_set(
				e, ERR_INVALID,
				"%s:%u: another [door] wants the router's %s port %u already", file,
				s->head.line, map_protocol_name(wish.protocol), wish.external_port);
	}
	config->doors_wished[config->n_doors++] = wish;
	return 0;
}

static int fill_doors(struct agent_config *config, const char *file, struct err *e)
{
	struct agent_door_section *s;
	size_t n = 0;
	int r = 0;

	list_for_each (s, &config->doors, head.list)
		n += s->family == DOOR_BOTH ? 2 : 1;
	if (n > MAP_DOORS_MAX)
		return err_set(e, ERR_INVALID, "%s: more than %d doors", file, MAP_DOORS_MAX);
	config->doors_wished = calloc(n + 1, sizeof(*config->doors_wished));
	if (!config->doors_wished)
		return err_set(e, ERR_NOMEM, "%s", file);
	list_for_each (s, &config->doors, head.list) {
		if (s->external != CONF_UNSET && s->family != DOOR_IPV4)
			return err_set(e, ERR_INVALID,
				       "%s:%u: external is for ipv4; ports of IPv6 are not "
				       "translated",
				       file, conf_line(&kinds[KIND_DOOR], &s->head, "external"));
		if (r == 0 && s->family != DOOR_IPV6)
			r = add_door(config, s, 4, file, e);
		if (r == 0 && s->family != DOOR_IPV4)
			r = add_door(config, s, 6, file, e);
	}
	return r;
}

/* ── sections -> names ── */

static bool same_record(const struct dns_keeper_name *a, const struct dns_keeper_name *b)
{
	return a->entry.provider == b->entry.provider &&
	       strcmp(a->entry.host, b->entry.host) == 0 &&
	       !((a->no4 || b->no4) && (a->no6 || b->no6));
}

static int fill_names_of_dns(struct agent_config *config, const char *file, struct err *e)
{
	struct agent_dns_section *s;
	size_t n = 0;
	int r;

	list_for_each (s, &config->dns, head.list)
		n++;
	if (n > AGENT_NAMES_MAX)
		return err_set(e, ERR_INVALID, "%s: more than %d names", file, AGENT_NAMES_MAX);
	config->names = calloc(n + 1, sizeof(*config->names));
	if (!config->names)
		return err_set(e, ERR_NOMEM, "%s", file);
	list_for_each (s, &config->dns, head.list) {
		struct agent_name *name = &config->names[config->n_names];

		r = agent_name_fill(&kinds[KIND_DNS], s, file, name, e);
		if (r < 0)
			return r;
		config->n_names++; /* it is to be freed */
		for (size_t i = 0; i + 1 < config->n_names; i++)
			if (same_record(&config->names[i].keep, &name->keep))
				return err_set(e, ERR_INVALID,
					       "%s:%u: [dns %s] has that name already", file,
					       s->head.line, config->names[i].keep.label);
	}
	return 0;
}

static int finish(struct agent_config *config, const char *file, struct err *e)
{
	int r;

	config->names = NULL;
	config->n_names = 0;
	config->wishes = NULL;
	config->n_wishes = 0;
	config->doors_wished = NULL;
	config->n_doors = 0;
	r = fill_wishes(config, file, e);
	if (r == 0)
		r = fill_doors(config, file, e);
	if (r == 0)
		r = fill_names_of_dns(config, file, e);
	if (r == 0)
		r = agent_observe_check(&kinds[KIND_OBSERVE], &config->observe, file, e);
	if (r < 0)
		agent_config_done(config);
	return r;
}

int agent_config_read(const char *path, struct agent_config *ret, struct err *e)
{
	int r = conf_read_file(&agent_schema, ret, path, e);

	return r < 0 ? r : finish(ret, path, e);
}

int agent_config_read_text(const char *file, struct str text, struct agent_config *ret,
			   struct err *e)
{
	int r = conf_read_text(&agent_schema, ret, file, text, e);

	return r < 0 ? r : finish(ret, file, e);
}

int agent_config_init(struct agent_config *ret, struct err *e)
{
	return agent_config_read_text("", STR(""), ret, e);
}

void agent_config_done(struct agent_config *config)
{
	for (size_t i = 0; i < config->n_wishes; i++)
		wish_done(&config->wishes[i]);
	free(config->wishes);
	config->wishes = NULL;
	config->n_wishes = 0;
	free(config->doors_wished);
	config->doors_wished = NULL;
	config->n_doors = 0;
	for (size_t i = 0; i < config->n_names; i++)
		agent_name_done(&config->names[i]);
	free(config->names);
	config->names = NULL;
	config->n_names = 0;
	conf_done(&agent_schema, config);
}

void agent_config_move(struct agent_config *to, struct agent_config *from)
{
	*to = *from;
	list_init(&to->services);
	list_splice(&to->services, &from->services);
	list_init(&to->doors);
	list_splice(&to->doors, &from->doors);
	list_init(&to->dns);
	list_splice(&to->dns, &from->dns);
	*from = (struct agent_config){0};
	list_init(&from->services);
	list_init(&from->doors);
	list_init(&from->dns);
}

char *agent_config_default_path(void)
{
	const char *service = getenv("CONFIGURATION_DIRECTORY"); /* systemd's, for a unit */
	const char *folder = getenv("XDG_CONFIG_HOME");
	const char *home = getenv("HOME");
	char *path = NULL;

	if (service && *service)
		return asprintf(&path, "%.*s/homeport.conf", (int)strcspn(service, ":"), service) <
				       0
			       ? NULL
			       : path;
	if (geteuid() == 0)
		return strdup("/etc/homeport/homeport.conf");
	if (folder && *folder)
		return asprintf(&path, "%s/homeport/homeport.conf", folder) < 0 ? NULL : path;
	if (!home || !*home)
		return NULL;
	return asprintf(&path, "%s/.config/homeport/homeport.conf", home) < 0 ? NULL : path;
}
