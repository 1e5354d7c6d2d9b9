#include "agent/service.h"

#include "agent/agent.h"
#include "agent/visit.h"
#include "base/log.h"

static int service_alloc(struct agent *agent, const struct wish *wish, struct service **ret,
			 struct err *e)
{
	struct service *s = calloc(1, sizeof(*s));

	if (!s || wish_copy(&s->wish, wish) < 0) {
		free(s);
		return err_set(e, ERR_NOMEM, "service %s", wish->id);
	}
	if (shaper_new(agent_loop(agent), wish->rate, agent_shaper(agent), &s->shaper, e) < 0) {
		wish_done(&s->wish);
		free(s);
		return -ERR_NOMEM;
	}
	s->agent = agent;
	list_init(&s->node);
	list_init(&s->visits);
	*ret = s;
	return 0;
}

int service_new(struct agent *agent, const struct wish *wish, const struct origin_events *events,
		struct service **ret_service, struct err *e)
{
	struct service *s = NULL;
	int r = service_alloc(agent, wish, &s, e);

	if (r < 0)
		return r;
	r = origin_new(agent_loop(agent), wish, events, s, &s->origin, e);
	if (r < 0) {
		service_free(s);
		return r;
	}
	*ret_service = s;
	return 0;
}

int service_new_on_loan(struct agent *agent, const struct wish *wish,
			const struct service_lender *lender, struct service **ret_service,
			struct err *e)
{
	int r = service_alloc(agent, wish, ret_service, e);

	if (r == 0)
		(*ret_service)->lender = *lender;
	return r;
}

static void grant_done(struct link_grant *grant)
{
	wish_names_done(grant->names, grant->n_names);
	wish_names_done(grant->urls, grant->n_urls);
	*grant = (struct link_grant){0};
}

void service_free(struct service *s)
{
	if (!s)
		return;
	list_remove(&s->node);
	visits_end(s);
	origin_free(s->origin);
	shaper_free(s->shaper);
	grant_done(&s->grant);
	wish_done(&s->wish);
	free(s);
}

/* A service that asked for no name is known by those it was given. */
static int update_origin(struct service *s)
{
	struct wish wish = s->wish;

	if (!s->origin)
		return 0;
	if (wish.n_names == 0 && wish.target.link == LINK_HTTP) {
		wish.names = s->grant.names;
		wish.n_names = s->grant.n_names;
	}
	return origin_update(s->origin, &wish);
}

int service_update(struct service *s, const struct wish *wish)
{
	struct wish before = s->wish;
	int r = wish_copy(&s->wish, wish);

	if (r == 0)
		r = update_origin(s);
	if (r < 0) {
		if (s->wish.target.text != before.target.text)
			wish_done(&s->wish);
		s->wish = before;
		return r;
	}
	wish_done(&before);
	if (wish->rate != shaper_rate(s->shaper))
		shaper_set_rate(s->shaper, wish->rate);
	return 0;
}

static bool same_grant(const struct link_grant *a, const struct link_grant *b)
{
	return a->granted == b->granted && strcmp(a->reason, b->reason) == 0 &&
	       strcmp(a->text, b->text) == 0 && a->port == b->port &&
	       wish_names_equal(a->names, a->n_names, b->names, b->n_names) &&
	       wish_names_equal(a->urls, a->n_urls, b->urls, b->n_urls);
}

static int grant_copy(struct link_grant *to, const struct link_grant *from)
{
	struct link_grant copy = *from;

	copy.names = copy.urls = NULL;
	copy.n_names = copy.n_urls = 0;
	if (wish_names_copy(&copy.names, &copy.n_names, from->names, from->n_names) < 0 ||
	    wish_names_copy(&copy.urls, &copy.n_urls, from->urls, from->n_urls) < 0) {
		grant_done(&copy);
		return -ERR_NOMEM;
	}
	*to = copy;
	return 0;
}

bool service_set_grant(struct service *s, const struct link_grant *grant)
{
	struct link_grant copy = {0};

	if (!grant) {
		bool news = s->granted != GRANT_WAITING;

		grant_done(&s->grant);
		s->granted = GRANT_WAITING;
		return news;
	}
	if (s->granted != GRANT_WAITING && same_grant(&s->grant, grant))
		return false;
	if (grant_copy(&copy, grant) < 0) {
		log_error("service %s: no memory for what the gateway said", s->wish.id);
		return false;
	}
	grant_done(&s->grant);
	s->grant = copy;
	s->granted = grant->granted ? GRANT_YES : GRANT_NO;
	if (update_origin(s) < 0)
		log_error("service %s: no memory for its names", s->wish.id);
	return true;
}

void service_visit(struct service *s, struct link_visitor *v, const struct forwarded *who)
{
	s->n_visitors++;
	visit_start(s, v, who);
}
