/*
 * [dns NAME] of homeport.conf: a name at a DNS provider, as configured. For agent/config and agent/names.
 *
 *	[dns blog.example.org]
 *	provider = dyn
 *	user = ann
 *	password-file = /etc/homeport/dyn.secret
 */
#pragma once

#include "conf/conf.h"
#include "dns/keeper.h"

#define AGENT_NAMES_MAX 512

struct agent_dns_section {
	struct conf_head head;
	char *name, *provider, *zone, *server, *user, *password_file, *key, *address, *suffix;
	char *url, *method, *header, *body, *good, *nochg, *fatal, *retry; /* of a template */
	int64_t family;
	int64_t prefix; /* bits */
	int64_t ttl;	/* microseconds */
	char *on_change, *on_park, *webhook;
};

#define AGENT_DNS_ROWS 23
extern const struct conf_row agent_dns_rows[AGENT_DNS_ROWS];

/* Its text is borrowed from the section. */
struct agent_name {
	struct dns_keeper_name keep;	 /* entry.pass: where it is (agent_name_secret) */
	char host[HOSTNAME_MAX];	 /* keep.entry.host */
	const char *on_change, *on_park; /* programs; NULL: none */
	const char *webhook;		 /* agent_name_webhook reads it; NULL: none */
	struct dns_provider *own;	 /* owned: of provider = template; NULL: one of the table */
};

/* -ERR_INVALID: "FILE:LINE: …", nothing to free. kind: of these sections, for their lines. */
int agent_name_fill(const struct conf_kind *kind, const struct agent_dns_section *section,
		    const char *file, struct agent_name *ret, struct err *e) MUST_CHECK;

void agent_name_done(struct agent_name *name);

/*
 * The secret that `where` names: a file's first line, or with "credential:ID" one that systemd passed
 * ($CREDENTIALS_DIRECTORY). *ret is the caller's, to be wiped. -ERR_DENIED, -ERR_FAILED.
 */
int agent_name_secret(const char *where, char **ret, struct err *e) MUST_CHECK;

/* The URL of a webhook as configured: itself, or what such a file has. *ret as above; errors too, and
 * -ERR_INVALID: it is no URL. */
int agent_name_webhook(const char *configured, char **ret, struct err *e) MUST_CHECK;
