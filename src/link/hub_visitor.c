#include "link/hub_private.h"

#define WAITING_MAX 256 /* visitors of one agent that wait for a link */
/* For one visitor, who is refused or whose connection is lost before the answer. */
#define TRIES_MAX  8
#define ANSWER_MAX (60 * USEC_PER_S) /* an agent connects to its service, or says no */
#define ANSWER_ASK (2 * USEC_PER_S)  /* no answer for so long: does the carrier live? */

/* A visitor until his end. */
struct request {
	struct list node;	 /* in agent.waiting, or unlinked */
	struct agent *waits_for; /* borrowed; whose list it is in, or NULL */
	struct link_hub *hub;
	unsigned tries;
	uint64_t agent_id;
	struct stream *local;	      /* owned while waiting */
	struct link_visitor *visitor; /* borrowed; on a carrier */
	bool asked;		      /* whether that carrier still lives */
	const struct link_visitor_handler *handler;
	void *arg;
	struct timer timer;
	struct opening *opening; /* owned; what is needed to open him again, until the answer */
};

struct opening {
	char service[LINK_SERVICE_ID_MAX + 1];
	struct forwarded who;
};

static void request_place(struct request *request);

static void request_unwait(struct request *request)
{
	if (!request->waits_for)
		return;
	list_remove(&request->node);
	request->waits_for->n_waiting--;
	request->waits_for = NULL;
}

static void request_free(struct request *request)
{
	request_unwait(request);
	timer_stop(&request->timer);
	stream_close(request->local);
	free(request->opening);
	free(request);
}

static void request_give_back(struct request *request, int r, unsigned status, const char *reason)
{
	struct stream *local = TAKE(request->local);

	stream_set_handler(local, NULL, NULL);
	request->handler->on_returned(request->arg, local, r, status, reason);
	request_free(request);
}

/* Nobody came to open him, or the agent does not answer for him. */
static void request_on_timeout(void *arg)
{
	struct request *request = arg;

	if (request->visitor &&
	    !request->asked) { /* perhaps the carrier is dead and nobody knows yet */
		request->asked = true;
		carrier_ask_for(request->visitor);
		timer_start(&request->timer, ANSWER_MAX - ANSWER_ASK);
	} else if (request->visitor)
		carrier_withdraw(request->visitor, -ERR_TIMEOUT); /* request_on_returned follows */
	else
		request_give_back(request, -ERR_TIMEOUT, 0, "the agent is not there");
}

static void request_on_opened(void *arg)
{
	struct request *request = arg;

	timer_stop(&request->timer);
	free(TAKE(request->opening));
	if (request->handler->on_opened)
		request->handler->on_opened(request->arg);
}

static void request_on_returned(void *arg, struct stream *local, int r, unsigned status,
				const char *reason)
{
	struct request *request = arg;

	request->local = local;
	request->visitor = NULL;
	timer_stop(&request->timer);
	if (r == -ERR_AGAIN && !request->hub->closing && ++request->tries < TRIES_MAX)
		request_place(request);
	else
		request_give_back(request, r == -ERR_AGAIN ? -ERR_TIMEOUT : r, status, reason);
}

static void request_on_closed(void *arg, const struct link_visitor_totals *totals)
{
	struct request *request = arg;

	request->handler->on_closed(request->arg, totals);
	request_free(request);
}

static const struct link_visitor_handler request_handler = {.on_opened = request_on_opened,
							    .on_returned = request_on_returned,
							    .on_closed = request_on_closed};

/* While he waits his stream is left alone; what he sends stays in the kernel. */
static void request_wait(struct request *request, struct agent *agent)
{
	stream_set_handler(request->local, NULL, NULL); /* the carrier's part of him is gone */
	if (!agent || !link_hub_online(request->hub, request->agent_id) ||
	    agent->n_waiting >= WAITING_MAX) {
		timer_start(&request->timer, 0);
		return;
	}
	list_push(&agent->waiting, &request->node);
	request->waits_for = agent;
	agent->n_waiting++;
	if (!timer_running(&request->timer))
		timer_start(&request->timer, LINK_WAIT);
}

static void request_place(struct request *request)
{
	struct agent *agent = hub_agent(request->hub, request->agent_id);
	struct carrier *carrier = agent ? hub_carrier(agent) : NULL;
	struct stream *local = request->local;
	struct err e = {0};
	int r;

	if (!carrier) {
		request_wait(request, agent);
		return;
	}
	r = carrier_open(carrier, request->opening->service, &request->opening->who, local,
			 &request_handler, request, &request->visitor, &e);
	if (r == 0) {
		request->local = NULL;
		request->asked = false;
		timer_start(&request->timer, ANSWER_ASK);
		return;
	}
	if (r == -ERR_AGAIN)
		request_wait(request, agent);
	else
		request_give_back(request, r, 0, e.text);
}

void hub_visitors_serve(struct agent *agent)
{
	for (unsigned n = agent->n_waiting; n > 0 && !list_empty(&agent->waiting); n--) {
		struct request *request = list_entry(agent->waiting.next, struct request, node);

		request_unwait(request);
		request_place(request);
	}
}

void hub_visitors_return(struct agent *agent)
{
	while (!list_empty(&agent->waiting))
		request_give_back(list_entry(agent->waiting.next, struct request, node),
				  -ERR_TIMEOUT, 0, "");
}

int link_hub_open(struct link_hub *hub, uint64_t agent, const char *service,
		  const struct forwarded *who, struct stream *local,
		  const struct link_visitor_handler *handler, void *arg, struct err *e)
{
	struct request *request = calloc(1, sizeof(*request));
	struct opening *opening = calloc(1, sizeof(*opening));

	if (!request || !opening ||
	    !str_copy(opening->service, sizeof(opening->service), str_of(service))) {
		free(request);
		free(opening);
		stream_close(local);
		return err_set(e, ERR_NOMEM, "visitor");
	}
	opening->who = *who;
	request->hub = hub;
	request->agent_id = agent;
	request->local = local;
	request->handler = handler;
	request->arg = arg;
	request->opening = opening;
	list_init(&request->node);
	timer_init(&request->timer, hub->loop, request_on_timeout, request);
	request_place(request);
	return 0;
}
