#include "gateway/grants.h"

#include <stdarg.h>
#include <stdio.h>

static const char *reason_word(enum grants_reason reason)
{
	static const char *const words[] = {
#define X(name, word) [GRANTS_##name] = word,
		GRANTS_REASONS(X)
#undef X
	};

	return words[reason];
}

static void texts_free(char ***texts, size_t *n)
{
	for (size_t i = 0; i < *n; i++)
		free((*texts)[i]);
	free(*texts);
	*texts = NULL;
	*n = 0;
}

void grants_refuse(struct link_grant *grant, enum grants_reason reason, const char *fmt, ...)
{
	va_list ap;

	texts_free(&grant->names, &grant->n_names);
	texts_free(&grant->urls, &grant->n_urls);
	grant->port = 0;
	grant->granted = false;
	strcpy(grant->reason, reason_word(reason));
	va_start(ap, fmt);
	vsnprintf(grant->text, sizeof(grant->text), fmt, ap);
	va_end(ap);
}

/* ── names ── */

/* A decision under way: grants->list[i] is about services->list[i], the last one is being made. */
struct decision {
	const struct link_services *services;
	const struct grants_policy *policy;
	struct link_grants *grants;
};

/* The service of this agent and of that kind that has the name already, or NULL: a name may have
 * one service for http and one for TLS. */
static const char *user_of(const struct decision *d, enum link_kind kind, const char *name)
{
	for (size_t i = 0; i < d->grants->n; i++) {
		const struct link_grant *grant = &d->grants->list[i];

		if (d->services->list[i].kind != kind)
			continue;
		for (size_t j = 0; j < grant->n_names; j++)
			if (strcmp(grant->names[j], name) == 0)
				return grant->id;
	}
	return NULL;
}

static size_t count_names(const struct link_grants *grants)
{
	size_t n = 0;

	for (size_t i = 0; i < grants->n; i++)
		n += grants->list[i].n_names;
	return n;
}

/* One name of a service. False: the service is refused. */
static bool name_fits(const struct decision *d, enum link_kind kind, struct link_grant *grant,
		      const char *name)
{
	const char *user = user_of(d, kind, name);
	struct err e = {0};
	int r;

	if (user) {
		grants_refuse(grant, GRANTS_NAME_TAKEN, "%s is used by your service %s already",
			      name, user);
		return false;
	}
	if (count_names(d->grants) >= GRANTS_NAMES_MAX) {
		grants_refuse(grant, GRANTS_LIMIT, "an agent can have at most %d names",
			      GRANTS_NAMES_MAX);
		return false;
	}
	r = d->policy->may_use(d->policy->arg, name, &e);
	if (r < 0)
		grants_refuse(grant, r == -ERR_EXISTS ? GRANTS_NAME_TAKEN : GRANTS_NAME_NOT_ALLOWED,
			      "%s", e.text);
	return r == 0;
}

static int add_name(const struct decision *d, enum link_kind kind, struct link_grant *grant,
		    const char *name)
{
	if (!name_fits(d, kind, grant, name))
		return 0;
	return link_texts_add(&grant->names, &grant->n_names, str_of(name));
}

static int decide_names(const struct decision *d, const struct link_service *service,
			struct link_grant *grant)
{
	char name[2 * LINK_SERVICE_ID_MAX + HOSTNAME_MAX + 3];
	int r = 0;

	if (service->n_names == 0) {
		snprintf(name, sizeof(name), "%s.%s.%s", service->id, d->policy->agent,
			 d->policy->domain);
		return add_name(d, service->kind, grant, name);
	}
	for (size_t i = 0; i < service->n_names && grant->granted && r == 0; i++)
		r = add_name(d, service->kind, grant, service->names[i]);
	return r;
}

/* ── ports ── */

static void decide_port(const struct link_service *service, const struct grants_policy *policy,
			struct link_grant *grant)
{
	bool outside = service->port < policy->first_port || service->port > policy->last_port;
	uint16_t port = 0;
	int r;

	if (service->kind == LINK_UDP && !policy->takes_udp) {
		grants_refuse(
			grant, GRANTS_NOT_SUPPORTED,
			"this agent's link carries no UDP (SETTINGS_ENABLE_CONNECT_PROTOCOL)");
		return;
	}
	if (policy->first_port == 0) {
		grants_refuse(grant, GRANTS_NO_PORTS,
			      "the gateway gives no ports; its owner can set [listen] ports");
		return;
	}
	if (service->port && outside) {
		grants_refuse(
			grant, GRANTS_PORT_NOT_ALLOWED,
			"port %u is outside the gateway's range %u-%u; wish for one of these, "
			"or for none",
			service->port, policy->first_port, policy->last_port);
		return;
	}
	r = policy->take_port(policy->arg, service, &port);
	if (r == -ERR_EXISTS)
		grants_refuse(grant, GRANTS_PORT_TAKEN,
			      "port %u is used by another service; wish for another, or for none",
			      service->port);
	else if (r == -ERR_DENIED)
		grants_refuse(grant, GRANTS_LIMIT,
			      "an agent can have at most %u ports; the gateway's owner can raise "
			      "[limits] ports-per-agent",
			      policy->ports_max);
	else if (r < 0 && r != -ERR_LIMIT)
		grants_refuse(grant, GRANTS_NO_PORTS,
			      "the gateway is too busy to open a port now; try again later");
	else if (r < 0)
		grants_refuse(grant, GRANTS_NO_PORTS,
			      "all ports of the gateway are taken (%u-%u); its owner can widen "
			      "[listen] ports",
			      policy->first_port, policy->last_port);
	else
		grant->port = port;
}

/* ── all of it ── */

static int decide_one(const struct decision *d, const struct link_service *service)
{
	struct link_grant *grant = link_grants_add(d->grants, str_of(service->id));

	if (!grant)
		return -ERR_NOMEM;
	grant->granted = true;
	if (service->kind == LINK_OTHER) {
		grants_refuse(
			grant, GRANTS_NOT_SUPPORTED,
			"this gateway knows no service of that kind: update homeport-gateway");
		return 0;
	}
	if (!link_kind_has_port(service->kind))
		return decide_names(d, service, grant);
	decide_port(service, d->policy, grant);
	return 0;
}

int grants_decide(const struct link_services *services, const struct grants_policy *policy,
		  struct link_grants *ret, struct err *e)
{
	struct link_grants grants = {.revision = services->revision};
	struct decision d = {services, policy, &grants};

	for (size_t i = 0; i < services->n; i++)
		if (decide_one(&d, &services->list[i]) < 0) {
			link_grants_done(&grants);
			return err_set(e, ERR_NOMEM, "list of services");
		}
	*ret = grants;
	return 0;
}

static int add_url(struct link_grant *grant, const char *scheme, const char *host, uint16_t port,
		   uint16_t usual)
{
	char url[HOSTNAME_MAX + 32];

	if (port == usual)
		snprintf(url, sizeof(url), "%s://%s/", scheme, host);
	else
		snprintf(url, sizeof(url), "%s://%s:%u%s", scheme, host, port, usual ? "/" : "");
	return link_texts_add(&grant->urls, &grant->n_urls, str_of(url));
}

static int add_urls(const struct link_service *service, const struct grants_policy *policy,
		    struct link_grant *grant)
{
	int r = 0;

	if (link_kind_has_port(service->kind))
		return add_url(grant, link_kind_name(service->kind), policy->domain, grant->port,
			       0);
	for (size_t i = 0; i < grant->n_names && r == 0; i++) {
		if (service->kind == LINK_HTTP && policy->http_port)
			r = add_url(grant, "http", grant->names[i], policy->http_port, 80);
		else if (service->kind == LINK_TLS && policy->https_port)
			r = add_url(grant, "https", grant->names[i], policy->https_port, 443);
	}
	return r;
}

int grants_add_urls(const struct link_services *services, const struct grants_policy *policy,
		    struct link_grants *grants, struct err *e)
{
	for (size_t i = 0; i < services->n; i++)
		if (grants->list[i].granted &&
		    add_urls(&services->list[i], policy, &grants->list[i]) < 0)
			return err_set(e, ERR_NOMEM, "list of services");
	return 0;
}
