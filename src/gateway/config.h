/*
 * The gateway's configuration file: its rows (gateway_schema, over conf/conf.h) and what they mean.
 *
 *	[gateway]
 *	domain = home.example.org
 */
#pragma once

#include "base/cidr.h"
#include "conf/conf.h"
#include "net/sock.h"

#define GATEWAY_CONFIG_PATH	   "/etc/homeport/gateway.conf"
#define GATEWAY_LISTEN_MAX	   16 /* addresses of one kind, "every address" being two of them */
#define GATEWAY_WORKERS_MAX	   64
#define GATEWAY_PROXIES_MAX	   64

struct gateway_section {
	struct conf_head head;
	char *domain;
	struct conf_address address;
	int64_t workers;
};

struct listen_section {
	struct conf_head head;
	struct conf_addresses https, http;
	char *ports;
	struct conf_words trust_proxy;
	struct conf_address metrics;
};

struct limits_section {
	struct conf_head head;
	int64_t connections_per_source, new_per_source_s;
	int64_t opening, opening_per_source;
	int64_t visitors_per_agent, new_per_agent_s, ports_per_agent;
};

struct gateway_config {
	struct gateway_section gateway;
	struct listen_section listen;
	struct limits_section limits;

	/* What follows from it. */
	char domain[HOSTNAME_MAX];	/* lower case */
	char public_host[HOSTNAME_MAX]; /* what pairing codes carry; no brackets */
	uint16_t public_port;		/* 0: the port that https is bound to */
	unsigned workers;
	struct cidr proxies[GATEWAY_PROXIES_MAX]; /* of trust-proxy */
	size_t n_proxies;
	bool has_metrics;
	struct sock_addr metrics;
	uint16_t first_port, last_port; /* raw ports, TCP and UDP; both 0: none */
};

extern const struct conf_schema gateway_schema;

/* Read a file (NULL: GATEWAY_CONFIG_PATH). Errors as conf_read_file; nothing to free then. */
int gateway_config_read(const char *path, struct gateway_config *ret, struct err *e) MUST_CHECK;
int gateway_config_read_text(const char *file, struct str text, struct gateway_config *ret,
			     struct err *e) MUST_CHECK;
void gateway_config_done(struct gateway_config *config);

/* One address to listen on. */
struct gateway_listen {
	struct sock_addr at;
	bool may_lack; /* the IPv6 half of "every address", on a machine without IPv6 */
};

/* The sockets that a list of addresses stands for. Returns how many. */
size_t gateway_config_listen(const struct conf_addresses *addresses,
			     struct gateway_listen ret[static GATEWAY_LISTEN_MAX]);
