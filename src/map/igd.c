/*
 *	    igd_discover           answers             several connections        the best
 *	IDLE ──────────▶ SEARCHING ───────▶ DESCRIBING ───────────────────▶ CHOOSING ───▶ FOUND
 *	 ▲                   │ silence          │    │ one: that one                        ▲ │
 *	 │                   │        no service│    └──────────────────────────────────────┘ │
 *	 └───────────────────┴──────────────────┴──────────────────────── it has moved ───────┘
 *
 * From everywhere igd_discover leads to SEARCHING. SEARCHING has SEARCH_TIME; DESCRIBING
 * ends without a device IGD_DISCOVER_TIME after the beginning, CHOOSING after CHOOSE_TIME with the
 * best until then.
 */
#include <assert.h>
#include <stdio.h>

#include "base/ipclass.h"
#include "base/log.h"
#include "map/igd_private.h"
#include "map/search.h"
#include "net/httpc.h"

#define DESCRIPTIONS_MAX 4 /* that are fetched until one has a service for us */
#define CANDIDATES_MAX	 4 /* connections that are asked how they are */
#define CHOOSE_TIME	 (2 * USEC_PER_S)

static_assert(SEARCH_TIME == IGD_SEARCH_TIME, "the header says so");

#define IGD_STATES(X) X(IDLE) X(SEARCHING) X(DESCRIBING) X(CHOOSING) X(FOUND)

enum igd_state {
#define X(name) IGD_##name,
	IGD_STATES(X)
#undef X
};

static const char *const state_names[] = {
#define X(name) #name,
	IGD_STATES(X)
#undef X
};

struct igd {
	/* configuration */
	struct loop *loop; /* borrowed */
	struct map_place place;
	/* finding */
	enum igd_state state;
	void (*on_found)(void *arg, int r, const struct igd_device *device, const struct err *e);
	void *on_found_arg;
	usec_t began;
	struct timer deadline;
	struct search *search; /* owned */
	struct search_answers answers;
	unsigned n_described;	  /* answers.list[n_described - 1] is being, or was */
	struct httpc_call *fetch; /* owned */
	int why;		  /* the best answer's description failed: its first error */
	struct err why_e;
	struct description description;
	struct igd_device device;
	const struct description_service *connection, *firewall; /* of description, or NULL */
	/* choosing */
	const struct description_service *candidates[CANDIDATES_MAX];
	unsigned n_candidates, asking;
	int best_score;
	struct igd_call *candidate; /* owned by the line: one is being asked */
	/* asking */
	struct igd_line line;
};

static void set_state(struct igd *igd, enum igd_state to)
{
	log_debug("igd on %s: %s -> %s", igd->place.ifname, state_names[igd->state],
		  state_names[to]);
	igd->state = to;
}

/* ── finding: the end of it ── */

static void found(struct igd *igd, int r, const struct err *e)
{
	timer_stop(&igd->deadline);
	set_state(igd, r == 0 ? IGD_FOUND : IGD_IDLE);
	if (r == 0)
		igd->device.described = loop_now(igd->loop) - igd->began;
	igd->on_found(igd->on_found_arg, r, r == 0 ? &igd->device : NULL, e);
}

/* ── choosing among several connections ── */

static void choose_connection(struct igd *igd, const struct description_service *service)
{
	igd->connection = service;
	snprintf(igd->device.connection, sizeof(igd->device.connection), "%s",
		 description_service_name(service));
}

/* The connection that is being asked is this good; on to the next one. */
static void ask_candidate(struct igd *igd);

enum { SCORE_SILENT, SCORE_DOWN, SCORE_UP, SCORE_PUBLIC };

static void candidate_done(struct igd *igd, int score)
{
	if (score > igd->best_score) {
		igd->best_score = score;
		choose_connection(igd, igd->candidates[igd->asking]);
	}
	igd->asking++;
	if (score == SCORE_PUBLIC || igd->asking == igd->n_candidates)
		found(igd, 0, NULL);
	else
		ask_candidate(igd);
}

static void on_candidate_address(void *arg, const struct igd_answer *answer)
{
	struct igd *igd = arg;

	igd->candidate = NULL;
	candidate_done(igd, ipclass_is_public(&answer->external) ? SCORE_PUBLIC : SCORE_UP);
}

static int ask_candidate_for(struct igd *igd, const struct igd_action *action,
			     void (*fn)(void *arg, const struct igd_answer *answer))
{
	return igd_call_new(&igd->line, igd->candidates[igd->asking], action, NULL, 0, NULL,
			    (struct igd_then){fn, igd}, &igd->candidate, NULL);
}

static void on_candidate_status(void *arg, const struct igd_answer *answer)
{
	struct igd *igd = arg;

	igd->candidate = NULL;
	if (answer->r < 0)
		candidate_done(igd, SCORE_SILENT);
	else if (!answer->connected)
		candidate_done(igd, SCORE_DOWN);
	else if (ask_candidate_for(igd, &igd_get_external_address, on_candidate_address) < 0)
		candidate_done(igd, SCORE_UP);
}

static void ask_candidate(struct igd *igd)
{
	if (ask_candidate_for(igd, &igd_get_status, on_candidate_status) < 0)
		candidate_done(igd, SCORE_SILENT);
}

/* ── describing ── */

/* The connections in the order in which one would choose; the best is taken until one of them turns
 * out to be better. */
static void list_services(struct igd *igd)
{
	const struct description *d = &igd->description;

	igd->connection = igd->firewall = NULL;
	igd->n_candidates = 0;
	igd->device.n_connections = 0;
	for (int type = DESCRIPTION_WAN_IP_2; type <= DESCRIPTION_LEGACY_WAN_PPP; type++) {
		for (unsigned i = 0; i < d->n_services; i++) {
			if ((int)d->services[i].type != type)
				continue;
			igd->device.n_connections++;
			if (igd->n_candidates < CANDIDATES_MAX)
				igd->candidates[igd->n_candidates++] = &d->services[i];
		}
	}
	for (unsigned i = 0; i < d->n_services && !igd->firewall; i++)
		if (d->services[i].type == DESCRIPTION_IPV6_FIREWALL)
			igd->firewall = &d->services[i];
	igd->device.firewall = igd->firewall;
	igd->device.connection[0] = '\0';
	if (igd->n_candidates)
		choose_connection(igd, igd->candidates[0]);
}

static int take_description(struct igd *igd, const struct httpc_answer *http, struct err *e)
{
	const struct search_answer *answer = &igd->answers.list[igd->n_described - 1];
	struct igd_device *device = &igd->device;
	int r;

	if (http->r < 0)
		return err_set(e, http->r == -ERR_TIMEOUT ? ERR_TIMEOUT : ERR_FAILED, "%s",
			       http->err.text);
	if (http->status != 200)
		return err_set(e, ERR_FAILED, "HTTP status %u", http->status);
	r = description_parse(http->body, str_of(answer->path), &igd->description, e);
	if (r < 0)
		return -ERR_FAILED;
	snprintf(device->name, sizeof(device->name), "%s", igd->description.name);
	snprintf(device->manufacturer, sizeof(device->manufacturer), "%s",
		 igd->description.manufacturer);
	snprintf(device->model, sizeof(device->model), "%s", igd->description.model);
	snprintf(device->server, sizeof(device->server), "%s", answer->server);
	device->other = answer->other;
	device->answered = answer->took;
	list_services(igd);
	if (igd->place.address.family == 4 ? !igd->connection : !igd->firewall)
		return err_set(e, ERR_REFUSED, "%s offers no %s",
			       device->name[0] ? device->name : "the device",
			       igd->place.address.family == 4
				       ? "WANIPConnection or WANPPPConnection"
				       : "WANIPv6FirewallControl");
	return 0;
}

static void describe_next(struct igd *igd);

static void igd_on_description(void *arg, const struct httpc_answer *http)
{
	struct igd *igd = arg;
	struct err e = {0};
	int r;

	igd->fetch = NULL;
	r = take_description(igd, http, &e);
	if (r < 0) {
		if (igd->why == 0) {
			igd->why = r;
			igd->why_e = e;
		}
		describe_next(igd);
	} else if (igd->place.address.family == 4 && igd->n_candidates > 1) {
		set_state(igd, IGD_CHOOSING);
		igd->asking = 0;
		igd->best_score = SCORE_SILENT;
		timer_start(&igd->deadline, CHOOSE_TIME);
		ask_candidate(igd);
	} else {
		found(igd, 0, NULL);
	}
}

/* The next answer's, until one has a service for us. */
static void describe_next(struct igd *igd)
{
	while (igd->n_described < MIN(igd->answers.n, (unsigned)DESCRIPTIONS_MAX)) {
		const struct search_answer *answer = &igd->answers.list[igd->n_described++];
		struct err e = {0};
		int r;

		igd->device.control = answer->at;
		r = igd_line_get(&igd->line, answer->path, igd_on_description, igd, &igd->fetch,
				 &e);
		if (r == 0)
			return;
		if (igd->why == 0) {
			igd->why = -ERR_FAILED;
			igd->why_e = e;
		}
	}
	found(igd, igd->why, &igd->why_e);
}

/* ── searching ── */

static void igd_on_answers(void *arg, const struct search_answers *answers)
{
	struct igd *igd = arg;
	char text[IPADDR_TEXT_MAX];
	struct err e = {0};
	int r;

	igd->search = NULL;
	igd->answers = *answers;
	if (answers->n == 0) {
		r = err_set(&e, ERR_NOT_FOUND, "nobody answers a search for a router (UPnP) at %s",
			    ipaddr_format(text, &igd->place.router));
		found(igd, r, &e);
		return;
	}
	set_state(igd, IGD_DESCRIBING);
	describe_next(igd);
}

/* What of it is under way ends, untold. */
static void stop_finding(struct igd *igd)
{
	timer_stop(&igd->deadline);
	search_cancel(TAKE(igd->search));
	httpc_cancel(TAKE(igd->fetch));
	igd_cancel(TAKE(igd->candidate));
}

static void igd_on_deadline(void *arg)
{
	struct igd *igd = arg;
	struct err e = {0};
	bool choosing = igd->state == IGD_CHOOSING; /* the best until now will do */
	int r = 0;

	stop_finding(igd);
	if (!choosing)
		r = err_set(&e, ERR_TIMEOUT, "its description does not come");
	found(igd, r, &e);
}

int igd_discover(struct igd *igd,
		 void (*on_found)(void *arg, int r, const struct igd_device *device,
				  const struct err *e),
		 void *arg, struct err *e)
{
	int r;

	stop_finding(igd);
	igd_line_end(&igd->line, "the device is being looked for anew");
	set_state(igd, IGD_IDLE);
	igd->device = (struct igd_device){0};
	igd->n_described = 0;
	igd->why = 0;
	r = search_start(igd->loop, &igd->place, igd_on_answers, igd, &igd->search, e);
	if (r < 0)
		return r;
	igd->on_found = on_found;
	igd->on_found_arg = arg;
	igd->began = loop_now(igd->loop);
	timer_start(&igd->deadline, IGD_DISCOVER_TIME);
	set_state(igd, IGD_SEARCHING);
	return 0;
}

const struct igd_device *igd_device(const struct igd *igd)
{
	return igd->state == IGD_FOUND ? &igd->device : NULL;
}

/* ── for what is asked ── */

const struct description_service *igd_connection(const struct igd *igd)
{
	return igd->state == IGD_FOUND ? igd->connection : NULL;
}

const struct description_service *igd_firewall(const struct igd *igd)
{
	return igd->state == IGD_FOUND ? igd->firewall : NULL;
}

struct igd_line *igd_line(struct igd *igd)
{
	return &igd->line;
}

const struct map_place *igd_place(const struct igd *igd)
{
	return &igd->place;
}

static void igd_on_moved(void *arg)
{
	struct igd *igd = arg;

	if (igd->state == IGD_FOUND)
		set_state(igd, IGD_IDLE);
}

/* ── the device ── */

int igd_new(struct loop *loop, struct httpc *httpc, const struct map_place *place,
	    struct igd **ret_igd, struct err *e)
{
	struct igd *igd = calloc(1, sizeof(*igd));

	if (!igd)
		return err_set(e, ERR_NOMEM, "gateway device");
	*igd = (struct igd){.loop = loop,
			    .place = *place,
			    .line = {.loop = loop,
				     .httpc = httpc,
				     .source = place->address,
				     .control = &igd->device.control,
				     .on_moved = igd_on_moved,
				     .arg = igd}};
	timer_init(&igd->deadline, loop, igd_on_deadline, igd);
	igd_line_init(&igd->line);
	*ret_igd = igd;
	return 0;
}

void igd_free(struct igd *igd)
{
	if (!igd)
		return;
	stop_finding(igd);
	igd_line_done(&igd->line);
	free(igd);
}
