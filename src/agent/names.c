#include "agent/names.h"

#include <stdio.h>
#include <string.h>

#include "agent/names_private.h"
#include "agent/names_txt.h"
#include "base/ipclass.h"
#include "base/log.h"
#include "base/secret.h"
#include "net/ndjson.h"

#define NAMES_OBSERVE (300 * USEC_PER_S) /* other clients do so, too */
#define NAMES_ROUTER  USEC_PER_S	 /* its word first: most answer within 0.5 s */
#define NAMES_DOUBT   (31 * USEC_PER_S)	 /* a little more than DNS_CHOOSE_WHILE */

#define UNKNOWN_SECRET "?" /* nothing is sent with it */

static void on_event(void *arg, const struct dns_event *event)
{
	struct names *names = arg;
	char text[LOG_TEXT_MAX];

	if (names->only_look) /* there is only one kind then */
		log_warning("what was sent before is not known: %s",
			    log_text(text, str_of(event->text)));
	else
		names_events_tell(&names->events, event);
}

static void on_txt(void *arg, const struct dns_txt_result *result)
{
	names_txt_log(result);
}

/* ── what is published ── */

/* A name server that takes updates is asked itself: it need not be one that the world knows. */
static void set_resolver(const struct dns_entry *entry, struct dns_lookup_settings *settings)
{
	struct ipaddr address = {0};
	struct str host;
	uint16_t port = 53;

	if (!entry->provider->rfc2136 || hostport_split(str_of(entry->server), &host, &port) < 0 ||
	    ipaddr_parse(host, &address) < 0)
		return;
	settings->port = address.port = port;
	settings->resolver.ip = address;
	settings->direct = true;
}

static const struct dns_lookup_settings *lookups_of(void *arg, const char *label)
{
	const struct names *names = arg;

	for (size_t i = 0; i < names->n; i++)
		if (strcmp(names->configured[i].keep.label, label) == 0)
			return &names->lookups[i];
	return NULL;
}

/* ── sources ── */

/* Behind a router without a gateway, nobody near knows the IPv4 address that the world has to come to,
 * nor says when it is another one: others are asked. */
static void ask_others(struct names *names, unsigned kinds)
{
	const struct uplink_place *place = uplink_place(uplink_watch_view(names->uplink), 4);
	bool hidden = place->address.family && place->verdict != UPLINK_USABLE;
	bool behind = dns_keeper_is_behind(names->keeper);
	struct err e = {0};

	timer_stop(&names->observe);
	if (!names->wants_ipv4 || !hidden || timer_running(&names->router) ||
	    (names->gateway_knows && !behind))
		return;
	timer_start(&names->observe, NAMES_OBSERVE);
	if (behind) { /* until the router says otherwise, nobody else's word counts */
		names->ask_router(names->arg);
		return;
	}
	if (!names->observer)
		return;
	dns_observer_bind(names->observer, place->ifname);
	if (dns_observer_ask(names->observer, 4, &place->address, kinds, &e) < 0)
		log_debug("the IPv4 address outside: %s", e.text);
}

/* Something has happened. */
static void observe(struct names *names)
{
	names->doubt = 0;
	ask_others(names, DNS_ASK_ALL);
}

/* Nothing has, as far as anybody here knows: a datagram or two will tell, and only if it is another
 * address by now are more of them asked. */
static void on_observe(void *arg)
{
	struct names *names = arg;

	names->doubt = MIN(2 * names->doubt, NAMES_OBSERVE);
	ask_others(names, dns_keeper_wants_more(names->keeper, 4) ? DNS_ASK_ALL : DNS_ASK_STUN);
}

bool names_await(const struct names *names)
{
	return timer_running(&names->observe) && names->told != names->others &&
	       !dns_keeper_is_behind(names->keeper) && dns_keeper_wants_more(names->keeper, 4);
}

static void on_told(void *arg, const struct dns_told *told)
{
	struct names *names = arg;
	bool known = told->address.family == told->family, wants_more;
	usec_t again;

	names->told |= 1u << told->source;
	names_tests_look(names);
	if (!known)
		log_debug("the address outside, by %s: %s", dns_source_name(told->source),
			  told->why.text);
	if (known || told->why.code != ERR_AGAIN) /* else what they said before stands */
		dns_keeper_report(names->keeper, told->source, told->family,
				  known ? DNS_WISH_ADDRESS : DNS_WISH_UNKNOWN,
				  known ? &told->address : NULL);
	if (!timer_running(&names->observe)) /* somebody near knows by now */
		return;
	wants_more = dns_keeper_wants_more(names->keeper, 4);
	if (wants_more && known && names->router_told) /* its word may be an old one */
		names->ask_router(names->arg);
	if (told->source == DNS_SOURCE_STUN && (wants_more || told->why.code))
		ask_others(names, DNS_ASK_ECHO); /* UDP may be blocked here */
	if (!wants_more) {
		names->doubt = 0;
		return;
	}
	if (!names->doubt)
		names->doubt = NAMES_DOUBT;
	again = loop_now(names->loop) + names->doubt;
	if (told->why.code == ERR_AGAIN && told->again)
		again = MIN(again, told->again);
	timer_start_at(&names->observe, again);
}

static void report_place(struct names *names, const struct uplink_place *place, int family)
{
	enum dns_wish wish = family == 6 ? DNS_WISH_NONE : DNS_WISH_UNKNOWN;

	if (place->address.family && (place->verdict == UPLINK_USABLE || family == 4))
		wish = DNS_WISH_ADDRESS; /* a private one is not published, but told to people */
	dns_keeper_report(names->keeper, DNS_SOURCE_INTERFACE, family, wish,
			  wish == DNS_WISH_ADDRESS ? &place->address : NULL);
}

static bool leaves_by(const struct names *names, int family, const struct ipaddr *local)
{
	const struct uplink_view *view = uplink_watch_view(names->uplink);
	const struct uplink_place *place = uplink_place(view, (uint8_t)family);

	if (!local->family)
		return true;
	for (size_t i = 0; i < view->n; i++)
		if (ipaddr_same_host(&view->addresses[i].net.address, local))
			return place->address.family &&
			       view->addresses[i].net.ifindex == place->ifindex;
	return false;
}

/* True: it knows our IPv4 address outside now, or no longer. */
static bool report_gateway(struct names *names)
{
	bool knew = names->gateway_knows;

	for (int i = 0; i < 2; i++) {
		const struct ipaddr *address = &names->gateway[i].address;
		int family = i ? 6 : 4;
		bool waits = family == 4 && timer_running(&names->router);
		bool known = address->family && !waits &&
			     leaves_by(names, family, &names->gateway[i].local);

		dns_keeper_report(names->keeper, DNS_SOURCE_GATEWAY, family,
				  known ? DNS_WISH_ADDRESS : DNS_WISH_UNKNOWN,
				  known ? address : NULL);
		if (family == 4) /* one in the house sees what nobody can come to */
			names->gateway_knows = known && ipclass_is_public(address);
	}
	return names->gateway_knows != knew;
}

static bool same_place(const struct uplink_place *a, const struct uplink_place *b)
{
	return a->ifindex == b->ifindex && ipaddr_same_host(&a->address, &b->address) &&
	       ipaddr_same_host(&a->router, &b->router);
}

/* Another line: what was seen by the former says nothing of it. The router has the first word, since
 * it may say that nobody can come in here. */
static void note_place(struct names *names, const struct uplink_place *place)
{
	if (!place->address.family || same_place(place, &names->place))
		return;
	names->place = *place;
	names->place.nearest = NULL;
	names->router_told = false;
	names->outside = (struct ipaddr){0};
	dns_keeper_moved(names->keeper);
	if (names->wants_ipv4 && place->verdict != UPLINK_USABLE && names->ask_router(names->arg))
		timer_start(&names->router, NAMES_ROUTER);
}

void names_look(struct names *names)
{
	const struct uplink_view *view = uplink_watch_view(names->uplink);

	note_place(names, uplink_place(view, 4));
	report_place(names, uplink_place(view, 4), 4);
	report_place(names, uplink_place(view, 6), 6);
	report_gateway(names);
	dns_keeper_network(names->keeper);
	observe(names);
}

void names_gateway(struct names *names, int family, const struct ipaddr *address,
		   const struct ipaddr *local)
{
	names->gateway[family == 6].address = *address;
	names->gateway[family == 6].local = *local;
	if (report_gateway(names))
		observe(names);
}

static void router_heard(void *arg)
{
	struct names *names = arg;

	timer_stop(&names->router);
	report_gateway(names);
	observe(names);
}

void names_router(struct names *names, bool told, const struct ipaddr *outside)
{
	bool news = told != names->router_told || !ipaddr_same_host(outside, &names->outside);
	enum dns_wish wish = outside->family ? DNS_WISH_ADDRESS : DNS_WISH_NONE;

	names->router_told = told;
	names->outside = *outside;
	dns_keeper_report(names->keeper, DNS_SOURCE_ROUTER, 4, told ? wish : DNS_WISH_UNKNOWN,
			  outside);
	if (news || timer_running(&names->router))
		router_heard(names); /* the one outside may be another, too */
}

void names_wake(struct names *names)
{
	dns_keeper_network(names->keeper);
	observe(names);
}

/* ── requests ── */

bool names_knows(const char *command)
{
	return strcmp(command, "dns-status") == 0 || strcmp(command, "dns-update") == 0 ||
	       strcmp(command, "dns-confirmed") == 0;
}

struct dns_keeper *names_keeper(struct names *names)
{
	return names->keeper;
}

/* In the status there is no hole where a name should be. */
static json_t *left_out_json(const struct names *names, size_t i)
{
	const struct agent_name *name = &names->configured[i];

	return json_pack("{s:s s:s s:s s:s s:s s:o}", "name", name->keep.label, "host", name->host,
			 "provider", name->keep.entry.provider->name, "family",
			 name->keep.no4 ? "ipv6" : "ipv4", "state", "left out", "why",
			 ndjson_text(names->left_out[i]));
}

json_t *names_json(struct names *names)
{
	json_t *list = dns_keeper_status(names->keeper);

	for (size_t i = 0; i < names->n; i++)
		if (names->left_out[i])
			json_array_append_new(list, left_out_json(names, i));
	return list;
}

json_t *names_request(struct names *names, const json_t *request)
{
	const char *command = json_string_value(json_object_get(request, "command"));
	const char *name = json_string_value(json_object_get(request, "name"));
	bool force = json_is_true(json_object_get(request, "force")), done;

	if (strcmp(command, "dns-status") == 0)
		return json_pack("{s:b s:o}", "ok", 1, "names", names_json(names));
	if (strcmp(command, "dns-update") == 0)
		done = dns_keeper_update(names->keeper, name, force);
	else
		done = name && dns_keeper_confirmed(names->keeper, name);
	if (!done)
		return json_pack("{s:b s:s}", "ok", 0, "error",
				 "no such name in the configuration");
	return json_pack("{s:b}", "ok", 1);
}

/* ── life ── */

static void wipe(char *secret)
{
	if (secret)
		secret_wipe(secret, strlen(secret));
	free(secret);
}

static void leave_out(struct names *names, size_t i, const char *why)
{
	names->left_out[i] = str_dup(str_of(why));
	log_error("name %s is left out: %s", names->configured[i].host, why);
}

/* Those whose secrets can be read: how many. When it is only looked, all of them. */
static size_t fill(struct names *names, struct dns_keeper_name *list)
{
	size_t n = 0;

	for (size_t i = 0; i < names->n; i++) {
		char *pass = NULL;
		struct err e = {0};
		int r = 0;

		list[n] = names->configured[i].keep;
		list[n].asker = dns_lookup_asker(&names->lookups[i]);
		if (list[n].entry.pass)
			r = agent_name_secret(list[n].entry.pass, &pass, &e);
		if (r < 0) {
			if (!names->only_look) {
				leave_out(names, i, e.text);
				continue;
			}
			pass = str_dup(STR(UNKNOWN_SECRET));
			list[n].may_be_right = r == -ERR_DENIED;
			list[n].sealed = str_dup(str_of(e.text)); /* the caller frees it */
		}
		list[n++].entry.pass = pass; /* the caller wipes it */
	}
	return n;
}

static int start_keeper(struct names *names, const char *state,
			const struct agent_observe_section *others, struct err *e)
{
	struct dns_keeper_settings settings = {.folder = state,
					       .only_look = names->only_look,
					       .on_event = on_event,
					       .double_nat = others->double_nat,
					       .lookups = lookups_of,
					       .on_txt = on_txt,
					       .arg = names};
	struct dns_keeper_name *list = calloc(names->n + 1, sizeof(*list));
	int r;

	names->lookups = calloc(names->n + 1, sizeof(*names->lookups));
	names->left_out = calloc(names->n + 1, sizeof(*names->left_out));
	if (!list || !names->lookups || !names->left_out) {
		free(list);
		return err_set(e, ERR_NOMEM, "names");
	}
	for (size_t i = 0; i < names->n; i++) {
		names->lookups[i].loop = names->loop;
		set_resolver(&names->configured[i].keep.entry, &names->lookups[i]);
	}
	settings.names = list;
	settings.n_names = fill(names, list);
	r = dns_keeper_new(names->loop, names->httpc, &settings, &names->keeper, e);
	for (size_t i = 0; i < settings.n_names; i++) {
		wipe((char *)list[i].entry.pass);
		free((char *)list[i].sealed);
	}
	free(list);
	return r;
}

static bool wants_ipv4(const struct names *names)
{
	for (size_t i = 0; i < names->n; i++)
		if (!names->configured[i].keep.no4 && !names->configured[i].keep.fixed4.family)
			return true;
	return false;
}

static int start_observer(struct names *names, const struct agent_observe_section *others,
			  struct err *e)
{
	struct dns_service services[DNS_SERVICES_MAX];
	const struct dns_observer_settings settings = {
		.services = services,
		.n_services = agent_observe_services(others, services),
		.on_told = on_told,
		.arg = names};

	if (!names->wants_ipv4 || settings.n_services == 0)
		return 0;
	for (size_t i = 0; i < settings.n_services; i++)
		names->others |= 1u << services[i].source;
	return dns_observer_new(names->loop, names->httpc, &settings, &names->observer, e);
}

int names_new(struct loop *loop, const struct names_setup *setup, struct names **ret_names,
	      struct err *e)
{
	struct names *names = calloc(1, sizeof(*names));
	int r;

	if (!names)
		return err_set(e, ERR_NOMEM, "names");
	names->loop = loop;
	names->httpc = setup->httpc;
	names->uplink = setup->uplink;
	names->configured = setup->configured;
	names->n = setup->n;
	names->ask_router = setup->ask_router;
	names->arg = setup->arg;
	names->wants_ipv4 = wants_ipv4(names);
	names->only_look = setup->only_look;
	list_init(&names->tests);
	timer_init(&names->observe, loop, on_observe, names);
	timer_init(&names->router, loop, router_heard, names);
	r = names_events_init(&names->events, setup->hooks, setup->webhooks, setup->configured,
			      setup->only_look ? 0 : setup->n, e);
	if (r == 0)
		r = start_keeper(names, setup->state, setup->others, e);
	if (r == 0)
		r = start_observer(names, setup->others, e);
	if (r < 0) {
		names_free(names);
		return r;
	}
	names_look(names);
	*ret_names = names;
	return 0;
}

void names_free(struct names *names)
{
	if (!names)
		return;
	names_tests_end(names);
	timer_stop(&names->observe);
	timer_stop(&names->router);
	dns_observer_free(names->observer);
	dns_keeper_free(names->keeper);
	names_events_done(&names->events);
	for (size_t i = 0; names->left_out && i < names->n; i++)
		free(names->left_out[i]);
	free(names->left_out);
	free(names->lookups);
	free(names);
}
