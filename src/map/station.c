#include "base/log.h"
#include "map/map_private.h"

#define HINT_GAP (1 * USEC_PER_S) /* between reactions to announcements, which anybody can send */

/* A router whose clock is wrong seems to restart with each answer: so often it is believed. */
#define RESTARTS_MAX  6
#define RESTARTS_SPAN (600 * USEC_PER_S)

struct station *station_of(const struct map *map, uint8_t family)
{
	struct station *s;

	list_for_each (s, &map->stations, node)
		if (s->current && s->family == family)
			return s;
	return NULL;
}

void station_each_lease(const struct station *station, void (*fn)(struct lease *))
{
	struct map_door *door;
	struct holding *h;

	list_for_each (door, &station->map->doors, node)
		list_for_each (h, &door->holdings, node)
			if (h->station == station && h->lease)
				fn(h->lease);
}

static void on_offer(void *arg)
{
	struct station *station = arg;
	struct map *map = station->map;

	station_each_lease(station, lease_on_offer);
	leftover_sweep(station);
	if (station->current)
		map->handler.on_router(map->arg, station->family);
}

static void on_restart(void *arg)
{
	struct station *station = arg;
	usec_t now = loop_now(station->map->loop);

	if (!station->restarts || now - station->restarted_at >= RESTARTS_SPAN) {
		station->restarted_at = now;
		station->restarts = 0;
	}
	if (station->restarts >= RESTARTS_MAX)
		return;
	station->restarts++;
	log_info("the router on %s has restarted: its doors are opened again",
		 router_place(station->router)->ifname);
	station_each_lease(station, lease_on_restart);
}

static const struct router_handler router_handler = {.on_offer = on_offer,
						     .on_restart = on_restart};

void station_on_hinted(void *arg)
{
	struct map *map = arg;
	struct station *s;

	map->hinted_at = loop_now(map->loop);
	list_for_each (s, &map->stations, node) {
		router_check(s->router);
		station_each_lease(s, lease_check);
	}
}

/*
 * One box is the router of both families in most homes, and some (miniupnpd) announce over IPv4
 * alone: all are asked. What comes too soon is kept for later, since it may be the one that is true.
 */
void station_on_hint(void *arg, const struct ipaddr *who)
{
	struct map *map = arg;
	struct station *s;
	bool ours = false;

	list_for_each (s, &map->stations, node)
		ours |= ipaddr_same_host(who, &router_place(s->router)->router);
	if (!ours || timer_running(&map->hint))
		return;
	timer_start_at(&map->hint, map->hinted_at ? map->hinted_at + HINT_GAP : 0);
}

struct station *station_new(struct map *map, uint8_t family, const struct map_place *place,
			    struct err *e)
{
	usec_t stagger = family == 6 && station_of(map, 4) ? IGD_STAGGER : 0;
	struct station *station = calloc(1, sizeof(*station));

	if (!station) {
		err_set(e, ERR_NOMEM, "no memory");
		return NULL;
	}
	station->map = map;
	station->family = family;
	station->current = true;
	if (router_new(map->loop, map->httpc, place, stagger, &router_handler, station,
		       &station->router, e) < 0) {
		free(station);
		return NULL;
	}
	list_push(&map->stations, &station->node);
	announce_join(map->announce, family, place->ifindex);
	if (leftover_any(station))
		router_probe(station->router); /* else the first door does */
	return station;
}

void station_free(struct station *station)
{
	list_remove(&station->node);
	router_free(station->router);
	free(station);
}
