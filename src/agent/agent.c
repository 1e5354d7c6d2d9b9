#include "agent/agent.h"

#include <stdio.h>

#include "agent/outage.h"
#include "base/log.h"
#include "net/netwatch.h"

struct agent {
	/* configuration */
	struct loop *loop;		   /* borrowed */
	const struct agent_events *events; /* borrowed */
	void *arg;
	char *state;			     /* owned */
	const char *source;		     /* borrowed */
	const struct tls_identity *identity; /* borrowed */
	struct joined joined;
	char host[HOSTNAME_MAX];
	uint16_t port;

	/* internal state */
	struct link_dial *dial;	   /* owned */
	struct netwatch *netwatch; /* owned; NULL: not to be had */
	struct shaper *shaper;	   /* owned; of all services */
	struct list services;	   /* owned */
	size_t n_services;
	struct outage outage;
	bool stopping;
};

/* ── what the gateway is told ── */

static int describe(const struct agent *agent, struct link_services *services)
{
	struct service *s;

	list_for_each (s, &agent->services, node) {
		struct link_service *to = link_services_add(services, str_of(s->wish.id));

		if (!to)
			return -ERR_NOMEM;
		to->kind = s->wish.target.link;
		to->port = s->wish.port;
		if (wish_names_copy(&to->names, &to->n_names, s->wish.names, s->wish.n_names) < 0)
			return -ERR_NOMEM;
	}
	return 0;
}

static int announce(struct agent *agent, struct err *e)
{
	struct link_services services = {0};
	int r;

	if (agent->stopping)
		return 0;
	r = describe(agent, &services);
	if (r == 0)
		r = link_dial_set_services(agent->dial, &services);
	link_services_done(&services);
	if (r == -ERR_LIMIT)
		return err_set(e, ERR_LIMIT,
			       "the names of all services are too long to tell the gateway of them "
			       "(64 KiB in all): leave some out");
	return r < 0 ? err_set(e, -r, "no memory to tell the gateway of the services") : 0;
}

/* ── what the gateway says ── */

static void log_grant(const struct service *s)
{
	if (s->granted == GRANT_NO)
		log_warning("service %s is not public: %s (%s)", s->wish.id, s->grant.text,
			    s->grant.reason);
	for (size_t i = 0; s->granted == GRANT_YES && i < s->grant.n_urls; i++)
		log_info("service %s: %s", s->wish.id, s->grant.urls[i]);
}

static void on_grants(void *arg, const struct link_grants *grants)
{
	struct agent *agent = arg;
	struct service *s;

	for (size_t i = 0; i < grants->n; i++) {
		s = agent_find(agent, grants->list[i].id);
		if (!s || !service_set_grant(s, &grants->list[i]))
			continue;
		log_grant(s);
		if (s->lender.on_grant)
			s->lender.on_grant(s->lender.arg, s);
		if (agent->events->on_service)
			agent->events->on_service(agent->arg, s);
	}
}

/* gateway.json is written on the thread pool: it ends in an fsync. */
struct store {
	struct job job;
	struct joined joined;
	char *folder; /* owned */
	int r;
	struct err e;
};

static void store_work(struct job *job)
{
	struct store *store = container_of(job, struct store, job);

	store->r = joined_store(store->folder, &store->joined, &store->e);
}

static void store_done(struct job *job)
{
	struct store *store = container_of(job, struct store, job);

	if (store->r < 0)
		log_error("what the gateway announced could not be kept: %s", store->e.text);
	free(store->folder);
	free(store);
}

static void store_joined(struct agent *agent)
{
	struct store *store = calloc(1, sizeof(*store));
	struct err e = {.text = "no memory"};

	if (store) {
		store->joined = agent->joined;
		store->folder = strdup(agent->state);
		if (store->folder &&
		    job_start(&store->job, agent->loop, store_work, store_done, &e) == 0)
			return;
		free(store->folder);
		free(store);
	}
	log_error("what the gateway announced could not be kept: %s", e.text);
}

/* A changed name of ours, or the key that the gateway will have next. */
static void remember(struct agent *agent, const struct link_welcome *welcome)
{
	struct joined now = agent->joined;

	str_copy(now.agent, sizeof(now.agent), str_of(welcome->agent));
	str_copy(now.domain, sizeof(now.domain), str_of(welcome->domain));
	if (welcome->has_next_key) {
		now.has_next = true;
		now.next = welcome->next_key;
	}
	if (memcmp(&now, &agent->joined, sizeof(now)) == 0)
		return;
	agent->joined = now;
	store_joined(agent);
}

static void on_welcome(void *arg, const struct link_welcome *welcome)
{
	struct agent *agent = arg;

	remember(agent, welcome);
	on_grants(agent, &welcome->grants);
}

static void on_notice(void *arg, const char *text)
{
	char escaped[LOG_TEXT_MAX];

	log_info("the gateway says: %s", log_text(escaped, str_of(text)));
}

static void log_state(struct agent *agent, enum link_dial_state state, const char *why)
{
	char address[HOSTNAME_MAX + 8];

	if (*why && !outage_is_news(&agent->outage, why, loop_now(agent->loop)))
		return;
	switch (state) {
	case LINK_DIAL_UP:
		agent_address(agent, address);
		log_info("connected to the gateway %s", address);
		outage_over(&agent->outage);
		return;
	case LINK_DIAL_CONNECTING:
		if (*why)
			log_warning("not connected to the gateway: %s", why);
		return;
	case LINK_DIAL_REPLACED:
		log_warning("another process took over with this machine's key: %s", why);
		return;
	case LINK_DIAL_REFUSED:
		log_warning("the gateway refuses this machine: %s", why);
		return;
	case LINK_DIAL_STOPPED:
		return;
	}
}

static void on_state(void *arg, enum link_dial_state state, const struct err *why)
{
	struct agent *agent = arg;
	struct service *s, *next;

	log_state(agent, state, why ? why->text : "");
	list_for_each_safe (s, next, &agent->services, node)
		if (s->lender.on_link)
			s->lender.on_link(s->lender.arg, s);
	if (agent->events->on_link)
		agent->events->on_link(agent->arg);
}

static void on_visitor(void *arg, struct link_visitor *v, const char *service,
		       const struct forwarded *who)
{
	struct agent *agent = arg;
	struct service *s = agent_find(agent, service);

	if (s)
		service_visit(s, v, who);
	else
		link_visitor_refuse(v, 404, "no such service");
}

static const struct link_dial_events dial_events = {
	.on_state = on_state,
	.on_welcome = on_welcome,
	.on_grants = on_grants,
	.on_notice = on_notice,
	.on_visitor = on_visitor,
};

/* ── what is at home ── */

static void on_reach(void *arg, struct origin *origin)
{
	struct service *s = arg;
	struct agent *agent = s->agent;

	switch (origin_reach(origin)) {
	case ORIGIN_UNKNOWN:
		return;
	case ORIGIN_NO:
		log_warning("service %s: %s; visitors %s until that changes", s->wish.id,
			    origin_why(origin), target_missed(&s->wish.target));
		break;
	case ORIGIN_YES:
		if (s->missed)
			log_info("service %s: %s %s", s->wish.id, s->wish.target.text,
				 target_back(&s->wish.target));
		break;
	}
	s->missed = origin_reach(origin) == ORIGIN_NO;
	if (agent->events->on_service)
		agent->events->on_service(agent->arg, s);
}

static void on_request(void *arg, const struct edge_request *request)
{
	struct service *s = arg;

	if (s->agent->events->on_request)
		s->agent->events->on_request(s->agent->arg, request);
}

static const struct origin_events origin_events = {.on_reach = on_reach, .on_request = on_request};

static void add(struct agent *agent, struct service *s)
{
	list_push(&agent->services, &s->node);
	agent->n_services++;
}

static void drop(struct agent *agent, struct service *s)
{
	agent->n_services--;
	service_free(s);
}

static void end_loan(struct agent *agent, struct service *s, const char *why,
		     enum service_after after)
{
	struct service_lender lender = s->lender;

	log_warning("service %s, on loan, is withdrawn: %s", s->wish.id, why);
	drop(agent, s);
	if (lender.on_ended)
		lender.on_ended(lender.arg, why, after);
}

static const struct wish *find_wish(const struct wish *wishes, size_t n, const char *id)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(wishes[i].id, id) == 0)
			return &wishes[i];
	return NULL;
}

/* A name may have one service for http and one for TLS. */
static bool names_meet(const struct wish *a, const struct wish *b)
{
	if (a->target.link != b->target.link)
		return false;
	for (size_t i = 0; i < a->n_names; i++)
		for (size_t k = 0; k < b->n_names; k++)
			if (strcmp(a->names[i], b->names[k]) == 0)
				return true;
	return false;
}

/* Why the wishes leave no place for a service on loan; NULL: they do. */
static const char *why_not_on_loan(const struct service *s, const struct wish *wishes, size_t n)
{
	if (find_wish(wishes, n, s->wish.id))
		return "the configuration has a service of that name now";
	for (size_t i = 0; i < n; i++)
		if (names_meet(&s->wish, &wishes[i]))
			return "the configuration uses its host name now";
	return n >= LINK_SERVICES_MAX ? "the configuration has as many services as there can be"
				      : NULL;
}

static void drop_unwished(struct agent *agent, const struct wish *wishes, size_t n)
{
	struct service *s, *next;

	list_for_each_safe (s, next, &agent->services, node) {
		const char *why = service_on_loan(s) ? why_not_on_loan(s, wishes, n) : NULL;

		if (why) {
			end_loan(agent, s, why, SERVICE_AFTER_NOTHING);
		} else if (!service_on_loan(s) && !find_wish(wishes, n, s->wish.id)) {
			log_info("service %s is withdrawn", s->wish.id);
			drop(agent, s);
		}
	}
}

static int set_wish(struct agent *agent, const struct wish *wish, struct err *e)
{
	struct service *s = agent_find(agent, wish->id);
	int r;

	if (s && wish_equal(&s->wish, wish))
		return 0;
	if (s) {
		if (service_update(s, wish) < 0)
			return err_set(e, ERR_NOMEM, "service %s", wish->id);
		log_info("service %s has changed", wish->id);
		return 0;
	}
	r = service_new(agent, wish, &origin_events, &s, e);
	if (r == 0)
		add(agent, s);
	return r;
}

int agent_set_wishes(struct agent *agent, const struct wish *wishes, size_t n, struct err *e)
{
	int r = 0;

	drop_unwished(agent, wishes, n);
	for (size_t i = 0; i < n && r == 0; i++)
		r = set_wish(agent, &wishes[i], e);
	return r < 0 ? r : announce(agent, e);
}

int agent_borrow(struct agent *agent, const struct wish *wish, const struct service_lender *lender,
		 struct service **ret_service, struct err *e)
{
	struct service *s;
	int r;

	if (agent->n_services >= LINK_SERVICES_MAX)
		return err_set(e, ERR_LIMIT, "there are %d services already", LINK_SERVICES_MAX);
	list_for_each (s, &agent->services, node) {
		const char *whose = service_on_loan(s) ? "another homeport share" : agent->source;

		if (strcmp(s->wish.id, wish->id) == 0)
			return err_set(e, ERR_EXISTS,
				       "there is a service %s already, from %s; choose another "
				       "name with --name",
				       wish->id, whose);
		if (names_meet(&s->wish, wish))
			return err_set(e, ERR_EXISTS,
				       "the name is that of service %s already, from %s",
				       s->wish.id, whose);
	}
	r = service_new_on_loan(agent, wish, lender, &s, e);
	if (r < 0)
		return r;
	add(agent, s);
	r = announce(agent, e);
	if (r < 0) {
		drop(agent, s);
		return r;
	}
	log_info("service %s is on loan from process %d", wish->id, (int)lender->pid);
	*ret_service = s;
	return 0;
}

void agent_end_loans(struct agent *agent, const char *why, enum service_after after)
{
	struct service *s, *next;

	list_for_each_safe (s, next, &agent->services, node)
		if (service_on_loan(s))
			end_loan(agent, s, why, after);
}

void agent_return(struct agent *agent, struct service *service)
{
	struct err e = {0};

	log_info("service %s went with the process that lent it", service->wish.id);
	drop(agent, service);
	if (announce(agent, &e) < 0)
		log_error("%s", e.text);
}

/* ── the machine ── */

static void on_network(void *arg)
{
	struct agent *agent = arg;

	log_debug("the network has changed");
	link_dial_network_changed(agent->dial);
}

/* ── interface ── */

static void take_setup(struct agent *agent, const struct agent_setup *setup)
{
	agent->joined = *setup->joined;
	agent->port = setup->host ? setup->port : agent->joined.port;
	str_copy(agent->host, sizeof(agent->host),
		 str_of(setup->host ? setup->host : agent->joined.host));
}

static int dial_new(struct agent *agent, const struct agent_setup *setup, struct err *e)
{
	const struct joined *joined = &agent->joined;
	struct link_dial_config config = {
		.host = agent->host,
		.port = agent->port,
		.gateway = joined->gateway,
		.next_gateway = joined->next,
		.has_next = joined->has_next,
		.identity = setup->identity,
		.carriers = setup->carriers,
		.connector = setup->connector,
	};

	return link_dial_new(agent->loop, &config, &dial_events, agent, &agent->dial, e);
}

/* The gateway may be another one, or have forgiven us. */
int agent_rejoin(struct agent *agent, const struct agent_setup *setup, struct err *e)
{
	struct link_dial *before = agent->dial;
	struct joined joined = agent->joined;
	uint16_t port = agent->port;
	char host[HOSTNAME_MAX];
	struct service *s;
	int r;

	strcpy(host, agent->host);
	take_setup(agent, setup);
	r = dial_new(agent, setup, e);
	if (r < 0) {
		agent->dial = before;
		agent->joined = joined;
		agent->port = port;
		strcpy(agent->host, host);
		return r;
	}
	link_dial_free(before);
	agent->identity = setup->identity;
	list_for_each (s, &agent->services, node)
		service_set_grant(s, NULL);
	return announce(agent, e);
}

static void watch_network(struct agent *agent)
{
	struct err e = {0};

	/* Without it a dead link is found by its silence, some seconds later. */
	if (netwatch_new(agent->loop, on_network, agent, &agent->netwatch, &e) < 0)
		log_warning("changes of the network are noticed late: %s", e.text);
}

int agent_new(struct loop *loop, const struct agent_setup *setup, const struct agent_events *events,
	      void *arg, struct agent **ret_agent, struct err *e)
{
	struct agent *agent = calloc(1, sizeof(*agent));
	int r;

	if (!agent)
		return err_set(e, ERR_NOMEM, "agent");
	agent->loop = loop;
	agent->events = events;
	agent->arg = arg;
	agent->source = setup->source;
	agent->identity = setup->identity;
	take_setup(agent, setup);
	list_init(&agent->services);
	agent->state = strdup(setup->state);
	r = agent->state ? shaper_new(loop, setup->rate, NULL, &agent->shaper, e)
			 : err_set(e, ERR_NOMEM, "agent");
	if (r == 0)
		r = dial_new(agent, setup, e);
	if (r < 0) {
		agent_free(agent);
		return r;
	}
	watch_network(agent);
	*ret_agent = agent;
	return 0;
}

void agent_on_jump(struct agent *agent, usec_t span)
{
	char text[USTIME_TEXT_MAX];

	log_debug("slept for %s", ustime_format_span(text, span));
	link_dial_network_changed(agent->dial);
}

void agent_ask_link(struct agent *agent)
{
	link_dial_network_changed(agent->dial);
}

void agent_stop(struct agent *agent, usec_t grace, void (*done)(void *arg), void *arg)
{
	agent->stopping = true;
	link_dial_stop(agent->dial, grace, done, arg);
}

void agent_free(struct agent *agent)
{
	struct service *s, *next;

	if (!agent)
		return;
	agent->stopping = true;
	netwatch_free(agent->netwatch);
	link_dial_free(agent->dial); /* first: it ends the visits */
	list_for_each_safe (s, next, &agent->services, node)
		service_free(s);
	shaper_free(agent->shaper);
	free(agent->state);
	free(agent);
}

struct service *agent_next_service(const struct agent *agent, const struct service *after)
{
	const struct list *next = after ? after->node.next : agent->services.next;

	return next == &agent->services ? NULL : list_entry(next, struct service, node);
}

struct service *agent_find(const struct agent *agent, const char *id)
{
	struct service *s;

	list_for_each (s, &agent->services, node)
		if (strcmp(s->wish.id, id) == 0)
			return s;
	return NULL;
}

void agent_set_rate(struct agent *agent, uint64_t rate)
{
	if (rate != shaper_rate(agent->shaper))
		shaper_set_rate(agent->shaper, rate);
}

struct shaper *agent_shaper(const struct agent *agent)
{
	return agent->shaper;
}

struct loop *agent_loop(const struct agent *agent)
{
	return agent->loop;
}

const struct joined *agent_joined(const struct agent *agent)
{
	return &agent->joined;
}

const struct tls_identity *agent_identity(const struct agent *agent)
{
	return agent->identity;
}

void agent_link(const struct agent *agent, struct link_dial_info *ret)
{
	link_dial_info(agent->dial, ret);
}

void agent_address(const struct agent *agent, char ret[static HOSTNAME_MAX + 8])
{
	bool literal6 = strchr(agent->host, ':') != NULL;

	snprintf(ret, HOSTNAME_MAX + 8, "%s%s%s:%u", literal6 ? "[" : "", agent->host,
		 literal6 ? "]" : "", agent->port);
}
