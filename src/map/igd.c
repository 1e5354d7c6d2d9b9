/*
 *	    igd_discover           answers             several connections        the best
 *	IDLE ──────────▶ SEARCHING ───────▶ DESCRIBING ───────────────────▶ CHOOSING ───▶ FOUND
 *	 ▲                   │ silence          │    │ one: that one                        ▲ │
 *	 │                   │        no service│    └──────────────────────────────────────┘ │
 *	 └───────────────────┴──────────────────┴──────────────────────── it has moved ───────┘
 *
 * From everywhere igd_discover leads to SEARCHING. SEARCHING has SEARCH_TIME; a deadline ends
 * DESCRIBING without a device, and CHOOSING with the best until then.
 */
#include "map/igd.h"

#include <assert.h>
#include <netinet/in.h>
#include <stdio.h>

#include "base/ipclass.h"
#include "base/log.h"
#include "map/description.h"
#include "map/search.h"
#include "map/soap.h"
#include "map/xml.h"
#include "net/httpc.h"

#define DESCRIPTIONS_MAX 4 /* that are fetched until one has a service for us */
#define CANDIDATES_MAX	 4 /* connections that are asked how they are */
#define CONNECT_TIME	 USEC_PER_S
#define HEAD_MAX	 ((size_t)8 * 1024)
#define ARGS_MAX	 8
#define VALUES_MAX	 5
#define USER_AGENT	 "Linux UPnP/1.1 homeport/" HOMEPORT_VERSION

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

/* An action of a service, and how its answer is read. */
struct action {
	const char *name;
	const char *values[VALUES_MAX]; /* that are asked for */
	/* False: they make no sense. */
	bool (*read)(const struct soap_value *values, struct igd_answer *answer);
};

struct igd_call {
	struct list node; /* in igd.calls, or igd.ended */
	struct igd *igd;
	const struct action *action;
	const struct description_service *service; /* borrowed from igd.description */
	struct buf body;
	struct igd_then then;
	bool choosing;		    /* ours, not the owner's */
	struct httpc_call *request; /* owned; while it is under way */
	struct igd_answer answer;   /* begun */
};

struct igd {
	/* configuration */
	struct loop *loop;   /* borrowed */
	struct httpc *httpc; /* borrowed */
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
	/* asking */
	struct list calls; /* the first is under way when it has a request */
	struct list ended; /* not to be asked any more, but told */
	unsigned n_calls;  /* in both */
	struct defer tell; /* ended */
};

static void set_state(struct igd *igd, enum igd_state to)
{
	log_debug("igd on %s: %s -> %s", igd->place.ifname, state_names[igd->state],
		  state_names[to]);
	igd->state = to;
}

/* ── what answers say ── */

/* UPnP's boolean (UPnP Device Architecture 1.1 §2.5). */
static bool is_true(const struct soap_value *v)
{
	struct str s = str_of(v->text);

	return str_eq(s, STR("1")) || str_eq_nocase(s, STR("true")) || str_eq_nocase(s, STR("yes"));
}

static bool read_number(const struct soap_value *v, uint64_t max, uint64_t *ret)
{
	return v->found && str_to_u64(str_of(v->text), max, ret);
}

/* An empty one, 0.0.0.0 and what is no address at all: it has none. */
static bool read_external(const struct soap_value *v, struct igd_answer *answer)
{
	struct ipaddr a;

	if (v[0].found && ipaddr_parse(str_of(v[0].text), &a) == 0 && a.family == 4 &&
	    !ipaddr_is_unspecified(&a) && !ipaddr_is_loopback(&a))
		answer->external = a;
	return v[0].found;
}

static bool read_status(const struct soap_value *v, struct igd_answer *answer)
{
	struct str state = str_of(v[0].text);
	uint64_t uptime_s = 0;

	xml_printable(answer->status.state, sizeof(answer->status.state), state);
	answer->status.connected =
		str_eq_nocase(state, STR("Connected")) || str_eq_nocase(state, STR("Up"));
	if (read_number(&v[1], UINT32_MAX, &uptime_s))
		answer->status.uptime_s = (uint32_t)uptime_s;
	return v[0].found;
}

static bool read_mapping(const struct soap_value *v, struct igd_answer *answer)
{
	struct igd_mapping *m = &answer->mapping;
	uint64_t port, lease_s = 0;

	if (!v[0].found || !read_number(&v[1], UINT16_MAX, &port))
		return false;
	if (ipaddr_parse(str_of(v[0].text), &m->client) < 0)
		m->client = (struct ipaddr){0};
	m->client.port = (uint16_t)port;
	m->enabled = !v[2].found || is_true(&v[2]);
	xml_printable(m->description, sizeof(m->description), str_of(v[3].text));
	if (read_number(&v[4], UINT32_MAX, &lease_s))
		m->lease_s = (uint32_t)lease_s;
	return true;
}

static bool read_firewall(const struct soap_value *v, struct igd_answer *answer)
{
	answer->firewall.enabled = is_true(&v[0]);
	answer->firewall.inbound_allowed = is_true(&v[1]);
	return v[0].found && v[1].found;
}

static bool read_pinhole(const struct soap_value *v, struct igd_answer *answer)
{
	uint64_t id;

	if (!read_number(&v[0], UINT16_MAX, &id))
		return false;
	answer->pinhole = (uint16_t)id;
	return true;
}

static bool read_packets(const struct soap_value *v, struct igd_answer *answer)
{
	uint64_t packets;

	if (!read_number(&v[0], UINT32_MAX, &packets))
		return false;
	answer->packets = (uint32_t)packets;
	return true;
}

static const struct action external_address = {
	"GetExternalIPAddress", {"NewExternalIPAddress"}, read_external};
static const struct action get_status = {
	"GetStatusInfo", {"NewConnectionStatus", "NewUptime"}, read_status};
static const struct action add_mapping = {"AddPortMapping", {NULL}, NULL};
static const struct action delete_mapping = {"DeletePortMapping", {NULL}, NULL};
static const struct action lookup = {"GetSpecificPortMappingEntry",
				     {"NewInternalClient", "NewInternalPort", "NewEnabled",
				      "NewPortMappingDescription", "NewLeaseDuration"},
				     read_mapping};
static const struct action firewall_status = {
	"GetFirewallStatus", {"FirewallEnabled", "InboundPinholeAllowed"}, read_firewall};
static const struct action add_pinhole = {"AddPinhole", {"UniqueID"}, read_pinhole};
static const struct action update_pinhole = {"UpdatePinhole", {NULL}, NULL};
static const struct action delete_pinhole = {"DeletePinhole", {NULL}, NULL};
static const struct action pinhole_packets = {
	"GetPinholePackets", {"PinholePackets"}, read_packets};

static void set_text(struct igd_answer *answer, const char *text)
{
	snprintf(answer->text, sizeof(answer->text), "%s", text);
}

/* The body of an answer, whatever its status. */
static void judge_body(const struct igd_call *call, const struct httpc_answer *http,
		       struct igd_answer *answer)
{
	struct soap_value values[VALUES_MAX] = {0};
	struct soap_fault fault;
	struct err e = {0};
	size_t n = 0;
	int r;

	while (n < VALUES_MAX && call->action->values[n]) {
		values[n].name = call->action->values[n];
		n++;
	}
	if (http->status / 100 == 2 && http->body.len == 0 && n == 0)
		return; /* some say no more than that it is done */
	r = soap_decode(http->body, values, n, &fault, &e);
	if (r == -ERR_REFUSED) {
		answer->r = r;
		answer->upnp_code = fault.code;
		set_text(answer, fault.text);
	} else if (http->status / 100 != 2) {
		answer->r = -ERR_REFUSED;
		snprintf(answer->text, sizeof(answer->text), "HTTP status %u", http->status);
	} else if (r < 0) {
		answer->r = -ERR_FAILED;
		set_text(answer, e.text);
	} else if (n && !call->action->read(values, answer)) {
		answer->r = -ERR_FAILED;
		snprintf(answer->text, sizeof(answer->text), "%s was answered without its values",
			 call->action->name);
	}
}

static void judge(const struct igd_call *call, const struct httpc_answer *http,
		  struct igd_answer *answer)
{
	answer->http_status = http->status;
	if (http->r == -ERR_REFUSED) {
		answer->r = -ERR_NOT_FOUND;
		set_text(answer, http->err.text);
	} else if (http->r < 0) {
		answer->r = http->r == -ERR_TIMEOUT ? -ERR_TIMEOUT : -ERR_FAILED;
		set_text(answer, http->err.text);
	} else if (http->status == 404) {
		answer->r = -ERR_NOT_FOUND;
		set_text(answer, "HTTP status 404");
	} else {
		judge_body(call, http, answer);
	}
}

/* ── requests ── */

/* Where everything goes: the answerer itself, whatever its description says. */
static int request(struct igd *igd, const char *path, const struct httpc_header *headers,
		   size_t n_headers, struct str body,
		   void (*on_done)(void *arg, const struct httpc_answer *answer), void *arg,
		   struct httpc_call **ret_call, struct err *e)
{
	char host[IPADDR_TEXT_MAX], url[IPADDR_TEXT_MAX + DESCRIPTION_PATH_MAX + 8];
	struct httpc_request r = {.method = body.len ? "POST" : "GET",
				  .url = url,
				  .headers = headers,
				  .n_headers = n_headers,
				  .body = body,
				  .source = &igd->place.address,
				  .peer = &igd->device.control,
				  .connect_timeout = CONNECT_TIME,
				  .timeout = IGD_CALL_TIME,
				  .body_max = XML_BODY_MAX,
				  .head_max = HEAD_MAX};

	snprintf(url, sizeof(url), "http://%s%s", ipaddr_format_port(host, r.peer), path);
	return httpc_start(igd->httpc, &r, on_done, arg, ret_call, e);
}

static void call_on_done(void *arg, const struct httpc_answer *http);

static int call_send(struct igd_call *call, struct err *e)
{
	char action[SOAP_ACTION_MAX];
	struct httpc_header headers[] = {
		{"Content-Type", "text/xml; charset=\"utf-8\""},
		{"SOAPAction", soap_action(action, call->service->urn, call->action->name)},
		{"Connection", "close"},
		{"User-Agent", USER_AGENT},
	};

	return request(call->igd, call->service->path, headers, ARRAY_LEN(headers),
		       buf_str(&call->body), call_on_done, call, &call->request, e);
}

static void call_free(struct igd_call *call)
{
	httpc_cancel(call->request);
	list_remove(&call->node);
	call->igd->n_calls--;
	buf_done(&call->body);
	free(call);
}

/* ── calls ── */

/* It will not be asked any more: told later, with this answer. */
static void call_end(struct igd_call *call, int r, const char *text)
{
	httpc_cancel(TAKE(call->request));
	list_remove(&call->node);
	list_push(&call->igd->ended, &call->node);
	call->answer.r = r;
	set_text(&call->answer, text);
	defer_call(&call->igd->tell);
}

static void send_next(struct igd *igd)
{
	while (!list_empty(&igd->calls)) {
		struct igd_call *call = list_entry(igd->calls.next, struct igd_call, node);
		struct err e = {0};

		if (call->request || call_send(call, &e) == 0)
			return;
		call_end(call, -ERR_FAILED, e.text);
	}
}

static void end_calls(struct igd *igd, const char *text)
{
	struct igd_call *call, *tmp;

	list_for_each_safe (call, tmp, &igd->calls, node)
		call_end(call, -ERR_NOT_FOUND, text);
}

/* One a time, for inside then.fn everything may go. */
static void igd_on_tell(void *arg)
{
	struct igd *igd = arg;
	struct igd_call *call = list_entry(igd->ended.next, struct igd_call, node);
	struct igd_answer answer = call->answer;
	struct igd_then then = call->then;

	call_free(call);
	if (!list_empty(&igd->ended))
		defer_call(&igd->tell);
	then.fn(then.arg, &answer);
}

static void call_on_done(void *arg, const struct httpc_answer *http)
{
	struct igd_call *call = arg;
	struct igd *igd = call->igd;
	struct igd_answer answer = call->answer;
	struct igd_then then = call->then;

	call->request = NULL;
	answer.took = http->took;
	judge(call, http, &answer);
	log_debug("igd on %s: %s: %s", igd->place.ifname, call->action->name,
		  answer.r < 0 ? answer.text : "done");
	call_free(call);
	if (answer.r == -ERR_NOT_FOUND && igd->state == IGD_FOUND) {
		end_calls(igd, "the device is no longer there");
		set_state(igd, IGD_IDLE);
	} else {
		send_next(igd);
	}
	then.fn(then.arg, &answer);
}

/* Stand in line. begun: what is known of the answer before it comes; NULL: nothing. */
static int call_new(struct igd *igd, const struct description_service *service,
		    const struct action *action, const struct soap_arg *args, size_t n,
		    const struct igd_answer *begun, struct igd_then then,
		    struct igd_call **ret_call, struct err *e)
{
	struct igd_call *call;
	int r;

	if (igd->n_calls == IGD_CALLS_MAX)
		return err_set(e, ERR_LIMIT, "%s: %d actions wait for the router already",
			       action->name, IGD_CALLS_MAX);
	call = calloc(1, sizeof(*call));
	if (!call)
		return err_set(e, ERR_NOMEM, "%s", action->name);
	*call = (struct igd_call){.igd = igd, .action = action, .service = service, .then = then};
	if (begun)
		call->answer = *begun;
	list_init(&call->node);
	igd->n_calls++;
	buf_init(&call->body, SOAP_REQUEST_MAX);
	r = soap_encode(&call->body, service->urn, action->name, args, n, e);
	if (r < 0) {
		call_free(call);
		return err_wrap(e, r, "%s", action->name);
	}
	list_push(&igd->calls, &call->node);
	send_next(igd);
	if (ret_call)
		*ret_call = call;
	return 0;
}

void igd_cancel(struct igd_call *call)
{
	struct igd *igd;

	if (!call)
		return;
	igd = call->igd;
	call_free(call);
	if (list_empty(&igd->ended))
		defer_cancel(&igd->tell);
	send_next(igd);
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
	candidate_done(arg, ipclass_is_public(&answer->external) ? SCORE_PUBLIC : SCORE_UP);
}

static int ask_candidate_for(struct igd *igd, const struct action *action,
			     void (*fn)(void *arg, const struct igd_answer *answer))
{
	struct igd_call *call;
	int r = call_new(igd, igd->candidates[igd->asking], action, NULL, 0, NULL,
			 (struct igd_then){fn, igd}, &call, NULL);

	if (r == 0)
		call->choosing = true;
	return r;
}

static void on_candidate_status(void *arg, const struct igd_answer *answer)
{
	struct igd *igd = arg;

	if (answer->r < 0)
		candidate_done(igd, SCORE_SILENT);
	else if (!answer->status.connected)
		candidate_done(igd, SCORE_DOWN);
	else if (ask_candidate_for(igd, &external_address, on_candidate_address) < 0)
		candidate_done(igd, SCORE_UP);
}

static void ask_candidate(struct igd *igd)
{
	if (ask_candidate_for(igd, &get_status, on_candidate_status) < 0)
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
		ask_candidate(igd);
	} else {
		found(igd, 0, NULL);
	}
}

/* The next answer's, until one has a service for us. */
static void describe_next(struct igd *igd)
{
	static const struct httpc_header headers[] = {{"Connection", "close"},
						      {"User-Agent", USER_AGENT}};

	while (igd->n_described < MIN(igd->answers.n, (unsigned)DESCRIPTIONS_MAX)) {
		const struct search_answer *answer = &igd->answers.list[igd->n_described++];
		struct err e = {0};
		int r;

		igd->device.control = answer->at;
		r = request(igd, answer->path, headers, ARRAY_LEN(headers), (struct str){0},
			    igd_on_description, igd, &igd->fetch, &e);
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
	struct list *const lists[] = {&igd->calls, &igd->ended};
	struct igd_call *call, *tmp;

	timer_stop(&igd->deadline);
	search_cancel(TAKE(igd->search));
	httpc_cancel(TAKE(igd->fetch));
	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		list_for_each_safe (call, tmp, lists[i], node)
			if (call->choosing)
				igd_cancel(call);
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
	end_calls(igd, "the device is being looked for anew");
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

/* ── the device ── */

int igd_new(struct loop *loop, struct httpc *httpc, const struct map_place *place,
	    struct igd **ret_igd, struct err *e)
{
	struct igd *igd = calloc(1, sizeof(*igd));

	if (!igd)
		return err_set(e, ERR_NOMEM, "gateway device");
	*igd = (struct igd){.loop = loop, .httpc = httpc, .place = *place};
	timer_init(&igd->deadline, loop, igd_on_deadline, igd);
	defer_init(&igd->tell, loop, igd_on_tell, igd);
	list_init(&igd->calls);
	list_init(&igd->ended);
	*ret_igd = igd;
	return 0;
}

void igd_free(struct igd *igd)
{
	struct igd_call *call, *tmp;

	if (!igd)
		return;
	stop_finding(igd);
	defer_cancel(&igd->tell);
	list_splice(&igd->ended, &igd->calls);
	list_for_each_safe (call, tmp, &igd->ended, node)
		call_free(call);
	free(igd);
}

/* ── the actions ── */

static const char *protocol_name(uint8_t protocol)
{
	assert(protocol == IPPROTO_TCP || protocol == IPPROTO_UDP);
	return protocol == IPPROTO_TCP ? "TCP" : "UDP"; /* others' spelling is refused by some */
}

#define NUMBER_MAX 12

static const char *number(char text[static NUMBER_MAX], uint32_t n)
{
	snprintf(text, NUMBER_MAX, "%u", n);
	return text;
}

static int ask_connection(struct igd *igd, const struct action *action, const struct soap_arg *args,
			  size_t n, const struct igd_answer *begun, struct igd_then then,
			  struct igd_call **ret_call, struct err *e)
{
	if (igd->state != IGD_FOUND || !igd->connection)
		return err_set(e, ERR_NOT_FOUND, "%s: no device that maps ports was found",
			       action->name);
	return call_new(igd, igd->connection, action, args, n, begun, then, ret_call, e);
}

static int ask_firewall(struct igd *igd, const struct action *action, const struct soap_arg *args,
			size_t n, struct igd_then then, struct igd_call **ret_call, struct err *e)
{
	if (igd->state != IGD_FOUND || !igd->firewall || igd->place.address.family != 6)
		return err_set(e, ERR_NOT_FOUND, "%s: no device that makes pinholes was found",
			       action->name);
	return call_new(igd, igd->firewall, action, args, n, NULL, then, ret_call, e);
}

int igd_external_address(struct igd *igd, struct igd_then then, struct igd_call **ret_call,
			 struct err *e)
{
	return ask_connection(igd, &external_address, NULL, 0, NULL, then, ret_call, e);
}

int igd_status(struct igd *igd, struct igd_then then, struct igd_call **ret_call, struct err *e)
{
	return ask_connection(igd, &get_status, NULL, 0, NULL, then, ret_call, e);
}

/* WANIPConnection:1 §2.4.16. NewRemoteHost stays empty: "0.0.0.0" makes rules on some routers that
 * nobody matches. */
int igd_add_mapping(struct igd *igd, const struct igd_mapping *mapping, struct igd_then then,
		    struct igd_call **ret_call, struct err *e)
{
	char external[NUMBER_MAX], internal[NUMBER_MAX], lease[NUMBER_MAX], client[IPADDR_TEXT_MAX];
	struct soap_arg args[] = {
		{"NewRemoteHost", ""},
		{"NewExternalPort", number(external, mapping->external_port)},
		{"NewProtocol", protocol_name(mapping->protocol)},
		{"NewInternalPort", number(internal, mapping->client.port)},
		{"NewInternalClient", ipaddr_format(client, &mapping->client)},
		{"NewEnabled", "1"},
		{"NewPortMappingDescription", mapping->description},
		{"NewLeaseDuration", number(lease, mapping->lease_s)},
	};

	assert(mapping->external_port && mapping->client.port && mapping->client.family == 4);
	return ask_connection(igd, &add_mapping, args, ARRAY_LEN(args), NULL, then, ret_call, e);
}

static int ask_about_port(struct igd *igd, const struct action *action, uint8_t protocol,
			  uint16_t external_port, struct igd_then then, struct igd_call **ret_call,
			  struct err *e)
{
	char external[NUMBER_MAX];
	struct soap_arg args[] = {
		{"NewRemoteHost", ""},
		{"NewExternalPort", number(external, external_port)},
		{"NewProtocol", protocol_name(protocol)},
	};
	struct igd_answer begun = {
		.mapping = {.protocol = protocol, .external_port = external_port}};

	assert(external_port);
	return ask_connection(igd, action, args, ARRAY_LEN(args), &begun, then, ret_call, e);
}

int igd_delete_mapping(struct igd *igd, uint8_t protocol, uint16_t external_port,
		       struct igd_then then, struct igd_call **ret_call, struct err *e)
{
	return ask_about_port(igd, &delete_mapping, protocol, external_port, then, ret_call, e);
}

int igd_lookup(struct igd *igd, uint8_t protocol, uint16_t external_port, struct igd_then then,
	       struct igd_call **ret_call, struct err *e)
{
	return ask_about_port(igd, &lookup, protocol, external_port, then, ret_call, e);
}

int igd_firewall_status(struct igd *igd, struct igd_then then, struct igd_call **ret_call,
			struct err *e)
{
	return ask_firewall(igd, &firewall_status, NULL, 0, then, ret_call, e);
}

/* WANIPv6FirewallControl:1 §2.5.3. Routers compare InternalClient, as text, with the address that
 * the request comes from. */
int igd_add_pinhole(struct igd *igd, uint8_t protocol, uint16_t port, uint32_t lease_s,
		    struct igd_then then, struct igd_call **ret_call, struct err *e)
{
	char internal[NUMBER_MAX], lease[NUMBER_MAX], client[IPADDR_TEXT_MAX], proto[NUMBER_MAX];
	struct soap_arg args[] = {
		{"RemoteHost", ""},
		{"RemotePort", "0"},
		{"InternalClient", ipaddr_format(client, &igd->place.address)},
		{"InternalPort", number(internal, port)},
		{"Protocol", number(proto, protocol)},
		{"LeaseTime", number(lease, lease_s)},
	};

	assert(protocol == IPPROTO_TCP || protocol == IPPROTO_UDP);
	assert(port && lease_s && lease_s <= IGD_PINHOLE_LEASE_MAX);
	return ask_firewall(igd, &add_pinhole, args, ARRAY_LEN(args), then, ret_call, e);
}

int igd_update_pinhole(struct igd *igd, uint16_t pinhole, uint32_t lease_s, struct igd_then then,
		       struct igd_call **ret_call, struct err *e)
{
	char id[NUMBER_MAX], lease[NUMBER_MAX];
	struct soap_arg args[] = {
		{"UniqueID", number(id, pinhole)},
		{"NewLeaseTime", number(lease, lease_s)},
	};

	assert(lease_s && lease_s <= IGD_PINHOLE_LEASE_MAX);
	return ask_firewall(igd, &update_pinhole, args, ARRAY_LEN(args), then, ret_call, e);
}

static int ask_about_pinhole(struct igd *igd, const struct action *action, uint16_t pinhole,
			     struct igd_then then, struct igd_call **ret_call, struct err *e)
{
	char id[NUMBER_MAX];
	struct soap_arg args[] = {{"UniqueID", number(id, pinhole)}};

	return ask_firewall(igd, action, args, ARRAY_LEN(args), then, ret_call, e);
}

int igd_delete_pinhole(struct igd *igd, uint16_t pinhole, struct igd_then then,
		       struct igd_call **ret_call, struct err *e)
{
	return ask_about_pinhole(igd, &delete_pinhole, pinhole, then, ret_call, e);
}

int igd_pinhole_packets(struct igd *igd, uint16_t pinhole, struct igd_then then,
			struct igd_call **ret_call, struct err *e)
{
	return ask_about_pinhole(igd, &pinhole_packets, pinhole, then, ret_call, e);
}
