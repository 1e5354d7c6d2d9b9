#include "map/map.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "map/map_private.h"

static bool same_place(const struct map_place *a, const struct map_place *b)
{
	return a->ifindex == b->ifindex && ipaddr_equal(&a->address, &b->address) &&
	       ipaddr_equal(&a->router, &b->router);
}

/* ── holdings ── */

void holding_on_lease(void *arg)
{
	struct holding *h = arg;
	struct map *map = h->map;
	struct map_door *door = h->door;

	if (lease_state(h->lease) == LEASE_CLOSED)
		defer_call(&map->reap);
	if (!door && lease_state(h->lease) == LEASE_CLOSED && map->handler.on_leftover)
		map->handler.on_leftover(map->arg, lease_wish(h->lease), !lease_entry(h->lease));
	if (!door || h->retired)
		return;
	if (lease_state(h->lease) == LEASE_OPEN && !door->took)
		door->took = MAX(loop_now(map->loop) - door->asked_at, 1);
	if (!door->closing)
		map->handler.on_door(map->arg, door);
}

struct holding *holding_new(struct station *station, struct map_door *door)
{
	struct holding *h = calloc(1, sizeof(*h));

	if (!h)
		return NULL;
	h->map = station->map;
	h->station = station;
	h->door = door;
	list_init(&h->node);
	return h;
}

void holding_free(struct holding *h)
{
	list_remove(&h->node);
	lease_free(h->lease);
	free(h);
}

struct lease_ground station_ground(struct station *station)
{
	return (struct lease_ground){station->map->loop, station->router, station->map->ledger,
				     station->map->id};
}

static struct holding *current_of(const struct map_door *door)
{
	struct holding *h;

	list_for_each (h, &door->holdings, node)
		if (!h->retired)
			return h;
	return NULL;
}

static void drop_if(struct list *list, const struct ledger_entry *entry)
{
	struct holding *h, *tmp;

	list_for_each_safe (h, tmp, list, node)
		if (h->lease && lease_entry(h->lease) == entry)
			holding_free(h);
}

/*
 * Of a door at a place there is one lease: one from when this was the place before, or of an orphan
 * that is being closed, makes way for the new one, which goes on with its port and nonce.
 */
static void take_over(const struct station *station, const struct map_wish *wish)
{
	const struct map_place *place = router_place(station->router);
	struct ipaddr internal = place->address;
	const struct ledger_entry *entry;
	struct map_door *door;

	internal.port = wish->internal_port;
	entry = ledger_find(station->map->ledger, wish->protocol, &internal, &place->router);
	if (!entry)
		return;
	list_for_each (door, &station->map->doors, node)
		drop_if(&door->holdings, entry);
	drop_if(&station->map->orphans, entry);
	defer_call(&station->map->reap);
}

static void refuse_door(struct map_door *door, const char *why)
{
	snprintf(door->why, sizeof(door->why), "%.400s", why);
	defer_call(&door->tell);
}

static void settle(struct map_door *door, struct station *station)
{
	struct lease_ground ground = station_ground(station);
	struct lease_handler handler = {.on_change = holding_on_lease};
	struct holding *h = holding_new(station, door);
	struct err e = {0};
	int r;

	if (!h) {
		refuse_door(door, "no memory");
		return;
	}
	take_over(station, &door->wish);
	handler.arg = h;
	r = lease_new(&ground, &door->wish, &handler, &h->lease, &e);
	if (r == -ERR_LIMIT && leftover_forget_one(door->map))
		r = lease_new(&ground, &door->wish, &handler, &h->lease, &e);
	if (r < 0) {
		refuse_door(door, e.text);
		free(h);
		return;
	}
	list_insert_before(door->holdings.next, &h->node);
	*door->why = '\0';
	announce_join_upnp(door->map->announce, router_place(station->router)->ifindex);
}

static bool in_use(const struct map *map, const struct station *station)
{
	const struct map_door *door;
	const struct holding *h;

	list_for_each (door, &map->doors, node)
		list_for_each (h, &door->holdings, node)
			if (h->station == station)
				return true;
	list_for_each (h, &map->orphans, node)
		if (h->station == station)
			return true;
	return false;
}

/* ── the end of things ── */

static bool is_over(const struct holding *h)
{
	return !h->lease || lease_state(h->lease) == LEASE_CLOSED;
}

/* It is closed as far as its owner is concerned; what the router thinks is another thing. */
static void note_left_open(struct map_door *door, const struct map_grant *grant)
{
	uint32_t lifetime_s = MAX(grant->lifetime_s, door->wish.lifetime_s);
	char span[USTIME_TEXT_MAX];

	if (grant->permanent)
		snprintf(door->why, sizeof(door->why),
			 "the router did not take it back and keeps it for ever, until homeport "
			 "tries again");
	else
		snprintf(door->why, sizeof(door->why),
			 "the router did not take it back; it ends by itself within %s",
			 ustime_format_span(span, lifetime_s * USEC_PER_S));
}

/* Until then the router has the wished port for our former address. */
static void note_expiry(struct map_door *door, const struct lease *lease)
{
	usec_t at = lease_expires(lease);

	if (lease_wish(lease)->family == 4 && at != USEC_MAX &&
	    (!timer_running(&door->home) || at > door->home.at))
		timer_start_at(&door->home, at + USEC_PER_S);
}

static void on_home(void *arg)
{
	struct map_door *door = arg;
	struct holding *h = current_of(door);

	if (h && !door->closing)
		lease_go_home(h->lease);
}

static void reap_list(struct list *list)
{
	struct holding *h, *tmp;

	list_for_each_safe (h, tmp, list, node) {
		if (!is_over(h))
			continue;
		if (h->lease && lease_entry(h->lease)) {
			leftover_later(h->map);
			if (h->door && h->door->closing)
				note_left_open(h->door, lease_grant(h->lease));
			else if (h->door)
				note_expiry(h->door, h->lease);
		}
		holding_free(h);
	}
}

static void on_tell(void *arg)
{
	struct map_door *door = arg;

	if (!door->closing)
		door->map->handler.on_door(door->map->arg, door);
}

static void door_free(struct map_door *door)
{
	struct holding *h, *tmp;

	timer_stop(&door->home);
	defer_cancel(&door->tell);
	list_for_each_safe (h, tmp, &door->holdings, node)
		holding_free(h);
	list_remove(&door->node);
	door->map->n_doors--;
	free(door);
}

static void on_reap(void *arg)
{
	struct map *map = arg;
	struct map_door *door, *next_door;
	struct station *s, *next;

	reap_list(&map->orphans);
	list_for_each_safe (door, next_door, &map->doors, node) {
		reap_list(&door->holdings);
		if (!door->closing || !list_empty(&door->holdings))
			continue;
		map->handler.on_closed(map->arg, door);
		door_free(door);
	}
	list_for_each_safe (s, next, &map->stations, node)
		if (!s->current && !in_use(map, s))
			station_free(s);
	if (map->on_stopped && list_empty(&map->doors) && list_empty(&map->orphans)) {
		void (*on_stopped)(void *) = map->on_stopped;

		map->on_stopped = NULL;
		on_stopped(map->stopped_arg);
	}
}

/* ── places ── */

static void leave_place(struct station *station)
{
	struct map *map = station->map;
	struct map_door *door;
	struct holding *h;

	station->current = false;
	list_for_each (door, &map->doors, node) {
		h = current_of(door);
		if (!h || h->station != station)
			continue;
		h->retired = true;
		list_remove(&h->node);
		list_push(&door->holdings, &h->node);
		if (station->family == 6)
			lease_retire(h->lease);
		else
			lease_close(h->lease);
	}
	defer_call(&map->reap);
}

/* The network is down: nothing can be given back, and it may be the same place again. */
static void forget_place(struct station *station)
{
	struct map *map = station->map;
	struct map_door *door;
	struct holding *h, *tmp;

	station->current = false;
	list_for_each (door, &map->doors, node) {
		list_for_each_safe (h, tmp, &door->holdings, node)
			if (h->station == station)
				holding_free(h);
		if (door->wish.family == station->family)
			defer_call(&door->tell);
	}
	defer_call(&map->reap);
}

void map_set_place(struct map *map, uint8_t family, const struct map_place *place)
{
	struct station *station = station_of(map, family);
	struct map_door *door;
	struct err e = {0};

	if (station && place && same_place(router_place(station->router), place))
		return;
	if (map->lack_family == family)
		*map->lack = '\0';
	if (station && place)
		leave_place(station);
	else if (station)
		forget_place(station);
	if (!place || map->stopping)
		return;
	station = station_new(map, family, place, &e);
	if (!station) {
		snprintf(map->lack, sizeof(map->lack), "%.400s", e.text);
		map->lack_family = family;
	}
	list_for_each (door, &map->doors, node) {
		if (door->wish.family != family || door->closing || current_of(door))
			continue;
		if (station)
			settle(door, station);
		else
			defer_call(&door->tell);
	}
}

/* ── doors ── */

static struct map_door *find_door(const struct map *map, const struct map_wish *wish)
{
	struct map_door *door;

	list_for_each (door, &map->doors, node)
		if (door->wish.family == wish->family && door->wish.protocol == wish->protocol &&
		    door->wish.internal_port == wish->internal_port)
			return door;
	return NULL;
}

int map_open(struct map *map, const struct map_wish *wish, void *arg, struct map_door **ret_door,
	     struct err *e)
{
	struct station *station = station_of(map, wish->family);
	struct map_door *door;

	assert(wish->internal_port && wish->external_port);
	if (map->stopping)
		return err_set(e, ERR_FAILED, "all doors are being closed");
	if (find_door(map, wish))
		return err_set(e, ERR_EXISTS, "there is a door to %s port %u already",
			       map_protocol_name(wish->protocol), wish->internal_port);
	if (map->n_doors >= MAP_DOORS_MAX)
		return err_set(e, ERR_LIMIT, "more than %d doors", MAP_DOORS_MAX);
	door = calloc(1, sizeof(*door));
	if (!door)
		return err_set(e, ERR_NOMEM, "door");
	door->map = map;
	door->wish = *wish;
	if (wish->family == 6)
		door->wish.external_port = wish->internal_port;
	door->arg = arg;
	door->asked_at = loop_now(map->loop);
	list_init(&door->holdings);
	timer_init(&door->home, map->loop, on_home, door);
	defer_init(&door->tell, map->loop, on_tell, door);
	list_push(&map->doors, &door->node);
	map->n_doors++;
	if (station)
		settle(door, station);
	*ret_door = door;
	return 0;
}

void map_close(struct map_door *door)
{
	struct holding *h;

	door->closing = true;
	list_for_each (h, &door->holdings, node)
		lease_close(h->lease);
	defer_call(&door->map->reap);
}

int map_delete(struct map *map, uint8_t family, uint8_t protocol, uint16_t internal_port,
	       struct err *e)
{
	struct station *station = station_of(map, family);

	if (station && leftover_give_back(station, protocol, internal_port) == 0)
		return 0;
	return err_set(e, ERR_NOT_FOUND, "no door to %s port %u is known here",
		       map_protocol_name(protocol), internal_port);
}

void map_stop(struct map *map, void (*on_stopped)(void *arg), void *arg)
{
	struct map_door *door;

	map->stopping = true;
	map->on_stopped = on_stopped;
	map->stopped_arg = arg;
	list_for_each (door, &map->doors, node)
		map_close(door);
	defer_call(&map->reap);
}

void map_wake(struct map *map)
{
	struct station *s;

	list_for_each (s, &map->stations, node) {
		if (!s->current)
			continue;
		router_check(s->router);
		station_each_lease(s, lease_retry);
	}
}

/* ── looks ── */

void map_door_info(const struct map_door *door, struct map_door_info *ret)
{
	const struct holding *h = current_of(door);
	const struct router_offer *offer;

	*ret = (struct map_door_info){.wish = &door->wish, .why = door->why, .took = door->took};
	if (!h && !*ret->why && !door->closing && door->map->lack_family == door->wish.family)
		ret->why = door->map->lack;
	if (!h)
		return;
	ret->place = router_place(h->station->router);
	ret->state = lease_state(h->lease);
	ret->why = lease_why(h->lease);
	ret->retry_at = lease_retry_at(h->lease);
	if (ret->state != LEASE_OPEN)
		return;
	ret->grant = *lease_grant(h->lease);
	ret->expires = lease_expires(h->lease);
	ret->external = ret->grant.external;
	if (ret->external.family)
		return;
	offer = router_offer(h->station->router, ret->grant.method);
	if (offer->told && offer->external.family) {
		ret->external = offer->external;
		ret->external.port = ret->grant.external.port;
	}
}

void *map_door_arg(const struct map_door *door)
{
	return door->arg;
}

struct map_door *map_next_door(const struct map *map, const struct map_door *after)
{
	const struct list *node = after ? after->node.next : map->doors.next;

	return node == &map->doors ? NULL : list_entry(node, struct map_door, node);
}

struct router *map_router(const struct map *map, uint8_t family)
{
	struct station *station = station_of(map, family);

	return station ? station->router : NULL;
}

enum map_method map_outside(const struct map *map, struct ipaddr *ret)
{
	/* PCP tells it with a door only, and that may have been closed long ago */
	static const enum map_method freshest_first[] = {MAP_NATPMP, MAP_IGD, MAP_PCP};
	const struct station *station = station_of(map, 4);
	enum map_method best = MAP_NONE;

	*ret = (struct ipaddr){0};
	for (size_t i = 0; station && i < ARRAY_LEN(freshest_first); i++) {
		enum map_method method = freshest_first[i];
		const struct router_offer *offer = router_offer(station->router, method);

		if (!offer->told || (best != MAP_NONE && !offer->external.family))
			continue;
		best = method;
		*ret = offer->external;
		if (ret->family)
			break;
	}
	return best;
}

/* ── life ── */

int map_new(struct loop *loop, const struct map_setup *setup, const struct map_handler *handler,
	    void *arg, struct map **ret_map, struct err *e)
{
	struct map *map = calloc(1, sizeof(*map));
	int r;

	if (!map)
		return err_set(e, ERR_NOMEM, "doors");
	map->loop = loop;
	map->httpc = setup->httpc;
	map->handler = *handler;
	map->arg = arg;
	map->leave_leftovers = setup->leave_leftovers;
	snprintf(map->id, sizeof(map->id), "%s", setup->id);
	list_init(&map->stations);
	list_init(&map->doors);
	list_init(&map->orphans);
	timer_init(&map->hint, loop, station_on_hinted, map);
	timer_init(&map->sweep, loop, leftover_on_timer, map);
	defer_init(&map->reap, loop, on_reap, map);
	r = ledger_open(loop, setup->state, &map->ledger, e);
	if (r == 0)
		r = announce_new(loop, station_on_hint, map, &map->announce, e);
	if (r < 0) {
		map_free(map);
		return r;
	}
	*ret_map = map;
	return 0;
}

void map_free(struct map *map)
{
	struct map_door *door, *next_door;
	struct holding *h, *next;
	struct station *s, *next_station;

	if (!map)
		return;
	timer_stop(&map->hint);
	timer_stop(&map->sweep);
	defer_cancel(&map->reap);
	list_for_each_safe (door, next_door, &map->doors, node)
		door_free(door);
	list_for_each_safe (h, next, &map->orphans, node)
		holding_free(h);
	list_for_each_safe (s, next_station, &map->stations, node)
		station_free(s);
	announce_free(map->announce);
	ledger_close(map->ledger);
	free(map);
}
