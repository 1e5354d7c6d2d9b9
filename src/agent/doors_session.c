#include "agent/doors_session.h"

#include <netinet/in.h>
#include <string.h>

#include "agent/doors_json.h"
#include "net/ndjson.h"

#define PROBE_PATIENCE (3300 * USEC_PER_MS) /* a router decides within 3 s of its start */

struct doors_session {
	struct doors *doors; /* borrowed */
	struct doors_watcher watcher;
	void (*emit)(void *arg, json_t *object);
	void *arg;
	bool closing;		  /* wants to be told {"event":"closed"} */
	struct defer closed;	  /* when all doors are */
	bool probing;		  /* wants the routers' answers */
	struct timer patience;	  /* for these, and: */
	bool deleting;		  /* wants to know what becomes of a leftover */
	uint8_t family, protocol; /* of that */
	uint16_t port;
	struct igd_call *lookup; /* the igd's, of the IPv4 router */
	json_t *answer;		 /* waits for it; owned */
};

/* ── doors ── */

static json_t *event_json(const struct doors_session *session, const struct map_door *door,
			  bool closed)
{
	json_t *object = doors_json_door(session->doors, door);
	struct map_door_info info;

	json_object_set_new(object, "event", json_string("door"));
	if (closed) {
		map_door_info(door, &info);
		json_object_set_new(object, "state", json_string("closed"));
		json_object_set_new(object, "why", ndjson_text(info.why));
	}
	return object;
}

static size_t count(const struct doors_session *session)
{
	const struct map_door *door = NULL;
	size_t n = 0;

	while ((door = doors_next(session->doors, &session->watcher, door)))
		n++;
	return n;
}

static void tell_closed(struct doors_session *session)
{
	if (!session->closing || count(session))
		return;
	session->closing = false;
	session->emit(session->arg, json_pack("{s:s}", "event", "closed"));
}

static void on_closed_last(void *arg)
{
	tell_closed(arg);
}

static void on_door(void *arg, struct map_door *door, bool closed)
{
	struct doors_session *session = arg;

	session->emit(session->arg, event_json(session, door, closed));
	if (closed)
		defer_call(&session->closed); /* the door itself is still in the list */
}

/* ── probe ── */

static bool all_decided(const struct doors *doors)
{
	for (uint8_t family = 4; family <= 6; family += 2)
		if (map_router(doors_map(doors), family) &&
		    !router_decided(map_router(doors_map(doors), family)))
			return false;
	return true;
}

static void finish_probe(struct doors_session *session)
{
	session->probing = false;
	timer_stop(&session->patience);
	session->emit(session->arg, json_pack("{s:b s:o}", "ok", 1, "routers",
					      doors_json_routers(session->doors)));
}

static void on_router(void *arg)
{
	struct doors_session *session = arg;

	if (session->probing && all_decided(session->doors))
		finish_probe(session);
}

static void start_probe(struct doors_session *session)
{
	struct doors *doors = session->doors;

	session->probing = true;
	timer_start(&session->patience, PROBE_PATIENCE);
	for (uint8_t family = 4; family <= 6; family += 2)
		if (map_router(doors_map(doors), family))
			router_probe_again(map_router(doors_map(doors), family));
	if (!map_router(doors_map(doors), 4) && !map_router(doors_map(doors), 6))
		finish_probe(session);
}

/* ── requests ── */

static void emit_error(struct doors_session *session, const char *text)
{
	session->emit(session->arg, json_pack("{s:b s:o}", "ok", 0, "error", ndjson_text(text)));
}

static void emit_ok(struct doors_session *session)
{
	session->emit(session->arg, json_pack("{s:b}", "ok", 1));
}

static bool number_in(const json_t *object, const char *key, json_int_t min, json_int_t max,
		      json_int_t *ret)
{
	const json_t *value = json_object_get(object, key);

	*ret = json_integer_value(value);
	return json_is_integer(value) && *ret >= min && *ret <= max;
}

static bool protocol_of(const json_t *object, uint8_t *ret)
{
	const char *text = json_string_value(json_object_get(object, "protocol"));

	if (!text || (strcmp(text, "tcp") != 0 && strcmp(text, "udp") != 0))
		return false;
	*ret = strcmp(text, "udp") == 0 ? IPPROTO_UDP : IPPROTO_TCP;
	return true;
}

static int wish_parse(const json_t *object, struct map_wish *ret, struct err *e)
{
	json_int_t family, internal, external, lifetime;
	struct map_wish wish = {0};

	if (!protocol_of(object, &wish.protocol) || !number_in(object, "family", 4, 6, &family) ||
	    family == 5 || !number_in(object, "internal_port", 1, 65535, &internal) ||
	    !number_in(object, "external_port", 1, 65535, &external) ||
	    !number_in(object, "lifetime_s", MAP_LIFETIME_MIN, MAP_LIFETIME_MAX, &lifetime))
		return err_set(e, ERR_INVALID, "not a door");
	wish.family = (uint8_t)family;
	wish.internal_port = (uint16_t)internal;
	wish.external_port = (uint16_t)external;
	wish.lifetime_s = (uint32_t)lifetime;
	wish.exactly = json_is_true(json_object_get(object, "exactly"));
	*ret = wish;
	return 0;
}

static void on_map(struct doors_session *session, const json_t *request)
{
	const json_t *list = json_object_get(request, "doors"), *object;
	struct map_door *door = NULL;
	struct map_wish wish;
	struct err e = {0};
	size_t i;
	int r = 0;

	if (json_array_size(list) == 0 ||
	    count(session) + json_array_size(list) > DOORS_SESSION_MAX) {
		emit_error(session, "from 1 to 16 doors can be asked for");
		return;
	}
	json_array_foreach(list, i, object)
	{
		if (r == 0)
			r = wish_parse(object, &wish, &e);
		if (r == 0)
			r = doors_open(session->doors, &session->watcher, &wish, &e);
	}
	if (r < 0) {
		doors_close(session->doors, &session->watcher);
		emit_error(session, e.text);
		return;
	}
	emit_ok(session);
	while ((door = doors_next(session->doors, &session->watcher, door)))
		session->emit(session->arg, event_json(session, door, false));
}

static void on_map_close(struct doors_session *session)
{
	emit_ok(session);
	session->closing = true;
	doors_close(session->doors, &session->watcher);
	tell_closed(session);
}

static void on_looked_up(void *arg, const struct igd_answer *answer)
{
	struct doors_session *session = arg;
	const struct igd_mapping *m = &answer->mapping;
	char client[IPADDR_TEXT_MAX] = "";
	json_t *entry;

	session->lookup = NULL;
	if (m->client.family)
		ipaddr_format_port(client, &m->client);
	if (answer->r == 0)
		entry = json_pack("{s:b s:s s:o s:b s:I}", "there", 1, "client", client,
				  "description", ndjson_text(m->description), "enabled", m->enabled,
				  "lease_s", (json_int_t)m->lease_s);
	else
		entry = json_pack("{s:b s:i s:o}", "there", 0, "code", (int)answer->upnp_code,
				  "text", ndjson_text(answer->text));
	json_object_set_new(session->answer, "entry", entry);
	session->emit(session->arg, TAKE(session->answer));
}

/* The router that is being asked is not the one that matters any more, and about to be freed. */
static void on_moved(void *arg, uint8_t family)
{
	struct doors_session *session = arg;

	if (family != 4 || !session->lookup)
		return;
	igd_cancel(TAKE(session->lookup));
	json_decref(TAKE(session->answer));
	emit_error(session, "the network has changed while the router was asked; ask again");
}

/* The router's UPnP entry for a port, which may be anybody's. */
static void look_up(struct doors_session *session, const json_t *wanted)
{
	struct router *router = map_router(doors_map(session->doors), 4);
	const struct igd_then then = {on_looked_up, session};
	struct err e = {0};
	json_int_t port;
	uint8_t protocol;
	int r;

	if (!protocol_of(wanted, &protocol) || !number_in(wanted, "external_port", 1, 65535, &port))
		r = err_set(&e, ERR_INVALID, "not a port");
	else if (!router)
		r = err_set(&e, ERR_FAILED, "there is no router here");
	else if (session->lookup)
		r = err_set(&e, ERR_FAILED, "one question at a time");
	else
		r = igd_lookup(router_igd(router), protocol, (uint16_t)port, then, &session->lookup,
			       &e);
	if (r == 0)
		return;
	json_decref(TAKE(session->answer));
	emit_error(session, e.text);
}

static void on_list(struct doors_session *session, const json_t *request)
{
	const json_t *wanted = json_object_get(request, "entry");

	if (session->answer) {
		emit_error(session, "one list at a time");
		return;
	}
	session->answer = json_pack("{s:b s:i s:o}", "ok", 1, "pid", (int)getpid(), "doors",
				    doors_json_list(session->doors));
	if (wanted)
		look_up(session, wanted);
	else
		session->emit(session->arg, TAKE(session->answer));
}

/* ── giving back what nobody keeps ── */

static void on_entry_deleted(void *arg, const struct igd_answer *answer)
{
	struct doors_session *session = arg;

	session->lookup = NULL;
	if (answer->r == 0)
		emit_ok(session);
	else
		emit_error(session, *answer->text ? answer->text : "the router does not want to");
}

/* The router's entry, which must be this machine's. */
static void on_entry(void *arg, const struct igd_answer *answer)
{
	const struct igd_then then = {on_entry_deleted, arg};
	struct doors_session *session = arg;
	struct router *router = map_router(doors_map(session->doors), 4);
	const struct igd_mapping *m = &answer->mapping;
	struct ipaddr client = m->client;
	char text[IPADDR_TEXT_MAX];
	struct err e = {0};

	session->lookup = NULL;
	client.port = 0;
	if (answer->r < 0 || !router) {
		err_set(&e, ERR_NOT_FOUND,
			"nothing to give back: no earlier homeport left a door to that port, and "
			"the router has no UPnP entry for it");
	} else if (!ipaddr_equal(&client, &router_place(router)->address)) {
		err_set(&e, ERR_DENIED,
			"the router's UPnP entry for that port leads to %s, not to "
			"this machine",
			ipaddr_format(text, &client));
	} else if (igd_delete_mapping(router_igd(router), m->protocol, m->external_port, then,
				      &session->lookup, &e) == 0) {
		return;
	}
	emit_error(session, e.text);
}

static void finish_deleting(struct doors_session *session, bool gone)
{
	session->deleting = false;
	if (gone)
		emit_ok(session);
	else
		emit_error(session,
			   "the router did not take it back: no answer, or it does not want "
			   "to; it stays remembered and is tried again");
}

static void on_leftover(void *arg, const struct map_wish *wish, bool gone)
{
	struct doors_session *session = arg;

	if (session->deleting && session->family == wish->family &&
	    session->protocol == wish->protocol && session->port == wish->internal_port)
		finish_deleting(session, gone);
}

static void on_patience(void *arg)
{
	struct doors_session *session = arg;

	if (session->deleting)
		finish_deleting(session, false);
	if (session->probing)
		finish_probe(session);
}

static bool is_kept(const struct doors *doors, uint8_t family, uint8_t protocol, uint16_t port)
{
	struct map_door *door = NULL;
	struct map_door_info info;

	while ((door = map_next_door(doors_map(doors), door))) {
		map_door_info(door, &info);
		if (info.wish->family == family && info.wish->protocol == protocol &&
		    info.wish->internal_port == port)
			return true;
	}
	return false;
}

static void on_delete(struct doors_session *session, const json_t *request)
{
	struct map *map = doors_map(session->doors);
	const struct igd_then then = {on_entry, session};
	json_int_t family, port;
	struct err e = {0};
	uint8_t protocol;

	if (!protocol_of(request, &protocol) || !number_in(request, "family", 4, 6, &family) ||
	    !number_in(request, "port", 1, 65535, &port)) {
		emit_error(session, "not a door");
		return;
	}
	if (is_kept(session->doors, (uint8_t)family, protocol, (uint16_t)port)) {
		emit_error(session, "that door is kept: end the homeport map that asked for it, or "
				    "take it out of the configuration");
		return;
	}
	if (session->deleting) {
		emit_error(session, "one question at a time");
		return;
	}
	if (map_delete(map, (uint8_t)family, protocol, (uint16_t)port, &e) == 0) {
		session->deleting = true;
		session->family = (uint8_t)family;
		session->protocol = protocol;
		session->port = (uint16_t)port;
		timer_start(&session->patience, PROBE_PATIENCE);
		return;
	}
	if (family == 4 && map_router(map, 4) && !session->lookup &&
	    igd_lookup(router_igd(map_router(map, 4)), protocol, (uint16_t)port, then,
		       &session->lookup, &e) == 0)
		return;
	emit_error(session, "nothing to give back: no earlier homeport left a door to that port");
}

bool doors_session_knows(const char *command)
{
	static const char *const commands[] = {"map", "map-close", "map-list", "map-probe",
					       "map-delete"};

	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (strcmp(command, commands[i]) == 0)
			return true;
	return false;
}

void doors_session_request(struct doors_session *session, const json_t *request)
{
	const char *command = json_string_value(json_object_get(request, "command"));

	if (doors_stopping(session->doors))
		emit_error(session, "this homeport is about to end");
	else if (strcmp(command, "map") == 0)
		on_map(session, request);
	else if (strcmp(command, "map-close") == 0)
		on_map_close(session);
	else if (strcmp(command, "map-list") == 0)
		on_list(session, request);
	else if (strcmp(command, "map-probe") == 0)
		start_probe(session);
	else
		on_delete(session, request);
}

int doors_session_new(struct doors *doors, void (*emit)(void *arg, json_t *object), void *arg,
		      struct doors_session **ret_session)
{
	struct doors_session *session = calloc(1, sizeof(*session));

	if (!session)
		return -ERR_NOMEM;
	session->doors = doors;
	session->emit = emit;
	session->arg = arg;
	session->watcher = (struct doors_watcher){.on_door = on_door,
						  .on_router = on_router,
						  .on_leftover = on_leftover,
						  .on_moved = on_moved,
						  .arg = session};
	timer_init(&session->patience, doors_loop(doors), on_patience, session);
	defer_init(&session->closed, doors_loop(doors), on_closed_last, session);
	doors_watch(doors, &session->watcher);
	*ret_session = session;
	return 0;
}

void doors_session_free(struct doors_session *session)
{
	if (!session)
		return;
	doors_unwatch(session->doors, &session->watcher);
	igd_cancel(session->lookup);
	json_decref(session->answer);
	timer_stop(&session->patience);
	defer_cancel(&session->closed);
	free(session);
}
