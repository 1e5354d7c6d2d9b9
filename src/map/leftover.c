#include "base/log.h"
#include "map/map_private.h"

#define SWEEP_GAP	    (60 * USEC_PER_S) /* at least between attempts to close what nobody wants */
#define SWEEP_DOUBLINGS_MAX 5

static bool is_held(const struct map *map, const struct ledger_entry *entry)
{
	const struct map_door *door;
	const struct holding *h;

	list_for_each (door, &map->doors, node)
		list_for_each (h, &door->holdings, node)
			if (h->lease && lease_entry(h->lease) == entry)
				return true;
	list_for_each (h, &map->orphans, node)
		if (h->lease && lease_entry(h->lease) == entry)
			return true;
	return false;
}

static bool belongs(const struct station *station, const struct ledger_entry *entry)
{
	const struct map_place *place = router_place(station->router);

	return ipaddr_same_host(&entry->internal, &place->address) &&
	       ipaddr_same_host(&entry->router, &place->router);
}

static void give_back(struct station *station, struct ledger_entry *entry)
{
	struct lease_ground ground = station_ground(station);
	struct lease_handler handler = {.on_change = holding_on_lease};
	struct holding *h = holding_new(station, NULL);

	if (!h)
		return;
	handler.arg = h;
	if (lease_new_orphan(&ground, entry, &handler, &h->lease, NULL) < 0)
		free(h);
	else
		list_push(&station->map->orphans, &h->node);
}

/* Without an answer it is kept for when there is one. */
static bool can_give_back(const struct station *station, const struct ledger_entry *entry)
{
	for (int i = 0; i < MAP_METHOD_COUNT; i++)
		if ((entry->method == MAP_NONE || entry->method == (enum map_method)i) &&
		    router_offer(station->router, (enum map_method)i)->state == ROUTER_THERE)
			return true;
	return false;
}

/* Doors that a process before this one left at this place, and nobody wants. */
static void give_all_back(struct station *station)
{
	struct map *map = station->map;
	struct ledger_entry *entry, *next;

	station->swept_at = loop_now(map->loop);
	for (entry = ledger_next(map->ledger, NULL); entry; entry = next) {
		next = ledger_next(map->ledger, entry);
		if (belongs(station, entry) && !is_held(map, entry) &&
		    can_give_back(station, entry)) {
			log_write(map->sweeps ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO,
				  "%s port %u was left open by an earlier homeport: closing it",
				  map_protocol_name(entry->protocol), entry->internal.port);
			give_back(station, entry);
		}
	}
}

bool leftover_any(const struct station *station)
{
	const struct ledger_entry *entry = NULL;

	while (!station->map->leave_leftovers && (entry = ledger_next(station->map->ledger, entry)))
		if (belongs(station, entry) && !is_held(station->map, entry))
			return true;
	return false;
}

void leftover_sweep(struct station *station)
{
	struct map *map = station->map;

	if (map->stopping || map->leave_leftovers || !router_decided(station->router) ||
	    (station->swept_at && loop_now(map->loop) - station->swept_at < SWEEP_GAP))
		return;
	give_all_back(station);
}

int leftover_give_back(struct station *station, uint8_t protocol, uint16_t internal_port)
{
	struct ledger_entry *entry = NULL;

	while ((entry = ledger_next(station->map->ledger, entry)))
		if (belongs(station, entry) && entry->protocol == protocol &&
		    entry->internal.port == internal_port && !is_held(station->map, entry)) {
			give_back(station, entry);
			return 0;
		}
	return -ERR_NOT_FOUND;
}

void leftover_later(struct map *map)
{
	usec_t span = SWEEP_GAP << MIN(map->sweeps, (unsigned)SWEEP_DOUBLINGS_MAX);

	if (map->stopping || map->leave_leftovers || timer_running(&map->sweep))
		return;
	map->sweeps++;
	timer_start(&map->sweep, span);
}

void leftover_on_timer(void *arg)
{
	struct map *map = arg;
	struct station *s;
	bool any = false;

	list_for_each (s, &map->stations, node) {
		if (!s->current || !leftover_any(s))
			continue;
		any = true;
		give_all_back(s);
	}
	if (!any)
		map->sweeps = 0;
}

bool leftover_forget_one(struct map *map)
{
	struct ledger_entry *entry = NULL, *first = NULL;

	while ((entry = ledger_next(map->ledger, entry)))
		if (!entry->permanent && !is_held(map, entry) &&
		    (!first || entry->expires_s < first->expires_s))
			first = entry;
	if (first)
		ledger_remove(map->ledger, first);
	return first;
}
